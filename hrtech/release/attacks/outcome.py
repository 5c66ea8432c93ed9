"""What an attack tells, and the intervals that it tells it with."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import NDArray

ATTACKS = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Attack:
    """Outcome of a simulated attack. Restricted.

    Attributes:
        table: The figures; columns as the attack documents them.
        found: Whether it told more than can be explained without the people being in the release, at the confidence
            asked for over all rows of the table together.
        says: The outcome in plain sentences.
    """

    table: pd.DataFrame
    found: bool
    says: tuple[str, ...]


def sample(number: int, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Positions of all, or of a random sample of `most`, ascending."""
    if number <= most:
        return np.arange(number)
    return np.sort(rng.choice(number, most, replace=False))


def z_of(confidence: float) -> float:
    """Half width of a two-sided normal interval, in standard deviations."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson(found: float, of: float, confidence: float) -> tuple[float, float]:
    """Wilson's interval of a share (JASA 1927); 0 to 1 where there is nothing to go by. Counts need not be whole."""
    if not of:
        return 0.0, 1.0
    z = z_of(confidence)
    middle = (found + z**2 / 2) / (of + z**2)
    half = z / (of + z**2) * math.sqrt(found * (of - found) / of + z**2 / 4)
    return max(middle - half, 0.0), min(middle + half, 1.0)
