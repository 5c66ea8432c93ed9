"""Staggered adoption: group-time effects and their summaries, with influence functions.

Source: Callaway and Sant'Anna, Difference-in-differences with multiple time periods, Journal of Econometrics 2021,
without covariates: every cohort's change since the period before its event, less the same change of units that are
not yet (or never) treated. Standard errors from influence functions, simultaneous bands by multiplier bootstrap;
weights of a summary are estimated too, and their influence is counted. The base is the last period before the event
(less the anticipation window) for leads and lags alike, so that leads may be read as tests of parallel trends.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hrtech.causal.events.adoption import NEVER
from hrtech.causal.events.panel import Panel
from hrtech.causal.events.question import Controls, EventError

Summary = Literal["event_time", "cohort", "simple"]


@dataclass(frozen=True)
class GroupTime:
    """Effects by cohort and period.

    Attributes:
        cohort: (M,) index of the cohort's first period.
        period: (M,) index of the period.
        effect: (M,).
        influence: (N, M); its mean square over N is the variance times N.
        adopted: (N,) the panel's.
        missing: Pairs of cohort and period for which nobody is left to compare with.
        treated: (M,) units of the cohort.
        controls: (M,) units compared with.
    """

    cohort: np.ndarray
    period: np.ndarray
    effect: np.ndarray
    influence: np.ndarray
    adopted: np.ndarray
    missing: tuple[tuple[int, int], ...]
    treated: np.ndarray
    controls: np.ndarray

    @property
    def event_time(self) -> np.ndarray:
        """Periods since the event, (M,)."""
        return self.period - self.cohort


@dataclass(frozen=True)
class Summarised:
    """Estimates with their influence functions.

    Attributes:
        label: (L,) event time or cohort; -1 for an overall effect.
        estimate: (L,).
        influence: (N, L).
    """

    label: np.ndarray
    estimate: np.ndarray
    influence: np.ndarray

    @property
    def std_error(self) -> np.ndarray:
        """(L,) from the influence functions."""
        return np.sqrt((self.influence**2).sum(axis=0)) / len(self.influence)

    @property
    def covariance(self) -> np.ndarray:
        """(L, L)."""
        return self.influence.T @ self.influence / len(self.influence) ** 2


def group_time(panel: Panel, controls: Controls, anticipation: int = 0) -> GroupTime:
    """Estimate every cohort's effect in every period but its base.

    Raises:
        EventError: No cohort has anybody to be compared with after its event.
    """
    y, adopted = panel.outcomes, panel.adopted
    count, periods = y.shape
    rows, influence, missing = [], [], []
    for cohort in panel.cohorts:
        base = int(cohort) - 1 - anticipation
        mine = adopted == cohort
        for period in range(periods):
            if period == base:
                continue
            compared = adopted == NEVER
            if controls == "not_yet_treated":
                compared |= (adopted > max(period, base) + anticipation) & ~mine
            if not compared.any():
                missing.append((int(cohort), period))
                continue
            change = y[:, period] - y[:, base]
            own, other = change[mine].mean(), change[compared].mean()
            rows.append((cohort, period, own - other, mine.sum(), compared.sum()))
            influence.append(
                count
                * (
                    np.where(mine, change - own, 0) / mine.sum()
                    - np.where(compared, change - other, 0) / compared.sum()
                )
            )
    if not any(period >= cohort for cohort, period, *_ in rows):
        raise EventError(
            "No cohort has units to be compared with after its event. Add units without the event, or compare with "
            "units not yet treated [setting: controls]"
        )
    table = np.array(rows, dtype=float)
    return GroupTime(
        table[:, 0].astype(int),
        table[:, 1].astype(int),
        table[:, 2],
        np.column_stack(influence),
        adopted,
        tuple(missing),
        table[:, 3].astype(int),
        table[:, 4].astype(int),
    )


def summarise(found: GroupTime, how: Summary) -> Summarised:
    """Average group-time effects by event time, by cohort (periods after its event), or over all of them.

    Cohorts weigh as many units as they have.
    """
    after = found.period >= found.cohort
    if how == "event_time":
        labels = np.unique(found.event_time)
        parts = [_average(found, found.event_time == label) for label in labels]
    elif how == "cohort":
        labels = np.unique(found.cohort[after])
        # the weights are equal within a cohort, so that none has to be estimated
        parts = [_plain_mean(found, after & (found.cohort == label)) for label in labels]
    else:
        labels = np.array([-1])
        parts = [_average(found, after)]
    return Summarised(labels, np.array([part[0] for part in parts]), np.column_stack([p[1] for p in parts]))


def overall(found: GroupTime, how: Summary) -> Summarised:
    """One number: the mean over cohorts of their mean effect, over event times from 0 on, or over all effects."""
    if how == "simple":
        return summarise(found, "simple")
    parts = summarise(found, how)
    if how == "event_time":
        kept = parts.label >= 0
        influence = parts.influence[:, kept].mean(axis=1)
        return _one(parts.estimate[kept].mean(), influence)
    sizes = np.array([(found.adopted == cohort).mean() for cohort in parts.label])
    weights = sizes / sizes.sum()
    influence = parts.influence @ weights
    influence += _weight_influence(found.adopted, parts.label, sizes) @ parts.estimate
    return _one(float(weights @ parts.estimate), influence)


def lead_means(panel: Panel, labels: np.ndarray, controls: Controls, anticipation: int = 0) -> np.ndarray:
    """Effects by event time before the event, without influence functions, (L,); 0 where nobody is compared."""
    y, adopted = panel.outcomes, panel.adopted
    total, weight = np.zeros(len(labels)), np.zeros(len(labels))
    for cohort in panel.cohorts:
        base = int(cohort) - 1 - anticipation
        at = int(cohort) + labels
        there = np.flatnonzero((at >= 0) & (at < y.shape[1]))
        compared = adopted == NEVER
        if controls == "not_yet_treated":  # before the base, all who adopt later than it compare
            compared = compared | ((adopted > base + anticipation) & (adopted != cohort))
        mine = adopted == cohort
        if not compared.any() or not len(there):
            continue
        change = y[:, at[there]] - y[:, [base]]
        size = mine.sum()
        total[there] += size * (change[mine].mean(axis=0) - change[compared].mean(axis=0))
        weight[there] += size
    return total / np.maximum(weight, 1)


def simultaneous(summary: Summarised, confidence: float, draws: int, rng: np.random.Generator) -> float:
    """Critical value of a band that holds all estimates at once, by the multiplier bootstrap (Rademacher weights).

    Estimates whose standard error is 0 are left out; never below the pointwise value.
    """
    from scipy.stats import norm

    error = summary.std_error
    known = error > 1e-12 * max(float(np.abs(summary.estimate).max()), 1e-300)
    pointwise = float(norm.ppf(0.5 + confidence / 2))
    if not known.any():
        return pointwise
    count = len(summary.influence)
    largest = np.empty(draws)
    step = max(1, 4_000_000 // count)
    for start in range(0, draws, step):
        size = min(step, draws - start)
        signs = rng.integers(0, 2, size=(size, count)).astype(float) * 2 - 1
        moved = np.abs(signs @ summary.influence[:, known]) / count / error[known]
        largest[start : start + size] = moved.max(axis=1)
    return max(pointwise, float(np.quantile(largest, confidence)))


def degrees(found: GroupTime, labels: np.ndarray) -> np.ndarray:
    """Degrees of freedom by event time: units on the smaller side of the comparison, less one; (L,)."""
    out = np.ones(len(labels))
    for place, label in enumerate(labels):
        at = found.event_time == label
        if at.any():
            out[place] = max(min(found.treated[at].sum(), found.controls[at].min()) - 1, 1)
    return out


def band(
    found: GroupTime, summary: Summarised, confidence: float, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Half widths of a band over event times, (L,): the bootstrap's level, with t quantiles where units are few."""
    from scipy.special import ndtr, stdtrit

    critical = simultaneous(summary, confidence, draws, rng)
    return stdtrit(degrees(found, summary.label), ndtr(critical)) * summary.std_error


def _one(estimate: float, influence: np.ndarray) -> Summarised:
    return Summarised(np.array([-1]), np.array([estimate]), influence[:, None])


def _plain_mean(found: GroupTime, chosen: np.ndarray) -> tuple[float, np.ndarray]:
    return float(found.effect[chosen].mean()), found.influence[:, chosen].mean(axis=1)


def _average(found: GroupTime, chosen: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean of effects weighted by the share of their cohort, and its influence."""
    cohorts = found.cohort[chosen]
    sizes = np.array([(found.adopted == cohort).mean() for cohort in cohorts])
    weights = sizes / sizes.sum()
    effect = found.effect[chosen]
    influence = found.influence[:, chosen] @ weights
    influence = influence + _weight_influence(found.adopted, cohorts, sizes) @ effect
    return float(weights @ effect), influence


def _weight_influence(adopted: np.ndarray, cohorts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Influence of estimated weights, (N, L)."""
    centred = (adopted[:, None] == cohorts[None, :]) - sizes[None, :]
    total = sizes.sum()
    return centred / total - centred.sum(axis=1, keepdims=True) * sizes[None, :] / total**2
