"""A question and a table in; an effect with its interval, its assumptions and its refutations out."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hrtech.causal.design import make_design
from hrtech.causal.estimators import Estimate, estimate
from hrtech.causal.identify import Identified, identify
from hrtech.causal.overlap import balance, check_overlap
from hrtech.causal.question import EffectQuestion
from hrtech.causal.refute import refute


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
        naive_difference: Plain difference of means, exposed minus unexposed.
        verdict: `supported`, `contradicted` or `not settled`, by where the interval lies and what was refuted.
        estimates: `estimator, estimate, standard_error, low, high` of every estimator.
        variables: `variable, adjusted, reason`.
        balance: `variable, smd_before, smd_after`.
        refutations: `name, estimate, p, passed, meaning`.
        overlap: `measure, value`.
        rows: `step, rows`: what was left out, and how many rows were used.
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
    overlap, chance = check_overlap(design, question)
    rng = np.random.default_rng(question.seed)
    found = {
        name: estimate(name, design, confidence=question.confidence, seed=question.seed)
        for name in dict.fromkeys(question.estimators)
    }
    first = question.estimators[0]
    headline = found[first]
    refutations = refute(design, headline, first, question.simulations, rng)
    exposed = design.treatment == 1
    table = pd.DataFrame(
        [(name, each.effect, each.std_error, each.low, each.high) for name, each in found.items()],
        columns=["estimator", "estimate", "standard_error", "low", "high"],
    ).astype({"estimator": "str"})
    return EffectResult(
        estimand_text=identified.text,
        estimate=headline.effect,
        low=headline.low,
        high=headline.high,
        confidence=question.confidence,
        estimator=first,
        n=design.n,
        naive_difference=float(design.outcome[exposed].mean() - design.outcome[~exposed].mean()),
        verdict=_verdict(headline, question, bool(refutations["passed"].all())),
        estimates=table,
        variables=identified.variables,
        balance=balance(design, chance),
        refutations=refutations,
        overlap=overlap,
        rows=design.rows,
    )


def _verdict(headline: Estimate, question: EffectQuestion, unrefuted: bool) -> str:
    """Say what the interval means for the hypothesis; a refuted estimate settles nothing."""
    if not unrefuted or headline.low <= 0 <= headline.high:
        return "not settled"
    up = headline.low > 0
    wrong = (question.direction == "increases" and not up) or (question.direction == "decreases" and up)
    return "contradicted" if wrong else "supported"
