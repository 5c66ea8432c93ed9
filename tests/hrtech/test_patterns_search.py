"""The search for patterns: planted and null worlds, a second way of counting, and what must not matter."""

import tracemalloc
from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from scipy.stats import hypergeom

from hrtech.counts import parse_attributes
from hrtech.patterns import PATTERNS, TIMELINE, PatternsError, PatternSettings, find_patterns
from hrtech.patterns.cube import Exposures, blocks
from hrtech.patterns.periods import read_periods
from hrtech.patterns.variables import read_variables

SIZES = {"a": 3, "b": 4, "c": 5, "d": 2}


def world(rng, rows=4000, months=24, sizes=SIZES):
    """Records whose columns and months are independent."""
    frame = pd.DataFrame({k: rng.integers(0, n, rows) for k, n in sizes.items()})
    frame = frame.apply(lambda column: "v" + column.astype(str))
    month = rng.integers(0, months, rows)
    frame["t"] = [f"{2020 + m // 12}-{m % 12 + 1:02d}" for m in month]
    return frame


def plant(frame, rng, items, months, number):
    extra = frame.sample(number, random_state=int(rng.integers(1 << 30)), replace=True).copy()
    for column, value in items.items():
        extra[column] = value
    extra["t"] = rng.choice(months, number)
    return pd.concat([frame, extra], ignore_index=True)


def told(found):
    return {(q.attributes, q.first, q.last, q.direction) for q in found.leaders.itertuples()}


def test_a_planted_rise_is_found_exactly_and_alone():
    rng = np.random.default_rng(1)
    frame = plant(world(rng), rng, {"a": "v0", "c": "v1"}, ["2021-05", "2021-06"], 90)
    found = find_patterns(frame, PatternSettings("t"))
    assert told(found) == {("a:v0;c:v1", "2021-05", "2021-06", "emerging")}
    top = found.leaders.iloc[0]
    rows = (frame["a"] == "v0") & (frame["c"] == "v1")
    window = frame["t"].isin(["2021-05", "2021-06"])
    assert top["observed"] == (rows & window).sum()
    outside = (rows & ~window).sum() / (~window).sum()
    assert top["expected"] == pytest.approx(outside * window.sum())
    assert top["ratio"] == pytest.approx((rows & window).sum() / window.sum() / outside)
    assert top["low"] < top["ratio"] < top["high"]
    p = hypergeom.sf((rows & window).sum() - 1, len(frame), rows.sum(), window.sum())
    assert top["p"] == pytest.approx(p, rel=1e-6)
    assert top["p_adjusted"] <= 0.05
    folded = found.patterns[found.patterns["folded"]]
    assert set(folded["family"]) <= {top["pattern_id"]}
    assert list(found.patterns.columns) == list(PATTERNS) and list(found.timeline.columns) == list(TIMELINE)
    line = found.timeline[found.timeline["pattern_id"] == top["pattern_id"]]
    assert line["observed"].sum() == rows.sum() and line["known"].sum() == len(frame)
    assert line.loc[line["in_window"], "period"].tolist() == ["2021-05", "2021-06"]


def test_a_fall_and_a_new_pattern_have_their_directions():
    rng = np.random.default_rng(2)
    frame = world(rng, 6000)
    gone = (frame["b"] == "v1") & frame["t"].isin(["2021-10", "2021-11", "2021-12"])
    found = find_patterns(frame[~gone], PatternSettings("t"))
    assert ("b:v1", "2021-10", "2021-12", "fading") in told(found)
    fresh = plant(world(rng), rng, {"a": "v9", "b": "v9"}, ["2021-06"], 30)
    found = find_patterns(fresh, PatternSettings("t"))
    top = found.leaders.iloc[0]
    assert top["direction"] == "new" and top["first"] == "2021-06" and np.isinf(top["ratio"])


def test_season_surge_and_stable_combinations_are_no_patterns():
    rng = np.random.default_rng(3)
    frame = world(rng, 5000)
    frame = plant(frame, rng, {"a": "v1", "b": "v2"}, ["2020-03", "2021-03"], 160)  # every March
    frame = plant(frame, rng, {"c": "v4", "d": "v1"}, sorted(set(frame["t"])), 300)  # always
    frame = pd.concat(
        [frame, frame[frame["t"] == "2021-08"]], ignore_index=True
    )  # twice as many of everything
    assert not told(find_patterns(frame, PatternSettings("t", max_length=3)))


def test_with_one_cycle_the_season_is_told_to_be_unknown():
    rng = np.random.default_rng(4)
    frame = plant(world(rng, 3000, 10), rng, {"a": "v0", "c": "v1"}, ["2020-05"], 80)
    found = find_patterns(frame, PatternSettings("t"))
    assert found.leaders["remark"].str.contains("season cannot be told").all()
    assert pd.isna(found.leaders["p_season"]).all()
    with pytest.raises(PatternsError, match="season_proof"):
        find_patterns(frame, PatternSettings("t", season_proof=True))


def test_null_worlds_report_hardly_anything():
    reported = 0
    for seed in range(20):
        rng = np.random.default_rng([5, seed])
        reported += bool(
            told(find_patterns(world(rng, 1500), PatternSettings("t", max_length=3, exploratory=0.0)))
        )
    assert reported <= 4  # more has a chance below 1 in 300 at the promised 5 %


def test_a_column_that_starts_to_be_collected_is_no_pattern():
    rng = np.random.default_rng(6)
    frame = world(rng)
    frame.loc[frame["t"] < "2021-07", "c"] = None
    assert not told(find_patterns(frame, PatternSettings("t")))
    assert told(find_patterns(frame, PatternSettings("t", absence=("c",))))  # there, blank says no


@pytest.mark.parametrize("subject", [None, "who"])
def test_counts_by_period_agree_with_counting_one_by_one(subject):
    rng = np.random.default_rng(7)
    frame = world(rng, 300, 6, {"a": 3, "b": 4, "d": 2})
    frame["b"] = frame["b"].mask(rng.random(300) < 0.2)
    frame["many"] = [
        rng.choice(["x", "y", "z"], rng.integers(0, 3), replace=False).tolist() for _ in range(300)
    ]
    frame["who"] = rng.integers(0, 60, 300).astype(str)
    given = PatternSettings("t", max_length=4, min_count=3, subject=subject, columns=("a", "b", "d", "many"))
    periods = read_periods(frame, given)
    variables = read_variables(frame, periods, given)
    exposures = Exposures(variables)
    counted = {}
    for block in blocks(variables, exposures, 4, 3):
        for cells, counts, at in zip(block.cells, block.counts, block.exposure, strict=True):
            key = frozenset(variables.items[i] for i in cells if i >= 0)
            assert key not in counted
            counted[key] = (counts.tolist(), exposures.tables[at].tolist())
    items = [(c, v) for c in ("a", "b", "d") for v in sorted(frame[c].dropna().unique())]
    items += [("many", v) for v in "xyz"]
    holds = {(c, v): (frame[c] == v).fillna(False).to_numpy(bool) for c, v in items if c != "many"}
    holds |= {("many", v): frame["many"].map(lambda cell, v=v: v in cell).to_numpy(bool) for v in "xyz"}
    knows = {c: frame[c].notna().to_numpy() for c in ("a", "b", "d")}
    knows["many"] = frame["many"].map(len).to_numpy() > 0

    def by_period(rows):
        part = frame[rows]
        if subject:
            part = part.drop_duplicates(["t", "who"])
        return np.bincount(periods.index[part.index], minlength=6).tolist()

    expected = {}
    for length in (1, 2, 3, 4):
        for chosen in combinations(items, length):
            rows = np.logical_and.reduce([holds[i] for i in chosen])
            counts = by_period(rows)
            if sum(counts) >= 3:
                expected[frozenset(chosen)] = (
                    counts,
                    by_period(np.logical_and.reduce([knows[c] for c, _ in chosen])),
                )
    assert counted == expected


def test_every_window_of_a_small_table_agrees_with_enumeration():
    rng = np.random.default_rng(8)
    frame = plant(world(rng, 600, 8, {"a": 3, "b": 3}), rng, {"a": "v0", "b": "v1"}, ["2020-04"], 60)
    given = PatternSettings("t", cycle=None, max_length=2, exploratory=0.0)
    found = find_patterns(frame, given)
    threshold = found.thresholds.set_index("length")["threshold"]
    months = sorted(set(frame["t"]))
    significant = {}
    for items in [*product("a", ["v0", "v1", "v2"]), *product("b", ["v0", "v1", "v2"])]:
        significant |= _windows(frame, [items], months, threshold[1])
    for x, y in product(["v0", "v1", "v2"], repeat=2):
        significant |= _windows(frame, [("a", x), ("b", y)], months, threshold[2])
    told_of = {(q.attributes, q.first, q.last): q.p for q in found.patterns.itertuples()}
    assert told_of.keys() == significant.keys() and len(significant) > 1
    for key, p in significant.items():
        assert told_of[key] == pytest.approx(p, rel=1e-6)


def _windows(frame, items, months, threshold):
    rows = np.logical_and.reduce([frame[c] == v for c, v in items])
    out = {}
    for length in (1, 2, 3):
        for first in range(len(months) - length + 1):
            window = frame["t"].isin(months[first : first + length])
            x, n, k, draws = (rows & window).sum(), len(frame), rows.sum(), window.sum()
            p = hypergeom.sf(x - 1, n, k, draws) if x > k * draws / n else hypergeom.cdf(x, n, k, draws)
            if p <= threshold:
                out[";".join(f"{c}:{v}" for c, v in items), months[first], months[first + length - 1]] = p
    return out


@pytest.mark.parametrize("seed", range(4))
def test_names_and_orders_do_not_matter(seed):
    rng = np.random.default_rng([9, seed])
    frame = plant(world(rng, 3000), rng, {"a": "v0", "c": "v1"}, ["2021-05"], 60)
    frame = plant(frame, rng, {"b": "v3", "d": "v1", "c": "v2"}, ["2020-03", "2021-03"], 120)
    names = dict(zip(SIZES, reversed(["zz", "y", "m", "b2"]), strict=True))
    other = frame.rename(columns=names)[[*rng.permutation(list(names.values())), "t"]]
    other = other.sample(frac=1, random_state=seed).reset_index(drop=True)
    back = {v: k for k, v in names.items()}

    def content(found, names_back):
        rows = found.patterns.drop(columns=["pattern_id", "family"])
        rows["attributes"] = [
            ";".join(sorted(f"{names_back[c]}:{v}" for c, v in parse_attributes(text)))
            for text in rows["attributes"]
        ]
        return rows

    one = content(find_patterns(frame, PatternSettings("t")), {c: c for c in SIZES})
    two = content(find_patterns(other, PatternSettings("t")), back)
    assert len(one)
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_bad_tables_are_refused_with_the_mend():
    frame = pd.DataFrame({"t": ["2024-01", "2024-02"] * 50, "a": ["x", "y"] * 50})
    with pytest.raises(PatternsError, match="No value occurs in 200 records"):
        find_patterns(frame, PatternSettings("t", min_count=200))
    with pytest.raises(PatternsError, match="No value occurs"):
        find_patterns(frame.assign(a=None), PatternSettings("t"))
    with pytest.raises(PatternsError, match="No column is called 'z'"):
        find_patterns(frame, PatternSettings("t", columns=("z",)))
    with pytest.raises(PatternsError, match="no numbers, the first in row 1"):
        find_patterns(frame, PatternSettings("t", bands={"a": (1.0, 2.0)}))


def test_a_search_that_is_too_large_says_what_to_cut_before_it_starts():
    rng = np.random.default_rng(10)
    frame = world(rng, 3000, 12, {f"c{k}": 6 for k in range(9)} | {"wide": 400})
    with pytest.raises(PatternsError, match=r"Leave out or band: wide \(4\d\d values\)"):
        find_patterns(frame, PatternSettings("t", max_cells=120_000, max_length=4, min_count=2))


def test_a_column_with_very_many_values_is_searched_by_its_frequent_ones():
    rng = np.random.default_rng(11)
    frame = world(rng, 20_000)
    frame["case"] = [f"n{k}" for k in range(len(frame))]
    frame = plant(frame, rng, {"a": "v0", "case": "n7"}, ["2021-05"], 60)
    found = find_patterns(frame, PatternSettings("t", max_length=2))
    assert "case:n7" in {q.attributes for q in found.leaders.itertuples()} | set(found.patterns["attributes"])


def test_rare_values_of_a_multi_valued_column_take_no_memory_by_record():
    rng = np.random.default_rng(13)
    rows, values = 10_000, 2_000
    picked = np.array([f"v{k}" for k in range(values)])[rng.integers(0, values, rows)]
    frame = pd.DataFrame({"t": np.where(rng.random(rows) < 0.5, "2024-01", "2024-02")})
    frame["m"] = [[one, "all"] for one in picked]
    given = PatternSettings("t", min_count=100)
    periods = read_periods(frame, given)
    tracemalloc.start()
    try:
        variables = read_variables(frame, periods, given)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert variables.items == (("m", "all"),)
    assert peak < rows * values / 2  # marks by record alone would be twice as many bytes


def test_bands_ignored_and_unknown_values():
    rng = np.random.default_rng(12)
    frame = world(rng, 3000)
    frame["age"] = rng.integers(10, 60, len(frame)).astype(float)
    late = frame["t"] == "2021-04"
    frame.loc[late, "age"] = rng.integers(30, 40, late.sum()).astype(float)
    given = PatternSettings("t", bands={"age": (18, 30, 40)}, max_length=2, exploratory=0.0)
    found = find_patterns(frame, given)
    assert "age:30–<40" in set(found.leaders["attributes"])
    frame["b"] = frame["b"].mask(late, "n/a")
    assert "b:n/a" in set(find_patterns(frame, given).patterns["attributes"])
    cleaned = PatternSettings("t", bands={"age": (18, 30, 40)}, unknown={"b": ("n/a",)}, max_length=2)
    assert not find_patterns(frame, cleaned).patterns["attributes"].str.contains("b:").any()


def test_the_exploratory_tier_tells_what_the_strict_one_does_not_and_nothing_twice():
    rng = np.random.default_rng(13)
    frame = plant(world(rng, 3000, 10), rng, {"a": "v0", "c": "v1"}, ["2020-05"], 40)
    both = find_patterns(frame, PatternSettings("t", strict=1e-12, exploratory=0.2, max_length=3)).leaders
    assert both["tier"].tolist() == ["exploratory"] and both["attributes"].tolist() == ["a:v0;c:v1"]
    assert (both["error_rate"] == 0.2).all()
    usual = find_patterns(frame, PatternSettings("t", exploratory=0.2, max_length=3)).leaders
    assert (usual["attributes"] == "a:v0;c:v1").sum() == 1
    assert usual.loc[usual["attributes"] == "a:v0;c:v1", "tier"].tolist() == ["strict"]
