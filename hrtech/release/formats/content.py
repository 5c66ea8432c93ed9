"""What all formats are written from: a release's tables, columns, terms and labels, checked once."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, get_args

import numpy as np
import pandas as pd
import pyarrow as pa

from hrtech.counts import Attribute, parse_attributes
from hrtech.release.declared import ReleaseColumn, ReleaseError
from hrtech.sources import CodebookLabels
from hrtech.tables import arrow_table
from hrtech.zones import Barrier

#: Columns of the aggregates that state the noise; a release under another promise has none.
INTERVAL: Final = ("low", "high", "sd")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]*")
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_PLURALS: Final = {"person": "people"}


@dataclass(frozen=True)
class ReleaseTerms:
    """The promise of a release and what it cost.

    Attributes:
        promise: Disclosure mechanism.
        unit: Whom the promise protects, one of them: "person", "record".
        people: How many there are, as released; None where that is not told.
        people_low: Lower end of its interval.
        people_high: Upper end.
        people_sd: Standard deviation of its noise.
        epsilon: Privacy loss at `delta`; differential privacy only.
        delta: Its failure probability.
        confidence: Level of the published intervals.
        k: Fewest people who share a published combination, and what counts are rounded down to multiples of;
            k-anonymity only.
        expected_false_share: Share of the published combinations that nobody may hold, as expected from the noise.
        released_at: When it was released, as the ledger says (RFC 3339, with its offset), or empty.
        says: Public knowledge that the release rests on → who says so.
        warnings: What a reader should know, in sentences.
        explained: What this promise means and what not, in sentences, where its general words do not say it all.
        more: Anything else that the release states, such as the mechanism, the population or the release key.
    """

    promise: Barrier
    unit: str = "person"
    people: float | None = None
    people_low: float | None = None
    people_high: float | None = None
    people_sd: float | None = None
    epsilon: float | None = None
    delta: float | None = None
    confidence: float = 0.95
    k: int | None = None
    expected_false_share: float | None = None
    released_at: str = ""
    says: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    explained: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.promise not in get_args(Barrier):
            raise ReleaseError(f"terms: promise is one of {', '.join(get_args(Barrier))}")
        if (self.promise == "differential-privacy") != (self.epsilon is not None):
            raise ReleaseError("terms: differential privacy states epsilon, and no other promise does")
        if self.released_at and not _MOMENT.fullmatch(self.released_at):
            raise ReleaseError("terms: released_at is a time such as 2026-01-31T09:30:00+00:00")

    @classmethod
    def read(cls, terms: Mapping[str, Any]) -> "ReleaseTerms":
        """Read terms; what has no name here goes to `more`.

        Raises:
            ReleaseError: No promise, or a promise and an epsilon that do not belong together.
        """
        names = [name for name in cls.__dataclass_fields__ if name != "more"]
        known = {name: terms[name] for name in names if terms.get(name) is not None}
        if "promise" not in known:
            raise ReleaseError("terms: state the promise")
        for several in ("warnings", "explained"):
            known[several] = tuple(known.get(several, ()))
        # the columns are described by themselves
        return cls(**known, more={name: terms[name] for name in terms if name not in {*names, "columns"}})

    @property
    def units(self) -> str:
        """Several of whom it protects, as a word."""
        return _PLURALS.get(self.unit, f"{self.unit}s")

    def stated(self) -> dict[str, Any]:
        """Everything that is known of it, for machines: plain JSON, without what is empty."""
        own = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "more"}
        if self.epsilon is None:
            own["confidence"] = None
        told: dict[str, Any] = _plain_json(own | dict(self.more))
        return {name: value for name, value in told.items() if value not in (None, "", [], {})}


@dataclass(frozen=True)
class Content:
    """A release, ready to be written.

    Attributes:
        name: Short name, in `[a-z0-9._-]`.
        title: Title.
        description: Paragraphs about it.
        licence: Identifier of a licence, or a sentence on the terms of use; empty where nobody said.
        organisation: Who releases it; empty where nobody said.
        columns: Released columns with all their values.
        aggregates: `length, attributes, count` and, where noise was added, `low, high, sd`.
        synthetic: Synthetic records, or None; lists in multi-valued columns.
        terms: The promise.
        labels: What columns and values mean.
    """

    name: str
    title: str
    description: str
    licence: str
    organisation: str
    columns: tuple[ReleaseColumn, ...]
    aggregates: pd.DataFrame
    synthetic: pd.DataFrame | None
    terms: ReleaseTerms
    labels: CodebookLabels

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ReleaseError(f"name {self.name!r}: use lower-case letters, digits and . _ -")
        for column in self.columns:
            if column.values is None:
                raise ReleaseError(f"column {column.name}: its values are not filled in")
        missing = [name for name in ("length", "attributes", "count") if name not in self.aggregates.columns]
        if missing:
            raise ReleaseError(f"aggregates lack the columns {', '.join(missing)}")
        known = {(column.name, value) for column in self.columns for value in column.values or ()}
        for length, combination in zip(self.aggregates["length"], self.combinations, strict=True):
            if length != len(combination) or not known.issuperset(combination):
                raise ReleaseError("aggregates: a combination is not of the released columns and values")
        if self.synthetic is not None and set(self.synthetic.columns) != {c.name for c in self.columns}:
            raise ReleaseError("synthetic records: their columns are not the released columns")

    @cached_property
    def combinations(self) -> list[tuple[Attribute, ...]]:
        """The attributes of each aggregate, in order."""
        return [_combination(text) for text in self.aggregates["attributes"]]

    @cached_property
    def interval(self) -> tuple[str, ...]:
        """The columns of the aggregates that state the noise."""
        return tuple(name for name in INTERVAL if name in self.aggregates.columns)

    @cached_property
    def ones(self) -> dict[Attribute, Any]:
        """Counts of single attributes."""
        return {
            combination[0]: count
            for combination, count in zip(self.combinations, numbers(self.aggregates["count"]), strict=True)
            if len(combination) == 1
        }

    @cached_property
    def aggregates_table(self) -> pa.Table:
        """The aggregates as an Arrow table of whole numbers, decimals and text."""
        kinds = {"attributes": pa.string(), "length": pa.int64()}
        names = ["length", "attributes", "count", *self.interval]
        return pa.table(
            {
                name: pa.array(
                    self.aggregates[name].tolist()
                    if name == "attributes"
                    else numbers(self.aggregates[name]),
                    type=kinds.get(name) or (pa.int64() if is_whole(self.aggregates[name]) else pa.float64()),
                )
                for name in names
            }
        )

    @cached_property
    def synthetic_table(self) -> pa.Table | None:
        """The synthetic records as an Arrow table of text and lists of text, columns in the released order."""
        if self.synthetic is None:
            return None
        table = arrow_table(self.synthetic)
        several = {column.name: column.multi_valued for column in self.columns}
        return pa.table(
            {
                name: table[name].cast(pa.list_(pa.string()) if several[name] else pa.string())
                for name in several
            }
        )

    def label(self, column: str, value: str) -> str:
        """What a value means, or empty."""
        return self.labels.values.get(column, {}).get(value, "")


def _plain_json(value: Any) -> Any:
    """A value as JSON has it; a number that is none becomes null."""
    if isinstance(value, Mapping):
        return {str(name): _plain_json(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_json(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _combination(text: str) -> tuple[Attribute, ...]:
    """A canonical text as attributes; a release may have a million of them, and few hold a protected sign."""
    if "\\" in text:
        return parse_attributes(text)
    parts = (part.partition(":") for part in text.split(";"))
    return tuple((column, value) for column, _, value in parts)


def is_whole(series: pd.Series) -> bool:
    """Whether a column holds whole numbers alone."""
    return pd.api.types.is_integer_dtype(series.dtype)


def numbers(series: pd.Series) -> list[int | float | None]:
    """A column of numbers as Python numbers; None where there is none."""
    whole = is_whole(series)
    return [
        None
        if value is None or value is pd.NA or (isinstance(value, float | np.floating) and np.isnan(value))
        else int(value)
        if whole
        else float(value)
        for value in series.tolist()
    ]


def content_of(
    *,
    name: str,
    title: str,
    description: str,
    licence: str,
    organisation: str,
    columns: Sequence[ReleaseColumn],
    aggregates: pd.DataFrame,
    synthetic_records: pd.DataFrame | None,
    terms: Mapping[str, Any],
    labels: CodebookLabels | None,
) -> Content:
    """Put a release together; arguments and errors as those of `release_files`."""
    return Content(
        name,
        title,
        description,
        licence,
        organisation,
        tuple(columns),
        aggregates,
        synthetic_records,
        ReleaseTerms.read(terms),
        labels or CodebookLabels(),
    )
