"""CaseRelease: case records about people → aggregates and synthetic records with differential privacy."""

import hashlib
from dataclasses import asdict
from typing import Literal

import dagster as dg
import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from assets.casework import add_casework
from assets.release import POPULATION, Terms, release
from assets.scaffold import CaseReleaseScaffolder
from assets.source import Column, Source, add_records
from assets.study import Made, Output, Study, StudyAssets
from hrtech.facts import facts_from_frame, facts_to_frame, report_to_frame
from hrtech.privacy.marginals import (
    MECHANISM,
    MarginalColumn,
    MarginalsError,
    MarginalsRelease,
    MarginalsSchema,
    MarginalsSettings,
    draw,
    one_row_per_person,
    price,
)
from hrtech.privacy.release_evaluation import evaluate_against_records, evaluate_publicly
from hrtech.privacy.synthesis import synthesise
from hrtech.privacy.telling import release_facts, release_findings, release_report, restricted_release_report
from hrtech.privacy.terms import read_release, terms_table
from hrtech.sources import band_labels
from hrtech.tables import table_from_bytes, table_to_bytes

#: Raised when the distribution of what a release returns changes: of the noise or of the synthetic records.
RELEASE = f"{MECHANISM}+synthetic-tree-repaired/1"


@dg.scaffold_with(CaseReleaseScaffolder)
class CaseRelease(Study):
    """Releases case records so that nobody can be found in them and what is told stays true."""

    population: str = Field(description="People whose privacy budget pays: a file in policy/populations/.")
    purpose: str = Field(description="Why these data are released, for the ledger.", min_length=3)
    source: Source = Field(description="The records and their columns.")
    subject_id: str | None = Field(
        default=None,
        description="Identifier that joins a person's records. Without it each record counts as a person of its own.",
    )
    promise: Literal["differential-privacy"] = Field(
        default="differential-privacy", description="What the release promises to the people in the records."
    )
    epsilon: float = Field(
        gt=0, le=12, description="Privacy loss of this release at delta; lower protects more."
    )
    delta: float = Field(
        gt=0, lt=1e-3, description="Probability that the loss is larger; far below 1 / people."
    )
    reporting_length: int = Field(default=2, ge=1, le=2, description="Attributes published together at most.")
    max_attributes_per_person: int | None = Field(
        default=None,
        ge=1,
        description="Declared cap: more of a person's attributes are left out at random. By default what the columns "
        "allow; a cap lowers the noise and biases the counts of people with more.",
    )
    publish_above: float = Field(
        default=2.0,
        ge=0,
        le=10,
        description="Fabrication against suppression: a count is published from this many standard deviations of its "
        "noise. 2 publishes about 2 in 100 combinations that nobody has; lower suppresses less and invents more.",
    )
    synthetic_records: bool = Field(
        default=True, description="Also release synthetic records made from the aggregates."
    )
    approvers: list[str] = Field(
        default=[], description="Who allowed it; two names above the population's limit."
    )
    reissue: int = Field(default=0, ge=0, description="Raise by one to draw, and pay for, new noise.")
    truth: str | None = Field(
        default=None,
        description="Truth of a simulated world to show beside the release: study/noun. Simulated only.",
    )

    @field_validator("source")
    @classmethod
    def _something_to_release(cls, source: Source) -> Source:
        if not any(_released(column) for column in source.columns):
            raise ValueError(
                "no column can be released: give at least one the role category or multi_valued, or a number bands"
            )
        return source

    def schema_of(self, root) -> MarginalsSchema:
        """Columns to release with their declared values."""
        specs = {spec.name: spec for spec in self.source.specs(root)}
        columns = []
        for column in self.source.columns:
            if _released(column):
                values = band_labels(column.bands) if column.bands else specs[column.name].values
                columns.append(MarginalColumn(column.name, values, column.role == "multi_valued"))
        return MarginalsSchema(tuple(columns))

    def settings(self) -> MarginalsSettings:
        """Return the settings as the science knows them."""
        return MarginalsSettings(
            epsilon=self.epsilon,
            delta=self.delta,
            reporting_length=self.reporting_length,
            max_attributes_per_person=self.max_attributes_per_person,
            publish_above=self.publish_above,
        )

    def check_bounded(self, root) -> None:
        """Refuse a release to which one person might contribute without bound, before any record is read.

        Raises:
            MarginalsError: A multi-valued column has neither a value list nor a declared cap.
        """
        schema = self.schema_of(root)
        if self.max_attributes_per_person is None and schema.most_attributes() is None:
            names = ", ".join(column.name for column in schema.undeclared if column.multi_valued)
            raise MarginalsError(
                f"without a value list nothing bounds how much one person adds through {names}. List their values "
                "in the codebook, or set max_attributes_per_person [setting: max_attributes_per_person]"
            )

    def definitions(self, study: str, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build records, people, the release, its evaluations and pages."""
        assets = self.assets(study)
        root = context.project_root
        self.check_bounded(root)
        add_records(assets, self.source, root)
        _people(assets, self)
        _release(assets, self, root)
        _evaluate(assets, self)
        _tell(assets, self)
        add_casework(assets, self.title, restricted_release_report, tables=("evaluation", "fabricated"))
        return assets.definitions()


def seeded_by(content: bytes) -> np.random.Generator:
    """A generator that follows from what is already released: the same aggregates give the same records."""
    return np.random.default_rng(list(hashlib.sha256(content).digest()))


def _released(column: Column) -> bool:
    return column.role in ("category", "multi_valued") or (
        column.role == "number" and column.bands is not None
    )


def _people(assets: StudyAssets, study: CaseRelease) -> None:
    columns = [column.name for column in study.source.columns if _released(column)]

    @assets.asset(
        Output("people", "One row per person, with the columns to release and no identifier."),
        zone="restricted",
        inputs={"records": "records"},
        settings=[study.subject_id, columns],
    )
    def people(context, records: pd.DataFrame):
        """Join the records of each person."""
        if study.subject_id is None:
            return records[columns]
        joined, conflicts = one_row_per_person(records, study.subject_id, columns)
        return Made(joined, metadata={"people": len(joined), "columns_with_conflicts": len(conflicts)})


def _release(assets: StudyAssets, study: CaseRelease, root) -> None:
    settings = study.settings()
    nouns = ["aggregates", "terms", *(["synthetic_records"] if study.synthetic_records else [])]
    described = {
        "aggregates": "Counts of attributes and of pairs of attributes, with the interval that the noise leaves.",
        "terms": "What was released on which terms: mechanism, epsilon and delta, noise, number of people.",
        "synthetic_records": "Records of people who do not exist, made from the released aggregates alone.",
    }

    @assets.asset(
        *(Output(noun, described[noun]) for noun in nouns),
        zone="released",
        inputs={"people": "people"},
        settings=study.model_dump(exclude={"title", "owners", "source", "truth"})
        | {"columns": [column.model_dump() for column in study.source.columns]},
        kinds=("opendp",),
        barrier="differential-privacy",
        mechanism=RELEASE,
        metadata={POPULATION: study.population},
    )
    def private_release(context, people: pd.DataFrame):
        """Draw the noise once, in the ledger, and return what was committed."""
        schema = study.schema_of(root)
        terms = Terms(
            population=study.population,
            barrier="differential-privacy",
            mechanism=RELEASE,
            parameters={
                "settings": asdict(settings),
                "schema": asdict(schema),
                "synthetic_records": study.synthetic_records,
            },
            charge=price(settings, schema),
            purpose=study.purpose,
            approvers=study.approvers,
            reissue=study.reissue,
        )

        def drawn() -> dict[str, bytes]:
            made = draw(people, settings, schema)
            tables = dict(made.to_artefacts())
            if study.synthetic_records:
                tables["synthetic_records"] = table_to_bytes(
                    synthesise(made, seeded_by(tables["aggregates.parquet"]))
                )
            return tables

        done = release(context, assets.study, terms, {"people": people}, drawn)
        committed = MarginalsRelease.from_artefacts(done.artefacts)
        tables = {"aggregates": committed.aggregates, "terms": terms_table(committed)}
        if study.synthetic_records:
            tables["synthetic_records"] = table_from_bytes(done.artefacts["synthetic_records"])
        return {noun: done.made(tables[noun]) for noun in nouns}


def _evaluate(assets: StudyAssets, study: CaseRelease) -> None:
    inputs = {noun: noun for noun in ("people", "aggregates", "terms")}
    if study.synthetic_records:
        inputs["synthetic_records"] = "synthetic_records"

    @assets.asset(
        Output("evaluation", "Exact errors of the release against the records, for the data's keepers only."),
        Output("fabricated", "Published combinations that nobody holds, for the data's keepers only."),
        Output("findings", "How true the release is, as restricted facts."),
        zone="restricted",
        inputs=inputs,
        settings="evaluation",
    )
    def evaluate(context, people, aggregates, terms, synthetic_records=None):
        """Compare what was released with the records."""
        judged = evaluate_against_records(people, read_release(aggregates, terms), synthetic_records)
        findings = facts_to_frame(release_findings(assets.study, judged.errors, judged.fabricated))
        return {"evaluation": judged.errors, "fabricated": judged.fabricated, "findings": findings}

    @assets.asset(
        Output(
            "expected_errors", "Errors to expect, from the noise that is public knowledge and nothing else."
        ),
        zone="released",
        inputs={"aggregates": "aggregates", "terms": "terms"},
        settings="expected errors",
    )
    def public_evaluation(context, aggregates, terms):
        """Work out the errors that the noise alone leads one to expect."""
        return evaluate_publicly(read_release(aggregates, terms))


def _tell(assets: StudyAssets, study: CaseRelease) -> None:
    inputs = {noun: noun for noun in ("aggregates", "terms", "expected_errors")}
    if study.truth:
        inputs["truth"] = study.truth
    learned = [column.name for column in study.source.columns if column.learned]

    @assets.asset(
        Output("facts", "What the release says, each number with its interval."),
        Output("report", "What is told of this release, in words and charts."),
        zone="released",
        inputs=inputs,
        settings=[study.title, learned],
    )
    def tell(context, aggregates, terms, expected_errors, truth=None):
        """State the facts and the report."""
        facts = release_facts(assets.study, aggregates, terms, truth)
        frame = facts_to_frame(facts)
        report = release_report(
            assets.study,
            study.title,
            facts_from_frame(frame),
            aggregates=aggregates,
            terms=terms,
            expected_errors=expected_errors,
            learned=learned,
            truth=truth,
        )
        return {"facts": frame, "report": report_to_frame(report)}
