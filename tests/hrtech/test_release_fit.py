"""The mixture that explains noisy moments: its slope is the loss's, and it finds what can be found."""

import itertools
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from release_worlds import (
    held_by,
    layouts,
    measured_of,
    measurement,
    products_of,
    random_states,
    scaling_of,
    schema_of,
)
from threadpoolctl import threadpool_limits

from hrtech.release import fit
from hrtech.release.declared import ReleaseColumn, ReleaseSchema
from hrtech.release.fit import fit_mixture, predicted_moments, product_sums
from hrtech.release.layout import Layout


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """As in a release: small products are slower on several."""
    with threadpool_limits(1):
        yield


MIXED = [("one", 3), ("many", 2), ("fine", 3), ("one", 2), ("many", 1)]

#: Few steps, where it does not matter how well a mixture fits.
hasty = mock.patch.object(fit, "_ROUND", 12)


def grouped(layout, per_state):
    """Rows of a table of states, group by group."""
    edges = np.cumsum([0, *(len(g.states) for g in layout.groups)])
    return [per_state[a:b] for a, b in itertools.pairwise(edges)]


def probabilities(layout, logits):
    """Softmax in each group, in double precision."""
    parts = [np.exp(own - own.max(axis=0)) for own in grouped(layout, logits)]
    return np.concatenate([p / p.sum(axis=0) for p in parts])


def held_by_components(layout, states):
    """Probability of holding each attribute; shape (attributes, components)."""
    return np.concatenate(
        [g.states.T @ own for g, own in zip(layout.groups, grouped(layout, states), strict=True)]
    )


def predictions(measured, attributes):
    """Moments of a mixture by brute force, in double precision."""
    apart = attributes.T - measured.scaling.centre_values
    each = measured.people / len(apart)
    return {k: each * p.sum(axis=0) for k, p in products_of(measured.layout, apart).items()}


def loss(measured, logits):
    """What the fit minimises, but for its prior."""
    attributes = held_by_components(measured.layout, probabilities(measured.layout, logits))
    total, cells = 0.0, 0
    for k, predicted in predictions(measured, attributes).items():
        squares = ((predicted - measured.moments(k)) / measured.sd(k)) ** 2
        total += (2 if k == 1 else 1) * squares.sum()
        cells += len(squares)
    return total / cells


@settings(max_examples=25, deadline=None)
@given(layout=layouts(), seed=st.integers(0, 10**6))
def test_the_slope_is_that_of_the_loss(layout, seed):
    rng = np.random.default_rng(seed)
    held = held_by(random_states(layout, 60, rng), layout)
    centres = rng.random(layout.n_attributes)
    measured = measured_of(layout, held, rng, sd=3.0, centres=centres)
    parts = fit._Parts(layout)
    descent = fit._Descent(measured, parts, rng)
    logits = rng.normal(0, 1, descent.logits.shape)
    states = parts.softmax(logits.astype(np.float32))
    slope = parts.softmax_slope(states, descent._slope(states))
    step = 1e-5
    for direction in [*rng.normal(0, 1, (3, *logits.shape)), np.sign(slope)]:
        change = (
            loss(measured, logits + step * direction) - loss(measured, logits - step * direction)
        ) / step
        size = float(np.abs(slope).sum() * np.abs(direction).max())
        assert change / 2 == pytest.approx(float((slope * direction).sum()), abs=2e-5 * size + 1e-8)


@settings(max_examples=25, deadline=None)
@given(layout=layouts(), seed=st.integers(0, 10**6))
def test_predictions_are_those_of_brute_force(layout, seed):
    rng = np.random.default_rng(seed)
    measured = measured_of(layout, held_by(random_states(layout, 30, rng), layout), rng)
    states = probabilities(layout, rng.normal(0, 2, (sum(len(g.states) for g in layout.groups), 7)))
    attributes = held_by_components(layout, states)
    wanted = predictions(measured, attributes)
    got = predicted_moments(measured, attributes.astype(np.float32))
    assert list(got) == list(range(1, layout.longest + 1))
    for k in wanted:
        assert got[k].dtype == np.float64
        np.testing.assert_allclose(got[k], wanted[k], atol=30 * 1e-5)


def test_sums_of_zeros_and_ones_are_whole():
    layout = Layout(schema_of(MIXED), 4)
    held = held_by(random_states(layout, 3000, np.random.default_rng(0)), layout)
    sums = product_sums(layout, held.T.astype(np.float32), 4)
    for k, products in products_of(layout, held).items():
        assert np.array_equal(sums[k], products.sum(axis=0))


@hasty
@settings(max_examples=15, deadline=None)
@given(layout=layouts(), seed=st.integers(0, 10**6), people=st.integers(0, 80))
def test_a_fit_is_a_mixture_and_says_how_well_it_fits(layout, seed, people):
    rng = np.random.default_rng(seed)
    held = held_by(random_states(layout, people, rng), layout)
    measured = measured_of(layout, held, rng, sd=2.0, people_sd=1.0)
    found = fit_mixture(measured, np.random.default_rng(seed))
    assert found.states.dtype == found.attributes.dtype == np.float32
    for own in grouped(layout, found.states):
        assert (own >= 0).all()
        np.testing.assert_allclose(own.sum(axis=0), 1, atol=1e-5)
    np.testing.assert_allclose(found.attributes, held_by_components(layout, found.states), atol=1e-6)
    wanted = predictions(measured, found.attributes.astype(float))
    assert set(found.misfit) == {k for k, p in wanted.items() if len(p)}
    for k, told in found.misfit.items():
        exact = np.mean(((wanted[k] - measured.moments(k)) / measured.sd(k)) ** 2)
        assert told == pytest.approx(exact, rel=1e-3, abs=1e-5)
    again = fit_mixture(measured, np.random.default_rng(seed))
    assert np.array_equal(again.states, found.states) and again.misfit == found.misfit


def known_mixture(layout, weights, rng):
    """Moments of a population of a few kinds of person, without any noise, and the number of people."""
    people = 20_000
    parts = [rng.dirichlet(np.full(len(g.states), 0.5), size=len(weights)).T for g in layout.groups]
    attributes = held_by_components(layout, np.concatenate(parts))
    scaling = scaling_of(layout, attributes @ weights)
    products = products_of(layout, attributes.T - scaling.centre_values)
    moments = {k: people * (weights @ p) for k, p in products.items()}
    return scaling, moments, people


@pytest.mark.parametrize("longest", [1, 2, 3, 4])
@pytest.mark.parametrize("weights", [(1.0,), (0.6, 0.3, 0.1)])
def test_a_known_mixture_is_found_from_its_moments(longest, weights):
    """Within a fraction of the noise that the moments are said to have, and far from what any other would predict."""
    rng = np.random.default_rng(3)
    layout = Layout(schema_of(MIXED), longest)
    scaling, moments, people = known_mixture(layout, np.array(weights), rng)
    measured = measurement(layout, scaling, moments, people, rng, sd=1e-4)
    # what is told of the noise decides what is worth fitting
    measured = replace(measured, scale=20.0 * scaling.lattice)
    found = fit_mixture(measured, np.random.default_rng(0))
    predicted = predicted_moments(measured, found.attributes)
    for k in moments:
        assert found.misfit[k] < 0.2
        assert np.abs(predicted[k] - moments[k]).max() < 1.5 * 20
    # independence would predict zeros, many times the noise away
    if len(weights) > 1 and longest > 1:
        assert (np.mean(moments[2] ** 2)) > 20 * 20**2


@hasty
@pytest.mark.parametrize("longest", [1, 3, 5])
@pytest.mark.parametrize(
    ("kinds", "people", "centre"),
    [
        ([("one", 1)], 40, 0.5),
        (MIXED, 0, 0.0),
        (MIXED, 30, 0.0),
        (MIXED, 30, 1.0),
        ([("many", 1)] * 2, 1, 1.0),
    ],
)
def test_degenerate_measurements_have_a_finite_fit(longest, kinds, people, centre):
    rng = np.random.default_rng(0)
    layout = Layout(schema_of(kinds), longest)
    held = held_by(random_states(layout, people, rng), layout)
    measured = measured_of(
        layout, held, rng, sd=5.0, centres=np.full(layout.n_attributes, centre), people_sd=4
    )
    found = fit_mixture(measured, rng)
    assert np.isfinite(found.states).all() and np.isfinite(list(found.misfit.values())).all()


def test_where_no_value_was_found_there_is_nothing_to_fit():
    layout = Layout(ReleaseSchema.known((ReleaseColumn("a", ()), ReleaseColumn("b", (), True)), ()), 3)
    measured = measured_of(layout, np.zeros((9, 0), dtype=int), np.random.default_rng(0))
    found = fit_mixture(measured, np.random.default_rng(0))
    assert len(found.states) == len(found.attributes) == 0 and found.misfit == {}
    assert found.states.shape[1] > 0
