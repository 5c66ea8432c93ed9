"""Single entities published in real runs: approval by hash, withdrawal when something changes, and nobody else told."""

import datetime as dt
import re

import pytest
from studies import failures, materialised, plain

from hrtech_dagster.casework_pages import judgement_frame
from resources.judged import JUDGEMENTS
from resources.lake import read_table, write_table

pytestmark = pytest.mark.slow

FIRMS = {
    "K-100": "Kestrel Works Ltd", "K-200": "Larkspur Holdings", "K-300": "Merlin Stores", "K-400": "Nuthatch Freight",
}  # fmt: skip
DISCLOSE = {"population": "people", "purpose": "Tell how many there are", "approvers": ["A reviewer"]}
READ = ("firms/remarks", "firms/read_entities", "firms/pattern_flags", "firms/nodes")
PAGES = ("firms/publication_drafts", "firms/entity_pages", "pages")
PURPOSE = {"purpose": "Workers should know", "contact": "corrections@example.org"}
ME = {
    "entity": "K-100",
    "tell": {"flags": ["wages"], "links": ["phone"], "score": True},
    "ground": "Article 5 of the act on supply chains",
    "explanations": {"wages": "A payroll error."},
    "asked_on": "2026-01-05",
    "reply": "We have paid since.",
    "replied_on": "2026-01-20",
}


class Firms:
    """A study of four firms, two of which share a phone, and the site that tells it."""

    def __init__(self, project, home):
        self.project, self.home = project, home
        self.flags("K-100,wages,judgment of May\nK-200,passports,a complaint\n")
        phones = "K-100,phone,+44 20 7946 0958\nK-200,phone,+44 20 7946 0958\n"
        self.paths = {
            "entity": project.file("entity.csv", "EntityID\n" + "".join(f"{one}\n" for one in FIRMS)),
            "static": project.file(
                "static.csv",
                "EntityID,AttributeID,Value\n"
                + phones
                + "".join(f"{one},name,{name}\n" for one, name in FIRMS.items()),
            ),
            "flags": project.folder / "flags.csv",
            "flag_metadata": project.file(
                "meta.csv",
                "FlagID,Name,IsSupportingFlag,FlagWeight\nwages,wages,false,0.6\npassports,passports,false,0.9\n",
            ),
        }  # fmt: skip
        project.study("pages", "EvidenceSite", summary="Who is near.", studies=["firms"])

    def flags(self, rows):
        self.project.file("flags.csv", "EntityID,FlagID,Evidence\n" + rows)

    def publish(self, *entities, **more):
        source = {
            "format": "five_tables",
            "tables": {name: str(path) for name, path in self.paths.items()},
            "name_attribute": "name",
        }
        self.project.study(
            "firms", "EntityNetwork", sources=[source], disclose=DISCLOSE,
            publish_entities=PURPOSE | {"entities": list(entities)}, **more,
        )  # fmt: skip

    def read(self, noun, zone="restricted", study="firms"):
        return read_table(self.home, zone, [study, noun])

    def run(self, *assets):
        result = self.project.run(*assets)
        assert set(failures(result)) <= {"pages__site"}, failures(result)
        return result

    def drafts(self):
        return self.read("publication_drafts").set_index("entity_id")

    def files(self):
        frame = self.read("candidate", "released", "pages")
        return dict(zip(frame["path"], map(bytes, frame["content"]), strict=True))

    def remark(self, entity, remark):
        fields = [("entity_id", entity), ("remark", remark), ("words", "x"), ("judged_by", "R. Evans")]
        frame = judgement_frame("firms", fields)
        write_table(self.home, "restricted", [JUDGEMENTS, "firms"], frame, str(frame["judgement_id"].iloc[0]))

    def approved(self, **more):
        """Declare the entity with the hash of its present draft."""
        hashed = self.drafts()["evidence"]["K-100"]
        day = dt.datetime.now(dt.UTC).date().isoformat()
        self.publish(ME | {"evidence": hashed, "approved_by": ["B. Ode"], "approved_on": day, **more})


@pytest.fixture
def firms(project, home):
    return Firms(project, home)


def nobody_else(files):
    for path, content in files.items():
        if path.startswith(("assets/", "lineage")):
            continue
        text = content.decode()
        for one, name in FIRMS.items():
            if one != "K-100":
                assert name not in text and name.split()[0] not in text and one not in text, (path, name)
        assert "K-100" not in text and "passports" not in text and "7946" not in text, path


def test_an_entity_is_published_by_the_hash_of_its_draft_and_withdrawn_when_that_changes(firms, home):
    firms.publish(ME)
    firms.run()
    assert firms.drafts()["state"].to_dict() == {"K-100": "not approved"}
    assert firms.read("entity_pages", "released").empty
    assert not any(
        "Kestrel" in content.decode()
        for path, content in firms.files().items()
        if not path.startswith("assets/")
    )
    casework = firms.read("casework").set_index("path")["content"]
    (draft,) = [path for path in casework.index if path.startswith("publication/")]
    page = bytes(casework[draft]).decode()
    assert firms.drafts()["evidence"]["K-100"] in page and "Nobody has approved this evidence" in page
    assert "judgment of May" in page and f'href="{draft}"' in bytes(casework["index.html"]).decode()

    # approved: the page is in the candidate, and a person publishes that
    firms.approved(notice=True)
    result = firms.run(*PAGES)
    assert firms.drafts()["state"].to_dict() == {"K-100": "published"}
    made = plain(materialised(result)["firms/entity_pages"].metadata)
    assert made["rho"] == 0 and made["ledger_sequence"] > 0
    files = firms.files()
    nobody_else(files)
    (path,) = [path for path in files if re.fullmatch(r"entities/firms/(?!index).*\.html", path)]
    page = files[path].decode()
    for words in (
        "Kestrel Works Ltd", "judgment of May", "We have paid since.", "A payroll error.", "corrections@example.org",
        "B. Ode",
        "Kestrel Works Ltd shares a phone, seen nowhere else, with entity A.",
    ):  # fmt: skip
        assert words in page, words
    assert [site for site in (home / "site").rglob("*") if site.is_file()] == []
    candidate = re.search(r"candidate: ([0-9a-f]{64})", failures(result)["pages__site"])[1]
    firms.project.approve("pages", candidate=candidate)
    assert firms.project.run("pages/site").success
    assert "Kestrel" in (home / "site" / path).read_text()

    # a correction is pending: a notice is proposed, and the published page goes before anybody approved that
    firms.remark("K-100", "set flags aside")
    result = firms.run(*READ, *PAGES)
    assert "Nobody has approved" in failures(result)["pages__site"]
    assert firms.drafts()["state"].to_dict() == {"K-100": "withdrawn"}
    assert "A correction was asked for, or made" in firms.files()[path].decode()
    files = [one for one in (home / "site").rglob("*") if one.is_file()]
    site = {one.relative_to(home / "site").as_posix(): one.read_bytes() for one in files}
    assert b"This page was withdrawn" in site[path]
    assert not any(word in content for content in site.values() for word in (b"Kestrel", b"judgment of May"))

    # decided: the same page again, under the same release
    firms.remark("K-100", "take back")
    again = firms.run(*READ, *PAGES)
    assert firms.files()[path].decode() == page
    assert plain(materialised(again)["firms/entity_pages"].metadata)["release_key"] == made["release_key"]
    log = firms.read("publication_log")
    assert log["state"].tolist() == ["not approved", "published", "withdrawn", "published"]


def test_evidence_that_changed_or_an_unknown_entity_takes_only_that_page_along(firms):
    other = {
        "entity": "K-200", "tell": {"flags": ["passports"]}, "ground": "Article 5 of the act", "asked_on": "2026-01-05",
        "explanations": {"passports": "Kept for a visa."},
    }  # fmt: skip
    approval = {"approved_by": ["B. Ode"], "approved_on": "2026-02-01"}
    gone = ME | approval | {"entity": "K-999", "evidence": "0" * 64}
    firms.publish(ME, other)
    firms.run(*READ, *PAGES[:2])
    hashed = firms.drafts()["evidence"]
    both = [one | approval | {"evidence": hashed[one["entity"]]} for one in (ME, other)]
    firms.publish(*both, gone)
    firms.run(*READ, *PAGES[:2])
    drafts = firms.drafts()
    assert drafts["state"].to_dict() == {"K-100": "published", "K-200": "published", "K-999": "not approved"}
    assert drafts["missing"]["K-999"].startswith(
        "Entry 3 of publish_entities: the study has no entity of this id"
    )
    assert firms.read("entity_pages", "released")["page"].nunique() == 2
    firms.flags("K-100,wages,judgment of June\nK-200,passports,a complaint\n")
    firms.run(*READ, *PAGES[:2])
    drafts = firms.drafts()
    assert drafts["state"].to_dict() == {"K-100": "withdrawn", "K-200": "published", "K-999": "not approved"}
    assert "The evidence is not the one that was approved" in drafts["missing"]["K-100"]
    assert firms.read("entity_pages", "released")["title"].unique().tolist() == ["Larkspur Holdings"]
    log = firms.read("publication_log")
    assert log.loc[log["entity_id"] == "K-100", "state"].tolist() == [
        "not approved",
        "published",
        "withdrawn",
    ]


def test_an_approval_makes_no_network_anew(firms):
    def versions():
        return {
            spec.key.path[1]: spec.code_version for spec in firms.project.load().resolve_all_asset_specs()
        }

    firms.publish(ME)
    before = versions()
    firms.publish(ME | {"evidence": "0" * 64, "approved_by": ["B. Ode"], "approved_on": "2026-02-01"})
    after = versions()
    assert {name for name in before if before[name] != after[name]} == {
        "publication_drafts",
        "publication_log",
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tell": {}}, "nothing may be told"),
        ({"approved_on": "2026-02-31"}, "approved_on is no day of the calendar"),
        ({"approved_on": "soon"}, "pattern"),
        ({"evidence": "abc"}, "pattern"),
        ({"replied_on": None}, "name reply and replied_on together"),
        ({"evidence": "standing"}, "standing holds for simulated studies only"),
    ],
)
def test_settings_that_cannot_be_are_refused_when_loaded(firms, changes, words):
    firms.publish({name: value for name, value in (ME | changes).items() if value is not None})
    with pytest.raises(Exception, match=words):
        firms.project.load()


def test_an_entity_is_declared_once_and_its_study_is_told(firms):
    firms.publish(ME, ME)
    with pytest.raises(Exception, match="entry 2 is the second of its id"):
        firms.project.load()
    firms.project.study(
        "firms", "EntityNetwork", sources=[{"format": "bods", "path": "x"}],
        publish_entities=PURPOSE | {"entities": [ME]},
    )  # fmt: skip
    with pytest.raises(Exception, match="publish_entities needs disclose"):
        firms.project.load()
