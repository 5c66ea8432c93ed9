"""Advice before spending: what it expects is what releases then do, and it sees no record."""

import inspect
import math
from dataclasses import replace
from statistics import median

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from hrtech.counts import encode
from hrtech.facts import (
    Text,
    check_narrative,
    facts_from_frame,
    facts_to_frame,
    report_from_frame,
    report_to_frame,
)
from hrtech.facts.frames import rows
from hrtech.pages import charts
from hrtech.pages.draw import chart_table, check_spec, draw_svg
from hrtech.pages.theme import BLUE, GREEN, SAND
from hrtech.privacy import discrete_noise
from hrtech.release import advice as advice_module
from hrtech.release.advice import (
    SimulatedNoise,
    advise,
    people_tried,
    smallest_value_found,
    spread_out,
    with_assumed_values,
)
from hrtech.release.advice_people import ALIKE, APART, invent_people
from hrtech.release.advice_telling import advice_facts, advice_report
from hrtech.release.advice_trials import World, as_many
from hrtech.release.declared import ReleaseColumn, ReleaseError, ReleaseSchema, ReleaseSettings
from hrtech.release.dry_run import dry_run
from hrtech.release.evaluation import evaluate_against_records
from hrtech.release.layout import Layout
from hrtech.release.mechanism import _draw, draw
from hrtech.release.people import LIST_DTYPE
from hrtech.release.plan import plan_release, price
from hrtech.release.publish import publish
from hrtech.release.records import holders
from hrtech.release.vocabulary import UNIT, find_values

SCHEMA = ReleaseSchema(
    (
        ReleaseColumn("sex", ("F", "M")),
        ReleaseColumn("place", tuple(f"p{k}" for k in range(9))),
        ReleaseColumn("work", tuple(f"w{k}" for k in range(5))),
        ReleaseColumn("means", ("debt", "threats", "drugs"), multi_valued=True),
    )
)
SETTINGS = ReleaseSettings(1.0, 1e-6)
PEOPLE = 3000


def advised(settings=SETTINGS, schema=SCHEMA, people=PEOPLE, epsilons=(0.5, 4.0), seed=1):
    return advise(settings, schema, people, epsilons, rng=np.random.default_rng(seed))


@pytest.fixture(scope="module")
def advice():
    return advised()


@pytest.fixture
def one_world(monkeypatch):
    monkeypatch.setattr(advice_module, "WORLDS", (ALIKE,))


def test_more_budget_tells_more(advice):
    summary = advice.summary
    assert summary["epsilon"].tolist() == [0.5, 1.0, 4.0]
    for falling in ("noise", "mean_error", "half_told", "reliably_told"):
        assert summary[falling].is_monotonic_decreasing and summary[falling].nunique() > 1, falling
    assert summary["rho"].is_monotonic_increasing and summary["told_share"].is_monotonic_increasing
    every = advice.table.loc[advice.table["band"] == "all"]
    for _, own in every.groupby("length"):
        assert own["noise"].is_monotonic_decreasing and own["expected_absolute_error"].is_monotonic_decreasing
    # groups of 2, 9, 5, 1, 1 and 1 attributes: elementary symmetric polynomials
    assert advice.cells["combinations"].tolist() == [19, 124, 358]


def test_more_people_are_told_of_more_exactly(advice):
    few, many = advice.at(1.0), advised(people=10 * PEOPLE, epsilons=(1.0,)).at(1.0)
    for absolute in ("mean_error", "half_told", "reliably_told"):
        assert many[absolute] / (10 * PEOPLE) < few[absolute] / PEOPLE / 2, absolute
    assert many["usable_share"] > few["usable_share"]


def test_the_same_generator_gives_the_same_advice(one_world):
    one, same, other = (advised(epsilons=(1.0,), people=800, seed=seed) for seed in (3, 3, 4))
    for name in ("table", "summary", "columns"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(same, name))
    assert not one.table.equals(other.table)


def test_the_ranges_of_worlds_enclose_the_expectation(advice):
    # bands with few combinations have no world of their own
    table = advice.table.loc[advice.table["combinations"] >= 20]
    assert len(table) > 10
    assert (table["error_low"] <= table["expected_absolute_error"] + 1e-9).all()
    assert (table["expected_absolute_error"] <= table["error_high"] + 1e-9).all()
    assert table[["told_share", "told_low", "told_high"]].stack().between(0, 1).all()


def test_no_table_of_people_can_be_handed_over():
    """By inspection: nothing that advises takes a frame."""
    assert list(inspect.signature(advise).parameters) == ["settings", "schema", "people", "epsilons", "rng"]
    assert list(inspect.signature(dry_run).parameters) == ["settings", "schema", "people"]


def records(people: int, rng: np.random.Generator) -> pd.DataFrame:
    """Records that nobody invented for an advice: places, each with its own work, means of some."""
    place = np.minimum(rng.geometric(0.3, people) - 1, 8)
    work = np.where(rng.random(people) < 0.6, place % 5, rng.integers(0, 5, people))
    sex = rng.random(people) < np.where(work < 2, 0.8, 0.3)
    held = rng.random((people, 3)) < np.array([0.5, 0.3, 0.1]) * np.where(sex, 1.0, 0.6)[:, None]
    blank = rng.random((people, 3)) < 0.1
    means = ("debt", "threats", "drugs")
    cells = {
        "sex": np.where(sex, "F", "M"),
        "place": np.array([f"p{k}" for k in place]),
        "work": np.array([f"w{k}" for k in work]),
    }
    return pd.DataFrame(
        {
            name: pd.Series(column, dtype="str").mask(pd.Series(gone))
            for (name, column), gone in zip(cells.items(), blank.T, strict=True)
        }
        | {
            "means": pd.Series(
                [[v for v, h in zip(means, row, strict=True) if h] or None for row in held], dtype=LIST_DTYPE
            )
        }
    )


@pytest.mark.parametrize("epsilon", [0.5, 4.0])
def test_a_release_is_off_by_what_was_expected(advice, epsilon):
    people = records(PEOPLE, np.random.default_rng(5))
    setting = replace(SETTINGS, epsilon=epsilon)
    real, noise = [], []
    for seed in range(3):
        measured = draw(people, setting, SCHEMA)
        told = publish(measured, setting, np.random.default_rng(seed))
        noise.append(told.aggregates["sd"].mean())
        real.append(
            evaluate_against_records(people, told.aggregates, None, SCHEMA, reporting_length=3).errors
        )
    mean = pd.concat(real).groupby(["length", "band"], as_index=False)[
        ["combinations", "mean_absolute_error"]
    ]
    both = mean.mean().merge(
        advice.table.loc[advice.table["epsilon"] == epsilon], on=["length", "band"], suffixes=("_real", "")
    )
    both = both.loc[(both["combinations_real"] >= 15) & ~both["band"].isin(["all", "1–9"])]
    assert len(both) >= 8
    ratio = both["expected_absolute_error"] / both["mean_absolute_error"]
    assert ratio.between(1 / 2.5, 2.5).all(), both
    assert 1 / 1.5 < median(ratio) < 1.5
    assert 1 / 1.4 < advice.at(epsilon)["noise"] / np.mean(noise) < 1.4


def test_noise_of_a_trial_is_distributed_as_that_of_a_release():
    rng = np.random.default_rng(0)
    simulated, real = SimulatedNoise(rng), discrete_noise.OpenDPNoise()
    zeros = np.zeros(20_000, dtype=np.int64)
    assert np.std(simulated.vector(zeros, 30.0)) == pytest.approx(30, rel=0.03)
    values, candidates = rng.normal(1000, 300, 1500).astype(np.int64), list(range(100, 2200, 25))
    for rho in (0.0005, 0.05):
        scale = discrete_noise.quantile_scale(0.98, rho)
        drawn = [[n.quantile(values, candidates, 0.98, scale) for _ in range(250)] for n in (simulated, real)]
        # the real noise cannot be seeded: one false alarm in a million
        assert ks_2samp(*drawn).pvalue > 1e-6
    counts = {str(k): k for k in range(200)}
    found = simulated.above_threshold(counts, 5.0, 100)
    assert min(found.values()) > 100 and set(map(str, range(130, 200))) <= set(found)


def test_invented_people_are_as_the_schema_says():
    schema = ReleaseSchema(
        (
            ReleaseColumn(
                "town", ("a", "b", "c"), parent="region", parent_values={"a": "x", "b": "x", "c": "y"}
            ),
            ReleaseColumn("region", ("x", "y")),
            ReleaseColumn("sex", ("F", "M")),
            ReleaseColumn("means", ("debt", "drugs"), multi_valued=True),
        ),
        impossible=((("town", "a"), ("sex", "M")), (("sex", "F"), ("means", "debt"))),
    )
    layout = Layout(schema, 3)
    number = {a: k for k, a in enumerate(layout.attributes)}
    for manner in (APART, ALIKE):
        states = invent_people(layout, 4000, manner, np.random.default_rng(2))
        held = holders(states, layout).astype(bool)
        assert states.shape == (4000, len(layout.groups)) and held.any(axis=0).all()
        for one, other in schema.impossible:
            assert not (held[:, number[one]] & held[:, number[other]]).any()
        assert held[held[:, number["town", "a"]], number["region", "x"]].all()
        assert (held[:, [number["sex", "F"], number["sex", "M"]]].sum(axis=1) <= 1).all()


def test_people_who_are_alike_have_fewer_records_between_them():
    layout = Layout(SCHEMA, 3)
    distinct = [
        len(np.unique(invent_people(layout, 3000, manner, np.random.default_rng(k)), axis=0))
        for manner in (APART, replace(APART, alike=10.0))
        for k in range(3)
    ]
    assert max(distinct[3:]) < min(distinct[:3])


def test_fewer_people_under_less_noise_stand_for_more():
    plan = plan_release(SETTINGS, SCHEMA)
    states = np.zeros((100, 4), dtype=np.int16)
    asked = as_many(replace(SETTINGS, people=5000), plan, World("w", states, Layout(SCHEMA, 3), 7.0))
    assert price(asked, SCHEMA).rho == pytest.approx(49 * plan.charge.rho, rel=1e-6)
    assert asked.people == 100
    same = as_many(SETTINGS, plan, World("w", states, Layout(SCHEMA, 3), 1.0))
    assert same == SETTINGS
    assert people_tried(10**6, 10**5) == 50_000 and people_tried(300, 10**5) == 300


def test_what_one_person_stands_for_scales_the_advice(monkeypatch, advice):
    monkeypatch.setattr(advice_module, "_WORK", 0)
    monkeypatch.setattr(advice_module, "_FEWEST", PEOPLE // 3)
    fewer = advised(epsilons=(1.0,))
    assert fewer.stands_for == 3 and any("stands for 3 people" in w for w in fewer.warnings)
    assert not any("stands for" in w for w in advice.warnings)
    assert fewer.at(1.0)["noise"] == pytest.approx(advice.at(1.0)["noise"], rel=0.5)
    assert fewer.at(1.0)["mean_error"] == pytest.approx(advice.at(1.0)["mean_error"], rel=0.5)


UNDECLARED = ReleaseSchema(
    (*SCHEMA.columns[:1], ReleaseColumn("job"), ReleaseColumn("ties", multi_valued=True))
)


def test_undeclared_values_are_assumed_and_told_of(one_world):
    made = advised(schema=UNDECLARED, epsilons=(0.5, 4.0))
    assert made.assumed == {"job": 10, "ties": 10}
    assert made.summary["smallest_value_found"].is_monotonic_decreasing
    assert any("job, ties are not declared; 10 were assumed" in w for w in made.warnings)
    known = with_assumed_values(replace(SETTINGS, max_cells=200), UNDECLARED)
    assert 1 <= len(known.by_name["job"].values) < 10


@pytest.mark.parametrize("others", [0, 3])
def test_the_smallest_value_that_is_found_is_found(others):
    """A value held by so many people is found in nine of ten searches, and one of half of them is not."""
    schema = ReleaseSchema(tuple(ReleaseColumn(f"c{k}") for k in range(others + 1)))
    plan = plan_release(ReleaseSettings(1.0, 1e-6), schema)
    smallest = int(smallest_value_found(plan, others + 1, 3000))
    assert 1 < smallest < 1000
    shares = []
    for number in (smallest, smallest // 2):
        frame = pd.DataFrame({f"c{k}": pd.Series(["common"] * 3000, dtype="str") for k in range(others + 1)})
        frame["c0"] = pd.Series(["rare"] * number + ["common"] * (3000 - number), dtype="str")
        names = list(frame)
        encoded = encode(frame, names)
        hits = 0
        for seed in range(200):
            rng = np.random.default_rng(seed)
            found = find_values(
                encoded, names, plan.rounds, plan.most_undeclared, 400, SimulatedNoise(rng), rng
            )
            hits += "rare" in found["c0"]
        shares.append(hits / 200)
    assert shares[0] > 0.8 and shares[1] < 0.3


def test_nothing_undeclared_is_found_among_few():
    plan = plan_release(SETTINGS, UNDECLARED)
    assert math.isnan(smallest_value_found(plan, 2.0, 5))
    assert math.isnan(smallest_value_found(plan_release(SETTINGS, SCHEMA), 1.0, 5000))


def test_advice_for_a_handful_of_people_says_that_they_are_too_few(one_world):
    made = advised(schema=UNDECLARED, people=12, epsilons=(1.0,))
    assert any("too few people" in w for w in made.warnings)
    assert any("No undeclared value" in w for w in made.warnings)
    facts = advice_facts("cases", made)
    assert advice_report("cases", "Cases", facts, made).parts


def test_warnings(one_world):
    setting = ReleaseSettings(0.25, 1e-3, reporting_length=3, largest_epsilon=2.0)
    made = advised(setting, people=1000, epsilons=(0.25, 4.0))
    said = "\n".join(made.warnings)
    assert "delta is 0.001, which is not below 1 / people" in said
    assert "epsilon 4 would be refused: the largest allowed is 2" in said
    assert "most combinations of 3 attributes will be noise" in said
    assert "Leaving out place (9 values) would save" in said and "banding its values into 3" in said


def test_no_warning_without_cause(one_world):
    said = "\n".join(
        advised(people=30_000, epsilons=(4.0,), settings=replace(SETTINGS, epsilon=4.0)).warnings
    )
    assert not [w for w in ("delta", "refused", "noise:", "too few", "declared") if w in said]


def test_the_columns_that_cost_most_come_first(advice):
    costs = advice.columns
    assert costs["column"].iloc[0] == "place" and costs["combinations"].is_monotonic_decreasing
    place = rows(costs)[0]
    # 501 are possible; without the nine places 10 + 34 + 52 are left
    assert place["combinations"] == 501 - 96
    assert 0 < place["noise_saved"] < 1 and place["bands"] == 3
    assert 0 < place["combinations_saved_by_bands"] < place["combinations_share"] < 1
    assert place["noise_saved_by_bands"] < place["noise_saved"]


@pytest.mark.parametrize(
    ("settings", "schema", "says"),
    [
        (replace(SETTINGS, max_cells=20), SCHEMA, "more than max_cells = 20"),
        (SETTINGS, ReleaseSchema((ReleaseColumn("a", ("0",)),)), "nothing to release"),
        (ReleaseSettings(2.0, 1e-15), UNDECLARED, "undeclared values"),
    ],
)
def test_what_would_be_refused_is_refused_with_the_same_words(settings, schema, says):
    with pytest.raises(ReleaseError, match=says) as real:
        draw(pd.DataFrame({c.name: pd.Series(dtype="str") for c in schema.columns}), settings, schema)
    for tried in (dry_run, lambda *given: advise(*given, rng=np.random.default_rng(0))):
        with pytest.raises(ReleaseError) as dry:
            tried(settings, schema, 1000)
        assert str(dry.value) == str(real.value)


def test_nobody_is_no_reason_to_advise():
    for tried in (dry_run, lambda *given: advise(*given, rng=np.random.default_rng(0))):
        with pytest.raises(ReleaseError, match="number of people"):
            tried(SETTINGS, SCHEMA, 0)


@pytest.mark.parametrize("schema", [SCHEMA, UNDECLARED])
def test_a_dry_run_costs_on_paper_what_the_release_would(schema):
    made, asked = dry_run(SETTINGS, schema, PEOPLE), price(SETTINGS, schema)
    assert made.charge == asked and made.epsilon <= SETTINGS.epsilon
    assert math.fsum(made.steps["rho"]) == pytest.approx(asked.rho, rel=1e-12)
    assert math.fsum(made.steps["delta"]) == pytest.approx(asked.delta, rel=1e-9, abs=0)
    assert made.steps["rho_share"].sum() == pytest.approx(1)
    assert made.steps.iloc[-1]["rho"] == 0 and made.failures == pytest.approx(0.003)
    assert (len(made.steps) == 6) is bool(schema.undeclared) and bool(made.undeclared) is bool(
        schema.undeclared
    )
    known = [2, 0, 0] if schema.undeclared else [19, 124, 358]
    assert made.cells["combinations"].tolist() == known


class Recorded(SimulatedNoise):
    """Notes how much noise is asked for, in people where it is known."""

    def __init__(self, rng):
        super().__init__(rng)
        self.scales = {"vector": [], "search": [], "bound": []}

    def vector(self, values, scale):
        self.scales["vector"].append(scale)
        return super().vector(values, scale)

    def above_threshold(self, counts, scale, threshold):
        self.scales["search"].append(scale / UNIT)
        return {key: n + threshold for key, n in counts.items()}

    def quantile(self, values, candidates, alpha, scale):
        self.scales["bound"].append(scale)
        return super().quantile(values, candidates, alpha, scale)


@pytest.mark.parametrize("people", [None, 500])
def test_noise_on_paper_is_the_noise_that_is_drawn(people):
    open_work = ReleaseSchema((SCHEMA.columns[0], ReleaseColumn("work")))
    setting = replace(SETTINGS, people=people)
    frame = records(500, np.random.default_rng(0))
    for schema in (SCHEMA, open_work):
        noise = Recorded(np.random.default_rng(0))
        _draw(frame, setting, schema, noise, np.random.default_rng(0))
        *searched, centres, bound, counts, told = dry_run(setting, schema, 500).steps["noise"]
        assert searched == pytest.approx(noise.scales["search"], rel=1e-9)
        assert centres == pytest.approx(noise.scales["vector"][0], rel=1e-9)
        assert bound == pytest.approx(noise.scales["bound"][0], rel=0.3)
        assert math.isnan(counts) and math.isnan(told)


def test_the_middle_epsilon_is_tried():
    assert spread_out({0.25: 0.002, 0.5: 0.007, 1.0: 0.024, 2.0: 0.09, 4.0: 0.31, 8.0: 1.05}) == [
        0.25,
        1.0,
        8.0,
    ]
    assert spread_out({1.0: 0.02, 2.0: 0.09}) == [1.0, 2.0]


def test_what_was_not_tried_lies_between_what_was(one_world):
    made = advised(epsilons=(0.25, 0.5, 1.0, 2.0, 8.0))
    assert made.summary["tried"].tolist() == [True, False, True, False, True]
    assert made.summary["mean_error"].is_monotonic_decreasing
    full = advised(epsilons=(0.5, 1.0, 2.0))
    for epsilon in (0.5, 2.0):
        assert made.at(epsilon)["mean_error"] == pytest.approx(full.at(epsilon)["mean_error"], rel=0.2)
        assert made.at(epsilon)["noise"] == pytest.approx(full.at(epsilon)["noise"], rel=0.1)


def test_no_number_in_its_prose_is_without_a_fact(advice):
    facts = facts_from_frame(facts_to_frame(advice_facts("cases", advice)))
    report = advice_report("cases", "Cases", facts, advice)
    assert report_from_frame(report_to_frame(report)) == report
    assert set(report.cited()) <= {fact.fact_id for fact in facts}
    for text in [report.summary, *(part.markdown for part in report.parts if isinstance(part, Text))]:
        assert check_narrative(text, facts, report.cited()) == []
    by_id = {fact.fact_id: fact for fact in facts}
    assert by_id["cases/advice.people"].value == PEOPLE
    assert by_id["cases/advice.told.0.5"].value > by_id["cases/advice.told.4"].value
    error = by_id["cases/advice.error.1"]
    assert error.low <= error.value <= error.high


def test_its_charts_are_drawn_with_their_tables(advice):
    report = advice_report("cases", "Cases", advice_facts("cases", advice), advice)
    drawn = [part for part in report.parts if hasattr(part, "spec")]
    assert len(drawn) == 2
    for chart in drawn:
        check_spec(chart.title, chart.spec)
        assert "<svg" in draw_svg(chart.spec, prefix="a", label=chart.description)
        headings, cells = chart_table(chart.spec)
        assert headings[:2] == ["held by, people", "epsilon"] and {row[1] for row in cells} == {0.5, 1, 4}


def test_a_line_for_each_series():
    data = [{"e": e, "v": v, "s": s} for s in ("one", "two") for e, v in ((0.25, 4), (1, 2), (4, 1))]
    spec = charts.lines(data, x="e", y="v", series="s", x_title="epsilon", log_x=True, colours=[GREEN, SAND])
    svg = draw_svg(spec, prefix="l", label="Lines")
    assert GREEN in svg and SAND in svg and BLUE not in svg
    for mark in ("0.25", "one", "two", "epsilon"):
        assert f">{mark}<" in svg
    assert chart_table(spec) == (
        ["s", "epsilon", "v"],
        [["one", 0.25, 4], ["one", 1, 2], ["one", 4, 1], ["two", 0.25, 4], ["two", 1, 2], ["two", 4, 1]],
    )
