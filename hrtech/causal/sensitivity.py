"""How strong an unmeasured confounder would have to be, in three languages.

E-value: how strongly, as a risk ratio, it would have to go with both exposure and outcome to explain an effect away
(VanderWeele and Ding 2017). Robustness value: which share of what is left of both it would have to explain, beside what
the observed confounders explain (Cinelli and Hazlett 2020). Rosenbaum bounds: by which factor it could change the odds
of exposure within matched pairs before the finding would no longer be significant (Rosenbaum 2002).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hrtech.causal.design import Design

#: Factors on the odds of exposure at which Rosenbaum's bounds are told.
GAMMAS = (1.0, 1.1, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0)
_MOST_PAIRED = 4_000
#: ln RR ≈ .91 d for a standardised mean difference d (Chinn 2000; VanderWeele and Ding 2017).
_PER_DEVIATION = 0.91


def e_value(ratio: float) -> float:
    """Return the E-value of a risk ratio: RR + √(RR (RR − 1)), of its inverse where it is below 1."""
    if not np.isfinite(ratio) or ratio <= 0:
        return float("nan")
    ratio = max(ratio, 1 / ratio)
    return float(ratio + np.sqrt(ratio * (ratio - 1)))


def e_values(
    estimate: float, low: float, high: float, outcome: np.ndarray, unexposed: np.ndarray
) -> tuple[float, float, str]:
    """Return the E-value of a mean difference, that of the end of its interval nearer 0 (1 where it holds 0), and how.

    Args:
        estimate: Mean difference in the outcome.
        low: Lower end of its interval.
        high: Upper end.
        outcome: Number per row.
        unexposed: Mask of the unexposed rows.

    A yes/no outcome: the ratio is (r + difference) / r with the unexposed's share r. Any other: RR ≈ exp(.91 d), d the
    difference in standard deviations of the outcome.
    """
    near = 0.0 if low <= 0 <= high else (low if low > 0 else high)
    if set(np.unique(outcome)) <= {0.0, 1.0}:
        share = float(outcome[unexposed].mean())
        if not 0 < share < 1 or share + estimate <= 0:
            return float("nan"), float("nan"), "the share among the unexposed gives no risk ratio"
        found, limit = (e_value(max((share + value) / share, 1e-9)) for value in (estimate, near))
        return (
            found,
            limit,
            f"risk ratio {(share + estimate) / share:.3g} against a share of {share:.3g} unexposed",
        )
    deviation = float(outcome.std(ddof=1))
    found, limit = (e_value(float(np.exp(_PER_DEVIATION * value / deviation))) for value in (estimate, near))
    return found, limit, "risk ratio approximated by exp(.91 × standardised difference)"


def robustness_value(t_value: float, freedom: float, *, q: float = 1.0, alpha: float | None = None) -> float:
    """Return the robustness value of a regression coefficient.

    The share (partial R²) of what is left of both exposure and outcome that a confounder must explain to take away the
    part q of the estimate; with alpha, to make it no longer differ from that at this level.

    Args:
        t_value: Estimate over its classical standard error.
        freedom: Residual degrees of freedom.
        q: Part of the estimate.
        alpha: Level, or None for the point estimate.
    """
    from scipy import stats

    f = q * abs(t_value) / np.sqrt(freedom)
    if alpha is not None:
        critical = abs(stats.t.ppf(alpha / 2, freedom - 1)) / np.sqrt(freedom - 1)
        if f <= critical:
            return 0.0
        if q * abs(t_value) / np.sqrt(freedom) > 1 / critical:
            # a confounder that explains all of the outcome is the stronger one (Cinelli and Hazlett 2022, appendix)
            return float((f**2 - critical**2) / (1 + f**2))
        f = f - critical
    return float((np.sqrt(f**4 + 4 * f**2) - f**2) / 2)


@dataclass(frozen=True)
class Regression:
    """A regression of the outcome on exposure and adjusters, with the classical standard error.

    Attributes:
        estimate: Coefficient of the exposure.
        error: Classical standard error.
        freedom: Residual degrees of freedom.
    """

    estimate: float
    error: float
    freedom: int

    @property
    def t_value(self) -> float:
        """Estimate over standard error."""
        return self.estimate / self.error

    @property
    def partial_r2(self) -> float:
        """Share of what is left of the outcome that the exposure explains."""
        return self.t_value**2 / (self.t_value**2 + self.freedom)

    def adjusted(self, r2_exposure: float, r2_outcome: float) -> tuple[float, float, float]:
        """Return estimate, standard error and t value with a confounder of given partial R² that weakens the effect."""
        bias = self.error * np.sqrt(r2_outcome * r2_exposure / (1 - r2_exposure) * self.freedom)
        estimate = np.sign(self.estimate) * (abs(self.estimate) - bias)
        error = self.error * np.sqrt((1 - r2_outcome) / (1 - r2_exposure) * self.freedom / (self.freedom - 1))
        return float(estimate), float(error), float(estimate / error) if error > 0 else float("nan")


def regress(design: Design) -> Regression:
    """Regress the outcome on exposure and adjusters, with survey weights where there are any."""
    root = np.ones(design.n) if design.weights is None else np.sqrt(design.weights)
    x = np.column_stack([np.ones(design.n), design.covariates]) * root[:, None]
    t, y = _left(root * design.treatment, x), _left(root * design.outcome, x)
    estimate = float(t @ y / (t @ t))
    residual = y - estimate * t
    freedom = design.n - x.shape[1] - 1
    return Regression(estimate, float(np.sqrt(residual @ residual / freedom / (t @ t))), freedom)


def benchmark_bounds(r2_exposure: float, r2_outcome: float, times: float) -> tuple[float, float]:
    """Return the partial R² of a confounder `times` as strong as an observed one: with the exposure, with the outcome.

    Args:
        r2_exposure: Partial R² of the observed one with the exposure, given the other adjusters.
        r2_outcome: Partial R² of the observed one with the outcome, given exposure and other adjusters.
        times: How many times as strong with both.

    Source: Cinelli and Hazlett 2020, section 4.4; each is kept below 1.
    """
    with_exposure = times * r2_exposure / (1 - r2_exposure)
    if with_exposure >= 1:
        return 1.0, 1.0
    alike = times * r2_exposure**2 / ((1 - times * r2_exposure) * (1 - r2_exposure))
    if times * r2_exposure >= 1 or alike >= 1:
        return float(with_exposure), 1.0
    factor = (np.sqrt(times) + np.sqrt(alike)) / np.sqrt(1 - alike)
    return float(with_exposure), float(min(factor**2 * r2_outcome / (1 - r2_outcome), 1.0))


def benchmarks(
    design: Design, groups: Mapping[str, Sequence[int]], times: Sequence[float] = (1.0, 2.0, 3.0)
) -> pd.DataFrame:
    """Say what a confounder as strong as observed ones, or several times as strong, would leave of the estimate.

    Args:
        design: The design.
        groups: Adjuster → its columns of the design; the columns of one adjuster count together.
        times: How many times as strong.

    Returns:
        `adjuster, times, r2_exposure, r2_outcome, estimate, standard_error, t_value`: partial R² of the hypothetical
        confounder, and the estimate if it were adjusted for as well.
    """
    found = regress(design)
    rows = []
    for name, columns in groups.items():
        with_t, with_y = _partial(design, list(columns))
        for many in times:
            bound_t, bound_y = benchmark_bounds(with_t, with_y, many)
            left = found.adjusted(bound_t, bound_y) if bound_t < 1 else (np.nan, np.nan, np.nan)
            rows.append((name, many, bound_t, bound_y, *left))
    columns_of = ["adjuster", "times", "r2_exposure", "r2_outcome", "estimate", "standard_error", "t_value"]
    return pd.DataFrame(rows, columns=columns_of).astype(
        {"adjuster": "str"} | dict.fromkeys(columns_of[1:], "float64")
    )


def columns_by_adjuster(design: Design, adjusted: Sequence[str]) -> dict[str, list[int]]:
    """Return the columns of every adjuster: its own name, or its name with a level."""
    found: dict[str, list[int]] = {}
    for place, name in enumerate(design.names):
        owner = next((one for one in adjusted if name == one or name.startswith(f"{one} = ")), name)
        found.setdefault(owner, []).append(place)
    return found


def contour(found: Regression, most: float = 0.4, steps: int = 41) -> pd.DataFrame:
    """Return `r2_exposure, r2_outcome, estimate` over a grid of confounders' strengths."""
    grid = np.linspace(0, most, steps)
    rows = [(t, y, found.adjusted(t, y)[0]) for t in grid for y in grid]
    return pd.DataFrame(rows, columns=["r2_exposure", "r2_outcome", "estimate"]).astype("float64")


def _left(values: np.ndarray, basis: np.ndarray) -> np.ndarray:
    q = np.linalg.qr(basis)[0]
    return np.asarray(values - q @ (q.T @ values))


def _partial(design: Design, columns: list[int]) -> tuple[float, float]:
    """Return the partial R² of some adjusters with the exposure, and with the outcome given the exposure."""
    root = np.ones(design.n) if design.weights is None else np.sqrt(design.weights)
    rest = [place for place in range(design.covariates.shape[1]) if place not in columns]
    few = np.column_stack([np.ones(design.n), design.covariates[:, rest]]) * root[:, None]
    all_ = np.column_stack([np.ones(design.n), design.covariates]) * root[:, None]
    t, y = root * design.treatment, root * design.outcome

    def share(values: np.ndarray, less: np.ndarray, more: np.ndarray) -> float:
        before, after = _left(values, less), _left(values, more)
        return float(1 - (after @ after) / (before @ before))

    return share(t, few, all_), share(y, np.column_stack([few, t]), np.column_stack([all_, t]))


def matched_pairs(design: Design) -> np.ndarray:
    """Return differences exposed − unexposed of matched pairs, each row used once.

    The smaller arm is paired with the nearest rows of the other so that the sum of distances is least (an assignment
    problem), or one after the other where there are more than 4,000 rows.
    """
    exposed, others = np.flatnonzero(design.treatment == 1), np.flatnonzero(design.treatment == 0)
    x = design.covariates
    if design.n <= _MOST_PAIRED:
        from scipy.optimize import linear_sum_assignment
        from scipy.spatial.distance import cdist

        distance = cdist(x[exposed], x[others]) if x.shape[1] else np.zeros((len(exposed), len(others)))
        left, right = linear_sum_assignment(distance)
        return np.asarray(design.outcome[exposed[left]] - design.outcome[others[right]])
    few, many = (exposed, others) if len(exposed) <= len(others) else (others, exposed)
    free = np.ones(len(many), dtype=bool)
    differences = np.empty(len(few))
    for place, row in enumerate(few):
        distance = np.where(free, ((x[many] - x[row]) ** 2).sum(axis=1), np.inf)
        taken = int(distance.argmin())
        free[taken] = False
        differences[place] = design.outcome[row] - design.outcome[many[taken]]
    return differences if few is exposed else -differences


def rosenbaum_bounds(differences: np.ndarray, gammas: Sequence[float] = GAMMAS) -> pd.DataFrame:
    """Bound the one-sided p of Wilcoxon's signed-rank test of matched pairs under hidden bias.

    Args:
        differences: Exposed − unexposed, one per pair; the side tested is that of the sum of signed ranks.
        gammas: Factors by which a hidden cause may change the odds of exposure within a pair.

    Returns:
        `gamma, p_lowest, p_highest`. Zero differences are left out; ties share mean ranks.
    """
    from scipy import stats

    kept = differences[differences != 0]
    ranks = stats.rankdata(np.abs(kept))
    up, down = float(ranks[kept > 0].sum()), float(ranks[kept < 0].sum())
    statistic = max(up, down)
    rows = []
    for gamma in gammas:
        found = []
        for chance in (1 / (1 + gamma), gamma / (1 + gamma)):
            mean, variance = chance * ranks.sum(), chance * (1 - chance) * (ranks**2).sum()
            score = (statistic - mean) / np.sqrt(variance) if variance > 0 else 0.0
            found.append(float(stats.norm.sf(score)))
        rows.append((float(gamma), *found))
    return pd.DataFrame(rows, columns=["gamma", "p_lowest", "p_highest"])


def breaking_gamma(differences: np.ndarray, alpha: float = 0.05, most: float = 50.0) -> float:
    """Return the factor at which the highest one-sided p of `rosenbaum_bounds` reaches alpha; 1 where it is there."""
    from scipy.optimize import brentq

    def over(gamma: float) -> float:
        return float(rosenbaum_bounds(differences, (gamma,))["p_highest"].iloc[0]) - alpha

    if not (differences != 0).any() or over(1.0) >= 0:
        return 1.0
    return most if over(most) < 0 else float(brentq(over, 1.0, most, xtol=1e-6))
