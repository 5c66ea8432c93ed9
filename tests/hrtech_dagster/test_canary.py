"""Nothing that stands in a record is found anywhere but in the record's own file and the encrypted store.

The records carry a word that no machine would write by chance, in names, identifiers, notes, dates and rare
categories. The search first proves, place by place, that it finds the word where it is planted.
"""

import base64
import gzip
import io
import json
import os
import random
import re
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tomllib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from leaks import Searcher
from studies import Project

from hrtech.tables import table_to_bytes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
#: Drawn anew for each session, so that no file of this checkout holds it.
WORD = "zq" + "".join(secrets.choice("bcdfghjklmnpqrstvwxz") for _ in range(8))
COUNTED = ("risen", "compared")
LABELS = {"gender": ("Female", "Male"), "form": ("Labour", "Sexual", "Domestic")}

CRASH = """
import dagster as dg
from assets.study import Output, StudyAssets

crash = StudyAssets(study="crash", owners=["team:data-keepers"])

@crash.asset(Output("broken", "Fails on a cell."), zone="restricted", inputs={"frame": "cases/records"})
def broken(context, frame):
    cell = next(name for name in frame["given_name"].dropna() if "WORD" in name)
    try:
        int(cell)
    except ValueError as error:
        raise RuntimeError(f"cannot use {cell}") from error

@crash.asset(Output("unstorable", "Returns what no store takes."), zone="restricted", inputs={"frame": "cases/records"})
def unstorable(context, frame):
    mixed = frame[["given_name"]].astype(object)
    mixed.iloc[0, 0] = 1
    return mixed

@crash.asset(Output("foreign", "Returns no frame."), zone="restricted", inputs={"frame": "cases/records"})
def foreign(context, frame):
    return list(frame["given_name"])

@dg.asset_check(asset=dg.AssetKey(["cases", "records"]), additional_ins={}, name="crashing")
def crashing(records):
    raise AssertionError(f"no such name: {records['given_name'].iloc[0]}")

@dg.definitions
def defs():
    return dg.Definitions.merge(crash.definitions(), dg.Definitions(asset_checks=[crashing]))
"""


def records(rows: int = 400) -> pd.DataFrame:
    """Records of which some carry the word, in every kind of column."""
    draw = random.Random(11)
    given, family = ["Ana", "Bo", "Chi", "Dara", "Emeka", "Fatou"], ["Silva", "Nguyen", "Okafor", "Haddad"]
    table = []
    for number in range(rows):
        marked = number % 20 == 0
        if number % 2:  # the same person again, with another spelling
            again = table[-1] | {"record_id": f"{WORD}-{number}", "note": ""}
            table.append(again | {"family_name": again["family_name"] + "e"})
            continue
        table.append(
            {
                "record_id": f"{WORD}-{number}",
                "person_id": f"P{WORD}{number // 2}",
                "given_name": f"{WORD.title()}a" if marked else draw.choice(given),
                "family_name": f"El {WORD.upper()}"
                if marked
                else draw.choice(family) + draw.choice("abcdef"),
                "born": f"{draw.randint(1960, 2005)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}",
                "gender": draw.choice(LABELS["gender"]),
                "form": draw.choice(LABELS["form"]),
                # measured privately: the rare value is one person's and must not come out
                "district": f"{WORD} village" if number == 40 else draw.choice(["North", "South"]),
                "note": f"spoke of {WORD}" if marked else "",
            }
        )
    return pd.DataFrame(table)


COLUMNS = [
    {"name": "record_id", "role": "identifier", "unique": True},
    {"name": "person_id", "role": "identifier"},
    {"name": "given_name", "role": "text"},
    {"name": "family_name", "role": "text"},
    {"name": "born", "role": "date"},
    {"name": "gender", "role": "category", "values": list(LABELS["gender"])},
    {"name": "form", "role": "category", "values": list(LABELS["form"])},
    {"name": "district", "role": "category"},
    {"name": "note", "role": "text"},
]


def source(path: str, columns=COLUMNS, **more) -> dict:
    return {"path": path, "columns": columns, **more}


def changed(name: str, **settings) -> list[dict]:
    return [column | settings if column["name"] == name else column for column in COLUMNS]


def write_studies(project: Project, inbox: Path) -> None:
    frame = records()
    inbox.mkdir(parents=True, exist_ok=True)
    frame.to_csv(inbox / "cases.csv", index=False)
    spoiled = frame.copy()
    spoiled.loc[60, "born"] = f"{WORD} the 3rd"
    spoiled.to_csv(inbox / "bad_dates.csv", index=False)
    (inbox / "bad_shape.csv").write_text(
        frame.to_csv(index=False) + f'"{WORD}",too,"few cells {WORD}\n', encoding="utf-8"
    )
    release = {
        "population": "people",
        "purpose": "Show what is done to whom",
        "subject_id": "person_id",
        "epsilon": 4.0,
        "delta": 1e-6,
        "approvers": ["A reviewer"],
    }
    disclose = {
        "population": "people",
        "purpose": "Tell how many people were met",
        "approvers": ["A reviewer"],
    }
    project.study("cases", "CaseRelease", source=source("$HRTECH_HOME/inbox/cases.csv"), **release)
    register = source("$HRTECH_HOME/inbox/cases.csv")
    fields = [
        {"name": "given_name", "kind": "given_name"},
        {"name": "family_name", "kind": "family_name"},
        {"name": "born", "kind": "date"},
        {"name": "person_id", "kind": "identifier"},
    ]
    project.study(
        "linked",
        "EntityLinkage",
        registers={"people": {"id_column": "record_id", "source": register}},
        mode="deduplicate",
        fields=fields,
        disclose=disclose,
    )
    project.study(
        "ties",
        "EntityNetwork",
        entities={
            "asset": "linked/people",
            "id_column": "record_id",
            "name_column": "given_name",
            "attributes": ["family_name", "note"],
        },
        disclose=disclose,
    )
    told = source("$HRTECH_HOME/inbox/cases.csv")
    project.study(
        "risen",
        "CasePatterns",
        source=told,
        time="born",
        period="year",
        combine=["gender", "form", "district"],
        min_count=2,
        disclose=disclose,
    )
    project.study(
        "compared",
        "GroupComparison",
        source=told,
        groups=["district"],
        measures=[{"name": "labour", "kind": "share", "condition": 'form == "Labour"'}],
        subject="person_id",
        disclose=disclose,
    )
    project.study(
        "bad_time",
        "CasePatterns",
        source=source("$HRTECH_HOME/inbox/cases.csv", changed("note", role="category")),
        time="note",
        combine=["gender", "form"],
    )
    project.study("bad_date", "CaseRelease", source=source("$HRTECH_HOME/inbox/bad_dates.csv"), **release)
    project.study(
        "bad_value",
        "CaseRelease",
        source=source("$HRTECH_HOME/inbox/cases.csv", changed("district", values=["North", "South"])),
        **release,
    )
    project.study("bad_shape", "CaseRelease", source=source("$HRTECH_HOME/inbox/bad_shape.csv"), **release)
    project.study(
        "bad_type",
        "CaseRelease",
        source=source("$HRTECH_HOME/inbox/cases.csv", changed("note", role="number")),
        **release,
    )
    project.study(
        "bad_check",
        "CaseRelease",
        source=source(
            "$HRTECH_HOME/inbox/cases.csv",
            expectations=[
                {
                    "type": "expect_column_values_to_match_regex",
                    "column": "given_name",
                    "arguments": {"regex": "^[0-9]+$"},
                    "severity": "warn",
                },
                {
                    "type": "expect_column_values_to_be_in_set",
                    "column": "district",
                    "arguments": {"value_set": ["North", "South"]},
                    "severity": "warn",
                },
                {"type": "expect_column_values_to_be_unique", "column": "person_id"},
            ],
        ),
        **release,
    )
    project.code("crash", CRASH.replace("WORD", WORD.title()))
    project.study(
        "pages", "EvidenceSite", summary="What was found.", studies=["cases", "linked", "ties", *COUNTED]
    )


@dataclass
class World:
    """What the runs left behind."""

    project: Project
    home: Path
    printed: dict[str, str]
    temporary: Path

    def command(self, name: str, *arguments: str) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=self.project.folder,
            env=environment(self.home, self.temporary) | {"PYTHONPATH": str(self.project.folder)},
            capture_output=True,
            text=True,
            timeout=300,
        )
        self.printed[name] = done.stdout + done.stderr
        return done


def environment(home: Path, temporary: Path) -> dict[str, str]:
    """A bare environment: nothing that a careful operator would have set to hide errors."""
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(temporary),
        "TMPDIR": str(temporary),
        "HRTECH_HOME": str(home),
        "DAGSTER_HOME": str(home / "dagster"),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "VIRTUAL_ENV": sys.prefix,
        "COLUMNS": "200",
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    from hrtech_dagster.demo import instance_settings
    from resources.home import prepare_home

    folder = tmp_path_factory.mktemp("canary")
    home = prepare_home(folder / "home", instance_settings())
    temporary = folder / "temporary"
    temporary.mkdir()
    project = Project(folder / "project")
    write_studies(project, home / "inbox")
    world = World(project, home, {}, temporary)

    # as an operator runs it, with Dagster's own log on the terminal
    world.command("launch", "dagster_dg_cli.cli", "launch", "--job", "everything")
    told = world.command("demo", "hrtech_dagster.demo", "-m", project.module).stderr
    wanted = re.search(r"Nobody has approved this candidate of pages.*candidate: ([0-9a-f]{64})", told)
    assert wanted, world.printed
    project.approve("pages", candidate=wanted[1])
    world.command("published", "hrtech_dagster.demo", "-m", project.module)
    world.command(
        "scaffold",
        "dagster_dg_cli.cli",
        *("scaffold", "defs", "assets.CaseRelease", "mine", "--source", str(home / "inbox" / "cases.csv")),
    )
    world.command("ledger", "resources.privacy_ledger", "statement")
    return world


@pytest.fixture(scope="module")
def searcher():
    return Searcher([WORD])


@pytest.fixture(scope="module")
def events(world):
    """Everything that Dagster recorded, as it recorded it."""
    with dg.DagsterInstance.from_config(str(world.home / "dagster")) as instance:
        return [event for run in instance.get_runs() for event in instance.all_logs(run.run_id)]


# that the runs did what the search is to judge


def test_the_runs_made_released_and_published(world):
    made = {
        path.relative_to(world.home / "lake").with_suffix("").as_posix()
        for path in (world.home / "lake").rglob("*.parquet")
    }
    for study in ("cases", "linked", "ties", *COUNTED):
        assert f"restricted/{study}/casework" in made
        assert f"released/{study}/facts" in made and f"released/{study}/report" in made
    assert {"released/pages/candidate", "public/pages/site", "released/cases/synthetic_records"} <= made
    assert (world.home / "site" / "index.html").is_file(), world.printed["published"]
    assert "mine" in world.printed["scaffold"] and (world.project.root / "defs/mine/defs.yaml").is_file()


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("bad_date__records", "born"),
        ("bad_time", "note"),
        ("bad_shape__records", "bad_shape.csv"),
        ("bad_type__records", "note"),
        ("bad_value__records", "district"),
        ("crash__broken", "RuntimeError at"),
        ("crash__unstorable", "given_name"),
        ("crash__foreign", "list"),
    ],
)
def test_the_failing_studies_failed_and_said_why(world, step, words):
    for run in ("launch", "demo"):
        assert re.search(rf"{step}[\s\S]*{re.escape(words)}", world.printed[run]), world.printed[run]


def test_the_check_in_python_failed_with_its_message_withheld(world):
    assert re.search(r'"cases__records_crashing" failed[\s\S]*masked', world.printed["launch"])


def test_the_failing_checks_failed(events):
    judged = [
        event.dagster_event.asset_check_evaluation_data
        for event in events
        if event.is_dagster_event
        and event.dagster_event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ]
    failed = {(check.asset_key.path[0], check.check_name) for check in judged if not check.passed}
    assert len([check for study, check in failed if study == "bad_check"]) >= 3, failed


# that the search finds the word where it is


def _insert(database: Path, statement: str, *values) -> None:
    connection = sqlite3.connect(database)
    with connection:
        connection.execute(statement, values)
    connection.close()


def _frame() -> pd.DataFrame:
    return pd.DataFrame({"label": ["nothing", f"x {WORD}"], "weight": [1, 2]})


def _event_log(home: Path) -> None:
    database = next(path for path in sorted((home / "dagster").rglob("*.db")) if path.stem.count("-") == 4)
    _insert(database, "INSERT INTO event_logs (run_id, event) VALUES ('r', ?)", json.dumps({"a": WORD}))


def _snapshot(home: Path) -> None:
    _insert(
        home / "dagster" / "history" / "runs.db",
        "INSERT INTO snapshots (snapshot_id, snapshot_body, snapshot_type) VALUES ('s', ?, 'x')",
        zlib.compress(f"padding {WORD}".encode()),
    )


def _cursor(home: Path) -> None:
    text = base64.b64encode(zlib.compress(json.dumps({"seen": WORD}).encode())).decode()
    _insert(
        home / "dagster" / "history" / "runs.db",
        "INSERT INTO kvs (key, value) VALUES ('cursor', ?)",
        text,
    )


def _artefact(home: Path) -> None:
    _insert(
        home / "ledger" / "ledger.sqlite",
        "INSERT INTO privacy_ledger_artefacts (release_key, name, sha256, content) VALUES ('k', 'n', 's', ?)",
        table_to_bytes(_frame()),
    )


def _archive(home: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        info = tarfile.TarInfo("records.csv")
        info.size = len(WORD)
        archive.addfile(info, io.BytesIO(WORD.encode()))
    with zipfile.ZipFile(home / "site" / "download.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.tar.gz", packed.getvalue())


def _write(home: Path, name: str, data: bytes) -> None:
    (home / name).parent.mkdir(parents=True, exist_ok=True)
    (home / name).write_bytes(data)


#: Place → how a leak gets there, where the search has to find it.
PLACES = {
    "a table in the released lake": (
        lambda home: _write(home, "lake/released/cases/aggregates.parquet", table_to_bytes(_frame())),
        "lake/released/cases/aggregates.parquet",
    ),
    "a table in the public lake": (
        lambda home: _write(home, "lake/public/pages/site.parquet", table_to_bytes(_frame())),
        "lake/public/pages/site.parquet",
    ),
    "a page within the candidate": (
        lambda home: _write(
            home,
            "lake/released/pages/candidate.parquet",
            table_to_bytes(pd.DataFrame({"content": [b"<p>x</p>", f"<p>{WORD}</p>".encode()]})),
        ),
        "lake/released/pages/candidate.parquet",
    ),
    "a restricted table that is not encrypted": (
        lambda home: _write(home, "lake/restricted/cases/plain.parquet", table_to_bytes(_frame())),
        "lake/restricted/cases/plain.parquet",
    ),
    "a column name": (
        lambda home: _write(
            home,
            "lake/released/cases/terms.parquet",
            table_to_bytes(_frame().rename(columns={"label": WORD})),
        ),
        "lake/released/cases/terms.parquet",
    ),
    "a published page": (
        lambda home: _write(home, "site/index.html", f"<b>{WORD.upper()}</b>".encode()),
        "site/index.html",
    ),
    "data in a published page": (
        lambda home: _write(
            home, "site/chart.html", b"data:;base64," + base64.b64encode(f"ab{WORD}".encode())
        ),
        "site/chart.html",
    ),
    "a published archive": (_archive, "site/download.zip"),
    "an artefact in the ledger": (_artefact, "ledger/ledger.sqlite"),
    "the ledger's text": (
        lambda home: _insert(
            home / "ledger" / "ledger.sqlite",
            "INSERT INTO privacy_ledger_entries VALUES (9999, 'x', 'x', 'x', '', ?, 'x', 'x')",
            WORD,
        ),
        "ledger/ledger.sqlite",
    ),
    "Dagster's event log": (_event_log, "dagster/"),
    "Dagster's snapshots": (_snapshot, "dagster/history/runs.db"),
    "Dagster's cursors": (_cursor, "dagster/history/runs.db"),
    "Dagster's compute logs": (
        lambda home: _write(home, "dagster/storage/run/compute_logs/a.out", f"printed {WORD}".encode()),
        "dagster/storage/run/compute_logs/a.out",
    ),
    "a compressed log": (
        lambda home: _write(home, "dagster/logs/event.log.gz", gzip.compress(WORD.encode())),
        "dagster/logs/event.log.gz",
    ),
    "the alerts": (
        lambda home: _write(home, "alerts.jsonl", json.dumps({"check": WORD}).encode()),
        "alerts.jsonl",
    ),
    "a key": (lambda home: _write(home, "keys/other.key", WORD.encode()), "keys/other.key"),
    "UTF-16 from a spreadsheet": (
        lambda home: _write(home, "site/table.csv", f"a\t{WORD}".encode("utf-16")),
        "site/table.csv",
    ),
    "hexadecimal digits": (
        lambda home: _write(home, "dagster/storage/blob", WORD.encode().hex().encode()),
        "dagster/storage/blob",
    ),
    "the name of a file": (lambda home: _write(home, f"site/{WORD}.html", b""), "site/"),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_planted_leak_is_found(world, searcher, tmp_path, place):
    plant, where = PLACES[place]
    copy = tmp_path / "home"
    shutil.copytree(world.home, copy, ignore=shutil.ignore_patterns("inbox"))
    before = searcher.folder(copy)
    plant(copy)
    new = set(searcher.folder(copy)) - set(before)
    assert any(found.startswith(where) for found in new), new


@pytest.mark.parametrize("shift", range(3))
def test_base64_is_found_at_every_alignment(searcher, shift):
    packed = base64.b64encode(b"." * shift + WORD.encode() + b"..")
    assert searcher.data(packed, "text") == ["text"]
    assert searcher.data(base64.b64encode(b"nothing to find here"), "text") == []


def test_the_records_themselves_hold_the_word(world, searcher):
    assert {path.split("!")[0] for path in searcher.folder(world.home / "inbox")} == {
        "cases.csv",
        "bad_dates.csv",
        "bad_shape.csv",
    }


def test_the_restricted_tables_hold_the_word_once_they_are_opened(world, searcher):
    from resources.lake import read_table

    for key in (
        ("cases", "records"),
        ("linked", "match_weights"),
        ("linked", "linked_records"),
        ("ties", "nodes"),
    ):
        opened = table_to_bytes(read_table(world.home, "restricted", key))
        assert searcher.data(opened, "table"), key


# that it is nowhere else


def test_nothing_is_in_the_home_outside_of_the_inbox(world, searcher):
    """The restricted lake included: on disk it is ciphertext."""
    found = [place for place in searcher.folder(world.home) if not place.startswith("inbox/")]
    assert found == []


def test_nothing_is_in_the_project_its_scaffolded_study_or_the_temporary_folder(world, searcher):
    crash = f"{world.project.package}/defs/crash/"
    found = [place for place in searcher.folder(world.project.folder) if not place.startswith(crash)]
    assert found == []
    assert searcher.folder(world.temporary) == []


@pytest.mark.parametrize("printed", ["launch", "demo", "published", "scaffold", "ledger"])
def test_nothing_was_printed(world, searcher, printed):
    assert world.printed[printed]
    assert searcher.data(world.printed[printed].encode(), printed) == []


def test_nothing_is_in_any_recorded_event(events, searcher):
    assert events
    found = [event.user_message[:60] for event in events if searcher.data(repr(event).encode(), "event")]
    assert found == []


def test_nothing_is_in_the_alerts(world, searcher, events, tmp_path):
    from hrtech_dagster.sensors import write_alerts

    alerts = tmp_path / "alerts.jsonl"
    with dg.DagsterInstance.from_config(str(world.home / "dagster")) as instance:
        for run in instance.get_runs():
            write_alerts(instance, run.run_id, alerts)
    lines = [json.loads(line) for line in alerts.read_text(encoding="utf-8").splitlines()]
    # the linkage warns of an entity that contradicts itself, the comparison of a group of one: searched as well
    assert {line["asset"] for line in lines} == {
        "bad_check/records",
        "linked/contradictions",
        "compared/estimates",
    }
    assert searcher.file(alerts) == []


def test_nothing_is_in_the_archives_of_a_checkout_that_holds_the_home(world, searcher, tmp_path):
    checkout, out = tmp_path / "checkout", tmp_path / "dist"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for name in [*project["tool"]["hatch"]["build"]["targets"]["sdist"]["only-include"], "pyproject.toml"]:
        path = ROOT / name
        copy = shutil.copytree if path.is_dir() else shutil.copy
        checkout.mkdir(exist_ok=True)
        copy(path, checkout / name)
    # where a home may come to lie: beside the packages, within them, under docs
    for place in ("var", "hrtech_dagster/home", "docs/home"):
        shutil.copytree(world.home, checkout / place)
    shutil.copytree(
        world.project.root / "defs",
        checkout / "hrtech_dagster" / "defs" / "ours",
        ignore=shutil.ignore_patterns("crash"),
    )
    for place in ("hrtech_dagster/defs/ours/cases.csv", "tests/cases.csv", "assets/cases.jsonl"):
        shutil.copy(world.home / "inbox" / "cases.csv", checkout / place)
    assert searcher.folder(checkout / "hrtech_dagster" / "home" / "inbox")
    for kind in ("--sdist", "--wheel"):
        done = subprocess.run(
            [sys.executable, "-m", "build", kind, "--no-isolation", "--outdir", str(out), "."],
            cwd=checkout,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(out.iterdir())) == 2
    assert searcher.folder(out) == []
