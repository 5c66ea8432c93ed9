"""From noisy counts to counts that people can read: whole, not negative, no part above its whole.

Everything here is post-processing of what was already released; it never sees a record. Only lengths 1
and 2 are known here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class NoisyMarginals:
    """What a release measured, cell by cell.

    Attributes:
        people: noisy number of people, not negative.
        column_of: shape (items,), the column of each item.
        single: shape (columns,), whether a column is single-valued.
        items: shape (items,), noisy counts.
        items_sd: their noise.
        pairs: shape (pairs, 2), ascending item ids of every valid pair; empty if none was measured.
        pair_counts: shape (pairs,), noisy counts.
        pairs_sd: their noise.
    """

    people: int
    column_of: NDArray[np.int64]
    single: NDArray[np.bool_]
    items: NDArray[np.int64]
    items_sd: float
    pairs: NDArray[np.int32]
    pair_counts: NDArray[np.int64]
    pairs_sd: float


def capped_to_sum(values: NDArray[np.float64], limits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Project columns of non-negative numbers onto "sum at most the limit", by least squares.

    Args:
        values: shape (parts, n), not negative.
        limits: shape (n,), not negative.

    Returns:
        Columns whose sum was within the limit unchanged; the others less a common amount, never below 0
        (Duchi et al., ICML 2008).
    """
    over = np.flatnonzero(values.sum(axis=0) > limits)
    if not len(over):
        return values
    part, limit = values[:, over], limits[over]
    ordered = -np.sort(-part, axis=0)
    excess = np.cumsum(ordered, axis=0) - limit
    rank = np.arange(1, len(part) + 1)[:, None]
    # limits of 0 leave no positive part; the first rank is then as good as any
    active = np.maximum((ordered * rank > excess).sum(axis=0), 1)
    amount = excess[active - 1, np.arange(len(over))] / active
    out = values.copy()
    out[:, over] = np.maximum(part - amount, 0)
    return out


def consistent_counts(
    measured: NoisyMarginals, publish_above: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Counts to publish; 0 means suppressed.

    A cell is suppressed when its noisy count is below ``publish_above`` noise standard deviations, or a
    part of it is suppressed. Then: values of a single-valued column sum to at most the people, pairs with
    the values of a single-valued column to at most the other item, no pair is above its items. Where a
    column has no unknown cells these bounds bind about every second time and lower the counts by about a
    third of the noise's standard deviation on average.

    Returns:
        Counts of the items, shape (items,), and of the pairs, shape (pairs,).
    """
    people = float(max(measured.people, 0))
    shown = (measured.items >= publish_above * measured.items_sd) & (measured.items >= 1)
    items = np.where(shown, np.clip(measured.items, 0, people), 0).astype(float)
    singles = [np.flatnonzero(measured.column_of == k) for k in np.flatnonzero(measured.single)]
    for own in singles:
        items[own] = capped_to_sum(items[own][:, None], np.array([people]))[:, 0]
    whole = np.floor(items + 0.5).astype(np.int64)
    for own in singles:
        _trim(whole, own, int(people))
    if not len(measured.pairs):
        return whole, np.zeros(0, dtype=np.int64)
    left, right = measured.pairs.T
    cap = np.minimum(whole[left], whole[right])
    kept = (measured.pair_counts >= publish_above * measured.pairs_sd) & (measured.pair_counts >= 1)
    table = np.zeros((len(whole), len(whole)))
    table[left, right] = np.where(kept, np.clip(measured.pair_counts, 0, cap), 0)
    table += table.T
    limits = whole.astype(float)
    for own in singles:
        # only ever lowers counts, so that what held before still holds
        table[own] = capped_to_sum(table[own], limits)
        table[:, own] = table[own].T
    return whole, np.minimum(np.floor(table[left, right] + 0.5).astype(np.int64), cap)


def _trim(whole: NDArray[np.int64], own: NDArray[np.int64], people: int) -> None:
    """Take what rounding added beyond the people off the largest values."""
    while len(own) and whole[own].sum() > people:
        whole[own[np.argmax(whole[own])]] -= 1
