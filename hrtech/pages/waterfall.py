"""A waterfall: amounts that add up, each bar beginning where the one before ended."""

from collections.abc import Sequence
from typing import Any, Final

from hrtech.pages.chart_pieces import Spec, amount, layered, line_at
from hrtech.pages.theme import BLUE, MUTED, ORANGE, RULE

_ROW: Final = 30
_ROOM: Final = 0.1


def waterfall(
    steps: Sequence[tuple[str, float]],
    *,
    total: str,
    step_title: str = "",
    value_title: str = "",
    reference: float | None = None,
    number_format: str = "+.1f",
) -> Spec:
    """Horizontal bars from 0 to the sum, in the order given; the sum is the last bar.

    Args:
        steps: Words and amount of each step; words differ.
        total: Words for the sum.
        step_title: Words for a step, used in the table.
        value_title: Words under the axis.
        reference: Where a dashed line stands, such as a threshold.
        number_format: d3-format of amounts.
    """
    rows: list[dict[str, Any]] = []
    at = 0.0
    for words, value in steps:
        kind = "for" if value > 0 else "against"
        rows.append({"step": words, "value": value, "from": at, "to": at + value, "kind": kind})
        at += value
    rows.append({"step": total, "value": at, "from": 0.0, "to": at, "kind": "sum"})
    y = {"field": "step", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 330}}
    ends = [0.0, *(row["to"] for row in rows)]
    room = (max(ends) - min(ends) or 1.0) * _ROOM  # for the number beside the bar that ends furthest right
    x = {
        **amount("from", value_title, "~r"),
        "scale": {"domain": [min(ends), max(ends) + room], "nice": False},
    }
    colour = {
        "field": "kind",
        "type": "nominal",
        "scale": {"domain": ["for", "against", "sum"], "range": [BLUE, ORANGE, MUTED]},
        "legend": None,
    }
    tooltip = [
        {"field": "step", "title": step_title or "step"},
        {"field": "value", "title": value_title or "value", "type": "quantitative", "format": number_format},
        {"field": "to", "title": "sum so far", "type": "quantitative", "format": number_format},
    ]
    bars = {
        "mark": {"type": "bar", "height": {"band": 0.62}, "minBandSize": 1},
        "encoding": {"y": y, "x": x, "x2": {"field": "to"}, "color": colour, "tooltip": tooltip},
    }
    words_at = {"y": y, "x": {"field": "right", "type": "quantitative"}}
    for row in rows:
        row["right"] = max(row["from"], row["to"])
    labels = {
        "mark": {"type": "text", "align": "left", "dx": 6, "color": MUTED, "fontSize": 12.5},
        "encoding": {**words_at, "text": {"field": "value", "type": "quantitative", "format": number_format}},
    }
    layers = [line_at("x", 0.0), bars, labels]
    if reference is not None:
        mark = {"type": "rule", "color": RULE, "strokeDash": [2, 3], "strokeWidth": 1.5}
        at_reference = {"x": {"field": "reference", "type": "quantitative"}}
        layers.append(
            {"data": {"values": [{"reference": reference}]}, "mark": mark, "encoding": at_reference}
        )
    columns = [["step", step_title or "step"], ["value", value_title or "value"], ["to", "sum so far"]]
    return layered(rows, layers, columns, step=(_ROW, "step"))
