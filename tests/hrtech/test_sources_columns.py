"""Declarations are checked when they are made; bands are labelled and assigned as documented."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrtech.sources import ROLES, ColumnSpec, SourceError, band_labels, banded

WRONG = {
    "role": (dict(role="word"), "role 'word' is unknown", "columns.age.role"),
    "rename": (dict(role="text", rename=" "), "the new name is empty", "columns.age.rename"),
    "separator role": (
        dict(role="category", separator=";"),
        "`separator` does not apply to role 'category'",
        "columns.age.separator",
    ),
    "empty separator": (
        dict(role="multi_valued", separator=""),
        "the separator is empty",
        "columns.age.separator",
    ),
    "values role": (dict(role="number", values=("1",)), "`values` does not apply", "columns.age.values"),
    "no values": (dict(role="category", values=()), "the list of values is empty", "columns.age.values"),
    "value twice": (dict(role="category", values=("a", "a")), "stands twice", "columns.age.values"),
    "value untrimmed": (dict(role="category", values=("a ",)), "has blanks around it", "columns.age.values"),
    "value not text": (dict(role="category", values=(1,)), "not text", "columns.age.values"),
    "value with separator": (
        dict(role="multi_valued", separator=";", values=("a;b",)),
        "contains the separator",
        "columns.age.values",
    ),
    "value also blank": (
        dict(role="category", values=("a", "-"), blank=("-",)),
        "also declared as blank",
        "columns.age.values",
    ),
    "bands role": (
        dict(role="category", bands=(1,)),
        "`bands` does not apply to role 'category'",
        "columns.age.bands",
    ),
    "bands fall": (dict(role="number", bands=(18, 65, 25)), "do not increase", "columns.age.bands"),
    "bands repeat": (dict(role="number", bands=(18, 18)), "do not increase", "columns.age.bands"),
    "no bands": (dict(role="number", bands=()), "there is no band edge", "columns.age.bands"),
    "endless band": (dict(role="number", bands=(0, math.inf)), "not a finite number", "columns.age.bands"),
    "date role": (
        dict(role="text", date_format="%Y"),
        "`date_format` does not apply",
        "columns.age.date_format",
    ),
    "no format": (
        dict(role="date", date_format="day"),
        "no format of a date",
        "columns.age.date_format",
    ),
    "bad format": (
        dict(role="date", date_format="%d %B"),
        "no format of a date",
        "columns.age.date_format",
    ),
    "a lone word": (dict(role="category", values="FM"), "`values` is no list", "columns.age.values"),
    "blank not text": (
        dict(role="number", blank=[-9]),
        "a word for unknown is not text",
        "columns.age.blank",
    ),
    "decimal": (dict(role="number", decimal="'"), "the decimal mark must be", "columns.age.decimal"),
    "decimal role": (dict(role="text", decimal=","), "the decimal mark must be", "columns.age.decimal"),
    "unique role": (
        dict(role="multi_valued", unique=True),
        "`unique` does not apply to role 'multi_valued'",
        "columns.age.unique",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_declarations(case):
    settings, problem, setting = WRONG[case]
    with pytest.raises(SourceError) as raised:
        ColumnSpec(name="age", **settings)
    assert problem in str(raised.value)
    assert str(raised.value).startswith("column 'age': ")
    assert raised.value.setting == setting
    assert str(raised.value).endswith(f"[setting: {setting}]")


def test_a_column_needs_a_name():
    with pytest.raises(SourceError, match="declared without a name"):
        ColumnSpec(" ", "text")


@pytest.mark.parametrize("role", ROLES)
def test_every_role_needs_nothing_else(role):
    spec = ColumnSpec("age", role)
    assert (spec.output, spec.domain) == ("age", None)


def test_the_domain_is_what_a_column_may_hold():
    assert ColumnSpec("sex", "category", values=("F", "M")).domain == ("F", "M")
    assert ColumnSpec("age", "number", bands=(18,), rename="age_band").domain == ("under 18", "18+")
    assert ColumnSpec("age", "number", bands=(18,), rename="age_band").output == "age_band"


@pytest.mark.parametrize(
    ("bands", "labels"),
    [
        ((18, 25, 65), ("under 18", "18–24", "25–64", "65+")),
        ((0, 1, 5), ("under 0", "0", "1–4", "5+")),
        ((-10, -5, 5), ("under -10", "-10–-6", "-5–4", "5+")),
        ((0.5, 1.5), ("under 0.5", "0.5–<1.5", "1.5+")),
        ((18.0, 25.0), ("under 18", "18–24", "25+")),
        ((1_000_000, 2_500_000), ("under 1000000", "1000000–2499999", "2500000+")),
        ((2024,), ("under 2024", "2024+")),
    ],
)
def test_band_labels(bands, labels):
    assert band_labels(bands) == labels


def test_banded_by_hand():
    ages = pd.Series(
        [-1, 0, 17, 18, 24, 25, 64, 65, 120, None], dtype="Int64", name="age", index=range(5, 15)
    )
    labelled = banded(ages, (18, 25, 65))
    assert labelled.fillna("?").tolist() == [
        *("under 18", "under 18", "under 18", "18–24", "18–24", "25–64", "25–64", "65+", "65+", "?")
    ]
    assert labelled.dtype == "str"
    assert labelled.name == "age"
    assert list(labelled.index) == list(range(5, 15))
    assert banded(pd.Series([24.9, 25.0]), (18, 25)).tolist() == ["18–24", "25+"]
    assert banded(pd.Series([], dtype="Float64"), (18, 25)).dtype == "str"


def test_banded_refuses_wrong_edges():
    with pytest.raises(SourceError, match="do not increase"):
        banded(pd.Series([1]), (2, 1))


@given(
    edges=st.lists(st.integers(-1000, 1000), min_size=1, max_size=8, unique=True).map(sorted),
    numbers=st.lists(st.integers(-2000, 2000), max_size=30),
)
def test_each_number_falls_in_the_one_band_that_contains_it(edges, numbers):
    labels = band_labels(edges)
    assert len(labels) == len(set(labels)) == len(edges) + 1
    bounds = [-math.inf, *edges, math.inf]
    for number, label in zip(numbers, banded(pd.Series(numbers, dtype="Int64"), edges), strict=True):
        place = labels.index(label)
        assert bounds[place] <= number < bounds[place + 1]


@given(
    edges=st.lists(
        st.floats(-1e9, 1e9, allow_nan=False).map(lambda x: round(x, 3)), min_size=1, max_size=8, unique=True
    ).map(sorted)
)
def test_labels_are_distinct_for_any_edges(edges):
    labels = band_labels(edges)
    assert len(set(labels)) == len(edges) + 1
    assert banded(pd.Series(np.array(edges)), edges).tolist() == list(labels[1:])


def test_lists_become_tuples_so_that_a_declaration_can_be_hashed():
    spec = ColumnSpec("sex", "category", values=["F", "M"], blank=["-"])
    assert spec == ColumnSpec("sex", "category", values=("F", "M"), blank=("-",))
    assert hash(spec) == hash(ColumnSpec("sex", "category", values=("F", "M"), blank=("-",)))
