"""Confidence in edges: frequencies of a bootstrap, calibrated on simulated tables whose graphs are known.

A frequency is no chance: in how many of the drawn-again tables an edge appears depends on the penalty, the size and
the strength of effects. So the same bootstrap is run on simulated tables like the one at hand, and a logistic curve is
fitted from frequency to being right; with little to learn from, it stays near the frequency.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hrtech.causal.discovery.graphs import Graph, class_of
from hrtech.causal.discovery.knowledge import Bounds
from hrtech.causal.discovery.methods import Found, best_order
from hrtech.causal.discovery.models import DIRECTED, Model, Prepared
from hrtech.causal.discovery.search import best_graph
from hrtech.causal.discovery.simulate import draw_world, likeness
from hrtech.causal.discovery.table import Table

#: How strongly a curve holds to the frequency itself: pseudo-observations of the ridge.
_RIDGE: Final = 2.0

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """Curves from what a bootstrap gives to the chance of being right.

    Attributes:
        joined: Weights for an edge between two variables: intercept, log-odds of the frequency, in the graph or not.
        directed: Weights for its direction: log-odds of the share, the direction in the graph.
        worlds: Simulated tables that it was learnt on; 0 leaves frequencies as they are.
        pairs: Pairs of variables in them.
    """

    joined: Floats
    directed: Floats
    worlds: int
    pairs: int


@dataclass(frozen=True)
class Confidence:
    """Confidence in every possible edge.

    Attributes:
        frequency: Share of the drawn-again tables with i → j; an undirected edge counts half each way.
        joined: Chance that i and j are joined, symmetric.
        directed: Chance of i → j.
    """

    frequency: Floats
    joined: Floats
    directed: Floats


def frequencies(prepared: Prepared, bounds: Bounds, rng: np.random.Generator, *, resamples: int) -> Floats:
    """Share of tables drawn again with replacement in whose graph i → j; undirected edges count half each way.

    Args:
        prepared: The table made ready for its model.
        bounds: What is known.
        rng: Random numbers.
        resamples: Tables to draw.
    """
    total = np.zeros(bounds.allowed.shape)
    for _ in range(resamples):
        dag, _ = best_graph(prepared.data(rng), bounds.allowed, bounds.required, rng)
        graph = dag if prepared.model in DIRECTED else class_of(dag, bounds.known)
        total += np.where(graph & graph.T, 0.5, graph)
    return total / resamples


def calibrate(
    table: Table,
    model: Model,
    found: Found,
    bounds: Bounds,
    rng: np.random.Generator,
    *,
    worlds: int,
    resamples: int,
) -> Calibration:
    """Learn what frequencies mean for tables like this one.

    Args:
        table: The variables.
        model: Their model.
        found: The graph that was found.
        bounds: What is known.
        rng: Random numbers.
        worlds: Tables to simulate.
        resamples: Tables drawn again for each, as many as for the table itself.
    """
    like = likeness(table, model, found.member)
    one, truth_one, two, truth_two = [], [], [], []
    for _ in range(worlds):
        simulated, truth = draw_world(like, bounds, rng)
        if any(len(np.unique(v.values)) < 2 for v in simulated.variables):
            continue
        prepared = Prepared(simulated, model)
        here = best_order(prepared.data(), model, bounds, rng, starts=1).graph
        share = frequencies(prepared, bounds, rng, resamples=resamples)
        pairs = _pairs(bounds)
        one.append(_joined_features(share, here, pairs, resamples))
        truth_one.append((truth | truth.T)[pairs])
        open_ = tuple(place[(truth | truth.T)[pairs] & _open(bounds)[pairs]] for place in pairs)
        two.append(_directed_features(share, here, open_, resamples))
        truth_two.append(truth[open_])
    if not one:
        return Calibration(np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0]), 0, 0)
    joined = _fit(np.concatenate(one), np.concatenate(truth_one), np.array([0.0, 1.0, 0.0]))
    directed = _fit(np.concatenate(two), np.concatenate(truth_two), np.array([1.0, 0.0]))
    return Calibration(joined, directed, len(one), sum(map(len, truth_one)))


def confidence(
    frequency: Floats, graph: Graph, bounds: Bounds, calibration: Calibration, *, resamples: int
) -> Confidence:
    """Turn frequencies into chances.

    Args:
        frequency: As `frequencies` gives them.
        graph: The graph that was found.
        bounds: What is known: required edges are certain, forbidden ones have no chance.
        calibration: What frequencies mean.
        resamples: Tables behind the frequencies.
    """
    size = len(frequency)
    joined, directed = np.zeros((size, size)), np.zeros((size, size))
    pairs = _pairs(bounds)
    chance = _chance(_joined_features(frequency, graph, pairs, resamples), calibration.joined)
    joined[pairs] = chance
    joined += joined.T
    way = np.zeros((size, size))
    way[pairs] = _chance(_directed_features(frequency, graph, pairs, resamples), calibration.directed)
    way.T[pairs] = 1 - way[pairs]
    way = np.where(bounds.allowed & ~bounds.allowed.T, 1.0, np.where(bounds.allowed, way, 0.0))
    joined[bounds.required | bounds.required.T] = 1.0
    directed = joined * way
    directed[bounds.required] = 1.0
    return Confidence(frequency, joined, directed)


def _open(bounds: Bounds) -> Graph:
    """Pairs whose direction is not known beforehand."""
    out: Graph = bounds.allowed & bounds.allowed.T
    return out


def _pairs(bounds: Bounds) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs that are neither required nor ruled out, the lower first."""
    possible = np.triu((bounds.allowed | bounds.allowed.T) & ~(bounds.required | bounds.required.T), 1)
    first, second = np.nonzero(possible)
    return first, second


def _log_odds(share: Floats, of: Floats | float) -> Floats:
    """Log-odds of a share, half an observation added on either side."""
    out: Floats = np.log((share * of + 0.5) / ((1 - share) * of + 0.5))
    return out


def _joined_features(frequency: Floats, graph: Graph, pairs: tuple, resamples: int) -> Floats:
    share = np.clip((frequency + frequency.T)[pairs], 0, 1)
    there = (graph | graph.T)[pairs] - 0.5
    return np.column_stack([np.ones(len(share)), _log_odds(share, resamples), there])


def _directed_features(frequency: Floats, graph: Graph, pairs: tuple, resamples: int) -> Floats:
    forward, backward = frequency[pairs], frequency.T[pairs]
    both = forward + backward
    share = np.divide(forward, both, out=np.full(len(both), 0.5), where=both > 0)
    way = graph[pairs].astype(float) - graph.T[pairs].astype(float)
    return np.column_stack([_log_odds(share, both * resamples), way])


def _chance(features: Floats, weights: Floats) -> Floats:
    out: Floats = 1 / (1 + np.exp(-np.clip(features @ weights, -30, 30)))
    return out


def _fit(features: Floats, right: NDArray[np.bool_], start: Floats) -> Floats:
    """Logistic regression with a ridge towards `start`, by Newton's method."""
    weights = start.astype(float).copy()
    if not len(features):
        return weights
    spread = np.maximum((features**2).mean(axis=0), 1e-6)
    ridge = _RIDGE * spread
    for _ in range(100):
        chance = _chance(features, weights)
        slope = features.T @ (right - chance) - ridge * (weights - start)
        bend = (features * (chance * (1 - chance))[:, None]).T @ features + np.diag(ridge)
        step = np.linalg.solve(bend, slope)
        size = float(np.abs(step).max())
        weights += step / max(1.0, size)
        if size < 1e-8:
            break
    return weights
