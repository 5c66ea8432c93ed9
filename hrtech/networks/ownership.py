"""Who stands behind whom: direct holdings made usable, and integrated shares, paths and control that follow.

Shares are per cent. Bad rows go to the table of rejects. A circle whose companies own each other wholly leaves nothing
to anyone outside: its holdings are set aside and the circle is listed.
"""

from dataclasses import dataclass
from typing import Final

import pandas as pd

from hrtech.networks.control import control
from hrtech.networks.ownership_paths import Path, paths_to
from hrtech.networks.ownership_rows import usable_holdings
from hrtech.networks.ownership_shares import Structure, shares_of, spectral_radius, structure, within_circle
from hrtech.networks.spec import Rejects

_PATHS_SHOWN: Final = 5
_OWNERS: Final = {
    "company_id": "str", "owner": "str", "owner_name": "str", "owner_kind": "str", "share_low": "float64",
    "share_high": "float64", "path": "str", "paths": "int64", "paths_left_out": "Int64",
}  # fmt: skip
_PATHS: Final = {
    "company_id": "str", "owner": "str", "number": "int64", "share_low": "float64", "share_high": "float64",
    "hops": "int64", "path": "str",
}  # fmt: skip
_INTEGRATED: Final = {
    "company_id": "str", "owner": "str", "share_low": "float64", "share_high": "float64", "ultimate": "bool"
}  # fmt: skip


@dataclass(frozen=True)
class Ownership:
    """Ownership made usable.

    Attributes:
        holdings: Direct holdings in use: `owner, owner_name, owner_kind, entity_id, share_low, share_high, vote_low,
            vote_high` (per cent), `control_by`.
        beneficial_owners: `company_id, owner, owner_name, owner_kind, share_low, share_high, path, paths,
            paths_left_out` of every ultimate owner whose highest integrated share reaches the threshold. `path`
            shows the strongest, `paths` counts the listed ones, `paths_left_out` those of the company that are
            not listed (unknown where its owners stand in a circle).
        cycles: Companies that own each other in a circle: `cycle_id, company_id, closed` (closed: wholly).
        paths: Every listed path of the beneficial owners: `company_id, owner, number, share_low, share_high, hops,
            path`; its shares are the products along it.
        integrated: What owners, companies too, hold in the end: `company_id, owner, share_low, share_high,
            ultimate` (nobody owns the owner), from the threshold on.
        control: See `hrtech.networks.control.control`.
    """

    holdings: pd.DataFrame
    beneficial_owners: pd.DataFrame
    cycles: pd.DataFrame
    paths: pd.DataFrame
    integrated: pd.DataFrame
    control: pd.DataFrame


def integrated_ownership(
    ownership: pd.DataFrame,
    entities: set[str],
    threshold: float,
    rejects: Rejects,
    as_of: pd.Timestamp | None = None,
) -> Ownership:
    """Follow ownership to its ultimate owners.

    Args:
        ownership: `company_id` (or `entity_id`), `owner_id`, and where known `owner_company_id`, `owner_name`,
            `share_minimum`, `share_maximum`, `voting_minimum`, `voting_maximum` or `voting_share` (per cent; blank
            shares are unknown, blank votes are the shares), `control_by` (interest types, `; ` between them),
            `direct` (direct, indirect, unknown), `from_date`, `to_date`.
        entities: Ids of the known companies.
        threshold: Share in per cent from which an owner is listed.
        rejects: Receives the rows that cannot be used.
        as_of: Day for which interests count; without it every interest that has an end has ended.
    """
    holdings = usable_holdings(ownership, entities, rejects, as_of)
    found = structure(holdings)
    kept, cycles = _without_closed_circles(found, holdings, rejects)
    if len(kept) < len(holdings):
        found = structure(kept)
    holdings = kept.drop(columns="row").reset_index(drop=True)
    integrated = _integrated(found, threshold)
    owners, paths = _beneficial_owners(found, holdings, integrated)
    return Ownership(holdings, owners, cycles, paths, integrated, control(holdings))


def _without_closed_circles(
    found: Structure, holdings: pd.DataFrame, rejects: Rejects
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """List circles; set aside the holdings inside those that leave nothing to anyone outside."""
    rows: list[tuple[str, str, bool]] = []
    inside = pd.Series(False, index=holdings.index)
    for members in found.circles:
        if len(members) < 2:
            continue
        names = sorted(found.nodes[members])
        closed = spectral_radius(within_circle(found, members)) >= 1 - 1e-6
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


def _integrated(found: Structure, threshold: float) -> pd.DataFrame:
    names = found.nodes.tolist()
    rows = [
        (names[company], names[owner], low * 100, high * 100, found.is_root(owner))
        for owner in range(len(names))
        if found.owned[owner]
        for company, low, high in shares_of(found, owner)
        if high * 100 >= threshold - 1e-9
    ]
    frame = pd.DataFrame(rows, columns=list(_INTEGRATED)).astype(_INTEGRATED)
    order = ["company_id", "share_high", "owner"]
    return frame.sort_values(order, ascending=[True, False, True], ignore_index=True)


def _beneficial_owners(
    found: Structure, holdings: pd.DataFrame, integrated: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    ultimate = integrated.loc[integrated["ultimate"]]
    about = holdings.drop_duplicates("owner")
    called, kinds = (
        dict(zip(about["owner"].tolist(), about[name].tolist(), strict=True))
        for name in ("owner_name", "owner_kind")
    )
    rows, listed = [], []
    names = found.nodes.tolist()
    number_of = {node: number for number, node in enumerate(names)}
    held: dict[str, list[tuple[str, float, float]]] = {}
    columns = (ultimate[name].tolist() for name in ("company_id", "owner", "share_low", "share_high"))
    for company, *share in zip(*columns, strict=True):
        held.setdefault(company, []).append(tuple(share))
    for company, part in held.items():
        paths, left_out = paths_to(found, number_of[company])
        by_owner: dict[str, list[Path]] = {}
        for path in paths:
            by_owner.setdefault(names[path.nodes[0]], []).append(path)
        for owner, low, high in part:
            mine = by_owner.get(owner, [])
            texts = [_words(names, path) for path in mine]
            listed += [
                (company, owner, number, path.product(0) * 100, path.product(1) * 100, len(path.shares), text)
                for number, (path, text) in enumerate(zip(mine, texts, strict=True), start=1)
            ]
            shown = "; ".join(texts[:_PATHS_SHOWN])
            rows.append((company, owner, called[owner], kinds[owner], low, high, shown, len(mine), left_out))
    owners = pd.DataFrame(rows, columns=list(_OWNERS)).astype(_OWNERS)
    return owners, pd.DataFrame(listed, columns=list(_PATHS)).astype(_PATHS)


def _words(names: list[str], path: Path) -> str:
    text = names[path.nodes[0]]
    for node, (low, high) in zip(path.nodes[1:], path.shares, strict=True):
        text += f" → ({share_text(low * 100, high * 100)}) {names[node]}"
    return text


def share_text(low: float, high: float) -> str:
    """Write a share or a range of shares, such as `60–75 %`."""
    return f"{low:.4g} %" if abs(high - low) < 1e-9 else f"{low:.4g}–{high:.4g} %"
