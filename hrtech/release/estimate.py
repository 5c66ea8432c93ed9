"""Counts from noisy moments: one estimate that assumes nothing, and one that shrinks it towards a fitted mixture.

The *direct* estimate of how many people hold a combination S is linear in what was measured,
``sum over subsets T of S of moment(T) * product of the centres of S - T``, without bias but for bounding, and with a
known standard deviation. The *shrunk* estimate moves each moment from the mixture's prediction towards what was
measured by ``1 - 1 / (mean squared misfit)``, within classes of combinations that vary alike (James and Stein 1961;
Efron and Morris 1973): where the mixture explains the moments within their noise, it is believed; where it does not,
the measurement is. Post-processing: nothing here sees a record.
"""

from dataclasses import dataclass
from itertools import combinations as subsets_of

import numpy as np
from numpy.typing import NDArray

from hrtech.release.fit import Mixture, predicted_moments
from hrtech.release.layout import Cells, Layout
from hrtech.release.measured import Measured

_CLASSES = 12
_FEWEST_IN_CLASS = 30

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimates:
    """Per length, in the order of the layout.

    Attributes:
        direct: Estimates without bias, but for what bounding took away.
        sd: Their standard deviations.
        shrunk: Estimates with less error.
    """

    direct: dict[int, Floats]
    sd: dict[int, Floats]
    shrunk: dict[int, Floats]


def estimate(measured: Measured, mixture: Mixture) -> Estimates:
    """Estimate all counts."""
    longest = measured.scaling.longest
    noisy = {k: measured.moments(k) for k in range(1, longest + 1)}
    predicted = predicted_moments(measured, mixture.attributes)
    spread = np.sqrt(_spread(measured))
    better = {
        k: _shrunk(noisy[k], predicted[k], measured.sd(k), spread[measured.layout.cells(k)].prod(axis=1))
        for k in noisy
    }
    centres = measured.scaling.centre_values
    direct = uncentred(measured.layout, noisy, centres, measured.people)
    shrunk = uncentred(measured.layout, better, centres, measured.people)
    variances = {k: measured.sd(k) ** 2 for k in noisy}
    variance = uncentred(measured.layout, variances, centres**2, measured.people_sd**2)
    sd = {k: np.sqrt(v) for k, v in variance.items()}
    for k in shrunk:
        ruled_out = measured.layout.ruled_out(k)
        for table in (direct, shrunk, sd):
            table[k][ruled_out] = 0.0
    return Estimates(direct, sd, shrunk)


def _spread(measured: Measured) -> Floats:
    share = measured.scaling.centre_values
    return share * (1 - share) + 20 / max(measured.people, 20.0)


def _shrunk(noisy: Floats, predicted: Floats, sd: Floats, spread: Floats) -> Floats:
    """Move predictions towards measurements by how far they are apart beyond the noise, class by class."""
    if not len(noisy):
        return noisy
    misfit = ((noisy - predicted) / sd) ** 2
    trust = np.empty(len(noisy))
    classes = max(1, min(_CLASSES, len(noisy) // _FEWEST_IN_CLASS))
    for own in np.array_split(np.argsort(spread, kind="stable"), classes):
        trust[own] = max(0.0, 1 - 1 / max(float(misfit[own].mean()), 1e-9))
    return predicted + trust * (noisy - predicted)


def uncentred(
    layout: Layout, moments: dict[int, Floats], centres: Floats, people: float
) -> dict[int, Floats]:
    """Counts from centred moments: sums over subsets, the rest replaced by centres.

    With squared centres and variances in place of the moments these are the variances of the counts.

    Args:
        layout: Combinations.
        moments: Per length.
        centres: Shape (attributes,).
        people: The moment of length 0.
    """
    out = {}
    for length in moments:
        cells = layout.cells(length)
        share = centres[cells]
        total = people * share.prod(axis=1)
        for size in range(1, length + 1):
            for kept in subsets_of(range(length), size):
                left = [k for k in range(length) if k not in kept]
                part = moments[size][layout.number(np.ascontiguousarray(cells[:, kept]))]
                total = total + part * share[:, left].prod(axis=1)
        out[length] = total
    return out


def smallest_parent(layout: Layout, counts: dict[int, Floats], length: int) -> Floats:
    """For each combination the smallest count among those of one attribute less."""
    cells: Cells = layout.cells(length)
    parents = [
        counts[length - 1][layout.number(np.ascontiguousarray(np.delete(cells, k, axis=1)))]
        for k in range(length)
    ]
    return np.min(parents, axis=0)
