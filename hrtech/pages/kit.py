"""The page parts, ready for the templates: the same for public pages and for casework.

Every part of a report becomes a *view*, a plain dictionary that a template shows; downloads and chart data that come
along are collected beside it. Templates escape everything that is not marked safe, and nothing is marked safe here but
our own links and drawings.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hrtech.facts import (
    Chart,
    DataTable,
    Fact,
    FactList,
    Heading,
    JudgementForm,
    Network,
    Report,
    Text,
    format_number,
    sentence,
)
from hrtech.facts.fact import sentence_pieces
from hrtech.facts.numbers import SYMBOLS, scaled
from hrtech.facts.parts import kind_of
from hrtech.facts.spoken import shown_number
from hrtech.facts.values import Cell
from hrtech.pages.draw import chart_table, check_spec, draw_svg, live_spec
from hrtech.pages.errors import PageError
from hrtech.pages.network import draw_network, kind_colours, network_tables
from hrtech.pages.prose import inline, prose
from hrtech.pages.provenance import Lineage

View = dict[str, Any]

#: Rows of a table that a page shows; the download has all.
MOST_ROWS: Final = 200


@dataclass
class Body:
    """The parts of one report, rendered.

    Attributes:
        parts: Views for the templates.
        files: Downloads by path: media type and content.
        charts: Specifications for the browser, by id.
    """

    parts: list[View] = field(default_factory=list)
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    charts: dict[str, View] = field(default_factory=dict)


class Kit:
    """Renders parts with links to where their numbers come from.

    Args:
        facts: Facts by id.
        lineage: Assets behind them.
        fact_href: Address of a fact's entry, seen from the page.
        asset_href: Address of an asset's entry, seen from the page.
        root: Way from the page to the root of the site, empty or ending in `/`.
    """

    def __init__(
        self,
        facts: Mapping[str, Fact],
        lineage: Lineage,
        *,
        fact_href: Callable[[str], str],
        asset_href: Callable[[str], str],
        root: str = "",
    ) -> None:
        self.facts = facts
        self.lineage = lineage
        self.root = root
        self.asset_href = asset_href
        self._fact_href = fact_href

    def link(self, fact_id: str, name: str = "value") -> Markup:
        """A number as a link to where it comes from; `sentence` gives the whole statement.

        Raises:
            PageError: The fact is not there, or it has no such number.
        """
        fact = self.fact(fact_id)
        if name == "sentence":
            return self.statement(fact)
        if name != "value" and name != "unit" and getattr(fact, name) is None:
            raise PageError(f"a text names the {name} of fact {fact_id}, which has none")
        return Markup('<a class="fact" href="{}" title="{}">{}</a>').format(
            self._fact_href(fact_id), "Where this number comes from", fact.shown(name)
        )

    def statement(self, fact: Fact) -> Markup:
        """The sentence of a fact with its numbers as links."""
        return Markup("").join(
            Markup("{}").format(text) if name is None else self.link(fact.fact_id, name)
            for text, name in sentence_pieces(fact)
        )

    def fact(self, fact_id: str) -> Fact:
        """A fact by id.

        Raises:
            PageError: It is not there.
        """
        if fact_id not in self.facts:
            raise PageError(f"there is no fact {fact_id}; a report may only speak of facts that were told")
        return self.facts[fact_id]

    def fact_view(self, fact_id: str) -> View:
        """What a template shows of a fact."""
        fact = self.fact(fact_id)
        interval = ""
        if fact.low is not None and fact.high is not None:
            interval = f"{fact.shown('low')} to {fact.shown('high')}"
        elif fact.low is not None or fact.high is not None:
            interval = (
                f"at least {fact.shown('low')}" if fact.low is not None else f"at most {fact.shown('high')}"
            )
        return {
            "id": fact_id,
            "href": self._fact_href(fact_id),
            "shown": fact.shown(),
            "unit": "" if fact.unit in SYMBOLS else fact.unit,
            "statement": self.statement(fact),
            "plain": sentence(fact),
            "interval": interval,
            "says_interval": any(name in ("low", "high") for _, name in sentence_pieces(fact)),
            "uncertainty": fact.uncertainty,
            # said only where the displayed number was rounded
            "exact": ""
            if shown_number(fact.shown())[0] == scaled(fact.value, fact.unit)
            else repr(fact.value),
            "asset": fact.source_asset,
            "row_key": fact.row_key,
            "study": fact.study,
        }

    def prose(self, text: str) -> Markup:
        """Paragraphs with linked numbers."""
        return prose(text, self.link)

    def inline(self, text: str) -> Markup:
        """One line with linked numbers."""
        return inline(text, self.link)

    def body(self, report: Report, *, live: bool) -> Body:
        """Render the parts of a report.

        Args:
            report: The report.
            live: Also give the browser the specifications of charts.

        Raises:
            PageError: A part names a fact that is not there, or a chart reaches outside.
        """
        body, level = Body(), 1
        for place, part in enumerate(report.parts, start=1):
            view: View = {"kind": kind_of(part), "id": f"{report.study}-{place}"}
            if isinstance(part, Heading):
                # a section comes before its parts, whatever the report says
                level = min(part.level, level + 1)
                view |= {"text": part.text, "level": level}
            elif isinstance(part, Text):
                view["html"] = self.prose(part.markdown)
            elif isinstance(part, FactList):
                view["facts"] = [self.fact_view(fact_id) for fact_id in part.fact_ids]
            elif isinstance(part, JudgementForm):
                view |= {"form": part}
            else:
                view |= self._illustration(part, report.study, place, body, live=live)
            body.parts.append(view)
        return body

    def _illustration(
        self, part: Chart | DataTable | Network, study: str, place: int, body: Body, *, live: bool
    ) -> View:
        name = f"{study}-{place}"
        view: View = {
            "title": part.title,
            "description": part.description,
            "facts": [self.fact_view(fact_id) for fact_id in part.fact_ids],
            "sources": self._sources(part),
        }
        if isinstance(part, DataTable):
            tables = [("", list(part.columns), [list(row) for row in part.rows])]
        elif isinstance(part, Network):
            tables = network_tables(part)
            view["svg"] = Markup(draw_network(part, prefix=name))  # noqa: S704 - drawn by us, escaped
            view["legend"] = [(kind, colour) for kind, colour in kind_colours(part.nodes).items() if kind]
        else:
            check_spec(part.title, part.spec)
            tables = [("", *chart_table(part.spec))]
            view["svg"] = Markup(draw_svg(part.spec, prefix=name, label=part.description))  # noqa: S704 - cleaned
            if live:
                body.charts[name] = live_spec(part.spec, part.description)
        view["live"] = name in body.charts
        view["tables"] = [
            self._table(title, columns, rows, f"{name}_{slug(title or part.title)}", body)
            for title, columns, rows in tables
        ]
        if isinstance(part, DataTable) and part.links:
            for row, link in zip(view["tables"][0]["rows"], part.links, strict=False):
                row[0]["href"] = link
        return view

    def _sources(self, part: Chart | DataTable | Network) -> list[View]:
        assets = [self.fact(fact_id).source_asset for fact_id in part.fact_ids] + list(part.source_assets)
        return [{"asset": asset, "href": self.asset_href(asset)} for asset in dict.fromkeys(assets)]

    def _table(
        self, title: str, columns: list[str], rows: Sequence[Sequence[Cell]], name: str, body: Body
    ) -> View:
        path = f"data/{name}.csv"
        body.files[path] = ("text/csv", csv_bytes(columns, rows))
        return {
            "title": title,
            "columns": [
                {"text": column, "number": all(_is_number(row[at]) for row in rows) and bool(rows)}
                for at, column in enumerate(columns)
            ],
            "rows": [
                [_shown(cell, column) for cell, column in zip(row, columns, strict=True)]
                for row in rows[:MOST_ROWS]
            ],
            "count": f"{len(rows):,}",
            "cut": len(rows) > MOST_ROWS,
            "csv": self.root + path,
        }


@lru_cache(maxsize=1)
def templates() -> Environment:
    """The templates; everything is escaped, and a name that is missing is an error."""
    return Environment(
        loader=PackageLoader("hrtech.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def csv_bytes(columns: Iterable[str], rows: Iterable[Iterable[Cell]]) -> bytes:
    """A table as CSV (RFC 4180, UTF-8, line feeds).

    A text cell that a spreadsheet would run as a formula gets an apostrophe before it (OWASP, CSV injection).
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_inert(column) for column in columns])
    writer.writerows([[_inert(cell) for cell in row] for row in rows])
    return text.getvalue().encode()


def script_bytes(name: str, value: Any) -> bytes:
    """Data as a classic script, `window.<name> = …`, that can close no script element and hold no separator."""
    data = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        data = data.replace(sign, f"\\u{ord(sign):04x}")
    return f"window.{name} = {data};\n".encode()


def slug(text: str) -> str:
    """A short name for a file, in `[a-z0-9_]`."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:48].rstrip("_") or "table"


def _inert(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def _is_number(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, int | float) and not isinstance(cell, bool))


def _shown(cell: Cell, column: str) -> View:
    if cell is None:
        return {"text": "–", "number": False}
    if isinstance(cell, bool):
        return {"text": "yes" if cell else "no", "number": False}
    if isinstance(cell, str):
        return {"text": cell, "number": False}
    year = re.search(r"\byear\b", column, re.IGNORECASE) is not None
    return {"text": format_number(cell, "year" if year else ""), "number": True}
