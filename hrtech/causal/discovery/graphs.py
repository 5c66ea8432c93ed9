"""Graphs as matrices: equivalence classes under what is known, their members, and distances.

A graph over d variables is a boolean matrix with `graph[i, j]` true where i → j; where both directions are true, the
edge is undirected: some graphs of the class point it one way, some the other. Orientation by the rules of Meek
(1995), which are complete for classes with background knowledge.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Graph = NDArray[np.bool_]


def adjacency(graph: Graph) -> Graph:
    """Whether two variables are joined by an edge of any kind; symmetric."""
    return graph | graph.T


def is_acyclic(graph: Graph) -> bool:
    """Whether the directed part has no cycle."""
    return topological_order(graph & ~graph.T) is not None


def topological_order(graph: Graph) -> list[int] | None:
    """Order with causes first; None if there is a cycle."""
    left = np.ones(len(graph), bool)
    order: list[int] = []
    while left.any():
        free = np.flatnonzero(left & ~graph[left].any(axis=0))
        if not len(free):
            return None
        order += [int(k) for k in free]
        left[free] = False
    return order


def oriented(graph: Graph) -> Graph:
    """Direct every undirected edge whose direction follows from the others (Meek's four rules), to a fixed point."""
    graph = graph.copy()
    changed = True
    while changed:
        changed = False
        both = graph & graph.T
        for i, j in zip(*np.nonzero(both), strict=True):
            if graph[i, j] and graph[j, i] and _follows(graph, int(i), int(j)):
                graph[j, i] = False
                changed = True
    return graph


def _follows(graph: Graph, i: int, j: int) -> bool:
    """Whether the undirected edge between i and j must be i → j."""
    directed, both = graph & ~graph.T, graph & graph.T
    joined = graph | graph.T
    into_i = directed[:, i]
    if (into_i & ~joined[:, j]).any():  # otherwise j would be a new collider
        return not (into_i & ~joined[:, j])[j]
    if (directed[i] & directed[:, j]).any():  # otherwise a cycle
        return True
    by = both[:, i] & directed[:, j]
    places = np.flatnonzero(by)
    if any(not joined[a, b] for x, a in enumerate(places) for b in places[x + 1 :]):
        return True
    # rule 4: i - a, a → b, b → j, with a and j apart
    for a in np.flatnonzero(both[:, i] & ~joined[:, j]):
        if a != j and (directed[a] & directed[:, j] & joined[:, i]).any():
            return True
    return False


def class_of(dag: Graph, known: Graph | None = None) -> Graph:
    """Equivalence class of a graph without cycles, directed further by what is known.

    Args:
        dag: Directed acyclic graph.
        known: `known[i, j]`: if there is an edge, it is i → j. None where nothing is known.

    Returns:
        The class as a partly directed graph: a direction that every member shares is directed.
    """
    joined = adjacency(dag)
    out = joined.copy()
    for j in range(len(dag)):
        parents = np.flatnonzero(dag[:, j])
        for x, a in enumerate(parents):
            for b in parents[x + 1 :]:
                if not joined[a, b]:
                    out[j, a] = out[j, b] = False
    if known is not None:
        out &= ~(known & dag).T
    return oriented(out)


def extended(graph: Graph) -> Graph | None:
    """A member of the class: a directed acyclic graph with the same colliders; None if there is none.

    Source: Dor and Tarsi (1992).
    """
    left, rest = np.ones(len(graph), bool), graph.copy()
    out = graph & ~graph.T
    while left.any():
        for x in np.flatnonzero(left):
            directed = rest & ~rest.T
            if directed[x].any():
                continue
            near = np.flatnonzero(rest[x] & rest[:, x])
            joined = adjacency(rest)
            around = np.flatnonzero(joined[x])
            if all(joined[y, z] for y in near for z in around if z != y):
                out[near, x] = True
                rest[x] = rest[:, x] = False
                left[x] = False
                break
        else:
            return None
    return out


def members(graph: Graph, most: int) -> Iterator[Graph]:
    """Directed acyclic graphs of a class, at most `most`, each once."""
    found = 0
    stack = [oriented(graph)]
    while stack and found < most:
        now = stack.pop()
        both = np.argwhere(np.triu(now & now.T))
        if not len(both):
            if is_acyclic(now):
                found += 1
                yield now
            continue
        i, j = both[0]
        for a, b in ((i, j), (j, i)):
            tried = now.copy()
            tried[b, a] = False
            tried = oriented(tried)
            if is_acyclic(tried) and _same_colliders(tried, now):
                stack.append(tried)


def _same_colliders(tried: Graph, graph: Graph) -> bool:
    """Whether directing edges made no collider that was not there."""
    joined = adjacency(graph)
    before, after = graph & ~graph.T, tried & ~tried.T
    for k in np.flatnonzero((after & ~before).any(axis=0)):
        parents = np.flatnonzero(after[:, k])
        for x, a in enumerate(parents):
            for b in parents[x + 1 :]:
                if not joined[a, b] and not (before[a, k] and before[b, k]):
                    return False
    return True


def hamming(truth: Graph, found: Graph) -> int:
    """Structural Hamming distance: pairs whose edge differs in presence, direction or directedness, one each."""
    differs = (truth != found) | (truth.T != found.T)
    return int(np.triu(differs, 1).sum())
