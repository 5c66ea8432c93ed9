"""Intervals for true counts: they cover what they say at every true count, and are those of the paper."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from hrtech.release.intervals import _acceptance, intervals, intervals_of

#: So many people per standard deviation that rounding to whole numbers does not matter.
FINE = 1e8


def ends(x, confidence):
    low, high = intervals(np.atleast_1d(x) * FINE, np.full(np.size(x), FINE), confidence)
    return low / FINE, high / FINE


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_every_true_count_is_covered_as_often_as_is_said(confidence):
    """What is accepted is an interval of measured values; its probability follows from its two ends."""
    for mu in [0.0, 1e-3, 0.004, 0.01, 0.05, *np.linspace(0.1, 8, 40), 30.0, 1e4]:
        x = np.linspace(mu - 9, mu + 7, 20_001)
        low, high = ends(x, confidence)
        inside = (low <= mu) & (mu <= high)
        # one run of values, as far as there is probability
        assert (np.diff(np.flatnonzero(inside)) == 1).all()
        first, last = x[inside][[0, -1]]
        covered = norm.cdf(last - mu) - (norm.cdf(first - mu) if first > x[0] else 0)
        # the grid resolves a probability to 0.0004
        assert confidence - 0.0005 <= covered <= confidence + 0.0015, mu


#: Feldman and Cousins 1998, Table X: measured mean, level, ends of the interval.
TABLE = [
    (-3.0, 0.95, 0.00, 0.42),
    (-1.0, 0.95, 0.00, 1.10),
    (0.0, 0.95, 0.00, 1.96),
    (1.0, 0.95, 0.00, 2.96),
    (2.0, 0.95, 0.35, 3.96),
    (-3.0, 0.90, 0.00, 0.26),
    (0.0, 0.90, 0.00, 1.64),
    (2.6, 0.90, 1.02, 4.24),
]


@pytest.mark.parametrize(("x", "confidence", "low", "high"), TABLE)
def test_the_ends_are_those_of_the_paper(x, confidence, low, high):
    got = ends(x, confidence)
    assert got[0][0] == pytest.approx(low, abs=0.006) and got[1][0] == pytest.approx(high, abs=0.006)


@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_acceptance_is_by_likelihood_ratio(confidence):
    """The regions against the ordering itself, value by value on a fine grid."""
    x = np.arange(-14, 14, 0.004)
    true, left, right = _acceptance(confidence)
    for k in (1, 30, 100, 163, 250, 400, 600):
        mu = true[k]
        mass = norm.pdf(x - mu) * 0.004
        ratio = -((x - mu) ** 2) / 2 + (x - np.maximum(x, 0)) ** 2 / 2
        order = np.argsort(-ratio, kind="stable")
        own = x[order[: np.searchsorted(np.cumsum(mass[order]), confidence) + 1]]
        assert right[k] == pytest.approx(own.max(), abs=0.01)
        assert max(left[k], x[0]) == pytest.approx(own.min(), abs=0.03)


@settings(max_examples=60, deadline=None)
@given(
    direct=st.lists(st.floats(-1e7, 1e7), min_size=1, max_size=20),
    sd=st.one_of(st.just(0.0), st.floats(1e-6, 1e5)),
    confidence=st.sampled_from([0.5, 0.9, 0.95, 0.999]),
)
def test_ends_are_whole_ordered_and_around_what_was_measured(direct, sd, confidence):
    direct = np.sort(np.array(direct))
    low, high = intervals(direct, np.full(len(direct), sd), confidence)
    assert low.dtype == high.dtype == np.int64
    assert (low >= 0).all() and (low <= high).all()
    assert (low <= np.maximum(np.ceil(direct), 0)).all() and (high >= np.floor(direct)).all()
    assert (np.diff(low) >= 0).all() and (np.diff(high) >= 0).all()
    if sd >= 1:
        # narrower ones may hold no whole number
        wide = intervals(direct, np.full(len(direct), sd), 0.9999)
        assert (wide[0] <= low).all() and (wide[1] >= high).all()


@settings(max_examples=60, deadline=None)
@given(count=st.integers(0, 10**9))
def test_a_known_count_is_its_own_interval(count):
    assert intervals_of(float(count), 0.0, 0.95) == (count, count)


def test_an_interval_without_a_whole_number_is_widened_to_those_around_it():
    assert intervals_of(1.5, 0.05, 0.95) == (1, 2)
    assert intervals_of(0.5, 0.05, 0.95) == (0, 1)
    assert intervals_of(2.02, 0.05, 0.95) == (2, 2)
    assert intervals_of(-40.0, 1.0, 0.95) == (0, 0)


@pytest.mark.parametrize("sd", [0.7, 3.0, 25.0])
@pytest.mark.parametrize("count", [0, 1, 4, 30, 1000])
def test_whole_numbers_cover_at_least_as_often(count, sd):
    rng = np.random.default_rng(count)
    direct = count + rng.normal(0, sd, 40_000)
    low, high = intervals(direct, np.full(len(direct), sd), 0.95)
    covered = ((low <= count) & (count <= high)).mean()
    assert covered > 0.95 - 4 * np.sqrt(0.95 * 0.05 / 40_000)
