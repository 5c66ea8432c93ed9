"""The search itself: from a table of records to patterns that changed."""

import pandas as pd

from hrtech.patterns.declared import Patterns, PatternSettings


def find_patterns(frame: pd.DataFrame, settings: PatternSettings) -> Patterns:
    """Find combinations of attributes whose share of the records changes in a window of periods.

    Args:
        frame: One row a record. List cells hold several values; blank cells are unknown.
        settings: What is searched.

    Raises:
        PatternsError: The table cannot be searched as declared, or only with more memory than allowed.
    """
    raise NotImplementedError
