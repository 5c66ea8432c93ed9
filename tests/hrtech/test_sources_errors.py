"""Every bad file gives one clear error, and none repeats what a cell says."""

import csv
import io
import json
import pickle
import traceback
import zipfile

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hrtech.sources import ColumnSpec, SourceError, conform, read_source, suggest_columns

#: Stands in the cells of every bad file; put together so that no source line in a traceback shows it.
CANARY = "".join(["Zaph", "yra", "9931"])

NAME = ColumnSpec("name", "text")
AGE = ColumnSpec("age", "number")
DAY = ColumnSpec("day", "date")
SEX = ColumnSpec("sex", "category", values=("F", "M"))
TAGS = ColumnSpec("tags", "multi_valued", separator=";", values=("a", "b"))
CODE = ColumnSpec("code", "identifier", unique=True)
BLANK_MEND = "or list the word for unknown under `blank`"

# name: (content, columns, options, message after the file's path)
BAD_TEXT = {
    "empty": ("", [NAME], {}, ": the file is empty. Put the table there, header first"),
    "blank lines only": ("\n \n", [NAME], {}, ": the file is empty. Put the table there, header first"),
    "header only": ("name,age\n", [NAME], {}, ": there is a header but no row. Add the records"),
    "too many fields": (
        f"name,age\n{CANARY},1\n\n{CANARY},2,{CANARY}\n",
        [NAME],
        {},
        ", row 4: the row has 3 fields where the header has 2. Quote cells that contain the delimiter or a line "
        "break, and complete short rows [setting: delimiter]",
    ),
    "too few fields": (
        f'name,age\n"{CANARY}\n{CANARY}",1\n{CANARY}\n',
        [NAME],
        {},
        ", row 4: the row has 1 field where the header has 2. Quote cells that contain the delimiter or a line "
        "break, and complete short rows [setting: delimiter]",
    ),
    "open quote": (
        f'name,age\n{CANARY},1\n"{CANARY},2\n{CANARY},3\n',
        [NAME],
        {},
        ", row 3: a quotation mark opens in the record that begins here and is not closed as it should be. Write a "
        'quotation mark within a cell twice (""), and close each quoted cell',
    ),
    "stray quotes that would swallow a row": (
        f'name,age\nx,0\n"{CANARY},1\n{CANARY}" x,2\nx,3\n',
        [NAME],
        {},
        ", row 3: a quotation mark opens in the record that begins here and is not closed as it should be. Write a "
        'quotation mark within a cell twice (""), and close each quoted cell',
    ),
    "open quote at the end": (
        f'name,age\n{CANARY},1\nx,"2',
        [NAME],
        {},
        ", row 3: a quotation mark opens in the record that begins here and is not closed as it should be. Write a "
        'quotation mark within a cell twice (""), and close each quoted cell',
    ),
    "duplicate column": (
        f"name,age,name\n{CANARY},1,{CANARY}\n",
        [NAME],
        {},
        ", row 1, column 'name': columns 1 and 3 have the same name. Give each column a name of its own in the header",
    ),
    "duplicate column after blank lines": (
        f"\n\nname,age,name\n{CANARY},1,{CANARY}\n",
        [NAME],
        {},
        ", row 3, column 'name': columns 1 and 3 have the same name. Give each column a name of its own in the header",
    ),
    "open quote in the header": (
        f'name,"age\n{CANARY},1\n',
        [NAME, AGE],
        {},
        ", row 1: a quotation mark opens in the header and is not closed as it should be. Write a quotation mark "
        'within a name twice (""), and close each quoted name',
    ),
    "a header that swallowed records": (
        f'name,"ages\n{CANARY},1\n",x\nx,1,2\n',
        [NAME, AGE],
        {},
        ", column 'age': the declared column is missing. The file has 'name', a name of several lines, 'x' "
        "[setting: columns]",
    ),
    "unnamed column": (
        f"name,,age\n{CANARY},{CANARY},1\n",
        [NAME],
        {},
        ", row 1: column 2 has no name. Name it in the header",
    ),
    "missing column": (
        f"name,sex\n{CANARY},F\n",
        [NAME, DAY],
        {},
        ", column 'day': the declared column is missing. The file has 'name', 'sex' [setting: columns]",
    ),
    "misspelt column": (
        f"Name,sex\n{CANARY},F\n",
        [NAME],
        {},
        ", column 'name': the declared column is missing. Did you mean 'Name'? Names must agree letter by letter "
        "[setting: columns]",
    ),
    "no header": (
        f"{CANARY},{CANARY},3\n{CANARY}2,x,4\n",
        [NAME, AGE],
        {},
        ", column 'name': the declared column is missing. None of the declared columns is there: is the first row a "
        "header, and the delimiter right? [setting: delimiter]",
    ),
    "no header, repeated cells": (
        f"{CANARY},{CANARY},3\n{CANARY}2,x,4\n",
        [ColumnSpec("sex", "category")],
        {},
        ", column 'sex': the declared column is missing. None of the declared columns is there: is the first row a "
        "header, and the delimiter right? [setting: delimiter]",
    ),
    "wrong delimiter": (
        f"name,age\n{CANARY},1\n",
        [NAME, AGE],
        {"delimiter": ";"},
        ", column 'name': the declared column is missing. The header has a single column, so the delimiter may be "
        "another [setting: delimiter]",
    ),
    "undeclared column": (
        f"name,age\n{CANARY},1\n",
        [NAME],
        {"undeclared": "error"},
        ": the file has columns that are not declared: 'age'. Declare them (role leave_out keeps them out), or set "
        "`undeclared: leave_out` [setting: undeclared]",
    ),
    "not a number": (
        f'name,age\n"x\ny",1\n\nx,{CANARY}\nx,{CANARY}\n',
        [NAME, AGE],
        {},
        ", row 5, column 'age': the cell is not a number (2 cells in all). Write digits with a decimal point and no "
        f"thousands separator (setting `decimal`), {BLANK_MEND} [setting: columns.age.role]",
    ),
    "a number too long": (
        "age\n1\n12345678901234567890\n",
        [AGE],
        {},
        ", row 3, column 'age': the number has more than 18 digits, which would be rounded. Declare the role "
        "identifier if it is a code [setting: columns.age.role]",
    ),
    "an infinite number": (
        "age\n1\n1e999\n",
        [AGE],
        {},
        ", row 3, column 'age': the number is infinite or too large. Correct it, or leave it blank if it is unknown "
        "[setting: columns.age.role]",
    ),
    "not a date": (
        f"day\n2020-01-01\n\n{CANARY}\n",
        [DAY],
        {},
        ", row 4, column 'day': the cell is not an ISO date. Correct the cell, declare how dates are written (such as "
        f"%d/%m/%Y), {BLANK_MEND} [setting: columns.day.date_format]",
    ),
    "no such day": (
        "day,x\n2020-02-30,1\n",
        [DAY],
        {},
        ", row 2, column 'day': the cell is not an ISO date. Correct the cell, declare how dates are written (such as "
        f"%d/%m/%Y), {BLANK_MEND} [setting: columns.day.date_format]",
    ),
    "another date format": (
        "day,x\n31/12/2020,1\n12/31/2020,1\n",
        [ColumnSpec("day", "date", date_format="%d/%m/%Y")],
        {},
        ", row 3, column 'day': the cell is not a date in the declared format. Correct the cell, declare how dates "
        f"are written (such as %d/%m/%Y), {BLANK_MEND} [setting: columns.day.date_format]",
    ),
    "a value not declared": (
        f"sex,x\nF,1\n{CANARY},1\nf,1\nM,1\n",
        [SEX],
        {},
        ", row 3, column 'sex': the cell is not one of the 2 declared values (2 cells in all). Correct the cell, "
        "complete the values, or list a word for unknown under `blank`. 1 cell would be, but for upper and lower "
        "case [setting: columns.sex.values]",
    ),
    "an item not declared": (
        f"tags,x\na;b,1\n b ; {CANARY},1\n",
        [TAGS],
        {},
        ", row 3, column 'tags': an item of the cell is not one of the 2 declared values. Correct the cell or its "
        "separator, complete the values, or list a word for unknown under `blank` [setting: columns.tags.values]",
    ),
    "no separator": (
        f"tags,x\n{CANARY},1\n",
        [ColumnSpec("tags", "multi_valued")],
        {},
        ", column 'tags': no separator is declared for a multi-valued column of text. Name what stands between two "
        "items, such as ';' [setting: columns.tags.separator]",
    ),
    "a duplicate": (
        f"code\n{CANARY}\nx\n{CANARY}\n",
        [CODE],
        {},
        ", row 4, column 'code': the value stands in an earlier row already, and the column is declared unique. "
        "Remove the duplicate, or drop `unique` [setting: columns.code.unique]",
    ),
    "zero bytes": (
        f"name\n{CANARY}\0\n",
        [NAME],
        {},
        ": there are zero bytes in it, which no text has. Declare the encoding (utf-16 is usual then), or correct "
        "the format [setting: encoding]",
    ),
    "unknown encoding": (
        f"name\n{CANARY}\n",
        [NAME],
        {"encoding": "utf-9"},
        ": encoding 'utf-9' is unknown. Use the name of a Python codec, such as utf-8, cp1252 or utf-16 "
        "[setting: encoding]",
    ),
    "an encoding that is not of text": (
        f"name\n{CANARY}\n",
        [NAME],
        {"encoding": "base64"},
        ": encoding 'base64' is unknown. Use the name of a Python codec, such as utf-8, cp1252 or utf-16 "
        "[setting: encoding]",
    ),
    "a delimiter of two characters": (
        f"name\n{CANARY}\n",
        [NAME],
        {"delimiter": "||"},
        ": the delimiter must be one plain character. Write ',' or ';' or '|', or \"\\t\" for a tab "
        "[setting: delimiter]",
    ),
}


def failure(path, columns, **options) -> SourceError:
    with pytest.raises(SourceError) as raised:
        read_source(path, columns=columns, **options)
    told = [str(raised.value), repr(raised.value), *traceback.format_exception(raised.value)]
    assert not any(CANARY in line for line in told)
    context = raised.value.__context__
    assert context is None or CANARY not in str(context)
    return raised.value


@pytest.mark.parametrize("case", BAD_TEXT)
def test_bad_text_file(case, tmp_path):
    content, columns, options, expected = BAD_TEXT[case]
    path = tmp_path / "cases.csv"
    path.write_text(content, encoding="utf-8", newline="")
    error = failure(path, columns, **options)
    assert str(error) == f"{path}{expected}"


BAD_BYTES = {
    "not utf-8, several answers": (
        "name\nplain\nJosé Núñez\n".encode("cp1252"),
        None,
        ", row 3: these bytes are not UTF-8. ",
    ),
    "not the declared encoding": (
        "name\r\nplain\r\nsecond\r\nJosé\r\n".encode("cp1252"),
        "utf-8",
        ", row 4: these bytes are not utf-8. ",
    ),
    "not ascii": ("name\né\n".encode(), "ascii", ", row 2: these bytes are not ascii. "),
}


@pytest.mark.parametrize("case", BAD_BYTES)
def test_undecodable_bytes(case, tmp_path):
    content, encoding, expected = BAD_BYTES[case]
    path = tmp_path / "cases.csv"
    path.write_bytes(content)
    error = failure(path, [NAME], encoding=encoding)
    assert str(error).startswith(f"{path}{expected}")
    assert str(error).endswith("[setting: encoding]")
    assert "Jos" not in str(error)


# a double at-sign stands for the canary
BAD_JSON = {
    "not json": (
        ['{"name": "x"}', "", '{"name": "@@"'],
        ', row 3: this line is not valid JSON. Write one object a line, such as {"age": 30, "tags": ["a"]}',
    ),
    "not an object": (
        [json.dumps([CANARY])],
        ', row 1: this line is no JSON object. Write one object a line, such as {"age": 30, "tags": ["a"]}',
    ),
    "a key twice": (
        ['{"name": "@@", "name": "x"}'],
        ', row 1: this line names a key twice. Write one object a line, such as {"age": 30, "tags": ["a"]}',
    ),
    "not a number of JSON": (
        ['{"name": "@@", "age": NaN}'],
        ', row 1: this line is not valid JSON. Write one object a line, such as {"age": 30, "tags": ["a"]}',
    ),
    "mixed types": (
        ['{"name": "@@"}', '{"name": null}', '{"name": 5}'],
        ", row 3, column 'name': the column mixes types: number here, text in the rows before. Write the whole "
        "column as one type",
    ),
    "a nested object": (
        ['{"name": "x"}', '{"name": {"first": "@@"}}'],
        ", row 2, column 'name': the cell holds a nested object. Flatten it into columns, or into a list of words",
    ),
    "an object in a later list": (
        ['{"name": ["x"]}', '{"name": [{"first": "@@"}]}'],
        ", row 2, column 'name': the cell holds a nested object. Flatten it into columns, or into a list of words",
    ),
    "a list where one value is expected": (
        ['{"name": null}', '{"name": ["@@"]}'],
        ", row 2, column 'name': the cell is a list where role 'text' expects one value. Declare the role "
        "multi_valued [setting: columns.name.role]",
    ),
    "no record": (["", ""], ": the file holds no record. Write one JSON object a line"),
}


@pytest.mark.parametrize("case", BAD_JSON)
def test_bad_json_lines(case, tmp_path):
    lines, expected = BAD_JSON[case]
    path = tmp_path / "cases.jsonl"
    path.write_text("\n".join(lines).replace("@@", CANARY) + "\n")
    assert str(failure(path, [NAME])) == f"{path}{expected}"


def workbook(path, *rows, sheets=("Sheet",)):
    book = openpyxl.Workbook()
    for position, title in enumerate(sheets):
        sheet = book.active if position == 0 else book.create_sheet()
        sheet.title = title
        for row in rows:
            sheet.append(row)
    book.save(path)


BAD_SHEETS = {
    "empty": ([], ": the sheet is empty. Put the table there, header first [setting: sheet]"),
    "header only": ([["name", "age"]], ": there is a header but no row. Add the records [setting: sheet]"),
    "no name for a column": (
        [["name", None, "age"], [CANARY, CANARY, 3]],
        ", row 1: column 2 has no name in the header, or one that is no text. Name every column, in the first row of "
        "the sheet",
    ),
    "a cell beyond the header": (
        [["name", "age"], [], [CANARY, 3], ["x", 3, None, CANARY]],
        ", row 4: the row has a cell to the right of the header's last column. Name that column in the header, or "
        "clear the cell",
    ),
    "text in a number": (
        [["name", "age"], ["x", 3], [], ["x", CANARY]],
        ", row 4, column 'age': the cell is not a number. Write digits with a decimal point and no thousands "
        f"separator (setting `decimal`), {BLANK_MEND} [setting: columns.age.role]",
    ),
    "a spreadsheet error": (
        [["name", "age"], ["x", 3], ["#REF!", 4], [CANARY, 5]],
        ", row 3, column 'name': the spreadsheet holds an error instead of a value. Mend the formula, or list the "
        "error under this column's `blank` [setting: columns.name.blank]",
    ),
    "a date among words": (
        [["name", "age"], [CANARY, 3], [pd.Timestamp("2026-01-02"), 4]],
        ", row 3, column 'name': the column mixes types: date here, text in the rows before. Write the whole column "
        "as one type",
    ),
    "a formula without a result": (
        [["name", "age"], [CANARY, 3], ["x", "=B2+1"]],
        ", row 3: a formula has no stored result. Open the workbook, let it calculate, save it; or save the values "
        "as CSV",
    ),
}


@pytest.mark.parametrize("case", BAD_SHEETS)
def test_bad_workbook(case, tmp_path):
    rows, expected = BAD_SHEETS[case]
    path = tmp_path / "cases.xlsx"
    workbook(path, *rows)
    assert str(failure(path, [NAME, AGE])) == f"{path}{expected}"


def test_several_sheets(tmp_path):
    path = tmp_path / "cases.xlsx"
    workbook(path, ["name", "age"], ["x", 1], sheets=("2024", "2025"))
    assert str(failure(path, [NAME])) == (
        f"{path}: the workbook has several sheets. Declare one of '2024', '2025' [setting: sheet]"
    )
    assert str(failure(path, [NAME], sheet="2026")) == (
        f"{path}: there is no sheet '2026'. Declare one of '2024', '2025' [setting: sheet]"
    )
    assert len(read_source(path, columns=[NAME], sheet="2025")) == 1


@pytest.mark.parametrize("suffix", ["xlsx", "parquet"])
def test_broken_binary_file(suffix, tmp_path):
    path = tmp_path / f"cases.{suffix}"
    path.write_text(f"name\n{CANARY}\n")
    expected = {
        "xlsx": "the file is no .xlsx workbook, is broken, or has a password. Save it as .xlsx without a password, or "
        "as CSV [setting: format]",
        "parquet": "the file is not Parquet, or is broken. Write it again [setting: format]",
    }
    assert str(failure(path, [NAME])) == f"{path}: {expected[suffix]}"


def test_parquet_names_the_record(tmp_path):
    path = tmp_path / "cases.parquet"
    pd.DataFrame({"age": ["1", CANARY]}).to_parquet(path)
    assert str(failure(path, [AGE])).startswith(f"{path}, record 2, column 'age': the cell is not a number. ")


def test_missing_file_and_unknown_formats(tmp_path):
    missing = tmp_path / "none.csv"
    assert str(failure(missing, [NAME])) == (
        f"{missing}: there is no such file or folder. Correct the path [setting: source]"
    )
    assert "no file matches" in str(failure(tmp_path / "*.csv", [NAME]))
    (tmp_path / "notes.doc").write_text("x")
    assert "the folder holds no file with a known suffix" in str(failure(tmp_path, [NAME]))
    assert "the suffix says nothing of the format" in str(failure(tmp_path / "notes.doc", [NAME]))
    assert "format 'xls' is unknown" in str(failure(tmp_path / "notes.doc", [NAME], format="xls"))


def test_files_of_a_folder_with_different_columns(tmp_path):
    (tmp_path / "a.csv").write_text(f"name,age,sex\n{CANARY},1,F\n")
    (tmp_path / "b.csv").write_text(f"name,sex,town\n{CANARY},F,{CANARY}\n")
    assert str(failure(tmp_path, [NAME])) == (
        f"{tmp_path / 'b.csv'}: its columns are not those of {tmp_path / 'a.csv'}: it lacks 'age' and has 'town' "
        "besides. Give all files of a folder the same columns, or read them as sources of their own [setting: source]"
    )


def test_errors_in_a_folder_name_the_file_and_its_own_row(tmp_path):
    (tmp_path / "a.csv").write_text("name,age\nx,1\ny,2\n")
    (tmp_path / "b.csv").write_text(f"age,name\n3,z\n{CANARY},{CANARY}\n")
    error = failure(tmp_path, [NAME, AGE])
    assert (error.file, error.row, error.column) == (str(tmp_path / "b.csv"), 3, "age")


def test_columns_of_different_types_in_a_folder(tmp_path):
    pd.DataFrame({"age": [1]}).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"age": [CANARY]}).to_parquet(tmp_path / "b.parquet")
    assert "another type here than in the first file" in str(failure(tmp_path, [AGE]))


def test_upstream_tables_name_the_record():
    frame = pd.DataFrame({"age": ["1", CANARY]}, index=[7, 7])
    with pytest.raises(SourceError) as raised:
        conform(frame, [AGE], source="study/cases")
    assert str(raised.value).startswith("study/cases, record 2, column 'age': the cell is not a number.")
    mixed = pd.DataFrame({"age": [1, CANARY]}, dtype=object)
    with pytest.raises(SourceError) as raised:
        conform(mixed, [AGE], source="study/cases")
    assert str(raised.value) == (
        "study/cases, record 2, column 'age': the column mixes types: text here, number in the rows before. Write "
        "the whole column as one type"
    )


def test_suggesting_refuses_a_file_without_header(tmp_path):
    path = tmp_path / "cases.csv"
    for first in (f"{CANARY},F", "a@b.org,F", "2020-01-01,F"):
        path.write_text(f"{first}\n{CANARY},F\nother,M\n")
        with pytest.raises(SourceError) as raised:
            suggest_columns(path)
        assert str(raised.value) == (
            f"{path}, row 1: the first row looks like a record, not a header. Put the names of the columns in the "
            "first row"
        )


def test_a_password_in_a_url_is_not_shown():
    error = SourceError(
        "wrong", mend="Mend it", file="s3://user:secret@bucket/cases.csv", row=3, column="age"
    )
    assert str(error) == "s3://bucket/cases.csv, row 3, column 'age': wrong. Mend it"


def test_errors_survive_pickling():
    error = SourceError(
        "wrong", mend="Mend it", file="a.csv", row=3, column="age", setting="columns.age.role"
    )
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)
    assert (copy.row, copy.setting) == (3, "columns.age.role")


def test_a_file_that_is_read_again_for_its_rows_is_read_from_memory(tmp_path):
    """Rows are counted in what was read, so a later change cannot shift them."""
    path = tmp_path / "cases.csv"
    buffer = io.StringIO()
    pd.DataFrame({"age": [*map(str, range(5000)), CANARY]}).to_csv(buffer, index=False)
    path.write_text(buffer.getvalue())
    assert failure(path, [AGE]).row == 5002


def test_types_that_no_role_can_read(tmp_path):
    path = tmp_path / "cases.parquet"
    table = pa.table(
        {
            "bytes": [CANARY.encode()],
            "nested": [{"first": CANARY}],
            "lists": [[{"first": CANARY}]],
            "large": pa.array([2**64 - 1], pa.uint64()),
        }
    )
    parquet.write_table(table, path)
    assert "type binary cannot be read as role 'text'" in str(failure(path, [ColumnSpec("bytes", "text")]))
    assert "cannot be read as role 'category'" in str(failure(path, [ColumnSpec("nested", "category")]))
    assert "cannot be read as multi-valued" in str(failure(path, [ColumnSpec("lists", "multi_valued")]))
    error = failure(path, [ColumnSpec("large", "number")])
    assert str(error).startswith(f"{path}, record 1, column 'large': the number is too large.")
    assert read_source(path, columns=[ColumnSpec("large", "identifier")])["large"][0] == str(2**64 - 1)


ANY_COLUMNS = [
    ColumnSpec("a", "category", values=("x", "1")),
    ColumnSpec("b", "number", decimal=",", bands=(1, 5)),
    ColumnSpec("c", "date"),
    ColumnSpec("d", "multi_valued", separator=";"),
]
PIECES = [
    "a",
    "b",
    "c",
    "d",
    ",",
    ";",
    '"',
    "\n",
    "\r\n",
    "\t",
    " ",
    "1",
    "x",
    "2024-01-01",
    "é",
    "\0",
    "{",
    "}",
    "[",
    ":",
]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "xlsx", "parquet"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.data(),
    headed=st.booleans(),
    torn=st.binary(max_size=4),
)
def test_any_bytes_give_a_table_or_a_source_error(suffix, data, headed, torn, tmp_path):
    head = {
        "csv": "a,b,c,d\n",
        "tsv": "a\tb\tc\td\n",
        "jsonl": '{"a": "x"}\n',
        "xlsx": "PK",
        "parquet": "PAR1",
    }[suffix]
    text = data.draw(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
    path = tmp_path / f"cases.{suffix}"
    path.write_bytes((head if headed else "").encode() + text.encode() + torn)
    try:
        frame = read_source(path, columns=ANY_COLUMNS)
    except SourceError as error:
        assert str(error).startswith(str(path))
    else:
        assert list(frame.columns) == ["a", "b", "c", "d"]
        assert set(frame["a"].dropna()) <= {"x", "1"}
        assert set(frame["b"].dropna()) <= {"under 1", "1–4", "5+"}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.lists(st.sampled_from(["a", "1", ",", '"', "\n", "\r\n", " ", ";"]), max_size=30).map("".join))
def test_what_is_read_is_what_python_reads_strictly(text, tmp_path):
    """Arrow reads fast; Python's strict reader is the judge of every file, refused ones too."""
    path = tmp_path / "cases.csv"
    path.write_text(f"x,y\n{text}", newline="")
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
        sound = bool(rows) and all(len(row) == 2 for row in rows)
    except csv.Error:
        rows, sound = [], False
    try:
        frame = read_source(path, columns=[ColumnSpec("x", "text"), ColumnSpec("y", "text")], delimiter=",")
    except SourceError:
        assert not sound
    else:
        read = [["" if pd.isna(cell) else cell for cell in row] for row in frame.to_numpy()]
        # quotes that are odd but swallow nothing may be read as they stand
        assert not sound or read == [[cell.strip() for cell in row] for row in rows]


def test_a_formula_whose_result_is_empty_text_is_unknown(tmp_path):
    path = tmp_path / "cases.xlsx"
    workbook(path, ["name", "age"], ["x", "=A1"])
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    sheet = members["xl/worksheets/sheet1.xml"]
    assert b'<c r="B2"><f>A1</f><v /></c>' in sheet
    members["xl/worksheets/sheet1.xml"] = sheet.replace(
        b'<c r="B2"><f>A1</f><v /></c>', b'<c r="B2" t="str"><f>A1</f><v></v></c>'
    )
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert read_source(path, columns=[NAME, AGE])["age"].isna().all()
