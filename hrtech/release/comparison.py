"""Tables of one schema made comparable: the same attributes, cells as codes, distances between records.

For the comparison of synthetic records with the records they speak of, which is restricted. Belongs here: how tables
are laid side by side. What is concluded from it is in `evaluation` and `attacks`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtech.counts import Encoded, encode, restrict_values
from hrtech.release.declared import ZERO, ReleaseError, ReleaseSchema
from hrtech.release.people import is_multi_valued

#: Distance of two cells that have nothing in common.
UNIT = 60
_FAR = np.iinfo(np.uint16).max
_AT_ONCE = 128


def encode_alike(tables: Sequence[pd.DataFrame], schema: ReleaseSchema) -> list[Encoded]:
    """Encode tables over the same attributes, in the same order.

    Blanks, and "0" in columns without sensitive zeros, are not attributes.

    Args:
        tables: One row per person, or synthetic records.
        schema: The columns.

    Raises:
        ReleaseError: A column is missing, or of another kind than declared.
    """
    names = [c.name for c in schema.columns]
    for table in tables:
        _check_kinds(table, schema)
    found = [encode(table, names) for table in tables]
    values = {
        name: tuple(sorted(set().union(*(e.columns[k].values for e in found))))
        for k, name in enumerate(names)
    }
    kept = {c.name: [v for v in values[c.name] if c.sensitive_zeros or v != ZERO] for c in schema.columns}
    return [restrict_values(encode(table, names, domains=values), kept) for table in tables]


def _check_kinds(table: pd.DataFrame, schema: ReleaseSchema) -> None:
    missing = [c.name for c in schema.columns if c.name not in table.columns]
    if missing:
        raise ReleaseError(f"columns: a table has no column {', '.join(missing)}")
    for column in schema.columns:
        if column.multi_valued != is_multi_valued(table[column.name]):
            kinds = ("one value", "a list of values")
            raise ReleaseError(
                f"column {column.name}: declared to hold {kinds[column.multi_valued]} per person, but a table holds "
                f"{kinds[not column.multi_valued]}"
            )


@dataclass(frozen=True)
class Rows:
    """Rows of several tables as codes, equal where cells hold the same.

    Attributes:
        tables: Per table the codes, shape (rows, columns); 0 where a cell holds no attribute.
        sets: Per column, for multi-valued ones, which values each code holds, shape (codes, values); else None.
    """

    tables: tuple[NDArray[np.int32], ...]
    sets: tuple[NDArray[np.bool_] | None, ...]

    def size(self, column: int) -> int:
        """Number of codes of a column, 0 included."""
        return 1 + max(int(table[:, column].max(initial=0)) for table in self.tables)


def rows_of(encoded: Sequence[Encoded]) -> Rows:
    """Codes of tables that were encoded alike."""
    lengths = [e.n_records for e in encoded]
    columns: list[NDArray[np.int32]] = []
    sets: list[NDArray[np.bool_] | None] = []
    for of_tables in zip(*(e.columns for e in encoded), strict=True):
        if not of_tables[0].multi_valued:
            columns.append(np.concatenate([c.data for c in of_tables]).astype(np.int32))
            sets.append(None)
            continue
        held = np.zeros((1 + sum(lengths), len(of_tables[0].values)), dtype=bool)
        start = 1  # the first row holds nothing, which makes that code 0
        for column, length in zip(of_tables, lengths, strict=True):
            for k in range(len(column.values)):
                held[start : start + length, k] = column.indicator(k)[:length]
            start += length
        _, first, code = np.unique(np.packbits(held, axis=1), axis=0, return_index=True, return_inverse=True)
        columns.append(code.reshape(-1)[1:].astype(np.int32))
        sets.append(held[first])
    codes = np.column_stack(columns)
    edges = np.cumsum([0, *lengths])
    return Rows(tuple(codes[start:stop] for start, stop in pairwise(edges)), tuple(sets))


def row_ids(codes: NDArray[np.int32]) -> NDArray[np.int64]:
    """One number per row of codes (shape (rows, columns)), equal for equal rows."""
    ids = np.zeros(len(codes), dtype=np.int64)
    for column in codes.T:
        ids = pd.factorize(ids * (int(column.max(initial=0)) + 1) + column)[0].astype(np.int64)
    return ids


def attribute_matrix(encoded: Encoded) -> NDArray[np.bool_]:
    """Who holds what; shape (rows, attributes)."""
    words = np.ascontiguousarray(np.vstack([c.words(0, encoded.n_words) for c in encoded.columns]))
    bits = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")
    return np.ascontiguousarray(bits[:, : encoded.n_records].T).astype(bool)


@dataclass(frozen=True)
class Reference:
    """Records to look into, equal ones once.

    Attributes:
        codes: Shape (distinct, columns).
        weight: How many records each stands for, shape (distinct,).
        of_row: Which distinct record each row is, shape (rows,).
    """

    codes: NDArray[np.int32]
    weight: NDArray[np.float32]
    of_row: NDArray[np.int64]

    @classmethod
    def of(cls, codes: NDArray[np.int32]) -> "Reference":
        """The distinct rows of codes."""
        ids = row_ids(codes)
        _, first, weight = np.unique(ids, return_index=True, return_counts=True)
        return cls(codes[first], weight.astype(np.float32), ids)


def distance_blocks(
    rows: Rows, targets: NDArray[np.int32], reference: Reference, columns: Sequence[int]
) -> Iterator[tuple[slice, NDArray[np.uint16]]]:
    """Distances from targets to the distinct records of a reference, some targets at a time.

    Args:
        rows: Tables that the codes come from.
        targets: Codes, shape (targets, columns).
        reference: Records to measure to.
        columns: Positions of the columns that count.

    Yields:
        Which targets, and their distances, shape (of these, distinct): the sum of `column_distance`.
    """
    for start in range(0, len(targets), _AT_ONCE):
        block = slice(start, start + _AT_ONCE)
        total = np.zeros((len(targets[block]), len(reference.codes)), dtype=np.uint16)
        for k in columns:
            total += column_distance(rows, targets[block], reference, k)
        yield block, total


def column_distance(
    rows: Rows, targets: NDArray[np.int32], reference: Reference, column: int
) -> NDArray[np.uint16]:
    """Distance in one column, shape (targets, distinct): 0 where cells are equal, `UNIT` where they share nothing.

    List cells: `UNIT` times their Jaccard distance, rounded. Two cells that hold nothing are equal.
    """
    one, other = targets[:, column], reference.codes[:, column]
    sets = rows.sets[column]
    if sets is None:
        return (one[:, None] != other) * np.uint16(UNIT)
    held = sets.astype(np.float32)
    both = held[one] @ held[other].T
    either = held[one].sum(axis=1)[:, None] + held[other].sum(axis=1) - both
    alike = np.divide(both, either, out=np.ones_like(both), where=either > 0)
    return np.rint(UNIT * (1 - alike)).astype(np.uint16)


def without_own(
    distance: NDArray[np.uint16], reference: Reference, own: NDArray[np.int64]
) -> NDArray[np.uint16]:
    """Distances (changed in place) where each target's own record is no neighbour, if nobody else has the same.

    Args:
        distance: Shape (targets, distinct).
        reference: Records that may hold those of the targets.
        own: Which distinct record is each target's own, -1 for none; shape (targets,).
    """
    alone = np.flatnonzero((own >= 0) & (reference.weight[own] == 1))
    distance[alone, own[alone]] = _FAR
    return distance
