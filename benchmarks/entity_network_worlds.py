"""Worlds for EntityNetwork: the generator's tables as our inputs, and what was found against the planted truth."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from peers.networks import judge
from peers.networks.worlds import make

from hrtech.mock import generate_world
from hrtech.networks import NetworkResult, NetworkSpec, build_networks
from hrtech.networks.telling import shared_attributes

SPEC = NetworkSpec(attribute_kinds={"director": "person_name"})


@dataclass(frozen=True)
class World:
    """Tables of the generator, and ours.

    The generator adds an ordinary owner to firms that others own already, so that shares can add up to more than the
    whole; they are scaled down to it, since such rows would be set aside.
    """

    tables: dict[str, pd.DataFrame]

    @staticmethod
    def make(firms: int, seed: int, *, plant: bool = True, hard: bool = False) -> "World":
        return World(make(firms, seed, plant, hard))

    @staticmethod
    def read(folder: Path) -> "World":
        return World({path.stem: pd.read_parquet(path) for path in folder.glob("*.parquet")})

    def write(self, folder: Path) -> Path:
        for name, table in self.tables.items():
            table.to_parquet(folder / f"{name}.parquet")
        return folder

    @property
    def edges(self) -> int:
        return sum(len(self.tables[name]) for name in ("attrs", "ownership", "bids"))

    def inputs(self, *, bids: bool) -> tuple[list[pd.DataFrame], pd.DataFrame | None]:
        of = self.tables
        firms = of["companies"].rename(columns={"company": "entity_id"})[["entity_id"]]
        attributes = of["attrs"].rename(columns={"entity": "entity_id", "kind": "attribute"})
        share = of["ownership"]["pct"] / np.maximum(
            of["ownership"].groupby("owned")["pct"].transform("sum") / 100, 1
        )
        owner = of["ownership"]["owner"]
        owners = pd.DataFrame(
            {
                "company_id": of["ownership"]["owned"],
                "owner_id": owner,
                "owner_company_id": owner.where(owner.isin(firms["entity_id"])),
                "share_minimum": share,
                "share_maximum": share,
            }
        )
        flags = of["flags"].rename(columns={"company": "entity_id"}).assign(weight=0.5)
        offers = of["bids"].merge(of["tenders"][["tender", "category"]], on="tender")
        offers = offers.rename(
            columns={"tender": "tender_id", "company": "entity_id", "amount": "value", "won": "winner"}
        )
        return [firms, attributes, owners, flags], offers if bids else None

    def build(self, *, bids: bool) -> NetworkResult:
        frames, offers = self.inputs(bids=bids)
        return build_networks(*frames, SPEC, bids=offers)

    def ranking(self, found: NetworkResult) -> tuple[float, float]:
        """Area under the curve and precision at n, over firms without a flag; shells are not judged."""
        score = dict(zip(found.nodes["entity_id"], found.nodes["priority"], strict=True))
        ranked = judge.rank_eval(score, self.tables["truth"], self.tables["flags"])["unflagged"]
        return ranked["auc"], ranked["p@npos"]

    def groups(self, found: NetworkResult) -> tuple[float, float]:
        """Recall of pairs of ring members, and precision over all pairs of every group reported.

        Reported are communities of three firms or more with a discovery in them. A ring is its members and shells.
        """
        truth = self.tables["truth"].set_index("company")
        ring = truth["ring"].where(truth["ring"] >= 0).dropna()
        members = truth.index[truth["role"] == "member"]
        told = found.communities.query("discoveries > 0 and entities >= 3")["community_id"]
        community = found.nodes.set_index("entity_id")["community_id"]
        community = community[community.isin(told)]
        inside = pairs(Counter(community))
        of_rings = community.index.intersection(ring.index)
        right = pairs(Counter(zip(community[of_rings], ring[of_rings], strict=True)))
        seen = community.index.intersection(members)
        recalled = pairs(Counter(zip(community[seen], ring[seen], strict=True)))
        return recalled / pairs(Counter(ring[members])), right / inside if inside else 1.0

    def false(self, found: NetworkResult, *, partners: bool = False) -> pd.DataFrame:
        """Discoveries with `false`: neither of one ring nor of one holding; with `partners` they are no error."""
        truth = self.tables["truth"]
        told = found.discoveries
        same = _same(truth.loc[truth["ring"] >= 0].set_index("company")["ring"], told)
        holding = _same(self.tables["groups"].set_index("company")["group"], told)
        if partners:
            for _, group in self.tables["partners"].groupby("partners"):
                same |= (
                    told["source"].isin(group["company"]) & told["target"].isin(group["company"])
                ).to_numpy()
        return told.assign(false=~same & ~holding)


def _same(group: pd.Series, pairs: pd.DataFrame) -> np.ndarray:
    one, other = group.reindex(pairs["source"]).to_numpy(), group.reindex(pairs["target"]).to_numpy()
    return (one == other) & ~pd.isna(one)


def pairs(sizes: Counter) -> float:
    return float(sum(size * (size - 1) / 2 for size in sizes.values()))


def mock_ranking(size: str, seed: int) -> tuple[float, float, float, float, int]:
    """Rank and group the rings of the mock world: AUC, precision at n, pair recall, precision, firms to find."""
    world = generate_world(size, seed=seed)
    tables, truth = world.tables, world.truth
    firms = tables["companies"]
    kinds = ["address", "phone", "email", "formation_agent"]
    offers = tables["bids"].merge(tables["tenders"][["tender_id", "category"]], on="tender_id")
    offers = offers.loc[offers["status"] == "valid"].rename(columns={"amount": "value"})
    found = build_networks(
        firms,
        shared_attributes(firms, "company_id", kinds),
        tables["owners"],
        tables["red_flags"],
        bids=offers,
    )
    rings = truth["truth_rings"].set_index("company_id")["ring_id"]
    shells = truth["truth_structures"].query("kind == 'shell'")["company_id"]
    role = np.where(firms["company_id"].isin(rings.index), "member", "none")
    role = np.where(firms["company_id"].isin(shells), "shell", role)
    number = pd.Series(pd.factorize(rings)[0], index=rings.index)
    planted = pd.DataFrame(
        {
            "company": firms["company_id"],
            "ring": number.reindex(firms["company_id"]).fillna(-1).to_numpy(),
            "role": role,
            "kind": "ring",
        }
    )
    flags = tables["red_flags"].rename(columns={"company_id": "company"})[["company"]]
    no_groups = pd.DataFrame({"company": [], "group": []})
    one = World({"truth": planted, "flags": flags, "groups": no_groups})
    flagged = planted["company"].isin(flags["company"])
    return *one.ranking(found), *one.groups(found), int(((planted["role"] == "member") & ~flagged).sum())
