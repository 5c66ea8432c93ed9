"""Pairs of members of the same group, and hypergeometric tails, without a loop over pairs."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def pairs_within(group: Ints, member: Ints, most: int) -> tuple[Ints, Ints, Ints]:
    """List every pair of members of a group, for groups of two to `most`.

    Args:
        group: Code of the group of each row, not negative.
        member: Code of the member; a member stands in a group at most once.
        most: Larger groups are left out.

    Returns:
        Arrays `first, second, group` with first < second.
    """
    order = np.lexsort((member, group))
    group, member = group[order], member[order]
    starts = np.flatnonzero(np.r_[True, np.diff(group) != 0]) if len(group) else np.empty(0, np.int64)
    sizes = np.diff(np.r_[starts, len(group)])
    found: list[tuple[Ints, Ints, Ints]] = []
    for size in np.unique(sizes[(sizes > 1) & (sizes <= most)]):
        at = starts[sizes == size]
        block = member[at[:, None] + np.arange(size)]
        low, high = np.triu_indices(size, 1)
        found.append((block[:, low].ravel(), block[:, high].ravel(), np.repeat(group[at], len(low))))
    if not found:
        empty = np.empty(0, np.int64)
        return empty, empty, empty
    first, second, groups = (np.concatenate(part) for part in zip(*found, strict=True))
    return first, second, groups


def ranges(lengths: Ints) -> tuple[Ints, Ints]:
    """Return, for ragged rows of the given lengths, the row of each cell and its place in the row."""
    row = np.repeat(np.arange(len(lengths)), lengths)
    start = np.cumsum(lengths) - lengths
    return row, np.arange(len(row)) - start[row]


def hypergeometric(marked: Ints, drawn: Ints, total: Ints) -> tuple[Ints, Ints, Floats, Floats]:
    """Tabulate the number of marked among the drawn, for many urns at once.

    Args:
        marked: Marked balls of each urn.
        drawn: Balls drawn from it without replacement.
        total: Balls in it.

    Returns:
        `urn, count, chance, tail` of every count from 0 to min(marked, drawn), by urn: the chance of exactly that
        many, and of at least that many.
    """
    urn, count = ranges(np.minimum(marked, drawn) + 1)
    a, k, n = marked[urn], drawn[urn], total[urn]
    rest = n - a - k + count
    possible = rest >= 0
    rest = np.maximum(rest, 0)
    logs = (
        gammaln(a + 1) - gammaln(count + 1) - gammaln(a - count + 1)
        + gammaln(n - a + 1) - gammaln(k - count + 1) - gammaln(rest + 1)
        - gammaln(n + 1) + gammaln(k + 1) + gammaln(n - k + 1)
    )  # fmt: skip
    chance = np.where(possible, np.exp(logs), 0.0)
    return urn, count, chance, np.minimum(_tails(urn, chance), 1.0)


def _tails(row: Ints, values: Floats) -> Floats:
    """Sum each row's values from a cell to the row's end, the smallest first."""
    turned = values[::-1]
    total = np.cumsum(turned)
    new = np.r_[True, np.diff(row[::-1]) != 0] if len(row) else np.empty(0, bool)
    before = np.where(new, total - turned, 0.0)
    start = np.maximum.accumulate(np.where(new, np.arange(len(row)), 0))
    return np.asarray((total - before[start])[::-1], dtype=np.float64)
