import numpy as np
import pandas as pd
import pytest

from hrtech.linkage import (
    FieldSpec,
    LinkageError,
    LinkageSpec,
    blocking_report,
    evaluate_linkage,
    link_registers,
)
from hrtech.mock import generate_world

PEOPLE = LinkageSpec(
    (
        FieldSpec("given_name", "given_name"),
        FieldSpec("family_name", "family_name"),
        FieldSpec("born", "date", "date_of_birth"),
        FieldSpec("national_id", "identifier"),
        FieldSpec("gender", "category"),
        FieldSpec("citizenship", "category"),
        FieldSpec("region", "category"),
        FieldSpec("reported", "event_date", "reported_on"),
    ),
    mode="deduplicate",
)


@pytest.fixture(scope="module")
def world():
    return generate_world("tiny", seed=3)


@pytest.fixture(scope="module")
def linked(world):
    return link_registers({"cases": world.tables["case_records"]}, PEOPLE)


def test_people_are_found_again_across_organisations(world, linked):
    truth = world.truth["truth_persons"].rename(columns={"person_id": "truth_id"})
    measured = evaluate_linkage(linked.entities, truth).set_index("measure")
    assert measured.loc["pairwise", "precision"] > 0.95
    assert measured.loc["pairwise", "recall"] > 0.9
    assert measured.loc["b_cubed", "f1"] > 0.95


def test_the_estimate_covers_what_is_measured(world, linked):
    truth = world.truth["truth_persons"].rename(columns={"person_id": "truth_id"})
    measured = evaluate_linkage(linked.entities, truth).set_index("measure").loc["pairwise"]
    estimated = linked.quality.set_index("measure")
    for name in ("precision", "recall"):
        assert estimated.loc[name, "low"] <= measured[name] <= estimated.loc[name, "high"]


def test_weights_add_up_and_reasons_name_levels_only(world, linked):
    parts = [name for name in linked.pairs.columns if name.startswith("weight_")]
    assert len(parts) == 9  # prior, seven comparisons, calibration
    assert np.allclose(linked.pairs[parts].sum(axis=1), linked.pairs["match_weight"])
    assert np.allclose(linked.pairs["match_probability"], 1 / (1 + 2 ** -linked.pairs["match_weight"]))
    reasons = " ".join(linked.pairs["reason"])
    assert "born: same" in reasons
    family = world.tables["case_records"]["family_name"].dropna()
    assert not any(name in reasons for name in family.unique())


def test_everything_about_the_model_is_on_record(linked):
    assert linked.threshold == 0.5
    assert "one half" in linked.criterion
    assert linked.quality["measure"].tolist() == [
        "precision",
        "recall_among_scored",
        "blocking_reach",
        "recall",
    ]
    assert (linked.quality["low"] <= linked.quality["high"]).all()
    trained = linked.parameters[linked.parameters["trained"]]
    assert set(trained["comparison"]) == {
        "given_name_family_name",
        "born",
        "national_id",
        "gender",
        "citizenship",
        "region",
        "reported",
    }
    sums = linked.parameters.groupby("comparison")["m"].sum()
    assert np.allclose(sums, 1)
    assert 0 < linked.prior < 0.05
    assert linked.candidates <= linked.blocking["pairs"].sum()
    assert linked.blocking["rule"].tolist() == ["all pairs"]


def test_the_same_input_gives_the_same_entities_in_any_order(world, linked):
    shuffled = world.tables["case_records"].sample(frac=1, random_state=1)
    again = link_registers({"cases": shuffled}, PEOPLE).entities.set_index("record_id")["entity_id"]
    before = linked.entities.set_index("record_id")["entity_id"]
    # chance agreement is sampled by position, so that a doubtful pair may fall either way
    assert (again.reindex(before.index) == before).mean() > 0.97


@pytest.fixture(scope="module")
def firms():
    rng = np.random.default_rng(8)
    words = [
        "amber",
        "birch",
        "cedar",
        "delta",
        "ember",
        "fjord",
        "grove",
        "heath",
        "islet",
        "jetty",
        "knoll",
        "larch",
    ]
    names = [f"{a} {b} {c}" for a, b, c in rng.choice(words, (300, 3))]
    left = pd.DataFrame(
        {
            "no": range(300),
            "title": [f"{name.title()} Ltd" for name in names],
            "tel": rng.integers(10**8, 10**9, 300).astype(str),
            "street": [f"{rng.integers(1, 99)} {rng.choice(words)} Street" for _ in range(300)],
        }
    )
    right = left.iloc[:150].copy()
    right["title"] = [title.replace(" Ltd", " Limited").upper() for title in right["title"]]
    right["street"] = right["street"].str.replace("Street", "St.")
    right.loc[right.index[:30], "tel"] = None
    right = right.rename(columns={"no": "id", "title": "company", "tel": "phone", "street": "address"})
    return {"left": left, "right": right}


FIRMS = LinkageSpec(
    (
        FieldSpec("name", "company_name", {"left": "title", "right": "company"}),
        FieldSpec("phone", "phone", {"left": "tel", "right": "phone"}),
        FieldSpec("address", "address", {"left": "street", "right": "address"}),
    ),
    mode="link",
    id_columns={"left": "no", "right": "id"},
    duplicate_free=("left", "right"),
)


def test_registers_with_other_column_names_are_linked_one_to_one(firms):
    result = link_registers(firms, FIRMS)
    truth = result.entities[["register", "record_id"]].assign(truth_id=result.entities["record_id"])
    pairwise = evaluate_linkage(result.entities, truth).set_index("measure").loc["pairwise"]
    assert pairwise["precision"] > 0.99
    assert pairwise["recall"] > 0.97
    assert (result.pairs["register_l"] != result.pairs["register_r"]).all()
    assert not result.entities.duplicated(["entity_id", "register"]).any()


def test_pairs_are_counted_before_they_are_made(firms):
    spec = LinkageSpec(
        FIRMS.fields, mode="link", id_columns=FIRMS.id_columns, blocking=(("phone",), ("name:2",))
    )
    report = blocking_report(firms, spec)
    assert report["rule"].tolist() == ["phone", "name:2"]
    left = firms["left"]["title"].str[:2].str.lower().value_counts()
    right = firms["right"]["company"].str[:2].str.lower().value_counts()
    assert report["pairs"].tolist() == [120, int((left * right).dropna().sum())]


def test_too_many_pairs_are_refused_before_they_run(firms):
    spec = LinkageSpec(
        FIRMS.fields, mode="both", id_columns=FIRMS.id_columns, blocking=(("name:1",),), max_pairs=100
    )
    with pytest.raises(LinkageError, match=r"above the bound of 100; the largest, 'name:1'"):
        link_registers(firms, spec)


def bad(registers, match, **changes):
    spec = LinkageSpec(**{"fields": FIRMS.fields, "mode": "link", "id_columns": FIRMS.id_columns} | changes)
    with pytest.raises(LinkageError, match=match):
        link_registers(registers, spec)


def test_registers_that_do_not_fit_are_refused(firms):
    left, right = firms["left"], firms["right"]
    bad(
        {"left": left, "right": right.drop(columns="phone")},
        "Register 'right' has no column 'phone' for field 'phone'",
    )
    bad({"left": left, "right": right.assign(id=1)}, "150 records share an id")
    bad({"left": left.assign(no=None), "right": right}, "300 records have no id")
    bad({"left": left, "right": right.iloc[:0]}, "Register 'right' has no records")
    nothing = [
        dict.fromkeys(names) for names in (("title", "tel", "street"), ("company", "phone", "address"))
    ]
    blank = {"left": left.assign(**nothing[0]), "right": right.assign(**nothing[1])}
    bad(blank, "Every declared field is blank")
    bad(firms, "One comparison alone", fields=FIRMS.fields[:1])
    bad(firms, "Mode deduplicate works on one register", mode="deduplicate")
    bad({"left": left}, "registers that are not there: right", mode="both")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"fields": ()}, "No fields"),
        ({"fields": (FieldSpec("a", "date"), FieldSpec("a", "date"))}, "declared twice: a"),
        ({"threshold": 1.0}, "between 0 and 1"),
        ({"blocking": (("phone:0",),)}, "no declared field"),
        ({"blocking": (("nothing",),)}, "'nothing' is no declared field"),
        ({"mode": "guess"}, "'guess' is unknown"),
    ],
)
def test_declarations_that_contradict_themselves_are_refused(changes, match):
    with pytest.raises(LinkageError, match=match):
        LinkageSpec(**{"fields": FIRMS.fields} | changes)


def test_blank_fields_and_unreadable_values_are_noted(firms):
    right = firms["right"].assign(phone=None)
    right.loc[right.index[0], "phone"] = "none"
    result = link_registers({"left": firms["left"].assign(tel=None), "right": right}, FIRMS)
    assert "field phone is blank in every record and was left out" in result.notes
    assert "register right, column phone: 1 values not usable as phone" in result.notes
    assert set(result.parameters["comparison"]) == {"name", "address"}
