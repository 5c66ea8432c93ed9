"""Disclosure control as a component's setting: headline counts and estimates leave under a named approver.

It claims no epsilon: small counts are withheld, with a second one wherever a total would give them back.
"""

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
from pydantic import Field

from assets.release import NO_CHARGE, POPULATION, Terms, release
from assets.settings import Settings
from assets.study import Output, StudyAssets
from hrtech.facts import Fact, facts_from_frame, facts_to_frame, report_to_frame
from hrtech.privacy.disclosure import MECHANISM, control_facts
from hrtech.tables import table_to_bytes


class Disclosure(Settings):
    """Terms on which the findings of a restricted study may be told."""

    population: str = Field(description="People whom the findings are about: a file in policy/populations/.")
    purpose: str = Field(description="Why it is released, for the ledger.", min_length=3)
    approvers: list[str] = Field(description="Who allowed it, by name.", min_length=1)
    minimum_cell: int = Field(
        default=10, ge=3, description="A count of people or records below this is withheld."
    )


def add_disclosure(
    assets: StudyAssets, disclosure: Disclosure, title: str, report: Callable[..., object]
) -> None:
    """Add the barrier from `findings` to `facts`, and the report that tells them.

    Args:
        assets: The study's assets; `findings` holds its restricted facts.
        disclosure: The terms.
        title: Title of the report.
        report: Makes a `Report` of `(study, title, facts)`.
    """

    def controlled(findings: pd.DataFrame) -> list[Fact]:
        told = control_facts(facts_from_frame(findings), disclosure.minimum_cell)
        # from here on the fact stands on the release; lineage leads on to where it was found
        return [replace(fact, source_asset=f"{assets.study}/facts", row_key=fact.fact_id) for fact in told]

    @assets.asset(
        Output("facts", "Findings that may be told: counts and estimates, small ones withheld."),
        zone="released",
        inputs={"findings": "findings"},
        settings=disclosure,
        barrier="disclosure-control",
        mechanism=MECHANISM,
        metadata={POPULATION: disclosure.population},
    )
    def facts(context, findings: pd.DataFrame):
        """Withhold what is small, under the named approver, in the ledger."""
        terms = Terms(
            population=disclosure.population,
            barrier="disclosure-control",
            mechanism=MECHANISM,
            parameters={"minimum_cell": disclosure.minimum_cell},
            charge=NO_CHARGE,
            purpose=disclosure.purpose,
            approvers=disclosure.approvers,
        )
        released = release(
            context,
            assets.study,
            terms,
            {"findings": findings},
            lambda: {"facts": table_to_bytes(facts_to_frame(controlled(findings)))},
        )
        return released.table("facts")

    @assets.asset(
        Output("report", "What is told of this study, in words and charts."),
        zone="released",
        inputs={"facts": "facts"},
        settings=title,
    )
    def told(context, facts: pd.DataFrame):
        """Tell the facts."""
        return report_to_frame(report(assets.study, title, facts_from_frame(facts)))
