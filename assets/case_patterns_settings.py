"""What a CasePatterns may declare besides its source: what is searched, how surely, and what is watched."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from assets.settings import Settings
from hrtech.patterns.declared import LONGEST, MAX_CELLS, Direction, PatternSettings, Period


class Watch(Settings):
    """Monitoring: each finished period is tested once against its history."""

    first: str = Field(
        description="The first period to look at, by its label, such as 2024-07; those before are its history."
    )
    unfinished: int = Field(
        default=1,
        ge=0,
        description="Newest periods that are not looked at yet, because records of them may still come in.",
    )


class Searched(Settings):
    """What is searched, in the field's words."""

    time: str = Field(
        description="Column with the time: a date, a year as a number, or a period as a category (2024-Q3, 2024-H1)."
    )
    period: Period = Field(
        default="automatic",
        description="What dates are counted by. automatic: dates by month, labels as they are. declared: as listed in "
        "`periods`.",
    )
    periods: list[str] = Field(
        default=[], description="Labels of the periods in order, with period: declared."
    )
    combine: list[str] = Field(
        default=[],
        description="Columns whose values combine. By default every category, multi-valued column and banded number.",
    )
    max_length: int = Field(default=4, ge=1, le=LONGEST, description="Most attributes in a pattern.")
    windows: list[int] = Field(
        default=[1, 2, 3],
        min_length=1,
        description="Lengths of the windows, in periods, in which a share may have changed.",
    )
    directions: list[Direction] = Field(
        default=["emerging", "fading"], min_length=1, description="Which changes are searched."
    )
    min_count: int = Field(
        default=5, ge=2, description="Fewest records of a pattern, all periods together. Lower searches more."
    )
    blank_means_no: list[str] = Field(
        default=[],
        description="Columns where an empty cell says no and counts as the value `none`. Elsewhere it is unknown.",
    )
    ignored: dict[str, list[str]] = Field(
        default={}, description="Column → values that make no pattern, though they are known, such as Other."
    )
    unknown: dict[str, list[str]] = Field(
        default={}, description="Column → values that say that nothing is known, such as N/A."
    )
    subject_id: str | None = Field(
        default=None,
        description="Identifier of whom a record is about: somebody with several records counts once a period.",
    )
    cycle: int | Literal["automatic", "none"] = Field(
        default="automatic",
        description="Periods in a season's cycle. automatic: a year of weeks, months, quarters or half-years.",
    )
    season_proof: bool = Field(
        default=False,
        description="Report only what no season explains; takes two cycles of history, and is silent without.",
    )
    strict: float = Field(
        default=0.05,
        gt=0,
        le=0.2,
        description="Probability of any false pattern in the strict tier, at most.",
    )
    exploratory: float = Field(
        default=0.10,
        ge=0,
        le=0.5,
        description="Share of false patterns expected in the exploratory tier, at most; 0 leaves the tier out.",
    )
    allow_for_clusters: bool = Field(
        default=True, description="Estimate whether records come in batches, and allow for it where they do."
    )
    confidence: float = Field(default=0.95, gt=0.5, lt=1, description="Coverage of the intervals of ratios.")
    draws: int = Field(
        default=400, ge=100, le=20_000, description="Random draws behind thresholds without a formula."
    )
    max_cells: int = Field(
        default=MAX_CELLS, ge=1000, description="Refuse a search of more combinations, before it starts."
    )
    seed: int = Field(default=1, ge=0, description="Seed of every draw.")

    def searched(self, columns: Sequence[str]) -> PatternSettings:
        """Return the settings as the science knows them.

        Args:
            columns: Columns that combine where the study names none.
        """
        return PatternSettings(
            time=self.time,
            columns=tuple(self.combine or columns),
            period=self.period,
            periods=tuple(self.periods),
            max_length=self.max_length,
            windows=tuple(self.windows),
            directions=tuple(self.directions),
            min_count=self.min_count,
            absence=tuple(self.blank_means_no),
            ignored={name: tuple(values) for name, values in self.ignored.items()},
            unknown={name: tuple(values) for name, values in self.unknown.items()},
            subject=self.subject_id,
            cycle=None if self.cycle == "none" else self.cycle,
            season_proof=self.season_proof,
            strict=self.strict,
            exploratory=self.exploratory,
            dispersion="automatic" if self.allow_for_clusters else "none",
            confidence=self.confidence,
            draws=self.draws,
            max_cells=self.max_cells,
            seed=self.seed,
        )
