"""Sums of a measure by group and window, and of everybody outside each group, with what clusters add to their error.

An estimate is a ratio of sums, Σu / Σt: a share, a rate and a mean alike. Its linearised variance over independent
units c (people, or records) is C/(C-1) Σ(u_c - r t_c)² / (Σt)² (Cochran 1977, Sampling Techniques, chapter 6).
"""

from dataclasses import dataclass

import numpy as np

from hrtech.groups.records import Ints, Prepared, Values

Floats = np.ndarray


@dataclass(frozen=True)
class Tally:
    """Sums; every array has shape (2, groups, windows + 1): the group, then all others; the last window is all.

    Attributes:
        records: Records in which the measure is known.
        unknown: Records in which it is not.
        held: Their sum of `above`, without weights.
        people: Independent units behind them.
        above: Weighted sum of `above`.
        below: Weighted sum of `below`.
        squares: Σu_c², Σu_c·t_c and Σt_c² over independent units.
    """

    records: Floats
    unknown: Floats
    held: Floats
    people: Floats
    above: Floats
    below: Floats
    squares: tuple[Floats, Floats, Floats]

    @property
    def ratio(self) -> Floats:
        """The estimate; NaN where there is nothing to divide by."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.below > 0, self.above / self.below, np.nan)

    @property
    def variance(self) -> Floats:
        """Linearised variance of the estimate; NaN with fewer than two units."""
        r = self.ratio
        uu, ut, tt = self.squares
        spread = np.maximum(uu - 2 * r * ut + r**2 * tt, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = self.people / (self.people - 1) * spread / self.below**2
        return np.where(self.people > 1, found, np.nan)


def tally(prepared: Prepared, values: Values, stratum: int | None = None) -> Tally:
    """Add up a measure by group and window.

    Args:
        prepared: The records.
        values: What each adds.
        stratum: Only records of this stratum.
    """
    chosen = np.ones(len(prepared.window), bool) if stratum is None else prepared.stratum == stratum
    slices = []
    windows = len(prepared.windows)
    if windows:
        slices.append(_sums(prepared, values, prepared.window, windows, chosen & (prepared.window >= 0)))
    slices.append(_sums(prepared, values, np.zeros(len(chosen), np.int64), 1, chosen))
    joined = [np.concatenate([piece[at] for piece in slices], axis=2) for at in range(9)]
    records, unknown, held, people, above, below, uu, ut, tt = joined
    return Tally(records, unknown, held, people, above, below, (uu, ut, tt))


def _sums(prepared: Prepared, values: Values, window: Ints, windows: int, chosen: np.ndarray) -> list[Floats]:
    groups = len(prepared.keys)
    known = chosen & ~np.isnan(values.above)
    u = np.where(known, values.above, 0.0) * prepared.weight
    t = np.where(known, values.below, 0.0) * prepared.weight
    held = np.where(known, values.above, 0.0)
    # a unit in a window, once in all records and once in each of its groups
    whole = _Units(prepared.cluster[known], window[known], u[known], t[known], windows)
    rows = known[prepared.member]
    record, group = prepared.member[rows], prepared.group[rows]
    mine = _Units(
        prepared.cluster[record], group * windows + window[record], u[record], t[record], groups * windows
    )
    total = whole.at(mine.cluster, mine.cell % windows)
    plain = _counted(prepared, window, windows, chosen, known, held)

    def both(inside: Floats, everywhere: Floats) -> Floats:
        grouped = inside.reshape(groups, windows)
        return np.stack([grouped, everywhere[None, :] - grouped])

    records, unknown, held_of = (both(*pair) for pair in plain)
    above, below = both(mine.sum(mine.u), whole.sum(whole.u)), both(mine.sum(mine.t), whole.sum(whole.t))
    outside = _squares_outside(mine, whole, total)
    squares = [
        np.stack([inside.reshape(groups, windows), other.reshape(groups, windows)])
        for inside, other in zip(mine.squares(), outside, strict=True)
    ]
    wholly = mine.rows == whole.rows[total]
    people_of = mine.sum(np.ones(len(mine.u)))
    gone = mine.sum(wholly.astype(float))
    people = np.stack(
        [
            people_of.reshape(groups, windows),
            whole.sum(np.ones(len(whole.u)))[None, :] - gone.reshape(groups, windows),
        ]
    )
    return [records, unknown, held_of, people, above, below, *squares]


class _Units:
    """Sums of u and t by unit and cell."""

    def __init__(self, cluster: Ints, cell: Ints, u: Floats, t: Floats, cells: int) -> None:
        self.cells = cells
        span = int(cluster.max(initial=0)) + 1
        self.span = span
        self.codes, inverse = np.unique(cell * span + cluster, return_inverse=True)
        self.cell, self.cluster = self.codes // span, self.codes % span
        count = len(self.codes)
        self.u = np.bincount(inverse, u, count)
        self.t = np.bincount(inverse, t, count)
        self.rows = np.bincount(inverse, minlength=count)

    def at(self, cluster: Ints, cell: Ints) -> Ints:
        """Place of a unit in a cell."""
        return np.searchsorted(self.codes, cell * self.span + cluster)

    def sum(self, values: Floats) -> Floats:
        """Sum over the units of each cell."""
        return np.bincount(self.cell, values, self.cells)

    def squares(self) -> tuple[Floats, Floats, Floats]:
        """Σu², Σut and Σt² of each cell."""
        return self.sum(self.u**2), self.sum(self.u * self.t), self.sum(self.t**2)


def _squares_outside(mine: _Units, whole: _Units, total: Ints) -> list[Floats]:
    """Σ over units of what they add outside the group: (U_c - u_c)², and its like."""
    windows = whole.cells
    found = []
    for everywhere, a, b, whole_a, whole_b in zip(
        whole.squares(), (mine.u, mine.u, mine.t), (mine.u, mine.t, mine.t),
        (whole.u, whole.u, whole.t), (whole.u, whole.t, whole.t), strict=True,
    ):  # fmt: skip
        changed = (whole_a[total] - a) * (whole_b[total] - b) - whole_a[total] * whole_b[total]
        found.append(np.tile(everywhere, mine.cells // windows) + mine.sum(changed))
    return found


def _counted(
    prepared: Prepared,
    window: Ints,
    windows: int,
    chosen: np.ndarray,
    known: np.ndarray,
    held: Floats,
) -> list[tuple[Floats, Floats]]:
    """Records, unknown records and what they hold, in each group and everywhere."""
    groups = len(prepared.keys)
    cell = prepared.group * windows + window[prepared.member]
    found = []
    for amount in (known.astype(float), (chosen & ~known).astype(float), held):
        there = chosen[prepared.member]
        inside = np.bincount(cell[there], amount[prepared.member][there], groups * windows)
        found.append((inside, np.bincount(window[chosen], amount[chosen], windows)))
    return found
