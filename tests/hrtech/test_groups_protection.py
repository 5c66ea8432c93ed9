"""What is published of a comparison, attacked by linear programmes that know nothing of how counts were withheld."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import LinearConstraint, linprog, milp
from scipy.sparse import csr_array

from hrtech.groups import GroupError, GroupQuestion, Measure, compare_groups
from hrtech.groups.audit import Figures, Reader
from hrtech.groups.protection import protect
from hrtech.groups.publish import protection_table, told_tables
from hrtech.groups.question import EVERYBODY
from hrtech.groups.records import prepare

MINIMUM = 10


def margins(shape):
    place = np.arange(int(np.prod(shape))).reshape(shape)
    rows = []
    for kept in product((True, False), repeat=len(shape)):
        for key in product(
            *(range(n) if keep else (slice(None),) for n, keep in zip(shape, kept, strict=True))
        ):
            row = np.zeros(place.size)
            row[np.ravel(place[key])] = 1
            rows.append(row)
    return np.array(rows)


def figures(cells, rows):
    return Figures(
        cells, csr_array(rows), np.zeros(len(rows), bool), csr_array((0, len(cells))),
        np.asarray(rows @ cells, float), np.zeros(0),
    )  # fmt: skip


def ranges(rows, values, published, *, whole=False):
    """Least and most of each withheld row."""
    found = []
    for at in np.flatnonzero(~published):
        ends = []
        for sign in (1, -1):
            if whole:
                bounds = LinearConstraint(
                    rows, np.where(published, values, 1), np.where(published, values, np.inf)
                )
                made = milp(sign * rows[at], integrality=np.ones(rows.shape[1]), constraints=bounds)
            else:
                made = linprog(sign * rows[at], A_eq=rows[published], b_eq=values[published], A_ub=-rows[~published],
                               b_ub=-np.ones((~published).sum()))  # fmt: skip
            ends.append(np.inf if made.status in (3, 4) else sign * made.fun)
        found.append(ends)
    return np.array(found)


@pytest.mark.parametrize("shape", [(4, 4), (6, 3), (3, 3, 3), (2, 4, 3)])
def test_no_withheld_count_of_a_table_with_all_margins_can_be_narrowed_down(shape):
    rows, naive = margins(shape), 0
    for seed in range(3):
        rng = np.random.default_rng([seed, *shape])
        cells = rng.poisson(rng.gamma(0.6, 30, shape)).ravel()
        values = rows @ cells
        published = protect(figures(cells, rows), MINIMUM).published
        assert not ((values > 0) & (values < MINIMUM) & published).any()
        low, high = ranges(rows, values, published, whole=seed == 0).T
        assert (high - low >= MINIMUM - 1 - 1e-6).all()
        plain = (values == 0) | (values >= MINIMUM)
        ends = ranges(rows, values, plain)
        naive += int((np.diff(ends) < 0.5).sum()) if len(ends) else 0
        assert published.mean() > 0.2
    assert naive > 0  # without further withholding, the attack succeeds


def test_a_range_is_what_whole_tables_allow():
    # x + y = 6, y + z = 8 and x + z = 8 leave no choice; without the last, z is open
    rows = np.array([[1.0, 1, 0], [0, 1, 1], [1, 0, 1], [0, 0, 1]])
    cells = np.array([3, 3, 5])
    reader = Reader(figures(cells, rows), np.array([True, True, True, False]))
    reader.ask(3)
    reader.ask_whole(3, 9.0)
    assert (reader.low[3], reader.high[3]) == (5, 5)
    reader.withhold(2)
    assert set(reader.ask(3)) <= {0, 1}
    reader.ask_whole(3, 9.0)
    assert (reader.loose_low[3], reader.loose_high[3]) == (2, 8)
    assert (reader.low[3], reader.high[3]) == (2, 8)


def sparse(seed, groups=6, years=3, mean=25):
    rng = np.random.default_rng(seed)
    cells = rng.poisson(rng.gamma(0.8, mean / 0.8, (groups, years)))
    group, year = (np.repeat(a.ravel(), cells.ravel()) for a in np.indices(cells.shape))
    held = rng.random(len(group)) < 0.3
    return pd.DataFrame(
        {
            "group": [f"g{at}" for at in group],
            "year": [str(2000 + at) for at in year],
            "age": rng.choice(["young", "old"], len(group)),
            "held": pd.array(held, dtype="boolean"),
            "also": pd.array(held | (rng.random(len(group)) < 0.04), dtype="boolean"),
            "person": rng.integers(0, max(2, len(group) // 3), len(group)),
            "value": rng.normal(10, 2, len(group)),
        }
    )


MEASURES = (
    Measure("records", "count"),
    Measure("held", "share", condition="held"),
    Measure("also", "share", condition="also"),
    Measure("value", "mean", column="value"),
)


def published(records, question, minimum=MINIMUM):
    found = compare_groups(records, question)
    protection = protection_table(records, question, minimum)
    return protection, told_tables(vars(found), protection, question)


@pytest.mark.parametrize(
    ("measure", "least"),
    [
        (Measure("seen", "count", condition="held"), "held"),
        (Measure("often", "rate", condition="held", exposure="hours"), "known"),
        (Measure("often", "rate", events="times", exposure="hours"), "known"),
        (Measure("often", "rate", exposure="hours"), "known"),
    ],
)
def test_no_column_of_counts_and_rates_tells_how_few_records_there_are(measure, least):
    sizes = {"a": 3, "b": 4, "c": 60, "d": 80, "e": 90}
    group = np.repeat(list(sizes), list(sizes.values()))
    rng = np.random.default_rng(0)
    records = pd.DataFrame(
        {
            "group": group,
            "held": pd.array(
                rng.random(len(group)) < np.where(np.isin(group, ["a"]), 0.0, 0.5), dtype="boolean"
            ),
            "times": rng.integers(15, 20, len(group)),
            "hours": np.full(len(group), 7.0),
        }
    )
    protection, told = published(records, GroupQuestion(groups=("group",), measures=(measure,)))
    estimates = told["estimates"]
    for column in ("records", "held"):
        small = estimates[column].dropna()
        assert ((small == 0) | (small >= MINIMUM)).all()
    if least == "known":  # the exposure of few is told by nothing
        assert not set(estimates["group"]) & {"a", "b"}
    assert {"c", "d", "e"} & set(estimates["group"])
    assert (protection.groupby(["measure", "standardised", "window", "group"]).size() == 1).all()


def test_names_that_would_be_taken_for_each_other_are_refused():
    base = pd.DataFrame({"g": ["x", "y"] * 20, "h": ["u", "v"] * 20, "p": ["1", "2"] * 20})
    count = (Measure("n", "count"),)
    for changed, question in (
        (base.assign(p=["all", "2"] * 20), GroupQuestion(groups=("g",), measures=count, period="p")),
        (
            base.assign(g=["x · y", "x"] * 20, h=["c", "y · c"] * 20),
            GroupQuestion(groups=("g", "h"), measures=count),
        ),
        (base.assign(g=[EVERYBODY, "y"] * 20), GroupQuestion(groups=("g",), measures=count)),
        (
            base.assign(g=["(unknown)", "y"] * 20),
            GroupQuestion(groups=("g",), measures=count, unknown="group"),
        ),
    ):
        with pytest.raises(GroupError, match=r"told apart|names the blanks"):
            prepare(changed, question)
    odd = base.assign(g=["①x", "y"] * 20, p=["--5", "2"] * 20)
    assert set(prepare(odd, GroupQuestion(groups=("g",), measures=count, period="p")).windows) == {"--5", "2"}


def test_nothing_small_is_worked_out_from_all_tables_of_a_study():
    records = sparse(4)
    question = GroupQuestion(groups=("group",), measures=MEASURES, period="year")
    protection, told = published(records, question)
    assert 0.2 < protection["told"].mean() < 1
    states = [(0, 0), (0, 1), (1, 1)]  # who is held is also held
    groups, years = sorted(records["group"].unique()), sorted(records["year"].unique())
    cells = list(product(groups, years, states))

    def row(measure, part, window, group):
        place = {"held": 0, "also": 1}.get(measure)
        return np.array(
            [
                float(
                    group in (g, EVERYBODY)
                    and window in (y, "all")
                    and (part == "known" or place is None or s[place] == (part == "held"))
                )
                for g, y, s in cells
            ]
        )

    left, right = [], []
    for one in told["estimates"].itertuples():
        left.append(row(one.measure, "known", one.window, one.group))
        right.append(one.records)
        if one.measure in ("held", "also"):
            left.append(row(one.measure, "held", one.window, one.group))
            right.append(one.held)
    for one in protection[protection["told"] & (protection["group"] == EVERYBODY)].itertuples():
        mine = records if one.window == "all" else records[records["year"] == one.window]
        for part in ("known", "held")[: 2 if one.measure in ("held", "also") else 1]:
            left.append(row(one.measure, part, one.window, EVERYBODY))
            right.append(len(mine) if part == "known" else int(mine[one.measure].sum()))
    hidden = 0
    for one in protection[~protection["told"]].itertuples():
        mine = records if one.group == EVERYBODY else records[records["group"] == one.group]
        mine = mine if one.window == "all" else mine[mine["year"] == one.window]
        for part in ("known", "held", "not"):
            if part != "known" and one.measure not in ("held", "also"):
                continue
            count = len(mine) if part == "known" else int((mine[one.measure] == (part == "held")).sum())
            if 0 < count < MINIMUM:
                goal = row(one.measure, part, one.window, one.group)
                ends = [linprog(sign * goal, A_eq=np.array(left), b_eq=right) for sign in (1, -1)]
                assert abs(ends[1].fun) - abs(ends[0].fun) >= MINIMUM - 1 - 1e-6
                hidden += 1
    assert hidden > 10


def test_what_is_told_is_made_from_what_is_told():
    records = sparse(4)
    question = GroupQuestion(groups=("group",), measures=MEASURES, period="year", standardise=("age",))
    protection, told = published(records, question)
    named = set(told["estimates"]["group"])
    for noun in ("against_others", "pairs", "changes", "ranks"):
        assert set(told[noun]["group"]) <= named
    ranked = told["ranks"].groupby(["measure", "standardised"])
    for _, mine in ranked:
        assert mine["rank"].max() <= len(mine) and (mine["ranked"] == len(mine)).all()
    key = ["measure", "standardised", "window", "group"]
    open_ones = protection[protection["told"] & (protection["group"] != EVERYBODY)]
    figures_told = told["estimates"][key].merge(open_ones[key])
    assert len(figures_told) == len(told["estimates"]) <= len(open_ones)
    assert told["estimates"].loc[told["estimates"]["kind"] == "mean", "held"].isna().all()
    # a standardised figure is told only with every count of its strata
    for one in told["estimates"][told["estimates"]["standardised"]].itertuples():
        mine = records[records["group"] == one.group].groupby("age")
        counts = (
            mine.size()
            if one.measure == "value"
            else pd.concat([mine[one.measure].sum(), mine.size() - mine[one.measure].sum()])
        )
        assert ((counts == 0) | (counts >= MINIMUM)).all()


def test_a_difference_between_conditions_inside_one_another_is_protected():
    rng = np.random.default_rng(0)
    held = np.repeat([True, False], 200)
    also = held | (np.arange(400) >= 397)  # three more than held
    records = pd.DataFrame(
        {
            "group": rng.permutation(np.repeat(["a", "b"], 200)),
            "held": pd.array(held, dtype="boolean"),
            "also": pd.array(also, dtype="boolean"),
        }
    )
    question = GroupQuestion(groups=("group",), measures=MEASURES[1:3])
    counts = protection_table(records, question, MINIMUM).set_index(["measure", "group"])["told"]
    assert counts[("held", EVERYBODY)] or counts[("also", EVERYBODY)]
    assert not (counts[("held", EVERYBODY)] and counts[("also", EVERYBODY)])


def told_of(records, *measures, **more):
    """Whether each figure over all windows is told."""
    question = GroupQuestion(groups=("group",), measures=measures, **more)
    told = protection_table(records, question, MINIMUM)
    return told.set_index(["measure", "group"])["told"]


def test_a_count_with_a_condition_and_the_plain_count_do_not_tell_the_few_without_it():
    woman = np.r_[np.arange(100) < 97, np.arange(80) < 40]  # three of a are none
    records = pd.DataFrame({"group": ["a"] * 100 + ["b"] * 80, "woman": pd.array(woman, dtype="boolean")})
    told = told_of(records, Measure("n", "count"), Measure("women", "count", condition="woman"))
    assert not (told[("n", "a")] and told[("women", "a")])
    assert told[("women", "a")] or told[("n", "a")]
    alone = told_of(records, Measure("women", "count", condition="woman"))
    assert alone.all()  # without the plain count nobody knows how many are none


def test_two_groups_and_their_total_do_not_tell_how_few_belong_to_both():
    def cells(both):
        return pd.DataFrame({"group": [["a"]] * 60 + [["a", "b"]] * both + [["b"]] * 60})

    few = told_of(cells(3), Measure("n", "count"))
    assert not few.all()
    assert told_of(cells(30), Measure("n", "count")).all()


def test_few_people_behind_many_records_are_few():
    records = sparse(2, groups=3, years=1, mean=300)
    records.loc[records["group"] == "g1", "person"] = records.loc[records["group"] == "g1"].index % 4
    plain = GroupQuestion(groups=("group",), measures=MEASURES[:1])
    counted = protection_table(records, plain, MINIMUM).set_index("group")["told"]
    by_person = GroupQuestion(groups=("group",), measures=MEASURES[:1], subject="person")
    people = protection_table(records, by_person, MINIMUM).set_index("group")["told"]
    assert counted["g1"] and not people["g1"]


def test_a_count_of_one_withheld_group_takes_another_with_it():
    sizes = {"a": 40, "b": 30, "c": 25, "tiny": 2}
    records = pd.DataFrame({"group": [g for g, n in sizes.items() for _ in range(n)]})
    question = GroupQuestion(groups=("group",), measures=MEASURES[:1])
    told = protection_table(records, question, MINIMUM).set_index("group")["told"]
    assert told.to_dict() == {"a": True, "b": True, "c": False, "tiny": False, EVERYBODY: True}


def test_a_group_that_is_not_told_as_a_whole_is_told_in_no_window():
    records = sparse(8, groups=8, years=4, mean=6)
    question = GroupQuestion(groups=("group",), measures=MEASURES[:2], period="year")
    protection, told = published(records, question)
    whole = protection[(protection["window"] == "all") & ~protection["told"]]
    hidden = set(zip(whole["measure"], whole["group"], strict=True))
    assert hidden and not hidden & set(
        zip(told["estimates"]["measure"], told["estimates"]["group"], strict=True)
    )
    # nearly every window of a group is small: then none is told
    by_window = told["estimates"]["window"] != "all"
    assert not by_window.any() and not len(told["changes"])


def test_weights_and_broken_events_are_not_released():
    records = sparse(1)
    question = GroupQuestion(groups=("group",), measures=MEASURES[:1], weight="value")
    with pytest.raises(GroupError, match="Weighted figures are not released"):
        protection_table(records, question, MINIMUM)
    rate = Measure("rate", "rate", events="value", exposure="person")
    with pytest.raises(GroupError, match="are not whole"):
        protection_table(records, GroupQuestion(groups=("group",), measures=(rate,)), MINIMUM)
