"""The compiled loop of `bits`: AND and count the ones, a word at a time in the processor's own instruction."""

from typing import Any

import numba as nb
from numba.core import types
from numba.extending import intrinsic


@intrinsic
def ones(typing_context: Any, word: Any) -> Any:
    """Number of ones in a 64-bit word."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


@nb.njit(cache=True, nogil=True)
def count_extensions(bits: Any, prefixes: Any, first: Any, offsets: Any, held: Any, totals: Any) -> None:
    """Add the counts of every extension of every prefix to `totals`.

    Args:
        bits: Vectors of a block of records, shape (items, words).
        prefixes: Items of each prefix, shape (prefixes, length), lexicographically sorted.
        first: First item that extends each.
        offsets: Where each prefix's counts begin in `totals`.
        held: Scratch, shape (length, words).
        totals: Counts, one after another.
    """
    n_items, n_words = bits.shape
    depth = prefixes.shape[1]
    for k in range(len(prefixes)):
        changed = k == 0
        for i in range(depth):
            changed = changed or prefixes[k, i] != prefixes[k - 1, i]
            if changed and i == 0:
                held[0] = bits[prefixes[k, 0]]
            elif changed:
                for word in range(n_words):
                    held[i, word] = held[i - 1, word] & bits[prefixes[k, i], word]
        for item in range(first[k], n_items):
            total = nb.uint64(0)
            for word in range(n_words):
                total += ones(bits[item, word] & held[depth - 1, word] if depth else bits[item, word])
            totals[offsets[k] + item - first[k]] += total
