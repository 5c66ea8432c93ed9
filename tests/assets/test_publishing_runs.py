"""Publishing in real runs: refused without an approval of this very candidate; the refusal says what to write."""

import re

import pytest
from studies import failures, materialised, plain

from resources.lake import read_table
from resources.publisher import ApprovalMissing, read_approvals

DISCLOSE = {"population": "people", "purpose": "Tell how many there are", "approvers": ["A reviewer"]}
ROWS = "".join(
    f"r{n},{('Ana', 'Bo', 'Chi', 'Dara')[n % 4]}{'abc'[n % 3]},{1960 + n % 40}-03-0{1 + n % 9}\n"
    for n in range(120)
)


@pytest.fixture
def site(project):
    project.file("people.csv", "id,name,born\n" + ROWS)
    source = {
        "path": "people.csv",
        "columns": [
            {"name": "id", "role": "identifier", "unique": True},
            {"name": "name", "role": "text"},
            {"name": "born", "role": "date"},
        ],
    }
    project.study(
        "linked",
        "EntityLinkage",
        registers={"people": {"id_column": "id", "source": source}},
        mode="deduplicate",
        fields=[{"name": "name", "kind": "given_name"}, {"name": "born", "kind": "date"}],
        disclose=DISCLOSE,
    )
    project.study("pages", "EvidenceSite", summary="How many there are.", studies=["linked"])
    return project


def refusal(result):
    assert not result.success
    assert set(failures(result)) == {"pages__site"}
    return failures(result)["pages__site"]


def test_nothing_is_published_before_a_person_approved_it(site, home):
    told = refusal(site.run())
    candidate = re.search(r"candidate: ([0-9a-f]{64})", told)[1]
    assert str(site.root / "policy" / "approvals" / "pages.yaml") in told
    assert list((home / "site").iterdir()) == []

    site.approve("pages", candidate=candidate)
    result = site.run("pages/site")
    assert result.success, failures(result)
    assert plain(materialised(result)["pages/site"].metadata)["candidate"] == candidate
    pages = read_table(home, "released", ("pages", "candidate"))
    assert {
        path.relative_to(home / "site").as_posix() for path in (home / "site").rglob("*") if path.is_file()
    } == set(pages["path"])
    assert site.stale() == {}


def test_another_candidate_needs_another_approval(site, home):
    site.approve("pages", candidate=re.search(r"candidate: ([0-9a-f]{64})", refusal(site.run()))[1])
    assert site.run("pages/site").success
    published = (home / "site" / "index.html").read_bytes()
    site.study("pages", "EvidenceSite", title="Other words", summary="Other words.", studies=["linked"])
    refusal(site.run("pages"))
    assert (home / "site" / "index.html").read_bytes() == published


def test_an_approval_that_is_none_says_what_is_wrong_with_it(tmp_path):
    path = tmp_path / "pages.yaml"
    path.write_text("study: pages\ncandidate: abc\napproved_by: A Person\n", encoding="utf-8")
    with pytest.raises(
        ApprovalMissing, match=r"pages.yaml cannot be read: candidate: .*; approved_on: Field req"
    ):
        read_approvals(tmp_path)
    path.write_text("study: [", encoding="utf-8")
    with pytest.raises(ApprovalMissing, match="no YAML"):
        read_approvals(tmp_path)


def test_a_standing_approval_holds_for_simulated_data_only(site):
    site.approve("pages", standing="simulated")
    assert "Nobody has approved" in refusal(site.run())


def test_a_site_over_records_may_not_call_itself_simulated(site):
    site.approve("pages", standing="simulated")
    site.study("pages", "EvidenceSite", summary="x", studies=["linked"], simulated=True)
    with pytest.raises(Exception, match="rule 7"):
        site.load()
