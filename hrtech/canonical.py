"""One canonical stream of bytes per table, and its keyed digest.

Two tables have the same digest exactly when they have the same columns in the same order, of the same logical
types, with the same values in the same rows. How the values lie in memory (chunks, offsets, 32- or 64-bit lengths,
units of time, what stands under a missing value) makes no difference. The form is part of every stored data
version: change `_DOMAIN` if it ever changes.

Here: the encoding alone. What a table is and who holds the key is said in `hrtech.tables`.
"""

import hmac
import json
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_DOMAIN: Final = b"hrtech table content, form 1"
_NANOSECONDS: Final = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}

Feed = Callable[[Any], None]


def digest(table: pa.Table, key: bytes) -> bytes:
    """HMAC-SHA256 of the canonical form of a table.

    Args:
        table: Any Arrow table without dictionary, map, union or extension columns.
        key: Secret key.

    Returns:
        32 bytes.

    Raises:
        TypeError: A column has a type without canonical form.
    """
    state = hmac.new(key, digestmod="sha256")

    def feed(piece: Any) -> None:
        # each piece is framed by its length, so that no two streams of pieces join to the same bytes
        view = memoryview(piece).cast("B")
        state.update(len(view).to_bytes(8, "little"))
        state.update(view)

    columns = [[name, label(kind)] for name, kind in zip(table.column_names, table.schema.types, strict=True)]
    feed(_DOMAIN)
    feed(json.dumps([table.num_rows, columns]).encode())
    for column in table.columns:
        _feed_array(feed, _one_chunk(column))
    return state.digest()


def label(kind: pa.DataType) -> str:
    """Name a logical type, whatever its width of offsets or unit of time.

    Raises:
        TypeError: The type has no canonical form.
    """
    types = pa.types
    if _is_text(kind):
        return "text"
    if _is_bytes(kind):
        return "bytes"
    if _is_list(kind):
        return f"list<{label(kind.value_type)}>"
    if types.is_struct(kind):
        return json.dumps({"struct": [[field.name, label(field.type)] for field in kind]})
    if types.is_timestamp(kind):
        return f"timestamp<{kind.tz or ''}>"
    for name in ("date", "time", "duration", "decimal"):
        if getattr(types, f"is_{name}")(kind):
            return name
    if types.is_null(kind) or types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind):
        return str(kind)
    raise TypeError(f"{kind} has no canonical form")


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    # 32-bit offsets cannot hold the joined chunks of a very long text column
    if _is_text(column.type):
        column = column.cast(pa.large_string())
    elif _is_bytes(column.type):
        column = column.cast(pa.large_binary())
    joined = column.combine_chunks()
    return joined if isinstance(joined, pa.Array) else pa.concat_arrays(joined.chunks)


def _feed_array(feed: Feed, array: pa.Array) -> None:
    kind = array.type
    if pa.types.is_null(kind):
        return
    if pa.types.is_floating(kind):
        # a float that is not a number is a missing one, as pandas has it
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, kind), array)
    feed(np.packbits(array.is_valid().to_numpy(zero_copy_only=False)) if array.null_count else b"")
    if _is_text(kind) or _is_bytes(kind):
        _feed_text(feed, array)
    elif pa.types.is_decimal(kind):
        # 2 and 2.00 are one number
        text = pc.replace_substring_regex(array.cast(pa.string()), r"(\.\d*[1-9])0+$", r"\1")
        _feed_text(feed, pc.replace_substring_regex(text, r"\.0+$", ""))
    elif _is_list(kind):
        feed(_numbers(pc.list_value_length(array).cast(pa.int64())))
        _feed_array(feed, array.flatten())
    elif pa.types.is_struct(kind):
        for child in array.flatten():
            _feed_array(feed, child)
    elif pa.types.is_boolean(kind):
        feed(np.packbits(array.fill_null(False).to_numpy(zero_copy_only=False)))
    elif pa.types.is_temporal(kind):
        _feed_time(feed, array)
    else:
        feed(_numbers(array))


def _numbers(array: pa.Array) -> np.ndarray:
    filled = array.fill_null(pa.scalar(0, array.type)) if array.null_count else array
    values = filled.to_numpy(zero_copy_only=False)
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))


def _feed_text(feed: Feed, array: pa.Array) -> None:
    array = array.cast(pa.large_binary())
    if array.null_count:
        array = array.fill_null(b"")
    feed(_numbers(pc.binary_length(array)))
    # the bytes of all rows lie one after the other: no copy
    _, offsets, data = array.buffers()
    if data is None or len(array) == 0:
        feed(b"")
        return
    edges = np.frombuffer(offsets, dtype=np.int64)
    feed(memoryview(data)[edges[array.offset] : edges[array.offset + len(array)]])


def _feed_time(feed: Feed, array: pa.Array) -> None:
    """Whole seconds and nanoseconds within the second (whole days for dates), so that units do not matter."""
    kind = array.type
    if pa.types.is_date(kind):
        feed(_numbers(array.cast(pa.date32()).view(pa.int32()).cast(pa.int64())))
        return
    width = pa.int32() if kind.bit_width == 32 else pa.int64()
    ticks = _numbers(array.view(width)).astype(np.int64)
    nanoseconds = _NANOSECONDS[kind.unit]
    seconds, rest = np.divmod(ticks, 10**9 // nanoseconds)
    feed(seconds.astype("<i8"))
    feed((rest * nanoseconds).astype("<i4"))
