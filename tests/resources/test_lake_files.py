import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pandas as pd
import pytest

from hrtech.tables import table_to_bytes
from resources.lake_files import LakeError, ZoneFiles

KEY = ["cases", "records"]
SECRET = "Maria-Lopez-planted-0451"


@pytest.fixture
def lake(tmp_path):
    def of(zone="restricted", encrypted=None, base=None):
        encrypted = zone == "restricted" if encrypted is None else encrypted
        return ZoneFiles(zone, str(base or tmp_path / "lake"), tmp_path / "keys" / "lake.key", encrypted)

    return of


def records(rows=3):
    return pd.DataFrame({"name": pd.Series([SECRET] * rows, dtype="str"), "n": range(rows)})


def everything_below(folder: Path) -> bytes:
    return b"\0".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_layout_is_one_file_per_table_and_partition(lake, tmp_path):
    for zone in ("restricted", "released", "public"):
        files = lake(zone)
        assert files.write(KEY, records()) == f"{zone}/cases/records.parquet"
        files.write(KEY, records(1), "2024-01-01")
        files.write(KEY, records(2), ["north", "2024"])
        assert sorted(p.relative_to(tmp_path / "lake" / zone).as_posix() for p in
                      (tmp_path / "lake" / zone).rglob("*.parquet")) == [
            "cases/records.parquet",
            "cases/records/2024-01-01.parquet",
            "cases/records/north/2024.parquet",
        ]  # fmt: skip
        assert files.tables() == [
            ("cases", "records"),
            ("cases", "records", "2024-01-01"),
            ("cases", "records", "north", "2024"),
        ]
        assert [len(files.read(KEY)), len(files.read(KEY, "2024-01-01"))] == [3, 1]
        assert len(files.read(KEY, ["north", "2024"])) == 2


@pytest.mark.parametrize(
    "partition", ["../../../out", "/etc/passwd", "..", ".hidden", "a/b", "a%2Fb", "Köln 5", "x.parquet"]
)
def test_no_key_or_partition_leaves_its_folder(lake, tmp_path, partition):
    files = lake("released")
    files.write(KEY, records(1), partition)
    files.write(["cases", partition], records(2))
    assert files.tables() == sorted([("cases", "records", partition), ("cases", partition)])
    inside = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert all(path.is_relative_to(tmp_path / "lake" / "released" / "cases") for path in inside)
    assert len(files.read(KEY, partition)) == 1
    assert len(files.read(["cases", partition])) == 2


@pytest.mark.parametrize("key", [["records"], ["a", "b", "c"], "ab", ["a", ""], []])
def test_keys_have_two_parts(lake, key):
    with pytest.raises(LakeError, match=r"two parts|is empty"):
        lake().relative_path(key)


def test_restricted_text_is_nowhere_on_disk_and_released_text_is(lake, tmp_path):
    lake("released").write(KEY, records())
    assert SECRET.encode() in everything_below(tmp_path), "the search must find what is not encrypted"
    (tmp_path / "lake/released/cases/records.parquet").unlink()
    lake().write(KEY, records(500))
    lake().write(KEY, records(500), SECRET[:5])
    assert SECRET.encode() not in everything_below(tmp_path)
    assert lake().read(KEY)["name"].tolist() == [SECRET] * 500


def test_a_table_at_another_place_does_not_open(lake, tmp_path):
    lake().write(KEY, records())
    data = (tmp_path / "lake/restricted/cases/records.parquet").read_bytes()
    places = [
        (lake(), ["cases", "other"], None),
        (lake(), ["other", "records"], None),
        (lake(), KEY, "2024"),
        (lake("released"), KEY, None),
    ]
    for files, key, partition in places:
        target = tmp_path / "lake" / files.relative_path(key, partition)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        with pytest.raises(LakeError, match="changed, cut off, or moved here"):
            files.read(key, partition)


def test_a_changed_file_does_not_open(lake, tmp_path):
    lake().write(KEY, records())
    path = tmp_path / "lake/restricted/cases/records.parquet"
    whole = path.read_bytes()
    for broken in (whole[:-1], whole[:20], whole[:200] + b"x" + whole[201:], whole + b"x"):
        path.write_bytes(broken)
        with pytest.raises(LakeError, match=r"restricted/cases/records.parquet in the lake does not open"):
            lake().read(KEY)


def test_a_plain_file_in_the_restricted_store_is_refused(lake, tmp_path):
    lake().write(KEY, records())
    (tmp_path / "lake/restricted/cases/records.parquet").write_bytes(table_to_bytes(records()))
    with pytest.raises(LakeError, match="not encrypted, so it was not written by this store") as problem:
        lake().read(KEY)
    assert SECRET not in str(problem.value)


def test_a_broken_plain_file_is_named_without_its_content(lake, tmp_path):
    lake("public").write(KEY, records())
    (tmp_path / "lake/public/cases/records.parquet").write_bytes(SECRET.encode() * 9)
    with pytest.raises(
        LakeError, match=r"public/cases/records.parquet in the lake: .* no readable Parquet"
    ) as problem:
        lake("public").read(KEY)
    assert SECRET not in str(problem.value)


def test_the_key_is_made_once_and_is_private(lake, tmp_path):
    key_file = tmp_path / "keys" / "lake.key"
    lake("released").write(KEY, records())
    assert not key_file.exists(), "nothing to encrypt, no key"
    with pytest.raises(FileNotFoundError):
        lake().read(KEY)
    assert not key_file.exists(), "reading makes no key"
    lake().write(KEY, records())
    key = key_file.read_bytes()
    assert len(key) == 32
    assert mode(key_file) == 0o600
    lake().write(KEY, records())
    assert key_file.read_bytes() == key
    assert key not in everything_below(tmp_path / "lake")
    assert key.hex() not in repr(lake())


def test_a_lost_key_is_not_replaced(lake, tmp_path):
    lake().write(KEY, records())
    key_file = tmp_path / "keys" / "lake.key"
    key = key_file.read_bytes()
    key_file.unlink()
    with pytest.raises(LakeError, match="is missing, but the lake holds tables encrypted with it"):
        lake().write(["cases", "new"], records())
    assert not key_file.exists()
    with pytest.raises(LakeError, match=r"is missing\. Restore it from your backup"):
        lake().read(KEY)
    key_file.write_bytes(key)
    key_file.chmod(0o600)
    assert len(lake().read(KEY)) == 3


def test_another_key_and_an_open_key_are_refused(lake, tmp_path):
    lake().write(KEY, records())
    key_file = tmp_path / "keys" / "lake.key"
    key_file.chmod(0o644)
    with pytest.raises(LakeError, match="can be read by others"):
        lake().read(KEY)
    key_file.chmod(0o600)
    key_file.write_bytes(bytes(32))
    with pytest.raises(LakeError, match="encrypted with another key") as problem:
        lake().read(KEY)
    assert SECRET not in str(problem.value)


def _write_first(base, key_file, number):
    ZoneFiles("restricted", base, Path(key_file), True).write(["cases", f"t{number}"], records(number + 1))


def test_processes_that_start_at_once_agree_on_one_key(lake, tmp_path):
    context = multiprocessing.get_context("fork")
    workers = [
        context.Process(
            target=_write_first, args=(str(tmp_path / "lake"), str(tmp_path / "keys/lake.key"), n)
        )
        for n in range(8)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 8
    assert [len(lake().read(["cases", f"t{n}"])) for n in range(8)] == list(range(1, 9))


def test_restricted_files_and_folders_are_private_whatever_the_umask(lake, tmp_path):
    old = os.umask(0)
    try:
        lake().write(KEY, records(), ["north", "2024"])
    finally:
        os.umask(old)
    root = tmp_path / "lake" / "restricted"
    assert {mode(path) for path in [root, *root.rglob("*")] if path.is_dir()} == {0o700}
    assert {mode(path) for path in root.rglob("*") if path.is_file()} == {0o600}


def test_a_loosened_folder_is_closed_again(lake, tmp_path):
    lake().write(KEY, records())
    (tmp_path / "lake/restricted").chmod(0o755)
    lake().write(KEY, records())
    assert mode(tmp_path / "lake/restricted") == 0o700


@pytest.mark.parametrize("answer", ["forgets", "refuses"])
def test_a_file_system_without_permissions_is_refused(lake, tmp_path, monkeypatch, answer):
    (tmp_path / "lake/restricted").mkdir(parents=True)
    (tmp_path / "lake/restricted").chmod(0o777)

    def chmod(self, mode):
        if answer == "refuses":
            raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", chmod)
    with pytest.raises(LakeError, match=r"does not keep private folders \(its mode stays 0777, not 0700"):
        lake().write(KEY, records())
    assert [path for path in (tmp_path / "lake").rglob("*") if path.is_file()] == []
    lake("released").write(KEY, records())
    assert len(lake("released").read(KEY)) == 3


CRASH = """
import os, signal, sys
from pathlib import Path
import pandas as pd
from resources import lake_files

point = sys.argv[3]
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if point == "fsync":
    os.fsync = die
elif point == "half":
    real = os.fdopen
    def fdopen(descriptor, how):
        class Half:
            def __enter__(self):
                return self
            def __exit__(self, *_):
                pass
            def write(self, data):
                os.write(descriptor, data[: len(data) // 2])
                die()
        return Half()
    os.fdopen = fdopen
elif point == "replace":
    Path.replace = die
elif point == "replaced":
    real = Path.replace
    def replace(self, target):
        real(self, target)
        die()
    Path.replace = replace
files = lake_files.ZoneFiles("restricted", sys.argv[1], Path(sys.argv[2]), True)
files.write(["cases", "records"], pd.DataFrame({"n": [2] * 100_000}))
"""


@pytest.mark.parametrize(("point", "survives"), [("half", 1), ("fsync", 1), ("replace", 1), ("replaced", 2)])
def test_a_writer_killed_at_any_step_leaves_a_whole_table(lake, tmp_path, point, survives):
    lake().write(KEY, pd.DataFrame({"n": [1] * 100_000}))
    arguments = [str(tmp_path / "lake"), str(tmp_path / "keys/lake.key"), point]
    done = subprocess.run([sys.executable, "-c", CRASH, *arguments], capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert set(lake().read(KEY)["n"]) == {survives}
    assert len(lake().read(KEY)) == 100_000
    assert lake().tables() == [("cases", "records")]


def test_a_writer_killed_at_a_random_moment_leaves_a_whole_table(lake, tmp_path):
    code = textwrap.dedent("""
        import sys
        from pathlib import Path
        import pandas as pd
        from resources.lake_files import ZoneFiles
        files = ZoneFiles("restricted", sys.argv[1], Path(sys.argv[2]), True)
        for n in range(10**6):
            files.write(["cases", "records"], pd.DataFrame({"n": [n] * 200_000, "x": range(200_000)}))
            print(n, flush=True)
    """)
    for delay in (0.0, 0.004, 0.009, 0.013):
        writer = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "lake"), str(tmp_path / "keys/lake.key")],
            stdout=subprocess.PIPE,
        )
        for _ in range(3):
            last = int(writer.stdout.readline())
        time.sleep(delay)
        writer.kill()
        seen = [last, *map(int, writer.stdout.read().split())][-1]
        writer.wait()
        table = lake().read(KEY)
        assert len(table) == 200_000
        assert table["n"].nunique() == 1
        assert table["n"].iloc[0] in (seen, seen + 1)


def test_a_reader_never_sees_half_a_table(lake):
    lake().write(KEY, pd.DataFrame({"n": [0] * 50_000}))
    context = multiprocessing.get_context("fork")

    def write():
        for n in range(1, 30):
            lake().write(KEY, pd.DataFrame({"n": [n] * 50_000}))

    writer = context.Process(target=write)
    writer.start()
    reads = 0
    while writer.is_alive() or reads == 0:
        table = lake().read(KEY)
        assert len(table) == 50_000
        assert table["n"].nunique() == 1
        reads += 1
    writer.join()
    assert writer.exitcode == 0
    assert set(lake().read(KEY)["n"]) == {29}


def test_a_failed_write_leaves_nothing_and_old_leftovers_go(lake, tmp_path, monkeypatch):
    folder = tmp_path / "lake/restricted/cases"
    lake().write(KEY, records())
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        lake().write(KEY, records(9))
    monkeypatch.undo()
    assert [path.name for path in folder.iterdir()] == ["records.parquet"]
    assert len(lake().read(KEY)) == 3
    old, new = folder / ".records.parquet.1.aa.tmp", folder / ".records.parquet.2.bb.tmp"
    for path in (old, new):
        path.write_bytes(b"")
    os.utime(old, (0, 0))
    lake().write(KEY, records())
    assert not old.exists()
    assert new.exists(), "another process may still be writing it"


def test_what_is_no_table_is_refused_by_name(lake):
    with pytest.raises(
        LakeError, match=r"cases/records cannot be stored: Column 'name' \(object holding int, str\)"
    ) as problem:
        lake().write(KEY, pd.DataFrame({"name": pd.Series([SECRET, 1], dtype=object)}))
    assert SECRET not in str(problem.value)


@pytest.mark.parametrize(
    ("zone", "base", "says"),
    [
        ("secret", "/lake", "no zone"),
        ("released", "relative/lake", "absolute folder or an object store"),
        ("released", "sftp://host/lake", "absolute folder or an object store"),
        ("released", "http://host/lake", "absolute folder or an object store"),
        ("released", "s3://user:password@bucket/lake", "environment variables"),
        ("restricted", "s3://bucket/lake", "must be encrypted"),
        ("restricted", "memory://lake", "must be encrypted"),
    ],
)
def test_addresses_that_cannot_hold_a_lake_are_refused(tmp_path, zone, base, says):
    with pytest.raises(LakeError, match=says) as problem:
        ZoneFiles(zone, base, tmp_path / "lake.key", False)
    assert "password" not in str(problem.value)


def test_a_container_in_an_address_is_no_password(tmp_path):
    base = "abfs://container@account.dfs.core.windows.net/lake"
    assert ZoneFiles("restricted", base, tmp_path / "lake.key", True).remote


def test_encryption_can_be_chosen_either_way_on_a_disk_of_its_own(lake, tmp_path):
    lake(encrypted=False).write(KEY, records())
    assert SECRET.encode() in everything_below(tmp_path / "lake")
    assert mode(tmp_path / "lake/restricted/cases/records.parquet") == 0o600
    lake(encrypted=True).write(KEY, records(4))
    assert len(lake(encrypted=False).read(KEY)) == 4, "what was encrypted before still opens"
    lake("public", encrypted=True).write(KEY, records())
    assert SECRET.encode() not in everything_below(tmp_path / "lake/public")
    assert len(lake("public", encrypted=True).read(KEY)) == 3
