"""Excel workbooks (.xlsx, ECMA-376): one sheet, header in its first row that is not blank."""

import io
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import pyarrow as pa

from hrtech.sources.cells import cells_to_arrow
from hrtech.sources.errors import SourceError
from hrtech.sources.raw import Part

#: Excel itself decides, by its look, whether a code is text or number; both may stand in a column.
_ALIKE = frozenset({"text", "number"})


def read_workbook(data: bytes, *, file: str, sheet: str | None, date_formats: Mapping[str, str]) -> Part:
    """Open a workbook; rows in which every cell is blank are passed over.

    Args:
        data: Content of the file.
        file: The file, for messages.
        sheet: Name of the sheet; the only one where there is one.
        date_formats: Declared `date_format` by column: a cell that is a date for Excel is written with it, so that
            real dates and dates that were typed as text are read alike.

    Raises:
        SourceError: No workbook, no such sheet, cells outside the header's columns, or a formula without a result.
    """
    book = _open(data, file, values=True)
    chosen = _sheet(book, sheet, file)
    rows = [
        (number, cells)
        for number, cells in enumerate(book[chosen].iter_rows(values_only=True), start=1)
        if not all(_empty(cell) for cell in cells)
    ]
    book.close()
    if not rows:
        raise SourceError(
            "the sheet is empty", mend="Put the table there, header first", file=file, setting="sheet"
        )
    names = _header(rows[0], file)
    records = rows[1:]
    if not records:
        raise SourceError("there is a header but no row", mend="Add the records", file=file, setting="sheet")
    for number, cells in records:
        if any(not _empty(cell) for cell in cells[len(names) :]):
            raise SourceError(
                "the row has a cell to the right of the header's last column",
                mend="Name that column in the header, or clear the cell",
                file=file,
                row=number,
            )
    if _has_formulas(data):
        _check_formulas(data, chosen, file)

    def load(wanted: Sequence[str]) -> dict[str, pa.ChunkedArray]:
        loaded = {}
        for name in wanted:
            place = names.index(name)
            date_format = date_formats.get(name)
            loaded[name] = cells_to_arrow(
                [_plain(cells[place] if place < len(cells) else None, date_format) for _, cells in records],
                kind=_kind,
                file=file,
                column=name,
                row=lambda position: records[position][0],
                alike=_ALIKE,
            )
        return loaded

    return Part(
        file=file,
        names=names,
        load=load,
        locate=lambda position: records[position][0],
        spreadsheet=True,
        header_row=rows[0][0],
    )


def _empty(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _open(data: bytes, file: str, *, values: bool) -> Any:
    from openpyxl import load_workbook  # type: ignore[import-untyped]

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return load_workbook(io.BytesIO(data), read_only=True, data_only=values)
    except Exception:  # noqa: S110 - openpyxl raises whatever a broken archive makes it stumble over
        pass
    raise SourceError(
        "the file is no .xlsx workbook, is broken, or has a password",
        mend="Save it as .xlsx without a password, or as CSV",
        file=file,
        setting="format",
    )


def _sheet(book: Any, sheet: str | None, file: str) -> str:
    tables = [made.title for made in book.worksheets]
    if sheet is None and len(tables) == 1:
        return tables[0]
    if sheet in tables:
        return str(sheet)
    known = ", ".join(f"'{name}'" for name in tables)
    raise SourceError(
        f"there is no sheet '{sheet}'" if sheet is not None else "the workbook has several sheets",
        mend=f"Declare one of {known}",
        file=file,
        setting="sheet",
    )


def _header(row: tuple[int, tuple[Any, ...]], file: str) -> tuple[str, ...]:
    number, cells = row
    last = max(place for place, cell in enumerate(cells) if not _empty(cell))
    for place, cell in enumerate(cells[: last + 1], start=1):
        if not isinstance(cell, str | int) or _empty(cell):
            raise SourceError(
                f"column {place} has no name in the header, or one that is no text",
                mend="Name every column, in the first row of the sheet",
                file=file,
                row=number,
            )
    return tuple(str(cell).strip() for cell in cells[: last + 1])


def _kind(cell: Any) -> str | None:
    if _empty(cell):
        return None
    if isinstance(cell, bool):
        return "yes/no"
    if isinstance(cell, int | float):
        return "number"
    return "date" if isinstance(cell, date) else "text"


def _plain(cell: Any, date_format: str | None) -> Any:
    """Dates as their declared format writes them; durations and times of day as text."""
    if date_format is not None and isinstance(cell, datetime | date):
        return cell.strftime(date_format)
    return str(cell) if isinstance(cell, time | timedelta) else cell


def _has_formulas(data: bytes) -> bool:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        sheets = [
            name for name in archive.namelist() if name.startswith("xl/worksheets/") and name.endswith(".xml")
        ]
        return any(b"<f>" in content or b"<f " in content for content in map(archive.read, sheets))


def _check_formulas(data: bytes, sheet: str, file: str) -> None:
    """A formula that no program has calculated would read as unknown; one whose result is empty text is not such."""
    written, results = _open(data, file, values=False), _open(data, file, values=True)
    pairs = zip(written[sheet].iter_rows(values_only=True), results[sheet].iter_rows(), strict=False)
    for number, (formulas, cells) in enumerate(pairs, start=1):
        for formula, cell in zip(formulas, cells, strict=False):
            if cell.value is None and formula is not None and cell.data_type != "str":
                raise SourceError(
                    "a formula has no stored result",
                    mend="Open the workbook, let it calculate, save it; or save the values as CSV",
                    file=file,
                    row=number,
                )
