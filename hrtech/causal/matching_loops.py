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
def _fits(i: int, j: int, arm: Any, weight: Any, same: bool) -> bool:
    return j != i and weight[j] != 0.0 and (arm[j] == arm[i]) == same


@nb.njit(cache=True)
def _keep(there: float, j: int, best: float, many: int, tied: Any) -> tuple[float, int]:
    """Note a row at some distance: nearer than all before, or tied with them."""
    if there < best - _TIE:
        tied[0] = j
        return there, 1
    if there <= best + _TIE:
        tied[many] = j
        return best, many + 1
    return best, many


@nb.njit(cache=True)
def _scan(i: int, x: Any, own: Any, arm: Any, weight: Any, same: bool, tied: Any, limit: float) -> int:
    """Look at all rows for the nearest, which is no farther than the limit."""
    best, many = limit, 0
    for j in range(len(x)):
        if not _fits(i, j, arm, weight, same):
            continue
        there = (own[i] - own[j]) ** 2 if len(own) > 0 else 0.0
        for k in range(x.shape[1]):
            if there > best + _TIE:
                break
            there += (x[i, k] - x[j, k]) ** 2
        best, many = _keep(there, j, best, many, tied)
    return many


@nb.njit(cache=True)
def _search(
    i: int, near: Any, apart: Any, x: Any, own: Any, arm: Any, weight: Any, same: bool, tied: Any
) -> int:
    """Write the nearest rows, all that tie, and return how many they are."""
    n, k = near.shape
    best, many = np.inf, 0
    for place in range(k):
        if apart[i, place] > best + _TIE:
            return many
        j = near[i, place]
        if _fits(i, j, arm, weight, same):
            there = apart[i, place] + ((own[i] - own[j]) ** 2 if len(own) > 0 else 0.0)
            best, many = _keep(there, j, best, many, tied)
    if k >= n:
        return many
    return _scan(i, x, own, arm, weight, same, tied, best)


@nb.njit(cache=True)
def nearest(near: Any, apart: Any, x: Any, own: Any, arm: Any, weight: Any, out: Any) -> bool:
    """Write the nearest row of the other arm for each row of weight above 0, and return whether it is always one.

    Args:
        near: Neighbours per row in order of distance, (n, k).
        apart: Their squared distances.
        x: Adjusters, (n, p).
        own: A further adjuster, (n,); empty for none.
        arm: 0 or 1 per row.
        weight: Weight per row.
        out: (n,); 0 for rows of weight 0.
    """
    n = len(near)
    tied = np.empty(n + 1, np.int64)
    for i in range(n):
        out[i] = 0
        if weight[i] != 0.0:
            if _search(i, near, apart, x, own, arm, weight, False, tied) != 1:
                return False
            out[i] = tied[0]
    return True


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
    n = len(near)
    out[:] = 0.0
    tied = np.empty(n + 1, np.int64)
    for i in range(n):
        if weight[i] == 0.0:
            continue
        many = _search(i, near, apart, x, own, arm, weight, same, tied)
        if many == 0:
            out[0, i] = np.nan
            continue
        total, given = 0.0, 0.0
        for place in range(many):
            total += weight[tied[place]]
            given += weight[tied[place]] * values[tied[place]]
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
