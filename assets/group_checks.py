"""Asset checks of a GroupComparison: blanks, small groups, denominators, conditions, windows. None of them blocks."""

import dagster as dg
import pandas as pd

from assets.study import StudyAssets
from hrtech.groups.question import ALL, Every, GroupQuestion
from hrtech.groups.reading import cut_windows

_SMALL = 10


def add_group_checks(assets: StudyAssets, most_unknown: float, question: GroupQuestion) -> None:
    """Add the checks.

    Args:
        assets: The study's assets.
        most_unknown: Share of unknown or left out records above which a check warns.
        question: What is asked.
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

    @dg.asset_check(
        asset=assets.key("estimates"),
        name="every_condition_varies",
        description="No condition of a share holds for all records in which it is known, or for none. A column that "
        "says yes or nothing has its noes among the blanks: ask for not is_missing(column).",
    )
    def varied(estimates: pd.DataFrame) -> dg.AssetCheckResult:
        shares = estimates.loc[
            (estimates["kind"] == "share") & ~estimates["standardised"] & (estimates["window"] == ALL)
        ]
        sums = shares.groupby("measure")[["held", "records"]].sum()
        same = int(((sums["held"] == 0) | (sums["held"] == sums["records"])).sum())
        return _warning(same == 0, {"shares": len(sums), "without_variation": same})

    assets.checks.extend([known, large, divided, varied])
    if question.period is not None:
        assets.checks.append(_windows_are_whole(assets, question.period, question.every))


def _windows_are_whole(assets: StudyAssets, period: str, every: Every) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=assets.key("records"),
        name="windows_are_whole",
        description="Dates reach from the start of the first window to the end of the last: half a window looks like a "
        "fall. Leave it out by a filter, or choose shorter windows.",
    )
    def whole(records: pd.DataFrame) -> dg.AssetCheckResult:
        dates = pd.api.types.is_datetime64_any_dtype(records[period])
        cut = cut_windows(records[period], every) if dates else 0
        return _warning(cut == 0, {"cut": cut})

    return whole


def _warning(passed: bool, counts: dict[str, float]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=passed, severity=dg.AssetCheckSeverity.WARN, metadata=counts)
