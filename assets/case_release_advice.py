"""Advice before spending: what a release would cost and tell at several epsilons, from public knowledge alone."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pydantic import Field

from assets.settings import Settings
from assets.study import Made, Output, StudyAssets
from hrtech.release.declared import ReleaseSchema

if TYPE_CHECKING:
    from assets.case_release import CaseRelease


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
    """Add `advice`, `advice_summary` and `dry_run`: no record is read and nothing is charged."""

    @assets.asset(
        Output("advice", "Errors to expect per length and count band at several epsilons; spends nothing."),
        Output("advice_summary", "What each epsilon would cost and tell, for whoever chooses the budget."),
        Output("dry_run", "Every step of the release: what it reads, decides and costs; spends nothing."),
        zone="released",
        settings=[study.settings(), wanted],
        generator=True,  # of invented people, from a seed
    )
    def advise_before_spending(context):
        """Simulate releases about invented people, and go through the real one without data."""
        from hrtech.release.advice import advise
        from hrtech.release.dry_run import dry_run

        settings = study.settings()
        made = advise(settings, schema, wanted.people, wanted.epsilons, rng=np.random.default_rng(1))
        steps = dry_run(settings, schema, wanted.people).steps
        told = {"warnings": "\n".join(made.warnings) or "none"}
        summary: pd.DataFrame = made.summary
        return {"advice": Made(made.table, metadata=told), "advice_summary": summary, "dry_run": steps}
