"""The tables of the privacy ledger, on SQLite or PostgreSQL: two tables that the database lets nobody change.

Here: tables, triggers, transactions. One writing transaction at a time sees and extends the whole ledger. What may
be written is judged in `hrtech.privacy.ledger`; keys and manifests are the business of `resources.privacy_ledger`.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event

from hrtech.privacy.chain import Entry
from hrtech.privacy.errors import LedgerTampered, LedgerUnavailable

#: How long a writer waits for another one, in seconds; a transaction takes milliseconds.
WAIT: Final = 120

_schema = sa.MetaData()
ENTRIES: Final = sa.Table(
    "privacy_ledger_entries",
    _schema,
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("population", sa.Text, nullable=False),
    sa.Column("release_key", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("previous", sa.Text, nullable=False, unique=True),
    sa.Column("head", sa.Text, nullable=False, unique=True),
)
# a release is charged once and committed once, whatever a program does
sa.Index(
    "privacy_ledger_once",
    ENTRIES.c.kind,
    ENTRIES.c.release_key,
    unique=True,
    sqlite_where=ENTRIES.c.release_key != "",
    postgresql_where=ENTRIES.c.release_key != "",
)
ARTEFACTS: Final = sa.Table(
    "privacy_ledger_artefacts",
    _schema,
    sa.Column("release_key", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
)
_GUARDS: Final = (
    (ENTRIES.name, "sequence = NEW.sequence"),
    (ARTEFACTS.name, "release_key = NEW.release_key AND name = NEW.name"),
)


def _triggers(dialect: str) -> Iterator[tuple[str, str]]:
    """Name and statement of each trigger that keeps a table append-only."""
    for table, same in _GUARDS:
        refusal = f"{table} is append-only"
        if dialect == "sqlite":
            for act in ("UPDATE", "DELETE"):
                name = f"{table}_no_{act.lower()}"
                yield (
                    name,
                    f"CREATE TRIGGER {name} BEFORE {act} ON {table} BEGIN SELECT RAISE(ABORT, '{refusal}'); END",
                )
            # INSERT OR REPLACE removes the old row without asking the DELETE trigger
            name = f"{table}_no_replace"
            yield (
                name,
                f"CREATE TRIGGER {name} BEFORE INSERT ON {table} WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) "
                f"BEGIN SELECT RAISE(ABORT, '{refusal}'); END",
            )
        else:
            for act, each in (("UPDATE OR DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
                name = f"{table}_no_{act.split()[0].lower()}"
                yield (
                    name,
                    f"CREATE TRIGGER {name} BEFORE {act} ON {table} FOR EACH {each} "
                    "EXECUTE FUNCTION privacy_ledger_refuse()",
                )


_REFUSE: Final = """
CREATE OR REPLACE FUNCTION privacy_ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$
"""


class LedgerDatabase:
    """One connection target that holds a ledger."""

    def __init__(self, url: str):
        self.url = sa.make_url(url)
        self._sqlite = self.url.get_backend_name() == "sqlite"
        if not self._sqlite and self.url.get_backend_name() != "postgresql":
            raise ValueError(
                f"The ledger's url starts with {self.url.get_backend_name()!r}; use sqlite:// or postgresql+psycopg://."
            )
        if self._sqlite and self.path is None:
            raise ValueError(
                "The ledger's url must name a file: a ledger in memory would forget what was spent."
            )
        try:
            self._engine = sa.create_engine(
                self.url,
                poolclass=sa.NullPool,
                # released bytes and requests never reach a log through an error
                hide_parameters=True,
                connect_args={"timeout": WAIT} if self._sqlite else {"connect_timeout": 30},
                # what is read after the lock was waited for must be what the other writer left
                **({} if self._sqlite else {"isolation_level": "READ COMMITTED"}),
            )
        except ModuleNotFoundError as error:
            raise LedgerUnavailable(
                f"A ledger on PostgreSQL needs {error.name}. Install hrtech-dagster[postgres]."
            ) from None
        if self._sqlite:
            event.listen(self._engine, "connect", _sqlite_connected)
            event.listen(self._engine, "begin", _sqlite_begin)

    @property
    def path(self) -> Path | None:
        """File of an SQLite ledger; None on PostgreSQL."""
        name = self.url.database
        return Path(name) if self._sqlite and name and name != ":memory:" else None

    @property
    def shown(self) -> str:
        """Where it is, without a password."""
        return self.url.render_as_string(hide_password=True)

    def exists(self) -> bool:
        """Say whether a ledger with at least one entry is there, without creating anything."""
        if self.path is not None and not self.path.is_file():
            return False
        with self.reading() as connection:
            return sa.inspect(connection).has_table(ENTRIES.name) and (
                connection.scalar(sa.select(ENTRIES.c.sequence).limit(1)) is not None
            )

    def prepare(self) -> None:
        """Create file, tables and triggers where they are missing; an existing table is left as it is."""
        if self.path is not None and not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # before SQLite creates it with the mode of the umask
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        with self._transaction(writing=True) as connection:
            if sa.inspect(connection).has_table(ENTRIES.name):
                return
            _schema.create_all(connection)
            if not self._sqlite:
                connection.exec_driver_sql(_REFUSE.replace("%", "%%"))
            for _, statement in _triggers(connection.dialect.name):
                connection.exec_driver_sql(statement)

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Open a transaction that alone may write; it sees all that was committed before it began."""
        with self._transaction(writing=True) as connection:
            yield connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Open a transaction that only reads."""
        with self._transaction(writing=False) as connection:
            yield connection

    @contextlib.contextmanager
    def _transaction(self, *, writing: bool) -> Iterator[sa.Connection]:
        try:
            options = self._engine.execution_options(ledger_writing=writing)
            with options.begin() as connection:
                if writing and not self._sqlite:
                    _lock_postgres(connection)
                yield connection
        except sa.exc.OperationalError as error:
            # such an error speaks of connections, locks and disks, never of what is in a row
            reason = str(error.orig).strip().partition("\n")[0]
            raise LedgerUnavailable(
                f"The privacy ledger at {self.shown} cannot be used: {reason}. Is its server running, its folder "
                "writable, its disk not full, and no other program holding it? Asking again is safe: a release is "
                "charged once."
            ) from None

    def entries(self, connection: sa.Connection) -> list[Entry]:
        """Read all entries in their order."""
        rows = connection.execute(sa.select(ENTRIES).order_by(ENTRIES.c.sequence))
        return [Entry(**row._mapping) for row in rows]

    def append(self, connection: sa.Connection, entry: Entry) -> None:
        """Add an entry."""
        connection.execute(sa.insert(ENTRIES), dict(entry.__dict__))

    def artefacts(self, connection: sa.Connection, key: str) -> list[tuple[str, str, bytes]]:
        """Read name, SHA-256 and bytes of what a release made."""
        rows = connection.execute(
            sa.select(ARTEFACTS).where(ARTEFACTS.c.release_key == key).order_by(ARTEFACTS.c.name)
        )
        return [(row.name, row.sha256, bytes(row.content)) for row in rows]

    def artefact_keys(self, connection: sa.Connection) -> set[str]:
        """Read the keys of all releases that have bytes here."""
        return set(connection.scalars(sa.select(ARTEFACTS.c.release_key).distinct()))

    def keep(
        self, connection: sa.Connection, key: str, artefacts: Mapping[str, bytes], digests: Mapping[str, str]
    ) -> None:
        """Add what a release made."""
        for name, content in artefacts.items():
            row = {"release_key": key, "name": name, "sha256": digests[name], "content": content}
            connection.execute(sa.insert(ARTEFACTS), row)

    def check_guards(self, connection: sa.Connection) -> None:
        """Check that the triggers are in place.

        Raises:
            LedgerTampered: One is missing.
        """
        dialect = connection.dialect.name
        catalogue = (
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            if self._sqlite
            else "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A') AND tgrelid IN "
            f"(to_regclass('{ENTRIES.name}'), to_regclass('{ARTEFACTS.name}'))"
        )
        present = set(connection.scalars(sa.text(catalogue)))
        for name, _ in _triggers(dialect):
            if name not in present:
                raise LedgerTampered(
                    f"The trigger {name} of the ledger's database is missing or switched off, so rows could be "
                    "changed. Find out who removed it."
                )

    def copy_to(self, target: "LedgerDatabase") -> int:
        """Copy everything into an empty ledger, in one transaction on each side.

        Returns:
            The number of entries.

        Raises:
            ValueError: The target holds a ledger already.
        """
        if target.exists():
            raise ValueError("There is a ledger at the target already; a copy never replaces one.")
        target.prepare()
        with self.reading() as source, target.writing() as sink:
            entries = self.entries(source)
            for entry in entries:
                target.append(sink, entry)
            for row in source.execute(sa.select(ARTEFACTS)):
                sink.execute(sa.insert(ARTEFACTS), dict(row._mapping))
        return len(entries)


def _sqlite_connected(connection: sqlite3.Connection, record: Any) -> None:
    # transactions are begun by us, durably written
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous = EXTRA")
    connection.execute("PRAGMA trusted_schema = OFF")


def _sqlite_begin(connection: sa.Connection) -> None:
    writing = connection.get_execution_options().get("ledger_writing")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _lock_postgres(connection: sa.Connection) -> None:
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{WAIT}s'")
    connection.exec_driver_sql("SET LOCAL synchronous_commit = on")
    # not LOCK TABLE, which needs the right to change rows; the first 8 bytes of sha256("hrtech ledger")
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(1846930283705715312)")
