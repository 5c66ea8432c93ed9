"""Each group's figure and everybody else's, by window: crude, and directly standardised.

Here: which figure is made how. Intervals of one figure are `hrtech.groups.intervals`, those of strata together
`hrtech.groups.standardise`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd

from hrtech.groups.intervals import (
    count_limits,
    mean_limits,
    quantile_limits,
    share_limits,
    studentised_limits,
)
from hrtech.groups.question import GroupQuestion, Measure
from hrtech.groups.records import Prepared, Values
from hrtech.groups.standardise import (
    mean_strata,
    rate_strata,
    share_strata,
    shared_variance,
    skewed_alike,
)
from hrtech.groups.tally import Tally, tally

Floats = np.ndarray
Limits = tuple[Floats, Floats]

_DRAWS = 1999
#: Means of more independent units than this get Student's interval; the bootstrap then says the same.
_MOST_STUDENTISED = 100
_FEWEST_STUDENTISED = 4


@dataclass(frozen=True)
class Estimates:
    """Figures of one measure; every array has shape (2, groups, windows + 1) as in a `Tally`.

    Attributes:
        measure: What is measured.
        standardised: Whether it is for the mix of the standard.
        value: Estimates, scaled; NaN where there is none.
        tally: What they are made of.
        below: Exposure or records that they are divided by.
        effect: Design effect; 1 without clusters and weights.
        reason: Why there is no estimate; empty where there is one.
        limits: Gives the limits at a level; remembers them.
        shown: Limits at the question's level.
        exact: Test that is exact for these figures, if one is.
        standard: Weight of each stratum, where it is standardised.
    """

    measure: Measure
    standardised: bool
    value: Floats
    tally: Tally
    below: Floats
    effect: Floats
    reason: np.ndarray
    limits: Callable[[float], Limits]
    shown: Limits
    exact: str | None
    standard: Floats | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "limits", cache(self.limits))


def estimate_all(
    prepared: Prepared,
    question: GroupQuestion,
    standard: pd.Series | None = None,
) -> list[Estimates]:
    """Estimate every measure, and its standardised form where one is asked for.

    Args:
        prepared: The records.
        question: What is asked.
        standard: Weight of each stratum; by default that of all records together.
    """
    found = []
    for place, measure in enumerate(question.measures):
        values = prepared.measured[measure.name]
        tallied = tally(prepared, values)
        if measure.kind == "median":
            crude = _medians(prepared, question, measure, values, tallied)
        elif measure.kind == "mean":
            crude = _means(prepared, question, measure, values, tallied, place)
        else:
            crude = _counts(prepared, question, measure, tallied)
        found.append(crude)
        if question.standardises(measure):
            found.append(_standardised(prepared, question, crude, values, standard))
    return found


def _robust(question: GroupQuestion) -> bool:
    return question.subject is not None or question.weight is not None


def _lost(freedom: Floats, many: Floats | float = np.inf) -> Floats:
    """Squared ratio of t quantiles: what an error known from few units costs."""
    from scipy.special import ndtri, stdtrit

    few = stdtrit(np.maximum(freedom, 1.0), 0.975)
    wide = ndtri(0.975) if np.isscalar(many) else stdtrit(np.maximum(many, 1.0), 0.975)
    return np.asarray((wide / few) ** 2)


def _effects(spread: Floats, plain: Floats) -> Floats:
    """Design effects, at least 1; where one cannot be told, the median of the others."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(plain > 0, spread / plain, np.nan)
    usual = float(np.nanmedian(found)) if np.isfinite(found).any() else 1.0
    return np.maximum(1.0, np.where(np.isfinite(found), found, usual))


def _counts(
    prepared: Prepared,
    question: GroupQuestion,
    measure: Measure,
    tallied: Tally,
) -> Estimates:
    """Shares, rates and counts."""
    below, reason = _below(prepared, measure, tallied)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(below > 0, tallied.above / below, np.nan)
    robust = _robust(question)
    effect = np.ones_like(ratio)
    if measure.kind == "share":
        known = tallied.records
        if robust:
            effect = _effects(
                tallied.variance,
                np.divide(ratio * (1 - ratio), known, where=known > 0, out=np.zeros_like(ratio)),
            )
            kish = np.divide(
                tallied.below**2, tallied.squares[2], where=tallied.squares[2] > 0, out=np.zeros_like(ratio)
            )
            effective = np.minimum(known, known / effect * _lost(tallied.people - 1, known - 1))
            known = np.where((ratio > 0) & (ratio < 1), effective, np.minimum(effective, kish))

        def limits(confidence: float) -> Limits:
            return share_limits(ratio * known, known, confidence)
    else:
        if robust:
            spread = tallied.variance * tallied.below**2
            if measure.denominator or measure.kind == "count":
                spread = tallied.squares[0]
            effect = _effects(spread, tallied.above)
        lost = _lost(tallied.people - 1) if robust else np.ones_like(ratio)
        inflated = effect / np.where(tallied.people > 1, lost, 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            unit = np.where(below > 0, measure.scale * inflated / below, np.nan)

        def limits(confidence: float) -> Limits:
            low, high = count_limits(tallied.above / inflated, confidence)
            return low * unit, high * unit

    whole = bool(np.allclose(tallied.above, np.round(tallied.above)))
    exact = None if robust or not whole else "fisher" if measure.kind == "share" else "conditional"
    return Estimates(
        measure, False, ratio * measure.scale, tallied, below, effect, reason, limits,
        limits(question.confidence), exact,
    )  # fmt: skip


def _below(prepared: Prepared, measure: Measure, tallied: Tally) -> tuple[Floats, np.ndarray]:
    """What is divided by, and why there may be nothing."""
    below = tallied.below
    why = "no record in which it is known"
    if measure.kind == "count":
        below = np.ones_like(below)
        below[1] = len(prepared.keys) - 1
        if prepared.overlapping:
            below[1] = np.nan
            why = "a record belongs to several groups"
    elif measure.denominator:
        below = prepared.exposure[measure.name].sides.sum(axis=-1)
        why = "no exposure in the table of denominators"
    elif measure.kind == "rate":
        why = "no exposure"
    reason = np.where(below > 0, "", why).astype(object)
    return below, reason


def _means(
    prepared: Prepared, question: GroupQuestion, measure: Measure, values: Values, tallied: Tally, place: int
) -> Estimates:
    mean, error, freedom = tallied.ratio, np.sqrt(tallied.variance), tallied.people - 1

    def limits(confidence: float) -> Limits:
        return mean_limits(mean, error, freedom, confidence)

    shown = tuple(end.copy() for end in limits(question.confidence))
    few = (tallied.people >= _FEWEST_STUDENTISED) & (tallied.people <= _MOST_STUDENTISED) & (error > 0)
    for cell in zip(*np.nonzero(few), strict=True):
        rows = _rows_of(prepared, cell) & ~np.isnan(values.above)
        unit = pd.factorize(prepared.cluster[rows])[0]
        u = np.bincount(unit, (values.above * prepared.weight)[rows])
        t = np.bincount(unit, prepared.weight[rows])
        rng = np.random.default_rng([question.seed, place, *map(int, cell)])
        low, high = studentised_limits(u, t, question.confidence, _DRAWS, rng)
        # the wider of the two on each side: Student's is too short on the side of the long tail
        shown[0][cell] = min(shown[0][cell], low) if np.isfinite(low) else shown[0][cell]
        shown[1][cell] = max(shown[1][cell], high) if np.isfinite(high) else shown[1][cell]
    return Estimates(
        measure, False, mean, tallied, tallied.below, np.ones_like(mean),
        np.where(np.isnan(mean), "no record in which it is known", "").astype(object), limits,
        (shown[0], shown[1]), None,
    )  # fmt: skip


def _medians(
    prepared: Prepared, question: GroupQuestion, measure: Measure, values: Values, tallied: Tally
) -> Estimates:
    held: list[tuple[tuple[int, ...], Floats, Floats, float]] = []
    for cell in np.ndindex(*tallied.records.shape):
        rows = _rows_of(prepared, cell) & ~np.isnan(values.above)
        if rows.any():
            weight = prepared.weight[rows]
            effective = min(float(weight.sum() ** 2 / (weight**2).sum()), float(tallied.people[cell]))
            held.append((cell, values.above[rows], weight, effective))

    def all_at(confidence: float) -> tuple[Floats, Floats, Floats]:
        found = tuple(np.full(tallied.records.shape, np.nan) for _ in range(3))
        for cell, x, weight, effective in held:
            for into, number in zip(found, quantile_limits(x, weight, effective, confidence), strict=True):
                into[cell] = number
        return found[0], found[1], found[2]

    median, low, high = all_at(question.confidence)
    return Estimates(
        measure, False, median, tallied, tallied.below, np.ones_like(median),
        np.where(np.isnan(median), "no record in which it is known", "").astype(object),
        lambda confidence: all_at(confidence)[1:], (low, high), None,
    )  # fmt: skip


def _rows_of(prepared: Prepared, cell: tuple[int, ...]) -> np.ndarray:
    """Records of a group, or outside it, in a window."""
    side, group, window = cell
    rows = np.zeros(len(prepared.window), bool)
    rows[prepared.member[prepared.group == group]] = True
    if side:
        rows = ~rows
    return rows if window >= len(prepared.windows) else rows & (prepared.window == window)


def _standardised(
    prepared: Prepared,
    question: GroupQuestion,
    crude: Estimates,
    values: Values,
    standard: pd.Series | None,
) -> Estimates:
    measure = crude.measure
    strata = [tally(prepared, values, stratum) for stratum in range(len(prepared.strata))]
    below = np.stack([one.below for one in strata], axis=-1)
    # the last window of all, the first group with all others: everybody
    weights = below[:, 0, -1, :].sum(axis=0)
    if measure.denominator:
        below, weights = prepared.exposure[measure.name].sides, prepared.exposure[measure.name].everybody
    if standard is not None:
        weights = standard.to_numpy(float)
    weights = weights / weights.sum()
    wanted = weights > 0
    empty = ((~(below > 0)) & wanted).sum(axis=-1)
    reason = crude.reason.copy()
    for cell in zip(*np.nonzero((empty > 0) & (reason == "")), strict=True):
        reason[cell] = f"{empty[cell]} of {wanted.sum()} strata of the standard are empty in it"
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(below > 0, np.stack([one.above for one in strata], axis=-1) / below, 0.0)
    estimate = np.where(empty > 0, np.nan, ratio @ weights)
    blank = np.where(empty > 0, np.nan, 1.0)
    if measure.kind == "share":
        limits = share_strata(strata, ratio, weights, estimate, crude.effect, blank)
    elif measure.kind == "rate":
        limits = rate_strata(strata, below, weights, estimate, crude.effect, blank, measure.scale)
    else:
        shared = shared_variance(prepared, values, ratio, below, weights) if question.subject else None
        limits = mean_strata(strata, weights, estimate, blank, shared)
    made = replace(
        crude, standardised=True, value=estimate * measure.scale, reason=reason, limits=limits, exact=None,
        standard=weights,
    )  # fmt: skip
    shown = limits(question.confidence)
    if measure.kind == "mean":
        plain = crude.limits(question.confidence)
        shown = skewed_alike(estimate, shown, crude.value, plain, crude.shown)
    return replace(made, shown=shown)
