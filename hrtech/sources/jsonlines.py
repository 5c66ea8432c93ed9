"""JSON Lines: one object a line (RFC 8259, UTF-8). Numbers are kept as they are written."""

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from hrtech.sources.cells import cells_to_arrow, json_kind
from hrtech.sources.errors import SourceError
from hrtech.sources.raw import Part
from hrtech.sources.text import to_utf8


class NumberText(str):
    """A number as a JSON file writes it: `1.50` stays `1.50`, and is told from the string "1.50"."""

    __slots__ = ()


class _DuplicateKey(ValueError):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise _DuplicateKey
    return made


def _no_constant(name: str) -> None:
    raise ValueError(name)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=NumberText, parse_float=NumberText, parse_constant=_no_constant
)


def read_json_lines(data: bytes, *, file: str, encoding: str | None) -> Part:
    """Open a JSON Lines file; a key that a line does not have is unknown there.

    Raises:
        SourceError: A line is no JSON object, or names a key twice.
    """
    text = to_utf8(data, encoding, file=file).decode("utf-8")
    rows: list[int] = []
    records: list[dict[str, Any]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            rows.append(number)
            records.append(_parse(line, number, file))
    if not records:
        raise SourceError("the file holds no record", mend="Write one JSON object a line", file=file)
    names = tuple(dict.fromkeys(name for record in records for name in record))

    def load(wanted: Sequence[str]) -> dict[str, pa.ChunkedArray]:
        return {
            name: cells_to_arrow(
                [record.get(name) for record in records],
                kind=json_kind,
                file=file,
                column=name,
                row=lambda i: rows[i],
            )
            for name in wanted
        }

    return Part(file=file, names=names, load=load, locate=lambda position: rows[position])


def _parse(line: str, number: int, file: str) -> dict[str, Any]:
    problem = "this line is not valid JSON"
    record: Any = None
    try:
        record = _DECODER.decode(line.strip())
    except _DuplicateKey:
        problem = "this line names a key twice"
    except (ValueError, RecursionError):
        pass
    else:
        if isinstance(record, dict):
            return record
        problem = "this line is no JSON object"
    raise SourceError(
        problem, mend='Write one object a line, such as {"age": 30, "tags": ["a"]}', file=file, row=number
    )
