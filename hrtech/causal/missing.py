"""Blanks among the adjusters: weights for complete rows, or several fillings pooled by Rubin's rules.

Both assume that, given what is known of a row, whether a value is blank does not depend on the value (missing at
random). Weights follow Seaman and White (2013); fillings are chained equations with linear regressions and draws from
the posterior (van Buuren 2018), with exposure and outcome among the predictors.
"""

from collections.abc import Sequence

import numpy as np

_ROUNDS = 10
_FEWEST_CHANCE = 0.05


def completeness_weights(known: np.ndarray, complete: np.ndarray) -> np.ndarray:
    """Return the inverse of the probability of being complete, mean 1 among complete rows.

    Args:
        known: Columns `(n, k)` that no row lacks.
        complete: Whether the row has everything, `(n,)`.
    """
    from hrtech.causal.learners import Sample, predict

    sample = Sample(known, complete.astype(float), np.ones(len(known)), True)
    chance = predict(("linear",), sample, known)[0][complete, 0]
    weights = 1 / np.maximum(chance, _FEWEST_CHANCE)
    return np.asarray(weights / weights.mean())


def fillings(table: np.ndarray, number: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Fill the blanks of a table of numbers several times.

    Args:
        table: `(n, k)` with NaN where blank; exposure and outcome are among its columns.
        number: How often.
        rng: Source of the draws.
    """
    blank = np.isnan(table)
    columns = [j for j in np.argsort(blank.sum(axis=0), kind="stable") if blank[:, j].any()]
    return [_chain(table, blank, columns, rng) for _ in range(number)]


def _chain(table: np.ndarray, blank: np.ndarray, columns: list[int], rng: np.random.Generator) -> np.ndarray:
    filled = table.copy()
    for j in columns:
        filled[blank[:, j], j] = rng.choice(table[~blank[:, j], j], blank[:, j].sum())
    for _ in range(_ROUNDS):
        for j in columns:
            others = np.column_stack([np.ones(len(table)), np.delete(filled, j, axis=1)])
            filled[blank[:, j], j] = _draw(
                others[~blank[:, j]], table[~blank[:, j], j], others[blank[:, j]], rng
            )
    return filled


def _draw(x: np.ndarray, y: np.ndarray, at: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw from the posterior prediction of a linear regression with a flat prior."""
    gram = x.T @ x
    gram[np.diag_indices_from(gram)] += 1e-8 * np.trace(gram) / len(gram)
    beta = np.linalg.solve(gram, x.T @ y)
    residual = y - x @ beta
    variance = float(residual @ residual) / rng.chisquare(max(len(y) - x.shape[1], 1))
    root = np.linalg.cholesky(np.linalg.inv(gram))
    beta = beta + np.sqrt(variance) * root @ rng.normal(size=len(beta))
    return np.asarray(at @ beta + np.sqrt(variance) * rng.normal(size=len(at)))


def pooled(effects: Sequence[float], errors: Sequence[float]) -> tuple[float, float, float]:
    """Return effect, standard error and degrees of freedom over fillings (Rubin 1987)."""
    number = len(effects)
    within, between = float(np.mean(np.square(errors))), float(np.var(effects, ddof=1))
    total = within + (1 + 1 / number) * between
    share = (1 + 1 / number) * between / total if total > 0 else 0.0
    freedom = (number - 1) / share**2 if share > 0 else np.inf
    return float(np.mean(effects)), float(np.sqrt(total)), float(freedom)
