import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrtech.facts import (
    Chart,
    DataTable,
    Edge,
    FactList,
    FormField,
    Heading,
    JudgementForm,
    Network,
    Node,
    Report,
    ReportError,
    Text,
    report_from_frame,
    report_to_frame,
)

PARTS = (
    Heading("Who"),
    Text("**{{fact:c/a}}** and\n\n- more"),
    FactList(("c/b", "c/a")),
    Chart("Bars", {"data": {"values": [{"a": "é", "b": 1.5}]}, "mark": "bar"}, "A bar.", ("c/c",)),
    DataTable("Rows", ("x", "y", "z"), ((1, 2.5, None), ("t", True, "")), ("c/b",), ("c/table",)),
    Network(
        "Net",
        (Node("1", "One", 0, 0.5, "Firm", True), Node("2", "Two", 1, 1)),
        (Edge("1", "2", "owns", True),),
        "Two.",
    ),
    JudgementForm("Same?", "/casework/c/judge", (FormField("same", "Same", "choice", ("yes", "no"), True),)),
)
REPORT = Report("c", "Cases", "Of {{fact:c/d}}.", "differential-privacy", PARTS)


def test_a_report_survives_its_table():
    assert report_from_frame(report_to_frame(REPORT)) == REPORT


def test_a_report_survives_parquet_and_a_shuffle(tmp_path):
    report_to_frame(REPORT).sample(frac=1, random_state=1).to_parquet(tmp_path / "report.parquet")
    assert report_from_frame(pd.read_parquet(tmp_path / "report.parquet")) == REPORT


cells = (
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9)
)


@given(st.lists(st.tuples(cells, cells), max_size=6))
def test_every_cell_survives(rows):
    report = Report("c", "Cases", "None.", "open", (DataTable("Rows", ("a", "b"), tuple(rows)),))
    kept = report_from_frame(report_to_frame(report)).parts[0].rows
    assert kept == tuple(rows)
    assert [[type(cell) for cell in row] for row in kept] == [[type(cell) for cell in row] for row in rows]


def test_numpy_and_missing_values_become_plain():
    table = DataTable(
        "Rows", ("a", "b", "c", "d"), ((np.int64(3), np.float64("nan"), pd.NA, np.bool_(True)),)
    )
    assert table.rows == ((3, None, None, True),)


def test_citations_in_the_order_of_first_mention():
    assert REPORT.cited() == ("c/d", "c/a", "c/b", "c/c")
    assert REPORT.headline() == ("c/b", "c/a")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Report("C", "t", "s", "open"), "study 'C'"),
        (lambda: Report("c", "", "s", "open"), "title is empty"),
        (lambda: Report("c", "t", "s", "trust us"), "promise 'trust us'"),
        (lambda: Report("c", "t", "s", "open", ("text",)), "part 0 is a str"),
        (lambda: Heading("h", 1), "level 2 or 3"),
        (lambda: FactList(()), "names no fact"),
        (lambda: FactList("c/a"), "one text"),
        (lambda: Chart("t", {"mark": "bar"}, ""), "description is empty"),
        (lambda: Chart("t", {"data": datetime.date.min}, "d"), "a date cannot be told"),
        (lambda: DataTable("t", ("a",), ((1, 2),)), "row 0 has 2 cells for 1 columns"),
        (lambda: DataTable("t", ("a",), ((float("inf"),),)), "infinite"),
        (lambda: Network("t", (Node("1", "a", 0, 0),), (Edge("1", "2"),), "d"), "not there"),
        (lambda: Network("t", (Node("1", "a", 0, 0),) * 2, (), "d"), "occurs twice"),
        (lambda: JudgementForm("t", "https://elsewhere.example/", (FormField("a", "A"),)), "our own server"),
        (lambda: JudgementForm("t", "//elsewhere.example/", (FormField("a", "A"),)), "our own server"),
        (lambda: JudgementForm("t", "javascript:x", (FormField("a", "A"),)), "our own server"),
        (lambda: FormField("csrf_token", "A"), "csrf_token"),
        (lambda: FormField("a", "A", "choice"), "has options"),
    ],
)
def test_a_wrong_part_is_refused_with_its_reason(make, says):
    with pytest.raises(ReportError) as caught:
        make()
    assert says in str(caught.value)


def test_an_error_never_quotes_a_cell():
    with pytest.raises(ReportError) as caught:
        DataTable("t", ("a",), ((("Jane Roe",),),))
    assert "Jane" not in str(caught.value)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda frame: frame.drop(columns="kind"), "needs the columns"),
        (lambda frame: frame.iloc[1:], "positions"),
        (lambda frame: pd.concat([frame, frame]), "positions"),
        (lambda frame: frame.assign(kind="report"), "unknown kind"),
        (lambda frame: frame.assign(kind="text"), "row 0"),
        (lambda frame: frame.assign(payload="[]"), "not a JSON object"),
        (lambda frame: frame.assign(payload="{"), "not a JSON object"),
        (lambda frame: frame.assign(payload='{"rest": 1}'), "has the fields"),
    ],
)
def test_a_table_that_is_not_one_of_a_report_is_refused(spoil, says):
    with pytest.raises(ReportError, match=says):
        report_from_frame(spoil(report_to_frame(REPORT)))
