import json

import pandas as pd
import pytest

from hrtech.networks.readers import read_ocds
from hrtech.sources import SourceError

BUYER = {"id": "b", "name": "Ministry", "identifier": {"scheme": "XX-GOV", "id": "7"}, "roles": ["buyer"]}


def party(number, **more):
    return {
        "id": f"p{number}",
        "name": f"Firm {number}",
        "identifier": {"scheme": "XX-REG", "id": f"{number}"},
        **more,
    }


def bid(name, number, amount, status="valid", **more):
    return {
        "id": name, "status": status, "date": "2024-02-01T10:00:00Z", "tenderers": [{"id": f"p{number}"}],
        "value": {"amount": amount, "currency": "EUR"}, **more,
    }  # fmt: skip


def release(ocid="o-1", date="2024-01-01T00:00:00Z", name="r1", **more):
    return {"ocid": ocid, "id": name, "date": date, "tag": ["tender"], "initiationType": "tender", **more}


def tender(**more):
    return {
        "id": "t", "status": "active", "procurementMethod": "open", "value": {"amount": 100.5, "currency": "EUR"},
        "tenderPeriod": {"startDate": "2024-01-05T00:00:00Z", "endDate": "2024-02-04T00:00:00Z"},
        "items": [{"id": "1", "classification": {"scheme": "CPV", "id": "45210000"}}], **more,
    }  # fmt: skip


def process(**more):
    """Three releases of one process: tender, bids and award, amended contract."""
    first = release(
        parties=[BUYER, party(1), party(2)], buyer={"id": "b", "name": "Ministry"}, tender=tender()
    )
    second = release(
        date="2024-03-01T00:00:00Z", name="r2", tag=["award"], tender={"id": "t", "status": "complete"},
        bids={"details": [bid("1", 1, 90), bid("2", 2, 95)]},
        awards=[{"id": "a", "status": "active", "date": "2024-02-20T00:00:00Z",
                 "suppliers": [{"id": "p1", "name": "Firm 1"}], "value": {"amount": 90, "currency": "EUR"}}],
    )  # fmt: skip
    third = release(
        date="2024-05-01T00:00:00Z", name="r3", tag=["contract"],
        contracts=[{"id": "c", "awardID": "a", "value": {"amount": 120, "currency": "EUR"},
                    "dateSigned": "2024-03-05T00:00:00Z",
                    "amendments": [{"id": "m1", "date": "2024-04-30T00:00:00Z", "rationale": "more work"}]}],
    )  # fmt: skip
    return [{**one, **more} for one in (first, second, third)]


def write(path, content, lines=False):
    path.write_text("\n".join(map(json.dumps, content)) if lines else json.dumps(content))
    return path


@pytest.mark.parametrize("shape", ["package", "records", "compiled", "lines", "turned"])
def test_releases_of_a_process_are_merged_whatever_the_package(tmp_path, shape):
    made = process()
    if shape == "package":
        path = write(tmp_path / "p.json", {"uri": "x", "version": "1.1", "packages": ["y"], "releases": made})
    elif shape == "records":
        path = write(tmp_path / "p.json", {"version": "1.1", "records": [{"ocid": "o-1", "releases": made}]})
    elif shape == "compiled":
        whole = {key: value for one in made for key, value in one.items()} | {
            "tender": tender(status="complete")
        }
        links = [{"url": "https://example.org/r1", "date": "2024-01-01T00:00:00Z"}]
        path = write(
            tmp_path / "p.json", {"records": [{"ocid": "o-1", "releases": links, "compiledRelease": whole}]}
        )
    else:
        path = write(tmp_path / "p.jsonl", made[::-1] if shape == "turned" else made, lines=True)
    read = read_ocds(path)
    one = read.tenders.iloc[0]
    assert (one["tender_id"], one["buyer_id"], one["category"], one["status"]) == (
        "o-1",
        "XX-GOV-7",
        "CPV:45",
        "complete",
    )
    assert one["closes_on"] - one["published_on"] == pd.Timedelta(days=30)
    bids = read.bids.sort_values("bid_id")
    assert bids[["entity_id", "value", "winner"]].to_numpy().tolist() == [
        ["XX-REG-1", 90.0, True],
        ["XX-REG-2", 95.0, False],
    ]
    assert {"tender_id", "entity_id", "category", "date", "value", "winner"} <= set(bids)
    assert read.contracts["value"].tolist() == [120.0]
    assert read.amendments[["part", "part_id", "amendment_id"]].to_numpy().tolist() == [
        ["contract", "c", "m1"]
    ]
    assert read.rejects.empty


def test_a_corrected_bid_replaces_the_first_and_lots_tell_who_won(tmp_path):
    lots = [
        bid("1", 1, 90, relatedLots=["A"]),
        bid("2", 1, 80, relatedLots=["B"]),
        bid("3", 2, 70, relatedLots=["B"]),
    ]
    award = {"id": "a", "status": "active", "relatedLots": ["B"], "suppliers": [{"id": "p1"}]}
    lost = {"id": "b", "status": "cancelled", "relatedLots": ["A"], "suppliers": [{"id": "p1"}]}
    first = release(
        parties=[party(1), party(2)], tender=tender(), bids={"details": lots}, awards=[award, lost]
    )
    second = release(
        date="2024-02-02T00:00:00Z", name="r2", bids={"details": [bid("3", 2, 75, relatedLots=["B"])]}
    )
    read = read_ocds(write(tmp_path / "p.json", {"releases": [first, second]}))
    bids = read.bids.set_index("bid_id").sort_index()
    assert bids["winner"].tolist() == [False, True, False]
    assert bids.loc["3", "value"] == 75
    related = {"id": "a", "status": "active", "relatedBids": ["3"], "suppliers": [{"id": "p1"}]}
    read = read_ocds(write(tmp_path / "p.json", {"releases": [{**first, "awards": [related]}]}))
    assert read.bids.set_index("bid_id").sort_index()["winner"].tolist() == [False, False, True]


def test_without_the_extension_tenderers_and_suppliers_stand_for_bids(tmp_path):
    award = {"id": "a", "suppliers": [{"id": "p1"}], "value": {"amount": 50, "currency": "EUR"}}
    made = release(
        parties=[party(1)],
        tender=tender(tenderers=[{"id": "p1"}, {"id": "p9", "name": "Nine"}]),
        awards=[award],
    )
    read = read_ocds(write(tmp_path / "p.json", {"releases": [made]}))
    rows = read.bids[["entity_id", "value", "winner"]].astype({"value": "object"}).to_numpy().tolist()
    assert rows[0] == ["XX-REG-1", 50.0, True]
    assert rows[1][0] == "p9" and rows[1][1] is pd.NA and rows[1][2] is False
    assert "p9" in set(read.entities["entity_id"])


def test_contacts_become_attributes_and_the_last_name_is_kept(tmp_path):
    old = party(
        1, contactPoint={"telephone": "1"}, address={"streetAddress": "1 High St", "locality": "Epton"}
    )
    new = {**party(1, contactPoint={"telephone": "1", "email": "a@x.example"}), "name": "Renamed"}
    made = [release(parties=[old]), release("o-2", parties=[new])]
    read = read_ocds(write(tmp_path / "p.json", {"releases": made}))
    assert read.entities[["entity_id", "name"]].to_numpy().tolist() == [["XX-REG-1", "Renamed"]]
    assert read.attributes.to_numpy().tolist() == [
        ["XX-REG-1", "address", "1 High St, Epton"],
        ["XX-REG-1", "email", "a@x.example"],
        ["XX-REG-1", "identifier", "XX-REG:1"],
        ["XX-REG-1", "phone", "1"],
    ]


def test_every_release_is_merged_or_a_reject(tmp_path):
    backwards = tender(
        tenderPeriod={"startDate": "2024-03-01", "endDate": "2024-02-01"}, value={"amount": -1}
    )
    nobody = release(
        "o-4",
        name="r4",
        bids={"details": [{"id": "x", "tenderers": []}]},
        awards=[{"id": "a", "date": "soon"}],
    )
    made = [
        *process(), release(None, name="n1"), release("o-2", date=None, name="n2"),
        release("o-3", name="n3", tender=[1]), release("o-5", tender=backwards), nobody, 3,
        release("o-6", name="k1", tender=tender(value={"amount": "ten"})),
        release("o-7", name="m1", tender=tender()), release("o-7", "2024-05-05", "m2", tender=[{"id": "1"}]),
    ]  # fmt: skip
    read = read_ocds(write(tmp_path / "p.json", {"releases": made}))
    assert read.number("releases read") == len(made)
    assert read.number("releases read") == read.number("releases merged") + read.number("releases set aside")
    assert read.number("contracting processes") == len(read.tenders) == 3
    reasons = read.rejects.set_index("record")["reason"]
    assert "no ocid" in reasons["n1"] and "no date" in reasons["n2"]
    assert "another kind" in reasons["n3"] and "another kind" in reasons["k1"]
    assert "contradict" in reasons["m1"] and "contradict" in reasons["m2"]
    assert sorted(read.rejects.loc[read.rejects["record"] == "r4", "reason"])[1].startswith(
        "the bid x names no tenderer"
    )
    assert read.tenders.set_index("tender_id")["value"].isna()["o-5"]
    linked = {"records": [{"ocid": "o-1", "releases": [{"url": "https://example.org/1"}]}]}
    assert "links to its releases" in read_ocds(write(tmp_path / "l.json", linked)).rejects["reason"].iloc[0]
    with pytest.raises(SourceError, match="malformed"):
        (tmp_path / "b.json").write_text('{"releases": [')
        read_ocds(tmp_path / "b.json")
