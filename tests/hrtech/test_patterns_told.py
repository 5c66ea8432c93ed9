"""What may be told of patterns: nothing small, and nothing small that told numbers give back."""

import itertools
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

from hrtech.counts import parse_attributes, render_attributes
from hrtech.patterns.declared import PATTERNS, TIMELINE, table
from hrtech.patterns.told import COLUMNS as TOLD_COLUMNS
from hrtech.patterns.told import PATTERN_COLUMNS, TIMELINE_COLUMNS, tell_patterns

PERIODS = tuple(f"2024-{month:02d}" for month in range(1, 9))
COLUMNS = ("form", "region", "sex")
VALUES = (("a", "b", "c"), ("n", "s", "w"), ("f", "m"))


def world(seed: int, rows: int) -> pd.DataFrame:
    """Records in which some combinations rise in some months."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {name: rng.choice(values, rows) for name, values in zip(COLUMNS, VALUES, strict=True)}
    )
    return frame.assign(period=rng.choice(PERIODS, rows))


def test_every_told_column_says_what_it_means():
    assert set(TOLD_COLUMNS["told_patterns"]) == set(PATTERN_COLUMNS)
    assert set(TIMELINE_COLUMNS) <= set(TOLD_COLUMNS["told_timeline"])


def holds(frame: pd.DataFrame, attributes: str) -> pd.Series:
    held = pd.Series(True, index=frame.index)
    for column, value in parse_attributes(attributes):
        held &= frame[column] == value
    return held


def tables(frame: pd.DataFrame, chosen: list[tuple[str, int, int]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables of a search that found these patterns: attributes, first and last period."""
    patterns, timeline = [], []
    for attributes, first, last in chosen:
        mine = frame.loc[holds(frame, attributes), "period"].value_counts().reindex(PERIODS, fill_value=0)
        known = frame["period"].value_counts().reindex(PERIODS, fill_value=0)
        inside = np.array([first <= at <= last for at in range(len(PERIODS))])
        observed, total = int(mine[inside].sum()), int(mine.sum())
        k, n = int(known[inside].sum()), len(frame)
        expected = (total - observed) / (n - k) * k
        key = f"p{len(patterns)}"
        row = dict.fromkeys(PATTERNS) | {
            "pattern_id": key,
            "attributes": attributes,
            "length": attributes.count(";") + 1,
            "direction": "emerging",
            "first": PERIODS[first],
            "last": PERIODS[last],
            "observed": observed,
            "expected": expected,
            "known": k,
            "total": total,
            "known_total": n,
            "ratio": observed / max(expected, 1e-9),
            "tier": "strict",
            "family": key,
            "folded": False,
        }
        patterns.append(tuple(row.values()))
        timeline += [
            (key, label, int(mine[label]), int(known[label]), float(known[label]) * 0.1, 0.0, 9.0, bool(inside[at]))
            for at, label in enumerate(PERIODS)
        ]  # fmt: skip
    return table(PATTERNS, patterns), table(TIMELINE, timeline)


def told_of(frame: pd.DataFrame, chosen: list[tuple[str, int, int]], least: int):
    values = [
        (name, value, int((frame[name] == value).sum()))
        for name, options in zip(COLUMNS, VALUES, strict=True)
        for value in options
    ]
    return tell_patterns(
        *tables(frame, chosen), pd.DataFrame(values, columns=["column", "value", "records"]), least
    )


def everything(frame: pd.DataFrame, seed: int) -> list[tuple[str, int, int]]:
    """Every combination up to length 2 in some window, in a random order."""
    rng = np.random.default_rng(seed)
    items = [[(c, v) for v in values] for c, values in zip(COLUMNS, VALUES, strict=True)]
    sets = [
        chosen
        for length in (1, 2)
        for columns in itertools.combinations(items, length)
        for chosen in itertools.product(*columns)
    ]
    rng.shuffle(sets)
    starts = rng.integers(0, len(PERIODS) - 3, len(sets))
    return [
        (render_attributes(map(tuple, chosen)), int(at), int(at) + int(rng.integers(0, 3)))
        for chosen, at in zip(sets, starts, strict=True)
    ]


@pytest.mark.parametrize("seed", range(6))
def test_no_small_cell_is_told(seed):
    frame = world(seed, 900)
    least = 10
    told = told_of(frame, everything(frame, seed), least)
    assert len(told.patterns) > 0
    assert told.withheld > 0
    for row in told.timeline.itertuples():
        attributes = told.patterns.set_index("pattern_id").loc[row.pattern_id, "attributes"]
        inside = frame["period"].between(row.first, row.last)
        assert row.observed == int((holds(frame, attributes) & inside).sum())
        assert row.observed == 0 or row.observed >= least
        others = int((~holds(frame, attributes) & inside).sum())
        assert others == 0 or others >= least
    totals = (
        told.timeline.loc[told.timeline["in_window"].astype(bool)].groupby("pattern_id")["observed"].sum()
    )
    for row in told.patterns.itertuples():
        assert row.observed >= least and row.expected >= least
        assert row.pattern_id not in totals or totals[row.pattern_id] == row.observed


def recoverable(frame: pd.DataFrame, told, least: int) -> Iterator[tuple[str, str, int]]:
    """Small cells (a combination in a period) that everything told pins to within less than the minimum.

    The unknowns are the cells of the full table; what is told are sums of them. An intruder is given the records by
    period besides.
    """
    cells = list(itertools.product(*VALUES, PERIODS))
    place = {cell: at for at, cell in enumerate(cells)}
    truth = np.zeros(len(cells))
    for row in frame.itertuples():
        truth[place[(row.form, row.region, row.sex, row.period)]] += 1

    def indicator(attributes: str, first: str, last: str) -> np.ndarray:
        wanted = dict(parse_attributes(attributes)) if attributes else {}
        return np.array(
            [
                float(
                    first <= cell[3] <= last
                    and all(wanted.get(name, cell[at]) == cell[at] for at, name in enumerate(COLUMNS))
                )
                for cell in cells
            ]
        )

    known = [indicator("", label, label) for label in PERIODS]
    of = told.patterns.set_index("pattern_id")["attributes"]
    known += [indicator(of[row.pattern_id], row.first, row.last) for row in told.timeline.itertuples()]
    known += [indicator(row.attributes, row.first, row.last) for row in told.patterns.itertuples()]
    known += [indicator(row.attributes, PERIODS[0], PERIODS[-1]) for row in told.patterns.itertuples()]
    a = np.array(known)
    sensitive = {
        (part, label)
        for text in of
        for items in [parse_attributes(text)]
        for extra in [(c, v) for c, vs in zip(COLUMNS, VALUES, strict=True) for v in vs]
        for part in {text, render_attributes({*items, extra})}
        if len({column for column, _ in parse_attributes(part)}) == len(parse_attributes(part))
        for label in PERIODS
    }
    for attributes, label in sorted(sensitive):
        aim = indicator(attributes, label, label)
        count = int(aim @ truth)
        if not 0 < count < least:
            continue
        ends = [
            linprog(sign * aim, A_eq=a, b_eq=a @ truth, bounds=(0, None), method="highs") for sign in (1, -1)
        ]
        low, high = ends[0].fun, -ends[1].fun
        if high - low < least:
            yield attributes, label, count


@pytest.mark.parametrize("seed", [3, 4])
def test_linear_programming_gives_no_small_cell_back(seed):
    frame, least = world(seed, 500), 8
    told = told_of(frame, everything(frame, seed), least)
    assert len(told.patterns) >= 3
    assert list(recoverable(frame, told, least)) == []


def test_the_search_for_recoverable_cells_finds_them_where_all_is_told():
    frame, least = world(3, 500), 8
    patterns, timeline = tables(frame, everything(frame, 3))

    class Everything:
        pass

    Everything.patterns = patterns
    Everything.timeline = timeline.assign(first=timeline["period"], last=timeline["period"])
    assert next(recoverable(frame, Everything, least), None) is not None


def test_a_part_of_a_told_pattern_is_withheld():
    frame = world(1, 2000)
    both = [("form:a", 2, 4), ("form:a;sex:f", 2, 4), ("region:n;sex:f", 2, 4)]
    told = told_of(frame, both, 10)
    assert list(told.patterns["attributes"]) == ["form:a", "region:n;sex:f"]
    assert told.withheld == 1


def test_values_of_a_column_leave_enough_over():
    frame = world(1, 1600)
    frame.loc[(frame["form"] == "c") & (frame.index % 8 > 0), "form"] = "b"
    small = int((frame["form"] == "c").groupby(frame["period"]).sum().min())
    assert 0 < small < 20
    both = [("form:a", 2, 4), ("form:b", 2, 4)]
    told = told_of(frame, both, 20)
    assert list(told.patterns["attributes"]) == ["form:a", "form:b"]
    assert told.timeline.empty  # by period they would give the third value away
    inside = frame["period"].between(PERIODS[2], PERIODS[4])
    third = int(((frame["form"] == "c") & inside).sum())
    assert list(told_of(frame, both, third + 1).patterns["attributes"]) == ["form:a"]


def test_a_minimum_that_protects_nobody_is_refused():
    frame = world(1, 100)
    with pytest.raises(ValueError, match="protects nobody"):
        told_of(frame, [("form:a", 2, 4)], 2)


def test_a_search_that_found_nothing_tells_nothing():
    told = tell_patterns(
        table(PATTERNS, []), table(TIMELINE, []), pd.DataFrame({"column": [], "value": [], "records": []}), 10
    )
    assert told.patterns.empty and told.timeline.empty and told.withheld == 0
