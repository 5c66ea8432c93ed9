"""Risk: own red flags and exposure to those of others, along the strongest paths.

For an entity, the strongest path to every other forms a tree. Going up the tree, what reaches a node is
1 − (1 − own) ∏ (1 − p · decay · what reaches the child): a hop that several flagged entities lie behind counts once,
so that a score cannot exceed what its links can carry. Every score is then shared out exactly over its paths, in
proportion to −log(1 − part) at each fork.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from hrtech.networks.pairs import Floats, Ints
from hrtech.networks.spec import NetworkSpec

_FAR = 1_000_000


@dataclass(frozen=True)
class Graph:
    """Links that carry exposure, each in both directions, as the rows of a sparse matrix.

    Attributes:
        ids: Nodes, sorted.
        starts: Where the neighbours of each node begin, and the end.
        neighbours: Positions of the neighbours.
        probability: Probability of each link.
        kind: Code of its kind.
        kinds: Names of the kinds.
    """

    ids: pd.Index
    starts: Ints
    neighbours: Ints
    probability: Floats
    kind: Ints
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class Scores:
    """Exposure and risk per node, and the paths they are made of.

    Attributes:
        nodes: `entity_id, exposure, risk`.
        paths: `entity_id, source, hops, via, strength, contribution`; contributions add up to the risk.
    """

    nodes: pd.DataFrame
    paths: pd.DataFrame


def link_graph(ids: pd.Index, edges: pd.DataFrame, least: float) -> Graph:
    """Combine the edges of each pair into one link, 1 − ∏(1 − p) over its pieces of evidence.

    Args:
        ids: Nodes, sorted.
        edges: `source, target, kind, probability`.
        least: Links less probable are left out.
    """
    kind, names = pd.factorize(edges["kind"], sort=True)
    a, b = ids.get_indexer(pd.Index(edges["source"])), ids.get_indexer(pd.Index(edges["target"]))
    frame = pd.DataFrame(
        {
            "first": np.minimum(a, b),
            "second": np.maximum(a, b),
            "kind": kind,
            "rest": 1 - edges["probability"].to_numpy(np.float64),
        }
    )
    frame = frame.sort_values(["first", "second", "kind"], ignore_index=True)
    new = ~frame.duplicated(["first", "second"]).to_numpy()
    pair = np.cumsum(new) - 1
    starts = np.flatnonzero(new)
    rest = np.multiply.reduceat(frame["rest"].to_numpy(), starts) if len(starts) else np.empty(0)
    label, labels = _labels(frame["kind"].to_numpy(), pair, [str(name) for name in names])
    link = frame.loc[new, ["first", "second"]].to_numpy(np.int64)
    kept = (1 - rest >= least) & (rest < 1)
    link, rest, label = link[kept], rest[kept], label[kept]
    row, column = np.r_[link[:, 0], link[:, 1]], np.r_[link[:, 1], link[:, 0]]
    order = np.lexsort((column, row))
    starts = np.r_[0, np.cumsum(np.bincount(row, minlength=len(ids)))].astype(np.int64)
    return Graph(ids, starts, column[order], np.tile(1 - rest, 2)[order], np.tile(label, 2)[order], labels)


def _labels(kind: Ints, pair: Ints, names: list[str]) -> tuple[Ints, tuple[str, ...]]:
    """Name the kinds of each pair's evidence, each once, joined by a plus."""
    rows = pd.DataFrame({"pair": pair, "kind": kind}).drop_duplicates()
    place = rows.groupby("pair").cumcount().to_numpy()
    width = int(place.max(initial=0)) + 1
    table = np.full((int(pair.max(initial=-1)) + 1, width), -1, np.int64)
    table[rows["pair"].to_numpy(), place] = rows["kind"].to_numpy()
    found, label = np.unique(table, axis=0, return_inverse=True)
    return label.ravel(), tuple("+".join(names[k] for k in row if k >= 0) for row in found)


def score(graph: Graph, own: Floats, spec: NetworkSpec, *, paths: bool = True) -> Scores:
    """Score every node.

    Args:
        graph: The links that carry exposure.
        own: Own risk from own flags per node, 0 to 1.
        spec: Decay, longest path and weakest path.
        paths: Whether to list the paths.
    """
    from hrtech.networks.risk_loops import spread

    near = _distance(graph, own, spec.max_hops)
    roots = np.flatnonzero(near <= spec.max_hops)
    links = (graph.starts, graph.neighbours, graph.probability, own, near, roots)
    reach = (spec.decay, spec.max_hops, spec.min_strength)
    exposure, risk, rows = spread(*links, *reach, *_empty(0))
    places, weights = _empty(rows if paths else 0)
    if len(places):
        spread(*links, *reach, places, weights)
    columns = {"entity_id": graph.ids.astype("str"), "exposure": 0.0, "risk": 0.0}
    nodes = pd.DataFrame(columns)
    nodes.loc[roots, "exposure"], nodes.loc[roots, "risk"] = exposure, risk
    return Scores(nodes, _paths(graph, places, weights))


def _empty(rows: int) -> tuple[Ints, Floats]:
    return np.empty((rows, 5), np.int64), np.empty((rows, 2))


def _distance(graph: Graph, own: Floats, hops: int) -> Ints:
    """Return each node's distance to the nearest flag in hops, up to the longest path."""
    size = len(graph.ids)
    links = sparse.csr_array(
        (np.ones(len(graph.neighbours)), graph.neighbours, graph.starts), shape=(size, size)
    )
    near = np.where(own > 0, 0, _FAR)
    for hop in range(1, hops + 1):
        reached = links @ (near == hop - 1).astype(np.float64)
        near = np.where((near == _FAR) & (reached > 0), hop, near)
    return near.astype(np.int64)


def _paths(graph: Graph, places: Ints, weights: Floats) -> pd.DataFrame:
    root, node, parent, link, hops = places.T
    strength, share = weights.T
    at = np.flatnonzero(share > 0)
    ids = graph.ids.to_numpy(dtype=object)
    kinds = np.array(graph.kinds, dtype=object)
    via = np.where(hops[at] == 0, "own flags", "").astype(object)
    step = at.copy()
    going = np.flatnonzero(hops[at] > 0)
    while len(going):
        here = step[going]
        via[going] = " –" + kinds[graph.kind[link[here]]] + "– " + ids[node[here]] + via[going]
        step[going] = parent[here]
        arrived = hops[step[going]] == 0
        done = going[arrived]
        via[done] = ids[root[step[done]]] + via[done]
        going = going[~arrived]
    frame = pd.DataFrame(
        {
            "entity_id": ids[root[at]],
            "source": ids[node[at]],
            "hops": hops[at],
            "via": via,
            "strength": strength[at],
            "contribution": share[at],
        }
    ).astype({"entity_id": "str", "source": "str", "via": "str", "hops": "int64"})
    return frame.sort_values(
        ["entity_id", "contribution", "source"], ascending=[True, False, True], ignore_index=True
    )
