"""What a search found of what was planted in a simulated world, and which decoys it reported."""

from collections.abc import Mapping
from typing import Final

import pandas as pd

from hrtech.counts import parse_attributes
from hrtech.facts import Fact
from hrtech.facts.frames import rows
from hrtech.patterns.declared import PatternSettings
from hrtech.patterns.periods import read_periods

REAL: Final = "emerging"
#: Combinations of which one is part of the other and that share this much count as found in part.
_ALIKE: Final = 0.5
_KINDS: Final = {
    "attributes": "str", "kind": "str", "first": "str", "last": "str", "expected": "Float64", "extra": "Int64",
    "found": "str", "tier": "str", "pattern_id": "str",
}  # fmt: skip


def compare_with_planted(
    patterns: pd.DataFrame, truth: pd.DataFrame, settings: PatternSettings
) -> pd.DataFrame:
    """Compare leaders with what was planted.

    Args:
        patterns: Columns of `PATTERNS`, or those that may be told; leaders only count.
        truth: `attributes, start, end` (days), `expected, extra, kind`; see `hrtech.mock`.
        settings: How days become periods.

    Returns:
        One row a planted change or decoy: `attributes, kind, first, last, expected, extra`, `found` (exactly, in part,
        no), and tier and pattern_id of the leader. Exactly: the same attributes in an overlapping window. In part: one
        combination is part of the other and half or more of their attributes are shared. Decoys count as reported in
        whatever window.
    """
    leaders = patterns.loc[~patterns["folded"].astype(bool)] if "folded" in patterns else patterns
    days = pd.concat([truth["start"], truth["end"]], ignore_index=True)
    periods = read_periods(pd.DataFrame({settings.time: days}), settings)
    labels = [periods.labels[at] for at in periods.index]
    spans = list(zip(labels[: len(truth)], labels[len(truth) :], strict=True))
    # labels of weeks to years sort as their periods do
    order = sorted({*labels, *leaders["first"], *leaders["last"]})
    places = {label: at for at, label in enumerate(order)}
    found = [
        (
            row["attributes"] or "",
            row["kind"],
            *span,
            row["expected"],
            row["extra"],
            *_best(row, span, rows(leaders), places),
        )
        for row, span in zip(rows(truth), spans, strict=True)
    ]
    return pd.DataFrame(found, columns=list(_KINDS)).astype(_KINDS)


def _best(
    planted: Mapping, span: tuple[str, str], leaders: list[dict], places: Mapping[str, int]
) -> tuple[str, str | None, str | None]:
    items = _items(planted["attributes"])
    start, stop = places[span[0]], places[span[1]]
    partly: dict | None = None
    for row in leaders:
        inside = places[row["first"]] <= stop and start <= places[row["last"]]
        if planted["kind"] == REAL and (not inside or row["direction"] == "fading"):
            continue
        mine = _items(row["attributes"])
        if mine == items:
            return "exactly", row["tier"], row["pattern_id"]
        if partly is None and alike(mine, items):
            partly = row
    return ("no", None, None) if partly is None else ("in part", partly["tier"], partly["pattern_id"])


def alike(one: frozenset, other: frozenset) -> bool:
    """Tell whether one combination is part of the other and they share at least half of their attributes."""
    return (
        bool(one & other) and (one <= other or other <= one) and len(one & other) / len(one | other) >= _ALIKE
    )


def _items(attributes: str | None) -> frozenset:
    return frozenset(parse_attributes(attributes)) if attributes else frozenset()


def planted_facts(study: str, compared: pd.DataFrame, patterns: pd.DataFrame) -> list[Fact]:
    """State how much of what was planted was found, and how many decoys were reported.

    Args:
        study: Name of the study.
        compared: From `compare_with_planted`.
        patterns: The patterns that were compared.
    """
    leaders = patterns.loc[~patterns["folded"].astype(bool)]
    real, decoys = compared.loc[compared["kind"] == REAL], compared.loc[compared["kind"] != REAL]
    exact = real["found"] == "exactly"
    planted = [_items(text) for text in compared["attributes"]]
    others = [
        text
        for text in leaders["attributes"]
        if not any(_items(text) == items or alike(_items(text), items) for items in planted)
    ]
    stated = (
        ("planted", "{value} changes were planted in the simulated world.", len(real)),
        ("planted_found", "Of these, {value} were found exactly, attribute by attribute.", int(exact.sum())),
        (
            "planted_found_strict",
            "Of those found exactly, {value} hold strictly.",
            int((exact & (real["tier"] == "strict")).sum()),
        ),
        (
            "planted_in_part",
            "Found in part, with an attribute more or fewer: {value}.",
            int((real["found"] == "in part").sum()),
        ),
        ("decoys", "{value} decoys were planted too: seasons, rare combinations, a surge.", len(decoys)),
        (
            "decoys_reported",
            "Decoys that were reported as a change, whole or in part: {value}.",
            int((decoys["found"] != "no").sum()),
        ),
        (
            "unplanted",
            "Reported patterns that are neither planted nor a decoy: {value}.",
            len(others),
        ),
    )
    return [
        Fact(f"{study}/{name}", words, number, "patterns", source_asset=f"{study}/planted")
        for name, words, number in stated
    ]
