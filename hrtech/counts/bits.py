"""Counting by packed bit vectors: AND the vectors of a combination, count the ones.

Best where columns hold few values. Records are taken a block at a time, so that the bit vectors of all
items stay in the processor's cache; a length is extended only from combinations that reached the
minimum count (support never grows with length: Agrawal and Srikant, VLDB 1994).
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from hrtech.counts.encoding import Encoded, EncodedColumn

Level = tuple[NDArray[np.int32], NDArray[np.int64]]
"""Cells of one length, shape (combinations, length) in ascending item ids, and their counts."""

# Block of words per pass: all items of one stay in the processor's cache.
_MOST_WORDS = 2048
_CACHE_BYTES = 1 << 19


def _blocks(n_words: int, n_items: int) -> Iterator[tuple[int, int]]:
    size = max(64, min(_MOST_WORDS, _CACHE_BYTES // (8 * max(n_items, 1))))
    for start in range(0, n_words, size):
        yield start, min(start + size, n_words)


class _Extensions:
    """Which items may extend each combination: the later ones, but none of a column that is used up."""

    def __init__(self, columns: list[EncodedColumn]) -> None:
        ends = np.cumsum([len(c.values) for c in columns])
        self.n_items = int(ends[-1])
        self.first = np.empty(self.n_items, dtype=np.int64)
        start = 0
        for column, end in zip(columns, ends, strict=True):
            own = np.arange(start, end)
            self.first[start:end] = own + 1 if column.multi_valued else end
            start = end

    def of(self, prefixes: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First extending item and number of extensions of each prefix."""
        if prefixes.shape[1] == 0:
            return np.zeros(1, dtype=np.int64), np.array([self.n_items])
        first = self.first[prefixes[:, -1]]
        return first, self.n_items - first


def _block_bits(columns: list[EncodedColumn], start: int, stop: int) -> NDArray[np.uint64]:
    return np.ascontiguousarray(np.vstack([column.words(start, stop) for column in columns]))


def count_by_bits(
    encoded: Encoded, which: list[int], max_length: int, min_count: int, threads: int
) -> dict[int, Level]:
    """Count all combinations within some columns.

    Args:
        encoded: the records.
        which: positions of the columns to use.
        max_length: longest combination.
        min_count: smallest count kept; 0 keeps every valid combination, held or not.
        threads: how many blocks are counted at once.

    Returns:
        Per length the kept cells, lexicographically sorted, and counts. Item ids are those of ``encoded``.
    """
    columns = [encoded.columns[k] for k in which]
    if not sum(len(c.values) for c in columns):
        return {}
    offsets = encoded.offsets()
    ids = np.concatenate([np.arange(offsets[k], offsets[k + 1]) for k in which]).astype(np.int32)
    extensions = _Extensions(columns)
    blocks = list(_blocks(encoded.n_words, extensions.n_items))
    prefixes = np.zeros((1, 0), dtype=np.int32)
    levels: dict[int, Level] = {}
    for length in range(1, max_length + 1):
        first, number = extensions.of(prefixes)
        prefixes, first, number = prefixes[number > 0], first[number > 0], number[number > 0]
        if not len(prefixes):
            break
        counts = _count_level(columns, blocks, prefixes, first, number, threads)
        keep = np.flatnonzero(counts >= min_count)
        parent = np.repeat(np.arange(len(prefixes)), number)[keep]
        within = keep - np.repeat(np.cumsum(number) - number, number)[keep]
        last = (first[parent] + within).astype(np.int32)
        prefixes = np.column_stack([prefixes[parent], last])
        levels[length] = (ids[prefixes], counts[keep])
    return levels


def _count_level(
    columns: list[EncodedColumn],
    blocks: list[tuple[int, int]],
    prefixes: NDArray[np.int32],
    first: NDArray[np.int64],
    number: NDArray[np.int64],
    threads: int,
) -> NDArray[np.int64]:
    """Counts of all extensions of all prefixes over all blocks, flat in prefix order."""
    from hrtech.counts.bit_loops import count_extensions

    offsets = np.concatenate([[0], np.cumsum(number)])

    def count(share: list[tuple[int, int]]) -> NDArray[np.int64]:
        totals = np.zeros(offsets[-1], dtype=np.int64)
        for start, stop in share:
            bits = _block_bits(columns, start, stop)
            held = np.empty((prefixes.shape[1], bits.shape[1]), dtype=np.uint64)
            count_extensions(bits, prefixes, first, offsets, held, totals)
        return totals

    if threads == 1 or len(blocks) < 2:
        return count(blocks)
    with ThreadPoolExecutor(threads) as pool:
        return np.sum(list(pool.map(count, [blocks[k::threads] for k in range(threads)])), axis=0)
