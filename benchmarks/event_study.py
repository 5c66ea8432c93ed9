"""Event studies: published numbers, speed of placebos, coverage under staggered adoption, against public packages.

`--data` is a CSV of Proposition 99 (State, Year, PacksPerCapita, treated); by default the one that synthdid-py ships
is read from the peer's environment. Standard errors are the paper's placebo procedure over every donor, which is what
its random draws approach; the published ones are 200 random draws, so that their own spread is printed beside.
"""

import tempfile
import time
from pathlib import Path

from harness import Figure, arguments, run_peer, tell

# isort: split
import numpy as np
import pandas as pd

from hrtech.causal.events.adoption import NEVER
from hrtech.causal.events.block import METHODS, Block, fit_block
from hrtech.causal.events.panel import Panel
from hrtech.causal.events.question import Controls
from hrtech.causal.events.staggered import band, group_time, overall, summarise
from hrtech.causal.events.sun_abraham import interaction_weighted

PEER, SCRIPT = "event_study", "event_study_peers.py"
#: Arkhangelsky et al. (2021), Table 1; estimates with the range to reach.
PUBLISHED = {
    "difference_in_differences": (-27.3, -27.4, -27.2, 17.7),
    "synthetic_control": (-19.6, -19.7, -19.4, 9.9),
    "synthetic_did": (-15.6, -15.65, -15.55, 8.4),
}
DRAWS = 200
PERIODS, COHORTS, SHARES = 10, (4, 6, 8), (0.2, 0.25, 0.2)


def main() -> None:
    """Print every figure."""
    given = arguments(__doc__ or "")
    found = given.data or next((row["path"] for row in run_peer(PEER, SCRIPT, "data")), None)
    if found is None:
        print("Proposition 99 is not here: run `make bench-env`, or name it with --data")
    else:
        placebo_effects = proposition(Path(found))
        speed(Path(found), given.size)
        errors(placebo_effects, given.seed)
    staggered(300 if given.size == "small" else 2000, given.seed)
    agreement(given.seed)


def load(path: Path) -> np.ndarray:
    """Units by years, California last."""
    frame = pd.read_csv(path, sep=None, engine="python")
    wide = frame.pivot(index="State", columns="Year", values="PacksPerCapita")
    return wide.loc[[*wide.index.drop("California"), "California"]].to_numpy(float)


def assignments(outcomes: np.ndarray) -> tuple[Block, Block]:
    """California's own block, and one assignment for each donor in its place."""
    count = len(outcomes)
    each = np.eye(count)
    own = Block(outcomes, 19, each[-1:], 1 - each[-1:], np.ones(1))
    donors = 1 - each[:-1]
    donors[:, -1] = 0
    return own, Block(outcomes, 19, each[:-1], donors, np.ones(count - 1))


def proposition(path: Path) -> dict[str, np.ndarray]:
    """Estimates of Proposition 99 against the published ones; return the placebos' effects."""
    own, others = assignments(load(path))
    effects = {}
    for method in METHODS:
        estimate = float(fit_block(own, method).effects[0])
        published, low, high, _ = PUBLISHED[method]
        effects[method] = fit_block(others, method).effects
        tell(
            Figure(
                "5.6", f"Proposition 99, {method}", round(estimate, 3), published, round(estimate / published, 4),
                f"in [{low}, {high}]", 39, None, low <= estimate <= high,
            )
        )  # fmt: skip
    return effects


def errors(effects: dict[str, np.ndarray], seed: int) -> None:
    """Standard errors by the placebo procedure, and what 200 random draws of it give."""
    rng = np.random.default_rng(seed)
    for method, placebos in effects.items():
        published = PUBLISHED[method][3]
        error = float(placebos.std())
        drawn = np.sort([rng.choice(placebos, DRAWS).std() for _ in range(10_000)])
        low, high = float(drawn[49]), float(drawn[-50])
        tell(
            Figure(
                "5.6", f"standard error of {method}, every placebo (interval: of {DRAWS} random ones, 99 %)",
                round(error, 2), published, round(error / published, 3),
                "within 10 % of the published, which is 200 random draws; not rejected at 1 %", len(placebos),
                (round(low, 2), round(high, 2)), bool(low <= 1.1 * published and high >= 0.9 * published),
            )
        )  # fmt: skip
        tell(
            Figure(
                "5.6", f"standard error of {method}, every placebo, plainly within 10 %", round(error, 2), published,
                round(error / published, 3), "0.9–1.1", len(placebos), None, bool(abs(error / published - 1) <= 0.1),
            )
        )  # fmt: skip


def speed(path: Path, size: str) -> None:
    """Seconds of the placebos of all 38 states by all three estimators."""
    _, others = assignments(load(path))
    fit_block(others, "synthetic_did")
    each: dict[str, list[float]] = {method: [] for method in METHODS}
    for _ in range(7):
        for method in METHODS:
            start = time.perf_counter()
            fit_block(others, method)
            each[method].append(time.perf_counter() - start)
    total = float(np.median(np.sum(list(each.values()), axis=0)))
    tell(
        Figure("5.7", "38 placebos, three estimators", round(total, 4), None, None, "at most 0.5 s", 38, None,
               total <= 0.5)
    )  # fmt: skip
    for row in run_peer(PEER, SCRIPT, "placebos", str(path), "all" if size == "full" else "fast"):
        ours = float(np.median(each[row["estimator"]]))
        if "seconds" in row:
            tell(
                Figure(
                    "5.7", f"38 placebos, {row['estimator']}, against {row['package']}", round(ours, 4),
                    round(row["seconds"], 3), round(ours / row["seconds"], 4), None, 38, None, None,
                )
            )  # fmt: skip


def world(rng: np.random.Generator, units: int) -> tuple[Panel, float, np.ndarray]:
    """A panel with effects that differ by cohort, grow with time and vary by unit; and the true overall effect.

    Units that adopt have other levels, errors are serially correlated, everyone shares shocks.
    """
    cohort = rng.choice([*COHORTS, NEVER], size=units, p=[*SHARES, 1 - sum(SHARES)])
    level = rng.normal(size=units) + 0.8 * (cohort < NEVER)
    noise = np.empty((units, PERIODS))
    noise[:, 0] = rng.normal(size=units)
    for t in range(1, PERIODS):
        noise[:, t] = 0.5 * noise[:, t - 1] + np.sqrt(0.75) * rng.normal(size=units)
    effects = effect_table()
    y = level[:, None] + np.cumsum(rng.normal(size=PERIODS))[None] + noise
    scale = 1 + 0.5 * rng.normal(size=units)
    for place, first in enumerate(COHORTS):
        mine = cohort == first
        y[mine, first:] += effects[place, first:] * scale[mine, None]
    truth = float(
        sum(s * effects[p, c:].mean() for p, (c, s) in enumerate(zip(COHORTS, SHARES, strict=True)))
    )
    units_named = np.arange(units).astype(str).astype(object)
    return Panel(units_named, np.arange(PERIODS), y, cohort), truth / sum(SHARES), y


def effect_table() -> np.ndarray:
    """True mean effect by cohort and period."""
    since = np.arange(PERIODS)[None, :] - np.array(COHORTS)[:, None]
    return np.where(since >= 0, np.array([2.0, 1.0, 0.2])[:, None] * (1 + 0.5 * since), 0.0)


def truth_by_time(labels: np.ndarray) -> np.ndarray:
    """True effect by periods since the event, cohorts weighted by their share."""
    effects = effect_table()
    found = []
    for label in labels:
        there = [p for p, c in enumerate(COHORTS) if 0 <= c + label < PERIODS]
        weights = np.array([SHARES[p] for p in there])
        found.append(weights @ [effects[p, COHORTS[p] + label] for p in there] / weights.sum())
    return np.array(found)


def two_way(panel: Panel) -> float:
    """The coefficient of two-way fixed effects, which mixes effects of different age."""
    on = (np.arange(PERIODS)[None, :] >= panel.adopted[:, None]).astype(float)
    within = [v - v.mean(axis=1, keepdims=True) - v.mean(axis=0) + v.mean() for v in (on, panel.outcomes)]
    return float((within[0] * within[1]).sum() / (within[0] ** 2).sum())


def staggered(repetitions: int, seed: int, units: int = 250) -> None:
    """Bias and coverage over simulated worlds."""
    rows: dict[str, list[tuple[float, float, float, float]]] = {}
    naive, banded = [], 0
    for repetition in range(repetitions):
        rng = np.random.default_rng([seed, 59, repetition])
        panel, truth, _ = world(rng, units)
        for controls in ("not_yet_treated", "never_treated"):
            found = group_time(panel, controls)
            one = overall(found, "cohort")
            rows.setdefault(f"callaway_santanna, {controls}", []).append(
                (float(one.estimate[0]), float(one.std_error[0]), truth, quantile(panel))
            )
            if controls == "not_yet_treated":
                by_time = summarise(found, "event_time")
                wide = band(found, by_time, 0.95, 999, rng)
                banded += bool((np.abs(by_time.estimate - truth_by_time(by_time.label)) <= wide).all())
        other = interaction_weighted(panel)
        after = other.event_time >= 0
        truth_after = float(truth_by_time(other.event_time[after]).mean())
        rows.setdefault("sun_abraham", []).append(
            (other.overall, other.overall_error, truth_after, quantile(panel))
        )
        naive.append(two_way(panel) - truth)
    for name, estimates in rows.items():
        values = np.array(estimates)
        _bias(f"bias of {name}", values[:, 0] - values[:, 2], float(np.mean(naive)))
        covered = np.abs(values[:, 0] - values[:, 2]) <= values[:, 3] * values[:, 1]
        _coverage(f"coverage of {name}", int(covered.sum()), repetitions)
    _coverage("coverage of the band over all event times", banded, repetitions)


def quantile(panel: Panel) -> float:
    """What a study multiplies the standard error by: t with the units of the smaller side, less one."""
    from scipy.special import stdtrit

    return float(stdtrit(min(int(panel.ever.sum()), int((~panel.ever).sum())) - 1, 0.975))


def _bias(name: str, error: np.ndarray, naive: float) -> None:
    mean, spread = float(error.mean()), float(error.std(ddof=1) / len(error) ** 0.5)
    ends = (round(mean - 2.576 * spread, 4), round(mean + 2.576 * spread, 4))
    reached = ends[0] <= 0 <= ends[1]
    words = "0 not rejected at 1 %; peer: two-way fixed effects"
    tell(Figure("5.9", name, round(mean, 4), round(naive, 4), None, words, len(error), ends, reached))


def _coverage(name: str, hits: int, count: int) -> None:
    from scipy.stats import binomtest

    ends = binomtest(hits, count).proportion_ci(0.99, "wilson")
    reached = bool(ends.high >= 0.93 and ends.low <= 0.97)
    interval = (round(ends.low, 4), round(ends.high, 4))
    tell(Figure("5.9", name, round(hits / count, 4), None, None, "0.93–0.97", count, interval, reached))


def agreement(seed: int) -> None:
    """Largest difference to diff-diff over effects and standard errors, as a share of the standard error."""
    panel, _, y = world(np.random.default_rng([seed, 60]), 250)
    frame = pd.DataFrame(
        {
            "unit": np.repeat(np.arange(len(y)), PERIODS),
            "t": np.tile(np.arange(PERIODS), len(y)),
            "y": y.ravel(),
            "g": np.repeat(np.where(panel.adopted < NEVER, panel.adopted, 0), PERIODS),
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "panel.csv"
        frame.to_csv(path, index=False, float_format="%.17g")
        peers = run_peer(PEER, SCRIPT, "staggered", str(path))
    for row in peers:
        ours = _ours(panel, row["name"])
        gaps = [
            abs(a - b) / max(abs(b), error)
            for label, (value, error) in row["effects"].items()
            for a, b in zip(ours[label], (value, error), strict=True)
        ]
        worst = max(gaps)
        tell(
            Figure(
                "5.9", f"largest relative difference to diff-diff, {row['name']}", float(f"{worst:.2g}"), None, None,
                "equal to 3 digits: at most 0.0005", len(gaps), None, worst <= 5e-4,
            )
        )  # fmt: skip


def _ours(panel: Panel, name: str) -> dict[str, tuple[float, float]]:
    if name == "sun_abraham":
        found = interaction_weighted(panel)
        told = zip(found.event_time, found.estimate, np.sqrt(np.diag(found.covariance)), strict=True)
        return {str(int(label)): (float(value), float(error)) for label, value, error in told}
    controls: Controls = "never_treated" if "never_treated" in name else "not_yet_treated"
    cells = group_time(panel, controls)
    parts = summarise(cells, "cohort" if "cohorts" in name else "event_time")
    simple = overall(cells, "simple")
    rows = {
        str(int(label)): (float(value), float(error))
        for label, value, error in zip(parts.label, parts.estimate, parts.std_error, strict=True)
    }
    return rows | {"overall": (float(simple.estimate[0]), float(simple.std_error[0]))}


if __name__ == "__main__":
    main()
