"""Many tests at once: false discovery rates, also where p-values can only take few values.

For counts, a test can attain only some p-values, and the plain rule of Benjamini and Hochberg (1995) counts on more
null rejections than can happen. Heyse (2011) counts what can: at a threshold t, the expected null rejections are the
sum over all tests of the largest attainable p-value up to t.
"""

import numpy as np

from hrtech.networks.pairs import Floats, Ints


def false_discovery_rates(p: Floats, family: float) -> Floats:
    """Return the q-values of Benjamini and Hochberg.

    Args:
        p: P-values of tests that could be discoveries; the others of the family count with p = 1.
        family: Number of tests in the family.
    """
    return _monotone(p, lambda ordered: ordered * family)


def discrete_false_discovery_rates(p: Floats, attainable: Floats, tests: Ints, urn: Ints) -> Floats:
    """Return q-values that know which p-values each kind of test can attain.

    Args:
        p: P-values of the tests that could be discoveries.
        attainable: P-values that a kind of test can attain, decreasing within the kind from 1.
        tests: Tests of that kind in the family, per attainable value.
        urn: The kind, per attainable value, in blocks.
    """
    last = np.r_[urn[1:] != urn[:-1], True] if len(urn) else np.empty(0, bool)
    lower = np.where(last, 0.0, np.r_[attainable[1:], 0.0][: len(attainable)])
    order = np.argsort(attainable, kind="stable")
    at = attainable[order]
    expected = np.cumsum(((attainable - lower) * tests)[order])

    def rejections(ordered: Floats) -> Floats:
        place = np.searchsorted(at, ordered * (1 + 1e-9), side="right") - 1
        return np.where(place >= 0, expected[np.maximum(place, 0)], 0.0)

    return _monotone(p, rejections)


def _monotone(p: Floats, rejections) -> Floats:  # type: ignore[no-untyped-def]
    order = np.argsort(p, kind="stable")
    ordered = p[order]
    found = np.searchsorted(ordered, ordered * (1 + 1e-9), side="right")
    q = np.empty(len(p))
    ratio = rejections(ordered) / np.maximum(found, 1)
    q[order] = np.minimum(np.minimum.accumulate(ratio[::-1])[::-1], 1.0)
    return q
