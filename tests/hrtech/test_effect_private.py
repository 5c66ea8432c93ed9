from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hrtech.causal import EffectError, EffectQuestion
from hrtech.causal.private import private_effect, refuse_synthetic_records

QUESTION = EffectQuestion("", "t", "y", confounders=("a", "b"))
GRID = pd.MultiIndex.from_product([range(2), range(3), (0, 1), (0, 1)], names=["a", "b", "t", "y"]).to_frame(
    index=False
)
SHARE = 1 / 6
CHANCE = 0.3 + 0.2 * GRID["a"]
LIKELY = 0.2 + 0.1 * GRID["b"] + GRID["t"] * (0.1 + 0.2 * GRID["a"])
PART = SHARE * np.where(GRID["t"] == 1, CHANCE, 1 - CHANCE) * np.where(GRID["y"] == 1, LIKELY, 1 - LIKELY)
TRUTH = 0.2


def release(rng, people=3000, noise=4.0, exact=None):
    exact = rng.multinomial(people, PART) if exact is None else exact
    return GRID.assign(count=exact + rng.normal(scale=noise, size=len(GRID)), noise_sd=noise)


def test_intervals_cover_with_sampling_and_noise_together():
    rng = np.random.default_rng(0)
    found = [private_effect([release(rng)], QUESTION, ("a", "b")) for _ in range(300)]
    spread = np.std([each.effect for each in found])
    assert np.mean([each.std_error for each in found]) == pytest.approx(spread, rel=0.1)
    # 285 of 300 expected; below 273 or above 296 has a chance of about 1 %
    assert 273 <= sum(each.low < TRUTH < each.high for each in found) <= 296
    assert abs(np.mean([each.effect for each in found]) - TRUTH) < 4 * spread / np.sqrt(300)


def test_without_noise_it_is_the_plain_standardised_difference():
    exact = np.random.default_rng(1).multinomial(3000, PART)
    records = GRID.loc[GRID.index.repeat(exact)]
    means = records.groupby(["a", "b", "t"])["y"].mean().unstack()
    share = records.groupby(["a", "b"]).size() / len(records)
    found = private_effect([GRID.assign(count=exact, noise_sd=0.0)], QUESTION, ("a", "b"))
    assert found.effect == pytest.approx(float((share * (means[1] - means[0])).sum()))
    assert found.n == 3000


def test_several_releases_judge_the_noise_by_how_they_differ():
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(100):
        exact = rng.multinomial(3000, PART)
        releases = [release(rng, exact=exact, noise=5.0).drop(columns="noise_sd") for _ in range(5)]
        found = private_effect(releases, QUESTION, ("a", "b"), independent_noise=False)
        covered += found.low < TRUTH < found.high
    # 95 of 100 expected; below 89 has a chance of about 1 %
    assert covered >= 89


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (lambda d: d.drop(columns="count"), "drawn from a fitted model"),
        (lambda d: d.drop(columns="noise_sd"), "how much noise"),
        (lambda d: d.drop(columns="b"), "does not count by b"),
        (lambda d: d.iloc[1:], "left out"),
        (lambda d: pd.concat([d, d.iloc[:1]]), "twice"),
        (lambda d: d.assign(noise_sd=40.0), "fewer than 20 people, or fewer than 8 times its noise"),
        (lambda d: d.assign(t=d["t"] + 1), "must be 0 or 1"),
    ],
)
def test_releases_that_carry_no_interval_are_refused(spoil, match):
    table = spoil(release(np.random.default_rng(3)))
    with pytest.raises(EffectError, match=match):
        private_effect([table], QUESTION, ("a", "b"))


def test_shared_noise_needs_several_releases_and_counts_know_no_clusters():
    table = release(np.random.default_rng(4))
    with pytest.raises(EffectError, match="Use 3 releases"):
        private_effect([table, table], QUESTION, ("a", "b"), independent_noise=False)
    with pytest.raises(EffectError, match="know nothing of cluster"):
        private_effect([table], replace(QUESTION, cluster="home"), ("a", "b"))
    with pytest.raises(EffectError, match="No release"):
        private_effect([], QUESTION, ("a", "b"))


def test_synthetic_records_are_no_source():
    with pytest.raises(EffectError, match="drawn from a fitted model"):
        refuse_synthetic_records("cases/synthetic_records")
    refuse_synthetic_records("cases/records")
    refuse_synthetic_records(None)
