"""A found graph as a picture: causes to the left of their effects, the chance of each edge as its strength."""

from collections.abc import Sequence
from dataclasses import dataclass

from hrtech.facts import Edge, Network, Node


@dataclass(frozen=True)
class DrawnEdge:
    """An edge to draw.

    Attributes:
        cause: Where it starts.
        effect: Where it ends.
        directed: An arrow; otherwise it may point either way.
        chance: Chance that it is right as it is drawn.
        details: What is told of it.
    """

    cause: str
    effect: str
    directed: bool
    chance: float
    details: str


def draw_graph(
    title: str,
    names: Sequence[str],
    edges: Sequence[DrawnEdge],
    *,
    fact_ids: Sequence[str] = (),
    source_assets: Sequence[str] = (),
) -> Network:
    """Lay a graph out in layers and return it as a network.

    Args:
        title: What it shows.
        names: Variables; those without an edge stand in the first layer.
        edges: Edges, those without direction in the way that is likelier.
        fact_ids: Facts that it shows.
        source_assets: Assets that it comes from.
    """
    layers = _layers(names, edges)
    places = _places(names, edges, layers)
    touched = {name for edge in edges for name in (edge.cause, edge.effect)}
    nodes = [
        Node(
            name,
            name.replace("_", " "),
            *places[name],
            kind="variable" if name in touched else "variable without an edge",
            rank=place,
            details=tuple(edge.details for edge in edges if name in (edge.cause, edge.effect)),
        )
        for place, name in enumerate(names)
    ]
    links = [
        Edge(
            edge.cause,
            edge.effect,
            "" if edge.directed else "either way",
            directed=edge.directed,
            strength=min(max(edge.chance, 0.0), 1.0),
            details=edge.details,
        )
        for edge in edges
    ]
    return Network(
        title,
        tuple(nodes),
        tuple(links),
        f"{len(edges)} edges between {len(names)} variables. Causes stand to the left of their effects; a line without "
        "an arrow may point either way. The table lists every edge.",
        tuple(fact_ids),
        tuple(source_assets),
    )


def _layers(names: Sequence[str], edges: Sequence[DrawnEdge]) -> dict[str, int]:
    """Layer of each variable: one more than the last of its causes. A circle through undirected edges is cut."""
    causes: dict[str, set[str]] = {name: set() for name in names}
    for edge in sorted(edges, key=lambda edge: (not edge.directed, -edge.chance)):
        if not _leads(causes, edge.effect, edge.cause):
            causes[edge.effect].add(edge.cause)
    found: dict[str, int] = {}

    def layer(name: str) -> int:
        if name not in found:
            found[name] = 1 + max((layer(cause) for cause in causes[name]), default=-1)
        return found[name]

    return {name: layer(name) for name in names}


def _leads(causes: dict[str, set[str]], start: str, end: str) -> bool:
    """Whether start is a cause of end, by any number of steps."""
    seen, stack = {end}, [end]
    while stack:
        now = stack.pop()
        if now == start:
            return True
        fresh = causes[now] - seen
        seen |= fresh
        stack += fresh
    return False


def _places(
    names: Sequence[str], edges: Sequence[DrawnEdge], layers: dict[str, int]
) -> dict[str, tuple[float, float]]:
    """Layers from left to right, within each by the mean height of what a variable is joined to."""
    inside: dict[int, list[str]] = {}
    for name in names:
        inside.setdefault(layers[name], []).append(name)
    near: dict[str, list[str]] = {name: [] for name in names}
    for edge in edges:
        near[edge.cause].append(edge.effect)
        near[edge.effect].append(edge.cause)
    tall = max(map(len, inside.values()))
    height = {
        name: _at(place, len(group), layer, tall)
        for layer, group in inside.items()
        for place, name in enumerate(group)
    }
    for _ in range(8):
        for layer, group in inside.items():
            pull = {
                name: sum(height[k] for k in near[name]) / len(near[name]) if near[name] else height[name]
                for name in group
            }
            ordered = sorted((pull[name], name) for name in group)
            height |= {name: _at(place, len(group), layer, tall) for place, (_, name) in enumerate(ordered)}
    return {name: (1.6 * layers[name], height[name]) for name in names}


def _at(place: int, count: int, layer: int, tall: int) -> float:
    """Height of a place in a layer: spread over the whole, each layer a little higher or lower."""
    room = max(tall, 4)
    # golden ratio: no two layers near each other have their nodes at one height
    shift = 0.6 * room * ((0.618 * layer) % 1 - 0.5) / count
    return (place + 0.5) / count * room - room / 2 + shift
