"""`dg scaffold defs assets.CaseRelease NAME --source FILE`: a commented defs.yaml for a user's own data.

It reads names and shapes only. No cell value and no observed range is written: value lists and bands come from a
codebook that the user names, or are measured privately, and charged, by the release. What every scaffolder shares
is here; the drafts of the other components are in `assets.scaffold_studies`.
"""

import re
from abc import abstractmethod
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import BaseModel, Field

from assets.study import StudyNameError, check_study_name
from hrtech.sources import ColumnSpec, SourceError, read_codebook, suggest_columns, words_of_name

HEAD = """\
# {title}
# Read every line: what is written here is a suggestion{origin}.
type: {type}
attributes:
  title: {quoted}
  # Who answers for this study: e-mail addresses, or team names.
  owners: ["team:data-keepers"]
"""

RELEASE = """\
  # People whose privacy budget pays: a file in policy/populations/.
  population: our_people
  # Why these data are released. It goes into the ledger: say it in your words.
  purpose: "Share what these records say without showing anybody"
  source:
    path: {path}
{codebook}    columns:
{columns}
{expectations}  # One person may have several records. subject_id names the column that joins them: an identifier.
  # Without it each record counts as a person of its own, and a person with two records is protected half as well.
{subject}
  # Privacy loss of this release (ε at δ), charged once to the population's budget.
  epsilon: 1.0
  delta: 1.0e-6
  # Attributes published together at most, up to 5: more tells more, with more noise.
  reporting_length: 3
  # A cell that says 0 means no and is left out, as a blank is. Name the columns where 0 is to be released.
  # sensitive_zeros: []
"""

#: By how many columns have a name that says who a person is: none, one, several.
SUBJECT = (
    """\
  # No column was recognised by its name. Where nothing joins records, let each person have one record.
  # subject_id: person_id""",
    """\
  # This column was recognised by its name alone: check it. If it tells records apart, nobody is joined, and there are
  # as many people as records after the first run. If people share a value, they count as one: the figures are wrong.
  subject_id: {columns}""",
    """\
  # Several columns may say who a person is: keep the one whose people this release protects. The study does not load
  # with a list here. Without any of them each record counts as a person.
  subject_id: [{columns}]""",
)

KNOWN_SUBJECT = """\
    # A record without it belongs to nobody and stops the run.
    expectations:
      - {{type: expect_column_values_to_not_be_null, column: {column}}}
"""

ROLES = {
    "category": "one of a list of values",
    "multi_valued": "several values at once",
    "number": "a quantity: give bands, such as bands: [0, 18, 25, 65], or it is not released",
    "date": "a day: used for time, never released as it is",
    "identifier": "names a person or a record: joins records, never released",
    "text": "free text, names, addresses: never released",
    "leave_out": "not read at all",
}

#: Words of a column's name that tell people apart, and not their records, cases or organisations.
PEOPLE = frozenset(
    re.findall(
        r"\w+",
        """
        person individual victim survivor client patient subject beneficiary participant respondent claimant
        complainant migrant refugee child suspect accused defendant offender perpetrator trafficker
        """,
    )
)
IDS = frozenset({"id", "uuid", "guid", "ref", "reference", "identifier"})


class SourceParams(BaseModel):
    """What `dg scaffold` may be told about the data."""

    source: str | None = Field(default=None, description="File or folder with the records.")
    codebook: str | None = Field(
        default=None, description="Value lists of the columns: CSV (column,value,label) or DDI-Codebook XML."
    )


class ReleaseParams(SourceParams):
    """What `dg scaffold` may be told about a release."""

    template: str | None = Field(
        default=None,
        description="Start from a release that is known instead of a file's columns: iom_2021 (k-anonymity), "
        "iom_2022 (victims and perpetrators) or iom_2024.",
    )


class StudyScaffolder(dg.Scaffolder[Any]):
    """Writes the commented defs.yaml of one component; each names its options and its draft."""

    @abstractmethod
    def draft(self, request: dg.ScaffoldRequest[Any]) -> str:
        """Return the text of the defs.yaml."""

    def scaffold(self, request: dg.ScaffoldRequest[Any]) -> None:
        """Write `defs.yaml` into the study's folder, or end the command with one line that says why not."""
        try:
            if request.scaffold_format != "yaml":
                raise SourceError("a study is declared in YAML", mend="Leave --format out", setting="format")
            check_study_name(request.target_path.name)
            text = self.draft(request)
        except (SourceError, StudyNameError) as error:
            if request.target_path.is_dir() and not any(request.target_path.iterdir()):
                request.target_path.rmdir()  # dg made it, and would refuse the next try
            raise SystemExit(f"Nothing was written. {error}") from None
        (request.target_path / "defs.yaml").write_text(text, encoding="utf-8")


class CaseReleaseScaffolder(StudyScaffolder):
    """Drafts a CaseRelease from the file of the records, or from a template."""

    @classmethod
    def get_scaffold_params(cls) -> type[ReleaseParams]:
        """Return the options of the command."""
        return ReleaseParams

    def draft(self, request: dg.ScaffoldRequest[ReleaseParams]) -> str:
        """Return the text of the defs.yaml."""
        if request.params.template:
            return template_yaml(
                request.params.template,
                source=request.params.source,
                codebook=request.params.codebook,
                root=request.project_root,
            )
        return release_yaml(
            request.type_name,
            request.target_path.name,
            source=request.params.source,
            codebook=request.params.codebook,
            root=request.project_root,
        )


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

    Raises:
        SourceError: The file or the codebook cannot be read.
    """
    columns = columns_of(source) or [ColumnSpec("column_name", "category")]
    listed = set(read_codebook(absolute(codebook))) if codebook else set()
    subjects = [column.name for column in columns if names_people(column.name)]
    columns = [ColumnSpec(c.name, "identifier") if c.name in subjects else c for c in columns]
    return head(type_name, study, source) + RELEASE.format(
        path=path_text(source, root),
        codebook=_codebook(codebook, root),
        columns=columns_text(columns, listed=listed),
        expectations=KNOWN_SUBJECT.format(column=quoted(subjects[0])) if len(subjects) == 1 else "",
        subject=SUBJECT[min(len(subjects), 2)].format(columns=", ".join(map(quoted, subjects))),
    )


def template_yaml(
    template: str, *, source: str | None = None, codebook: str | None = None, root: Path | None = None
) -> str:
    """Return the text of a template, with the paths of a source and a codebook put in; neither is read.

    Raises:
        SourceError: There is no such template.
    """
    texts = {Path(file.name).stem: file for file in (files("assets") / "templates").iterdir()}
    if template not in texts:
        raise SourceError(
            f"there is no template '{template}'",
            mend=f"Name one of {', '.join(sorted(texts))}",
            setting="template",
        )
    listed = f"\n    codebook: {path_text(codebook, root)}" if codebook else ""
    text = texts[template].read_text(encoding="utf-8")
    return text.replace(f"path: {path_text(None, root)}", f"path: {path_text(source, root)}{listed}", 1)


def names_people(column: str) -> bool:
    """Tell by its name whether a column says who a person is, such as client_id.

    Joining too much costs truth and joining too little costs a person's protection without a trace, so a name is
    enough. A case_id tells cases apart, and a national_id is often blank: they are left to the reader.
    """
    words = words_of_name(column)
    return bool(words & PEOPLE) and bool(words & IDS)


def head(type_name: str, study: str, source: str | None = None) -> str:
    """Return the lines that every draft begins with."""
    origin = (
        f" from the names and shapes of the columns of\n# {Path(source).name}. "
        "No value of any cell and no range was taken from it"
        if source
        else ""
    )
    title = study.replace("_", " ").capitalize()
    return HEAD.format(title=title, quoted=quoted(title), origin=origin, type=type_name)


def columns_of(source: str | None) -> list[ColumnSpec]:
    """Suggest the columns of a source; none without one."""
    return suggest_columns(absolute(source)) if source else []


def columns_text(
    columns: Sequence[ColumnSpec], *, indent: int = 6, listed: set[str] = frozenset(), banded: bool = True
) -> str:
    """Return the YAML of columns, each role with what becomes of it.

    Args:
        columns: The columns.
        indent: Blanks before the dash of each.
        listed: Columns whose values the codebook lists.
        banded: Numbers are released in bands; otherwise they are used as they are.
    """
    blanks = " " * indent
    return "\n".join(
        blanks + line for column in columns for line in _column(column, column.name in listed, banded)
    )


def _column(column: ColumnSpec, listed: bool, banded: bool) -> list[str]:
    note = "a quantity" if column.role == "number" and not banded else ROLES[column.role]
    lines = [
        f"- name: {quoted(column.name)}",
        f"  role: {column.role}  # {note}{'; values from the codebook' if listed else ''}",
    ]
    seen = (
        ("separator", column.separator, "separator"),
        ("date_format", column.date_format, "format"),
        ("decimal", None if column.decimal == "." else column.decimal, "decimal mark"),
    )
    learned = [(f"  {setting}: {quoted(value)}", words) for setting, value, words in seen if value]
    for line, words in learned:
        lines += [line, f"  learned: true  # the {words} was seen in the data"]
    if column.role == "date" and not learned:
        lines.append('  # date_format: "%d/%m/%Y"  # unless dates are written 2001-12-31')
    if column.unique:
        lines.append("  unique: true")
    if column.role == "number" and banded:
        lines.append("  # bands: [0, 18, 25, 65]")
    return lines


def _codebook(codebook: str | None, root: Path | None) -> str:
    note = "    # Value lists for the columns. A column without one has its list measured privately, which costs.\n"
    return note + (
        f"    codebook: {path_text(codebook, root)}\n" if codebook else "    # codebook: codebook.csv\n"
    )


def absolute(path: str) -> str:
    """Make a path absolute; URLs stay as they are."""
    return path if "://" in path else str(Path(path).expanduser().resolve())


def path_text(path: str | None, root: Path | None) -> str:
    """Return a path as YAML, relative where it lies inside the project; an example for none."""
    if path is None:
        return quoted("cases.csv")
    whole = absolute(path)
    inside = "://" not in whole and root is not None and Path(whole).is_relative_to(root)
    return quoted(Path(whole).relative_to(root) if inside and root else whole)


def quoted(text: Any) -> str:
    """Return a text as a YAML scalar in double quotes."""
    escaped = str(text).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'
