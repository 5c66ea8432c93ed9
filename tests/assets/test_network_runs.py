"""Network studies from published standards, with screens, patterns, watch list and exports, run from YAML."""

import io
import json

import networkx as nx
import pandas as pd
import pytest
from studies import WORLD

from hrtech_dagster.casework_pages import judgement_frame
from resources.judged import JUDGEMENTS
from resources.lake import read_table, write_table

pytestmark = pytest.mark.slow

BODS = [
    ("C1", "entity", {"entityType": {"type": "registeredEntity"}, "name": "Alpha", "jurisdiction": {"name": "VG"}}),
    ("C2", "entity", {"entityType": {"type": "registeredEntity"}, "name": "Beta"}),
    ("P1", "person", {"personType": "knownPerson", "names": [{"fullName": "A Person"}],
                      "politicalExposure": {"status": "isPep"}}),
    ("R1", "relationship", {"subject": "C1", "interestedParty": "P1", "interests": [
        {"type": "shareholding", "directOrIndirect": "direct", "share": {"minimum": 60, "maximum": 75}}]}),
    ("R2", "relationship", {"subject": "C2", "interestedParty": "C1", "interests": [
        {"type": "shareholding", "directOrIndirect": "direct", "share": {"exact": 100}}]}),
    ("R3", "relationship", {"subject": "C9", "interestedParty": "C1"}),
]  # fmt: skip


def statements():
    return [
        {
            "statementId": f"{number:032d}", "declarationSubject": "C1", "statementDate": "2024-01-01",
            "recordId": record, "recordType": kind, "recordDetails": {"isComponent": False, **details},
        }
        for number, (record, kind, details) in enumerate(BODS)
    ]  # fmt: skip


def releases():
    parties = [
        {"id": f"p{i}", "name": f"Firm {i}", "contactPoint": {"telephone": f"55 {i // 2}"}} for i in range(4)
    ]
    return {
        "releases": [
            {
                "ocid": f"o-{number}", "id": "1", "date": "2024-02-01T00:00:00Z", "parties": parties,
                "buyer": {"id": "b", "name": "Ministry"},
                "tender": {"id": "t", "tenderPeriod": {"startDate": "2024-01-01", "endDate": "2024-01-31"},
                           "items": [{"id": "1", "classification": {"scheme": "CPV", "id": "45000000"}}]},
                "bids": {"details": [{"id": f"{i}", "tenderers": [{"id": f"p{i}"}], "status": "valid",
                                      "value": {"amount": 100 + i + number, "currency": "EUR"}} for i in range(4)]},
                "awards": [{"id": "a", "status": "active", "suppliers": [{"id": "p0"}]}],
            }
            for number in range(6)
        ]
    }  # fmt: skip


@pytest.fixture
def read(home):
    return lambda study, noun: read_table(home, "restricted", [study, noun])


def test_standards_are_read_linked_and_answered_for(project, read):
    project.file("in/statements.json", json.dumps(statements()))
    project.file("in/releases.json", json.dumps(releases()))
    project.study(
        "owners",
        "EntityNetwork",
        sources=[
            {"format": "bods", "path": str(project.folder / "in" / "statements.json")},
            {"format": "ocds", "path": str(project.folder / "in" / "releases.json")},
        ],
        flag_weights={"exposed person": 0.5},
        screens={"flagged_share": 0.5, "min_peers": 2},
        export=["graphml", "json", "excel", "followthemoney"],
    )
    assert project.run().success
    assert read("owners", "read_rejects")["reason"].str.contains("describes the subject").tolist() == [True]
    nodes = read("owners", "nodes").set_index("entity_id")
    assert {"C1", "C2", "P1", "p0", "b"} <= set(nodes.index)
    told = read("owners", "answers").set_index("entity_id")["sentence"]
    assert told["C2"].startswith("A Person (P1) is flagged: politically exposed person (BODS).")
    assert "A Person (P1) owns 60–75 % of Alpha (C1). Alpha (C1) owns 100 % of Beta (C2)." in told["C2"]
    assert read("owners", "control").set_index("company_id").loc["C2", "certain"].all()
    assert read("owners", "ownership_paths")["path"].str.contains("P1 → .*C2").any()
    assert set(read("owners", "screens")["screen"]) >= {"variance", "short window", "market share by buyer"}
    assert len(read("owners", "read_bids")) == 24
    files = read("owners", "exports").set_index("path")["content"]
    graph = nx.read_graphml(io.BytesIO(bytes(files["network.graphml"])))
    assert set(graph) == set(nodes.index)
    flags = read("owners", "red_flags_used")
    assert set(flags.loc[flags["weight"] > 0, "flag"]) == {"politically exposed person"}
    assert (flags["weight"] == 0).any() and nodes.index[nodes["own_flags"] > 0].tolist() == ["P1"]


def test_the_watch_list_survives_runs_and_tells_what_changed(project, read):
    table = "EntityID,AttributeID,Value\na,phone,1\nb,phone,1\nc,phone,2\nd,phone,2\n"
    paths = {
        "entity": project.file("entity.csv", "EntityID\na\nb\nc\nd\n"),
        "static": project.file("static.csv", table),
        "flags": project.file("flags.csv", "EntityID,FlagID,Evidence\na,f,case 1\n"),
        "flag_metadata": project.file(
            "meta.csv", "FlagID,Name,IsSupportingFlag,FlagWeight\nf,wages,false,0.8\n"
        ),
    }
    tables = {name: str(path) for name, path in paths.items()}
    project.study("firms", "EntityNetwork", sources=[{"format": "five_tables", "tables": tables}])
    assert project.run().success
    first = read("firms", "watch_list")
    assert first[["entity_id", "status"]].to_numpy().tolist() == [["a", "new"], ["b", "new"]]
    assert project.run().success
    pd.testing.assert_frame_equal(read("firms", "watch_list"), first)
    project.file("flags.csv", "EntityID,FlagID,Evidence\nc,f,case 2\na,f,case 1\n")
    assert project.run().success
    status = read("firms", "watch_list").set_index("entity_id")["status"]
    assert status.to_dict() == {"a": "same", "b": "same", "c": "new", "d": "new"}
    project.file("flags.csv", "EntityID,FlagID,Evidence\nc,f,case 2\n")
    assert project.run().success
    status = read("firms", "watch_list").set_index("entity_id")["status"]
    assert status.to_dict() == {"a": "gone", "b": "gone", "c": "same", "d": "same"}
    assert read("firms", "watch_history")["snapshot"].max() == 3


def remark(home, entity, words):
    fields = [
        ("entity_id", entity),
        ("remark", words),
        ("words", "They paid late"),
        ("judged_by", "R. Evans"),
    ]
    frame = judgement_frame("firms", fields)
    write_table(home, "restricted", [JUDGEMENTS, "firms"], frame, str(frame["judgement_id"].iloc[0]))


def test_each_on_the_watch_list_has_a_page_and_what_is_said_about_it_holds(project, read, home):
    entity = "EntityID\n" + "".join(f"{name}\n" for name in "abcd")
    paths = {
        "entity": project.file("entity.csv", entity),
        "static": project.file(
            "static.csv", "EntityID,AttributeID,Value\na,phone,5550101\nb,phone,5550101\n"
        ),
        "dynamic": project.file(
            "dynamic.csv", "EntityID,AttributeID,Value,TimePeriod\na,site,x,1\nb,site,x,1\n"
        ),
        "flags": project.file("flags.csv", "EntityID,FlagID,Evidence\na,f,case 1\n"),
        "flag_metadata": project.file(
            "meta.csv", "FlagID,Name,IsSupportingFlag,FlagWeight\nf,wages,false,0.8\n"
        ),
    }
    tables = {name: str(path) for name, path in paths.items()}
    project.study("firms", "EntityNetwork", sources=[{"format": "five_tables", "tables": tables}])
    assert project.run().success
    pages = read("firms", "casework").set_index("path")["content"]
    assert {path for path in pages.index if path.startswith("entities/")} == {
        "entities/a.html",
        "entities/b.html",
    }
    assert 'href="entities/a.html"' in bytes(pages["index.html"]).decode()
    page = bytes(pages["entities/b.html"]).decode()
    assert "a is flagged: wages" in page and "seen nowhere else" in page
    assert 'name="entity_id" value="b"' in page and "No finding against anybody".lower() in page.lower()
    risk = read("firms", "nodes").set_index("entity_id")["risk"]
    assert f"Risk {risk['b']:.2f}" in page

    remark(home, "a", "set flags aside")
    assert project.stale()["firms/remarks"] == "its file changed"
    assert project.run("firms").success
    flags = read("firms", "red_flags_used")
    assert flags["flag"].tolist() == ["wages"] and flags["weight"].tolist() == [0.0]
    assert (read("firms", "nodes")["risk"] == 0).all()
    remark(home, "a", "take back")
    assert project.run("firms").success
    again = read("firms", "nodes").set_index("entity_id")["risk"]
    pd.testing.assert_series_equal(again, risk)
    page = bytes(read("firms", "casework").set_index("path")["content"]["entities/a.html"]).decode()
    assert page.count("They paid late") == 2


def test_a_register_with_tenders_gets_screens_patterns_and_co_bids(project, read, home):
    project.study("world", "MockData", **WORLD)
    project.study(
        "network",
        "EntityNetwork",
        simulated=True,
        entities={
            "asset": "world/companies",
            "id_column": "company_id",
            "attributes": ["address", "phone", "email"],
        },
        ownership="world/owners",
        red_flags="world/red_flags",
        tenders="world/tenders",
        bids="world/bids",
        patterns={"weights": {"circular ownership": 0.1}},
        screens={"weights": {"variance": 0.1}},
    )
    assert project.run().success
    flags = read("network", "red_flags_used")
    truth = read_table(home, "public", ["world", "truth_structures"])
    planted = set(truth.loc[truth["kind"] == "cycle", "company_id"])
    assert planted <= set(flags.loc[flags["flag"] == "circular ownership", "entity_id"])
    assert flags.loc[flags["flag"] == "screen: variance", "weight"].eq(0.1).all()
    assert (read("network", "edges")["kind"] == "co-bid").any()
    assert len(read("network", "screen_rejects")) > 0


def test_a_file_without_ids_whose_columns_count_incidents_is_enough(project, read):
    path = project.file(
        "firms.csv",
        "firm,phone,complaints\nAlpha,+44 20 7946 0958,2\nBeta,+44 20 7946 0958,0\nGamma,+44 20 7946 0960,0\n",
    )
    columns = [
        {"name": "firm", "role": "text"},
        {"name": "phone", "role": "text"},
        {"name": "complaints", "role": "number"},
    ]
    project.study(
        "firms",
        "EntityNetwork",
        entities={
            "source": {"path": str(path), "columns": columns},
            "id_column": None,
            "name_column": "firm",
            "attributes": ["phone"],
            "flags": {"complaints": 0.5},
        },
    )
    assert project.run().success
    nodes = read("firms", "nodes").set_index("entity_id")
    assert nodes["name"].to_dict() == {"row-1": "Alpha", "row-2": "Beta", "row-3": "Gamma"}
    assert nodes.loc["row-1", "own_weight"] == 0.5 and nodes.loc["row-2", "risk"] > nodes.loc["row-3", "risk"]
    assert read("firms", "red_flags_used")["evidence"].tolist() == ["2 recorded"]


def test_settings_that_cannot_be_are_refused_when_loaded(project):
    for given, words in (
        ({}, "name entities"),
        ({"sources": [{"format": "bods"}]}, "a path for every other format"),
        ({"sources": [{"format": "five_tables", "path": "x"}]}, "name the tables"),
        ({"sources": [{"format": "ocds", "path": "x"}], "bids": "a/b"}, "tenders and bids together"),
    ):
        project.study("firms", "EntityNetwork", **given)
        with pytest.raises(Exception, match=words):
            project.load()
