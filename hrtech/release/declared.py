"""What a release declares: columns, public knowledge about them, settings and the division of its budget.

All of it is public, checked when it is made, and never looks at a record. Everything else that a release needs to
know about the records is measured with noise and charged.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property

Attribute = tuple[str, str]

#: What a cell says when it says "no": not an attribute, except in columns with sensitive zeros.
ZERO = "0"
LONGEST = 5


class ReleaseError(ValueError):
    """Settings, columns or table that cannot be released; says which setting and what to do."""


@dataclass(frozen=True)
class ReleaseColumn:
    """A column to release.

    Attributes:
        name: The column.
        values: Its declared values (public knowledge), or None: measured privately and charged.
        multi_valued: Whether a person may hold several values (list cells).
        sensitive_zeros: Whether "0" is information and counts as a value; otherwise it says "no" and is left out,
            as a blank is left out for "unknown".
        parent: Column that this one refines (a region, for countries), or None.
        parent_values: Value of this column → value of the parent (public knowledge); every declared value has one.
    """

    name: str
    values: tuple[str, ...] | None = None
    multi_valued: bool = False
    sensitive_zeros: bool = False
    parent: str | None = None
    parent_values: Mapping[str, str] = field(default_factory=dict)

    @property
    def attributes(self) -> tuple[str, ...]:
        """Declared values that count as attributes."""
        return tuple(v for v in self.values or () if self.sensitive_zeros or v != ZERO)


@dataclass(frozen=True)
class ReleaseSchema:
    """The columns of a release and what is public knowledge about them.

    Attributes:
        columns: The columns.
        impossible: Pairs of attributes of different columns that nobody can hold together (structural zeros).
        found: Whether values were found privately: a column may then have none.
    """

    columns: tuple[ReleaseColumn, ...]
    impossible: tuple[tuple[Attribute, Attribute], ...] = ()
    found: bool = False

    @classmethod
    def known(
        cls, columns: tuple[ReleaseColumn, ...], impossible: tuple[tuple[Attribute, Attribute], ...]
    ) -> "ReleaseSchema":
        """Columns whose values were found privately; what is impossible among values not found is left out."""
        values = {c.name: set(c.attributes) for c in columns}
        left = tuple(p for p in impossible if all(v in values.get(c, ()) for c, v in p))
        return cls(columns, left, found=True)

    def __post_init__(self) -> None:
        names = [c.name for c in self.columns]
        if not names:
            raise ReleaseError("columns: a release needs at least one column")
        if len(set(names)) != len(names):
            raise ReleaseError("columns: a column is listed twice")
        for column in self.columns:
            values = column.values
            if values is not None and (
                (not values and not self.found) or "" in values or len(set(values)) != len(values)
            ):
                raise ReleaseError(
                    f"values of column {column.name}: declare at least one, none empty, none twice; or leave them "
                    f"out to have them measured privately"
                )
            self._check_parent(column)
        for pair in self.impossible:
            self._check_impossible(pair)

    def _check_parent(self, column: ReleaseColumn) -> None:
        if column.parent is None:
            return
        parent = self.by_name.get(column.parent)
        problem = None
        if parent is None or parent is column:
            problem = f"its parent {column.parent} is no other column of the release"
        elif parent.multi_valued or column.multi_valued or parent.parent is not None:
            problem = "both columns hold one value each, and a parent has no parent of its own"
        elif column.values is None or parent.values is None:
            problem = "declare the values of both columns: what refines what is public knowledge"
        elif sum(c.parent == column.parent for c in self.columns) > 1:
            problem = f"{column.parent} is refined by another column already"
        elif set(column.attributes) - set(column.parent_values):
            problem = "parent_values names no parent for some of its values"
        elif set(column.parent_values.values()) - set(parent.attributes):
            problem = f"parent_values names values that {column.parent} does not declare"
        if problem:
            raise ReleaseError(f"column {column.name}: {problem} [setting: parent]")

    def _check_impossible(self, pair: tuple[Attribute, Attribute]) -> None:
        (one, one_value), (other, other_value) = pair
        for name, value in pair:
            column = self.by_name.get(name)
            if column is None:
                raise ReleaseError(f"impossible: {name} is no column of the release")
            if column.values is not None and value not in column.attributes:
                raise ReleaseError(f"impossible: {name} declares no value '{value}'")
        if one == other:
            raise ReleaseError(
                f"impossible: '{one_value}' and '{other_value}' are of one column; name two columns"
            )

    @cached_property
    def by_name(self) -> dict[str, ReleaseColumn]:
        """Columns by their names."""
        return {c.name: c for c in self.columns}

    @property
    def undeclared(self) -> tuple[ReleaseColumn, ...]:
        """Columns whose values are measured privately."""
        return tuple(c for c in self.columns if c.values is None)

    def most_attributes(self) -> int | None:
        """How many attributes a person can hold; None where only a cap can bound it."""
        return most_attributes(self.columns)


def most_attributes(columns: Sequence[ReleaseColumn]) -> int | None:
    """How many attributes one person can hold in some columns; None if nothing bounds it."""
    most = 0
    for column in columns:
        if not column.multi_valued:
            most += 1
        elif column.values is None:
            return None
        else:
            most += len(column.attributes)
    return most


@dataclass(frozen=True)
class BudgetShares:
    """How rho is divided, in proportion to these numbers; a step that does not run leaves its share to the others.

    Attributes:
        vocabulary: Values of undeclared columns.
        centres: How frequent each attribute is, roughly.
        bound: How much one person weighs, in private.
        moments: The counts themselves; how lengths share them follows from the centres.
    """

    vocabulary: float = 0.05
    centres: float = 0.03
    bound: float = 0.03
    moments: float = 0.94

    def __post_init__(self) -> None:
        if not all(math.isfinite(s) and s > 0 for s in asdict(self).values()):
            raise ReleaseError("shares: every step needs a share above 0")


@dataclass(frozen=True)
class ReleaseSettings:
    """What a release may cost and how it is published.

    Attributes:
        epsilon: Privacy loss at `delta`; above 0, at most `largest_epsilon`.
        delta: Failure probability, above 0 and below 1; far below 1 / people.
        reporting_length: Longest combinations, 1 to 5.
        false_share: Fabrication against suppression: largest share of the published combinations that nobody may
            hold, as expected from the noise. Lower suppresses more.
        people: Declared number of people (public knowledge), or None: measured privately and charged.
        most_undeclared: Most attributes of one person that count while undeclared values are looked for; the
            others are left out there at random. It matters for delta alone, and hardly.
        shares: Division of rho among the steps.
        vocabulary_delta_share: Share of delta for undeclared values; the rest converts rho to epsilon.
        confidence: Level of the published intervals.
        max_vocabulary: Most undeclared values kept, largest first.
        max_cells: Most combinations measured; more is refused.
        largest_epsilon: An epsilon above this is refused, as it protects nobody.
    """

    epsilon: float
    delta: float
    reporting_length: int = 3
    false_share: float = 0.05
    people: int | None = None
    most_undeclared: int = 64
    shares: BudgetShares = field(default_factory=BudgetShares)
    vocabulary_delta_share: float = 0.1
    confidence: float = 0.95
    max_vocabulary: int = 400
    max_cells: int = 2_000_000
    largest_epsilon: float = 12.0

    def __post_init__(self) -> None:
        rules = (
            (0 < self.epsilon < math.inf, "epsilon is above 0"),
            (
                self.epsilon <= self.largest_epsilon,
                f"epsilon is at most largest_epsilon = {self.largest_epsilon:g}: a larger one protects nobody",
            ),
            (0 < self.delta < 1, "delta is between 0 and 1, and far below 1 / people"),
            (1 <= self.reporting_length <= LONGEST, f"reporting_length is 1 to {LONGEST}"),
            (0 < self.false_share < 1, "false_share is between 0 and 1"),
            (self.people is None or self.people >= 1, "people is at least 1, or left out"),
            (self.most_undeclared >= 1, "most_undeclared is at least 1"),
            (0 < self.vocabulary_delta_share < 1, "vocabulary_delta_share is between 0 and 1"),
            (0 < self.confidence < 1, "confidence is between 0 and 1"),
            (self.max_vocabulary >= 1, "max_vocabulary is at least 1"),
            (self.max_cells >= 1, "max_cells is at least 1"),
        )
        broken = [rule for holds, rule in rules if not holds]
        if broken:
            raise ReleaseError("settings: " + "; ".join(broken))
