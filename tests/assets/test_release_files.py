"""Files of a release in real runs: made from released tables, offered beside the page, approved and published."""

import hashlib
import json
import re

import pytest
from studies import failures, materialised, plain

from resources.lake import read_table

RELEASED = '''
import dagster as dg
import pandas as pd

from assets.release_files import add_release_files
from assets.study import Output, StudyAssets
from hrtech.facts import Fact, FactList, Report, facts_to_frame, report_to_frame
from hrtech.release.declared import ReleaseColumn


@dg.definitions
def defs():
    assets = StudyAssets("cases", ["team:data-keepers"])

    @assets.asset(
        *(Output(noun, noun) for noun in ("aggregates", "terms", "synthetic_records")), zone="public"
    )
    def released(context):
        """Open data, so that no ledger is needed here."""
        return {
            "aggregates": pd.DataFrame({"length": [1], "attributes": ["sex:F"], "count": [COUNT]}),
            "terms": pd.DataFrame({"term": ["k"], "value": ["10"]}),
            "synthetic_records": pd.DataFrame({"sex": pd.array(["F", "M"], dtype="str")}),
        }

    add_release_files(
        assets,
        title="Cases",
        stated=lambda aggregates, terms: (
            [ReleaseColumn("sex", ("F", "M"))],
            {"promise": "k-anonymity", "k": int(terms["value"][0])},
        ),
        synthetic_records=True,
        licence="CC-BY-4.0",
    )

    @assets.asset(Output("facts", "facts"), Output("report", "report"), zone="released",
                  inputs={"aggregates": "aggregates"})
    def tell(context, aggregates):
        """Tell one number."""
        fact = Fact("cases/f", "{value} women.", int(aggregates["count"][0]), "people", source_asset="cases/aggregates")
        report = Report("cases", "Cases", "Women.", "open", (FactList(("cases/f",)),))
        return {"facts": facts_to_frame([fact]), "report": report_to_frame(report)}

    return assets.definitions()
'''


@pytest.fixture
def site(project):
    project.code("cases", RELEASED.replace("COUNT", "40"))
    project.study("pages", "EvidenceSite", summary="How many there are.", studies=["cases"])
    return project


def refusal(result):
    assert set(failures(result)) == {"pages__site"}, failures(result)
    return re.search(r"candidate: ([0-9a-f]{64})", failures(result)["pages__site"])[1]


def test_files_are_approved_and_published_with_the_page(site, home):
    first = site.run()
    candidate = refusal(first)
    site.approve("pages", candidate=candidate)
    assert site.run("pages/site").success

    made = read_table(home, "released", ("cases", "files"))
    folder = home / "site" / "files" / "cases"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == dict(
        zip(made["name"], made["content"], strict=True)
    )
    assert plain(materialised(first)["cases/files"].metadata)["files"] == list(made["name"])
    manifest = json.loads((home / "site" / "manifest.json").read_text())
    for path in folder.iterdir():
        assert manifest["files"][f"files/cases/{path.name}"] == hashlib.sha256(path.read_bytes()).hexdigest()
    page = (home / "site" / "studies" / "cases.html").read_text()
    for href in re.findall(r'href="\.\./(files/[^"]+)"', page):
        assert (home / "site" / href).is_file()
    assert 'href="../lineage.html#cases/files"' in page and "k = 10" in (folder / "README.txt").read_text()

    # other files are another candidate, which nobody has approved
    site.code("cases", RELEASED.replace("COUNT", "41"))
    assert refusal(site.run()) != candidate


def test_a_study_that_does_not_load_is_named_although_a_site_looks_into_it(site):
    site.study("cases_too", "CaseRelease", population="people")
    site.study("pages", "EvidenceSite", summary="How many there are.", studies=["cases", "cases_too"])
    with pytest.raises(Exception, match=r"cases_too/defs\.yaml") as raised:
        site.load()
    assert "purpose" in str(raised.value) and "evidence_site" not in str(raised.value)


def test_a_site_over_a_study_that_is_not_there_is_refused(site):
    site.study("pages", "EvidenceSite", summary="How many there are.", studies=["cases", "nowhere"])
    with pytest.raises(Exception, match="nowhere/facts, which no study makes"):
        site.load()
