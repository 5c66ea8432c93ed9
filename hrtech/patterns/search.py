"""The search itself: from a table of records to patterns that changed."""

import hashlib
import time
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtech.patterns.cube import Exposures, blocks
from hrtech.patterns.declared import Patterns, PatternsError, PatternSettings, Search
from hrtech.patterns.dispersion import dispersed_tails
from hrtech.patterns.families import Claims, Families, Records, fold
from hrtech.patterns.periods import Periods, read_periods
from hrtech.patterns.results import Findings, tables
from hrtech.patterns.scan import Candidates, Scanned, first_stage, scan_blocks
from hrtech.patterns.season import SeasonTest, exposures_of, test_season
from hrtech.patterns.variables import Variables, read_variables

#: Log of the p, given the leaders, at which a pattern is more than its family.
_EXPLAINED = float(np.log(1e-5))
_REMAINS = 0.5


def find_patterns(frame: pd.DataFrame, settings: PatternSettings) -> Patterns:
    """Find combinations of attributes whose share of the records changes in a window of periods.

    Args:
        frame: One row a record. List cells hold several values; blank cells are unknown.
        settings: What is searched.

    Raises:
        PatternsError: The table cannot be searched as declared, or only with more memory than allowed.
    """
    return search_windows(frame, settings)


def search_windows(frame: pd.DataFrame, settings: PatternSettings, *, last: bool = False) -> Patterns:
    """As `find_patterns`; with `last`, only windows that end with the last period are hypotheses."""
    start = time.perf_counter()
    periods = read_periods(frame, settings)
    if settings.season_proof and periods.cycles < 2:
        raise PatternsError(
            "Only what season cannot explain is asked for, but there is no second cycle to compare with. Read a longer "
            "history, or leave season_proof out [setting: season_proof, cycle]"
        )
    variables = read_variables(frame, periods, settings)
    exposures = Exposures(variables)
    scanned = scan_blocks(
        lambda: blocks(variables, exposures, settings.max_length, settings.min_count),
        exposures,
        periods,
        settings,
        last,
    )
    strict = find_strict(scanned, variables, periods, settings)
    search = Search(
        len(variables.period), periods.labels, variables.columns,
        sum(level.combinations for level in scanned.levels.values()),
        sum(level.hypotheses for level in scanned.levels.values()), scanned.cells, periods.cycle, periods.cycles,
        scanned.dispersion.typical,
        time.perf_counter() - start,
    )  # fmt: skip
    return tables([strict], scanned, variables, periods, settings, search)


def find_strict(
    scanned: Scanned, variables: Variables, periods: Periods, settings: PatternSettings
) -> Findings:
    """The strict tier: both stages, then families."""
    candidates = scanned.candidates.some(_canonical(scanned.candidates, variables))
    candidates = replace(candidates, log_p=_log_p(candidates, scanned, periods))
    log_threshold = np.log(np.array([scanned.levels[k].threshold for k in candidates.length.tolist()]))
    passed = candidates.log_p <= log_threshold
    records = Records(variables)
    season = _season(candidates, passed, log_threshold, scanned, records, periods, settings)
    if season is not None:
        alpha = settings.strict - first_stage(settings, periods) - scanned.left_out
        passed = passed & ~(season.adjusted > alpha)
        if settings.season_proof:
            passed = passed & ~np.isnan(season.adjusted)
    found = np.flatnonzero(passed)
    own = candidates.some(found)
    claims = Claims(
        own.cells,
        windows_of(own),
        own.sign,
        own.log_p,
        strength(own, scanned),
        np.arange(len(periods.labels)),
    )
    families = fold(claims, records, _EXPLAINED, _REMAINS, True)
    log_season = np.full(len(own), np.nan) if season is None else season.log_p[found]
    adjusted = np.exp(own.log_p - log_threshold[found]) * first_stage(settings, periods)
    if season is not None:
        adjusted = np.fmax(adjusted, np.where(np.isnan(season.adjusted[found]), 0.0, season.adjusted[found]))
    return Findings("strict", settings.strict, own, families, log_season, adjusted, season)


def _season(
    candidates: Candidates,
    passed: NDArray[np.bool_],
    log_threshold: NDArray[np.float64],
    scanned: Scanned,
    records: Records,
    periods: Periods,
    settings: PatternSettings,
) -> SeasonTest | None:
    if periods.cycles < 2 or not passed.any():
        return None
    alpha = settings.strict - first_stage(settings, periods) - scanned.left_out
    rng = np.random.default_rng([settings.seed, 7])
    return test_season(
        candidates,
        passed,
        log_threshold,
        _log_number(candidates, scanned),
        scanned.known,
        records,
        periods,
        alpha,
        settings.draws,
        rng,
    )


def _log_p(candidates: Candidates, scanned: Scanned, periods: Periods) -> NDArray[np.float64]:
    """Log tails with what the records spread beyond chance."""
    if scanned.dispersion.none:
        return candidates.log_p
    n, k, window, _ = exposures_of(candidates, scanned.known, periods)
    held = (scanned.known[candidates.exposure] > 0).sum(axis=1)
    by = scanned.dispersion.at(k / held)
    tails = dispersed_tails(candidates.observed, n, k, window, candidates.sign, by)
    return np.maximum(candidates.log_p, tails)


def windows_of(candidates: Candidates) -> NDArray[np.bool_]:
    """Periods of each candidate's window, shape (candidates, periods)."""
    at = np.arange(candidates.counts.shape[1])
    first = candidates.first[:, None]
    return np.asarray((at >= first) & (at < first + candidates.window[:, None]))


def strength(candidates: Candidates, scanned: Scanned) -> NDArray[np.float64]:
    """Log-likelihood ratio of a changed share, less the log of how many combinations of the length there are."""
    from hrtech.patterns.scan_loops import deviances

    known = scanned.known[candidates.exposure]
    summed = np.concatenate([np.zeros((len(known), 1), dtype=np.int64), known.cumsum(axis=1)], axis=1)
    at = np.arange(len(candidates))
    draws = summed[at, candidates.first + candidates.window] - summed[at, candidates.first]
    ratio = deviances(candidates.observed, summed[:, -1], candidates.total, draws)
    return np.asarray(ratio - _log_number(candidates, scanned))


def _log_number(candidates: Candidates, scanned: Scanned) -> NDArray[np.float64]:
    return np.log([scanned.levels[k].combinations for k in candidates.length.tolist()])


def _canonical(candidates: Candidates, variables: Variables) -> NDArray[np.int64]:
    """An order by content: values and counts, whatever the columns are called and however they are ordered."""
    values = [
        "\x00".join(sorted(variables.items[i][1] for i in row if i >= 0)) for row in candidates.cells.tolist()
    ]
    prints = [hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in candidates.counts]
    keys = zip(values, prints, candidates.first.tolist(), candidates.window.tolist(), strict=True)
    return np.array([at for _, at in sorted((key, at) for at, key in enumerate(keys))], dtype=np.int64)


__all__ = ["Families", "Periods", "find_patterns"]
