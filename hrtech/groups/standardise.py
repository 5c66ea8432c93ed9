"""Direct standardisation: intervals of figures whose strata are weighted as the standard weighs them.

Rates: Fay and Feuer's gamma interval in its mid-p form. Shares: MOVER over the strata's own intervals (Zou, Huang and
Zhang 2009, Computational Statistics and Data Analysis 53). Means: the delta method with Satterthwaite's degrees of
freedom. The weights are taken as given. Arrays have the shape of a `Tally`, those of strata one more dimension.
"""

from collections.abc import Callable

import numpy as np

from hrtech.groups.intervals import count_limits, mean_limits, share_limits
from hrtech.groups.tally import Tally

Floats = np.ndarray
Limits = tuple[Floats, Floats]


def share_strata(
    strata: list[Tally], ratio: Floats, weights: Floats, estimate: Floats, effect: Floats, blank: Floats
) -> Callable[[float], Limits]:
    """Limits of standardised shares; `ratio` is each stratum's share, `blank` NaN where there is no figure."""
    known = np.stack([one.records for one in strata], axis=-1) / effect[..., None]

    def limits(confidence: float) -> Limits:
        low, high = share_limits(ratio * known, known, confidence)
        down, up = (np.sqrt(np.nansum((weights * (ratio - end)) ** 2, axis=-1)) for end in (low, high))
        return blank * np.maximum(estimate - down, 0.0), blank * np.minimum(estimate + up, 1.0)

    return limits


def rate_strata(
    strata: list[Tally],
    below: Floats,
    weights: Floats,
    estimate: Floats,
    effect: Floats,
    blank: Floats,
    scale: float,
) -> Callable[[float], Limits]:
    """Limits of standardised rates; `below` is each stratum's exposure."""
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(below > 0, weights / below, 0.0) * effect[..., None]
    events = np.stack([one.above for one in strata], axis=-1) / effect[..., None]
    variance, most = (each**2 * events).sum(axis=-1), each.max(axis=-1)
    rate = np.nan_to_num(estimate)
    # in this unit the variance equals the mean
    unit = np.where(rate > 0, np.divide(variance, rate, where=rate > 0, out=np.ones_like(rate)), most)
    unit = np.where(unit > 0, unit, 1.0)

    def limits(confidence: float) -> Limits:
        low, high = count_limits(rate / unit, confidence, most / unit)
        return blank * low * unit * scale, blank * high * unit * scale

    return limits


def mean_strata(
    strata: list[Tally], weights: Floats, estimate: Floats, blank: Floats
) -> Callable[[float], Limits]:
    """Limits of standardised means."""
    people = np.stack([one.people for one in strata], axis=-1)
    variance = np.stack([one.variance for one in strata], axis=-1)
    freedom = np.maximum(people - 1, 0)
    # a stratum of one has the spread of the others
    pooled = np.nansum(freedom * variance * people, axis=-1) / np.maximum(freedom.sum(axis=-1), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.where(people > 1, variance, np.where(people > 0, pooled[..., None] / people, 0.0))
        parts = weights**2 * variance
        whole = parts.sum(axis=-1)
        known = np.where(freedom > 0, parts**2 / np.maximum(freedom, 1), 0.0).sum(axis=-1)
        degrees = np.where(
            known > 0, np.clip(whole**2 / known, 1, np.maximum(freedom.sum(axis=-1), 1)), np.nan
        )

    def limits(confidence: float) -> Limits:
        low, high = mean_limits(estimate, np.sqrt(whole), degrees, confidence)
        return blank * low, blank * high

    return limits
