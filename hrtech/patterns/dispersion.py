"""Spread beyond chance: records that come in batches make counts vary more than independent records would.

Estimated from all combinations at once, by how often they occur, as the median of their chi-square over periods:
what is planted, seasonal or new moves few of them and no median. Tails are then those of counts divided by the
dispersion, as if each batch were one record.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

#: Fewest units a period in the mean for a chi-square to be one, and fewest combinations for a median.
_LEAST_MEAN, _LEAST_NUMBER = 3.0, 20
#: How many standard errors a median must lie above 1 to be believed, and how far at least.
_ERRORS, _LEAST_EXCESS = 3.0, 0.05


@dataclass
class Spread:
    """Collects chi-squares of combinations.

    Attributes:
        items: How many items there are: combinations of them are not independent of one another.
        means: Units a period, by combination.
        ratios: Chi-square over its degrees of freedom.
        degrees: Degrees of freedom.
    """

    items: int
    means: list[NDArray[np.float64]] = field(default_factory=list)
    ratios: list[NDArray[np.float64]] = field(default_factory=list)
    degrees: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, counts: NDArray[np.int32], exposure: NDArray[np.int64], known: NDArray[np.int64]) -> None:
        """Take in combinations.

        Args:
            counts: Units by period, (combinations, periods).
            exposure: Row of `known` for each combination.
            known: Units by period where columns are known, (exposures, periods).
        """
        from hrtech.patterns.scan_loops import chi_squares

        held, everyone = (known > 0).sum(axis=1)[exposure], known.sum(axis=1)[exposure]
        total = counts.sum(axis=1, dtype=np.int64)
        use = np.flatnonzero((total >= _LEAST_MEAN * held) & (total < 0.9 * everyone) & (held > 2))
        if not len(use):
            return
        share = total[use] / everyone[use]
        self.means.append(total[use] / held[use])
        self.degrees.append(held[use] - 1.0)
        self.ratios.append(chi_squares(counts, use, share, exposure, known) / (1 - share) / (held[use] - 1.0))

    def estimate(self) -> "Dispersion":
        """Medians by how often combinations occur, 1 where they are within error of it."""
        from scipy.stats import chi2

        if not self.means:
            return Dispersion(np.zeros(1), np.ones(1))
        means, ratios, degrees = (np.concatenate(v) for v in (self.means, self.ratios, self.degrees))
        distinct, which = np.unique(degrees, return_inverse=True)
        ratios = ratios / (chi2.ppf(0.5, distinct) / distinct)[which]
        level = np.floor(np.log2(means))
        at, values = [], []
        for one in np.unique(level):
            own = level == one
            number = int(own.sum())
            if number < min(_LEAST_NUMBER, self.items):
                continue
            error = 1.25 * np.sqrt(2 / np.median(degrees[own]) / min(number, self.items))
            excess = float(np.median(ratios[own])) - 1
            at.append(one)
            values.append(1 + excess if excess > max(_ERRORS * error, _LEAST_EXCESS) else 1.0)
        return Dispersion(np.array(at or [0.0]), np.array(values or [1.0]))


@dataclass(frozen=True)
class Dispersion:
    """Variance over what chance gives.

    Attributes:
        level: Log2 of units a period, rising.
        value: Dispersion at each level, 1 or more.
    """

    level: NDArray[np.float64]
    value: NDArray[np.float64]

    @property
    def typical(self) -> float:
        """The median over levels."""
        return float(np.median(self.value))

    @property
    def none(self) -> bool:
        """Whether there is no spread beyond chance."""
        return bool((self.value == 1).all())

    def at(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        """Dispersion of combinations that occur so often a period; beyond the levels, that of the nearest."""
        return np.asarray(np.interp(np.log2(np.maximum(means, 1e-9)), self.level + 0.5, self.value))


def dispersed_tails(
    x: NDArray[np.int64],
    n: NDArray[np.int64],
    k: NDArray[np.int64],
    draws: NDArray[np.int64],
    sign: NDArray[np.int64],
    by: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Log tails of counts divided by their dispersion, rounded towards the mean."""
    from hrtech.patterns.tails import log_tails

    units, inside = np.maximum(np.round(n / by), 2).astype(np.int64), np.round(draws / by).astype(np.int64)
    holders = np.minimum(np.ceil(k / by).astype(np.int64), units - 1)
    count = np.where(sign > 0, np.floor(x / by), np.ceil(x / by)).astype(np.int64)
    low = np.maximum(0, inside - (units - holders))
    count = np.clip(count, low, np.minimum(holders, inside))
    return np.asarray(log_tails(count, units, holders, inside, sign))
