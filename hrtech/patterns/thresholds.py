"""How small a p must be: Bonferroni over what could be significant at all (Tarone, Biometrics 1990), by length."""

import numpy as np
from numpy.typing import NDArray


def tarone(least: NDArray[np.int64], alpha: float) -> tuple[float, int]:
    """The threshold for one length.

    A hypothesis whose least possible p lies above the threshold cannot be rejected and costs nothing.

    Args:
        least: Hypotheses by the least p that they could have, in bins of a tenth of -log p.
        alpha: Error rate of the length.

    Returns:
        The threshold, and how many hypotheses can reach it.
    """
    beyond = np.cumsum(least[::-1])[::-1]
    at_most = int(beyond[0])
    low, high = 1, max(at_most, 1)
    while low < high:
        k = (low + high) // 2
        if _reachable(beyond, alpha / k) <= k:
            high = k
        else:
            low = k + 1
    return alpha / low, _reachable(beyond, alpha / low)


def _reachable(beyond: NDArray[np.int64], threshold: float) -> int:
    """Hypotheses whose least p may be at most the threshold."""
    at = int(-10 * np.log(threshold)) - 1
    return int(beyond[min(max(at, 0), len(beyond) - 1)])
