"""Rows of a register of owners made usable: one holding per owner and company, and a reason for every row that is not.

Belongs here: what cannot be true of a row or of a company's rows. Does not belong here: what follows from holdings.
"""

from typing import Final

import numpy as np
import pandas as pd

from hrtech.networks.spec import Rejects, numbered

_TEXT: Final = ("owner_company_id", "owner_name", "control_by", "direct")
_KEPT: Final = (
    "row", "owner", "owner_name", "owner_kind", "entity_id", "share_low", "share_high", "vote_low", "vote_high",
    "control_by",
)  # fmt: skip


def usable_holdings(
    ownership: pd.DataFrame, entities: set[str], rejects: Rejects, as_of: pd.Timestamp | None
) -> pd.DataFrame:
    """Return `row, owner, owner_name, owner_kind, entity_id, share_low, share_high, vote_low, vote_high, control_by`.

    Args:
        ownership: As for `integrated_ownership`.
        entities: Ids of the known companies.
        rejects: Receives the rows that cannot be used.
        as_of: Day for which interests count.

    Raises:
        NetworkError: A needed column is missing.
    """
    frame = numbered(ownership, "ownership", ("entity_id", "owner_id"))
    for name in _TEXT:
        if name not in frame.columns:
            frame[name] = pd.Series(pd.NA, index=frame.index, dtype="str")
    frame = rejects.split(
        "ownership", frame, frame.drop(columns="row").duplicated(), "the row repeats an earlier one"
    )
    frame = _in_force(frame, rejects, as_of)
    by_company = frame["owner_company_id"].notna()
    unnamed = frame["owner_id"].isna() & ~by_company
    frame = frame.assign(
        owner=frame["owner_company_id"].where(by_company, frame["owner_id"]).astype("str"),
        owner_kind=pd.Series(np.where(by_company, "company", "person"), index=frame.index, dtype="str"),
        entity_id=frame["entity_id"].astype("str"),
        share_low=_share(frame, "share_minimum", 0.0),
        share_high=_share(frame, "share_maximum", 100.0),
    )
    frame = rejects.split("ownership", frame, unnamed, "the owner has no id")
    frame = _possible(_voting(frame), entities, rejects)
    frame = _told_by_chains(frame, rejects)
    return _narrowed(_summed(frame, rejects))[list(_KEPT)]


def _in_force(frame: pd.DataFrame, rejects: Rejects, as_of: pd.Timestamp | None) -> pd.DataFrame:
    start, end = (
        pd.to_datetime(frame[name], errors="coerce")
        if name in frame.columns
        else pd.Series(pd.NaT, frame.index, dtype="datetime64[us]")
        for name in ("from_date", "to_date")
    )
    frame = rejects.split("ownership", frame, start > end, "the interest ends before it begins")
    start, end = start.loc[frame.index], end.loc[frame.index]
    ended = end.notna() if as_of is None else end < as_of
    frame = rejects.split("ownership", frame, ended, "the interest has ended")
    if as_of is not None:
        frame = rejects.split(
            "ownership", frame, start.loc[frame.index] > as_of, "the interest has not begun"
        )
    return frame


def _voting(frame: pd.DataFrame) -> pd.DataFrame:
    """Votes are what is declared, and the shares where nothing is.

    Where declared votes leave less than the other shares claim, those others' fewest votes are unknown.
    """
    ends: dict[str, pd.Series] = {}
    declared = pd.Series(False, index=frame.index)
    for end, names in (
        ("low", ("voting_minimum", "voting_share")),
        ("high", ("voting_maximum", "voting_share")),
    ):
        votes = pd.Series(np.nan, index=frame.index)
        for name in names:
            if name in frame.columns:
                votes = votes.fillna(frame[name].astype("Float64").astype("float64"))
        declared |= votes.notna()
        ends[f"vote_{end}"] = votes.fillna(frame[f"share_{end}"])
    total = ends["vote_low"].groupby(frame["entity_id"]).transform("sum")
    ends["vote_low"] = ends["vote_low"].mask(~declared & (total > 100 + 1e-6), 0.0)
    return frame.assign(**ends, votes_declared=declared)


def _possible(frame: pd.DataFrame, entities: set[str], rejects: Rejects) -> pd.DataFrame:
    company = frame["owner_kind"] == "company"
    # texts of Arrow are looked up one scalar at a time
    owned, owner = frame["entity_id"].astype(object), frame["owner"].astype(object)
    for bad, reason in (
        (~owned.isin(entities), "the owned company is not among the entities"),
        (company & ~owner.isin(entities), "the owning company is not among the entities"),
        ((frame["share_low"] < 0) | (frame["share_high"] > 100), "the share lies outside 0 to 100 per cent"),
        ((frame["vote_low"] < 0) | (frame["vote_high"] > 100), "the votes lie outside 0 to 100 per cent"),
        (frame["share_low"] > frame["share_high"], "the lowest share is above the highest"),
        (frame["vote_low"] > frame["vote_high"], "the fewest votes are above the most"),
        (frame["owner"] == frame["entity_id"], "the company is its own owner"),
    ):
        frame = rejects.split("ownership", frame, bad.loc[frame.index], reason)
    return frame


def _told_by_chains(frame: pd.DataFrame, rejects: Rejects) -> pd.DataFrame:
    """Set aside indirect interests where a chain of others leads from the owner to the company already."""
    indirect = frame["direct"] == "indirect"
    if not indirect.any():
        return frame
    below: dict[str, list[str]] = {}
    for owner, company in zip(frame.loc[~indirect, "owner"], frame.loc[~indirect, "entity_id"], strict=True):
        below.setdefault(owner, []).append(company)
    reached = {owner: _reached(below, owner) for owner in set(frame.loc[indirect, "owner"])}
    told = [
        bool(is_indirect) and company in reached[owner]
        for is_indirect, owner, company in zip(indirect, frame["owner"], frame["entity_id"], strict=True)
    ]
    reason = "the indirect interest is told by a chain of direct ones"
    return rejects.split("ownership", frame, pd.Series(told, index=frame.index), reason)


def _reached(below: dict[str, list[str]], owner: str) -> set[str]:
    seen: set[str] = set()
    edge = [owner]
    while edge:
        for company in below.get(edge.pop(), []):
            if company not in seen:
                seen.add(company)
                edge.append(company)
    return seen


def _summed(frame: pd.DataFrame, rejects: Rejects) -> pd.DataFrame:
    """Add up several interests of one owner in one company."""
    total = frame.groupby("entity_id")["share_low"].transform("sum")
    reason = "the shares in the company add up to more than 100 per cent"
    frame = rejects.split("ownership", frame, total > 100 + 1e-6, reason)
    votes = frame["vote_low"].where(frame["votes_declared"], 0).groupby(frame["entity_id"]).transform("sum")
    over = (votes > 100 + 1e-6) & frame["votes_declared"]
    reason = "the votes in the company add up to more than 100 per cent: its shares are taken for votes"
    rejects.split("ownership", frame, over, reason)
    frame = frame.assign(
        **{
            f"vote_{end}": frame[f"vote_{end}"].mask(votes > 100 + 1e-6, frame[f"share_{end}"])
            for end in ("low", "high")
        }
    )
    means = frame.dropna(subset=["control_by"]).groupby(["owner", "entity_id"])["control_by"].agg("; ".join)
    summed = {
        "row": "first", "owner_name": "first", "owner_kind": "first", "share_low": "sum", "share_high": "sum",
        "vote_low": "sum", "vote_high": "sum",
    }  # fmt: skip
    frame = frame.groupby(["owner", "entity_id"], as_index=False, sort=False).agg(summed)
    frame = frame.merge(means.rename("control_by").reset_index(), on=["owner", "entity_id"], how="left")
    return frame.astype({"control_by": "str", "owner_name": "str"})


def _narrowed(frame: pd.DataFrame) -> pd.DataFrame:
    """What others surely hold nobody else can."""
    ends = {}
    for what in ("share", "vote"):
        low, high = frame[f"{what}_low"], frame[f"{what}_high"]
        others = frame.groupby("entity_id")[f"{what}_low"].transform("sum") - low
        ends[f"{what}_high"] = np.maximum(np.minimum(high, 100 - others), low)
    return frame.assign(**ends)


def _share(frame: pd.DataFrame, column: str, unknown: float) -> pd.Series:
    if column not in frame.columns:
        return pd.Series(unknown, index=frame.index)
    return frame[column].astype("Float64").fillna(unknown).astype("float64")
