"""Greedy equivalence search (Chickering 2002) over classes of graphs, with what is known imposed at every step."""

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Final

import numpy as np

from hrtech.causal.discovery.graphs import Graph, adjacency, class_of, extended
from hrtech.causal.discovery.knowledge import Bounds
from hrtech.causal.discovery.scores import ScoreData, local_score

#: Neighbours of a variable of which every subset is tried.
_MOST_NEIGHBOURS: Final = 6

Score = Callable[[int, frozenset[int]], float]


def greedy_equivalence(data: ScoreData, bounds: Bounds) -> Graph:
    """Return the class that no insertion and no deletion of an edge improves.

    Args:
        data: Data of the score.
        bounds: What is known.
    """
    memo: dict[tuple[int, int], float] = {}
    arguments = data.arguments()

    def score(child: int, parents: frozenset[int]) -> float:
        mask = sum(1 << int(k) for k in parents)
        key = (child, mask)
        if key not in memo:
            memo[key] = float(local_score(*arguments, child, mask))
        return memo[key]

    graph = class_of(bounds.required, bounds.known)
    for step in (_insertions, _deletions):
        while True:
            tried = sorted(step(graph, bounds, score), key=lambda move: -move[0])
            better = next(
                (
                    after
                    for gain, changed in tried
                    if gain > 1e-9
                    if (after := _class(changed, bounds)) is not None
                ),
                None,
            )
            if better is None:
                break
            graph = better
    return graph


def _class(changed: Graph, bounds: Bounds) -> Graph | None:
    """The class of a changed graph; None if none of its members obeys the bounds."""
    dag = extended(changed)
    if dag is None or (dag & ~bounds.allowed).any() or (bounds.required & ~dag).any():
        return None
    return class_of(dag, bounds.known)


def _around(graph: Graph, y: int) -> tuple[set[int], set[int]]:
    """Neighbours by undirected edges, and parents."""
    return (
        {int(k) for k in np.flatnonzero(graph[:, y] & graph[y])},
        {int(k) for k in np.flatnonzero(graph[:, y] & ~graph[y])},
    )


def _clique(joined: Graph, nodes: set[int]) -> bool:
    return all(joined[a, b] for a, b in combinations(nodes, 2))


def _insertions(graph: Graph, bounds: Bounds, score: Score) -> Iterator[tuple[float, Graph]]:
    """Valid insertions of an edge x → y, each with its gain."""
    joined = adjacency(graph)
    for x, y in zip(*np.nonzero(bounds.allowed & ~joined), strict=True):
        near, parents = _around(graph, int(y))
        shared = {k for k in near if joined[k, x]}
        free = [k for k in sorted(near) if not joined[k, x] and bounds.allowed[k, y]][:_MOST_NEIGHBOURS]
        for size in range(len(free) + 1):
            for chosen in combinations(free, size):
                block = shared | set(chosen)
                if not _clique(joined, block) or _open_path(graph, int(y), int(x), block):
                    continue
                base = frozenset(block | parents)
                gain = score(int(y), base | {int(x)}) - score(int(y), base)
                if gain > 1e-9:
                    changed = graph.copy()
                    changed[x, y] = True
                    changed[y, list(chosen)] = False
                    yield gain, changed


def _deletions(graph: Graph, bounds: Bounds, score: Score) -> Iterator[tuple[float, Graph]]:
    """Valid deletions of an edge between x and y, each with its gain."""
    joined = adjacency(graph)
    for x, y in zip(*np.nonzero(graph & ~bounds.required & ~bounds.required.T), strict=True):
        near, parents = _around(graph, int(y))
        shared = {k for k in near if joined[k, x]}
        for size in range(min(len(shared), _MOST_NEIGHBOURS) + 1):
            for chosen in combinations(sorted(shared), size):
                rest = shared - set(chosen)
                if not _clique(joined, rest):
                    continue
                base = frozenset((rest | parents) - {int(x)})
                gain = score(int(y), base) - score(int(y), base | {int(x)})
                if gain > 1e-9:
                    changed = graph.copy()
                    changed[x, y] = changed[y, x] = False
                    for k in chosen:
                        changed[k, y] = False
                        if changed[x, k] and changed[k, x]:
                            changed[k, x] = False
                    yield gain, changed


def _open_path(graph: Graph, start: int, end: int, block: set[int]) -> bool:
    """Whether a path without an arrow against it leads from start to end around a set of nodes."""
    seen, stack = {start}, [start]
    while stack:
        now = stack.pop()
        if now == end:
            return True
        for k in np.flatnonzero(graph[now]):
            if int(k) not in seen and int(k) not in block:
                seen.add(int(k))
                stack.append(int(k))
    return False
