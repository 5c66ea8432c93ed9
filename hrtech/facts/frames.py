"""Data frames as parts of a report: rows to read one by one, and a table of plain cells."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hrtech.facts.parts import DataTable


def rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a frame as dictionaries of plain values; missing ones are None."""
    return [
        {str(name): _plain(value) for name, value in row.items()} for row in frame.to_dict(orient="records")
    ]


def frame_table(
    title: str,
    frame: pd.DataFrame,
    *,
    digits: int = 3,
    headings: Mapping[str, str] | None = None,
    fact_ids: Sequence[str] = (),
    source_assets: Sequence[str] = (),
    description: str = "",
    links: Sequence[str] = (),
) -> DataTable:
    """Return a frame as a table of a report.

    Args:
        title: What it shows.
        frame: Columns become headings; numbers are rounded, dates written as days.
        digits: Digits after the point.
        headings: Column → words for it; by default its name without underscores.
        fact_ids: Facts that it shows.
        source_assets: Assets that its data comes from.
        description: Note under the title.
        links: Page of the same study that the first cell of each row leads to.
    """
    words = dict(headings or {})
    names = [words.get(str(name), str(name).replace("_", " ")) for name in frame.columns]
    cells = [
        tuple(round(value, digits) if isinstance(value, float) else value for value in row.values())
        for row in rows(frame)
    ]
    return DataTable(
        title, tuple(names), tuple(cells), tuple(fact_ids), tuple(source_assets), description, tuple(links)
    )


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple | np.ndarray):
        return "; ".join(str(item) for item in value)
    if value is None or pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat()
    return value.item() if isinstance(value, np.generic) else value
