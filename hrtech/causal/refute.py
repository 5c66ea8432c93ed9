"""Attempts to refute an estimate. Each simulation starts from the data alone: nothing fitted before is reused.

The rule is the same for all: what should be zero (the placebo effect, the change of the estimate) must be so within
three quarters of a standard error, counting the simulation error against it: |mean| + 1.645 · sd / √simulations. The
standard error is that of the estimate or, where larger, the spread of the simulations themselves.
Fewer simulations therefore make it harder to pass, not easier. `p` is the share of simulations at least as far from
their mean as the expected value is; it is never 0 and decides nothing.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from hrtech.causal.design import Design
from hrtech.causal.estimators import ESTIMATORS, Estimate
from hrtech.causal.question import Estimator

_TOLERATED = 0.75
_SUBSET = 0.8


def refute(
    design: Design, headline: Estimate, estimator: Estimator, simulations: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Run every refutation.

    Returns:
        `name, estimate, p, passed, meaning`; `estimate` is the mean placebo effect, or the mean estimate under the
        disturbance.
    """
    tests: list[tuple[str, Callable[[], float], float, str]] = [
        (
            "placebo_treatment",
            lambda: _placebo(design, estimator, rng),
            0.0,
            "with the exposure dealt out at random there is no effect to find",
        ),
        (
            "random_common_cause",
            lambda: _random_cause(design, estimator, rng),
            headline.effect,
            "adjusting for pure noise besides leaves the estimate where it was",
        ),
        (
            "data_subset",
            lambda: _subset(design, estimator, rng),
            headline.effect,
            "random subsets of 80 % of the rows agree with the whole",
        ),
    ]
    rows = []
    for name, run, expected, meaning in tests:
        found = np.array([run() for _ in range(simulations)])
        mean, p, passed = _judge(found - expected, headline.std_error)
        rows.append((name, mean + expected, p, passed, meaning))
    return pd.DataFrame(rows, columns=["name", "estimate", "p", "passed", "meaning"]).astype(
        {"name": "str", "meaning": "str", "passed": "bool"}
    )


def _judge(differences: np.ndarray, error: float) -> tuple[float, float, bool]:
    mean = float(differences.mean())
    spread = float(differences.std(ddof=1))
    noise = spread / np.sqrt(len(differences))
    as_far = np.abs(differences - mean) >= abs(mean)
    p = float((1 + as_far.sum()) / (1 + len(differences)))
    return mean, p, bool(abs(mean) + 1.645 * noise <= _TOLERATED * max(error, spread))


def _placebo(design: Design, estimator: Estimator, rng: np.random.Generator) -> float:
    return _again(rng.permutation(design.treatment), design.outcome, design.covariates, estimator, rng)


def _random_cause(design: Design, estimator: Estimator, rng: np.random.Generator) -> float:
    wider = np.column_stack([design.covariates, rng.normal(size=design.n)])
    return _again(design.treatment, design.outcome, wider, estimator, rng)


def _subset(design: Design, estimator: Estimator, rng: np.random.Generator) -> float:
    rows = np.sort(rng.choice(design.n, size=int(_SUBSET * design.n), replace=False))
    return _again(design.treatment[rows], design.outcome[rows], design.covariates[rows], estimator, rng)


def _again(
    treatment: np.ndarray,
    outcome: np.ndarray,
    covariates: np.ndarray,
    estimator: Estimator,
    rng: np.random.Generator,
) -> float:
    varied = covariates[:, covariates.std(axis=0) > 1e-12]  # a rare level may be absent from a subset
    names = tuple(str(column) for column in range(varied.shape[1]))
    again = Design(treatment, outcome, varied, names, pd.DataFrame())
    return ESTIMATORS[estimator](again, confidence=0.95, seed=int(rng.integers(2**31))).effect
