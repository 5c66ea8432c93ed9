"""Firms that bid together more often, and closer to each other, than chance explains.

In one category (and period, where asked), a firm's tenders are taken as drawn at random from all that were held, so
that the number two firms share is hypergeometric given how many each bid for. Family: all pairs of firms that both
bid in one category. For counts the discrete rule of false discoveries applies.

How close two bids are is the share u of all pairs of rival bids, measured by |log a − log b| over the category's
median, that are at least as close. Without collusion the sum of −log u over x tenders is Gamma(x), however large x is,
so that how often and how closely are two independent tests; Fisher's rule (1932) makes them one.

That two firms depend on each other is not collusion: partners and neighbours bid together too.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy.special import gammaincc

from hrtech.networks.multiple import discrete_false_discovery_rates, false_discovery_rates
from hrtech.networks.pairs import Floats, Ints, hypergeometric, pairs_within

#: Tenders with more bidders are framework agreements: meeting there says nothing.
MOST_BIDDERS: Final = 200
_ENOUGH_GAPS: Final = 30
COLUMNS: Final = [
    "first", "second", "stratum", "together", "bids_first", "bids_second", "tenders",
    "p_together", "q_together", "spread", "p_close", "p", "q",
]  # fmt: skip


@dataclass(frozen=True)
class CoBids:
    """Pairs of firms that met in tenders.

    Attributes:
        pairs: Per pair and stratum (category, or category and period) in which they met: `first, second` (positions
            of entities), `stratum`, `together` (tenders shared), `bids_first, bids_second, tenders` (of each, and
            held), `p_together, q_together` (how often), `spread` (their mean relative gap between bids, 0.1 = 10 %;
            missing without amounts), `p_close` (how closely, given how often), `p, q` (both).
        family: Number of pairs of firms that both bid in one stratum.
    """

    pairs: pd.DataFrame
    family: int


def co_bids(tender: Ints, entity: Ints, stratum: Ints, amount: Floats) -> CoBids:
    """Test every pair of firms that met.

    Args:
        tender: Code of each bid's tender.
        entity: Position of the bidder; one bid per tender and bidder.
        stratum: Code of the tender's category (and period).
        amount: Price, NaN where unknown.
    """
    held = pd.DataFrame({"tender": tender, "stratum": stratum}).drop_duplicates()
    tenders = np.bincount(held["stratum"], minlength=int(stratum.max(initial=-1)) + 1).astype(np.int64)
    active = pd.DataFrame({"stratum": stratum, "entity": entity}).value_counts(sort=False)
    margins = active.rename("bids").reset_index()
    first, second, met, spread, closeness = _met(tender, entity, amount, stratum)
    if not len(first):
        empty = pd.DataFrame({name: pd.Series(dtype="float64") for name in COLUMNS})
        whole = ["first", "second", "stratum", "together", "bids_first", "bids_second", "tenders"]
        return CoBids(empty.astype(dict.fromkeys(whole, "int64")), _family(margins))
    frame = pd.DataFrame(
        {"first": first, "second": second, "stratum": met, "spread": spread, "closeness": closeness}
    )
    grouped = frame.groupby(["first", "second", "stratum"], sort=False)
    pairs = grouped.agg(
        together=("spread", "size"),
        gaps=("spread", "count"),
        spread=("spread", "mean"),
        closeness=("closeness", "sum"),
    ).reset_index()
    bids = margins.set_index(["stratum", "entity"])["bids"]
    for side in ("first", "second"):
        key = pd.MultiIndex.from_frame(pairs[["stratum", side]])
        pairs[f"bids_{side}"] = bids.reindex(key).to_numpy(np.int64)
    pairs["tenders"] = tenders[pairs["stratum"].to_numpy()]
    return CoBids(_tested(pairs, margins, tenders)[COLUMNS], _family(margins))


def _family(margins: pd.DataFrame) -> int:
    size = margins.groupby("stratum").size().to_numpy(np.int64)
    return int((size * (size - 1) // 2).sum())


def _met(
    tender: Ints, entity: Ints, amount: Floats, stratum: Ints
) -> tuple[Ints, Ints, Ints, Floats, Floats]:
    """Return `first, second, stratum` of each meeting, the relative gap of the two bids, and −log of its share."""
    place = np.arange(len(tender))
    one, other, _ = pairs_within(tender, place, MOST_BIDDERS)
    turned = entity[one] > entity[other]
    one, other = np.where(turned, other, one), np.where(turned, one, other)
    with np.errstate(invalid="ignore", divide="ignore"):
        price = np.log(np.where(amount > 0, amount, np.nan))
    gap = np.abs(price[one] - price[other])
    where = stratum[one]
    scale = _typical_gaps(gap, where)
    known = np.isfinite(gap)
    closeness = np.zeros(len(gap))
    if known.sum() >= _ENOUGH_GAPS:
        scaled = gap[known] / scale[known]
        rank = np.searchsorted(np.sort(scaled), scaled * (1 + 1e-12), side="right")
        closeness[known] = -np.log(rank / (len(scaled) + 1))
    else:
        gap = np.full(len(gap), np.nan)
    return entity[one], entity[other], where, np.expm1(gap), closeness


def _typical_gaps(gap: Floats, stratum: Ints) -> Floats:
    """Return each meeting's median gap in its stratum; overall where few are known or most are nought."""
    frame = pd.DataFrame({"gap": gap, "stratum": stratum})
    grouped = frame.groupby("stratum")["gap"]
    typical, known = grouped.transform("median"), grouped.transform("count")
    overall = frame["gap"].median()
    overall = float(overall) if overall > 0 else 1.0
    return typical.where((known >= _ENOUGH_GAPS) & (typical > 0), overall).to_numpy(np.float64)


def _tested(pairs: pd.DataFrame, margins: pd.DataFrame, tenders: Ints) -> pd.DataFrame:
    kinds = pd.DataFrame(
        {
            "low": np.minimum(pairs["bids_first"], pairs["bids_second"]),
            "high": np.maximum(pairs["bids_first"], pairs["bids_second"]),
            "tenders": pairs["tenders"],
        }
    )
    urns = _urns(margins, tenders)
    keys = pd.MultiIndex.from_frame(urns[["low", "high", "tenders"]])
    kind = keys.get_indexer(pd.MultiIndex.from_frame(kinds))
    low, high, total = (urns[name].to_numpy(np.int64) for name in ("low", "high", "tenders"))
    urn, _, _, tail = hypergeometric(low, high, total)
    start = np.searchsorted(urn, np.arange(len(urns)))
    p_together = tail[start[kind] + pairs["together"].to_numpy()]
    q_together = discrete_false_discovery_rates(p_together, tail, urns["pairs"].to_numpy()[urn], urn)
    close = pairs["closeness"].to_numpy()
    gaps = pairs["gaps"].to_numpy(np.float64)
    p_close = np.where(gaps > 0, gammaincc(np.maximum(gaps, 1), close), np.nan)
    both = np.maximum(p_together * np.where(gaps > 0, p_close, 1.0), 1e-300)
    p = np.where(gaps > 0, both * (1 - np.log(both)), p_together)
    family = float(urns["pairs"].sum())
    q = false_discovery_rates(p, family) if (gaps > 0).any() else q_together
    return pairs.assign(p_together=p_together, q_together=q_together, p_close=p_close, p=p, q=q)


def _urns(margins: pd.DataFrame, tenders: Ints) -> pd.DataFrame:
    """Count the pairs of each kind of test: `low, high` (bids of the two), `tenders`, `pairs`."""
    firms = margins.groupby(["stratum", "bids"]).size().rename("firms").reset_index()
    both = firms.merge(firms, on="stratum", suffixes=("_low", "_high"))
    both = both.loc[both["bids_low"] <= both["bids_high"]]
    same = both["bids_low"] == both["bids_high"]
    pairs = np.where(
        same, both["firms_low"] * (both["firms_low"] - 1) // 2, both["firms_low"] * both["firms_high"]
    )
    kinds = pd.DataFrame(
        {
            "low": both["bids_low"],
            "high": both["bids_high"],
            "tenders": tenders[both["stratum"].to_numpy()],
            "pairs": pairs,
        }
    )
    return kinds.groupby(["low", "high", "tenders"])["pairs"].sum().reset_index()
