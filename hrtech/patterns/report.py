"""A search for patterns as a report for the public: what changed, how sure that is, and what it does not say."""

import math
from collections.abc import Sequence
from typing import Final

import pandas as pd

from hrtech.facts import DataTable, Fact, FactList, Heading, Part, Report, Text
from hrtech.facts.frames import frame_table, rows
from hrtech.patterns.charts import (
    distinct_labels,
    lives_chart,
    ratios_chart,
    timeline_chart,
    together_chart,
)
from hrtech.patterns.planted import REAL
from hrtech.patterns.words import in_words, key_of, short_words, window_words

MOST_SHOWN: Final = 12
_MOST_ROWS: Final = 80
HEADLINE: Final = (
    "records", "without_period", "periods", "combinations", "hypotheses", "strict", "exploratory", "folded", "withheld",
)  # fmt: skip
PLANTED: Final = (
    "planted", "planted_found", "planted_found_strict", "planted_in_part", "decoys", "decoys_reported", "unplanted",
)  # fmt: skip
OF_A_PATTERN: Final = (
    "ratio", "ratio_at_least", "observed", "expected", "share_in", "share_outside", "chance", "volume",
)  # fmt: skip

METHOD: Final = (
    "A pattern is a combination of attributes whose share of the records changed in some window of periods. Shares are "
    "taken of the records in which all its columns are known, so that neither a surge of all records nor a column that "
    "began to be filled in makes a pattern. Each count is compared with what its share in the other periods gives, by "
    "an exact test, and the error rate is controlled over everything that was searched. What a shorter or longer "
    "combination explains is folded under it."
)
LIMITS: Final = (
    "A pattern says that the composition of the records changed, not why: people may have come to report what they did "
    "not report before, or a new office may record differently. It is a question to ask, with the period and the "
    "people to ask it about."
)
TIERS: Final = {
    "strict": "strict, where the probability of any false one is held down",
    "exploratory": "exploratory, a lead, where the share of false ones is held down",
}


def pattern_report(
    study: str,
    title: str,
    facts: Sequence[Fact],
    *,
    promise: str,
    patterns: pd.DataFrame,
    timeline: pd.DataFrame,
    sources: tuple[str, str] = ("patterns", "timeline"),
    blocks: bool = False,
    truth: pd.DataFrame | None = None,
    truth_asset: str = "",
) -> Report:
    """Tell what may be told of a search.

    Args:
        study: Name of the study.
        title: Title.
        facts: Facts that may be told.
        promise: What is promised to the people described, one of `PROMISES`.
        patterns: Patterns that may be told; leaders only are shown.
        timeline: Their timelines, by period.
        sources: Nouns of the assets that hold patterns and timelines.
        blocks: Periods were told in blocks, and the timeline holds the mean of each.
        truth: What was planted in a simulated world, with `told`: how it stands on this page.
        truth_asset: Asset of the truth.
    """
    told = {fact.fact_id for fact in facts}
    if "folded" in patterns:
        patterns = patterns.loc[~patterns["folded"].astype(bool)]
    parts: list[Part] = list(listed(study, HEADLINE, told))
    parts.append(Text(METHOD))
    labels = distinct_labels(patterns)
    parts += [
        chart
        for chart in (
            lives_chart(study, patterns, timeline, source=sources[1]),
            ratios_chart(facts, labels),
            together_chart(study, patterns, source=sources[0]),
        )
        if chart is not None
    ]
    if len(patterns):
        parts += [overview(study, patterns, sources[0])]
    for row in rows(patterns.head(MOST_SHOWN)):
        parts += pattern_parts(study, row, timeline, told, source=sources[1], blocks=blocks)
    if truth is not None:
        parts += planted_parts(study, truth, told, truth_asset)
    parts += [Heading("What this does not say"), Text(LIMITS)]
    return Report(study, title, summary(study, patterns, told), promise, tuple(parts))


def summary(study: str, patterns: pd.DataFrame, told: set[str]) -> str:
    """One paragraph: how many patterns, and the surest of them."""
    if patterns.empty:
        return (
            "The records were searched for combinations of attributes whose share changed; none may be told."
        )
    first = rows(patterns)[0]
    key, who = key_of(first["pattern_id"]), in_words(first["attributes"])
    when = window_words(first["first"], first["last"])
    by = (
        f", {{{{fact:{study}/ratio.{key}}}}} times the share of other periods"
        if f"{study}/ratio.{key}" in told
        else ""
    )
    # a statement of the fact's own words: digits in names and periods stand in the fact too
    return (
        f"What changed in the composition of the records, and is it real? The surest change: records with {who} "
        f"{when}{by}."
        if f"{study}/observed.{key}" in told
        else "What changed in the composition of the records, and is it real?"
    )


def listed(study: str, names: Sequence[str], told: set[str], key: str = "") -> list[Part]:
    """The facts of these names that were told, as one list; nothing where there is none."""
    ids = (f"{study}/{name}.{key}" if key else f"{study}/{name}" for name in names)
    there = tuple(fact_id for fact_id in ids if fact_id in told)
    return [FactList(there)] if there else []


def overview(study: str, patterns: pd.DataFrame, source: str, links: Sequence[str] = ()) -> DataTable:
    """The leaders in one table, the surest first."""
    more = len(patterns) - _MOST_ROWS
    patterns, links = patterns.head(_MOST_ROWS), tuple(links)[:_MOST_ROWS]
    listed = rows(patterns)
    shown = pd.DataFrame(
        {
            "pattern": short_words([row["attributes"] for row in listed]),
            "change": patterns["direction"].to_list(),
            "when": [
                row["first"] if row["first"] == row["last"] else f"{row['first']} to {row['last']}"
                for row in listed
            ],
            "observed": patterns["observed"].to_list(),
            "expected": patterns["expected"].astype("Float64").round(1).to_list(),
            "ratio": [_ratio_words(row) for row in listed],
            "p": p_words(patterns["p"]),
            "p season": p_words(patterns["p_season"]),
            "p adjusted": p_words(patterns["p_adjusted"]),
            "tier": patterns["tier"].to_list(),
        }
    )
    blank = [name for name in ("p season", "p adjusted") if (shown[name] == "").all()]
    return frame_table(
        "Patterns, the surest first",
        shown.drop(columns=blank),
        digits=1,
        source_assets=(f"{study}/{source}",),
        description="ratio: share in the window over the share in other periods, with its interval. p: for this "
        "combination and window alone. p season: among the same phases of other cycles. p adjusted: for everything "
        "searched; of leads (exploratory), how many false ones to expect where one as weak is told."
        + (f" The first {_MOST_ROWS}; {more} more are in the asset." if more > 0 else ""),
        links=links,
    )


def _ratio_words(row: dict) -> str:
    ratio, low, high = row["ratio"], row["low"], row["high"]
    if ratio is None or not math.isfinite(ratio):
        return "" if low is None else f"≥ {_short(low)}"
    both = low is not None and high is not None and math.isfinite(high)
    return _short(ratio) + (f" ({_short(low)}–{_short(high)})" if both else "")


def _short(ratio: float) -> str:
    """Two decimals, or three digits of what is larger."""
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.1f}" if ratio < 100 else f"{ratio:,.0f}"


def pattern_parts(
    study: str,
    row: dict,
    timeline: pd.DataFrame,
    told: set[str],
    *,
    source: str,
    level: int = 3,
    blocks: bool = False,
) -> list[Part]:
    """Heading, what is told in one paragraph, and timeline of one pattern."""
    key = key_of(row["pattern_id"])
    heading = f"{in_words(row['attributes'])}: {row['direction']} {window_words(row['first'], row['last'])}"
    parts: list[Part] = [Heading(heading[:1].upper() + heading[1:], level)]
    there = [f"{study}/{name}.{key}" for name in OF_A_PATTERN if f"{study}/{name}.{key}" in told]
    if there:
        parts.append(Text(_paragraph(study, row, told)))
    mine = timeline.loc[timeline["pattern_id"] == row["pattern_id"]]
    if len(mine):
        parts.append(timeline_chart(study, row, mine, source=source, fact_ids=there, blocks=blocks))
    return parts


def _paragraph(study: str, row: dict, told: set[str]) -> str:
    """What changed, from what to what, and how sure that is: every number a fact."""
    key = key_of(row["pattern_id"])

    def said(name: str, words: str) -> str:
        return words.replace("@", f"{study}/{name}.{key}") if f"{study}/{name}.{key}" in told else ""

    ratio = said("ratio", ", {{fact:@}} times as high ({{fact:@|low}} to {{fact:@|high}})")
    if row["high"] is None or not math.isfinite(row["high"]):
        ratio = said("ratio", ", {{fact:@}} times as high")
    return (
        said("observed", "**{{fact:@}}** records")
        + said("expected", ", where {{fact:@}} would have been expected from their share in other periods")
        + said("share_in", ": {{fact:@}} of all records")
        + said("share_outside", " against {{fact:@}}")
        + (ratio or said("ratio_at_least", ", {{fact:@}} times as high or more"))
        + ". "
        + said("chance", "{{fact:@|sentence}} ")
        + f"The tier is {TIERS[row['tier']]}."
        + said("volume", " {{fact:@|sentence}}")
    )


def planted_parts(study: str, truth: pd.DataFrame, told: set[str], asset: str) -> list[Part]:
    """What was planted in the simulated world, and how it stands on this page."""
    shown = pd.DataFrame(
        {
            "planted": [in_words(text) if text else "all records" for text in truth["attributes"]],
            "kind": truth["kind"].str.replace("_", " "),
            "from": truth["first"],
            "to": truth["last"],
            "expected": truth["expected"].astype("Float64").round(1),
            "added": truth["extra"],
            "on this page": truth["told"],
        }
    )
    return [
        Heading("What was planted in the simulated world"),
        *listed(study, PLANTED, told),
        frame_table(
            "Planted changes and decoys",
            shown,
            digits=1,
            source_assets=(asset,) if asset else (),
            description="emerging: planted changes, to be found. seasonal, stable rare and surge are decoys: they "
            "look like a change and are none, and should not be reported.",
        ),
    ]


def planted_told(compared: pd.DataFrame) -> pd.DataFrame:
    """Say of each planted change and decoy how it stands on a page that tells only what may be told.

    Args:
        compared: From `compare_with_planted`, with the patterns that are told.
    """
    words = {"exactly": "told", "in part": "told in part", "no": "not told: missed, or withheld as small"}
    decoy = {"exactly": "told, wrongly", "in part": "told in part, wrongly", "no": "not told, rightly"}
    return compared.assign(
        told=[
            (words if kind == REAL else decoy)[found]
            for kind, found in zip(compared["kind"], compared["found"], strict=True)
        ]
    )


def finite(values: pd.Series) -> pd.Series:
    """Numbers as a report may hold them: what is infinite is blank."""
    numbers = values.astype("Float64")
    return numbers.mask(numbers.abs() == float("inf"))


def p_words(values: pd.Series) -> list[str]:
    """Probabilities for a table; blank where there is none."""
    return ["" if pd.isna(p) else f"{p:.1e}" if p < 0.001 else f"{p:.3f}" for p in values]
