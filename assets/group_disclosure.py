"""The barrier of a GroupComparison: figures leave under a named approver, without those that tell of few."""

import pandas as pd

from assets.disclosure import Disclosure
from assets.release import NO_CHARGE, POPULATION, Terms, release
from assets.study import Output, StudyAssets
from hrtech.facts import facts_from_frame, facts_to_frame, report_to_frame
from hrtech.groups import GroupQuestion
from hrtech.groups.columns import COLUMNS
from hrtech.groups.publish import MECHANISM, told_tables
from hrtech.groups.report import group_report
from hrtech.groups.telling import group_facts
from hrtech.groups.truth import against_truth
from hrtech.tables import table_to_bytes

TOLD = {
    "estimates": "Figures of groups that may be told.",
    "against_others": "Differences from all others that may be told.",
    "pairs": "Differences between two groups that may be told.",
    "changes": "Changes from window to window that may be told.",
    "ranks": "Places among the groups that are told.",
}


def add_group_disclosure(
    assets: StudyAssets, disclosure: Disclosure, title: str, question: GroupQuestion, truth: str | None
) -> None:
    """Add the barrier from the restricted tables to `told_…`, and the facts and report made of those.

    Args:
        assets: The study's assets; `protection` says what may be told.
        disclosure: The terms.
        title: Title of the report.
        question: What was asked.
        truth: True counts of a simulated world: study/noun.
    """
    given = ["estimates", "against_others", "pairs", "changes", "protection"]

    @assets.asset(
        *(Output(f"told_{noun}", words, columns=COLUMNS[noun]) for noun, words in TOLD.items()),
        zone="released",
        inputs={noun: noun for noun in given},
        settings=[disclosure, question],
        barrier="disclosure-control",
        mechanism=MECHANISM,
        metadata={POPULATION: disclosure.population},
    )
    def told(context, protection: pd.DataFrame, **tables: pd.DataFrame):
        """Withhold, under the named approver, in the ledger."""
        terms = Terms(
            population=disclosure.population,
            barrier="disclosure-control",
            mechanism=MECHANISM,
            parameters={"minimum_cell": disclosure.minimum_cell, "confidence": question.confidence},
            charge=NO_CHARGE,
            purpose=disclosure.purpose,
            approvers=disclosure.approvers,
        )
        released = release(
            context,
            assets.study,
            terms,
            {**tables, "protection": protection},
            lambda: {n: table_to_bytes(t) for n, t in told_tables(tables, protection, question).items()},
        )
        return {f"told_{noun}": released.table(noun) for noun in TOLD}

    shown = {f"told_{noun}": f"told_{noun}" for noun in TOLD}
    if truth:
        shown["told_against_truth"] = "told_against_truth"

        @assets.asset(
            Output(
                "told_against_truth",
                "Shares that are told beside the simulated world's truth.",
                columns=COLUMNS["against_truth"],
            ),
            zone="released",
            inputs={"estimates": "told_estimates", "truth": truth},
            settings=question,
        )
        def beside(context, estimates: pd.DataFrame, truth: pd.DataFrame):
            """Compare with the truth."""
            return against_truth(estimates, question, truth)

    @assets.asset(
        Output("facts", "Figures, places, differences and changes that may be told, as facts."),
        zone="released",
        inputs=shown,
        settings=question,
    )
    def facts(context, **tables: pd.DataFrame):
        """State what may be told."""
        named = {noun.removeprefix("told_"): table for noun, table in tables.items()}
        return facts_to_frame(group_facts(assets.study, question, named, before="told_"))

    @assets.asset(
        Output("report", "What is told of this study, in words and charts."),
        zone="released",
        inputs={"facts": "facts", **shown},
        settings=[title, question],
    )
    def report(context, facts: pd.DataFrame, **tables: pd.DataFrame):
        """Tell the facts."""
        named = {noun.removeprefix("told_"): table for noun, table in tables.items()}
        found = group_report(
            assets.study, title, facts_from_frame(facts), question=question, before="told_", **named
        )
        return report_to_frame(found)
