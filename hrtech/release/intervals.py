"""Intervals for true counts, from what was measured and the known size of the noise; they assume no model.

A count is not negative, so a plain interval around a noisy value may lie below zero altogether, or be cut there and
cover more than it says. The unified intervals of Feldman and Cousins (Physical Review D 57, 1998) have the stated
coverage at every true count, zero included, and are never empty. They hold count by count; of many published counts
the stated share is covered on average.
"""

from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_NORMAL = NormalDist()

#: Beyond this many standard deviations the bound at zero does not matter.
_FAR = 6.0
_GRID = 601


@lru_cache(maxsize=8)
def _acceptance(confidence: float) -> tuple[Floats, Floats, Floats]:
    """Acceptance regions [left, right] of the measured value for true values in standard deviations from 0."""
    true = np.linspace(0, _FAR, _GRID)
    left, right = np.empty(_GRID), np.empty(_GRID)
    for k, mu in enumerate(true):
        # the region is {x: ratio(x) >= c}; its right end runs over a bracket, the left one has the same ratio
        low, high = mu, mu + 8.0
        for _ in range(60):
            middle = (low + high) / 2
            start = _same_ratio(mu, middle)
            if _NORMAL.cdf(middle - mu) - _NORMAL.cdf(start - mu) < confidence:
                low = middle
            else:
                high = middle
        right[k] = (low + high) / 2
        left[k] = _same_ratio(mu, right[k])
    # a true value of 0 accepts everything below; a number that the table can be read at
    left[0] = left[1] - 1e6
    return true, np.maximum.accumulate(left), np.maximum.accumulate(right)


def _same_ratio(mu: float, x: float) -> float:
    """The value left of mu with the likelihood ratio of x right of it; minus infinity where there is none."""
    log_ratio = -((x - mu) ** 2) / 2
    mirrored = 2 * mu - x
    if mirrored >= 0:
        return mirrored
    # below zero the best true value is 0: log ratio = x mu - mu^2 / 2
    return (log_ratio + mu * mu / 2) / mu if mu > 0 else -np.inf


def intervals(direct: Floats, sd: Floats, confidence: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Intervals of whole numbers for counts.

    Args:
        direct: Unbiased noisy counts.
        sd: Standard deviations of their noise; 0 where a count is known.
        confidence: Share of intervals that cover the true count.

    Returns:
        Lower and upper ends, both included, not negative; the whole numbers around an interval that holds none.
    """
    true, left, right = _acceptance(confidence)
    half = _NORMAL.inv_cdf((1 + confidence) / 2)
    scaled = direct / np.maximum(sd, 1e-9)
    # a value x is accepted by the true values with left <= x <= right
    low = np.where(scaled > right[-1], scaled - half, np.interp(scaled, right, true, left=0.0))
    high = np.where(scaled > left[-1], scaled + half, np.interp(scaled, left, true, left=true[0]))
    known = sd <= 0
    lower = np.maximum(np.where(known, direct, low * sd), 0) - 1e-9
    upper = np.maximum(np.where(known, direct, high * sd), 0) + 1e-9
    first, last = np.ceil(lower), np.floor(upper)
    none = first > last
    return (
        np.where(none, last, first).astype(np.int64),
        np.where(none, first, last).astype(np.int64),
    )


def intervals_of(direct: float, sd: float, confidence: float) -> tuple[int, int]:
    """The interval of one count; see `intervals`."""
    low, high = intervals(np.array([direct]), np.array([sd]), confidence)
    return int(low[0]), int(high[0])
