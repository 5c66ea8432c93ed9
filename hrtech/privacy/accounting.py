"""Privacy loss: how much a release may reveal about one unit, added up and told to people.

Losses are kept as zero-concentrated differential privacy (rho, Bun and Steinke 2016) with an additive delta, which
compose by addition; people read epsilon at a delta. The conversion between the two is OpenDP's own curve
(`make_zCDP_to_approxDP`), never a formula of ours. Whatever is rounded is rounded towards more loss.

Here: arithmetic alone. Who pays, and whether they may, is in `hrtech.privacy.ledger`.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

#: Significant digits of a rho found for an epsilon, so that its parts add up within it again.
_DIGITS: Final = 12


@dataclass(frozen=True)
class Charge:
    """Privacy loss of one or more releases: rho (zCDP) plus delta, as OpenDP's maps return it.

    Attributes:
        rho: Zero-concentrated loss, at least 0.
        delta: Probability beyond it, at least 0 and below 1.
    """

    rho: float
    delta: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("rho", self.rho), ("delta", self.delta)):
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise ValueError(f"A charge's {name} is a finite number.")
            if value < 0:
                raise ValueError(f"A charge's {name} is not below 0: privacy is never given back.")
            object.__setattr__(self, name, float(value))
        if self.delta >= 1:
            raise ValueError("A charge's delta is below 1: at 1 everything may be revealed.")

    def __add__(self, other: "Charge") -> "Charge":
        return total([self, other])

    @property
    def is_zero(self) -> bool:
        """Nothing is claimed or spent."""
        return self.rho == 0 and self.delta == 0


def total(charges: Iterable[Charge]) -> Charge:
    """Add losses up exactly and round the sum up; the order does not matter."""
    listed = list(charges)
    return Charge(
        _rounded_up(sum((Fraction(charge.rho) for charge in listed), Fraction())),
        _rounded_up(sum((Fraction(charge.delta) for charge in listed), Fraction())),
    )


def _rounded_up(exact: Fraction) -> float:
    nearest = float(exact)
    return nearest if Fraction(nearest) >= exact else math.nextafter(nearest, math.inf)


@lru_cache(maxsize=4096)
def epsilon_of(rho: float, delta: float, delta_spent: float = 0.0) -> float:
    """Return the epsilon that a zCDP loss amounts to at a delta, by OpenDP's curve.

    Args:
        rho: Loss in zCDP.
        delta: Delta at which people are told the epsilon, 0 < delta < 1.
        delta_spent: Delta that the releases themselves used up; it leaves less of `delta` for the conversion.

    Returns:
        An upper bound; 0 for no loss; infinite where no epsilon holds (no delta left, or a rho beyond what
        OpenDP can convert).

    Raises:
        ValueError: An argument is out of its range.
    """
    if not rho >= 0 or not 0 < delta < 1 or not delta_spent >= 0:
        raise ValueError("epsilon_of needs rho >= 0, 0 < delta < 1 and delta_spent >= 0.")
    if delta_spent > delta:
        return math.inf
    if rho == 0:
        return 0.0
    left = _rounded_down_difference(delta, delta_spent)
    if left <= 0 or math.isinf(rho):
        return math.inf
    from opendp.mod import OpenDPException

    measurement = _curve()
    # the unit Gaussian loses d²/2 to a shift of d
    shift = math.nextafter(math.sqrt(2 * rho), math.inf)
    try:
        return float(measurement.map(shift).epsilon(left))
    except OpenDPException as error:
        if error.variant == "Overflow":
            return math.inf
        raise


def _rounded_down_difference(whole: float, part: float) -> float:
    if part == 0:
        return whole
    exact = Fraction(whole) - Fraction(part)
    nearest = float(exact)
    return nearest if Fraction(nearest) <= exact else math.nextafter(nearest, -math.inf)


@lru_cache(maxsize=1)
def _curve() -> Any:
    from opendp.combinators import make_zCDP_to_approxDP
    from opendp.domains import atom_domain
    from opendp.measurements import make_gaussian
    from opendp.metrics import absolute_distance
    from opendp.mod import enable_features

    enable_features("contrib")
    return make_zCDP_to_approxDP(make_gaussian(atom_domain(T=int), absolute_distance(T=float), scale=1.0))


@lru_cache(maxsize=512)
def rho_of(epsilon: float, delta: float, delta_spent: float = 0.0) -> float:
    """Return the largest zCDP loss whose epsilon at a delta is at most `epsilon`, by OpenDP's curve.

    Args:
        epsilon: Loss as people are told it.
        delta: Delta at which they are told, 0 < delta < 1.
        delta_spent: Delta that releases used up or will use up themselves.

    Returns:
        rho, rounded down to 12 digits, with `epsilon_of(rho, delta, delta_spent) <= epsilon`.

    Raises:
        ValueError: An argument is out of its range.
    """
    if not 0 <= epsilon < math.inf:
        raise ValueError("rho_of needs a finite epsilon that is not below 0.")

    def within(rho: float) -> bool:
        return epsilon_of(rho, delta, delta_spent) <= epsilon

    if epsilon == 0 or not within(0.0) or delta_spent >= delta:
        # at epsilon 0 the curve still admits a tiny rho, hidden in delta; a budget of nothing grants nothing
        return 0.0
    low, high = 0.0, 1.0
    while within(high):
        low, high = high, 2 * high
    while high - low > high * 10.0 ** -(_DIGITS + 1):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle) else (low, middle)
    rho = _truncated(low)
    return rho if within(rho) else 0.0


def _truncated(value: float) -> float:
    if value == 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(value)) - _DIGITS + 1)
    # one unit below: the division itself may have rounded up
    return max(0.0, float(f"{(math.floor(value / unit) - 1) * unit:.{_DIGITS}g}"))
