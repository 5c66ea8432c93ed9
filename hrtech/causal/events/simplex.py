"""Least squares over the simplex, exact, for many problems at once.

minimise ½ w'(G + diag(r)) w − h'w  subject to  w ≥ 0, Σ w = 1

by an active-set method (Lawson and Hanson 1974, chapter 23, with the sum as an equality): the answer satisfies the
optimality conditions to rounding, so that it does not depend on a stopping rule. All problems advance together, so
that the work is a few stacks of small linear systems. Where the ridge is strong, a projected gradient finds most of
the support first.
"""

from typing import Final

import numpy as np

#: Optimality: no direction lowers the objective by more than this share of its scale.
TOLERANCE: Final = 1e-9
_ROUNDS_EACH: Final = 6
_MOST_NUMBERS: Final = 4_000_000
#: Ridge as a share of the mean diagonal from which warm starts may hold many variables at once.
_STRONG: Final = 1e-6
_WARM: Final = 40


class SimplexError(ArithmeticError):
    """The active set did not settle; the problem is not finite or no variable is allowed."""


def simplex_least_squares(
    gram: np.ndarray,
    cross: np.ndarray,
    ridge: np.ndarray,
    allowed: np.ndarray,
    factor: np.ndarray | None = None,
) -> np.ndarray:
    """Solve K problems in N variables.

    Args:
        gram: (N, N) shared, or (K, N, N); positive semi-definite.
        cross: (K, N).
        ridge: (K, N), not negative.
        allowed: (K, N) bool: variables that may be above 0; at least one a problem.
        factor: (T, N) with `factor.T @ factor` the shared gram matrix; where T is small and the ridge strong, systems
            are solved in T numbers.

    Returns:
        (K, N) weights, each row summing to 1.

    Raises:
        SimplexError: A number is not finite, a problem has no variable, or the active set did not settle.
    """
    if not allowed.any(axis=1).all():
        raise SimplexError("a problem has no variable that may be above 0")
    if not (np.isfinite(gram).all() and np.isfinite(cross).all() and np.isfinite(ridge).all()):
        raise SimplexError("a problem holds a number that is not finite")
    count, width = cross.shape
    step = max(1, _MOST_NUMBERS // (width * width if factor is None else width * len(factor)))
    out = np.empty((count, width))
    for start in range(0, count, step):
        part = slice(start, start + step)
        one = gram if gram.ndim == 2 else gram[part]
        out[part] = _solve(one, cross[part], ridge[part], allowed[part], factor)
    return out


def _solve(
    gram: np.ndarray, cross: np.ndarray, ridge: np.ndarray, allowed: np.ndarray, factor: np.ndarray | None
) -> np.ndarray:
    count, width = cross.shape
    diagonal = np.einsum("...ii->...i", gram) + ridge
    scale = np.maximum(np.where(allowed, diagonal, 0).max(axis=1), np.finfo(float).tiny)
    strong = np.where(allowed, ridge, np.inf).min(axis=1) > _STRONG * scale
    weights = np.zeros((count, width))
    best = np.argmin(np.where(allowed, 0.5 * diagonal - cross, np.inf), axis=1)
    weights[np.arange(count), best] = 1.0
    if factor is not None and (not strong.all() or len(factor) >= width):
        factor = None
    if strong.any():
        mine = gram if gram.ndim == 2 else gram[strong]
        weights[strong] = _approach(mine, cross[strong], ridge[strong], allowed[strong], factor)
    return _polish(gram, cross, ridge, allowed, weights, scale, factor)


def _polish(
    gram: np.ndarray,
    cross: np.ndarray,
    ridge: np.ndarray,
    allowed: np.ndarray,
    weights: np.ndarray,
    scale: np.ndarray,
    factor: np.ndarray | None,
) -> np.ndarray:
    """Move from feasible weights to the optimum."""
    count, width = cross.shape
    active = weights > 0
    going = np.arange(count)
    for _ in range(_ROUNDS_EACH * width + 50):
        mine = gram if gram.ndim == 2 else gram[going]
        h, r, w, on = cross[going], ridge[going], weights[going], active[going]
        aim = _on_support(mine, h, r, on) if factor is None else _by_factor(factor, h, r, on)
        # as far towards the aim as no weight falls below 0; the first to reach 0 leaves
        falling = on & (aim <= 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(falling, w / (w - aim), np.inf)
        share = np.where(falling & ~np.isfinite(share), 0.0, share)
        far = share.min(axis=1)
        blocked = far < 1
        w = np.where(on, w + np.minimum(far, 1.0)[:, None] * (aim - w), 0.0)
        leaving = blocked[:, None] & falling & (share <= far[:, None] * (1 + 1e-12))
        w[leaving] = 0.0
        on = on & ~leaving
        gradient = _times(mine, w, factor) + r * w - h
        level = (gradient * w).sum(axis=1)
        gain = np.where(allowed[going] & ~on, level[:, None] - gradient, -np.inf)
        first = gain.argmax(axis=1)
        enters = ~blocked & (gain[np.arange(len(going)), first] > TOLERANCE * scale[going])
        rows = np.flatnonzero(enters)
        on[rows, first[rows]] = True
        weights[going], active[going] = w, on
        going = going[blocked | enters]
        if not len(going):
            weights = np.maximum(weights, 0)
            return weights / weights.sum(axis=1, keepdims=True)
    raise SimplexError("the active set did not settle")


def _on_support(gram: np.ndarray, cross: np.ndarray, ridge: np.ndarray, on: np.ndarray) -> np.ndarray:
    """Solve with the sum alone as a constraint, over each problem's support; (K, N), 0 elsewhere."""
    count, width = on.shape
    sizes = on.sum(axis=1)
    most = int(sizes.max())
    order = np.argsort(~on, axis=1, kind="stable")[:, :most]
    real = np.arange(most)[None, :] < sizes[:, None]
    both = real[:, :, None] & real[:, None, :]
    if gram.ndim == 2:
        block = gram[order[:, :, None], order[:, None, :]]
    else:
        block = gram[np.arange(count)[:, None, None], order[:, :, None], order[:, None, :]]
    system = np.zeros((count, most + 1, most + 1))
    system[:, :most, :most] = np.where(both, block, 0.0)
    index = np.arange(most)
    diagonal = system[:, index, index]
    extra = np.where(real, np.take_along_axis(ridge, order, axis=1), 0.0)
    # a part in 10^13 of the diagonal keeps nearly equal donors apart without moving the answer
    system[:, index, index] = np.where(real, diagonal + extra + 1e-13 * diagonal, 1.0)
    system[:, :most, most] = real
    system[:, most, :most] = real
    right = np.zeros((count, most + 1))
    right[:, :most] = np.where(real, np.take_along_axis(cross, order, axis=1), 0.0)
    right[:, most] = 1.0
    unit = np.abs(system[:, :most, :most]).max(axis=(1, 2))
    system[:, :most, :most] /= unit[:, None, None]
    right[:, :most] /= unit[:, None]
    # padded variables have their own equation x = 0
    found = np.linalg.solve(system, right[:, :, None])[:, :most, 0]
    out = np.zeros((count, width))
    np.put_along_axis(out, order, np.where(real, found, 0.0), axis=1)
    return out


def _by_factor(factor: np.ndarray, cross: np.ndarray, ridge: np.ndarray, on: np.ndarray) -> np.ndarray:
    """The same as `_on_support` by the matrix inversion lemma, in systems as large as the factor has rows."""
    inverse = on / ridge
    inner = np.eye(len(factor)) + np.einsum("tn,kn,sn->kts", factor, inverse, factor, optimize=True)
    both = np.stack([cross, np.ones_like(cross)], axis=2) * inverse[:, :, None]
    within = np.linalg.solve(inner, np.einsum("tn,knc->ktc", factor, both, optimize=True))
    found = both - inverse[:, :, None] * np.einsum("tn,ktc->knc", factor, within, optimize=True)
    level = (found[:, :, 0].sum(axis=1) - 1) / found[:, :, 1].sum(axis=1)
    return found[:, :, 0] - level[:, None] * found[:, :, 1]


def _times(gram: np.ndarray, weights: np.ndarray, factor: np.ndarray | None) -> np.ndarray:
    if factor is not None:
        return (weights @ factor.T) @ factor
    return weights @ gram if gram.ndim == 2 else np.einsum("kij,kj->ki", gram, weights)


def _approach(
    gram: np.ndarray,
    cross: np.ndarray,
    ridge: np.ndarray,
    allowed: np.ndarray,
    factor: np.ndarray | None,
) -> np.ndarray:
    """Accelerated projected gradient (Beck and Teboulle 2009), to find most of the support."""
    small = gram if factor is None else factor @ factor.T
    largest = np.linalg.norm(small, ord=2, axis=(-2, -1))
    step = (1 / (largest + ridge.max(axis=1)))[:, None]
    weights = allowed / allowed.sum(axis=1, keepdims=True)
    point, momentum = weights, 1.0
    for _ in range(_WARM):
        moved = project(point - step * (_times(gram, point, factor) + ridge * point - cross), allowed)
        faster = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        point = moved + (momentum - 1) / faster * (moved - weights)
        weights, momentum = moved, faster
    return weights


def project(points: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Nearest points of the simplex over the allowed variables, row by row (Duchi et al. 2008)."""
    masked = np.where(allowed, points, -np.inf)
    falling = -np.sort(-masked, axis=1)
    sums = np.cumsum(np.where(np.isfinite(falling), falling, 0.0), axis=1) - 1
    places = np.arange(1, points.shape[1] + 1)
    kept = np.isfinite(falling) & (falling * places > sums)
    last = kept.shape[1] - 1 - np.argmax(kept[:, ::-1], axis=1)
    level = np.take_along_axis(sums / places, last[:, None], axis=1)
    return np.where(allowed, np.maximum(points - level, 0.0), 0.0)
