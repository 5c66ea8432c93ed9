"""A population that explains noisy moments: a mixture of people with independent attributes.

Each component holds, in every group, one state with its own probabilities (a softmax), so that whatever the mixture
predicts is consistent: no count is negative, none above its parts, lengths agree. Its parameters minimise the
squared errors of the centred moments in units of their noise, plus a normal prior on how far a component's logits lie
from the average component's (Adam, Kingma and Ba 2015; relaxed projection in the sense of Aydore et al. 2021, here on
centred moments). Two mixtures from different starts are joined, which averages part of what the start decides.

Post-processing of what was released: no record is seen and nothing is charged.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrtech.release.layout import Layout
from hrtech.release.measured import Measured

Floats = NDArray[np.float32]

_COMPONENTS = 100
_MIXTURES = 2
_ROUND = 120
_ROUNDS = 2
#: With few numbers to meet, rounds are cheap and the prior must not outweigh them.
_FEW_CELLS = 5000
_ROUNDS_OF_FEW = 5
_RATE = 0.3
_PRIOR_SD = 3.0
_START_SD = 0.7
#: Errors of length 1 count more: few numbers decide much.
_LENGTH_1_TIMES = 2.0
#: Fitted well enough: mean squared error in units of the noise.
_ENOUGH = 1.1


@dataclass(frozen=True)
class Mixture:
    """Components of equal weight.

    Attributes:
        states: Shape (states of all groups, components): probability of each state, groups one after another.
        attributes: Shape (attributes, components): probability of holding each attribute.
        misfit: Per length the mean squared error of predicted moments in units of the noise; about 1 where the
            mixture explains what was measured, more where it does not, less where it follows the noise.
    """

    states: Floats
    attributes: Floats
    misfit: dict[int, float]


class _Parts:
    """Index arrays that every step needs."""

    def __init__(self, layout: Layout) -> None:
        sizes = [len(g.states) for g in layout.groups]
        self.starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        self.sizes = np.array(sizes)
        self.holds = np.zeros((layout.n_attributes, sum(sizes)), dtype=np.float32)
        for start, group in zip(self.starts, layout.groups, strict=True):
            self.holds[group.first : group.stop, start : start + len(group.states)] = group.states.T
        self.i, self.j = layout.pairs.T
        # pairs lie attribute by attribute of their second
        self.edges = np.searchsorted(self.j, np.arange(layout.n_attributes + 1))
        self.layout = layout

    def softmax(self, logits: Floats) -> Floats:
        """Probabilities of the states within each group."""
        top = np.repeat(np.maximum.reduceat(logits, self.starts), self.sizes, axis=0)
        raised = np.exp(logits - top)
        return raised / np.repeat(np.add.reduceat(raised, self.starts), self.sizes, axis=0)

    def softmax_slope(self, states: Floats, slope: Floats) -> Floats:
        """Slope of the logits from that of the probabilities."""
        inside = np.add.reduceat(states * slope, self.starts)
        return states * (slope - np.repeat(inside, self.sizes, axis=0))

    def spread_pairs(self, slope: Floats, apart: Floats, out: Floats) -> None:
        """Add the slope of attributes that follows from the slope of pairs' products; in place."""
        for j in range(len(self.edges) - 1):
            own = slice(self.edges[j], self.edges[j + 1])
            if own.start < own.stop:
                part = slope[own]
                n = own.stop - own.start
                out[j] += np.einsum("ir,ir->r", part, apart[:n])
                out[:n] += part * apart[j]


def fit_mixture(measured: Measured, rng: np.random.Generator) -> Mixture:
    """Fit the mixtures and join them.

    Args:
        measured: What was released.
        rng: Starting points.
    """
    if not measured.layout.groups:
        nothing = np.zeros((0, _MIXTURES * _COMPONENTS), dtype=np.float32)
        return Mixture(nothing, nothing, {})
    parts = _Parts(measured.layout)
    states = np.concatenate([_Descent(measured, parts, rng).run() for _ in range(_MIXTURES)], axis=1)
    attributes = parts.holds @ states
    predicted = predicted_moments(measured, attributes)
    misfit = {
        k: float(np.mean(((p - measured.moments(k)) / measured.sd(k)) ** 2))
        for k, p in predicted.items()
        if len(p)
    }
    return Mixture(states, attributes, misfit)


def predicted_moments(measured: Measured, attributes: Floats) -> dict[int, NDArray[np.float64]]:
    """Centred moments of a mixture, per length in the order of the layout.

    Args:
        measured: Number of people and centres.
        attributes: Shape (attributes, components): probability of holding each attribute.
    """
    each = measured.people / attributes.shape[1]
    apart = (attributes - measured.scaling.centre_values[:, None]).astype(np.float32)
    return product_sums(measured.layout, apart, measured.scaling.longest, each)


def product_sums(
    layout: Layout, columns: Floats, longest: int, times: float = 1.0
) -> dict[int, NDArray[np.float64]]:
    """Sums over components of the products of a combination's rows, times a factor.

    Args:
        layout: Combinations.
        columns: Shape (attributes, components).
        longest: Longest combinations.
        times: Factor.
    """
    i, j = layout.pairs.T
    out = {1: columns.sum(axis=1, dtype=np.float64) * times}
    if longest < 2:
        return out
    pairs = columns[i] * columns[j]
    out[2] = pairs.sum(axis=1, dtype=np.float64) * times
    for length in range(3, longest + 1):
        cells = layout.cells(length - 2)[layout.order_by_first(length - 2)]
        rest = columns[cells[:, 0]]
        for k in range(1, length - 2):
            rest = rest * columns[cells[:, k]]
        out[length] = np.empty(layout.size(length))
        for block in layout.blocks(length):
            out[length][block.at] = (pairs[block.pairs] @ rest[block.rest].T).ravel() * times
    return out


class _Descent:
    """One mixture on its way down."""

    def __init__(self, measured: Measured, parts: _Parts, rng: np.random.Generator) -> None:
        self.parts, self.layout = parts, measured.layout
        self.longest = measured.scaling.longest
        self.centres = measured.scaling.centre_values.astype(np.float32)[:, None]
        self.each = np.float32(measured.people / _COMPONENTS)
        lengths = range(1, self.longest + 1)
        self.wanted = {k: measured.moments(k).astype(np.float32) for k in lengths}
        self.precision = {k: (1 / measured.sd(k) ** 2).astype(np.float32) for k in lengths}
        self.n_cells = sum(len(w) for w in self.wanted.values())
        self.logits = self._start(rng)
        self.misfit: dict[int, float] = {}

    def _start(self, rng: np.random.Generator) -> Floats:
        share = np.clip(self.centres[:, 0], 1e-3, 0.98)
        middle = np.zeros(int(self.parts.sizes.sum()))
        for start, group in zip(self.parts.starts, self.layout.groups, strict=True):
            fine = share[group.first : group.first + len(group.states) - 1]
            if group.most_held == 2:
                fine = np.where(group.states[1:].sum(axis=1) == 2, fine, 1e-3)
            middle[start + 1 : start + len(group.states)] = np.log(fine / max(1e-2, 1 - fine.sum()))
        noise = rng.normal(0, _START_SD, (len(middle), _COMPONENTS))
        return (middle[:, None] + noise).astype(np.float32)

    def run(self) -> Floats:
        """Go down until the moments are met, or the rounds are over; returns the probabilities of the states."""
        for _ in range(_ROUNDS if self.n_cells > _FEW_CELLS else _ROUNDS_OF_FEW):
            self._round()
            if max(self.misfit.values()) < _ENOUGH:
                break
        return self.parts.softmax(self.logits)

    def _round(self) -> None:
        """Adam with a cosine schedule."""
        first, second = np.zeros_like(self.logits), np.zeros_like(self.logits)
        pull = np.float32(2 / (_PRIOR_SD**2 * max(self.n_cells, _FEW_CELLS)))
        for step in range(1, _ROUND + 1):
            states = self.parts.softmax(self.logits)
            slope = self.parts.softmax_slope(states, self._slope(states))
            slope += pull * (self.logits - self.logits.mean(axis=1, keepdims=True))
            first += np.float32(0.1) * (slope - first)
            second += np.float32(0.01) * (slope * slope - second)
            rate = _RATE * (0.5 * (1 + math.cos(math.pi * step / _ROUND)) + 0.02)
            self.logits -= (
                np.float32(rate / (1 - 0.9**step))
                * first
                / (np.sqrt(second / np.float32(1 - 0.99**step)) + np.float32(1e-12))
            )

    def _error(self, length: int, predicted: Floats, at: slice) -> Floats:
        """Slope of the loss in predicted moments; notes the misfit."""
        error = predicted - self.wanted[length][at]
        weighted = error * self.precision[length][at]
        self.misfit[length] = self.misfit.get(length, 0.0) + float(error @ weighted)
        times = _LENGTH_1_TIMES if length == 1 else 1.0
        return weighted * (2 * times * self.each / self.n_cells)

    def _slope(self, states: Floats) -> Floats:
        """Slope of the loss in the states' probabilities."""
        parts, layout = self.parts, self.layout
        self.misfit = {}
        apart = parts.holds @ states - self.centres
        everything = slice(None)
        out = np.repeat(
            self._error(1, apart.sum(axis=1) * self.each, everything)[:, None], _COMPONENTS, axis=1
        )
        if self.longest > 1:
            pairs = apart[parts.i] * apart[parts.j]
            slope = self._error(2, pairs.sum(axis=1) * self.each, everything)
            slopes = {
                1: out,
                2: np.repeat(slope[:, None], _COMPONENTS, axis=1),
            }
            products = {1: apart, 2: pairs}
            for length in range(3, self.longest + 1):
                self._longer(length, products, slopes)
            self._back(layout, products, slopes)
        self.misfit = {k: v / len(self.wanted[k]) for k, v in self.misfit.items() if len(self.wanted[k])}
        return parts.holds.T @ out

    def _longer(self, length: int, products: dict[int, Floats], slopes: dict[int, Floats]) -> None:
        """Add the slopes of the combinations of one length above 2 to those of the shorter that make them up."""
        short = length - 2
        order = self.layout.order_by_first(short)
        if short not in products:
            cells = self.layout.cells(short)
            products[short] = np.prod([products[1][cells[:, k]] for k in range(short)], axis=0)
            slopes[short] = np.zeros_like(products[short])
        rest = products[short][order]
        rest_slope = np.zeros_like(rest)
        pairs = products[2]
        for block in self.layout.blocks(length):
            left, right = pairs[block.pairs], rest[block.rest]
            slope = self._error(length, (left @ right.T).ravel() * self.each, block.at)
            slope = slope.reshape(len(left), len(right))
            slopes[2][block.pairs] += slope @ right
            rest_slope[block.rest] += slope.T @ left
        slopes[short][order] += rest_slope

    def _back(self, layout: Layout, products: dict[int, Floats], slopes: dict[int, Floats]) -> None:
        """Carry the slopes of products back to single attributes, in place in `slopes[1]`."""
        for short in sorted((k for k in slopes if k > 2), reverse=True):
            cells = layout.cells(short)
            for k in range(short):
                others = [products[1][cells[:, q]] for q in range(short) if q != k]
                np.add.at(slopes[1], cells[:, k], slopes[short] * np.prod(others, axis=0))
        self.parts.spread_pairs(slopes[2], products[1], slopes[1])
