"""EventStudy: a panel and an event → what it changed, with placebos, weights and sensitivity."""

from functools import partial

import dagster as dg
import pandas as pd
from pydantic import Field, model_validator

from assets.casework import add_casework
from assets.disclosure import Disclosure, add_disclosure
from assets.scaffold_studies import EventScaffolder
from assets.source import Source, add_records
from assets.study import Made, Output, Study, StudyAssets
from hrtech.causal.events import EventQuestion, study_event
from hrtech.causal.events.notebook import event_notebook, panel_dictionary
from hrtech.causal.events.question import (
    Alignment,
    Controls,
    Direction,
    Estimator,
    EventError,
    Interval,
    Missing,
)
from hrtech.causal.events.report import SHOWN, event_report
from hrtech.causal.events.telling import event_facts
from hrtech.causal.notebook import notebook_files
from hrtech.facts import facts_to_frame

TABLES = {
    "effect": "The answer for each outcome: estimand in words, estimate and interval, verdict with its reason.",
    "estimates": "The overall effect by every estimator.",
    "event_time": "Effects by periods since the event, with bands.",
    "group_time": "Effects by cohort and period.",
    "series": "Treated mean, what is expected without the event, the gap, and where placebos lie.",
    "raw": "Outcomes over time as they were recorded.",
    "weights": "Weights of donors and of periods before the event.",
    "unit_effects": "The effect on each unit that came under the event.",
    "placebos": "Effects on units without the event, treated as if they had it.",
    "checks": "What was done to refute the answer.",
    "leave_one_out": "The effect without each donor.",
    "honest": "Intervals when trends may part.",
    "rows": "Units left out and cells filled in, each with the rule.",
}
#: What findings are stated from.
STATED = ("effect", "estimates", "event_time", "checks", "honest")


@dg.scaffold_with(EventScaffolder)
class EventStudy(Study):
    """Asks what an event did to an outcome over time, and what would change one's mind."""

    hypothesis: str = Field(description="The claim in words.", min_length=5)
    direction: Direction = Field(default="changes", description="What the claim expects of the outcome.")
    source: Source = Field(description="The panel, one row a unit and period.")
    unit: str = Field(description="Column that names the unit.")
    period: str = Field(
        description="Column with the period: whole numbers (role number) or days (role date)."
    )
    outcomes: list[str] = Field(
        min_length=1, description="Columns of numbers; several are allowed for together."
    )
    per: str | None = Field(default=None, description="Column to divide outcomes by, such as the population.")
    scale: float = Field(default=1.0, gt=0, description="Factor after dividing, such as 100000.")
    treated: str | None = Field(
        default=None, description="Column with 1 in the rows in which the event was in force, else 0."
    )
    adopted: str | None = Field(
        default=None,
        description="Column with the first period of the event; blank where there never was one.",
    )
    treated_units: list[str] = Field(default=[], description="Units of the event, with event_period.")
    event_period: str | int | None = Field(
        default=None, description="First period of the event: a number, or a day as 2022-12-01 in quotes."
    )
    estimators: list[Estimator] = Field(
        default=[], description="The first gives the headline. By default chosen by the design."
    )
    alignment: Alignment = Field(
        default="staggered",
        description="Units that adopt at different times. staggered: each cohort with its own past and after. "
        "shifted: the same number of periods around each event. fixed: one past before the first adoption, one after "
        "from the last.",
    )
    controls: Controls = Field(
        default="not_yet_treated",
        description="Compare with units before their own event too, or only with those that never had it.",
    )
    anticipation: int = Field(
        default=0, ge=0, description="Periods before the event in which it may already have worked."
    )
    missing: Missing = Field(
        default="leave_out",
        description="A unit that lacks a period: leave_out (named), interpolate gaps inside its history (named), or "
        "refuse.",
    )
    min_before: int = Field(
        default=3, ge=1, description="Fewest periods before the event; treated units with fewer are left out."
    )
    interval: Interval = Field(
        default="automatic",
        description="Standard errors of synthetic and difference-in-differences estimates: placebo, jackknife, "
        "bootstrap, or by the number of units.",
    )
    confidence: float = Field(default=0.95, gt=0.5, lt=1, description="Coverage of the intervals.")
    simulations: int = Field(default=200, ge=50, le=10_000, description="Draws of bootstraps and placebos.")
    honest: list[float] = Field(
        default=[0.5, 1.0, 1.5, 2.0],
        description="How far trends may part after the event, as multiples of the worst seen before it.",
    )
    seed: int = Field(default=1, ge=0, description="Seed of every draw.")
    truth: str | None = Field(
        default=None, description="Planted effects (column effect) of a simulated world: study/noun."
    )
    disclose: Disclosure | None = Field(
        default=None, description="Release the answer under disclosure control; by default nothing leaves."
    )

    @model_validator(mode="after")
    def _question_exists(self) -> "EventStudy":
        self.question()
        roles = self.roles()
        named = [("unit", self.unit), ("period", self.period), ("per", self.per), ("treated", self.treated)]
        named += [("adopted", self.adopted), *(("outcomes", name) for name in self.outcomes)]
        for setting, name in named:
            if name is not None and name not in roles:
                raise EventError(
                    f"No column that is read is called '{name}'. Name a column of the source [setting: {setting}]"
                )
            if setting in ("per", "outcomes", "treated") and name is not None and roles[name] != "number":
                raise EventError(
                    f"'{name}' has the role {roles[name]}. Give it the role number [setting: {setting}]"
                )
        return self

    def roles(self) -> dict[str, str]:
        """Return the role of every column that is read."""
        return {column.name: column.role for column in self.source.columns if column.role != "leave_out"}

    def question(self) -> EventQuestion:
        """Return the question as the science knows it."""
        return EventQuestion(
            hypothesis=self.hypothesis,
            unit=self.unit,
            period=self.period,
            outcomes=tuple(self.outcomes),
            per=self.per,
            scale=self.scale,
            treated=self.treated,
            adopted=self.adopted,
            treated_units=tuple(self.treated_units),
            event_period=None if self.event_period is None else str(self.event_period),
            direction=self.direction,
            estimators=tuple(self.estimators),
            alignment=self.alignment,
            controls=self.controls,
            anticipation=self.anticipation,
            missing=self.missing,
            min_before=self.min_before,
            interval=self.interval,
            confidence=self.confidence,
            simulations=self.simulations,
            honest=tuple(self.honest),
            seed=self.seed,
        )

    def definitions(self, study: str, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build the panel, the answers with their tables, findings and pages."""
        assets = self.assets(study)
        add_records(assets, self.source, context.project_root)
        _answers(assets, self)
        _findings(assets, self)
        _notebook(assets, self)
        report = partial(event_report, hypothesis=self.hypothesis)
        add_casework(assets, self.title, report, tables=SHOWN, files="notebook")
        if self.disclose is not None:
            add_disclosure(assets, self.disclose, self.title, report)
        return assets.definitions()


def _answers(assets: StudyAssets, study: EventStudy) -> None:
    question = study.question()

    @assets.asset(
        *(Output(noun, words) for noun, words in TABLES.items()),
        zone="restricted",
        inputs={"records": "records"},
        settings=question,
        kinds=("numpy",),
    )
    def effect(context, records: pd.DataFrame):
        """Compare with donors, and try to refute."""
        result = study_event(records, question)
        left_out = int(result.rows["rule"].str.startswith("left out").sum())
        told = {"verdicts": ", ".join(result.effect["verdict"]), "units_left_out": left_out}
        tables: dict[str, object] = {noun: getattr(result, noun) for noun in TABLES}
        return tables | {"effect": Made(result.effect, metadata=told)}


def _findings(assets: StudyAssets, study: EventStudy) -> None:
    inputs = {noun: noun for noun in STATED}
    if study.truth:
        inputs["truth"] = study.truth

    @assets.asset(
        Output("findings", "The answers and what speaks against them, as facts."),
        zone="restricted",
        inputs=inputs,
    )
    def findings(context, truth: pd.DataFrame | None = None, **tables: pd.DataFrame):
        """State the findings."""
        planted = None if truth is None else float(truth["effect"].mean())
        return facts_to_frame(event_facts(assets.study, tables, planted))


def _notebook(assets: StudyAssets, study: EventStudy) -> None:
    question, roles = study.question(), study.roles()

    @assets.asset(
        Output("data_dictionary", "The columns that the study reads, and what each is in the question."),
        Output("notebook", "The study as a notebook, and its data dictionary: files without a record."),
        zone="restricted",
        inputs={"records": "records", "estimates": "estimates"},
        settings=[question, roles, study.title],
        kinds=("jupyter",),
    )
    def export(context, records: pd.DataFrame, estimates: pd.DataFrame):
        """Write the notebook."""
        dictionary = panel_dictionary(records, question, roles)
        book = event_notebook(assets.study, study.title, question, dictionary, estimates)
        return {"data_dictionary": dictionary, "notebook": notebook_files(book, dictionary)}
