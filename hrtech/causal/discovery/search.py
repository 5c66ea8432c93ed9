"""Search for the best-scoring graph over orders of the variables, compiled, with what is known imposed inside.

Best order score search (Andrews, Ramsey, Sanchez-Romero, Camchong and Kummerfeld 2023): each variable in turn is
moved to the place in the order where the whole scores best; given an order, the parents of a variable are grown and
shrunk among those before it that may cause it. Required causes are always parents, forbidden ones never.
"""

import numpy as np
from numba import int64, njit, types
from numba.typed import Dict
from numpy.typing import NDArray

from hrtech.causal.discovery.scores import ScoreData, local_score

Bools = NDArray[np.bool_]


@njit(cache=True, error_model="numpy")
def _scored(memo, score, child, parents):  # type: ignore[no-untyped-def]
    """Local score, looked up where it was computed before."""
    key = (parents << 6) | child
    if key in memo:
        return memo[key]
    value = local_score(*score, child, parents)
    memo[key] = value
    return value


@njit(cache=True, error_model="numpy")
def _family(memo, score, child, before, allowed, needed, most):  # type: ignore[no-untyped-def]  # noqa: C901
    """Grow and shrink the parents of a child among `before`; returns them and their score."""
    required = needed[child]
    if required & ~before:
        return required, -np.inf
    candidates = before & allowed[child] & ~required
    parents = required
    best = _scored(memo, score, child, parents)
    size = 0
    rest = parents
    while rest:
        rest &= rest - 1
        size += 1
    variables = allowed.shape[0]
    while size < most:
        found, gain = -1, 0.0
        for j in range(variables):
            if (candidates >> j) & 1 and not (parents >> j) & 1:
                value = _scored(memo, score, child, parents | (int64(1) << j)) - best
                if value > gain + 1e-9:
                    found, gain = j, value
        if found < 0:
            break
        parents |= int64(1) << found
        best += gain
        size += 1
    while True:
        found, gain = -1, 0.0
        for j in range(variables):
            if (parents >> j) & 1 and not (required >> j) & 1:
                value = _scored(memo, score, child, parents & ~(int64(1) << j)) - best
                if value > gain + 1e-9:
                    found, gain = j, value
        if found < 0:
            break
        parents &= ~(int64(1) << found)
        best += gain
    return parents, best


@njit(cache=True, error_model="numpy")
def _moved(memo, score, order, parents, values, at, allowed, needed, most):  # type: ignore[no-untyped-def]
    """Move the variable at place `at` to its best place, in both directions by swaps of neighbours."""
    size = order.shape[0]
    total = values.sum()
    best_total, best_order = total, order.copy()
    best_parents, best_values = parents.copy(), values.copy()
    for step in (-1, 1):
        line, sets, scores = order.copy(), parents.copy(), values.copy()
        place = at
        while 0 <= place + step < size:
            other = place + step
            line[place], line[other] = line[other], line[place]
            low = min(place, other)
            before = int64(0)
            for k in range(low):
                before |= int64(1) << line[k]
            first, second = line[low], line[low + 1]
            sets[first], scores[first] = _family(memo, score, first, before, allowed, needed, most)
            before |= int64(1) << first
            sets[second], scores[second] = _family(memo, score, second, before, allowed, needed, most)
            place = other
            now = scores.sum()
            if now > best_total + 1e-7:
                best_total, best_order = now, line.copy()
                best_parents, best_values = sets.copy(), scores.copy()
    return best_order, best_parents, best_values, best_total > total + 1e-7


@njit(cache=True, error_model="numpy")
def _ascend(memo, score, start, allowed, needed, most):  # type: ignore[no-untyped-def]
    """Improve an order until no variable moves; returns parents of each variable and the score."""
    size = start.shape[0]
    order = start.copy()
    parents = np.zeros(size, np.int64)
    values = np.zeros(size)
    before = int64(0)
    for place in range(size):
        child = order[place]
        parents[child], values[child] = _family(memo, score, child, before, allowed, needed, most)
        before |= int64(1) << child
    improved = True
    while improved:
        improved = False
        for variable in order.copy():
            at = 0
            while order[at] != variable:
                at += 1
            order, parents, values, better = _moved(
                memo, score, order, parents, values, at, allowed, needed, most
            )
            improved = improved or better
    return parents, values.sum()


@njit(cache=True, error_model="numpy")
def _search(score, starts, allowed, needed, most):  # type: ignore[no-untyped-def]
    memo = Dict.empty(key_type=types.int64, value_type=types.float64)
    best_parents, best = _ascend(memo, score, starts[0], allowed, needed, most)
    for k in range(1, starts.shape[0]):
        parents, value = _ascend(memo, score, starts[k], allowed, needed, most)
        if value > best + 1e-7:
            best_parents, best = parents, value
    return best_parents, best


def bits(matrix: Bools) -> NDArray[np.int64]:
    """Columns of a matrix of truth values as bit masks: bit i of element j is `matrix[i, j]`."""
    weights = np.left_shift(np.int64(1), np.arange(len(matrix), dtype=np.int64))
    return (matrix.astype(np.int64) * weights[:, None]).sum(axis=0)


def best_graph(
    data: ScoreData,
    allowed: Bools,
    required: Bools,
    rng: np.random.Generator,
    *,
    starts: int = 1,
    most_parents: int = 8,
) -> tuple[Bools, float]:
    """Return the best directed acyclic graph found, and its score.

    Args:
        data: Data of the score.
        allowed: `allowed[i, j]`: i may cause j.
        required: `required[i, j]`: i causes j; without cycles.
        rng: Draws the orders to start from.
        starts: Orders to start from.
        most_parents: Parents that a variable may have at most, beyond those required.

    Returns:
        Matrix with `graph[i, j]` true where i → j; total score.
    """
    size = data.variables
    orders = np.array([_start(required, rng) for _ in range(starts)], dtype=np.int64)
    parents, value = _search(data.arguments(), orders, bits(allowed), bits(required), most_parents)
    graph = (parents[None, :] >> np.arange(size)[:, None]) & 1
    return graph.astype(bool), float(value)


def _start(required: Bools, rng: np.random.Generator) -> list[int]:
    """Draw an order in which required causes come before their effects."""
    left = set(range(len(required)))
    order: list[int] = []
    while left:
        free = [j for j in sorted(left) if not any(required[i, j] for i in left)]
        order.append(int(rng.choice(free)))
        left.remove(order[-1])
    return order


def family(data: ScoreData, child: int, candidates: NDArray[np.bool_], required: NDArray[np.bool_]) -> Bools:
    """Parents of one variable among candidates, grown and shrunk by score.

    Args:
        data: Data of the score.
        child: The variable.
        candidates: Those that may be parents.
        required: Those that are.
    """
    memo = Dict.empty(key_type=types.int64, value_type=types.float64)
    size = data.variables
    weights = np.left_shift(np.int64(1), np.arange(size, dtype=np.int64))
    every = np.full(size, int(weights[candidates | required].sum()), np.int64)
    needed = np.full(size, int(weights[required].sum()), np.int64)
    parents, _ = _family(memo, data.arguments(), child, every[0], every, needed, size)
    return (parents >> np.arange(size)) & 1 == 1
