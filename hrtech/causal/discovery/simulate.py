"""Simulated tables that resemble a given one: as many rows and variables, of the same kinds, effects as strong.

They are what the frequencies of a bootstrap are calibrated on: their graphs are known. A world's graph is drawn at
random with about as many edges as were found, under the same bounds; strengths, curves and shapes of noise are drawn
from those that were fitted.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hrtech.causal.discovery.graphs import Graph
from hrtech.causal.discovery.knowledge import Bounds
from hrtech.causal.discovery.models import Model, Prepared, splines
from hrtech.causal.discovery.scores import block_score
from hrtech.causal.discovery.search import bits
from hrtech.causal.discovery.table import Table, Variable

Floats = NDArray[np.float64]

#: Strengths (signal to noise) of edges where none was found, and the spread of the logarithm of all.
_WEAK: Final = (0.1, 0.2, 0.3)
_JITTER: Final = 0.3
#: Share of edges beyond those found, for what was too weak to be found.
_MISSED: Final = 0.1


@dataclass(frozen=True)
class Likeness:
    """What a table and its graph tell about worlds of its type.

    Attributes:
        table: The table.
        model: Its model.
        edges: Edges that were found.
        most: Most parents that a variable was found to have.
        strengths: Signal to noise of the edges; for discrete data the concentrations of the tables.
        curves: Pairs of grid and values: how a child depends on a parent, unit variance. Empty unless `nonlinear`.
        noise: Standardised residuals, shape (variables, n); empty where noise is Gaussian.
    """

    table: Table
    model: Model
    edges: int
    most: int
    strengths: Floats
    curves: tuple[tuple[Floats, Floats], ...]
    noise: Floats


def likeness(table: Table, model: Model, dag: Graph) -> Likeness:
    """Fit the pools that worlds are drawn from.

    Args:
        table: The variables.
        model: Their model.
        dag: The graph that was found.
    """
    edges, most = int(dag.sum()), max(1, int(dag.sum(axis=0).max()))
    nothing = np.empty((0, table.n))
    if model == "discrete":
        return Likeness(table, model, edges, most, _concentrations(table, dag), (), nothing)
    return Likeness(
        table,
        model,
        edges,
        most,
        _strengths(table, model, dag),
        _curves(table, dag) if model == "nonlinear" else (),
        _residuals(table, dag) if model == "non_gaussian" else nothing,
    )


def draw_world(like: Likeness, bounds: Bounds, rng: np.random.Generator) -> tuple[Table, Graph]:
    """Draw a graph and a table from it.

    Args:
        like: What the world is like.
        bounds: What is known holds in the world as well.
        rng: Random numbers.
    """
    graph, order = _draw_graph(like, bounds, rng)
    columns: dict[int, Variable] = {}
    for child in order:
        parents = [columns[int(k)] for k in np.flatnonzero(graph[:, child])]
        variable = like.table.variables[child]
        if like.model == "discrete":
            columns[child] = _draw_discrete(variable, parents, like, rng)
        else:
            columns[child] = _draw_number(variable, parents, like, rng)
    return Table(tuple(columns[k] for k in range(len(graph))), like.table.rows), graph


def _draw_graph(like: Likeness, bounds: Bounds, rng: np.random.Generator) -> tuple[Graph, list[int]]:
    size = len(like.table.variables)
    order: list[int] = []
    left = set(range(size))
    while left:
        free = [j for j in sorted(left) if not any(bounds.required[i, j] for i in left)]
        order.append(int(rng.choice(free)))
        left.remove(order[-1])
    place = np.argsort(order)
    possible = bounds.allowed & (place[:, None] < place[None, :])
    graph = bounds.required.copy()
    wanted = int(rng.poisson(max(1.0, like.edges * (1 + _MISSED))))
    pairs = rng.permutation(np.argwhere(possible & ~graph))
    for i, j in pairs:
        if graph.sum() >= wanted:
            break
        if graph[:, j].sum() < like.most + 1:
            graph[i, j] = True
    return graph, order


def _draw_number(
    variable: Variable, parents: list[Variable], like: Likeness, rng: np.random.Generator
) -> Variable:
    """A weighted sum of what the parents contribute, and noise; cut into levels for a category."""
    n = like.table.n
    shapes = len(like.noise)
    value = like.noise[rng.integers(shapes)][rng.integers(0, n, n)] if shapes else rng.normal(size=n)
    for parent in parents:
        strength = rng.choice(like.strengths) * np.exp(rng.normal(0, _JITTER))
        value = value + strength * _contribution(parent, like, rng)
    if variable.kind == "number":
        return Variable(variable.name, "number", (value - value.mean()) / value.std())
    shares = np.bincount(variable.values.astype(int), minlength=len(variable.levels)) / n
    turned = rng.permutation(len(shares))
    cuts = np.quantile(value, np.clip(np.cumsum(shares[turned])[:-1], 0, 1))
    return Variable(
        variable.name, "category", turned[np.searchsorted(cuts, value)].astype(float), variable.levels
    )


def _contribution(parent: Variable, like: Likeness, rng: np.random.Generator) -> Floats:
    if parent.kind == "category":
        effects = rng.normal(size=len(parent.levels))
        value = effects[parent.values.astype(int)]
    elif like.curves:
        grid, heights = like.curves[rng.integers(len(like.curves))]
        value = np.interp(parent.values * rng.choice([-1, 1]), grid, heights) * rng.choice([-1, 1])
    else:
        value = parent.values * rng.choice([-1, 1])
    out: Floats = (value - value.mean()) / max(value.std(), 1e-9)
    return out


def _draw_discrete(
    variable: Variable, parents: list[Variable], like: Likeness, rng: np.random.Generator
) -> Variable:
    """Levels drawn from a table whose rows scatter around the shares of the variable."""
    n, count = like.table.n, len(variable.levels)
    shares = (np.bincount(variable.values.astype(int), minlength=count) + 0.5) / (n + 0.5 * count)
    cell, cells = np.zeros(n, np.int64), 1
    for parent in parents:
        cell = cell * len(parent.levels) + parent.values.astype(int)
        cells *= len(parent.levels)
    if not parents:
        rows = shares[None, :]
    else:
        concentration = rng.choice(like.strengths) * np.exp(rng.normal(0, _JITTER))
        draws = rng.gamma(np.maximum(concentration * shares, 1e-3), size=(cells, count)) + 1e-12
        rows = draws / draws.sum(axis=1, keepdims=True)
    level = (rng.random(n)[:, None] > rows.cumsum(axis=1)[cell]).sum(axis=1)
    return Variable(variable.name, "category", np.minimum(level, count - 1).astype(float), variable.levels)


def _strengths(table: Table, model: Model, dag: Graph) -> Floats:
    """Signal to noise of each edge given the other parents: the root of R² / (1 - R²), from likelihoods."""
    data = Prepared(table, model).data() if model != "non_gaussian" else Prepared(table, "gaussian").data()
    masks = bits(dag)
    found = []
    for i, j in zip(*np.nonzero(dag), strict=True):
        arguments = (data.n, data.moments, data.child_columns, data.parent_columns, 0.0, int(j))
        mask = int(masks[j])
        gain = block_score(*arguments, mask) - block_score(*arguments, mask & ~(1 << int(i)))
        own = int(np.diff(data.child_columns[j])[0])
        found.append(float(np.sqrt(max(np.exp(2 * gain / data.n / own) - 1, 1e-6))))
    return np.minimum(np.array(found), 10.0) if found else np.array(_WEAK)


def _concentrations(table: Table, dag: Graph) -> Floats:
    """How closely the rows of each variable's table scatter around its shares: a0 of a Dirichlet distribution."""
    found = []
    for child in np.flatnonzero(dag.any(axis=0)):
        variable = table.variables[int(child)]
        cell = np.zeros(table.n, np.int64)
        for parent in np.flatnonzero(dag[:, child]):
            other = table.variables[int(parent)]
            cell = cell * len(other.levels) + other.values.astype(int)
        _, cell = np.unique(cell, return_inverse=True)
        counts = np.zeros((int(cell.max()) + 1, len(variable.levels)))
        np.add.at(counts, (cell, variable.values.astype(int)), 1.0)
        size = counts.sum(axis=1)
        shares = counts.sum(axis=0) / table.n
        rows = counts / size[:, None]
        each = shares * (1 - shares)
        # the scatter that chance alone would give is taken off
        between = ((rows - shares) ** 2).sum(axis=1) - each.sum() / size
        share = float(np.clip(np.average(between, weights=np.minimum(size, 50)) / each.sum(), 0.005, 0.95))
        found.append(1 / share - 1)
    return np.array(found) if found else np.array([50.0])


def _curves(table: Table, dag: Graph) -> tuple[tuple[Floats, Floats], ...]:
    """How each child depends on each of its parents, on the parent's standardised scale."""
    z = np.column_stack([(v.values - v.values.mean()) / v.values.std() for v in table.variables])
    bases = [splines(z[:, k]) for k in range(z.shape[1])]
    found = []
    for child in np.flatnonzero(dag.any(axis=0)):
        parents = np.flatnonzero(dag[:, child])
        columns = np.hstack([bases[k] for k in parents])
        weights = np.linalg.lstsq(columns, z[:, child], rcond=None)[0]
        at = 0
        for parent in parents:
            width = bases[parent].shape[1]
            height = bases[parent] @ weights[at : at + width]
            at += width
            if height.std() > 1e-6:
                order = np.argsort(z[:, parent])[:: max(1, len(z) // 200)]
                found.append((z[order, parent], height[order] / height.std()))
    return tuple(found)


def _residuals(table: Table, dag: Graph) -> Floats:
    z = np.column_stack([(v.values - v.values.mean()) / v.values.std() for v in table.variables])
    rest = []
    for child in range(z.shape[1]):
        columns = z[:, dag[:, child]]
        value = z[:, child]
        if columns.shape[1]:
            value = value - columns @ np.linalg.lstsq(columns, value, rcond=None)[0]
        rest.append((value - value.mean()) / value.std())
    return np.array(rest)
