"""Average effects with intervals, by name: each estimator starts from the design alone and keeps nothing.

`aipw` stacks flexible learners (`hrtech.causal.doubly_robust`), `double_machine_learning` and `causal_forest` come from
EconML (`hrtech.causal.machine_learning`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from hrtech.causal.design import Design

_FOLDS = 5
_CLIP = 0.01
_RIDGE = 1e-3


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


class Estimates(Protocol):
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
    """Estimate by name."""
    return ESTIMATORS[estimator](design, confidence=confidence, seed=seed)


def _linear_regression(design: Design, *, confidence: float, seed: int) -> Estimate:
    effect, error = _least_squares(design.treatment, design.outcome, design.covariates)
    freedom = design.n - design.covariates.shape[1] - 2
    return interval("linear_regression", effect, error, design, confidence=confidence, freedom=freedom)


def _linear_aipw(design: Design, *, confidence: float, seed: int, splits: int = 5) -> Estimate:
    rng = np.random.default_rng(seed)
    effect, error = _aipw(design.treatment, design.outcome, design.covariates, rng, splits)
    return interval("aipw", effect, error, design, confidence=confidence)


ESTIMATORS: Final[dict[str, Callable[..., Estimate]]] = {
    "linear_regression": _linear_regression,
    "aipw": _linear_aipw,
}


def _least_squares(treatment: np.ndarray, outcome: np.ndarray, covariates: np.ndarray) -> tuple[float, float]:
    design = np.column_stack([np.ones(len(outcome)), covariates])
    basis = np.linalg.qr(design)[0]
    t_left = treatment - basis @ (basis.T @ treatment)
    y_left = outcome - basis @ (basis.T @ outcome)
    weight = t_left @ t_left
    value = t_left @ y_left / weight
    residual = y_left - value * t_left
    leverage = (basis**2).sum(axis=1) + t_left**2 / weight
    variance = (t_left**2 * residual**2 / np.maximum(1 - leverage, 1e-8)).sum() / weight**2
    return float(value), float(np.sqrt(variance))


def propensity(treatment: np.ndarray, covariates: np.ndarray, at: np.ndarray | None = None) -> np.ndarray:
    """Return the probability of exposure from a logistic regression with a ridge that only steadies it.

    Args:
        treatment: 0 or 1 per row.
        covariates: Adjusters of the same rows, scaled.
        at: Adjusters of the rows to predict for; the same rows where None.
    """
    design = np.column_stack([np.ones(len(treatment)), covariates])
    penalty = np.diag([0.0] + [_RIDGE] * covariates.shape[1])
    share = treatment.mean()
    beta = np.concatenate([[np.log(share / (1 - share))], np.zeros(covariates.shape[1])])
    for _ in range(50):
        chance = _logistic(design @ beta)
        slope = design.T @ (treatment - chance) - penalty @ beta
        curve = (design * (chance * (1 - chance) + 1e-9)[:, None]).T @ design + penalty
        step = np.linalg.solve(curve, slope)
        beta += step * min(1.0, 5.0 / max(np.abs(step).max(), 1e-12))
        if np.abs(step).max() < 1e-7:
            break
    target = design if at is None else np.column_stack([np.ones(len(at)), at])
    return _logistic(target @ beta)


def _logistic(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(values, -35, 35)))


def _aipw(
    treatment: np.ndarray, outcome: np.ndarray, covariates: np.ndarray, rng: np.random.Generator, splits: int
) -> tuple[float, float]:
    found = np.array([_one_split(treatment, outcome, covariates, rng) for _ in range(splits)])
    value = float(np.median(found[:, 0]))
    # the spread over splits is part of the uncertainty
    return value, float(np.sqrt(np.median(found[:, 1] ** 2 + (found[:, 0] - value) ** 2)))


def _one_split(
    treatment: np.ndarray, outcome: np.ndarray, covariates: np.ndarray, rng: np.random.Generator
) -> tuple[float, float]:
    n = len(outcome)
    fold = np.empty(n, dtype=int)
    for level in (0, 1):  # every fold holds exposed and unexposed
        rows = np.flatnonzero(treatment == level)
        fold[rows] = rng.permutation(len(rows)) % _FOLDS
    chance, without, with_ = np.empty(n), np.empty(n), np.empty(n)
    for number in range(_FOLDS):
        out, rest = fold == number, fold != number
        chance[out] = propensity(treatment[rest], covariates[rest], covariates[out])
        for level, target in ((0, without), (1, with_)):
            rows = rest & (treatment == level)
            target[out] = _linear_fit(covariates[rows], outcome[rows], covariates[out])
    chance = np.clip(chance, _CLIP, 1 - _CLIP)
    influence = (
        with_
        - without
        + treatment * (outcome - with_) / chance
        - (1 - treatment) * (outcome - without) / (1 - chance)
    )
    return float(influence.mean()), float(influence.std(ddof=1) / np.sqrt(n))


def _linear_fit(covariates: np.ndarray, outcome: np.ndarray, at: np.ndarray) -> np.ndarray:
    design = np.column_stack([np.ones(len(outcome)), covariates])
    penalty = np.diag([0.0] + [_RIDGE] * covariates.shape[1])
    beta = np.linalg.solve(design.T @ design + penalty, design.T @ outcome)
    return np.asarray(np.column_stack([np.ones(len(at)), at]) @ beta)
