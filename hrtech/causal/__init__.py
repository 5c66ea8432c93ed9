"""Causal evidence: what an exposure does to an outcome, with what would change one's mind.

Belongs here: the question as data, identification from a causal graph, estimates with intervals, overlap and balance,
refutations that start from fresh data each time. Does not belong here: reading tables, drawing charts, and any claim
that a number without identification is an effect.
"""

from hrtech.causal.effect import EffectResult, estimate_effect
from hrtech.causal.expression import columns_named, evaluate
from hrtech.causal.question import EffectError, EffectQuestion

__all__ = [
    "EffectError",
    "EffectQuestion",
    "EffectResult",
    "columns_named",
    "estimate_effect",
    "evaluate",
]
