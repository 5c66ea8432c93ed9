"""The specification curve of an EffectStudy: its joint test, the speed of its refutations, and whether they are right.

5.3 counts how often the joint test rejects at 5 % in worlds without effect, where the exposure is dealt out at random
and where it follows from the adjusters. 5.4 times 128 specifications with 100 simulations of each of the two refuters
that ShowWhy runs, and DoWhy on the same specifications with fewer simulations, a simulation each.

5.5 judges verdicts by a rule that was fixed before anything was measured. On a correct model the verdict is right when
nothing refutes the specification. On a confounded model (a cause of exposure and outcome left out, which also moves the
declared negative control) it is right when something refutes the specification, or, failing that, when it is told as
fragile to a confounder of 5 %. A refutation is vacuous when its simulations are all alike or give no number. Planted
faults must be caught: a propensity fitted before (DoWhy's), a sum that should be a mean, a standard error that is 2.5
times too small.

Rules were set on worlds of the seeds 0 to 99; none of them is measured.
"""

import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace

from harness import Figure  # first: it fixes the threads

# isort: split
import numpy as np
import pandas as pd
from scipy.stats import binomtest

from hrtech.causal.classical import Worlds, estimate_worlds
from hrtech.causal.curve import Curve, estimate_curve
from hrtech.causal.disturbed import DISTURBANCES
from hrtech.causal.joint import joint_test, permute_curve
from hrtech.causal.question import Alternative, EffectQuestion
from hrtech.causal.refute import FAILED, FRAGILE, NOT_JUDGED, judge, refute_curve
from hrtech.causal.specifications import Specification, specify

SHOWWHY = ("linear_regression", "ipw", "stratification", "matching")
EVERY = (*SHOWWHY, "aipw_linear")
DOWHY = {
    "linear_regression": "backdoor.linear_regression",
    "ipw": "backdoor.propensity_score_weighting",
    "stratification": "backdoor.propensity_score_stratification",
    "matching": "backdoor.propensity_score_matching",
}
QUESTION = EffectQuestion(
    "It helps",
    "t",
    "y",
    "increases",
    confounders=("a", "b"),
    outcome_determinants=("c",),
    negative_control_outcomes=("control",),
    alternatives=(
        Alternative("treatment", "strong", "dose > 1.3"),
        Alternative("outcome", "second", "y2"),
        Alternative("population", "adults", "age >= 25"),
        Alternative("population", "older", "age > 30"),
        Alternative("population", "younger", "age <= 60"),
    ),
)


@dataclass(frozen=True)
class Size:
    """How much is measured: null worlds of each kind, worlds with verdicts, and what DoWhy is timed on."""

    nulls: int
    verdicts: int
    timed: int
    simulations: int


SIZES = {"small": Size(60, 6, 16, 2), "full": Size(500, 60, 128, 2)}


def world(
    n: int, seed: int, *, effect: float = 0.5, confounded: float = 1.0, hidden: float = 0.0
) -> pd.DataFrame:
    """Simulate a table: exposure `t` and its `dose`, outcomes `y` and `y2`, adjusters, and a negative control."""
    rng = np.random.default_rng(seed)
    a, b, c, u = rng.normal(size=(4, n))
    chance = 1 / (1 + np.exp(-(confounded * (0.7 * a + 0.4 * b) + hidden * u)))
    t = (rng.random(n) < chance).astype(int)
    return pd.DataFrame(
        {
            "t": t,
            "dose": t * (1 + rng.random(n)),
            "y": effect * t + 0.7 * a + 0.4 * b + 0.5 * c + hidden * u + rng.normal(size=n),
            "y2": effect * t + 0.5 * a + 0.5 * b + hidden * u + rng.normal(size=n),
            "control": 0.6 * a + hidden * u + rng.normal(size=n),
            "a": a,
            "b": b,
            "c": c,
            "age": rng.integers(18, 70, n),
        }
    )


def _share(
    id: str, name: str, hits: int, n: int, target: str, reached: bool | None, peer: float | None = None
) -> Figure:
    span = binomtest(hits, n).proportion_ci(0.95)
    ours = round(hits / n, 4)
    ratio = None if not peer else round(ours / peer, 3)
    return Figure(id, name, ours, peer, ratio, target, n, (round(span.low, 4), round(span.high, 4)), reached)


def joint(size: Size, seed: int) -> Iterator[Figure]:
    """5.3: type I error of the joint test."""
    question = replace(QUESTION, alternatives=QUESTION.alternatives[:3])
    specifications = specify(question, set(world(50, 0)), ("linear_regression", "ipw"))
    for confounded, words in ((0.0, "exposure dealt out at random"), (1.0, "exposure confounded")):
        rejected = 0
        for number in range(size.nulls):
            frame = world(250, 10_000 * seed + number, effect=0.0, confounded=confounded)
            curve = estimate_curve(frame, specifications)
            permuted = permute_curve(curve, frame, permutations=99, seed=number)
            rejected += bool(joint_test(permuted, "increases")["p"].iloc[-1] <= 0.05)
        fair = binomtest(rejected, size.nulls, 0.05, "greater").pvalue > 0.01
        yield _share(
            "5.3",
            f"joint curve test rejects at 5 % in null worlds, {words}, "
            f"{sum(not one.refused for one in specifications)} specifications",
            rejected,
            size.nulls,
            ".05 not rejected",
            bool(fair),
        )


def speed(size: Size, seed: int) -> Iterator[Figure]:
    """5.4: time of refutations, and DoWhy's on the same specifications."""
    frame = world(2_000, 20_000 + seed)
    usable = [one for one in specify(QUESTION, set(frame), SHOWWHY) if not one.refused]
    curve = estimate_curve(frame, usable)
    refute_curve(curve, simulations=20, grid=())  # loops are compiled once for each machine
    asked = ("placebo_treatment", "random_common_cause")
    curve = estimate_curve(frame, usable)
    start = time.process_time()
    refute_curve(curve, simulations=100, grid=(), only=asked, seed=seed)
    ours = time.process_time() - start
    start = time.process_time()
    refute_curve(estimate_curve(frame, usable), simulations=100, grid=(), seed=seed)
    all_four = time.process_time() - start
    n = len(usable)
    yield Figure(
        "5.4",
        f"{n} specifications × 100 simulations of placebo and of random common cause, n = 2,000: CPU seconds",
        round(ours, 2), None, None, "≤ 10 s", 200 * n, None, bool(n == 128 and ours <= 10),
    )  # fmt: skip
    yield Figure(
        "5.4",
        f"{n} specifications × 100 simulations of all four disturbances, with the curve: CPU seconds",
        round(all_four, 2), None, None, None, 400 * n, None, None,
    )  # fmt: skip
    step = max(1, n // size.timed)
    timed = usable[::step][: size.timed]
    theirs, done = _dowhy_seconds(frame, timed, size.simulations)
    a_simulation = ours / (200 * n)
    yield Figure(
        "5.4",
        f"CPU seconds a simulation; DoWhy timed on {len(timed)} of the specifications, {size.simulations} "
        f"simulations of each of the two refuters ({done} in all)",
        float(f"{a_simulation:.4g}"), float(f"{theirs:.4g}"), float(f"{a_simulation / theirs:.4g}"),
        "≤ 1/100 of DoWhy's", done, None, bool(theirs / a_simulation >= 100),
    )  # fmt: skip


def _dowhy(frame: pd.DataFrame, one: Specification, seed: int):
    """Return a DoWhy model of a specification with its estimand and estimate, as ShowWhy asks for them."""
    import networkx as nx
    from dowhy import CausalModel
    from sklearn.linear_model import LogisticRegression

    from hrtech.causal.design import make_design

    design = make_design(frame, one.question, one.adjusted)
    names = [f"x{place}" for place in range(design.covariates.shape[1])]
    data = pd.DataFrame(design.covariates, columns=names)
    data = data.assign(t=design.treatment.astype(int), y=design.outcome)
    graph = nx.DiGraph([("t", "y"), *((name, end) for name in names for end in ("t", "y"))])
    model = CausalModel(data, "t", "y", graph=graph)
    estimand = model.identify_effect(proceed_when_unidentifiable=True, optimize_backdoor=False)
    params: dict = (
        {} if one.estimator == "linear_regression" else {"propensity_score_model": LogisticRegression()}
    )
    found = model.estimate_effect(
        estimand, method_name=DOWHY[one.estimator], target_units="ate", method_params={"init_params": params}
    )
    # DoWhy's refuters draw from the global state alone
    np.random.seed(seed)  # noqa: NPY002, TID251
    return model, estimand, found


def _dowhy_seconds(frame: pd.DataFrame, timed: list[Specification], simulations: int) -> tuple[float, int]:
    spent, done = 0.0, 0
    for one in timed:
        model, estimand, found = _dowhy(frame, one, 1)
        for name, more in (
            ("placebo_treatment_refuter", {"placebo_type": "permute"}),
            ("random_common_cause", {}),
        ):
            start = time.process_time()
            model.refute_estimate(
                estimand,
                found,
                method_name=name,
                num_simulations=simulations,
                show_progress_bar=False,
                **more,
            )
            spent += time.process_time() - start
            done += simulations
    return spent / done, done


def _one_question(frame: pd.DataFrame, estimators: tuple[str, ...]) -> Curve:
    question = replace(QUESTION, alternatives=())
    found = [one for one in specify(question, set(frame), estimators) if one.adjustment == "maximum"]
    return estimate_curve(frame, found)


def verdicts(size: Size, seed: int) -> Iterator[Figure]:
    """5.5: right verdicts, vacuous refutations, planted faults, and DoWhy's own on correct models."""
    right = {0.0: 0, 0.8: 0}
    total, vacuous, judged, caught, faults = 0, 0, 0, 0, 0
    passed, asked = 0, 0
    for number in range(size.verdicts):
        for hidden in right:
            frame = world(1_000, 30_000 + 1_000 * seed + number, hidden=hidden)
            curve = _one_question(frame, EVERY)
            found = refute_curve(curve, frame, simulations=100, seed=number)
            for _, rows in found.groupby("specification"):
                failed = bool((rows["verdict"] == FAILED).any())
                at_five = rows["refutation"] == "unobserved_confounder_5_percent"
                fragile = bool((rows.loc[at_five, "verdict"] == FRAGILE).any())
                right[hidden] += (failed or fragile) if hidden else not failed
            total += 0 if hidden else len(curve.estimates)
            disturbed = found[found["refutation"].isin(DISTURBANCES)]
            judged += len(disturbed)
            vacuous += int(((disturbed["verdict"] == NOT_JUDGED) | ~(disturbed["spread"] > 1e-9)).sum())
        noticed, planted = _faults(world(1_000, 30_000 + 1_000 * seed + number), number)
        caught, faults = caught + noticed, faults + planted
        if number < max(2, size.verdicts // 6):
            for one in [spec for cell in _one_question(frame, SHOWWHY).cells for spec in cell.specifications]:
                clean = world(1_000, 30_000 + 1_000 * seed + number)
                passed += _dowhy_passes(clean, one)
                asked += 1
    for hidden, words in ((0.0, "correct models"), (0.8, "confounded models")):
        enough = binomtest(right[hidden], total, 0.95, "less").pvalue > 0.01
        yield _share(
            "5.5", f"right verdicts on {words}", right[hidden], total, "≥ 95 %", bool(enough),
            round(passed / asked, 3) if not hidden else None,
        )  # fmt: skip
    yield _share("5.5", "refutations that are vacuous", vacuous, judged, "none", vacuous == 0)
    yield _share("5.5", "planted faults that are caught", caught, faults, "all", caught == faults)


def _dowhy_passes(frame: pd.DataFrame, one: Specification) -> bool:
    """Whether DoWhy's placebo and random common cause, 20 simulations each, both pass (p > .05), as in ShowWhy."""
    model, estimand, found = _dowhy(frame, one, 1)
    results = []
    for name, more in (
        ("placebo_treatment_refuter", {"placebo_type": "permute"}),
        ("random_common_cause", {}),
    ):
        tried = model.refute_estimate(
            estimand, found, method_name=name, num_simulations=20, show_progress_bar=False, **more
        )
        results.append(float(np.ravel(tried.refutation_result["p_value"])[0]) > 0.05)
    return all(results)


def _faults(frame: pd.DataFrame, seed: int) -> tuple[int, int]:
    """Return how many planted faults were caught, and how many there were."""
    curve = _one_question(frame, ("ipw",))
    (cell,), rng = curve.cells, np.random.default_rng(seed)
    stated = curve.estimates[cell.specifications[0].id]
    y, base = cell.outcomes["primary"][:, None], cell.worlds

    def stale(worlds: Worlds) -> np.ndarray:
        beta, chance = base.fitted()
        wide = np.broadcast_to(chance, (len(y), 100))
        worlds._kept["propensity"] = (np.broadcast_to(beta, (100, beta.shape[1])), wide)
        return estimate_worlds("ipw", worlds, y, errors=False)[0]

    made = {name: make(base, 100, rng) for name, make in DISTURBANCES.items()}
    summed = (
        estimate_worlds("ipw", made["data_subset"], y, errors=False)[0] * made["data_subset"].weights.mean()
    )
    drawn = estimate_worlds("ipw", made["bootstrap"], y, errors=False)[0]
    results = [
        judge(stale(made["placebo_treatment"]), 0.0, stated.std_error)[3] == FAILED,
        judge(stale(made["random_common_cause"]), stated.effect, stated.std_error)[3] == NOT_JUDGED,
        judge(summed, stated.effect, stated.std_error)[3] == FAILED,
        judge(drawn, stated.effect, stated.std_error / 2.5, spread=True)[3] == FAILED,
    ]
    return sum(results), len(results)


def figures(size: str, seed: int) -> Iterator[Figure]:
    """Yield the figures of 5.3, 5.4 and 5.5."""
    warnings.filterwarnings("ignore")
    for part in (speed, verdicts, joint):
        yield from part(SIZES[size], seed)
