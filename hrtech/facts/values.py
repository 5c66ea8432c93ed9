"""Plain values that a report may hold: everything that JSON keeps without loss, and nothing else."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

Cell = str | int | float | bool | None


class ReportError(ValueError):
    """A report, or a part of one, that cannot be told."""


def as_text(owner: str, name: str, value: object, *, needed: bool = False) -> str:
    """Check that a value is text.

    Raises:
        ReportError: It is not, or it is empty though it is needed.
    """
    if not isinstance(value, str) or (needed and not value.strip()):
        raise ReportError(f"{owner}: {name} is {'empty' if isinstance(value, str) else 'not text'}")
    return value


def as_ids(owner: str, ids: Iterable[str]) -> tuple[str, ...]:
    """Ids as a tuple of texts.

    Raises:
        ReportError: It is one text instead of a list of texts, or an id is not text.
    """
    if isinstance(ids, str):
        raise ReportError(f"{owner}: the ids are one text, not a list of texts")
    return tuple(as_text(owner, "an id", fact_id, needed=True) for fact_id in ids)


def as_cell(owner: str, value: object) -> Cell:
    """One plain value: NumPy scalars become Python's, missing ones become None.

    Raises:
        ReportError: It is an infinite number, or of a type that a report does not hold.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if math.isinf(value):
            raise ReportError(f"{owner}: a number is infinite")
        return None if math.isnan(value) else value
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    raise ReportError(
        f"{owner}: a {type(value).__name__} cannot be told; give text, numbers, truth values or None (a date as text)"
    )


def as_rows(
    owner: str, columns: Sequence[str], rows: Iterable[Iterable[object]]
) -> tuple[tuple[Cell, ...], ...]:
    """Rows of cells.

    Raises:
        ReportError: A row is not as long as `columns`, or a cell is not plain.
    """
    found = []
    for position, row in enumerate(rows):
        cells = tuple(as_cell(f"{owner}, row {position}", cell) for cell in row)
        if len(cells) != len(columns):
            raise ReportError(f"{owner}: row {position} has {len(cells)} cells for {len(columns)} columns")
        found.append(cells)
    return tuple(found)


def as_json(owner: str, value: Any) -> Any:
    """A deep copy made of dictionaries with text keys, lists and plain values.

    Raises:
        ReportError: It holds anything else.
    """
    if isinstance(value, Mapping):
        for key in value:
            as_text(owner, "a key", key)
        return {key: as_json(owner, item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [as_json(owner, item) for item in value]
    return as_cell(owner, value)
