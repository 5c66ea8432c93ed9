from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from hrtech.linkage import FieldSpec, LinkageError, LinkageSpec, link_registers
from hrtech.linkage.comparisons import comparisons_of
from hrtech.linkage.engine import open_engine
from hrtech.linkage.fit import chances, random_pairs, reweighed
from hrtech.linkage.keys import count_pairs, key_of
from hrtech.linkage.learn import learn_aliases, loose_groups
from hrtech.linkage.model import Splink
from hrtech.linkage.pairs import codes_of, make_pairs, only_new, reached_by
from hrtech.linkage.registers import Prepared, prepare
from hrtech.linkage.suggest import suggest_blocking
from hrtech.linkage.weigh import rarities, smoothed

FIELDS = (
    FieldSpec("given", "given_name"),
    FieldSpec("family", "family_name"),
    FieldSpec("born", "date"),
    FieldSpec("town", "place"),
    FieldSpec("post", "postcode"),
)
SPEC = LinkageSpec(FIELDS, mode="deduplicate", id_columns="no")


def people(count=260, seed=2):
    rng = np.random.default_rng(seed)
    parts = np.array(["an", "bel", "cor", "dan", "el", "far", "gus", "hol", "ir", "jon", "kas", "lud"])

    def words(length):
        return ["".join(rng.choice(parts, length)) for _ in range(count)]

    days = pd.to_datetime("1950-01-01") + pd.to_timedelta(rng.integers(0, 18_000, count), unit="D")
    table = pd.DataFrame(
        {
            "given": words(2),
            "family": words(3),
            "born": days.strftime("%Y-%m-%d"),
            "town": rng.choice(words(3)[:30], count),
            "post": [f"{a}{b} {c}" for a, b, c in rng.integers([1, 1, 10], [9, 9, 99], (count, 3))],
        }
    )
    again = table.sample(frac=0.5, random_state=seed)
    for column in table:
        wrong = rng.random(len(again)) < 0.15
        again.loc[wrong, column] = None
    both = pd.concat([table, again])
    return both.assign(no=np.arange(len(both)), truth=both.index).reset_index(drop=True)


@pytest.fixture(scope="module")
def registers():
    return {"people": people()}


@pytest.fixture(scope="module")
def linked(registers):
    return link_registers(registers, SPEC)


def test_splink_scores_the_kept_model_alike(linked, registers):
    """The weights are computed a second way: by Splink itself, from the settings that the result hands out."""
    from splink import Linker

    prepared = prepare(registers, SPEC)
    aliased = {label.split(": ")[-1] for label in linked.parameters["level"] if "stand" in label}
    assert not aliased  # no alias was learned, so that the comparisons are those of the first pass
    comparisons = comparisons_of(prepared.records, prepared.fields)
    table = prepared.records.drop(columns=["register", "record_id"]).assign(row=prepared.records.index)
    for one in comparisons:
        table = table.assign(**one.derived)
    settings = linked.model | {"blocking_rules_to_generate_predictions": ["l.born = r.born"]}
    engine = open_engine("duckdb")
    linker = Linker(engine.register(table, "everyone"), settings, log_level="ERROR")
    for column, shares in linked.rarity.groupby("column"):
        lookup = shares.rename(columns={"value": column, "share": f"tf_{column}"}).drop(columns="column")
        linker.table_management.register_term_frequency_lookup(
            engine.register(lookup, f"shares_{column}"), column
        )
    scored = linker.inference.predict(warning_mode="never").as_pandas_dataframe()
    engine.close()
    theirs = scored.set_index(["row_l", "row_r"])["match_weight"]
    ours = linked.pairs.assign(own=linked.pairs["match_weight"] - linked.pairs["weight_calibration"])
    ours.index = pd.MultiIndex.from_arrays([ours["record_l"].astype(int), ours["record_r"].astype(int)])
    both = ours["own"].to_frame().join(theirs.rename("theirs").rename_axis(ours.index.names), how="inner")
    assert len(both) > 50
    assert np.allclose(both["own"], both["theirs"], atol=1e-4)


def test_levels_take_missing_names_for_what_they_are():
    records = pd.DataFrame(
        {"given": ["ann", None, "ann", "bob", None], "family": ["lee", "lee", "orr", "lee", None]},
        dtype="str",
    )
    prepared = Prepared(records.assign(register="r", record_id=list("abcde")), FIELDS[:2], ("r",), ())
    comparisons = comparisons_of(records, FIELDS[:2])
    names = [level["label_for_charts"] for level in comparisons[0].levels]
    with Splink(prepared, comparisons, SPEC) as splink:
        found = splink.vectors(np.zeros(4, dtype=np.int64), np.arange(1, 5))
    called = [names[-1 - outcome] if outcome >= 0 else names[0] for outcome in found.outcome["given_family"]]
    assert called == ["same family name, given unknown", "same given name", "same family name", "unknown"]


def test_pairs_are_those_that_agree_on_any_key_each_once():
    rng = np.random.default_rng(1)
    keys = [rng.integers(-1, 6, 40) for _ in range(3)]
    register = rng.integers(0, 2, 40)
    for mode in ("both", "link"):
        expected = [
            (a, b)
            for a, b in combinations(range(40), 2)
            if any(key[a] == key[b] >= 0 for key in keys) and (mode == "both" or register[a] != register[b])
        ]
        left, right = make_pairs(keys, register, mode)
        assert list(zip(left.tolist(), right.tolist(), strict=True)) == expected
        times = [sum(key[a] == key[b] >= 0 for key in keys) for a, b in expected]
        assert reached_by((left, right), keys).tolist() == times
        known = (left[::2], right[::2])
        assert only_new((left, right), known, 40)[0].tolist() == left[1::2].tolist()


def test_values_that_keep_meeting_in_groups_are_aliases():
    given = ["tom", "thomas"] * 6 + ["thomas"] * 20 + ["tom", "mary", "tim", "ann"]
    labels = np.array([i // 2 for i in range(12)] + list(range(6, 26)) + [26, 27, 28, 28])
    records = pd.DataFrame({"given": pd.Series(given, dtype="str")})
    assert learn_aliases(records, FIELDS[:1], labels) == {}  # thomas is in every second group: no news
    records = pd.concat([records, pd.DataFrame({"given": [f"name{i}" for i in range(300)]}, dtype="str")])
    labels = np.concatenate([labels, np.arange(100, 400)])
    assert learn_aliases(records, FIELDS[:1], labels) == {"given": {"tom": "thomas"}}


def test_a_value_counts_once_in_each_group():
    records = pd.DataFrame({"town": pd.Series(["a", "a", "a", "b"], dtype="str")})
    comparisons = comparisons_of(records, (FIELDS[3],))
    rarity, even = rarities(records, comparisons, np.array([0, 0, 0, 1]))
    assert rarity["town"].tolist() == [0.5] * 4
    assert even["town"] == 0.5


def test_loose_groups_are_kept_small():
    left, right = np.arange(999), np.arange(1, 1000)
    weight = np.where(np.arange(999) % 100 == 99, -2.5, 5.0)
    sizes = np.bincount(loose_groups(left, right, weight, 1000))
    assert sizes.tolist() == [100] * 10


def test_shares_are_never_nought():
    assert chances(np.array([0.0, 10.0, 90.0])).tolist() == [0.005, 0.1, 0.9]
    assert smoothed(np.array([0.0, 8.0]), np.array([0.5, 0.5])).tolist() == pytest.approx([0.1, 0.9])


def test_categories_are_weighed_among_pairs_in_doubt():
    rng = np.random.default_rng(3)
    match = rng.random(40_000) < 0.3
    fixed = np.where(match, 16.0, 0.0) + rng.normal(0, 1, 40_000)
    far = np.full(40_000, -30.0)  # pairs that are nothing alike never agree in the category
    same = np.where(match, rng.random(40_000) < 0.95, rng.random(40_000) < 0.6).astype(np.int8)
    outcome = np.concatenate([same, np.zeros(40_000, dtype=np.int8)])
    _, rates = reweighed(np.concatenate([fixed, far]), {"x": outcome}, 2_000_000)
    assert rates["x"] == pytest.approx((0.95, 0.6), abs=0.02)


def test_suggested_rules_reach_matches_within_the_bound(registers):
    table = people(2_600)
    spec = LinkageSpec(FIELDS, mode="deduplicate", id_columns="no", max_pairs=20_000)
    prepared = prepare({"people": table}, spec)
    rules = suggest_blocking(prepared, spec)
    assert sum(count_pairs(prepared.records, rule, spec.mode) for rule in rules) <= spec.max_pairs
    truth = table["truth"].to_numpy()
    left, right = make_pairs(
        [codes_of(key_of(prepared.records, rule)) for rule in rules], np.zeros(len(table), dtype=int), "both"
    )
    assert (truth[left] == truth[right]).sum() / 1_300 > 0.95
    assert suggest_blocking(prepare(registers, SPEC), SPEC) == ((),)


def test_random_pairs_are_reproducible_and_allowed(registers):
    prepared = prepare(registers, SPEC)
    size = len(prepared.records)
    left, _ = random_pairs(prepared, SPEC, 1)
    assert len(left) == size * (size - 1) // 2
    few = LinkageSpec(FIELDS, mode="deduplicate", id_columns="no", training_pairs=500)
    first, second = random_pairs(prepared, few, 1), random_pairs(prepared, few, 1)
    assert (first[0] == second[0]).all()
    assert (first[0] < first[1]).all()
    assert len(first[0]) <= 500


OWN = (("substr(born_l, 1, 7) = substr(born_r, 1, 7)", "same month of birth"), ("born_l > born_r", "later"))


def test_an_expert_states_levels_as_in_splink():
    own = FieldSpec("born", "date", levels=OWN)
    records = people(120)
    spec = LinkageSpec((*FIELDS[:2], own, *FIELDS[3:]), mode="deduplicate", id_columns="no")
    result = link_registers({"all": records}, spec)
    born = result.parameters.loc[result.parameters["comparison"] == "born", "level"]
    assert born.tolist() == ["same", *(label for _, label in OWN), "different"]
    stated = {
        level["sql_condition"] for one in result.model["comparisons"] for level in one["comparison_levels"]
    }
    assert {sql for sql, _ in OWN} <= stated


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("born_l = (select 1)", "one condition over born_l and born_r"),
        ("read_text('/etc/passwd') = born_l or family_l = 'x'", "one condition over born_l and born_r"),
        ("true; drop table x", "no SQL condition"),
        ("born_l = = born_r", "no SQL condition"),
        ("1 = 1", "one condition over born_l and born_r"),
    ],
)
def test_a_level_is_one_condition_over_its_field(sql, says):
    with pytest.raises(ValueError, match=says):
        FieldSpec("born", "date", levels=((sql, "own"),))


@pytest.mark.parametrize("sql", ["cast(town_l as int) < cast(town_r as int)", "no_such(town_l, town_r)"])
def test_a_level_that_cannot_be_evaluated_is_named_and_quotes_no_value(sql):
    own = FieldSpec("town", "place", levels=((sql, "own"),))
    records = people(60)
    with pytest.raises(LinkageError, match="levels of town cannot be evaluated") as refused:
        link_registers({"all": records}, LinkageSpec((*FIELDS[:3], own), mode="deduplicate", id_columns="no"))
    assert not [value for value in records["town"].dropna() if value in str(refused.value)]
    assert refused.value.__cause__ is None and refused.value.__suppress_context__


def test_labels_of_own_levels_are_not_those_of_the_others():
    with pytest.raises(ValueError, match="name of its own"):
        FieldSpec("born", "date", levels=(("born_l > born_r", "same"),))
