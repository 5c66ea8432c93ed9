"""The home, its keys, and the lineage that is read back from runs."""

import os
import stat
from concurrent.futures import ProcessPoolExecutor
from types import SimpleNamespace

import dagster as dg
import pytest

from hrtech.pages import LINEAGE_COLUMNS
from resources.home import FOLDERS, PRIVATE, HomeError, hrtech_home, prepare_home, require_persistent
from resources.keys import KeyFileError, read_key, read_or_create_key
from resources.lineage import trace


def test_a_home_must_be_named_and_absolute(monkeypatch, tmp_path):
    monkeypatch.delenv("HRTECH_HOME", raising=False)
    with pytest.raises(HomeError, match="HRTECH_HOME is not set"):
        hrtech_home()
    monkeypatch.setenv("HRTECH_HOME", "var")
    with pytest.raises(HomeError, match="must be an absolute path"):
        hrtech_home()
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("HRTECH_HOME", str(file))
    with pytest.raises(HomeError, match="is a file"):
        hrtech_home()


def test_private_folders_are_private_and_settings_are_written_once(tmp_path):
    home = prepare_home(tmp_path / "home", "telemetry:\n  enabled: false\n")
    modes = {name: stat.S_IMODE((home / name).stat().st_mode) for name in FOLDERS}
    assert all(modes[name] == 0o700 for name in PRIVATE)
    (home / "dagster" / "dagster.yaml").write_text("# mine\n")
    prepare_home(home, "telemetry:\n  enabled: false\n")
    assert (home / "dagster" / "dagster.yaml").read_text() == "# mine\n"


def test_a_temporary_instance_is_refused():
    with pytest.raises(HomeError, match="could not be traced"):
        require_persistent(SimpleNamespace(is_ephemeral=True))
    require_persistent(SimpleNamespace(is_ephemeral=False))


def test_a_key_is_made_once_even_by_processes_at_once(tmp_path):
    path = tmp_path / "keys" / "some.key"
    with ProcessPoolExecutor(4) as pool:
        keys = set(pool.map(read_or_create_key, [path] * 12))
    assert keys == {path.read_bytes()} and len(path.read_bytes()) == 32
    assert os.listdir(path.parent) == ["some.key"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_key_that_is_missing_open_or_cut_is_refused(tmp_path):
    path = tmp_path / "some.key"
    with pytest.raises(KeyFileError, match="is missing"):
        read_key(path)
    read_or_create_key(path)
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        read_key(path)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(KeyFileError, match="has 5 bytes instead of 32"):
        read_key(path)


def test_lineage_leads_from_a_table_to_the_run_and_ledger_row_behind_it(tmp_path):
    @dg.asset(key=["cases", "records"])
    def records():
        return dg.MaterializeResult(data_version=dg.DataVersion("v1"), tags={"hrtech/zone": "restricted"})

    @dg.asset(key=["cases", "aggregates"], deps=[records])
    def aggregates():
        return dg.MaterializeResult(
            data_version=dg.DataVersion("key"),
            tags={"hrtech/zone": "released", "hrtech/barrier": "differential-privacy"},
            metadata={"population": "people", "epsilon": 1.5, "ledger_sequence": 7},
        )

    @dg.asset(key=["other", "table"])
    def other():
        return dg.MaterializeResult(data_version=dg.DataVersion("v9"))

    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        run = dg.materialize([records, aggregates, other], instance=instance).run_id
        traced = trace(instance, [dg.AssetKey(["cases", "aggregates"])])
    assert list(traced.columns) == list(LINEAGE_COLUMNS)
    assert traced["asset"].tolist() == ["cases/aggregates", "cases/records"]
    release = traced.iloc[0]
    assert (release["run_id"], release["data_version"], release["parents"]) == (run, "key", ["cases/records"])
    assert (release["zone"], release["barrier"], release["epsilon"]) == (
        "released",
        "differential-privacy",
        1.5,
    )
    assert traced.iloc[1]["zone"] == "restricted" and traced.iloc[1]["parents"] == []
