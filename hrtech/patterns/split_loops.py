"""The compiled loops of `splits`: which units hold which patterns, from bits."""

from typing import Any

import numba as nb
import numpy as np

from hrtech.counts.bit_loops import ones


@nb.njit(cache=True, nogil=True)
def sign(vector: Any, words: Any, group: Any, number: int, token: int, last: Any, signature: Any) -> None:
    """Add a token to the signature of every unit with a one, in place.

    Args:
        vector: Bits by record.
        words: Which words are looked at.
        group: Unit of each bit; empty where each is its own.
        number: Of this vector.
        token: What is added.
        last: Number of the last vector that each unit was in, in place; empty where each bit is a unit.
        signature: By unit.
    """
    for at in range(len(words)):
        left = vector[words[at]]
        while left != np.uint64(0):
            low = left & (~left + np.uint64(1))
            left ^= low
            unit = words[at] * 64 + np.int64(ones(low - np.uint64(1)))
            if len(group) > 0:
                unit = group[unit]
                if last[unit] == number:
                    continue
                last[unit] = number
            signature[unit] += token


@nb.njit(cache=True, nogil=True)
def mark(vector: Any, words: Any, group: Any, number: Any, out: Any) -> None:
    """Mark the numbers of the units with a one, those that have none (-1) aside."""
    for at in range(len(words)):
        left = vector[words[at]]
        while left != np.uint64(0):
            low = left & (~left + np.uint64(1))
            left ^= low
            unit = words[at] * 64 + np.int64(ones(low - np.uint64(1)))
            its = number[group[unit] if len(group) > 0 else unit]
            if its >= 0:
                out[its] = True


@nb.njit(cache=True, nogil=True)
def binomials(size: Any, share: Any, uniform: Any, out: Any) -> None:
    """Binomial counts by inversion, one row of draws for each size and share, which must not be large.

    Args:
        size: Trials of each row; (1 - share) to that power must not vanish.
        share: Chance of each trial.
        uniform: Numbers from 0 to 1, shape (rows, draws).
        out: Receives the counts, same shape.
    """
    for row in range(len(size)):
        n, odds = size[row], share[row] / (1.0 - share[row])
        up_to = np.empty(n + 1)
        term = (1.0 - share[row]) ** n
        up_to[0] = term
        for x in range(1, n + 1):
            term *= odds * (n - x + 1) / x
            up_to[x] = up_to[x - 1] + term
        up_to[n] = 2.0
        for draw in range(uniform.shape[1]):
            out[row, draw] = np.searchsorted(up_to, uniform[row, draw], side="right")
