"""Sums of centred products over people, in exact integers, with every person's weight bounded.

For a person ``x`` (zeros and ones), public centres ``m`` and a combination ``S`` the product is
``prod over j in S of (x_j - m_j)``; its sum over people is a centred moment. Counts follow from moments by
linear algebra, but where attributes are held much or little more often than by chance the products of most people are
small, so that one person moves the vector of all moments far less than the vector of all counts.

How far a person moves it is known exactly: over the groups' squared norms ``q_g = sum of u_j^2 (x_j - m_j)^2`` the
squared norm of all products of length l is their elementary symmetric polynomial ``e_l(q)``, because a combination
takes at most one attribute of each group, also where a person holds two of a group. The number of people and length 1
always count in full; of a person over the bound the longer products count with a smaller weight, rounded down.

Exactness: centres lie on a grid of ``2^-bits``, weights on 1/256, so that every product is an integer multiple of
``2^-(bits l + 8)``; sums of at most ``2^(53 - bits l - 8)`` people are exact in double precision whatever the order,
and are then added as integers. No floating-point value is ever made noisy.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrtech.release.holding import Holdings
from hrtech.release.layout import Group, Layout

WEIGHT_BITS = 8
#: Exact moments are told at least this finely, so that steps of the lattice come close to the weights asked for.
_FINEST_BITS = 32
#: Grid of the centres by longest combination: finer would leave no room for exact sums of many people.
CENTRE_BITS = {1: 8, 2: 8, 3: 8, 4: 6, 5: 5}
_ROWS = 4096


def elementary_symmetric(parts: NDArray[np.float64], longest: int) -> list[NDArray[np.float64]]:
    """Elementary symmetric polynomials of the columns; shape (rows, parts) → one array (rows,) per length from 0."""
    out = [np.ones(len(parts))] + [np.zeros(len(parts)) for _ in range(longest)]
    for k in range(parts.shape[1]):
        for length in range(longest, 0, -1):
            out[length] = out[length] + out[length - 1] * parts[:, k]
    return out


@dataclass(frozen=True)
class Scaling:
    """How rows become a vector: all public.

    Attributes:
        centres: Shape (attributes,), whole multiples of `2^-bits`.
        bits: Grid of the centres.
        emphasis: u, shape (attributes,), positive: how much an attribute counts in the norm.
        length_weights: w_l for lengths 1 to longest: how much a length counts in the norm.
        people_weight: w_0 of the number of people, and of what bounding took away.
        lattice: Units of the integer vector per unit of weighted moment.
    """

    centres: NDArray[np.int64]
    bits: int
    emphasis: NDArray[np.float64]
    length_weights: tuple[float, ...]
    people_weight: float
    lattice: int = 1 << 16

    @property
    def longest(self) -> int:
        """Longest combinations."""
        return len(self.length_weights)

    @property
    def centre_values(self) -> NDArray[np.float64]:
        """Centres as shares of people."""
        return self.centres / 2.0**self.bits

    @property
    def people_units(self) -> int:
        """Units of the lattice per person, in the number of people."""
        return int(self.people_weight * self.lattice)

    def unit(self, length: int) -> int:
        """Whole units of an exact moment of this length per 1."""
        return 1 << max(self.bits * length + WEIGHT_BITS, _FINEST_BITS)

    def steps(self, layout: Layout, length: int) -> NDArray[np.int64]:
        """Exact units of a moment per unit of the lattice, rounded up, so that no weight is exceeded."""
        u = self.emphasis[layout.cells(length)].prod(axis=1) * self.length_weights[length - 1]
        return np.maximum(np.ceil(self.unit(length) / (u * self.lattice)).astype(np.int64), 1)


def squared_parts(rows: NDArray[np.uint8], layout: Layout, scaling: Scaling) -> NDArray[np.float64]:
    """q_g of every row; shape (rows, groups)."""
    out = np.empty((len(rows), len(layout.groups)))
    apart = ((rows - scaling.centre_values) * scaling.emphasis) ** 2
    for k, group in enumerate(layout.groups):
        out[:, k] = apart[:, group.first : group.stop].sum(axis=1)
    return out


def squared_norms(
    parts: NDArray[np.float64], scaling: Scaling
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Squared norms of what always counts in full (people, length 1) and of the longer products; shape (rows,) each."""
    symmetric = elementary_symmetric(parts, scaling.longest)
    squares = [w * w * e for w, e in zip(scaling.length_weights, symmetric[1:], strict=True)]
    full = 2 * scaling.people_weight**2 + squares[0]
    return full, np.sum(squares[1:], axis=0) if len(squares) > 1 else np.zeros(len(parts))


def worst_norms(layout: Layout, scaling: Scaling) -> tuple[float, float]:
    """Largest norm of what always counts in full, and of everything, that anybody may have."""
    worst = [_worst(group, scaling) for group in layout.groups]
    full, longer = squared_norms(np.array([worst]), scaling)
    return float(np.sqrt(full[0])), float(np.sqrt(full[0] + longer[0]))


def _worst(group: Group, scaling: Scaling) -> float:
    own = slice(group.first, group.stop)
    apart = (group.states - scaling.centre_values[own]) * scaling.emphasis[own]
    return float((apart**2).sum(axis=1).max())


def norms(rows: NDArray[np.uint8], layout: Layout, scaling: Scaling) -> NDArray[np.float64]:
    """What each row would need as its bound to count in full; shape (rows,)."""
    full, longer = squared_norms(squared_parts(rows, layout, scaling), scaling)
    return np.sqrt(full + longer)


def bounded_weights(
    rows: NDArray[np.uint8], layout: Layout, scaling: Scaling, bound: float
) -> NDArray[np.int64]:
    """Weights of rows in 1/256 such that nobody's vector is longer than the bound.

    The vector of a row with weight w is (w_0, w_0 (1 - w), its weighted products of length 1, w times its longer
    ones). Its squared norm is at most ``2 w_0^2 + w_1^2 e_1(q) + w^2 longer``, which the weight keeps at or below the
    squared bound.

    Raises:
        ValueError: The bound is below what people and length 1 alone may need.
    """
    if bound < worst_norms(layout, scaling)[0]:
        raise ValueError("the bound on a person's norm is smaller than what always counts in full may need")
    full, longer = squared_norms(squared_parts(rows, layout, scaling), scaling)
    share = np.minimum(1.0, np.sqrt(np.maximum(bound * bound - full, 0) / np.maximum(longer, 1e-300)))
    return np.floor(share * (1 << WEIGHT_BITS)).astype(np.int64)


def exact_moments(
    held: Holdings, weights: NDArray[np.int64], layout: Layout, scaling: Scaling
) -> dict[int, NDArray[np.int64]]:
    """Sum the centred products of every length, exactly; those of length 1 in full, the longer ones weighted.

    Args:
        held: People.
        weights: Shape (distinct rows,), in 1/256.
        layout: Combinations.
        scaling: Centres.

    Returns:
        Per length the sums in units of `scaling.unit(length)`, in the order of `layout.cells(length)`.
    """
    rows, times = _split(held, scaling)
    totals = {k: np.zeros(layout.size(k), dtype=np.int64) for k in range(1, scaling.longest + 1)}
    scaled = weights[rows] * times
    most = 1 << (53 - scaling.bits * scaling.longest - WEIGHT_BITS)
    for start, stop in _chunks(times, most):
        z = held.rows[rows[start:stop]].astype(np.float64) * 2.0**scaling.bits - scaling.centres
        totals[1] += (z.T @ (times[start:stop] << WEIGHT_BITS).astype(np.float64)).astype(np.int64)
        if scaling.longest > 1:
            _add(totals, z, z * scaled[start:stop, None], layout, scaling.longest)
    return {k: t * (scaling.unit(k) >> (scaling.bits * k + WEIGHT_BITS)) for k, t in totals.items()}


def _split(held: Holdings, scaling: Scaling) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and how often each counts, a row of very many people in several parts."""
    most = 1 << (53 - scaling.bits * scaling.longest - WEIGHT_BITS)
    parts = -(-held.people // most)
    rows = np.repeat(np.arange(len(held.rows)), parts)
    number = np.arange(len(rows)) - np.repeat(np.cumsum(parts) - parts, parts)
    return rows, np.minimum(most, held.people[rows] - number * most)


def _chunks(times: NDArray[np.int64], most: int) -> list[tuple[int, int]]:
    """Runs of rows with at most so many people, and not too long for the memory."""
    found, start, people = [], 0, 0
    for k, here in enumerate(times.tolist()):
        if k > start and (people + here > most or k - start == _ROWS):
            found.append((start, k))
            start, people = k, 0
        people += here
    if start < len(times):
        found.append((start, len(times)))
    return found


def _add(
    totals: dict[int, NDArray[np.int64]],
    z: NDArray[np.float64],
    weighted: NDArray[np.float64],
    layout: Layout,
    longest: int,
) -> None:
    """Add the sums of one run of rows, of lengths above 1."""
    i, j = layout.pairs.T
    totals[2] += (z.T @ weighted)[i, j].astype(np.int64)
    for length in range(3, longest + 1):
        order = layout.order_by_first(length - 2)
        cells = layout.cells(length - 2)[order]
        rest = weighted[:, cells[:, 0]]
        for k in range(1, length - 2):
            rest = rest * z[:, cells[:, k]]
        for block in layout.blocks(length):
            pairs = z[:, i[block.pairs]] * z[:, j[block.pairs]]
            totals[length][block.at] += (pairs.T @ rest[:, block.rest]).ravel().astype(np.int64)


def lattice_vector(
    held: Holdings,
    weights: NDArray[np.int64],
    moments: dict[int, NDArray[np.int64]],
    layout: Layout,
    scaling: Scaling,
) -> NDArray[np.int64]:
    """The integer vector that is made noisy: people, what bounding took away, and every moment.

    Each entry is rounded down to the lattice, so one person moves it by less than 1 more than the exact value moves.
    """
    people = scaling.people_units
    lost = int(((((1 << WEIGHT_BITS) - weights) * held.people).sum() * people) >> WEIGHT_BITS)
    entries = [np.array([held.n_people * people, lost], dtype=np.int64)]
    entries += [moments[k] // scaling.steps(layout, k) for k in range(1, scaling.longest + 1)]
    return np.concatenate(entries)
