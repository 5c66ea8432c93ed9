"""The counts behind a comparison, as the audit of what is published takes them.

Every figure that is told counts as if the counts behind it were told: records with a known value, records with the
condition, events; of a standardised figure those of each stratum. Differences, ratios, ranks, changes and p values
are computed from these counts, so they tell nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

import numpy as np

from hrtech.groups.counted import Counted
from hrtech.groups.question import GroupError, GroupQuestion, Measure
from hrtech.groups.records import Prepared

_UNKNOWN = 2
#: Range of a small sum of two conditions: at least three values.
_UNPINNED = 2.0
_MOST_CELLS = 20_000


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
        if measure.condition or (measure.exposure and not measure.events):
            _hide(counts, base, question, measure, status == 0, minimum)
        for part in parts.values():
            _hide(counts, base, question, measure, part, minimum)
        if prepared.overlapping:
            _hide_shared(counts, base, parts, minimum)
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
                    counts.secret(cells, _UNPINNED)


def _hide_shared(counts: Counted, base: _Base, parts: dict[str, np.ndarray], minimum: int) -> None:
    """Add small numbers of those who belong to two groups: two groups and their total would tell them."""
    groups = base.group.shape[1] - 1
    for one, other in combinations(range(groups), 2):
        both = base.group[:, one] & base.group[:, other]
        if not both.any():
            continue
        for window in range(base.window.shape[1]):
            for part in parts.values():
                cells = np.flatnonzero(both & base.window[:, window] & part)
                if 0 < counts.cells[cells].sum() < minimum:
                    counts.secret(cells, _UNPINNED)


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
            if question.standardises(measure) and window == last:
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
                counts.secret(cells, minimum - 1.0)
