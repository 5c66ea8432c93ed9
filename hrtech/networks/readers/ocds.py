"""Open Contracting Data Standard 1.1: releases and records into tenders, bids, awards, contracts and amendments.

Releases of one contracting process (`ocid`) are merged by `ocdsmerge`, the standard's reference implementation, with
the merge rules of the 1.1 schema (standard.open-contracting.org/1.1/en/schema/merging) and the bids extension.
Releases are sorted on disk, so that memory is that of one contracting process.
"""

import json
import warnings
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import pandas as pd
from upath import UPath

from hrtech.networks.readers.inputs import COLUMNS, NetworkInputs, counted, is_date, typed
from hrtech.networks.readers.ocds_release import Tables, release_rows
from hrtech.networks.readers.spool import Spool, columns
from hrtech.networks.readers.stream import Found, read_objects

_MADE: Final = ("tenders", "bids", "awards", "contracts", "amendments")
_SCHEMAS: Final = {
    "releases": columns(
        position="int", file="text", row="int", ocid="text", id="text", date="text", json="text"
    ),
    "bad": columns(file="text", row="int", record="text", reason="text"),
}
_WHOLE: Final = (
    "parties.additionalIdentifiers", "parties.roles", "relatedProcesses.relationship",
    "tender.additionalProcurementCategories", "tender.submissionMethod", "tender.items.additionalClassifications",
    "tender.amendment.changes", "tender.amendments.changes", "tender.procuringEntity.additionalIdentifiers",
    "tender.tenderers.additionalIdentifiers", "buyer.additionalIdentifiers",
    "awards.items.additionalClassifications", "awards.amendment.changes", "awards.amendments.changes",
    "awards.suppliers.additionalIdentifiers", "contracts.items.additionalClassifications",
    "contracts.relatedProcesses.relationship", "contracts.amendment.changes", "contracts.amendments.changes",
    "contracts.implementation.transactions.payee.additionalIdentifiers",
    "contracts.implementation.transactions.payer.additionalIdentifiers", "bids.details.identifiers",
)  # fmt: skip
_RULES: Final = {tuple(path.split(".")): "wholeListMerge" for path in _WHOLE} | {
    (name,): "omitWhenMerged" for name in ("id", "date", "tag")
}


def read_ocds(path: str | Path | UPath, category_length: int = 2, memory: str = "1GB") -> NetworkInputs:
    """Read release packages, record packages, or releases and records one a line.

    Args:
        path: A file, folder or glob, also in `.gz` or `.zip`.
        category_length: How many characters of an item's classification make the category in which bids are
            compared: 2 are a division of CPV or a segment of UNSPSC.
        memory: Most memory for sorting, as DuckDB writes it; what is more goes to disk.

    Returns:
        `entities` (parties), `attributes` (address, phone, e-mail, identifiers), `tenders`, `bids`, `awards`,
        `contracts`, `amendments`, `rejects`, `counts`. `tender_id` is the ocid; an entity is `scheme-id` of its
        identifier, or its local id where it has none.

    Raises:
        SourceError: Nothing can be read.
    """
    numbers: Counter[str] = Counter()
    with Spool(_SCHEMAS | _table_schemas(), memory) as spool:
        position = 0
        for found in read_objects(path, ("releases", "records")):
            for release in _releases(spool, found, numbers):
                _keep(spool, position, found, release, numbers)
                position += 1
        spool.done("releases")
        _merge(spool, category_length, numbers)
        spool.done()
        made = {name: typed(name, spool.frame(f"SELECT * FROM {name}")) for name in _MADE}
        return NetworkInputs(
            entities=typed("entities", spool.frame(_ENTITIES)),
            attributes=typed("attributes", spool.frame(_ATTRIBUTES)),
            rejects=typed("rejects", spool.frame("SELECT * FROM bad ORDER BY 1, 2, 4")),
            counts=_counts(numbers, made),
            **made,
        )


def _table_schemas() -> dict[str, Any]:
    kinds = {"date": "text"}
    made = {
        name: columns(**{column: kinds.get(kind, kind) for column, kind in COLUMNS[name].items()})
        for name in _MADE
    }
    parties = columns(
        entity_id="text", name="text", jurisdiction="text", identifiers="text", address="text", phone="text",
        email="text", roles="text",
    )  # fmt: skip
    return made | {"parties": parties}


def _releases(spool: Spool, found: Found, numbers: Counter[str]) -> Iterator[dict[str, Any]]:
    """Yield the releases that an object is, or that a record holds."""
    value = found.value
    if value is None:
        numbers["releases read"] += 1
        _reject(spool, found, None, found.problem, numbers)
        return
    embedded = value.get("releases")
    if isinstance(embedded, list) and any(isinstance(one, dict) and "url" not in one for one in embedded):
        for release in embedded:
            yield release if isinstance(release, dict) else {"": None}
    elif isinstance(compiled := value.get("compiledRelease"), dict):
        yield compiled
    elif isinstance(embedded, list):
        numbers["releases read"] += 1
        problem = (
            "the record links to its releases and holds no compiledRelease: fetch the releases themselves"
        )
        _reject(spool, found, value.get("ocid"), problem, numbers)
    else:
        yield value


def _reject(spool: Spool, found: Found, record: object, reason: str, numbers: Counter[str]) -> None:
    numbers["releases set aside"] += 1
    spool.add("bad", (found.file, found.row, record if isinstance(record, str) else None, reason))


def _keep(spool: Spool, position: int, found: Found, release: dict[str, Any], numbers: Counter[str]) -> None:
    numbers["releases read"] += 1
    ocid, date, name = release.get("ocid"), release.get("date"), release.get("id")
    if not isinstance(ocid, str) or not ocid:
        _reject(spool, found, name, "the release has no ocid, so that it belongs to no process", numbers)
    elif not is_date(date):
        _reject(spool, found, name or ocid, "the release has no date, by which releases are merged", numbers)
    else:
        row = (position, found.file, found.row, ocid, None if name is None else str(name), date)
        spool.add("releases", (*row, json.dumps(release)))


def _merge(spool: Spool, category_length: int, numbers: Counter[str]) -> None:
    from ocdsmerge import Merger
    from ocdsmerge.exceptions import DuplicateIdValueWarning, InconsistentTypeError

    merger = Merger(merge_rules=_RULES)
    ordered = spool.rows("SELECT ocid, file, row, id, json FROM releases ORDER BY ocid, date, position")
    for ocid, group in groupby(ordered, key=itemgetter(0)):
        rows = list(group)
        problem, merged = "", None
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", DuplicateIdValueWarning)
            try:
                merged = merger.create_compiled_release([json.loads(row[4]) for row in rows])
                tables = release_rows(merged, category_length)
            except InconsistentTypeError:
                problem = "the releases of this process contradict each other in the kind of a field"
            except (TypeError, AttributeError, ValueError, KeyError):
                problem = "a field of this process is of another kind than OCDS 1.1 says"
        numbers["lists in which two objects have one id"] += len(caught)
        if problem:
            for _, file, row, name, _ in rows:
                numbers["releases set aside"] += 1
                spool.add("bad", (file, row, name or ocid, problem))
            continue
        numbers["releases merged"] += len(rows)
        numbers["contracting processes"] += 1
        _add(spool, tables, rows[-1])


def _add(spool: Spool, tables: Tables, last: tuple[Any, ...]) -> None:
    for name, rows in tables.rows.items():
        for row in rows:
            spool.add(name, row)
    for problem in tables.problems:
        spool.add("bad", (last[1], last[2], last[3] or last[0], problem))


_ENTITIES: Final = """
SELECT entity_id, last(name ORDER BY n) AS name, 'organisation' AS entity_kind,
  last(jurisdiction ORDER BY n) AS jurisdiction, last(identifiers ORDER BY n) AS identifiers, 'OCDS' AS source
FROM (SELECT *, row_number() OVER () AS n FROM parties) GROUP BY entity_id ORDER BY entity_id
"""
_ATTRIBUTES: Final = """
SELECT DISTINCT entity_id, attribute, value FROM (
  UNPIVOT (SELECT entity_id, address, phone, email FROM parties) ON address, phone, email
  INTO NAME attribute VALUE value)
UNION SELECT DISTINCT entity_id, 'identifier', unnest(string_split(identifiers, '; ')) FROM parties
  WHERE identifiers IS NOT NULL
ORDER BY 1, 2, 3
"""


def _counts(numbers: Counter[str], made: dict[str, pd.DataFrame]) -> pd.DataFrame:
    names = (
        "releases read", "releases merged", "releases set aside", "contracting processes",
        "lists in which two objects have one id",
    )  # fmt: skip
    return counted(
        {name: numbers[name] for name in names} | {name: len(frame) for name, frame in made.items()}
    )
