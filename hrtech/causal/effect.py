"""A question and a table in; an effect with its interval, its assumptions and its refutations out."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hrtech.causal.design import Design, make_design
from hrtech.causal.estimators import Estimate, estimate
from hrtech.causal.heterogeneity import group_effects
from hrtech.causal.identify import Identified, identify
from hrtech.causal.overlap import balance, check_overlap
from hrtech.causal.question import EffectError, EffectQuestion
from hrtech.causal.refute import refute

_LEAST_LEFT = 0.02


@dataclass(frozen=True)
class EffectResult:
    """An answer to a causal question.

    Attributes:
        estimand_text: What was estimated, in words, with its assumption.
        estimate: Mean difference in the outcome that the exposure makes (for yes/no outcomes a difference of shares).
        low: Lower end of the interval.
        high: Upper end.
        confidence: Coverage of the interval.
        estimator: Estimator of the headline.
        n: Rows used.
        naive_difference: Plain difference of means, exposed minus unexposed; of an amount the plain slope.
        verdict: `supported`, `contradicted` or `not settled`, by where the interval lies and what was refuted.
        estimates: `estimator, estimate, standard_error, low, high, notes` of every estimator.
        variables: `variable, adjusted, reason`.
        balance: `variable, smd_before, smd_after`.
        refutations: `name, estimate, p, passed, meaning`.
        overlap: `measure, value`.
        rows: `step, rows`: what was left out, and how many rows were used.
        groups: Effects by group, see `hrtech.causal.heterogeneity`.
    """

    estimand_text: str
    estimate: float
    low: float
    high: float
    confidence: float
    estimator: str
    n: int
    naive_difference: float
    verdict: str
    estimates: pd.DataFrame
    variables: pd.DataFrame
    balance: pd.DataFrame
    refutations: pd.DataFrame
    overlap: pd.DataFrame
    rows: pd.DataFrame
    groups: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Return the headline as one row."""
        names = [
            "estimand_text",
            "estimator",
            "estimate",
            "low",
            "high",
            "confidence",
            "n",
            "naive_difference",
            "verdict",
        ]
        return pd.DataFrame({name: [getattr(self, name)] for name in names}).astype(
            {"estimand_text": "str", "estimator": "str", "verdict": "str"}
        )


def estimate_effect(frame: pd.DataFrame, question: EffectQuestion) -> EffectResult:
    """Answer a causal question from a table.

    Args:
        frame: One row per unit; the columns that the question names.
        question: The question.

    Raises:
        EffectError: The question cannot be answered from the table without misleading; the message says why.
    """
    from threadpoolctl import threadpool_limits

    observed = {str(name) for name in frame.columns}
    identified = identify(question, observed)
    # thousands of small systems: threads of the linear algebra library cost more than they bring
    with threadpool_limits(limits=1):
        return _answer(frame, question, identified)


def _answer(frame: pd.DataFrame, question: EffectQuestion, identified: Identified) -> EffectResult:
    design = make_design(frame, question, identified.adjusted)
    if question.treatment_kind == "yes_no":
        overlap, chance = check_overlap(design, question)
        balanced = balance(design, chance)
    else:
        overlap = _left_to_vary(design, question)
        # no weights balance an amount
        balanced = pd.DataFrame(
            {"variable": pd.Series([], dtype="str"), "smd_before": [], "smd_after": []}
        ).astype({"smd_before": "float64", "smd_after": "float64"})
    rng = np.random.default_rng(question.seed)
    found = {
        name: estimate(name, design, confidence=question.confidence, seed=question.seed)
        for name in dict.fromkeys(question.estimators)
    }
    first = question.estimators[0]
    headline = found[first]
    refutations = refute(design, headline, first, question.simulations, rng)
    table = pd.DataFrame(
        [
            (name, each.effect, each.std_error, each.low, each.high, " ".join(each.notes))
            for name, each in found.items()
        ],
        columns=["estimator", "estimate", "standard_error", "low", "high", "notes"],
    ).astype({"estimator": "str", "notes": "str"})
    return EffectResult(
        estimand_text=_estimand(identified, question),
        estimate=headline.effect,
        low=headline.low,
        high=headline.high,
        confidence=question.confidence,
        estimator=first,
        n=design.n,
        naive_difference=_plain(design),
        verdict=_verdict(headline, question, bool(refutations["passed"].all())),
        estimates=table,
        variables=identified.variables,
        balance=balanced,
        refutations=refutations,
        overlap=overlap,
        rows=design.rows,
        groups=group_effects(design, frame, question),
    )


def _plain(design: Design) -> float:
    """Return the slope of the outcome on the exposure alone; of a yes or no it is the difference of means."""
    weights = np.ones(design.n) if design.weights is None else design.weights
    t = design.treatment - np.average(design.treatment, weights=weights)
    return float((weights * t) @ design.outcome / ((weights * t) @ t))


def _left_to_vary(design: Design, question: EffectQuestion) -> pd.DataFrame:
    """Say how much of an amount the adjusters leave to vary, and refuse where it is next to nothing."""
    basis = np.linalg.qr(np.column_stack([np.ones(design.n), design.covariates]))[0]
    residual = design.treatment - basis @ (basis.T @ design.treatment)
    left = float(residual @ residual / (design.n * design.treatment.var()))
    if left < _LEAST_LEFT:
        raise EffectError(
            f"The adjusters leave {left:.1%} of the variation of the exposure '{question.treatment}', and at least "
            f"{_LEAST_LEFT:.0%} is needed to compare. Leave out what decides it [setting: confounders]"
        )
    rows = [
        ("rows", float(design.n)),
        ("lowest exposure", float(design.treatment.min())),
        ("highest exposure", float(design.treatment.max())),
        ("share of the exposure's variation that the adjusters leave", left),
    ]
    return pd.DataFrame(rows, columns=["measure", "value"]).astype({"measure": "str"})


def _estimand(identified: Identified, question: EffectQuestion) -> str:
    """Say what was estimated, where settings change it."""
    parts = [identified.text]
    if question.follow_up is not None:
        parts.append(
            f"The outcome is the time in '{question.follow_up}' without '{question.outcome}', up to "
            f"{question.horizon:g}; the end of follow-up must not depend on what would have happened."
        )
    if question.treatment_kind == "amount":
        parts.append(
            f"It is the effect of one unit more of '{question.treatment}', if the outcome changes along a line."
        )
    if question.trim is not None:
        parts.append(
            f"Only rows with a propensity from {question.trim:g} to {1 - question.trim:g} are asked about: trimming "
            "changed whose effect this is."
        )
    if question.missing in ("weighting", "multiple_imputation"):
        parts.append(
            "Whether a value is blank may depend on what is known of the row, not on the value itself."
        )
    if question.weights is not None:
        parts.append(f"Rows count by their weight in '{question.weights}'.")
    return " ".join(parts)


def _verdict(headline: Estimate, question: EffectQuestion, unrefuted: bool) -> str:
    """Say what the interval means for the hypothesis; a refuted estimate settles nothing."""
    if not unrefuted or headline.low <= 0 <= headline.high:
        return "not settled"
    up = headline.low > 0
    wrong = (question.direction == "increases" and not up) or (question.direction == "decreases" and up)
    return "contradicted" if wrong else "supported"
