import pandas as pd
import pyarrow as pa
import pytest

from hrtech.causal import EffectError, columns_named, evaluate


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "age": pd.array([17, 30, None, 44], dtype="Int64"),
            "region": pd.Series(["North", "South", "South", None], dtype="str"),
            "told us": pd.array([True, False, None, True], dtype="boolean"),
            "seen": pd.to_datetime(["2020-01-01", "2021-06-01", None, "2022-01-01"]),
            "means": pd.Series(
                [["debt"], [], None, ["debt", "threat"]], dtype=pd.ArrowDtype(pa.list_(pa.string()))
            ),
        }
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("age >= 18", [False, True, None, True]),
        ("18 <= age < 40", [False, True, None, False]),
        ("region == 'South' and age >= 18", [False, True, None, None]),
        ("region == 'South' or age >= 18", [False, True, True, True]),
        ("not region in ['North']", [False, True, True, None]),
        ("region not in ['North']", [False, True, True, None]),
        ("`told us` and age > -1", [True, False, None, True]),
        ("is_missing(age)", [False, False, True, False]),
        ("contains(means, 'debt')", [True, False, None, True]),
        ("seen >= '2021-01-01'", [False, True, None, True]),
    ],
)
def test_conditions_are_three_valued(frame, text, expected):
    assert [None if pd.isna(value) else bool(value) for value in evaluate(text, frame)] == expected


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("age >", "cannot be read"),
        ("height > 3", "names the column 'height'"),
        ("__import__('os').system('true')", "calls something other"),
        ("age.real > 3", "must compare a column"),
        ("[x for x in age]", "no condition"),
        ("age + 1 > 3", "must compare a column"),
        ("region > 3", "another type"),
        ("region", "holds no booleans"),
        ("seen > 'soon'", "no date"),
        ("age in 3", "needs a list"),
        ("(lambda: 1)()", "calls something other"),
    ],
)
def test_nothing_else_is_understood(frame, text, match):
    with pytest.raises(EffectError, match=match):
        evaluate(text, frame)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("age >= 18 and `told us`", {"age", "told us"}),
        ("contains(means, 'region') or is_missing(seen)", {"means", "seen"}),
        ("not 18 <= age < 40", {"age"}),
        ("1 == 1", set()),
    ],
)
def test_the_columns_of_a_condition_are_known_without_a_table(text, columns):
    assert columns_named(text) == columns


@pytest.mark.parametrize("text", ["age >=", "name the column", "age\0"])
def test_what_cannot_be_read_names_no_columns(text):
    with pytest.raises(EffectError, match=r"cannot be read.*setting: treatment"):
        columns_named(text, setting="treatment")
