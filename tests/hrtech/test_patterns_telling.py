"""How patterns are said, drawn, remembered and compared with what was planted."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from hrtech.facts import check_narrative, narrate, sentence
from hrtech.pages import pattern_charts
from hrtech.pages.draw import chart_table, draw_svg
from hrtech.patterns.charts import distinct_labels, lives_chart, ratios_chart, timeline_chart, together_chart
from hrtech.patterns.declared import PATTERNS, TIMELINE, PatternSettings, table
from hrtech.patterns.planted import compare_with_planted, planted_facts
from hrtech.patterns.report import pattern_report
from hrtech.patterns.tables import add_seen, newly_seen, periods_of_aggregates
from hrtech.patterns.telling import at_once, pattern_facts
from hrtech.patterns.told import by_period
from hrtech.patterns.words import in_words, short_words

MONTHS = tuple(f"2024-{month:02d}" for month in range(1, 13))
NOW = datetime(2026, 1, 5, tzinfo=UTC)


def patterns(*rows: dict) -> pd.DataFrame:
    """Patterns that state what is given; the rest is plausible."""
    made = []
    for at, row in enumerate(rows):
        plain = {
            "pattern_id": f"P{at:012x}",
            "attributes": "form:labour;region:north",
            "direction": "emerging",
            "first": "2024-03",
            "last": "2024-05",
            "observed": 40,
            "expected": 16.0,
            "known": 400,
            "total": 60,
            "known_total": 900,
            "ratio": 2.5,
            "low": 1.5,
            "high": 4.2,
            "p": 1e-6,
            "p_adjusted": 0.01,
            "tier": "strict",
            "error_rate": 0.05,
            "folded": False,
            "why_folded": "",
            "remark": "",
        } | row
        plain |= {"length": plain["attributes"].count(";") + 1, "family": plain["pattern_id"]}
        made.append(tuple(plain.get(name) for name in PATTERNS))
    return table(PATTERNS, made)


def timeline_of(found: pd.DataFrame) -> pd.DataFrame:
    rows = [
        (key, month, at + 1, 75, 5.0, 1.0, 10.0, first <= month <= last)
        for key, first, last in found[["pattern_id", "first", "last"]].itertuples(index=False)
        for at, month in enumerate(MONTHS)
    ]
    return table(TIMELINE, rows)


def test_combinations_are_said_in_words():
    assert in_words("work_origin:KHM") == "work origin KHM"
    assert in_words("a:x;b:y;c:{z}") == "a x, b y and c (z)"
    texts = ["channel:Walk-in;gender:F", "issue:True;region:Africa", "home:Africa", r"odd\:name:Long value"]
    assert short_words(texts) == [
        "Walk-in + gender F",
        "issue True + region Africa",
        "home Africa",
        "Long value",
    ]


def test_facts_say_from_what_to_what_and_how_sure():
    found = patterns({}, {"ratio": float("inf"), "low": 7.5, "high": float("inf"), "total": 40})
    volume = pd.DataFrame({"period": MONTHS, "records": [70] * 2 + [140] * 3 + [70] * 7})
    facts = {fact.fact_id.split("/")[1]: fact for fact in pattern_facts("changes", found, volume=volume)}
    key, other = (name.lower() for name in found["pattern_id"])
    ratio = facts[f"ratio.{key}"]
    assert (ratio.value, ratio.low, ratio.high) == (2.5, 1.5, 4.2)
    assert "form labour and region north" in sentence(ratio) and "from 2024-03 to 2024-05" in sentence(ratio)
    assert facts[f"share_in.{key}"].value == 40 / 400
    assert facts[f"share_outside.{key}"].value == 20 / 500
    assert facts[f"volume.{key}"].value == 2.0
    assert facts[f"chance.{key}"].value == 0.01
    assert f"ratio.{other}" not in facts and facts[f"ratio_at_least.{other}"].value == 7.5


def test_folded_patterns_are_no_findings():
    found = patterns({}, {"folded": True, "attributes": "form:labour"})
    assert {fact.row_key for fact in pattern_facts("changes", found)} == {found["pattern_id"][0]}


def test_the_report_speaks_of_facts_alone():
    found = patterns(
        {}, {"attributes": "age:18–24;form:labour", "direction": "fading", "ratio": 0.4, "low": 0.2}
    )
    facts = pattern_facts("changes", found)
    report = pattern_report(
        "changes", "What changes", facts, promise="open", patterns=found, timeline=timeline_of(found)
    )
    text = narrate(report, facts)
    assert check_narrative(text, facts, report.cited()) == []
    assert "age 18–24" in " ".join(getattr(part, "text", "") for part in report.parts).lower()


def test_charts_show_what_the_tables_hold():
    found = patterns({}, {"attributes": "region:north;sex:female", "first": "2024-07", "last": "2024-07"})
    lines = timeline_of(found)
    row = found.to_dict("records")[0]
    mine = lines.loc[lines["pattern_id"] == row["pattern_id"]]
    one = timeline_chart("changes", row, mine, source="timeline")
    headings, cells = chart_table(one.spec)
    at = {name: place for place, name in enumerate(headings)}
    assert [cell[at["records observed"]] for cell in cells] == list(range(1, 13))
    assert [cell[at["period"]] for cell in cells if cell[at["In the window"]]] == [
        "2024-03",
        "2024-04",
        "2024-05",
    ]
    assert one.description.startswith("12 records from 2024-03 to 2024-05, where 15.0 were expected")

    lives = lives_chart("changes", found, lines, source="timeline")
    _, cells = chart_table(lives.spec)
    assert len(cells) == 24 and cells[11][2] == 12 / 5.0
    ratios = ratios_chart(pattern_facts("changes", found), distinct_labels(found))
    _, cells = chart_table(ratios.spec)
    assert [cell[1] for cell in cells] == [2.5, 2.5]
    together = together_chart("changes", found, source="patterns")
    _, cells = chart_table(together.spec)
    assert {tuple(cell[:2]) for cell in cells} >= {
        ("form labour", "region north"),
        ("sex female", "region north"),
    }
    pairs = [("a", "b", 2.7), ("a", "c", 4.0), ("b", "c", 2.3)]
    drawn = pattern_charts.together(
        [{"one": one, "other": other, "change": change} for one, other, change in pairs],
        one="one", other="other", value="change", names=["a", "b", "c"],
    )  # fmt: skip
    (light,) = [
        layer["encoding"]["color"]["condition"]["test"]
        for layer in drawn["layer"]
        if "condition" in layer["encoding"]["color"]
    ]
    assert 2.7 < float(light.rsplit("> ", 1)[1]) < 4.0  # pale cells have dark numbers
    nowhere_else = found.assign(ratio=[np.inf, *found["ratio"].iloc[1:]], low=[7.5, *found["low"].iloc[1:]])
    _, cells = chart_table(together_chart("changes", nowhere_else, source="patterns").spec)
    assert 7.5 in {cell[2] for cell in cells} and max(cell[2] for cell in cells) < 100
    for chart in (one, lives, ratios, together):
        assert draw_svg(chart.spec, prefix="a", label="b").startswith("<svg")


def test_blocks_are_drawn_as_their_means():
    told = pd.DataFrame(
        {
            "pattern_id": ["P1", "P1"],
            "period": ["2024-01 to 2024-03", "2024-04"],
            "first": ["2024-01", "2024-04"],
            "last": ["2024-03", "2024-04"],
            "periods": ["2024-01; 2024-02; 2024-03", "2024-04"],
            "observed": pd.array([12, 30], dtype="Int64"),
            "expected": [9.0, 3.0],
            "low": [3.0, 0.0],
            "high": [15.0, 6.0],
            "in_window": [False, True],
        }
    )
    long = by_period(told)
    assert list(long["period"]) == ["2024-01", "2024-02", "2024-03", "2024-04"]
    assert list(long["observed"]) == [4.0, 4.0, 4.0, 30.0]
    assert list(long["high"]) == [5.0, 5.0, 5.0, 6.0]


def test_what_changed_at_once_overlaps_in_time():
    found = patterns(
        {},
        {"attributes": "form:labour;sex:female", "first": "2024-05", "last": "2024-06"},
        {"attributes": "sex:male", "first": "2024-08", "last": "2024-08"},
    )
    pairs = at_once(found, pd.Series(MONTHS))
    ids = list(found["pattern_id"])
    assert set(zip(pairs["pattern_id"], pairs["other_id"], strict=True)) == {
        (ids[0], ids[1]),
        (ids[1], ids[0]),
    }
    assert list(pairs["shared_attributes"]) == [1, 1]


TRUTH = pd.DataFrame(
    {
        "attributes": ["a:x;b:y", "a:z;b:y;c:w", "c:v;d:u", "b:q;c:v", None],
        "start": pd.to_datetime(["2024-03-01", "2024-06-01", "2024-09-01", "2024-01-01", "2024-04-01"]),
        "end": pd.to_datetime(["2024-04-30", "2024-07-31", "2024-10-31", "2024-12-31", "2024-04-30"]),
        "expected": [10.0] * 5,
        "extra": [20] * 5,
        "kind": ["emerging", "emerging", "emerging", "seasonal", "surge"],
    }
)


def test_what_was_planted_is_found_exactly_in_part_or_not():
    found = patterns(
        {"attributes": "a:x;b:y", "first": "2024-04", "last": "2024-05"},
        {"attributes": "a:z;b:y", "first": "2024-06", "last": "2024-06", "tier": "exploratory"},
        {"attributes": "c:v;d:u", "first": "2024-01", "last": "2024-02"},
        {"attributes": "b:q;c:v", "first": "2024-01", "last": "2024-01"},
        {"attributes": "d:other", "first": "2024-01", "last": "2024-01"},
        {"attributes": "a:z;b:y;c:w", "first": "2024-06", "last": "2024-07", "folded": True},
    )
    compared = compare_with_planted(found, TRUTH, PatternSettings(time="seen"))
    assert list(compared["found"]) == ["exactly", "in part", "no", "exactly", "no"]
    assert list(compared["first"]) == ["2024-03", "2024-06", "2024-09", "2024-01", "2024-04"]
    facts = {fact.fact_id.split("/")[1]: fact.value for fact in planted_facts("s", compared, found)}
    assert facts == {
        "planted": 3,
        "planted_found": 1,
        "planted_found_strict": 1,
        "planted_in_part": 1,
        "decoys": 2,
        "decoys_reported": 1,
        "unplanted": 1,
    }


def test_history_grows_only_where_the_answer_changed():
    one = patterns({})
    first = add_seen(one, MONTHS, None, NOW)
    assert list(first["status"]) == ["first"]
    assert add_seen(one, MONTHS, first, NOW).equals(first)
    later = patterns(
        {"first": "2024-04", "last": "2024-06", "pattern_id": "Pmoved"}, {"attributes": "sex:male"}
    )
    second = add_seen(later, MONTHS, first, NOW)
    assert list(second["snapshot"]) == [1, 2, 2]
    assert list(second["status"]) == ["first", "known", "new"]
    assert list(newly_seen(second)["attributes"]) == ["sex:male"]
    none = add_seen(patterns(), MONTHS, second, NOW)
    assert len(none) == 4 and none["pattern_id"].isna().iloc[-1]
    assert newly_seen(none).empty
    again = add_seen(one, MONTHS, none, NOW)
    assert list(again["status"])[-1] == "new"


def test_periods_of_a_release_are_its_own_counts():
    aggregates = pd.DataFrame(
        {
            "length": [1, 1, 1, 2],
            "attributes": [
                "quarter:2024-Q1",
                "quarter:2024-Q3",
                "form:labour",
                "form:labour;quarter:2024-Q1",
            ],
            "count": [100, 80, 90, 40],
        }
    )
    made = periods_of_aggregates(aggregates, PatternSettings(time="quarter"))
    assert made.to_dict("list") == {"period": ["2024-Q1", "2024-Q2", "2024-Q3"], "records": [100, 0, 80]}


@pytest.mark.parametrize("number", [0, 1])
def test_a_report_of_few_patterns_is_whole(number):
    found = patterns(*[{}] * number)
    facts = pattern_facts("changes", found)
    report = pattern_report(
        "changes", "What changes", facts, promise="open", patterns=found, timeline=timeline_of(found)
    )
    assert report.summary and check_narrative(report.summary, facts, report.cited()) == []
