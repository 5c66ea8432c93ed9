"""How well a table lends itself to a release: by hand, and against really leaving out and banding."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from hrtech.counts import TooManyCells
from hrtech.release.declared import ReleaseColumn, ReleaseError, ReleaseSchema
from hrtech.release.synthesizability import synthesizability

LISTS = pd.ArrowDtype(pa.list_(pa.string()))
SCHEMA = ReleaseSchema(
    (
        ReleaseColumn("country"),
        ReleaseColumn("sex", ("F", "M", "X")),
        ReleaseColumn("means", multi_valued=True),
    )
)


def people(n, rng):
    country = np.array([f"k{k:02}" for k in range(40)])[np.minimum(rng.geometric(0.12, n) - 1, 39)]
    means = [
        [m for m in "abcdefgh" if rng.random() < 0.02 * (1 + "abcdefgh".index(m))] or None for _ in range(n)
    ]
    sex = np.array(["F", "M", None], dtype=object)[rng.integers(0, 3, n)]
    return pd.DataFrame(
        {
            "country": pd.array(country, dtype="str"),
            "sex": pd.array(sex, dtype="str"),
            "means": pd.array(means, dtype=LISTS),
        }
    )


def row(frame, **where):
    for column, value in where.items():
        frame = frame[frame[column] == value]
    assert len(frame) == 1
    return frame.iloc[0]


def test_by_hand():
    table = pd.DataFrame(
        {
            "country": pd.array(["k", "k", "l", "l"] * 5, dtype="str"),
            "sex": pd.array(["F", "M", "0", None] * 5, dtype="str"),
            "means": pd.array([["a"], None, ["a", "b"], None] * 5, dtype=LISTS),
        }
    )
    told = synthesizability(table, SCHEMA, reporting_length=2)
    assert (told.people, told.values_per_person) == (20, pytest.approx((3 + 2 + 3 + 1) / 4))  # "0" is nothing
    assert told.possible_combinations == 2 * 3  # X may be held; each of the means stands alone
    assert told.possible_per_person == 6 / 20
    assert told.excess_ratio == pytest.approx(6 / 20 / 2**2.25)
    # length 1: k 10, l 10, F 5, M 5, a 10, b 5; X nobody
    one = row(told.lengths, length=1)
    assert (one["possible"], one["held"], one["rare"], one["unique"]) == (7, 6, 3, 0)
    assert one["rare_share"] == 0.5 and one["rare_mass_share"] == pytest.approx(15 / 45)
    # length 2, 5 each: kF, Fa, ka, kM, la, lb, ab; possible: 2*3 + 2*2 + 3*2 + 1
    assert (row(told.lengths, length=2)["possible"], row(told.lengths, length=2)["rare"]) == (17, 7)
    means = row(told.columns, column="means")
    assert (means["values"], means["blank_share"], means["entropy"]) == (2, 0.5, pytest.approx(1.5))
    assert means["rare_saved"] == pytest.approx((1 + 5) / 10)  # b; all but kF and kM
    assert means["possible_saved"] == pytest.approx(1 - (5 + 6) / (7 + 17))
    assert row(told.columns, column="country")["entropy"] == 1
    assert "not more than the 5" in told.says[0]
    assert told.columns["rare_saved"].is_monotonic_decreasing
    assert told.columns["column"].tolist()[0] == "means" and "Leaving out means saves 60 %" in told.says[3]


def rare_combinations(table, schema, length):
    lengths = synthesizability(table, schema, reporting_length=length).lengths
    return lengths["rare"].sum(), lengths["possible"].sum()


def test_savings_are_what_leaving_out_saves():
    table = people(1500, np.random.default_rng(1))
    told = synthesizability(table, SCHEMA, reporting_length=3)
    rare, possible = rare_combinations(table, SCHEMA, 3)
    for column in SCHEMA.columns:
        left = ReleaseSchema(tuple(c for c in SCHEMA.columns if c is not column))
        rare_left, possible_left = rare_combinations(table, left, 3)
        got = row(told.columns, column=column.name)
        assert got["rare_saved"] == pytest.approx(1 - rare_left / rare)
        assert got["possible_saved"] == pytest.approx(1 - possible_left / possible)
    assert told.lengths["rare_share"].is_monotonic_increasing


def test_savings_are_what_banding_saves():
    table = people(1500, np.random.default_rng(2))
    told = synthesizability(table, SCHEMA, reporting_length=3, band_below=0.05)
    rare, possible = rare_combinations(table, SCHEMA, 3)
    counts = table["country"].value_counts()
    few = counts.index[counts < 75]
    banded = table.assign(country=table["country"].where(~table["country"].isin(few), "elsewhere"))
    got = row(told.columns, column="country")
    assert got["band_values"] == len(few) > 5
    rare_left, possible_left = rare_combinations(banded, SCHEMA, 3)
    assert (
        got["rare_saved_by_band"] == pytest.approx(1 - rare_left / rare) and got["rare_saved_by_band"] > 0.2
    )
    assert got["possible_saved_by_band"] == pytest.approx(1 - possible_left / possible)
    held = table["means"].explode().value_counts()
    few = set(held.index[held < 75])
    cells = pa.array(table["means"]).to_pylist()
    joined = [None if c is None else sorted({"z" if m in few else m for m in c}) for c in cells]
    banded = table.assign(means=pd.array(joined, dtype=LISTS))
    rare_left, _ = rare_combinations(banded, SCHEMA, 3)
    got = row(told.columns, column="means")
    assert got["band_values"] == len(few) == 2
    assert got["rare_saved_by_band"] == pytest.approx(1 - rare_left / rare)
    assert row(told.columns, column="sex")["band_values"] == 0  # nobody holds X: nothing to join
    assert any("making one value of its" in s for s in told.says)


def test_a_hard_table_is_told_from_an_easy_one():
    rng = np.random.default_rng(3)
    easy = pd.DataFrame({c: pd.array(rng.choice(["p", "q"], 2000), dtype="str") for c in "abcd"})
    hard = pd.DataFrame({c: pd.array(rng.integers(0, 60, 2000).astype(str), dtype="str") for c in "abcd"})
    schema = ReleaseSchema(tuple(ReleaseColumn(c, sensitive_zeros=True) for c in "abcd"))
    told = [synthesizability(table, schema, reporting_length=3) for table in (easy, hard)]
    assert told[0].excess_ratio < 1 < 5 < told[1].excess_ratio and "more than the 5" in told[1].says[0]
    shares = [t.lengths["rare_mass_share"].iloc[-1] for t in told]
    assert shares[0] == 0 and shares[1] == 1
    assert len(told[0].says) == 4  # no column to leave out


def test_tables_that_cannot_be_judged():
    table = people(20, np.random.default_rng(4))
    with pytest.raises(ReleaseError, match="nobody"):
        synthesizability(table.iloc[:0], SCHEMA, reporting_length=2)
    with pytest.raises(ReleaseError, match="no column sex"):
        synthesizability(table.drop(columns="sex"), SCHEMA, reporting_length=2)
    with pytest.raises(TooManyCells):
        synthesizability(table, SCHEMA, reporting_length=3, max_cells=5)
    blank = pd.DataFrame({c.name: table[c.name].where(np.zeros(20, dtype=bool)) for c in SCHEMA.columns})
    told = synthesizability(blank, SCHEMA, reporting_length=2)
    assert told.values_per_person == 0 and (told.columns["rare_saved"] == 0).all()
    assert np.isnan(told.lengths["rare_share"]).all() and len(told.says) == 3
