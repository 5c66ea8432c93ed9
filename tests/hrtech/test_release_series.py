"""Parts of a growing population, and what changed between two releases."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrtech.release.changes import (
    EARLIER_ONLY,
    FELL,
    LATER_ONLY,
    ROSE,
    UNCHANGED,
    ToldRelease,
    compare_releases,
)
from hrtech.release.declared import ReleaseError
from hrtech.release.people import LIST_DTYPE
from hrtech.release.series import SeriesPart, number_of_part, people_of_part, periods_of


def records(*rows):
    return pd.DataFrame(rows, columns=["who", "seen", "what"])


CASES = records(
    ("a", "2023-02-01", 1),
    ("b", "2024-05-01", 2),
    ("a", "2024-06-01", 3),
    ("b", None, 4),
    ("c", None, 5),
    ("b", "2024-11-30", 6),
    ("d", "2025-01-01", 7),
    ("a", "2025-03-01", 8),
    ("e", "2023", 9),
)


def test_new_people_are_those_first_seen_in_the_part_with_their_records_of_it():
    part = people_of_part(CASES, "who", "seen", "year", "2024", "new")
    assert part.records["what"].tolist() == [2, 6]
    assert (part.people, part.people_without_date, part.records_without_date) == (1, 1, 2)
    assert (part.people_before, part.people_after) == (2, 1)
    assert people_of_part(CASES, "who", "seen", "year", "2023", "new").records["what"].tolist() == [1, 9]


def test_all_people_are_those_seen_until_the_end_of_the_part():
    part = people_of_part(CASES, "who", "seen", "year", "2024", "all")
    assert part.records["what"].tolist() == [1, 2, 3, 6, 9]
    assert (part.people, part.people_before, part.people_after) == (3, 2, 1)


def test_quarters_and_months_need_the_month():
    # e's only date is a year: it tells no month
    part = people_of_part(CASES, "who", "seen", "quarter", "2024-q2", "new")
    assert part.records["what"].tolist() == [2] and part.people_without_date == 2
    assert people_of_part(CASES, "who", "seen", "month", "2024-05", "new").people == 1
    assert people_of_part(CASES, "who", "seen", "month", "2024-06", "new").people == 0


def test_each_record_may_be_a_person():
    part = people_of_part(CASES, None, "seen", "year", "2024", "new")
    assert part.records["what"].tolist() == [2, 3, 6] and part.people == 3


@pytest.mark.parametrize(
    "cells",
    [
        pd.Series(pd.to_datetime(["2024-03-31", None, "2023-12-31"])),
        pd.Series(pd.to_datetime(["2024-03-31", None, "2023-12-31"]).tz_localize("UTC")),
        pd.Series([pd.Timestamp("2024-03-31").date(), None, pd.Timestamp("2023-12-31").date()]).astype(
            pd.ArrowDtype(pa.date32())
        ),
        pd.Series(pd.to_datetime(["2024-03-31", None, "2023-12-31"])).astype(
            pd.ArrowDtype(pa.timestamp("us"))
        ),
        pd.Series(["2024-03-31T23:59:59", "31.03.2024", " 2023-12 "]),
        pd.Series(["2024-03", None, "2023-12-31"], dtype="string"),
        pd.Series(["2024-03-31", None, "2023-12-31"], dtype="category"),
    ],
)
def test_dates_of_any_type(cells):
    frame = pd.DataFrame({"seen": cells})
    for period, first, last in (
        ("year", "2024", "2023"),
        ("quarter", "2024-q1", "2023-q4"),
        ("month", "2024-03", "2023-12"),
    ):
        expected = [number_of_part(period, first), -1, number_of_part(period, last)]
        assert periods_of(frame, "seen", period).tolist() == expected


@pytest.mark.parametrize(
    "cells", [[2024, 2023], [2024.0, np.nan, 2023.5, np.inf, -1], pd.array([2024, None], dtype="Int64")]
)
def test_whole_years(cells):
    frame = pd.DataFrame({"seen": cells})
    found = periods_of(frame, "seen", "year").tolist()
    assert found[0] == 2024 and all(number in (2023, -1) for number in found[1:])
    assert set(periods_of(frame, "seen", "month")) == {-1}


@pytest.mark.parametrize(
    "period, part",
    [
        ("year", "24"),
        ("year", "2024-01"),
        ("quarter", "2024-Q1"),
        ("quarter", "2024-q5"),
        ("month", "2024-13"),
        ("month", "2024"),
        ("year", "2024\n"),
        ("year", "٢٠٢٤"),
        ("week", "2024-01"),
    ],
)
def test_parts_have_one_way_to_be_written(period, part):
    with pytest.raises(ReleaseError, match="series"):
        SeriesPart("yearly", period, part, "new", "seen")


def test_what_cannot_be_divided_is_refused():
    lists = CASES.assign(seen=pd.Series([["2024"]] * len(CASES), dtype=LIST_DTYPE))
    for frame, subject, column, message in (
        (CASES, "who", "absent", "no column absent"),
        (CASES, "absent", "seen", "no column absent"),
        (CASES.assign(who=None), "who", "seen", "9 records have no who"),
        (lists, "who", "seen", "several values"),
        (CASES.assign(seen="31/12/2024"), "who", "seen", "tells the year of no record"),
    ):
        with pytest.raises(ReleaseError, match=message):
            people_of_part(frame, subject, column, "year", "2024", "new")
    assert people_of_part(CASES.head(0), "who", "seen", "year", "2024", "new").people == 0


ROWS = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.sampled_from(["2022", "2023", "2024", "2025", None]),
        st.integers(0, 9),
    ),
    min_size=1,
    max_size=12,
)


def content(part):
    return sorted(part.records.itertuples(index=False, name=None))


@given(ROWS, st.sampled_from("abcd"))
@settings(deadline=None, max_examples=60)
def test_a_person_is_in_one_part_and_changes_no_other(rows, removed):
    """The ground of parallel composition: without one person, one part differs, and in that person's records only."""
    frame = records(*rows, ("x", "2024", 0))
    without = frame[frame["who"] != removed]
    changed = 0
    for part in ("2022", "2023", "2024", "2025"):
        with_all = content(people_of_part(frame, "who", "seen", "year", part, "new"))
        left = content(people_of_part(without, "who", "seen", "year", part, "new"))
        assert left == [row for row in with_all if row[0] != removed]
        changed += left != with_all
    assert changed <= 1


def test_a_corrected_date_puts_a_person_into_two_parts():
    corrected = pd.concat([CASES, records(("b", "2023-12-31", 0))])
    assert people_of_part(CASES, "who", "seen", "year", "2024", "new").records["who"].eq("b").any()
    assert people_of_part(corrected, "who", "seen", "year", "2023", "new").records["who"].eq("b").any()
    assert people_of_part(corrected, "who", "seen", "year", "2024", "new").people == 0


def test_what_the_ledger_is_told():
    part = SeriesPart("yearly", "year", "2024", "new", "seen")
    told = part.charged_as("who")
    assert told == ("yearly (by year of who's first seen)", "2024")
    # whatever divides people otherwise is another series; all people again are no part
    others = [
        SeriesPart("yearly", "month", "2024-01", "new", "seen").charged_as("who"),
        SeriesPart("yearly", "year", "2024", "new", "closed").charged_as("who"),
        part.charged_as(None),
        part.charged_as("case"),
    ]
    assert len({told[0], *(other[0] for other in others)}) == 5
    assert SeriesPart("yearly", "year", "2024", "all", "seen").charged_as("who") is None
    for wrong in (("", "year", "2024", "new", "seen"), ("yearly", "year", "2024", "some", "seen")):
        with pytest.raises(ReleaseError):
            SeriesPart(*wrong)


def told(counts, sd=5.0, people=1000.0, people_sd=5.0, length=1):
    counts = dict(counts)
    return ToldRelease(
        pd.DataFrame(
            {
                "length": length,
                "attributes": list(counts),
                "count": np.round(list(counts.values())).astype("int64"),
                "low": 0,
                "high": 0,
                "sd": sd,
            }
        ),
        people,
        people_sd,
    )


def test_changes_are_told_with_the_noise_of_both():
    changes = compare_releases(
        told({"a": 100, "b": 100, "c": 100, "d": 50}),
        told({"a": 160, "b": 40, "c": 110, "e": 500}, sd=12.0, people=2000.0),
    )
    table = changes.combinations.set_index("attributes")
    assert table["verdict"].to_dict() == {
        "a": ROSE,
        "b": FELL,
        "c": UNCHANGED,
        "d": EARLIER_ONLY,
        "e": LATER_ONLY,
    }
    assert changes.tests == 3 and changes.family == "the 3 combinations of any length that both releases told"
    assert table.loc["a", "difference"] == 60
    assert table.loc["a", "sd"] == pytest.approx(13.0, abs=0.01)
    assert table.loc["a", "low"] == pytest.approx(60 - 1.96 * 13, abs=0.05)
    assert table.loc["a", "high"] == pytest.approx(60 + 1.96 * 13, abs=0.05)
    assert table.loc["c", "p_value"] == pytest.approx(0.442, abs=0.001)
    assert (table.loc["a", "earlier_share"], table.loc["a", "later_share"]) == (0.1, 0.08)
    assert table.loc["d", ["later", "difference", "p_value", "low", "sd"]].isna().all()
    assert table.loc["d", "earlier"] == 50 and table.loc["e", "later"] == 500
    people = changes.people.iloc[0]
    assert people["verdict"] == ROSE and people["difference"] == 1000


def test_known_counts_differ_or_do_not():
    changes = compare_releases(told({"a": 3, "b": 4}, sd=0.0), told({"a": 3, "b": 5}, sd=0.0))
    assert changes.combinations["verdict"].tolist() == [UNCHANGED, ROSE]


def test_a_family_of_some_lengths():
    both = [told({"a": 100}), told({"a": 200})]
    assert compare_releases(*both, lengths=[1]).tests == 1
    assert compare_releases(*both, lengths=[2]).tests == 0
    nothing = compare_releases(told({}), told({}))
    assert nothing.tests == 0 and not len(nothing.combinations)


def test_what_cannot_be_compared_is_refused():
    good = told({"a": 1})
    with pytest.raises(ReleaseError, match="between 0 and 1"):
        compare_releases(good, good, confidence=1.0)
    with pytest.raises(ReleaseError, match="no column sd"):
        ToldRelease(good.aggregates.drop(columns="sd"), 1.0)
    with pytest.raises(ReleaseError, match="sd is missing"):
        told({"a": 1}, sd=np.nan)
    with pytest.raises(ReleaseError, match="listed twice"):
        ToldRelease(pd.concat([good.aggregates, good.aggregates]), 1.0)
    with pytest.raises(ReleaseError, match="people"):
        told({"a": 1}, people=-1.0)


@pytest.mark.parametrize("threshold", [None, 105.0])
def test_two_draws_of_the_same_data_rarely_seem_to_differ(threshold):
    """Where nothing changed, a false discovery anywhere in the family happens at most as often as the rate says."""
    rng = np.random.default_rng(20240611)
    names = [f"v{k}" for k in range(60)]
    truth = rng.uniform(80, 140, 60)
    noise = np.array([5.0, 12.0])
    wrong, covered, tested = 0, 0, 0
    times = 250
    for _ in range(times):
        sides = []
        for sd in noise:
            drawn = truth + rng.normal(0, sd, 60)
            kept = drawn > (threshold or -np.inf)  # what is small is suppressed
            sides.append(told(zip(np.array(names)[kept], drawn[kept], strict=True), sd=sd))
        changes = compare_releases(*sides, false_discovery_rate=0.1)
        table = changes.combinations
        wrong += table["verdict"].isin([ROSE, FELL]).any()
        inside = (table["low"] <= 0) & (table["high"] >= 0)
        covered, tested = covered + int(inside.sum()), tested + changes.tests
    # three standard errors of the simulation
    assert wrong / times <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / times)
    if threshold is None:
        assert wrong > 0 and covered / tested == pytest.approx(0.95, abs=0.01)


def test_true_changes_are_found_and_false_ones_stay_few():
    rng = np.random.default_rng(7)
    names = [f"v{k}" for k in range(100)]
    truth = np.full(100, 100.0)
    later = truth + np.where(np.arange(100) < 30, 40.0, 0.0)
    shares, found = [], []
    for _ in range(60):
        sides = [told(zip(names, own + rng.normal(0, 6, 100), strict=True), sd=6.0) for own in (truth, later)]
        table = compare_releases(*sides, false_discovery_rate=0.1).combinations
        changed = table["verdict"].isin([ROSE, FELL]).to_numpy()
        real = table["attributes"].str[1:].astype(int).to_numpy() < 30
        shares.append((changed & ~real).sum() / max(changed.sum(), 1))
        found.append((changed & real).sum() / 30)
    assert np.mean(shares) <= 0.1  # 0.07 expected
    assert np.mean(found) > 0.95
