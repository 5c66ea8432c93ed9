"""Can exposed and unexposed be compared at all: overlap of propensities, and balance before and after weighting."""

import numpy as np
import pandas as pd

from hrtech.causal.design import Design
from hrtech.causal.estimators import propensity
from hrtech.causal.question import EffectError, EffectQuestion

_CLIP = 0.01
_GROUPS = 10
_FEWEST_IN_GROUP = 50


def check_overlap(design: Design, question: EffectQuestion) -> tuple[pd.DataFrame, np.ndarray]:
    """Describe overlap and refuse where there is none.

    The rule: no effect is estimated when the adjusters separate the groups, or when more than `most_extreme` of the
    rows have an extreme propensity: estimated outside `propensity_bounds`, or, in case the estimate is too smooth,
    among a tenth of like propensity in which the share exposed lies outside them.

    Returns:
        `measure, value`, and the propensity per row.

    Raises:
        EffectError: The rule is broken.
    """
    chance = propensity(design.treatment, design.covariates)
    exposed = design.treatment == 1
    low, high = question.propensity_bounds
    extreme = max(
        float(((chance < low) | (chance > high)).mean()), _one_sided(design.treatment, chance, low, high)
    )
    if chance[exposed].min() > chance[~exposed].max() and design.covariates.shape[1]:
        raise EffectError(
            f"The adjusters tell exposed and unexposed apart without fail (perfect separation of "
            f"'{question.treatment}'): nobody exposed is like anybody unexposed. Narrow "
            "the population, or leave out what decides the exposure [setting: population, confounders]"
        )
    if extreme > question.most_extreme:
        raise EffectError(
            f"Overlap is too poor for an effect: {extreme:.0%} of the rows have a propensity for "
            f"'{question.treatment}' outside {low:g} to {high:g}, and at most {question.most_extreme:.0%} may. "
            "Narrow the population to those who could be either [setting: population, propensity_bounds, most_extreme]"
        )
    weight = _weights(design.treatment, chance)
    rows = [
        ("exposed", float(exposed.sum())),
        ("unexposed", float((~exposed).sum())),
        ("effective sample size, exposed", _effective(weight[exposed])),
        ("effective sample size, unexposed", _effective(weight[~exposed])),
        ("lowest propensity", float(chance.min())),
        ("highest propensity", float(chance.max())),
        ("share of rows with extreme propensity", extreme),
        ("highest share allowed", question.most_extreme),
    ]
    return pd.DataFrame(rows, columns=["measure", "value"]).astype({"measure": "str"}), chance


def _one_sided(treatment: np.ndarray, chance: np.ndarray, low: float, high: float) -> float:
    """Return the share of rows in groups of like propensity that hold hardly anybody exposed, or unexposed."""
    groups = min(_GROUPS, len(chance) // _FEWEST_IN_GROUP)
    if groups < 2 or np.ptp(chance) == 0:
        return 0.0
    parts = np.array_split(treatment[np.argsort(chance, kind="stable")], groups)
    return sum(len(part) for part in parts if not low <= part.mean() <= high) / len(chance)


def _weights(treatment: np.ndarray, chance: np.ndarray) -> np.ndarray:
    clipped = np.clip(chance, _CLIP, 1 - _CLIP)
    return np.where(treatment == 1, 1 / clipped, 1 / (1 - clipped))


def _effective(weight: np.ndarray) -> float:
    """Return the effective sample size of Kish: (Σw)² / Σw²."""
    return float(weight.sum() ** 2 / (weight**2).sum())


def balance(design: Design, chance: np.ndarray) -> pd.DataFrame:
    """Return standardised mean differences before and after inverse-propensity weighting.

    Returns:
        `variable, smd_before, smd_after`; both in units of the pooled standard deviation before weighting.
    """
    exposed = design.treatment == 1
    weight = _weights(design.treatment, chance)
    before, after = [], []
    for column in design.covariates.T:
        spread = np.sqrt((column[exposed].var() + column[~exposed].var()) / 2) or 1.0
        before.append((column[exposed].mean() - column[~exposed].mean()) / spread)
        weighted = [np.average(column[arm], weights=weight[arm]) for arm in (exposed, ~exposed)]
        after.append((weighted[0] - weighted[1]) / spread)
    return pd.DataFrame(
        {"variable": pd.Series(design.names, dtype="str"), "smd_before": before, "smd_after": after}
    ).astype({"smd_before": "float64", "smd_after": "float64"})
