"""The scan against brute force: which windows are emitted, and what chance is left out."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from hrtech.patterns import PatternSettings
from hrtech.patterns.cube import Block
from hrtech.patterns.periods import Periods
from hrtech.patterns.scan import Level, _Scan
from hrtech.patterns.tails import critical, log_tail

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
    """Exact chance that a split of the phases' counts, binomial by exposure, is extreme; None where none can split."""
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
        joint = np.convolve(joint, binom.pmf(np.arange(held + 1), held, known[p] / every))
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
    assert looked.left_out <= 20 * left_out + 1e-3


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
