"""Exposure by group from a table of its own, such as the population of each region and year.

A table without the period holds for every window, and the exposure of all windows together is their sum. Overlapping
groups have none: one person would stand in the population of two. A group that the table lacks in a window has no
exposure there, and neither its exposure nor its records are part of anybody's others.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hrtech.groups.question import GroupError, GroupQuestion, Measure
from hrtech.groups.reading import single, window_names

Floats = np.ndarray
Ints = np.ndarray


@dataclass(frozen=True)
class Exposure:
    """Exposure of groups; NaN where the table has none.

    Attributes:
        by_stratum: Shape (groups, windows + 1, strata), the last window is all; one stratum where nothing is
            standardised.
        known: The same with 0 for NaN; all windows together are those in which it is known.
        by_period: Whether the table has the period, so that exposure follows the length of a window.
    """

    by_stratum: Floats
    known: Floats
    by_period: bool

    @property
    def by_window(self) -> Floats:
        """Exposure over all strata, shape (groups, windows + 1)."""
        return np.asarray(self.by_stratum.sum(axis=2))

    @property
    def sides(self) -> Floats:
        """Exposure of each group, and of all others, shape (2, groups, windows + 1, strata)."""
        return np.stack([self.by_stratum, self.known.sum(axis=0)[None] - self.known])

    @property
    def everybody(self) -> Floats:
        """Exposure of all groups in all windows, shape (strata,)."""
        return np.asarray(self.known[:, -1].sum(axis=0))


def exposures(
    question: GroupQuestion,
    measure: Measure,
    table: pd.DataFrame | None,
    keys: pd.DataFrame,
    windows: tuple[str, ...],
    strata: pd.DataFrame,
    records: tuple[Ints, Ints, Ints, Ints],
) -> Exposure:
    """Read the exposure of a rate from the table of denominators.

    Args:
        question: What is asked.
        measure: The rate.
        table: Table of denominators.
        keys: One row a group.
        windows: Names of the windows.
        strata: One row a stratum.
        records: Record and group of each membership, window and stratum of each record.

    Raises:
        GroupError: There is no table, it lacks a column or names a group twice, or a group's exposure is below 0.
    """
    name = str(measure.denominator)
    if table is None:
        raise GroupError(
            f"Rate '{measure.name}' is by '{name}' of a table of denominators, and there is none "
            "[setting: denominators]"
        )
    names = list(question.groups)
    if lacking := [c for c in [*names, name, *question.standardise] if c not in table.columns]:
        raise GroupError(f"The table of denominators has no column '{lacking[0]}' [setting: denominators]")
    if len(records[0]) > len(records[2]):
        raise GroupError(
            "A record belongs to several groups, and a population cannot be divided among them. Use an exposure "
            f"column, or groups of one value a record [setting: measures, {measure.name}]"
        )
    periodic = question.period is not None and question.period in table.columns
    values = pd.to_numeric(table[name], errors="coerce").astype("Float64").to_numpy(float, na_value=np.nan)
    if (values < 0).any():
        raise GroupError(
            f"Column '{name}' of the table of denominators holds a number below 0 [setting: denominators]"
        )
    placed = pd.DataFrame({"value": values, "group": _placed(table[names], keys)})
    placed["stratum"] = _placed(table[list(question.standardise)], strata) if question.standardise else 0
    placed["window"] = 0
    if periodic:
        window = window_names(table[str(question.period)], question.every)
        placed["window"] = window.map({w: at for at, w in enumerate(windows)}).fillna(-1).to_numpy(int)
    placed = placed.loc[(placed[["group", "stratum", "window"]] >= 0).all(axis=1)]
    if not periodic and placed[["group", "stratum"]].duplicated().any():
        raise GroupError(
            "The table of denominators names a group more than once. Give it one row for each group"
            f"{', stratum' if question.standardise else ''} and period [setting: denominators]"
        )
    shape = (len(keys), max(len(windows), 1), max(len(strata), 1))
    found = _arranged(placed, shape, periodic, _occupied(records, shape, periodic))
    known = np.nan_to_num(found)
    if not windows:
        return Exposure(found, known, periodic)
    found, known = (np.concatenate([a, a.sum(axis=1, keepdims=True)], axis=1) for a in (found, known))
    return Exposure(found, known, periodic)


def _placed(table: pd.DataFrame, keys: pd.DataFrame) -> np.ndarray:
    """Row of `keys` that each row of a table names, -1 where it names none."""
    place = {key: at for at, key in enumerate(keys.itertuples(index=False, name=None))}
    named = table.map(single, na_action="ignore").itertuples(index=False, name=None)
    return np.array([place.get(key, -1) for key in named], dtype=np.int64)


def _occupied(records: tuple[Ints, Ints, Ints, Ints], shape: tuple[int, ...], periodic: bool) -> np.ndarray:
    """Whether a group has a record in a window and stratum."""
    member, group, window, stratum = records
    at = group, window[member] if periodic else np.zeros_like(group), stratum[member]
    there = np.zeros(shape, bool)
    kept = (at[1] >= 0) & (at[2] >= 0)
    there[tuple(a[kept] for a in at)] = True
    return there | (there.any(axis=1, keepdims=True) & (not periodic))


def _arranged(placed: pd.DataFrame, shape: tuple[int, ...], periodic: bool, occupied: np.ndarray) -> Floats:
    """Exposure by group, window and stratum; where one stratum of a group is unknown, all are."""
    found = np.full(shape, np.nan)
    # the months of a year add up; a blank leaves the whole unknown
    summed = (
        placed.groupby(["group", "window", "stratum"])["value"]
        .agg(lambda v: v.sum(skipna=False))
        .reset_index()
    )
    at = summed["group"].to_numpy(int), summed["window"].to_numpy(int), summed["stratum"].to_numpy(int)
    told = np.zeros(shape, bool)
    if periodic:
        found[at], told[at] = summed["value"], True
    else:
        found[at[0], :, at[2]] = summed["value"].to_numpy()[:, None]
        told[at[0], :, at[2]] = True
    # nobody lives in a stratum that the table leaves out of a group, unless a record says otherwise
    found[~told & told.any(axis=2, keepdims=True) & ~occupied] = 0.0
    found[np.isnan(found).any(axis=2)] = np.nan
    return found
