"""EffectStudy: a table and a question → an effect with an interval, and what was done to refute it."""

from functools import partial

import dagster as dg
import pandas as pd
from pydantic import Field

from assets.casework import add_casework
from assets.disclosure import Disclosure, add_disclosure
from assets.scaffold_studies import EffectScaffolder
from assets.source import Source, add_records
from assets.study import Made, Output, Study, StudyAssets
from hrtech.causal import EffectError, EffectQuestion, columns_named, estimate_effect
from hrtech.causal.question import Direction, Estimator, Missing
from hrtech.causal.telling import effect_facts, effect_report
from hrtech.facts import facts_to_frame

TABLES = {
    "effect": "The answer: estimand in words, estimate and interval, verdict.",
    "estimates": "The estimate of every estimator.",
    "variables": "What was adjusted for, what was not, and why.",
    "balance": "How alike the exposed and the others are, before and after adjustment.",
    "refutations": "What was done to refute the estimate.",
    "overlap": "How far the exposed and the others can be compared at all.",
    "rows": "What was left out at each step, and how many rows were used.",
}


@dg.scaffold_with(EffectScaffolder)
class EffectStudy(Study):
    """Asks what an exposure does to an outcome, and what would change one's mind."""

    hypothesis: str = Field(description="The claim in words.", min_length=5)
    direction: Direction = Field(default="changes", description="What the claim expects of the outcome.")
    source: Source = Field(description="The table, one row a person or case.")
    treatment: str = Field(description="Exposure: a column with two levels, or an expression over columns.")
    outcome: str = Field(description="Outcome: a column of numbers, or an expression over columns.")
    confounders: list[str] = Field(default=[], description="Causes of both exposure and outcome.")
    treatment_causes: list[str] = Field(default=[], description="Causes of the exposure alone.")
    outcome_determinants: list[str] = Field(default=[], description="Causes of the outcome alone.")
    instruments: list[str] = Field(
        default=[], description="Causes of the exposure that touch the outcome only through it."
    )
    mediators: list[str] = Field(
        default=[], description="What the exposure works through; never adjusted for."
    )
    colliders: list[str] = Field(default=[], description="Common effects of both; never adjusted for.")
    graph: list[list[str]] = Field(default=[], description="Pairs [cause, effect] that replace these roles.")
    population: str | None = Field(
        default=None, description="Expression that is true for the rows asked about."
    )
    estimators: list[Estimator] = Field(
        default=["aipw", "linear_regression"], min_length=1, description="The first gives the headline."
    )
    missing: Missing = Field(
        default="complete_cases",
        description="Leave rows with a blank out, or keep a blank adjuster as its own level.",
    )
    confidence: float = Field(default=0.95, gt=0.5, lt=1, description="Coverage of the intervals.")
    simulations: int = Field(default=50, ge=20, le=10_000, description="Simulations for each refutation.")
    seed: int = Field(default=1, ge=0, description="Seed of folds and refutations.")
    truth: str | None = Field(
        default=None, description="Planted effects (outcome, effect) of a simulated world: study/noun."
    )
    disclose: Disclosure | None = Field(
        default=None, description="Release the answer under disclosure control; by default nothing leaves."
    )

    def question(self) -> EffectQuestion:
        """Return the question as the science knows it."""
        return EffectQuestion(
            hypothesis=self.hypothesis,
            treatment=self.treatment,
            outcome=self.outcome,
            direction=self.direction,
            confounders=tuple(self.confounders),
            treatment_causes=tuple(self.treatment_causes),
            outcome_determinants=tuple(self.outcome_determinants),
            instruments=tuple(self.instruments),
            mediators=tuple(self.mediators),
            colliders=tuple(self.colliders),
            graph=tuple((cause, effect) for cause, effect in self.graph),
            population=self.population,
            estimators=tuple(self.estimators),
            missing=self.missing,
            confidence=self.confidence,
            simulations=self.simulations,
            seed=self.seed,
        )

    def check_named(self) -> None:
        """Refuse an exposure, an outcome or a population that the declared columns cannot give.

        Raises:
            EffectError: It names no column that is read, or a column alone that holds no numbers.
        """
        roles = {column.name: column.role for column in self.source.columns if column.role != "leave_out"}
        for setting in ("treatment", "outcome", "population"):
            text = getattr(self, setting)
            if text is None:
                continue
            try:
                named = {text} if text in roles else columns_named(text, setting=setting)
            except EffectError:
                named = {text}
            if absent := sorted(named - set(roles)):
                raise EffectError(
                    f"No column that is read is called {', '.join(map(repr, absent))}. Name a column of the source, or "
                    f"write a condition over its columns [setting: {setting}]"
                )
            if setting != "population" and roles.get(text, "number") != "number":
                raise EffectError(
                    f"'{text}' has the role {roles[text]}. Give it the role number, or write a condition, such as "
                    f'`{text}` == "…" [setting: {setting}]'
                )

    def definitions(self, study: str, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build records, the effect with its tables, findings and pages."""
        assets = self.assets(study)
        self.check_named()
        add_records(assets, self.source, context.project_root)
        _effect(assets, self)
        report = partial(effect_report, hypothesis=self.hypothesis)
        shown = ("effect", "refutations", "balance", "variables", "overlap")
        add_casework(assets, self.title, report, tables=shown)
        if self.disclose is not None:
            add_disclosure(assets, self.disclose, self.title, report)
        return assets.definitions()


def _effect(assets: StudyAssets, study: EffectStudy) -> None:
    question = study.question()

    @assets.asset(
        *(Output(noun, words) for noun, words in TABLES.items()),
        zone="restricted",
        inputs={"records": "records"},
        settings=question,
        kinds=("dowhy",),
    )
    def effect(context, records: pd.DataFrame):
        """Identify, estimate and try to refute."""
        result = estimate_effect(records, question)
        tables = {noun: getattr(result, noun) for noun in TABLES if noun != "effect"}
        headline = Made(result.to_frame(), metadata={"verdict": result.verdict, "rows_used": result.n})
        return tables | {"effect": headline}

    inputs = {noun: noun for noun in ("effect", "estimates", "refutations", "overlap")}
    if study.truth:
        inputs["truth"] = study.truth

    @assets.asset(
        Output("findings", "The answer and what speaks against it, as facts."),
        zone="restricted",
        inputs=inputs,
        settings=study.outcome,
    )
    def findings(context, effect, estimates, refutations, overlap, truth=None):
        """State the findings."""
        planted = None
        if truth is not None:
            known = truth.loc[truth["outcome"] == study.outcome, "effect"]
            planted = None if known.empty else float(known.iloc[0])
        facts = effect_facts(
            assets.study,
            effect,
            estimates,
            refutations,
            overlap,
            planted,
            treatment=study.treatment,
            outcome=study.outcome,
        )
        return facts_to_frame(facts)
