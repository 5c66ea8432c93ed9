"""Why two records are, or are not, one: the weights of a pair step by step, and the pairs that hold an entity.

A match weight is a sum of bits: the prior (how rare a match is among all pairs), and one number for each comparison.
Everything here reads what a linkage recorded; nothing is computed anew.
"""

from collections.abc import Sequence
from typing import Final

import pandas as pd

from hrtech.linkage.constraints import KEYS
from hrtech.linkage.graph import bridges

OTHERS: Final = "the other records of the entity"
PRIOR: Final = "prior: how rare a match is"
_SHOWN: Final = 0.05
_WEIGHT: Final = "weight_"


def weight_steps(pair: pd.Series) -> list[tuple[str, float]]:
    """Return the steps of a waterfall: words and bits, the prior first, then the strongest first.

    Last, where it says anything, what the other records of the entity add or take away.

    Args:
        pair: A row of `LinkageResult.pairs`.
    """
    names = [name for name in pair.index if str(name).startswith(_WEIGHT) and name != "weight_prior"]
    outcomes = outcomes_of(str(pair["reason"]))
    steps = []
    for name in names:
        comparison = str(name).removeprefix(_WEIGHT)
        if comparison == "calibration":
            continue
        steps.append(
            (f"{comparison.replace('_', ' ')}: {outcomes.get(comparison, 'unknown')}", float(pair[name]))
        )
    steps.sort(key=lambda step: (-abs(step[1]), step[0]))
    calibration = float(pair.get("weight_calibration", 0.0))
    others = [(OTHERS, calibration)] if abs(calibration) >= _SHOWN else []
    return [(PRIOR, float(pair["weight_prior"])), *steps, *others]


def own_weight(pairs: pd.DataFrame) -> pd.Series:
    """Return the match weight of each pair by itself, without what other records of its entity say."""
    if "weight_calibration" not in pairs.columns:
        return pairs["match_weight"]
    return pairs["match_weight"] - pairs["weight_calibration"]


def outcomes_of(reason: str) -> dict[str, str]:
    """Read what each comparison found from the reason of a pair; comparisons without a value are not in it."""
    found = {}
    for piece in reason.split("; "):
        comparison, colon, rest = piece.partition(": ")
        if colon:
            found[comparison] = rest.rsplit(" (", 1)[0]
    return found


def shown_records(frame: pd.DataFrame) -> pd.DataFrame:
    """Put register and record of both sides into one column each, the register only where there are several."""
    registers = pd.concat([frame["register_l"], frame["register_r"]]).dropna()
    several = registers.nunique() > 1
    both = {}
    for side, name in (("l", "record"), ("r", "other record")):
        ids = frame[f"record_{side}"]
        both[name] = frame[f"register_{side}"] + " " + ids if several else ids
    return pd.DataFrame(both, index=frame.index)


def holding_pairs(pairs: pd.DataFrame, entities: pd.DataFrame, entity_ids: Sequence[str]) -> pd.DataFrame:
    """List the scored pairs within entities, the weakest of each entity first.

    Args:
        pairs: As `LinkageResult.pairs`.
        entities: `register, record_id, entity_id`.
        entity_ids: The entities.

    Returns:
        `entity_id`, the columns of `KEYS`, `own_weight` (the pair by itself), `match_weight, match_probability,
        reason`, and `alone`: whether the entity falls apart without this pair (never for two records).
    """
    wanted = entities[entities["entity_id"].isin(set(entity_ids))]
    at = pd.MultiIndex.from_frame(wanted[["register", "record_id"]])
    names = pd.Series(wanted["entity_id"].to_numpy(), index=at)
    rows = pd.Series(range(len(wanted)), index=at)
    # by one id first, which is cheap, so that the exact look-up has few rows
    ids = set(wanted["record_id"])
    near = pairs[pairs["joined"] & pairs["record_l"].isin(ids) & pairs["record_r"].isin(ids)]
    sides = [pd.MultiIndex.from_frame(near[[f"register_{side}", f"record_{side}"]]) for side in "lr"]
    inside = near.assign(
        entity_id=names.reindex(sides[0]).to_numpy(),
        own_weight=own_weight(near),
        row_l=rows.reindex(sides[0]).to_numpy(),
        row_r=rows.reindex(sides[1]).to_numpy(),
    ).dropna(subset=["entity_id", "row_l", "row_r"])
    speaking = inside[inside["own_weight"] > 0]
    lone = bridges(speaking["row_l"].astype(int), speaking["row_r"].astype(int), speaking["entity_id"])
    inside["alone"] = inside.index.isin(lone.index)
    ordered = inside.sort_values(["entity_id", "own_weight", *KEYS])
    kept = ["entity_id", *KEYS, "own_weight", "match_weight", "match_probability", "reason", "alone"]
    return ordered[kept].reset_index(drop=True)
