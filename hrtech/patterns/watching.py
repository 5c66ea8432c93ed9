"""Monitoring in order: every finished period that was not looked at yet is looked at once, oldest first."""

import pandas as pd

from hrtech.patterns.declared import DECISIONS, LIVES, PatternsError, PatternSettings, table
from hrtech.patterns.monitor import watch
from hrtech.patterns.periods import read_periods


def look_at_new_periods(
    frame: pd.DataFrame,
    settings: PatternSettings,
    *,
    first: str,
    unfinished: int,
    past: pd.DataFrame | None,
    lives: pd.DataFrame | None,
) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Look at what is new since the last time.

    A period that was looked at is never looked at again, so that running anew spends no error and changes no
    decision, even where records of it came in later.

    Args:
        frame: All records.
        settings: What is searched; `strict` is the error rate of the whole sequence of looks.
        first: Label of the first period to look at.
        unfinished: Newest periods to leave for later.
        past: Decisions so far, None at first.
        lives: Lives so far, None at first.

    Returns:
        Decisions, lives, and how many looks were made now.

    Raises:
        PatternsError: There is no such period, or none before it.
    """
    periods = read_periods(frame, settings)
    labels = periods.labels
    there = set(periods.index[periods.index >= 0].tolist())
    looked = set() if past is None else set(past.loc[past["decision"] == "looked", "period"])
    if not looked and (first not in labels or first == labels[0]):
        raise PatternsError(
            f"No period with a history before it is called '{first}'; the asset 'periods' lists them. Name one after "
            "the first [setting: watch.first]"
        )
    start = labels.index(first) if first in labels else 0
    latest = max((labels.index(label) for label in looked if label in labels), default=-1)
    finished = labels[: max(len(labels) - unfinished, 0)]
    # a period without records has nothing to test
    new = [label for at, label in enumerate(finished) if at >= start and at > latest and at in there]
    decisions, known = past, lives
    for label in new:
        done = watch(frame, settings, label, decisions)
        decisions, known = done.decisions, done.lives
    return (
        table(DECISIONS, []) if decisions is None else decisions,
        table(LIVES, []) if known is None else known,
        len(new),
    )


def alerts_of_last_look(decisions: pd.DataFrame) -> pd.DataFrame:
    """Patterns that the last look raised an alert for."""
    last = decisions["look"] == decisions["look"].max()
    return decisions.loc[last & (decisions["decision"] == "alert")]
