"""Each new period tested as it arrives, with the error rate controlled over the sequence."""

import pandas as pd

from hrtech.patterns.declared import PatternSettings, Watched


def watch(frame: pd.DataFrame, settings: PatternSettings, period: str, past: pd.DataFrame | None) -> Watched:
    """Test the newest period against its history.

    Args:
        frame: Records up to the period and of it; later ones are not looked at.
        settings: What is searched; `strict` is the error rate of the whole sequence of looks.
        period: Label of the period that arrived, as in `Search.periods`.
        past: `Watched.decisions` of the look before; None at the first.

    Raises:
        PatternsError: The table cannot be searched, holds too little history, or the period was looked at before
            and another came after it.
    """
    raise NotImplementedError
