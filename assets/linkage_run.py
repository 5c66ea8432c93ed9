"""One run of a linkage: it reads what the run before left, links, and leaves tables for people and for the next run."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pandas as pd

from assets.study import Made, Output, StudyAssets
from hrtech.linkage import LinkageSpec
from hrtech.linkage.identity import changes_since, keep_ids, used_ids
from hrtech.linkage.incremental import LinkageState, link_again, state_of, state_table
from hrtech.linkage.judged_quality import draw_pairs
from hrtech.linkage.judgements import standing
from hrtech.linkage.review import find_contradictions, review_queue
from hrtech.linkage.telling import linked_records, settings_table
from resources.lake_files import ZoneFiles


@dataclass(frozen=True)
class Run:
    """How a linkage is run.

    Attributes:
        registers: Names of the registers.
        review: Pairs in the review queue, at most.
        drawn: Joined pairs drawn at random for it besides.
        incremental: Only new and changed records are scored.
        retrain_after: Share of records that came, changed or left after which everything is linked anew.
    """

    registers: tuple[str, ...]
    review: int
    drawn: int
    incremental: bool
    retrain_after: float


@dataclass(frozen=True)
class Earlier:
    """What the last run of a study left in the lake."""

    files: ZoneFiles
    study: str

    def table(self, noun: str) -> pd.DataFrame | None:
        """Read a table, None before the first run."""
        key = (self.study, noun)
        return self.files.read(key) if self.files.exists(key) else None

    def state(self) -> LinkageState | None:
        """Read what an incremental run goes on from, None where any of it is missing."""
        kept, parameters, pairs, records = (
            self.table(noun) for noun in ("state", "parameters", "match_weights", "compared_records")
        )
        if kept is None or parameters is None or pairs is None or records is None:
            return None
        return state_of(kept, parameters, pairs, records)


def add_linkage(assets: StudyAssets, spec: LinkageSpec, run: Run) -> None:
    """Add the asset that links, with all the tables that it leaves.

    Args:
        assets: The study's assets.
        spec: The declaration.
        run: How it is run.
    """

    @assets.asset(
        Output(
            "match_weights",
            "Pairs of records with the weight of evidence that they match.",
            about_entities=True,
        ),
        # before the entities, so that a run that fails in between is told when it is repeated
        Output(
            "changes", "Entities that are new, grown, merged, split or gone, run by run.", about_entities=True
        ),
        Output("entities", "Which entity each record belongs to.", about_entities=True),
        Output("linked_records", "The records of all registers, each with its entity.", about_entities=True),
        Output(
            "parameters", "What agreement and disagreement on each field count for, learned without labels."
        ),
        Output("blocking", "How many pairs each blocking rule makes."),
        Output("quality", "Precision and recall, estimated without labels."),
        Output("unlinkables", "Records that say too little to be linked at all.", about_entities=True),
        Output("compared_records", "The records as they were compared.", about_entities=True),
        Output("state", "The trained model, for records that come later."),
        Output("settings", "By what rule pairs were decided."),
        Output("contradictions", "Entities that contradict themselves.", about_entities=True),
        Output("review", "Pairs most worth a person's look, the first one first.", about_entities=True),
        zone="restricted",
        inputs={**{name: name for name in run.registers}, "judgements": "judgements"},
        settings=[spec, run],
        resources=("restricted",),
        kinds=("splink", "duckdb"),
    )
    def link(context, judgements, **registers):
        """Score pairs of records and join them into entities, which keep the ids that they had."""
        decisions = standing(judgements)
        earlier = Earlier(context.resources.restricted.files(), assets.study)
        state = earlier.state() if run.incremental else None
        result, anew = link_again(registers, spec, decisions, state, retrain_after=run.retrain_after)
        before, log = earlier.table("entities"), earlier.table("changes")
        entities = keep_ids(result.entities, before, used_ids(log))
        found = find_contradictions(
            result.pairs, entities, result.records, spec.fields, result.contradictions, result.threshold
        )
        drawn = draw_pairs(entities, spec.seed, run.drawn, judged=decisions)
        queue = review_queue(
            result.pairs, entities, found, decisions, result.threshold, size=run.review, drawn=drawn
        )
        ids = {name: spec.id_column(name) for name in registers}
        return {
            "match_weights": Made(
                result.pairs, metadata={"pairs": len(result.pairs), "threshold": result.threshold}
            ),
            "changes": changes_since(entities, before, log, datetime.now(UTC)),
            "entities": Made(entities, metadata={"entities": int(entities["entity_id"].nunique())}),
            "linked_records": linked_records(registers, entities, ids),
            "parameters": result.parameters,
            "blocking": Made(
                result.blocking, metadata={"criterion": result.criterion, "notes": list(result.notes)}
            ),
            "quality": result.quality,
            "unlinkables": result.unlinkables,
            "compared_records": result.records,
            "state": Made(
                state_table(result, spec, None if anew else state), metadata={"trained_anew": anew}
            ),
            "settings": settings_table(result),
            "contradictions": Made(found, metadata={"entities": int(found["entity_id"].nunique())}),
            "review": Made(queue, metadata={"pairs": len(queue)}),
        }
