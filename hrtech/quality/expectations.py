"""Expectations as data: the default suite of a declaration, and what a study's settings add to it."""

import difflib
import hashlib
import math
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Literal, get_args

from hrtech.quality.catalogue import CATALOGUE, ExpectationType
from hrtech.sources import ColumnSpec

Severity = Literal["error", "warn"]
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
#: A bound of a date that is read off the clock when the suite is run.
NOW: Final = "now"
#: Which rows an expectation about several columns passes over: of a pair, and of a compound.
_SKIPS: Final = (
    *("both_values_are_missing", "either_value_is_missing", "neither"),
    *("all_values_are_missing", "any_value_is_missing", "never"),
)
_KEYS: Final = ("type", "column", "arguments", "severity", "name")


class QualityError(ValueError):
    """An expectation is declared wrongly; the message names the setting and the mend."""


@dataclass(frozen=True)
class Expectation:
    """One thing that a table is expected to fulfil.

    Attributes:
        type: Name in Great Expectations, such as `expect_column_values_to_not_be_null`.
        column: The column it speaks of; None for a table.
        arguments: Its arguments. The bound `now` of a date stands for the moment of the run.
        severity: `error` stops what stands on the table, `warn` does not.
        name: Unique in its suite, of letters, digits and underscores; made of column and type where none is given.
    """

    type: str
    column: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity = "error"
    name: str = ""

    def __post_init__(self) -> None:
        kind = _known_type(self.type)
        _check_arguments(self, kind)
        if self.severity not in SEVERITIES:
            raise QualityError(
                f"Expectation {self.type}: severity '{self.severity}' is unknown. Use error or warn."
            )
        if not self.name:
            object.__setattr__(self, "name", _name(self, kind))
        if not re.fullmatch(r"[A-Za-z0-9_]+", self.name):
            raise QualityError(
                f"Expectation {self.type}: the name '{self.name}' may only hold letters, digits and underscores."
            )

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that it speaks of."""
        named = [self.column] if self.column is not None else []
        for argument in CATALOGUE[self.type].columns_in:
            given = self.arguments.get(argument, ())
            named.extend([given] if isinstance(given, str) else given)
        return tuple(named)


def default_suite(columns: Sequence[ColumnSpec]) -> list[Expectation]:
    """Derive the suite that a declaration of columns implies.

    There is at least one row; identifiers are known in every row; columns that are declared unique are; columns with
    declared values or bands hold nothing else (of a multi-valued column: none of its items); and, as a warning, dates
    do not lie in the future and no column is unknown throughout.

    Args:
        columns: The declaration; columns to leave out do not count.

    Returns:
        The suite, with names that depend on the columns alone.
    """
    suite = [Expectation("expect_table_row_count_to_be_between", None, {"min_value": 1})]
    for spec in columns:
        if spec.role != "leave_out":
            suite.extend(_implied(spec))
    return suite


def _implied(spec: ColumnSpec) -> list[Expectation]:
    column = spec.output
    implied = []
    if spec.role == "identifier":
        implied.append(Expectation("expect_column_values_to_not_be_null", column))
    else:
        implied.append(
            Expectation(
                "expect_column_proportion_of_non_null_values_to_be_between",
                column,
                {"min_value": 0, "strict_min": True},
                "warn",
                f"{_plain(column)}_not_unknown_throughout",
            )
        )
    # bands merge distinct numbers, so that uniqueness was judged when the file was read
    if spec.unique and spec.bands is None:
        implied.append(Expectation("expect_column_values_to_be_unique", column))
    if spec.domain is not None:
        implied.append(
            Expectation("expect_column_values_to_be_in_set", column, {"value_set": list(spec.domain)})
        )
    if spec.role == "date":
        implied.append(
            Expectation(
                "expect_column_values_to_be_between",
                column,
                {"max_value": NOW},
                "warn",
                f"{_plain(column)}_not_in_the_future",
            )
        )
    return implied


def suite_from_settings(
    settings: Sequence[Mapping[str, Any]], columns: Sequence[ColumnSpec]
) -> list[Expectation]:
    """Join the default suite and what a study declares; a declared expectation replaces the default of its name.

    Args:
        settings: One mapping an expectation; see `expectation_from_settings`.
        columns: The declaration of the table's columns.

    Raises:
        QualityError: An expectation is wrong, or two that are declared have the same name.
    """
    known = [spec.output for spec in columns if spec.role != "leave_out"]
    declared: dict[str, Expectation] = {}
    for position, setting in enumerate(settings):
        made = expectation_from_settings(setting, columns=known, place=f"expectations[{position}]")
        if made.name in declared:
            raise QualityError(
                f"expectations[{position}]: there is another expectation named '{made.name}'. Give one a `name`."
            )
        declared[made.name] = made
    suite = []
    for usual in default_suite(columns):
        chosen = declared.pop(usual.name, usual)
        if (chosen.type, chosen.columns) != (usual.type, usual.columns):
            raise QualityError(
                f"The name '{usual.name}' belongs to an expectation of the default suite. Give {chosen.type} on "
                f"{' and '.join(chosen.columns) or 'the table'} another `name`."
            )
        suite.append(chosen)
    return suite + list(declared.values())


def expectation_from_settings(
    setting: Mapping[str, Any], *, columns: Collection[str] | None = None, place: str = "expectation"
) -> Expectation:
    """Read one expectation from a study's settings.

    Args:
        setting: `type` (with or without `expect_`), and where they apply `column`, `arguments`, `severity`, `name`.
        columns: Names of the table's columns, to check against; None to leave that to the run.
        place: What messages call the setting.

    Raises:
        QualityError: A key, the type, an argument or a column is unknown or does not fit.
    """
    if not isinstance(setting, Mapping) or not isinstance(setting.get("type"), str):
        raise QualityError(
            f"{place}: an expectation needs a `type`, such as expect_column_values_to_not_be_null."
        )
    for key in setting:
        if key not in _KEYS:
            raise QualityError(
                f"{place}: `{key}` is unknown.{_nearest(str(key), _KEYS)} Use {', '.join(_KEYS)}."
            )
    kind = setting["type"]
    arguments = setting.get("arguments") or {}
    if not isinstance(arguments, Mapping):
        raise QualityError(f"{place}: `arguments` must be a mapping, such as {{min_value: 0}}.")
    problem = None
    try:
        made = Expectation(
            type=kind if kind.startswith("expect_") else f"expect_{kind}",
            column=setting.get("column"),
            arguments=dict(arguments),
            severity=setting.get("severity") or "error",
            name=setting.get("name") or "",
        )
    except QualityError as error:
        problem = str(error)
    if problem is not None:
        raise QualityError(f"{place}: {problem}")
    for column in made.columns:
        if columns is not None and column not in columns:
            raise QualityError(
                f"{place}: the table has no column '{column}'.{_nearest(column, columns)} "
                f"It has {', '.join(columns)}."
            )
    return made


def _known_type(name: str) -> ExpectationType:
    if name not in CATALOGUE:
        raise QualityError(
            f"expectation type '{name}' is unknown.{_nearest(name, CATALOGUE)} Types: {', '.join(CATALOGUE)}."
        )
    return CATALOGUE[name]


def _nearest(word: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean '{close[0]}'?" if close else ""


def _check_arguments(made: Expectation, kind: ExpectationType) -> None:
    given, allowed = made.arguments, (*kind.required, *kind.optional)
    if kind.column and not (isinstance(made.column, str) and made.column):
        raise QualityError(f"Expectation {made.type} speaks of one column. Name it under `column`.")
    if not kind.column and made.column is not None:
        raise QualityError(f"Expectation {made.type} takes no `column`.")
    for argument in given:
        if argument not in allowed:
            known = f"It takes {', '.join(allowed)}." if allowed else "It takes none."
            raise QualityError(
                f"Expectation {made.type}: argument `{argument}` is unknown."
                f"{_nearest(str(argument), allowed)} {known}"
            )
    for argument in kind.required:
        if argument not in given:
            raise QualityError(f"Expectation {made.type} needs the argument `{argument}`.")
    if kind.is_range and given.get("min_value") is None and given.get("max_value") is None:
        raise QualityError(f"Expectation {made.type} needs `min_value` or `max_value`.")
    for argument, value in given.items():
        if (wanted := _wrong(argument, value)) is not None:
            raise QualityError(f"Expectation {made.type}: argument `{argument}` must be {wanted}.")
    _check_order(made)


def _wrong(argument: str, value: object) -> str | None:
    """What an argument must be, where it is not."""
    if argument == "mostly":
        fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1
        return None if fits else "a share above 0, up to 1"
    if argument in ("min_value", "max_value"):
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        fits = number or isinstance(value, date) or (isinstance(value, str) and _is_moment(value))
        return None if fits else "a number, an ISO date, or `now`"
    if argument in ("value_set", "column_list"):
        fits = isinstance(value, list | tuple) and len(value) > 0
        return None if fits else "a list that is not empty"
    if argument in ("strict_min", "strict_max", "or_equal"):
        return None if isinstance(value, bool) else "true or false"
    if argument == "ignore_row_if":
        return None if value in _SKIPS else f"one of {', '.join(_SKIPS)}"
    return _wrong_text(argument, value)


def _wrong_text(argument: str, value: object) -> str | None:
    if not isinstance(value, str) or not value:
        return "text"
    if argument == "regex":
        try:
            re.compile(value)
        except re.error:
            return "a regular expression (Python's `re`)"
    return None


def _is_moment(value: str) -> bool:
    return value == NOW or re.fullmatch(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2})?)?", value) is not None


def _check_order(made: Expectation) -> None:
    low, high = made.arguments.get("min_value"), made.arguments.get("max_value")
    if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
        raise QualityError(f"Expectation {made.type}: `min_value` is above `max_value`.")


def _name(made: Expectation, kind: ExpectationType) -> str:
    """Make a name of the columns and the type alone, so that it stays when the rest of the suite changes."""
    parts = [*(_plain(column) for column in made.columns), kind.label]
    return "_".join(parts) if made.columns else f"table_{kind.label}"


def _plain(column: str) -> str:
    """Write a column's name in letters, digits and underscores; a short hash keeps changed names apart."""
    folded = unicodedata.normalize("NFKD", column).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9]+", "_", folded).strip("_") or "column"
    if plain == column:
        return plain
    return f"{plain}_{hashlib.sha256(column.encode()).hexdigest()[:6]}"
