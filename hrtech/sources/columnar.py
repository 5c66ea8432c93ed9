"""Parquet files and upstream frames: columns that have a type already."""

from collections.abc import Sequence
from datetime import date, datetime
from numbers import Number
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet

from hrtech.sources.cells import cells_to_arrow
from hrtech.sources.errors import SourceError
from hrtech.sources.raw import Part


def read_parquet(data: bytes, *, file: str) -> Part:
    """Open a Parquet file.

    Raises:
        SourceError: The file is broken, or holds no record.
    """
    opened = None
    try:
        opened = parquet.ParquetFile(pa.BufferReader(data))
    except (pa.ArrowException, OSError):
        opened = None
    if opened is None:
        raise SourceError(
            "the file is not Parquet, or is broken", mend="Write it again", file=file, setting="format"
        )
    if opened.metadata.num_rows == 0:
        raise SourceError("there are columns but no record", mend="Add the records", file=file)
    names = tuple(opened.schema_arrow.names)

    def load(wanted: Sequence[str]) -> dict[str, pa.ChunkedArray]:
        table = None
        try:
            table = opened.read(columns=list(wanted))
        except (pa.ArrowException, OSError):
            table = None
        if table is None:
            raise SourceError("the file is broken", mend="Write it again", file=file)
        return {name: table.column(name) for name in wanted}

    return Part(file=file, names=names, load=load, locate=lambda position: position + 1, row_word="record")


def _object_kind(cell: Any) -> str | None:
    """Kind of a cell of a frame's object column."""
    if isinstance(cell, list | tuple | set | frozenset) or type(cell).__name__ == "ndarray":
        return "list"
    if cell is None or cell is pd.NA or cell is pd.NaT or (isinstance(cell, float) and cell != cell):
        return None
    if isinstance(cell, str):
        return "text" if cell.strip() else None
    if isinstance(cell, bool):
        return "yes/no"
    if isinstance(cell, Number):
        return "number"
    return "date" if isinstance(cell, datetime | date) else "object"


def read_frame(frame: pd.DataFrame, *, source: str) -> Part:
    """Open a frame that another step made; its records count from 1."""

    def load(wanted: Sequence[str]) -> dict[str, pa.ChunkedArray]:
        return {name: _frame_column(frame.iloc[:, names.index(name)], name, source) for name in wanted}

    names = tuple(str(name) for name in frame.columns)
    return Part(
        file=source,
        names=names,
        load=load,
        locate=lambda position: position + 1,
        row_word="record",
    )


def _frame_column(series: pd.Series, name: str, source: str) -> pa.ChunkedArray:
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(series.cat.categories.dtype)
    if series.dtype != object:
        made = pa.array(series, from_pandas=True)
        return made if isinstance(made, pa.ChunkedArray) else pa.chunked_array([made])
    cells = [_plain(cell) for cell in series]
    return cells_to_arrow(
        cells,
        kind=_object_kind,
        file=source,
        column=name,
        row=lambda position: position + 1,
        row_word="record",
    )


def _plain(cell: Any) -> Any:
    """Lists of any kind as `list`, missing of any kind as None, numpy scalars as Python's."""
    kind = _object_kind(cell)
    if kind is None:
        return None  # a blank text too
    if kind == "list":
        return [None if _object_kind(item) is None else item for item in cell]
    return cell.item() if hasattr(cell, "item") else cell
