"""Attributes that go together more often than chance in every period."""

import pandas as pd

from hrtech.patterns.declared import PatternSettings


def find_stable(frame: pd.DataFrame, settings: PatternSettings) -> pd.DataFrame:
    """Find combinations that occur more often than independence gives, and do so in every period.

    Args:
        frame: One row a record, as for `find_patterns`.
        settings: `max_length`, `min_count` and `strict` apply; windows do not.

    Returns:
        Columns of `STABLE`, strongest first.

    Raises:
        PatternsError: As `find_patterns`.
    """
    raise NotImplementedError
