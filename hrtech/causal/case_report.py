"""An effect study for a careful reviewer: question, estimand, assumptions, design, result, what would change our mind.

The first page and one page a specification, where people accept or reject it. For casework only.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from hrtech.causal.acceptance import CHOICES
from hrtech.causal.effect_charts import (
    balance_chart,
    curve_chart,
    joint_chart,
    overlap_chart,
    refutation_chart,
    sensitivity_chart,
)
from hrtech.causal.question import EffectQuestion
from hrtech.causal.specifications import DECISIONS
from hrtech.causal.telling import estimates_chart, plain
from hrtech.facts import Fact, FactList, FormField, Heading, JudgementForm, Part, Report, Text
from hrtech.facts.frames import frame_table, rows

#: Tables that the pages show.
SHOWN: Final = (
    "acceptance", "balance", "benchmarks", "choices", "contributions", "curve_refutations", "data_dictionary",
    "decisions", "effect", "estimates", "groups", "hidden_bias", "joint_test", "overlap", "permuted_effects",
    "propensities", "refutations", "rows", "sensitivity", "sensitivity_contour", "specification_curve", "variables",
)  # fmt: skip
_HEADLINE: Final = ("effect", "naive_difference", "respondents", "exposed", "unexposed", "true_effect")
_CURVE: Final = (
    "curve.estimated", "curve.accepted", "curve.median", "curve.least", "curve.greatest", "curve.share_expected",
    "curve.share_clear", "curve.joint_p_all", "curve.joint_p_accepted", "curve.strongest_decision",
    "curve.distance_from_truth", "curve.holding_truth",
)  # fmt: skip
_DOUBT: Final = ("robustness_value", "robustness_value_5", "e_value", "rosenbaum_gamma")


def case_report(
    study: str,
    title: str,
    facts: Sequence[Fact],
    *,
    question: EffectQuestion,
    pages: frozenset[str] = frozenset(),
    **tables: pd.DataFrame,
) -> Report:
    """Return the first page.

    Args:
        study: Name of the study.
        title: Title.
        facts: Findings.
        question: The question.
        pages: Addresses of the further pages.
        tables: The tables of `SHOWN`, and others that are shown if they are there.
    """
    told = {fact.fact_id for fact in facts}

    def listed(names: Sequence[str]) -> list[Part]:
        ids = tuple(f"{study}/{name}" for name in names if f"{study}/{name}" in told)
        return [FactList(ids)] if ids else []

    head = rows(tables["effect"])[0]
    parts: list[Part] = [
        *listed(_HEADLINE),
        Heading("Question"),
        Text(_question(question)),
        Heading("Estimand"),
        Text(str(head["estimand_text"])),
        Heading("Assumptions"),
        Text(_assumptions(question, tables["specification_curve"])),
        _table(study, "What is adjusted for, what is not, and why", tables, "variables"),
        *_beliefs(question),
        Heading("Design"),
        Text(
            "Before any estimate: how many rows were left out and why, whether exposed and unexposed can be "
            "compared at all, and how alike they are."
        ),
        _table(study, "Rows used and left out", tables, "rows"),
        _table(study, "Overlap", tables, "overlap"),
        *([overlap_chart(study, tables["propensities"])] if len(tables["propensities"]) else []),
        *([balance_chart(study, tables["balance"])] if len(tables["balance"]) else []),
        Heading("Result"),
        estimates_chart([fact for fact in facts if _compared(fact)]),
        Heading("Every reasonable specification", 3),
        *listed(_CURVE),
        curve_chart(study, tables["specification_curve"], tables["acceptance"]),
        *([Text("[All specifications, to accept or reject](specifications.html)")] if pages else []),
        _table(
            study,
            "What each decision contributes to the spread",
            tables,
            "contributions",
            share="share of variance",
        ),
        _table(study, "Estimates under every choice", tables, "choices"),
        *_joint(study, tables),
        *_groups(study, tables),
        Heading("What would change our mind"),
        Text(_would_change(tables)),
        *listed(_DOUBT),
        refutation_chart(study, tables["curve_refutations"]),
        _table(study, "Attempts to refute the headline", tables, "refutations"),
        sensitivity_chart(study, tables["sensitivity_contour"], tables["benchmarks"]),
        _table(
            study,
            "A hidden confounder as strong as observed ones",
            tables,
            "benchmarks",
            r2_exposure="of the exposure",
            r2_outcome="of the outcome",
            estimate="effect left",
        ),
        *(
            [_table(study, "Hidden bias within matched pairs (Rosenbaum)", tables, "hidden_bias", gamma="Γ")]
            if len(tables["hidden_bias"])
            else []
        ),
        Heading("To repeat it"),
        Text(
            "`notebook.ipynb` and `data_dictionary.csv` stand beside this page: put either name in place of the last "
            "part of its address. Neither holds a record of a person."
        ),
        _table(study, "Data dictionary", tables, "data_dictionary"),
    ]
    summary = (
        f"{question.hypothesis}? The estimate is {{{{fact:{study}/effect}}}} on average, between "
        f"{{{{fact:{study}/effect|low}}}} and {{{{fact:{study}/effect|high}}}}, if every common cause was measured: "
        f"{head['verdict']}."
    )
    return Report(study, title, summary, "restricted", tuple(parts))


def specification_pages(study: str, **tables: pd.DataFrame) -> dict[str, Report]:
    """Return the page that lists the specifications, and one page each: `specifications/<id>`."""
    curve, status = tables["specification_curve"], tables["acceptance"].set_index("specification")
    order = curve.sort_values("estimate", na_position="last")
    shown = order[["specification", *DECISIONS, "estimate", "low", "high", "n"]].copy()
    shown["counts"] = shown["specification"].map(status["status"])
    shown["decided by"] = shown["specification"].map(status["decided_by"])
    shown["why"] = shown["specification"].map(status["reason"])
    links = [f"specifications/{one}.html" for one in shown["specification"]]
    first = Report(
        f"{study}_specifications",
        "All specifications",
        f"{len(shown):,} ways to answer the question, by estimate. Choose one to see what was done to refute it, "
        "and to accept or reject it.",
        "restricted",
        (
            Text("[Back to the study](index.html)"),
            frame_table(
                "Specifications",
                shown,
                source_assets=(f"{study}/specification_curve", f"{study}/acceptance"),
                links=links,
            ),
            frame_table("Decisions so far", tables["decisions"], source_assets=(f"{study}/decisions",)),
        ),
    )
    pages = {"specifications": first}
    tried = dict(list(tables["curve_refutations"].groupby("specification")))
    for row in rows(curve):
        one = str(row["specification"])
        pages[f"specifications/{one}"] = _specification_page(
            study, row, {str(k): v for k, v in status.loc[one].items()}, tried.get(one), tables["decisions"]
        )
    return pages


def _specification_page(
    study: str,
    row: Mapping[str, Any],
    status: Mapping[str, Any],
    tried: pd.DataFrame | None,
    log: pd.DataFrame,
) -> Report:
    one = str(row["specification"])
    made = "; ".join(f"{name}: {plain(str(row[name]))}" for name in DECISIONS)
    parts: list[Part] = [
        Text("[Back to all specifications](../specifications.html)"),
        Text(
            f"**Decisions:** {made}.\n\n**Adjusted for:** {row['adjusted'] or 'nothing'}.\n\n"
            f"**Assumes besides:** {row['assumes'] or 'nothing more'}."
        ),
        Text(f"**It is {status['status']}**, decided by {status['decided_by']}: {status['reason']}."),
    ]
    if tried is not None:
        parts.append(
            frame_table(
                "What was done to refute it",
                tried.drop(columns="specification").assign(
                    refutation=lambda f: f["refutation"].str.replace("_", " ")
                ),
                source_assets=(f"{study}/curve_refutations",),
            )
        )
    past = log[log["specification"] == one]
    if len(past):
        told = past[["judged_at", "judged_by", "decision", "reason", "status"]]
        parts.append(frame_table("Decided before", told, source_assets=(f"{study}/decisions",)))
    if row["status"] == "estimated":
        parts += [Heading("Your decision"), _form(study, one)]
        summary = (
            f"The estimate is {row['estimate']:.4g}, between {row['low']:.4g} and {row['high']:.4g}, from "
            f"{row['n']:,} rows."
        )
    else:
        summary = f"It was not estimated: {row['reason']}"
    return Report(f"{study}_{one}", f"Specification {one}", summary, "restricted", tuple(parts))


def _form(study: str, one: str) -> JudgementForm:
    return JudgementForm(
        "Is this a sound way to answer the question?",
        f"/casework/{study}/judgements",
        (
            FormField("specification", "specification", "hidden", value=one),
            FormField(
                "decision",
                "Your decision",
                "choice",
                CHOICES,
                required=True,
                help="It holds from the next run on, as long as the specification does the same. 'take back' undoes "
                "what was decided before. A refuted specification stays rejected.",
            ),
            FormField(
                "reason",
                "Why",
                "long_text",
                required=True,
                help="Judge the design, not the estimate. Others will read it.",
            ),
            FormField("judged_by", "Who you are", required=True),
        ),
    )


def _compared(fact: Fact) -> bool:
    name = fact.fact_id.split("/")[1]
    return name.startswith("estimate.") or name in ("naive_difference", "true_effect")


def _table(study: str, heading: str, tables: Mapping[str, pd.DataFrame], noun: str, **headings: str) -> Part:
    return frame_table(heading, tables[noun], headings=headings, source_assets=(f"{study}/{noun}",))


def _question(question: EffectQuestion) -> str:
    lines = [
        f"- **Hypothesis:** {question.hypothesis} (the outcome {question.direction}).",
        f"- **Exposure:** `{question.treatment}`.",
        f"- **Outcome:** `{question.outcome}`.",
        f"- **Population:** {f'`{question.population}`' if question.population else 'all rows'}.",
    ]
    lines += [
        f"- **{one.element.replace('treatment', 'exposure').capitalize()}, otherwise defined ({one.name}):** "
        f"`{one.expression}`."
        for one in question.alternatives
    ]
    return "\n".join(lines)


def _assumptions(question: EffectQuestion, curve: pd.DataFrame) -> str:
    lines = [
        "- Every common cause of exposure and outcome is among what is adjusted for.",
        "- Among people alike in these, everybody could have been exposed or not.",
        "- One person's exposure does not change another's outcome, and the exposure means the same for all.",
    ]
    if question.missing == "complete_cases":
        lines.append(
            "- Rows with a blank are left out: given what is adjusted for, blanks say nothing about the outcome."
        )
    if question.missing == "multiple_imputation":
        lines.append(
            "- Blanks are filled several times for the headline, but once for the curve: intervals of the curve do not "
            "know how uncertain the filling is."
        )
    further = [text for text in curve["assumes"].unique() if text]
    lines += [f"- In some specifications besides: {text}." for text in further]
    refused = curve[(curve["status"] == "refused")].drop_duplicates("reason")
    lines += [
        f"- The adjustment set '{row['adjustment']}' is refused: {row['reason']}."
        for row in rows(refused.head(6))
    ]
    return "\n".join(lines)


def _beliefs(question: EffectQuestion) -> list[Part]:
    if not question.beliefs:
        return []
    said = pd.DataFrame(
        [(one.variable, one.degree, one.who, one.why) for one in question.beliefs],
        columns=["variable", "how sure", "who says so", "why"],
    )
    return [frame_table("Who says what about the variables", said)]


def _joint(study: str, tables: Mapping[str, pd.DataFrame]) -> list[Part]:
    if not len(tables["joint_test"]):
        return [Text("The curve as a whole is not tested: permutations need a yes/no exposure.")]
    drawn = joint_chart(study, tables["permuted_effects"])
    return [
        Heading("One answer of the whole curve", 3),
        Text(
            "Exposures are dealt out again among rows as likely to have them, many times, and the whole curve is "
            "estimated each time. The joint p is that of the most striking of three statistics, corrected for there "
            "being three. Judge it by all specifications; that of the accepted ones follows decisions made with the "
            "estimates in sight."
        ),
        _table(study, "Joint test", tables, "joint_test", p="p (never 0)"),
        *([drawn] if drawn else []),
    ]


def _groups(study: str, tables: Mapping[str, pd.DataFrame]) -> list[Part]:
    if not len(tables["groups"]):
        return []
    return [
        Heading("Effects in groups", 3),
        Text(
            "Intervals of all groups hold together with the stated probability; *p* asks whether the groups of a "
            "column differ at all."
        ),
        _table(study, "Effects by declared groups", tables, "groups", p_equal="p of equality"),
    ]


def _would_change(tables: Mapping[str, pd.DataFrame]) -> str:
    measures = dict(zip(tables["sensitivity"]["measure"], tables["sensitivity"]["value"], strict=True))
    lines = [
        f"- **A cause that nobody measured.** One that explains {100 * measures['robustness value']:.3g} % of what "
        "is left of both exposure and outcome would take the whole effect away; "
        f"{100 * measures['robustness value at 5 %']:.3g} % would do to make it no longer differ from none."
    ]
    seen = tables["benchmarks"]
    once = seen[(seen["times"] == 1) & seen["estimate"].notna()]
    if len(once):
        start = tables["sensitivity_contour"]["estimate"].iloc[0]
        strongest = once.loc[(once["estimate"] - start).abs().idxmax()]
        lines.append(
            f"- **As a measure:** one as strong as {plain(str(strongest['adjuster']))}, which moves the estimate most, "
            f"would leave {strongest['estimate']:.3g} of {start:.3g}."
        )
    failed = tables["curve_refutations"][tables["curve_refutations"]["verdict"] == "failed"]
    if len(failed):
        counts = failed.groupby("refutation")["specification"].nunique()
        told = "; ".join(f"{plain(str(name))} refutes {count}" for name, count in counts.items())
        lines.append(f"- **What was refuted:** {told} of the specifications. They do not count.")
    else:
        lines.append("- **Refutations:** nothing refuted a specification. That proves none of them right.")
    controls = tables["curve_refutations"]["refutation"].str.startswith("negative_control")
    if not controls.any():
        lines.append(
            "- **A negative control** was not declared: an outcome that the exposure cannot change, but its causes "
            "can, would show confounding that nothing else here can show."
        )
    if len(tables["contributions"]):
        top = tables["contributions"].iloc[0]
        lines.append(
            f"- **Another {plain(str(top['decision']))}:** this choice explains {100 * top['share']:.3g} % of the "
            "spread of the curve; whoever finds one choice right and others wrong should read that part of it."
        )
    return "\n".join(lines)
