"""The compiled loops of `scan`: what could be significant at all, and the windows whose count is or may become so."""

from math import exp, log
from typing import Any

import numba as nb
import numpy as np

from hrtech.patterns.reach import (
    DOWN,
    FALL,
    FINE,
    FROM,
    NEAR,
    RISE,
    TO,
    UP,
    build,
    nearest,
    outline,
    own,
    rarity,
)
from hrtech.patterns.tails import log_tail

#: Columns of what `scan` emits.
ROW, FIRST, LENGTH, COUNT, SAME_PHASE, SIGN, REACHES = range(7)


@nb.njit(cache=True, nogil=True)
def chi_squares(counts: Any, rows: Any, share: Any, exposure: Any, known: Any) -> Any:
    """Chi-squares over periods of some combinations, whose share of what is known is given."""
    out = np.zeros(len(rows))
    for i in range(len(rows)):
        there = known[exposure[rows[i]]]
        for p in range(counts.shape[1]):
            if there[p] > 0:
                expected = share[i] * there[p]
                out[i] += (counts[rows[i], p] - expected) ** 2 / expected
    return out


@nb.njit(cache=True, nogil=True)
def testable(
    known: Any, exposure: Any, totals: Any, number: Any, windows: Any, up: bool, down: bool, last: bool, fine: Any
) -> None:  # fmt: skip
    """Count hypotheses by the least p that they could have, in bins of -log p, in place.

    Args:
        known: Units by period where columns are known, shape (exposures, periods).
        exposure: Row of `known`, those of one exposure together.
        totals: Units that hold the combinations.
        number: How many combinations have this exposure and total.
        windows: Lengths of windows.
        up: Whether a rise is a hypothesis.
        down: Whether a fall is.
        last: Whether only windows that end with the last period are hypotheses.
        fine: Shape (bins,); bin b holds b / 10 ≤ -log p < (b + 1) / 10, the last all beyond.
    """
    n_periods, bins = known.shape[1], len(fine)
    rooms = np.empty(2 * len(windows) * n_periods, np.int64)
    n, n_rooms, before = np.int64(0), 0, -1
    for i in range(len(totals)):
        if exposure[i] != before:
            before, n, n_rooms = exposure[i], known[exposure[i]].sum(), 0
            for length in windows:
                for first in range(n_periods - length if last else 0, n_periods - length + 1):
                    draws = known[before, first : first + length].sum()
                    for side in range(2 if 0 < draws < n else 0):
                        if (side == 0 and up) or (side == 1 and down):
                            rooms[n_rooms] = draws if side == 0 else n - draws
                            n_rooms += 1
        k = totals[i]
        # all k in the room: a product of k factors, none smaller than the last
        lowest = exp(-0.1 * bins / k) * (n - k + 1.0)
        for r in range(n_rooms):
            reach = rooms[r] - k + 1.0
            if reach <= lowest:
                fine[bins - 1] += number[i]
            else:
                fine[min(int(-10.0 * k * log(reach / (n - k + 1.0))), bins - 1)] += number[i]


@nb.njit(cache=True, nogil=True)
def scan(
    counts: Any, rows: Any, band: Any, exposure: Any, known: Any, windows: Any, up: bool, down: bool, log_p: float,
    phase: Any, n_phases: int, last: bool, emitted: float, logs: Any, reach: Any, out: Any, tails: Any,
) -> Any:  # fmt: skip
    """Emit windows whose count is extreme, or might be if a season alone split the count of its phases by chance.

    Args:
        counts: Units by combination and period.
        rows: Which combinations, those of one exposure together.
        band: Band of each of them in `reach`.
        exposure: Row of `known` for each combination.
        known: Units by period where the columns are known, shape (exposures, periods).
        windows: Lengths of windows, rising.
        up: Whether risen counts are asked for.
        down: Whether fallen counts are.
        log_p: Log of the p that matters.
        phase: Phase of each period.
        n_phases: How many phases; 0: there is no season to look at.
        last: Whether only windows that end with the last period are looked at.
        emitted: -log of the least chance of a split that is emitted.
        logs: Logs of factorials.
        reach: What could matter, see there; filled as it is needed.
        out: Receives the columns named above, shape (room, 7).
        tails: Receives log p and the log of the chance of a split that reaches `log_p`, shape (room, 2).

    Returns:
        How many rows there would be (those beyond the room are not written), and a bound of the sum of the chances of
        splits that were too small to be emitted.
    """
    shape = (len(windows), counts.shape[1])
    inside, expected = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    x, mean = inside.ravel(), expected.ravel()
    summed, brought = np.zeros(shape[1] + 1, np.int64), np.zeros(shape[1] + 1)
    held = np.zeros(n_phases + 1, np.int64)
    sides = int(up) + int(down)
    beyond = np.array([exp(-emitted - far) for far in NEAR])
    found, left_out = 0, 0.0
    for i in range(len(rows)):
        row = rows[i]
        if reach.owner[0] != exposure[row]:
            own(reach, exposure[row], known[exposure[row]], windows, phase, n_phases, last)
        _sum_windows(counts[row], reach, windows, held, summed, brought, inside, expected)
        if reach.known[band[i]] != FINE:
            outline(reach, band[i], up, down, log_p, logs)
            if not _may_matter(reach.coarse[band[i]], inside, windows, held):
                left_out += sides * reach.owner[2] * beyond[2]
                continue
            build(reach, band[i], up, down, log_p, emitted, logs)
        extreme = _within(x, reach.counts[band[i], RISE], reach.counts[band[i], FALL])
        limits = reach.means[band[i]]
        far = _within(mean, limits[FROM + 2], limits[TO + 2])
        left_out += (sides * reach.owner[2] - far) * beyond[2]
        if extreme + far == 0:
            continue
        near = _within(mean, limits[FROM], limits[TO])
        middle = _within(mean, limits[FROM + 1], limits[TO + 1])
        left_out += (middle - near) * beyond[0] + (far - middle) * beyond[1]
        if extreme + near > 0:
            found, small = _emit(
                row, counts[row], band[i], x, mean, windows, phase, held, log_p, emitted, logs, reach, out, tails, found
            )  # fmt: skip
            left_out += small
    return found, left_out


@nb.njit(cache=True, nogil=True)
def _sum_windows(
    counts: Any, reach: Any, windows: Any, held: Any, summed: Any, brought: Any, inside: Any, expected: Any
) -> None:  # fmt: skip
    """Units in each place of the cycle, in each window, and how many its phases bring there in the mean."""
    n_periods = len(counts)
    held[:] = 0
    for p in range(n_periods if len(held) > 1 else 0):
        held[reach.place[p]] += counts[p]
    for p in range(n_periods):
        summed[p + 1] = summed[p] + counts[p]
        brought[p + 1] = brought[p] + held[reach.place[p]] * reach.share[p]
    for a in range(len(windows)):
        length = windows[a]
        number = n_periods - length + 1
        one, two = inside[a, :number], expected[a, :number]
        for first in range(number):
            one[first] = summed[first + length] - summed[first]
            two[first] = brought[first + length] - brought[first]


@nb.njit(cache=True, nogil=True)
def _may_matter(coarse: Any, inside: Any, windows: Any, held: Any) -> bool:
    """Whether any window comes up to the limits of all windows of its length; no phases hold more than these."""
    for a in range(len(coarse)):
        if coarse[a, 1] >= 0 or inside[a].max() >= coarse[a, 0] or held.max() * windows[a] >= coarse[a, 0]:
            return True
    return False


@nb.njit(cache=True, nogil=True)
def _within(value: Any, least: Any, most: Any) -> int:
    """How many values are at least the one limit or at most the other."""
    found: Any = np.int32(0)
    for w in range(len(value)):
        found += np.int32(value[w] >= least[w]) + np.int32(value[w] <= most[w])
    return found


@nb.njit(cache=True, nogil=True)
def _emit(
    row: int, counts: Any, band: int, inside: Any, expected: Any, windows: Any, phase: Any, held: Any, log_p: float,
    emitted: float, logs: Any, reach: Any, out: Any, tails: Any, found: int,
) -> Any:  # fmt: skip
    """Look closely at the windows of a combination within the limits; emit what matters, sum what hardly does."""
    n_periods, n, k = len(counts), reach.owner[1], np.int64(counts.sum())
    rise, fall = reach.counts[band, RISE], reach.counts[band, FALL]
    least, most = reach.means[band, FROM], reach.means[band, TO]
    left_out = 0.0
    its, share = np.empty(n_periods, np.int64), np.empty(n_periods)
    for w in range(len(inside)):
        first, length = w % n_periods, windows[w // n_periods]
        x, draws = np.int64(inside[w]), reach.draws[w]
        tail, split, sign = 0.0, -np.inf, UP
        for way in (UP, DOWN):
            if (way == UP and expected[w] < least[w]) or (way == DOWN and expected[w] > most[w]):
                continue
            start = rise[w] if way == UP else fall[w]
            chance = _split(way, first, length, n, k, draws, log_p, start, held, logs, reach, its, share)
            if chance < -emitted:
                left_out += exp(chance)
            elif chance > split:
                split, sign = chance, way
        reaches = x >= rise[w] or x <= fall[w]
        if reaches:
            way = UP if x > k * (draws / n) else DOWN
            tail = log_tail(x, n, k, draws, way)
            reaches = tail <= log_p
            sign = way if reaches else sign
        if not reaches and split == -np.inf:
            continue
        if found < len(out):
            together = np.int64(0 if reach.least[w] > 0 else -1)
            for p in range(first, first + length if together == 0 else first):
                together += held[phase[p]]
            out[found, ROW], out[found, FIRST], out[found, LENGTH] = row, first, length
            out[found, COUNT], out[found, SAME_PHASE] = x, together
            out[found, SIGN], out[found, REACHES] = sign, reaches
            tails[found, 0], tails[found, 1] = tail, split
        found += 1
    return found, left_out


@nb.njit(cache=True, nogil=True)
def _split(
    way: int, first: int, length: int, n: int, k: int, draws: int, log_p: float, start: int, held: Any, logs: Any,
    reach: Any, its: Any, share: Any,
) -> float:  # fmt: skip
    """Log of a bound of the chance that a season, split between cycles by exposure, brings a count as rare as log_p."""
    strata, fixed, low, high, mean = 0, np.int64(0), np.int64(0), np.int64(0), 0.0
    for p in range(first, first + length):
        at = reach.place[p]
        every, there = reach.every[at], reach.there[p]
        if there == every:
            fixed += held[at]
        elif held[at] == every:
            fixed += there
        elif there > 0 and held[at] > 0:
            # holders fall into the window, or the window's units are holders: whichever varies less
            whole = held[at] / every
            its[strata], share[strata] = held[at], reach.share[p]
            if whole > reach.share[p]:
                its[strata], share[strata] = there, whole
            low += max(0, held[at] - (every - there))
            high += min(held[at], there)
            mean += share[strata] * its[strata]
            strata += 1
    x = nearest(n, k, draws, way, log_p, start, logs) - fixed
    if (way == UP and high < x) or (way == DOWN and low > x):
        return -np.inf
    return -rarity(x, its[:strata], share[:strata], mean) if (x - mean) * way > 0 else 0.0
