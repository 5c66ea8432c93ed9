"""The audit: bounds below the truth, close to it, and noise of half the scale is caught."""

import math
from collections import Counter
from statistics import NormalDist

import numpy as np
import pytest

from hrtech.privacy.accounting import rho_of
from hrtech.privacy.discrete_noise import OpenDPNoise
from hrtech.release import audit as audit_module
from hrtech.release.audit import (
    AuditResult,
    Runs,
    audit,
    audit_release,
    epsilon_of_mu,
    mu_lower,
    run_mechanism,
    simulated_people,
)
from hrtech.release.declared import ReleaseColumn, ReleaseSchema, ReleaseSettings
from hrtech.release.holding import encoded_people

Phi = NormalDist().cdf
DECLARED = ReleaseSchema(
    (ReleaseColumn("sex", ("F", "M")), ReleaseColumn("means", ("debt", "drugs"), multi_valued=True))
)
WIDE = ReleaseSchema(
    (
        ReleaseColumn("town", ("a", "b", "c"), parent="region", parent_values={"a": "x", "b": "x", "c": "y"}),
        ReleaseColumn("region", ("x", "y")),
        ReleaseColumn("asked", ("0", "1"), sensitive_zeros=True),
        ReleaseColumn("job"),
        ReleaseColumn("means", multi_valued=True),
    )
)


class Half:
    """The noise of production, at half of the scale that was asked for."""

    def __init__(self):
        self.real = OpenDPNoise()

    def vector(self, values, scale):
        return self.real.vector(values, scale / 2)

    def above_threshold(self, counts, scale, threshold):
        return self.real.above_threshold(counts, scale / 2, threshold)

    def quantile(self, values, candidates, alpha, scale):
        return self.real.quantile(values, candidates, alpha, scale / 2)


def gaussian_runs(mu, n, rng, copies=1):
    """Runs of a Gaussian mechanism: log-likelihood ratios of shifts by mu for each copy."""
    present = rng.random(n) < 0.5
    shift = mu * copies
    seen = rng.normal(0, 1, n) + shift * present
    return Runs(shift * seen - shift**2 / 2, present, copies)


def test_epsilon_of_mu_is_the_root_of_the_exact_delta():
    for mu, delta in ((0.2, 1e-6), (0.8, 1e-6), (2.0, 1e-3), (0.05, 1e-9)):
        epsilon = epsilon_of_mu(mu, delta)
        spent = Phi(mu / 2 - epsilon / mu) - math.exp(epsilon) * Phi(-mu / 2 - epsilon / mu)
        assert spent == pytest.approx(delta, rel=1e-5)
    assert epsilon_of_mu(0.0, 1e-6) == 0 and epsilon_of_mu(0.01, 0.1) == 0
    # the claim itself, which OpenDP converts with less precision, is above
    for claimed in (0.5, 1.0, 4.0):
        assert 0.8 * claimed < epsilon_of_mu(math.sqrt(2 * rho_of(claimed, 1e-6)), 1e-6) < claimed


def test_bounds_by_hand():
    # all of 100 right: the share is above 0.05 ** (1 / 100)
    assert mu_lower(100, 100, 0.95) == pytest.approx(2 * NormalDist().inv_cdf(0.05**0.01))
    assert mu_lower(50, 100, 0.95) == mu_lower(0, 100, 0.95) == 0


@pytest.mark.parametrize(("mu", "copies"), [(0.8, 1), (0.8, 3), (0.22, 9), (0.0, 1)])
def test_bounds_are_below_the_truth_as_often_as_they_say_and_close_to_it(mu, copies):
    rng = np.random.default_rng(7)
    found = [audit(gaussian_runs(mu, 400, rng, copies), 4.0, 1e-6) for _ in range(80)]
    truth = epsilon_of_mu(mu, 1e-6)
    # at most 5 % above; a rate of 5 % gives more than 12 of 80 less than twice in ten thousand
    assert sum(f.mu_lower > mu for f in found) <= 12
    assert sum(f.epsilon_lower > truth for f in found) <= 12
    assert sum(f.epsilon_lower_any > truth for f in found) <= 12
    if copies > 1:
        assert np.median([f.mu_lower for f in found]) > 0.75 * mu
        assert np.median([f.epsilon_lower_any for f in found]) > 0.04


def test_more_runs_bring_the_bound_closer():
    rng = np.random.default_rng(3)
    many = audit(gaussian_runs(0.8, 40_000, rng, 3), 4.0, 1e-6)
    assert 0.96 * 0.8 < many.mu_lower < 0.8 and many.holds
    # without any assumption much less can be said, but something
    assert 0.5 < many.epsilon_lower_any < many.epsilon_lower


def test_a_mechanism_that_gives_people_away_is_caught_without_any_assumption():
    present = np.arange(2000) % 2 == 0
    result = audit(Runs(np.where(present, 50.0, -50.0), present), 4.0, 1e-6)
    assert result.epsilon_lower_any > 4.5 and not result.holds
    assert result.right == result.judged == 1500 and "MORE THAN CLAIMED" in result.says


def test_too_few_runs_are_refused():
    with pytest.raises(ValueError, match="more runs"):
        audit(Runs(np.zeros(4), np.array([True, True, False, True])), 1.0, 1e-6)


def test_the_result_speaks():
    result = AuditResult(3.2, 0.5, 0.7, 4.0, 1e-6, 0.95, 2000, 1000, 840, 3)
    assert result.holds
    assert result.says == (
        "Whether 3 copies of a person chosen to be seen best took part was guessed rightly in 840 of 1,000 runs: "
        "with 95% confidence the release loses at least epsilon = 3.20 at delta = 1e-06 for a person (claimed: 4), "
        "which the claim allows."
    )


def test_simulated_people_fit_the_schema():
    rng = np.random.default_rng(0)
    values = {"town": "abc", "region": "xy", "asked": "01", "job": ["v1", "v2"], "means": ["v1", "v2", "v3"]}
    frame = simulated_people(WIDE, values, 500, rng)
    assert len(frame) == 500 and list(frame.columns) == [c.name for c in WIDE.columns]
    encoded = encoded_people(frame, WIDE)
    counts = Counter(frame["town"].dropna())
    assert counts["a"] > counts["b"] > counts["c"] > 0 and frame["town"].isna().sum() > 50
    known = frame["town"].notna()
    assert (frame["region"][known] == frame["town"][known].map({"a": "x", "b": "x", "c": "y"})).all()
    assert all(len(c.values) > 1 for c in encoded.columns)


@pytest.mark.parametrize("epsilon", [1.0, 4.0])
def test_the_mechanism_keeps_its_claim_and_half_the_noise_is_caught(epsilon):
    """160 runs each, of OpenDP's noise; a verdict is wrong in about one of a hundred."""
    setting = ReleaseSettings(epsilon, 1e-6, reporting_length=2)
    rng = np.random.default_rng(5)
    good = audit_release(setting, DECLARED, rng, draws=160)
    bad = audit_release(setting, DECLARED, rng, draws=160, noise=Half())
    # chance decides: a verdict is confirmed before it fails the test
    if not good.holds:
        good = audit_release(setting, DECLARED, rng, draws=160)
    if bad.holds:
        bad = audit_release(setting, DECLARED, rng, draws=160, noise=Half())
    assert good.holds and not bad.holds
    assert good.epsilon_lower > 0.4 * epsilon and "MORE THAN CLAIMED" in bad.says


def likelihood_fits(runs):
    """Log-likelihood ratios of Gaussians differ in mean, between the two cases, by their variance."""
    apart = runs.scores[runs.present].mean() - runs.scores[~runs.present].mean()
    spread = (runs.scores[runs.present].var() + runs.scores[~runs.present].var()) / 2
    return apart / spread, math.sqrt(apart) / runs.copies


@pytest.mark.parametrize("schema", [DECLARED, WIDE], ids=["declared", "wide"])
def test_the_attacker_uses_all_that_is_released_and_rightly(schema):
    setting = ReleaseSettings(4.0, 1e-6, reporting_length=2)
    runs = run_mechanism(setting, schema, np.random.default_rng(2), draws=150)
    ratio, mu = likelihood_fits(runs)
    assert runs.copies == 3 and 0.6 < ratio < 1.6
    claimed = math.sqrt(2 * rho_of(4.0, 1e-6))
    assert 0.75 * claimed < mu < 1.2 * claimed


@pytest.mark.slow
@pytest.mark.parametrize("schema", [DECLARED, WIDE], ids=["declared", "wide"])
@pytest.mark.parametrize("epsilon", [1.0, 4.0])
def test_the_power_against_half_the_noise_is_high(schema, epsilon):
    setting = ReleaseSettings(epsilon, 1e-6, reporting_length=2)
    rng = np.random.default_rng(11)
    caught = [not audit_release(setting, schema, rng, draws=160, noise=Half()).holds for _ in range(8)]
    assert sum(caught) >= 6
    good = audit_release(setting, schema, rng, draws=1000)
    assert good.holds and good.epsilon_lower > 0.6 * epsilon


def test_one_copy_is_the_person_alone():
    setting = ReleaseSettings(4.0, 1e-6, reporting_length=2)
    runs = run_mechanism(setting, DECLARED, np.random.default_rng(2), draws=8, copies=1)
    assert runs.copies == 1 and len(runs.scores) == 8
    assert audit_module._copies(setting) == 3
