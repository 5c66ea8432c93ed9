"""Communities: groups that hold together more than a stated density, by the constant Potts model.

A community's quality is the sum, over its pairs, of tie − resolution (Traag, Van Dooren and Nesterov 2011), so that
the resolution has a meaning: two groups are joined only where the mean probability of a tie between their members is
above it. It has no limit below which small groups vanish. Found with the Leiden algorithm (Traag, Waltman and van Eck
2019); an entity without ties is a community of its own.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from hrtech.networks.pairs import Floats, Ints

_ROUNDS: Final = 2
_HALVINGS: Final = 8


@dataclass(frozen=True)
class Communities:
    """A partition and how far it depends on the seed.

    Attributes:
        label: Community of each entity; labels count up from 0 in order of first members.
        persistence: Per community, the mean over other seeds of the share of its pairs that stay together; 1 for
            a single entity.
        agreement: Mean adjusted Rand index (Hubert and Arabie 1985) with the partitions of other seeds.
        refined: Communities split further because they were larger than the most.
    """

    label: Ints
    persistence: Floats
    agreement: float
    refined: int


def communities(
    count: int,
    first: Ints,
    second: Ints,
    tie: Floats,
    *,
    resolution: float,
    most: int,
    seed: int,
    reseeds: int = 4,
) -> Communities:
    """Group entities.

    Args:
        count: Number of entities.
        first: One entity of each pair.
        second: The other.
        tie: Probability that they are tied, 0 to 1.
        resolution: Density above which groups are joined.
        most: Largest community; larger ones are split at double the resolution until they fit.
        seed: Seed of the partition; the others count up from it.
        reseeds: Partitions that it is compared with.
    """
    graph = sparse.coo_array((tie, (first, second)), shape=(count, count)).tocsr()
    graph = sparse.csr_array(graph + graph.T)
    label, refined = _bounded(graph, resolution, most, seed)
    others = [_bounded(graph, resolution, most, seed + k)[0] for k in range(1, reseeds + 1)]
    size = np.bincount(label, minlength=1).astype(np.float64)
    pairs = size * (size - 1) / 2
    kept = np.zeros(len(size))
    agreement = 0.0
    for other in others:
        same, both = _together(label, other)
        kept += np.bincount(same, weights=both * (both - 1) / 2, minlength=len(size))
        agreement += adjusted_rand(label, other)
    share = np.divide(kept, pairs * max(len(others), 1), out=np.ones(len(size)), where=pairs > 0)
    return Communities(label, share, agreement / len(others) if others else 1.0, refined)


def adjusted_rand(one: Ints, other: Ints) -> float:
    """Return how far two partitions agree on pairs, 0 by chance and 1 when equal (Hubert and Arabie 1985)."""

    def pairs(size: Floats) -> float:
        return float((size * (size - 1) / 2).sum())

    _, both = _together(one, other)
    a, b = pairs(np.bincount(one).astype(np.float64)), pairs(np.bincount(other).astype(np.float64))
    whole = len(one) * (len(one) - 1) / 2
    chance = a * b / whole if whole else 0.0
    most = (a + b) / 2
    return 1.0 if most == chance else (pairs(both) - chance) / (most - chance)


def _together(one: Ints, other: Ints) -> tuple[Ints, Floats]:
    """Return, for each pair of communities that overlap, the first's label and the number in both."""
    width = int(other.max(initial=0)) + 1
    code, both = np.unique(one * width + other, return_counts=True)
    return code // width, both.astype(np.float64)


def _bounded(graph: sparse.csr_array, resolution: float, most: int, seed: int) -> tuple[Ints, int]:
    label = leiden(graph, resolution, seed)
    refined = 0
    for _ in range(_HALVINGS):
        size = np.bincount(label)
        large = np.flatnonzero(size > most)
        if not len(large):
            return label, refined
        resolution *= 2
        refined += len(large)
        inside = np.flatnonzero(size[label] > most)
        part = leiden(sparse.csr_array(graph[inside][:, inside]), resolution, seed)
        # what was apart stays apart
        label = label.copy()
        label[inside] = len(size) + np.unique(label[inside] * len(inside) + part, return_inverse=True)[1]
        label = _in_order(label)
    return label, refined


def leiden(graph: sparse.csr_array, resolution: float, seed: int, modularity: bool = False) -> Ints:
    """Partition a symmetric weighted graph, by the constant Potts model or by modularity; labels in order.

    Nodes without ties are communities of their own.
    """
    from graspologic_native import leiden_csr

    count = graph.shape[0]
    label = np.arange(count)
    # two that are tied to nobody else are joined or not by their tie alone
    _, component = connected_components(graph, directed=False)
    size = np.bincount(component, minlength=1)[component]
    one, other, tie = _couples(graph, size == 2)
    label[other[tie > resolution]] = one[tie > resolution]
    tied = np.flatnonzero(size > 2)
    if not len(tied):
        return _in_order(label)
    part = sparse.csr_array(graph[tied][:, tied])
    part.sort_indices()
    _, found = leiden_csr(
        part.indptr.astype(np.int64),
        part.indices.astype(np.int32),
        part.data.astype(np.float64),
        len(tied),
        resolution=resolution,
        use_modularity=modularity,
        iterations=_ROUNDS,
        seed=seed,
    )
    label[tied] = count + np.array([found[k] for k in range(len(tied))], dtype=np.int64)
    return _in_order(label)


def _couples(graph: sparse.csr_array, chosen: np.ndarray) -> tuple[Ints, Ints, Floats]:
    one = np.flatnonzero(chosen)
    other, tie = graph.indices[graph.indptr[one]], graph.data[graph.indptr[one]]
    first = one < other
    return one[first], other[first], tie[first]


def _in_order(label: Ints) -> Ints:
    _, first, code = np.unique(label, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[code]
