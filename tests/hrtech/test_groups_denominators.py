"""Rates by a table of denominators: the whole population is divided by, and what has none is nobody's others."""

import numpy as np
import pandas as pd
import pytest

from hrtech.groups import GroupQuestion, Measure, compare_groups
from hrtech.groups.publish import protection_table

RATE = Measure("rate", "rate", denominator="people", scale=1000)


def whole(table, standardised=False):
    return table[(table["standardised"] == standardised) & (table["window"] == "all")].set_index("group")


def cases():
    return pd.DataFrame({"g": ["a"] * 30 + ["b"] * 20 + ["c"] * 10, "age": ["young", "old"] * 30})


def population(**people):
    return pd.DataFrame(
        [
            (g, age, size)
            for g, sizes in people.items()
            for age, size in zip(("young", "old", "oldest"), sizes, strict=True)
        ],
        columns=["g", "age", "people"],
    )


def test_denominators_by_period_and_stratum():
    table = pd.DataFrame(
        {"g": ["a"] * 30 + ["b"] * 12, "year": [2021, 2022] * 21, "age": ["young"] * 20 + ["old"] * 22}
    )
    people = pd.DataFrame(
        [
            (g, y, a, 100.0 * (1 + (g == "b")) * (1 + (a == "old")))
            for g in "abc"
            for y in (2021, 2022)
            for a in ("young", "old")
        ],
        columns=["g", "year", "age", "people"],
    )
    question = GroupQuestion(groups=("g",), measures=(RATE,), period="year", standardise=("age",))
    found = compare_groups(table, question, people)
    crude, mixed = whole(found.estimates), whole(found.estimates, True)
    assert crude.loc["a", "estimate"] == pytest.approx(1000 * 30 / 600)
    assert crude.loc["c", "estimate"] == 0 and crude.loc["c", "high"] > 0
    # a third of the exposure of everybody is young
    assert mixed.loc["a", "estimate"] == pytest.approx(1000 * (20 / 200 / 3 + 10 / 400 * 2 / 3))
    people.loc[people["g"] == "b", "people"] = np.nan
    gone = whole(compare_groups(table, question, people).estimates).loc["b"]
    assert np.isnan(gone["estimate"]) and gone["reason"] == "no exposure in the table of denominators"


def test_people_of_a_stratum_without_a_record_are_divided_by_too():
    people = population(a=(100, 200, 300), b=(100, 100, 100), c=(50, 50, 50))
    question = GroupQuestion(groups=("g",), measures=(RATE,), standardise=("age",))
    found = compare_groups(cases(), question, people)
    assert whole(found.estimates)["estimate"].tolist() == pytest.approx([50, 1000 / 15, 1000 / 15])
    mix = people.groupby("age", sort=False)["people"].sum() / people["people"].sum()
    assert dict(zip(found.standard["stratum"], found.standard["share"], strict=True)) == pytest.approx(
        mix.to_dict()
    )
    mixed = 1000 * (15 / 100 * mix["young"] + 15 / 200 * mix["old"])
    assert whole(found.estimates, True).loc["a", "estimate"] == pytest.approx(mixed)
    # the table may leave a stratum out where nobody lives, and may not where somebody was counted
    fewer = people[(people["g"] != "c") | (people["age"] != "oldest")]
    row = whole(compare_groups(cases(), question, fewer).estimates).loc["c"]
    assert row["estimate"] == pytest.approx(100) and row["divided_by"] == 100
    fewer = people[(people["g"] != "c") | (people["age"] != "old")]
    assert np.isnan(whole(compare_groups(cases(), question, fewer).estimates).loc["c", "estimate"])


def test_a_group_without_exposure_is_in_nobodys_others_and_not_in_the_standard():
    people = population(a=(100, 200, 300), b=(100, 100, 100))
    question = GroupQuestion(groups=("g",), measures=(RATE,), standardise=("age",))
    found = compare_groups(cases(), question, people)
    against = found.against_others[~found.against_others["standardised"]].set_index("group")
    assert list(against.index) == ["a", "b"]
    assert against.loc["a", "other"] == pytest.approx(1000 * 20 / 300)
    gone = whole(found.estimates).loc["c"]
    assert np.isnan(gone["estimate"]) and gone["unknown"] == 10 and gone["records"] == 0
    assert found.left_out.set_index("what").loc["measure rate", "unknown"] == 10
    shares = dict(zip(found.standard["stratum"], found.standard["share"], strict=True))
    assert shares == pytest.approx({"young": 200 / 900, "old": 300 / 900, "oldest": 400 / 900})
    # without those of c, what is told of everybody is told of a and b
    told = protection_table(cases(), question, 10, people)
    assert told.loc[(told["group"] != "c") & ~told["standardised"], "told"].all()


def test_a_year_without_population_is_left_out_of_others_alone():
    table = pd.DataFrame({"g": list("aabbbc") * 10, "year": [2021, 2022] * 30})
    people = pd.DataFrame(
        [(g, y, 100.0) for g in "abc" for y in (2021, 2022) if (g, y) != ("c", 2022)],
        columns=["g", "year", "people"],
    )
    question = GroupQuestion(groups=("g",), measures=(RATE,), period="year")
    found = compare_groups(table, question, people)
    counts = table.groupby(["g", "year"]).size()
    against = found.against_others.set_index(["group", "window"])
    assert against.loc[("a", "2022"), "other"] == pytest.approx(1000 * counts.get(("b", 2022), 0) / 100)
    known = sum(counts.get(key, 0) for key in (("b", 2021), ("b", 2022), ("c", 2021)))
    assert against.loc[("a", "all"), "other"] == pytest.approx(1000 * known / 300)
    assert np.isnan(whole(found.estimates).loc["c", "estimate"])


def test_filters_hold_for_the_population_too():
    people = population(a=(100, 200, 300), b=(100, 100, 100), c=(50, 50, 50))
    question = GroupQuestion(groups=("g",), measures=(RATE,), filters=('age == "old"', 'g != "c"'))
    found = whole(compare_groups(cases(), question, people).estimates)
    assert found["estimate"].to_dict() == pytest.approx({"a": 1000 * 15 / 200, "b": 1000 * 10 / 100})
