"""The description of all files as a Frictionless Data Package, version 2 (https://datapackage.org/standard/).

Tables have a schema; every file has its SHA-256. The promise stands under `privacy`, a property of our own, which the
standard allows. The description of a CSV file speaks of what stands in it: names and values that a spreadsheet could
take for a formula are written there with an apostrophe (`hrtech.release.formats.cells`).
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import pyarrow as pa

from hrtech.release.declared import ReleaseColumn
from hrtech.release.formats.cells import SEPARATOR, guarded, needs_care
from hrtech.release.formats.content import Content
from hrtech.release.formats.dictionary import HEADER
from hrtech.release.formats.words import column_meanings, is_licence_id, unknown_text

PROFILE: Final = "https://datapackage.org/profiles/2.0/datapackage.json"


def data_package(content: Content, files: Mapping[str, tuple[str, str, bytes]]) -> bytes:
    """Write `datapackage.json`.

    Args:
        content: The release.
        files: Every other file: name → media type, what it is, content.
    """
    schemas: dict[str, Callable[[Content], dict[str, Any]]] = {
        "aggregates.csv": _aggregates,
        "aggregates.parquet": _aggregates,
        "synthetic_records.csv": _synthetic_csv,
        "synthetic_records.parquet": _synthetic_parquet,
        "data_dictionary.csv": _dictionary,
    }
    package: dict[str, Any] = {"$schema": PROFILE, "name": content.name, "title": content.title}
    if content.description:
        package["description"] = content.description
    if content.licence:
        package["licenses"] = [_licence(content.licence)]
    if content.organisation:
        package["contributors"] = [{"title": content.organisation, "roles": ["creator"]}]
    keeper = f" kept by {content.organisation}" if content.organisation else ""
    package["sources"] = [{"title": f"Confidential records{keeper}, which are not published"}]
    if content.terms.released_at:
        package["created"] = content.terms.released_at
    package["privacy"] = content.terms.stated()
    package["resources"] = [
        _resource(name, media_type, about, data)
        | ({"type": "table", "schema": schemas[name](content)} if name in schemas else {})
        for name, (media_type, about, data) in files.items()
    ]
    return (json.dumps(package, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _licence(licence: str) -> dict[str, str]:
    return {"name": licence} if is_licence_id(licence) else {"path": "README.txt", "title": licence}


def _resource(name: str, media_type: str, about: str, data: bytes) -> dict[str, Any]:
    stem, _, ending = name.lower().rpartition(".")
    return {
        "name": f"{stem}-{ending}",
        "path": name,
        "description": about,
        # a JSON file with `data` in it is taken for a description of data where its format does not say otherwise
        "format": "sdmx-json" if name == "sdmx_structure.json" else ending,
        "mediatype": media_type.split(";")[0],
        # no size where the standard's own validator cannot measure one; the hash says it all
        **({} if ending == "parquet" else {"encoding": "utf-8", "bytes": len(data)}),
        "hash": f"sha256:{hashlib.sha256(data).hexdigest()}",
    }


def _aggregates(content: Content) -> dict[str, Any]:
    meanings = column_meanings(content)
    constraints: dict[str, dict[str, Any]] = {
        "length": {"required": True, "minimum": 1},
        "attributes": {"required": True, "unique": True},
        "count": {"required": True},
        "sd": {"minimum": 0},
    }
    fields = []
    for field in content.aggregates_table.schema:
        kind = (
            "string"
            if field.name == "attributes"
            else "integer"
            if pa.types.is_integer(field.type)
            else "number"
        )
        fields.append(
            {"name": field.name, "type": kind, "description": meanings[field.name]}
            | ({"constraints": constraints[field.name]} if field.name in constraints else {})
        )
    return {"fields": fields, "missingValues": [""], "primaryKey": ["attributes"]}


def _synthetic_csv(content: Content) -> dict[str, Any]:
    fields = [_field(content, column, guarded) for column in content.columns]
    for field, column in zip(fields, content.columns, strict=True):
        if column.multi_valued:
            field["description"] += (
                f" Several values, joined with {SEPARATOR}; data_dictionary.csv lists them."
            )
            if not any(needs_care(value) for value in column.values or ()):
                field |= {"type": "list", "delimiter": SEPARATOR, "itemType": "string"}
    return {"fields": fields, "missingValues": [""]}


def _synthetic_parquet(content: Content) -> dict[str, Any]:
    fields = [_field(content, column, str) for column in content.columns]
    for field, column in zip(fields, content.columns, strict=True):
        if column.multi_valued:
            field |= {"type": "any", "description": f"{field['description']} A list of values."}
    return {"fields": fields}


def _field(content: Content, column: ReleaseColumn, written: Callable[[str], str]) -> dict[str, Any]:
    """A released column; its values as they are written in the file."""
    values = list(column.values or ())
    field: dict[str, Any] = {"name": written(column.name), "type": "string", "description": unknown_text()}
    if label := content.labels.columns.get(column.name):
        field["title"] = label
    if column.multi_valued or not values:
        return field
    field["constraints"] = {"enum": [written(value) for value in values]}
    labelled = {value: label for value in values if (label := content.label(column.name, value))}
    if labelled and len(set(labelled.values())) == len(labelled):  # the standard wants labels that differ
        field["categories"] = [
            {"value": written(value)} | ({"label": labelled[value]} if value in labelled else {})
            for value in values
        ]
    return field


def _dictionary(content: Content) -> dict[str, Any]:
    return {
        "fields": [
            {"name": name, "type": "string"}
            | ({"constraints": {"required": True}} if name in ("file", "column", "meaning") else {})
            for name in HEADER
        ],
        "missingValues": [""],
    }
