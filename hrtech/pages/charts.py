"""Charts as Vega-Lite dictionaries: the handful of forms that our reports use, each with its table.

Every builder takes rows (a data frame or mappings) and names of their fields, puts the data inside, and notes under
`usermeta` which columns the chart's table has. Here: specifications only. Drawing them is `hrtech.pages.draw`.
"""

from collections.abc import Sequence
from typing import Final

from hrtech.pages.chart_pieces import (
    Rows,
    Spec,
    amount,
    layered,
    line_at,
    on_hover,
    rows_of,
    table_columns,
    whisker,
)
from hrtech.pages.theme import BLUE, MUTED, ORANGE

_ROW: Final = 30
_CURVE: Final = 660
#: An upright stroke, which stays in sight when a dot lies on it.
_STROKE: Final = "M-0.13,-1H0.13V1H-0.13Z"


def bars(
    data: Rows,
    *,
    category: str,
    value: str,
    low: str | None = None,
    high: str | None = None,
    category_title: str = "",
    value_title: str = "",
    number_format: str = ",~r",
) -> Spec:
    """Horizontal bars in the order of the rows, with the interval of each where there is one.

    Args:
        data: One row a bar.
        category: Field with the name of the bar.
        value: Field with its length.
        low: Field with the lower end of its interval.
        high: Field with the upper end.
        category_title: Words for the category, used in the table.
        value_title: Words under the axis.
        number_format: d3-format of the axis and the tooltip.
    """
    tooltip = on_hover([(category, category_title), (value, value_title)], number_format, low, high)
    y = {"field": category, "type": "nominal", "sort": None, "title": None}
    bar = {
        "mark": {"type": "bar", "cornerRadiusEnd": 2, "height": {"band": 0.62}},
        "encoding": {
            "y": y,
            "x": amount(value, value_title, number_format),
            "tooltip": tooltip,
        },
    }
    layers = [bar]
    if low and high:
        layers.append(whisker({"y": y}, low, high, tooltip))
    return layered(
        data,
        layers,
        table_columns((category, category_title), (value, value_title), low, high),
        step=(_ROW, category),
    )


def timeline(
    data: Rows,
    *,
    time: str,
    value: str,
    low: str | None = None,
    high: str | None = None,
    series: str | None = None,
    event: str | None = None,
    event_label: str = "",
    time_title: str = "",
    value_title: str = "",
    number_format: str = ",~r",
    zero: bool = True,
    height: int = 300,
) -> Spec:
    """Lines over time, with a band for the interval and a mark where something happened.

    Args:
        data: One row a point in time (and series).
        time: Field with the date as ISO text, read as UTC so that every reader sees the same day.
        value: Field with the height.
        low: Field with the lower end of the band.
        high: Field with the upper end.
        series: Field that tells lines apart; the first series is blue, the second orange.
        event: ISO date of the event to mark.
        event_label: Words beside the mark.
        time_title: Words for time, used in the table.
        value_title: Words for the value.
        number_format: d3-format of the axis and the tooltip.
        zero: The axis begins at 0.
        height: Height in pixels.
    """
    x = {"field": time, "type": "temporal", "title": None, "scale": {"type": "utc"}, "axis": {"grid": False}}
    colour = _coloured(series) if series else {}
    tooltip = [
        {"field": time, "type": "temporal", "title": time_title or time, "timeUnit": "utcyearmonthdate"},
        *([{"field": series, "title": series}] if series else []),
        *on_hover([(value, value_title)], number_format, low, high),
    ]
    layers: list[Spec] = []
    if low and high:
        band = {"y": {"field": low, "type": "quantitative"}, "y2": {"field": high}}
        layers.append({"mark": {"type": "area", "opacity": 0.18}, "encoding": {"x": x, **band, **colour}})
    y = amount(value, value_title, number_format, zero=zero)
    dots = {"filled": True, "size": 26}
    layers.append(
        {
            "mark": {"type": "line", "point": dots, "interpolate": "linear"},
            "encoding": {"x": x, "y": y, "tooltip": tooltip, **colour},
        }
    )
    if event:
        # data of its own, or the mark would be drawn once for each row
        here = {"data": {"values": [{"at": event, "words": event_label}]}}
        at = {"x": {**x, "field": "at"}}
        layers.append(
            {**here, "mark": {"type": "rule", "color": MUTED, "strokeDash": [4, 3]}, "encoding": at}
        )
        words = {"type": "text", "align": "left", "baseline": "top", "dx": 6, "dy": 4, "color": MUTED, "y": 0}
        layers.append({**here, "mark": words, "encoding": {**at, "text": {"field": "words"}}})
    columns = table_columns((time, time_title), (value, value_title), low, high)
    if series:
        columns.insert(1, [series, series])
    return layered(data, layers, columns, height=height)


def lines(
    data: Rows,
    *,
    x: str,
    y: str,
    series: str,
    x_title: str = "",
    y_title: str = "",
    series_title: str = "",
    number_format: str = ",~r",
    log_x: bool = False,
    colours: Sequence[str] = (),
    height: int = 300,
) -> Spec:
    """Lines of one amount against another, such as errors against a budget.

    Args:
        data: One row a point and series.
        x: Field with the amount along the axis.
        y: Field with the height.
        series: Field that tells lines apart, in the order in which they come.
        x_title: Words under the axis.
        y_title: Words for the height.
        series_title: Words for the series, used in the table.
        number_format: d3-format of the heights.
        log_x: The axis along is logarithmic and marked at the points alone; they are above 0.
        colours: Of the series in their order, where another chart shows some of them too.
        height: Height in pixels.
    """
    rows = rows_of(data)
    along: Spec = {"field": x, "type": "quantitative", "title": x_title or None, "axis": {"grid": False}}
    if log_x:
        along["scale"] = {"type": "log", "nice": False}
        along["axis"] |= {"values": sorted({row[x] for row in rows}), "format": "~r"}
    tooltip = [
        {"field": series, "title": series_title or series},
        {"field": x, "title": x_title or x, "type": "quantitative", "format": "~r"},
        *on_hover([(y, y_title)], number_format),
    ]
    line = {
        "mark": {"type": "line", "point": {"filled": True, "size": 26}, "interpolate": "linear"},
        "encoding": {
            "x": along,
            "y": amount(y, y_title, number_format),
            "tooltip": tooltip,
            **_coloured(series, colours),
        },
    }
    columns = [[series, series_title or series], *table_columns((x, x_title), (y, y_title), None, None)]
    return layered(rows, [line], columns, height=height)


def _coloured(series: str, colours: Sequence[str] = ()) -> Spec:
    """A colour for each line, and the legend that names it."""
    legend = {"offset": 30, "symbolType": "stroke", "symbolOpacity": 1, "symbolStrokeWidth": 3}
    scale = {"scale": {"range": list(colours)}} if colours else {}
    return {"color": {"field": series, "type": "nominal", "sort": None, "legend": legend, **scale}}


def forest(
    data: Rows,
    *,
    label: str,
    estimate: str,
    low: str,
    high: str,
    reference: float | None = 0.0,
    highlighted: str | None = None,
    label_title: str = "",
    estimate_title: str = "",
    number_format: str = ",~r",
) -> Spec:
    """Estimates with their intervals, one a row, against a line of no effect.

    Args:
        data: One row an estimate, in the order in which they are to be read.
        label: Field with the words of the row.
        estimate: Field with the estimate.
        low: Field with the lower end of its interval.
        high: Field with the upper end.
        reference: Where the line of no effect stands; None draws none.
        highlighted: Field of truth values; rows with true are drawn in the second colour.
        label_title: Words for the rows, used in the table.
        estimate_title: Words under the axis.
        number_format: d3-format of the axis and the tooltip.
    """
    y = {"field": label, "type": "nominal", "sort": None, "title": None}
    tooltip = on_hover([(label, label_title), (estimate, estimate_title)], number_format, low, high)
    colour: Spec = {}
    if highlighted:
        chosen = {"test": f"datum[{highlighted!r}] === true", "value": ORANGE}
        colour = {"color": {"condition": chosen, "value": BLUE}}
    x = amount(estimate, estimate_title, number_format, zero=False)
    layers: list[Spec] = []
    if reference is not None:
        layers.append(line_at("x", reference))
    interval = {"x": amount(low, estimate_title, number_format, zero=False), "x2": {"field": high}}
    layers.append(
        {
            "mark": {"type": "rule", "strokeWidth": 2.5},
            "encoding": {"y": y, **interval, **(colour or {"color": {"value": BLUE}})},
        }
    )
    layers.append({"mark": {"type": "point"}, "encoding": {"y": y, "x": x, "tooltip": tooltip, **colour}})
    return layered(
        data,
        layers,
        table_columns((label, label_title), (estimate, estimate_title), low, high),
        step=(_ROW, label),
    )


def specification_curve(
    data: Rows,
    *,
    estimate: str,
    low: str,
    high: str,
    choices: Sequence[str],
    reference: float = 0.0,
    estimate_title: str = "",
    number_format: str = ",~r",
    status: str | None = None,
) -> Spec:
    """All specifications of an analysis, sorted by estimate, above the choices that each one made.

    The one that is pointed at stands out in both parts.

    Source of the form: Simonsohn, Simmons and Nelson, Specification curve analysis, Nature Human Behaviour 2020.

    Args:
        data: One row a specification.
        estimate: Field with the estimate.
        low: Field with the lower end of its interval.
        high: Field with the upper end.
        choices: Fields with the choices, such as estimator and population.
        reference: Where the line of no effect stands.
        estimate_title: Words for the estimate.
        number_format: d3-format of the axis and the tooltip.
        status: Field whose first value in alphabetical order is drawn in the first colour, others in the second.
    """
    rows = sorted(rows_of(data), key=lambda row: row[estimate])
    rows = [{"specification": place, **row} for place, row in enumerate(rows, start=1)]
    made = [
        {
            "specification": row["specification"],
            "choice": f"{choice}: {row[choice]}",
            **({status: row[status]} if status else {}),
        }
        for choice in choices
        for row in sorted(rows, key=lambda row: str(row[choice]))
    ]
    x = {"field": "specification", "type": "ordinal", "axis": None}
    tooltip = on_hover([(estimate, estimate_title)], number_format, low, high)
    tooltip += [{"field": choice, "title": choice} for choice in [*choices, *([status] if status else [])]]
    colour = _by_status(rows, status)
    pointed = {
        "name": "pointed",
        "select": {"type": "point", "on": "pointerover", "fields": ["specification"]},
    }
    above = {
        "height": 220,
        "width": _CURVE,
        "layer": [
            line_at("y", reference),
            {
                "mark": {"type": "rule", "strokeWidth": 2},
                "encoding": {
                    "x": x,
                    "y": amount(low, estimate_title, number_format, zero=False),
                    "y2": {"field": high},
                    **colour,
                    **_pointed_at(0.45),
                },
            },
            {
                "params": [pointed],
                "mark": {"type": "point", "size": 50},
                "encoding": {
                    "x": x,
                    "y": amount(estimate, estimate_title, number_format, zero=False),
                    "tooltip": tooltip,
                    **colour,
                    **_pointed_at(0.9),
                },
            },
        ],
    }
    below = {
        "data": {"values": made},
        "width": _CURVE,
        "height": {"step": 22},
        "mark": {"type": "tick", "orient": "vertical", "thickness": 3, "size": 13},
        "encoding": {
            "x": x,
            **colour,
            **_pointed_at(0.9),
            "y": {"field": "choice", "type": "nominal", "sort": None, "title": None, "axis": {"grid": True}},
        },
    }
    columns = [
        ["specification", "Specification"],
        *table_columns((estimate, estimate_title), None, low, high),
    ]
    columns += [[choice, choice] for choice in choices]
    spec = layered(rows, [], columns)
    del spec["layer"], spec["width"]
    return {**spec, "vconcat": [above, below], "spacing": 14, "resolve": {"scale": {"x": "shared"}}}


def _by_status(rows: list[Spec], status: str | None) -> Spec:
    if status is None:
        return {"color": {"value": BLUE}}
    first = sorted({str(row[status]) for row in rows})[0]
    return {
        "color": {"condition": {"test": f"datum[{status!r}] === {first!r}", "value": BLUE}, "value": ORANGE}
    }


def _pointed_at(otherwise: float) -> Spec:
    """Full ink for the specification that is pointed at, faint for the rest; the usual where none is."""
    shown = {"param": "pointed", "value": otherwise, "empty": True}
    return {"opacity": {"condition": shown, "value": 0.12}}


def dots_compared(
    data: Rows,
    *,
    category: str,
    released: str,
    truth: str,
    released_title: str = "Released",
    truth_title: str = "Truth",
    category_title: str = "",
    value_title: str = "",
    number_format: str = ",~r",
) -> Spec:
    """Two values a row, joined by a line: what was released beside what is true.

    Args:
        data: One row a category, in reading order.
        category: Field with the name of the row.
        released: Field with the released value.
        truth: Field with the value to compare with.
        released_title: Words for the released value.
        truth_title: Words for the other.
        category_title: Words for the category, used in the table.
        value_title: Words under the axis.
        number_format: d3-format of the axis and the tooltip.
    """
    y = {"field": category, "type": "nominal", "sort": None, "title": None}
    tooltip = on_hover(
        [(category, category_title), (released, released_title), (truth, truth_title)], number_format
    )
    names = [released_title, truth_title]
    colour = {"scale": {"domain": names, "range": [BLUE, ORANGE]}, "type": "nominal"}
    shape = {"scale": {"domain": names, "range": ["circle", _STROKE]}, "type": "nominal"}
    join = {"x": amount(released, value_title, number_format), "x2": {"field": truth}, "y": y}
    layers: list[Spec] = [{"mark": {"type": "rule", "strokeWidth": 2}, "encoding": join}]
    for field, name, size in ((released, released_title, 110), (truth, truth_title, 420)):
        layers.append(
            {
                "mark": {"type": "point", "size": size},
                "encoding": {
                    "y": y,
                    "x": amount(field, value_title, number_format),
                    "color": {"datum": name, **colour},
                    "shape": {"datum": name, **shape},
                    "tooltip": tooltip,
                },
            }
        )
    columns = [[category, category_title or category], [released, released_title], [truth, truth_title]]
    return layered(data, layers, columns, step=(_ROW, category))


def heatmap(
    data: Rows,
    *,
    x: str,
    y: str,
    value: str,
    x_title: str = "",
    y_title: str = "",
    value_title: str = "",
    number_format: str = ",~r",
) -> Spec:
    """A grid of amounts, each cell with its number, so that it can be read without the colour.

    Args:
        data: One row a cell; rows and columns stand in the order in which they come.
        x: Field of the columns.
        y: Field of the rows.
        value: Field of the amount.
        x_title: Words for the columns.
        y_title: Words for the rows, used in the table.
        value_title: Words for the amount.
        number_format: d3-format of the numbers.
    """
    rows = rows_of(data)
    known = [row[value] for row in rows if row[value] is not None]
    middle = (min(known) + max(known)) / 2 if known else 0
    place = {
        "x": {
            "field": x,
            "type": "nominal",
            "sort": None,
            "title": x_title or None,
            "axis": {"orient": "top", "labelAngle": 0},
        },
        "y": {"field": y, "type": "nominal", "sort": None, "title": None},
    }
    colour = {"field": value, "type": "quantitative", "scale": {"range": "ramp"}, "legend": None}
    tooltip = on_hover([(y, y_title), (x, x_title), (value, value_title)], number_format)
    light = {"test": f"datum[{value!r}] > {middle!r}", "value": "#ffffff"}
    layers: list[Spec] = [
        {
            "mark": {"type": "rect", "cornerRadius": 2, "stroke": "#ffffff", "strokeWidth": 2},
            "encoding": {**place, "color": colour, "tooltip": tooltip},
        },
        {
            "mark": {"type": "text", "fontSize": 12},
            "encoding": {
                **place,
                "text": {"field": value, "type": "quantitative", "format": number_format},
                "color": {"condition": light, "value": "#17212a"},
            },
        },
    ]
    columns = [[y, y_title or y], [x, x_title or x], [value, value_title or value]]
    return layered(rows, layers, columns, step=(34, y))
