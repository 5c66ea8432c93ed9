"""Bids read for comparison: who bid in which tender, in which category and period, at what price."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hrtech.networks.pairs import Floats, Ints
from hrtech.networks.spec import NetworkSpec, Rejects, numbered

_NEEDED = ("tender_id", "entity_id", "category")


@dataclass(frozen=True)
class Bids:
    """Bids as positions: `tender`, `entity`, `stratum`, `amount` (NaN where unknown), and each stratum's name."""

    tender: Ints
    entity: Ints
    stratum: Ints
    amount: Floats
    strata: pd.Index


def read_bids(bids: pd.DataFrame, ids: pd.Index, spec: NetworkSpec, rejects: Rejects) -> Bids:
    """Read bids and set aside those that cannot be compared.

    Args:
        bids: `tender_id`, `entity_id` (or `company_id`), `category`, and where known `date`, `value` (price bid) and
            `winner`. A firm that bids twice in a tender counts once, with its lowest price.
        ids: Known ids; an entity's position is its place there.
        spec: The declaration.
        rejects: Receives the rows that cannot be used.
    """
    frame = numbered(bids, "bids", _NEEDED)
    frame["entity"] = ids.get_indexer(pd.Index(frame["entity_id"].astype("str")))
    for column, what in (("tender_id", "tender"), ("entity_id", "bidder"), ("category", "category")):
        frame = rejects.split("bids", frame, frame[column].isna(), f"the {what} is blank")
    frame = rejects.split("bids", frame, frame["entity"] < 0, "the entity is unknown")
    frame = frame.assign(amount=_amounts(frame), stratum=frame["category"].astype("str"))
    frame = rejects.split("bids", frame, frame["amount"] <= 0, "the price is nought or less")
    if spec.bid_period is not None:
        if "date" not in frame.columns:
            frame = frame.assign(date=None)
        day = pd.to_datetime(frame["date"], errors="coerce")
        frame = rejects.split("bids", frame, day.isna(), "the date is blank or none")
        code = {"year": "Y", "quarter": "Q", "month": "M"}[spec.bid_period]
        period = day.loc[frame.index].dt.to_period(code).astype("str")
        frame = frame.assign(stratum=frame["stratum"] + " " + period)
    frame = frame.sort_values("row")
    named = frame.groupby("tender_id")["stratum"].transform("first")
    what = "category" if spec.bid_period is None else "category or period"
    frame = rejects.split(
        "bids", frame, frame["stratum"] != named, f"an earlier row gives the tender another {what}"
    )
    frame = frame.sort_values(["amount", "row"], na_position="last")
    again = frame.duplicated(["tender_id", "entity"])
    frame = rejects.split(
        "bids", frame, again, "a lower or earlier bid of the same firm in the tender counts"
    )
    stratum, strata = pd.factorize(frame["stratum"], sort=True)
    return Bids(
        pd.factorize(frame["tender_id"])[0].astype(np.int64),
        frame["entity"].to_numpy(np.int64),
        stratum.astype(np.int64),
        frame["amount"].to_numpy(np.float64),
        pd.Index(strata),
    )


def _amounts(frame: pd.DataFrame) -> pd.Series:
    if "value" not in frame.columns:
        return pd.Series(np.nan, index=frame.index)
    return pd.to_numeric(frame["value"], errors="coerce").astype("float64")
