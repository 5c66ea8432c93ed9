"""What an event study answers, as tables, and how their columns are typed."""

from dataclasses import dataclass, fields

import pandas as pd

COLUMNS: dict[str, tuple[str, ...]] = {
    "effect": (
        "outcome", "estimand_text", "estimator", "estimate", "std_error", "low", "high", "confidence", "interval",
        "p", "p_adjusted", "mean_without_event", "treated_units", "donors", "periods_before", "periods_after",
        "verdict", "why",
    ),
    "estimates": (
        "outcome", "estimator", "estimate", "std_error", "low", "high", "interval", "placebo_p", "fit_before", "note",
    ),
    "event_time": (
        "outcome", "estimator", "event_time", "estimate", "std_error", "low", "high", "band_low", "band_high",
    ),
    "group_time": (
        "outcome", "cohort", "period", "event_time", "estimate", "std_error", "treated", "controls",
    ),
    "series": (
        "outcome", "estimator", "cohort", "period", "event_time", "treated", "without_event", "gap", "placebo_low",
        "placebo_high",
    ),
    "raw": ("outcome", "series", "period", "value"),
    "weights": ("outcome", "estimator", "cohort", "kind", "name", "weight"),
    "unit_effects": (
        "outcome", "estimator", "unit", "adopted", "estimate", "fit_before", "placebo_p", "conformal_p", "p_adjusted",
    ),
    "placebos": ("outcome", "estimator", "stand_in", "estimate", "fit_before", "fit_after"),
    "checks": ("outcome", "name", "estimate", "p", "passed", "meaning"),
    "leave_one_out": ("outcome", "estimator", "donor", "weight", "estimate"),
    "honest": ("outcome", "target", "restriction", "bound", "low", "high", "without_zero"),
    "rows": ("outcome", "unit", "rule", "detail"),
}  # fmt: skip

_COUNTS = {
    "treated_units",
    "donors",
    "periods_before",
    "periods_after",
    "event_time",
    "treated_count",
    "controls",
}
_TRUTHS = {"passed", "without_zero"}
_WORDS = {
    "outcome", "estimand_text", "estimator", "interval", "verdict", "why", "note", "cohort", "period", "series",
    "kind", "name", "unit", "adopted", "stand_in", "meaning", "donor", "target", "restriction", "rule", "detail",
}  # fmt: skip


@dataclass(frozen=True)
class EventResult:
    """Tables of a study; `COLUMNS` names their columns.

    Attributes:
        effect: The answer, one row an outcome.
        estimates: Every estimator's overall effect.
        event_time: Effects by periods since the event.
        group_time: Effects by cohort and period.
        series: Treated mean, its counterfactual, the gap, and where placebos lie, by cohort and period.
        raw: Treated units and the mean of the others over time.
        weights: Weights of donors and of periods before.
        unit_effects: Effect on each treated unit.
        placebos: Effects on units without the event.
        checks: What was done to refute the answer.
        leave_one_out: The effect without each donor.
        honest: Intervals when trends may differ.
        rows: Units left out and cells filled in, by rule.
    """

    effect: pd.DataFrame
    estimates: pd.DataFrame
    event_time: pd.DataFrame
    group_time: pd.DataFrame
    series: pd.DataFrame
    raw: pd.DataFrame
    weights: pd.DataFrame
    unit_effects: pd.DataFrame
    placebos: pd.DataFrame
    checks: pd.DataFrame
    leave_one_out: pd.DataFrame
    honest: pd.DataFrame
    rows: pd.DataFrame

    @classmethod
    def of(cls, tables: dict[str, list[tuple]]) -> "EventResult":
        """Build it from rows in the order of `COLUMNS`."""
        return cls(**{field.name: table(field.name, tables.get(field.name, [])) for field in fields(cls)})


def table(name: str, rows: list[tuple]) -> pd.DataFrame:
    """Rows as a typed frame."""
    frame = pd.DataFrame(rows, columns=list(COLUMNS[name]))
    kinds = {}
    for column in frame.columns:
        whole = column in _COUNTS or (name == "group_time" and column == "treated")
        kind = (
            "str" if column in _WORDS else "boolean" if column in _TRUTHS else "Int64" if whole else "Float64"
        )
        kinds[column] = kind
    made = frame.astype(kinds)
    for column in made.columns:
        if kinds[column] == "Float64":  # not a number means that it is not known
            made[column] = made[column].mask(
                made[column].to_numpy(float, na_value=float("nan")) != made[column]
            )
    return made
