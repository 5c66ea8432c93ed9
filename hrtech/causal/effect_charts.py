"""Charts of an effect study: the curve, balance, overlap, refutations, and what a hidden confounder would do."""

import numpy as np
import pandas as pd

from hrtech.causal.acceptance import REJECTED
from hrtech.causal.contribution import comparable
from hrtech.causal.specifications import DECISIONS
from hrtech.facts import Chart
from hrtech.facts.frames import rows
from hrtech.pages import charts
from hrtech.pages.chart_pieces import layered, line_at
from hrtech.pages.theme import BLUE, INK, ORANGE


def curve_chart(study: str, curve: pd.DataFrame, acceptance: pd.DataFrame) -> Chart:
    """Draw the curve above the decisions; rejected specifications are marked."""
    status = acceptance.set_index("specification")["status"]
    shown = comparable(curve[curve["status"] == "estimated"]).copy()
    unit = "standard deviations" if curve["outcome"].nunique() > 1 else "difference in the outcome"
    shown["counts"] = np.where(shown["specification"].map(status) == REJECTED, "rejected", "accepted")
    varied = [name for name in DECISIONS if shown[name].nunique() > 1] or ["estimator"]
    data = shown[["specification", "estimate", "low", "high", "counts", *varied]].rename(
        columns={"specification": "id"}
    )
    for name in varied:
        data[name] = data[name].str.replace("_", " ")
    median = float(shown["estimate"].median())
    return Chart(
        "The specification curve",
        charts.specification_curve(
            data,
            estimate="estimate",
            low="low",
            high="high",
            choices=varied,
            estimate_title=unit,
            number_format=".3~r",
            status="counts",
        ),
        f"{len(shown)} specifications by estimate, from {shown['estimate'].min():.3g} to "
        f"{shown['estimate'].max():.3g}, median {median:.3g} ({unit}); below, the choices that made each. The line "
        "marks no effect. Point at a specification to see it in both parts.",
        source_assets=(f"{study}/specification_curve",),
    )


def balance_chart(study: str, balance: pd.DataFrame) -> Chart:
    """Draw standardised differences before and after weighting (a love plot)."""
    data = [
        {
            "variable": str(row["variable"]).replace("_", " "),
            "before": abs(row["smd_before"]),
            "after": abs(row["smd_after"]),
        }
        for row in sorted(rows(balance), key=lambda row: -abs(row["smd_before"]))
    ]
    worst = max((row["after"] for row in data), default=0.0)
    return Chart(
        "Balance before and after weighting",
        charts.dots_compared(
            data,
            category="variable",
            released="after",
            truth="before",
            released_title="after weighting",
            truth_title="before",
            value_title="absolute standardised difference",
            number_format=".2~r",
        ),
        f"How far exposed and unexposed differ in each adjuster, in standard deviations. The largest difference after "
        f"weighting is {worst:.2g}; below .1 is usually taken as balanced.",
        source_assets=(f"{study}/balance",),
    )


def overlap_chart(study: str, propensities: pd.DataFrame) -> Chart:
    """Draw how many exposed and unexposed there are at each propensity."""
    data = [
        {
            "from": row["low"],
            "to": row["high"],
            "people": sign * row[arm],
            "number": row[arm],
            "group": arm,
        }
        for row in rows(propensities)
        for arm, sign in (("exposed", 1), ("unexposed", -1))
    ]
    x = {
        "field": "from",
        "type": "quantitative",
        "title": "propensity",
        "bin": {"binned": True, "step": 0.05},
    }
    bar = {
        "mark": {"type": "bar"},
        "encoding": {
            "x": {
                **x,
                "scale": {"domain": [0, 1]},
                "axis": {"values": [0, 0.25, 0.5, 0.75, 1], "format": ".2f"},
            },
            "x2": {"field": "to"},
            "y": {
                "field": "people",
                "type": "quantitative",
                "title": None,
                "axis": {"labelExpr": "abs(datum.value)"},
            },
            "color": {
                "field": "group",
                "type": "nominal",
                "title": None,
                "legend": {"offset": 12},
                "scale": {"domain": ["exposed", "unexposed"], "range": [ORANGE, BLUE]},
            },
            "tooltip": [
                {"field": "group", "title": "group"},
                {"field": "from", "title": "from", "type": "quantitative"},
                {"field": "to", "title": "to", "type": "quantitative"},
                {"field": "number", "title": "rows", "type": "quantitative"},
            ],
        },
    }
    columns = [["group", "Group"], ["from", "From"], ["to", "To"], ["number", "Rows"]]
    both = propensities[(propensities["exposed"] > 0) & (propensities["unexposed"] > 0)]
    outside = float((propensities["exposed"] + propensities["unexposed"]).sum())
    inside = float((both["exposed"] + both["unexposed"]).sum())
    return Chart(
        "Overlap of propensities",
        layered(data, [bar], columns, height=260),
        "Rows by their estimated chance of exposure, exposed above and unexposed below. "
        f"{inside:,.0f} of {outside:,.0f} rows lie where "
        "both are found.",
        source_assets=(f"{study}/propensities",),
    )


def refutation_chart(study: str, refutations: pd.DataFrame) -> Chart:
    """Draw how many specifications withstood each refutation."""
    order = ("withstood", "fragile", "not judged", "failed")
    data = [
        {
            "refutation": str(name).replace("_", " "),
            "verdict": verdict,
            "specifications": int(count),
            "place": place,
        }
        for name, part in refutations.groupby("refutation", sort=False)["verdict"]
        for place, verdict in enumerate(order)
        if (count := (part == verdict).sum())
    ]
    y = {"field": "refutation", "type": "nominal", "sort": None, "title": None}
    bar = {
        "mark": {"type": "bar", "height": {"band": 0.62}},
        "encoding": {
            "y": y,
            "x": {
                "field": "specifications",
                "type": "quantitative",
                "title": "specifications",
                "stack": "zero",
            },
            "order": {"field": "place", "type": "quantitative"},
            "color": {
                "field": "verdict",
                "type": "nominal",
                "title": None,
                "scale": {"domain": list(order), "range": [BLUE, ORANGE, "#b8c0c8", INK]},
            },
            "tooltip": [
                {"field": "refutation", "title": "refutation"},
                {"field": "verdict", "title": "verdict"},
                {"field": "specifications", "title": "specifications", "type": "quantitative"},
            ],
        },
    }
    failed = int((refutations["verdict"] == "failed").sum())
    columns = [["refutation", "Refutation"], ["verdict", "Verdict"], ["specifications", "Specifications"]]
    return Chart(
        "Refutations of all specifications",
        layered(data, [bar], columns, step=(30, "refutation")),
        f"{len(refutations):,} attempts on {refutations['specification'].nunique()} specifications; {failed} "
        "succeeded.",
        source_assets=(f"{study}/curve_refutations",),
    )


def sensitivity_chart(study: str, contour: pd.DataFrame, benchmarks: pd.DataFrame) -> Chart:
    """Draw the estimate that would be left beside a confounder of each strength, with observed ones as a measure."""
    seen = benchmarks[benchmarks["estimate"].notna()]
    reach = float(seen[["r2_exposure", "r2_outcome"]].to_numpy().max()) if len(seen) else 0.0
    most = min(0.4, max(0.1, 1.25 * reach))
    grid = contour[(contour["r2_exposure"] <= most + 1e-9) & (contour["r2_outcome"] <= most + 1e-9)]
    step = float(np.diff(np.sort(grid["r2_exposure"].unique()))[0])
    cells = [
        {
            "exposure": row["r2_exposure"],
            "exposure_to": row["r2_exposure"] + step,
            "outcome": row["r2_outcome"],
            "outcome_to": row["r2_outcome"] + step,
            "left": row["estimate"],
        }
        for row in rows(grid)
    ]
    start = float(contour["estimate"].iloc[0])
    reach_colour = max(abs(start), float(np.abs(grid["estimate"]).max()))
    axis = {"format": ".0%"}
    rectangle = {
        "mark": {"type": "rect"},
        "encoding": {
            "x": {
                "field": "exposure",
                "type": "quantitative",
                "title": "share of the rest of the exposure that it explains; upwards, of the outcome (partial R²)",
                "axis": axis,
                "scale": {"domain": [0, most], "nice": False},
            },
            "x2": {"field": "exposure_to"},
            "y": {
                "field": "outcome",
                "type": "quantitative",
                "title": None,
                "axis": axis,
                "scale": {"domain": [0, most], "nice": False},
            },
            "y2": {"field": "outcome_to"},
            "color": {
                "field": "left",
                "type": "quantitative",
                "title": "effect left",
                "legend": {"offset": 14},
                "scale": {
                    "domain": [-reach_colour, 0, reach_colour],
                    "range": [ORANGE, "#ffffff", BLUE],
                    "type": "linear",
                },
            },
            "tooltip": [
                {"field": "exposure", "title": "of the exposure", "type": "quantitative", "format": ".1%"},
                {"field": "outcome", "title": "of the outcome", "type": "quantitative", "format": ".1%"},
                {"field": "left", "title": "effect left", "type": "quantitative", "format": ".3~r"},
            ],
        },
    }
    marks = [
        {
            "words": f"{row['times']:g} × {str(row['adjuster']).replace('_', ' ')}",
            "exposure": row["r2_exposure"],
            "outcome": row["r2_outcome"],
            "left": row["estimate"],
        }
        for row in rows(seen[(seen["r2_exposure"] <= most) & (seen["r2_outcome"] <= most)])
    ]
    layers = [rectangle]
    if marks:
        at = {
            "x": {"field": "exposure", "type": "quantitative"},
            "y": {"field": "outcome", "type": "quantitative"},
        }
        told = [
            {"field": "words", "title": "as strong as"},
            {"field": "left", "type": "quantitative", "format": ".3~r"},
        ]
        layers.append(
            {
                "data": {"values": marks},
                "mark": {"type": "point", "color": INK, "filled": True, "size": 45},
                "encoding": {**at, "tooltip": told},
            }
        )
        strongest = sorted(marks, key=lambda mark: -(mark["exposure"] + mark["outcome"]))[:6]
        layers.append(
            {
                "data": {"values": strongest},
                "mark": {"type": "text", "align": "left", "dx": 6, "color": INK, "fontSize": 11},
                "encoding": {**at, "text": {"field": "words"}},
            }
        )
    columns = [["exposure", "Of the exposure"], ["outcome", "Of the outcome"], ["left", "Effect left"]]
    return Chart(
        "What a hidden confounder would leave",
        layered(cells, layers, columns, height=360),
        f"The effect is {start:.3g} if nothing is hidden. Colour shows what a confounder of each strength would leave, "
        "white none. Points stand for confounders as strong as observed ones, once, twice and three times.",
        source_assets=(f"{study}/sensitivity_contour", f"{study}/benchmarks"),
    )


def joint_chart(study: str, permuted: pd.DataFrame) -> Chart | None:
    """Draw where the curve's median lies among those of permuted exposures."""
    medians = permuted.groupby("permutation")["estimate"].median()
    if len(medians) < 2:
        return None
    found, null = float(medians.loc[0]), medians.drop(0).to_numpy()
    edges = np.histogram_bin_edges(np.append(null, found), 30)
    counts = np.histogram(null, edges)[0]
    data = [
        {"from": float(low), "to": float(high), "permutations": int(count)}
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    bar = {
        "mark": {"type": "bar", "color": "#b8c0c8"},
        "encoding": {
            "x": {
                "field": "from",
                "type": "quantitative",
                "title": "median of the curve, in standard deviations",
                "bin": {"binned": True},
                "scale": {"zero": False},
            },
            "x2": {"field": "to"},
            "y": {"field": "permutations", "type": "quantitative", "title": "permutations"},
            "tooltip": [
                {"field": "from", "type": "quantitative", "format": ".3~r"},
                {"field": "to", "type": "quantitative", "format": ".3~r"},
                {"field": "permutations", "type": "quantitative"},
            ],
        },
    }
    here = line_at("x", found)
    here["mark"] = {"type": "rule", "color": ORANGE, "strokeWidth": 3}
    columns = [["from", "From"], ["to", "To"], ["permutations", "Permutations"]]
    beyond = int((null >= found).sum())
    return Chart(
        "The curve against curves without effect",
        layered(data, [bar, here], columns, height=200),
        f"Medians of {len(null)} curves with the exposure dealt out again among alike rows; the data's is "
        f"{found:.3g} (orange), and {beyond} lie at or above it.",
        source_assets=(f"{study}/permuted_effects",),
    )
