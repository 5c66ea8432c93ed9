"""What disclosure control withholds, by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrtech.facts import Fact
from hrtech.privacy.disclosure import control_facts


def count(name, value, unit="people", table="cells"):
    return Fact(f"study/{name}", "{value} of them.", value, unit, source_asset=f"study/{table}")


def told(facts, minimum=10):
    return [fact.fact_id.removeprefix("study/") for fact in control_facts(facts, minimum)]


def test_a_small_count_and_the_one_that_would_give_it_back_are_withheld():
    facts = [count("total", 100), count("north", 4), count("south", 36), count("west", 60)]
    assert told(facts) == ["total", "west"]


def test_two_small_counts_hide_each_other():
    facts = [count("total", 100), count("north", 4), count("south", 6), count("west", 90)]
    assert told(facts) == ["total", "west"]


def test_zero_and_the_minimum_itself_are_told():
    assert told([count("none", 0), count("ten", 10), count("all", 50)]) == ["none", "ten", "all"]


def test_tables_are_judged_apart():
    facts = [count("north", 4, table="a"), count("south", 40, table="a"), count("east", 40, table="b")]
    assert told(facts) == ["east"]


def test_an_estimate_about_few_people_is_withheld():
    estimate = Fact("study/effect", "It is {value}.", 0.2, "difference", source_asset="study/effect")
    assert told([estimate, count("exposed", 50), count("unexposed", 60)]) == [
        "effect",
        "exposed",
        "unexposed",
    ]
    assert "effect" not in told([estimate, count("exposed", 4), count("unexposed", 60)])


def test_small_numbers_of_things_that_are_nobody_are_told():
    assert told([count("attempts", 3, unit="attempts")]) == ["attempts"]


def test_a_minimum_that_protects_nobody_is_refused():
    with pytest.raises(ValueError, match="minimum_cell is 2: below 3 it protects nobody"):
        control_facts([], 2)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=8), st.integers(3, 15))
def test_no_told_count_is_small_and_no_single_gap_can_be_filled(values, minimum):
    facts = [count(f"c{index}", value) for index, value in enumerate(values)]
    kept = control_facts(facts, minimum)
    assert all(fact.value == 0 or fact.value >= minimum for fact in kept)
    gaps = len(facts) - len(kept)
    assert gaps != 1 or len(facts) == 1 or all(fact.value == 0 for fact in kept)
