"""The watch list: the entities of most concern, and what changed since the list before.

Lists are kept in a history that only grows: one snapshot each time the list differs from the one before. Making the
list again from the same data changes nothing, so that what is new stays new until the data change.
"""

from datetime import datetime
from typing import Final

import numpy as np
import pandas as pd

from hrtech.networks.spec import NetworkError

_HISTORY: Final = {
    "snapshot": "int64", "made_at": "datetime64[us, UTC]", "entity_id": "str", "name": "str", "score": "float64",
    "rank": "int64",
}  # fmt: skip
_LIST: Final = {
    "entity_id": "str", "name": "str", "status": "str", "score": "float64", "score_before": "Float64", "rank": "Int64",
    "rank_before": "Int64", "since": "datetime64[us, UTC]", "compared_with": "datetime64[us, UTC]",
}  # fmt: skip


def add_snapshot(
    nodes: pd.DataFrame,
    history: pd.DataFrame | None,
    now: datetime,
    *,
    score: str = "risk",
    most: int = 100,
    least: float = 0.0,
) -> pd.DataFrame:
    """Return the history with today's list, or unchanged where that is the last one.

    Args:
        nodes: `entity_id, name, node_kind` and the score; only entities are listed, not their owners.
        history: What this function returned before; None at first.
        now: When the list is made, with a time zone.
        score: Column that decides.
        most: Entities listed.
        least: Scores at or below are not listed.

    Returns:
        `snapshot, made_at, entity_id, name, score, rank`, oldest snapshot first; one row without an entity stands
        for a list of nobody.

    Raises:
        NetworkError: There is no such score, or the bounds make no sense.
    """
    if score not in nodes.columns:
        raise NetworkError(f"The entities have no score '{score}' [setting: watch.score]")
    if most < 1:
        raise NetworkError("A watch list has at least one place [setting: watch.most]")
    firms = nodes.loc[(nodes["node_kind"] == "entity") & (nodes[score] > least)]
    firms = firms.sort_values([score, "entity_id"], ascending=[False, True]).head(most)
    before = _empty(_HISTORY) if history is None else history.astype(_HISTORY)
    number = 1 if before.empty else int(before["snapshot"].max()) + 1
    listed = pd.DataFrame(
        {
            "snapshot": number,
            "made_at": pd.Timestamp(now),
            "entity_id": firms["entity_id"].to_numpy(),
            "name": firms["name"].to_numpy(),
            "score": firms[score].to_numpy(float),
            "rank": np.arange(1, len(firms) + 1),
        }
    ).astype(_HISTORY)
    last = before.loc[(before["snapshot"] == number - 1) & before["entity_id"].notna()].reset_index(drop=True)
    if listed.empty and before.empty:
        return before
    compared = ["entity_id", "score"]
    if len(last) == len(listed) and last[compared].round({"score": 12}).equals(
        listed[compared].round({"score": 12})
    ):
        return before
    if listed.empty:
        nobody = {"snapshot": [number], "made_at": [pd.Timestamp(now)], "entity_id": [None], "name": [None]}
        listed = pd.DataFrame(nobody | {"score": [0.0], "rank": [0]}).astype(_HISTORY)
    return pd.concat([before, listed], ignore_index=True)


def watch_list(history: pd.DataFrame, moved: float = 0.01) -> pd.DataFrame:
    """Compare the last list with the one before.

    Args:
        history: As `add_snapshot` makes it.
        moved: Change of the score above which an entity has risen or fallen.

    Returns:
        `entity_id, name, status` (new, risen, fallen, same, gone), `score, score_before, rank, rank_before, since` (on
        the list without a break), `compared_with` (when the list before was made); who is gone stands last, with
        the score 0 and no rank. On a first list all are new.
    """
    if history.empty:
        return _empty(_LIST)
    last = int(history["snapshot"].max())
    earlier_at = history.loc[history["snapshot"] == last - 1, "made_at"]
    compared_with = earlier_at.iloc[0] if len(earlier_at) else pd.NaT
    history = history.loc[history["entity_id"].notna()]
    now = history.loc[history["snapshot"] == last].set_index("entity_id")
    before = history.loc[history["snapshot"] == last - 1].set_index("entity_id")
    gone = before.loc[~before.index.isin(now.index)]
    ids = [*now.index, *gone.index]
    score = now["score"].reindex(ids).fillna(0.0)
    earlier = before["score"].reindex(ids)
    change = score - earlier.fillna(0.0)
    status = np.select(
        [~np.isin(ids, now.index), ~np.isin(ids, before.index), change > moved, change < -moved],
        ["gone", "new", "risen", "fallen"],
        "same",
    )
    frame = pd.DataFrame(
        {
            "entity_id": ids,
            "name": [*now["name"], *gone["name"]],
            "status": status,
            "score": score.to_numpy(),
            "score_before": earlier.to_numpy(),
            "rank": now["rank"].reindex(ids).to_numpy(),
            "rank_before": before["rank"].reindex(ids).to_numpy(),
            "since": pd.Series([_since(history, one, last) for one in ids], dtype=_LIST["since"]),
            "compared_with": pd.Series([compared_with] * len(ids), dtype=_LIST["compared_with"]),
        }
    )
    return frame.astype(_LIST)


def _since(history: pd.DataFrame, entity_id: str, last: int) -> pd.Timestamp | None:
    """Return when the entity came on the list that it has been on since; None where it is gone."""
    mine = history.loc[history["entity_id"] == entity_id].set_index("snapshot")["made_at"]
    if last not in mine.index:
        return None
    first = last
    while first - 1 in mine.index:
        first -= 1
    return pd.Timestamp(mine[first])


def _empty(columns: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})
