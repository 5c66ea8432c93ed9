"""From records to people: a release protects a person, so a person is one row."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from hrtech.release.declared import ReleaseError

LIST_DTYPE = pd.ArrowDtype(pa.list_(pa.string()))


def is_multi_valued(series: pd.Series) -> bool:
    """Whether a column's cells are Arrow lists."""
    return isinstance(series.dtype, pd.ArrowDtype) and pa.types.is_list(series.dtype.pyarrow_dtype)


def one_row_per_person(
    frame: pd.DataFrame, subject_id: str, columns: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Join the records of each person.

    Multi-valued cells are united; of a single-valued column the first known value in the order of the
    records stands. A cell nobody answered stays unknown; answered with nothing only, it stays empty.

    Args:
        frame: records, one or several for a person.
        subject_id: column that names the person; never in the result.
        columns: columns to keep.

    Returns:
        One row per person, in order of first appearance, and the conflicts: a table ``column``,
        ``people`` of how many people have more than one value in a single-valued column.

    Raises:
        ReleaseError: if a column is missing, the id is asked for as a column, or a record has no id.
    """
    missing = [c for c in (subject_id, *columns) if c not in frame.columns]
    if missing:
        raise ReleaseError(f"unknown columns: {', '.join(missing)}")
    if subject_id in columns:
        raise ReleaseError(f"{subject_id} names people: it cannot be released as a column")
    blank = frame[subject_id].isna().to_numpy()
    if blank.any():
        raise ReleaseError(
            f"{int(blank.sum())} records have no {subject_id}, the first is record {int(blank.argmax()) + 1}: "
            f"give every record an id, or declare that each record is a person"
        )
    person, ids = pd.factorize(frame[subject_id])
    joined, conflicts = {}, []
    for name in columns:
        if is_multi_valued(frame[name]):
            joined[name] = _united(frame[name], person, len(ids))
            continue
        grouped = frame[name].reset_index(drop=True).groupby(person, sort=True)
        joined[name] = grouped.first().reindex(range(len(ids))).astype(frame[name].dtype)
        several = int((grouped.nunique() > 1).sum())
        if several:
            conflicts.append((name, several))
    people = pd.DataFrame(joined, index=pd.RangeIndex(len(ids)), columns=list(columns))
    return people, pd.DataFrame(conflicts, columns=["column", "people"]).astype({"people": "int64"})


def _united(series: pd.Series, person: np.ndarray, n_people: int) -> pd.Series:
    """Union of each person's list cells, sorted; null where all cells are null."""
    held: list[set[str] | None] = [None] * n_people
    for who, cell in zip(person.tolist(), pa.array(series).to_pylist(), strict=True):
        if cell is not None:
            held[who] = (held[who] or set()) | set(cell)
    return pd.Series([None if cell is None else sorted(cell) for cell in held], dtype=LIST_DTYPE)
