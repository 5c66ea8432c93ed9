"""Drafts of declarations hold roles, and nothing that a record says."""

import csv
import random
import string

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hrtech.sources import ColumnSpec, SourceError, read_source, suggest_columns


@pytest.fixture
def records(tmp_path):
    """Sixty case records of every shape."""
    choose = random.Random(7)
    path = tmp_path / "cases.csv"
    rows = []
    for position in range(60):
        rows.append(
            {
                "case_id": f"C{position:04d}",
                "serial": 1000 + position,
                "fullName": choose.choice(["Ana Ruiz", "Bo Li"]),
                "birth_date": "2001-01-01",
                "contact": f"person{position}@example.org",
                "sex": choose.choice(["F", "M", ""]),
                "age": choose.randint(5, 70),
                "score": f"{choose.random() * 100:.2f}",
                "price": f"{choose.randint(1, 99)},{choose.randint(10, 99)}",
                "trafficked": choose.choice(["0", "1"]),
                "forms": choose.choice(["labour;sexual", "labour", "", "sexual;other"]),
                "routes": choose.choice(["a|b", "a", "b|c"]),
                "registered": f"2024-{choose.randint(1, 12):02d}-{choose.randint(1, 28):02d}",
                "reported": f"{choose.randint(13, 28)}/{choose.randint(1, 12):02d}/2024",
                "either": f"{choose.randint(1, 12):02d}/{choose.randint(1, 12):02d}/2024",
                "quarter": choose.choice(["2024-Q1", "2024-Q2"]),
                "story": "".join(choose.choices(string.ascii_lowercase + " ", k=120)),
                "code": "".join(choose.choices(string.ascii_uppercase, k=10)),
                "nothing": "",
            }
        )
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_roles_by_name_and_shape(records):
    drafted = {spec.name: spec for spec in suggest_columns(records)}
    assert {name: spec.role for name, spec in drafted.items()} == {
        "case_id": "leave_out",
        "serial": "leave_out",
        "fullName": "leave_out",
        "birth_date": "leave_out",
        "contact": "leave_out",
        "sex": "category",
        "age": "number",
        "score": "number",
        "price": "number",
        "trafficked": "category",
        "forms": "multi_valued",
        "routes": "multi_valued",
        "registered": "date",
        "reported": "date",
        "either": "date",
        "quarter": "category",
        "story": "leave_out",
        "code": "leave_out",
        "nothing": "leave_out",
    }
    assert (drafted["forms"].separator, drafted["routes"].separator) == (";", "|")
    assert (drafted["registered"].date_format, drafted["reported"].date_format) == (None, "%d/%m/%Y")
    assert drafted["either"].date_format is None  # day or month first: a person must say
    assert (drafted["price"].decimal, drafted["score"].decimal) == (",", ".")


def test_a_draft_that_is_complete_can_be_read(records):
    drafted = [spec for spec in suggest_columns(records) if spec.name != "either"]
    frame = read_source(records, columns=drafted)
    assert len(frame) == 60
    assert frame["price"].dtype == "Float64"


def test_drafts_hold_no_word_and_no_range(records):
    for spec in suggest_columns(records):
        assert spec == ColumnSpec(
            spec.name,
            spec.role,
            separator=spec.separator,
            date_format=spec.date_format,
            decimal=spec.decimal,
        )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cells=st.lists(st.text(st.characters(codec="ascii", exclude_categories=("Cc",)), max_size=12), min_size=1)
)
def test_no_cell_is_ever_in_a_draft(cells, tmp_path):
    path = tmp_path / "cases.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream, quoting=csv.QUOTE_ALL).writerows(
            [("column_one", "column_two"), *[(c, "k") for c in cells]]
        )
    try:
        drafted = suggest_columns(path)
    except SourceError as error:
        assert "looks like a record" in str(error)
        return
    spec = drafted[0]
    assert (spec.name, spec.values, spec.bands, spec.blank, spec.rename) == (
        "column_one",
        None,
        None,
        (),
        None,
    )
    assert spec.separator in (None, ";", "|")


def test_typed_columns_are_taken_at_their_word(tmp_path):
    path = tmp_path / "cases.parquet"
    pd.DataFrame(
        {
            "age": [1, 2, 3, 3],
            "share": [0.1, 0.2, 0.3, 0.3],
            "yes": [True, False, True, True],
            "day": pd.to_datetime(["2024-01-01"] * 4),
            "forms": pd.Series(pd.arrays.ArrowExtensionArray(pa.array([["a"], [], None, ["b"]]))),
            "odd": [b"1", b"2", b"3", b"3"],
        }
    ).to_parquet(path)
    roles = {spec.name: spec.role for spec in suggest_columns(path)}
    assert roles == {
        **{"age": "number", "share": "number", "yes": "category"},
        **{"day": "date", "forms": "multi_valued", "odd": "leave_out"},
    }


def test_repeated_names_are_refused_without_repeating_them(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text("Ruiz,Ruiz\nx,y\n")
    with pytest.raises(SourceError) as raised:
        suggest_columns(path)
    assert "columns 1 and 2 have the same name" in str(raised.value)
    assert "Ruiz" not in str(raised.value)


def test_only_the_first_records_are_looked_at(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text("level,x\n" + "1,a\n2,b\n3,a\n" * 10 + "high,a\n" * 50)
    assert suggest_columns(path, limit=30)[0].role == "number"
    assert suggest_columns(path)[0].role == "category"
