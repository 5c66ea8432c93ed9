"""What of a CasePatterns is told outside: through disclosure control, or as it is where it was released already."""

from typing import TYPE_CHECKING

import pandas as pd

from assets.disclosure import Disclosure
from assets.release import NO_CHARGE, POPULATION, Terms, release
from assets.study import Output, StudyAssets
from hrtech.facts import Fact, facts_from_frame, facts_to_frame, report_to_frame
from hrtech.patterns.planted import compare_with_planted
from hrtech.patterns.report import pattern_report, planted_told
from hrtech.patterns.telling import pattern_facts, search_facts
from hrtech.patterns.told import COLUMNS, MECHANISM, by_period, tell_patterns, told_facts
from hrtech.tables import table_to_bytes

if TYPE_CHECKING:
    from assets.case_patterns import CasePatterns

TOLD = {
    "told_patterns": "Patterns that may be told, with their counts and intervals.",
    "told_timeline": "Their counts by blocks of periods, each large enough.",
    "facts": "Findings that may be told.",
}


def add_told_barrier(assets: StudyAssets, study: "CasePatterns", disclosure: Disclosure) -> None:
    """Add the barrier from restricted patterns to what may be told, and the report that tells it."""
    confidence = study.confidence

    def controlled(frames: dict[str, pd.DataFrame]) -> dict[str, bytes]:
        told = tell_patterns(
            frames["patterns"], frames["timeline"], frames["values"], disclosure.minimum_cell
        )
        findings = facts_from_frame(frames["findings"])
        facts: list[Fact] = told_facts(
            assets.study, told, findings, minimum_cell=disclosure.minimum_cell, confidence=confidence
        )
        made = {
            "told_patterns": told.patterns,
            "told_timeline": told.timeline,
            "facts": facts_to_frame(facts),
        }
        return {noun: table_to_bytes(frame) for noun, frame in made.items()}

    @assets.asset(
        *(Output(noun, words, columns=COLUMNS.get(noun, {})) for noun, words in TOLD.items()),
        zone="released",
        inputs={noun: noun for noun in ("patterns", "timeline", "values", "findings")},
        settings=[disclosure, confidence],
        barrier="disclosure-control",
        mechanism=MECHANISM,
        metadata={POPULATION: disclosure.population},
    )
    def told_patterns(context, **frames: pd.DataFrame):
        """Withhold what is small or would give small counts back, under the named approver, in the ledger."""
        terms = Terms(
            population=disclosure.population,
            barrier="disclosure-control",
            mechanism=MECHANISM,
            parameters={"minimum_cell": disclosure.minimum_cell, "confidence": confidence},
            charge=NO_CHARGE,
            purpose=disclosure.purpose,
            approvers=disclosure.approvers,
        )
        released = release(context, assets.study, terms, frames, lambda: controlled(frames))
        return {noun: released.table(noun) for noun in TOLD}

    _report(assets, study, "disclosure-control", ("told_patterns", "told_timeline"))


def add_told(assets: StudyAssets, study: "CasePatterns") -> None:
    """Add facts and report of patterns that were found in what is released, or open, to begin with."""

    @assets.asset(
        Output("facts", "What changed, from what to what, and how sure that is."),
        zone=study.zone,
        inputs={noun: noun for noun in ("patterns", "search", "periods")},
        settings=study.confidence,
    )
    def facts(context, patterns: pd.DataFrame, search: pd.DataFrame, periods: pd.DataFrame):
        """State the facts."""
        found = search_facts(assets.study, search, patterns)
        return facts_to_frame(
            found + pattern_facts(assets.study, patterns, confidence=study.confidence, volume=periods)
        )

    promise = "open" if study.zone == "public" else "differential-privacy"
    _report(assets, study, promise, ("patterns", "timeline"))


def _report(assets: StudyAssets, study: "CasePatterns", promise: str, nouns: tuple[str, str]) -> None:
    settings = study.settings()
    inputs = {"facts": "facts", "patterns": nouns[0], "timeline": nouns[1]}

    @assets.asset(
        Output("report", "What is told of this study, in words and charts."),
        zone="released" if study.zone == "restricted" else study.zone,
        inputs=inputs | ({"truth": study.truth} if study.truth else {}),
        settings=[study.title, settings],
    )
    def report(
        context,
        facts: pd.DataFrame,
        patterns: pd.DataFrame,
        timeline: pd.DataFrame,
        truth: pd.DataFrame | None = None,
    ):
        """Tell the facts."""
        told = None if truth is None else planted_told(compare_with_planted(patterns, truth, settings))
        made = pattern_report(
            assets.study,
            study.title,
            facts_from_frame(facts),
            promise=promise,
            patterns=patterns,
            timeline=by_period(timeline) if "periods" in timeline else timeline,
            sources=nouns,
            blocks="periods" in timeline,
            truth=told,
            truth_asset=study.truth or "",
        )
        return report_to_frame(made)
