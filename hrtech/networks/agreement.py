"""Agreement of two entities across kinds of evidence, under the null that kinds know nothing of each other.

How surprising one shared value is, is the share of all pairs of entities that have a value of that kind in common
which no more entities hold. One such value is explained wholly by the counts of its holders; so a discovery takes
two kinds at least. Surprises, −log of those shares in steps of a quarter (rounded down), add up over kinds; the chance
of a sum as large is the convolution of the kinds' own distributions. Family: all pairs of entities.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from hrtech.networks.multiple import false_discovery_rates
from hrtech.networks.pairs import Floats, Ints

_STEP: Final = 0.25
_CELLS: Final = 400
#: A co-bid less surprising than this is no evidence of its own.
CO_BID_EVIDENCE: Final = 0.05
CO_BID: Final = "co-bid"


def rarity(values: pd.DataFrame, entities: int) -> Floats:
    """Return, per value, the share of all pairs of entities that share one of its kind as rare as it, or rarer.

    Args:
        values: `attribute, holders`.
        entities: Number of entities.
    """
    holders = values["holders"].to_numpy(np.float64)
    frame = pd.DataFrame(
        {"attribute": values["attribute"], "holders": holders, "pairs": holders * (holders - 1) / 2}
    )
    known = frame.groupby(["attribute", "holders"], as_index=False)["pairs"].sum()
    known["below"] = known.groupby("attribute")["pairs"].cumsum()
    share = frame.merge(known[["attribute", "holders", "below"]], on=["attribute", "holders"], how="left")
    return np.minimum(share["below"].to_numpy() / (entities * (entities - 1) / 2), 1.0)


def combined(evidence: pd.DataFrame, tails: Mapping[str, Floats], family: float) -> pd.DataFrame:
    """Add up the evidence of each pair.

    Args:
        evidence: `first, second, kind, p`: one row per pair and piece of evidence, `p` the share of all pairs with as
            strong a piece of that kind. Pieces that travel together are one row.
        tails: Per kind, its distribution under the null as `null_tail` gives it.
        family: Number of pairs of entities.

    Returns:
        `first, second, kinds, surprise, p, q`; `p` is 1 with fewer than two kinds.
    """
    steps = np.floor(-np.log(np.maximum(evidence["p"], 1e-300)) / _STEP).clip(0, _CELLS - 1)
    best = evidence.assign(steps=steps.astype("int64"), surprise=-np.log(np.maximum(evidence["p"], 1e-300)))
    best = best.groupby(["first", "second", "kind"], as_index=False)[["steps", "surprise"]].max()
    grouped = best.groupby(["first", "second"])
    found = grouped.agg(
        kinds=("steps", "size"), steps=("steps", "sum"), surprise=("surprise", "sum")
    ).reset_index()
    null = np.ones(1)
    for kind in sorted(set(evidence["kind"])):
        tail = tails[kind]
        null = np.convolve(null, tail - np.r_[tail[1:], 0.0])
    tail = np.cumsum(null[::-1])[::-1]
    p = np.where(found["kinds"] >= 2, tail[np.minimum(found["steps"].to_numpy(), len(tail) - 1)], 1.0)
    p = np.clip(p, 1e-300, 1.0)
    return found.drop(columns="steps").assign(p=p, q=false_discovery_rates(p, family))


def null_tail(shares: Floats | float) -> Floats:
    """Return the chance that a pair's evidence of one kind reaches each step.

    Args:
        shares: The attainable shares (of one kind's values); or the share of pairs that could have any, where a
            p-value may take every value below it.
    """
    at = np.exp(-_STEP * np.arange(_CELLS))
    if isinstance(shares, float):
        tail = np.minimum(shares, at)
    else:
        ordered = np.r_[0.0, np.sort(shares)]
        tail = ordered[np.searchsorted(ordered, at * (1 + 1e-9), side="right") - 1]
    tail[0] = 1.0
    return tail


def one_per_package(first: Ints, second: Ints, package: Ints, p: Floats) -> np.ndarray:
    """Say which rows to keep so that a pair has one row per package: the least surprising, met first."""
    frame = pd.DataFrame({"first": first, "second": second, "package": package, "p": p})
    frame = frame.sort_values("p", ascending=False, kind="stable")
    kept = frame.drop_duplicates(["first", "second", "package"]).index
    return np.isin(np.arange(len(p)), kept.to_numpy())
