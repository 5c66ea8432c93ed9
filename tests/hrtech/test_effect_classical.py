import networkx as nx
import numpy as np
import pandas as pd
import pytest

from hrtech.causal.classical import (
    CLASSICAL,
    Worlds,
    _matching,
    effects,
    estimate_worlds,
    neighbours,
    within_strata,
)


def planted(n=600, seed=0, effect=1.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    t = (rng.random(n) < 1 / (1 + np.exp(-x @ [0.8, 0.5, 0.0]))).astype(float)
    y = effect * t + x @ [1.0, 0.5, 0.5] + rng.normal(size=n)
    return t, y, x


def by_dowhy(t, y, x, method, **params):
    from dowhy import CausalModel

    names = [f"x{k}" for k in range(x.shape[1])]
    data = pd.DataFrame(x, columns=names).assign(t=t.astype(int), y=y)
    graph = nx.DiGraph([("t", "y"), *((name, end) for name in names for end in ("t", "y"))])
    model = CausalModel(data, "t", "y", graph=graph)
    estimand = model.identify_effect(proceed_when_unidentifiable=True)
    found = model.estimate_effect(estimand, method_name=f"backdoor.{method}", target_units="ate", **params)
    return float(found.value), data


def test_dowhy_finds_the_same_to_six_digits():
    from sklearn.linear_model import LogisticRegression

    t, y, x = planted(400)
    exact = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000)
    theirs, _ = by_dowhy(t, y, x, "linear_regression")
    assert effects("linear_regression", t, y, x)[0][0] == pytest.approx(theirs, abs=1e-6)
    params = {"propensity_score_model": exact, "weighting_scheme": "ips_normalized_weight"}
    params |= {"min_ps_score": 0.01, "max_ps_score": 0.99}
    theirs, _ = by_dowhy(t, y, x, "propensity_score_weighting", method_params={"init_params": params})
    assert effects("ipw", t, y, x)[0][0] == pytest.approx(theirs, abs=1e-6)
    params = {"propensity_score_model": exact, "num_strata": 8, "clipping_threshold": 0}
    theirs, data = by_dowhy(t, y, x, "propensity_score_stratification", method_params={"init_params": params})
    strata = data["strata"].to_numpy().astype(int)[:, None]
    ours, _ = within_strata(t[:, None], y[:, None], strata, np.ones((400, 1)), int(strata.max()) + 1)
    assert ours[0] == pytest.approx(theirs, abs=1e-6)
    params = {"distance_metric": "euclidean"}
    theirs, _ = by_dowhy(
        t, y, x, "distance_matching", method_params={"init_params": params, "fit_params": {}}
    )
    worlds = Worlds(t[:, None], x, np.ones((400, 1)))
    assert _matching(worlds, y[:, None], False, adjusted=False)[0][0] == pytest.approx(theirs, abs=1e-6)


def test_standard_errors_agree_with_statsmodels():
    import statsmodels.api as sm

    t, y, x = planted(300)
    design = sm.add_constant(np.column_stack([t, x]))
    fit = sm.OLS(y, design)
    assert effects("linear_regression", t, y, x)[1][0] == pytest.approx(
        fit.fit(cov_type="HC2").bse[1], rel=1e-9
    )
    cluster = np.arange(300) // 6
    theirs = fit.fit(cov_type="cluster", cov_kwds={"groups": cluster}).bse[1]
    assert effects("linear_regression", t, y, x, cluster=cluster)[1][0] == pytest.approx(theirs, rel=1e-9)
    weights = np.random.default_rng(0).uniform(0.5, 2, 300)
    weighted = sm.WLS(y, design, weights=weights).fit(cov_type="HC2")
    ours = effects("linear_regression", t, y, x, weights)
    assert ours[0][0] == pytest.approx(weighted.params[1], rel=1e-9)
    assert ours[1][0] == pytest.approx(weighted.bse[1], rel=1e-9)


@pytest.mark.parametrize("name", CLASSICAL)
def test_many_columns_at_once_are_what_each_gives_alone(name):
    t, y, x = planted(250)
    rng = np.random.default_rng(1)
    many = np.stack([rng.permutation(t) for _ in range(4)], axis=1)
    together = effects(name, many, y, x)
    alone = [effects(name, many[:, b], y, x) for b in range(4)]
    assert together[0] == pytest.approx([one[0][0] for one in alone], abs=1e-7)
    assert together[1] == pytest.approx([one[1][0] for one in alone], rel=1e-5)
    extra = rng.normal(size=(250, 3))
    worlds = Worlds(t[:, None], x, np.ones((250, 1)), extra=extra)
    wider = [effects(name, t, y, np.column_stack([x, extra[:, b]]))[0][0] for b in range(3)]
    assert estimate_worlds(name, worlds, y[:, None], errors=False)[0] == pytest.approx(wider, abs=1e-6)


@pytest.mark.parametrize("name", ["linear_regression", "ipw", "matching"])
def test_a_weight_of_zero_is_a_row_that_is_not_there(name):
    t, y, x = planted(250)
    keep = np.random.default_rng(2).random(250) < 0.8
    worlds = Worlds(t[:, None], x, np.column_stack([keep, np.ones(250)]).astype(float))
    found = estimate_worlds(name, worlds, y[:, None], errors=False)[0]
    assert found[0] == pytest.approx(effects(name, t[keep], y[keep], x[keep])[0][0], abs=1e-6)
    assert found[1] == pytest.approx(effects(name, t, y, x)[0][0], abs=1e-6)


def test_matching_finds_the_nearest_row_also_where_lists_end_early():
    t, y, x = planted(200, seed=3)
    t[:] = 0
    t[:7] = 1  # most rows have no exposed one among their neighbours
    short = Worlds(t[:, None], x, np.ones((200, 1)), near=neighbours(x, 4))
    found = _matching(short, y[:, None], False, adjusted=False)[0][0]
    apart = ((x[:, None] - x[None]) ** 2).sum(axis=2)
    nearest = np.where(t[:, None] != t[None], apart, np.inf).argmin(axis=1)
    assert found == pytest.approx(((2 * t - 1) * (y - y[nearest])).mean(), abs=1e-12)


@pytest.mark.parametrize("name", CLASSICAL)
def test_intervals_cover(name):
    covered = 0
    for seed in range(150):
        t, y, x = planted(400, seed=seed)
        effect, error = effects(name, t, y, x)
        # strata keep some of the confounding
        covered += abs(effect[0] - 1) < 1.96 * error[0] + (0.06 if name == "stratification" else 0)
    assert 134 <= covered <= 149  # 142.5 expected, 2.7 its standard deviation


def test_errors_grow_where_rows_come_in_clusters():
    rng = np.random.default_rng(4)
    cluster = np.repeat(np.arange(60), 8)
    t = np.repeat(rng.permutation(60) % 2, 8).astype(float)
    y = np.repeat(rng.normal(size=60), 8) + 0.3 * rng.normal(size=480)
    x = rng.normal(size=(480, 2))
    for name in ("linear_regression", "ipw", "stratification", "aipw_linear"):
        plain, robust = (effects(name, t, y, x, cluster=c)[1][0] for c in (None, cluster))
        assert robust > 2 * plain
