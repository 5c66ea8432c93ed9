"""Can exposed and unexposed be compared at all: overlap of propensities, and balance before and after weighting.

Propensities are predicted for rows that they were not learnt from, by curves and lines (`hrtech.causal.learners`): what
is fitted to a row makes it look more certain than it is.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from hrtech.causal.design import Design, check_variation
from hrtech.causal.doubly_robust import CLIP, folds_of, propensity
from hrtech.causal.question import EffectError, EffectQuestion

_LEAVES = 8
_ROWS_IN_LEAF = 60


def check_overlap(design: Design, question: EffectQuestion) -> tuple[pd.DataFrame, np.ndarray]:
    """Describe overlap and refuse where there is none.

    The rule: no effect is estimated when the adjusters separate the groups, or when more than `most_extreme` of the
    rows have an extreme propensity: estimated outside `propensity_bounds` (and the exposures of these rows do not belie
    it), or, in case the estimate is too smooth, in a part of the adjusters' space, found by a small tree on other rows,
    in which hardly anybody is exposed, or unexposed, there and here.

    Returns:
        `measure, value`, and the propensity per row.

    Raises:
        EffectError: The rule is broken.
    """
    chance = propensity(design, question.seed)
    exposed = design.treatment == 1
    low, high = question.propensity_bounds
    extreme = max(
        _borne_out(design.treatment, chance < low, chance > high, low, high),
        _one_sided(design, low, high, question.seed),
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


def _one_sided(design: Design, low: float, high: float, seed: int) -> float:
    """Return the share of rows in parts that hold hardly anybody exposed, or unexposed.

    A tree learns the parts from four fifths of the rows; those with a share at half the bounds or beyond are looked
    at in the last fifth. They count where, over all fifths, the share there is outside the bounds as well, but for one
    row: what only looked one-sided to the tree does not.
    """
    from sklearn.tree import DecisionTreeClassifier

    t, x = design.treatment, design.covariates
    if not x.shape[1] or design.n < 4 * _ROWS_IN_LEAF:
        return 0.0
    fold = folds_of(design, np.random.default_rng(seed))
    none, all_ = np.zeros(design.n, dtype=bool), np.zeros(design.n, dtype=bool)
    for number in np.unique(fold):
        out, rest = fold == number, fold != number
        tree = DecisionTreeClassifier(
            max_leaf_nodes=_LEAVES, min_samples_leaf=_ROWS_IN_LEAF, random_state=seed, criterion="log_loss"
        ).fit(x[rest], t[rest])
        leaf, at = tree.apply(x[rest]), tree.apply(x[out])
        share = np.bincount(leaf, t[rest], tree.tree_.node_count) / np.maximum(
            np.bincount(leaf, minlength=tree.tree_.node_count), 1
        )
        none[out], all_[out] = share[at] < low / 2, share[at] > 1 - (1 - high) / 2
    return _borne_out(t, none, all_, low, high)


def _borne_out(t: np.ndarray, none: np.ndarray, all_: np.ndarray, low: float, high: float) -> float:
    """Return the share of rows said to be never, or always, exposed, where these rows do not belie it."""
    found = 0.0
    if none.any() and t[none].sum() <= 1 + low * none.sum():
        found += none.mean()
    if all_.any() and (1 - t[all_]).sum() <= 1 + (1 - high) * all_.sum():
        found += all_.mean()
    return float(found)


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
