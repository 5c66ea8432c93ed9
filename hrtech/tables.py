"""Tables as bytes and as fingerprints: a data frame to Parquet and back, and a keyed hash of its content.

Here: what a stored table is. A table is its columns: names, types, values and the order of rows. Nothing else of a
frame is stored, because leftovers are how records leave a zone unseen: `attrs`, the unused categories of a
categorical column and the labels of an unnamed integer index (the row numbers of the records that were kept) are
dropped. Not here: paths, zones, encryption (`hrtech.encryption`) and reading of foreign files (`hrtech.sources`).
"""

import base64
import json
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hrtech.canonical import digest

#: Our entry in the Parquet file's metadata: pandas dtypes and the Arrow schema, so that nothing is guessed.
_METADATA: Final = b"hrtech.table"
_FORMAT: Final = 1
_MINIMUM_KEY: Final = 16


class TableError(ValueError):
    """A frame or a file is no table that can be stored; the message names columns and types, never a value."""


def table_to_bytes(frame: pd.DataFrame) -> bytes:
    """Write a frame as one Parquet file (zstd). The same frame gives the same bytes with the same libraries.

    Kept without loss: `str` and `string`, numpy and nullable numbers and booleans, dates and times with unit and
    zone, Arrow types such as `list<string>`, and object columns of one kind (bytes, text, dates, decimals, lists);
    a missing value in an object column comes back as None. A categorical column is stored as its values.

    Args:
        frame: Columns with unique text names; a default or unnamed integer index, which is not kept.

    Raises:
        TableError: A column or index cannot be stored.
    """
    sink = pa.BufferOutputStream()
    pq.write_table(arrow_table(frame), sink, compression="zstd", use_compliant_nested_type=False)
    return sink.getvalue().to_pybytes()


def table_from_bytes(data: bytes) -> pd.DataFrame:
    """Read a Parquet file that `table_to_bytes` wrote; one from elsewhere gets the project's nullable types.

    Raises:
        TableError: The bytes are no Parquet file.
    """
    return frame_from_arrow(arrow_from_bytes(data))


def arrow_from_bytes(data: bytes) -> pa.Table:
    """Read Parquet bytes as an Arrow table, as DuckDB takes it.

    Raises:
        TableError: The bytes are no Parquet file.
    """
    try:
        table = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError):
        raise TableError(f"These {len(data)} bytes are no readable Parquet file.") from None
    stored = _stored(table)
    if stored is None:
        return table
    # Parquet knows no seconds and may widen other types: the written schema is the truth
    schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(stored["schema"])))
    return table if table.schema.equals(schema) else table.cast(schema.with_metadata(table.schema.metadata))


def content_version(frame: pd.DataFrame, key: bytes) -> str:
    """Keyed hash of a table's content: column names, types, values, order of columns and of rows.

    HMAC-SHA256 (RFC 2104), truncated to 128 bits, over a canonical form of the columns that depends on neither
    Parquet nor pandas: `int64` and `Int64` are one type, so are all units of time. It is keyed because the bare
    hash of a small table can be found by trying all small tables.

    Args:
        frame: As for `table_to_bytes`.
        key: Secret of at least 16 bytes.

    Returns:
        32 hexadecimal digits.

    Raises:
        TableError: A column or index cannot be stored.
        ValueError: The key is too short.
    """
    if len(key) < _MINIMUM_KEY:
        raise ValueError(f"A content hash needs a key of at least {_MINIMUM_KEY} bytes; got {len(key)}.")
    try:
        return digest(arrow_table(frame), key).hex()[:32]
    except TypeError as problem:
        raise TableError(f"This table has no content version: {problem}.") from None


def arrow_table(frame: pd.DataFrame) -> pa.Table:
    """Convert a frame to the Arrow table that is stored, pandas dtypes in its metadata.

    Raises:
        TableError: A column or index cannot be stored.
    """
    _check_shape(frame)
    columns: list[Any] = []
    labels: list[str] = []
    for name in frame.columns:
        column, label = _arrow_column(name, frame[name])
        columns.append(column)
        labels.append(label)
    table = pa.table(columns, names=list(frame.columns))
    stored = {
        "format": _FORMAT,
        "dtypes": labels,
        "schema": base64.b64encode(table.schema.serialize().to_pybytes()).decode("ascii"),
    }
    return table.replace_schema_metadata({_METADATA: json.dumps(stored).encode()})


def _check_shape(frame: pd.DataFrame) -> None:
    names = list(frame.columns)
    unnamed = [position for position, name in enumerate(names) if not isinstance(name, str)]
    if unnamed:
        raise TableError(
            f"Columns at positions {unnamed} have no text as name. Name each column with a string."
        )
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise TableError(f"Columns {doubled} occur more than once. Rename or drop all but one.")
    if not names and len(frame):
        raise TableError(f"The table has {len(frame)} rows but no column.")
    index = frame.index
    if index.nlevels > 1 or index.name is not None or (len(index) and index.dtype.kind not in "iu"):
        raise TableError(
            f"The index ({list(index.names)}) holds data, and a table is its columns alone. Call reset_index()."
        )


def _arrow_column(name: str, series: pd.Series) -> tuple[Any, str]:
    """One column as Arrow data, and the label from which its pandas dtype is restored."""
    dtype: Any = series.dtype
    try:
        column = pa.Array.from_pandas(series)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        # Arrow's own message quotes the cell
        raise TableError(_unstorable(name, series)) from None
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode() if isinstance(column, pa.Array) else column.cast(kind.value_type)
        return column, "arrow" if isinstance(dtype, pd.ArrowDtype) else _conventional(column.type)
    if isinstance(dtype, pd.ArrowDtype):
        return column, "arrow"
    if isinstance(dtype, pd.StringDtype):
        return column, "string" if dtype.na_value is pd.NA else "str"
    known = isinstance(dtype, pd.DatetimeTZDtype | np.dtype) or hasattr(dtype, "numpy_dtype")
    if not known or isinstance(kind, pa.BaseExtensionType) or _loses(series, kind):
        raise TableError(_unstorable(name, series))
    return column, str(dtype)


def _loses(series: pd.Series, kind: pa.DataType) -> bool:
    """Whether Arrow takes the cells of an object column but loses which fields a dict had, or the order of a set."""
    if pa.types.is_list(kind):
        inner = kind.value_type
        while pa.types.is_list(inner):
            inner = inner.value_type
        return pa.types.is_struct(inner) or any(isinstance(cell, set | frozenset) for cell in series)
    return pa.types.is_struct(kind)


def _unstorable(name: str, series: pd.Series) -> str:
    kinds = ""
    if series.dtype == object:
        found = sorted({type(value).__name__ for value in series.dropna()})
        kinds = f" holding {', '.join(found)}"
    return (
        f"Column {name!r} ({series.dtype}{kinds}) cannot be stored. Give it one type: text, number, boolean, date, "
        "or a list of those."
    )


def _stored(table: pa.Table) -> dict[str, Any] | None:
    text = (table.schema.metadata or {}).get(_METADATA)
    if text is None:
        return None
    stored = json.loads(text)
    if stored["format"] != _FORMAT:
        raise TableError(
            f"The table was written in format {stored['format']}, this library reads {_FORMAT}. Upgrade it."
        )
    return stored


def frame_from_arrow(table: pa.Table) -> pd.DataFrame:
    """Convert an Arrow table to a frame with the dtypes it was stored with.

    A table without ours in its metadata (a query result, a foreign file) gets `str`, `Int64`, `Float64`,
    `boolean`, `datetime64` and Arrow lists.
    """
    stored = _stored(table)
    labels = stored["dtypes"] if stored else [_conventional(kind) for kind in table.schema.types]
    columns = {
        name: _pandas_column(column, label)
        for name, column, label in zip(table.column_names, table.columns, labels, strict=True)
    }
    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows), columns=pd.Index(columns, dtype="str"))


def _conventional(kind: pa.DataType) -> str:
    """Label of the dtype that the project uses for an Arrow type."""
    types = pa.types
    if types.is_string(kind) or types.is_large_string(kind):
        return "str"
    if types.is_boolean(kind):
        return "boolean"
    if types.is_integer(kind):
        return "Int64" if kind != pa.uint64() else "UInt64"
    if types.is_floating(kind):
        return "Float64"
    if types.is_timestamp(kind):
        return f"datetime64[{kind.unit}{f', {kind.tz}' if kind.tz else ''}]"
    if types.is_date(kind):
        return "datetime64[s]"
    if types.is_duration(kind):
        return f"timedelta64[{kind.unit}]"
    return "arrow" if types.is_nested(kind) else "object"


def _pandas_column(column: pa.ChunkedArray, label: str) -> Any:
    if label == "arrow":
        return pd.array(column, dtype=pd.ArrowDtype(column.type))
    if label == "object":
        values = np.empty(len(column), dtype=object)
        values[:] = column.to_pylist()
        return pd.Series(values, dtype=object)
    dtype: Any = pd.StringDtype(na_value=np.nan) if label == "str" else pd.api.types.pandas_dtype(label)
    if hasattr(dtype, "__from_arrow__"):
        return dtype.__from_arrow__(column)
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("s"))
    return column.to_pandas().astype(dtype)
