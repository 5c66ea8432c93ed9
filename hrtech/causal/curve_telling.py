"""What a whole specification curve tells, as facts: the spread, the joint answer, and what would overturn it."""

from collections.abc import Mapping

import pandas as pd

from hrtech.causal.acceptance import ACCEPTED
from hrtech.facts import Fact
from hrtech.facts.frames import rows

_JOINT = {"all specifications": "all", "accepted ones": "accepted"}
#: Measures of sensitivity that are told as facts: noun, words, unit.
_TOLD = {
    "robustness value": (
        "robustness_value",
        "A confounder would have to explain {value} of what is left of both exposure and outcome to take the whole "
        "effect away.",
        "proportion",
    ),
    "robustness value at 5 %": (
        "robustness_value_5",
        "One that explains {value} of both could make it no longer differ from none.",
        "proportion",
    ),
    "E-value": (
        "e_value",
        "As a risk ratio, it would have to go with both by {value}.",
        "risk ratio",
    ),
    "Rosenbaum Γ at 5 %": (
        "rosenbaum_gamma",
        "Within matched pairs, it would have to change the odds of exposure by a factor of {value}.",
        "factor",
    ),
}


def curve_facts(
    study: str,
    summary: Mapping[str, float],
    joint: pd.DataFrame,
    sensitivity: pd.DataFrame,
    contributions: pd.DataFrame,
    curve: pd.DataFrame,
    acceptance: pd.DataFrame,
    truth: float | None = None,
) -> list[Fact]:
    """State what the curve says.

    Args:
        study: Name of the study.
        summary: As `curve_summary` gives it.
        joint: As `joint_answers` gives it.
        sensitivity: `measure, value, meaning`.
        contributions: `decision, share`.
        curve: The curve's table.
        acceptance: `specification, status, decided_by, reason`.
        truth: The planted effect of a simulated world.
    """
    source = f"{study}/specification_curve"
    told = [
        ("estimated", "{value} specifications could be estimated.", "specifications"),
        ("accepted", "{value} of them are accepted.", "specifications"),
        (
            "median",
            "The median estimate of the accepted specifications of the outcome as first defined is {value}.",
            "difference",
        ),
        ("least", "The least is {value}.", "difference"),
        ("greatest", "The greatest is {value}.", "difference"),
        (
            "share_expected",
            "{value} of the accepted specifications lie in the expected direction.",
            "proportion",
        ),
        ("share_clear", "{value} of them have an interval without zero.", "proportion"),
    ]
    facts = [
        Fact(f"{study}/curve.{name}", words, summary[name], unit, source_asset=source, row_key=name)
        for name, words, unit in told
        if name in summary
    ]
    for row in rows(joint[joint["statistic"] == "joint"]):
        noun = _JOINT[row["over"]]
        facts.append(
            Fact(
                f"{study}/curve.joint_p_{noun}",
                f"If there were no effect, a curve as one-sided as that of {row['over']} would come about with a "
                "probability of {value}.",
                row["p"],
                "probability",
                source_asset=f"{study}/joint_test",
                row_key=noun,
            )
        )
    if len(contributions):
        first = rows(contributions)[0]
        facts.append(
            Fact(
                f"{study}/curve.strongest_decision",
                f"The choice of {first['decision']} explains {{value}} of the spread, more than any other.",
                first["share"],
                "proportion",
                source_asset=f"{study}/contributions",
                row_key=str(first["decision"]),
            )
        )
    for row in rows(sensitivity):
        if row["measure"] in _TOLD and row["value"] is not None:
            noun, words, unit = _TOLD[str(row["measure"])]
            facts.append(
                Fact(
                    f"{study}/{noun}",
                    words,
                    row["value"],
                    unit,
                    source_asset=f"{study}/sensitivity",
                    row_key=str(row["measure"]),
                )
            )
    if truth is not None and "median" in summary:
        facts += _against_truth(study, source, summary, curve, acceptance, truth)
    return facts


def _against_truth(
    study: str,
    source: str,
    summary: Mapping[str, float],
    curve: pd.DataFrame,
    acceptance: pd.DataFrame,
    truth: float,
) -> list[Fact]:
    accepted = set(acceptance.loc[acceptance["status"] == ACCEPTED, "specification"])
    kept = curve[curve["specification"].isin(accepted) & (curve["outcome"] == "primary")]
    held = float(((kept["low"] <= truth) & (truth <= kept["high"])).mean())
    return [
        Fact(
            f"{study}/curve.distance_from_truth",
            "In the simulated world, the median of the curve lies {value} from the true effect.",
            abs(summary["median"] - truth),
            "difference",
            source_asset=source,
            row_key="truth",
        ),
        Fact(
            f"{study}/curve.holding_truth",
            "{value} of the accepted specifications have an interval that holds the true effect.",
            held,
            "proportion",
            source_asset=source,
            row_key="truth",
        ),
    ]
