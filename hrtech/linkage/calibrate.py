"""Match weights seen together: what the other records of an entity say about a pair.

A pair's own weight is one reading of the evidence. Within an entity there is a better one: the mean weight over all
pairs between the two groups that were joined when the pair came together, for if the groups are each of one entity,
the pair matches when they do. Readings that trust the weights less, and more, bound what is estimated from them.
"""

import numpy as np

from hrtech.linkage.cluster import WEIGHT_CAP, Linkage
from hrtech.linkage.model import Vectors


def calibrated(vectors: Vectors, weight: np.ndarray, linkage: Linkage, at: float) -> np.ndarray:
    """Return the match weight of each pair, within an entity that of the join which brought it together.

    Args:
        vectors: The pairs.
        weight: Their own match weights in bits.
        linkage: How records were joined.
        at: Match weight of the threshold, from which the heights of joins are counted.
    """
    height = linkage.joined_at(vectors.left, vectors.right)
    return np.where(np.isnan(height), weight, np.minimum(height, WEIGHT_CAP) + at)


def other_readings(vectors: Vectors, weight: np.ndarray, linkage: Linkage, at: float) -> list[np.ndarray]:
    """Return three more readings of the match weights.

    Own weights alone; weights that hold half of what they say, as where fields are dependent; and entities trusted:
    within them the sum of weights over all pairs between two groups, as where pairs are independent, outside twice
    what speaks against a match and nothing for it.
    """
    height = linkage.joined_at(vectors.left, vectors.right)
    pairs = linkage.pairs_between(vectors.left, vectors.right)
    apart = np.isnan(height)
    own = np.clip(weight, -4 * WEIGHT_CAP, 4 * WEIGHT_CAP)
    joint = np.minimum(np.where(apart, 0.0, height), WEIGHT_CAP) + at
    trusted = np.where(apart, 2 * np.minimum(own, at), joint * np.fmax(pairs, 2))
    return [own, np.where(apart, own, joint) / 2, trusted]
