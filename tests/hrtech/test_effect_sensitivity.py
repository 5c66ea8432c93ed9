import numpy as np
import pandas as pd
import pytest

from hrtech.causal.classical import effects
from hrtech.causal.design import Design
from hrtech.causal.sensitivity import (
    Regression,
    benchmark_bounds,
    benchmarks,
    breaking_gamma,
    columns_by_adjuster,
    contour,
    e_value,
    e_values,
    matched_pairs,
    regress,
    robustness_value,
    rosenbaum_bounds,
)

#: Violence in Darfur and attitudes towards peace, as Cinelli and Hazlett (2020), table 1, give it.
DARFUR = Regression(0.09731581928495897, 0.02325653780981118, 783)


def simulated():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 300))
    t = (a + 0.5 * b + rng.normal(size=300) > 0) * 1.0
    y = 0.6 * t + a + 0.3 * b + rng.normal(size=300)
    return Design(t, y, np.column_stack([a, b]), ("a", "b"), pd.DataFrame())


def test_published_robustness_values():
    assert DARFUR.partial_r2 == pytest.approx(0.022, abs=5e-4)
    assert robustness_value(DARFUR.t_value, 783) == pytest.approx(0.139, abs=5e-4)
    assert robustness_value(DARFUR.t_value, 783, alpha=0.05) == pytest.approx(0.076, abs=5e-4)
    assert robustness_value(1.0, 783, alpha=0.05) == 0.0
    # as strong as being female: table 1 and figure 2 of the paper
    estimate, error, t_value = DARFUR.adjusted(0.009164, 0.124641)
    assert (estimate, error, t_value) == pytest.approx((0.0752, 0.0219, 3.44), abs=5e-3)


def test_bounds_are_those_of_the_authors_package():
    # pysensemakr 0.0.8 on the same data
    design = simulated()
    found = regress(design)
    assert (found.estimate, found.error, found.freedom) == pytest.approx((0.567608456218, 0.14946335164, 296))
    assert robustness_value(found.t_value, 296) == pytest.approx(0.19771216351107)
    assert robustness_value(found.t_value, 296, alpha=0.05) == pytest.approx(0.100665411537933)
    table = benchmarks(design, columns_by_adjuster(design, ("a", "b")), (0.2, 0.5, 1.0))
    table = table.set_index(["adjuster", "times"])
    expected = {
        ("a", 0.2): (0.115826, 0.322840, 0.038788, 0.131023),
        ("a", 0.5): (0.289565, 0.923003, -1.009613, 0.049288),
        ("b", 0.2): (0.018759, 0.028113, 0.507994, 0.149001),
        ("b", 1.0): (0.093793, 0.142448, 0.255373, 0.145642),
    }
    names = ["r2_exposure", "r2_outcome", "estimate", "standard_error"]
    for key, values in expected.items():
        assert table.loc[key, names].tolist() == pytest.approx(values, abs=2e-6)
    assert benchmark_bounds(0.4, 0.5, 1.0)[1] == 1.0


def test_a_confounder_as_strong_as_the_robustness_value_takes_the_effect_away():
    value = robustness_value(DARFUR.t_value, 783)
    assert DARFUR.adjusted(value, value)[0] == pytest.approx(0, abs=1e-12)
    grid = contour(DARFUR, 0.2, 5)
    assert len(grid) == 25 and grid["estimate"].iloc[0] == pytest.approx(DARFUR.estimate)


def test_e_values():
    # VanderWeele and Ding (2017): maternal smoking-like RR 3.9 with interval from 1.8
    assert e_value(3.9) == pytest.approx(7.26, abs=5e-3)
    assert e_value(1.8) == pytest.approx(3.0)
    assert e_value(1 / 3.9) == pytest.approx(e_value(3.9))
    outcome, unexposed = np.array([0.0, 1, 0, 0, 1, 1, 1, 0]), np.array([True] * 4 + [False] * 4)
    found, limit, how = e_values(0.5, -0.1, 1.1, outcome, unexposed)
    assert found == pytest.approx(e_value(3.0)) and limit == 1.0 and "0.25" in how
    amount = np.array([0.0, 1, 2, 3, 4, 5, 6, 7])
    found, limit, _ = e_values(2.0, 1.0, 3.0, amount, unexposed)
    assert found == pytest.approx(e_value(np.exp(0.91 * 2 / amount.std(ddof=1))))
    assert limit == pytest.approx(e_value(np.exp(0.91 / amount.std(ddof=1))))


def exact(differences, gamma):
    """Upper tail of the signed-rank statistic where each pair is positive with chance Γ / (1 + Γ), by convolution."""
    from scipy import stats

    ranks = stats.rankdata(np.abs(differences)).astype(int)
    chance = gamma / (1 + gamma)
    law = np.zeros(ranks.sum() + 1)
    law[0] = 1
    for rank in ranks:
        moved = np.zeros_like(law)
        moved[rank:] = law[: len(law) - rank]
        law = (1 - chance) * law + chance * moved
    up = ranks[differences > 0].sum()
    return law[max(up, ranks.sum() - up) :].sum()


def test_rosenbaum_bounds_agree_with_the_exact_law():
    rng = np.random.default_rng(0)
    differences = rng.normal(0.6, 1, 60)
    table = rosenbaum_bounds(differences, (1.0, 1.5, 2.0, 3.0))
    assert table["p_highest"].tolist() == pytest.approx(
        [exact(differences, gamma) for gamma in table["gamma"]], abs=8e-3
    )
    assert (table["p_lowest"] <= table["p_highest"]).all()
    gamma = breaking_gamma(differences)
    assert exact(differences, gamma) == pytest.approx(0.05, abs=8e-3)
    assert breaking_gamma(np.array([1.0, -1, 2, -2])) == 1.0


def test_signed_ranks_without_bias_are_scipys():
    from scipy import stats

    differences = np.round(np.random.default_rng(1).normal(0.4, 1, 80), 1)
    differences = differences[differences != 0]
    theirs = stats.wilcoxon(differences, alternative="greater", method="asymptotic", correction=False).pvalue
    assert rosenbaum_bounds(differences, (1.0,))["p_highest"].iloc[0] == pytest.approx(theirs, abs=2e-4)


@pytest.mark.parametrize("most", [4000, 10])
def test_pairs_use_each_row_once_and_compare_like_with_like(most, monkeypatch):
    monkeypatch.setattr("hrtech.causal.sensitivity._MOST_PAIRED", most)
    design = simulated()
    pairs = matched_pairs(design)
    assert len(pairs) == min(design.treatment.sum(), (1 - design.treatment).sum())
    naive = design.outcome[design.treatment == 1].mean() - design.outcome[design.treatment == 0].mean()
    adjusted = effects("linear_regression", design.treatment, design.outcome, design.covariates)[0][0]
    assert abs(pairs.mean() - adjusted) < abs(naive - adjusted)
