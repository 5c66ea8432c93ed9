"""An organisation's own workspace: made in an empty folder, run by dg, spending its own budget once."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hrtech.mock import generate_world, write_files
from hrtech_dagster.workspace import WorkspaceError, create_workspace, main

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def test_a_workspace_names_its_own_location_and_no_path_of_the_checkout(tmp_path):
    folder = create_workspace(tmp_path / "our_studies")
    texts = {
        path.relative_to(folder): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file() and "var" not in path.relative_to(folder).parts
    }
    assert not [
        name for name, text in texts.items() if str(ROOT) in text and name.name not in (".env", "README.md")
    ]
    assert 'root_module = "our_studies"' in texts[Path("pyproject.toml")]
    assert "our_studies.definitions" in texts[Path("workspace.yaml")]
    assert "var/" in texts[Path(".gitignore")]
    assert (folder / "var" / "dagster" / "dagster.yaml").exists()


def test_nothing_of_the_users_is_overwritten(tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(WorkspaceError, match="is not empty"):
        create_workspace(tmp_path / "mine")
    assert main([str(tmp_path / "mine")]) == 2
    assert "Name a new folder" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("name", ["assets", "7up", "hrtech"])
def test_a_name_that_no_package_can_have_is_refused(tmp_path, name):
    with pytest.raises(WorkspaceError, match="cannot name a workspace"):
        create_workspace(tmp_path / name)


def dg(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    hidden = ("HRTECH_HOME", "DAGSTER_HOME", "HRTECH_LAKE", "HRTECH_LEDGER_URL")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment |= {"VIRTUAL_ENV": str(BIN.parent), "PATH": f"{BIN}:{os.environ['PATH']}"}
    return subprocess.run(
        [str(BIN / "dg"), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.mark.slow
def test_a_users_own_file_goes_from_scaffold_to_release_and_is_charged_once(tmp_path):
    folder = create_workspace(tmp_path / "our_studies")
    records = generate_world("tiny", 5).tables["case_records"].drop(columns=["given_name", "family_name"])
    write_files({"case_records": records}, tmp_path / "data")
    source = tmp_path / "data" / "case_records"

    made = dg(folder, "scaffold", "defs", "assets.CaseRelease", "our_cases", "--source", str(source))
    assert made.returncode == 0, made.stdout + made.stderr
    study = folder / "our_studies" / "defs" / "our_cases" / "defs.yaml"
    text = study.read_text(encoding="utf-8")
    assert not [word for word in ("Harbour", "Forced", "UKR", "Female") if word in text]
    assert dg(folder, "check", "yaml").returncode == 0
    checked = dg(folder, "check", "defs")
    assert checked.returncode == 0, checked.stdout + checked.stderr

    for _ in range(2):
        launched = dg(folder, "launch", "--assets", 'group:"our_cases"')
        assert launched.returncode == 0, (launched.stdout + launched.stderr)[-3000:]
    told = subprocess.run(
        [sys.executable, "-m", "resources.privacy_ledger", "--home", str(folder / "var"), "statement"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert len(re.findall(r"our_cases/aggregates", told)) == 1
    assert "budget   epsilon 4" in told

    study.write_text(text.replace("role: multi_valued", "role: multi_value", 1), encoding="utf-8")
    wrong = dg(folder, "check", "yaml")
    assert wrong.returncode != 0
    assert re.search(r"defs\.yaml:\d+", wrong.stdout + wrong.stderr)
    study.write_text(text.replace("population: our_people", "population: nobody"), encoding="utf-8")
    unknown = dg(folder, "check", "defs")
    assert unknown.returncode != 0 and "nobody" in unknown.stdout + unknown.stderr
