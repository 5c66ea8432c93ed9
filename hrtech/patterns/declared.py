"""What a search for patterns declares, and what it answers with.

Invariant: settings that exist are consistent by themselves; whether they fit a table is checked when it is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import Final, Literal, get_args

import pandas as pd

Period = Literal["automatic", "week", "month", "quarter", "half_year", "year", "declared"]
Direction = Literal["emerging", "fading"]
Dispersion = Literal["automatic", "none"]

LONGEST: Final = 5
#: Most combinations that may have to be counted by period, and most rows of the table of one set of columns.
MAX_CELLS: Final = 20_000_000


class PatternsError(ValueError):
    """Settings or a table that cannot be searched; names the column, row or setting and what to do."""


@dataclass(frozen=True)
class PatternSettings:
    """What is searched.

    Attributes:
        time: Column with the date or period of a record.
        columns: Columns whose values combine; empty: every other column but `subject`.
        period: What a date is counted by. `automatic` reads dates (by month) and the usual labels (2024, 2024-H1,
            2024-Q3, 2024-07, 2024-W05); `declared` takes `periods`.
        periods: Labels of periods in order, for `declared`.
        max_length: Most attributes in a pattern, 1 to 5.
        windows: Lengths of the windows in which a pattern may rise or fall, in periods.
        directions: Which changes are searched; `new` is an emerging pattern that never occurred before.
        min_count: Fewest records that hold a pattern, over all time.
        absence: Columns where a blank cell says "no": it counts as the value `none`. Elsewhere blank is unknown.
        ignored: Column → values that are never part of a pattern, though known (such as "Other").
        unknown: Column → values that mean that nothing is known (such as "N/A").
        bands: Column of numbers → rising edges; values become bands such as "18–<25".
        subject: Column that names whose record it is: somebody counts once per pattern and period. None: each
            record stands for itself.
        cycle: Periods in a season's cycle; `automatic`: a year (52, 12, 4 or 2 periods); None: there is no season.
        season_proof: Report only what season cannot explain, which takes two cycles of history.
        strict: Family-wise error rate of the strict tier.
        exploratory: False-discovery rate of the exploratory tier; 0: no such tier.
        dispersion: Whether spread beyond chance is estimated and allowed for.
        confidence: Coverage of the intervals of rate ratios.
        draws: Random draws behind each threshold that has no formula.
        max_cells: Refuse, before starting, a search that may have to hold more combinations than this.
        seed: Seed of the draws.
    """

    time: str
    columns: tuple[str, ...] = ()
    period: Period = "automatic"
    periods: tuple[str, ...] = ()
    max_length: int = 4
    windows: tuple[int, ...] = (1, 2, 3)
    directions: tuple[Direction, ...] = ("emerging", "fading")
    min_count: int = 5
    absence: tuple[str, ...] = ()
    ignored: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unknown: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    bands: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    subject: str | None = None
    cycle: int | Literal["automatic"] | None = "automatic"
    season_proof: bool = False
    strict: float = 0.05
    exploratory: float = 0.10
    dispersion: Dispersion = "automatic"
    confidence: float = 0.95
    draws: int = 400
    max_cells: int = MAX_CELLS
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("columns", "periods", "directions", "absence"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "windows", tuple(sorted(set(self.windows))))
        for name in ("ignored", "unknown", "bands"):
            plain = {column: tuple(values) for column, values in getattr(self, name).items()}
            object.__setattr__(self, name, plain)
        self._check_columns()
        self._check_numbers()

    def _check_columns(self) -> None:
        for name in ("columns", "periods", "absence"):
            values = getattr(self, name)
            if twice := sorted({value for value in values if values.count(value) > 1}):
                raise PatternsError(f"'{twice[0]}' is named twice. Name it once [setting: {name}]")
        if self.time in self.columns or self.subject in self.columns or self.subject == self.time:
            raise PatternsError(
                "A column is named in two roles. A column is the time, the subject, or one that combines "
                "[setting: time, subject, columns]"
            )
        for name in ("absence", "ignored", "unknown", "bands"):
            stray = sorted(set(getattr(self, name)) - set(self.columns)) if self.columns else []
            if stray:
                raise PatternsError(
                    f"Column '{stray[0]}' is not among the columns that combine. Add it to them or leave it out here "
                    f"[setting: {name}]"
                )
        if (self.period == "declared") != bool(self.periods):
            raise PatternsError(
                "Declared periods are listed, and only they. Give at least two labels in order with "
                "'period: declared' [setting: period, periods]"
            )
        if split := next((label for label in self.periods if ";" in label), None):
            raise PatternsError(
                f"Period '{split}' holds a semicolon, which stands between the periods of a block in what is told. "
                "Write it without, in the records too [setting: periods]"
            )
        for column, edges in self.bands.items():
            if len(edges) < 1 or any(a >= b for a, b in pairwise(edges)):
                raise PatternsError(f"Edges of bands rise [setting: bands, column '{column}']")

    def _check_numbers(self) -> None:
        for name, allowed in (("period", Period), ("dispersion", Dispersion)):
            if getattr(self, name) not in get_args(allowed):
                raise PatternsError(
                    f"'{getattr(self, name)}' is no {name}. Use {', '.join(get_args(allowed))} [setting: {name}]"
                )
        if not self.directions or set(self.directions) - set(get_args(Direction)):
            raise PatternsError("Directions are emerging, fading, or both [setting: directions]")
        if not 1 <= self.max_length <= LONGEST:
            raise PatternsError(f"A pattern has 1 to {LONGEST} attributes [setting: max_length]")
        if not self.windows or self.windows[0] < 1:
            raise PatternsError("A window has 1 period or more [setting: windows]")
        if self.min_count < 2 or self.max_cells < 1:
            raise PatternsError("min_count is 2 or more, max_cells 1 or more [setting: min_count, max_cells]")
        if self.cycle not in ("automatic", None) and (not isinstance(self.cycle, int) or self.cycle < 2):
            raise PatternsError("A cycle has 2 periods or more [setting: cycle]")
        if not 0 < self.strict <= 0.2 or not 0 <= self.exploratory <= 0.5:
            raise PatternsError(
                "strict is above 0 and at most 0.2, exploratory 0 to 0.5 [setting: strict, exploratory]"
            )
        if not 0.5 < self.confidence < 1:
            raise PatternsError("The confidence is between 0.5 and 1 [setting: confidence]")
        if self.draws < 100:
            raise PatternsError("Thresholds need 100 draws or more [setting: draws]")


PATTERNS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "pattern_id": ("str", "stable name: a hash of attributes, window and direction"),
        "attributes": ("str", "canonical text, column:value;column:value"),
        "length": ("Int64", "how many attributes"),
        "direction": ("str", "emerging, new (emerging, and never seen before the window) or fading"),
        "first": ("str", "label of the window's first period"),
        "last": ("str", "label of the window's last period"),
        "observed": ("Int64", "records that hold the pattern in the window"),
        "expected": ("Float64", "how many there would be at the other periods' share"),
        "known": ("Int64", "records in the window where all its columns are known"),
        "total": ("Int64", "records that hold the pattern in all periods"),
        "known_total": ("Int64", "records in all periods where all its columns are known"),
        "ratio": ("Float64", "share in the window over share outside it; infinite where it never occurs outside"),
        "low": ("Float64", "lower end of its exact interval (of counts over their dispersion, where it is above 1)"),
        "high": ("Float64", "upper end, likewise"),
        "p": ("Float64", "exact tail given the pattern's total (of counts over their dispersion, where it is above 1)"),
        "p_season": ("Float64", "exact tail among the same phases of all cycles; blank where there is one cycle"),
        "p_adjusted": ("Float64", "corrected for all that was searched (exploratory: false ones to expect)"),
        "tier": ("str", "strict or exploratory"),
        "error_rate": ("Float64", "at what the tier is controlled: family-wise (strict) or false-discovery rate"),
        "family": ("str", "pattern_id of the family's leader, its own for a leader"),
        "folded": ("boolean", "whether the leader explains it; a leader is not folded"),
        "why_folded": ("str", "part of the leader, wider than it, or overlapping; blank for a leader"),
        "remark": ("str", "what to keep in mind of this pattern; blank: nothing"),
    }
)  # fmt: skip
"""Columns of `Patterns.patterns`: type and meaning. Leaders come first, strongest first, each with its family."""

TIMELINE: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "pattern_id": ("str", "which pattern"),
        "period": ("str", "label, in order; periods without records are there"),
        "observed": ("Int64", "records that hold it"),
        "known": ("Int64", "records where all its columns are known"),
        "expected": ("Float64", "how many there would be at the share outside the window"),
        "low": ("Float64", "lower end of where the count lies by chance, at the confidence asked for"),
        "high": ("Float64", "upper end"),
        "in_window": ("boolean", "whether the period is in the pattern's window"),
    }
)  # fmt: skip
"""Columns of `Patterns.timeline`: every leader, period by period."""

THRESHOLDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "tier": ("str", "strict or exploratory"),
        "length": ("Int64", "length of pattern that the row is about"),
        "combinations": ("Int64", "how many reach the minimum count"),
        "hypotheses": ("Int64", "pairs of combination and window, each direction"),
        "testable": ("Int64", "those that could be significant at all (Tarone)"),
        "threshold": ("Float64", "the largest p that is reported"),
        "season_threshold": (
            "Float64",
            "the largest p_season that is reported; blank where there is one cycle",
        ),
    }
)
"""Columns of `Patterns.thresholds`."""

STABLE: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "attributes": ("str", "canonical text"),
        "length": ("Int64", "how many attributes"),
        "observed": ("Int64", "records that hold it"),
        "expected": (
            "Float64",
            "how many if its last attribute were independent of the rest within each period",
        ),
        "lift": (
            "Float64",
            "common odds ratio over periods (Mantel–Haenszel), weakest split of the combination",
        ),
        "low": ("Float64", "lower end of its interval"),
        "high": ("Float64", "upper end of its interval"),
        "p_adjusted": ("Float64", "family-wise corrected"),
        "p_homogeneous": (
            "Float64",
            "whether the lift is the same in every period: small means that it changes",
        ),
    }
)
"""Columns of `find_stable`."""

DECISIONS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "look": ("Int64", "number of the look, from 1"),
        "period": ("str", "the period that had arrived"),
        "alpha": ("Float64", "error rate spent at this look; all looks together spend at most `strict`"),
        "pattern_id": ("str", "pattern of this decision; blank: the look itself"),
        "attributes": ("str", "canonical text; blank: the look itself"),
        "direction": ("str", "emerging, new or fading"),
        "first": ("str", "first period of the window"),
        "observed": ("Int64", "count in the window"),
        "expected": ("Float64", "count expected"),
        "ratio": ("Float64", "share in the window over the share before"),
        "p": ("Float64", "exact tail"),
        "decision": ("str", "looked (the look itself), alert, lasting or ended"),
    }
)
"""Columns of the state that `watch` hands on: one row a look, and one a decision about a pattern."""

LIVES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "attributes": ("str", "canonical text"),
        "direction": ("str", "emerging, new or fading"),
        "first_seen": ("str", "period of the first alert"),
        "last_seen": ("str", "last period in which it was an alert or lasted"),
        "alerts": ("Int64", "looks at which it was an alert"),
        "status": ("str", "alert (now), lasting (still away from its history) or ended"),
        "ratio": ("Float64", "the largest ratio so far (the smallest, of a fading pattern)"),
    }
)
"""Columns of `Watched.lives`: one row a pattern ever alerted to."""


@dataclass(frozen=True)
class Search:
    """What was searched.

    Attributes:
        records: Records with a period.
        periods: Labels of all periods, in order, with those that hold no record.
        columns: Columns that combine.
        combinations: Combinations that reach the minimum count.
        hypotheses: Pairs of combination and window, in the directions asked for.
        cells: Counts by combination and period that were made.
        cycle: Periods in a cycle, None without season.
        cycles: How many cycles of history there are (2 or more are needed to tell season from change).
        dispersion: Variance of counts over what chance gives, 1 where there is no more.
        seconds: How long it took.
    """

    records: int
    periods: tuple[str, ...]
    columns: tuple[str, ...]
    combinations: int
    hypotheses: int
    cells: int
    cycle: int | None
    cycles: int
    dispersion: float
    seconds: float


@dataclass(frozen=True)
class Patterns:
    """What a search found.

    Attributes:
        patterns: Columns of `PATTERNS`.
        timeline: Columns of `TIMELINE`.
        thresholds: Columns of `THRESHOLDS`.
        search: What was searched.
        remarks: Sentences that hold for the whole search.
    """

    patterns: pd.DataFrame
    timeline: pd.DataFrame
    thresholds: pd.DataFrame
    search: Search
    remarks: tuple[str, ...]

    @property
    def leaders(self) -> pd.DataFrame:
        """Patterns that no other explains."""
        return self.patterns[~self.patterns["folded"].astype(bool)].reset_index(drop=True)


@dataclass(frozen=True)
class Watched:
    """What one look at an arriving period decided.

    Attributes:
        alerts: Columns of `PATTERNS`: patterns whose window ends with the period, at this look's error rate.
        timeline: Columns of `TIMELINE`, of the alerts.
        decisions: Columns of `DECISIONS`: the state to hand to the next look.
        lives: Columns of `LIVES`.
        alpha: Error rate spent at this look.
        remarks: Sentences that hold for the look.
    """

    alerts: pd.DataFrame
    timeline: pd.DataFrame
    decisions: pd.DataFrame
    lives: pd.DataFrame
    alpha: float
    remarks: tuple[str, ...]


def table(kinds: Mapping[str, tuple[str, str]], rows: list[tuple]) -> pd.DataFrame:
    """Rows in the order of the declared columns as a typed frame."""
    frame = pd.DataFrame(rows, columns=list(kinds))
    return frame.astype({column: kind for column, (kind, _) in kinds.items()})
