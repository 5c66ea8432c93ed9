"""Average effects with intervals, by name: each estimator starts from the design alone and keeps nothing.

The classical ones are those of `hrtech.causal.classical`. `aipw` stacks flexible learners
(`hrtech.causal.doubly_robust`), `double_machine_learning` and `causal_forest` come from EconML
(`hrtech.causal.machine_learning`). Where blanks were filled several times, estimates are pooled by Rubin's rules.
"""

from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

import numpy as np

from hrtech.causal.classical import effects
from hrtech.causal.design import Design
from hrtech.causal.doubly_robust import CLIP, average, score
from hrtech.causal.missing import pooled
from hrtech.causal.question import EffectError

_NOTES: Final = {
    "linear_regression": "If the effect varies with the adjusters, this is a weighted mean of it, not the plain mean.",
    "stratification": "Some confounding remains within strata.",
}
_PER_UNIT: Final = "The effect of one unit more, if outcome and exposure go together along a straight line."


@dataclass(frozen=True)
class Estimate:
    """An average effect.

    Attributes:
        estimator: Name of the estimator.
        effect: Mean difference in the outcome, exposed against unexposed; per unit where the exposure is an amount.
        std_error: Standard error.
        low: Lower end of the interval.
        high: Upper end.
        n: Rows used.
        notes: What a reader must know about this number, such as that its estimand is another.
    """

    estimator: str
    effect: float
    std_error: float
    low: float
    high: float
    n: int
    notes: tuple[str, ...] = ()


class Estimator(Protocol):
    """An estimator."""

    def __call__(self, design: Design, *, confidence: float, seed: int) -> Estimate:
        """Estimate the average effect with an interval of the given coverage; the seed decides splits and draws."""


def interval(
    estimator: str,
    effect: float,
    std_error: float,
    design: Design,
    *,
    confidence: float,
    freedom: float = np.inf,
    notes: tuple[str, ...] = (),
) -> Estimate:
    """Return an estimate with the interval of Student's t with the given degrees of freedom (normal where infinite)."""
    from scipy import stats

    tail = 0.5 + confidence / 2
    quantile = float(stats.norm.ppf(tail) if np.isinf(freedom) else stats.t.ppf(tail, freedom))
    effect, std_error = float(effect), float(std_error)
    return Estimate(
        estimator,
        effect,
        std_error,
        effect - quantile * std_error,
        effect + quantile * std_error,
        design.n,
        notes,
    )


def estimate(estimator: str, design: Design, *, confidence: float = 0.95, seed: int = 1) -> Estimate:
    """Estimate by name, over all fillings of blanks where there are several.

    Raises:
        EffectError: The estimator cannot do it with these rows.
    """
    run = ESTIMATORS[estimator]
    if len(design.imputed) < 2:
        return run(design, confidence=confidence, seed=seed)
    found = [
        run(design.filled(number), confidence=confidence, seed=seed) for number in range(len(design.imputed))
    ]
    effect, error, freedom = pooled([each.effect for each in found], [each.std_error for each in found])
    notes = (*found[0].notes, f"Pooled over {len(found)} fillings of blanks by Rubin's rules.")
    return interval(estimator, effect, error, design, confidence=confidence, freedom=freedom, notes=notes)


def _classical(name: str, design: Design, *, confidence: float, seed: int) -> Estimate:
    effect, error = effects(
        name,
        design.treatment,
        design.outcome,
        design.covariates,
        design.weights,
        cluster=design.cluster,
        seed=seed,
    )
    if not (np.isfinite(effect[0]) and np.isfinite(error[0]) and error[0] > 0):
        raise EffectError(
            f"The estimator '{name}' finds no effect with an error in these rows: too few are comparable. Widen the "
            "population, or leave the estimator out [setting: population, estimators]"
        )
    freedom = np.inf
    if name == "linear_regression":
        freedom = design.n - design.covariates.shape[1] - 2
        freedom = freedom if design.cluster is None else len(np.unique(design.cluster)) - 1
    notes: tuple[str, ...] = (_NOTES[name],) if name in _NOTES else ()
    if len(np.unique(design.treatment)) > 2:
        notes = (_PER_UNIT,)
    if name == "matching" and design.cluster is not None:
        notes = (*notes, "The interval does not know of clusters; it may be too narrow.")
    return interval(
        name, effect[0], error[0], design, confidence=confidence, freedom=float(freedom), notes=notes
    )


def _aipw(design: Design, *, confidence: float, seed: int) -> Estimate:
    scores = score(design, seed)
    effect, error, freedom = average(scores, design)
    clipped = int(((scores.propensity < CLIP) | (scores.propensity > 1 - CLIP)).sum())
    notes = (
        (
            f"{clipped} rows have a propensity beyond {CLIP:g}; it was set to that, and what they would have had "
            "rests on the outcome model.",
        )
        if clipped
        else ()
    )
    return interval("aipw", effect, error, design, confidence=confidence, freedom=freedom, notes=notes)


def _double_machine_learning(design: Design, *, confidence: float, seed: int) -> Estimate:
    from hrtech.causal.machine_learning import double_machine_learning

    effect, error, note = double_machine_learning(design, seed)
    return interval("double_machine_learning", effect, error, design, confidence=confidence, notes=(note,))


def _causal_forest(design: Design, *, confidence: float, seed: int) -> Estimate:
    from hrtech.causal.machine_learning import causal_forest

    effect, error, note = causal_forest(design, seed)
    return interval("causal_forest", effect, error, design, confidence=confidence, notes=(note,))


ESTIMATORS: Final[dict[str, Estimator]] = {
    name: partial(_classical, name) for name in ("linear_regression", "ipw", "stratification", "matching")
} | {
    "aipw": _aipw,
    "double_machine_learning": _double_machine_learning,
    "causal_forest": _causal_forest,
}
