"""What a comparison says in words and charts, and what it does not say because it would mislead."""

import numpy as np
import pandas as pd
import pytest

from hrtech.facts import Chart, DataTable, Text
from hrtech.groups import GroupError, GroupQuestion, Measure, compare_groups
from hrtech.groups.columns import COLUMNS
from hrtech.groups.publish import protection_table, told_tables
from hrtech.groups.reading import cut_windows, uneven
from hrtech.groups.report import UNEVEN, group_report
from hrtech.groups.telling import called, group_facts


def records(years=("2005-2013", "2014-2018", "2019"), n=600):
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "group": rng.choice(["a", "b", "c"], n),
            "years": rng.choice(list(years), n),
            "gender": rng.choice(["f", "m"], n),
            "age": rng.choice(["old", "young"], n),
            "held": pd.array(rng.random(n) < 0.3, dtype="boolean"),
        }
    )


COUNT = Measure("records", "count")
SHARE = Measure("held", "share", condition="held")
RATE = Measure("rate", "rate", denominator="people")


def told(question, table, denominators=None, **more):
    found = vars(compare_groups(table, question, denominators)) | more
    facts = group_facts("study", question, found)
    return found, group_report("study", "A title", facts, question=question, **found)


def test_counts_of_windows_that_differ_in_length_are_not_compared():
    people = pd.DataFrame({"group": list("abc"), "people": [1000.0, 2000, 3000]})
    question = GroupQuestion(groups=("group",), measures=(COUNT, SHARE, RATE), period="years")
    found, report = told(question, records(), people)
    assert set(found["changes"]["measure"]) == {"held"}
    assert report.parts.count(Text(UNEVEN)) == 2
    yearly = people.merge(
        pd.DataFrame({"years": ["2005-2013", "2014-2018", "2019"], "by": [9, 5, 1]}), how="cross"
    )
    yearly["people"] *= yearly["by"]
    found, report = told(question, records(), yearly)
    assert set(found["changes"]["measure"]) == {"held", "rate"}
    assert report.parts.count(Text(UNEVEN)) == 1
    _, report = told(question, records(), yearly, changes=found["changes"].iloc[:0])
    assert report.parts.count(Text(UNEVEN)) == 1  # that no change may be told is another matter
    found, report = told(question, records(("2019", "2020", "2021")), people)
    assert (
        set(found["changes"]["measure"]) == {"records", "held", "rate"} and Text(UNEVEN) not in report.parts
    )
    assert uneven(["2019 – 2020", "2021"]) and not uneven(["2019/2020", "2020/2021"])
    assert not uneven(["2019-01", "2019-02"]) and not uneven(["before", "2019"])


def test_a_measure_is_not_standardised_for_the_column_that_it_is_about():
    women = Measure("women", "share", condition='gender == "f"')
    question = GroupQuestion(groups=("group",), measures=(women, SHARE), standardise=("gender", "age"))
    found = compare_groups(records(), question)
    assert set(found.estimates.loc[found.estimates["standardised"], "measure"]) == {"held"}
    assert set(found.standard["measure"]) == {"held"}
    with pytest.raises(GroupError, match="for other columns than their own"):
        GroupQuestion(groups=("group",), measures=(women,), standardise=("gender",))


@pytest.mark.parametrize(
    ("first", "last", "every", "cut"),
    [
        ("2023-01-03", "2023-12-28", "year", 0),
        ("2023-04-20", "2023-12-28", "year", 1),
        ("2023-04-20", "2023-11-02", "half_year", 2),
        ("2023-04-20", "2023-06-29", "quarter", 1),
        ("2023-04-02", "2023-06-29", "month", 0),
    ],
)
def test_windows_that_the_dates_do_not_fill_are_counted(first, last, every, cut):
    dates = pd.Series(pd.date_range(first, last, freq="6h"))
    assert cut_windows(dates, every) == cut
    few = pd.Series(pd.to_datetime(["2023-03-01", "2023-06-01", "2023-10-01", None]))
    assert cut_windows(few, "year") == 0  # of three dates none need be near an end
    assert cut_windows(few.iloc[:0], "year") == 0


def test_figures_are_named_by_what_they_are():
    assert called(COUNT, False) == "the number of records"
    assert called(Measure("n", "count", words="number of women"), False) == "the number of women"
    assert called(RATE, True) == "the standardised rate"
    assert (
        called(Measure("r", "rate", exposure="x", words="reports"), True)
        == "the standardised rate of reports"
    )
    assert called(Measure("in_debt", "share", condition="held"), False) == "the share of in debt"
    assert called(Measure("m", "mean", column="age_at_entry"), False) == "the mean age at entry"
    assert called(Measure("m", "mean", column="age", words="mean age"), False) == "the mean age"


def test_no_line_goes_through_a_window_without_a_figure():
    table = records(("2019", "2020", "2021"))
    table = table[(table["group"] != "b") | (table["years"] != "2020")].reset_index(drop=True)
    question = GroupQuestion(groups=("group",), measures=(SHARE,), period="years")
    _, report = told(question, table)
    chart = next(part for part in report.parts if isinstance(part, Chart) and "over time" in part.title)
    data = [row for values in _values(chart.spec) for row in values if row.get("window") == "2020"]
    assert {row["group"]: row["value"] is None for row in data} == {"a": False, "b": True, "c": False}
    assert "Gaps are not known" in chart.description


def test_words_under_a_chart_name_no_highest_where_there_is_none():
    table = records(("2019", "2020")).assign(held=pd.array([True] * 600, dtype="boolean"))
    question = GroupQuestion(groups=("group",), measures=(SHARE, COUNT))
    _, report = told(question, table)
    charts = {part.title: part for part in report.parts if isinstance(part, Chart)}
    assert charts["The share of held, by group"].description == "The same in all."
    counts = table.groupby("group").size().sort_values()
    chart = charts["The number of records, by group"]
    assert chart.description == f"Highest in {counts.index[-1]}, lowest in {counts.index[0]}."
    assert chart.fact_ids == tuple(f"study/estimate.records.{group}" for group in reversed(counts.index))


def _values(spec):
    """Every list of rows in a chart."""
    if isinstance(spec, dict):
        if isinstance(spec.get("values"), list):
            yield spec["values"]
        for value in spec.values():
            yield from _values(value)
    elif isinstance(spec, list):
        for value in spec:
            yield from _values(value)


def test_every_column_of_every_table_says_what_it_means():
    question = GroupQuestion(groups=("group",), measures=(COUNT, SHARE), period="years", standardise=("age",))
    table = records(("2019", "2020"))
    found = vars(compare_groups(table, question))
    protection = protection_table(table, question, 10)
    open_ones = told_tables(found, protection, question)
    for noun, frame in (found | {"protection": protection}).items():
        assert set(frame.columns) == set(COLUMNS[noun]), noun
        kinds = {
            name: kind for name, (kind, _) in COLUMNS[noun].items() if kind in ("float64", "int64", "bool")
        }
        assert {name: str(frame[name].dtype) for name in kinds} == kinds, noun
    for noun, frame in open_ones.items():
        assert set(frame.columns) <= set(COLUMNS[noun]), noun


def test_tables_start_with_what_somebody_looks_for():
    table = records(tuple(str(2000 + at) for at in range(9)), 3000)
    question = GroupQuestion(groups=("group",), measures=(SHARE, COUNT), period="years")
    found, report = told(question, table)
    shown = {part.title: part for part in report.parts if isinstance(part, DataTable)}
    changes = shown["Changes from window to window"]
    p = [row[changes.columns.index("p")] for row in changes.rows]
    assert p == sorted(p) and p[0] == pytest.approx(found["changes"]["p"].min(), abs=1e-3)
    figures = shown["Figures"]
    assert [row[figures.columns.index("window")] for row in figures.rows[:6]] == ["all"] * 6
