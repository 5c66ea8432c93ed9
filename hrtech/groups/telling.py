"""What a comparison tells as facts: figures of groups, places, who differs, what changed, and how sure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from hrtech.facts import Fact
from hrtech.facts.frames import rows
from hrtech.groups.question import ALL, GroupQuestion, Measure

_MOST_FINDINGS = 40


def group_facts(
    study: str, question: GroupQuestion, tables: Mapping[str, pd.DataFrame], *, before: str = ""
) -> list[Fact]:
    """State the findings.

    Args:
        study: Name of the study; first part of each fact id.
        question: What was asked.
        tables: `estimates`, `against_others`, `changes`, `ranks`, and where the truth is known `against_truth`.
        before: What stands before the nouns of the tables in their asset keys, such as `told_`.
    """
    estimates = tables["estimates"]
    names = Names(estimates["group"])
    source = f"{study}/{before}estimates"
    compared = estimates.loc[estimates["estimate"].notna(), "group"].nunique()
    facts = [Fact(f"{study}/groups", "{value} groups are compared.", compared, "groups", source_asset=source)]
    for measure in question.measures:
        for standardised in (False, True):
            facts += _figures(study, question, measure, standardised, estimates, names, source)
            facts += _places(study, measure, standardised, tables["ranks"], names, f"{study}/{before}ranks")
    facts += _differences(study, question, tables, names, before)
    facts += _changes(study, question, tables, names, before)
    if "against_truth" in tables:
        facts += _truth(study, tables["against_truth"], f"{study}/{before}against_truth")
    return facts


class Names:
    """Groups as parts of fact ids, each its own."""

    def __init__(self, groups: Iterable[object]) -> None:
        self.ids: dict[str, str] = {}
        taken: set[str] = set()
        for group in dict.fromkeys(map(str, groups)):
            slug = re.sub(r"[^a-z0-9_]+", "_", group.lower()).strip("_") or "group"
            found, count = slug, 2
            while found in taken:
                found, count = f"{slug}_{count}", count + 1
            taken.add(found)
            self.ids[group] = found

    def of(self, group: object) -> str:
        """Part of a fact id for a group."""
        return self.ids[str(group)]


def plain(name: object) -> str:
    """A name in running text."""
    return str(name).replace("{", "(").replace("}", ")")


def unit_of(measure: Measure) -> str:
    """Unit of a measure's figures."""
    if measure.kind == "rate":
        return f"per {measure.scale:,.0f}" if measure.scale > 1 else "per unit"
    return {"count": "records", "share": "proportion"}.get(measure.kind, "")


def called(measure: Measure, standardised: bool) -> str:
    """A measure in a sentence."""
    kind = {"count": "number", "rate": "rate"}.get(measure.kind, "")
    start = f"{kind} of " if kind and kind not in measure.plain.lower().split() else ""
    return plain(f"the {'standardised ' if standardised else ''}{start}{measure.plain}")


def _key(kind: str, measure: str, standardised: bool, group: str, window: str = "") -> str:
    told = [kind, measure, *(["standardised"] if standardised else []), group]
    return ".".join(told + ([re.sub(r"[^a-z0-9_]+", "_", window.lower())] if window else []))


def _of(table: pd.DataFrame, measure: str, standardised: bool) -> pd.DataFrame:
    return table.loc[(table["measure"] == measure) & (table["standardised"].astype(bool) == standardised)]


def _figures(
    study: str,
    question: GroupQuestion,
    measure: Measure,
    standardised: bool,
    estimates: pd.DataFrame,
    names: Names,
    source: str,
) -> list[Fact]:
    mine = _of(estimates, measure.name, standardised)
    interval = f"{100 * question.confidence:g} % interval"
    per = f" {unit_of(measure)}" if measure.kind == "rate" else ""
    facts = []
    for row in rows(mine.loc[(mine["window"] == ALL) & mine["estimate"].notna()]):
        bounded = row["low"] is not None and row["high"] is not None
        facts.append(
            Fact(
                f"{study}/{_key('estimate', measure.name, standardised, names.of(row['group']))}",
                f"In {plain(row['group'])}, {called(measure, standardised)} is {{value}}{per}.",
                row["estimate"],
                unit_of(measure),
                low=row["low"] if bounded else None,
                high=row["high"] if bounded else None,
                uncertainty=interval if bounded else "",
                source_asset=source,
                row_key=f"{measure.name}, {plain(row['group'])}",
            )
        )
    return facts


def _places(
    study: str, measure: Measure, standardised: bool, ranks: pd.DataFrame, names: Names, source: str
) -> list[Fact]:
    mine = _of(ranks, measure.name, standardised)
    return [
        Fact(
            f"{study}/{_key('rank', measure.name, standardised, names.of(row['group']))}",
            f"By {called(measure, standardised)}, {plain(row['group'])} has place {{value}} of {row['ranked']}, "
            "the highest first; places from {low} to {high} cannot be excluded.",
            row["rank"],
            "count",
            low=row["rank_low"],
            high=row["rank_high"],
            uncertainty="rank interval; all groups' hold together",
            source_asset=source,
            row_key=f"{measure.name}, {plain(row['group'])}",
        )
        for row in rows(mine.loc[mine["window"] == ALL])
    ]


def _differences(
    study: str, question: GroupQuestion, tables: Mapping[str, pd.DataFrame], names: Names, before: str
) -> list[Fact]:
    table, source = tables["against_others"], f"{study}/{before}against_others"
    facts = _tiers(study, "differences", table, question, source)
    found = table.loc[(table["window"] == ALL) & (table["p_holm"] <= 1 - question.confidence)]
    for row in rows(found.sort_values("p_holm", kind="stable").head(_MOST_FINDINGS)):
        measure = _measure(question, row["measure"])
        key = _key("differs", measure.name, bool(row["standardised"]), names.of(row["group"]))
        words = f"In {plain(row['group'])}, {called(measure, bool(row['standardised']))} is"
        facts += _gap(study, key, words, "than among all others", measure, row, source)
    return facts


def _changes(
    study: str, question: GroupQuestion, tables: Mapping[str, pd.DataFrame], names: Names, before: str
) -> list[Fact]:
    table, source = tables["changes"], f"{study}/{before}changes"
    facts = _tiers(study, "changes", table, question, source)
    found = table.loc[table["p_holm"] <= 1 - question.confidence]
    for row in rows(found.sort_values("p_holm", kind="stable").head(_MOST_FINDINGS)):
        measure = _measure(question, row["measure"])
        key = _key("changed", measure.name, bool(row["standardised"]), names.of(row["group"]), row["window"])
        words = f"In {plain(row['group'])}, {called(measure, bool(row['standardised']))} of {plain(row['window'])} is"
        facts += _gap(study, key, words, f"than in {plain(row['compared_with'])}", measure, row, source)
    return facts


def _measure(question: GroupQuestion, name: str) -> Measure:
    return next(measure for measure in question.measures if measure.name == name)


def _tiers(study: str, what: str, table: pd.DataFrame, question: GroupQuestion, source: str) -> list[Fact]:
    tested = table.loc[table["p_holm"].notna()]
    if not len(tested):
        return []
    level = 1 - question.confidence
    words = {
        "differences": "comparisons of a group with all others",
        "changes": "changes from window to window",
    }
    return [
        Fact(
            f"{study}/{what}_tested",
            f"{{value}} {words[what]} were tested.",
            len(tested),
            "tests",
            source_asset=source,
        ),
        Fact(
            f"{study}/{what}_strict",
            "{value} of them stand in the strict tier: the chance that any test of the study stands there wrongly is "
            f"at most {100 * level:.3g} %.",
            int((tested["p_holm"] <= level).sum()),
            "tests",
            source_asset=source,
        ),
        Fact(
            f"{study}/{what}_exploratory",
            f"{{value}} stand in the exploratory tier, of which at most {100 * level:.3g} % are expected to be false.",
            int((tested["p_bh"] <= level).sum()),
            "tests",
            source_asset=source,
        ),
    ]  # fmt: skip


def _gap(
    study: str, key: str, words: str, than: str, measure: Measure, row: Mapping[str, Any], source: str
) -> Sequence[Fact]:
    """A difference in words; of shares in percentage points."""
    share = measure.kind == "share"
    factor = 100.0 if share else 1.0
    sign = -1.0 if row["difference"] < 0 else 1.0
    ends = [row["difference_low_all"], row["difference_high_all"]]
    bounded = all(end is not None for end in ends)
    low, high = sorted(sign * factor * end for end in ends) if bounded else (None, None)
    per = " percentage points" if share else f" {unit_of(measure)}" if measure.kind == "rate" else ""
    return [
        Fact(
            f"{study}/{key}",
            f"{words} {{value}}{per} {'lower' if sign < 0 else 'higher'} {than}.",
            sign * factor * row["difference"],
            "percentage points" if share else unit_of(measure),
            low=low,
            high=high,
            uncertainty="interval that holds for all comparisons of the table together" if bounded else "",
            source_asset=source,
            row_key=f"{measure.name}, {plain(row['group'])}, {plain(row['window'])}",
        )
    ]


def _truth(study: str, truth: pd.DataFrame, source: str) -> list[Fact]:
    if not len(truth):
        return []
    gap = 100 * float((truth["estimate"] - truth["truth"]).abs().mean())
    return [
        Fact(f"{study}/truth_compared", "The simulated world knows {value} of these shares.", len(truth), "shares",
             source_asset=source),
        Fact(f"{study}/truth_covered", "{value} of them lie in their interval.", int(truth["covered"].sum()), "shares",
             source_asset=source),
        Fact(f"{study}/truth_gap", "On average an estimate is {value} percentage points from the truth.", gap,
             "percentage points", source_asset=source),
    ]  # fmt: skip
