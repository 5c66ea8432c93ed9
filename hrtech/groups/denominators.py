"""Exposure by group from a table of its own, such as the population of each region and year.

A table without the period holds for every window, and the exposure of all windows together is their sum. Overlapping
groups have none: one person would stand in the population of two.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hrtech.groups.question import GroupError, GroupQuestion, Measure
from hrtech.groups.records import Prepared, window_names

Floats = np.ndarray


@dataclass(frozen=True)
class Exposure:
    """Exposure of groups; NaN where the table has none.

    Attributes:
        by_window: Shape (groups, windows + 1); the last column is all windows together.
        by_stratum: Shape (groups, windows + 1, strata); one stratum where nothing is standardised.
    """

    by_window: Floats
    by_stratum: Floats


def exposures(
    prepared: Prepared, question: GroupQuestion, measure: Measure, table: pd.DataFrame | None
) -> Exposure:
    """Read the exposure of a rate from the table of denominators.

    Raises:
        GroupError: There is no table, it lacks a column or names a group twice, or a group's exposure is below 0.
    """
    name = str(measure.denominator)
    if table is None:
        raise GroupError(
            f"Rate '{measure.name}' is by '{name}' of a table of denominators, and there is none "
            "[setting: denominators]"
        )
    keys = list(question.groups)
    if lacking := [c for c in [*keys, name, *question.standardise] if c not in table.columns]:
        raise GroupError(f"The table of denominators has no column '{lacking[0]}' [setting: denominators]")
    if prepared.overlapping:
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
    placed = pd.DataFrame({"value": values, "group": _placed(table[keys], prepared.keys)})
    strata = prepared.strata if question.standardise else pd.DataFrame()
    placed["stratum"] = _placed(table[list(question.standardise)], strata) if question.standardise else 0
    placed["window"] = 0
    if periodic:
        window = window_names(table[str(question.period)], question.every)
        placed["window"] = (
            window.map({w: at for at, w in enumerate(prepared.windows)}).fillna(-1).to_numpy(int)
        )
    placed = placed.loc[(placed[["group", "stratum", "window"]] >= 0).all(axis=1)]
    if not periodic and placed[["group", "stratum"]].duplicated().any():
        raise GroupError(
            "The table of denominators names a group more than once. Give it one row for each group"
            f"{', stratum' if question.standardise else ''} and period [setting: denominators]"
        )
    return _arranged(prepared, placed, max(len(strata), 1), periodic)


def _placed(table: pd.DataFrame, keys: pd.DataFrame) -> np.ndarray:
    """Row of `keys` that each row of a table names, -1 where it names none."""
    place = {key: at for at, key in enumerate(keys.itertuples(index=False, name=None))}
    named = table.map(_text, na_action="ignore").itertuples(index=False, name=None)
    return np.array([place.get(key, -1) for key in named], dtype=np.int64)


def _arranged(prepared: Prepared, placed: pd.DataFrame, strata: int, periodic: bool) -> Exposure:
    groups, windows = len(prepared.keys), len(prepared.windows)
    found = np.full((groups, max(windows, 1), strata), np.nan)
    # the months of a year add up; a blank leaves the whole unknown
    summed = (
        placed.groupby(["group", "window", "stratum"])["value"]
        .agg(lambda v: v.sum(skipna=False))
        .reset_index()
    )
    at = summed["group"].to_numpy(int), summed["window"].to_numpy(int), summed["stratum"].to_numpy(int)
    if periodic:
        found[at] = summed["value"]
    else:
        found[at[0], :, at[2]] = summed["value"].to_numpy()[:, None]
    every = np.concatenate([found, found.sum(axis=1, keepdims=True)], axis=1) if windows else found
    return Exposure(every.sum(axis=2), every)


def _text(cell: object) -> str:
    return str(int(cell)) if isinstance(cell, float) else str(cell)
