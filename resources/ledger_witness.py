"""Manifests that say where the ledger stood, kept outside the ledger.

A chain cannot show that its end was cut off. Whoever restores an older ledger leaves these behind, and they tell.
A manifest is JSON with `{"ledger": {"ledger_id": ..., "sequence": ..., "head": ...}}`, whatever else it holds.
"""

import glob
import json
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hrtech.privacy.chain import Head
from hrtech.privacy.errors import LedgerRolledBack


def read_witnesses(patterns: Iterable[str]) -> list[Head]:
    """Read the heads that manifests name.

    Args:
        patterns: Files or glob patterns; one that matches nothing is no manifest yet. A manifest without `ledger`
            is of a site that stands on no release.

    Raises:
        LedgerRolledBack: A manifest cannot be read, so nobody can tell whether the ledger is behind it.
    """
    found = []
    for path in sorted({name for pattern in patterns for name in _matching(pattern)}):
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            ledger = content.get("ledger")
            if ledger:
                found.append(
                    Head(str(ledger.get("ledger_id", "")), int(ledger["sequence"]), str(ledger["head"]))
                )
        except FileNotFoundError:
            continue  # replaced by a newer one while we looked
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise LedgerRolledBack(
                f"The manifest {path} cannot be read, so nobody can tell whether the ledger is behind it. Restore it, "
                "or remove it if you know that the ledger is the newest."
            ) from None
    return found


def _matching(pattern: str) -> list[str]:
    # patterns are absolute, or relative to the working folder; Path.glob takes neither
    return glob.glob(pattern)  # noqa: PTH207


def manifest_of(head: Head) -> dict[str, dict[str, Any]]:
    """Write a head as manifests hold it."""
    return {"ledger": {"ledger_id": head.ledger_id, "sequence": head.sequence, "head": head.head}}


def write_witness(folder: Path, head: Head) -> None:
    """Write the manifest of a head, durably and whole, unless a later one is there; the chain holds the earlier."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder / f"{head.sequence:012d}.json"
    if any(path.name >= target.name for path in folder.glob("[0-9]*.json")):
        return
    draft = folder / f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}"
    with draft.open("w", encoding="utf-8") as stream:
        json.dump(manifest_of(head), stream, sort_keys=True)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(target)
    for earlier in folder.glob("[0-9]*.json"):
        if earlier.name < target.name:
            earlier.unlink(missing_ok=True)
