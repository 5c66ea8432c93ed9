"""Links from shared attribute values and from co-bids, each with a probability and its evidence in words.

Of the d − 1 others who share a value of degree d, one is taken to be the tie that the value stands for, so that a
given one is it with probability c / (d − 1), c being the confidence in the attribute. Values that travel together are
one piece of evidence: the surest of them. Several pieces combine as 1 − ∏(1 − p). A value that
very many share links nobody by itself, and adds its little to entities that something else links. This ranks links; a
single shared value is no discovery.
"""

import numpy as np
import pandas as pd

from hrtech.networks.agreement import CO_BID
from hrtech.networks.cobids import CoBids
from hrtech.networks.pairs import Floats, Ints, pairs_within
from hrtech.networks.spec import NetworkError, NetworkSpec
from hrtech.networks.values import SharedValues

EDGE_COLUMNS = ["source", "target", "kind", "values", "probability", "evidence", "p", "q", "family"]
_MOST_ATTRIBUTES = 60


def shared_pairs(shared: SharedValues, beside: pd.DataFrame, most: int) -> pd.DataFrame:
    """List pairs of entities and the values that they share.

    Args:
        shared: Values and holders.
        beside: Pairs `first, second` linked by something else.
        most: Values with more holders count only for pairs that something else links.

    Returns:
        `first, second, value`, ordered by value.
    """
    size = shared.values["holders"].to_numpy(np.int64)
    held = shared.holders
    first, second, value = pairs_within(
        held["value"].to_numpy(np.int64), held["entity"].to_numpy(np.int64), most
    )
    found = pd.DataFrame({"first": first, "second": second, "value": value})
    hubs = held.loc[size[held["value"].to_numpy()] > most]
    if hubs.empty:
        return found
    linked = pd.concat([found[["first", "second"]], beside[["first", "second"]]]).drop_duplicates()
    linked = linked.loc[linked["second"].isin(hubs["entity"])]
    more = linked.merge(hubs.rename(columns={"entity": "first"}), on="first")
    width = len(size)
    known = np.sort(hubs["entity"].to_numpy() * width + hubs["value"].to_numpy())
    code = more["second"].to_numpy() * width + more["value"].to_numpy()
    place = np.minimum(np.searchsorted(known, code), len(known) - 1)
    return pd.concat([found, more.loc[known[place] == code]], ignore_index=True)


def attribute_links(
    pairs: pd.DataFrame, shared: SharedValues, rare: Floats, total: int, certainty: Floats, spec: NetworkSpec
) -> pd.DataFrame:
    """Weigh the pieces of evidence.

    Args:
        pairs: `first, second, value`.
        shared: The values.
        rare: Per value, the share of all pairs that share one as rare.
        total: Number of entities.
        certainty: Per row of `pairs`, the probability that both holders' records are theirs.
        spec: The declaration.

    Returns:
        `first, second, kind, values, probability, evidence, p`: one row per pair and piece.
    """
    values = shared.values
    kinds, found_names = pd.factorize(values["attribute"], sort=True)
    names = [str(name) for name in found_names]
    if len(names) > _MOST_ATTRIBUTES:
        raise NetworkError(
            f"There are more than {_MOST_ATTRIBUTES} attributes. Leave some out [setting: attributes]"
        )
    bit = np.left_shift(np.int64(1), kinds.astype(np.int64))
    sure = np.array([spec.confidence(name) for name in names])[kinds]
    value = pairs["value"].to_numpy(np.int64)
    frame = pd.DataFrame(
        {
            "first": pairs["first"],
            "second": pairs["second"],
            "package": values["package"].to_numpy()[value],
            "bits": bit[value],
            "sure": sure[value] * certainty,
            "holders": values["holders"].to_numpy(np.int64)[value],
            "p": rare[value],
            "alike": values["spellings"].to_numpy()[value] > 1,
        }
    ).sort_values(["first", "second", "package"], ignore_index=True)
    starts = np.flatnonzero(~frame.duplicated(["first", "second", "package"]).to_numpy())
    found = frame.loc[starts, ["first", "second"]].reset_index(drop=True)
    if not len(starts):
        text = pd.Series(dtype="str")
        return found.assign(kind=text, values=0, probability=0.0, evidence=text, p=0.0)

    def most(column: str) -> np.ndarray:
        return np.maximum.reduceat(frame[column].to_numpy(), starts)

    def least(column: str) -> np.ndarray:
        return np.minimum.reduceat(frame[column].to_numpy(), starts)

    bits = np.bitwise_or.reduceat(frame["bits"].to_numpy(), starts)
    holders = least("holders")
    found = found.assign(
        kind=_named(bits, names, "+"),
        values=np.diff(np.r_[starts, len(frame)]),
        probability=most("sure") / (holders - 1),
        evidence=_evidence(bits, holders, most("holders"), most("alike"), names, total),
        p=least("p"),
    )
    if spec.min_shared == 1:
        return found
    pieces = found.groupby(["first", "second"])["p"].transform("size")
    return found.loc[pieces >= spec.min_shared].reset_index(drop=True)


def _named(bits: Ints, names: list[str], between: str) -> np.ndarray:
    found, code = np.unique(bits, return_inverse=True)
    words = [between.join(name for k, name in enumerate(names) if mask >> k & 1) for mask in found.tolist()]
    return np.array(words, dtype=object)[code]


def _evidence(
    bits: Ints, holders: Ints, most: Ints, alike: np.ndarray, names: list[str], total: int
) -> np.ndarray:
    kinds = pd.DataFrame({"bits": bits, "holders": holders, "most": most, "alike": alike})
    found = kinds.drop_duplicates()
    code = pd.MultiIndex.from_frame(found).get_indexer(pd.MultiIndex.from_frame(kinds))
    what = _named(found["bits"].to_numpy(), names, " and ")
    words = [
        f"the same {name}{', give or take a letter,' if near else ','} which {_range(held, many)} of {total} "
        "entities have"
        for name, held, many, near in zip(what, found["holders"], found["most"], found["alike"], strict=True)
    ]
    return np.array(words, dtype=object)[code]


def _range(least: int, most: int) -> str:
    return f"{least}" if least == most else f"{least} to {most}"


def _one_in(chance: float) -> str:
    """Return the number that a chance is one in, to two digits."""
    if chance < 1e-9:
        return "more than a billion"
    return f"{float(f'{1 / chance:.2g}'):,.0f}"


def co_bid_table(bids: CoBids, ids: pd.Index, strata: pd.Index) -> pd.DataFrame:
    """Name the firms and categories of co-bids and put each in words.

    Returns:
        `source, target, category, together, bids_source, bids_target, tenders, spread, p_together, q_together,
        p_close, p, evidence`.
    """
    pairs = bids.pairs
    evidence = [
        f"bid together in {met} of {held} tenders of {where}, having bid for {one} and {other}: by chance one pair in "
        f"{_one_in(p)}" + ("" if np.isnan(close) else _closeness(spread, close))
        for met, held, where, one, other, p, spread, close in zip(
            pairs["together"],
            pairs["tenders"],
            strata[pairs["stratum"].to_numpy(np.int64)],
            pairs["bids_first"],
            pairs["bids_second"],
            pairs["p_together"],
            pairs["spread"],
            pairs["p_close"],
            strict=True,
        )
    ]
    return pd.DataFrame(
        {
            "source": ids[pairs["first"].to_numpy(np.int64)],
            "target": ids[pairs["second"].to_numpy(np.int64)],
            "category": strata[pairs["stratum"].to_numpy(np.int64)],
            "together": pairs["together"].to_numpy(np.int64),
            "bids_source": pairs["bids_first"].to_numpy(np.int64),
            "bids_target": pairs["bids_second"].to_numpy(np.int64),
            "tenders": pairs["tenders"].to_numpy(np.int64),
            **{
                name: pairs[name].to_numpy(np.float64)
                for name in ("spread", "p_together", "q_together", "p_close", "p")
            },
            "evidence": pd.Series(evidence, dtype="str"),
        }
    )


def _closeness(spread: float, p: float) -> str:
    return f"; their prices lay {spread:.1%} apart on average, and chance comes as close with probability {p:.2g}"


def co_bid_links(table: pd.DataFrame, family: int, spec: NetworkSpec) -> pd.DataFrame:
    """Turn significant co-bids into edges.

    Their probability is the confidence in co-bids times 1 − q, and where prices are known times 1 − p of their
    closeness: to bid together at ordinary distance is what partners do.
    """
    kept = table.loc[table["q_together"] <= spec.false_discovery_rate]
    sure = spec.co_bid_confidence * (1 - kept["q_together"]) * (1 - kept["p_close"].fillna(0.0))
    return pd.DataFrame(
        {
            "source": kept["source"],
            "target": kept["target"],
            "kind": CO_BID,
            "values": kept["together"],
            "probability": sure,
            "evidence": kept["evidence"],
            "p": kept["p_together"],
            "q": kept["q_together"],
            "family": f"{family:,} pairs of firms that both bid in one category",
        }
    )
