"""A found graph as a picture: causes to the left of their effects, edges with the chance of their arrow."""

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
            f"{100 * edge.chance:.0f} %",
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
    height = {
        name: _spread(place, len(group)) for group in inside.values() for place, name in enumerate(group)
    }
    for _ in range(8):
        for group in inside.values():
            pull = {
                name: sum(height[k] for k in near[name]) / len(near[name]) if near[name] else height[name]
                for name in group
            }
            group.sort(key=lambda name: (pull[name], name))
            height |= {name: _spread(place, len(group)) for place, name in enumerate(group)}
    # every other layer a little lower, so that edges between far layers do not run through nodes
    return {name: (1.6 * layers[name], height[name] + 0.3 * (layers[name] % 2)) for name in names}


def _spread(place: int, count: int) -> float:
    return place - (count - 1) / 2
