"""Season: could the same phases of the other cycles explain what rose?

A season puts its records into the phases that it likes; how they split between the cycles is then up to exposure and
chance. Given what a window's phases hold over all cycles, the count in the window is a sum of hypergeometric ones.
Which windows could pass the first stage under some split, how they form families, and what ratio of likelihoods ranks
them depend on those counts alone, so that a correction over the families' leaders is valid. It is by random splits of
the records themselves, which keeps relatives together (Westfall and Young 1993, step down).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrtech.patterns.families import Claims, Records, fold
from hrtech.patterns.periods import Periods
from hrtech.patterns.scan import Candidates
from hrtech.patterns.splits import random_splits
from hrtech.patterns.strata import Ratio, Strata, likelihood_ratio, strata_of

#: Log of the p at which a claim is taken to be more than its family.
_EXPLAINED = float(np.log(1e-5))
_REMAINS = 0.3


@dataclass(frozen=True)
class SeasonTest:
    """Per candidate.

    Attributes:
        log_p: Log of the exact tail among the same phases, of those that pass the first stage; NaN where no other cycle
            has them.
        adjusted: Family-wise corrected; 0 where no split worth counting passes the first stage, NaN where no other
            cycle has the phases.
        expected: How many families as telling a season alone would bring, in the mean; 0 and NaN as in `adjusted`.
        threshold: Largest p_season that passes at the error rate, NaN where none was needed.
    """

    log_p: NDArray[np.float64]
    adjusted: NDArray[np.float64]
    expected: NDArray[np.float64]
    threshold: float


def season_test(
    candidates: Candidates,
    passed: NDArray[np.bool_],
    log_threshold: NDArray[np.float64],
    log_number: NDArray[np.float64],
    known: NDArray[np.int64],
    dispersion: NDArray[np.float64],
    records: Records,
    periods: Periods,
    alpha: float,
    draws: int,
    rng: np.random.Generator,
) -> SeasonTest:
    """Test candidates against season.

    Args:
        candidates: With everything that a season might bring.
        passed: Those that pass the first stage.
        log_threshold: Log of the first stage's threshold, by candidate.
        log_number: Log of how many combinations of its length there are, by candidate.
        known: Units by period, shape (exposures, periods).
        dispersion: Of counts, by candidate; tails are those of counts divided by it.
        records: The records.
        periods: Of the records.
        alpha: Family-wise error rate.
        draws: Random splits.
        rng: Where they come from.
    """
    from hrtech.patterns.tails import criticals

    n, k, window, phases = exposures_of(candidates, known, periods)
    has = candidates.same_phase >= 0
    strata = strata_of(candidates, known, periods)
    log_p = np.full(len(candidates), np.nan)
    told = has & passed
    fewer = strata.some(told).divided(dispersion[told], candidates.sign[told])
    log_p[told] = fewer.log_tails(fewer.observed, candidates.sign[told])
    adjusted = np.where(has, 0.0, np.nan)
    matters = np.flatnonzero(has & np.isfinite(candidates.log_split))
    if not len(matters) or not (passed[matters]).any():
        return SeasonTest(log_p, adjusted, adjusted, np.nan)
    leader = _seasons(candidates, matters, n, k, phases, log_number, records, periods)
    tested = np.unique(np.concatenate(list(leader.values())))
    own, its = candidates.some(tested), strata.some(tested)
    least = criticals(n[tested], k[tested], window[tested], own.sign, log_threshold[tested])
    ratio = likelihood_ratio(its, own, n[tested], k[tested], phases[tested])
    counts = random_splits(own, records, periods, draws, rng)
    stands_for = {h: _nearest(h, leader[h], candidates) for h in matters.tolist()}
    # a leader's window counts as in the random splits: only where its own count passes the first stage
    reached = np.isin(tested, np.concatenate([stands_for[h] for h in matters[passed[matters]].tolist()]))
    reached &= (own.observed - least) * own.sign >= 0
    observed = np.where(reached, ratio.of(its.observed), -np.inf)
    order = np.argsort(-observed, kind="stable")
    order = order[np.isfinite(observed[order])]
    if counts is None:
        steps, each = _bounded(observed, order, own, its, ratio)
    else:
        there = counts - (own.observed - its.observed)
        drawn = np.where((counts - least) * own.sign >= 0, ratio.of(there), -np.inf)
        steps = _step_down(observed, order, drawn)
        every = np.sort(drawn[np.isfinite(drawn)])
        each = (1 + len(every) - np.searchsorted(every, observed - 1e-9)) / (1 + len(drawn))
        each = np.where(reached, each, np.inf)
    place = dict(zip(tested.tolist(), range(len(tested)), strict=True))
    expected = adjusted.copy()
    for h in matters.tolist():
        its_own = [place[m] for m in stands_for[h].tolist()]
        adjusted[h], expected[h] = steps[its_own].min(), each[its_own].min()
    good = order[steps[order] <= alpha]
    fewer = its.some(good).divided(dispersion[tested[good]], own.sign[good])
    tails = fewer.log_tails(fewer.observed, own.sign[good])
    threshold = float(np.exp(tails.max())) if len(good) else np.nan
    return SeasonTest(log_p, adjusted, expected, threshold)


def _nearest(h: int, leaders: NDArray[np.int64], candidates: Candidates) -> NDArray[np.int64]:
    """Those of a leader's windows that meet a candidate's window; all of them if none does."""
    first, window = candidates.first, candidates.window
    meet = (first[leaders] < first[h] + window[h]) & (first[h] < first[leaders] + window[leaders])
    return leaders[meet] if meet.any() else leaders


def _seasons(
    candidates: Candidates,
    matters: NDArray[np.int64],
    n: NDArray[np.int64],
    k: NDArray[np.int64],
    phases: NDArray[np.int64],
    log_number: NDArray[np.float64],
    records: Records,
    periods: Periods,
) -> dict[int, NDArray[np.int64]]:
    """Families of phases that stand out over all cycles together, which the split between cycles cannot influence.

    Returns:
        For each of `matters` the windows, one a cycle, of its family's leader.
    """
    from hrtech.patterns.tails import deviances, log_tails

    own = candidates.some(matters)
    key = np.column_stack([own.cells, periods.phase[own.first], own.window, own.sign])
    distinct, first, which = np.unique(key, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)  # back to the order of the candidates, which does not depend on names
    number = np.empty(len(distinct), dtype=np.int64)
    number[order] = np.arange(len(distinct))
    which, at = number[which], matters[first[order]]
    one = candidates.some(at)
    inside = np.zeros((len(at), int(periods.phase.max()) + 1), dtype=bool)
    for h in range(len(at)):
        inside[h, periods.phase[one.first[h] : one.first[h] + one.window[h]]] = True
    claims = Claims(
        one.cells,
        inside,
        one.sign,
        log_tails(one.same_phase, n[at], k[at], phases[at], one.sign),
        deviances(one.same_phase, n[at], k[at], phases[at]) - log_number[at],
        periods.phase,
    )
    families = fold(claims, records, _EXPLAINED, _REMAINS, False)
    members = [matters[which == f] for f in range(len(at))]
    return {h: members[families.leader[f]] for h, f in zip(matters.tolist(), which.tolist(), strict=True)}


def exposures_of(
    candidates: Candidates, known: NDArray[np.int64], periods: Periods
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Units known in all periods, holders in all periods, units known in the window and in all of its phases."""
    summed = np.concatenate([np.zeros((len(known), 1), dtype=np.int64), known.cumsum(axis=1)], axis=1)
    e, first, window = candidates.exposure, candidates.first, candidates.window
    phases = np.zeros(len(candidates), dtype=np.int64)
    by_phase = np.zeros((len(known), int(periods.phase.max()) + 1), dtype=np.int64)
    np.add.at(by_phase.T, periods.phase, known.T)
    for step in range(int(window.max(initial=0))):
        inside = window > step
        phases[inside] += by_phase[e[inside], periods.phase[first[inside] + step]]
    return summed[e, -1], candidates.total, summed[e, first + window] - summed[e, first], phases


def _step_down(
    observed: NDArray[np.float64], order: NDArray[np.int64], drawn: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Adjusted p of each: how often the largest ratio of those not yet rejected is as large in a random split.

    Args:
        observed: Log-likelihood ratios, -inf where a candidate did not pass the first stage.
        order: Those that did, the largest first.
        drawn: Shape (draws, candidates); -inf where a candidate would not have passed.
    """
    rest = np.setdiff1d(np.arange(len(observed)), order)
    largest = np.concatenate([drawn[:, order], drawn[:, rest].max(axis=1, initial=-np.inf)[:, None]], axis=1)
    largest = np.maximum.accumulate(largest[:, ::-1], axis=1)[:, ::-1]
    hits = (largest[:, :-1] >= observed[order] - 1e-9).sum(axis=0)
    return _monotone((1 + hits) / (1 + len(drawn)), order, len(observed))


def _bounded(
    observed: NDArray[np.float64],
    order: NDArray[np.int64],
    own: Candidates,
    strata: Strata,
    ratio: Ratio,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """As `_step_down`, without random splits: by Bonferroni over the exact chances of ratios as large.

    Returns:
        Adjusted p of each, and how many ratios as large to expect among all.
    """
    chance = np.exp(own.log_split)
    steps, every = np.zeros(len(order)), np.full(len(observed), np.inf)
    left = np.ones(len(observed), dtype=bool)
    for j, h in enumerate(order.tolist()):
        least = ratio.reaching(observed[h] - 1e-9, strata.held.sum(axis=1), own.sign)
        chances = np.minimum(chance, np.exp(strata.log_tails(least, own.sign)))
        steps[j], every[h] = chances[left].sum(), chances.sum()
        left[h] = False
    return _monotone(steps, order, len(observed)), every


def _monotone(steps: NDArray[np.float64], order: NDArray[np.int64], number: int) -> NDArray[np.float64]:
    adjusted = np.ones(number)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
