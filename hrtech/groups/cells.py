"""The counts behind a comparison, as the audit of what is published takes them.

Every figure that is told counts as if the counts behind it were told: records with a known value, records with the
condition, events; of a standardised figure those of each stratum. Differences, ratios, ranks, changes and p values
are computed from these counts, so they tell nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import TYPE_CHECKING

import numpy as np

from hrtech.groups.audit import Figures
from hrtech.groups.question import GroupError, GroupQuestion, Measure
from hrtech.groups.records import Prepared

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_UNKNOWN = 2
#: Share of small counts above which the windows of groups are not told at all.
_MOSTLY = 0.6
#: Range of a small sum of two conditions: at least three values.
_UNPINNED = 2.0
_MOST_CELLS = 20_000
#: Measure, standardised, group (the number of groups: all together), window.
Place = tuple[str, bool, int, int]


@dataclass
class Counted:
    """Counts of one quantity, records or events, over the finest cells that tell its rows apart.

    Attributes:
        cells: True counts.
        rows: Cells of each count that may be published.
        forbidden: Whether a count is of too few people, whatever its size.
        secrets: Cells of sums that are small and stand in no table.
        width: How far apart the least and the most that each of them can be have to be.
        needs: Figure → counts behind it.
        worth: How dear each count is.
        seen: Cells of a count → its number.
        fine: Counts of one group in one window.
        coarse: Whether no group is told by window.
    """

    cells: np.ndarray
    rows: list[np.ndarray] = field(default_factory=list)
    forbidden: list[bool] = field(default_factory=list)
    secrets: list[np.ndarray] = field(default_factory=list)
    width: list[float] = field(default_factory=list)
    needs: dict[Place, list[int]] = field(default_factory=dict)
    worth: list[float] = field(default_factory=list)
    seen: dict[bytes, int] = field(default_factory=dict)
    fine: set[int] = field(default_factory=set)
    coarse: bool = False

    def row(self, cells: np.ndarray, few: bool, worth: float) -> int:
        """Number of a count; the same cells are the same count."""
        key = cells.tobytes()
        if key not in self.seen:
            self.seen[key] = len(self.rows)
            self.rows.append(cells)
            self.forbidden.append(few)
            self.worth.append(worth)
        at = self.seen[key]
        self.forbidden[at] |= few
        self.worth[at] = max(self.worth[at], worth)
        return at

    def coarsen(self, minimum: int) -> None:
        """Forbid the windows of all groups where most of their counts are small: little could be told of them."""
        values = np.array([self.cells[row].sum() for row in self.rows])
        fine = np.array(sorted(self.fine), dtype=np.int64)
        above = fine[values[fine] > 0]
        if len(above) and (values[above] < minimum).mean() > _MOSTLY:
            self.coarse = True
            for at in above:
                self.forbidden[at] = True

    def figures(self) -> Figures:
        """As the audit takes them."""
        return Figures(
            self.cells, _matrix(self.rows, len(self.cells)), np.array(self.forbidden, bool),
            _matrix(self.secrets, len(self.cells)), np.array(self.worth, float), np.array(self.width, float),
        )  # fmt: skip


def _matrix(rows: list[np.ndarray], columns: int) -> csr_array:
    from scipy.sparse import csr_array

    pointers = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int32)
    indices = np.concatenate(rows).astype(np.int32) if rows else np.zeros(0, np.int32)
    return csr_array((np.ones(len(indices)), indices, pointers), shape=(len(rows), columns))


def counted(prepared: Prepared, question: GroupQuestion, minimum: int) -> list[Counted]:
    """Counts of records, and of events where a column counts them.

    Raises:
        GroupError: There are weights, events are not whole, or there are too many cells.
    """
    if question.weight:
        raise GroupError(
            "Weighted figures are not released: the counts behind them are no counts. Leave out disclose or weight "
            "[setting: disclose, weight]"
        )
    by_record = [m for m in question.measures if not m.events]
    by_event = [m for m in question.measures if m.events]
    # exposure is that of records: of few, it may not be told
    exposed = [m for m in by_event if m.exposure]
    found = [_records(prepared, question, some, minimum) for some in (by_record, exposed) if some]
    return [*found, *(_events(prepared, question, measure, minimum) for measure in by_event)]


def _records(prepared: Prepared, question: GroupQuestion, measures: list[Measure], minimum: int) -> Counted:
    base = _Base(prepared, question, [_status(prepared, m) for m in measures])
    counts = Counted(base.total(np.ones(len(prepared.window))))
    for at, measure in enumerate(measures):
        status = base.attributes[:, base.first + at]
        parts = {"known": status != _UNKNOWN, "held": status == 1}
        if measure.kind == "count" or measure.denominator:
            parts.pop("known")
        if measure.kind in ("mean", "median") or measure.events:
            parts.pop("held")
        _add(counts, base, measure, question, parts, minimum)
        if measure.kind == "share" or (measure.exposure and not measure.events):
            _hide(counts, base, question, measure, status == 0, minimum)
        for part in parts.values():
            _hide(counts, base, question, measure, part, minimum)
    counts.coarsen(minimum)
    _hide_pairs(counts, base, [at for at, m in enumerate(measures) if m.condition], minimum)
    return counts


def _hide_pairs(counts: Counted, base: _Base, measures: list[int], minimum: int) -> None:
    """Add small sums of two conditions together: where one lies in the other, their difference is such a sum.

    Nobody publishes them, so they need not be as open as a withheld count, but none may be pinned.
    """
    for one, other in combinations(measures, 2):
        states = base.attributes[:, base.first + one], base.attributes[:, base.first + other]
        for both in product((0, 1), repeat=2):
            part = (states[0] == both[0]) & (states[1] == both[1])
            for _, _, here in base.places():
                cells = np.flatnonzero(here & part)
                if 0 < counts.cells[cells].sum() < minimum:
                    counts.secrets.append(cells)
                    counts.width.append(_UNPINNED)


def _events(prepared: Prepared, question: GroupQuestion, measure: Measure, minimum: int) -> Counted:
    events = np.nan_to_num(prepared.measured[measure.name].above)
    if not np.allclose(events, np.round(events)):
        raise GroupError(
            f"Events of '{measure.name}' are not whole, and so are no counts that can be protected "
            f"[setting: disclose, measures, {measure.name}]"
        )
    base = _Base(prepared, question, [])
    counts = Counted(base.total(np.round(events)))
    everything = np.ones(len(base.attributes), bool)
    _add(counts, base, measure, question, {"held": everything}, minimum)
    _hide(counts, base, question, measure, everything, minimum)
    counts.coarsen(minimum)
    return counts


def _status(prepared: Prepared, measure: Measure) -> np.ndarray:
    above = prepared.measured[measure.name].above
    held = np.ones(len(above)) if measure.kind in ("mean", "median") or measure.events else above
    return np.where(np.isnan(above), _UNKNOWN, held).astype(np.int64)


class _Base:
    """The finest cells: which groups, window, stratum and conditions a record has."""

    first = 3

    def __init__(self, prepared: Prepared, question: GroupQuestion, status: list[np.ndarray]) -> None:
        self.prepared = prepared
        order = np.lexsort((prepared.group, prepared.member))
        split = np.split(prepared.group[order], np.flatnonzero(np.diff(prepared.member[order])) + 1)
        sets = {groups.tobytes(): groups for groups in split}
        place = {key: at for at, key in enumerate(sets)}
        pattern = np.array([place[groups.tobytes()] for groups in split])
        stratum = prepared.stratum if question.standardise else np.zeros(len(pattern), np.int64)
        table = np.stack([pattern, prepared.window, stratum, *status], axis=1)
        self.attributes, self.of = np.unique(table, axis=0, return_inverse=True)
        if len(self.attributes) > _MOST_CELLS:
            raise GroupError(
                f"What may be published falls into {len(self.attributes)} cells, more than {_MOST_CELLS}, which is too "
                "many to protect. Leave out a measure, a column of groups or to standardise for, or choose longer "
                "windows [setting: disclose]"
            )
        holds = np.zeros((len(sets), len(prepared.keys) + 1), bool)
        holds[:, -1] = True
        for at, groups in enumerate(sets.values()):
            holds[at, groups] = True
        self.group = holds[self.attributes[:, 0]]
        count = len(prepared.windows)
        self.window = np.ones((len(self.attributes), count + 1), bool)
        self.window[:, :count] = self.attributes[:, [1]] == np.arange(count)
        self.stratum = self.attributes[:, 2]

    def total(self, amount: np.ndarray) -> np.ndarray:
        """Sum over the records of each cell."""
        return np.bincount(self.of, amount, len(self.attributes))

    def people(self, cells: np.ndarray) -> int:
        """People behind some cells."""
        inside = np.zeros(len(self.attributes), bool)
        inside[cells] = True
        return len(np.unique(self.prepared.cluster[inside[self.of]]))

    def places(self) -> Iterator[tuple[int, int, np.ndarray]]:
        """Each group, and all of them, in each window: cells."""
        for group in range(self.group.shape[1]):
            for window in range(self.window.shape[1]):
                yield group, window, self.group[:, group] & self.window[:, window]


def _few(counts: Counted, base: _Base, cells: np.ndarray, question: GroupQuestion, minimum: int) -> bool:
    """Whether a count above 0 is of fewer people than the minimum."""
    if question.subject is None or counts.cells[cells].sum() == 0:
        return False
    return base.people(cells) < minimum


def _strata(base: _Base, question: GroupQuestion) -> np.ndarray:
    """Strata that figures are standardised for."""
    return np.unique(base.stratum[base.stratum >= 0]) if question.standardise else np.zeros(0, np.int64)


def _worth(counts: Counted, cells: np.ndarray, part: str, everybody: bool, always: bool) -> float:
    """Totals are dear, what has a condition is cheap: without the number known there is no figure at all."""
    dear = (1.0 if part == "known" else 0.5) * (10.0 if always else 1.0) * (100.0 if everybody else 1.0)
    return float(counts.cells[cells].sum() * dear)


def _add(
    counts: Counted,
    base: _Base,
    measure: Measure,
    question: GroupQuestion,
    parts: dict[str, np.ndarray],
    minimum: int,
) -> None:
    """Add the counts of a measure, and say which figures need them."""
    last, everybody = base.window.shape[1] - 1, base.group.shape[1] - 1
    strata = _strata(base, question)
    standardised = measure.kind in ("share", "rate", "mean")
    for group, window, here in base.places():
        for part_name, part in parts.items():
            cells = np.flatnonzero(here & part)
            row = counts.row(
                cells,
                _few(counts, base, cells, question, minimum),
                _worth(counts, cells, part_name, group == everybody, window == last),
            )
            counts.needs.setdefault((measure.name, False, group, window), []).append(row)
            if group != everybody and window != last:
                counts.fine.add(row)
            if len(strata) and standardised and window == last:
                needed = counts.needs.setdefault((measure.name, True, group, window), [])
                for stratum in strata:
                    cells = np.flatnonzero(here & part & (base.stratum == stratum))
                    # the standard itself is the mix of everybody, without which no standardised figure is told
                    worth = _worth(counts, cells, part_name, True, True) if group == everybody else 0.0
                    needed.append(counts.row(cells, _few(counts, base, cells, question, minimum), worth))
    _need_standard(counts, measure, everybody, last)


def _need_standard(counts: Counted, measure: Measure, everybody: int, window: int) -> None:
    """A standardised figure tells of the standard, which is counted in everybody's strata."""
    whole = counts.needs.get((measure.name, True, everybody, window), [])
    for place, needed in counts.needs.items():
        if place[:2] == (measure.name, True) and place[2] != everybody:
            needed.extend(whole)


def _hide(
    counts: Counted, base: _Base, question: GroupQuestion, measure: Measure, part: np.ndarray, minimum: int
) -> None:
    """Add small sums that stand in no table: records without the condition, and all others of a group."""
    whole = base.window.shape[1] - 1
    strata = _strata(base, question)
    for group, window, here in base.places():
        sides = [here & part]
        if group < base.group.shape[1] - 1:
            sides.append(~base.group[:, group] & base.window[:, window] & part)
        if window == whole:
            sides += [here & part & (base.stratum == stratum) for stratum in strata]
        for side in sides:
            cells = np.flatnonzero(side)
            amount = counts.cells[cells].sum()
            few = _few(counts, base, cells, question, minimum)
            if (0 < amount < minimum or few) and cells.tobytes() not in counts.seen:
                counts.secrets.append(cells)
                counts.width.append(minimum - 1.0)
