"""Who acts together and who one after another: worlds of dated activity with planted groups, and how many are found.

Written without regard to how links are scored. Hard against it: a long tail of values, entities of very different
activity, trades that share their values, values in fashion for a period, and uses that go on for some periods.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from harness import Figure
from peers import unfolded_embedding

from hrtech.networks.activity import activity_links
from hrtech.networks.spec import Rejects

RELATIONS = ("synchronised", "asynchronous")
TARGET = "better area under precision–recall"
_VALUES = {"site": 1, "contact": 3}
_FASHION = 30.0


@dataclass(frozen=True)
class Manner:
    """How members of a planted group act.

    Attributes:
        name: What it is called.
        acts: Fewest and most acts of a group.
        takes_part: Chance of a member to take part in one.
        own: Their other activity, as a share of everybody's.
    """

    name: str
    acts: tuple[int, int]
    takes_part: float
    own: float


HIDDEN = Manner("a few acts among much else", (8, 15), 0.65, 1.0)
OPEN = Manner("most of what they do", (20, 31), 0.8, 0.1)


@dataclass(frozen=True)
class World:
    """Dated activity `entity_id, attribute, value, period` and its truth: pairs `source, target, relation`."""

    activity: pd.DataFrame
    truth: pd.DataFrame
    entities: int


def world(
    entities: int, seed: int, manner: Manner = HIDDEN, groups: int | None = None, periods: int = 24
) -> World:
    """Make a world; `groups` planted of each relation, one in a hundred entities by default."""
    rng = np.random.default_rng(seed)
    number = max(3, entities // 100) if groups is None else groups
    sizes = rng.integers(3, 7, (len(RELATIONS), number))
    people = rng.permutation(entities)
    members = np.split(people[: sizes.sum()], np.cumsum(sizes.ravel())[:-1]) if number else []
    rate = 0.6 * rng.lognormal(0.0, 0.8, entities)
    rate[people[: sizes.sum()]] *= manner.own
    rows = [_everyday(rng, entities, rate, kind, periods) for kind in _VALUES]
    truth = []
    for place, group in enumerate(members):
        relation = RELATIONS[place // number]
        truth += [(a, b, relation) for a in group for b in group if a < b]
        rows += [
            _act(rng, entities, group, relation, manner, periods) for _ in range(rng.integers(*manner.acts))
        ]
    activity = pd.concat(rows, ignore_index=True).drop_duplicates()
    return World(
        activity.sample(frac=1, random_state=rng, ignore_index=True),
        pd.DataFrame(truth, columns=["source", "target", "relation"]),
        entities,
    )


def _everyday(
    rng: np.random.Generator, entities: int, rate: np.ndarray, kind: str, periods: int
) -> pd.DataFrame:
    """What everybody does by themselves: half of it among the values of their trade."""
    trades = max(2, entities // 100)
    trade = np.random.default_rng(entities).integers(0, trades, entities)
    values = _VALUES[kind] * entities
    popularity = rng.permutation(np.arange(1, values + 1) ** -0.9)
    of_trade = rng.integers(0, trades, values)
    rows = []
    for period in range(periods):
        now = popularity * np.where(rng.random(values) < 0.003, _FASHION, 1.0)
        who = np.repeat(np.arange(entities), rng.poisson(rate))
        within = np.where(rng.random(len(who)) < 0.5, trade[who], -1)
        what = np.empty(len(who), dtype=np.int64)
        for one in range(-1, trades):
            at = within == one
            chance = now if one < 0 else now * (of_trade == one)
            what[at] = rng.choice(values, at.sum(), p=chance / chance.sum())
        until = np.minimum(period + 1 + rng.geometric(0.6, len(who)), periods)
        use = np.repeat(np.arange(len(who)), until - period)
        when = np.concatenate([np.arange(period, end) for end in until]) if len(until) else until
        rows.append(
            pd.DataFrame({"entity_id": who[use], "attribute": kind, "value": what[use], "period": when})
        )
    return pd.concat(rows, ignore_index=True)


def _act(
    rng: np.random.Generator, entities: int, group: np.ndarray, relation: str, manner: Manner, periods: int
) -> pd.DataFrame:
    """One act of a group: a value, known to others or not, that some members begin to use."""
    kind = tuple(_VALUES)[rng.integers(len(_VALUES))]
    values = _VALUES[kind] * entities
    value = rng.integers(values) + (values if rng.random() < 0.5 else 0)
    taking = rng.permutation(group[rng.random(len(group)) < manner.takes_part])
    when = np.full(len(taking), rng.integers(periods))
    if relation == "asynchronous":
        when = when + np.cumsum(rng.integers(1, 5, len(taking))) - 1
    made = pd.DataFrame({"entity_id": taking, "attribute": kind, "value": value, "period": when})
    return made.loc[made["period"] < periods]


def average_precision(links: pd.DataFrame, score: pd.Series, truth: pd.DataFrame) -> float:
    """Area under precision–recall: mean over true pairs of the precision at their rank; pairs not told rank last."""
    true = {frozenset(pair) for pair in zip(truth["source"], truth["target"], strict=True)}
    order = np.argsort(-score.to_numpy(), kind="stable")
    pairs = zip(links["source"].to_numpy()[order], links["target"].to_numpy()[order], strict=True)
    hit = np.array([frozenset(pair) in true for pair in pairs], dtype=bool)
    return float((np.cumsum(hit) / np.arange(1, len(hit) + 1))[hit].sum() / len(true)) if true else 0.0


def found(one: World) -> pd.DataFrame:
    """Our links, with whole numbers as ids."""
    ids = {str(entity) for entity in range(one.entities)}
    links = activity_links(one.activity, ids, Rejects(), most_p=0.05).links
    return links.astype({"source": "int64", "target": "int64"})


def recovery(seeds: list[int], entities: int) -> Iterator[Figure]:
    """Compare areas under precision–recall, averaged over worlds; the peer's is the best of its three scores."""
    for manner in (OPEN, HIDDEN):
        worlds = [world(entities, seed, manner) for seed in seeds]
        ours = [found(one) for one in worlds]
        peers = [unfolded_embedding.links(one.activity, one.entities) for one in worlds]
        for relation in RELATIONS:
            truths = [one.truth.loc[one.truth["relation"] == relation] for one in worlds]
            mine = np.mean(
                [
                    average_precision(links := all.loc[all["relation"] == relation], -links["p_value"], truth)
                    for all, truth in zip(ours, truths, strict=True)
                ]
            )
            theirs = max(
                np.mean(
                    [
                        average_precision(each[relation], each[relation][score], truth)
                        for each, truth in zip(peers, truths, strict=True)
                    ]
                )
                for score in unfolded_embedding.SCORES
            )
            yield Figure(
                "4.10",
                f"area under precision–recall of {relation} pairs, {entities:,} entities, groups whose acts are "
                f"{manner.name} (peer: unfolded spectral embedding, the best of its three scores)",
                float(f"{mine:.4g}"),
                float(f"{theirs:.4g}"),
                float(f"{mine / theirs:.4g}") if theirs else None,
                TARGET,
                len(seeds),
                None,
                bool(mine > theirs),
            )
