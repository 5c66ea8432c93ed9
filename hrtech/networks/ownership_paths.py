"""The paths from an ultimate owner down to a company, strongest first, and how many are not listed."""

import heapq
from dataclasses import dataclass
from typing import Final

from hrtech.networks.ownership_shares import Structure

#: Most paths listed per company, and most steps taken to find them.
MOST_PATHS: Final = 200
_MOST_STEPS: Final = 20_000


@dataclass(frozen=True)
class Path:
    """A chain of owners.

    Attributes:
        nodes: From the owner to the company, by number.
        shares: Least and greatest share of each step, 0 to 1.
    """

    nodes: tuple[int, ...]
    shares: tuple[tuple[float, float], ...]

    def product(self, end: int) -> float:
        """Return the product of the least (0) or the greatest (1) shares."""
        result = 1.0
        for share in self.shares:
            result *= share[end]
        return result


def paths_to(found: Structure, company: int, most: int = MOST_PATHS) -> tuple[list[Path], int | None]:
    """Follow every chain up from a company, the strongest (product of greatest shares) first.

    Returns:
        At most `most` paths, and how many more there are: None where a circle of owners leaves them uncounted.
    """
    heap: list[tuple[float, tuple[int, ...], tuple[tuple[float, float], ...]]] = [(-1.0, (company,), ())]
    listed: list[Path] = []
    steps = 0
    while heap and len(listed) < most and steps < _MOST_STEPS:
        strength, nodes, shares = heapq.heappop(heap)
        steps += 1
        owners = found.owners[nodes[0]]
        if not owners:
            listed.append(Path(nodes, shares))
            continue
        for owner, low, high in owners:
            if owner not in nodes:
                heapq.heappush(heap, (strength * high, (owner, *nodes), ((low, high), *shares)))
    if not heap:
        return listed, 0
    total = _counted(found, company)
    return listed, None if total is None else total - len(listed)


def _counted(found: Structure, company: int) -> int | None:
    """Count the paths from ultimate owners down to a company; None where its owners stand in a circle."""
    above, edge = {company}, [company]
    while edge:
        for owner, _, _ in found.owners[edge.pop()]:
            if owner not in above:
                above.add(owner)
                edge.append(owner)
    if any(len(found.circles[int(found.circle[node])]) > 1 for node in above):
        return None
    count: dict[int, int] = {}
    for node in sorted(above, key=lambda one: int(found.circle[one])):
        owners = found.owners[node]
        count[node] = sum(count[owner] for owner, _, _ in owners) if owners else 1
    return count[company]
