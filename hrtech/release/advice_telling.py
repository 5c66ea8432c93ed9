"""What an advice tells: facts, and parts of a report by which a committee can choose a budget before it is spent.

Nothing here stands on records. It is as public as the number of people that the advice was given.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hrtech.facts import Chart, DataTable, Fact, FactList, Heading, Part, Report, Text
from hrtech.facts.frames import frame_table, rows
from hrtech.pages import charts
from hrtech.pages.theme import SERIES
from hrtech.release.advice import Advice
from hrtech.release.public_evaluation import ALL, band_names

_UNCERTAINTY = "from the mildest to the hardest of the worlds that were invented"
_FEWEST_CELLS = 5
_WORDS = {
    "epsilon": "epsilon",
    "certainty": "certainty, %",
    "noise": "noise, people",
    "mean_error": "error, people",
    "told_share": "told, %",
    "usable_share": "to within half, %",
    "half_told": "even odds from",
    "reliably_told": "reliable from",
    "smallest_value_found": "value found from",
}
_COLUMN_WORDS = {
    "combinations_share": "of all, %",
    "noise_saved": "noise saved, %",
    "bands": "bands",
    "combinations_saved_by_bands": "fewer, %",
    "noise_saved_by_bands": "less noise, %",
}


def advice_facts(study: str, advice: Advice) -> list[Fact]:
    """State for every epsilon how far counts would be off, and from how many people on they are told.

    Args:
        study: Name of the study; first part of each fact id.
        advice: From `advise`.
    """
    summary = f"{study}/advice_summary"
    facts = [
        Fact(
            f"{study}/advice.people",
            "The advice is for {value} people.",
            advice.people,
            "people",
            source_asset=summary,
            row_key="people",
        ),
        Fact(
            f"{study}/advice.combinations",
            "{value} combinations of attributes are possible, and all of them would be measured.",
            int(advice.cells["combinations"].sum()),
            "count",
            source_asset=summary,
            row_key="combinations",
        ),
        Fact(
            f"{study}/advice.epsilon",
            "The study is set to epsilon {value}.",
            advice.settings.epsilon,
            source_asset=summary,
            row_key="epsilon",
        ),
    ]
    for row in rows(advice.summary):
        facts += _of_epsilon(study, advice, row)
    return facts


def _of_epsilon(study: str, advice: Advice, row: dict[str, Any]) -> Iterator[Fact]:
    epsilon = f"{row['epsilon']:g}"
    band = _band(advice)
    table = advice.table
    error = table.loc[
        (table["epsilon"] == row["epsilon"])
        & (table["length"] == table["length"].max())
        & (table["band"] == band)
    ]
    for one in rows(error):
        value = one["expected_absolute_error"]
        yield Fact(
            _id(study, "error", epsilon),
            f"With epsilon {epsilon} what is told of a combination that {band} people hold is off by {{value}} people "
            "on average.",
            value,
            "people",
            low=min(one["error_low"], value),
            high=max(one["error_high"], value),
            uncertainty=_UNCERTAINTY,
            source_asset=f"{study}/advice",
            row_key=f"epsilon {epsilon}",
        )
    told = {
        "reliably_told": ("told", "a combination is told reliably from {value} people on."),
        "smallest_value_found": ("value", "a value that is not declared is found from {value} people on."),
    }
    for name, (short, words) in told.items():
        if row[name] is not None:
            yield Fact(
                _id(study, short, epsilon),
                f"With epsilon {epsilon} {words}",
                math.ceil(row[name]),
                "people",
                source_asset=f"{study}/advice_summary",
                row_key=f"epsilon {epsilon}",
            )


def _id(study: str, short: str, epsilon: str) -> str:
    return f"{study}/advice.{short}.{epsilon.replace('+', '')}"


def _band(advice: Advice) -> str:
    """The band that facts speak of: the largest but one, or the largest that there is."""
    table = advice.table
    own = table.loc[(table["length"] == table["length"].max()) & (table["combinations"] >= _FEWEST_CELLS)]
    there = set(own["band"])
    return next((name for name in band_names()[4::-1] if name in there), ALL)


def advice_report(
    study: str, title: str, facts: Sequence[Fact], advice: Advice, steps: pd.DataFrame | None = None
) -> Report:
    """Tell an advice as a report of its own.

    Args:
        study: Name of the study.
        title: Title.
        facts: What `advice_facts` states.
        advice: From `advise`.
        steps: Of the release, from `dry_run`, to show too.
    """
    summary = (
        f"What a release about {{{{fact:{study}/advice.people}}}} people would tell at which loss of privacy, worked "
        "out from what is declared: no record was seen, and nothing of the budget is spent."
    )
    parts = advice_parts(study, facts, advice, steps)
    return Report(study, title, summary, "open", tuple(parts))


def advice_parts(
    study: str, facts: Sequence[Fact], advice: Advice, steps: pd.DataFrame | None = None
) -> list[Part]:
    """The parts of the report, for a page that holds more; every fact that they cite is in `facts`."""
    ids = {fact.fact_id for fact in facts}
    epsilon = f"{advice.settings.epsilon:g}"
    own = [_id(study, short, epsilon) for short in ("error", "told", "value")]
    headline = [f"{study}/advice.{name}" for name in ("people", "combinations", "epsilon")]
    headline += [fact_id for fact_id in own if fact_id in ids]
    parts: list[Part] = [
        FactList(tuple(headline)),
        Text(
            "A larger epsilon tells more and protects less. People were invented who could have been in such records, "
            "in several ways between which real records are expected to lie, and the release was tried on them. The "
            "figures are of the kind that such records would give, not of these records: unevenly spread values, or "
            "groups of people who are much alike, make a release tell less."
        ),
        *_charts(study, ids, advice),
        _budgets(study, ids, advice),
    ]
    if advice.warnings:
        # a table, because a warning may tell a setting as a number
        noted = tuple((warning,) for warning in advice.warnings)
        parts += [
            Heading("Before you spend"),
            DataTable("What to think about", ("note",), noted, source_assets=(f"{study}/advice_summary",)),
        ]
    planned = [] if steps is None else [_steps(study, steps)]
    return [*parts, *planned, *_details(study, advice)]


def _charts(study: str, ids: set[str], advice: Advice) -> list[Part]:
    table = advice.table.loc[advice.table["band"] != ALL]
    longest = int(table["length"].max()) if len(table) else 1
    what = "attributes" if longest == 1 else f"combinations of {longest} attributes"
    table = table.loc[table["length"] == longest]
    held = "held by, people"
    table = pd.DataFrame(
        {
            "epsilon": table["epsilon"],
            held: table["band"],
            "error": 100 * table["expected_relative_error"],
            "told": 100 * table["told_share"],
        }
    )
    if not len(table):
        return []
    many = table.loc[table[held] != band_names()[0]]
    facts = tuple(sorted(i for i in ids if i.startswith(f"{study}/advice.error.")))
    parts: list[Part] = []
    if len(many):
        parts.append(
            Chart(
                f"Expected error of {what}, as a share of the count",
                _lines(many, held, "error", "expected error, % of the count"),
                "One line for each number of people who hold a combination. Lines fall from left to right: the "
                "larger epsilon, the smaller the error; and large counts are told more exactly than small ones.",
                fact_ids=facts,
                source_assets=(f"{study}/advice",),
            )
        )
    parts.append(
        Chart(
            f"Share of {what} that is told at all",
            _lines(table, held, "told", "told, %"),
            "One line for each number of people who hold a combination. The rest is suppressed, because it cannot be "
            "told from the noise.",
            source_assets=(f"{study}/advice",),
        )
    )
    return parts


def _lines(table: pd.DataFrame, held: str, name: str, words: str) -> dict[str, Any]:
    shown = dict(zip(band_names(), SERIES, strict=True))
    return charts.lines(
        table.round({name: 1}),
        x="epsilon",
        y=name,
        series=held,
        x_title="epsilon",
        y_title=words,
        log_x=True,
        colours=[shown[band] for band in table[held].unique()],
    )


def _budgets(study: str, ids: set[str], advice: Advice) -> DataTable:
    summary = advice.summary
    counts = ("half_told", "reliably_told", "smallest_value_found")
    summary = summary.assign(
        certainty=(100 / (1 + np.exp(-summary["epsilon"]))).round(1),
        **{name: (100 * summary[name]).round(0) for name in ("told_share", "usable_share")},
        **{name: summary[name].round(1) for name in ("noise", "mean_error")},
        # the smallest whole count with at least the chance
        **{name: np.ceil(summary[name]) for name in counts},
    )
    kept = [name for name in _WORDS if name != "smallest_value_found" or advice.assumed]
    return frame_table(
        "What each budget buys",
        summary[kept],
        digits=4,
        headings=_WORDS,
        fact_ids=[
            i for i in sorted(ids) if i.startswith((f"{study}/advice.told.", f"{study}/advice.value."))
        ],
        source_assets=(f"{study}/advice_summary",),
        description="Certainty: what even odds that somebody is in the records can rise to, for a reader who knows "
        "everybody else. Noise: of one measured count. Error and shares are of combinations that at least 10 people "
        "hold; to within half: off by less than half of the true count. Even odds, reliable: from so many people on a "
        "combination is told with 50 and 90 % chance in the hardest of the invented worlds; an empty cell: never.",
    )


def _steps(study: str, steps: pd.DataFrame) -> DataTable:
    shown = steps.assign(rho_share=(100 * steps["rho_share"]).round(0), noise=steps["noise"].round(1))
    return frame_table(
        "Every step of the release",
        shown.drop(columns=["rho", "delta"]),
        digits=4,
        headings={"rho_share": "of the budget, %", "noise": "noise, people"},
        source_assets=(f"{study}/dry_run",),
        description="What reads no record costs nothing. An empty noise follows from an earlier step.",
    )


def _details(study: str, advice: Advice) -> list[Part]:
    shares = [name for name in _COLUMN_WORDS if name != "bands"]
    columns = advice.columns.assign(**{name: (100 * advice.columns[name]).round(0) for name in shares})
    table = advice.table
    percent = ("expected_relative_error", "told_share", "told_low", "told_high", "usable_share")
    people = ("combinations", "noise", "expected_absolute_error", "error_low", "error_high")
    told = table.assign(
        **{name: (100 * table[name]).round(0) for name in percent},
        **{name: table[name].round(1) for name in people},
    )
    words = {
        "expected_absolute_error": "error, people",
        "expected_relative_error": "error, %",
        "error_low": "mildest",
        "error_high": "hardest",
        "told_share": "told, %",
        "told_low": "at least, %",
        "told_high": "at most, %",
        "usable_share": "to within half, %",
    }
    return [
        Heading("Details"),
        frame_table(
            "What each column costs",
            columns,
            digits=0,
            headings=_COLUMN_WORDS,
            source_assets=(f"{study}/advice_columns",),
            description="Combinations with the column, and the noise in the others that leaving it out, or banding it, "
            "would save. Do either for reasons that could be stated in public.",
        ),
        frame_table(
            "Combinations that are measured", advice.cells, source_assets=(f"{study}/advice_summary",)
        ),
        frame_table(
            "Expected errors by epsilon, length and true count",
            told,
            digits=4,
            headings=words,
            source_assets=(f"{study}/advice",),
        ),
    ]
