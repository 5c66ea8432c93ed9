"""From scored pairs to entities.

Average linkage on match weights: two groups of records are joined while the mean weight over all pairs between them
is above the threshold, the strongest first; a pair that was never scored counts as neutral. One strong chance link
then cannot chain two entities together, which connected components allow. Groups never hold two records of a register
declared free of duplicates, nor a pair that the mode does not link. Judgements come before all that: records judged
the same start in one group, and records judged different are never in one.
"""

import hashlib
import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hrtech.linkage.constraints import chains, contradicted

WEIGHT_CAP = 20.0
"""Largest absolute match weight (bits) that one pair contributes to a mean."""


@dataclass(frozen=True)
class Linkage:
    """Groups of records and how they came about.

    Attributes:
        labels: For each record the number of its group (the smallest record number in it).
        parent: For each record, and then for each join in order, the number of the join it went into (numbered on
            from the records), or -1.
        height: For each join the mean weight between the two groups when they were joined; infinite where a judgement
            joined them.
        between: For each join the number of pairs of records between the two groups.
    """

    labels: np.ndarray
    parent: np.ndarray
    height: np.ndarray
    between: np.ndarray

    def joined_at(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return the height at which the groups of two records were joined, NaN where they were not."""
        return self._of_join(self.height, left, right)

    def pairs_between(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return the number of pairs between the groups whose join brought two records together, or NaN."""
        return self._of_join(self.between, left, right)

    def _of_join(self, values: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        result = np.full(len(left), np.nan)
        climbing = np.flatnonzero(self.labels[left] == self.labels[right])
        a, b = left[climbing], right[climbing]
        while len(climbing):
            # a later join has a higher number: climb from the earlier one
            lower = a < b
            a, b = np.where(lower, self.parent[a], a), np.where(lower, b, self.parent[b])
            met = a == b
            result[climbing[met]] = values[a[met] - len(self.labels)]
            climbing, a, b = climbing[~met], a[~met], b[~met]
        return result


def agglomerate(
    left: np.ndarray,
    right: np.ndarray,
    weight: np.ndarray,
    size: int,
    alone: Sequence[str | None],
    forbidden: np.ndarray,
    *,
    together: np.ndarray | None = None,
    apart: np.ndarray | None = None,
) -> Linkage:
    """Group records 0..size-1.

    Args:
        left: Record number of one side of each scored pair.
        right: Record number of the other side.
        weight: Match weight of each pair in bits, relative to the threshold (0 = at the threshold).
        size: Number of records.
        alone: For each record the register that may occur only once in a group, or None.
        forbidden: Scored pairs that no group may hold, unless they are in `together`.
        together: Pairs of records judged the same, shape (n, 2). Those in a chain that joins two records of `apart`
            count as the strongest evidence only.
        apart: Pairs of records judged different, shape (n, 2).
    """
    same = np.empty((0, 2), dtype=np.int64) if together is None else together
    different = np.empty((0, 2), dtype=np.int64) if apart is None else apart
    capped = np.where(forbidden, -np.inf, np.clip(weight, -WEIGHT_CAP, WEIGHT_CAP))
    # groups never reach beyond what positive weights and judgements chain together
    positive = capped > 0
    chained = chains(
        np.concatenate([np.stack([left[positive], right[positive]], axis=1), same]).astype(np.int64), size
    )
    inside = chained[left] == chained[right]
    groups = _Groups(size, alone)
    for a, b, bits in zip(
        left[inside].tolist(), right[inside].tolist(), capped[inside].tolist(), strict=True
    ):
        groups.add(a, b, bits)
    weak = contradicted(same, different, size)
    for a, b in same[weak].tolist():
        groups.add(a, b, WEIGHT_CAP)
    for a, b in different.tolist():
        groups.add(a, b, -np.inf)
    for a, b in same[~weak].tolist():
        groups.unite(a, b)
    groups.merge()
    return Linkage(groups.labels(), *groups.tree())


class _Groups:
    """Groups under agglomeration; `near[a][b]` is the summed weight between groups a and b."""

    def __init__(self, size: int, alone: Sequence[str | None]) -> None:
        self.near: list[dict[int, float]] = [{} for _ in range(size)]
        self.count = [1] * size
        self.version = [0] * size
        self.parent = list(range(size))
        self.node = list(range(size))
        self.above = [-1] * size
        self.heights: list[float] = []
        self.between: list[int] = []
        self.held: list[frozenset[str]] = [
            frozenset() if name is None else frozenset({name}) for name in alone
        ]

    def add(self, a: int, b: int, bits: float) -> None:
        self.near[a][b] = self.near[b][a] = bits

    def unite(self, a: int, b: int) -> None:
        a, b = self._root(a), self._root(b)
        if a != b:
            self._join(a, b, np.inf)

    def mean(self, a: int, b: int) -> float:
        return self.near[a][b] / (self.count[a] * self.count[b])

    def merge(self) -> None:
        heap = [
            (-self.mean(a, b), a, b, self.version[a], self.version[b])
            for a, each in enumerate(self.near)
            for b, bits in each.items()
            if a < b and bits > 0
        ]
        heapq.heapify(heap)
        while heap:
            turned, a, b, version_a, version_b = heapq.heappop(heap)
            if self.version[a] != version_a or self.version[b] != version_b or self.held[a] & self.held[b]:
                continue
            a = self._join(a, b, -turned)
            for other in self.near[a]:
                if (mean := self.mean(a, other)) > 0:
                    low, high = min(a, other), max(a, other)
                    heapq.heappush(heap, (-mean, low, high, self.version[low], self.version[high]))

    def tree(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        between = np.array(self.between, dtype=np.int64)
        return np.array(self.above, dtype=np.int64), np.array(self.heights, dtype=float), between

    def _join(self, a: int, b: int, height: float) -> int:
        joint = len(self.above)
        self.above[self.node[a]] = self.above[self.node[b]] = joint
        self.above.append(-1)
        self.heights.append(height)
        self.between.append(self.count[a] * self.count[b])
        if len(self.near[a]) < len(self.near[b]):
            a, b = b, a
        self.near[a].pop(b, None)
        self.near[b].pop(a, None)
        for other, bits in self.near[b].items():
            del self.near[other][b]
            self.near[a][other] = self.near[other][a] = self.near[a].get(other, 0.0) + bits
        self.near[b] = {}
        self.parent[b] = a
        self.node[a] = joint
        self.count[a] += self.count[b]
        self.held[a] |= self.held[b]
        self.version[a] += 1
        self.version[b] = -1
        return a

    def labels(self) -> np.ndarray:
        roots = np.array([self._root(record) for record in range(len(self.parent))], dtype=np.int64)
        smallest: dict[int, int] = {}
        for record, root in enumerate(roots.tolist()):
            smallest.setdefault(root, record)
        return np.array([smallest[root] for root in roots.tolist()], dtype=np.int64)

    def _root(self, record: int) -> int:
        while self.parent[record] != record:
            self.parent[record] = self.parent[self.parent[record]]
            record = self.parent[record]
        return record


def entity_ids(records: pd.DataFrame, labels: np.ndarray) -> pd.Series:
    """Name each group after its smallest record key, so that the same group keeps its id over runs.

    Args:
        records: `register` and `record_id`, in the order of `labels`.
        labels: Group of each record.

    Returns:
        Ids such as `e-1f0c…`: the first 16 hexadecimal digits of a SHA-256 of register and record id.
    """
    keys = records["register"].astype("str") + "\x1f" + records["record_id"].astype("str")
    smallest = keys.groupby(labels).transform("min")
    names = {key: "e-" + hashlib.sha256(key.encode()).hexdigest()[:16] for key in smallest.unique()}
    return smallest.map(names).astype("str")
