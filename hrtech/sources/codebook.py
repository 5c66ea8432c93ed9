"""Value lists from a codebook: where they are documented, rather than measured from the records.

Two kinds: a CSV file with the columns `column`, `value` and, if wanted, `label`; and DDI-Codebook 2.5 XML, the
standard of data archives (`var/@name`, `catgry/catValu`). XML is parsed without document types and entities.
"""

from pathlib import Path
from xml.parsers import expat

import pyarrow as pa
import pyarrow.compute as pc
from upath import UPath

from hrtech.sources.delimited import read_delimited
from hrtech.sources.errors import SourceError, shown
from hrtech.sources.files import unchanged


def read_codebook(path: str | Path | UPath) -> dict[str, tuple[str, ...]]:
    """Read the value lists of a codebook.

    Args:
        path: A `.csv` or `.xml` file; local, or an fsspec URL.

    Returns:
        For each column that has categories, its values in the order of the codebook. DDI categories marked as
        missing (`missing="Y"`) mean unknown and are left out.

    Raises:
        SourceError: The file is missing, is no codebook, or names a value twice; with the row or line.
    """
    file = UPath(path)
    if not file.is_file():
        raise SourceError("there is no such codebook", mend="Correct the path", file=path, setting="codebook")
    with unchanged(file) as data:
        entries = (
            _from_xml(data, shown(path)) if file.suffix.lower() == ".xml" else _from_csv(data, shown(path))
        )
    row_word = "line" if file.suffix.lower() == ".xml" else "row"
    book: dict[str, dict[str, int]] = {}
    for row, column, value in entries:
        values = book.setdefault(column, {})
        if value in values:
            raise SourceError(
                f"the value stands already in {row_word} {values[value]}",
                mend="Name each value of a column once",
                file=path,
                row=row,
                column=column,
                setting="codebook",
                row_word=row_word,
            )
        values[value] = row
    if not book:
        raise SourceError("the codebook lists no value", mend="Check the file", file=path, setting="codebook")
    return {column: tuple(values) for column, values in book.items()}


def _from_csv(data: bytes, file: str) -> list[tuple[int, str, str]]:
    part = read_delimited(data, file=file, encoding=None, delimiter=None, expected=("column", "value"))
    for name in ("column", "value"):
        if part.names.count(name) != 1:
            raise SourceError(
                f"the header must name `{name}` once",
                mend="Begin the file with the line column,value or column,value,label",
                file=file,
                row=1,
                setting="codebook",
            )
    loaded: dict[str, pa.ChunkedArray] = part.load(["column", "value"])
    columns, values = (pc.utf8_trim_whitespace(loaded[name]).to_pylist() for name in ("column", "value"))
    entries = []
    for position, (column, value) in enumerate(zip(columns, values, strict=True)):
        if not column or not value:
            raise SourceError(
                "the column's name or the value is missing",
                mend="Fill the cell or remove the row",
                file=file,
                row=part.locate(position),
                setting="codebook",
            )
        entries.append((part.locate(position), column, value))
    return entries


class _Refused(Exception):
    """The XML asks for what a codebook need not have."""


class _Variables:
    """Collects (line, variable, value) while expat walks a DDI document."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.entries: list[tuple[int, str, str]] = []
        self.root: str | None = None
        self.variable: str | None = None
        self.missing = False
        self.text: list[str] | None = None
        self.line = 0
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters

    @staticmethod
    def _refuse(*_: object) -> None:
        raise _Refused

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rsplit(" ", 1)[-1]
        self.root = self.root or name
        if name == "var":
            self.variable = attributes.get("name", "").strip()
            self.line = self.parser.CurrentLineNumber
            if not self.variable:
                raise self._error("a variable has no name")
        elif name == "catgry":
            self.missing = attributes.get("missing") == "Y"
        elif name == "catValu" and self.variable is not None:
            self.line, self.text = self.parser.CurrentLineNumber, []

    def _characters(self, text: str) -> None:
        if self.text is not None:
            self.text.append(text)

    def _end(self, tag: str) -> None:
        name = tag.rsplit(" ", 1)[-1]
        if name == "var":
            self.variable = None
        elif name == "catValu" and self.text is not None:
            value, self.text = "".join(self.text).strip(), None
            if not value:
                raise self._error("a category has no value")
            if not self.missing and self.variable is not None:
                self.entries.append((self.line, self.variable, value))

    def _error(self, problem: str) -> SourceError:
        return SourceError(
            problem,
            mend="Correct the codebook",
            file=self.file,
            row=self.line,
            setting="codebook",
            row_word="line",
        )


def _from_xml(data: bytes, file: str) -> list[tuple[int, str, str]]:
    variables = _Variables(file)
    problem, line = None, 0
    try:
        variables.parser.Parse(data, True)
    except _Refused:
        problem, line = "the file declares a document type, which is not accepted", 1
    except expat.ExpatError as error:
        problem, line = "this is not well-formed XML", error.lineno
    if problem is None and variables.root != "codeBook":
        problem, line = "the document is no DDI codebook (its root is not codeBook)", 1
    if problem:
        raise SourceError(
            problem,
            mend="Export it as DDI-Codebook 2.5, without a DOCTYPE, or write a CSV file with column,value",
            file=file,
            row=line,
            setting="codebook",
            row_word="line",
        )
    return variables.entries
