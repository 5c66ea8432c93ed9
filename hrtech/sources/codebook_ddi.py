"""Codebooks in DDI-Codebook 2.5 XML (DDI Alliance, codebook.xsd, 2012), the standard of data archives.

Read are `var/@name`, `var/labl`, `catgry/catValu`, `catgry/labl` and the hierarchy in `catgryGrp`: its `labl` is the
parent value, its attribute `catgry` holds the IDs of the categories that belong to it. Of several labels (languages)
the first counts. Namespaces are not looked at, so that other versions are read too. Document types and entities are
refused.
"""

import re
from dataclasses import dataclass, field, replace
from xml.parsers import expat

from hrtech.sources.codebook_entries import Documented, Entry
from hrtech.sources.errors import SourceError


class _Refused(Exception):
    """The XML asks for what a codebook need not have."""


@dataclass
class _Group:
    """A category group: the line it stands in, its label, and the IDs of its categories."""

    line: int
    ids: list[str]
    missing: bool
    label: str = ""


@dataclass
class _Variable:
    """A variable while it is read; categories and groups with the IDs that join them."""

    name: str
    label: str = ""
    entries: list[Entry] = field(default_factory=list)
    by_id: dict[str, int | None] = field(default_factory=dict)  # None: a category that means unknown
    groups: list[_Group] = field(default_factory=list)


class _Reader:
    """Collects variables while expat walks a DDI document."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found = Documented([], row_word="line")
        self.root: str | None = None
        self.variable: _Variable | None = None
        self.path: list[str] = []
        self.category: dict[str, str] = {}
        self.value = self.label = ""
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
        self.path.append(name)
        line = self.parser.CurrentLineNumber
        if name == "var":
            self.line = line
            self.variable = _Variable(attributes.get("name", "").strip())
            if not self.variable.name:
                raise self._error("a variable has no name", line)
        elif self.variable is None:
            return
        elif name == "catgry":
            self.category, self.value, self.label, self.line = dict(attributes), "", "", line
        elif name == "catgryGrp":
            ids = re.split(r"[\s,]+", attributes.get("catgry", "").strip(" \t\r\n,"))
            self.variable.groups.append(
                _Group(line, [one for one in ids if one], attributes.get("missing") == "Y")
            )
        elif self.path[-2:] in (
            ["catgry", "catValu"],
            ["catgry", "labl"],
            ["catgryGrp", "labl"],
            ["var", "labl"],
        ):
            self.text = []
            if name == "catValu":
                self.line = line

    def _characters(self, text: str) -> None:
        if self.text is not None:
            self.text.append(text)

    def _end(self, tag: str) -> None:
        name, owner = self.path.pop(), self.path[-1] if self.path else ""
        variable = self.variable
        if variable is None:
            return
        if name in ("catValu", "labl") and self.text is not None:
            text, self.text = "".join(self.text).strip(), None
            if name == "catValu":
                self._category(variable, text)
            elif owner == "catgry":
                self._labelled(variable, text)
            elif owner == "catgryGrp":
                variable.groups[-1].label = variable.groups[-1].label or text
            else:
                variable.label = variable.label or text
        elif name == "var":
            self._close(variable)
            self.variable = None

    def _category(self, variable: _Variable, value: str) -> None:
        if not value:
            raise self._error("a category has no value", self.line)
        known = None
        if self.category.get("missing") != "Y":
            known = len(variable.entries)
            variable.entries.append(Entry(self.line, variable.name, value))
        if "ID" in self.category:
            variable.by_id[self.category["ID"]] = known
        self.value = value

    def _labelled(self, variable: _Variable, label: str) -> None:
        """Put a label to the category that was read last; the schema has the value before the label."""
        if self.value and self.category.get("missing") != "Y" and not variable.entries[-1].label:
            variable.entries[-1] = replace(variable.entries[-1], label=label)

    def _close(self, variable: _Variable) -> None:
        """Give each category the label of its group as its parent."""
        for group in variable.groups:
            members = [self._member(variable, group, one) for one in group.ids] if not group.missing else []
            for at in members:
                if at is None:
                    continue
                if not group.label:
                    raise self._error("a category group has no label, which is the parent value", group.line)
                if variable.entries[at].parent:
                    raise self._error("a category is in two category groups", group.line, variable.name)
                variable.entries[at] = replace(variable.entries[at], parent=group.label)
        self.found.entries.extend(variable.entries)
        if variable.label:
            self.found.labels.setdefault(variable.name, variable.label)

    def _member(self, variable: _Variable, group: _Group, identifier: str) -> int | None:
        if identifier not in variable.by_id:
            raise self._error(
                "a category group names a category that the variable does not have", group.line, variable.name
            )
        return variable.by_id[identifier]

    def _error(self, problem: str, line: int, column: str | None = None) -> SourceError:
        return SourceError(
            problem,
            mend="Correct the codebook",
            file=self.file,
            row=line,
            column=column,
            setting="codebook",
            row_word="line",
        )


def entries_from_xml(data: bytes, file: str) -> Documented:
    """Read a DDI codebook.

    Args:
        data: Content of the file.
        file: The file, for messages.

    Raises:
        SourceError: It is not well-formed, declares a document type, is no codebook, or a variable or category is not
            complete; with the line.
    """
    reader = _Reader(file)
    problem, line = None, 0
    try:
        reader.parser.Parse(data, True)
    except _Refused:
        problem, line = "the file declares a document type, which is not accepted", 1
    except expat.ExpatError as error:
        problem, line = "this is not well-formed XML", error.lineno
    if problem is None and reader.root != "codeBook":
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
    return reader.found
