"""Where a record stands: the groups that it belongs to, its window and its stratum.

What a table of denominators names is there even where no record is: a group without a case, and a stratum of the
population in which nothing happened.
"""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from hrtech.groups.question import UNKNOWN, GroupError, GroupQuestion
from hrtech.groups.reading import check_whole, natural, single, values_of, window_names

Ints = np.ndarray
Left = list[tuple[str, int, int]]
_MOST_GAPS = 600
_MOST_STRATA = 200


def values_by_record(column: pd.Series, name: str, unknown: str) -> list[tuple[str, ...]]:
    """Values of each record in a column of groups; none where it is blank."""
    blank: tuple[str, ...] = (UNKNOWN,) if unknown == "group" else ()
    missing = column.isna().to_numpy(bool)
    values = [
        blank if gone else values_of(cell) or blank
        for cell, gone in zip(column.tolist(), missing, strict=True)
    ]
    if blank and any(UNKNOWN in cell for cell, gone in zip(values, missing, strict=True) if not gone):
        raise GroupError(
            f"A value of column '{name}' is '{UNKNOWN}', which names the blanks. Rename it in the source, or set "
            "unknown to leave_out [setting: unknown]"
        )
    check_whole(column, name, "groups")
    return values


def memberships(
    parts: Sequence[Sequence[tuple[str, ...]]], question: GroupQuestion, denominators: pd.DataFrame | None
) -> tuple[pd.DataFrame, Ints, Ints]:
    """Groups, and who is in which.

    Args:
        parts: Values of each record, by column of groups.
        question: What is asked.
        denominators: Table of denominators; its groups are there even where they have no record.

    Returns:
        Keys of the groups in order, and the record and the group of each membership.

    Raises:
        GroupError: There are fewer than two groups or too many, or the table of denominators lacks a column.
    """
    names = list(question.groups)
    record = np.arange(len(parts[0]))
    columns: list[np.ndarray] = []
    for part in parts:  # each value of a cell with each value of the cells before it
        here = record.tolist()
        repeat = np.array([len(part[at]) for at in here], dtype=np.int64)
        columns = [np.repeat(column, repeat) for column in columns]
        columns.append(np.array([value for at in here for value in part[at]], dtype=object))
        record = np.repeat(record, repeat)
    found = set(zip(*columns, strict=True))
    if denominators is not None and not (lacking := [c for c in names if c not in denominators.columns]):
        found |= set(_keys(denominators, names))
    elif denominators is not None:
        raise GroupError(f"The table of denominators has no column '{lacking[0]}' [setting: denominators]")
    ordered = sorted(found, key=lambda key: tuple(natural(value) for value in key))
    if len(ordered) > question.most_groups:
        raise GroupError(
            f"The columns of groups make {len(ordered)} groups, more than {question.most_groups}. Leave a column out, "
            "join values, filter, or raise most_groups [setting: groups]"
        )
    if len(ordered) < 2:
        raise GroupError(
            "There is one group, and so nothing to compare. Name another column [setting: groups]"
        )
    place = {key: at for at, key in enumerate(ordered)}
    group = np.array([place[key] for key in zip(*columns, strict=True)], dtype=np.int64)
    return pd.DataFrame(ordered, columns=names, dtype="str"), record, group


def windows_of(kept: pd.DataFrame, question: GroupQuestion, told: Left) -> tuple[Ints, tuple[str, ...]]:
    """Window of each record, -1 where it is unknown, and the names of windows in order; gaps are windows too.

    Raises:
        GroupError: There are fewer than two windows, or too many.
    """
    if question.period is None:
        return np.full(len(kept), -1), ()
    column = kept[question.period]
    check_whole(column, question.period, "period")
    named = window_names(column, question.every)
    told.append((f"column {question.period}", len(kept), int(named.isna().sum())))
    present = sorted(named.dropna().unique(), key=natural)
    if pd.api.types.is_datetime64_any_dtype(column) and present:
        days = pd.Series(pd.date_range(column.min().normalize(), column.max().normalize(), freq="D"))
        present = list(dict.fromkeys(window_names(days, question.every)))
    elif present and all(re.fullmatch(r"-?\d+", p) for p in present):
        first, last = int(present[0]), int(present[-1])
        if last - first < _MOST_GAPS:
            present = [str(p) for p in range(first, last + 1)]
    if len(present) < 2:
        raise GroupError(
            f"Column '{question.period}' holds {len(present)} period. Two or more make a change; leave period out, or "
            "choose a shorter window [setting: period, every]"
        )
    if len(present) > _MOST_GAPS:
        raise GroupError(
            f"Column '{question.period}' makes {len(present)} windows. Give it the role date and choose a longer one "
            "[setting: every]"
        )
    place = {name: at for at, name in enumerate(present)}
    return named.map(place).fillna(-1).to_numpy(np.int64), tuple(present)


def strata_of(
    kept: pd.DataFrame, question: GroupQuestion, told: Left, denominators: pd.DataFrame | None
) -> tuple[Ints, pd.DataFrame]:
    """Stratum of each record, -1 where it is unknown, and a row a stratum; those of the denominators are there too.

    Raises:
        GroupError: A column holds several values a record, no record has them all, or there are too many strata.
    """
    names = list(question.standardise)
    if not names:
        return np.zeros(len(kept), np.int64), pd.DataFrame()
    for name in names:
        told.append((f"column {name}", len(kept), int(kept[name].isna().sum())))
        if kept[name].map(lambda cell: isinstance(cell, list | tuple | np.ndarray)).any():
            raise GroupError(
                f"'{name}' holds several values a record. Standardise for columns with one [setting: standardise]"
            )
        check_whole(kept[name], name, "standardise")
    named = kept[names].map(single, na_action="ignore")
    complete = named.notna().all(axis=1)
    rows = zip(named.itertuples(index=False, name=None), complete, strict=True)
    keys = [row if there else None for row, there in rows]
    found = {key for key in keys if key}
    if not found:
        raise GroupError("No record has all columns to standardise for. Leave one out [setting: standardise]")
    if denominators is not None and set(names) <= set(denominators.columns):
        found |= set(_keys(denominators, names))
    ordered = sorted(found, key=lambda key: tuple(natural(value) for value in key))
    if len(ordered) > _MOST_STRATA:
        raise GroupError(
            f"The columns to standardise for make {len(ordered)} strata, more than {_MOST_STRATA}. Leave one out or "
            "band it [setting: standardise]"
        )
    place = {key: at for at, key in enumerate(ordered)}
    stratum = np.array([place[key] if key else -1 for key in keys], dtype=np.int64)
    return stratum, pd.DataFrame(ordered, columns=names, dtype="str")


def _keys(table: pd.DataFrame, names: list[str]) -> list[tuple[str, ...]]:
    """Values of some columns, row by row, where none is blank."""
    named = table[names].map(single, na_action="ignore").dropna()
    return list(named.itertuples(index=False, name=None))
