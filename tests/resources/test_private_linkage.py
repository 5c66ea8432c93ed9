import hashlib
import stat

import pandas as pd
import pytest
import yaml

from resources.private_linkage import main

SCHEME = {
    "bits": 512,
    "fields": [
        {
            "name": "name",
            "parts": [{"name": "given", "kind": "given_name"}, {"name": "family", "kind": "family_name"}],
        },
        {"name": "birth", "parts": [{"name": "born", "kind": "date", "hashes": 20}]},
    ],
}
PEOPLE = "client,first,surname,born\nK-1,Amina,Okonkwo,1990-01-02\nK-2,Jelena,Petrović,1985-07-30\nK-3,,,\n"
RENAMED = ["--column", "given=first", "--column", "family=surname"]


@pytest.fixture
def desk(tmp_path):
    (tmp_path / "scheme.yaml").write_text(yaml.safe_dump(SCHEME), encoding="utf-8")
    (tmp_path / "people.csv").write_text(PEOPLE, encoding="utf-8")
    assert main(["key", str(tmp_path / "our.key")]) == 0
    return tmp_path


def encode(desk, output="encoded.csv", tokens="tokens.csv", people="people.csv", more=RENAMED, id="client"):
    paths = [str(desk / name) for name in ("scheme.yaml", people, output)]
    kept = ["--key", str(desk / "our.key"), "--tokens", str(desk / tokens)]
    return main(["encode", *paths, *kept, "--id", id, *more])


@pytest.mark.parametrize("output", ["encoded.csv", "encoded.parquet"])
def test_a_file_of_encodings_holds_no_name_no_id_and_no_key(desk, capsys, output):
    assert encode(desk, output) == 0
    key = (desk / "our.key").read_bytes()
    written = (desk / output).read_bytes()
    read = pd.read_csv(desk / output) if output.endswith("csv") else pd.read_parquet(desk / output)
    shown = capsys.readouterr()
    told = written.decode("latin-1") + read.to_csv() + shown.out + shown.err
    for secret in (
        "Amina",
        "Okonkwo",
        "Jelena",
        "Petrovi",
        "1990",
        "K-1",
        key.hex(),
        hashlib.sha256(key).hexdigest(),
    ):
        assert secret.lower() not in told.lower()
    assert key not in written
    assert read.columns.tolist() == ["record_id", "encoding", "name", "birth"]
    assert read["name"].isna().sum() == 1
    for name in (output, "tokens.csv", "our.key"):
        assert stat.S_IMODE((desk / name).stat().st_mode) == 0o600
    tokens = pd.read_csv(desk / "tokens.csv")
    assert set(tokens["record_id"]) == set(read["record_id"])
    assert set(tokens["own_id"]) == {"K-1", "K-2", "K-3"}
    assert read["record_id"].str.fullmatch("[0-9a-f]{32}").all()


def test_tokens_are_new_each_time_and_encodings_are_not(desk):
    assert encode(desk) == encode(desk, "again.csv", "again_tokens.csv") == 0
    first, again = pd.read_csv(desk / "encoded.csv"), pd.read_csv(desk / "again.csv")
    assert not set(first["record_id"]) & set(again["record_id"])
    assert set(first["name"].dropna()) == set(again["name"].dropna())
    assert first["encoding"].unique() == again["encoding"].unique()


def test_matched_tokens_become_own_ids_again(desk):
    assert encode(desk) == 0
    tokens = pd.read_csv(desk / "tokens.csv").set_index("own_id")["record_id"]
    matches = pd.DataFrame(
        {
            "record_id": [tokens["K-1"], "theirs-1", tokens["K-2"], "theirs-2"],
            "entity_id": ["e1", "e1", "e2", "e3"],
        }
    )
    matches.to_csv(desk / "matches.csv", index=False)
    assert main(["own", *(str(desk / name) for name in ("matches.csv", "tokens.csv", "own.csv"))]) == 0
    assert pd.read_csv(desk / "own.csv").to_numpy().tolist() == [["K-1", "e1"]]


def refused(capsys, code):
    assert code == 1
    return capsys.readouterr().err


def test_what_is_wrong_is_said_in_one_line_without_a_value(desk, capsys):
    assert "exists already" in refused(capsys, encode(desk, tokens="people.csv"))
    assert "must end in .parquet or .csv" in refused(capsys, encode(desk, output="encoded.xlsx"))
    assert "column 'family': the declared column is missing" in refused(
        capsys, encode(desk, more=RENAMED[:2])
    )
    assert "no PART=COLUMN" in refused(capsys, encode(desk, more=["--column", "height=first"]))
    (desk / "twice.csv").write_text(PEOPLE.replace("K-2", "K-1"), encoding="utf-8")
    message = refused(capsys, encode(desk, people="twice.csv"))
    assert "client" in message and "K-1" not in message
    (desk / "unnamed.csv").write_text(PEOPLE.replace("K-3", ""), encoding="utf-8")
    assert "1 records have no client" in refused(capsys, encode(desk, people="unnamed.csv"))
    assert "never replaced" in refused(capsys, main(["key", str(desk / "our.key")]))
    (desk / "scheme.yaml").write_text("fields: [", encoding="utf-8")
    assert "cannot be read" in refused(capsys, encode(desk))
    assert not (desk / "encoded.csv").exists() and not (desk / "tokens.csv").exists()


def test_a_key_that_others_can_read_or_of_another_length_is_refused(desk, capsys):
    (desk / "our.key").chmod(0o644)
    assert "chmod 600" in refused(capsys, encode(desk))
    (desk / "our.key").chmod(0o600)
    (desk / "our.key").write_bytes(b"short")
    assert "5 bytes instead of 32" in refused(capsys, encode(desk))
    assert "5 bytes instead of 32" in refused(capsys, main(["check", str(desk / "our.key")]))
