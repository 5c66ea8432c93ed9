"""Tails, thresholds and periods of the search for patterns, against other ways of computing them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaln
from scipy.stats import binom, hypergeom

from hrtech.patterns import PatternsError, PatternSettings
from hrtech.patterns.periods import read_periods
from hrtech.patterns.reach import bands, chernoff, fall_to, nearest, rarity, rise_from
from hrtech.patterns.tails import critical, deviance, log_tail
from hrtech.patterns.thresholds import tarone

TABLES = st.integers(2, 400).flatmap(
    lambda n: st.tuples(st.just(n), st.integers(1, n - 1), st.integers(1, n - 1), st.floats(0, 1))
)


@settings(max_examples=300, deadline=None)
@given(TABLES)
def test_tails_are_those_of_scipy(drawn):
    n, k, draws, place = drawn
    low, high = max(0, draws + k - n), min(k, draws)
    x = round(low + place * (high - low))
    assert np.exp(log_tail(x, n, k, draws, 1)) == pytest.approx(hypergeom.sf(x - 1, n, k, draws), rel=1e-7)
    assert np.exp(log_tail(x, n, k, draws, -1)) == pytest.approx(hypergeom.cdf(x, n, k, draws), rel=1e-7)


@settings(max_examples=200, deadline=None)
@given(TABLES, st.floats(-20, -0.5), st.sampled_from([1, -1]), st.floats(0, 400))
def test_the_critical_count_is_the_first_that_is_extreme(drawn, log_p, sign, start):
    n, k, draws, _ = drawn
    low, high = max(0, draws + k - n), min(k, draws)
    mean = k * draws / n
    every = [x for x in range(low, high + 1) if (x > mean if sign > 0 else x < mean + 1 and x <= mean)]
    extreme = [x for x in every if log_tail(x, n, k, draws, sign) <= log_p]
    found = critical(n, k, draws, sign, log_p, start)
    if extreme:
        assert found == (min(extreme) if sign > 0 else max(extreme))
    else:
        assert found > high or found < low


@settings(max_examples=200, deadline=None)
@given(TABLES)
def test_cheap_bounds_hold(drawn):
    n, k, draws, place = drawn
    low, high = max(0, draws + k - n), min(k, draws)
    x = round(low + place * (high - low))
    sign = 1 if x > k * draws / n else -1
    tail = log_tail(x, n, k, draws, sign)
    assert tail <= -chernoff(x, k, draws / n) + 1e-6
    assert tail >= -deviance(x, n, k, draws) - 0.5 - 0.5 * np.log(2 * np.pi * max(x, 1))


@settings(max_examples=200, deadline=None)
@given(TABLES, st.floats(-20, -0.5), st.sampled_from([1, -1]), st.floats(0, 400))
def test_the_near_count_lies_no_further_from_the_mean_than_the_critical_one(drawn, log_p, sign, start):
    n, k, draws, _ = drawn
    exact = critical(n, k, draws, sign, log_p, start)
    for logs in (gammaln(np.arange(1.0, n + 2)), np.zeros(1)):
        found = nearest(n, k, draws, sign, log_p, start, logs)
        assert (exact - found) * sign >= 0
        assert abs(exact - found) <= 1


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 600), st.floats(0.02, 0.98), st.integers(0, 300), st.floats(5, 40))
def test_splits_beyond_the_limits_are_as_rare_as_they_are_taken_for(phases, share, count, far):
    draws = min(max(round(phases * share), 1), phases - 1)
    share = draws / phases
    rise, fall = rise_from(max(count, 1), share, far), fall_to(count, share, far)
    for same in range(max(count, 1), min(int(np.ceil(rise)), phases + 1)):
        assert hypergeom.logsf(max(count, 1) - 1, phases, same, draws) <= -far + 1e-6
    for same in range(int(fall) + 1, phases + 1, 1 + phases // 50):
        assert hypergeom.logcdf(count, phases, same, draws) <= -far + 1e-6
    if rise > max(count, 1) + 1:  # no further in than the bound needs
        assert chernoff(max(count, 1), rise + 2, share) < 1.1 * far + 0.5


STRATUM = st.tuples(st.integers(0, 60), st.floats(0.05, 0.95))


@settings(max_examples=200, deadline=None)
@given(st.lists(STRATUM, min_size=1, max_size=3), st.floats(0, 1))
def test_the_rarity_of_a_split_bounds_its_chance_closely(strata, place):
    held, share = (np.array(v) for v in zip(*strata, strict=True))
    joint = np.ones(1)
    for k, q in strata:
        joint = np.convolve(joint, binom.pmf(np.arange(k + 1), k, q))
    x, mean = round(place * held.sum()), float((held * share).sum())
    if x == mean:
        return
    exact = -np.log(joint[x:].sum() if x > mean else joint[: x + 1].sum())
    found = rarity(x, held, share, mean)
    assert found <= exact + 1e-9
    assert found >= 0.75 * exact - 1.5


@pytest.mark.parametrize("number", [10, 3000, 30_000])
def test_every_total_has_a_band(number):
    edges = bands(50_000, number, 24)
    assert edges[0] == 0
    assert edges[-1] > 50_000
    assert (np.diff(edges) >= 1).all()
    assert (np.diff(edges)[:8] == 1).all()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(1e-9, 1), min_size=1, max_size=300), st.floats(0.001, 0.1))
def test_tarone_never_spends_more_than_it_has(least, alpha):
    bins = np.zeros(1000, dtype=np.int64)
    np.add.at(bins, np.minimum((-10 * np.log(least)).astype(int), 999), 1)
    threshold, reachable = tarone(bins, alpha)
    assert sum(p <= threshold for p in least) <= reachable
    assert reachable * threshold <= alpha * (1 + 1e-9)
    assert threshold >= alpha / len(least) * (1 - 1e-9)  # never worse than Bonferroni


@pytest.mark.parametrize(
    ("cells", "kind", "labels", "index", "cycle"),
    [
        (["2024-01", "2024-03", "2023-12"], "automatic", ("2023-12", "2024-01", "2024-02", "2024-03"), [1, 3, 0], 12),
        (["2024-Q1", "2023-Q4"], "automatic", ("2023-Q4", "2024-Q1"), [1, 0], 4),
        (["2024-H1", "2023-H1"], "automatic", ("2023-H1", "2023-H2", "2024-H1"), [2, 0], 2),
        (["2020-W53", "2021-W01"], "automatic", ("2020-W53", "2021-W01"), [0, 1], 52),
        ([2020, 2022], "automatic", ("2020", "2021", "2022"), [0, 2], None),
        (["2024-01-31", "2024-02-01T10:00:00"], "automatic", ("2024-01", "2024-02"), [0, 1], 12),
        (["2024-01-31", "2024-04-01"], "quarter", ("2024-Q1", "2024-Q2"), [0, 1], 4),
        (["2024-01", "2024-07"], "half_year", ("2024-H1", "2024-H2"), [0, 1], 2),
        (["2024-12-29", "2024-12-30"], "week", ("2024-W52", "2025-W01"), [0, 1], 52),
        ([3, 5], "automatic", ("3", "4", "5"), [0, 2], None),
    ],
)  # fmt: skip
def test_times_become_periods_without_gaps(cells, kind, labels, index, cycle):
    periods = read_periods(pd.DataFrame({"t": cells}), PatternSettings("t", period=kind))
    assert periods.labels == labels
    assert periods.index.tolist() == index
    assert periods.cycle == cycle


def test_real_dates_are_read_and_blank_ones_left_out():
    frame = pd.DataFrame({"t": pd.to_datetime(["2024-01-15", None, "2024-03-01"])})
    periods = read_periods(frame, PatternSettings("t"))
    assert periods.index.tolist() == [0, -1, 2]
    assert any("1 records have no time" in r for r in periods.remarks)
    assert any("hold no record (2024-02)" in r for r in periods.remarks)


def test_a_declared_period_holds_no_mark_that_divides_periods():
    with pytest.raises(PatternsError, match=r"holds a semicolon.*\[setting: periods\]"):
        PatternSettings("t", period="declared", periods=("2019; first half", "2019, second half"))


def test_declared_periods_keep_their_order():
    given = PatternSettings("t", period="declared", periods=("before", "during", "after"))
    periods = read_periods(pd.DataFrame({"t": ["after", "before"]}), given)
    assert periods.labels == ("before", "during", "after")
    assert periods.index.tolist() == [2, 0]


@pytest.mark.parametrize(
    ("frame", "given", "words"),
    [
        ({"x": ["a"]}, {}, "No column is called 't'"),
        ({"t": []}, {}, "no rows"),
        ({"t": [None, ""]}, {}, "Every cell of column 't' is blank"),
        ({"t": ["2024-01", "2024-01"]}, {}, "one month only"),
        ({"t": ["2024-01-01", "secret"]}, {}, "the first in row 2"),
        ({"t": ["2024", "2025"]}, {"period": "month"}, "does not say the month"),
        ({"t": ["0001-01-01", "2024-01-01"]}, {}, "cannot be read|spans"),
        ({"t": ["a", "b"]}, {"period": "declared", "periods": ("a", "c")}, "the first in row 2"),
    ],
)
def test_times_that_cannot_be_read_are_refused_without_their_content(frame, given, words):
    with pytest.raises(PatternsError, match=words) as caught:
        read_periods(pd.DataFrame(frame), PatternSettings("t", **given))
    assert "secret" not in str(caught.value)
