import socket

import fsspec
import pandas as pd
import pytest

from resources import lake
from resources.lake_files import LakeError

SECRET = "Maria-Lopez-planted-0451"
ZONES = ("restricted", "released", "public")


def records(rows=3):
    return pd.DataFrame({"name": pd.Series([SECRET] * rows, dtype="str"), "n": range(rows)})


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home as the lake needs it; its stores must make every folder themselves."""
    folder = tmp_path / "home"
    monkeypatch.setenv("HRTECH_HOME", str(folder))
    monkeypatch.delenv("HRTECH_LAKE", raising=False)
    folder.mkdir()
    return folder


@pytest.fixture
def memory_lake(home, monkeypatch):
    monkeypatch.setenv("HRTECH_LAKE", "memory://lake-of-a-test/inner/")
    yield fsspec.filesystem("memory"), "/lake-of-a-test/inner"
    fsspec.filesystem("memory").rm("/lake-of-a-test", recursive=True)


@pytest.fixture(scope="module")
def s3_server():
    pytest.importorskip("s3fs")
    ThreadedMotoServer = pytest.importorskip("moto.server").ThreadedMotoServer
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def s3_lake(home, s3_server, monkeypatch):
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    fs = fsspec.filesystem("s3", skip_instance_cache=True)
    bucket = f"lake-{home.parent.name}".replace("_", "-").lower()[:60].strip("-")
    fs.mkdir(bucket)
    monkeypatch.setenv("HRTECH_LAKE", f"s3://{bucket}/ours")
    yield fs, f"{bucket}/ours"
    fs.rm(bucket, recursive=True)


@pytest.fixture(params=["memory_lake", "s3_lake"])
def objects(request):
    return request.getfixturevalue(request.param)


def test_tables_live_in_an_object_store(objects, home):
    fs, root = objects
    for zone in ZONES:
        assert not lake.table_exists(home, zone, ["cases", "records"])
        assert lake.list_tables(home, zone) == []
        with pytest.raises(FileNotFoundError, match=f"holds no {zone}/cases/records.parquet"):
            lake.read_table(home, zone, ["cases", "records"])
        lake.write_table(home, zone, ["cases", "records"], records(2))
        lake.write_table(home, zone, ["cases", "records"], records(3))
        lake.write_table(home, zone, ["cases", "records"], records(1), ["north", "2024/01"])
        pd.testing.assert_frame_equal(lake.read_table(home, zone, ["cases", "records"]), records(3))
        assert len(lake.read_table(home, zone, ["cases", "records"], ["north", "2024/01"])) == 1
        assert lake.table_exists(home, zone, ["cases", "records"])
        assert lake.list_tables(home, zone) == [
            ("cases", "records"),
            ("cases", "records", "north", "2024/01"),
        ]
    fs.invalidate_cache()
    assert fs.exists(f"{root}/restricted/cases/records/north/2024%2F01.parquet")
    assert not (home / "lake" / "restricted").exists()


def test_restricted_objects_are_encrypted(objects, home):
    fs, root = objects
    for zone in ZONES:
        lake.write_table(home, zone, ["cases", "records"], records(100))
    found = {zone: SECRET.encode() in fs.cat_file(f"{root}/{zone}/cases/records.parquet") for zone in ZONES}
    assert found == {"restricted": False, "released": True, "public": True}


def test_a_lost_key_is_not_replaced(objects, home):
    lake.write_table(home, "restricted", ["cases", "records"], records())
    (home / "keys" / "lake.key").unlink()
    with pytest.raises(LakeError, match="is missing, but the lake holds tables encrypted with it"):
        lake.write_table(home, "restricted", ["cases", "more"], records())


def test_a_moved_object_does_not_open(objects, home):
    fs, root = objects
    lake.write_table(home, "restricted", ["cases", "records"], records())
    fs.copy(f"{root}/restricted/cases/records.parquet", f"{root}/restricted/cases/other.parquet")
    with pytest.raises(LakeError, match="moved here from another place"):
        lake.read_table(home, "restricted", ["cases", "other"])


def test_questions_are_asked_of_objects(objects, home):
    lake.write_table(home, "restricted", ["cases", "records"], records(10))
    answer = lake.query(home, "select sum(n) as total from v", {"v": ("restricted", ["cases", "records"])})
    assert answer["total"].tolist() == [45]
