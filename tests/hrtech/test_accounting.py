"""Privacy arithmetic against OpenDP's own composition and an independent computation of the curve."""

import math
import subprocess
import sys
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrtech.privacy.accounting import Charge, epsilon_of, rho_of, total

RHO = st.floats(1e-6, 20.0)
DELTA = st.floats(1e-12, 1e-3)


def curve_by_hand(rho, delta):
    """Canonne, Kamath and Steinke 2020, corollary 13: min over alpha, on a fine grid and then by golden section."""

    def epsilon(alpha):
        return alpha * rho + (
            math.log(1 / delta) + (alpha - 1) * math.log(1 - 1 / alpha) - math.log(alpha)
        ) / (alpha - 1)

    low, high = 1 + 1e-9, 2 + 4 * math.sqrt(math.log(1 / delta) / rho)
    golden = (math.sqrt(5) - 1) / 2
    for _ in range(200):
        left, right = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, right) if epsilon(left) < epsilon(right) else (left, high)
    return max(0.0, epsilon(low))


@pytest.mark.parametrize(
    ("rho", "delta"), [(0.0282, 4.74e-6), (0.3505289, 4.74e-6), (1.0, 1e-6), (5.0, 1e-9), (0.001, 1e-6)]
)
def test_epsilon_agrees_with_the_published_formula(rho, delta):
    assert epsilon_of(rho, delta) == pytest.approx(curve_by_hand(rho, delta), rel=1e-6)


def test_known_values():
    assert epsilon_of(0.0, 1e-6) == 0.0
    assert epsilon_of(0.0, 1e-6, 1e-6) == 0.0
    assert epsilon_of(0.0, 1e-6, 2e-6) == math.inf
    assert epsilon_of(0.1, 1e-6, 1e-6) == math.inf
    assert epsilon_of(1e12, 1e-6) == math.inf
    assert epsilon_of(math.inf, 1e-6) == math.inf
    assert rho_of(0.0, 1e-6) == 0.0
    assert rho_of(1.0, 1e-6, 1e-6) == 0.0
    # well above the loose textbook conversion (sqrt(eps + ln 1/d) - sqrt(ln 1/d))^2
    loose = (math.sqrt(4 + math.log(1 / 4.74e-6)) - math.sqrt(math.log(1 / 4.74e-6))) ** 2
    assert loose < rho_of(4.0, 4.74e-6) == pytest.approx(0.350551, abs=1e-6)


@given(RHO, DELTA, st.floats(0, 0.99))
@settings(max_examples=50, deadline=None)
def test_delta_spent_costs_epsilon(rho, delta, share):
    assert epsilon_of(rho, delta, share * delta) >= epsilon_of(rho, delta)
    assert epsilon_of(rho, delta, share * delta) == pytest.approx(
        epsilon_of(rho, delta - share * delta), rel=1e-9
    )


@given(st.floats(0.001, 20.0), DELTA, st.floats(0, 0.9))
@settings(max_examples=10, deadline=None)
def test_rho_of_is_the_largest_within_epsilon(epsilon, delta, share):
    rho = rho_of(epsilon, delta, share * delta)
    assert epsilon_of(rho, delta, share * delta) <= epsilon
    assert epsilon_of(rho * (1 + 1e-9), delta, share * delta) > epsilon * (1 - 1e-12)
    # ten tenths of a budget may be spent
    assert epsilon_of(total([Charge(rho / 10)] * 10).rho, delta, share * delta) <= epsilon


@given(st.lists(st.tuples(RHO, DELTA), min_size=1, max_size=8))
@settings(max_examples=50, deadline=None)
def test_total_equals_opendps_composed_map(losses):
    from opendp.combinators import make_composition
    from opendp.domains import atom_domain
    from opendp.measurements import make_user_measurement
    from opendp.measures import approximate, zero_concentrated_divergence
    from opendp.metrics import absolute_distance
    from opendp.mod import enable_features

    enable_features("contrib", "honest-but-curious")
    space = atom_domain(T=float, nan=False), absolute_distance(T=float)
    measure = approximate(zero_concentrated_divergence())
    composed = make_composition(
        [make_user_measurement(*space, measure, lambda x: x, lambda d, loss=loss: loss) for loss in losses]
    )
    rho, delta = composed.map(1.0)
    charged = total(Charge(*loss) for loss in losses)
    # OpenDP rounds every step up, we round once: never below the exact sum, never above theirs
    assert sum(Fraction(loss[0]) for loss in losses) <= Fraction(charged.rho) <= Fraction(rho)
    assert sum(Fraction(loss[1]) for loss in losses) <= Fraction(charged.delta) <= Fraction(delta)
    assert charged.rho == pytest.approx(rho, rel=1e-14)
    assert charged.delta == pytest.approx(delta, rel=1e-14)


@given(st.permutations([Charge(0.1), Charge(0.2, 1e-9), Charge(1e-17), Charge(0.7, 3e-7)]))
@settings(deadline=None)
def test_order_of_charges_does_not_matter(charges):
    assert total(charges) == total([Charge(1e-17), Charge(0.2, 1e-9), Charge(0.7, 3e-7), Charge(0.1)])


def test_sums_are_rounded_up():
    assert (Charge(1.0) + Charge(2**-60)).rho == math.nextafter(1.0, 2.0)
    assert Charge(0.25) + Charge(0.5) == Charge(0.75)
    assert total([]) == Charge(0.0) and total([]).is_zero


@pytest.mark.parametrize(
    "rho, delta", [(-0.1, 0), (math.nan, 0), (math.inf, 0), (0.1, 1.0), (0.1, -1e-9), ("1", 0), (True, 0)]
)
def test_charges_that_are_none(rho, delta):
    with pytest.raises(ValueError, match="charge's"):
        Charge(rho, delta)


@pytest.mark.parametrize("arguments", [(-1, 1e-6), (1, 0.0), (1, 1.0), (math.nan, 1e-6), (1, 1e-6, -1e-9)])
def test_arguments_out_of_range(arguments):
    with pytest.raises(ValueError):
        epsilon_of(*arguments)
    with pytest.raises(ValueError):
        rho_of(-1.0, 1e-6)


def test_importing_the_rules_loads_no_opendp():
    code = "import sys, hrtech.privacy; print([m for m in sys.modules if m.split('.')[0] in ('opendp', 'pandas')])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )
