"""Simulated cases of effect studies whose effect is known: for coverage, and for what overlap is refused.

Six are of the kinds that the target names. `unseen` was written after the learners were set and is never tuned on:
uniform, binary and skewed adjusters, thresholds and absolute values.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

ADJUSTERS = tuple(f"x{j}" for j in range(7))


@dataclass(frozen=True)
class Case:
    """A data set with the effect in the population that it was drawn from."""

    frame: pd.DataFrame
    truth: float
    cluster: str | None = None


def logistic(values: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + e⁻ᵛ)."""
    return 1 / (1 + np.exp(-values))


def _adjusters(rng: np.random.Generator, n: int) -> np.ndarray:
    x = rng.normal(size=(n, 7))
    x[:, 5] = rng.integers(0, 2, n)
    return x


def _line(x: np.ndarray) -> np.ndarray:
    return 0.8 * x[:, 0] - 0.6 * x[:, 1] + 0.5 * x[:, 2]


def _level(x: np.ndarray) -> np.ndarray:
    return 1.5 * x[:, 0] + x[:, 1] - 0.7 * x[:, 2] + 0.4 * x[:, 5] + 0.5 * x[:, 6]


def _case(rng: np.random.Generator, x: np.ndarray, chance, level, effect, truth: float) -> Case:
    t = (rng.random(len(x)) < chance).astype(int)
    y = level + effect * t + rng.normal(size=len(x))
    return Case(pd.DataFrame(dict(zip(ADJUSTERS, x.T, strict=True))).assign(t=t, y=y), truth)


def linear(rng: np.random.Generator, n: int) -> Case:
    """Straight lines throughout, effect 2."""
    x = _adjusters(rng, n)
    return _case(rng, x, logistic(_line(x)), _level(x), 2.0, 2.0)


def heterogeneous(rng: np.random.Generator, n: int) -> Case:
    """The effect depends on two adjusters, mean 2."""
    x = _adjusters(rng, n)
    return _case(rng, x, logistic(_line(x)), _level(x), 2.5 + 1.5 * x[:, 0] - x[:, 5], 2.0)


def nonlinear(rng: np.random.Generator, n: int) -> Case:
    """Squares, products, a sine and a cosine; some rows are exposed almost surely."""
    x = _adjusters(rng, n)
    level = 2 * np.sin(1.5 * x[:, 0]) + x[:, 1] ** 2 + x[:, 0] * x[:, 1] + 0.5 * x[:, 6]
    chance = logistic(0.9 * x[:, 0] * x[:, 1] + 0.8 * (x[:, 1] ** 2 - 1) + 0.4 * x[:, 2])
    return _case(rng, x, chance, level, 1.5 + np.cos(x[:, 2]), 1.5 + float(np.exp(-0.5)))


def weak_overlap(rng: np.random.Generator, n: int) -> Case:
    """As linear, but 1 row in 7 has a propensity beyond .025 and .975."""
    x = _adjusters(rng, n)
    return _case(rng, x, logistic(2.2 * _line(x)), _level(x), 2.0, 2.0)


def _binary_chances(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    level = 0.6 * (_level(x) - 0.5 * x[:, 6])
    return logistic(level - 1), logistic(level)


@cache
def _binary_truth() -> float:
    x = _adjusters(np.random.default_rng(99), 1_000_000)
    without, with_ = _binary_chances(x)
    return float((with_ - without).mean())


def binary(rng: np.random.Generator, n: int) -> Case:
    """An outcome of yes or no; the effect is a difference of shares."""
    x = _adjusters(rng, n)
    t = (rng.random(n) < logistic(_line(x))).astype(int)
    without, with_ = _binary_chances(x)
    y = (rng.random(n) < np.where(t == 1, with_, without)).astype(float)
    return Case(pd.DataFrame(dict(zip(ADJUSTERS, x.T, strict=True))).assign(t=t, y=y), _binary_truth())


def clustered(rng: np.random.Generator, n: int) -> Case:
    """Rows in clusters of 20 that share what lifts the outcome, what lifts the exposure, and part of an adjuster."""
    cluster = np.arange(n) // 20
    groups = cluster.max() + 1
    x = _adjusters(rng, n)
    x[:, 0] = np.sqrt(0.5) * x[:, 0] + np.sqrt(0.5) * rng.normal(size=groups)[cluster]
    chance = logistic(_line(x) + rng.normal(scale=0.7, size=groups)[cluster])
    effect = 2 + rng.normal(scale=0.5, size=groups)[cluster]
    case = _case(rng, x, chance, _level(x) + rng.normal(size=groups)[cluster], effect, 2.0)
    return Case(case.frame.assign(cluster=cluster), 2.0, "cluster")


def unseen(rng: np.random.Generator, n: int) -> Case:
    """Uniform, binary and skewed adjusters; thresholds, absolute values and a product decide."""
    x = rng.uniform(-1, 1, size=(n, 7))
    x[:, 2] = rng.integers(0, 2, n)
    x[:, 3] = rng.exponential(size=n) - 1
    chance = logistic(
        1.2 * (x[:, 0] > 0.2) - 0.9 * np.abs(x[:, 1]) + 0.6 * x[:, 2] - 0.4 * np.minimum(x[:, 3], 2)
    )
    level = (
        2 * np.abs(x[:, 0])
        + 1.5 * (x[:, 1] > 0) * x[:, 2]
        + np.exp(-x[:, 3] / 2)
        + np.where(x[:, 0] > 0.2, 1.0, 0)
    )
    return _case(rng, x, chance, level, 1 + x[:, 2] * x[:, 4], 1.0)


COVERAGE: dict[str, Callable[[np.random.Generator, int], Case]] = {
    each.__name__: each
    for each in (linear, nonlinear, heterogeneous, binary, weak_overlap, clustered, unseen)
}


def _shapes(x: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "line": 1.5 * x[:, 0] - x[:, 1],
        "curve": 1.5 * x[:, 0] * x[:, 1] + x[:, 1] ** 2 - 1,
        "steps": np.where(x[:, 0] > 0, 2.5, -2.5),
    }


def overlapping(rng: np.random.Generator, n: int, shape: str) -> Case:
    """True propensities from .1 to .9."""
    x = _adjusters(rng, n)
    return _case(rng, x, np.clip(logistic(_shapes(x)[shape]), 0.1, 0.9), _level(x), 2.0, 2.0)


def gaping(rng: np.random.Generator, n: int, shape: str) -> Case:
    """A third of the rows or more have a propensity of 0 or 1."""
    x = _adjusters(rng, n)
    chance = {
        "line": np.where(np.abs(x[:, 0]) > 0.9, (x[:, 0] > 0).astype(float), 0.5),
        "curve": np.where(np.abs(x[:, 0]) > 0.95, 0.0, 0.5),
        "steps": np.where((x[:, 0] > 0) & (x[:, 1] > -0.5), 1.0, 0.4),
    }[shape]
    return _case(rng, x, chance, _level(x), 2.0, 2.0)


SHAPES = ("line", "curve", "steps")
