"""Bring records closer to target counts of pairs by swapping values between records.

Two records exchange their state of one variable. That leaves every count of length 1 as it is and moves
the counts of pairs towards their targets. A variable at a time, records are paired, at random and by who
gains most in turn; of the swaps that would each reduce the error on their own, a random share is made, as
large as an exact line search says (a Frank-Wolfe step with random rounding). Nothing is known here of
releases or privacy.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_STALE_SWEEPS = 4
_ENOUGH = 0.98
# a pair that should not exist weighs this much more than its error alone
_EMPTY_WEIGHT = 4.0


@dataclass
class _Pairs:
    """Counts of pairs held, wanted, and how much a difference matters; all shape (items, items)."""

    held: NDArray[np.float32]
    wanted: NDArray[np.float32]
    weight: NDArray[np.float32]

    def error(self) -> float:
        return float((self.weight * (self.held - self.wanted) ** 2).sum())


def repaired(
    states: list[NDArray[np.int64]],
    first_items: list[int],
    wanted: NDArray[np.int64],
    valid: NDArray[np.bool_],
    rng: np.random.Generator,
    *,
    max_sweeps: int = 24,
) -> list[NDArray[np.int64]]:
    """Swap states between records until the pairs no longer come closer to their targets.

    Args:
        states: per variable the state of each record, 0 = none; state k is item ``first_item + k - 1``.
        first_items: first item of each variable.
        wanted: shape (items, items), symmetric target counts.
        valid: shape (items, items), symmetric: pairs that count (those of one variable never do).
        rng: pairs the records and rounds the steps.
        max_sweeps: most passes over all variables.

    Returns:
        The new states; how often each state occurs is unchanged.
    """
    states = [s.copy() for s in states]
    n, n_items = len(states[0]) if states else 0, len(wanted)
    if n < 2 or not n_items:
        return states
    rows = np.zeros((n, n_items), dtype=np.float32)
    for state, first in zip(states, first_items, strict=True):
        known = np.flatnonzero(state)
        rows[known, first + state[known] - 1] = 1
    weight = np.where(valid, np.where(wanted > 0, 1 / np.sqrt(wanted + 1.0), _EMPTY_WEIGHT), 0)
    pairs = _Pairs(rows.T @ rows, wanted.astype(np.float32), weight.astype(np.float32))
    best, stale = pairs.error(), 0
    for sweep in range(max_sweeps):
        for v in rng.permutation(len(states)):
            _improve(rows, states[v], first_items[v], pairs, rng, matched=sweep % 2 == 1)
        error = pairs.error()
        stale = 0 if error < best * _ENOUGH else stale + 1
        best = min(best, error)
        if stale == _STALE_SWEEPS:
            break
    return states


def _improve(
    rows: NDArray[np.float32],
    state: NDArray[np.int64],
    first: int,
    pairs: _Pairs,
    rng: np.random.Generator,
    *,
    matched: bool,
) -> None:
    """One step for one variable; changes ``rows``, ``state`` and ``pairs.held``."""
    size = int(state.max())
    if not size:
        return
    block = slice(first, first + size)
    slope = _with_nothing(2 * pairs.weight[:, block] * (pairs.held[:, block] - pairs.wanted[:, block]))
    bend = _with_nothing(pairs.weight[:, block])
    one, other = _matched(state, rows @ slope, rng) if matched else _at_random(state, rng)
    if not len(one):
        return
    a, b = state[one], state[other]
    apart = rows[one] - rows[other]
    towards, at = apart @ slope, np.arange(len(one))
    gain = towards[at, a] - towards[at, b]
    against = (apart**2) @ bend
    chosen = np.flatnonzero(gain > against[at, a] + against[at, b])
    if not len(chosen):
        return
    change = _change(apart[chosen], a[chosen], b[chosen], size)
    curve = float((pairs.weight[:, block] * change**2).sum())
    step = min(1.0, -float((slope[:, 1:] * change).sum()) / (2 * curve)) if curve else 1.0
    chosen = chosen[rng.random(len(chosen)) < step]
    moved = _change(apart[chosen], a[chosen], b[chosen], size)
    # pairs within the variable's own items are not valid and stay out of the error
    pairs.held[:, block] += moved
    pairs.held[block, :] = pairs.held[:, block].T
    for mine, theirs in ((one[chosen], b[chosen]), (other[chosen], a[chosen])):
        state[mine] = theirs
        rows[mine, block] = 0
        known = np.flatnonzero(theirs)
        rows[mine[known], first + theirs[known] - 1] = 1


def _at_random(
    state: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Records paired at random, where their states differ."""
    order = rng.permutation(len(state))
    half = len(order) // 2
    one, other = order[:half], order[half : 2 * half]
    differ = state[one] != state[other]
    return one[differ], other[differ]


def _matched(
    state: NDArray[np.int64], cost: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """States paired at random; those who gain most by changing from one to the other come together.

    ``cost`` has shape (records, states): what holding a state adds to the error, to first order.
    """
    turn = rng.permutation(cost.shape[1])
    by_state = np.argsort(state, kind="stable")
    edges = np.searchsorted(state[by_state], np.arange(cost.shape[1] + 1))
    ones, others = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for a, b in zip(turn[0::2], turn[1::2], strict=False):
        mine, theirs = (rng.permutation(by_state[edges[k] : edges[k + 1]]) for k in (a, b))
        mine = mine[np.argsort(cost[mine, b] - cost[mine, a])]
        theirs = theirs[np.argsort(cost[theirs, a] - cost[theirs, b])]
        most = min(len(mine), len(theirs))
        ones.append(mine[:most])
        others.append(theirs[:most])
    return np.concatenate(ones), np.concatenate(others)


def _with_nothing(columns: NDArray[np.float32]) -> NDArray[np.float32]:
    """State 0 holds no item: a column of zeros in front."""
    return np.hstack([np.zeros((len(columns), 1), dtype=np.float32), columns])


def _change(
    apart: NDArray[np.float32], a: NDArray[np.int64], b: NDArray[np.int64], size: int
) -> NDArray[np.float32]:
    """How the swaps change the counts of pairs with the variable's items; shape (items, size)."""
    states = np.arange(1, size + 1)
    return apart.T @ ((b[:, None] == states).astype(np.float32) - (a[:, None] == states).astype(np.float32))
