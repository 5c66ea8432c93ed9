"""Casework's pages of publication: each draft exactly as it would be published, with its hash and what it lacks."""

from typing import Any

import pandas as pd

from hrtech.facts import Heading, Part, Report, Text
from hrtech.facts.frames import frame_table
from hrtech.networks.case_pages import remark_form
from hrtech.networks.publication_drafts import report_name, written_report

_STATE = {
    "published": "Everything holds: this page is released. The public site shows it once somebody has published that.",
    "withdrawn": "It was published, and is withdrawn: something below does not hold any more.",
    "not approved": "It is not published: something below is missing.",
}


def draft_address(page: str) -> str:
    """Return the address of a draft in casework."""
    return f"publication/{page}"


def publication_pages(study: str, drafts: pd.DataFrame) -> dict[str, Report]:
    """Return a casework page for each draft, by address.

    Args:
        study: Name of the study.
        drafts: As `publication_drafts` gives them.
    """
    return {draft_address(row["address"]): _page(study, row) for row in drafts.to_dict("records")}


def publication_section(study: str, drafts: pd.DataFrame) -> list[Part]:
    """Return what a study's first page says of publication: each declared entity with its state and a link."""
    listed = drafts.assign(
        name=drafts["name"].where(drafts["name"] != "", drafts["entity_id"]),
        missing=[text.count("\n") + 1 if text else 0 for text in drafts["missing"]],
    )
    return [
        Heading("Publication of single entities"),
        frame_table(
            "Entities that somebody wants to publish",
            listed[["name", "state", "missing", "evidence"]],
            headings={"missing": "what is missing", "evidence": "hash of the evidence shown"},
            source_assets=(f"{study}/publication_drafts",),
            description="Each has its draft, as it would be published. An approval names the hash.",
            links=[f"{draft_address(page)}.html" for page in listed["address"]],
        ),
    ]


def _page(study: str, row: dict[Any, Any]) -> Report:
    source = (f"{study}/publication_drafts",)
    parts: list[Part] = [
        Text("[Back to the study](../index.html)"),
        Heading("May it be published?"),
        Text(_STATE[row["state"]]),
    ]
    if row["missing"]:
        lines = pd.DataFrame({"what": row["missing"].split("\n")})
        parts.append(frame_table("What is missing", lines, source_assets=source))
    if row["evidence"]:
        hashed = pd.DataFrame({"hash": [row["evidence"]]})
        parts.append(
            frame_table(
                "The hash that an approval names",
                hashed,
                source_assets=source,
                description="It covers all that the page shows, but the approval itself.",
            )
        )
    if row["notice"]:
        parts += [Heading("What stands in its place"), *written_report(row["notice"]).parts]
    if row["page"]:
        parts += [Heading("Reply, correction, decision"), remark_form(study, row["entity_id"])]
        draft = written_report(row["page"])
        parts += [Heading("The page as it would be published"), Text(draft.summary), *draft.parts]
    name = row["name"] or row["entity_id"]
    summary = "A draft for publication, to be read by whoever approves it."
    return Report(
        f"{report_name(study, row['entity_id'])}_draft",
        f"Publish {name}?",
        summary,
        "restricted",
        tuple(parts),
    )
