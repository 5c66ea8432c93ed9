"""Causal discovery: from a table and what is known to a graph, with confidence in each edge.

Belongs here: scores and tests by type of data, searches that obey constraints, equivalence classes, calibrated
confidence, effects that a graph identifies. Does not belong here: estimating an effect on a graph that is believed
(`hrtech.causal.effect`), reading tables, and any claim that a found graph is known.
"""

from hrtech.causal.discovery.discover import (
    METHODS,
    Discovery,
    DiscoveryQuestion,
    check_columns,
    discover,
    find_graph,
)
from hrtech.causal.discovery.effects import WhatIf
from hrtech.causal.discovery.knowledge import Bounds, DiscoveryError, Knowledge, bind, pair_of
from hrtech.causal.discovery.table import make_table

__all__ = [
    "METHODS",
    "Bounds",
    "Discovery",
    "DiscoveryError",
    "DiscoveryQuestion",
    "Knowledge",
    "WhatIf",
    "bind",
    "check_columns",
    "discover",
    "find_graph",
    "make_table",
    "pair_of",
]
