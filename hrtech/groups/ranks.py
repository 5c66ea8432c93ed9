"""Ranks with their uncertainty: which places each group may have, all groups at once.

A group's best place counts the groups that are certainly above it, its worst those that are certainly below
(Mogstad, Romano, Shaikh and Wilhelm 2024, Review of Economic Studies 91, section 3). "Certainly" is decided by
one-sided tests of every ordered pair with Holm's correction, so that with the declared confidence all rank
intervals hold together.
"""

import numpy as np

from hrtech.groups.contrasts import holm

Floats = np.ndarray
Ints = np.ndarray


def rank_intervals(values: Floats, p: Floats, confidence: float) -> tuple[Ints, Ints, Ints]:
    """Rank groups, the largest first.

    Args:
        values: Estimates, none missing.
        p: Two-sided p values of each pair, shape (groups, groups), symmetric.
        confidence: That all intervals hold.

    Returns:
        Rank (equal ones share the better place), and the best and the worst rank that cannot be excluded.
    """
    count = len(values)
    rank = 1 + (values[None, :] > values[:, None]).sum(axis=1)
    if count < 2:
        return rank, rank, rank
    upper = np.triu_indices(count, 1)
    tested = np.nan_to_num(p[upper], nan=1.0)
    # in the direction that is seen p is halved, in the other it is near 1
    one_sided = np.concatenate([tested / 2, np.ones(len(tested))])
    decided = holm(one_sided)[: len(tested)] <= 1 - confidence
    differs = np.zeros((count, count), bool)
    differs[upper] = decided
    differs |= differs.T
    above = (values[None, :] > values[:, None]) & differs
    return rank, 1 + above.sum(axis=1), count - above.sum(axis=0)


def shrunken(values: Floats, variances: Floats) -> Floats:
    """Estimates drawn towards their mean by how little each knows: empirical Bayes (Morris 1983, JASA 78).

    The variance between groups is Paule and Mandel's (statsmodels).

    Args:
        values: Estimates, none missing.
        variances: Their sampling variances, above 0.
    """
    from statsmodels.stats.meta_analysis import combine_effects  # type: ignore[import-untyped]

    if len(values) < 3:
        return values
    with np.errstate(divide="ignore", invalid="ignore"):  # its I², where all values are the same
        found = combine_effects(values, variances, method_re="iterated")
    between = max(0.0, float(found.tau2))
    centre = float(np.average(values, weights=1 / (variances + between)))
    kept = between / (between + variances)
    return np.asarray(centre + kept * (values - centre))
