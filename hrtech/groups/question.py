"""The comparison as data: which groups, which measures, over which periods, and how sure.

Invariant: a question that exists names each measure once, and gives each what its kind needs.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

from hrtech.causal.expression import columns_named

Kind = Literal["count", "share", "rate", "mean", "median"]
Every = Literal["month", "quarter", "half_year", "year"]
Compare = Literal["others", "pairs", "changes"]
Unknown = Literal["leave_out", "group"]

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
#: What each kind of measure takes besides its name, and what of it is needed.
_TAKES: Final[dict[str, tuple[frozenset[str], frozenset[str]]]] = {
    "count": (frozenset({"condition"}), frozenset()),
    "share": (frozenset({"condition"}), frozenset({"condition"})),
    "rate": (frozenset({"condition", "events", "exposure", "denominator"}), frozenset()),
    "mean": (frozenset({"column"}), frozenset({"column"})),
    "median": (frozenset({"column"}), frozenset({"column"})),
}
#: The group that a blank makes where blanks are a group of their own.
UNKNOWN: Final = "(unknown)"
#: Name of all windows together.
ALL: Final = "all"
#: Name of all groups together.
EVERYBODY: Final = "(all groups together)"


class GroupError(ValueError):
    """Groups that cannot be compared as declared; the message names the setting and the mend, and no value."""


@dataclass(frozen=True)
class Measure:
    """What is compared.

    Attributes:
        name: Name in lower-case letters, digits and underscores.
        kind: `count` of records; `share` of records with a condition, among those where it is known; `rate` of
            events by exposure; `mean`, `median` of a column of numbers.
        condition: Condition over columns; a record where it is unknown does not count.
        events: Column with the number of events of each row; by default a row is one event.
        exposure: Column with the exposure of each row.
        denominator: Column of the table of denominators, such as the population of each group.
        column: Column of numbers.
        scale: A rate is told per so much exposure, such as 100,000.
        words: What it is in a sentence, such as `share in debt`.
        truth: Attribute `column:value` of a simulated world's true counts that the condition is about.
    """

    name: str
    kind: Kind
    condition: str | None = None
    events: str | None = None
    exposure: str | None = None
    denominator: str | None = None
    column: str | None = None
    scale: float = 1.0
    words: str = ""
    truth: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise GroupError(
                f"'{self.name}' cannot name a measure. Use lower-case letters, digits and underscores "
                "[setting: measures]"
            )
        if self.kind not in get_args(Kind):
            raise GroupError(f"'{self.kind}' is no kind. Use {', '.join(get_args(Kind))} [setting: measures]")
        takes, needs = _TAKES[self.kind]
        optional = ("condition", "events", "exposure", "denominator", "column")
        given = {name for name in optional if getattr(self, name) is not None}
        if missing := sorted(needs - given):
            raise GroupError(
                f"Measure '{self.name}' is a {self.kind} and needs {' and '.join(missing)} [setting: measures]"
            )
        if wrong := sorted(given - takes):
            raise GroupError(
                f"Measure '{self.name}' is a {self.kind}, which takes no {wrong[0]} [setting: measures]"
            )
        if self.kind == "rate" and (self.exposure is None) == (self.denominator is None):
            raise GroupError(
                f"Measure '{self.name}' is a rate: name the exposure, a column of the records, or the denominator, a "
                "column of the table of denominators, and not both [setting: measures]"
            )
        if not self.scale > 0 or (self.scale != 1 and self.kind != "rate"):
            raise GroupError(
                f"The scale of a rate is above 0, and only a rate has one [setting: {self.name}]"
            )

    @property
    def plain(self) -> str:
        """What it is, in a sentence."""
        name = (self.column or self.name).replace("_", " ")
        start = {"share": "share of ", "mean": "mean ", "median": "median "}.get(self.kind, "")
        return self.words or start + name

    @property
    def columns(self) -> frozenset[str]:
        """Columns that it is about."""
        named = columns_named(self.condition, setting=f"measures, {self.name}") if self.condition else set()
        return frozenset(named | ({self.column} if self.column else set()))


@dataclass(frozen=True)
class GroupQuestion:
    """What is asked.

    Attributes:
        groups: Columns whose values make the groups; of several, each combination is one.
        measures: What is compared.
        filters: Conditions that a record must meet; where one is unknown it is left out, and counted.
        period: Column with the period: dates, numbers or words that sort.
        every: Length of a window where the period is a date.
        subject: Column that names the person behind a record; intervals then allow for several records of one.
        weight: Column with a survey weight.
        standardise: Columns whose mix is made the same in every group.
        compare: What is tested: each group against all others, pairs of groups, changes from window to window.
        unknown: What a blank in a column of groups means: left out and counted, or a group of its own.
        confidence: Coverage of intervals, and 1 minus the error rate of the strict tier.
        most_groups: More groups are refused.
        seed: Seed of the bootstrap of means.
    """

    groups: tuple[str, ...]
    measures: tuple[Measure, ...]
    filters: tuple[str, ...] = ()
    period: str | None = None
    every: Every = "year"
    subject: str | None = None
    weight: str | None = None
    standardise: tuple[str, ...] = ()
    compare: tuple[Compare, ...] = ("others", "pairs", "changes")
    unknown: Unknown = "leave_out"
    confidence: float = 0.95
    most_groups: int = 100
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("groups", "measures", "filters", "standardise", "compare"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("groups", "measures"):
            if not getattr(self, name):
                raise GroupError(f"Nothing is named. Name at least one [setting: {name}]")
        names = [measure.name for measure in self.measures]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise GroupError(f"Two measures are called '{twice[0]}' [setting: measures]")
        columns = [
            *self.groups,
            *self.standardise,
            *(c for c in (self.period, self.subject, self.weight) if c),
        ]
        if twice := sorted({name for name in columns if columns.count(name) > 1}):
            raise GroupError(
                f"Column '{twice[0]}' is named in two roles. A column is a group, the period, the subject, the weight "
                "or standardised for [setting: groups, period, subject, weight, standardise]"
            )
        self._check_choices()
        if self.standardise and not any(self.standardises(m) for m in self.measures):
            raise GroupError(
                "Shares, rates and means are standardised for other columns than their own; none is measured "
                "[setting: standardise]"
            )

    def standardises(self, measure: Measure) -> bool:
        """Whether a measure is standardised: for the columns that it is about it would be the same in every group."""
        able = measure.kind in ("share", "rate", "mean")
        return bool(self.standardise) and able and not measure.columns & set(self.standardise)

    def _check_choices(self) -> None:
        for name, allowed in (("every", Every), ("unknown", Unknown)):
            if getattr(self, name) not in get_args(allowed):
                raise GroupError(
                    f"'{getattr(self, name)}' is none of {', '.join(get_args(allowed))} [setting: {name}]"
                )
        if wrong := sorted(set(self.compare) - set(get_args(Compare))):
            raise GroupError(f"'{wrong[0]}' is none of {', '.join(get_args(Compare))} [setting: compare]")
        if not 0.5 < self.confidence < 1 or not 2 <= self.most_groups <= 500:
            raise GroupError(
                "The confidence is between 0.5 and 1, most_groups from 2 to 500 [setting: confidence, most_groups]"
            )
