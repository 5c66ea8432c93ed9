"""An event study as a report: question, estimand, design, result, and what would change our mind."""

from collections.abc import Sequence

import pandas as pd

from hrtech.causal.events.drawing import (
    estimates_chart,
    gap_chart,
    path_chart,
    raw_chart,
    times_chart,
    weights_chart,
)
from hrtech.causal.events.telling import plain, slug
from hrtech.facts import Fact, FactList, Heading, Report, Text
from hrtech.facts.frames import frame_table, rows

#: Tables that the restricted report shows.
SHOWN = (
    "effect", "estimates", "event_time", "group_time", "series", "raw", "weights", "unit_effects", "placebos",
    "checks", "leave_one_out", "honest", "rows",
)  # fmt: skip

_MOST_ROWS = 40
_MOST_COHORTS = 3

DOUBT = (
    "A placebo in time moves the event to when nothing happened; a placebo in space gives it to units that never had "
    "it; leaving a donor out asks whether one unit decides; leads ask whether trends were parallel before. An effect "
    "that fails one is not settled. One that withstands all may still be wrong: something else may have come with the "
    "event, or the event may have reached the units compared with."
)


def event_report(
    study: str,
    title: str,
    facts: Sequence[Fact],
    *,
    hypothesis: str = "",
    **tables: pd.DataFrame,
) -> Report:
    """Tell an event study; with its tables it is a restricted report.

    Args:
        study: Name of the study.
        title: Title.
        facts: What may be told.
        hypothesis: The claim in words.
        tables: Tables of an `EventResult` by name, for casework.
    """
    told = {fact.fact_id: fact for fact in facts}
    outcomes = [fact.fact_id.split("/effect.")[1] for fact in facts if "/effect." in fact.fact_id]
    parts: list = []
    heads = {slug(str(row["outcome"])): row for row in rows(tables["effect"])} if "effect" in tables else {}
    for place, key in enumerate(outcomes):
        names = ("effect", "without_event", "p", "treated_units", "donors", "periods_before", "periods_after")
        listed = [f"{study}/{name}.{key}" for name in names]
        if len(outcomes) > 1:
            parts.append(Heading(f"Effect on {plain(key)}"))
        parts.append(FactList(tuple(name for name in listed if name in told)))
        if place == 0:
            if hypothesis:
                parts.append(Text(f"**Hypothesis:** {hypothesis}."))
            if f"{study}/true_effect" in told:
                parts.append(FactList((f"{study}/true_effect",)))
        head = heads.get(key)
        if head:
            parts.append(Text(str(head["estimand_text"])))
            parts.append(Text(f"**Verdict: {head['verdict']}.** {head['why']}"))
        parts += _charts(study, key, list(told.values()), head, tables)
        parts += _doubts(study, key, told)
    parts += _tables(study, tables)
    first = outcomes[0] if outcomes else ""
    bounded = bool(first) and told[f"{study}/effect.{first}"].low is not None
    summary = (
        f"{hypothesis or 'The event had an effect'}? The estimate is {{{{fact:{study}/effect.{first}}}}} on average"
        + (
            f", between {{{{fact:{study}/effect.{first}|low}}}} and {{{{fact:{study}/effect.{first}|high}}}}"
            if bounded
            else ""
        )
        + ", if nothing else came with the event."
        if first
        else "An event was studied; what it did may not be told."
    )
    return Report(study, title, summary, "restricted" if tables else "disclosure-control", tuple(parts))


def _charts(
    study: str, key: str, facts: list[Fact], head: dict | None, tables: dict[str, pd.DataFrame]
) -> list:
    parts: list = [Heading("Estimates side by side", 3)]
    compared = [fact for fact in facts if f"/estimate.{key}." in fact.fact_id]
    compared += [fact for fact in facts if fact.fact_id == f"{study}/true_effect"]
    parts.append(estimates_chart(compared))
    times = [fact for fact in facts if f"/event_time.{key}." in fact.fact_id]
    if times:
        parts.append(times_chart(times))
    if head:
        mine = {
            name: table.loc[table["outcome"] == head["outcome"]]
            for name, table in tables.items()
            if len(table)
        }
        if "raw" in mine:
            parts.append(raw_chart(study, mine["raw"], mine.get("series")))
        if "series" in mine:
            for cohort in _largest(mine):
                one = mine["series"].loc[mine["series"]["cohort"] == cohort]
                parts += [path_chart(study, one), gap_chart(study, one)]
        if "weights" in mine:
            parts += weights_chart(study, mine["weights"])
    return parts


def _largest(mine: dict[str, pd.DataFrame]) -> list[str]:
    """Cohorts with the most units, in their order; a chart of each of many would drown the reader."""
    cohorts = list(dict.fromkeys(mine["series"]["cohort"]))
    if len(cohorts) <= _MOST_COHORTS or "unit_effects" not in mine:
        return cohorts[:_MOST_COHORTS]
    sizes = mine["unit_effects"]["adopted"].value_counts()
    chosen = sorted(cohorts, key=lambda cohort: -int(sizes.get(cohort, 0)))[:_MOST_COHORTS]
    return [cohort for cohort in cohorts if cohort in chosen]


def _doubts(study: str, key: str, told: dict[str, Fact]) -> list:
    listed = [f"{study}/checks_made.{key}", f"{study}/checks_withstood.{key}"]
    listed += [name for name in told if name.startswith(f"{study}/honest.{key}.")]
    there = tuple(name for name in listed if name in told)
    return [Heading("What would change our mind", 3), Text(DOUBT), FactList(there)] if there else []


def _tables(study: str, tables: dict[str, pd.DataFrame]) -> list:
    named = (
        ("effect", "Answers"),
        ("estimates", "Every estimator"),
        ("checks", "Checks"),
        ("honest", "Intervals when trends may part"),
        ("unit_effects", "Each unit that came under the event"),
        ("leave_one_out", "Without each donor"),
        ("weights", "Weights"),
        ("placebos", "Stand-ins: units without the event"),
        ("event_time", "By periods since the event"),
        ("group_time", "By cohort and period"),
        ("rows", "Units left out and cells filled in"),
    )
    return [
        frame_table(
            words,
            _short(name, tables[name]).head(_MOST_ROWS),
            source_assets=(f"{study}/{name}",),
            description=f"The first {_MOST_ROWS} of {len(tables[name])} rows."
            if len(tables[name]) > _MOST_ROWS
            else "",
        )
        for name, words in named
        if name in tables and len(tables[name])
    ]


def _short(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """The columns that a reader compares; a text for each row would drown them."""
    if name == "effect":
        return table.drop(columns=["estimand_text", "why"])
    return table.drop(columns=["outcome"]) if table["outcome"].nunique() == 1 else table
