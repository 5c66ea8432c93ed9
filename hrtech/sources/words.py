"""Raw columns of text: trimmed, with blanks as unknown, and checked against what is declared.

Work is done on whole columns; a row is only looked for when something is wrong with it.
"""

from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as arrow_types

from hrtech.sources.columns import ColumnSpec
from hrtech.sources.errors import SourceError, plural
from hrtech.sources.raw import RawTable

_SPREADSHEET_ERRORS: Final = ("#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NULL!", "#NUM!")
#: Types that Arrow writes as text just as people do.
PLAIN: Final = (
    arrow_types.is_null,
    arrow_types.is_string,
    arrow_types.is_large_string,
    arrow_types.is_string_view,
    arrow_types.is_boolean,
    arrow_types.is_integer,
    arrow_types.is_date,
    arrow_types.is_decimal,
)


def is_list(kind: pa.DataType) -> bool:
    """Tell whether cells are lists."""
    return (
        arrow_types.is_list(kind) or arrow_types.is_large_list(kind) or arrow_types.is_fixed_size_list(kind)
    )


def text_series(cells: pa.ChunkedArray) -> pd.Series:
    """Hand a text column over to pandas, as dtype `str`."""
    return pd.Series(pd.array(cells.to_pandas(), dtype="str"))


def first_true(flags: pa.ChunkedArray) -> int | None:
    """Position of the first true flag."""
    position = pc.index(flags, pa.scalar(True)).as_py()
    return None if position < 0 else position


def _text(raw: RawTable, spec: ColumnSpec, cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Write typed cells as text; text stays as it is."""
    kind = cells.type
    if arrow_types.is_floating(kind):
        return _float_text(cells)
    if arrow_types.is_timestamp(kind):
        return _moment_text(cells)
    if any(plain(kind) for plain in PLAIN):
        return cells.cast(pa.string())
    raise SourceError(
        f"type {kind} cannot be read as role '{spec.role}'",
        mend="Write the column as text, numbers, dates or lists of text",
        file=raw.parts[0].file,
        column=spec.name,
        setting=spec.setting("role"),
    )


def _float_text(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    values = cells.cast(pa.float64())
    values = pc.if_else(pc.is_nan(values), pa.scalar(None, pa.float64()), values)
    whole = pc.and_(pc.equal(values, pc.round(values)), pc.less(pc.abs(values), 2.0**53))
    as_whole = pc.if_else(whole, values, 0.0).cast(pa.int64()).cast(pa.string())
    return pc.if_else(whole, as_whole, values.cast(pa.string()))


def _moment_text(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """ISO 8601: days alone where every moment is midnight."""
    moments = cells.to_pandas()
    days = bool((moments.dropna() == moments.dropna().dt.normalize()).all())
    written = moments.dt.strftime("%Y-%m-%d" if days else "%Y-%m-%dT%H:%M:%S")
    return pa.chunked_array([pa.array(written, type=pa.string(), from_pandas=True)])


def coded_words(words: pa.ChunkedArray) -> pa.DictionaryArray:
    """Number the distinct words of a column, so that work is done once for each."""
    coded = pc.dictionary_encode(words).combine_chunks()
    return coded.chunk(0) if isinstance(coded, pa.ChunkedArray) else coded


def known_words(raw: RawTable, spec: ColumnSpec, cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Trimmed text, with null for what is empty or declared as blank."""
    words = pc.utf8_trim_whitespace(_text(raw, spec, cells))
    unknown = pc.is_in(words, value_set=pa.array(["", *spec.blank], type=pa.string()))
    words = pc.if_else(unknown, pa.scalar(None, pa.string()), words)
    if raw.spreadsheet:
        refuse(
            raw,
            spec,
            pc.is_in(words, value_set=pa.array(_SPREADSHEET_ERRORS)),
            "the spreadsheet holds an error instead of a value",
            mend="Mend the formula, or list the error under this column's `blank`",
            field="blank",
        )
    return words


def refuse(
    raw: RawTable, spec: ColumnSpec, wrong: pa.ChunkedArray, problem: str, *, mend: str, field: str
) -> None:
    """Raise for the first cell that is flagged, with how many there are."""
    position = first_true(pc.fill_null(wrong, False))
    if position is None:
        return
    count = pc.sum(wrong).as_py()
    more = "" if count == 1 else f" ({plural(count, 'cell')} in all)"
    raise raw.error(position, f"{problem}{more}", mend=mend, column=spec.name, setting=spec.setting(field))


def check_words(raw: RawTable, spec: ColumnSpec, words: pa.ChunkedArray) -> None:
    """Raise for the first word that is not among the declared values.

    Raises:
        SourceError: With the row, and how many cells are wrong in all.
    """
    declared = spec.values or ()
    wrong = pc.and_(pc.is_valid(words), pc.invert(pc.is_in(words, value_set=pa.array(declared, pa.string()))))
    if not pc.any(wrong).as_py():
        return
    folded = pa.array(sorted({value.casefold() for value in declared}), pa.string())
    near = pc.sum(pc.is_in(pc.utf8_lower(pc.filter(words, wrong)), value_set=folded)).as_py()
    hint = f". {plural(near, 'cell')} would be, but for upper and lower case" if near else ""
    refuse(
        raw,
        spec,
        wrong,
        f"the cell is not one of the {len(declared)} declared values",
        mend=f"Correct the cell, complete the values, or list a word for unknown under `blank`{hint}",
        field="values",
    )


def check_unique(raw: RawTable, spec: ColumnSpec, cells: pa.ChunkedArray) -> None:
    """Raise for the first value that stands twice; unknown cells do not count.

    Raises:
        SourceError: With the row of the second occurrence.
    """
    again = pd.Series(cells.to_pandas())
    repeated = again.duplicated() & again.notna()
    refuse(
        raw,
        spec,
        pa.chunked_array([pa.array(repeated.to_numpy(dtype=bool))]),
        "the value stands in an earlier row already, and the column is declared unique",
        mend="Remove the duplicate, or drop `unique`",
        field="unique",
    )
