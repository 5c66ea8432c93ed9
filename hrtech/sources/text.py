"""Bytes to text: encodings, and the header line of a delimited file.

UTF-8 is tried first. Another encoding is only assumed when nothing else fits, because a wrong guess silently
changes names: where several would fit, the author of the study is asked to declare one.
"""

import codecs
import csv
import io
from collections.abc import Collection
from typing import Final

from hrtech.sources.errors import SourceError

DELIMITERS: Final = (",", ";", "\t", "|")
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE: Final = 1 << 16
_LONGEST_HEADER: Final = 1 << 20


def to_utf8(data: bytes, encoding: str | None, *, file: str) -> bytes:
    """Turn the bytes of a text file into UTF-8 without a byte order mark.

    Args:
        data: Content of the file.
        encoding: The declared encoding; found where none is declared.
        file: The file, for messages.

    Raises:
        SourceError: The encoding is unknown, does not fit (with the first row that it does not fit), or several
            would fit and none is declared.
    """
    encoding = encoding or find_encoding(data, file=file)
    _known_codec(encoding, file)
    failed = None
    if codecs.lookup(encoding).name in ("utf-8", "utf-8-sig"):
        data = data.removeprefix(codecs.BOM_UTF8)
        failed = _first_failure(data, "utf-8")
        text = data
    else:
        failed = _first_failure(data, encoding)
        text = b"" if failed is not None else data.decode(encoding).removeprefix("\ufeff").encode("utf-8")
    if failed is not None:
        raise SourceError(
            f"these bytes are not {encoding}",
            mend="Declare the encoding that the file was saved in, or save it as UTF-8",
            file=file,
            row=failed,
            setting="encoding",
        )
    if b"\0" in text[:_SAMPLE]:
        raise SourceError(
            "there are zero bytes in it, which no text has",
            mend="Declare the encoding (utf-16 is usual then), or correct the format",
            file=file,
            setting="encoding",
        )
    return text


def _known_codec(encoding: str, file: str) -> None:
    try:
        " ".encode(encoding)  # also refuses codecs that are not of text, such as base64
    except LookupError:
        known = False
    else:
        known = True
    if not known:
        raise SourceError(
            f"encoding '{encoding}' is unknown",
            mend="Use the name of a Python codec, such as utf-8, cp1252 or utf-16",
            file=file,
            setting="encoding",
        )


def _first_failure(data: bytes, encoding: str) -> int | None:
    """Row of the first bytes that are not in this encoding."""
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        sound = data[: error.start]
        return len(
            sound.decode(encoding, errors="ignore").replace("\r\n", "\n").replace("\r", "\n").split("\n")
        )
    except UnicodeError:  # a multi-byte codec without a position, such as UTF-16 without its mark
        return 1
    return None


def find_encoding(data: bytes, *, file: str) -> str:
    """Name the encoding of a text file.

    Raises:
        SourceError: It is not UTF-8, and more than one other encoding would read it differently, or none at all.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding
    row = _first_failure(data, "utf-8")
    if row is None:
        return "utf-8"
    candidates = _candidates(data)
    if len(candidates) == 1:
        return candidates[0]
    guess = f" It may be {' or '.join(candidates[:3])}." if candidates else ""
    raise SourceError(
        "these bytes are not UTF-8",
        mend=f"Declare the encoding that the file was saved in, or save it as UTF-8.{guess}",
        file=file,
        row=row,
        setting="encoding",
    )


def _candidates(data: bytes) -> list[str]:
    """Encodings that read a file's lines beyond ASCII differently from one another, most plausible first.

    Those that read the sample alike may still differ further on; the whole file is decoded strictly later.
    """
    from charset_normalizer import from_bytes

    telling: list[bytes] = []
    size = 0
    for line in data.splitlines():
        if not line.isascii():
            telling.append(line)
            size += len(line)
            if size > _SAMPLE:
                break
    return [
        match.encoding
        for match in from_bytes(b"\n".join(telling))
        if _first_failure(data, match.encoding) is None
    ]


def first_record(text: bytes, delimiter: str) -> tuple[list[str], int] | None:
    """Read the header of a delimited file.

    Returns:
        The fields, trimmed, and the offset of the bytes after them; None where its quotes are wrong.
    """
    window = 1 << 14
    while True:
        head = text[:window].decode("utf-8", errors="ignore")
        lines = io.StringIO(head, newline="")
        fields: list[str] = []
        try:
            fields = next(
                (found for found in csv.reader(lines, delimiter=delimiter, strict=True) if found), []
            )
        except csv.Error:  # perhaps only because the window ends within quotes
            sound = False
        else:
            sound = lines.tell() < len(head) or window >= len(text)
        if sound:
            return [field.strip() for field in fields], len(head[: lines.tell()].encode("utf-8"))
        if window >= min(len(text), _LONGEST_HEADER):
            return None
        window *= 8


def find_delimiter(text: bytes, expected: Collection[str]) -> str:
    """Choose the delimiter under which the header shows most expected names, and then most fields.

    Where none splits the header but one is stopped by a quotation mark, it is that one, so that the mark is named.
    """
    headers = {delimiter: first_record(text, delimiter) for delimiter in DELIMITERS}
    merits = {
        delimiter: (len(set(header[0]) & set(expected)), len(header[0]))
        for delimiter, header in headers.items()
        if header is not None
    }
    stopped = [delimiter for delimiter in DELIMITERS if delimiter not in merits]
    if stopped and max(merits.values(), default=(0, 0)) <= (0, 1):
        return stopped[0]
    return max(merits, key=merits.__getitem__)
