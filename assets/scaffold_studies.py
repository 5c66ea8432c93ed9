"""`dg scaffold defs assets.EntityLinkage NAME` and its like: commented drafts of every component but CaseRelease.

As in `assets.scaffold`, names and shapes of columns are read and nothing of a cell. Where a draft cannot know a
column or a table, it holds a placeholder that `dg check` refuses in one line.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from pydantic import BaseModel, Field

from assets.scaffold import (
    IDS,
    StudyScaffolder,
    columns_of,
    columns_text,
    head,
    names_people,
    path_text,
    quoted,
)
from hrtech.linkage.spec import FIELD_NAME, RESERVED
from hrtech.sources import ColumnSpec, words_of_name

DISCLOSE = """\
  # Nothing leaves this study unless a named person allows it; small counts are then withheld.
  # disclose:
  #   population: our_people
  #   purpose: "say why"
  #   approvers: [A Person]
"""

LINKAGE = """\
  # One entry a register. A second one under another name links the two.
  registers:
    {register}:
      # Tells records apart: no two share a value.
      id_column: {id}
      source:
        path: {path}
        columns:
{columns}
  # deduplicate: repeats within a register. link: matches between registers. both.
  mode: deduplicate
  # What records are compared on: keep what stays the same about a person or firm. Kinds: person_name, given_name,
  # family_name, company_name, address, phone, email, date, identifier, category.
  fields:
{fields}
"""

EFFECT = """\
  # The claim in words, and what it expects of the outcome: increases, decreases or changes.
  hypothesis: "say what is claimed"
  direction: changes
  # One row a person: several rows of one make the interval too narrow.
  source:
    path: {path}
    columns:
{columns}
  # Exposure and outcome: a column with the role number (the exposure holds 0 and 1), or a condition over columns,
  # such as age >= 18. In a condition, a name that is no plain word stands in backticks.
  treatment: {treatment}
  outcome: {outcome}
  # Causes of both, from what is known about the subject; what is not named is not adjusted for.
  confounders: []
  # What the exposure works through, and common effects of both: never adjusted for.
  mediators: []
  colliders: []
  # Other definitions for the specification curve, who is how sure of what, and an outcome that the exposure cannot
  # change but its causes can; docs/effect_study.md says more.
  # alternatives: [{{element: population, name: adults, expression: age >= 18}}]
  # beliefs: [{{variable: age, degree: likely, who: the field team}}]
  # negative_control_outcomes: []
"""

DISCOVERY = """\
  # One row a person: several rows of one make the chances too high.
  source:
    path: {path}
    columns:
{columns}
  # What is known beforehand. Nothing later causes anything earlier; within a group all is open.
  # tiers:
  #   - [age, region]
  #   - [income]
  # Pairs [cause, effect] that are in the graph, or are not.
  required: []
  forbidden: []
  # What nothing here causes, and what causes nothing here.
  cause_only: []
  effect_only: []
  # Questions to the graph; answered where it allows it.
  # what_if:
  #   - {{set: trust, low: "3", high: "7", outcome: income}}
"""

EVENT = """\
  # The claim in words, and what it expects of the outcome: increases, decreases or changes.
  hypothesis: "say what is claimed"
  direction: changes
  # One row a unit and period: a region and month, a firm and year.
  source:
    path: {path}
    columns:
{columns}
  # The period is a number (a year) or a date.
  unit: {unit}
  period: {period}
  # Columns of numbers. Divide them by one with per, such as the population, and scale the rate.
  outcomes: [{outcome}]
  # Say the event in one way. treated: a column that is 1 in the rows in which it was in force. Or adopted: a column
  # with its first period, blank where there never was one. Or treated_units with event_period.
  {event}
  # A unit that lacks a period: leave_out, interpolate or refuse. Each is named.
  missing: leave_out
"""

PATTERNS = """\
  # One row a case. Numbers combine in bands; what blanks mean is unknown, unless blank_means_no names the column.
  source:
    path: {path}
    columns:
{columns}
  # The column with the time: a date (counted by month), a year, or a period such as 2024-Q3.
  time: {time}
  # period: quarter   # week, month, quarter, half_year or year; or declared, with the labels in order under periods
  # Most attributes of a pattern, and lengths of the windows in which a share may have changed.
  max_length: 4
  windows: [1, 2, 3]
  # Whom a record is about, where one person may have several: an identifier among the columns.
  # subject_id: person_id
  # Columns where an empty cell says no, and values that make no pattern.
  # blank_means_no: []
  # ignored: {{}}
  # Probability of any false pattern in the strict tier, and share of false ones in the exploratory one.
  strict: 0.05
  exploratory: 0.10
  # Test each new period once, as it comes, from this one on; patterns that raise an alert fail a check.
  # watch: {{first: "2024-07"}}
"""

NETWORK = """\
  # A table with one row per entity: study/noun. A file becomes one as a register of an EntityLinkage.
  entities:
    asset: {asset}
    id_column: {id}
    name_column: {name}
    # Columns whose shared values may link two entities: addresses, phones, mail, owners.
    attributes: {attributes}
  # Further tables, if there are any: study/noun.
  # ownership: our_registers/owners
  # red_flags: our_registers/red_flags
  # A value that more entities share links nobody: a formation agent's address.
  max_attribute_degree: 20
"""

RELEASED = """\
  # The claim in words, and what it expects of the outcome: increases, decreases or changes.
  hypothesis: "say what is claimed"
  direction: changes
  # A CaseRelease with differential privacy: the name of its study.
  release: {release}
  # A column of the release and one of its values.
  exposure: {exposure}
  outcome: {outcome}
  # Causes of both: a column, {{column: [some of its values]}}, or {{column: value that is held or not}}. With exposure
  # and outcome at most as many as the release's reporting_length.
  confounders: []
"""

EVIDENCE = """\
  # The paragraph that opens the site.
  summary: "say what readers will find, and about whom"
  organisation: "name who publishes"
  # Studies to tell, in this order; each releases facts (a CaseRelease, a ReleasedEffect, or a study with disclose).
  studies: {studies}
"""

MOCK = """\
  # tiny, demo or large; the same seed makes the same world.
  size: tiny
  seed: 1
  simulated: true
"""

#: Kind of a field, and the words in a column's name that tell it; the first that fits.
KINDS = (
    ("email", "email", "mail"),
    ("phone", "phone", "telephone", "tel", "mobile", "fax"),
    ("date", "dob", "birthdate", "birthday", "dateofbirth", "date birth"),
    ("address", "address", "street"),
    ("identifier", "passport", "ssn", "nin", "iban", "national id", "tax id", "soc sec", "social security"),
    ("given_name", "given name", "first name", "given", "forename", "firstname"),
    ("family_name", "family name", "last name", "surname", "lastname", "familyname"),
    ("company_name", "company name", "firm name", "employer name", "business name"),
    ("company_name", "organisation name", "organization name"),
    ("person_name", "name", "names", "fullname"),
)
#: Parts of a panel, and the words in a column's name that tell them.
PANEL_WORDS = {
    "unit": frozenset({"unit", "region", "state", "country", "district", "province", "county"}),
    "period": frozenset({"period", "year", "month", "quarter", "week", "date", "time"}),
    "treated": frozenset({"treated", "treatment", "post"}),
}
#: Words in the name of a column with a time, where none has the role date.
TIMES = frozenset({"date", "month", "quarter", "period", "year", "week", "time", "register"})
#: Kinds of fields whose shared values may link two entities.
SHARED = ("address", "phone", "email", "identifier")
FIRMS = frozenset({"company", "firm", "employer", "business"})
PLACES = frozenset({"city", "town", "village", "district", "province", "region", "state", "country"})

#: Tables that a linkage makes.
LINKAGE_TABLES = frozenset(
    re.findall(
        r"\w+",
        """
        match_weights entities linked_records parameters blocking quality unlinkables evaluation findings casework
        facts report judgements judgements_of_file review contradictions changes settings
        judged_quality state compared_records
        """,
    )
)


class FileParams(BaseModel):
    """What `dg scaffold` may be told about the data."""

    source: str | None = Field(default=None, description="File or folder with the records.")


class _FromFile(StudyScaffolder):
    @classmethod
    def get_scaffold_params(cls) -> type[FileParams]:
        """Return the options of the command."""
        return FileParams


class LinkageScaffolder(_FromFile):
    """Drafts an EntityLinkage over one register."""

    def draft(self, request: dg.ScaffoldRequest[FileParams]) -> str:
        """Return the text of the defs.yaml."""
        source = request.params.source
        found = columns_of(source) or [ColumnSpec("record_id", "identifier"), ColumnSpec("name", "text")]
        id_column = _id_column(found)
        of_firms = bool(words_of_name(id_column) & FIRMS)
        register = _plain(Path(source).stem.lower() if source else "records", "register", refused_register)
        columns, fields = [], []
        taken = set(RESERVED)
        for column in found:
            kind = None if column.name == id_column else _kind(column, of_firms)
            columns.append(_for_linkage(column, kind, column.name == id_column))
            if kind:
                name = _plain(column.name, "field", lambda text: text.lower() in taken)
                taken.add(name.lower())
                at = (
                    f", columns: {{{quoted(register)}: {quoted(column.name)}}}" if name != column.name else ""
                )
                fields.append(f"    - {{name: {quoted(name)}, kind: {kind}{at}}}")
        return (
            head(request.type_name, request.target_path.name, source)
            + LINKAGE.format(
                register=quoted(register),
                id=quoted(id_column),
                path=path_text(source, request.project_root),
                columns=columns_text(columns, indent=10, banded=False),
                fields="\n".join(fields) or "    - {name: name, kind: person_name}",
            )
            + DISCLOSE
        )


class EffectScaffolder(_FromFile):
    """Drafts an EffectStudy over one table."""

    def draft(self, request: dg.ScaffoldRequest[FileParams]) -> str:
        """Return the text of the defs.yaml."""
        source = request.params.source
        columns = columns_of(source) or [ColumnSpec("exposure", "category"), ColumnSpec("outcome", "number")]
        return (
            head(request.type_name, request.target_path.name, source)
            + EFFECT.format(
                path=path_text(source, request.project_root),
                columns=columns_text(columns, banded=False),
                treatment="exposure" if not source else '"name the column of the exposure"',
                outcome="outcome" if not source else '"name the column of the outcome"',
            )
            + DISCLOSE
        )


class DiscoveryScaffolder(_FromFile):
    """Drafts a CausalDiscovery over one table."""

    def draft(self, request: dg.ScaffoldRequest[FileParams]) -> str:
        """Return the text of the defs.yaml."""
        source = request.params.source
        columns = columns_of(source) or [ColumnSpec(name, "number") for name in ("age", "income", "trust")]
        return (
            head(request.type_name, request.target_path.name, source)
            + DISCOVERY.format(
                path=path_text(source, request.project_root), columns=columns_text(columns, banded=False)
            )
            + DISCLOSE
        )


class EventScaffolder(_FromFile):
    """Drafts an EventStudy over one panel."""

    def draft(self, request: dg.ScaffoldRequest[FileParams]) -> str:
        """Return the text of the defs.yaml."""
        source = request.params.source
        columns = columns_of(source) or [
            ColumnSpec("region", "category"),
            ColumnSpec("year", "number"),
            ColumnSpec("outcome", "number"),
            ColumnSpec("treated", "number"),
        ]
        named = {word: _named(columns, words) for word, words in PANEL_WORDS.items()}
        event = named["treated"]
        # the event is read as 0 and 1, whatever the shape of its values suggests
        columns = [ColumnSpec(c.name, "number") if c.name == event else c for c in columns]
        return (
            head(request.type_name, request.target_path.name, source)
            + EVENT.format(
                path=path_text(source, request.project_root),
                columns=columns_text(columns, banded=False),
                unit=quoted(named["unit"] or "name the column of the unit"),
                period=quoted(named["period"] or "name the column of the period"),
                outcome="outcome" if not source else '"name a column of numbers"',
                event=f"treated: {quoted(event or 'name the column of the event')}",
            )
            + DISCLOSE
        )


class PatternsScaffolder(_FromFile):
    """Drafts a CasePatterns over one table of cases."""

    def draft(self, request: dg.ScaffoldRequest[FileParams]) -> str:
        """Return the text of the defs.yaml."""
        source = request.params.source
        columns = columns_of(source) or [
            ColumnSpec("date", "date"),
            ColumnSpec("region", "category"),
            ColumnSpec("kind", "category"),
        ]
        dated = next((column.name for column in columns if column.role == "date"), None)
        time = dated or _named(columns, TIMES)
        return (
            head(request.type_name, request.target_path.name, source)
            + PATTERNS.format(
                path=path_text(source, request.project_root),
                columns=columns_text(columns),
                time=quoted(time or "name the column of the time"),
            )
            + DISCLOSE
        )


class NetworkScaffolder(StudyScaffolder):
    """Drafts an EntityNetwork over the first register that a linkage study of the project reads."""

    def draft(self, request: dg.ScaffoldRequest[Any]) -> str:
        """Return the text of the defs.yaml."""
        asset, id_column, named = "our_registers/companies", "company_id", "name"
        shared = ["address", "phone"]
        for study, component, attributes in _siblings(request.target_path):
            if component == "EntityLinkage" and (registers := _mapping(attributes.get("registers"))):
                register, settings = next(iter(registers.items()))
                asset = f"{study}/{register}"
                id_column = _mapping(settings).get("id_column", "record_id")
                columns = _columns_by_kind(attributes.get("fields"), register)
                named = next((column for kind, column in columns if kind.endswith("name")), named)
                shared = [column for kind, column in columns if kind in SHARED]
                break
        return (
            head(request.type_name, request.target_path.name)
            + NETWORK.format(
                asset=quoted(asset),
                id=quoted(id_column),
                name=quoted(named),
                attributes=f"[{', '.join(map(quoted, shared))}]",
            )
            + DISCLOSE
        )


class ReleasedEffectScaffolder(StudyScaffolder):
    """Drafts a ReleasedEffect over the first private release of the project."""

    def draft(self, request: dg.ScaffoldRequest[Any]) -> str:
        """Return the text of the defs.yaml."""
        private = (
            study
            for study, component, attributes in _siblings(request.target_path)
            if component == "CaseRelease" and attributes.get("epsilon") is not None
        )
        return head(request.type_name, request.target_path.name) + RELEASED.format(
            release=quoted(next(private, "our_cases")),
            exposure='{"name a column": "and one of its values"}',
            outcome='{"name another column": "and one of its values"}',
        )


class EvidenceScaffolder(StudyScaffolder):
    """Drafts an EvidenceSite over the studies of the project that release something."""

    def draft(self, request: dg.ScaffoldRequest[Any]) -> str:
        """Return the text of the defs.yaml."""
        telling = [
            study
            for study, component, attributes in _siblings(request.target_path)
            if component in ("CaseRelease", "ReleasedEffect") or attributes.get("disclose")
        ]
        studies = f"[{', '.join(map(quoted, telling or ['our_cases']))}]"
        return head(request.type_name, request.target_path.name) + EVIDENCE.format(studies=studies)


class MockScaffolder(StudyScaffolder):
    """Drafts a MockData."""

    def draft(self, request: dg.ScaffoldRequest[Any]) -> str:
        """Return the text of the defs.yaml."""
        return head(request.type_name, request.target_path.name) + MOCK


def _siblings(folder: Path) -> list[tuple[str, str, dict[str, Any]]]:
    """Name, component and settings of the other studies that can be read, sorted by name."""
    found = []
    for path in sorted(folder.parent.glob("*/defs.yaml")):
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError):
            continue  # `dg check yaml` tells its author
        if isinstance(content, dict) and isinstance(content.get("attributes"), dict):
            component = str(content.get("type", "")).rpartition(".")[2]
            found.append((path.parent.name, component, content["attributes"]))
    return found


def _mapping(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _columns_by_kind(fields: Any, register: str) -> list[tuple[str, str]]:
    """Return kind and column of the fields that a register has."""
    found = []
    for field in map(_mapping, fields if isinstance(fields, list) else []):
        columns = _mapping(field.get("columns"))
        column = columns.get(register) if columns else field.get("name")
        if column is not None:
            found.append((str(field.get("kind")), str(column)))
    return found


def _id_column(columns: list[ColumnSpec]) -> str:
    """Choose the column that tells records apart: by its name, people's ids last; `record_id` for want of one."""
    ids = [c.name for c in columns if words_of_name(c.name) & IDS and _kind(c) != "identifier"]
    return min(ids, key=names_people, default="record_id")


def _named(columns: list[ColumnSpec], words: frozenset[str]) -> str | None:
    """First column whose name holds one of the words and that is read."""
    read = (column.name for column in columns if column.role != "leave_out")
    return next((name for name in read if words_of_name(name) & words), None)


def _kind(column: ColumnSpec, of_firms: bool = False) -> str | None:
    words = words_of_name(column.name)
    if len(words) == 1 and words <= FIRMS:
        return "company_name"
    fitting = (kind for kind, *marks in KINDS if any(words.issuperset(mark.split()) for mark in marks))
    kind = next(fitting, None)
    if kind == "person_name" and words & PLACES:
        kind = None
    if kind == "person_name" and of_firms:
        return "company_name"
    return kind or ("category" if column.role == "category" else None)


def _for_linkage(column: ColumnSpec, kind: str | None, is_id: bool) -> ColumnSpec:
    """Give a column that linkage needs the role to be read, where a release would leave it out."""
    if is_id:
        return ColumnSpec(column.name, "identifier", unique=True)
    if kind is None or kind == "category" or column.role in ("date", "text"):
        return column
    return ColumnSpec(column.name, "date" if kind == "date" else "text")


def refused_register(name: str) -> bool:
    """Tell whether no register may have this name: a linkage makes a table of that name, or hands it over."""
    return name in LINKAGE_TABLES or name == "context"


def _plain(name: str, word: str, refused: Callable[[str], bool]) -> str:
    """Return a name in letters, digits and single underscores, made longer by a word or a number where refused."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
    if not FIELD_NAME.fullmatch(plain) or refused(plain):
        plain = f"{word}_{plain}".strip("_")
    numbered = (plain, *(f"{plain}_{number}" for number in range(2, 10_000)))
    return next(text for text in numbered if not refused(text))
