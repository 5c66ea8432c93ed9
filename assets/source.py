"""Where a study's records come from: settings of a source and its columns, and the asset that reads them.

Every component that takes records uses these. Reading and typing are in `hrtech.sources`, checks in
`hrtech.quality`; here they become one asset and its asset checks.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import dagster as dg
from pydantic import Field, model_validator

from assets.settings import Settings
from assets.study import Made, Output, StudyAssets, refusals_told, version_key
from hrtech.quality import expectation_from_settings, run_suite, suite_from_settings
from hrtech.sources import ColumnSpec, SourceError, conform, fingerprint, read_codebook, read_source
from hrtech.sources.columns import Role
from hrtech.sources.files import Format
from resources.home import hrtech_home
from resources.judged import judged_fingerprint
from resources.lake_files import LakeError, zone_files

#: Before the name of a study: the source is what people judged on its casework pages.
JUDGED = "judgements:"


class Column(Settings):
    """One column of a source and the part that it plays."""

    name: str = Field(description="Name in the file's header or in the upstream table.")
    role: Role = Field(
        description="category: one of a list. multi_valued: several at once. number: a quantity. date: a day. "
        "identifier: joins a person's records, never released. text: free text, never released. leave_out: not read."
    )
    separator: str | None = Field(
        default=None, description="Between the values of a multi-valued cell, such as ';'."
    )
    values: list[str] | None = Field(
        default=None,
        description="The whole list of possible values, from a codebook. Without it a release must measure the list "
        "privately, which costs.",
    )
    bands: list[float] | None = Field(
        default=None,
        description="Edges of bands for a number, rising: [0, 18, 25, 65] gives 0–17, 18–24, 25–64, 65+.",
    )
    date_format: str | None = Field(default=None, description="Such as %d/%m/%Y; ISO dates by default.")
    decimal: Literal[".", ","] = Field(default=".", description="Decimal mark of a number.")
    blank: list[str] = Field(default=[], description="Further spellings of 'unknown' besides an empty cell.")
    unique: bool = Field(default=False, description="No two rows may share a value: an id of the rows.")
    learned: bool = Field(
        default=False,
        description="This setting was taken from the data itself and not from public knowledge; shown on the page.",
    )

    def spec(self, values: Sequence[str] | None = None) -> ColumnSpec:
        """Return it as the science knows it.

        `values` from a codebook stand in where none are declared here, and hold for categories only: a codebook
        may list codes of a number or of a column that is left out.
        """
        listable = values if self.role in ("category", "multi_valued") else None
        listed = self.values if self.values is not None else listable
        return ColumnSpec(
            name=self.name,
            role=self.role,
            separator=self.separator,
            values=tuple(listed) if listed is not None else None,
            bands=tuple(self.bands) if self.bands is not None else None,
            date_format=self.date_format,
            blank=tuple(self.blank),
            decimal=self.decimal,
            unique=self.unique,
            learned=self.learned,
        )


class Source(Settings):
    """A file, a folder of files, or an upstream asset, with the columns to read."""

    path: str | None = Field(
        default=None,
        description="File, folder or pattern: absolute, relative to the project, or starting with $HRTECH_HOME/.",
    )
    asset: str | None = Field(default=None, description="Upstream table instead of a file: study/noun.")
    format: Format | None = Field(default=None, description="By default from the file's ending.")
    encoding: str | None = Field(
        default=None, description="Such as utf-8 or windows-1252; detected by default."
    )
    delimiter: str | None = Field(
        default=None, description="Between the cells of a CSV; read from the header by default."
    )
    sheet: str | None = Field(default=None, description="Sheet of a workbook; needed where it has several.")
    delivered_by: str | None = Field(
        default=None, description="Asset that writes these files, if this project does: study/noun."
    )
    zone: Literal["restricted", "released", "public"] = Field(
        default="restricted",
        description="restricted unless this is open data (public) or came through a release (released).",
    )
    codebook: str | None = Field(
        default=None,
        description="Value lists for the columns: a CSV (column,value,label) or a DDI-Codebook XML file.",
    )
    columns: list[Column] = Field(
        description="The columns to read. What is not named is not read.", min_length=1
    )
    fresh_within_days: int | None = Field(
        default=None,
        ge=1,
        description="The UI marks the records as late when they were not read for this long.",
    )
    expectations: list[dict[str, Any]] = Field(
        default=[],
        description="Checks besides those that follow from the columns: type (a Great Expectations name), column, "
        "its arguments, and severity error (blocks what follows) or warn.",
    )

    @model_validator(mode="after")
    def _one_origin(self) -> "Source":
        if (self.path is None) == (self.asset is None):
            raise ValueError("name either path (a file or folder) or asset (an upstream table), and not both")
        for settings in self.expectations:
            expectation_from_settings(settings)
        names = [column.name for column in self.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the columns {', '.join(twice)} are declared twice")
        return self

    def specs(self, root: Path) -> list[ColumnSpec]:
        """Columns with the value lists of the codebook filled in.

        Raises:
            SourceError: The codebook is missing or malformed.
        """
        listed: Mapping[str, Sequence[str]] = {}
        if self.codebook is not None:
            listed = read_codebook(resolve_path(self.codebook, root))
        return [column.spec(listed.get(column.name)) for column in self.columns]


def resolve_path(path: str, root: Path) -> str:
    """Expand `$HRTECH_HOME/` and make a relative path absolute; URLs stay as they are."""
    if path.startswith("$HRTECH_HOME/"):
        return str(hrtech_home() / path.removeprefix("$HRTECH_HOME/"))
    if "://" in path or Path(path).is_absolute():
        return path
    return str(root / path)


def source_fingerprint(path: str) -> str | None:
    """Keyed hash of the content of a source, None where nothing can be read there yet.

    The path `judgements:STUDY` stands for what people judged on the casework pages of a study.
    """
    try:
        if path.startswith(JUDGED):
            return judged_fingerprint(zone_files("restricted"), path.removeprefix(JUDGED))
        return fingerprint(resolve_path(path, Path()), version_key())
    except (SourceError, LakeError, OSError):
        return None


def add_records(
    assets: StudyAssets, source: Source, root: Path, *, name: str = "records", description: str | None = None
) -> None:
    """Add the asset `<study>/<name>` that reads a source, and one asset check for each expectation.

    Args:
        assets: The study's assets.
        source: Its settings.
        root: Folder that relative paths start from.
        name: Noun of the asset.
        description: What a reader sees in the UI.
    """
    described = description or "Records as the organisation holds them, typed; blanks are unknown."
    if source.asset is not None:

        @assets.asset(
            Output(name, described, fresh_within_days=source.fresh_within_days),
            zone=source.zone,
            inputs={"table": source.asset},
            settings=source,
        )
        def conform_records(context, table):
            frame = conform(table, source.specs(root), source=source.asset)
            return Made(frame, metadata={"rows": len(frame)})

    else:
        path = source.path or ""

        @assets.asset(
            Output(name, described, fresh_within_days=source.fresh_within_days),
            zone=source.zone,
            after=[source.delivered_by] if source.delivered_by else [],
            settings=source,
            metadata={
                "hrtech/source_path": path if path.startswith("$HRTECH_HOME/") else resolve_path(path, root)
            },
        )
        def read_records(context):
            where = resolve_path(path, root)
            version = fingerprint(where, version_key(), source.format)
            frame = read_source(
                where,
                columns=source.specs(root),
                format=source.format,
                encoding=source.encoding,
                delimiter=source.delimiter,
                sheet=source.sheet,
            )
            return Made(frame, metadata={"rows": len(frame)}, tags={"hrtech/source": version[:60]})

    add_expectations(assets, source, root, name)
    # Dagster's own check: warns when columns or types differ from those of the run before
    assets.checks.extend(dg.build_column_schema_change_checks(assets=[assets.key(name)]))


def add_expectations(assets: StudyAssets, source: Source, root: Path, name: str) -> None:
    """Add one asset check for each expectation on `<study>/<name>`; error severity blocks what follows."""
    expectations = {
        expectation.name: expectation
        for expectation in suite_from_settings(source.expectations, source.specs(root))
    }
    key = assets.key(name)

    @dg.multi_asset_check(
        name=f"{assets.study}__{name}__expectations",
        specs=[
            dg.AssetCheckSpec(
                expectation.name,
                asset=key,
                description=f"{expectation.type} on {expectation.column or 'the table'}",
                blocking=expectation.severity == "error",
            )
            for expectation in expectations.values()
        ],
        ins={"frame": dg.AssetIn(key)},
        can_subset=True,
    )
    def check(context: dg.AssetCheckExecutionContext, frame):
        wanted = [expectations[selected.name] for selected in sorted(context.selected_asset_check_keys)]
        with refusals_told():
            outcomes = run_suite(frame, wanted)
        for outcome in outcomes:
            yield dg.AssetCheckResult(
                asset_key=key,
                check_name=outcome.name,
                passed=outcome.passed,
                severity=dg.AssetCheckSeverity.ERROR
                if outcome.severity == "error"
                else dg.AssetCheckSeverity.WARN,
                metadata=dict(outcome.counts),
            )

    assets.checks.append(check)
