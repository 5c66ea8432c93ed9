"""The membership audit of the mechanism that really runs, and whether it catches the same with half of the noise.

On simulated people, so no table is needed. As in the other figures everything is paid for: both columns are undeclared.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta, binom

from hrtech.privacy.discrete_noise import OpenDPNoise
from hrtech.release.audit import AuditResult, audit_release
from hrtech.release.declared import ReleaseColumn, ReleaseSchema, ReleaseSettings

DELTA = 1e-6
POWER = 0.9
_SIGNIFICANCE = 0.01
_SCHEMA = ReleaseSchema((ReleaseColumn("sex"), ReleaseColumn("means", multi_valued=True)))


class HalfNoise(OpenDPNoise):
    """The noise of production, at half of the scale that was asked for: what an audit must catch."""

    def vector(self, values, scale):
        return super().vector(values, scale / 2)

    def above_threshold(self, counts, scale, threshold):
        return super().above_threshold(counts, scale / 2, threshold)

    def quantile(self, values, candidates, alpha, scale):
        return super().quantile(values, candidates, alpha, scale / 2)


@dataclass(frozen=True)
class Audit:
    """What was found at one epsilon.

    Attributes:
        epsilon: Claimed.
        result: Of the mechanism as it is.
        caught: How many audits of half the noise contradict the claim.
        audits: Of how many.
        draws: Runs in each of these.
    """

    epsilon: float
    result: AuditResult
    caught: int
    audits: int
    draws: int

    @property
    def power(self) -> float:
        """Share caught."""
        return self.caught / self.audits

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper and Pearson's for the power, two-sided at twice the significance."""
        k, n = self.caught, self.audits
        low = float(beta.ppf(_SIGNIFICANCE, k, n - k + 1)) if k else 0.0
        high = float(beta.ppf(1 - _SIGNIFICANCE, k + 1, n - k)) if k < n else 1.0
        return float(f"{low:.4g}"), float(f"{high:.4g}")

    @property
    def catches(self) -> bool:
        """Whether so high a power is not rejected."""
        return float(binom.cdf(self.caught, self.audits, POWER)) >= _SIGNIFICANCE


def audited(
    epsilons: tuple[float, ...], runs: int, audits: int, draws: int, seed: int, longest: int = 3
) -> Iterator[Audit]:
    """Audit the mechanism at each epsilon.

    Args:
        epsilons: Claims.
        runs: Runs of the mechanism as it is.
        audits: Audits of half the noise.
        draws: Runs in each of them.
        seed: Of the simulated people and the coins, never of the noise.
        longest: Reporting length.
    """
    rng = np.random.default_rng(seed)
    for epsilon in epsilons:
        settings = ReleaseSettings(epsilon=epsilon, delta=DELTA, reporting_length=longest)
        result = audit_release(settings, _SCHEMA, rng, draws=runs)
        found = [audit_release(settings, _SCHEMA, rng, draws=draws, noise=HalfNoise()) for _ in range(audits)]
        yield Audit(epsilon, result, sum(not one.holds for one in found), audits, draws)
