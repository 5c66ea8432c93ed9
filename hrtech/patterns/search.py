"""The search itself: from a table of records to patterns that changed."""

import hashlib
import time
from dataclasses import dataclass, replace

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
from hrtech.patterns.season import SeasonTest, exposures_of, season_test
from hrtech.patterns.variables import Variables, read_variables

#: Log of the p, given the leaders, at which a pattern is more than its family.
_EXPLAINED = float(np.log(1e-5))
_REMAINS = 0.5
#: False candidates to expect at the loosest threshold of the exploratory tier, and thresholds to try.
MOST_ERRORS = 0.4
_ERRORS = (0.4, 0.3, 0.2, 0.12, 0.06)
#: Share of its rate that is for false candidates; the rest is for seasons taken for change.
_COUNTED = 0.6
#: Season: chances of splits so small that together they come to no more than this are counted, and not looked at; of
#: the strict tier it is a share of the error rate, of the exploratory tier a number of false families.
_SPARED, _SPARED_ERRORS = 0.3, 0.02
#: Log of the largest p among the same phases of a window that is told, whatever its family's.
_OWN_SEASON = float(np.log(0.01))


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
    more = []
    if settings.exploratory > 0 and not last:
        loose = scan_blocks(
            lambda: blocks(variables, exposures, settings.max_length, settings.min_count), exposures, periods, settings,
            errors=MOST_ERRORS,
        )  # fmt: skip
        more = [find_exploratory(loose, strict, variables, periods, settings)]
    search = Search(
        len(variables.period), periods.labels, variables.columns,
        sum(level.combinations for level in scanned.levels.values()),
        sum(level.hypotheses for level in scanned.levels.values()), scanned.cells, periods.cycle, periods.cycles,
        scanned.dispersion.typical,
        time.perf_counter() - start,
    )  # fmt: skip
    return tables([strict, *more], scanned, variables, periods, settings, search)


def find_strict(
    scanned: Scanned, variables: Variables, periods: Periods, settings: PatternSettings
) -> Findings:
    """The strict tier: both stages, then families."""
    first = first_stage(settings, periods)
    records = Records(variables)
    scanned = _without_rare(scanned, _SPARED * settings.strict)
    tested = test_stages(scanned, settings.strict - first, records, periods, settings)
    passed = (tested.candidates.log_p <= tested.log_threshold) & ~(tested.log_season > _OWN_SEASON)
    if settings.season_proof:
        passed &= ~np.isnan(tested.adjusted)
    found = np.flatnonzero(passed & ~(tested.adjusted > tested.alpha))
    families = _families(tested.candidates.some(found), scanned, records, periods)
    adjusted = np.exp(tested.candidates.log_p - tested.log_threshold)[found] * first
    adjusted = np.fmax(adjusted, tested.adjusted[found])
    own = tested.candidates.some(found)
    return Findings(
        "strict", settings.strict, own, families, tested.log_season[found], adjusted, tested.season,
        scanned.levels, 1.0,
    )  # fmt: skip


@dataclass(frozen=True)
class Tested:
    """Candidates after both stages.

    Attributes:
        candidates: In an order that does not depend on names.
        log_threshold: Log of the first stage's threshold, by candidate.
        log_season: Log p among the same phases, NaN where there is none.
        adjusted: The season's corrected p, NaN where there is none.
        expected: How many families as telling a season alone would bring, NaN where there is none.
        alpha: At what it passes.
        season: The test of the season, None where there was none.
    """

    candidates: Candidates
    log_threshold: NDArray[np.float64]
    log_season: NDArray[np.float64]
    adjusted: NDArray[np.float64]
    expected: NDArray[np.float64]
    alpha: float
    season: SeasonTest | None


def test_stages(
    scanned: Scanned, season_alpha: float, records: Records, periods: Periods, settings: PatternSettings
) -> Tested:
    """Test against a share that never changes, and against season."""
    candidates = scanned.candidates.some(_canonical(scanned.candidates, records.variables))
    candidates = replace(candidates, log_p=_log_p(candidates, scanned, periods))
    log_threshold = np.log(np.array([scanned.levels[k].threshold for k in candidates.length.tolist()]))
    passed = candidates.log_p <= log_threshold
    alpha = season_alpha - scanned.left_out
    none = np.full(len(candidates), np.nan)
    if periods.cycles < 2 or not passed.any():
        return Tested(candidates, log_threshold, none, none, none, alpha, None)
    rng = np.random.default_rng([settings.seed, 7])
    season = season_test(
        candidates, passed, log_threshold, _log_number(candidates, scanned), scanned.known,
        scanned.dispersion_of(candidates), records, periods, alpha,
        settings.draws, rng,
    )  # fmt: skip
    return Tested(candidates, log_threshold, season.log_p, season.adjusted, season.expected, alpha, season)


def _without_rare(scanned: Scanned, most: float) -> Scanned:
    """Leave splits that hardly happen to what is left out, the rarest first, until all of that comes to `most`.

    Equally rare ones are all left out, or none of them: which come first is up to the order of columns.
    """
    chance = np.exp(scanned.candidates.log_split)
    rising = np.sort(chance)
    up_to = np.searchsorted(rising, chance, side="right") - 1
    rare = np.flatnonzero(scanned.left_out + rising.cumsum()[up_to] <= most)
    log_split = scanned.candidates.log_split.copy()
    log_split[rare] = -np.inf
    return replace(
        scanned,
        candidates=replace(scanned.candidates, log_split=log_split),
        left_out=round(scanned.left_out + float(chance[rare].sum()), 12),
    )


def _families(own: Candidates, scanned: Scanned, records: Records, periods: Periods) -> Families:
    claims = Claims(
        own.cells, windows_of(own), own.sign, own.log_p, strength(own, scanned), np.arange(len(periods.labels))
    )  # fmt: skip
    return fold(claims, records, _EXPLAINED, _REMAINS, True)


def find_exploratory(
    scanned: Scanned, strict: Findings, variables: Variables, periods: Periods, settings: PatternSettings
) -> Findings:
    """The exploratory tier: as many families as the expected number of false ones allows.

    At thresholds that let pass at most v false candidates in the mean, R families pass: at most v / R of them are false
    in the mean. Of v most are chance's, the rest seasons taken for change. Families of the strict tier are among the R,
    and are not told twice.
    """
    records = Records(variables)
    one_cycle = periods.cycles < 2
    counted = 1.0 if one_cycle else _COUNTED
    scanned = _without_rare(scanned, _SPARED_ERRORS)
    tested = test_stages(scanned, 0.0, records, periods, settings)
    ratio = np.exp(tested.candidates.log_p - tested.log_threshold) * MOST_ERRORS
    seasons = tested.expected + scanned.left_out
    good = ~(tested.log_season > _OWN_SEASON)
    if settings.season_proof:
        good &= ~np.isnan(seasons)
    for errors in _ERRORS:
        found = np.flatnonzero(good & (ratio <= errors) & ~(seasons > errors * (1 / counted - 1)))
        families = _families(tested.candidates.some(found), scanned, records, periods)
        number = len(np.unique(families.leader))
        if errors <= settings.exploratory * counted * number:
            break
    else:
        found, families, errors, number = found[:0], Families(np.zeros(0, dtype=np.int64), ()), 0.0, 0
    own = tested.candidates.some(found)
    new = _not_told(own, families, strict)
    families = Families(
        np.searchsorted(new, families.leader[new]), tuple(families.why[h] for h in new.tolist())
    )
    adjusted = np.minimum(ratio + np.nan_to_num(seasons), 1.0)[found][new]
    return Findings(
        "exploratory", settings.exploratory, own.some(new), families, tested.log_season[found][new], adjusted,
        tested.season, scanned.levels, errors / MOST_ERRORS,
    )  # fmt: skip


def _not_told(own: Candidates, families: Families, strict: Findings) -> NDArray[np.int64]:
    """Positions of candidates whose family has no member in the strict tier."""
    told = {
        (row.tobytes(), first, window)
        for row, first, window in zip(
            strict.candidates.cells,
            strict.candidates.first.tolist(),
            strict.candidates.window.tolist(),
            strict=True,
        )
    }
    mine = [
        (row.tobytes(), first, window) in told
        for row, first, window in zip(own.cells, own.first.tolist(), own.window.tolist(), strict=True)
    ]
    known = set(families.leader[np.array(mine, dtype=bool)].tolist())
    return np.array([h for h in range(len(own)) if int(families.leader[h]) not in known], dtype=np.int64)


test_stages.__test__ = False  # type: ignore[attr-defined]


def _log_p(candidates: Candidates, scanned: Scanned, periods: Periods) -> NDArray[np.float64]:
    """Log tails with what the records spread beyond chance."""
    if scanned.dispersion.none:
        return candidates.log_p
    n, k, window, _ = exposures_of(candidates, scanned.known, periods)
    by = scanned.dispersion_of(candidates)
    tails = dispersed_tails(candidates.observed, n, k, window, candidates.sign, by)
    return np.maximum(candidates.log_p, tails)


def windows_of(candidates: Candidates) -> NDArray[np.bool_]:
    """Periods of each candidate's window, shape (candidates, periods)."""
    at = np.arange(candidates.counts.shape[1])
    first = candidates.first[:, None]
    return np.asarray((at >= first) & (at < first + candidates.window[:, None]))


def strength(candidates: Candidates, scanned: Scanned) -> NDArray[np.float64]:
    """Log-likelihood ratio of a changed share, less the log of how many combinations of the length there are."""
    from hrtech.patterns.tails import deviances

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
