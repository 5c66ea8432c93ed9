"""Less of the encoded records: fewer values of a column, or fewer attributes of a record."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hrtech.counts.encoding import Encoded, EncodedColumn, pack_bits, smallest_unsigned


def restrict_values(encoded: Encoded, values: Mapping[str, Sequence[str]]) -> Encoded:
    """Keep only the listed values of the named columns, in the order listed; all else becomes unknown.

    Raises:
        KeyError: if a listed value is none of its column's.
    """

    def restricted(column: EncodedColumn) -> EncodedColumn:
        if column.name not in values:
            return column
        position = {v: k for k, v in enumerate(column.values)}
        kept = tuple(values[column.name])
        at = np.array([position[v] for v in kept], dtype=np.int64)
        if column.multi_valued:
            return replace(column, values=kept, data=column.data[at])
        recode = np.zeros(len(column.values) + 1, dtype=smallest_unsigned(len(kept)))
        recode[at + 1] = np.arange(1, len(kept) + 1)
        return replace(column, values=kept, data=recode[column.data])

    return replace(encoded, columns=tuple(restricted(c) for c in encoded.columns))


def limit_attributes(encoded: Encoded, cap: int, rng: np.random.Generator) -> Encoded:
    """Keep a uniformly random ``cap`` of the attributes of every record that holds more.

    Args:
        encoded: the records; not changed.
        cap: most attributes a record may keep, at least 1.
        rng: where the choice comes from.

    Raises:
        ValueError: if ``cap`` is below 1.
    """
    if cap < 1:
        raise ValueError(f"a cap of {cap} attributes per record leaves nothing to count: use at least 1")
    over = np.flatnonzero(encoded.attributes_per_record() > cap)
    if not len(over):
        return encoded
    held = _held(encoded, over)
    # one number per attribute held, record by record: a record's choice does not depend on the others
    ticket = np.full(held.shape, 2.0)
    ticket[held] = rng.random(int(held.sum()))
    keep = np.zeros_like(held)
    np.put_along_axis(keep, np.argpartition(ticket, cap - 1, axis=1)[:, :cap], True, axis=1)
    offsets = encoded.offsets()
    return replace(
        encoded,
        columns=tuple(
            _with_only(column, over, keep[:, offsets[k] : offsets[k + 1]], encoded.n_records)
            for k, column in enumerate(encoded.columns)
        ),
    )


def _held(encoded: Encoded, records: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Who holds what among some records; shape (records, items)."""
    parts = []
    for column in encoded.columns:
        if column.multi_valued:
            parts += [column.indicator(v)[records][:, None] > 0 for v in range(len(column.values))]
        else:
            parts.append(column.data[records][:, None] == np.arange(1, len(column.values) + 1))
    return np.hstack(parts)


def _with_only(
    column: EncodedColumn, records: NDArray[np.int64], keep: NDArray[np.bool_], n_records: int
) -> EncodedColumn:
    """The column with only the kept values in the given records."""
    if not column.multi_valued:
        codes = column.data.copy()
        codes[records[~keep.any(axis=1)]] = 0
        return replace(column, data=codes)
    bits = np.empty_like(column.data)
    for value in range(len(column.values)):
        held = column.indicator(value)[:n_records].astype(bool)
        held[records] = keep[:, value]
        bits[value] = pack_bits(held[None, :], bits.shape[1])[0]
    return replace(column, data=bits)
