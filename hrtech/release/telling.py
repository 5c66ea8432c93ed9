"""What a release of case records tells: its facts and its report, for the public and for the data's keepers.

Public facts come from released tables alone. What compares with the records stays restricted.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from hrtech.counts import parse_attributes
from hrtech.facts import Chart, DataTable, Fact, FactList, Heading, Report, Text
from hrtech.facts.frames import frame_table, rows
from hrtech.pages import charts
from hrtech.release.terms import read_terms

#: Values of a column that a chart shows at most; the table beside it has them all.
SHOWN = 14
LONGER_SHOWN = 40


def release_facts(
    study: str,
    aggregates: pd.DataFrame,
    terms: pd.DataFrame,
    truth: pd.DataFrame | None = None,
    changes: pd.DataFrame | None = None,
) -> list[Fact]:
    """State the number of people and every count of one attribute, each with its interval.

    Args:
        study: Name of the study; first part of each fact id.
        aggregates: `length, attributes, count`, and `low, high, sd` where noise was added.
        terms: Table of terms.
        truth: `attributes, count` of a simulated world, to be compared with.
        changes: Since an earlier release (`hrtech.release.changes`).
    """
    known = read_terms(terms)
    private = known["promise"] == "differential-privacy"
    uncertainty = (
        f"{100 * known['confidence']:g} % interval from the privacy noise"
        if private
        else "rounded down to a multiple of k"
    )
    facts = [
        Fact(
            f"{study}/people",
            "The release speaks of {value} people (privately counted)."
            if private
            else "The release speaks of {value} people or a few more.",
            known["people"],
            "people",
            low=known["people_low"],
            high=known["people_high"],
            uncertainty=uncertainty,
            source_asset=f"{study}/terms",
            row_key="people",
        ),
        *_told_facts(study, aggregates, known),
        *([] if changes is None else _changed_facts(study, changes)),
    ]
    if truth is not None and private:
        both = aggregates.merge(truth[["attributes", "count"]], on="attributes", suffixes=("", "_true"))
        if len(both):
            facts.append(
                Fact(
                    f"{study}/truth_inside_interval",
                    "For {value} of the released counts the truth lies inside the interval.",
                    float(both["count_true"].between(both["low"], both["high"]).mean()),
                    "proportion",
                    source_asset=f"{study}/aggregates",
                    row_key="all",
                )
            )
    taken: set[str] = set()
    for row in rows(aggregates.loc[aggregates["length"] == 1]):
        column, value = parse_attributes(row["attributes"])[0]
        facts.append(
            Fact(
                f"{study}/{_slug(f'{column}.{value}', taken)}",
                f"{_words(column)} {_quoted(value)}: {{value}} people.",
                row["count"],
                "people",
                low=row.get("low"),
                high=row.get("high"),
                uncertainty=uncertainty,
                source_asset=f"{study}/aggregates",
                row_key=row["attributes"],
            )
        )
    return facts


def _told_facts(study: str, aggregates: pd.DataFrame, known: Mapping[str, Any]) -> list[Fact]:
    """How much is told, and how much of it may be false."""
    facts = [
        Fact(
            f"{study}/combinations_told",
            "{value} combinations of attributes are told.",
            len(aggregates),
            "combinations",
            source_asset=f"{study}/aggregates",
            row_key="all combinations",
        )
    ]
    if known["expected_false_share"] is not None:
        facts.append(
            Fact(
                f"{study}/expected_false_share",
                "Of the combinations told, {value} may be held by nobody (expected from the noise).",
                known["expected_false_share"],
                "proportion",
                source_asset=f"{study}/terms",
                row_key="expected_false_share",
            )
        )
    return facts


def _changed(changes: pd.DataFrame) -> pd.DataFrame:
    """Combinations that rose or fell."""
    return changes.loc[(changes["length"] > 0) & changes["verdict"].isin(["rose", "fell"])]


def _changed_facts(study: str, changes: pd.DataFrame) -> list[Fact]:
    return [
        Fact(
            f"{study}/combinations_changed",
            "{value} combinations rose or fell since the earlier release, beyond the noise of both.",
            len(_changed(changes)),
            "combinations",
            source_asset=f"{study}/changes",
            row_key="all changes",
        )
    ]


def _changes_parts(study: str, changes: pd.DataFrame, since: str) -> list[Any]:
    found = _changed(changes)
    largest = found.reindex(found["difference"].abs().sort_values(ascending=False).index).head(LONGER_SHOWN)
    told = tuple(
        (
            " and ".join(f"{_inside(c)} {v}" for c, v in parse_attributes(row["attributes"])),
            int(row["earlier"]),
            int(row["later"]),
            int(row["difference"]),
            int(row["low"]),
            int(row["high"]),
            row["verdict"],
        )
        for row in rows(largest)
    )
    parts: list = [
        Heading("What changed"),
        Text(
            f"{{{{fact:{study}/combinations_changed}}}} combinations rose or fell beyond what the noise of both "
            "releases makes. A combination that one of them did not tell is not compared: suppressed is not zero."
        ),
    ]
    if told:
        parts.append(
            DataTable(
                f"The largest changes since {since}",
                ("attributes", "earlier", "later", "difference", "low", "high", "verdict"),
                told,
                source_assets=(f"{study}/changes",),
            )
        )
    return parts


def release_report(
    study: str,
    title: str,
    facts: Sequence[Fact],
    *,
    aggregates: pd.DataFrame,
    terms: pd.DataFrame,
    expected_errors: pd.DataFrame,
    learned: Sequence[str] = (),
    truth: pd.DataFrame | None = None,
    changes: pd.DataFrame | None = None,
    since: str = "",
) -> Report:
    """Tell a release to the public.

    Args:
        study: Name of the study.
        title: Title.
        facts: What `release_facts` states.
        aggregates: Released counts.
        terms: Table of terms.
        expected_errors: Per length and band what the noise alone leads one to expect.
        learned: Columns with a setting that was taken from the data and not from public knowledge.
        truth: `length, attributes, count` of a simulated world, to show beside the release.
        changes: Since an earlier release.
        since: What that one is called.
    """
    known = read_terms(terms)
    private = known["promise"] == "differential-privacy"
    by_key = {fact.row_key: fact for fact in facts}
    ids = {fact.fact_id for fact in facts}
    parts: list = [FactList((f"{study}/people", f"{study}/combinations_told"))]
    if truth is not None and f"{study}/truth_inside_interval" in ids:
        parts += _against_truth(study, aggregates, truth)
    ones = _length_one(aggregates)
    for column, counted in ones.groupby("column", sort=False):
        parts += _column_chart(study, str(column), counted, by_key, private)
    for length in range(2, int(known["reporting_length"]) + 1):
        parts += _longer(study, aggregates, length)
    if changes is not None:
        parts += _changes_parts(study, changes, since)
    parts += _how_true(study, known, expected_errors, private)
    parts += _terms_parts(study, known, learned)
    return Report(study, title, _summary(study, known, private), str(known["promise"]), tuple(parts))


def _summary(study: str, known: Mapping[str, Any], private: bool) -> str:
    of = f"Counts of {{{{fact:{study}/people}}}} people and what goes together among them. "
    if private:
        return of + (
            "Nobody can be found in them: what they say would be nearly the same without any one person."
        )
    return of + "Whatever is told here, several people share; what fewer share was withheld."


def _how_true(
    study: str, known: Mapping[str, Any], expected_errors: pd.DataFrame, private: bool
) -> list[Any]:
    parts: list = [Heading("How true is it?")]
    if private:
        parts.append(
            Text(
                "Noise was added before anybody saw a number; the intervals say how much, and hold for each count on "
                f"its own. Of the combinations told, {{{{fact:{study}/expected_false_share}}}} may be held by nobody. "
                "A combination that is not listed was too small to be told from the noise, which is not the same as "
                "zero."
            )
        )
    else:
        parts.append(
            Text(
                "Counts are rounded down, and a combination that is not listed is held by too few people or by nobody."
            )
        )
    table = expected_errors.drop(columns=[c for c in ("measured", "not_published") if not private])
    parts.append(
        frame_table(
            "Error to expect from the noise alone" if private else "Error to expect from rounding",
            table,
            digits=2,
            source_assets=(f"{study}/expected_errors",),
        )
    )
    if known["dial"]:
        parts.append(_dial_table(study, known))
    return parts


def _dial_table(study: str, known: Mapping[str, Any]) -> DataTable:
    told = tuple(
        (round(100 * p["false_share"], 1), int(p["told"]), round(100 * p["told_people"], 1))
        for p in known["dial"]
    )
    return DataTable(
        "Fabrication against suppression: what other settings would have told",
        ("expected false, %", "combinations told", "of all counts, %"),
        told,
        source_assets=(f"{study}/terms",),
    )


def restricted_release_report(
    study: str, title: str, facts: Sequence[Fact], **tables: pd.DataFrame
) -> Report:
    """Tell the data's keepers how true and how safe the release is against the records.

    Args:
        study: Name of the study.
        title: Title.
        facts: Restricted facts.
        tables: Tables of the evaluation by noun, each shown under its heading.
    """
    parts: list = [
        Text(
            "These figures compare the release with the records. They are **restricted**: published, they would "
            "tell what the noise hides."
        )
    ]
    if facts:
        parts.insert(0, FactList(tuple(fact.fact_id for fact in facts)))
    for noun, table in tables.items():
        if len(table):
            parts.append(frame_table(_RESTRICTED[noun], table, source_assets=(f"{study}/{noun}",)))
    return Report(
        study, title, "How true the release is, measured against the records.", "restricted", tuple(parts)
    )


_RESTRICTED = {
    "evaluation": "Errors by length and count band",
    "fabricated": "Published combinations that nobody holds",
    "rare": "Unique and rare combinations that the release repeats",
    "memorised": "Synthetic records that equal a record of few people, beside chance",
    "attacks": "Attacks on the synthetic records, beside attacks that know nobody",
    "synthesizability": "Which columns make combinations rare",
    "advice_summary": "What other losses would cost and tell, without any record",
    "advice": "Errors to expect at other losses",
    "dry_run": "Every step of the release: what it reads, decides and costs",
}


def release_findings(
    study: str, errors: pd.DataFrame, fabricated: pd.DataFrame, attacks: pd.DataFrame
) -> list[Fact]:
    """State the exact errors of a release and what attacks found, for the data's keepers.

    Args:
        study: Name of the study.
        errors: `subject, length, band, mean_absolute_error` against the records.
        fabricated: `subject, length, fabricated_share`: published combinations that nobody holds.
        attacks: `attack, subject, excess, excess_low, excess_high`.
    """
    facts = []
    for row in rows(errors.loc[errors["band"] == "all"]):
        subject, length = str(row["subject"]), row["length"]
        facts.append(
            Fact(
                f"{study}/error.{_slug(subject, set())}.{length}",
                f"Mean error of {subject}, combinations of {length}: {{value}} people.",
                row["mean_absolute_error"],
                "people",
                source_asset=f"{study}/evaluation",
                row_key=f"{subject} {length}",
            )
        )
    for row in rows(fabricated.dropna(subset=["fabricated_share"])):
        subject, length = str(row["subject"]), row["length"]
        facts.append(
            Fact(
                f"{study}/fabricated.{_slug(subject, set())}.{length}",
                f"Of the {subject}, combinations of {length}, {{value}} are held by nobody.",
                row["fabricated_share"],
                "proportion",
                source_asset=f"{study}/fabricated",
                row_key=f"{subject} {length}",
            )
        )
    for row in rows(attacks.dropna(subset=["excess"])):
        facts.append(
            Fact(
                f"{study}/attack.{_slug(str(row['attack']), set())}.{_slug(str(row['subject']), set())}",
                f"{row['attack']} of {row['subject']}: {{value}} more often right than without the release.",
                row["excess"],
                "proportion",
                low=row["excess_low"],
                high=row["excess_high"],
                uncertainty="interval over all attacks together",
                source_asset=f"{study}/attacks",
                row_key=f"{row['attack']} {row['subject']}",
            )
        )
    return facts


def _length_one(aggregates: pd.DataFrame) -> pd.DataFrame:
    ones = aggregates.loc[aggregates["length"] == 1].reset_index(drop=True)
    pairs = [parse_attributes(text)[0] for text in ones["attributes"]]
    return ones.assign(column=[column for column, _ in pairs], value=[value for _, value in pairs])


def _column_chart(
    study: str, column: str, counted: pd.DataFrame, by_key: dict[str, Fact], private: bool
) -> list:
    shown = counted.nlargest(SHOWN, "count")
    ids = tuple(by_key[key].fact_id for key in shown["attributes"] if key in by_key)
    first = shown.iloc[0]
    ends = {"low": "low", "high": "high"} if private else {}
    how = (
        "bars end in the interval that the noise leaves."
        if private
        else "counts are rounded down to a multiple of k."
    )
    return [
        Chart(
            f"People by {_inside(column)}",
            charts.bars(
                shown[["value", "count", *ends]],
                category="value",
                value="count",
                category_title=_words(column),
                value_title="people",
                **ends,
            ),
            f"{len(counted)} values are told, the largest {len(shown)} shown. The most frequent is {first['value']} "
            f"with about {int(first['count']):,} people; {how}",
            fact_ids=ids,
            source_assets=(f"{study}/aggregates",),
        )
    ]


def _longer(study: str, aggregates: pd.DataFrame, length: int) -> list:
    """The most frequent combinations of one length above 1."""
    found = aggregates.loc[aggregates["length"] == length].nlargest(LONGER_SHOWN, "count")
    if found.empty:
        return []
    numbers = [name for name in ("count", "low", "high") if name in found]
    told: list[tuple[Any, ...]] = [
        (
            " and ".join(
                f"{_inside(column)} {value}" for column, value in parse_attributes(row["attributes"])
            ),
            *(int(row[name]) for name in numbers),
        )
        for row in rows(found)
    ]
    headings = [Heading("What goes together")] if length == 2 else []
    return [
        *headings,
        DataTable(
            f"The {len(told)} most frequent combinations of {length} attributes",
            ("attributes", "people", *numbers[1:]),
            tuple(told),
            source_assets=(f"{study}/aggregates",),
        ),
    ]


def _against_truth(study: str, aggregates: pd.DataFrame, truth: pd.DataFrame) -> list:
    both = aggregates.merge(truth[["attributes", "count"]], on="attributes", suffixes=("", "_true"))
    largest = both.loc[both["length"] == 2].nlargest(12, "count_true")
    if largest.empty:
        return []
    data = pd.DataFrame(
        {
            "pair": [
                " + ".join(value for _, value in parse_attributes(text)) for text in largest["attributes"]
            ],
            "released": largest["count"],
            "truth": largest["count_true"],
        }
    )
    return [
        Heading("Released beside the simulated truth"),
        Text(
            "These people are simulated, so the truth is known. The intervals speak of the privacy noise alone; the "
            "records behind the release leave cells blank, hold errors, and may count a person more than once where "
            "their records were not joined, which no privacy mechanism can mend. For "
            f"{{{{fact:{study}/truth_inside_interval}}}} of the released counts the truth lies inside the interval."
        ),
        Chart(
            "Released counts beside the truth",
            charts.dots_compared(
                data,
                category="pair",
                released="released",
                truth="truth",
                category_title="pair",
                value_title="people",
            ),
            "The most frequent true pairs of attributes. A released count lies below the truth where records leave a "
            "cell blank, and above it where records of one person were not joined.",
            source_assets=(f"{study}/aggregates",),
        ),
    ]


def _terms_parts(study: str, known: Mapping[str, Any], learned: Sequence[str]) -> list:
    parameters = dict(known["parameters"])
    settings = dict(parameters.pop("settings", {}))
    told: list[tuple[Any, ...]] = [
        (term.replace("_", " "), json.dumps(value) if isinstance(value, dict | list | tuple) else value)
        for term, value in [*settings.items(), *parameters.items()]
    ]
    told += [(f"who says: {what}", who) for what, who in known["says"].items()]
    notes = [*known["explained"], *known["warnings"]]
    if learned:
        notes.append(
            f"A setting of {', '.join(learned)} was taken from the data itself and not from public knowledge."
        )
    parts: list = [Heading("Terms of this release")]
    if notes:
        # a table, because a note may tell a setting as a number
        noted = tuple((note,) for note in notes)
        parts.append(DataTable("What to know", ("note",), noted, source_assets=(f"{study}/terms",)))
    parts.append(DataTable("Terms", ("term", "value"), tuple(told), source_assets=(f"{study}/terms",)))
    return parts


def _words(column: str) -> str:
    """A column's name as words; capitals that are part of a name stay."""
    words = column.replace("_", " ")
    return words[:1].upper() + words[1:]


def _inside(column: str) -> str:
    """The same inside a sentence."""
    return column.replace("_", " ")


def _quoted(value: str) -> str:
    return f"“{value.replace('{', '(').replace('}', ')')}”"


def _slug(text: str, taken: set[str]) -> str:
    slug = re.sub(r"[^a-z0-9_.]+", "-", text.lower().replace("+", "-plus")).strip("-.") or "value"
    unique, number = slug, 2
    while unique in taken:
        unique, number = f"{slug}-{number}", number + 1
    taken.add(unique)
    return unique
