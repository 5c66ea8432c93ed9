"""From a long table to a panel without blanks: who is treated when, and what was left out by which rule.

Every unit left out is named with its reason. What cannot be a panel is refused here, before any number exists.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from hrtech.causal.events.adoption import NEVER, as_period, first_periods, told
from hrtech.causal.events.question import EventError, EventQuestion

_NAMED: Final = 5
_MOST_NAMES: Final = 20


@dataclass(frozen=True)
class Panel:
    """One outcome by unit and period.

    Attributes:
        units: Names, (N,).
        periods: Periods in order, (T,): whole numbers or ISO dates as text.
        outcomes: (N, T), no blanks.
        adopted: (N,) index of the first period of the event; `NEVER` for units without one.
    """

    units: np.ndarray
    periods: np.ndarray
    outcomes: np.ndarray
    adopted: np.ndarray

    @property
    def ever(self) -> np.ndarray:
        """Units that come under the event, (N,) bool."""
        return self.adopted < NEVER

    @property
    def cohorts(self) -> np.ndarray:
        """Indices of the periods in which units adopt, rising."""
        return np.unique(self.adopted[self.ever])

    def some(self, kept: np.ndarray) -> "Panel":
        """The panel of some of its units."""
        return Panel(self.units[kept], self.periods, self.outcomes[kept], self.adopted[kept])


def make_panel(frame: pd.DataFrame, question: EventQuestion, outcome: str) -> tuple[Panel, pd.DataFrame]:
    """Build the panel of one outcome.

    Returns:
        The panel, and `unit, rule, detail`: units left out and cells filled in.

    Raises:
        EventError: The table is no panel, the event is not one that can be studied, or nobody is left to compare.
    """
    _check_columns(frame, question, outcome)
    unit, period = _keys(frame, question)
    _check_twice(unit, period, question)
    value = _value(frame, question, outcome)
    grid, periods = _grid(unit, period, value)
    adopted = first_periods(frame, question, unit, period, grid.index, periods)
    notes = _gaps(periods)
    grid = _filled(grid, question, notes)
    adopted = adopted.loc[grid.index]
    _check_before(adopted, grid, question, notes)
    kept = ~grid.index.isin([name for name, rule, _ in notes if rule == "left out: short history"])
    grid, adopted = grid.loc[kept], adopted.loc[kept]
    panel = Panel(
        grid.index.to_numpy(dtype=object),
        np.array([told(at) for at in periods], dtype=object),
        grid.to_numpy(float),
        adopted.to_numpy(np.int64),
    )
    _check_comparison(panel, question, outcome)
    table = pd.DataFrame(notes, columns=["unit", "rule", "detail"]).astype("str")
    return panel, table


def _check_columns(frame: pd.DataFrame, question: EventQuestion, outcome: str) -> None:
    named = (
        ("unit", question.unit),
        ("period", question.period),
        ("outcomes", outcome),
        ("per", question.per),
        ("treated", question.treated),
        ("adopted", question.adopted),
    )
    for setting, name in named:
        if name is not None and name not in frame.columns:
            raise EventError(
                f"No column is called '{name}'. Name one of {_few(frame.columns)} [setting: {setting}]"
            )
    if not len(frame):
        raise EventError("The table has no rows. Read a panel with one row per unit and period")


def _keys(frame: pd.DataFrame, question: EventQuestion) -> tuple[pd.Series, pd.Series]:
    unit, period = frame[question.unit], frame[question.period]
    for setting, values in (("unit", unit), ("period", period)):
        if blank := int(values.isna().sum()):
            raise EventError(
                f"{blank} rows have no {setting}: '{values.name}' is blank. Fill it in or leave the rows out "
                f"[setting: {setting}]"
            )
    return unit.astype("str"), as_period(period, "period")


def _check_twice(unit: pd.Series, period: pd.Series, question: EventQuestion) -> None:
    twice = pd.DataFrame({"unit": unit, "period": period}).duplicated()
    if twice.any():
        at = int(np.flatnonzero(twice)[0])
        raise EventError(
            f"{int(twice.sum())} rows repeat a unit and period, first '{unit.iloc[at]}' in "
            f"{told(period.iloc[at])}. Add them up or leave the repeats out, so that each has one row "
            f"[setting: {question.unit}, {question.period}]"
        )


def _value(frame: pd.DataFrame, question: EventQuestion, outcome: str) -> pd.Series:
    numbers = []
    for setting, name in (("outcomes", outcome), ("per", question.per)):
        if name is None:
            continue
        if not pd.api.types.is_numeric_dtype(frame[name].dtype):
            raise EventError(f"'{name}' holds no numbers. Give it the role number [setting: {setting}]")
        numbers.append(frame[name].astype("Float64"))
    value = numbers[0]
    if question.per is not None:
        if bool((numbers[1] <= 0).any()):
            raise EventError(
                f"The divisor '{question.per}' is 0 or less in some rows. Correct or blank them [setting: per]"
            )
        value = value / numbers[1]
    value = value * question.scale
    if np.isinf(value.to_numpy(float, na_value=np.nan)).any():
        raise EventError(f"'{outcome}' holds an infinite number. Correct or blank it [setting: outcomes]")
    return value


def _grid(unit: pd.Series, period: pd.Series, value: pd.Series) -> tuple[pd.DataFrame, list]:
    """Values by unit and period, with every period that any unit has."""
    long = pd.DataFrame({"unit": unit, "period": period, "value": value.astype(float)})
    grid = long.pivot(index="unit", columns="period", values="value").sort_index(axis=1)
    return grid, list(grid.columns)


def _gaps(periods: list) -> list[tuple[str, str, str]]:
    """Note where no unit has a period: the periods around the gap count as neighbours."""
    if len(periods) < 3:
        return []
    steps = np.diff(np.array([at.toordinal() if isinstance(at, pd.Timestamp) else int(at) for at in periods]))
    wide = np.flatnonzero(steps > 1.5 * np.median(steps))
    return [
        ("every unit", "no such period", f"nothing between {told(periods[at])} and {told(periods[at + 1])}")
        for at in wide
    ]


def _filled(grid: pd.DataFrame, question: EventQuestion, notes: list) -> pd.DataFrame:
    """Apply the rule for blanks, unit by unit."""
    blank = grid.isna()
    short = blank.any(axis=1)
    if not short.any():
        return grid
    if question.missing == "refuse":
        raise EventError(
            f"{int(short.sum())} units lack periods, such as '{grid.index[short][0]}'. Complete the panel, or let "
            "them be left out or filled in [setting: missing]"
        )
    if question.missing == "interpolate":
        filled = grid.T.reset_index(drop=True).interpolate(limit_area="inside").T
        filled.columns = grid.columns
        for name in grid.index[short]:
            if inside := int((blank.loc[name] & filled.loc[name].notna()).sum()):
                notes.append(
                    (
                        name,
                        "filled in: straight line between neighbours",
                        _cells(grid.columns, blank.loc[name], inside),
                    )
                )
        grid = filled
        short = grid.isna().any(axis=1)
    for name in grid.index[short]:
        gone = grid.loc[name].isna()
        notes.append((name, "left out: periods missing", _cells(grid.columns, gone, int(gone.sum()))))
    if short.all():
        raise EventError(
            "Every unit lacks a period, so that none is left. Narrow the panel to periods that all have, or fill "
            "gaps in [setting: missing]"
        )
    return grid.loc[~short]


def _cells(periods: pd.Index, which: pd.Series, count: int) -> str:
    named = [told(at) for at in periods[which.to_numpy()][:_NAMED]]
    return f"{count} periods: {', '.join(named)}{' …' if count > len(named) else ''}"


def _check_before(adopted: pd.Series, grid: pd.DataFrame, question: EventQuestion, notes: list) -> None:
    """Note treated units whose past is shorter than the rule asks."""
    past = adopted - question.anticipation
    for name, count in past[(adopted < NEVER) & (past < question.min_before)].items():
        notes.append(
            (
                str(name),
                "left out: short history",
                f"{max(int(count), 0)} periods before the event, {question.min_before} are asked for (min_before)",
            )
        )


def _check_comparison(panel: Panel, question: EventQuestion, outcome: str) -> None:
    if not panel.ever.any():
        raise EventError(
            "No unit comes under the event within the panel (units left out count as absent). Check the event, and "
            "the rules on missing periods and short history [setting: treated, adopted, missing, min_before]"
        )
    if panel.ever.all() and len(panel.cohorts) < 2:
        raise EventError(
            "Every unit comes under the event at the same time: there are no donors to compare with. Add units "
            "without it [setting: treated, adopted]"
        )
    if panel.ever.all() and question.controls == "never_treated":
        raise EventError(
            "Every unit comes under the event at some time, so that none was never treated. Compare with units that "
            "are not yet treated [setting: controls = not_yet_treated]"
        )
    if np.ptp(panel.outcomes) == 0:
        raise EventError(
            f"The outcome '{outcome}' is constant, so that nothing can change it [setting: outcomes]"
        )


def _few(names: Iterable[object]) -> str:
    texts = [str(name) for name in names]
    return ", ".join(texts[:_MOST_NAMES]) + (
        f" and {len(texts) - _MOST_NAMES} more" if len(texts) > _MOST_NAMES else ""
    )
