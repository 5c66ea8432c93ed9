import gzip
import json
import zipfile

import pytest

from hrtech.networks.readers import read_bods
from hrtech.sources import SourceError


def statement(number, kind, record, details, date="2024-01-01", **more):
    return {
        "statementId": f"{number:032d}",
        "declarationSubject": "C1",
        "statementDate": date,
        "recordId": record,
        "recordType": kind,
        "recordDetails": {"isComponent": False, **details},
        "publicationDetails": {
            "publicationDate": date,
            "bodsVersion": "0.4",
            "publisher": {"name": "Register"},
        },
        **more,
    }


def firm(number, record, name="Firm", **more):
    return statement(
        number, "entity", record, {"entityType": {"type": "registeredEntity"}, "name": name}, **more
    )


def person(number, record, name="A Person", **more):
    details = {"personType": "knownPerson", "names": [{"type": "legal", "fullName": name}]}
    return statement(number, "person", record, {**details, **more})


def owns(number, record, party, subject, *interests, date="2024-01-01", **details):
    return statement(
        number,
        "relationship",
        record,
        {"subject": subject, "interestedParty": party, "interests": list(interests), **details},
        date=date,
    )


def shares(**share):
    return {"type": "shareholding", "directOrIndirect": "direct", "share": share}


def write(tmp_path, statements, name="s.json"):
    path = tmp_path / name
    path.write_text(json.dumps(statements))
    return path


def test_shares_stay_intervals_and_votes_stand_apart(tmp_path):
    votes = {"type": "votingRights", "directOrIndirect": "direct", "share": {"exact": 60}}
    read = read_bods(
        write(
            tmp_path,
            [
                firm(1, "C1"),
                person(2, "P1"),
                person(3, "P2"),
                owns(4, "R1", "P1", "C1", shares(exclusiveMinimum=25, maximum=50), votes),
                owns(
                    5, "R2", "P2", "C1", {"type": "appointmentOfBoard", "beneficialOwnershipOrControl": True}
                ),
            ],
        )
    )
    first, second = read.ownership.to_dict("records")
    assert (first["share_minimum"], first["share_maximum"]) == (25, 50)
    assert (first["voting_minimum"], first["voting_maximum"]) == (60, 60)
    assert (second["share_minimum"], second["share_maximum"], second["control_by"]) == (
        0,
        0,
        "appointmentOfBoard",
    )
    assert second["beneficial"] and first["owner_name"] == "A Person"
    assert read.ownership["owner_company_id"].isna().all()
    assert read.ownership["voting_maximum"].isna().tolist() == [False, True]


def test_the_latest_statement_counts_and_closed_and_replaced_ones_are_counted(tmp_path):
    read = read_bods(
        write(
            tmp_path,
            [
                owns(9, "R1", "P1", "C1", shares(exact=40), date="2024-03-01"),
                firm(1, "C1", "Old name"),
                firm(2, "C1", "New name", date="2024-02-01", recordStatus="updated"),
                person(3, "P1"),
                owns(4, "R1", "P1", "C1", shares(exact=10)),
                owns(5, "R2", "P1", "C1", shares(exact=5)),
                statement(
                    6, "relationship", "R2", {"subject": "C1", "interestedParty": "P1"}, "2024-02-02",
                    recordStatus="closed",
                ),
            ],
        )
    )  # fmt: skip
    assert read.entities.set_index("entity_id").loc["C1", "name"] == "New name"
    assert read.ownership["share_minimum"].tolist() == [40]
    assert read.number("statements replaced by a later one") == 3
    assert read.number("records closed") == 1


def test_every_statement_is_used_counted_or_a_reject_with_its_id(tmp_path):
    read = read_bods(
        write(
            tmp_path,
            [
                firm(1, "C1"),
                firm(1, "C2"),
                person(2, "P1"),
                owns(3, "R1", "P1", "C1", shares(exact=140)),
                owns(4, "R2", "P1", "C9", shares(exact=10)),
                owns(5, "R3", "P9", "C1", shares(exact=10)),
                owns(6, "R4", {"reason": "noBeneficialOwners", "description": "State"}, "C1"),
                owns(7, "R5", "P1", "C1", shares(minimum=60, maximum=40)),
                owns(
                    8,
                    "R6",
                    "P1",
                    "C1",
                    {**shares(exact=9), "startDate": "2024-01-02", "endDate": "2020-01-01"},
                ),
                owns(10, "R7", "P1", "C1", shares(exact=20), componentRecords=["R1"]),
                {"statementId": "x"},
                statement(11, "entity", "C5", {"entityType": {"type": "state"}}, date="yesterday"),
                7,
            ],
        )
    )
    reasons = dict(zip(read.rejects["row"], read.rejects["reason"], strict=True))
    assert "earlier statement" in reasons[2]
    assert "outside 0 to 100" in reasons[4]
    assert "describes the subject" in reasons[5] and "describes the interested party" in reasons[6]
    assert "least share is above" in reasons[8] and "endDate lies before" in reasons[9]
    assert (
        "has no declarationSubject" in reasons[11]
        and "no date" in reasons[12]
        and "no JSON object" in reasons[13]
    )
    assert read.rejects.set_index("row").loc[4, "record"] == f"{3:032d}"
    assert read.unspecified[["company_id", "reason"]].to_numpy().tolist() == [["C1", "noBeneficialOwners"]]
    used = ["entities and persons in use", "relationships in use", "relationships with nobody named"]
    gone = [
        "statements set aside", "statements replaced by a later one", "records closed",
        "indirect relationships told by their components",
    ]  # fmt: skip
    assert read.number("statements read") == sum(read.number(what) for what in used + gone) == 13
    assert read.number("interests set aside") == 3


def test_exposed_and_anonymous_persons_keep_their_reason(tmp_path):
    exposed = {"status": "isPep", "details": [{"reason": "minister"}]}
    hidden = statement(
        3, "person", "P2",
        {
            "personType": "anonymousPerson",
            "unspecifiedPersonDetails": {"reason": "interestedPartyExemptFromDisclosure"},
        },
    )  # fmt: skip
    read = read_bods(write(tmp_path, [person(1, "P1", politicalExposure=exposed), hidden]))
    assert read.red_flags[["entity_id", "flag", "evidence", "weight"]].to_numpy().tolist() == [
        ["P1", "politically exposed person", "minister", 0.0]
    ]
    assert read.entities["name"].tolist()[1] == "not named: interestedPartyExemptFromDisclosure"


@pytest.mark.parametrize("packed", ["lines", "gzip", "zip", "bom", "indented"])
def test_lines_archives_and_arrays_read_alike(tmp_path, packed):
    made = [firm(1, "C1"), person(2, "P1"), owns(3, "R1", "P1", "C1", shares(exact=40))]
    expected = read_bods(write(tmp_path, made)).ownership.drop(columns="record")
    lines = "\n".join(json.dumps(one) for one in made).encode()
    folder = tmp_path / "in"
    folder.mkdir()
    if packed == "lines":
        path = folder / "s.json"
        path.write_bytes(lines)
    elif packed == "gzip":
        path = folder / "s.jsonl.gz"
        path.write_bytes(gzip.compress(lines))
    elif packed == "zip":
        path = folder / "s.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a/s.jsonl", lines)
            archive.writestr("readme.txt", "no statements")
    else:
        path = folder / "s.json"
        text = json.dumps(made, indent=2).encode()
        path.write_bytes(b"\xef\xbb\xbf" + text if packed == "bom" else text)
    for source in (path, folder):
        assert read_bods(source).ownership.drop(columns="record").equals(expected)


def test_a_malformed_line_is_a_reject_and_a_broken_array_is_refused(tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps(firm(1, "C1")) + '\n{"statementId": "secret-name\n[1]\n')
    read = read_bods(path)
    assert read.rejects[["row", "reason"]].to_numpy().tolist() == [
        [2, "the line is not valid JSON"],
        [3, "the line is no JSON object"],
    ]
    broken = tmp_path / "b.json"
    broken.write_text(json.dumps([firm(1, "C1"), firm(2, "C2")])[:-150])
    with pytest.raises(
        SourceError, match=r"b\.json: the JSON breaks off or is malformed after object 1\. Fetch"
    ):
        read_bods(broken)
    cut = tmp_path / "c.jsonl.gz"
    cut.write_bytes(gzip.compress(path.read_bytes() * 500)[:-40])
    with pytest.raises(SourceError, match="cannot be unpacked"):
        read_bods(cut)


def test_what_cannot_be_read_at_all_is_refused_with_the_mend(tmp_path):
    old = {"statementID": "1", "statementType": "entityStatement"}
    with pytest.raises(SourceError, match=r"statement 1: the statement follows BODS 0\.3 or older\. Convert"):
        read_bods(write(tmp_path, [old]))
    with pytest.raises(SourceError, match="no file of statements"):
        read_bods(tmp_path / "none.json")
    empty = tmp_path / "e.json"
    empty.write_text(" \n")
    with pytest.raises(SourceError, match="the file is empty"):
        read_bods(empty)
    wide = tmp_path / "w.json"
    wide.write_bytes("[]".encode("utf-16"))
    with pytest.raises(SourceError, match="UTF-16"):
        read_bods(wide)
    other = firm(2, "C1")
    other["publicationDetails"]["publisher"]["name"] = "Another"
    with pytest.raises(SourceError, match="two publishers use one recordId"):
        read_bods(write(tmp_path, [firm(1, "C1"), other]))
