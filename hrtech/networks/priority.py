"""Priority: in what order to look, as a sum of terms that each can be read.

Every term is −log of how many entities in a population without ties would show as much, so that terms add up: what an
entity shares, how it bids, how many layers of owners stand above it, and how far its risk is above the average. A
priority orders; it is no probability, and the risk stands beside it.
"""

import numpy as np
import pandas as pd

from hrtech.networks.pairs import Floats, Ints
from hrtech.networks.values import SharedValues

TERMS = ("by_flags", "by_values", "by_co_bids", "by_layers")


def values_term(shared: SharedValues, entities: int) -> Floats:
    """Return, per entity, how unusual it is to share values as rare as it does.

    For each kind of value: −log of the share of entities that share one with as few holders, summed over kinds.
    Values that travel together count once, by the least unusual.
    """
    values = shared.values
    held = shared.holders
    code, _ = pd.factorize(values["attribute"], sort=True)
    value = held["value"].to_numpy(np.int64)
    frame = pd.DataFrame(
        {
            "entity": held["entity"].to_numpy(np.int64),
            "kind": code[value],
            "holders": values["holders"].to_numpy(np.int64)[value],
            "package": values["package"].to_numpy()[value],
        }
    )
    frame = frame.loc[frame["holders"] > 1]
    rarest = frame.groupby(["entity", "kind"], as_index=False)["holders"].min()
    share = rarest.groupby(["kind", "holders"]).size().groupby("kind").cumsum() / entities
    frame = frame.merge(share.rename("share").reset_index(), on=["kind", "holders"])
    frame = frame.sort_values("share", ascending=False, kind="stable").drop_duplicates(["entity", "package"])
    best = frame.groupby(["entity", "kind"], as_index=False)["share"].min()
    term = np.bincount(best["entity"], weights=-np.log(best["share"]), minlength=entities)
    return term.astype(np.float64)


def co_bids_term(pairs: pd.DataFrame, entities: int) -> Floats:
    """Return, per entity, −log of the smallest p-value among its co-bids times the number of firms it met.

    Args:
        pairs: `first, second, p` of firms that met.
        entities: Number of entities.
    """
    entity = np.r_[pairs["first"], pairs["second"]].astype(np.int64)
    least = np.zeros(entities)
    np.maximum.at(least, entity, -np.log(np.maximum(np.tile(pairs["p"].to_numpy(np.float64), 2), 1e-300)))
    met = np.bincount(entity, minlength=entities)
    return np.maximum(least - np.log(np.maximum(met, 1)), 0.0)


def layers_term(layers: Ints) -> Floats:
    """Return −log of the share of entities with at least as many layers of owners above them."""
    most = int(layers.max(initial=0))
    share = np.cumsum(np.bincount(layers, minlength=most + 1)[::-1])[::-1] / max(len(layers), 1)
    return np.maximum(-np.log(share[layers]), 0.0)


def flags_term(risk: Floats) -> Floats:
    """Return log(1 + risk / mean risk)."""
    mean = float(risk.mean()) if len(risk) else 0.0
    return np.log1p(risk / mean) if mean > 0 else np.zeros(len(risk))
