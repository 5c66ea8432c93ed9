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
        by_stratum: Shape (groups, windows + 1, strata), or None where nothing is standardised.
    """

    by_window: Floats
    by_stratum: Floats | None


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
    frame = pd.DataFrame({c: table[c].map(_text, na_action="ignore") for c in [*keys, *question.standardise]})
    frame["value"] = (
        pd.to_numeric(table[name], errors="coerce").astype("Float64").to_numpy(float, na_value=np.nan)
    )
    by = [*keys, *question.standardise]
    if periodic:
        frame["window"] = window_names(table[str(question.period)], question.every)
        by.append("window")
    if not (frame["value"].dropna() >= 0).all():
        raise GroupError(
            f"Column '{name}' of the table of denominators holds a number below 0 [setting: denominators]"
        )
    if not periodic and frame[by].duplicated().any():
        raise GroupError(
            "The table of denominators names a group more than once. Give it one row for each group"
            f"{', stratum' if question.standardise else ''} and period [setting: denominators]"
        )
    return _arranged(prepared, question, frame, by, periodic)


def _arranged(
    prepared: Prepared, question: GroupQuestion, frame: pd.DataFrame, by: list[str], periodic: bool
) -> Exposure:
    groups, windows = len(prepared.keys), len(prepared.windows)
    strata = len(prepared.strata) if question.standardise else 1
    placed = frame.merge(prepared.keys.reset_index(names="group_at"), on=list(question.groups))
    if question.standardise:
        placed = placed.merge(prepared.strata.reset_index(names="stratum_at"), on=list(question.standardise))
    else:
        placed["stratum_at"] = 0
    if periodic:
        place = {name: at for at, name in enumerate(prepared.windows)}
        placed["window_at"] = placed["window"].map(place)
        placed = placed.dropna(subset=["window_at"])
    found = np.full((groups, max(windows, 1), strata), np.nan)
    wanted = ["group_at", *(["window_at"] if periodic else []), "stratum_at"]
    # the months of a year add up; a blank leaves the whole unknown
    summed = placed.groupby(wanted)["value"].agg(lambda v: v.sum(skipna=False)).reset_index()
    at = summed["group_at"].to_numpy(int), summed["stratum_at"].to_numpy(int)
    if periodic:
        found[at[0], summed["window_at"].to_numpy(int), at[1]] = summed["value"]
    else:
        found[at[0], :, at[1]] = summed["value"].to_numpy()[:, None]
    every = np.concatenate([found, found.sum(axis=1, keepdims=True)], axis=1) if windows else found
    return Exposure(every.sum(axis=2), every if question.standardise else None)


def _text(cell: object) -> str:
    return str(int(cell)) if isinstance(cell, float) else str(cell)
