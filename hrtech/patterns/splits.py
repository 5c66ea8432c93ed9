"""Random splits of seasons: which cycle each record of a phase falls into, if exposure and chance alone decide it.

Records that hold the same patterns are split together, in classes, so that relatives keep what they have in common.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtech.patterns.cube import masks
from hrtech.patterns.families import Records
from hrtech.patterns.periods import Periods
from hrtech.patterns.scan import Candidates
from hrtech.patterns.variables import Variables

#: Most classes, and how many are split at once.
_MOST, _AT_ONCE = 100_000, 4096
#: Sizes and shares up to which binomial counts are drawn by inversion.
_FEW, _LARGE = 200, 0.95
#: Patterns' means by cycle are right within this share of their standard deviation; rounds to get there.
_WITHIN, _ROUNDS = 0.05, 20


@dataclass(frozen=True)
class _Classes:
    """Units of one phase that hold the same of the patterns that are tested there.

    Attributes:
        phase: Of each class.
        size: How many units.
        columns: Bits of the columns of their patterns.
        held: Whether each class holds each pattern, shape (patterns, classes).
        masks: Bits of the columns of each pattern.
    """

    phase: NDArray[np.int64]
    size: NDArray[np.int64]
    columns: NDArray[np.int64]
    held: NDArray[np.bool_]
    masks: NDArray[np.int64]


def random_splits(
    own: Candidates, records: Records, periods: Periods, draws: int, rng: np.random.Generator
) -> NDArray[np.int64] | None:
    """Count in each candidate's window in each random split of a phase's records between its cycles.

    Args:
        own: The candidates.
        records: The records.
        periods: Of the records.
        draws: How many splits.
        rng: Where they come from.

    Returns:
        Shape (draws, candidates), or None where records differ too much to be split in classes.
    """
    patterns, which = _in_order(own.cells)
    tested = np.zeros((len(patterns), int(periods.phase.max()) + 1), dtype=bool)
    for h in range(len(own)):
        tested[which[h], periods.phase[own.first[h] : own.first[h] + own.window[h]]] = True
    classes = _classes(patterns, tested, records, periods, rng)
    if classes is None:
        return None
    shares = _shares(classes, records.variables, periods)
    cycle = cycle_of(periods)
    counts = np.zeros((draws, len(own)), dtype=np.int64)
    for phase in np.unique(classes.phase).tolist():
        by_pattern = _by_pattern(classes, np.flatnonzero(classes.phase == phase), shares, draws, rng)
        for h in range(len(own)):
            there = np.arange(own.first[h], own.first[h] + own.window[h])
            for p in there[periods.phase[there] == phase].tolist():
                counts[:, h] += by_pattern[which[h], cycle[p]]
    return counts


def _by_pattern(
    classes: _Classes, its: NDArray[np.int64], shares: NDArray[np.float64], draws: int, rng: np.random.Generator
) -> NDArray[np.int64]:  # fmt: skip
    """Split some classes, and count each pattern's holders by cycle and draw."""
    from scipy.sparse import csr_array

    out = np.zeros((len(classes.held), shares.shape[1] * draws), dtype=np.int64)
    for start in range(0, len(its), _AT_ONCE):
        part = its[start : start + _AT_ONCE]
        split = _split(classes.size[part], shares[part], draws, rng)
        out += csr_array(classes.held[:, part].astype(np.int32)) @ split.reshape(len(part), -1)
    return out.reshape(len(out), -1, draws)


def cycle_of(periods: Periods) -> NDArray[np.int64]:
    """How many periods of the same phase came before each period."""
    return np.asarray(pd.Series(periods.phase).groupby(periods.phase).cumcount(), dtype=np.int64)


def _in_order(cells: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Distinct rows in the order of their first appearance, and the number of each row."""
    distinct, first, which = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.arange(len(order))
    return distinct[order], number[which.reshape(-1)]


def _classes(
    patterns: NDArray[np.int32],
    tested: NDArray[np.bool_],
    records: Records,
    periods: Periods,
    rng: np.random.Generator,
) -> _Classes | None:
    """Group the units by phase and by all patterns that they hold and that are tested there."""
    from hrtech.patterns.split_loops import mark, sign

    variables, group = records.variables, records.group
    phase_of_word = np.repeat(periods.phase, np.diff(variables.word_start))
    words = [np.flatnonzero(tested[k][phase_of_word]) for k in range(len(patterns))]
    size = int(variables.group[-1]) + 1 if len(group) else 64 * len(phase_of_word)
    last = np.full(size if len(group) else 0, -1, dtype=np.int64)
    signature = np.zeros(size, dtype=np.int64)
    for k, token in enumerate(rng.integers(1, 1 << 62, len(patterns)).tolist()):
        sign(records.holders(patterns[k]), words[k], group, k, token, last, signature)
    units = np.flatnonzero(signature)
    phase = (
        periods.phase[variables.period[np.searchsorted(variables.group, units)]]
        if len(group)
        else phase_of_word[units >> 6]
    )
    # hashed, since sorting a million units takes longer than everything else together
    code, distinct = pd.factorize(signature[units], sort=True)
    of_unit, keys = pd.factorize(phase * len(distinct) + code, sort=True)
    if len(keys) > _MOST:
        return None
    example = np.empty(len(keys), dtype=np.int64)
    example[of_unit] = units
    number = np.full(size, -1, dtype=np.int64)
    number[example] = np.arange(len(keys))
    held = np.zeros((len(patterns), len(keys)), dtype=bool)
    for k in range(len(patterns)):
        mark(records.holders(patterns[k]), words[k], group, number, held[k])
    own = masks(patterns, variables)
    columns = np.bitwise_or.reduce(np.where(held, own[:, None], 0), axis=0)
    return _Classes(keys // len(distinct), np.bincount(of_unit), columns, held, own)


def _shares(classes: _Classes, variables: Variables, periods: Periods) -> NDArray[np.float64]:
    """Chance of each cycle for each class: the share of the units where its patterns' columns are known."""
    cycle = cycle_of(periods)
    places = int(periods.phase.max()) + 1, int(cycle.max()) + 1
    share, everyone = {}, np.zeros(places)
    everyone[periods.phase, cycle] = variables.exposure(0)
    for columns in {*classes.columns.tolist(), *classes.masks.tolist()}:
        table = np.zeros(places)
        table[periods.phase, cycle] = variables.exposure(columns)
        # a person may hold patterns in records of which none knows all their columns
        table = np.where(table.any(axis=1, keepdims=True), table, everyone)
        share[columns] = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    out = np.zeros((len(classes.size), places[1]))
    for columns in np.unique(classes.columns).tolist():
        its = np.flatnonzero(classes.columns == columns)
        out[its] = share[columns][classes.phase[its]]
    for phase in np.unique(classes.phase).tolist():
        its = np.flatnonzero(classes.phase == phase)
        wanted = np.array([share[mask][phase] for mask in classes.masks.tolist()])
        out[its] = _balanced(out[its], classes.size[its], classes.held[:, its], wanted)
    return out


def _balanced(
    shares: NDArray[np.float64], size: NDArray[np.int64], held: NDArray[np.bool_], wanted: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Shares of a phase's classes at which each pattern splits in the mean as its own columns are known.

    Where a column is known in some cycles only, those who hold a value of it are in these cycles, so that more of the
    others are in the rest. By iterative proportional fitting (Deming and Stephan 1940).

    Args:
        shares: Of each class by cycle, shape (classes, cycles).
        size: Units of each class.
        held: Whether each class holds each pattern, shape (patterns, classes).
        wanted: Shares of each pattern by cycle, shape (patterns, cycles).
    """
    units = size[:, None] * shares
    holders = [np.flatnonzero(row) for row in held]
    for _ in range(_ROUNDS):
        furthest = 0.0
        for its, share in zip(holders, wanted, strict=True):
            aim, there = size[its].sum() * share, units[its].sum(axis=0)
            furthest = max(furthest, float((np.abs(there - aim) / np.sqrt(aim + 1)).max()))
        if furthest <= _WITHIN:
            break
        for its, share in zip(holders, wanted, strict=True):
            aim, there = size[its].sum() * share, units[its].sum(axis=0)
            own = units[its] * np.divide(aim, there, out=np.ones_like(aim), where=there > 0)
            every = own.sum(axis=1, keepdims=True)
            fits = every[:, 0] > 0
            units[its[fits]] = own[fits] * size[its[fits], None] / every[fits]
    return np.asarray(units / size[:, None])


def _split(
    size: NDArray[np.int64], shares: NDArray[np.float64], draws: int, rng: np.random.Generator
) -> NDArray[np.int32]:
    """Multinomial counts as one binomial after another, shape (classes, cycles, draws)."""
    from hrtech.patterns.split_loops import binomials

    out = np.empty((len(size), shares.shape[1], draws), dtype=np.int32)
    rest = np.repeat(size[:, None], draws, axis=1)
    later = np.cumsum(shares[:, ::-1], axis=1)[:, ::-1]
    for c in range(shares.shape[1] - 1):
        share = np.divide(shares[:, c], later[:, c], out=np.zeros(len(size)), where=later[:, c] > 0)
        share = np.clip(share, 0.0, 1.0)
        # in the first cycle all draws of a class have the same number left
        few = (size <= _FEW) & (share < _LARGE) & (c == 0)
        drawn = np.empty((int(few.sum()), draws), dtype=np.int32)
        binomials(size[few], share[few], rng.random(drawn.shape), drawn)
        out[few, c] = drawn
        out[~few, c] = rng.binomial(rest[~few], share[~few, None])
        rest -= out[:, c]
    out[:, -1] = rest
    return out
