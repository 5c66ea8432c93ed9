"""Patterns in what a private release published: its noise is part of every test.

A released count is not the true one: it carries noise of a known standard deviation, and what the release tells
beside it is an interval. A rise is tested with the lowest noisy count that the interval allows, against the highest
total, and its tail is that of a binomial count plus normal noise. Combinations that were suppressed count as hypotheses
too, so that being told because the noise was high is no advantage.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtech.counts import Attribute, parse_attributes, possible_cells, render_attributes
from hrtech.patterns.declared import (
    PATTERNS,
    THRESHOLDS,
    TIMELINE,
    Patterns,
    PatternsError,
    PatternSettings,
    Search,
    table,
)
from hrtech.patterns.periods import Periods, read_periods
from hrtech.patterns.results import pattern_id

_NEEDED = ("length", "attributes", "count", "low", "high", "sd")
_NORMAL_95 = 1.959964
#: A pattern that is nested in a leader is explained if its own part is no rarer than this.
_EXPLAINED = 1e-3
_BLANKS = (
    "Released aggregates do not say where a column is blank: a column that starts or stops being collected looks like "
    "a rise or a fall."
)


@dataclass(frozen=True)
class _Told:
    """One combination over time.

    Attributes:
        items: Its attributes, without the time.
        counts: Released counts, NaN where suppressed, (periods,).
        low: The lowest noisy counts that the intervals allow.
        high: The highest.
        sd: Of the noise.
    """

    items: tuple[Attribute, ...]
    counts: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    sd: NDArray[np.float64]


@dataclass(frozen=True)
class _Found:
    told: _Told
    first: int
    window: int
    sign: int
    observed: float
    expected: float
    share: float
    total: float
    noise: float
    p: float


def find_released_patterns(aggregates: pd.DataFrame, settings: PatternSettings) -> Patterns:
    """Find patterns in released aggregates that hold the time column among their attributes.

    Args:
        aggregates: `length`, `attributes` (canonical text), `count`, `low`, `high` (95 % interval), `sd` (of the
            noise of the measured count), as a release publishes them. A pattern of length k needs aggregates of
            length k + 1.
        settings: As for records; `time` is the column whose values are periods. `subject`, `absence`, `unknown` and
            `bands` belong to the release and are refused here.

    Returns:
        As `find_patterns`; only the strict tier, because the released counts are too coarse for the other. Counts
        are the released ones, so that `observed` and `total` are estimates. Season is not told apart.

    Raises:
        PatternsError: The aggregates do not hold the time column, tell no noise, or cannot be searched as declared.
    """
    start = time.perf_counter()
    _check(aggregates, settings)
    parsed = [dict(parse_attributes(text)) for text in aggregates["attributes"]]
    numbers = aggregates[["count", "low", "high", "sd"]].to_numpy(float)
    lengths = [int(n) for n in aggregates["length"]]
    alone = [k for k, items in enumerate(parsed) if set(items) == {settings.time}]
    if len(alone) < 2:
        raise PatternsError(
            f"Fewer than two periods of column '{settings.time}' are among the aggregates of length 1. Release the "
            "time column with the others [setting: time]"
        )
    labels = [parsed[k][settings.time] for k in alone]
    periods = read_periods(pd.DataFrame({settings.time: labels}), settings)
    place = dict(zip(labels, periods.index.tolist(), strict=True))
    volume = _series(numbers, {place[parsed[k][settings.time]]: k for k in alone}, (), len(periods.labels))
    told, totals = _by_combination(numbers, lengths, parsed, place, settings, len(periods.labels))
    thresholds, rows = _thresholds(totals, settings, len(periods.labels))
    found = [
        one
        for items, series in told.items()
        if items in totals and len(items) in thresholds
        for one in _windows(series, totals[items], volume, settings)
        if one.p <= thresholds[len(items)]
    ]
    found.sort(key=lambda f: (f.p, len(f.told.items), sorted(v for _, v in f.told.items), f.first))
    search = Search(
        round(float(np.nansum(volume.counts))), periods.labels, tuple(sorted({c for i in totals for c, _ in i})),
        len(totals), sum(row[3] for row in rows), len(numbers), periods.cycle, periods.cycles, 1.0,
        time.perf_counter() - start,
    )  # fmt: skip
    lines, moments = _rows(found, volume, periods, settings, thresholds)
    remarks = (*periods.remarks, _BLANKS, *_season(periods))
    return Patterns(
        table(PATTERNS, lines), table(TIMELINE, moments), table(THRESHOLDS, rows), search, remarks
    )


def _season(periods: Periods) -> tuple[str, ...]:
    if periods.cycle is None:
        return ()
    return (
        "Season is not told apart from change: suppressed counts do not say whether a rise comes every cycle.",
    )


def _check(aggregates: pd.DataFrame, settings: PatternSettings) -> None:
    if missing := [c for c in _NEEDED if c not in aggregates.columns]:
        raise PatternsError(
            f"The aggregates have no column '{missing[0]}'. Read a release's aggregates, which tell the noise of each "
            "count; synthetic records alone do not, and are not searched"
        )
    given = [n for n in ("subject", "absence", "unknown", "bands") if getattr(settings, n)]
    if given:
        raise PatternsError(f"The release decided this already. Leave it out here [setting: {given[0]}]")
    if settings.season_proof:
        raise PatternsError("A release cannot prove a season absent: leave it out [setting: season_proof]")
    if not (aggregates["sd"] > 0).any():
        raise PatternsError(
            "Every sd is 0: these counts carry no noise. Search the records that they are counts of"
        )


def _series(
    numbers: NDArray[np.float64], rows: Mapping[int, int], items: tuple[Attribute, ...], n_periods: int
) -> _Told:
    out = np.full((4, n_periods), np.nan)
    for period, k in rows.items():
        out[:, period] = _ends(numbers, k)
    return _Told(items, *out)


def _ends(numbers: NDArray[np.float64], k: int) -> tuple[float, float, float, float]:
    """Count, lowest and highest noisy count that gives the interval's whole numbers, and sd."""
    count, low, high, sd = numbers[k].tolist()
    reach = _NORMAL_95 * sd
    least = low - 1 + reach if low > 0 else -np.inf
    return count, least, max(high + 1 - reach, least), sd


def _by_combination(
    numbers: NDArray[np.float64],
    lengths: list[int],
    parsed: list[dict[str, str]],
    place: Mapping[str, int],
    settings: PatternSettings,
    n_periods: int,
) -> tuple[
    dict[tuple[Attribute, ...], _Told], dict[tuple[Attribute, ...], tuple[float, float, float, float]]
]:
    """Each combination over time, and its total."""
    wanted = set(settings.columns)
    over_time: dict[tuple[Attribute, ...], dict[int, int]] = {}
    totals = {}
    for k, values in enumerate(parsed):
        items = tuple(sorted((c, v) for c, v in values.items() if c != settings.time))
        out = any((wanted and c not in wanted) or v in settings.ignored.get(c, ()) for c, v in items)
        # two values of one column read as one item here: such a row is about fewer columns than its length says
        if not items or out or len(values) != lengths[k] or len(items) > settings.max_length:
            continue
        if settings.time in values:
            over_time.setdefault(items, {})[place[values[settings.time]]] = k
        else:
            totals[items] = _ends(numbers, k)
    return {items: _series(numbers, rows, items, n_periods) for items, rows in over_time.items()}, totals


def _thresholds(
    totals: Mapping[tuple[Attribute, ...], object], settings: PatternSettings, n_periods: int
) -> tuple[dict[int, float], list[tuple]]:
    """Bonferroni by length over everything that could have been told."""
    values: dict[str, int] = {}
    for items in totals:
        if len(items) == 1:
            values[items[0][0]] = values.get(items[0][0], 0) + 1
    windows = sum(n_periods - w + 1 for w in settings.windows if w < n_periods)
    cells = possible_cells([(n, False) for n in values.values()], settings.max_length)
    lengths = [k for k in range(1, settings.max_length + 1) if any(len(i) == k for i in totals)]
    rows, thresholds = [], {}
    for length in lengths:
        number = max(cells[length], 1) * windows * len(settings.directions)
        thresholds[length] = settings.strict / len(lengths) / number
        known = sum(len(i) == length for i in totals)
        rows.append(("strict", length, known, number, number, thresholds[length], None))
    return thresholds, rows


def _windows(
    series: _Told, total: tuple[float, float, float, float], volume: _Told, settings: PatternSettings
) -> list[_Found]:
    """Every window all of whose counts are told, with its tail."""
    out = []
    middle = np.nan_to_num(volume.counts)
    everyone = middle.sum()
    for window in settings.windows:
        for first in range(len(middle) - window + 1):
            at = slice(first, first + window)
            if np.isnan(series.counts[at]).any() or window >= len(middle):
                continue
            share = middle[at].sum() / everyone
            observed = series.counts[at].sum()
            for sign, direction in ((1, "emerging"), (-1, "fading")):
                if direction not in settings.directions:
                    continue
                x = series.low[at].sum() if sign > 0 else series.high[at].sum()
                k = total[2] if sign > 0 else max(total[1], 0.0)
                noise = float(
                    np.sqrt(
                        (series.sd[at] ** 2).sum()
                        + (share * total[3]) ** 2
                        + (k / everyone) ** 2 * np.nansum(volume.sd[at] ** 2)
                    )
                )
                # less than two standard deviations away is no pattern in any table
                if (
                    np.isfinite(x)
                    and k > 0
                    and (x - k * share) * sign > 2 * np.hypot(noise, np.sqrt(k * share))
                ):
                    p = noisy_tail(x, k, share, noise, sign)
                    out.append(
                        _Found(series, first, window, sign, observed, k * share, share, total[0], noise, p)
                    )
    return out


def noisy_tail(x: float, k: float, share: float, noise: float, sign: int) -> float:
    """P(B + e ≥ x), or ≤ for sign -1: B binomial of k (rounded up) at the share, e normal with sd `noise`."""
    from scipy.stats import binom, norm

    number = int(np.ceil(k))
    mean, spread = number * share, np.sqrt(number * share * (1 - share))
    low, high = int(max(mean - 12 * spread - 12, 0)), int(min(mean + 12 * spread + 30, number))
    counts = np.arange(low, high + 1)
    beyond = norm.sf(sign * (x - counts) / noise) if noise > 0 else (sign * (counts - x) >= 0).astype(float)
    return float(min((binom.pmf(counts, number, share) * beyond).sum() + binom.sf(high, number, share), 1.0))


def _explained(one: _Found, leader: _Found) -> str | None:
    """Why a leader explains a pattern, None if it does not."""
    a, b = set(one.told.items), set(leader.told.items)
    meet = one.first < leader.first + leader.window and leader.first < one.first + one.window
    if a == b:
        return "the leader in another window"
    if not meet or one.sign != leader.sign:
        return None
    if a > b:
        share = min(one.total / max(leader.total, 1.0), 1.0)
        noise = float(np.hypot(one.noise, leader.noise * share))
        p = noisy_tail(one.observed, max(leader.observed, 1.0), share, noise, one.sign)
        return "part of the leader" if p > _EXPLAINED else None
    if a < b:
        rest = max(one.total - leader.total, 1.0)
        noise = float(np.hypot(one.noise, leader.noise))
        p = noisy_tail(one.observed - leader.observed, rest, one.share, noise, one.sign)
        return "wider than the leader" if p > _EXPLAINED else None
    return "overlaps the leader" if a & b and one.p > leader.p**0.5 else None


def _rows(
    found: list[_Found],
    volume: _Told,
    periods: Periods,
    settings: PatternSettings,
    thresholds: dict[int, float],
) -> tuple[list[tuple], list[tuple]]:
    leaders: list[int] = []
    family: dict[int, tuple[int, str]] = {}
    for k, one in enumerate(found):
        whys = [(at, why) for at in leaders if (why := _explained(one, found[at])) is not None]
        family[k] = whys[0] if whys else (k, "")
        if not whys:
            leaders.append(k)
    rows, lines = [], []
    names = [_name(one, periods) for one in found]
    for top in leaders:
        for k in [top, *(k for k in family if family[k][0] == top and k != top)]:
            rows.append(
                _row(found[k], names[k], names[top], family[k][1], volume, periods, settings, thresholds)
            )
        lines += _moments(found[top], names[top], volume, periods, settings)
    return rows, lines


def _name(one: _Found, periods: Periods) -> str:
    first, last = periods.labels[one.first], periods.labels[one.first + one.window - 1]
    return pattern_id(
        render_attributes(one.told.items), first, last, "fading" if one.sign < 0 else "emerging"
    )


def _row(
    one: _Found,
    name: str,
    leader: str,
    why: str,
    volume: _Told,
    periods: Periods,
    settings: PatternSettings,
    thresholds: dict[int, float],
) -> tuple:
    from scipy.stats import norm

    at = slice(one.first, one.first + one.window)
    known, everyone = float(np.nansum(volume.counts[at])), float(np.nansum(volume.counts))
    outside = max(one.total - one.observed, 0.0)
    expected = outside / max(everyone - known, 1.0) * known
    reach = norm.ppf((1 + settings.confidence) / 2) * np.sqrt(max(one.observed, 1.0) + one.noise**2)
    ratio, low, high = (max(v, 0.0) / expected if expected > 0 else np.inf for v in (
        one.observed, one.observed - reach, one.observed + reach
    ))  # fmt: skip
    length = len(one.told.items)
    return (
        name, render_attributes(one.told.items), length, "fading" if one.sign < 0 else "emerging",
        periods.labels[one.first], periods.labels[one.first + one.window - 1], round(one.observed), expected,
        round(known), round(one.total), round(everyone), ratio, low, high, one.p, None,
        min(1.0, one.p / thresholds[length] * settings.strict), "strict", settings.strict, leader, name != leader, why,
        "Counts are released ones with noise." + (" Season is not told apart." if periods.cycle else ""),
    )  # fmt: skip


def _moments(
    one: _Found, name: str, volume: _Told, periods: Periods, settings: PatternSettings
) -> list[tuple]:
    from scipy.stats import norm

    inside = np.zeros(len(periods.labels), dtype=bool)
    inside[one.first : one.first + one.window] = True
    known = np.nan_to_num(volume.counts)
    share = max(one.total - one.observed, 0.0) / max(known[~inside].sum(), 1.0)
    z = norm.ppf((1 + settings.confidence) / 2)
    typical = float(np.nanmean(one.told.sd))
    out = []
    for p, label in enumerate(periods.labels):
        count, mean = one.told.counts[p], share * known[p]
        sd = one.told.sd[p] if not np.isnan(one.told.sd[p]) else typical
        reach = z * float(np.sqrt(mean + sd**2))
        told = None if np.isnan(count) else round(count)
        out.append(
            (name, label, told, round(known[p]), mean, max(mean - reach, 0.0), mean + reach, bool(inside[p]))
        )
    return out


__all__ = ["find_released_patterns", "noisy_tail"]
