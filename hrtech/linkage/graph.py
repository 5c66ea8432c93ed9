"""The pairs that hold an entity together, as a graph: which of them is alone in it.

A bridge is a pair without which its entity falls into two parts. Records are row numbers.
"""

from collections import Counter
from typing import Any

import pandas as pd


def bridges(left: pd.Series, right: pd.Series, entity: pd.Series) -> pd.DataFrame:
    """Find the bridges of entities with three records or more.

    Args:
        left: Row number of one record of each pair that speaks for joining, both in one entity.
        right: Row number of the other.
        entity: Entity of each pair.

    Returns:
        `smaller, larger`: how many records each bridge holds together, indexed like the pairs, bridges only.
    """
    edges = pd.DataFrame({"left": left, "right": right, "entity": entity})
    # two records have one pair, which is no news
    sizes = edges.groupby("entity")["left"].transform("size")
    found: dict[object, tuple[int, int]] = {}
    for _, part in edges[sizes > 1].groupby("entity", sort=True):
        found |= _bridges(part)
    frame = pd.DataFrame.from_dict(found, orient="index", columns=["smaller", "larger"], dtype="int64")
    return frame.sort_index()


def _bridges(edges: pd.DataFrame) -> dict[object, tuple[int, int]]:
    import networkx as nx

    graph: Any = nx.Graph()
    for place, a, b in zip(edges.index, edges["left"], edges["right"], strict=True):
        graph.add_edge(a, b, place=place)
    alone = list(nx.bridges(graph))
    if not alone:
        return {}
    rest = graph.copy()
    rest.remove_edges_from(alone)
    block: dict[int, int] = {
        node: number for number, part in enumerate(nx.connected_components(rest)) for node in part
    }
    weight = dict(Counter(block.values()))
    tree: Any = nx.Graph((block[a], block[b]) for a, b in alone)
    below, parent, root_of = _below(tree, weight)
    found = {}
    for a, b in alone:
        child = block[a] if parent.get(block[a]) == block[b] else block[b]
        one, other = below[child], below[root_of[child]] - below[child]
        found[graph.edges[a, b]["place"]] = (min(one, other), max(one, other))
    return found


def _below(tree: Any, weight: dict[int, int]) -> tuple[dict[int, int], dict[int, int], dict[int, int]]:
    """Return per block of a forest the records at and below it, its parent, and the root of its tree."""
    import networkx as nx

    below = dict(weight)
    parent: dict[int, int] = {}
    root_of: dict[int, int] = {}
    for part in nx.connected_components(tree):
        root = min(part)
        order = [root, *(child for _, child in nx.bfs_edges(tree, root))]
        parent |= {child: above for above, child in nx.bfs_edges(tree, root)}
        root_of |= dict.fromkeys(part, root)
        for child in reversed(order[1:]):
            below[parent[child]] += below[child]
    return below, parent, root_of
