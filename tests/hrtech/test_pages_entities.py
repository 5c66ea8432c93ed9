"""Pages of single entities on the public site: beside their study, each with files of its own, from a release alone."""

import json

import pandas as pd
import pytest

from hrtech.facts import DataTable, Fact, FactList, Report, Text, facts_to_frame, report_to_frame
from hrtech.pages import PageError, render_evidence
from hrtech.pages.provenance import LINEAGE_COLUMNS

TOTAL = Fact("firms/total", "{value} firms.", 50, "firms", source_asset="firms/facts")
STUDY = Report("firms", "Networks", "Who is near.", "disclosure-control", (FactList(("firms/total",)),))


def row(key, zone, parents=(), **known):
    empty = dict.fromkeys(LINEAGE_COLUMNS)
    return empty | {"asset": key, "zone": zone, "parents": list(parents), "data_version": "v"} | known


def lineage(zone="released", barrier="disclosure-control"):
    ledger = {"population": "firms", "release_key": "key", "ledger_sequence": 3, "ledger_head": "head"}
    return pd.DataFrame([
        row("firms/drafts", "restricted"),
        row("firms/facts", "released", ["firms/drafts"], barrier="disclosure-control", **ledger),
        row("firms/entity_pages", zone, ["firms/drafts"], barrier=barrier, **(ledger if barrier else {})),
    ])  # fmt: skip


def entity(page, name, *parts, state="published", promise="approved-entity"):
    table = DataTable("Red flags", ("red flag",), (("unpaid wages",),), source_assets=("firms/entity_pages",))
    report = Report(f"firms_{page}", name, "No finding.", promise, (table, *parts))
    evidence = "a" * 64 if state == "published" else ""
    return report_to_frame(report).assign(page=page, title=name, state=state, evidence=evidence)


def site(*entities, known=None):
    frame = pd.concat(entities, ignore_index=True)
    made = render_evidence(
        [STUDY], facts_to_frame([TOTAL]), lineage() if known is None else known, title="T", summary="S.",
        interactive=False, entities={"firms": frame},
    )  # fmt: skip
    return made.set_index("path")["content"]


def test_each_entity_has_a_page_that_leads_to_its_release_and_stands_in_one_list():
    files = site(entity("one", "Alpine <Ltd>"), entity("two", "Zebra", state="withdrawn"))
    page = files["entities/firms/one.html"].decode()
    assert "Alpine &lt;Ltd&gt;" in page and "Approved one by one" in page and "Zebra" not in page
    assert 'href="../../lineage.html#firms/entity_pages"' in page and 'href="../../data/firms_one-1' in page
    listing = files["entities/firms/index.html"].decode()
    assert '<li><a href="one.html">Alpine &lt;Ltd&gt;</a></li>\n' in listing
    assert '<li><a href="two.html">Zebra</a> (withdrawn)</li>\n' in listing
    assert 'href="../entities/firms/index.html"' in files["studies/firms.html"].decode()
    held = json.loads(files["entities/firms/pages.json"])["pages"]
    assert held["entities/firms/one.html"]["evidence"] == "a" * 64
    # nothing of an entity stands in a file that does not belong to it: it can be taken down by itself
    own = {"entities/firms/one.html", *held["entities/firms/one.html"]["files"]}
    own |= {"entities/firms/two.html", *held["entities/firms/two.html"]["files"]}
    assert {path for path, content in files.items() if b"unpaid wages" in content} == own
    named = {path for path, content in files.items() if b"Alpine" in content}
    assert named == {"entities/firms/one.html", "entities/firms/index.html"}
    assert set(json.loads(files["manifest.json"])["files"]) == set(files.index) - {"manifest.json"}


def test_a_site_without_entities_speaks_of_none():
    files = render_evidence(
        [STUDY], facts_to_frame([TOTAL]), lineage(), title="T", summary="S.", interactive=False
    )
    assert not files["path"].str.startswith("entities/").any()
    assert "Published one by one" not in files.set_index("path")["content"]["studies/firms.html"].decode()


@pytest.mark.parametrize(
    ("made", "known", "problem"),
    [
        (entity("one", "A", promise="disclosure-control"), None, "do not come from an approval one by one"),
        (entity("one", "A", promise="restricted"), None, "approval one by one"),
        (entity("one", "A"), lineage("restricted", None), "is restricted"),
        (entity("one", "A", Text("It owes 40 people.")), None, "every number in prose"),
    ],
)  # fmt: skip
def test_what_is_not_released_one_by_one_is_refused(made, known, problem):
    with pytest.raises(PageError, match=problem):
        site(made, known=known)


def test_entities_of_a_study_that_is_not_told_are_refused():
    with pytest.raises(PageError, match="no report to stand beside"):
        render_evidence(
            [STUDY],
            facts_to_frame([TOTAL]),
            lineage(),
            title="T",
            summary="S.",
            entities={"x": entity("o", "A")},
        )
