"""Where to draw each node: computed once, the same on every run.

Every network is laid out on its own (force-directed, Fruchterman and Reingold 1991), larger ones first, in rows of
roughly equal width, so that networks never overlap and none is lost.
"""

import math

import numpy as np
import pandas as pd


def layout(nodes: pd.DataFrame, edges: pd.DataFrame, seed: int = 1) -> pd.DataFrame:
    """Place nodes in the plane.

    Args:
        nodes: `entity_id, network_id`.
        edges: `source, target`, and where present `probability` as strength of pull.
        seed: Seed of the starting positions.

    Returns:
        `entity_id, x, y` in the order of `nodes`; unit: about the distance between two linked nodes.
    """
    import networkx as nx

    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(sorted(nodes["entity_id"]))
    pull = edges["probability"] if "probability" in edges.columns else pd.Series(1.0, index=edges.index)
    for source, target, strength in sorted(zip(edges["source"], edges["target"], pull, strict=True)):
        if source in graph and target in graph:
            graph.add_edge(source, target, weight=max(float(strength), 0.05))
    groups = [sorted(part["entity_id"]) for _, part in nodes.groupby("network_id")]
    groups.sort(key=lambda group: (-len(group), group[0]))
    widths = [1.0 + math.sqrt(len(group)) for group in groups]
    row_width = max([math.sqrt(sum(width**2 for width in widths)) * 1.2, *widths, 1.0])
    places: dict[str, tuple[float, float]] = {}
    x = y = height = 0.0
    for group, width in zip(groups, widths, strict=True):
        if x and x + width > row_width:
            x, y, height = 0.0, y + height, 0.0
        height = max(height, width)
        centre = np.array([x + width / 2, y + width / 2])
        if len(group) == 1:
            places[group[0]] = (float(centre[0]), float(centre[1]))
        else:
            drawn = nx.spring_layout(
                graph.subgraph(group), seed=seed, center=centre, scale=(width - 1) / 2, weight="weight"
            )
            places |= {node: (float(point[0]), float(point[1])) for node, point in drawn.items()}
        x += width
    ordered = [places[node] for node in nodes["entity_id"]]
    return pd.DataFrame(
        {
            "entity_id": nodes["entity_id"].to_numpy(),
            "x": [p[0] for p in ordered],
            "y": [p[1] for p in ordered],
        }
    )
