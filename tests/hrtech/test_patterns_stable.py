"""The joined two-by-two tables of stable combinations against statsmodels."""

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import StratifiedTable

from hrtech.patterns.stable import _common


@pytest.mark.parametrize("more", [0, 8, -8])
def test_odds_ratio_error_and_homogeneity_are_those_of_statsmodels(more):
    rng = np.random.default_rng(3)
    known, one, other = (rng.integers(low, high, 6) for low, high in ((150, 200), (50, 80), (40, 90)))
    both = (
        np.array([rng.hypergeometric(o, k - o, r) for o, k, r in zip(one, known, other, strict=True)]) + more
    )
    found = _common(both.astype(float), one, other, known)
    known_way = StratifiedTable(
        [
            np.array([[a, o - a], [r - a, k - o - r + a]])
            for a, o, r, k in zip(both, one, other, known, strict=True)
        ]
    )
    assert found is not None
    assert found[2] == pytest.approx(known_way.oddsratio_pooled)
    assert found[3] == pytest.approx(known_way.logodds_pooled_se)
    assert found[4] == pytest.approx(known_way.test_equal_odds().statistic)
    assert found[5] == 5
    plain = known_way.test_null_odds(correction=False).statistic
    spread = (both.sum() - found[0]) / np.sqrt(plain)
    assert abs(found[1]) == pytest.approx(abs((both.sum() - found[0] - 0.5) / spread), rel=1e-9)
