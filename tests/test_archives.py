"""The archives hold the tracked files of the allow-listed folders and nothing of what else lies in a checkout."""

import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TARGETS = PROJECT["tool"]["hatch"]["build"]["targets"]
PACKAGES = TARGETS["wheel"]["packages"]
NAME = f"hrtech_dagster-{PROJECT['project']['version']}"
CANARY = "Maria-Lopez-planted-in-a-checkout"

#: What lies about in the checkout of somebody who works with records, inside of the packages as well.
JUNK = (
    "records.csv",
    ".env",
    "ledger.sqlite",
    "keys/lake.key",
    "var/lake/restricted/cases/records.parquet",
    "var/ledger/ledger.sqlite",
    ".tmp_dagster_home_x/history/runs.db",
    "hrtech/records.csv",
    "hrtech/sources/records.xlsx",
    "assets/.env",
    "assets/notes.txt",
    "resources/lake.key",
    "hrtech_dagster/records.sqlite",
    "hrtech_dagster/defs/our_cases/records.csv",
    "hrtech_dagster/defs/our_cases/records.jsonl",
    "hrtech_dagster/defs/trafficking_cases/records.tsv",
    "hrtech_dagster/defs/trafficking_cases/records.parquet",
    "hrtech_dagster/__pycache__/records.cpython-311.pyc",
    "tests/records.json",
    "tests/hrtech/.records.csv.swp",
    "docs/interview.docx",
)


def tracked() -> set[str]:
    """Files of this checkout under version control; of an unpacked archive, everything."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout.split("\0")
    else:
        listed = [
            path.relative_to(ROOT).as_posix()
            for top in {*TARGETS["sdist"]["only-include"], "pyproject.toml", ".gitignore"}
            for path in [ROOT / top, *(ROOT / top).rglob("*")]
            if "__pycache__" not in path.parts
        ]
    return {name for name in listed if name and (ROOT / name).is_file()}


def under(files: set[str], tops: list[str]) -> set[str]:
    return {name for name in files if name.split("/")[0] in tops}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkout")
    for name in tracked():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
    for name in JUNK:
        assert name not in tracked()
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(CANARY, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def archives(checkout, tmp_path_factory):
    """Contents of the two archives: name → bytes."""
    out = tmp_path_factory.mktemp("dist")
    for kind in ("--sdist", "--wheel"):
        done = subprocess.run(
            [sys.executable, "-m", "build", kind, "--no-isolation", "--outdir", str(out), "."],
            cwd=checkout,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, dict[str, bytes]] = {"sdist": {}, "wheel": {}}
    with tarfile.open(out / f"{NAME}.tar.gz") as archive:
        for member in archive.getmembers():
            stream = archive.extractfile(member)
            if stream is not None:
                found["sdist"][member.name.removeprefix(f"{NAME}/")] = stream.read()
    with zipfile.ZipFile(out / f"{NAME}-py3-none-any.whl") as archive:
        for name in archive.namelist():
            found["wheel"][name] = archive.read(name)
    return found


@pytest.mark.slow
def test_the_source_archive_holds_the_tracked_files_of_its_folders(archives):
    added = {"PKG-INFO", "pyproject.toml", ".gitignore"}
    assert set(archives["sdist"]) - added == under(tracked(), TARGETS["sdist"]["only-include"]) - added


@pytest.mark.slow
def test_the_wheel_holds_the_tracked_files_of_the_packages(archives):
    about = f"{NAME}.dist-info/"
    inside = {name for name in archives["wheel"] if not name.startswith(about)}
    assert inside == under(tracked(), PACKAGES)
    assert {name.removeprefix(about) for name in archives["wheel"]} - inside == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "licenses/LICENSE",
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sdist", "wheel"])
def test_nothing_of_what_lies_about_is_in_an_archive(archives, kind):
    assert archives[kind]
    holders = {name for name, content in archives[kind].items() if CANARY.encode() in content}
    # this file names what it plants
    assert holders <= {"tests/test_archives.py"}
    assert ("tests/test_archives.py" in holders) == (kind == "sdist"), (
        "the search must find the string where it is"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "needed",
    [
        "hrtech_dagster/definitions.py",
        "hrtech_dagster/defs/trafficking_cases/defs.yaml",
        "hrtech_dagster/defs/trafficking_cases/codebook.csv",
        "hrtech_dagster/policy/populations/simulated_victims.yaml",
        "hrtech_dagster/dagster.yaml",
    ],
)
def test_what_an_installed_project_needs_is_in_the_wheel(archives, needed):
    assert archives["wheel"][needed] == (ROOT / needed).read_bytes()


@pytest.mark.slow
def test_page_templates_and_scripts_are_in_the_wheel(archives):
    for folder in ("templates", "static"):
        assert [name for name in archives["wheel"] if name.startswith(f"hrtech/pages/{folder}/")]


@pytest.mark.slow
def test_an_installed_wheel_finds_its_packages(archives, tmp_path):
    """Unpacked somewhere else, each package is found there and not in this checkout."""
    for name, content in archives["wheel"].items():
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    code = f"from importlib.util import find_spec; print(*(find_spec(name).origin for name in {PACKAGES}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == [str(tmp_path / name / "__init__.py") for name in PACKAGES], done.stderr
