"""The exact tail of a count over several phases, each with its own split: a sum of independent hypergeometrics.

The distribution is tilted so that its mean is the count, convolved, and tilted back (exact, and accurate far out).
"""

from math import exp, log, sqrt
from typing import Any

import numba as nb
import numpy as np

from hrtech.patterns.tails import log_point, log_tail

#: What is that much less likely than the mode is left out.
_NOTHING = 1e-15
_STEPS = 60


@nb.njit(cache=True, nogil=True)
def _tilted(n: int, k: int, draws: int, theta: float) -> Any:
    """First count, probabilities under the tilt, log of what they were divided by, and the mean."""
    low, high = max(0, draws - (n - k)), min(k, draws)
    odds = exp(theta)
    # the mode of Fisher's noncentral hypergeometric distribution, to begin near it
    inner, outer = low, high
    while outer > inner:
        y = (inner + outer) // 2
        if odds * (k - y) * (draws - y) > (y + 1.0) * (n - k - draws + y + 1.0):
            inner = y + 1
        else:
            outer = y
    mode = inner
    below, above, term = mode, mode, 1.0
    while below > low and term > _NOTHING:
        term *= below * 1.0 * (n - k - draws + below) / (odds * (k - below + 1.0) * (draws - below + 1.0))
        below -= 1
    term = 1.0
    while above < high and term > _NOTHING:
        term *= odds * (k - above) * (draws - above) / ((above + 1.0) * (n - k - draws + above + 1.0))
        above += 1
    out = np.empty(above - below + 1, np.float64)
    out[mode - below] = 1.0
    for y in range(mode, below, -1):
        ratio = y * 1.0 * (n - k - draws + y) / (odds * (k - y + 1.0) * (draws - y + 1.0))
        out[y - 1 - below] = out[y - below] * ratio
    for y in range(mode, above):
        ratio = odds * (k - y) * (draws - y) / ((y + 1.0) * (n - k - draws + y + 1.0))
        out[y + 1 - below] = out[y - below] * ratio
    total, mean = out.sum(), 0.0
    for j in range(len(out)):
        out[j] /= total
        mean += out[j] * (below + j)
    return below, out, log_point(mode, n, k, draws) + theta * mode + log(total), mean


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
    low, high, mean = 0, 0, 0.0
    for i in range(len(n)):
        bottom, top = max(0, draws[i] - (n[i] - k[i])), min(k[i], draws[i])
        low, high, mean = low + bottom, high + top, mean + k[i] * (draws[i] / n[i])
    if (sign > 0 and x <= low) or (sign < 0 and x >= high):
        return 0.0
    if (sign > 0 and x > high) or (sign < 0 and x < low):
        return -np.inf
    if (sign > 0 and x == high) or (sign < 0 and x == low):
        out = 0.0
        for i in range(len(n)):
            end = min(k[i], draws[i]) if sign > 0 else max(0, draws[i] - (n[i] - k[i]))
            out += log_point(end, n[i], k[i], draws[i])
        return out
    if (x - mean) * sign <= 0:
        return float(tilted_tail(x, n, k, draws, sign, 0.0)[0])
    # the odds of all strata together bring the mean near to x where their shares differ little
    inside, outside, free = k.sum() - x + 0.5, draws.sum() - x + 0.5, (n - k - draws).sum() + x + 0.5
    theta = max(sign * log((x + 0.5) * free / (inside * outside)), 0.0) * sign
    out, mean = tilted_tail(x, n, k, draws, sign, theta)
    if abs(mean - x) > 2.0 + sqrt(min(x, k.sum() - x) + 0.0):
        out, _ = tilted_tail(x, n, k, draws, sign, _tilt(x, n, k, draws, sign))
    return float(out)


@nb.njit(cache=True, nogil=True)
def tilted_tail(x: int, n: Any, k: Any, draws: Any, sign: int, theta: float) -> Any:
    """Log of a tail over two strata or more, worked out under a tilt in its direction, and the mean under the tilt."""
    first, joint, scale, mean = _tilted(n[0], k[0], draws[0], theta)
    for i in range(1, len(n) - 1):
        begin, other, more, middle = _tilted(n[i], k[i], draws[i], theta)
        joint, first, scale, mean = np.convolve(joint, other), first + begin, scale + more, mean + middle
    begin, tails, more, middle = _tilted(n[-1], k[-1], draws[-1], theta)
    # the last stratum's tails, tilted back from where they begin
    step, size = exp(-abs(theta)), len(tails)
    for i in range(1, size):
        at = size - 1 - i if sign > 0 else i
        tails[at] += step * tails[at + sign]
    total = 0.0
    for j in range(len(joint)):
        at = x - first - j - begin
        if 0 <= at < size:
            total += joint[j] * tails[at]
        elif at < 0 and sign > 0:
            total += joint[j] * tails[0] * step ** (-at)
        elif at >= size and sign < 0:
            total += joint[j] * tails[size - 1] * step ** (at - size + 1)
    out = min(0.0, scale + more - theta * x + log(total)) if total > 0 else -np.inf
    return out, mean + middle


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
