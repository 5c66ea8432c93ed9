"""Attempts to refute an estimate. Each simulation starts from the data alone: nothing fitted before is reused.

What a simulation should not change (the estimate), or should show (no effect of a placebo), is expected to hold within
three quarters of a standard error, with the simulation error counted against it: |mean − expected| + 1.645 · sd / √B ≤
.75 · max(standard error, sd of the simulations). Fewer simulations therefore make it harder to pass. Matching on a
column of noise besides exchanges most matches, which alone moves an estimate by some .6 standard errors; there 1.5
standard errors are allowed. In the bootstrap, the central 90 % of the estimates may besides not be wider than twice
what the stated standard error says, at the upper 95 % limit of that width; a single resample in which arms part decides
nothing. Fewer than 20 simulations, simulations that all give the same, and ones that give no number judge nothing. `p`
is the share of simulations at least as far from their mean as the expected value is, (1 + count) / (1 + B); it is never
0 and decides nothing.

A negative-control outcome, which the exposure cannot change, refutes when its effect differs from 0 at 1 % (divided by
the number of controls). One that would have shown only a bias larger than the effect itself judges nothing.

A made-up unobserved confounder refutes nothing: an estimate that differed from 0 and loses that, or its sign, at a
stated strength is `fragile` there.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from hrtech.causal.classical import CLASSICAL, Worlds, estimate_worlds
from hrtech.causal.columns import single_threaded
from hrtech.causal.curve import Cell, Curve, estimate_specification, world_of
from hrtech.causal.design import Design, make_design
from hrtech.causal.disturbed import DISTURBANCES, unobserved_confounder
from hrtech.causal.estimators import Estimate
from hrtech.causal.question import EffectError, EffectQuestion

WITHSTOOD: Final = "withstood"
FAILED: Final = "failed"
FRAGILE: Final = "fragile"
NOT_JUDGED: Final = "not judged"
#: Partial R² of a made-up confounder with exposure and outcome.
GRID: Final = (0.01, 0.02, 0.05, 0.1)
FEWEST: Final = 20
_TOLERATED = 0.75
_EXCHANGED = 1.5
_WIDER = 2.0
#: Of the central 90 % range as an estimate of the spread of a normal law, beside the standard deviation.
_EFFICIENCY = 0.65
_ALPHA = 0.01
#: Two-sided 1 % and a power of 80 %, in standard errors.
_SHOWN = 2.576 + 0.842
_LEAST_BIAS = 0.2
_PER_STRENGTH = 20
_MEANING = {
    "placebo_treatment": "with the exposure dealt out at random there is no effect to find",
    "random_common_cause": "adjusting for pure noise besides leaves the estimate where it was",
    "data_subset": "random subsets of 80 % of the rows agree with the whole",
    "bootstrap": "rows drawn anew give the same on average, and no more spread than is stated",
}
_LINEAR = "; simulated with linear models in place of the flexible ones"
_COLUMNS: Final = (
    "specification", "refutation", "simulations", "expected", "estimate", "spread", "p", "verdict", "meaning",
)  # fmt: skip


def stand_in(estimator: str) -> str:
    """Return the estimator that is simulated: the flexible ones are stood in for by the linear doubly robust one."""
    return estimator if estimator in CLASSICAL else "aipw_linear"


def judge(
    found: np.ndarray, expected: float, error: float, *, spread: bool = False, tolerated: float = _TOLERATED
) -> tuple[float, float, float, str]:
    """Judge simulated estimates.

    Args:
        found: Simulated estimates, (B,).
        expected: What they should be on average.
        error: Standard error of the estimate.
        spread: Judge their spread against the standard error as well.
        tolerated: Standard errors that the mean may be off.

    Returns:
        Mean, standard deviation, p, verdict.
    """
    number = len(found)
    usable = number >= 2 and bool(np.isfinite(found).all())
    mean = float(found.mean()) if usable else np.nan
    deviation = float(found.std(ddof=1)) if usable else np.nan
    if not usable or number < FEWEST or deviation <= 1e-12 * max(1.0, abs(mean)):
        return mean, deviation, np.nan, NOT_JUDGED
    off = mean - expected
    p = float((1 + (np.abs(found - mean) >= abs(off)).sum()) / (1 + number))
    held = abs(off) + 1.645 * deviation / np.sqrt(number) <= tolerated * max(error, deviation)
    if spread:
        from scipy import stats

        width = float(np.diff(np.quantile(found, [0.05, 0.95]))[0]) / (2 * stats.norm.ppf(0.95))
        freedom = _EFFICIENCY * (number - 1)
        held = held and width * np.sqrt(freedom / stats.chi2.ppf(0.05, freedom)) <= _WIDER * error
    return mean, deviation, p, WITHSTOOD if held else FAILED


@single_threaded
def refute_curve(
    curve: Curve,
    frame: pd.DataFrame | None = None,
    *,
    simulations: int = 100,
    seed: int = 1,
    grid: Sequence[float] = GRID,
    only: Sequence[str] = tuple(DISTURBANCES),
) -> pd.DataFrame:
    """Try to refute every specification of a curve.

    Args:
        curve: The curve.
        frame: The table, for negative-control outcomes; None: without them.
        simulations: Simulations of each refutation.
        seed: Seed of the simulations.
        grid: Strengths of the made-up confounder; empty: without it.
        only: Disturbances to run.

    Returns:
        `specification, refutation, simulations, expected, estimate, spread, p, verdict, meaning`; `estimate` is the
        mean over the simulations.
    """
    rows: list[tuple] = []
    for place, cell in enumerate(curve.cells):
        rng = np.random.default_rng([seed, place])
        rows += _disturb(cell, curve.estimates, simulations, rng, only)
        rows += _confound(cell, curve.estimates, grid, rng)
        if frame is not None:
            rows += _controls(cell, curve.estimates, frame)
    order = {one: place for place, one in enumerate(curve.table["specification"])}
    rows.sort(key=lambda row: order[row[0]])
    return _frame(rows)


@single_threaded
def refute(
    design: Design, headline: Estimate, estimator: str, simulations: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Try to refute one estimate by disturbances.

    Returns:
        `name, estimate, p, passed, meaning`; `estimate` is the mean over the simulations.
    """
    base = world_of(design)
    rows = [
        (name, found[0], found[2], found[3] == WITHSTOOD, meaning)
        for name, _, found, meaning in _disturbed(
            base, design.outcome, estimator, headline, simulations, rng, tuple(DISTURBANCES)
        )
    ]
    return pd.DataFrame(rows, columns=["name", "estimate", "p", "passed", "meaning"]).astype(
        {"name": "str", "meaning": "str", "passed": "bool"}
    )


def refuted(refutations: pd.DataFrame) -> pd.Series:
    """Return what refuted each refuted specification, in words, by its id."""
    failed = refutations[refutations["verdict"] == FAILED]
    return failed.groupby("specification")["refutation"].agg(", ".join).str.replace("_", " ")


def _frame(rows: list[tuple]) -> pd.DataFrame:
    texts = ("specification", "refutation", "verdict", "meaning")
    numbers = {name: "float64" for name in ("expected", "estimate", "spread", "p")}
    frame = pd.DataFrame(rows, columns=list(_COLUMNS))
    return frame.astype({name: "str" for name in texts} | numbers | {"simulations": "int64"})


_Judged = tuple[str, float, tuple[float, float, float, str], str]


def _disturbed(
    base: Worlds,
    outcome: np.ndarray,
    estimator: str,
    stated: Estimate,
    simulations: int,
    rng: np.random.Generator,
    only: Sequence[str],
    kept: dict[str, Worlds] | None = None,
) -> list[_Judged]:
    """Run the disturbances for one estimate; worlds made before for the same data may be handed in."""
    name = stand_in(estimator)
    effect = stated.effect
    if name != estimator:
        effect = float(estimate_worlds(name, base, outcome[:, None], errors=False)[0][0])
    if name == "matching":
        base.neighbours()
    kept = {} if kept is None else kept
    found = []
    for disturbance in only:
        if disturbance not in kept:
            kept[disturbance] = DISTURBANCES[disturbance](base, simulations, rng)
        worlds = kept[disturbance]
        worlds.near = base.near
        values, _ = estimate_worlds(name, worlds, outcome[:, None], errors=False)
        expected = 0.0 if disturbance == "placebo_treatment" else effect
        exchanged = name == "matching" and disturbance == "random_common_cause"
        judged = judge(
            values,
            expected,
            stated.std_error,
            spread=disturbance == "bootstrap",
            tolerated=_EXCHANGED if exchanged else _TOLERATED,
        )
        found.append(
            (disturbance, expected, judged, _MEANING[disturbance] + (_LINEAR if name != estimator else ""))
        )
    return found


def _disturb(
    cell: Cell,
    estimates: dict[str, Estimate],
    simulations: int,
    rng: np.random.Generator,
    only: Sequence[str],
) -> list[tuple]:
    rows = []
    kept: dict[str, Worlds] = {}
    for one in cell.specifications:
        judged = _disturbed(
            cell.worlds,
            cell.outcomes[one.outcome],
            one.estimator,
            estimates[one.id],
            simulations,
            rng,
            only,
            kept,
        )
        for name, expected, (mean, spread, p, verdict), meaning in judged:
            rows.append((one.id, name, simulations, expected, mean, spread, p, verdict, meaning))
    return rows


def _confound(
    cell: Cell, estimates: dict[str, Estimate], grid: Sequence[float], rng: np.random.Generator
) -> list[tuple]:
    rows = []
    made: dict[tuple, Worlds] = {}
    for one in cell.specifications:
        stated, outcome = estimates[one.id], cell.outcomes[one.outcome]
        name, sign = stand_in(one.estimator), float(np.sign(stated.effect)) or 1.0
        half = (stated.high - stated.low) / 2
        clear = stated.low > 0 or stated.high < 0
        for strength in grid:
            key = (one.outcome, sign, strength)
            if key not in made:
                made[key] = unobserved_confounder(
                    cell.worlds, outcome, (strength, strength), sign, _PER_STRENGTH, rng
                )
            made[key].near = cell.worlds.near
            values, _ = estimate_worlds(name, made[key], outcome[:, None], errors=False)
            mean, spread = float(values.mean()), float(values.std(ddof=1))
            verdict = WITHSTOOD if clear and mean * sign > half else FRAGILE if clear else NOT_JUDGED
            if not np.isfinite(mean):
                verdict = NOT_JUDGED
            meaning = (
                f"a confounder that explains {100 * strength:g} % of what is left of exposure and of outcome "
                + ("would leave an effect" if verdict == WITHSTOOD else "could be all that is seen")
                if clear
                else "the interval holds 0 to begin with"
            )
            label = f"unobserved_confounder_{100 * strength:g}_percent"
            rows.append((one.id, label, _PER_STRENGTH, stated.effect, mean, spread, np.nan, verdict, meaning))
    return rows


def _controls(cell: Cell, estimates: dict[str, Estimate], frame: pd.DataFrame) -> list[tuple]:
    rows: list[tuple] = []
    controls = cell.specifications[0].question.negative_control_outcomes
    for control in controls:
        name = f"negative_control_{control}"
        unknown = (0, 0.0, np.nan, np.nan, np.nan, NOT_JUDGED)
        try:
            other = _control_cell(cell, control, frame)
        except EffectError as error:
            rows += [(one.id, name, *unknown, str(error)) for one in cell.specifications]
            continue
        deviation = float(other.design.outcome.std())
        for one in cell.specifications:
            try:
                found = estimate_specification(other, one)
            except EffectError as error:
                rows.append((one.id, name, *unknown, str(error)))
                continue
            effect = float(abs(estimates[one.id].effect) / cell.outcomes[one.outcome].std())
            p, verdict, words = _judge_control(found, deviation, effect, len(controls))
            rows.append((one.id, name, 1, 0.0, found.effect, found.std_error, p, verdict, words))
    return rows


def _judge_control(found: Estimate, deviation: float, effect: float, number: int) -> tuple[float, str, str]:
    from scipy import stats

    p = float(max(2 * stats.norm.sf(abs(found.effect) / found.std_error), np.finfo(float).tiny))
    if p < _ALPHA / number:
        return p, FAILED, "the exposure seems to change what it cannot change: something confounds"
    shown = _SHOWN * found.std_error / deviation
    if shown > max(effect, _LEAST_BIAS):
        return p, NOT_JUDGED, f"says little: only a bias of {shown:.2g} standard deviations would have shown"
    return p, WITHSTOOD, f"a bias of {shown:.2g} standard deviations would have shown, and none did"


def _control_cell(cell: Cell, control: str, frame: pd.DataFrame) -> Cell:
    """Return the cell with the control in place of each outcome."""
    one = cell.specifications[0]
    if control in one.adjusted:
        raise EffectError(f"'{control}' is adjusted for here, so that it cannot be a control")
    asked = one.question
    question = EffectQuestion(
        asked.hypothesis,
        asked.treatment,
        control,
        population=asked.population,
        missing=asked.missing,
        treatment_kind=asked.treatment_kind,
        cluster=asked.cluster,
        weights=asked.weights,
        trim=asked.trim,
        imputations=asked.imputations,
        seed=asked.seed,
        estimators=("linear_regression",),
    )
    design = make_design(frame, question, one.adjusted)
    return Cell(design, {name: design.outcome for name in cell.outcomes}, cell.specifications)
