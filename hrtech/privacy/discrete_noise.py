"""The only place where noise of a release is made: OpenDP's discrete Gaussian on integers.

Exact integer arithmetic inside OpenDP, a cryptographic source of randomness, never seeded (Canonne,
Kamath and Steinke 2020, https://arxiv.org/abs/2004.00010). What a measurement costs is what its own
privacy map says, in zero-concentrated differential privacy (Bun and Steinke 2016). Sensitivities and
budgets are decided elsewhere.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Noise(Protocol):
    """How integers are made noisy."""

    def vector(self, values: NDArray[np.int64], scale: float) -> NDArray[np.int64]:
        """The values plus independent noise of standard deviation ``scale``."""
        ...

    def above_threshold(self, counts: Mapping[str, int], scale: float, threshold: int) -> dict[str, int]:
        """Noisy counts of the keys whose noisy count exceeds the threshold."""
        ...

    def quantile(self, values: NDArray[np.int64], candidates: list[int], alpha: float, scale: float) -> int:
        """The candidate closest to a quantile of the values, chosen privately."""
        ...


@lru_cache(maxsize=64)
def _vector_measurement(scale: float) -> Any:
    from opendp.domains import atom_domain, vector_domain
    from opendp.measurements import make_gaussian
    from opendp.metrics import l2_distance
    from opendp.mod import enable_features

    enable_features("contrib")
    return make_gaussian(vector_domain(atom_domain(T="i64")), l2_distance(T="f64"), scale)


def _threshold_measurement(scale: float, threshold: int) -> Any:
    from opendp.domains import atom_domain, map_domain
    from opendp.measurements import make_gaussian_threshold
    from opendp.metrics import absolute_distance, l02inf_distance
    from opendp.mod import enable_features

    enable_features("contrib")
    domain = map_domain(atom_domain(T="String"), atom_domain(T="i64"))
    metric = l02inf_distance(absolute_distance(T="f64"))
    return make_gaussian_threshold(domain, metric, scale, threshold=threshold)


class OpenDPNoise:
    """Production noise."""

    def vector(self, values: NDArray[np.int64], scale: float) -> NDArray[np.int64]:
        """The values plus independent discrete Gaussian noise."""
        if not len(values):
            return values.astype(np.int64)
        # an array as it is: OpenDP refuses any but whole numbers of 64 bits
        return np.array(_vector_measurement(scale)(np.ascontiguousarray(values)), dtype=np.int64)

    def above_threshold(self, counts: Mapping[str, int], scale: float, threshold: int) -> dict[str, int]:
        """Noisy counts of the keys whose noisy count exceeds the threshold."""
        if not counts:
            return {}
        kept = _threshold_measurement(scale, threshold)(dict(counts))
        # OpenDP keeps a count that equals the threshold, but its map prices only those above
        return {key: noisy for key, noisy in kept.items() if noisy > threshold}

    def quantile(self, values: NDArray[np.int64], candidates: list[int], alpha: float, scale: float) -> int:
        """The candidate closest to a quantile of the values, by OpenDP's permute-and-flip or Gumbel choice."""
        return int(_quantile_measurement(tuple(candidates), alpha, scale)(np.ascontiguousarray(values)))


def root_above(squared: int) -> float:
    """The square root of a squared sensitivity, never rounded down."""
    root = math.sqrt(squared)
    return root if root == int(root) else math.nextafter(root, math.inf)


def scale_for(sensitivity: float, rho: float) -> float:
    """Noise scale at which a vector of this L2 sensitivity costs at most ``rho``."""
    # a billionth more noise, so that rounding inside the map cannot push the charge above the target
    return sensitivity / math.sqrt(2 * rho) * (1 + 1e-9)


def vector_rho(scale: float, sensitivity: float) -> float:
    """OpenDP's price (zCDP rho) of a noisy vector of integers."""
    return float(_vector_measurement(scale).map(sensitivity))


def threshold_charge(
    scale: float, threshold: int, keys_per_person: int, *, most: float = 1.0, norm: float | None = None
) -> tuple[float, float]:
    """OpenDP's price (rho, delta) of noisy keys.

    Args:
        scale: Standard deviation of the noise.
        threshold: Noisy sum above which a key is kept.
        keys_per_person: Most keys to which one person adds.
        most: Most that one person adds to one key.
        norm: L2 norm of all that one person adds; by default that of `most` for each key.
    """
    distance = (keys_per_person, root_above(keys_per_person) * most if norm is None else norm, most)
    rho, delta = _threshold_measurement(scale, threshold).map(distance)
    return float(rho), float(delta)


def threshold_for(scale: float, keys_per_person: int, delta: float) -> int:
    """The smallest threshold whose delta, by OpenDP's map, is at most ``delta``."""
    high = 2
    while threshold_charge(scale, high, keys_per_person)[1] > delta:
        high *= 2
    low = 1
    while high - low > 1:
        middle = (low + high) // 2
        if threshold_charge(scale, middle, keys_per_person)[1] > delta:
            low = middle
        else:
            high = middle
    return high


def half_width(scale: float, confidence: float) -> int:
    """Smallest whole h with P(|noise| <= h) >= confidence, for discrete Gaussian noise."""
    reach = math.ceil(40 * scale) + 1
    weights = np.exp(-(np.arange(reach + 1, dtype=float) ** 2) / (2 * scale * scale))
    both = np.cumsum(np.r_[weights[0], 2 * weights[1:]])
    return int(np.searchsorted(both / both[-1], confidence - 1e-12))


def quantile_rho(alpha: float, scale: float) -> float:
    """OpenDP's price (zCDP rho) of a private quantile among candidates, for one person's value."""
    return float(_quantile_measurement((0, 1), alpha, scale).map(1))


def quantile_scale(alpha: float, rho: float) -> float:
    """Noise scale at which a private quantile costs at most ``rho``."""
    # the price falls with the square of the scale
    return math.sqrt(quantile_rho(alpha, 1.0) / rho) * (1 + 1e-9)


@lru_cache(maxsize=64)
def _quantile_measurement(candidates: tuple[int, ...], alpha: float, scale: float) -> Any:
    from opendp.domains import atom_domain, vector_domain
    from opendp.measurements import make_private_quantile
    from opendp.measures import zero_concentrated_divergence
    from opendp.metrics import symmetric_distance
    from opendp.mod import enable_features

    enable_features("contrib")
    space = vector_domain(atom_domain(T="i64")), symmetric_distance()
    return make_private_quantile(*space, zero_concentrated_divergence(), list(candidates), alpha, scale)
