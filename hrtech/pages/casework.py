"""Restricted pages: the same parts for the people who keep the records, with links into the Dagster UI and forms.

The pages stand under `/casework/<study>/`, served by the guard alone, which puts its token in place of
`CSRF_PLACEHOLDER` in each form. Every page says that it is restricted. Nothing here judges zones: everything here is
restricted already.
"""

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from hrtech.facts import Report, facts_from_frame, index_facts
from hrtech.pages.draw import vega_bundle
from hrtech.pages.errors import PageError
from hrtech.pages.evidence import Files, pages_frame, site_script, static_file
from hrtech.pages.kit import Kit, script_bytes, templates
from hrtech.pages.promises import promise_view, release_view
from hrtech.pages.provenance import Lineage, Origin

#: What the guard replaces with its token before it serves a page.
CSRF_PLACEHOLDER: Final = "__CSRF__"


def render_casework(
    report: Report,
    facts: pd.DataFrame,
    lineage: pd.DataFrame,
    *,
    language: str = "en",
    interactive: bool = True,
    runs_href: str = "/runs/",
    assets_href: str = "/assets/",
    pages: Mapping[str, Report] | None = None,
) -> pd.DataFrame:
    """Render the restricted pages of one study.

    Args:
        report: What the study tells its case workers.
        facts: Facts, as `facts_to_frame` makes them.
        lineage: Assets behind the facts, columns as in `LINEAGE_COLUMNS`; may be empty.
        language: Language of the texts, a BCP 47 tag.
        interactive: Charts answer to the pointer.
        runs_href: Where the Dagster UI shows a run.
        assets_href: Where the Dagster UI shows an asset.
        pages: Further pages, such as one a pair of records: address without `.html`, at most one folder deep, to what
            it tells. Their reports have names of their own, because files are called after them.

    Returns:
        One row a file: `path` (relative to `/casework/<study>/`), `media_type`, `content`.

    Raises:
        PageError: The report cites a fact that was not told, or a chart would load something.
    """
    told = index_facts(facts_from_frame(facts))
    assets = Lineage.from_frame(lineage)
    reports = [report, *(pages or {}).values()]
    missing = [fact_id for one in reports for fact_id in one.cited() if fact_id not in told]
    if missing:
        raise PageError(f"report {report.study} cites facts that were not told: {', '.join(missing)}")
    kit = Kit(
        told,
        assets,
        fact_href=lambda fact_id: f"facts.html#{fact_id}",
        asset_href=lambda asset: f"{assets_href}{asset}",
    )
    body = kit.body(report, live=interactive)
    out: Files = dict(body.files)
    out["assets/site.css"] = ("text/css; charset=utf-8", static_file("site.css"))
    out["assets/site.js"] = ("text/javascript; charset=utf-8", site_script())
    charts = ""
    if body.charts:
        charts = "data/charts.js"
        out[charts] = ("text/javascript; charset=utf-8", script_bytes("evidenceCharts", body.charts))
        out["assets/vega.js"] = ("text/javascript; charset=utf-8", vega_bundle())
        out["assets/vega.LICENSE.txt"] = ("text/plain; charset=utf-8", static_file("vega.LICENSE.txt"))
    shared: dict[str, Any] = {
        "language": language,
        "study": report.study,
        "root": "",
        "restricted": True,
        "csrf": CSRF_PLACEHOLDER,
    }
    out["index.html"] = _page(
        "casework.html",
        **shared,
        title=report.title,
        summary=kit.inline(report.summary),
        promise=promise_view("restricted", []),
        parts=body.parts,
        charts=charts,
    )
    cited = set(report.cited())
    for address, more in (pages or {}).items():
        cited |= set(more.cited())
        out |= _further_page(address, more, kit, shared, interactive)
    entries = [
        {**kit.fact_view(fact_id), **_origin_view(kit, told[fact_id].source_asset)}
        for fact_id in sorted(cited)
    ]
    out["facts.html"] = _page(
        "casework_facts.html",
        **shared,
        title=f"{report.title}: every number and where it comes from",
        entries=entries,
        runs_href=runs_href,
        assets_href=assets_href,
        charts="",
    )
    return pages_frame(out)


def _further_page(address: str, report: Report, kit: Kit, shared: dict[str, Any], interactive: bool) -> Files:
    """Render a page below the first, with its own downloads and charts."""
    root = "../" * address.count("/")
    own = Kit(
        kit.facts,
        kit.lineage,
        fact_href=lambda fact_id: f"{root}facts.html#{fact_id}",
        asset_href=kit.asset_href,
        root=root,
    )
    body = own.body(report, live=interactive)
    out: Files = dict(body.files)
    charts = ""
    if body.charts:
        charts = f"data/{report.study}_charts.js"
        out[charts] = ("text/javascript; charset=utf-8", script_bytes("evidenceCharts", body.charts))
        out["assets/vega.js"] = ("text/javascript; charset=utf-8", vega_bundle())
        out["assets/vega.LICENSE.txt"] = ("text/plain; charset=utf-8", static_file("vega.LICENSE.txt"))
    out[f"{address}.html"] = _page(
        "casework.html",
        **{**shared, "root": root},
        title=report.title,
        summary=own.inline(report.summary),
        promise=promise_view("restricted", []),
        parts=body.parts,
        charts=f"{root}{charts}" if charts else "",
    )
    return out


def _origin_view(kit: Kit, asset: str) -> Mapping[str, Any]:
    if asset not in kit.lineage:
        return {"origin": Origin(asset, "restricted"), "releases": []}
    releases = [release_view(release) for release in kit.lineage.releases([asset])]
    return {"origin": kit.lineage[asset], "releases": releases}


def _page(template: str, **context: Any) -> tuple[str, bytes]:
    return "text/html; charset=utf-8", templates().get_template(template).render(**context).encode()
