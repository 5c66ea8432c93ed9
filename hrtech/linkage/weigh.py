"""Match weights: what the outcomes of the comparisons of a pair add up to, in bits.

The weight of a level is log2(m / u). Agreement on a value v of a field with rarity counts log2(s / t) more, where t is
the value's share and s = sum of all t², the chance that two values agree at all: chance agreement on v alone over
agreement on v among matches is t_v (Winkler 2000). The share counts each loose group of records once, or duplicates
would make their own values look common.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from hrtech.linkage.comparisons import Comparison
from hrtech.linkage.model import Vectors

FLOOR: Final = 1e-10
_PSEUDO: Final = 2.0
_NEGLIGIBLE: Final = -10.0
"""Evidence (bits) below which a pair adds nothing to the expected matches, at a prior below one half."""


@dataclass(frozen=True)
class Parameters:
    """A Fellegi-Sunter model.

    Attributes:
        m: Per comparison, agreement among matches of each level, first level first, null left out.
        u: The same among chance pairs.
        trained: The same: whether the level was seen.
        prior: Probability that two random records match.
        rarity: Column → per row the share of its value (NaN where missing).
        even: Column → sum of squared shares.
    """

    m: dict[str, np.ndarray]
    u: dict[str, np.ndarray]
    trained: dict[str, np.ndarray]
    prior: float
    rarity: dict[str, np.ndarray]
    even: dict[str, float]

    def bits(self, name: str) -> np.ndarray:
        """Return the weight of each level of a comparison."""
        return np.asarray(np.log2(self.m[name] / self.u[name]))


def rarity_columns(comparisons: list[Comparison]) -> list[str]:
    """Return the columns whose rare values count for more."""
    return sorted(
        {
            level["tf_adjustment_column"]
            for one in comparisons
            for level in one.levels
            if "tf_adjustment_column" in level
        }
    )


def shares(values: pd.Series, group: np.ndarray | None = None) -> pd.Series:
    """Return the share of each value, each group of records counted once per value."""
    if group is not None:
        values = pd.DataFrame({"value": values, "group": group}).drop_duplicates()["value"]
    return values.value_counts(normalize=True)


def rarities(
    records: pd.DataFrame, comparisons: list[Comparison], group: np.ndarray | None = None
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Return per column with rarity the share of each row's value, and the sum of squared shares."""
    derived = {name: series for one in comparisons for name, series in one.derived.items()}
    rarity, even = {}, {}
    for column in rarity_columns(comparisons):
        values = derived[column] if column in derived else records[column]
        share = shares(values, group)
        rarity[column] = values.map(share).to_numpy(float)
        even[column] = float((share**2).sum())
    return rarity, even


def rarity_table(records: pd.DataFrame, comparisons: list[Comparison], model: Parameters) -> pd.DataFrame:
    """Return `column, value, share`: the share of each value that rarity is told by."""
    derived = {name: series for one in comparisons for name, series in one.derived.items()}
    tables = [pd.DataFrame({"column": [], "value": [], "share": []}).astype({"share": float})]
    for column, share in model.rarity.items():
        values = derived[column] if column in derived else records[column]
        table = pd.DataFrame({"value": values.to_numpy(), "share": share}).dropna().drop_duplicates("value")
        tables.append(table.assign(column=column))
    found = pd.concat(tables, ignore_index=True)[["column", "value", "share"]]
    return found.astype({"column": "str", "value": "str"})


def parts(vectors: Vectors, comparisons: list[Comparison], model: Parameters) -> dict[str, np.ndarray]:
    """Return per comparison the weight (bits, float32) that each pair has from it."""
    result = {}
    for one in comparisons:
        outcome = vectors.outcome[one.name]
        by_number = np.zeros(len(one.levels))  # the last slot is outcome -1: unknown
        by_number[: len(one.levels) - 1] = model.bits(one.name)[::-1]
        bits = by_number[outcome].astype(np.float32)
        for number, level in zip(range(len(one.levels) - 2, -1, -1), one.levels[1:], strict=True):
            if column := level.get("tf_adjustment_column"):
                at = np.flatnonzero(outcome == number)
                share = model.rarity[column]
                common = np.fmax(share[vectors.left[at]], share[vectors.right[at]])
                bits[at] += np.log2(model.even[column] / common)
        result[one.name] = bits
    return result


def prior_bits(prior: float) -> float:
    """Return a probability as a weight."""
    return float(np.log2(prior / (1 - prior)))


def probability(weight: np.ndarray) -> np.ndarray:
    """Return the match probability of match weights."""
    return np.asarray(1 / (1 + np.exp2(-np.clip(weight, -1000, 1000))))


def share_of_matches(evidence: np.ndarray, possible: int) -> float:
    """Return the share of matches among all possible pairs that the evidence (bits) of the scored ones implies.

    The share is the fixed point of its own expectation over the scored pairs: no recall has to be assumed.
    """
    share = max(1 / possible, FLOOR)
    evidence = evidence[evidence > _NEGLIGIBLE]
    for _ in range(200):
        expected = float(probability(evidence + prior_bits(share)).sum())
        new = min(max(expected / possible, FLOOR), 0.5)
        if abs(new - share) <= 1e-9 * share:
            break
        share = new
    return share


def counted(vectors: Vectors, one: Comparison, weight: np.ndarray | None = None) -> np.ndarray:
    """Count the pairs at each level, first level first, null left out."""
    outcome = vectors.outcome[one.name]
    known = outcome >= 0
    of = None if weight is None else weight[known]
    return np.bincount(outcome[known], of, minlength=len(one.levels) - 1)[::-1].astype(float)


def smoothed(counts: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Return shares of counts with two pairs' worth of what was believed before, so that none is nought."""
    belief = np.where(np.isfinite(before), before, 0.0) + 1e-3
    belief = belief / belief.sum()
    return np.asarray((counts + _PSEUDO * belief) / (counts.sum() + _PSEUDO))


def splink_values(comparisons: list[Comparison], model: Parameters) -> Mapping[str, Mapping[str, np.ndarray]]:
    """Return m and u as Splink must have them for the same weights.

    Splink adjusts a level for rarity by log2(u / t), so that where agreement on the value is only a part of what the
    level says, both are given conditional on the rest: u becomes s, and m changes in proportion.
    """
    values: dict[str, dict[str, np.ndarray]] = {"m_probability": {}, "u_probability": {}}
    for one in comparisons:
        m, u = model.m[one.name].copy(), model.u[one.name].copy()
        for i, level in enumerate(one.levels[1:]):
            if column := level.get("tf_adjustment_column"):
                m[i], u[i] = m[i] * model.even[column] / u[i], model.even[column]
        values["m_probability"][one.name], values["u_probability"][one.name] = m, u
    return values


def parameter_table(comparisons: list[Comparison], model: Parameters) -> pd.DataFrame:
    """Return `comparison, level, m, u, weight, trained`."""
    rows: list[tuple[Any, ...]] = []
    for one in comparisons:
        labels = [level["label_for_charts"] for level in one.levels[1:]]
        own = (model.m[one.name], model.u[one.name], model.bits(one.name), model.trained[one.name])
        rows += [(one.name, label, *values) for label, *values in zip(labels, *own, strict=True)]
    frame = pd.DataFrame(rows, columns=["comparison", "level", "m", "u", "weight", "trained"])
    return frame.astype({"m": "float64", "u": "float64", "weight": "float64", "trained": "bool"})
