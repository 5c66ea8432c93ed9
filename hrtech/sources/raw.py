"""A table as it was found: columns as Arrow arrays, and the way back from a record to its row in its file.

Readers (one module a format) make a `Part` of each file; `RawTable` strings parts together. Text formats come as
text, so that typing happens in one place and its errors can name file, row and column.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from hrtech.sources.errors import SourceError

#: Finds the rows, as an editor shows them, of records counted from 0.
Locate = Callable[[int], int]


@dataclass(frozen=True)
class Part:
    """One file: the names of its columns, and the records of those that are wanted.

    Attributes:
        file: The file, as messages name it.
        names: All column names, in the order of the file.
        load: Loads the named columns; all have the same length.
        locate: Turns the position of a record into a row for people.
        spreadsheet: Cells may hold the errors of a spreadsheet.
        header_row: Row of the header, where there is one.
        row_word: `row` where there is a header line or a line per record, else `record`.
    """

    file: str
    names: tuple[str, ...]
    load: Callable[[Sequence[str]], dict[str, pa.ChunkedArray]]
    locate: Locate
    row_word: str = "row"
    spreadsheet: bool = False
    header_row: int | None = None


@dataclass
class RawTable:
    """Records of one or more parts, end to end.

    Attributes:
        columns: The wanted columns.
        parts: Where they come from.
        lengths: Records of each part.
        spreadsheet: Cells may hold the errors of a spreadsheet, such as a division by zero.
    """

    columns: dict[str, pa.ChunkedArray]
    parts: list[Part]
    lengths: list[int]
    spreadsheet: bool = False

    def error(
        self, position: int, problem: str, *, mend: str, column: str, setting: str | None = None
    ) -> SourceError:
        """Make the error that names the file and row of a record.

        Args:
            position: Position of the record, from 0, over all parts.
            problem: What is wrong, without the cell's value.
            mend: What to do.
            column: Name of the column in the source.
            setting: The setting that governs it.
        """
        for part, length in zip(self.parts, self.lengths, strict=True):
            if position < length:
                return SourceError(
                    problem,
                    mend=mend,
                    file=part.file,
                    row=part.locate(position),
                    column=column,
                    setting=setting,
                    row_word=part.row_word,
                )
            position -= length
        raise IndexError("no such record")


def string_together(parts: Sequence[Part], wanted: Sequence[str]) -> RawTable:
    """Load the wanted columns of all parts and join them.

    Raises:
        SourceError: A column has another type in one file than in another (Parquet).
    """
    loaded = [part.load(wanted) for part in parts]
    lengths = [len(next(iter(columns.values()))) if columns else 0 for columns in loaded]
    joined: dict[str, pa.ChunkedArray] = {}
    for name in wanted:
        first = loaded[0][name]
        chunks = list(first.chunks)
        for part, columns in zip(parts[1:], loaded[1:], strict=True):
            if columns[name].type != first.type:
                raise SourceError(
                    "the column has another type here than in the first file",
                    mend=f"Write it as {first.type}, as {parts[0].file} does",
                    file=part.file,
                    column=name,
                )
            chunks.extend(columns[name].chunks)
        joined[name] = pa.chunked_array(chunks, type=first.type)
    return RawTable(joined, list(parts), lengths, any(part.spreadsheet for part in parts))
