r"""How a value is written into a CSV cell so that it comes back, and so that no spreadsheet runs it.

Values come from codebooks, or from the records themselves where a release found them privately, so one may begin with
a sign that spreadsheets take for a formula (OWASP, CSV injection). Such a text gets an apostrophe before it, as
OWASP advises and as everywhere on the project's pages. A text that had apostrophes before such a sign gets one more,
so that taking one away always gives the value back. Parquet files hold values as they are.

    >>> guarded("=1+1"), unguarded(guarded("=1+1"))
    ("'=1+1", '=1+1')

A cell with several values joins them with `;`; a backslash protects `;` and `\` within a value, and each value is
guarded by itself, because many spreadsheets split cells at `;`.

    >>> joined(["labour", "debt; other"]), split(joined(["labour", "debt; other"]))
    ('labour;debt\\; other', ['labour', 'debt; other'])
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

SEPARATOR: Final = ";"
#: What spreadsheets take for the beginning of a formula, full-width signs included, after any apostrophes.
_FORMULA: Final = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")
_PROTECTED: Final = re.compile(r"[\\;]")
_PIECES: Final = re.compile(r"((?:\\.|[^\\;])*)(;|$)", re.DOTALL)


def guarded(text: str) -> str:
    """A text that no spreadsheet takes for a formula; `unguarded` gives it back."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """The text that `guarded` was given."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def needs_care(value: str) -> bool:
    """Whether a value of a list is written otherwise than it is."""
    return bool(_PROTECTED.search(value) or _FORMULA.match(value))


def joined(values: Iterable[str]) -> str:
    """Several values as one cell."""
    return SEPARATOR.join(guarded(_PROTECTED.sub(r"\\\g<0>", value)) for value in values)


def split(cell: str) -> list[str]:
    """The values of a cell that `joined` wrote; none for an empty cell."""
    if not cell:
        return []
    parts = []
    for match in _PIECES.finditer(cell):
        parts.append(unguarded(match[1]))
        if not match[2]:
            break
    return [re.sub(r"\\(.)", r"\1", part, flags=re.DOTALL) for part in parts]


def csv_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """A table as CSV: RFC 4180 (comma, CRLF, quotes where needed), UTF-8 without a mark, None as an empty cell.

    Text cells are guarded here; cells that `joined` wrote stay as they are, because they are guarded already.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([guarded(name) for name in header])
    writer.writerows([[_written(cell) for cell in row] for row in rows])
    return text.getvalue().encode()


class Joined(str):
    """A cell that `joined` wrote."""

    __slots__ = ()


def _written(cell: Any) -> Any:
    if isinstance(cell, Joined) or not isinstance(cell, str):
        return cell
    return guarded(cell)
