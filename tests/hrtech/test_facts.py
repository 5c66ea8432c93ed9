import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrtech.facts import (
    FACT_COLUMNS,
    Fact,
    FactError,
    facts_from_frame,
    facts_to_frame,
    format_number,
    index_facts,
    sentence,
)
from hrtech.facts.spoken import shown_number


def fact(**changed) -> Fact:
    given = {
        "fact_id": "cases/total",
        "statement": "{value} people are described.",
        "value": 21195,
        "unit": "people",
        "source_asset": "cases/counts",
    }
    return Fact(**(given | changed))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"fact_id": "Cases/total"}, "fact id"),
        ({"fact_id": "total"}, "fact id"),
        ({"fact_id": "cases/a b"}, "fact id"),
        ({"fact_id": "cases/<script>"}, "fact id"),
        ({"statement": "{value} of {total}"}, "{total}"),
        ({"statement": "{value.real}"}, "{value.real}"),
        ({"statement": "{value:.2f}"}, "without format"),
        ({"statement": "{value!r}"}, "without format"),
        ({"statement": "{value"}, "no template"),
        ({"statement": "{value} from {low}"}, "low is not given"),
        ({"statement": " "}, "empty"),
        ({"value": None}, "not told"),
        ({"value": math.nan}, "not told"),
        ({"value": pd.NA}, "not told"),
        ({"value": math.inf}, "not finite"),
        ({"value": True}, "not a number"),
        ({"value": "21195"}, "not a number"),
        ({"value": 2**53 + 1}, "too large"),
        ({"low": 3, "high": 2}, "low is above high"),
        ({"source_asset": ""}, "source_asset"),
        ({"unit": None}, "unit is not text"),
    ],
)
def test_a_wrong_fact_is_refused_with_its_reason(changed, says):
    with pytest.raises(FactError) as caught:
        fact(**changed)
    assert says in str(caught.value)


def test_a_sentence_says_value_interval_and_unit():
    share = fact(
        fact_id="cases/share",
        statement="{value} were women ({low} to {high}).",
        value=0.12345,
        unit="proportion",
        low=0.11,
        high=0.14,
    )
    # half width 1.5 percentage points: one decimal gives it two significant digits
    assert sentence(share) == "12.3% were women (11.0% to 14.0%)."
    assert sentence(fact(statement="{value} {unit}")) == "21,195 people"


@pytest.mark.parametrize(
    ("number", "unit", "ends", "shown"),
    [
        (1234567, "", (None, None), "1,234,567"),
        (0, "", (None, None), "0"),
        (-0.0004, "", (None, None), "\u22120.0004"),
        (3.14159, "", (None, None), "3.14"),
        (0.5, "", (None, None), "0.5"),
        (31415.9, "", (None, None), "31,416"),
        (0.5, "", (0.41, 0.59), "0.500"),
        (0.5, "", (0.1, 0.9), "0.50"),
        (1234.5, "", (1000, 1400), "1,234"),
        (-1234, "people", (None, None), "\u22121,234"),
        (12.6, "people", (10.2, 15.1), "13"),
        (2023, "year", (None, None), "2023"),
        (18450000, "EUR", (None, None), "€18,450,000"),
        (-5, "USD", (None, None), "\u2212US$5"),
        (12.5, "percent", (None, None), "12.5%"),
        (0.07, "proportion", (None, None), "7%"),
        (1e-9, "", (None, None), "1e\u22129"),
        (-0.0001, "", (-3.0, 3.0), "0.0"),
    ],
)
def test_numbers_are_rounded_by_their_uncertainty(number, unit, ends, shown):
    assert format_number(number, unit, low=ends[0], high=ends[1]) == shown


@given(st.floats(-1e12, 1e12).filter(lambda value: value == 0 or abs(value) > 1e-12))
def test_a_displayed_number_reads_back_within_its_rounding(value):
    shown, decimals = shown_number(format_number(value))
    assert abs(shown - value) <= 0.5 * 10.0**-decimals * (1 + 1e-6)


numbers = st.floats(-1e15, 1e15, allow_nan=False)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="{}\x00"), max_size=30)
facts = st.builds(
    lambda name, words, value, ends, unit, note, row: Fact(
        f"study/{name}",
        "{value} " + words,
        value,
        unit,
        min(ends) if ends else None,
        max(ends) if ends else None,
        note,
        "study/table",
        row,
    ),
    st.from_regex(r"[a-z0-9_.-]{1,8}", fullmatch=True),
    texts,
    numbers,
    st.none() | st.tuples(numbers, numbers),
    texts,
    texts,
    texts,
)


@given(st.lists(facts, max_size=5, unique_by=lambda each: each.fact_id))
def test_facts_survive_their_table(told):
    frame = facts_to_frame(told)
    assert list(frame.columns) == list(FACT_COLUMNS)
    assert facts_from_frame(frame) == told


def test_facts_survive_parquet(tmp_path):
    told = [fact(), fact(fact_id="cases/low", statement="from {low}", low=1, uncertainty="bound")]
    facts_to_frame(told).to_parquet(tmp_path / "facts.parquet")
    assert facts_from_frame(pd.read_parquet(tmp_path / "facts.parquet")) == told


def test_an_id_that_occurs_twice_is_named():
    with pytest.raises(FactError, match="cases/total is given twice"):
        index_facts([fact(), fact()])


def test_a_table_that_is_not_one_of_facts_is_refused():
    frame = facts_to_frame([fact()])
    with pytest.raises(FactError, match="needs the columns"):
        facts_from_frame(frame.drop(columns="unit"))
    frame["value"] = pd.array([None], dtype="Float64")
    with pytest.raises(FactError, match="cases/total: value is not a number"):
        facts_from_frame(frame)
