"""Columns of numbers: `Int64` where every cell is whole, else `Float64`."""

from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as arrow_types

from hrtech.sources.columns import ColumnSpec
from hrtech.sources.raw import RawTable
from hrtech.sources.words import known_words, refuse

_NUMBER: Final = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"
_WHOLE: Final = r"^[+-]?\d{1,18}$"
_LARGEST: Final = pa.scalar(2**63 - 1, pa.uint64())
_LONG: Final = r"^[+-]?\d{19,}$"


def read_numbers(raw: RawTable, spec: ColumnSpec, cells: pa.ChunkedArray) -> pd.Series:
    """Type a column of numbers; yes/no, where the source has the type, counts as 1 and 0.

    Raises:
        SourceError: A cell is no number, is infinite, or is too long to be held exactly.
    """
    kind = cells.type
    if arrow_types.is_uint64(kind):
        refuse(
            raw,
            spec,
            pc.greater(cells, _LARGEST),
            "the number is too large",
            mend="Declare the role identifier if it is a code",
            field="role",
        )
    if arrow_types.is_boolean(kind) or arrow_types.is_integer(kind):
        return _whole_series(cells.cast(pa.int64()))
    if arrow_types.is_floating(kind) or arrow_types.is_decimal(kind):
        values = cells.cast(pa.float64())
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, pa.float64()), values)
        _refuse_infinite(raw, spec, values)
        return _float_series(values)
    words = known_words(raw, spec, cells)
    if spec.decimal == ",":
        pointed = pc.match_substring(words, ".")
        words = pc.if_else(pointed, words, pc.replace_substring(words, ",", "."))
        wrong = pc.or_(pointed, pc.invert(pc.match_substring_regex(words, _NUMBER)))
    else:
        wrong = pc.invert(pc.match_substring_regex(words, _NUMBER))
    mark = "comma" if spec.decimal == "," else "point"
    refuse(
        raw,
        spec,
        wrong,
        "the cell is not a number",
        mend=f"Write digits with a decimal {mark} and no thousands separator (setting `decimal`), "
        "or list the word for unknown under `blank`",
        field="role",
    )
    refuse(
        raw,
        spec,
        pc.match_substring_regex(words, _LONG),
        "the number has more than 18 digits, which would be rounded",
        mend="Declare the role identifier if it is a code",
        field="role",
    )
    if pc.all(pc.match_substring_regex(words, _WHOLE)).as_py() is not False:
        return _whole_series(pc.replace_substring_regex(words, r"^\+", "").cast(pa.int64()))
    values = pc.replace_substring_regex(words, r"^\+", "").cast(pa.float64())
    _refuse_infinite(raw, spec, values)
    return _float_series(values)


def _refuse_infinite(raw: RawTable, spec: ColumnSpec, values: pa.ChunkedArray) -> None:
    refuse(
        raw,
        spec,
        pc.is_inf(values),
        "the number is infinite or too large",
        mend="Correct it, or leave it blank if it is unknown",
        field="role",
    )


def _whole_series(values: pa.ChunkedArray) -> pd.Series:
    return pd.Series(
        pd.array(values.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get), dtype="Int64")
    )


def _float_series(values: pa.ChunkedArray) -> pd.Series:
    return pd.Series(
        pd.array(values.to_pandas(types_mapper={pa.float64(): pd.Float64Dtype()}.get), dtype="Float64")
    )
