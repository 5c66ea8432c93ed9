"""The pieces that charts are made of: encodings, layers and the frame around them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from hrtech.facts.values import as_json
from hrtech.pages.theme import INK, RULE

Rows = pd.DataFrame | Iterable[Mapping[str, Any]]
Spec = dict[str, Any]

_SCHEMA: Final = "https://vega.github.io/schema/vega-lite/v6.json"


def layered(
    data: Rows,
    layers: list[Spec],
    columns: list[list[str]],
    *,
    step: tuple[int, str] | None = None,
    height: int | None = None,
) -> Spec:
    """A layered chart with its data inside, its size, and the columns of its table."""
    rows = rows_of(data)
    if step:
        # a height in pixels, so that the width alone has to fit
        height = step[0] * len({row[step[1]] for row in rows})
    size: Spec = {"height": height} if height else {}
    return {
        "$schema": _SCHEMA,
        "usermeta": {"table": columns},
        "data": {"values": rows},
        "width": "container",
        **size,
        "layer": layers,
    }


def rows_of(data: Rows) -> list[dict[str, Any]]:
    """Rows as plain mappings."""
    rows = data.to_dict("records") if isinstance(data, pd.DataFrame) else [dict(row) for row in data]
    return [as_json(f"chart, row {place}", row) for place, row in enumerate(rows)]


def amount(field: str, title: str, number_format: str, *, zero: bool = True) -> Spec:
    """The channel of an amount."""
    return {
        "field": field,
        "type": "quantitative",
        "title": title or None,
        "scale": {"zero": zero, "nice": True},
        "axis": {"format": number_format} | ({"tickMinStep": 1} if number_format.endswith("d") else {}),
    }


def line_at(channel: str, value: float) -> Spec:
    """A dashed line at one value."""
    return {
        "data": {"values": [{"reference": value}]},
        "mark": {"type": "rule", "color": RULE, "strokeDash": [4, 3]},
        "encoding": {channel: {"field": "reference", "type": "quantitative"}},
    }


def whisker(place: Spec, low: str, high: str, tooltip: list[Spec]) -> Spec:
    """The interval of a bar."""
    ends = {"x": {"field": low, "type": "quantitative"}, "x2": {"field": high}}
    return {
        "mark": {"type": "rule", "color": INK, "strokeWidth": 1.5},
        "encoding": {**place, **ends, "tooltip": tooltip},
    }


def on_hover(
    named: Sequence[tuple[str, str]], number_format: str, low: str | None = None, high: str | None = None
) -> list[Spec]:
    """What a pointer sees: the name of the row, its amounts, its interval."""
    pieces: list[Spec] = []
    for place, (field, title) in enumerate(named):
        piece: Spec = {"field": field, "title": title or field}
        # the first of several names the row, the others are amounts
        if place or len(named) == 1:
            piece |= {"type": "quantitative", "format": number_format}
        pieces.append(piece)
    for end, words in ((low, "From"), (high, "To")):
        if end:
            pieces.append({"field": end, "title": words, "type": "quantitative", "format": number_format})
    return pieces


def table_columns(
    first: tuple[str, str], second: tuple[str, str] | None, low: str | None, high: str | None
) -> list[list[str]]:
    """The columns of the table of a chart: pairs of field and heading."""
    named = [first, *([second] if second else [])]
    columns = [[field, title or field] for field, title in named]
    return columns + [[field, title] for field, title in ((low, "From"), (high, "To")) if field]
