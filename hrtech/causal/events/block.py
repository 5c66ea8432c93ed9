"""Difference-in-differences, synthetic control and synthetic difference-in-differences for one event, in batches.

A batch is K assignments of the same panel: who counts as treated and who may be a donor. The estimate itself is one
assignment, its placebos in space, its jackknife, its bootstrap and its leave-one-donor-out are others, so that all
of them are one call.

Sources: Arkhangelsky, Athey, Hirshberg, Imbens and Wager, Synthetic difference-in-differences, American Economic
Review 2021 (Algorithm 1 and its regularisation; synthetic control with the same solver and ridge near 0); Abadie,
Diamond and Hainmueller, JASA 2010.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from hrtech.causal.events.simplex import simplex_least_squares

Method = Literal["difference_in_differences", "synthetic_control", "synthetic_did"]
METHODS: Final[tuple[Method, ...]] = ("synthetic_did", "difference_in_differences", "synthetic_control")

#: Ridge of weights that the paper leaves all but free, as a multiple of the noise level.
_FREE: Final = 1e-6


@dataclass(frozen=True)
class Block:
    """K assignments over a panel.

    Attributes:
        outcomes: (N, T), no blanks.
        before: Periods before the event (those of an anticipation window left out).
        treated: (K, N): share of each unit in the treated mean; rows sum to 1.
        donors: (K, N): how often each unit counts as a donor (0: never; above 1 only in a bootstrap).
        treated_count: (K,): treated units, for the regularisation.
    """

    outcomes: np.ndarray
    before: int
    treated: np.ndarray
    donors: np.ndarray
    treated_count: np.ndarray

    @property
    def after(self) -> int:
        """Periods from the event on."""
        return self.outcomes.shape[1] - self.before


@dataclass(frozen=True)
class Fit:
    """What K assignments give.

    Attributes:
        effects: (K,) mean effect on the treated over the periods after.
        gaps: (K, T) treated minus counterfactual in each period, levelled so that the weighted mean before is 0 (for
            synthetic control: not levelled).
        counterfactual: (K, T) path without the event.
        unit_weights: (K, N), summing to 1.
        time_weights: (K, T_before), summing to 1 (synthetic control: 0, for it levels nothing).
    """

    effects: np.ndarray
    gaps: np.ndarray
    counterfactual: np.ndarray
    unit_weights: np.ndarray
    time_weights: np.ndarray


def fit_block(block: Block, method: Method) -> Fit:
    """Estimate every assignment by one method."""
    omega, shares = unit_weights(block, method)
    path = block.treated @ block.outcomes
    synthetic = omega @ block.outcomes
    if method == "synthetic_did":
        lambdas = _time_weights(block, shares)
    elif method == "difference_in_differences":
        lambdas = np.full((len(path), block.before), 1 / block.before)
    else:
        lambdas = np.zeros((len(path), block.before))
    raw = path - synthetic
    gaps = raw - (raw[:, : block.before] * lambdas).sum(axis=1, keepdims=True)
    return Fit(gaps[:, block.before :].mean(axis=1), gaps, path - gaps, omega, lambdas)


def unit_weights(block: Block, method: Method, horizon: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the donors, and every donor's equal share.

    `horizon` is the number of periods after that the ridge assumes, where the block itself has none.
    """
    shares = block.donors / block.donors.sum(axis=1, keepdims=True)
    if method == "difference_in_differences":
        return shares, shares
    pre = block.outcomes[:, : block.before]
    noise = noise_level(block)
    with_intercept = method == "synthetic_did"
    # the paper centres each series over the periods before: only shapes have to agree, levels need not
    centred = pre - pre.mean(axis=1, keepdims=True) if with_intercept else pre
    aim = block.treated @ centred
    zeta = (
        (block.treated_count * (horizon or block.after)) ** 0.25 * noise if with_intercept else _FREE * noise
    )
    ridge = np.repeat((zeta**2 * block.before)[:, None], len(pre), axis=1)
    # a unit drawn c times shares its weight among its copies: its ridge is c times weaker
    copies = np.where(block.donors > 0, block.donors, 1)
    omega = simplex_least_squares(
        centred @ centred.T, aim @ centred.T, ridge / copies, block.donors > 0, centred.T
    )
    return omega, shares


def noise_level(block: Block) -> np.ndarray:
    """Spread of the donors' period-to-period changes before the event, (K,)."""
    if block.before < 2:
        return np.zeros(len(block.donors))
    change = np.diff(block.outcomes[:, : block.before], axis=1)
    count = block.donors.sum(axis=1) * change.shape[1]
    mean = block.donors @ change.sum(axis=1) / count
    square = block.donors @ (change**2).sum(axis=1)
    return np.sqrt(np.maximum(square - count * mean**2, 0) / np.maximum(count - 1, 1))


def _time_weights(block: Block, shares: np.ndarray) -> np.ndarray:
    """Weights of the periods before, which make donors' weighted past resemble their mean afterwards; (K, T_before)."""
    pre = block.outcomes[:, : block.before]
    post = block.outcomes[:, block.before :].mean(axis=1)
    mean_pre, mean_post = shares @ pre, shares @ post
    count = len(shares)
    pairs = (pre[:, :, None] * pre[:, None, :]).reshape(len(pre), -1)
    gram = (shares @ pairs).reshape(count, block.before, block.before)
    gram -= mean_pre[:, :, None] * mean_pre[:, None, :]
    cross = shares @ (pre * post[:, None]) - mean_pre * mean_post[:, None]
    ridge = np.repeat(((_FREE * noise_level(block)) ** 2)[:, None], block.before, axis=1)
    return simplex_least_squares(gram, cross, ridge, np.ones((count, block.before), dtype=bool))
