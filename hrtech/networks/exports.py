"""A network as files that other programs read: GraphML, JSON, Excel and FollowTheMoney.

The files name entities and what is held against them: they are restricted, whatever they were made of.
"""

import io
import json
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Any, Final

import pandas as pd

from hrtech.networks.spec import NetworkError

Tables = Mapping[str, pd.DataFrame]
"""`nodes` and `edges`, and any of `paths, beneficial_owners, ownership_paths, control, communities, discoveries,
red_flags, watch_list`."""

_NEEDED: Final = {
    "nodes": ("entity_id", "name", "node_kind"), "edges": ("source", "target", "kind", "probability", "evidence")
}  # fmt: skip
_SHEET_ROWS: Final = 1_048_576
_CELL: Final = 32_767
#: Start of a text that a spreadsheet would take for a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def export_network(tables: Tables, formats: Iterable[str]) -> pd.DataFrame:
    """Write a network.

    Args:
        tables: As `Tables` says.
        formats: Any of `FORMATS`.

    Returns:
        One row a file: `path, media_type, content` (bytes).

    Raises:
        NetworkError: A format is unknown, a table or column is missing, or a table has more rows than a sheet.
    """
    for table, columns in _NEEDED.items():
        if table not in tables:
            raise NetworkError(f"The table '{table}' is missing: an export is made of nodes and edges")
        if missing := [name for name in columns if name not in tables[table].columns]:
            raise NetworkError(f"The table '{table}' has no column {', '.join(missing)}. Add or rename it")
    rows = []
    for name in dict.fromkeys(formats):
        if name not in FORMATS:
            raise NetworkError(f"There is no format '{name}'. Use {', '.join(FORMATS)} [setting: export]")
        path, media_type, write = FORMATS[name]
        rows.append((path, media_type, write(tables)))
    frame = pd.DataFrame(rows, columns=["path", "media_type", "content"])
    return frame.astype({"path": "str", "media_type": "str", "content": "object"})


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; None where it is unknown."""
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else value


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): _plain(value) for key, value in row.items()} for row in frame.to_dict("records")]


def to_json(tables: Tables) -> bytes:
    """Write every table as a list of objects under its name."""
    made = {name: _records(frame) for name, frame in tables.items()}
    return json.dumps(made, ensure_ascii=False, indent=1, allow_nan=False).encode()


def to_graphml(tables: Tables) -> bytes:
    """Write nodes and edges as GraphML (graphml.graphdrawing.org); unknown values are left out.

    Links without a direction stand as edges from source to target whose `directed` is false.
    """
    import networkx as nx

    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    for row in _records(tables["nodes"]):
        graph.add_node(str(row.pop("entity_id")), **_known(row))
    for row in _records(tables["edges"]):
        source, target = str(row.pop("source")), str(row.pop("target"))
        graph.add_edge(source, target, directed=row["kind"] == "ownership", **_known(row))
    sink = io.BytesIO()
    nx.write_graphml(graph, sink)
    return sink.getvalue()


def _known(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _legal(value) for key, value in row.items() if value is not None}


def _legal(value: Any) -> Any:
    """Drop the control characters that neither XML nor a spreadsheet may hold."""
    if not isinstance(value, str):
        return value
    return "".join(sign for sign in value if sign in "\t\n\r" or (sign >= " " and sign not in "\ufffe\uffff"))


def to_excel(tables: Tables) -> bytes:
    """Write every table as a sheet. Texts stay texts: what looks like a formula is not one.

    Raises:
        NetworkError: A table has more rows than a sheet can hold.
    """
    from openpyxl import Workbook  # type: ignore[import-untyped]
    from openpyxl.cell import WriteOnlyCell  # type: ignore[import-untyped]
    from openpyxl.styles import Font  # type: ignore[import-untyped]

    book = Workbook(write_only=True)
    for name, frame in tables.items():
        if len(frame) >= _SHEET_ROWS:
            raise NetworkError(
                f"The table '{name}' has {len(frame):,} rows, and a sheet holds {_SHEET_ROWS:,}. Export it as json or "
                "graphml [setting: export]"
            )
        sheet = book.create_sheet(name[:31])
        sheet.freeze_panes = "A2"
        header = [WriteOnlyCell(sheet, str(column)) for column in frame.columns]
        for cell in header:
            cell.font = Font(bold=True)
        sheet.append(header)
        for row in _records(frame):
            sheet.append([_cell(sheet, value) for value in row.values()])
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


def _cell(sheet: Any, value: Any) -> Any:
    from openpyxl.cell import WriteOnlyCell

    if not isinstance(value, str):
        return value
    text = _legal(value)[:_CELL]
    cell = WriteOnlyCell(sheet, text)
    if text.startswith(_FORMULA):
        cell.data_type = "s"
        cell.quotePrefix = True
    return cell


def to_followthemoney(tables: Tables) -> bytes:
    """Write entities of FollowTheMoney 4, one a line: firms, owners, Ownership and UnknownLink."""
    lines = []
    companies = {
        str(owner)
        for owner, kind in _owner_kinds(tables)
        if kind == "company"
    }  # fmt: skip
    for row in _records(tables["nodes"]):
        name = str(row["entity_id"])
        schema = "Company" if row["node_kind"] == "entity" or name in companies else "LegalEntity"
        properties = {"name": [row["name"] or name]}
        if row.get("risk") is not None:
            properties["notes"] = [f"risk {row['risk']:.3f} by network analysis"]
        lines.append({"id": name, "schema": schema, "properties": properties})
    for number, row in enumerate(_records(tables["edges"]), start=1):
        ends = (str(row["source"]), str(row["target"]))
        if row["kind"] == "ownership":
            share = str(row["evidence"]).removeprefix("owns ").replace(" %", "").replace("–", "-")
            properties = {"owner": [ends[0]], "asset": [ends[1]], "percentage": [share]}
            lines.append({"id": f"ownership-{number}", "schema": "Ownership", "properties": properties})
        else:
            evidence = f"{row['evidence']} (probability {row['probability']:.3f})"
            properties = {
                "subject": [ends[0]],
                "object": [ends[1]],
                "role": [row["kind"]],
                "summary": [evidence],
            }
            lines.append({"id": f"link-{number}", "schema": "UnknownLink", "properties": properties})
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def _owner_kinds(tables: Tables) -> Iterable[tuple[str, str]]:
    owners = tables.get("beneficial_owners")
    if owners is None or owners.empty:
        return ()
    return zip(owners["owner"], owners["owner_kind"], strict=True)


#: Name → file, media type, writer.
FORMATS: Final[Mapping[str, tuple[str, str, Callable[[Tables], bytes]]]] = {
    "graphml": ("network.graphml", "application/graphml+xml", to_graphml),
    "json": ("network.json", "application/json", to_json),
    "excel": ("network.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", to_excel),
    "followthemoney": ("network.ftm.json", "application/json+ftm", to_followthemoney),
}
