import datetime as dt
import hashlib
import hmac
import json
import time
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrtech.tables import (
    TableError,
    arrow_from_bytes,
    content_version,
    frame_from_arrow,
    table_from_bytes,
    table_to_bytes,
)

KEY = bytes(range(32))
LISTS = pd.ArrowDtype(pa.list_(pa.string()))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
INT64 = st.integers(-(2**63), 2**63 - 1)
DATES = st.datetimes(dt.datetime(1678, 1, 1), dt.datetime(2261, 12, 31))

# every dtype that tables of this project have: strategy of one cell, and dtype
KINDS = {
    "str": (st.none() | TEXT, "str"),
    "Int64": (st.none() | INT64, "Int64"),
    "UInt8": (st.none() | st.integers(0, 255), "UInt8"),
    "Float64": (st.none() | st.floats(allow_nan=False), "Float64"),
    "boolean": (st.none() | st.booleans(), "boolean"),
    "int64": (INT64, "int64"),
    "int8": (st.integers(-128, 127), "int8"),
    "float64": (st.floats(), "float64"),
    "float32": (st.floats(width=32), "float32"),
    "bool": (st.booleans(), "bool"),
    "datetime64[us]": (st.none() | DATES, "datetime64[us]"),
    "datetime64[ns]": (st.none() | DATES, "datetime64[ns]"),
    "datetime64[s]": (st.none() | DATES.map(lambda d: d.replace(microsecond=0)), "datetime64[s]"),
    "lists": (st.none() | st.lists(TEXT, unique=True, max_size=3).map(sorted), LISTS),
    "lists of ints": (st.none() | st.lists(INT64, max_size=3), pd.ArrowDtype(pa.list_(pa.int64()))),
    "bytes": (st.none() | st.binary(max_size=20), object),
    "nothing": (st.none(), object),
}


@st.composite
def frames(draw):
    rows = draw(st.integers(0, 12))
    names = draw(st.lists(TEXT, unique=True, max_size=6))
    if not names:
        return pd.DataFrame()
    columns = {}
    for name in names:
        cells, dtype = KINDS[draw(st.sampled_from(sorted(KINDS)))]
        columns[name] = pd.Series(draw(st.lists(cells, min_size=rows, max_size=rows)), dtype=dtype)
    return pd.DataFrame(columns)


@settings(max_examples=150, deadline=None)
@given(frames())
def test_a_table_comes_back_as_it_was(frame):
    data = table_to_bytes(frame)
    back = table_from_bytes(data)
    pd.testing.assert_frame_equal(back, frame, check_exact=True, check_column_type=False)
    assert list(back.dtypes) == list(frame.dtypes)
    assert table_to_bytes(frame) == data
    assert content_version(back, KEY) == content_version(frame, KEY)


@pytest.mark.parametrize(
    "series",
    [
        pd.Series(["a", None, "ü"], dtype="string"),
        pd.Series(["a", None, "ü"], dtype=object),
        pd.Series([Decimal("1.10"), None, Decimal("-3.25")], dtype=object),
        pd.Series([dt.date(2020, 2, 29), None, dt.date(1, 1, 1)], dtype=object),
        pd.Series([[1, 2], None, []], dtype=object),
        pd.Series([1, None, 2**62 + 1], dtype=object),
        pd.Series(pd.to_datetime(["2024-03-31", None, "1900-01-01"])).dt.tz_localize("Europe/Vienna"),
        pd.Series(pd.to_timedelta([1, None, -3], unit="s")),
        pd.Series(["a", None, "b"], dtype=pd.ArrowDtype(pa.string())),
        pd.Series([{"a": 1}, None, {"a": 2}], dtype=pd.ArrowDtype(pa.struct([("a", pa.int64())]))),
        pd.Series([dt.datetime(2024, 1, 1), None], dtype=pd.ArrowDtype(pa.timestamp("s"))),
    ],
    ids=lambda series: str(series.dtype),
)
def test_rarer_types_come_back_as_they_were(series):
    frame = pd.DataFrame({"column": series})
    back = table_from_bytes(table_to_bytes(frame))
    pd.testing.assert_frame_equal(back, frame, check_exact=True)
    assert content_version(back, KEY) == content_version(frame, KEY)


def test_minus_zero_and_infinities_survive():
    frame = pd.DataFrame({"x": [-0.0, np.inf, -np.inf, np.nan]})
    back = table_from_bytes(table_to_bytes(frame))["x"].to_numpy()
    assert np.signbit(back[0])
    assert back[1:3].tolist() == [np.inf, -np.inf]
    assert np.isnan(back[3])


def test_a_categorical_is_stored_as_its_values_so_that_unused_categories_stay_behind():
    kept = pd.DataFrame(
        {"village": pd.Categorical(["Aba", None], categories=["Aba", "the-only-survivor-of-Bo"])}
    )
    data = table_to_bytes(kept)
    assert b"the-only-survivor-of-Bo" not in data
    assert table_from_bytes(data)["village"].dtype == "str"
    assert table_from_bytes(data)["village"].iloc[0] == "Aba"
    numbers = pd.DataFrame({"n": pd.Categorical([3, None, 1])})
    assert table_from_bytes(table_to_bytes(numbers))["n"].dtype == "Int64"


def test_attrs_and_row_numbers_are_not_stored():
    whole = pd.DataFrame({"x": range(1000)})
    whole.attrs["source"] = "planted-attribute"
    some = whole[whole["x"] % 7 == 3]
    data = table_to_bytes(some)
    assert b"planted-attribute" not in data
    back = table_from_bytes(data)
    assert back.attrs == {}
    assert list(back.index) == list(range(len(some)))
    assert back["x"].tolist() == some["x"].tolist()


def test_values_under_a_missing_cell_are_not_stored():
    column = pd.array([1, 2], dtype="Int64")
    column._data[1] = 0x5EC4E75EC4E7
    column._mask[1] = True
    frame = pd.DataFrame({"n": column})
    clean = pd.DataFrame({"n": pd.array([1, None], dtype="Int64")})
    assert table_to_bytes(frame) == table_to_bytes(clean)
    assert content_version(frame, KEY) == content_version(clean, KEY)


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (
            pd.DataFrame({"name": pd.Series(["Maria", 7], dtype=object)}),
            "Column 'name' (object holding int, str)",
        ),
        (pd.DataFrame({"who": pd.Series([{"a": 1}], dtype=object)}), "Column 'who' (object holding dict)"),
        (
            pd.DataFrame({"who": pd.Series(["\ud800Maria"], dtype=object)}),
            "Column 'who' (object holding str)",
        ),
        (pd.DataFrame({"who": pd.Series([{"Maria"}], dtype=object)}), "Column 'who' (object holding set)"),
        (pd.DataFrame({"who": pd.Series([[{"a": 1}]], dtype=object)}), "Column 'who' (object holding list)"),
        (pd.DataFrame({"n": pd.Series([10**30], dtype=object)}), "Column 'n' (object holding int)"),
        (pd.DataFrame({"z": [1j]}), "Column 'z' (complex128)"),
        (pd.DataFrame({"m": pd.period_range("2024", periods=1, freq="M")}), "Column 'm' (period[M])"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "Columns ['a'] occur more than once"),
        (pd.DataFrame([[1, 2]]), "positions [0, 1] have no text as name"),
        (pd.DataFrame({"a": [1]}, index=["Maria"]), "Call reset_index()"),
        (pd.DataFrame({"a": [1]}, index=pd.Index([1], name="case")), "Call reset_index()"),
        (pd.DataFrame({"a": [1, 2]}).groupby(["a", "a"]).size().to_frame("n"), "Call reset_index()"),
        (pd.DataFrame(index=range(3)), "3 rows but no column"),
    ],
)
def test_what_cannot_be_stored_is_refused_without_its_values(frame, says):
    for refused in (lambda: table_to_bytes(frame), lambda: content_version(frame, KEY)):
        with pytest.raises(TableError) as problem:
            refused()
        assert says in str(problem.value)
        assert "Maria" not in str(problem.value)
        assert problem.value.__suppress_context__ or problem.value.__context__ is None


def test_broken_bytes_are_refused_without_their_content():
    data = table_to_bytes(pd.DataFrame({"a": ["Maria"] * 50}))
    for broken in (b"", b"Maria", data[:-20], data[: len(data) // 2]):
        with pytest.raises(TableError, match="no readable Parquet") as problem:
            table_from_bytes(broken)
        assert "Maria" not in str(problem.value)


def test_a_newer_format_is_refused():
    table = arrow_from_bytes(table_to_bytes(pd.DataFrame({"a": [1]})))
    stored = json.loads(table.schema.metadata[b"hrtech.table"])
    newer = table.replace_schema_metadata({b"hrtech.table": json.dumps({**stored, "format": 2})})
    with pytest.raises(TableError, match="format 2"):
        frame_from_arrow(newer)


def test_a_foreign_table_gets_the_types_of_the_project():
    table = pa.table(
        {
            "t": pa.array(["a", None]),
            "n": pa.array([1, None], pa.int32()),
            "x": pa.array([1.5, None]),
            "b": pa.array([True, None]),
            "d": pa.array([dt.date(2024, 1, 2), None]),
            "l": pa.array([["a"], None]),
        }
    )
    frame = frame_from_arrow(table)
    assert [str(dtype) for dtype in frame.dtypes[:5]] == [
        "str",
        "Int64",
        "Float64",
        "boolean",
        "datetime64[s]",
    ]
    assert isinstance(frame.dtypes["l"], pd.ArrowDtype)
    assert frame["d"].iloc[0] == pd.Timestamp("2024-01-02")


def test_the_content_version_of_one_small_table_computed_by_hand():
    frame = pd.DataFrame({"n": pd.array([1, None], dtype="Int64"), "t": pd.Series(["ab", ""], dtype="str")})

    def framed(piece):
        return len(piece).to_bytes(8, "little") + piece

    stream = (
        framed(b"hrtech table content, form 1")
        + framed(b'[2, [["n", "int64"], ["t", "text"]]]')
        + framed(b"\x80")  # validity: first row of two
        + framed((1).to_bytes(8, "little") + bytes(8))
        + framed(b"")  # nothing missing
        + framed((2).to_bytes(8, "little") + bytes(8))  # lengths
        + framed(b"ab")
    )
    assert content_version(frame, KEY) == hmac.new(KEY, stream, hashlib.sha256).hexdigest()[:32]


def test_the_content_version_forgets_how_values_lie_in_memory():
    chunks = pa.chunked_array([[["a"], None], [[], ["b", "c"]]], type=pa.list_(pa.string()))
    joined = pa.array([["x"], ["a"], None, [], ["b", "c"]]).slice(1)
    large = chunks.cast(pa.large_list(pa.large_string()))
    versions = {
        content_version(pd.DataFrame({"l": pd.array(data, dtype=pd.ArrowDtype(data.type))}), KEY)
        for data in (chunks, joined, large)
    }
    assert len(versions) == 1
    assert content_version(pd.DataFrame({"n": [1, 2]}), KEY) == content_version(
        pd.DataFrame({"n": pd.array([1, 2], dtype="Int64")}, index=[7, 9]), KEY
    )
    times = pd.Series(pd.to_datetime(["2024-01-01", None, "1950-06-01"]))
    assert (
        len({content_version(times.dt.as_unit(u).to_frame("t"), KEY) for u in ("s", "ms", "us", "ns")}) == 1
    )


SAME_LENGTH = [
    pd.DataFrame({"a": ["x", "yz"]}),
    pd.DataFrame({"a": ["xy", "z"]}),
    pd.DataFrame({"a": ["yz", "x"]}),
    pd.DataFrame({"b": ["x", "yz"]}),
    pd.DataFrame({"a": ["x", None]}),
    pd.DataFrame({"a": ["x", ""]}),
    pd.DataFrame({"a": [b"x", b"yz"]}),
    pd.DataFrame({"a": [1, 0]}),
    pd.DataFrame({"a": pd.array([1, None], dtype="Int64")}),
    pd.DataFrame({"a": [1.0, 0.0]}),
    pd.DataFrame({"a": [1.0, np.nan]}),
    pd.DataFrame({"a": [True, False]}),
    pd.DataFrame({"a": [None, None]}),
    pd.DataFrame({"a": pd.Series([None, None], dtype="str")}),
    pd.DataFrame({"a": pd.array([["x"], []], dtype=LISTS)}),
    pd.DataFrame({"a": pd.array([["x"], None], dtype=LISTS)}),
    pd.DataFrame({"a": pd.array([[], ["x"]], dtype=LISTS)}),
    pd.DataFrame({"a": pd.to_datetime(["1970-01-02", "1970-01-01"])}),
    pd.DataFrame({"a": pd.to_timedelta([1, 0], unit="s")}),
    pd.DataFrame({"a": [1, 0], "b": [0, 1]}),
    pd.DataFrame({"b": [0, 1], "a": [1, 0]}),
    pd.DataFrame({"a": ["x"]}),
    pd.DataFrame({"a": []}),
    pd.DataFrame(),
]


def test_whatever_differs_has_another_content_version():
    assert len({content_version(frame, KEY) for frame in SAME_LENGTH}) == len(SAME_LENGTH)
    frame = SAME_LENGTH[0]
    assert content_version(frame, KEY) != content_version(frame, KEY[::-1])


@settings(max_examples=80, deadline=None)
@given(frames(), st.data())
def test_any_changed_cell_changes_the_content_version(frame, data):
    if frame.empty:
        return
    name = data.draw(st.sampled_from(list(frame.columns)))
    row = data.draw(st.integers(0, len(frame) - 1))
    rows = list(range(len(frame)))
    rows[row] = data.draw(st.sampled_from(rows))
    other = frame.copy()
    other[name] = frame[name].iloc[rows].reset_index(drop=True)
    same = other.equals(frame)
    assert (content_version(other, KEY) == content_version(frame, KEY)) == (
        same or table_to_bytes(other) == table_to_bytes(frame)
    )


def test_a_short_key_is_refused():
    with pytest.raises(ValueError, match="at least 16 bytes"):
        content_version(pd.DataFrame({"a": [1]}), b"short")


def test_a_million_rows_by_twenty_columns_are_named_in_two_seconds():
    rows = 1_000_000
    rng = np.random.default_rng(7)
    columns: dict = {
        f"t{i}": pd.Series(rng.choice(["alpha", "beta", "gamma", None], rows), dtype="str") for i in range(9)
    }
    columns |= {f"n{i}": pd.Series(rng.integers(0, 99, rows)).astype("Int64") for i in range(5)}
    columns |= {f"x{i}": rng.random(rows) for i in range(5)}
    columns["l"] = pd.Series(pd.array(pa.array([["a", "b"], None, [], ["c"]] * (rows // 4)), dtype=LISTS))
    frame = pd.DataFrame(columns)
    assert frame.shape == (rows, 20)
    start = time.process_time()
    content_version(frame, KEY)
    assert time.process_time() - start < 2
