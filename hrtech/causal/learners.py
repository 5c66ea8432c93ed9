"""Predictions for nuisance functions: a straight line, smooth curves with products, boosted trees, and their stack.

`linear` and `smooth` shrink by a ridge whose strength is chosen by leave-one-out error: exact for least squares,
approximate for logistic regression (Rad and Maleki 2020). `smooth` adds squares, restricted cubic splines
(Harrell 2015) and pairwise products. `boosting` adds trees to the smooth learner (LightGBM, with settings that do not
depend on the data). The stack takes non-negative weights that sum to one from predictions made out of fold
(short-stacking, Ahrens et al. 2025).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

LEARNERS: Final = ("linear", "smooth", "boosting")
_STRENGTHS: Final = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
_LOGISTIC_STRENGTHS: Final = (3e-2, 3e-3, 3e-4)
_KNOTS: Final = (0.05, 0.275, 0.5, 0.725, 0.95)
_FEWEST_TO_BOOST: Final = 100
_TREES: Final = 40
_BOOSTING: Final = {
    "num_leaves": 6,
    "learning_rate": 0.12,
    "min_data_in_leaf": 10,
    "lambda_l2": 1.0,
    "max_bin": 63,
    "feature_pre_filter": False,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbose": -1,
}


@dataclass(frozen=True)
class Sample:
    """Rows to learn from.

    Attributes:
        covariates: `(n, p)`.
        target: `(n,)`; 0 or 1 where `yes_no`.
        weights: `(n,)`, mean about 1.
        yes_no: Whether a probability is to be predicted.
    """

    covariates: np.ndarray
    target: np.ndarray
    weights: np.ndarray
    yes_no: bool


def predict(
    learners: tuple[str, ...],
    sample: Sample,
    at: np.ndarray,
    *,
    seed: int = 0,
    counts: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Learn from a sample and predict by each learner.

    Args:
        learners: Some of `LEARNERS`; `boosting` needs `smooth` before it.
        sample: Rows to learn from.
        at: Covariates `(m, p)` to predict for.
        seed: Seed of the trees.
        counts: `(m,)`: how much each prediction counts in a sum; None: the second result is zero.

    Returns:
        Predictions `(m, learners)`; and `(n, learners)`, how much the sum changes with the residual of each row learnt
        from. Trees count as the smooth learner that they start from.
    """
    shape = (len(sample.target), len(learners))
    if np.ptp(sample.target) == 0:
        return np.full((len(at), len(learners)), sample.target[0]), np.zeros(shape)
    found: list[np.ndarray] = []
    pulls: list[np.ndarray] = []
    inside = np.empty(0)
    for learner in learners:
        if learner == "boosting":
            found.append(_boosted(sample, at, inside, found[-1], seed))
            pulls.append(pulls[-1])
            continue
        basis, target = (sample.covariates, at) if learner == "linear" else _smooth(sample, at)
        both, pull = _fitted(basis, np.vstack([basis, target]), sample, counts)
        inside = both[: len(basis)]
        found.append(both[len(basis) :])
        pulls.append(pull)
    return np.column_stack(found), np.column_stack(pulls)


def _fitted(
    basis: np.ndarray, at: np.ndarray, sample: Sample, counts: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    centre = np.average(basis, axis=0, weights=sample.weights)
    spread = np.sqrt(np.average((basis - centre) ** 2, axis=0, weights=sample.weights))
    kept = spread > 1e-9
    fit = _logistic if sample.yes_no else _least_squares
    basis = (basis[:, kept] - centre[kept]) / spread[kept]
    at = (at[:, kept] - centre[kept]) / spread[kept]
    if counts is not None:
        counts = np.concatenate([np.zeros(len(at) - len(counts)), counts])
    return fit(basis, sample, at, counts)


def fitting(rows: int) -> tuple[str, ...]:
    """Return the learners that a sample of this size can carry."""
    return LEARNERS if rows >= _FEWEST_TO_BOOST else LEARNERS[:2]


def stack(predictions: np.ndarray, target: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the weights `(k,)`, non-negative with sum 1, of predictions `(n, k)` by least squares."""
    from scipy.optimize import nnls

    root = np.sqrt(weights)[:, None]
    # a heavy row holds the sum at one
    heavy = 1e3 * np.sqrt(len(target)) * max(float(np.abs(target).max()), 1.0)
    matrix = np.vstack([predictions * root, np.full((1, predictions.shape[1]), heavy)])
    found = nnls(matrix, np.append(target * root[:, 0], heavy))[0]
    total = found.sum()
    return found / total if total > 0 else np.full(len(found), 1 / len(found))


def _smooth(sample: Sample, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return curves and products of the covariates, for the sample and for `at`; as many as the rows can carry."""
    x = sample.covariates
    budget = max(len(x) // 10, x.shape[1])
    numbers = [j for j in range(x.shape[1]) if len(np.unique(x[:50, j])) > 2 or len(np.unique(x[:, j])) > 2]
    left = _standard(sample.target, sample.weights)
    parts: list[tuple[float, np.ndarray, np.ndarray]] = []
    for j in numbers:
        for one, two in zip(*_curves(x[:, j], at[:, j]), strict=True):
            parts.append((_strength(one, left), one, two))
    first, second = np.triu_indices(x.shape[1], 1)
    if len(first):
        products = x[:, first] * x[:, second]
        spread = products.std(axis=0)
        strengths = np.abs(left @ (products - products.mean(axis=0))) / np.where(spread > 0, spread, np.inf)
        for number in np.argsort(-strengths, kind="stable")[:budget]:
            a, b = first[number], second[number]
            parts.append((float(strengths[number]), products[:, number], at[:, a] * at[:, b]))
    parts.sort(key=lambda part: -part[0])
    parts = parts[: max(budget - x.shape[1], 0)]
    if not parts:
        return x, at
    return (
        np.column_stack([x, *(part[1] for part in parts)]),
        np.column_stack([at, *(part[2] for part in parts)]),
    )


def _standard(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return weights * (values - np.average(values, weights=weights))


def _strength(column: np.ndarray, left: np.ndarray) -> float:
    spread = column.std()
    return abs(float(left @ (column - column.mean()))) / spread if spread > 0 else 0.0


def _curves(values: np.ndarray, at: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the square, and what the non-linear terms of a restricted cubic spline add to line and square.

    Left of a spline is only what a parabola cannot say, so that outside the rows learnt from the parabola leads.
    """
    knots = np.unique(np.quantile(values, _KNOTS))
    inside, outside = [values**2], [at**2]
    if len(knots) < 3:
        return inside, outside
    plain = [np.column_stack([np.ones(len(x)), x, x**2]) for x in (values, at)]
    bent, bent_at = _spline(values, knots), _spline(at, knots)
    slope = np.linalg.lstsq(plain[0], bent, rcond=None)[0]
    inside += list((bent - plain[0] @ slope).T)
    outside += list((bent_at - plain[1] @ slope).T)
    return inside, outside


def _spline(values: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Return the non-linear terms of a restricted cubic spline (Harrell 2015, equation 2.25)."""
    cubes = np.maximum(values[:, None] - knots, 0) ** 3
    last, before = knots[-1], knots[-2]
    left = (last - knots[:-2]) / (last - before)
    right = (before - knots[:-2]) / (last - before)
    terms = cubes[:, :-2] - cubes[:, [-2]] * left + cubes[:, [-1]] * right
    return np.asarray(terms / (last - knots[0]) ** 2)


def _least_squares(
    basis: np.ndarray, sample: Sample, at: np.ndarray, counts: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    weights, total = sample.weights, sample.weights.sum()
    mean = np.average(sample.target, weights=weights)
    left = sample.target - mean
    values, vectors = np.linalg.eigh((basis * weights[:, None]).T @ basis)
    turned = basis @ vectors
    slope = turned.T @ (weights * left)
    best, chosen = np.inf, np.zeros_like(slope)
    for strength in _STRENGTHS:
        shrunk = 1 / (np.maximum(values, 0) + strength * total)
        leverage = weights * ((turned**2) @ shrunk + 1 / total)
        residual = (left - turned @ (slope * shrunk)) / np.maximum(1 - leverage, 0.05)
        loss = float(weights @ residual**2)
        if loss < best:
            best, chosen = loss, shrunk
    predicted = mean + at @ (vectors @ (slope * chosen))
    if counts is None:
        return predicted, np.zeros(len(basis))
    pull = turned @ (chosen * (vectors.T @ (counts @ at))) + counts.sum() / total
    return predicted, weights * pull


def _logistic(
    basis: np.ndarray, sample: Sample, at: np.ndarray, counts: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    n, k = basis.shape
    weights, target = sample.weights, sample.target
    matrix = np.column_stack([np.ones(n), basis])
    share = np.average(target, weights=weights)
    beta = np.zeros(k + 1)
    beta[0] = np.log(share / (1 - share))
    best, chosen, curvature = np.inf, beta, np.eye(k + 1)
    for strength in _LOGISTIC_STRENGTHS:
        penalty = np.full(k + 1, strength * weights.sum() / 4)
        penalty[0] = 1e-9
        beta, inverse, chance = _newton(matrix, target, weights, penalty, beta)
        leverage = np.einsum("ij,ij->i", matrix @ inverse, matrix)
        curve = weights * chance * (1 - chance)
        step = leverage * weights * (target - chance) / np.maximum(1 - curve * leverage, 0.05)
        without = np.clip(matrix @ beta - step, -30, 30)
        loss = float(weights @ (np.logaddexp(0, without) - target * without))
        if loss >= best:
            break  # weaker shrinkage only overfits more
        best, chosen, curvature = loss, beta, inverse
    wide = np.column_stack([np.ones(len(at)), at])
    predicted = expit(wide @ chosen)
    if counts is None:
        return predicted, np.zeros(n)
    return predicted, weights * (matrix @ (curvature @ ((counts * predicted * (1 - predicted)) @ wide)))


def _newton(
    matrix: np.ndarray, target: np.ndarray, weights: np.ndarray, penalty: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return coefficients, the inverse of the curvature and fitted chances of a penalised logistic regression."""
    beta = start.copy()
    for _ in range(30):
        chance = expit(matrix @ beta)
        curve = (matrix * (weights * chance * (1 - chance) + 1e-9)[:, None]).T @ matrix
        curve[np.diag_indices_from(curve)] += penalty
        step = np.linalg.solve(curve, matrix.T @ (weights * (target - chance)) - penalty * beta)
        beta += step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-4:
            break
    return beta, np.linalg.inv(curve), expit(matrix @ beta)


def expit(values: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + e⁻ᵛ) without overflow."""
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -35, 35))))


def _boosted(
    sample: Sample, at: np.ndarray, start: np.ndarray, start_at: np.ndarray, seed: int
) -> np.ndarray:
    """Add trees to what the smooth learner says, so that outside the rows learnt from its curves still lead."""
    import lightgbm

    settings = _BOOSTING | {"objective": "binary" if sample.yes_no else "regression", "seed": seed}
    first, first_at = (_logit(start), _logit(start_at)) if sample.yes_no else (start, start_at)
    table = lightgbm.Dataset(
        sample.covariates, sample.target, weight=sample.weights, init_score=first, params={"verbose": -1}
    )
    trees = lightgbm.train(settings, table, _TREES)
    total = first_at + np.asarray(trees.predict(at, raw_score=True, num_threads=1))
    return expit(total) if sample.yes_no else total


def _logit(chance: np.ndarray) -> np.ndarray:
    clipped = np.clip(chance, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(clipped / (1 - clipped)))
