"""What a release would tell, before any of the budget is spent: advice on epsilon, and a dry run.

From public knowledge alone: the settings, the columns with their declared values, and the number of people as it is
declared or as an earlier release told it. No record is seen and nothing is charged. People are invented who could have
been in such records (`advice_people`), in two manners between which real records are expected to lie, and the
mechanism itself is run on them with noise from a seeded generator, which protects nobody and has nobody to protect.

How near it comes: releases at six epsilons and two lengths of two tables (21,195 records of sixteen columns, many of
them alike; a simulated world of 15,798 people and eight columns) were compared with three advices each. Of the bands
from 10 people on with at least 50 combinations, 96 % had an error within a factor of 1.5 of the expected one, and all
within 2; the noise was within 1.8. Below 10 people, with epsilon below 1, up to four times the error is expected that
a release has, because it tells nothing there. Shares told are less sure: in nine of ten comparisons right to within 1
of 100 combinations from 100 people on, but up to 55 of 100 too high below 50 people; the range of the worlds does not
always enclose them. The manners were chosen after a look at these two tables; on a third, 3,000 complaints of nine
columns, that was looked at afterwards, bands with at least 50 combinations were within a factor of 1.6.

What it cannot know: how unevenly values are spread, how much is left blank, how much people resemble each other, and
where in its band a count lies. Many groups of like people make a release tell less than advised. Errors of the records
themselves are no part of it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr
from threadpoolctl import threadpool_limits

from hrtech.facts.frames import rows
from hrtech.release.advice_columns import column_costs
from hrtech.release.advice_people import ALIKE, APART, invent_people
from hrtech.release.advice_trials import Trial, World, expected_table, smallest_told, try_releases
from hrtech.release.declared import ReleaseError, ReleaseSchema, ReleaseSettings
from hrtech.release.dry_run import combinations_of
from hrtech.release.layout import Layout
from hrtech.release.plan import Plan, plan_release
from hrtech.release.public_evaluation import ALL, band_names
from hrtech.release.records import holders
from hrtech.release.vocabulary import UNIT, weight_of

EPSILONS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
#: Values that an undeclared column is assumed to have.
ASSUMED_VALUES = 10
#: Worlds that are invented, each in one of the manners.
WORLDS = (APART, ALIKE, ALIKE)
#: Chance at which an undeclared value is found that counts as found.
FOUND = 0.9

#: Epsilons that are tried; what the others tell follows from them.
_TRIED = 3
#: People times combinations of one trial, its fewest and most people, and for how many each stands at most.
_WORK = 1.5e9
_FEWEST, _MOST = 5_000, 100_000
_MOST_TIMES = 20
#: OpenDP's curve from rho to epsilon ends somewhere above.
_LARGEST_RHO = 5e3
#: People from whom the costs of columns are worked out, in each manner.
_SAMPLE = 2_000
#: Columns that a warning speaks of, and the share of all combinations from which one is worth it.
_COSTLY, _COSTLY_SHARE = 3, 0.3


class SimulatedNoise:
    """Noise from a seeded generator: never for records, because whoever knows the seed can take it away again.

    It stands in for OpenDP's noise where a release of invented people is tried, and has its distributions.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def vector(self, values: NDArray[np.int64], scale: float) -> NDArray[np.int64]:
        """The values plus rounded normal noise."""
        return values + np.rint(self._rng.normal(0, scale, len(values))).astype(np.int64)

    def above_threshold(self, counts: Mapping[str, int], scale: float, threshold: int) -> dict[str, int]:
        """Noisy counts of the keys whose noisy count exceeds the threshold."""
        noisy = self.vector(np.array(list(counts.values()), dtype=np.int64), scale)
        return {key: int(n) for key, n in zip(counts, noisy, strict=True) if n > threshold}

    def quantile(self, values: NDArray[np.int64], candidates: list[int], alpha: float, scale: float) -> int:
        """The candidate closest to a quantile of the values, by Gumbel noise on how many lie on the wrong side."""
        ordered, points = np.sort(values), np.array(candidates, dtype=np.int64)
        below = np.searchsorted(ordered, points, side="left")
        above = len(ordered) - np.searchsorted(ordered, points, side="right")
        wrong = np.abs((1 - alpha) * below - alpha * above)
        return int(points[np.argmin(wrong - self._rng.gumbel(0, scale, len(points)))])


@dataclass(frozen=True)
class Advice:
    """What releases with several epsilons would tell, expected without any record.

    Errors are of what is told about a combination of attributes, in people; one that is not told counts as 0.

    Attributes:
        settings: Of the release that is advised on; its epsilon is among those advised on.
        people: Number of people.
        table: Per `epsilon`, `length` and `band` of the true count (`all`: every combination that somebody holds):
            `combinations` (how many somebody holds, mean of the worlds); `noise` (standard deviation of one
            measured count, in people); `expected_absolute_error` (people), and `error_low`, `error_high`, the
            mildest and the hardest of the invented worlds; `expected_relative_error` (share of the true count);
            `told_share`, `told_low`, `told_high` (share of the combinations that is not suppressed); `usable_share`
            (share that is told and off by less than half of the true count).
        summary: Per `epsilon`: `rho` and `delta` of the charge; `tried` (else it follows from epsilons around);
            `noise`; `mean_error` (people), `told_share` and `usable_share` of combinations that at least 10 people
            hold; `half_told` and `reliably_told`, the smallest counts told with 50 and 90 % chance in the hardest world
            (of combinations of several attributes, where there are any; missing: none); `smallest_value_found`, people
            who must hold an undeclared value for it to be found with 90 % chance (missing: all are declared, or none
            would be found).
        cells: Per `length` how many `combinations` people could hold, all of which are measured.
        columns: What each column costs, as `advice_columns.column_costs` says.
        assumed: Undeclared column → how many values it was assumed to have.
        stands_for: How many people each invented one stands for.
        warnings: What to think about before spending, in plain sentences.
    """

    settings: ReleaseSettings
    people: int
    table: pd.DataFrame
    summary: pd.DataFrame
    cells: pd.DataFrame
    columns: pd.DataFrame
    assumed: Mapping[str, int]
    stands_for: float
    warnings: tuple[str, ...] = ()

    def at(self, epsilon: float) -> dict[str, float]:
        """The row of the summary for an epsilon, missing values as nan.

        Raises:
            KeyError: Nothing was advised on it.
        """
        own = self.summary.loc[self.summary["epsilon"] == epsilon]
        if not len(own):
            raise KeyError(f"epsilon {epsilon:g}")
        return {str(name): float(value) for name, value in own.iloc[0].items()}


def advise(
    settings: ReleaseSettings,
    schema: ReleaseSchema,
    people: int,
    epsilons: Sequence[float] = EPSILONS,
    *,
    rng: np.random.Generator,
) -> Advice:
    """Say what a release would tell at several epsilons. Sees no record and charges nothing.

    Takes some seconds for ten columns, and for very many combinations about as long as six releases.

    Args:
        settings: Of the release; its own epsilon is advised on too.
        schema: Columns. Undeclared ones are assumed to have `ASSUMED_VALUES` values, or fewer where more would not be
            measured.
        people: Number of people, as it is declared or as an earlier release told it; never counted from the records.
        epsilons: To choose from. Those above the largest that is allowed are advised on, with a warning.
        rng: Decides who is invented and the simulated noise: the same generator, the same advice.

    Raises:
        ReleaseError: No release is possible at one of these epsilons, or there are no people.
    """
    if people < 1 or not epsilons:
        raise ReleaseError("advice: needs the number of people, at least 1, and at least one epsilon")
    wanted = sorted({*map(float, epsilons), float(settings.epsilon)})
    asked = {e: _at(settings, e) for e in wanted}
    plans = {e: plan_release(one, schema) for e, one in asked.items()}
    rhos = {e: plan.charge.rho for e, plan in plans.items()}
    known = with_assumed_values(settings, schema)
    layout = Layout(known, settings.reporting_length)
    cells = combinations_of(known, settings.reporting_length)
    number = people_tried(people, int(cells["combinations"].sum()))
    times = min(people / number, math.sqrt(_LARGEST_RHO / max(rhos.values())))
    tried = {e: asked[e] for e in spread_out(rhos)}
    trials: list[Trial] = []
    sample, held = [], []
    with threadpool_limits(1):
        for manner in WORLDS:
            invented, noise = (np.random.default_rng(int(seed)) for seed in rng.integers(2**62, size=2))
            each = replace(manner, alike=max(1.0, manner.alike / times))
            states = invent_people(layout, number, each, invented)
            sample.append(holders(states[:_SAMPLE], layout))
            held.append(_undeclared_held(sample[-1], layout, schema))
            world = World(f"{manner.name} {len(sample)}", states, layout, times)
            trials += try_releases(world, tried, schema, plans, SimulatedNoise(noise), noise)
        costs = column_costs(np.concatenate(sample), layout, settings, people)
    table, smallest = expected_table(trials, rhos), smallest_told(trials, rhos, people)
    summary = pd.DataFrame(
        [
            {
                "epsilon": e,
                "rho": rhos[e],
                "delta": settings.delta,
                "tried": e in tried,
                **_overall(table.loc[table["epsilon"] == e]),
                **smallest[e],
                "smallest_value_found": smallest_value_found(plans[e], float(np.mean(held)), people),
            }
            for e in wanted
        ]
    )
    assumed = {c.name: len(known.by_name[c.name].values or ()) for c in schema.undeclared}
    made = Advice(settings, people, table, summary, cells, costs, assumed, times)
    return replace(made, warnings=tuple(_warnings(made)))


def _at(settings: ReleaseSettings, epsilon: float) -> ReleaseSettings:
    """The settings with another epsilon, whether or not it is allowed."""
    return replace(settings, epsilon=epsilon, largest_epsilon=max(epsilon, settings.largest_epsilon))


def with_assumed_values(settings: ReleaseSettings, schema: ReleaseSchema) -> ReleaseSchema:
    """The columns, undeclared ones with values that are assumed: as many as are measured."""
    names = {c.name for c in schema.undeclared}
    for number in range(ASSUMED_VALUES, 0, -1):
        values = tuple(f"value {k + 1}" for k in range(number))
        columns = tuple(replace(c, values=values) if c.name in names else c for c in schema.columns)
        known = ReleaseSchema.known(columns, schema.impossible)
        cells = combinations_of(known, settings.reporting_length)["combinations"].sum()
        if not names or cells <= settings.max_cells:
            break
    return known


def people_tried(people: int, cells: int) -> int:
    """How many people are invented: all of them, or as many as take a reasonable time."""
    number = max(_WORK / max(cells, 1), _FEWEST, people / _MOST_TIMES)
    return min(people, int(min(number, _MOST)))


def spread_out(rhos: Mapping[float, float]) -> list[float]:
    """The epsilons that are tried: the smallest, the largest, and the one nearest to their middle."""
    every = sorted(rhos)
    if len(every) <= _TRIED:
        return every
    middle = (math.log(rhos[every[0]]) + math.log(rhos[every[-1]])) / 2
    return [every[0], min(every[1:-1], key=lambda e: abs(math.log(rhos[e]) - middle)), every[-1]]


def _undeclared_held(rows: NDArray[np.uint8], layout: Layout, schema: ReleaseSchema) -> float:
    """How many undeclared values a person holds, of those who hold any; 1 where nobody does."""
    names = {c.name for c in schema.undeclared}
    own = rows[:, [column in names for column, _ in layout.attributes]].sum(axis=1)
    return float(own[own > 0].mean()) if (own > 0).any() else 1.0


def smallest_value_found(plan: Plan, held: float, people: int) -> float:
    """How many people must hold an undeclared value for it to be found with the chance `FOUND`; missing: too many.

    Args:
        plan: Noise and thresholds of the search.
        held: Undeclared values that such a person holds in the first round. In the second, only this one is left.
        people: Number of people.
    """
    number = np.arange(1, people + 1)
    missed = np.ones(people)
    for k, one in enumerate(plan.rounds):
        each = UNIT if k else weight_of(max(1, min(round(held), plan.most_undeclared)))
        missed *= ndtr((one.threshold - number * each) / one.scale)
    enough = np.flatnonzero(1 - missed >= FOUND)
    return float(number[enough[0]]) if len(enough) else float("nan")


def _overall(table: pd.DataFrame) -> dict[str, float]:
    """Noise of all combinations that somebody holds; error and share of those that enough people hold."""
    banded = table.loc[table["band"] != ALL]
    many = banded.loc[banded["band"] != band_names()[0]]
    return {
        "noise": _mean(banded, "noise"),
        "mean_error": _mean(many, "expected_absolute_error"),
        "told_share": _mean(many, "told_share"),
        "usable_share": _mean(many, "usable_share"),
    }


def _mean(table: pd.DataFrame, name: str) -> float:
    known = table.loc[table[name].notna() & (table["combinations"] > 0)]
    return float(np.average(known[name], weights=known["combinations"])) if len(known) else float("nan")


def _warnings(advice: Advice) -> list[str]:
    return [
        *_about_settings(advice),
        *_about_noise(advice),
        *_about_undeclared(advice),
        *_about_columns(advice),
    ]


def _about_settings(advice: Advice) -> list[str]:
    settings, said = advice.settings, []
    if settings.delta * advice.people >= 1:
        said.append(
            f"delta is {settings.delta:g}, which is not below 1 / people = {1 / advice.people:.2g}: the promise may "
            "fail somebody altogether. Use a far smaller one."
        )
    above = [f"{e:g}" for e in advice.summary["epsilon"] if e > settings.largest_epsilon]
    if above:
        said.append(
            f"A release with epsilon {', '.join(above)} would be refused: the largest allowed is "
            f"{settings.largest_epsilon:g}."
        )
    return said


def _about_noise(advice: Advice) -> list[str]:
    """Lengths of which most combinations would drown, and small counts."""
    epsilon = advice.settings.epsilon
    own = advice.table.loc[(advice.table["epsilon"] == epsilon) & (advice.table["band"] == ALL)]
    said = [
        f"With epsilon {epsilon:g} {_most(row['length'])} will be noise: of those that somebody holds about "
        f"{100 * row['usable_share']:.0f} % would be told to within half of their count. Use a lower reporting_length, "
        "fewer columns or values, or a larger epsilon."
        for row in rows(own)
        if row["usable_share"] < 0.5
    ]
    at = advice.at(epsilon)
    if not at["reliably_told"] <= advice.people / 10:
        said.append(
            f"With epsilon {epsilon:g} a combination must be held by more than a tenth of the {advice.people:,} people "
            "to be told reliably: there are too few people for these columns, this reporting_length and this epsilon."
        )
    if advice.stands_for > 1:
        said.append(
            f"Each invented person stands for {advice.stands_for:.3g} people here, to save time: nothing can be said "
            "of smaller counts, and what is said of counts a few times as large is coarse."
        )
    return said


def _most(length: int) -> str:
    return "most attributes" if length == 1 else f"most combinations of {length} attributes"


def _about_undeclared(advice: Advice) -> list[str]:
    if not advice.assumed:
        return []
    number = max(advice.assumed.values())
    said = [
        f"The values of {', '.join(advice.assumed)} are not declared; {number} were assumed here for each. Declared "
        "values cost nothing, and rare ones are then not lost."
    ]
    if math.isnan(advice.at(advice.settings.epsilon)["smallest_value_found"]):
        said.append("No undeclared value would be found reliably, even if everybody held it.")
    return said


def _about_columns(advice: Advice) -> list[str]:
    said = []
    for row in rows(advice.columns.head(_COSTLY)):
        if row["combinations_share"] < _COSTLY_SHARE or len(advice.columns) == 1:
            continue
        words = (
            f"Leaving out {row['column']} ({row['values']} values) would save "
            f"{100 * row['combinations_share']:.0f} % of the combinations"
        )
        if row["noise_saved"] is not None:
            words += f" and {100 * row['noise_saved']:.0f} % of the noise in the others"
        if row["bands"] is not None:
            words += (
                f"; banding its values into {row['bands']:.0f} would save "
                f"{100 * row['combinations_saved_by_bands']:.0f} % and {100 * row['noise_saved_by_bands']:.0f} %"
            )
        said.append(words + ".")
    return said
