"""Standard errors and placebos of block estimates, by the procedures of Arkhangelsky et al. (2021).

Every function works on a list of windows (see `windows`), so that cohorts are resampled together.

- `placebo` (Algorithm 4): units without the event stand in for those with it; all groups are used where there are
  few, else random ones. Assumes that noise is alike in treated and other units.
- `jackknife` (Algorithm 3): each unit left out in turn, weights of the others as they were.
- `bootstrap` (Algorithm 2): units drawn with replacement, everything estimated anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from hrtech.causal.events.block import Fit, Method, fit_block
from hrtech.causal.events.question import Interval
from hrtech.causal.events.windows import Window

#: Treated units from which resampling them says something.
FEW = 5
#: Units above which the bootstrap gives way to the jackknife.
MANY = 150


@dataclass(frozen=True)
class Placebos:
    """Estimates for groups of units without the event.

    Attributes:
        effects: (B,) overall effect of each group.
        fits: One batch a window.
        groups: (B, N) counts of the stand-ins over all windows.
        every: Every possible group was used.
    """

    effects: np.ndarray
    fits: tuple[Fit, ...]
    groups: np.ndarray
    every: bool


def combined(windows: Sequence[Window], fits: Sequence[Fit]) -> np.ndarray:
    """Overall effects of a batch, (K,)."""
    return np.sum([window.weight * fit.effects for window, fit in zip(windows, fits, strict=True)], axis=0)


def choose_interval(windows: Sequence[Window], asked: Interval) -> str:
    """Which procedure is used: placebo for few treated units, bootstrap for panels of middling size, else jackknife.

    `none` where the one asked for, or every one, cannot be carried out.
    """
    treated = [int(window.treated.sum()) for window in windows]
    donors = int(np.all([window.donors for window in windows], axis=0).sum())
    possible = {
        "placebo": donors > sum(treated),
        "jackknife": min(treated) > 1 and donors > 1,
        "bootstrap": sum(treated) > 1 and donors > 1,
    }
    if asked != "automatic":
        return asked if possible[asked] else "none"
    units = len(windows[0].treated)
    if sum(treated) < FEW:
        order = ("placebo", "jackknife")
    else:
        order = ("jackknife", "placebo") if units > MANY else ("bootstrap", "placebo")
    return next((name for name in order if possible[name]), "none")


def placebo_groups(
    windows: Sequence[Window], draws: int, rng: np.random.Generator
) -> tuple[list[np.ndarray], bool] | None:
    """Stand-ins for each window, (B, N) bool; None where units without the event are too few."""
    pool = np.flatnonzero(np.all([window.donors for window in windows], axis=0))
    sizes = [int(window.treated.sum()) for window in windows]
    units = len(windows[0].treated)
    if len(pool) <= sum(sizes):
        return None
    every = len(windows) == 1 and comb(len(pool), sizes[0]) <= draws
    if every:
        from itertools import combinations

        chosen = [np.array(list(combinations(pool, sizes[0])))]
    else:
        order = np.array([rng.permutation(pool)[: sum(sizes)] for _ in range(draws)])
        chosen = np.split(order, np.cumsum(sizes)[:-1], axis=1)
    groups = []
    for members in chosen:
        mask = np.zeros((len(members), units), dtype=bool)
        np.put_along_axis(mask, members, True, axis=1)
        groups.append(mask)
    return groups, every


def placebos(
    windows: Sequence[Window], method: Method, draws: int, rng: np.random.Generator
) -> Placebos | None:
    """Estimate the effect on stand-ins; None where units without the event are too few."""
    found = placebo_groups(windows, draws, rng)
    if found is None:
        return None
    groups, every = found
    taken = np.any(groups, axis=0)
    fits = tuple(
        fit_block(window.block(group.astype(float), window.donors[None] & ~taken), method)
        for window, group in zip(windows, groups, strict=True)
    )
    return Placebos(combined(windows, fits), fits, taken, every)


def standard_error(
    windows: Sequence[Window],
    method: Method,
    how: str,
    draws: int,
    rng: np.random.Generator,
    known: Placebos | None = None,
) -> float:
    """Standard error of the overall effect; not a number where `how` is `none`."""
    if how == "placebo":
        drawn = known if known is not None else placebos(windows, method, draws, rng)
        return float("nan") if drawn is None else float(drawn.effects.std())
    if how == "jackknife":
        left_out = jackknife(windows, method)
        estimate = float(combined(windows, [window.fit(method) for window in windows])[0])
        count = len(left_out)
        return float(np.sqrt((count - 1) / count * ((left_out - estimate) ** 2).sum()))
    if how == "bootstrap":
        return float(bootstrap(windows, method, draws, rng).std())
    return float("nan")


def jackknife(windows: Sequence[Window], method: Method) -> np.ndarray:
    """Overall effect without each unit that has a part in it, weights of the others scaled up."""
    taking_part = np.any([window.treated | window.donors for window in windows], axis=0)
    units = np.flatnonzero(taking_part)
    effects = np.zeros((len(windows), len(units)))
    weights = np.zeros((len(windows), len(units)))
    for place, window in enumerate(windows):
        fit = window.fit(method)
        omega, lambdas = fit.unit_weights[0], fit.time_weights[0]
        contrast = np.concatenate([-lambdas, np.full(len(window.since) - window.before, 1.0)])
        contrast[window.before :] /= len(window.since) - window.before
        each = window.outcomes @ contrast
        treated = window.treated.astype(float)
        for column, unit in enumerate(units):
            t, w = treated.copy(), omega.copy()
            t[unit], w[unit] = 0, 0
            share = w / w.sum() if w.sum() > 1e-12 else omega
            effects[place, column] = t @ each / t.sum() - share @ each
            weights[place, column] = window.weight * t.sum() / treated.sum()
    return (effects * weights).sum(axis=0) / weights.sum(axis=0)


def bootstrap(windows: Sequence[Window], method: Method, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Overall effects of panels whose units are drawn with replacement; draws without both kinds are drawn again."""
    taking_part = np.flatnonzero(np.any([window.treated | window.donors for window in windows], axis=0))
    units = len(windows[0].treated)
    counts = np.empty((draws, units))
    done = 0
    while done < draws:
        count = np.bincount(rng.choice(taking_part, len(taking_part)), minlength=units)
        if any(count @ window.treated for window in windows) and all(
            count @ window.donors for window in windows
        ):
            counts[done] = count
            done += 1
    total, share = np.zeros(draws), np.zeros(draws)
    for window in windows:
        treated = counts * window.treated
        there = treated.sum(axis=1) > 0
        fit = fit_block(window.block(treated[there], counts[there] * window.donors), method)
        weight = window.weight * treated[there].sum(axis=1) / window.treated.sum()
        total[there] += weight * fit.effects
        share[there] += weight
    return total / share
