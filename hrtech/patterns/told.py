"""Disclosure control of patterns: which may be told when there is no privacy loss to account for.

A pattern gives away more than its count: the count expected gives its total, so the records outside the window too; a
timeline gives each period; a pattern and a part of it give the records of the one without the other; patterns that
together cover all values of a column give what was withheld by subtraction. So:

1. Cells. A pattern is told only where the records that hold it in the window and outside it, those that do not
   hold it, and the number expected are each at least the minimum cell. Outside the window nobody may hold it.
2. Parts. Of two patterns of which one is part of the other only the surer is told.
3. A way out. In every column, values that no told pattern names are held by the minimum cell or more; and in every
   period that many records hold no told pattern. Each told pattern then has records of its own that no other told
   number counts, so that a record of a withheld combination may just as well lie elsewhere: no sum gives it back.
4. Periods. Counts by period are told in blocks of neighbouring periods that hold the minimum cell each, or nobody among
   the minimum cell or more, and end where the window begins and ends; where no such blocks exist, the timeline is
   withheld whole.

Why 3 protects: let S be a withheld combination in a period. A record that holds S can be exchanged for records that
hold one told part of S each and otherwise only values of the way out, and as many records fewer that hold nothing told;
every told number stays. S may thus be empty, as far as anything told goes. The tests try with linear programming.

This promises less than differential privacy: it says nothing about what several releases tell together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType
from typing import Final

import pandas as pd

from hrtech.counts import parse_attributes
from hrtech.facts import Fact
from hrtech.facts.frames import rows
from hrtech.patterns.declared import PATTERNS, TIMELINE
from hrtech.patterns.telling import pattern_facts
from hrtech.privacy.disclosure import control_facts

#: Raised only when the rule changes.
MECHANISM: Final = "pattern-disclosure/2"
#: What is told of a pattern; numbers that follow from its records by exact formulas stay consistent with these.
PATTERN_COLUMNS: Final = (
    "pattern_id", "attributes", "length", "direction", "first", "last", "observed", "expected", "ratio", "low", "high",
    "p", "p_season", "p_adjusted", "tier", "error_rate", "remark", "share_in", "share_outside",
)  # fmt: skip
TIMELINE_COLUMNS: Final = (
    "pattern_id", "period", "first", "last", "periods", "observed", "expected", "low", "high", "in_window",
)  # fmt: skip
#: Told table → column → type and meaning; what is told means what it means in the records' tables.
COLUMNS: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = MappingProxyType(
    {
        "told_patterns": {name: PATTERNS[name] for name in PATTERN_COLUMNS if name in PATTERNS}
        | {
            "share_in": ("Float64", "share of records that hold it in the window"),
            "share_outside": ("Float64", "share of records that hold it outside the window"),
        },
        "told_timeline": {
            **TIMELINE,
            "period": ("str", "a period, or the first and the last of a block of them"),
            "first": ("str", "first period of the block"),
            "last": ("str", "last period of the block"),
            "periods": ("str", "periods of the block, with semicolons between them"),
        },
    }
)
_CONFIDENCE: Final = 0.95
#: Findings about the whole search that say nothing of anybody beyond their own small cells.
_OF_THE_SEARCH: Final = frozenset(
    {
        *("records", "periods", "combinations", "hypotheses", "strict", "exploratory", "folded"),
        *("planted", "planted_found", "planted_found_strict", "planted_in_part", "decoys", "decoys_reported"),
        "unplanted",
    }
)


@dataclass(frozen=True)
class Told:
    """What may be told.

    Attributes:
        patterns: Leaders that may be told, `PATTERN_COLUMNS`, in their order.
        timeline: Their counts by blocks of periods, `TIMELINE_COLUMNS`; the band is Poisson around what is expected.
        withheld: Leaders that are not told.
    """

    patterns: pd.DataFrame
    timeline: pd.DataFrame
    withheld: int


def tell_patterns(
    patterns: pd.DataFrame, timeline: pd.DataFrame, values: pd.DataFrame, minimum_cell: int
) -> Told:
    """Choose what may be told.

    Args:
        patterns: Columns of `PATTERNS`.
        timeline: Columns of `TIMELINE`.
        values: `column, value, records`: the values that can be in a pattern.
        minimum_cell: Smallest count that may be told.

    Raises:
        ValueError: The minimum is below 3, which protects nobody.
    """
    if minimum_cell < 3:
        raise ValueError(f"minimum_cell is {minimum_cell}: below 3 it protects nobody. Set it to 3 or more.")
    leaders = patterns.loc[~patterns["folded"].astype(bool)]
    chosen = _with_way_out(leaders.loc[_large(leaders, minimum_cell)], timeline, values, minimum_cell)
    crowded = _crowded(timeline.loc[timeline["pattern_id"].isin(chosen["pattern_id"])], minimum_cell)
    blocks = [
        block
        for pattern_id in chosen["pattern_id"]
        if pattern_id not in crowded
        for block in _blocks(timeline.loc[timeline["pattern_id"] == pattern_id], minimum_cell)
    ]
    return Told(
        _with_shares(chosen)[list(PATTERN_COLUMNS)].reset_index(drop=True),
        _banded(blocks),
        len(leaders) - len(chosen),
    )


def told_facts(
    study: str, told: Told, findings: Sequence[Fact], *, minimum_cell: int, confidence: float
) -> list[Fact]:
    """State what may be told: the size of the search, and each pattern that may be told.

    Args:
        study: Name of the study.
        told: What may be told.
        findings: Restricted facts; those of the whole search are told, small counts withheld.
        minimum_cell: Smallest count that may be told.
        confidence: Coverage of the intervals of ratios.
    """
    general = [fact for fact in findings if fact.fact_id.split("/", 1)[1] in _OF_THE_SEARCH]
    facts = [
        # from here on the fact stands on the release; lineage leads on to where it was found
        replace(fact, source_asset=f"{study}/facts", row_key=fact.fact_id)
        for fact in control_facts(general, minimum_cell)
    ]
    facts.append(
        Fact(
            f"{study}/withheld",
            "Not told of these, because their counts are small or would give small counts away: {value}.",
            told.withheld,
            "patterns",
            source_asset=f"{study}/facts",
            row_key=f"{study}/withheld",
        )
    )
    return facts + pattern_facts(study, told.patterns, confidence=confidence, source="told_patterns")


def _large(leaders: pd.DataFrame, least: int) -> pd.Series:
    outside = leaders["total"] - leaders["observed"]
    others = leaders["known"] - leaders["observed"]
    others_outside = leaders["known_total"] - leaders["known"] - outside
    enough = (leaders["observed"] >= least) & (leaders["expected"] >= least)
    return (
        enough
        & ((outside == 0) | (outside >= least))
        & (others >= least)
        & ((others_outside >= least) | (outside + others_outside == 0))
    ).astype(bool)


def _with_shares(patterns: pd.DataFrame) -> pd.DataFrame:
    """Add shares, rounded so that the number of records behind them stays vague."""
    outside = patterns["known_total"] - patterns["known"]
    return patterns.assign(
        share_in=(patterns["observed"] / patterns["known"]).astype("Float64").round(3),
        share_outside=((patterns["total"] - patterns["observed"]) / outside).astype("Float64").round(3),
    )


def _items(attributes: str) -> frozenset[tuple[str, str]]:
    return frozenset(parse_attributes(attributes))


def _with_way_out(
    patterns: pd.DataFrame, timeline: pd.DataFrame, values: pd.DataFrame, least: int
) -> pd.DataFrame:
    """Take patterns, the surest first, as long as none is part of another and every column keeps a way out."""
    records = {(row["column"], row["value"]): int(row["records"]) for row in rows(values)}
    over: dict[str, int] = {}
    for (column, _), number in records.items():
        over[column] = over.get(column, 0) + number
    kept: list[frozenset[tuple[str, str]]] = []
    named: set[tuple[str, str]] = set()
    taken: list[str] = []
    for row in rows(patterns):
        items = _items(row["attributes"])
        added = items - named
        left = {column: over[column] for column, _ in added}
        for item in added:
            left[item[0]] -= records[item]
        if any(items <= other or other <= items for other in kept) or any(
            number < least for number in left.values()
        ):
            continue
        if _fills_a_window([*taken, row["pattern_id"]], patterns, timeline, least):
            continue
        kept.append(items)
        named |= items
        over |= left
        taken.append(row["pattern_id"])
    return patterns.loc[patterns["pattern_id"].isin(taken)]


def _fills_a_window(
    pattern_ids: Sequence[str], patterns: pd.DataFrame, timeline: pd.DataFrame, least: int
) -> bool:
    """Tell whether in the window of some pattern, or outside it, too few records hold none of the patterns."""
    mine = timeline.loc[timeline["pattern_id"].isin(pattern_ids)]
    known = mine.groupby("period", sort=False)["known"].min()
    held = mine.groupby("period", sort=False)["observed"].sum()
    for pattern_id in pattern_ids:
        own = mine.loc[mine["pattern_id"] == pattern_id].set_index("period")
        inside = own["in_window"].astype(bool).reindex(known.index)
        for part in (inside, ~inside):
            if part.any() and held[part].sum() > 0 and (known - held)[part].sum() < least:
                return True
    return False


def _crowded(timeline: pd.DataFrame, least: int) -> frozenset[str]:
    """Patterns held in a period in which too few records hold none of them."""
    known = timeline.groupby("period", sort=False)["known"].min()
    held = timeline.groupby("period", sort=False)["observed"].sum()
    full = held.index[(held > 0) & (known - held < least)]
    there = timeline["period"].isin(full) & (timeline["observed"] > 0)
    return frozenset(timeline.loc[there, "pattern_id"])


def _blocks(timeline: pd.DataFrame, least: int) -> list[dict[str, object]]:
    """Merge neighbouring periods of one pattern until each block may be told; none where that cannot be."""
    inside = timeline["in_window"].astype(bool).to_numpy()
    edges = [0, *(at + 1 for at, (a, b) in enumerate(pairwise(inside)) if a != b), len(inside)]
    found: list[dict[str, object]] = []
    for start, stop in pairwise(edges):
        merged = _merged(timeline.iloc[start:stop], least)
        if merged is None:
            return []
        found += merged
    return found


def _merged(segment: pd.DataFrame, least: int) -> list[dict[str, object]] | None:
    """Blocks of one stretch inside or outside the window; what is left at its end joins the block before."""
    spans: list[list[int]] = []
    held = others = start = 0
    for at, (observed, known) in enumerate(zip(segment["observed"], segment["known"], strict=True)):
        held, others = held + int(observed), others + int(known - observed)
        if held >= least and (others >= least or others == 0):
            spans.append([start, at + 1])
            held, others, start = 0, 0, at + 1
    if start < len(segment):
        if spans:
            spans[-1][1] = len(segment)
        elif held == 0 and (others >= least or others == 0):
            spans.append([0, len(segment)])
        else:
            return None
    return [_block(segment.iloc[a:b]) for a, b in spans]


def _block(part: pd.DataFrame) -> dict[str, object]:
    first, last = str(part["period"].iloc[0]), str(part["period"].iloc[-1])
    return {
        "pattern_id": str(part["pattern_id"].iloc[0]),
        "period": first if first == last else f"{first} to {last}",
        "first": first,
        "last": last,
        "periods": "; ".join(part["period"]),
        "observed": int(part["observed"].sum()),
        "expected": float(part["expected"].sum()),
        "in_window": bool(part["in_window"].iloc[0]),
    }


def by_period(told: pd.DataFrame) -> pd.DataFrame:
    """Blocks as single periods, each with the mean of its block, so that lives stand on one axis.

    Args:
        told: `TIMELINE_COLUMNS`.
    """
    long = told.assign(
        period=told["periods"].str.split("; "), size=[len(text.split("; ")) for text in told["periods"]]
    )
    for name in ("observed", "expected", "low", "high"):
        long[name] = long[name].astype("Float64") / long["size"]
    kept = ["pattern_id", "period", "observed", "expected", "low", "high", "in_window"]
    return long.explode("period", ignore_index=True)[kept].astype({"period": "str"})


def _banded(blocks: list[dict[str, object]]) -> pd.DataFrame:
    from scipy import stats

    frame = pd.DataFrame(blocks, columns=[name for name in TIMELINE_COLUMNS if name not in ("low", "high")])
    low, high = stats.poisson.interval(_CONFIDENCE, frame["expected"].astype(float).clip(lower=1e-9))
    frame = frame.assign(low=low, high=high)[list(TIMELINE_COLUMNS)]
    kinds = {"observed": "Int64", "expected": "Float64", "low": "Float64", "high": "Float64"}
    words = dict.fromkeys(("pattern_id", "period", "first", "last", "periods"), "str")
    return frame.astype({**words, **kinds, "in_window": "boolean"})
