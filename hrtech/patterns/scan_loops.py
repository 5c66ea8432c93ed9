"""The compiled loops of `scan`: exact tails, and the windows whose count is far from its expectation.

All tails are hypergeometric: of `n` units, `k` hold the pattern, and `draws` are in the window; the count in the window
is x. Given the total k, nothing else is unknown under a share that does not change.
"""

from math import exp, lgamma, log, log1p, sqrt
from typing import Any

import numba as nb
import numpy as np

UP, DOWN = 1, -1
#: Columns of what `scan` emits.
ROW, FIRST, LENGTH, COUNT, SAME_PHASE, SIGN, REACHES = range(7)


@nb.njit(cache=True, nogil=True)
def _log_choose(n: float, k: float) -> float:
    return lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0)


@nb.njit(cache=True, nogil=True)
def log_point(x: int, n: int, k: int, draws: int) -> float:
    """Log of the probability of exactly x."""
    if x < 0 or x > k or x > draws or k - x > n - draws:
        return -np.inf
    return _log_choose(k, x) + _log_choose(n - k, draws - x) - _log_choose(n, draws)


@nb.njit(cache=True, nogil=True)
def _log_sum(x: int, n: int, k: int, draws: int, sign: int) -> float:
    """Log of the tail from x away from the mean, which lies on the other side of x."""
    low, high = max(0, draws - (n - k)), min(k, draws)
    total, term, at = 1.0, 1.0, x
    while (sign > 0 and at < high) or (sign < 0 and at > low):
        if sign > 0:
            term *= (k - at) * 1.0 * (draws - at) / ((at + 1.0) * (n - k - draws + at + 1.0))
        else:
            term *= at * 1.0 * (n - k - draws + at) / ((k - at + 1.0) * (draws - at + 1.0))
        at += sign
        total += term
        if term < total * 1e-14:
            break
    return min(0.0, log_point(x, n, k, draws) + log(total))


@nb.njit(cache=True, nogil=True)
def log_tail(x: int, n: int, k: int, draws: int, sign: int) -> float:
    """Log of P(X ≥ x) for sign 1 and of P(X ≤ x) for sign -1; a tail that holds the mean is one less the other."""
    low, high = max(0, draws - (n - k)), min(k, draws)
    if (sign > 0 and x <= low) or (sign < 0 and x >= high):
        return 0.0
    if (sign > 0 and x > high) or (sign < 0 and x < low):
        return -np.inf
    mean = k * (draws / n)
    if (sign > 0 and x > mean) or (sign < 0 and x < mean):
        return _log_sum(x, n, k, draws, sign)
    other = x - sign
    if (sign > 0 and other > mean) or (sign < 0 and other < mean):
        return 0.0
    return log1p(-min(1.0, exp(_log_sum(other, n, k, draws, -sign))))


@nb.njit(cache=True, nogil=True)
def log_tails(x: Any, n: Any, k: Any, draws: Any, sign: Any) -> Any:
    """Element by element `log_tail`."""
    out = np.empty(len(x), np.float64)
    for i in range(len(x)):
        out[i] = log_tail(x[i], n[i], k[i], draws[i], sign[i])
    return out


@nb.njit(cache=True, nogil=True)
def criticals(n: Any, k: Any, draws: Any, sign: Any, log_p: Any) -> Any:
    """Element by element `critical`."""
    out = np.empty(len(n), np.int64)
    for i in range(len(n)):
        out[i] = critical(n[i], k[i], draws[i], sign[i], log_p[i], k[i] * (draws[i] / n[i]))
    return out


@nb.njit(cache=True, nogil=True)
def season_tails(counts: Any, least: Any, phases: Any, same: Any, draws: Any, sign: Any) -> Any:
    """Log of the tails of drawn counts among the same phases, inf where they fall short of `least`.

    Args:
        counts: Shape (draws, hypotheses).
        least: Count that the first stage needs, (hypotheses,).
        phases: Units known in all of the window's phases.
        same: Units that hold the pattern there.
        draws: Units known in the window.
        sign: Which tail.
    """
    out = np.full(counts.shape, np.inf)
    for h in range(counts.shape[1]):
        worked = np.full(same[h] + 1, np.nan)
        for b in range(counts.shape[0]):
            x = min(np.int64(counts[b, h]), min(same[h], draws[h]))
            if (x - least[h]) * sign[h] < 0:
                continue
            if np.isnan(worked[x]):
                worked[x] = log_tail(x, phases[h], same[h], draws[h], sign[h])
            out[b, h] = worked[x]
    return out


@nb.njit(cache=True, nogil=True)
def testable(
    known: Any,
    exposure: Any,
    totals: Any,
    number: Any,
    windows: Any,
    up: bool,
    down: bool,
    last: bool,
    fine: Any,
) -> None:
    """Count hypotheses by the least p that they could have, in bins of -log p, in place.

    Args:
        known: Units by period where columns are known, shape (exposures, periods).
        exposure: Row of `known`.
        totals: Units that hold the combinations.
        number: How many combinations have this exposure and total.
        windows: Lengths of windows.
        up: Whether a rise is a hypothesis.
        down: Whether a fall is.
        last: Whether only windows that end with the last period are hypotheses.
        fine: Shape (bins,); bin b holds b / 10 ≤ -log p < (b + 1) / 10, the last all beyond.
    """
    n_periods = known.shape[1]
    for i in range(len(totals)):
        e, k = exposure[i], totals[i]
        n = known[e].sum()
        for length in windows:
            draws = known[e, :length].sum()
            for first in range(n_periods - length + 1):
                if first > 0:
                    draws += known[e, first + length - 1] - known[e, first - 1]
                if draws == 0 or draws == n or (last and first + length < n_periods):
                    continue
                for side in range(2):
                    if (side == 0 and not up) or (side == 1 and not down):
                        continue
                    room = draws if side == 0 else n - draws
                    # all k in the room: a product of k factors, none smaller than the last
                    if k > room:
                        at = len(fine) - 1
                    else:
                        at = min(int(-10.0 * k * log((room - k + 1.0) / (n - k + 1.0))), len(fine) - 1)
                    fine[at] += number[i]


@nb.njit(cache=True, nogil=True)
def _piece(observed: float, expected: float) -> float:
    return observed * log(observed / expected) if observed > 0 else 0.0


@nb.njit(cache=True, nogil=True)
def deviance(x: float, n: float, k: float, draws: float) -> float:
    """Log-likelihood ratio of the two-by-two table against one share; nearly -log p where p is small."""
    e = k * draws / n
    return (
        _piece(x, e)
        + _piece(k - x, k - e)
        + _piece(draws - x, draws - e)
        + _piece(n - k - draws + x, n - k - draws + e)
    )


@nb.njit(cache=True, nogil=True)
def chernoff(x: float, n: float, k: float, draws: float) -> float:
    """At most -log of the tail (Hoeffding 1963): the binomial's bound, which the hypergeometric's tail obeys too."""
    e = k * draws / n
    return _piece(x, e) + _piece(k - x, k - e)


@nb.njit(cache=True, nogil=True)
def deviances(x: Any, n: Any, k: Any, draws: Any) -> Any:
    """Element by element `deviance`."""
    out = np.empty(len(x), np.float64)
    for i in range(len(x)):
        out[i] = deviance(x[i], n[i], k[i], draws[i])
    return out


@nb.njit(cache=True, nogil=True)
def critical(n: int, k: int, draws: int, sign: int, log_p: float, start: float) -> int:
    """The count nearest to the mean whose tail is at most the given p; one beyond all counts where there is none.

    `start` is any count; the search is quick where it is near.
    """
    low, high = max(0, draws - (n - k)), min(k, draws)
    mean = k * (draws / n)
    center = int(mean) if sign > 0 else int(mean) + 1
    edge = high + 1 if sign > 0 else low - 1
    inner = int(start)
    if (inner - center) * sign <= 0 or (edge - inner) * sign <= 0:
        inner = center
    if inner != center and log_tail(inner, n, k, draws, sign) <= log_p:
        outer, inner = inner, center
    else:
        step = 1
        outer = inner + sign
        while (edge - outer) * sign > 0 and log_tail(outer, n, k, draws, sign) > log_p:
            inner = outer
            step *= 2
            outer = inner + sign * step
        if (edge - outer) * sign < 0:
            outer = edge
    while (outer - inner) * sign > 1:
        middle = (inner + outer) // 2
        if log_tail(middle, n, k, draws, sign) <= log_p:
            outer = middle
        else:
            inner = middle
    return outer


@nb.njit(cache=True, nogil=True)
def _margins(n: int, k: int, draws: int, need: float) -> Any:
    """Counts between which the deviance is below `need`.

    With cells e moved by d, v = d/e: one that grows adds at most e v²/2, one that shrinks e v²/2 (1 + v/2 + v⁴/2).
    """
    share = draws / n
    mean = k * share
    if need <= 0:
        return mean, mean
    spread = mean * (1.0 - share) * (1.0 - k / n)
    reach = sqrt(2.0 * need * spread)
    up = min(k - mean, draws - mean)
    down = min(mean, n - k - draws + mean)
    v = min(1.0, reach / up) if up > 0 else 1.0
    w = min(1.0, reach / down) if down > 0 else 1.0
    return (
        mean - reach / sqrt(1.0 + 0.5 * w + 0.5 * w * w * w * w),
        mean + reach / sqrt(1.0 + 0.5 * v + 0.5 * v * v * v * v),
    )


@nb.njit(cache=True, nogil=True)
def scan(  # noqa: C901
    counts: Any, exposure: Any, known: Any, windows: Any, up: bool, down: bool, log_p: float, season_log_p: Any,
    phase: Any, n_phases: int, last: bool, slack: Any, hardly: float, needed: Any,
    out: Any, tails: Any,
) -> Any:  # fmt: skip
    """Emit windows whose count is extreme, or might be if a season alone split the count of its phases by chance.

    Args:
        counts: Units by combination and period.
        exposure: Row of `known` for each combination.
        known: Units by period where the columns are known, shape (exposures, periods).
        windows: Lengths of windows, rising.
        up: Whether risen counts are asked for.
        down: Whether fallen counts are.
        log_p: Log of the largest p to emit.
        season_log_p: By combination, log of the p that a season must bring to matter.
        phase: Phase of each period.
        n_phases: How many phases; 0: there is no season to look at.
        last: Whether only windows that end with the last period are looked at.
        slack: By count, how much smaller than the deviance -log p may be.
        hardly: How large -log of a bound on a split's chance spares the work of a better one; two thirds of it, and the
            split is not emitted.
        needed: What was worked out before for the same exposure and `season_log_p`, shape (2, windows, totals), -2 for
            what was not; no totals where combinations differ in them.
        out: Receives the columns named above, shape (room, 7).
        tails: Receives log p and the log of the chance of a split that reaches `season_log_p`, shape (room, 2).

    Returns:
        How many rows there would be (those beyond the room are not written), and the sum of the chances of splits
        that were too small to be emitted.
    """
    n_periods = counts.shape[1]
    cumulated = np.zeros((known.shape[0], n_periods + 1), np.int64)
    by_phase = np.zeros((known.shape[0], max(n_phases, 1)), np.int64)
    for e in range(known.shape[0]):
        for p in range(n_periods):
            cumulated[e, p + 1] = cumulated[e, p] + known[e, p]
            if n_phases > 0:
                by_phase[e, phase[p]] += known[e, p]
    fewest, most = _extremes(cumulated, windows)
    shares = _shares(cumulated, by_phase, windows, phase, n_phases)
    summed = np.zeros(n_periods + 1, np.int64)
    own_phase = np.zeros(max(n_phases, 1), np.int64)
    found, left_out = 0, 0.0
    for row in range(counts.shape[0]):
        e = exposure[row]
        own_phase[:] = 0
        for p in range(n_periods):
            summed[p + 1] = summed[p] + counts[row, p]
            if n_phases > 0:
                own_phase[phase[p]] += counts[row, p]
        n, k = cumulated[e, n_periods], summed[n_periods]
        for at in range(len(windows)):
            length = windows[at]
            gap = slack[min(min(k, int(2.0 * k * (most[e, at] / n)) + 50), len(slack) - 1)]
            low, _ = _margins(n, k, most[e, at], -log_p - gap)
            _, high = _margins(n, k, fewest[e, at], -log_p - gap)
            season_low, _ = _margins(n, k, most[e, at], -season_log_p[row] - gap)
            _, season_high = _margins(n, k, fewest[e, at], -season_log_p[row] - gap)
            if n_phases <= length or not down:
                season_low = -1.0
            if n_phases <= length or not up:
                season_high = np.inf
            for first in range(n_periods - length if last else 0, n_periods - length + 1):
                x = summed[first + length] - summed[first]
                same: Any = np.int64(-1)
                may_rise: Any = False
                may_fall: Any = False
                if shares[e, at, first] > 0:
                    same = 0
                    for p in range(first, first + length):
                        same += own_phase[phase[p]]
                    middle = same * shares[e, at, first]
                    # the margins of this window lie no nearer than those over all windows
                    may_rise = same >= season_high and not _far(season_high - middle, same, hardly)
                    may_fall = season_low >= 0 and same > 0 and not _far(middle - season_low, same, hardly)
                    if may_rise or may_fall:
                        draws = cumulated[e, first + length] - cumulated[e, first]
                        below, above = _margins(n, k, draws, -season_log_p[row] - gap)
                        if may_rise:
                            rare = _exponent(above, same, shares[e, at, first], above - middle, hardly)
                            may_rise = rare <= hardly
                            left_out += 0.0 if may_rise or rare > 2.0 * hardly else exp(-rare)
                        if may_fall and below >= 0:
                            rare = _exponent(below, same, shares[e, at, first], middle - below, hardly)
                            may_fall = rare <= hardly
                            left_out += 0.0 if may_fall or rare > 2.0 * hardly else exp(-rare)
                        may_fall = may_fall and below >= 0
                if x < high and x > low and not may_rise and not may_fall:
                    continue
                draws = cumulated[e, first + length] - cumulated[e, first]
                if draws == 0 or draws == n:
                    continue
                sign = UP if x > k * (draws / n) else DOWN
                reaches, tail = False, 0.0
                if (
                    (x >= high or x <= low)
                    and ((sign == UP and up) or (sign == DOWN and down))
                    and deviance(x, n, k, draws) >= -log_p - gap
                ):
                    tail = log_tail(x, n, k, draws, sign)
                    reaches = tail <= log_p
                split, turn = -np.inf, sign
                if may_rise or may_fall:
                    phase_draws = np.int64(round(draws / shares[e, at, first]))
                    for way in (UP, DOWN):
                        if (way == UP and not may_rise) or (way == DOWN and not may_fall):
                            continue
                        chance = _split(
                            way, same, n, k, draws, phase_draws, season_log_p[row], gap, hardly,
                            needed[(way + 1) // 2, at * n_periods + first],
                        )  # fmt: skip
                        if chance > split:
                            split, turn = chance, way
                    if split < -hardly / 1.5:
                        left_out += exp(split)
                        split = -np.inf
                if not reaches and split == -np.inf:
                    continue
                if found < len(out):
                    out[found, ROW], out[found, FIRST], out[found, LENGTH] = row, first, length
                    out[found, COUNT], out[found, SAME_PHASE], out[found, REACHES] = x, same, reaches
                    out[found, SIGN] = sign if reaches else turn
                    tails[found, 0], tails[found, 1] = tail, split
                found += 1
    return found, left_out


@nb.njit(cache=True, nogil=True, inline="always")
def _far(away: float, same: int, hardly: float) -> bool:
    """Whether Hoeffding's inequality alone makes a split that far from its mean too rare to count."""
    return away > 0 and away * away > hardly * same


@nb.njit(cache=True, nogil=True, inline="always")
def _exponent(x: float, same: int, share: float, away: float, hardly: float) -> float:
    """Bound on -log of the chance that x of `same` fall into the window, by Hoeffding's and Chernoff's inequalities."""
    if away <= 0:
        return 0.0
    rough = 2.0 * away * away / same
    if rough > 2.0 * hardly:
        return rough
    part = x / same
    if part >= 1.0 or part <= 0.0:
        return -same * log(share if part >= 1.0 else 1.0 - share)
    return same * (part * log(part / share) + (1.0 - part) * log((1.0 - part) / (1.0 - share)))


@nb.njit(cache=True, nogil=True)
def _shares(cumulated: Any, by_phase: Any, windows: Any, phase: Any, n_phases: int) -> Any:
    """Share of each window in all periods of its phases, 0 where there are no others; (exposures, windows, first)."""
    n_periods = cumulated.shape[1] - 1
    out = np.zeros((len(cumulated), len(windows), n_periods))
    for e in range(len(cumulated)):
        for at in range(len(windows)):
            length = windows[at]
            if length >= n_phases:
                continue
            for first in range(n_periods - length + 1):
                draws = cumulated[e, first + length] - cumulated[e, first]
                total = np.int64(0)
                for p in range(first, first + length):
                    total += by_phase[e, phase[p]]
                if draws < total < cumulated[e, n_periods]:
                    out[e, at, first] = draws / total
    return out


@nb.njit(cache=True, nogil=True)
def _extremes(cumulated: Any, windows: Any) -> Any:
    """Fewest (above 0) and most units of the windows of each length, by exposure."""
    fewest = np.full((len(cumulated), len(windows)), np.int64(1 << 60))
    most = np.zeros((len(cumulated), len(windows)), np.int64)
    for e in range(len(cumulated)):
        for at in range(len(windows)):
            for first in range(cumulated.shape[1] - windows[at]):
                draws = cumulated[e, first + windows[at]] - cumulated[e, first]
                if draws > 0:
                    fewest[e, at] = min(fewest[e, at], draws)
                most[e, at] = max(most[e, at], draws)
            fewest[e, at] = min(fewest[e, at], most[e, at])
    return fewest, most


@nb.njit(cache=True, nogil=True)
def _split(
    way: int, same: int, n: int, k: int, draws: int, phase_draws: int, log_p: float, gap: float, hardly: float,
    needed: Any,
) -> float:  # fmt: skip
    """Log of the chance that a season's count, split between cycles by exposure, brings a count as extreme as log_p."""
    low, high = max(0, same - (phase_draws - draws)), min(same, draws)
    extreme = high if way == UP else low
    below, above = _margins(n, k, draws, -log_p - gap)
    if (way == UP and extreme < above) or (way == DOWN and extreme > below):
        return -np.inf
    share = draws / phase_draws
    middle = same * share
    away = above - middle if way == UP else middle - below
    # Bernstein's inequality
    if away > 0 and away * away > 2.0 * hardly * (same * share * (1.0 - share) + away / 3.0):
        return -0.5 * away * away / (same * share * (1.0 - share) + away / 3.0)
    if k < len(needed):
        if needed[k] == -2:
            needed[k] = critical(n, k, draws, way, log_p, above if way == UP else below)
        least = needed[k]
    else:
        least = critical(n, k, draws, way, log_p, above if way == UP else below)
    if (way == UP and extreme < least) or (way == DOWN and extreme > least):
        return -np.inf
    if low < least < high and (least - middle) * way > 0:
        bound = -chernoff(least, phase_draws, same, draws)
        if bound < -hardly / 1.2:
            return bound
    return log_tail(least, phase_draws, same, draws, way)
