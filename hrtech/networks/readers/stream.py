"""Objects of a JSON file, one at a time: an array, one object a line, or a package that holds an array.

Belongs here: how a file of statements is opened (plain, gzip, zip) and taken apart without loading it. Does not
belong here: what an object means. Memory is that of one object, or of one line.
"""

import gzip
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, cast

from upath import UPath

from hrtech.sources.errors import SourceError, shown

_SUFFIXES: Final = (".json", ".jsonl", ".ndjson", ".ftm")
_LINES: Final = (".jsonl", ".ndjson")
_PACKED: Final = (".gz", ".zip")
_LONGEST_FIRST_LINE: Final = 1 << 20
_BLANK: Final = b" \t\r\n"


@dataclass(frozen=True)
class Found:
    """One object of a file, or one line that is none.

    Attributes:
        file: The file, as messages name it; a member of an archive as `archive.zip/member`.
        row: Line number of a file with one object a line, else the number of the object; from 1.
        value: The object; None where there is none.
        problem: Why there is none.
    """

    file: str
    row: int
    value: dict[str, Any] | None
    problem: str = ""


def read_objects(path: str | Path | UPath, packages: Sequence[str] = ()) -> Iterator[Found]:
    """Yield the objects of a file, a folder or a glob, in the order of the file names.

    Args:
        path: `.json`, `.jsonl`, `.ndjson` or `.ftm`, or one of these in `.gz` or `.zip`; local or an fsspec URL.
        packages: Names of the arrays that a package holds its objects in, such as `releases`.

    Raises:
        SourceError: Nothing is there; a file is no JSON, breaks off, or is not UTF-8.
    """
    for file in _files(path):
        for name, stream, suffix in _opened(file):
            yield from _objects(name, stream, suffix, packages)


def _files(path: str | Path | UPath) -> list[UPath]:
    root = UPath(path)
    if root.is_file():
        return [root]
    if root.is_dir():
        found = [child for child in root.iterdir() if child.is_file() and _known(child.name)]
    elif set("*?[") & set(root.name):
        found = [child for child in root.parent.glob(root.name) if child.is_file()]
    else:
        found = []
    if not found:
        raise SourceError(
            "there is no file of statements here",
            mend=f"Name a file or a folder with files in {', '.join(_SUFFIXES)}, also packed as .gz or .zip",
            file=path,
            setting="path",
        )
    return sorted(found, key=lambda child: child.name)


def _known(name: str) -> bool:
    bare = name.lower()
    for suffix in _PACKED:
        bare = bare.removesuffix(suffix)
    return not name.startswith((".", "_")) and (bare.endswith(_SUFFIXES) or name.lower().endswith(".zip"))


def _opened(file: UPath) -> Iterator[tuple[str, IO[bytes], str]]:
    """Open a file, or each member of an archive: name for messages, bytes, suffix."""
    name = shown(file)
    with ExitStack() as stack:
        raw = cast(IO[bytes], stack.enter_context(file.open("rb")))
        if file.suffix.lower() == ".zip":
            with _told(name):
                archive = stack.enter_context(zipfile.ZipFile(raw))
            members = [one for one in sorted(archive.namelist()) if one.lower().endswith(_SUFFIXES)]
            if not members:
                raise SourceError(
                    "the archive holds no JSON file",
                    mend=f"Put files in {', '.join(_SUFFIXES)} in it",
                    file=name,
                )
            for member in members:
                with archive.open(member) as stream:
                    yield f"{name}/{member}", _buffered(stream), UPath(member).suffix.lower()
        elif file.suffix.lower() == ".gz":
            unpacked = gzip.GzipFile(fileobj=raw)
            yield name, _buffered(unpacked), UPath(file.stem).suffix.lower()
        else:
            yield name, _buffered(raw), file.suffix.lower()


def _buffered(stream: Any) -> IO[bytes]:
    return cast(IO[bytes], io.BufferedReader(stream, 1 << 20))


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn what the unpackers say into an error of ours."""
    reason = None
    try:
        yield
    except (zipfile.BadZipFile, gzip.BadGzipFile, EOFError, OSError) as error:
        reason = type(error).__name__
    if reason:
        raise SourceError(
            f"the file cannot be unpacked or read ({reason})",
            mend="Fetch it again; it may be cut off",
            file=name,
        )


def _objects(name: str, stream: IO[bytes], suffix: str, packages: Sequence[str]) -> Iterator[Found]:
    with _told(name):
        head = cast(io.BufferedReader, stream).peek(4)
        if head.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise SourceError(
                "the file is UTF-16", mend="Write it as UTF-8, as JSON must be (RFC 8259)", file=name
            )
        if head.startswith(b"\xef\xbb\xbf"):
            stream.read(3)
        start, first = _first_line(stream)
    if not start.strip(_BLANK):
        raise SourceError("the file is empty", mend="Put the statements there", file=name)
    joined = _Joined(start, stream)
    if suffix in _LINES or (first is not None and _is_object(first)):
        yield from _lines(name, joined)
    elif start.lstrip(_BLANK)[:1] == b"[":
        yield from _items(name, joined, "item")
    else:
        yield from _package(name, joined, packages)


def _first_line(stream: IO[bytes]) -> tuple[bytes, bytes | None]:
    """Return what was read, and the first line if it is one among several."""
    read = b""
    while not read.strip(_BLANK):
        line = stream.readline(_LONGEST_FIRST_LINE)
        if not line:
            return read, None
        read += line
    following = b""
    if read.endswith(b"\n"):
        following = stream.readline(_LONGEST_FIRST_LINE)
    line = read.strip(_BLANK)
    several = following.lstrip(_BLANK)[:1] == b"{"
    return read + following, line if several else None


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


class _Joined(io.RawIOBase):
    """What was read already, and then the rest."""

    def __init__(self, start: bytes, rest: IO[bytes]) -> None:
        super().__init__()
        self._start, self._rest = start, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._start:
            part, self._start = self._start[: len(buffer)], self._start[len(buffer) :]
        else:
            part = self._rest.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)


def _lines(name: str, stream: io.RawIOBase) -> Iterator[Found]:
    good = 0
    number = 0
    lines = iter(io.BufferedReader(stream, 1 << 20))
    while True:
        with _told(name):
            line = next(lines, None)
        if line is None:
            break
        number += 1
        if not line.strip(_BLANK):
            continue
        value, problem = _parsed(line)
        good += value is not None
        yield Found(name, number, value, problem)
    if not good:
        raise SourceError("no line is a JSON object", mend="Write one object a line", file=name)


def _parsed(line: bytes) -> tuple[dict[str, Any] | None, str]:
    try:
        value = json.loads(line)
    except UnicodeDecodeError:
        return None, "the line is not UTF-8"
    except (ValueError, RecursionError):
        return None, "the line is not valid JSON"
    return (value, "") if isinstance(value, dict) else (None, "the line is no JSON object")


def _items(name: str, stream: Any, prefix: str) -> Iterator[Found]:
    import ijson

    number, broken = 0, False
    found = ijson.items(stream, prefix, use_float=True)
    while True:
        with _told(name):
            try:
                value = next(found, None)
            except (ijson.JSONError, UnicodeDecodeError):
                broken = True
        if broken:
            raise SourceError(
                f"the JSON breaks off or is malformed after object {number}",
                mend="Fetch the file again, or write one object a line, where a bad line is set aside",
                file=name,
            )
        if value is None:
            return
        number += 1
        if isinstance(value, dict):
            yield Found(name, number, value)
        else:
            yield Found(name, number, None, "this is no JSON object")


def _package(name: str, stream: Any, packages: Sequence[str]) -> Iterator[Found]:
    """Take a package apart, or yield the one object that the file is."""
    if not packages:
        yield from _items(name, stream, "")
        return
    key, replay = _array_named(name, stream, packages)
    yield from _items(name, replay, f"{key}.item" if key else "")


def _array_named(name: str, stream: Any, packages: Sequence[str]) -> tuple[str, Any]:
    """Find the array that a package holds; what was read for it is read again."""
    import ijson

    taken: list[bytes] = []

    class Recorded(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            count = int(stream.readinto(buffer))
            taken.append(bytes(buffer[:count]))
            return count

    key, broken = "", False
    try:
        for prefix, event, _ in ijson.parse(io.BufferedReader(Recorded(), 1 << 16), use_float=True):
            if event == "start_array" and prefix in packages:
                key = prefix
                break
    except (ijson.JSONError, UnicodeDecodeError):
        broken = True
    if broken:
        raise SourceError(
            "the JSON breaks off or is malformed before any statement", mend="Fetch the file again", file=name
        )
    return key, io.BufferedReader(_Joined(b"".join(taken), stream), 1 << 20)
