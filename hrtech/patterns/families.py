"""Families: which patterns say something of their own, and which are explained by a shorter or a longer one.

The strongest leads. What is part of it is tested among the records that hold it; anything else is tested without those
records; its own other windows are tested without its window's periods. What is then no longer significant is folded.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrtech.patterns.cube import bit_groups, masks
from hrtech.patterns.scan import Candidates
from hrtech.patterns.variables import Variables

PART, WIDER, OVERLAP, SAME = (
    "part of the leader",
    "wider than the leader",
    "overlaps the leader",
    "the same, another window",
)


@dataclass(frozen=True)
class Families:
    """Who leads and who is folded.

    Attributes:
        leader: Position of each candidate's leader, its own for a leader.
        why: Why it is folded, "" for a leader.
    """

    leader: NDArray[np.int64]
    why: tuple[str, ...]


class Records:
    """Bit vectors of items and combinations, and counts of them by period."""

    def __init__(self, variables: Variables) -> None:
        self.variables = variables
        self._items: dict[int, NDArray[np.uint64]] = {}
        self._known: dict[int, NDArray[np.uint64]] = {}
        self._group = bit_groups(variables)
        self.everyone = variables.bits(np.ones(len(variables.period), dtype=bool))

    def holders(self, cells: NDArray[np.integer]) -> NDArray[np.uint64]:
        """Who holds all items (-1: none)."""
        out = None
        for item in cells[cells >= 0].tolist():
            if item not in self._items:
                self._items[item] = self.variables.bits(self.variables.holds(item))
            out = self._items[item] if out is None else out & self._items[item]
        return self.everyone if out is None else out

    def known(self, mask: int) -> NDArray[np.uint64]:
        """Where all columns of a mask are known."""
        if mask not in self._known:
            rows = self.variables.knows(mask)
            self._known[mask] = self.everyone if rows.all() else self.variables.bits(rows)
        return self._known[mask]

    def by_period(self, vector: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Units in each period."""
        from hrtech.patterns.cube_loops import count_words

        out = np.empty(self.variables.n_periods, dtype=np.int64)
        count_words(vector, self.variables.word_start, self._group, out)
        return out


def fold(
    candidates: Candidates,
    score: NDArray[np.float64],
    log_threshold: NDArray[np.float64],
    records: Records,
) -> Families:
    """Group candidates into families.

    Args:
        candidates: Significant ones.
        score: How strong each is; the strongest of the unexplained leads.
        log_threshold: Log of the p that one must reach, given the leaders, to be no part of a family.
        records: Their bits.
    """
    leader = np.full(len(candidates), -1, dtype=np.int64)
    why = [""] * len(candidates)
    own_mask = masks(candidates.cells, records.variables)
    sets = [frozenset(row[row >= 0].tolist()) for row in candidates.cells]
    leaders: list[int] = []
    vectors: list[NDArray[np.uint64]] = []
    for h in np.argsort(-score, kind="stable").tolist():
        log_p = _given(h, candidates, sets, leaders, vectors, int(own_mask[h]), records)
        if log_p <= log_threshold[h]:
            leader[h] = h
            leaders.append(h)
            vectors.append(records.holders(candidates.cells[h]))
        else:
            nearest = max(
                leaders, key=lambda other: (_nearness(h, other, candidates, sets), -leaders.index(other))
            )
            leader[h] = nearest
            why[h] = _relation(sets[h], sets[nearest])
    return Families(leader, tuple(why))


def _relation(own: frozenset[int], other: frozenset[int]) -> str:
    if own == other:
        return SAME
    return PART if own > other else WIDER if own < other else OVERLAP


def _nearness(
    h: int, other: int, candidates: Candidates, sets: list[frozenset[int]]
) -> tuple[bool, int, float]:
    a, b = int(candidates.first[h]), int(candidates.first[other])
    overlap = min(a + int(candidates.window[h]), b + int(candidates.window[other])) - max(a, b)
    related = sets[h] <= sets[other] or sets[h] >= sets[other]
    return related and overlap > 0, overlap > 0, len(sets[h] & sets[other]) / len(sets[h] | sets[other])


def _given(
    h: int,
    candidates: Candidates,
    sets: list[frozenset[int]],
    leaders: list[int],
    vectors: list[NDArray[np.uint64]],
    mask: int,
    records: Records,
) -> float:
    """Log p of a candidate given the leaders so far."""
    from hrtech.patterns.scan_loops import log_tail

    if not leaders:
        return float(candidates.log_p[h])
    own = records.holders(candidates.cells[h])
    among = records.known(mask)
    inside = np.arange(candidates.first[h], candidates.first[h] + candidates.window[h])
    use = np.ones(candidates.counts.shape[1], dtype=bool)
    for other, vector in zip(leaders, vectors, strict=True):
        if sets[h] == sets[other]:
            use[candidates.first[other] : candidates.first[other] + candidates.window[other]] = False
        elif sets[h] > sets[other]:
            among = among & vector
        else:
            among = among & ~vector
    held, known = records.by_period(own & among) * use, records.by_period(among) * use
    n, k, x, draws = known.sum(), held.sum(), held[inside].sum(), known[inside].sum()
    if draws == 0 or draws == n or k == 0:
        return 0.0
    return float(log_tail(int(x), int(n), int(k), int(draws), int(candidates.sign[h])))
