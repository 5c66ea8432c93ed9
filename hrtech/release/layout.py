"""Where everything lies: attributes in groups, and the combinations that a person can hold.

A *group* is a set of attributes of which a person is in exactly one *state*: a single-valued column (one of its
values, or unknown), one value of a multi-valued column (held or not), or a column together with the one that it
refines (a country implies its region). Attributes are numbered group by group, so that attributes ``i < j`` can be
held together exactly if their groups differ, and combinations are products of slices:

    combinations of length 1     all attributes
    combinations of length 2     (i, j), j over the attributes, i over all earlier groups
    combinations of length l > 2  pairs whose last attribute is in group g  x  combinations of length l - 2 whose
                                  first attribute is in a later group

That order is the order of every vector of counts here; no combination is stored twice and none is impossible by
construction. Nothing here has seen a record.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations as subsets_of

import numpy as np
from numpy.typing import NDArray

from hrtech.release.declared import Attribute, ReleaseColumn, ReleaseSchema

Cells = NDArray[np.int32]


@dataclass(frozen=True)
class Group:
    """Attributes of which one state is held.

    Attributes:
        first: Number of its first attribute.
        states: Shape (states, attributes of the group), which attributes each state holds; state 0 holds none.
        columns: Columns that it is made of.
    """

    first: int
    states: NDArray[np.bool_]
    columns: tuple[str, ...]

    @property
    def size(self) -> int:
        """How many attributes."""
        return self.states.shape[1]

    @property
    def stop(self) -> int:
        """Number after its last attribute."""
        return self.first + self.size

    @property
    def most_held(self) -> int:
        """Most attributes that one person holds of it."""
        return int(self.states.sum(axis=1).max())


@dataclass(frozen=True)
class Block:
    """Combinations of one length that are a product: pairs ``pairs`` with the shorter ones ``rest``.

    Attributes:
        pairs: Rows of `Layout.pairs`.
        rest: Rows of the combinations of length l - 2, sorted by their first attribute.
        at: Where the product lies in the vector of this length.
    """

    pairs: slice
    rest: slice
    at: slice


class Layout:
    """Attributes, groups and combinations of a release whose values are all known; none where no value was found.

    Attributes:
        schema: The columns, each with its values.
        attributes: All attributes; a position is an attribute's number.
        groups: In order.
        group_of: Shape (attributes,).
        pairs: Shape (pairs, 2), combinations of length 2.
        longest: Longest combinations.
        impossible: Shape (n, 2), pairs that public knowledge rules out, ascending.
    """

    def __init__(self, schema: ReleaseSchema, longest: int) -> None:
        self.schema = schema
        self.longest = longest
        attributes: list[Attribute] = []
        groups: list[Group] = []
        for columns in _together(schema):
            attributes += [(c.name, v) for c in columns for v in c.attributes]
            for states in _states(columns):
                first = groups[-1].stop if groups else 0
                groups.append(Group(first, states, tuple(c.name for c in columns)))
        self.attributes = tuple(attributes)
        self.groups = tuple(groups)
        sizes = np.array([g.size for g in self.groups], dtype=np.int64)
        self.group_of: NDArray[np.int32] = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
        starts = np.array([g.first for g in self.groups], dtype=np.int64)[self.group_of]
        self.pairs: Cells = np.array(
            [(i, j) for j in range(len(self.attributes)) for i in range(starts[j])], dtype=np.int32
        ).reshape(-1, 2)
        number = {a: k for k, a in enumerate(self.attributes)}
        known = [
            tuple(sorted((number[a], number[b]))) for a, b in schema.impossible if a in number and b in number
        ]
        self.impossible: Cells = np.array(sorted(set(known)), dtype=np.int32).reshape(-1, 2)

    @property
    def n_attributes(self) -> int:
        """How many attributes."""
        return len(self.attributes)

    @property
    def most_attributes(self) -> int:
        """Most attributes that one person can hold."""
        return sum(g.most_held for g in self.groups)

    def size(self, length: int) -> int:
        """How many combinations of a length a person can hold."""
        return count_cells([g.size for g in self.groups], length)[length]

    @cached_property
    def _pairs_by_last_group(self) -> NDArray[np.int64]:
        """Edges of `pairs` by the group of the last attribute."""
        return np.searchsorted(self.group_of[self.pairs[:, 1]], np.arange(len(self.groups) + 1))

    @cached_property
    def _cells(self) -> dict[int, Cells]:
        return {1: np.arange(self.n_attributes, dtype=np.int32)[:, None], 2: self.pairs}

    @cached_property
    def _blocks(self) -> dict[int, list[Block]]:
        return {}

    @cached_property
    def _sorted(self) -> dict[int, NDArray[np.int64]]:
        return {}

    def order_by_first(self, length: int) -> NDArray[np.int64]:
        """Numbers of the combinations of a length, sorted by their first attribute."""
        if length not in self._sorted:
            self._sorted[length] = np.argsort(self.cells(length)[:, 0], kind="stable")
        return self._sorted[length]

    def blocks(self, length: int) -> list[Block]:
        """The products that make up the combinations of a length above 2; `rest` counts in `order_by_first`."""
        if length not in self._blocks:
            self._blocks[length] = list(self._products(length))
        return self._blocks[length]

    def _products(self, length: int) -> Iterator[Block]:
        rest = self.cells(length - 2)[self.order_by_first(length - 2)]
        at = 0
        for g, group in enumerate(self.groups):
            pairs = slice(int(self._pairs_by_last_group[g]), int(self._pairs_by_last_group[g + 1]))
            first = int(np.searchsorted(rest[:, 0], group.stop))
            size = (pairs.stop - pairs.start) * (len(rest) - first)
            if size:
                yield Block(pairs, slice(first, len(rest)), slice(at, at + size))
                at += size

    def cells(self, length: int) -> Cells:
        """Combinations of a length in the order of its vector; shape (combinations, length), ascending."""
        if length not in self._cells:
            rest = self.cells(length - 2)[self.order_by_first(length - 2)]
            parts = []
            for block in self.blocks(length):
                pairs, own = self.pairs[block.pairs], rest[block.rest]
                parts.append(np.hstack([np.repeat(pairs, len(own), axis=0), np.tile(own, (len(pairs), 1))]))
            self._cells[length] = np.concatenate(parts) if parts else np.zeros((0, length), dtype=np.int32)
        return self._cells[length]

    @cached_property
    def _pair_starts(self) -> NDArray[np.int64]:
        """Number of the first pair of each second attribute, less nothing: pair (i, j) is start of j plus i."""
        return np.searchsorted(self.pairs[:, 1], np.arange(self.n_attributes)).astype(np.int64)

    @cached_property
    def _block_tables(self) -> dict[int, tuple[NDArray[np.int64], ...]]:
        return {}

    def _blocks_of(self, length: int) -> tuple[NDArray[np.int64], ...]:
        """Per group of the pair: first number, first pair, first of the rest and how many of the rest."""
        if length not in self._block_tables:
            table = np.zeros((4, len(self.groups)), dtype=np.int64)
            for block in self.blocks(length):
                group = self.group_of[self.pairs[block.pairs.start, 1]]
                table[:, group] = (
                    block.at.start,
                    block.pairs.start,
                    block.rest.start,
                    block.rest.stop - block.rest.start,
                )
            place = np.empty(self.size(length - 2), dtype=np.int64)
            order = self.order_by_first(length - 2)
            place[order] = np.arange(len(order))
            self._block_tables[length] = (*table, place)
        return self._block_tables[length]

    def number(self, cells: Cells) -> NDArray[np.int64]:
        """Where combinations lie in the vector of their length; the inverse of `cells`.

        Args:
            cells: Shape (n, length), each row ascending and of different groups.
        """
        length = cells.shape[1]
        if length == 1:
            return cells[:, 0].astype(np.int64)
        pair = self._pair_starts[cells[:, 1]] + cells[:, 0]
        if length == 2:
            return pair
        at, first_pair, first_rest, n_rest, place = self._blocks_of(length)
        group = self.group_of[cells[:, 1]]
        rest = place[self.number(cells[:, 2:])] - first_rest[group]
        return at[group] + (pair - first_pair[group]) * n_rest[group] + rest

    def ruled_out(self, length: int) -> NDArray[np.bool_]:
        """Which combinations of a length hold a pair that is impossible."""
        cells = self.cells(length)
        if not len(self.impossible) or length < 2:
            return np.zeros(len(cells), dtype=bool)
        table = np.zeros((self.n_attributes, self.n_attributes), dtype=bool)
        table[tuple(self.impossible.T)] = True
        out = np.zeros(len(cells), dtype=bool)
        for i, j in subsets_of(range(length), 2):
            out |= table[cells[:, i], cells[:, j]]
        return out


def _states(columns: tuple[ReleaseColumn, ...]) -> list[NDArray[np.bool_]]:
    """States of the groups of one column, or of a column and the one that it refines."""
    fine = columns[0]
    size = sum(len(c.attributes) for c in columns)
    if len(columns) == 1 and fine.multi_valued:
        return [np.array([[False], [True]]) for _ in range(size)]
    if not size:
        return []
    states = np.vstack([np.zeros((1, size), bool), np.eye(size, dtype=bool)])
    if len(columns) == 2:
        parent = {v: k for k, v in enumerate(columns[1].attributes, start=len(fine.attributes))}
        for k, value in enumerate(fine.attributes):
            states[1 + k, parent[fine.parent_values[value]]] = True
    return [states]


def _together(schema: ReleaseSchema) -> list[tuple[ReleaseColumn, ...]]:
    """Columns, each with the one that it refines, in order."""
    refined = {c.parent for c in schema.columns if c.parent}
    return [
        (c, schema.by_name[c.parent]) if c.parent else (c,) for c in schema.columns if c.name not in refined
    ]


def count_cells(sizes: list[int], longest: int) -> list[int]:
    """How many combinations of 0 to `longest` attributes groups of these sizes have: elementary symmetric."""
    counts = [1] + [0] * longest
    for size in sizes:
        for length in range(longest, 0, -1):
            counts[length] += counts[length - 1] * size
    return counts
