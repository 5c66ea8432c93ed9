"""From candidates and families to the tables of an answer."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrtech.counts import render_attributes
from hrtech.patterns.declared import (
    PATTERNS,
    THRESHOLDS,
    TIMELINE,
    Patterns,
    PatternSettings,
    Search,
    table,
)
from hrtech.patterns.families import Families
from hrtech.patterns.periods import Periods
from hrtech.patterns.scan import Candidates, Level, Scanned
from hrtech.patterns.season import SeasonTest
from hrtech.patterns.variables import Variables


@dataclass(frozen=True)
class Findings:
    """What one tier found.

    Attributes:
        tier: strict or exploratory.
        error_rate: At what it is controlled.
        candidates: Significant ones.
        families: Of them.
        log_season: Log p among the same phases, NaN where there is none.
        adjusted: Corrected p.
        season: The test behind it, None where there was none.
        levels: What was tested, by length.
        tighter: Factor from the levels' thresholds to the one that was used.
    """

    tier: str
    error_rate: float
    candidates: Candidates
    families: Families
    log_season: NDArray[np.float64]
    adjusted: NDArray[np.float64]
    season: SeasonTest | None
    levels: dict[int, Level]
    tighter: float


def tables(
    findings: list[Findings],
    scanned: Scanned,
    variables: Variables,
    periods: Periods,
    settings: PatternSettings,
    search: Search,
) -> Patterns:
    """All tables of an answer."""
    rows, lines = [], []
    for found in findings:
        own, moments = _pattern_rows(found, scanned, variables, periods, settings)
        rows += own
        lines += moments
    return Patterns(
        table(PATTERNS, rows),
        table(TIMELINE, lines),
        table(THRESHOLDS, _threshold_rows(findings)),
        search,
        (*periods.remarks, *_remarks(periods, settings), *_spread(search)),
    )


def pattern_id(attributes: str, first: str, last: str, direction: str) -> str:
    """Stable name of a pattern."""
    return "P" + hashlib.sha256(f"{attributes}|{first}|{last}|{direction}".encode()).hexdigest()[:12]


def _pattern_rows(
    found: Findings, scanned: Scanned, variables: Variables, periods: Periods, settings: PatternSettings
) -> tuple[list[tuple], list[tuple]]:
    c = found.candidates
    known = scanned.known[c.exposure]
    at = np.arange(c.counts.shape[1])
    inside = (at >= c.first[:, None]) & (at < (c.first + c.window)[:, None])
    draws, n, total = (known * inside).sum(axis=1), known.sum(axis=1), c.total
    expected = (total - c.observed) / np.maximum(n - draws, 1) * draws
    by = scanned.dispersion_of(c)
    ratio, low, high = rate_ratios(c.observed, total, draws, n, settings.confidence, by)
    before = (c.counts * (np.arange(c.counts.shape[1]) < c.first[:, None])).sum(axis=1)
    new = (c.sign > 0) & (before == 0) & (c.first > 0)
    text = [render_attributes(variables.items[i] for i in row if i >= 0) for row in c.cells.tolist()]
    first = [periods.labels[k] for k in c.first]
    last = [periods.labels[k] for k in c.first + c.window - 1]
    direction = ["fading" if s < 0 else "new" if w else "emerging" for s, w in zip(c.sign, new, strict=True)]
    ids = [pattern_id(*four) for four in zip(text, first, last, direction, strict=True)]
    remark = _pattern_remarks(found, periods)
    p_season = [None if np.isnan(v) else float(np.exp(v)) for v in found.log_season]
    leader = found.families.leader
    rows, lines = [], []
    leaders = np.flatnonzero(leader == np.arange(len(c)))
    for top in sorted(leaders.tolist(), key=lambda h: (c.log_p[h], h)):
        others = [h for h in np.flatnonzero(leader == top).tolist() if h != top]
        for h in [top, *sorted(others, key=lambda h: (c.log_p[h], h))]:
            rows.append(
                (
                    ids[h], text[h], int(c.length[h]), direction[h], first[h], last[h], int(c.observed[h]),
                    float(expected[h]), int(draws[h]), int(total[h]), int(n[h]), float(ratio[h]), float(low[h]),
                    float(high[h]), float(np.exp(c.log_p[h])), p_season[h], float(min(1.0, found.adjusted[h])),
                    found.tier, found.error_rate, ids[top], h != top, found.families.why[h], remark[h],
                )
            )  # fmt: skip
        lines += _timeline(
            ids[top], c.counts[top], known[top], inside[top], periods, settings, float(by[top])
        )
    return rows, lines


def rate_ratios(
    observed: NDArray[np.int64],
    total: NDArray[np.int64],
    draws: NDArray[np.int64],
    n: NDArray[np.int64],
    level: float,
    by: NDArray[np.float64] | float = 1.0,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Share inside over share outside, with the exact interval that the split of the total gives (Clopper–Pearson).

    Where counts spread `by` times as much as chance gives, the interval is that of counts divided by it.
    """
    from scipy.stats import beta

    tail = (1 - level) / 2
    share = observed / np.maximum(total, 1)
    inside, outside = observed / by, (total - observed) / by
    with np.errstate(divide="ignore", invalid="ignore"):
        low = np.where(inside > 0, beta.ppf(tail, inside, outside + 1), 0.0)
        high = np.where(outside > 0, beta.ppf(1 - tail, inside + 1, outside), 1.0)
        scale = (n - draws) / draws
        ratio, low, high = (part / (1 - part) * scale for part in (share, low, high))
    return ratio, low, high


def _timeline(
    name: str,
    counts: NDArray[np.int32],
    known: NDArray[np.int64],
    inside: NDArray[np.bool_],
    periods: Periods,
    settings: PatternSettings,
    by: float,
) -> list[tuple]:
    from scipy.stats import binom

    outside = max(int(known[~inside].sum()), 1)
    share = min(float(counts[~inside].sum()) / outside, 1.0)
    tail = (1 - settings.confidence) / 2
    low, high = (
        np.clip(share * known + np.sqrt(by) * (binom.ppf(end, known, share) - share * known), 0, known)
        for end in (tail, 1 - tail)
    )
    return [
        (
            name, label, int(counts[p]), int(known[p]), float(share * known[p]), float(low[p]), float(high[p]),
            bool(inside[p]),
        )
        for p, label in enumerate(periods.labels)
    ]  # fmt: skip


def _pattern_remarks(found: Findings, periods: Periods) -> list[str]:
    if periods.cycle is None:
        return [""] * len(found.candidates)
    told = "No other cycle holds these phases: season cannot be told from change."
    return [told if np.isnan(v) else "" for v in found.log_season]


def _remarks(periods: Periods, settings: PatternSettings) -> list[str]:
    if periods.cycle is not None and periods.cycles < 2 and not settings.season_proof:
        return [
            "There is one cycle of history: what recurs every cycle cannot be told from what is new, except where it "
            "moves all records alike."
        ]
    return []


def _spread(search: Search) -> list[str]:
    if search.dispersion <= 1:
        return []
    return [
        f"Counts vary {search.dispersion:.2g} times as much as independent records would, in most combinations: "
        "records come in batches, or nearly everything changes. The tests allow for it."
    ]


def _threshold_rows(findings: list[Findings]) -> list[tuple]:
    rows = []
    for found in findings:
        season = None if found.season is None or np.isnan(found.season.threshold) else found.season.threshold
        for length, level in found.levels.items():
            rows.append(
                (
                    found.tier, length, level.combinations, level.hypotheses, level.testable,
                    level.threshold * found.tighter, season,
                )
            )  # fmt: skip
    return rows
