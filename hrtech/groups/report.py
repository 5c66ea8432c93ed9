"""A comparison as a report: figures with intervals, places, who differs, changes over time, and what they rest on."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from hrtech.facts import Chart, Fact, FactList, Heading, Report, Text
from hrtech.facts.frames import rows
from hrtech.groups.question import ALL, GroupQuestion, Measure
from hrtech.groups.reading import natural, uneven
from hrtech.groups.report_tables import table_parts
from hrtech.groups.telling import called, plain, unit_of
from hrtech.pages import charts, group_charts

#: Tables that the restricted report shows.
SHOWN = ("estimates", "against_others", "pairs", "changes", "ranks", "left_out", "standard")
_MOST_BARS = 40
_MOST_LINES = 6

READING = (
    "All others are everybody outside the group, never everybody with the group among them. In the strict tier the "
    "chance that anything stands there wrongly is held down over everything that the study tests; in the exploratory "
    "tier a share of what stands there is expected to be false. A difference between groups is no effect: they differ "
    "in more than what they are named by."
)
PROTECTED = (
    "Small counts are withheld, and others with them, so that nobody can work them out from what is published here, "
    "not even from all of it together. Groups of which nothing may be told are not named."
)
UNEVEN = (
    "The periods differ in length, and these figures do not take that into account: they are not compared from one "
    "period to the next."
)


def group_report(
    study: str,
    title: str,
    facts: Sequence[Fact],
    *,
    question: GroupQuestion,
    before: str = "",
    **tables: pd.DataFrame,
) -> Report:
    """Tell a comparison; restricted, or with `before` of tables that were released.

    Args:
        study: Name of the study.
        title: Title.
        facts: What may be told.
        question: What was asked.
        before: What stands before the nouns of the tables in their asset keys; empty where they are restricted.
        tables: Tables by noun.
    """
    told = {fact.fact_id: fact for fact in facts}
    names = ("groups", "differences_tested", "differences_strict", "differences_exploratory", "changes_tested",
             "changes_strict", "changes_exploratory", "truth_compared", "truth_covered", "truth_gap")  # fmt: skip
    listed = tuple(f"{study}/{name}" for name in names if f"{study}/{name}" in told)
    parts: list = [FactList(listed)] if listed else []
    parts.append(Text(READING if not before else f"{READING} {PROTECTED}"))
    for measure in question.measures:
        parts += _measure(study, question, measure, told, tables, before)
    found = [name for name in told if name.split("/", 1)[1].startswith(("differs.", "changed."))]
    if found:
        parts += [Heading("What stands in the strict tier"), FactList(tuple(found))]
    if "against_truth" in tables and len(tables["against_truth"]):
        parts += _truth(study, question, tables["against_truth"], before)
    parts += table_parts(study, tables, before)
    return Report(
        study, title, _summary(study, told), "disclosure-control" if before else "restricted", tuple(parts)
    )


def _summary(study: str, told: Mapping[str, Fact]) -> str:
    if f"{study}/groups" not in told or not told[f"{study}/groups"].value:
        return "Groups were compared; nothing of it may be told."
    text = f"{{{{fact:{study}/groups}}}} groups are compared"
    if f"{study}/differences_strict" in told:
        text += (
            f"; {{{{fact:{study}/differences_strict}}}} of {{{{fact:{study}/differences_tested}}}} comparisons with "
            "all others are beyond chance"
        )
    if f"{study}/changes_strict" in told:
        text += (
            f", and {{{{fact:{study}/changes_strict}}}} of {{{{fact:{study}/changes_tested}}}} changes from window to "
            "window"
        )
    return text + "."


def _measure(
    study: str,
    question: GroupQuestion,
    measure: Measure,
    told: Mapping[str, Fact],
    tables: Mapping[str, pd.DataFrame],
    before: str,
) -> list:
    parts: list = []
    for standardised in (True, False):
        mine = _of(tables["estimates"], measure, standardised)
        whole = mine.loc[mine["window"] == ALL]
        if not len(whole):
            continue
        if not parts:
            parts.append(Heading(_capital(measure.plain)))
        parts.append(_figures(study, measure, standardised, whole, told, before))
        ranked = _of(tables["ranks"], measure, standardised)
        ranked = ranked.loc[ranked["window"] == ALL]
        if len(ranked) > 1:
            parts.append(_places(study, measure, standardised, ranked, told, before))
        if mine["window"].nunique() > 2:
            windows = [w for w in dict.fromkeys(tables["estimates"]["window"]) if w != ALL]
            parts.append(
                _windows(study, measure, standardised, mine.loc[mine["window"] != ALL], windows, before)
            )
            if "changes" in question.compare and uneven(windows) and _grows_with_length(measure, mine):
                parts.append(Text(UNEVEN))
    return parts


def _grows_with_length(measure: Measure, figures: pd.DataFrame) -> bool:
    """Whether figures are larger where a window is longer: numbers, and rates by the same people in every window."""
    if not measure.denominator:
        return measure.kind == "count"
    by_window = figures.loc[figures["window"] != ALL].groupby("group")["divided_by"]
    return bool((by_window.nunique() <= 1).all())


def _of(table: pd.DataFrame, measure: Measure, standardised: bool) -> pd.DataFrame:
    mine = (table["measure"] == measure.name) & (table["standardised"].astype(bool) == standardised)
    return table.loc[mine & table["estimate"].notna()]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _axis(measure: Measure) -> tuple[str, str]:
    """Words and format of an axis."""
    if measure.kind == "share":
        return measure.plain, ".1~%"
    return (f"{measure.plain}, {unit_of(measure)}" if measure.kind == "rate" else measure.plain), ",~r"


def _chosen(table: pd.DataFrame, by: str) -> tuple[pd.DataFrame, str]:
    """The rows that a chart has room for, in order, and a word on the rest."""
    order = table.sort_values(by, ascending=False, kind="stable")
    if len(order) <= _MOST_BARS:
        return order, ""
    half = _MOST_BARS // 2
    return pd.concat(
        [order.head(half), order.tail(half)]
    ), f" The {half} highest and lowest of {len(order)} are shown."


def _ids(
    told: Mapping[str, Fact], study: str, kind: str, measure: Measure, standardised: bool
) -> tuple[str, ...]:
    start = f"{study}/{kind}.{measure.name}."
    found = [
        name
        for name in told
        if name.startswith(start) and name.removeprefix(start).startswith("standardised.") == standardised
    ]
    sign = 1 if kind == "rank" else -1
    return tuple(sorted(found, key=lambda name: sign * float(told[name].value)))


def _extremes(data: Sequence[Mapping[str, Any]], before: str) -> str:
    """Which group has the most and which the least."""
    first, last = data[0], data[-1]
    if len(data) == 1:
        return f"It is known of {first['group']} alone{', or withheld of the others' if before else ''}."
    if first["value"] == last["value"]:
        return "The same in all."
    return f"Highest in {first['group']}, lowest in {last['group']}."


def _figures(
    study: str,
    measure: Measure,
    standardised: bool,
    table: pd.DataFrame,
    told: Mapping[str, Fact],
    before: str,
) -> Chart:
    chosen, more = _chosen(table, "estimate")
    words, form = _axis(measure)
    data = [{"group": plain(row["group"]), **_interval(row)} for row in rows(chosen)]
    return Chart(
        f"{_capital(called(measure, standardised))}, by group",
        charts.forest(
            data, label="group", estimate="value", low="low", high="high", reference=None, label_title="group",
            estimate_title=words, number_format=form,
        ),
        f"{_extremes(data, before)}{more}",
        fact_ids=_ids(told, study, "estimate", measure, standardised),
        source_assets=(f"{study}/{before}estimates",),
    )  # fmt: skip


def _places(
    study: str,
    measure: Measure,
    standardised: bool,
    table: pd.DataFrame,
    told: Mapping[str, Fact],
    before: str,
) -> Chart:
    chosen, more = _chosen(table, "estimate")
    data = [
        {"group": plain(row["group"]), "place": row["rank"], "low": row["rank_low"], "high": row["rank_high"]}
        for row in rows(chosen)
    ]
    fixed = sum(row["low"] == row["high"] for row in data)
    return Chart(
        f"Places by {called(measure, standardised)}",
        charts.forest(
            data, label="group", estimate="place", low="low", high="high", reference=None, label_title="group",
            estimate_title="place, the highest figure first", number_format="d",
        ),
        f"Places that each group may have; all hold together. {fixed} of {len(data)} places are certain.{more}",
        fact_ids=_ids(told, study, "rank", measure, standardised),
        source_assets=(f"{study}/{before}ranks",),
    )  # fmt: skip


def _windows(
    study: str, measure: Measure, standardised: bool, table: pd.DataFrame, windows: list[str], before: str
) -> Chart:
    sizes = (
        table["records"]
        .fillna(table["held"])
        .groupby(table["group"], sort=False)
        .sum()
        .sort_values(ascending=False, kind="stable")
    )
    shown = list(sizes.index[:_MOST_LINES])
    words, form = _axis(measure)
    there = {(row["group"], row["window"]): row for row in rows(table)}
    # a window without a figure is a gap, and no line goes through it
    data = [
        {"group": plain(group), "window": window, **_interval(there.get((group, window)))}
        for window in sorted(windows, key=natural)
        for group in shown
    ]
    more = f" The {len(shown)} largest of {len(sizes)} groups are shown." if len(sizes) > len(shown) else ""
    if any(row["value"] is None for row in data):
        more += f" Gaps are {'withheld or ' if before else ''}not known."
    return Chart(
        f"{_capital(called(measure, standardised))}, over time",
        group_charts.windows(
            data, window="window", value="value", low="low", high="high", group="group", window_title="window",
            value_title=words, number_format=form,
        ),
        f"{len(shown)} groups over {len(windows)} windows, with intervals.{more}",
        source_assets=(f"{study}/{before}estimates",),
    )  # fmt: skip


def _interval(row: Mapping[str, Any] | None) -> dict[str, Any]:
    """A figure with its interval as a chart takes it; blank where there is none."""
    if row is None:
        return {"value": None, "low": None, "high": None}
    value = row["estimate"]
    return {
        "value": value,
        "low": value if row["low"] is None else row["low"],
        "high": value if row["high"] is None else row["high"],
    }


def _truth(study: str, question: GroupQuestion, table: pd.DataFrame, before: str) -> list:
    parts: list = [Heading("Beside the simulated world's truth")]
    for measure in question.measures:
        mine = table.loc[table["measure"] == measure.name].sort_values(
            "truth", ascending=False, kind="stable"
        )
        if len(mine):
            data = [
                {"group": plain(row["group"]), "estimate": row["estimate"], "truth": row["truth"]}
                for row in rows(mine.head(_MOST_BARS))
            ]
            parts.append(
                Chart(
                    f"{_capital(measure.plain)}: estimate and truth",
                    charts.dots_compared(
                        data, category="group", released="estimate", truth="truth", released_title="estimate",
                        truth_title="truth", category_title="group", value_title=measure.plain, number_format=".1~%",
                    ),
                    f"{int(mine['covered'].sum())} of {len(mine)} true shares lie in their interval.",
                    source_assets=(f"{study}/{before}against_truth",),
                )
            )  # fmt: skip
    return parts
