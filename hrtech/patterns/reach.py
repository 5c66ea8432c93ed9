"""Which counts could matter at all: tables by window and by how often a combination occurs, built as they are needed.

A window matters where its count is extreme, or where a season alone might make it so: where, given the count of the
window's phases over all cycles, the split between the cycles brings an extreme count with a chance worth counting. By
how often combinations occur they fall into bands; what holds for the rarest of a band (for a rise) or its most frequent
(for a fall) holds for all of it. What lies within the limits is looked at closely; the others' chances are bounded.
"""

from math import exp, lgamma, log, sqrt
from typing import Any, NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

UP, DOWN = 1, -1
#: Limits of a band and window: the least count that is a rise and the largest that is a fall; and, in each of the steps
#: of `NEAR`, from what mean on a rise, and up to what mean a fall, may come by a split.
RISE, FALL, FROM, TO = 0, 1, 0, 3
#: -log of the chance, beyond that of what is emitted, up to where it is looked at closely, or bounded by these steps.
NEAR = (5.0, 8.0, 13.0)
#: A count that no combination has, and the terms of a tail that are summed.
NEVER = np.int32(2**31 - 1)
_TERMS = 12
_PART = 0.25
_ROUNDED = 1e-6
_LIKELIEST = 0.4688
#: What is known of a band.
_NOTHING, _COARSE, FINE = 0, 1, 2


class Reach(NamedTuple):
    """Limits of one length of combinations, at one exposure at a time.

    Attributes:
        edges: First total of each band, and the end.
        owner: The exposure (-1: none yet), its units, how many windows have phases that another cycle has too.
        there: Units by period.
        place: Phase of each period, or one more than there are where nothing is known.
        every: Units in all periods of each place.
        draws: Units by window, 0 where it is not looked at; windows are numbered by length, then by first period.
        share: Share of each period in its place.
        least: The smallest share that a window has in its phases; 0 where no other cycle has any.
        fewest: Fewest units of a window of each length (0: none is looked at).
        most: Most units.
        known: How much is known of each band.
        coarse: The least rise and the largest fall in windows of each length, shape (bands, lengths, 2).
        counts: Limits of counts, shape (bands, 2, windows).
        means: Limits of the counts that a window's phases bring in the mean, shape (bands, 6, windows).
    """

    edges: NDArray[np.int64]
    owner: NDArray[np.int64]
    there: NDArray[np.int64]
    place: NDArray[np.int64]
    every: NDArray[np.int64]
    draws: NDArray[np.int64]
    share: NDArray[np.float64]
    least: NDArray[np.float64]
    fewest: NDArray[np.int64]
    most: NDArray[np.int64]
    known: NDArray[np.int8]
    coarse: NDArray[np.int32]
    counts: NDArray[np.int32]
    means: NDArray[np.float32]


def no_reach(edges: NDArray[np.int64], lengths: int, periods: int, phases: int) -> Reach:
    """Nothing known yet."""
    bands, windows = len(edges) - 1, lengths * periods
    return Reach(
        edges,
        np.array([-1, 0, 0], dtype=np.int64),
        np.zeros(periods, dtype=np.int64),
        np.zeros(periods, dtype=np.int64),
        np.zeros(phases + 1, dtype=np.int64),
        np.zeros(windows, dtype=np.int64),
        np.zeros(periods),
        np.zeros(windows),
        np.zeros(lengths, dtype=np.int64),
        np.zeros(lengths, dtype=np.int64),
        np.zeros(bands, dtype=np.int8),
        np.empty((bands, lengths, 2), dtype=np.int32),
        np.empty((bands, 2, windows), dtype=np.int32),
        np.empty((bands, 2 * len(NEAR), windows), dtype=np.float32),
    )


def bands(largest: int, number: int, periods: int) -> NDArray[np.int64]:
    """Edges of bands of totals.

    The fewer combinations, the wider, so that building limits takes little of the time; counts in a period differ by a
    part of their standard deviation at most.
    """
    wide = 0.02 if number > 20_000 else 0.04 if number > 2_000 else 0.12
    edges = [0, 1]
    while edges[-1] <= largest:
        at = edges[-1]
        edges.append(at + max(1, int(min(wide * at, _PART * 50 * wide * np.sqrt(at * periods)))))
    return np.array(edges, dtype=np.int64)


@nb.njit(cache=True, nogil=True, inline="always")
def _factorial(logs: Any, x: int) -> float:
    return logs[x] if x < len(logs) else lgamma(x + 1.0)


@nb.njit(cache=True, nogil=True)
def _at_least(x: int, n: int, k: int, draws: int, sign: int, logs: Any) -> Any:
    """No more than the log of the tail, and by how much each count further from the mean lowers it."""
    point = (
        _factorial(logs, k) - _factorial(logs, x) - _factorial(logs, k - x)
        + _factorial(logs, n - k) - _factorial(logs, draws - x) - _factorial(logs, n - k - draws + x)
        - _factorial(logs, n) + _factorial(logs, draws) + _factorial(logs, n - draws)
    )  # fmt: skip
    total, term, first = 1.0, 1.0, 0.0
    for step in range(_TERMS):
        at = x + sign * step
        if sign > 0:
            ratio = (k - at) * 1.0 * (draws - at) / ((at + 1.0) * (n - k - draws + at + 1.0))
        else:
            ratio = at * 1.0 * (n - k - draws + at) / ((k - at + 1.0) * (draws - at + 1.0))
        term *= ratio
        first = ratio if step == 0 else first
        total += term
        if term < 1e-3 * total:
            break
    return point + log(total), -log(max(first, 1e-9))


@nb.njit(cache=True, nogil=True)
def nearest(n: int, k: int, draws: int, sign: int, log_p: float, start: float, logs: Any) -> int:
    """The critical count, or one nearer to the mean; one beyond all counts where there is none.

    `start` is any count; the search is quick where it is near.
    """
    low, high = max(0, draws - (n - k)), min(k, draws)
    mean = k * (draws / n)
    inner = int(mean) if sign > 0 else int(mean) + 1
    outer = high + 1 if sign > 0 else low - 1
    at = int(start)
    while (outer - inner) * sign > 1:
        if (at - inner) * sign <= 0:
            at = inner + sign
        if (outer - at) * sign <= 0:
            at = outer - sign
        tail, slope = _at_least(at, n, k, draws, sign, logs)
        step = sign * max(1, int((log_p - tail if tail <= log_p else tail - log_p) / max(slope, 1e-3)))
        if tail <= log_p:
            outer, at = at, at - step
        else:
            inner, at = at, at + step
    return outer


@nb.njit(cache=True, nogil=True)
def _limit(n: int, k: int, draws: int, sign: int, log_p: float, logs: Any) -> int:
    """As `nearest`, from where a normal count would be critical."""
    mean = k * (draws / n)
    spread = mean * (1.0 - draws / n) * (1.0 - k / n)
    return nearest(n, k, draws, sign, log_p, mean + sign * sqrt(-2.0 * log_p * spread), logs)


@nb.njit(cache=True, nogil=True)
def rise_from(least: int, share: float, far: float) -> float:
    """From how many on `least` of them fall into a window of that share with a chance above exp(-far).

    Chernoff's bound is convex in that number, so that Newton's steps from the left of its root stay there.
    """
    root = sqrt(far / 2.0)
    root = (sqrt(root * root + 4.0 * share * least) - root) / (2.0 * share)
    same = max(root * root, least + 0.5)
    for _ in range(3):
        bound = chernoff(least, same, share)
        if bound <= far:
            break
        same += (bound - far) / -log((1.0 - least / same) / (1.0 - share))
    return same if chernoff(least, same, share) >= far * (1 - 1e-9) else float(least)


@nb.njit(cache=True, nogil=True)
def fall_to(most: int, share: float, far: float) -> float:
    """Up to how many on only `most` of them fall into a window with a chance above exp(-far)."""
    root = sqrt(far / 2.0)
    root = (sqrt(root * root + 4.0 * share * most) + root) / (2.0 * share)
    same = root * root
    for _ in range(3):
        bound = chernoff(most, same, share)
        if bound <= far:
            break
        same -= (bound - far) / log((1.0 - most / same) / (1.0 - share))
    return same


@nb.njit(cache=True, nogil=True, inline="always")
def chernoff(x: float, same: float, share: float) -> float:
    """Chernoff's bound on -log of the chance that x of `same` fall into the window."""
    part = x / same
    out = (1.0 - part) * log((1.0 - part) / (1.0 - share)) if part < 1.0 else 0.0
    return same * (out + (part * log(part / share) if part > 0.0 else 0.0))


@nb.njit(cache=True, nogil=True)
def rarity(x: int, held: Any, share: Any, mean: float) -> float:
    """A close bound on -log of the chance that phases bring a count as far from the mean, each with its own share.

    Under any tilt t in the tail's direction, the tail is that of the tilted count times exp(-t (y - x)), and no count
    is likelier than 0.4688 / its standard deviation (Baillon, Cominetti and Vaisman 2016).
    """
    same = 0.0 + held.sum()
    if mean <= 0.0 or mean >= same or x <= 0 or x >= same:
        return _all_or_none(x, held, share)
    tilt = log(x / (same - x)) - log(mean / (same - mean))
    out = 0.0
    for _ in range(3):
        raised, middle, spread = 0.0, 0.0, 0.0
        for i in range(len(held)):
            odds = share[i] * exp(tilt)
            part = odds / (1.0 - share[i] + odds)
            raised += held[i] * log(1.0 - share[i] + odds)
            middle += held[i] * part
            spread += held[i] * part * (1.0 - part)
        likeliest = min(1.0, _LIKELIEST / sqrt(spread))
        out = max(out, tilt * x - raised - log(min(1.0, likeliest / (1.0 - exp(-abs(tilt))))))
        step = tilt + (x - middle) / spread
        if step * tilt <= 0.0 or abs(x - middle) < 0.5:
            break
        tilt = step
    return out


@nb.njit(cache=True, nogil=True)
def _all_or_none(x: int, held: Any, share: Any) -> float:
    """As `rarity`, of all units in the window (or more), or of none."""
    out = 0.0
    for i in range(len(held)):
        out -= held[i] * log(share[i] if x > 0 else 1.0 - share[i])
    return out


@nb.njit(cache=True, nogil=True)
def own(reach: Any, at: int, known: Any, windows: Any, phase: Any, n_phases: int, last: bool) -> None:
    """Turn to another exposure: its units by window, and nothing known of any band.

    Args:
        reach: In place.
        at: Number of the exposure.
        known: Units by period.
        windows: Lengths of windows.
        phase: Phase of each period.
        n_phases: How many phases; 0: there is no season to look at.
        last: Whether only windows that end with the last period are looked at.
    """
    n_periods, n = len(known), known.sum()
    reach.owner[0], reach.owner[1], reach.owner[2] = at, n, 0
    reach.there[:] = known
    reach.known[:] = _NOTHING
    reach.every[:] = 0
    reach.draws[:] = 0
    reach.least[:] = 0.0
    reach.share[:] = 0.0
    for p in range(n_periods):
        reach.place[p] = phase[p] if n_phases > 0 and known[p] > 0 else n_phases
        reach.every[reach.place[p]] += known[p]
    for p in range(n_periods):
        if known[p] > 0:
            reach.share[p] = known[p] / reach.every[reach.place[p]]
    for a in range(len(windows)):
        length = windows[a]
        reach.fewest[a], reach.most[a] = 0, 0
        for first in range(n_periods - length if last else 0, n_periods - length + 1):
            draws = known[first : first + length].sum()
            if draws == 0 or draws == n:
                continue
            w = a * n_periods + first
            reach.draws[w] = draws
            reach.fewest[a] = draws if reach.fewest[a] == 0 else min(reach.fewest[a], draws)
            reach.most[a] = max(reach.most[a], draws)
            least = 1.0
            for p in range(first, first + length if length < n_phases else first):
                least = min(least, reach.share[p] if known[p] > 0 else 1.0)
            if least < 1.0:
                reach.least[w] = least
                reach.owner[2] += 1


@nb.njit(cache=True, nogil=True)
def outline(reach: Any, band: int, up: bool, down: bool, log_p: float, logs: Any) -> None:
    """Work out the coarse limits of a band, where they are not known."""
    if reach.known[band] != _NOTHING:
        return
    rarest, most, n = reach.edges[band], reach.edges[band + 1] - 1, reach.owner[1]
    for a in range(len(reach.fewest)):
        reach.coarse[band, a, 0], reach.coarse[band, a, 1] = NEVER, -1
        if reach.fewest[a] > 0 and up:
            reach.coarse[band, a, 0] = _limit(n, rarest, reach.fewest[a], UP, log_p, logs)
        if reach.fewest[a] > 0 and down:
            reach.coarse[band, a, 1] = _limit(n, min(most, n), reach.most[a], DOWN, log_p, logs)
    reach.known[band] = _COARSE


@nb.njit(cache=True, nogil=True)
def build(reach: Any, band: int, up: bool, down: bool, log_p: float, emitted: float, logs: Any) -> None:
    """Work out the limits of a band; `emitted` is -log of the least chance of a split that is emitted."""
    rarest, most, n = reach.edges[band], min(reach.edges[band + 1] - 1, reach.owner[1]), reach.owner[1]
    counts, means = reach.counts[band], reach.means[band]
    n_periods = len(reach.draws) // len(reach.fewest)
    for w in range(len(reach.draws)):
        counts[RISE, w], counts[FALL, w] = NEVER, -1
        means[FROM:TO, w], means[TO:, w] = np.inf, -1.0
        draws, a = reach.draws[w], w // n_periods
        if draws == 0:
            continue
        if up:
            counts[RISE, w] = _limit(n, rarest, draws, UP, log_p, logs)
        if down and reach.coarse[band, a, 1] >= 0:
            counts[FALL, w] = _limit(n, most, draws, DOWN, log_p, logs)
        # several phases bring no count more likely than as many more would, in the mean, at the smallest share
        share = reach.least[w]
        for step in range(len(NEAR) if share > 0 else 0):
            far = emitted + NEAR[step]
            if up:
                means[FROM + step, w] = share * rise_from(counts[RISE, w], share, far) * (1 - _ROUNDED)
            if counts[FALL, w] >= 0:
                means[TO + step, w] = share * fall_to(counts[FALL, w], share, far) * (1 + _ROUNDED)
    reach.known[band] = FINE
