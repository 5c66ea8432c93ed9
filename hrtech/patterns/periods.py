"""The time column: from dates or labels to ordered periods without gaps, and their place in the season.

Messages name the column and the row, never what the cell holds.
"""

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtech.patterns.declared import PatternsError, PatternSettings

#: Periods in a year, by kind; none where there is no season within a year.
_PER_YEAR: Final = {"week": 52, "month": 12, "quarter": 4, "half_year": 2}
_MOST_PERIODS: Final = 2000
_MONDAY: Final = np.datetime64("1970-01-05", "D")
_LABELS: Final = {
    "year": re.compile(r"(\d{4})"),
    "half_year": re.compile(r"(\d{4})-?[Hh]([12])"),
    "quarter": re.compile(r"(\d{4})-?[Qq]([1-4])"),
    "month": re.compile(r"(\d{4})-(0[1-9]|1[0-2])"),
    "week": re.compile(r"(\d{4})-?[Ww](0[1-9]|[1-4]\d|5[0-3])"),
}


@dataclass(frozen=True)
class Periods:
    """When each record is.

    Attributes:
        index: Period of each record, (records,); -1 where the time is blank.
        labels: Labels of all periods in order, those without records too.
        phase: Place of each period in its cycle, (periods,); all 0 without season.
        cycle: Periods in a cycle, None without season.
        remarks: What was noticed.
    """

    index: NDArray[np.int32]
    labels: tuple[str, ...]
    phase: NDArray[np.int64]
    cycle: int | None
    remarks: tuple[str, ...]

    @property
    def cycles(self) -> int:
        """The most periods that share a phase, 1 without season."""
        return 1 if self.cycle is None else int(np.bincount(self.phase).max())


def read_periods(frame: pd.DataFrame, settings: PatternSettings) -> Periods:
    """Read the time column.

    Raises:
        PatternsError: There is no such column, a cell is no time, or there is one period only.
    """
    name = settings.time
    if name not in frame.columns:
        raise PatternsError(f"No column is called '{name}'. Name the column with the time [setting: time]")
    if not len(frame):
        raise PatternsError("The table has no rows. Read a table with one row a record")
    codes, values = pd.factorize(frame[name])
    unique = pd.Series(values)
    empty = np.array([isinstance(v, str) and not v.strip() for v in values], dtype=bool)
    if empty.any():
        codes = np.where(np.append(empty, False)[codes], -1, codes)
    if (codes < 0).all():
        raise PatternsError(
            f"Every cell of column '{name}' is blank. Name a column with the time [setting: time]"
        )
    kind, ordinal = _ordinals(unique, empty, codes, settings)
    held = np.unique(codes[codes >= 0])
    low, high = int(ordinal[held].min()), int(ordinal[held].max())
    if low == high:
        raise PatternsError(
            f"Column '{name}' holds one {kind.replace('_', ' ')} only: nothing can have changed. Count by shorter "
            "periods, or read records of more than one [setting: time, period]"
        )
    if high - low >= _MOST_PERIODS:
        raise PatternsError(
            f"Column '{name}' spans {high - low + 1:,} periods, more than {_MOST_PERIODS:,}: look for a wrong year, or "
            "count by longer periods [setting: time, period]"
        )
    index = np.where(codes >= 0, np.append(ordinal, 0)[codes] - low, -1).astype(np.int32)
    every = np.arange(low, high + 1)
    labels = (
        settings.periods[low : high + 1]
        if kind == "declared"
        else tuple(_label(kind, k) for k in every.tolist())
    )
    cycle = _PER_YEAR.get(kind) if settings.cycle == "automatic" else settings.cycle
    phase = _phases(kind, every, cycle, settings.cycle == "automatic")
    return Periods(index, labels, phase, cycle, _remarks(name, index, labels))


def _remarks(name: str, index: NDArray[np.int32], labels: tuple[str, ...]) -> tuple[str, ...]:
    out = []
    if blank := int((index < 0).sum()):
        out.append(f"{blank:,} records have no time in column '{name}' and were left out.")
    if gaps := np.flatnonzero(np.bincount(index[index >= 0], minlength=len(labels)) == 0).tolist():
        named = ", ".join(labels[k] for k in gaps[:5]) + (" and more" if len(gaps) > 5 else "")
        out.append(f"{len(gaps)} periods hold no record ({named}): nothing is claimed about them.")
    return tuple(out)


def _ordinals(
    values: pd.Series, empty: NDArray[np.bool_], codes: NDArray[np.int64], settings: PatternSettings
) -> tuple[str, NDArray[np.int64]]:
    """The kind of period and the ordinal of each distinct value (that of an empty one means nothing)."""
    if settings.period == "declared":
        position = {label: k for k, label in enumerate(settings.periods)}
        found = np.array([position.get(str(v), -1) for v in values], dtype=np.int64)
        _refuse(~empty & (found < 0), codes, settings, "is none of the declared periods")
        return "declared", found
    if pd.api.types.is_integer_dtype(values.dtype):
        return _whole_numbers(values, codes, settings)
    dates = pd.api.types.is_datetime64_any_dtype(values.dtype)
    if not dates:
        texts = [str(v).strip() for v in values]
        for kind in _LABELS:
            if all(_LABELS[kind].fullmatch(t) for t, e in zip(texts, empty, strict=True) if not e):
                found = np.array(
                    [0 if e else _of_label(kind, t) for t, e in zip(texts, empty, strict=True)],
                    dtype=np.int64,
                )
                return _coarser(kind, found, settings)
        values = pd.Series(pd.to_datetime(pd.Series(texts), errors="coerce", format="ISO8601", utc=True))
    _refuse(
        ~empty & values.isna().to_numpy(), codes, settings, "is no date (2024-07-31) and no label of a period"
    )
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        values = values.dt.tz_localize(None)
    kind = "month" if settings.period == "automatic" else settings.period
    days = values.fillna(pd.Timestamp("2000-01-01")).to_numpy().astype("datetime64[D]")
    return kind, _of_days(days, kind)


def _whole_numbers(
    values: pd.Series, codes: NDArray[np.int64], settings: PatternSettings
) -> tuple[str, NDArray[np.int64]]:
    numbers = values.to_numpy(np.int64)
    if len(numbers) and numbers.min() >= 1000 and numbers.max() <= 2999:
        return _coarser("year", numbers, settings)
    if settings.period != "automatic":
        _refuse(
            np.ones(len(numbers), dtype=bool), codes, settings, f"is no {settings.period.replace('_', ' ')}"
        )
    return "number", numbers


def _coarser(kind: str, found: NDArray[np.int64], settings: PatternSettings) -> tuple[str, NDArray[np.int64]]:
    """Labels of one kind counted by the declared kind, where each lies within one such period."""
    asked = settings.period
    if asked in ("automatic", kind):
        return kind, found
    if kind in ("year", "week") or _PER_YEAR.get(asked, 1) > _PER_YEAR[kind]:
        raise PatternsError(
            f"Column '{settings.time}' holds a {kind.replace('_', ' ')} in each cell, which does not say the "
            f"{asked.replace('_', ' ')}. Use '{kind}' [setting: period]"
        )
    return asked, found * _PER_YEAR.get(asked, 1) // _PER_YEAR[kind]


def _refuse(wrong: NDArray[np.bool_], codes: NDArray[np.int64], settings: PatternSettings, what: str) -> None:
    if not wrong.any():
        return
    rows = np.flatnonzero(np.append(wrong, False)[codes])
    raise PatternsError(
        f"{len(rows):,} cells of column '{settings.time}' cannot be read as time, the first in row {rows[0] + 1}: it "
        f"{what}. Mend them, blank them to leave the rows out, or declare the periods [setting: time, period, periods]"
    )


def _of_label(kind: str, text: str) -> int:
    match = _LABELS[kind].fullmatch(text)
    if match is None:
        raise ValueError("the text is no label of this kind")
    year = int(match.group(1))
    if kind == "year":
        return year
    if kind == "week":
        first = np.datetime64(f"{year:04d}-01-04", "D")  # always in the first ISO week
        return int((first - _MONDAY).astype(int) // 7) + int(match.group(2)) - 1
    return year * _PER_YEAR[kind] + int(match.group(2)) - 1


def _of_days(days: NDArray[np.datetime64], kind: str) -> NDArray[np.int64]:
    if kind == "week":
        return np.asarray((days - _MONDAY).astype(np.int64) // 7)
    months = days.astype("datetime64[M]").astype(np.int64) + 1970 * 12
    return np.asarray(months * _PER_YEAR.get(kind, 1) // 12)


def _iso_week(ordinal: int) -> tuple[int, int]:
    year, week, _ = (_MONDAY + 7 * int(ordinal)).item().isocalendar()
    return year, week


def _label(kind: str, ordinal: int) -> str:
    if kind in ("number", "year"):
        return str(ordinal)
    if kind == "week":
        year, week = _iso_week(ordinal)
        return f"{year:04d}-W{week:02d}"
    year, part = divmod(int(ordinal), _PER_YEAR[kind])
    mark = {"month": "", "quarter": "Q", "half_year": "H"}[kind]
    return f"{year:04d}-{part + 1:02d}" if kind == "month" else f"{year:04d}-{mark}{part + 1}"


def _phases(kind: str, every: NDArray[np.int64], cycle: int | None, by_year: bool) -> NDArray[np.int64]:
    if cycle is None:
        return np.zeros(len(every), dtype=np.int64)
    if kind == "week" and by_year:  # a 53rd week counts with the 52nd
        return np.array([min(_iso_week(int(k))[1], 52) - 1 for k in every], dtype=np.int64)
    return np.asarray(every % cycle, dtype=np.int64)
