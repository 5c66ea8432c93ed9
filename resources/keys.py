"""Secret keys as files: 32 random bytes, mode 0600, created once.

A key is never a setting, an argument of a run or a part of any message: only its path is.
"""

import contextlib
import os
import secrets
import stat
from pathlib import Path

KEY_BYTES = 32


class KeyFileError(RuntimeError):
    """A key file is missing, readable by others, or not a key; the message names the file and the mend."""


def read_key(path: Path) -> bytes:
    """Read a key file.

    Raises:
        KeyFileError: The file is missing, readable by group or others, or not 32 bytes.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        raise KeyFileError(
            f"The key {path} is missing. Restore it from your backup of the keys folder."
        ) from None
    if mode & 0o077:
        raise KeyFileError(f"The key {path} can be read by others (mode {mode:04o}). Run: chmod 600 {path}")
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise KeyFileError(
            f"The key {path} has {len(key)} bytes instead of {KEY_BYTES}. Restore it from your backup."
        )
    return key


def read_or_create_key(path: Path) -> bytes:
    """Read a key file, or create it where there is none; processes that create it at once agree on one key.

    The bytes are written to a private temporary file and linked into place, so no reader ever sees half a key.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(secrets.token_bytes(KEY_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return read_key(path)
