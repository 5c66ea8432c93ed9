"""Python cells (of JSON Lines, Excel, or a frame of objects) to Arrow, one kind to a column.

A column that mixes text with numbers, dates or lists was put together wrongly more often than not; the first cell
that differs is named by its row and both kinds, never by what it says.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, Final

import pyarrow as pa

from hrtech.sources.errors import SourceError

#: Tells what a cell is: text, number, yes/no, date, list, other; None where it is empty.
Kind = Callable[[Any], str | None]

_LARGEST_EXACT: Final = 2**53


def json_kind(cell: Any) -> str | None:
    """Kind of a cell of a JSON object whose numbers are kept as written (a subclass of `str`)."""
    if cell is None:
        return None
    if type(cell) is str:
        return "text" if cell.strip() else None
    if isinstance(cell, str):
        return "number"
    if isinstance(cell, bool):
        return "yes/no"
    return "list" if isinstance(cell, list) else "object"


def cell_text(cell: Any) -> str | None:
    """Write one cell as text: whole numbers without a point, dates in ISO 8601, yes/no as `true` and `false`."""
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < _LARGEST_EXACT else repr(cell)
    if isinstance(cell, datetime):
        midnight = (cell.hour, cell.minute, cell.second, cell.microsecond) == (
            0,
            0,
            0,
            0,
        ) and cell.tzinfo is None
        return cell.date().isoformat() if midnight else cell.isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell)


def _flat(cell: Any) -> bool:
    return all(item is None or isinstance(item, str | int | float) for item in cell)


def cells_to_arrow(
    cells: Sequence[Any],
    *,
    kind: Kind,
    file: str,
    column: str,
    row: Callable[[int], int],
    alike: frozenset[str] = frozenset(),
    row_word: str = "row",
) -> pa.ChunkedArray:
    """Make an Arrow column of cells: text, or lists of text.

    Args:
        cells: One cell a record.
        kind: Tells the kind of a cell.
        file: The file, for messages.
        column: The column, for messages.
        row: Turns a position into a row for people.
        alike: Kinds that may stand together in a column.
        row_word: What messages call a row.

    Raises:
        SourceError: Cells of different kinds, an object, or a list that holds more than words and numbers.
    """
    first: str | None = None
    for position, cell in enumerate(cells):
        found = kind(cell)
        if found is None or (found == first and found != "list"):
            continue
        if found == "object" or (found == "list" and not _flat(cell)):
            raise SourceError(
                "the cell holds a nested object",
                mend="Flatten it into columns, or into a list of words",
                file=file,
                row=row(position),
                column=column,
                row_word=row_word,
            )
        if first is None:
            first = found
        elif found != first and not {first, found} <= alike:
            raise SourceError(
                f"the column mixes types: {found} here, {first} in the rows before",
                mend="Write the whole column as one type",
                file=file,
                row=row(position),
                column=column,
                row_word=row_word,
            )
    if first == "list":
        lists = [
            [cell_text(item) for item in cell if item is not None] if isinstance(cell, list) else None
            for cell in cells
        ]
        return pa.chunked_array([pa.array(lists, type=pa.list_(pa.string()))])
    return pa.chunked_array([pa.array([cell_text(cell) for cell in cells], type=pa.string())])
