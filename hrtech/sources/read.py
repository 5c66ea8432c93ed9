"""Reading a declared source, or a table from upstream, as typed columns.

The order of work: find the files, open each (its header only, where the format allows), compare the headers with
the declaration and with one another, load the declared columns, type them, and make sure that no file changed
meanwhile. Columns that are not declared, or declared as `leave_out`, are never loaded.
"""

import difflib
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Literal

import pandas as pd
from upath import UPath

from hrtech.sources.columnar import read_frame, read_parquet
from hrtech.sources.columns import ColumnSpec
from hrtech.sources.delimited import read_delimited
from hrtech.sources.errors import SourceError
from hrtech.sources.files import SourceFile, find_files, unchanged
from hrtech.sources.jsonlines import read_json_lines
from hrtech.sources.raw import Part, string_together
from hrtech.sources.spreadsheets import read_workbook
from hrtech.sources.typed import type_columns

_LONGEST_NAME: Final = 100

Undeclared = Literal["leave_out", "error"]


def read_source(
    path: str | Path | UPath,
    *,
    columns: Sequence[ColumnSpec],
    format: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet: str | None = None,
    undeclared: Undeclared = "leave_out",
) -> pd.DataFrame:
    """Read a source as its study declares it.

    A file is read into memory as a whole, so that it can be told from one that changed.

    Args:
        path: A file, a folder or a glob; local, or an fsspec URL. Files of a folder are read in the order of
            their names and must have the same columns.
        columns: The declared columns; the result has these, in this order, without those to leave out.
        format: `csv`, `tsv`, `parquet`, `jsonl` or `excel` (.xlsx); by suffix where it is not given.
        encoding: Encoding of text; found where it is not given and one answer is certain.
        delimiter: Delimiter of CSV; found from the header where it is not given.
        sheet: Sheet of a workbook that has several.
        undeclared: What becomes of columns that are not declared: left out (a study loads no more about people
            than it names), or an error.

    Returns:
        Frame with a `RangeIndex`. `category`, `identifier`, `text` and banded numbers are `str` (unknown is NaN);
        `multi_valued` is a list of text in Arrow (null is unknown); `number` is `Int64` where every cell is
        whole, else `Float64`; `date` is `datetime64[us]`, moments with an offset in UTC.

    Raises:
        SourceError: The source is not as declared; names file, row, column, setting and mend, never a cell.
    """
    check_columns(columns)
    files = find_files(path, format)
    names = [spec.name for spec in columns if spec.role != "leave_out"]
    date_formats = {spec.name: spec.date_format for spec in columns if spec.date_format}
    with ExitStack() as open_files:
        parts = []
        for file in files:
            data = open_files.enter_context(unchanged(file.path))
            part = open_part(file, data, names, encoding, delimiter, sheet, date_formats)
            _check_header(part, columns, undeclared)
            parts.append(part)
        _check_same_columns(parts)
        return type_columns(string_together(parts, names), columns)


def conform(
    frame: pd.DataFrame,
    columns: Sequence[ColumnSpec],
    *,
    source: str,
    undeclared: Undeclared = "leave_out",
) -> pd.DataFrame:
    """Type a table from upstream as `read_source` types a file.

    Columns that have a type keep what they say: lists stay lists, numbers numbers, dates dates. Yes/no becomes
    `true` and `false` in a category, and 1 and 0 in a number.

    Args:
        frame: The upstream table.
        columns: The declared columns.
        source: What messages call the table, such as its asset key.
        undeclared: As in `read_source`.

    Returns:
        A new frame, as `read_source` returns it.

    Raises:
        SourceError: The table is not as declared.
    """
    check_columns(columns)
    part = read_frame(frame, source=source)
    _check_header(part, columns, undeclared)
    names = [spec.name for spec in columns if spec.role != "leave_out"]
    return type_columns(string_together([part], names), columns)


def open_part(
    file: SourceFile,
    data: bytes,
    expected: Sequence[str],
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet: str | None = None,
    date_formats: dict[str, str] | None = None,
) -> Part:
    """Open one file with the reader of its format."""
    if file.format == "parquet":
        return read_parquet(data, file=file.shown)
    if file.format == "jsonl":
        return read_json_lines(data, file=file.shown, encoding=encoding)
    if file.format == "excel":
        return read_workbook(data, file=file.shown, sheet=sheet, date_formats=date_formats or {})
    if file.format == "tsv":
        delimiter = delimiter or "\t"
    return read_delimited(data, file=file.shown, encoding=encoding, delimiter=delimiter, expected=expected)


def check_columns(columns: Sequence[ColumnSpec]) -> None:
    """Make sure that a declaration names each column once and leaves one to read.

    Raises:
        SourceError: No column is kept, or two have the same name.
    """
    kept = [spec for spec in columns if spec.role != "leave_out"]
    if not kept:
        raise SourceError("no column is declared to be read", mend="Give a role to one", setting="columns")
    for counted in (Counter(spec.name for spec in columns), Counter(spec.output for spec in kept)):
        for name, count in counted.items():
            if count > 1:
                raise SourceError(
                    f"{count} declared columns have this name",
                    mend="Declare it once, or rename one",
                    column=name,
                    setting="columns",
                )


def _check_header(part: Part, columns: Sequence[ColumnSpec], undeclared: Undeclared) -> None:
    """Compare a header with the declaration.

    Names from the file are only repeated once one of them is a declared one: a file without a header would
    otherwise show its first record.
    """
    declared = {spec.name for spec in columns}
    known = bool(declared & set(part.names))
    for spec in columns:
        if spec.role != "leave_out" and spec.name not in part.names:
            raise _missing(part, spec, known)
    check_header_names(part, known=known)
    if undeclared == "error" and (extra := [name for name in part.names if name not in declared]):
        raise SourceError(
            f"the file has columns that are not declared: {_listed(extra)}",
            mend="Declare them (role leave_out keeps them out), or set `undeclared: leave_out`",
            file=part.file,
            setting="undeclared",
        )


def check_header_names(part: Part, *, known: bool = False) -> None:
    """Make sure that every column has a name of its own.

    Args:
        part: The file.
        known: The names are surely names, and may be repeated in the message.

    Raises:
        SourceError: Two columns have the same name, or one has none.
    """
    if "" in part.names and part.names.count("") == 1:
        raise SourceError(
            f"column {part.names.index('') + 1} has no name",
            mend="Name it in the header",
            file=part.file,
            row=part.header_row,
        )
    for name, count in Counter(part.names).items():
        if count > 1:
            places = [str(place) for place, other in enumerate(part.names, start=1) if other == name]
            raise SourceError(
                f"columns {' and '.join(places)} have the same name" + ("" if name else ", none"),
                mend="Give each column a name of its own in the header",
                file=part.file,
                row=part.header_row,
                column=name if known and name else None,
            )


def _missing(part: Part, spec: ColumnSpec, known: bool) -> SourceError:
    tellable = [name for name in part.names if _tellable(name)]
    close = difflib.get_close_matches(spec.name, tellable, n=1, cutoff=0.8)
    folded = [name for name in tellable if name.casefold() == spec.name.casefold()]
    if folded or close:
        mend = f"Did you mean '{(folded or close)[0]}'? Names must agree letter by letter"
    elif known:
        mend = f"The file has {_listed(part.names)}"
    elif len(part.names) == 1:
        mend = "The header has a single column, so the delimiter may be another"
    else:
        mend = "None of the declared columns is there: is the first row a header, and the delimiter right?"
    return SourceError(
        "the declared column is missing",
        mend=mend,
        file=part.file,
        column=spec.name,
        setting="columns" if known or folded or close else "delimiter",
    )


def _check_same_columns(parts: Sequence[Part]) -> None:
    first = parts[0]
    for part in parts[1:]:
        lacks = [name for name in first.names if name not in part.names]
        adds = [name for name in part.names if name not in first.names]
        if lacks or adds:
            said = [f"lacks {_listed(lacks)}"] if lacks else []
            said += [f"has {_listed(adds)} besides"] if adds else []
            raise SourceError(
                f"its columns are not those of {first.file}: it {' and '.join(said)}",
                mend="Give all files of a folder the same columns, or read them as sources of their own",
                file=part.file,
                setting="source",
            )


def _tellable(name: str) -> bool:
    """A "name" of several lines may be records that a stray quotation mark swallowed."""
    return len(name) <= _LONGEST_NAME and not set("\r\n") & set(name)


def _listed(names: Sequence[str], most: int = 30) -> str:
    shown = ", ".join(f"'{name}'" if _tellable(name) else "a name of several lines" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
