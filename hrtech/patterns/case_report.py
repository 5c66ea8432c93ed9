"""A search for patterns for the keepers of the records: the first page, and one page a pattern. For casework only."""

from collections.abc import Sequence
from typing import Final

import pandas as pd

from hrtech.facts import DataTable, Fact, Heading, Part, Report, Text
from hrtech.facts.frames import frame_table, rows
from hrtech.patterns.charts import distinct_labels, lives_chart, ratios_chart, together_chart, volume_chart
from hrtech.patterns.planted import REAL
from hrtech.patterns.report import (
    HEADLINE,
    LIMITS,
    METHOD,
    PLANTED,
    finite,
    listed,
    overview,
    p_words,
    pattern_parts,
    summary,
)
from hrtech.patterns.telling import MOST_TOLD, pattern_facts
from hrtech.patterns.words import in_words, key_of, window_words

#: Tables that the pages show; `OPTIONAL` only where a study makes them.
SHOWN: Final = (
    "patterns",
    "timeline",
    "thresholds",
    "search",
    "periods",
    "remarks",
    "composition",
    "at_once",
    "history",
)
OPTIONAL: Final = ("stable", "decisions", "lives", "planted")
_MOST_ROWS: Final = 60
_FOLDER: Final = "patterns"


def case_report(
    study: str,
    title: str,
    facts: Sequence[Fact],
    *,
    pages: frozenset[str] = frozenset(),
    **tables: pd.DataFrame,
) -> Report:
    """Return the first page.

    Args:
        study: Name of the study.
        title: Title.
        facts: Findings.
        pages: Addresses of the pages of single patterns.
        tables: The tables of `SHOWN`, and those of `OPTIONAL` that there are.
    """
    told = {fact.fact_id for fact in facts}
    patterns, timeline = tables["patterns"], tables["timeline"]
    leaders = patterns.loc[~patterns["folded"].astype(bool)]
    labels = distinct_labels(leaders)
    addresses = [_address(key) if _address(key) in pages else "" for key in leaders["pattern_id"]]
    links = [f"{address}.html" if address else "" for address in addresses]
    charts = (
        lives_chart(study, leaders, timeline, source="timeline"),
        ratios_chart(facts, labels),
        together_chart(study, leaders, source="patterns"),
    )
    parts: list[Part] = [*listed(study, HEADLINE, told), Text(METHOD)]
    if len(tables["remarks"]):
        parts += [
            Text("\n".join(f"- {_escaped(text)}" for text in tables["remarks"]["remark"])),
        ]
    if len(leaders):
        parts.append(overview(study, leaders, "patterns", links))
    parts += [chart for chart in charts if chart is not None]
    parts += _planted(study, told, tables.get("planted"))
    parts += _watched(study, tables)
    parts += _families(study, patterns)
    if "stable" in tables:
        parts += _stable(study, tables["stable"])
    parts += [
        Heading("The data"),
        volume_chart(study, tables["periods"]),
        frame_table(
            "What was searched, and from where on a pattern is reported",
            tables["thresholds"].assign(
                threshold=p_words(tables["thresholds"]["threshold"]),
                season_threshold=p_words(tables["thresholds"]["season_threshold"]),
            ),
            source_assets=(f"{study}/thresholds",),
            description="threshold: the largest p that is reported at this length; testable: what could be so "
            "unusual at all.",
        ),
        DataTable(
            "The search",
            ("what", "value"),
            tuple(
                (name.replace("_", " "), _said(value)) for name, value in rows(tables["search"])[0].items()
            ),
            source_assets=(f"{study}/search",),
        ),
        Heading("What this does not say"),
        Text(LIMITS),
    ]
    return Report(study, title, summary(study, leaders, told), "restricted", tuple(parts))


def pattern_pages(study: str, **tables: pd.DataFrame) -> dict[str, Report]:
    """Return the pages of single patterns, address → report.

    Args:
        study: Name of the study.
        tables: As for `case_report`.
    """
    patterns = tables["patterns"]
    told = {fact.fact_id for fact in pattern_facts(study, patterns, volume=tables["periods"])}
    leaders = patterns.loc[~patterns["folded"].astype(bool)]
    found = {}
    paged = leaders.head(MOST_TOLD)
    for row in rows(paged):
        key = row["pattern_id"]
        parts = pattern_parts(study, row, tables["timeline"], told, source="timeline", level=2)
        if row["remark"]:
            parts.append(Text(f"**Keep in mind:** {_escaped(row['remark'])}"))
        parts += _company(study, key, patterns, tables, set(paged["pattern_id"]))
        title = in_words(row["attributes"])
        when = window_words(row["first"], row["last"])
        found[_address(key)] = Report(
            f"{study}_{key}".lower(),
            title[:1].upper() + title[1:],
            f"A pattern of {study.replace('_', ' ')}: {row['direction']} {when}. [All patterns](../index.html)",
            "restricted",
            tuple(parts),
        )
    return found


def _address(pattern_id: str) -> str:
    return f"{_FOLDER}/{key_of(pattern_id)}"


def _company(
    study: str, key: str, patterns: pd.DataFrame, tables: dict[str, pd.DataFrame], paged: set[str]
) -> list[Part]:
    parts: list[Part] = []
    members = tables.get("composition", pd.DataFrame({"pattern_id": []}))
    members = members.loc[members["pattern_id"] == key]
    if len(members):
        shown = members.drop(columns="pattern_id").assign(
            attribute=[in_words(text) for text in members["attribute"]]
        )
        parts.append(
            frame_table(
                "Who is in it",
                shown,
                source_assets=(f"{study}/composition",),
                description="Further attributes that are most unusual among the records of this pattern in its window: "
                "their share there, among its records of other periods, and among all records in the window. "
                "Described, not tested.",
            )
        )
    family = patterns.loc[(patterns["family"] == key) & patterns["folded"].astype(bool)]
    if len(family):
        parts.append(_folded(study, "Its family: explained by this pattern", family))
    others = tables["at_once"].loc[tables["at_once"]["pattern_id"] == key]
    if len(others):
        shown = others.drop(columns=["pattern_id", "other_id"]).assign(
            attributes=[in_words(text) for text in others["attributes"]],
            ratio=finite(others["ratio"]),
        )
        parts.append(
            frame_table(
                "What else changed at once",
                shown,
                digits=2,
                source_assets=(f"{study}/at_once",),
                links=[
                    f"../{_address(other)}.html" if other in paged else "" for other in others["other_id"]
                ],
            )
        )
    return parts


def _folded(study: str, title: str, family: pd.DataFrame) -> Part:
    shown = pd.DataFrame(
        {
            "pattern": [in_words(text) for text in family["attributes"]],
            "why": family["why_folded"],
            "from": family["first"],
            "to": family["last"],
            "observed": family["observed"],
            "expected": family["expected"].astype("Float64").round(1),
            "ratio": finite(family["ratio"]),
        }
    )
    return frame_table(title, shown.head(_MOST_ROWS), digits=2, source_assets=(f"{study}/patterns",))


def _families(study: str, patterns: pd.DataFrame) -> list[Part]:
    folded = patterns.loc[patterns["folded"].astype(bool)]
    if folded.empty:
        return []
    return [
        Heading("Folded under others"),
        Text(
            "What changed only because a shorter or longer combination did stands on the page of that pattern: it "
            "is no finding of its own."
        ),
        _folded(study, "Folded patterns", folded),
    ]


def _planted(study: str, told: set[str], planted: pd.DataFrame | None) -> list[Part]:
    if planted is None:
        return []
    shown = planted.drop(columns="pattern_id").assign(
        attributes=[in_words(text) if text else "all records" for text in planted["attributes"]],
        kind=["to be found" if kind == REAL else f"decoy: {kind.replace('_', ' ')}" for kind in planted["kind"]],
    )  # fmt: skip
    return [
        Heading("What was planted in the simulated world"),
        *listed(study, PLANTED, told),
        frame_table("Planted changes and decoys", shown, digits=1, source_assets=(f"{study}/planted",)),
    ]


def _watched(study: str, tables: dict[str, pd.DataFrame]) -> list[Part]:
    if "lives" not in tables:
        return []
    looks = tables["decisions"].loc[tables["decisions"]["decision"] == "looked"]
    parts: list[Part] = [
        Heading("Monitoring: each period as it came"),
        Text(
            "Each finished period was tested once against its history, with an error rate that all looks share. A "
            "look is never repeated, whatever is run again."
        ),
    ]
    lives = tables["lives"]
    if len(lives):
        shown = lives.assign(
            attributes=[in_words(text) for text in lives["attributes"]],
            ratio=finite(lives["ratio"]),
        )
        parts.append(
            frame_table("Lives of watched patterns", shown, digits=2, source_assets=(f"{study}/lives",))
        )
    parts.append(
        frame_table(
            "Looks",
            looks[["look", "period", "alpha"]].tail(_MOST_ROWS),
            digits=5,
            source_assets=(f"{study}/decisions",),
        )
    )
    return parts


def _stable(study: str, stable: pd.DataFrame) -> list[Part]:
    if stable.empty:
        return [
            Heading("What goes together in every period"),
            Text("Nothing goes together more often than chance."),
        ]
    shown = stable.head(_MOST_ROWS).assign(
        attributes=[in_words(text) for text in stable["attributes"].head(_MOST_ROWS)],
        p_adjusted=p_words(stable["p_adjusted"].head(_MOST_ROWS)),
        p_homogeneous=p_words(stable["p_homogeneous"].head(_MOST_ROWS)),
    )
    return [
        Heading("What goes together in every period"),
        Text(
            "Asked for besides: combinations that occur more often than their parts would together, within each "
            "period. They are no change and are not mixed with the patterns above."
        ),
        frame_table("Stable combinations", shown, digits=2, source_assets=(f"{study}/stable",)),
    ]


def _said(value: object) -> str:
    return "" if value is None else f"{value:,.6g}" if isinstance(value, float) else str(value)


def _escaped(text: str) -> str:
    return text.replace("{{", "((").replace("}}", "))")
