"""Charts of patterns over periods: counts with what was expected, the window shaded, and many lives on one grid.

Periods are words in their order (`2024-03`, `2023-H1`, `2005-2013`), evenly spaced whatever their length.
"""

from collections.abc import Sequence
from typing import Final

from hrtech.pages.chart_pieces import Rows, Spec, amount, layered, on_hover, rows_of
from hrtech.pages.theme import BLUE, GRID, INK, MUTED, ORANGE

_LABEL: Final = 34
#: Room for the words of a pattern, in pixels.
WIDE: Final = 380
#: Blue where fewer than expected, grey as expected, orange where more.
_DIVERGING: Final = (BLUE, "#a9cbe3", GRID, "#efb28c", ORANGE)


def banded(
    data: Rows,
    *,
    period: str,
    value: str,
    expected: str,
    low: str,
    high: str,
    inside: str,
    period_title: str = "",
    value_title: str = "",
    expected_title: str = "expected",
    number_format: str = ",~r",
    height: int = 260,
) -> Spec:
    """What was observed by period, with what was expected, its band, and the window shaded.

    Args:
        data: One row a period, in order.
        period: Field with its words.
        value: Field with what was observed.
        expected: Field with what was expected.
        low: Field with the lower end of the band around what was expected.
        high: Field with the upper end.
        inside: Field of truth values: the period lies in the window.
        period_title: Words for the period.
        value_title: Words for what was observed.
        expected_title: Words for what was expected.
        number_format: d3-format of the amounts.
        height: Height in pixels.
    """
    x = _along(period)
    named = {"domain": [value_title or value, expected_title], "range": [BLUE, MUTED]}
    legend = {"symbolType": "stroke", "symbolStrokeWidth": 3, "symbolOpacity": 1, "offset": 30}

    def colour(words: str) -> Spec:
        return {"color": {"datum": words, "type": "nominal", "scale": named, "legend": legend}}

    tooltip = on_hover(
        [(period, period_title), (value, value_title), (expected, expected_title)], number_format, low, high
    )
    shaded = {"test": f"datum[{inside!r}] === true", "value": 0.16}
    layers: list[Spec] = [
        {
            "mark": {"type": "rect"},
            "encoding": {"x": x, "color": {"value": ORANGE}, "opacity": {"condition": shaded, "value": 0}},
        },
        {
            "mark": {"type": "area", "opacity": 0.2},
            "encoding": {
                "x": x,
                "color": {"value": MUTED},
                "y": amount(low, value_title, number_format),
                "y2": {"field": high},
            },
        },
        {
            "mark": {"type": "line", "strokeDash": [4, 3], "strokeWidth": 1.75},
            "encoding": {
                "x": x,
                "y": amount(expected, value_title, number_format),
                **colour(expected_title),
            },
        },
        {
            "mark": {"type": "line", "point": {"filled": True, "size": 30}},
            "encoding": {
                "x": x,
                "y": amount(value, value_title, number_format),
                **colour(value_title or value),
                "tooltip": tooltip,
            },
        },
    ]
    columns = [
        [period, period_title or period],
        [value, value_title or value],
        [expected, expected_title],
        [low, "Expected from"],
        [high, "Expected to"],
        [inside, "In the window"],
    ]
    return layered(data, layers, columns, height=height)


def lives(
    data: Rows,
    *,
    period: str,
    label: str,
    value: str,
    inside: str,
    period_title: str = "",
    label_title: str = "",
    value_title: str = "",
    number_format: str = ".2~r",
) -> Spec:
    """One row a pattern, one cell a period: how far it stood from what was expected; its window is outlined.

    Args:
        data: One row a pattern and period; rows and columns stand in the order in which they come.
        period: Field with the words of the period.
        label: Field with the words of the pattern.
        value: Field with observed over expected; None where nothing is known.
        inside: Field of truth values: the period lies in the pattern's window.
        period_title: Words for the period.
        label_title: Words for the pattern.
        value_title: Words for the value.
        number_format: d3-format of the values.
    """
    rows = rows_of(data)
    place = {
        "x": _along(period),
        "y": {"field": label, "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": WIDE}},
    }
    scale = {"domain": [0, 0.5, 1, 2, 4], "range": list(_DIVERGING), "clamp": True, "interpolate": "rgb"}
    legend = {"title": value_title or value, "gradientLength": 220, "format": "~r", "values": [0, 1, 2, 4]}
    tooltip = [
        {"field": label, "title": label_title or label},
        *on_hover([(period, period_title), (value, value_title)], number_format),
    ]
    cells = {
        "mark": {"type": "rect", "stroke": "#ffffff", "strokeWidth": 1},
        "encoding": {
            **place,
            "color": {"field": value, "type": "quantitative", "scale": scale, "legend": legend},
            "tooltip": tooltip,
        },
    }
    outline = {"test": f"datum[{inside!r}] === true", "value": 1}
    window = {
        "mark": {"type": "rect", "filled": False, "stroke": INK, "strokeWidth": 1.75},
        "encoding": {**place, "opacity": {"condition": outline, "value": 0}},
    }
    columns = [
        [label, label_title or label],
        [period, period_title or period],
        [value, value_title or value],
        [inside, "In the window"],
    ]
    return layered(rows, [cells, window], columns, step=(_LABEL - 6, label))


def together(
    data: Rows, *, one: str, other: str, value: str, names: Sequence[str], value_title: str = ""
) -> Spec:
    """Which attributes come together: a grid of attributes by attributes, with the number in each cell.

    Args:
        data: One row a pair, both ways round.
        one: Field of the columns.
        other: Field of the rows.
        value: Field of the amount.
        names: Attributes in the order of rows and columns.
        value_title: Words for the amount.
    """
    rows = rows_of(data)
    amounts = [row[value] for row in rows] or [0]
    dark = min(amounts) + 0.6 * (max(amounts) - min(amounts))  # the ramp spans what there is
    order = list(names)
    place = {
        "x": {
            "field": one,
            "type": "nominal",
            "scale": {"domain": order},
            "title": None,
            "axis": {
                "grid": False,
                "orient": "top",
                "labelAngle": -90,
                "labelLimit": 200,
                "labelOverlap": False,
            },
        },
        "y": {
            "field": other,
            "type": "nominal",
            "scale": {"domain": order},
            "title": None,
            "axis": {"grid": False, "labelLimit": 230, "labelOverlap": False},
        },
    }
    colour = {"field": value, "type": "quantitative", "scale": {"range": "ramp"}, "legend": None}
    light = {"test": f"datum[{value!r}] > {dark!r}", "value": "#ffffff"}
    layers: list[Spec] = [
        {
            "mark": {"type": "rect", "stroke": "#ffffff", "strokeWidth": 2},
            "encoding": {
                **place,
                "color": colour,
                "tooltip": [
                    {"field": other},
                    {"field": one},
                    {"field": value, "title": value_title or value, "type": "quantitative", "format": ".2~f"},
                ],
            },
        },
        {
            "mark": {"type": "text", "fontSize": 11.5},
            "encoding": {
                **place,
                "text": {"field": value, "type": "quantitative", "format": ".1~f"},
                "color": {"condition": light, "value": "#17212a"},
            },
        },
    ]
    columns = [[other, "Attribute"], [one, "With"], [value, value_title or value]]
    spec = layered(rows, layers, columns)
    return {**spec, "height": (_LABEL - 4) * len(order)}


def _along(period: str) -> Spec:
    """The axis of periods: every row keeps its place, and words that would overlap are left out."""
    return {
        "field": period,
        "type": "ordinal",
        "sort": None,
        "title": None,
        "scale": {"type": "band", "paddingInner": 0, "paddingOuter": 0},
        "axis": {"grid": False, "labelAngle": 0, "labelOverlap": "greedy", "labelSeparation": 10},
    }


def volume(
    data: Rows,
    *,
    period: str,
    value: str,
    period_title: str = "",
    value_title: str = "",
    number_format: str = ",~r",
    height: int = 160,
) -> Spec:
    """Upright bars by period.

    Args:
        data: One row a period, in order.
        period: Field with its words.
        value: Field with the height.
        period_title: Words for the period.
        value_title: Words for the height.
        number_format: d3-format of the heights.
        height: Height in pixels.
    """
    bar = {
        "mark": {"type": "bar", "width": {"band": 0.8}},
        "encoding": {
            "x": _along(period),
            "y": amount(value, value_title, number_format),
            "tooltip": on_hover([(period, period_title), (value, value_title)], number_format),
        },
    }
    columns = [[period, period_title or period], [value, value_title or value]]
    return layered(data, [bar], columns, height=height)
