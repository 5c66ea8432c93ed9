"""Who stands behind whom: integrated ownership through chains and cycles.

Shares are per cent. With D the direct shares (owner to owned), what ultimate owners hold in the end is
D + D·D + … = D(I − D)⁻¹ (Brioschi, Buzzacchi and Colombo 1989), summed here to convergence for the lowest and the
highest shares of every range. A circle whose companies own each other wholly has no such sum: its holdings are
set aside and the circle is listed.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from hrtech.networks.spec import Rejects, numbered

_ROUNDS = 2000
_TOLERANCE = 1e-12
_MOST_PATHS = 200
_PATHS_SHOWN = 5
_LONGEST_CHAIN = 12


@dataclass(frozen=True)
class Ownership:
    """Ownership made usable.

    Attributes:
        holdings: Direct holdings in use: `owner, owner_name, owner_kind, entity_id, share_low, share_high` (per cent).
        beneficial_owners: `company_id, owner, owner_name, owner_kind, share_low, share_high, path, paths` of every
            ultimate owner whose highest integrated share reaches the threshold.
        cycles: Companies that own each other in a circle: `cycle_id, company_id, closed` (closed: wholly).
    """

    holdings: pd.DataFrame
    beneficial_owners: pd.DataFrame
    cycles: pd.DataFrame


def integrated_ownership(
    ownership: pd.DataFrame, entities: set[str], threshold: float, rejects: Rejects
) -> Ownership:
    """Follow ownership to its ultimate owners.

    Args:
        ownership: `company_id` (or `entity_id`), `owner_id`, and where known `owner_company_id`, `owner_name`,
            `share_minimum`, `share_maximum` (per cent; blank = unknown), `to_date` (set: the interest has ended).
        entities: Ids of the known companies.
        threshold: Share in per cent from which an owner is listed.
        rejects: Receives the rows that cannot be used.
    """
    holdings = _usable(ownership, entities, rejects)
    holdings, cycles = _without_closed_circles(holdings, rejects)
    holdings = holdings.drop(columns="row").reset_index(drop=True)
    return Ownership(holdings, _beneficial_owners(holdings, threshold), cycles)


def _usable(ownership: pd.DataFrame, entities: set[str], rejects: Rejects) -> pd.DataFrame:
    frame = numbered(ownership, "ownership", ("entity_id", "owner_id"))
    for name, dtype in (("owner_company_id", "str"), ("owner_name", "str")):
        if name not in frame.columns:
            frame[name] = pd.Series(pd.NA, index=frame.index, dtype=dtype)
    split = rejects.split
    repeated = frame.drop(columns="row").duplicated()
    frame = split("ownership", frame, repeated, "the row repeats an earlier one")
    if "to_date" in frame.columns:
        frame = split("ownership", frame, frame["to_date"].notna(), "the interest has ended")
    by_company = frame["owner_company_id"].notna()
    frame = frame.assign(
        owner=frame["owner_company_id"].where(by_company, frame["owner_id"]).astype("str"),
        owner_kind=pd.Series(np.where(by_company, "company", "person"), index=frame.index, dtype="str"),
        entity_id=frame["entity_id"].astype("str"),
        share_low=_share(frame, "share_minimum", 0.0),
        share_high=_share(frame, "share_maximum", 100.0),
    )
    frame = split("ownership", frame, frame["owner"].isna(), "the owner has no id")
    frame = split(
        "ownership", frame, ~frame["entity_id"].isin(entities), "the owned company is not among the entities"
    )
    unknown = (frame["owner_kind"] == "company") & ~frame["owner"].isin(entities)
    frame = split("ownership", frame, unknown, "the owning company is not among the entities")
    outside = (frame["share_low"] < 0) | (frame["share_high"] > 100)
    frame = split("ownership", frame, outside, "the share lies outside 0 to 100 per cent")
    turned = frame["share_low"] > frame["share_high"]
    frame = split("ownership", frame, turned, "the lowest share is above the highest")
    frame = split("ownership", frame, frame["owner"] == frame["entity_id"], "the company is its own owner")
    total = frame.groupby("entity_id")["share_low"].transform("sum")
    frame = split(
        "ownership", frame, total > 100 + 1e-6, "the shares in the company add up to more than 100 per cent"
    )
    # several interests of one owner in one company add up
    summed = {
        "row": "first",
        "owner_name": "first",
        "owner_kind": "first",
        "share_low": "sum",
        "share_high": "sum",
    }
    frame = frame.groupby(["owner", "entity_id"], as_index=False, sort=False).agg(summed)
    others = frame.groupby("entity_id")["share_low"].transform("sum") - frame["share_low"]
    # what others surely hold nobody else can
    tightened = np.minimum(frame["share_high"], 100 - others)
    frame = frame.assign(share_high=np.maximum(tightened, frame["share_low"]))
    return frame[["row", "owner", "owner_name", "owner_kind", "entity_id", "share_low", "share_high"]]


def _share(frame: pd.DataFrame, column: str, unknown: float) -> pd.Series:
    if column not in frame.columns:
        return pd.Series(unknown, index=frame.index)
    return frame[column].astype("Float64").fillna(unknown).astype("float64")


def _matrix(holdings: pd.DataFrame, column: str, nodes: pd.Index) -> sparse.csr_array:
    """Return direct shares as fractions, owners in rows and owned in columns."""
    place = (
        nodes.get_indexer(pd.Index(holdings["owner"])),
        nodes.get_indexer(pd.Index(holdings["entity_id"])),
    )
    return sparse.csr_array((holdings[column].to_numpy() / 100, place), shape=(len(nodes), len(nodes)))


def _nodes(holdings: pd.DataFrame) -> pd.Index:
    return pd.Index(pd.unique(pd.concat([holdings["owner"], holdings["entity_id"]])))


def _without_closed_circles(holdings: pd.DataFrame, rejects: Rejects) -> tuple[pd.DataFrame, pd.DataFrame]:
    """List circles; set aside the holdings inside those that leave nothing to anyone outside."""
    nodes = _nodes(holdings)
    rows: list[tuple[str, str, bool]] = []
    inside = pd.Series(False, index=holdings.index)
    if len(nodes):
        low = _matrix(holdings, "share_low", nodes)
        links = _matrix(holdings.assign(one=100.0), "one", nodes)
        _, label = connected_components(links, directed=True, connection="strong")
        sizes = np.bincount(label)
        for circle in np.flatnonzero(sizes > 1):
            members = np.flatnonzero(label == circle)
            names = sorted(nodes[members])
            radius = np.abs(np.linalg.eigvals(low[members][:, members].toarray())).max()
            closed = bool(radius >= 1 - 1e-6)
            rows += [(f"cycle of {names[0]}", name, closed) for name in names]
            if closed:
                inside |= holdings["owner"].isin(names) & holdings["entity_id"].isin(names)
    cycles = pd.DataFrame(rows, columns=["cycle_id", "company_id", "closed"]).astype(
        {"cycle_id": "str", "company_id": "str", "closed": "bool"}
    )
    kept = rejects.split(
        "ownership", holdings, inside, "the companies own each other wholly, in a circle of 100 per cent"
    )
    return kept, cycles.sort_values(["cycle_id", "company_id"], ignore_index=True)


def _integrated(direct: sparse.csr_array, roots: np.ndarray) -> sparse.csr_array:
    """Sum D + D·D + … for the rows of ultimate owners; shares never exceed the whole."""
    first = direct[roots]
    total = first
    for _ in range(_ROUNDS):
        step = sparse.csr_array(first + total @ direct)
        step.data = np.minimum(step.data, 1.0)
        change = abs(step - total).max() if step.nnz else 0.0
        total = step
        if change < _TOLERANCE:
            return total
    # still growing: bounded only by the whole
    growing = sparse.csr_array(first + total @ direct) - total
    total = total.tolil()
    rows, columns = (abs(growing) > _TOLERANCE).nonzero()
    total[rows, columns] = 1.0
    return sparse.csr_array(total)


def _beneficial_owners(holdings: pd.DataFrame, threshold: float) -> pd.DataFrame:
    columns = ["company_id", "owner", "owner_name", "owner_kind", "share_low", "share_high", "path", "paths"]
    nodes = _nodes(holdings)
    roots = np.flatnonzero(~nodes.isin(holdings["entity_id"]))
    if not len(roots):
        return pd.DataFrame({name: pd.Series(dtype="str") for name in columns})
    low = _integrated(_matrix(holdings, "share_low", nodes), roots)
    high = sparse.coo_array(_integrated(_matrix(holdings, "share_high", nodes), roots))
    found = high.data * 100 >= threshold - 1e-9
    row, column = high.coords[0][found], high.coords[1][found]
    about = holdings.drop_duplicates("owner").set_index("owner")
    upward = {
        str(company): list(zip(part["owner"], part["share_low"], part["share_high"], strict=True))
        for company, part in holdings.groupby("entity_id")
    }
    owners, companies = nodes[roots[row]], nodes[column]
    chains = {company: _chains(company, upward) for company in companies.unique()}
    mine = [
        [text for _, text in chains[company].get(owner, [])]
        for company, owner in zip(companies, owners, strict=True)
    ]
    frame = pd.DataFrame(
        {
            "company_id": companies,
            "owner": owners,
            "owner_name": about["owner_name"].reindex(owners).to_numpy(),
            "owner_kind": about["owner_kind"].reindex(owners).to_numpy(),
            "share_low": low[row, column] * 100 if len(row) else np.array([], dtype=float),
            "share_high": high.data[found] * 100,
            "path": ["; ".join(each[:_PATHS_SHOWN]) for each in mine],
            "paths": [len(each) for each in mine],
        }
    ).astype({"company_id": "str", "owner": "str", "owner_name": "str", "owner_kind": "str", "path": "str"})
    order = ["company_id", "share_high", "owner"]
    return frame.sort_values(order, ascending=[True, False, True], ignore_index=True)[columns]


def share_text(low: float, high: float) -> str:
    """Write a share or a range of shares, such as `60–75 %`."""
    return f"{low:.4g} %" if abs(high - low) < 1e-9 else f"{low:.4g}–{high:.4g} %"


def _chains(
    company: str, upward: dict[str, list[tuple[str, float, float]]]
) -> dict[str, list[tuple[float, str]]]:
    """Return the chains from each ultimate owner down to a company, strongest first."""
    found: dict[str, list[tuple[float, str]]] = {}
    stack = [(company, company, 1.0, frozenset({company}))]
    count = 0
    while stack and count < _MOST_PATHS:
        node, text, share, seen = stack.pop()
        owners = upward.get(node, [])
        if not owners:
            found.setdefault(node, []).append((share, text))
            count += 1
            continue
        for owner, low, high in owners:
            if owner not in seen and len(seen) <= _LONGEST_CHAIN:
                stack.append(
                    (
                        owner,
                        f"{owner} → ({share_text(low, high)}) {text}",
                        share * (low + high) / 200,
                        seen | {owner},
                    )
                )
    return {owner: sorted(each, reverse=True) for owner, each in found.items()}
