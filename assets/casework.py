"""Casework: a study's restricted pages, stored encrypted and shown only through the guard."""

from collections.abc import Callable, Sequence

import pandas as pd

from assets.study import Output, StudyAssets
from hrtech.facts import Report, facts_from_frame
from hrtech.pages import render_casework
from resources.lineage import trace


def add_casework(
    assets: StudyAssets,
    title: str,
    report: Callable[..., Report],
    *,
    tables: Sequence[str] = (),
    pages: Callable[..., dict[str, Report]] | None = None,
    files: str | None = None,
) -> None:
    """Add the asset `casework`: pages of the restricted `findings`.

    Args:
        assets: The study's assets.
        title: Title of the pages.
        report: Makes a `Report` of `(study, title, facts, **tables)`.
        tables: Nouns of tables that it shows besides the facts.
        pages: Makes further pages of `(study, **tables)`, address → report; `report` then takes their addresses as
            `pages`.
        files: Noun of a table of files (`path, media_type, content`) that stand beside the pages.
    """

    @assets.asset(
        Output(
            "casework",
            "Restricted pages of this study, under /casework/ behind the guard.",
            about_entities=True,
        ),
        zone="restricted",
        inputs={"findings": "findings", **{table: table for table in [*tables, *filter(None, [files])]}},
        settings=[title, list(tables)],
        kinds=("html",),
    )
    def casework(context, findings: pd.DataFrame, **shown: pd.DataFrame):
        """Render the study's findings for the data's keepers."""
        facts = facts_from_frame(findings)
        lineage = trace(context.instance, [assets.key(name) for name in ("findings", *tables)])
        beside = [shown.pop(files)] if files else []
        if pages is None:
            first = report(assets.study, title, facts, **shown)
            rendered = render_casework(first, findings, lineage)
        else:
            further = pages(assets.study, **shown)
            first = report(assets.study, title, facts, **shown, pages=frozenset(further))
            rendered = render_casework(first, findings, lineage, pages=further)
        return pd.concat([rendered, *beside], ignore_index=True)
