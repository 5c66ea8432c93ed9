"""A panel and a question in; effects with intervals, placebos and sensitivity out."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pandas as pd

from hrtech.causal.events.adoption import NEVER
from hrtech.causal.events.block import METHODS, Method
from hrtech.causal.events.inference import FEW
from hrtech.causal.events.panel import Panel, make_panel
from hrtech.causal.events.question import BLOCK, Estimator, EventQuestion
from hrtech.causal.events.result import EventResult
from hrtech.causal.events.study_blocks import Answer, BlockStudy, holm
from hrtech.causal.events.study_staggered import StaggeredStudy

_DRAWN_UNITS = 12


def study_event(frame: pd.DataFrame, question: EventQuestion) -> EventResult:
    """Answer a question about an event.

    Args:
        frame: One row a unit and period; the columns that the question names.
        question: The question.

    Raises:
        EventError: The question cannot be answered from the table without misleading; the message says why.
    """
    from threadpoolctl import threadpool_limits

    tables: dict[str, list[tuple]] = defaultdict(list)
    heads = []
    # many small systems: threads of the linear algebra library cost more than they bring
    with threadpool_limits(limits=1):
        for outcome in question.outcomes:
            panel, notes = make_panel(frame, question, outcome)
            tables["rows"] += [(outcome, *row) for row in notes.itertuples(index=False, name=None)]
            heads.append(_one_outcome(panel, question, outcome, tables))
    adjusted = holm([_number(head["p"]) for head in heads])
    for head, p in zip(heads, adjusted, strict=True):
        refuted = [row[1] for row in tables["checks"] if row[0] == head["outcome"] and row[4] is False]
        verdict, why = _verdict(head, question, p, refuted)
        tables["effect"].append(
            (
                head["outcome"], head["text"], head["estimator"], head["estimate"], head["std_error"], head["low"],
                head["high"], question.confidence, head["interval"], head["p"], p, head["without"],
                head["treated"], head["donors"], head["before"], head["after"], verdict, why,
            )
        )  # fmt: skip
    return EventResult.of(tables)


def choose_estimators(panel: Panel, asked: Sequence[Estimator]) -> tuple[Estimator, ...]:
    """Those asked for, or by design: staggered adoption by many units is summed up by cohorts, else synthetic DiD."""
    if asked:
        return tuple(asked)
    many = int(panel.ever.sum()) >= FEW
    if many and len(panel.cohorts) > 1:
        return ("callaway_santanna", "sun_abraham", *METHODS)
    return (*METHODS, "callaway_santanna") if many else METHODS


def _one_outcome(
    panel: Panel, question: EventQuestion, outcome: str, tables: dict[str, list[tuple]]
) -> dict[str, object]:
    chosen = choose_estimators(panel, question.estimators)
    blocks: BlockStudy | None = None
    staggered: StaggeredStudy | None = None
    answers: dict[str, Answer] = {}
    if set(chosen) & set(BLOCK):
        blocks = BlockStudy.of(panel, question, outcome)
    if set(chosen) - set(BLOCK) or panel.ever.sum() >= FEW:
        staggered = StaggeredStudy.of(panel, question, outcome)
    for name in chosen:
        if name in METHODS and blocks is not None:
            answers[name] = blocks.estimate(name, tables)
        elif staggered is not None:
            answers[name] = getattr(staggered, name)(tables)
    if staggered is not None:
        staggered.pretrend(tables)
        staggered.honest(tables)
    detailed = next((name for name in chosen if name in METHODS), None)
    if blocks is not None and detailed is not None:
        _details(blocks, detailed, answers[detailed], tables)
    _raw(panel, outcome, tables)
    head = answers[chosen[0]]
    return {
        "outcome": outcome,
        "text": _estimand(panel, question, outcome, chosen[0]),
        "estimator": chosen[0],
        "without": _without_event(panel, head.estimate),
        "treated": int(panel.ever.sum()),
        "donors": int((panel.adopted == NEVER).sum()),
        "before": int(panel.cohorts[0]) - question.anticipation,
        "after": len(panel.periods) - int(panel.cohorts[0]),
        **vars(head),
    }


def _details(blocks: BlockStudy, method: Method, found: Answer, tables: dict[str, list[tuple]]) -> None:
    blocks.detail(method, tables)
    blocks.checks(method, found, tables)
    alpha = 1 - blocks.question.confidence
    conformal = blocks.conformal(method)
    if np.isfinite(conformal):
        tables["checks"].append(
            (
                blocks.outcome, "conformal test of no effect", found.estimate, conformal, None,
                f"Exact where shocks are stationary; the smallest p is {1 / len(blocks.windows[0].since):.3f}. "
                f"Below {alpha:.2g} it speaks for an effect.",
            )
        )  # fmt: skip


def _raw(panel: Panel, outcome: str, tables: dict[str, list[tuple]]) -> None:
    """Treated units (their mean, where many) and the mean of the others."""
    lines = [(str(panel.units[at]), panel.outcomes[at]) for at in np.flatnonzero(panel.ever)]
    if len(lines) > _DRAWN_UNITS:
        lines = [
            (
                f"from {panel.periods[cohort]} ({int((panel.adopted == cohort).sum())} units)",
                panel.outcomes[panel.adopted == cohort].mean(axis=0),
            )
            for cohort in panel.cohorts
        ]
    if (~panel.ever).any():
        lines.append(("mean of the others", panel.outcomes[~panel.ever].mean(axis=0)))
    for name, values in lines:
        tables["raw"] += [(outcome, name, str(at), v) for at, v in zip(panel.periods, values, strict=True)]


def _without_event(panel: Panel, effect: float) -> float:
    """Mean of treated units after the event, less the effect."""
    after = np.arange(len(panel.periods))[None, :] >= panel.adopted[:, None]
    return float(panel.outcomes[after].mean() - effect)


def _estimand(panel: Panel, question: EventQuestion, outcome: str, name: str) -> str:
    treated, cohorts = int(panel.ever.sum()), panel.cohorts
    when = (
        f"from {panel.periods[cohorts[0]]} on"
        if len(cohorts) == 1
        else (f"between {panel.periods[cohorts[0]]} and {panel.periods[cohorts[-1]]}")
    )
    who = f"the {treated} units that came" if treated > 1 else f"{panel.units[panel.ever][0]}, which came"
    per = (
        f" per {question.per}" + (f", times {question.scale:g}" if question.scale != 1 else "")
        if question.per
        else ""
    )
    assumption = {
        "difference_in_differences": "without it, they would have moved as the others' mean did",
        "synthetic_control": "without it, they would have kept to the mean of donors that they kept to before",
        "synthetic_did": "without it, they would have moved as the weighted donors did since the weighted past",
        "callaway_santanna": "without it, each cohort would have moved as those not (yet) under it did",
        "sun_abraham": "without it, each cohort would have moved as the units without it did",
    }[name]
    ahead = (
        f" The event may have worked up to {question.anticipation} periods ahead; these are not used as the past."
        if question.anticipation
        else " Nobody acted on the event before it came."
    )
    return (
        f"The mean effect on {outcome}{per} in {who} under the event {when}, over the periods since. It rests on "
        f"the assumption that, {assumption}; that no other change came with the event; and that it did not reach the "
        f"units compared with.{ahead}"
    )


def _verdict(
    head: dict[str, object], question: EventQuestion, p: float, refuted: Sequence[str]
) -> tuple[str, str]:
    """What the interval and the checks mean for the hypothesis; a refuted estimate settles nothing."""
    low, high = _number(head["low"]), _number(head["high"])
    if not np.isfinite(low):
        return "not settled", "No procedure gives an interval here: too few units."
    reasons = []
    if low <= 0 <= high or p >= 1 - question.confidence:
        reasons.append("The interval, with the number of outcomes allowed for, includes 0.")
    if refuted:
        reasons.append(f"Refuted by: {'; '.join(refuted)}.")
    if reasons:
        return "not settled", " ".join(reasons)
    up = low > 0
    wrong = (question.direction == "increases" and not up) or (question.direction == "decreases" and up)
    if wrong:
        return "contradicted", "The interval lies on the other side of no effect."
    return "supported", "The interval lies on the expected side of no effect, and no check refutes it."


def _number(value: object) -> float:
    return float(value) if isinstance(value, float | int) else float("nan")
