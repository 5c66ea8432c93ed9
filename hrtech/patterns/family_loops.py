"""The compiled loops of `families`: who is left when leaders are given, and how a claim's count lies among them."""

from typing import Any

import numba as nb
import numpy as np

from hrtech.patterns.cube_loops import count_words
from hrtech.patterns.tails import log_tail


@nb.njit(cache=True, nogil=True)
def narrowed(known: Any, vectors: Any, holding: Any, without: Any) -> Any:
    """Those who hold all of some vectors and none of others.

    Args:
        known: Who is left before.
        vectors: Who holds each leader, shape (leaders, words).
        holding: Which leaders they must hold.
        without: Which they must not hold.
    """
    out = known.copy()
    for leader in range(len(holding)):
        vector = vectors[leader]
        if holding[leader]:
            for k in range(len(out)):
                out[k] &= vector[k]
        elif without[leader]:
            for k in range(len(out)):
                out[k] &= ~vector[k]
    return out


@nb.njit(cache=True, nogil=True)
def claim_tail(
    own: Any, among: Any, start: Any, group: Any, place: Any, inside: Any, use: Any, sign: int
) -> float:
    """Log p of how many of some records lie in a claim's places, of all that do, in the places to use.

    Args:
        own: Who holds the claim.
        among: Who is counted.
        start: First word of each period, and the end.
        group: Unit of each bit; empty where each is its own.
        place: Place of each period.
        inside: Whether each place is the claim's.
        use: Whether each place is used.
        sign: Which tail.
    """
    held, known = np.empty(len(place), np.int64), np.empty(len(place), np.int64)
    count_words(own & among, start, group, held)
    count_words(among, start, group, known)
    n, k, x, draws = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    for p in range(len(place)):
        if use[place[p]]:
            n += known[p]
            k += held[p]
            if inside[place[p]]:
                draws += known[p]
                x += held[p]
    if draws == 0 or draws == n or k == 0:
        return 0.0
    return float(log_tail(x, n, k, draws, sign))
