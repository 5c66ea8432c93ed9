"""What would happen if one variable were set: only where the graph identifies it, otherwise bounds over the class.

Every member of a class gives an effect by adjusting for the parents of the variable that is set (IDA: Maathuis, Kalisch
and Bühlmann 2009), and for other causes of the outcome that the variable does not cause: they sharpen the estimate, and
stand in where an arrow into the variable was missed. The effect is identified where every path by which the variable
may cause the outcome leaves it by an arrow (Perković 2020). No hidden common cause is assumed throughout.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtech.causal.discovery.graphs import Graph, adjacency, extended, is_acyclic, oriented
from hrtech.causal.discovery.knowledge import DiscoveryError
from hrtech.causal.discovery.models import Model, splines
from hrtech.causal.discovery.table import Table, Variable

#: Models under which numbers act by curves: where they are assumed, and on shares, which cannot grow by lines.
CURVED: Final = frozenset({"nonlinear", "mixed"})
#: Undirected edges at a variable of which every set of directions is tried.
_MOST_OPEN: Final = 8

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class WhatIf:
    """A question: the change of an outcome when a variable is set to one value instead of another.

    Attributes:
        variable: What is set.
        low: The value to compare with: a number, or a level.
        high: The value that it is set to.
        outcome: What is looked at.
        level: For a category, the level whose share is looked at; the last one by default.
    """

    variable: str
    low: str | float
    high: str | float
    outcome: str
    level: str | None = None


@dataclass(frozen=True)
class Answer:
    """An answer.

    Attributes:
        identified: The effect is the same in every graph of the class.
        low: Least effect over the class.
        high: Greatest effect over the class.
        error_low: Standard error of the least.
        error_high: Standard error of the greatest.
        reason: Why it is, or is not, identified.
        adjusted: What was adjusted for, one set a graph that differs.
    """

    identified: bool
    low: float
    high: float
    error_low: float
    error_high: float
    reason: str
    adjusted: tuple[tuple[str, ...], ...]


def what_if(table: Table, graph: Graph, model: Model, question: WhatIf) -> Answer:
    """Answer a question from a class of graphs.

    Args:
        table: The variables.
        graph: The class.
        model: The model; under `nonlinear` and `mixed` numbers act by curves.
        question: The question.

    Raises:
        DiscoveryError: A variable or a level is not there, or a value lies outside what was seen.
    """
    x, y = _place(table, question.variable), _place(table, question.outcome)
    if x == y:
        raise DiscoveryError(
            f"'{question.variable}' is both set and looked at. Name two variables [setting: what_if]"
        )
    change = _change(table.variables[x], question, curved=model in CURVED)
    outcome = _outcome(table.variables[y], question.level)
    found: dict[tuple[int, ...], tuple[float, float]] = {}
    for parents, narrowed in parent_sets(graph, x):
        held = tuple(sorted({*parents, *other_causes(narrowed, x, y)}))
        if held in found:
            continue
        if y in parents or not _reaches(narrowed, x, y):
            found[held] = (0.0, 0.0)
        else:
            found[held] = _adjusted(table, x, held, change, outcome, curved=model in CURVED)
    names = table.names
    sets = tuple(tuple(names[k] for k in parents) for parents in found)
    least, most = min(found.values()), max(found.values())
    via = open_way(graph, x, y)
    if via is None:
        if not _reaches(graph, x, y):
            reason = f"no path of arrows leads from '{names[x]}' to '{names[y]}': the graph says no effect"
            return Answer(True, 0.0, 0.0, 0.0, 0.0, reason, sets)
        effect, error = next(iter(found.values()))
        reason = f"every path from '{names[x]}' to '{names[y]}' leaves by an arrow"
        return Answer(True, effect, effect, error, error, reason, sets)
    reason = (
        f"the edge between '{names[x]}' and '{names[via]}' may point either way, and it lies on a way to "
        f"'{names[y]}'"
    )
    return Answer(False, least[0], most[0], least[1], most[1], reason, sets)


def edge_effects(table: Table, graph: Graph, model: Model) -> pd.DataFrame:
    """Effect along each edge, as an interval over the class: `cause, effect, low, high, identified`.

    From the mean to one standard deviation above for a number, from the first level to the other for two; outcomes of
    numbers in standard deviations, of two levels as shares. Categories of more levels have no one number.
    """
    rows = []
    for x, y in np.argwhere(graph):
        cause, effect = table.variables[int(x)], table.variables[int(y)]
        if max(len(cause.levels), len(effect.levels)) > 2:
            continue
        if cause.kind == "number":
            ends: tuple[str | float, str | float] = (
                float(cause.values.mean()), float(cause.values.mean() + cause.values.std())
            )  # fmt: skip
        else:
            ends = (cause.levels[0], cause.levels[1])
        answer = what_if(table, graph, model, WhatIf(cause.name, *ends, effect.name))
        scale = float(effect.values.std()) if effect.kind == "number" else 1.0
        rows.append((cause.name, effect.name, answer.low / scale, answer.high / scale, answer.identified))
    return pd.DataFrame(rows, columns=["cause", "effect", "low", "high", "identified"]).astype(
        {"cause": "str", "effect": "str", "low": float, "high": float, "identified": bool}
    )


def parent_sets(graph: Graph, x: int) -> Iterator[tuple[tuple[int, ...], Graph]]:
    """Sets of parents that a variable has in some member of the class, each with the class narrowed to it."""
    sure = [int(k) for k in np.flatnonzero(graph[:, x] & ~graph[x])]
    near = [int(k) for k in np.flatnonzero(graph[:, x] & graph[x])]
    if len(near) > _MOST_OPEN:
        raise DiscoveryError(
            f"{len(near)} edges of one variable have no direction, more than {_MOST_OPEN}. Say what is known of them "
            "[setting: tiers, forbidden]"
        )
    joined = adjacency(graph)
    for size in range(len(near) + 1):
        for chosen in combinations(near, size):
            if any(
                not joined[a, b] for a, b in combinations((*chosen, *sure), 2) if a in chosen or b in chosen
            ):
                continue  # a collider that is not in the class
            tried = graph.copy()
            tried[x, list(chosen)] = False
            others = [k for k in near if k not in chosen]
            tried[others, x] = False
            tried = oriented(tried)
            if is_acyclic(tried) and extended(tried) is not None:
                yield tuple(sorted((*chosen, *sure))), tried


def other_causes(graph: Graph, x: int, y: int) -> set[int]:
    """Direct causes of the outcome and of what lies between, that x cannot cause.

    With the parents of x they are a valid set: those close every path into x, and nothing that x causes is added.
    """
    everything = range(len(graph))
    after = {k for k in everything if k != x and _reaches(graph, x, k)}
    between = {k for k in after if _reaches(graph, k, y)}
    return {
        int(k)
        for node in between
        for k in np.flatnonzero(graph[:, node] & ~graph[node])
        if int(k) != x and int(k) not in after
    }


def open_way(graph: Graph, x: int, y: int) -> int | None:
    """The neighbour by an undirected edge through which x may cause y; None if there is none."""
    for via in np.flatnonzero(graph[x] & graph[:, x]):
        if _reaches(graph, int(via), y, without=x):
            return int(via)
    return None


def _reaches(graph: Graph, start: int, end: int, *, without: int = -1) -> bool:
    """Whether a path with no arrow against it leads from start to end."""
    seen, stack = {start, without}, [start]
    while stack:
        now = stack.pop()
        if now == end:
            return True
        onward = [int(k) for k in np.flatnonzero(graph[now]) if int(k) not in seen]
        seen.update(onward)
        stack += onward
    return False


def _place(table: Table, name: str) -> int:
    if name not in table.names:
        raise DiscoveryError(
            f"'{name}' is no variable of this study. Name one of {', '.join(table.names)} [setting: what_if]"
        )
    return table.place(name)


def _level(variable: Variable, value: str | float) -> int:
    told = value if isinstance(value, str) else f"{value:g}"
    if told not in variable.levels:
        raise DiscoveryError(
            f"'{variable.name}' has no such level as the one asked about. Name one that occurs [setting: what_if]"
        )
    return variable.levels.index(told)


def _block(variable: Variable, *, curved: bool) -> Floats:
    if variable.kind == "category":
        return (variable.values[:, None] == np.arange(1, len(variable.levels))).astype(float)
    z = (variable.values - variable.values.mean()) / variable.values.std()
    return splines(z) if curved else z[:, None]


def _change(variable: Variable, question: WhatIf, *, curved: bool) -> Floats:
    """Difference of the columns of a variable between the two values."""
    block = _block(variable, curved=curved)
    if variable.kind == "category":
        rows = np.vstack([np.zeros(block.shape[1]), np.eye(block.shape[1])])
        out: Floats = rows[_level(variable, question.high)] - rows[_level(variable, question.low)]
        return out
    seen = variable.values
    ends = []
    for value in (question.low, question.high):
        try:
            number = float(value)
        except ValueError:
            raise DiscoveryError(
                f"'{variable.name}' is a number. Give two numbers to compare [setting: what_if]"
            ) from None
        if not seen.min() <= number <= seen.max():
            raise DiscoveryError(
                f"'{variable.name}' was never seen as low or as high as one of the values asked about. Ask within what "
                "was seen [setting: what_if]"
            )
        ends.append(number)
    order = np.argsort(seen)
    both = np.array([[np.interp(end, seen[order], column[order]) for column in block.T] for end in ends])
    difference: Floats = both[1] - both[0]
    return difference


def _outcome(variable: Variable, level: str | None) -> Floats:
    if variable.kind == "number":
        return variable.values
    chosen = len(variable.levels) - 1 if level is None else _level(variable, level)
    return (variable.values == chosen).astype(float)


def _adjusted(
    table: Table, x: int, parents: tuple[int, ...], change: Floats, outcome: Floats, *, curved: bool
) -> tuple[float, float]:
    """Effect of a change given the parents, by additive regression, and its robust standard error (HC1)."""
    own = _block(table.variables[x], curved=curved)
    others = [_block(table.variables[k], curved=curved) for k in parents]
    columns = np.hstack([own, np.ones((table.n, 1)), *others])
    inverse = np.linalg.pinv(columns.T @ columns)
    weights = inverse @ (columns.T @ outcome)
    rest = outcome - columns @ weights
    asked = np.zeros(columns.shape[1])
    asked[: own.shape[1]] = change
    pull = columns @ (inverse @ asked)
    freedom = max(table.n - columns.shape[1], 1)
    error = np.sqrt((pull**2 * rest**2).sum() * table.n / freedom)
    return float(asked @ weights), float(error)
