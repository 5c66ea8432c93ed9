"""Local scores of a variable given its parents, compiled: what a search over graphs adds up.

Four of them, higher is better, each the log-likelihood at its maximum (or the marginal likelihood) less a penalty:

- blocks: variables are blocks of columns, and the score is the Gaussian BIC of a block given its parents' blocks, read
  off the matrix of their second moments. One column a variable gives the Gaussian BIC (Schwarz 1978); dummy columns
  for categories the degenerate Gaussian score (Andrews, Ramsey and Cooper 2019); spline columns for parents the
  additive noise model of Bühlmann, Peters and Ernest (2014).
- BDeu: discrete data (Heckerman, Geiger and Chickering 1995).
- entropy: a linear model whose noise is not Gaussian, its entropy approximated as by Hyvärinen (1998).

Sets of variables are bit masks in 64-bit integers, so that at most `MOST_VARIABLES` fit.
"""

from dataclasses import dataclass
from math import lgamma, log

import numpy as np
from numba import njit
from numpy.typing import NDArray

MOST_VARIABLES = 50
BLOCKS, BDEU, ENTROPY = 0, 1, 2

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_REACH, _STEPS = 10, 256
_GRID = np.arange(_REACH * _STEPS + 2) / _STEPS
_LOG_COSH = _GRID + np.log1p(np.exp(-2 * _GRID)) - np.log(2)
_BELL = _GRID * np.exp(-0.5 * _GRID**2)


@dataclass(frozen=True)
class ScoreData:
    """What a compiled local score reads.

    Attributes:
        kind: `BLOCKS`, `BDEU` or `ENTROPY`.
        n: Rows.
        moments: Second moments of all columns, centred and divided by n, shape (columns, columns).
        child_columns: First and last column (exclusive) of each variable as a child, shape (variables, 2).
        parent_columns: The same as a parent.
        values: Rows of standardised numbers for the entropy, shape (variables, n); otherwise empty.
        codes: Levels from 0 for BDeu, one column a combination of levels that occurs, shape (variables, combinations);
            otherwise empty.
        counts: Rows with each combination, shape (combinations,).
        levels: Number of levels of each variable, shape (variables,).
        penalty: Multiplies log(n) / 2 for each parameter; the equivalent sample size for BDeu.
        edge_prior: For BDeu: log-odds of an edge beforehand, added for each parent.
    """

    kind: int
    n: int
    moments: Floats
    child_columns: Ints
    parent_columns: Ints
    values: Floats
    codes: Ints
    counts: Ints
    levels: Ints
    penalty: float
    edge_prior: float

    @property
    def variables(self) -> int:
        """Number of variables."""
        return len(self.child_columns)

    def arguments(self) -> tuple:
        """Return what the compiled functions take, in their order."""
        return (
            self.kind, self.n, self.moments, self.child_columns, self.parent_columns, self.values,
            self.codes, self.counts, self.levels, self.penalty, self.edge_prior,
        )  # fmt: skip


@njit(cache=True, error_model="numpy")
def _gathered(
    moments: Floats, parents: int, parent_columns: Ints, first: int, last: int
) -> tuple[Floats, int]:
    """Moments of the parents' columns, then the child's; and how many are the parents'."""
    width = 0
    for j in range(parent_columns.shape[0]):
        if (parents >> j) & 1:
            width += parent_columns[j, 1] - parent_columns[j, 0]
    own = last - first
    chosen = np.empty(width + own, np.int64)
    at = 0
    for j in range(parent_columns.shape[0]):
        if (parents >> j) & 1:
            for column in range(parent_columns[j, 0], parent_columns[j, 1]):
                chosen[at] = column
                at += 1
    for column in range(first, last):
        chosen[at] = column
        at += 1
    part = np.empty((at, at))
    for a in range(at):
        for b in range(at):
            part[a, b] = moments[chosen[a], chosen[b]]
    return part, width


@njit(cache=True, error_model="numpy")
def block_score(
    n: int,
    moments: Floats,
    child_columns: Ints,
    parent_columns: Ints,
    penalty: float,
    child: int,
    parents: int,
) -> float:
    """Gaussian log-likelihood of a block given its parents' blocks, less the penalty of BIC."""
    first, last = child_columns[child, 0], child_columns[child, 1]
    part, width = _gathered(moments, parents, parent_columns, first, last)
    own = last - first
    total = 0.0
    # the determinant of the child given its parents is the product of the pivots after the parents'
    for j in range(width + own):
        pivot = part[j, j]
        for k in range(j):
            pivot -= part[j, k] * part[j, k]
        pivot = max(pivot, 1e-10)
        if j >= width:
            total += log(pivot)
        root = pivot**0.5
        part[j, j] = root
        for i in range(j + 1, width + own):
            value = part[i, j]
            for k in range(j):
                value -= part[i, k] * part[j, k]
            part[i, j] = value / root
    return -0.5 * n * total - 0.5 * penalty * log(n) * width * own


@njit(cache=True, error_model="numpy")
def bdeu_score(
    codes: Ints, counts: Ints, levels: Ints, sample_size: float, child: int, parents: int
) -> float:
    """Log marginal likelihood of a discrete variable given its parents under the BDeu prior."""
    rows = codes.shape[1]
    states = 1.0
    cell = np.zeros(rows, np.int64)
    capacity = 1
    for j in range(codes.shape[0]):
        if (parents >> j) & 1:
            states *= levels[j]
            if capacity * levels[j] > 1_000_000:
                return -1e300
            capacity *= levels[j]
            for row in range(rows):
                cell[row] = cell[row] * levels[j] + codes[j, row]
    r = levels[child]
    table = np.zeros((capacity, r), np.int64)
    for row in range(rows):
        table[cell[row], codes[child, row]] += counts[row]
    a_cell = sample_size / states
    a_value = a_cell / r
    score = 0.0
    for q in range(capacity):
        inside = 0
        for k in range(r):
            if table[q, k] > 0:
                inside += table[q, k]
                score += lgamma(table[q, k] + a_value) - lgamma(a_value)
        if inside > 0:
            score += lgamma(a_cell) - lgamma(inside + a_cell)
    return score


@njit(cache=True, error_model="numpy")
def entropy_of(values: Floats) -> float:
    """Differential entropy of values of unit variance, by Hyvärinen's approximation of maximal entropy.

    The two functions in it are read off a table with linear interpolation (error below 3e-6).
    """
    n = values.shape[0]
    first = 0.0
    second = 0.0
    for row in range(n):
        u = values[row]
        size = abs(u)
        if size >= _REACH:
            first += size - 0.6931471805599453
            continue
        place = size * _STEPS
        low = int(place)
        part = place - low
        first += _LOG_COSH[low] + part * (_LOG_COSH[low + 1] - _LOG_COSH[low])
        bell = _BELL[low] + part * (_BELL[low + 1] - _BELL[low])
        second += bell if u > 0 else -bell
    first /= n
    second /= n
    return 1.4189385332046727 - 79.047 * (first - 0.37457) ** 2 - 7.4129 * second**2


@njit(cache=True, error_model="numpy")
def residual_of(moments: Floats, values: Floats, child: int, parents: int) -> tuple[Floats, float]:
    """Residual of a linear regression on the parents, scaled to unit variance, and its standard deviation."""
    count = 0
    chosen = np.empty(values.shape[0], np.int64)
    for j in range(values.shape[0]):
        if (parents >> j) & 1:
            chosen[count] = j
            count += 1
    out = values[child].copy()
    if count:
        gram = np.empty((count, count))
        right = np.empty(count)
        for a in range(count):
            right[a] = moments[chosen[a], child]
            for b in range(count):
                gram[a, b] = moments[chosen[a], chosen[b]]
            gram[a, a] += 1e-10
        weights = np.linalg.solve(gram, right)
        for a in range(count):
            out -= weights[a] * values[chosen[a]]
    spread = max(out.std(), 1e-10)
    return (out - out.mean()) / spread, spread


@njit(cache=True, error_model="numpy")
def local_score(
    kind: int,
    n: int,
    moments: Floats,
    child_columns: Ints,
    parent_columns: Ints,
    values: Floats,
    codes: Ints,
    counts: Ints,
    levels: Ints,
    penalty: float,
    edge_prior: float,
    child: int,
    parents: int,
) -> float:
    """Score of a child given a set of parents (a bit mask)."""
    if kind == 0:
        return block_score(n, moments, child_columns, parent_columns, penalty, child, parents)
    edges = 0
    rest = parents
    while rest:
        rest &= rest - 1
        edges += 1
    if kind == 1:
        return bdeu_score(codes, counts, levels, penalty, child, parents) + edge_prior * edges
    residual, spread = residual_of(moments, values, child, parents)
    return -n * (log(spread) + entropy_of(residual)) - 0.5 * penalty * log(n) * edges
