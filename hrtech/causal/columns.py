"""Regressions of many columns at once: the same adjusters, B exposures, outcomes or weights, one pass of algebra.

A logistic or weighted linear regression needs sums over rows of products of adjusters. For B columns of weights these
are one matrix product, so that a hundred refits cost little more than one.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")
_RIDGE = 1e-6
CLIP = 0.01


def single_threaded(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function on one thread: for thousands of small systems, threads cost more than they bring."""

    @wraps(function)
    def run(*given: P.args, **named: P.kwargs) -> R:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(limits=1):
            return function(*given, **named)

    return run


class Columns:
    """Adjusters with an intercept, and one more adjuster of each column's own where there is one.

    Args:
        covariates: (n, p).
        extra: (n, B): an adjuster that differs from column to column.
    """

    def __init__(self, covariates: np.ndarray, extra: np.ndarray | None = None) -> None:
        self.x = np.column_stack([np.ones(len(covariates)), covariates])
        self.extra = extra
        self.width = self.x.shape[1] + (extra is not None)
        self._upper = np.triu_indices(self.x.shape[1])
        self._pairs = (self.x[:, self._upper[0]] * self.x[:, self._upper[1]]).T.copy()

    def take(self, rows: np.ndarray) -> "Columns":
        """Return those of some rows."""
        part = object.__new__(Columns)
        part.x, part.width, part._upper = self.x[rows], self.width, self._upper
        part.extra = None if self.extra is None else self.extra[rows]
        part._pairs = self._pairs[:, rows]
        return part

    def gram(self, weights: np.ndarray) -> np.ndarray:
        """Return Σ w x xᵀ per column of weights (n, B): (B, width, width)."""
        q = self.x.shape[1]
        sums = (self._pairs @ weights).T
        out = np.empty((weights.shape[1], self.width, self.width))
        out[:, self._upper[0], self._upper[1]] = sums
        out[:, self._upper[1], self._upper[0]] = sums
        if self.extra is not None:
            weighted = weights * self.extra
            out[:, :q, q] = out[:, q, :q] = (self.x.T @ weighted).T
            out[:, q, q] = np.einsum("nb,nb->b", weighted, self.extra)
        return out

    def moment(self, values: np.ndarray) -> np.ndarray:
        """Return Σ v x per column of values (n, B): (B, width)."""
        out = (self.x.T @ values).T
        if self.extra is None:
            return np.asarray(out)
        return np.column_stack([out, np.einsum("nb,nb->b", self.extra, values)])

    def predict(self, beta: np.ndarray) -> np.ndarray:
        """Return x β per column of coefficients (B, width): (n, B)."""
        q = self.x.shape[1]
        out = self.x @ beta[:, :q].T
        return out if self.extra is None else out + self.extra * beta[:, q]


def solve(gram: np.ndarray, moment: np.ndarray) -> np.ndarray:
    """Solve B small systems, steadied by a ridge that is lost in rounding where they are well posed."""
    width = gram.shape[-1]
    scale = np.trace(gram, axis1=1, axis2=2) / width
    steadied = gram + (1e-11 * np.maximum(scale, 1e-12))[:, None, None] * np.eye(width)
    return np.asarray(np.linalg.solve(steadied, moment[..., None])[..., 0])


def logistic(values: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + e⁻ᵛ)."""
    out = np.clip(values, -35, 35)
    np.negative(out, out)
    np.exp(out, out)
    out += 1
    return np.asarray(np.reciprocal(out, out))


def fit_logistic(
    columns: Columns, treatment: np.ndarray, weights: np.ndarray, start: np.ndarray | None = None
) -> np.ndarray:
    """Return coefficients (B, width) of B logistic regressions, by Newton's method.

    Args:
        columns: Adjusters.
        treatment: 0 or 1, (n, B).
        weights: (n, B) or (n, 1).
        start: Coefficients to start from, such as those of nearly the same rows.
    """
    number = treatment.shape[1]
    penalty = np.diag([0.0] + [_RIDGE] * (columns.width - 1))
    if start is None:
        share = np.clip(
            (weights * treatment).sum(axis=0) / (weights + 0 * treatment[:1]).sum(axis=0), 1e-6, 1 - 1e-6
        )
        beta = np.zeros((number, columns.width))
        beta[:, 0] = np.log(share / (1 - share))
    else:
        beta = start.copy()
    for _ in range(40):
        chance = logistic(columns.predict(beta))
        slope = columns.moment(weights * (treatment - chance)) - beta @ penalty
        chance *= 1 - chance
        chance *= weights
        step = solve(columns.gram(chance) + penalty, slope)
        most = np.abs(step).max(axis=1, keepdims=True)
        beta += step * np.minimum(1.0, 5.0 / np.maximum(most, 1e-12))
        if most.max() < 1e-5:  # the error after a step of Newton is of the order of its square
            break
    return beta


def propensities(columns: Columns, beta: np.ndarray) -> np.ndarray:
    """Return the probability of exposure per row and column, kept between .01 and .99."""
    return np.clip(logistic(columns.predict(beta)), CLIP, 1 - CLIP)


def fit_linear(columns: Columns, outcome: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return coefficients (B, width) of B weighted linear regressions; weights are (n, B)."""
    return solve(columns.gram(weights), columns.moment(weights * outcome))
