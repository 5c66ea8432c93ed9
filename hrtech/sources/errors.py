"""The one kind of error that reading raises.

A message names the file, the row, the column, the setting and the mend. It never holds what a cell of the source
says, because messages travel to logs and screens that the records may not reach. Library errors (pyarrow, json,
openpyxl) quote cells, so they are never chained: raise a `SourceError` *outside* the `except` block.
"""

import re
from typing import Final

_CREDENTIALS: Final = re.compile(r"(?<=://)[^/@]*@")


class SourceError(ValueError):
    """A source cannot be read as declared.

    Attributes:
        problem: What is wrong, without a cell value.
        mend: What to do about it.
        file: The file (or upstream table) in question.
        row: 1-based row as an editor shows it (the header is row 1); a record number where there is no header.
        column: Name of the column.
        setting: The setting that governs this, such as `columns.age.blank`.
    """

    def __init__(
        self,
        problem: str,
        *,
        mend: str,
        file: object = None,
        row: int | None = None,
        column: str | None = None,
        setting: str | None = None,
        row_word: str = "row",
    ) -> None:
        self.problem, self.mend, self.setting = problem, mend, setting
        self.file = None if file is None else shown(file)
        self.row, self.column, self.row_word = row, column, row_word
        place = [
            part
            for part in (
                self.file,
                None if row is None else f"{row_word} {row}",
                None if column is None else f"column '{column}'",
            )
            if part
        ]
        where = f"{', '.join(place)}: " if place else ""
        governed = f" [setting: {setting}]" if setting else ""
        super().__init__(f"{where}{problem}. {mend}{governed}")

    def __reduce__(self) -> tuple:
        return _rebuild, (
            self.problem,
            self.mend,
            self.file,
            self.row,
            self.column,
            self.setting,
            self.row_word,
        )


def _rebuild(
    problem: str,
    mend: str,
    file: str | None,
    row: int | None,
    column: str | None,
    setting: str | None,
    row_word: str,
) -> SourceError:
    return SourceError(
        problem, mend=mend, file=file, row=row, column=column, setting=setting, row_word=row_word
    )


def shown(path: object) -> str:
    """Render a path for people, without the user and password that a URL may hold."""
    return _CREDENTIALS.sub("", str(path))


def plural(count: int, noun: str) -> str:
    """Render a count with its noun, such as `1 cell` or `12 cells`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
