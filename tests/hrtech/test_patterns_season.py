"""The test against season: exact tails over phases, likelihood ratios, and histories that end within a cycle."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import binom, hypergeom

from hrtech.patterns import PatternSettings, find_patterns
from hrtech.patterns.cube import Exposures, blocks
from hrtech.patterns.families import Records
from hrtech.patterns.periods import read_periods
from hrtech.patterns.scan import Candidates, scan_blocks
from hrtech.patterns.season import _bounded, _step_down, season_test
from hrtech.patterns.strata import Strata, likelihood_ratio
from hrtech.patterns.strata_loops import stratified_tail
from hrtech.patterns.variables import read_variables

STRATUM = st.integers(2, 120).flatmap(
    lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n - 1))
)


def _distribution(strata):
    out = np.ones(1)
    for n, k, draws in strata:
        out = np.convolve(out, hypergeom.pmf(np.arange(draws + 1), n, k, draws))
    return out


@settings(max_examples=200, deadline=None)
@given(st.lists(STRATUM, min_size=1, max_size=4), st.floats(0, 1), st.sampled_from([1, -1]))
def test_tails_over_phases_are_those_of_the_convolution(strata, place, sign):
    p = _distribution(strata)
    x = round(place * (len(p) - 1))
    n, k, draws = (np.array(v) for v in zip(*strata, strict=True))
    expected = p[x:].sum() if sign > 0 else p[: x + 1].sum()
    assert np.exp(stratified_tail(x, n, k, draws, sign)) == pytest.approx(expected, rel=1e-6, abs=1e-13)


def test_tails_over_phases_are_exact_far_out():
    n, k, draws = np.array([20_000, 22_000]), np.array([900, 1200]), np.array([10_000, 12_000])
    one, two = (hypergeom.logpmf(np.arange(k[i] + 1), n[i], k[i], draws[i]) for i in (0, 1))
    joint = np.full(len(one) + len(two) - 1, -np.inf)
    for y, log_p in enumerate(one):
        joint[y : y + len(two)] = np.logaddexp(joint[y : y + len(two)], log_p + two)
    for x, sign in ((1500, 1), (800, -1)):
        expected = np.logaddexp.reduce(joint[x:] if sign > 0 else joint[: x + 1])
        assert expected < -90
        assert stratified_tail(x, n, k, draws, sign) == pytest.approx(expected, rel=1e-9)


def _candidate(strata, total, sign):
    known, held, window = (np.array([[s[i] for s in strata]]) for i in range(3))
    its = Strata(known, held, window, np.zeros(1, dtype=np.int64))
    one, none = np.ones(1, dtype=np.int64), np.zeros(1)
    counts = np.array([[total]], dtype=np.int32)
    return its, Candidates(
        np.zeros((1, 1), dtype=np.int32), counts, one * 0, one * 0, one * len(strata), one * 0, held.sum(axis=1),
        one * sign, none, none,
    )  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(STRATUM, min_size=1, max_size=3), st.integers(0, 300), st.sampled_from([1, -1]))
def test_a_ratio_is_one_in_the_mean_under_a_season_and_rises_with_the_change(strata, more, sign):
    its, own = _candidate(strata, sum(s[1] for s in strata) + more, sign)
    known = np.array([sum(s[0] for s in strata)])
    ratio = likelihood_ratio(its, own, known * 4, own.total, known)
    assert (ratio.slope * sign > 0).all() or sum(s[1] for s in strata) == 0
    p = np.ones(1)
    for n, k, draws in strata:
        p = np.convolve(p, binom.pmf(np.arange(k + 1), k, draws / n))
    every = np.array([ratio.of(np.array([x]))[0] for x in range(len(p))])
    assert logsumexp(every[p > 0], b=p[p > 0]) == pytest.approx(0.0, abs=1e-6)
    value = float(np.median(every))
    (least,) = ratio.reaching(value, its.held.sum(axis=1), own.sign)
    good = np.flatnonzero(every >= value)
    assert sum(s[1] for s in strata) == 0 or least == (good.min() if sign > 0 else good.max())


def _history(seed, months, rows, season=None, rise=None):
    """Records of two columns, with a season in some months of the year and a rise in one month."""
    rng = np.random.default_rng(seed)
    labels = pd.period_range("2022-01", periods=months, freq="M").strftime("%Y-%m")
    when = rng.integers(0, months, rows)
    a, b = rng.integers(0, 5, rows), rng.integers(0, 6, rows)
    parts = [np.column_stack([when, a, b])]
    if season:
        for p in range(months):
            if p % 12 in season:
                parts.append(np.tile([p, 1, 1], (rng.poisson(25), 1)))
    if rise is not None:
        parts.append(np.tile([rise, 2, 3], (45, 1)))
    t, a, b = np.concatenate(parts).T
    return pd.DataFrame({"month": labels[t], "a": [f"a{v}" for v in a], "b": [f"b{v}" for v in b]})


def test_p_season_is_the_tail_over_the_phases_that_other_cycles_have():
    frame = _history(3, 18, 2_000, rise=15)
    found = find_patterns(frame, PatternSettings("month", exploratory=0.0, dispersion="none")).leaders
    row = found[found["attributes"] == "a:a2;b:b3"].iloc[0]
    assert row["first"] == row["last"] == "2023-04"
    held = (frame["a"] == "a2") & (frame["b"] == "b3")
    phase, window = frame["month"].str.endswith("-04"), frame["month"] == "2023-04"
    expected = hypergeom.sf(
        (held & window).sum() - 1, phase.sum(), (held & phase).sum(), (window & phase).sum()
    )
    assert row["p_season"] == pytest.approx(expected, rel=1e-6)


def test_a_season_does_not_hide_a_rise_and_is_none_where_a_second_cycle_shows_it():
    # phases 0 to 5 occur twice, the others once
    told = [
        find_patterns(_history(seed, 18, 2_000, season=(3, 4), rise=14), PatternSettings("month", exploratory=0.0))
        for seed in range(6)
    ]  # fmt: skip
    assert sum("a:a2;b:b3" in set(one.leaders["attributes"]) for one in told) >= 5
    assert sum("a:a1;b:b1" in set(one.leaders["attributes"]) for one in told) <= 1


def test_a_window_that_only_partly_has_a_second_cycle_is_tested_where_it_has():
    # June and July: June occurs twice, July once
    frame = _history(5, 18, 2_000, season=(5, 6))
    found = find_patterns(frame, PatternSettings("month", exploratory=0.0, windows=(2,), season_proof=True))
    assert not len(found.leaders)


def test_a_leader_that_no_split_brings_through_the_first_stage_does_not_stand_for_its_family():
    frame, given = _history(3, 24, 2_000, season=(3, 4)), PatternSettings("month")
    periods = read_periods(frame, given)
    variables = read_variables(frame, periods, given)
    exposures = Exposures(variables)
    scanned = scan_blocks(lambda: blocks(variables, exposures, 2, given.min_count), exposures, periods, given)
    its, none = scanned.candidates, np.zeros(len(scanned.candidates))
    matters = np.isfinite(its.log_split)
    assert matters.any()
    tested = season_test(
        its, np.ones(len(its), dtype=bool), none - 700.0, none, scanned.known, none + 1.0, Records(variables), periods,
        0.05, 100, np.random.default_rng(1),
    )  # fmt: skip
    assert (tested.adjusted[matters] > 0.05).all()
    assert (tested.expected[matters] > 0.05).all()


def test_p_season_of_batches_is_that_of_one_record_a_batch():
    frame = _history(3, 24, 1_500, rise=15)
    alone = find_patterns(frame, PatternSettings("month", exploratory=0.0, dispersion="none"))
    batches = frame.loc[frame.index.repeat(4)].reset_index(drop=True)
    found = find_patterns(batches, PatternSettings("month", exploratory=0.0))
    naive = find_patterns(batches, PatternSettings("month", exploratory=0.0, dispersion="none"))
    assert found.search.dispersion == pytest.approx(4.0, rel=0.4)
    one, two, three = (
        f.leaders.set_index("attributes").loc["a:a2;b:b3", "p_season"].min() for f in (alone, found, naive)
    )
    assert three < one**3
    assert one**1.5 < two < one**0.5


def test_without_random_splits_the_correction_is_by_the_exact_chances():
    rng = np.random.default_rng(8)
    known, held, window = (np.full((3, 1), v) for v in (400, 60, 200))
    strata = Strata(known, held, window, np.array([44, 38, 31]))
    one, none = np.ones(3, dtype=np.int64), np.zeros(3)
    own = Candidates(
        np.zeros((3, 1), dtype=np.int32), np.full((3, 1), 90, dtype=np.int32), one * 0, one * 0, one, strata.observed,
        held[:, 0], one, none, none,
    )  # fmt: skip
    ratio = likelihood_ratio(strata, own, one * 1600, own.total, known[:, 0])
    observed = ratio.of(strata.observed)
    order = np.argsort(-observed, kind="stable")
    bounded, every = _bounded(observed, order, own, strata, ratio)
    tails = hypergeom.sf(strata.observed - 1, 400, 60, 200)
    assert bounded == pytest.approx(np.minimum(tails * np.array([3, 2, 1]), 1), rel=1e-6)
    assert every == pytest.approx(3 * tails, rel=1e-6)
    drawn = ratio.of(rng.hypergeometric(60, 340, 200, (40_000, 3)))
    assert (_step_down(observed, order, drawn) <= bounded + 0.01).all()
