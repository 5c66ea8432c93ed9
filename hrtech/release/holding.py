"""Who holds which attribute: people as rows of zeros and ones, read from the table of people.

This is the only place that turns a cell into an attribute: blanks are unknown, "0" says "no" unless its column has
sensitive zeros, and a value implies the value of the column that it refines. A row belongs to one person and depends
on that person alone; the proofs of `mechanism` rest on that.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtech.counts import Encoded, encode, restrict_values
from hrtech.release.declared import ZERO, ReleaseColumn, ReleaseError, ReleaseSchema
from hrtech.release.layout import Layout
from hrtech.release.people import LIST_DTYPE, is_multi_valued


@dataclass(frozen=True)
class Holdings:
    """Distinct rows and how many people have each.

    Attributes:
        rows: Shape (distinct rows, attributes), uint8, in the numbering of the layout.
        people: Shape (distinct rows,), how many.
    """

    rows: NDArray[np.uint8]
    people: NDArray[np.int64]

    @property
    def n_people(self) -> int:
        """How many people."""
        return int(self.people.sum())


def encoded_people(frame: pd.DataFrame, schema: ReleaseSchema) -> Encoded:
    """Encode the released columns of a table with one row per person.

    Raises:
        ReleaseError: A column is missing, or of another kind than declared.
        hrtech.counts.EncodingError: A value is none of those declared for its column. Messages name columns and
            record numbers only.
    """
    names = [c.name for c in schema.columns]
    missing = [n for n in names if n not in frame.columns]
    if missing:
        raise ReleaseError(f"columns: the table has no column {', '.join(missing)}")
    table = frame[names].copy(deep=False)
    for column in schema.columns:
        if column.multi_valued and table[column.name].isna().all():
            table[column.name] = pd.Series([None] * len(table), dtype=LIST_DTYPE, index=table.index)
        if not column.multi_valued and table[column.name].isna().all():
            table[column.name] = pd.Series([None] * len(table), dtype="str", index=table.index)
        if column.multi_valued != is_multi_valued(table[column.name]):
            kinds = ("one value", "a list of values")
            raise ReleaseError(
                f"column {column.name}: declared to hold {kinds[column.multi_valued]} per person, but the table "
                f"holds {kinds[not column.multi_valued]}"
            )
    encoded = encode(
        table, names, domains={c.name: _domain(c) for c in schema.columns if c.values is not None}
    )
    insensitive = {c.name for c in schema.columns if not c.sensitive_zeros}
    kept = {
        c.name: [v for v in c.values if v != ZERO]
        for c in encoded.columns
        if c.name in insensitive and ZERO in c.values
    }
    return restrict_values(encoded, kept) if kept else encoded


def _domain(column: ReleaseColumn) -> tuple[str, ...]:
    """Declared values; "no" may always be said."""
    said = column.values or ()
    return said if column.sensitive_zeros or ZERO in said else (*said, ZERO)


def holdings(encoded: Encoded, layout: Layout) -> Holdings:
    """Rows of people in the layout's numbering, equal ones counted together.

    Args:
        encoded: People, with exactly the values of the layout's columns.
        layout: Groups of attributes.
    """
    rows = np.zeros((encoded.n_records, layout.n_attributes), dtype=np.uint8)
    number = {a: k for k, a in enumerate(layout.attributes)}
    for column in encoded.columns:
        own = [number[column.name, v] for v in column.values]
        if column.multi_valued:
            for k, value in enumerate(own):
                rows[:, value] = column.indicator(k)[: encoded.n_records]
        else:
            known = np.flatnonzero(column.data)
            rows[known, np.array([-1, *own])[column.data[known]]] = 1
    for group in layout.groups:
        if len(group.columns) == 2:
            _imply(rows[:, group.first : group.stop], group.states)
    if not layout.attributes or not len(rows):
        # nobody differs, or there is nobody
        people = np.full(min(1, len(rows)), len(rows), dtype=np.int64)
        return Holdings(rows[: len(people)], people)
    packed = np.packbits(rows, axis=1)
    _, first, people = np.unique(
        packed.view(np.dtype((np.void, packed.shape[1]))).ravel(), return_index=True, return_counts=True
    )
    return Holdings(rows[first], people.astype(np.int64))


def _imply(own: NDArray[np.uint8], states: NDArray[np.bool_]) -> None:
    """Where a value is held that implies another, hold exactly what it implies; in place."""
    for state in states[1:]:
        if state.sum() == 2:
            fine = int(np.flatnonzero(state)[0])
            own[own[:, fine] > 0] = state
