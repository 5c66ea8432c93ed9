"""`dg scaffold defs assets.CaseRelease NAME --source FILE`: a commented defs.yaml for a user's own data.

It reads names and shapes only. No cell value and no observed range is written: value lists and bands come from a
codebook that the user names, or are measured privately, and charged, by the release.
"""

from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import BaseModel, Field

from hrtech.sources import ColumnSpec, read_codebook, suggest_columns

HEAD = """\
# {title}
# Read every line: what is written here is a suggestion from the names and shapes of the columns of {file}.
# No value of any cell and no range was taken from it.
type: {type}
attributes:
  title: {title}
  # Who answers for this study: e-mail addresses, or team names.
  owners: ["team:data-keepers"]
"""

RELEASE = """\
  # People whose privacy budget pays: a file in policy/populations/.
  population: our_people
  # Why these data are released, for the ledger.
  purpose: "say why"
  source:
    path: {path}
{codebook}    columns:
{columns}
  # One person may have several records: name the identifier that joins them. Without it each record is a person.
{subject}
  # Privacy loss of this release (ε at δ), charged once to the population's budget.
  epsilon: 1.0
  delta: 1.0e-6
  # Attributes published together at most: 1 or 2.
  reporting_length: 2
{cap}"""

CAP = """\
  # Columns with several values and no list: say from what you know, not from these data, how many attributes one
  # person has at most over all columns. Of more, some are left out at random. Here: one for each column.
  max_attributes_per_person: {columns}
"""

ROLES = {
    "category": "one of a list of values",
    "multi_valued": "several values at once",
    "number": "a quantity: give bands, such as bands: [0, 18, 25, 65], or it is not released",
    "date": "a day: used for time, never released as it is",
    "identifier": "names a person or a record: joins records, never released",
    "text": "free text: never released",
    "leave_out": "not read at all",
}


class SourceParams(BaseModel):
    """What `dg scaffold` may be told about the data."""

    source: str | None = Field(default=None, description="File or folder with the records.")
    codebook: str | None = Field(
        default=None, description="Value lists of the columns: CSV (column,value,label) or DDI-Codebook XML."
    )


class CaseReleaseScaffolder(dg.Scaffolder[SourceParams]):
    """Writes the commented defs.yaml of a CaseRelease."""

    @classmethod
    def get_scaffold_params(cls) -> type[SourceParams]:
        """Return the options of the command."""
        return SourceParams

    def scaffold(self, request: dg.ScaffoldRequest[SourceParams]) -> None:
        """Write `defs.yaml` into the study's folder."""
        params = request.params if isinstance(request.params, SourceParams) else SourceParams()
        text = release_yaml(
            request.type_name,
            request.target_path.name,
            source=params.source,
            codebook=params.codebook,
            root=request.project_root,
        )
        (request.target_path / "defs.yaml").write_text(text, encoding="utf-8")


def release_yaml(
    type_name: str, study: str, *, source: str | None, codebook: str | None = None, root: Path | None = None
) -> str:
    """Return the text of a commented defs.yaml.

    Args:
        type_name: Component, such as `assets.CaseRelease`.
        study: Name of the study's folder.
        source: File with the records; without one an example column is written.
        codebook: File with value lists.
        root: Project folder; paths inside it are written relative to it.
    """
    columns = suggest_columns(_absolute(source)) if source else [ColumnSpec("column_name", "category")]
    listed = set(read_codebook(_absolute(codebook))) if codebook else set()
    head = HEAD.format(
        title=study.replace("_", " ").capitalize(), file=Path(source or "your file").name, type=type_name
    )
    identifiers = [column.name for column in columns if column.role == "identifier"]
    released = [column for column in columns if column.role in ("category", "multi_valued")]
    unbounded = any(column.role == "multi_valued" and column.name not in listed for column in released)
    body = RELEASE.format(
        cap=CAP.format(columns=len(released)) if unbounded else "",
        path=_quoted(_shown(source, root) if source else "cases.csv"),
        codebook=_codebook(codebook, root),
        columns="\n".join(_column(column, column.name in listed) for column in columns),
        subject=f"  subject_id: {_quoted(identifiers[0])}" if identifiers else "  # subject_id: person_id",
    )
    return head + body


def _codebook(codebook: str | None, root: Path | None) -> str:
    note = "    # Value lists for the columns. A column without one has its list measured privately, which costs.\n"
    return note + (
        f"    codebook: {_quoted(_shown(codebook, root))}\n" if codebook else "    # codebook: codebook.csv\n"
    )


def _column(column: ColumnSpec, listed: bool) -> str:
    note = ROLES[column.role] + ("; values from the codebook" if listed else "")
    lines = [f"      - name: {_quoted(column.name)}", f"        role: {column.role}  # {note}"]
    if column.separator:
        lines += [
            f"        separator: {_quoted(column.separator)}",
            "        learned: true  # the separator was seen",
        ]
    if column.role == "number":
        lines.append("        # bands: [0, 18, 25, 65]")
    return "\n".join(lines)


def _absolute(path: str) -> str:
    return path if "://" in path else str(Path(path).expanduser().resolve())


def _shown(path: str, root: Path | None) -> str:
    whole = Path(_absolute(path))
    return str(whole.relative_to(root)) if root and whole.is_relative_to(root) else str(whole)


def _quoted(text: Any) -> str:
    escaped = str(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
