"""The assets of a CasePatterns that compute: the search, what goes together, monitoring, what was seen before."""

from datetime import UTC, datetime

import pandas as pd

from assets.case_patterns_settings import Watch
from assets.study import Made, Output, StudyAssets
from hrtech.patterns import (
    DECISIONS,
    LIVES,
    PATTERNS,
    STABLE,
    THRESHOLDS,
    TIMELINE,
    Patterns,
    PatternSettings,
    find_patterns,
    find_released_patterns,
    find_stable,
)
from hrtech.patterns.members import composition, value_table
from hrtech.patterns.monitor import spent
from hrtech.patterns.periods import read_periods
from hrtech.patterns.tables import (
    add_seen,
    period_table,
    periods_of_aggregates,
    remark_table,
    search_table,
)
from hrtech.patterns.telling import at_once
from hrtech.patterns.variables import read_variables
from hrtech.patterns.watching import look_at_new_periods
from hrtech.zones import Zone

TABLES = {
    "patterns": "Combinations of attributes whose share changed in a window, with intervals and error rates.",
    "timeline": "Observed and expected counts of each pattern by period.",
    "thresholds": "From where on a pattern is reported, by tier and length.",
    "search": "What was searched, in one row.",
    "periods": "Records by period.",
    "remarks": "What to keep in mind of the whole search.",
    "at_once": "What else changed in the same window.",
}
COLUMNS = {"patterns": PATTERNS, "timeline": TIMELINE, "thresholds": THRESHOLDS}
#: Only records say these.
DESCRIBED = {
    "composition": "Who is in each pattern: further attributes of its records, beside all records.",
    "values": "The values that can be in a pattern, with the records that hold them.",
}


def add_search(assets: StudyAssets, settings: PatternSettings, zone: Zone) -> None:
    """Add the search of records, in their zone."""

    @assets.asset(
        *(Output(noun, words, columns=COLUMNS.get(noun, {})) for noun, words in TABLES.items()),
        *(Output(noun, words) for noun, words in DESCRIBED.items()),
        zone=zone,
        inputs={"records": "records"},
        settings=settings,
        kinds=("numpy",),
    )
    def patterns(context, records: pd.DataFrame):
        """Search every combination in every window, and describe what is found."""
        found, periods = find_patterns(records, settings), read_periods(records, settings)
        without = float((periods.index < 0).mean())
        read = read_variables(records, periods, settings)
        tables = _tables(found, settings, without, period_table(periods))
        described = {"composition": composition(read, periods, found.leaders), "values": value_table(read)}
        return tables | described


def add_search_of_aggregates(assets: StudyAssets, settings: PatternSettings, aggregates: str) -> None:
    """Add the search of what a private release published, its noise part of every test."""

    @assets.asset(
        *(Output(noun, words, columns=COLUMNS.get(noun, {})) for noun, words in TABLES.items()),
        zone="released",
        inputs={"aggregates": aggregates},
        settings=settings,
        kinds=("numpy",),
    )
    def patterns(context, aggregates: pd.DataFrame):
        """Search every combination that was released together with a period."""
        found = find_released_patterns(aggregates, settings)
        return _tables(found, settings, 0.0, periods_of_aggregates(aggregates, settings))


def _tables(found: Patterns, settings: PatternSettings, without: float, periods: pd.DataFrame) -> dict:
    told: dict[str, float] = {
        "strict": int((found.leaders["tier"] == "strict").sum()),
        "patterns": len(found.leaders),
    }
    told |= {"hypotheses": found.search.hypotheses, "seconds": round(found.search.seconds, 3)}
    return {
        "patterns": Made(found.patterns, metadata=told),
        "timeline": found.timeline,
        "thresholds": found.thresholds,
        "search": search_table(found, settings, without),
        "periods": periods,
        "remarks": remark_table(found.remarks),
        "at_once": at_once(found.patterns, periods["period"]),
    }


def add_stable(assets: StudyAssets, settings: PatternSettings, zone: Zone) -> None:
    """Add what goes together in every period."""

    @assets.asset(
        Output(
            "stable",
            "Combinations that occur more often than their parts would together, in every period.",
            columns=STABLE,
        ),
        zone=zone,
        inputs={"records": "records"},
        settings=settings,
    )
    def stable(context, records: pd.DataFrame):
        """Find what goes together whatever the period."""
        return find_stable(records, settings)


def add_watch(assets: StudyAssets, settings: PatternSettings, watched: Watch) -> None:
    """Add monitoring; what was decided is kept in the restricted store and never decided again."""

    @assets.asset(
        Output(
            "decisions",
            "Every look at a period as it came, and what was decided; it only grows.",
            columns=DECISIONS,
        ),
        Output(
            "lives",
            "When each watched pattern was first seen, how long it lasted, and whether it ended.",
            columns=LIVES,
        ),
        zone="restricted",
        inputs={"records": "records"},
        settings=[settings, watched],
        resources=("restricted",),
    )
    def decisions(context, records: pd.DataFrame):
        """Look at each finished period that was not looked at yet."""
        files = context.resources.restricted.files()
        keys = {noun: (assets.study, noun) for noun in ("decisions", "lives")}
        past, known = (files.read(key) if files.exists(key) else None for key in keys.values())
        made, lives, looks = look_at_new_periods(
            records, settings, first=watched.first, unfinished=watched.unfinished, past=past, lives=known
        )
        told = {"looks_made_now": looks, "error_rate_spent": round(spent(made), 6)}
        return {"decisions": Made(made, metadata=told), "lives": lives}


def add_history(assets: StudyAssets) -> None:
    """Add what was reported each time the answer changed, so that a check can tell what is new."""

    @assets.asset(
        Output(
            "history", "Every set of patterns that differed from the one before, and which are new in it."
        ),
        zone="restricted",
        inputs={"patterns": "patterns", "periods": "periods"},
        resources=("restricted",),
    )
    def history(context, patterns: pd.DataFrame, periods: pd.DataFrame):
        """Compare with what was reported last."""
        files, key = context.resources.restricted.files(), (assets.study, "history")
        before = files.read(key) if files.exists(key) else None
        return add_seen(patterns, list(periods["period"]), before, datetime.now(UTC))
