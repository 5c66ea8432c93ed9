"""Suites are data, outcomes are counts, and no outcome repeats a value."""

import logging
import re
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from hrtech.quality import (
    Expectation,
    QualityError,
    default_suite,
    expectation_from_settings,
    run_suite,
    suite_from_settings,
)
from hrtech.quality.catalogue import CATALOGUE
from hrtech.sources import ColumnSpec

CANARY = "".join(["Zaph", "yra", "9931"])
NUMBER_CANARY = 990_817_263
COLUMNS = (
    ColumnSpec("case", "identifier", unique=True),
    ColumnSpec("sex", "category", values=("F", "M")),
    ColumnSpec("forms", "multi_valued", separator=";", values=("labour", "sexual")),
    ColumnSpec("age", "number", bands=(18, 65), rename="age_band"),
    ColumnSpec("children", "number"),
    ColumnSpec("day", "date"),
    ColumnSpec("phone", "leave_out"),
)


def lists(*cells):
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.array(cells, pa.list_(pa.string()))))


def table() -> pd.DataFrame:
    """Five records with one or two things wrong in each column."""
    return pd.DataFrame(
        {
            "case": pd.Series([CANARY, CANARY, "3", "4", None], dtype="str"),
            "sex": pd.Series(["F", "M", CANARY, None, None], dtype="str"),
            "forms": lists(["labour", "sexual"], [CANARY, "labour"], [], None, ["sexual"]),
            "age_band": pd.Series(["under 18", "18–64", "65+", None, CANARY], dtype="str"),
            "children": pd.Series([0, 2, None, 3, NUMBER_CANARY], dtype="Int64"),
            "day": pd.to_datetime(["2024-01-01", "2024-06-01", None, "2024-06-02", "2031-03-07"]).as_unit(
                "us"
            ),
        }
    )


def outcomes(frame, suite, **options):
    made = run_suite(frame, suite, **options)
    assert [outcome.name for outcome in made] == [expectation.name for expectation in suite]
    told = repr(made)
    for secret in (CANARY, str(NUMBER_CANARY), "2031"):
        assert secret not in told
    return {outcome.name: outcome for outcome in made}


def one(frame, kind, column=None, **arguments):
    suite = [Expectation(f"expect_{kind}", column, arguments)]
    return outcomes(frame, suite)[suite[0].name]


def test_the_default_suite_by_hand():
    suite = default_suite(COLUMNS)
    assert [(e.name, e.severity) for e in suite] == [
        ("table_row_count", "error"),
        ("case_not_null", "error"),
        ("case_unique", "error"),
        ("sex_not_unknown_throughout", "warn"),
        ("sex_in_set", "error"),
        ("forms_not_unknown_throughout", "warn"),
        ("forms_in_set", "error"),
        ("age_band_not_unknown_throughout", "warn"),
        ("age_band_in_set", "error"),
        ("children_not_unknown_throughout", "warn"),
        ("day_not_unknown_throughout", "warn"),
        ("day_not_in_the_future", "warn"),
    ]
    assert suite[8].arguments["value_set"] == ["under 18", "18–64", "65+"]


def test_outcomes_by_hand():
    found = outcomes(table(), default_suite(COLUMNS), now=datetime(2026, 1, 1, tzinfo=UTC))
    assert {name: outcome.passed for name, outcome in found.items()} == {
        "table_row_count": True,
        "case_not_null": False,
        "case_unique": False,
        "sex_not_unknown_throughout": True,
        "sex_in_set": False,
        "forms_not_unknown_throughout": True,
        "forms_in_set": False,
        "age_band_not_unknown_throughout": True,
        "age_band_in_set": False,
        "children_not_unknown_throughout": True,
        "day_not_unknown_throughout": True,
        "day_not_in_the_future": False,
    }
    assert found["table_row_count"].counts == {"observed": 5}
    assert found["case_not_null"].counts == {"rows": 5, "unexpected": 1, "unexpected_percent": 20.0}
    assert found["case_unique"].counts == {
        **{"rows": 5, "unexpected": 2, "unexpected_percent": 50.0},
        **{"missing": 1, "missing_percent": 20.0},
    }
    assert found["sex_in_set"].counts["unexpected"] == 1
    # five items, of which one is not declared; the empty and the unknown cell have none
    assert found["forms_in_set"].counts == {
        **{"items": 5, "unexpected": 1, "unexpected_percent": 20.0},
        **{"missing": 0, "missing_percent": 0.0},
    }
    assert found["sex_not_unknown_throughout"].counts == {"observed": 0.6}
    assert found["forms_not_unknown_throughout"].counts == {"observed": 0.8}
    assert found["day_not_in_the_future"].severity == "warn"


def test_a_date_is_in_the_future_only_once_it_is_so_everywhere():
    frame = pd.DataFrame({"day": pd.to_datetime(["2026-05-02"])})
    suite = default_suite([ColumnSpec("day", "date")])

    def passed(now):
        return outcomes(frame, suite, now=now)["day_not_in_the_future"].passed

    assert passed(datetime(2026, 5, 1, 10, tzinfo=UTC))  # it is the second of May in Kiritimati
    assert not passed(datetime(2026, 5, 1, 9, 59, tzinfo=UTC))
    assert passed(datetime(2026, 5, 1, 10))
    for day, past in (("2020-01-01", True), ("2999-01-01", False)):  # by the clock
        frame = pd.DataFrame({"day": pd.to_datetime([day])})
        assert outcomes(frame, suite)["day_not_in_the_future"].passed is past


@pytest.mark.parametrize(
    ("kind", "column", "arguments", "passed"),
    [
        ("column_to_exist", "sex", {}, True),
        ("column_values_to_be_null", "sex", {}, False),
        ("column_values_to_not_be_null", "sex", {"mostly": 0.6}, True),
        ("column_values_to_not_be_null", "sex", {"mostly": 0.61}, False),
        ("column_values_to_not_be_null", "forms", {}, False),
        ("column_values_to_be_unique", "forms", {}, True),
        ("column_values_to_not_be_in_set", "forms", {"value_set": ["labour"]}, False),
        ("column_values_to_not_be_in_set", "sex", {"value_set": ["X"]}, True),
        ("column_values_to_match_regex", "forms", {"regex": "^[a-z]+$"}, False),
        ("column_values_to_match_regex", "age_band", {"regex": "."}, True),
        ("column_values_to_not_match_regex", "sex", {"regex": "^[FM]$"}, False),
        ("column_values_to_be_between", "children", {"min_value": 0, "max_value": 20}, False),
        ("column_values_to_be_between", "children", {"min_value": 0}, True),
        ("column_values_to_be_between", "day", {"min_value": "2024-01-01"}, True),
        ("column_values_to_be_between", "day", {"min_value": "2024-01-02"}, False),
        ("column_value_lengths_to_be_between", "forms", {"max_value": 6}, False),
        ("column_min_to_be_between", "children", {"min_value": 0, "max_value": 0}, True),
        ("column_max_to_be_between", "children", {"max_value": 20}, False),
        ("column_max_to_be_between", "day", {"max_value": "2031-03-07"}, True),
        ("column_max_to_be_between", "day", {"max_value": "2031-03-06"}, False),
        ("column_mean_to_be_between", "children", {"min_value": 247_704_317, "max_value": 247_704_318}, True),
        ("column_median_to_be_between", "children", {"min_value": 2.5, "max_value": 2.5}, True),
        ("column_sum_to_be_between", "children", {"min_value": NUMBER_CANARY + 5, "strict_min": True}, False),
        ("column_stdev_to_be_between", "children", {"min_value": 1}, True),
        ("column_unique_value_count_to_be_between", "children", {"min_value": 4, "max_value": 4}, True),
        ("column_proportion_of_unique_values_to_be_between", "case", {"max_value": 0.8}, True),
        ("column_distinct_values_to_contain_set", "sex", {"value_set": ["F", "M"]}, True),
        (
            "column_pair_values_a_to_be_greater_than_b",
            None,
            {"column_A": "children", "column_B": "children"},
            False,
        ),
        ("compound_columns_to_be_unique", None, {"column_list": ["case", "sex"]}, True),
        ("compound_columns_to_be_unique", None, {"column_list": ["case", "forms"]}, True),
        ("table_row_count_to_be_between", None, {"min_value": 6}, False),
        ("table_column_count_to_be_between", None, {"min_value": 6, "max_value": 6}, True),
    ],
)
def test_every_kind_by_hand(kind, column, arguments, passed):
    outcome = one(table(), kind, column, **arguments)
    assert outcome.passed is passed
    assert "reason" not in outcome.counts


def test_every_kind_of_the_catalogue_is_known_to_great_expectations():
    from hrtech.quality.run import _class_name, load_great_expectations

    known = load_great_expectations().expectations
    for name, kind in CATALOGUE.items():
        fields = set(getattr(known, _class_name(name)).__fields__)
        assert {*kind.required, *kind.optional, *(["column"] if kind.column else [])} <= fields


def test_what_cannot_be_judged_has_failed():
    suite = [
        Expectation("expect_column_values_to_not_be_null", "town"),
        Expectation("expect_column_mean_to_be_between", "sex", {"min_value": 0}),
        Expectation("expect_column_values_to_be_between", "sex", {"min_value": 0}),
        Expectation("expect_column_values_to_not_be_null", "age_band"),
    ]
    found = outcomes(table(), suite)
    assert found["town_not_null"].counts == {"reason": "the table has no column 'town'"}
    assert found["sex_mean_between"].counts == {"reason": "it cannot be judged on a column of this type"}
    assert found["sex_between"].counts == {"reason": "it cannot be judged on a column of this type"}
    assert not any(outcome.passed for outcome in found.values())
    assert found["age_band_not_null"].counts["unexpected"] == 1


def test_an_empty_table():
    frame = table().iloc[:0]
    found = outcomes(frame, default_suite(COLUMNS))
    assert not found["table_row_count"].passed
    assert found["table_row_count"].counts == {"observed": 0}
    assert found["case_not_null"].passed


def test_a_column_of_any_number_type():
    for dtype in ("int64", "float64", "Int64", "Float64", "Int32"):
        frame = pd.DataFrame({"n": pd.Series([1, 2, 3], dtype=dtype)})
        outcome = one(frame, "column_values_to_be_between", "n", min_value=2)
        assert outcome.counts["unexpected"] == 1, dtype


def test_the_table_is_not_changed_and_nothing_is_said(capfd, caplog):
    frame = table()
    copy = frame.copy(deep=True)
    level = logging.getLogger("great_expectations").level
    with caplog.at_level(logging.DEBUG):
        one(frame, "column_mean_to_be_between", "sex", min_value=0)
        run_suite(frame, default_suite(COLUMNS))
    pd.testing.assert_frame_equal(frame, copy)
    said = capfd.readouterr()
    assert CANARY not in said.out + said.err + caplog.text
    assert "Calculating" not in said.err
    assert logging.getLogger("great_expectations").level == level


# --- declaring --------------------------------------------------------------------------------------------------

SETTINGS = {
    "no type": ({"column": "sex"}, "an expectation needs a `type`"),
    "unknown key": (
        {"type": "column_to_exist", "colum": "sex"},
        "`colum` is unknown. Did you mean 'column'? Use type, column, arguments, severity, name.",
    ),
    "unknown type": (
        {"type": "expect_column_values_to_be_nul", "column": "sex"},
        "expectation type 'expect_column_values_to_be_nul' is unknown. Did you mean 'expect_column_values_to_be_null'?",
    ),
    "no column": ({"type": "column_to_exist"}, "speaks of one column. Name it under `column`."),
    "a column too many": (
        {"type": "table_row_count_to_be_between", "column": "sex", "arguments": {"min_value": 1}},
        "takes no `column`",
    ),
    "unknown column": (
        {"type": "column_to_exist", "column": "sexx"},
        "the table has no column 'sexx'. Did you mean 'sex'? It has case, sex, forms, age_band, children, day.",
    ),
    "unknown columns": (
        {"type": "compound_columns_to_be_unique", "arguments": {"column_list": ["sex", "phone"]}},
        "the table has no column 'phone'",
    ),
    "arguments": (
        {"type": "column_to_exist", "column": "sex", "arguments": [1]},
        "`arguments` must be a mapping",
    ),
    "unknown argument": (
        {"type": "column_values_to_be_between", "column": "children", "arguments": {"min": 1}},
        "argument `min` is unknown. It takes min_value, max_value, strict_min, strict_max, mostly.",
    ),
    "missing argument": (
        {"type": "column_values_to_be_in_set", "column": "sex"},
        "needs the argument `value_set`",
    ),
    "no bound": (
        {"type": "column_max_to_be_between", "column": "children"},
        "needs `min_value` or `max_value`",
    ),
    "bounds cross": (
        {
            "type": "column_max_to_be_between",
            "column": "children",
            "arguments": {"min_value": 2, "max_value": 1},
        },
        "`min_value` is above `max_value`",
    ),
    "bound": (
        {"type": "column_max_to_be_between", "column": "children", "arguments": {"min_value": "two"}},
        "argument `min_value` must be a number, an ISO date, or `now`",
    ),
    "share": (
        {"type": "column_values_to_not_be_null", "column": "sex", "arguments": {"mostly": 95}},
        "argument `mostly` must be a share above 0, up to 1",
    ),
    "set": (
        {"type": "column_values_to_be_in_set", "column": "sex", "arguments": {"value_set": "F"}},
        "argument `value_set` must be a list that is not empty",
    ),
    "regex": (
        {"type": "column_values_to_match_regex", "column": "sex", "arguments": {"regex": "("}},
        "argument `regex` must be a regular expression",
    ),
    "flag": (
        {
            "type": "column_max_to_be_between",
            "column": "age_band",
            "arguments": {"min_value": 1, "strict_min": 1},
        },
        "argument `strict_min` must be true or false",
    ),
    "skips": (
        {
            "type": "compound_columns_to_be_unique",
            "arguments": {"column_list": ["sex"], "ignore_row_if": "sometimes"},
        },
        "argument `ignore_row_if` must be one of",
    ),
    "severity": (
        {"type": "column_to_exist", "column": "sex", "severity": "bad"},
        "severity 'bad' is unknown",
    ),
    "name": (
        {"type": "column_to_exist", "column": "sex", "name": "sex there?"},
        "may only hold letters, digits and underscores",
    ),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_wrong_settings(case):
    setting, expected = SETTINGS[case]
    with pytest.raises(QualityError) as raised:
        suite_from_settings([{"type": "column_to_exist", "column": "case"}, setting], COLUMNS)
    assert str(raised.value).startswith("expectations[1]: ")
    assert expected in str(raised.value)


def test_settings_join_the_default_suite():
    suite = suite_from_settings(
        [
            {"type": "column_values_to_not_be_null", "column": "case", "severity": "warn"},
            {
                "type": "expect_column_values_to_be_between",
                "column": "children",
                "arguments": {"max_value": 20},
            },
        ],
        COLUMNS,
    )
    assert len(suite) == len(default_suite(COLUMNS)) + 1
    assert {e.name: e.severity for e in suite}["case_not_null"] == "warn"
    assert suite[-1].name == "children_between"


def test_names_must_differ():
    between = {"type": "column_values_to_be_between", "column": "children", "arguments": {"max_value": 20}}
    with pytest.raises(QualityError, match=r"expectations\[1\]: there is another expectation named"):
        suite_from_settings([between, between], COLUMNS)
    suite = suite_from_settings([between, {**between, "name": "few_children"}], COLUMNS)
    assert suite[-1].name == "few_children"
    with pytest.raises(QualityError, match="belongs to an expectation of the default suite"):
        suite_from_settings([{**between, "name": "case_unique"}], COLUMNS)
    with pytest.raises(QualityError, match="Two expectations are named 'children_between'"):
        run_suite(table(), [expectation_from_settings(between)] * 2)


def test_names_are_stable_plain_and_tell_columns_apart():
    names = [
        Expectation("expect_column_to_exist", column).name
        for column in ("age", "age band", "age_band", "age-band", "возраст", "город", "âge", "Age", "a" * 3)
    ]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_]+", name) for name in names)
    assert names[0] == "age_exists"
    assert re.fullmatch(r"age_band_[0-9a-f]{6}_exists", names[1])
    assert Expectation("expect_column_to_exist", "age band").name == names[1]


def test_the_suite_is_read_without_loading_great_expectations():
    code = (
        "import sys, hrtech.quality as q, hrtech.sources as s;"
        "q.default_suite([s.ColumnSpec('a', 'date')]);"
        "sys.exit('great_expectations' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_a_large_table_is_judged_in_reasonable_time():
    import time

    random = np.random.default_rng(3)
    size = 200_000
    frame = pd.DataFrame(
        {
            "case": pd.Series(np.arange(size).astype(str), dtype="str"),
            "sex": pd.Series(random.choice(["F", "M"], size), dtype="str"),
            "forms": lists(
                *random.choice(np.array([["labour", "sexual"], ["sexual", "labour"]]), size).tolist()
            ),
            "age_band": pd.Series(random.choice(["under 18", "65+"], size), dtype="str"),
            "children": pd.Series(random.integers(0, 5, size), dtype="Int64"),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 999, size), unit="D"),
        }
    )
    started = time.process_time()
    assert all(outcome.passed for outcome in outcomes(frame, default_suite(COLUMNS)).values())
    assert time.process_time() - started < 15


def test_a_suite_is_judged_where_the_main_module_is_no_file():
    program = (
        "import pandas as pd\n"
        "from hrtech.quality.run import load_great_expectations\n"
        "load_great_expectations()\n"
        "import sys; assert 'pyspark' not in sys.modules; import pyspark; print('went on')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip().endswith("went on"), done.stderr[-500:]
