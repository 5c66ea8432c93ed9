"""Between tables and items: which attributes k people hold, what may meet, and records as a table again.

An item is an attribute by number. Belongs here: reading the table, what the schema forbids, trimming, writing a
table. How records are drawn is in `k_anonymity_sampling`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from hrtech.counts import Encoded, count_combinations, restrict_values
from hrtech.release.declared import ReleaseColumn, ReleaseSchema
from hrtech.release.holding import encoded_people
from hrtech.release.people import LIST_DTYPE


@dataclass(frozen=True)
class Items:
    """The attributes that at least k people hold, and what is public knowledge about them.

    Attributes:
        encoded: the people, reduced to these attributes; positions in ``encoded.items`` are item numbers.
        together: which items one record may hold, shape (items, items), symmetric.
        parent: per item -1, or the item that whoever holds this one holds too.
    """

    encoded: Encoded
    together: NDArray[np.bool_]
    parent: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.parent)

    def bits(self) -> NDArray[np.uint64]:
        """Who holds each item; shape (items, words)."""
        return np.ascontiguousarray(
            np.vstack([c.words(0, self.encoded.n_words) for c in self.encoded.columns])
        )

    def firsts(self) -> NDArray[np.int64]:
        """First item of each variable and the number of items.

        A variable is a single-valued column or one value of a multi-valued column.
        """
        offsets = self.encoded.offsets()
        inside = [
            np.arange(offsets[k], offsets[k + 1]) if c.multi_valued else offsets[k : k + 1]
            for k, c in enumerate(self.encoded.columns)
            if c.values
        ]
        return np.concatenate([*inside, offsets[-1:]]).astype(np.int64)


def items_of(frame: pd.DataFrame, schema: ReleaseSchema, k: int) -> Items:
    """Read a table down to the attributes that at least k people hold.

    Args:
        frame: one row per person.
        schema: the columns; a value implies the value of the column that it refines.
        k: fewest people.

    Raises:
        ReleaseError: a column is missing, or of another kind than declared.
        EncodingError: a value is outside its declared list, or a column has no values to count.
    """
    encoded = _implied(encoded_people(frame, schema), schema)
    singles = count_combinations(encoded, 1, min_count=k, max_cells=len(encoded.items))
    frequent: dict[str, list[str]] = {c.name: [] for c in schema.columns}
    for item in singles.cells[1][:, 0]:
        name, value = singles.items[item]
        frequent[name].append(value)
    encoded = restrict_values(encoded, frequent)
    parent = _parents(encoded, schema)
    return Items(encoded, _together(encoded, schema, parent), parent)


def _implied(encoded: Encoded, schema: ReleaseSchema) -> Encoded:
    """Where a value is known that refines another column's, that column holds what it implies."""
    columns = {c.name: c for c in encoded.columns}
    for declared in schema.columns:
        if declared.parent is None:
            continue
        child, parent = columns[declared.name], columns[declared.parent]
        implied = [0, *(1 + parent.values.index(declared.parent_values[v]) for v in child.values)]
        data = np.where(child.data > 0, np.array(implied)[child.data], parent.data).astype(parent.data.dtype)
        columns[declared.parent] = replace(parent, data=data)
    return replace(encoded, columns=tuple(columns.values()))


def _together(encoded: Encoded, schema: ReleaseSchema, parent: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Not an item with itself, two values of a single-valued column, an impossible pair, nor what implies one."""
    column = np.repeat(np.arange(len(encoded.columns)), [len(c.values) for c in encoded.columns])
    multi = np.array([c.multi_valued for c in encoded.columns], dtype=bool)
    possible = (column[:, None] != column[None, :]) | multi[column][:, None]
    np.fill_diagonal(possible, True)
    number = {item: k for k, item in enumerate(encoded.items)}
    for one, other in schema.impossible:
        if one in number and other in number:
            possible[number[one], number[other]] = possible[number[other], number[one]] = False
    up = np.where(parent >= 0, parent, np.arange(len(parent)))
    together = possible & possible[up] & possible[:, up] & possible[up][:, up]
    np.fill_diagonal(together, False)
    return together


def _parents(encoded: Encoded, schema: ReleaseSchema) -> NDArray[np.int64]:
    number = {item: k for k, item in enumerate(encoded.items)}
    parent = np.full(len(number), -1, dtype=np.int64)
    for child, (name, value) in enumerate(encoded.items):
        declared = schema.by_name[name]
        if declared.parent is not None:
            # k people hold it, so k people hold what it implies
            parent[child] = number[declared.parent, declared.parent_values[value]]
    return parent


@dataclass(frozen=True)
class Records:
    """Synthetic records as items.

    Attributes:
        items: items of all records, shape (n,), record by record.
        ends: where each record's items end in ``items``, shape (records,).
    """

    items: NDArray[np.int32]
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def record(self) -> NDArray[np.int64]:
        """Which record each of ``items`` belongs to."""
        sizes = np.diff(self.ends, prepend=0)
        return np.repeat(np.arange(len(sizes)), sizes)

    def counts(self, n_items: int) -> NDArray[np.int64]:
        """How many records hold each item."""
        return np.bincount(self.items, minlength=n_items).astype(np.int64)

    def followed_by(self, other: "Records") -> "Records":
        """These records and then others."""
        ends = np.concatenate([self.ends, other.ends + len(self.items)])
        return Records(np.concatenate([self.items, other.items]), ends)


NO_RECORDS = Records(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int64))


def without_empty(records: Records) -> Records:
    """The records that hold something."""
    return Records(records.items, records.ends[np.diff(records.ends, prepend=0) > 0])


def trimmed(
    records: Records, most: NDArray[np.int64], parent: NDArray[np.int64], rng: np.random.Generator
) -> Records:
    """Take items out of random records until none is held more often than it may be.

    A parent goes out of records without a child of it first; from the others the child goes with it.

    Args:
        records: some records; not changed.
        most: how often each item may be held, shape (items,).
        parent: see `Items`.
        rng: chooses the records.

    Returns:
        The records, without those that have nothing left.
    """
    n_items, record = len(most), records.record
    kept = np.ones(len(records.items), dtype=bool)
    child_at = np.full(len(records), -1, dtype=np.int64)
    # parents first: their children may go with them
    for item in sorted(np.flatnonzero(records.counts(n_items) > most), key=lambda i: (parent[i] >= 0, i)):
        held = np.flatnonzero((records.items == item) & kept)
        excess = len(held) - int(most[item])
        if excess <= 0:
            continue
        children = np.flatnonzero((parent[records.items] == item) & kept)
        child_at[:] = -1
        child_at[record[children]] = children
        order = np.lexsort((rng.random(len(held)), child_at[record[held]] >= 0))
        out = held[order[:excess]]
        kept[out] = False
        with_them = child_at[record[out]]
        kept[with_them[with_them >= 0]] = False
    sizes = np.bincount(record[kept], minlength=len(records))
    return without_empty(Records(records.items[kept], np.cumsum(sizes).astype(np.int64)))


def to_frame(records: Records, items: Items, schema: ReleaseSchema, frame: pd.DataFrame) -> pd.DataFrame:
    """Records as a table with the columns of the schema, typed like the input.

    A cell without an item is unknown. Categories that no record holds are left out: they may be rare.
    """
    offsets, record = items.encoded.offsets(), records.record
    made: dict[str, pd.Series] = {}
    for k, column in enumerate(items.encoded.columns):
        own = (records.items >= offsets[k]) & (records.items < offsets[k + 1])
        codes, rows = records.items[own] - offsets[k], record[own]
        if column.multi_valued:
            made[column.name] = _lists(codes, rows, column.values, len(records))
            continue
        cells = np.full(len(records), None, dtype=object)
        cells[rows] = np.array(column.values, dtype=object)[codes] if len(rows) else None
        made[column.name] = pd.Series(cells, dtype="str").astype(_text_type(frame[column.name].dtype))
    return pd.DataFrame(made, index=pd.RangeIndex(len(records)), columns=[c.name for c in schema.columns])


def _text_type(dtype: Any) -> Any:
    if isinstance(dtype, pd.CategoricalDtype):
        return "category"
    return dtype if pd.api.types.is_string_dtype(dtype) else "str"


def _lists(
    codes: NDArray[np.integer], rows: NDArray[np.int64], values: Sequence[str], n_records: int
) -> pd.Series:
    """List cells, values sorted; null where a record holds none."""
    rank = np.argsort(np.argsort(np.array(values, dtype=object), kind="stable"), kind="stable")
    order = np.lexsort((rank[codes], rows)) if len(codes) else np.zeros(0, dtype=np.int64)
    texts = pa.array(list(values), type=pa.string()).take(pa.array(codes[order]))
    sizes = np.bincount(rows, minlength=n_records)
    offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]), type=pa.int32())
    lists = pa.ListArray.from_arrays(offsets, texts, mask=pa.array(sizes == 0))
    return pd.Series(pd.arrays.ArrowExtensionArray(lists), dtype=LIST_DTYPE)


def published_columns(items: Items, schema: ReleaseSchema) -> tuple[ReleaseColumn, ...]:
    """The columns as they may be told: where values were not declared, those that at least k people hold."""
    held = {c.name: c.values for c in items.encoded.columns}
    return tuple(
        c if c.values is not None else ReleaseColumn(c.name, held[c.name], c.multi_valued, c.sensitive_zeros)
        for c in schema.columns
    )
