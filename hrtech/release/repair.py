"""Synthetic people whose counts agree with estimates, and who hold nothing that is not told.

Coordinate descent on whole people: each in turn is given, in each group, the state that lowers the weighted squared
error of all counts up to length 3 most; holding a combination that is not told costs ever more, at last more than
anything gains, so that none is left. "Unknown" is always allowed, so that this ends. That somebody holds a combination
that is told is worth more than most errors; where nobody does, somebody is made to hold it and nothing else, and
descent goes on from there. Post-processing.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hrtech.release.layout import Layout
from hrtech.release.records import States

_SWEEPS = 5
_FORBIDDEN = 30.0
_NEVER = 1e15
#: So many sweeps change everybody; the next ones change those whom the last one changed, as the others hardly would.
_FOR_ALL = 2
#: A sweep with fewer changes than this share of the people is the last but one.
_STALE = 0.01
_LONGEST = 3
#: How often people are made to hold what nobody holds.
_FILLS = 3


def repair(
    states: States,
    layout: Layout,
    targets: dict[int, NDArray[np.float64]],
    told: dict[int, NDArray[np.bool_]],
    rng: np.random.Generator,
) -> States:
    """Change people's states until their counts agree with the targets as well as they can.

    Args:
        states: Shape (people, groups); not changed.
        layout: Groups and combinations.
        targets: Estimated counts per length, in the order of the layout; lengths above 3 are not used.
        told: Which combinations may occur; the same lengths.
        rng: The order of people in each sweep.

    Returns:
        States of the same shape. No combination of up to 3 attributes that is not told occurs in them, and nearly
        all that are told do.
    """
    from hrtech.release.repair_loops import breaks, count_held, give, sweep

    states = states.copy()
    holds, first_state = _held_by_state(layout)
    counts = [_table(targets, told, k) for k in range(1, _LONGEST + 1)]
    tables = (places_of(layout), *counts)
    count_held(states, first_state, holds, tables)

    def visit(order: NDArray[np.int64], forbidden: float) -> tuple[int, NDArray[np.bool_]]:
        """Change people in turn; returns how many changes, and whom they changed."""
        before = states.copy()
        changes = sweep(states, order, first_state, holds, tables, np.float32(forbidden))
        return changes, (states != before).any(axis=1)

    changed = np.ones(len(states), dtype=bool)
    for k in range(_SWEEPS):
        order = rng.permutation(len(states))
        changes, changed = visit(order if k < _FOR_ALL else order[changed[order]], _FORBIDDEN * (1 + k))
        if changes < _STALE * len(states):
            break
    visit(np.flatnonzero(changed | breaks(states, first_state, holds, tables)), _NEVER)
    for left in reversed(range(_FILLS)):
        empty = _empty(layout, counts)
        if not len(empty):
            break
        before = states.copy()
        give(states, rng.permutation(len(states)), empty, _state_of(layout), first_state, holds, tables)
        given = (states != before).any(axis=1) | breaks(states, first_state, holds, tables)
        order = rng.permutation(len(states))
        visit(order[given[order]] if left else order, _NEVER)
    return states


def _empty(layout: Layout, counts: Sequence[NDArray[np.float32]]) -> NDArray[np.int64]:
    """Combinations that are told and that nobody holds, the longest first; shape (combinations, 3), -1 for none."""
    found = [np.zeros((0, _LONGEST), dtype=np.int64)]
    for length, table in reversed(list(enumerate(counts, start=1))):
        over, weight, target = table.T
        nobody = np.flatnonzero((weight > 0) & (over + target < 0.5))
        if len(nobody):
            nobody = nobody[np.argsort(-target[nobody], kind="stable")]
            cells = layout.cells(length)[nobody]
            found.append(np.pad(cells, ((0, 0), (0, _LONGEST - length)), constant_values=-1).astype(np.int64))
    return np.concatenate(found)


def _state_of(layout: Layout) -> NDArray[np.int64]:
    """Group of each attribute and the state that is its own: it holds what the attribute implies, and no more."""
    group = layout.group_of.astype(np.int64)
    first = np.array([g.first for g in layout.groups], dtype=np.int64)
    return np.column_stack([group, np.arange(layout.n_attributes) - first[group] + 1])


def _table(
    targets: dict[int, NDArray[np.float64]], told: dict[int, NDArray[np.bool_]], length: int
) -> NDArray[np.float32]:
    """Counts less targets, nobody counted yet, weights, and targets; shape (combinations, 3).

    A combination that is not told has a negative weight; of a length that is not measured there is none.
    """
    if length not in targets:
        return np.zeros((0, 3), dtype=np.float32)
    target = np.where(told[length], np.maximum(targets[length], 0), 0)
    weight = np.ones(len(target)) if length == 1 else np.sqrt(10 / np.maximum(target, 10))
    return np.column_stack([-target, np.where(told[length], weight, -1.0), target]).astype(np.float32)


def places_of(layout: Layout) -> NDArray[np.int64]:
    """Where pairs and triples lie in their vectors; shape (3, attributes).

    Rows p, t, s: pair (i, j) is number ``p[j] + i``, and triple (i, j, k) is number ``t[j] + i s[j] + k``.
    """
    places = np.zeros((3, layout.n_attributes), dtype=np.int64)
    for group in layout.groups[1:]:
        own = np.arange(group.first, group.stop, dtype=np.int32)
        start = np.zeros_like(own)
        places[0, own] = layout.number(np.column_stack([start, own]))
        places[2, own] = layout.n_attributes - group.stop
        if group.stop < layout.n_attributes:
            after = np.full_like(own, group.stop)
            places[1, own] = layout.number(np.column_stack([start, own, after])) - group.stop
    return places


def _held_by_state(layout: Layout) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Attributes of each state, at most two and -1 for none; and the first state of each group."""
    rows, first = [], [0]
    for group in layout.groups:
        for state in group.states:
            held = (np.flatnonzero(state) + group.first).tolist()
            rows.append([*held, -1, -1][:2])
        first.append(len(rows))
    return np.array(rows, dtype=np.int64).reshape(-1, 2), np.array(first, dtype=np.int64)
