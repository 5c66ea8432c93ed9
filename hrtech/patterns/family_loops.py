"""The compiled loops of `families`: how near leaders are to a claim, and how its count lies among some records."""

from typing import Any

import numba as nb
import numpy as np

from hrtech.patterns.cube_loops import count_words
from hrtech.patterns.tails import log_tail


@nb.njit(cache=True, nogil=True)
def shared_items(cells: Any, leaders: Any, claim: int) -> Any:
    """How many items of a claim each leader has.

    Args:
        cells: Items of all claims, -1 after the last.
        leaders: Which claims lead.
        claim: Which claim is asked about.
    """
    out = np.zeros(len(leaders), np.int64)
    for at in range(len(leaders)):
        for item in cells[leaders[at]]:
            for own in cells[claim]:
                out[at] += item == own and own >= 0
    return out


@nb.njit(cache=True, nogil=True)
def nearest_leader(leaders: Any, shared: Any, size: Any, inside: Any, claim: int) -> int:
    """The nearest: nested in the same places, in the same places, by its share of items in common; the first."""
    best, best_rank, best_share = leaders[0], -1, -1.0
    for at in range(len(leaders)):
        other = leaders[at]
        meet = (inside[other] & inside[claim]).any()
        nested = meet and (shared[at] == size[claim] or shared[at] == size[other])
        rank = int(meet) + int(nested)
        share = shared[at] / (size[claim] + size[other] - shared[at])
        if rank > best_rank or (rank == best_rank and share > best_share):
            best, best_rank, best_share = other, rank, share
    return best


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
