"""The parts of a report: what may stand on a page.

Here: the parts and their checks. A part holds data, never HTML. The report that they make up is
`hrtech.facts.report`; how they look is `hrtech.pages`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from hrtech.facts.values import Cell, ReportError, as_ids, as_json, as_rows, as_text

FIELD_KINDS: Final = ("choice", "text", "long_text", "number", "hidden")

_MARKER: Final = re.compile(r"\{\{\s*fact:([a-z0-9_/.-]+)(?:\|(value|low|high|unit|sentence))?\s*\}\}")
_FIELD_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
#: Address of a page of the same study, seen from another one.
PAGE: Final = re.compile(r"(?:\.\./)?(?:[a-z0-9_-]+/)?[a-z0-9_-]+\.html(?:#[a-z0-9_-]+)?")
_CSRF_FIELD: Final = "csrf_token"


def markers(text: str) -> list[tuple[str, str, int, int]]:
    """The fact markers of a text: `(fact id, field, start, end)`.

    `{{fact:ID}}` stands for the value; `{{fact:ID|low}}`, `|high`, `|unit` and `|sentence` for the rest of it.
    """
    return [(m[1], m[2] or "value", m.start(), m.end()) for m in _MARKER.finditer(text)]


@dataclass(frozen=True)
class Heading:
    """A heading inside the report.

    Attributes:
        text: The heading.
        level: 2 for a section, 3 for a part of one; the report's title is level 1.
    """

    text: str
    level: int = 2

    def __post_init__(self) -> None:
        as_text("heading", "text", self.text, needed=True)
        if self.level not in (2, 3):
            raise ReportError(f"heading {self.text!r} has level {self.level!r}; a heading has level 2 or 3")


@dataclass(frozen=True)
class Text:
    """Prose: paragraphs, `- ` lists, `**bold**`, `*emphasis*`, `` `settings` ``, `[links](https://…)`.

    Numbers are told by marker, `{{fact:ID}}`. HTML in it is shown as it is written, never run.
    """

    markdown: str

    def __post_init__(self) -> None:
        as_text("text", "markdown", self.markdown, needed=True)


@dataclass(frozen=True)
class FactList:
    """Facts, one after the other; the first list of a report is its headline."""

    fact_ids: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "fact_ids", as_ids("fact list", self.fact_ids))
        if not self.fact_ids:
            raise ReportError("a fact list names no fact")


@dataclass(frozen=True)
class Chart:
    """A Vega-Lite chart with its data inside.

    Attributes:
        title: What it shows, as a heading.
        spec: Vega-Lite, with inline data: no address, no image, no expression that reaches outside.
        description: What a person who cannot see it should know; needed.
        fact_ids: Facts that it shows.
        source_assets: Assets that its data comes from, where no fact says so.
    """

    title: str
    spec: dict[str, Any]
    description: str
    fact_ids: tuple[str, ...] = ()
    source_assets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_illustration("chart", self)
        if not isinstance(self.spec, Mapping):
            raise ReportError(f"chart {self.title!r}: the spec is not a Vega-Lite dictionary")
        object.__setattr__(self, "spec", as_json(f"chart {self.title!r}: spec", self.spec))


@dataclass(frozen=True)
class DataTable:
    """A table; cells are text, numbers, truth values or nothing.

    Attributes:
        title: What it shows.
        columns: Column headings.
        rows: Rows, each as long as `columns`.
        fact_ids: Facts that it shows.
        source_assets: Assets that its data comes from, where no fact says so.
        description: Note under the title.
        links: Page of the same study that the first cell of each row leads to, such as `pairs/ab12.html`; empty for
            none.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    fact_ids: tuple[str, ...] = ()
    source_assets: tuple[str, ...] = ()
    description: str = ""
    links: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_illustration("table", self, described=False)
        columns = tuple(self.columns)
        for column in columns:
            as_text(f"table {self.title!r}", "column heading", column, needed=True)
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "rows", as_rows(f"table {self.title!r}", columns, self.rows))
        object.__setattr__(self, "links", tuple(self.links))
        if self.links and len(self.links) != len(self.rows):
            raise ReportError(
                f"table {self.title!r}: it has {len(self.rows)} rows and {len(self.links)} links"
            )
        if not all(link == "" or PAGE.fullmatch(link) for link in self.links):
            raise ReportError(
                f"table {self.title!r}: a link is no page of the study, such as pairs/ab12.html"
            )


@dataclass(frozen=True)
class Node:
    """A node of a network at its place.

    Attributes:
        node_id: Its id.
        label: Its name.
        x: Place, in any units.
        y: Place.
        kind: What it is; decides the colour.
        highlighted: Drawn stronger.
        rank: Nodes of lower rank are labelled first where there is not room for all.
        group: Nodes of one group are drawn on one ground.
        details: What is told of it when it is chosen, a sentence each.
    """

    node_id: str
    label: str
    x: float
    y: float
    kind: str = ""
    highlighted: bool = False
    rank: int = 0
    group: str = ""
    details: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "details", tuple(self.details))


@dataclass(frozen=True)
class Edge:
    """A link of a network.

    Attributes:
        source: Node.
        target: Node.
        label: What kind of link it is.
        directed: Draws an arrow towards `target`.
        strength: Probability of the link, where it has one.
        details: Its evidence, told when one of its nodes is chosen.
    """

    source: str
    target: str
    label: str = ""
    directed: bool = False
    strength: float | None = None
    details: str = ""


@dataclass(frozen=True)
class Network:
    """A node-link diagram whose layout was computed before.

    Attributes:
        title: What it shows.
        nodes: Nodes with places.
        edges: Links between them.
        description: What a person who cannot see it should know; needed.
        fact_ids: Facts that it shows.
        source_assets: Assets that its data comes from, where no fact says so.
    """

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    description: str
    fact_ids: tuple[str, ...] = ()
    source_assets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_illustration("network", self)
        object.__setattr__(self, "nodes", tuple(build_part(Node, node) for node in self.nodes))
        object.__setattr__(self, "edges", tuple(build_part(Edge, edge) for edge in self.edges))
        known = [node.node_id for node in self.nodes]
        if len(set(known)) != len(known):
            raise ReportError(f"network {self.title!r}: a node id occurs twice")
        for edge in self.edges:
            if not {edge.source, edge.target} <= set(known):
                raise ReportError(f"network {self.title!r}: an edge names a node that is not there")


@dataclass(frozen=True)
class FormField:
    """One field of a form.

    Attributes:
        name: Name under which it is sent, in `[a-z0-9_]`.
        label: What the person reads.
        kind: One of `FIELD_KINDS`.
        options: The choices of a `choice`.
        required: It must be filled in.
        help: Note under the field.
        value: Value at first; what a `hidden` field sends.
    """

    name: str
    label: str
    kind: str = "text"
    options: tuple[str, ...] = ()
    required: bool = False
    help: str = ""
    value: str = ""

    def __post_init__(self) -> None:
        if not _FIELD_NAME.fullmatch(self.name) or self.name == _CSRF_FIELD:
            raise ReportError(f"form field {self.name!r}: a name is in [a-z0-9_] and not {_CSRF_FIELD}")
        if self.kind not in FIELD_KINDS:
            raise ReportError(
                f"form field {self.name!r}: kind {self.kind!r} is none of {', '.join(FIELD_KINDS)}"
            )
        object.__setattr__(self, "options", tuple(self.options))
        if (self.kind == "choice") != bool(self.options):
            raise ReportError(f"form field {self.name!r}: a choice has options, and nothing else has")


@dataclass(frozen=True)
class JudgementForm:
    """A form that appends one human judgement; casework only.

    Attributes:
        title: What is asked.
        action: Address to post to, on our own server: a path without scheme or host.
        fields: Fields.
        submit: Words on the button.
    """

    title: str
    action: str
    fields: tuple[FormField, ...]
    submit: str = "Record this judgement"

    def __post_init__(self) -> None:
        as_text("form", "title", self.title, needed=True)
        if not re.fullmatch(r"(?:/(?!/)|[A-Za-z0-9_.-])[A-Za-z0-9_./-]*", self.action):
            raise ReportError(f"form {self.title!r}: the action is not a path on our own server")
        object.__setattr__(self, "fields", tuple(build_part(FormField, field) for field in self.fields))
        names = [field.name for field in self.fields]
        if not names or len(set(names)) != len(names):
            raise ReportError(f"form {self.title!r}: it needs fields with different names")


Part = Heading | Text | FactList | Chart | DataTable | Network | JudgementForm
KINDS: Final[dict[str, type[Part]]] = {
    "heading": Heading,
    "text": Text,
    "facts": FactList,
    "chart": Chart,
    "table": DataTable,
    "network": Network,
    "form": JudgementForm,
}
KIND_OF: Final = {part: kind for kind, part in KINDS.items()}


def kind_of(part: Part) -> str:
    """The name of a part's kind: heading, text, facts, chart, table, network, form."""
    return KIND_OF[type(part)]


def build_part(kind: type[Any], given: Any) -> Any:
    """Build a part, or a piece of one, from its fields.

    Raises:
        ReportError: A field is unknown, missing or wrong.
    """
    if isinstance(given, kind):
        return given
    if not isinstance(given, Mapping) or not set(given) <= {field.name for field in fields(kind)}:
        raise ReportError(f"a {kind.__name__} has the fields {', '.join(f.name for f in fields(kind))}")
    try:
        return kind(**given)
    except TypeError as error:
        raise ReportError(f"a {kind.__name__} is not complete: {error}") from None


def _check_illustration(kind: str, part: Chart | DataTable | Network, *, described: bool = True) -> None:
    as_text(kind, "title", part.title, needed=True)
    as_text(f"{kind} {part.title!r}", "description", part.description, needed=described)
    object.__setattr__(part, "fact_ids", as_ids(f"{kind} {part.title!r}", part.fact_ids))
    object.__setattr__(part, "source_assets", as_ids(f"{kind} {part.title!r}", part.source_assets))
