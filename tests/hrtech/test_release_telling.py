"""What a release tells stands on released tables, and every number in its words is a fact's."""

import numpy as np
import pandas as pd
import pytest

from hrtech.facts import Text, check_narrative
from hrtech.privacy.marginals import MarginalColumn, MarginalsSchema, MarginalsSettings, draw
from hrtech.privacy.release_evaluation import evaluate_publicly
from hrtech.privacy.telling import release_facts, release_report
from hrtech.privacy.terms import read_release, terms_table

SCHEMA = MarginalsSchema((MarginalColumn("kind", ("a 1", "b+")), MarginalColumn("place", None)))


@pytest.fixture(scope="module")
def made():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "kind": pd.Series(rng.choice(["a 1", "b+"], 4000), dtype="str"),
            "place": pd.Series(rng.choice(["north", "south"], 4000), dtype="str"),
        }
    )
    # a declared cap makes the release warn, in words with a number
    return draw(frame, MarginalsSettings(epsilon=2.0, delta=1e-6, max_attributes_per_person=1), SCHEMA)


def test_terms_are_read_back_whole(made):
    again = read_release(made.aggregates, terms_table(made))
    assert (again.people, again.people_low, again.people_high) == (
        made.people,
        made.people_low,
        made.people_high,
    )
    assert again.columns == made.columns and again.parameters == dict(made.parameters)
    assert again.warnings == made.warnings and made.warnings


def test_each_count_of_one_attribute_is_a_fact_with_its_interval(made):
    facts = {fact.row_key: fact for fact in release_facts("cases", made.aggregates, terms_table(made))}
    ones = made.aggregates[made.aggregates["length"] == 1]
    assert len(facts) == len(ones) + 1
    for attributes, count, low, high in ones[["attributes", "count", "low", "high"]].itertuples(index=False):
        fact = facts[attributes]
        assert (fact.value, fact.low, fact.high) == (count, low, high)
        assert fact.uncertainty == "95 % interval from the privacy noise"
    assert facts["people"].value == made.people


def test_ids_hold_whatever_a_value_holds(made):
    ids = {fact.fact_id for fact in release_facts("cases", made.aggregates, terms_table(made))}
    assert {"cases/people", "cases/kind.a-1", "cases/kind.b-plus"} <= ids


@pytest.mark.parametrize("learned", [(), ("place",)])
def test_no_number_in_its_prose_is_without_a_fact(made, learned):
    facts = release_facts("cases", made.aggregates, terms_table(made))
    report = release_report(
        "cases",
        "Cases",
        facts,
        aggregates=made.aggregates,
        terms=terms_table(made),
        expected_errors=evaluate_publicly(made),
        learned=learned,
    )
    prose = [report.summary, *(part.markdown for part in report.parts if isinstance(part, Text))]
    for text in prose:
        assert check_narrative(text, facts, report.cited()) == []
    told = str(report.parts)
    assert ("taken from the data itself" in told) is bool(learned)
