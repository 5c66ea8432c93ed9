"""What is known before the data speak: required and forbidden edges, tiers, causes only, effects only.

Invariant: knowledge that was bound to variables does not contradict itself, so that some graph fits it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hrtech.causal.discovery.graphs import Graph
from hrtech.causal.question import EffectError


class DiscoveryError(EffectError):
    """A table or constraints from which no graph can be found; the message says why and the mend."""


@dataclass(frozen=True)
class Knowledge:
    """Constraints on the graph, by names.

    Attributes:
        required: Pairs (cause, effect) that are in the graph.
        forbidden: Pairs (cause, effect) that are not.
        tiers: Groups in the order of time; nothing later causes anything earlier. Within a tier all is open.
        cause_only: Variables that nothing in the table causes.
        effect_only: Variables that cause nothing in the table.
    """

    required: tuple[tuple[str, str], ...] = ()
    forbidden: tuple[tuple[str, str], ...] = ()
    tiers: tuple[tuple[str, ...], ...] = ()
    cause_only: tuple[str, ...] = ()
    effect_only: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bounds:
    """Constraints as matrices over the variables of a table.

    Attributes:
        allowed: `allowed[i, j]`: i may cause j.
        required: `required[i, j]`: i causes j.
    """

    allowed: Graph
    required: Graph

    @property
    def known(self) -> Graph:
        """`known[i, j]`: an edge between i and j, if there is one, is i → j."""
        out: Graph = self.required | (self.allowed & ~self.allowed.T)
        return out

    @staticmethod
    def none(size: int) -> "Bounds":
        """Bounds under which every graph is allowed."""
        return Bounds(~np.eye(size, dtype=bool), np.zeros((size, size), bool))


@dataclass
class _Building:
    names: list[str]
    forbidden: dict[tuple[int, int], str] = field(default_factory=dict)

    def place(self, name: str, setting: str) -> int:
        if name not in self.names:
            raise DiscoveryError(
                f"'{name}' is no variable of this study. Name one of {', '.join(self.names)} [setting: {setting}]"
            )
        return self.names.index(name)

    def pair(self, cause: str, effect: str, setting: str) -> tuple[int, int]:
        if cause == effect:
            raise DiscoveryError(f"'{cause}' cannot cause itself. Name two variables [setting: {setting}]")
        return self.place(cause, setting), self.place(effect, setting)


def pair_of(pair: Sequence[str], setting: str) -> tuple[str, str]:
    """Read a pair of a setting.

    Raises:
        DiscoveryError: It does not name two variables.
    """
    if len(pair) != 2:
        raise DiscoveryError(
            f"'{', '.join(pair)}' is no pair. Write a cause and an effect, such as [age, trust] [setting: {setting}]"
        )
    return pair[0], pair[1]


def bind(knowledge: Knowledge, names: Sequence[str]) -> Bounds:
    """Turn constraints into matrices over `names`.

    Raises:
        DiscoveryError: A name is unknown, or constraints contradict each other.
    """
    built = _Building(list(names))
    for cause, effect in knowledge.forbidden:
        built.forbidden[built.pair(cause, effect, "forbidden")] = "forbidden"
    _forbid_by_tiers(built, knowledge)
    _forbid_by_role(built, knowledge)
    size = len(names)
    allowed, required = ~np.eye(size, dtype=bool), np.zeros((size, size), bool)
    for i, j in built.forbidden:
        allowed[i, j] = False
    for cause, effect in knowledge.required:
        i, j = built.pair(cause, effect, "required")
        if (i, j) in built.forbidden:
            setting = built.forbidden[i, j]
            raise DiscoveryError(
                f"The edge from '{cause}' to '{effect}' is required and at once ruled out by {setting}. Drop one of "
                f"the two [setting: required, {setting}]"
            )
        required[i, j] = True
    if cycle := _cycle(required):
        path = " → ".join(f"'{names[k]}'" for k in cycle)
        raise DiscoveryError(
            f"The required edges run in a circle: {path}. Drop one of them [setting: required]"
        )
    before = _reachable(required)
    # what would close a circle with required edges can never be in the graph
    return Bounds(allowed & ~before.T, required)


def _forbid_by_tiers(built: _Building, knowledge: Knowledge) -> None:
    tier: dict[int, int] = {}
    for number, group in enumerate(knowledge.tiers):
        for name in group:
            place = built.place(name, "tiers")
            if place in tier:
                raise DiscoveryError(f"'{name}' stands in two tiers. Keep one of them [setting: tiers]")
            tier[place] = number
    for i, late in tier.items():
        for j, early in tier.items():
            if late > early:
                built.forbidden.setdefault((i, j), "tiers")


def _forbid_by_role(built: _Building, knowledge: Knowledge) -> None:
    if both := sorted(set(knowledge.cause_only) & set(knowledge.effect_only)):
        raise DiscoveryError(
            f"'{both[0]}' is both cause_only and effect_only, so that nothing could be said of it. Leave it out of the "
            "variables, or drop one of the two [setting: cause_only, effect_only]"
        )
    for setting, chosen in (("cause_only", knowledge.cause_only), ("effect_only", knowledge.effect_only)):
        for name in chosen:
            place = built.place(name, setting)
            for other in range(len(built.names)):
                if other != place:
                    pair = (other, place) if setting == "cause_only" else (place, other)
                    built.forbidden.setdefault(pair, setting)


def _reachable(edges: Graph) -> Graph:
    """`out[i, j]`: a path of edges leads from i to j."""
    out = edges.copy()
    for k in range(len(edges)):
        out |= out[:, k][:, None] & out[k][None, :]
    return out


def _cycle(edges: Graph) -> list[int]:
    """A circle of edges, its first element again at the end; empty if there is none."""
    reach = _reachable(edges)
    around = np.flatnonzero(np.diag(reach))
    if not len(around):
        return []
    path = [int(around[0])]
    while True:
        onward = np.flatnonzero(edges[path[-1]] & (reach[:, path[0]] | (np.arange(len(edges)) == path[0])))
        if path[0] in onward:
            return [*path, path[0]]
        fresh = [int(k) for k in onward if k not in path]
        if not fresh:
            path = path[:1]
            return [*path, int(onward[0]), path[0]]
        path.append(fresh[0])
