"""Attributes, groups and combinations: exactly those that a person can hold, each once and in one order."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrtech.release.declared import ReleaseColumn, ReleaseSchema
from hrtech.release.layout import Layout, count_cells
from hrtech.release.plan import group_sizes

kinds = st.lists(
    st.tuples(st.sampled_from(["one", "many", "fine"]), st.integers(1, 4)), min_size=1, max_size=5
)


def schema_of(kinds):
    """Columns of these kinds and numbers of values; a fine one refines a column of its own."""
    columns = []
    for k, (kind, size) in enumerate(kinds):
        values = tuple("abcd"[:size])
        if kind == "fine":
            parents = {v: "xy"[n % 2] for n, v in enumerate(values)}
            columns.append(ReleaseColumn(f"c{k}", values, parent=f"p{k}", parent_values=parents))
            columns.append(ReleaseColumn(f"p{k}", ("x", "y")))
        else:
            columns.append(ReleaseColumn(f"c{k}", values, multi_valued=kind == "many"))
    return ReleaseSchema(tuple(columns))


def together(schema, attributes):
    """Whether a combination is told: no two values of one single-valued column, nor of it and what it refines."""
    names = [schema.by_name[c].parent or c for c, _ in attributes if not schema.by_name[c].multi_valued]
    return len(set(names)) == len(names)


@settings(max_examples=60, deadline=None)
@given(kinds=kinds, longest=st.integers(1, 5))
def test_combinations_are_those_of_brute_force(kinds, longest):
    schema = schema_of(kinds)
    layout = Layout(schema, longest)
    assert set(layout.attributes) == {(c.name, v) for c in schema.columns for v in c.attributes}
    for length in range(1, longest + 1):
        cells = layout.cells(length)
        found = [tuple(layout.attributes[k] for k in row) for row in cells.tolist()]
        wanted = {
            frozenset(s)
            for s in itertools.combinations(layout.attributes, length)
            if together(schema, list(s))
        }
        assert len(found) == len(wanted) == layout.size(length)
        assert {frozenset(f) for f in found} == wanted
        assert (np.diff(cells, axis=1) > 0).all() and cells.shape == (len(found), length)
        assert np.array_equal(layout.number(cells), np.arange(len(cells)))


@settings(max_examples=60, deadline=None)
@given(kinds=kinds, longest=st.integers(3, 5))
def test_blocks_are_products_that_fill_the_vector_once(kinds, longest):
    layout = Layout(schema_of(kinds), longest)
    rest = layout.cells(longest - 2)[layout.order_by_first(longest - 2)]
    at = 0
    for block in layout.blocks(longest):
        pairs, own = layout.pairs[block.pairs], rest[block.rest]
        assert block.at.start == at
        at = block.at.stop
        whole = layout.cells(longest)[block.at].reshape(len(pairs), len(own), longest)
        assert np.array_equal(whole[:, :, :2], np.broadcast_to(pairs[:, None], whole[:, :, :2].shape))
        assert np.array_equal(whole[:, :, 2:], np.broadcast_to(own[None], whole[:, :, 2:].shape))
    assert at == layout.size(longest)


@settings(max_examples=60, deadline=None)
@given(kinds=kinds)
def test_groups_hold_the_states_of_a_person(kinds):
    schema = schema_of(kinds)
    layout = Layout(schema, 2)
    assert [g.size for g in layout.groups] == group_sizes(schema)
    assert [g.first for g in layout.groups] == [0, *(g.stop for g in layout.groups[:-1])]
    assert layout.groups[-1].stop == layout.n_attributes == len(layout.group_of)
    for group in layout.groups:
        own = layout.attributes[group.first : group.stop]
        assert not group.states[0].any() and len(np.unique(group.states, axis=0)) == len(group.states)
        assert group.states.any(axis=0).all()
        for state in group.states[1:]:
            held = [own[k] for k in np.flatnonzero(state)]
            column = schema.by_name[held[0][0]]
            implied = [(column.parent, column.parent_values[held[0][1]])] if column.parent else []
            assert held == [held[0], *implied]
    # a value, and the one that it implies where there is one
    assert layout.most_attributes == sum({"one": 1, "many": size, "fine": 2}[kind] for kind, size in kinds)


def test_counting_needs_no_layout():
    assert count_cells([2, 3, 1], 3) == [1, 6, 11, 6]
    assert count_cells([], 2) == [1, 0, 0]


def test_pairs_that_are_impossible_rule_out_what_holds_them():
    columns = schema_of([("one", 2), ("many", 2), ("one", 2)]).columns
    schema = ReleaseSchema(columns, ((("c1", "b"), ("c0", "a")), (("c0", "b"), ("c2", "a"))))
    layout = Layout(schema, 3)
    for length in (1, 2, 3):
        cells = [{layout.attributes[k] for k in row} for row in layout.cells(length).tolist()]
        wanted = [any(set(p) <= cell for p in schema.impossible) for cell in cells]
        assert layout.ruled_out(length).tolist() == wanted
    assert layout.ruled_out(2).sum() == 2


@pytest.mark.parametrize("longest", [1, 3, 5])
def test_nothing_found_is_a_layout_without_attributes(longest):
    schema = ReleaseSchema.known((ReleaseColumn("a", ()), ReleaseColumn("b", (), multi_valued=True)), ())
    layout = Layout(schema, longest)
    assert layout.attributes == () and layout.groups == () and layout.most_attributes == 0
    assert [layout.cells(k).shape for k in range(1, longest + 1)] == [(0, k) for k in range(1, longest + 1)]


def test_a_column_without_values_takes_no_part():
    columns = (ReleaseColumn("a", ()), ReleaseColumn("b", ("x", "y")), ReleaseColumn("n", ("0",)))
    layout = Layout(ReleaseSchema.known(columns, ()), 2)
    assert layout.attributes == (("b", "x"), ("b", "y")) and len(layout.groups) == 1
    assert layout.size(2) == 0
