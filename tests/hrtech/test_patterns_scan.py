"""The scan against brute force: which windows are emitted, and what chance is left out. Random splits of seasons."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import hypergeom

from hrtech.patterns import PatternSettings
from hrtech.patterns.cube import Block
from hrtech.patterns.dispersion import Dispersion
from hrtech.patterns.families import Records
from hrtech.patterns.periods import Periods, read_periods
from hrtech.patterns.scan import Candidates, Level, Scanned, _Scan
from hrtech.patterns.search import _without_rare
from hrtech.patterns.splits import random_splits
from hrtech.patterns.tails import critical, log_tail
from hrtech.patterns.variables import read_variables

LOG_P = -9.0


def _world(seed, cycle, months, blank):
    """Counts of combinations, some with a season, in periods of unequal volume, one of them empty."""
    rng = np.random.default_rng(seed)
    known = (600 * rng.uniform(0.4, 1.6, (2, months))).astype(np.int64)
    known[:, 3] *= 3
    if blank is not None:
        known[:, blank] = 0
    exposure = rng.integers(0, 2, 24)
    share = rng.choice([0.01, 0.05, 0.2], 24)[:, None] * np.ones(months)
    share[::3, np.arange(months) % cycle == 2] *= 3
    share[1::7, np.arange(months) % cycle == 4] = 0
    counts = rng.binomial(known[exposure], np.minimum(share, 0.9)).astype(np.int32)
    return counts, exposure, known


def _chances(counts, known, first, length, phase, sign):
    """Exact chance that a split of the phases' counts by exposure is extreme; None where none can split."""
    n, k, inside = known.sum(), counts.sum(), slice(first, first + length)
    draws = known[inside].sum()
    least = critical(n, k, draws, sign, LOG_P, k * draws / n)
    joint, splits = np.ones(1), False
    for p in range(first, first + length):
        same = phase == phase[p]
        held, every = counts[same].sum(), known[same].sum()
        if known[p] == 0:
            continue
        splits |= bool(known[p] < every)
        joint = np.convolve(joint, hypergeom.pmf(np.arange(held + 1), every, held, known[p]))
    if not splits:
        return None
    return float(joint[max(least, 0) :].sum() if sign > 0 else joint[: max(least + 1, 0)].sum())


@pytest.mark.parametrize(("months", "blank"), [(24, None), (20, 9)])
@pytest.mark.parametrize("emitted", [3.0, 12.0])
def test_every_window_that_is_or_may_become_extreme_is_emitted(months, blank, emitted):
    cycle = 12
    counts, exposure, known = _world(months, cycle, months, blank)
    phase = np.arange(months, dtype=np.int64) % cycle
    periods = Periods(np.zeros(1, dtype=np.int32), tuple(map(str, range(months))), phase, cycle, ())
    level = Level(len(counts), 1, 1, float(np.exp(LOG_P)))
    windows = np.array([1, 2, 3])
    given = PatternSettings("t")
    looked = _Scan(periods, given, known, windows, {1: level}, False, emitted, int(counts.sum(axis=1).max()))
    cells = np.full((len(counts), 4), -1, dtype=np.int32)
    cells[:, 0] = np.arange(len(counts))
    looked.add(Block(cells, counts, exposure))
    found = {}
    for part in looked.parts:
        for h in range(len(part)):
            found[int(part.cells[h, 0]), int(part.first[h]), int(part.window[h])] = part, h
    left_out, reached, split = 0.0, 0, 0
    for row in range(len(counts)):
        own, units = counts[row], known[exposure[row]]
        n, k = units.sum(), own.sum()
        for length in windows.tolist():
            for first in range(months - length + 1):
                draws, x = units[first : first + length].sum(), own[first : first + length].sum()
                if draws == 0:
                    continue
                sign = 1 if x > k * draws / n else -1
                tail = log_tail(x, n, k, draws, sign)
                part, h = found.get((row, first, length), (None, 0))
                if tail <= LOG_P:
                    reached += 1
                    assert part is not None
                    assert part.log_p[h] == pytest.approx(tail, rel=1e-6)
                    assert part.sign[h] == sign
                chances = [_chances(own, units, first, length, phase, way) for way in (1, -1)]
                if chances[0] is None:
                    assert part is None or (part.same_phase[h] == -1 and part.log_split[h] == -np.inf)
                    continue
                if part is not None and part.log_split[h] > -np.inf:
                    split += 1
                    assert part.log_split[h] >= np.log(max(chances)) - 1e-6
                else:
                    assert max(chances) < np.exp(-emitted)
                    left_out += sum(chances)
    assert reached > 20
    assert split > 20
    assert looked.left_out >= left_out - 1e-9
    assert looked.left_out <= 20 * left_out + 2e-3


def test_only_windows_of_the_last_period_and_of_one_direction_are_emitted_where_asked():
    counts, exposure, known = _world(5, 12, 24, None)
    counts[:6, -1] *= 6
    periods = Periods(
        np.zeros(1, dtype=np.int32), tuple(map(str, range(24))), np.arange(24, dtype=np.int64) % 12, 12, ()
    )
    level = Level(len(counts), 1, 1, float(np.exp(LOG_P)))
    cells = np.zeros((len(counts), 4), dtype=np.int32)
    for given, last in ((PatternSettings("t", directions=("fading",)), False), (PatternSettings("t"), True)):
        looked = _Scan(
            periods, replace(given), known, np.array([1, 2]), {4: level}, last, 12.0, int(counts.sum(axis=1).max())
        )  # fmt: skip
        looked.add(Block(cells, counts, exposure))
        for part in looked.parts:
            assert (part.first + part.window == 24).all() if last else (part.sign == -1).all()
        assert sum(map(len, looked.parts))


@pytest.mark.parametrize("subject", [None, "who"])
def test_random_splits_keep_phases_and_relatives_together(subject):
    rng = np.random.default_rng(7)
    months = pd.period_range("2022-01", periods=24, freq="M").strftime("%Y-%m")
    when = rng.integers(0, 24, 4000)
    frame = pd.DataFrame({"a": rng.integers(0, 2, 4000), "b": rng.integers(0, 2, 4000)}).astype(str)
    frame["t"], frame["who"] = months[when], rng.integers(0, 900, 4000).astype(str)
    given = PatternSettings("t", columns=("a", "b"), subject=subject)
    periods = read_periods(frame, given)
    variables = read_variables(frame, periods, given)
    records = Records(variables)
    cells = np.array([[0, -1], [0, 2], [0, 2]], dtype=np.int32)
    ones, none = np.ones(3, dtype=np.int64), np.zeros(3)
    first = np.array([3, 3, 15])
    own = Candidates(
        cells, np.zeros((3, 24), np.int32), 0 * ones, first, 2 * ones, 0 * ones, ones, ones, none, none
    )
    counts = random_splits(own, records, periods, 400, np.random.default_rng(1))
    assert counts is not None
    rows = (frame["a"] == "0") & (frame["b"] == "0") & np.isin(when % 12, [3, 4])
    units = frame.loc[rows, ["t", "who"]].drop_duplicates() if subject else frame.loc[rows]
    assert (counts[:, 1] + counts[:, 2] == len(units)).all()  # both cycles together hold what there is
    assert (counts[:, 1] <= counts[:, 0]).all()  # a part of a pattern goes where it goes
    share = variables.exposure(3)
    expected = sum(
        len(units[units["t"].str.endswith(f"-{p + 1:02d}")]) * share[p] / (share[p] + share[p + 12]) for p in (3, 4)
    )  # fmt: skip
    assert counts[:, 1].mean() == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("subject", [None, "who"])
@pytest.mark.parametrize("by_kind", [False, True])
def test_random_splits_follow_what_is_known_where_a_column_is_recorded_in_some_cycles_only(subject, by_kind):
    """Or, with `by_kind`, where no record of a person has both columns."""
    rng = np.random.default_rng(3)
    months = pd.period_range("2021-01", periods=36, freq="M").strftime("%Y-%m")
    when = rng.integers(0, 36, 18_000)
    frame = pd.DataFrame({"a": rng.integers(0, 2, 18_000), "b": rng.integers(0, 2, 18_000)}).astype(str)
    frame["t"], frame["who"] = months[when], rng.integers(0, 1500, 18_000).astype(str)
    kind = rng.integers(0, 2, 18_000)
    frame["a"] = frame["a"].where((kind == 0) | (not by_kind))
    frame["b"] = frame["b"].where((when >= 12) & ((kind == 1) | (not by_kind)))
    given = PatternSettings("t", columns=("a", "b"), subject=subject)
    periods = read_periods(frame, given)
    variables = read_variables(frame, periods, given)
    cells, first = np.array([[0, -1]] * 3 + [[2, -1]] * 3, dtype=np.int32), np.array([3, 15, 27] * 2)
    ones, none = np.ones(6, dtype=np.int64), np.zeros(6)
    own = Candidates(
        cells, np.zeros((6, 36), np.int32), 0 * ones, first, ones, 0 * ones, ones, ones, none, none
    )
    counts = random_splits(own, Records(variables), periods, 400, np.random.default_rng(1))
    assert counts is not None
    for its, column in ((slice(0, 3), 1), (slice(3, 6), 2)):
        known = variables.exposure(column)[[3, 15, 27]]
        held = counts[0, its].sum()
        assert (counts[:, its].sum(axis=1) == held).all()
        assert counts[:, its].mean(axis=0) == pytest.approx(held * known / known.sum(), abs=0.2 * held**0.5)


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [3, 4, 2, 1, 0]])
def test_equally_rare_splits_are_all_spared_or_none(order):
    chance = np.array([0.004, 0.004, 0.001, 0.001, 0.0])[order]
    five, none = np.zeros(5, dtype=np.int64), np.zeros(5)
    with np.errstate(divide="ignore"):
        its = Candidates(
            np.zeros((5, 1), np.int32), np.zeros((5, 2), np.int32), five, five, five + 1, five, five, five + 1, none,
            np.log(chance),
        )  # fmt: skip
    scanned = Scanned(its, np.ones((1, 2), np.int64), {}, 0.0005, 0, Dispersion(np.zeros(1), np.ones(1)))
    left = _without_rare(scanned, 0.007)
    assert (np.isfinite(left.candidates.log_split) == (chance == 0.004)).all()
    assert left.left_out == pytest.approx(0.0025)
    assert np.isinf(_without_rare(scanned, 0.011).candidates.log_split).all()
