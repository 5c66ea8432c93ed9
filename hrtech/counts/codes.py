"""Counting by joint codes: number the value combinations of a set of columns, then tally the numbers.

Best where a column holds many values: the cost grows with the records and the sets of columns, not with
the values. Every combination counted here holds a value of at least one *wide* column.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrtech.counts.bits import Level
from hrtech.counts.encoding import Encoded

# A table of tallies larger than this many times the records is replaced by sorting the codes.
_TABLE_PER_RECORD = 8
_SMALL_TABLE = 1 << 20


@dataclass(frozen=True)
class _Variable:
    """A single-valued column, or one value of a multi-valued column (held or not)."""

    codes: NDArray[np.unsignedinteger]
    size: int
    first_item: int


@dataclass(frozen=True)
class _Prefix:
    """Combinations of the variables chosen so far: the records that hold one, which one, and its items."""

    codes: NDArray[np.int64]
    items: NDArray[np.int32]


def _variables(encoded: Encoded, which: list[int]) -> list[_Variable]:
    offsets = encoded.offsets()
    found = []
    for k in which:
        column = encoded.columns[k]
        if not column.multi_valued:
            found.append(_Variable(column.data, len(column.values), int(offsets[k])))
        else:
            found += [
                _Variable(column.indicator(v)[: encoded.n_records], 1, int(offsets[k]) + v)
                for v in range(len(column.values))
            ]
    return [v for v in found if v.size]


def count_by_codes(
    encoded: Encoded, wide: list[int], narrow: list[int], max_length: int, min_count: int
) -> dict[int, Level]:
    """Count all combinations that hold a value of a wide column.

    Args:
        encoded: the records.
        wide: positions of single-valued columns; each combination has a value of at least one.
        narrow: positions of the other columns that may take part.
        max_length: longest combination.
        min_count: smallest count kept; 0 keeps every valid combination, held or not.

    Returns:
        Per length the kept cells, ascending within a cell, and counts.
    """
    starts = _variables(encoded, wide)
    variables = starts + _variables(encoded, narrow)
    found: dict[int, list[Level]] = {length: [] for length in range(1, max_length + 1)}
    nobody = _Prefix(np.zeros(encoded.n_records, dtype=np.int64), np.zeros((1, 0), dtype=np.int32))
    for k in range(len(starts)):
        _extend(nobody, variables[k:], 1, max_length, min_count, found)
    return {
        length: (
            np.sort(np.concatenate([c for c, _ in parts]), axis=1),
            np.concatenate([n for _, n in parts]),
        )
        for length, parts in found.items()
        if parts
    }


def _extend(
    prefix: _Prefix,
    variables: list[_Variable],
    length: int,
    max_length: int,
    min_count: int,
    found: dict[int, list[Level]],
) -> None:
    """Count the prefix with the first variable (at length 1) or with each, and go on from there."""
    for k, variable in enumerate(variables if length > 1 else variables[:1]):
        cells, counts, position = _tally(prefix, variable, min_count)
        if len(counts):
            found[length].append((cells, counts))
        rest = variables[k + 1 :]
        if length < max_length and rest and len(cells):
            rows = np.flatnonzero(position >= 0)
            longer = _Prefix(position[rows], cells)
            kept = [_Variable(v.codes[rows], v.size, v.first_item) for v in rest]
            _extend(longer, kept, length + 1, max_length, min_count, found)


def _tally(
    prefix: _Prefix, variable: _Variable, min_count: int
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    """Cells that reach the minimum, their counts, and the cell of each record (-1: none)."""
    width = variable.size + 1
    joint = prefix.codes * width + variable.codes
    n_codes = len(prefix.items) * width
    if min_count and n_codes > max(_TABLE_PER_RECORD * len(joint), _SMALL_TABLE):
        codes, inverse, counts = np.unique(joint, return_inverse=True, return_counts=True)
        keep = (codes % width > 0) & (counts >= min_count)
        renumber = np.where(keep, np.cumsum(keep) - 1, -1)
        codes, counts, position = codes[keep], counts[keep], renumber[inverse]
    else:
        table = np.bincount(joint, minlength=n_codes)
        keep = table >= min_count
        keep[::width] = False
        codes = np.flatnonzero(keep)
        renumber = np.full(n_codes, -1, dtype=np.int64)
        renumber[codes] = np.arange(len(codes))
        counts, position = table[codes], renumber[joint]
    last = (variable.first_item + codes % width - 1).astype(np.int32)
    return np.column_stack([prefix.items[codes // width], last]), counts.astype(np.int64), position
