"""The charts of patterns, through the kit of `hrtech.pages`: timelines, lives, ratios, who goes with whom."""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Final

import pandas as pd

from hrtech.counts import parse_attributes
from hrtech.facts import Chart, Fact
from hrtech.facts.frames import rows
from hrtech.pages import charts, pattern_charts
from hrtech.patterns.words import in_words, short_words, window_words

_MOST_LIVES: Final = 24
_MOST_ATTRIBUTES: Final = 18
#: Ends of the scale of ratios; what lies beyond is drawn there.
_LEAST: Final = 0.01
_MOST: Final = 100.0


def timeline_chart(
    study: str,
    pattern: dict,
    timeline: pd.DataFrame,
    *,
    source: str,
    fact_ids: Sequence[str] = (),
    blocks: bool = False,
) -> Chart:
    """One pattern by period: observed, expected with its band, the window shaded.

    Args:
        study: Name of the study.
        pattern: Row of the pattern.
        timeline: Its rows of `TIMELINE`, in order.
        source: Noun of the asset that holds the timeline.
        fact_ids: Facts of the pattern.
        blocks: Periods were told in blocks, and the timeline holds the mean of each.
    """
    data = rows(timeline[["period", "observed", "expected", "low", "high", "in_window"]])
    when = window_words(pattern["first"], pattern["last"])
    inside = [row for row in data if row["in_window"]]
    observed, expected = (sum(row[name] for row in inside) for name in ("observed", "expected"))
    return Chart(
        f"Records with {in_words(pattern['attributes'])}",
        pattern_charts.banded(
            data,
            period="period",
            value="observed",
            expected="expected",
            low="low",
            high="high",
            inside="in_window",
            period_title="period",
            value_title="records observed",
            expected_title="expected from other periods",
            number_format=",.3~r",
        ),
        f"{observed:g} records {when}, where {expected:.1f} were expected. The grey band holds the counts that chance "
        "would give at the share of other periods; the shaded window is where the pattern was found."
        + (" Counts are told in blocks of periods, so that none is small; a block shows its mean." * blocks),
        fact_ids=tuple(fact_ids),
        source_assets=(f"{study}/{source}",),
    )


def lives_chart(study: str, patterns: pd.DataFrame, timeline: pd.DataFrame, *, source: str) -> Chart | None:
    """Every leader's life on one grid; None where there is none."""
    data = []
    labels = distinct_labels(patterns.head(_MOST_LIVES))
    for row in rows(patterns.head(_MOST_LIVES)):
        mine = timeline.loc[timeline["pattern_id"] == row["pattern_id"]]
        for at in rows(mine):
            known = at["expected"] is not None and at["expected"] > 0
            data.append(
                {
                    "label": labels[row["pattern_id"]],
                    "period": at["period"],
                    "ratio": at["observed"] / at["expected"] if known else None,
                    "inside": bool(at["in_window"]),
                }
            )
    if not data:
        return None
    return Chart(
        "The life of each pattern",
        pattern_charts.lives(
            data,
            period="period",
            label="label",
            value="ratio",
            inside="inside",
            period_title="period",
            label_title="pattern",
            value_title="observed / expected",
        ),
        f"Patterns, the surest first: {len(set(labels.values()))}. Orange: more records than expected from other "
        "periods; blue: fewer. The outlined periods are the window in which it was found.",
        source_assets=(f"{study}/{source}",),
    )


def distinct_labels(patterns: pd.DataFrame) -> dict[str, str]:
    """Short words for each pattern, made longer by the window where two would be the same."""
    listed = rows(patterns)
    plain = short_words([row["attributes"] for row in listed])
    return {
        row["pattern_id"]: words
        if plain.count(words) == 1
        else f"{words} ({row['first']}, {row['direction']})"
        for row, words in zip(listed, plain, strict=True)
    }


def ratios_chart(facts: Sequence[Fact], labels: dict[str, str]) -> Chart | None:
    """Rate ratios with their intervals; None where no pattern has one."""
    stated = [fact for fact in facts if "/ratio." in fact.fact_id and fact.row_key in labels]
    shown = [fact for fact in stated if fact.value > 0][:_MOST_LIVES]
    if not shown:
        return None
    data = [
        {
            "pattern": labels[fact.row_key],
            "ratio": fact.value,
            "low": fact.value if fact.low is None else fact.low,
            "high": fact.value if fact.high is None else fact.high,
        }
        for fact in shown
    ]
    spec = charts.forest(
        data,
        label="pattern",
        estimate="ratio",
        low="low",
        high="high",
        reference=1.0,
        label_title="pattern",
        estimate_title="share in the window / share in other periods",
        number_format=",.3~r",
    )
    drawn = [end for fact in shown for end in (fact.value, fact.low, fact.high) if end]
    scale = {"type": "log", "domain": [max(min(drawn), _LEAST), min(max(*drawn, 1.0), _MOST)], "clamp": True}
    for layer in spec["layer"]:
        layer["encoding"]["x"]["scale"] = scale
        if "y" in layer["encoding"]:
            layer["encoding"]["y"]["axis"] = {"labelLimit": pattern_charts.WIDE}
    return Chart(
        "How much each share changed",
        spec,
        "Share of the records in the window over the share in other periods, with its interval, on a scale of "
        "factors; 1 is no change.",
        fact_ids=tuple(fact.fact_id for fact in shown),
    )


def _times(row: dict) -> float | None:
    """How many times a share rose or fell; at least, where it was nothing inside or outside."""
    ratio = float(row["ratio"])
    if 0 < ratio < math.inf:
        return max(ratio, 1 / ratio)
    end = row["low"] if ratio > 0 else row["high"]
    return None if end is None or not 0 < end < math.inf else float(end if ratio > 0 else 1 / end)


def together_chart(study: str, patterns: pd.DataFrame, *, source: str) -> Chart | None:
    """Which attributes come together in patterns, and how strongly; None where no pattern has two."""
    strongest: dict[tuple[str, str], float] = {}
    order: dict[str, int] = {}
    for row in rows(patterns):
        if row["ratio"] is None:
            continue
        items = [render_words(item) for item in parse_attributes(row["attributes"])]
        for pair in combinations(items, 2):
            if len({*order, *pair}) > _MOST_ATTRIBUTES:
                continue
            for name in pair:
                order.setdefault(name, len(order))
            change = _times(row)
            if change is None:
                continue
            strongest[pair] = max(strongest.get(pair, 0.0), change)
    if len(order) <= 2:  # one pair is no view of what goes together
        return None
    data = [
        {"one": a, "other": b, "change": change}
        for (one, other), change in strongest.items()
        for a, b in ((one, other), (other, one))
    ]
    return Chart(
        "Which attributes come together",
        pattern_charts.together(
            data, one="one", other="other", value="change", names=sorted(order), value_title="largest change"
        ),
        "Each cell is a pair of attributes that are parts of one pattern; the number says how many times its share "
        "rose, or fell, in the pattern where it changed most; at least, where that was nowhere else, or vanished.",
        source_assets=(f"{study}/{source}",),
    )


def volume_chart(study: str, periods: pd.DataFrame) -> Chart:
    """Records by period, whatever they hold."""
    data = rows(periods[["period", "records"]])
    return Chart(
        "All records by period",
        pattern_charts.volume(
            data, period="period", value="records", period_title="period", value_title="records"
        ),
        f"{sum(row['records'] for row in data)} records in {len(data)} periods. How many there are is no pattern: only "
        "their composition is tested.",
        source_assets=(f"{study}/periods",),
    )


def render_words(item: tuple[str, str]) -> str:
    """One attribute in words."""
    column, value = item
    return f"{column.replace('_', ' ')} {value}"
