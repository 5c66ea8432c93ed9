"""Charts of groups compared: one line a group over windows, with the interval of each point.

Windows are words in their order (`2023-H1`), evenly spaced. Figures of one window are `hrtech.pages.charts.forest`.
"""

from hrtech.pages.chart_pieces import Rows, Spec, amount, layered, on_hover, rows_of


def windows(
    data: Rows,
    *,
    window: str,
    value: str,
    low: str,
    high: str,
    group: str,
    window_title: str = "",
    value_title: str = "",
    group_title: str = "",
    number_format: str = ",~r",
    height: int = 320,
) -> Spec:
    """A figure of some groups over windows.

    Args:
        data: One row a window and group, windows in order.
        window: Field with the words of the window.
        value: Field with the figure.
        low: Field with the lower end of its interval.
        high: Field with the upper end.
        group: Field that tells the groups apart.
        window_title: Words for the window.
        value_title: Words for the figure.
        group_title: Words for the groups.
        number_format: d3-format of the figures.
        height: Height in pixels.
    """
    rows = rows_of(data)
    order = list(dict.fromkeys(row[window] for row in rows))
    x = {
        "field": window,
        "type": "ordinal",
        "sort": order,
        "title": None,
        "scale": {"type": "band", "paddingInner": 0.5, "paddingOuter": 0.25},
        "axis": {"labelAngle": 0 if len(order) <= 12 else -90, "labelOverlap": True},
    }
    groups = list(dict.fromkeys(row[group] for row in rows))
    legend = {"symbolType": "stroke", "symbolStrokeWidth": 3, "symbolOpacity": 1, "columns": 3, "offset": 30}
    colour = {"color": {"field": group, "type": "nominal", "sort": groups, "legend": legend}}
    beside = {"xOffset": {"field": group, "type": "nominal", "sort": groups}}
    tooltip = [
        {"field": window, "title": window_title or window},
        *on_hover([(group, group_title), (value, value_title)], number_format, low, high),
    ]
    ends = {"y": amount(low, value_title, number_format, zero=False), "y2": {"field": high}}
    y = amount(value, value_title, number_format, zero=False)
    layers: list[Spec] = [
        {
            "mark": {"type": "rule", "strokeWidth": 1.5, "opacity": 0.6},
            "encoding": {"x": x, **beside, **ends, **colour},
        },
        {
            "mark": {"type": "line", "strokeWidth": 1.5, "point": {"filled": True, "size": 34}},
            "encoding": {"x": x, **beside, "y": y, "tooltip": tooltip, **colour},
        },
    ]
    columns = [
        [group, group_title or group],
        [window, window_title or window],
        [value, value_title or value],
        [low, "From"],
        [high, "To"],
    ]
    return layered(rows, layers, columns, height=height)
