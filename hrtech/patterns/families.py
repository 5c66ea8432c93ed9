"""Families: which patterns say something of their own, and which are explained by a shorter or a longer one.

The strongest leads. What is part of it is tested among the records that hold it; anything else is tested without those
records; its own other windows are tested without its window's periods. What is then no longer significant is folded.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrtech.patterns.cube import bit_groups, masks
from hrtech.patterns.variables import Variables

#: A longer claim gives way to a shorter one that it is part of, if its share of that hardly rises (p above the first)
#: and the rest of that rises too (p below the second).
_HARDLY, _TOO = 1e-3, 0.01
#: Unions of leaders that are kept.
_UNIONS = 64
PART, WIDER, OVERLAP = "part of the leader", "wider than the leader", "overlaps the leader"
SAME = "the leader in another window"


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
        self.group = bit_groups(variables)
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
        count_words(vector, self.variables.word_start, self.group, out)
        return out


@dataclass(frozen=True)
class Claims:
    """Combinations with the places (periods, or phases of the season) in which they stand out.

    Attributes:
        cells: Items, shape (claims, longest), -1 after the last.
        inside: Places, shape (claims, places).
        sign: 1 for a rise, -1 for a fall.
        log_p: Log of the tail, given nothing else.
        score: How strong each is; the strongest that is not explained leads.
        place: Place of each period.
    """

    cells: NDArray[np.int32]
    inside: NDArray[np.bool_]
    sign: NDArray[np.int64]
    log_p: NDArray[np.float64]
    score: NDArray[np.float64]
    place: NDArray[np.int64]


def fold(claims: Claims, records: Records, log_explained: float, remains: float, simpler: bool) -> Families:
    """Group claims into families.

    Args:
        claims: In an order that does not depend on names.
        records: Their bits.
        log_explained: Log of a p that, given the leaders, makes a claim of its own.
        remains: Share of a claim's log p that, given the leaders, makes it one even if it is weaker.
        simpler: Whether a shorter claim that says as much takes a longer one's place.
    """
    number = len(claims.cells)
    leader = np.full(number, -1, dtype=np.int64)
    why = [""] * number
    own_mask = masks(claims.cells, records.variables)
    sets = [frozenset(row[row >= 0].tolist()) for row in claims.cells]
    leaders = _Leaders(claims, len(records.everyone))
    left = np.argsort(-claims.score, kind="stable").tolist()
    while left:
        h = left[0]
        shared = leaders.shared(h)
        if _given(h, claims, leaders, shared, int(own_mask[h]), records) <= max(
            log_explained, remains * float(claims.log_p[h])
        ):
            h = _simpler(h, left, claims, sets, own_mask, records) if simpler else h
            leader[h] = h
            leaders.add(h, records.holders(claims.cells[h]))
        else:
            leader[h] = leaders.nearest(h, shared)
            why[h] = _relation(sets[h], sets[leader[h]])
        left.remove(h)
    return Families(leader, tuple(why))


class _Leaders:
    """The leaders so far: their positions among the claims, and who holds them."""

    def __init__(self, claims: Claims, words: int) -> None:
        self.claims = claims
        self.size = (claims.cells >= 0).sum(axis=1)
        self.at = np.zeros(0, dtype=np.int64)
        self.vectors: list[NDArray[np.uint64]] = []
        self._words = words
        self._others: dict[tuple[int, ...], tuple[int, NDArray[np.uint64]]] = {}

    def add(self, h: int, vector: NDArray[np.uint64]) -> None:
        self.vectors.append(vector)
        self.at = np.append(self.at, h)

    def others(self, some: tuple[int, ...]) -> NDArray[np.uint64]:
        """Who holds any of the leaders but some."""
        if len(self._others) > _UNIONS:
            self._others.clear()
        done, union = self._others.get(some, (0, np.zeros(self._words, dtype=np.uint64)))
        for at in range(done, len(self.vectors)):
            if at not in some:
                union |= self.vectors[at]
        self._others[some] = len(self.vectors), union
        return union

    def shared(self, h: int) -> NDArray[np.int64]:
        """How many items of a claim each leader has."""
        from hrtech.patterns.family_loops import shared_items

        return np.asarray(shared_items(self.claims.cells, self.at, h))

    def nearest(self, h: int, shared: NDArray[np.int64]) -> int:
        """The nearest: nested in the same places, in the same places, by its share of items in common; the first."""
        from hrtech.patterns.family_loops import nearest_leader

        return int(nearest_leader(self.at, shared, self.size, self.claims.inside, h))


def _relation(own: frozenset[int], other: frozenset[int]) -> str:
    if own == other:
        return SAME
    return PART if own > other else WIDER if own < other else OVERLAP


def _simpler(
    h: int,
    left: list[int],
    claims: Claims,
    sets: list[frozenset[int]],
    own_mask: NDArray[np.int64],
    records: Records,
) -> int:
    """The shorter claim, in the same places, that says all that a longer one says; the longer where there is none."""
    for g in sorted((g for g in left if sets[g] < sets[h]), key=lambda g: (len(sets[g]), left.index(g))):
        if claims.sign[g] != claims.sign[h] or not (claims.inside[g] & claims.inside[h]).any():
            continue
        own, other = records.holders(claims.cells[h]), records.holders(claims.cells[g])
        known = records.known(int(own_mask[h]))
        every = np.ones(claims.inside.shape[1], dtype=bool)
        if _tail(own & known, other & known, claims, h, every, records) > np.log(_HARDLY) and _tail(
            other & known & ~own, known & ~own, claims, h, every, records
        ) < np.log(_TOO):
            return g
    return h


def _given(
    h: int, claims: Claims, leaders: _Leaders, shared: NDArray[np.int64], mask: int, records: Records
) -> float:
    """Log p of a claim given the leaders so far."""
    if not len(leaders.at):
        return float(claims.log_p[h])
    size = leaders.size[leaders.at]
    part, same = shared == size, (shared == size) & (size == leaders.size[h])
    use = ~claims.inside[leaders.at[same]].any(axis=0)
    among = records.known(mask) & ~leaders.others(tuple(np.flatnonzero(part).tolist()))
    for at in np.flatnonzero(part & ~same).tolist():
        among &= leaders.vectors[at]
    return _tail(records.holders(claims.cells[h]), among, claims, h, use, records)


def _tail(
    own: NDArray[np.uint64],
    among: NDArray[np.uint64],
    claims: Claims,
    h: int,
    use: NDArray[np.bool_],
    records: Records,
) -> float:
    """Log p of how many of some records lie in a claim's places, of all that do, in the places to use."""
    from hrtech.patterns.family_loops import claim_tail

    start, group = records.variables.word_start, records.group
    return float(claim_tail(own, among, start, group, claims.place, claims.inside[h], use, claims.sign[h]))
