"""Which combinations are told: fabrication against suppression.

A combination is told where its estimate stands out of the noise, the sooner the larger its parents are: with score
``estimate / sd * (smallest parent / sd) ** 0.3``, an estimate of at least 1, and all told that whoever holds it holds
too: its parents, and the same with a value's coarser one (a region, for its country). One threshold on the score serves
all lengths. Attributes alone are told where their estimate is at least 1, because their list is public by then.

The threshold follows from the share of told combinations that nobody may hold. That share is itself estimated from
what was released: in classes of like scores, by how much the sum of the unbiased direct estimates falls short of the
sum of the estimates that are told, beyond its noise, and by how often a true count of the size told is 0 when it
scatters as counts of people do (gamma-Poisson, `_SCATTER`). In simulations about as
much is false as expected; where nearly every count drowns in noise (some hundreds of people at epsilon 1), up to four
times as much. Post-processing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrtech.release.estimate import Estimates, smallest_parent
from hrtech.release.layout import Layout

_PARENT_POWER = 0.3
_CLASSES = 40
_FEWEST_IN_CLASS = 100
#: Squared coefficient of variation of true counts around estimates.
_SCATTER = 0.25
#: How fast a shortfall stops meaning "nobody" and begins to mean "fewer", in squared standard deviations.
_FALL = 8.0
#: How much of its noise a shortfall is excused by.
_BENEFIT = 0.5

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Dial:
    """What each threshold would tell, from what was released alone.

    Attributes:
        threshold: Rising; shape (n,).
        told: Combinations of two or more attributes told.
        false_share: Expected share of them that nobody holds.
        told_people: Share of the sum of estimates that is told.
    """

    threshold: Floats
    told: NDArray[np.int64]
    false_share: Floats
    told_people: Floats

    def threshold_for(self, false_share: float) -> float:
        """The lowest threshold at which no more than this share is expected to be false."""
        good = np.flatnonzero(self.false_share <= false_share)
        return float(self.threshold[good[0]]) if len(good) else float("inf")


def scores(layout: Layout, estimates: Estimates) -> dict[int, Floats]:
    """How far each stands out, never further than what it implies; infinite for attributes told, -inf for never."""
    out = {1: _with_coarser(layout, np.where(estimates.shrunk[1] >= 1, np.inf, -np.inf), 1)}
    for length in range(2, max(estimates.shrunk) + 1):
        value, sd = estimates.shrunk[length], np.maximum(estimates.sd[length], 1e-9)
        parent = np.maximum(smallest_parent(layout, estimates.shrunk, length), 0)
        own = np.maximum(value, 0) / sd * (parent / sd) ** _PARENT_POWER
        own[value < 1] = -np.inf
        out[length] = _with_coarser(layout, np.minimum(own, smallest_parent(layout, out, length)), length)
    return out


def _with_coarser(layout: Layout, score: Floats, length: int) -> Floats:
    """Scores of a length, none above that of the same combination with a coarser attribute."""
    coarser = np.arange(layout.n_attributes, dtype=np.int32)
    for group in layout.groups:
        for state in group.states[group.states.sum(axis=1) == 2]:
            fine, coarse = group.first + np.flatnonzero(state)
            coarser[fine] = coarse
    cells = layout.cells(length)
    for k in range(length):
        instead = cells.copy()
        instead[:, k] = coarser[cells[:, k]]
        score = np.minimum(score, score[layout.number(instead)])
    return score


def dial(estimates: Estimates, score: dict[int, Floats]) -> Dial:
    """Work out what each threshold would tell and how much of it would be false."""
    lengths = [k for k in score if k > 1]
    if not lengths:
        return Dial(np.zeros(1), np.zeros(1, np.int64), np.zeros(1), np.ones(1))
    own, value, direct, sd = (
        np.concatenate([table[k] for k in lengths])
        for table in (score, estimates.shrunk, estimates.direct, estimates.sd)
    )
    open_to = np.flatnonzero(own > -np.inf)
    order = open_to[np.argsort(own[open_to], kind="stable")]
    if not len(order):
        return Dial(np.zeros(1), np.zeros(1, np.int64), np.zeros(1), np.ones(1))
    held = _share_held(value[order], direct[order], sd[order])
    empty = (1 + _SCATTER * value[order]) ** (-1 / _SCATTER)
    # what falls short is not there at all where it is small against its noise, and else told as too many
    absent = (1 - held) * np.exp(-((value[order] / np.maximum(sd[order], 1e-9)) ** 2) / _FALL)
    false = absent + (1 - absent) * empty
    left = np.cumsum(false[::-1])[::-1]
    number = np.arange(len(order), 0, -1)
    people = np.cumsum(value[order][::-1])[::-1]
    # thresholds at which the share is read: about a thousand, the first of equal scores
    at = np.unique(np.linspace(0, len(order) - 1, 1000).astype(int))
    first = np.searchsorted(own[order], own[order][at], side="left")
    return Dial(own[order][first], number[first], (left / number)[first], people[first] / people[0])


def _share_held(value: Floats, direct: Floats, sd: Floats) -> Floats:
    """Share of what is told that the direct estimates bear out, in classes of like scores, never falling."""
    n = max(1, min(_CLASSES, len(value) // _FEWEST_IN_CLASS))
    classes = np.array_split(np.arange(len(value)), n)
    borne, weight = [], []
    for own in classes:
        told = value[own].sum()
        doubt = np.sqrt((sd[own] ** 2).sum()) / told
        borne.append(min(1.0, max(0.0, float(direct[own].sum() / told + _BENEFIT * doubt))))
        weight.append(1 / max(doubt, 1e-6) ** 2)
    rising = isotonic(np.array(borne), np.array(weight))
    return np.concatenate([np.full(len(own), r) for own, r in zip(classes, rising, strict=True)])


def isotonic(values: Floats, weights: Floats) -> Floats:
    """The closest non-decreasing sequence in weighted least squares (Barlow and others 1972)."""
    from scipy.optimize import isotonic_regression

    return isotonic_regression(values, weights=weights).x
