"""Synthetic controls: the solver is exact, estimates equal a second computation, and resampling is what it says."""

import numpy as np
import pandas as pd
import pytest

from hrtech.causal.events.block import METHODS, Block, fit_block
from hrtech.causal.events.inference import bootstrap, choose_interval, jackknife, placebos, standard_error
from hrtech.causal.events.robustness import conformal_p, leave_one_donor_out, placebo_in_time, rank_p
from hrtech.causal.events.simplex import SimplexError, project, simplex_least_squares
from hrtech.causal.events.study_blocks import holm
from hrtech.causal.events.windows import Window


def factor_panel(units=20, before=12, after=6, treated=1, effect=0.0, seed=0):
    """Units that share two factors; the last ones come under the event."""
    rng = np.random.default_rng(seed)
    factors = np.cumsum(rng.normal(size=(2, before + after)), axis=1)
    y = rng.uniform(0, 1, (units, 2)) @ factors + rng.normal(size=(units, 1)) * 2
    y += 0.3 * rng.normal(size=y.shape)
    y[units - treated :, before:] += effect
    on = np.arange(units) >= units - treated
    periods = np.arange(before + after)
    return Window(y, before, periods - before, periods, on, ~on, 1.0)


@pytest.mark.parametrize("ridge", [1e-12, 0.5])
def test_the_solver_meets_the_optimality_conditions_and_agrees_with_another(ridge):
    from scipy.optimize import minimize

    rng = np.random.default_rng(1)
    a = rng.normal(size=(15, 9))
    gram, cross = a.T @ a, rng.normal(size=(6, 15)) @ a
    allowed = np.ones((6, 9), dtype=bool)
    allowed[3, [0, 4]] = False
    found = simplex_least_squares(gram, cross, np.full((6, 9), ridge), allowed)
    assert found.sum(axis=1) == pytest.approx(np.ones(6))
    assert (found >= 0).all() and not found[3, [0, 4]].any()
    full = gram + ridge * np.eye(9)
    for k in range(6):
        gradient = full @ found[k] - cross[k]
        assert gradient[allowed[k]].min() >= gradient @ found[k] - 1e-7 * np.abs(full).max()
        at = minimize(
            lambda w, k=k: w @ full @ w / 2 - cross[k] @ w,
            np.where(allowed[k], 1 / allowed[k].sum(), 0),
            bounds=[(0, 1 if ok else 0) for ok in allowed[k]],
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
            options={"ftol": 1e-14},
        ).x
        assert found[k] == pytest.approx(at, abs=1e-4)


def test_more_donors_than_periods_and_repeated_donors_are_solved():
    rng = np.random.default_rng(2)
    a = rng.normal(size=(5, 60))
    a[:, 30:] = a[:, :30]
    cross = (a @ np.full(60, 1 / 60))[None] @ a
    found = simplex_least_squares(a.T @ a, cross, np.full((1, 60), 1e-12), np.ones((1, 60), dtype=bool))
    assert np.abs(a @ found[0] - a.mean(axis=1)).max() < 1e-5
    with pytest.raises(SimplexError, match="no variable"):
        simplex_least_squares(a.T @ a, cross, np.ones((1, 60)), np.zeros((1, 60), dtype=bool))
    with pytest.raises(SimplexError, match="not finite"):
        simplex_least_squares(a.T @ a, cross * np.nan, np.ones((1, 60)), np.ones((1, 60), dtype=bool))


def test_systems_as_small_as_the_past_give_the_same_weights():
    rng = np.random.default_rng(3)
    a = rng.normal(size=(8, 40))
    cross, allowed = rng.normal(size=(5, 8)) @ a, rng.random((5, 40)) > 0.2
    ridge = np.full((5, 40), 2.0) / rng.integers(1, 3, (5, 40))
    plain = simplex_least_squares(a.T @ a, cross, ridge, allowed)
    assert simplex_least_squares(a.T @ a, cross, ridge, allowed, a) == pytest.approx(plain, abs=1e-9)
    assert (plain > 0).sum(axis=1).max() > 8


def test_projection_is_the_nearest_point():
    points = np.array([[0.5, 0.5, -1.0], [3.0, 0.0, 0.0]])
    allowed = np.array([[True, True, True], [False, True, True]])
    assert project(points, allowed) == pytest.approx(np.array([[0.5, 0.5, 0], [0, 0.5, 0.5]]))


def test_synthetic_did_is_the_weighted_two_way_regression():
    import statsmodels.api as sm

    window = factor_panel(treated=3, effect=2.0)
    fit = window.fit("synthetic_did")
    periods = window.outcomes.shape[1]
    omega = np.where(window.treated, 1 / 3, fit.unit_weights[0])
    lambdas = np.concatenate([fit.time_weights[0], np.full(6, 1 / 6)])
    weights = (omega[:, None] * lambdas).ravel()
    kept = np.flatnonzero(weights > 0)
    unit, period = np.divmod(kept, periods)
    on = (window.treated[unit] & (period >= 12)).astype(float)
    design = np.column_stack([on, pd.get_dummies(unit), pd.get_dummies(period).iloc[:, 1:]]).astype(float)
    found = sm.WLS(window.outcomes.ravel()[kept], design, weights=weights[kept]).fit()
    assert fit.effects[0] == pytest.approx(found.params[0], abs=1e-8)
    assert fit.gaps[0, 12:].mean() == pytest.approx(fit.effects[0])
    assert (fit.gaps[0, :12] * fit.time_weights[0]).sum() == pytest.approx(0, abs=1e-10)


def test_estimates_recover_a_planted_effect_where_difference_in_differences_need_not():
    errors = {method: [] for method in METHODS}
    for seed in range(30):
        window = factor_panel(units=30, before=20, effect=2.0, seed=seed)
        for method in METHODS:
            errors[method].append(window.fit(method).effects[0] - 2)
    spread = {method: float(np.sqrt(np.mean(np.square(values)))) for method, values in errors.items()}
    assert spread["synthetic_did"] < spread["difference_in_differences"]
    assert abs(np.mean(errors["synthetic_did"])) < 0.35


def test_a_batch_equals_one_after_the_other():
    window = factor_panel()
    for method in METHODS:
        many = placebos([window], method, 200, np.random.default_rng(1))
        assert many is not None and many.every and len(many.effects) == 19
        for place in (0, 7, 18):
            alone = np.delete(window.outcomes[:-1], place, axis=0)
            outcomes = np.vstack([alone, window.outcomes[place]])
            treated = np.eye(19)[-1:]
            one = fit_block(Block(outcomes, 12, treated, 1 - treated, np.ones(1)), method)
            assert many.effects[place] == pytest.approx(one.effects[0], abs=1e-7)
        error = standard_error([window], method, "placebo", 200, np.random.default_rng(1), many)
        assert error == pytest.approx(many.effects.std())


def test_a_unit_drawn_twice_weighs_as_two_copies():
    window = factor_panel(treated=4)
    counts = np.ones((1, 20))
    counts[0, 3], counts[0, 17] = 3, 2
    outcomes = np.vstack([window.outcomes, window.outcomes[[3, 3, 17]]])
    on = np.concatenate([window.treated, [False, False, True]]).astype(float)[None]
    for method in METHODS:
        weighted = fit_block(window.block(counts * window.treated, counts * window.donors), method)
        copied = fit_block(Block(outcomes, 12, on / on.sum(), 1 - on, on.sum(axis=1)), method)
        assert weighted.effects[0] == pytest.approx(copied.effects[0], abs=1e-7)


def test_the_jackknife_leaves_each_unit_out_with_weights_as_they_were():
    window = factor_panel(treated=3, effect=1.0)
    fit = window.fit("synthetic_did")
    found = jackknife([window], "synthetic_did")
    assert len(found) == 20
    contrast = np.concatenate([-fit.time_weights[0], np.full(6, 1 / 6)])
    each = window.outcomes @ contrast
    omega = fit.unit_weights[0].copy()
    omega[5] = 0
    assert found[5] == pytest.approx(each[17:].mean() - omega @ each / omega.sum())
    assert found[19] == pytest.approx(each[17:19].mean() - fit.unit_weights[0] @ each)
    drawn = bootstrap([window], "difference_in_differences", 400, np.random.default_rng(2))
    steps = window.outcomes[:, 12:].mean(axis=1) - window.outcomes[:, :12].mean(axis=1)
    classical = np.sqrt(steps[17:].var() / 3 + steps[:17].var() / 17)
    assert drawn.std() == pytest.approx(classical, rel=0.35)


def test_the_procedure_follows_the_number_of_units():
    assert choose_interval([factor_panel()], "automatic") == "placebo"
    assert choose_interval([factor_panel(treated=6)], "automatic") == "bootstrap"
    assert choose_interval([factor_panel(units=200, treated=6)], "automatic") == "jackknife"
    assert choose_interval([factor_panel()], "jackknife") == "none"
    assert choose_interval([factor_panel(units=2)], "automatic") == "none"
    assert np.isnan(
        standard_error([factor_panel(units=2)], "synthetic_did", "none", 50, np.random.default_rng(0))
    )


def test_conformal_p_values_are_level_and_find_an_effect():
    null, real = [], []
    for seed in range(60):
        for effect, found in ((0.0, null), (4.0, real)):
            window = factor_panel(units=15, before=24, after=4, effect=effect, seed=seed)
            found.append(conformal_p(window, "synthetic_control", window.treated[None].astype(float))[0])
    assert np.mean(np.array(null) <= 0.1) <= 0.25  # 0.1 expected; 0.25 has a chance below 0.1 %
    assert np.mean(np.array(real) <= 0.1) > 0.8
    assert min(real) >= 1 / 28 - 1e-12
    moved = conformal_p(
        window,
        "synthetic_control",
        np.repeat(window.treated[None].astype(float), 2, axis=0),
        np.array([0.0, 4.0]),
    )
    assert moved[0] < moved[1]


def test_ranks_are_never_zero_and_placebos_in_time_use_the_past_alone():
    assert rank_p(5.0, np.array([1.0, -2.0, 3.0])) == pytest.approx(1 / 4)
    assert rank_p(2.0, np.array([1.0, -2.0, 3.0])) == pytest.approx(3 / 4)
    with_effect = placebo_in_time(
        [factor_panel(effect=50.0)], "synthetic_did", 3, 50, np.random.default_rng(0)
    )
    without = placebo_in_time([factor_panel(effect=0.0)], "synthetic_did", 3, 50, np.random.default_rng(0))
    assert with_effect == without
    assert [row[0] for row in without] == [1, 3, 5, 7, 9]


def test_leaving_a_donor_out_equals_estimating_without_it():
    window = factor_panel()
    rows = leave_one_donor_out([window], "synthetic_control")
    weights = window.fit("synthetic_control").unit_weights[0]
    assert {row[0] for row in rows} == set(np.flatnonzero(weights > 1e-6))
    unit, weight, effect = rows[0]
    assert weight == pytest.approx(weights.max())
    donors = window.donors.copy()
    donors[unit] = False
    alone = fit_block(window.block(window.treated[None].astype(float), donors[None]), "synthetic_control")
    assert effect == pytest.approx(alone.effects[0])


def test_holm_counts_known_values_only():
    assert holm([0.01, float("nan"), 0.04, 0.03]) == pytest.approx([0.03, np.nan, 0.06, 0.06], nan_ok=True)
