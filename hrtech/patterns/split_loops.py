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
