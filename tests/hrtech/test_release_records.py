"""Synthetic people: drawn as the mixture says, then changed until they hold what is told and nothing else."""

import itertools

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from release_worlds import exact_counts, held_by, layouts, random_states, schema_of

from hrtech.release.declared import ReleaseColumn, ReleaseSchema
from hrtech.release.fit import Mixture
from hrtech.release.holding import encoded_people, holdings
from hrtech.release.layout import Layout
from hrtech.release.people import LIST_DTYPE
from hrtech.release.records import as_table, holders, sample_people
from hrtech.release.repair import _held_by_state, _table, places_of, repair
from hrtech.release.repair_loops import count_held

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
    for row in range(people):
        again = holdings(encoded_people(frame.iloc[[row]], layout.schema), layout)
        assert np.array_equal(again.rows, held[[row]])


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
