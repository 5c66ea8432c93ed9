"""Advice before spending: what a release would cost and tell at several epsilons, from public knowledge alone."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pydantic import Field

from assets.settings import Settings
from assets.study import Made, Output, StudyAssets
from hrtech.facts import facts_from_frame, facts_to_frame, report_from_frame, report_to_frame
from hrtech.pages import render_evidence
from hrtech.release.declared import ReleaseSchema
from resources.lineage import trace

if TYPE_CHECKING:
    from assets.case_release import CaseRelease

#: What the page shows.
_SHOWN = ("advice", "advice_summary", "advice_columns", "dry_run")


class AdviceFor(Settings):
    """For how many people, and which losses to compare."""

    people: int = Field(
        ge=1,
        description="About how many people, from public knowledge or an earlier release; never counted here.",
    )
    epsilons: list[float] = Field(
        default=[0.25, 0.5, 1.0, 2.0, 4.0, 8.0], min_length=1, description="Privacy losses to compare."
    )


def add_advice(assets: StudyAssets, study: "CaseRelease", schema: ReleaseSchema, wanted: AdviceFor) -> None:
    """Add the advice and its page: no record is read and nothing is charged, so that both come before a release."""

    @assets.asset(
        Output("advice", "Errors to expect per length and count band at several epsilons; spends nothing."),
        Output("advice_summary", "What each epsilon would cost and tell, for whoever chooses the budget."),
        Output("advice_columns", "What each column costs the others, and what banding it would save."),
        Output("dry_run", "Every step of the release: what it reads, decides and costs; spends nothing."),
        Output("advice_facts", "What the advice says, each number with its range."),
        Output("advice_report", "What is told of the advice, in words and charts."),
        zone="released",
        settings=[study.settings(), wanted, study.title],
        generator=True,  # of invented people, from a seed
    )
    def advise_before_spending(context):
        """Simulate releases about invented people, and go through the real one without data."""
        from hrtech.release.advice import advise
        from hrtech.release.advice_telling import advice_facts, advice_report
        from hrtech.release.dry_run import dry_run

        settings = study.settings()
        made = advise(settings, schema, wanted.people, wanted.epsilons, rng=np.random.default_rng(1))
        steps = dry_run(settings, schema, wanted.people).steps
        facts = facts_to_frame(advice_facts(assets.study, made))
        title = f"{study.title}: before a release is drawn"
        report = advice_report(assets.study, title, facts_from_frame(facts), made, steps)
        told = {"warnings": "\n".join(made.warnings) or "none"}
        return {
            "advice": Made(made.table, metadata=told),
            "advice_summary": made.summary,
            "advice_columns": made.columns,
            "dry_run": steps,
            "advice_facts": facts,
            "advice_report": report_to_frame(report),
        }

    @assets.asset(
        Output(
            "advice_pages",
            "What each epsilon would tell and cost, for whoever decides: under /casework/ behind the guard.",
        ),
        zone="released",
        inputs={noun: noun for noun in ("advice_facts", "advice_report")},
        after=_SHOWN,
        settings=study.title,
        kinds=("html",),
    )
    def advice_pages(context, advice_facts: pd.DataFrame, advice_report: pd.DataFrame):
        """Render the advice; refused where any of it came from records."""
        report = report_from_frame(advice_report)
        lineage = trace(context.instance, [assets.key(noun) for noun in _SHOWN])
        return render_evidence([report], advice_facts, lineage, title=report.title, summary=report.summary)
