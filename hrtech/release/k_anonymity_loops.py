"""Inner loops of k-anonymous synthesis, compiled by numba: every draw depends on the draws before it.

Items are attributes by number, people are bits: the rows that hold a set of items are the AND of their bit vectors.
Nothing here knows columns, values or settings; `k_anonymity_sampling` does. Import it inside the function that needs
it: loading numba takes a second, compiling these loops some more, once for each machine. All of them are in one file,
because the cache of compiled code notices changes of a function's own file alone.

Three things are handed around:

- ``people``: ``bits`` (items, words) uint64, who holds each item; ``counts`` (items,); ``pairs`` (items, items), 0
  where two items may not meet.
- ``table``: ``keys`` and ``places``, a hash table of combinations, and their ``counts`` by place.
- ``parent`` (items,): -1, or the item without which this one is not drawn.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_PAIRS_OF_BITS = np.uint64(0x5555555555555555)
_NIBBLES = np.uint64(0x3333333333333333)
_BYTES = np.uint64(0x0F0F0F0F0F0F0F0F)
_SUM = np.uint64(0x0101010101010101)
_1, _2, _4, _56 = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)
_SPREAD, _HALF = np.uint64(0x9E3779B97F4A7C15), np.uint64(32)

Filled = tuple[NDArray[np.int32], NDArray[np.int64]]
"""Items of all records, record by record, and where each record's items end."""


def _compiled(function: Callable[..., Any]) -> Any:
    """Compile at the first call; keep what was compiled where there is a place to write it to."""
    try:
        return njit(cache=True)(function)
    except RuntimeError:
        return njit(function)


def _inner(function: Callable[..., Any]) -> Any:
    """Compile as a part of those that are called from Python."""
    return njit(function)


@_inner
def _ones_of(word: Any) -> Any:
    """Ones in a word."""
    x = word - ((word >> _1) & _PAIRS_OF_BITS)
    x = (x & _NIBBLES) + ((x >> _2) & _NIBBLES)
    return np.int64((((x + (x >> _4)) & _BYTES) * _SUM) >> _56)


@_inner
def _ones(words: Any) -> Any:
    """Ones in a bit vector."""
    total = 0
    for w in range(len(words)):
        total += _ones_of(words[w])
    return total


@_inner
def _ones_of_both(one: Any, other: Any) -> Any:
    """Ones that two bit vectors share."""
    total = 0
    for w in range(len(one)):
        total += _ones_of(one[w] & other[w])
    return total


@_compiled
def count_pairs(bits: Any) -> NDArray[np.int64]:
    """How many rows hold each pair of items; the diagonal counts the items. Shape (items, items)."""
    n = len(bits)
    pairs = np.zeros((n, n), dtype=np.int64)
    for i in range(n):
        for j in range(i, n):
            pairs[i, j] = pairs[j, i] = _ones_of_both(bits[i], bits[j])
    return pairs


@_inner
def _pick(live: Any, weights: Any, n: int, parent: Any, chosen: Any, rng: Any) -> int:
    """Position of a live item drawn by weight, of those whose parent is in the record; -1 if there is none."""
    total = 0.0
    for j in range(n):
        p = parent[live[j]]
        if p < 0 or chosen[p]:
            total += weights[j]
    if total <= 0.0:
        return -1
    left, last = rng.random() * total, -1
    for j in range(n):
        p = parent[live[j]]
        if (p < 0 or chosen[p]) and weights[j] > 0.0:
            left -= weights[j]
            last = j
            if left < 0.0:
                break
    return last


@_inner
def _key(new: int, record: Any, size: int, base: int) -> int:
    """Key of a record, ascending, with one item more."""
    key, placed = 0, False
    for j in range(size):
        if not placed and new < record[j]:
            key, placed = key * base + new + 1, True
        key = key * base + record[j] + 1
    return key if placed else key * base + new + 1


@_inner
def _narrow(
    record: Any,
    size: int,
    new: int,
    rows: Any,
    people: Any,
    table: Any,
    live: Any,
    weights: Any,
    n: int,
    k: int,
    length: int,
) -> int:
    """Keep the items that at least k people hold with all of the record; returns how many are left.

    What the table has is looked up; the rest is counted.

    Args:
        record: items so far, ascending, the new one included.
        size: how many.
        new: item just added.
        rows: bits of the people who hold all of them.
        people: see the module.
        table: see the module; exact counts of all combinations of up to ``length`` items that at least k hold.
        live: items still possible; changed in place.
        weights: set to the people who hold the record and the item.
        n: how many are possible.
        k: fewest people.
        length: longest combination of the table.
    """
    bits, _, pairs = people
    keys, places, counts = table
    kept = 0
    for j in range(n):
        i = live[j]
        if i == new:
            continue
        count = pairs[new, i]
        if count >= k and size > 1:
            if size < length:
                at = _find(_key(i, record, size, len(bits) + 1), keys, places)
                count = counts[at] if at >= 0 else 0
            else:
                count = _ones_of_both(rows, bits[i])
        if count >= k:
            live[kept] = i
            weights[kept] = count
            kept += 1
    return kept


@_inner
def _add_rows(new: int, size: int, rows: Any, bits: Any) -> None:
    """Reduce the rows of a record to those that hold its newest item too."""
    for w in range(len(rows)):
        rows[w] = bits[new, w] if size == 1 else rows[w] & bits[new, w]


@_compiled
def grow_from_rows(
    held: Any, ends: Any, people: Any, table: Any, parent: Any, k: int, length: int, rng: Any
) -> Filled:
    """Of each person's items a part that at least k people share, grown item by item.

    Args:
        held: items of all people, person by person.
        ends: where each person's items end in ``held``.
        people: see the module.
        table: see the module; exact counts.
        parent: see the module.
        k: fewest people.
        length: longest combination of the table.
        rng: draws the next item, in proportion to the people who hold it and all items so far.

    Returns:
        The records, one for each person; some may be empty.
    """
    bits, counts, _ = people
    n_items = len(bits)
    out, out_ends = np.empty(len(held), dtype=np.int32), np.empty(len(ends), dtype=np.int64)
    live, weights = np.empty(n_items, dtype=np.int64), np.empty(n_items, dtype=np.float64)
    chosen, rows = np.zeros(n_items, dtype=np.bool_), np.empty(bits.shape[1], dtype=np.uint64)
    record = np.empty(n_items, dtype=np.int64)
    written = start = 0
    for r in range(len(ends)):
        n = size = 0
        for j in range(start, ends[r]):
            if counts[held[j]] >= k:
                live[n], weights[n] = held[j], counts[held[j]]
                n += 1
        start = ends[r]
        while True:
            at = _pick(live, weights, n, parent, chosen, rng)
            if at < 0:
                break
            new = live[at]
            _insert(new, record, size)
            size += 1
            chosen[new] = True
            _add_rows(new, size, rows, bits)
            n = _narrow(record, size, new, rows, people, table, live, weights, n, k, length)
        written = _write(record, size, chosen, out, written)
        out_ends[r] = written
    return out[:written], out_ends


@_compiled
def place_keys(keys: Any, table: Any, places: Any) -> None:
    """Fill a hash table (open addressing, a power of two long, -1 = free) with keys and their positions."""
    mask = np.uint64(len(table) - 1)
    for position in range(len(keys)):
        at = ((np.uint64(keys[position]) * _SPREAD) >> _HALF) & mask
        while table[at] >= 0:
            at = (at + _1) & mask
        table[at] = keys[position]
        places[at] = position


@_inner
def _find(key: int, table: Any, places: Any) -> int:
    """Position of a combination's key, -1 if it is none of the table."""
    mask = np.uint64(len(table) - 1)
    at = ((np.uint64(key) * _SPREAD) >> _HALF) & mask
    while table[at] >= 0:
        if table[at] == key:
            return places[at]
        at = (at + _1) & mask
    return -1


@_inner
def _room(size: int, length: int) -> int:
    """How many combinations of up to ``length`` items hold one item and some of ``size`` others."""
    total = term = 1
    for t in range(1, min(length - 1, size) + 1):
        term = term * (size - t + 1) // t
        total += term
    return total


@_inner
def _with_record(new: int, record: Any, size: int, length: int, base: int, table: Any, out: Any) -> int:
    """Positions of all combinations of an item with items of a record, the longest first.

    Args:
        new: the item.
        record: the record's items, ascending.
        size: how many.
        length: longest combination asked for.
        base: keys are numbers to this base, a digit an item.
        table: see the module.
        out: filled with positions; long enough.

    Returns:
        How many, or -1 as soon as one is not in the table.
    """
    keys, places, _ = table
    chosen = np.empty(length, dtype=np.int64)
    found = 0
    for t in range(min(length - 1, size), -1, -1):
        for j in range(t):
            chosen[j] = j
        while True:
            key, placed = 0, False
            for j in range(t):
                member = record[chosen[j]]
                if not placed and new < member:
                    key, placed = key * base + new + 1, True
                key = key * base + member + 1
            if not placed:
                key = key * base + new + 1
            position = _find(key, keys, places)
            if position < 0:
                return -1
            out[found] = position
            found += 1
            j = t - 1
            while j >= 0 and chosen[j] == size - t + j:
                j -= 1
            if j < 0:
                break
            chosen[j] += 1
            for q in range(j + 1, t):
                chosen[q] = chosen[q - 1] + 1
    return found


@_inner
def _insert(new: int, record: Any, size: int) -> None:
    """Put an item in its place among ascending ones."""
    j = size
    while j > 0 and record[j - 1] > new:
        record[j] = record[j - 1]
        j -= 1
    record[j] = new


@_inner
def _roomy(positions: Any, size: int, length: int) -> Any:
    """A place for the combinations of one item with ``size`` others: the given one if it is large enough."""
    needed = _room(size, length)
    return positions if len(positions) >= needed else np.empty(2 * needed, dtype=np.int64)


@_inner
def _make(positions: Any, found: int, made: Any, most: Any) -> bool:
    """Count each of some combinations as made once more, unless one of them may not be; says whether it did."""
    for q in range(found):
        if made[positions[q]] >= most[positions[q]]:
            return False
    for q in range(found):
        made[positions[q]] += 1
    return found >= 0


@_inner
def _available(pool: Any, counts: Any, k: int, live: Any, weights: Any) -> int:
    """Items to begin a record with: in the pool, and held by at least k; weighed by who holds them."""
    n = 0
    for i in range(len(pool)):
        if pool[i] > 0 and counts[i] >= k:
            live[n], weights[n] = i, counts[i]
            n += 1
    return n


@_inner
def _write(record: Any, size: int, chosen: Any, out: Any, written: int) -> int:
    """Write a record out and make way for the next; returns how many items are written now."""
    for j in range(size):
        out[written] = record[j]
        chosen[record[j]] = False
        written += 1
    return written


@_compiled
def fill_from_rows(
    pool: Any,
    people: Any,
    table: Any,
    parent: Any,
    k: int,
    length: int,
    made: Any,
    most: Any,
    tries: int,
    rng: Any,
) -> Filled:
    """Use up a pool of items in records that at least k people hold whole.

    Args:
        pool: how often each item is to be used; changed in place to what is left.
        people: see the module.
        table: see the module; exact counts.
        parent: see the module.
        k: fewest people.
        length: longest combination of the table.
        made: how often each combination was made; changed in place.
        most: how often each may be made; empty: without limit.
        tries: a record ends when so many items in turn were refused by a limit.
        rng: draws the next item, in proportion to the people who hold it and all items so far.

    Returns:
        The records; none is empty.
    """
    bits, counts = people[0], people[1]
    n_items, most_out = len(bits), pool.sum()
    out, ends = np.empty(most_out, dtype=np.int32), np.empty(most_out, dtype=np.int64)
    live, weights = np.empty(n_items, dtype=np.int64), np.empty(n_items, dtype=np.float64)
    chosen, rows = np.zeros(n_items, dtype=np.bool_), np.empty(bits.shape[1], dtype=np.uint64)
    record, positions = np.empty(n_items, dtype=np.int64), np.empty(256, dtype=np.int64)
    written = records = 0
    while True:
        size = refused = 0
        n = _available(pool, counts, k, live, weights)
        while refused < tries:
            at = _pick(live, weights, n, parent, chosen, rng)
            if at < 0:
                break
            new = live[at]
            if len(most):
                positions = _roomy(positions, size, length)
                found = _with_record(new, record, size, length, n_items + 1, table, positions)
                if not _make(positions, found, made, most):
                    # what does not fit now will not fit into the longer record
                    n -= 1
                    live[at], weights[at] = live[n], weights[n]
                    refused += size > 0
                    continue
                refused = 0
            _insert(new, record, size)
            size += 1
            pool[new] -= 1
            chosen[new] = True
            _add_rows(new, size, rows, bits)
            n = _narrow(record, size, new, rows, people, table, live, weights, n, k, length)
        if size == 0:
            break
        written = _write(record, size, chosen, out, written)
        ends[records] = written
        records += 1
    return out[:written], ends[:records]


@_inner
def _percentile(values: Any, percentile: float) -> float:
    """Percentile of some numbers (sorted in place), between neighbours by linear interpolation."""
    n = len(values)
    gap = n // 2
    while gap > 0:  # Shell's sort: short to compile
        for j in range(gap, n):
            value, q = values[j], j
            while q >= gap and values[q - gap] > value:
                values[q] = values[q - gap]
                q -= gap
            values[q] = value
        gap //= 2
    at = percentile / 100.0 * (n - 1)
    low = int(at)
    high = min(low + 1, n - 1)
    return values[low] + (at - low) * (values[high] - values[low])


@_inner
def _weight(whole: bool, positions: Any, found: int, made: Any, counts: Any, percentile: float) -> float:
    """Weight of an item by the combinations that it would make; 0 if one does not exist or is used up.

    If the ``whole`` record with the item is one of them it comes first, and its count is the weight.
    """
    if found <= 0:
        return 0.0
    values = np.empty(found, dtype=np.float64)
    for q in range(found):
        values[q] = counts[positions[q]] - made[positions[q]]
        if values[q] <= 0.0:
            return 0.0
    return values[0] if whole else _percentile(values, percentile)


@_inner
def _apart(new: int, live: Any, n: int, together: Any) -> int:
    """Keep the items that may meet a new one; returns how many are left."""
    kept = 0
    for j in range(n):
        if live[j] != new and together[new, live[j]]:
            live[kept] = live[j]
            kept += 1
    return kept


@_compiled
def count_made(items: Any, ends: Any, made: Any, length: int, n_items: int, table: Any) -> None:
    """Set ``made`` to how many records hold each combination of a table that has all of them."""
    record, positions = np.empty(n_items, dtype=np.int64), np.empty(256, dtype=np.int64)
    for q in range(len(made)):
        made[q] = 0
    start = 0
    for r in range(len(ends)):
        for j in range(start, ends[r]):
            positions = _roomy(positions, j - start, length)
            found = _with_record(items[j], record, j - start, length, n_items + 1, table, positions)
            for q in range(found):
                made[positions[q]] += 1
            _insert(items[j], record, j - start)
        start = ends[r]


@_compiled
def fill_from_aggregates(
    pool: Any,
    table: Any,
    together: Any,
    parent: Any,
    length: int,
    made: Any,
    subtracted: Any,
    percentile: float,
    rng: Any,
) -> Filled:
    """Use up a pool of items in records all of whose short combinations are in a table of aggregates.

    Args:
        pool: how often each item is to be used; changed in place to what is left.
        table: see the module; rounded counts.
        together: which items may meet, shape (items, items).
        parent: see the module.
        length: longest combination of the table.
        made: how often each combination was made; changed in place.
        subtracted: taken off the counts: ``made`` itself, or zeros.
        percentile: a record longer than ``length`` makes many combinations with an item: this percentile of their
            counts is the item's weight; in a shorter one it is the count of record and item.
        rng: draws the next item by weight.

    Returns:
        The records; none is empty.
    """
    n_items, most_out = len(pool), pool.sum()
    out, ends = np.empty(most_out, dtype=np.int32), np.empty(most_out, dtype=np.int64)
    live, weights = np.empty(n_items, dtype=np.int64), np.empty(n_items, dtype=np.float64)
    chosen, record = np.zeros(n_items, dtype=np.bool_), np.empty(n_items, dtype=np.int64)
    positions, base = np.empty(256, dtype=np.int64), n_items + 1
    written = records = 0
    while True:
        n, size = _available(pool, pool, 1, live, weights), 0
        while True:
            positions = _roomy(positions, size, length)
            kept = 0
            for j in range(n):
                i = live[j]
                found = _with_record(i, record, size, length, base, table, positions)
                weight = _weight(size < length, positions, found, subtracted, table[2], percentile)
                if weight > 0.0:
                    live[kept], weights[kept] = i, weight
                    kept += 1
            n = kept
            at = _pick(live, weights, n, parent, chosen, rng)
            if at < 0:
                break
            new = live[at]
            found = _with_record(new, record, size, length, base, table, positions)
            for q in range(found):
                made[positions[q]] += 1
            _insert(new, record, size)
            size += 1
            pool[new] -= 1
            chosen[new] = True
            n = _apart(new, live, n, together)
        if size == 0:
            break
        written = _write(record, size, chosen, out, written)
        ends[records] = written
        records += 1
    return out[:written], ends[:records]


@_inner
def _shuffle(order: Any, place: Any, variable_parent: Any, rng: Any) -> None:
    """Put variables in random order, each after the one that it refines; ``place`` says where each stands."""
    for q in range(len(order) - 1, 0, -1):
        other = int(rng.random() * (q + 1))
        order[q], order[other] = order[other], order[q]
    for q in range(len(order)):
        place[order[q]] = q
    for v in range(len(order)):
        p = variable_parent[v]
        if p >= 0 and place[v] < place[p]:
            order[place[v]], order[place[p]] = p, v
            place[v], place[p] = place[p], place[v]


@_inner
def _may_join(item: int, record: Any, size: int, together: Any) -> bool:
    """Whether nothing in a record forbids an item."""
    possible = True
    for j in range(size):
        possible = possible and together[record[j], item]
    return possible


@_inner
def _draw_state(
    first: int,
    end: int,
    n_rows: int,
    rows: Any,
    without: Any,
    bits: Any,
    record: Any,
    size: int,
    together: Any,
    k: int,
    rng: Any,
) -> int:
    """Draw one item of a variable as often as the rows hold it, or -1 (none); reduces ``rows`` to those that agree.

    ``without`` is a place as large as ``rows`` to work in.
    """
    left = rng.random() * n_rows
    for w in range(len(rows)):
        without[w] = rows[w]
    for i in range(first, end):
        if not _may_join(i, record, size, together):
            continue
        count = _ones_of_both(rows, bits[i])
        if count < k:
            continue
        left -= count
        if left < 0.0:
            _add_rows(i, 2, rows, bits)
            return i
        for w in range(len(rows)):
            without[w] &= ~bits[i, w]
    for w in range(len(rows)):
        rows[w] = without[w]
    return -1


@_compiled
def draw_unseeded(
    n_records: int,
    everyone: Any,
    bits: Any,
    firsts: Any,
    variable_parent: Any,
    together: Any,
    k: int,
    rng: Any,
) -> Filled:
    """Draw records variable by variable, in an order that is new each time, from the rows that agree so far.

    A state that fewer than k of these rows share counts as none. Each record draws from all rows alone: no record of
    the table stands behind it.

    Args:
        n_records: how many records.
        everyone: bits of all rows, shape (words,).
        bits: see the module.
        firsts: first item of each variable, and the number of items.
        variable_parent: which variable each one refines, or -1.
        together: which items may meet, shape (items, items).
        k: fewest rows.
        rng: draws the orders and the states.

    Returns:
        The records; some may be empty.
    """
    n_items, n_variables = len(bits), len(firsts) - 1
    out, ends = np.empty(n_records * n_variables, dtype=np.int32), np.empty(n_records, dtype=np.int64)
    order, place = np.arange(n_variables), np.arange(n_variables)
    record = np.empty(n_items, dtype=np.int64)
    rows, without = np.empty_like(everyone), np.empty_like(everyone)
    written, n_everyone = 0, _ones(everyone)
    for r in range(n_records):
        _shuffle(order, place, variable_parent, rng)
        for w in range(len(rows)):
            rows[w] = everyone[w]
        n_rows, size = n_everyone, 0
        for v in order:
            if n_rows < k:
                break
            item = _draw_state(
                firsts[v],
                firsts[v + 1],
                n_rows,
                rows,
                without,
                bits,
                record,
                size,
                together,
                k,
                rng,
            )
            n_rows = _ones(rows)
            if item >= 0:
                record[size] = item
                size += 1
        for j in range(size):
            out[written] = record[j]
            written += 1
        ends[r] = written
    return out[:written], ends
