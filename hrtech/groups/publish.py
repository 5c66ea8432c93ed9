"""What of a comparison may be told: the protection of its counts, and its tables with what is withheld taken out.

Nothing is computed from withheld figures: ranks, adjusted p values and estimates drawn towards the mean are made
anew from what is told.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from hrtech.groups.cells import counted
from hrtech.groups.compare import adjusted
from hrtech.groups.counted import Counted
from hrtech.groups.protection import protect
from hrtech.groups.question import ALL, EVERYBODY, GroupQuestion
from hrtech.groups.ranks import rank_intervals
from hrtech.groups.records import prepare
from hrtech.groups.study import add_shrunken

#: Raised only when the rule changes what is told.
MECHANISM = "group-protection/3"
KEY = ["measure", "standardised", "window", "group"]
#: Columns of `estimates` that are told.
TOLD_COLUMNS = [
    *KEY, "kind", "estimate", "low", "high", "records", "held", "divided_by", "design_effect", "shrunken",
]  # fmt: skip


def protection_table(
    records: pd.DataFrame, question: GroupQuestion, minimum: int, denominators: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Decide for each figure whether it may be told.

    Args:
        records: One row a record, typed.
        question: What is asked.
        minimum: Smallest count that may be told.
        denominators: Exposure by group.

    Returns:
        `measure`, `standardised`, `window`, `group` (a group, or `EVERYBODY`), `told`, and for what is withheld because
        of a count of its own `low` and `high`: values of it that no reader can exclude.

    Raises:
        GroupError: The counts cannot be protected.
    """
    prepared = prepare(records, question, denominators)
    labels, windows = [*prepared.labels, EVERYBODY], [*prepared.windows, ALL]
    rows = []
    for counts in counted(prepared, question, minimum):
        found = protect(counts.figures(), minimum)
        ranges = found.audit.loc[found.audit["kind"] == "count"].set_index("place")
        for (measure, standardised, group, window), needed in counts.needs.items():
            hidden = [row for row in needed if not found.published[row]]
            low, high = _range(ranges, hidden, counts)
            told = not hidden and not (
                counts.coarse and window < len(windows) - 1 and group < len(labels) - 1
            )
            rows.append((measure, standardised, windows[window], labels[group], told, low, high))
    table = pd.DataFrame(rows, columns=[*KEY, "told", "low", "high"])
    # a rate of events stands on its events and on the records that they were counted in
    ends = {"told": ("told", "all"), "low": ("low", "first"), "high": ("high", "first")}
    table = table.groupby(KEY, sort=False, as_index=False).agg(**ends)
    return table.assign(told=table["told"] & _told_as_a_whole(table))


def _told_as_a_whole(table: pd.DataFrame) -> pd.Series:
    """Whether a group is told over all windows: where it is not, the windows in which it has nobody name it."""
    whole = table.loc[(table["window"] == ALL) & ~table["standardised"] & table["told"]]
    there = set(zip(whole["measure"], whole["group"], strict=True))
    named = zip(table["measure"], table["group"], strict=True)
    return pd.Series([key in there for key in named], index=table.index)


def _range(ranges: pd.DataFrame, hidden: list[int], counts: Counted) -> tuple[float, float]:
    """Possible values of the first withheld count of a figure."""
    if not hidden:
        return np.nan, np.nan
    ends = ranges.loc[hidden[0], ["low", "high"]].to_numpy(float)
    return float(ends[0]), float(ends[1]) if np.isfinite(ends[1]) else np.nan


def told_tables(
    tables: Mapping[str, pd.DataFrame], protection: pd.DataFrame, question: GroupQuestion
) -> dict[str, pd.DataFrame]:
    """Take out of the tables what is withheld.

    Args:
        tables: `estimates`, `against_others`, `pairs` and `changes` of a `GroupResult`.
        protection: What may be told.
        question: What is asked.

    Returns:
        The same four and `ranks`, with what is told; groups of which nothing is told are not named.
    """
    told = {tuple(row) for row in protection.loc[protection["told"], KEY].itertuples(index=False)}

    def kept(table: pd.DataFrame, *sides: tuple[str, str]) -> pd.DataFrame:
        """Rows of which every side, named by its columns of window and group, is told."""
        there = np.ones(len(table), bool)
        for window, group in sides:
            named = [table[c] if c in table.columns else pd.Series(c, table.index) for c in (window, group)]
            keys = zip(table["measure"], table["standardised"], *named, strict=True)
            there &= np.fromiter((tuple(key) in told for key in keys), bool, len(table))
        return table.loc[there].reset_index(drop=True)

    own = ("window", "group")
    estimates = kept(tables["estimates"], own)
    estimates = add_shrunken(estimates.loc[estimates["estimate"].notna()], question.confidence)
    contrasts = {
        "against_others": kept(tables["against_others"], own, ("window", EVERYBODY)),
        # what pairs share would tell how many belong to both
        "pairs": kept(
            tables["pairs"].loc[~tables["pairs"]["shared"].astype(bool)], own, ("window", "compared_with")
        ),
        "changes": kept(tables["changes"], own, ("compared_with", "group")),
    }
    made = adjusted(contrasts)
    estimates = estimates.reset_index(drop=True)[TOLD_COLUMNS]
    counts = estimates["kind"].isin(["mean", "median"])
    estimates.loc[counts, "held"] = np.nan
    # where nothing protects how many records did not count, those that did are told
    uncounted = [m.name for m in question.measures if m.kind == "count" or m.denominator]
    events = [m.name for m in question.measures if m.denominator and m.events]
    name, records = estimates["measure"], estimates["records"].astype(float)
    records = records.mask(name.isin(uncounted), estimates["held"])
    estimates["records"] = records.mask(name.isin(events))
    estimates["design_effect"] = estimates["design_effect"].round(1)
    return {"estimates": estimates, **made, "ranks": _ranks(estimates, made["pairs"], question.confidence)}


def _ranks(estimates: pd.DataFrame, pairs: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Ranks among what is told, over all windows together."""
    columns = [*KEY, "estimate", "rank", "rank_low", "rank_high", "ranked"]
    frames = []
    for (measure, standardised), mine in pairs.groupby(["measure", "standardised"], sort=False):
        own = estimates.loc[
            (estimates["measure"] == measure)
            & (estimates["standardised"] == standardised)
            & (estimates["window"] == ALL)
        ]
        place = {group: at for at, group in enumerate(own["group"])}
        p = np.full((len(own), len(own)), np.nan)
        for one, other, value in zip(mine["group"], mine["compared_with"], mine["p"], strict=True):
            p[place[one], place[other]] = p[place[other], place[one]] = value
        rank, best, worst = rank_intervals(own["estimate"].to_numpy(float), p, confidence)
        frames.append(
            own[[*KEY, "estimate"]].assign(rank=rank, rank_low=best, rank_high=worst, ranked=len(own))
        )
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
