"""Comparison of groups: every figure against a second way of computing it, and what cannot be compared."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hrtech.groups import GroupError, GroupQuestion, Measure, compare_groups
from hrtech.groups.contrasts import (
    conditional,
    difference_limits,
    fisher,
    holm,
    holm_and_bh,
    ratio_limits,
)
from hrtech.groups.intervals import count_limits, quantile_limits, share_limits, studentised_limits
from hrtech.groups.ranks import rank_intervals, shrunken


def records(seed=1, n=900):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "group": rng.choice(["A", "B", "C", "D"], n, p=[0.5, 0.3, 0.15, 0.05]),
            "year": rng.choice(["2021", "2022", "2023"], n),
            "age": rng.choice(["young", "old"], n),
            "held": pd.array(rng.random(n) < 0.3, dtype="boolean"),
            "events": rng.integers(0, 4, n),
            "exposure": rng.uniform(0.5, 3, n),
            "value": rng.gamma(2, 3, n),
            "person": rng.integers(0, 300, n),
            "weight": rng.uniform(0.5, 3, n),
        }
    )


SHARE = Measure("share", "share", condition="held")
RATE = Measure("rate", "rate", events="events", exposure="exposure", scale=100)
MEAN = Measure("mean", "mean", column="value")
MEDIAN = Measure("median", "median", column="value")
COUNT = Measure("records", "count")
ALL = (COUNT, SHARE, RATE, MEAN, MEDIAN)


def ask(*measures, **more):
    return GroupQuestion(groups=("group",), measures=measures, **more)


def whole(table, measure, standardised=False):
    mine = (
        (table["measure"] == measure) & (table["standardised"] == standardised) & (table["window"] == "all")
    )
    return table[mine].set_index("group")


def test_limits_of_counts_and_shares_are_the_published_ones():
    from statsmodels.stats.rates import confint_poisson

    x = np.array([1.0, 3, 20, 500])
    low, high = count_limits(x, 0.95)
    for at, count in enumerate(x):
        assert (low[at], high[at]) == pytest.approx(confint_poisson(count, 1, method="midp-c"), rel=1e-6)
    held, known = np.array([0.0, 1, 7, 40]), np.array([5.0, 9, 20, 40])
    low, high = share_limits(held, known, 0.95)
    for a, b, k, n in zip(low[1:], high[:-1], held[1:], known[1:], strict=True):
        assert stats.binom.sf(k, n, a) + stats.binom.pmf(k, n, a) / 2 == pytest.approx(0.025, rel=1e-5)
        assert 0 <= a < b or k == n
    assert low[0] == 0 and high[-1] == 1 and stats.binom.pmf(0, 5, high[0]) / 2 == pytest.approx(0.025)


def test_limits_of_a_weighted_sum_are_fay_and_feuers_gammas():
    weights, events = np.array([0.1, 0.5, 2.0]), np.array([12.0, 4, 3])
    rate, variance, most = weights @ events, weights**2 @ events, weights.max()
    unit = variance / rate
    low, high = count_limits(np.array([rate / unit]), 0.95, np.array([most / unit]))
    for end, target in ((low[0] * unit, 0.025), (high[0] * unit, 0.975)):
        lower = stats.gamma.cdf(end, rate**2 / variance, scale=variance / rate)
        upper = stats.gamma.cdf(
            end, (rate + most) ** 2 / (variance + most**2), scale=(variance + most**2) / (rate + most)
        )
        assert (lower + upper) / 2 == pytest.approx(target, rel=1e-5)


def test_differences_by_mover_are_newcombes_and_ratios_fiellers():
    from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

    for a, n, b, m in ((7, 30, 20, 40), (0, 12, 5, 50), (45, 50, 3, 9)):
        one, other = (np.array(proportion_confint(k, t, method="wilson")) for k, t in ((a, n), (b, m)))
        low, high = difference_limits(np.array(a / n), tuple(one), np.array(b / m), tuple(other))
        published = confint_proportions_2indep(a, n, b, m, method="newcomb")
        assert (float(low), float(high)) == pytest.approx(published, abs=1e-9)
    one, other, se, se_other, z = 5.0, 3.0, 0.4, 0.3, 1.96
    limits = ((one - z * se, one + z * se), (other - z * se_other, other + z * se_other))
    for shared in (0.0, 0.4):
        low, high = ratio_limits(np.array(one), limits[0], np.array(other), limits[1], shared)
        a, c = other**2 - (z * se_other) ** 2, one**2 - (z * se) ** 2
        b = one * other - z**2 * shared * se * se_other
        root = np.sqrt(b**2 - a * c)
        assert (float(low), float(high)) == pytest.approx(((b - root) / a, (b + root) / a))


def test_tests_are_the_exact_ones_and_adjustments_the_known_ones():
    from statsmodels.stats.multitest import multipletests

    for a, n, b, m in ((7, 30, 20, 40), (0, 12, 5, 50), (9, 9, 3, 9)):
        table = [[a, n - a], [b, m - b]]
        sides = [stats.fisher_exact(table, alternative=side).pvalue for side in ("less", "greater")]
        found = fisher(*(np.array([float(v)]) for v in (a, n, b, m)))[0]
        assert found == pytest.approx(min(1, 2 * min(sides)))
    sides = [stats.binomtest(8, 20, 3 / 10, alternative=side).pvalue for side in ("less", "greater")]
    assert conditional(*(np.array([v]) for v in (8.0, 3.0, 12.0, 7.0)))[0] == pytest.approx(2 * min(sides))
    p = np.array([0.01, 0.04, np.nan, 0.03, 0.001, 0.5, 0.03])
    there = ~np.isnan(p)
    assert holm(p[there]) == pytest.approx(multipletests(p[there], method="holm")[1])
    strict, loose = holm_and_bh(p, 2)
    assert strict[there] == pytest.approx(np.minimum(1, 2 * multipletests(p[there], method="holm")[1]))
    assert loose[there] == pytest.approx(multipletests(p[there], method="fdr_bh")[1]) and np.isnan(loose[2])


def test_figures_agree_with_pandas():
    table = records()
    found = compare_groups(table, ask(*ALL, period="year"))
    grouped = table.groupby("group")
    expected = {
        "records": grouped.size().astype(float),
        "share": grouped["held"].mean().astype(float),
        "rate": 100 * grouped["events"].sum() / grouped["exposure"].sum(),
        "mean": grouped["value"].mean(),
        "median": grouped["value"].median(),
    }
    for measure, values in expected.items():
        assert whole(found.estimates, measure)["estimate"].to_dict() == pytest.approx(values.to_dict())
    for group, row in whole(found.against_others, "share").iterrows():
        assert row["other"] == pytest.approx(table.loc[table["group"] != group, "held"].mean())
    of_year = found.estimates.query("measure == 'rate' and window == '2022' and group == 'B'").iloc[0]
    mine = table[(table["group"] == "B") & (table["year"] == "2022")]
    assert of_year["estimate"] == pytest.approx(100 * mine["events"].sum() / mine["exposure"].sum())
    change = found.changes.query("measure == 'records' and window == '2022' and group == 'B'").iloc[0]
    assert change["other"] == ((table["group"] == "B") & (table["year"] == "2021")).sum()
    assert change["compared_with"] == "2021" and change["estimate"] == len(mine)


def test_clusters_and_weights_widen_as_linearisation_says():
    import statsmodels.api as sm

    table = records()
    from hrtech.groups.records import prepare
    from hrtech.groups.tally import tally

    question = ask(SHARE, MEAN, subject="person", weight="weight")
    prepared = prepare(table, question)
    for measure, column in ((SHARE, "held"), (MEAN, "value")):
        made = tally(prepared, prepared.measured[measure.name])
        for side, mine in ((0, table["group"] == "B"), (1, table["group"] != "B")):
            own = table[mine]
            fit = sm.WLS(own[column].astype(float), np.ones(len(own)), weights=own["weight"]).fit(
                cov_type="cluster",
                cov_kwds={"groups": own["person"], "use_correction": False},
            )
            count = own["person"].nunique()
            assert made.people[side, 1, 0] == count
            assert made.ratio[side, 1, 0] == pytest.approx(fit.params.iloc[0])
            assert made.variance[side, 1, 0] == pytest.approx(fit.bse.iloc[0] ** 2 * count / (count - 1))
    copies = pd.concat([table.assign(person=np.arange(len(table)))] * 3, ignore_index=True)
    once = whole(compare_groups(table, ask(SHARE)).estimates, "share")
    thrice = whole(compare_groups(copies, ask(SHARE, subject="person")).estimates, "share")
    width = (thrice["high"] - thrice["low"]) / (once["high"] - once["low"])
    assert width.between(0.97, 1.1).all()  # three copies of a record are one person, and know no more


def test_standardised_figures_have_the_mix_of_the_standard():
    table = records()
    standard = pd.DataFrame({"age": ["young", "old"], "weight": [30.0, 70.0]})
    found = compare_groups(table, ask(SHARE, RATE, MEAN, standardise=("age",)), standard=standard)
    own = table[table["group"] == "C"]
    by_age = own.groupby("age")
    mixed = {
        "share": by_age["held"].mean().astype(float),
        "rate": 100 * by_age["events"].sum() / by_age["exposure"].sum(),
        "mean": by_age["value"].mean(),
    }
    for measure, values in mixed.items():
        row = whole(found.estimates, measure, True).loc["C"]
        assert row["estimate"] == pytest.approx(0.3 * values["young"] + 0.7 * values["old"])
        assert row["low"] < row["estimate"] < row["high"]
    lacking = table[~((table["group"] == "D") & (table["age"] == "old"))].reset_index(drop=True)
    row = whole(compare_groups(lacking, ask(SHARE, standardise=("age",))).estimates, "share", True).loc["D"]
    assert np.isnan(row["estimate"]) and row["reason"] == "1 of 2 strata of the standard are empty in it"


def test_a_standardised_mean_knows_that_people_stand_in_several_strata():
    import statsmodels.api as sm

    rng = np.random.default_rng(3)
    table = records().assign(
        value=lambda t: 9 + rng.normal(0, 3, 300)[t["person"]] + rng.normal(0, 1, len(t))
    )
    standard = pd.DataFrame({"age": ["young", "old"], "weight": [30.0, 70.0]})
    question = ask(MEAN, subject="person", weight="weight", standardise=("age",), period="year")
    found = compare_groups(table, question, standard=standard).estimates
    for window in ("all", "2022"):
        own = table[(table["group"] == "B") & (table["year"].isin([window]) | (window == "all"))]
        fit = sm.WLS(own["value"], pd.get_dummies(own["age"]).astype(float), weights=own["weight"]).fit(
            cov_type="cluster", cov_kwds={"groups": own["person"], "use_correction": False}
        )
        mix, count = np.array([0.7, 0.3]), own["person"].nunique()  # old, young
        error = np.sqrt(mix @ fit.cov_params().to_numpy() @ mix * count / (count - 1))
        row = found[found["standardised"] & (found["window"] == window) & (found["group"] == "B")].iloc[0]
        assert row["estimate"] == pytest.approx(mix @ fit.params.to_numpy())
        wide = stats.t.ppf(0.975, count - 1) * error
        assert (row["high"] - row["low"]) / 2 == pytest.approx(wide, rel=0.02)


def test_a_standardised_mean_of_few_is_no_surer_than_all_of_them_together():
    values = [3.0, 3.0, 9.0, 1.0, 5.0, 2.0, 8.0]
    few = pd.DataFrame({"group": "few", "age": ["young"] * 2 + ["old"] * 5, "value": values})
    table = pd.concat([few, records()[["group", "age", "value"]]], ignore_index=True)
    standard = pd.DataFrame({"age": ["young", "old"], "weight": [0.9, 0.1]})
    row = whole(
        compare_groups(table, ask(MEAN, standardise=("age",)), standard=standard).estimates, "mean", True
    )
    # two equal values have no spread of their own; the spread of all is known from 7 - 2 values
    spread = np.var(values[2:], ddof=1) * 4 / 5
    error = np.sqrt(0.9**2 * spread / 2 + 0.1**2 * max(spread, np.var(values[2:], ddof=1)) / 5)
    assert row.loc["few", "estimate"] == pytest.approx(0.9 * 3 + 0.1 * 5)
    assert row.loc["few", "high"] - row.loc["few", "estimate"] >= 0.999 * stats.t.ppf(0.975, 5) * error
    assert row.loc["few", "high"] < 3.2 + 3 * stats.t.ppf(0.975, 5) * error


def test_groups_that_share_records_are_correlated_through_them():
    rng = np.random.default_rng(3)
    held = rng.random(400) < 0.4
    cells = [
        ["x", "y"] if both else [one]
        for both, one in zip(held, rng.choice(["x", "y", "z"], 400), strict=True)
    ]
    table = pd.DataFrame({"kinds": pd.Series(cells), "value": rng.normal(5, 2, 400)})
    question = GroupQuestion(groups=("kinds",), measures=(MEAN,), compare=("pairs",))
    pair = compare_groups(table, question).pairs.query("group == 'x' and compared_with == 'y'").iloc[0]
    x, y = (np.array([name in cell for cell in cells]) for name in "xy")
    residual = (table["value"] - table.loc[x, "value"].mean()) * x / x.sum()
    residual -= (table["value"] - table.loc[y, "value"].mean()) * y / y.sum()
    error = np.sqrt((residual**2).sum())
    assert (pair["difference_high"] - pair["difference_low"]) / 2 == pytest.approx(1.96 * error, rel=0.03)
    assert pair["shared"]


def test_medians_and_few_skewed_values():
    values = np.arange(1.0, 12)
    ranks = stats.binom.ppf(0.025, 11, 0.5)
    assert quantile_limits(values, np.ones(11), 11, 0.95) == (6, ranks, 12 - ranks)
    assert quantile_limits(values[:4], np.ones(4), 4, 0.95) == (2.5, -np.inf, np.inf)
    rng = np.random.default_rng(1)
    low, high = studentised_limits(rng.exponential(3, 12), np.ones(12), 0.95, 999, rng)
    again = np.random.default_rng(1)
    assert (low, high) == studentised_limits(again.exponential(3, 12), np.ones(12), 0.95, 999, again)


def test_ranks_leave_open_what_is_not_certain():
    values = np.array([5.0, 3.0, 2.9, 1.0])
    p = np.full((4, 4), 1e-6)
    p[1, 2] = p[2, 1] = 0.5
    rank, best, worst = rank_intervals(values, p, 0.95)
    assert rank.tolist() == [1, 2, 3, 4] and best.tolist() == [1, 2, 2, 4] and worst.tolist() == [1, 3, 3, 4]
    assert rank_intervals(values, np.ones((4, 4)), 0.95)[1].tolist() == [1, 1, 1, 1]
    drawn = shrunken(np.array([1.0, 2.0, 9.0]), np.array([0.01, 0.01, 30.0]))
    assert abs(drawn[2] - 1.5) < 1.0 and drawn[0] == pytest.approx(1.0, abs=0.05)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert shrunken(np.full(4, 0.3), np.full(4, 0.01)) == pytest.approx(0.3)


def test_the_answer_depends_on_no_order_and_no_name():
    table = records()
    first = compare_groups(table, ask(*ALL, period="year", standardise=("age",)))
    shuffled = table.sample(frac=1, random_state=5).reset_index(drop=True)
    names = {
        "group": "record",
        "year": "window",
        "age": "stratum",
        "held": "value",
        "value": "weight",
        "weight": "x",
    }
    again = compare_groups(
        shuffled.rename(columns=names)[::-1].reset_index(drop=True),
        GroupQuestion(
            groups=("record",),
            measures=(COUNT, Measure("share", "share", condition="`value`"), RATE,
                      Measure("mean", "mean", column="weight"), Measure("median", "median", column="weight")),
            period="window", standardise=("stratum",),
        ),
    )  # fmt: skip
    for name in ("estimates", "against_others", "pairs", "changes", "ranks"):
        one, other = getattr(first, name), getattr(again, name)
        free = (
            ["low", "high", "shrunken"]
            if name == "estimates"
            else [c for c in one if c.endswith(("low", "high"))]
        )
        # the bootstrap of few values draws them in the order of rows
        kept = [c for c in one.columns if c not in free]
        pd.testing.assert_frame_equal(one[kept], other[kept])


def test_a_blank_may_be_a_group_and_gaps_are_windows():
    days = pd.to_datetime(["2021-01-05", "2021-09-09"] * 30)
    table = pd.DataFrame(
        {"g": ["a", None] * 30, "day": days, "held": pd.array([True, None] * 30, dtype="boolean")}
    )
    question = GroupQuestion(
        groups=("g",), measures=(SHARE, COUNT), period="day", every="quarter", unknown="group"
    )
    found = compare_groups(table, question)
    assert list(dict.fromkeys(found.estimates["window"])) == ["2021-Q1", "2021-Q2", "2021-Q3", "all"]
    counts = found.estimates.query("measure == 'records' and window == '2021-Q2'")
    assert counts["estimate"].tolist() == [0, 0]
    empty = whole(found.estimates, "share").loc["(unknown)"]
    assert np.isnan(empty["estimate"]) and empty["unknown"] == 30 and empty["reason"]
    told = found.left_out.set_index("what")
    assert told.loc["column g", "unknown"] == 30 and told.loc["measure share", "share"] == 0.5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"groups": ("place",)}, "no column 'place'"),
        ({"groups": ("value",)}, "broken numbers"),
        ({"groups": ("person",)}, "more than 100"),
        ({"filters": ('group == "Z"',)}, "No record is left"),
        ({"filters": ('group == "A"',)}, "one group"),
        ({"filters": ('year == "2021"',), "period": "year"}, "holds 1 period"),
        ({"weight": "events"}, "weight that is not above 0"),
        ({"measures": (Measure("m", "mean", column="age"),)}, "holds no numbers"),
        ({"measures": (Measure("r", "rate", denominator="people"),)}, "there is none"),
    ],
)
def test_what_cannot_be_compared_is_said_with_the_mend(change, words):
    settings = {"groups": ("group",), "measures": (SHARE,)} | change
    with pytest.raises(GroupError, match=words) as refused:
        compare_groups(records(), GroupQuestion(**settings))
    assert "[setting:" in str(refused.value)


def test_a_measure_needs_what_its_kind_needs():
    for given, words in (
        ({"kind": "share"}, "needs condition"),
        ({"kind": "rate"}, "name the exposure"),
        ({"kind": "count", "column": "x"}, "takes no column"),
        ({"kind": "mean", "column": "x", "scale": 10.0}, "only a rate"),
    ):
        with pytest.raises(GroupError, match=words):
            Measure("m", **given)
