"""Differences and ratios of two independent figures, made of their intervals, and tests of no difference.

MOVER, the method of variance estimates recovery, takes the distance from each estimate to its own limit for its
error on that side: Zou and Donner 2008 (Statistics in Medicine 27) for differences, Donner and Zou 2012 (Statistical
Methods in Medical Research 21) for ratios. What holds for one figure's interval then holds for the contrast: limits
that are not symmetric stay so, and a count of 0 has an interval.

Tests of plain counts are exact and central (twice the smaller tail): Fisher's for shares, the conditional binomial
test for rates (Przyborowski and Wilenski 1940).
"""

import numpy as np

Floats = np.ndarray
Limits = tuple[Floats, Floats]


def difference_limits(
    one: Floats, one_limits: Limits, other: Floats, other_limits: Limits, correlation: Floats | float = 0.0
) -> Limits:
    """Limits of one minus other; correlated where they share people."""
    down, up = _distances(one, one_limits, other, other_limits, correlation)
    return one - other - down, one - other + up


def _distances(
    one: Floats, one_limits: Limits, other: Floats, other_limits: Limits, correlation: Floats | float
) -> Limits:
    """Distance from the difference down and up to its limits."""
    with np.errstate(invalid="ignore", over="ignore"):
        below, above = one - one_limits[0], other_limits[1] - other
        down = np.sqrt(np.maximum(below**2 + above**2 - _twice(correlation, below, above), 0))
        below, above = one_limits[1] - one, other - other_limits[0]
        up = np.sqrt(np.maximum(below**2 + above**2 - _twice(correlation, below, above), 0))
    return down, up


def _twice(correlation: Floats | float, one: Floats, other: Floats) -> Floats:
    """The term of the correlation; infinite distances have none."""
    return np.where(
        np.isfinite(one) & np.isfinite(other) & (correlation != 0), 2 * correlation * one * other, 0.0
    )


def ratio_limits(
    one: Floats, one_limits: Limits, other: Floats, other_limits: Limits, correlation: Floats | float = 0.0
) -> Limits:
    """Limits of one divided by other, for figures that are not below 0; unbounded where other may be 0."""
    (l1, u1), (l2, u2) = one_limits, other_limits
    with np.errstate(divide="ignore", invalid="ignore"):
        product = one * other - _twice(correlation, one - l1, u2 - other) / 2
        divisor = u2 * (2 * other - u2)
        root = np.sqrt(np.maximum(product**2 - l1 * (2 * one - l1) * divisor, 0))
        # where u2 is twice the estimate the quadratic becomes linear
        straight = l1 * (2 * one - l1) / (2 * product)
        low = np.where(np.abs(divisor) > 1e-12 * u2**2, (product - root) / divisor, straight)
        product = one * other - _twice(correlation, u1 - one, other - l2) / 2
        divisor = l2 * (2 * other - l2)
        root = np.sqrt(np.maximum(product**2 - u1 * (2 * one - u1) * divisor, 0))
        high = np.where(divisor > 0, (product + root) / divisor, np.inf)
    low = np.where(one > 0, np.maximum(low, 0), 0.0)
    nothing = ~(other > 0)
    with np.errstate(invalid="ignore"):
        low = np.where(nothing & (one > 0), l1 / np.where(u2 > 0, u2, 1), low)
    return np.where(nothing & ~(one > 0), 0.0, low), np.where(nothing, np.inf, high)


def fisher(held: Floats, known: Floats, held_other: Floats, known_other: Floats) -> Floats:
    """Central p value of Fisher's exact test that two shares are equal."""
    from scipy.stats import hypergeom

    both, everyone = held + held_other, known + known_other
    least = hypergeom.cdf(held, everyone, both, known)
    most = hypergeom.sf(held - 1, everyone, both, known)
    return np.minimum(1.0, 2 * np.minimum(least, most))


def conditional(events: Floats, exposure: Floats, events_other: Floats, exposure_other: Floats) -> Floats:
    """Central p value of the exact test that two rates are equal, given the events of both together."""
    from scipy.stats import binom

    with np.errstate(divide="ignore", invalid="ignore"):
        share = exposure / (exposure + exposure_other)
    total = events + events_other
    tails = np.minimum(binom.cdf(events, total, share), binom.sf(events - 1, total, share))
    return np.minimum(1.0, 2 * tails)


def recovered(
    one: Floats,
    one_limits: Limits,
    other: Floats,
    other_limits: Limits,
    confidence: float,
    correlation: Floats | float = 0.0,
) -> Floats:
    """P value of no difference by the errors recovered from limits at a level.

    At that level it agrees with the interval of the difference: p is below 1 - confidence where that leaves out 0.
    """
    from scipy.special import ndtr, ndtri

    gap = one - other
    down, up = _distances(one, one_limits, other, other_limits, correlation)
    error = np.where(gap > 0, down, up) / ndtri((1 + confidence) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * ndtr(-np.abs(gap) / error)
    return np.where(error > 0, p, np.where(gap == 0, 1.0, np.nan))


def holm(p: Floats) -> Floats:
    """Adjusted p values of Holm 1979 (Scandinavian Journal of Statistics 6); none missing.

    Statsmodels has them too, and collects all garbage of the process on each call.
    """
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    steps = p[order] * (len(p) - np.arange(len(p)))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


def holm_and_bh(p: Floats, families: int) -> Limits:
    """Adjusted p values: Holm's, for one of several equal families, and Benjamini and Hochberg's.

    Args:
        p: P values; NaN where there is no test.
        families: Families that a study tests; Holm's are multiplied by it, so that all together hold.
    """
    from scipy.stats import false_discovery_control

    strict, loose = np.full(len(p), np.nan), np.full(len(p), np.nan)
    there = ~np.isnan(p)
    if there.any():
        strict[there] = np.minimum(1.0, holm(p[there]) * families)
        loose[there] = false_discovery_control(p[there])
    return strict, loose
