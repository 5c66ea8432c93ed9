"""CausalDiscovery: a table and what is known → a causal graph as a hypothesis, with the chance of each edge."""

import dagster as dg
import pandas as pd
from pydantic import Field

from assets.casework import add_casework
from assets.disclosure import Disclosure, add_disclosure
from assets.scaffold_studies import DiscoveryScaffolder
from assets.settings import Settings
from assets.source import Source, add_records
from assets.study import Made, Output, Study, StudyAssets
from hrtech.causal.discovery import (
    METHODS,
    DiscoveryQuestion,
    Knowledge,
    WhatIf,
    bind,
    check_columns,
    discover,
    pair_of,
)
from hrtech.causal.discovery.methods import Method
from hrtech.causal.discovery.models import ModelChoice
from hrtech.causal.discovery.table import MissingRule
from hrtech.causal.discovery.telling import discovery_facts, discovery_report
from hrtech.facts import facts_to_frame

TABLES = {
    "edges": "Edges of the graph: direction, chance, effect over the class.",
    "pairs": "The chance of an edge between every two variables.",
    "checks": "What spoke for the model, how confidence was calibrated, and warnings.",
    "consensus": "What each method found.",
    "answers": "Answers to what-if questions, or why there is none.",
    "proposals": "The graph as settings of an EffectStudy: a hypothesis.",
    "variables": "Variables, their kinds and levels.",
    "rows": "What was left out at each step, and how many rows were used.",
}
#: Roles of columns that can be variables.
_USABLE = ("category", "number", "date")


class Question(Settings):
    """A what-if question to the graph."""

    set: str = Field(description="The variable that is set.")
    low: str = Field(description="The value to compare with: a number, or a level.")
    high: str = Field(description="The value that it is set to.")
    outcome: str = Field(description="The variable that is looked at.")
    level: str | None = Field(
        default=None, description="For a category, the level whose share is looked at; the last by default."
    )


@dg.scaffold_with(DiscoveryScaffolder)
class CausalDiscovery(Study):
    """Searches for a causal graph that a table and what is known support."""

    source: Source = Field(description="The table, one row a person or case.")
    variables: list[str] = Field(
        default=[], description="Columns to join; by default every category, number and date that is read."
    )
    required: list[list[str]] = Field(default=[], description="Pairs [cause, effect] that are in the graph.")
    forbidden: list[list[str]] = Field(default=[], description="Pairs [cause, effect] that are not in it.")
    tiers: list[list[str]] = Field(
        default=[],
        description="Groups of variables in the order of time: nothing later causes anything earlier.",
    )
    cause_only: list[str] = Field(default=[], description="Variables that nothing in the table causes.")
    effect_only: list[str] = Field(default=[], description="Variables that cause nothing in the table.")
    data_model: ModelChoice = Field(
        default="auto", description="What is assumed of the data; auto chooses by kinds, linearity and noise."
    )
    missing: MissingRule = Field(
        default="complete_cases",
        description="Leave rows with a blank out, or keep a blank category as a level of its own.",
    )
    methods: list[Method] = Field(
        default=list(METHODS), description="Methods to compare; those that do not fit the data are left out."
    )
    what_if: list[Question] = Field(default=[], description="Questions to answer where the graph allows it.")
    resamples: int = Field(
        default=40, ge=20, le=1000, description="Tables drawn again for the confidence in edges."
    )
    calibration_worlds: int = Field(
        default=15,
        ge=0,
        le=500,
        description="Simulated tables that confidence is calibrated on; 0 tells plain frequencies, and says so.",
    )
    seed: int = Field(default=1, ge=0, description="Seed of everything random.")
    truth: str | None = Field(
        default=None, description="Planted effects (outcome, effect) of a simulated world: study/noun."
    )
    truth_variable: str | None = Field(default=None, description="The variable whose effects those are.")
    disclose: Disclosure | None = Field(
        default=None, description="Release the graph under disclosure control; by default nothing leaves."
    )

    def question(self) -> DiscoveryQuestion:
        """Return the question as the science knows it."""
        usable = [column.name for column in self.source.columns if column.role in _USABLE]
        return DiscoveryQuestion(
            variables=tuple(self.variables or usable),
            knowledge=Knowledge(
                required=tuple(pair_of(pair, "required") for pair in self.required),
                forbidden=tuple(pair_of(pair, "forbidden") for pair in self.forbidden),
                tiers=tuple(map(tuple, self.tiers)),
                cause_only=tuple(self.cause_only),
                effect_only=tuple(self.effect_only),
            ),
            model=self.data_model,
            missing=self.missing,
            methods=tuple(self.methods),
            what_if=tuple(WhatIf(one.set, one.low, one.high, one.outcome, one.level) for one in self.what_if),
            resamples=self.resamples,
            calibration_worlds=self.calibration_worlds,
            seed=self.seed,
        )

    def definitions(self, study: str, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build records, the graph with its tables, findings and pages."""
        assets = self.assets(study)
        question = self.question()
        check_columns(question, [column.name for column in self.source.columns if column.role in _USABLE])
        bind(question.knowledge, question.variables)
        add_records(assets, self.source, context.project_root)
        _graph(assets, question)
        _findings(assets, self)
        add_casework(assets, self.title, discovery_report, tables=list(TABLES))
        if self.disclose is not None:
            add_disclosure(assets, self.disclose, self.title, discovery_report)
        return assets.definitions()


def _graph(assets: StudyAssets, question: DiscoveryQuestion) -> None:
    @assets.asset(
        *(Output(noun, words) for noun, words in TABLES.items()),
        zone="restricted",
        inputs={"records": "records"},
        settings=question,
        kinds=("numba",),
    )
    def graph(context, records: pd.DataFrame):
        """Search for the graph, and say how sure each edge is."""
        found = discover(records, question)
        tables = {noun: getattr(found, noun) for noun in TABLES}
        told = {"edges": len(found.edges), "variables": len(found.names), "model": found.model}
        return tables | {"edges": Made(found.edges, metadata=told)}


def _findings(assets: StudyAssets, study: CausalDiscovery) -> None:
    inputs = {noun: noun for noun in ("edges", "answers", "rows", "variables")}
    if study.truth:
        inputs["truth"] = study.truth

    @assets.asset(
        Output("findings", "The edges and answers, as facts."),
        zone="restricted",
        inputs=inputs,
        settings=study.truth_variable,
    )
    def findings(context, edges, answers, rows, variables, truth=None):
        """State the findings."""
        known = (
            {} if truth is None else truth.drop_duplicates("outcome").set_index("outcome")["effect"].to_dict()
        )
        planted = {(study.truth_variable or "", outcome): float(effect) for outcome, effect in known.items()}
        return facts_to_frame(discovery_facts(assets.study, edges, answers, rows, variables, planted))
