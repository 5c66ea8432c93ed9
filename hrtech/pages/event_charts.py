"""Charts of event studies: paths over periods that are numbers, and estimates by periods since the event.

Paths over dates are `hrtech.pages.charts.timeline`.
"""

from typing import Final

from hrtech.pages.chart_pieces import Rows, Spec, amount, layered, line_at, on_hover, table_columns
from hrtech.pages.theme import BLUE, MUTED

#: Names of many lines in rows, whole.
_LEGEND: Final = {
    "symbolType": "stroke",
    "symbolStrokeWidth": 3,
    "symbolOpacity": 1,
    "columns": 3,
    "labelLimit": 220,
    "offset": 30,
}


def coefficients(
    data: Rows,
    *,
    time: str,
    estimate: str,
    low: str,
    high: str,
    time_title: str = "",
    estimate_title: str = "",
    number_format: str = ",~r",
    height: int = 300,
) -> Spec:
    """Estimates by periods since the event, with intervals; lines mark no effect and the event.

    Args:
        data: One row a period since the event; negative before it.
        time: Field with the periods since the event.
        estimate: Field with the estimate.
        low: Field with the lower end of its interval.
        high: Field with the upper end.
        time_title: Words under the axis.
        estimate_title: Words for the estimate.
        number_format: d3-format of the estimates.
        height: Height in pixels.
    """
    x = {
        "field": time,
        "type": "quantitative",
        "title": time_title or None,
        "axis": {"grid": False, "tickMinStep": 1},
    }
    tooltip = on_hover([(time, time_title), (estimate, estimate_title)], number_format, low, high)
    ends = {"y": amount(low, estimate_title, number_format, zero=False), "y2": {"field": high}}
    event = {
        "data": {"values": [{"at": -0.5}]},
        "mark": {"type": "rule", "color": MUTED, "strokeDash": [4, 3]},
        "encoding": {"x": {"field": "at", "type": "quantitative"}},
    }
    layers: list[Spec] = [
        line_at("y", 0.0),
        event,
        {
            "mark": {"type": "rule", "color": BLUE, "strokeWidth": 2},
            "encoding": {"x": x, **ends},
        },
        {
            "mark": {"type": "point", "size": 50, "filled": True},
            "encoding": {
                "x": x,
                "y": amount(estimate, estimate_title, number_format, zero=False),
                "tooltip": tooltip,
            },
        },
    ]
    return layered(
        data, layers, table_columns((time, time_title), (estimate, estimate_title), low, high), height=height
    )


def numbered(
    data: Rows,
    *,
    time: str,
    value: str,
    series: str,
    low: str | None = None,
    high: str | None = None,
    event: float | None = None,
    time_title: str = "",
    value_title: str = "",
    number_format: str = ",~r",
    height: int = 300,
) -> Spec:
    """Lines over periods that are plain numbers, with a band where there is one, and a mark at the event.

    Args:
        data: One row a period and series.
        time: Field with the number of the period.
        value: Field with the height.
        series: Field that tells lines apart.
        low: Field with the lower end of the band.
        high: Field with the upper end.
        event: First period of the event.
        time_title: Words under the axis.
        value_title: Words for the value.
        number_format: d3-format of the heights.
        height: Height in pixels.
    """
    x = {
        "field": time,
        "type": "quantitative",
        "title": time_title or None,
        "scale": {"zero": False, "nice": False},
        "axis": {"grid": False, "format": "d", "tickMinStep": 1},
    }
    colour = {"color": {"field": series, "type": "nominal", "sort": None, "legend": _LEGEND}}
    layers: list[Spec] = []
    if low and high:
        band = {"y": {"field": low, "type": "quantitative"}, "y2": {"field": high}}
        layers.append({"mark": {"type": "area", "opacity": 0.18}, "encoding": {"x": x, **band, **colour}})
    tooltip = [
        {"field": series, "title": series},
        *on_hover([(time, time_title), (value, value_title)], number_format),
    ]
    line = {"type": "line", "point": {"filled": True, "size": 26}, "interpolate": "linear"}
    height_of = amount(value, value_title, number_format, zero=False)
    layers.append({"mark": line, "encoding": {"x": x, "y": height_of, "tooltip": tooltip, **colour}})
    if event is not None:
        here = {"data": {"values": [{"at": event, "words": "event"}]}}
        at = {"x": {"field": "at", "type": "quantitative"}}
        layers.append(
            {**here, "mark": {"type": "rule", "color": MUTED, "strokeDash": [4, 3]}, "encoding": at}
        )
        words = {"type": "text", "align": "left", "baseline": "top", "dx": 6, "dy": 4, "color": MUTED, "y": 0}
        layers.append({**here, "mark": words, "encoding": {**at, "text": {"field": "words"}}})
    columns = [[series, series], *table_columns((time, time_title), (value, value_title), low, high)]
    return layered(data, layers, columns, height=height)
