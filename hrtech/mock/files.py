"""The tables of a mock world as files, the way organisations deliver them.

Belongs here: file names, delimiters, encodings. Does not belong here: the content of a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa

from hrtech.mock.common import text

SEPARATOR = ";"
"""Between the values of a multi-valued cell."""

_HABITS = ((",", "utf-8"), ("\t", "utf-8"), ("|", "utf-8-sig"), (",", "utf-16"))
"""Delimiters and encodings of the organisations, in turn."""


def _as_written(frame: pd.DataFrame) -> pd.DataFrame:
    out = {}
    for name, column in frame.items():
        kind = column.dtype
        if isinstance(kind, pd.ArrowDtype) and pa.types.is_list(kind.pyarrow_dtype):
            column = text(
                [
                    None if values is None else SEPARATOR.join(values)
                    for values in pa.array(column).to_pylist()
                ]
            )
        elif pd.api.types.is_datetime64_any_dtype(kind):
            column = column.dt.strftime("%Y-%m-%d")
        out[name] = column
    return pd.DataFrame(out)


def _parts(name: str, frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    if name != "case_records":
        return [(f"{name}.csv", frame)]
    offices = frame.groupby("organisation", sort=True)
    return [(f"{name}/{str(office).lower().replace(' ', '_')}.csv", part) for office, part in offices]


def write_files(tables: Mapping[str, pd.DataFrame], folder: Path, *, varied: bool = False) -> pd.DataFrame:
    """Write tables as CSV files; case records go to one file for each organisation.

    Dates are written as 2024-05-31, values of multi-valued cells joined by `;`. CSV cannot tell known
    none from unknown: an empty list is written as a blank.

    Args:
        tables: Tables by name, such as `World.tables`.
        folder: Where to write; made if it is not there. Files of the same names are replaced.
        varied: Whether each organisation has its own delimiter and encoding, as happens in life; if not, all
            files are comma-separated UTF-8.

    Returns:
        One row per file: `table`, `path` (below `folder`), `delimiter`, `encoding`, `rows`.
    """
    listing, rows = [], []
    for name, frame in tables.items():
        for number, (path, part) in enumerate(_parts(name, _as_written(frame))):
            delimiter, encoding = _HABITS[number % len(_HABITS)] if varied else _HABITS[0]
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            content = part.to_csv(index=False, sep=delimiter, lineterminator="\n")
            target.write_bytes(content.encode(encoding))
            listing.append((name, path, delimiter, encoding))
            rows.append(len(part))
    columns = ("table", "path", "delimiter", "encoding")
    frame = pd.DataFrame({name: text([row[j] for row in listing]) for j, name in enumerate(columns)})
    return frame.assign(rows=pd.array(rows, dtype="Int64"))
