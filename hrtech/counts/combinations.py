"""Count every combination of attributes up to a length, and hold the counts.

``count_combinations`` bounds the work before it starts, chooses between packed bits and joint codes by
their cost, and returns ``Combinations``. What the counts mean for privacy is not known here.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtech.counts.attributes import Attribute, render_cells
from hrtech.counts.bits import Level, count_by_bits
from hrtech.counts.codes import count_by_codes
from hrtech.counts.encoding import Encoded, EncodedColumn

MAX_CELLS = 20_000_000
"""Default bound on the combinations that may have to be held: about 1 GB at length 4."""

# Nanoseconds, measured on one core: one 64-record word of one combination, one call for one prefix and
# block, one record of one set of columns.
_NS_WORD, _NS_CALL, _NS_RECORD = 1.1, 12_000.0, 3.0


class TooManyCells(ValueError):
    """Counting would need more cells than allowed; says which columns to leave out or band."""


@dataclass(frozen=True)
class Combinations:
    """Counts of attribute combinations.

    Attributes:
        items: all attributes; cells address them by position.
        cells: per length, shape (combinations, length): ascending item ids, rows in lexicographic order.
        counts: per length, shape (combinations,), how many records hold the whole combination.
        n_records: how many records were counted.
    """

    items: tuple[Attribute, ...]
    cells: Mapping[int, NDArray[np.int32]]
    counts: Mapping[int, NDArray[np.int64]]
    n_records: int

    def __len__(self) -> int:
        return sum(len(c) for c in self.counts.values())

    @property
    def max_length(self) -> int:
        """The longest length asked for."""
        return max(self.cells, default=0)

    def positions(self, length: int, cells: NDArray[np.integer]) -> NDArray[np.int64]:
        """Where the given cells (shape (n, length), ascending item ids) stand; -1 where not counted."""
        if not len(cells) or not len(self.counts.get(length, ())):
            return np.full(len(cells), -1, dtype=np.int64)
        both = np.concatenate([self.cells[length], np.asarray(cells, dtype=np.int32)])
        keys = _keys(both, len(self.items))
        own, asked = keys[: len(self.counts[length])], keys[len(self.counts[length]) :]
        at = np.minimum(np.searchsorted(own, asked), len(own) - 1)
        return np.where(own[at] == asked, at, -1).astype(np.int64)

    def count_of(self, attributes: Iterable[Attribute]) -> int:
        """The count of one combination; 0 if it was not kept.

        Raises:
            KeyError: if an attribute is none of ``items``.
        """
        position = {item: k for k, item in enumerate(self.items)}
        cell = sorted(position[a] for a in set(attributes))
        if not cell:
            return self.n_records
        at = int(self.positions(len(cell), np.array([cell]))[0])
        return 0 if at < 0 else int(self.counts[len(cell)][at])

    def to_frame(self) -> pd.DataFrame:
        """One row a combination: ``length``, ``attributes`` (canonical text), ``count``."""
        parts = [
            pd.DataFrame(
                {
                    "length": np.full(len(self.counts[length]), length, dtype=np.int64),
                    "attributes": render_cells(self.items, cells),
                    "count": self.counts[length],
                }
            )
            for length, cells in self.cells.items()
        ]
        return pd.concat(parts, ignore_index=True)


def _keys(cells: NDArray[np.int32], n_items: int) -> NDArray[np.int64]:
    """One sortable number per cell, in lexicographic order."""
    length = cells.shape[1]
    if n_items**length < 2**62:
        keys = np.zeros(len(cells), dtype=np.int64)
        for k in range(length):
            keys = keys * n_items + cells[:, k]
        return keys
    return np.unique(cells, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def possible_cells(columns: Iterable[tuple[int, bool]], max_length: int) -> list[int]:
    """How many combinations a schema allows.

    Args:
        columns: per column the number of values and whether a record may hold several.
        max_length: longest combination.

    Returns:
        Per length 0 to ``max_length``: elementary symmetric polynomials of the column sizes, where two
        values of a single-valued column never meet.
    """
    total = [1] + [0] * max_length
    for size, multi_valued in columns:
        own = [
            math.comb(size, k) if multi_valued else (1, size)[k] if k < 2 else 0
            for k in range(max_length + 1)
        ]
        total = [
            sum(total[i] * own[length - i] for i in range(length + 1)) for length in range(max_length + 1)
        ]
    return total


def _shape(column: EncodedColumn) -> tuple[int, bool]:
    return len(column.values), column.multi_valued


def _needed(columns: list[EncodedColumn], n_records: int, max_length: int, min_count: int) -> int:
    """Upper bound of the cells to hold: by schema, and (if zeros are not kept) by what records can hold."""
    by_schema = possible_cells(map(_shape, columns), max_length)[1:]
    if not min_count:
        return sum(by_schema)
    sets = possible_cells(
        [(n, True) if multi else (1, False) for n, multi in map(_shape, columns)], max_length
    )
    return sum(min(a, b * n_records // min_count) for a, b in zip(by_schema, sets[1:], strict=True))


def _refuse(encoded: Encoded, max_length: int, min_count: int, max_cells: int) -> None:
    """Raise before any work if the bound is exceeded, naming the columns that would bring it down."""
    columns = list(encoded.columns)
    needed = _needed(columns, encoded.n_records, max_length, min_count)
    if needed <= max_cells:
        return
    left, dropped = sorted(columns, key=lambda c: len(c.values)), []
    while left and _needed(left, encoded.n_records, max_length, min_count) > max_cells:
        dropped.append(left.pop())
    named = ", ".join(f"{c.name} ({len(c.values):,} values)" for c in dropped)
    shorter = next(
        (
            n
            for n in range(max_length - 1, 0, -1)
            if _needed(columns, encoded.n_records, n, min_count) <= max_cells
        ),
        None,
    )
    hint = f", or count up to length {shorter}" if shorter else ""
    raise TooManyCells(
        f"counting combinations up to length {max_length} over {len(columns)} columns may need {needed:,} cells, "
        f"more than max_cells = {max_cells:,}. Leave out or band: {named}{hint}."
    )


def _plan(encoded: Encoded, max_length: int) -> tuple[list[int], list[int]]:
    """Which single-valued columns are counted by codes (wide) and which columns by bits (narrow)."""
    columns = encoded.columns
    singles = sorted(
        (k for k, c in enumerate(columns) if not c.multi_valued), key=lambda k: -len(columns[k].values)
    )

    def cost(n_wide: int) -> float:
        wide = set(singles[:n_wide])
        shapes = [_shape(c) for k, c in enumerate(columns) if k not in wide]
        cells = possible_cells(shapes, max_length)
        words = encoded.n_words
        blocks = 1 + words // 1024
        bits = sum(cells[1:]) * words * _NS_WORD + sum(cells[:-1]) * blocks * _NS_CALL
        # sets of columns with and without a wide one
        every = possible_cells([(n, True) if m else (1, False) for n, m in map(_shape, columns)], max_length)
        others = possible_cells([(n, True) if m else (1, False) for n, m in shapes], max_length)
        sets = sum(every[1:]) - sum(others[1:])
        return bits + sets * (encoded.n_records * _NS_RECORD + 5 * _NS_CALL)

    best = min(range(len(singles) + 1), key=cost)
    wide = singles[:best]
    return wide, [k for k in range(len(columns)) if k not in set(wide)]


def count_combinations(
    encoded: Encoded,
    max_length: int,
    *,
    min_count: int = 1,
    max_cells: int = MAX_CELLS,
    threads: int = 1,
) -> Combinations:
    """Count how many records hold each combination of 1 to ``max_length`` attributes.

    Two values of one multi-valued column may combine; two of a single-valued column never do.

    Args:
        encoded: the records.
        max_length: longest combination, at least 1.
        min_count: smallest count kept. 0 keeps every combination that the item list allows, zeros too.
        max_cells: refuse, before counting, work that may need more cells than this.
        threads: blocks of records counted at once.

    Raises:
        TooManyCells: if the bound is exceeded.
        ValueError: for a length below 1, a negative ``min_count`` or no threads.
    """
    if max_length < 1 or min_count < 0 or threads < 1:
        raise ValueError("max_length and threads are at least 1, min_count is at least 0")
    _refuse(encoded, max_length, min_count, max_cells)
    wide, narrow = _plan(encoded, max_length)
    by_bits = count_by_bits(encoded, narrow, max_length, min_count, threads) if narrow else {}
    by_codes = count_by_codes(encoded, wide, narrow, max_length, min_count) if wide else {}
    n_items = len(encoded.items)
    levels = {k: _merged(by_bits.get(k), by_codes.get(k), k, n_items) for k in range(1, max_length + 1)}
    return Combinations(
        items=encoded.items,
        cells={k: cells for k, (cells, _) in levels.items()},
        counts={k: counts for k, (_, counts) in levels.items()},
        n_records=encoded.n_records,
    )


def _merged(bits: Level | None, codes: Level | None, length: int, n_items: int) -> Level:
    """The two engines' cells of one length in lexicographic order (they share none)."""
    if codes is None:
        return bits if bits is not None else (np.zeros((0, length), np.int32), np.zeros(0, np.int64))
    cells, counts = codes
    if bits is not None:
        cells, counts = np.concatenate([bits[0], cells]), np.concatenate([bits[1], counts])
    order = np.argsort(_keys(cells, n_items))
    return cells[order], counts[order]
