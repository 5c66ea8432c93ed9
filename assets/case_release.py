"""CaseRelease: case records about people → aggregates and synthetic records that show nobody."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from assets.case_release_advice import AdviceFor, add_advice
from assets.case_release_draw import K_ANONYMOUS, LINKED, PRIVATE, k_anonymous_draw, private_draw
from assets.case_release_linked import Linked
from assets.case_release_series import Compared, Series, add_changes, records_of_part
from assets.case_release_settings import Declared, Hierarchy, Impossible, Promised
from assets.casework import add_casework
from assets.release import ALSO_POPULATION, POPULATION, Released, Terms, release
from assets.release_files import add_release_files
from assets.scaffold import CaseReleaseScaffolder
from assets.source import Column, Source, add_records, resolve_path
from assets.study import Made, Output, Study, StudyAssets
from hrtech.facts import facts_from_frame, facts_to_frame, report_to_frame
from hrtech.release.declared import ReleaseColumn, ReleaseError, ReleaseSchema, ReleaseSettings
from hrtech.release.measured import measured_table
from hrtech.release.people import one_row_per_person
from hrtech.release.plan import check_cells
from hrtech.release.public_evaluation import evaluate_publicly
from hrtech.release.telling import release_facts, release_findings, release_report, restricted_release_report
from hrtech.release.terms import (
    read_terms,
    released_columns,
    released_schema,
)
from hrtech.sources import band_labels, read_hierarchies, read_labels


@dg.scaffold_with(CaseReleaseScaffolder)
class CaseRelease(Study, Promised):
    """Releases case records so that nobody can be found in them and what is told stays true."""

    population: str = Field(description="People whose privacy budget pays: a file in policy/populations/.")
    purpose: str = Field(description="Why these data are released, for the ledger.", min_length=3)
    source: Source = Field(description="The records and their columns.")
    subject_id: str | None = Field(
        default=None,
        description="Identifier that joins a person's records. Without it each record counts as a person of its own.",
    )
    record_limit: int | None = Field(
        default=None,
        ge=1,
        description="Use the first records only, for a trial; people are then cut short too.",
    )
    series: Series | None = Field(
        default=None, description="The part of a growing population that this release is about."
    )
    linked: Linked | None = Field(
        default=None,
        description="Other people whom the records tell about, such as perpetrators; they are charged too.",
    )
    compared_with: Compared | None = Field(
        default=None, description="An earlier release to tell changes from; both with differential privacy."
    )
    advice: AdviceFor | None = Field(
        default=None, description="Work out, without any record, what several epsilons would cost and tell."
    )
    reporting_length: int = Field(default=3, ge=1, le=5, description="Attributes published together at most.")
    false_share: float = Field(
        default=0.05,
        gt=0,
        lt=1,
        description="Fabrication against suppression: share of the published combinations that nobody may hold, as "
        "expected from the noise. Lower invents less and withholds more.",
    )
    people: Declared | None = Field(
        default=None, description="Number of people, if it is public knowledge; else measured and charged."
    )
    sensitive_zeros: list[str] = Field(
        default=[],
        description='Columns where "0" is information and is released; elsewhere it says "no" and is left out, as a '
        "blank is.",
    )
    hierarchies: list[Hierarchy] = Field(default=[], description="Columns that refine others.")
    impossible: list[Impossible] = Field(
        default=[], description="What nobody can be: kept out of aggregates and records."
    )
    synthetic_records: bool = Field(
        default=True, description="Also release synthetic records that agree with the aggregates."
    )
    sensitive: list[str] = Field(
        default=[],
        description="Columns that the keepers' evaluation tries to infer from the others; all by default.",
    )
    approvers: list[str] = Field(
        default=[], description="Who allowed it; two names above the population's limit."
    )
    reissue: int = Field(default=0, ge=0, description="Raise by one to draw, and pay for, new noise.")
    licence: str = Field(default="", description="Terms of use of what is released, for the files.")
    truth: str | None = Field(
        default=None,
        description="Truth of a simulated world to show beside the release: study/noun. Simulated only.",
    )

    @model_validator(mode="after")
    def _something_to_release(self) -> "CaseRelease":
        released = {column.name for column in self.source.columns if _released(column)}
        if not released:
            raise ValueError(
                "no column can be released: give at least one the role category or multi_valued, or a number bands"
            )
        for setting, names in (("sensitive_zeros", self.sensitive_zeros), ("sensitive", self.sensitive)):
            unknown = sorted(set(names) - released)
            if unknown:
                raise ValueError(f"{setting} names {', '.join(unknown)}: no column that is released")
        dated = self.series.first_seen if self.series else None
        if dated is not None and dated not in {column.name for column in self.source.columns}:
            raise ValueError(
                f"series.first_seen names {dated}: declare it among the columns, with the role date"
            )
        if self.compared_with and self.promise != "differential-privacy":
            raise ValueError(
                "compared_with needs differential privacy: without it nobody knows the noise of a change"
            )
        if self.record_limit is not None and self.promise == "differential-privacy":
            raise ValueError(
                "record_limit: whether a record is among the first depends on other people's records, so that nothing "
                "could be promised to one person; drop it, or release a part of a series"
            )
        if self.advice and self.promise != "differential-privacy":
            raise ValueError("advice is about epsilon: it needs the promise differential-privacy")
        if self.linked and self.promise != "differential-privacy":
            raise ValueError(
                "linked needs differential privacy: k-anonymity of one says nothing of the other"
            )
        if self.linked and self.linked.id not in {column.name for column in self.source.columns}:
            raise ValueError(f"linked.id names {self.linked.id}: declare it among the columns")
        return self

    def schema_of(self, root) -> ReleaseSchema:
        """Columns to release with what is public knowledge about them."""
        specs = {spec.name: spec for spec in self.source.specs(root)}
        parents = {h.column: h for h in self.hierarchies}
        listed = (
            read_hierarchies(resolve_path(self.source.codebook, root))
            if self.source.codebook and any(h.values is None for h in self.hierarchies)
            else {}
        )
        columns = []
        for column in self.source.columns:
            if _released(column):
                values = band_labels(column.bands) if column.bands else specs[column.name].values
                refines = parents.get(column.name)
                columns.append(
                    ReleaseColumn(
                        column.name,
                        values,
                        column.role == "multi_valued",
                        column.name in self.sensitive_zeros,
                        refines.parent if refines else None,
                        (refines.values or listed.get(column.name, {})) if refines else {},
                    )
                )
        strangers = sorted(set(parents) - {c.name for c in columns})
        if strangers:
            raise ReleaseError(f"hierarchies: {', '.join(strangers)} is no column that is released")
        return ReleaseSchema(tuple(columns), tuple(one.pair for one in self.impossible))

    def settings(self) -> ReleaseSettings:
        """Return the settings of a private release as the science knows them."""
        if self.epsilon is None or self.delta is None:
            raise ReleaseError("epsilon, delta: a release without differential privacy has none")
        return ReleaseSettings(
            epsilon=self.epsilon,
            delta=self.delta,
            reporting_length=self.reporting_length,
            false_share=self.false_share,
            people=self.people.number if self.people else None,
        )

    def who_says(self) -> dict[str, str]:
        """What the release takes for public knowledge, and who says so."""
        said = {f"{one.one} with {one.other} is impossible": one.says for one in self.impossible}
        if self.people:
            said["number of people"] = self.people.says
        if self.linked:
            said["who is told about"] = self.linked.said()
        if self.source.codebook:
            said["values of columns"] = "the codebook"
        return said

    def definitions(self, study: str, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build records, people, the release, its evaluations, files and pages."""
        assets = self.assets(study)
        root = context.project_root
        schema = self.schema_of(root)
        if self.promise == "differential-privacy":
            check_cells(self.settings(), schema)  # refuses what cannot be counted before any record is read
        if self.linked:
            self.linked.check(schema)
        if self.advice:
            add_advice(assets, self, schema, self.advice)
        add_records(assets, self.source, root)
        _people(assets, self)
        _release(assets, self, schema)
        _evaluate(assets, self, schema)
        if self.compared_with:
            add_changes(assets, self.compared_with)
        _tell(assets, self)
        tables = ["evaluation", "fabricated", "rare", "synthesizability"]
        tables += ["memorised", "attacks"] if self.synthetic_records else []
        tables += ["advice_summary", "advice", "dry_run"] if self.advice else []
        add_casework(assets, self.title, restricted_release_report, tables=tables)
        codebook = self.source.codebook
        add_release_files(
            assets,
            title=self.title,
            stated=_stated,
            description=self.purpose,
            synthetic_records=self.synthetic_records,
            licence=self.licence,
            labels=read_labels(resolve_path(codebook, root)) if codebook else None,
        )
        return assets.definitions()


def _released(column: Column) -> bool:
    return column.role in ("category", "multi_valued") or (
        column.role == "number" and column.bands is not None
    )


def _stated(aggregates: pd.DataFrame, terms: pd.DataFrame) -> tuple[Any, Mapping[str, Any]]:
    """Columns and terms of a release, for its files."""
    known = read_terms(terms)
    left_out = {"columns", "dial", "explained", "parameters"}
    told = {k: v for k, v in known.items() if k not in left_out and v is not None}
    return released_columns(known), told | {"unit": "person"}


def _people(assets: StudyAssets, study: CaseRelease) -> None:
    columns = [column.name for column in study.source.columns if _released(column)]

    @assets.asset(
        Output("people", "One row per person, with the columns to release."),
        zone="restricted",
        inputs={"records": "records"},
        settings=[study.subject_id, columns, study.record_limit, study.series, study.linked],
    )
    def people(context, records: pd.DataFrame):
        """Choose the records of this part, and join those of each person."""
        chosen = Made(records if study.record_limit is None else records.head(study.record_limit))
        if study.series is not None:
            chosen = records_of_part(chosen.frame, study.subject_id, study.series)
        if study.linked is not None:
            joined = study.linked.join(chosen.frame, study.subject_id, columns)
            return Made(joined.frame, metadata={**chosen.metadata, **joined.metadata})
        if study.subject_id is None:
            return Made(chosen.frame[columns], metadata=chosen.metadata)
        joined, conflicts = one_row_per_person(chosen.frame, study.subject_id, columns)
        counted = {"people": len(joined), "columns_with_conflicts": len(conflicts)}
        return Made(joined, metadata={**chosen.metadata, **counted})


def _release(assets: StudyAssets, study: CaseRelease, schema: ReleaseSchema) -> None:
    private = study.promise == "differential-privacy"
    mechanism = (PRIVATE + (LINKED if study.linked else "")) if private else K_ANONYMOUS
    nouns = ["aggregates", "terms", *(["synthetic_records"] if study.synthetic_records else [])]
    described = {
        "aggregates": "Counts of combinations of attributes, with the interval that the noise leaves.",
        "terms": "What was released on which terms: promise, mechanism, noise, number of people.",
        "synthetic_records": "Records of people who do not exist, made from what was released alone.",
        "measured": "The noisy measurements that all else follows from, as files, for whoever works with the noise.",
    }
    words = {"title", "owners", "source", "truth", "licence", "sensitive", "compared_with", "advice"}

    @assets.asset(
        *(Output(noun, described[noun]) for noun in [*nouns, *(["measured"] if private else [])]),
        zone="released",
        inputs={"people": "people"},
        settings=study.model_dump(exclude=words)
        | {"columns": [column.model_dump() for column in study.source.columns]},
        kinds=("opendp",) if private else (),
        barrier=study.promise,
        mechanism=mechanism,
        metadata={POPULATION: study.population}
        | ({ALSO_POPULATION: study.linked.population} if study.linked else {}),
    )
    def protected_release(context, people: pd.DataFrame):
        """Draw once, in the ledger, and return what was committed."""
        make = private_draw if private else k_anonymous_draw
        charge, also, parameters, drawn = make(study, schema, people)
        terms = Terms(
            population=study.population,
            barrier=study.promise,
            mechanism=mechanism,
            parameters=parameters | {"schema": asdict(schema), "synthetic_records": study.synthetic_records},
            charge=charge,
            purpose=study.purpose,
            approvers=study.approvers,
            reissue=study.reissue,
            also=also,
            series=study.series.science().charged_as(study.subject_id) if study.series else None,
        )
        done: Released = release(context, assets.study, terms, {"people": people}, drawn)
        measured = {"measured": done.made(measured_table(done.artefacts))} if private else {}
        return {noun: done.table(noun) for noun in nouns} | measured


def _evaluate(assets: StudyAssets, study: CaseRelease, schema: ReleaseSchema) -> None:
    inputs = {noun: noun for noun in ("people", "aggregates", "terms")}
    outputs = [
        Output("evaluation", "Exact errors of the release against the records, for the data's keepers only."),
        Output("fabricated", "Published combinations that nobody holds, for the data's keepers only."),
        Output("rare", "Rare combinations that the release repeats, for the data's keepers only."),
        Output("findings", "How true and how safe the release is, as restricted facts."),
    ]
    if study.synthetic_records:
        inputs["synthetic_records"] = "synthetic_records"
        outputs += [
            Output(
                "memorised", "Synthetic records equal to a record of few people, for the data's keepers only."
            ),
            Output("attacks", "Outcome of attacks on the synthetic records, for the data's keepers only."),
        ]

    @assets.asset(
        *outputs,
        zone="restricted",
        inputs=inputs,
        settings=["evaluation", study.sensitive],
    )
    def evaluate(context, people, aggregates, terms, synthetic_records=None):
        """Compare what was released with the records, and attack it."""
        from hrtech.release.evaluation import evaluate_against_records
        from hrtech.release.keepers import run_attacks

        known = read_terms(terms)
        released = released_schema(known)
        judged = evaluate_against_records(
            people, aggregates, synthetic_records, released, reporting_length=known["reporting_length"]
        )
        attacks = run_attacks(
            people, synthetic_records, released, study.sensitive, rng=np.random.default_rng(1)
        )
        findings = facts_to_frame(release_findings(assets.study, judged.errors, judged.fabricated, attacks))
        tables = {"evaluation": judged.errors, "fabricated": judged.fabricated, "rare": judged.rare}
        if synthetic_records is not None:
            tables |= {"memorised": judged.memorised, "attacks": attacks}
        return tables | {"findings": findings}

    @assets.asset(
        Output(
            "synthesizability",
            "Which columns make combinations rare, before any budget is spent; for the data's keepers only.",
        ),
        zone="restricted",
        inputs={"people": "people"},
        settings=["synthesizability", study.reporting_length],
    )
    def judge(context, people):
        """Say how well the records lend themselves to a release."""
        from hrtech.release.synthesizability import synthesizability

        found = synthesizability(people, schema, reporting_length=study.reporting_length)
        return Made(found.columns, metadata={"says": "\n".join(found.says)})

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
        return evaluate_publicly(aggregates, read_terms(terms))


def _tell(assets: StudyAssets, study: CaseRelease) -> None:
    inputs = {noun: noun for noun in ("aggregates", "terms", "expected_errors")}
    if study.truth:
        inputs["truth"] = study.truth
    if study.compared_with:
        inputs["changes"] = "changes"
    since = study.compared_with.called if study.compared_with else ""
    learned = [column.name for column in study.source.columns if column.learned]

    @assets.asset(
        Output("facts", "What the release says, each number with its interval."),
        Output("report", "What is told of this release, in words and charts."),
        zone="released",
        inputs=inputs,
        settings=[study.title, learned, since],
    )
    def tell(context, aggregates, terms, expected_errors, truth=None, changes=None):
        """State the facts and the report."""
        facts = release_facts(assets.study, aggregates, terms, truth, changes)
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
            changes=changes,
            since=since,
        )
        return {"facts": frame, "report": report_to_frame(report)}
