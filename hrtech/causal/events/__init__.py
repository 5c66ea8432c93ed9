"""Event studies: what an event did to an outcome over time, with what would change one's mind.

Belongs here: panels, effects for one event and for staggered adoption, placebos, sensitivity to trends that differ,
and what a study tells. Does not belong here: reading tables, and drawing.
"""

from hrtech.causal.events.question import EventError, EventQuestion
from hrtech.causal.events.result import EventResult
from hrtech.causal.events.study import study_event

__all__ = ["EventError", "EventQuestion", "EventResult", "study_event"]
