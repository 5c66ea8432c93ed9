"""Intervals that hold when trends were not parallel, as far as a stated bound allows.

Source: Rambachan and Roth, A more credible approach to parallel trends, Review of Economic Studies 2023.
Relative magnitudes: after the event the trends drift apart from one period to the next by at most M times the
largest such step before it. Its interval inverts the conditional test with a least favourable first stage (hybrid);
for a linear target each piece of the restriction comes down to two moment inequalities without nuisance, which are
tested exactly. Smoothness: the slope of the difference changes by at most M from one period to the next; its
interval is the shortest of fixed length around a linear estimator (FLCI).

Estimates come as a vector over consecutive periods; the base period, whose estimate is 0, is left out between
`before` and `after`.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

#: Share of the error rate spent on the least favourable first stage.
_FIRST = 0.1
_GRID = 2001
#: Points looked at between two corners of the path.
_BETWEEN = 12


@dataclass(frozen=True)
class Leads:
    """Estimates before and after the event.

    Attributes:
        before: (P,) estimates of consecutive periods up to the one before the base, in order.
        after: (Q,) estimates of consecutive periods from the one after the base.
        covariance: (P + Q, P + Q).
        target: (Q,) weights of the effect asked about.
    """

    before: np.ndarray
    after: np.ndarray
    covariance: np.ndarray
    target: np.ndarray

    @property
    def estimate(self) -> float:
        """The target, if trends are parallel."""
        return float(self.target @ self.after)

    @property
    def steps_before(self) -> np.ndarray:
        """(P, P + Q) linear maps from all estimates to each step before the event, the last one into the base."""
        p = len(self.before)
        steps = np.zeros((p, p + len(self.after)))
        for place in range(p - 1):
            steps[place, place], steps[place, place + 1] = -1, 1
        steps[p - 1, p - 1] = -1
        return steps


def relative_magnitudes(leads: Leads, bound: float, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of the target when steps after the event are at most `bound` times the largest before it."""
    alpha = 1 - confidence
    p = len(leads.before)
    all_estimates = np.concatenate([leads.before, leads.after])
    aim = np.concatenate([np.zeros(p), leads.target])
    # how far the target moves when each step after the base moves by one
    reach = float(np.abs(np.cumsum(leads.target[::-1])).sum())
    spread = float(np.sqrt(aim @ leads.covariance @ aim))
    steps = leads.steps_before
    size = np.sqrt(np.einsum("ij,jk,ik->i", steps, leads.covariance, steps))
    widest = bound * reach * float((np.abs(steps @ all_estimates) + 6 * size).max()) + 6 * spread
    grid = leads.estimate + np.linspace(-1, 1, _GRID) * widest
    inside = np.zeros(_GRID, dtype=bool)
    for step in steps:
        for sign in (1.0, -1.0):
            upper, lower = aim - bound * reach * sign * step, -aim - bound * reach * sign * step
            inside |= ~_rejected(upper, lower, all_estimates, leads.covariance, grid, alpha)
    low, high = grid[inside].min(), grid[inside].max()
    half = (grid[1] - grid[0]) / 2
    return float(low - half), float(high + half)


def _rejected(
    upper: np.ndarray,
    lower: np.ndarray,
    estimates: np.ndarray,
    covariance: np.ndarray,
    grid: np.ndarray,
    alpha: float,
) -> np.ndarray:
    """Test `upper'b ≤ grid` and `lower'b ≤ -grid` at once."""
    from scipy.special import ndtr, ndtri

    first, second = np.sqrt(upper @ covariance @ upper), np.sqrt(lower @ covariance @ lower)
    related = float(upper @ covariance @ lower / (first * second))
    y = np.stack([(upper @ estimates - grid) / first, (lower @ estimates + grid) / second])
    largest, other = y.max(axis=0), y.min(axis=0)
    kappa = _FIRST * alpha
    favourable = ndtri(1 - kappa / 2)
    left = (alpha - kappa) / (1 - kappa)
    # given which moment is largest, it lies above this value (the other one's part that it does not explain)
    floor = (other - related * largest) / max(1 - related, 1e-12)
    beyond = ndtr(np.minimum(floor, favourable))
    critical = ndtri((1 - left) * ndtr(favourable) + left * beyond)
    return (largest > favourable) | (largest > np.maximum(critical, 0))


def smoothness(
    leads: Leads, bounds: tuple[float, ...], confidence: float = 0.95
) -> list[tuple[float, float]]:
    """Intervals of the target when the slope of the difference changes by at most each of `bounds` a period."""
    q = len(leads.after)
    goal = float(np.arange(1, q + 1) @ leads.target)
    tails = [abs(float(np.arange(1, size + 1) @ leads.target[q - size :])) for size in range(1, q + 1)]
    fixed = float(np.sum(tails)) - goal
    estimates = np.concatenate([leads.before, leads.after])
    lines = [
        (float(line @ estimates), float(np.sqrt(line @ leads.covariance @ line)), fixed + bias)
        for line, bias in _frontier(leads, goal)
    ]
    found = []
    for bound in bounds:
        halves = [spread * folded_quantile(bound * bias / spread, confidence) for _, spread, bias in lines]
        best = int(np.argmin(halves))
        found.append((lines[best][0] - halves[best], lines[best][0] + halves[best]))
    return found


def _frontier(leads: Leads, goal: float) -> list[tuple[np.ndarray, float]]:
    """Linear estimators from least variance to least bias, with their bias at a bound of 1.

    The unknowns are the sums of the weights on slopes from the first up to each; the last sum is the goal, so that a
    straight line is estimated without bias. The interval is the shortest over the frontier, which does not depend
    on the bound.
    """
    p, total = len(leads.before), len(leads.before) + len(leads.after)
    constant = np.concatenate([np.zeros(p), leads.target])
    moves = np.zeros((p, total))
    for s in range(p):  # a sum adds to slope s and takes from slope s + 1
        moves[s] = -_slope(s, p, total) + (_slope(s + 1, p, total) if s + 1 < p else 0)
    constant = constant + goal * moves[p - 1]
    if p == 1:
        return [(constant, abs(goal))]
    free = moves[: p - 1]
    gram = free @ leads.covariance @ free.T
    linear = free @ leads.covariance @ constant
    found = []
    for sums in _shrinking_path(gram, linear):
        found.append((constant + sums @ free, float(np.abs(sums).sum() + abs(goal))))
    return found


def _slope(s: int, p: int, total: int) -> np.ndarray:
    """Map from estimates to the s-th slope before the event; the last one leads into the base."""
    out = np.zeros(total)
    out[s] = -1
    if s + 1 < p:
        out[s + 1] = 1
    return out


def _shrinking_path(gram: np.ndarray, linear: np.ndarray) -> list[np.ndarray]:
    """Minimisers of u'Gu/2 + linear'u + pull·|u|₁ for every pull, by homotopy (Osborne, Presnell and Turlach 2000).

    The path is piecewise linear in the pull; its corners are returned, and points between them.
    """
    size = len(linear)
    ridge = gram + np.eye(size) * 1e-12 * max(float(np.trace(gram)) / size, 1e-300)
    u, pull = np.zeros(size), float(np.abs(linear).max())
    corners = [u.copy()]
    active = np.zeros(size, dtype=bool)
    signs = np.zeros(size)
    first = int(np.abs(linear).argmax())
    active[first], signs[first] = True, -np.sign(linear[first])
    for _ in range(8 * size):
        on = np.flatnonzero(active)
        inverse = np.linalg.inv(ridge[np.ix_(on, on)])
        rest, slope = -inverse @ linear[on], -inverse @ signs[on]  # u_on = rest + pull · slope
        step, event = 0.0, None
        for place, j in enumerate(on):  # a coordinate reaches 0
            at = -rest[place] / slope[place] if slope[place] else np.inf
            if step < at < pull * (1 - 1e-9):
                step, event = at, (int(j), 0.0)
        for j in np.flatnonzero(~active):  # a gradient reaches the pull
            level, tilt = linear[j] + ridge[j, on] @ rest, ridge[j, on] @ slope
            for sign in (1.0, -1.0):
                at = sign * level / (1 - sign * tilt) if 1 - sign * tilt else np.inf
                if step < at < pull * (1 - 1e-9):
                    step, event = at, (int(j), -sign)
        pull = step
        u = np.zeros(size)
        u[on] = rest + pull * slope
        corners.append(u.copy())
        if event is None:
            break
        active[event[0]], signs[event[0]] = event[1] != 0, event[1]
        if not active.any():
            break
    shares = np.linspace(0, 1, _BETWEEN, endpoint=False)
    between = [(1 - t) * a + t * b for a, b in pairwise(corners) for t in shares]
    return [*between, corners[-1]]


def folded_quantile(shift: float, confidence: float) -> float:
    """Quantile of |N(shift, 1)|."""
    from scipy.optimize import brentq
    from scipy.special import ndtr

    shift = abs(shift)

    def short(x: float) -> float:
        return float(ndtr(x - shift) - ndtr(-x - shift) - confidence)

    return float(brentq(short, 0, shift + 10))
