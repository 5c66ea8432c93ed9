"""How much risk depends on the settings that nobody can know exactly."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from hrtech.networks.pairs import Floats
from hrtech.networks.risk import Graph, score
from hrtech.networks.spec import NetworkSpec

_TOP = 50


def sensitivity(
    graph: Graph, own: Floats, risk: Floats, spec: NetworkSpec
) -> tuple[pd.DataFrame, Floats, Floats]:
    """Score again with other settings.

    Args:
        graph: The links.
        own: Own risk per node.
        risk: The risk at the settings chosen.
        spec: The settings chosen.

    Returns:
        `setting, value, rank_correlation` (Spearman's, over nodes with a risk), `top_kept` (share of the 50 highest
        that stay among them), `largest_change`; and the lowest and highest risk of each node over all of them.
    """
    low, high = risk.copy(), risk.copy()
    rows = []
    for setting, value, other_graph, other_own, other_spec in _others(graph, own, spec):
        other = score(other_graph, other_own, other_spec, paths=False).nodes["risk"].to_numpy(np.float64)
        low, high = np.minimum(low, other), np.maximum(high, other)
        rows.append((setting, value, *_compared(risk, other)))
    columns = ["setting", "value", "rank_correlation", "top_kept", "largest_change"]
    return pd.DataFrame(rows, columns=columns).astype({"setting": "str"}), low, high


def _others(
    graph: Graph, own: Floats, spec: NetworkSpec
) -> Iterator[tuple[str, float, Graph, Floats, NetworkSpec]]:
    for decay in (max(spec.decay - 0.2, 0.0), min(spec.decay + 0.2, 1.0)):
        yield "decay", decay, graph, own, replace(spec, decay=decay)
    for factor in (0.5, 1.25):
        links = replace(graph, probability=np.minimum(graph.probability * factor, 1.0))
        yield "link probabilities times", factor, links, own, spec
    for factor in (0.5, 1.25):
        yield "flag weights times", factor, graph, np.minimum(own * factor, 1.0), spec
    if spec.max_hops > 1:
        yield "max_hops", spec.max_hops - 1, graph, own, replace(spec, max_hops=spec.max_hops - 1)


def _compared(risk: Floats, other: Floats) -> tuple[float, float, float]:
    from scipy.stats import spearmanr

    some = (risk > 0) | (other > 0)
    change = float(np.abs(risk - other).max(initial=0.0))
    if some.sum() < 2 or np.ptp(risk[some]) == 0 or np.ptp(other[some]) == 0:
        return 1.0, 1.0, change
    count = min(_TOP, int((risk > 0).sum()))
    top = np.argsort(-risk, kind="stable")[:count]
    # those that tie with the last stay
    bar = np.sort(other)[::-1][count - 1]
    kept = float((other[top] >= bar).mean()) if count else 1.0
    return float(spearmanr(risk[some], other[some]).statistic), kept, change
