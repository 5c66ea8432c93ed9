"""What an effect from a release tells, as facts and as a report: all of it may be told."""

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from hrtech.causal.telling import estimates_chart
from hrtech.facts import Fact, FactList, Heading, Report, Text
from hrtech.facts.frames import frame_table, rows

#: Measure → the sentence of its fact and the unit.
_SAID: Final = {
    "risk_difference": (
        "With {exposure}, the share with {outcome} differs by {{value}} on average.",
        "difference",
    ),
    "risk_ratio": ("With {exposure}, the share with {outcome} is {{value}} times as large.", "ratio"),
    "risk_exposed": (
        "If all were like those with {exposure}, {{value}} would be with {outcome}.",
        "proportion",
    ),
    "risk_unexposed": (
        "If all were like those without {exposure}, {{value}} would be with {outcome}.",
        "proportion",
    ),
    "unadjusted": (
        "Without adjustment, those with and without {exposure} differ by {{value}} in the share with {outcome}.",
        "difference",
    ),
}


def released_effect_facts(study: str, effect: pd.DataFrame, exposure: str, outcome: str) -> list[Fact]:
    """State every measure with its interval, the people behind them, and what would explain a ratio away.

    Args:
        study: Name of the study; first part of each fact id.
        effect: As `hrtech.causal.released` makes it.
        exposure: The exposure in words.
        outcome: The outcome in words.
    """
    source = f"{study}/effect"
    measured = {str(row["measure"]): row for row in rows(effect)}
    facts = [_stated(source, row, exposure, outcome) for row in measured.values()]
    facts.append(
        Fact(
            f"{study}/people",
            "It rests on {value} people (privately counted).",
            measured["risk_difference"]["people"],
            "people",
            source_asset=source,
            row_key="risk_difference",
        )
    )
    if "risk_ratio" in measured:
        facts.append(
            Fact(
                f"{study}/e_value",
                "A cause that was not adjusted for would have to go with both, by a risk ratio of {value} each, to "
                "take the interval's nearer end to no effect.",
                measured["risk_ratio"]["e_value_limit"],
                "risk ratio",
                source_asset=source,
                row_key="risk_ratio",
            )
        )
    return facts


def _stated(source: str, row: dict[str, Any], exposure: str, outcome: str) -> Fact:
    words, unit = _SAID[row["measure"]]
    return Fact(
        f"{source.split('/')[0]}/{row['measure']}",
        words.format(exposure=_safe(exposure), outcome=_safe(outcome)),
        row["estimate"],
        unit,
        low=row["low"],
        high=row["high"],
        uncertainty=f"{100 * row['confidence']:g} % interval from sampling and the privacy noise",
        source_asset=source,
        row_key=row["measure"],
    )


def _safe(words: str) -> str:
    return words.replace("{", "(").replace("}", ")")


def released_effect_report(
    study: str,
    title: str,
    facts: Sequence[Fact],
    *,
    hypothesis: str,
    release: str,
    effect: pd.DataFrame,
    strata: pd.DataFrame,
    variables: pd.DataFrame,
    notes: pd.DataFrame,
) -> Report:
    """Tell the effect.

    Args:
        study: Name of the study.
        title: Title.
        facts: From `released_effect_facts`.
        hypothesis: The claim in words.
        release: Study that released the measurements.
        effect: Table of the effect.
        strata: Table of the strata.
        variables: Table of the variables.
        notes: Table of notes.
    """
    told = {fact.fact_id.split("/")[1]: fact for fact in facts}
    headline = [name for name in ("risk_difference", "risk_ratio", "people") if name in told]
    compared = [told["risk_difference"], told["unadjusted"]]
    parts: list = [
        FactList(tuple(told[name].fact_id for name in headline)),
        Text(f"**Hypothesis:** {hypothesis}. **Found:** {effect['verdict'].iloc[0]}."),
        Heading("Adjusted and not adjusted"),
        estimates_chart(compared, lambda fact: fact.fact_id.split("/")[1].replace("_", " ")),
        frame_table(
            "Every measure, with what sampling and the noise for privacy contribute",
            effect.drop(columns=["verdict", "people", "confidence"]),
            source_assets=(f"{study}/effect",),
            description="Standard deviations of a ratio are those of its logarithm.",
        ),
        Heading("What would change our mind"),
        Text(
            "The estimate is an effect if all causes of both exposure and outcome were adjusted for, exposure came "
            "before outcome, and records hold both alike. A release tells of few columns at a time, so that more may "
            "be hidden here than in a study of the records themselves."
        ),
    ]
    if "e_value" in told:
        parts.append(FactList((told["e_value"].fact_id,)))
    parts += [
        frame_table("What was adjusted for", variables, source_assets=(f"{study}/variables",)),
        frame_table(
            "People by stratum and exposure",
            strata,
            digits=2,
            source_assets=(f"{study}/strata", f"{release}/measured"),
            description="Noisy counts.",
        ),
        frame_table("What to know", notes, source_assets=(f"{study}/notes",)),
    ]
    summary = (
        f"{hypothesis}? From counts with noise for privacy the difference is {{{{fact:{study}/risk_difference}}}}, "
        f"between {{{{fact:{study}/risk_difference|low}}}} and {{{{fact:{study}/risk_difference|high}}}}, if every "
        "common cause was adjusted for."
    )
    return Report(study, title, summary, "differential-privacy", tuple(parts))
