import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrtech.facts import Fact, FactList, Heading, Report, Text, check_narrative, fill_markers, narrate

TOTAL = Fact("c/total", "In 2023, {value} people were described.", 21195, "people", source_asset="c/counts")
SHARE = Fact(
    "c/share",
    "{value} were women ({low} to {high}).",
    0.12345,
    "proportion",
    0.11,
    0.14,
    "95 % interval",
    "c/counts",
)
CHANGE = Fact("c/change", "Fees at Acme 7 Ltd changed by {value}.", -3.21, source_asset="c/counts")
FACTS = [TOTAL, SHARE, CHANGE]
ALL = [fact.fact_id for fact in FACTS]


def problems(text, cited=ALL, **options):
    return [(problem.kind, problem.text) for problem in check_narrative(text, FACTS, cited, **options)]


@pytest.mark.parametrize(
    "text",
    [
        "21,195 people",
        "21195 people, 21\u202f195 people, 21.195 thousand",
        "12.3 % of them, 12.3%, 12.34 percent, 0.123",
        "from 11.0% to 14 per cent",
        "with a 95 % interval, in 2023",
        "changed by \u22123.21 or -3.21",
        "{{fact:c/total}} and {{fact:c/share|low}} {{ fact:c/share|high }}",
        "no number at all, and one of them",
    ],
)
def test_what_facts_say_may_be_said(text):
    assert problems(text) == []


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("21,196 people", "number", "21,196"),
        ("21 thousand people", "number", "21 thousand"),
        ("12% of them", "number", "12%"),
        ("12.4%", "number", "12.4%"),
        ("21195%", "number", "21195%"),
        ("fell by 3.21", "number", "3.21"),
        ("twelve people", "number", "twelve"),
        ("Twenty-one of them", "number", "Twenty-one"),
        ("a dozen", "number", "a dozen"),
        ("hundreds", "number", "hundreds"),
        ("half of them", "number", "half"),
        ("½ of them", "number", "½"),
        ("the 3rd", "number", "3rd"),
        ("٣ people", "number", "٣"),
        ("12.3‰", "number", "12.3‰"),
        ("{{fact:c/none}}", "unknown fact", "{{fact:c/none}}"),
        ("{{fact:c/total|low}}", "broken marker", "{{fact:c/total|low}}"),
        ("{{total", "broken marker", "{{"),
        ("by Acme 7 Ltd and Bolt Inc", "name", "Bolt Inc"),
    ],
)
def test_what_no_fact_says_is_found(text, kind, words):
    assert problems(text, names=["Acme 7 Ltd", "Bolt Inc"]) == [(kind, words)]


def test_a_fact_must_be_cited_to_be_told():
    assert problems("{{fact:c/total}}", cited=[]) == [("uncited fact", "{{fact:c/total}}")]
    assert problems("21,195", cited=["c/share"]) == [("number", "21,195")]
    assert problems("", cited=["c/none"]) == [("unknown fact", "c/none")]


def test_a_name_is_said_only_with_a_fact_that_names_it():
    assert problems("Acme 7 Ltd", cited=["c/total"], names=["Acme 7 Ltd"]) == [("name", "Acme 7 Ltd")]


def test_positions_point_into_the_text():
    text = "First {{fact:c/total}}, then 17 more."
    (problem,) = check_narrative(text, FACTS, ALL)
    assert text[problem.position :].startswith("17")


@given(st.integers(0, 10**9).filter(lambda number: number not in (21195, 2023, 95)))
def test_no_other_whole_number_passes(number):
    cited = ["c/total", "c/share"]
    assert problems(f"There were {number:,} of them.", cited) != []


def test_markers_are_filled_with_what_is_displayed():
    index = {fact.fact_id: fact for fact in FACTS}
    text = "{{fact:c/share|low}} to {{fact:c/share|high}}; {{fact:c/total|sentence}}"
    assert fill_markers(text, index) == "11.0% to 14.0%; In 2023, 21,195 people were described."


def test_the_default_narrative_speaks_of_facts_alone():
    report = Report(
        "c",
        "Cases",
        "{{fact:c/total}} people.",
        "open",
        (Heading("Who"), Text("Those described."), FactList(("c/share", "c/change"))),
    )
    text = narrate(report, FACTS)
    assert "- {{fact:c/share}} were women ({{fact:c/share|low}} to {{fact:c/share|high}})." in text
    assert check_narrative(text, FACTS, report.cited()) == []
    assert "12.3% were women (11.0% to 14.0%)." in fill_markers(text, {f.fact_id: f for f in FACTS})
