"""Noise: discrete, of the stated scale, priced by OpenDP; and the projection that makes counts consistent."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrtech.privacy.discrete_noise import (
    OpenDPNoise,
    half_width,
    root_above,
    scale_for,
    threshold_charge,
    threshold_for,
    vector_rho,
)


def test_noise_is_whole_centred_and_of_the_stated_scale():
    values = np.arange(20_000)
    noisy = OpenDPNoise().vector(values, 7.3)
    assert noisy.dtype == np.int64
    error = (noisy - values).astype(float)
    assert abs(error.mean()) < 5 * 7.3 / math.sqrt(len(values))
    assert abs(error.var() / 7.3**2 - 1) < 5 * math.sqrt(2 / len(values))
    assert not np.array_equal(OpenDPNoise().vector(values, 7.3), noisy)
    assert len(OpenDPNoise().vector(np.zeros(0, dtype=np.int64), 7.3)) == 0


def test_prices():
    # rho of a Gaussian: distance squared over twice the variance
    assert vector_rho(5.0, 1.0) == pytest.approx(1 / 50)
    rho, delta = threshold_charge(5.0, 40, 3)
    assert rho == pytest.approx(3 / 50, rel=1e-12)
    # three keys, each with noise above 39: about 3 * P(N > 39 / 5)
    assert delta == pytest.approx(3 * math.erfc(39 / 5 / math.sqrt(2)) / 2, rel=0.5)


@settings(max_examples=40, deadline=None)
@given(squared=st.integers(1, 10**6), rho=st.floats(1e-6, 10))
def test_a_scale_never_costs_more_than_its_budget(squared, rho):
    distance = root_above(squared)
    assert distance**2 >= squared * (1 - 1e-15) and distance == pytest.approx(math.sqrt(squared))
    spent = vector_rho(scale_for(distance, rho), distance)
    assert rho * (1 - 1e-7) < spent <= rho


@pytest.mark.parametrize(("scale", "keys", "delta"), [(4.0, 1, 1e-7), (30.0, 12, 1e-9)])
def test_the_threshold_is_the_smallest_that_keeps_delta(scale, keys, delta):
    threshold = threshold_for(scale, keys, delta)
    assert (
        threshold_charge(scale, threshold, keys)[1] <= delta < threshold_charge(scale, threshold - 1, keys)[1]
    )
    noisy = OpenDPNoise().above_threshold({"many": 10 * threshold, "one": 1}, scale, threshold)
    assert set(noisy) == {"many"} and abs(noisy["many"] - 10 * threshold) < 10 * scale
    assert OpenDPNoise().above_threshold({}, scale, threshold) == {}


@pytest.mark.parametrize("scale", [0.6, 3.0, 40.0])
def test_half_width_is_the_smallest_that_covers(scale):
    k = np.arange(-2000, 2001)
    weights = np.exp(-(k**2) / (2 * scale**2))
    weights /= weights.sum()
    h = half_width(scale, 0.95)
    assert weights[abs(k) <= h].sum() >= 0.95 > weights[abs(k) <= h - 1].sum()
