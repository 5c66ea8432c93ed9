"""The exact tail of a count over several phases, each with its own split: a sum of independent hypergeometrics.

The distribution is tilted so that its mean is the count, convolved, and tilted back (exact, and accurate far out).
"""

from math import exp, log
from typing import Any

import numba as nb
import numpy as np

from hrtech.patterns.tails import log_point, log_tail

#: What lies this far below the mode in log probability is left out.
_NOTHING = 42.0
_STEPS = 60


@nb.njit(cache=True, nogil=True)
def _tilted(n: int, k: int, draws: int, theta: float) -> Any:
    """First count, probabilities under the tilt, log of what they were divided by, and the mean."""
    low, high = max(0, draws - (n - k)), min(k, draws)
    # the mode of Fisher's noncentral hypergeometric distribution, to begin near it
    inner, outer = low, high
    while outer > inner:
        y = (inner + outer) // 2
        if log((k - y) * 1.0 * (draws - y) / ((y + 1.0) * (n - k - draws + y + 1.0))) + theta > 0:
            inner = y + 1
        else:
            outer = y
    mode = inner
    top = log_point(mode, n, k, draws) + theta * mode
    below, above = mode, mode
    term = 0.0
    while below > low and term > -_NOTHING:
        term -= (
            log((k - below + 1.0) * (draws - below + 1.0) / (below * 1.0 * (n - k - draws + below))) + theta
        )
        below -= 1
    term = 0.0
    while above < high and term > -_NOTHING:
        term += (
            log((k - above) * 1.0 * (draws - above) / ((above + 1.0) * (n - k - draws + above + 1.0))) + theta
        )
        above += 1
    out = np.empty(above - below + 1, np.float64)
    out[mode - below] = 1.0
    for y in range(mode, below, -1):
        out[y - 1 - below] = out[y - below] / (
            exp(theta) * (k - y + 1.0) * (draws - y + 1.0) / (y * 1.0 * (n - k - draws + y))
        )
    for y in range(mode, above):
        out[y + 1 - below] = out[y - below] * (
            exp(theta) * (k - y) * (draws - y) / ((y + 1.0) * (n - k - draws + y + 1.0))
        )
    total = out.sum()
    out /= total
    mean = 0.0 + below
    for j in range(len(out)):
        mean += out[j] * j
    return below, out, top + log(total), mean


@nb.njit(cache=True, nogil=True)
def stratified_tail(x: int, n: Any, k: Any, draws: Any, sign: int) -> float:
    """Log of P(X ≥ x) for sign 1 and of P(X ≤ x) for sign -1, X the sum over strata.

    Args:
        x: Count in all strata.
        n: Units of each stratum, shape (strata,).
        k: Of them, those that hold the pattern.
        draws: Of them, those in the window.
        sign: Which tail.
    """
    if len(n) == 1:
        return float(log_tail(x, n[0], k[0], draws[0], sign))
    low, high, mean, least, most = 0, 0, 0.0, 0.0, 0.0
    for i in range(len(n)):
        bottom, top = max(0, draws[i] - (n[i] - k[i])), min(k[i], draws[i])
        low, high, mean = low + bottom, high + top, mean + k[i] * (draws[i] / n[i])
        least += log_point(bottom, n[i], k[i], draws[i])
        most += log_point(top, n[i], k[i], draws[i])
    if (sign > 0 and x <= low) or (sign < 0 and x >= high):
        return 0.0
    if (sign > 0 and x > high) or (sign < 0 and x < low):
        return -np.inf
    if (sign > 0 and x == high) or (sign < 0 and x == low):
        return float(most if sign > 0 else least)
    theta = _tilt(x, n, k, draws, sign) if (x - mean) * sign > 0 else 0.0
    first, joint, scale, _ = _tilted(n[0], k[0], draws[0], theta)
    for i in range(1, len(n)):
        begin, other, more, _ = _tilted(n[i], k[i], draws[i], theta)
        joint, first, scale = np.convolve(joint, other), first + begin, scale + more
    total = 0.0
    for j in range(len(joint)):
        y = first + j
        if (y - x) * sign >= 0:
            total += joint[j] * exp(-theta * (y - x))
    return min(0.0, scale - theta * x + log(total)) if total > 0 else -np.inf


@nb.njit(cache=True, nogil=True)
def _tilt(x: int, n: Any, k: Any, draws: Any, sign: int) -> float:
    """Log of the odds that bring the mean near to x."""
    inner, outer = 0.0, 0.1 * sign
    while (_mean(n, k, draws, outer) - x) * sign < 0:
        inner, outer = outer, 2.0 * outer
    for _ in range(_STEPS):
        theta = 0.5 * (inner + outer)
        away = (_mean(n, k, draws, theta) - x) * sign
        if abs(away) < 0.5:
            return theta
        if away < 0:
            inner = theta
        else:
            outer = theta
    return 0.5 * (inner + outer)


@nb.njit(cache=True, nogil=True)
def _mean(n: Any, k: Any, draws: Any, theta: float) -> float:
    total = 0.0
    for i in range(len(n)):
        total += _tilted(n[i], k[i], draws[i], theta)[3]
    return total


@nb.njit(cache=True, nogil=True)
def stratified_tails(x: Any, n: Any, k: Any, draws: Any, sign: Any) -> Any:
    """Element by element `stratified_tail`; strata are columns, those without draws in and out of the window are none.

    Args:
        x: Counts, shape (hypotheses,).
        n: Shape (hypotheses, strata).
        k: As n.
        draws: As n.
        sign: Which tails.
    """
    out = np.empty(len(x), np.float64)
    for h in range(len(x)):
        use = np.flatnonzero((draws[h] > 0) & (draws[h] < n[h]))
        out[h] = stratified_tail(x[h], n[h][use], k[h][use], draws[h][use], sign[h]) if len(use) else 0.0
    return out
