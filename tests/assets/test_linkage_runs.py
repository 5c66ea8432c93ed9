"""A linkage over several runs: people judge, records come and go, runs fail, and entities keep their ids."""

import re

import pandas as pd
import pytest
from studies import WORLD, failures, materialised, plain

from hrtech_dagster.casework_pages import judgement_frame
from resources.judged import JUDGEMENTS
from resources.lake import read_table, write_table

pytestmark = pytest.mark.slow

COLUMNS = [
    {"name": "record_id", "role": "identifier", "unique": True},
    {"name": "given_name", "role": "text"},
    {"name": "family_name", "role": "text"},
    {"name": "date_of_birth", "role": "date"},
    {"name": "national_id", "role": "text"},
    {"name": "gender", "role": "category"},
]
PEOPLE = {
    "simulated": True,
    "registers": {
        "records": {"id_column": "record_id", "source": {"asset": "world/case_records", "columns": COLUMNS}}
    },
    "mode": "deduplicate",
    "fields": [
        {"name": "given_name", "kind": "given_name"},
        {"name": "family_name", "kind": "family_name"},
        {"name": "born", "kind": "date", "columns": {"records": "date_of_birth"}},
        {"name": "national_id", "kind": "identifier"},
        {"name": "gender", "kind": "category"},
    ],
    "review": 4,
    "review_drawn": 2,
}


@pytest.fixture(scope="module")
def run_once(tmp_path_factory):
    """A project whose linkage ran once; the tests of this module go on from there, in their order."""
    import sys

    from studies import Project

    from hrtech_dagster.demo import instance_settings
    from resources.home import prepare_home

    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("people")
        home = folder / "home"
        patch.setenv("HRTECH_HOME", str(home))
        patch.setenv("DAGSTER_HOME", str(home / "dagster"))
        patch.setattr(sys, "path", list(sys.path))
        prepare_home(home, instance_settings())
        project = Project(folder / "project")
        project.study("world", "MockData", **WORLD)
        project.study("people", "EntityLinkage", **PEOPLE)
        result = project.run("world/case_records", "people")
        assert result.success, failures(result)
        yield project, home


def judge(home, pair, decision, reason="The same scar is described"):
    names = ("register_l", "record_l", "register_r", "record_r")
    fields = [*((name, str(pair[name])) for name in names), ("decision", decision), ("reason", reason)]
    frame = judgement_frame("people", [*fields, ("judged_by", "R. Evans")])
    write_table(home, "restricted", [JUDGEMENTS, "people"], frame, str(frame["judgement_id"].iloc[0]))


def entity_of(home):
    frame = read_table(home, "restricted", ("people", "entities"))
    return frame.set_index("record_id")["entity_id"]


def test_every_pair_of_the_queue_has_a_page_with_its_records_weights_and_form(run_once):
    _, home = run_once
    queue = read_table(home, "restricted", ("people", "review"))
    pairs = read_table(home, "restricted", ("people", "match_weights"))
    pages = read_table(home, "restricted", ("people", "casework")).set_index("path")["content"]
    records = read_table(home, "restricted", ("people", "linked_records")).set_index("record_id")
    index = bytes(pages["index.html"]).decode()
    assert (
        "queue.html" in index and "Blocking rules" in index and "Whether each comparison was trained" in index
    )
    assert len([path for path in pages.index if path.startswith("pairs/")]) == len(queue)
    for row in queue.itertuples():
        page = bytes(pages[f"pairs/{row.pair_id}.html"]).decode()
        form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
        assert form["record_l"] == row.record_l and form["register_r"] == "records"
        assert form["csrf_token"] == "__CSRF__" and 'value="take back"' in page
        for side in (row.record_l, row.record_r):
            name = records.loc[side, "family_name"]
            assert pd.isna(name) or name in page
        one = pairs[(pairs["record_l"] == row.record_l) & (pairs["record_r"] == row.record_r)]
        if len(one):
            assert f"{one['match_weight'].iloc[0]:+.1f} bits" in page and "prior: how rare a match is" in page
    for link in set(re.findall(r'href="([a-z]+/[a-z0-9-]+\.html)"', bytes(pages["queue.html"]).decode())):
        assert link in pages.index
    for path in pages.index[pages.index.str.startswith(("pairs/", "entities/"))]:
        for link in re.findall(r'href="\.\./([a-z0-9/-]+\.html)"', bytes(pages[path]).decode()):
            assert link in pages.index, (path, link)


def test_a_judgement_holds_in_every_run_after_it_until_it_is_taken_back(run_once):
    project, home = run_once
    assert not {name for name in project.stale() if name.startswith("people/")}
    queue = read_table(home, "restricted", ("people", "review"))
    before = entity_of(home)
    joined = queue[queue["joined"]].iloc[0]
    apart = queue[~queue["joined"]].iloc[0]
    judge(home, joined, "different")
    judge(home, apart, "same")
    stale = project.stale()
    assert stale["people/judgements"] == "its file changed" and "people/entities" in stale
    result = project.run("people")
    assert result.success, failures(result)
    now = entity_of(home)
    assert now[joined["record_l"]] != now[joined["record_r"]]
    assert now[apart["record_l"]] == now[apart["record_r"]]
    # everybody else keeps the id that they had, but for doubtful ones: the model learns from what is together
    touched = {before[row[side]] for row in (joined, apart) for side in ("record_l", "record_r")}
    others = before[~before.isin(touched)]
    assert (now[others.index] == others).mean() > 0.97
    changes = read_table(home, "restricted", ("people", "changes"))
    assert {"split", "merged"} <= set(changes["kind"]) and changes["changed_at"].nunique() == 1
    asked = read_table(home, "restricted", ("people", "review"))
    assert not {joined["pair_id"], apart["pair_id"]} & set(asked["pair_id"])
    measured = read_table(home, "restricted", ("people", "judged_quality")).set_index("measure")
    assert measured.loc["precision on judged pairs", ["right", "pairs"]].tolist() == [0, 1]

    judge(home, joined, "take back")
    judge(home, apart, "take back")
    # a run that fails in between loses nothing
    project.study("people", "EntityLinkage", **(PEOPLE | {"max_pairs": 1}))
    failed = project.run("people")
    assert not failed.success and "blocking rule" in "".join(failures(failed).values())
    assert entity_of(home).equals(now)
    project.study("people", "EntityLinkage", **PEOPLE)
    result = project.run("people")
    assert result.success, failures(result)
    log = read_table(home, "restricted", ("people", "judgements"))
    assert sorted(log["status"]) == ["taken back", "taken back", "takes back", "takes back"]
    again = entity_of(home)
    # the same partition as at first
    assert (again.groupby(before).nunique() == 1).all() and again.nunique() == before.nunique()
    assert (again[others.index] == others).mean() > 0.97


def test_a_file_of_decisions_is_read_and_a_wrong_one_is_refused(run_once):
    project, home = run_once
    pair = read_table(home, "restricted", ("people", "review")).query("joined").iloc[-1]
    head = "register_l,record_l,register_r,record_r,decision,judged_by,judged_at,reason\n"
    row = f"records,{pair['record_l']},records,{pair['record_r']},different,Bo,2099-03-01,other scar\n"
    project.file("decisions.csv", head + row)
    project.study("people", "EntityLinkage", **(PEOPLE | {"judgements": "decisions.csv", "simulated": False}))
    result = project.run("people/judgements_of_file", "people/judgements")
    assert result.success, failures(result)
    log = read_table(home, "restricted", ("people", "judgements"))
    assert set(log.loc[log["given_by"] == "file", "status"]) == {"stands"}
    assert plain(materialised(result)["people/judgements"].metadata)["standing"] == 1
    project.file("decisions.csv", f"{head}{row.replace('different', 'perhaps')}")
    refused = project.run("people/judgements_of_file", "people/judgements")
    assert "row 2, column decision: it is none of same" in "".join(failures(refused).values())
    assert "perhaps" not in "".join(failures(refused).values())
