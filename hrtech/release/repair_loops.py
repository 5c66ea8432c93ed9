"""The compiled loops of `repair`: counting combinations in people, and changing one state at a time.

Tables are `(places, ones, pairs, triples)`. Combinations lie in them as in the layout: `places` says where pairs and
triples of ascending attributes are; the others, shape (combinations, 2), hold for each its count less its target, kept
up to date, and the weight of its squared error, negative where it must not occur. Groups lie one after another, so
the attributes of earlier groups come before those of the group at hand, and those of later ones after. Attributes of
one group are no combination.
"""

from typing import Any

import numba as nb
import numpy as np

_OVER, _WEIGHT = 0, 1


@nb.njit(cache=True)
def _held(
    states: Any, r: int, skip: int, first_state: Any, holds: Any, items: Any, after: Any
) -> tuple[int, int]:
    """List what a person holds outside one group, and after each where the next group's begins.

    Returns:
        How many lie before that group, and how many in all.
    """
    before, n = 0, 0
    for g in range(states.shape[1]):
        if g == skip:
            before = n
            continue
        row = first_state[g] + states[r, g]
        first = n
        for p in range(2):
            if holds[row, p] >= 0:
                items[n] = holds[row, p]
                n += 1
        after[first:n] = n
    return before, n


@nb.njit(cache=True, inline="always")
def _pair(places: Any, i: int, j: int) -> int:
    return places[0, j] + i


@nb.njit(cache=True, inline="always")
def _triple(places: Any, i: int, j: int, k: int) -> int:
    return places[1, j] + i * places[2, j] + k


@nb.njit(cache=True)
def count_held(states: Any, first_state: Any, holds: Any, tables: Any) -> None:
    """Add to the counts in the tables how many people hold each attribute, pair and triple; in place."""
    places, ones, pairs, triples = tables
    items = np.empty(2 * states.shape[1], np.int64)
    after = np.empty(2 * states.shape[1], np.int64)
    for r in range(states.shape[0]):
        n = _held(states, r, -1, first_state, holds, items, after)[1]
        for x in range(n):
            ones[items[x], _OVER] += 1
            for y in range(after[x], n if len(pairs) else 0):
                pairs[_pair(places, items[x], items[y]), _OVER] += 1
                for z in range(after[y], n if len(triples) else 0):
                    triples[_triple(places, items[x], items[y], items[z]), _OVER] += 1


@nb.njit(cache=True, inline="always")
def _term(table: Any, at: int, own: float, forbidden: float) -> float:
    """Change of the weighted squared error when one more person holds a combination."""
    weight = table[at, _WEIGHT]
    return forbidden if weight < 0 else weight * (1 + 2 * (table[at, _OVER] - own))


@nb.njit(cache=True)
def _cost(
    v: int, own: float, items: Any, after: Any, before: int, n: int, tables: Any, forbidden: float
) -> float:
    """Change of the error when a person who holds `items` also holds attribute `v`; `own` is 1 if they do now."""
    places, ones, pairs, triples = tables
    cost = _term(ones, v, own, forbidden)
    for x in range(n if len(pairs) else 0):
        i, j = (items[x], v) if x < before else (v, items[x])
        pair = _pair(places, i, j)
        cost += _term(pairs, pair, own, forbidden)
        if pairs[pair, _WEIGHT] < 0 or not len(triples):
            continue
        for y in range(after[x], before):
            cost += _term(triples, _triple(places, i, items[y], v), own, forbidden)
        start = _triple(places, i, j, 0)
        for y in range(max(after[x], before), n):
            cost += _term(triples, start + items[y], own, forbidden)
    return cost


@nb.njit(cache=True)
def _move(v: int, sign: float, items: Any, after: Any, before: int, n: int, tables: Any) -> None:
    """Add or take away one holder of every combination of `v` with `items`; in place."""
    places, ones, pairs, triples = tables
    ones[v, _OVER] += sign
    for x in range(n if len(pairs) else 0):
        i, j = (items[x], v) if x < before else (v, items[x])
        pairs[_pair(places, i, j), _OVER] += sign
        if not len(triples):
            continue
        for y in range(after[x], before):
            triples[_triple(places, i, items[y], v), _OVER] += sign
        start = _triple(places, i, j, 0)
        for y in range(max(after[x], before), n):
            triples[start + items[y], _OVER] += sign


@nb.njit(cache=True)
def sweep(states: Any, order: Any, first_state: Any, holds: Any, tables: Any, forbidden: float) -> int:
    """Give each person in turn, in each group, the state that lowers the error most; returns how many changes.

    Each combination that must not occur costs `forbidden`.
    """
    items = np.empty(2 * states.shape[1], np.int64)
    after = np.empty(2 * states.shape[1], np.int64)
    changes = 0
    for r in order:
        for g in range(states.shape[1]):
            before, n = _held(states, r, g, first_state, holds, items, after)
            begin = first_state[g]
            now = begin + states[r, g]
            best, least = begin, 0.0
            for state in range(begin + 1, first_state[g + 1]):
                cost = 0.0
                for p in range(2):
                    v = holds[state, p]
                    if v >= 0:
                        own = 1.0 if (holds[now, 0] == v or holds[now, 1] == v) else 0.0
                        cost += _cost(v, own, items, after, before, n, tables, forbidden)
                if cost < least:
                    least, best = cost, state
            if best == now:
                continue
            changes += 1
            states[r, g] = best - begin
            for p in range(2):
                if holds[now, p] >= 0:
                    _move(holds[now, p], -1.0, items, after, before, n, tables)
                if holds[best, p] >= 0:
                    _move(holds[best, p], 1.0, items, after, before, n, tables)
    return changes
