"""Synthetic records from released one- and two-way marginals.

Pure post-processing: reads a ``MarginalsRelease`` and nothing else, so it costs no privacy however often
it is done. A variable is a single-valued column (with "unknown" as one of its states) or one value of a
multi-valued column (held or not). The model is the tree of pairs with the most mutual information (Chow
and Liu, IEEE Trans. Information Theory 1968); records are drawn from its root to its leaves, with counts
rounded so that they still add up, and then exchange values until all published pairs fit as well as they
can (``record_repair``).

How well records agree with the aggregates: length 1 exactly; pairs closely, as far as the published counts
do not contradict one another (a suppressed pair is taken as one that should not occur). Combinations of
three or more follow from the pairs alone. Work and memory grow with people times items.

A multi-valued cell without any value comes out as unknown: the aggregates do not tell "none" from blank.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtech.counts import parse_attributes
from hrtech.privacy.marginals_release import MarginalsRelease
from hrtech.release.people import LIST_DTYPE
from hrtech.privacy.record_repair import repaired

_FITTING_ROUNDS = 100


@dataclass(frozen=True)
class _Variable:
    """States 1..k are the items ``first`` to ``first + size - 1``; state 0 is unknown, or not held."""

    first: int
    size: int

    @property
    def items(self) -> slice:
        return slice(self.first, self.first + self.size)


@dataclass(frozen=True)
class _Marginals:
    """Published counts as dense arrays; suppressed cells are 0."""

    people: int
    variables: tuple[_Variable, ...]
    items: NDArray[np.int64]
    pairs: NDArray[np.int64]

    def states(self, variable: _Variable) -> NDArray[np.int64]:
        """People in each state of a variable; sums to the people."""
        held = self.items[variable.items]
        return np.concatenate([[max(self.people - int(held.sum()), 0)], held])

    def table(self, one: _Variable, other: _Variable) -> NDArray[np.float64]:
        """Two-way table with unknown states filled in from the margins; shape (states, states)."""
        out = np.zeros((one.size + 1, other.size + 1))
        out[1:, 1:] = self.pairs[one.items, other.items]
        out[1:, 0] = np.maximum(self.items[one.items] - out[1:, 1:].sum(axis=1), 0)
        out[0, 1:] = np.maximum(self.items[other.items] - out[1:, 1:].sum(axis=0), 0)
        out[0, 0] = max(self.people - out.sum(), 0)
        return out


def _marginals(release: MarginalsRelease) -> _Marginals:
    items = [(c.name, v) for c in release.columns for v in c.values or ()]
    position = {item: k for k, item in enumerate(items)}
    counts = np.zeros(len(items), dtype=np.int64)
    pairs = np.zeros((len(items), len(items)), dtype=np.int64)
    table = release.aggregates
    for text, count in zip(table["attributes"], table["count"], strict=True):
        at = [position[a] for a in parse_attributes(text)]
        if len(at) == 1:
            counts[at[0]] = count
        else:
            pairs[at[0], at[1]] = pairs[at[1], at[0]] = count
    variables, first = [], 0
    for column in release.columns:
        size = len(column.values or ())
        if column.multi_valued:
            variables += [_Variable(first + k, 1) for k in range(size)]
        elif size:
            variables.append(_Variable(first, size))
        first += size
    return _Marginals(release.people, tuple(variables), np.minimum(counts, release.people), pairs)


def _mutual_information(table: NDArray[np.float64]) -> float:
    total = table.sum()
    if not total:
        return 0.0
    joint = table / total
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    held = joint > 0
    return float((joint[held] * np.log(joint[held] / apart[held])).sum())


def _tree(marginals: _Marginals) -> Iterator[tuple[int | None, int]]:
    """Edges (parent, child) of a maximum spanning tree on mutual information, root first (Prim 1957)."""
    variables = marginals.variables
    best = np.full(len(variables), -1.0)
    parent: list[int | None] = [None] * len(variables)
    left = set(range(len(variables)))
    newest = max(left, key=lambda v: (variables[v].size, -v), default=None)
    while newest is not None:
        yield parent[newest], newest
        left.remove(newest)
        for v in left:
            information = _mutual_information(marginals.table(variables[newest], variables[v]))
            if information > best[v]:
                best[v], parent[v] = information, newest
        newest = max(left, key=lambda v: (best[v], -v), default=None)


def fitted_table(
    table: NDArray[np.float64], rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Whole numbers close to a table, with exactly the given margins.

    Iterative proportional fitting (Deming and Stephan 1940), then the whole parts, then one unit at a time
    to the cells with the largest remainders.

    Args:
        table: shape (r, c), not negative.
        rows: shape (r,), row sums.
        columns: shape (c,), column sums, with the same total.

    Raises:
        ValueError: if the margins do not have the same total.
    """
    if rows.sum() != columns.sum():
        raise ValueError("row and column sums have different totals")
    fit = table.astype(float)
    for _ in range(_FITTING_ROUNDS):
        for axis, margin in ((1, rows), (0, columns)):
            sums = fit.sum(axis=axis)
            factor = np.divide(margin, sums, out=np.zeros(len(margin)), where=sums > 0)
            fit *= np.expand_dims(factor, axis)
        if np.allclose(fit.sum(axis=1), rows, atol=0.01):
            break
    whole = np.floor(fit + 1e-9).astype(np.int64)
    # fitting that has not converged may leave a margin above its target
    _take_off(whole, rows, axis=1)
    _take_off(whole, columns, axis=0)
    remainder = np.where(fit > 0, fit - whole, -1.0)
    row_left, column_left = rows - whole.sum(axis=1), columns - whole.sum(axis=0)
    order = np.column_stack(np.unravel_index(np.argsort(-remainder, axis=None, kind="stable"), fit.shape))
    supported = int((fit > 0).sum())
    for r, c in order[:supported].tolist():
        if row_left[r] and column_left[c] and remainder[r, c] > 0:
            whole[r, c] += 1
            row_left[r] -= 1
            column_left[c] -= 1
    # what is left goes where both margins still want people: cells in use first
    for r, c in order.tolist():
        units = min(row_left[r], column_left[c])
        whole[r, c] += units
        row_left[r] -= units
        column_left[c] -= units
    return whole


def _take_off(whole: NDArray[np.int64], margin: NDArray[np.int64], axis: int) -> None:
    """Lower the largest cells of every line whose sum is above its margin."""
    lines = whole if axis == 1 else whole.T
    for line, most in zip(lines, margin.tolist(), strict=True):
        for k in np.argsort(-line):
            excess = int(line.sum()) - most
            if excess <= 0:
                break
            line[k] -= min(excess, int(line[k]))


def synthesise(release: MarginalsRelease, rng: np.random.Generator) -> pd.DataFrame:
    """Draw synthetic records from a release.

    Args:
        release: published marginals. With length 1 alone the columns come out independent.
        rng: where the records are drawn from. No privacy depends on it: the release is public.

    Returns:
        As many rows as the release's number of people; text columns with missing values for single-valued
        columns, list columns for multi-valued ones, in the order of ``release.columns``.
    """
    marginals = _marginals(release)
    n, variables = marginals.people, marginals.variables
    paired = bool((release.aggregates["length"] == 2).any())
    state: dict[int, NDArray[np.int64]] = {}
    for parent, child in _tree(marginals):
        wanted = marginals.states(variables[child])
        if parent is None:
            state[child] = rng.permutation(np.repeat(np.arange(len(wanted)), wanted))
            continue
        have = np.bincount(state[parent], minlength=variables[parent].size + 1)
        table = (
            marginals.table(variables[parent], variables[child])
            if paired
            else np.outer(have, wanted) / max(n, 1)
        )
        drawn = np.empty(n, dtype=np.int64)
        for value, counts in enumerate(fitted_table(table, have, wanted)):
            drawn[state[parent] == value] = rng.permutation(np.repeat(np.arange(len(counts)), counts))
        state[child] = drawn
    drawn_states = [state[k] for k in range(len(variables))]
    if paired:
        firsts = [v.first for v in variables]
        drawn_states = repaired(drawn_states, firsts, marginals.pairs, _valid_pairs(release), rng)
    return _records(release, drawn_states)


def _valid_pairs(release: MarginalsRelease) -> NDArray[np.bool_]:
    """Pairs of items that a person can hold: not two values of a single-valued column."""
    column = np.repeat(np.arange(len(release.columns)), [len(c.values or ()) for c in release.columns])
    multi = np.array([c.multi_valued for c in release.columns], dtype=bool)
    apart = column[:, None] != column[None, :]
    return (apart | multi[column][:, None]) & ~np.eye(len(column), dtype=bool)


def _records(release: MarginalsRelease, states: list[NDArray[np.int64]]) -> pd.DataFrame:
    """States of the variables as a table typed like the input."""
    columns: dict[str, pd.Series] = {}
    following = iter(states)
    for column in release.columns:
        values = column.values or ()
        if column.multi_valued:
            held = [next(following) for _ in values]
            columns[column.name] = _lists(held, values, release.people)
        elif values:
            labels = np.array([None, *values], dtype=object)
            columns[column.name] = pd.Series(labels[next(following)], dtype="str")
        else:
            columns[column.name] = pd.Series([None] * release.people, dtype="str")
    return pd.DataFrame(columns, index=pd.RangeIndex(release.people))


def _lists(held: list[NDArray[np.int64]], values: tuple[str, ...], n: int) -> pd.Series:
    """List cells, sorted; null where nothing is held. One list per distinct set of values."""
    if not values or not n:
        return pd.Series([None] * n, dtype=LIST_DTYPE)
    order = sorted(range(len(values)), key=lambda k: values[k])
    bits = np.column_stack([held[k] for k in order]).astype(bool)
    sets, which = np.unique(bits, axis=0, return_inverse=True)
    ordered = [values[k] for k in order]
    cells = pd.Series(
        [[v for v, has in zip(ordered, row, strict=True) if has] or None for row in sets], dtype=LIST_DTYPE
    )
    return cells.take(which.reshape(-1)).reset_index(drop=True)
