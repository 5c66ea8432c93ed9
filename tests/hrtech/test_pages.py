import hashlib
import itertools
import json
import re

import pandas as pd
import pytest

from hrtech.facts import (
    Chart,
    DataTable,
    Fact,
    FactList,
    FormField,
    Heading,
    JudgementForm,
    Report,
    Text,
    facts_to_frame,
)
from hrtech.pages import CSRF_PLACEHOLDER, PageError, charts, render_casework, render_evidence, site_hash
from hrtech.pages.downloads import size_in_words
from hrtech.pages.provenance import Lineage
from hrtech.pages.routes import layout

ATTACK = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
TOTAL = Fact("cases/total", "{value} people are described.", 21195, "people", source_asset="cases/counts")
RAW = Fact("cases/raw", "{value} records.", 9, source_asset="cases/records")
REPORT = Report(
    "cases", "Who", "Of {{fact:cases/total}}.", "differential-privacy", (FactList(("cases/total",)),)
)


def asset(key, zone, parents=(), **known):
    empty = dict.fromkeys(
        [
            "barrier",
            "promise",
            "population",
            "epsilon",
            "delta",
            "release_key",
            "ledger_sequence",
            "ledger_head",
        ]
    )
    made = {"run_id": f"run-{key}", "materialized_at": 1700000000.0, "data_version": f"version-{key}"}
    return {"asset": key, "zone": zone, "parents": list(parents), **empty, **made, **known}


def release(key, parents, sequence, epsilon=0.5, **known):
    row = asset(key, "released", parents, barrier="differential-privacy", population="people in the records")
    return row | {
        "epsilon": epsilon,
        "delta": 1e-6,
        "release_key": f"key-{key}",
        "ledger_sequence": sequence,
        "ledger_head": f"head-{sequence}",
        **known,
    }


def lineage(*extra):
    return pd.DataFrame(
        [
            asset("cases/records", "restricted"),
            release("cases/counts", ["cases/records"], 7),
            asset("cases/derived", "released", ["cases/counts"]),
            *extra,
        ]
    )


def evidence(report=REPORT, told=(TOTAL,), known=None, **options):
    known = lineage() if known is None else known
    options = {"title": "Evidence", "summary": "What we know.", "interactive": False, **options}
    return render_evidence([report], facts_to_frame(list(told)), known, **options)


def page(site, path):
    return site.set_index("path").loc[path, "content"].decode()


def with_parts(*parts, **changed):
    return Report("cases", "Who", changed.get("summary", "People."), "differential-privacy", parts)


def test_every_number_leads_to_asset_run_and_ledger_row():
    site = evidence()
    assert 'href="../facts.html#cases/total"' in page(site, "studies/cases.html")
    facts = page(site, "facts.html")
    assert 'id="cases/total"' in facts and 'href="lineage.html#cases/counts"' in facts
    for known in (
        "run-cases/counts",
        "version-cases/counts",
        "ledger row 7",
        "ε = 0.5",
        "2023-11-14 22:13 UTC",
    ):
        assert known in facts
    assert "hash <code>head-7" in page(site, "lineage.html")


def test_of_restricted_assets_only_the_name_is_published():
    site = evidence()
    everything = b"".join(site["content"]).decode()
    assert "cases/records" in everything
    assert "version-cases/records" not in everything and "run-cases/records" not in everything


def test_the_manifest_names_every_file_and_the_ledger():
    site = evidence()
    manifest = json.loads(page(site, "manifest.json"))
    others = site[site["path"] != "manifest.json"]
    assert manifest["files"] == {
        path: hashlib.sha256(content).hexdigest()
        for path, content in zip(others["path"], others["content"], strict=True)
    }
    assert manifest["ledger"] == {"sequence": 7, "head": "head-7"}
    assert manifest["assets"]["cases/counts"] == {"zone": "released", "data_version": "version-cases/counts"}
    assert site_hash(site) == hashlib.sha256(page(site, "manifest.json").encode()).hexdigest()
    handed = json.loads(page(evidence(ledger_sequence=9, ledger_head="h"), "manifest.json"))
    assert handed["ledger"] == {"sequence": 9, "head": "h"}


def test_the_same_input_gives_the_same_bytes():
    chart = Chart(
        "Bars", charts.bars([{"a": "x", "b": 2}], category="a", value="b"), "A bar.", ("cases/total",)
    )
    first, second = evidence(with_parts(chart)), evidence(with_parts(chart))
    assert first.equals(second) and site_hash(first) == site_hash(second)


@pytest.mark.parametrize(
    ("report", "told", "says"),
    [
        (REPORT, [TOTAL, RAW], "fact cases/raw comes from cases/records, which is restricted"),
        (REPORT, [], "cites facts that were not told: cases/total"),
        (with_parts(Text("{{fact:cases/none}}")), [TOTAL], "cases/none"),
        (with_parts(summary="All 17 of them."), [TOTAL], "'17'"),
        (with_parts(Text("About `17` and twenty.")), [TOTAL], "'twenty'"),
        (with_parts(DataTable("T", ("a",), ((1,),))), [TOTAL], "nobody can tell where it comes from"),
        (
            with_parts(DataTable("T", ("a",), ((1,),), source_assets=("cases/records",))),
            [TOTAL],
            "'T', comes from cases/records, which is restricted",
        ),
        (
            with_parts(DataTable("T", ("a",), ((1,),), source_assets=("cases/unknown",))),
            [TOTAL],
            "cases/unknown, which is not in the lineage",
        ),
        (with_parts(JudgementForm("F", "judge", (FormField("a", "A"),))), [TOTAL], "is for casework"),
        (
            with_parts(Chart("C", {"data": {"url": "https://x.example/a.csv"}}, "d", ("cases/total",))),
            [TOTAL],
            "spec.data.url would load",
        ),
        (
            with_parts(Chart("C", {"data": {"values": []}, "mark": "image"}, "d", ("cases/total",))),
            [TOTAL],
            "draws an image",
        ),
        (with_parts(Chart("C", {"mark": "bar"}, "d", ("cases/total",))), [TOTAL], "no data of its own"),
    ],
)
def test_what_may_not_be_public_is_refused(report, told, says):
    with pytest.raises(PageError) as caught:
        evidence(report, told)
    assert says in str(caught.value)


def test_restricted_data_without_a_release_between_is_refused():
    known = lineage(asset("cases/leak", "released", ["cases/records"]))
    leak = Fact("cases/leak", "{value}", 3, source_asset="cases/leak")
    with pytest.raises(PageError, match="cases/leak, which stands on cases/records, which is restricted"):
        evidence(told=[TOTAL, leak], known=known)


def test_restricted_reports_are_refused():
    with pytest.raises(PageError, match="is for casework"):
        evidence(Report("cases", "Who", "People.", "restricted"))


def test_facts_that_no_report_cites_stay_out():
    silent = Fact("cases/silent", "{value} were quiet.", 4321, source_asset="cases/derived")
    assert b"4321" not in b"".join(evidence(told=[TOTAL, silent])["content"])


def test_privacy_is_summed_once_for_each_release():
    known = lineage(release("cases/again", ["cases/records"], 8, release_key="key-cases/counts"))
    known = pd.concat([known, pd.DataFrame([release("cases/more", ["cases/again"], 9, epsilon=0.25)])])
    (spent,) = Lineage.from_frame(known).spent(["cases/counts", "cases/more"])
    assert spent.population == "people in the records"
    assert spent.epsilon == pytest.approx(0.75) and spent.delta == pytest.approx(2e-6)


def test_the_promise_is_explained_with_its_epsilon():
    # e^0.5 = 1.6487; even odds become 1.6487 to 1, which is 62 %
    told = page(evidence(), "studies/cases.html")
    assert "by more than a factor of 1.65" in told and "get to 62% at most" in told


def test_data_is_never_run_as_html_or_script():
    rows = [{"kind": ATTACK, "n": 3}]
    report = Report(
        "cases",
        ATTACK,
        ATTACK.replace("1", "").replace("2", ""),
        "differential-privacy",
        (
            Heading(ATTACK),
            Text("<b>bold</b> [x](javascript:alert) **{{fact:cases/total}}** [y](https://a.example/)"),
            FactList(("cases/total",)),
            Chart(ATTACK, charts.bars(rows, category="kind", value="n"), ATTACK, ("cases/total",)),
            DataTable(ATTACK, (ATTACK,), ((ATTACK,), ("=cmd()",)), ("cases/total",)),
        ),
    )
    fact = Fact("cases/total", "{value} " + ATTACK, 5, ATTACK, 1, 9, ATTACK, "cases/counts", ATTACK)
    site = evidence(report, [fact], interactive=True, title=ATTACK, publisher=ATTACK)
    for path, content in zip(site["path"], site["content"], strict=True):
        if path.endswith(".html"):
            html = content.decode()
            assert "<img" not in html and "<b>bold" not in html and 'href="javascript' not in html
            assert not re.search(r"<script>|<script[^>]*>[^<]", html)
            assert re.findall(r"<script src=\"([^\"]+)\"", html)
    assert b"<" not in site.set_index("path").loc["data/cases_charts.js", "content"]
    (table,) = [path for path in site["path"] if path.startswith("data/cases-5")]
    assert "\n'=cmd()\n" in page(site, table)
    study = page(site, "studies/cases.html")
    assert (
        '<strong><a class="fact"' in study and 'href="https://a.example/" rel="noopener noreferrer"' in study
    )


def test_casework_is_marked_and_leads_into_the_workshop():
    form = JudgementForm(
        "Same?", "/casework/cases/judge", (FormField("same", "Same person", "choice", ("yes", "no"), True),)
    )
    report = Report("cases", "Pairs", "{{fact:cases/raw}}.", "restricted", (FactList(("cases/raw",)), form))
    site = render_casework(report, facts_to_frame([RAW]), lineage())
    for path in ("index.html", "facts.html"):
        assert '<p class="banner restricted" role="note"><strong>Restricted.</strong>' in page(site, path)
        assert 'name="robots" content="noindex, nofollow"' in page(site, path)
    index, facts = page(site, "index.html"), page(site, "facts.html")
    assert f'<input type="hidden" name="csrf_token" value="{CSRF_PLACEHOLDER}">' in index
    assert '<form class="card" method="post" action="/casework/cases/judge"' in index
    assert 'href="/runs/run-cases/records"' in facts and 'href="/assets/cases/records"' in facts


def test_casework_refuses_a_fact_that_was_not_told():
    with pytest.raises(PageError, match="not told: cases/total"):
        render_casework(REPORT, facts_to_frame([]), lineage())


def test_a_table_of_lineage_without_zones_is_refused():
    with pytest.raises(PageError, match="needs the columns"):
        evidence(known=lineage().drop(columns="zone"))
    with pytest.raises(PageError, match="cases/lost has no zone"):
        evidence(known=lineage(asset("cases/lost", None)))


def test_assets_on_the_map_never_share_a_place():
    rows = [asset(f"s/a{n}", "public", [f"s/a{p}" for p in range(max(0, n - 7), n, 3)]) for n in range(60)]
    known = Lineage.from_frame(pd.DataFrame(rows))
    origins = known.upstream([origin.asset for origin in known])
    places = layout(origins)
    assert len(places) == 60
    boxes = sorted(places.values())
    assert all(
        after[0] > before[0] or after[1] - before[1] >= 1 for before, after in itertools.pairwise(boxes)
    )
    assert all(places[parent][0] < places[origin.asset][0] for origin in origins for parent in origin.parents)


def downloads(*names, study="cases", media_type="text/csv"):
    return {
        study: pd.DataFrame(
            {
                "name": list(names),
                "media_type": media_type,
                "about": f"what <b>{study}</b> gives out",
                "content": [f"content of {name}".encode() for name in names],
            }
        )
    }


def test_files_are_offered_hashed_and_led_back_to_their_release():
    known = lineage(asset("cases/files", "released", ["cases/counts"]))
    site = evidence(known=known, downloads=downloads("README.txt", "a.parquet"))
    assert page(site, "files/cases/a.parquet") == "content of a.parquet"
    digest = hashlib.sha256(b"content of a.parquet").hexdigest()
    assert json.loads(page(site, "manifest.json"))["files"]["files/cases/a.parquet"] == digest
    told = page(site, "studies/cases.html")
    assert '<a href="../files/cases/a.parquet" download>a.parquet</a>' in told
    assert digest in told and "20 bytes" in told and "what &lt;b&gt;cases" in told
    assert 'href="../lineage.html#cases/files"' in told
    assert 'id="cases/files"' in page(site, "lineage.html")
    assert "cases/files" in json.loads(page(site, "manifest.json"))["assets"]
    assert site_hash(site) != site_hash(evidence(known=known))


def test_text_opens_in_the_browser_and_data_is_saved():
    known = lineage(asset("cases/files", "released", ["cases/counts"]))
    told = page(
        evidence(known=known, downloads=downloads("README.txt", media_type="text/plain; charset=utf-8")),
        "studies/cases.html",
    )
    assert '<a href="../files/cases/README.txt">README.txt</a>' in told


def test_a_study_without_files_offers_none():
    assert "Download the data" not in page(evidence(), "studies/cases.html")


@pytest.mark.parametrize(
    ("extra", "offered", "problem"),
    [
        (
            asset("cases/files", "restricted"),
            downloads("a.csv"),
            "comes from cases/files, which is restricted",
        ),
        (
            asset("cases/files", "released", ["cases/records"]),
            downloads("a.csv"),
            "stands on cases/records, which is restricted",
        ),
        (asset("cases/other", "released"), downloads("a.csv"), "cases/files, which is not in the lineage"),
        (
            asset("other/files", "released"),
            downloads("a.csv", study="other"),
            "the files of other have no report",
        ),
        (asset("cases/files", "released"), downloads("../index.html"), "not in letters, digits"),
        (asset("cases/files", "released"), downloads(".htaccess"), "not in letters, digits"),
        (asset("cases/files", "released"), downloads("a.csv", "A.csv"), "a name is given twice"),
        (
            asset("cases/files", "released"),
            {"cases": pd.DataFrame({"name": ["a"]})},
            "need the columns media_type",
        ),
    ],
)
def test_files_that_may_not_be_offered_are_refused(extra, offered, problem):
    with pytest.raises(PageError, match=re.escape(problem)):
        evidence(known=lineage(extra), downloads=offered)


def test_sizes_are_told_in_words():
    assert [size_in_words(size) for size in (0, 999, 1000, 12_345, 999_949, 999_950, 123_456_789)] == [
        *("0 bytes", "999 bytes", "1.0 kB", "12.3 kB", "999.9 kB", "1.0 MB", "123.5 MB"),
    ]
