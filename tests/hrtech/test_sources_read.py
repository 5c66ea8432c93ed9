"""The same records, however they are written, become the same typed table."""

import csv
import io
import json
from datetime import datetime

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from upath import UPath

from hrtech.sources import ColumnSpec, SourceError, conform, read_source

LIST = pd.ArrowDtype(pa.list_(pa.string()))
COLUMNS = (
    ColumnSpec("case", "identifier", unique=True),
    ColumnSpec("sex", "category", values=("F", "M"), blank=("unknown",)),
    ColumnSpec("age", "number", bands=(18, 65), rename="age_band"),
    ColumnSpec("weight", "number"),
    ColumnSpec("children", "number"),
    ColumnSpec("forms", "multi_valued", separator=";"),
    ColumnSpec("day", "date"),
    ColumnSpec("note", "text"),
    ColumnSpec("phone", "leave_out"),
)
HEADER = ["case", "sex", "age", "weight", "children", "forms", "day", "note", "phone", "town"]
ROWS = [
    ["001", "F", "17", "50.5", "0", "labour;sexual", "2024-01-31", "a, b", "1", "x"],
    ["002", " M ", "18", "1e2", "+2", " sexual ; ;labour;labour", "2024-02-29", 'say "hi"', "2", "x"],
    ["003", "unknown", "", "", "", ";", "", "", "3", "x"],
    ["004", "", "65", "-3", "-1", "", "2024-03-01", "line\nbreak", "4", "x"],
]


def expected() -> pd.DataFrame:
    lists = pa.array([["labour", "sexual"], ["labour", "sexual"], None, None], pa.list_(pa.string()))
    return pd.DataFrame(
        {
            "case": pd.Series(["001", "002", "003", "004"], dtype="str"),
            "sex": pd.Series(["F", "M", np.nan, np.nan], dtype="str"),
            "age_band": pd.Series(["under 18", "18–64", np.nan, "65+"], dtype="str"),
            "weight": pd.Series([50.5, 100.0, pd.NA, -3.0], dtype="Float64"),
            "children": pd.Series([0, 2, pd.NA, -1], dtype="Int64"),
            "forms": pd.Series(pd.arrays.ArrowExtensionArray(lists)),
            "day": pd.to_datetime(["2024-01-31", "2024-02-29", None, "2024-03-01"]).as_unit("us"),
            "note": pd.Series(["a, b", 'say "hi"', np.nan, "line\nbreak"], dtype="str"),
        }
    )


def delimited(delimiter=",", end="\n", rows=ROWS, header=HEADER) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, lineterminator=end).writerows([header, *rows])
    return buffer.getvalue()


def check(path, **options):
    pd.testing.assert_frame_equal(read_source(path, columns=COLUMNS, **options), expected())


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_csv_in_every_dress_is_found_out(delimiter, end, encoding, tmp_path):
    path = tmp_path / "cases.csv"
    path.write_bytes(delimited(delimiter, end).encode(encoding))
    check(path)


def test_tsv(tmp_path):
    path = tmp_path / "cases.tsv"
    path.write_text(delimited("\t"))
    check(path)


def test_declared_delimiter_and_encoding(tmp_path):
    path = tmp_path / "cases.data"
    path.write_bytes(delimited("~").replace("line", "líne").encode("cp1252"))
    frame = read_source(path, columns=COLUMNS, format="csv", delimiter="~", encoding="cp1252")
    assert frame["note"][3] == "líne\nbreak"


def test_an_encoding_is_only_assumed_when_one_answer_is_left(tmp_path):
    path = tmp_path / "cases.csv"
    arabic = "case,city\nمحمد علي,القاهرة\nفاطمة حسن,الإسكندرية\n"
    path.write_bytes(arabic.encode("cp1256"))
    frame = read_source(path, columns=[ColumnSpec("city", "category")])
    assert frame["city"].tolist() == ["القاهرة", "الإسكندرية"]
    path.write_bytes("case,city\nŁukasz,Łódź\nŚwięta Gęś,Gdańsk\n".encode("cp1250"))
    with pytest.raises(SourceError, match=r"row 2: these bytes are not UTF-8\. .* It may be .*cp1250"):
        read_source(path, columns=[ColumnSpec("city", "category")])


def test_json_lines(tmp_path):
    path = tmp_path / "cases.jsonl"
    records = []
    for row in ROWS:
        record = dict(zip(HEADER, row, strict=True))
        for name in ("age", "weight", "children"):
            record[name] = float(record[name]) if record[name] else None
        if float(record["age"] or 0).is_integer() and record["children"] is not None:
            record["children"] = int(record["children"])
        items = [item for item in record["forms"].split(";") if item.strip()]
        record["forms"] = items or None
        records.append({name: value for name, value in record.items() if value is not None})
    path.write_text("\n\n".join(json.dumps(record) for record in records))
    check(path)


def test_a_list_in_json_may_be_known_to_be_empty(tmp_path):
    path = tmp_path / "cases.jsonl"
    path.write_text(
        '{"forms": []}\n{"forms": ["b", "a", "b"]}\n{"forms": null}\n{"forms": [" "]}\n{"forms": ""}\n'
    )
    frame = read_source(path, columns=[ColumnSpec("forms", "multi_valued")])
    assert frame["forms"].array._pa_array.to_pylist() == [[], ["a", "b"], None, None, None]


def test_json_keeps_numbers_as_written(tmp_path):
    path = tmp_path / "cases.jsonl"
    path.write_text('{"code": 1.50, "yes": true}\n{"code": 12345678901234567890, "yes": false}\n')
    columns = [ColumnSpec("code", "identifier"), ColumnSpec("yes", "category")]
    frame = read_source(path, columns=columns)
    assert frame["code"].tolist() == ["1.50", "12345678901234567890"]
    assert frame["yes"].tolist() == ["true", "false"]


def test_parquet_of_text(tmp_path):
    path = tmp_path / "cases.parquet"
    pd.DataFrame(ROWS, columns=HEADER).to_parquet(path)
    check(path)


def test_parquet_of_typed_columns(tmp_path):
    path = tmp_path / "cases.parquet"
    typed = expected().drop(columns="age_band")
    typed["age"] = pd.Series([17, 18, None, 65], dtype="Int64")
    typed["sex"] = typed["sex"].astype("category")
    typed.to_parquet(path)
    check(path)


def test_excel(tmp_path):
    path = tmp_path / "cases.xlsx"
    book = openpyxl.Workbook()
    book.active.append(HEADER)
    for row in ROWS:
        cells = list(row)
        for place in (2, 3, 4):
            cells[place] = float(cells[place]) if cells[place] else None
        cells[6] = datetime.fromisoformat(cells[6]) if cells[6] else None
        book.active.append(cells)
        book.active.append([])
    book.save(path)
    check(path)


def test_excel_reads_dates_alike_whether_typed_or_written(tmp_path):
    path = tmp_path / "cases.xlsx"
    book = openpyxl.Workbook()
    for row in (["day", "code"], [datetime(2024, 1, 31), 12], ["31/01/2024", "12a"]):
        book.active.append(row)

    book.save(path)
    columns = [ColumnSpec("day", "date", date_format="%d/%m/%Y"), ColumnSpec("code", "identifier")]
    frame = read_source(path, columns=columns)
    assert frame["day"].dt.strftime("%Y-%m-%d").tolist() == ["2024-01-31", "2024-01-31"]
    assert frame["code"].tolist() == ["12", "12a"]


def test_a_folder_is_read_in_the_order_of_names(tmp_path):
    for position, row in enumerate(ROWS):
        shuffled = (
            [HEADER.index(name) for name in sorted(HEADER)] if position % 2 else list(range(len(HEADER)))
        )
        text = delimited(rows=[[row[i] for i in shuffled]], header=[HEADER[i] for i in shuffled])
        (tmp_path / f"part_{position}.csv").write_text(text)
    (tmp_path / "README.md").write_text("not a table")
    (tmp_path / ".hidden.csv").write_text("nor this")
    (tmp_path / "~$lock.xlsx").write_text("nor this")
    check(tmp_path)
    check(tmp_path / "part_*.csv")
    check(str(tmp_path / "part_[0-9].csv"))
    check(f"file://{tmp_path}")


def test_a_file_whose_name_looks_like_a_glob(tmp_path):
    path = tmp_path / "cases[1].csv"
    path.write_text(delimited())
    check(path)


def test_other_file_systems():
    folder = UPath("memory://sources_read")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cases.csv").write_text(delimited())
    check(folder / "cases.csv")
    check("memory://sources_read")
    check("memory://sources_read/*.csv")


def test_blank_words_hold_for_items_too(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text("forms\na;unknown\nunknown\nunknown;unknown\nb\n")
    spec = ColumnSpec("forms", "multi_valued", separator=";", blank=("unknown",), values=("a", "b"))
    frame = read_source(path, columns=[spec])
    assert frame["forms"].array._pa_array.to_pylist() == [["a"], None, None, ["b"]]


def test_columns_that_are_left_out_are_not_loaded(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text("a,b,c\n1,2,3\n")
    frame = read_source(
        path, columns=[ColumnSpec("c", "number"), ColumnSpec("b", "leave_out"), ColumnSpec("a", "text")]
    )
    assert list(frame.columns) == ["c", "a"]


def test_declarations_must_agree_with_one_another(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(SourceError, match="no column is declared to be read"):
        read_source(path, columns=[ColumnSpec("a", "leave_out")])
    with pytest.raises(SourceError, match="column 'a': 2 declared columns have this name"):
        read_source(path, columns=[ColumnSpec("a", "text"), ColumnSpec("a", "number")])
    with pytest.raises(SourceError, match="column 'b': 2 declared columns have this name"):
        read_source(path, columns=[ColumnSpec("a", "text", rename="b"), ColumnSpec("b", "number")])


@pytest.mark.parametrize(
    ("cells", "decimal", "numbers", "dtype"),
    [
        (["1", "2"], ".", [1, 2], "Int64"),
        (["1", "2.0"], ".", [1.0, 2.0], "Float64"),
        (["", " 7 "], ".", [pd.NA, 7], "Int64"),
        (["-.5", "3."], ".", [-0.5, 3.0], "Float64"),
        (["3,5", "-1"], ",", [3.5, -1.0], "Float64"),
        (["999999999999999999", ""], ".", [999999999999999999, pd.NA], "Int64"),
    ],
)
def test_numbers(cells, decimal, numbers, dtype, tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text("n;x\n" + "".join(f"{cell};1\n" for cell in cells))
    frame = read_source(path, columns=[ColumnSpec("n", "number", decimal=decimal)])
    pd.testing.assert_series_equal(frame["n"], pd.Series(numbers, dtype=dtype, name="n"))


@pytest.mark.parametrize(
    "cell", ["1,000", "1_000", "0x10", "nan", "inf", "NaN", "1.2.3", "٣", "1 000", "--1", "1e"]
)
def test_what_is_no_number(cell, tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text(f"n;x\n{cell};1\n")
    with pytest.raises(SourceError, match=r"row 2, column 'n': the cell is not a number"):
        read_source(path, columns=[ColumnSpec("n", "number")])


@pytest.mark.parametrize(
    ("cell", "written", "moment"),
    [
        ("2024-02-29", None, "2024-02-29"),
        ("2024-02-29T10:30", None, "2024-02-29 10:30"),
        ("2024-02-29 10:30:15.5", None, "2024-02-29 10:30:15.5"),
        ("2024-02-29T10:30:00+02:00", None, "2024-02-29 08:30"),
        ("2024-02-29T10:30:00Z", None, "2024-02-29 10:30"),
        ("1899-12-31", None, "1899-12-31"),
        ("29.02.2024", "%d.%m.%Y", "2024-02-29"),
        ("2024-02", "%Y-%m", "2024-02-01"),
        ("29 February 2024", "%d %B %Y", "2024-02-29"),
        ("2024-02-29 10:00 +0200", "%Y-%m-%d %H:%M %z", "2024-02-29 08:00"),
    ],
)
def test_dates(cell, written, moment, tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text(f"d,x\n{cell},1\n,1\n")
    frame = read_source(path, columns=[ColumnSpec("d", "date", date_format=written)])
    assert frame["d"].dtype == "datetime64[us]"
    assert frame["d"][0] == pd.Timestamp(moment)
    assert pd.isna(frame["d"][1])


@pytest.mark.parametrize(
    "cell", ["2024", "2024-02", "20240229", "2024-2-9", "29/02/2024", "2023-02-29", "2024-02-29T25:00"]
)
def test_what_is_no_iso_date(cell, tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text(f"d,x\n2024-01-01,1\n{cell},1\n")
    with pytest.raises(SourceError, match=r"row 3, column 'd': the cell is not an ISO date"):
        read_source(path, columns=[ColumnSpec("d", "date")])


def test_conforming_a_table_that_was_read_changes_nothing():
    columns = [spec for spec in COLUMNS if spec.name not in ("age", "phone")]
    columns.append(ColumnSpec("age_band", "category", values=("under 18", "18–64", "65+")))
    table = expected()[[spec.name for spec in columns]]
    pd.testing.assert_frame_equal(conform(table, columns, source="study/cases"), table)


def test_conform_types_what_frames_hold():
    frame = pd.DataFrame(
        {
            "flag": [True, False],
            "score": [1.0, np.nan],
            "day": pd.to_datetime(["2024-01-01T10:00+02:00", None], utc=True),
            "kind": pd.Categorical(["a", None]),
            "year": [2024, 2025],
            "lists": [["b", "a"], None],
            "tuples": [("b", None), ()],
            "objects": pd.Series(["x", pd.NA], dtype=object),
        },
        index=["r1", "r2"],
    )
    columns = [
        ColumnSpec("flag", "category"),
        ColumnSpec("score", "number"),
        ColumnSpec("day", "date"),
        ColumnSpec("kind", "category"),
        ColumnSpec("year", "category"),
        ColumnSpec("lists", "multi_valued"),
        ColumnSpec("tuples", "multi_valued"),
        ColumnSpec("objects", "text"),
    ]
    made = conform(frame, columns, source="study/cases")
    assert list(made.index) == [0, 1]
    assert made["flag"].tolist() == ["true", "false"]
    assert made["score"].tolist() == [1.0, pd.NA]
    assert made["day"][0] == pd.Timestamp("2024-01-01 08:00")
    assert made["year"].tolist() == ["2024", "2025"]
    assert made["lists"].array._pa_array.to_pylist() == [["a", "b"], None]
    assert made["tuples"].array._pa_array.to_pylist() == [["b"], []]
    assert made["lists"].dtype == made["tuples"].dtype == LIST
    assert {str(made[name].dtype) for name in ("flag", "kind", "year", "objects")} == {"str"}
    flags = conform(frame, [ColumnSpec("flag", "number")], source="study/cases")
    assert flags["flag"].tolist() == [1, 0]


def test_an_upstream_table_may_be_empty():
    frame = pd.DataFrame({"a": [], "b": [], "d": [], "n": []}, dtype="str")
    columns = [ColumnSpec("a", "category", values=("x",)), ColumnSpec("b", "multi_valued", separator=";")]
    columns += [ColumnSpec("d", "date"), ColumnSpec("n", "number", bands=(1,))]
    made = conform(frame, columns, source="study/cases")
    assert len(made) == 0
    assert [str(dtype) for dtype in made.dtypes] == [
        "str",
        "list<item: string>[pyarrow]",
        "datetime64[us]",
        "str",
    ]


# --- round trips ----------------------------------------------------------------------------------------------

CELL = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")) | st.sampled_from('",;\n'), max_size=8
)
TABLE = st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=8)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=TABLE, delimiter=st.sampled_from([",", ";", "|"]), end=st.sampled_from(["\n", "\r\n"]))
def test_what_csv_writes_is_read(rows, delimiter, end, tmp_path):
    path = tmp_path / "cases.csv"
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([("first", "second", "third"), *rows])
    path.write_bytes(buffer.getvalue().encode("utf-8"))
    frame = read_source(path, columns=[ColumnSpec(name, "text") for name in ("first", "second", "third")])
    written = [[cell.strip() or None for cell in row] for row in rows]
    assert [[None if pd.isna(cell) else cell for cell in row] for row in frame.to_numpy()] == written


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.none() | st.lists(st.text("abcdéß ", min_size=1, max_size=4).filter(str.strip), max_size=4),
        min_size=1,
        max_size=8,
    )
)
def test_lists_read_alike_from_text_and_from_lists(rows, tmp_path):
    spec = ColumnSpec("forms", "multi_valued", separator=";")
    path = tmp_path / "cases.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("forms", "x"), *[(";".join(row or ()), "1") for row in rows]])
    from_text = read_source(path, columns=[spec])["forms"].array._pa_array.to_pylist()
    frame = pd.DataFrame(
        {"forms": pd.Series(pd.arrays.ArrowExtensionArray(pa.array(rows, pa.list_(pa.string()))))}
    )
    from_lists = conform(frame, [spec], source="study/cases")["forms"].array._pa_array.to_pylist()
    tidy = [None if row is None else sorted({word.strip() for word in row}) for row in rows]
    assert from_lists == tidy
    assert from_text == [row or None for row in tidy]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    numbers=st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8),
    days=st.lists(
        st.none() | st.datetimes(datetime(1678, 1, 1), datetime(2261, 1, 1)), min_size=8, max_size=8
    ),
)
def test_numbers_and_moments_survive(numbers, days, tmp_path):
    path = tmp_path / "cases.csv"
    days = days[: len(numbers)]
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["n", "d", "x"])
        for number, day in zip(numbers, days, strict=True):
            writer.writerow(
                ["" if number is None else repr(number), "" if day is None else day.isoformat(), "x"]
            )
    frame = read_source(path, columns=[ColumnSpec("n", "number"), ColumnSpec("d", "date")])
    assert [None if pd.isna(number) else number for number in frame["n"]] == numbers
    assert [None if pd.isna(day) else day.to_pydatetime() for day in frame["d"]] == days


@pytest.mark.parametrize("format", ["csv", "tsv", "jsonl", "parquet", "excel"])
def test_a_declared_format_needs_no_suffix(format, tmp_path):
    path = tmp_path / "cases"
    frame = pd.DataFrame({"age": [1, 2], "name": ["x", "y"]})
    if format == "excel":
        frame.to_excel(tmp_path / "cases.xlsx", index=False)
        (tmp_path / "cases.xlsx").rename(path)
    elif format == "parquet":
        frame.to_parquet(path)
    elif format == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False, sep="\t" if format == "tsv" else ",")
    columns = [ColumnSpec("age", "number"), ColumnSpec("name", "text")]
    assert read_source(path, columns=columns, format=format)["age"].tolist() == [1, 2]
