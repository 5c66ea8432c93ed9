"""Node-link diagrams as SVG of our own: places come computed, this draws them.

Groups lie on a ground of their own, under links, under nodes; labels beside nodes, with a halo, as many as there is
room for, the most important first. What a reader may ask of a node or link stands in `data-` attributes, for
`static/network.js` to show where scripts run; without it the picture and the tables are complete. No layout here.
"""

from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree

import numpy as np

from hrtech.facts.parts import Edge, Network, Node
from hrtech.facts.values import Cell
from hrtech.pages.theme import FONT, GRID, INK, MUTED, ORANGE, RULE, SERIES, WIDTH

_PAD: Final = 70.0
_RADIUS: Final = 9.0
_LABEL: Final = 28
_TALLEST: Final = 900.0
#: Room of a label in CSS pixels: height, and width of a letter.
_LINE, _LETTER = 15.0, 6.9
#: More links than this carry no label of their own.
_LABELLED_EDGES: Final = 40

Place = tuple[float, float]


def draw_network(network: Network, *, prefix: str) -> str:
    """Draw a network as one SVG image.

    Args:
        network: Network with places.
        prefix: Put before the ids inside, so that several drawings can stand in one page.

    Returns:
        An SVG element.
    """
    places, height, radius = _fit(network.nodes)
    svg = ElementTree.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "role": "img",
            "class": "network",
            "aria-label": network.description,
            "viewBox": f"0 0 {WIDTH} {_n(height)}",
            "width": str(WIDTH),
            "height": _n(height),
        },
    )
    defs = ElementTree.SubElement(svg, "defs")
    for name, colour in (("arrow", RULE), ("strong", ORANGE)):
        _define_arrow(defs, f"{prefix}-{name}", colour)
    _draw_grounds(svg, network.nodes, places, radius)
    strong = {node.node_id for node in network.nodes if node.highlighted}
    labelled = len(network.edges) <= _LABELLED_EDGES
    for edge in network.edges:
        ends = {edge.source, edge.target} <= strong
        _draw_edge(svg, edge, places, radius, f"{prefix}-{'strong' if ends else 'arrow'}", ends, labelled)
    colours = kind_colours(network.nodes)
    for node in sorted(network.nodes, key=lambda node: node.highlighted):
        _draw_node(svg, node, places[node.node_id], radius, colours[node.kind])
    _draw_labels(svg, network.nodes, places, radius)
    return ElementTree.tostring(svg, encoding="unicode")


def kind_colours(nodes: Sequence[Node]) -> dict[str, str]:
    """A colour for each kind of node, in the order in which kinds occur."""
    kinds = list(dict.fromkeys(node.kind for node in nodes))
    # orange is kept for what is highlighted
    palette = [colour for colour in SERIES if colour != ORANGE]
    return {kind: palette[place % len(palette)] for place, kind in enumerate(kinds)}


def network_tables(network: Network) -> list[tuple[str, list[str], list[list[Cell]]]]:
    """What a network shows, as two tables: title, headings, rows."""
    labels = {node.node_id: node.label for node in network.nodes}
    nodes: list[list[Cell]] = [[n.label, n.kind, "yes" if n.highlighted else ""] for n in network.nodes]
    headings, edges = (
        ["From", "To", "Link"],
        [[labels[e.source], labels[e.target], e.label] for e in network.edges],
    )
    if any(edge.details for edge in network.edges):
        headings = [*headings, "Evidence"]
        edges = [[*row, edge.details] for row, edge in zip(edges, network.edges, strict=True)]
    return [
        ("Entities", ["Entity", "Kind", "Highlighted"], nodes),
        ("Links", headings, list(map(list, edges))),
    ]


def _fit(nodes: Sequence[Node]) -> tuple[dict[str, Place], float, float]:
    """Places and height in CSS pixels, and the radius of a node: smaller where nodes are dense."""
    if not nodes:
        return {}, 2 * _PAD, _RADIUS
    left, right = min(node.x for node in nodes), max(node.x for node in nodes)
    top, bottom = min(node.y for node in nodes), max(node.y for node in nodes)
    scale = (WIDTH - 2 * _PAD) / ((right - left) or 1)
    # very tall layouts are pressed rather than shown over several screens
    tall = min(scale, (_TALLEST - _PAD) / ((bottom - top) or 1))
    places = {
        node.node_id: (
            _PAD + (node.x - left) * scale if right > left else WIDTH / 2,
            _PAD / 2 + (node.y - top) * tall,
        )
        for node in nodes
    }
    height = _PAD + (bottom - top) * tall
    room = (WIDTH * height / len(nodes)) ** 0.5
    return places, height, float(np.clip(room / 6, 3.0, _RADIUS))


def _draw_grounds(
    svg: ElementTree.Element, nodes: Sequence[Node], places: dict[str, Place], radius: float
) -> None:
    """Draw the hull of each group of three or more, where there are several groups."""
    groups: dict[str, list[Place]] = {}
    for node in nodes:
        if node.group:
            groups.setdefault(node.group, []).append(places[node.node_id])
    if len(groups) < 2:
        return
    for spots in groups.values():
        if len(spots) > 2:
            shape = {
                "d": "M" + "L".join(f"{_n(x)},{_n(y)}" for x, y in _hull(spots)) + "Z",
                "fill": GRID,
                "stroke": GRID,
                "stroke-width": _n(4 * radius),
                "stroke-linejoin": "round",
                "class": "ground",
            }
            ElementTree.SubElement(svg, "path", shape)


def _hull(spots: list[Place]) -> list[Place]:
    """Convex hull (Andrew's monotone chain)."""

    def half(ordered: list[Place]) -> list[Place]:
        chain: list[Place] = []
        for spot in ordered:
            while len(chain) > 1 and _turn(chain[-2], chain[-1], spot) <= 0:
                chain.pop()
            chain.append(spot)
        return chain[:-1]

    ordered = sorted(set(spots))
    return ordered if len(ordered) < 3 else half(ordered) + half(ordered[::-1])


def _turn(a: Place, b: Place, c: Place) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _define_arrow(defs: ElementTree.Element, name: str, colour: str) -> None:
    size = {"viewBox": "0 0 8 8", "refX": "7", "refY": "4", "markerWidth": "5.5", "markerHeight": "5.5"}
    shape = {"id": name, "orient": "auto", "markerUnits": "strokeWidth", **size}
    marker = ElementTree.SubElement(defs, "marker", shape)
    ElementTree.SubElement(marker, "path", {"d": "M0,0L8,4L0,8Z", "fill": colour})


def _draw_edge(
    svg: ElementTree.Element,
    edge: Edge,
    places: dict[str, Place],
    radius: float,
    arrow: str,
    strong: bool,
    labelled: bool,
) -> None:
    (x1, y1), (x2, y2) = places[edge.source], places[edge.target]
    length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5 or 1.0
    gap = (radius + 4 * radius / _RADIUS) / length
    ends = (x1 + (x2 - x1) * gap, y1 + (y2 - y1) * gap, x2 - (x2 - x1) * gap, y2 - (y2 - y1) * gap)
    thin = (radius / _RADIUS) ** 0.5
    line = {name: _n(end) for name, end in zip(("x1", "y1", "x2", "y2"), ends, strict=True)}
    line |= {"stroke": ORANGE if strong else RULE, "stroke-width": _n((2.5 if strong else 1.4) * thin)}
    line |= {"data-source": edge.source, "data-target": edge.target, "data-label": edge.label}
    if edge.details:
        line["data-details"] = edge.details
    if edge.strength is not None:
        line["data-strength"] = f"{edge.strength:.3f}"
    if edge.directed:
        line["marker-end"] = f"url(#{arrow})"
    ElementTree.SubElement(svg, "line", line)
    if edge.label and labelled:
        _text(svg, edge.label, (x1 + x2) / 2, (y1 + y2) / 2 - 5, size="11", fill=MUTED, anchor="middle")


def _draw_node(svg: ElementTree.Element, node: Node, place: Place, radius: float, colour: str) -> None:
    x, y = place
    ring = {"cx": _n(x), "cy": _n(y), "r": _n(radius * (1.2 if node.highlighted else 1)), "fill": colour}
    ring |= {"data-node": node.node_id, "data-label": node.label, "data-kind": node.kind}
    ring["data-rank"] = str(node.rank)
    if node.details:
        ring["data-details"] = "\n".join(node.details)
    if node.highlighted:
        ring |= {"stroke": ORANGE, "stroke-width": _n(max(4 * radius / _RADIUS, 2.0))}
    ElementTree.SubElement(svg, "circle", ring)


def _draw_labels(
    svg: ElementTree.Element, nodes: Sequence[Node], places: dict[str, Place], radius: float
) -> None:
    """Label nodes in order of rank, leaving out what would lie on another label; the others wait for a closer look."""
    taken: list[tuple[float, float, float, float]] = []
    for node in sorted(nodes, key=lambda node: (not node.highlighted, node.rank)):
        x, y = places[node.node_id]
        words = node.label if len(node.label) <= _LABEL else node.label[: _LABEL - 1] + "…"
        # labels of nodes at the right edge run to the left
        right = x > WIDTH - 2.2 * _PAD
        start = x - radius - 6 if right else x + radius + 6
        width = len(words) * _LETTER
        box = (
            start - width if right else start,
            y - _LINE / 2,
            start if right else start + width,
            y + _LINE / 2,
        )
        free = all(box[2] < b[0] or b[2] < box[0] or box[3] < b[1] or b[3] < box[1] for b in taken)
        if free:
            taken.append(box)
        text = _text(
            svg,
            words,
            start,
            y + 4,
            size="12.5",
            fill=INK,
            weight="600" if node.highlighted else "400",
            anchor="end" if right else "start",
        )
        text.set("data-of", node.node_id)
        if not free:
            text.set("display", "none")


def _text(
    svg: ElementTree.Element,
    words: str,
    x: float,
    y: float,
    *,
    size: str,
    fill: str,
    anchor: str,
    weight: str = "400",
) -> ElementTree.Element:
    attributes = {
        "x": _n(x),
        "y": _n(y),
        "font-size": size,
        "font-family": FONT,
        "font-weight": weight,
        "fill": fill,
        "text-anchor": anchor,
        "class": "halo",
    }
    text = ElementTree.SubElement(svg, "text", attributes)
    text.text = words
    return text


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
