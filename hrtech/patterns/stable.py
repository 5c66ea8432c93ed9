"""Attributes that go together more often than chance in every period.

A combination is split into one attribute and the rest, in each way; the weakest split counts, so that a strong pair
does not make every triple that holds it a pattern. Within each period the two parts make a two-by-two table of the
records where all columns are known; the tables are joined by Mantel and Haenszel, with the exact variance of each.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtech.counts import render_attributes
from hrtech.patterns.cube import Exposures, blocks, masks
from hrtech.patterns.declared import STABLE, PatternSettings, table
from hrtech.patterns.families import Records
from hrtech.patterns.periods import read_periods
from hrtech.patterns.variables import Variables, read_variables

#: Combinations that are looked at with the records: the most frequent of those that pass a first look at the totals.
_AT_MOST = 20_000


def find_stable(frame: pd.DataFrame, settings: PatternSettings) -> pd.DataFrame:
    """Find combinations that occur more often than independence gives, and do so in every period.

    Args:
        frame: One row a record, as for `find_patterns`.
        settings: `max_length`, `min_count` and `strict` apply; windows do not.

    Returns:
        Columns of `STABLE`, strongest first. Combinations whose lift differs between periods are left out: they are for
        `find_patterns`.

    Raises:
        PatternsError: As `find_patterns`.
    """
    from scipy.stats import chi2, norm

    periods = read_periods(frame, settings)
    variables = read_variables(frame, periods, settings)
    exposures = Exposures(variables)
    cells, counts, tested = _candidates(variables, exposures, settings)
    records = Records(variables)
    known_mask = masks(cells, variables)
    rows = []
    for row, count, mask in zip(cells, counts, known_mask, strict=True):
        items = row[row >= 0]
        known = records.known(int(mask))
        everyone = records.by_period(known)
        both = count.astype(float)
        weakest = None
        for one in range(len(items)):
            alone = records.by_period(records.holders(items[one : one + 1]) & known)
            rest = records.by_period(records.holders(np.delete(items, one)) & known)
            found = _common(both, alone, rest, everyone)
            if found is not None and (weakest is None or found[1] < weakest[1]):
                weakest = found
        if weakest is None:
            continue
        expected, z, odds, error, differs, degrees = weakest
        adjusted = min(1.0, float(norm.sf(z)) * tested)
        same = float(chi2.sf(differs, degrees)) if degrees else 1.0
        if adjusted > settings.strict or same < settings.strict:
            continue
        reach = norm.ppf((1 + settings.confidence) / 2) * error
        rows.append(
            (
                z, render_attributes(variables.items[i] for i in items), len(items), int(both.sum()), expected, odds,
                odds * np.exp(-reach), odds * np.exp(reach), adjusted, same,
            )
        )  # fmt: skip
    rows.sort(key=lambda row: (-row[0], row[1]))
    return table(STABLE, [row[1:] for row in rows])


def _candidates(
    variables: Variables, exposures: Exposures, settings: PatternSettings
) -> tuple[NDArray[np.int32], NDArray[np.int32], int]:
    """Combinations that occur more often than their attributes' shares give, and how many were counted."""
    shares: dict[int, float] = {}
    cells, counts, excess, tested = [], [], [], 0
    for block in blocks(variables, exposures, settings.max_length, settings.min_count):
        length = (block.cells >= 0).sum(axis=1)
        total = block.counts.sum(axis=1)
        known = np.array([t.sum() for t in exposures.tables])[block.exposure]
        for k in np.flatnonzero(length == 1).tolist():
            shares[int(block.cells[k, 0])] = total[k] / known[k]
        cells.append(block.cells[length > 1])
        counts.append(block.counts[length > 1])
        tested += int((length > 1).sum())
        excess.append(np.stack([total[length > 1], known[length > 1]]))
    if not tested:
        none = np.zeros((0, settings.max_length), dtype=np.int32)
        return none, np.zeros((0, variables.n_periods), dtype=np.int32), 1
    every, by_period, sums = np.concatenate(cells), np.concatenate(counts), np.concatenate(excess, axis=1)
    share = np.array([shares.get(i, 1.0) for i in range(len(variables.items))])
    expected = sums[1] * np.where(every >= 0, share[np.maximum(every, 0)], 1.0).prod(axis=1)
    score = (sums[0] - expected) / np.sqrt(expected + 1e-9)
    keep = np.flatnonzero(score > 1)
    keep = keep[np.argsort(-score[keep], kind="stable")][:_AT_MOST]
    return every[keep], by_period[keep], tested


def _common(
    both: NDArray[np.float64], alone: NDArray[np.int64], rest: NDArray[np.int64], known: NDArray[np.int64]
) -> tuple[float, float, float, float, float, int] | None:
    """Expected count, z, common odds ratio, error of its log, chi-square of differences and its degrees of freedom."""
    use = known > 1
    a, n = both[use], known[use].astype(float)
    one, other = alone[use].astype(float), rest[use].astype(float)
    b, c = one - a, other - a
    d = n - one - other + a
    mean = one * other / n
    variance = one * other * (n - one) * (n - other) / (n**2 * (n - 1))
    top, bottom = (a * d / n).sum(), (b * c / n).sum()
    if variance.sum() <= 0 or top <= 0:
        return None
    z = (a.sum() - mean.sum() - 0.5) / np.sqrt(variance.sum())
    odds = top / bottom if bottom > 0 else np.inf
    if not np.isfinite(odds):
        return None
    # Robins, Breslow and Greenland (1986)
    p, q, r, s = (a + d) / n, (b + c) / n, a * d / n, b * c / n
    error = np.sqrt(
        (p * r).sum() / (2 * r.sum() ** 2)
        + (p * s + q * r).sum() / (2 * r.sum() * s.sum())
        + (q * s).sum() / (2 * s.sum() ** 2)
    )
    # Breslow and Day (1980): counts expected under the common odds ratio
    first, second = 1 - odds, n - one - other + odds * (one + other)
    fitted = np.where(
        np.abs(first) < 1e-9,
        mean,
        2
        * odds
        * one
        * other
        / (second + np.sqrt(np.maximum(second**2 + 4 * odds * first * one * other, 0))),
    )
    spread = np.stack([fitted, one - fitted, other - fitted, n - one - other + fitted])
    fine = (spread > 1).all(
        axis=0
    )  # a table that expects hardly anybody somewhere says nothing of differences
    differs = ((a - fitted)[fine] ** 2 * (1 / spread[:, fine]).sum(axis=0)).sum()
    return float(mean.sum()), float(z), float(odds), float(error), float(differs), max(int(fine.sum()) - 1, 0)
