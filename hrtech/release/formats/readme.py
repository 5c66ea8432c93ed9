"""README.txt: what the files are, what they promise and what not, in plain words."""

import hashlib
import textwrap
from collections.abc import Iterable, Mapping
from typing import Final

from hrtech.release.formats.content import Content
from hrtech.release.formats.words import (
    citation,
    interval_text,
    licence_text,
    not_promised,
    terms_text,
    unknown_text,
)

_WIDTH: Final = 96


def readme(content: Content, files: Mapping[str, bytes], notes: Mapping[str, str]) -> bytes:
    """Write the README.

    Args:
        content: The release.
        files: The other files that it speaks of, by name.
        notes: What each of them is, by name.
    """
    terms = content.terms
    counted = [f"The data speak of about {terms.people:,.0f} {terms.units}."] if terms.people else []
    sections: list[tuple[str, list[str]]] = [
        ("What this is", [*_paragraphs(content.description), *counted]),
        ("Files", _items(f"{name}: {notes[name]}" for name in files)),
        ("What it promises", [terms_text(content)]),
        ("What it does not promise", _items(not_promised(content))),
        ("How to read the counts", [interval_text(content), unknown_text()]),
        ("How the files are written", _items(_conventions(content))),
        ("What to know", _items([*terms.warnings, *terms.explained])),
        ("Public knowledge that it rests on", _items(f"{what}: {who}" for what, who in terms.says.items())),
        (
            "How to cite",
            [
                citation(content),
                f"SHA-256 of aggregates.csv: {hashlib.sha256(files['aggregates.csv']).hexdigest()}",
            ],
        ),
        ("Terms of use", [licence_text(content)]),
    ]
    lines = [content.title, "=" * min(len(content.title), _WIDTH)]
    for heading, paragraphs in sections:
        if paragraphs:
            lines += ["", heading, "-" * len(heading)]
            for at, paragraph in enumerate(paragraphs):
                apart = at and not paragraph.startswith("- ")
                lines += ["", paragraph] if apart else [paragraph]
    return ("\n".join(_wrapped(line) for line in lines) + "\n").encode()


def _conventions(content: Content) -> list[str]:
    told = [
        "CSV files are UTF-8, with commas and quotes (RFC 4180).",
        "In CSV a text that begins with = + - @ has an apostrophe before it, so that no spreadsheet runs it as a "
        "formula; take one apostrophe away to have the value. Parquet files hold values as they are.",
    ]
    if any(column.multi_valued for column in content.columns):
        told.append(
            "Several values in one cell are joined with ;, and a backslash stands before ; and \\ within a value."
        )
    if any(column.multi_valued for column in content.columns):
        told.append(
            "Pairs of two values of the same column have no place in SDMX and stand in the aggregates only."
        )
    return told


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in text.split("\n\n") if part.strip()]


def _items(texts: Iterable[str]) -> list[str]:
    return [f"- {text}" for text in texts]


def _wrapped(line: str) -> str:
    indent = "  " if line.startswith("- ") else ""
    return "\n".join(
        textwrap.wrap(line, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
        or [""]
    )
