"""Intervals of one group's figure: shares, rates, means and medians, at any level.

Belongs here: one figure and its interval. Differences and ratios are made of two such intervals in
`hrtech.groups.contrasts`. Every function takes arrays, one element a group, and gives arrays.

Shares and rates: mid-p intervals, the average of the exact (Clopper and Pearson 1934; Garwood 1936) and the open
limit; Lancaster 1961, Berry and Armitage 1995. They keep their coverage on average where counts are small, and are
narrower than the exact ones. Counts need not be whole: with a design effect, the effective ones go in (Korn and
Graubard 1998, Survey Methodology 24).
"""

from collections.abc import Callable

import numpy as np

Floats = np.ndarray
_STEPS = 45


def share_limits(held: Floats, known: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Mid-p interval of a share.

    Args:
        held: Effective number of records with the condition.
        known: Effective number of records; where 0, nothing is known.
        confidence: Coverage.
    """
    from scipy.special import betainc

    def tail(p: Floats, x: Floats, n: Floats) -> Floats:
        """Probability of more than x, and half of that of x, where the share is p."""
        at_least = np.where(x > 0, betainc(np.maximum(x, 1e-300), n - x + 1, p), 1.0)
        more = np.where(x < n, betainc(x + 1, np.maximum(n - x, 1e-300), p), 0.0)
        return (at_least + more) / 2

    alpha = (1 - confidence) / 2
    nothing = ~(known > 0)
    x, n = np.where(nothing, 0.0, held), np.where(nothing, 1.0, known)
    zero, one = np.zeros_like(n), np.ones_like(n)
    low = np.where(x <= 0, 0.0, _solve(lambda p: tail(p, x, n), alpha, zero, one))
    high = np.where(x >= n, 1.0, _solve(lambda p: tail(p, x, n), 1 - alpha, zero, one))
    return np.where(nothing, np.nan, low), np.where(nothing, np.nan, high)


def count_limits(events: Floats, confidence: float, most: Floats | None = None) -> tuple[Floats, Floats]:
    """Mid-p interval of a Poisson mean, or with `most` of a weighted sum of Poisson counts.

    A directly standardised rate is Σ w·x with variance Σ w²·x. Fay and Feuer 1997 (Statistics in Medicine 16) put
    gamma limits around it; the mid-p form is Fay and Kim 2017 (Biometrical Journal 59). With weights of 1 both are
    Garwood's and its mid-p form.

    Args:
        events: Events divided by their design effect, in units in which the variance equals the mean.
        confidence: Coverage.
        most: The largest weight in the same units; 1 for plain counts.
    """
    from scipy.special import gammainc

    x = np.asarray(events, dtype=float)
    step = np.ones_like(x) if most is None else most
    # Fay and Feuer: the upper limit allows for one more event, of the largest weight, in mean and variance
    mean, variance = x + step, x + step**2
    with np.errstate(invalid="ignore"):
        shape, scale = mean**2 / variance, variance / mean

    def tail(rate: Floats) -> Floats:
        at_least = np.where(x > 0, gammainc(np.maximum(x, 1e-300), rate), 1.0)
        return (at_least + gammainc(shape, rate / scale)) / 2

    alpha = (1 - confidence) / 2
    top = 2 * (mean + 10 * step) + 40 * np.sqrt(variance) + 200 * scale
    low = np.where(x <= 0, 0.0, _solve(tail, alpha, np.zeros_like(x), top))
    return low, _solve(tail, 1 - alpha, np.zeros_like(x), top)


def mean_limits(mean: Floats, error: Floats, freedom: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Student's interval; none where nothing is known of the spread."""
    from scipy.special import stdtrit

    half = stdtrit(np.where(freedom > 0, freedom, np.nan), (1 + confidence) / 2) * error
    return mean - half, mean + half


def studentised_limits(
    values: Floats, weights: Floats, confidence: float, draws: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Bootstrap-t interval of a mean of few, skewed values (Hall 1988; Efron and Tibshirani 1993, chapter 12).

    Args:
        values: Totals of independent units: of a value, or of a person's values.
        weights: What each total is divided by: 1, or the person's number of records.
        confidence: Coverage.
        draws: Resamples.
        rng: Draws them.
    """
    n = len(values)
    ratio = values.sum() / weights.sum()
    error = float(np.sqrt((((values - ratio * weights) ** 2).sum()) * n / (n - 1)) / weights.sum())
    picked = rng.integers(0, n, (draws, n))
    u, t = values[picked], weights[picked]
    means = u.sum(axis=1) / t.sum(axis=1)
    spread = np.sqrt(((u - means[:, None] * t) ** 2).sum(axis=1) * n / (n - 1)) / t.sum(axis=1)
    # a resample without spread says nothing of the error; it stands beyond every quantile on its side
    distance = means - ratio
    beyond = np.where(distance > 0, np.inf, np.where(distance < 0, -np.inf, 0.0))
    t_values = np.where(spread > 0, distance / np.where(spread > 0, spread, 1), beyond)
    low, high = np.quantile(t_values, [(1 + confidence) / 2, (1 - confidence) / 2], method="higher")
    return float(ratio - low * error), float(ratio - high * error)


def quantile_limits(
    values: Floats, weights: Floats, effective: float, confidence: float
) -> tuple[float, float, float]:
    """Median and its interval by order statistics (Woodruff 1952, JASA 47); unbounded where there are too few.

    The limits of the share of 1/2 are turned into values through the distribution. Without weights and clusters they
    are the binomial's exact ranks.

    Args:
        values: Values.
        weights: Weights.
        effective: Effective number of values.
        confidence: Coverage.
    """
    from scipy.special import bdtr

    order = np.argsort(values, kind="stable")
    x = values[order]
    cumulated = weights[order].cumsum()
    shares = cumulated / cumulated[-1]
    half = int(np.searchsorted(shares, 0.5 - 1e-12))
    even = abs(shares[half] - 0.5) < 1e-12 and half + 1 < len(x)
    median = float((x[half] + x[half + 1]) / 2 if even else x[half])
    n = max(1, int(effective))
    rank = _least_rank((1 - confidence) / 2, n, bdtr)
    if rank < 1:
        return median, -np.inf, np.inf
    # ranks `rank` and `n - rank + 1` of n equally heavy values
    low = x[np.searchsorted(shares, rank / n - 1e-9)]
    above = int(np.searchsorted(shares, (n - rank) / n + 1e-9, side="right"))
    high = x[min(above, len(x) - 1)]
    return median, float(low), float(high)


def _least_rank(alpha: float, n: int, below: Callable[[Floats, int, float], Floats]) -> int:
    """Ranks up to this one lie below the median with a probability of at most alpha; 0 where none does."""
    ranks = np.arange(n // 2 + 1, dtype=float)
    return int((below(ranks, n, 0.5) <= alpha).sum())


def _solve(rising: Callable[[Floats], Floats], target: float, low: Floats, high: Floats) -> Floats:
    """Bisect a rising function of each element."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        above = rising(middle) > target
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.asarray((low + high) / 2)
