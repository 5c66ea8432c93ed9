"""Data with known causal graphs: structural equations, Asia, and random networks of the Sachs structure.

Asia's tables are those of Lauritzen and Spiegelhalter (1988); the Sachs structure is the consensus network of Sachs
and others (2005) with tables drawn at random, since the measurements are not ours to keep.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

YES_NO = ("no", "yes")

#: Variable → parents and the chance of yes for each combination of the parents' values, the last parent fastest.
ASIA: dict[str, tuple[tuple[str, ...], tuple[float, ...]]] = {
    "asia": ((), (0.01,)),
    "smoke": ((), (0.5,)),
    "tub": (("asia",), (0.01, 0.05)),
    "lung": (("smoke",), (0.01, 0.1)),
    "bronc": (("smoke",), (0.3, 0.6)),
    "either": (("tub", "lung"), (0.0, 1.0, 1.0, 1.0)),
    "xray": (("either",), (0.05, 0.98)),
    "dysp": (("bronc", "either"), (0.1, 0.7, 0.8, 0.9)),
}

SACHS: dict[str, tuple[str, ...]] = {
    "PKC": (),
    "PKA": ("PKC",),
    "Raf": ("PKC", "PKA"),
    "Mek": ("PKC", "PKA", "Raf"),
    "Erk": ("PKA", "Mek"),
    "Akt": ("PKA", "Erk"),
    "P38": ("PKC", "PKA"),
    "Jnk": ("PKC", "PKA"),
    "Plcg": (),
    "PIP3": ("Plcg",),
    "PIP2": ("Plcg", "PIP3"),
}


@dataclass(frozen=True)
class World:
    """A table and the graph that made it.

    Attributes:
        frame: One row per unit.
        truth: `truth[i, j]`: column i causes column j.
    """

    frame: pd.DataFrame
    truth: np.ndarray


def structural(kind: str, seed: int, d: int = 10, n: int = 1000, degree: float = 2.5) -> World:
    """Draw a random graph and standardised data from it.

    Args:
        kind: `linear_gauss`, `linear_laplace` or `nonlinear`.
        seed: Seed.
        d: Variables.
        n: Rows.
        degree: Expected number of edges at a variable.
    """
    rng = np.random.default_rng([seed, 333])
    order = rng.permutation(d)
    above = np.triu(rng.random((d, d)) < degree / (d - 1), 1)
    weights = np.zeros((d, d))
    weights[np.ix_(order, order)] = above * rng.choice([-1, 1], (d, d)) * rng.uniform(0.5, 1.5, (d, d))
    x = np.zeros((n, d))
    for j in order:
        noise = rng.laplace(size=n) if kind == "linear_laplace" else rng.normal(size=n)
        parents = np.flatnonzero(weights[:, j])
        if kind == "nonlinear" and len(parents):
            x[:, j] = 0.5 * noise + sum(
                weights[q, j] * (np.tanh(2 * x[:, q]) + 0.4 * np.cos(2 * x[:, q])) for q in parents
            )
        else:
            x[:, j] = x[:, parents] @ weights[parents, j] + noise
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    return World(pd.DataFrame(x, columns=[f"V{j}" for j in range(d)]), weights != 0)


def asia(seed: int, n: int = 5000) -> World:
    """Draw from the Asia network."""
    rng = np.random.default_rng([seed, 1988])
    drawn: dict[str, np.ndarray] = {}
    for name, (parents, chances) in ASIA.items():
        cell = np.zeros(n, int)
        for parent in parents:
            cell = 2 * cell + drawn[parent]
        drawn[name] = (rng.random(n) < np.array(chances)[cell]).astype(int)
    return _named(drawn, {name: parents for name, (parents, _) in ASIA.items()})


def sachs_like(seed: int, n: int = 5000, levels: int = 3, concentration: float = 0.5) -> World:
    """Draw from a network of the Sachs structure whose tables are drawn from Dirichlet distributions."""
    rng = np.random.default_rng([seed, 2005])
    drawn: dict[str, np.ndarray] = {}
    for name, parents in SACHS.items():
        cell = np.zeros(n, int)
        for parent in parents:
            cell = levels * cell + drawn[parent]
        tables = rng.dirichlet(np.full(levels, concentration), levels ** len(parents)).cumsum(axis=1)
        drawn[name] = np.minimum((rng.random(n)[:, None] > tables[cell]).sum(axis=1), levels - 1)
    return _named(drawn, SACHS)


def _named(drawn: dict[str, np.ndarray], parents: dict[str, tuple[str, ...]]) -> World:
    names = sorted(drawn)
    truth = np.array([[a in parents[b] for b in names] for a in names])
    values = {name: pd.Series([f"level {v}" for v in drawn[name]], dtype="str") for name in names}
    return World(pd.DataFrame(values), truth)


KINDS: dict[str, Callable[[int], World]] = {
    "linear Gaussian": lambda seed: structural("linear_gauss", seed),
    "linear non-Gaussian": lambda seed: structural("linear_laplace", seed),
    "non-linear": lambda seed: structural("nonlinear", seed),
    "Asia": asia,
    "Sachs-like": sachs_like,
}
