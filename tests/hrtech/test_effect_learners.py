import numpy as np
import pandas as pd
import pytest

from hrtech.causal.design import Design
from hrtech.causal.doubly_robust import average, folds_of, freedom_of, score, splits_for, variance_of
from hrtech.causal.learners import LEARNERS, Sample, fitting, predict, stack


def sample(n=200, yes_no=False, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    x[:, 2] = rng.integers(0, 2, n)
    signal = x[:, 0] ** 2 + x[:, 1] * x[:, 2]
    y = (signal + rng.normal(size=n) > 1).astype(float) if yes_no else signal + 0.5 * rng.normal(size=n)
    return Sample(x, y, rng.uniform(0.5, 1.5, n), yes_no)


def design(n=400, seed=0, copies=1, shift=0.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    t = (rng.random(n) < 1 / (1 + np.exp(-x[:, 0]))).astype(float)
    y = 2 * t + x[:, 0] ** 2 + x[:, 1] + shift + rng.normal(size=n)
    rows = np.repeat(np.arange(n), copies)
    cluster = rows if copies > 1 else None
    return Design(t[rows], y[rows], x[rows], ("a", "b", "c"), pd.DataFrame(), cluster=cluster)


def test_curves_and_trees_find_what_a_line_cannot():
    learnt, fresh = sample(600), sample(600, seed=1)
    found, _ = predict(LEARNERS, learnt, fresh.covariates)
    errors = ((found - fresh.target[:, None]) ** 2).mean(axis=0)
    assert errors[1] < 0.5 * errors[0]
    assert errors[2] < 0.5 * errors[0]


def test_a_parabola_leads_outside_the_rows_learnt_from():
    learnt = sample(600)
    at = np.array([[4.0, 0.0, 0.0], [-4.0, 0.0, 0.0]])
    found, _ = predict(LEARNERS, learnt, at)
    assert np.abs(found[:, 1] - 16).max() < 3
    assert np.abs(found[:, 2] - 16).max() < 4


@pytest.mark.parametrize("yes_no", [False, True])
def test_the_pull_of_a_row_is_what_a_small_change_of_it_does(yes_no):
    learnt, at = sample(120, yes_no), sample(40, seed=5).covariates
    counts = np.random.default_rng(2).normal(size=40)
    before, pull = predict(("linear",), learnt, at, counts=counts)
    step = 1e-5
    for row in (0, 7, 60):
        target = learnt.target.copy()
        target[row] += step
        after, _ = predict(("linear",), Sample(learnt.covariates, target, learnt.weights, yes_no), at)
        moved = counts @ (after - before)[:, 0] / step
        assert moved == pytest.approx(pull[row, 0], rel=0.05, abs=1e-3)


def test_leave_one_out_chooses_the_strength_that_refitting_without_each_row_chooses():
    from hrtech.causal import learners

    learnt = sample(60)
    x = learnt.covariates - np.average(learnt.covariates, axis=0, weights=learnt.weights)
    total = learnt.weights.sum()
    wide = np.column_stack([np.ones(60), x])
    losses = []
    for strength in learners._STRENGTHS:
        penalty = np.diag([0.0, *[strength * total] * 3])
        loss = 0.0
        for row in range(60):
            keep = np.arange(60) != row
            gram = (wide[keep] * learnt.weights[keep, None]).T @ wide[keep] + penalty
            beta = np.linalg.solve(gram, wide[keep].T @ (learnt.weights[keep] * learnt.target[keep]))
            loss += learnt.weights[row] * (learnt.target[row] - wide[row] @ beta) ** 2
        losses.append(loss)
    best = learners._STRENGTHS[int(np.argmin(losses))]
    gram = (wide * learnt.weights[:, None]).T @ wide + np.diag([0.0, *[best * total] * 3])
    beta = np.linalg.solve(gram, wide.T @ (learnt.weights * learnt.target))
    found, _ = learners._least_squares(x, learnt, x, None)
    assert found == pytest.approx(wide @ beta, abs=1e-8)


def test_a_stack_is_a_mean_that_leans_to_the_better():
    rng = np.random.default_rng(0)
    target = rng.normal(size=500)
    good, bad = target + 0.1 * rng.normal(size=500), rng.normal(size=500)
    shares = stack(np.column_stack([good, bad]), target, np.ones(500))
    assert shares.sum() == pytest.approx(1)
    assert shares[0] > 0.95
    assert (shares >= 0).all()


def test_few_rows_carry_no_trees():
    assert fitting(99) == ("linear", "smooth")
    assert fitting(100) == LEARNERS


def test_folds_keep_clusters_whole_and_arms_even():
    rng = np.random.default_rng(0)
    whole = folds_of(design(60, copies=3), rng)
    assert (whole.reshape(-1, 3) == whole.reshape(-1, 3)[:, :1]).all()
    one = design(500)
    fold = folds_of(one, rng)
    exposed = [one.treatment[fold == number].sum() for number in range(5)]
    assert max(exposed) - min(exposed) <= 1


def test_copies_of_rows_tell_nothing_new():
    values = np.random.default_rng(0).normal(size=200)
    once, copied = design(200), design(200, copies=3)
    assert variance_of(np.repeat(values, 3), copied) == pytest.approx(variance_of(values, once))
    assert variance_of(values, once) == pytest.approx(values.var(ddof=1) / 200)
    assert freedom_of(np.repeat(values, 3), copied) == pytest.approx(freedom_of(values, once))
    scores = score(copied, 1, splits=1)
    assert average(scores, copied)[2] == pytest.approx(freedom_of(scores.influence[0], copied))
    assert 1 < freedom_of(scores.influence[0], copied) <= 199


def test_a_variance_that_few_rows_carry_is_known_less_well():
    rng = np.random.default_rng(1)
    known = freedom_of(rng.normal(size=2_000), design(2_000))
    assert 1_700 < known <= 1_999
    heavy = rng.standard_t(4, size=(400, 2_000))
    # a variance with f degrees of freedom scatters by the share sqrt(2 / f)
    scatter = heavy.var(axis=1, ddof=1).std() / heavy.var(axis=1, ddof=1).mean()
    told = np.median([freedom_of(one, design(2_000)) for one in heavy[:50]])
    assert told < known / 2
    assert np.sqrt(2 / told) < 1.5 * scatter
    one = np.zeros(2_000)
    one[0] = 1.0
    assert freedom_of(one, design(2_000)) < 3
    assert freedom_of(np.zeros(2_000), design(2_000)) == 1_999


def test_the_effect_does_not_move_with_the_level_of_the_outcome():
    near, far = (average(score(design(300, shift=shift), 3, splits=1), design(300))[0] for shift in (0, 1000))
    assert far == pytest.approx(near, abs=1e-6)


def test_few_rows_are_split_more_often():
    assert [splits_for(n) for n in (100, 1000, 2000, 50_000)] == [5, 2, 1, 1]
