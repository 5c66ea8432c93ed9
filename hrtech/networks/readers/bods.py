"""Open Ownership's Beneficial Ownership Data Standard 0.4: statements about entities, persons and relationships.

Field names and code lists are those of the published schema (standard.openownership.org/en/0.4.0). A record is what
its latest statement says: by `statementDate`, and among those of one day by the order in the file. Records whose
latest statement is `closed` are dropped and counted, as are the statements that a later one replaces.
"""

from pathlib import Path
from typing import Any, Final

import pandas as pd
from upath import UPath

from hrtech.networks.readers.bods_statement import interest_rows, party_row, problem_with, relationship_row
from hrtech.networks.readers.inputs import NetworkInputs, counted, typed
from hrtech.networks.readers.spool import Spool, columns
from hrtech.networks.readers.stream import Found, read_objects
from hrtech.sources.errors import SourceError

_SCHEMAS: Final = {
    "statements": columns(
        position="int", file="text", row="int", statement_id="text", record_id="text", record_type="text",
        status="text", statement_date="text", publisher="text",
    ),
    "parties": columns(
        position="int", entity_id="text", name="text", entity_kind="text", jurisdiction="text",
        identifiers="text", started="text", ended="text", address="text", reason="text", description="text",
        exposed="text", exposure="text",
    ),
    "relations": columns(
        position="int", subject="text", party="text", reason="text", description="text", component="bool",
        components="int",
    ),
    "interests": columns(
        position="int", type="text", direct="text", beneficial="bool", low="float", high="float",
        from_date="text", to_date="text",
    ),
    "bad": columns(file="text", row="int", record="text", reason="text"),
}  # fmt: skip

_REPEATED: Final = "the statementId is that of an earlier statement"
_NO_SUBJECT: Final = "no statement in use describes the subject: add the file with its entity statement"
_NO_PARTY: Final = "no statement in use describes the interested party: add the file with its statement"


def read_bods(path: str | Path | UPath, memory: str = "1GB") -> NetworkInputs:
    """Read statements.

    Args:
        path: A file, folder or glob of JSON arrays or lines, also in `.gz` or `.zip`; of one publisher.
        memory: Most memory for sorting, as DuckDB writes it; what is more goes to disk.

    Returns:
        `entities` (persons too), `attributes` (address), `ownership` (one row per relationship and directness),
        `red_flags` (declared political exposure, weight 0), `unspecified` (nobody named, and why), `rejects`,
        `counts`. Entity ids are `recordId`s.

    Raises:
        SourceError: No statement can be read, they follow another version, or two publishers share record ids.
    """
    with Spool(_SCHEMAS, memory) as spool:
        for position, found in enumerate(read_objects(path)):
            _keep(spool, position, found)
        spool.done()
        _choose(spool)
        _check_publishers(spool, path)
        return NetworkInputs(
            entities=typed("entities", spool.frame(_ENTITIES)),
            attributes=typed("attributes", spool.frame(_ATTRIBUTES)),
            ownership=typed("ownership", spool.frame(_OWNERSHIP)),
            red_flags=typed("red_flags", spool.frame(_EXPOSED)),
            unspecified=typed("unspecified", spool.frame(_UNSPECIFIED)),
            rejects=typed("rejects", spool.frame(_REJECTS)),
            counts=_counts(spool),
        )


def _keep(spool: Spool, position: int, found: Found) -> None:
    statement = found.value
    if statement is None:
        spool.add("bad", (found.file, found.row, None, found.problem))
        return
    name = statement.get("statementId")
    shown = name if isinstance(name, str) else None
    if "statementID" in statement or "statementType" in statement:
        raise SourceError(
            "the statement follows BODS 0.3 or older",
            mend="Convert the file to BODS 0.4; Open Ownership's bodskit and bods-dev-handbook say how",
            file=found.file,
            row=found.row,
            row_word="statement",
        )
    if problem := problem_with(statement):
        spool.add("bad", (found.file, found.row, shown, problem))
        return
    details: dict[str, Any] = statement["recordDetails"]
    kind = statement["recordType"]
    published = statement.get("publicationDetails") or {}
    publisher = (published.get("publisher") or {}).get("name")
    spool.add(
        "statements",
        (
            position, found.file, found.row, statement["statementId"], statement["recordId"], kind,
            statement.get("recordStatus") or "new", statement["statementDate"], publisher,
        ),
    )  # fmt: skip
    if kind != "relationship":
        spool.add("parties", (position, statement["recordId"], *party_row(kind, details)))
        return
    spool.add("relations", (position, *relationship_row(details)))
    for interest, trouble in interest_rows(details):
        if trouble:
            spool.add("bad", (found.file, found.row, shown, f"an interest is left out: {trouble}"))
        else:
            spool.add("interests", (position, *interest))


def _choose(spool: Spool) -> None:
    """Tell the statements in use from those that are repeated, replaced or closed."""
    for statement in (
        "CREATE TABLE judged AS SELECT *, row_number() OVER (PARTITION BY statement_id ORDER BY position) AS copy "
        "FROM statements",
        "CREATE TABLE aged AS SELECT *, row_number() OVER (PARTITION BY record_type, record_id "
        "ORDER BY statement_date DESC, position DESC) AS age FROM judged WHERE copy = 1",
        "CREATE VIEW current AS SELECT * FROM aged WHERE age = 1 AND status <> 'closed'",
        "CREATE TABLE party AS SELECT p.* FROM parties p SEMI JOIN current c USING (position)",
        "CREATE TABLE relation AS SELECT r.*, c.record_id, c.file, c.row, c.statement_id, "
        "s.entity_id IS NOT NULL AS has_subject, q.entity_id IS NOT NULL AS has_party, "
        "q.name AS party_name, q.entity_kind AS party_kind FROM relations r JOIN current c USING (position) "
        "LEFT JOIN party s ON s.entity_id = r.subject LEFT JOIN party q ON q.entity_id = r.party",
        "CREATE VIEW used AS SELECT * FROM relation WHERE has_subject AND has_party AND components = 0",
    ):
        spool.run(statement)


def _check_publishers(spool: Spool, path: object) -> None:
    shared = next(
        iter(
            spool.rows(
                "SELECT min(statement_id) FROM judged WHERE publisher IS NOT NULL GROUP BY record_id "
                "HAVING count(DISTINCT publisher) > 1 ORDER BY 1 LIMIT 1"
            )
        ),
        None,
    )
    if shared:
        raise SourceError(
            f"two publishers use one recordId, first in statement {shared[0]}; record ids are a publisher's own",
            mend="Read each publisher's files as a source of its own and link their entities",
            file=path,
        )


_ENTITIES: Final = """
SELECT entity_id, coalesce(name, 'not named: ' || coalesce(reason, entity_kind)) AS name, entity_kind, jurisdiction,
  identifiers, started, ended, 'BODS' AS source FROM party ORDER BY position
"""
_ATTRIBUTES: Final = """
SELECT entity_id, 'address' AS attribute, address AS value FROM party WHERE address IS NOT NULL
UNION ALL
SELECT entity_id, 'identifier' AS attribute, unnest(string_split(identifiers, '; ')) AS value FROM party
  WHERE identifiers IS NOT NULL ORDER BY 1, 2, 3
"""
_OWNERSHIP: Final = """
SELECT u.subject AS company_id, u.party AS owner_id,
  CASE WHEN u.party_kind NOT LIKE '%Person' THEN u.party END AS owner_company_id, u.party_name AS owner_name,
  u.party_kind AS owner_kind,
  least(coalesce(sum(low) FILTER (i.type = 'shareholding'), 0), 100) AS share_minimum,
  CASE WHEN count(i.type) = 0 OR bool_or(i.type IN ('unknownInterest', 'unpublishedInterest')) THEN 100
    ELSE least(coalesce(sum(high) FILTER (i.type = 'shareholding'), 0), 100) END AS share_maximum,
  sum(low) FILTER (i.type = 'votingRights') AS voting_minimum,
  CASE WHEN bool_or(i.type = 'votingRights')
    THEN least(sum(high) FILTER (i.type = 'votingRights'), 100) END AS voting_maximum,
  string_agg(DISTINCT i.type, '; ' ORDER BY i.type)
    FILTER (i.type NOT IN ('shareholding', 'votingRights')) AS control_by,
  coalesce(i.direct, 'unknown') AS direct, bool_or(i.beneficial) AS beneficial,
  min(i.from_date) AS from_date, CASE WHEN bool_and(i.to_date IS NOT NULL) THEN max(i.to_date) END AS to_date,
  any_value(u.statement_id) AS record
FROM used u LEFT JOIN interests i USING (position)
GROUP BY u.position, u.subject, u.party, u.party_name, u.party_kind, coalesce(i.direct, 'unknown'), i.to_date
ORDER BY u.position, direct, to_date
"""
_EXPOSED: Final = """
SELECT entity_id, 'politically exposed person' AS flag, 'exposed person' AS category, 0.0 AS weight,
  coalesce(exposure, 'declared') AS evidence, 'BODS' AS source, false AS supporting
FROM party WHERE exposed = 'isPep' ORDER BY position
"""
_UNSPECIFIED: Final = """
SELECT subject AS company_id, reason, description, statement_id AS record FROM relation
WHERE has_subject AND party IS NULL ORDER BY position
"""
_REJECTS: Final = f"""
SELECT file, row, record, reason FROM bad
UNION ALL SELECT file, row, statement_id, '{_REPEATED}' FROM judged WHERE copy > 1
UNION ALL SELECT file, row, statement_id, '{_NO_SUBJECT}' FROM relation WHERE NOT has_subject
UNION ALL SELECT file, row, statement_id, '{_NO_PARTY}' FROM relation
  WHERE has_subject AND party IS NOT NULL AND NOT has_party
ORDER BY 1, 2, 4
"""
_NUMBERS: Final = {
    "statements read": "SELECT (SELECT count(*) FROM statements) + (SELECT count(*) FROM bad "
    "WHERE reason NOT LIKE 'an interest is left out%')",
    "statements set aside": f"SELECT count(*) FROM ({_REJECTS}) "
    "WHERE reason NOT LIKE 'an interest is left out%'",
    "interests set aside": "SELECT count(*) FROM bad WHERE reason LIKE 'an interest is left out%'",
    "statements replaced by a later one": "SELECT count(*) FROM aged WHERE age > 1",
    "records closed": "SELECT count(*) FROM aged WHERE age = 1 AND status = 'closed'",
    "entities and persons in use": "SELECT count(*) FROM party",
    "relationships in use": "SELECT count(*) FROM used",
    "relationships with nobody named": "SELECT count(*) FROM relation WHERE has_subject AND party IS NULL",
    "indirect relationships told by their components": "SELECT count(*) FROM relation "
    "WHERE has_subject AND has_party AND components > 0",
}


def _counts(spool: Spool) -> pd.DataFrame:
    return counted({what: next(iter(spool.rows(query)))[0] for what, query in _NUMBERS.items()})
