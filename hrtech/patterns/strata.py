"""Windows phase by phase: what other cycles hold of the same phases, and how likely a change is against a season.

Each phase splits by its own exposure, so that cycles may be of unequal volume, and a history need not end with a cycle.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrtech.patterns.periods import Periods
from hrtech.patterns.scan import Candidates

#: Standard deviations that the other cycles are allowed above (for a fall: below) the level of the other phases.
_ROOM = 1.0
#: Steepest slope of a log-likelihood ratio.
_STEEPEST = 15.0


@dataclass(frozen=True)
class Strata:
    """Phases of each candidate's window that other cycles have too, shape (candidates, longest window), 0 elsewhere.

    Attributes:
        known: Units known in all cycles.
        held: Of them, those that hold the combination.
        window: Units known in the window.
        observed: Holders in the window and in one of these phases, (candidates,).
    """

    known: NDArray[np.int64]
    held: NDArray[np.int64]
    window: NDArray[np.int64]
    observed: NDArray[np.int64]

    def some(self, which: NDArray[np.generic]) -> "Strata":
        """Some of the candidates."""
        return Strata(self.known[which], self.held[which], self.window[which], self.observed[which])

    def divided(self, by: NDArray[np.float64], sign: NDArray[np.int64]) -> "Strata":
        """Counts divided by their dispersion, (candidates,), and rounded towards a season that explains them."""
        known, window = (np.round(v / by[:, None]).astype(np.int64) for v in (self.known, self.window))
        held = np.minimum(np.ceil(self.held / by[:, None]).astype(np.int64), known)
        least = np.maximum(0, window - (known - held)).sum(axis=1)
        count = np.where(sign > 0, np.floor(self.observed / by), np.ceil(self.observed / by)).astype(np.int64)
        return Strata(known, held, window, np.clip(count, least, np.minimum(held, window).sum(axis=1)))

    def log_tails(self, observed: NDArray[np.int64], sign: NDArray[np.int64]) -> NDArray[np.float64]:
        """Log of the exact tails of counts, given what each phase holds over all cycles."""
        from hrtech.patterns.strata_loops import stratified_tails

        return np.asarray(stratified_tails(observed, self.known, self.held, self.window, sign))


def strata_of(candidates: Candidates, known: NDArray[np.int64], periods: Periods) -> Strata:
    """Phases that can split.

    Args:
        candidates: Windows of combinations.
        known: Units by period, shape (exposures, periods).
        periods: Of the records.
    """
    number, longest = len(candidates), int(candidates.window.max(initial=0))
    phases = int(periods.phase.max(initial=0)) + 1
    by_phase = np.zeros((phases, len(known)), dtype=np.int64)
    np.add.at(by_phase, periods.phase, known.T)
    holders = np.zeros((phases, number), dtype=np.int64)
    np.add.at(holders, periods.phase, candidates.counts.T.astype(np.int64))
    there, held, drawn = (np.zeros((number, longest), dtype=np.int64) for _ in range(3))
    observed = np.zeros(number, dtype=np.int64)
    for step in range(longest):
        at = np.flatnonzero(candidates.window > step)
        period, e = candidates.first[at] + step, candidates.exposure[at]
        phase = periods.phase[period]
        splits = (known[e, period] > 0) & (known[e, period] < by_phase[phase, e])
        at, period, phase, e = at[splits], period[splits], phase[splits], e[splits]
        there[at, step], held[at, step], drawn[at, step] = (
            by_phase[phase, e],
            holders[phase, at],
            known[e, period],
        )
        observed[at] += candidates.counts[at, period]
    return Strata(there, held, drawn, observed)


@dataclass(frozen=True)
class Ratio:
    """Log-likelihood ratios of counts in the windows, for a change against a season.

    Under a season each phase's holders split by exposure. Under a change the other cycles lie at the level of the other
    phases, or a standard deviation beyond, and the rest is in the window: the odds of all phases are multiplied by the
    same factor. Both are known from the phases' counts alone, so that the ratio may rank tests: where they are many,
    the most powerful ones ask for the same ratio, and not for the same p (Neyman and Pearson 1933; Spjøtvoll 1972).

    Attributes:
        slope: Log of the odds' factor, (candidates,); above 0 for a rise.
        level: Log ratio of a count of 0.
    """

    slope: NDArray[np.float64]
    level: NDArray[np.float64]

    def of(self, count: NDArray[np.integer]) -> NDArray[np.float64]:
        """Log ratios of counts, whose last dimension is the candidates."""
        return np.asarray(self.slope * count + self.level)

    def reaching(self, value: float, held: NDArray[np.int64], sign: NDArray[np.int64]) -> NDArray[np.int64]:
        """The count nearest to none (for a fall: to all of `held`) whose ratio is at least a value, or one beyond."""
        low, high = np.full(len(held), -1), held + 1
        while (high - low > 1).any():
            middle = (low + high) // 2
            there = self.of(np.where(sign > 0, middle, held - middle)) >= value
            low, high = np.where(there, low, middle), np.where(there, middle, high)
        return np.where(sign > 0, high, held - high)


def likelihood_ratio(
    strata: Strata, own: Candidates, n: NDArray[np.int64], k: NDArray[np.int64], phases: NDArray[np.int64]
) -> Ratio:
    """The ratio of each candidate.

    Args:
        strata: Phases of the windows, and what they hold.
        own: The candidates.
        n: Units known in all periods, (candidates,).
        k: Holders in all periods.
        phases: Units known in all of the window's phases.
    """
    share = np.where(strata.known > 0, strata.window / np.maximum(strata.known, 1), 0.5)
    held = strata.held.sum(axis=1)
    mean = (strata.held * share).sum(axis=1)
    spread = np.sqrt((strata.held * share * (1 - share)).sum(axis=1))
    rate = (k - own.same_phase) / np.maximum(n - phases, 1)
    elsewhere = rate * (strata.known - strata.window).sum(axis=1)
    aim = held - elsewhere - own.sign * _ROOM * np.sqrt(elsewhere)
    near = mean + own.sign * spread
    aim = np.where(own.sign > 0, np.maximum(aim, near), np.minimum(aim, near))
    aim = np.clip(aim, np.minimum(mean, 1) / 2, held - np.minimum(held - mean, 1) / 2)
    slope = _slope(aim, strata.held, share)
    return Ratio(slope, -(strata.held * np.log1p(share * np.expm1(slope)[:, None])).sum(axis=1))


def _slope(
    aim: NDArray[np.float64], held: NDArray[np.int64], share: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Log of the factor of the odds that brings the mean to where it is aimed at, by bisection."""
    low, high = np.full(len(aim), -_STEEPEST), np.full(len(aim), _STEEPEST)
    for _ in range(50):
        slope = (low + high) / 2
        odds = share / (1 - share) * np.exp(slope)[:, None]
        below = (held * odds / (1 + odds)).sum(axis=1) < aim
        low, high = np.where(below, slope, low), np.where(below, high, slope)
    return np.asarray((low + high) / 2)
