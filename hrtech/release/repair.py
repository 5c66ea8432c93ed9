"""Synthetic people whose counts agree with estimates, and who hold nothing that is not told.

Coordinate descent on whole people: each in turn is given, in each group, the state that lowers the weighted squared
error of all counts up to length 3 most; holding a combination that is not told costs ever more, at last more than
anything gains, so that none is left. "Unknown" is always allowed, so that this ends. Post-processing.
"""

import numpy as np
from numpy.typing import NDArray

from hrtech.release.layout import Layout
from hrtech.release.records import States

_SWEEPS = 5
_FORBIDDEN = 30.0
_NEVER = 1e9
#: A sweep that changes a smaller share of people than this is the last but one.
_STALE = 0.01
_LONGEST = 3


class _Tables:
    """Counts less targets, and weights, as tables that the loops index."""

    def __init__(
        self,
        layout: Layout,
        targets: dict[int, NDArray[np.float64]],
        told: dict[int, NDArray[np.bool_]],
    ) -> None:
        n = layout.n_attributes
        longest = min(_LONGEST, max(targets))
        shapes = {1: (n,), 2: (n, n), 3: (n, n, n) if longest == _LONGEST else (1, 1, 1)}
        self.over = {k: np.zeros(shapes[k], dtype=np.float32) for k in shapes}
        self.weight = {k: np.zeros(shapes[k], dtype=np.float32) for k in shapes}
        for k in range(1, longest + 1):
            at = tuple(layout.cells(k).T)
            target = np.where(told[k], np.maximum(targets[k], 0), 0)
            self.over[k][at] = -target
            weight = 1.0 if k == 1 else np.sqrt(10 / np.maximum(target, 10))
            self.weight[k][at] = np.where(told[k], weight, -1.0)


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
        States of the same shape. No combination of up to 3 attributes that is not told occurs in them.
    """
    from hrtech.release.repair_loops import count_held, sweep

    states = states.copy()
    tables = _Tables(layout, targets, told)
    holds, first_state = _held_by_state(layout)
    count_held(states, first_state, holds, *(tables.over[k] for k in (1, 2, 3)))
    arrays = [tables.over[k] for k in (1, 2, 3)] + [tables.weight[k] for k in (1, 2, 3)]
    for k in range(_SWEEPS):
        order = rng.permutation(len(states))
        changed = sweep(states, order, first_state, holds, *arrays, np.float32(_FORBIDDEN * (1 + k)))
        if changed < _STALE * len(states):
            break
    sweep(states, np.arange(len(states)), first_state, holds, *arrays, np.float32(_NEVER))
    return states


def _held_by_state(layout: Layout) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Attributes of each state, at most two and -1 for none; and the first state of each group."""
    rows, first = [], [0]
    for group in layout.groups:
        for state in group.states:
            held = (np.flatnonzero(state) + group.first).tolist()
            rows.append([*held, -1, -1][:2])
        first.append(len(rows))
    return np.array(rows, dtype=np.int64), np.array(first, dtype=np.int64)
