"""Raw columns to typed ones, by the role that is declared for each.

Text is typed here for all formats alike; values that have a type already (Parquet, upstream tables) keep what they
say. Work is done on whole columns; a row is only looked for when something is wrong with it.
"""

from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as arrow_types

from hrtech.sources.columns import ColumnSpec, banded
from hrtech.sources.dates import read_dates
from hrtech.sources.multi_valued import read_lists
from hrtech.sources.numbers import read_numbers
from hrtech.sources.raw import RawTable
from hrtech.sources.words import check_unique, check_words, first_true, is_list, known_words, text_series


def type_columns(raw: RawTable, columns: Sequence[ColumnSpec]) -> pd.DataFrame:
    """Type all declared columns of a raw table, in the order in which they are declared.

    Raises:
        SourceError: A cell is not what its column's role says.
    """
    made = {spec.output: _typed(raw, spec) for spec in columns if spec.role != "leave_out"}
    return pd.DataFrame(made)


def _typed(raw: RawTable, spec: ColumnSpec) -> pd.Series:
    cells = raw.columns[spec.name]
    if arrow_types.is_dictionary(cells.type):
        cells = cells.cast(cells.type.value_type)
    if is_list(cells.type) and spec.role != "multi_valued":
        raise raw.error(
            first_true(pc.is_valid(cells)) or 0,
            f"the cell is a list where role '{spec.role}' expects one value",
            mend="Declare the role multi_valued",
            column=spec.name,
            setting=spec.setting("role"),
        )
    if spec.role == "multi_valued":
        return read_lists(raw, spec, cells)
    if spec.role == "number":
        numbers = read_numbers(raw, spec, cells)
        if spec.unique:
            check_unique(raw, spec, pa.chunked_array([pa.array(numbers)]))
        return banded(numbers, spec.bands) if spec.bands is not None else numbers
    if spec.role == "date":
        dates = read_dates(raw, spec, cells)
        if spec.unique:
            check_unique(raw, spec, pa.chunked_array([pa.array(dates, from_pandas=True)]))
        return dates
    words = known_words(raw, spec, cells)
    if spec.values is not None:
        check_words(raw, spec, words)
    if spec.unique:
        check_unique(raw, spec, words)
    return text_series(words)
