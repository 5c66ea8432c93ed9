"""Pages of single entities on the public site: each approved by itself, and each to be taken down by itself.

Nothing about an entity stands anywhere but in its own page, its downloads and one line of the list; `pages.json` says
which files those are and which evidence they show, so that a page whose approval no longer holds can be taken down at
once (`resources.withdrawal`), without waiting for the site to be approved again.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from hrtech.facts import Report, report_from_frame
from hrtech.pages.errors import PageError
from hrtech.pages.provenance import Lineage

#: Noun of the asset that holds a study's entity pages.
NOUN: Final = "entity_pages"
FOLDER: Final = "entities"
PROMISE: Final = "approved-entity"
_REPORT: Final = ["study", "position", "kind", "payload"]


@dataclass(frozen=True)
class EntityPage:
    """One page.

    Attributes:
        page: Name of its file, without `.html`.
        state: `published` or `withdrawn`.
        evidence: Hash that its approval names; empty where it was withdrawn.
        report: What it shows.
    """

    page: str
    state: str
    evidence: str
    report: Report

    def path(self, study: str) -> str:
        """Return its place in the site."""
        return f"{FOLDER}/{study}/{self.page}.html"


def entity_pages(frame: pd.DataFrame) -> list[EntityPage]:
    """Return the pages that a study released.

    Args:
        frame: `page, title, state, evidence, study, position, kind, payload`, one row a part of a report.

    Raises:
        ReportError: The rows are not those of reports.
    """
    return [
        EntityPage(
            str(page),
            str(rows["state"].iloc[0]),
            str(rows["evidence"].iloc[0]),
            report_from_frame(rows[_REPORT]),
        )
        for page, rows in frame.groupby("page", sort=True)
    ]


def check_entities(entities: Mapping[str, list[EntityPage]], studies: list[str], assets: Lineage) -> None:
    """Check that the pages stand beside their study, promise what they should, and came through a release.

    Raises:
        PageError: They do not; the message names the study and the mend.
    """
    for study, pages in entities.items():
        if study not in studies:
            raise PageError(f"the entity pages of {study} have no report to stand beside; tell the study too")
        if any(one.report.promise != PROMISE for one in pages):
            raise PageError(f"the entity pages of {study} do not come from an approval one by one")
        if pages:
            assets.require_public(f"{study}/{NOUN}", f"the entity pages of {study}")


def listed(study: str, pages: list[EntityPage]) -> list[dict[str, Any]]:
    """Return what the list of a study's pages shows."""
    entries = [
        {"href": f"{one.page}.html", "title": one.report.title, "withdrawn": one.state == "withdrawn"}
        for one in pages
    ]
    return sorted(entries, key=lambda entry: (str(entry["title"]).casefold(), str(entry["href"])))


def pages_json(study: str, pages: list[EntityPage], files: Mapping[str, list[str]]) -> bytes:
    """Return which files each page has, and which evidence it shows.

    Args:
        study: The study.
        pages: Its pages.
        files: Page → its downloads.
    """
    held = {
        one.path(study): {"evidence": one.evidence, "state": one.state, "files": sorted(files[one.page])}
        for one in pages
    }
    return (json.dumps({"study": study, "pages": held}, indent=1, sort_keys=True) + "\n").encode()
