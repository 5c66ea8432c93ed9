"""Methods: each takes a table, a model and bounds, and returns a graph as far as the data determine it.

`best_order` searches orders by score, `ges` equivalence classes by the same score, `pc` tests independence; `lingam`
and `notears` are for numbers. What each returns obeys the bounds at every step of its search.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from hrtech.causal.discovery.graphs import Graph, class_of, extended, members
from hrtech.causal.discovery.knowledge import Bounds
from hrtech.causal.discovery.models import DIRECTED, Model, score_data
from hrtech.causal.discovery.scores import ScoreData, local_score
from hrtech.causal.discovery.search import best_graph, bits
from hrtech.causal.discovery.table import Table

Method = Literal["best_order", "pc", "ges", "lingam", "notears"]

#: Members of a class that are compared by score, and how much worse (log-likelihood) one may be and remain possible.
_MOST_MEMBERS: Final = 200
_POSSIBLE: Final = 3.0
#: Orders that a search starts from: with few variables it is quick, and where one follows exactly from others it may
#: end in a graph that is not the best.
_STARTS, _STARTS_OF_FEW, _FEW = 3, 12, 15


@dataclass(frozen=True)
class Found:
    """A graph that was found.

    Attributes:
        graph: The class: an edge true both ways may point either way.
        member: One directed acyclic graph of it, the best by score where there is one.
        score: Total score of the member.
    """

    graph: Graph
    member: Graph
    score: float


def total_score(data: ScoreData, dag: Graph) -> float:
    """Sum of the local scores of a directed acyclic graph."""
    arguments, masks = data.arguments(), bits(dag)
    return float(sum(local_score(*arguments, child, int(masks[child])) for child in range(len(dag))))


def best_order(
    data: ScoreData, model: Model, bounds: Bounds, rng: np.random.Generator, *, starts: int = _STARTS
) -> Found:
    """Search orders for the best score; under a model that shows directions, keep the class's likely members only."""
    dag, score = best_graph(data, bounds.allowed, bounds.required, rng, starts=starts)
    graph = class_of(dag, bounds.known)
    if model in DIRECTED:
        graph = likely(data, graph, dag, score)
    return Found(graph, dag, score)


def likely(data: ScoreData, graph: Graph, dag: Graph, score: float) -> Graph:
    """Narrow a class to the members whose score is near the best: a direction that they share is directed.

    Args:
        data: Data of the score.
        graph: The class.
        dag: Its best member.
        score: Score of that.
    """
    out = dag.copy()
    for member in members(graph, _MOST_MEMBERS):
        if total_score(data, member) > score - _POSSIBLE:
            out |= member
    return out


def find(
    method: Method,
    table: Table,
    model: Model,
    bounds: Bounds,
    rng: np.random.Generator,
    *,
    data: ScoreData | None = None,
) -> Found:
    """Find a graph by one method.

    Args:
        method: The method; `lingam` and `notears` need a table of numbers.
        table: The variables.
        model: The model, which gives the score and the test.
        bounds: What is known.
        rng: Draws where the search starts.
        data: Data of the score, where it was made before.
    """
    from hrtech.causal.discovery.equivalence import greedy_equivalence
    from hrtech.causal.discovery.independence import peter_clark
    from hrtech.causal.discovery.linear import direct_lingam, notears

    data = data or score_data(table, model)
    if method == "best_order":
        starts = _STARTS_OF_FEW if data.variables <= _FEW else _STARTS
        return best_order(data, model, bounds, rng, starts=starts)
    if method in ("lingam", "notears"):
        dag = direct_lingam(table, bounds) if method == "lingam" else notears(table, bounds)
        return Found(dag, dag, total_score(data, dag))
    graph = peter_clark(table, model, bounds) if method == "pc" else greedy_equivalence(data, bounds)
    member = extended(graph)
    if member is None:
        member = best_graph(data, (graph & bounds.allowed), graph & bounds.required, rng)[0]
    return Found(graph, member, total_score(data, member))
