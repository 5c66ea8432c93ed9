"""The numbers behind the procurement screens, one function a screen.

Each returns `screen, category, number, observations` and its subject. `SCREENS` says what each means.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from math import comb
from typing import Any, Final

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Screen:
    """What a screen is.

    Attributes:
        definition: How the number is computed.
        source: Where it comes from.
        innocent: What else may explain it.
        sign: 1 where high numbers are suspicious, -1 where low ones are.
        of_winners: It speaks of the winner of a tender, not of all its bidders.
        said: Puts a number into words.
    """

    definition: str
    source: str
    innocent: str
    sign: int
    of_winners: bool = False
    said: Callable[[Mapping[Any, Any]], str] = lambda row: f"{row['number']:.3g}"


_IMHOF: Final = (
    "Imhof, Detecting Bid-Rigging Cartels with Descriptive Statistics, J. Competition Law & Economics 2019"
)
_OCP: Final = "Open Contracting Partnership, Red Flags in Public Procurement, 2024"

SCREENS: Final[Mapping[str, Screen]] = {
    "variance": Screen(
        "Standard deviation of the prices bid in a tender, divided by their mean (coefficient of variation); low.",
        f"Abrantes-Metz et al., A Variance Screen for Collusion, IJIO 2006; {_IMHOF}",
        "Standard goods, published cost norms or a buyer's ceiling leave little room for different prices.",
        -1,
        said=lambda row: f"coefficient of variation {row['number']:.3f}",
    ),
    "losing-bid distance": Screen(
        "Distance of the two lowest prices of a tender, divided by the standard deviation of the losing prices; high.",
        f"Relative distance: {_IMHOF}; Imhof, Karagök and Rutz, J. Competition Law & Economics 2018",
        "One bidder may truly be more efficient, or have misread the tender.",
        1,
        said=lambda row: f"relative distance {row['number']:.2f}",
    ),
    "identical prices": Screen(
        "Number of pairs of bidders with the same price to the cent in a tender.",
        f"OECD, Guidelines for Fighting Bid Rigging, 2009; {_OCP}",
        "Regulated fees, price lists and unit prices fixed by the buyer give equal prices.",
        1,
        said=lambda row: f"{row['number']:.0f} pairs of equal prices",
    ),
    "single bid": Screen(
        "1 where a tender open to competition got one offer that stood, else 0; of a bidder, over the tenders it won.",
        f"Fazekas and Kocsis, Uncovering High-Level Corruption, British J. of Political Science 2020; {_OCP}",
        "Narrow markets, remote places and urgent needs draw one bidder.",
        1,
        of_winners=True,
        said=lambda row: "the only bid",
    ),
    "short window": Screen(
        "Days from publication to the last day for bids; low; of a bidder, over the tenders it won.",
        f"Fazekas and Kocsis 2020; {_OCP}",
        "Emergencies and calls below thresholds may lawfully be short.",
        -1,
        of_winners=True,
        said=lambda row: f"{row['number']:.0f} days to bid",
    ),
    "amendments": Screen(
        "Number of amendments to a tender, its awards and contracts; of a bidder, over the tenders it won.",
        _OCP,
        "Long works meet surprises; careful buyers publish every small change.",
        1,
        of_winners=True,
        said=lambda row: f"{row['number']:.0f} amendments",
    ),
    "cover bidding": Screen(
        "Spread (standard deviation of logarithms) of a firm's prices relative to those of a firm that it loses to "
        "again and again; low: its bids keep a fixed distance.",
        "Cover bids: OECD, Guidelines for Fighting Bid Rigging, 2009; Porter and Zona, Detection of Bid Rigging, JPE "
        "1993",
        "Firms with the same suppliers and mark-ups keep a fixed distance.",
        -1,
        said=lambda row: f"prices at a nearly fixed ratio to the winner's (log spread {row['number']:.3f})",
    ),
    "rotation": Screen(
        "Chance of as many turns or more in the order in which two firms win the tenders in which they meet, if order "
        "were random given how often each wins (runs test); low: they win in turn.",
        "Bid rotation: OECD 2009; Wald and Wolfowitz, On a Test Whether Two Samples are from the Same Population, 1940",
        "Full order books make a firm sit out the next tender (Porter and Zona 1993).",
        -1,
        said=lambda row: f"they win in turn (runs test p = {row['number']:.3f})",
    ),
    "market share by buyer": Screen(
        "A supplier's share of the value that a buyer awarded in a category, in per cent; high.",
        _OCP,
        "Framework contracts, few suppliers, or a branch near by.",
        1,
        said=lambda row: f"{row['number']:.0f} % of what {row['other_id']} awarded",
    ),
}


def _priced(offered: pd.DataFrame) -> pd.DataFrame:
    return offered.dropna(subset=["value"])


def price_spread(offered: pd.DataFrame, least: int) -> list[pd.DataFrame]:
    """Variance, and the distance of losing bids, per tender."""
    priced = _priced(offered).sort_values(["tender_id", "value"])
    grouped = priced.groupby("tender_id", sort=True)
    place = grouped.cumcount()
    losing = priced.loc[place > 0].groupby("tender_id")["value"]
    count, mean = grouped["value"].size(), grouped["value"].mean()
    category = grouped["category"].first()
    first = priced.loc[place == 0].set_index("tender_id")["value"]
    second = priced.loc[place == 1].set_index("tender_id")["value"]
    spread = grouped["value"].std(ddof=1) / mean
    deviation = losing.std(ddof=1).replace(0.0, np.nan)
    distance = (second - first) / deviation
    frames = []
    for screen, number, fewest in (("variance", spread, least), ("losing-bid distance", distance, least + 1)):
        table = pd.DataFrame({"number": number, "observations": count, "category": category}).rename_axis(
            "tender_id"
        )
        table = table.loc[table["observations"] >= fewest].dropna(subset=["number"]).reset_index()
        frames.append(table.assign(screen=screen))
    return frames


def identical_prices(offered: pd.DataFrame) -> pd.DataFrame:
    """Pairs of equal prices per tender of two bids or more."""
    priced = _priced(offered)
    equal = priced.groupby(["tender_id", "value"]).size()
    pairs = (equal * (equal - 1) // 2).groupby("tender_id").sum()
    grouped = priced.groupby("tender_id")
    table = pd.DataFrame({"number": pairs.astype("float64"), "observations": grouped.size()})
    table = table.assign(category=grouped["category"].first()).rename_axis("tender_id").reset_index()
    return table.loc[table["observations"] >= 2].assign(screen="identical prices")


def single_bids(offered: pd.DataFrame, tenders: pd.DataFrame) -> pd.DataFrame:
    """Whether a tender open to competition got one offer."""
    closed = tenders["procedure"].isin(["direct", "limited"])
    count = offered.groupby("tender_id").size().rename("observations")
    table = tenders.loc[~closed, ["tender_id", "category"]].merge(count.reset_index(), on="tender_id")
    return table.assign(number=(table["observations"] == 1).astype("float64"), screen="single bid")


def windows(tenders: pd.DataFrame) -> pd.DataFrame:
    """Days to bid."""
    days = (tenders["closes_on"] - tenders["published_on"]).dt.days.astype("float64")
    table = tenders[["tender_id", "category"]].assign(number=days, observations=1, screen="short window")
    return table.dropna(subset=["number"])


def amended(tenders: pd.DataFrame, amendments: pd.DataFrame | None) -> pd.DataFrame:
    """Amendments per tender; nothing where none are published at all."""
    table = tenders[["tender_id", "category"]].assign(observations=1, screen="amendments", number=0.0)
    if amendments is None or amendments.empty:
        return table.iloc[:0]
    counts = amendments.groupby("tender_id").size()
    return table.assign(number=table["tender_id"].map(counts).fillna(0).astype("float64"))


def _meetings(offered: pd.DataFrame) -> pd.DataFrame:
    """Every losing bid beside the winning one of its tender, in the order of the tenders' dates."""
    columns = ["tender_id", "entity_id", "value"]
    winners = offered.loc[offered["winner"], columns].drop_duplicates("tender_id", keep=False)
    losers = offered.loc[~offered["winner"], [*columns, "category", "closes_on"]]
    both = losers.merge(winners, on="tender_id", suffixes=("", "_winner"))
    return both.sort_values(["closes_on", "tender_id"], ignore_index=True)


def cover_pairs(offered: pd.DataFrame, least: int) -> pd.DataFrame:
    """Spread of the ratio of a firm's prices to those of the firm that it loses to."""
    met = _meetings(offered).dropna(subset=["value", "value_winner"])
    met = met.assign(ratio=np.log(met["value"] / met["value_winner"]))
    met = met.loc[met["ratio"] > 0]
    grouped = met.groupby(["entity_id", "entity_id_winner"])
    table = pd.DataFrame(
        {
            "number": grouped["ratio"].std(ddof=1),
            "observations": grouped.size(),
            "category": grouped["category"].first(),
        }
    ).reset_index()
    table = table.loc[table["observations"] >= least].rename(columns={"entity_id_winner": "other_id"})
    subject = table["entity_id"] + " covers " + table["other_id"]
    return table.assign(screen="cover bidding", subject_kind="pair", subject=subject)


def rotation_pairs(offered: pd.DataFrame, least: int) -> pd.DataFrame:
    """Runs test of who wins when two firms meet and one of them does."""
    met = _meetings(offered)
    first = np.minimum(met["entity_id"].astype("object"), met["entity_id_winner"].astype("object"))
    last = np.maximum(met["entity_id"].astype("object"), met["entity_id_winner"].astype("object"))
    met = met.assign(first=first, last=last, won=met["entity_id_winner"] == first)
    met = met.assign(turn=met.groupby(["first", "last"])["won"].shift() != met["won"])
    grouped = met.groupby(["first", "last"])
    table = pd.DataFrame(
        {
            "observations": grouped.size(),
            "wins": grouped["won"].sum(),
            "runs": grouped["turn"].sum(),
            "category": grouped["category"].first(),
        }
    ).reset_index()
    lost = table["observations"] - table["wins"]
    table = table.loc[(table["observations"] >= least) & (table["wins"] > 0) & (lost > 0)]
    number = [
        chance_of_turns(int(wins), int(total - wins), int(runs))
        for wins, total, runs in zip(table["wins"], table["observations"], table["runs"], strict=True)
    ]
    table = table.rename(columns={"first": "entity_id", "last": "other_id"})
    subject = table["entity_id"] + " and " + table["other_id"]
    return table.assign(
        number=np.array(number, float), screen="rotation", subject_kind="pair", subject=subject
    )


@cache
def chance_of_turns(ones: int, others: int, runs: int) -> float:
    """Chance of at least `runs` runs in a random order of `ones` and `others`, both 1 or more (exact)."""
    total = 0
    for count in range(runs, ones + others + 1):
        half = count // 2
        if count % 2 == 0:
            total += 2 * comb(ones - 1, half - 1) * comb(others - 1, half - 1)
        else:
            total += comb(ones - 1, half) * comb(others - 1, half - 1) + comb(ones - 1, half - 1) * comb(
                others - 1, half
            )
    return total / comb(ones + others, ones)


def buyer_shares(offered: pd.DataFrame, least: int) -> pd.DataFrame:
    """A supplier's share of what a buyer awarded in a category."""
    won = offered.loc[offered["winner"] & offered["buyer"].notna()].dropna(subset=["value"])
    # a tender that several win is shared among them by their prices
    group = ["buyer", "category"]
    total = won.groupby(group)["value"].sum().rename("total")
    held = won.groupby(group)["tender_id"].nunique().rename("observations")
    mine = won.groupby([*group, "entity_id"])["value"].sum().reset_index()
    table = mine.merge(total.reset_index(), on=group).merge(held.reset_index(), on=group)
    table = table.loc[table["observations"] >= least].rename(columns={"buyer": "other_id"})
    subject = table["entity_id"] + " for " + table["other_id"]
    number = 100 * table["value"] / table["total"]
    return table.assign(
        number=number, screen="market share by buyer", subject_kind="supplier of a buyer", subject=subject
    )
