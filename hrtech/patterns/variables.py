"""Records as the search reads them: sorted by period, columns as small codes or bits, and what is known.

A value that fewer than the minimum count of records hold can be in no pattern. It stops being an item here, so that a
column with very many values costs no more than its frequent ones, while the record still counts as known.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtech.counts import ABSENT, Attribute, EncodedColumn, EncodingError, encode, possible_cells
from hrtech.counts.encoding import ROWS_PER_WORD
from hrtech.patterns.declared import PatternsError, PatternSettings
from hrtech.patterns.periods import Periods


@dataclass(frozen=True)
class Variable:
    """A single-valued column: codes 0 (no item or unknown) and 1 to `size`, by record."""

    column: int
    codes: NDArray[np.unsignedinteger]
    size: int
    first_item: int


@dataclass(frozen=True)
class Variables:
    """Records in the order of their periods (and subjects).

    Attributes:
        columns: Names of the columns that combine.
        items: All attributes that can be in a pattern.
        column_of: Column of each item.
        multi_valued: Whether a column may hold several values, by column.
        singles: The single-valued columns.
        held: Multi-valued items: item → who holds it, (records,) of bool.
        period: Period of each record.
        group: Number of the unit that a record belongs to, rising: its own, or that of its subject in the period.
        known: Bits of the columns known, by record.
        n_periods: How many periods.
    """

    columns: tuple[str, ...]
    items: tuple[Attribute, ...]
    column_of: NDArray[np.int64]
    multi_valued: tuple[bool, ...]
    singles: tuple[Variable, ...]
    held: dict[int, NDArray[np.bool_]]
    period: NDArray[np.int32]
    group: NDArray[np.int64]
    known: NDArray[np.int64]
    n_periods: int

    @cached_property
    def row_start(self) -> NDArray[np.int64]:
        """First record of each period, and the number of records."""
        return np.searchsorted(self.period, np.arange(self.n_periods + 1)).astype(np.int64)

    @cached_property
    def word_start(self) -> NDArray[np.int64]:
        """First word of each period in bit vectors, whose periods begin with a word, and their length."""
        sizes = -(-np.diff(self.row_start) // ROWS_PER_WORD)
        return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    @cached_property
    def bit_of_row(self) -> NDArray[np.int64]:
        """Bit of each record in bit vectors."""
        shift = self.word_start[:-1] * ROWS_PER_WORD - self.row_start[:-1]
        return np.arange(len(self.period)) + shift[self.period]

    @cached_property
    def grouped(self) -> bool:
        """Whether several records can belong to one unit."""
        return bool(len(self.group)) and int(self.group[-1]) + 1 < len(self.group)

    def bits(self, rows: NDArray[np.bool_]) -> NDArray[np.uint64]:
        """Pack a mark by record into words, each period from a word of its own."""
        from hrtech.patterns.cube_loops import pack

        return np.asarray(pack(rows, self.row_start, self.word_start))

    def holds(self, item: int) -> NDArray[np.bool_]:
        """Who holds an item, (records,)."""
        if item in self.held:
            return self.held[item]
        column = int(self.column_of[item])
        single = next(v for v in self.singles if v.column == column)
        return np.asarray(single.codes == item - single.first_item + 1)

    def knows(self, mask: int) -> NDArray[np.bool_]:
        """Where all columns of a mask are known, (records,)."""
        if ((self._masks[0] & mask) == mask).all():
            return np.ones(len(self.known), dtype=bool)
        return np.asarray((self.known & mask) == mask)

    @cached_property
    def _masks(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Distinct masks of known columns, and records of each by period."""
        masks, which = np.unique(self.known, return_inverse=True)
        joint = np.bincount(which * self.n_periods + self.period, minlength=len(masks) * self.n_periods)
        return masks, joint.reshape(len(masks), self.n_periods)

    def units(self, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Units by period that one of some records belongs to."""
        first = np.flatnonzero(np.diff(self.group[rows], prepend=-1) > 0)
        return np.bincount(self.period[rows][first], minlength=self.n_periods).astype(np.int64)

    def exposure(self, mask: int) -> NDArray[np.int64]:
        """Units by period with a record where all columns of the mask are known."""
        if self.grouped:
            return self.units(self.knows(mask))
        masks, counts = self._masks
        return np.asarray(counts[(masks & mask) == mask].sum(axis=0))


def read_variables(frame: pd.DataFrame, periods: Periods, settings: PatternSettings) -> Variables:
    """Read the columns that combine.

    Raises:
        PatternsError: A column is missing or cannot be counted, nothing is known, or the search would be too large.
    """
    columns = _columns(frame, settings)
    rows = _order(frame, periods, settings)
    try:
        encoded = encode(_prepared(frame, columns, settings), columns, absence=settings.absence)
    except EncodingError as error:
        raise PatternsError(str(error)) from None
    items: list[Attribute] = []
    column_of: list[int] = []
    singles, held = [], {}
    known = np.zeros(len(rows), dtype=np.int64)
    for k, column in enumerate(encoded.columns):
        drop = set(settings.ignored.get(column.name, ()))
        if column.multi_valued:
            number = np.zeros(len(column.values), dtype=np.int64)
            for v in range(len(column.values)):  # one by one: a column may have very many values
                marked = column.indicator(v)[: len(frame)][rows].astype(bool)
                known[marked] |= 1 << k
                number[v] = marked.sum()
            for v in _frequent(number, column, drop, settings.min_count):
                held[len(items)] = column.indicator(v)[: len(frame)][rows].astype(bool)
                items.append((column.name, column.values[v]))
                column_of.append(k)
            continue
        codes = column.data[rows]
        known |= 1 << k if codes.all() else np.where(codes > 0, 1 << k, 0)
        counts = np.bincount(codes, minlength=len(column.values) + 1)[1:]
        kept = _frequent(counts, column, drop, settings.min_count)
        if len(kept) < len(column.values):
            recode = np.zeros(len(column.values) + 1, dtype=codes.dtype)
            recode[np.array(kept, dtype=np.int64) + 1] = np.arange(1, len(kept) + 1)
            codes = recode[codes]
        if kept:
            singles.append(Variable(k, codes, len(kept), len(items)))
        items += [(column.name, column.values[v]) for v in kept]
        column_of += [k] * len(kept)
    if not items:
        raise PatternsError(
            f"No value occurs in {settings.min_count} records: every column is blank or holds rare values only. Band "
            "numbers, or lower the minimum [setting: columns, bands, min_count]"
        )
    group = _groups(frame, rows, periods, settings)
    found = Variables(
        tuple(columns), tuple(items), np.array(column_of, dtype=np.int64),
        tuple(c.multi_valued for c in encoded.columns), tuple(singles), held, periods.index[rows], group, known,
        len(periods.labels),
    )  # fmt: skip
    _bound(found, settings)
    return found


def _columns(frame: pd.DataFrame, settings: PatternSettings) -> list[str]:
    others = {settings.time, settings.subject}
    columns = list(settings.columns) or [c for c in frame.columns if c not in others]
    named = [*columns, *([settings.subject] if settings.subject else [])]
    for setting in ("absence", "ignored", "unknown", "bands"):
        named += list(getattr(settings, setting))
    if missing := [c for c in named if c not in frame.columns]:
        raise PatternsError(
            f"No column is called '{missing[0]}'. The table has {', '.join(map(str, frame.columns))} "
            "[setting: columns, subject, absence, ignored, unknown, bands]"
        )
    if not columns:
        raise PatternsError("No column is left to combine. Name at least one [setting: columns]")
    if len(columns) > 60:
        raise PatternsError(
            f"{len(columns)} columns combine, at most 60 can. Name those that matter [setting: columns]"
        )
    return columns


def _order(frame: pd.DataFrame, periods: Periods, settings: PatternSettings) -> NDArray[np.int64]:
    """Records with a period, in the order of periods, those of one subject together."""
    if settings.subject is None:
        order = np.argsort(
            periods.index.astype(np.int16), kind="stable"
        )  # small numbers are sorted by counting
    else:
        order = np.lexsort((pd.factorize(frame[settings.subject])[0], periods.index))
    return np.asarray(order[int((periods.index < 0).sum()) :])


def _groups(
    frame: pd.DataFrame, rows: NDArray[np.int64], periods: Periods, settings: PatternSettings
) -> NDArray[np.int64]:
    if settings.subject is None:
        return np.arange(len(rows))
    who = pd.factorize(frame[settings.subject])[0][rows]
    blank = who < 0  # somebody unnamed is taken for somebody else each time
    new = np.ones(len(rows), dtype=bool)
    new[1:] = (np.diff(who) != 0) | (np.diff(periods.index[rows]) != 0) | blank[1:]
    return np.asarray(np.cumsum(new) - 1)


def _prepared(frame: pd.DataFrame, columns: list[str], settings: PatternSettings) -> pd.DataFrame:
    """The columns with numbers banded and with what means unknown blanked."""
    out = frame[columns].copy(deep=False)
    for name, edges in settings.bands.items():
        out[name] = _banded(out[name], name, edges)
    for name, values in settings.unknown.items():
        column = out[name]
        if len(column) and column.map(lambda cell: isinstance(cell, list | np.ndarray)).any():
            out[name] = column.map(
                lambda cell, v=set(values): cell if cell is None else [x for x in cell if x not in v]
            )
        else:
            out[name] = column.astype("str").mask(column.isna() | column.astype("str").isin(values))
    return out


def _banded(column: pd.Series, name: str, edges: tuple[float, ...]) -> pd.Series:
    number = pd.to_numeric(column, errors="coerce")
    wrong = np.flatnonzero(
        (number.isna() & column.notna() & (column.astype("str").str.strip() != "")).to_numpy()
    )
    if len(wrong):
        raise PatternsError(
            f"{len(wrong):,} cells of column '{name}' are no numbers, the first in row {wrong[0] + 1}. Mend them, or "
            "do not band the column [setting: bands]"
        )
    told = [f"{e:g}" for e in edges]
    names = [f"<{told[0]}", *(f"{a}–<{b}" for a, b in pairwise(told)), f"≥{told[-1]}"]
    band = np.searchsorted(np.array(edges), number.fillna(0).to_numpy(float), side="right")
    return pd.Series(np.array(names, dtype=object)[band], index=column.index, dtype="str").mask(number.isna())


def _frequent(counts: NDArray[np.integer], column: EncodedColumn, drop: set[str], least: int) -> list[int]:
    return [v for v in range(len(column.values)) if counts[v] >= least and column.values[v] not in drop]


def _bound(found: Variables, settings: PatternSettings) -> None:
    """Refuse a search that may have to hold too many combinations, with what would bring it down."""
    sizes = np.bincount(found.column_of, minlength=len(found.columns)).tolist()
    shapes = list(zip(sizes, found.multi_valued, strict=True))
    most = len(found.period) // settings.min_count

    def needed(kept: list[int], length: int) -> int:
        cells = possible_cells([shapes[k] for k in kept], length)[1:]
        sets = possible_cells([(shapes[k][0], True) if shapes[k][1] else (1, False) for k in kept], length)[
            1:
        ]
        return sum(min(a, b * most) for a, b in zip(cells, sets, strict=True))

    kept = sorted(range(len(sizes)), key=lambda k: (sizes[k], found.columns[k]))
    total = needed(kept, settings.max_length)
    if total <= settings.max_cells:
        return
    dropped = []
    while len(kept) > 1 and needed(kept, settings.max_length) > settings.max_cells:
        dropped.append(kept.pop())
    named = ", ".join(f"{found.columns[k]} ({sizes[k]:,} values)" for k in dropped)
    shorter = [
        n for n in range(1, settings.max_length) if needed(list(range(len(sizes))), n) <= settings.max_cells
    ]
    hint = f", or search up to length {shorter[-1]}" if shorter else ""
    raise PatternsError(
        f"Patterns up to length {settings.max_length} over {len(sizes)} columns may take {total:,} combinations, more "
        f"than {settings.max_cells:,}. Leave out or band: {named}{hint}, or raise the minimum count "
        "[setting: columns, max_length, min_count, max_cells]"
    )


__all__ = ["ABSENT", "Variable", "Variables", "read_variables"]
