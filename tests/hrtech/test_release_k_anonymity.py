"""K-anonymous releases against what they promise, recounted record by record."""

import itertools
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrtech.counts import EncodingError, parse_attributes
from hrtech.release import k_anonymity_rows
from hrtech.release.declared import ReleaseColumn, ReleaseError, ReleaseSchema
from hrtech.release.k_anonymity import (
    KAnonymitySettings,
    KAnonymousRelease,
    explain_k_anonymity,
    release_k_anonymous,
)
from hrtech.release.people import LIST_DTYPE

METHODS = ("row_seeded", "value_seeded", "aggregate_seeded", "unseeded")
REGION_OF = {"f": "north", "g": "north", "h": "south"}
IMPOSSIBLE = ((("sex", "w"), ("signs", "x")), (("sex", "m"), ("region", "south")))
SCHEMA = ReleaseSchema(
    (
        ReleaseColumn("sex"),
        ReleaseColumn("region", ("north", "south")),
        ReleaseColumn("country", ("f", "g", "h"), parent="region", parent_values=REGION_OF),
        ReleaseColumn("signs", multi_valued=True),
        ReleaseColumn("paid", ("0", "1"), sensitive_zeros=True),
        ReleaseColumn("held"),
    ),
    impossible=IMPOSSIBLE,
)


def table(rows, schema=SCHEMA):
    """Rows (tuples in the order of the columns) as a typed table."""
    return pd.DataFrame(
        {
            c.name: pd.Series([row[k] for row in rows], dtype=LIST_DTYPE if c.multi_valued else "str")
            for k, c in enumerate(schema.columns)
        }
    )


def held(frame, schema=SCHEMA):
    """Per row the set of its attributes, read cell by cell; a country implies its region."""
    found = [set() for _ in range(len(frame))]
    for column in schema.columns:
        cells = frame[column.name].astype(object) if not column.multi_valued else frame[column.name].tolist()
        for attributes, cell in zip(found, cells, strict=True):
            values = [] if cell is None or cell is pd.NA or isinstance(cell, float) else cell
            for value in [values] if isinstance(values, str) else values:
                if value and (value != "0" or column.sensitive_zeros):
                    attributes.add((column.name, value))
    for attributes in found:
        if "country" in (values := dict(attributes)):
            attributes.discard(("region", values.get("region")))
            attributes.add(("region", REGION_OF[values["country"]]))
    return found


def combinations(rows, most):
    """How many rows hold each combination of up to `most` attributes."""
    counted = Counter()
    for attributes in rows:
        for length in range(1, min(most, len(attributes)) + 1):
            counted.update(map(frozenset, itertools.combinations(sorted(attributes), length)))
    return counted


def contradicts(attributes):
    """Whether attributes hold an impossible pair, or imply one."""
    implied = {("region", REGION_OF[value]) for name, value in attributes if name == "country"}
    return any(set(pair) <= {*attributes, *implied} for pair in IMPOSSIBLE)


def released(release):
    return {
        frozenset(parse_attributes(text)): count
        for text, count in zip(release.aggregates["attributes"], release.aggregates["count"], strict=True)
    }


def draw(frame, schema=SCHEMA, seed=0, **chosen):
    return release_k_anonymous(frame, KAnonymitySettings(**chosen), schema, np.random.default_rng(seed))


def random_people(n, seed):
    """People whose cells are drawn apart, some values often and some seldom; regions may contradict countries."""
    rng = np.random.default_rng(seed)

    def cells(values):
        weight = rng.dirichlet(np.ones(len(values) + 1))
        return [None if k == len(values) else values[k] for k in rng.choice(len(values) + 1, n, p=weight)]

    signs = [[v for v in "xyz" if rng.random() < 0.4] for _ in range(n)]
    signs = [None if rng.random() < 0.1 else cell for cell in signs]
    rows = zip(
        cells("wm"), cells(["north", "south"]), cells("fgh"), signs, cells("01"), cells("01"), strict=True
    )
    return list(rows)


PEOPLE = st.builds(random_people, st.sampled_from([0, 2, 10, 40, 80, 120]), st.integers(0, 2**16))
CHOSEN = st.fixed_dictionaries(
    {
        "k": st.integers(3, 6),
        "reporting_length": st.integers(1, 4),
        "oversampling_ratio": st.none() | st.sampled_from([0.0, 0.1, 0.5]),
        "oversampling_tries": st.integers(1, 3),
        "weight_percentile": st.sampled_from([0, 50, 95, 100]),
        "use_synthetic_counts": st.booleans(),
    }
)
few = settings(max_examples=30, deadline=None)


@few
@given(PEOPLE, CHOSEN)
def test_aggregates_are_all_common_combinations_rounded_down(people, chosen):
    frame, k = table(people), chosen["k"]
    release = draw(frame, records=False, **chosen)
    true = combinations(held(frame), chosen["reporting_length"])
    expected = {c: n // k * k for c, n in true.items() if n >= k and not contradicts(c)}
    assert released(release) == expected
    assert (release.aggregates["length"] == [len(c) for c in released(release)]).all()
    assert release.people == len(people) // k * k
    assert release.records is None


@pytest.mark.parametrize("method", METHODS)
@few
@given(PEOPLE, CHOSEN, st.integers(0, 3))
def test_records_hold_what_k_people_hold_and_nothing_forbidden(method, people, chosen, seed):
    frame, k, length = table(people), chosen["k"], chosen["reporting_length"]
    release = draw(frame, method=method, seed=seed, **chosen)
    rows = held(release.records)
    regions = release.records.loc[release.records["country"].notna(), ["country", "region"]]
    assert (regions["country"].map(REGION_OF) == regions["region"]).all()
    true, told = combinations(held(frame), 10), released(release)
    for combination in combinations(rows, length):
        assert true[combination] >= k
        assert combination in told
    if method != "aggregate_seeded":
        assert all(true[frozenset(row)] >= k for row in rows if row)
    for row in rows:
        assert not contradicts(row)


@pytest.mark.parametrize("method", ["row_seeded", "value_seeded", "aggregate_seeded"])
@few
@given(PEOPLE, CHOSEN)
def test_no_attribute_is_made_more_often_than_is_told(method, people, chosen):
    release = draw(table(people), method=method, **chosen)
    rows, told = held(release.records), released(release)
    assert all(rows), "a record without an attribute tells nothing"
    for combination, made in combinations(rows, 1).items():
        assert made <= told[combination]


@few
@given(PEOPLE, CHOSEN)
def test_oversampling_of_value_seeded_stays_within_its_ratio(people, chosen):
    ratio = chosen["oversampling_ratio"] or 0.0
    release = draw(table(people), method="value_seeded", **{**chosen, "oversampling_ratio": ratio})
    told = released(release)
    for combination, made in combinations(held(release.records), chosen["reporting_length"]).items():
        assert made <= told[combination] * (1 + ratio)


@few
@given(PEOPLE, CHOSEN)
def test_aggregate_seeded_never_uses_a_count_twice(people, chosen):
    release = draw(table(people), method="aggregate_seeded", **{**chosen, "use_synthetic_counts": True})
    told = released(release)
    for combination, made in combinations(held(release.records), chosen["reporting_length"]).items():
        assert made <= told[combination]


def crowd(n=3000, seed=5):
    """People whose attributes go together, many of whom hold what is declared impossible."""
    rng = np.random.default_rng(seed)
    sex = rng.choice(["w", "m", "d"], n, p=[0.6, 0.3985, 0.0015])
    country = rng.choice(["f", "g", "h"], n, p=[0.5, 0.3, 0.2])
    paid = np.where(rng.random(n) < np.where(sex == "w", 0.8, 0.2), "1", "0")
    rows = []
    for k in range(n):
        signs = [v for v, p in zip("yz", (0.5, 0.3), strict=True) if rng.random() < p]
        known = country[k] if rng.random() < 0.9 else None
        rows.append((sex[k], REGION_OF[country[k]], known, signs or None, paid[k], "1" if k % 3 else None))
    return table(rows)


@pytest.fixture(scope="module")
def people():
    return crowd()


def errors(release, frame, length=2):
    """Mean error of the records, as a share of the true count, over combinations of 50 people or more."""
    true, made = combinations(held(frame), length), combinations(held(release.records), length)
    return float(np.mean([abs(made[c] - n) / n for c, n in true.items() if n >= 50]))


@pytest.mark.parametrize(
    ("method", "most"),
    [("row_seeded", 0.10), ("value_seeded", 0.10), ("aggregate_seeded", 0.10), ("unseeded", 0.15)],
)
def test_records_speak_for_the_people(people, method, most):
    release = draw(people, method=method)
    assert errors(release, people) < most
    assert 0.8 * len(people) < len(release.records) < 1.3 * len(people)


@pytest.mark.parametrize("method", ["row_seeded", "value_seeded", "aggregate_seeded"])
@pytest.mark.parametrize("length", [1, 2, 3])
def test_every_count_told_is_used_up_and_none_is_used_twice(people, method, length):
    release = draw(people, method=method, reporting_length=length, oversampling_ratio=0)
    told, made = released(release), combinations(held(release.records), length)
    for combination, count in told.items():
        if len(combination) == 1:
            assert 0.98 * count <= made[combination] <= count
        elif method != "row_seeded":
            assert made[combination] <= count


@pytest.mark.parametrize("method", METHODS)
def test_a_seed_gives_one_release(people, method):
    first, again, other = (draw(people, method=method, seed=seed) for seed in (1, 1, 2))
    assert first.to_artefacts() == again.to_artefacts()
    assert not first.records.equals(other.records)
    assert first.aggregates.equals(other.aggregates)


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_people_is_not_in_the_records(people, method):
    ordered = people.sort_values("sex", ignore_index=True)
    made = draw(ordered, method=method).records["sex"]
    half = len(made) // 2
    women = (made == "w").to_numpy()
    assert abs(women[:half].mean() - women[half:].mean()) < 0.08


def test_unseeded_records_are_as_many_as_people_are_told(people):
    release = draw(people[:2996], method="unseeded")
    assert release.people == len(release.records) == 2990


def test_a_rare_value_is_nowhere_in_what_is_released(people):
    rare = people.astype({"sex": "category"})
    assert 3 <= (rare["sex"] == "d").sum() < 10
    release = draw(rare)
    assert release.records["sex"].dtype == "category"
    assert set(release.records["sex"].cat.categories) == {"m", "w"}
    assert {c.name: c.values for c in release.columns}["sex"] == ("m", "w")
    assert not any(b"sex:d" in written or b'"d"' in written for written in release.to_artefacts().values())


def test_records_are_typed_like_the_input(people):
    for method in METHODS:
        made = draw(people, method=method).records
        assert list(made.columns) == list(people.columns)
        assert (made.dtypes == people.dtypes).all()
        assert made["country"].isna().any()
        lists = made["signs"].dropna().tolist()
        assert ["y", "z"] in lists and all(cell == sorted(set(cell)) for cell in lists)


@pytest.mark.parametrize("records", [True, False])
def test_a_release_is_read_back_whole(people, records):
    release = draw(people, records=records, method="value_seeded", oversampling_ratio=None)
    again = KAnonymousRelease.from_artefacts(release.to_artefacts())
    pd.testing.assert_frame_equal(again.aggregates, release.aggregates)
    assert (again.records is None) is not records
    if records:
        pd.testing.assert_frame_equal(again.records, release.records)
    assert (again.people, again.columns, again.warnings) == (
        release.people,
        release.columns,
        release.warnings,
    )
    assert again.parameters == release.parameters
    assert again.parameters["method"] == "value_seeded" and again.parameters["k"] == 10


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rows", [[], [("w", "north", "f", ["x"], "1", None)] * 2])
def test_where_too_few_hold_anything_nothing_is_told(method, rows):
    release = draw(table(rows), method=method)
    assert not len(release.aggregates) and not len(release.records) and release.people == 0
    assert any("nothing is told" in warning for warning in release.warnings)
    again = KAnonymousRelease.from_artefacts(release.to_artefacts())
    assert list(again.records.columns) == [c.name for c in SCHEMA.columns]


def test_zeros_are_attributes_only_where_they_are_sensitive():
    frame = table([("w", "north", None, None, "0", "0")] * 12)
    told = released(draw(frame))
    assert frozenset({("paid", "0")}) in told
    assert not any(name == "held" for combination in told for name, _ in combination)


def test_a_no_that_is_not_declared_is_no_error_and_any_other_value_is():
    schema = ReleaseSchema((ReleaseColumn("held", ("1",)),))
    no = pd.DataFrame({"held": pd.Series(["1", "0", None] * 10, dtype="str")})
    assert released(draw(no, schema)) == {frozenset({("held", "1")}): 10}
    with pytest.raises(EncodingError, match=r"held.*outside its declared domain"):
        draw(no.replace("0", "2"), schema)


def test_a_value_implies_the_value_that_it_refines():
    rows = [("w", region, "f", None, None, None) for region in ("north", None, "south") for _ in range(15)]
    release = draw(table([*rows, *[("w", "south", None, None, None, None)] * 12]))
    told = released(release)
    assert told[frozenset({("region", "north")})] == told[frozenset({("country", "f")})] == 40
    assert told[frozenset({("region", "south")})] == 10
    made = release.records
    assert (made.loc[made["country"] == "f", "region"] == "north").all()


def test_trimming_takes_parents_without_a_child_first():
    # items: 0 parent, 1 child of 0; three records of both, two of the parent alone
    records = k_anonymity_rows.Records(
        np.array([0, 1, 0, 0, 1, 0, 0, 1], dtype=np.int32), np.array([2, 3, 5, 6, 8], dtype=np.int64)
    )
    parent, rng = np.array([-1, 0]), np.random.default_rng(0)
    two_off = k_anonymity_rows.trimmed(records, np.array([3, 3]), parent, rng)
    assert two_off.counts(2).tolist() == [3, 3] and len(two_off) == 3
    three_off = k_anonymity_rows.trimmed(records, np.array([2, 3]), parent, rng)
    assert three_off.counts(2).tolist() == [2, 2] and len(three_off) == 2


@pytest.mark.parametrize(
    ("chosen", "named"),
    [
        ({"k": 2}, "k is 3 or more"),
        ({"reporting_length": 6}, "reporting_length is 1 to 5"),
        ({"reporting_length": 0}, "reporting_length is 1 to 5"),
        ({"method": "rows"}, "method is one of row_seeded"),
        ({"oversampling_ratio": -0.1}, "oversampling_ratio is 0 or more"),
        ({"oversampling_ratio": float("nan")}, "oversampling_ratio is 0 or more"),
        ({"oversampling_tries": 0}, "oversampling_tries is at least 1"),
        ({"weight_percentile": 101}, "weight_percentile is between 0 and 100"),
        ({"max_cells": 0}, "max_cells is at least 1"),
    ],
)
def test_settings_that_promise_nothing_are_refused(chosen, named):
    with pytest.raises(ReleaseError, match=named):
        KAnonymitySettings(**chosen)


def test_tables_that_do_not_fit_are_refused(people):
    with pytest.raises(ReleaseError, match="no column held"):
        draw(people.drop(columns="held"))
    with pytest.raises(ReleaseError, match="column signs: declared to hold a list"):
        draw(people.assign(signs=people["sex"]))
    with pytest.raises(ReleaseError, match=r"max_cells.*up to length 2"):
        draw(people, max_cells=100)


def test_what_is_promised_is_said_with_what_is_not(people):
    told = " ".join(explain_k_anonymity())
    for word in ("at least k people", "weaker", "group", "already knows", "Two releases", "budget", "equal"):
        assert word in told
    assert any("true person's" in w for w in draw(people, method="row_seeded").warnings)
    assert any("more than 3 attributes" in w for w in draw(people, method="aggregate_seeded").warnings)
    assert not any("true person's" in w for w in draw(people, records=False).warnings)
