"""Counts of combinations by period, one set of columns after another, so that memory stays small.

Columns with one value a record are counted by joint codes; what holds an item of a multi-valued column is counted by
bits. Only combinations that reach the minimum count are kept: support never grows with length.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hrtech.patterns.variables import Variable, Variables

_DENSE = 1 << 25
_ROOM = 1 << 16


@dataclass(frozen=True)
class Block:
    """Some combinations of one length or several.

    Attributes:
        cells: Items, shape (combinations, longest), -1 after the last.
        counts: Units that hold them by period, shape (combinations, periods).
        exposure: Position in `Exposures` of each, (combinations,).
    """

    cells: NDArray[np.int32]
    counts: NDArray[np.int32]
    exposure: NDArray[np.int64]

    @cached_property
    def length(self) -> NDArray[np.int64]:
        """Items of each combination."""
        return np.asarray((self.cells >= 0).sum(axis=1))

    @cached_property
    def total(self) -> NDArray[np.int64]:
        """Units that hold each combination."""
        return np.asarray(self.counts.sum(axis=1, dtype=np.int64))


@dataclass
class Exposures:
    """Units by period where a set of columns is known; equal ones are held once."""

    variables: Variables
    tables: list[NDArray[np.int64]] = field(default_factory=list)
    _of_mask: dict[int, int] = field(default_factory=dict)
    _of_table: dict[bytes, int] = field(default_factory=dict)

    def position(self, mask: int) -> int:
        """Where the exposure of a set of columns stands in `tables`."""
        if mask not in self._of_mask:
            table = self.variables.exposure(mask)
            self._of_mask[mask] = self._of_table.setdefault(table.tobytes(), len(self.tables))
            if self._of_mask[mask] == len(self.tables):
                self.tables.append(table)
        return self._of_mask[mask]


def blocks(variables: Variables, exposures: Exposures, max_length: int, min_count: int) -> Iterator[Block]:
    """All combinations that reach the minimum count, block by block."""
    from hrtech.patterns.dense import dense_blocks, fits

    single = dense_blocks if fits(variables, max_length) else _by_codes
    yield from single(variables, exposures, max_length, min_count)
    if variables.held:
        yield from _by_bits(variables, exposures, max_length, min_count)


def _by_codes(variables: Variables, exposures: Exposures, max_length: int, min_count: int) -> Iterator[Block]:
    everyone = np.arange(len(variables.period), dtype=np.int32)
    nobody = np.zeros(len(everyone), dtype=np.int32)
    start = np.zeros((1, 0), dtype=np.int32)
    yield from _extend(variables, exposures, (nobody, everyone, start, 0), 0, max_length, min_count)


def _extend(
    variables: Variables,
    exposures: Exposures,
    prefix: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], int],
    after: int,
    max_length: int,
    min_count: int,
) -> Iterator[Block]:
    """Extend a prefix (combination and record of its holders, its items, its columns) by each later column."""
    position, rows, items, mask = prefix
    length = items.shape[1] + 1
    for k, variable in enumerate(variables.singles[after:], start=after + 1):
        deeper = length < max_length and k < len(variables.singles)
        counts, cells, own, holders = _count(variables, variable, position, rows, items, min_count, deeper)
        if not len(cells):
            continue
        columns = mask | (1 << variable.column)
        where = np.full(len(cells), exposures.position(columns), dtype=np.int64)
        padded = np.full((len(cells), max_length), -1, dtype=np.int32)
        padded[:, :length] = cells
        yield Block(padded, counts, where)
        if deeper:
            yield from _extend(variables, exposures, (own, holders, cells, columns), k, max_length, min_count)


def _count(
    variables: Variables,
    variable: Variable,
    position: NDArray[np.int32],
    rows: NDArray[np.int32],
    items: NDArray[np.int32],
    min_count: int,
    deeper: bool,
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    from hrtech.patterns.cube_loops import spread, tally

    size, grouped = variable.size, variables.grouped
    codes = variable.codes
    if len(items) * size > max(_DENSE, len(rows)):
        position, codes, size, pairs = _renumbered(position, rows, codes, size, min_count)
        first, last = pairs // variable.size, pairs % variable.size
        rows = rows[position >= 0]
        position = position[position >= 0]
        n_cells = len(pairs)
    else:
        n_cells = len(items) * size
        first, last = np.divmod(np.arange(n_cells), size)
    totals = np.zeros(n_cells, dtype=np.int64)
    tally(position, rows, codes, size, variables.group, grouped, totals)
    kept = np.flatnonzero(totals >= min_count)
    number = np.full(n_cells, -1, dtype=np.int32)
    number[kept] = np.arange(len(kept), dtype=np.int32)
    counts = np.zeros((variables.n_periods, len(kept)), dtype=np.int32)
    own, holders = spread(
        position, rows, codes, size, number, variables.period, variables.group, grouped, counts, deeper
    )
    cells = np.column_stack([items[first[kept]], (variable.first_item + last[kept]).astype(np.int32)])
    return np.ascontiguousarray(counts.T), cells, own, holders


def _renumbered(
    position: NDArray[np.int32],
    rows: NDArray[np.int32],
    codes: NDArray[np.unsignedinteger],
    size: int,
    min_count: int,
) -> tuple[NDArray[np.int32], NDArray[np.unsignedinteger], int, NDArray[np.int64]]:
    """Frequent pairs of prefix and value by sorting, where a table of all pairs would be too large.

    Returns:
        The pair of each record (-1: none), a column of ones, its size, and the pairs as prefix × size + value.
    """
    code = codes[rows].astype(np.int64)
    joint = np.where(code > 0, position.astype(np.int64) * size + code - 1, -1)
    pairs, inverse, counts = np.unique(joint, return_inverse=True, return_counts=True)
    keep = (counts >= min_count) & (pairs >= 0)
    number = np.where(keep, np.cumsum(keep) - 1, -1).astype(np.int32)
    return number[inverse], np.ones(len(codes), dtype=np.uint8), 1, pairs[keep]


def _by_bits(variables: Variables, exposures: Exposures, max_length: int, min_count: int) -> Iterator[Block]:
    from hrtech.patterns.cube_loops import grow

    multiple = sorted(variables.held)
    order = np.array(
        multiple + [k for k in range(len(variables.items)) if k not in variables.held], dtype=np.int64
    )
    bits = np.array([variables.bits(variables.holds(int(k))) for k in order])
    column = variables.column_of[order]
    single = np.array([not variables.multi_valued[c] for c in column])
    group = bit_groups(variables)
    room = _ROOM
    for first in range(len(multiple)):
        found = -1
        while found < 0:
            cells = np.empty((room, max_length), dtype=np.int32)
            counts = np.empty((room, variables.n_periods), dtype=np.int32)
            found = grow(
                bits, first, column, single, variables.word_start, group, max_length, min_count, cells, counts
            )
            room *= 1 if found >= 0 else 4
        if not found:
            continue
        own = cells[:found].copy()
        own = np.where(own >= 0, order[own], -1).astype(np.int32)
        yield Block(own, counts[:found].copy(), _positions(own, variables, exposures))


def bit_groups(variables: Variables) -> NDArray[np.int64]:
    """Unit of each bit, empty where each record is its own."""
    if not variables.grouped:
        return np.zeros(0, dtype=np.int64)
    out = np.full(int(variables.word_start[-1]) * 64, -1, dtype=np.int64)
    out[variables.bit_of_row] = variables.group
    return out


def masks(cells: NDArray[np.int32], variables: Variables) -> NDArray[np.int64]:
    """Columns of each combination as bits, (combinations,)."""
    column = variables.column_of[np.maximum(cells, 0)]
    return np.asarray(np.bitwise_or.reduce(np.where(cells >= 0, np.int64(1) << column, 0), axis=1))


def _positions(cells: NDArray[np.int32], variables: Variables, exposures: Exposures) -> NDArray[np.int64]:
    distinct, which = np.unique(masks(cells, variables), return_inverse=True)
    return np.array([exposures.position(int(m)) for m in distinct], dtype=np.int64)[which]
