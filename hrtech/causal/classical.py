"""Average effects by regression, weighting, stratification, matching and linear AIPW, for many columns at once.

- `linear_regression`: least squares; HC2 (MacKinnon and White 1985), or CR1 where rows cluster.
- `ipw`: inverse-propensity weighting with weights that add up to one in each arm (Hájek). The variance takes the
  estimated propensity into account (Lunceford and Davidian 2004).
- `stratification`: mean difference within strata of the propensity with equal numbers of rows, `STRATA` of them, fewer
  where an arm is small. Strata that hold one arm alone do not count. Some confounding remains within strata.
- `matching`: the nearest row of the other arm, with replacement, all that tie; Euclidean distance of scaled adjusters;
  bias adjusted by one linear regression per arm (Abadie and Imbens 2011), their variance of 2006.
- `aipw_linear`: augmented weighting, cross-fitted, logistic propensity and one linear outcome model per arm.

Propensities are logistic and kept between .01 and .99. Every column starts from the data it is handed.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from hrtech.causal.columns import Columns, fit_linear, fit_logistic, propensities, solve

CLASSICAL: Final = ("linear_regression", "ipw", "stratification", "matching", "aipw_linear")
STRATA: Final = 10
_ROWS_PER_STRATUM = 15
_NEIGHBOURS = 160
_MOST_LISTED = 2_000_000
_FOLDS = 5


@dataclass
class Worlds:
    """B data sets with the same adjusters: what differs has a column each.

    Attributes:
        treatment: 0 or 1 (an amount for `linear_regression`), (n, B) or (n, 1).
        covariates: (n, p), scaled.
        weights: (n, B) or (n, 1); rows of weight 0 do not take part.
        extra: A further adjuster per column, (n, B), or None.
        cluster: Number of the cluster per row, or None.
        near: Sorted neighbours and squared distances, where they were found before (`neighbours`).
        start: Coefficients (1, width) from which logistic regressions start; they decide nothing but the time.
        seed: Seed of the folds.
    """

    treatment: np.ndarray
    covariates: np.ndarray
    weights: np.ndarray
    extra: np.ndarray | None = None
    cluster: np.ndarray | None = None
    near: tuple[np.ndarray, np.ndarray] | None = None
    start: np.ndarray | None = None
    seed: int = 1
    _kept: dict = field(default_factory=dict)

    @property
    def columns(self) -> Columns:
        """Adjusters with an intercept."""
        if "columns" not in self._kept:
            self._kept["columns"] = Columns(self.covariates, self.extra)
        return self._kept["columns"]

    @property
    def number(self) -> int:
        """B, but for the outcome."""
        extra = 1 if self.extra is None else self.extra.shape[1]
        return max(self.treatment.shape[1], self.weights.shape[1], extra)

    @property
    def logistic(self) -> bool:
        """Whether the exposure was fitted already."""
        return "propensity" in self._kept

    def fitted(self) -> tuple[np.ndarray, np.ndarray]:
        """Return coefficients and propensities of the exposure; fitted once for all outcomes of these worlds."""
        if "propensity" not in self._kept:
            treatment = _wide(self.treatment, self.number)
            start = None if self.start is None else np.tile(self.start, (self.number, 1))
            beta = fit_logistic(self.columns, treatment, self.weights, start)
            self._kept["propensity"] = beta, propensities(self.columns, beta)
        return self._kept["propensity"]

    def neighbours(self) -> tuple[np.ndarray, np.ndarray]:
        """Return sorted neighbours."""
        if self.near is None:
            self.near = neighbours(self.covariates)
        return self.near


def effects(
    name: str,
    treatment: np.ndarray,
    outcome: np.ndarray,
    covariates: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    cluster: np.ndarray | None = None,
    seed: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Estimate the average effect for every column.

    Args:
        name: One of `CLASSICAL`.
        treatment: 0 or 1 per row, (n,) or (n, B).
        outcome: Number per row, (n,) or (n, B).
        covariates: Adjusters, scaled, (n, p).
        weights: (n,) or (n, B); None: 1.
        cluster: Number of the cluster per row; standard errors are then robust to it. Those of matching are not.
        seed: Seed of the folds (`aipw_linear`).

    Returns:
        Effects and standard errors, (B,) each.
    """
    n = len(outcome)
    ones = np.ones((n, 1)) if weights is None else _two(weights)
    return estimate_worlds(
        name, Worlds(_two(treatment), covariates, ones, cluster=cluster, seed=seed), _two(outcome)
    )


def estimate_worlds(
    name: str, worlds: Worlds, outcome: np.ndarray, *, errors: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Estimate in every world.

    Args:
        name: One of `CLASSICAL`.
        worlds: The worlds.
        outcome: (n, B) or (n, 1).
        errors: Compute standard errors; NaN otherwise.
    """
    run = {
        "linear_regression": _regression,
        "ipw": _ipw,
        "stratification": _stratification,
        "matching": _matching,
        "aipw_linear": _aipw,
    }[name]
    return run(worlds, outcome, errors)


def neighbours(covariates: np.ndarray, most: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest rows of each row in order (itself may be one), and squared distances: (n, k) each."""
    from scipy.spatial import KDTree

    n, width = covariates.shape
    if not width:
        # everybody is alike: all of the other arm tie
        return np.arange(n, dtype=np.int64)[:, None], np.zeros((n, 1))
    most = most or max(16, min(_NEIGHBOURS, _MOST_LISTED // n))
    distance, near = KDTree(covariates).query(covariates, k=min(most, n))
    return np.ascontiguousarray(near, dtype=np.int64), np.ascontiguousarray(distance**2)


def _two(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    return values if values.ndim == 2 else values[:, None]


def _wide(values: np.ndarray, number: int) -> np.ndarray:
    return np.broadcast_to(values, (len(values), number)) if values.shape[1] != number else values


def _spread(influence: np.ndarray, cluster: np.ndarray | None) -> np.ndarray:
    """Return the standard error of a sum of contributions per row, (n, B), that average zero."""
    if cluster is None:
        n = len(influence)
        return np.asarray(np.sqrt((influence**2).sum(axis=0) * n / (n - 1)))
    from scipy.sparse import coo_array

    _, place = np.unique(cluster, return_inverse=True)
    groups = int(place.max()) + 1
    member = coo_array(
        (np.ones(len(place)), (place, np.arange(len(place)))), shape=(groups, len(place))
    ).tocsr()
    return np.asarray(np.sqrt(((member @ influence) ** 2).sum(axis=0) * groups / max(groups - 1, 1)))


def _regression(worlds: Worlds, outcome: np.ndarray, errors: bool) -> tuple[np.ndarray, np.ndarray]:
    number = max(worlds.number, outcome.shape[1])
    n = len(outcome)
    if worlds.weights.shape[1] == 1:
        root = np.sqrt(worlds.weights)
        basis = np.linalg.qr(worlds.columns.x * root)[0]
        t, y = root * worlds.treatment, root * outcome
        t, y = t - basis @ (basis.T @ t), y - basis @ (basis.T @ y)
        leverage = (basis**2).sum(axis=1)[:, None]
        if worlds.extra is not None:
            own = root * worlds.extra
            own = own - basis @ (basis.T @ own)
            own /= np.sqrt(np.maximum((own**2).sum(axis=0), 1e-300))
            t, y = t - own * (own * t).sum(axis=0), y - own * (own * y).sum(axis=0)
            leverage = leverage + own**2
    else:
        root = np.sqrt(_wide(worlds.weights, number))
        gram = worlds.columns.gram(root**2)
        moments = [
            worlds.columns.moment(root**2 * values)
            for values in (_wide(worlds.treatment, number), _wide(outcome, number))
        ]
        t, y = (
            root * (_wide(values, number) - worlds.columns.predict(solve(gram, moment)))
            for values, moment in zip((worlds.treatment, outcome), moments, strict=True)
        )
        leverage = np.zeros((n, 1))
    weight = (t**2).sum(axis=0)
    value = np.broadcast_to((t * y).sum(axis=0) / weight, (number,)).copy()
    if not errors:
        return value, np.full(number, np.nan)
    residual = y - value * t
    if worlds.cluster is not None:
        width = worlds.columns.width + 1
        error = _spread(t * residual, worlds.cluster) * np.sqrt((n - 1) / (n - width))
    else:
        left = np.maximum(1 - leverage - t**2 / weight, 1e-8)
        error = np.sqrt((t**2 * residual**2 / left).sum(axis=0))
    return value, np.broadcast_to(error / weight, (number,)).copy()


def _arms(worlds: Worlds, chance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return weights of exposed and unexposed that add up to one, (n, B) each."""
    with_ = worlds.weights * worlds.treatment / chance
    without = worlds.weights * (1 - worlds.treatment) / (1 - chance)
    return with_ / with_.sum(axis=0), without / without.sum(axis=0)


def _ipw(worlds: Worlds, outcome: np.ndarray, errors: bool) -> tuple[np.ndarray, np.ndarray]:
    _, chance = worlds.fitted()
    with_, without = _arms(worlds, chance)
    if outcome.shape[1] == 1:
        high, low = outcome[:, 0] @ with_, outcome[:, 0] @ without
    else:
        high, low = (with_ * outcome).sum(axis=0), (without * outcome).sum(axis=0)
    if not errors:
        return high - low, np.full(len(high), np.nan)
    up, down = with_ * (outcome - high), without * (outcome - low)
    slope = worlds.columns.moment(-(1 - chance) * up - chance * down)
    curve = worlds.columns.gram(_wide(worlds.weights * chance * (1 - chance), len(high)))
    pull = worlds.columns.predict(solve(curve, slope)) * worlds.weights * (worlds.treatment - chance)
    return high - low, _spread(up - down + pull, worlds.cluster)


def strata_of(chance: np.ndarray, weights: np.ndarray, number: int) -> np.ndarray:
    """Return the stratum per row and column: parts of like propensity that hold the same weight of rows."""
    order = np.argsort(chance.T, axis=1, kind="stable")
    sorted_weights = np.take_along_axis(np.broadcast_to(weights.T, chance.T.shape), order, axis=1)
    upto = sorted_weights.cumsum(axis=1)
    upto = (upto - sorted_weights / 2) / upto[:, -1:]
    strata = np.empty(order.shape, dtype=np.int64)
    np.put_along_axis(strata, order, np.minimum((upto * number).astype(np.int64), number - 1), axis=1)
    return strata.T


def within_strata(
    treatment: np.ndarray, outcome: np.ndarray, strata: np.ndarray, weights: np.ndarray, number: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean differences within strata, averaged over rows, and each row's contribution to their error.

    Args:
        treatment: 0 or 1, (n, B).
        outcome: (n, B).
        strata: 0 … number − 1, (n, B).
        weights: (n, B).
        number: How many strata there are.

    Returns:
        Effects (B,) and contributions (n, B); strata that hold one arm alone do not count.
    """
    columns = strata.shape[1]
    cell = (strata + number * np.arange(columns)).ravel()
    size = number * columns

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(cell, values.ravel(), size).reshape(columns, number)

    exposed, everyone = total(weights * treatment), total(weights)
    sum_exposed, sum_all = total(weights * treatment * outcome), total(weights * outcome)
    others = everyone - exposed
    usable = (exposed > 0) & (others > 1e-9)
    high = sum_exposed / np.where(usable, exposed, 1)
    low = (sum_all - sum_exposed) / np.where(usable, others, 1)
    part = np.where(usable, everyone, 0.0)
    part /= part.sum(axis=1, keepdims=True)
    effect = (part * (high - low)).sum(axis=1)

    def per_row(values: np.ndarray) -> np.ndarray:
        return values.ravel()[cell].reshape(strata.shape)

    many = [total((weights > 0) * arm) for arm in (treatment, 1 - treatment)]
    finite = [np.sqrt(count / np.maximum(count - 1, 1)) for count in many]
    up = per_row(part / np.where(usable, exposed, 1) * finite[0]) * treatment * (outcome - per_row(high))
    down = (
        per_row(part / np.where(usable, others, 1) * finite[1]) * (1 - treatment) * (outcome - per_row(low))
    )
    return effect, weights * (up - down)


def _stratification(worlds: Worlds, outcome: np.ndarray, errors: bool) -> tuple[np.ndarray, np.ndarray]:
    _, chance = worlds.fitted()
    number = max(worlds.number, outcome.shape[1])
    kept = worlds._kept
    if "strata" not in kept:
        share = (worlds.weights > 0).mean(axis=0).min()
        smaller = min(worlds.treatment.sum(axis=0).min(), (1 - worlds.treatment).sum(axis=0).min()) * share
        many = int(np.clip(smaller // _ROWS_PER_STRATUM, 2, STRATA))
        if not worlds.covariates.shape[1] and worlds.extra is None:
            many = 1
        kept["strata"] = strata_of(chance, worlds.weights, many), many
    strata, many = kept["strata"]
    treatment, values, places, weights = (
        _wide(part, number) for part in (worlds.treatment, outcome, strata, worlds.weights)
    )
    effect, influence = within_strata(treatment, values, places, weights, many)
    return effect, _spread(influence, worlds.cluster) if errors else np.full(number, np.nan)


def _matching(
    worlds: Worlds, outcome: np.ndarray, errors: bool, *, adjusted: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    from hrtech.causal.matching_loops import impute

    number = max(worlds.number, outcome.shape[1])
    near, apart = worlds.neighbours()
    treatment, weights, outcome = (_wide(v, number) for v in (worlds.treatment, worlds.weights, outcome))
    expected = np.zeros((2, *treatment.shape))
    if adjusted and (worlds.covariates.shape[1] or worlds.extra is not None):
        for level in (0, 1):
            beta = fit_linear(worlds.columns, outcome, weights * (treatment == level))
            expected[level] = worlds.columns.predict(beta)
    other = np.where(treatment == 1, expected[0], expected[1])
    own = np.where(treatment == 1, expected[1], expected[0])
    left = outcome - own
    if not errors:
        index = _matches(worlds, treatment, weights)
        if index is not None:
            difference = (2 * treatment - 1) * (outcome - np.take_along_axis(left, index, axis=0) - other)
            return (weights * difference).sum(axis=0) / weights.sum(axis=0), np.full(number, np.nan)
    x = np.ascontiguousarray(worlds.covariates)
    effect, error = np.empty(number), np.full(number, np.nan)
    found, alike = np.empty((3, len(x))), np.empty((3, len(x)))
    none = np.empty(0)
    for b in range(number):
        arm = treatment[:, b].astype(np.int8)
        weight = np.ascontiguousarray(weights[:, b])
        further = none if worlds.extra is None else np.ascontiguousarray(worlds.extra[:, b])
        impute(near, apart, x, further, arm, weight, np.ascontiguousarray(left[:, b]), False, found)
        difference = (2 * arm - 1) * (outcome[:, b] - found[0] - other[:, b])
        whole = weight.sum()
        effect[b] = weight @ difference / whole
        if errors:
            values = np.ascontiguousarray(outcome[:, b])
            impute(near, apart, x, further, arm, weight, values, True, alike)
            noise = (values - alike[0]) ** 2 / 2
            used = found[1] ** 2 + 2 * weight * found[1] - found[2]
            error[b] = (
                np.sqrt((weight**2 * (difference - effect[b]) ** 2).sum() + np.nansum(used * noise)) / whole
            )
    return effect, error


def _matches(worlds: Worlds, treatment: np.ndarray, weights: np.ndarray) -> np.ndarray | None:
    """Return the matched row per row and column, found once for all outcomes; None where rows tie."""
    from hrtech.causal.matching_loops import nearest

    kept = worlds._kept
    if "matches" not in kept:
        near, apart = worlds.neighbours()
        x, none = np.ascontiguousarray(worlds.covariates), np.empty(0)
        index = np.zeros((worlds.number, len(x)), dtype=np.int64)
        single = True
        for b in range(worlds.number):
            further = none if worlds.extra is None else np.ascontiguousarray(worlds.extra[:, b])
            arm = treatment[:, b].astype(np.int8)
            single = single and nearest(
                near, apart, x, further, arm, np.ascontiguousarray(weights[:, b]), index[b]
            )
        kept["matches"] = index.T if single else None
    found = kept["matches"]
    return None if found is None or found.shape[1] != treatment.shape[1] else found


def _aipw(worlds: Worlds, outcome: np.ndarray, errors: bool) -> tuple[np.ndarray, np.ndarray]:
    start, _ = worlds.fitted()
    number = max(worlds.number, outcome.shape[1])
    n, columns = len(outcome), worlds.columns
    fold = np.random.default_rng(worlds.seed).permutation(n) % _FOLDS
    treatment, weights = _wide(worlds.treatment, worlds.number), _wide(worlds.weights, worlds.number)
    wide_y = _wide(outcome, number)
    if "folds" not in worlds._kept:
        chance = np.empty(treatment.shape)
        for number_of in range(_FOLDS):
            rest, out = np.flatnonzero(fold != number_of), np.flatnonzero(fold == number_of)
            beta = fit_logistic(columns.take(rest), treatment[rest], weights[rest], start)
            chance[out] = propensities(columns.take(out), beta)
        worlds._kept["folds"] = chance
    chance = worlds._kept["folds"]
    expected = []
    for arm in (1 - treatment, treatment):
        use = _wide(weights * arm, number)
        parts = [columns.take(np.flatnonzero(fold == k)) for k in range(_FOLDS)]
        grams = [part.gram(use[fold == k]) for k, part in enumerate(parts)]
        moments = [part.moment((use * wide_y)[fold == k]) for k, part in enumerate(parts)]
        target = np.empty((n, number))
        for k, part in enumerate(parts):
            target[fold == k] = part.predict(solve(sum(grams) - grams[k], sum(moments) - moments[k]))
        expected.append(target)
    without, with_ = expected
    influence = (
        with_
        - without
        + treatment * (wide_y - with_) / chance
        - (1 - treatment) * (wide_y - without) / (1 - chance)
    )
    whole = weights.sum(axis=0)
    effect = (weights * influence).sum(axis=0) / whole
    if not errors:
        return effect, np.full(number, np.nan)
    return effect, _spread(weights * (influence - effect) / whole, worlds.cluster)
