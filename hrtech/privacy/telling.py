"""What a private release tells: counts as facts, and the reports for the public and for the data's keepers.

`release_facts` and `release_report` read released tables and public truth only. `release_findings` and
`restricted_release_report` speak of errors against the records, and stay restricted.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

import pandas as pd

from hrtech.counts import parse_attributes
from hrtech.facts import Chart, DataTable, Fact, FactList, Heading, Report, Text
from hrtech.facts.frames import frame_table, rows
from hrtech.pages import charts
from hrtech.privacy.terms import read_terms

#: Values of a column that a chart shows at most; the table beside it has them all.
SHOWN = 14
PAIRS_SHOWN = 40


def release_facts(
    study: str, aggregates: pd.DataFrame, terms: pd.DataFrame, truth: pd.DataFrame | None = None
) -> list[Fact]:
    """State the number of people and every count of one attribute, each with its interval.

    Args:
        study: Name of the study; first part of each fact id.
        aggregates: `length, attributes, count, low, high, sd`.
        terms: Table of terms.
        truth: `attributes, count` of a simulated world, to be compared with.
    """
    known = read_terms(terms)
    uncertainty = f"{_percent(known)} interval from the privacy noise"
    facts = [
        Fact(
            f"{study}/people",
            "The release speaks of {value} people (privately counted).",
            known["people"],
            "people",
            low=known["people_low"],
            high=known["people_high"],
            uncertainty=uncertainty,
            source_asset=f"{study}/terms",
            row_key="people",
        )
    ]
    if truth is not None:
        both = aggregates.merge(truth[["attributes", "count"]], on="attributes", suffixes=("", "_true"))
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
                low=row["low"],
                high=row["high"],
                uncertainty=uncertainty,
                source_asset=f"{study}/aggregates",
                row_key=row["attributes"],
            )
        )
    return facts


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
    """
    known = read_terms(terms)
    by_key = {fact.row_key: fact for fact in facts}
    parts: list = [FactList((f"{study}/people",))]
    if truth is not None:
        parts += _against_truth(study, aggregates, truth)
    ones = _length_one(aggregates)
    for column, counted in ones.groupby("column", sort=False):
        parts += _column_chart(study, str(column), counted, by_key)
    parts += _pairs(study, aggregates)
    parts += [
        Heading("How true is it?"),
        Text(
            "Noise was added to every count before anybody saw it; the intervals say how much. A combination that is "
            "not listed was too small to be told from the noise, which is not the same as zero."
        ),
        frame_table(
            "Error to expect from the noise alone",
            expected_errors,
            digits=2,
            source_assets=(f"{study}/expected_errors",),
        ),
        *_terms_parts(study, known, learned),
    ]
    summary = (
        f"Counts of {{{{fact:{study}/people}}}} people and synthetic records that keep their patterns. Nobody can be "
        "found in them: what they say would be nearly the same without any one person."
    )
    return Report(study, title, summary, "differential-privacy", tuple(parts))


def release_findings(study: str, errors: pd.DataFrame, fabricated: pd.DataFrame) -> list[Fact]:
    """State the exact errors of a release, for the data's keepers.

    Args:
        study: Name of the study.
        errors: `subject, length, band, mean_absolute_error` against the records.
        fabricated: `subject, length, fabricated_share`: published combinations that nobody holds.
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
    return facts


def restricted_release_report(
    study: str, title: str, facts: Sequence[Fact], *, evaluation: pd.DataFrame, fabricated: pd.DataFrame
) -> Report:
    """Tell the data's keepers how true the release is against the records."""
    parts: list = [
        Text(
            "These figures compare the release with the records. They are **restricted**: published, they would "
            "tell what the noise hides."
        ),
        frame_table("Errors by length and count band", evaluation, source_assets=(f"{study}/evaluation",)),
        frame_table(
            "Published combinations that nobody holds", fabricated, source_assets=(f"{study}/fabricated",)
        ),
    ]
    if facts:
        parts.insert(0, FactList(tuple(fact.fact_id for fact in facts)))
    return Report(
        study, title, "How true the release is, measured against the records.", "restricted", tuple(parts)
    )


def _length_one(aggregates: pd.DataFrame) -> pd.DataFrame:
    ones = aggregates.loc[aggregates["length"] == 1].reset_index(drop=True)
    pairs = [parse_attributes(text)[0] for text in ones["attributes"]]
    return ones.assign(column=[column for column, _ in pairs], value=[value for _, value in pairs])


def _column_chart(study: str, column: str, counted: pd.DataFrame, by_key: dict[str, Fact]) -> list:
    shown = counted.nlargest(SHOWN, "count")
    ids = tuple(by_key[key].fact_id for key in shown["attributes"] if key in by_key)
    first = shown.iloc[0]
    return [
        Chart(
            f"People by {_inside(column)}",
            charts.bars(
                shown[["value", "count", "low", "high"]],
                category="value",
                value="count",
                low="low",
                high="high",
                category_title=_words(column),
                value_title="people",
            ),
            f"{len(counted)} values are told, the largest {len(shown)} shown. The most frequent is {first['value']} "
            f"with about {int(first['count']):,} people; bars end in the interval that the noise leaves.",
            fact_ids=ids,
            source_assets=(f"{study}/aggregates",),
        )
    ]


def _pairs(study: str, aggregates: pd.DataFrame) -> list:
    pairs = aggregates.loc[aggregates["length"] == 2].nlargest(PAIRS_SHOWN, "count")
    if pairs.empty:
        return []
    told: list[tuple[Any, ...]] = [
        (
            " and ".join(
                f"{_inside(column)} {value}" for column, value in parse_attributes(row["attributes"])
            ),
            *(int(row[name]) for name in ("count", "low", "high")),
        )
        for row in rows(pairs)
    ]
    return [
        Heading("What goes together"),
        DataTable(
            f"The {len(told)} most frequent pairs of attributes",
            ("attributes", "people", "low", "high"),
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


def _terms_parts(study: str, known: dict[str, Any], learned: Sequence[str]) -> list:
    parameters = dict(known["parameters"])
    settings = dict(parameters.pop("settings", {}))
    told: list[tuple[Any, ...]] = [
        (term.replace("_", " "), json.dumps(value) if isinstance(value, dict | list) else value)
        for term, value in [*settings.items(), *parameters.items()]
    ]
    warnings = list(known["warnings"])
    if learned:
        warnings.append(
            f"A setting of {', '.join(learned)} was taken from the data itself and not from public knowledge."
        )
    parts: list = [Heading("Terms of this release")]
    if warnings:
        # a table, because a warning may tell a setting as a number
        noted = tuple((warning,) for warning in warnings)
        parts.append(DataTable("What to know", ("note",), noted, source_assets=(f"{study}/terms",)))
    parts.append(DataTable("Terms", ("term", "value"), tuple(told), source_assets=(f"{study}/terms",)))
    return parts


def _percent(known: dict[str, Any]) -> str:
    return f"{100 * float(known['parameters'].get('settings', {}).get('confidence', 0.95)):g} %"


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
