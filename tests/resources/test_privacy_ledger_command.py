"""The operator's commands, as an operator runs them."""

import os
import subprocess
import sys

import pytest

from resources.ledger_command import main


@pytest.fixture
def command(place, capsys):
    def run(*arguments):
        code = main(["--home", str(place.home), "--url", place.url, *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


@pytest.fixture
def released(place, ask):
    place.ledger().release(ask(1.0), lambda: {"counts": os.urandom(8)})
    return place


def test_verify_says_whether_it_holds_together(command, released):
    code, text = command("verify")
    assert code == 0 and text.startswith("The ledger holds together: 4 entries, head ")
    (released.home / "keys" / "ledger.key").unlink()
    code, text = command("verify")
    assert code == 1 and text.startswith("Refused: The key ")


def test_an_empty_ledger(command):
    assert command("verify") == (0, "The ledger holds together: 0 entries.\n")
    assert command("statement") == (0, "Privacy ledger: nothing was ever released.\n")


def test_create_makes_a_ledger_once(command, place):
    code, text = command("create")
    assert code == 0 and "***" in text if place.database.path is None else "ledger.sqlite" in text
    key = (place.home / "keys" / "ledger.key").read_bytes()
    assert command("create") == (code, text)
    assert command("verify")[1].startswith("The ledger holds together: 1 entries")
    assert (place.home / "keys" / "ledger.key").read_bytes() == key


def test_statement_with_and_without_the_register(command, released):
    code, text = command("statement")
    assert code == 0 and "cases/aggregates: differential-privacy, marginals 1; epsilon 1 " in text
    released.budget((released.populations / "people.yaml").read_text().replace("4.0", "8.0"))
    assert "budget   epsilon 4 " in command("statement")[1]
    code, text = command("--populations", released.populations, "statement")
    assert code == 0 and "budget   epsilon 8 " in text
    code, text = command("--populations", released.home / "absent", "statement")
    assert code == 1 and "no folder of populations" in text


def test_backup_and_restore(command, released, ask, tmp_path):
    older, newest = tmp_path / "older.sqlite", tmp_path / "newest.sqlite"
    assert command("backup", older)[0] == 0
    kept = released.ledger().release(ask(2.0), lambda: {"counts": b"second"})
    code, text = command("backup", newest)
    assert code == 0 and text.startswith("6 entries copied")
    assert newest.stat().st_mode & 0o077 == 0
    for file in (newest, older):
        code, text = command("backup", file)
        assert code == 1 and "never replaces one" in text
    code, text = command("restore", newest)
    assert code == 1 and "never replaces one" in text

    released.wipe()
    code, text = command("restore", older)
    assert code == 1 and "ends at 4" in text
    assert not released.database.exists()
    code, text = command("restore", tmp_path / "absent.sqlite")
    assert code == 1 and "no backup" in text
    code, text = command("restore", newest)
    assert code == 0 and text.startswith("6 entries restored")
    assert released.ledger().release(ask(2.0), lambda: {"counts": b"other"}).artefacts == kept.artefacts


def test_a_past_release_is_written_again(command, released, ask, tmp_path):
    kept = released.ledger().release(ask(1.0), lambda: {"counts": b"other"})
    folder = tmp_path / "again"
    code, text = command("again", kept.key[:16], folder)
    assert code == 0 and "counts. Nothing was charged." in text
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == kept.artefacts
    assert (folder / "counts").stat().st_mode & 0o077 == 0
    code, text = command("again", kept.key, folder)
    assert code == 1 and "never replaces anything" in text
    for key, message in (
        ("0" * 64, "holds no release"),
        (kept.key[:8], "64 digits"),
        ("", "64 digits"),
    ):
        code, text = command("again", key, tmp_path / "other")
        assert code == 1 and message in text
    assert not (tmp_path / "other").exists()
    odd = released.ledger().release(ask(0.1), lambda: {"../counts": b"x"})
    code, text = command("again", odd.key, tmp_path / "other")
    assert code == 1 and "no name of a file" in text and not (tmp_path / "other").exists()


def test_it_runs_as_a_module(home, tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "resources.privacy_ledger", "verify"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (0, "The ledger holds together: 0 entries.\n")
    environment = {name: value for name, value in os.environ.items() if name != "HRTECH_HOME"}
    result = subprocess.run(
        [sys.executable, "-m", "resources.privacy_ledger", "statement"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert result.returncode == 1 and result.stderr.startswith("Refused: HRTECH_HOME is not set")
