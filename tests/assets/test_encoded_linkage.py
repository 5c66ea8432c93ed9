"""Two organisations encode their records, each on its own; a study links them, and no name is anywhere afterwards."""

import importlib.util
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from studies import failures, materialised

from hrtech.mock import generate_world
from resources.lake import read_table
from resources.private_linkage import main

SCHEME = {
    "fields": [
        {
            "name": "name",
            "parts": [
                {"name": "given_name", "kind": "given_name"},
                {"name": "family_name", "kind": "family_name"},
            ],
        },
        {"name": "birth", "parts": [{"name": "date_of_birth", "kind": "date"}]},
        {"name": "card", "method": "hash", "parts": [{"name": "national_id", "kind": "identifier"}]},
    ]
}
FIELDS = [field["name"] for field in SCHEME["fields"]]


def register(path):
    columns = [{"name": "record_id", "role": "identifier", "unique": True}]
    columns += [{"name": name, "role": "text"} for name in ("encoding", *FIELDS)]
    return {"source": {"path": str(path), "columns": columns}}


def study(desk, **more):
    return {
        "registers": {side: register(desk / f"{side}.parquet") for side in ("north", "south")},
        "mode": "link",
        "duplicate_free": ["north", "south"],
        "fields": [{"name": name, "kind": "encoded"} for name in FIELDS],
        **more,
    }


def searcher(words):
    path = Path(__file__).parents[1] / "hrtech_dagster" / "leaks.py"
    spec = importlib.util.spec_from_file_location("leaks_of_encodings", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.Searcher(words)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """What stays with the organisations: records, key, tokens."""
    desk = tmp_path_factory.mktemp("desk")
    (desk / "scheme.yaml").write_text(yaml.safe_dump(SCHEME), encoding="utf-8")
    for key in ("key", "other_key"):
        assert main(["key", str(desk / key)]) == 0
    # many enough that precision is no accident of the key, which is drawn anew each time
    world = generate_world("demo", seed=3)
    people = world.truth["truth_persons"]
    known = world.tables["case_records"].merge(people[["record_id", "person_id"]], on="record_id")
    known = known.dropna(subset=["family_name"]).drop_duplicates(["person_id", "organisation"])
    first, second = known["organisation"].value_counts().index[:2]
    known = known[known["organisation"].isin([first, second])]
    known = known[known["person_id"].isin(known["person_id"].drop_duplicates().iloc[:1_500])]
    for side, organisation in (("north", first), ("south", second)):
        known[known["organisation"] == organisation].to_csv(desk / f"{side}.csv", index=False)
        assert encode(desk, side, "key") == 0
    return desk


def encode(desk, side, key, output=""):
    files = [str(desk / "scheme.yaml"), str(desk / f"{side}.csv"), str(desk / f"{output or side}.parquet")]
    kept = ["--key", str(desk / key), "--tokens", str(desk / f"{output or side}_tokens.csv")]
    return main(["encode", *files, *kept, "--id", "record_id"])


def test_encoded_registers_become_entities_and_no_name_is_left_anywhere(desk, project, home):
    project.study("private", "EntityLinkage", **study(desk))
    result = project.run("private")
    assert result.success, failures(result)
    assert "private/entities" in materialised(result)
    entities = read_table(home, "restricted", ("private", "entities"))
    sides = {side: pd.read_csv(desk / f"{side}.csv", dtype="str") for side in ("north", "south")}
    people = pd.concat(
        pd.read_csv(desk / f"{side}_tokens.csv", dtype="str").merge(
            table.rename(columns={"record_id": "own_id"})[["own_id", "person_id"]], on="own_id"
        )
        for side, table in sides.items()
    )
    joined = entities.merge(people, on="record_id").groupby("entity_id")["person_id"].agg(["size", "nunique"])
    both = set(sides["north"]["person_id"]) & set(sides["south"]["person_id"])
    together = joined[joined["size"] > 1]
    assert len(together) >= 0.5 * len(both) > 100
    assert (together["nunique"] == 1).mean() > 0.93

    # the names, and the key in every spelling, are in no file of the home: lake, logs, events, pages
    texts = pd.concat(sides.values())[["given_name", "family_name", "national_id"]].stack().dropna()
    # long enough that none stands in an encoding by chance
    words = {*sorted({word for word in texts if len(word) > 8})[::5], (desk / "key").read_bytes().hex()}
    assert len(words) > 20
    look = searcher(sorted(words))
    assert look.folder(desk)
    assert not look.folder(home)
    # tables lie encrypted in the lake, so each is searched as its keeper reads it
    nouns = [name.split("/") for name in materialised(result)]
    held = {"/".join(key): read_table(home, "restricted", key).to_csv().lower() for key in nouns}
    assert len(held) > 10
    assert not [name for name, text in held.items() if any(word.lower() in text for word in words)]


def test_encodings_of_another_key_are_refused_by_name_of_register(desk, project, home):
    assert encode(desk, "south", "other_key", "elsewhere") == 0
    other = study(desk)
    other["registers"]["south"] = register(desk / "elsewhere.parquet")
    project.study("private", "EntityLinkage", **other)
    result = project.run("private")
    assert "were encoded with different keys" in " ".join(failures(result).values())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda source: source.update(zone="public"), "pseudonyms of people and not anonymous"),
        (lambda source: source["columns"].pop(1), "reads no column 'encoding'"),
    ],
)
def test_encodings_are_never_declared_open_nor_read_in_part(desk, project, change, words):
    wrong = study(desk)
    change(wrong["registers"]["north"]["source"])
    project.study("private", "EntityLinkage", **wrong)
    with pytest.raises(Exception, match=words):
        project.load()
