"""Judging a suite with Great Expectations, and telling the result in counts."""

import logging
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pandas as pd
import pyarrow.types as arrow_types

from hrtech.quality.catalogue import CATALOGUE
from hrtech.quality.expectations import NOW, Expectation, QualityError, Severity

#: Local clocks are up to 14 hours ahead of UTC, so a date is in the future nowhere on earth before that.
_AHEAD: Final = timedelta(hours=14)
_COUNTS: Final = {
    "element_count": "elements",
    "unexpected_count": "unexpected",
    "unexpected_percent": "unexpected_percent",
    "missing_count": "missing",
    "missing_percent": "missing_percent",
}
_BETWEEN_ITEMS: Final = "\x1f"


@dataclass(frozen=True)
class Outcome:
    """What came of one expectation, without any value.

    Attributes:
        name: Name of the expectation.
        passed: It is fulfilled.
        severity: Severity of the expectation.
        counts: What was found, by name: `rows` (or `items` of a multi-valued column) and, where they apply,
            `unexpected`, `missing` and their percentages, or `observed`; `reason` where it could not be judged.
    """

    name: str
    passed: bool
    severity: Severity
    counts: dict[str, int | float | str] = field(default_factory=dict)


def run_suite(
    frame: pd.DataFrame, expectations: Sequence[Expectation], *, now: datetime | None = None
) -> list[Outcome]:
    """Judge a table.

    What cannot be judged (a column is missing, or of a type that the expectation cannot speak of) has failed. On a
    multi-valued column, expectations about values speak of each item.

    Args:
        frame: The table; it is not changed.
        expectations: The suite.
        now: The moment that the bound `now` stands for; the clock's where none is given. Naive times are UTC.

    Returns:
        One outcome for each expectation, in the order of the suite.

    Raises:
        QualityError: Two expectations have the same name.
    """
    names = [expectation.name for expectation in expectations]
    for name in names:
        if names.count(name) > 1:
            raise QualityError(f"Two expectations are named '{name}'. Give one a `name`.")
    outcomes: dict[str, Outcome] = {}
    batches: dict[str, list[Expectation]] = {}
    for expectation in expectations:
        absent = [column for column in expectation.columns if column not in frame.columns]
        if absent:
            outcomes[expectation.name] = _unjudged(expectation, f"the table has no column '{absent[0]}'")
        else:
            batches.setdefault(_items_of(frame, expectation), []).append(expectation)
    moment = (now or datetime.now(UTC)).astimezone(UTC) if now is None or now.tzinfo else now
    for items_of, batch in batches.items():
        table = _items(frame, items_of) if items_of else _table(frame, batch)
        counted = "items" if items_of else "rows"
        outcomes.update(_judge(table, batch, moment.replace(tzinfo=None), counted))
    return [outcomes[name] for name in names]


def _is_list(series: pd.Series) -> bool:
    return isinstance(series.dtype, pd.ArrowDtype) and arrow_types.is_list(series.dtype.pyarrow_dtype)


def _items_of(frame: pd.DataFrame, expectation: Expectation) -> str:
    """Name the multi-valued column whose items an expectation speaks of; empty where it speaks of rows."""
    column = expectation.column
    if column is None or not CATALOGUE[expectation.type].items or not _is_list(frame[column]):
        return ""
    return column


def _items(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """One row an item; cells that are unknown or empty have none."""
    items = frame[column].dropna().array._pa_array.combine_chunks().flatten()
    return pd.DataFrame({column: pd.Series(items.to_pandas(), dtype="str")})


def _table(frame: pd.DataFrame, batch: Sequence[Expectation]) -> pd.DataFrame:
    """Only the columns that are spoken of (all, where columns are counted), with lists as joined text."""
    if any(expectation.type == "expect_table_column_count_to_be_between" for expectation in batch):
        wanted = list(frame.columns)
    else:
        spoken = {column for expectation in batch for column in expectation.columns}
        # a table without columns has no rows for Great Expectations, so one column at least must stay
        wanted = [column for column in frame.columns if column in spoken] or list(frame.columns[:1])
    table = frame[wanted]
    lists = {column: _joined(table[column]) for column in wanted if _is_list(table[column])}
    return table.assign(**lists) if lists else table


def _joined(lists: pd.Series) -> pd.Series:
    return pd.Series(
        [None if cell is None else _BETWEEN_ITEMS.join(cell) for cell in lists.array.to_numpy(na_value=None)],
        index=lists.index,
        dtype="str",
    )


def _unjudged(expectation: Expectation, reason: str) -> Outcome:
    return Outcome(expectation.name, False, expectation.severity, {"reason": reason})


@contextmanager
def _silence() -> Iterator[None]:
    """Keep Great Expectations' log lines and warnings, which quote cells, from going anywhere."""
    logger = logging.getLogger("great_expectations")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _judge(
    table: pd.DataFrame, batch: Sequence[Expectation], now: datetime, counted: str
) -> dict[str, Outcome]:
    with _silence():
        results = _validate(table, batch, now)
    outcomes = {}
    for expectation in batch:
        result = results.get(expectation.name)
        if result is None:
            outcomes[expectation.name] = _unjudged(
                expectation, "it cannot be judged on a column of this type"
            )
        else:
            passed, told = result
            outcomes[expectation.name] = Outcome(
                expectation.name, passed, expectation.severity, _counts(told, expectation, counted)
            )
    return outcomes


def load_great_expectations() -> Any:
    """Import Great Expectations as if Spark were not installed, which it would import and is not used for here.

    Besides, Spark Connect without its own dependencies ends a process whose main module is no file.
    """
    if "great_expectations" in sys.modules:
        return sys.modules["great_expectations"]
    absent = [name for name in ("pyspark", "pyspark.sql.connect") if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    try:
        import great_expectations
    finally:
        for name in absent:
            del sys.modules[name]
    return great_expectations


def _validate(
    table: pd.DataFrame, batch: Sequence[Expectation], now: datetime
) -> dict[str, tuple[bool, Mapping[str, Any]]]:
    """Run Great Expectations; what raised is absent from the result."""
    gx = load_great_expectations()
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("tables").add_dataframe_asset("table")
    handle = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": table})
    made = []
    for expectation in batch:
        kind = getattr(gx.expectations, _class_name(expectation.type))
        arguments = {
            name: _bound(value, expectation, table, now) for name, value in expectation.arguments.items()
        }
        if expectation.column is not None:
            arguments["column"] = expectation.column
        try:
            made.append(kind(**arguments, meta={"name": expectation.name}))
        except (ValueError, TypeError):  # pydantic's error repeats the arguments; the outcome says enough
            continue
    suite = gx.ExpectationSuite(name="suite", expectations=made)
    told = handle.validate(suite, result_format={"result_format": "BASIC", "partial_unexpected_count": 0})
    judged: dict[str, tuple[bool, Mapping[str, Any]]] = {}
    for result in told.results:
        config = result.expectation_config
        if config is not None and (result.result or result.success):
            judged[config.meta["name"]] = (bool(result.success), result.result)
    return judged


def _class_name(kind: str) -> str:
    """`expect_column_pair_values_a_to_...` is `ExpectColumnPairValuesATo...` in Great Expectations."""
    return "".join(word.capitalize() for word in kind.split("_"))


def _bound(value: Any, expectation: Expectation, table: pd.DataFrame, now: datetime) -> Any:
    """Bounds of dates as moments, which is all that Great Expectations compares with pandas' dates."""
    if isinstance(value, str) and value == NOW:
        return pd.Timestamp(now + _AHEAD)
    is_date = expectation.column is not None and pd.api.types.is_datetime64_any_dtype(
        table[expectation.column]
    )
    if is_date and isinstance(value, str | date):
        return pd.Timestamp(value)
    return list(value) if isinstance(value, tuple) else value


def _counts(told: Mapping[str, Any], expectation: Expectation, counted: str) -> dict[str, int | float | str]:
    counts: dict[str, int | float | str] = {}
    for theirs, ours in _COUNTS.items():
        value = told.get(theirs)
        if isinstance(value, int | float) and not isinstance(value, bool):
            ours = counted if ours == "elements" else ours
            counts[ours] = round(float(value), 4) if theirs.endswith("percent") else int(value)
    observed = told.get("observed_value")
    if CATALOGUE[expectation.type].counts_observed and isinstance(observed, int | float):
        counts["observed"] = observed if isinstance(observed, int) else float(observed)
    return counts
