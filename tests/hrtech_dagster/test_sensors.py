"""Files that are dropped, checks that fail, assets that are out of date, and the demo's account of it all."""

import json

import dagster as dg
import pytest

from hrtech_dagster.demo import run
from hrtech_dagster.sensors import ALERTS, dropped_files, write_alerts

CASES = "id,kind\na,one\nb,two\nc,one\n"
COLUMNS = [
    {"name": "id", "role": "identifier", "unique": True},
    {"name": "kind", "role": "category", "values": ["one", "two"]},
]


@pytest.fixture
def cases(project):
    project.file("drop/cases.csv", CASES)
    project.study(
        "cases",
        "CaseRelease",
        population="people",
        purpose="a test",
        source={"path": "drop", "format": "csv", "columns": COLUMNS},
        subject_id="id",
        epsilon=1.0,
        delta=1e-6,
        reporting_length=1,
    )
    return project


def sensor_of(defs):
    return next(one for one in defs.sensors if one.name == "dropped_files")


def test_a_dropped_file_starts_one_run_of_the_study_that_reads_it(cases):
    sensor = sensor_of(cases.load())
    first = sensor(dg.build_sensor_context())
    assert [request.asset_selection for request in first.run_requests] == [
        [dg.AssetKey(["cases", "records"])]
    ]
    assert first.run_requests[0].tags["hrtech/trigger"] == "file"
    quiet = sensor(dg.build_sensor_context(cursor=first.cursor))
    assert quiet.run_requests == []
    cases.file("drop/more.csv", "id,kind\nd,two\n")
    again = sensor(dg.build_sensor_context(cursor=quiet.cursor))
    assert len(again.run_requests) == 1
    assert again.run_requests[0].run_key != first.run_requests[0].run_key


def test_a_folder_that_is_empty_or_gone_starts_nothing(home, tmp_path):
    sensor = dropped_files({dg.AssetKey(["cases", "records"]): str(tmp_path / "nowhere")})
    assert sensor(dg.build_sensor_context()).run_requests == []


def test_the_cursor_holds_no_value(cases):
    cursor = sensor_of(cases.load())(dg.build_sensor_context()).cursor
    assert set(json.loads(cursor)) == {"cases/records"}
    assert "two" not in cursor


def test_failed_checks_are_told_once_and_without_values(tmp_path):
    @dg.asset
    def table():
        return 1

    @dg.asset_check(asset=table)
    def doubtful():
        return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN, metadata={"rows": 3})

    @dg.asset_check(asset=table)
    def good():
        return dg.AssetCheckResult(passed=True)

    path = tmp_path / ALERTS
    with dg.DagsterInstance.ephemeral() as instance:
        run_id = dg.materialize([table, doubtful, good], instance=instance).run_id
        assert write_alerts(instance, run_id, path) == 1
    told = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(one["asset"], one["check"], one["severity"], one["run"]) for one in told] == [
        ("table", "doubtful", "WARN", run_id)
    ]


def run_demo(cases):
    with dg.DagsterInstance.get() as instance:
        return run(cases.load(), instance, trigger="ci", everything=False, started=0.0)


@pytest.mark.slow
def test_only_what_is_out_of_date_is_run_and_the_account_says_so(cases, capsys):
    assert cases.stale()["cases/records"] == "never made"
    assert run_demo(cases) == 0
    told = capsys.readouterr().out
    assert "assets are out of date; running them in one Dagster run." in told
    assert "cases " in told and "checks" in told and "people: Everyone in the test" in told
    with dg.DagsterInstance.get() as instance:
        (made,) = instance.get_runs()
        assert made.tags["hrtech/trigger"] == "ci"
    entries = len(cases.load().resources["privacy_ledger"].entries())

    assert cases.stale() == {}
    assert run_demo(cases) == 0
    assert "nothing was recomputed and nothing spent" in capsys.readouterr().out

    cases.file("drop/cases.csv", CASES + "d,two\n")
    found = cases.stale()
    assert found["cases/records"] == "its file changed"
    assert found["cases/people"] == "cases/records is out of date"
    assert run_demo(cases) == 0
    assert len(cases.load().resources["privacy_ledger"].entries()) == entries + 2  # reserved and committed

    cases.file("drop/cases.csv", "id,kind\na,three\n")
    assert run_demo(cases) == 1
    assert "FAILED cases__records" in capsys.readouterr().err
