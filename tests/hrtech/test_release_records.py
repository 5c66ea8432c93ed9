"""Synthetic people: drawn as the mixture says, then changed until they hold what is told and nothing else."""

import itertools
from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from release_worlds import exact_counts, held_by, layouts, random_states, schema_of

from hrtech.release.declared import ReleaseColumn, ReleaseSchema
from hrtech.release.fit import Mixture
from hrtech.release.holding import encoded_people, holdings
from hrtech.release.layout import Layout
from hrtech.release.people import LIST_DTYPE
from hrtech.release.records import as_table, holders, sample_people
from hrtech.release.repair import _empty, _held_by_state, _state_of, _table, places_of, repair
from hrtech.release.repair_loops import FIRST, count_held, give, sweep

MIXED = [("one", 3), ("many", 2), ("fine", 3), ("one", 2)]


def any_mixture(layout, rng, components):
    parts = [rng.dirichlet(np.full(len(g.states), 0.6), size=components).T for g in layout.groups]
    return Mixture(np.concatenate(parts).astype(np.float32), np.zeros((0, components)), {})


def of_groups(layout, states):
    edges = np.cumsum([0, *(len(g.states) for g in layout.groups)])
    return [states[a:b] for a, b in itertools.pairwise(edges)]


@settings(max_examples=40, deadline=None)
@given(
    layout=layouts(longest=2),
    seed=st.integers(0, 10**6),
    components=st.integers(1, 9),
    each=st.integers(0, 30),
    more=st.integers(0, 8),
)
def test_each_component_has_the_people_that_it_says_to_within_one(layout, seed, components, each, more):
    rng = np.random.default_rng(seed)
    mixture = any_mixture(layout, rng, components)
    more %= components
    people = components * each + more
    states = sample_people(mixture, layout, people, np.random.default_rng(seed))
    assert states.shape == (people, len(layout.groups)) and states.dtype == np.int16
    again = sample_people(mixture, layout, people, np.random.default_rng(seed))
    assert np.array_equal(again, states)
    for g, own in enumerate(of_groups(layout, mixture.states)):
        count = np.array([(states[:, g] == s).sum() for s in range(len(own))])
        assert count.sum() == people
        # one person per component for the even spread, and one for each component that is larger
        assert (np.abs(count - own.sum(axis=1) * people / components) <= components + more + 1e-3).all()
        if not more and each:
            # people lie component by component
            count = np.array(
                [(states[:, g].reshape(components, each) == s).sum(axis=1) for s in range(len(own))]
            )
            assert (np.abs(count - own * each) < 1 + 1e-3).all()


def test_groups_are_independent_within_a_component():
    layout = Layout(schema_of([("many", 2)]), 2)
    mixture = Mixture(np.full((4, 1), 0.5, dtype=np.float32), np.zeros((0, 1)), {})
    both = [
        (sample_people(mixture, layout, 400, np.random.default_rng(k)) == 1).all(axis=1).sum()
        for k in range(300)
    ]
    # drawn without replacement: hypergeometric, mean 100 and standard deviation 5
    assert abs(np.mean(both) - 100) < 4 * 5 / np.sqrt(300)
    assert abs(np.std(both) - 5) < 0.9


def test_rare_states_occur_as_often_as_their_probability_says():
    """Ten people, 5 in 100: nobody or one, each half of the time."""
    layout = Layout(schema_of([("many", 1)]), 1)
    mixture = Mixture(np.array([[0.95], [0.05]], dtype=np.float32), np.zeros((0, 1)), {})
    held = [sample_people(mixture, layout, 10, np.random.default_rng(k)).sum() for k in range(400)]
    assert set(held) == {0, 1} and abs(np.mean(held) - 0.5) < 4 * 0.5 / np.sqrt(400)


@settings(max_examples=40, deadline=None)
@given(layout=layouts(), seed=st.integers(0, 10**6), people=st.integers(0, 25))
def test_a_table_of_people_is_read_back_as_the_same_people(layout, seed, people):
    states = random_states(layout, people, np.random.default_rng(seed))
    held = held_by(states, layout)
    assert np.array_equal(holders(states, layout), held) and holders(states, layout).dtype == np.uint8
    frame = as_table(states, layout)
    assert list(frame) == [c.name for c in layout.schema.columns] and len(frame) == people
    for column in layout.schema.columns:
        assert frame[column.name].dtype == (
            LIST_DTYPE if column.multi_valued else pd.StringDtype("pyarrow", np.nan)
        )
    again = holdings(encoded_people(frame, layout.schema), layout)
    wanted = Counter(map(tuple, held.tolist()))
    assert dict(zip(map(tuple, again.rows.tolist()), again.people.tolist(), strict=True)) == wanted


def test_tables_are_typed_and_worded_like_the_input():
    columns = (
        ReleaseColumn("town", ("b", "a", "c"), parent="region", parent_values={"a": "x", "b": "x", "c": "y"}),
        ReleaseColumn("means", ("threats", "debt", "0"), multi_valued=True),
        ReleaseColumn("asked", ("1", "0"), sensitive_zeros=True),
        ReleaseColumn("region", ("x", "y")),
        ReleaseColumn("flag", ("0", "1")),
    )
    layout = Layout(ReleaseSchema(columns), 2)
    assert [g.columns for g in layout.groups] == [
        ("town", "region"),
        ("means",),
        ("means",),
        ("asked",),
        ("flag",),
    ]
    states = np.array([[1, 1, 1, 2, 1], [0, 0, 0, 0, 0], [5, 0, 1, 1, 0], [3, 1, 0, 0, 1]], dtype=np.int16)
    frame = as_table(states, layout)
    assert frame["town"].tolist()[0] == "b" and frame["town"].isna().tolist() == [False, True, True, False]
    assert frame["region"].fillna("").tolist() == ["x", "", "y", "y"]
    assert pa.array(frame["means"]).to_pylist() == [["debt", "threats"], None, ["debt"], ["threats"]]
    assert frame["asked"].fillna("").tolist() == ["0", "", "1", ""]
    assert frame["flag"].fillna("").tolist() == ["1", "", "", "1"]


def test_where_no_value_was_found_people_are_rows_of_blanks():
    columns = (ReleaseColumn("a", ()), ReleaseColumn("b", (), multi_valued=True))
    layout = Layout(ReleaseSchema.known(columns, ()), 3)
    mixture = Mixture(np.zeros((0, 4), np.float32), np.zeros((0, 4), np.float32), {})
    states = sample_people(mixture, layout, 6, np.random.default_rng(0))
    nothing = {k: np.zeros(0) for k in (1, 2, 3)}
    states = repair(states, layout, nothing, {k: v > 0 for k, v in nothing.items()}, np.random.default_rng(0))
    frame = as_table(states, layout)
    assert len(frame) == 6 and frame.isna().all(axis=None)


@settings(max_examples=40, deadline=None)
@given(layout=layouts())
def test_places_are_the_numbers_of_the_layout(layout):
    pairs, triples, step = places_of(layout)
    i, j = layout.cells(2).T
    assert np.array_equal(pairs[j] + i, np.arange(len(i)))
    i, j, k = layout.cells(3).T
    assert np.array_equal(triples[j] + i * step[j] + k, np.arange(len(i)))


def problem(layout, seed, people, told_share):
    """People, targets and what is told, at random."""
    rng = np.random.default_rng(seed)
    states = random_states(layout, people, rng)
    exact = exact_counts(held_by(random_states(layout, people, rng), layout), layout)
    targets = {k: v + rng.normal(0, 1.5, len(v)) for k, v in exact.items()}
    told = {k: (rng.random(len(v)) < told_share) & ~layout.ruled_out(k) for k, v in targets.items()}
    return states, targets, told


def tables_of(layout, targets, told):
    return (places_of(layout), *(_table(targets, told, k) for k in (1, 2, 3)))


@settings(max_examples=30, deadline=None)
@given(layout=layouts(), seed=st.integers(0, 10**6), people=st.integers(0, 20))
def test_compiled_counts_are_those_of_brute_force(layout, seed, people):
    states, targets, told = problem(layout, seed, people, 0.7)
    holds, first_state = _held_by_state(layout)
    tables = tables_of(layout, targets, told)
    count_held(states, first_state, holds, tables)
    exact = exact_counts(held_by(states, layout), layout)
    for k in range(1, 4):
        assert len(tables[k]) == (layout.size(k) if k <= layout.longest else 0)
        if k <= layout.longest:
            wanted = exact[k] - np.where(told[k], np.maximum(targets[k], 0), 0)
            np.testing.assert_allclose(tables[k][:, 0], wanted, atol=1e-3)
            assert ((tables[k][:, 1] < 0) == ~told[k]).all()


def held_cells(states, layout):
    return {k: n > 0 for k, n in exact_counts(held_by(states, layout), layout).items()}


@settings(max_examples=40, deadline=None)
@given(
    layout=layouts(),
    seed=st.integers(0, 10**6),
    people=st.integers(0, 40),
    share=st.sampled_from([0, 0.3, 0.9]),
)
def test_after_repair_nobody_holds_what_is_not_told(layout, seed, people, share):
    states, targets, told = problem(layout, seed, people, share)
    before = states.copy()
    after = repair(states, layout, targets, told, np.random.default_rng(seed))
    assert np.array_equal(states, before)
    assert after.shape == states.shape and after.dtype == states.dtype
    for k, held in held_cells(after, layout).items():
        if k <= 3:
            assert not (held & ~told[k]).any()
        assert not (held & layout.ruled_out(k)).any()
    # states are those of their groups: a value and the one that it implies stay together
    assert (after >= 0).all() and (after < [len(g.states) for g in layout.groups]).all()
    again = repair(states, layout, targets, told, np.random.default_rng(seed))
    assert np.array_equal(again, after)


def closed(layout, told):
    """What is told with all that whoever holds it holds too: as `scores` has it."""
    told = {k: own.copy() for k, own in told.items()}
    number = {tuple(c): n for k in told for n, c in enumerate(layout.cells(k).tolist())}
    for k in told:
        for n, cell in enumerate(layout.cells(k).tolist()):
            if not told[k][n]:
                continue
            everything = sorted({v for c in cell for v in np.flatnonzero(own_state(layout, c))})
            for size in range(1, k + 1):
                for other in itertools.combinations(everything, size):
                    if other in number and not told[size][number[other]]:
                        told[k][n] = False
    return told


def own_state(layout, attribute):
    """What the state of an attribute holds, as a row of all attributes."""
    group = layout.groups[layout.group_of[attribute]]
    row = np.zeros(layout.n_attributes, dtype=bool)
    row[group.first : group.stop] = group.states[attribute - group.first + 1]
    return row


class Error:
    """What repair lowers, by brute force: squared errors of what is told, less what a first holder is worth."""

    def __init__(self, layout, targets, told):
        self.layout, self.told = layout, told
        self.lengths = [k for k in told if k <= 3]
        self.target = {k: np.maximum(targets[k], 0) for k in self.lengths}
        self.weight = {
            k: np.sqrt(10 / np.maximum(self.target[k], 10)) if k > 1 else np.ones(len(self.target[k]))
            for k in self.lengths
        }

    def of(self, states):
        count = exact_counts(held_by(states, self.layout), self.layout)
        total = 0.0
        for k in self.lengths:
            squares = self.weight[k] * (count[k] - self.target[k]) ** 2 - FIRST * (count[k] > 0)
            total += squares[self.told[k]].sum()
        return total

    def forbidden(self, row, g):
        """How many combinations that are not told a person has because of the state of one group."""
        held = np.flatnonzero(held_by(row[None], self.layout)[0]).tolist()
        own = [v for v in held if self.layout.group_of[v] == g]
        others = [v for v in held if self.layout.group_of[v] != g]
        told = {
            tuple(c)
            for k in self.lengths
            for c, ok in zip(self.layout.cells(k).tolist(), self.told[k], strict=True)
            if ok
        }
        number = 0
        for v in own:
            number += (v,) not in told
            for x in others if 2 in self.lengths else ():
                if tuple(sorted((v, x))) not in told:
                    number += 1
                    continue
                for y in others if 3 in self.lengths else ():
                    if y > x and self.layout.group_of[y] != self.layout.group_of[x]:
                        number += tuple(sorted((v, x, y))) not in told
        return number


@settings(max_examples=40, deadline=None)
@given(
    layout=layouts(),
    seed=st.integers(0, 10**6),
    people=st.integers(1, 8),
    share=st.sampled_from([0.5, 0.9, 1.0]),
    forbidden=st.sampled_from([30.0, 1e9]),
    size=st.sampled_from([1, 30]),
)
def test_each_state_is_the_best_there_is(layout, seed, people, share, forbidden, size):
    """The compiled descent against brute force: one person at a time, group by group, every state tried."""
    states, targets, told = problem(layout, seed, people, share)
    # with targets far away it also matters how much each combination weighs
    targets = {k: size * target for k, target in targets.items()}
    told = closed(layout, told)
    error = Error(layout, targets, told)
    holds, first_state = _held_by_state(layout)
    tables = tables_of(layout, targets, told)
    count_held(states, first_state, holds, tables)
    for r in np.random.default_rng(seed).permutation(people):
        context = states.copy()
        changes = sweep(states, np.array([r]), first_state, holds, tables, np.float32(forbidden))
        assert changes == (states[r] != context[r]).sum()
        assert np.array_equal(np.delete(states, r, axis=0), np.delete(context, r, axis=0))
        for g, group in enumerate(layout.groups):
            cost = []
            for s in range(len(group.states)):
                context[r, g] = s
                cost.append(error.of(context) + forbidden * error.forbidden(context[r], g))
            context[r, g] = states[r, g]
            assert cost[states[r, g]] <= min(cost) + 1e-3 * (1 + abs(min(cost)))
    exact = exact_counts(held_by(states, layout), layout)
    for k in error.lengths:
        wanted = exact[k] - np.where(told[k], error.target[k], 0)
        np.testing.assert_allclose(tables[k][:, 0], wanted, atol=1e-3)


@settings(max_examples=25, deadline=None)
@given(layout=layouts(), seed=st.integers(0, 10**6), people=st.integers(0, 60))
def test_repair_lowers_the_error_where_everything_is_told(layout, seed, people):
    states, targets, told = problem(layout, seed, people, 2.0)
    told = closed(layout, told)
    error = Error(layout, targets, told)
    after = repair(states, layout, targets, told, np.random.default_rng(seed))
    # what is given to people at last may cost a little
    assert error.of(after) <= error.of(states) + 0.02 * abs(error.of(states)) + 1e-3


@pytest.mark.parametrize("longest", [1, 2, 3, 5])
def test_repair_brings_counts_to_their_targets(longest):
    layout = Layout(schema_of([*MIXED, ("many", 2)]), longest)
    rng = np.random.default_rng(4)
    exact = exact_counts(held_by(random_states(layout, 3000, rng), layout), layout)
    targets = {k: v + rng.normal(0, 2, len(v)) for k, v in exact.items()}
    told = closed(layout, {k: v >= 1 for k, v in targets.items()})
    states = random_states(layout, 3000, rng)
    after = repair(states, layout, targets, told, rng)
    for k in exact:
        if k <= 3:
            before, now = (
                np.abs(exact_counts(held_by(s, layout), layout)[k] - targets[k])[told[k]].mean()
                for s in (states, after)
            )
            assert now < 8 < 40 < before


@pytest.mark.parametrize("seed", range(3))
def test_nearly_all_that_is_told_occurs(seed):
    """Also combinations of a few people whose longer combinations are not told."""
    layout = Layout(schema_of([("one", 8), ("fine", 9), ("many", 4), ("one", 5)]), 3)
    rng = np.random.default_rng(seed)
    exact = exact_counts(held_by(random_states(layout, 800, rng, likely=0.2), layout), layout)
    targets = {k: v + rng.normal(0, 3, len(v)) for k, v in exact.items()}
    told = closed(layout, {k: v >= 2 for k, v in targets.items()})
    states = random_states(layout, 800, rng, likely=0.2)
    held = held_cells(repair(states, layout, targets, told, rng), layout)
    missing = sum((told[k] & ~held[k]).sum() for k in told)
    assert missing <= 0.01 * sum(t.sum() for t in told.values())
    assert (held[1] == told[1]).all()


@settings(max_examples=30, deadline=None)
@given(layout=layouts(), seed=st.integers(0, 10**6), people=st.integers(0, 12))
def test_what_nobody_holds_is_given_to_one_person_each(layout, seed, people):
    states, targets, told = problem(layout, seed, people, 0.8)
    told = closed(layout, told)
    holds, first_state = _held_by_state(layout)
    tables = tables_of(layout, targets, told)
    count_held(states, first_state, holds, tables)
    before, order = states.copy(), np.random.default_rng(seed).permutation(people)
    empty = _empty(layout, tables[1:])
    held = held_cells(states, layout)
    wanted = [tuple(c) for k in (3, 2, 1) if k in told for c in layout.cells(k)[told[k] & ~held[k]].tolist()]
    assert sorted(tuple(v for v in row if v >= 0) for row in empty.tolist()) == sorted(wanted)
    assert (np.diff((empty >= 0).sum(axis=1)) <= 0).all()
    give(states, order, empty, _state_of(layout), first_state, holds, tables)
    exact = exact_counts(held_by(states, layout), layout)
    for k in exact:
        if k <= 3:
            target = np.where(told[k], np.maximum(targets[k], 0), 0)
            np.testing.assert_allclose(tables[k][:, 0], exact[k] - target, atol=1e-3)
    changed = (states != before).any(axis=1)
    assert not changed[order[len(wanted) :]].any()
    rows = held_by(states, layout)
    implied = {tuple(np.flatnonzero(np.any([own_state(layout, v) for v in c], axis=0))) for c in wanted}
    assert {tuple(np.flatnonzero(r)) for r in rows[changed]} <= implied


def test_what_one_gift_gives_needs_no_other():
    layout = Layout(schema_of([("one", 2), ("one", 2), ("one", 2)]), 3)
    states = np.zeros((9, 3), dtype=np.int16)
    told = {k: (layout.cells(k) % 2 == 0).all(axis=1) for k in (1, 2, 3)}
    targets = {k: np.full(len(t), 2.0) for k, t in told.items()}
    tables = tables_of(layout, targets, told)
    holds, first_state = _held_by_state(layout)
    count_held(states, first_state, holds, tables)
    empty = _empty(layout, tables[1:])
    assert len(empty) == 7
    give(states, np.arange(9), empty, _state_of(layout), first_state, holds, tables)
    assert states.sum(axis=1).tolist() == [3, *[0] * 8]
