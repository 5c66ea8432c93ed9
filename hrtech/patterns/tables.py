"""The tables of a search beside its patterns: what was searched, records by period, remarks, what was seen before."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import numpy as np
import pandas as pd

from hrtech.counts import parse_attributes
from hrtech.facts.frames import rows
from hrtech.patterns.declared import Patterns, PatternSettings
from hrtech.patterns.periods import Periods, read_periods

_HISTORY: Final = {
    "snapshot": "Int64", "made_at": "datetime64[us, UTC]", "pattern_id": "str", "attributes": "str", "direction": "str",
    "first": "str", "last": "str", "tier": "str", "ratio": "Float64", "status": "str",
}  # fmt: skip
_SEEN: Final = ("pattern_id", "attributes", "direction", "first", "last", "tier", "ratio")


def search_table(found: Patterns, settings: PatternSettings, without_period: float) -> pd.DataFrame:
    """What was searched, in one row.

    Args:
        found: What the search found.
        settings: What was asked for.
        without_period: Share of all records without a period.
    """
    search = found.search
    row = {
        "records": search.records,
        "without_period": without_period,
        "periods": len(search.periods),
        "columns": ", ".join(search.columns),
        "combinations": search.combinations,
        "hypotheses": search.hypotheses,
        "cells": search.cells,
        "cycle": search.cycle,
        "cycles": search.cycles,
        "dispersion": search.dispersion,
        "strict": settings.strict,
        "exploratory": settings.exploratory,
        "confidence": settings.confidence,
    }
    kinds = {name: "Int64" for name, value in row.items() if isinstance(value, int)} | {"cycle": "Int64"}
    return pd.DataFrame([row]).astype(kinds | {"columns": "str"})


def remark_table(remarks: Sequence[str]) -> pd.DataFrame:
    """Remarks, one a row."""
    return pd.DataFrame({"remark": pd.array(list(remarks), dtype="str")})


def period_table(periods: Periods) -> pd.DataFrame:
    """Records by period, those without records too."""
    held = periods.index[periods.index >= 0]
    counts = np.bincount(held, minlength=len(periods.labels))
    return pd.DataFrame(
        {"period": pd.array(periods.labels, dtype="str"), "records": pd.array(counts, dtype="Int64")}
    )


def add_seen(
    patterns: pd.DataFrame, periods: Sequence[str], history: pd.DataFrame | None, now: datetime
) -> pd.DataFrame:
    """Return the history of reported patterns with these, or unchanged where they are what was reported last.

    Making the table again from the same data changes nothing, so that what is new stays new until the data change.

    Args:
        patterns: Columns of `PATTERNS`.
        periods: Labels of all periods in order.
        history: What this function returned before; None at first.
        now: When it is made, with a time zone.

    Returns:
        `snapshot, made_at, pattern_id, attributes, direction, first, last, tier, ratio, status`, oldest snapshot first.
        A pattern is `new` where the snapshot before has none of the same attributes and direction in an overlapping
        window, `known` where it has, `first` in the first snapshot. One row without a pattern stands for a search that
        found none.
    """
    before = pd.DataFrame(columns=list(_HISTORY)).astype(_HISTORY) if history is None else history
    number = 1 if before.empty else int(before["snapshot"].max()) + 1
    leaders = patterns.loc[~patterns["folded"].astype(bool)]
    last = before.loc[(before["snapshot"] == number - 1) & before["pattern_id"].notna()]
    same = ["pattern_id", "tier"]
    if number > 1 and set(map(tuple, leaders[same].to_numpy())) == set(map(tuple, last[same].to_numpy())):
        return before
    places = {label: at for at, label in enumerate(periods)}
    listed = [
        {
            **{name: row[name] for name in _SEEN},
            "status": "first" if number == 1 else "known" if _known(row, rows(last), places) else "new",
        }
        for row in rows(leaders)
    ] or [dict.fromkeys((*_SEEN, "status"))]
    added = pd.DataFrame(listed).assign(snapshot=number, made_at=pd.Timestamp(now))
    made = added[list(_HISTORY)].astype(_HISTORY)
    return made if before.empty else pd.concat([before.astype(_HISTORY), made], ignore_index=True)


def newly_seen(history: pd.DataFrame) -> pd.DataFrame:
    """Patterns of the last snapshot that the one before did not have."""
    last = history["snapshot"] == history["snapshot"].max()
    return history.loc[last & (history["status"] == "new")]


def _known(row: dict, before: list[dict], places: dict[str, int]) -> bool:
    rising = row["direction"] != "fading"
    return any(
        one["attributes"] == row["attributes"]
        and (one["direction"] != "fading") == rising
        and places.get(one["first"], -1) <= places[row["last"]]
        and places[row["first"]] <= places.get(one["last"], -1)
        for one in before
    )


def periods_of_aggregates(aggregates: pd.DataFrame, settings: PatternSettings) -> pd.DataFrame:
    """Records by period as a release tells them.

    Args:
        aggregates: `length, attributes, count`, as a release publishes them.
        settings: Which column is the time, and how it is read.
    """
    single = aggregates.loc[aggregates["length"] == 1]
    items = [parse_attributes(text)[0] for text in single["attributes"]]
    of_time = np.array([column == settings.time for column, _ in items], dtype=bool)
    labels = [value for column, value in items if column == settings.time]
    periods = read_periods(pd.DataFrame({settings.time: labels}), settings)
    counts = np.bincount(
        periods.index,
        weights=single.loc[of_time, "count"].to_numpy(float),
        minlength=len(periods.labels),
    )
    return pd.DataFrame(
        {
            "period": pd.array(periods.labels, dtype="str"),
            "records": pd.array(np.rint(counts).astype(int), dtype="Int64"),
        }
    )
