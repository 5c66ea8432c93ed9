"""Comparisons of estimates as tables: with all others, of pairs, from window to window, and ranks.

"All others" are the records outside the group, never all records with the group among them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hrtech.groups.contrasts import (
    conditional,
    difference_limits,
    fisher,
    holm_and_bh,
    ratio_limits,
    recovered,
)
from hrtech.groups.estimate import Estimates
from hrtech.groups.question import ALL, Compare, GroupQuestion, Measure
from hrtech.groups.ranks import rank_intervals
from hrtech.groups.reading import uneven
from hrtech.groups.records import Prepared

Floats = np.ndarray
Index = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class _Paired:
    """Figures to contrast: where one and the other stand in an `Estimates`, and their correlation."""

    of: Estimates
    one: Index
    other: Index
    correlation: Floats | float = 0.0


def comparisons(
    prepared: Prepared, question: GroupQuestion, estimates: Sequence[Estimates]
) -> dict[str, pd.DataFrame]:
    """Contrast what the question asks for, with p values adjusted for all of it.

    Returns:
        `against_others`, `pairs` and `changes`; empty where not asked for.
    """
    makers = {"others": _others, "pairs": _pairs, "changes": _changes}
    names = {"others": "against_others", "pairs": "pairs", "changes": "changes"}
    asked: list[Compare] = [c for c in ("others", "pairs", "changes") if c in question.compare]
    made = {c: [p for one in estimates for p in makers[c](prepared, question, one)] for c in asked}
    sizes = {c: sum(len(p.one[0]) for p in made[c]) for c in asked}
    families = sum(size > 0 for size in sizes.values())
    tables = {names[c]: pd.DataFrame(columns=list(_COLUMNS)) for c in names}
    for c in asked:
        if sizes[c]:
            level = 1 - (1 - question.confidence) / (families * sizes[c])
            frames = [_contrast(prepared, question, pair, level, c) for pair in made[c]]
            tables[names[c]] = pd.concat(frames, ignore_index=True)
    return adjusted(tables)


def adjusted(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Put adjusted p values on tables of contrasts: Holm's over every table, BH's over all of them together."""
    filled = {name: table.copy() for name, table in tables.items()}
    families = sum(len(table) > 0 for table in filled.values())
    loose = holm_and_bh(np.concatenate([t["p"].to_numpy(float) for t in filled.values()]), 1)[1]
    start = 0
    for table in filled.values():
        table["p_holm"] = holm_and_bh(table["p"].to_numpy(float), families)[0]
        table["p_bh"] = loose[start : start + len(table)]
        start += len(table)
    return filled


_COLUMNS = (
    "measure", "standardised", "window", "group", "compared_with", "estimate", "other", "difference", "difference_low",
    "difference_high", "difference_low_all", "difference_high_all", "ratio", "ratio_low", "ratio_high", "p", "shared",
)  # fmt: skip


def _known(of: Estimates, one: Index, other: Index) -> _Paired:
    there = ~np.isnan(of.value[one]) & ~np.isnan(of.value[other])
    return _Paired(of, tuple(a[there] for a in one), tuple(a[there] for a in other))


def _others(prepared: Prepared, question: GroupQuestion, of: Estimates) -> Iterator[_Paired]:
    if of.measure.kind == "count":
        return  # groups differ in size, which is no finding
    groups, windows = (a.ravel() for a in np.indices(of.value.shape[1:]))
    yield _known(of, (np.zeros_like(groups), groups, windows), (np.ones_like(groups), groups, windows))


def _changes(prepared: Prepared, question: GroupQuestion, of: Estimates) -> Iterator[_Paired]:
    count = len(prepared.windows)
    if count < 2 or (uneven(prepared.windows) and not follows_length(prepared, of.measure)):
        return
    groups, windows = (a.ravel() for a in np.indices((of.value.shape[1], count - 1)))
    side = np.zeros_like(groups)
    yield _known(of, (side, groups, windows + 1), (side, groups, windows))


def follows_length(prepared: Prepared, measure: Measure) -> bool:
    """Whether a measure takes into account how long a window is; numbers of records do not."""
    if measure.denominator:
        return prepared.exposure[measure.name].by_period
    return measure.kind != "count"


def _pairs(prepared: Prepared, question: GroupQuestion, of: Estimates) -> Iterator[_Paired]:
    last = of.value.shape[2] - 1
    known = np.flatnonzero(~np.isnan(of.value[0, :, last]))
    found = paired(prepared, question, of, last, known)
    if found is not None:
        yield found


def paired(
    prepared: Prepared, question: GroupQuestion, of: Estimates, window: int, groups: np.ndarray
) -> _Paired | None:
    """Every pair of some groups in a window; None where what they share cannot be allowed for."""
    first, second = np.triu_indices(len(groups), 1)
    one, other = groups[first], groups[second]
    side, at = np.zeros_like(one), np.full_like(one, window)
    correlation: Floats | float = 0.0
    if prepared.overlapping or question.subject:
        if of.standardised or of.measure.kind == "median":
            if prepared.overlapping:
                return None
        else:
            correlation = _correlations(prepared, of, window)[one, other]
    return _Paired(of, (side, one, at), (side, other, at), correlation)


def _correlations(prepared: Prepared, of: Estimates, window: int) -> Floats:
    """Correlation of the estimates of each two groups through the people that they share."""
    from scipy.sparse import csr_array

    values = prepared.measured[of.measure.name]
    rows = ~np.isnan(values.above)
    if window < len(prepared.windows):
        rows &= prepared.window == window
    kept = rows[prepared.member]
    record, group = prepared.member[kept], prepared.group[kept]
    ratio = of.tally.ratio[0, :, window]
    below = of.tally.below[0, :, window]
    if of.measure.kind == "count" or of.measure.denominator:
        ratio, below = np.zeros_like(ratio), np.ones_like(below)
    residual = prepared.weight[record] * (values.above[record] - ratio[group] * values.below[record])
    residual = np.nan_to_num(residual / below[group])
    shape = (int(prepared.cluster.max()) + 1, len(ratio))
    by_person = csr_array((residual, (prepared.cluster[record], group)), shape=shape)
    covariance = np.asarray((by_person.T @ by_person).todense())
    error = np.sqrt(np.diag(covariance))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(covariance / np.outer(error, error))


def _p(of: Estimates, pair: _Paired, level: float) -> Floats:
    """P values: exact where they can be."""
    one, other = pair.one, pair.other
    if of.exact and not np.any(pair.correlation):
        held = of.tally.above
        if of.exact == "fisher":
            return fisher(held[one], of.tally.records[one], held[other], of.tally.records[other])
        return conditional(held[one], of.below[one], held[other], of.below[other])
    low, high = of.limits(level)
    return recovered(
        of.value[one],
        (low[one], high[one]),
        of.value[other],
        (low[other], high[other]),
        level,
        pair.correlation,
    )


def _contrast(
    prepared: Prepared, question: GroupQuestion, pair: _Paired, level: float, compare: str
) -> pd.DataFrame:
    of, one, other = pair.of, pair.one, pair.other
    (low, high), (low_all, high_all) = of.shown, of.limits(level)
    a, b = of.value[one], of.value[other]
    limits = ((low[one], high[one]), (low[other], high[other]))
    difference = difference_limits(a, limits[0], b, limits[1], pair.correlation)
    all_at_once = difference_limits(
        a, (low_all[one], high_all[one]), b, (low_all[other], high_all[other]), pair.correlation
    )
    # a bootstrap's limits may lie beyond Student's at a higher level
    all_at_once = np.fmin(all_at_once[0], difference[0]), np.fmax(all_at_once[1], difference[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(b > 0, a / b, np.nan)
    positive = np.ones_like(a, bool)
    if of.measure.kind in ("mean", "median"):
        positive = (limits[0][0] > 0) & (limits[1][0] > 0)
    ratio_ends = ratio_limits(a, limits[0], b, limits[1], pair.correlation)
    labels, windows = (
        np.array(prepared.labels, dtype=object),
        np.array([*prepared.windows, ALL], dtype=object),
    )
    with_what = {"others": "all others", "pairs": labels[other[1]], "changes": windows[other[2]]}[compare]
    return pd.DataFrame(
        {
            "measure": of.measure.name,
            "standardised": of.standardised,
            "window": windows[one[2]],
            "group": labels[one[1]],
            "compared_with": with_what,
            "estimate": a,
            "other": b,
            "difference": a - b,
            "difference_low": difference[0],
            "difference_high": difference[1],
            "difference_low_all": all_at_once[0],
            "difference_high_all": all_at_once[1],
            "ratio": np.where(positive, ratio, np.nan),
            "ratio_low": np.where(positive, ratio_ends[0], np.nan),
            "ratio_high": np.where(positive, ratio_ends[1], np.nan),
            "p": _p(of, pair, level),
            "shared": np.broadcast_to(np.asarray(pair.correlation) != 0, a.shape),
        }
    ).replace([np.inf, -np.inf], np.nan)


def ranks(
    prepared: Prepared,
    question: GroupQuestion,
    estimates: Sequence[Estimates],
) -> pd.DataFrame:
    """Rank the groups in every window and in all together, the largest estimate first.

    Args:
        prepared: The records.
        question: What is asked.
        estimates: Figures of every measure.

    Returns:
        `measure`, `standardised`, `window`, `group`, `estimate`, `rank`, `rank_low`, `rank_high`, `ranked`.
    """
    labels, windows = prepared.labels, [*prepared.windows, ALL]
    frames = []
    for of in estimates:
        for window in range(of.value.shape[2]):
            groups = np.flatnonzero(~np.isnan(of.value[0, :, window]))
            values = of.value[0, groups, window]
            count = len(groups)
            pair = paired(prepared, question, of, window, groups) if count > 1 else None
            if pair is None:
                continue
            p = np.ones((count, count))
            level = 1 - (1 - question.confidence) / (count * (count - 1) / 2)
            p[np.triu_indices(count, 1)] = _p(of, pair, level)
            rank, best, worst = rank_intervals(values, np.minimum(p, p.T), question.confidence)
            frames.append(
                pd.DataFrame(
                    {
                        "measure": of.measure.name,
                        "standardised": of.standardised,
                        "window": windows[window] if of.value.shape[2] > 1 else ALL,
                        "group": [labels[g] for g in groups],
                        "estimate": values,
                        "rank": rank,
                        "rank_low": best,
                        "rank_high": worst,
                        "ranked": count,
                    }
                )
            )
    columns = [
        "measure",
        "standardised",
        "window",
        "group",
        "estimate",
        "rank",
        "rank_low",
        "rank_high",
        "ranked",
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
