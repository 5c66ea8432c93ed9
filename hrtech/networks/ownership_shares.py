"""Integrated shares through chains and circles, as intervals.

What an owner holds of a company in the end is the chance that a walk from the company to its owners, each taken with
the chance of its share, ever meets that owner. For given shares D (owner to owned) this is N_ij / N_ii with
N = (I − D)⁻¹: integrated ownership (Brioschi, Buzzacchi and Colombo 1989) with what the owner holds of itself
through circles taken out (Baldone, Brioschi and Paleari 1998), so that nothing exceeds the whole.

Where shares are ranges, the ends are exact: the least share takes the least of every range; the greatest takes, of
all shares that lie in their ranges and add up to at most 100 per cent in each company, those that favour the owner (an
interval Markov decision process; Givan, Leach and Dean 2000). Circles are solved by LU, one strong component at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

Owners = list[tuple[int, float, float]]
"""Owners of one company: number of the owner, least and greatest share, 0 to 1."""

_ROUNDS: Final = 200
_SWEEPS: Final = 20_000
_TOLERANCE: Final = 1e-13
_DENSE: Final = 64


@dataclass(frozen=True)
class Structure:
    """Holdings by number.

    Attributes:
        nodes: Ids by number.
        owners: Owners per node.
        owned: Nodes that each node owns part of.
        circle: Number of the strong component per node; a component's number is greater than those of its owners.
        circles: Members per component.
    """

    nodes: pd.Index
    owners: list[Owners]
    owned: list[list[int]]
    circle: np.ndarray
    circles: list[list[int]]

    def is_root(self, node: int) -> bool:
        """Tell whether nobody owns a part of the node."""
        return not self.owners[node]


def structure(holdings: pd.DataFrame) -> Structure:
    """Number the owners and companies of `owner, entity_id, share_low, share_high` (per cent)."""
    nodes = pd.Index(pd.unique(pd.concat([holdings["owner"], holdings["entity_id"]])))
    above, below = (
        nodes.get_indexer(pd.Index(holdings["owner"])),
        nodes.get_indexer(pd.Index(holdings["entity_id"])),
    )
    owners: list[Owners] = [[] for _ in nodes]
    owned: list[list[int]] = [[] for _ in nodes]
    low, high = holdings["share_low"].to_numpy(float) / 100, holdings["share_high"].to_numpy(float) / 100
    for owner, company, least, most in zip(
        above.tolist(), below.tolist(), low.tolist(), high.tolist(), strict=True
    ):
        owners[company].append((owner, least, most))
        owned[owner].append(company)
    links = sparse.csr_array((np.ones(len(above)), (above, below)), shape=(len(nodes), len(nodes)))
    count, label = (
        connected_components(links, directed=True, connection="strong") if len(nodes) else (0, above)
    )
    order = _owners_first(label, count, owned)
    circle = order[label] if len(nodes) else label
    circles: list[list[int]] = [[] for _ in range(count)]
    for node, number in enumerate(circle.tolist()):
        circles[number].append(node)
    return Structure(nodes, owners, owned, circle, circles)


def _owners_first(label: np.ndarray, count: int, owned: list[list[int]]) -> np.ndarray:
    """Rank the components so that every owner comes before what it owns."""
    below: list[set[int]] = [set() for _ in range(count)]
    waiting = np.zeros(count, dtype=np.int64)
    for node, companies in enumerate(owned):
        for company in companies:
            start, end = int(label[node]), int(label[company])
            if start != end and end not in below[start]:
                below[start].add(end)
                waiting[end] += 1
    ready = np.flatnonzero(waiting == 0)[::-1].tolist()
    order = np.empty(count, dtype=np.int64)
    for rank in range(count):
        component = ready.pop()
        order[component] = rank
        for end in below[component]:
            waiting[end] -= 1
            if waiting[end] == 0:
                ready.append(end)
    return order


def shares_of(found: Structure, owner: int) -> Iterator[tuple[int, float, float]]:
    """Yield what an owner holds in the end: company, least and greatest share, 0 to 1."""
    if all(len(found.owners[node]) == 1 and not found.owned[node] for node in found.owned[owner]):
        # nobody else has a share and nothing lies below
        for node in sorted(found.owned[owner]):
            ((_, least, most),) = found.owners[node]
            yield node, min(least, 1.0), min(max(most, least), 1.0)
        return
    reached = _below(found, owner)
    low = {owner: 1.0}
    high = {owner: 1.0}
    for component in sorted({int(found.circle[node]) for node in reached}):
        members = [node for node in found.circles[component] if node in reached and node != owner]
        if len(found.circles[component]) == 1:
            for node in members:
                low[node] = sum(least * low.get(other, 0.0) for other, least, _ in found.owners[node])
                high[node] = _most(found.owners[node], high)
        elif members:
            low |= _solve_low(found, members, low)
            high |= _solve_high(found, members, high)
    for node in sorted(reached - {owner}):
        yield node, min(low[node], 1.0), min(max(high[node], low[node]), 1.0)


def _below(found: Structure, owner: int) -> set[int]:
    seen, edge = {owner}, [owner]
    while edge:
        for company in found.owned[edge.pop()]:
            if company not in seen:
                seen.add(company)
                edge.append(company)
    return seen


def favoured(owners: Owners, value: dict[int, float]) -> list[tuple[int, float]]:
    """Return the shares, within ranges and 100 per cent in all, that favour owners of the greatest value."""
    left = 1.0 - sum(least for _, least, _ in owners)
    shares = []
    for other, least, most in sorted(owners, key=lambda one: (-value.get(one[0], 0.0), one[0])):
        more = min(most - least, max(left, 0.0)) if value.get(other, 0.0) > 0 else 0.0
        left -= more
        shares.append((other, least + more))
    return shares


def _most(owners: Owners, value: dict[int, float]) -> float:
    return sum(share * value.get(other, 0.0) for other, share in favoured(owners, value))


def _solve_low(found: Structure, members: list[int], known: dict[int, float]) -> dict[int, float]:
    shares = {node: [(other, least) for other, least, _ in found.owners[node]] for node in members}
    return _solved(members, shares, known)


def _solve_high(found: Structure, members: list[int], known: dict[int, float]) -> dict[int, float]:
    """Improve the choice of shares until nothing is gained, from the least shares on."""
    value = known | _solve_low(found, members, known)
    for _ in range(_ROUNDS):
        shares = {node: favoured(found.owners[node], value) for node in members}
        if not _leaks(members, shares):
            return _swept(found, members, value)
        value |= _solved(members, shares, known)
        if all(_most(found.owners[node], value) <= value[node] + _TOLERANCE for node in members):
            break
    return {node: value[node] for node in members}


def _leaks(members: list[int], shares: dict[int, list[tuple[int, float]]]) -> bool:
    """Tell whether every walk in the circle can leave it: only then is the sum over walks finite."""
    inside = set(members)
    below: dict[int, list[int]] = {}
    edge = []
    for node in members:
        within = 0.0
        for other, share in shares[node]:
            if other in inside and share > 0:
                within += share
                below.setdefault(other, []).append(node)
        if within < 1 - 1e-9:
            edge.append(node)
    open_ = set(edge)
    while edge:
        for node in below.get(edge.pop(), []):
            if node not in open_:
                open_.add(node)
                edge.append(node)
    return len(open_) == len(members)


def _swept(found: Structure, members: list[int], value: dict[int, float]) -> dict[int, float]:
    """Sum the walks one by one, where the favoured shares close the circle."""
    for _ in range(_SWEEPS):
        better = {node: _most(found.owners[node], value) for node in members}
        gained = max(better[node] - value[node] for node in members)
        value |= better
        if gained < _TOLERANCE:
            break
    return {node: value[node] for node in members}


def _within(members: list[int], shares: dict[int, list[tuple[int, float]]]) -> sparse.csc_array:
    place = {node: number for number, node in enumerate(members)}
    cells = [
        (place[node], place[other], share)
        for node in members
        for other, share in shares[node]
        if other in place
    ]
    rows, columns, data = zip(*cells, strict=True) if cells else ((), (), ())
    return sparse.csc_array((np.array(data, float), (rows, columns)), shape=(len(members), len(members)))


def _solved(
    members: list[int], shares: dict[int, list[tuple[int, float]]], known: dict[int, float]
) -> dict[int, float]:
    inside = set(members)
    given = np.array(
        [
            sum(share * known.get(other, 0.0) for other, share in shares[node] if other not in inside)
            for node in members
        ]
    )
    matrix = sparse.csc_array(sparse.identity(len(members), format="csc") - _within(members, shares))
    result = np.linalg.solve(matrix.toarray(), given) if len(members) <= _DENSE else splu(matrix).solve(given)
    return dict(zip(members, result.tolist(), strict=True))


def within_circle(found: Structure, members: list[int]) -> sparse.csc_array:
    """Return the least shares that the members of a circle hold in each other."""
    return _within(
        members, {node: [(other, low) for other, low, _ in found.owners[node]] for node in members}
    )


def spectral_radius(matrix: sparse.csc_array) -> float:
    """Return the greatest absolute eigenvalue of a matrix without negative cells."""
    if matrix.shape[0] <= _DENSE:
        return float(np.abs(np.linalg.eigvals(matrix.toarray())).max(initial=0.0))
    # the growth of a positive vector; the identity keeps a circle of even length from swinging
    vector = np.ones(matrix.shape[0])
    growth = 0.0
    for _ in range(500):
        following = matrix @ vector + vector
        before, growth = growth, float(np.linalg.norm(following) / np.linalg.norm(vector))
        vector = following / np.linalg.norm(following)
        if abs(growth - before) < 1e-12:
            break
    return growth - 1
