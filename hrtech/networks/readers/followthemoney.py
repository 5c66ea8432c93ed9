"""FollowTheMoney entities: companies, persons and what ties them, one JSON object a line.

Schema and property names are those of followthemoney 4 (github.com/opensanctions/followthemoney, `schema/*.yaml`).
Every property holds a list of texts. Fragments with one id are joined. Percentages are text in this standard:
`25`, `25 %`, `25-50`, `more than 25` are understood; any other leaves the share unknown and is counted.
"""

import json
import re
from collections import Counter
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import pandas as pd
from upath import UPath

from hrtech.networks.readers.followthemoney_schema import EDGES, NODES, TOPICS
from hrtech.networks.readers.inputs import COLUMNS, NetworkInputs, counted, is_date, typed
from hrtech.networks.readers.spool import Spool, columns
from hrtech.networks.readers.stream import Found, read_objects

_NUMBERS: Final = ("registrationNumber", "idNumber", "taxNumber", "vatCode", "leiCode", "innCode", "ogrnCode")
_ATTRIBUTES: Final = {"address": "address", "phone": "phone", "email": "email", "website": "website"}
_SCHEMAS: Final = {
    "raw": columns(position="int", file="text", row="int", id="text", json="text"),
    "bad": columns(file="text", row="int", record="text", reason="text"),
}
_MADE: Final = ("entities", "attributes", "ownership", "relationships", "red_flags")
_PERCENT: Final = re.compile(r"(\d+(?:[.,]\d+)?)\s*%?")
_RANGE: Final = re.compile(r"(\d+(?:[.,]\d+)?)\s*%?\s*(?:-|–|to)\s*(\d+(?:[.,]\d+)?)\s*%?")
_ABOVE: Final = re.compile(
    r"(?:more than|over|at least|>=?|≥)\s*(\d+(?:[.,]\d+)?)\s*%?|(\d+(?:[.,]\d+)?)\s*%?\s*(?:or more|\+)"
)


def read_followthemoney(path: str | Path | UPath, memory: str = "1GB") -> NetworkInputs:
    """Read entities.

    Args:
        path: A file, folder or glob of lines (`entities.ftm.json`) or arrays, also in `.gz` or `.zip`.
        memory: Most memory for sorting, as DuckDB writes it; what is more goes to disk.

    Returns:
        `entities`, `attributes`, `ownership` (schema Ownership), `relationships` (all other edges), `red_flags`
        (Sanction, and topics that mean a risk; weight 0, with data set and authority as source), `rejects`,
        `counts`.

    Raises:
        SourceError: Nothing can be read.
    """
    numbers: Counter[str] = Counter()
    schemas = {
        name: columns(**{key: "text" if kind == "date" else kind for key, kind in COLUMNS[name].items()})
        for name in _MADE
    }
    with Spool(_SCHEMAS | schemas, memory) as spool:
        for position, found in enumerate(read_objects(path)):
            _keep(spool, position, found, numbers)
        spool.done("raw")
        ordered = spool.rows("SELECT id, file, row, json FROM raw ORDER BY id, position")
        for name, group in groupby(ordered, key=itemgetter(0)):
            fragments = list(group)
            _use(spool, _Entity(name, [json.loads(row[3]) for row in fragments]), fragments, numbers)
        spool.done()
        known = _without_unknown_ends(spool, numbers)
        counts = counted({what: numbers[what] for what in _COUNTED})
        rejects = typed(
            "rejects", spool.frame("SELECT * FROM bad UNION ALL SELECT * FROM loose ORDER BY 1, 2, 4")
        )
        return NetworkInputs(**known, rejects=rejects, counts=counts)


_COUNTED: Final = (
    "objects read", "objects set aside", "fragments joined", "entities", "owners' interests", "other relationships",
    "sanctions", "objects of other schemas", "percentages not understood",
)  # fmt: skip


def _keep(spool: Spool, position: int, found: Found, numbers: Counter[str]) -> None:
    numbers["objects read"] += 1
    value, problem = found.value, found.problem
    name = value.get("id") if value else None
    if value is not None:
        if not isinstance(name, str) or not name:
            problem = "the entity has no id"
        elif not isinstance(value.get("schema"), str):
            problem = "the entity has no schema: name one of FollowTheMoney's"
        elif not isinstance(value.get("properties"), dict):
            problem = "the entity has no properties"
    if problem:
        numbers["objects set aside"] += 1
        spool.add("bad", (found.file, found.row, name if isinstance(name, str) else None, problem))
    else:
        spool.add("raw", (position, found.file, found.row, name, json.dumps(value)))


class _Entity:
    """The fragments of one id, joined."""

    def __init__(self, name: str, fragments: list[dict[str, Any]]) -> None:
        self.id = name
        self.schemas = list(dict.fromkeys(one["schema"] for one in fragments))
        self.datasets = "; ".join(
            dict.fromkeys(str(d) for one in fragments for d in one.get("datasets") or [])
        )
        self.properties: dict[str, list[str]] = {}
        for one in fragments:
            for key, values in one["properties"].items():
                listed = values if isinstance(values, list) else [values]
                texts = [text for value in listed if (text := _text(value)) is not None]
                self.properties[key] = list(dict.fromkeys([*self.properties.get(key, []), *texts]))

    def all(self, name: str) -> list[str]:
        return self.properties.get(name, [])

    def first(self, name: str) -> str | None:
        return next(iter(self.all(name)), None)

    def joined(self, *names: str) -> str | None:
        return "; ".join(value for name in names for value in self.all(name)) or None

    def date(self, name: str) -> str | None:
        """Return a full date; a year or month alone begins on its first day."""
        text = self.first(name) or ""
        padded = {4: f"{text}-01-01", 7: f"{text}-01"}.get(len(text), text[:10])
        return padded if is_date(padded) else None


def _text(value: object) -> str | None:
    """Return a value as text; nested entities, as some exports write them, stand for their id."""
    if isinstance(value, dict):
        value = value.get("id")
    return str(value) if isinstance(value, str | int | float) else None


def _use(spool: Spool, entity: _Entity, fragments: list[tuple[Any, ...]], numbers: Counter[str]) -> None:
    where = fragments[-1]
    schema = entity.schemas[-1]
    numbers["fragments joined"] += len(fragments) - 1
    problem = ""
    if schema in EDGES:
        problem = _edge(spool, entity, schema, numbers)
    elif schema == "Sanction":
        problem = _sanction(spool, entity, numbers)
    elif schema in NODES:
        _node(spool, entity, schema)
        numbers["entities"] += 1
    else:
        numbers["objects of other schemas"] += 1
    if problem:
        numbers["objects set aside"] += 1
        spool.add("bad", (where[1], where[2], entity.id, problem))


def _node(spool: Spool, entity: _Entity, schema: str) -> None:
    numbers = [f"{name}:{value}" for name in _NUMBERS for value in entity.all(name)]
    person = schema == "Person"
    spool.add(
        "entities",
        (
            entity.id, entity.first("name") or entity.id, schema,
            entity.joined("jurisdiction", "nationality") or entity.joined("country"),
            "; ".join(numbers) or None, entity.first("birthDate" if person else "incorporationDate"),
            entity.first("deathDate" if person else "dissolutionDate"), None, entity.datasets or "FollowTheMoney",
        ),
    )  # fmt: skip
    for name, attribute in _ATTRIBUTES.items():
        for value in entity.all(name):
            spool.add("attributes", (entity.id, attribute, value))
    for number in numbers:
        spool.add("attributes", (entity.id, "identifier", number))
    for topic in entity.all("topics"):
        if topic in TOPICS:
            source = entity.datasets or "FollowTheMoney"
            row = (entity.id, topic, TOPICS[topic], 0.0, entity.first("sourceUrl"), source, False, None, None)
            spool.add("red_flags", row)


def _edge(spool: Spool, entity: _Entity, schema: str, numbers: Counter[str]) -> str:
    start, end = (entity.all(name) for name in EDGES[schema])
    if not start or not end:
        return f"{schema} has no {' or no '.join(EDGES[schema])}"
    since, until = entity.date("startDate") or entity.date("date"), entity.date("endDate")
    if since and until and since > until:
        return f"{schema}: its endDate lies before its startDate"
    low: float | None = None
    high: float | None = None
    if schema == "Ownership":
        low, high = share_of(entity.first("percentage"))
        if entity.first("percentage") and low is None:
            numbers["percentages not understood"] += 1
        if high is not None and high > 100:
            return "Ownership: its percentage is above 100"
    for owner in start:
        for owned in end:
            if schema == "Ownership":
                numbers["owners' interests"] += 1
                kind = (entity.first("ownershipType") or "").lower()
                direct = (
                    "indirect"
                    if kind in ("indirect", "ultimate")
                    else "direct"
                    if kind == "direct"
                    else "unknown"
                )
                row = (
                    owned,
                    owner,
                    None,
                    None,
                    None,
                    low,
                    high,
                    None,
                    None,
                    None,
                    direct,
                    kind == "beneficial",
                )
                spool.add("ownership", (*row, since, until, entity.id))
            else:
                numbers["other relationships"] += 1
                role = entity.joined("role", "relationship", "controlType")
                spool.add("relationships", (entity.id, owner, owned, schema, role, since, until, entity.id))
    return ""


def _sanction(spool: Spool, entity: _Entity, numbers: Counter[str]) -> str:
    listed = entity.all("entity")
    if not listed:
        return "Sanction names no entity"
    numbers["sanctions"] += 1
    since, until = entity.date("startDate") or entity.date("listingDate"), entity.date("endDate")
    evidence = entity.joined("program", "reason", "sourceUrl")
    source = "; ".join(filter(None, [entity.joined("authority"), entity.datasets])) or "FollowTheMoney"
    for one in listed:
        flag = "sanction" if until is None else "former sanction"
        row = (one, flag, "sanctions list", 0.0, evidence, source, until is not None, since, until)
        spool.add("red_flags", row)
    return ""


def share_of(text: str | None) -> tuple[float | None, float | None]:
    """Read a percentage or a range of them; (None, None) where it is neither."""
    words = (text or "").strip().lower()
    if found := _PERCENT.fullmatch(words):
        share = _number(found[1])
        return share, share
    if found := _RANGE.fullmatch(words):
        low, high = sorted(map(_number, found.groups()))
        return low, high
    if found := _ABOVE.fullmatch(words):
        return _number(found[1] or found[2]), 100.0
    return None, None


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def _without_unknown_ends(spool: Spool, numbers: Counter[str]) -> dict[str, pd.DataFrame]:
    """Set aside edges and flags about entities that no object describes; give owners their name and kind."""
    where = "LEFT JOIN (SELECT id, max_by(file, position) AS file, max_by(row, position) AS row FROM raw GROUP BY id) r"
    loose = [
        f"SELECT r.file, r.row, e.record, 'it names an entity that is not in the files: add its file' AS reason "
        f"FROM {name} e {where} ON r.id = e.record WHERE {' OR '.join(missing)}"
        for name, missing in (
            ("ownership", ("company_id NOT IN (SELECT entity_id FROM entities)",
                           "owner_id NOT IN (SELECT entity_id FROM entities)")),
            ("relationships", ("source NOT IN (SELECT entity_id FROM entities)",
                               "target NOT IN (SELECT entity_id FROM entities)")),
        )
    ]  # fmt: skip
    loose.append(
        "SELECT NULL, NULL, entity_id, 'a sanction names an entity that is not in the files: add its file' "
        "FROM red_flags WHERE entity_id NOT IN (SELECT entity_id FROM entities)"
    )
    spool.run("CREATE TABLE loose AS " + " UNION ALL ".join(loose))
    numbers["objects set aside"] += next(iter(spool.rows("SELECT count(*) FROM loose")))[0]
    made = {
        "entities": "SELECT * FROM entities",
        "attributes": "SELECT DISTINCT * FROM attributes ORDER BY 1, 2, 3",
        "ownership": "SELECT o.company_id, o.owner_id, CASE WHEN e.entity_kind <> 'Person' THEN o.owner_id END "
        "AS owner_company_id, e.name AS owner_name, e.entity_kind AS owner_kind, "
        "o.* EXCLUDE (company_id, owner_id, owner_company_id, owner_name, owner_kind) "
        "FROM ownership o JOIN entities e ON e.entity_id = o.owner_id SEMI JOIN entities c "
        "ON c.entity_id = o.company_id ORDER BY record, owner_id, company_id",
        "relationships": "SELECT x.* FROM relationships x SEMI JOIN entities s ON s.entity_id = x.source "
        "SEMI JOIN entities t ON t.entity_id = x.target ORDER BY relationship_id, source, target",
        "red_flags": "SELECT f.* FROM red_flags f SEMI JOIN entities e USING (entity_id) ORDER BY entity_id, flag",
    }
    return {name: typed(name, spool.frame(query)) for name, query in made.items()}
