"""Patterns: combinations of attributes whose share of the records changes, with how sure that is.

Belongs here: periods, counts by combination and period, exact tests, error rates, season, families, monitoring. Does
not belong here: reading files, telling, drawing.
"""

from hrtech.patterns.declared import (
    DECISIONS,
    LIVES,
    PATTERNS,
    STABLE,
    THRESHOLDS,
    TIMELINE,
    Patterns,
    PatternsError,
    PatternSettings,
    Search,
    Watched,
)
from hrtech.patterns.monitor import watch
from hrtech.patterns.released import find_released_patterns
from hrtech.patterns.search import find_patterns
from hrtech.patterns.stable import find_stable

__all__ = [
    "DECISIONS",
    "LIVES",
    "PATTERNS",
    "STABLE",
    "THRESHOLDS",
    "TIMELINE",
    "PatternSettings",
    "Patterns",
    "PatternsError",
    "Search",
    "Watched",
    "find_patterns",
    "find_released_patterns",
    "find_stable",
    "watch",
]
