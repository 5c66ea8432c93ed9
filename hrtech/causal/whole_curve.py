"""A study's whole curve, from the table to its tables: what the component calls and what a notebook runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hrtech.causal.acceptance import ACCEPTED
from hrtech.causal.contribution import choice_means, contributions
from hrtech.causal.curve import estimate_curve
from hrtech.causal.design import Design, make_design
from hrtech.causal.identify import identify
from hrtech.causal.joint import Permuted, joint_test, permute_curve
from hrtech.causal.overlap import check_overlap
from hrtech.causal.question import EffectError, EffectQuestion
from hrtech.causal.refute import GRID, refute_curve
from hrtech.causal.sensitivity import (
    benchmarks,
    breaking_gamma,
    columns_by_adjuster,
    contour,
    e_values,
    matched_pairs,
    regress,
    robustness_value,
    rosenbaum_bounds,
)
from hrtech.causal.specifications import specify

#: Estimators of the curve where nothing else is asked for.
ESTIMATORS = ("linear_regression", "ipw", "stratification", "matching", "aipw_linear")
_BINS = 20


@dataclass(frozen=True)
class CurveSettings:
    """How the curve is made.

    Attributes:
        estimators: Names of estimators.
        adjustment_sets: Adjustment sets that somebody asks for besides, by name.
        simulations: Simulations of each refutation.
        grid: Strengths of a made-up confounder (partial R²).
        permutations: Permutations of the joint test.
    """

    estimators: Sequence[str] = ESTIMATORS
    adjustment_sets: Mapping[str, Sequence[str]] | None = None
    simulations: int = 100
    grid: Sequence[float] = GRID
    permutations: int = 499


def whole_curve(
    frame: pd.DataFrame, question: EffectQuestion, settings: CurveSettings | None = None
) -> dict[str, pd.DataFrame]:
    """Estimate every specification, try to refute each, and permute the whole.

    Args:
        frame: One row per unit.
        question: The question.
        settings: How the curve is made.

    Returns:
        `specification_curve` (`hrtech.causal.curve.Curve.table`), `curve_refutations`
        (`hrtech.causal.refute.refute_curve`), `contributions`, `choices` and `permuted_effects`.

    Raises:
        EffectError: No specification can be estimated; the message gives the first reason.
    """
    settings = settings or CurveSettings()
    observed = {str(name) for name in frame.columns}
    specifications = specify(question, observed, settings.estimators, settings.adjustment_sets)
    curve = estimate_curve(frame, specifications)
    if not curve.estimates:
        raise EffectError(f"No specification can be estimated. The first: {curve.table['reason'].iloc[0]}")
    tried = refute_curve(
        curve, frame, simulations=settings.simulations, seed=question.seed, grid=settings.grid
    )
    permuted = permute_curve(curve, frame, permutations=settings.permutations, seed=question.seed)
    return {
        "specification_curve": curve.table,
        "curve_refutations": tried,
        "contributions": contributions(curve.table),
        "choices": choice_means(curve.table),
        "permuted_effects": permuted.to_frame(),
    }


def joint_answers(
    permuted_effects: pd.DataFrame, acceptance: pd.DataFrame, question: EffectQuestion
) -> pd.DataFrame:
    """Test the curve as a whole, and the part that is accepted.

    Returns:
        `over, statistic, value, p, specifications, permutations`; `over` is `all specifications` or `accepted ones`.
    """
    permuted = Permuted.from_frame(permuted_effects)
    accepted = acceptance.loc[acceptance["status"] == ACCEPTED, "specification"].tolist()
    parts = []
    for over, part in (("all specifications", permuted), ("accepted ones", permuted.of(accepted))):
        found = joint_test(part, question.direction)
        parts.append(
            found.assign(over=over, specifications=len(part.ids), permutations=len(part.null)).astype(
                {"over": "str"}
            )
        )
    joined = pd.concat(parts, ignore_index=True)
    return joined[["over", "statistic", "value", "p", "specifications", "permutations"]]


def curve_summary(table: pd.DataFrame, acceptance: pd.DataFrame, direction: str) -> dict[str, float]:
    """Return counts of specifications and, of the accepted ones, shares in the expected direction and without zero.

    Median, least and greatest are those of the outcome as first defined, because others may have another unit.
    """
    status = acceptance.set_index("specification")["status"].reindex(table["specification"]).to_numpy()
    kept = table[status == ACCEPTED]
    values = kept["estimate"]
    out = {
        "listed": float(len(table)),
        "estimated": float((table["status"] == "estimated").sum()),
        "accepted": float(len(kept)),
    }
    if len(kept):
        up = float((values > 0).mean())
        share = {"increases": up, "decreases": 1 - up}.get(direction, max(up, 1 - up))
        clear = float(((kept["low"] > 0) | (kept["high"] < 0)).mean())
        out |= {"share_expected": share, "share_clear": clear}
    first = kept.loc[kept["outcome"] == "primary", "estimate"]
    if len(first):
        out |= {"median": float(first.median()), "least": float(first.min()), "greatest": float(first.max())}
    return out


def study_sensitivity(
    frame: pd.DataFrame, question: EffectQuestion, effect: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Say how strong an unmeasured confounder would have to be, for the headline's adjustment set.

    Args:
        frame: One row per unit.
        question: The question.
        effect: The headline as one row: `estimate, low, high`.

    Returns:
        `sensitivity` (`measure, value, meaning`), `benchmarks`, `sensitivity_contour`, `hidden_bias` (Rosenbaum's
        bounds) and `propensities` (`low, high, exposed, unexposed`: counts of rows by propensity).
    """
    identified = identify(question, {str(name) for name in frame.columns})
    design = make_design(frame, question, identified.adjusted)
    found = regress(design)
    rows = [
        (
            "partial R² of exposure and outcome",
            found.partial_r2,
            "a confounder that explained all of the outcome would have to explain this share of the exposure",
        ),
        (
            "robustness value",
            robustness_value(found.t_value, found.freedom),
            "a confounder that explains this share of what is left of both would take the whole effect away",
        ),
        (
            "robustness value at 5 %",
            robustness_value(found.t_value, found.freedom, alpha=0.05),
            "a confounder that explains this share of both would make the effect no longer differ from 0",
        ),
    ]
    hidden = pd.DataFrame({"gamma": [], "p_lowest": [], "p_highest": []}, dtype="float64")
    propensities = pd.DataFrame({"low": [], "high": [], "exposed": [], "unexposed": []}, dtype="float64")
    if question.treatment_kind == "yes_no":
        head = effect.iloc[0]
        unexposed = design.treatment == 0
        value, limit, how = e_values(
            float(head["estimate"]), float(head["low"]), float(head["high"]), design.outcome, unexposed
        )
        rows += [
            ("E-value", value, f"risk ratio that a confounder needs with both to explain all of it; {how}"),
            ("E-value of the interval", limit, "the same for the end of the interval nearer to no effect"),
        ]
        pairs = matched_pairs(design)
        hidden = rosenbaum_bounds(pairs)
        rows.append(
            (
                "Rosenbaum Γ at 5 %",
                breaking_gamma(pairs),
                f"factor on the odds of exposure within {len(pairs)} matched pairs at which it stops being significant",
            )
        )
        propensities = _propensities(design, question)
    table = pd.DataFrame(rows, columns=["measure", "value", "meaning"])
    return {
        "sensitivity": table.astype({"measure": "str", "value": "float64", "meaning": "str"}),
        "benchmarks": benchmarks(design, columns_by_adjuster(design, identified.adjusted)),
        "sensitivity_contour": contour(found),
        "hidden_bias": hidden,
        "propensities": propensities,
    }


def _propensities(design: Design, question: EffectQuestion) -> pd.DataFrame:
    _, chance = check_overlap(design, question)
    edges = np.linspace(0, 1, _BINS + 1)
    exposed = design.treatment == 1
    counts = [np.histogram(chance[mask], edges)[0] for mask in (exposed, ~exposed)]
    return pd.DataFrame(
        {"low": edges[:-1], "high": edges[1:], "exposed": counts[0], "unexposed": counts[1]}
    ).astype("float64")
