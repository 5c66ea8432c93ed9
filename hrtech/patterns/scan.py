"""From counts by period to candidates: windows whose count could matter, with exact tails."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from hrtech.patterns.cube import Block, Exposures
from hrtech.patterns.declared import PatternSettings
from hrtech.patterns.dispersion import Dispersion, Spread
from hrtech.patterns.periods import Periods
from hrtech.patterns.thresholds import tarone

_ROOM = 1 << 15
_BINS = 1000
_KEPT = 100_000_000
_LOGS = 1 << 21
#: -log of the least chance of a split that is looked at further; more are if the chances of the others add up to more
#: than this share of the error rate.
_EMITTED = (14.0, 15.5, 17.0, 19.0, 21.0)
_MOST_LEFT_OUT = 0.08
_ROUNDED = 1e-4
_FIRST_STAGE = 0.1


@dataclass(frozen=True)
class Candidates:
    """Windows of combinations that may be patterns, or that season may make look like one.

    Attributes:
        cells: Items, shape (candidates, longest), -1 after the last.
        counts: Units that hold the combination by period, shape (candidates, periods).
        exposure: Position of the exposure of its columns.
        first: First period of the window.
        window: Periods in the window.
        observed: Units in the window.
        same_phase: Units in all periods of the window's phases; -1 where no other cycle has them.
        sign: 1 for a rise, -1 for a fall.
        log_p: Log of the exact tail; 0 where it is above the first stage's threshold.
        log_split: Log of the chance that a season alone brings a count that passes the first stage; -inf: hardly any.
    """

    cells: NDArray[np.int32]
    counts: NDArray[np.int32]
    exposure: NDArray[np.int64]
    first: NDArray[np.int64]
    window: NDArray[np.int64]
    observed: NDArray[np.int64]
    same_phase: NDArray[np.int64]
    sign: NDArray[np.int64]
    log_p: NDArray[np.float64]
    log_split: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.first)

    @property
    def total(self) -> NDArray[np.int64]:
        """Units that hold each combination."""
        return np.asarray(self.counts.sum(axis=1, dtype=np.int64))

    @property
    def length(self) -> NDArray[np.int64]:
        """Items of each combination."""
        return np.asarray((self.cells >= 0).sum(axis=1))

    def some(self, which: NDArray[np.generic]) -> "Candidates":
        """Those at some positions."""
        return Candidates(*(getattr(self, f.name)[which] for f in fields(self)))


@dataclass(frozen=True)
class Level:
    """What was tested of one length.

    Attributes:
        combinations: How many reach the minimum count.
        hypotheses: Pairs of combination and window, in each direction.
        testable: Those that could be significant.
        threshold: Largest p of the strict tier's first stage.
    """

    combinations: int
    hypotheses: int
    testable: int
    threshold: float


@dataclass(frozen=True)
class Scanned:
    """What one pass over the combinations gives.

    Attributes:
        candidates: See there.
        known: Units by period, shape (exposures, periods).
        levels: What was tested, by length.
        left_out: Chance, under season alone, that a window that is not among the candidates passes the first stage.
        cells: Counts made.
        dispersion: Of all combinations.
    """

    candidates: Candidates
    known: NDArray[np.int64]
    levels: dict[int, Level]
    left_out: float
    cells: int
    dispersion: Dispersion

    def dispersion_of(self, candidates: Candidates) -> NDArray[np.float64]:
        """Dispersion of counts of each candidate, (candidates,)."""
        held = (self.known[candidates.exposure] > 0).sum(axis=1)
        return self.dispersion.at(candidates.total / held)


def scan_blocks(
    blocks: Callable[[], Iterable[Block]],
    exposures: Exposures,
    periods: Periods,
    settings: PatternSettings,
    last: bool = False,
    errors: float | None = None,
) -> Scanned:
    """Look at every window of every combination: first at what could be significant, then at what is.

    Args:
        blocks: Gives the combinations; called again if they are too many to keep.
        exposures: Filled by `blocks`.
        periods: Of the records.
        settings: What is searched.
        last: Only windows that end with the last period are hypotheses.
        errors: How many false candidates to expect at most; None: what the strict tier's first stage may.
    """
    spread = Spread(len(exposures.variables.items)) if settings.dispersion == "automatic" else None
    kept, table, cells = _first_pass(blocks, exposures, spread)
    known = (
        np.array(exposures.tables) if exposures.tables else np.zeros((1, len(periods.labels)), dtype=np.int64)
    )
    windows = np.array([w for w in settings.windows if w < len(periods.labels)], dtype=np.int64)
    up, down = "emerging" in settings.directions, "fading" in settings.directions
    levels = _levels(
        table, known, windows, up, down, first_stage(settings, periods) if errors is None else errors, last
    )
    dispersion = Dispersion(np.zeros(1), np.ones(1)) if spread is None else spread.estimate()
    largest = int(table[:, 2].max(initial=0))
    for emitted in _EMITTED:
        looked = _Scan(periods, settings, known, windows, levels, last, emitted, largest)
        for block in kept if kept is not None else blocks():
            looked.add(block)
        if looked.left_out <= _MOST_LEFT_OUT * settings.strict:
            break
    found = _joined(looked.parts, len(periods.labels), settings.max_length)
    # rounded up, since what it is exactly depends on the order in which combinations came
    left_out = float(np.ceil(looked.left_out / _ROUNDED - 1e-3) * _ROUNDED)
    return Scanned(found, known, levels, left_out, cells, dispersion)


class _Scan:
    """Collects candidates from blocks.

    Attributes:
        parts: The candidates.
        left_out: As in `Scanned`.
    """

    def __init__(
        self, periods: Periods, settings: PatternSettings, known: NDArray[np.int64], windows: NDArray[np.int64],
        levels: dict[int, Level], last: bool, emitted: float, largest: int,
    ) -> None:  # fmt: skip
        from scipy.special import gammaln

        from hrtech.patterns.reach import bands, no_reach

        self.parts: list[Candidates] = []
        self.left_out = 0.0
        self._known, self._windows, self._periods, self._last, self._emitted = (
            known,
            windows,
            periods,
            last,
            emitted,
        )
        self._directions = "emerging" in settings.directions, "fading" in settings.directions
        self._phases = periods.cycle if periods.cycle and periods.cycles > 1 else 0
        self._log_p = {length: float(np.log(level.threshold)) for length, level in levels.items()}
        self._reach = {
            length: no_reach(
                bands(largest, level.combinations // len(known), len(periods.labels)),
                len(windows),
                len(periods.labels),
                self._phases,
            )
            for length, level in levels.items()
        }
        self._logs = gammaln(np.arange(1.0, min(int(known.sum(axis=1).max()) + 2, _LOGS)))
        self._out, self._tails = np.empty((_ROOM, 7), dtype=np.int64), np.empty((_ROOM, 2))

    def add(self, block: Block) -> None:
        """Scan a block."""
        for length in np.unique(block.length).tolist():
            rows = np.flatnonzero(block.length == length)
            rows = rows[np.argsort(block.exposure[rows], kind="stable")]
            found = self._scan(block, length, rows)
            if found > len(self._out):
                self._out, self._tails = np.empty((2 * found, 7), dtype=np.int64), np.empty((2 * found, 2))
                found = self._scan(block, length, rows)
            if found:
                self.parts.append(_gathered(block, self._out[:found], self._tails[:found]))

    def _scan(self, block: Block, length: int, rows: NDArray[np.int64]) -> int:
        from hrtech.patterns.scan_loops import scan

        reach = self._reach[length]
        band = np.searchsorted(reach.edges, block.total[rows], side="right") - 1
        found, small = scan(
            block.counts, rows, band, block.exposure, self._known, self._windows, *self._directions,
            self._log_p[length], self._periods.phase, self._phases, self._last, self._emitted, self._logs, reach,
            self._out, self._tails,
        )  # fmt: skip
        self.left_out += small if found <= len(self._out) else 0.0
        return int(found)


def first_stage(settings: PatternSettings, periods: Periods) -> float:
    """Error rate of the tests against a share that never changes; the rest is for the tests against season."""
    return settings.strict * (_FIRST_STAGE if periods.cycles > 1 else 1.0)


def _first_pass(
    blocks: Callable[[], Iterable[Block]], exposures: Exposures, spread: Spread | None
) -> tuple[list[Block] | None, NDArray[np.int64], int]:
    """The blocks where they can be kept, a table of their totals, and how many counts they hold."""
    kept: list[Block] | None = []
    tables, cells = [np.zeros((0, 4), dtype=np.int64)], 0
    for block in blocks():
        cells += block.counts.size
        tables.append(_totals(block))
        if spread is not None:
            spread.add(block.counts, block.exposure, np.array(exposures.tables))
        if kept is not None:
            kept.append(block)
            if cells > _KEPT:
                kept = None
    return kept, np.concatenate(tables), cells


def _levels(
    table: NDArray[np.int64],
    known: NDArray[np.int64],
    windows: NDArray[np.int64],
    up: bool,
    down: bool,
    alpha: float,
    last: bool,
) -> dict[int, Level]:
    from hrtech.patterns.scan_loops import testable

    lengths = np.unique(table[:, 0]).tolist()
    levels = {}
    for length in lengths:
        rows = table[table[:, 0] == length]
        fine = np.zeros(_BINS, dtype=np.int64)
        testable(known, rows[:, 1], rows[:, 2], rows[:, 3], windows, up, down, last, fine)
        threshold, reachable = tarone(fine, alpha / len(lengths))
        levels[length] = Level(int(rows[:, 3].sum()), int(fine.sum()), reachable, threshold)
    return levels


def _totals(block: Block) -> NDArray[np.int64]:
    """Length, exposure, total, and how many combinations have them."""
    top = int(block.total.max(initial=0)) + 1
    key = (block.length * (int(block.exposure.max(initial=0)) + 1) + block.exposure) * top + block.total
    keys, number = np.unique(key, return_counts=True)
    rest, total = np.divmod(keys, top)
    length, exposure = np.divmod(rest, int(block.exposure.max(initial=0)) + 1)
    return np.column_stack([length, exposure, total, number])


def _gathered(block: Block, found: NDArray[np.int64], tails: NDArray[np.float64]) -> Candidates:
    row = found[:, 0]
    return Candidates(
        block.cells[row], block.counts[row], block.exposure[row], found[:, 1].copy(), found[:, 2].copy(),
        found[:, 3].copy(), found[:, 4].copy(), found[:, 5].copy(), np.where(found[:, 6] > 0, tails[:, 0], 0.0),
        tails[:, 1].copy(),
    )  # fmt: skip


def _joined(parts: list[Candidates], n_periods: int, longest: int) -> Candidates:
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        return Candidates(
            np.zeros((0, longest), dtype=np.int32), np.zeros((0, n_periods), dtype=np.int32), none, none, none, none,
            none, none, np.zeros(0), np.zeros(0),
        )  # fmt: skip
    return Candidates(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Candidates)))
