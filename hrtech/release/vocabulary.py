"""Which values undeclared columns have, found privately.

Two rounds of weighted thresholding (Gopi et al. 2020, "Differentially Private Set Union"; the rounds as in Swanberg
et al. 2023, "DP-SIPS"). In each a person spreads a vector of length 1 evenly over those of their undeclared
attributes that no earlier round has found: 1 / sqrt(k) to each of k. Noise is added to the sum of each attribute that
anybody holds, and those above a threshold are found. Frequent values are found in the first round; in the second
people give their whole weight to the few rare ones that they hold.

Price, by OpenDP's map of its thresholded Gaussian: a person with k attributes moves k sums by at most 1 / sqrt(k)
each, by 1 in all. Rho depends on the 1 alone; delta is the largest over k = 1 ... `most_undeclared`, beyond which a
random choice of a person's attributes counts. Weights are whole multiples of 2^-16, rounded down.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hrtech.counts import Encoded
from hrtech.privacy.accounting import Charge
from hrtech.privacy.discrete_noise import Noise, scale_for, threshold_charge

UNIT = 1 << 16
#: Shares of the step's rho and delta for each round.
ROUNDS = (0.4, 0.6)


@dataclass(frozen=True)
class Round:
    """One round: noise, threshold and price; weights in units of 2^-16."""

    scale: float
    threshold: int
    charge: Charge


def plan_rounds(rho: float, delta: float, most: int) -> tuple[Round, ...]:
    """Noise and thresholds of the rounds, before any record is read.

    Args:
        rho: Loss of all rounds together.
        delta: Failure probability of all rounds together.
        most: Most attributes of one person that count.
    """
    return tuple(_plan(rho * share, delta * share, most) for share in ROUNDS)


@lru_cache(maxsize=64)
def _plan(rho: float, delta: float, most: int) -> Round:
    scale = scale_for(UNIT, rho)

    def price(threshold: int, holders: Sequence[int]) -> tuple[float, float]:
        prices = [threshold_charge(scale, threshold, k, most=weight_of(k), norm=UNIT) for k in holders]
        return max(p[0] for p in prices), max(p[1] for p in prices)

    everybody = range(1, most + 1)
    holders: Sequence[int] = (1, most)
    low, high = UNIT, 2 * UNIT
    while price(high, holders)[1] > delta:
        low, high = high, 2 * high
    while high - low > UNIT // 64:
        middle = (low + high) // 2
        low, high = (middle, high) if price(middle, holders)[1] > delta else (low, middle)
    # the most or the fewest attributes cost most, as a rule; all are priced
    while price(high, everybody)[1] > delta:
        high += UNIT // 16
    rho, spent = price(high, everybody)
    return Round(scale, high, Charge(rho, spent))


def weight_of(k: int) -> int:
    """What a person with k attributes adds to each, in units of 2^-16; k of them have length 1 at most."""
    return math.isqrt(UNIT * UNIT // k)


def find_values(
    encoded: Encoded,
    undeclared: Sequence[str],
    rounds: Sequence[Round],
    most: int,
    most_found: int,
    noise: Noise,
    chooser: np.random.Generator,
) -> dict[str, tuple[str, ...]]:
    """Values of the undeclared columns that the rounds find.

    Args:
        encoded: People.
        undeclared: The columns.
        rounds: From `plan_rounds`.
        most: Most attributes of one person that count.
        most_found: Most values kept, those with the largest noisy weight first.
        noise: Where noise comes from.
        chooser: Which attributes of a person with more than `most` count; each person's choice is its own.
    """
    held, items = _held(encoded, undeclared)
    open_to = np.ones(len(items), dtype=bool)
    found: dict[int, int] = {}
    for number, one in enumerate(rounds):
        sums = weights_of_people(held & open_to, most, chooser).sum(axis=0)
        # ASCII keys: a zero byte or a lone surrogate must not change what OpenDP sees
        keys = {json.dumps([k, *items[k]]): int(s) for k, s in enumerate(sums.tolist()) if s > 0}
        noisy = noise.above_threshold(keys, one.scale, one.threshold)
        for key, weight in noisy.items():
            k = json.loads(key)[0]
            # what an earlier round found is the more frequent
            found[k] = weight + (len(rounds) - number) * (1 << 50)
            open_to[k] = False
    kept = sorted(found, key=lambda k: (-found[k], items[k]))[:most_found]
    values: dict[str, list[str]] = {name: [] for name in undeclared}
    for k in kept:
        values[items[k][0]].append(items[k][1])
    return {name: tuple(sorted(listed)) for name, listed in values.items()}


def weights_of_people(held: NDArray[np.bool_], most: int, chooser: np.random.Generator) -> NDArray[np.int64]:
    """What each person adds to each attribute, in units of 2^-16; shape (people, attributes).

    Args:
        held: Which attributes each person spreads weight over.
        most: Beyond so many a random choice of them.
        chooser: Where the choice comes from.
    """
    number = held.sum(axis=1)
    over = np.flatnonzero(number > most)
    if len(over):
        held = held.copy()
        ticket = np.where(held[over], chooser.random((len(over), held.shape[1])), 2.0)
        kept = np.argpartition(ticket, most - 1, axis=1)[:, :most]
        own = np.zeros((len(over), held.shape[1]), dtype=bool)
        np.put_along_axis(own, kept, True, axis=1)
        held[over] = own
        number = held.sum(axis=1)
    each = np.array([0, *(weight_of(k) for k in range(1, held.shape[1] + 1))], dtype=np.int64)[number]
    return held * each[:, None]


def _held(encoded: Encoded, names: Sequence[str]) -> tuple[NDArray[np.bool_], list[tuple[str, str]]]:
    """Who holds which attribute of some columns; shape (people, attributes)."""
    parts, items = [], []
    for column in encoded.columns:
        if column.name not in names or not column.values:
            continue
        items += [(column.name, v) for v in column.values]
        if column.multi_valued:
            parts.append(
                np.column_stack(
                    [column.indicator(v)[: encoded.n_records].astype(bool) for v in range(len(column.values))]
                )
            )
        else:
            parts.append(column.data[:, None] == np.arange(1, len(column.values) + 1))
    if not parts:
        return np.zeros((encoded.n_records, 0), dtype=bool), []
    return np.hstack(parts), items


def charge_of(rounds: Sequence[Round]) -> Mapping[str, float]:
    """What the rounds cost, for the terms of the release."""
    return {"rho": sum(r.charge.rho for r in rounds), "delta": sum(r.charge.delta for r in rounds)}
