"""Patterns in what a private release published: its noise is part of every test."""

import pandas as pd

from hrtech.patterns.declared import Patterns, PatternSettings


def find_released_patterns(aggregates: pd.DataFrame, settings: PatternSettings) -> Patterns:
    """Find patterns in released aggregates that hold the time column among their attributes.

    Args:
        aggregates: `length`, `attributes` (canonical text), `count`, `low`, `high`, `sd` (of the noise of the
            measured count), as a release publishes them. A pattern of length k needs aggregates of length k + 1.
        settings: As for records; `time` is the column whose values are periods. `subject`, `absence`, `unknown` and
            `bands` belong to the release and are refused here.

    Returns:
        As `find_patterns`; only the strict tier, because the released counts are too coarse for the other. Counts
        are the released ones, so that `observed` and `total` are estimates.

    Raises:
        PatternsError: The aggregates do not hold the time column, tell no noise, or cannot be searched as declared.
    """
    raise NotImplementedError
