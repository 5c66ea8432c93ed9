"""Effects from private data (5.12): coverage where an answer is given, and what is refused.

From counts with stated noise (`hrtech.causal.private`), and from what a CaseRelease measured, as a ReleasedEffect asks
it: people of six columns, whose longer combinations are bounded, released with reporting length 4. The noise is
OpenDP's discrete Gaussian, which takes no seed; records come from the seed. The peer is the same estimate read as if no
noise had been added. Rules were set on worlds 0 to 99 of seed 0, and of seeds 900 to 902 for releases.
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
from hrtech.causal.released import ReleasedQuestion, released_effect
from hrtech.privacy.discrete_noise import OpenDPNoise, scale_for
from hrtech.release.declared import ReleaseColumn, ReleaseSchema, ReleaseSettings
from hrtech.release.mechanism import draw
from hrtech.release.people import LIST_DTYPE
from hrtech.release.publish import publish

ADJUSTERS = ("a", "b", "c")
_QUESTION = EffectQuestion("", "t", "y", confounders=ADJUSTERS)
_ROWS = 4_000
_RHO = {"ρ = 2": 2.0, "ρ = .05": 0.05, "ρ = .005": 0.005}
_ASKED = ReleasedQuestion("Exposure raises the outcome", ("t", "yes"), ("y", "yes"), ("a", "b"))
_MEANS = ("m1", "m2", "m3", "m4", "m5", "m6")
_COLUMNS = ReleaseSchema(
    (
        ReleaseColumn("a", ("a0", "a1", "a2")),
        ReleaseColumn("b", ("b0", "b1")),
        ReleaseColumn("t", ("no", "yes")),
        ReleaseColumn("y", ("no", "yes")),
        ReleaseColumn("means", _MEANS, multi_valued=True),
        ReleaseColumn("country", tuple(f"c{k}" for k in range(8))),
    )
)
#: People and epsilon of releases; with the first, arms are too small for the noise.
_RELEASES = ((6_000, 1.0), (6_000, 4.0), (20_000, 2.0))
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


def people(rng: np.random.Generator, n: int) -> tuple[pd.DataFrame, float]:
    """Records of people, those exposed with the outcome holding many means; and the effect in their world."""
    shares = (np.array([0.4, 0.35, 0.25]), np.array([0.6, 0.4]))
    a, b = (rng.choice(len(share), n, p=share) for share in shares)

    def likely(t, a, b):
        return logistic(-1 + 0.6 * t + 0.6 * a + 0.5 * b + 0.3 * t * a * b)

    t = rng.random(n) < logistic(-0.6 + 0.5 * a - 0.6 * b)
    y = rng.random(n) < likely(t, a, b)
    held = rng.random((n, len(_MEANS))) < logistic(-1.6 + 0.9 * (t & y) + 0.8 * rng.normal(size=n))[:, None]
    yes_no = np.array(["no", "yes"])
    frame = pd.DataFrame(
        {
            "a": pd.Series(np.array(["a0", "a1", "a2"])[a], dtype="str"),
            "b": pd.Series(np.array(["b0", "b1"])[b], dtype="str"),
            "t": pd.Series(yes_no[t.astype(int)], dtype="str"),
            "y": pd.Series(yes_no[y.astype(int)], dtype="str"),
            "means": pd.Series([[_MEANS[k] for k in np.flatnonzero(row)] for row in held], dtype=LIST_DTYPE),
            "country": pd.Series(np.array([f"c{k}" for k in range(8)])[rng.choice(8, n)], dtype="str"),
        }
    )
    grid_a, grid_b = np.meshgrid(range(3), range(2), indexing="ij")
    weight = np.outer(*shares)
    return frame, float((weight * (likely(1, grid_a, grid_b) - likely(0, grid_a, grid_b))).sum())


def from_releases(repetitions: int, seed: int) -> Iterator[Figure]:
    """Coverage of the effect that a ReleasedEffect asks of a release."""
    for n, epsilon in _RELEASES:
        settings = ReleaseSettings(epsilon, 1e-6, 4)
        hits, plain = [], []
        for place in range(repetitions):
            frame, truth = people(np.random.default_rng([seed, 12, place]), n)
            measured = draw(frame, settings, _COLUMNS)
            told = publish(measured, settings, np.random.default_rng([seed, place]))
            try:
                found = released_effect(measured, _ASKED, told.records).effect.set_index("measure")
            except EffectError:
                continue
            head = found.loc["risk_difference"]
            hits.append(bool(head["low"] <= truth <= head["high"]))
            plain.append(bool(abs(head["estimate"] - truth) <= 1.96 * head["sampling_sd"]))
        yield from _judged(f"a release of {n:,} people, ε = {epsilon:g}", hits, repetitions, plain)


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
    yield from from_releases(200 if size == "full" else 20, seed)
    records = world(np.random.default_rng(seed))[0].drop(columns=COUNT)
    try:
        private_effect([records], _QUESTION, ADJUSTERS)
        refused = False
    except EffectError:
        refused = True
    yield Figure(
        "5.12", "records drawn from a model: refused", float(refused), None, None, _TARGET, 1, None, refused
    )
