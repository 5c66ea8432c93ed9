"""Average effects with robust intervals, on plain arrays, so that every call starts from what it is handed.

`linear_regression`: least squares of the outcome on exposure and adjusters, HC2 standard errors (MacKinnon and White
1985), t quantiles. `aipw`: augmented inverse-propensity weighting (Robins, Rotnitzky and Zhao 1994), cross-fitted
(Chernozhukov et al. 2018) with logistic propensities and one linear outcome model per arm, standard error from the
influence function; the median over several splits.
"""

from dataclasses import dataclass

import numpy as np

from hrtech.causal.question import Estimator

_FOLDS = 5
_CLIP = 0.01
_RIDGE = 1e-3


@dataclass(frozen=True)
class Estimate:
    """An average effect.

    Attributes:
        value: Mean difference in the outcome, exposed against unexposed.
        error: Standard error.
        low: Lower end of the interval.
        high: Upper end.
    """

    value: float
    error: float
    low: float
    high: float


def estimate(
    estimator: Estimator,
    treatment: np.ndarray,
    outcome: np.ndarray,
    covariates: np.ndarray,
    rng: np.random.Generator,
    *,
    confidence: float = 0.95,
    splits: int = 5,
) -> Estimate:
    """Estimate the average effect.

    Args:
        estimator: Name of the estimator.
        treatment: 0 or 1 per row.
        outcome: Number per row.
        covariates: Adjusters, scaled.
        rng: Source of the splits (`aipw` only).
        confidence: Coverage of the interval.
        splits: Number of random splits (`aipw` only).
    """
    from scipy import stats

    if estimator == "linear_regression":
        value, error = _least_squares(treatment, outcome, covariates)
        quantile = stats.t.ppf(0.5 + confidence / 2, len(outcome) - covariates.shape[1] - 2)
    else:
        value, error = _aipw(treatment, outcome, covariates, rng, splits)
        quantile = stats.norm.ppf(0.5 + confidence / 2)
    return Estimate(value, error, value - quantile * error, value + quantile * error)


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
