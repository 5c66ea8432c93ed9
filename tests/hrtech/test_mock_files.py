"""Tables of the mock world written as files, and read back as a study would."""

import csv

import pandas as pd
import pytest

from hrtech.mock import TABLE_COLUMNS, generate_world, write_files
from hrtech.sources import ColumnSpec, read_source


@pytest.fixture(scope="module")
def tables():
    return generate_world("tiny", 3).tables


def _columns(table):
    return [
        ColumnSpec(name, meaning.role, separator=";" if meaning.role == "multi_valued" else None)
        for name, meaning in TABLE_COLUMNS[table].items()
    ]


@pytest.mark.parametrize("varied", [False, True])
def test_case_records_come_as_one_file_for_each_organisation(tables, tmp_path, varied):
    listing = write_files({"case_records": tables["case_records"]}, tmp_path, varied=varied)
    assert listing["rows"].sum() == len(tables["case_records"])
    assert listing["path"].tolist() == [
        "case_records/harbour_line.csv",
        "case_records/labour_rights_centre.csv",
        "case_records/northern_casework_network.csv",
        "case_records/open_door_shelter.csv",
    ]
    assert (listing["delimiter"].nunique() > 1) == varied
    for row in listing.itertuples():
        with (tmp_path / row.path).open(encoding=row.encoding, newline="") as file:
            header, *rows = csv.reader(file, delimiter=row.delimiter)
        assert header == list(TABLE_COLUMNS["case_records"])
        assert len(rows) == row.rows


def test_what_is_written_reads_back(tables, tmp_path):
    write_files(tables, tmp_path)
    records = tables["case_records"].sort_values("record_id").reset_index(drop=True)
    read = read_source(tmp_path / "case_records", columns=_columns("case_records"), format="csv")
    read = read.sort_values("record_id").reset_index(drop=True)
    for column, meaning in TABLE_COLUMNS["case_records"].items():
        if meaning.role == "multi_valued":
            # CSV has no word for known none
            before = [list(cell) if cell is not pd.NA and len(cell) else None for cell in records[column]]
            assert [None if cell is pd.NA else list(cell) for cell in read[column]] == before
        else:
            pd.testing.assert_series_equal(read[column], records[column], check_dtype=False)


def test_the_same_world_writes_the_same_bytes(tables, tmp_path):
    for folder in ("a", "b"):
        listing = write_files(tables, tmp_path / folder)
    again = generate_world("tiny", 3).tables
    write_files(again, tmp_path / "a")
    for path in listing["path"]:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()


def test_nothing_to_write(tmp_path):
    assert len(write_files({}, tmp_path)) == 0
