"""Can exposed and unexposed be compared at all: overlap of propensities, and balance before and after weighting.

Propensities are predicted for rows that they were not learnt from, by curves and lines (`hrtech.causal.learners`): what
is fitted to a row makes it look more certain than it is.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from hrtech.causal.design import Design, check_variation
from hrtech.causal.doubly_robust import CLIP, propensity
from hrtech.causal.question import EffectError, EffectQuestion

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
    chance = propensity(design, question.seed)
    exposed = design.treatment == 1
    low, high = question.propensity_bounds
    extreme = max(
        float(((chance < low) | (chance > high)).mean()), _one_sided(design.treatment, chance, low, high)
    )
    if design.covariates.shape[1] and chance[exposed].min() > chance[~exposed].max():
        raise EffectError(
            f"The adjusters tell exposed and unexposed apart without fail (perfect separation of "
            f"'{question.treatment}'): nobody exposed is like anybody unexposed. Narrow "
            "the population, or leave out what decides the exposure [setting: population, confounders]"
        )
    if extreme > question.most_extreme:
        raise EffectError(
            f"Overlap is too poor for an effect: {extreme:.0%} of the rows have a propensity for "
            f"'{question.treatment}' outside {low:g} to {high:g}, and at most {question.most_extreme:.0%} may. "
            "Narrow the population to those who could be either, or trim "
            "[setting: population, trim, propensity_bounds, most_extreme]"
        )
    weight = _weights(design, chance)
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
    if question.trim is not None:
        rows.append(("trimmed below this propensity, and above 1 less it", question.trim))
    return pd.DataFrame(rows, columns=["measure", "value"]).astype({"measure": "str"}), chance


def trimmed(design: Design, question: EffectQuestion) -> Design:
    """Leave out rows whose propensity lies outside `trim` to 1 − `trim` (Crump et al. 2009).

    Raises:
        EffectError: The exposure is an amount, or too few rows are left.
    """
    if question.trim is None:
        return design
    if question.treatment_kind != "yes_no":
        raise EffectError("An exposure that is an amount has no propensity to trim by [setting: trim]")
    chance = propensity(design, question.seed)
    inside = (chance >= question.trim) & (chance <= 1 - question.trim)
    kept = design.take(inside)
    check_variation(kept.treatment, kept.outcome, question)
    step = f"propensity outside {question.trim:g} to {1 - question.trim:g}: trimmed"
    rows = [*design.rows.itertuples(index=False, name=None)]
    rows = [*rows[:-1], (step, int((~inside).sum())), ("rows used", kept.n)]
    table = pd.DataFrame(rows, columns=["step", "rows"]).astype({"step": "str"})
    # an adjuster may not vary any more
    varied = kept.covariates.std(axis=0) > 1e-9
    names = tuple(name for name, varies in zip(design.names, varied, strict=True) if varies)
    imputed = tuple(one[:, varied] for one in kept.imputed)
    return replace(kept, covariates=kept.covariates[:, varied], names=names, imputed=imputed, rows=table)


def _one_sided(treatment: np.ndarray, chance: np.ndarray, low: float, high: float) -> float:
    """Return the share of rows in groups of like propensity that hold hardly anybody exposed, or unexposed."""
    groups = min(_GROUPS, len(chance) // _FEWEST_IN_GROUP)
    if groups < 2 or np.ptp(chance) == 0:
        return 0.0
    parts = np.array_split(treatment[np.argsort(chance, kind="stable")], groups)
    return sum(len(part) for part in parts if not low <= part.mean() <= high) / len(chance)


def _weights(design: Design, chance: np.ndarray) -> np.ndarray:
    clipped = np.clip(chance, CLIP, 1 - CLIP)
    own = 1.0 if design.weights is None else design.weights
    return np.asarray(own * np.where(design.treatment == 1, 1 / clipped, 1 / (1 - clipped)))


def _effective(weight: np.ndarray) -> float:
    """Return the effective sample size of Kish: (Σw)² / Σw²."""
    return float(weight.sum() ** 2 / (weight**2).sum())


def balance(design: Design, chance: np.ndarray) -> pd.DataFrame:
    """Return standardised mean differences before and after inverse-propensity weighting.

    Returns:
        `variable, smd_before, smd_after`; both in units of the pooled standard deviation before weighting.
    """
    exposed = design.treatment == 1
    weight = _weights(design, chance)
    own = np.ones(design.n) if design.weights is None else design.weights
    before: list[float] = []
    after: list[float] = []
    for column in design.covariates.T:
        spread = np.sqrt((column[exposed].var() + column[~exposed].var()) / 2) or 1.0
        for weights, into in ((own, before), (weight, after)):
            means = [np.average(column[arm], weights=weights[arm]) for arm in (exposed, ~exposed)]
            into.append((means[0] - means[1]) / spread)
    return pd.DataFrame(
        {"variable": pd.Series(design.names, dtype="str"), "smd_before": before, "smd_after": after}
    ).astype({"smd_before": "float64", "smd_after": "float64"})
