"""What each decision contributes to the spread of a specification curve.

The variance of the estimates is shared among the decisions by Shapley values of the variance explained (Lindeman,
Merenda and Gold 1980; Grömping 2007): a decision's share is what it adds to the others' explanation, averaged over all
orders. What no sum of single decisions explains is their interplay.
"""

from collections.abc import Sequence
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd

from hrtech.causal.specifications import DECISIONS


def contributions(table: pd.DataFrame, decisions: Sequence[str] = DECISIONS) -> pd.DataFrame:
    """Share the spread of the estimates among the decisions.

    Args:
        table: A curve's table; rows without an estimate do not count. Where outcomes differ, and so may their units,
            estimates count in standard deviations of their outcome.
        decisions: Columns with the choices.

    Returns:
        `decision, share`: shares of the variance, which add up to one with the row `interplay`; largest first. Empty
        where there are fewer than two different estimates.
    """
    known = comparable(table[table["estimate"].notna()])
    varied = [name for name in decisions if known[name].nunique() > 1]
    empty = pd.DataFrame({"decision": pd.Series(dtype="str"), "share": pd.Series(dtype="float64")})
    if len(known) < 2 or np.ptp(known["estimate"]) == 0 or not varied:
        return empty
    explained = {
        frozenset(some): _explained(known, some)
        for size in range(len(varied) + 1)
        for some in combinations(varied, size)
    }
    rows = []
    for name in varied:
        others = [other for other in varied if other != name]
        share = 0.0
        for size in range(len(others) + 1):
            weight = 1 / (len(varied) * comb(len(others), size))
            for some in combinations(others, size):
                share += weight * (explained[frozenset((*some, name))] - explained[frozenset(some)])
        rows.append((name, share))
    rows.sort(key=lambda row: -row[1])
    rows.append(("interplay", 1 - explained[frozenset(varied)]))
    return pd.DataFrame(rows, columns=["decision", "share"]).astype({"decision": "str"})


def choice_means(table: pd.DataFrame, decisions: Sequence[str] = DECISIONS) -> pd.DataFrame:
    """Return `decision, choice, specifications, median, least, greatest` of the estimates under every choice.

    Where outcomes differ, estimates are in standard deviations of their outcome.
    """
    known = comparable(table[table["estimate"].notna()])
    rows = [
        (name, str(choice), len(part), part.median(), part.min(), part.max())
        for name in decisions
        if known[name].nunique() > 1
        for choice, part in known.groupby(name, sort=False)["estimate"]
    ]
    columns = ["decision", "choice", "specifications", "median", "least", "greatest"]
    return pd.DataFrame(rows, columns=columns).astype({"decision": "str", "choice": "str"})


def comparable(table: pd.DataFrame) -> pd.DataFrame:
    """Return estimates and intervals in standard deviations where the outcome has several definitions, else as is."""
    if "standardised" not in table.columns or table["outcome"].nunique() < 2:
        return table
    factor = table["standardised"] / table["estimate"]
    numbers = {name: table[name] * factor for name in ("estimate", "low", "high")}
    return table.assign(**numbers)


def _explained(known: pd.DataFrame, some: Sequence[str]) -> float:
    """Return the share of the variance that the sum of some decisions explains."""
    values = known["estimate"].to_numpy(float)
    left = values - values.mean()
    if not some:
        return 0.0
    design = pd.get_dummies(known[list(some)].astype("str"), dtype=float).to_numpy()
    design = np.column_stack([np.ones(len(values)), design])
    fit = design @ np.linalg.lstsq(design, left, rcond=None)[0]
    return float(1 - ((left - fit) ** 2).sum() / (left**2).sum())
