"""The rules of the ledger: keys, budgets, approvals, and the statement."""

import dataclasses
import hmac
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrtech.privacy import ledger as rules
from hrtech.privacy.canonical_json import canonical_json
from hrtech.privacy.chain import sealed
from hrtech.privacy.ledger import (
    AlsoCharged,
    ApprovalMissing,
    BudgetExhausted,
    Charge,
    Population,
    ReleaseRequest,
)
from hrtech.privacy.statements import statement

SECRET = b"k" * 32
PEOPLE = Population(
    name="people",
    people="Everyone in the records",
    epsilon=4.0,
    delta=1e-6,
    may_raise=("the officer",),
    approve_above=2.0,
    aliases=("folk",),
)
REQUEST = ReleaseRequest(
    population="people",
    study="cases",
    asset="aggregates",
    barrier="differential-privacy",
    mechanism="marginals 1",
    parameters={"epsilon": 1.0, "columns": ["sex", "age"]},
    inputs={"records": "ab" * 32},
    charge=Charge(rules.rho_of(1.0, 1e-6)),
    purpose="to learn",
)


def asking(epsilon, delta=0.0, **changes):
    charge = Charge(rules.rho_of(epsilon, 1e-6, delta), delta)
    return dataclasses.replace(REQUEST, charge=charge, parameters={"epsilon": epsilon}, **changes)


def written(*requests, population="people"):
    entries = [sealed(SECRET, [], kind="created", at="2026-01-01T00:00:00", body={"ledger_id": "c0ffee" * 5})]
    for kind, body, key in [
        ("budget", rules.budget_body(PEOPLE), ""),
        *(("reserved", rules.reservation_body(r), rules.release_key(SECRET, r)) for r in requests),
    ]:
        entries.append(
            sealed(
                SECRET,
                entries,
                kind=kind,
                at="2026-01-02T03:04:05",
                body=body,
                population=population,
                release_key=key,
            )
        )
    return entries


@pytest.mark.parametrize(
    "change",
    [
        {"population": "others"},
        {"mechanism": "marginals 2"},
        {"parameters": {"epsilon": 1.0, "columns": ["age", "sex"]}},
        {"inputs": {"records": "cd" * 32}},
        {"reissue": 1},
        {"barrier": "k-anonymity", "charge": Charge(0.0)},
        {"series": "yearly", "part": "2024"},
        {"also": (AlsoCharged("others", Charge(0.1)),)},
    ],
)
def test_what_decides_the_bytes_is_in_the_key(change):
    changed = dataclasses.replace(REQUEST, **change)
    assert rules.release_key(SECRET, changed) != rules.release_key(SECRET, REQUEST)


@pytest.mark.parametrize(
    "change",
    [
        {"study": "other"},
        {"asset": "other"},
        {"purpose": "other"},
        {"approvers": ("A", "B")},
        {"parameters": {"columns": ("sex", "age"), "epsilon": 1}},
    ],
)
def test_what_does_not_decide_the_bytes_is_not_in_the_key(change):
    changed = dataclasses.replace(REQUEST, **change)
    assert rules.release_key(SECRET, changed) == rules.release_key(SECRET, REQUEST)


def test_the_key_is_pinned_and_secret():
    # a change of this text would charge every release ever made again
    text = (
        'hrtech ledger 1 release\n{"barrier":"differential-privacy","inputs":{"records":"' + "ab" * 32 + '"},'
        '"mechanism":"marginals 1","parameters":{"columns":["sex","age"],"epsilon":1},"population":"people",'
        '"reissue":0}'
    )
    assert rules.release_key(SECRET, REQUEST) == hmac.new(SECRET, text.encode(), "sha256").hexdigest()
    assert rules.release_key(b"j" * 32, REQUEST) != rules.release_key(SECRET, REQUEST)
    assert rules.release_key(SECRET, dataclasses.replace(REQUEST, population="folk"), "people") == (
        rules.release_key(SECRET, REQUEST)
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
@settings(deadline=None)
def test_canonical_json_is_one_text_per_value(one, other):
    import json

    text = canonical_json(one)
    assert json.loads(text) == one
    assert canonical_json(json.loads(text)) == text
    if text == canonical_json(other):
        assert one == other


def test_canonical_json_by_hand():
    assert canonical_json({"b": (1.0, 0.5, True), "a": None}) == '{"a":null,"b":[1,0.5,true]}'


@pytest.mark.parametrize(
    "value, place",
    [
        ({"a": [b"secret"]}, r"parameters\.a\[0\] is a bytes"),
        ({"a": {1, 2}}, r"parameters\.a is a set"),
        ({"a": float("nan")}, r"parameters\.a is not a finite"),
        ({"a": {3: 1}}, r"parameters\.a has a key"),
    ],
)
def test_canonical_json_names_the_place_not_the_value(value, place):
    with pytest.raises(TypeError, match=place) as caught:
        canonical_json(value, "parameters")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"purpose": " "}, "needs purpose"),
        ({"mechanism": ""}, "needs mechanism"),
        ({"barrier": "none"}, "barrier is one of"),
        ({"reissue": -1}, "reissue is a whole"),
        ({"reissue": True}, "reissue is a whole"),
        ({"inputs": {}}, "at least one input"),
        ({"inputs": "abc"}, "inputs are a list"),
        ({"approvers": "Ada"}, "approvers are a list"),
        ({"approvers": ("",)}, "approvers are a list"),
        ({"charge": Charge(0.0)}, "charge above 0"),
        ({"barrier": "k-anonymity"}, "claims no epsilon"),
        ({"barrier": "disclosure-control"}, "claims no epsilon"),
        ({"series": "yearly"}, "both series and part"),
        ({"part": "2024"}, "both series and part"),
        ({"series": " yearly", "part": "2024"}, "series is a text"),
        ({"series": "yearly", "part": "2024 "}, "part is lower case"),
        ({"series": "yearly", "part": "2024-Q1"}, "part is lower case"),
        ({"series": "yearly", "part": 2024}, "part is lower case"),
        ({"also": (AlsoCharged("others", Charge(0.0)),)}, "charge above 0"),
        ({"also": (AlsoCharged(" ", Charge(0.1)),)}, "further populations"),
        ({"also": (AlsoCharged("people", Charge(0.1)),)}, "each population once"),
        ({"also": (AlsoCharged("others", Charge(0.1)),) * 2}, "each population once"),
        (
            {
                "barrier": "k-anonymity",
                "charge": Charge(0.0),
                "also": (AlsoCharged("others", Charge(0.1)),),
            },
            "claims no epsilon",
        ),
    ],
)
def test_requests_that_are_none(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(REQUEST, **change)


def test_a_budget_is_spent_to_its_last_and_not_beyond():
    quarter = Charge(rules.rho_of(4.0, 1e-6) / 4)
    requests = [dataclasses.replace(REQUEST, charge=quarter, reissue=n) for n in range(5)]
    for n in range(4):
        rules.check_request(written(*requests[:n]), PEOPLE, requests[n])
    full = written(*requests[:4])
    with pytest.raises(BudgetExhausted) as caught:
        rules.check_request(full, PEOPLE, requests[4])
    account = rules.account_of(full, PEOPLE)
    assert account.epsilon_left == 0.0
    assert account.epsilon_spent == pytest.approx(4.0) and account.epsilon_spent <= 4.0
    assert caught.value.left == 0.0 and caught.value.may_raise == ("the officer",)
    assert "the officer" in str(caught.value) and "people.yaml" in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_what_is_left_can_be_granted_and_a_little_more_cannot():
    entries = written(asking(1.5))
    left = rules.account_of(entries, PEOPLE).epsilon_left
    free = PEOPLE.model_copy(update={"approve_above": None})
    rules.check_request(entries, free, asking(left * (1 - 1e-9)))
    with pytest.raises(BudgetExhausted):
        rules.check_request(entries, free, asking(left * (1 + 1e-6)))


def test_delta_of_releases_comes_out_of_the_populations_delta():
    entries = written(asking(1.0, delta=0.9e-6))
    assert rules.spent_on(entries, PEOPLE).delta == 0.9e-6
    with pytest.raises(BudgetExhausted):
        rules.check_request(entries, PEOPLE, asking(0.5, delta=0.2e-6))
    rules.check_request(entries, PEOPLE, asking(0.5))


def test_the_same_people_under_another_name_have_one_budget():
    entries = written(asking(3.9), population="folk")
    with pytest.raises(BudgetExhausted):
        rules.check_request(entries, PEOPLE, asking(1.9))
    others = PEOPLE.model_copy(update={"name": "others", "aliases": ()})
    rules.check_request(entries, others, asking(1.9))


@pytest.mark.parametrize("approvers", [(), ("Ada Lovelace",), ("Ada Lovelace", " ada  LOVELACE ")])
def test_large_releases_need_two_people(approvers):
    with pytest.raises(ApprovalMissing, match="two different"):
        rules.check_request(written(), PEOPLE, asking(2.1, approvers=approvers))
    rules.check_request(written(), PEOPLE, asking(2.0, approvers=approvers))


def test_two_people_may_approve():
    rules.check_request(written(), PEOPLE, asking(2.1, approvers=("Ada", "Grace")))


def test_releases_without_epsilon_are_free_even_of_a_spent_budget():
    zero = dataclasses.replace(REQUEST, charge=Charge(0.0), barrier="k-anonymity")
    lowered = PEOPLE.model_copy(update={"epsilon": 0.5})
    rules.check_request(written(REQUEST), lowered, zero)
    control = dataclasses.replace(zero, barrier="disclosure-control")
    with pytest.raises(ApprovalMissing, match="disclosure control"):
        rules.check_request(written(), PEOPLE, control)
    rules.check_request(written(), PEOPLE, dataclasses.replace(control, approvers=("Ada",)))


def test_the_statement_says_who_what_when_why_and_what_is_left():
    entries = written(
        REQUEST,
        dataclasses.replace(
            REQUEST, asset="cases/records", reissue=1, approvers=("Ada",), purpose="again\nplease"
        ),
    )
    entries.append(
        sealed(
            SECRET,
            entries,
            kind="committed",
            at="2026-01-03T00:00:00",
            body={"artefacts": {}},
            population="people",
            release_key=entries[2].release_key,
        )
    )
    text = statement(entries)
    account = rules.account_of(entries, PEOPLE)
    for part in (
        "people: Everyone in the records (one unit is a person; also called folk)",
        "budget   epsilon 4 at delta 1e-06; may be raised by the officer",
        f"spent    epsilon {account.epsilon_spent:.6g}",
        f"up to epsilon {account.epsilon_left:.6g}",
        "2026-01-02 03:04 UTC  entry 3  cases/aggregates: differential-privacy, marginals 1; epsilon 1 ",
        "released as entry 5",
        "entry 4  cases/records: differential-privacy, marginals 1, draw 2; epsilon 1 ",
        "charged, not released yet",
        "why: again please; approved by Ada",
    ):
        assert part in text
    assert statement(entries, {"people": PEOPLE}) == text
    assert "No file of the register names people" in statement(entries, {})
    assert statement([]) == "Privacy ledger: nothing was ever released.\n"


def in_part(part, epsilon, delta=0.0, series="yearly", **changes):
    return asking(epsilon, delta, series=series, part=part, **changes)


def test_parts_of_a_series_are_about_different_people():
    requests = [in_part(str(year), 1.5) for year in range(2000, 2030)]
    for count, request in enumerate(requests):
        rules.check_request(written(*requests[:count]), PEOPLE, request)
    entries = written(*requests)
    assert rules.spent_on(entries, PEOPLE) == requests[0].charge
    assert rules.account_of(entries, PEOPLE).epsilon_spent == pytest.approx(1.5)


def test_within_a_part_charges_add_up():
    entries = written(in_part("2023", 1.5), in_part("2024", 1.0), in_part("2023", 1.5, reissue=1))
    assert rules.spent_on(entries, PEOPLE).rho == pytest.approx(2 * in_part("2023", 1.5).charge.rho)
    with pytest.raises(BudgetExhausted) as caught:
        rules.check_request(entries, PEOPLE, in_part("2023", 3.9))
    rules.check_request(entries, PEOPLE, in_part("2024", 2.0))
    # what a refusal says is left in this part is left there, and not a little more
    free = PEOPLE.model_copy(update={"approve_above": None})
    rules.check_request(entries, free, in_part("2023", caught.value.left * (1 - 1e-9)))
    with pytest.raises(BudgetExhausted):
        rules.check_request(entries, free, in_part("2023", caught.value.left * (1 + 1e-6)))
    with pytest.raises(BudgetExhausted) as caught:
        rules.check_request(entries, free, in_part("2024", 3.99))
    assert caught.value.left > rules.account_of(entries, PEOPLE).epsilon_left
    rules.check_request(entries, free, in_part("2024", caught.value.left * (1 - 1e-9)))
    with pytest.raises(BudgetExhausted):
        rules.check_request(entries, free, in_part("2024", caught.value.left * (1 + 1e-6)))


def test_series_of_other_names_and_studies_add_up():
    one = in_part("2023", 1.0)
    for other in (
        in_part("2024", 1.0, series="monthly"),
        in_part("2024", 1.0, study="other"),
        asking(1.0),
    ):
        assert rules.spent_on(written(one, other), PEOPLE).rho == pytest.approx(2 * one.charge.rho)


def test_delta_of_a_series_is_that_of_its_largest_part():
    entries = written(in_part("2023", 1.0, 0.6e-6), in_part("2024", 0.5, 0.3e-6))
    spent = rules.spent_on(entries, PEOPLE)
    assert (spent.rho, spent.delta) == (in_part("2023", 1.0, 0.6e-6).charge.rho, 0.6e-6)
    # rho and delta each have their own largest part
    entries = written(in_part("2023", 1.0, 0.1e-6), in_part("2024", 0.5, 0.3e-6))
    spent = rules.spent_on(entries, PEOPLE)
    assert (spent.rho, spent.delta) == (in_part("2023", 1.0, 0.1e-6).charge.rho, 0.3e-6)
    with pytest.raises(BudgetExhausted):
        rules.check_request(entries, PEOPLE, in_part("2024", 0.1, 0.8e-6))
    rules.check_request(entries, PEOPLE, in_part("2025", 0.1, 0.8e-6))


SPENT = st.lists(
    st.tuples(
        st.sampled_from([None, "yearly", "monthly"]),
        st.sampled_from(["a", "b", "c"]),
        st.floats(0, 1),
        st.floats(0, 1e-7),
    ),
    max_size=8,
)


@given(SPENT)
@settings(deadline=None)
def test_what_is_charged_covers_everybody_and_never_more_than_the_sum(listed):
    from hrtech.privacy.composition import Spent, composed

    spent = [
        Spent(Charge(rho, delta), series and ("p", "s", series), part if series else "")
        for series, part, rho, delta in listed
    ]
    charged = composed(spent)
    everything = rules.total(one.charge for one in spent)
    # every sum is rounded up
    assert charged.rho <= everything.rho * (1 + 1e-12) and charged.delta <= everything.delta * (1 + 1e-12)
    for year in "abc":
        for month in "abc":
            # somebody in these parts meets these releases, and all outside of any series
            own = rules.total(
                one.charge
                for one in spent
                if one.series is None or one.part == {"yearly": year, "monthly": month}[one.series[2]]
            )
            assert own.rho <= charged.rho and own.delta <= charged.delta


def test_entries_without_a_series_are_what_they_were():
    assert "series" not in rules.reservation_body(REQUEST) and "part" not in rules.reservation_body(REQUEST)
    body = rules.reservation_body(in_part("2024", 1.0))
    assert (body["series"], body["part"]) == ("yearly", "2024")
    assert rules.release_key(SECRET, in_part("2024", 1.0)) != rules.release_key(SECRET, in_part("2025", 1.0))


def test_the_statement_says_how_parts_share_a_series():
    zero = dataclasses.replace(
        REQUEST, charge=Charge(0.0), barrier="k-anonymity", series="plain", part="2024"
    )
    text = statement(written(in_part("2023", 1.5), in_part("2024", 1.0), asking(0.5), zero))
    assert (
        "series   yearly of cases: epsilon by part: 2023 1.5, 2024 1; each person is in one part, so the series "
        "spent epsilon 1.5\n"
    ) in text
    assert "marginals 1, part 2024 of series yearly; epsilon 1 " in text
    assert "plain of cases" not in text
    assert "series" not in statement(written(REQUEST))


OTHERS = Population(
    name="others",
    people="Everyone whom the records name",
    epsilon=4.0,
    delta=1e-6,
    may_raise=("the officer",),
    approve_above=3.0,
)


def linked(epsilon, further, **changes):
    also = (AlsoCharged("others", Charge(rules.rho_of(further, 1e-6))),)
    return asking(epsilon, also=also, **changes)


def test_a_further_population_is_charged_by_the_same_entry():
    request = linked(1.0, 2.0)
    entries = written(request)
    assert rules.spent_on(entries, PEOPLE) == request.charge
    assert rules.spent_on(entries, OTHERS) == request.also[0].charge
    renamed = OTHERS.model_copy(update={"name": "newer", "aliases": ("others",)})
    assert rules.spent_on(entries, renamed) == request.also[0].charge
    text = statement(entries, {"people": PEOPLE, "others": OTHERS})
    one, two = text.split("others: Everyone")
    assert "epsilon 1 (rho" in one and "charged to others too" in one
    assert "epsilon 2 (rho" in two and "charged to people too" in two
    assert "No file of the register names others" in statement(entries, {"people": PEOPLE})


def test_the_budget_and_approvals_of_each_population_count():
    rules.check_request(written(), PEOPLE, linked(1.0, 2.9), [OTHERS])
    with pytest.raises(BudgetExhausted) as caught:
        rules.check_request(written(linked(1.0, 3.0)), PEOPLE, linked(1.0, 3.0, reissue=1), [OTHERS])
    assert caught.value.population == "others"
    with pytest.raises(BudgetExhausted) as caught:
        rules.check_request(written(asking(3.9)), PEOPLE, linked(1.0, 3.0), [OTHERS])
    assert caught.value.population == "people"
    with pytest.raises(ApprovalMissing, match="'others' need two different"):
        rules.check_request(written(), PEOPLE, linked(1.0, 3.1), [OTHERS])
    rules.check_request(written(), PEOPLE, linked(1.0, 3.1, approvers=("Ada", "Grace")), [OTHERS])
    with pytest.raises(ValueError):
        rules.check_request(written(), PEOPLE, linked(1.0, 1.0))


def test_a_further_population_is_in_every_part():
    requests = [linked(1.0, 2.0, series="yearly", part=part) for part in ("2023", "2024")]
    entries = written(*requests)
    assert rules.spent_on(entries, PEOPLE) == requests[0].charge
    assert rules.spent_on(entries, OTHERS).rho == pytest.approx(2 * requests[0].also[0].charge.rho)
    assert "part 2023" not in statement(entries, {"others": OTHERS})


def test_populations_that_become_one_pay_for_both_roles_together():
    request = linked(1.0, 1.5)
    both = PEOPLE.model_copy(update={"aliases": ("folk", "others")})
    charged = rules.spent_on(written(request), both).rho
    one, two = request.charge.rho, request.also[0].charge.rho
    # distances add up, and rho goes with their square
    assert charged >= (one**0.5 + two**0.5) ** 2
    assert charged == pytest.approx(2 * (one + two))


def test_series_of_populations_that_become_one_have_no_parts_in_common():
    one, two = in_part("2023", 1.0), in_part("2024", 1.0, population="folk")
    entries = written(one)
    body, key = rules.reservation_body(two), rules.release_key(SECRET, two)
    entries.append(
        sealed(SECRET, entries, kind="reserved", at="2026", body=body, population="folk", release_key=key)
    )
    assert rules.spent_on(entries, PEOPLE).rho == pytest.approx(2 * one.charge.rho)


def test_entries_without_further_populations_are_what_they_were():
    assert "also" not in rules.reservation_body(REQUEST)
    assert rules.reservation_body(linked(1.0, 2.0))["also"] == [
        {"population": "others", "rho": rules.rho_of(2.0, 1e-6), "delta": 0.0}
    ]
