"""Random splits of seasons: which cycle each record of a phase falls into, if exposure and chance alone decide it.

Records that hold the same patterns are split together, in classes, so that relatives keep what they have in common.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtech.patterns.cube import bit_groups, masks
from hrtech.patterns.families import Records
from hrtech.patterns.periods import Periods
from hrtech.patterns.scan import Candidates
from hrtech.patterns.variables import Variables

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_MOST_PAIRS = 4_000_000


@dataclass(frozen=True)
class _Classes:
    """Units of one phase that hold the same of the patterns that are tested there.

    Attributes:
        phase: Of each class.
        size: How many units.
        columns: Bits of the columns of their patterns.
        held: Which patterns (rows) each class (column) holds.
    """

    phase: NDArray[np.int64]
    size: NDArray[np.int64]
    columns: NDArray[np.int64]
    held: "csr_array"


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
        Shape (draws, candidates), or None where there are too many records to split.
    """
    patterns, which = _in_order(own.cells)
    tested = np.zeros((len(patterns), int(periods.phase.max()) + 1), dtype=bool)
    for h in range(len(own)):
        tested[which[h], periods.phase[own.first[h] : own.first[h] + own.window[h]]] = True
    pairs = _holders(patterns, tested, records, periods)
    if pairs is None:
        return None
    classes = _classes(*pairs, patterns, records.variables, rng)
    shares = _shares(classes, records.variables, periods)
    cycle = cycle_of(periods)
    counts = np.zeros((draws, len(own)), dtype=np.int64)
    for phase in np.unique(classes.phase).tolist():
        its = np.flatnonzero(classes.phase == phase)
        split = _split(classes.size[its], shares[its], draws, rng)
        by_pattern = (classes.held[:, its] @ split.reshape(len(its), -1)).reshape(len(patterns), -1, draws)
        for h in range(len(own)):
            there = np.arange(own.first[h], own.first[h] + own.window[h])
            for p in there[periods.phase[there] == phase].tolist():
                counts[:, h] += by_pattern[which[h], cycle[p]]
    return counts


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


def _holders(
    patterns: NDArray[np.int32], tested: NDArray[np.bool_], records: Records, periods: Periods
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]] | None:
    """Unit, pattern and phase of every unit that holds one of the patterns in a phase in which it is tested."""
    variables = records.variables
    group = bit_groups(variables)
    phase_of_word = np.repeat(periods.phase, np.diff(variables.word_start))
    units, which, when = [], [], []
    number = 0
    for k, cells in enumerate(patterns):
        words = np.flatnonzero(tested[k][phase_of_word])
        bits = records.holders(cells)[words]
        at = np.flatnonzero(np.unpackbits(bits.view(np.uint8), bitorder="little"))
        phase, unit = phase_of_word[words[at >> 6]], words[at >> 6] * 64 + (at & 63)
        if len(group):
            unit, first = np.unique(group[unit], return_index=True)
            phase = phase[first]
        number += len(unit)
        if number > _MOST_PAIRS:
            return None
        units.append(unit)
        when.append(phase)
        which.append(np.full(len(unit), k))
    return np.concatenate(units), np.concatenate(which), np.concatenate(when)


def _classes(
    unit: NDArray[np.int64],
    pattern: NDArray[np.int64],
    phase: NDArray[np.int64],
    patterns: NDArray[np.int32],
    variables: Variables,
    rng: np.random.Generator,
) -> _Classes:
    """Group units, from pairs of a unit and a pattern that it holds, by phase and by all that they hold."""
    from scipy.sparse import csr_array

    # hashed, since sorting millions of pairs takes longer than everything else together
    of_pair, units = pd.factorize(unit)
    last_pair = np.empty(len(units), dtype=np.int64)
    last_pair[of_pair] = np.arange(len(unit))
    signature = np.zeros(len(units), dtype=np.int64)
    np.add.at(signature, of_pair, rng.integers(1, 1 << 62, len(patterns))[pattern])
    code, distinct = pd.factorize(signature, sort=True)
    of_unit, keys = pd.factorize(phase[last_pair] * len(distinct) + code, sort=True)
    example = np.empty(len(keys), dtype=np.int64)
    example[of_unit] = np.arange(len(units))
    one = np.flatnonzero(example[of_unit[of_pair]] == of_pair)  # all pairs of one unit of each class
    held, at = pattern[one], of_unit[of_pair[one]]
    columns = np.zeros(len(keys), dtype=np.int64)
    np.bitwise_or.at(columns, at, masks(patterns, variables)[held])
    matrix = csr_array((np.ones(len(one), dtype=np.int32), (held, at)), shape=(len(patterns), len(keys)))
    return _Classes(keys // len(distinct), np.bincount(of_unit), columns, matrix)


def _shares(classes: _Classes, variables: Variables, periods: Periods) -> NDArray[np.float64]:
    """Chance of each cycle for each class: the share of the units where its patterns' columns are known."""
    cycle = cycle_of(periods)
    out = np.zeros((len(classes.size), int(cycle.max()) + 1))
    distinct, which = np.unique(classes.columns, return_inverse=True)
    for m, columns in enumerate(distinct.tolist()):
        table = np.zeros((int(periods.phase.max()) + 1, out.shape[1]))
        table[periods.phase, cycle] = variables.exposure(columns)
        its = np.flatnonzero(which == m)
        out[its] = table[classes.phase[its]]
    return np.asarray(out / out.sum(axis=1, keepdims=True))


def _split(
    size: NDArray[np.int64], shares: NDArray[np.float64], draws: int, rng: np.random.Generator
) -> NDArray[np.int32]:
    """Multinomial counts as one binomial after another, shape (classes, cycles, draws)."""
    out = np.empty((len(size), shares.shape[1], draws), dtype=np.int32)
    rest = np.repeat(size[:, None], draws, axis=1)
    later = np.cumsum(shares[:, ::-1], axis=1)[:, ::-1]
    for c in range(shares.shape[1] - 1):
        share = np.divide(shares[:, c], later[:, c], out=np.zeros(len(size)), where=later[:, c] > 0)
        out[:, c] = rng.binomial(rest, np.clip(share, 0.0, 1.0)[:, None])
        rest -= out[:, c]
    out[:, -1] = rest
    return out
