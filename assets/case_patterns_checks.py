"""Asset checks of a CasePatterns: the time column, and whether something new appeared. None of them blocks."""

import dagster as dg
import pandas as pd

from assets.study import StudyAssets
from hrtech.patterns.tables import newly_seen
from hrtech.patterns.watching import alerts_of_last_look


def add_pattern_checks(assets: StudyAssets, most_without_time: float, *, watched: bool) -> None:
    """Add the checks; one that fails is written to the alerts by the sensor of failed checks.

    Args:
        assets: The study's assets.
        most_without_time: Share of records without a time above which a check warns.
        watched: Whether periods are watched as they come.
    """

    @dg.asset_check(
        asset=assets.key("search"),
        name="records_have_a_time",
        description=f"At most {100 * most_without_time:g} % of the records are without a time.",
    )
    def timed(search: pd.DataFrame) -> dg.AssetCheckResult:
        share = float(search["without_period"].iloc[0])
        return _warning(share <= most_without_time, {"share_without_time": share})

    @dg.asset_check(
        asset=assets.key("periods"),
        name="no_period_is_empty",
        description="Every period between the first and the last holds records.",
    )
    def whole(periods: pd.DataFrame) -> dg.AssetCheckResult:
        empty = int((periods["records"] == 0).sum())
        return _warning(empty == 0, {"periods": len(periods), "empty_periods": empty})

    @dg.asset_check(
        asset=assets.key("history"),
        name="no_new_strict_pattern",
        description="No strict pattern appeared since the patterns last changed.",
    )
    def known(history: pd.DataFrame) -> dg.AssetCheckResult:
        new = newly_seen(history)
        strict = int((new["tier"] == "strict").sum())
        return _warning(strict == 0, {"new_strict_patterns": strict, "new_patterns": len(new)})

    assets.checks.extend([timed, whole, known])
    if watched:

        @dg.asset_check(
            asset=assets.key("decisions"),
            name="last_look_raised_no_alert",
            description="The newest finished period holds no pattern that its history does not explain.",
        )
        def quiet(decisions: pd.DataFrame) -> dg.AssetCheckResult:
            alerts = alerts_of_last_look(decisions)
            looks = int((decisions["decision"] == "looked").sum())
            return _warning(alerts.empty, {"alerts": len(alerts), "looks": looks})

        assets.checks.append(quiet)


def _warning(passed: bool, counts: dict[str, float]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=passed, severity=dg.AssetCheckSeverity.WARN, metadata=counts)
