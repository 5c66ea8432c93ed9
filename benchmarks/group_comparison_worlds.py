"""Worlds with known groups for the benchmark of comparisons: small and large, rare and common, skewed, clustered."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

SIZES = np.array([8, 20, 60, 200, 600, 1800])
STRATA = np.array([0.5, 0.3, 0.2])
#: How the share and the rate of a stratum differ from the group's.
TILT = np.array([0.7, 1.0, 1.5])
YEARS = ("2021", "2022", "2023")


@dataclass(frozen=True)
class World:
    """Records with their true figures.

    Attributes:
        records: One row a record: `group`, `year`, `stratum`, `held`, `events`, `exposure`, `even`, `skewed`, `person`.
        truth: One row a group: `share`, `rate`, `even`, `skewed` (means), `median`, and those that are standardised,
            such as `share_standardised`.
        standard: The standard population.
    """

    records: pd.DataFrame
    truth: pd.DataFrame
    standard: pd.DataFrame


def world(
    rng: np.random.Generator, *, differ: bool = True, clustered: bool = False, per_year: bool = False
) -> World:
    """Draw a world.

    Args:
        rng: Draws it.
        differ: Groups differ; otherwise all have the same figures, and no year differs from another.
        clustered: A person has one to five records that resemble each other.
        per_year: Sizes are those of each year.
    """
    groups = len(SIZES)
    spread = np.exp(rng.normal(0, 0.5, groups)) if differ else np.ones(groups)
    share, rate = np.clip(rng.uniform(0.03, 0.35) * spread, 0.005, 0.6), rng.uniform(0.2, 2.0) * spread
    centre, shape = rng.uniform(2, 6) * spread, rng.uniform(1.5, 4)
    sizes = np.repeat(rng.permutation(SIZES), len(YEARS)) if per_year else rng.permutation(SIZES)
    group = np.repeat(np.arange(len(sizes)) // (len(YEARS) if per_year else 1), sizes)
    n = len(group)
    year = np.repeat(np.tile(np.arange(3), groups), sizes) if per_year else rng.integers(0, 3, n)
    mix = STRATA * np.exp(rng.normal(0, 0.4, (groups, 3)) * differ)
    bounds = (mix / mix.sum(axis=1, keepdims=True)).cumsum(axis=1)[group]
    stratum = np.minimum((rng.random((n, 1)) > bounds).sum(axis=1), 2)
    tilt = TILT if differ else np.ones(3)
    person, own = np.arange(n), rng.random(n)
    shared = np.ones(n)
    if clustered:
        person = _people(rng, group)
        lean = rng.beta(2, 2, person.max() + 1)  # a person's records resemble each other
        own = np.where(rng.random(n) < 0.5, lean[person], own)
        shared = rng.gamma(4, 0.25, person.max() + 1)[person]
    chance = share[group] * tilt[stratum]
    held = own < _quantile(chance) if clustered else own < chance
    exposure = rng.uniform(0.2, 2.0, n)
    events = rng.poisson(rate[group] * tilt[stratum] * exposure * shared)
    skewed, even = rng.gamma(shape, centre[group] / shape), rng.normal(centre[group], 2.0)
    if clustered:
        skewed = _gamma(_alike(rng, person), shape) * centre[group] / shape
        even = centre[group] + 2.0 * _alike(rng, person)
    records = pd.DataFrame(
        {
            "group": np.array(list("ABCDEF"))[group],
            "year": np.array(YEARS)[year],
            "stratum": np.array(["young", "middle", "old"])[stratum],
            "held": pd.array(held, dtype="boolean"),
            "events": events,
            "exposure": exposure,
            "even": even,
            "skewed": skewed,
            "person": person,
        }
    )
    weights = mix / mix.sum(axis=1, keepdims=True)
    truth = pd.DataFrame(
        {
            "group": list("ABCDEF"),
            "share": share * (weights @ tilt),
            # given who was exposed how long: a Poisson count knows no other chance
            "rate": rate * _weighted(group, tilt[stratum], exposure),
            "even": centre,
            "skewed": centre,
            "median": _median(shape) * centre / shape,
            "share_standardised": share * (STRATA @ tilt),
            "rate_standardised": rate * (STRATA @ tilt),
            "even_standardised": centre,
            "skewed_standardised": centre,
            "size": [int((group == g).sum()) for g in range(groups)],
        }
    )
    standard = pd.DataFrame({"stratum": ["young", "middle", "old"], "weight": STRATA})
    return World(records, truth, standard)


def _weighted(group: np.ndarray, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean of each group."""
    return np.bincount(group, values * weights) / np.bincount(group, weights)


def _people(rng: np.random.Generator, group: np.ndarray) -> np.ndarray:
    """A person behind each record, within one group."""
    starts = rng.random(len(group)) < 0.4
    starts |= np.r_[True, np.diff(group) != 0]
    return np.cumsum(starts) - 1


def _quantile(chance: np.ndarray) -> np.ndarray:
    """Point below which the mixture of a person's leaning and of chance lies with this probability."""
    from scipy.special import betainc

    low, high = np.zeros_like(chance), np.ones_like(chance)
    for _ in range(40):
        middle = (low + high) / 2
        below = (betainc(2, 2, middle) + middle) / 2 < chance
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def _alike(rng: np.random.Generator, person: np.ndarray) -> np.ndarray:
    """Standard normal values, half of whose variance a person's records share."""
    return (rng.normal(size=person.max() + 1)[person] + rng.normal(size=len(person))) / 2**0.5


def _gamma(normal: np.ndarray, shape: float) -> np.ndarray:
    """Gamma values, scale 1, in the order of standard normal ones."""
    from scipy.special import gammaincinv, ndtr

    return gammaincinv(shape, ndtr(normal))


def _median(shape: float) -> float:
    from scipy.special import gammaincinv

    return float(gammaincinv(shape, 0.5))


def sparse(rng: np.random.Generator, groups: int, years: int, mean: float) -> pd.DataFrame:
    """Records of a sparse table of groups and years, with two conditions, one inside the other, and a stratum."""
    cells = rng.poisson(rng.gamma(0.7, mean / 0.7, (groups, years)))
    group, year = (np.repeat(a.ravel(), cells.ravel()) for a in np.indices(cells.shape))
    n = len(group)
    first = rng.random(n) < rng.uniform(0.1, 0.6)
    return pd.DataFrame(
        {
            "group": [f"g{at}" for at in group],
            "year": [str(2000 + at) for at in year],
            "stratum": rng.choice(["a", "b"], n),
            "held": pd.array(np.where(rng.random(n) < 0.05, None, first), dtype="boolean"),
            "also": pd.array(first | (rng.random(n) < 0.05), dtype="boolean"),
        }
    )
