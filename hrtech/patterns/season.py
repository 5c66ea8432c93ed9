"""Season: could the same phases of the other cycles explain what rose?

A season puts its records into the phases that it likes; how they split between the cycles is then up to exposure and
chance. Given the count of a window's phases over all cycles, the count in the window is hypergeometric. Which windows
could pass the first stage under some split, how they form families, and what weight a test gets depend on those counts
alone, so that a correction over the families' leaders is valid. It is by random splits of the records themselves, which
keeps relatives together (Westfall and Young 1993, step down).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrtech.patterns.families import Claims, Records, fold
from hrtech.patterns.periods import Periods
from hrtech.patterns.scan import Candidates
from hrtech.patterns.splits import random_splits

#: Log of the p at which a claim is taken to be more than its family.
_EXPLAINED = float(np.log(1e-5))
_REMAINS = 0.3
#: A family may pass the first stage by another member than its leader: in log p, how near the leader must come.
_ALLOWANCE = 0.0
_WEIGHTS = (-14.0, -1.0)


@dataclass(frozen=True)
class SeasonTest:
    """Per candidate.

    Attributes:
        log_p: Log of the exact tail among the same phases; NaN where no other cycle has them.
        adjusted: Family-wise corrected; 0 where no split worth counting passes the first stage, NaN where `log_p` is.
        threshold: Largest p_season that passes at the error rate, NaN where none was needed.
    """

    log_p: NDArray[np.float64]
    adjusted: NDArray[np.float64]
    threshold: float


def season_test(
    candidates: Candidates,
    passed: NDArray[np.bool_],
    log_threshold: NDArray[np.float64],
    log_number: NDArray[np.float64],
    known: NDArray[np.int64],
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
        records: The records.
        periods: Of the records.
        alpha: Family-wise error rate.
        draws: Random splits.
        rng: Where they come from.
    """
    from hrtech.patterns.tails import criticals, log_tails

    n, k, window, phases = exposures_of(candidates, known, periods)
    has = candidates.same_phase >= 0
    log_p = np.full(len(candidates), np.nan)
    log_p[has] = log_tails(
        candidates.observed[has], phases[has], candidates.same_phase[has], window[has], candidates.sign[has]
    )
    adjusted = np.where(has, 0.0, np.nan)
    matters = np.flatnonzero(has & np.isfinite(candidates.log_split))
    if not len(matters) or not (passed[matters]).any():
        return SeasonTest(log_p, adjusted, np.nan)
    leader = _seasons(candidates, matters, n, k, phases, log_number, records, periods)
    tested = np.unique(np.concatenate(list(leader.values())))
    own = candidates.some(tested)
    least = criticals(n[tested], k[tested], window[tested], own.sign, log_threshold[tested] + _ALLOWANCE)
    weight = _log_weights(own, n[tested], k[tested], window[tested], phases[tested])
    nulls = random_splits(own, least, phases[tested], window[tested], records, periods, draws, rng)
    stands_for = {h: _nearest(h, leader[h], candidates) for h in matters.tolist()}
    reached = np.isin(tested, np.concatenate([stands_for[h] for h in matters[passed[matters]].tolist()]))
    observed = np.where(reached, log_p[tested], np.inf)
    steps, threshold = _step_down(observed, nulls, own.log_split, weight, alpha)
    of = dict(zip(tested.tolist(), steps.tolist(), strict=True))
    for h in matters.tolist():
        adjusted[h] = min(of[m] for m in stands_for[h].tolist())
    return SeasonTest(log_p, adjusted, threshold)


def _log_weights(
    own: Candidates,
    n: NDArray[np.int64],
    k: NDArray[np.int64],
    window: NDArray[np.int64],
    phases: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Log of how small p_season is expected to be if the window rose and the other cycles did not.

    They would lie at the level of the other phases, give or take two standard deviations. That depends on the phases'
    count alone, so that it may weigh the tests: a strong season need not cost the weak ones their power.
    """
    from hrtech.patterns.tails import log_tails

    elsewhere = (k - own.same_phase) / np.maximum(n - phases, 1) * (phases - window)
    count = np.round(own.same_phase - elsewhere - own.sign * 2.0 * np.sqrt(elsewhere)).astype(np.int64)
    weight = log_tails(np.clip(count, 0, own.same_phase), phases, own.same_phase, window, own.sign)
    return np.clip(weight, *_WEIGHTS)


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
    log_p: NDArray[np.float64],
    nulls: NDArray[np.float64] | None,
    log_split: NDArray[np.float64],
    weight: NDArray[np.float64],
    alpha: float,
) -> tuple[NDArray[np.float64], float]:
    """Adjusted p of each, and the largest p that passes; without random splits by Bonferroni over chances of splits."""
    observed = log_p - weight
    order = np.argsort(observed, kind="stable")
    order = order[np.isfinite(observed[order])]
    adjusted = np.ones(len(observed))
    chance = np.exp(log_split)
    rest = np.setdiff1d(np.arange(len(observed)), order)
    if nulls is not None:
        nulls = nulls - weight
        smallest = np.concatenate(
            [nulls[:, order], nulls[:, rest].min(axis=1, initial=np.inf)[:, None]], axis=1
        )
        smallest = np.minimum.accumulate(smallest[:, ::-1], axis=1)[:, ::-1]
        hits = (smallest[:, :-1] <= observed[order] + 1e-9).sum(axis=0)
        steps = (1 + hits) / (1 + len(nulls))
    else:
        steps = np.array(
            [
                np.minimum(chance[others], np.exp(observed[h] + weight[others])).sum()
                for h, others in ((h, np.concatenate([order[j:], rest])) for j, h in enumerate(order))
            ]
        )
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    good = order[adjusted[order] <= alpha]
    return adjusted, float(np.exp(log_p[good].max())) if len(good) else np.nan
