"""The PC algorithm (Spirtes and Glymour 1991; order-independent as by Colombo and Maathuis 2014), tests by model.

Numbers and mixed data: likelihood-ratio tests of block regressions (for numbers that is the test of a partial
correlation), with splines where curves are assumed; discrete data: G² with degrees of freedom of the cells that occur.
"""

from itertools import combinations
from typing import Final

import numpy as np

from hrtech.causal.discovery.graphs import Graph, is_acyclic, oriented
from hrtech.causal.discovery.knowledge import Bounds
from hrtech.causal.discovery.models import Model, score_data
from hrtech.causal.discovery.scores import ScoreData, block_score
from hrtech.causal.discovery.table import Table

ALPHA: Final = 0.01
#: Variables that are held fixed in one test at most.
_DEEPEST: Final = 4


class Independence:
    """Tests whether two variables are independent given others.

    Args:
        table: The variables.
        model: The model; `non_gaussian` is tested as `gaussian`.
    """

    def __init__(self, table: Table, model: Model) -> None:
        self._model: Model = "gaussian" if model == "non_gaussian" else model
        self._data: ScoreData = score_data(table, self._model)

    def p_value(self, x: int, y: int, given: tuple[int, ...]) -> float:
        """P value of independence of x and y given others."""
        if self._model == "discrete":
            return _g_squared(self._data, x, y, given)
        both = [self._ratio(x, y, given)]
        if self._model == "nonlinear":
            both.append(self._ratio(y, x, given))
        return min(1.0, min(both) * len(both))

    def _ratio(self, child: int, parent: int, given: tuple[int, ...]) -> float:
        """Likelihood-ratio test that a parent adds nothing to a regression."""
        from scipy.stats import chi2

        data, mask = self._data, sum(1 << k for k in given)
        arguments = (data.n, data.moments, data.child_columns, data.parent_columns, 0.0, child)
        own = int(np.diff(data.child_columns[child])[0])
        width = int(np.diff(data.parent_columns[parent])[0])
        fixed = sum(int(np.diff(data.parent_columns[k])[0]) for k in given)
        gain = 2 * (block_score(*arguments, mask | (1 << parent)) - block_score(*arguments, mask))
        # Bartlett's correction for the columns that are estimated
        gain *= max(data.n - fixed - 0.5 * (own + width + 3), 1.0) / data.n
        return float(chi2.sf(max(gain, 0.0), own * width))


def _g_squared(data: ScoreData, x: int, y: int, given: tuple[int, ...]) -> float:
    """G² test of independence; cells that do not occur take no degree of freedom."""
    from scipy.stats import chi2

    codes, levels = data.codes, data.levels
    cell = np.zeros(codes.shape[1], np.int64)
    for k in given:
        cell = cell * levels[k] + codes[k]
    _, cell = np.unique(cell, return_inverse=True)
    counts = np.zeros((int(cell.max()) + 1, int(levels[x]), int(levels[y])))
    np.add.at(counts, (cell, codes[x], codes[y]), data.counts)
    row, column = counts.sum(axis=2), counts.sum(axis=1)
    whole = counts.sum(axis=(1, 2))
    expected = row[:, :, None] * column[:, None, :] / whole[:, None, None]
    seen = counts > 0
    statistic = 2 * (counts[seen] * np.log(counts[seen] / expected[seen])).sum()
    freedom = (np.maximum((row > 0).sum(axis=1) - 1, 0) * np.maximum((column > 0).sum(axis=1) - 1, 0)).sum()
    return float(chi2.sf(statistic, freedom)) if freedom else 1.0


def peter_clark(table: Table, model: Model, bounds: Bounds, *, alpha: float = ALPHA) -> Graph:
    """Return the class that the tests of independence leave.

    Args:
        table: The variables.
        model: The model, which gives the test.
        bounds: What is known: forbidden pairs are never joined, required ones never parted.
        alpha: Level of each test.
    """
    test = Independence(table, model)
    size = len(table.variables)
    joined = bounds.allowed | bounds.allowed.T
    fixed = bounds.required | bounds.required.T
    parted: dict[tuple[int, int], tuple[int, ...]] = {}
    strength: dict[tuple[int, int], float] = {}
    for depth in range(_DEEPEST + 1):
        frozen = joined.copy()
        for x, y in combinations(range(size), 2):
            if not joined[x, y] or fixed[x, y]:
                continue
            for given in _sets(frozen, bounds, x, y, depth):
                p = test.p_value(x, y, given)
                strength[x, y] = max(strength.get((x, y), 0.0), p)
                if p > alpha:
                    joined[x, y] = joined[y, x] = False
                    parted[x, y] = given
                    break
    return _directed(joined, parted, bounds)


def _sets(joined: Graph, bounds: Bounds, x: int, y: int, depth: int) -> list[tuple[int, ...]]:
    """Sets of a size among the possible causes of either variable that are joined to it."""
    found: dict[tuple[int, ...], None] = {}
    for one, other in ((x, y), (y, x)):
        near = [int(k) for k in np.flatnonzero(joined[one] & bounds.allowed[:, one]) if k != other]
        found |= dict.fromkeys(combinations(near, depth))
    return list(found)


def _directed(joined: Graph, parted: dict[tuple[int, int], tuple[int, ...]], bounds: Bounds) -> Graph:
    """Direct what is known, then colliders, then what follows; a collider that would close a circle is left open."""
    graph = joined & ~(bounds.known & joined).T
    best = oriented(graph)
    if not is_acyclic(best & ~best.T):
        best = graph
    for x, y in combinations(range(len(graph)), 2):
        if joined[x, y] or (x, y) not in parted:
            continue
        for z in np.flatnonzero(joined[x] & joined[y]):
            if int(z) in parted[x, y] or not (graph[x, z] and graph[y, z]):
                continue
            tried = graph.copy()
            tried[z, x] = tried[z, y] = False
            whole = oriented(tried)
            if is_acyclic(whole):
                graph, best = tried, whole
    return best
