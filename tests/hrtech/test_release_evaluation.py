"""The restricted evaluation, by hand, against slow counting, and on records that are and are not repeated."""

import itertools
from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from hrtech.counts import TooManyCells, count_combinations, render_attributes
from hrtech.release import comparison, evaluation
from hrtech.release.declared import ReleaseColumn, ReleaseError, ReleaseSchema
from hrtech.release.evaluation import band_names, evaluate_against_records, percent

LISTS = pd.ArrowDtype(pa.list_(pa.string()))
SCHEMA = ReleaseSchema(
    (
        ReleaseColumn("sex", ("F", "M")),
        ReleaseColumn("means", ("debt", "drugs"), multi_valued=True),
        ReleaseColumn("minor", ("0", "1")),
    )
)


def table(rows):
    return pd.DataFrame(
        {
            "sex": pd.array([r[0] for r in rows], dtype="str"),
            "means": pd.array([r[1] for r in rows], dtype=LISTS),
            "minor": pd.array([r[2] for r in rows], dtype="str"),
        }
    )


PEOPLE = table(
    [("F", ["debt"], None)] * 60
    + [("M", None, "0")] * 12
    + [("M", ["drugs"], "")] * 2
    + [("M", ["drugs"], "1")]
)
# F 60, M 15, debt 60, drugs 3, minor 1; F+debt 60, M+drugs 3, M+minor 1, drugs+minor 1; M+drugs+minor 1

WORLD = ReleaseSchema(
    (*(ReleaseColumn(f"c{k}") for k in range(6)), ReleaseColumn("means", ("a", "b", "c"), multi_valued=True))
)


def draw(n, rng):
    """People of a population with types, so that columns depend on one another and records have a long tail."""
    kind = np.minimum(rng.geometric(0.25, n), 12)
    columns = {}
    for k in range(6):
        value = np.where(rng.random(n) < 0.75, (kind * (k + 2)) % 5, rng.integers(0, 5, n))
        columns[f"c{k}"] = pd.array(np.array(["p", "q", "r", "s", None], dtype=object)[value], dtype="str")
    held = (rng.random((n, 3)) < np.array([0.5, 0.2, 0.05])) & (kind[:, None] % 3 != np.arange(3))
    lists = [[m for m, has in zip("abc", row, strict=True) if has] or None for row in held]
    return pd.DataFrame(columns | {"means": pd.array(lists, dtype=LISTS)})


def row(frame, **where):
    for column, value in where.items():
        frame = frame[frame[column] == value]
    assert len(frame) == 1
    return frame.iloc[0]


def test_aggregates_by_hand():
    rows = [
        (1, "sex:F", 64, 58, 70),
        (1, "sex:M", 12, 10, 14),
        (1, "means:debt", 60, 55, 65),
        (2, "means:debt;sex:F", 50, 40, 62),
        (2, "means:debt;sex:M", 8, 2, 14),
        (2, "minor:1;sex:F", 2, 0, 4),
        (4, "beyond:the;length:asked;for:it;or:not", 9, 9, 9),
    ]
    aggregates = pd.DataFrame(rows, columns=["length", "attributes", "count", "low", "high"])
    result = evaluate_against_records(PEOPLE, aggregates, None, SCHEMA, reporting_length=3)
    assert (result.people, result.synthetic_records, len(result.memorised)) == (75, None, 0)
    one = row(result.errors, subject="aggregates", length=1, band="all")
    assert (one["combinations"], one["suppressed"], one["suppressed_share"]) == (5, 2, 0.4)
    assert one["mean_absolute_error"] == pytest.approx((4 + 3 + 0 + 3 + 1) / 5)
    assert one["mean_relative_error"] == pytest.approx((4 / 60 + 3 / 15 + 0 + 1 + 1) / 5)
    assert one["inside_share"] == pytest.approx(2 / 3)  # M is 15; the suppressed have no interval
    band = row(result.errors, length=1, band="10–19")
    assert (band["combinations"], band["mean_absolute_error"], band["inside_share"]) == (1, 3, 0)
    assert result.errors.loc[result.errors["length"] == 1, "band"].tolist() == [
        "1–9",
        "10–19",
        "50–99",
        "all",
    ]
    three = row(result.errors, length=3, band="all")
    assert (three["suppressed_share"], np.isnan(three["inside_share"])) == (1, True)
    two = row(result.fabricated, length=2)
    assert (two["published"], two["fabricated"], two["fabricated_share"]) == (3, 2, pytest.approx(2 / 3))
    assert two["fabricated_mass_share"] == pytest.approx(10 / 60)
    assert two["inside_share"] == pytest.approx(2 / 3)  # nobody's 0 lies in 0 to 4, not in 2 to 14
    rare = row(result.rare, length=2, kind="rare")
    assert (rare["combinations"], rare["reproduced"]) == (3, 0)
    assert any(
        "nobody holds 67 % of the published combinations (17 % of the counts)" in s for s in result.says
    )


def test_synthetic_records_by_hand():
    synthetic = table(
        [("F", ["debt"], "0")] * 70 + [("F", ["debt", "drugs"], None)] * 2 + [("M", ["drugs"], "1")] * 3
    )
    result = evaluate_against_records(PEOPLE, None, synthetic, SCHEMA, reporting_length=2)
    one = row(result.errors, length=1, band="all")
    assert one["mean_absolute_error"] == pytest.approx((12 + 12 + 12 + 2 + 2) / 5)
    assert (one["suppressed"], np.isnan(one["inside_share"])) == (0, True)
    two = row(result.fabricated, length=2)  # F+debt, F+drugs, debt+drugs, M+drugs, M+minor, drugs+minor
    assert (two["published"], two["fabricated"]) == (6, 2)
    assert two["fabricated_mass_share"] == pytest.approx(4 / (72 + 2 + 2 + 3 + 3 + 3))
    unique = row(result.rare, length=1, kind="unique")
    assert (unique["combinations"], unique["reproduced"], unique["reproduced_share"]) == (1, 1, 1)
    alone = row(result.memorised, kind="unique")
    # equal records: 60 (F, debt), 12 (M), 2 (M, drugs), 1 (M, drugs, minor); "0" and blanks are nothing
    assert (alone["people"], alone["reproduced"], alone["records"]) == (1, 1, 3)
    assert alone["record_share"] == pytest.approx(3 / 75)
    assert alone["expected_share"] == pytest.approx(2 / 75)
    assert row(result.memorised, kind="rare")["people"] == 3


def test_zeros_count_where_they_are_declared_to():
    schema = ReleaseSchema((*SCHEMA.columns[:2], ReleaseColumn("minor", ("0", "1"), sensitive_zeros=True)))
    result = evaluate_against_records(PEOPLE, None, PEOPLE, schema, reporting_length=1)
    assert row(result.errors, length=1, band="all")["combinations"] == 6
    result = evaluate_against_records(PEOPLE, None, PEOPLE, SCHEMA, reporting_length=1)
    assert row(result.errors, length=1, band="all")["combinations"] == 5


def slow_counts(frame, longest):
    counted = Counter()
    for record in frame.to_dict("records"):
        held = set()
        for column, cell in record.items():
            values = (
                [cell] if isinstance(cell, str) else [] if cell is None or np.ndim(cell) == 0 else list(cell)
            )
            held |= {(column, v) for v in values}
        for length in range(1, longest + 1):
            counted.update(itertools.combinations(sorted(held), length))
    return {render_attributes(k): n for k, n in counted.items()}


def test_errors_agree_with_slow_counting():
    rng = np.random.default_rng(3)
    people, synthetic = draw(300, rng), draw(250, rng)
    result = evaluate_against_records(people, None, synthetic, WORLD, reporting_length=3)
    true, made = slow_counts(people, 3), slow_counts(synthetic, 3)
    for length in (1, 2, 3):
        own = {k: n for k, n in true.items() if k.count(";") == length - 1}
        published = {k: n for k, n in made.items() if k.count(";") == length - 1}
        errors = [abs(n - made.get(k, 0)) for k, n in own.items()]
        got = row(result.errors, length=length, band="all")
        assert (got["combinations"], got["mean_absolute_error"]) == (len(own), pytest.approx(np.mean(errors)))
        assert got["suppressed"] == sum(k not in made for k in own)
        false = row(result.fabricated, length=length)
        assert (false["published"], false["fabricated"]) == (
            len(published),
            sum(k not in true for k in published),
        )
        unique = row(result.rare, length=length, kind="unique")
        assert unique["combinations"] == sum(n == 1 for n in own.values())
        assert unique["reproduced"] == sum(n == 1 and k in made for k, n in own.items())
    keys = {
        name: Counter(map(repr, f.to_dict("records"))) for name, f in (("true", people), ("made", synthetic))
    }
    for kind, most in (("unique", 1), ("rare", 9)):
        rare = {k for k, n in keys["true"].items() if n <= most}
        assert row(result.memorised, kind=kind)["records"] == sum(keys["made"][k] for k in rare)


def test_a_copy_is_seen_and_other_people_are_not_blamed():
    rng = np.random.default_rng(4)
    people, others = draw(2000, rng), draw(2000, rng)
    copied = evaluate_against_records(people, None, people, WORLD, reporting_length=2)
    for _, one in copied.memorised.iterrows():
        assert one["record_share"] > one["expected_high"] and one["reproduced"] == one["people"] > 200
    assert sum("they repeat people" in s for s in copied.says) == 2
    assert (copied.errors["mean_absolute_error"] == 0).all() and (copied.fabricated["fabricated"] == 0).all()
    resampled = people.iloc[rng.integers(0, 2000, 2000)]
    drawn = evaluate_against_records(people, None, resampled, WORLD, reporting_length=2).memorised
    assert (drawn["record_share"] > drawn["expected_high"]).all()
    fair = evaluate_against_records(people, None, others, WORLD, reporting_length=2)
    assert not any("they repeat people" in s for s in fair.says)
    assert (fair.memorised["record_share"] > 0.05).all()  # they do equal some; that is no repetition
    shuffled = pd.DataFrame({c: people[c].iloc[rng.permutation(2000)].reset_index(drop=True) for c in people})
    poor = evaluate_against_records(people, None, shuffled, WORLD, reporting_length=2)
    assert (poor.memorised["record_share"] < poor.memorised["expected_share"]).all()


def test_the_range_of_chance_holds_what_chance_does():
    rng = np.random.default_rng(6)
    outside = 0
    for k in range(30):
        people, others = draw(400, rng), draw((200, 400, 900)[k % 3], rng)
        found = evaluate_against_records(people, None, others, WORLD, reporting_length=1).memorised
        outside += int((~found["record_share"].between(found["expected_low"], found["expected_high"])).sum())
    assert outside <= 3  # of 60; 99 % each


def test_rare_combinations_reproduced_by_chance():
    """The expectation starts from divided records, and comes near what other people reproduce."""
    rng = np.random.default_rng(7)
    people = draw(2000, rng)
    for size, near in ((2000, 0.05), (700, 0.05), (5000, 0.08)):
        result = evaluate_against_records(people, None, draw(size, rng), WORLD, reporting_length=3)
        for kind in ("unique", "rare"):
            three = row(result.rare, length=3, kind=kind)
            assert three["combinations"] > 100
            assert three["expected_share"] == pytest.approx(three["reproduced_share"], abs=near), (size, kind)
    encoded = comparison.encode_alike([people], WORLD)[0]
    counts = count_combinations(encoded, 3).counts[3]
    hits, rare = 0, 0
    for _ in range(200):
        kept = rng.binomial(counts, 0.25)  # records of a quarter, a release of half of them
        other = rng.binomial(counts - kept, 0.5 / 0.75)
        rare += (kept <= 2).sum() - (kept == 0).sum()
        hits += ((kept > 0) & (kept <= 2) & (other > 0)).sum()
    values, number = np.unique(counts, return_counts=True)
    shares = [evaluation._held_by_both_parts(values, number, 1, 2, size, 0.25) for size in (2.0, 3.0)]
    assert shares[0] == pytest.approx(hits / rare, abs=0.01) and shares[1] > shares[0]


def test_tables_that_cannot_be_compared():
    with pytest.raises(ReleaseError, match="nobody"):
        evaluate_against_records(PEOPLE.iloc[:0], None, PEOPLE, SCHEMA, reporting_length=1)
    with pytest.raises(ReleaseError, match="no column means"):
        evaluate_against_records(PEOPLE, None, PEOPLE.drop(columns="means"), SCHEMA, reporting_length=1)
    with pytest.raises(ReleaseError, match="column means: declared to hold a list"):
        flat = PEOPLE.assign(means=PEOPLE["sex"])
        evaluate_against_records(PEOPLE, None, flat, SCHEMA, reporting_length=1)
    with pytest.raises(TooManyCells):
        evaluate_against_records(PEOPLE, None, None, SCHEMA, reporting_length=2, max_cells=3)


def test_nothing_released():
    blank = table([(None, None, None)] * 4)
    nothing = pd.DataFrame({"length": [], "attributes": [], "count": [], "low": [], "high": []})
    nothing = nothing.astype({"length": "int64", "attributes": "str"})
    result = evaluate_against_records(PEOPLE, nothing, blank, SCHEMA, reporting_length=2)
    assert (result.errors.loc[result.errors["band"] == "all", "suppressed_share"] == 1).all()
    assert result.fabricated.empty and (result.memorised["records"] == 0).all()
    assert evaluate_against_records(blank, nothing, blank, SCHEMA, reporting_length=2).errors.empty
    assert evaluate_against_records(PEOPLE, None, None, SCHEMA, reporting_length=1).errors.empty


def test_shares_in_words():
    assert [percent(s) for s in (0, 0.3141, 0.0123, 0.00123, 1e-6, None)] == [
        "0 %", "31 %", "1.2 %", "0.12 %", "less than 0.01 %", "none",
    ]  # fmt: skip
    assert band_names()[0] == "1–9" and band_names()[-1] == "1000+"
