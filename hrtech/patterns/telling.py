"""What a search for patterns tells as facts: what changed, from what to what, how sure, and what else changed.

Facts of a pattern rest on one row of its table, so that the same function states them of all leaders (restricted) and
of those that may be told.
"""

import math
from collections.abc import Mapping
from typing import Final

import pandas as pd

from hrtech.counts import parse_attributes
from hrtech.facts import Fact
from hrtech.facts.frames import rows
from hrtech.patterns.words import in_words, key_of, window_words

#: Leaders of which facts are stated, the surest first.
MOST_TOLD: Final = 24
_SMALLEST_P: Final = 1e-9
_COUNTED: Final = (
    ("records", "{value} records lie in the periods that were searched.", "records"),
    ("periods", "They span {value} periods.", "periods"),
    ("combinations", "{value} combinations of attributes occur often enough to be searched.", "combinations"),
    (
        "hypotheses",
        "With every window in which each might have changed, {value} possible changes were weighed.",
        "hypotheses",
    ),
)


def search_facts(study: str, search: pd.DataFrame, patterns: pd.DataFrame) -> list[Fact]:
    """State what was searched and how much was found.

    Args:
        study: Name of the study; first part of each fact id.
        search: The table `search`, one row.
        patterns: Columns of `PATTERNS`.
    """
    source, about = f"{study}/search", rows(search)[0]
    facts = [
        Fact(f"{study}/{name}", words, about[name], unit, source_asset=source)
        for name, words, unit in _COUNTED
    ]
    if about["without_period"] > 0:
        facts.append(
            Fact(
                f"{study}/without_period",
                "{value} of all records say no time and were left out.",
                about["without_period"],
                "proportion",
                source_asset=source,
            )
        )
    leaders = patterns.loc[~patterns["folded"].astype(bool)]
    found = f"{study}/patterns"
    for tier, words in (
        (
            "strict",
            f"Patterns that hold strictly: {{value}}. The probability that any of them is a product of chance is "
            f"{_percent(about['strict'])} at most.",
        ),
        (
            "exploratory",
            "Further patterns that are leads: {value}. Of these, chance is expected to have made "
            f"{_percent(about['exploratory'])} at most.",
        ),
    ):
        if tier == "strict" or about["exploratory"] > 0:
            number = int((leaders["tier"] == tier).sum())
            facts.append(Fact(f"{study}/{tier}", words, number, "patterns", source_asset=found))
    folded = int(patterns["folded"].astype(bool).sum())
    if folded:
        facts.append(
            Fact(
                f"{study}/folded",
                "Combinations and windows that changed only as parts or extensions of these: {value}.",
                folded,
                "patterns",
                source_asset=found,
            )
        )
    return facts


def pattern_facts(
    study: str,
    patterns: pd.DataFrame,
    *,
    confidence: float = 0.95,
    source: str = "patterns",
    volume: pd.DataFrame | None = None,
) -> list[Fact]:
    """State what changed, for each leader.

    Args:
        study: Name of the study.
        patterns: Columns of `PATTERNS`, or those of them that may be told; leaders only are stated.
        confidence: Coverage of the intervals of ratios.
        source: Noun of the asset that holds them.
        volume: `period, records` in the order of periods, to tell how all records changed at the same time.
    """
    leaders = patterns.loc[~patterns["folded"].astype(bool)] if "folded" in patterns else patterns
    facts: list[Fact] = []
    for row in rows(leaders.head(MOST_TOLD)):
        facts += _change(study, row, confidence, f"{study}/{source}")
        facts += _sureness(study, row, f"{study}/{source}")
        facts += _company(study, row, leaders, volume, f"{study}/{source}")
    return facts


def _change(study: str, row: Mapping, confidence: float, source: str) -> list[Fact]:
    key, who, when = (
        key_of(row["pattern_id"]),
        in_words(row["attributes"]),
        window_words(row["first"], row["last"]),
    )
    interval = f"{100 * confidence:g} % interval (exact)"
    facts: list[Fact] = []
    if row["ratio"] is not None and math.isfinite(row["ratio"]):
        high = row["high"] if row["high"] is not None and math.isfinite(row["high"]) else None
        facts.append(
            Fact(
                f"{study}/ratio.{key}",
                f"The share of records with {who} was {{value}} times as high {when} as in other periods.",
                row["ratio"],
                "ratio",
                low=row["low"] if high is not None else None,
                high=high,
                uncertainty=interval if high is not None else "",
                source_asset=source,
                row_key=str(row["pattern_id"]),
            )
        )
    elif row["low"] is not None:
        facts.append(
            Fact(
                f"{study}/ratio_at_least.{key}",
                f"Records with {who} appeared {when} and in no other period; their share was {{value}} times as high "
                f"as elsewhere or more ({interval}).",
                row["low"],
                "ratio",
                source_asset=source,
                row_key=str(row["pattern_id"]),
            )
        )
    facts += [
        Fact(
            f"{study}/observed.{key}",
            f"{{value}} records with {who} came {when}.",
            row["observed"],
            "records",
            source_asset=source,
            row_key=str(row["pattern_id"]),
        ),
        Fact(
            f"{study}/expected.{key}",
            "{value} would have been expected from their share in other periods.",
            round(row["expected"], 1),
            "expected records",
            source_asset=source,
            row_key=str(row["pattern_id"]),
        ),
    ]
    return facts + _shares(study, row, who, when, source)


def _shares(study: str, row: Mapping, who: str, when: str, source: str) -> list[Fact]:
    inside, outside = row.get("share_in"), row.get("share_outside")
    if row.get("known"):
        inside = row["observed"] / row["known"]
        if row["known_total"] > row["known"]:
            outside = (row["total"] - row["observed"]) / (row["known_total"] - row["known"])
    return [
        Fact(
            f"{study}/{name}.{key_of(row['pattern_id'])}",
            words,
            value,
            "proportion",
            source_asset=source,
            row_key=str(row["pattern_id"]),
        )
        for name, words, value in (
            ("share_in", f"{{value}} of records had {who} {when}.", inside),
            ("share_outside", "In other periods {value} of records had it.", outside),
        )
        if value is not None
    ]


def _sureness(study: str, row: Mapping, source: str) -> list[Fact]:
    key = key_of(row["pattern_id"])
    if row["tier"] == "strict" and row["p_adjusted"] is not None:
        p, words = row["p_adjusted"], "Chance alone would make anything so clear, in the whole search,"
    else:
        p, words = row["p"], "Chance alone would make this combination and window so unusual"
    return [
        Fact(
            f"{study}/chance.{key}",
            f"{words} with probability {{value}}{' or less' if p < _SMALLEST_P else ''}.",
            max(p, _SMALLEST_P),
            "probability",
            source_asset=source,
            row_key=str(row["pattern_id"]),
        )
    ]


def _company(
    study: str, row: Mapping, leaders: pd.DataFrame, volume: pd.DataFrame | None, source: str
) -> list[Fact]:
    """How all records changed in the same window, where that is known."""
    if volume is None:
        return []
    inside = in_window(volume["period"], row["first"], row["last"])
    outside = float(volume.loc[~inside, "records"].mean()) if (~inside).any() else 0.0
    if outside <= 0:
        return []
    return [
        Fact(
            f"{study}/volume.{key_of(row['pattern_id'])}",
            "All records together came at {value} times their mean of other periods; a change of volume alone is no "
            "pattern.",
            float(volume.loc[inside, "records"].mean()) / outside,
            "ratio",
            source_asset=f"{study}/periods",
            row_key=str(row["pattern_id"]),
        )
    ]


def in_window(periods: pd.Series, first: str, last: str) -> pd.Series:
    """Tell which of all periods, in order, lie in a window."""
    places = {str(label): at for at, label in enumerate(periods)}
    start, stop = places[str(first)], places[str(last)]
    return pd.Series([start <= at <= stop for at in range(len(periods))], index=periods.index)


def at_once(patterns: pd.DataFrame, periods: pd.Series) -> pd.DataFrame:
    """Which leaders changed in overlapping windows: what else changed at once.

    Args:
        patterns: Columns of `PATTERNS`, or those that may be told.
        periods: Labels of all periods in order.

    Returns:
        `pattern_id, other_id, attributes, direction, first, last, ratio, shared_attributes`: for each leader of which
        facts are stated, every other.
    """
    leaders = patterns.loc[~patterns["folded"].astype(bool)] if "folded" in patterns else patterns
    places = {str(label): at for at, label in enumerate(periods)}
    listed = rows(leaders)
    found = []
    for one in listed[:MOST_TOLD]:
        for other in listed:
            if one is other or not _overlap(one, other, places):
                continue
            shared = set(parse_attributes(one["attributes"])) & set(parse_attributes(other["attributes"]))
            found.append(
                (
                    one["pattern_id"],
                    other["pattern_id"],
                    *(other[name] for name in ("attributes", "direction", "first", "last", "ratio")),
                    len(shared),
                )
            )
    names = [
        "pattern_id",
        "other_id",
        "attributes",
        "direction",
        "first",
        "last",
        "ratio",
        "shared_attributes",
    ]
    kinds = dict.fromkeys(names[:6], "str") | {"ratio": "Float64", "shared_attributes": "Int64"}
    return pd.DataFrame(found, columns=names).astype(kinds)


def _overlap(one: Mapping, other: Mapping, places: Mapping[str, int]) -> bool:
    return places[one["first"]] <= places[other["last"]] and places[other["first"]] <= places[one["last"]]


def _percent(rate: float) -> str:
    return f"{100 * rate:g} %"
