"""What every reader makes: the tables that a network study takes in, and an account of every record read.

Invariant: a record that was read stands in a table, in `rejects` with its reason, or in `counts`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from functools import lru_cache
from typing import Final

import pandas as pd

#: Columns of each table and their types: text, float, int, bool, date.
COLUMNS: Final[Mapping[str, Mapping[str, str]]] = {
    "entities": {
        "entity_id": "text", "name": "text", "entity_kind": "text", "jurisdiction": "text", "identifiers": "text",
        "started": "text", "ended": "text", "weight": "float", "source": "text",
    },
    "attributes": {"entity_id": "text", "attribute": "text", "value": "text"},
    "ownership": {
        "company_id": "text", "owner_id": "text", "owner_company_id": "text", "owner_name": "text",
        "owner_kind": "text", "share_minimum": "float", "share_maximum": "float", "voting_minimum": "float",
        "voting_maximum": "float", "control_by": "text", "direct": "text", "beneficial": "bool",
        "from_date": "date", "to_date": "date", "record": "text",
    },
    "relationships": {
        "relationship_id": "text", "source": "text", "target": "text", "kind": "text", "role": "text",
        "from_date": "date", "to_date": "date", "record": "text",
    },
    "red_flags": {
        "entity_id": "text", "flag": "text", "category": "text", "weight": "float", "evidence": "text",
        "source": "text", "supporting": "bool", "from_date": "date", "to_date": "date",
    },
    "unspecified": {"company_id": "text", "reason": "text", "description": "text", "record": "text"},
    "activity": {"entity_id": "text", "activity": "text", "value": "text", "period": "text"},
    "tenders": {
        "tender_id": "text", "buyer_id": "text", "buyer": "text", "category": "text", "classification": "text",
        "procedure": "text", "status": "text", "value": "float", "currency": "text", "published_on": "date",
        "closes_on": "date", "tenderers": "int",
    },
    "bids": {
        "tender_id": "text", "bid_id": "text", "entity_id": "text", "category": "text", "date": "date",
        "value": "float", "currency": "text", "status": "text", "winner": "bool", "lots": "text",
        "bidders": "int",
    },
    "awards": {
        "tender_id": "text", "award_id": "text", "entity_id": "text", "date": "date", "status": "text",
        "value": "float", "currency": "text",
    },
    "contracts": {
        "tender_id": "text", "contract_id": "text", "award_id": "text", "status": "text", "value": "float",
        "currency": "text", "signed_on": "date", "starts_on": "date", "ends_on": "date",
    },
    "amendments": {
        "tender_id": "text", "part": "text", "part_id": "text", "amendment_id": "text", "date": "date",
        "rationale": "text",
    },
    "rejects": {"file": "text", "row": "int", "record": "text", "reason": "text"},
    "counts": {"what": "text", "number": "int"},
}  # fmt: skip

_DATE: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[T ].*)?")


def empty(table: str) -> pd.DataFrame:
    """Return a table without rows, its columns typed."""
    return typed(table, pd.DataFrame({name: [] for name in COLUMNS[table]}))


def typed(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Give a table its columns in order and their types; columns that are not there are unknown throughout."""
    made = {}
    for name, kind in COLUMNS[table].items():
        column = frame[name] if name in frame.columns else pd.Series([None] * len(frame), dtype="object")
        made[name] = _typed(column.reset_index(drop=True), kind)
    return pd.DataFrame(made)


def _typed(column: pd.Series, kind: str) -> pd.Series:
    if kind == "date":
        if pd.api.types.is_datetime64_any_dtype(column):
            return column.astype("datetime64[us]")
        text = column.astype("str").str.slice(0, 10)
        return pd.to_datetime(text, format="%Y-%m-%d", errors="coerce").astype("datetime64[us]")
    if kind == "float":
        return pd.to_numeric(column, errors="coerce").astype("Float64")
    if kind == "int":
        return pd.to_numeric(column, errors="coerce").astype("Int64")
    return column.astype("boolean" if kind == "bool" else "str")


def is_date(text: object) -> bool:
    """Tell whether a text is a full date, or a moment, of RFC 3339."""
    return isinstance(text, str) and _is_date(text)


@lru_cache(maxsize=65_536)
def _is_date(text: str) -> bool:
    found = _DATE.fullmatch(text)
    if not found:
        return False
    try:
        date(*map(int, found.groups()))
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class NetworkInputs:
    """The tables that a reader made; `COLUMNS` says what each holds.

    Shares are per cent. Ids are those of the source. `weight` of a flag is 0 to 1; where nobody declared one it
    is 0: the flag is shown and counts nothing.
    """

    entities: pd.DataFrame = field(default_factory=lambda: empty("entities"))
    attributes: pd.DataFrame = field(default_factory=lambda: empty("attributes"))
    ownership: pd.DataFrame = field(default_factory=lambda: empty("ownership"))
    relationships: pd.DataFrame = field(default_factory=lambda: empty("relationships"))
    red_flags: pd.DataFrame = field(default_factory=lambda: empty("red_flags"))
    unspecified: pd.DataFrame = field(default_factory=lambda: empty("unspecified"))
    activity: pd.DataFrame = field(default_factory=lambda: empty("activity"))
    tenders: pd.DataFrame = field(default_factory=lambda: empty("tenders"))
    bids: pd.DataFrame = field(default_factory=lambda: empty("bids"))
    awards: pd.DataFrame = field(default_factory=lambda: empty("awards"))
    contracts: pd.DataFrame = field(default_factory=lambda: empty("contracts"))
    amendments: pd.DataFrame = field(default_factory=lambda: empty("amendments"))
    rejects: pd.DataFrame = field(default_factory=lambda: empty("rejects"))
    counts: pd.DataFrame = field(default_factory=lambda: empty("counts"))

    def number(self, what: str) -> int:
        """Return a count by its words, 0 where it is not counted."""
        rows = self.counts.loc[self.counts["what"] == what, "number"]
        return int(rows.sum())


def together(parts: Iterable[NetworkInputs]) -> NetworkInputs:
    """Put what several readers made end to end; an entity that two of them name is kept once, the first."""
    parts = list(parts)
    made = {}
    for name in (one.name for one in fields(NetworkInputs)):
        frames = [frame for part in parts if len(frame := getattr(part, name))]
        made[name] = pd.concat(frames, ignore_index=True) if frames else empty(name)
    made["entities"] = made["entities"].drop_duplicates("entity_id", ignore_index=True)
    return NetworkInputs(**made)


def counted(numbers: Mapping[str, int]) -> pd.DataFrame:
    """Make the table of counts."""
    return typed("counts", pd.DataFrame({"what": list(numbers), "number": list(numbers.values())}))
