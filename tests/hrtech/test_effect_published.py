"""Published data whose answers are in textbooks: LaLonde's experiment and smoking cessation in NHEFS."""

import warnings

import pandas as pd
import pytest

from hrtech.causal import EffectError, EffectQuestion, estimate_effect

BEFORE = ("age", "educ", "black", "hisp", "marr", "nodegree", "re74", "re75")


@pytest.fixture(scope="module")
def experiment():
    from causaldata import nsw_mixtape

    return nsw_mixtape.load_pandas().data


def test_the_experiment_is_reproduced_without_a_warning(experiment):
    question = EffectQuestion(
        "Training raises earnings", "treat", "re78", "increases", estimators=("linear_regression",)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        found = estimate_effect(experiment, question)
    # Dehejia and Wahba (1999): 1,794 with a standard error of 633; robust to unequal spread it is 671
    assert found.estimate == pytest.approx(1794.34, abs=0.01)
    assert found.estimates.loc[0, "standard_error"] == pytest.approx(671, abs=1)
    assert found.verdict == "supported"


def test_survey_controls_are_refused_rather_than_compared(experiment):
    from causaldata import cps_mixtape

    survey = cps_mixtape.load_pandas().data
    mixed = pd.concat([experiment[experiment["treat"] == 1], survey], ignore_index=True)
    with pytest.raises(EffectError, match="Overlap is too poor"):
        estimate_effect(mixed, EffectQuestion("", "treat", "re78", confounders=BEFORE))


def test_those_who_stop_smoking_gain_what_the_textbook_says():
    from causaldata import nhefs_complete

    data = nhefs_complete.load_pandas().data
    columns = ("sex", "race", "age", "education", "smokeintensity", "smokeyrs", "exercise", "active", "wt71")
    question = EffectQuestion(
        "Stopping to smoke raises weight", "qsmk", "wt82_71", "increases", confounders=columns,
        estimators=("aipw", "linear_regression", "ipw"), simulations=20,
    )  # fmt: skip
    found = estimate_effect(data, question)
    by = found.estimates.set_index("estimator")
    # Hernán and Robins, What If: 3.4 (2.4 to 4.5) by weighting, 3.5 (2.6 to 4.5) by standardisation
    assert by.loc["ipw", "estimate"] == pytest.approx(3.4, abs=0.15)
    assert by.loc["aipw", "estimate"] == pytest.approx(3.45, abs=0.2)
    assert (by["low"] > 2.2).all()
    assert (by["high"] < 4.7).all()
    assert found.n == 1566
    assert found.naive_difference == pytest.approx(2.54, abs=0.01)
    assert (found.balance["smd_after"].abs() < 0.1).all()
