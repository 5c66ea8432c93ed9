"""Varsortability: whether the scale of the variables already tells their order (Reisach, Seiler and Weichwald 2021)."""

import numpy as np

from hrtech.causal.discovery.graphs import Graph
from hrtech.causal.discovery.table import Table


def varsortability(table: Table, dag: Graph) -> float | None:
    """Share of paths from cause to effect along which the variance rises, over paths of all lengths.

    Args:
        table: Numbers, on the scale on which they were measured.
        dag: Directed acyclic graph.

    Returns:
        Between 0 and 1, a half where scale tells nothing; None where there is no edge.
    """
    variance = np.array([variable.values.var() for variable in table.variables])
    rises = variance[:, None] < variance[None, :]
    ties = variance[:, None] == variance[None, :]
    steps = dag.astype(float)
    walk = steps.copy()
    up, count = 0.0, 0.0
    while walk.any():
        there = walk > 0
        up += float((there & rises).sum() + 0.5 * (there & ties).sum())
        count += float(there.sum())
        walk = walk @ steps
    return up / count if count else None
