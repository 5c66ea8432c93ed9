"""What a study declares about a column: its role, how its cells are written, and how numbers are banded.

Declarations only: nothing here reads a file. A `ColumnSpec` is checked when it is made, so a wrong one fails with
the name of its setting before any record is touched.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final, Literal, get_args

import numpy as np
import pandas as pd

from hrtech.sources.errors import SourceError

Role = Literal["category", "multi_valued", "number", "date", "identifier", "text", "leave_out"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)


@dataclass(frozen=True)
class ColumnSpec:
    """The declaration of one column.

    Attributes:
        name: Name in the source, exactly as in its header (surrounding blanks do not count).
        role: `category` (one of a list of words), `multi_valued` (several in one cell), `number`, `date`,
            `identifier` and `text` (kept as written), `leave_out` (never loaded).
        separator: What stands between the items of a multi-valued cell, such as `;`.
        values: The only words allowed (category and multi_valued), from a codebook.
        bands: Edges that turn a number into a category; see `band_labels`.
        date_format: `strptime` format of dates; ISO 8601 where none is given.
        blank: Words that mean "unknown", besides an empty cell.
        rename: Name of the column in the result.
        learned: The setting was taken from the data itself, not from a codebook; shown on the release page.
        unique: No value may occur twice; unknown cells do not count.
        decimal: Decimal mark of a number: a point, or a comma.
    """

    name: str
    role: Role
    separator: str | None = None
    values: tuple[str, ...] | None = None
    bands: tuple[float, ...] | None = None
    date_format: str | None = None
    blank: tuple[str, ...] = ()
    rename: str | None = None
    learned: bool = False
    unique: bool = False
    decimal: Literal[".", ","] = "."

    def __post_init__(self) -> None:
        for field in ("values", "bands", "blank"):
            _settle_list(self, field)
        _check_name(self)
        _check_fits_role(self)
        if self.values is not None:
            _check_values(self)
        if self.bands is not None:
            _check_bands(self.bands, column=self.name, setting=self.setting("bands"))
        if self.date_format is not None:
            _check_date_format(self)

    @property
    def output(self) -> str:
        """Name of the column in the result."""
        return self.rename or self.name

    @property
    def domain(self) -> tuple[str, ...] | None:
        """Every word the column may hold, if declared: its `values`, or the labels of its `bands`."""
        return band_labels(self.bands) if self.bands is not None else self.values

    def setting(self, field: str) -> str:
        """Render the name of one of the column's settings, as messages give it."""
        return f"columns.{self.name}.{field}"


def _settle_list(spec: ColumnSpec, field: str) -> None:
    """Make a tuple of what YAML hands over as a list, and refuse a lone word, whose letters would be taken."""
    given = getattr(spec, field)
    if given is None or isinstance(given, tuple):
        return
    if not isinstance(given, list):
        raise SourceError(
            f"`{field}` is no list",
            mend="Write a list, such as [a, b]",
            column=spec.name,
            setting=spec.setting(field),
        )
    object.__setattr__(spec, field, tuple(given))


def _check_name(spec: ColumnSpec) -> None:
    if not isinstance(spec.name, str) or not spec.name.strip():
        raise SourceError("a column is declared without a name", mend="Give its name", setting="columns")
    if spec.role not in ROLES:
        raise SourceError(
            f"role '{spec.role}' is unknown",
            mend=f"Use one of {', '.join(ROLES)}",
            column=spec.name,
            setting=spec.setting("role"),
        )
    if spec.rename is not None and not spec.rename.strip():
        raise SourceError(
            "the new name is empty",
            mend="Give a name or drop the setting",
            column=spec.name,
            setting=spec.setting("rename"),
        )


#: Which roles may use a setting.
_ROLES_OF: Final[dict[str, tuple[Role, ...]]] = {
    "separator": ("multi_valued",),
    "values": ("category", "multi_valued"),
    "bands": ("number",),
    "date_format": ("date",),
}


def _check_fits_role(spec: ColumnSpec) -> None:
    for field, roles in _ROLES_OF.items():
        if getattr(spec, field) is not None and spec.role not in roles:
            raise SourceError(
                f"`{field}` does not apply to role '{spec.role}'",
                mend=f"Drop it, or use role {' or '.join(roles)}",
                column=spec.name,
                setting=spec.setting(field),
            )
    if spec.separator is not None and not spec.separator:
        raise SourceError(
            "the separator is empty",
            mend="Name the character between two items, such as ';'",
            column=spec.name,
            setting=spec.setting("separator"),
        )
    if spec.decimal not in (".", ",") or (spec.decimal == "," and spec.role != "number"):
        raise SourceError(
            "the decimal mark must be '.' or ',' and belongs to a number",
            mend="Correct or drop it",
            column=spec.name,
            setting=spec.setting("decimal"),
        )
    if any(not isinstance(word, str) for word in spec.blank):
        raise SourceError(
            "a word for unknown is not text",
            mend="Put it in quotes, such as '-9'",
            column=spec.name,
            setting=spec.setting("blank"),
        )
    if spec.unique and spec.role in ("multi_valued", "leave_out"):
        raise SourceError(
            f"`unique` does not apply to role '{spec.role}'",
            mend="Drop it",
            column=spec.name,
            setting=spec.setting("unique"),
        )


def _check_values(spec: ColumnSpec) -> None:
    values = spec.values or ()
    problem = None
    if not values:
        problem = "the list of values is empty"
    elif any(not isinstance(value, str) or value != value.strip() or not value for value in values):
        problem = "a declared value is blank, not text, or has blanks around it (quote numbers and yes/no)"
    elif len(set(values)) < len(values):
        problem = "a declared value stands twice"
    elif spec.separator is not None and any(spec.separator in value for value in values):
        problem = "a declared value contains the separator"
    elif set(values) & set(spec.blank):
        problem = "a declared value is also declared as blank"
    if problem:
        raise SourceError(problem, mend="Correct the list", column=spec.name, setting=spec.setting("values"))


def _check_bands(bands: Sequence[float], *, column: str | None, setting: str) -> None:
    problem = None
    if not bands:
        problem = "there is no band edge"
    elif any(isinstance(e, bool) or not isinstance(e, int | float) or not math.isfinite(e) for e in bands):
        problem = "a band edge is not a finite number"
    elif any(low >= high for low, high in pairwise(bands)):
        problem = "the band edges do not increase"
    if problem:
        raise SourceError(
            problem,
            mend="List edges from lowest to highest, each once, such as [18, 25, 65]",
            column=column,
            setting=setting,
        )


def _check_date_format(spec: ColumnSpec) -> None:
    """A format is usable when it can write a moment and read back at least its year."""
    written, moment = spec.date_format or "", datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    try:
        usable = datetime.strptime(moment.strftime(written), written).year == moment.year
    except ValueError:
        usable = False
    if not usable:
        raise SourceError(
            "this is no format of a date with its year",
            mend="Use strptime directives, such as %d/%m/%Y",
            column=spec.name,
            setting=spec.setting("date_format"),
        )


def band_labels(bands: Sequence[float]) -> tuple[str, ...]:
    """Name the bands between edges, lowest first.

    A band is half-open, `[low, high)`. Edges that are whole numbers speak of completed units (years of age), so
    `[18, 25)` is `18–24`, and 24.9 belongs to it; `[18, 19)` is `18`. Other edges are written `0.5–<1.5`.

    Args:
        bands: Increasing edges, at least one.

    Returns:
        `len(bands) + 1` labels: below the lowest edge (`under 18`), each band, and the open last one (`65+`).

    Raises:
        SourceError: No edge, an edge that is not finite, or edges that do not increase.
    """
    _check_bands(bands, column=None, setting="bands")
    edges = [
        f"{edge:g}" if abs(edge) < 1e6 else str(int(edge) if edge == int(edge) else edge) for edge in bands
    ]
    whole = all(edge == int(edge) for edge in bands)
    labels = [f"under {edges[0]}"]
    for position in range(len(bands) - 1):
        low, high = edges[position], edges[position + 1]
        if not whole:
            labels.append(f"{low}–<{high}")
        elif bands[position + 1] - bands[position] == 1:
            labels.append(low)
        else:
            labels.append(f"{low}–{int(bands[position + 1]) - 1}")
    return (*labels, f"{edges[-1]}+")


def banded(numbers: pd.Series, bands: Sequence[float]) -> pd.Series:
    """Turn numbers into the labels of their bands.

    Args:
        numbers: Numeric series; missing is unknown.
        bands: Increasing edges; see `band_labels`.

    Returns:
        Series of dtype `str` with the same index and name; unknown stays unknown.

    Raises:
        SourceError: The edges are wrong.
    """
    labels = np.array(band_labels(bands), dtype=object)
    values = numbers.to_numpy(dtype="float64", na_value=np.nan)
    named = labels[np.searchsorted(np.asarray(bands, dtype="float64"), values, side="right")]
    named[np.isnan(values)] = np.nan
    return pd.Series(named, index=numbers.index, name=numbers.name, dtype="str")
