"""What a linkage study declares: fields by kind, mode, blocking, threshold, bounds.

Invariant: a `LinkageSpec` that exists is consistent in itself. What only the registers can tell (does the column
exist, is an id used twice) is checked by `hrtech.linkage.registers`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

FieldKind = Literal[
    "person_name",
    "given_name",
    "family_name",
    "company_name",
    "address",
    "phone",
    "email",
    "date",
    "event_date",
    "identifier",
    "place",
    "postcode",
    "category",
    "encoded",
]
LinkageMode = Literal["deduplicate", "link", "both"]

FIELD_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
PART: Final = re.compile(r"([A-Za-z][A-Za-z0-9_]*)(?::(\d+|rare|bits\d+/\d+))?")
RESERVED: Final = frozenset({"register", "record_id", "entity_id"})


class LinkageError(ValueError):
    """Registers, settings or truth that cannot be linked as declared; the message says what and the mend."""


@dataclass(frozen=True)
class FieldSpec:
    """One thing that records are compared on.

    Attributes:
        name: Name of the field in results; letters, digits and underscores.
        kind: What it is, which decides normalisation and comparison levels.
        columns: Column of each register, or one name for all. Empty: the column is called like the field.
        term_frequency: Whether agreement on a rare value counts for more than on a common one (a
            name, but also a date that stands for unknown, or the phone of an agent). Categories have no such weight.
        essential: Whether records are only joined when alike in it (or blank), whatever else agrees: a
            shared office makes no firm another. None: only for company names.
        region: For phones: country of numbers without a country code (ISO 3166-1, two letters), of each register or
            one for all.
        region_columns: For phones: column with that country, of each register or one name for all; before `region`.
        levels: Levels of agreement between equality and difference, strongest first, in place of those of the kind:
            pairs of SQL over `<name>_l` and `<name>_r`, as in Splink, and a label. Such a field is compared on its own.
    """

    name: str
    kind: FieldKind
    columns: Mapping[str, str] | str = ""
    term_frequency: bool = True
    essential: bool | None = None
    region: Mapping[str, str] | str = ""
    region_columns: Mapping[str, str] | str = ""
    levels: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", tuple((sql, label) for sql, label in self.levels))
        if not FIELD_NAME.fullmatch(self.name) or "__" in self.name or self.name in RESERVED:
            raise LinkageError(
                f"Field name '{self.name}' cannot be used. Take letters, digits and single underscores, and none "
                f"of {', '.join(sorted(RESERVED))} [setting: fields.name]"
            )
        if self.kind not in get_args(FieldKind):
            raise LinkageError(
                f"Field '{self.name}' has the unknown kind '{self.kind}'. Use one of "
                f"{', '.join(get_args(FieldKind))} [setting: fields.kind]"
            )

        regions = [self.region] if isinstance(self.region, str) else list(self.region.values())
        if any(one and not re.fullmatch("[A-Z]{2}", one) for one in regions):
            raise LinkageError(
                f"Field '{self.name}' has a region that is no country code. Write two capitals of ISO 3166-1, such as "
                "GB [setting: fields.region]"
            )
        if self.kind != "phone" and (self.region or self.region_columns):
            raise LinkageError(
                f"Field '{self.name}' is no phone, and only phones have a region [setting: fields.region]"
            )
        if self.levels:
            self._check_levels()

    def _check_levels(self) -> None:
        labels = [label for _, label in self.levels]
        taken = {"same", "different", "unknown"}
        if len(set(labels)) < len(labels) or taken & set(labels):
            raise LinkageError(
                f"Field '{self.name}' has two levels of one label, or one called {', '.join(sorted(taken))}. "
                "Give each a name of its own [setting: fields.levels.label]"
            )
        if self.kind == "encoded":
            raise LinkageError(
                f"Field '{self.name}' holds encodings, whose levels are fixed. Take its levels out "
                "[setting: fields.levels]"
            )
        for sql, label in self.levels:
            self._check_sql(sql, label)

    def _check_sql(self, sql: str, label: str) -> None:
        import sqlglot
        from sqlglot import expressions
        from sqlglot.errors import SqlglotError

        where = f"Field '{self.name}', level '{label}'"
        try:
            statements = sqlglot.parse(f"select {sql}", dialect="duckdb")
        except SqlglotError:
            statements = []
        parsed = statements[0] if len(statements) == 1 else None
        if parsed is None:
            raise LinkageError(
                f"{where}: no SQL condition. Write one over {self.name}_l and {self.name}_r "
                "[setting: fields.levels.sql]"
            )
        found = {column.sql() for column in parsed.find_all(expressions.Column)}
        known = {f"{self.name}_l", f"{self.name}_r"}
        nested = parsed.find(expressions.From, expressions.Subquery, expressions.Table)
        if nested is not None or not found or found - known or len(parsed.expressions) != 1:
            raise LinkageError(
                f"{where}: a level is one condition over {self.name}_l and {self.name}_r alone, without queries "
                "[setting: fields.levels.sql]"
            )

    def column(self, register: str) -> str | None:
        """Return the column that holds this field in a register, or None where the register has none."""
        if isinstance(self.columns, str):
            return self.columns or self.name
        return self.columns.get(register)


@dataclass(frozen=True)
class LinkageSpec:
    """How registers are linked.

    Attributes:
        fields: What records are compared on.
        mode: `deduplicate` one register, `link` between registers only, or `both`.
        id_columns: Column that identifies a record: one name for all registers, or one per register.
        blocking: Rules, each a list of parts that must all agree for two records to be compared. A part is a field
            (`date_of_birth`), its first characters (`family_name:3`), or its rarest word (`company_name:rare`).
            An empty rule compares all pairs. None: suggested from the data.
        threshold: Match probability from which records are joined. None: one half, the probability at which a
            wrong join and a missed one are equally likely (fewest expected wrong pair decisions).
        max_pairs: Upper bound of pairs to score; above it the linkage is refused before it runs.
        seed: Seed of the random pairs from which chance agreement is estimated.
        duplicate_free: Registers that hold each entity at most once.
        training_pairs: Random pairs drawn to estimate chance agreement.
        engine: What scores the pairs: DuckDB in this process, or Spark.
    """

    fields: tuple[FieldSpec, ...]
    mode: LinkageMode = "both"
    id_columns: Mapping[str, str] | str = "record_id"
    blocking: tuple[tuple[str, ...], ...] | None = None
    threshold: float | None = None
    max_pairs: int = 20_000_000
    seed: int = 1
    duplicate_free: tuple[str, ...] = field(default=())
    training_pairs: int = 2_000_000
    engine: Literal["duckdb", "spark"] = "duckdb"

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", tuple(self.fields))
        object.__setattr__(self, "duplicate_free", tuple(self.duplicate_free))
        if self.blocking is not None:
            object.__setattr__(self, "blocking", tuple(tuple(rule) for rule in self.blocking))
        names = [one.name for one in self.fields]
        if not names:
            raise LinkageError("No fields to compare records on. Declare at least one [setting: fields]")
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise LinkageError(
                f"Field declared twice: {', '.join(twice)}. Keep one of each [setting: fields]"
            )
        if self.mode not in get_args(LinkageMode):
            raise LinkageError(
                f"Mode '{self.mode}' is unknown. Use deduplicate, link or both [setting: mode]"
            )
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise LinkageError("A threshold is a probability between 0 and 1 [setting: threshold]")
        if self.engine not in ("duckdb", "spark"):
            raise LinkageError("The engine is duckdb or spark [setting: engine]")
        if self.max_pairs < 1 or self.training_pairs < 1:
            raise LinkageError("Pair bounds must be at least 1 [setting: max_pairs, training_pairs]")
        self._check_blocking(set(names))

    def _check_blocking(self, names: set[str]) -> None:
        if self.blocking is not None and not self.blocking:
            raise LinkageError(
                "No blocking rules. Give some, or leave them out to have them suggested [setting: blocking]"
            )
        for rule in self.blocking or ():
            for part in rule:
                found = PART.fullmatch(part)
                if found is None or found.group(1) not in names or found.group(2) == "0":
                    raise LinkageError(
                        f"Blocking part '{part}' is no declared field. Write 'field', 'field:3' (first characters) or "
                        "'field:rare' (rarest word) [setting: blocking]"
                    )

    def id_column(self, register: str) -> str:
        """Return the column that identifies records of a register."""
        if isinstance(self.id_columns, str):
            return self.id_columns
        return self.id_columns.get(register, "record_id")
