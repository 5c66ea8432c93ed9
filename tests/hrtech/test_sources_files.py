"""Fingerprints follow content, and a file that changes while it is read is refused."""

import hashlib
import hmac
import os
import shutil

import pandas as pd
import pytest
from upath import UPath

from hrtech.sources import ColumnSpec, SourceError, fingerprint, read_source
from hrtech.sources import read as reading

KEY = b"0123456789abcdef"
COLUMNS = [ColumnSpec("age", "number")]


def test_the_fingerprint_by_hand(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_bytes(b"age\n1\n")
    of_file = hmac.new(KEY, b"age\n1\n" + (6).to_bytes(8, "big"), hashlib.sha256).digest()
    by_hand = hmac.new(KEY, b"hrtech.sources.fingerprint/1" + of_file, hashlib.sha256).hexdigest()
    assert fingerprint(path, KEY) == by_hand


def test_the_fingerprint_follows_content_alone(tmp_path):
    path, copy = tmp_path / "cases.csv", tmp_path / "copy.csv"
    path.write_text("age\n1\n")
    first = fingerprint(path, KEY)
    os.utime(path, (1, 1))
    shutil.copy(path, copy)
    assert fingerprint(path, KEY) == fingerprint(copy, KEY) == first
    assert fingerprint(path, b"another key of 16") != first
    path.write_text("age\n2\n")
    assert fingerprint(path, KEY) != first
    memory = UPath("memory://fingerprints/cases.csv")
    memory.parent.mkdir(parents=True, exist_ok=True)
    memory.write_text("age\n1\n")
    assert fingerprint(memory, KEY) == first


def test_the_fingerprint_of_a_folder_tells_its_files_apart(tmp_path):
    def of(**files):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        for name, text in files.items():
            (folder / f"{name}.csv").write_text(text)
        return fingerprint(folder, KEY)

    assert of(a="x", b="y") == of(a="x", c="y")
    assert (
        len({of(a="x", b="y"), of(a="y", b="x"), of(a="xy"), of(a="x", b="y", c="z"), of(a="x", b="yz")}) == 5
    )


def test_a_fingerprint_needs_a_key_and_a_file(tmp_path):
    with pytest.raises(ValueError, match="at least 16 bytes"):
        fingerprint(tmp_path, b"short")
    with pytest.raises(SourceError, match="there is no such file or folder"):
        fingerprint(tmp_path / "none.csv", KEY)


def append(path):
    with path.open("a") as stream:
        stream.write("4\n")


def rewrite_unnoticed(path):
    """Same size and time: only the content tells."""
    before = path.stat()
    path.write_text(path.read_text().replace("1", "9"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(path):
    other = path.with_name("other.tmp")
    other.write_text("age\n1\n2\nx\n")
    other.replace(path)


def break_it(path):
    path.write_text("age\n1\n2,")


@pytest.mark.parametrize("change", [append, rewrite_unnoticed, replace, break_it, os.remove])
def test_a_file_that_changes_while_it_is_read(change, tmp_path, monkeypatch):
    path = tmp_path / "cases.csv"
    path.write_text("age\n1\n2\n")
    unhurried = reading.open_part

    def open_slowly(*arguments):
        part = unhurried(*arguments)
        change(path)
        return part

    monkeypatch.setattr(reading, "open_part", open_slowly)
    with pytest.raises(SourceError) as raised:
        read_source(path, columns=COLUMNS)
    assert str(raised.value) == (
        f"{path}: the file changed while it was read. Wait until whoever writes it is done, and have it written under "
        "another name and then renamed [setting: source]"
    )


def test_half_a_file_is_called_changed_rather_than_wrong(tmp_path, monkeypatch):
    path = tmp_path / "cases.csv"
    path.write_text("age\n1\nhal")
    unhurried = reading.type_columns

    def type_slowly(*arguments):
        append(path)
        return unhurried(*arguments)

    monkeypatch.setattr(reading, "type_columns", type_slowly)
    with pytest.raises(SourceError, match="the file changed while it was read"):
        read_source(path, columns=COLUMNS)


def test_a_change_on_another_file_system(monkeypatch):
    path = UPath("memory://changing/cases.csv")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("age\n1\n2\n")
    unhurried = reading.open_part

    def open_slowly(*arguments):
        part = unhurried(*arguments)
        path.write_text("age\n1\n2\n3\n")
        return part

    monkeypatch.setattr(reading, "open_part", open_slowly)
    with pytest.raises(SourceError, match="the file changed while it was read"):
        read_source(path, columns=COLUMNS)


def test_a_file_without_permission_is_named(tmp_path, monkeypatch):
    path = tmp_path / "cases.csv"
    path.write_text("age\n1\n")

    def refuse(self):
        raise PermissionError("no")

    monkeypatch.setattr(type(UPath(path)), "read_bytes", refuse)
    with pytest.raises(SourceError) as raised:
        read_source(path, columns=COLUMNS)
    assert str(raised.value) == (
        f"{path}: the file cannot be read (PermissionError). Check that it is there and may be read"
    )


def test_an_unchanged_file_is_read(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text("age\n1\n2\n")
    expected = pd.DataFrame({"age": pd.Series([1, 2], dtype="Int64")})
    pd.testing.assert_frame_equal(read_source(path, columns=COLUMNS), expected)
