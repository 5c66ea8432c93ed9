"""The look of charts: colours that colour-blind readers can tell apart, system fonts, quiet axes.

The colours of marks are those of Okabe and Ito (Color Universal Design, 2008). Every colour here is also a key in
`static/site.css`, which turns it into its counterpart where the reader prefers a dark page.
"""

from typing import Any, Final

INK: Final = "#1f2a33"
MUTED: Final = "#55616b"
RULE: Final = "#9aa5ad"
GRID: Final = "#e6eaed"
BLUE: Final = "#0072b2"
ORANGE: Final = "#d55e00"
GREEN: Final = "#007a5a"
PURPLE: Final = "#8a4f8f"
SAND: Final = "#8c6d1f"
SERIES: Final = (BLUE, ORANGE, GREEN, PURPLE, SAND, MUTED)
#: For charts of many lines, so that none of eight looks like another.
MANY: Final = (*SERIES, "#c2185b", INK)
#: Light to dark, one hue, for amounts.
RAMP: Final = ("#eef5fa", "#b7d5e8", "#6aaad1", "#2380b7", "#044e80")

#: `system-ui` comes last: on Linux it is often a wide face that no text was measured for.
FONT: Final = (
    "-apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', 'Liberation Sans', Arial, sans-serif"
)
#: Width of a chart as it is drawn on paper, in CSS pixels.
WIDTH: Final = 800


def vega_config() -> dict[str, Any]:
    """The Vega-Lite `config` of every chart."""
    axis = {
        "domain": False,
        "ticks": False,
        "gridColor": GRID,
        "gridWidth": 1,
        "labelColor": MUTED,
        "labelFontSize": 12.5,
        "labelPadding": 8,
        "labelLimit": 230,
        "titleColor": MUTED,
        "titleFontSize": 12.5,
        "titleFontWeight": "normal",
        "titlePadding": 12,
    }
    return {
        "background": None,
        "font": FONT,
        "padding": 2,
        "view": {"stroke": None},
        "axis": axis,
        "axisY": {"titleAlign": "left", "titleAngle": 0, "titleAnchor": "start", "titleY": -14, "titleX": 0},
        "axisXQuantitative": {"tickCount": 6},
        "axisBand": {"grid": False, "labelColor": INK, "labelFontSize": 13},
        "legend": {
            "orient": "top",
            "title": None,
            "labelColor": INK,
            "labelFontSize": 12.5,
            "symbolSize": 90,
            "padding": 0,
            "offset": 14,
        },
        "bar": {"color": BLUE},
        "line": {"color": BLUE, "strokeWidth": 2.25},
        "point": {"color": BLUE, "filled": True, "size": 80, "opacity": 1},
        "rule": {"color": RULE},
        "text": {"color": INK, "fontSize": 12.5},
        "range": {"category": list(MANY), "ramp": list(RAMP), "heatmap": list(RAMP)},
        "header": {"labelColor": INK, "labelFontSize": 13, "title": None},
    }
