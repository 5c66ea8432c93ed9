"""Which companies of the mock world may play a part in what is planted.

Belongs here: disjoint sets of companies for each planted structure. They are set apart whatever is switched on,
so that a world without rings has the same firms as one with them. Does not belong here: what the parts are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hrtech.mock.common import Streams


@dataclass(frozen=True)
class Roles:
    """Disjoint sets of companies (positions) that planted structures may use, whatever is switched on."""

    rings: list[np.ndarray]
    shells: np.ndarray
    groups: list[np.ndarray]
    chains: list[np.ndarray]
    pairs: np.ndarray
    exploiters: np.ndarray


def cast_roles(streams: Streams, companies: int) -> Roles:
    """Set companies apart for rings, shells, groups, chains, pairs in activity, and exploiters of workers."""
    rng = streams("companies/roles")
    order = rng.permutation(companies)
    position = 0

    def take(size: int) -> np.ndarray:
        nonlocal position
        chosen = order[position : position + size]
        position += size
        return np.asarray(chosen)

    ring_sizes = rng.integers(4, 8, max(3, round(companies * 0.006)))
    group_sizes = rng.integers(5, 15, max(1, companies // 400))
    chain_sizes = rng.integers(2, 5, max(3, companies // 60))
    chain_sizes[0] = 3  # the one that becomes a cycle
    rings = [take(int(size)) for size in ring_sizes]
    shells = take(int(ring_sizes.sum() // 2))
    groups = [take(int(size)) for size in group_sizes]
    chains = [take(int(size)) for size in chain_sizes]
    pairs = take(2 * max(3, companies // 80)).reshape(-1, 2)
    return Roles(rings, shells, groups, chains, pairs, take(max(4, companies // 50)))


def ring_links(roles: Roles, *, owners: bool) -> list[str]:
    """Say what each ring is linked by besides its bids: `contacts`, or `ownership` (every third ring).

    Without planted owners those rings have only their bids in common.
    """
    hidden = "ownership" if owners else "bids"
    return [hidden if i % 3 == 2 else "contacts" for i in range(len(roles.rings))]
