"""Asset checks of a GroupComparison: blanks, small groups, and denominators. None of them blocks."""

import dagster as dg
import pandas as pd

from assets.study import StudyAssets
from hrtech.groups.question import ALL

_SMALL = 10


def add_group_checks(assets: StudyAssets, most_unknown: float) -> None:
    """Add the checks.

    Args:
        assets: The study's assets.
        most_unknown: Share of unknown or left out records above which a check warns.
    """

    @dg.asset_check(
        asset=assets.key("left_out"),
        name="little_is_unknown",
        description=f"In no column, condition or measure are more than {100 * most_unknown:g} % unknown.",
    )
    def known(left_out: pd.DataFrame) -> dg.AssetCheckResult:
        above = int((left_out["share"] > most_unknown).sum())
        return _warning(above == 0, {"looked_at": len(left_out), "above": above})

    @dg.asset_check(
        asset=assets.key("estimates"),
        name="groups_are_not_small",
        description=f"Every group has {_SMALL} records or more.",
    )
    def large(estimates: pd.DataFrame) -> dg.AssetCheckResult:
        sizes = estimates.loc[estimates["window"] == ALL].groupby("group")["records"].max()
        small = int((sizes < _SMALL).sum())
        return _warning(small == 0, {"groups": len(sizes), "small_groups": small})

    @dg.asset_check(
        asset=assets.key("estimates"),
        name="every_figure_has_a_denominator",
        description="No figure over all windows is missing for want of records, exposure or strata.",
    )
    def divided(estimates: pd.DataFrame) -> dg.AssetCheckResult:
        whole = estimates.loc[estimates["window"] == ALL]
        missing = int(whole["estimate"].isna().sum())
        return _warning(missing == 0, {"figures": len(whole), "missing": missing})

    assets.checks.extend([known, large, divided])


def _warning(passed: bool, counts: dict[str, float]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=passed, severity=dg.AssetCheckSeverity.WARN, metadata=counts)
