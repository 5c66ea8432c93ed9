from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hrtech.causal import EffectError, EffectQuestion, estimate_effect
from hrtech.causal.design import make_design
from hrtech.causal.estimators import estimate
from hrtech.causal.missing import pooled
from hrtech.causal.survival import event_free_time

QUESTION = EffectQuestion(
    "", "t", "y", confounders=("w", "v"), estimators=("linear_regression",), simulations=20
)


def planted(n=600, seed=0):
    rng = np.random.default_rng(seed)
    w, v = rng.normal(size=n), rng.normal(size=n)
    t = (rng.random(n) < 1 / (1 + np.exp(-w))).astype(int)
    y = 2 * t + 1.5 * w + v + rng.normal(size=n)
    follow = rng.exponential(np.exp(0.5 * t - 0.3 * w))
    stop = rng.uniform(1, 4, n)
    return pd.DataFrame(
        {
            "t": t,
            "y": y,
            "w": w,
            "v": v,
            "dose": w + rng.normal(size=n),
            "time": np.minimum(follow, stop),
            "died": (follow <= stop).astype(int),
            "house": np.arange(n) // 5,
            "sampled": rng.uniform(0.5, 2, n),
            "region": pd.Series(rng.choice(["north", "south"], n), dtype="str"),
        }
    )


def kaplan_meier_mean(time, event, horizon):
    order = np.argsort(time)
    survival, last, area = 1.0, 0.0, 0.0
    for place, row in enumerate(order):
        if time[row] > horizon:
            break
        area += survival * (time[row] - last)
        last = time[row]
        survival *= 1 - event[row] / (len(time) - place)
    return area + survival * (horizon - last)


def test_pseudo_observations_are_those_of_leaving_each_row_out():
    data = planted(200)
    time, event = data["time"].to_numpy(), data["died"].to_numpy(float)
    found = event_free_time(time, event, 2.0)
    whole = kaplan_meier_mean(time, event, 2.0)
    left_out = [
        200 * whole - 199 * kaplan_meier_mean(np.delete(time, row), np.delete(event, row), 2.0)
        for row in range(200)
    ]
    assert found.mean() == pytest.approx(whole)
    assert np.abs(found - left_out).max() < 0.02


def test_time_to_an_event_becomes_event_free_time():
    question = replace(QUESTION, outcome="died", follow_up="time", horizon=2.0)
    result = estimate_effect(planted(2000), question)
    rng = np.random.default_rng(9)
    rate = np.exp(0.3 * rng.normal(size=400_000))
    means = [np.mean((1 - np.exp(-2 * rate / np.exp(0.5 * t))) * np.exp(0.5 * t) / rate) for t in (0, 1)]
    assert result.low < means[1] - means[0] < result.high
    assert "without 'died', up to 2" in result.estimand_text


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"follow_up": "time"}, "a horizon above 0"),
        ({"outcome": "died", "follow_up": "time", "horizon": 50.0}, "followed up to the horizon 50"),
        ({"follow_up": "time", "horizon": 1.0}, "must be a yes or no"),
        ({"outcome": "died", "follow_up": "when", "horizon": 1.0}, "no column 'when'"),
        ({"treatment_kind": "amount"}, "fewer than three values"),
        ({"treatment": "region", "treatment_kind": "amount"}, "no amount"),
        ({"treatment": "dose", "treatment_kind": "amount", "estimators": ("aipw",)}, "aipw cannot estimate"),
        ({"cluster": "region"}, "has 2 clusters"),
        ({"weights": "w"}, "numbers that are not negative"),
        ({"cluster": "house", "estimators": ("causal_forest",)}, "knows neither clusters nor weights"),
        ({"confounders": (), "estimators": ("causal_forest",)}, "needs something to adjust for"),
        ({"missing": "multiple_imputation", "confounders": ("region",)}, "'region' has levels, and blanks"),
        ({"groups": ("time of day",)}, "no column 'time of day'"),
        ({"groups": ("region",), "mediators": ("region",)}, "the exposure changes who is in which"),
        ({"trim": 0.7}, "between 0 and .5"),
        ({"negative_control_outcomes": ("y",)}, "cannot be a negative control"),
    ],
)
def test_kinds_that_do_not_fit_are_refused(changes, match):
    data = planted(200)
    data.loc[:5, "region"] = None
    with pytest.raises(EffectError, match=match):
        estimate_effect(data, replace(QUESTION, **changes))


@pytest.mark.parametrize("estimator", ["linear_regression", "double_machine_learning"])
def test_an_amount_has_an_effect_per_unit(estimator):
    data = planted(500).assign(y=lambda d: 3 * d["dose"] + d["w"] + 0.5 * d["v"])
    data["y"] += np.random.default_rng(4).normal(size=500)
    question = replace(QUESTION, treatment="dose", treatment_kind="amount", estimators=(estimator,))
    result = estimate_effect(data, question)
    assert result.low < 3 < result.high
    assert result.high - result.low < 0.4
    assert result.naive_difference > 3.3
    assert "one unit more of 'dose'" in result.estimand_text


@pytest.mark.parametrize("estimator", ["double_machine_learning", "causal_forest"])
def test_econml_agrees_with_our_own(estimator):
    design = make_design(planted(500), QUESTION, ("w", "v"))
    ours, theirs = estimate("aipw", design), estimate(estimator, design)
    assert theirs.low < 2 < theirs.high
    assert abs(theirs.effect - ours.effect) < ours.std_error
    assert theirs.std_error == pytest.approx(ours.std_error, rel=0.3)


def test_clusters_widen_intervals_and_weights_move_them():
    data = planted(600)
    data["y"] += np.repeat(np.random.default_rng(1).normal(scale=3, size=120), 5)
    data["t"] = (data["w"].groupby(data["house"]).transform("mean") > 0).astype(int)
    plain, clustered, weighted = (
        estimate("linear_regression", make_design(data, replace(QUESTION, **more), ("w", "v")))
        for more in ({}, {"cluster": "house"}, {"weights": "sampled"})
    )
    assert clustered.std_error > 1.4 * plain.std_error
    assert clustered.effect == pytest.approx(plain.effect)
    assert weighted.effect != pytest.approx(plain.effect, abs=1e-3)


def blanked(n=3000, seed=0):
    """The adjuster `w` is blank more often where the outcome is high."""
    data = planted(n, seed)
    chance = 1 / (1 + np.exp(-(data["y"] - 2)))
    data["w"] = data["w"].where(np.random.default_rng(seed + 50).random(n) > 0.7 * chance)
    return data


def test_stated_methods_for_blanks_mend_what_complete_rows_get_wrong():
    found = {
        method: estimate(
            "linear_regression", make_design(blanked(), replace(QUESTION, missing=method), ("w", "v"))
        )
        for method in ("complete_cases", "weighting", "multiple_imputation")
    }
    assert found["complete_cases"].high < 2
    assert found["weighting"].low < 2 < found["weighting"].high
    assert found["multiple_imputation"].low < 2 < found["multiple_imputation"].high
    assert found["multiple_imputation"].n == 3000
    assert "Rubin" in found["multiple_imputation"].notes[-1]


def test_every_row_left_out_is_counted_whatever_the_method():
    data = blanked(400)
    data.loc[:9, "sampled"] = np.nan
    for method in ("complete_cases", "weighting", "indicator", "multiple_imputation"):
        design = make_design(data, replace(QUESTION, missing=method, weights="sampled"), ("w", "v"))
        steps = design.rows.set_index("step")["rows"]
        out = steps.drop(["rows in the table", "rows used", "kept with an adjuster missing"], errors="ignore")
        assert out.sum() + steps["rows used"] == 400
        assert steps["rows used"] == design.n
        assert design.weights.mean() == pytest.approx(1)


def test_pooling_is_rubins():
    effect, error, freedom = pooled([1.0, 2.0, 3.0], [0.5, 0.5, 0.5])
    assert effect == 2
    assert error**2 == pytest.approx(0.25 + 4 / 3)
    assert freedom == pytest.approx(2 / ((4 / 3) / (0.25 + 4 / 3)) ** 2)


def test_trimming_says_whose_effect_is_left():
    data = planted(800)
    result = estimate_effect(data, replace(QUESTION, trim=0.2))
    steps = result.rows.set_index("step")["rows"]
    assert steps["propensity outside 0.2 to 0.8: trimmed"] > 40
    assert steps["rows used"] == result.n
    assert "trimming changed whose effect this is" in result.estimand_text
    assert result.overlap.set_index("measure")["value"]["lowest propensity"] > 0.1


def test_groups_have_their_own_effects_and_intervals_that_hold_together():
    data = planted(1500)
    data["y"] += np.where(data["region"] == "north", 1.0, 0.0) * data["t"]
    result = estimate_effect(
        data, replace(QUESTION, groups=("region", "v"), outcome_determinants=("region",))
    )
    groups = result.groups.set_index(["group", "level"])
    assert groups.loc[("region", "north"), "low"] < 3 < groups.loc[("region", "north"), "high"]
    assert groups.loc[("region", "south"), "low"] < 2 < groups.loc[("region", "south"), "high"]
    assert groups.loc["region", "p_equal"].iloc[0] < 0.001
    assert groups.loc["v", "p_equal"].iloc[0] > 0.01
    wide = (groups["high"] - groups["estimate"]) / groups["standard_error"]
    assert wide.min() > 2.3
    assert groups.loc["v", "n"].sum() == result.n
