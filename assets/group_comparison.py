"""GroupComparison: records → figures of groups, how they differ, rank and change, and what of it may be told."""

from functools import partial

import dagster as dg
import pandas as pd
from pydantic import Field, model_validator

from assets.casework import add_casework
from assets.disclosure import Disclosure
from assets.group_checks import add_group_checks
from assets.group_disclosure import add_group_disclosure
from assets.group_settings import GroupMeasure
from assets.scaffold_groups import GroupScaffolder
from assets.source import Source, add_records
from assets.study import Made, Output, Study, StudyAssets
from hrtech.causal.expression import columns_named
from hrtech.facts import facts_to_frame
from hrtech.groups import GroupError, GroupQuestion, compare_groups
from hrtech.groups.columns import COLUMNS
from hrtech.groups.publish import protection_table
from hrtech.groups.question import Compare, Every, Unknown
from hrtech.groups.report import SHOWN, group_report
from hrtech.groups.telling import group_facts
from hrtech.groups.truth import against_truth

TABLES = {
    "estimates": "Each group's figures with intervals, by window and over all, crude and standardised.",
    "against_others": "Each group against everybody outside it: difference, ratio, p values adjusted for all tests.",
    "pairs": "Groups against one another, over all windows.",
    "changes": "Each window of a group against the one before.",
    "ranks": "Places of groups, with those that cannot be excluded.",
    "left_out": "Blanks, and what was left out.",
    "standard": "The standard population.",
}


@dg.scaffold_with(GroupScaffolder)
class GroupComparison(Study):
    """Compares groups of records: who differs from all others, who changed, and whether it is more than chance."""

    source: Source = Field(description="The records, one row each.")
    groups: list[str] = Field(
        min_length=1,
        description="Columns whose values make the groups; of several, each combination is one. A record of a "
        "multi-valued column belongs to several.",
    )
    measures: list[GroupMeasure] = Field(min_length=1, description="What is compared.")
    filters: list[str] = Field(
        default=[], description="Conditions that a record must meet; where one is unknown it is left out."
    )
    period: str | None = Field(
        default=None, description="Column with the period: dates, whole numbers, or words that sort."
    )
    every: Every = Field(default="year", description="Length of a window where the period is a date.")
    subject: str | None = Field(
        default=None,
        description="Column that names the person behind a record, where one may have several: intervals then allow "
        "for it, and small means few people.",
    )
    weight: str | None = Field(default=None, description="Column with a survey weight; cannot be disclosed.")
    standardise: list[str] = Field(
        default=[], description="Columns, such as age and gender, whose mix is made the same in every group."
    )
    standard: Source | None = Field(
        default=None,
        description="The standard population: the columns to standardise for, and weight. By default all records.",
    )
    denominators: Source | None = Field(
        default=None,
        description="Exposure by group: the columns of groups, the period and the columns to standardise for where "
        "they matter, and numbers.",
    )
    compare: list[Compare] = Field(
        default=["others", "pairs", "changes"],
        description="What is tested: each group against all others, pairs, changes from window to window. What is "
        "not asked for is not paid for.",
    )
    unknown: Unknown = Field(
        default="leave_out", description="A blank in a column of groups: left out and counted, or a group."
    )
    confidence: float = Field(
        default=0.95, gt=0.5, lt=1, description="Coverage of intervals; 1 minus it is the error rate."
    )
    most_groups: int = Field(default=100, ge=2, le=500, description="More groups are refused.")
    most_unknown: float = Field(
        default=0.2, ge=0, le=1, description="A check warns where a larger share is unknown or left out."
    )
    seed: int = Field(default=1, ge=0, description="Seed of the bootstrap of means.")
    truth: str | None = Field(
        default=None, description="True counts (attributes, count) of a simulated world: study/noun."
    )
    disclose: Disclosure | None = Field(
        default=None, description="Release what may be told; by default nothing leaves."
    )

    @model_validator(mode="after")
    def _question_exists(self) -> "GroupComparison":
        question, roles = self.question(), _roles(self.source)
        needed = [("groups", name) for name in question.groups]
        needed += [("standardise", name) for name in question.standardise]
        needed += [(s, str(getattr(self, s))) for s in ("period", "subject", "weight") if getattr(self, s)]
        conditions = [("filters", text) for text in question.filters]
        for measure in question.measures:
            setting = f"measures, {measure.name}"
            conditions += [(setting, measure.condition)] if measure.condition else []
            numbers = [name for name in (measure.events, measure.exposure, measure.column) if name]
            needed += [(setting, name) for name in numbers]
            for name in numbers:
                if roles.get(name, "number") != "number":
                    raise GroupError(
                        f"'{name}' has the role {roles[name]}. Give it the role number [setting: {setting}]"
                    )
            if measure.denominator and self.denominators is None:
                raise GroupError(
                    f"Rate '{measure.name}' names a denominator, and there is no table of them. Name one "
                    "[setting: denominators]"
                )
        for setting, text in conditions:
            needed += [(setting, name) for name in sorted(columns_named(text, setting=setting))]
        for setting, name in needed:
            if name not in roles:
                raise GroupError(
                    f"No column that is read is called '{name}'. Name a column of the source [setting: {setting}]"
                )
        if self.disclose is not None and self.weight:
            raise GroupError(
                "Weighted figures cannot be disclosed yet. Leave one out [setting: disclose, weight]"
            )
        return self

    def question(self) -> GroupQuestion:
        """Return the question as the science knows it."""
        return GroupQuestion(
            groups=tuple(self.groups),
            measures=tuple(one.measure() for one in self.measures),
            filters=tuple(self.filters),
            period=self.period,
            every=self.every,
            subject=self.subject,
            weight=self.weight,
            standardise=tuple(self.standardise),
            compare=tuple(self.compare),
            unknown=self.unknown,
            confidence=self.confidence,
            most_groups=self.most_groups,
            seed=self.seed,
        )

    def definitions(self, study: str, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build the records, the comparison with its tables, findings and pages, and what may be told."""
        assets, question = self.assets(study), self.question()
        add_records(assets, self.source, context.project_root)
        further = {}
        for noun, source in (("denominators", self.denominators), ("standard_population", self.standard)):
            if source is not None:
                words = f"The {noun.replace('_', ' ')}, as declared."
                add_records(assets, source, context.project_root, name=noun, description=words)
                further[noun] = noun
        _comparison(assets, question, further)
        shown = list(SHOWN)
        if self.truth:
            _truth(assets, question, self.truth)
            shown.append("against_truth")
        if self.disclose is not None:
            _protection(assets, question, self.disclose.minimum_cell, further)
            shown.append("protection")
            add_group_disclosure(assets, self.disclose, self.title, question, self.truth)
        _findings(assets, question, self.truth)
        add_casework(assets, self.title, partial(group_report, question=question), tables=shown)
        add_group_checks(assets, self.most_unknown, question)
        return assets.definitions()


def _roles(source: Source) -> dict[str, str]:
    """Role of every column that is read."""
    return {column.name: column.role for column in source.columns if column.role != "leave_out"}


def _comparison(assets: StudyAssets, question: GroupQuestion, further: dict[str, str]) -> None:
    @assets.asset(
        *(Output(noun, words, columns=COLUMNS[noun]) for noun, words in TABLES.items()),
        zone="restricted",
        inputs={"records": "records", **further},
        settings=question,
        kinds=("scipy",),
    )
    def comparison(context, records: pd.DataFrame, **tables: pd.DataFrame):
        """Compare the groups."""
        found = compare_groups(
            records, question, tables.get("denominators"), tables.get("standard_population")
        )
        told = {"groups": int(found.estimates["group"].nunique()), "estimates": len(found.estimates)}
        made: dict[str, object] = {noun: getattr(found, noun) for noun in TABLES}
        return made | {"estimates": Made(found.estimates, metadata=told)}


def _truth(assets: StudyAssets, question: GroupQuestion, truth: str) -> None:
    @assets.asset(
        Output(
            "against_truth",
            "Shares of groups beside the simulated world's truth.",
            columns=COLUMNS["against_truth"],
        ),
        zone="restricted",
        inputs={"estimates": "estimates", "truth": truth},
        settings=question,
    )
    def beside(context, estimates: pd.DataFrame, truth: pd.DataFrame):
        """Compare with the truth."""
        return against_truth(estimates, question, truth)


def _protection(assets: StudyAssets, question: GroupQuestion, minimum: int, further: dict[str, str]) -> None:
    given = {name: noun for name, noun in further.items() if name == "denominators"}

    @assets.asset(
        Output(
            "protection",
            "Which figures may be told so that no small count can be worked out from them all.",
            columns=COLUMNS["protection"],
        ),
        zone="restricted",
        inputs={"records": "records", **given},
        settings=[question, minimum],
        kinds=("highs",),
    )
    def protection(context, records: pd.DataFrame, **tables: pd.DataFrame):
        """Withhold counts until a reader of everything can narrow none down."""
        decided = protection_table(records, question, minimum, tables.get("denominators"))
        return Made(decided, metadata={"figures": len(decided), "withheld": int((~decided["told"]).sum())})


def _findings(assets: StudyAssets, question: GroupQuestion, truth: str | None) -> None:
    nouns = ["estimates", "against_others", "changes", "ranks", *(["against_truth"] if truth else [])]

    @assets.asset(
        Output("findings", "Figures, places, differences and changes, as facts."),
        zone="restricted",
        inputs={noun: noun for noun in nouns},
        settings=question,
    )
    def findings(context, **tables: pd.DataFrame):
        """State the findings."""
        return facts_to_frame(group_facts(assets.study, question, tables))
