"""A first draft of a source's declaration, from the names and shapes of its columns.

The draft goes into a file that people read and commit, so it holds roles and the way cells are written, and never a
word or a range from the records. Where a column might identify someone, the draft leaves it out.
"""

import re
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as arrow_types
from upath import UPath

from hrtech.sources.columns import ColumnSpec
from hrtech.sources.errors import SourceError
from hrtech.sources.files import find_files, unchanged
from hrtech.sources.raw import Part
from hrtech.sources.read import check_header_names, open_part

_SEPARATORS: Final = (";", "|")
_FORMATS: Final = (
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y-%m",
    "%d %B %Y",
)
_ISO: Final = r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?"
_DAY_LIKE: Final = r"\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}"
_NUMBER: Final = r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?"
_COMMA_NUMBER: Final = r"[+-]?\d+,\d+|[+-]?\d+"
_EMAIL: Final = r"[^@\s]+@[^@\s]+\.[^@\s]+"
#: Parts of names of columns that identify people, directly or through a register.
_IDENTIFYING: Final = frozenset(
    re.findall(
        r"\w+",
        """
        id uuid guid ref reference passport ssn nin iban account signature photo
        phone tel telephone mobile fax email mail url website
        name names surname firstname lastname fullname forename nickname
        address street postcode zip zipcode latitude longitude lat lon dob birthdate birthday dateofbirth
        """,
    )
)
_MOST_WORDS: Final = 300
_ENOUGH: Final = 0.95


def suggest_columns(
    path: str | Path | UPath,
    *,
    limit: int = 20_000,
    format: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet: str | None = None,
) -> list[ColumnSpec]:
    """Draft a declaration of every column of a source, for a person to correct.

    Args:
        path: A file, a folder or a glob; the first file is looked at.
        limit: Records that are looked at.
        format: As in `read_source`.
        encoding: As in `read_source`.
        delimiter: As in `read_source`.
        sheet: As in `read_source`.

    Returns:
        One spec a column, with role, separator, date format and decimal mark, and without values, bands or blank
        words: those come from a codebook.

    Raises:
        SourceError: The file cannot be read, or its first row looks like a record.
    """
    file = find_files(path, format)[0]
    with unchanged(file.path) as data:
        part = open_part(file, data, (), encoding, delimiter, sheet)
        check_header_names(part)
        columns = {name: column.slice(0, limit) for name, column in part.load(part.names).items()}
        _check_is_header(part, columns)
        return [_suggest(name, column) for name, column in columns.items()]


def _check_is_header(part: Part, columns: dict[str, pa.ChunkedArray]) -> None:
    """Without a header, the names in a draft would be the cells of the first record."""
    if part.header_row is None:
        return
    shapes = re.compile(f"(?:{_EMAIL})|(?:{_ISO})|(?:{_DAY_LIKE})")
    numbers = sum(bool(re.fullmatch(_NUMBER, name)) for name in part.names)
    recurring = sum(
        pc.any(pc.equal(pc.utf8_trim_whitespace(column), name)).as_py() is True
        for name, column in columns.items()
        if arrow_types.is_string(column.type)
    )
    strange = [name for name in part.names if "\n" in name or len(name) > 100 or shapes.fullmatch(name)]
    if strange or 2 * numbers > len(part.names) or recurring:
        raise SourceError(
            "the first row looks like a record, not a header",
            mend="Put the names of the columns in the first row",
            file=part.file,
            row=part.header_row,
        )


def _suggest(name: str, column: pa.ChunkedArray) -> ColumnSpec:
    kind = column.type
    if arrow_types.is_list(kind) or arrow_types.is_large_list(kind):
        return ColumnSpec(name, "multi_valued")
    identifying = _identifies(name)
    if arrow_types.is_timestamp(kind) or arrow_types.is_date(kind):
        return ColumnSpec(name, "leave_out" if identifying else "date")
    if arrow_types.is_boolean(kind):
        return ColumnSpec(name, "category")
    if arrow_types.is_integer(kind) or arrow_types.is_floating(kind):
        column = column.cast(pa.string())
    if not (arrow_types.is_string(column.type) or arrow_types.is_large_string(column.type)):
        return ColumnSpec(name, "leave_out")
    cells = pd.Series(pd.array(pc.utf8_trim_whitespace(column).to_pandas(), dtype="str"))
    cells = cells[cells.notna() & (cells != "")]
    if identifying or cells.empty:
        return ColumnSpec(name, "leave_out")
    return _by_shape(name, cells)


def _identifies(name: str) -> bool:
    """Tell by its name whether a column may identify people: directly, through a register, or by the day of birth."""
    parts = words_of_name(name)
    return bool(parts & _IDENTIFYING) or {"date", "birth"} <= parts


def words_of_name(name: str) -> set[str]:
    """Return the words of a column's name in lower case: snake_case, camelCase or with blanks."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return {part.lower() for part in re.split(r"[^A-Za-z]+", spaced) if part}


def _by_shape(name: str, cells: pd.Series) -> ColumnSpec:
    distinct = cells.nunique()
    for separator in _SEPARATORS:
        if _joins_words(cells, separator):
            return ColumnSpec(name, "multi_valued", separator=separator)
    if (written := _date_format(cells)) is not None:
        return ColumnSpec(name, "date", date_format=written or None)
    if (mark := _decimal_mark(cells)) is not None:
        if distinct <= 2:
            return ColumnSpec(name, "category")
        unique = distinct > 0.9 * len(cells) and len(cells) >= 20
        whole = bool(cells.str.fullmatch(r"\d+").all())
        if whole and (unique or cells.str.len().median() >= 8):
            return ColumnSpec(name, "leave_out")
        return ColumnSpec(name, "number", decimal=mark)  # type: ignore[arg-type]
    long = cells.str.len().mean() > 40 or cells.str.count(" ").mean() > 5
    if long or _share(cells, _EMAIL) > 0.5 or distinct > max(10, min(_MOST_WORDS, 0.3 * len(cells))):
        return ColumnSpec(name, "leave_out")
    return ColumnSpec(name, "category")


def _share(cells: pd.Series, pattern: str) -> float:
    return float(cells.str.fullmatch(pattern).mean())


def _joins_words(cells: pd.Series, separator: str) -> bool:
    """Cells join words when some hold the separator, and the words between are few and short."""
    joined = cells[cells.str.contains(separator, regex=False)]
    if len(joined) < max(2, 0.005 * len(cells)):
        return False
    words = {word.strip() for cell in cells.unique() for word in cell.split(separator)} - {""}
    return len(words) <= _MOST_WORDS and float(np.mean([len(word) for word in words] or [99])) <= 40


def _date_format(cells: pd.Series) -> str | None:
    """Return the format that fits; empty for ISO 8601 or where day and month cannot be told apart; None if no date."""
    if _share(cells, _ISO) >= _ENOUGH:
        return ""
    sample = pd.Series(cells.unique()[:2000], dtype="str")
    fitting = [
        written
        for written in _FORMATS
        if pd.to_datetime(sample, format=written, errors="coerce").notna().mean() >= _ENOUGH
    ]
    if not fitting:
        return None
    return fitting[0] if len(fitting) == 1 else ""


def _decimal_mark(cells: pd.Series) -> str | None:
    if _share(cells, _NUMBER) >= _ENOUGH:
        return "."
    return "," if _share(cells, _COMMA_NUMBER) >= _ENOUGH else None
