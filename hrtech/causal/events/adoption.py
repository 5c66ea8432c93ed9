"""Who comes under the event, and when: read from a column of rows, a column of first periods, or a list of units."""

from typing import Any, Final

import numpy as np
import pandas as pd

from hrtech.causal.events.question import EventError, EventQuestion

#: Adoption of units without the event: after every period.
NEVER: Final = np.iinfo(np.int64).max


def first_periods(
    frame: pd.DataFrame,
    question: EventQuestion,
    unit: pd.Series,
    period: pd.Series,
    units: pd.Index,
    periods: list,
) -> pd.Series:
    """Index of the first period of the event by unit."""
    place = {at: index for index, at in enumerate(periods)}
    if question.treated is not None:
        return _switched(frame[question.treated], unit, period, units, place, question)
    if question.adopted is not None:
        first = as_period(frame[question.adopted], "adopted")
        first.index = pd.RangeIndex(len(first))
        names = pd.Series(unit.to_numpy())
        several = first.groupby(names).nunique(dropna=False)
        if (several > 1).any():
            raise EventError(
                f"Unit '{several.index[several > 1][0]}' has several first periods of the event. A unit adopts once "
                f"and keeps it [setting: adopted = {question.adopted}]"
            )
        start = first.groupby(names).first().reindex(units)
    else:
        if absent := [name for name in question.treated_units if name not in units]:
            raise EventError(
                f"No unit is called '{absent[0]}'. Write units as column '{question.unit}' does "
                "[setting: treated_units]"
            )
        at = _event(question, periods)
        start = pd.Series([at if name in question.treated_units else None for name in units], index=units)
    return pd.Series([_place(at, name, periods) for name, at in start.items()], index=units)


def _event(question: EventQuestion, periods: list) -> object:
    text = str(question.event_period)
    try:
        return pd.Timestamp(text) if isinstance(periods[0], pd.Timestamp) else int(text)
    except ValueError:
        raise EventError(
            f"'{text}' is no period. Write it as column '{question.period}' does, such as {told(periods[0])} "
            "[setting: event_period]"
        ) from None


def _place(at: Any, unit: object, periods: list) -> int:
    if at is None or pd.isna(at):
        return int(NEVER)
    if at <= periods[0]:
        raise EventError(
            f"Unit '{unit}' comes under the event in {told(at)}, when the panel starts or before: there is no past "
            "to compare with. Add earlier periods or leave the unit out [setting: adopted, event_period]"
        )
    later = [index for index, each in enumerate(periods) if each >= at]
    return later[0] if later else int(NEVER)


def _switched(
    values: pd.Series,
    unit: pd.Series,
    period: pd.Series,
    units: pd.Index,
    place: dict,
    question: EventQuestion,
) -> pd.Series:
    known = values.dropna()
    if pd.api.types.is_bool_dtype(values.dtype):
        known = known.astype(int)
    elif not (pd.api.types.is_numeric_dtype(values.dtype) and known.isin([0, 1]).all()):
        raise EventError(
            f"'{question.treated}' is not 0 or 1. It says in which rows the event was in force [setting: treated]"
        )
    if len(known) < len(values):
        raise EventError(
            f"'{question.treated}' is blank in {len(values) - len(known)} rows. Say 0 or 1 [setting: treated]"
        )
    table = pd.DataFrame(
        {"unit": unit.to_numpy(), "at": [place[p] for p in period], "on": known.to_numpy(int)}
    )
    table = table.sort_values(["unit", "at"])
    off = (table["on"].diff() < 0) & (table["unit"] == table["unit"].shift())
    if off.any():
        row = table.loc[off].iloc[0]
        periods = list(place)
        raise EventError(
            f"Unit '{row['unit']}' comes out of the event in {told(periods[int(row['at'])])}. These methods need an "
            "event that stays: end the panel before, or leave the unit out "
            f"[setting: treated = {question.treated}]"
        )
    first = table.loc[table["on"] == 1].groupby("unit")["at"].min().reindex(units)
    if (first == 0).any():
        raise EventError(
            f"Unit '{first.index[first == 0][0]}' is under the event when the panel starts: there is no past to "
            "compare with. Add earlier periods or leave the unit out [setting: treated]"
        )
    return first.fillna(-1).astype("int64").replace(-1, int(NEVER))


def as_period(values: pd.Series, setting: str) -> pd.Series:
    """Periods as whole numbers or days; blanks stay."""
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return values
    if pd.api.types.is_numeric_dtype(values.dtype):
        numbers = values.astype("Float64")
        if not (numbers.dropna() % 1 == 0).all():
            raise EventError(
                f"'{values.name}' holds fractions. A period is a whole number or a date [setting: {setting}]"
            )
        return numbers.astype("Int64")
    raise EventError(
        f"'{values.name}' holds text. A period is a whole number or a date: give the column the role number or date "
        f"[setting: {setting}]"
    )


def told(at: Any) -> str:
    """A period as people write it."""
    if isinstance(at, pd.Timestamp):
        return at.date().isoformat()
    return str(int(at))
