"""Records as columns of small codes and packed bits: what the counting engine reads.

A single-valued column is one array of codes (0 = unknown); a multi-valued column (list cells) is one
packed bit vector per value. Blanks are unknown and never an attribute, except in the columns named in
``absence``. Error messages name columns and record numbers and never the content of a cell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hrtech.counts.attributes import Attribute

ABSENT = "none"
"""The value under which an ``absence`` column counts its blank or empty cells."""

ROWS_PER_WORD = 64


class EncodingError(ValueError):
    """The records cannot be counted as declared; says which column and what to do."""


@dataclass(frozen=True)
class EncodedColumn:
    """One column.

    Attributes:
        name: the column.
        values: its values, in the order of their codes.
        multi_valued: whether a record may hold several of them.
        data: single-valued: codes, shape (records,), unsigned; 0 = unknown, k = ``values[k - 1]``.
            Multi-valued: bit vectors, shape (values, words), uint64, little-endian bit order.
    """

    name: str
    values: tuple[str, ...]
    multi_valued: bool
    data: NDArray[Any]

    def words(self, start: int, stop: int) -> NDArray[np.uint64]:
        """Bit vectors of all values for the words ``start`` to ``stop``; shape (values, words)."""
        if self.multi_valued:
            return self.data[:, start:stop]
        codes = self.data[start * ROWS_PER_WORD : stop * ROWS_PER_WORD]
        held = codes[None, :] == np.arange(1, len(self.values) + 1, dtype=self.data.dtype)[:, None]
        return pack_bits(held, stop - start)

    def indicator(self, value: int) -> NDArray[np.uint8]:
        """Who holds one value of a multi-valued column: 0 or 1 per record (plus padding)."""
        return np.unpackbits(self.data[value].view(np.uint8), bitorder="little")


@dataclass(frozen=True)
class Encoded:
    """Records ready for counting.

    Attributes:
        columns: the encoded columns, in the order asked for.
        n_records: how many records.
    """

    columns: tuple[EncodedColumn, ...]
    n_records: int

    @property
    def items(self) -> tuple[Attribute, ...]:
        """All attributes; a position in this tuple is an item id."""
        return tuple((c.name, v) for c in self.columns for v in c.values)

    @property
    def n_words(self) -> int:
        """Length of a packed bit vector."""
        return -(-self.n_records // ROWS_PER_WORD)

    def offsets(self) -> NDArray[np.int64]:
        """First item id of each column, and the number of items at the end."""
        return np.concatenate([[0], np.cumsum([len(c.values) for c in self.columns])]).astype(np.int64)

    def attributes_per_record(self) -> NDArray[np.int64]:
        """How many attributes each record holds; shape (records,)."""
        held = np.zeros(self.n_records, dtype=np.int64)
        for column in self.columns:
            if column.multi_valued:
                for value in range(len(column.values)):
                    held += column.indicator(value)[: self.n_records]
            else:
                held += column.data > 0
        return held


def pack_bits(held: NDArray[np.bool_], n_words: int) -> NDArray[np.uint64]:
    """Pack booleans of shape (values, records) into uint64 words, padded with zeros to ``n_words``."""
    packed = np.packbits(held, axis=1, bitorder="little")
    out = np.zeros((held.shape[0], n_words * 8), dtype=np.uint8)
    out[:, : packed.shape[1]] = packed
    return out.view(np.uint64)


def encode(
    frame: pd.DataFrame,
    columns: Sequence[str],
    *,
    domains: Mapping[str, Sequence[str]] | None = None,
    absence: Sequence[str] = (),
) -> Encoded:
    """Turn the named columns of a table of records into codes and bits.

    Args:
        frame: the records. List cells (Arrow lists, or Python lists) are multi-valued; text, category,
            boolean and whole-number columns are single-valued. Missing and empty text are unknown.
        columns: which columns to count, each once.
        domains: declared values of a column. They fix the item list, so that values nobody holds are
            counted as zero; any other value is refused. Columns not listed take the values they hold,
            sorted.
        absence: columns where a blank or empty cell says something: it becomes the value ``none``.

    Raises:
        EncodingError: unknown or repeated columns, a column of another type, a value outside its
            declared domain, no column at all.
    """
    _check_columns(frame, columns, domains or {}, absence)
    encoded = []
    for name in columns:
        declared = None if domains is None or name not in domains else tuple(str(v) for v in domains[name])
        cells = _cells(frame[name], name)
        make = _multi_valued if pa.types.is_list(cells.type) else _single_valued
        encoded.append(make(cells, name, declared, name in set(absence)))
    return Encoded(columns=tuple(encoded), n_records=len(frame))


def _check_columns(
    frame: pd.DataFrame, columns: Sequence[str], domains: Mapping[str, Sequence[str]], absence: Sequence[str]
) -> None:
    if not columns:
        raise EncodingError("no columns to count: name at least one")
    repeated = sorted({c for c in columns if list(columns).count(c) > 1})
    if repeated:
        raise EncodingError(f"columns named more than once: {', '.join(repeated)}")
    unknown = [c for c in columns if c not in frame.columns]
    if unknown:
        raise EncodingError(
            f"unknown columns: {', '.join(unknown)}; the table has {', '.join(map(str, frame.columns))}"
        )
    stray = sorted((set(domains) | set(absence)) - set(columns))
    if stray:
        raise EncodingError(f"domains or absence name columns that are not counted: {', '.join(stray)}")
    for name, values in domains.items():
        if len(set(values)) != len(values) or "" in values:
            raise EncodingError(f"the declared domain of column {name} repeats a value or holds an empty one")
        if name in absence and ABSENT in values:
            raise EncodingError(
                f"column {name} declares the value '{ABSENT}' and absence: both would be '{name}:{ABSENT}'"
            )


def _cells(series: pd.Series, name: str) -> pa.Array:
    """A column as one Arrow array of strings or of lists of strings."""
    try:
        array = pa.array(series, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        raise EncodingError(f"column {name} mixes types: make it text, or lists of text") from None
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    kind = array.type
    if pa.types.is_dictionary(kind) and _countable(kind.value_type):
        return pa.DictionaryArray.from_arrays(array.indices, pc.cast(array.dictionary, pa.large_string()))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pc.cast(array, pa.list_(pa.string()))
    if pa.types.is_null(kind):
        return pc.cast(array, pa.string())
    if _countable(kind):
        return pc.cast(array, pa.large_string())
    raise EncodingError(
        f"column {name} has type {series.dtype}, which has no values to count: band it or leave it out"
    )


def _countable(kind: pa.DataType) -> bool:
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return text or pa.types.is_integer(kind) or pa.types.is_boolean(kind)


def _item_codes(
    values: pa.Array, name: str, declared: tuple[str, ...] | None, record_of: NDArray[np.int64] | None
) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Codes of text values (0 = unknown or empty, k = k-th value) and the values."""
    coded = values if isinstance(values, pa.DictionaryArray) else values.dictionary_encode()
    indices = pc.fill_null(coded.indices, -1) if coded.null_count else coded.indices
    indices = indices.to_numpy(zero_copy_only=False)
    found = [v.as_py() for v in coded.dictionary]
    if declared is None:  # a category no record holds is not a value of the column
        held = np.zeros(len(found) + 1, dtype=bool)
        held[indices] = True
        items = tuple(sorted({v for v, h in zip(found, held[:-1], strict=True) if h and v}))
    else:
        items = declared
    position = {v: k for k, v in enumerate(items, start=1)}
    # the last slot stands for null; an empty text is unknown too
    recode = np.array([*(0 if v == "" else position.get(v, -1) for v in found), 0], dtype=np.int32)
    codes = recode[indices]
    outside = np.flatnonzero(codes < 0) if (recode < 0).any() else recode[:0]
    if len(outside):
        first = int(outside[0] if record_of is None else record_of[outside[0]]) + 1
        raise EncodingError(
            f"column {name}: {len(outside)} values are outside its declared domain of {len(items)} values, "
            f"the first in record {first}; declare them, or correct the records"
        )
    return codes, items


def smallest_unsigned(n_codes: int) -> type[np.unsignedinteger]:
    """The smallest unsigned type that holds the codes 0 to ``n_codes``."""
    if n_codes <= np.iinfo(np.uint8).max:
        return np.uint8
    return np.uint16 if n_codes <= np.iinfo(np.uint16).max else np.uint32


def _single_valued(
    cells: pa.Array, name: str, declared: tuple[str, ...] | None, absence: bool
) -> EncodedColumn:
    codes, items = _item_codes(cells, name, declared, None)
    if absence:
        items = _with_absent(items, name)
        codes = np.where(codes == 0, len(items), codes)
    return EncodedColumn(name, items, multi_valued=False, data=codes.astype(smallest_unsigned(len(items))))


def _multi_valued(
    cells: pa.Array, name: str, declared: tuple[str, ...] | None, absence: bool
) -> EncodedColumn:
    record_of = pc.list_parent_indices(cells).to_numpy(zero_copy_only=False).astype(np.int64)
    codes, items = _item_codes(cells.flatten(), name, declared, record_of)
    n_words = -(-len(cells) // ROWS_PER_WORD)
    bits = np.zeros((len(items), n_words), dtype=np.uint64)
    by_item = np.argsort(codes, kind="stable")
    edges = np.searchsorted(codes[by_item], np.arange(1, len(items) + 2))
    for k in range(len(items)):
        held = np.zeros((1, len(cells)), dtype=bool)
        held[0, record_of[by_item[edges[k] : edges[k + 1]]]] = True
        bits[k] = pack_bits(held, n_words)[0]
    if absence:
        nothing = np.ones((1, len(cells)), dtype=bool)
        nothing[0, record_of[codes > 0]] = False
        bits = np.vstack([bits, pack_bits(nothing, n_words)])
        items = _with_absent(items, name)
    return EncodedColumn(name, items, multi_valued=True, data=bits)


def _with_absent(items: tuple[str, ...], name: str) -> tuple[str, ...]:
    if ABSENT in items:
        raise EncodingError(f"column {name} already holds the value '{ABSENT}': absence needs it free")
    return (*items, ABSENT)
