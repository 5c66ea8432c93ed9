"""The tables of a comparison as parts of its report, each in the order in which somebody would look for its rows."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from hrtech.facts import DataTable
from hrtech.facts.frames import frame_table
from hrtech.groups.question import ALL

_MOST_ROWS = 60


def table_parts(study: str, tables: Mapping[str, pd.DataFrame], before: str) -> list[DataTable]:
    """Show the first rows of every table that holds any.

    Args:
        study: Name of the study.
        tables: Tables by noun.
        before: What stands before the nouns in their asset keys.
    """
    named = (
        ("estimates", "Figures"),
        ("against_others", "Against all others"),
        ("pairs", "Groups against one another"),
        ("changes", "Changes from window to window"),
        ("ranks", "Places"),
        ("left_out", "Blanks, and what was left out"),
        ("standard", "The standard"),
        ("protection", "What may be told"),
    )
    return [
        frame_table(
            words,
            _first(tables[name]).drop(columns=["shared"], errors="ignore").head(_MOST_ROWS),
            source_assets=(f"{study}/{before}{name}",),
            description=_which(tables[name]),
        )
        for name, words in named
        if name in tables and len(tables[name])
    ]


def _first(table: pd.DataFrame) -> pd.DataFrame:
    """Rows in the order in which somebody would look for them."""
    if "p" in table.columns:
        return table.sort_values("p", kind="stable")
    if "window" not in table.columns:
        return table
    order = [table["told"].astype(bool)] if "told" in table.columns else []
    order.append(table["window"] != ALL)
    return table.iloc[np.lexsort([part.to_numpy() for part in reversed(order)])]


def _which(table: pd.DataFrame) -> str:
    """What of a long table is shown."""
    if len(table) <= _MOST_ROWS:
        return ""
    first = "smallest p values first"
    if "p" not in table.columns:
        first = "what is withheld first" if "told" in table.columns else "all windows together first"
    return f"{_MOST_ROWS} of {len(table)} rows, {first}."
