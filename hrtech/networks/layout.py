"""Where to draw each node: computed once, the same on every run.

Every network is laid out on its own, larger ones first, in rows of roughly equal width, so that networks never overlap
and none is lost. A small network is drawn by stress (Kamada and Kawai 1989). A larger one is drawn at two levels, so
that it does not become a tangle: its communities by force (Fruchterman and Reingold 1991), then pushed apart until
they no longer overlap, and each community's members inside its own circle.
"""

import math
from typing import Any, Final

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from hrtech.networks.pairs import Floats

#: Networks with more nodes are drawn at two levels.
SMALL: Final = 40
_GAP: Final = 0.6
_PUSHES: Final = 400


def layout(nodes: pd.DataFrame, edges: pd.DataFrame, seed: int = 1) -> pd.DataFrame:
    """Place nodes in the plane.

    Args:
        nodes: `entity_id, network_id`, and where known `community_id`; a node that is alone in its community is drawn
            with those that it is tied to.
        edges: `source, target`, and where present `probability` as strength of pull.
        seed: Seed of the starting positions.

    Returns:
        `entity_id, x, y, group` in the order of `nodes`; unit: about the distance between two linked nodes. `group`
        is the community that a node is drawn in.
    """
    graph = _graph(nodes, edges)
    groups = _groups(nodes, graph)
    # threads cost more than they give on matrices as small as these
    with threadpool_limits(1):
        drawn = [
            _drawn(graph, sorted(part["entity_id"]), groups, seed) for _, part in nodes.groupby("network_id")
        ]
    places: dict[str, tuple[float, float]] = {}
    drawn.sort(key=lambda one: (-len(one), min(one)))
    widths = [_width(one) for one in drawn]
    row_width = max([math.sqrt(sum(width**2 for width in widths)) * 1.2, *widths, 1.0])
    x = y = height = 0.0
    for one, width in zip(drawn, widths, strict=True):
        if x and x + width > row_width:
            x, y, height = 0.0, y + height, 0.0
        height = max(height, width)
        places |= {node: (x + width / 2 + px, y + width / 2 + py) for node, (px, py) in one.items()}
        x += width
    ordered = [places[node] for node in nodes["entity_id"]]
    return pd.DataFrame(
        {
            "entity_id": nodes["entity_id"].to_numpy(),
            "x": [place[0] for place in ordered],
            "y": [place[1] for place in ordered],
            "group": pd.Series([groups[node] for node in nodes["entity_id"]], dtype="str"),
        }
    )


def _graph(nodes: pd.DataFrame, edges: pd.DataFrame) -> Any:
    import networkx as nx

    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(sorted(nodes["entity_id"]))
    pull = edges["probability"] if "probability" in edges.columns else pd.Series(1.0, index=edges.index)
    for source, target, strength in sorted(zip(edges["source"], edges["target"], pull, strict=True)):
        if source != target and source in graph and target in graph:
            weight = (
                max(float(strength), 0.05) + graph.get_edge_data(source, target, {"weight": 0.0})["weight"]
            )
            graph.add_edge(source, target, weight=weight)
    return graph


def _groups(nodes: pd.DataFrame, graph: Any) -> dict[str, str]:
    """Group of each node: its community, or that of its strongest neighbours where it is alone in its own."""
    if "community_id" not in nodes.columns:
        return dict(zip(nodes["entity_id"], nodes["network_id"], strict=True))
    own = nodes.set_index("entity_id")["community_id"]
    several = own.map(own.value_counts()).fillna(0) > 1
    groups = {str(node): str(group) for node, group in own[several].items()}
    for _ in range(3):
        found: dict[str, str] = {}
        for node in graph:
            if node in groups:
                continue
            pulls: dict[str, float] = {}
            for other, tie in graph[node].items():
                if other in groups:
                    pulls[groups[other]] = pulls.get(groups[other], 0.0) + tie["weight"]
            if pulls:
                found[node] = max(sorted(pulls), key=pulls.__getitem__)
        groups |= found
    return {node: groups.get(node, node) for node in graph}


def _drawn(
    graph: Any, members: list[str], groups: dict[str, str], seed: int
) -> dict[str, tuple[float, float]]:
    import networkx as nx

    part = graph.subgraph(members)
    inside: dict[str, list[str]] = {}
    for node in members:
        inside.setdefault(groups[node], []).append(node)
    if len(members) <= SMALL or len(inside) == 1:
        return _at(members, _level(part, members, seed))
    names = sorted(inside)
    whole: nx.Graph[str] = nx.Graph()
    whole.add_nodes_from(names)
    for one, other, tie in part.edges(data="weight"):
        a, b = groups[one], groups[other]
        if a != b:
            whole.add_edge(a, b, weight=tie + whole.get_edge_data(a, b, {"weight": 0.0})["weight"])
    within = {name: _level(graph.subgraph(inside[name]), inside[name], seed) for name in names}
    radii = np.array([np.hypot(*within[name].T).max() + _GAP for name in names])
    spread = math.sqrt(float((radii**2).sum()))
    # near one another at first: the push apart makes as much room as is needed
    start = nx.spring_layout(whole, seed=seed, weight="weight", scale=spread / 2, iterations=200)
    centres = separated(np.array([start[name] for name in names]), radii)
    places: dict[str, tuple[float, float]] = {}
    for name, centre in zip(names, centres, strict=True):
        places |= _at(inside[name], within[name] + centre)
    spots = np.array(list(places.values()))
    low, high = spots.min(axis=0), spots.max(axis=0)
    # a page is wider than high
    turned = 1 if high[1] - low[1] > high[0] - low[0] else 0
    spots = (spots - (low + high) / 2)[:, [turned, 1 - turned]]
    return _at(list(places), spots)


def _level(part: Any, members: list[str], seed: int) -> Floats:
    """Places of nodes around the origin, none closer to another than about one unit."""
    import networkx as nx

    if len(members) == 1:
        return np.zeros((1, 2))
    size = 0.75 * math.sqrt(len(members))
    start = nx.spring_layout(part, seed=seed, weight="weight", scale=size, iterations=100)
    if len(members) <= 4 * SMALL and nx.is_connected(part):
        hops = {node: dict(reach) for node, reach in nx.all_pairs_shortest_path_length(part)}
        start = nx.kamada_kawai_layout(part, dist=hops, pos=start, scale=size)
    return separated(np.array([start[node] for node in members]), np.full(len(members), 0.5))


def separated(places: Floats, radii: Floats) -> Floats:
    """Push circles apart until none overlaps, each pair by half of what it overlaps, or as far as the rounds go.

    Args:
        places: Centres, shape (circles, 2).
        radii: Shape (circles,).
    """
    places = places.astype(np.float64).copy()
    # what lies on one point needs a direction to go
    places += 1e-3 * np.column_stack([np.cos(np.arange(len(radii))), np.sin(np.arange(len(radii)))])
    reach = radii[:, None] + radii[None, :]
    np.fill_diagonal(reach, 0.0)
    for _ in range(_PUSHES):
        apart = places[:, None, :] - places[None, :, :]
        distance = np.sqrt((apart**2).sum(axis=2))
        overlap = np.maximum(reach - distance, 0.0)
        if overlap.max(initial=0.0) < 1e-3:
            break
        push = np.divide(overlap / 2, distance, out=np.zeros_like(overlap), where=distance > 0)
        places += (apart * push[:, :, None]).sum(axis=1) * 0.9
    return places


def _at(members: list[str], places: Floats) -> dict[str, tuple[float, float]]:
    return {node: (float(x), float(y)) for node, (x, y) in zip(members, places, strict=True)}


def _width(places: dict[str, tuple[float, float]]) -> float:
    return 2 * max(max(abs(x), abs(y)) for x, y in places.values()) + 1.0
