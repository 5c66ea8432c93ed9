"""Raw columns to typed ones, by the role that is declared for each.

Every function takes Arrow text (or, from Parquet and upstream tables, Arrow values that have a type already) and
returns a pandas series. Work is done on whole columns; a row is only looked for when something is wrong with it.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as arrow_types

from hrtech.sources.columns import ColumnSpec, banded
from hrtech.sources.errors import SourceError, plural
from hrtech.sources.raw import RawTable

LIST: Final = pa.list_(pa.string())
_NUMBER: Final = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"
_WHOLE: Final = r"^[+-]?\d{1,18}$"
_LONG: Final = r"^[+-]?\d{19,}$"
_DAY: Final = r"^\d{4}-\d{2}-\d{2}$"
_MOMENT: Final = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)?$"
_SPREADSHEET_ERRORS: Final = ("#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NULL!", "#NUM!")


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
    if _is_list(cells.type) and spec.role != "multi_valued":
        raise raw.error(
            _first(pc.is_valid(cells)) or 0,
            f"the cell is a list where role '{spec.role}' expects one value",
            mend="Declare the role multi_valued",
            column=spec.name,
            setting=spec.setting("role"),
        )
    if spec.role == "multi_valued":
        return _lists(raw, spec, cells)
    if spec.role == "number":
        numbers = _numbers(raw, spec, cells)
        if spec.unique:
            _check_unique(raw, spec, pa.chunked_array([pa.array(numbers)]))
        return banded(numbers, spec.bands) if spec.bands is not None else numbers
    if spec.role == "date":
        dates = _dates(raw, spec, cells)
        if spec.unique:
            _check_unique(raw, spec, pa.chunked_array([pa.array(dates, from_pandas=True)]))
        return dates
    words = _known_words(raw, spec, cells)
    if spec.values is not None:
        _check_words(raw, spec, words)
    if spec.unique:
        _check_unique(raw, spec, words)
    return _series(words)


def _is_list(kind: pa.DataType) -> bool:
    return (
        arrow_types.is_list(kind) or arrow_types.is_large_list(kind) or arrow_types.is_fixed_size_list(kind)
    )


def _is_text(kind: pa.DataType) -> bool:
    return (
        arrow_types.is_string(kind) or arrow_types.is_large_string(kind) or arrow_types.is_string_view(kind)
    )


def _series(cells: pa.ChunkedArray) -> pd.Series:
    return pd.Series(pd.array(cells.to_pandas(), dtype="str"))


def _first(flags: pa.ChunkedArray) -> int | None:
    """Position of the first true flag."""
    position = pc.index(flags, pa.scalar(True)).as_py()
    return None if position < 0 else position


def _text(raw: RawTable, spec: ColumnSpec, cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Write typed cells as text; text stays as it is."""
    kind = cells.type
    if _is_text(kind):
        return cells.cast(pa.string())
    if arrow_types.is_null(kind):
        return cells.cast(pa.string())
    if arrow_types.is_floating(kind):
        return _float_text(cells)
    if arrow_types.is_timestamp(kind):
        return _moment_text(cells)
    if arrow_types.is_boolean(kind) or arrow_types.is_integer(kind) or arrow_types.is_date(kind):
        return cells.cast(pa.string())
    if arrow_types.is_decimal(kind):
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


def _known_words(raw: RawTable, spec: ColumnSpec, cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Trimmed text, with null for what is empty or declared as blank."""
    words = pc.utf8_trim_whitespace(_text(raw, spec, cells))
    unknown = pc.is_in(words, value_set=pa.array(["", *spec.blank], type=pa.string()))
    words = pc.if_else(unknown, pa.scalar(None, pa.string()), words)
    if raw.spreadsheet:
        _refuse(
            raw,
            spec,
            pc.is_in(words, value_set=pa.array(_SPREADSHEET_ERRORS)),
            "the spreadsheet holds an error instead of a value",
            mend="Mend the formula, or list the error under this column's `blank`",
            field="blank",
        )
    return words


def _refuse(
    raw: RawTable, spec: ColumnSpec, wrong: pa.ChunkedArray, problem: str, *, mend: str, field: str
) -> None:
    """Raise for the first cell that is flagged, with how many there are."""
    position = _first(pc.fill_null(wrong, False))
    if position is None:
        return
    count = pc.sum(wrong).as_py()
    more = "" if count == 1 else f" ({plural(count, 'cell')} in all)"
    raise raw.error(position, f"{problem}{more}", mend=mend, column=spec.name, setting=spec.setting(field))


def _check_words(raw: RawTable, spec: ColumnSpec, words: pa.ChunkedArray) -> None:
    declared = spec.values or ()
    wrong = pc.and_(pc.is_valid(words), pc.invert(pc.is_in(words, value_set=pa.array(declared, pa.string()))))
    if not pc.any(wrong).as_py():
        return
    folded = pa.array(sorted({value.casefold() for value in declared}), pa.string())
    near = pc.sum(pc.is_in(pc.utf8_lower(pc.filter(words, wrong)), value_set=folded)).as_py()
    hint = f" {plural(near, 'cell')} would be, but for upper and lower case." if near else ""
    _refuse(
        raw,
        spec,
        wrong,
        f"the cell is not one of the {len(declared)} declared values",
        mend=f"Correct the cell, complete the values, or list a word for unknown under `blank`.{hint}",
        field="values",
    )


def _check_unique(raw: RawTable, spec: ColumnSpec, cells: pa.ChunkedArray) -> None:
    again = pd.Series(cells.to_pandas())
    repeated = again.duplicated() & again.notna()
    _refuse(
        raw,
        spec,
        pa.chunked_array([pa.array(repeated.to_numpy(dtype=bool))]),
        "the value stands in an earlier row already, and the column is declared unique",
        mend="Remove the duplicate, or drop `unique`",
        field="unique",
    )


# --- multi-valued ---------------------------------------------------------------------------------------------


def _lists(raw: RawTable, spec: ColumnSpec, cells: pa.ChunkedArray) -> pd.Series:
    """Lists of words, each once and in order. Null is unknown; `[]`, which only typed sources can say, is none."""
    if _is_list(cells.type):
        lists = _tidy_lists(spec, cells)
    else:
        if spec.separator is None:
            raise SourceError(
                "no separator is declared for a multi-valued column of text",
                mend="Name what stands between two items, such as ';'",
                file=raw.parts[0].file,
                column=spec.name,
                setting=spec.setting("separator"),
            )
        lists = _split(_known_words(raw, spec, cells), spec)
    if spec.values is not None:
        _check_items(raw, spec, lists)
    return pd.Series(pd.arrays.ArrowExtensionArray(lists))


def _split(words: pa.ChunkedArray, spec: ColumnSpec) -> pa.ChunkedArray:
    """Split each distinct cell once. A cell that holds nothing but separators and blanks is unknown."""
    coded = pc.dictionary_encode(words).combine_chunks()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.chunk(0)
    items = [
        _items(cell.split(spec.separator or ";"), spec.blank) or None for cell in coded.dictionary.to_pylist()
    ]
    return pa.chunked_array([pa.array(items, type=LIST).take(coded.indices)])


def _items(parts: Sequence[str | None], blank: tuple[str, ...]) -> list[str]:
    trimmed = {part.strip() for part in parts if part is not None}
    return sorted(trimmed - {"", *blank})


def _tidy_lists(spec: ColumnSpec, cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Tidy lists that are lists already. One that holds only blanks is unknown; an empty one stays empty."""
    memory: dict[tuple[object, ...], list[str] | None] = {}
    tidy: list[list[str] | None] = []
    for cell in cells.to_pylist():
        if cell is None:
            tidy.append(None)
            continue
        key = tuple(cell)
        if key not in memory:
            memory[key] = _items([None if part is None else str(part) for part in key], spec.blank) or (
                None if key else []
            )
        tidy.append(memory[key])
    return pa.chunked_array([pa.array(tidy, type=LIST)])


def _check_items(raw: RawTable, spec: ColumnSpec, lists: pa.ChunkedArray) -> None:
    declared = pa.array(spec.values or (), pa.string())
    flat = lists.combine_chunks()
    if isinstance(flat, pa.ChunkedArray):
        flat = flat.chunk(0)
    wrong_items = pc.invert(pc.is_in(pc.list_flatten(flat), value_set=declared)).to_numpy(
        zero_copy_only=False
    )
    wrong = np.zeros(len(flat), dtype=bool)
    wrong[pc.list_parent_indices(flat).to_numpy()[wrong_items]] = True
    _refuse(
        raw,
        spec,
        pa.chunked_array([pa.array(wrong)]),
        f"an item of the cell is not one of the {len(declared)} declared values",
        mend="Correct the cell or its separator, complete the values, or list a word for unknown under `blank`.",
        field="values",
    )


# --- numbers --------------------------------------------------------------------------------------------------


def _numbers(raw: RawTable, spec: ColumnSpec, cells: pa.ChunkedArray) -> pd.Series:
    kind = cells.type
    if arrow_types.is_boolean(kind) or arrow_types.is_integer(kind):
        return _whole_series(cells.cast(pa.int64()))
    if arrow_types.is_floating(kind) or arrow_types.is_decimal(kind):
        values = cells.cast(pa.float64())
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, pa.float64()), values)
        _refuse_infinite(raw, spec, values)
        return _float_series(values)
    words = _known_words(raw, spec, cells)
    if spec.decimal == ",":
        pointed = pc.match_substring(words, ".")
        words = pc.if_else(pointed, words, pc.replace_substring(words, ",", "."))
        wrong = pc.or_(pointed, pc.invert(pc.match_substring_regex(words, _NUMBER)))
    else:
        wrong = pc.invert(pc.match_substring_regex(words, _NUMBER))
    mark = "comma" if spec.decimal == "," else "point"
    _refuse(
        raw,
        spec,
        wrong,
        "the cell is not a number",
        mend=f"Write digits with a decimal {mark} and no thousands separator (setting `decimal`), "
        "or list the word for unknown under `blank`",
        field="role",
    )
    _refuse(
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
    _refuse(
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


# --- dates ----------------------------------------------------------------------------------------------------


def _dates(raw: RawTable, spec: ColumnSpec, cells: pa.ChunkedArray) -> pd.Series:
    kind = cells.type
    if arrow_types.is_timestamp(kind) or arrow_types.is_date(kind):
        if arrow_types.is_timestamp(kind) and kind.tz is not None:
            cells = cells.cast(pa.timestamp(kind.unit, "UTC")).cast(pa.timestamp(kind.unit))
        return pd.Series(cells.cast(pa.timestamp("us"), safe=False).to_pandas()).astype("datetime64[us]")
    words = _known_words(raw, spec, cells)
    coded = pc.dictionary_encode(words).combine_chunks()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.chunk(0)
    distinct = coded.dictionary
    moments = _parse_dates(distinct, spec.date_format)
    wrong = np.isnat(moments)
    codes = coded.indices.to_numpy(zero_copy_only=False)
    known = ~np.isnan(codes.astype("float64"))
    places = np.where(known, codes, 0).astype("int64")
    if len(distinct) and wrong.any():
        _refuse(
            raw,
            spec,
            pa.chunked_array([pa.array(wrong[places] & known)]),
            "the cell is not a date in the declared format"
            if spec.date_format
            else "the cell is not an ISO date",
            mend="Correct the cell, declare how dates are written (such as %d/%m/%Y), or list the word for "
            "unknown under `blank`",
            field="date_format",
        )
    if not len(distinct):
        return pd.Series(np.full(len(words), "NaT", dtype="datetime64[us]"))
    return pd.Series(np.where(known, moments[places], np.datetime64("NaT", "us")))


def _parse_dates(words: pa.Array, date_format: str | None) -> np.ndarray:
    """Parse distinct words; not a date is NaT. Moments with an offset become UTC."""
    text = pd.Series(words.to_pandas(), dtype="str")
    if date_format is not None:
        parsed = pd.to_datetime(text, format=date_format, errors="coerce", utc="%z" in date_format)
        return _naive(parsed)
    days = text.str.fullmatch(_DAY[1:-1])
    moments = text.str.fullmatch(_MOMENT[1:-1])
    made = np.full(len(text), "NaT", dtype="datetime64[us]")
    if days.any():
        made[days] = _naive(pd.to_datetime(text[days], format="%Y-%m-%d", errors="coerce"))
    if moments.any():
        made[moments] = _naive(pd.to_datetime(text[moments], format="ISO8601", errors="coerce", utc=True))
    return made


def _naive(moments: pd.Series) -> np.ndarray:
    if moments.dt.tz is not None:
        moments = moments.dt.tz_convert("UTC").dt.tz_localize(None)
    return moments.to_numpy(dtype="datetime64[us]")
