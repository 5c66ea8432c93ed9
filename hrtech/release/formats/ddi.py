"""The release as a DDI-Codebook 2.5 document (DDI Alliance, codebook.xsd, 2012), which data archives exchange.

Written are the study (`stdyDscr`), the data files (`fileDscr`) and the variables with their categories (`dataDscr`).
`catStat` of type `freq` is the *released* count, with its noise where there is any. A column that refines another has
category groups: the label of a group is the value of the coarser column, which its `levelnm` names. What the project
reads as a codebook (`hrtech.sources.read_codebook`, `read_hierarchies`) it finds again in this file.
"""

import re
from collections.abc import Iterable
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from hrtech.pages.promises import PROMISES
from hrtech.release.declared import ReleaseColumn
from hrtech.release.formats.content import Content
from hrtech.release.formats.words import (
    citation,
    column_meanings,
    licence_text,
    not_promised,
    terms_text,
    unknown_text,
)

#: What XML 1.0 cannot hold, even escaped.
_NO_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def ddi_codebook(content: Content) -> bytes:
    """Write the codebook."""
    files, variables = _files(content)
    document = _element(
        "codeBook",
        {"xmlns": "ddi:codebook:2_5", "version": "2.5"},
        [_study(content), *files, _element("dataDscr", {}, variables)],
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{document}\n'.encode()


def _study(content: Content) -> str:
    terms = content.terms
    named = [_leaf("producer", content.organisation)] if content.organisation else []
    if terms.released_at:
        named.append(_leaf("prodDate", terms.released_at[:10], date=terms.released_at[:10]))
    citing = _element(
        "citation",
        {},
        [
            _element("titlStmt", {}, [_leaf("titl", content.title), _leaf("IDNo", content.name)]),
            *([_element("prodStmt", {}, named)] if named else []),
            _leaf("biblCit", citation(content)),
        ],
    )
    information = _element(
        "stdyInfo",
        {},
        [
            *([_leaf("abstract", content.description)] if content.description else []),
            _element(
                "sumDscr",
                {},
                [_leaf("anlyUnit", terms.unit), _leaf("dataKind", "Released counts and synthetic records")],
            ),
        ],
    )
    method = _element("method", {}, [_leaf("dataProcessing", terms_text(content), type="disclosure control")])
    access = _element(
        "dataAccs",
        {},
        [
            _element(
                "useStmt",
                {},
                [
                    _leaf("citReq", citation(content)),
                    _leaf("conditions", licence_text(content)),
                    _leaf("disclaimer", " ".join(not_promised(content))),
                ],
            )
        ],
    )
    return _element("stdyDscr", {}, [citing, information, method, access])


def _files(content: Content) -> tuple[list[str], list[str]]:
    """Descriptions of the files, and of the variables in them."""
    interval = ["length", "attributes", "count", *content.interval]
    about = PROMISES[content.terms.promise].short
    files = [
        _file(
            "F1", "aggregates.csv", f"Counts of combinations. {about}", len(content.aggregates), len(interval)
        )
    ]
    meanings = column_meanings(content)
    variables = [
        _element(
            "var",
            {"ID": f"A{at}", "name": name, "files": "F1", "intrvl": "discrete" if name != "sd" else "contin"},
            [_leaf("labl", meanings[name]), _format("character" if name == "attributes" else "numeric")],
        )
        for at, name in enumerate(interval, start=1)
    ]
    if content.synthetic is not None:
        files.append(
            _file(
                "F2",
                "synthetic_records.csv",
                f"Synthetic records. {about}",
                len(content.synthetic),
                len(content.columns),
            )
        )
    variables += [_variable(content, column, f"V{at}") for at, column in enumerate(content.columns, start=1)]
    return files, variables


def _file(identifier: str, name: str, about: str, rows: int, columns: int) -> str:
    return _element(
        "fileDscr",
        {"ID": identifier, "URI": name},
        [
            _element(
                "fileTxt",
                {},
                [
                    _leaf("fileName", name),
                    _leaf("fileCont", about),
                    _element("dimensns", {}, [_leaf("caseQnty", str(rows)), _leaf("varQnty", str(columns))]),
                    _leaf("fileType", "Comma-separated values (RFC 4180)", charset="UTF-8"),
                ],
            )
        ],
    )


def _variable(content: Content, column: ReleaseColumn, identifier: str) -> str:
    values = column.values or ()
    held = {value: f"{identifier}_C{at}" for at, value in enumerate(values, start=1)}
    several = ["A record may hold several values, joined with a semicolon."] if column.multi_valued else []
    categories = [
        _element(
            "catgry",
            {"ID": held[value]},
            [
                _leaf("catValu", value),
                _leaf("labl", content.label(column.name, value) or value),
                *(
                    [_leaf("catStat", str(content.ones[column.name, value]), type="freq")]
                    if (column.name, value) in content.ones
                    else []
                ),
            ],
        )
        for value in values
    ]
    return _element(
        "var",
        {"ID": identifier, "name": column.name, "intrvl": "discrete"}
        | ({"files": "F2"} if content.synthetic is not None else {}),
        [
            _leaf("labl", content.labels.columns.get(column.name, column.name)),
            _leaf("txt", " ".join([*several, unknown_text()])),
            *_groups(column, identifier, held),
            *categories,
            _format("character"),
        ],
    )


def _groups(column: ReleaseColumn, identifier: str, held: dict[str, str]) -> Iterable[str]:
    if column.parent is None:
        return
    members: dict[str, list[str]] = {}
    for value, category in held.items():
        if value in column.parent_values:
            members.setdefault(column.parent_values[value], []).append(category)
    for at, (parent, categories) in enumerate(members.items(), start=1):
        yield _element(
            "catgryGrp",
            {"ID": f"{identifier}_G{at}", "catgry": " ".join(categories), "levelnm": column.parent},
            [_leaf("labl", parent)],
        )


def _format(kind: str) -> str:
    return _leaf("varFormat", "", type=kind)


def _leaf(name: str, text: str, **attributes: str) -> str:
    # a carriage return that is not escaped is read back as a line feed
    body = escape(_NO_XML.sub("\ufffd", text), {"\r": "&#13;"})
    return f"<{name}{_attributes(attributes)}>{body}</{name}>"


def _element(name: str, attributes: dict[str, Any], children: Iterable[str]) -> str:
    body = "\n".join(children)  # no indentation: a text may hold lines of its own
    return f"<{name}{_attributes(attributes)}>\n{body}\n</{name}>"


def _attributes(attributes: dict[str, Any]) -> str:
    return "".join(
        f" {name}={quoteattr(_NO_XML.sub('�', str(value)), _SPACES)}" for name, value in attributes.items()
    )


_SPACES: Final = {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
