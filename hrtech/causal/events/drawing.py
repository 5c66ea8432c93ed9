"""The charts of an event study, through the kit of `hrtech.pages`."""

from collections.abc import Sequence

import pandas as pd

from hrtech.causal import telling
from hrtech.causal.events.telling import name_of
from hrtech.facts import Chart, Fact
from hrtech.facts.frames import rows
from hrtech.pages import charts, event_charts

_MOST_BARS = 30


def estimates_chart(facts: Sequence[Fact]) -> Chart:
    """Every estimator's effect with its interval."""
    return telling.estimates_chart(facts, _by)


def _by(fact: Fact) -> str:
    last = fact.fact_id.rsplit(".", 1)[-1]
    return "true effect" if fact.fact_id.endswith("/true_effect") else name_of(last)


def times_chart(facts: Sequence[Fact]) -> Chart:
    """The headline estimator's effect by periods since the event."""
    data = sorted(
        (
            {
                "periods": _since(fact),
                "effect": fact.value,
                "low": fact.value if fact.low is None else fact.low,
                "high": fact.value if fact.high is None else fact.high,
            }
            for fact in facts
        ),
        key=lambda row: row["periods"],
    )
    return Chart(
        "Effect by periods since the event",
        event_charts.coefficients(
            data,
            time="periods",
            estimate="effect",
            low="low",
            high="high",
            time_title="periods since the event",
            estimate_title="difference from what is expected without it",
        ),
        f"From {data[0]['periods']} to {data[-1]['periods']} periods since the event. Before it, points should lie "
        "around 0.",
        fact_ids=tuple(fact.fact_id for fact in facts),
    )


def _since(fact: Fact) -> int:
    last = fact.fact_id.rsplit(".", 1)[-1]
    return -int(last.removeprefix("before_")) if last.startswith("before_") else int(last)


def raw_chart(study: str, raw: pd.DataFrame, series: pd.DataFrame | None) -> Chart:
    """Outcomes as they are: each treated unit (or cohort's mean) and the mean of the others."""
    data = rows(raw[["series", "period", "value"]])
    starts = sorted(set(series["cohort"])) if series is not None else []
    return Chart(
        "The outcome as it was recorded",
        _lines(data, starts[0] if len(starts) == 1 else None, "value", "outcome"),
        f"{raw['series'].nunique()} lines: {', '.join(dict.fromkeys(raw['series'].astype(str)))}.",
        source_assets=(f"{study}/raw",),
    )


def path_chart(study: str, series: pd.DataFrame) -> Chart:
    """Treated mean against its counterfactual."""
    cohort, method = str(series["cohort"].iloc[0]), str(series["estimator"].iloc[0])
    both = [
        {"series": words, "period": row["period"], "value": row[column]}
        for column, words in (("treated", "with the event"), ("without_event", "expected without it"))
        for row in rows(series)
    ]
    return Chart(
        f"With the event of {cohort}, and expected without it",
        _lines(both, cohort, "value", "outcome"),
        f"Mean of the treated units and what {name_of(method)} expects without the event.",
        source_assets=(f"{study}/series",),
    )


def gap_chart(study: str, series: pd.DataFrame) -> Chart:
    """Difference between the two, with the band in which placebos lie."""
    cohort = str(series["cohort"].iloc[0])
    data = [
        {"series": "gap", **row} for row in rows(series[["period", "gap", "placebo_low", "placebo_high"]])
    ]
    banded = all(row["placebo_low"] is not None for row in data)
    after = series.loc[series["event_time"] >= 0, "gap"].mean()
    return Chart(
        f"Gap from {cohort}, with the band of placebos",
        _lines(data, cohort, "gap", "difference", band=banded),
        f"The mean gap after the event is {after:.3f}. The band holds the middle of the gaps of units without it.",
        source_assets=(f"{study}/series",),
    )


def weights_chart(study: str, weights: pd.DataFrame) -> list[Chart]:
    """Weights of donors (the heaviest) and of periods, means over cohorts."""
    found = []
    cohorts = weights["cohort"].nunique()
    for kind, words in (("donor", "Donors"), ("period", "Periods before the event")):
        mine = weights.loc[weights["kind"] == kind]
        if not len(mine):
            continue
        mean = mine.groupby("name", sort=False)["weight"].sum() / cohorts
        order = mean.sort_values(ascending=False, kind="stable") if kind == "donor" else mean.sort_index()
        data = [{"name": str(name), "weight": float(value)} for name, value in order.items()][:_MOST_BARS]
        rest = f"; {len(mean) - _MOST_BARS} lighter ones are in the table" if len(mean) > _MOST_BARS else ""
        found.append(
            Chart(
                f"{words} and their weights",
                charts.bars(data, category="name", value="weight", category_title=kind, value_title="weight"),
                f"Weights sum to 1; the heaviest is {mean.idxmax()} with {mean.max():.3f}{rest}.",
                source_assets=(f"{study}/weights",),
            )
        )
    return found


def _lines(data: list[dict], event: str | None, value: str, title: str, *, band: bool = False) -> dict:
    """Lines over time: dates on a time axis, years and other numbers on a plain one."""
    periods = [str(row["period"]) for row in data]
    low, high = ("placebo_low", "placebo_high") if band else (None, None)
    if "-" in periods[0][1:]:
        return charts.timeline(
            data,
            time="period",
            value=value,
            low=low,
            high=high,
            series="series",
            event=event,
            event_label="event",
            time_title="period",
            value_title=title,
            zero=False,
        )
    numbers = [{**row, "period": int(row["period"])} for row in data]
    return event_charts.numbered(
        numbers,
        time="period",
        value=value,
        series="series",
        low=low,
        high=high,
        event=float(event) if event else None,
        time_title="period",
        value_title=title,
    )
