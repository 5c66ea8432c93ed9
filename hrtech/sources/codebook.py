"""What a codebook documents: the values of columns, what they mean and which coarser value each belongs to.

Two kinds: a CSV file with the columns `column`, `value` and, if wanted, `label` and `parent`; and DDI-Codebook 2.5
XML, the standard of data archives (`hrtech.sources.codebook_ddi`). Documented values are public knowledge, rather
than measured from the records.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from upath import UPath

from hrtech.sources.codebook_ddi import entries_from_xml
from hrtech.sources.codebook_entries import Documented, Entry
from hrtech.sources.delimited import read_delimited
from hrtech.sources.errors import SourceError, shown
from hrtech.sources.files import unchanged

#: A cell that says "no" refines nothing, so it needs no parent.
_NO = "0"


@dataclass(frozen=True)
class CodebookLabels:
    """What columns and values mean, in words.

    Attributes:
        columns: Column → its label; DDI only.
        values: Column → value → its label.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


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
    book, _ = _read(path)
    return {column: tuple(values) for column, values in book.items()}


def read_hierarchies(path: str | Path | UPath) -> dict[str, dict[str, str]]:
    """Read which coarser value each value of a codebook belongs to, such as a region for each country.

    In CSV the column `parent` names it. In DDI a category group does (`catgryGrp`): its label is the parent value, its
    attribute `catgry` names the categories that belong to it.

    Args:
        path: A `.csv` or `.xml` file; local, or an fsspec URL.

    Returns:
        Column → value → parent value, for the columns that have a hierarchy.

    Raises:
        SourceError: As `read_codebook`; or some values of a column have a parent and others have none (a value "0",
            which says no, may), or a category is in two groups, or a group names a category that is not there; with
            the row or line.
    """
    book, found = _read(path)
    hierarchies: dict[str, dict[str, str]] = {}
    for column, entries in book.items():
        parents = {value: entry.parent for value, entry in entries.items() if entry.parent}
        for value, entry in entries.items():
            if parents and value not in parents and value != _NO:
                raise SourceError(
                    "the value has no parent, while others of the column have one",
                    mend="Name a parent for every value of the column, or for none",
                    file=path,
                    row=found.locate(entry.at),
                    column=column,
                    setting="codebook",
                    row_word=found.row_word,
                )
        if parents:
            hierarchies[column] = parents
    return hierarchies


def read_labels(path: str | Path | UPath) -> CodebookLabels:
    """Read what the columns and values of a codebook mean.

    Args:
        path: A `.csv` or `.xml` file; local, or an fsspec URL.

    Raises:
        SourceError: As `read_codebook`.
    """
    book, found = _read(path)
    values = {
        column: {value: entry.label for value, entry in entries.items() if entry.label}
        for column, entries in book.items()
    }
    return CodebookLabels(found.labels, {column: labels for column, labels in values.items() if labels})


def _read(path: str | Path | UPath) -> tuple[dict[str, dict[str, Entry]], Documented]:
    """Entries by column and value, in order, and the codebook that they are from."""
    file = UPath(path)
    if not file.is_file():
        raise SourceError("there is no such codebook", mend="Correct the path", file=file, setting="codebook")
    with unchanged(file) as data:
        is_xml = file.suffix.lower() == ".xml"
        found = entries_from_xml(data, shown(path)) if is_xml else _from_csv(data, shown(path))
    book: dict[str, dict[str, Entry]] = {}
    for entry in found.entries:
        values = book.setdefault(entry.column, {})
        if entry.value in values:
            raise SourceError(
                f"the value stands already in {found.row_word} {found.locate(values[entry.value].at)}",
                mend="Name each value of a column once",
                file=path,
                row=found.locate(entry.at),
                column=entry.column,
                setting="codebook",
                row_word=found.row_word,
            )
        values[entry.value] = entry
    if not book:
        raise SourceError("the codebook lists no value", mend="Check the file", file=path, setting="codebook")
    return book, found


def _from_csv(data: bytes, file: str) -> Documented:
    part = read_delimited(data, file=file, encoding=None, delimiter=None, expected=("column", "value"))
    for name, needed in (("column", True), ("value", True), ("label", False), ("parent", False)):
        if part.names.count(name) > 1 or (needed and name not in part.names):
            raise SourceError(
                f"the header must name `{name}` once",
                mend="Begin the file with the line column,value or column,value,label or column,value,label,parent",
                file=file,
                row=1,
                setting="codebook",
            )
    wanted = [name for name in ("column", "value", "label", "parent") if name in part.names]
    loaded: dict[str, pa.ChunkedArray] = part.load(wanted)
    cells = {name: pc.utf8_trim_whitespace(loaded[name]).to_pylist() for name in wanted}
    blank = [""] * len(cells["column"])
    entries = []
    for position, (column, value, label, parent) in enumerate(
        zip(
            cells["column"],
            cells["value"],
            cells.get("label", blank),
            cells.get("parent", blank),
            strict=True,
        )
    ):
        if not column or not value:
            raise SourceError(
                "the column's name or the value is missing",
                mend="Fill the cell or remove the row",
                file=file,
                row=part.locate(position),
                setting="codebook",
            )
        entries.append(Entry(position, column, value, label, parent))
    return Documented(entries, locate=part.locate)
