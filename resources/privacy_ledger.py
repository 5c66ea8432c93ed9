"""The privacy ledger as a Dagster resource: the only door through which restricted data becomes released.

Steps of a release: *reserve* (one transaction: judged, charged once per release key) → *draw* (outside any
transaction) → *commit* (one transaction, the first writer wins) → *witness* (the new head, written outside the
ledger). Killed anywhere, a release that is asked for again is charged once and gives the same bytes. A draw that
fails stays charged, and the next attempt draws on that charge: if failing gave privacy back, the failures would
tell something about the data. No check stands between draw and commit, or noise would be drawn until it pleases.

Here: where things lie, and the order of the steps. The transactions are in `resources.ledger_session`, the rules in
`hrtech.privacy`, the command line (`python -m resources.privacy_ledger`) in `resources.ledger_command`.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from hrtech.privacy.chain import Entry, Head, ledger_id
from hrtech.privacy.ledger import AlsoCharged, ReleaseRequest, release_key
from hrtech.privacy.populations import find_population, load_populations
from hrtech.privacy.statements import statement
from resources.home import hrtech_home
from resources.ledger_database import LedgerDatabase
from resources.ledger_session import LedgerSession, Release
from resources.ledger_witness import manifest_of

__all__ = ["PrivacyLedger", "Release"]


class PrivacyLedger(dg.ConfigurableResource):
    """Charges releases to the budgets of populations and keeps the released bytes."""

    url: str = Field(
        default="",
        description="SQLAlchemy URL, such as postgresql+psycopg://ledger@host/ledger; empty: the file "
        "ledger/ledger.sqlite of the home.",
    )
    populations: str = Field(description="Folder with one reviewed YAML file per population.")
    home: str = Field(default="", description="Folder of all state; empty: $HRTECH_HOME.")
    key: str = Field(
        default="", description="Key file; empty: $HRTECH_LEDGER_KEY, or keys/ledger.key of the home."
    )
    witness: str = Field(
        default="", description="Folder for the newest head; empty: lake/released/.manifests of the home."
    )
    manifests: list[str] = Field(
        default=[],
        description="Further manifests that may name a head of this ledger, as files or patterns, such as a "
        "mounted copy of the published site. site/manifest.json of the home is always read.",
    )

    def release(self, request: ReleaseRequest, draw: Callable[[], dict[str, bytes]]) -> Release:
        """Release once: charge, draw, commit; or return what was released before.

        Args:
            request: What is released, at what charge.
            draw: Makes the released bytes by name. Called at most once here, and never if the release exists. It
                must not look at its own result and try again.

        Returns:
            The release; of two that draw at once, both get the bytes of the first to commit.

        Raises:
            hrtech.privacy.BudgetExhausted: The budget of one of its populations does not cover it. Nobody is charged.
            hrtech.privacy.ApprovalMissing: It names fewer approvers than it needs. Nothing is charged.
            hrtech.privacy.PopulationUnknown: No file of the register names the population.
            hrtech.privacy.PopulationError: The register is not valid.
            hrtech.privacy.LedgerError: The ledger cannot be trusted or reached; see the subclasses.
            ValueError: Two of its populations are the same people.
            TypeError: `draw` returned something else than bytes by name. It stays charged.
        """
        register = load_populations(self.populations)
        population = find_population(register, request.population)
        also = [find_population(register, one.population) for one in request.also]
        # all under their own names, which also shows whether two of them are the same people
        request = replace(
            request,
            population=population.name,
            also=tuple(
                AlsoCharged(own.name, one.charge) for own, one in zip(also, request.also, strict=True)
            ),
        )
        session = self.session()
        secret = session.open()
        key = release_key(secret, request)
        released = session.reserve(secret, key, population, request, also)
        if released is None:
            released = session.commit(secret, key, population, _checked(draw()), also)
        # also of a release that was there: its first run may have been killed before this
        session.witness(Head(released.ledger_id, released.sequence, released.head))
        return released

    def again(self, key: str) -> dict[str, bytes]:
        """Return a past release, byte for byte: without data, draw or charge.

        Args:
            key: Its release key, or the first 16 digits or more.

        Raises:
            hrtech.privacy.ReleaseUnknown: Nothing was released under this key.
            hrtech.privacy.LedgerError: The ledger cannot be trusted or reached; see the subclasses.
        """
        return self.session().again(key)

    def entries(self) -> list[Entry]:
        """Return all entries after verifying them; none where no ledger exists."""
        return self.session().entries()

    def statement(self) -> str:
        """Write what was spent on whom, when, by which study, and why."""
        return statement(self.entries(), load_populations(self.populations))

    def verify(self) -> int:
        """Verify everything: chain, known heads, kept bytes and the triggers of the database.

        Returns:
            The number of entries.

        Raises:
            hrtech.privacy.LedgerError: Something does not hold together.
        """
        return len(self.session().verify())

    def manifest(self) -> dict[str, dict[str, Any]]:
        """Return what a published manifest says: `{"ledger": {...}}`, or nothing before the first entry."""
        entries = self.entries()
        if not entries:
            return {}
        return manifest_of(Head(ledger_id(entries), entries[-1].sequence, entries[-1].head))

    def session(self) -> LedgerSession:
        """Return where this ledger lies."""
        home = Path(self.home) if self.home else hrtech_home()
        key = self.key or os.environ.get("HRTECH_LEDGER_KEY", "").strip()
        return LedgerSession(
            database=LedgerDatabase(self.url or f"sqlite:///{home / 'ledger' / 'ledger.sqlite'}"),
            key_path=Path(key) if key else home / "keys" / "ledger.key",
            witness_folder=Path(self.witness) if self.witness else home / "lake" / "released" / ".manifests",
            manifests=(str(home / "site" / "manifest.json"), *self.manifests),
        )


def _checked(artefacts: Any) -> dict[str, bytes]:
    whole = isinstance(artefacts, dict) and all(
        isinstance(name, str) and name and isinstance(content, bytes) for name, content in artefacts.items()
    )
    if not whole or not artefacts:
        raise TypeError("A draw returns at least one artefact, as bytes by name.")
    return dict(artefacts)


if __name__ == "__main__":
    from resources.ledger_command import main

    raise SystemExit(main())
