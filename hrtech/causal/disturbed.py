"""Disturbed worlds: the data with one thing changed at random, many times, made anew from the data each time.

`placebo_treatment`: exposures are dealt out again among the rows. `random_common_cause`: a column of noise is adjusted
for besides. `data_subset`: a random 80 % of the rows. `bootstrap`: rows, or clusters, drawn with replacement.
`unobserved_confounder`: a common cause of stated strength is made up and adjusted for.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from hrtech.causal.classical import Worlds

SUBSET: Final = 0.8


def placebo_treatment(base: Worlds, number: int, rng: np.random.Generator) -> Worlds:
    """Return worlds in which the exposure has nothing to do with anything."""
    dealt = rng.permuted(np.tile(base.treatment[:, 0], (number, 1)), axis=1).T
    return _changed(base, treatment=np.ascontiguousarray(dealt))


def random_common_cause(base: Worlds, number: int, rng: np.random.Generator) -> Worlds:
    """Return worlds in which noise is adjusted for besides."""
    return _changed(base, extra=rng.normal(size=(len(base.treatment), number)))


def data_subset(base: Worlds, number: int, rng: np.random.Generator) -> Worlds:
    """Return worlds of some of the rows."""
    n = len(base.treatment)
    ranks = np.argsort(rng.random((number, n)), axis=1).argsort(axis=1).T
    return _changed(base, weights=base.weights * (ranks < int(SUBSET * n)))


def bootstrap(base: Worlds, number: int, rng: np.random.Generator) -> Worlds:
    """Return worlds of rows, or clusters, drawn with replacement."""
    place = np.arange(len(base.treatment))
    if base.cluster is not None:
        place = np.unique(base.cluster, return_inverse=True)[1]
    groups = int(place.max()) + 1
    drawn = rng.multinomial(groups, np.full(groups, 1 / groups), size=number).T
    return _changed(base, weights=base.weights * drawn[place])


DISTURBANCES: Final[dict[str, Callable[[Worlds, int, np.random.Generator], Worlds]]] = {
    "placebo_treatment": placebo_treatment,
    "random_common_cause": random_common_cause,
    "data_subset": data_subset,
    "bootstrap": bootstrap,
}


def unobserved_confounder(
    base: Worlds,
    outcome: np.ndarray,
    strength: tuple[float, float],
    sign: float,
    number: int,
    rng: np.random.Generator,
) -> Worlds:
    """Return worlds in which a confounder of stated strength had been measured after all.

    It is made of what the adjusters leave unexplained of exposure and outcome, and noise, so that it explains exactly
    the stated shares (partial R²) of what is left of the exposure, and then of the outcome, as in Cinelli and Hazlett
    (2020); adjusting for it shows what the estimate would have been.

    Args:
        base: The data.
        outcome: (n,).
        strength: Partial R² with the exposure, and with the outcome given the exposure.
        sign: 1 where it raises the estimate that leaves it out, −1 where it lowers it.
        number: How many worlds.
        rng: Source of the noise.
    """
    root = np.sqrt(base.weights[:, 0])
    used = root > 0
    basis = np.linalg.qr(base.columns.x * root[:, None])[0]

    def left(values: np.ndarray, more: np.ndarray | None = None) -> np.ndarray:
        values = values - basis @ (basis.T @ values)
        if more is not None:
            values = values - more @ (more.T @ values)
        return np.asarray(values / np.linalg.norm(values, axis=0))

    exposure = left(root * base.treatment[:, 0])[:, None]
    rest = left(root * outcome, exposure)[:, None]
    noise = left(root[:, None] * rng.normal(size=(len(root), number)), np.column_stack([exposure, rest]))
    with_t, with_y = strength
    own = np.sqrt(with_y) * np.sign(sign) * rest + np.sqrt(1 - with_y) * noise
    made = np.sqrt(with_t) * exposure + np.sqrt(1 - with_t) * own
    made = made * np.sqrt(used.sum()) / np.where(used, root, 1)[:, None]
    return _changed(base, extra=made)


def _changed(
    base: Worlds,
    *,
    treatment: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    extra: np.ndarray | None = None,
) -> Worlds:
    """Return fresh worlds; only the order of neighbours, which depends on the adjusters alone, is kept.

    Logistic regressions start from the coefficients of the data, which saves steps and changes nothing.
    """
    start = None
    if treatment is None and base.logistic:
        start = base.fitted()[0]
        if extra is not None:
            start = np.column_stack([start, np.zeros((len(start), 1))])
    return Worlds(
        base.treatment if treatment is None else treatment,
        base.covariates,
        base.weights if weights is None else weights,
        extra=extra,
        cluster=base.cluster,
        near=base.near,
        start=start,
        seed=base.seed,
    )
