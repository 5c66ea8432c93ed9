"""Counts of single-valued columns by whole tables: the longest combinations are counted, the shorter ones are margins.

Worth it where the tables have fewer cells than there are records to count; blanks count as one value more, so that
margins are complete.
"""

from collections.abc import Iterator
from itertools import combinations
from math import comb, prod

import numpy as np
from numpy.typing import NDArray

from hrtech.patterns.cube import Block, Exposures
from hrtech.patterns.variables import Variables

#: Most cells of a table, of all tables, and a share of what would be counted otherwise; combinations in a block.
_LARGEST, _ALL, _SHARE, _ROWS = 1 << 23, 1 << 24, 0.5, 1 << 14


def fits(variables: Variables, max_length: int) -> bool:
    """Whether whole tables are small enough, and units are single records."""
    sizes = [v.size + 1 for v in variables.singles]
    longest = min(max_length, len(sizes))
    if variables.grouped or not longest:
        return False
    cells, most = 0, max(_ALL, _SHARE * len(variables.period) * comb(len(sizes), longest))
    for subset in combinations(sizes, longest):
        table = prod(subset) * variables.n_periods
        cells += table
        if table > _LARGEST or cells > most:
            return False
    return True


def dense_blocks(
    variables: Variables, exposures: Exposures, max_length: int, min_count: int
) -> Iterator[Block]:
    """All combinations of single-valued columns that reach the minimum count, the longest first."""
    sizes = [v.size + 1 for v in variables.singles]
    longest = min(max_length, len(sizes))
    parts: list[Block] = []
    tables = _tables(variables, longest)
    for length in range(longest, 0, -1):
        margins: dict[tuple[int, ...], NDArray[np.int32]] = {}
        for subset, table in tables:
            for axis, column in enumerate(subset if length > 1 else ()):
                rest = subset[:axis] + subset[axis + 1 :]
                outside = (k for k in range(len(sizes)) if k not in rest)
                if column == min(outside, key=lambda k: sizes[k]):  # the least to sum
                    margins[rest] = table.sum(axis=axis + 1, dtype=np.int32)
            parts.append(_block(subset, table, variables, exposures, max_length, min_count))
            if sum(len(part.cells) for part in parts) > _ROWS:
                yield _joined(parts)
                parts = []
        tables = iter(margins.items())
    if parts:
        yield _joined(parts)


def _tables(variables: Variables, length: int) -> Iterator[tuple[tuple[int, ...], NDArray[np.int32]]]:
    """Counts by period and codes of every set of so many columns."""
    nothing = np.zeros(len(variables.period), dtype=np.int32)
    yield from _extend(variables, (), nothing, length)


def _extend(
    variables: Variables, before: tuple[int, ...], joint: NDArray[np.int32], length: int
) -> Iterator[tuple[tuple[int, ...], NDArray[np.int32]]]:
    from hrtech.patterns.cube_loops import join, tally_periods

    for k in range(before[-1] + 1 if before else 0, len(variables.singles)):
        own, codes = (*before, k), variables.singles[k].codes
        sizes = [variables.singles[at].size + 1 for at in own]
        if len(own) < length:
            yield from _extend(variables, own, join(joint, codes, sizes[-1]), length)
        else:
            counts = np.zeros((variables.n_periods, prod(sizes)), dtype=np.int32)
            tally_periods(joint, codes, sizes[-1], variables.row_start, counts)
            yield own, counts.reshape(-1, *sizes)


def _block(
    subset: tuple[int, ...],
    table: NDArray[np.int32],
    variables: Variables,
    exposures: Exposures,
    max_length: int,
    min_count: int,
) -> Block:
    """The frequent combinations of a table."""
    held = table[(slice(None), *(slice(1, None) for _ in subset))]
    shape = held.shape[1:]
    held = np.ascontiguousarray(held).reshape(len(held), -1)
    kept = np.flatnonzero(held.sum(axis=0) >= min_count)
    cells = np.full((len(kept), max_length), -1, dtype=np.int32)
    for axis, code in enumerate(np.unravel_index(kept, shape)):
        cells[:, axis] = variables.singles[subset[axis]].first_item + code
    columns = sum(1 << variables.singles[k].column for k in subset)
    where = exposures.position(columns) if len(kept) else 0
    return Block(cells, np.ascontiguousarray(held[:, kept].T), np.full(len(kept), where, dtype=np.int64))


def _joined(parts: list[Block]) -> Block:
    return Block(
        np.concatenate([part.cells for part in parts]),
        np.concatenate([part.counts for part in parts]),
        np.concatenate([part.exposure for part in parts]),
    )
