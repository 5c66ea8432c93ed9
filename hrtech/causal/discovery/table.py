"""From a data frame to variables that a search can use: kinds, missing values, and refusals.

Every row left out is counted. What cannot be told apart (a constant, a copy, a sum of others) is refused here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtech.causal.discovery.knowledge import DiscoveryError
from hrtech.causal.discovery.scores import MOST_VARIABLES

Kind = Literal["number", "category"]
MissingRule = Literal["complete_cases", "own_level"]

LEAST_VARIABLES = 3
_MOST_LEVELS = 20
_FEWEST_ROWS = 30


@dataclass(frozen=True)
class Variable:
    """One variable.

    Attributes:
        name: Its column.
        kind: number or category; two numbers are a category of two.
        values: Numbers, or levels from 0; shape (n,).
        levels: Names of the levels in order; empty for a number.
    """

    name: str
    kind: Kind
    values: NDArray[np.float64]
    levels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """Variables over the same rows.

    Attributes:
        variables: The variables.
        rows: `step, rows`: rows left out at each step, and rows used.
    """

    variables: tuple[Variable, ...]
    rows: pd.DataFrame

    @property
    def n(self) -> int:
        """Number of rows used."""
        return len(self.variables[0].values)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(variable.name for variable in self.variables)

    def place(self, name: str) -> int:
        """Position of a variable."""
        return self.names.index(name)


def make_table(
    frame: pd.DataFrame, names: Sequence[str] = (), *, missing: MissingRule = "complete_cases"
) -> Table:
    """Build the variables.

    Args:
        frame: One row per unit.
        names: Columns to use; all without names.
        missing: `complete_cases` leaves rows with a blank out; `own_level` keeps a blank category as its own level
            and leaves out rows with a blank number.

    Raises:
        DiscoveryError: A column is absent, unusable, constant, a copy of another or follows from others, or there are
            too many variables or too few rows.
    """
    chosen = list(names) or [str(name) for name in frame.columns]
    _check_names(frame, chosen)
    read = {name: _read(frame[name], name, missing) for name in chosen}
    blank = np.zeros(len(frame), bool)
    for _, unknown, _ in read.values():
        blank |= unknown
    steps = [("rows in the table", len(frame)), ("a variable missing", int(blank.sum()))]
    steps.append(("rows used", int((~blank).sum())))
    rows = pd.DataFrame(steps, columns=["step", "rows"]).astype({"step": "str"})
    n = int((~blank).sum())
    least = max(_FEWEST_ROWS, len(chosen) + 10)
    if n < least:
        worst = max(read, key=lambda name: int(read[name][1].sum()))
        lost = int(read[worst][1].sum())
        mend = f"'{worst}' is blank in {lost} rows: leave it out" if lost else "Name fewer variables"
        raise DiscoveryError(
            f"{n} complete rows are too few for {len(chosen)} variables; at least {least} are needed. {mend} "
            "[setting: variables]"
        )
    variables = tuple(_variable(name, values[~blank], levels) for name, (values, _, levels) in read.items())
    _check_distinct(variables)
    return Table(variables, rows)


def _check_names(frame: pd.DataFrame, chosen: list[str]) -> None:
    for name in chosen:
        if name not in frame.columns:
            raise DiscoveryError(
                f"There is no column '{name}'. Name a column that is read [setting: variables]"
            )
    if twice := sorted({name for name in chosen if chosen.count(name) > 1}):
        raise DiscoveryError(f"'{twice[0]}' is named twice. Name it once [setting: variables]")
    if len(chosen) < LEAST_VARIABLES:
        raise DiscoveryError(
            f"{len(chosen)} variables ({', '.join(chosen)}) are too few: name three or more [setting: variables]"
        )
    if len(chosen) > MOST_VARIABLES:
        raise DiscoveryError(
            f"{len(chosen)} variables are too many; {MOST_VARIABLES} can be searched. Leave out those that you care "
            f"least about, the last one is '{chosen[-1]}' [setting: variables]"
        )


def _read(
    values: pd.Series, name: str, missing: MissingRule
) -> tuple[NDArray[np.float64], NDArray[np.bool_], tuple[str, ...] | None]:
    """Return values, where they are unknown, and the levels of a category (None for a number)."""
    unknown: NDArray[np.bool_] = values.isna().to_numpy(bool)
    kind = values.dtype
    if pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind):
        numbers = _floats(values)
        if np.isinf(numbers).any():
            raise DiscoveryError(
                f"'{name}' holds infinite numbers. Mend them in the source [setting: variables]"
            )
        return numbers, unknown, None
    if pd.api.types.is_datetime64_any_dtype(kind):
        days = (values - pd.Timestamp("2000-01-01")).dt.days.astype("Float64")
        return _floats(days), unknown, None
    plain = pd.api.types.is_bool_dtype(kind) or pd.api.types.is_string_dtype(values[~unknown])
    if not (plain or isinstance(kind, pd.CategoricalDtype)):
        raise DiscoveryError(
            f"'{name}' holds several values a cell or mixed types. Leave it out, or give it the role number or "
            "category [setting: variables]"
        )
    texts = values.astype("str").where(~unknown, "unknown")
    keep = unknown if missing == "complete_cases" else np.zeros(len(values), bool)
    levels = tuple(sorted(texts[~keep].unique()))
    codes = pd.Categorical(texts, categories=list(levels)).codes.astype(float)
    return codes, keep, levels


def _floats(values: pd.Series) -> NDArray[np.float64]:
    out: NDArray[np.float64] = np.asarray(
        values.astype("Float64").to_numpy(float, na_value=np.nan), dtype=np.float64
    )
    return out


def _variable(name: str, values: NDArray[np.float64], levels: tuple[str, ...] | None) -> Variable:
    distinct = np.unique(values)
    if len(distinct) < 2:
        raise DiscoveryError(
            f"'{name}' is constant in the rows used, so that nothing can be learnt of it. Leave it out "
            "[setting: variables]"
        )
    if levels is None and len(distinct) > 2:
        return Variable(name, "number", values.astype(float))
    if levels is None:
        told = tuple(f"{value:g}" for value in distinct)
    else:
        told = tuple(levels[int(code)] for code in distinct)
    if len(told) > _MOST_LEVELS:
        raise DiscoveryError(
            f"'{name}' has {len(told)} levels, more than {_MOST_LEVELS}. Group them first, or leave it out "
            "[setting: variables]"
        )
    return Variable(name, "category", np.searchsorted(distinct, values).astype(float), told)


def _check_distinct(variables: tuple[Variable, ...]) -> None:
    for place, one in enumerate(variables):
        for other in variables[:place]:
            if _same(one, other):
                raise DiscoveryError(
                    f"'{one.name}' is a copy of '{other.name}': each follows exactly from the other. Leave one out "
                    "[setting: variables]"
                )
    numbers = [variable for variable in variables if variable.kind == "number"]
    if not numbers:
        return
    z = np.column_stack([v.values for v in numbers])
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    for place in range(1, len(numbers)):
        weights, *_ = np.linalg.lstsq(z[:, :place], z[:, place], rcond=None)
        rest = z[:, place] - z[:, :place] @ weights
        if rest @ rest < 1e-9 * len(rest):
            by = ", ".join(f"'{numbers[k].name}'" for k in np.flatnonzero(np.abs(weights) > 1e-6))
            raise DiscoveryError(
                f"'{numbers[place].name}' follows exactly from {by} (perfect collinearity). Leave one of them out "
                "[setting: variables]"
            )


def _same(one: Variable, other: Variable) -> bool:
    """Whether each value of one goes with one value of the other, both ways."""
    if one.kind != other.kind or len(one.levels) != len(other.levels):
        return False
    if one.kind == "number":
        return bool(abs(np.corrcoef(one.values, other.values)[0, 1]) > 1 - 1e-10)
    pairs = np.unique(np.column_stack([one.values, other.values]), axis=0)
    return len(pairs) == len(one.levels)
