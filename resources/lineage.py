"""Traces what a table stands on: asset → run → data version → ledger row, read from Dagster's event log.

The event log is evidence for people; the ledger alone decides what may be spent.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pandas as pd

from hrtech.pages.provenance import LINEAGE_COLUMNS

INPUT = "dagster/input_data_version/"


def trace(instance: dg.DagsterInstance, assets: Iterable[dg.AssetKey]) -> pd.DataFrame:
    """Walk back from some assets to everything that they were made from.

    Args:
        instance: Dagster instance whose event log holds the materializations.
        assets: Keys to start from.

    Returns:
        One row per asset, sorted by key, with the columns of `LINEAGE_COLUMNS`; `epsilon`, `delta`, `release_key`
        and the ledger's columns are filled for releases only. Times are UTC.
    """
    rows: dict[str, dict[str, Any]] = {}
    todo = list(assets)
    while todo:
        key = todo.pop()
        name = key.to_user_string()
        if name in rows:
            continue
        event = instance.get_latest_materialization_event(key)
        made = event.asset_materialization if event is not None else None
        if event is None or made is None:
            continue
        tags = made.tags or {}
        parents = sorted(tag.removeprefix(INPUT) for tag in tags if tag.startswith(INPUT))
        rows[name] = _row(name, event.run_id, event.timestamp, tags, parents, made.metadata)
        todo += [dg.AssetKey(parent.split("/")) for parent in parents]
    return pd.DataFrame([rows[name] for name in sorted(rows)], columns=list(LINEAGE_COLUMNS))


def _row(
    name: str,
    run_id: str,
    timestamp: float,
    tags: Mapping[str, str],
    parents: list[str],
    metadata: Mapping[str, Any],
) -> dict[str, Any]:
    def value(field: str) -> Any:
        entry = metadata.get(field)
        return None if entry is None else entry.value

    return {
        "asset": name,
        "zone": tags.get("hrtech/zone"),
        "barrier": tags.get("hrtech/barrier"),
        "promise": None,
        "run_id": run_id,
        "materialized_at": datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="seconds"),
        "data_version": tags.get("dagster/data_version"),
        "parents": parents,
        **{field: value(field) for field in LINEAGE_COLUMNS[8:]},
    }
