"""The chain: entries that nobody without the key can edit, remove, move or add without it showing.

Every entry carries an HMAC over its own text and over the HMAC of the entry before it. What a chain alone cannot
show is that its end was cut off: for that, heads that were written elsewhere are compared (`known`).

Here: the form of an entry and the chain. What entries mean is said in `hrtech.privacy.ledger`.
"""

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hrtech.privacy.canonical_json import canonical_json
from hrtech.privacy.errors import LedgerRolledBack, LedgerTampered

#: What stands before the first entry.
NOTHING: Final = "0" * 64


@dataclass(frozen=True)
class Entry:
    """One row of the ledger, as it is stored.

    Attributes:
        sequence: 1, 2, 3 ...
        kind: `created`, `budget`, `reserved` or `committed`.
        at: Time of writing, UTC, ISO 8601.
        population: Population concerned; empty for `created`.
        release_key: Release concerned; empty for `created` and `budget`.
        body: Canonical JSON of what the kind says.
        previous: Head before this entry.
        head: HMAC of all of the above: the head of the chain as it ends here.
    """

    sequence: int
    kind: str
    at: str
    population: str
    release_key: str
    body: str
    previous: str
    head: str

    @property
    def content(self) -> dict[str, Any]:
        """The body, read."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Head:
    """Where a ledger stood at some moment, as a manifest says it."""

    ledger_id: str
    sequence: int
    head: str


def mac(secret: bytes, purpose: str, text: str) -> str:
    """HMAC-SHA256 of a text for one purpose: macs for different purposes never stand in for one another."""
    return hmac.new(secret, f"hrtech ledger 1 {purpose}\n{text}".encode(), "sha256").hexdigest()


def sealed(
    secret: bytes,
    entries: Sequence[Entry],
    *,
    kind: str,
    at: str,
    body: Mapping[str, Any],
    population: str = "",
    release_key: str = "",
) -> Entry:
    """Write the entry that follows after `entries`."""
    draft = Entry(
        sequence=len(entries) + 1,
        kind=kind,
        at=at,
        population=population,
        release_key=release_key,
        body=canonical_json(body, "body"),
        previous=entries[-1].head if entries else NOTHING,
        head="",
    )
    return Entry(**{**draft.__dict__, "head": _head_of(secret, draft)})


def _head_of(secret: bytes, entry: Entry) -> str:
    fields = [
        entry.sequence,
        entry.kind,
        entry.at,
        entry.population,
        entry.release_key,
        entry.body,
        entry.previous,
    ]
    return mac(secret, "entry", canonical_json(fields, "entry"))


def verify_chain(entries: Sequence[Entry], secret: bytes, known: Sequence[Head] = ()) -> None:
    """Check every entry and its place, and that the chain reaches every known head.

    Args:
        entries: All entries in the order of their sequence.
        secret: The ledger's key.
        known: Heads that were written outside the ledger.

    Raises:
        LedgerTampered: An entry was edited, removed, moved or added.
        LedgerRolledBack: The chain does not contain a known head: its end was cut off, an older copy was restored,
            or it is another ledger.
    """
    previous = NOTHING
    for place, entry in enumerate(entries, start=1):
        # SQLite keeps any type in any column
        if not all(isinstance(value, str) for name, value in entry.__dict__.items() if name != "sequence"):
            raise LedgerTampered(f"Entry {place} of the ledger was edited.")
        if entry.sequence != place:
            raise LedgerTampered(
                f"The ledger has entry {entry.sequence} where {place} belongs: an entry was removed, moved or added."
            )
        if not hmac.compare_digest(entry.previous.encode(), previous.encode()):
            raise LedgerTampered(f"Entry {place} of the ledger does not follow on the one before it.")
        if not hmac.compare_digest(entry.head.encode(), _head_of(secret, entry).encode()):
            raise LedgerTampered(f"Entry {place} of the ledger was edited, or was not written with this key.")
        previous = entry.head
    for head in known:
        _check_known(entries, head)


def ledger_id(entries: Sequence[Entry]) -> str:
    """Identity of a ledger; empty before its first entry."""
    return str(entries[0].content.get("ledger_id", "")) if entries else ""


def _check_known(entries: Sequence[Entry], known: Head) -> None:
    mend = "Put the newest copy of the ledger back; see docs/ledger.md."
    if known.ledger_id and known.ledger_id != ledger_id(entries):
        raise LedgerRolledBack(
            f"A manifest names another ledger ({known.ledger_id[:8]}) than the one here "
            f"({ledger_id(entries)[:8] or 'none'}): it was replaced, and what was spent would be forgotten. {mend}"
        )
    if known.sequence > len(entries):
        raise LedgerRolledBack(
            f"A manifest names entry {known.sequence} of the ledger, but it ends at {len(entries)}: an older copy "
            f"was restored, and what was spent since would be forgotten. {mend}"
        )
    if known.sequence < 1 or not hmac.compare_digest(
        entries[known.sequence - 1].head.encode(), known.head.encode()
    ):
        raise LedgerRolledBack(
            f"A manifest names entry {known.sequence} of the ledger with another head than the one here: an older "
            f"copy was restored and written on. {mend}"
        )
