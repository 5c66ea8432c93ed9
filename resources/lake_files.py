"""The lake's files: one Parquet file per table and partition, in one folder per zone.

Layout: `<base>/<zone>/<study>/<noun>.parquet`, a partition `<base>/<zone>/<study>/<noun>/<partition>.parquet`, a
partition of several dimensions one folder deeper for each, dimensions in the order of their names.

A reader sees a whole table or none: locally a private temporary file replaces the old one in one step after it
reached the disk; object stores write an object whole. Restricted files are 0600 in folders that are 0700 and
encrypted with `keys/lake.key`, bound to their path in the lake.

Here: paths, bytes, permissions, the key. Not here: Dagster (`resources.lake`), how a table becomes bytes
(`hrtech.tables`) or ciphertext (`hrtech.encryption`).
"""

import contextlib
import os
import secrets
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import pandas as pd

from hrtech.encryption import DecryptionError, decrypt, encrypt, is_encrypted
from hrtech.tables import TableError, arrow_from_bytes, frame_from_arrow, table_to_bytes
from hrtech.zones import ZONES
from resources.home import hrtech_home
from resources.keys import KeyFileError, read_key, read_or_create_key

#: A partition: None, the key of one dimension, or one key per dimension in the order of the dimensions' names.
Partition = str | Sequence[str] | None

EXTENSION: Final = ".parquet"
#: fsspec protocols that write an object whole or not at all.
OBJECT_STORES: Final = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "memory"})
_LEFTOVER_SECONDS: Final = 3600


class LakeError(RuntimeError):
    """The lake cannot hold or open a table; the message names table and mend, never a value."""


@dataclass(frozen=True)
class ZoneFiles:
    """The files of one zone.

    Attributes:
        zone: `restricted`, `released` or `public`.
        base: The lake: an absolute local folder or an fsspec URL without credentials.
        key_file: Where the key lies.
        encrypted: Whether tables are encrypted when written, and refused when they are not.
    """

    zone: str
    base: str
    key_file: Path
    encrypted: bool

    def __post_init__(self) -> None:
        if self.zone not in ZONES:
            raise LakeError(f"{self.zone!r} is no zone. Use one of {', '.join(ZONES)}.")
        parts = urlsplit(self.base)
        if parts.password:
            raise LakeError(
                "The address of the lake holds credentials. Give them to the process as environment variables."
            )
        if parts.scheme not in OBJECT_STORES and (parts.scheme or not Path(self.base).is_absolute()):
            raise LakeError(
                f"The lake cannot lie at {self.base!r}. Use an absolute folder or an object store: "
                f"{', '.join(sorted(f'{name}://' for name in OBJECT_STORES))}."
            )
        if parts.scheme and self.zone == "restricted" and not self.encrypted:
            raise LakeError(
                f"The restricted store at {self.base} must be encrypted: it is another machine. "
                "Remove `encrypt: false`."
            )

    @property
    def remote(self) -> bool:
        """Whether the lake is an object store."""
        return bool(urlsplit(self.base).scheme)

    def relative_path(self, key: Sequence[str], partition: Partition = None) -> str:
        """Path within the lake, which is also what an encrypted file is bound to."""
        if isinstance(key, str) or len(key) != 2:
            raise LakeError(f"A table's key has two parts, study and noun; got {key!r}.")
        inner = [] if partition is None else [partition] if isinstance(partition, str) else list(partition)
        return "/".join([self.zone, *(_safe(part) for part in [*key, *inner])]) + EXTENSION

    def write(self, key: Sequence[str], frame: pd.DataFrame, partition: Partition = None) -> str:
        """Write a table, replacing an older one in one step.

        Returns:
            Its path within the lake.

        Raises:
            LakeError: The frame cannot be stored, the folder is not private, or the key is lost.
        """
        path = self.relative_path(key, partition)
        try:
            data = table_to_bytes(frame)
        except TableError as problem:
            raise LakeError(f"{'/'.join(key)} cannot be stored: {problem}") from None
        if self.encrypted:
            data = encrypt(data, self._key_for_writing(), path.encode())
        if self.remote:
            fs, root = self._remote()
            fs.pipe_file(f"{root}/{path}", data)
        else:
            self._replace(Path(self.base) / path, data)
        return path

    def read_bytes(self, key: Sequence[str], partition: Partition = None) -> bytes:
        """Read a table as Parquet bytes, decrypted.

        Raises:
            FileNotFoundError: There is no such table.
            LakeError: It does not open.
        """
        path = self.relative_path(key, partition)
        try:
            data = self._load(path)
        except FileNotFoundError:
            raise FileNotFoundError(
                f"The lake holds no {path} at {self.base}. Materialise {'/'.join(key)} first."
            ) from None
        try:
            if is_encrypted(data):
                return decrypt(data, read_key(self.key_file), path.encode())
        except (DecryptionError, KeyFileError) as problem:
            raise LakeError(f"{path} in the lake does not open: {problem}") from None
        if self.encrypted:
            raise LakeError(
                f"{path} in the lake is not encrypted, so it was not written by this store. Find out who put it "
                "there, remove it, and materialise the asset again."
            )
        return data

    def read(self, key: Sequence[str], partition: Partition = None) -> pd.DataFrame:
        """Read a table.

        Raises:
            FileNotFoundError: There is no such table.
            LakeError: It does not open or is no table.
        """
        return frame_from_arrow(self.read_arrow(key, partition))

    def read_arrow(self, key: Sequence[str], partition: Partition = None) -> Any:
        """Read a table as an Arrow table; raises as `read`."""
        data = self.read_bytes(key, partition)
        try:
            return arrow_from_bytes(data)
        except TableError as problem:
            raise LakeError(f"{self.relative_path(key, partition)} in the lake: {problem}") from None

    def exists(self, key: Sequence[str], partition: Partition = None) -> bool:
        """Whether the table is there; it is not opened."""
        path = self.relative_path(key, partition)
        if not self.remote:
            return (Path(self.base) / path).is_file()
        fs, root = self._remote()
        fs.invalidate_cache()
        return bool(fs.isfile(f"{root}/{path}"))

    def tables(self) -> list[tuple[str, ...]]:
        """List what is there, sorted: `(study, noun)`, and `(study, noun, partition...)` for partitions."""
        found = []
        for path in self._paths():
            parts = path.removesuffix(EXTENSION).split("/")[1:]
            found.append(tuple(unquote(part) for part in parts))
        return sorted(found)

    def _paths(self) -> Iterator[str]:
        """Paths of all tables, relative to the lake."""
        if self.remote:
            fs, root = self._remote()
            fs.invalidate_cache()
            names = (str(name).removeprefix(f"{root}/") for name in fs.find(f"{root}/{self.zone}"))
        else:
            base = Path(self.base)
            names = (path.relative_to(base).as_posix() for path in (base / self.zone).rglob(f"*{EXTENSION}"))
        for name in names:
            if name.endswith(EXTENSION) and name.count("/") >= 2:
                yield name

    def _load(self, path: str, end: int | None = None) -> bytes:
        if self.remote:
            fs, root = self._remote()
            return bytes(fs.cat_file(f"{root}/{path}", end=end))
        with (Path(self.base) / path).open("rb") as stream:
            return stream.read(-1 if end is None else end)

    def _remote(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        fs, root = url_to_fs(self.base)
        return fs, root.rstrip("/")

    def _key_for_writing(self) -> bytes:
        """The key, made on first use; a lost one is never replaced, or what it encrypted would be lost as well."""
        if not self.key_file.exists():
            orphan = next((path for path in self._paths() if is_encrypted(self._load(path, end=5))), None)
            # another process may have made the key and written a table since
            if orphan is not None and not self.key_file.exists():
                raise LakeError(
                    f"The key {self.key_file} is missing, but the lake holds tables encrypted with it ({orphan}). "
                    f"Restore the key from your backup. If it is lost, so are they: remove {self.zone}/ from "
                    f"{self.base} and materialise its assets again."
                )
        return read_or_create_key(self.key_file)

    def _replace(self, target: Path, data: bytes) -> None:
        private = self.zone == "restricted"
        self._make_folders(target.parent, private)
        _remove_leftovers(target)
        draft = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            draft.replace(target)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _make_folders(self, folder: Path, private: bool) -> None:
        base = Path(self.base)
        base.mkdir(parents=True, exist_ok=True)
        chain = [folder, *(parent for parent in folder.parents if parent.is_relative_to(base))]
        for step in reversed([path for path in chain if path != base]):
            step.mkdir(mode=0o700 if private else 0o755, exist_ok=True)
            if private:
                _make_private(step)


def zone_files(
    zone: str, home: Path | None = None, base: str | None = None, encrypt: bool | None = None
) -> ZoneFiles:
    """Find the files of a zone.

    Args:
        zone: `restricted`, `released` or `public`.
        home: Folder that holds all state; `$HRTECH_HOME` by default.
        base: The lake; by default `$HRTECH_LAKE`, else `lake/` in the home.
        encrypt: Whether tables are encrypted; by default restricted ones are.
    """
    home = home or hrtech_home()
    return ZoneFiles(
        zone=zone,
        base=(base or os.environ.get("HRTECH_LAKE", "").strip() or str(home / "lake")).rstrip("/"),
        key_file=home / "keys" / "lake.key",
        encrypted=zone == "restricted" if encrypt is None else encrypt,
    )


def _make_private(folder: Path) -> None:
    if _mode(folder) & 0o077:
        # a file system without permissions may refuse, or accept and forget: the mode afterwards decides
        with contextlib.suppress(OSError):
            folder.chmod(0o700)
    mode = _mode(folder)
    if mode & 0o077:
        raise LakeError(
            f"The file system of {folder} does not keep private folders (its mode stays {mode:04o}, not 0700), so "
            "others on this machine could read restricted tables. Put HRTECH_HOME on a file system with "
            "permissions, such as ext4, xfs or APFS."
        )


def _mode(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


def _remove_leftovers(target: Path) -> None:
    """Remove what writers of this table that were killed left behind, so that deleting a table deletes it."""
    for leftover in target.parent.glob(f".{escape(target.name)}.*.tmp"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - leftover.stat().st_mtime > _LEFTOVER_SECONDS:
                leftover.unlink()


def _safe(part: str) -> str:
    """A part of a key as a file name: no separator, no leading dot, reversible."""
    if not part:
        raise LakeError("A part of a table's key or partition is empty.")
    name = quote(part, safe=" =+@,;!()~")
    return f"%2E{name[1:]}" if name.startswith(".") else name
