"""Trials of a release on invented people: what it tells at some epsilons, and so at all those between.

A trial runs the mechanism and what is worked out from it up to the choice of what is told. The repair of synthetic
people is left out: it changes the mean errors of bands by some 10 % and takes most of the time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtech.privacy.accounting import epsilon_of
from hrtech.privacy.discrete_noise import Noise
from hrtech.release.declared import ReleaseSchema, ReleaseSettings
from hrtech.release.estimate import estimate
from hrtech.release.fit import fit_mixture
from hrtech.release.layout import Cells, Layout
from hrtech.release.mechanism import _draw
from hrtech.release.plan import Plan
from hrtech.release.public_evaluation import ALL, BANDS, band_names
from hrtech.release.publish import count_people
from hrtech.release.records import States, as_table
from hrtech.release.support import dial, isotonic, scores

#: A band with fewer combinations says nothing about a manner on its own.
_FEWEST_CELLS = 5
#: A world counts by its combinations of a band, up to so many.
_MOST_WEIGHT = 100
#: Shares are interpolated on the log-odds, which end here.
_CLIP = 0.002
MEASURES = ("noise", "expected_absolute_error", "expected_relative_error", "told_share", "usable_share")
#: What is told is of use where it is off by less than this share of the true count.
_OF_USE = 0.5
#: Chances at which the smallest count that is told is given.
CHANCES = {"half_told": 0.5, "reliably_told": 0.9}

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """Invented people who stand for more.

    Attributes:
        name: Tells worlds apart.
        states: Shape (people, groups of the layout).
        layout: With all values, those assumed too.
        times: How many people each stands for.
    """

    name: str
    states: States
    layout: Layout
    times: float


@dataclass(frozen=True)
class Trial:
    """What one release told about the combinations that somebody in a world holds.

    Attributes:
        epsilon: Of the release.
        world: Its name.
        cells: `length`, `count` (true), `error` (of what is told), `told`, `noise` (standard deviation of one count).
    """

    epsilon: float
    world: str
    cells: pd.DataFrame


def try_releases(
    world: World,
    settings: Mapping[float, ReleaseSettings],
    schema: ReleaseSchema,
    plans: Mapping[float, Plan],
    noise: Noise,
    rng: np.random.Generator,
) -> list[Trial]:
    """Release a world with several epsilons.

    Args:
        world: Invented people.
        settings: Epsilon → settings of the release that is advised on.
        schema: Columns, values undeclared where they are to be found.
        plans: Of these settings.
        noise: Simulated; `rng` is what it draws from, and is set back for each epsilon, so that they differ by
            nothing else.
        rng: Also where mixtures start.
    """
    frame, true = as_table(world.states, world.layout), count_people(world.states, world.layout)
    start = rng.bit_generator.state
    trials = []
    for epsilon, asked in settings.items():
        rng.bit_generator.state = start
        measured = _draw(frame, as_many(asked, plans[epsilon], world), schema, noise, rng)
        estimates = estimate(measured, fit_mixture(measured, rng))
        score = scores(measured.layout, estimates)
        threshold = dial(estimates, score).threshold_for(asked.false_share)
        parts = []
        for k, count in true.items():
            at = _places(measured.layout, world.layout, k)
            told, sd = np.zeros(len(count)), np.full(len(count), np.nan)
            released = score[k] > 0 if k == 1 else score[k] >= threshold
            told[at] = np.where(released, np.rint(np.maximum(estimates.shrunk[k], 0) * world.times), 0)
            sd[at] = estimates.sd[k] * world.times
            here = np.flatnonzero(count)
            exact = count[here] * world.times
            parts.append(
                pd.DataFrame(
                    {
                        "length": k,
                        "count": exact,
                        "error": np.abs(told[here] - exact),
                        "told": told[here] > 0,
                        "noise": sd[here],
                    }
                )
            )
        trials.append(Trial(epsilon, world.name, pd.concat(parts, ignore_index=True)))
    return trials


def as_many(settings: ReleaseSettings, plan: Plan, world: World) -> ReleaseSettings:
    """Settings with which fewer people are told as well as more people are with those given.

    Noise is in people: a hundredth of the people under a hundredth of the noise, which is 10,000 times the rho, have
    the same relative errors (scale-epsilon exchangeability, Hay and others 2016, "Principled Evaluation of
    Differentially Private Algorithms using DPBench").
    """
    people = None if settings.people is None else len(world.states)
    if world.times == 1:
        return replace(settings, people=people)
    charge = plan.charge
    epsilon = epsilon_of(charge.rho * world.times**2, settings.delta, charge.delta)
    return replace(settings, people=people, epsilon=epsilon, largest_epsilon=float("inf"))


def _places(found: Layout, known: Layout, length: int) -> NDArray[np.int64]:
    """Where the combinations of a layout of found values lie among those of all values."""
    if found.attributes == known.attributes:
        return np.arange(known.size(length))
    number = {a: k for k, a in enumerate(known.attributes)}
    of: Cells = np.array([number[a] for a in found.attributes], dtype=np.int32)
    cells = found.cells(length)
    return known.number(of[cells]) if len(cells) else np.zeros(0, dtype=np.int64)


def expected_table(trials: Sequence[Trial], rhos: Mapping[float, float]) -> pd.DataFrame:
    """Per epsilon, length and band what to expect, as `advice.Advice.table` says.

    Args:
        trials: The same epsilons in every manner.
        rhos: Rho of each epsilon that is asked for; those tried are among them.
    """
    means = pd.concat([_banded(t) for t in trials], ignore_index=True)
    keys = ["epsilon", "length", "band"]
    rows = []
    for key, own in means.groupby(keys, sort=False):
        number = own["combinations"].to_numpy(float)
        weight = np.minimum(number, _MOST_WEIGHT)
        enough = own.loc[number >= _FEWEST_CELLS] if (number >= _FEWEST_CELLS).any() else own
        rows.append(
            dict(zip(keys, key, strict=True))
            | {"combinations": number.sum() / len({t.world for t in trials})}
            | {m: _average(own[m], weight) for m in MEASURES}
            | {
                f"{short}_{end}": float(getattr(enough[m], by)())
                for short, m in (("error", MEASURES[1]), ("told", MEASURES[3]))
                for end, by in (("low", "min"), ("high", "max"))
            }
        )
    pooled = pd.DataFrame(rows)
    every = [_between(own, rhos) for _, own in pooled.groupby(keys[1:], sort=False)]
    place = {name: k for k, name in enumerate([*band_names(), ALL])}
    table = pd.concat(every, ignore_index=True)
    table = table.assign(place=table["band"].map(place)).sort_values(["epsilon", "length", "place"])
    columns = [*keys, "combinations", *MEASURES[:2], "error_low", "error_high", *MEASURES[2:4]]
    return table[[*columns, "told_low", "told_high", *MEASURES[4:]]].reset_index(drop=True)


def _average(values: pd.Series, weight: Floats) -> float:
    """Weighted mean of what is known: where a value of a column was not found there is no noise."""
    known = values.notna().to_numpy()
    return float(np.average(values[known], weights=weight[known])) if known.any() else float("nan")


def _banded(trial: Trial) -> pd.DataFrame:
    """Means of one trial, per length and band."""
    cells = trial.cells
    edges, names = np.array([low for low, _ in BANDS]), np.array(band_names(), dtype=object)
    band = names[np.maximum(np.searchsorted(edges, np.rint(cells["count"]), side="right") - 1, 0)]
    relative = cells["error"] / cells["count"]
    cells = cells.assign(band=band, relative=relative, usable=cells["told"] & (relative < _OF_USE))
    return (
        pd.concat([cells, cells.assign(band=ALL)])
        .groupby(["length", "band"], as_index=False)
        .agg(
            combinations=("error", "size"),
            noise=("noise", "mean"),
            expected_absolute_error=("error", "mean"),
            expected_relative_error=("relative", "mean"),
            told_share=("told", "mean"),
            usable_share=("usable", "mean"),
        )
        .assign(epsilon=trial.epsilon, world=trial.world)
    )


def _between(own: pd.DataFrame, rhos: Mapping[float, float]) -> pd.DataFrame:
    """One band at every epsilon asked for: between those tried, on logarithmic scales."""
    wanted = list(rhos)
    x, at = np.log([rhos[e] for e in own["epsilon"]]), np.log([rhos[e] for e in wanted])
    made = {"epsilon": wanted, "length": own["length"].iloc[0], "band": own["band"].iloc[0]}
    for name in own.columns.drop(list(made)):
        given = own[name].to_numpy(float)
        if name.startswith(("told", "usable")):
            odds = np.clip(given, _CLIP, 1 - _CLIP)
            value = 1 / (1 + np.exp(-np.interp(at, x, np.log(odds / (1 - odds)))))
            exact = np.interp(at, x, given)
            made[name] = np.where(np.isin(at, x) | (given.min() == given.max()), exact, value)
        else:
            made[name] = np.exp(np.interp(at, x, np.log(np.maximum(given, 1e-9))))
    return pd.DataFrame(made)


def smallest_told(
    trials: Sequence[Trial], rhos: Mapping[float, float], people: int
) -> dict[float, dict[str, float]]:
    """Per epsilon the smallest counts that are told with the chances of `CHANCES`; missing where none is.

    Of combinations of several attributes, where there are any, in the least favourable world.

    Args:
        trials: The same epsilons in every world.
        rhos: Rho of each epsilon that is asked for; those tried are among them.
        people: Number of people; no larger count is told of.
    """
    found: dict[float, dict[str, float]] = {}
    for trial in trials:
        own, worst = _smallest(trial.cells), found.setdefault(trial.epsilon, {})
        for name, count in own.items():
            worst[name] = max(worst.get(name, 0.0), min(count, 2.0 * people))
    x = np.log([rhos[e] for e in found])
    out = {}
    for e, rho in rhos.items():
        between = {
            name: float(np.exp(np.interp(np.log(rho), x, np.log([f[name] for f in found.values()]))))
            for name in CHANCES
        }
        counts = found.get(e, between)
        out[e] = {name: count if count <= people else float("nan") for name, count in counts.items()}
    return out


def _smallest(cells: pd.DataFrame) -> dict[str, float]:
    """The same of one trial, infinite where none is."""
    several = cells.loc[cells["length"] > 1]
    told = (several if len(several) else cells).groupby("count")["told"].agg(["mean", "size"])
    if not len(told):
        return dict.fromkeys(CHANCES, float("inf"))
    rising = isotonic(told["mean"].to_numpy(float), told["size"].to_numpy(float))
    enough = {name: np.flatnonzero(rising >= chance) for name, chance in CHANCES.items()}
    return {name: float(told.index[at[0]]) if len(at) else float("inf") for name, at in enough.items()}
