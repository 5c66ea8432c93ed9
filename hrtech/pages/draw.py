"""Charts become pictures: static SVG at build time, and the script that makes them answer to a pointer.

Here: the judgement of a specification (nothing may be loaded from anywhere), its drawing, the cleaning of the SVG,
and the Vega bundle. Fonts and network are those of the machine: system fonts, and none.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final
from xml.etree import ElementTree

from hrtech.facts.values import Cell
from hrtech.pages.errors import PageError
from hrtech.pages.theme import FONT, WIDTH, vega_config

_SVG: Final = "http://www.w3.org/2000/svg"
_ELEMENTS: Final = frozenset(
    [
        "svg",
        "g",
        "path",
        "rect",
        "circle",
        "line",
        "text",
        "tspan",
        "defs",
        "clipPath",
        "linearGradient",
        "stop",
        "title",
    ]
)
_ATTRIBUTES: Final = frozenset(
    [
        *(
            "class",
            "width",
            "height",
            "viewBox",
            "transform",
            "d",
            "x",
            "y",
            "x1",
            "y1",
            "x2",
            "y2",
            "cx",
            "cy",
            "r",
            "rx",
        ),
        *(
            "dx",
            "dy",
            "id",
            "offset",
            "opacity",
            "fill",
            "fill-opacity",
            "stroke",
            "stroke-width",
            "stroke-opacity",
        ),
        *("stroke-dasharray", "stroke-dashoffset", "stroke-linecap", "stroke-linejoin", "stroke-miterlimit"),
        *(
            "text-anchor",
            "font-family",
            "font-size",
            "font-weight",
            "font-style",
            "clip-path",
            "gradientUnits",
        ),
        *("stop-color", "stop-opacity", "visibility", "display"),
    ]
)
#: Keys that make Vega load something or link somewhere.
_REACHING: Final = frozenset({"url", "href", "loader", "topojson"})


def check_spec(title: str, spec: Mapping[str, Any]) -> None:
    """Check that a chart needs nothing from outside.

    Raises:
        PageError: It names an address or an image, or has no data of its own.
    """
    for path, key, value in _walk(spec):
        if key in _REACHING:
            raise PageError(
                f"chart {title!r}: {path} would load or link to something; charts bring their own data"
            )
        if value == "image" and key in ("mark", "type"):
            raise PageError(f"chart {title!r}: {path} draws an image; charts draw data")
    if not isinstance(spec.get("data"), Mapping) or not isinstance(spec["data"].get("values"), list):
        raise PageError(f"chart {title!r} has no data of its own; put the rows in data.values")


def chart_table(spec: Mapping[str, Any]) -> tuple[list[str], list[list[Cell]]]:
    """The table that says what a chart shows: headings and rows.

    The columns are those that its builder noted, or all fields of its rows.
    """
    rows = spec["data"]["values"]
    noted = spec.get("usermeta", {}).get("table")
    columns = noted or [[name, name] for name in dict.fromkeys(name for row in rows for name in row)]
    return [title for _, title in columns], [[row.get(field) for field, _ in columns] for row in rows]


def live_spec(spec: Mapping[str, Any], description: str) -> dict[str, Any]:
    """The specification as the browser gets it: with our look and its description, without build notes."""
    # `usermeta` could carry options for the embedding script, so it never leaves
    kept = {key: value for key, value in spec.items() if key not in ("usermeta", "config")}
    return {**kept, "description": description, "config": vega_config()}


def draw_svg(spec: Mapping[str, Any], *, prefix: str, label: str) -> str:
    """Draw a chart.

    Args:
        spec: Vega-Lite with inline data.
        prefix: Put before the ids inside, so that several drawings can stand in one page.
        label: What a screen reader says.

    Returns:
        An SVG element without scripts, links, styles or references outside.
    """
    import vl_convert

    drawn = live_spec(spec, label)
    if drawn.get("width") == "container":
        drawn |= {"width": WIDTH, "autosize": {"type": "fit-x", "contains": "padding"}}
    svg = vl_convert.vegalite_to_svg(json.dumps(drawn), allowed_base_urls=[])
    return clean_svg(svg, prefix=prefix, label=label)


def clean_svg(svg: str, *, prefix: str, label: str) -> str:
    """Keep of an SVG what draws, and nothing that could run, load or link.

    Inner labels go too: the picture is one image with one label, and its table is beside it.
    """
    # our own renderer made it, from data that was escaped; it has no entities
    root = ElementTree.fromstring(svg)  # noqa: S314
    _clean(root, {}, prefix)
    root.attrib.pop("class", None)
    root.set("font-family", FONT)
    root.set("role", "img")
    root.set("aria-label", label)
    root.set("xmlns", _SVG)
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)


@lru_cache(maxsize=1)
def vega_bundle() -> bytes:
    """Vega, Vega-Lite and Vega-Embed as one classic script (about 900 kB), the same bytes each time."""
    import vl_convert

    # the embedding script is all that the page calls; expressions run in its interpreter, never in eval
    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")).encode()


def _walk(value: Any, path: str = "spec") -> Iterator[tuple[str, str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield f"{path}.{key}", key, item
            # rows are data: their fields may have any name
            if key not in ("values", "datasets"):
                yield from _walk(item, f"{path}.{key}")
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _walk(item, f"{path}[{place}]")


def _clean(element: ElementTree.Element, names: dict[str, str], prefix: str) -> None:
    element.tag = element.tag.removeprefix(f"{{{_SVG}}}")
    for name, value in list(element.attrib.items()):
        within = re.fullmatch(r"url\(#([^()]+)\)", value)
        if name not in _ATTRIBUTES or ("url(" in value and not within):
            del element.attrib[name]
        elif name == "font-family" and value == FONT:
            # said once, by the root
            del element.attrib[name]
        elif name == "id":
            element.set(name, _renamed(value, names, prefix))
        elif within:
            element.set(name, f"url(#{_renamed(within[1], names, prefix)})")
    for child in list(element):
        if child.tag.removeprefix(f"{{{_SVG}}}") not in _ELEMENTS or child.get("display") == "none":
            element.remove(child)
        else:
            _clean(child, names, prefix)


def _renamed(name: str, names: dict[str, str], prefix: str) -> str:
    # the renderer counts its ids on from one drawing to the next; ours begin anew, so that bytes do not change
    return names.setdefault(name, f"{prefix}-{len(names) + 1}")
