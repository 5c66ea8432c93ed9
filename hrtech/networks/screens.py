"""Procurement screens: numbers of tenders, bidders and buyers that collusion or favour tends to move.

A screen is a reason to look and proves nothing. Each has a definition, a source and an innocent explanation; each
number is ranked against its own category, never held against a fixed threshold, and needs enough observations.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

from hrtech.networks.screens_bids import (
    SCREENS,
    amended,
    buyer_shares,
    cover_pairs,
    identical_prices,
    price_spread,
    rotation_pairs,
    single_bids,
    windows,
)
from hrtech.networks.spec import NetworkError, Rejects

_COLUMNS: Final = {
    "screen": "str", "subject_kind": "str", "subject": "str", "entity_id": "str", "other_id": "str",
    "category": "str", "number": "float64", "observations": "int64", "rank": "float64", "peers": "int64",
    "compared_with": "str",
}  # fmt: skip
#: A bid that counts as offered; blank counts too.
_OFFERED: Final = frozenset({"valid", "pending"})


@dataclass(frozen=True)
class ScreenSpec:
    """How screens are computed.

    Attributes:
        min_bids: Fewest bids in a tender for the spread of its prices (and one more for the distance of losing bids).
        min_meetings: Fewest tenders in which two firms met for cover bidding and rotation.
        min_tenders: Fewest tenders of a firm, or of a buyer, for a number of theirs.
        min_peers: Fewest subjects of a category for a rank in it; below, all categories are compared.
        flagged_share: Share of the highest ranks that become red flags.
        weights: Weight of each screen as a red flag, 0 to 1; 0 (shown, not counted) where it is not named.
    """

    min_bids: int = 3
    min_meetings: int = 4
    min_tenders: int = 3
    min_peers: int = 20
    flagged_share: float = 0.02
    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.min_bids < 3 or self.min_meetings < 3 or self.min_tenders < 1 or self.min_peers < 2:
            raise NetworkError(
                "min_bids and min_meetings must be at least 3, min_tenders 1, min_peers 2 "
                "[setting: min_bids, min_meetings, min_tenders, min_peers]"
            )
        if not 0 < self.flagged_share <= 0.5:
            raise NetworkError("flagged_share is above 0 and at most 0.5 [setting: flagged_share]")
        for name, weight in self.weights.items():
            if name not in SCREENS:
                raise NetworkError(
                    f"There is no screen '{name}'. Use {', '.join(SCREENS)} [setting: screen_weights]"
                )
            if not 0 <= weight <= 1:
                raise NetworkError(f"The weight of '{name}' is between 0 and 1 [setting: screen_weights]")


@dataclass(frozen=True)
class Screens:
    """What the screens found.

    Attributes:
        numbers: `screen, subject_kind` (tender, bidder, pair, supplier of a buyer), `subject, entity_id, other_id,
            category, number, observations, rank, peers, compared_with`. A rank of .99 is more suspicious than
            99 % of its peers; ties share their mean rank.
        red_flags: `entity_id, flag, category, weight, evidence, source, definition, innocent`.
        rejects: Rows not used: `table, row, reason`.
    """

    numbers: pd.DataFrame
    red_flags: pd.DataFrame
    rejects: pd.DataFrame


def procurement_screens(
    bids: pd.DataFrame,
    tenders: pd.DataFrame,
    spec: ScreenSpec | None = None,
    *,
    amendments: pd.DataFrame | None = None,
) -> Screens:
    """Compute all screens that the tables allow.

    Args:
        bids: `tender_id, entity_id` (or `company_id`), `value` (or `amount`; blank where no price is known), `winner`,
            and where known `status`, `currency`.
        tenders: `tender_id`, and where known `category, buyer, published_on, closes_on, procedure, value`.
        spec: Least numbers, ranks and weights.
        amendments: `tender_id` per amendment of a tender, award or contract; None where none are published.

    Raises:
        NetworkError: A column is missing.
    """
    spec = spec or ScreenSpec()
    rejects = Rejects()
    held = _tenders(tenders, rejects)
    offered = _bids(bids, held, rejects)
    parts = [
        *price_spread(offered, spec.min_bids),
        identical_prices(offered),
        single_bids(offered, held),
        windows(held),
        amended(held, amendments),
    ]
    parts = [_ranked(part.assign(subject_kind="tender", subject=part["tender_id"]), spec) for part in parts]
    parts += [_of_bidders(part, offered, spec) for part in parts]
    parts.append(_ranked(cover_pairs(offered, spec.min_meetings), spec))
    parts.append(_ranked(rotation_pairs(offered, spec.min_meetings), spec))
    parts.append(_ranked(buyer_shares(offered, spec.min_tenders), spec))
    filled = [part.reindex(columns=list(_COLUMNS)) for part in parts if len(part)]
    nothing = pd.DataFrame({name: [] for name in _COLUMNS})
    numbers = (pd.concat(filled, ignore_index=True) if filled else nothing).astype(_COLUMNS)
    order = ["screen", "subject_kind", "rank", "subject"]
    numbers = numbers.sort_values(order, ascending=[True, True, False, True], ignore_index=True)
    return Screens(numbers, _flags(numbers, spec), rejects.frame())


def _tenders(tenders: pd.DataFrame, rejects: Rejects) -> pd.DataFrame:
    frame = _with(
        tenders,
        "tenders",
        ("tender_id",),
        ("category", "buyer", "published_on", "closes_on", "procedure", "value"),
    )
    frame = rejects.split("tenders", frame, frame["tender_id"].isna(), "the tender has no id")
    frame = rejects.split(
        "tenders", frame, frame["tender_id"].duplicated(), "the tender's id is that of an earlier row"
    )
    frame = frame.assign(category=frame["category"].fillna("not known").astype("str"))
    opens, closes = pd.to_datetime(frame["published_on"]), pd.to_datetime(frame["closes_on"])
    backwards = opens > closes
    rejects.split(
        "tenders", frame, backwards, "the tender closes before it was published: its dates are not used"
    )
    return frame.assign(published_on=opens.mask(backwards), closes_on=closes.mask(backwards))


def _bids(bids: pd.DataFrame, tenders: pd.DataFrame, rejects: Rejects) -> pd.DataFrame:
    renamed = {"company_id": "entity_id", "amount": "value"}
    bids = bids.rename(columns={old: new for old, new in renamed.items() if new not in bids.columns})
    frame = _with(bids, "bids", ("tender_id", "entity_id", "value", "winner"), ("status", "currency"))
    split = rejects.split
    frame = split(
        "bids",
        frame,
        frame["tender_id"].isna() | frame["entity_id"].isna(),
        "the bid has no tender or bidder",
    )
    frame = split("bids", frame, ~frame["tender_id"].isin(tenders["tender_id"]), "the tender is unknown")
    gone = frame["status"].notna() & ~frame["status"].isin(_OFFERED)
    frame = split("bids", frame, gone, "the bid is withdrawn, disqualified or only invited")
    price = pd.to_numeric(frame["value"], errors="coerce").astype("Float64").astype("float64")
    frame = frame.assign(value=price, winner=frame["winner"].astype("boolean").fillna(False).astype(bool))
    frame = split("bids", frame, frame["value"] <= 0, "the price is not above 0")
    currency = frame["currency"].fillna("")
    first = currency.groupby(frame["tender_id"]).transform("first")
    frame = split(
        "bids", frame, currency != first, "the price is in another currency than the tender's first bid"
    )
    about = tenders[["tender_id", "category", "buyer", "published_on", "closes_on"]]
    frame = frame.merge(about, on="tender_id", how="left")
    # one bidder's offers for several lots are one offer: the lowest, a winning one first
    frame = frame.sort_values(
        ["tender_id", "entity_id", "winner", "value"], ascending=[True, True, False, True]
    )
    return frame.drop_duplicates(["tender_id", "entity_id"], ignore_index=True)


def _with(frame: pd.DataFrame, table: str, needed: tuple[str, ...], known: tuple[str, ...]) -> pd.DataFrame:
    if missing := [name for name in needed if name not in frame.columns]:
        raise NetworkError(f"The table '{table}' has no column {', '.join(missing)}. Add or rename it")
    made = frame.reindex(columns=[*needed, *known]).reset_index(drop=True)
    return made.assign(row=range(1, len(made) + 1))


def _ranked(part: pd.DataFrame, spec: ScreenSpec) -> pd.DataFrame:
    """Rank a screen's numbers within each category, or over all where a category has few."""
    part = part.dropna(subset=["number"])
    if part.empty:
        return part
    sign = SCREENS[str(part["screen"].iloc[0])].sign
    badness = part["number"] * sign
    peers = badness.groupby(part["category"]).transform("size")
    inside = badness.groupby(part["category"]).rank(method="average")
    over_all = badness.rank(method="average")
    few = peers < spec.min_peers
    count = peers.mask(few, len(part))
    rank = (inside.mask(few, over_all) - 0.5) / count
    compared = np.where(few, "all categories", "its category")
    return part.assign(rank=rank, peers=count, compared_with=compared)


def _of_bidders(part: pd.DataFrame, offered: pd.DataFrame, spec: ScreenSpec) -> pd.DataFrame:
    """Give each bidder the mean rank of the tenders that it bid in, or won where the screen is about winners."""
    if part.empty:
        return part
    screen = str(part["screen"].iloc[0])
    mine = offered.loc[offered["winner"]] if SCREENS[screen].of_winners else offered
    both = mine[["tender_id", "entity_id"]].merge(part[["tender_id", "rank", "category"]], on="tender_id")
    if screen == "identical prices":
        # only those whose price it is
        both = both.merge(
            part.loc[part["number"] == 0, ["tender_id"]], on="tender_id", how="left", indicator="none"
        )
        same = offered.loc[offered.duplicated(["tender_id", "value"], keep=False), ["tender_id", "entity_id"]]
        both = both.merge(same, on=["tender_id", "entity_id"], how="left", indicator="mine")
        both["rank"] = both["rank"].where((both["mine"] == "both") | (both["none"] == "both"), 0.0)
    grouped = both.groupby("entity_id")
    frame = pd.DataFrame(
        {
            "number": grouped["rank"].mean(),
            "observations": grouped.size(),
            "category": _most_common(both),
        }
    ).reset_index()
    frame = frame.loc[frame["observations"] >= spec.min_tenders]
    frame = frame.assign(screen=screen, subject_kind="bidder", subject=frame["entity_id"])
    if frame.empty:
        return frame
    # a mean rank is bad when it is high, whatever the sign of the screen
    turned = _ranked(frame.assign(number=frame["number"] * SCREENS[screen].sign), spec)
    return turned.assign(number=turned["number"] * SCREENS[screen].sign)


def _most_common(both: pd.DataFrame) -> pd.Series:
    """Return each bidder's most frequent category, the first by name among equals."""
    counts = both.groupby(["entity_id", "category"]).size().rename("count").reset_index()
    counts = counts.sort_values(["entity_id", "count", "category"], ascending=[True, False, True])
    return counts.drop_duplicates("entity_id").set_index("entity_id")["category"]


def _flags(numbers: pd.DataFrame, spec: ScreenSpec) -> pd.DataFrame:
    high = numbers.loc[(numbers["rank"] >= 1 - spec.flagged_share) & numbers["entity_id"].notna()]
    rows = []
    for row in high.to_dict("records"):
        screen = SCREENS[str(row["screen"])]
        words = _evidence(row, screen.said)
        ids = [row["entity_id"]]
        if row["subject_kind"] == "pair":
            ids.append(row["other_id"])
        rows += [(one, f"screen: {row['screen']}", words, row["screen"]) for one in ids]
    frame = pd.DataFrame(rows, columns=["entity_id", "flag", "evidence", "screen"]).astype("str")
    frame = frame.drop_duplicates(["entity_id", "flag"], ignore_index=True)
    screens = [SCREENS[name] for name in frame["screen"]]
    return frame.assign(
        category="procurement screen",
        weight=[float(spec.weights.get(name, 0.0)) for name in frame["screen"]],
        source=pd.Series([one.source for one in screens], dtype="str"),
        definition=pd.Series([one.definition for one in screens], dtype="str"),
        innocent=pd.Series([one.innocent for one in screens], dtype="str"),
    )[["entity_id", "flag", "category", "weight", "evidence", "source", "definition", "innocent"]]


def _evidence(row: Mapping[object, object], said: Callable[[Mapping[object, object]], str]) -> str:
    what = said(row) if row["subject_kind"] != "bidder" else f"mean rank {row['number']:.2f} of its tenders"
    top = 1 - float(str(row["rank"]))
    return (
        f"{what}; {row['observations']} observations; among the highest {max(top, 0.001):.1%} of {row['peers']:,} in "
        f"{row['compared_with']}"
    )
