"""Direct standardisation: intervals of figures whose strata are weighted as the standard weighs them.

Rates: Fay and Feuer's gamma interval in its mid-p form. Shares: MOVER over the strata's own intervals (Zou, Huang and
Zhang 2009, Computational Statistics and Data Analysis 53). Means: the delta method with Satterthwaite's degrees of
freedom; strata of few borrow the spread of all. The weights are taken as given. Arrays have the shape of a `Tally`,
those of strata one more dimension.
"""

from collections.abc import Callable

import numpy as np

from hrtech.groups.intervals import count_limits, mean_limits, share_limits
from hrtech.groups.records import Prepared, Values
from hrtech.groups.tally import Tally

Floats = np.ndarray
Limits = tuple[Floats, Floats]
#: Independent units of a stratum below which its own spread is not relied on.
_FEW = 10


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
    strata: list[Tally],
    weights: Floats,
    estimate: Floats,
    blank: Floats,
    shared: tuple[Floats, Floats] | None = None,
) -> Callable[[float], Limits]:
    """Limits of standardised means; `shared` is what `shared_variance` says, where people stand in several strata."""
    people = np.stack([one.people for one in strata], axis=-1)
    spread = np.stack([one.variance for one in strata], axis=-1) * people
    freedom = np.maximum(people - 1, 0)
    every = np.maximum(freedom.sum(axis=-1), 1)
    pooled = (np.nansum(freedom * spread, axis=-1) / every)[..., None]
    # of few the spread is hardly known: theirs is at least that of all strata together
    few = people < _FEW
    spread = np.where(few, np.fmax(np.nan_to_num(spread), pooled), spread)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(people > 0, weights**2 * spread / people, 0.0)
        whole = parts.sum(axis=-1)
        known = (parts**2 / np.maximum(np.where(few, every[..., None], freedom), 1)).sum(axis=-1)
        degrees = np.where(known > 0, np.clip(whole**2 / known, 1, every), np.nan)
    if shared is not None:
        whole = np.fmax(whole, shared[0])
        degrees = np.minimum(degrees, np.maximum(shared[1] - (people > 0).sum(axis=-1), 1))

    def limits(confidence: float) -> Limits:
        low, high = mean_limits(estimate, np.sqrt(whole), degrees, confidence)
        return blank * low, blank * high

    return limits


def shared_variance(
    prepared: Prepared, values: Values, ratio: Floats, below: Floats, weights: Floats
) -> tuple[Floats, Floats]:
    """Linearised variance of standardised figures over people, whose records may stand in several strata.

    Args:
        prepared: The records.
        values: What each adds.
        ratio: Each stratum's figure.
        below: What it is divided by.
        weights: Weight of each stratum.

    Returns:
        Variance, NaN where there are no more people than strata, and people.
    """
    there = np.flatnonzero(~np.isnan(values.above) & (prepared.stratum >= 0))
    stratum, cluster = prepared.stratum[there], prepared.cluster[there]
    above, under = (part[there] * prepared.weight[there] for part in (values.above, values.below))
    factor = np.divide(weights, below, where=below > 0, out=np.zeros_like(below))
    windows = len(prepared.windows)
    # every record in its window, and in all of them together
    spans = [(prepared.window[there], slice(0, windows))] if windows else []
    spans.append((np.zeros(len(there), np.int64), slice(windows, windows + 1)))
    variance, people = np.full(below.shape[:3], np.nan), np.zeros(below.shape[:3])
    for window, columns in spans:
        size = columns.stop - columns.start
        codes, unit = np.unique(cluster * (size + 1) + window, return_inverse=True)
        place = codes % (size + 1)
        for group in range(below.shape[1]):
            inside = np.zeros(len(prepared.window), bool)
            inside[prepared.member[prepared.group == group]] = True
            for side, mine in enumerate((inside[there], ~inside[there])):
                at = np.flatnonzero(mine & (window >= 0))
                cell = (side, group, columns.start + window[at], stratum[at])
                residual = factor[cell] * (above[at] - ratio[cell] * under[at])
                sums = np.bincount(unit[at], residual, len(codes))
                count = np.bincount(place, np.bincount(unit[at], minlength=len(codes)) > 0, size + 1)[:size]
                spread = np.bincount(place, sums**2, size + 1)[:size]
                # each stratum's figure is estimated from the same people
                used = (below[side, group, columns] > 0).sum(axis=-1)
                some = count > used
                variance[side, group, columns] = np.where(
                    some, count / np.where(some, count - used, 1) * spread, np.nan
                )
                people[side, group, columns] = count
    return variance, people


def skewed_alike(estimate: Floats, limits: Limits, crude: Floats, student: Limits, shown: Limits) -> Limits:
    """Limits of a standardised mean, wider than Student's by as much as the bootstrap made those of the crude mean.

    Args:
        estimate: Standardised means.
        limits: Student's limits around them.
        crude: Crude means.
        student: Student's limits around those.
        shown: The limits that the bootstrap made of these.
    """
    found = []
    for mine, plain, end in zip(limits, student, shown, strict=True):
        distance = np.abs(plain - crude)
        factor = np.divide(np.abs(end - crude), distance, where=distance > 0, out=np.ones_like(distance))
        found.append(estimate + np.fmax(factor, 1.0) * (mine - estimate))
    return found[0], found[1]
