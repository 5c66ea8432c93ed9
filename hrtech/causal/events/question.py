"""The question about an event as data: who, what, when, compared with whom, and by which rules.

Invariant: a question that exists says the event in one way, and names each method once.
"""

from dataclasses import dataclass
from typing import Final, Literal, get_args

from hrtech.causal.question import EffectError

Estimator = Literal[
    "synthetic_did",
    "difference_in_differences",
    "synthetic_control",
    "callaway_santanna",
    "sun_abraham",
]
Alignment = Literal["fixed", "shifted", "staggered"]
Controls = Literal["not_yet_treated", "never_treated"]
Missing = Literal["leave_out", "interpolate", "refuse"]
Interval = Literal["automatic", "placebo", "jackknife", "bootstrap"]
Direction = Literal["increases", "decreases", "changes"]

BLOCK: Final = ("synthetic_did", "difference_in_differences", "synthetic_control")
STAGGERED: Final = ("callaway_santanna", "sun_abraham")


class EventError(EffectError):
    """An event that the panel cannot answer about, or not without misleading; the message says why and the mend."""


@dataclass(frozen=True)
class EventQuestion:
    """What is asked.

    Attributes:
        hypothesis: The claim in words.
        unit: Column that names the unit.
        period: Column with the period: whole numbers or dates.
        outcomes: Columns of numbers.
        per: Column that every outcome is divided by, such as the population; None: none.
        scale: Factor after dividing, such as 100,000.
        treated: Column with 1 where the event was in force, 0 elsewhere.
        adopted: Column with the first period of the event, blank where there never was one.
        treated_units: Units of the event, with `event_period`.
        event_period: First period of the event, as it is written in the data (dates in ISO form).
        direction: What the hypothesis expects.
        estimators: The first gives the headline; empty: chosen by the design.
        alignment: How units that adopt at different times are brought together (see `align`).
        controls: Who is compared with: units before their own event too, or those without one alone.
        anticipation: Periods before the event in which it may already have worked; not used as the past.
        missing: What happens to a unit with a blank or absent period.
        min_before: Fewest periods before the event that a treated unit needs.
        interval: How standard errors of block methods are found.
        confidence: Coverage of intervals.
        simulations: Draws of the bootstraps and of placebo groups.
        honest: How far trends may part after the event, as multiples of the worst seen before it.
        seed: Seed of every draw.
    """

    hypothesis: str
    unit: str
    period: str
    outcomes: tuple[str, ...]
    per: str | None = None
    scale: float = 1.0
    treated: str | None = None
    adopted: str | None = None
    treated_units: tuple[str, ...] = ()
    event_period: str | None = None
    direction: Direction = "changes"
    estimators: tuple[Estimator, ...] = ()
    alignment: Alignment = "staggered"
    controls: Controls = "not_yet_treated"
    anticipation: int = 0
    missing: Missing = "leave_out"
    min_before: int = 3
    interval: Interval = "automatic"
    confidence: float = 0.95
    simulations: int = 200
    honest: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0)
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("outcomes", "treated_units", "estimators", "honest"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not self.outcomes:
            raise EventError("No outcome is named. Name a column of numbers [setting: outcomes]")
        for name in ("outcomes", "estimators", "treated_units"):
            values = getattr(self, name)
            if twice := sorted({value for value in values if values.count(value) > 1}):
                raise EventError(f"'{twice[0]}' is named twice. Name it once [setting: {name}]")
        columns = (self.unit, self.period, *self.outcomes, self.per, self.treated, self.adopted)
        named = [name for name in columns if name is not None]
        if twice := sorted({name for name in named if named.count(name) > 1}):
            raise EventError(
                f"Column '{twice[0]}' is named in two roles. A column is the unit, the period, the outcome, the "
                "divisor or the event [setting: unit, period, outcomes, per, treated, adopted]"
            )
        self._check_event()
        self._check_numbers()

    def _check_event(self) -> None:
        listed = bool(self.treated_units) or self.event_period is not None
        ways = (self.treated is not None) + (self.adopted is not None) + listed
        if ways != 1:
            raise EventError(
                "Say the event in one way: a column that is 1 where it was in force (treated), a column with its "
                "first period (adopted), or the units with their first period (treated_units, event_period) "
                f"[setting: treated, adopted, treated_units; {ways} are given]"
            )
        if listed and not (self.treated_units and self.event_period is not None):
            raise EventError(
                "Units of the event and its first period belong together [setting: treated_units, event_period]"
            )

    def _check_numbers(self) -> None:
        choices = (
            ("direction", Direction),
            ("alignment", Alignment),
            ("controls", Controls),
            ("missing", Missing),
            ("interval", Interval),
        )
        for name, allowed in choices:
            if getattr(self, name) not in get_args(allowed):
                raise EventError(
                    f"'{getattr(self, name)}' is no {name}. Use {', '.join(get_args(allowed))} [setting: {name}]"
                )
        if unknown := sorted(set(self.estimators) - set(get_args(Estimator))):
            raise EventError(
                f"Estimator '{unknown[0]}' is unknown. Use {', '.join(get_args(Estimator))} [setting: estimators]"
            )
        if not 0.5 < self.confidence < 1:
            raise EventError("The confidence is between 0.5 and 1 [setting: confidence]")
        if self.anticipation < 0 or self.min_before < 1 or self.simulations < 50 or not self.scale > 0:
            raise EventError(
                "anticipation is 0 or more, min_before 1 or more, simulations 50 or more, scale above 0 "
                "[setting: anticipation, min_before, simulations, scale]"
            )
        if any(not value >= 0 for value in self.honest):
            raise EventError("Allowed violations are 0 or more [setting: honest]")
