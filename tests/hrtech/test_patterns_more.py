"""Monitoring, stable combinations, private releases, and records that come in batches."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from hrtech.counts import render_attributes
from hrtech.patterns import (
    DECISIONS,
    STABLE,
    PatternsError,
    PatternSettings,
    find_patterns,
    find_released_patterns,
    find_stable,
    watch,
)
from hrtech.patterns.dispersion import Spread
from hrtech.patterns.monitor import spent
from hrtech.patterns.released import noisy_tail
from hrtech.patterns.results import rate_ratios
from hrtech.patterns.watching import look_at_new_periods


def world(rng, rows=4000, months=12, sizes=(3, 4, 5)):
    frame = pd.DataFrame({f"c{k}": rng.integers(0, n, rows) for k, n in enumerate(sizes)})
    frame = frame.apply(lambda column: "v" + column.astype(str))
    frame["t"] = [f"2021-{m + 1:02d}" for m in rng.integers(0, months, rows)]
    return frame


def add(frame, rng, number, months, **items):
    extra = frame.sample(number, random_state=int(rng.integers(1 << 30)), replace=True).assign(**items)
    extra["t"] = rng.choice(months, number)
    return pd.concat([frame, extra], ignore_index=True)


def test_a_pattern_has_a_life_and_the_sequence_spends_no_more_than_it_may():
    rng = np.random.default_rng(1)
    frame = add(world(rng), rng, 180, ["2021-07", "2021-08"], c0="v1", c1="v2")
    given = PatternSettings("t", max_length=3, cycle=None)
    past, statuses = None, []
    for month in range(4, 13):
        seen = watch(frame[frame["t"] <= f"2021-{month:02d}"], given, f"2021-{month:02d}", past)
        past = seen.decisions
        mine = seen.lives[seen.lives["attributes"] == "c0:v1;c1:v2"]
        statuses.append(mine["status"].iloc[0] if len(mine) else None)
        assert set(seen.alerts["last"]) <= {f"2021-{month:02d}"}
    assert statuses[:3] == [None] * 3
    assert statuses[3] == "alert" and statuses[4] == "alert" and statuses[-1] == "ended"
    assert list(past.columns) == list(DECISIONS)
    assert 0 < spent(past) <= 0.05 and past.loc[past["decision"] == "looked", "look"].tolist() == list(
        range(1, 10)
    )
    # what lies after the period changes nothing
    again = watch(frame, given, "2021-04", None)
    pd.testing.assert_frame_equal(again.decisions, past[past["look"] == 1].reset_index(drop=True))


def test_a_period_is_looked_at_once_and_in_order():
    frame = world(np.random.default_rng(2), 500)
    given = PatternSettings("t", max_length=2)
    seen = watch(frame, given, "2021-06", None)
    with pytest.raises(PatternsError, match="2021-06 was looked at last"):
        watch(frame, given, "2021-06", seen.decisions)
    with pytest.raises(PatternsError, match="No record lies in period 2031-01"):
        watch(frame, given, "2031-01", seen.decisions)


def test_an_empty_period_is_passed_over_and_an_unfinished_one_waits():
    frame = world(np.random.default_rng(3), rows=900, months=6)
    months = sorted(frame["t"].unique())
    frame = frame[frame["t"] != months[3]]
    settings = PatternSettings("t", max_length=2)
    given = {"first": months[2], "past": None, "lives": None}
    decisions, _, looks = look_at_new_periods(frame, settings, unfinished=0, **given)
    assert looks == 3
    assert decisions.loc[decisions["decision"] == "looked", "period"].tolist() == [
        months[k] for k in (2, 4, 5)
    ]
    again = look_at_new_periods(frame, settings, unfinished=0, first=months[2], past=decisions, lives=None)
    assert again[2] == 0
    assert look_at_new_periods(frame, settings, unfinished=99, **given)[2] == 0


@pytest.mark.parametrize("blank", [True, False])
def test_what_lasts_is_counted_as_it_was_searched(blank):
    rng = np.random.default_rng(4)
    months = [f"2024-{m:02d}" for m in range(1, 9)]
    frame = pd.DataFrame({"period": np.repeat(months, 400)})
    frame["kind"] = rng.choice(["u", "v", "w"], len(frame))
    late = frame["period"].isin(months[5:]).to_numpy()
    debt = rng.random(len(frame)) < np.where(late & (frame["kind"] == "u"), 0.2, 0.8)
    frame["debt"] = np.where(debt, "yes", None if blank else "no")
    settings = PatternSettings(
        "period", columns=("kind", "debt"), max_length=2, windows=(1,), absence=("debt",) if blank else ()
    )
    decisions = None
    for month in months[5:]:
        decisions = watch(frame, settings, month, decisions).decisions
    text = render_attributes([("debt", "none" if blank else "no"), ("kind", "u")])
    mine = decisions[decisions["attributes"] == text]
    assert mine["decision"].iloc[0] == "alert"
    assert set(mine["decision"]) <= {"alert", "lasting"}
    held = (frame["kind"] == "u") & ~debt
    last = mine.iloc[-1]
    assert last["observed"] == (held & (frame["period"] == last["period"])).sum() > 50


def test_null_sequences_hardly_ever_alert():
    alerts = 0
    for seed in range(6):
        frame = world(np.random.default_rng([3, seed]), 1000)
        past = None
        for month in (6, 9, 12):
            seen = watch(frame, PatternSettings("t", max_length=2), f"2021-{month:02d}", past)
            past = seen.decisions
        alerts += bool((past["decision"] == "alert").any())
    assert alerts <= 2


def test_stable_combinations_are_those_that_go_together_in_every_period():
    rng = np.random.default_rng(4)
    months = [f"2021-{m + 1:02d}" for m in range(12)]
    frame = add(world(rng, 6000), rng, 400, months, c0="v1", c2="v3")
    frame = add(frame, rng, 300, months[:3], c1="v0", c2="v4")  # together in some months only
    found = find_stable(frame, PatternSettings("t", max_length=3))
    assert list(found.columns) == list(STABLE)
    assert found["attributes"].iloc[0] == "c0:v1;c2:v3"
    assert "c1:v0;c2:v4" not in set(found["attributes"])
    assert not (found["length"] == 3).any()  # a strong pair does not make triples
    both = (frame["c0"] == "v1") & (frame["c2"] == "v3")
    top = found.iloc[0]
    assert top["observed"] == both.sum() and top["low"] > 1
    # Mantel–Haenszel by hand
    ratio = [0.0, 0.0]
    for _, part in frame.groupby("t"):
        x, y = part["c0"] == "v1", part["c2"] == "v3"
        ratio[0] += (x & y).sum() * (~x & ~y).sum() / len(part)
        ratio[1] += (x & ~y).sum() * (~x & y).sum() / len(part)
    assert top["lift"] == pytest.approx(ratio[0] / ratio[1])
    assert not len(find_stable(world(rng, 3000), PatternSettings("t", max_length=2)))


def test_noisy_tails_are_those_of_the_sum():
    rng = np.random.default_rng(5)
    drawn = rng.binomial(300, 0.1, 200_000) + rng.normal(0, 6, 200_000)
    for x in (35.0, 45.0, 52.0):
        share = (drawn >= x).mean()
        assert noisy_tail(x, 300, 0.1, 6.0, 1) == pytest.approx(share, abs=4 * np.sqrt(share / 200_000))
    assert noisy_tail(45.0, 300, 0.1, 0.0, 1) == pytest.approx(binom.sf(44, 300, 0.1))
    assert noisy_tail(20.0, 300, 0.1, 0.0, -1) == pytest.approx(binom.cdf(20, 300, 0.1))


def aggregates(frame, rng, sd):
    """Noisy counts with 95 % intervals, as a release tells them, none suppressed."""
    rows = []
    columns = ["c0", "c1", "t"]
    for group in (["c0"], ["c1"], ["t"], ["c0", "c1"], ["c0", "t"], ["c1", "t"], columns):
        for key, count in frame.groupby(group).size().items():
            values = key if isinstance(key, tuple) else (key,)
            noisy = count + rng.normal(0, sd)
            low, high = np.ceil(max(noisy - 1.96 * sd, 0)), np.floor(max(noisy + 1.96 * sd, 0))
            text = render_attributes(zip(group, values, strict=True))
            rows.append((len(group), text, max(round(noisy), 0), int(low), int(high), sd))
    return pd.DataFrame(rows, columns=["length", "attributes", "count", "low", "high", "sd"])


def test_a_rise_beyond_the_noise_is_found_in_released_counts_and_noise_alone_is_none():
    rng = np.random.default_rng(6)
    frame = add(world(rng, 5000), rng, 150, ["2021-09"], c0="v1", c1="v2")
    found = find_released_patterns(aggregates(frame, rng, 6.0), PatternSettings("t"))
    top = found.leaders.iloc[0]
    assert (top["attributes"], top["first"], top["direction"]) == ("c0:v1;c1:v2", "2021-09", "emerging")
    assert set(found.patterns["tier"]) == {"strict"}
    reported = 0
    for seed in range(10):
        noise = np.random.default_rng([7, seed])
        told = find_released_patterns(aggregates(world(noise, 1500), noise, 12.0), PatternSettings("t"))
        reported += bool(len(told.leaders))
    assert reported <= 3


@pytest.mark.parametrize(
    ("change", "given", "words"),
    [
        (lambda a: a.drop(columns="sd"), {}, "no column 'sd'"),
        (lambda a: a.assign(sd=0.0), {}, "carry no noise"),
        (lambda a: a, {"time": "year"}, "Fewer than two periods"),
        (lambda a: a, {"subject": "who"}, "setting: subject"),
        (lambda a: a, {"season_proof": True}, "season_proof"),
    ],
)
def test_aggregates_that_cannot_be_searched_are_refused(change, given, words):
    told = aggregates(world(np.random.default_rng(8), 500), np.random.default_rng(9), 3.0)
    with pytest.raises(PatternsError, match=words):
        find_released_patterns(change(told), PatternSettings(**{"time": "t"} | given))


def test_records_in_batches_do_not_break_the_promise():
    reported = 0
    for seed in range(12):
        rng = np.random.default_rng([10, seed])
        frame = world(rng, 800, sizes=(4, 5, 6))
        frame = frame.loc[frame.index.repeat(rng.integers(1, 5, len(frame)))].reset_index(drop=True)
        found = find_patterns(frame, PatternSettings("t", cycle=None, exploratory=0.0))
        assert found.search.dispersion > 2
        assert any("come in batches" in r for r in found.remarks)
        reported += bool(len(found.leaders))
    assert reported <= 3


def test_people_count_once_where_they_are_named():
    rng = np.random.default_rng(11)
    frame = world(rng, 3000)
    frame["who"] = [f"p{k}" for k in range(len(frame))]
    one = pd.DataFrame({"c0": ["v1"], "c1": ["v1"], "c2": ["v1"], "t": ["2021-05"], "who": ["p0"]})
    frame = pd.concat([frame, *[one] * 60], ignore_index=True)
    columns = ("c0", "c1", "c2")
    assert len(find_patterns(frame, PatternSettings("t", columns=columns)).leaders)
    assert not len(find_patterns(frame, PatternSettings("t", columns=columns, subject="who")).leaders)


def test_dispersion_is_one_for_independent_records_and_that_of_batches():
    rng = np.random.default_rng(12)
    known, same = np.full((1, 20), 4000), np.zeros(300, dtype=np.int64)
    shares = rng.uniform(0.002, 0.05, 300)
    alone, batches = Spread(60), Spread(60)
    alone.add(rng.poisson(shares[:, None] * known).astype(np.int32), same, known)
    batches.add(3 * rng.poisson(shares[:, None] * known / 3).astype(np.int32), same, known)
    assert alone.estimate().none
    assert batches.estimate().at(np.array([20.0, 100.0])) == pytest.approx(3.0, rel=0.15)


def test_intervals_of_ratios_cover_where_records_come_in_batches():
    rng = np.random.default_rng(13)
    number, inside, outside, size = 2000, 400, 1600, 4
    observed = size * rng.poisson(12 * 1.5, number)
    total = observed + size * rng.poisson(48, number)
    draws, n = np.full(number, size * inside), np.full(number, size * (inside + outside))
    covers = []
    for by in (1.0, float(size)):
        _, low, high = rate_ratios(observed, total, draws, n, 0.95, by)
        covers.append(((low <= 1.5) & (high >= 1.5)).mean())
    assert covers[0] < 0.8
    assert covers[1] > 0.94
