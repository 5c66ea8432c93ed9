"""Inner loops of matching, compiled by numba: the nearest row of the other arm, for any exposure, found exactly.

Every row's neighbours are sorted once. The nearest of the other arm is the first of them in it, whatever the exposure
is; where a column has an adjuster of its own, distances only grow by it, so that the search may stop as soon as the
sorted distance exceeds the best found. Where a list ends too early, all rows are looked at.
"""

from typing import Any

import numba as nb
import numpy as np

_TIE = 1e-10


@nb.njit(cache=True)
def _apart(x: Any, i: int, j: int) -> float:
    total = 0.0
    for k in range(x.shape[1]):
        total += (x[i, k] - x[j, k]) ** 2
    return total


@nb.njit(cache=True)
def _own(own: Any, i: int, j: int) -> float:
    return (own[i] - own[j]) ** 2 if len(own) > 0 else 0.0


@nb.njit(cache=True)
def _fits(i: int, j: int, arm: Any, weight: Any, same: bool) -> bool:
    return j != i and weight[j] != 0.0 and (arm[j] == arm[i]) == same


@nb.njit(cache=True)
def _nearest(
    i: int, near: Any, apart: Any, x: Any, own: Any, arm: Any, weight: Any, same: bool
) -> tuple[float, bool]:
    """Return the least squared distance, and whether the list of neighbours was long enough to know it."""
    n, k = near.shape
    best, complete = np.inf, k >= n - 1
    for place in range(k):
        if apart[i, place] > best + _TIE:
            return best, True
        j = near[i, place]
        if _fits(i, j, arm, weight, same):
            best = min(best, apart[i, place] + _own(own, i, j))
    if not complete:
        for j in range(n):
            if _fits(i, j, arm, weight, same):
                best = min(best, _apart(x, i, j) + _own(own, i, j))
    return best, complete


@nb.njit(cache=True)
def impute(
    near: Any, apart: Any, x: Any, own: Any, arm: Any, weight: Any, values: Any, same: bool, out: Any
) -> None:
    """Give each row the mean value of its nearest rows (all that tie), and count how often each row is used.

    Args:
        near: Neighbours per row in order of distance, (n, k).
        apart: Their squared distances.
        x: Adjusters, (n, p).
        own: A further adjuster, (n,); empty for none.
        arm: 0 or 1 per row.
        weight: Weight per row; rows of weight 0 do not take part.
        values: Value per row.
        same: Look among the row's own arm instead of the other.
        out: (3, n): the value given, the weight for which the row is used, and the sum of squares of its parts.
    """
    n, k = near.shape
    out[:] = 0.0
    tied = np.empty(n, np.int64)
    for i in range(n):
        if weight[i] == 0.0:
            continue
        best, complete = _nearest(i, near, apart, x, own, arm, weight, same)
        if best == np.inf:
            out[0, i] = np.nan
            continue
        many, total, given = 0, 0.0, 0.0
        for place in range(k if complete else n):
            j = near[i, place] if complete else place
            there = apart[i, place] if complete else _apart(x, i, j)
            if complete and there > best + _TIE:
                break
            if _fits(i, j, arm, weight, same) and there + _own(own, i, j) <= best + _TIE:
                tied[many] = j
                many += 1
                total += weight[j]
                given += weight[j] * values[j]
        for place in range(many):
            part = weight[i] * weight[tied[place]] / total
            out[1, tied[place]] += part
            out[2, tied[place]] += part * part
        out[0, i] = given / total


@nb.njit(cache=True)
def conditional_permutations(odds: Any, arms: Any, sweeps: int, rng: Any, out: Any) -> None:
    """Permute exposures so that likelier ones stay likelier: the pairwise sampler of Berrett and others (2020).

    Args:
        odds: (n, c): log probability, but for a constant of the row, of each of c joint exposures.
        arms: Joint exposure per row, 0 … c − 1.
        sweeps: Rounds in which every row meets another.
        rng: A numpy.random.Generator.
        out: (B, n) of row numbers: in permutation b, row i is given the exposures of row `out[b, i]`.
    """
    b, n = out.shape
    for draw in range(b):
        place = np.arange(n)
        source = out[draw]
        for i in range(n):
            source[i] = i
        for _ in range(sweeps):
            rng.shuffle(place)
            for pair in range(n // 2):
                i, j = place[2 * pair], place[2 * pair + 1]
                here, there = arms[source[i]], arms[source[j]]
                if here == there:
                    if rng.random() < 0.5:
                        source[i], source[j] = source[j], source[i]
                    continue
                gain = odds[i, there] + odds[j, here] - odds[i, here] - odds[j, there]
                if rng.random() < 1 / (1 + np.exp(-gain)):
                    source[i], source[j] = source[j], source[i]
