"""Keys and places of the ledger: created once, never replaced, read by nobody else."""

import os
import stat

import pytest
import sqlalchemy as sa

from hrtech.privacy.chain import Head
from hrtech.privacy.errors import KeyMissing, LedgerUnavailable
from resources.ledger_database import LedgerDatabase
from resources.ledger_witness import read_witnesses, write_witness
from resources.privacy_ledger import PrivacyLedger


def noise():
    return {"counts": os.urandom(8)}


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_ledger_is_private(place, ask):
    umask = os.umask(0)
    try:
        place.ledger().release(ask(), noise)
    finally:
        os.umask(umask)
    key = place.home / "keys" / "ledger.key"
    assert mode(key) == 0o600 and mode(key.parent) == 0o700 and len(key.read_bytes()) == 32
    if place.database.path:
        assert mode(place.database.path) == 0o600 and mode(place.database.path.parent) == 0o700


def test_a_lost_key_is_never_replaced(place, ask):
    ledger = place.ledger()
    ledger.release(ask(), noise)
    key = place.home / "keys" / "ledger.key"
    kept = key.read_bytes()
    key.unlink()
    for act in (lambda: ledger.release(ask(), noise), ledger.verify, ledger.entries, ledger.statement):
        with pytest.raises(KeyMissing, match=r"ledger\.key is missing\. Restore it from your backup"):
            act()
    assert not key.exists()
    key.write_bytes(b"j" * 32)
    key.chmod(0o600)
    with pytest.raises(KeyMissing, match="not the one that this ledger was written with"):
        ledger.release(ask(), noise)
    key.write_bytes(kept)
    assert ledger.verify() == 4


def test_a_key_that_others_can_read_is_refused(place, ask):
    ledger = place.ledger()
    ledger.release(ask(), noise)
    key = place.home / "keys" / "ledger.key"
    key.chmod(0o640)
    with pytest.raises(KeyMissing, match="chmod 600"):
        ledger.release(ask(), noise)
    # also one that lies there before the first entry
    fresh = place.ledger(url=f"sqlite:///{place.home / 'second.sqlite'}", witness=str(place.home / "second"))
    with pytest.raises(KeyMissing, match="chmod 600"):
        fresh.release(ask(), noise)


def test_the_key_may_lie_elsewhere(place, ask, monkeypatch, tmp_path):
    elsewhere = tmp_path / "vault" / "our.key"
    monkeypatch.setenv("HRTECH_LEDGER_KEY", str(elsewhere))
    first = place.ledger().release(ask(), noise)
    assert elsewhere.exists() and not (place.home / "keys").exists()
    monkeypatch.delenv("HRTECH_LEDGER_KEY")
    with pytest.raises(KeyMissing):
        place.ledger().verify()
    assert place.ledger(key=str(elsewhere)).release(ask(), noise).artefacts == first.artefacts


def test_reading_creates_nothing(place):
    ledger = place.ledger()
    assert ledger.entries() == [] and ledger.verify() == 0 and ledger.manifest() == {}
    assert ledger.statement() == "Privacy ledger: nothing was ever released.\n"
    assert [path.name for path in place.home.iterdir()] == ["populations"]


def test_the_home_is_the_default(home, ask, tmp_path):
    (tmp_path / "people.yaml").write_text(
        "name: people\npeople: All\nepsilon: 4\ndelta: 1e-6\nmay_raise: officer\n"
    )
    PrivacyLedger(populations=str(tmp_path)).release(ask(), noise)
    assert (home / "ledger" / "ledger.sqlite").is_file() and (home / "keys" / "ledger.key").is_file()
    assert [path.name for path in (home / "lake" / "released" / ".manifests").iterdir()] == [
        "000000000004.json"
    ]


def test_no_password_and_no_parameter_in_a_message(postgres_database, place):
    url = postgres_database().replace("tester:", "tester:wrong")
    with pytest.raises(LedgerUnavailable) as caught:
        place.ledger(url=url).entries()
    text = str(caught.value)
    assert "password authentication failed" in text and "tester:***@" in text
    assert "wrong" not in text


def test_a_role_that_only_reads_and_adds_can_release(postgres_database, tmp_path, ask, ledger_home):
    url = sa.make_url(postgres_database())
    place = ledger_home(tmp_path / "home", url.render_as_string(hide_password=False))
    place.ledger().session().open()
    schema = url.query["options"].rpartition("=")[2]
    role = f"adder_to_{schema}"
    place.raw(
        f"CREATE ROLE {role} LOGIN PASSWORD 'adder'",
        f"GRANT USAGE ON SCHEMA {schema} TO {role}",
        f"GRANT SELECT, INSERT ON privacy_ledger_entries, privacy_ledger_artefacts TO {role}",
    )
    try:
        limited = url.set(username=role, password="adder").render_as_string(hide_password=False)
        released = place.ledger(url=limited).release(ask(), noise)
        assert place.ledger().release(ask(), noise).artefacts == released.artefacts
        assert place.ledger(url=limited).verify() == 4
        with pytest.raises(sa.exc.ProgrammingError, match="must be owner"):
            ledger_home(tmp_path / "other", limited).raw(
                "ALTER TABLE privacy_ledger_entries DISABLE TRIGGER USER"
            )
    finally:
        place.raw(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_a_busy_postgres_says_so(postgres_database, monkeypatch):
    url = postgres_database()
    LedgerDatabase(url).prepare()
    monkeypatch.setattr("resources.ledger_database.WAIT", 1)
    second = LedgerDatabase(url)
    with (
        LedgerDatabase(url).writing(),
        pytest.raises(LedgerUnavailable, match="lock timeout"),
        second.writing(),
    ):
        pass


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_ledger_in_memory_is_refused(url):
    with pytest.raises(ValueError, match="must name a file"):
        LedgerDatabase(url)


def test_only_two_databases_are_known():
    with pytest.raises(ValueError, match=r"'mysql'; use sqlite:// or postgresql\+psycopg://"):
        LedgerDatabase("mysql://host/ledger")


def test_a_busy_or_unwritable_database_says_so(tmp_path, monkeypatch):
    database = LedgerDatabase(f"sqlite:///{tmp_path / 'folder' / 'ledger.sqlite'}")
    database.prepare()
    monkeypatch.setattr("resources.ledger_database.WAIT", 0)
    second = LedgerDatabase(f"sqlite:///{tmp_path / 'folder' / 'ledger.sqlite'}")
    with database.writing(), pytest.raises(LedgerUnavailable, match="locked"), second.writing():
        pass


def test_witnesses_keep_the_newest_head(tmp_path):
    folder = tmp_path / "deep" / "manifests"
    for sequence in (4, 8, 6):
        write_witness(folder, Head("one", sequence, "ab"))
    assert [path.name for path in folder.iterdir()] == ["000000000008.json"]
    assert read_witnesses([str(folder / "*.json"), str(tmp_path / "absent.json")]) == [Head("one", 8, "ab")]
