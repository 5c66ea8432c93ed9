"""Exact tails of counts, and cheap bounds of them.

All are hypergeometric: of `n` units, `k` hold the pattern, and `draws` are in the window; the count in the window is x.
Given the total k, nothing else is unknown under a share that does not change.
"""

from math import exp, lgamma, log, log1p
from typing import Any

import numba as nb
import numpy as np


@nb.njit(cache=True, nogil=True)
def _log_choose(n: float, k: float) -> float:
    return lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0)


@nb.njit(cache=True, nogil=True)
def log_point(x: int, n: int, k: int, draws: int) -> float:
    """Log of the probability of exactly x."""
    if x < 0 or x > k or x > draws or k - x > n - draws:
        return -np.inf
    return _log_choose(k, x) + _log_choose(n - k, draws - x) - _log_choose(n, draws)


@nb.njit(cache=True, nogil=True)
def _log_sum(x: int, n: int, k: int, draws: int, sign: int) -> float:
    """Log of the tail from x away from the mean, which lies on the other side of x."""
    low, high = max(0, draws - (n - k)), min(k, draws)
    total, term, at = 1.0, 1.0, x
    while (sign > 0 and at < high) or (sign < 0 and at > low):
        if sign > 0:
            term *= (k - at) * 1.0 * (draws - at) / ((at + 1.0) * (n - k - draws + at + 1.0))
        else:
            term *= at * 1.0 * (n - k - draws + at) / ((k - at + 1.0) * (draws - at + 1.0))
        at += sign
        total += term
        if term < total * 1e-14:
            break
    return min(0.0, log_point(x, n, k, draws) + log(total))


@nb.njit(cache=True, nogil=True)
def log_tail(x: int, n: int, k: int, draws: int, sign: int) -> float:
    """Log of P(X ≥ x) for sign 1 and of P(X ≤ x) for sign -1; a tail that holds the mean is one less the other."""
    low, high = max(0, draws - (n - k)), min(k, draws)
    if (sign > 0 and x <= low) or (sign < 0 and x >= high):
        return 0.0
    if (sign > 0 and x > high) or (sign < 0 and x < low):
        return -np.inf
    mean = k * (draws / n)
    if (sign > 0 and x > mean) or (sign < 0 and x < mean):
        return _log_sum(x, n, k, draws, sign)
    other = x - sign
    if (sign > 0 and other > mean) or (sign < 0 and other < mean):
        return 0.0
    return log1p(-min(1.0, exp(_log_sum(other, n, k, draws, -sign))))


@nb.njit(cache=True, nogil=True)
def log_tails(x: Any, n: Any, k: Any, draws: Any, sign: Any) -> Any:
    """Element by element `log_tail`."""
    out = np.empty(len(x), np.float64)
    for i in range(len(x)):
        out[i] = log_tail(x[i], n[i], k[i], draws[i], sign[i])
    return out


@nb.njit(cache=True, nogil=True)
def critical(n: int, k: int, draws: int, sign: int, log_p: float, start: float) -> int:
    """The count nearest to the mean whose tail is at most the given p; one beyond all counts where there is none.

    `start` is any count; the search is quick where it is near.
    """
    low, high = max(0, draws - (n - k)), min(k, draws)
    mean = k * (draws / n)
    inner = int(mean) if sign > 0 else int(mean) + 1
    outer = high + 1 if sign > 0 else low - 1
    at, step = int(start), 1
    while (outer - inner) * sign > 1:
        if (at - inner) * sign <= 0 or (outer - at) * sign <= 0:
            at = (inner + outer) // 2
        if log_tail(at, n, k, draws, sign) <= log_p:
            outer = at
            at -= sign * step
        else:
            inner = at
            at += sign * step
        step *= 2
    return outer


@nb.njit(cache=True, nogil=True)
def criticals(n: Any, k: Any, draws: Any, sign: Any, log_p: Any) -> Any:
    """Element by element `critical`."""
    out = np.empty(len(n), np.int64)
    for i in range(len(n)):
        out[i] = critical(n[i], k[i], draws[i], sign[i], log_p[i], k[i] * (draws[i] / n[i]))
    return out


@nb.njit(cache=True, nogil=True)
def _piece(observed: float, expected: float) -> float:
    return observed * log(observed / expected) if observed > 0 else 0.0


@nb.njit(cache=True, nogil=True)
def deviance(x: float, n: float, k: float, draws: float) -> float:
    """Log-likelihood ratio of the two-by-two table against one share; nearly -log p where p is small."""
    e = k * draws / n
    return (
        _piece(x, e)
        + _piece(k - x, k - e)
        + _piece(draws - x, draws - e)
        + _piece(n - k - draws + x, n - k - draws + e)
    )


@nb.njit(cache=True, nogil=True)
def deviances(x: Any, n: Any, k: Any, draws: Any) -> Any:
    """Element by element `deviance`."""
    out = np.empty(len(x), np.float64)
    for i in range(len(x)):
        out[i] = deviance(x[i], n[i], k[i], draws[i])
    return out
