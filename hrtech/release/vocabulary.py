"""Which values undeclared columns have, found privately.

Two rounds of weighted thresholding (Gopi et al. 2020, "Differentially Private Set Union"; the rounds as in Swanberg
et al. 2023, "DP-SIPS"). In each a person spreads a vector of length 1 evenly over those of their undeclared
attributes that no earlier round has found: 1 / sqrt(k) to each of k. Noise is added to the sum of each attribute that
anybody holds, and those above a threshold are found. Frequent values are found in the first round; in the second
people give their whole weight to the few rare ones that they hold.

Price, by OpenDP's map of its thresholded Gaussian: a person with k attributes moves k sums by at most 1 / sqrt(k)
each, by 1 in all. Rho depends on the 1 alone; delta is the largest over k = 1 ... `most_undeclared`, beyond which a
choice of a person's attributes counts that a secret of the run and this person's row alone decide. Weights are whole
multiples of 2^-16, rounded down.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hrtech.counts import Attribute, Encoded, EncodedColumn
from hrtech.privacy.accounting import Charge
from hrtech.privacy.discrete_noise import Noise, scale_for, threshold_charge
from hrtech.release.declared import ReleaseError

UNIT = 1 << 16
#: Shares of the step's rho and delta for each round.
ROUNDS = (0.4, 0.6)
#: No threshold is higher; the map of OpenDP works in double precision and tells no delta below some 1e-16 a key.
_HIGHEST = 1 << 50


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

    Raises:
        ReleaseError: Delta is smaller than OpenDP's map can tell.
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
    if price(_HIGHEST, holders)[1] > delta:
        raise ReleaseError(
            f"delta: what it leaves to find undeclared values ({delta:.1g}) is less than can be told for {most} "
            f"attributes per person; declare the values, or use a larger delta"
        )
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
    """Values of the undeclared columns that the rounds find, in each column those with the largest weight first.

    Args:
        encoded: People.
        undeclared: The columns.
        rounds: From `plan_rounds`.
        most: Most attributes of one person that count.
        most_found: Most values kept, those with the largest noisy weight first.
        noise: Where noise comes from.
        chooser: Where the secret comes from that decides which attributes count of a person with more than `most`.
    """
    columns = [c for c in encoded.columns if c.name in undeclared]
    open_to = {c.name: np.ones(len(c.values), dtype=bool) for c in columns}
    secret = chooser.bytes(32)
    found: dict[Attribute, int] = {}
    for number, one in enumerate(rounds):
        sums = summed_weights(columns, encoded.n_records, open_to, most, secret)
        # a key is the attribute alone, in ASCII: a zero byte must not change what OpenDP sees
        noisy = noise.above_threshold({json.dumps(a): s for a, s in sums.items()}, one.scale, one.threshold)
        for key, weight in noisy.items():
            name, value = json.loads(key)
            # what an earlier round found is the more frequent
            found[name, value] = weight + (len(rounds) - number) * (1 << 50)
        for column in columns:
            open_to[column.name] = np.array(
                [(column.name, v) not in found for v in column.values], dtype=bool
            )
    values: dict[str, list[str]] = {name: [] for name in undeclared}
    for name, value in sorted(found, key=lambda a: (-found[a], a))[:most_found]:
        values[name].append(value)
    return {name: tuple(listed) for name, listed in values.items()}


def summed_weights(
    columns: Sequence[EncodedColumn],
    n_people: int,
    open_to: Mapping[str, NDArray[np.bool_]],
    most: int,
    secret: bytes,
) -> dict[Attribute, int]:
    """Sum what all people add to each attribute that anybody holds, in units of 2^-16.

    Args:
        columns: The undeclared columns.
        n_people: How many people.
        open_to: Per column which values count.
        most: Most attributes of one person that count.
        secret: Decides which, for a person with more.
    """
    number = np.zeros(n_people, dtype=np.int64)
    for column in columns:
        if column.multi_valued:
            for k in np.flatnonzero(open_to[column.name]):
                number += column.indicator(int(k))[:n_people]
        else:
            number += np.r_[False, open_to[column.name]][column.data]
    each = np.array([0, *map(weight_of, range(1, most + 1))], dtype=np.int64)
    # those with too many are added one by one below
    own = np.where(number > most, 0, each[np.minimum(number, most)])
    total: dict[Attribute, int] = {}
    for column in columns:
        if column.multi_valued:
            sums = [int(own[column.indicator(k)[:n_people] > 0].sum()) for k in range(len(column.values))]
        else:
            # whole numbers far below 2^53: exact in double precision
            sums = np.bincount(column.data, weights=own, minlength=len(column.values) + 1)[1:].tolist()
        total |= {
            (column.name, v): int(s)
            for v, s, counts in zip(column.values, sums, open_to[column.name], strict=True)
            if counts and s
        }
    for person in np.flatnonzero(number > most).tolist():
        for attribute, weight in weights_of(_attributes(columns, person, open_to), most, secret).items():
            total[attribute] = total.get(attribute, 0) + weight
    return total


def weights_of(attributes: Sequence[Attribute], most: int, secret: bytes) -> dict[Attribute, int]:
    """What one person adds to each attribute, in units of 2^-16: a function of this person alone and of the secret.

    Args:
        attributes: What the person holds and no earlier round has found.
        most: Beyond so many, a choice of them that the secret and the attributes decide.
        secret: 1 to 64 bytes.
    """
    held = sorted(attributes)
    if len(held) > most:
        seed = hashlib.blake2b(json.dumps(held).encode(), key=secret, digest_size=16).digest()
        order = np.random.Generator(np.random.PCG64(int.from_bytes(seed, "big"))).permutation(len(held))
        held = [held[k] for k in sorted(order[:most].tolist())]
    return dict.fromkeys(held, weight_of(len(held))) if held else {}


def _attributes(
    columns: Sequence[EncodedColumn], person: int, open_to: Mapping[str, NDArray[np.bool_]]
) -> list[Attribute]:
    """What one person holds of some columns, as far as it counts."""
    held: list[Attribute] = []
    for column in columns:
        if column.multi_valued:
            octet, bit = divmod(person, 8)
            codes = np.flatnonzero(column.data.view(np.uint8)[:, octet] >> bit & 1).tolist()
        else:
            codes = [int(column.data[person]) - 1] if column.data[person] else []
        held += [(column.name, column.values[k]) for k in codes if open_to[column.name][k]]
    return held


def charge_of(rounds: Sequence[Round]) -> Mapping[str, float]:
    """What the rounds cost, for the terms of the release."""
    return {"rho": sum(r.charge.rho for r in rounds), "delta": sum(r.charge.delta for r in rounds)}
