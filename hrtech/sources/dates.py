"""Columns of dates: ISO 8601 or a declared format, as `datetime64[us]`."""

from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.types as arrow_types

from hrtech.sources.columns import ColumnSpec
from hrtech.sources.raw import RawTable
from hrtech.sources.words import coded_words, known_words, refuse

_DAY: Final = r"^\d{4}-\d{2}-\d{2}$"
_MOMENT: Final = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)?$"


def read_dates(raw: RawTable, spec: ColumnSpec, cells: pa.ChunkedArray) -> pd.Series:
    """Type a column of dates; each distinct word is parsed once.

    Raises:
        SourceError: A cell is no date in the declared format.
    """
    kind = cells.type
    if arrow_types.is_timestamp(kind) or arrow_types.is_date(kind):
        if arrow_types.is_timestamp(kind) and kind.tz is not None:
            cells = cells.cast(pa.timestamp(kind.unit, "UTC")).cast(pa.timestamp(kind.unit))
        return pd.Series(cells.cast(pa.timestamp("us"), safe=False).to_pandas()).astype("datetime64[us]")
    words = known_words(raw, spec, cells)
    coded = coded_words(words)
    distinct = coded.dictionary
    moments = _parse_dates(distinct, spec.date_format)
    wrong = np.isnat(moments)
    codes = coded.indices.to_numpy(zero_copy_only=False)
    known = ~np.isnan(codes.astype("float64"))
    places = np.where(known, codes, 0).astype("int64")
    if len(distinct) and wrong.any():
        refuse(
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
