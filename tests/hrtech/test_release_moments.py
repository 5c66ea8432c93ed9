"""Centred moments: exact, in whole numbers, and nobody moves them further than the bound says."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrtech.release.declared import LONGEST, ReleaseColumn, ReleaseSchema
from hrtech.release.holding import Holdings
from hrtech.release.layout import Layout
from hrtech.release.mechanism import bounded_vector, sensitivity_of
from hrtech.release.moments import (
    CENTRE_BITS,
    WEIGHT_BITS,
    Scaling,
    _chunks,
    _split,
    bounded_weights,
    exact_moments,
    norms,
    squared_norms,
    squared_parts,
    worst_norms,
)

SLACK = Fraction(1 + 1e-9)


def schema_of(kinds):
    columns = []
    for k, (kind, size) in enumerate(kinds):
        values = tuple("abc"[:size])
        if kind == "fine":
            parents = {v: "xy"[n % 2] for n, v in enumerate(values)}
            columns.append(ReleaseColumn(f"c{k}", values, parent=f"p{k}", parent_values=parents))
            columns.append(ReleaseColumn(f"p{k}", ("x", "y")))
        else:
            columns.append(ReleaseColumn(f"c{k}", values, multi_valued=kind == "many"))
    return ReleaseSchema(tuple(columns))


@st.composite
def worlds(draw, longest=None):
    """A layout, a scaling and people: rows by a state of each group, several people a row."""
    kinds = draw(
        st.lists(
            st.tuples(st.sampled_from(["one", "many", "fine"]), st.integers(1, 3)), min_size=1, max_size=4
        )
    )
    longest = longest or draw(st.integers(1, LONGEST))
    layout = Layout(schema_of(kinds), longest)
    bits = CENTRE_BITS[longest]
    d = layout.n_attributes
    centres = draw(st.lists(st.integers(0, 1 << bits), min_size=d, max_size=d))
    emphasis = draw(st.lists(st.floats(0.3, 4.0), min_size=d, max_size=d))
    weights = draw(st.lists(st.floats(0.02, 3.0), min_size=longest, max_size=longest))
    scaling = Scaling(
        np.array(centres, dtype=np.int64), bits, np.array(emphasis), tuple(weights), draw(st.floats(0.1, 1.5))
    )
    n = draw(st.integers(0, 6))
    rows = [draw_row(draw, layout) for _ in range(n)]
    people = np.array(draw(st.lists(st.integers(1, 9), min_size=n, max_size=n)), dtype=np.int64)
    held = Holdings(np.array(rows, dtype=np.uint8).reshape(n, d), people)
    return layout, scaling, held, np.array(draw_row(draw, layout), dtype=np.uint8)


def draw_row(draw, layout):
    return [
        int(x)
        for group in layout.groups
        for x in group.states[draw(st.integers(0, len(group.states) - 1))].tolist()
    ]


def all_rows(layout):
    """Everybody there could be."""
    return np.array(
        [np.concatenate(states) for states in itertools.product(*(g.states for g in layout.groups))],
        dtype=np.uint8,
    )


def ladder(layout, scaling, steps=7):
    """Bounds from the smallest that the mechanism may choose to one that touches nobody."""
    full, everything = worst_norms(layout, scaling)
    raw = np.geomspace(full * (1 + 1e-9), max(everything, 2 * full), steps)
    return np.ceil(raw * scaling.lattice) / scaling.lattice


def products(row, layout, scaling, length):
    """Centred products of one person, as fractions."""
    apart = [
        Fraction(int(x)) - Fraction(int(m), 1 << scaling.bits)
        for x, m in zip(row, scaling.centres, strict=True)
    ]
    return [math.prod(apart[k] for k in cell) for cell in layout.cells(length).tolist()]


@settings(max_examples=80, deadline=None)
@given(world=worlds(), data=st.data())
def test_moments_are_those_of_rational_arithmetic(world, data):
    layout, scaling, held, _ = world
    weights = np.array(
        data.draw(st.lists(st.integers(0, 256), min_size=len(held.rows), max_size=len(held.rows))),
        dtype=np.int64,
    )
    got = exact_moments(held, weights, layout, scaling)
    for length, sums in got.items():
        wanted = [Fraction(0)] * layout.size(length)
        for row, n, w in zip(held.rows, held.people.tolist(), weights.tolist(), strict=True):
            share = Fraction(w, 256) if length > 1 else 1
            own = products(row, layout, scaling, length)
            wanted = [a + n * share * b for a, b in zip(wanted, own, strict=True)]
        assert sums.dtype == np.int64
        assert [Fraction(int(s), scaling.unit(length)) for s in sums] == wanted


@pytest.mark.parametrize("longest", range(1, LONGEST + 1))
def test_sums_of_very_many_people_stay_exact(longest):
    """Rows of more people than double precision adds exactly, and rows that fill a run to the brim."""
    layout = Layout(schema_of([("one", 2), ("many", 2), ("fine", 2)]), longest)
    bits = CENTRE_BITS[longest]
    most = 1 << (53 - bits * longest - WEIGHT_BITS)
    many = min(most, 1 << 26)
    rng = np.random.default_rng(longest)
    rows = all_rows(layout)
    people = np.array([3 * many + 5, many, many - 1, 1, 7] + [11] * (len(rows) - 5), dtype=np.int64)
    centres = rng.integers(0, 2, layout.n_attributes) * (1 << bits) - rng.integers(-1, 1, layout.n_attributes)
    scaling = Scaling(
        np.clip(centres, 0, 1 << bits), bits, np.ones(layout.n_attributes), (1.0,) * longest, 1.0
    )
    weights = rng.integers(250, 257, len(rows))
    held = Holdings(rows, people)
    parts, times = _split(held, scaling)
    assert np.array_equal(np.bincount(parts, weights=times).astype(np.int64), people)
    runs = _chunks(times, most)
    assert max(times[a:b].sum() for a, b in runs) <= most
    assert [a for a, _ in runs] == [0, *(b for _, b in runs[:-1])] and runs[-1][1] == len(times)
    got = exact_moments(held, weights, layout, scaling)
    for length, sums in got.items():
        own = rows.astype(object) * (1 << bits) - scaling.centres.astype(object)
        scale = scaling.unit(length) >> (bits * length + WEIGHT_BITS)
        for cell, s in zip(layout.cells(length).tolist(), sums.tolist(), strict=True):
            exact = sum(
                int(n) * (int(w) if length > 1 else 256) * math.prod(own[r, k] for k in cell)
                for r, (n, w) in enumerate(zip(people, weights, strict=True))
            )
            assert s == exact * scale


@pytest.mark.parametrize("longest", range(1, LONGEST + 1))
def test_ten_million_people_stay_inside_whole_numbers_of_64_bits(longest):
    """Bounds by arithmetic: |x - m| <= 1 and a weight <= 1, whatever the data; fifty times ten million fit."""
    n, lattice = 5 * 10**8, 1 << 16
    scaling = Scaling(
        np.zeros(1, dtype=np.int64), CENTRE_BITS[longest], np.ones(1), (1.0,) * longest, 1.0, lattice
    )
    for length in range(1, longest + 1):
        assert n * scaling.unit(length) < 1 << 62
        # one run of rows: whole numbers below 2^53 at every step
        assert (1 << (53 - scaling.bits * longest - WEIGHT_BITS)) << (
            scaling.bits * length + WEIGHT_BITS
        ) <= 1 << 53
    # what bounding took away, before it is divided by 256
    assert 256 * n * scaling.people_units < 1 << 62
    # an entry of the vector is at most as large as the moment in units of the lattice: u <= 2^6 is generous
    assert n * lattice << 6 < 1 << 62


@settings(max_examples=80, deadline=None)
@given(world=worlds())
def test_the_squared_norm_is_the_elementary_symmetric_polynomial(world):
    """Equal, not only an upper bound, also where a person holds a value and the one that it implies."""
    layout, scaling, _, row = world
    full, longer = squared_norms(squared_parts(row[None], layout, scaling), scaling)
    exact = []
    for length, weight in enumerate(scaling.length_weights, start=1):
        u = [
            math.prod(Fraction(float(scaling.emphasis[k])) for k in c) for c in layout.cells(length).tolist()
        ]
        own = products(row, layout, scaling, length)
        exact.append(Fraction(weight) ** 2 * sum((a * b) ** 2 for a, b in zip(u, own, strict=True)))
    w0 = Fraction(scaling.people_weight)
    assert full[0] == pytest.approx(float(2 * w0**2 + exact[0]), rel=1e-12)
    assert longer[0] == pytest.approx(float(sum(exact[1:])), rel=1e-12)
    worst = worst_norms(layout, scaling)
    assert full[0] <= worst[0] ** 2 * (1 + 1e-12) and full[0] + longer[0] <= worst[1] ** 2 * (1 + 1e-12)


def person_vector(row, weight, layout, scaling):
    """What one person adds to the vector before it is rounded: fractions in units of the lattice."""
    units = scaling.people_units
    out = [Fraction(units), Fraction(units * (256 - weight), 256)]
    for length in range(1, scaling.longest + 1):
        share = Fraction(weight, 256) if length > 1 else 1
        steps = scaling.steps(layout, length).tolist()
        own = products(row, layout, scaling, length)
        out += [share * p * scaling.unit(length) / s for p, s in zip(own, steps, strict=True)]
    return out


@settings(max_examples=60, deadline=None)
@given(world=worlds())
def test_nobody_is_longer_than_the_bound(world):
    layout, scaling, _, row = world
    for bound in ladder(layout, scaling):
        weight = int(bounded_weights(row[None], layout, scaling, bound)[0])
        assert 0 <= weight <= 256
        length = sum(v * v for v in person_vector(row, weight, layout, scaling))
        assert length <= (Fraction(bound) * scaling.lattice * SLACK) ** 2


@settings(max_examples=60, deadline=None)
@given(world=worlds())
def test_one_person_more_moves_the_vector_by_at_most_its_sensitivity(world):
    layout, scaling, held, row = world
    more = Holdings(np.vstack([held.rows, row[None]]), np.append(held.people, 1))
    for bound in ladder(layout, scaling):
        before = bounded_vector(held, layout, scaling, bound)
        after = bounded_vector(more, layout, scaling, bound)
        moved = sum((int(a) - int(b)) ** 2 for a, b in zip(after, before, strict=True))
        assert Fraction(moved) <= Fraction(sensitivity_of(bound, scaling, len(before))) ** 2


def example(longest=3):
    layout = Layout(schema_of([("one", 3), ("many", 3), ("fine", 3), ("many", 2)]), longest)
    bits = CENTRE_BITS[longest]
    centres = np.linspace(0.05, 0.4, layout.n_attributes)
    return layout, Scaling(
        np.rint(centres * (1 << bits)).astype(np.int64),
        bits,
        np.ones(layout.n_attributes),
        tuple(0.4 / 2**k for k in range(longest)),
        0.2,
    )


@pytest.mark.parametrize("longest", [1, 2, 3, 5])
def test_the_bound_is_nearly_reached(longest):
    """The sensitivity is not vacuous: at every bound somebody's vector is within a few per cent of it."""
    layout, scaling = example(longest)
    rows = all_rows(layout)
    nobody = Holdings(rows[:0], np.zeros(0, dtype=np.int64))
    reached = []
    for bound in ladder(layout, scaling, 12)[:-1]:
        zero = bounded_vector(nobody, layout, scaling, bound)
        weights = bounded_weights(rows, layout, scaling, bound)
        needed = norms(rows, layout, scaling)
        # among those who need the bound, and the longest of all
        near = np.unique(np.r_[np.argsort(abs(needed - bound))[:5], needed.argmax()])
        best = max(
            np.linalg.norm(
                (
                    bounded_vector(Holdings(rows[[k]], np.ones(1, dtype=np.int64)), layout, scaling, bound)
                    - zero
                ).astype(float)
            )
            for k in near
        )
        most = sensitivity_of(bound, scaling, len(zero))
        assert best <= most
        if weights.min() < 256:
            reached.append(best / most)
    if longest > 1:
        assert len(reached) > 3 and min(reached) > 0.93 and max(reached) > 0.97
    # everything always counts in full at length 1: the worst person needs the smallest bound
    else:
        assert best / most > 0.45


def test_a_persons_norm_and_weight_do_not_depend_on_who_else_is_there():
    """Bit for bit: how numpy adds a row up must not depend on how many rows there are."""
    rng = np.random.default_rng(0)
    kinds = [("one", 3)] * 7 + [("many", 3)] * 4 + [("fine", 3)] * 5
    layout = Layout(schema_of(kinds), 3)
    scaling = Scaling(
        rng.integers(0, 257, layout.n_attributes),
        8,
        rng.uniform(0.5, 2, layout.n_attributes),
        (0.31, 0.17, 0.05),
        0.22,
    )
    rows = np.array(
        [np.concatenate([g.states[rng.integers(len(g.states))] for g in layout.groups]) for _ in range(301)],
        dtype=np.uint8,
    )
    together = norms(rows, layout, scaling)
    bound = float(ladder(layout, scaling)[2])
    weights = bounded_weights(rows, layout, scaling, bound)
    for k in range(len(rows)):
        for some in (slice(k, k + 1), slice(max(0, k - 7), k + 1)):
            assert norms(rows[some], layout, scaling)[-1] == together[k]
            assert bounded_weights(rows[some], layout, scaling, bound)[-1] == weights[k]


def test_a_bound_below_what_always_counts_is_refused():
    layout, scaling = example()
    rows = all_rows(layout)
    full = worst_norms(layout, scaling)[0]
    assert (bounded_weights(rows, layout, scaling, full) >= 0).all()
    with pytest.raises(ValueError, match="smaller than what always counts"):
        bounded_weights(rows, layout, scaling, full * 0.999)


@pytest.mark.parametrize("longest", range(1, LONGEST + 1))
def test_the_lattice_gives_each_moment_the_weight_that_was_asked_for(longest):
    """Steps are rounded up, so weights are never exceeded; and they are fine, so hardly any is lost."""
    layout, scaling = example(longest)
    for length in range(1, longest + 1):
        u = scaling.emphasis[layout.cells(length)].prod(axis=1) * scaling.length_weights[length - 1]
        real = scaling.unit(length) / scaling.steps(layout, length) / scaling.lattice
        assert (real <= u * (1 + 1e-12)).all() and (real > u * 0.999).all()
