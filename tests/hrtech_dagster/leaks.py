"""A search for a string in every form in which a store may hold it, on disk and inside of what it packs.

Every file is searched as raw bytes. Parquet files, zip, tar, gzip, zlib and SQLite contents are unpacked and searched
again, blobs within them too. A string is found as UTF-8 and UTF-16 in any case, and in base64 and hex.
"""

import base64
import gzip
import io
import sqlite3
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

DEPTH = 6


def forms(word: str) -> dict[str, bytes]:
    """Return the byte strings that give a word away, by encoding."""
    found: dict[str, bytes] = {}
    for name, spelling in {"as is": word, "lower": word.lower(), "upper": word.upper()}.items():
        raw = spelling.encode()
        found |= {
            f"utf-8 {name}": raw,
            f"utf-16-le {name}": spelling.encode("utf-16-le"),
            f"utf-16-be {name}": spelling.encode("utf-16-be"),
            f"hex {name}": raw.hex().encode(),
            f"HEX {name}": raw.hex().upper().encode(),
        }
        for shift in range(3):
            # whole groups of three bytes only: what stands around the word does not change them
            whole = raw[(3 - shift) % 3 :]
            whole = whole[: len(whole) // 3 * 3]
            found[f"base64+{shift} {name}"] = base64.b64encode(whole)
            found[f"base64url+{shift} {name}"] = base64.urlsafe_b64encode(whole)
    return found


class Searcher:
    """Finds a word in files, folders and bytes."""

    def __init__(self, words: Iterable[str]):
        self._needles = {needle for word in words for needle in forms(word).values()}
        self._words = [word.lower().encode() for word in words]

    def folder(self, folder: Path) -> list[str]:
        """List the places below a folder that hold a word, as `path` or `path!inner`."""
        found: list[str] = []
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            found += [name] if self._hit(name.encode()) else []
            if path.is_file() and not path.is_symlink():
                found += self.file(path, name)
        return found

    def file(self, path: Path, name: str = "") -> list[str]:
        """List the places in a file that hold a word."""
        name = name or path.name
        data = path.read_bytes()
        found = self.data(data, name)
        if data.startswith(b"SQLite format 3\0"):
            # what was committed but still lies in the write-ahead log as well
            found += self._sqlite(path, name, 0)
        return found

    def data(self, data: bytes, name: str, depth: int = 0) -> list[str]:
        """List the places in bytes that hold a word."""
        found = [name] if self._hit(data) else []
        if depth < DEPTH:
            for inner, content in self._unpacked(data):
                found += self.data(content, f"{name}!{inner}", depth + 1)
        return found

    def _hit(self, data: bytes) -> bool:
        low = data.lower()
        return any(word in low for word in self._words) or any(needle in data for needle in self._needles)

    def _unpacked(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        if data[:4] == b"PAR1":
            yield from _parquet(data)
        elif data[:4] == b"PK\x03\x04":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for name in archive.namelist():
                    yield "a name", name.encode()
                    yield name, archive.read(name)
        elif data[:2] == b"\x1f\x8b":
            yield "gzip", gzip.decompress(data)
        elif data[:1] == b"\x78" and len(data) > 2 and int.from_bytes(data[:2], "big") % 31 == 0:
            try:
                yield "zlib", zlib.decompress(data)
            except zlib.error:
                return
        elif data[:2] == b"eJ":  # how Dagster keeps cursors: zlib in base64
            try:
                yield "base64 zlib", zlib.decompress(base64.b64decode(data, validate=True))
            except (ValueError, zlib.error):
                return
        elif data[257:262] == b"ustar":
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                for member in archive.getmembers():
                    stream = archive.extractfile(member)
                    yield "a name", member.name.encode()
                    yield member.name, stream.read() if stream is not None else b""

    def _sqlite(self, path: Path, name: str, depth: int) -> list[str]:
        found = []
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            connection.text_factory = bytes
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (raw,) in tables:
                table = raw.decode()
                for row in connection.execute(f'SELECT * FROM "{table}"'):
                    for cell in row:
                        if isinstance(cell, bytes):
                            found += self.data(cell, f"{name}!{table}", depth + 1)
        finally:
            connection.close()
        return found


def _parquet(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Every cell of a Parquet file as text, and binary cells as they are; the metadata too."""
    table = pq.read_table(pa.BufferReader(data))
    yield "schema", str(table.schema).encode() + str(table.schema.metadata).encode()
    for name, column in zip(table.column_names, table.columns, strict=True):
        values = column.to_pylist()
        yield name, "\n".join(str(value) for value in values if not isinstance(value, bytes)).encode()
        for index, value in enumerate(values):
            if isinstance(value, bytes):
                yield f"{name}[{index}]", value
