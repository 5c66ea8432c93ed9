"""Two methods for numbers: DirectLiNGAM and linear NOTEARS, both with what is known imposed inside."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from hrtech.causal.discovery.graphs import Graph, is_acyclic
from hrtech.causal.discovery.knowledge import Bounds
from hrtech.causal.discovery.models import score_data
from hrtech.causal.discovery.scores import entropy_of
from hrtech.causal.discovery.search import family
from hrtech.causal.discovery.table import Table

#: Weights below this on standardised data are no edges of NOTEARS; its penalty on their sum.
_SMALL: Final = 0.15
_SPARSE: Final = 0.03

Floats = NDArray[np.float64]


def direct_lingam(table: Table, bounds: Bounds) -> Graph:
    """Order variables by which is least explained by the others, then choose parents by BIC.

    Source: Shimizu and others (2011), with the pairwise likelihood ratios of Hyvärinen and Smith (2013).

    Args:
        table: Numbers.
        bounds: What is known; a variable comes only after those required to cause it.
    """
    z = _standardised(table)
    left = list(range(z.shape[1]))
    order: list[int] = []
    rest = z.copy()
    while left:
        free = [j for j in left if not any(bounds.required[i, j] for i in left)]
        # one that may cause none of the others waits until they are placed
        useful = [j for j in free if any(bounds.allowed[j, k] for k in left if k != j)] or free
        chosen = useful[0] if len(useful) == 1 else min(useful, key=lambda j: _dependence(rest, j, left))
        order.append(chosen)
        left.remove(chosen)
        for k in left:
            slope = rest[:, chosen] @ rest[:, k] / (rest[:, chosen] @ rest[:, chosen])
            rest[:, k] -= slope * rest[:, chosen]
            rest[:, k] /= rest[:, k].std()
    return _parents_in(order, table, bounds)


def _dependence(rest: Floats, j: int, left: list[int]) -> float:
    """How much the evidence speaks against j being first: squares of what favours the other direction."""
    total = 0.0
    for k in left:
        if k != j:
            x, y = rest[:, j], rest[:, k]
            r = float(np.clip(x @ y / len(x), -0.999999, 0.999999))
            scale = (1 - r * r) ** 0.5
            forward = entropy_of(x) + entropy_of((y - r * x) / scale)
            backward = entropy_of(y) + entropy_of((x - r * y) / scale)
            total += min(0.0, backward - forward) ** 2
    return total


def _parents_in(order: list[int], table: Table, bounds: Bounds) -> Graph:
    data = score_data(table, "non_gaussian")
    out = np.zeros((len(order), len(order)), bool)
    before = np.zeros(len(order), bool)
    for child in order:
        out[:, child] = family(data, child, before & bounds.allowed[:, child], bounds.required[:, child])
        before[child] = True
    return out


def _standardised(table: Table) -> Floats:
    z = np.column_stack([variable.values for variable in table.variables])
    out: Floats = (z - z.mean(axis=0)) / z.std(axis=0)
    return out


def notears(table: Table, bounds: Bounds) -> Graph:
    """Minimise squared error with a penalty on weights, under a smooth constraint that keeps the graph acyclic.

    Source: Zheng, Aragam, Ravikumar and Xing (2018), with the polynomial of Yu, Chen, Gao and Yu (2019). Data are
    standardised, so that scale does not tell the order. Edges that are not allowed are fixed at nothing; required ones
    are free of the penalty and never cut off.

    Args:
        table: Numbers.
        bounds: What is known.
    """
    from scipy.optimize import minimize
    from threadpoolctl import threadpool_limits

    z = _standardised(table)
    n, d = z.shape
    moments = z.T @ z / n
    sparse = np.where(bounds.required, 0.0, _SPARSE).ravel()

    def loss(w: Floats, rho: float, alpha: float) -> tuple[float, Floats]:
        weights = (w[: d * d] - w[d * d :]).reshape(d, d)
        around = np.linalg.matrix_power(np.eye(d) + weights * weights / d, d - 1)
        h = _circles(weights)
        rest = np.eye(d) - weights
        fit = 0.5 * np.trace(rest.T @ moments @ rest)
        slope = (-moments @ rest + (rho * h + alpha) * around.T * weights * 2).ravel()
        value = fit + 0.5 * rho * h * h + alpha * h + sparse @ (w[: d * d] + w[d * d :])
        return float(value), np.concatenate([slope + sparse, -slope + sparse])

    limits = [
        (0.0, None if bounds.allowed[i, j] else 0.0) for _ in range(2) for i in range(d) for j in range(d)
    ]
    w, rho, alpha, h = np.zeros(2 * d * d), 1.0, 0.0, np.inf
    for _ in range(50):
        while True:
            with threadpool_limits(limits=1):  # matrices are small
                found = minimize(loss, w, args=(rho, alpha), method="L-BFGS-B", jac=True, bounds=limits)
            weights = (found.x[: d * d] - found.x[d * d :]).reshape(d, d)
            after = _circles(weights)
            if after <= 0.25 * h or rho >= 1e16:
                break
            rho *= 10
        w, h = found.x, after
        alpha += rho * h
        if h <= 1e-7 or rho >= 1e16:
            break
    return _cut(np.abs(weights), bounds)


def _circles(weights: Floats) -> float:
    """How much weight runs in circles: 0 only without any."""
    d = len(weights)
    return float(np.trace(np.linalg.matrix_power(np.eye(d) + weights * weights / d, d)) - d)


def _cut(weights: Floats, bounds: Bounds) -> Graph:
    """Edges from the strongest down, as long as they close no circle."""
    out = bounds.required.copy()
    for place in np.argsort(-weights, axis=None):
        i, j = np.unravel_index(place, weights.shape)
        if weights[i, j] <= _SMALL:
            break
        out[i, j] = True
        if not is_acyclic(out):
            out[i, j] = bounds.required[i, j]
    return out
