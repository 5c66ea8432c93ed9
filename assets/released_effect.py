"""ReleasedEffect: what a private release measured, and a question → an effect whose interval knows the noise."""

from typing import Any

import dagster as dg
import pandas as pd
from pydantic import Field, field_validator

from assets.scaffold_studies import ReleasedEffectScaffolder
from assets.study import Made, Output, Study, StudyAssets
from hrtech.causal.question import Direction, EffectError
from hrtech.causal.released import Confounder, ReleasedQuestion
from hrtech.facts import facts_to_frame, report_to_frame

TABLES = {
    "effect": "The answer: difference and ratio of risks, each with its interval; sampling and noise apart.",
    "strata": "Noisy counts by stratum and exposure.",
    "variables": "Exposure, outcome and what was adjusted for.",
    "notes": "What a reader must know.",
}


@dg.scaffold_with(ReleasedEffectScaffolder)
class ReleasedEffect(Study):
    """Asks a private release what an exposure does to an outcome; it reads no record and costs no privacy."""

    hypothesis: str = Field(description="The claim in words.", min_length=5)
    direction: Direction = Field(default="changes", description="What the claim expects of the outcome.")
    release: str = Field(
        description="A CaseRelease with differential privacy: the name of its study.", pattern=r"^[a-z0-9_]+$"
    )
    exposure: dict[str, str] = Field(
        description="Column: value of the release. Of a column of one value each, others are those with another value.",
        min_length=1,
        max_length=1,
    )
    outcome: dict[str, str] = Field(description="Column: value.", min_length=1, max_length=1)
    confounders: list[str | dict[str, str | list[str]]] = Field(
        default=[],
        description="Causes of both: a column of one value each, a column with the values that are asked about, or "
        "a column and one value that is held or not. With exposure and outcome at most as many as the release's "
        "reporting_length.",
    )
    synthetic_records: bool = Field(
        default=True,
        description="Whether the release has synthetic records: they say of whom bounding took combinations away. They "
        "are never taken for records.",
    )
    confidence: float = Field(default=0.95, gt=0.5, lt=1, description="Coverage of the intervals.")

    @field_validator("confounders")
    @classmethod
    def _one_column_each(cls, confounders: list[Any]) -> list[Any]:
        if any(isinstance(one, dict) and len(one) != 1 for one in confounders):
            raise ValueError("one column an entry: [gender, {means_of_control: Debt bondage}]")
        return confounders

    def question(self) -> ReleasedQuestion:
        """Return the question as the science knows it."""
        ((exposure, exposed),), ((outcome, held),) = self.exposure.items(), self.outcome.items()
        return ReleasedQuestion(
            self.hypothesis,
            (exposure, exposed),
            (outcome, held),
            tuple(_confounder(one) for one in self.confounders),
            self.direction,
            self.confidence,
        )

    def definitions(self, study: str, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build the effect, its facts and its report."""
        if self.release == study:
            raise EffectError("A study cannot ask itself. Name a CaseRelease [setting: release]")
        assets = self.assets(study)
        _effect(assets, self)
        _tell(assets, self)
        return assets.definitions()


def _confounder(one: str | dict[str, str | list[str]]) -> Confounder:
    if isinstance(one, str):
        return one
    ((column, values),) = one.items()
    return (column, values) if isinstance(values, str) else (column, tuple(values))


def _effect(assets: StudyAssets, study: ReleasedEffect) -> None:
    question = study.question()
    nouns = ["measured", *(["synthetic_records"] if study.synthetic_records else [])]

    @assets.asset(
        *(Output(noun, words) for noun, words in TABLES.items()),
        zone="released",
        inputs={noun: f"{study.release}/{noun}" for noun in nouns},
        settings=question,
        kinds=("numpy",),
    )
    def effect(context, measured: pd.DataFrame, synthetic_records: pd.DataFrame | None = None):
        """Cross exposure, outcome and confounders, and standardise."""
        from hrtech.causal.released import released_effect
        from hrtech.release.measured import Measured

        found = released_effect(Measured.from_table(measured), question, synthetic_records)
        headline = Made(found.effect, metadata={"verdict": str(found.effect["verdict"].iloc[0])})
        return {noun: getattr(found, noun) for noun in TABLES} | {"effect": headline}


def _tell(assets: StudyAssets, study: ReleasedEffect) -> None:
    question = study.question()

    @assets.asset(
        Output("facts", "The answer, each number with its interval."),
        Output("report", "What is told of this study, in words and charts."),
        zone="released",
        inputs={noun: noun for noun in TABLES},
        settings=[study.title, question, study.release],
    )
    def tell(context, **made: pd.DataFrame):
        """State the facts and the report."""
        from hrtech.causal.released_telling import released_effect_facts, released_effect_report

        facts = released_effect_facts(assets.study, made["effect"], question.exposure[1], question.outcome[1])
        report = released_effect_report(
            assets.study, study.title, facts, hypothesis=study.hypothesis, release=study.release, **made
        )
        return {"facts": facts_to_frame(facts), "report": report_to_frame(report)}
