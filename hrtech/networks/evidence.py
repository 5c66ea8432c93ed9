"""All evidence on pairs of entities brought together: links, discoveries and how likely each pair is tied."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from hrtech.networks.agreement import CO_BID, CO_BID_EVIDENCE, combined, null_tail, one_per_package, rarity
from hrtech.networks.bidding import Bids
from hrtech.networks.cobids import CoBids, co_bids
from hrtech.networks.links import EDGE_COLUMNS, attribute_links, co_bid_links, co_bid_table, shared_pairs
from hrtech.networks.pairs import Floats, Ints
from hrtech.networks.spec import NetworkSpec
from hrtech.networks.values import SharedValues

OWNER: Final = "beneficial owner"
_DISCOVERY: Final = ["source", "target", "kind", "kinds", "evidence", "p", "q", "family"]
#: Ties less likely join no community.
_LEAST_TIE: Final = 0.01


@dataclass(frozen=True)
class Evidence:
    """What ties pairs of entities.

    Attributes:
        edges: Links: see `NetworkResult.edges`, without ownership.
        discoveries: See `NetworkResult.discoveries`.
        co_bids: See `NetworkResult.co_bids`.
        ties: `first, second, tie`: positions, and the probability that the two are tied.
        met: `first, second, p` of firms that met in tenders.
    """

    edges: pd.DataFrame
    discoveries: pd.DataFrame
    co_bids: pd.DataFrame
    ties: pd.DataFrame
    met: pd.DataFrame


def gather(shared: SharedValues, bids: Bids, ids: pd.Index, spec: NetworkSpec) -> Evidence:
    """Weigh what pairs of entities have in common.

    Args:
        shared: Values and holders, ultimate owners among them.
        bids: The bids.
        ids: Ids of the entities by position.
        spec: The declaration.
    """
    total = len(ids)
    tested = co_bids(bids.tender, bids.entity, bids.stratum, bids.amount)
    rare = rarity(shared.values, total) if total > 1 else np.zeros(len(shared.values))
    shown = tested.pairs.loc[
        (tested.pairs["q_together"] <= spec.false_discovery_rate) | (tested.pairs["p"] <= CO_BID_EVIDENCE)
    ]
    pairs = shared_pairs(shared, shown, spec.max_attribute_degree)
    table = co_bid_table(CoBids(shown, tested.family), ids, bids.strata)
    table = table.assign(q_together=shown["q_together"].to_numpy(np.float64))
    bid_edges = co_bid_links(table, tested.family, spec)
    edges = _attribute_edges(pairs, shared, rare, ids, spec)
    sums, kinds = _agreement(pairs, shared, rare, tested.pairs, tested.family, total)
    found = sums.loc[sums["q"] <= spec.false_discovery_rate]
    discoveries = pd.concat(
        [_bids_discovered(bid_edges), _agreements_discovered(found, kinds, edges, table, ids, total)],
        ignore_index=True,
    )
    tie = tie_probability(sums["surprise"].to_numpy(np.float64), total)
    ties = sums[["first", "second"]].assign(tie=tie)
    return Evidence(
        pd.concat([edges, bid_edges], ignore_index=True)[EDGE_COLUMNS],
        discoveries.sort_values(["q", "p", "source", "target", "kind"], ignore_index=True),
        table.sort_values(["p", "source", "target", "category"], ignore_index=True),
        ties.loc[tie >= _LEAST_TIE].reset_index(drop=True),
        tested.pairs[["first", "second", "p"]],
    )


def tie_probability(surprise: Floats, total: int) -> Floats:
    """Turn how surprising the agreement of pairs is into the probability that they are tied, at most.

    The odds that a p-value p = exp(−surprise) can bear against chance are at most 1 / (−e p log p) (Sellke, Bayarri and
    Berger 2001); before looking, an entity is expected to be tied to one other.
    """
    at = np.maximum(surprise, 1.0)
    odds = np.exp(at - 1) / at / max(total - 1, 1)
    return np.asarray(np.where(surprise > 1, odds / (1 + odds), 1 / max(total, 2)), dtype=np.float64)


def _attribute_edges(
    pairs: pd.DataFrame, shared: SharedValues, rare: Floats, ids: pd.Index, spec: NetworkSpec
) -> pd.DataFrame:
    contact = (shared.values["attribute"] != OWNER).to_numpy()
    pairs = pairs.loc[contact[pairs["value"].to_numpy(np.int64)]]
    sure = _certainty(pairs, shared)
    links = attribute_links(pairs, shared, rare, len(ids), sure, spec)
    return pd.DataFrame(
        {
            "source": pd.Series(ids[links["first"].to_numpy(np.int64)], dtype="str"),
            "target": pd.Series(ids[links["second"].to_numpy(np.int64)], dtype="str"),
            "kind": links["kind"].astype("str"),
            "values": links["values"].astype("int64"),
            "probability": links["probability"],
            "evidence": links["evidence"].astype("str"),
            "p": links["p"],
            "q": np.nan,
            "family": "",
        }
    )


def _certainty(pairs: pd.DataFrame, shared: SharedValues) -> Floats:
    held = shared.holders
    if (held["certainty"] == 1).all():
        return np.ones(len(pairs))
    width = len(shared.values)
    code = held["entity"].to_numpy() * width + held["value"].to_numpy()
    order = np.argsort(code)
    code, sure = code[order], held["certainty"].to_numpy()[order]
    value = pairs["value"].to_numpy(np.int64)
    sides = [
        sure[np.searchsorted(code, pairs[side].to_numpy(np.int64) * width + value)]
        for side in ("first", "second")
    ]
    return np.asarray(sides[0] * sides[1], dtype=np.float64)


def _agreement(
    pairs: pd.DataFrame, shared: SharedValues, rare: Floats, met: pd.DataFrame, active: int, total: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the combined evidence of pairs, and its pieces `first, second, kind`."""
    value = pairs["value"].to_numpy(np.int64)
    first, second = (pairs[side].to_numpy(np.int64) for side in ("first", "second"))
    pieces = pairs[["first", "second"]].assign(
        kind=shared.values["attribute"].to_numpy()[value], p=rare[value]
    )
    package: Ints = shared.values["package"].to_numpy(np.int64)[value]
    pieces = pieces.loc[one_per_package(first, second, package, rare[value])]
    family = max(total * (total - 1) / 2, 1.0)
    active_share = active / family
    kinds = {
        str(name): null_tail(rare[part[part["holders"] > 1].index.to_numpy()])
        for name, part in shared.values.groupby("attribute")
    }
    kinds[CO_BID] = null_tail(float(active_share))
    # a pair that met in several categories had several chances
    grouped = met.groupby(["first", "second"])["p"]
    best = (grouped.min() * grouped.size()).rename("p").reset_index()
    best = best.loc[best["p"] <= CO_BID_EVIDENCE].assign(kind=CO_BID)
    best["p"] *= active_share
    pieces = pd.concat([pieces, best[["first", "second", "kind", "p"]]], ignore_index=True)
    return combined(pieces, kinds, family), pieces[["first", "second", "kind"]].drop_duplicates()


def _bids_discovered(edges: pd.DataFrame) -> pd.DataFrame:
    return edges.assign(kinds=CO_BID)[_DISCOVERY]


def _agreements_discovered(
    found: pd.DataFrame,
    pieces: pd.DataFrame,
    edges: pd.DataFrame,
    co_bid: pd.DataFrame,
    ids: pd.Index,
    total: int,
) -> pd.DataFrame:
    both = pieces.merge(found[["first", "second"]], on=["first", "second"]).sort_values("kind")
    kinds = both.groupby(["first", "second"])["kind"].agg("+".join).rename("kinds").reset_index()
    table = found.drop(columns="kinds").merge(kinds, on=["first", "second"]).assign(kind="agreement")
    table = table.assign(
        source=ids[table["first"].to_numpy(np.int64)], target=ids[table["second"].to_numpy(np.int64)]
    )
    told = pd.concat([edges[["source", "target", "evidence"]], co_bid[["source", "target", "evidence"]]])
    told = told.merge(table[["source", "target"]], on=["source", "target"])
    words = told.groupby(["source", "target"])["evidence"].agg("; ".join).rename("evidence").reset_index()
    table = table.merge(words, on=["source", "target"], how="left")
    owner = table["kinds"].str.contains(OWNER, regex=False)
    same = "an ultimate owner in common"
    evidence = table["evidence"].fillna("")
    evidence = evidence.where(~owner, evidence.where(evidence == "", evidence + "; ") + same)
    table = table.assign(evidence=evidence, family=f"{int(total * (total - 1) / 2):,} pairs of entities")
    return table[_DISCOVERY]
