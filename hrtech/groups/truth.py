"""Estimates beside what is true, where the world is simulated and its counts are known."""

import pandas as pd

from hrtech.counts import render_attributes
from hrtech.groups.question import ALL, GroupQuestion


def against_truth(estimates: pd.DataFrame, question: GroupQuestion, counts: pd.DataFrame) -> pd.DataFrame:
    """Compare the shares of groups with true counts.

    Args:
        estimates: Crude estimates, `window` all.
        question: What was asked; one column of groups, measures with `truth`.
        counts: True counts: `attributes` (`column:value;column:value`, sorted) and `count`.

    Returns:
        `measure`, `group`, `truth`, `estimate`, `low`, `high`, `covered`.
    """
    known = dict(zip(counts["attributes"], counts["count"], strict=True))
    columns = ["measure", "group", "truth", "estimate", "low", "high", "covered"]
    found = []
    for measure in question.measures:
        if measure.truth is None or len(question.groups) != 1:
            continue
        column, value = measure.truth.split(":", 1)
        mine = estimates.loc[
            (estimates["measure"] == measure.name)
            & ~estimates["standardised"].astype(bool)
            & (estimates["window"] == ALL)
            & estimates["low"].notna()
        ]
        for row in mine.itertuples():
            group = (question.groups[0], str(row.group))
            whole = known.get(render_attributes([group]))
            held = known.get(render_attributes(sorted([group, (column, value)])), 0)
            if whole:
                true = held / whole
                low, high = float(row.low), float(row.high)  # type: ignore[arg-type]
                found.append((measure.name, row.group, true, row.estimate, low, high, low <= true <= high))
    return pd.DataFrame(found, columns=columns)
