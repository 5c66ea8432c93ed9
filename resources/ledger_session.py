"""An opened privacy ledger: its database, its key and the manifests that know it; and the two transactions.

Here: reserving, committing, verifying. The order of the steps of a release is in `resources.privacy_ledger`, the
rules are in `hrtech.privacy`.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from hrtech.privacy import ledger as rules
from hrtech.privacy.canonical_json import canonical_json
from hrtech.privacy.chain import Entry, Head, ledger_id, mac, sealed, verify_chain
from hrtech.privacy.ledger import (
    Charge,
    KeyMissing,
    LedgerRolledBack,
    LedgerTampered,
    MechanismChanged,
    ReleaseUnknown,
)
from hrtech.privacy.populations import Population
from resources.keys import KeyFileError, read_key, read_or_create_key
from resources.ledger_database import LedgerDatabase
from resources.ledger_witness import manifest_of, read_witnesses, write_witness

#: So many digits of a release key are told by the statement and name a release.
_SHORTEST_KEY: Final = 16


@dataclass(frozen=True)
class FurtherCharge:
    """What a release was charged to a further population; the fields are as in `Release`."""

    population: Population
    charge: Charge
    spent: Charge
    epsilon: float
    epsilon_spent: float
    epsilon_left: float


@dataclass(frozen=True)
class Release:
    """A release that the ledger holds.

    Attributes:
        key: Release key; the data version of what was released.
        sequence: Entry that committed it.
        head: Head of the chain at that entry.
        ledger_id: Identity of the ledger.
        artefacts: The released bytes by name.
        reused: It had been released before: nothing was drawn here, or another draw was first.
        charge: What it was charged, once.
        spent: Everything charged to the population so far.
        epsilon: The charge as epsilon, at the population's delta.
        epsilon_spent: Everything charged so far, as epsilon at the population's delta.
        epsilon_left: Largest epsilon that one further release can be granted.
        population: The population, with its budget.
        also: The same for further populations that the release was charged to, in the request's order.
    """

    key: str
    sequence: int
    head: str
    ledger_id: str
    artefacts: dict[str, bytes] = field(repr=False)
    reused: bool
    charge: Charge
    spent: Charge
    epsilon: float
    epsilon_spent: float
    epsilon_left: float
    population: Population
    also: tuple[FurtherCharge, ...] = ()

    def manifest(self) -> dict[str, dict[str, Any]]:
        """Return what a published manifest says of the ledger."""
        return manifest_of(Head(self.ledger_id, self.sequence, self.head))


@dataclass(frozen=True)
class LedgerSession:
    """Where one ledger lies.

    Attributes:
        database: Its tables.
        key_path: Its key file.
        witness_folder: Where the newest head is written.
        manifests: Files and patterns of further manifests that may name a head.
    """

    database: LedgerDatabase
    key_path: Path
    witness_folder: Path
    manifests: tuple[str, ...] = ()

    def known(self) -> list[Head]:
        """Read the heads that were written outside the ledger."""
        return read_witnesses([str(self.witness_folder / "*.json"), *self.manifests])

    def open(self) -> bytes:
        """Return the key of a ledger that has its first entry; where there is nothing yet, create both.

        Raises:
            LedgerRolledBack: There is no ledger, but a manifest knows of one.
            KeyMissing: There is a ledger, but not its key.
        """
        if not self.database.exists():
            self._refuse_lost()
            self.database.prepare()
            with self.database.writing() as connection:
                # another process may have been first; the lock tells
                if not self.database.entries(connection):
                    self._begin(connection)
        return self._secret()

    def _begin(self, connection: Connection) -> None:
        try:
            secret = read_or_create_key(self.key_path)
        except KeyFileError as error:
            raise KeyMissing(str(error)) from None
        body = {"ledger_id": secrets.token_hex(16), "key_id": _key_id(secret), "form": 1}
        self.database.append(connection, sealed(secret, [], kind="created", at=_now(), body=body))

    def _refuse_lost(self) -> None:
        for head in self.known():
            raise LedgerRolledBack(
                f"A manifest names entry {head.sequence} of a ledger, but there is no ledger at "
                f"{self.database.shown}: it was lost or moved, and what was spent would be forgotten. Put the newest "
                "copy of the ledger back; see docs/ledger.md."
            )

    def _secret(self) -> bytes:
        try:
            return read_key(self.key_path)
        except KeyFileError as error:
            raise KeyMissing(
                f"{error} A ledger was written with it, so no new one is made: without it nobody can tell whether "
                "the ledger was changed, and every release would be charged again."
            ) from None

    def _verified(self, connection: Connection, secret: bytes, known: Sequence[Head]) -> list[Entry]:
        # `known` is read before the entries: a head that is written meanwhile must not look like a rollback
        entries = self.database.entries(connection)
        if entries and entries[0].kind == "created":
            named = _content(entries[0]).get("key_id")
            if named != _key_id(secret):
                raise KeyMissing(
                    f"The key {self.key_path} is not the one that this ledger was written with. Restore that one "
                    "from your backup, or point HRTECH_LEDGER_KEY to it."
                )
        verify_chain(entries, secret, known)
        return entries

    def entries(self) -> list[Entry]:
        """Return all entries after verifying them; none where no ledger exists."""
        if not self.database.exists():
            self._refuse_lost()
            return []
        secret, known = self._secret(), self.known()
        with self.database.reading() as connection:
            return self._verified(connection, secret, known)

    def verify(self) -> list[Entry]:
        """Verify chain, known heads, kept bytes and triggers; return the entries.

        Raises:
            LedgerError: Something does not hold together.
        """
        if not self.database.exists():
            self._refuse_lost()
            return []
        secret, known = self._secret(), self.known()
        with self.database.reading() as connection:
            self.database.check_guards(connection)
            # bytes are written in one transaction with their entry: those seen first have theirs seen after
            keys = self.database.artefact_keys(connection)
            entries = self._verified(connection, secret, known)
            committed = {entry.release_key: entry for entry in entries if entry.kind == "committed"}
            for key in sorted(keys - committed.keys()):
                raise LedgerTampered(
                    f"The ledger keeps bytes of a release {key[:16]} that was never committed."
                )
            for entry in committed.values():
                self._artefacts_of(connection, entry)
        return entries

    def again(self, key: str) -> dict[str, bytes]:
        """Return the bytes of a release that was committed; nothing is written.

        Args:
            key: Release key, or at least the 16 first digits of it, as the statement tells them.

        Raises:
            ReleaseUnknown: No committed release has this key, or several begin like this.
            LedgerError: The ledger cannot be trusted or reached.
        """
        if not self.database.exists():
            self._refuse_lost()
            raise ReleaseUnknown(f"There is no ledger at {self.database.shown}: nothing was ever released.")
        secret, known = self._secret(), self.known()
        with self.database.reading() as connection:
            entries = self._verified(connection, secret, known)
            return self._artefacts_of(connection, _committed_as(entries, key))

    def reserve(
        self,
        secret: bytes,
        key: str,
        population: Population,
        request: rules.ReleaseRequest,
        also: Sequence[Population] = (),
    ) -> Release | None:
        """Charge a release once, in one transaction; return it if it was committed before.

        The one entry of the reservation charges all its populations, so that all are charged or none.

        Raises:
            LedgerError: It is refused. Nothing is charged and nothing is written.
        """
        known = self.known()
        with self.database.writing() as connection:
            entries = self._verified(connection, secret, known)
            committed = rules.find_entry(entries, "committed", key)
            if committed is not None:
                return self._release(connection, entries, committed, population, also, reused=True)
            reserved = rules.find_entry(entries, "reserved", key)
            if reserved is not None:
                _check_covered(request, reserved)
                return None
            rules.check_request(entries, population, request, also)
            for one in (population, *also):
                recorded = rules.budget_of(entries, one.name)
                budget = rules.budget_body(one)
                if recorded is None or recorded.body != canonical_json(budget):
                    entry = sealed(
                        secret, entries, kind="budget", at=_now(), body=budget, population=one.name
                    )
                    self.database.append(connection, entry)
                    entries.append(entry)
            entry = sealed(
                secret,
                entries,
                kind="reserved",
                at=_now(),
                body=rules.reservation_body(request),
                population=population.name,
                release_key=key,
            )
            self.database.append(connection, entry)
        return None

    def commit(
        self,
        secret: bytes,
        key: str,
        population: Population,
        artefacts: dict[str, bytes],
        also: Sequence[Population] = (),
    ) -> Release:
        """Keep what was drawn, in one transaction, unless somebody else was first; return what is kept."""
        known = self.known()
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in artefacts.items()}
        with self.database.writing() as connection:
            entries = self._verified(connection, secret, known)
            committed = rules.find_entry(entries, "committed", key)
            if committed is not None:
                return self._release(connection, entries, committed, population, also, reused=True)
            self.database.keep(connection, key, artefacts, digests)
            committed = sealed(
                secret,
                entries,
                kind="committed",
                at=_now(),
                body={"artefacts": digests},
                population=population.name,
                release_key=key,
            )
            self.database.append(connection, committed)
            entries.append(committed)
            return self._release(connection, entries, committed, population, also, reused=False)

    def witness(self, head: Head) -> None:
        """Write a head outside the ledger."""
        write_witness(self.witness_folder, head)

    def _release(
        self,
        connection: Connection,
        entries: Sequence[Entry],
        committed: Entry,
        population: Population,
        also: Sequence[Population],
        *,
        reused: bool,
    ) -> Release:
        reserved = rules.find_entry(entries, "reserved", committed.release_key)
        if reserved is None:
            raise LedgerTampered(
                f"Entry {committed.sequence} of the ledger commits a release that was never charged."
            )
        charge = rules.charge_of(reserved)
        account = rules.account_of(entries, population)
        return Release(
            key=committed.release_key,
            sequence=committed.sequence,
            head=committed.head,
            ledger_id=ledger_id(entries),
            artefacts=self._artefacts_of(connection, committed),
            reused=reused,
            charge=charge,
            spent=account.spent,
            epsilon=rules.epsilon_of(charge.rho, population.delta, charge.delta),
            epsilon_spent=account.epsilon_spent,
            epsilon_left=account.epsilon_left,
            population=population,
            also=tuple(_further(entries, reserved, one) for one in also),
        )

    def _artefacts_of(self, connection: Connection, committed: Entry) -> dict[str, bytes]:
        promised = committed.content["artefacts"]
        found = self.database.artefacts(connection, committed.release_key)
        digests = {name: hashlib.sha256(content).hexdigest() for name, _, content in found}
        if digests != promised or any(digests[name] != digest for name, digest, _ in found):
            raise LedgerTampered(
                f"The bytes that the ledger keeps of entry {committed.sequence} are not those that were committed."
            )
        return {name: content for name, _, content in found}


def _committed_as(entries: Sequence[Entry], key: str) -> Entry:
    wanted = key.strip().lower()
    if len(wanted) < _SHORTEST_KEY:
        raise ReleaseUnknown(
            f"A release key has 64 digits, of which the first {_SHORTEST_KEY} are enough: the statement tells them."
        )
    found = [entry for entry in entries if entry.release_key.startswith(wanted)]
    committed = [entry for entry in found if entry.kind == "committed"]
    if len(committed) > 1:
        raise ReleaseUnknown(
            f"Several releases have a key that begins with {wanted[:16]}: give all 64 digits."
        )
    if committed:
        return committed[0]
    if found:
        raise ReleaseUnknown(
            f"The release {wanted[:16]} was charged as entry {found[0].sequence} but never drawn to its end: there "
            "are no bytes of it. Run its study again; that draws on the charge that is there."
        )
    raise ReleaseUnknown(f"This ledger holds no release {wanted[:16]}. The statement lists all.")


def _further(entries: Sequence[Entry], reserved: Entry, population: Population) -> FurtherCharge:
    charge = rules.total(one.charge for one in rules.charges_to(reserved, population))
    account = rules.account_of(entries, population)
    return FurtherCharge(
        population=population,
        charge=charge,
        spent=account.spent,
        epsilon=rules.epsilon_of(charge.rho, population.delta, charge.delta),
        epsilon_spent=account.epsilon_spent,
        epsilon_left=account.epsilon_left,
    )


def _check_covered(request: rules.ReleaseRequest, reserved: Entry) -> None:
    charged = {
        one["population"]: Charge(one["rho"], one["delta"]) for one in reserved.content.get("also", ())
    }
    pairs = [(request.charge, rules.charge_of(reserved))]
    pairs += [(one.charge, charged[one.population]) for one in request.also]
    if any(now.rho > then.rho or now.delta > then.delta for now, then in pairs):
        raise MechanismChanged(
            f"{request.shown}: this release was charged before, but would cost more now: its "
            "mechanism changed and kept its version. Raise the mechanism's version."
        )


def _content(entry: Entry) -> dict[str, Any]:
    try:
        return entry.content
    except ValueError:
        raise LedgerTampered(f"Entry {entry.sequence} of the ledger was edited.") from None


def _key_id(secret: bytes) -> str:
    return mac(secret, "key id", "")[:16]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
