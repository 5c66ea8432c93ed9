"""Four ways to make synthetic records of combinations that at least k people hold.

After the k-anonymity modes of Synthetic Data Showcase (Microsoft, MIT; README of
`microsoft/synthetic-data-showcase`; Edge et al., arXiv:2005.08688, 2020), written anew on packed bits. In the first
three, a whole record is a combination that at least k people hold, of whatever length; in the last, every combination
up to the reporting length is one of the published aggregates.

- ``row_seeded``: of each person's attributes a part that k people share, grown attribute by attribute; what was left
  over is consolidated into further records, and what exceeds the rounded count of an attribute is taken out.
- ``value_seeded``: records are grown from the rounded counts of single attributes until these are used up; a step is
  refused that would make any combination up to the reporting length more often than its rounded count times
  (1 + oversampling ratio).
- ``unseeded``: attributes are drawn column by column from the people who agree so far.
- ``aggregate_seeded``: as value seeded, but from the published aggregates alone.

Where a column has a parent, a value of it enters a record only after the parent's. What that leaves over gets a
second round, with parents taken out of records that have no child.

Changes to the original: a refused attribute is not asked again for the same record; the state "none" of an unseeded
column is everybody without a state that k people share; an unseeded table has as many records as the rounded
number of people, not the exact one; randomness comes from a generator with a seed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hrtech.counts import Combinations
from hrtech.release.declared import ReleaseError
from hrtech.release.k_anonymity_rows import NO_RECORDS, Items, Records, trimmed, without_empty

if TYPE_CHECKING:
    from hrtech.release.k_anonymity import KAnonymitySettings

_LARGEST_KEY = 2**63


@dataclass(frozen=True)
class Drawing:
    """What the methods draw from.

    Attributes:
        items: the attributes, and the people who hold them.
        exact: all possible combinations up to the reporting length that at least k people hold.
        protected: the same with counts rounded down to multiples of k.
        settings: the settings.
        rng: where everything is drawn from.
    """

    items: Items
    exact: Combinations
    protected: Combinations
    settings: "KAnonymitySettings"
    rng: np.random.Generator


@dataclass(frozen=True)
class _Table:
    """Combinations of all lengths, found by key; made: how often each is in the records so far."""

    keys: NDArray[np.int64]
    places: NDArray[np.int64]
    counts: NDArray[np.int64]
    made: NDArray[np.int64]

    @classmethod
    def of(cls, combinations: Combinations) -> "_Table":
        from hrtech.release.k_anonymity_loops import place_keys

        base = len(combinations.items) + 1
        if base**combinations.max_length >= _LARGEST_KEY:
            raise ReleaseError(
                f"reporting_length: {combinations.max_length} is too long for {base - 1:,} attributes; lower it, or "
                f"band columns with many values"
            )
        keys = []
        for cells in combinations.cells.values():
            key = np.zeros(len(cells), dtype=np.int64)
            for item in cells.T:
                key = key * base + item + 1
            keys.append(key)
        counts = np.concatenate(list(combinations.counts.values()))
        slots = np.full(1 << (2 * len(counts) + 1).bit_length(), -1, dtype=np.int64)
        places = np.zeros(len(slots), dtype=np.int64)
        place_keys(np.concatenate(keys), slots, places)
        return cls(slots, places, counts, np.zeros(len(counts), dtype=np.int64))

    @property
    def found(self) -> tuple[NDArray[np.int64], ...]:
        """As the loops read it."""
        return self.keys, self.places, self.counts

    def recount(self, records: Records, drawing: Drawing) -> None:
        """Set how often each combination was made to how many records hold it."""
        from hrtech.release.k_anonymity_loops import count_made

        length, n_items = drawing.settings.reporting_length, len(drawing.items)
        count_made(records.items, records.ends, self.made, length, n_items, self.found)


def _people(items: Items) -> tuple[NDArray[Any], ...]:
    """Who holds what, as the loops read it: bits, counts and pairs."""
    from hrtech.release.k_anonymity_loops import count_pairs

    bits = items.bits()
    pairs = count_pairs(bits)
    return bits, pairs.diagonal().copy(), np.where(items.together, pairs, 0)


@dataclass(frozen=True)
class _RowSource:
    """Fills records by who holds what; limits: how often each combination may be made, or none at all."""

    drawing: Drawing
    people: tuple[NDArray[Any], ...]
    table: _Table
    limits: NDArray[np.int64]

    @classmethod
    def of(cls, drawing: Drawing, ratio: float | None) -> "_RowSource":
        """A source that makes no combination more often than its rounded count times (1 + ratio)."""
        limits = np.zeros(0, dtype=np.int64)
        if ratio is not None:
            rounded = np.concatenate(list(drawing.protected.counts.values()))
            limits = np.floor(rounded * (1 + ratio)).astype(np.int64)
        return cls(drawing, _people(drawing.items), _Table.of(drawing.exact), limits)

    def grow(self) -> Records:
        """Of each person a part that at least k people share."""
        from hrtech.release.k_anonymity_loops import grow_from_rows

        settings, items = self.drawing.settings, self.drawing.items
        n = items.encoded.n_records
        holds = np.unpackbits(self.people[0].view(np.uint8), axis=1, bitorder="little")[:, :n]
        person, item = np.nonzero(holds.T)
        grown = grow_from_rows(
            np.ascontiguousarray(item),
            np.searchsorted(person, np.arange(n), side="right"),
            self.people,
            self.table.found,
            items.parent,
            settings.k,
            settings.reporting_length,
            self.drawing.rng,
        )
        return without_empty(Records(*grown))

    def fill(self, pool: NDArray[np.int64]) -> Records:
        """Records from a pool of items."""
        from hrtech.release.k_anonymity_loops import fill_from_rows

        settings = self.drawing.settings
        return Records(
            *fill_from_rows(
                pool.copy(),
                self.people,
                self.table.found,
                self.drawing.items.parent,
                settings.k,
                settings.reporting_length,
                self.table.made,
                self.limits,
                settings.oversampling_tries,
                self.drawing.rng,
            )
        )

    def recount(self, records: Records) -> None:
        """Set what was made to what some records hold."""
        if len(self.limits):
            self.table.recount(records, self.drawing)


@dataclass(frozen=True)
class _AggregateSource:
    """Fills records by the protected aggregates alone; subtracted: what was made, or zeros."""

    drawing: Drawing
    table: _Table
    subtracted: NDArray[np.int64]

    @classmethod
    def of(cls, drawing: Drawing) -> "_AggregateSource":
        """A source that subtracts what was made from the counts, if the settings say so."""
        table = _Table.of(drawing.protected)
        used = table.made if drawing.settings.use_synthetic_counts else np.zeros_like(table.made)
        return cls(drawing, table, used)

    def fill(self, pool: NDArray[np.int64]) -> Records:
        """Records from a pool of items."""
        from hrtech.release.k_anonymity_loops import fill_from_aggregates

        settings, items = self.drawing.settings, self.drawing.items
        return Records(
            *fill_from_aggregates(
                pool.copy(),
                self.table.found,
                items.together,
                items.parent,
                settings.reporting_length,
                self.table.made,
                self.subtracted,
                float(settings.weight_percentile),
                self.drawing.rng,
            )
        )

    def recount(self, records: Records) -> None:
        """Set what was made to what some records hold."""
        self.table.recount(records, self.drawing)


_Source = _RowSource | _AggregateSource


def _shuffled(records: Records, rng: np.random.Generator) -> Records:
    """The records in random order: theirs says nothing about the order of people."""
    sizes = np.diff(records.ends, prepend=0)
    order = rng.permutation(len(records))
    starts = (records.ends - sizes)[order]
    ends = np.cumsum(sizes[order])
    at = np.arange(len(records.items)) + np.repeat(starts - (ends - sizes[order]), sizes[order])
    return Records(records.items[at], ends.astype(np.int64))


def _completed(records: Records, most: NDArray[np.int64], drawing: Drawing, source: _Source) -> Records:
    """Fill further records until each item is held as often as it may be, as far as k people allow.

    Args:
        records: what there is already; items that are held too often are taken out of it.
        most: how often each item may be held, shape (items,).
        drawing: what is drawn from.
        source: how records are filled.
    """
    parent, rng = drawing.items.parent, drawing.rng
    records = records.followed_by(source.fill(np.maximum(most - records.counts(len(most)), 0)))
    records = trimmed(records, most, parent, rng)
    held = records.counts(len(most))
    children = np.flatnonzero(parent >= 0)
    of_child, left = parent[children], most - held
    wanted, with_child = np.zeros_like(most), np.zeros_like(most)
    np.add.at(wanted, of_child, left[children])
    np.add.at(with_child, of_child, held[children])
    wanted = np.minimum(wanted, left + held - with_child)  # children are not taken out for children
    if not wanted.any():
        return records
    records = trimmed(records, most - wanted, parent, rng)
    source.recount(records)
    again = wanted.copy()
    again[children] = np.where(wanted[of_child] > 0, left[children], 0)
    return records.followed_by(source.fill(again))


def _rounded(drawing: Drawing) -> NDArray[np.int64]:
    """How often each item is told; shape (items,)."""
    most = np.zeros(len(drawing.items), dtype=np.int64)
    most[drawing.protected.cells[1][:, 0]] = drawing.protected.counts[1]
    return most


def row_seeded(drawing: Drawing) -> Records:
    """Parts of true rows, consolidated leftovers, nothing above its rounded count."""
    unlimited = _RowSource.of(drawing, None)
    return _completed(unlimited.grow(), _rounded(drawing), drawing, unlimited)


def value_seeded(drawing: Drawing) -> Records:
    """Records grown from the rounded counts of attributes, no combination far above its own."""
    source = _RowSource.of(drawing, drawing.settings.oversampling_ratio)
    return _completed(NO_RECORDS, _rounded(drawing), drawing, source)


def aggregate_seeded(drawing: Drawing) -> Records:
    """Records grown from the aggregates alone."""
    return _completed(NO_RECORDS, _rounded(drawing), drawing, _AggregateSource.of(drawing))


def unseeded(drawing: Drawing) -> Records:
    """Records drawn column by column from all people who agree so far; as many as the rounded number of people."""
    from hrtech.release.k_anonymity_loops import draw_unseeded

    items, k = drawing.items, drawing.settings.k
    firsts = items.firsts()
    variable = np.searchsorted(firsts, np.arange(len(items)), side="right") - 1
    variable_parent = np.full(len(firsts) - 1, -1, dtype=np.int64)
    children = np.flatnonzero(items.parent >= 0)
    variable_parent[variable[children]] = variable[items.parent[children]]
    n = items.encoded.n_records
    everyone = np.zeros(items.encoded.n_words * 8, dtype=np.uint8)
    packed = np.packbits(np.ones(n, dtype=bool), bitorder="little")
    everyone[: len(packed)] = packed
    drawn = draw_unseeded(
        n // k * k,
        everyone.view(np.uint64),
        items.bits(),
        firsts,
        variable_parent,
        items.together,
        k,
        drawing.rng,
    )
    return Records(*drawn)


METHODS: dict[str, Callable[[Drawing], Records]] = {
    "row_seeded": row_seeded,
    "value_seeded": value_seeded,
    "aggregate_seeded": aggregate_seeded,
    "unseeded": unseeded,
}


def draw_records(drawing: Drawing) -> Records:
    """Synthetic records by the method that the settings name, in random order.

    Raises:
        ReleaseError: the attributes are too many for the reporting length.
    """
    if not len(drawing.items):
        return NO_RECORDS
    return _shuffled(METHODS[drawing.settings.method](drawing), drawing.rng)
