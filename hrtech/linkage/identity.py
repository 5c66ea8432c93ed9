"""Entities keep their ids when records join or leave them, and what changed since the run before is listed.

An entity takes over the id of the earlier entity with which it shares most records: pairs of old and new entities are
taken by the number of shared records, the largest first, each entity once. Ids are never used again: a new entity gets
one that no entity had before. The log of changes is added to by each run that changed anything.

Belongs here: names of entities over time. Does not: which records belong together (`cluster`), where the earlier
entities are kept.
"""

import hashlib
from datetime import datetime
from typing import Final

import pandas as pd

#: `records` and `records_before`: sizes of the entity; `others`: the entities that records came from or went to.
CHANGE_COLUMNS: Final = ("changed_at", "since", "entity_id", "kind", "records", "records_before", "others")
_KEYS: Final = ["register", "record_id"]


def keep_ids(
    entities: pd.DataFrame, before: pd.DataFrame | None, used: frozenset[str] = frozenset()
) -> pd.DataFrame:
    """Give entities the ids that they had before.

    Args:
        entities: `register, record_id, entity_id`, as just linked.
        before: The same of the run before, or None.
        used: Ids that may not be given again, besides those of the run before.

    Returns:
        `entities` with the column `entity_id` replaced.
    """
    if before is None or before.empty:
        return entities
    shared = _shared(entities, before)
    kept: dict[str, str] = {}
    taken: set[str] = set()
    for now, earlier in zip(shared["entity_id"], shared["earlier"], strict=True):
        if now not in kept and earlier not in taken:
            kept[now] = earlier
            taken.add(earlier)
    blocked = set(before["entity_id"]) | used
    for now in dict.fromkeys(entities["entity_id"]):
        if now not in kept:
            kept[now] = _unused(now, blocked)
            blocked.add(kept[now])
    return entities.assign(entity_id=entities["entity_id"].map(kept).astype("str"))


def changes_since(
    entities: pd.DataFrame, before: pd.DataFrame | None, log: pd.DataFrame | None, at: datetime
) -> pd.DataFrame:
    """Add what changed since the run before to the log of changes.

    Args:
        entities: `register, record_id, entity_id` with lasting ids.
        before: The same of the run before, or None: the first run lists nothing.
        log: The log so far (`CHANGE_COLUMNS`), or None.
        at: Time of this run, with a time zone.

    Returns:
        The log with one row for each entity and kind of change: `new`; `gone`; `merged`: records of `others` came
        in; `split`: records went to `others`; `grown`: records came that no entity had; `shrunk`: records left the
        registers. What an earlier attempt from the same state had added last is replaced, so that a run that failed
        halfway and is repeated is told once.
    """
    earlier = log if log is not None else _empty()
    if before is None or before.empty:
        return earlier
    since = _state(before)
    if len(earlier) and earlier["since"].iloc[-1] == since:
        earlier = earlier[earlier["changed_at"] != earlier["changed_at"].iloc[-1]]
    found = _changes(entities, before)
    if found.empty:
        return earlier.reset_index(drop=True)
    told = found.assign(changed_at=pd.Timestamp(at).tz_convert("UTC"), since=since)[list(CHANGE_COLUMNS)]
    told = told.astype({"changed_at": "datetime64[us, UTC]"})
    return pd.concat([earlier, told], ignore_index=True) if len(earlier) else told


def used_ids(log: pd.DataFrame | None) -> frozenset[str]:
    """Return every id that the log of changes names."""
    return frozenset() if log is None else frozenset(log["entity_id"])


def _shared(entities: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """Count the records that each entity shares with each earlier one, most first, then by first shared record."""
    both = entities[[*_KEYS, "entity_id"]].merge(
        before[[*_KEYS, "entity_id"]].rename(columns={"entity_id": "earlier"}), on=_KEYS
    )
    both["record"] = both["register"].astype("str") + "\x1f" + both["record_id"].astype("str")
    counts = both.groupby(["entity_id", "earlier"])["record"].agg(["size", "min"]).reset_index()
    return counts.sort_values(["size", "min"], ascending=[False, True])


def _unused(name: str, blocked: set[str]) -> str:
    number = 1
    candidate = name
    while candidate in blocked:
        number += 1
        candidate = "e-" + hashlib.sha256(f"{name}/{number}".encode()).hexdigest()[:16]
    return candidate


def _state(entities: pd.DataFrame) -> str:
    """Name a state of entities by its content."""
    content = entities[[*_KEYS, "entity_id"]].astype("str").sort_values([*_KEYS])
    hashed = pd.util.hash_pandas_object(content, index=False).to_numpy()
    return hashlib.sha256(hashed.tobytes()).hexdigest()[:16]


def _changes(entities: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    shared = _shared(entities, before)
    stayed = shared[shared["entity_id"] == shared["earlier"]].set_index("entity_id")["size"]
    moved = shared[shared["entity_id"] != shared["earlier"]]
    came, went = moved.groupby("entity_id"), moved.groupby("earlier")
    table = pd.DataFrame(
        {
            "records": entities["entity_id"].value_counts(),
            "records_before": before["entity_id"].value_counts(),
            "stayed": stayed,
            "came": came["size"].sum(),
            "went": went["size"].sum(),
        }
    )
    table = table.fillna(0).astype("int64").rename_axis("entity_id")
    sources = came["earlier"].agg(_names).reindex(table.index, fill_value="")
    targets = went["entity_id"].agg(_names).reindex(table.index, fill_value="")
    nothing = pd.Series("", index=table.index)
    lasting = (table["records"] > 0) & (table["records_before"] > 0)
    kinds = {
        "new": (table["records_before"] == 0, sources),
        "gone": (table["records"] == 0, targets),
        "merged": (lasting & (table["came"] > 0), sources),
        "split": (lasting & (table["went"] > 0), targets),
        "grown": (lasting & (table["records"] > table["stayed"] + table["came"]), nothing),
        "shrunk": (lasting & (table["records_before"] > table["stayed"] + table["went"]), nothing),
    }
    parts = [table.assign(kind=kind, others=others)[holds] for kind, (holds, others) in kinds.items()]
    return pd.concat(parts).reset_index().sort_values(["entity_id", "kind"], ignore_index=True)


def _names(ids: pd.Series) -> str:
    return " ".join(sorted(ids))


def _empty() -> pd.DataFrame:
    counts = {name: pd.Series(dtype="int64") for name in ("records", "records_before")}
    texts = {name: pd.Series(dtype="str") for name in CHANGE_COLUMNS}
    return pd.DataFrame(texts | counts | {"changed_at": pd.Series(dtype="datetime64[us, UTC]")})
