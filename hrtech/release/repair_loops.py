"""The compiled loops of `repair`: counting combinations in people, and changing one state at a time.

Tables are `(places, ones, pairs, triples)`. Combinations lie in them as in the layout: `places` says where pairs and
triples of ascending attributes are; the others, shape (combinations, 3), hold for each its count less its target, kept
up to date, the weight of its squared error, negative where it must not occur, and its target. Groups lie one after
another, so the attributes of earlier groups come before those of the group at hand, and those of later ones after.
Attributes of one group are no combination.

Nearly all time goes into asking what one more holder of a combination would cost. A sweep therefore keeps those costs
beside the tables, one number each, and lists what a person holds once: what earlier groups hold grows and what later
ones hold shrinks from group to group.
"""

from typing import Any

import numba as nb
import numpy as np

_OVER, _WEIGHT, _TARGET = 0, 1, 2
#: What it is worth that somebody holds a combination that may occur, in units of a squared error.
FIRST = 30.0


@nb.njit(cache=True)
def _held(states: Any, r: int, first_state: Any, holds: Any, items: Any, after: Any, starts: Any) -> int:
    """List what a person holds and after each where the next group's begins; returns how many.

    `starts` receives where each group's begins, and the end.
    """
    n = 0
    for g in range(states.shape[1]):
        starts[g] = n
        row = first_state[g] + states[r, g]
        first = n
        for p in range(2):
            if holds[row, p] >= 0:
                items[n] = holds[row, p]
                n += 1
        after[first:n] = n
    starts[states.shape[1]] = n
    return n


@nb.njit(cache=True, inline="always")
def _pair(places: Any, i: int, j: int) -> int:
    return places[0, j] + i


@nb.njit(cache=True, inline="always")
def _triple(places: Any, i: int, j: int, k: int) -> int:
    return places[1, j] + i * places[2, j] + k


@nb.njit(cache=True)
def _count(states: Any, r: int, sign: float, first_state: Any, holds: Any, lists: Any, tables: Any) -> None:
    """Count one person more or less in all that they hold; in place."""
    places, ones, pairs, triples = tables
    items, after, starts = lists
    n = _held(states, r, first_state, holds, items, after, starts)
    for x in range(n):
        ones[items[x], _OVER] += sign
        for y in range(after[x], n if len(pairs) else 0):
            pairs[_pair(places, items[x], items[y]), _OVER] += sign
            for z in range(after[y], n if len(triples) else 0):
                triples[_triple(places, items[x], items[y], items[z]), _OVER] += sign


@nb.njit(cache=True)
def _lists(groups: int) -> Any:
    """Room for what a person holds; see `_held`."""
    return np.empty(2 * groups, np.int64), np.empty(2 * groups, np.int64), np.empty(groups + 1, np.int64)


@nb.njit(cache=True)
def count_held(states: Any, first_state: Any, holds: Any, tables: Any) -> None:
    """Add to the counts in the tables how many people hold each attribute, pair and triple; in place."""
    lists = _lists(states.shape[1])
    for r in range(states.shape[0]):
        _count(states, r, 1.0, first_state, holds, lists, tables)


@nb.njit(cache=True)
def breaks(states: Any, first_state: Any, holds: Any, tables: Any) -> Any:
    """Who holds a combination that must not occur; shape (people,)."""
    places, ones, pairs, triples = tables
    items, after, starts = _lists(states.shape[1])
    out = np.zeros(states.shape[0], np.bool_)
    for r in range(states.shape[0]):
        n = _held(states, r, first_state, holds, items, after, starts)
        for x in range(n):
            out[r] |= ones[items[x], _WEIGHT] < 0
            for y in range(after[x], n if len(pairs) else 0):
                out[r] |= pairs[_pair(places, items[x], items[y]), _WEIGHT] < 0
                for z in range(after[y], n if len(triples) else 0):
                    out[r] |= triples[_triple(places, items[x], items[y], items[z]), _WEIGHT] < 0
    return out


@nb.njit(cache=True)
def give(
    states: Any, order: Any, empty: Any, state_of: Any, first_state: Any, holds: Any, tables: Any
) -> None:
    """Let one person each hold a combination that nobody holds, and nothing else; in place.

    Args:
        states: Shape (people, groups).
        order: Who, in turn.
        empty: Shape (combinations, 3), attributes and -1 after the last; what one of them gives to another is skipped.
        state_of: Shape (attributes, 2), group and state of each attribute.
        first_state: First state of each group.
        holds: Attributes of each state.
        tables: As above.
    """
    places, ones, pairs, triples = tables
    lists = _lists(states.shape[1])
    given = 0
    for i, j, k in empty:
        if k >= 0:
            held = _is_held(triples, _triple(places, i, j, k))
        elif j >= 0:
            held = _is_held(pairs, _pair(places, i, j))
        else:
            held = _is_held(ones, i)
        if held or given == len(order):
            continue
        r = order[given]
        given += 1
        _count(states, r, -1.0, first_state, holds, lists, tables)
        states[r] = 0
        for v in (i, j, k):
            if v >= 0:
                states[r, state_of[v, 0]] = state_of[v, 1]
        _count(states, r, 1.0, first_state, holds, lists, tables)


@nb.njit(cache=True, inline="always")
def _is_held(table: Any, at: int) -> bool:
    return table[at, _OVER] + table[at, _TARGET] > 0.5


@nb.njit(cache=True, inline="always")
def _term(table: Any, at: int, own: float, forbidden: float) -> float:
    """Change of the weighted squared error when one more person holds a combination."""
    weight, over = table[at, _WEIGHT], table[at, _OVER] - own
    if weight < 0:
        return forbidden
    return weight * (1 + 2 * over) - (FIRST if over + table[at, _TARGET] < 0.5 else 0.0)


@nb.njit(cache=True)
def _costs(table: Any, own: float, forbidden: float) -> Any:
    """What one more holder of each combination costs, of whom `own` is counted already."""
    out = np.empty(len(table), np.float64)
    for at in range(len(table)):
        out[at] = _term(table, at, own, forbidden)
    return out


@nb.njit(cache=True)
def _cost(
    v: int, before: Any, n_before: int, after: Any, first: int, places: Any, pairs: Any, costs: Any
) -> float:  # fmt: skip
    """Change of the error when a person who holds all these also holds attribute `v`.

    `before` is what earlier groups hold, where the next group's begins after each, and where triples of two of them
    and a third begin; `after` is what later groups hold, from number `first` on, and where the next group's begins.
    """
    own_costs, pair_costs, triple_costs = costs
    items, next_group, bases = before
    others, others_next, n = after
    cost = own_costs[v]
    for x in range(n_before if len(pairs) else 0):
        i = items[x]
        pair = _pair(places, i, v)
        cost += pair_costs[pair]
        if pairs[pair, _WEIGHT] < 0 or not len(triple_costs):
            continue
        for y in range(next_group[x], n_before):
            cost += triple_costs[bases[x, y] + v]
        start = _triple(places, i, v, 0)
        for y in range(first, n):
            cost += triple_costs[start + others[y]]
    for x in range(first, n if len(pairs) else 0):
        pair = _pair(places, v, others[x])
        cost += pair_costs[pair]
        if pairs[pair, _WEIGHT] < 0 or not len(triple_costs):
            continue
        start = _triple(places, v, others[x], 0)
        for y in range(others_next[x], n):
            cost += triple_costs[start + others[y]]
    return cost


@nb.njit(cache=True, inline="always")
def _shift(table: Any, free: Any, held: Any, at: int, sign: float) -> None:
    """One holder more or less of a combination."""
    table[at, _OVER] += sign
    if table[at, _WEIGHT] >= 0:
        free[at] = _term(table, at, 0.0, 0.0)
        held[at] = _term(table, at, 1.0, 0.0)


@nb.njit(cache=True)
def _move(
    v: int, sign: float, before: Any, n_before: int, after: Any, first: int, tables: Any, free: Any, held: Any
) -> None:  # fmt: skip
    """Add or take away one holder of every combination of `v` with what a person holds; in place."""
    places, ones, pairs, triples = tables
    items, next_group, bases = before
    others, others_next, n = after
    _shift(ones, free[0], held[0], v, sign)
    for x in range(n_before if len(pairs) else 0):
        i = items[x]
        _shift(pairs, free[1], held[1], _pair(places, i, v), sign)
        if not len(triples):
            continue
        for y in range(next_group[x], n_before):
            _shift(triples, free[2], held[2], bases[x, y] + v, sign)
        start = _triple(places, i, v, 0)
        for y in range(first, n):
            _shift(triples, free[2], held[2], start + others[y], sign)
    for x in range(first, n if len(pairs) else 0):
        _shift(pairs, free[1], held[1], _pair(places, v, others[x]), sign)
        if not len(triples):
            continue
        start = _triple(places, v, others[x], 0)
        for y in range(others_next[x], n):
            _shift(triples, free[2], held[2], start + others[y], sign)


@nb.njit(cache=True)
def _best(
    now: int, states: Any, holds: Any, before: Any, n_before: int, after: Any, first: int, places: Any, pairs: Any,
    free: Any, held: Any,
) -> int:  # fmt: skip
    """The state of a group that lowers the error most: `states` are the first and the last but one."""
    best, least = states[0], 0.0
    for state in range(states[0] + 1, states[1]):
        cost = 0.0
        for p in range(2):
            v = holds[state, p]
            if v < 0:
                continue
            if holds[now, 0] == v or holds[now, 1] == v:
                cost += _cost(v, before, n_before, after, first, places, pairs, held)
            else:
                cost += _cost(v, before, n_before, after, first, places, pairs, free)
        if cost < least:
            least, best = cost, state
    return best


@nb.njit(cache=True)
def sweep(states: Any, order: Any, first_state: Any, holds: Any, tables: Any, forbidden: float) -> int:
    """Give each person in turn, in each group, the state that lowers the error most; returns how many changes.

    Each combination that must not occur costs `forbidden`.
    """
    places, ones, pairs, triples = tables
    free = (_costs(ones, 0.0, forbidden), _costs(pairs, 0.0, forbidden), _costs(triples, 0.0, forbidden))
    held = (_costs(ones, 1.0, forbidden), _costs(pairs, 1.0, forbidden), _costs(triples, 1.0, forbidden))
    most = 2 * states.shape[1]
    items, next_group = np.empty(most, np.int64), np.empty(most, np.int64)
    others, others_next = np.empty(most, np.int64), np.empty(most, np.int64)
    starts = np.empty(states.shape[1] + 1, np.int64)
    bases = np.empty((most, most), np.int64)
    before = (items, next_group, bases)
    changes = 0
    for r in order:
        n_before = 0
        after = (others, others_next, _held(states, r, first_state, holds, others, others_next, starts))
        for g in range(states.shape[1]):
            first = starts[g + 1]
            now = first_state[g] + states[r, g]
            best = _best(
                now, first_state[g : g + 2], holds, before, n_before, after, first, places, pairs, free, held
            )
            if best != now:
                changes += 1
                states[r, g] = best - first_state[g]
                for p in range(2):
                    if holds[now, p] >= 0:
                        _move(holds[now, p], -1.0, before, n_before, after, first, tables, free, held)
                    if holds[best, p] >= 0:
                        _move(holds[best, p], 1.0, before, n_before, after, first, tables, free, held)
            n = n_before
            for p in range(2):
                v = holds[best, p]
                if v >= 0:
                    items[n] = v
                    for x in range(n_before):
                        bases[x, n] = _triple(places, items[x], v, 0)
                    n += 1
            next_group[n_before:n] = n
            n_before = n
    return changes
