"""What a first pass teaches about the registers: which groups hang together, and which values stand for others.

Values that keep meeting in the groups that were found (Tom and Thomas) are aliases of one another.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from hrtech.linkage.constraints import chains
from hrtech.linkage.spec import FieldSpec

_ALIASED: Final = frozenset({"given_name", "family_name", "place"})
_FEWEST_GROUPS: Final = 3
_LEAST_SHARE: Final = 0.3
_LEAST_LIFT: Final = 5.0
_MOST_VALUES: Final = 12
_LONGEST_CHAIN: Final = 3
_LOOSE: Final = -3.0
_LARGEST_GROUP: Final = 400


def loose_groups(left: np.ndarray, right: np.ndarray, weight: np.ndarray, size: int) -> np.ndarray:
    """Return the group of each record when even doubtful pairs are joined.

    The bar starts at -3 bits and rises until no group holds more than 400 records.
    """
    bar = _LOOSE
    while True:
        kept = weight > bar
        group = chains(np.stack([left[kept], right[kept]], axis=1), size)
        if np.bincount(group).max() <= _LARGEST_GROUP or bar > 20:
            return group
        bar += 1


def learn_aliases(
    records: pd.DataFrame, fields: tuple[FieldSpec, ...], labels: np.ndarray
) -> dict[str, Mapping[str, str]]:
    """Learn which names and places stand for others, from groups of records.

    A value stands for a commoner one that it meets in at least three groups, in three of ten of its own groups, and
    five times as often as chance has it. An alias of an alias is followed.

    Args:
        records: Normalised fields.
        fields: The fields that hold values.
        labels: Group of each record.
    """
    found: dict[str, Mapping[str, str]] = {}
    for one in fields:
        if one.kind in _ALIASED and (aliases := _aliases(records[one.name], labels)):
            found[one.name] = aliases
    return found


def _aliases(values: pd.Series, labels: np.ndarray) -> dict[str, str]:
    seen = pd.DataFrame({"value": values.to_numpy(), "group": labels}).dropna().drop_duplicates()
    groups = len(np.unique(labels))
    each = seen["value"].value_counts()
    varied = seen.groupby("group")["value"].transform("size")
    seen = seen[varied.between(2, _MOST_VALUES)]
    both = seen.merge(seen, on="group", suffixes=("", "_other"))
    both = both[both["value"] != both["value_other"]]
    met = both.groupby(["value", "value_other"]).size().rename("met").reset_index()
    if met.empty:
        return {}
    met["own"], met["others"] = met["value"].map(each), met["value_other"].map(each)
    first = (met["own"] < met["others"]) | (
        (met["own"] == met["others"]) & (met["value"] > met["value_other"])
    )
    enough = (
        first
        & (met["met"] >= _FEWEST_GROUPS)
        & (met["met"] >= _LEAST_SHARE * met["own"])
        & (met["met"] * groups >= _LEAST_LIFT * met["own"] * met["others"])
    )
    best = met[enough].sort_values(["met", "others", "value_other"], ascending=[False, False, True])
    best = best.drop_duplicates("value")
    direct: dict[str, str] = dict(zip(best["value"].tolist(), best["value_other"].tolist(), strict=True))
    return {value: _followed(value, direct) for value in direct}


def _followed(value: str, direct: Mapping[str, str]) -> str:
    for _ in range(_LONGEST_CHAIN):
        value = direct.get(value, value)
    return value
