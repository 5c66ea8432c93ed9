"""Cells of declared columns as text and numbers: names of values and windows, in an order that people expect.

Belongs here: one column at a time. Who belongs where is `hrtech.groups.axes`.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import pandas as pd

from hrtech.groups.question import Every, GroupError

Floats = np.ndarray
#: A year, or some from one to another.
_YEARS: Final = re.compile(r"(\d{4})(?:\s*(?:-|–|/|to)\s*(\d{4}))?")


def single(cell: Any) -> str | None:
    """A cell of one value as text; None where it is empty."""
    return next(iter(values_of(cell)), None)


def values_of(cell: Any) -> tuple[str, ...]:
    """Values of a cell as text, each once; none where it is empty."""
    if isinstance(cell, list | tuple | np.ndarray):
        return tuple(dict.fromkeys(str(one) for one in cell if one is not None and str(one)))
    if isinstance(cell, float):
        return (str(int(cell)),)
    if isinstance(cell, pd.Timestamp):
        return (cell.date().isoformat(),)
    return (str(cell),) if str(cell) else ()


def check_whole(column: pd.Series, name: str, setting: str) -> None:
    """Refuse a column of broken numbers, whose values name nothing.

    Raises:
        GroupError: It holds one.
    """
    if pd.api.types.is_float_dtype(column) and not (column.dropna() % 1 == 0).all():
        raise GroupError(
            f"Column '{name}' holds broken numbers, which make no groups. Give it bands in the source "
            f"[setting: {setting}]"
        )


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


def uneven(windows: Iterable[str]) -> bool:
    """Whether windows differ in length, as far as their names tell: 2014-2018 is five years, 2019 one."""
    lengths = set()
    for name in windows:
        if found := _YEARS.fullmatch(name.strip()):
            first, last = int(found[1]), int(found[2] or found[1])
            lengths.add(last - first)
    return len(lengths) > 1


def cut_windows(periods: pd.Series, every: Every) -> int:
    """At how many ends the dates begin or end inside a window, further than chance leaves open.

    Args:
        periods: Dates.
        every: Length of a window.
    """
    known = periods.dropna().sort_values()
    if not len(known):
        return 0
    months = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}[every]
    cut = 0
    for at, ends in ((known.iloc[0], False), (known.iloc[-1], True)):
        start = pd.Timestamp(at.year, (at.month - 1) // months * months + 1, 1)
        stop = start + pd.DateOffset(months=months)
        inside = int(((known >= start) & (known < stop)).sum())
        open_part = (stop - at if ends else at - start) / (stop - start)
        # where dates are spread evenly, an end as open as this comes once in 150 times
        cut += open_part > max(0.1, 5 / inside)
    return cut


def numbers(frame: pd.DataFrame, name: str, setting: str) -> Floats:
    """A column as numbers, NaN where it is blank.

    Raises:
        GroupError: It holds none.
    """
    column = frame[name]
    if not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)):
        raise GroupError(f"Column '{name}' holds no numbers. Give it the role number [setting: {setting}]")
    return np.asarray(column.astype("Float64").to_numpy(float, na_value=np.nan))
