"""What an event study tells as facts: the effect on each outcome, every estimator's, the checks, and the design."""

import re
from collections.abc import Mapping

import pandas as pd

from hrtech.facts import Fact
from hrtech.facts.frames import rows

_MOST_TIMES = 60
#: Below it a p value rests on the tail of a normal curve that nobody has seen.
_SMALLEST_P = 0.001


def event_facts(study: str, tables: Mapping[str, pd.DataFrame], truth: float | None = None) -> list[Fact]:
    """State the answers.

    Args:
        study: Name of the study; first part of each fact id.
        tables: `effect`, `estimates`, `event_time`, `checks` and `honest` of an `EventResult`.
        truth: The planted mean effect on the first outcome, where the world is simulated.
    """
    facts: list[Fact] = []
    for place, head in enumerate(rows(tables["effect"])):
        facts += _headline(study, head)
        if place == 0 and truth is not None:
            facts.append(
                Fact(
                    f"{study}/true_effect",
                    "In the simulated world the true mean effect is {value}.",
                    truth,
                    "difference",
                    source_asset=f"{study}/effect",
                    row_key="truth",
                )
            )
        facts += _estimates(study, head, tables["estimates"])
        facts += _times(study, head, tables["event_time"])
        facts += _doubts(study, head, tables)
    return facts


def slug(name: str) -> str:
    """A name as a part of a fact id."""
    return re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_") or "outcome"


def plain(name: str) -> str:
    """A name in running text."""
    return name.replace("_", " ").replace("{", "(").replace("}", ")")


def _headline(study: str, head: Mapping) -> list[Fact]:
    key, words = slug(head["outcome"]), plain(head["outcome"])
    source = f"{study}/effect"
    interval = f"{100 * head['confidence']:g} % interval ({head['interval']})"
    known = head["low"] is not None
    facts = [
        Fact(
            f"{study}/effect.{key}",
            f"The event changed {words} by {{value}} on average.",
            head["estimate"],
            "difference",
            low=head["low"],
            high=head["high"],
            uncertainty=interval if known else "",
            source_asset=source,
            row_key=str(head["outcome"]),
        ),
        Fact(
            f"{study}/without_event.{key}",
            f"Without it, {words} would have been {{value}} on average in the units that came under it.",
            head["mean_without_event"],
            "level",
            source_asset=source,
            row_key=str(head["outcome"]),
        ),
    ]
    for name, words_of in (
        ("treated_units", "{value} units came under the event."),
        ("donors", "{value} units without it were there to compare with."),
        ("periods_before", "The panel holds {value} periods before the first adoption."),
        ("periods_after", "It holds {value} periods from then on."),
    ):
        unit = "units" if name in ("treated_units", "donors") else "periods"
        facts.append(Fact(f"{study}/{name}.{key}", words_of, head[name], unit, source_asset=source))
    if head["p_adjusted"] is not None:
        facts.append(
            Fact(
                f"{study}/p.{key}",
                "If it had done nothing, an estimate as far from 0 would come with probability {value}"
                f"{' or less' if head['p_adjusted'] < _SMALLEST_P else ''}, with the number of outcomes allowed for.",
                max(head["p_adjusted"], _SMALLEST_P),
                "probability",
                source_asset=source,
                row_key=str(head["outcome"]),
            )
        )
    return facts


def _estimates(study: str, head: Mapping, estimates: pd.DataFrame) -> list[Fact]:
    key = slug(head["outcome"])
    return [
        Fact(
            f"{study}/estimate.{key}.{row['estimator']}",
            f"Estimated by {name_of(row['estimator'])}, the effect on {plain(head['outcome'])} is {{value}}.",
            row["estimate"],
            "difference",
            low=row["low"],
            high=row["high"],
            uncertainty=""
            if row["low"] is None
            else f"{100 * head['confidence']:g} % interval ({row['interval']})",
            source_asset=f"{study}/estimates",
            row_key=str(row["estimator"]),
        )
        for row in rows(estimates.loc[estimates["outcome"] == head["outcome"]])
    ]


def _times(study: str, head: Mapping, event_time: pd.DataFrame) -> list[Fact]:
    mine = event_time.loc[
        (event_time["outcome"] == head["outcome"]) & (event_time["estimator"] == head["estimator"])
    ]
    near = mine.loc[mine["event_time"].abs().sort_values(kind="stable").index[:_MOST_TIMES]].sort_index()
    return [
        Fact(
            f"{study}/event_time.{slug(head['outcome'])}.{'before_' if row['event_time'] < 0 else ''}"
            f"{abs(row['event_time'])}",
            f"{abs(row['event_time'])} periods {'before' if row['event_time'] < 0 else 'after'} the event began, "
            f"{plain(head['outcome'])} differs by {{value}} from what is expected without it.",
            row["estimate"],
            "difference",
            low=row["low"],
            high=row["high"],
            uncertainty="" if row["low"] is None else f"{100 * head['confidence']:g} % interval",
            source_asset=f"{study}/event_time",
            row_key=str(row["event_time"]),
        )
        for row in rows(near)
    ]


def _doubts(study: str, head: Mapping, tables: Mapping[str, pd.DataFrame]) -> list[Fact]:
    key = slug(head["outcome"])
    mine = tables["checks"]["outcome"] == head["outcome"]
    checks = tables["checks"].loc[mine & tables["checks"]["passed"].notna()]
    facts = [
        Fact(f"{study}/checks_{name}.{key}", words, number, "checks", source_asset=f"{study}/checks")
        for name, words, number in (
            ("made", "{value} checks were made of it.", len(checks)),
            ("withstood", "It withstood {value} of them.", int(checks["passed"].sum())),
        )
        if len(checks)
    ]
    honest = tables["honest"].loc[
        (tables["honest"]["outcome"] == head["outcome"])
        & (tables["honest"]["restriction"] == "relative magnitude")
        & (tables["honest"]["target"] == "mean of all periods")
    ]
    for row in rows(honest):
        facts.append(
            Fact(
                f"{study}/honest.{key}.{slug(format(row['bound'], 'g'))}",
                f"If trends may part after the event by {row['bound']:g} times the worst step seen before it, the mean "
                "effect over all periods lies between {low} and {high}.",
                (row["low"] + row["high"]) / 2,
                "difference",
                low=row["low"],
                high=row["high"],
                uncertainty=f"{100 * head['confidence']:g} % honest interval; the value is its middle",
                source_asset=f"{study}/honest",
                row_key=f"relative magnitude {row['bound']:g}",
            )
        )
    return facts


def name_of(estimator: str) -> str:
    """An estimator in words."""
    return {
        "synthetic_did": "synthetic difference-in-differences",
        "difference_in_differences": "difference-in-differences",
        "synthetic_control": "synthetic control",
        "callaway_santanna": "Callaway–Sant'Anna",
        "sun_abraham": "Sun–Abraham",
    }[estimator]
