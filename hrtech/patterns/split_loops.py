"""The compiled loops of `splits`."""

from typing import Any

import numba as nb
import numpy as np

from hrtech.patterns.tails import log_tail


@nb.njit(cache=True, nogil=True)
def season_tails(counts: Any, least: Any, phases: Any, same: Any, draws: Any, sign: Any) -> Any:
    """Log of the tails of drawn counts among the same phases, inf where they fall short of `least`.

    Args:
        counts: Shape (draws, hypotheses).
        least: Count that the first stage needs, (hypotheses,).
        phases: Units known in all of the window's phases.
        same: Units that hold the pattern there.
        draws: Units known in the window.
        sign: Which tail.
    """
    out = np.full(counts.shape, np.inf)
    for h in range(counts.shape[1]):
        worked = np.full(same[h] + 1, np.nan)
        for b in range(counts.shape[0]):
            x = min(np.int64(counts[b, h]), min(same[h], draws[h]))
            if (x - least[h]) * sign[h] < 0:
                continue
            if np.isnan(worked[x]):
                worked[x] = log_tail(x, phases[h], same[h], draws[h], sign[h])
            out[b, h] = worked[x]
    return out
