"""What a release of marginals declares: columns, settings and the division of its budget.

All of it is public knowledge, checked when it is made, and never looks at a record.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field


class MarginalsError(ValueError):
    """Settings, schema or table that cannot be released; says which setting and what to do."""


@dataclass(frozen=True)
class MarginalColumn:
    """A column to release.

    Attributes:
        name: the column.
        values: its declared values (public knowledge), or None: measured privately and charged.
        multi_valued: whether a person may hold several values (list cells).
    """

    name: str
    values: tuple[str, ...] | None = None
    multi_valued: bool = False


@dataclass(frozen=True)
class MarginalsSchema:
    """The columns of a release, public knowledge."""

    columns: tuple[MarginalColumn, ...]

    def __post_init__(self) -> None:
        names = [c.name for c in self.columns]
        if not names:
            raise MarginalsError("columns: a release needs at least one column")
        if len(set(names)) != len(names):
            raise MarginalsError("columns: a column is listed twice")
        for column in self.columns:
            values = column.values
            if values is not None and (not values or "" in values or len(set(values)) != len(values)):
                raise MarginalsError(
                    f"values of column {column.name}: declare at least one, none empty, none twice; or leave them "
                    f"out to have them measured privately"
                )

    @property
    def undeclared(self) -> tuple[MarginalColumn, ...]:
        """Columns whose values are measured privately."""
        return tuple(c for c in self.columns if c.values is None)

    def most_attributes(self) -> int | None:
        """How many attributes a person can hold; None if only a declared cap can bound it."""
        return most_attributes(self.columns)


def most_attributes(columns: Sequence[MarginalColumn]) -> int | None:
    """How many attributes one person can hold in some columns; None if nothing bounds it."""
    most = 0
    for column in columns:
        if not column.multi_valued:
            most += 1
        elif column.values is None:
            return None
        else:
            most += len(column.values)
    return most


@dataclass(frozen=True)
class BudgetShares:
    """How rho is divided among the steps that run, in proportion to these numbers."""

    people: float = 0.02
    vocabulary: float = 0.10
    length_1: float = 0.15
    length_2: float = 0.73

    def __post_init__(self) -> None:
        if not all(math.isfinite(s) and s > 0 for s in asdict(self).values()):
            raise MarginalsError("shares: every step needs a share above 0")


@dataclass(frozen=True)
class MarginalsSettings:
    """What a release may cost and how it is published.

    Attributes:
        epsilon: privacy loss at ``delta``; above 0, at most ``largest_epsilon``.
        delta: failure probability, above 0 and below 1; far below 1 / people.
        reporting_length: longest combinations, 1 or 2.
        max_attributes_per_person: declared cap; None = the bound that follows from the schema.
        shares: division of rho among the steps.
        vocabulary_delta_share: share of delta for undeclared values; the rest converts rho to epsilon.
        confidence: level of the published intervals.
        publish_above: cells with a noisy count below this many noise standard deviations are suppressed.
            Low fabricates, high suppresses: of cells that nobody holds a share of about 1 - Phi(this) is
            published.
        max_vocabulary: most undeclared values kept, largest first.
        max_cells: most pairs measured; more is refused.
        largest_epsilon: an epsilon above this is refused, as it protects nobody.
    """

    epsilon: float
    delta: float
    reporting_length: int = 2
    max_attributes_per_person: int | None = None
    shares: BudgetShares = field(default_factory=BudgetShares)
    vocabulary_delta_share: float = 0.1
    confidence: float = 0.95
    publish_above: float = 2.0
    max_vocabulary: int = 500
    max_cells: int = 1_000_000
    largest_epsilon: float = 12.0

    def __post_init__(self) -> None:
        cap = self.max_attributes_per_person
        rules = (
            (0 < self.epsilon < math.inf, "epsilon is above 0"),
            (
                self.epsilon <= self.largest_epsilon,
                f"epsilon is at most largest_epsilon = {self.largest_epsilon:g}: a larger one protects nobody",
            ),
            (0 < self.delta < 1, "delta is between 0 and 1, and far below 1 / people"),
            (self.reporting_length in (1, 2), "reporting_length is 1 or 2"),
            (cap is None or cap >= 1, "max_attributes_per_person is at least 1, or left out"),
            (0 < self.vocabulary_delta_share < 1, "vocabulary_delta_share is between 0 and 1"),
            (0 < self.confidence < 1, "confidence is between 0 and 1"),
            (0 <= self.publish_above < math.inf, "publish_above is 0 or more standard deviations"),
            (self.max_vocabulary >= 1, "max_vocabulary is at least 1"),
            (self.max_cells >= 1, "max_cells is at least 1"),
        )
        broken = [rule for holds, rule in rules if not holds]
        if broken:
            raise MarginalsError("settings: " + "; ".join(broken))
