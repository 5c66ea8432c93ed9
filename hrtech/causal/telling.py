"""What an effect study tells: the estimate with what would change one's mind, as facts and as a report."""

from collections.abc import Callable, Sequence

import pandas as pd

from hrtech.facts import Chart, Fact, FactList, Heading, Report, Text
from hrtech.facts.frames import frame_table, rows
from hrtech.pages import charts


def effect_facts(
    study: str,
    effect: pd.DataFrame,
    estimates: pd.DataFrame,
    refutations: pd.DataFrame,
    overlap: pd.DataFrame,
    truth: float | None = None,
    *,
    treatment: str = "the exposure",
    outcome: str = "the outcome",
) -> list[Fact]:
    """State the answer, each estimator's, what the refutations gave, and the people behind them.

    Args:
        study: Name of the study; first part of each fact id.
        effect: The headline as one row.
        estimates: `estimator, estimate, low, high`.
        refutations: `name, estimate, p, passed, meaning`.
        overlap: `measure, value`, with the numbers of exposed and unexposed people.
        truth: The planted effect, where the world is simulated.
        treatment: The exposure in words.
        outcome: The outcome in words.
    """
    head = rows(effect)[0]
    interval = f"{100 * head['confidence']:g} % interval"
    source = f"{study}/effect"
    facts = [
        Fact(
            f"{study}/effect",
            f"{_capital(treatment)} changes {plain(outcome)} by {{value}} on average.",
            head["estimate"],
            "difference",
            low=head["low"],
            high=head["high"],
            uncertainty=interval,
            source_asset=source,
            row_key=str(head["estimator"]),
        ),
        Fact(
            f"{study}/naive_difference",
            f"Without adjustment, those with and without {plain(treatment)} differ by {{value}} in {plain(outcome)}.",
            head["naive_difference"],
            "difference",
            source_asset=source,
            row_key="naive_difference",
        ),
        Fact(f"{study}/respondents", "It rests on {value} people.", head["n"], "people", source_asset=source),
    ]
    facts += [
        Fact(
            f"{study}/{row['measure']}",
            f"{{value}} of them are {row['measure']}.",
            row["value"],
            "people",
            source_asset=f"{study}/overlap",
            row_key=str(row["measure"]),
        )
        for row in rows(overlap)
        if row["measure"] in ("exposed", "unexposed")
    ]
    facts += [
        Fact(
            f"{study}/estimate.{row['estimator']}",
            f"Estimated by {str(row['estimator']).replace('_', ' ')}, the effect is {{value}}.",
            row["estimate"],
            "difference",
            low=row["low"],
            high=row["high"],
            uncertainty=interval,
            source_asset=f"{study}/estimates",
            row_key=str(row["estimator"]),
        )
        for row in rows(estimates)
    ]
    if len(refutations):
        facts += [
            Fact(
                f"{study}/refutations_{name}",
                f"{{value}} attempts to refute it {words}.",
                number,
                "attempts",
                source_asset=f"{study}/refutations",
            )
            for name, words, number in (
                ("made", "were made", len(refutations)),
                ("withstood", "were withstood", int(refutations["passed"].sum())),
            )
        ]
    if truth is not None:
        facts.append(
            Fact(
                f"{study}/true_effect",
                "In the simulated world the true effect is {value}.",
                truth,
                "difference",
                source_asset=source,
                row_key="truth",
            )
        )
    return facts


def effect_report(
    study: str,
    title: str,
    facts: Sequence[Fact],
    *,
    hypothesis: str = "",
    effect: pd.DataFrame | None = None,
    refutations: pd.DataFrame | None = None,
    balance: pd.DataFrame | None = None,
    variables: pd.DataFrame | None = None,
    overlap: pd.DataFrame | None = None,
) -> Report:
    """Tell an effect study; with its tables it is a restricted report.

    Args:
        study: Name of the study.
        title: Title.
        facts: What may be told.
        hypothesis: The claim in words.
        effect: The headline as one row, for casework.
        refutations: Attempts to refute it, for casework.
        balance: Standardised differences before and after adjustment, for casework.
        variables: What was adjusted for and why, for casework.
        overlap: Overlap of the exposed and the others, for casework.
    """
    told = {fact.fact_id: fact for fact in facts}
    headline = [
        f"{study}/{name}" for name in ("effect", "naive_difference", "respondents", "exposed", "unexposed")
    ]
    parts: list = [FactList(tuple(name for name in headline if name in told))]
    if hypothesis:
        parts.append(Text(f"**Hypothesis:** {hypothesis}."))
    compared = [fact for fact in facts if "/estimate." in fact.fact_id or fact.fact_id in headline[1:2]]
    compared += [fact for fact in facts if fact.fact_id == f"{study}/true_effect"]
    if compared:
        parts += [Heading("Estimates side by side"), estimates_chart(compared)]
    tried = [name for name in (f"{study}/refutations_made", f"{study}/refutations_withstood") if name in told]
    if tried:
        parts += [
            Heading("What was done to refute it"),
            Text(
                "A placebo exposure, drawn at random, should show no effect; a made-up common cause should not move "
                "the estimate. An estimate that fails either is not to be believed. One that withstands both may "
                "still be wrong if a cause of both exposure and outcome was never measured."
            ),
            FactList(tuple(tried)),
        ]
    for name, heading, table in (
        ("refutations", "Refutations", refutations),
        ("variables", "What was adjusted for, and why", variables),
        ("balance", "Balance before and after", balance),
        ("overlap", "Overlap", overlap),
    ):
        if table is not None:
            parts.append(frame_table(heading, table, source_assets=(f"{study}/{name}",)))
    if effect is not None:
        parts.insert(1, Text(str(rows(effect)[0]["estimand_text"])))
    summary = (
        f"{hypothesis or 'The exposure has an effect'}? The estimate is {{{{fact:{study}/effect}}}} on average, "
        f"between {{{{fact:{study}/effect|low}}}} and {{{{fact:{study}/effect|high}}}}, if every common cause was "
        "measured."
        if f"{study}/effect" in told
        else "An effect was studied; it may not be told."
    )
    return Report(
        study, title, summary, "restricted" if effect is not None else "disclosure-control", tuple(parts)
    )


def plain(name: str) -> str:
    """Return a name in words."""
    return name.replace("_", " ").replace("{", "(").replace("}", ")")


def _capital(name: str) -> str:
    words = plain(name)
    return words[:1].upper() + words[1:]


def _named(fact: Fact) -> str:
    return fact.fact_id.split("/")[1].removeprefix("estimate.").replace("_", " ")


def estimates_chart(facts: Sequence[Fact], named: Callable[[Fact], str] = _named) -> Chart:
    """Draw estimates beside each other, each with its interval, under the name that is given to it."""
    data = [
        {
            "estimate of": named(fact),
            "effect": fact.value,
            "low": fact.value if fact.low is None else fact.low,
            "high": fact.value if fact.high is None else fact.high,
        }
        for fact in facts
    ]
    return Chart(
        "Estimates with their intervals",
        charts.forest(
            data,
            label="estimate of",
            estimate="effect",
            low="low",
            high="high",
            label_title="estimate",
            estimate_title="difference in the outcome",
        ),
        "; ".join(f"{row['estimate of']}: {row['effect']:.3f}" for row in data)
        + ". The line marks no effect.",
        fact_ids=tuple(fact.fact_id for fact in facts),
    )
