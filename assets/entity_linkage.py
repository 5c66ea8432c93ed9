"""EntityLinkage: registers that name the same people or firms differently → one list of entities."""

import dagster as dg
import pandas as pd
from pydantic import Field, model_validator

from assets.disclosure import Disclosure, add_disclosure
from assets.judgements import add_judgements
from assets.linkage_review import add_review
from assets.linkage_run import Run, add_linkage
from assets.scaffold_studies import LinkageScaffolder, refused_register
from assets.settings import Settings
from assets.source import Source, add_records
from assets.study import Output, Study, StudyAssets
from hrtech.facts import facts_to_frame
from hrtech.linkage import (
    FieldKind,
    FieldSpec,
    LinkageMode,
    LinkageSpec,
    evaluate_linkage,
)
from hrtech.linkage.encoding import ENCODING
from hrtech.linkage.engine import EngineName
from hrtech.linkage.judged_quality import judged_quality
from hrtech.linkage.judgements import standing
from hrtech.linkage.telling import linkage_facts, linkage_report


class Register(Settings):
    """One register and the column that identifies its records."""

    source: Source = Field(description="File or upstream table.")
    id_column: str = Field(
        default="record_id", description="Column that identifies a record of this register."
    )


class Level(Settings):
    """One level of agreement, as Splink states it."""

    sql: str = Field(description="Condition over <field>_l and <field>_r, in the engine's SQL.")
    label: str = Field(description="What it is called in weights and waterfalls.", min_length=1)


class LinkageField(Settings):
    """One thing that records are compared on."""

    name: str = Field(description="Name in the results.")
    kind: FieldKind = Field(description="What it is; decides how it is normalised and compared.")
    columns: dict[str, str] = Field(
        default={},
        description="Register → its column. By default each register's column is called like the field.",
    )
    term_frequency: bool = Field(
        default=True,
        description="Agreement on a rare value counts for more than on a common one; never of short lists of codes.",
    )
    region: str | None = Field(
        default=None,
        pattern="^[A-Z]{2}$",
        description="Of a phone: country of numbers without a country code, such as GB.",
    )
    region_columns: dict[str, str] = Field(
        default={}, description="Of a phone: register → its column with that country; before region."
    )
    levels: list[Level] = Field(
        default=[],
        description="For experts: the levels between equality and difference, strongest first, in place of the kind's.",
    )


class Truth(Settings):
    """A table that says which records are the same entity, to measure accuracy against."""

    asset: str = Field(description="study/noun.")
    record: str = Field(default="record_id", description="Column with the record's id.")
    entity: str = Field(description="Column with the true entity.")
    register_name: str | None = Field(
        default=None, description="Register that it speaks of, where there are several."
    )


@dg.scaffold_with(LinkageScaffolder)
class EntityLinkage(Study):
    """Finds the records that are about the same entity, with match weights and without labels."""

    registers: dict[str, Register] = Field(description="Name → register.", min_length=1)
    fields: list[LinkageField] = Field(description="What records are compared on.", min_length=1)
    mode: LinkageMode = Field(
        default="both", description="Find repeats in a register, matches between registers, or both."
    )
    blocking: list[list[str]] | None = Field(
        default=None,
        description="Rules whose parts must all agree before two records are compared; suggested if none.",
    )
    threshold: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Match probability from which records are joined; chosen if not given.",
    )
    engine: EngineName = Field(
        default="duckdb",
        description="What scores the pairs: duckdb in this process, or spark (as Spark's own configuration says).",
    )
    max_pairs: int = Field(
        default=20_000_000, ge=1, description="Refuse rules that make more pairs than this."
    )
    duplicate_free: list[str] = Field(default=[], description="Registers that hold each entity at most once.")
    seed: int = Field(
        default=1, ge=0, description="Seed of the random pairs that chance agreement is estimated from."
    )
    judgements: str | None = Field(
        default=None,
        description="CSV of decisions about pairs, besides those of the casework pages: register_l, record_l, "
        "register_r, record_r, decision (same, different, unsure, take back), judged_by, judged_at, reason.",
    )
    truth: list[Truth] = Field(default=[], description="Known matches to measure accuracy against.")
    review: int = Field(default=50, ge=0, le=500, description="Pairs in the review queue, at most.")
    review_drawn: int = Field(
        default=20,
        ge=0,
        le=500,
        description="Joined pairs drawn at random for the queue besides, so that judging them measures precision.",
    )
    incremental: bool = Field(
        default=False,
        description="Score only pairs of new and changed records, with the model of an earlier run. Set it to "
        "false for one run to train the model anew.",
    )
    retrain_after: float = Field(
        default=0.2,
        gt=0,
        le=1,
        description="With incremental: everything is linked anew once more than this share of records came, changed or "
        "left since the model was trained.",
    )
    disclose: Disclosure | None = Field(
        default=None,
        description="Release the headline counts under disclosure control; by default nothing leaves.",
    )

    @model_validator(mode="after")
    def _columns_are_read(self) -> "EntityLinkage":
        for name, register in self.registers.items():
            if refused_register(name):
                raise ValueError(
                    f"no register can be called {name}, because a linkage uses that name: rename it"
                )
            read = {column.name for column in register.source.columns if column.role != "leave_out"}
            if register.id_column not in read:
                raise ValueError(
                    f"register {name} reads no column '{register.id_column}': name the column that tells its records "
                    "apart as its id_column"
                )
            if any(field.kind == "encoded" for field in self.fields):
                _check_encoded(name, register)
            for field in self.fields:
                column = field.columns.get(name) if field.columns else field.name
                country = field.region_columns.get(name)
                if country is not None and country not in read:
                    raise ValueError(
                        f"register {name} reads no column '{country}' with the country of the field {field.name}: name "
                        "the right one under region_columns"
                    )
                if column is not None and column not in read:
                    raise ValueError(
                        f"register {name} reads no column '{column}' for the field {field.name}: name the right one "
                        "under columns, or take the field out"
                    )
        return self

    def spec(self) -> LinkageSpec:
        """Return the settings as the science knows them."""
        return LinkageSpec(
            fields=tuple(
                FieldSpec(
                    field.name,
                    field.kind,
                    field.columns or "",
                    field.term_frequency,
                    region=field.region or "",
                    region_columns=field.region_columns or "",
                    levels=tuple((one.sql, one.label) for one in field.levels),
                )
                for field in self.fields
            ),
            mode=self.mode,
            id_columns={name: register.id_column for name, register in self.registers.items()},
            blocking=None if self.blocking is None else tuple(tuple(rule) for rule in self.blocking),
            threshold=self.threshold,
            max_pairs=self.max_pairs,
            engine=self.engine,
            seed=self.seed,
            duplicate_free=tuple(self.duplicate_free),
        )

    def definitions(self, study: str, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build registers, match weights, entities, evaluation and pages."""
        assets = self.assets(study)
        for name, register in self.registers.items():
            add_records(assets, register.source, context.project_root, name=name)
        add_judgements(assets, list(self.registers), self.judgements, context.project_root)
        run = Run(tuple(self.registers), self.review, self.review_drawn, self.incremental, self.retrain_after)
        add_linkage(assets, self.spec(), run)
        _evaluate(assets, self)
        columns = {
            field.name: {
                name: field.columns.get(name, field.name)
                for name in self.registers
                if name in field.columns or not field.columns
            }
            for field in self.fields
        }
        add_review(assets, self.title, columns)
        if self.disclose is not None:
            add_disclosure(assets, self.disclose, self.title, linkage_report)
        return assets.definitions()


def _check_encoded(name: str, register: Register) -> None:
    """Refuse encodings as open data, and files of them that are read in part."""
    if register.source.zone != "restricted":
        raise ValueError(
            f"register {name} has the zone {register.source.zone}, but encodings are pseudonyms of people and not "
            "anonymous: leave its zone at restricted"
        )
    if not any(column.name == ENCODING and column.role != "leave_out" for column in register.source.columns):
        raise ValueError(
            f"register {name} reads no column '{ENCODING}', which says how it was encoded: add it with the role text"
        )


def _evaluate(assets: StudyAssets, study: EntityLinkage) -> None:
    known_at = {
        asset: f"truth_{index}" for index, asset in enumerate(sorted({one.asset for one in study.truth}))
    }

    @assets.asset(
        Output("evaluation", "Precision and recall: estimated, and measured where the truth is known."),
        Output(
            "judged_quality", "Precision and recall of the model, measured on the pairs that people judged."
        ),
        Output("findings", "What the linkage found, as facts."),
        zone="restricted",
        inputs={
            "entities": "entities",
            "quality": "quality",
            "match_weights": "match_weights",
            "judgements": "judgements",
            **{name: asset for asset, name in known_at.items()},
        },
        settings=[study.truth, study.seed],
    )
    def evaluate(context, entities, quality, match_weights, judgements, **known):
        """Compare the entities with the truth, if one is known, and state the findings."""
        tables = [
            known[known_at[truth.asset]]
            .rename(columns={truth.record: "record_id", truth.entity: "truth_id"})[["record_id", "truth_id"]]
            .dropna()
            .assign(**({"register": truth.register_name} if truth.register_name else {}))
            for truth in study.truth
        ]
        measured = evaluate_linkage(entities, pd.concat(tables, ignore_index=True)) if tables else None
        facts = linkage_facts(assets.study, entities, match_weights, quality, measured)
        estimated = quality.rename(columns={"estimate": "value"}).assign(source="estimated")
        return {
            "evaluation": _long(estimated, measured),
            "judged_quality": judged_quality(entities, standing(judgements), study.seed),
            "findings": facts_to_frame(facts),
        }


def _long(estimated: pd.DataFrame, measured: pd.DataFrame | None) -> pd.DataFrame:
    if measured is None:
        return estimated
    long = measured.melt(id_vars="measure", value_vars=["precision", "recall", "f1"], value_name="value")
    long["measure"] = long["measure"] + " " + long.pop("variable")
    return pd.concat([estimated, long.assign(source="measured")], ignore_index=True)
