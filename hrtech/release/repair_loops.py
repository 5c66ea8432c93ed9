"""The compiled loops of `repair`: counting combinations in people, and changing one state at a time.

Tables of pairs and triples are read and written at ascending attributes only. Groups lie one after another, so the
attributes of earlier groups come before those of the group at hand, and those of later ones after.
"""

from typing import Any

import numba as nb
import numpy as np


@nb.njit(cache=True)
def _held(
    states: Any, r: int, skip: int, first_state: Any, holds: Any, items: Any, group: Any
) -> tuple[int, int]:
    """List what a person holds outside one group; returns how many lie before that group, and how many in all."""
    before, n = 0, 0
    for g in range(states.shape[1]):
        if g == skip:
            before = n
            continue
        row = first_state[g] + states[r, g]
        for p in range(2):
            if holds[row, p] >= 0:
                items[n] = holds[row, p]
                group[n] = g
                n += 1
    return before, n


@nb.njit(cache=True)
def count_held(states: Any, first_state: Any, holds: Any, first: Any, second: Any, third: Any) -> None:
    """Count attributes, pairs and triples of people into `first`, `second` (i < j), `third` (i < j < k); in place."""
    items = np.empty(2 * states.shape[1], np.int64)
    group = np.empty(2 * states.shape[1], np.int64)
    triples = third.shape[0] > 1
    for r in range(states.shape[0]):
        n = _held(states, r, -1, first_state, holds, items, group)[1]
        for x in range(n):
            first[items[x]] += 1
            for y in range(x + 1, n):
                if group[y] == group[x]:
                    continue
                second[items[x], items[y]] += 1
                for z in range(y + 1, n if triples else 0):
                    if group[z] != group[y]:
                        third[items[x], items[y], items[z]] += 1


@nb.njit(cache=True, inline="always")
def _term(weight: float, over: float, own: float, forbidden: float) -> float:
    """Change of the weighted squared error when one more person holds a combination."""
    if weight < 0:
        return forbidden
    return weight * (1 + 2 * (over - own))


@nb.njit(cache=True)
def _cost(
    v: int, own: float, items: Any, before: int, n: int, over1: Any, over2: Any, over3: Any, w1: Any, w2: Any, w3: Any,
    forbidden: float,
) -> float:  # fmt: skip
    """Change of the error when a person who holds `items` also holds attribute `v`; `own` is 1 if they do now."""
    cost = _term(w1[v], over1[v], own, forbidden)
    triples = w3.shape[0] > 1
    for x in range(n):
        i = items[x]
        a, b = (i, v) if x < before else (v, i)
        if w2[a, b] < 0:
            cost += forbidden
            continue
        cost += w2[a, b] * (1 + 2 * (over2[a, b] - own))
        for y in range(x + 1, n if triples else 0):
            j = items[y]
            if y < before:
                cost += _term(w3[i, j, v], over3[i, j, v], own, forbidden)
            elif x < before:
                cost += _term(w3[i, v, j], over3[i, v, j], own, forbidden)
            else:
                cost += _term(w3[v, i, j], over3[v, i, j], own, forbidden)
    return cost


@nb.njit(cache=True)
def _move(v: int, sign: float, items: Any, before: int, n: int, over1: Any, over2: Any, over3: Any) -> None:
    """Add or take away one holder of every combination of `v` with `items`; in place."""
    over1[v] += sign
    triples = over3.shape[0] > 1
    for x in range(n):
        i = items[x]
        if x < before:
            over2[i, v] += sign
        else:
            over2[v, i] += sign
        for y in range(x + 1, n if triples else 0):
            j = items[y]
            if y < before:
                over3[i, j, v] += sign
            elif x < before:
                over3[i, v, j] += sign
            else:
                over3[v, i, j] += sign


@nb.njit(cache=True)
def sweep(
    states: Any, order: Any, first_state: Any, holds: Any, over1: Any, over2: Any, over3: Any, w1: Any, w2: Any,
    w3: Any, forbidden: float,
) -> int:  # fmt: skip
    """Give each person in turn, in each group, the state that lowers the error most; returns how many changed.

    over* are counts less targets, kept up to date; w* are weights of squared errors, negative where a combination must
    not occur, which costs `forbidden`. A combination within one group weighs nothing.
    """
    items = np.empty(2 * states.shape[1], np.int64)
    group = np.empty(2 * states.shape[1], np.int64)
    changed = 0
    for r in order:
        for g in range(states.shape[1]):
            before, n = _held(states, r, g, first_state, holds, items, group)
            begin = first_state[g]
            now = begin + states[r, g]
            best, least = begin, 0.0
            for state in range(begin + 1, first_state[g + 1]):
                cost = 0.0
                for p in range(2):
                    v = holds[state, p]
                    if v >= 0:
                        own = 1.0 if (holds[now, 0] == v or holds[now, 1] == v) else 0.0
                        cost += _cost(v, own, items, before, n, over1, over2, over3, w1, w2, w3, forbidden)
                if cost < least:
                    least, best = cost, state
            if best == now:
                continue
            changed += 1
            states[r, g] = best - begin
            for p in range(2):
                if holds[now, p] >= 0:
                    _move(holds[now, p], -1.0, items, before, n, over1, over2, over3)
                if holds[best, p] >= 0:
                    _move(holds[best, p], 1.0, items, before, n, over1, over2, over3)
    return changed
