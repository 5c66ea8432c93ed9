"""The specification curve: every specification estimated once, with its interval.

Specifications that see the same rows, exposure and adjusters share a cell, so that propensities, neighbours and, later,
simulated worlds are made once for all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from hrtech.causal.classical import CLASSICAL, Worlds, estimate_worlds
from hrtech.causal.columns import CLIP, single_threaded
from hrtech.causal.design import Design, make_design
from hrtech.causal.estimators import Estimate, estimate, interval
from hrtech.causal.overlap import check_overlap
from hrtech.causal.question import EffectError
from hrtech.causal.specifications import DECISIONS, Specification

_NUMBERS = ("estimate", "standard_error", "low", "high", "standardised")


@dataclass
class Cell:
    """Specifications with the same rows, exposure and adjusters.

    Attributes:
        design: Rows, exposure and adjusters; its outcome is that of the first specification.
        outcomes: Outcome per row by the name of its definition.
        specifications: The specifications.
        worlds: The data as they are, as a single world.
    """

    design: Design
    outcomes: dict[str, np.ndarray] = field(default_factory=dict)
    specifications: list[Specification] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.worlds = world_of(self.design)


def world_of(design: Design) -> Worlds:
    """Return a design as one world."""
    weights = np.ones(design.n) if design.weights is None else design.weights
    return Worlds(design.treatment[:, None], design.covariates, weights[:, None], cluster=design.cluster)


@dataclass(frozen=True)
class Curve:
    """A specification curve.

    Attributes:
        table: One row a specification: `specification`, the decisions, `adjusted, assumes, n, estimate,
            standard_error, low, high, standardised, status, reason`; `standardised` is the estimate in standard
            deviations of its outcome, `status` is `estimated` or `refused`.
        cells: The cells of those that were estimated.
        estimates: Estimate by specification id.
    """

    table: pd.DataFrame
    cells: list[Cell]
    estimates: dict[str, Estimate]


@single_threaded
def estimate_curve(frame: pd.DataFrame, specifications: Sequence[Specification]) -> Curve:
    """Estimate every specification; one that the data cannot answer is refused with the reason.

    Args:
        frame: One row per unit.
        specifications: As `specify` lists them.
    """
    cells, refused = _cells(frame, specifications)
    estimates: dict[str, Estimate] = {}
    deviations: dict[str, float] = {}
    for cell in cells:
        for one in list(cell.specifications):
            try:
                estimates[one.id] = estimate_specification(cell, one)
                deviations[one.id] = float(cell.outcomes[one.outcome].std())
            except EffectError as error:
                refused[one.id] = str(error)
                cell.specifications.remove(one)
    rows = []
    for one in specifications:
        said = (one.id, *(getattr(one, name) for name in DECISIONS), ", ".join(one.adjusted), one.assumes)
        found = estimates.get(one.id)
        if found is None:
            rows.append((*said, 0, *[np.nan] * 5, "refused", refused[one.id]))
        else:
            notes = "; ".join(found.notes)
            scaled = found.effect / deviations[one.id]
            numbers = (found.n, found.effect, found.std_error, found.low, found.high, scaled)
            rows.append((*said, *numbers, "estimated", notes))
    texts = ["specification", *DECISIONS, "adjusted", "assumes", "status", "reason"]
    columns = ["specification", *DECISIONS, "adjusted", "assumes", "n", *_NUMBERS, "status", "reason"]
    table = pd.DataFrame(rows, columns=columns)
    kinds = dict.fromkeys(texts, "str") | dict.fromkeys(_NUMBERS, "float64") | {"n": "int64"}
    return Curve(table.astype(kinds), cells, estimates)


def estimate_specification(cell: Cell, one: Specification) -> Estimate:
    """Estimate one specification of a cell."""
    outcome, confidence = cell.outcomes[one.outcome], one.question.confidence
    if one.estimator not in CLASSICAL or cell.design.imputed:
        from dataclasses import replace

        design = replace(cell.design, outcome=outcome)
        return estimate(one.estimator, design, confidence=confidence, seed=one.question.seed)
    effect, error = estimate_worlds(one.estimator, cell.worlds, outcome[:, None])
    if not (np.isfinite(effect[0]) and np.isfinite(error[0]) and error[0] > 0):
        raise EffectError(
            f"The estimator '{one.estimator}' finds no effect with an error in these rows: too few are comparable. "
            "Widen the population, or leave the estimator out [setting: population, curve_estimators]"
        )
    freedom = np.inf
    if one.estimator == "linear_regression":
        clusters = cell.design.cluster
        freedom = cell.design.n - cell.worlds.columns.width - 1
        freedom = freedom if clusters is None else len(np.unique(clusters)) - 1
    return interval(
        one.estimator, effect[0], error[0], cell.design, confidence=confidence, freedom=float(freedom)
    )


def _cells(frame: pd.DataFrame, specifications: Sequence[Specification]) -> tuple[list[Cell], dict[str, str]]:
    cells: dict[tuple, list[Cell]] = {}
    made: dict[tuple, tuple[Cell | None, str]] = {}
    refused = {one.id: one.refused for one in specifications if one.refused}
    for one in specifications:
        if one.refused:
            continue
        key = (one.population, one.exposure, one.adjusted)
        if (*key, one.outcome) not in made:
            made[*key, one.outcome] = _cell(frame, one, cells.setdefault(key, []))
        cell, reason = made[*key, one.outcome]
        if cell is None:
            refused[one.id] = reason
        else:
            cell.specifications.append(one)
    return [cell for several in cells.values() for cell in several if cell.specifications], refused


def _cell(frame: pd.DataFrame, one: Specification, like: list[Cell]) -> tuple[Cell | None, str]:
    """Make the cell of a specification, or find it among those of the same definitions."""
    try:
        design = make_design(frame, one.question, one.adjusted)
        for cell in like:
            if _same(cell.design, design):
                cell.outcomes[one.outcome] = design.outcome
                return cell, ""
        cell = Cell(design, {one.outcome: design.outcome})
        if one.question.treatment_kind == "yes_no" and _doubtful(cell, one):
            check_overlap(design, one.question)
    except EffectError as error:
        return None, str(error)
    like.append(cell)
    return cell, ""


def _doubtful(cell: Cell, one: Specification) -> bool:
    """Whether a logistic regression finds half the extreme propensities that are allowed, so that a look is due."""
    low, high = one.question.propensity_bounds
    chance = cell.worlds.fitted()[1][:, 0]
    extreme = float(((chance < low) | (chance > high)).mean())
    return low <= CLIP or high >= 1 - CLIP or extreme > one.question.most_extreme / 2


def _same(left: Design, right: Design) -> bool:
    def equal(a: np.ndarray | None, b: np.ndarray | None) -> bool:
        return a is b or (a is not None and b is not None and np.array_equal(a, b))

    return all(
        equal(getattr(left, name), getattr(right, name))
        for name in ("treatment", "covariates", "weights", "cluster", "index")
    )
