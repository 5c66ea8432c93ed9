"""The private release: its promise, its price, and what comes out."""

import inspect
import itertools
import json
import math
from dataclasses import fields

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrtech.counts import EncodingError, count_combinations, encode, parse_attributes, render_attributes
from hrtech.privacy import marginals
from hrtech.privacy.accounting import epsilon_of, rho_of
from hrtech.privacy.discrete_noise import OpenDPNoise
from hrtech.privacy.marginals import (
    BudgetShares,
    MarginalColumn,
    MarginalsError,
    MarginalsRelease,
    MarginalsSchema,
    MarginalsSettings,
    draw,
    price,
)

LISTS = pd.ArrowDtype(pa.list_(pa.string()))
SCHEMA = MarginalsSchema(
    (
        MarginalColumn("sex", ("F", "M")),
        MarginalColumn("age", ("adult", "minor")),
        MarginalColumn("means", ("debt", "drugs", "threats"), multi_valued=True),
    )
)
OPEN_SCHEMA = MarginalsSchema((SCHEMA.columns[0], MarginalColumn("town"), SCHEMA.columns[2]))


def people(rows):
    return pd.DataFrame(
        {
            "sex": pd.array([r[0] for r in rows], dtype="str"),
            "age": pd.array([r[1] for r in rows], dtype="str"),
            "means": pd.array([r[2] for r in rows], dtype=LISTS),
        }
    )


def towns(rows):
    return people(rows).rename(columns={"age": "town"})


class NoNoise:
    """The seam: exact counts, and what the mechanism asked to be made noisy."""

    def __init__(self):
        self.asked = []
        self.keys = None

    def vector(self, values, scale):
        self.asked.append((np.array(values), scale))
        return np.array(values, dtype=np.int64)

    def above_threshold(self, counts, scale, threshold):
        self.keys = (dict(counts), scale, threshold)
        return {k: n for k, n in counts.items() if n >= threshold}


def without_noise(frame, setting, schema, seed=0):
    noise = NoNoise()
    return marginals._draw(frame, setting, schema, noise, np.random.default_rng(seed)), noise


person = st.tuples(
    st.sampled_from([None, "F", "M"]),
    st.sampled_from([None, "adult", "minor"]),
    st.one_of(st.none(), st.lists(st.sampled_from(["debt", "drugs", "threats"]), unique=True).map(sorted)),
)
groups = st.lists(person, max_size=30)
EXAMPLE = MarginalsSettings(epsilon=2.0, delta=1e-6)


@settings(max_examples=50, deadline=None)
@given(rows=groups)
def test_without_noise_the_release_is_the_exact_counts(rows):
    frame = people(rows)
    release, _ = without_noise(frame, MarginalsSettings(2.0, 1e-6, publish_above=0), SCHEMA)
    exact = count_combinations(encode(frame, ["sex", "age", "means"]), 2).to_frame()
    got = release.aggregates.set_index("attributes")["count"].to_dict()
    assert got == exact.set_index("attributes")["count"].to_dict()
    assert release.people == len(rows)


@settings(max_examples=100, deadline=None)
@given(rows=groups, newcomer=person, cap=st.one_of(st.none(), st.integers(1, 6)), seed=st.integers(0, 99))
def test_one_person_moves_each_vector_by_at_most_its_sensitivity(rows, newcomer, cap, seed):
    """Neighbours: the same people with and without one more (everybody's own random choice unchanged)."""
    setting = MarginalsSettings(2.0, 1e-6, max_attributes_per_person=cap)
    _, one = without_noise(people(rows), setting, SCHEMA, seed)
    _, other = without_noise(people([*rows, newcomer]), setting, SCHEMA, seed)
    k = min(cap or 5, 5)
    squared = [1, k, k * (k - 1) // 2]
    assert len(one.asked) == len([s for s in squared if s])
    for (a, _), (b, _), most in zip(one.asked, other.asked, squared, strict=False):
        assert ((a - b) ** 2).sum() <= most
    if cap is None and newcomer == ("F", "adult", ["debt", "drugs", "threats"]):
        assert [
            ((a - b) ** 2).sum() for (a, _), (b, _) in zip(one.asked, other.asked, strict=True)
        ] == squared


def test_the_sensitivity_is_attained():
    setting = MarginalsSettings(2.0, 1e-6)
    _, nobody = without_noise(people([]), setting, SCHEMA)
    _, one = without_noise(people([("F", "adult", ["debt", "drugs", "threats"])]), setting, SCHEMA)
    moved = [((a - b) ** 2).sum() for (a, _), (b, _) in zip(nobody.asked, one.asked, strict=True)]
    assert moved == [1, 5, 10]


@settings(max_examples=50, deadline=None)
@given(rows=groups, newcomer=person, cap=st.integers(1, 5))
def test_one_person_moves_undeclared_keys_by_at_most_one_each(rows, newcomer, cap):
    schema = MarginalsSchema(
        (SCHEMA.columns[0], MarginalColumn("town"), MarginalColumn("means", multi_valued=True))
    )
    setting = MarginalsSettings(2.0, 1e-6, max_attributes_per_person=cap)
    _, one = without_noise(towns(rows), setting, schema, 7)
    _, other = without_noise(towns([*rows, newcomer]), setting, schema, 7)
    before, after = one.keys[0], other.keys[0]
    moved = [after.get(k, 0) - before.get(k, 0) for k in set(before) | set(after)]
    assert set(moved) <= {0, 1} and sum(moved) <= cap
    assert all(json.loads(k)[0] in ("town", "means") for k in after)


def gaussian_map(scale, distance):
    from opendp.domains import atom_domain, vector_domain
    from opendp.measurements import make_gaussian
    from opendp.metrics import l2_distance

    return make_gaussian(vector_domain(atom_domain(T="i64")), l2_distance(T="f64"), scale).map(distance)


@pytest.mark.parametrize(("epsilon", "delta"), [(0.1, 1e-5), (1.0, 1e-6), (4.0, 1e-9)])
@pytest.mark.parametrize("cap", [None, 3])
def test_the_charge_is_opendps_map_of_the_noise_that_was_drawn(epsilon, delta, cap):
    setting = MarginalsSettings(epsilon, delta, max_attributes_per_person=cap)
    _, noise = without_noise(people([("F", "adult", ["debt"])]), setting, SCHEMA)
    k = cap or 5
    distances = [1.0, math.nextafter(math.sqrt(k), 9), math.nextafter(math.sqrt(k * (k - 1) / 2), 9)]
    charge = sum(gaussian_map(scale, d) for (_, scale), d in zip(noise.asked, distances, strict=True))
    asked = price(setting, SCHEMA)
    assert asked.rho == pytest.approx(charge, rel=1e-12)
    assert asked.rho >= charge * (1 - 1e-15) and asked.delta == 0
    # all of the budget and no more
    assert rho_of(epsilon, delta) * (1 - 1e-6) < asked.rho <= rho_of(epsilon, delta)
    assert epsilon_of(asked.rho, delta) <= epsilon


def test_undeclared_values_cost_delta_by_opendps_map():
    from opendp.domains import atom_domain, map_domain
    from opendp.measurements import make_gaussian_threshold
    from opendp.metrics import absolute_distance, l02inf_distance

    setting = MarginalsSettings(2.0, 1e-6)
    _, noise = without_noise(towns([("F", "here", None)] * 3), setting, OPEN_SCHEMA)
    _, scale, threshold = noise.keys
    domain = map_domain(atom_domain(T="String"), atom_domain(T="i64"))
    metric = l02inf_distance(absolute_distance(T="f64"))
    rho, delta = make_gaussian_threshold(domain, metric, scale, threshold=threshold).map((1, 1.0, 1.0))
    asked = price(setting, OPEN_SCHEMA)
    assert asked.delta == delta and 0 < delta <= 1e-7
    assert (
        make_gaussian_threshold(domain, metric, scale, threshold=threshold - 1).map((1, 1.0, 1.0))[1] > 1e-7
    )
    distances = [1.0, math.nextafter(math.sqrt(5), 9), math.nextafter(math.sqrt(10), 9)]
    rest = sum(gaussian_map(s, d) for (_, s), d in zip(noise.asked, distances, strict=True))
    assert asked.rho == pytest.approx(rho + rest, rel=1e-12)
    assert epsilon_of(asked.rho, 1e-6, asked.delta) <= 2.0


def test_the_price_is_known_without_data_and_the_same_for_any_data():
    asked = price(EXAMPLE, SCHEMA)
    for rows in ([], [("F", "minor", ["debt"])] * 50):
        release, _ = without_noise(people(rows), EXAMPLE, SCHEMA)
        assert (release.parameters["rho"], release.parameters["delta"]) == (asked.rho, asked.delta)


def test_shares_divide_the_budget():
    setting = MarginalsSettings(
        2.0, 1e-6, shares=BudgetShares(people=1, vocabulary=1, length_1=1, length_2=2)
    )
    _, noise = without_noise(people([]), setting, SCHEMA)
    rho = rho_of(2.0, 1e-6)
    spent = [most / (2 * scale**2) for (_, scale), most in zip(noise.asked, [1, 5, 10], strict=True)]
    assert spent == pytest.approx([rho / 4, rho / 4, rho / 2], rel=1e-6)
    short = MarginalsSettings(2.0, 1e-6, reporting_length=1)
    release, noise = without_noise(people([("F", "adult", None)] * 40), short, SCHEMA)
    assert len(noise.asked) == 2 and set(release.aggregates["length"]) == {1}
    assert price(short, SCHEMA).rho == pytest.approx(rho, rel=1e-6)


def test_nothing_public_reaches_the_seam():
    assert list(inspect.signature(draw).parameters) == ["frame", "settings", "schema"]
    names = {
        f.name for c in (MarginalsSettings, MarginalsSchema, MarginalColumn, BudgetShares) for f in fields(c)
    }
    assert not {n for n in names if "noise" in n or "seed" in n or "random" in n}
    source = inspect.getsource(draw)
    assert "OpenDPNoise()" in source and "secrets" in source


class Recorded(NoNoise):
    """Real noise, remembered."""

    def __init__(self):
        super().__init__()
        self.real, self.drawn = OpenDPNoise(), []

    def vector(self, values, scale):
        noisy = self.real.vector(values, scale)
        self.drawn.append((noisy - values) / scale)
        return noisy


def test_the_noise_has_the_variance_it_is_charged_for():
    frame, noise = people([("F", "adult", ["debt"])] * 20), Recorded()
    for _ in range(150):
        marginals._draw(frame, EXAMPLE, SCHEMA, noise, np.random.default_rng(0))
    z = np.concatenate(noise.drawn)
    assert len(z) == 150 * (1 + 7 + 19)
    # five standard errors: of the mean 1/sqrt(n), of the variance sqrt(2/n)
    assert abs(z.mean()) < 5 / math.sqrt(len(z))
    assert abs(z.var() - 1) < 5 * math.sqrt(2 / len(z))
    fourth = (z**4).mean()
    assert abs(fourth - 3) < 5 * math.sqrt(96 / len(z))


def consistent(release, schema):
    counts = release.aggregates.set_index("attributes")["count"]
    single = {c.name for c in schema.columns if not c.multi_valued}
    for text, n in counts.items():
        assert n >= 1
        parts = parse_attributes(text)
        if len(parts) == 2:
            assert all(n <= counts[render_attributes([p])] for p in parts)
    ones = [(parse_attributes(t)[0], n) for t, n in counts.items() if len(parse_attributes(t)) == 1]
    for column in single:
        assert sum(n for (c, _), n in ones if c == column) <= release.people
        for item, n in ones:
            with_item = [
                m
                for t, m in counts.items()
                if len(p := parse_attributes(t)) == 2
                and item in p
                and any(c == column for c, _ in set(p) - {item})
            ]
            # each of the pairs is rounded by at most a half
            assert item[0] == column or sum(with_item) <= n + len(with_item) / 2


@settings(max_examples=60, deadline=None)
@given(rows=groups, epsilon=st.floats(0.05, 10), publish_above=st.floats(0, 3))
def test_what_is_published_is_consistent(rows, epsilon, publish_above):
    setting = MarginalsSettings(epsilon, 1e-6, publish_above=publish_above)
    release = draw(people(rows), setting, SCHEMA)
    assert release.people >= 0 and 0 <= release.people_low <= release.people <= release.people_high
    table = release.aggregates
    assert table["count"].dtype == np.int64 and table["attributes"].is_unique
    assert ((table["low"] >= 0) & (table["low"] <= table["count"]) & (table["count"] <= table["high"])).all()
    consistent(release, SCHEMA)


def big_table(n=6000, seed=1):
    rng = np.random.default_rng(seed)
    names = np.array(["debt", "drugs", "threats"])
    return people(
        [
            (("F", "M")[a], ("adult", "minor")[b], names[held].tolist())
            for a, b, held in zip(
                rng.integers(0, 2, n), rng.integers(0, 2, n), rng.random((n, 3)) < 0.5, strict=True
            )
        ]
    )


def test_intervals_cover_the_truth_as_often_as_they_say():
    frame = big_table()
    exact = count_combinations(encode(frame, ["sex", "age", "means"]), 2).to_frame()
    truth = exact.set_index("attributes")["count"]
    inside, total, counted = 0, 0, 0
    for _ in range(120):
        release = draw(frame, MarginalsSettings(1.0, 1e-6), SCHEMA)
        table = release.aggregates.set_index("attributes")
        assert len(table) == len(truth)
        inside += int(((table["low"] <= truth[table.index]) & (truth[table.index] <= table["high"])).sum())
        total += len(table)
        counted += release.people_low <= len(frame) <= release.people_high
    assert total == 120 * 26
    # 95 %, five standard errors; discreteness and reaching to the count add at most a little
    assert 0.93 < inside / total < 0.985
    assert counted / 120 > 0.95 - 5 * math.sqrt(0.05 * 0.95 / 120)


def test_published_counts_are_as_far_off_as_the_noise():
    frame, setting = big_table(), MarginalsSettings(1.0, 1e-6)
    truth = (
        count_combinations(encode(frame, ["sex", "age", "means"]), 2)
        .to_frame()
        .set_index("attributes")["count"]
    )
    errors = []
    for _ in range(30):
        table = draw(frame, setting, SCHEMA).aggregates.set_index("attributes")
        errors += list(((table["count"] - truth[table.index]) / table["sd"]).to_numpy())
    # nothing is unknown here: bounds by the parents lower the counts somewhat, and spread them less
    assert -0.6 < np.mean(errors) < 0.3 and 0.5 < np.std(errors) < 1.1


def test_high_thresholds_suppress_and_low_ones_fabricate():
    frame = people([("F", "adult", ["debt"])] * 3000)
    fabricated = {}
    for publish_above in (0.0, 3.0):
        setting = MarginalsSettings(1.0, 1e-6, publish_above=publish_above)
        held = {frozenset(p) for n in (1, 2) for p in itertools.combinations(
            [("sex", "F"), ("age", "adult"), ("means", "debt")], n)}  # fmt: skip
        fabricated[publish_above] = sum(
            frozenset(parse_attributes(t)) not in held
            for _ in range(10)
            for t in draw(frame, setting, SCHEMA).aggregates["attributes"]
        )
    assert fabricated[3.0] <= 2 < 10 < fabricated[0.0]


def test_undeclared_values_come_out_when_many_hold_them():
    frame = towns([("F", "here", ["debt"])] * 2000 + [("M", "tiny", None)])
    release = draw(frame, MarginalsSettings(2.0, 1e-6), OPEN_SCHEMA)
    assert release.vocabulary["town"] == ("here",)
    counts = release.aggregates.set_index("attributes")["count"]
    assert abs(counts["sex:F;town:here"] - 2000) < 200
    assert not any("tiny" in t for t in counts.index)


def test_a_rare_undeclared_value_hardly_ever_comes_out():
    frame = towns([("F", "rare", None)])
    noise = Recorded()
    noise.above_threshold = lambda counts, scale, threshold: noise.real.above_threshold(
        counts, scale, threshold
    )
    for _ in range(150):
        release = marginals._draw(frame, EXAMPLE, OPEN_SCHEMA, noise, np.random.default_rng(0))
        assert release.vocabulary["town"] == ()


def test_the_largest_undeclared_values_are_kept():
    frame = towns([(None, f"t{k}", None) for k in range(5) for _ in range(100 + k)])
    setting = MarginalsSettings(8.0, 1e-6, max_vocabulary=2)
    release, _ = without_noise(frame, setting, OPEN_SCHEMA)
    assert release.vocabulary["town"] == ("t3", "t4")


def test_odd_undeclared_values_survive():
    odd = ['a"b', "nul\x00byte", "é;:\\", "2"]
    frame = towns([(None, v, None) for v in odd for _ in range(500)])
    release = draw(frame, MarginalsSettings(8.0, 1e-6), OPEN_SCHEMA)
    assert release.vocabulary["town"] == tuple(sorted(odd))


def test_no_people_one_person_every_cell_blank():
    for rows in ([], [("F", "adult", ["debt"])], [(None, None, None)] * 5):
        for schema, make in ((SCHEMA, people), (OPEN_SCHEMA, towns)):
            release = draw(make(rows), EXAMPLE, schema)
            assert list(release.aggregates.columns) == ["length", "attributes", "count", "low", "high", "sd"]
            assert release.warnings == ()
    blank = pd.DataFrame({c: [None, None] for c in ("sex", "age", "means")})
    draw(blank, EXAMPLE, SCHEMA)


def test_warnings_say_what_a_reader_should_know():
    frame = people([("F", "adult", ["debt"])] * 1000)
    assert (
        "delta = 0.01 is not below 1 / people"
        in draw(frame, MarginalsSettings(1.0, 0.01), SCHEMA).warnings[0]
    )
    capped = draw(frame, MarginalsSettings(1.0, 1e-6, max_attributes_per_person=2), SCHEMA)
    assert "at most 2 attributes of a person count" in capped.warnings[0]
    loose = draw(frame, MarginalsSettings(1.0, 1e-6, max_attributes_per_person=99), SCHEMA)
    assert loose.warnings == () and loose.parameters["attributes_per_person"] == 5


def test_a_release_survives_being_stored():
    release = draw(big_table(500), EXAMPLE, SCHEMA)
    back = MarginalsRelease.from_artefacts(release.to_artefacts())
    pd.testing.assert_frame_equal(back.aggregates, release.aggregates)
    assert back.to_artefacts() == release.to_artefacts()
    assert (back.people, back.columns, back.warnings) == (release.people, release.columns, release.warnings)
    assert back.parameters["mechanism"] == marginals.MECHANISM == "marginals-discrete-gaussian/1"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epsilon": 0}, "epsilon is above 0"),
        ({"epsilon": -1}, "epsilon is above 0"),
        ({"epsilon": math.nan}, "epsilon is above 0"),
        ({"epsilon": 50}, "at most largest_epsilon = 12"),
        ({"delta": 0}, "delta is between 0 and 1"),
        ({"delta": 1}, "delta is between 0 and 1"),
        ({"reporting_length": 3}, "reporting_length is 1 or 2"),
        ({"max_attributes_per_person": 0}, "max_attributes_per_person is at least 1"),
        ({"vocabulary_delta_share": 1}, "vocabulary_delta_share"),
        ({"confidence": 1}, "confidence is between"),
        ({"publish_above": -1}, "publish_above is 0 or more"),
        ({"max_vocabulary": 0}, "max_vocabulary"),
        ({"max_cells": 0}, "max_cells"),
    ],
)
def test_bad_settings_are_refused(wrong, message):
    with pytest.raises(MarginalsError, match=message):
        MarginalsSettings(**({"epsilon": 1.0, "delta": 1e-6} | wrong))


def test_bad_declarations_are_refused():
    with pytest.raises(MarginalsError, match="every step needs a share"):
        BudgetShares(people=0)
    with pytest.raises(MarginalsError, match="at least one column"):
        MarginalsSchema(())
    with pytest.raises(MarginalsError, match="listed twice"):
        MarginalsSchema((MarginalColumn("a"), MarginalColumn("a")))
    for values in ((), ("x", "x"), ("",)):
        with pytest.raises(MarginalsError, match="values of column a: declare"):
            MarginalsSchema((MarginalColumn("a", values),))
    open_list = MarginalsSchema((MarginalColumn("means", multi_valued=True),))
    with pytest.raises(
        MarginalsError, match="max_attributes_per_person: declare it, or declare the values of means"
    ):
        price(EXAMPLE, open_list)
    wide = MarginalsSchema(tuple(MarginalColumn(c, tuple(map(str, range(2000)))) for c in ("job", "town")))
    with pytest.raises(
        MarginalsError, match=r"4,000,000 pairs .*\(job \(2,000 values\), town \(2,000 values\)"
    ):
        price(EXAMPLE, wide)


def test_wrong_tables_are_refused_before_any_noise_and_without_a_value(monkeypatch):
    monkeypatch.setattr(OpenDPNoise, "vector", lambda *a: pytest.fail("noise was drawn"))
    good = people([("F", "adult", ["debt"])])
    with pytest.raises(MarginalsError, match="no column age, means"):
        draw(good[["sex"]], EXAMPLE, SCHEMA)
    with pytest.raises(MarginalsError, match="column means: declared to hold a list of values per person"):
        draw(good.assign(means="debt"), EXAMPLE, SCHEMA)
    with pytest.raises(MarginalsError, match="column sex: declared to hold one value per person"):
        draw(good.assign(sex=good["means"]), EXAMPLE, SCHEMA)
    with pytest.raises(EncodingError, match=r"column sex.*record 2") as error:
        draw(people([("F", None, None), ("SECRET", None, None)]), EXAMPLE, SCHEMA)
    assert "SECRET" not in str(error.value)
