"""The compiled loops of `cube`: counting combinations by period, by joint codes or by bits.

Records come in the order of their periods; records of one unit (`group`) stand together and count once.
"""

from typing import Any

import numba as nb
import numpy as np

from hrtech.counts.bit_loops import ones


@nb.njit(cache=True, nogil=True)
def tally(position: Any, rows: Any, codes: Any, size: int, group: Any, grouped: bool, totals: Any) -> None:
    """Add to `totals` how many units hold each combination of a prefix and a value.

    Args:
        position: Combination of the prefix that each of `rows` holds.
        rows: Records that hold the prefix, rising.
        codes: Values of the extending column, 0 for none.
        size: How many values.
        group: Unit of each record.
        grouped: Whether units can have several records.
        totals: Shape (prefixes × size,), in place.
    """
    if grouped:
        last = np.full(len(totals), -1, np.int64)
        for k in range(len(rows)):
            code = codes[rows[k]]
            if code > 0:
                at = np.int64(position[k]) * size + code - 1
                if last[at] != group[rows[k]]:
                    last[at] = group[rows[k]]
                    totals[at] += 1
    else:
        for k in range(len(rows)):
            code = codes[rows[k]]
            if code > 0:
                totals[np.int64(position[k]) * size + code - 1] += 1


@nb.njit(cache=True, nogil=True)
def spread(
    position: Any, rows: Any, codes: Any, size: int, number: Any, period: Any, group: Any, grouped: bool, counts: Any,
    deeper: bool,
) -> Any:  # fmt: skip
    """Count the kept combinations by period; return the combination and the record of those who hold one.

    Args:
        position: As in `tally`, with `rows`, `codes`, `size`, `group` and `grouped`.
        rows: As in `tally`.
        codes: As in `tally`.
        size: As in `tally`.
        number: New number of each combination, -1 where it is not kept.
        period: Period of each record.
        group: As in `tally`.
        grouped: As in `tally`.
        counts: Shape (periods, combinations), in place.
        deeper: Whether the combinations of the records are asked for.
    """
    room = len(rows) if deeper else 0
    new_position, new_rows = np.empty(room, np.int32), np.empty(room, np.int32)
    last = np.full(counts.shape[1] if grouped else 0, -1, np.int64)
    n = 0
    for k in range(len(rows)):
        row = rows[k]
        code = codes[row]
        if code == 0:
            continue
        to = number[np.int64(position[k]) * size + code - 1]
        if to < 0:
            continue
        if not grouped:
            counts[period[row], to] += 1
        elif last[to] != group[row]:
            last[to] = group[row]
            counts[period[row], to] += 1
        if deeper:
            new_position[n] = to
            new_rows[n] = row
            n += 1
    return new_position[:n], new_rows[:n]


@nb.njit(cache=True, nogil=True)
def join(joint: Any, codes: Any, size: int) -> Any:
    """Joint codes of some columns and one more of that many codes, by record."""
    out = np.empty(len(joint), np.int32)
    for row in range(len(joint)):
        out[row] = joint[row] * size + codes[row]
    return out


@nb.njit(cache=True, nogil=True)
def tally_periods(joint: Any, codes: Any, size: int, start: Any, counts: Any) -> None:
    """Count joint codes of some columns and one more by period.

    Args:
        joint: Joint code of the columns before, by record.
        codes: Codes of the last column.
        size: How many codes it has.
        start: First record of each period, and the end.
        counts: Shape (periods, joint codes × size), in place.
    """
    for p in range(len(start) - 1):
        here = counts[p]
        for row in range(start[p], start[p + 1]):
            here[np.int64(joint[row]) * size + codes[row]] += 1


@nb.njit(cache=True, nogil=True)
def pack(rows: Any, row_start: Any, word_start: Any) -> Any:
    """Marks by record as bits, each period from a word of its own.

    Args:
        rows: Whether each record is marked.
        row_start: First record of each period, and the end.
        word_start: First word of each period, and the end.
    """
    out = np.zeros(word_start[-1], np.uint64)
    for p in range(len(row_start) - 1):
        word, row = word_start[p], row_start[p]
        while row < row_start[p + 1]:
            bits = np.uint64(0)
            for at in range(min(64, row_start[p + 1] - row)):
                bits |= np.uint64(rows[row + at]) << np.uint64(at)
            out[word] = bits
            word += 1
            row += 64
    return out


@nb.njit(cache=True, nogil=True)
def count_words(words: Any, start: Any, group: Any, out: Any) -> int:
    """Units with a one in each period, into `out`; returns their number.

    Args:
        words: Bits by record.
        start: First word of each period, and the end.
        group: Unit of each bit; empty where each is its own.
        out: Shape (periods,).
    """
    total = 0
    for p in range(len(start) - 1):
        n = 0
        if len(group) == 0:
            for k in range(start[p], start[p + 1]):
                n += ones(words[k])
        else:
            last = np.int64(-1)
            for k in range(start[p], start[p + 1]):
                word = words[k]
                bit = 0
                while word != 0:
                    if word & np.uint64(1):
                        unit = group[k * 64 + bit]
                        if unit != last:
                            last = unit
                            n += 1
                    word >>= np.uint64(1)
                    bit += 1
        out[p] = n
        total += n
    return total


@nb.njit(cache=True, nogil=True)
def grow(
    bits: Any, first: int, column: Any, single: Any, start: Any, group: Any, longest: int, least: int, cells: Any,
    counts: Any,
) -> int:  # fmt: skip
    """Find every combination that begins with one item; returns how many, or -1 where there is no room for all.

    Args:
        bits: Who holds each item, shape (items, words).
        first: The item that they begin with; later ones follow in rising order.
        column: Column of each item.
        single: Whether a record holds one item of the column at most, by item.
        start: First word of each period, and the end.
        group: As in `count_words`.
        longest: Most items.
        least: Fewest units.
        cells: Receives the items, shape (room, longest), -1 after the last.
        counts: Receives the units by period, shape (room, periods).
    """
    n_items, n_words = bits.shape
    held = np.empty((longest, n_words), np.uint64)
    path = np.full(longest, -1, np.int64)
    by_period = np.empty(counts.shape[1], np.int64)
    found = 0
    depth, item = 0, first
    while True:
        if item >= n_items or (depth == 0 and item > first):
            depth -= 1
            if depth < 0:
                return found
            item = path[depth] + 1
            path[depth] = -1
            continue
        allowed = True
        for k in range(depth):
            allowed = allowed and not (single[item] and column[path[k]] == column[item])
        if not allowed:
            item += 1
            continue
        total = nb.uint64(0)
        for k in range(n_words):
            word = bits[item, k] if depth == 0 else held[depth - 1, k] & bits[item, k]
            held[depth, k] = word
            total += ones(word)
        if total < least or count_words(held[depth], start, group, by_period) < least:
            item += 1
            continue
        if found == len(cells):
            return -1
        path[depth] = item
        for k in range(longest):
            cells[found, k] = path[k] if k <= depth else -1
        for p in range(len(by_period)):
            counts[found, p] = by_period[p]
        found += 1
        if depth + 1 < longest:
            depth += 1
        item += 1
