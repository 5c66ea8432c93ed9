"""The terms of a release as a table, so that they lie in the lake and on the page beside the counts."""

import json
from typing import Any

import pandas as pd

from hrtech.privacy.marginals_declared import MarginalColumn
from hrtech.privacy.marginals_release import MarginalsRelease


def terms_table(release: MarginalsRelease) -> pd.DataFrame:
    """Everything of a release but its counts: one row per `term`, with its `value` as JSON."""
    terms: dict[str, Any] = {
        "people": release.people,
        "people_low": release.people_low,
        "people_high": release.people_high,
        "people_sd": release.people_sd,
        "columns": [
            [column.name, list(column.values or ()), column.multi_valued] for column in release.columns
        ],
        "parameters": dict(release.parameters),
        "warnings": list(release.warnings),
    }
    return pd.DataFrame(
        {
            "term": pd.Series(list(terms), dtype="str"),
            "value": pd.Series([json.dumps(value, sort_keys=True) for value in terms.values()], dtype="str"),
        }
    )


def read_terms(terms: pd.DataFrame) -> dict[str, Any]:
    """Read the table of terms back as values."""
    return {term: json.loads(value) for term, value in zip(terms["term"], terms["value"], strict=True)}


def read_release(aggregates: pd.DataFrame, terms: pd.DataFrame) -> MarginalsRelease:
    """Put a release together from its two tables."""
    known = read_terms(terms)
    return MarginalsRelease(
        aggregates=aggregates,
        people=known["people"],
        people_low=known["people_low"],
        people_high=known["people_high"],
        people_sd=known["people_sd"],
        columns=tuple(
            MarginalColumn(name, tuple(values), several) for name, values, several in known["columns"]
        ),
        parameters=known["parameters"],
        warnings=tuple(known["warnings"]),
    )
