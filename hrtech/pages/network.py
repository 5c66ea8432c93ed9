"""Node-link diagrams as SVG of our own: places come computed, this draws them.

Source of the form: links under nodes, labels beside them with a halo, highlighted nodes last. No layout here.
"""

from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree

from hrtech.facts.parts import Edge, Network, Node
from hrtech.facts.values import Cell
from hrtech.pages.theme import FONT, INK, MUTED, ORANGE, RULE, SERIES, WIDTH

_PAD: Final = 70.0
_RADIUS: Final = 9.0
_LABEL: Final = 28


def draw_network(network: Network, *, prefix: str) -> str:
    """Draw a network as one SVG image.

    Args:
        network: Network with places.
        prefix: Put before the ids inside, so that several drawings can stand in one page.

    Returns:
        An SVG element.
    """
    places, height = _fit(network.nodes)
    svg = ElementTree.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "role": "img",
            "aria-label": network.description,
            "viewBox": f"0 0 {WIDTH} {_n(height)}",
            "width": str(WIDTH),
            "height": _n(height),
        },
    )
    defs = ElementTree.SubElement(svg, "defs")
    for name, colour in (("arrow", RULE), ("strong", ORANGE)):
        _define_arrow(defs, f"{prefix}-{name}", colour)
    strong = {node.node_id for node in network.nodes if node.highlighted}
    for edge in network.edges:
        _draw_edge(svg, edge, places, prefix, {edge.source, edge.target} <= strong)
    colours = kind_colours(network.nodes)
    for node in sorted(network.nodes, key=lambda node: node.highlighted):
        _draw_node(svg, node, places[node.node_id], colours[node.kind])
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
    edges: list[list[Cell]] = [[labels[e.source], labels[e.target], e.label] for e in network.edges]
    return [
        ("Entities", ["Entity", "Kind", "Highlighted"], nodes),
        ("Links", ["From", "To", "Link"], edges),
    ]


def _fit(nodes: Sequence[Node]) -> tuple[dict[str, tuple[float, float]], float]:
    if not nodes:
        return {}, 2 * _PAD
    left, right = min(node.x for node in nodes), max(node.x for node in nodes)
    top, bottom = min(node.y for node in nodes), max(node.y for node in nodes)
    scale = (WIDTH - 2 * _PAD) / ((right - left) or 1)
    # very tall layouts are pressed rather than shown over several screens
    tall = min(scale, 620 / ((bottom - top) or 1))
    places = {
        node.node_id: (
            _PAD + (node.x - left) * scale if right > left else WIDTH / 2,
            _PAD / 2 + (node.y - top) * tall,
        )
        for node in nodes
    }
    return places, _PAD + (bottom - top) * tall


def _define_arrow(defs: ElementTree.Element, name: str, colour: str) -> None:
    size = {"viewBox": "0 0 8 8", "refX": "7", "refY": "4", "markerWidth": "9", "markerHeight": "9"}
    shape = {"id": name, "orient": "auto", "markerUnits": "userSpaceOnUse", **size}
    marker = ElementTree.SubElement(defs, "marker", shape)
    ElementTree.SubElement(marker, "path", {"d": "M0,0L8,4L0,8Z", "fill": colour})


def _draw_edge(
    svg: ElementTree.Element, edge: Edge, places: dict[str, tuple[float, float]], prefix: str, strong: bool
) -> None:
    (x1, y1), (x2, y2) = places[edge.source], places[edge.target]
    length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5 or 1.0
    gap = (_RADIUS + 4) / length
    ends = (x1 + (x2 - x1) * gap, y1 + (y2 - y1) * gap, x2 - (x2 - x1) * gap, y2 - (y2 - y1) * gap)
    line = {name: _n(end) for name, end in zip(("x1", "y1", "x2", "y2"), ends, strict=True)}
    line |= {"stroke": ORANGE if strong else RULE, "stroke-width": "2.5" if strong else "1.4"}
    if edge.directed:
        line["marker-end"] = f"url(#{prefix}-{'strong' if strong else 'arrow'})"
    ElementTree.SubElement(svg, "line", line)
    if edge.label:
        _text(svg, edge.label, (x1 + x2) / 2, (y1 + y2) / 2 - 5, size="11", fill=MUTED, anchor="middle")


def _draw_node(svg: ElementTree.Element, node: Node, place: tuple[float, float], colour: str) -> None:
    x, y = place
    ring = {"cx": _n(x), "cy": _n(y), "r": _n(_RADIUS + (2 if node.highlighted else 0)), "fill": colour}
    if node.highlighted:
        ring |= {"stroke": ORANGE, "stroke-width": "4"}
    ElementTree.SubElement(svg, "circle", ring)
    label = node.label if len(node.label) <= _LABEL else node.label[: _LABEL - 1] + "…"
    weight = "600" if node.highlighted else "400"
    # labels of nodes at the right edge run to the left
    right = x > WIDTH - 2.2 * _PAD
    _text(
        svg,
        label,
        x - _RADIUS - 6 if right else x + _RADIUS + 6,
        y + 4,
        size="12.5",
        fill=INK,
        weight=weight,
        anchor="end" if right else "start",
    )


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
) -> None:
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
    ElementTree.SubElement(svg, "text", attributes).text = words


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
