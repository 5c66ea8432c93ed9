"""Risk: own red flags and exposure to those of others, along the strongest paths.

For an entity, the strongest path to every other forms a tree. Going up the tree, what reaches a node is
1 − (1 − own) ∏ (1 − p · decay · what reaches the child): a hop that several flagged entities lie behind counts once,
so that a score cannot exceed what its links can carry. Every score is then shared out exactly over its paths, in
proportion to −log(1 − part) at each fork.
"""

import heapq
import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from hrtech.networks.spec import NetworkSpec

Neighbours = Mapping[str, Mapping[str, tuple[float, str]]]
"""Per node its neighbours, each with the probability of the link and its kind."""

_NEARLY_ONE = 1 - 1e-12


@dataclass(frozen=True)
class Scores:
    """Exposure and risk per node, and the paths they are made of.

    Attributes:
        nodes: `entity_id, exposure, risk`.
        paths: `entity_id, source, hops, via, strength, contribution`; contributions add up to the risk.
    """

    nodes: pd.DataFrame
    paths: pd.DataFrame


def score(neighbours: Neighbours, own: Mapping[str, float], spec: NetworkSpec) -> Scores:
    """Score every node.

    Args:
        neighbours: The links that carry exposure.
        own: Own risk from own flags per node, 0 to 1; nodes without flags may be absent.
        spec: Decay, longest path and weakest path.
    """
    near_flags = _within(neighbours, [node for node, weight in own.items() if weight > 0], spec.max_hops)
    nodes, paths = [], []
    for node in neighbours:
        if node not in near_flags:
            nodes.append((node, 0.0, 0.0))
            continue
        tree = _Tree(node, neighbours, own, spec)
        exposure = tree.exposure()
        nodes.append((node, exposure, 1 - (1 - min(own.get(node, 0.0), _NEARLY_ONE)) * (1 - exposure)))
        paths += tree.paths()
    frame = pd.DataFrame(paths, columns=["entity_id", "source", "hops", "via", "strength", "contribution"])
    frame = frame.astype({"entity_id": "str", "source": "str", "hops": "int64", "via": "str"})
    return Scores(
        pd.DataFrame(nodes, columns=["entity_id", "exposure", "risk"]).astype({"entity_id": "str"}),
        frame.sort_values(
            ["entity_id", "contribution", "source"], ascending=[True, False, True], ignore_index=True
        ),
    )


def _within(neighbours: Neighbours, start: list[str], hops: int) -> set[str]:
    seen, edge = set(start), set(start)
    for _ in range(hops):
        edge = {other for node in edge for other in neighbours.get(node, {})} - seen
        seen |= edge
    return seen


class _Tree:
    """The strongest paths from one node to the others in reach."""

    def __init__(
        self, root: str, neighbours: Neighbours, own: Mapping[str, float], spec: NetworkSpec
    ) -> None:
        self.root = root
        self.own = own
        self.children: dict[str, list[tuple[str, float, str]]] = {}
        heap = [(-1.0, 0, root, "", 0.0, "")]
        done: set[str] = set()
        while heap:
            strength, hops, node, parent, factor, kind = heapq.heappop(heap)
            if node in done:
                continue
            done.add(node)
            if parent:
                self.children.setdefault(parent, []).append((node, factor, kind))
            if hops == spec.max_hops:
                continue
            for other, (probability, link) in neighbours[node].items():
                step = probability * spec.decay
                if other not in done and -strength * step >= spec.min_strength:
                    heapq.heappush(heap, (strength * step, hops + 1, other, node, step, link))
        self.reaches: dict[str, float] = {}
        self._reach(root)

    def _reach(self, node: str) -> float:
        rest = 1 - min(self.own.get(node, 0.0), _NEARLY_ONE)
        for child, factor, _ in self.children.get(node, []):
            rest *= 1 - factor * self._reach(child)
        self.reaches[node] = 1 - rest
        return self.reaches[node]

    def exposure(self) -> float:
        rest = 1.0
        for child, factor, _ in self.children.get(self.root, []):
            rest *= 1 - factor * self.reaches[child]
        return 1 - rest

    def paths(self) -> list[tuple[str, str, int, str, float, float]]:
        found: list[tuple[str, str, int, str, float, float]] = []
        stack = [(self.root, self.reaches[self.root], 1.0, 0, self.root)]
        while stack:
            node, amount, strength, hops, via = stack.pop()
            own = min(self.own.get(node, 0.0), _NEARLY_ONE)
            parts = [
                (factor * self.reaches[child], child, factor, kind)
                for child, factor, kind in self.children.get(node, [])
            ]
            whole = -math.log1p(-own) - sum(math.log1p(-min(part, _NEARLY_ONE)) for part, *_ in parts)
            if whole <= 0:
                continue
            if own > 0:
                share = amount * -math.log1p(-own) / whole
                found.append((self.root, node, hops, via if hops else "own flags", strength * own, share))
            for part, child, factor, kind in parts:
                if part > 0:
                    share = amount * -math.log1p(-min(part, _NEARLY_ONE)) / whole
                    stack.append((child, share, strength * factor, hops + 1, f"{via} –{kind}– {child}"))
        return found
