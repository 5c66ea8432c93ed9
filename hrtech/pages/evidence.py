"""The public site: static, from facts and reports alone, with the way from every number to the ledger.

Here: which pages there are, what may stand on them, and the manifest. It opens from a disk or any web host, asks no
third party for anything, and the same input gives the same bytes.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import pandas as pd
from markupsafe import Markup

from hrtech.facts import (
    FACT_COLUMNS,
    Fact,
    Report,
    facts_from_frame,
    format_number,
    index_facts,
)
from hrtech.pages.downloads import check_downloads, download_files, download_views, files_asset
from hrtech.pages.draw import vega_bundle
from hrtech.pages.entities import (
    FOLDER,
    PROMISE,
    EntityPage,
    check_entities,
    entity_pages,
    listed,
    pages_json,
)
from hrtech.pages.errors import PageError
from hrtech.pages.kit import Body, Kit, csv_bytes, script_bytes, templates
from hrtech.pages.promises import PROMISES, promise_view, release_view, weakest
from hrtech.pages.provenance import Lineage, Origin
from hrtech.pages.publishable import check_public, check_reports, cited_facts, source_assets
from hrtech.pages.routes import draw_routes

Files = dict[str, tuple[str, bytes]]

_HTML: Final = "text/html; charset=utf-8"
_SCRIPT: Final = "text/javascript; charset=utf-8"
#: Names of public pages that no study can take, because studies have a folder of their own.
_STUDIES: Final = "studies/"


@dataclass(frozen=True)
class _Site:
    title: str
    summary: str
    publisher: str
    language: str
    simulated: bool
    ledger_sequence: int | None
    ledger_head: str


def render_evidence(
    reports: Iterable[Report],
    facts: pd.DataFrame,
    lineage: pd.DataFrame,
    *,
    title: str,
    summary: str,
    publisher: str = "",
    language: str = "en",
    simulated: bool = False,
    interactive: bool = True,
    ledger_sequence: int | None = None,
    ledger_head: str = "",
    downloads: Mapping[str, pd.DataFrame] | None = None,
    entities: Mapping[str, pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """Render the public site.

    Args:
        reports: What the studies tell, in reading order.
        facts: Facts, as `facts_to_frame` makes them; those that no report cites stay out.
        lineage: Assets behind the facts with their ancestors, columns as in `LINEAGE_COLUMNS`.
        title: Title of the site.
        summary: What it is for; may hold fact markers.
        publisher: Who answers for it.
        language: Language of the texts, a BCP 47 tag.
        simulated: Everybody in it is made up; every page says so.
        interactive: Charts answer to the pointer; without, they are static pictures only.
        ledger_sequence: Last row of the privacy ledger that this site knows; by default the last in the lineage.
        ledger_head: Hash of that row.
        downloads: Study → the files that it gives out (`name`, `media_type`, `about`, `content`), from its asset
            `files`; they lie in `files/<study>/` and are offered on its page.
        entities: Study → pages of single entities that were approved one by one, from its asset `entity_pages`; they
            lie in `entities/<study>/`.

    Returns:
        One row a file: `path`, `media_type`, `content`. `index.html` is the way in; `manifest.json` names all other
        files with their SHA-256.

    Raises:
        PageError: A fact, a part or a file comes from restricted data, a report cites a fact that was not told, prose
            holds a number that is no fact, a chart would load something, or a form was put on a public page.
    """
    told = index_facts(facts_from_frame(facts))
    assets = Lineage.from_frame(lineage)
    chosen = list(reports)
    single = {study: pages for study, frame in (entities or {}).items() if (pages := entity_pages(frame))}
    check_entities(single, [report.study for report in chosen], assets)
    named = [one.report for pages in single.values() for one in pages]
    check_reports([*chosen, *named], told, summary)
    cited = cited_facts(chosen, told, summary)
    check_public([*chosen, *named], told, assets)
    offered = dict(downloads or {})
    check_downloads(offered, [report.study for report in chosen], assets)
    if ledger_sequence is None:
        last = max((o for o in assets if o.ledger_sequence is not None), key=_sequence, default=None)
        ledger_sequence, ledger_head = (last.ledger_sequence, last.ledger_head) if last else (None, "")
    site = _Site(title, summary, publisher, language, simulated, ledger_sequence, ledger_head)

    out: Files = _static(interactive)
    bodies = {}
    for report in chosen:
        kit = _kit(told, assets, "../")
        bodies[report.study] = body = kit.body(report, live=interactive)
        out |= body.files
        if body.charts:
            out[f"data/{report.study}_charts.js"] = (_SCRIPT, script_bytes("evidenceCharts", body.charts))
        out[f"{_STUDIES}{report.study}.html"] = _study_page(
            site, report, kit, body, offered.get(report.study), bool(single.get(report.study))
        )
        out |= _entity_files(site, report, single.get(report.study, []), told, assets)
    out |= download_files(offered)
    kit = _kit(told, assets, "")
    sources = sorted({*source_assets([*chosen, *named], cited), *map(files_asset, offered)})
    out["index.html"] = _index_page(site, chosen, kit, sources, [PROMISE] if named else [])
    out["facts.html"] = _facts_page(site, chosen, kit, cited)
    out["lineage.html"] = _lineage_page(site, kit, sources, {fact.source_asset for fact in cited.values()})
    out["data/facts.csv"] = ("text/csv", _facts_csv(cited))
    out["manifest.json"] = ("application/json", _manifest(site, out, assets, sources))
    return pages_frame(out)


def site_hash(pages: pd.DataFrame) -> str:
    """The SHA-256 of a site's manifest, which names every other file with its own: what an approval names.

    Raises:
        PageError: There is no manifest.
    """
    found = pages.loc[pages["path"] == "manifest.json", "content"]
    if len(found) != 1:
        raise PageError("a site has one manifest.json")
    return hashlib.sha256(found.iloc[0]).hexdigest()


def pages_frame(out: Mapping[str, tuple[str, bytes]]) -> pd.DataFrame:
    """Files as a table, sorted by path."""
    paths = sorted(out)
    return pd.DataFrame(
        {
            "path": pd.array(paths, dtype="str"),
            "media_type": pd.array([out[path][0] for path in paths], dtype="str"),
            "content": pd.Series([out[path][1] for path in paths], dtype="object"),
        }
    )


def static_file(name: str) -> bytes:
    """One of the kit's own files, such as `site.css`."""
    return files("hrtech.pages").joinpath("static", name).read_bytes()


def site_script() -> bytes:
    """The pages' script: live charts and networks that can be looked at."""
    return static_file("site.js") + b"\n" + static_file("network.js")


def _sequence(origin: Origin) -> int:
    return origin.ledger_sequence if origin.ledger_sequence is not None else -1


def _kit(told: Mapping[str, Fact], assets: Lineage, root: str) -> Kit:
    return Kit(
        told,
        assets,
        fact_href=lambda fact_id: f"{root}facts.html#{fact_id}",
        asset_href=lambda asset: f"{root}lineage.html#{asset}",
        root=root,
    )


def _static(interactive: bool) -> Files:
    out: Files = {"assets/site.css": ("text/css; charset=utf-8", static_file("site.css"))}
    out["assets/site.js"] = (_SCRIPT, site_script())
    if interactive:
        out["assets/vega.js"] = (_SCRIPT, vega_bundle())
        out["assets/vega.LICENSE.txt"] = ("text/plain; charset=utf-8", static_file("vega.LICENSE.txt"))
    return out


def _page(template: str, site: _Site, root: str, **context: Any) -> tuple[str, bytes]:
    html = (
        templates()
        .get_template(template)
        .render(site=site, root=root, restricted=False, language=site.language, **context)
    )
    return _HTML, html.encode()


def _report_assets(report: Report, facts: Mapping[str, Fact]) -> list[str]:
    assets = {facts[fact_id].source_asset for fact_id in report.cited()}
    assets |= {asset for part in report.parts for asset in getattr(part, "source_assets", ())}
    return sorted(assets)


def _study_page(
    site: _Site, report: Report, kit: Kit, body: Body, offered: pd.DataFrame | None, single: bool
) -> tuple[str, bytes]:
    assets = _report_assets(report, kit.facts)
    if offered is not None:
        assets = sorted({*assets, files_asset(report.study)})
    return _page(
        "study.html",
        site,
        "../",
        here="",
        title=report.title,
        summary=kit.inline(report.summary),
        promise=promise_view(report.promise, kit.lineage.releases(assets)),
        parts=body.parts,
        sections=[part for part in body.parts if part["kind"] == "heading" and part["level"] == 2],
        spent=kit.lineage.spent(assets),
        downloads=download_views(report.study, offered, "../"),
        entities=f"../{FOLDER}/{report.study}/index.html" if single else "",
        files_asset=files_asset(report.study),
        charts=f"../data/{report.study}_charts.js" if body.charts else "",
    )


def _entity_files(
    site: _Site, study: Report, pages: list[EntityPage], told: Mapping[str, Fact], assets: Lineage
) -> Files:
    """Render the pages of a study's single entities, the list of them, and what tells their files apart."""
    if not pages:
        return {}
    out: Files = {}
    files: dict[str, list[str]] = {}
    root = "../../"
    kit = _kit(told, assets, root)
    shared = {"here": "", "study": study.study, "study_title": study.title}
    for one in pages:
        body = kit.body(one.report, live=False)
        out |= body.files
        files[one.page] = list(body.files)
        out[one.path(study.study)] = _page(
            "entity.html",
            site,
            root,
            **shared,
            title=one.report.title,
            summary=kit.inline(one.report.summary),
            promise=promise_view(PROMISE, assets.releases(_report_assets(one.report, told))),
            parts=body.parts,
            sections=[part for part in body.parts if part["kind"] == "heading" and part["level"] == 2],
            charts="",
        )
    folder = f"{FOLDER}/{study.study}"
    out[f"{folder}/index.html"] = _page(
        "entities.html",
        site,
        root,
        **shared,
        title="Published one by one",
        promise=promise_view(PROMISE, []),
        entries=listed(study.study, pages),
        charts="",
    )
    out[f"{folder}/pages.json"] = ("application/json", pages_json(study.study, pages, files))
    return out


def _index_page(
    site: _Site, reports: list[Report], kit: Kit, sources: list[str], besides: list[str]
) -> tuple[str, bytes]:
    cards = [
        {
            "href": f"{_STUDIES}{report.study}.html",
            "title": report.title,
            "summary": kit.inline(report.summary),
            "promise": promise_view(report.promise, kit.lineage.releases(_report_assets(report, kit.facts))),
            "facts": [kit.fact_view(fact_id) for fact_id in report.headline()[:3]],
        }
        for report in reports
    ]
    used = list(dict.fromkeys([*(report.promise for report in reports), *besides]))
    return _page(
        "index.html",
        site,
        "",
        here="Overview",
        title=site.title,
        summary=kit.prose(site.summary),
        cards=cards,
        spent=kit.lineage.spent(sources),
        loss=format_number,
        promises=[promise_view(key, []) for key in used],
        weakest=PROMISES[weakest(used)].name,
        charts="",
    )


def _facts_page(site: _Site, reports: list[Report], kit: Kit, cited: Mapping[str, Fact]) -> tuple[str, bytes]:
    told_by = {
        fact_id: [
            (report.title, f"{_STUDIES}{report.study}.html")
            for report in reports
            if fact_id in report.cited()
        ]
        for fact_id in cited
    }
    entries = []
    for fact_id, fact in cited.items():
        origin = kit.lineage[fact.source_asset]
        releases = [release_view(release) for release in kit.lineage.releases([fact.source_asset])]
        entries.append(
            {**kit.fact_view(fact_id), "origin": origin, "releases": releases, "told_by": told_by[fact_id]}
        )
    return _page(
        "facts.html",
        site,
        "",
        here="Every number",
        title="Every number and where it comes from",
        entries=entries,
        charts="",
    )


def _lineage_page(site: _Site, kit: Kit, sources: list[str], told: set[str]) -> tuple[str, bytes]:
    origins = kit.lineage.upstream(sources)
    entries = [
        {"origin": origin, "release": release_view(origin) if origin.is_release else None}
        for origin in origins
    ]
    return _page(
        "lineage.html",
        site,
        "",
        here="Lineage",
        title="From the records to this page",
        entries=entries,
        known={origin.asset for origin in origins},
        svg=Markup(draw_routes(origins, told)),  # noqa: S704 - drawn by us, escaped
        charts="",
    )


def _facts_csv(cited: Mapping[str, Fact]) -> bytes:
    return csv_bytes(
        FACT_COLUMNS, ([getattr(fact, name) for name in FACT_COLUMNS] for fact in cited.values())
    )


def _manifest(site: _Site, out: Files, assets: Lineage, sources: list[str]) -> bytes:
    origins = assets.upstream(sources)
    manifest = {
        "title": site.title,
        "simulated": site.simulated,
        "ledger": {"sequence": site.ledger_sequence, "head": site.ledger_head},
        "privacy": [
            {
                "population": spent.population,
                "epsilon_at_most": spent.epsilon,
                "delta_at_most": spent.delta,
                "releases": [release.release_key for release in spent.releases],
            }
            for spent in assets.spent(sources)
        ],
        # a restricted asset is named, because the way begins there, but nothing more is said of it
        "assets": {
            origin.asset: {"zone": origin.zone}
            | ({} if origin.zone == "restricted" else {"data_version": origin.data_version})
            for origin in sorted(origins, key=lambda origin: origin.asset)
        },
        "files": {path: hashlib.sha256(content).hexdigest() for path, (_, content) in sorted(out.items())},
    }
    return (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()
