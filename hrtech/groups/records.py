"""Records as arrays: who belongs to which group, window and stratum, and what each adds to a measure.

Belongs here: reading the declared columns. A blank is unknown: it is left out and counted, never a value.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hrtech.causal.expression import evaluate
from hrtech.groups.question import ALL, EVERYBODY, UNKNOWN, Every, GroupError, GroupQuestion, Measure

Ints = np.ndarray
Floats = np.ndarray
#: Between the values of a group of several columns.
JOIN = " · "
_MOST_GAPS = 600
_MOST_STRATA = 200


@dataclass(frozen=True)
class Values:
    """What each record adds to a measure; NaN in both where it is unknown.

    Attributes:
        above: Condition (0 or 1), events, or the value.
        below: 1, or the exposure.
    """

    above: Floats
    below: Floats


@dataclass(frozen=True)
class Prepared:
    """Records as arrays.

    Attributes:
        keys: One row a group, the values of the columns of groups; in order.
        member: Record of each membership; a record of a multi-valued column has several.
        group: Group of each membership.
        window: Window of each record, -1 where the period is unknown.
        windows: Names of the windows, in order; empty where there is no period.
        stratum: Stratum of each record, -1 where it is unknown; 0 where nothing is standardised.
        strata: One row a stratum.
        cluster: Person behind each record, or the record itself.
        weight: Survey weight of each record, or 1.
        measured: Measure → what each record adds.
        left_out: What was left out or is unknown: `what`, `records`, `unknown`, `share`.
    """

    keys: pd.DataFrame
    member: Ints
    group: Ints
    window: Ints
    windows: tuple[str, ...]
    stratum: Ints
    strata: pd.DataFrame
    cluster: Ints
    weight: Floats
    measured: Mapping[str, Values]
    left_out: pd.DataFrame

    @property
    def labels(self) -> list[str]:
        """Names of the groups."""
        return [JOIN.join(map(str, row)) for row in self.keys.itertuples(index=False)]

    @property
    def overlapping(self) -> bool:
        """Whether a record belongs to several groups."""
        return len(self.member) > len(self.window)


def prepare(
    records: pd.DataFrame, question: GroupQuestion, denominators: pd.DataFrame | None = None
) -> Prepared:
    """Read the records.

    Args:
        records: One row a record, typed; multi-valued cells are lists, a blank is missing.
        question: What is asked.
        denominators: Table of denominators; its groups are there even where they have no record.

    Raises:
        GroupError: A column is missing or of the wrong kind, nothing is left, or there are too many groups.
    """
    _check_columns(records, question)
    told: list[tuple[str, int, int]] = []
    kept = _filtered(records, question, told)
    parts = [_cells(kept[name], name, question.unknown) for name in question.groups]
    known = np.ones(len(kept), bool)
    for name, part in zip(question.groups, parts, strict=True):
        blank = np.array([not cell for cell in part], dtype=bool)
        told.append((f"column {name}", len(kept), int(kept[name].isna().sum())))
        known &= ~blank
    if not known.any():
        raise GroupError(
            "No record is left: all are filtered out or have a blank in a column of groups. Widen filters, or set "
            "unknown to group [setting: filters, groups]"
        )
    told.append(("groups, all columns together", len(kept), int((~known).sum())))
    kept = kept.loc[known].reset_index(drop=True)
    parts = [[cell for cell, there in zip(part, known, strict=True) if there] for part in parts]
    keys, member, group = _memberships(parts, question, denominators)
    window, windows = _windows(kept, question, told)
    stratum, strata = _strata(kept, question, told)
    labels = [JOIN.join(map(str, row)) for row in keys.itertuples(index=False)]
    if len(set(labels)) < len(labels) or ALL in windows or EVERYBODY in labels:
        raise GroupError(
            f"Two groups or windows cannot be told apart by their names: a period is called '{ALL}', a group "
            f"'{EVERYBODY}', or a value holds '{JOIN}'. Rename it in the source [setting: groups, period]"
        )
    measured = {m.name: _values(kept, m, told) for m in question.measures}
    cluster = np.arange(len(kept))
    if question.subject:
        cluster, _ = pd.factorize(kept[question.subject])
        alone = np.flatnonzero(cluster < 0)  # a record of nobody known is its own
        cluster[alone] = cluster.max(initial=-1) + 1 + np.arange(len(alone))
        told.append((f"column {question.subject}", len(kept), len(alone)))
    weight = np.ones(len(kept))
    if question.weight:
        weight = _numbers(kept, question.weight, "weight")
        if not (weight > 0).all():
            raise GroupError(
                f"Column '{question.weight}' holds a blank, or a weight that is not above 0. Give every record a "
                "weight, or leave it out by a filter [setting: weight]"
            )
    left_out = pd.DataFrame(told, columns=["what", "records", "unknown"])
    left_out["share"] = left_out["unknown"] / left_out["records"].clip(lower=1)
    return Prepared(
        keys,
        member,
        group,
        window,
        windows,
        stratum,
        strata,
        cluster.astype(np.int64),
        weight,
        measured,
        left_out,
    )


def _check_columns(records: pd.DataFrame, question: GroupQuestion) -> None:
    if not len(records):
        raise GroupError("The table has no record. Check where the source points to [setting: source]")
    named = [("groups", name) for name in question.groups]
    named += [("standardise", name) for name in question.standardise]
    named += [(s, str(getattr(question, s))) for s in ("period", "subject", "weight") if getattr(question, s)]
    for measure in question.measures:
        named += [
            (f"measures, {measure.name}", str(getattr(measure, field)))
            for field in ("events", "exposure", "column")
            if getattr(measure, field)
        ]
    for setting, name in named:
        if name not in records.columns:
            raise GroupError(f"The table has no column '{name}'. Name one that is read [setting: {setting}]")


def _filtered(
    records: pd.DataFrame, question: GroupQuestion, told: list[tuple[str, int, int]]
) -> pd.DataFrame:
    kept = np.ones(len(records), bool)
    for condition in question.filters:
        met = evaluate(condition, records, setting="filters")
        told.append((f"filter {condition}", len(records), int(met.isna().sum())))
        kept &= met.fillna(False).to_numpy(bool)
    return records.loc[kept].reset_index(drop=True)


def _cells(column: pd.Series, name: str, unknown: str) -> list[tuple[str, ...]]:
    """Values of each record in a column of groups; none where it is blank."""
    blank: tuple[str, ...] = (UNKNOWN,) if unknown == "group" else ()
    missing = column.isna().to_numpy(bool)
    values = [
        blank if gone else _values_of(cell) or blank
        for cell, gone in zip(column.tolist(), missing, strict=True)
    ]
    if blank and any(UNKNOWN in cell for cell, gone in zip(values, missing, strict=True) if not gone):
        raise GroupError(
            f"A value of column '{name}' is '{UNKNOWN}', which names the blanks. Rename it in the source, or set "
            "unknown to leave_out [setting: unknown]"
        )
    _check_whole(column, name, "groups")
    return values


def _check_whole(column: pd.Series, name: str, setting: str) -> None:
    if pd.api.types.is_float_dtype(column) and not (column.dropna() % 1 == 0).all():
        raise GroupError(
            f"Column '{name}' holds broken numbers, which make no groups. Give it bands in the source "
            f"[setting: {setting}]"
        )


def single(cell: Any) -> str | None:
    """A cell of one value as text; None where it is empty."""
    return next(iter(_values_of(cell)), None)


def _values_of(cell: Any) -> tuple[str, ...]:
    if isinstance(cell, list | tuple | np.ndarray):
        return tuple(dict.fromkeys(str(one) for one in cell if one is not None and str(one)))
    if isinstance(cell, float):
        return (str(int(cell)),)
    if isinstance(cell, pd.Timestamp):
        return (cell.date().isoformat(),)
    return (str(cell),) if str(cell) else ()


def _memberships(
    parts: Sequence[Sequence[tuple[str, ...]]], question: GroupQuestion, denominators: pd.DataFrame | None
) -> tuple[pd.DataFrame, Ints, Ints]:
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
        there = denominators[names].dropna()
        found |= set(zip(*(there[c].map(single) for c in names), strict=True))
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


def natural(text: Any) -> tuple[tuple[int, float, str], ...]:
    """Sort key: numbers in a word by size, so that 9 comes before 10."""
    pieces = re.findall(r"\d+(?:\.\d+)?|\D+", str(text))
    return tuple((0, float(p), "") if p[0].isdecimal() else (1, 0.0, p) for p in pieces)


def window_names(periods: pd.Series, every: Every) -> pd.Series:
    """Name of the window of each period; missing where it is unknown."""
    if not pd.api.types.is_datetime64_any_dtype(periods):
        return periods.map(single, na_action="ignore")
    year, month = periods.dt.year, periods.dt.month
    within = {"month": month, "quarter": (month + 2) // 3, "half_year": (month + 5) // 6, "year": month}[
        every
    ]
    mark = {"month": "-{:02.0f}", "quarter": "-Q{:.0f}", "half_year": "-H{:.0f}", "year": ""}[every]
    named = [None if pd.isna(y) else f"{int(y)}{mark.format(w)}" for y, w in zip(year, within, strict=True)]
    return pd.Series(named, index=periods.index, dtype=object)


def _windows(
    kept: pd.DataFrame, question: GroupQuestion, told: list[tuple[str, int, int]]
) -> tuple[Ints, tuple[str, ...]]:
    if question.period is None:
        return np.full(len(kept), -1), ()
    column = kept[question.period]
    _check_whole(column, question.period, "period")
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


def _strata(
    kept: pd.DataFrame, question: GroupQuestion, told: list[tuple[str, int, int]]
) -> tuple[Ints, pd.DataFrame]:
    names = list(question.standardise)
    if not names:
        return np.zeros(len(kept), np.int64), pd.DataFrame()
    for name in names:
        told.append((f"column {name}", len(kept), int(kept[name].isna().sum())))
        if kept[name].map(lambda cell: isinstance(cell, list | tuple | np.ndarray)).any():
            raise GroupError(
                f"'{name}' holds several values a record. Standardise for columns with one [setting: standardise]"
            )
        _check_whole(kept[name], name, "standardise")
    named = kept[names].map(single, na_action="ignore")
    whole = named.notna().all(axis=1)
    rows = zip(named.itertuples(index=False, name=None), whole, strict=True)
    keys = [row if there else None for row, there in rows]
    ordered = sorted({key for key in keys if key}, key=lambda key: tuple(natural(value) for value in key))
    if not ordered:
        raise GroupError("No record has all columns to standardise for. Leave one out [setting: standardise]")
    if len(ordered) > _MOST_STRATA:
        raise GroupError(
            f"The columns to standardise for make {len(ordered)} strata, more than {_MOST_STRATA}. Leave one out or "
            "band it [setting: standardise]"
        )
    place = {key: at for at, key in enumerate(ordered)}
    stratum = np.array([place[key] if key else -1 for key in keys], dtype=np.int64)
    return stratum, pd.DataFrame(ordered, columns=names, dtype="str")


def _values(kept: pd.DataFrame, measure: Measure, told: list[tuple[str, int, int]]) -> Values:
    ones: Floats = np.ones(len(kept))
    setting = f"measures, {measure.name}"
    if measure.kind in ("mean", "median"):
        values = _numbers(kept, str(measure.column), setting)
        told.append((f"measure {measure.name}", len(kept), int(np.isnan(values).sum())))
        return Values(values, np.where(np.isnan(values), np.nan, 1.0))
    above: Floats = ones.copy()
    if measure.condition:
        met = evaluate(measure.condition, kept, setting=setting)
        above = np.asarray(met.astype("Float64").to_numpy(float, na_value=np.nan))
    if measure.events:
        events = _numbers(kept, measure.events, setting)
        if (events < 0).any():
            raise GroupError(f"Column '{measure.events}' holds events below 0 [setting: {setting}]")
        # a row that does not meet the condition adds no event
        above = np.where(above == 0, 0.0, above * events)
    below = _numbers(kept, measure.exposure, setting) if measure.exposure else ones.copy()
    if (below < 0).any():
        raise GroupError(f"Column '{measure.exposure}' holds exposure below 0 [setting: {setting}]")
    if measure.kind == "count":
        above = np.where(np.isnan(above), 0.0, above)
    unknown = np.isnan(above) | np.isnan(below)
    told.append((f"measure {measure.name}", len(kept), int(unknown.sum())))
    return Values(np.where(unknown, np.nan, above), np.where(unknown, np.nan, below))


def _numbers(frame: pd.DataFrame, name: str, setting: str) -> Floats:
    column = frame[name]
    if not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)):
        raise GroupError(f"Column '{name}' holds no numbers. Give it the role number [setting: {setting}]")
    return np.asarray(column.astype("Float64").to_numpy(float, na_value=np.nan))
