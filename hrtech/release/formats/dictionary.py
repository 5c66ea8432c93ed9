"""The data dictionary: every column and every value with its meaning, as CSV for programs and HTML for readers."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from hrtech.release.formats.cells import csv_table
from hrtech.release.formats.content import Content
from hrtech.release.formats.sdmx import Cube
from hrtech.release.formats.words import (
    column_meanings,
    interval_text,
    terms_text,
    unknown_text,
    value_meaning,
)

#: `column` and `value` say what the row is about (no value: the column itself); `parent_column` and `parent` the
#: coarser value that it belongs to; `sdmx_id` its name in the SDMX files.
HEADER: Final = ("file", "column", "value", "label", "meaning", "parent_column", "parent", "sdmx_id")
Row = tuple[str | None, ...]

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%;margin:0 0 1.5rem}"
    "th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #999}"
)


def dictionary_csv(content: Content) -> bytes:
    """The data dictionary as a table, columns as in `HEADER`."""
    return csv_table(HEADER, [*_aggregate_rows(content), *_column_rows(content)])


def dictionary_html(content: Content) -> bytes:
    """The data dictionary as a page that stands alone and loads nothing."""
    parts = [
        f"<h1>{escape(content.title)}: data dictionary</h1>",
        *(f"<p>{escape(text)}</p>" for text in (terms_text(content), interval_text(content), unknown_text())),
        "<h2>aggregates</h2>",
        _table("aggregates", ("column", "meaning"), [(row[1], row[4]) for row in _aggregate_rows(content)]),
    ]
    rows = list(_column_rows(content))
    for column in content.columns:
        about, *values = (row for row in rows if row[1] == column.name)
        parts.append(f"<h2>{escape(column.name)}</h2><p>{escape(about[4] or '')}</p>")
        shown = [(row[2], row[4], row[6], row[7]) for row in values]
        parts.append(_table(column.name, ("value", "meaning", about[5] or "belongs to", "in SDMX"), shown))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(content.title)}: data dictionary</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    ).encode()


def _aggregate_rows(content: Content) -> Iterator[Row]:
    cube = Cube(content)
    named = {"count": "OBS_VALUE"} | {column: name for name, column in cube.bounds.items()}
    meanings = column_meanings(content)
    for name in ("length", "attributes", "count", *content.interval):
        yield ("aggregates", name, None, None, meanings[name], None, None, named.get(name))


def _column_rows(content: Content) -> Iterator[Row]:
    file = "aggregates" if content.synthetic is None else "aggregates; synthetic_records"
    for dimension in Cube(content).dimensions:
        column = dimension.column
        label = content.labels.columns.get(column.name)
        told = [f"{label}."] if label else []
        if column.multi_valued:
            told.append("Several values may stand in one cell, joined with ;.")
        meaning = " ".join([*told, unknown_text()])
        yield (file, column.name, None, label, meaning, column.parent, None, dimension.identifier)
        for value in column.values or ():
            yield (
                file,
                column.name,
                value,
                content.label(column.name, value) or None,
                value_meaning(content, column, value),
                column.parent,
                column.parent_values.get(value),
                dimension.codes.get(value),
            )


def _table(about: str, header: tuple[str, ...], rows: Sequence[Row]) -> str:
    """A table; columns that are empty but for the first are left out."""
    kept = [at for at in range(len(header)) if at == 0 or any(row[at] for row in rows)]
    head = "".join(f'<th scope="col">{escape(header[at])}</th>' for at in kept)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(row[at] or '')}</td>" for at in kept) + "</tr>" for row in rows
    )
    return f'<table aria-label="{escape(about)}">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>'
