"""Staggered adoption: effects equal a second computation, intervals cover, honest intervals hold what they promise."""

import numpy as np
import pandas as pd
import pytest

from hrtech.causal.events import EventError, EventQuestion, study_event
from hrtech.causal.events.adoption import NEVER
from hrtech.causal.events.honest import Leads, folded_quantile, relative_magnitudes, smoothness
from hrtech.causal.events.panel import Panel
from hrtech.causal.events.staggered import group_time, lead_means, overall, simultaneous, summarise
from hrtech.causal.events.sun_abraham import interaction_weighted


def world(units=120, seed=0, never=0.35):
    """Cohorts in periods 3 and 5 with effects that differ and grow."""
    rng = np.random.default_rng(seed)
    cohort = rng.choice([3, 5, NEVER], units, p=[(1 - never) / 2, (1 - never) / 2, never])
    y = rng.normal(size=(units, 1)) + np.cumsum(rng.normal(size=8)) + rng.normal(size=(units, 8))
    for first, size in ((3, 2.0), (5, 0.5)):
        y[cohort == first, first:] += size * (1 + 0.5 * np.arange(8 - first))
    return Panel(np.arange(units).astype(str).astype(object), np.arange(8), y, cohort)


def test_group_time_effects_are_differences_of_mean_changes():
    panel = world()
    y, adopted = panel.outcomes, panel.adopted
    for controls in ("never_treated", "not_yet_treated"):
        found = group_time(panel, controls)
        at = int(np.flatnonzero((found.cohort == 3) & (found.period == 4))[0])
        others = (adopted == NEVER) | ((adopted > 4) & (controls == "not_yet_treated"))
        change = y[:, 4] - y[:, 2]
        assert found.effect[at] == pytest.approx(change[adopted == 3].mean() - change[others].mean())
        variance = change[adopted == 3].var() / (adopted == 3).sum() + change[others].var() / others.sum()
        errors = np.sqrt((found.influence**2).sum(axis=0)) / len(y)
        assert errors[at] == pytest.approx(np.sqrt(variance))
        assert (found.controls[at], found.treated[at]) == (others.sum(), (adopted == 3).sum())


def test_summaries_weigh_cohorts_by_size_and_count_the_weights_influence():
    panel = world()
    found = group_time(panel, "never_treated")
    by_time = summarise(found, "event_time")
    sizes = np.array([(panel.adopted == 3).sum(), (panel.adopted == 5).sum()])
    pair = [found.effect[(found.cohort == c) & (found.event_time == 1)][0] for c in (3, 5)]
    assert by_time.estimate[by_time.label == 1][0] == pytest.approx(np.average(pair, weights=sizes))
    whole = overall(found, "cohort")
    # leaving each unit out is another road to the standard error, weights included
    left = []
    for unit in range(len(panel.units)):
        kept = np.arange(len(panel.units)) != unit
        left.append(overall(group_time(panel.some(kept), "never_treated"), "cohort").estimate[0])
    n = len(left)
    assert whole.std_error[0] == pytest.approx(
        np.sqrt((n - 1) / n * np.sum((left - np.mean(left)) ** 2)), rel=0.05
    )
    labels = by_time.label[by_time.label < -1]
    assert lead_means(panel, labels, "never_treated") == pytest.approx(by_time.estimate[by_time.label < -1])
    mixed = summarise(group_time(panel, "not_yet_treated"), "event_time")
    assert lead_means(panel, labels, "not_yet_treated").shape == labels.shape
    assert np.isfinite(mixed.estimate).all()


def test_sun_abraham_is_the_regression_with_clustered_errors():
    import statsmodels.api as sm

    panel = world(60)
    found = interaction_weighted(panel)
    unit, period = np.divmod(np.arange(60 * 8), 8)
    columns, cells = [], []
    for cohort in (3, 5):
        for at in range(8):
            if at != cohort - 1:
                columns.append(((panel.adopted[unit] == cohort) & (period == at)).astype(float))
                cells.append((cohort, at - cohort))
    design = np.column_stack([*columns, pd.get_dummies(unit), pd.get_dummies(period).iloc[:, 1:]]).astype(
        float
    )
    fit = sm.OLS(panel.outcomes.ravel(), design).fit(cov_type="cluster", cov_kwds={"groups": unit})
    assert found.coefficient == pytest.approx(fit.params[: len(cells)])
    chosen = np.array([relative == 1 for _, relative in cells], dtype=float)
    chosen *= [(panel.adopted == cohort).sum() for cohort, _ in cells]
    chosen /= chosen.sum()
    at = int(np.flatnonzero(found.event_time == 1)[0])
    assert found.estimate[at] == pytest.approx(chosen @ fit.params[: len(cells)])
    clustered = np.sqrt(chosen @ fit.cov_params()[: len(cells), : len(cells)] @ chosen)
    assert np.sqrt(found.covariance[at, at]) == pytest.approx(
        clustered, rel=0.08
    )  # other small-sample factor
    no_never = world(60, never=0.0)
    assert (
        interaction_weighted(no_never).event_time.max() == 1
    )  # the last cohort is the control until its event


def test_leads_and_lags_agree_between_the_two_estimators():
    panel = world()
    ours = summarise(group_time(panel, "never_treated"), "event_time")
    theirs = interaction_weighted(panel)
    assert ours.label.tolist() == theirs.event_time.tolist()
    assert ours.estimate == pytest.approx(theirs.estimate)


def test_intervals_and_bands_cover_the_truth():
    truth = 0.5 * 2.0 * np.mean(1 + 0.5 * np.arange(5)) + 0.5 * 0.5 * np.mean(1 + 0.5 * np.arange(3))
    hits = 0
    for seed in range(100):
        one = overall(group_time(world(seed=seed), "not_yet_treated"), "cohort")
        hits += abs(one.estimate[0] - truth) <= 1.96 * one.std_error[0]
    assert hits >= 88  # 95 expected; below 88 has a chance below 0.3 %
    by_time = summarise(group_time(world(), "not_yet_treated"), "event_time")
    critical = simultaneous(by_time, 0.95, 2000, np.random.default_rng(0))
    assert 2.2 < critical < 3.2  # above one interval's 1.96, below Bonferroni's 2.8 and its noise


def test_nobody_to_compare_with_is_said():
    panel = world(never=0.0)
    found = group_time(panel, "not_yet_treated")
    assert found.missing == (*((3, at) for at in (5, 6, 7)), *((5, at) for at in (0, 1, 2, 3, 5, 6, 7)))
    with pytest.raises(EventError, match="No cohort has units to be compared with"):
        group_time(panel, "never_treated")


def leads(before, after, noise=0.1, seed=0):
    rng = np.random.default_rng(seed)
    size = len(before) + len(after)
    root = noise * (np.eye(size) + 0.3)
    moved = np.concatenate([before, after]) + root @ rng.normal(size=size)
    target = np.full(len(after), 1 / len(after))
    return Leads(moved[: len(before)], moved[len(before) :], root @ root.T, target)


def test_honest_intervals_come_down_to_plain_ones_and_grow():
    found = leads([0.0, 0, 0], [1.0, 1, 1])
    aim = np.concatenate([np.zeros(3), found.target])
    half = 1.96 * np.sqrt(aim @ found.covariance @ aim)
    low, high = relative_magnitudes(found, 0.0)
    assert (low, high) == pytest.approx((found.estimate - half, found.estimate + half), abs=0.03 * half)
    widths = [np.diff(relative_magnitudes(found, bound))[0] for bound in (0, 0.5, 1, 2)]
    assert widths == sorted(widths)
    intervals = smoothness(found, (0.0, 0.1, 0.5))
    assert sorted(np.diff(intervals).ravel()) == np.diff(intervals).ravel().tolist()
    # a straight line is extrapolated by generalised least squares
    x = np.array([-3.0, -2, -1, 1, 2, 3])
    loadings = np.zeros((6, 4))
    loadings[:, 0], loadings[3:, 1:] = x, np.eye(3)
    inverse = np.linalg.inv(found.covariance)
    spread = np.linalg.inv(loadings.T @ inverse @ loadings)
    values = spread @ loadings.T @ inverse @ np.concatenate([found.before, found.after])
    weights = np.array([0, 1 / 3, 1 / 3, 1 / 3])
    assert np.mean(intervals[0]) == pytest.approx(weights @ values, abs=1e-6)
    assert np.diff(intervals[0])[0] / 2 == pytest.approx(1.96 * np.sqrt(weights @ spread @ weights), rel=1e-3)


def test_honest_intervals_hold_the_effect_under_the_worst_trend_that_they_allow():
    held = {"relative": 0, "smooth": 0}
    for seed in range(120):
        # steps before: at most 0.3; after: twice that, all the same way; the true effect is 1
        found = leads([0.3, 0.0, 0.3], 1.0 + 0.6 * np.arange(1, 4), noise=0.05, seed=seed)
        low, high = relative_magnitudes(found, 2.0)
        held["relative"] += low <= 1.0 <= high
        # the slope changes by 0.2 at the base and after it
        bent = leads([0.0, 0, 0], 1.0 + 0.2 * np.array([1.0, 3, 6]), noise=0.05, seed=seed)
        ((low, high),) = smoothness(bent, (0.2,))
        held["smooth"] += low <= 1.0 <= high
    assert min(held.values()) >= 107  # 114 expected; below 107 has a chance below 0.5 %


def test_the_folded_quantile_is_the_normal_one_without_bias():
    assert folded_quantile(0.0, 0.95) == pytest.approx(1.959964, abs=1e-5)
    draws = np.abs(np.random.default_rng(0).normal(1.5, 1, 200_000))
    assert folded_quantile(1.5, 0.95) == pytest.approx(np.quantile(draws, 0.95), abs=0.02)


def as_frame(panel):
    units, periods = panel.outcomes.shape
    adopted = np.repeat(panel.adopted, periods)
    return pd.DataFrame(
        {
            "unit": pd.array(np.repeat(panel.units, periods), dtype="str"),
            "t": np.tile(panel.periods, units),
            "y": panel.outcomes.ravel(),
            "g": pd.array(np.where(adopted < NEVER, adopted, -1), dtype="Int64"),
        }
    ).assign(g=lambda f: f["g"].mask(f["g"] < 0))


def test_a_study_of_staggered_adoption_tells_every_table():
    frame = as_frame(world(40))
    question = EventQuestion(
        "It raised y", "unit", "t", ("y",), adopted="g", direction="increases", simulations=50
    )
    result = study_event(frame, question)
    effect = result.effect.iloc[0]
    assert effect["estimator"] == "callaway_santanna" and effect["verdict"] == "supported"
    assert set(result.estimates["estimator"]) == {
        "callaway_santanna", "sun_abraham", "synthetic_did", "difference_in_differences", "synthetic_control",
    }  # fmt: skip
    assert set(result.honest["restriction"]) == {"relative magnitude", "smoothness"}
    assert result.checks["name"].str.startswith("parallel trends").sum() == 1
    assert len(result.group_time) == 14 and len(result.unit_effects) == effect["treated_units"]
    again = study_event(frame, question)
    for name, table in vars(result).items():
        pd.testing.assert_frame_equal(table, getattr(again, name))


def test_leads_that_drift_refute_and_level_ones_do_not():
    question = EventQuestion("It raised y", "unit", "t", ("y",), adopted="g", simulations=99)
    drifting, passed = 0, 0
    for seed in range(5):
        panel = world(40, seed=seed)
        tilted = panel.outcomes + np.where(panel.ever, 1.0, 0.0)[:, None] * np.arange(8)
        asked = EventQuestion(**(vars(question) | {"estimators": ("callaway_santanna",)}))
        bad = study_event(as_frame(Panel(panel.units, panel.periods, tilted, panel.adopted)), asked)
        drifting += (
            bad.effect.loc[0, "verdict"] == "not settled" and "parallel trends" in bad.effect.loc[0, "why"]
        )
        passed += bool(study_event(as_frame(panel), asked).checks["passed"].all())
    assert drifting == 5 and passed >= 4
