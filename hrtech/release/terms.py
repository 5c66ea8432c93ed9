"""The terms of a release as a table, so that they lie in the lake and on the page beside the counts.

One row per term, with its value as JSON; a release of either promise has the same terms, empty where they do not
apply. Everything here is public.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from hrtech.privacy.accounting import Charge
from hrtech.release.declared import ReleaseColumn, ReleaseSchema, ReleaseSettings
from hrtech.release.intervals import intervals_of
from hrtech.release.k_anonymity import KAnonymousRelease, explain_k_anonymity
from hrtech.release.measured import Measured
from hrtech.release.mechanism import MECHANISM
from hrtech.release.publish import Published

_DIAL_POINTS = 24


def private_terms(
    measured: Measured,
    published: Published,
    settings: ReleaseSettings,
    charge: Charge,
    says: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Terms of a differentially private release.

    Args:
        measured: What was measured.
        published: What is told.
        settings: What was asked for.
        charge: What it costs.
        says: Public knowledge that the release rests on → who says so.
    """
    layout, scaling = measured.layout, measured.scaling
    low, high = intervals_of(measured.people, measured.people_sd, settings.confidence)
    dial = published.dial
    points = sorted({int(k) for k in _evenly(len(dial.threshold), _DIAL_POINTS)})
    return {
        "promise": "differential-privacy",
        "people": max(round(measured.people), 0),
        "people_low": low,
        "people_high": high,
        "people_sd": measured.people_sd,
        "columns": columns_told(measured.schema.columns),
        "impossible": [[list(one), list(other)] for one, other in measured.schema.impossible],
        "reporting_length": settings.reporting_length,
        "confidence": settings.confidence,
        "epsilon": settings.epsilon,
        "delta": settings.delta,
        "expected_false_share": float(dial.false_share[_at(dial.threshold, published.threshold)]),
        "measured_combinations": {str(k): layout.size(k) for k in range(1, scaling.longest + 1)},
        "noise_sd": {str(k): _mean(measured.sd(k)) for k in range(1, scaling.longest + 1)},
        "dial": [
            {
                "false_share": float(dial.false_share[k]),
                "told": int(dial.told[k]),
                "told_people": float(dial.told_people[k]),
            }
            for k in points
        ],
        "parameters": {
            "mechanism": MECHANISM,
            "settings": asdict(settings),
            "rho": charge.rho,
            "delta": charge.delta,
            "rho_of_steps_that_ran": measured.spent,
            "bound_on_a_person": measured.bound,
            "people_not_counted_in_full_in_combinations": round(max(measured.lost, 0.0), 1),
            "noise_scale": measured.scale,
            "threshold": published.threshold,
            "misfit": {str(k): round(v, 3) for k, v in published.misfit.items()},
        },
        "says": dict(says or {}),
        "warnings": _warnings(measured, settings),
        "explained": [],
    }


def k_anonymous_terms(release: KAnonymousRelease, says: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Terms of a k-anonymous release."""
    lengths = release.aggregates["length"]
    return {
        "promise": "k-anonymity",
        "people": release.people,
        "people_low": None,
        "people_high": None,
        "people_sd": None,
        "columns": columns_told(release.columns),
        "impossible": [],
        "reporting_length": int(lengths.max()) if len(lengths) else 1,
        "confidence": None,
        "epsilon": None,
        "delta": None,
        "k": release.parameters["k"],
        "expected_false_share": None,
        "measured_combinations": {},
        "noise_sd": {},
        "dial": [],
        "parameters": dict(release.parameters),
        "says": dict(says or {}),
        "warnings": list(release.warnings),
        "explained": list(explain_k_anonymity()),
    }


def terms_table(terms: Mapping[str, Any]) -> pd.DataFrame:
    """Terms as a table: one row per `term`, with its `value` as JSON."""
    return pd.DataFrame(
        {
            "term": pd.Series(list(terms), dtype="str"),
            "value": pd.Series([json.dumps(v, sort_keys=True) for v in terms.values()], dtype="str"),
        }
    )


def read_terms(table: pd.DataFrame) -> dict[str, Any]:
    """Read the table of terms back as values."""
    return {term: json.loads(value) for term, value in zip(table["term"], table["value"], strict=True)}


def columns_told(columns: Sequence[ReleaseColumn]) -> list[dict[str, Any]]:
    """Columns as plain values."""
    return [
        asdict(c) | {"values": list(c.values or ()), "parent_values": dict(c.parent_values)} for c in columns
    ]


def released_columns(terms: Mapping[str, Any]) -> tuple[ReleaseColumn, ...]:
    """Columns of a release with all their values, those found privately too."""
    return tuple(ReleaseColumn(**(c | {"values": tuple(c["values"])})) for c in terms["columns"])


def released_schema(terms: Mapping[str, Any]) -> ReleaseSchema:
    """The columns as a schema whose values are known."""
    impossible = tuple((tuple(one), tuple(other)) for one, other in terms["impossible"])
    return ReleaseSchema(released_columns(terms), impossible, found=True)


def _warnings(measured: Measured, settings: ReleaseSettings) -> list[str]:
    found = []
    people = max(round(measured.people), 1)
    if settings.delta * people >= 1:
        found.append(
            f"delta = {settings.delta:g} is not below 1 / people (about {people}): somebody's whole record could be "
            "revealed within the promise"
        )
    lost = measured.lost - 2 * measured.lost_sd
    if lost > 0.01 * people:
        found.append(
            f"people who hold many or rare attributes count less in combinations, together as {lost:.0f} people or "
            "more: combinations of what they hold are told too low"
        )
    empty = [c.name for c in measured.schema.columns if not c.attributes]
    if empty:
        found.append(
            f"no value of {', '.join(empty)} was frequent enough to be found: declare their values, or spend more"
        )
    return found


def _evenly(n: int, points: int) -> list[float]:
    return [k * (n - 1) / max(points - 1, 1) for k in range(points)] if n else []


def _at(thresholds: Any, threshold: float) -> int:
    return int(min(thresholds.searchsorted(threshold), len(thresholds) - 1))


def _mean(values: Any) -> float | None:
    return float(values.mean()) if len(values) else None
