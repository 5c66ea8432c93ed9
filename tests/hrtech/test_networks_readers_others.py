import json

import pandas as pd
import pytest

from hrtech.networks import NetworkError
from hrtech.networks.readers import (
    five_tables,
    flags_from_list,
    read_five_tables,
    read_followthemoney,
    together,
)
from hrtech.networks.readers.followthemoney import share_of
from hrtech.sources import SourceError


def ftm(key, schema, datasets=("list",), **properties):
    return {"id": key, "schema": schema, "datasets": list(datasets), "properties": properties}


def read(tmp_path, entities):
    path = tmp_path / "entities.ftm.json"
    path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in entities))
    return read_followthemoney(path)


def test_companies_owners_directors_and_sanctions_are_read(tmp_path):
    found = read(
        tmp_path,
        [
            ftm("c", "Company", name=["Firm", "Firma"], jurisdiction=["pa"], phone=["1"], registrationNumber=["9"]),
            ftm("p", "Person", name=["A Person"], topics=["role.pep", "role.judge"], birthDate=["1970"]),
            ftm("o", "Ownership", owner=["p"], asset=["c"], percentage=["25-50"], startDate=["2020"],
                endDate=["2023-05"]),
            ftm("d", "Directorship", director=["p"], organization=["c"], role=["chair"]),
            ftm("s", "Sanction", entity=["c"], authority=["OFAC"], program=["SDN"], startDate=["2022-03-01"]),
            ftm("t", "Sanction", entity=["c"], authority=["EU"], endDate=["2021-01-01"]),
        ],
    )  # fmt: skip
    owner = found.ownership.iloc[0]
    assert (owner["company_id"], owner["owner_id"], owner["owner_name"]) == ("c", "p", "A Person")
    assert (owner["share_minimum"], owner["share_maximum"]) == (25, 50)
    assert pd.isna(owner["owner_company_id"])
    assert [str(owner[name])[:10] for name in ("from_date", "to_date")] == ["2020-01-01", "2023-05-01"]
    assert found.relationships[["source", "target", "kind", "role"]].to_numpy().tolist() == [
        ["p", "c", "Directorship", "chair"]
    ]
    flags = found.red_flags[["entity_id", "flag", "source", "supporting", "weight"]].to_numpy().tolist()
    assert flags == [
        ["c", "former sanction", "EU; list", True, 0.0],
        ["c", "sanction", "OFAC; list", False, 0.0],
        ["p", "role.pep", "list", False, 0.0],
    ]
    assert found.attributes.to_numpy().tolist() == [
        ["c", "identifier", "registrationNumber:9"],
        ["c", "phone", "1"],
    ]
    assert found.entities.set_index("entity_id").loc["p", "started"] == "1970"


def test_fragments_are_joined_and_every_object_is_accounted_for(tmp_path):
    found = read(
        tmp_path,
        [
            ftm("c", "Company", ["a"], name=["Firm"]),
            ftm("c", "Company", ["b"], email=["x@y.example"]),
            ftm("o", "Ownership", owner=["q"], asset=["c"]),
            ftm("n", "Ownership", owner=["c"]),
            ftm(
                "b", "Directorship", director=["c"], organization=["c"], startDate=["2024"], endDate=["2020"]
            ),
            ftm("w", "Ownership", owner=["c"], asset=["c"], percentage=["most of it"]),
            ftm("d", "Document"),
            ftm("s", "Sanction", entity=["gone"]),
            {"id": "x", "properties": {}},
            "{broken",
        ],
    )
    assert found.entities[["entity_id", "source"]].to_numpy().tolist() == [["c", "a; b"]]
    reasons = found.rejects.set_index("record")["reason"]
    assert "not in the files" in reasons["o"] and "has no owner or no asset" in reasons["n"]
    assert (
        "lies before" in reasons["b"]
        and "no schema" in reasons["x"]
        and "not in the files" in reasons["gone"]
    )
    kept = len(found.entities) + len(found.ownership) + len(found.relationships) + len(found.red_flags)
    other = found.number("objects of other schemas") + found.number("fragments joined")
    assert found.number("objects read") == kept + other + found.number("objects set aside") == 10
    assert found.number("objects set aside") == len(found.rejects) == 6
    assert found.number("percentages not understood") == 1


@pytest.mark.parametrize(
    ("text", "share"),
    [("25", (25, 25)), ("12,5 %", (12.5, 12.5)), ("25-50", (25, 50)), ("25% to 50%", (25, 50)),
     ("more than 75%", (75, 100)), ("75 or more", (75, 100)), ("half", (None, None)), (None, (None, None))],
)  # fmt: skip
def test_percentages_are_read_as_numbers_or_ranges(text, share):
    assert share_of(text) == share


def tables():
    return {
        "entity": pd.DataFrame({"EntityID": ["a", "b", "b", None], "EntityWeight": [1.0, 2.5, 1.0, 1.0]}),
        "static": pd.DataFrame(
            [
                ("a", "tel", "1"),
                ("b", "tel", "1"),
                ("a", "nm", "Alpha"),
                ("z", "tel", "1"),
                ("a", "tel", "1"),
            ],
            columns=["EntityID", "AttributeID", "Value"],
        ),
        "dynamic": pd.DataFrame(
            [("a", "site", "x", "2024-01")], columns=["EntityID", "AttributeID", "Value", "TimePeriod"]
        ),
        "flags": pd.DataFrame(
            [("a", "f1", "case 7"), ("b", "f9", None)], columns=["EntityID", "FlagID", "Evidence"]
        ),
        "flag_metadata": pd.DataFrame(
            [("f1", "labour", "Unpaid wages", "d", "false", 8), ("f2", "labour", "Late", "d", "true", 2)],
            columns=["FlagID", "Category", "Name", "Description", "IsSupportingFlag", "FlagWeight"],
        ),
        "attribute_metadata": pd.DataFrame({"AttributeID": ["tel"], "Name": ["phone"]}),
    }


def test_the_five_tables_are_read_as_they_are(tmp_path):
    made = five_tables(tables(), name_attribute="nm")
    assert made.entities[["entity_id", "name", "weight"]].to_numpy().tolist() == [
        ["a", "Alpha", 1.0],
        ["b", "b", 2.5],
    ]
    assert made.attributes.to_numpy().tolist()[:2] == [["a", "phone", "1"], ["b", "phone", "1"]]
    assert made.activity.to_numpy().tolist() == [["a", "site", "x", "2024-01"]]
    assert made.red_flags[["flag", "weight", "supporting"]].to_numpy().tolist() == [
        ["Unpaid wages", 1.0, False],
        ["f9", 0.0, False],
    ]
    assert made.number("flags without metadata") == 1
    assert made.rejects[["file", "row"]].to_numpy().tolist() == [
        ["entity", 4],
        ["entity", 3],
        ["static", 4],
        ["static", 5],
    ]
    paths = {}
    for name, frame in tables().items():
        paths[name] = tmp_path / f"{name}.csv"
        frame.to_csv(paths[name], index=False)
    again = read_five_tables(paths, name_attribute="nm")
    for name in ("entities", "attributes", "activity", "red_flags", "counts"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(made, name))


def test_five_tables_that_cannot_be_read_say_why(tmp_path):
    with pytest.raises(NetworkError, match="no table 'nodes'"):
        read_five_tables({"nodes": tmp_path})
    with pytest.raises(NetworkError, match="'entity' is missing"):
        five_tables({})
    with pytest.raises(NetworkError, match="'static' has no column Value"):
        five_tables({**tables(), "static": tables()["static"].drop(columns="Value")})
    with pytest.raises(NetworkError, match="AttributeID 'title'"):
        five_tables(tables(), name_attribute="title")
    odd = tables()["flag_metadata"].assign(IsSupportingFlag="perhaps")
    with pytest.raises(NetworkError, match="neither true nor false"):
        five_tables({**tables(), "flag_metadata": odd})
    with pytest.raises(SourceError, match="declared column is missing"):
        (tmp_path / "e.csv").write_text("id,EntityWeight\na,1\n")
        read_five_tables({"entity": tmp_path / "e.csv"})


def test_a_list_flags_whom_the_linkage_found_on_it():
    entries = pd.DataFrame(
        {"id": ["l1", "l2"], "sanctions": ["arms", None], "first_seen": ["2022-03-04", None]}
    )
    linked = pd.DataFrame(
        {
            "register": ["ours", "ours", "list", "list", "ours"],
            "record_id": ["a", "b", "l1", "l2", "c"],
            "entity_id": ["1", "2", "1", "2", "3"],
            "match_probability": [0.9, 1.0, 0.95, 1.0, 1.0],
        }
    )
    given = {
        "source": "UN list",
        "category": "sanctions list",
        "list_register": "list",
        "entity_register": "ours",
    }
    flags = flags_from_list(entries, linked, **given, weight=0.8)
    assert flags["entity_id"].tolist() == ["a", "b"]
    assert flags["weight"].tolist() == pytest.approx([0.72, 0.8])
    assert flags["evidence"].tolist() == ["entry l1, match 90%: arms", "entry l2"]
    assert str(flags["from_date"][0])[:10] == "2022-03-04"
    assert flags_from_list(entries, linked, **given)["weight"].tolist() == [0, 0]
    with pytest.raises(NetworkError, match="no register 'theirs'"):
        flags_from_list(entries, linked, **{**given, "list_register": "theirs"})


def test_sources_are_put_together_and_an_entity_is_kept_once():
    one, two = five_tables(tables()), five_tables(tables())
    both = together([one, two])
    assert len(both.entities) == 2 and len(both.red_flags) == 4
    assert together([]).ownership.columns.tolist() == one.ownership.columns.tolist()
