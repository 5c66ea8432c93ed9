"""Where all state lives: `$HRTECH_HOME`.

One folder holds everything that is not code: `lake/` (tables), `ledger/` (privacy spent), `keys/`,
`site/` (published pages), `inbox/` (files dropped for studies) and `dagster/` (the instance). Nothing else in
the project decides a path.
"""

import os
from pathlib import Path
from typing import Any

FOLDERS = ("lake", "ledger", "keys", "site", "inbox", "dagster")
PRIVATE = frozenset({"lake", "ledger", "keys", "inbox", "dagster"})


class HomeError(RuntimeError):
    """`$HRTECH_HOME` or the Dagster instance in it cannot be used; the message says how to mend it."""


def hrtech_home() -> Path:
    """Return the folder that holds all state.

    Raises:
        HomeError: `HRTECH_HOME` is unset, relative, or not a folder.
    """
    value = os.environ.get("HRTECH_HOME", "").strip()
    if not value:
        raise HomeError(
            "HRTECH_HOME is not set, so there is nowhere to keep tables, keys and the privacy ledger. "
            "Run `make venv` (it writes a .env file that dg reads) or export HRTECH_HOME=/absolute/folder."
        )
    home = Path(value)
    if not home.is_absolute():
        raise HomeError(
            f"HRTECH_HOME must be an absolute path, not {value!r}: relative paths move with the folder."
        )
    if home.exists() and not home.is_dir():
        raise HomeError(f"HRTECH_HOME {home} is a file. Name a folder.")
    return home


def prepare_home(home: Path, instance_settings: str | None = None) -> Path:
    """Create the folders of a home, private ones with mode 0700, and the Dagster instance file.

    Args:
        home: Absolute folder.
        instance_settings: Text of `dagster.yaml` for a new instance; an existing file is left as it is.

    Returns:
        The home.
    """
    home.mkdir(parents=True, exist_ok=True)
    for name in FOLDERS:
        folder = home / name
        folder.mkdir(exist_ok=True)
        if name in PRIVATE:
            folder.chmod(0o700)
    settings = home / "dagster" / "dagster.yaml"
    if instance_settings is not None and not settings.exists():
        settings.write_text(instance_settings, encoding="utf-8")
    return home


def require_persistent(instance: Any) -> None:
    """Refuse to work on a temporary Dagster instance.

    Without a lasting instance there is no record of which run made what, and lineage is what every published
    number stands on.

    Raises:
        HomeError: The instance is ephemeral.
    """
    if instance.is_ephemeral:
        raise HomeError(
            "This Dagster instance is temporary (DAGSTER_HOME is not set), so what a run makes could not be "
            "traced. Run from the project folder, where .env names DAGSTER_HOME, or export "
            "DAGSTER_HOME=$HRTECH_HOME/dagster."
        )
