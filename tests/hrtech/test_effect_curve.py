from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hrtech.causal.classical import effects
from hrtech.causal.contribution import choice_means, contributions
from hrtech.causal.curve import Curve, estimate_curve
from hrtech.causal.design import make_design
from hrtech.causal.disturbed import DISTURBANCES, unobserved_confounder
from hrtech.causal.joint import Permuted, _permutations, joint_test, permute_curve
from hrtech.causal.question import Alternative, Belief, EffectQuestion
from hrtech.causal.refute import FAILED, FRAGILE, NOT_JUDGED, WITHSTOOD, judge, refute_curve, refuted
from hrtech.causal.specifications import specify

QUESTION = EffectQuestion(
    "It helps",
    "t",
    "y",
    "increases",
    confounders=("a", "b"),
    outcome_determinants=("c",),
    colliders=("k",),
    negative_control_outcomes=("nc",),
    alternatives=(
        Alternative("treatment", "strong", "dose > 1.3"),
        Alternative("outcome", "second", "y2"),
        Alternative("population", "adults", "age >= 30"),
    ),
    beliefs=(Belief("b", "possible", "a colleague"), Belief("a", "certain", "the literature")),
)
SIMPLE = ("linear_regression", "ipw")


def world(n=600, seed=0, effect=0.5, hidden=0.0):
    rng = np.random.default_rng(seed)
    a, b, c, u = rng.normal(size=(4, n))
    t = (rng.random(n) < 1 / (1 + np.exp(-(0.7 * a + 0.4 * b + hidden * u)))).astype(int)
    y = effect * t + 0.7 * a + 0.4 * b + 0.5 * c + hidden * u + rng.normal(size=n)
    return pd.DataFrame(
        {
            "t": t,
            "dose": t * (1 + rng.random(n)),
            "y": y,
            "y2": effect * t + 0.5 * a + 0.5 * b + hidden * u + rng.normal(size=n),
            "nc": 0.6 * a + hidden * u + rng.normal(size=n),
            "a": a,
            "b": b,
            "c": c,
            "k": t + y + rng.normal(size=n),
            "age": rng.integers(18, 70, n),
        }
    )


def curve_of(frame, question=QUESTION, estimators=SIMPLE, **named) -> Curve:
    return estimate_curve(frame, specify(question, set(frame), estimators, **named))


def test_specifications_cross_all_decisions_and_name_what_is_refused():
    found = specify(QUESTION, set(world(50)), SIMPLE, {"with k": ["a", "b", "k"]})
    # 2 populations, 2 exposures, 2 outcomes, 2 estimators; maximum, intermediate, minimum, unadjusted, with k
    assert len(found) == 16 * 5
    sets = {one.adjustment: (one.adjusted, one.refused, one.assumes) for one in found}
    assert sets["maximum"] == (("a", "b", "c"), "", "")
    assert sets["intermediate"] == (("a", "c"), "", "b would have to be no common cause")
    assert sets["minimum"][0] == ("a",)
    assert "leaves a path open" in sets["unadjusted"][1]
    assert "'k' must not be adjusted for" in sets["with k"][1]


def test_ids_say_what_a_specification_does_and_nothing_else():
    frame = world(50)
    first = {one.id for one in specify(QUESTION, set(frame), SIMPLE)}
    again = replace(QUESTION, alternatives=QUESTION.alternatives[::-1], simulations=99)
    assert {one.id for one in specify(again, set(frame), SIMPLE[::-1])} == first
    other = replace(QUESTION, alternatives=(replace(QUESTION.alternatives[0], expression="dose > 1.4"),))
    assert len({one.id for one in specify(other, set(frame), SIMPLE)} & first) == 8
    assert len(first) == len(specify(QUESTION, set(frame), SIMPLE))


def test_a_column_that_defines_the_exposure_is_not_adjusted_for():
    question = replace(QUESTION, alternatives=(Alternative("treatment", "by a", "a > 0"),))
    found = specify(question, set(world(50)), SIMPLE)
    assert all(
        "defines the exposure" in one.refused
        for one in found
        if one.exposure == "by a" and "a" in one.adjusted
    )
    assert not any(one.refused for one in found if one.exposure == "primary" and one.adjustment == "maximum")


def test_every_estimate_of_the_curve_is_what_it_gives_alone():
    frame = world()
    curve = curve_of(frame)
    table = curve.table.set_index("specification")
    assert (table["status"] == "estimated").sum() == 48
    for one in [one for cell in curve.cells for one in cell.specifications][::7]:
        design = make_design(frame, one.question, one.adjusted)
        effect, error = effects(one.estimator, design.treatment, design.outcome, design.covariates)
        assert table.loc[one.id, "estimate"] == pytest.approx(effect[0], abs=1e-12)
        assert table.loc[one.id, "standard_error"] == pytest.approx(error[0], abs=1e-12)
        assert table.loc[one.id, "n"] == design.n


def test_no_overlap_refuses_the_specification_and_not_the_curve():
    frame = world()
    frame["a"] = frame["a"].where(frame["age"] < 30, frame["t"] * 8.0 + frame["a"])
    table = curve_of(frame, replace(QUESTION, alternatives=QUESTION.alternatives[1:])).table
    assert table.loc[table["adjustment"] == "maximum", "status"].eq("refused").all()
    assert (
        "verlap" in table.loc[table["adjustment"] == "maximum", "reason"].iloc[0]
        or "apart" in table["reason"].iloc[0]
    )


def test_contributions_share_the_variance():
    rng = np.random.default_rng(0)
    rows = [
        (p, e, 2.0 * (p == "x") + 1.0 * (e == "u"), "one")
        for p in ("x", "y")
        for e in ("u", "v")
        for _ in range(3)
    ]
    table = pd.DataFrame(rows, columns=["population", "estimator", "estimate", "outcome"])
    found = contributions(table, ["population", "estimator", "outcome"]).set_index("decision")["share"]
    # orthogonal decisions: variances 1 and 1/4
    assert found["population"] == pytest.approx(0.8)
    assert found["estimator"] == pytest.approx(0.2)
    assert found["interplay"] == pytest.approx(0, abs=1e-12)
    assert "outcome" not in found
    uneven = table.iloc[:-2].assign(estimate=lambda f: f["estimate"] + rng.normal(size=len(f)))
    assert contributions(uneven, ["population", "estimator"])["share"].sum() == pytest.approx(1)
    assert choice_means(table, ["population"])["median"].tolist() == [2.5, 0.5]


def test_a_right_model_withstands_everything_and_a_confounded_one_does_not():
    right, confounded = world(1000, seed=5), world(1000, seed=5, hidden=1.0)
    question = replace(QUESTION, alternatives=(), beliefs=())
    every = ("linear_regression", "ipw", "stratification", "matching", "aipw_linear")
    found = refute_curve(curve_of(right, question, every), right, simulations=60)
    assert set(found.loc[~found["refutation"].str.startswith("unobserved"), "verdict"]) == {WITHSTOOD}
    assert len(found) == 10 * (4 + 4 + 1)
    caught = refute_curve(curve_of(confounded, question, every), confounded, simulations=30)
    assert refuted(caught).str.contains("negative control nc").sum() == 10
    # nothing is vacuous: every disturbance gives something else each time
    disturbed = found[found["refutation"].isin(DISTURBANCES)]
    assert (disturbed["spread"] > 1e-6).all()


def test_fewer_simulations_do_not_pass_more_easily():
    rng = np.random.default_rng(0)
    shares = []
    for number in (20, 50, 200):
        verdicts = [judge(rng.normal(0.4, 1, number), 0.0, 1.0)[3] for _ in range(300)]
        shares.append(verdicts.count(WITHSTOOD))
    assert shares[0] < shares[1] < shares[2]
    assert judge(rng.normal(0, 1, 19), 0.0, 1.0)[3] == NOT_JUDGED
    assert judge(np.full(100, 0.3), 0.3, 1.0)[3] == NOT_JUDGED
    assert judge(rng.normal(0, 1, 100) * 3, 0.0, 1.0, spread=True)[3] == FAILED
    assert judge(rng.normal(1, 1, 100), 0.0, 1.0)[3] == FAILED


def test_a_made_up_confounder_has_the_stated_strength_and_moves_the_estimate_as_the_formula_says():
    frame = world(800, seed=2)
    curve = curve_of(frame, replace(QUESTION, alternatives=()), ("linear_regression",))
    cell = curve.cells[0]
    rng = np.random.default_rng(0)
    y = cell.outcomes["primary"]
    worlds = unobserved_confounder(cell.worlds, y, (0.1, 0.2), 1.0, 3, rng)
    t, x = cell.design.treatment, cell.worlds.columns.x
    u = worlds.extra[:, 0]

    def left(values, basis):
        return values - basis @ np.linalg.lstsq(basis, values, rcond=None)[0]

    assert np.corrcoef(left(u, x), left(t, x))[0, 1] ** 2 == pytest.approx(0.1, abs=1e-9)
    given = np.column_stack([x, t])
    assert np.corrcoef(left(u, given), left(y, given))[0, 1] ** 2 == pytest.approx(0.2, abs=1e-9)
    # Cinelli and Hazlett (2020), equation 10: bias = se · √(df · R²y R²t / (1 − R²t)), with the classical se
    residual = left(y, given)
    freedom = len(y) - given.shape[1]
    error = np.sqrt(residual @ residual / freedom / (left(t, x) @ left(t, x)))
    bias = error * np.sqrt(freedom * 0.2 * 0.1 / 0.9)
    effect = effects("linear_regression", t, y, cell.design.covariates)[0][0]
    wider = effects("linear_regression", t, y, np.column_stack([cell.design.covariates, u]))[0][0]
    assert wider == pytest.approx(effect - bias, abs=1e-9)


def test_a_small_effect_is_told_as_fragile():
    frame = world(1200, seed=3, effect=0.25)
    curve = curve_of(frame, replace(QUESTION, alternatives=()), ("linear_regression",))
    found = refute_curve(curve, simulations=30, only=())
    at = found.groupby("refutation")["verdict"].agg(set)
    assert FRAGILE in at["unobserved_confounder_10_percent"]
    assert FAILED not in set(found["verdict"])


def test_the_joint_test_finds_an_effect_and_never_gives_zero():
    frame = world(400)
    permuted = permute_curve(curve_of(frame), frame, permutations=99)
    found = joint_test(permuted, "increases").set_index("statistic")
    assert found.loc["joint", "p"] == 0.01
    assert (found["p"] >= 0.01).all()
    assert joint_test(permuted, "decreases").set_index("statistic").loc["joint", "p"] > 0.5
    back = Permuted.from_frame(permuted.to_frame())
    assert back.ids == permuted.ids and np.array_equal(back.null, permuted.null)
    assert len(joint_test(permuted.of(permuted.ids[:2]), "changes")) == 4


def test_the_joint_test_holds_its_level_although_the_exposure_is_confounded():
    question = replace(QUESTION, alternatives=QUESTION.alternatives[:2])
    rejected = 0
    specifications = specify(question, set(world(50)), ("linear_regression",))
    for seed in range(40):
        frame = world(200, seed=seed, effect=0.0)
        curve = estimate_curve(frame, specifications)
        permuted = permute_curve(curve, frame, permutations=39, seed=seed)
        rejected += joint_test(permuted, "increases")["p"].iloc[-1] <= 0.05
    assert rejected <= 6  # 2 expected; more has a chance of .3 %


def test_permutations_keep_the_exposure_with_its_causes():
    frame = world(500, effect=0.0)
    curve = curve_of(frame, replace(QUESTION, alternatives=()), ("linear_regression",))
    rows, source, exposures = _permutations(curve.cells, frame, 50, 1)
    dealt = exposures["primary"][source]
    with_a = [np.corrcoef(one, frame["a"].to_numpy()[rows])[0, 1] for one in dealt]
    assert np.mean(with_a) == pytest.approx(np.corrcoef(frame["t"], frame["a"])[0, 1], abs=0.04)
    assert (dealt.sum(axis=1) == exposures["primary"].sum()).all()
    assert np.mean(dealt == exposures["primary"]) < 0.75
