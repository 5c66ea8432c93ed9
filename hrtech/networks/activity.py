"""Links from dated activity: who begins to use the same things at the same time, or one after another.

An event is that an entity begins to use a value in a period; going on using it is no further event. Two entities are
*synchronised* by a value that both begin to use in the same period, *asynchronous* by one that they begin in different
periods. Null model: each new use is drawn from the uses that entities of its milieu begin (in that period, for
synchronised links; whenever, for asynchronous ones), so that a value in fashion, common in a trade, or an entity that
is active all the time links nobody. The weight of a shared value is log(1 + r / c), c being the chance that a usual
pair of their milieux shares it and r what is looked for: the log-likelihood ratio of acting together, next to nothing
where sharing is common. The weights that two entities would share by chance add up to a compound Poisson sum, whose
tail at what they do share is the p-value. The families are all pairs of entities, one for each relation.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from hrtech.networks.links import EDGE_COLUMNS
from hrtech.networks.milieux import milieux
from hrtech.networks.multiple import false_discovery_rates
from hrtech.networks.pairs import Floats, Ints, pairs_within
from hrtech.networks.spec import NetworkSpec, Rejects, numbered

#: Weights are rounded to steps of this many nats, for the pair as for chance, so that their sums can be counted.
STEP: Final = 0.5
#: What the frequencies of a milieu are shrunk to, those of everybody, counts as this share of a mean milieu's uses.
_SHRINK: Final = 0.3
#: Share of the values of two entities that act together which are the same, at the least that is looked for.
_TOGETHER: Final = 0.01
#: Smallest chance that the transform is trusted with.
_RESOLVED: Final = 1e-12
_CHUNK: Final = 20_000
_LINKS: Final = ["source", "target", "relation", "shared", "expected", "p_value", "q_value", "evidence"]


@dataclass(frozen=True)
class ActivityLinks:
    """What dated activity tells.

    Attributes:
        links: `source, target, relation` (synchronised or asynchronous), `shared` values, `expected` by chance,
            `p_value, q_value, evidence`; smallest p-value first.
        hubs: `attribute, value, entities`: values that so many use that they were left out, with all their chance.
        milieux: `entity_id, milieu`.
    """

    links: pd.DataFrame
    hubs: pd.DataFrame
    milieux: pd.DataFrame


def activity_links(
    activity: pd.DataFrame,
    entities: set[str],
    rejects: Rejects,
    *,
    most_p: float = 0.01,
    most_pairs: int = 20_000_000,
    smallest_milieu: int = 30,
    seed: int = 1,
) -> ActivityLinks:
    """Link entities by what they begin to do together or one after another.

    Args:
        activity: `entity_id, attribute, value, period`: a use of a value in a period, one row each. Periods are
            ordered by their value; those in which nobody is active are not known of.
        entities: Known ids; they are the family of pairs.
        rejects: Receives rows about unknown entities and those with a blank.
        most_p: Pairs with a larger p-value are not told.
        most_pairs: The most common values are left out until so many pairs of users remain.
        smallest_milieu: Communities with fewer entities have no chance of their own.
        seed: Seed of the search for milieux.

    Raises:
        NetworkError: A column is missing.
    """
    frame = _usable(activity, entities, rejects)
    if frame.empty:
        return _none()
    codes = _Codes(frame)
    groups = milieux(codes.entity, codes.value, len(codes.names), smallest_milieu, seed)
    began = _began(codes)
    together = _synchronised(codes, began, groups, most_pairs)
    later, hubs = _asynchronous(codes, began, groups, most_pairs)
    family = len(entities) * (len(entities) - 1) / 2
    links = pd.concat(
        [
            _told(codes, found, relation, family, most_p)
            for relation, found in (("synchronised", together), ("asynchronous", later))
        ],
        ignore_index=True,
    ).sort_values(["p_value", "source", "target", "relation"], ignore_index=True)
    return ActivityLinks(links, hubs, pd.DataFrame({"entity_id": codes.names, "milieu": groups}))


def _none() -> ActivityLinks:
    columns = dict.fromkeys(_LINKS, "str") | {"shared": "int64"}
    columns |= dict.fromkeys(("expected", "p_value", "q_value"), "float64")
    hubs = pd.DataFrame({"attribute": [], "value": [], "entities": []}).astype({"entities": "int64"})
    nobody = pd.DataFrame({"entity_id": pd.Series(dtype="str"), "milieu": pd.Series(dtype="int64")})
    return ActivityLinks(pd.DataFrame(columns=_LINKS).astype(columns), hubs, nobody)


def _usable(activity: pd.DataFrame, entities: set[str], rejects: Rejects) -> pd.DataFrame:
    columns = ("entity_id", "attribute", "value", "period")
    frame = numbered(activity, "activity", columns)
    blank = frame[list(columns)].isna().any(axis=1)
    frame = rejects.split("activity", frame, blank, "the entity, attribute, value or period is blank")
    frame = frame.assign(
        entity_id=frame["entity_id"].astype("str"), attribute=frame["attribute"].astype("str")
    )
    unknown = ~frame["entity_id"].isin(entities)
    frame = rejects.split("activity", frame, unknown, "the entity is unknown")
    return frame.drop_duplicates(list(columns))


class _Codes:
    """Whole numbers for entities, kinds of attribute, values and periods, each ordered."""

    def __init__(self, frame: pd.DataFrame) -> None:
        entity, names = pd.factorize(frame["entity_id"], sort=True)
        self.entity: Ints = np.asarray(entity, dtype=np.int64)
        self.kind, self.kinds = pd.factorize(frame["attribute"], sort=True)
        self.period, periods = pd.factorize(frame["period"], sort=True)
        self.value: Ints = np.asarray(
            frame.groupby(["attribute", "value"], sort=True).ngroup(), dtype=np.int64
        )
        self.names = np.asarray(names)
        self.periods = len(periods)
        named = frame.drop_duplicates(["attribute", "value"])
        self.named = named[["attribute", "value"]].set_index(self.value[frame.index.get_indexer(named.index)])


def _began(codes: _Codes) -> pd.DataFrame:
    """Return uses that do not go on from the period before: `entity, kind, value, period`."""
    uses = pd.DataFrame(
        {"entity": codes.entity, "kind": codes.kind, "value": codes.value, "period": codes.period}
    )
    before = pd.MultiIndex.from_frame(uses.assign(period=uses["period"] + 1)[["entity", "value", "period"]])
    now = pd.MultiIndex.from_frame(uses[["entity", "value", "period"]])
    return uses.loc[~now.isin(before)]


def _synchronised(codes: _Codes, began: pd.DataFrame, groups: Ints, most_pairs: int) -> pd.DataFrame:
    value, period = began["value"].to_numpy(), began["period"].to_numpy()
    cell = np.unique(value * codes.periods + period, return_inverse=True)[1]
    layer = began["kind"].to_numpy() * codes.periods + period
    return _Null(cell, layer, began["entity"].to_numpy(), groups, most_pairs).links()


def _asynchronous(
    codes: _Codes, began: pd.DataFrame, groups: Ints, most_pairs: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    first = began.sort_values("period", kind="stable").drop_duplicates(["entity", "value"])
    value, cell = np.unique(first["value"].to_numpy(), return_inverse=True)
    null = _Null(cell, first["kind"].to_numpy(), first["entity"].to_numpy(), groups, most_pairs)
    hubs = codes.named.loc[value[null.left_out]].assign(entities=null.users[null.left_out])
    hubs = hubs.sort_values(["entities", "attribute"], ascending=[False, True], ignore_index=True)
    return null.links(first["period"].to_numpy()), hubs


class _Null:
    """Cells that entities share, and what pairs of entities would share of them by chance.

    Cells lie in layers; an entity's uses in a layer are spread over its cells as those of its milieu are.
    """

    def __init__(self, cell: Ints, layer: Ints, entity: Ints, groups: Ints, most_pairs: int) -> None:
        self.users = np.bincount(cell)
        self.groups, self.milieux = groups, int(groups.max()) + 1
        layers = int(layer.max()) + 1
        self.uses = np.zeros((len(groups), layers))
        np.add.at(self.uses, (entity, layer), 1)
        self.most = _most_users(self.users, most_pairs)
        self.left_out = np.flatnonzero(self.users > self.most)
        used = np.flatnonzero((self.users > 1) & (self.users <= self.most))
        place = np.full(len(self.users), -1)
        place[used] = np.arange(len(used))
        kept = place[cell] >= 0
        self.kept, self.cell, self.entity = kept, place[cell[kept]], entity[kept]
        self.layer = np.zeros(len(used), dtype=np.int64)
        self.layer[self.cell] = layer[kept]
        self.within = np.zeros((len(used), self.milieux))
        np.add.at(self.within, (self.cell, self.groups[self.entity]), 1)
        uses = np.zeros((layers, self.milieux))
        np.add.at(uses, (layer, self.groups[entity]), 1)
        self.among = uses[self.layer]
        # every milieu is thought to know a little of what the others use
        known = _SHRINK * self.among.mean(axis=1, keepdims=True)
        overall = self.within.sum(axis=1, keepdims=True) / self.among.sum(axis=1, keepdims=True)
        self.share = (self.within + known * overall) / (self.among + known)
        often = np.sqrt((self.uses**2).mean(axis=0))
        self.often = np.maximum(often, 1e-9)[self.layer]

    def chance(self, one: int, other: int) -> Floats:
        """Chance of each cell that two uses, of an entity of one milieu and one of the other, are both of it."""
        first, second = self.within[:, one], self.within[:, other]
        among, rest = self.among[:, one], self.among[:, other]
        if one == other:
            second, rest = second - 1, rest - 1
        return np.asarray(first * np.maximum(second, 0) / np.maximum(among * rest, 1))

    def steps(self, cell: Ints, one: Ints | int, other: Ints | int) -> Ints:
        """Weight of a shared cell for entities of two milieux, in steps: log(1 + r / chance of a usual pair)."""
        chance = self.often[cell] ** 2 * self.share[cell, one] * self.share[cell, other]
        return np.rint(np.log1p(_TOGETHER / chance) / STEP).astype(np.int64)

    def links(self, period: Ints | None = None) -> pd.DataFrame:
        """Pairs that share cells: `first, second, shared, expected, log_p`.

        Args:
            period: When each use began; only cells that two entities began at different times are then shared.
        """
        first, second, cell = pairs_within(self.cell, self.entity, self.most)
        apart = np.ones(len(self.share))
        if period is not None:
            when = _Lookup(self.cell, self.entity, period[self.kept])
            differ = when.of(cell, first) != when.of(cell, second)
            first, second, cell = first[differ], second[differ], cell[differ]
            apart = 1 - self._same_period(period[self.kept])
        weight = self.steps(cell, self.groups[first], self.groups[second])
        tells = weight > 0
        first, second, weight = first[tells], second[tells], weight[tells]
        pair, place = np.unique(first * len(self.groups) + second, return_inverse=True)
        frame = pd.DataFrame(
            {
                "first": pair // len(self.groups),
                "second": pair % len(self.groups),
                "shared": np.bincount(place, minlength=len(pair)),
            }
        )
        total = np.bincount(place, weights=weight, minlength=len(pair)).astype(np.int64)
        expected, log_p = self._tails(frame["first"].to_numpy(), frame["second"].to_numpy(), total, apart)
        return frame.assign(expected=expected, log_p=log_p)

    def _same_period(self, period: Ints) -> Floats:
        """Share of the pairs of users of a cell that began in the same period."""
        counts = (
            pd.Series(1, index=pd.MultiIndex.from_arrays([self.cell, period])).groupby(level=[0, 1]).sum()
        )
        same = (counts * (counts - 1)).groupby(level=0).sum()
        users = np.bincount(self.cell)
        return np.asarray(same.to_numpy() / (users * (users - 1)), dtype=np.float64)

    def _tails(self, first: Ints, second: Ints, total: Ints, apart: Floats) -> tuple[Floats, Floats]:
        """Expected number of shared cells, and the log of a bound on the chance of so large a weight."""
        expected, log_p = np.zeros(len(first)), np.zeros(len(first))
        of = self.groups[first] * self.milieux + self.groups[second]
        order = np.argsort(of, kind="stable")
        for at in np.split(order, np.flatnonzero(np.diff(of[order])) + 1):
            if not len(at):
                continue
            one, other = divmod(int(of[at[0]]), self.milieux)
            steps = self.steps(np.arange(len(self.share)), one, other)
            rates = np.zeros((self.uses.shape[1], int(steps.max(initial=0)) + 1))
            np.add.at(rates, (self.layer, steps), self.chance(one, other) * apart)
            rates[:, 0] = 0
            seen = np.flatnonzero(rates.any(axis=0))
            for start in range(0, len(at), _CHUNK):
                part = at[start : start + _CHUNK]
                rate = (self.uses[first[part]] * self.uses[second[part]]) @ rates[:, seen]
                expected[part] = rate.sum(axis=1)
                log_p[part] = log_tail(rate, seen, total[part])
        return expected, log_p


def log_tail(rate: Floats, weight: Ints, total: Ints) -> Floats:
    """Log of the chance that whole weights that occur at Poisson rates add up to a total or more.

    Exact by the discrete Fourier transform of the sum's distribution where `chernoff` leaves it below 5 % and it is
    above what the transform resolves; the bound elsewhere.

    Args:
        rate: Shape (sums, weights).
        weight: Above 0, shape (weights,).
        total: Shape (sums,).
    """
    found = chernoff(rate, weight.astype(float), total.astype(float))
    unlikely = np.flatnonzero(found < np.log(0.05))
    for at in np.array_split(unlikely, len(unlikely) // 1000 + 1):
        if len(at):
            size = 1 << int(2 * total[at].max() + weight.max(initial=1)).bit_length()
            phase = np.exp(-2j * np.pi * np.outer(weight, np.arange(size // 2 + 1)) / size) - 1
            chance = np.fft.irfft(np.exp(rate[at] @ phase), size, axis=1)
            beyond = np.arange(size) >= total[at][:, None]
            tail = np.maximum((chance * beyond).sum(axis=1), _RESOLVED)
            found[at] = np.where(tail > _RESOLVED, np.log(tail), np.minimum(found[at], np.log(_RESOLVED)))
    return found


def chernoff(rate: Floats, weight: Floats, total: Floats) -> Floats:
    """Bound the chance that weights that occur at Poisson rates add up to a total or more.

    log P(W ≥ w) ≤ min over s ≥ 0 of Σ rate (exp(s weight) − 1) − s w (Chernoff 1952), convex in s and minimised by
    bisection of its slope.

    Args:
        rate: Shape (sums, weights).
        weight: Above 0, shape (weights,).
        total: Shape (sums,).

    Returns:
        Natural logarithms, at most 0.
    """
    bound = np.zeros(len(total))
    above = np.flatnonzero(rate @ weight < total)
    rate, total = rate[above], total[above]
    low, high = np.zeros(len(total)), np.full(len(total), 60 / weight.max(initial=1.0))
    for _ in range(24):
        middle = (low + high) / 2
        short = ((rate * weight) * np.exp(np.outer(middle, weight))).sum(axis=1) < total
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    bound[above] = np.minimum((rate * np.expm1(np.outer(low, weight))).sum(axis=1) - low * total, 0.0)
    return bound


class _Lookup:
    """Values by a pair of codes."""

    def __init__(self, one: Ints, other: Ints, value: Ints) -> None:
        self.width = int(other.max(initial=0)) + 1
        key = one * self.width + other
        order = np.argsort(key, kind="stable")
        self.key, self.value = key[order], value[order]

    def of(self, one: Ints, other: Ints) -> Ints:
        return np.asarray(self.value[np.searchsorted(self.key, one * self.width + other)])


def _most_users(users: Ints, most_pairs: int) -> int:
    """Largest number of users of a cell so that all cells with so many or fewer make no more pairs than allowed."""
    cells = np.bincount(users)
    size = np.arange(len(cells))
    fits = np.cumsum(cells * size * (size - 1) // 2) <= most_pairs
    return int(size[fits].max(initial=1))


def _told(codes: _Codes, found: pd.DataFrame, relation: str, family: float, most_p: float) -> pd.DataFrame:
    p = np.exp(found["log_p"].to_numpy())
    q = false_discovery_rates(p, family)
    words = {"synchronised": "in the same period", "asynchronous": "one after the other"}[relation]
    evidence = [
        f"began to use {shared} of the same values {words}, {expected:.2g} expected by chance"
        for shared, expected in zip(found["shared"], found["expected"], strict=True)
    ]
    told = pd.DataFrame(
        {
            "source": codes.names[found["first"]],
            "target": codes.names[found["second"]],
            "relation": relation,
            "shared": found["shared"],
            "expected": found["expected"],
            "p_value": p,
            "q_value": q,
            "evidence": pd.Series(evidence, dtype="str"),
        },
        columns=_LINKS,
    )
    return told.loc[p <= most_p]


def activity_edges(links: pd.DataFrame, spec: NetworkSpec) -> pd.DataFrame:
    """Return the discoveries among links of activity as links of a network, with the columns `EDGE_COLUMNS`.

    A discovery is a tie with probability 1 − q times the confidence that acting together is a tie.
    """
    found = links.loc[links["q_value"] <= spec.false_discovery_rate]
    return pd.DataFrame(
        {
            "source": found["source"].astype("str"),
            "target": found["target"].astype("str"),
            "kind": found["relation"].astype("str"),
            "values": found["shared"].astype("int64"),
            "probability": spec.activity_confidence * (1 - found["q_value"]),
            "evidence": found["evidence"].astype("str"),
            "p": found["p_value"],
            "q": found["q_value"],
            "family": "all pairs of entities, " + found["relation"].astype("str"),
        },
        columns=EDGE_COLUMNS,
    ).reset_index(drop=True)
