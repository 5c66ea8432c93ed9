"""Compiled loop of `hrtech.networks.risk`: strongest paths from every node, and what they carry."""

import heapq
from typing import Final

import numba as nb
import numpy as np

_NEARLY_ONE: Final = 1 - 1e-12


@nb.njit(cache=True)
def spread(indptr, indices, probability, own, near, roots, decay, max_hops, min_strength, places, weights):  # type: ignore[no-untyped-def] # noqa: C901
    """Return exposure and risk of each root, and the number of rows of their trees.

    `near` is each node's distance to a flag in hops. `places` and `weights` receive the trees unless they are empty:
    root, node, row of the step before (−1 for the root), link, hops; strength times own risk, contribution.
    """
    count = len(indptr) - 1
    stamp = np.full(count, -1, np.int64)
    exposure = np.zeros(len(roots))
    risk = np.zeros(len(roots))
    filled = 0
    for place in range(len(roots)):
        root = roots[place]
        heap = [(-1.0, 0, root, -1, -1)]
        node = [root]
        node.pop()
        parent = [0]
        parent.pop()
        link = [0]
        link.pop()
        hops = [0]
        hops.pop()
        strength = [0.0]
        strength.pop()
        while len(heap):
            s, h, u, before, edge = heapq.heappop(heap)
            if stamp[u] == place:
                continue
            stamp[u] = place
            at = len(node)
            node.append(u)
            parent.append(before)
            link.append(edge)
            hops.append(h)
            strength.append(-s)
            if h == max_hops:
                continue
            for e in range(indptr[u], indptr[u + 1]):
                v = indices[e]
                step = s * probability[e] * decay
                if stamp[v] != place and -step >= min_strength and near[v] + h + 1 <= max_hops:
                    heapq.heappush(heap, (step, h + 1, v, at, e))
        size = len(node)
        rest = np.empty(size)
        for k in range(size):
            rest[k] = 1.0 - min(own[node[k]], _NEARLY_ONE)
        logs = np.zeros(size)
        for k in range(size - 1, 0, -1):
            part = probability[link[k]] * decay * (1.0 - rest[k])
            logs[k] = -np.log1p(-min(part, _NEARLY_ONE))
            rest[parent[k]] *= 1.0 - min(part, _NEARLY_ONE)
        mine = min(own[root], _NEARLY_ONE)
        risk[place] = 1.0 - rest[0]
        exposure[place] = 1.0 - rest[0] / (1.0 - mine)
        if rest[0] >= 1.0:
            continue
        if len(places) == 0:
            filled += size
            continue
        amount = np.zeros(size)
        amount[0] = 1.0 - rest[0]
        first = filled
        for k in range(size):
            whole = -np.log(rest[k])
            if k > 0:
                above = -np.log(rest[parent[k]])
                amount[k] = amount[parent[k]] * logs[k] / above if above > 0 else 0.0
            flagged = min(own[node[k]], _NEARLY_ONE)
            share = amount[k] * -np.log1p(-flagged) / whole if flagged > 0 and whole > 0 else 0.0
            places[filled, 0] = root
            places[filled, 1] = node[k]
            places[filled, 2] = first + parent[k] if k > 0 else -1
            places[filled, 3] = link[k]
            places[filled, 4] = hops[k]
            weights[filled, 0] = strength[k] * own[node[k]]
            weights[filled, 1] = share
            filled += 1
    return exposure, risk, filled
