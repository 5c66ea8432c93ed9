"""May this be published? The checks that stand before the public site.

Here: refusals only. Zones are judged on the lineage, numbers in prose by the narrative checker.
"""

from collections.abc import Mapping

from hrtech.facts import Fact, JudgementForm, Report, Text, check_narrative
from hrtech.facts.parts import Chart, DataTable, Network, markers
from hrtech.pages.errors import PageError
from hrtech.pages.prose import without_settings
from hrtech.pages.provenance import Lineage


def check_reports(reports: list[Report], told: Mapping[str, Fact], summary: str) -> None:
    """Check that reports speak of told facts alone, in prose too, and are meant for the public.

    Raises:
        PageError: They are not; the message names the report and the mend.
    """
    studies = [report.study for report in reports]
    if not studies or len(set(studies)) != len(studies):
        raise PageError("a site needs reports, one a study")
    for report in reports:
        missing = [fact_id for fact_id in report.cited() if fact_id not in told]
        if missing:
            raise PageError(f"report {report.study} cites facts that were not told: {', '.join(missing)}")
        if report.promise == "restricted" or any(isinstance(part, JudgementForm) for part in report.parts):
            raise PageError(
                f"report {report.study} is for casework (its promise is restricted, or it holds a form); a public "
                "page cannot show it"
            )
        prose = [report.summary, *(part.markdown for part in report.parts if isinstance(part, Text))]
        for text in prose:
            _check_prose(f"report {report.study}", text, told, report.cited())
    _check_prose("the summary of the site", summary, told, tuple(told))


def _check_prose(owner: str, text: str, told: Mapping[str, Fact], cited: tuple[str, ...]) -> None:
    problems = check_narrative(without_settings(text), told.values(), cited)
    if problems:
        listed = "\n".join(f"  - {problem.message}" for problem in problems)
        raise PageError(
            f"{owner}: every number in prose is told by a fact, or is a setting in `backticks`; "
            f"{len(problems)} found that are not:\n{listed}"
        )


def check_public(reports: list[Report], told: Mapping[str, Fact], assets: Lineage) -> None:
    """Check that every fact and every part comes from what may be shown to everyone.

    Raises:
        PageError: One does not; the message names it and the asset.
    """
    for fact in told.values():
        assets.require_public(fact.source_asset, f"fact {fact.fact_id}")
    for report in reports:
        for part in report.parts:
            if not isinstance(part, Chart | DataTable | Network):
                continue
            who = f"report {report.study}, {part.title!r},"
            if not part.fact_ids and not part.source_assets:
                raise PageError(
                    f"{who} names neither facts nor source_assets, so nobody can tell where it comes from"
                )
            for asset in part.source_assets:
                assets.require_public(asset, who)


def cited_facts(reports: list[Report], told: Mapping[str, Fact], summary: str) -> dict[str, Fact]:
    """The facts that the site tells, by id, sorted."""
    ids = {fact_id for report in reports for fact_id in report.cited()}
    ids |= {fact_id for fact_id, *_ in markers(summary)}
    return {fact_id: told[fact_id] for fact_id in sorted(ids)}


def source_assets(reports: list[Report], cited: Mapping[str, Fact]) -> list[str]:
    """The assets that the site's numbers come from, sorted."""
    assets = {fact.source_asset for fact in cited.values()}
    for report in reports:
        assets |= {asset for part in report.parts for asset in getattr(part, "source_assets", ())}
    return sorted(assets)
