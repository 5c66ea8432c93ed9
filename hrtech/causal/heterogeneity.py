"""Effects by declared groups, with intervals that hold together, and a test whether groups differ.

A group's effect is the mean of the doubly robust scores of its rows. Intervals of all groups together cover with the
stated probability: the quantile is that of the largest |t| (Montiel Olea and Plagborg-Møller 2019), by draws from the
scores' correlation. Equality within a column of groups is a Wald test; p values of several columns are Holm's.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import networkx as nx
import numpy as np
import pandas as pd

from hrtech.causal.design import Design
from hrtech.causal.doubly_robust import Scores, score
from hrtech.causal.encode import FEWEST
from hrtech.causal.question import EffectError, EffectQuestion

_DRAWS = 20_000
_MOST_LEVELS = 12
_FEW_NUMBERS = 6
_PARTS = 4
COLUMNS: Final = ("group", "level", "n", "estimate", "standard_error", "low", "high", "p_equal", "note")


@dataclass(frozen=True)
class _Group:
    column: str
    level: str
    rows: np.ndarray
    note: str


def group_effects(
    design: Design, frame: pd.DataFrame, question: EffectQuestion, scores: Scores | None = None
) -> pd.DataFrame:
    """Estimate the effect in every declared group.

    Args:
        design: The analysis table.
        frame: The table that it was made from, with the columns of the groups.
        question: The question; its `groups` name the columns.
        scores: Scores of the design, where they are there already.

    Returns:
        `group, level, n, estimate, standard_error, low, high, p_equal, note`; numbers are NaN where a level has too few
        rows; `p_equal` is the adjusted p of the test that all levels of the column have the same effect.

    Raises:
        EffectError: A column of groups cannot be used.
    """
    if not question.groups:
        return _frame([])
    if question.treatment_kind != "yes_no":
        raise EffectError(
            "Effects by group need an exposure that is a yes or no [setting: groups, treatment_kind]"
        )
    groups = [group for name in question.groups for group in _levels(design, frame, name, question)]
    shown = [group for group in groups if not group.note]
    if scores is None:
        scores = score(design, question.seed)
    weights = np.ones(design.n) if design.weights is None else design.weights
    members = np.column_stack([group.rows * weights for group in shown]) if shown else np.empty((design.n, 0))
    means, covariance = _means(scores, members, design.cluster)
    errors = np.sqrt(np.diag(covariance))
    quantile = _largest(covariance, question.confidence, question.seed)
    equal = _holm({name: _equal(name, shown, means, covariance) for name in dict.fromkeys(question.groups)})
    rows = []
    for group in groups:
        value = error = np.nan
        if not group.note:
            place = shown.index(group)
            value, error = means[place], errors[place]
        rows.append(
            (group.column, group.level, int(group.rows.sum()), value, error, value - quantile * error,
             value + quantile * error, equal[group.column], group.note)
        )  # fmt: skip
    return _frame(rows)


def _levels(design: Design, frame: pd.DataFrame, name: str, question: EffectQuestion) -> list[_Group]:
    if name not in frame.columns:
        raise EffectError(f"The table has no column '{name}' [setting: groups]")
    drawn: nx.DiGraph[str] = nx.DiGraph(question.edges())
    if name in drawn and name in nx.descendants(drawn, question.treatment):
        raise EffectError(
            f"Groups by '{name}' would mislead: the exposure changes who is in which. Group by what came before it "
            "[setting: groups]"
        )
    values = frame[name].iloc[design.index] if design.index is not None else frame[name]
    labels = _labels(values.reset_index(drop=True), name)
    found = []
    for level in labels.cat.categories:
        rows = (labels == level).to_numpy()
        arms = [int((design.treatment[rows] == arm).sum()) for arm in (0, 1)]
        note = f"fewer than {FEWEST} exposed or unexposed" if min(arms) < FEWEST else ""
        found.append(_Group(name, str(level), rows, note))
    return found


def _labels(values: pd.Series, name: str) -> pd.Series:
    """Return levels in order; numbers of many values are cut into quarters."""
    unknown = values.isna()
    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
        numbers = values.astype("Float64").astype(float)
        if numbers.nunique() > _FEW_NUMBERS:
            cuts = np.unique(np.quantile(numbers[~unknown], np.linspace(0, 1, _PARTS + 1)))
            names = [f"{low:g} to {high:g}" for low, high in pairwise(cuts)]
            place = np.clip(np.searchsorted(cuts, numbers, side="left") - 1, 0, len(names) - 1)
            texts = pd.Series([names[each] for each in place])
        else:
            names = [f"{each:g}" for each in sorted(numbers[~unknown].unique())]
            texts = numbers.map("{:g}".format)
    else:
        texts = values.astype("str")
        names = sorted(texts[~unknown].unique())
    if len(names) > _MOST_LEVELS:
        raise EffectError(
            f"'{name}' has {len(names)} levels, more than {_MOST_LEVELS} groups. Group them first [setting: groups]"
        )
    names = [*names, "unknown"] if unknown.any() and "unknown" not in names else names
    return pd.Series(pd.Categorical(texts.where(~unknown, "unknown"), categories=names))


def _means(scores: Scores, members: np.ndarray, cluster: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return means per group and their covariance: the median over splits, with the spread over splits added."""
    totals = members.sum(axis=0)
    means = scores.values @ members / totals
    centre = np.median(means, axis=0)
    found = []
    for one, mean in zip(scores.influence, means, strict=True):
        parts = members * (one[:, None] - mean) / totals
        count = len(parts)
        if cluster is not None:
            _, place = np.unique(cluster, return_inverse=True)
            count = int(place.max()) + 1
            summed = np.zeros((count, parts.shape[1]))
            np.add.at(summed, place, parts)
            parts = summed
        found.append(parts.T @ parts * count / (count - 1) + np.diag((mean - centre) ** 2))
    return centre, np.median(found, axis=0)


def _largest(covariance: np.ndarray, confidence: float, seed: int) -> float:
    """Return the quantile of the largest |t| of all groups."""
    if not len(covariance):
        return np.nan
    scale = np.sqrt(np.diag(covariance))
    values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    root = vectors * np.sqrt(np.maximum(values, 0))
    draws = np.random.default_rng(seed).normal(size=(_DRAWS, len(scale))) @ root.T
    return float(np.quantile(np.abs(draws).max(axis=1), confidence))


def _equal(name: str, shown: list[_Group], means: np.ndarray, covariance: np.ndarray) -> float:
    from scipy import stats

    places = [place for place, group in enumerate(shown) if group.column == name]
    if len(places) < 2:
        return np.nan
    contrast = np.zeros((len(places) - 1, len(means)))
    for row, place in enumerate(places[1:]):
        contrast[row, place], contrast[row, places[0]] = 1, -1
    apart = contrast @ means
    wald = float(apart @ np.linalg.solve(contrast @ covariance @ contrast.T, apart))
    return float(stats.chi2.sf(wald, len(apart)))


def _holm(p: dict[str, float]) -> dict[str, float]:
    tested = sorted((value, name) for name, value in p.items() if np.isfinite(value))
    adjusted, largest = dict(p), 0.0
    for place, (value, name) in enumerate(tested):
        largest = max(largest, min(1.0, value * (len(tested) - place)))
        adjusted[name] = largest
    return adjusted


def _frame(rows: list[tuple]) -> pd.DataFrame:
    kinds = {name: "float64" for name in ("estimate", "standard_error", "low", "high", "p_equal")}
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(
        {"group": "str", "level": "str", "note": "str", "n": "int64"} | kinds
    )
