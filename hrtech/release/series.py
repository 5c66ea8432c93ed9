"""A series of releases of a growing population: who belongs to the release of a year, a quarter or a month.

Two ways. `new`: the people whose first record falls into the part. Each person is in one part, decided by their own
records alone, so parts compose in parallel and the series costs what its dearest part costs
(`hrtech.privacy.composition`). `all`: everybody seen until the end of the part. The same people come again, so the
releases add up, and the ledger is told of no series.

What `new` rests on. A person is in one part as long as their first date stays what it is. A correction that changes
it, or records that reach back less far than before, put the person into two parts: for that person, and nobody else,
the guarantee becomes the sum of the two charges. A release of a part that is not over yet is a release of that part;
to make it again when the part is over adds up within the part.

Here: selection of records. What differs between two releases is in `hrtech.release.changes`.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from hrtech.release.declared import ReleaseError
from hrtech.release.people import is_multi_valued

Period = Literal["year", "quarter", "month"]
People = Literal["new", "all"]

#: How many of a period make a year, and how a part is written.
_PER_YEAR: Final[dict[str, int]] = {"year": 1, "quarter": 4, "month": 12}
_WRITTEN: Final[dict[str, str]] = {
    "year": r"(\d{4})",
    "quarter": r"(\d{4})-q([1-4])",
    "month": r"(\d{4})-(0[1-9]|1[0-2])",
}
_EXAMPLES: Final[dict[str, str]] = {"year": "2024", "quarter": "2024-q1", "month": "2024-03"}
#: A date that may end after its year or its month.
_DATE: Final = r"^\s*(\d{4})(?:-(0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01])(?:[T ].*)?)?)?\s*$"


@dataclass(frozen=True)
class SeriesPart:
    """One part of a series, as a study declares it.

    Attributes:
        name: Name of the series.
        period: `year`, `quarter` or `month`.
        part: `2024`, `2024-q1` or `2024-03`.
        people: `new` or `all`.
        first_seen: Column with the date of a record.
    """

    name: str
    period: Period
    part: str
    people: People
    first_seen: str

    def __post_init__(self) -> None:
        if not self.name.strip() or not self.first_seen.strip():
            raise ReleaseError("series: name the series and the column first_seen")
        if self.people not in get_args(People):
            raise ReleaseError("series.people is new or all")
        number_of_part(self.period, self.part)

    def charged_as(self, subject_id: str | None) -> tuple[str, str] | None:
        """Return what the ledger is told as `series` and `part`; None where the same people come again.

        Whatever divides the people otherwise is another series, and adds up: another period, date or identifier.
        """
        if self.people == "all":
            return None
        who = f"{subject_id}'s" if subject_id else "a record's"
        return f"{self.name.strip()} (by {self.period} of {who} first {self.first_seen})", self.part


@dataclass(frozen=True)
class PartOfRecords:
    """The records of a part. Its numbers are exact: for the data's keepers only.

    Attributes:
        records: The records to release, in their order, with a new index.
        people: How many people they are of.
        people_without_date: People who have no dated record at all; in no part of any series.
        records_without_date: Records without a date, of anybody; in no part.
        people_before: People first seen before the part; they are among `people` if all are taken.
        people_after: People first seen after the part.
    """

    records: pd.DataFrame
    people: int
    people_without_date: int
    records_without_date: int
    people_before: int
    people_after: int


def number_of_part(period: str, part: str) -> int:
    """Return a part's place in the order of time: periods since year 0.

    Raises:
        ReleaseError: No such period, or the part is not written as its period is.
    """
    if period not in _PER_YEAR:
        raise ReleaseError(f"series.period is one of {', '.join(_PER_YEAR)}")
    found = re.fullmatch(_WRITTEN[period], part, flags=re.ASCII)
    if found is None:
        raise ReleaseError(f"series.part: a {period} is written {_EXAMPLES[period]}")
    year, *within = (int(text) for text in found.groups())
    return year * _PER_YEAR[period] + (within[0] - 1 if within else 0)


def people_of_part(
    records: pd.DataFrame,
    subject_id: str | None,
    first_seen_column: str,
    period: Period,
    part: str,
    mode: People,
) -> PartOfRecords:
    """Select the records that a release of a part is about.

    Whether a person is in, and with which records, follows from that person's own records alone.

    Args:
        records: Shape (records, columns), one or several for a person, over the whole history.
        subject_id: Column that names the person; None: each record is a person.
        first_seen_column: Date of a record: dates, ISO 8601 texts that may end after the year or the month, or whole
            years. A cell that does not tell the period (a year alone, for months) or is no date counts as none.
        period: `year`, `quarter` or `month`.
        part: `2024`, `2024-q1` or `2024-03`.
        mode: `new`: people whose first dated record falls into the part, with their records of that part; `all`:
            everybody, with their records until the end of the part. Records without a date are left out: nobody
            knows whether they are of later.

    Returns:
        The records, and how many people were left out why.

    Raises:
        ReleaseError: A column is missing or holds lists, a record has no id, or no record at all has a date.
    """
    if mode not in get_args(People):
        raise ReleaseError("series.people is new or all")
    wanted = number_of_part(period, part)
    person, n_people = _persons(records, subject_id)
    when = periods_of(records, first_seen_column, period)
    dated = when >= 0
    if len(when) and not dated.any():
        raise ReleaseError(
            f"series.first_seen: {first_seen_column} tells the {period} of no record; declare it as a date, with "
            "its date_format"
        )
    first = np.full(n_people, np.iinfo(np.int64).max)
    np.minimum.at(first, person[dated], when[dated])
    seen = np.zeros(n_people, dtype=bool)
    seen[person[dated]] = True
    taken = (seen & (first == wanted)) if mode == "new" else (seen & (first <= wanted))
    used = dated & (when <= wanted) & taken[person]
    return PartOfRecords(
        records=records.loc[used].reset_index(drop=True),
        people=int(taken.sum()),
        people_without_date=int((~seen).sum()),
        records_without_date=int((~dated).sum()),
        people_before=int((seen & (first < wanted)).sum()),
        people_after=int((seen & (first > wanted)).sum()),
    )


def _persons(records: pd.DataFrame, subject_id: str | None) -> tuple[NDArray[np.int64], int]:
    """Number of the person of each record, shape (records,), and how many there are."""
    if subject_id is None:
        return np.arange(len(records), dtype=np.int64), len(records)
    if subject_id not in records.columns:
        raise ReleaseError(f"subject_id: there is no column {subject_id}")
    blank = int(records[subject_id].isna().sum())
    if blank:
        raise ReleaseError(
            f"subject_id: {blank} records have no {subject_id}: give every record an id, or declare that each "
            "record is a person"
        )
    codes, ids = pd.factorize(records[subject_id])
    return codes.astype(np.int64), len(ids)


def periods_of(records: pd.DataFrame, column: str, period: Period) -> NDArray[np.int64]:
    """Return the period of each record, shape (records,), as `number_of_part` counts; -1 where none is told.

    Raises:
        ReleaseError: The column is missing or holds lists.
    """
    if column not in records.columns:
        raise ReleaseError(f"series.first_seen: there is no column {column}")
    cells = records[column]
    if is_multi_valued(cells):
        raise ReleaseError(f"series.first_seen: {column} holds several values in a cell; name one date")
    year, month = _years_and_months(cells)
    times = _PER_YEAR[period]
    told = np.isfinite(year) & (year >= 0) & (year <= 9999)
    if times > 1:
        told &= np.isfinite(month)
    number = np.where(told, year, 0) * times
    if times > 1:
        number += (np.where(told, month, 1) - 1) * times // 12
    return np.where(told, number, -1).astype(np.int64)


def _years_and_months(cells: pd.Series) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Year and month of each cell, NaN where not told."""
    dtype = cells.dtype
    arrow = dtype.pyarrow_dtype if isinstance(dtype, pd.ArrowDtype) else None
    if pd.api.types.is_datetime64_any_dtype(dtype) or (arrow is not None and pa.types.is_date(arrow)):
        moments = pd.to_datetime(cells, errors="coerce").dt
        year, month = (
            number.astype("Float64").to_numpy("float64", na_value=np.nan)
            for number in (moments.year, moments.month)
        )
        return np.asarray(year, dtype=np.float64), np.asarray(month, dtype=np.float64)
    if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype):
        year = cells.to_numpy("float64", na_value=np.nan)
        return np.where(year == np.floor(year), year, np.nan), np.full(len(cells), np.nan)
    text = cells.map(lambda cell: None if pd.isna(cell) else str(cell)).astype("str")
    found = text.str.extract(_DATE).astype("float64").to_numpy()
    return found[:, 0], found[:, 1]
