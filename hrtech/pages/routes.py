"""The way from the records to a page, as a picture: assets in layers, records left, what is told right."""

from collections.abc import Collection, Sequence
from typing import Final

from hrtech.facts.parts import Edge, Network, Node
from hrtech.pages.provenance import Origin

_ZONES: Final = {"restricted": "Restricted", "released": "Released", "public": "Public"}


def lineage_network(origins: Sequence[Origin], told: Collection[str]) -> Network:
    """Lay assets out in layers by their longest way from a source.

    Args:
        origins: Assets, parents before children.
        told: Assets that facts come from, drawn stronger.

    Returns:
        A network of the assets; kinds are zones.
    """
    known = {origin.asset for origin in origins}
    depth: dict[str, int] = {}
    for origin in origins:
        depth[origin.asset] = 1 + max(
            (depth.get(parent, -1) for parent in origin.parents if parent in known), default=-1
        )
    layers: dict[int, list[str]] = {}
    for asset, layer in depth.items():
        layers.setdefault(layer, []).append(asset)
    place: dict[str, float] = {}
    parents = {origin.asset: [parent for parent in origin.parents if parent in known] for origin in origins}
    for layer in sorted(layers):
        # each asset beside the middle of what it reads, so that few lines cross
        layers[layer].sort(
            key=lambda asset: (_middle([place[p] for p in parents[asset] if p in place]), asset)
        )
        for at, asset in enumerate(layers[layer]):
            place[asset] = at - (len(layers[layer]) - 1) / 2
    nodes = tuple(
        Node(o.asset, o.asset, float(depth[o.asset]), place[o.asset], _ZONES[o.zone], o.asset in told)
        for o in origins
    )
    edges = tuple(
        Edge(parent, origin.asset, "release" if origin.is_release else "", directed=True)
        for origin in origins
        for parent in parents[origin.asset]
    )
    words = f"{len(nodes)} assets from the records to the pages, with {len(edges)} steps between them."
    return Network("From the records to this page", nodes, edges, words)


def _middle(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
