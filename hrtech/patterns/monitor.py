"""Each new period tested as it arrives, with the error rate controlled over the sequence.

Look i spends strict × 6 / (π i)², which sums to `strict` however long the sequence goes on; only windows that end
with the new period are tested, so that no window is tested twice. A pattern that was an alert is followed: it lasts
while its share stays on its side of its history before the alert, and has ended when it no longer does.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from hrtech.counts import parse_attributes
from hrtech.patterns.declared import (
    DECISIONS,
    LIVES,
    Patterns,
    PatternsError,
    PatternSettings,
    Watched,
    table,
)
from hrtech.patterns.periods import Periods, read_periods
from hrtech.patterns.search import search_windows
from hrtech.patterns.variables import Variables, read_variables

#: The tail at which a pattern that was an alert is still away from its history.
_LASTS = 0.05


def watch(frame: pd.DataFrame, settings: PatternSettings, period: str, past: pd.DataFrame | None) -> Watched:
    """Test the newest period against its history.

    Args:
        frame: Records up to the period and of it; later ones are not looked at.
        settings: What is searched; `strict` is the error rate of the whole sequence of looks.
        period: Label of the period that arrived, as in `Search.periods`.
        past: `Watched.decisions` of the look before; None at the first.

    Raises:
        PatternsError: The table cannot be searched, holds too little history, or the period was looked at before
            or another came after it.
    """
    before = table(DECISIONS, []) if past is None else past[list(DECISIONS)]
    periods = read_periods(frame, settings)
    at = _place(periods, period, before, settings)
    own = frame[(periods.index >= 0) & (periods.index <= at)].reset_index(drop=True)
    look = int((before["decision"] == "looked").sum()) + 1
    alpha = settings.strict * 6 / (np.pi * look) ** 2
    windows = tuple(w for w in settings.windows if w <= at)
    if not windows:
        raise PatternsError(
            f"Period {period} has {at} periods of history, which is too little for windows of {settings.windows[0]}. "
            "Begin to watch later, or use shorter windows [setting: windows]"
        )
    found = search_windows(own, replace(settings, strict=alpha, exploratory=0.0, windows=windows), last=True)
    rows: list[tuple] = [(look, period, alpha, "", "", "", None, None, None, None, None, "looked")]
    for q in found.leaders.itertuples():
        rows.append(
            (look, period, alpha, q.pattern_id, q.attributes, q.direction, q.first, q.observed, q.expected, q.ratio,
             q.p, "alert")
        )  # fmt: skip
    now = {(row[4], row[5] == "fading") for row in rows[1:]}
    rows += _followed(own, periods, settings, before, now, look, period, alpha)
    new = table(DECISIONS, rows)
    decisions = new if not len(before) else pd.concat([before, new], ignore_index=True)
    return Watched(found.leaders, _of_alerts(found), decisions, lives(decisions), alpha, found.remarks)


def spent(decisions: pd.DataFrame) -> float:
    """Error rate that all looks so far have spent; never more than `strict`."""
    return float(decisions.loc[decisions["decision"] == "looked", "alpha"].sum())


def _of_alerts(found: Patterns) -> pd.DataFrame:
    return found.timeline[found.timeline["pattern_id"].isin(found.leaders["pattern_id"])].reset_index(
        drop=True
    )


def _place(periods: Periods, period: str, before: pd.DataFrame, settings: PatternSettings) -> int:
    if period not in periods.labels:
        raise PatternsError(
            f"No record lies in period {period} or around it. Name a period that has arrived [setting: "
            f"{settings.time}]"
        )
    at = periods.labels.index(period)
    if not (periods.index == at).any():
        raise PatternsError(
            f"Period {period} holds no record: there is nothing to test. Look at the next one instead"
        )
    looked = before.loc[before["decision"] == "looked", "period"].tolist()
    if looked and (looked[-1] not in periods.labels or periods.labels.index(looked[-1]) >= at):
        raise PatternsError(
            f"Period {looked[-1]} was looked at last, and {period} does not come after it. A period is tested once, in "
            "order: hand the state of the look before it, or the next period"
        )
    return at


def _followed(
    own: pd.DataFrame,
    periods: Periods,
    settings: PatternSettings,
    before: pd.DataFrame,
    now: set[tuple[str, bool]],
    look: int,
    period: str,
    alpha: float,
) -> list[tuple]:
    """What became of patterns that were alerts and are none now: the period's count against that before the alert."""
    from scipy.stats import hypergeom

    rows: list[tuple] = []
    told = before[before["decision"] == "alert"]
    if not len(told):
        return rows
    variables = read_variables(own, read_periods(own, settings), settings)
    for key, group in told.groupby([told["attributes"], told["direction"] == "fading"], sort=True):
        text, fading = (str(key[0]), bool(key[1])) if isinstance(key, tuple) else (str(key), False)
        last_alert = int(group["look"].max())
        same = (before["attributes"] == text) & ((before["direction"] == "fading") == fading)
        over = same & (before["decision"] == "ended") & (before["look"] > last_alert)
        if (text, fading) in now or over.any():
            continue
        begin, at = periods.labels.index(str(group["first"].iloc[0])), periods.labels.index(period)
        counts, known = _counted(variables, text)
        x, draws = int(counts[at]), int(known[at])
        k, n = int(counts[:begin].sum()) + x, int(known[:begin].sum()) + draws
        p = hypergeom.cdf(x, n, k, draws) if fading else hypergeom.sf(x - 1, n, k, draws)
        expected = (k - x) / max(n - draws, 1) * draws
        rows.append(
            (look, period, alpha, group["pattern_id"].iloc[0], text, group["direction"].iloc[0], period, x, expected,
             x / expected if expected else np.inf, float(p), "lasting" if p <= _LASTS else "ended")
        )  # fmt: skip
    return rows


def _counted(variables: Variables, text: str) -> tuple[np.ndarray, np.ndarray]:
    """Units by period that hold a pattern, and those where all its columns are known."""
    number = {item: at for at, item in enumerate(variables.items)}
    items = [number[item] for item in parse_attributes(text)]
    mask = int(np.bitwise_or.reduce([1 << int(variables.column_of[item]) for item in items]))
    holds = np.logical_and.reduce([variables.holds(item) for item in items])
    return variables.units(holds & variables.knows(mask)), variables.exposure(mask)


def lives(decisions: pd.DataFrame) -> pd.DataFrame:
    """One row a pattern ever alerted to; columns of `LIVES`."""
    rows = []
    about = decisions[decisions["decision"] != "looked"]
    for (text, fading), group in about.groupby(
        [about["attributes"], about["direction"] == "fading"], sort=True
    ):
        alerts = group[group["decision"] == "alert"]
        there = group[group["decision"] != "ended"]
        ratio = group["ratio"].min() if fading else group["ratio"].max()
        rows.append(
            (text, alerts["direction"].iloc[0], alerts["period"].iloc[0], there["period"].iloc[-1], len(alerts),
             group["decision"].iloc[-1], float(ratio))
        )  # fmt: skip
    return table(LIVES, rows)
