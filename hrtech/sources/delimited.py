"""Comma- and tab-separated files (RFC 4180, with any delimiter), read as text.

Arrow reads; Python's `csv` finds the row when Arrow refuses, and walks files whose cells hold line breaks, where
one stray quote could otherwise swallow rows unnoticed.
"""

import csv
import io
import sys
from collections.abc import Collection, Iterator, Sequence

import pyarrow as pa
import pyarrow.csv as arrow_csv

from hrtech.sources.errors import SourceError, plural
from hrtech.sources.raw import Part
from hrtech.sources.text import find_delimiter, first_record, to_utf8

_LARGEST_BLOCK = 1 << 28


def read_delimited(
    data: bytes, *, file: str, encoding: str | None, delimiter: str | None, expected: Collection[str]
) -> Part:
    """Open a delimited file.

    Args:
        data: Content of the file.
        file: The file, for messages.
        encoding: Declared encoding, or None.
        delimiter: Declared delimiter (one character), or None.
        expected: Declared column names; they tell the delimiter where none is declared.

    Raises:
        SourceError: The encoding, the delimiter, the header or a row is wrong.
    """
    text = to_utf8(data, encoding, file=file)
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n' or not delimiter.isascii()):
        raise SourceError(
            "the delimiter must be one plain character",
            mend="Write ',' or ';' or '|', or \"\\t\" for a tab",
            file=file,
            setting="delimiter",
        )
    if not text.strip():
        raise SourceError("the file is empty", mend="Put the table there, header first", file=file)
    mark = delimiter or find_delimiter(text, expected)
    header = first_record(text, mark)
    if header is None:
        raise SourceError(
            "a quotation mark opens in the header and is not closed as it should be",
            mend='Write a quotation mark within a name twice (""), and close each quoted name',
            file=file,
            row=1,
        )
    names, offset = header
    return Part(
        file=file,
        names=tuple(names),
        load=lambda wanted: _load(text, offset, names, wanted, mark, file),
        locate=lambda position: _lines(text, mark)[position],
        header_row=next(line for line, _ in _records(text, mark, strict=False)),
    )


def _load(
    text: bytes, offset: int, names: list[str], wanted: Sequence[str], delimiter: str, file: str
) -> dict[str, pa.ChunkedArray]:
    positions = [str(position) for position in range(len(names))]
    chosen = {name: str(names.index(name)) for name in wanted}
    body = pa.py_buffer(text)[offset:]
    table = None
    if text[offset:].strip():
        try:
            table = arrow_csv.read_csv(
                pa.BufferReader(body),
                read_options=arrow_csv.ReadOptions(
                    column_names=positions, block_size=max(1 << 16, min(len(body), _LARGEST_BLOCK))
                ),
                parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(positions, pa.string()),
                    include_columns=list(chosen.values()),
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid:
            table = None
        if table is None:
            _check_rows(text, delimiter, len(names), file)
            raise SourceError(
                "the file is no table with this delimiter",
                mend="Check the delimiter and the quotes",
                file=file,
                setting="delimiter",
            )
    if table is None or table.num_rows == 0:
        raise SourceError("there is a header but no row", mend="Add the records", file=file)
    if _line_count(text) != table.num_rows + 1 or text.count(b'"') % 2:
        _check_rows(text, delimiter, len(names), file)
    return {name: table.column(position) for name, position in chosen.items()}


def _line_count(text: bytes) -> int:
    lone = text.count(b"\r") - text.count(b"\r\n")
    ends = text.count(b"\n") + lone
    return ends if text.endswith((b"\n", b"\r")) else ends + 1


def _records(text: bytes, delimiter: str, *, strict: bool) -> Iterator[tuple[int, int | None]]:
    """Walk the records, header included, without empty lines.

    Yields:
        The first line of a record and the number of its fields; no number, and nothing after it, where its quotes
        are wrong.
    """
    limit = csv.field_size_limit(sys.maxsize)
    try:
        reader = csv.reader(
            io.TextIOWrapper(io.BytesIO(text), encoding="utf-8", newline=""),
            delimiter=delimiter,
            strict=strict,
        )
        line = 1
        while True:
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error:
                break
            if fields:
                yield line, len(fields)
            line = reader.line_num + 1
        yield line, None
    finally:
        csv.field_size_limit(limit)


def _check_rows(text: bytes, delimiter: str, width: int, file: str) -> None:
    """Walk all records and name the first that is not as wide as the header, or whose quotes are wrong."""
    for line, count in _records(text, delimiter, strict=True):
        if count is not None and count != width:
            raise SourceError(
                f"the row has {plural(count, 'field')} where the header has {width}",
                mend="Quote cells that contain the delimiter or a line break, and complete short rows",
                file=file,
                row=line,
                setting="delimiter",
            )
        if count is not None:
            continue
        raise SourceError(
            "a quotation mark opens in the record that begins here and is not closed as it should be",
            mend='Write a quotation mark within a cell twice (""), and close each quoted cell',
            file=file,
            row=line,
        )


def _lines(text: bytes, delimiter: str) -> list[int]:
    """First line of each record after the header."""
    return [line for line, _ in _records(text, delimiter, strict=False)][1:]
