"""CasePatterns: records with a time → combinations of attributes whose share changed, with how sure that is."""

from typing import Literal

import dagster as dg
import pandas as pd
from pydantic import Field, model_validator

from assets.case_patterns_checks import add_pattern_checks
from assets.case_patterns_search import (
    add_history,
    add_search,
    add_search_of_aggregates,
    add_stable,
    add_watch,
)
from assets.case_patterns_settings import Searched, Watch
from assets.case_patterns_told import add_told, add_told_barrier
from assets.casework import add_casework
from assets.disclosure import Disclosure
from assets.scaffold_studies import PatternsScaffolder
from assets.source import Source, add_records
from assets.study import Output, Study, StudyAssets
from hrtech.facts import facts_to_frame
from hrtech.patterns import PatternsError, PatternSettings
from hrtech.patterns.case_report import OPTIONAL, SHOWN, case_report, pattern_pages
from hrtech.patterns.planted import compare_with_planted, planted_facts
from hrtech.patterns.telling import pattern_facts, search_facts

#: Roles whose values can combine.
COMBINED = ("category", "multi_valued")


@dg.scaffold_with(PatternsScaffolder)
class CasePatterns(Study, Searched):
    """Finds what is changing, for whom, and says how sure that is."""

    source: Source | None = Field(
        default=None,
        description="The records, one row a case, with their time. zone: public for open data.",
    )
    aggregates: str | None = Field(
        default=None,
        description="Instead of records, aggregates of a CaseRelease with the time among its columns: "
        "study/aggregates. The noise of the release is then part of every test, and what is found may be published.",
    )
    stable: bool = Field(
        default=False, description="Also find what goes together in every period, which is no change."
    )
    watch: Watch | None = Field(default=None, description="Test each new period as it comes.")
    most_without_time: float = Field(
        default=0.05, ge=0, le=1, description="Share of records without a time above which a check warns."
    )
    truth: str | None = Field(
        default=None, description="Planted patterns of a simulated world (dated): study/noun."
    )
    disclose: Disclosure | None = Field(
        default=None,
        description="Release patterns of restricted records under disclosure control; by default nothing leaves.",
    )

    @model_validator(mode="after")
    def _search_exists(self) -> "CasePatterns":
        if (self.source is None) == (self.aggregates is None):
            raise PatternsError(
                "Name either a source of records or the aggregates of a release, and not both [setting: source, "
                "aggregates]"
            )
        if self.source is not None:
            self._check_source(self.source)
        else:
            for setting in ("stable", "watch", "disclose", "subject_id", "blank_means_no", "unknown"):
                if getattr(self, setting):
                    raise PatternsError(
                        f"{setting} needs records. Aggregates are released already, and what their columns mean was "
                        f"said there. Leave it out [setting: {setting}]"
                    )
        self.settings()
        return self

    def _check_source(self, source: Source) -> None:
        if source.zone == "released" or (source.asset or "").endswith("/synthetic_records"):
            raise PatternsError(
                "Synthetic records of a release do not say how much noise they hold, so that no test holds on them. "
                "Name its aggregates instead, as study/aggregates [setting: source, aggregates]"
            )
        if source.zone == "public" and self.disclose is not None:
            raise PatternsError("Open data need no disclosure control. Leave it out [setting: disclose]")
        roles = self.roles()
        named = [
            ("time", self.time),
            ("subject_id", self.subject_id),
            *(("combine", name) for name in self.combine),
        ]
        named += [
            (setting, name)
            for setting in ("blank_means_no", "ignored", "unknown")
            for name in getattr(self, setting)
        ]
        for setting, name in named:
            if name is not None and name not in roles:
                raise PatternsError(
                    f"No column that is read is called '{name}'. Name a column of the source [setting: {setting}]"
                )
        if roles[self.time] not in ("date", "category", "number"):
            raise PatternsError(
                f"'{self.time}' has the role {roles[self.time]}. Give it the role date, or category for periods such "
                "as 2024-Q3, or number for years [setting: time]"
            )
        if odd := [name for name in self.combine if name not in self.columns()]:
            raise PatternsError(
                f"'{odd[0]}' has the role {roles[odd[0]]}. Only categories, multi-valued columns and numbers with "
                "bands combine [setting: combine]"
            )
        if not self.columns():
            raise PatternsError(
                "No column can combine. Give at least one the role category or multi_valued, or a number bands "
                "[setting: source]"
            )

    def roles(self) -> dict[str, str]:
        """Return the role of every column that is read."""
        columns = self.source.columns if self.source else []
        return {column.name: column.role for column in columns if column.role != "leave_out"}

    def columns(self) -> list[str]:
        """Return the columns that can combine."""
        columns = self.source.columns if self.source else []
        return [
            column.name
            for column in columns
            if (column.role in COMBINED or (column.role == "number" and column.bands))
            and column.name not in (self.time, self.subject_id)
        ]

    def settings(self) -> PatternSettings:
        """Return what is searched as the science knows it."""
        return self.searched(self.columns())

    @property
    def zone(self) -> Literal["restricted", "released", "public"]:
        """Zone of what is found: that of what it is found in."""
        return self.source.zone if self.source else "released"

    def definitions(self, study: str, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build records, patterns with their tables, monitoring, findings and pages."""
        assets, settings = self.assets(study), self.settings()
        if self.source is not None:
            add_records(assets, self.source, context.project_root)
            add_search(assets, settings, self.zone)
        elif self.aggregates is not None:
            add_search_of_aggregates(assets, settings, self.aggregates)
        if self.stable:
            add_stable(assets, settings, self.zone)
        if self.watch is not None:
            add_watch(assets, settings, self.watch)
        add_history(assets)
        _findings(assets, self)
        made = {"stable": self.stable, "decisions": self.watch, "lives": self.watch, "planted": self.truth}
        tables = [noun for noun in SHOWN if noun != "composition" or self.source is not None]
        tables += [noun for noun in OPTIONAL if made[noun]]
        add_casework(assets, self.title, case_report, tables=tables, pages=pattern_pages)
        if self.zone != "restricted":
            add_told(assets, self)
        elif self.disclose is not None:
            add_told_barrier(assets, self, self.disclose)
        add_pattern_checks(assets, self.most_without_time, watched=self.watch is not None)
        return assets.definitions()


def _findings(assets: StudyAssets, study: CasePatterns) -> None:
    settings = study.settings()
    if study.truth:

        @assets.asset(
            Output("planted", "What was planted in the simulated world, and what of it was found."),
            zone="restricted",
            inputs={"patterns": "patterns", "truth": study.truth},
            settings=settings,
        )
        def planted(context, patterns: pd.DataFrame, truth: pd.DataFrame):
            """Compare what was found with what was planted."""
            return compare_with_planted(patterns, truth, settings)

    inputs = {noun: noun for noun in ("patterns", "search", "periods")}

    @assets.asset(
        Output("findings", "What changed, from what to what, and how sure that is, as facts."),
        zone="restricted",
        inputs=inputs | ({"planted": "planted"} if study.truth else {}),
        settings=study.confidence,
    )
    def findings(context, patterns, search, periods, planted: pd.DataFrame | None = None):
        """State the findings."""
        facts = search_facts(assets.study, search, patterns)
        facts += pattern_facts(assets.study, patterns, confidence=study.confidence, volume=periods)
        if planted is not None:
            facts += planted_facts(assets.study, planted, patterns)
        return facts_to_frame(facts)
