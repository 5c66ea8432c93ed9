"""EffectStudy: a table and a question → an effect with an interval, and what was done to refute it."""

from functools import partial

import dagster as dg
import pandas as pd
from pydantic import Field

from assets.casework import add_casework
from assets.disclosure import Disclosure, add_disclosure
from assets.effect_curve import add_curve
from assets.effect_settings import AlternativeDefinition, CurveEstimator, StatedBelief
from assets.scaffold_studies import EffectScaffolder
from assets.source import Source, add_records
from assets.study import Made, Output, Study, StudyAssets
from hrtech.causal import EffectError, EffectQuestion, columns_named, estimate_effect
from hrtech.causal.case_report import SHOWN, case_report, specification_pages
from hrtech.causal.curve_telling import curve_facts
from hrtech.causal.private import refuse_synthetic_records
from hrtech.causal.question import Direction, Estimator, Kind, Missing
from hrtech.causal.refute import GRID
from hrtech.causal.telling import effect_facts, effect_report
from hrtech.causal.whole_curve import CurveSettings, curve_summary
from hrtech.facts import facts_to_frame

TABLES = {
    "effect": "The answer: estimand in words, estimate and interval, verdict.",
    "estimates": "The estimate of every estimator.",
    "variables": "What was adjusted for, what was not, and why.",
    "balance": "How alike the exposed and the others are, before and after adjustment.",
    "refutations": "What was done to refute the estimate.",
    "overlap": "How far the exposed and the others can be compared at all.",
    "rows": "What was left out at each step, and how many rows were used.",
    "groups": "Effects in declared groups, with intervals that hold together.",
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
    treatment_kind: Kind = Field(
        default="yes_no", description="yes_no, or amount: a number, whose effect is per unit."
    )
    follow_up: str | None = Field(
        default=None, description="Column of time at risk; the outcome then says whether the event ended it."
    )
    horizon: float | None = Field(
        default=None, gt=0, description="Time up to which event-free time counts, in units of follow_up."
    )
    alternatives: list[AlternativeDefinition] = Field(
        default=[], description="Other definitions of population, exposure and outcome, for the curve."
    )
    beliefs: list[StatedBelief] = Field(default=[], description="Who says what about the variables.")
    adjustment_sets: dict[str, list[str]] = Field(
        default={},
        description="Further adjustment sets by name; one that would mislead is refused with the reason.",
    )
    groups: list[str] = Field(default=[], description="Columns within which effects are shown besides.")
    cluster: str | None = Field(
        default=None,
        description="Column that says which rows belong together: household, shelter, interviewer.",
    )
    weights: str | None = Field(default=None, description="Column of survey weights.")
    negative_control_outcomes: list[str] = Field(
        default=[], description="Columns that the exposure cannot change, but what confounds it would."
    )
    estimators: list[Estimator] = Field(
        default=["aipw", "linear_regression"], min_length=1, description="The first gives the headline."
    )
    curve_estimators: list[CurveEstimator] = Field(
        default=["linear_regression", "ipw", "stratification", "matching", "aipw_linear"],
        min_length=1,
        description="Estimators of the specification curve; aipw, double_machine_learning and causal_forest take long.",
    )
    missing: Missing = Field(
        default="complete_cases",
        description="Leave rows with a blank out, keep a blank adjuster as its own level (indicator), weigh complete "
        "rows, or fill blanks several times (multiple_imputation).",
    )
    imputations: int = Field(default=10, ge=2, le=100, description="How often blanks are filled.")
    trim: float | None = Field(
        default=None,
        gt=0,
        lt=0.5,
        description="Leave rows out with a propensity below this, or above 1 − this.",
    )
    confidence: float = Field(default=0.95, gt=0.5, lt=1, description="Coverage of the intervals.")
    simulations: int = Field(default=100, ge=20, le=10_000, description="Simulations for each refutation.")
    refutation_grid: list[float] = Field(
        default=list(GRID),
        description="Strengths of a made-up confounder: shares (partial R²) of what is left of exposure and outcome.",
    )
    permutations: int = Field(
        default=499, ge=99, le=10_000, description="Permutations of the joint test of the curve."
    )
    seed: int = Field(default=1, ge=0, description="Seed of folds, refutations and permutations.")
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
            treatment_kind=self.treatment_kind,
            follow_up=self.follow_up,
            horizon=self.horizon,
            cluster=self.cluster,
            weights=self.weights,
            groups=tuple(self.groups),
            negative_control_outcomes=tuple(self.negative_control_outcomes),
            alternatives=tuple(one.said() for one in self.alternatives),
            beliefs=tuple(one.said() for one in self.beliefs),
            trim=self.trim,
            imputations=self.imputations,
        )

    def curve_settings(self) -> CurveSettings:
        """Return how the curve is made."""
        return CurveSettings(
            tuple(self.curve_estimators),
            {name: tuple(variables) for name, variables in self.adjustment_sets.items()},
            self.simulations,
            tuple(self.refutation_grid),
            self.permutations,
        )

    def check_named(self) -> None:
        """Refuse an exposure, an outcome or a population that the declared columns cannot give.

        Raises:
            EffectError: It names no column that is read, or a column alone that holds no numbers; or the source holds
                synthetic records.
        """
        refuse_synthetic_records(self.source.asset)
        roles = self.roles()
        for setting in ("treatment", "outcome", "population"):
            text = getattr(self, setting)
            if text is not None:
                _check_definition(text, setting, roles)
        for one in self.alternatives:
            _check_definition(one.expression, f"alternatives, {one.element} '{one.name}'", roles)
        for setting in ("cluster", "weights", "follow_up"):
            if (name := getattr(self, setting)) is not None:
                _check_read([name], setting, roles)
        for setting in ("groups", "negative_control_outcomes"):
            _check_read(getattr(self, setting), setting, roles)

    def roles(self) -> dict[str, str]:
        """Return the role of every column that is read."""
        return {column.name: column.role for column in self.source.columns if column.role != "leave_out"}

    def definitions(self, study: str, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build records, the effect with its tables, findings and pages."""
        assets = self.assets(study)
        self.check_named()
        add_records(assets, self.source, context.project_root)
        _effect(assets, self)
        add_curve(assets, self.question(), self.curve_settings(), self.roles(), self.title)
        _findings(assets, self)
        add_casework(
            assets,
            self.title,
            partial(case_report, question=self.question()),
            tables=SHOWN,
            pages=specification_pages,
            files="notebook",
        )
        if self.disclose is not None:
            add_disclosure(
                assets, self.disclose, self.title, partial(effect_report, hypothesis=self.hypothesis)
            )
        return assets.definitions()


def _check_read(names: list[str], setting: str, roles: dict[str, str]) -> None:
    if absent := sorted(set(names) - set(roles)):
        raise EffectError(
            f"No column that is read is called {', '.join(map(repr, absent))}. Name a column of the source "
            f"[setting: {setting}]"
        )


def _check_definition(text: str, setting: str, roles: dict[str, str]) -> None:
    try:
        named = {text} if text in roles else columns_named(text, setting=setting)
    except EffectError:
        named = {text}
    if absent := sorted(named - set(roles)):
        raise EffectError(
            f"No column that is read is called {', '.join(map(repr, absent))}. Name a column of the source, or "
            f"write a condition over its columns [setting: {setting}]"
        )
    if "population" not in setting and roles.get(text, "number") != "number":
        raise EffectError(
            f"'{text}' has the role {roles[text]}. Give it the role number, or write a condition, such as "
            f'`{text}` == "…" [setting: {setting}]'
        )


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


def _findings(assets: StudyAssets, study: EffectStudy) -> None:
    nouns = (
        "effect", "estimates", "refutations", "overlap", "specification_curve", "acceptance", "joint_test",
        "sensitivity", "contributions",
    )  # fmt: skip
    inputs = {noun: noun for noun in nouns}
    if study.truth:
        inputs["truth"] = study.truth

    @assets.asset(
        Output("findings", "The answer and what speaks against it, as facts."),
        zone="restricted",
        inputs=inputs,
        settings=[study.treatment, study.outcome, study.direction],
    )
    def findings(context, truth=None, **made: pd.DataFrame):
        """State the findings."""
        planted = None
        if truth is not None:
            known = truth.loc[truth["outcome"] == study.outcome, "effect"]
            planted = None if known.empty else float(known.iloc[0])
        facts = effect_facts(
            assets.study,
            made["effect"],
            made["estimates"],
            made["refutations"],
            made["overlap"],
            planted,
            treatment=study.treatment,
            outcome=study.outcome,
        )
        curve, accepted = made["specification_curve"], made["acceptance"]
        facts += curve_facts(
            assets.study,
            curve_summary(curve, accepted, study.direction),
            made["joint_test"],
            made["sensitivity"],
            made["contributions"],
            curve,
            accepted,
            planted,
        )
        return facts_to_frame(facts)
