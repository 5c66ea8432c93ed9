"""What people see of a linkage: the restricted pages, the review queue with its forms, and a check that warns."""

from collections.abc import Mapping

import dagster as dg
import pandas as pd

from assets.casework import add_casework
from assets.study import StudyAssets
from hrtech.facts import Fact, Report
from hrtech.linkage.page import casework_report
from hrtech.linkage.review_pages import review_pages

TABLES = (
    "blocking", "changes", "contradictions", "entities", "evaluation", "judged_quality", "judgements", "linked_records",
    "match_weights", "parameters", "quality", "review", "settings", "unlinkables",
)  # fmt: skip


def add_review(assets: StudyAssets, title: str, columns: Mapping[str, Mapping[str, str]]) -> None:
    """Add the asset `casework` with its pages, and the check that no entity contradicts itself.

    Args:
        assets: The study's assets.
        title: Title of the pages.
        columns: Field → register → its column.
    """

    def first(
        study: str, title: str, facts: list[Fact], pages: frozenset[str], **tables: pd.DataFrame
    ) -> Report:
        return casework_report(study, title, facts, tables, pages)

    def further(study: str, **tables: pd.DataFrame) -> dict[str, Report]:
        return review_pages(
            study,
            tables["review"],
            tables["match_weights"],
            tables["linked_records"],
            tables["judgements"],
            columns,
        )

    add_casework(assets, title, first, tables=TABLES, pages=further)

    @dg.asset_check(
        asset=assets.key("contradictions"),
        name="no_entity_contradicts_itself",
        description="Entities with two identifiers, held by one weak pair, or judged both ways.",
    )
    def consistent(contradictions: pd.DataFrame) -> dg.AssetCheckResult:
        counts = contradictions["kind"].value_counts()
        return dg.AssetCheckResult(
            passed=contradictions.empty,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={str(kind).replace(" ", "_"): int(count) for kind, count in counts.items()},
        )

    assets.checks.append(consistent)
