"""A fact: one number that a page may speak of, with its unit, its uncertainty and where it comes from.

Here: the fact, its sentence, and its table. Whether a text speaks of facts alone is judged in
`hrtech.facts.narrative`; how a fact looks on a page is `hrtech.pages`.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Final

import pandas as pd

from hrtech.facts.numbers import Rounding, format_number, rounding

FACT_COLUMNS: Final = (
    "fact_id",
    "statement",
    "value",
    "unit",
    "low",
    "high",
    "uncertainty",
    "source_asset",
    "row_key",
)
_FIELDS: Final = frozenset({"value", "low", "high", "unit"})
_ID: Final = re.compile(r"[a-z0-9_]+/[a-z0-9_.-]+(?:/[a-z0-9_.-]+)*")
_ASSET: Final = re.compile(r"[A-Za-z0-9_]+(?:/[A-Za-z0-9_]+)+")


class FactError(ValueError):
    """A fact, or a table of facts, that cannot be told."""


@dataclass(frozen=True)
class Fact:
    """One statement with one number.

    Attributes:
        fact_id: `<study>/<name>`, in lower-case letters, digits and `_ / . -`; the same from run to run.
        statement: Sentence with the fields `{value}`, `{low}`, `{high}` and `{unit}`. Units with a symbol (`percent`,
            `proportion`, `USD`, `EUR`) come with the number; any other unit is for the sentence to say.
        value: The number, finite.
        unit: What it is counted or measured in, such as `people`, `percent`, `proportion`, `odds ratio`.
        low: Lower end of its interval, in the same unit, None when there is none.
        high: Upper end of its interval.
        uncertainty: What the interval is, in words: `95 % interval from the privacy noise`.
        source_asset: Key of the asset that holds the number, `<study>/<noun>`.
        row_key: Which row of that asset, empty when it is the whole.

    Raises:
        FactError: A part is missing or wrong; the message names the fact and the part.
    """

    fact_id: str
    statement: str
    value: float
    unit: str = ""
    low: float | None = None
    high: float | None = None
    uncertainty: str = ""
    source_asset: str = ""
    row_key: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.fact_id, str) or not _ID.fullmatch(self.fact_id):
            raise FactError(
                f"fact id {self.fact_id!r} is not <study>/<name> in lower-case letters, digits and _ / . -"
            )
        for name in ("statement", "unit", "uncertainty", "source_asset", "row_key"):
            if not isinstance(getattr(self, name), str):
                raise FactError(f"fact {self.fact_id}: {name} is not text")
        if not _ASSET.fullmatch(self.source_asset):
            raise FactError(
                f"fact {self.fact_id}: source_asset {self.source_asset!r} is not the key of an asset, <study>/<noun>"
            )
        # stored as floating point, so that a fact that went through a table equals the one that went in
        object.__setattr__(self, "value", _number(self.fact_id, "value", self.value))
        for name in ("low", "high"):
            end = getattr(self, name)
            if end is not None:
                object.__setattr__(self, name, _number(self.fact_id, name, end))
        if self.low is not None and self.high is not None and self.low > self.high:
            raise FactError(f"fact {self.fact_id}: low is above high")
        self._check_statement()

    def _check_statement(self) -> None:
        if not self.statement.strip():
            raise FactError(f"fact {self.fact_id}: the statement is empty")
        try:
            parsed = list(Formatter().parse(self.statement))
        except ValueError as error:
            raise FactError(f"fact {self.fact_id}: the statement is no template: {error}") from None
        for _, name, spec, conversion in parsed:
            if name is None:
                continue
            if name not in _FIELDS or spec or conversion:
                raise FactError(
                    f"fact {self.fact_id}: the statement names the field {{{name}}}, but a statement has only "
                    "{value}, {low}, {high} and {unit}, without format"
                )
            if name in ("low", "high") and getattr(self, name) is None:
                raise FactError(
                    f"fact {self.fact_id}: the statement names {{{name}}}, but {name} is not given"
                )

    @property
    def study(self) -> str:
        """The study that tells the fact."""
        return self.fact_id.split("/", 1)[0]

    @property
    def rounding(self) -> Rounding:
        """How its numbers are rounded for display."""
        return rounding(self.value, self.unit, self.low, self.high)

    def shown(self, name: str = "value") -> str:
        """One of its fields as it stands in a sentence: `value`, `low`, `high` or `unit`.

        Raises:
            FactError: There is no such field, or the fact has no such end of an interval.
        """
        if name == "unit":
            return self.unit
        number = getattr(self, name) if name in _FIELDS else None
        if number is None:
            raise FactError(f"fact {self.fact_id} has no {name}")
        return format_number(number, self.unit, as_rounded=self._end_rounding(number, name))

    def _end_rounding(self, number: float, name: str) -> Rounding:
        if name == "value" or self.rounding.fixed:
            return self.rounding
        return rounding(number, self.unit)


def sentence(fact: Fact) -> str:
    """The statement with its numbers.

    Example:
        >>> sentence(Fact("cases/total", "{value} people are described.", 21195, source_asset="cases/counts"))
        '21,195 people are described.'
    """
    return "".join(text if name is None else fact.shown(name) for text, name in sentence_pieces(fact))


def sentence_pieces(fact: Fact) -> Iterator[tuple[str, str | None]]:
    """The statement in pieces: `(text, None)`, or `("", field)` where a field of the fact stands."""
    for text, name, _, _ in Formatter().parse(fact.statement):
        if text:
            yield text, None
        if name is not None:
            yield "", name


def index_facts(facts: Iterable[Fact]) -> dict[str, Fact]:
    """Facts by id, in their order.

    Raises:
        FactError: An id occurs twice.
    """
    found: dict[str, Fact] = {}
    for fact in facts:
        if fact.fact_id in found:
            raise FactError(f"fact {fact.fact_id} is given twice; each fact id may be told once")
        found[fact.fact_id] = fact
    return found


def facts_to_frame(facts: Sequence[Fact]) -> pd.DataFrame:
    """Facts as a table with the columns of `FACT_COLUMNS`, one row a fact, in their order.

    Raises:
        FactError: An id occurs twice.
    """
    rows = list(index_facts(facts).values())
    return pd.DataFrame(
        {
            name: pd.array(
                [getattr(fact, name) for fact in rows],
                dtype="Float64" if name in ("value", "low", "high") else "str",
            )
            for name in FACT_COLUMNS
        }
    )


def facts_from_frame(frame: pd.DataFrame) -> list[Fact]:
    """Facts from their table, checked again.

    Raises:
        FactError: A column is missing, a value is missing, an id occurs twice, or a fact is wrong.
    """
    missing = [name for name in FACT_COLUMNS if name not in frame.columns]
    if missing:
        raise FactError(f"a table of facts needs the columns {', '.join(missing)}")
    records: list[Mapping[str, object]] = [
        dict(zip(FACT_COLUMNS, row, strict=True))
        for row in frame.loc[:, list(FACT_COLUMNS)].itertuples(index=False, name=None)
    ]
    facts = []
    for position, record in enumerate(records):
        given = {name: None if pd.isna(value) else value for name, value in record.items()}  # type: ignore[call-overload]
        for name in ("fact_id", "statement"):
            if given[name] is None:
                raise FactError(f"row {position} of the table of facts has no {name}")
        for name in ("unit", "uncertainty", "source_asset", "row_key"):
            given[name] = given[name] or ""
        facts.append(Fact(**given))  # type: ignore[arg-type]
    return list(index_facts(facts).values())


def _number(fact_id: str, name: str, value: object) -> float:
    if value is None or isinstance(value, bool | str) or pd.isna(value):  # type: ignore[call-overload]
        raise FactError(f"fact {fact_id}: {name} is not a number; a fact that is not known is not told")
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise FactError(f"fact {fact_id}: {name} is not a number") from None
    if not math.isfinite(number):
        raise FactError(f"fact {fact_id}: {name} is not finite")
    if number != value:
        raise FactError(f"fact {fact_id}: {name} is too large to be held without rounding")
    return number
