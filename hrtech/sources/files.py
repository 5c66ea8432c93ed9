"""Finding the files of a source, and reading each as one unchanged whole.

Local paths and whatever fsspec reaches (through `UPath`). Nothing here knows what a file says.
"""

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from upath import UPath

from hrtech.sources.errors import SourceError, shown

Format = Literal["csv", "tsv", "parquet", "jsonl", "excel"]
FORMATS: Final[dict[str, Format]] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".xlsx": "excel",
}
_MAGIC: Final = frozenset("*?[")
#: What tells that a file is another: of a local one (its content is compared too), and of one elsewhere.
_LOCAL_TRAITS: Final = ("size", "mtime", "ino")
_REMOTE_TRAITS: Final = ("size", "ETag", "etag", "md5", "mtime", "LastModified", "last_modified", "created")
_CHUNK: Final = 1 << 22
_KNOWN: Final = ", ".join(FORMATS)


@dataclass(frozen=True)
class SourceFile:
    """One file of a source, and how it is written."""

    path: UPath
    format: Format

    @property
    def shown(self) -> str:
        """The path as messages name it."""
        return shown(self.path)


def find_files(path: str | Path | UPath, format: str | None = None) -> list[SourceFile]:
    """List the files that a path, a folder or a glob stands for, by name.

    A folder stands for the files directly in it whose suffix is known (or is of the declared format); hidden
    files, and the lock files that office programs leave (`~$`), are passed over.

    Args:
        path: A file, a folder or a glob; local or an fsspec URL.
        format: `csv`, `tsv`, `parquet`, `jsonl` or `excel`; by suffix where it is not given.

    Raises:
        SourceError: Nothing is there, or the format is unknown.
    """
    if format is not None and format not in FORMATS.values():
        raise SourceError(
            f"format '{format}' is unknown",
            mend=f"Use one of {', '.join(dict.fromkeys(FORMATS.values()))}",
            file=path,
            setting="format",
        )
    root = UPath(path)
    if root.is_dir():
        found = [child for child in root.iterdir() if child.is_file() and _belongs(child, format)]
        missing = f"the folder holds no file with a known suffix ({_KNOWN})"
    elif root.is_file():
        found, missing = [root], ""
    elif _MAGIC & set(str(path)):
        found = [child for child in _glob(root) if child.is_file() and _visible(child)]
        missing = "no file matches"
    else:
        found, missing = [], "there is no such file or folder"
    if not found:
        raise SourceError(missing, mend="Correct the path", file=path, setting="source")
    return [SourceFile(child, _format_of(child, format)) for child in sorted(found, key=lambda c: c.name)]


def _visible(path: UPath) -> bool:
    return not path.name.startswith((".", "~$", "_"))


def _belongs(path: UPath, format: str | None) -> bool:
    known = FORMATS.get(path.suffix.lower())
    return _visible(path) and known is not None and format in (None, known)


def _glob(root: UPath) -> Iterator[UPath]:
    """Match a pattern from its last folder without wildcards."""
    pattern: list[str] = []
    while _MAGIC & set(str(root)):
        pattern.insert(0, root.name)
        root = root.parent
    return root.glob("/".join(pattern))


def _format_of(path: UPath, format: str | None) -> Format:
    known = format or FORMATS.get(path.suffix.lower())
    if known is None:
        raise SourceError(
            "the suffix says nothing of the format",
            mend=f"Declare the format, or use one of {_KNOWN} (old .xls: save as .xlsx)",
            file=path,
            setting="format",
        )
    return known  # type: ignore[return-value]


def _identity(path: UPath) -> tuple[Any, ...]:
    """What a file system says of a file that changes when the file does."""
    path.fs.invalidate_cache()
    info = path.fs.info(path.path)
    keys = _LOCAL_TRAITS if _is_local(path) else _REMOTE_TRAITS
    return tuple(str(info[key]) for key in keys if key in info)


def _is_local(path: UPath) -> bool:
    return path.protocol in ("", "file", "local")


def _changed(path: UPath) -> SourceError:
    return SourceError(
        "the file changed while it was read",
        mend="Wait until whoever writes it is done, and have it written under another name and then renamed",
        file=path,
        setting="source",
    )


def _unreadable(path: UPath, reason: str) -> SourceError:
    return SourceError(
        f"the file cannot be read ({reason})", mend="Check that it is there and may be read", file=path
    )


@contextmanager
def unchanged(path: UPath) -> Iterator[bytes]:
    """Hand out the bytes of a file, and afterwards make sure that the file is still the one that was read.

    What the file system says of it (size, time, entity tag) is compared; on a local file system, where times may
    be too coarse to tell, the content as well.

    Raises:
        SourceError: The file cannot be read, is empty, or changed meanwhile.
    """
    reason = None
    before: tuple[Any, ...] = ()
    data = b""
    try:
        before = _identity(path)
        data = path.read_bytes()
    except OSError as error:
        reason = type(error).__name__
    if reason:
        raise _unreadable(path, reason)
    if not data:
        raise SourceError("the file is empty", mend="Put the table there, header first", file=path)
    failed = None
    try:
        yield data
    except SourceError as error:  # that a file is half-written matters more than what then seems wrong in it
        failed = error
    try:
        same = _identity(path) == before and (not _is_local(path) or _same_content(path, data))
    except OSError:
        same = False
    if not same:
        raise _changed(path)
    if failed is not None:
        raise failed


def _same_content(path: UPath, data: bytes) -> bool:
    with path.open("rb") as stream:
        now = hashlib.file_digest(stream, "sha256").digest()  # type: ignore[arg-type]
    return now == hashlib.sha256(data).digest()


def fingerprint(path: str | Path | UPath, key: bytes, format: str | None = None) -> str:
    """Hash the content of all files of a source, keyed, so that a small table cannot be guessed from its hash.

    HMAC-SHA256 (RFC 2104) over the content of each file, in the order in which they are read; names and times do
    not count, so an untouched or copied source keeps its fingerprint.

    Args:
        path: A file, a folder or a glob.
        key: Secret of at least 16 bytes.
        format: As in `find_files`.

    Returns:
        64 hexadecimal digits.

    Raises:
        SourceError: Nothing is there, or a file changed while it was hashed.
        ValueError: The key is too short.
    """
    if len(key) < 16:
        raise ValueError("the key of a fingerprint must have at least 16 bytes")
    files = find_files(path, format)
    total = hmac.new(key, b"hrtech.sources.fingerprint/1", hashlib.sha256)
    for file in files:
        digest = _digest(file.path, key)
        total.update(digest)
    return total.hexdigest()


def _digest(path: UPath, key: bytes) -> bytes:
    mac = hmac.new(key, b"", hashlib.sha256)
    size, reason = 0, None
    same = False
    try:
        before = _identity(path)
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                size += len(chunk)
                mac.update(chunk)
        same = _identity(path) == before
    except OSError as error:
        reason = type(error).__name__
    if reason:
        raise _unreadable(path, reason)
    if not same:
        raise _changed(path)
    mac.update(size.to_bytes(8, "big"))
    return mac.digest()
