"""Who is in a pattern: how its records are made up, in the window and outside it, beside all records.

Descriptive: shares of further attributes among the records that hold a pattern. What is tested is the pattern.
"""

from typing import Final

import numpy as np
import pandas as pd

from hrtech.counts import parse_attributes, render_attribute
from hrtech.facts.frames import rows
from hrtech.patterns.periods import Periods
from hrtech.patterns.telling import MOST_TOLD
from hrtech.patterns.variables import Variables

_MOST: Final = 6
_KINDS: Final = {
    "pattern_id": "str", "attribute": "str", "records": "Int64", "share": "Float64", "share_outside": "Float64",
    "share_of_all": "Float64",
}  # fmt: skip


def value_table(found: Variables) -> pd.DataFrame:
    """The values that can be in a pattern, with their records: `column, value, records`."""
    listed = [(column, value, int(found.holds(at).sum())) for at, (column, value) in enumerate(found.items)]
    kinds = {"column": "str", "value": "str", "records": "Int64"}
    return pd.DataFrame(listed, columns=list(kinds)).astype(kinds)


def composition(found: Variables, periods: Periods, leaders: pd.DataFrame) -> pd.DataFrame:
    """Describe the records of each leader by further attributes.

    Args:
        found: The records that were searched.
        periods: Their periods.
        leaders: Leaders, columns of `PATTERNS`.

    Returns:
        One row a pattern and attribute, the most unusual first, up to six a pattern: `records` in the window that hold
        pattern and attribute, `share` among the pattern's records in the window, `share_outside` among its records
        elsewhere, `share_of_all` among all records in the window. Shares are of records where the attribute's column
        is known.
    """
    places = {label: at for at, label in enumerate(periods.labels)}
    item_of = {item: at for at, item in enumerate(found.items)}
    table: list[tuple] = []
    for row in rows(leaders.head(MOST_TOLD)):
        own = [item_of[item] for item in parse_attributes(row["attributes"])]
        window = (found.period >= places[row["first"]]) & (found.period <= places[row["last"]])
        holds = np.logical_and.reduce([found.holds(item) for item in own])
        table += [(row["pattern_id"], *line) for line in _lines(found, own, holds, window)]
    return pd.DataFrame(table, columns=list(_KINDS)).astype(_KINDS)


def _lines(found: Variables, own: list[int], holds: np.ndarray, window: np.ndarray) -> list[tuple]:
    taken = {int(found.column_of[item]) for item in own}
    lines = []
    for item, attribute in enumerate(found.items):
        column = int(found.column_of[item])
        if column in taken:
            continue
        has, known = found.holds(item), found.knows(1 << column)
        records = int((holds & window & has).sum())
        share = _share(has, holds & window & known)
        of_all = _share(has, window & known)
        if share is None or of_all is None:
            continue
        spread = np.sqrt(max(of_all * (1 - of_all), 1e-12) / max(int((holds & window & known).sum()), 1))
        outside = _share(has, holds & ~window & known)
        lines.append(
            (abs(share - of_all) / spread, (render_attribute(attribute), records, share, outside, of_all))
        )
    lines.sort(key=lambda line: (-line[0], line[1][0]))
    return [line for _, line in lines[:_MOST]]


def _share(has: np.ndarray, among: np.ndarray) -> float | None:
    number = int(among.sum())
    return None if number == 0 else float((has & among).sum() / number)
