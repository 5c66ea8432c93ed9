"""Synthetic records: typed like the input, and in agreement with what was released."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrtech.counts import count_combinations, encode, render_attributes
from hrtech.privacy.marginals import (
    MarginalColumn,
    MarginalsRelease,
    MarginalsSchema,
    MarginalsSettings,
    draw,
)
from hrtech.privacy.record_repair import repaired
from hrtech.privacy.synthesis import fitted_table, synthesise

LISTS = pd.ArrowDtype(pa.list_(pa.string()))
COLUMNS = (
    MarginalColumn("sex", ("F", "M")),
    MarginalColumn("age", ("adult", "minor", "teen")),
    MarginalColumn("means", ("threats", "debt", "drugs"), multi_valued=True),
)


def cases(n=4000, seed=2):
    """Sex decides age, age decides debt, debt decides threats; a fifth is unknown."""
    rng = np.random.default_rng(seed)
    female = rng.random(n) < 0.6
    adult = rng.random(n) < np.where(female, 0.8, 0.3)
    debt = rng.random(n) < np.where(adult, 0.7, 0.1)
    threats = rng.random(n) < np.where(debt, 0.6, 0.2)
    age = np.where(adult, "adult", "minor").astype(object)
    age[rng.random(n) < 0.2] = None
    return pd.DataFrame(
        {
            "sex": pd.array(np.where(female, "F", "M"), dtype="str"),
            "age": pd.array(age, dtype="str"),
            "means": pd.array(
                [
                    ["debt"] * d + ["threats"] * t
                    for d, t in zip(debt.tolist(), threats.tolist(), strict=True)
                ],
                dtype=LISTS,
            ),
        }
    )


def released(counts, people, columns=COLUMNS):
    """A release as published, without a mechanism."""
    table = pd.DataFrame(
        {
            "length": [len(c) for c in counts],
            "attributes": [render_attributes(c) for c in counts],
            "count": list(counts.values()),
        }
    )
    table = table.assign(low=table["count"], high=table["count"], sd=1.0)
    return MarginalsRelease(table, people, people, people, 1.0, tuple(columns), {}, ())


def counted(frame, length):
    names = [c.name for c in COLUMNS]
    table = count_combinations(encode(frame, names), length).to_frame()
    return table.set_index("attributes")["count"].to_dict()


@pytest.mark.parametrize("epsilon", [0.5, 8.0])
def test_records_agree_with_the_aggregates(epsilon):
    release = draw(cases(), MarginalsSettings(epsilon, 1e-6), MarginalsSchema(COLUMNS))
    records = synthesise(release, np.random.default_rng(1))
    assert len(records) == release.people
    published = release.aggregates.set_index("attributes")["count"]
    ones = {t: n for t, n in counted(records, 1).items()}
    assert ones == published[release.aggregates.set_index("attributes")["length"] == 1].to_dict()
    pairs = {t: n for t, n in counted(records, 2).items() if ";" in t}
    wanted = {t: n for t, n in published.items() if ";" in t}
    difference = [abs(pairs.get(t, 0) - wanted.get(t, 0)) for t in set(pairs) | set(wanted)]
    # noisy pairs contradict one another by about their noise
    assert np.mean(difference) < release.aggregates["sd"].max()


def test_records_of_exact_counts_carry_the_dependence():
    frame = cases()
    truth = counted(frame, 3)
    parsed = {
        tuple(tuple(a.split(":")) for a in t.split(";")): n for t, n in truth.items() if t.count(";") < 2
    }
    records = synthesise(released(parsed, len(frame)), np.random.default_rng(3))
    made = counted(records, 3)
    for text, n in truth.items():
        # the tree holds this chain: length 1 exact, pairs by rounding, triples by chance
        allowed = (0, 5, 60)[text.count(";")]
        assert abs(made.get(text, 0) - n) <= allowed, text
    assert records["age"].isna().sum() == frame["age"].isna().sum()


def test_columns_are_typed_like_the_input():
    release = draw(cases(300), MarginalsSettings(8.0, 1e-6), MarginalsSchema(COLUMNS))
    records = synthesise(release, np.random.default_rng(0))
    assert list(records.columns) == ["sex", "age", "means"]
    assert records["sex"].dtype == "str" and records["means"].dtype == LISTS
    for cell in pa.array(records["means"]).to_pylist():
        assert cell is None or (cell == sorted(set(cell)) and cell)
    again = synthesise(release, np.random.default_rng(0))
    pd.testing.assert_frame_equal(records, again)


def test_releases_with_little_in_them():
    for people, counts in ((0, {}), (5, {}), (3, {(("sex", "F"),): 3}), (3, {(("sex", "F"),): 9})):
        records = synthesise(released(counts, people), np.random.default_rng(0))
        assert len(records) == people and list(records.columns) == ["sex", "age", "means"]
        assert records["sex"].notna().sum() == min(people, sum(counts.values()))
        assert records["means"].isna().all()
    empty = (MarginalColumn("town", ()), MarginalColumn("means", (), multi_valued=True))
    assert synthesise(released({}, 2, empty), np.random.default_rng(0)).isna().all().all()


def test_length_one_alone_gives_independent_columns():
    setting = MarginalsSettings(8.0, 1e-6, reporting_length=1)
    release = draw(cases(20_000), setting, MarginalsSchema(COLUMNS))
    records = synthesise(release, np.random.default_rng(5))
    female, adult = (records["sex"] == "F").to_numpy(), (records["age"] == "adult").to_numpy()
    together = (female & adult).mean()
    assert abs(together - female.mean() * adult.mean()) < 0.01


margins = st.integers(1, 4).flatmap(
    lambda r: st.integers(1, 4).flatmap(
        lambda c: st.lists(st.lists(st.integers(0, 30), min_size=c, max_size=c), min_size=r, max_size=r)
    )
)


@settings(max_examples=200, deadline=None)
@given(target=margins, seed=st.integers(0, 999))
def test_fitted_tables_have_exactly_their_margins(target, seed):
    """Margins of one table, start from another, zeros and contradictions included."""
    wanted = np.array(target)
    start = np.random.default_rng(seed).integers(0, 3, wanted.shape) * wanted.max()
    got = fitted_table(start.astype(float), wanted.sum(axis=1), wanted.sum(axis=0))
    assert (got >= 0).all()
    assert got.sum(axis=1).tolist() == wanted.sum(axis=1).tolist()
    assert got.sum(axis=0).tolist() == wanted.sum(axis=0).tolist()


def test_a_table_that_fits_is_left_alone():
    table = np.array([[3, 0], [1, 5]])
    assert fitted_table(table.astype(float), table.sum(axis=1), table.sum(axis=0)).tolist() == table.tolist()
    with pytest.raises(ValueError, match="different totals"):
        fitted_table(table.astype(float), np.array([1, 1]), np.array([3, 3]))


def test_repair_reaches_targets_that_can_be_reached():
    """Two variables started independent, with the targets of a perfect dependence."""
    rng = np.random.default_rng(4)
    n = 2000
    one = np.repeat([0, 1, 2], [500, 700, 800])
    other = rng.permutation(one)
    wanted = np.zeros((4, 4), dtype=np.int64)
    wanted[0, 2] = wanted[2, 0] = 700
    wanted[1, 3] = wanted[3, 1] = 800
    valid = np.zeros((4, 4), dtype=bool)
    valid[:2, 2:] = valid[2:, :2] = True
    a, b = repaired([one, other], [0, 2], wanted, valid, rng)
    assert np.bincount(a).tolist() == np.bincount(b).tolist() == [500, 700, 800]
    table = np.array([[((a == i) & (b == j)).sum() for j in range(3)] for i in range(3)])
    assert abs(table - np.diag([500, 700, 800])).sum() <= 0.01 * n
    assert (other != b).any() and np.bincount(one).tolist() == [500, 700, 800]


def test_repair_of_nothing():
    rng = np.random.default_rng(0)
    nothing = np.zeros((0, 0), dtype=np.int64)
    assert repaired([], [], nothing, nothing.astype(bool), rng) == []
    one = repaired([np.array([1])], [0], np.zeros((1, 1), dtype=np.int64), np.zeros((1, 1), dtype=bool), rng)
    assert one[0].tolist() == [1]
