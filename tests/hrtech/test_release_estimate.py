"""Counts from noisy moments: exact where nothing is noisy, with the noise that is told, and between two beliefs."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from release_worlds import exact_counts, held_by, layouts, measured_of, random_states, schema_of

from hrtech.release.estimate import _shrunk, estimate, smallest_parent, uncentred
from hrtech.release.fit import Mixture, predicted_moments
from hrtech.release.layout import Layout

KINDS = [("one", 2), ("many", 2), ("fine", 3)]


def any_mixture(layout, rng, components=5):
    """Some population."""
    states = np.concatenate(
        [rng.dirichlet(np.ones(len(g.states)), size=components).T for g in layout.groups]
    ).astype(np.float32)
    first, attributes = 0, []
    for group in layout.groups:
        attributes.append(group.states.T @ states[first : first + len(group.states)])
        first += len(group.states)
    return Mixture(states, np.concatenate(attributes).astype(np.float32), {})


@settings(max_examples=40, deadline=None)
@given(layout=layouts(), seed=st.integers(0, 10**6), people=st.integers(0, 40))
def test_without_noise_direct_estimates_are_the_counts(layout, seed, people):
    """Whatever the centres; but for the lattice, 2^-16 of a person for each moment."""
    rng = np.random.default_rng(seed)
    held = held_by(random_states(layout, people, rng), layout)
    measured = measured_of(layout, held, rng, sd=1e-6, centres=rng.random(layout.n_attributes))
    found = estimate(measured, any_mixture(layout, rng))
    for k, exact in exact_counts(held, layout).items():
        np.testing.assert_allclose(found.direct[k], exact, atol=1e-3)
        assert found.direct[k].dtype == found.shrunk[k].dtype == found.sd[k].dtype == np.float64


@settings(max_examples=40, deadline=None)
@given(layout=layouts(), seed=st.integers(0, 10**6))
def test_counts_and_their_variances_are_sums_over_subsets(layout, seed):
    rng = np.random.default_rng(seed)
    centres = rng.random(layout.n_attributes)
    moments = {k: rng.normal(0, 10, layout.size(k)) for k in range(1, layout.longest + 1)}
    variances = {k: rng.random(layout.size(k)) for k in moments}
    value = {tuple(c): m for k in moments for c, m in zip(layout.cells(k).tolist(), moments[k], strict=True)}
    spread = {
        tuple(c): v for k in moments for c, v in zip(layout.cells(k).tolist(), variances[k], strict=True)
    }
    value[()], spread[()] = 77.0, 3.0
    got = uncentred(layout, moments, centres, 77.0)
    variance = uncentred(layout, variances, centres**2, 3.0)
    for k in moments:
        for n, cell in enumerate(layout.cells(k).tolist()):
            # what one moment weighs in this count
            weights = {
                kept: np.prod([centres[i] for i in cell if i not in kept])
                for size in range(k + 1)
                for kept in combinations(cell, size)
            }
            assert got[k][n] == pytest.approx(sum(w * value[t] for t, w in weights.items()), abs=1e-9)
            assert variance[k][n] == pytest.approx(sum(w * w * spread[t] for t, w in weights.items()))


def test_the_noise_of_direct_estimates_is_as_told():
    rng = np.random.default_rng(0)
    layout = Layout(schema_of(KINDS), 3)
    held = held_by(random_states(layout, 200, rng), layout)
    exact, mixture = exact_counts(held, layout), any_mixture(layout, rng)
    scores = {k: [] for k in exact}
    for _ in range(400):
        measured = measured_of(layout, held, rng, sd=4.0, people_sd=6.0)
        found = estimate(measured, mixture)
        for k, count in exact.items():
            scores[k].append((found.direct[k] - count) / found.sd[k])
    for drawn in scores.values():
        drawn = np.array(drawn)
        assert np.abs(drawn.mean(axis=0)).max() < 4 / np.sqrt(400)
        assert np.abs(drawn.std(axis=0) - 1).max() < 4 / np.sqrt(2 * 400)


@settings(max_examples=40, deadline=None)
@given(layout=layouts(), seed=st.integers(0, 10**6), sd=st.sampled_from([0.5, 5.0, 50.0]))
def test_estimates_are_finite_and_nothing_is_estimated_of_what_is_impossible(layout, seed, sd):
    rng = np.random.default_rng(seed)
    held = held_by(random_states(layout, 50, rng), layout)
    found = estimate(measured_of(layout, held, rng, sd=sd, people_sd=2.0), any_mixture(layout, rng))
    for k in range(1, layout.longest + 1):
        ruled_out = layout.ruled_out(k)
        for table in (found.direct, found.shrunk, found.sd):
            assert len(table[k]) == layout.size(k) and np.isfinite(table[k]).all()
            assert (table[k][ruled_out] == 0).all()
        assert (found.sd[k][~ruled_out] > 0).all()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 900),
    apart=st.sampled_from([0.0, 0.3, 1.0, 1.4, 3.0, 30.0]),
)
def test_shrinking_believes_the_mixture_as_far_as_noise_explains_the_difference(seed, n, apart):
    rng = np.random.default_rng(seed)
    sd, spread = rng.uniform(0.1, 10, n), rng.random(n)
    predicted = rng.normal(0, 50, n)
    noisy = predicted + rng.normal(0, 1, n) * sd * apart
    got = _shrunk(noisy, predicted, sd, spread)
    low, high = np.minimum(noisy, predicted), np.maximum(noisy, predicted)
    assert ((low - 1e-9 <= got) & (got <= high + 1e-9)).all()
    misfit = np.mean(((noisy - predicted) / sd) ** 2)
    if n < 60:
        # one class: the formula of James and Stein
        trust = max(0.0, 1 - 1 / max(misfit, 1e-9))
        np.testing.assert_allclose(got, predicted + trust * (noisy - predicted), atol=1e-9)
    if apart <= 0.3:
        assert np.array_equal(got, predicted)
    if apart == 30.0 and n > 30:
        np.testing.assert_allclose(got, noisy, rtol=0.01, atol=0.02 * np.abs(noisy - predicted).max())


def test_combinations_that_vary_alike_are_believed_alike():
    """A mixture may explain common combinations and miss rare ones: each class is judged by itself."""
    rng = np.random.default_rng(1)
    spread = np.repeat([0.1, 0.9], 300)
    predicted, sd = np.zeros(600), np.ones(600)
    noisy = rng.normal(0, np.repeat([0.7, 20.0], 300))
    got = _shrunk(noisy, predicted, sd, spread)
    assert np.abs(got[:300]).max() < 0.5 * np.abs(noisy[:300]).max()
    np.testing.assert_allclose(got[300:], noisy[300:], rtol=0.02)


def test_a_good_mixture_leaves_less_error_and_a_wrong_one_hardly_more():
    rng = np.random.default_rng(5)
    layout = Layout(schema_of([("one", 3), ("many", 3), ("fine", 3), ("one", 3)]), 3)
    states = random_states(layout, 3000, rng)
    held = held_by(states, layout)
    exact = exact_counts(held, layout)
    # the people themselves are a mixture of as many components
    own = np.concatenate(
        [(states[:, g] == np.arange(len(group.states))[:, None]) for g, group in enumerate(layout.groups)]
    ).astype(np.float32)
    true = Mixture(own, held.T.astype(np.float32), {})
    measured = measured_of(layout, held, rng, sd=30.0)
    right, wrong = estimate(measured, true), estimate(measured, any_mixture(layout, rng))
    for k, count in exact.items():
        error = {
            name: np.sqrt(np.mean((table[k] - count) ** 2))
            for name, table in (("direct", right.direct), ("right", right.shrunk), ("wrong", wrong.shrunk))
        }
        assert error["right"] < 0.5 * error["direct"]
        assert error["wrong"] < 1.1 * error["direct"]
    predicted = predicted_moments(measured, true.attributes)
    np.testing.assert_allclose(
        uncentred(layout, predicted, measured.scaling.centre_values, 3000.0)[2], exact[2], atol=0.1
    )


@settings(max_examples=30, deadline=None)
@given(layout=layouts(), seed=st.integers(0, 10**6))
def test_the_smallest_parent_is_that_of_one_attribute_less(layout, seed):
    rng = np.random.default_rng(seed)
    counts = {k: rng.integers(0, 9, layout.size(k)).astype(float) for k in range(1, layout.longest + 1)}
    number = {tuple(c): n for k in counts for n, c in enumerate(layout.cells(k).tolist())}
    for k in range(2, layout.longest + 1):
        wanted = [
            min(counts[k - 1][number[p]] for p in combinations(c, k - 1)) for c in layout.cells(k).tolist()
        ]
        assert smallest_parent(layout, counts, k).tolist() == wanted
