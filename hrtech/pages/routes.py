"""The way from the records to a page, as a picture: assets in columns, what they stand on to their left.

Here: the layout of that picture (columns by the longest way from a source, rows beside what an asset reads) and its
SVG. Colours come from the style sheet by zone. The list of assets on the same page says the same in words.
"""

from collections.abc import Collection, Sequence
from typing import Final
from xml.etree import ElementTree

from hrtech.pages.provenance import Origin

_BOX: Final = (176, 46)
_GAP: Final = (58, 16)
_EDGE: Final = 4
_LETTERS: Final = 25


def draw_routes(origins: Sequence[Origin], told: Collection[str]) -> str:
    """Draw the assets behind a page.

    Args:
        origins: Assets, parents before children.
        told: Assets that numbers come from, drawn with a strong border.

    Returns:
        One SVG image. A step through a release is drawn as a strong line with a gate.
    """
    places = layout(origins)
    width = (
        _EDGE * 2
        + (1 + max((column for column, _ in places.values()), default=0)) * (_BOX[0] + _GAP[0])
        - _GAP[0]
    )
    height = (
        _EDGE * 2
        + (1 + max((row for _, row in places.values()), default=0.0)) * (_BOX[1] + _GAP[1])
        - _GAP[1]
    )
    released = sum(origin.is_release for origin in origins)
    svg = ElementTree.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "role": "img",
            "class": "routes",
            "aria-label": f"{len(origins)} assets, from the records on the left to what is told on the right; "
            f"{released} of them came through a release.",
            "viewBox": f"0 0 {width} {height:.0f}",
            "width": str(width),
            "height": f"{height:.0f}",
        },
    )
    for origin in origins:
        for parent in origin.parents:
            if parent in places:
                _draw_step(
                    svg, _corner(places[parent]), _corner(places[origin.asset]), gate=origin.is_release
                )
    for origin in origins:
        _draw_box(svg, origin, _corner(places[origin.asset]), strong=origin.asset in told)
    return ElementTree.tostring(svg, encoding="unicode")


def layout(origins: Sequence[Origin]) -> dict[str, tuple[int, float]]:
    """Column and row of each asset; no two share a place.

    Args:
        origins: Assets, parents before children.
    """
    known = {origin.asset for origin in origins}
    parents = {origin.asset: [parent for parent in origin.parents if parent in known] for origin in origins}
    column: dict[str, int] = {}
    for asset, above in parents.items():
        column[asset] = 1 + max((column.get(parent, -1) for parent in above), default=-1)
    # a source stands just left of the first asset that reads it, not far away at the edge
    readers: dict[str, list[str]] = {asset: [] for asset in known}
    for asset, above in parents.items():
        for parent in above:
            readers[parent].append(asset)
    for asset in known:
        if not parents[asset] and readers[asset]:
            column[asset] = min(column[reader] for reader in readers[asset]) - 1
    row: dict[str, float] = {}
    for at in sorted(set(column.values())):
        wanted = [(_middle([row[p] for p in parents[a] if p in row]), a) for a in parents if column[a] == at]
        # assets without parents keep their order, below those that have a place to be
        wanted.sort(key=lambda item: (item[0] is None, item[0] or 0.0))
        free = 0.0
        for want, asset in wanted:
            row[asset] = max(free, want if want is not None else free)
            free = row[asset] + 1
    return {asset: (column[asset], row[asset]) for asset in parents}


def _middle(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _corner(place: tuple[int, float]) -> tuple[float, float]:
    return _EDGE + place[0] * (_BOX[0] + _GAP[0]), _EDGE + place[1] * (_BOX[1] + _GAP[1])


def _draw_step(
    svg: ElementTree.Element, start: tuple[float, float], end: tuple[float, float], *, gate: bool
) -> None:
    x1, y1 = start[0] + _BOX[0], start[1] + _BOX[1] / 2
    x2, y2 = end[0], end[1] + _BOX[1] / 2
    bend = max(_GAP[0] / 2, (x2 - x1) / 2)
    path = f"M{x1:.0f},{y1:.1f}C{x1 + bend:.0f},{y1:.1f} {x2 - bend:.0f},{y2:.1f} {x2:.0f},{y2:.1f}"
    ElementTree.SubElement(svg, "path", {"class": "step gated" if gate else "step", "d": path})
    if gate:
        bar = {
            "x": f"{x2 - 9:.0f}",
            "y": f"{y2 - 10:.1f}",
            "width": "4",
            "height": "20",
            "rx": "2",
            "class": "gate",
        }
        ElementTree.SubElement(svg, "rect", bar)


def _draw_box(svg: ElementTree.Element, origin: Origin, corner: tuple[float, float], *, strong: bool) -> None:
    x, y = corner
    box = {"x": f"{x:.0f}", "y": f"{y:.1f}", "width": str(_BOX[0]), "height": str(_BOX[1]), "rx": "7"}
    ElementTree.SubElement(svg, "rect", {**box, "class": f"box {origin.zone}{' told' if strong else ''}"})
    study, _, noun = origin.asset.partition("/")
    for words, down, style in ((study, 18, "study"), (noun, 35, "noun")):
        text = words.replace("_", " ")
        text = text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"
        place = {"x": f"{x + 12:.0f}", "y": f"{y + down:.1f}", "class": f"{style} {origin.zone}"}
        ElementTree.SubElement(svg, "text", place).text = text
