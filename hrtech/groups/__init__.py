"""Groups of records compared: figures with intervals, differences, ranks, changes, and what of it may be told.

Belongs here: estimation, comparison, and the protection of small cells in what is published. Does not: reading of
files, budgets, and causes: a difference between groups is no effect.
"""

from hrtech.groups.question import GroupError, GroupQuestion, Measure
from hrtech.groups.study import GroupResult, compare_groups

__all__ = ["GroupError", "GroupQuestion", "GroupResult", "Measure", "compare_groups"]
