"""EffectStudy from differentially private counts (5.12): coverage where it answers, and what it refuses.

The noise is OpenDP's discrete Gaussian, which takes no seed; records come from the seed. The peer is the same
estimate read as if no noise had been added. Rules were set on worlds 0 to 99 of seed 0.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from harness import Figure

# isort: split
from effect_study_cases import logistic
from scipy.stats import binomtest

from hrtech.causal import EffectError, EffectQuestion
from hrtech.causal.private import COUNT, NOISE, private_effect
from hrtech.privacy.discrete_noise import OpenDPNoise, scale_for

ADJUSTERS = ("a", "b", "c")
_QUESTION = EffectQuestion("", "t", "y", confounders=ADJUSTERS)
_ROWS = 4_000
_RHO = {"ρ = 2": 2.0, "ρ = .05": 0.05, "ρ = .005": 0.005}
_TARGET = ".93–.97, or refused"
_ALPHA = 0.01


def world(rng: np.random.Generator) -> tuple[pd.DataFrame, float]:
    """Three adjusters of 3, 2 and 2 levels; exposure and outcome of yes or no. Returns exact counts and the effect."""
    grid = pd.MultiIndex.from_product([range(3), range(2), range(2)], names=ADJUSTERS).to_frame(index=False)
    a, b, c = (grid[name].to_numpy() for name in ADJUSTERS)
    share = np.array([0.4, 0.35, 0.25])[a] * np.array([0.6, 0.4])[b] * np.array([0.55, 0.45])[c]
    chance = logistic(-0.6 + 0.5 * a - 0.6 * b + 0.7 * c)
    without = logistic(-1 + 0.6 * a + 0.5 * b - 0.4 * c)
    with_ = logistic(-0.4 + 0.6 * a + 0.5 * b - 0.4 * c + 0.3 * b * a)
    arms = []
    for t in (0, 1):
        for y in (0, 1):
            likely = with_ if t else without
            part = share * (chance if t else 1 - chance) * (likely if y else 1 - likely)
            arms.append(grid.assign(t=t, y=y, part=part))
    cells = pd.concat(arms, ignore_index=True)
    counts = rng.multinomial(_ROWS, cells["part"] / cells["part"].sum())
    return cells.drop(columns="part").assign(**{COUNT: counts}), float(share @ (with_ - without))


def _noisy(exact: pd.DataFrame, rho: float) -> pd.DataFrame:
    scale = scale_for(1.0, rho)
    counts = OpenDPNoise().vector(exact[COUNT].to_numpy(np.int64, copy=True), scale)
    return exact.assign(**{COUNT: counts, NOISE: scale})


def _shared(exact: pd.DataFrame, rho: float) -> pd.DataFrame:
    """Noise that the counts of a group share: half in each combination, half in the total of adjusters and exposure."""
    table = _noisy(exact, rho / 2).drop(columns=NOISE)
    place = table.groupby([*ADJUSTERS, "t"]).ngroup().to_numpy()
    total = OpenDPNoise().vector(np.zeros(place.max() + 1, dtype=np.int64), scale_for(1.0, rho / 2))
    return table.assign(**{COUNT: table[COUNT] + 0.5 * total[place]})


def _judged(name: str, hits: list[bool], asked: int, peer: list[bool]) -> Iterator[Figure]:
    refused = asked - len(hits)
    yield Figure(
        "5.12", f"{name}: share refused", round(refused / asked, 4), None, None, None, asked, None, None
    )
    if not hits:
        yield Figure("5.12", f"{name}: coverage", None, None, None, _TARGET, 0, None, True)
        return
    test = binomtest(sum(hits), len(hits))
    bounds = test.proportion_ci(0.95, method="exact")
    wrong = [
        binomtest(sum(hits), len(hits), edge, alternative=side).pvalue < _ALPHA
        for edge, side in ((0.93, "less"), (0.97, "greater"))
    ]
    other = round(float(np.mean(peer)), 4) if peer else None
    mean = round(float(np.mean(hits)), 4)
    yield Figure(
        "5.12", f"{name}: coverage", mean, other, round(mean / other, 3) if other else None, _TARGET, len(hits),
        (round(float(bounds.low), 4), round(float(bounds.high), 4)), not any(wrong),
    )  # fmt: skip


def figures(size: str, seed: int) -> Iterator[Figure]:
    """Yield the figures of 5.12."""
    repetitions = 500 if size == "full" else 100
    for label, rho in _RHO.items():
        for kind, number in (("one release of counts", 1), ("five releases with shared noise", 5)):
            hits, plain = [], []
            for place in range(repetitions):
                exact, truth = world(np.random.default_rng([seed, place]))
                make = _noisy if number == 1 else _shared
                releases = [make(exact, rho / number) for _ in range(number)]
                try:
                    found = private_effect(releases, _QUESTION, ADJUSTERS, independent_noise=number == 1)
                except EffectError:
                    continue
                hits.append(found.low <= truth <= found.high)
                silent = private_effect([releases[0].assign(**{NOISE: 0.0})], _QUESTION, ADJUSTERS)
                plain.append(silent.low <= truth <= silent.high)
            yield from _judged(f"{kind}, {label}", hits, repetitions, plain)
    records = world(np.random.default_rng(seed))[0].drop(columns=COUNT)
    try:
        private_effect([records], _QUESTION, ADJUSTERS)
        refused = False
    except EffectError:
        refused = True
    yield Figure(
        "5.12", "records drawn from a model: refused", float(refused), None, None, _TARGET, 1, None, refused
    )
