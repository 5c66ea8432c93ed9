"""Which pairs a person should look at, and which entities contradict themselves.

What a look is worth is the number of pair decisions that it is expected to mend: the probability that the present
decision is wrong, times the pairs of records that the other answer would join or part. Three lists take turns
(contradictions, lone bridges, doubtful pairs), each by worth, so that none crowds out the others. The order has no
chance in it.
"""

from typing import Final

import numpy as np
import pandas as pd

from hrtech.linkage.constraints import KEYS
from hrtech.linkage.explain import own_weight
from hrtech.linkage.graph import bridges
from hrtech.linkage.judgements import pair_id, pair_keys
from hrtech.linkage.spec import FieldSpec

#: A bridge of fewer bits above the threshold is weak: the odds for it are below 16 to 1.
WEAK_BITS: Final = 4.0
WEAK: Final = "held by one weak pair"
CONTRADICTION_COLUMNS: Final = ("entity_id", "kind", "detail", "records", *KEYS)
QUEUE_COLUMNS: Final = (
    "rank", "pair_id", *KEYS, "match_weight", "match_probability", "joined", "pairs_changed", "worth", "reason",
)  # fmt: skip
DRAWN: Final = "drawn at random to measure precision"


def find_contradictions(
    pairs: pd.DataFrame,
    entities: pd.DataFrame,
    records: pd.DataFrame,
    fields: tuple[FieldSpec, ...],
    judged: pd.DataFrame,
    threshold: float,
) -> pd.DataFrame:
    """List the entities that contradict themselves; they are flagged here and not split.

    Args:
        pairs: Scored pairs, as `LinkageResult.pairs`.
        entities: `register, record_id, entity_id`.
        records: Normalised fields per record, with `register` and `record_id`.
        fields: Declared fields; those of kind identifier are looked at.
        judged: Judgements that contradict one another, as `LinkageResult.contradictions`.
        threshold: Match probability from which pairs speak for joining.

    Returns:
        `CONTRADICTION_COLUMNS`: kind `two identifiers` (more than one character apart), `held by one weak pair`, or
        `judgements`; the pair to look at, missing where none was compared; and how many records the entity has.
    """
    edges = _edges(pairs, entities)
    sizes = entities["entity_id"].value_counts()
    parts = [_weak_bridges(edges, threshold)]
    for one in fields:
        if one.kind == "identifier" and one.name in records.columns:
            parts.append(_two_identifiers(edges, entities, records, one.name))
    if len(judged):
        entity_of = entities.set_index(["register", "record_id"])["entity_id"]
        at = pd.MultiIndex.from_frame(judged[["register_l", "record_l"]])
        parts.append(
            judged.assign(
                kind="judgements",
                detail=judged["decision"] + ": " + judged["contradiction"],
                entity_id=entity_of.reindex(at).to_numpy(),
            )
        )
    found = pd.concat(
        [part.reindex(columns=list(CONTRADICTION_COLUMNS)) for part in parts], ignore_index=True
    )
    found["records"] = found["entity_id"].map(sizes).astype("Int64")
    texts = [name for name in CONTRADICTION_COLUMNS if name != "records"]
    found[texts] = found[texts].astype("str")
    return found.sort_values(["kind", "entity_id", *KEYS], ignore_index=True)


def review_queue(
    pairs: pd.DataFrame,
    entities: pd.DataFrame,
    contradictions: pd.DataFrame,
    standing: pd.DataFrame,
    threshold: float,
    *,
    size: int = 50,
    drawn: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Order the pairs most worth a look.

    Args:
        pairs: Scored pairs, as `LinkageResult.pairs`.
        entities: `register, record_id, entity_id`.
        contradictions: As `find_contradictions` gives them.
        standing: Decisions that hold; a pair that was judged is not asked again, unless judgements contradict.
        threshold: Match probability from which pairs speak for joining.
        size: Pairs at most, besides those drawn at random.
        drawn: Pairs drawn at random to measure precision (columns of `KEYS`), put last.

    Returns:
        `QUEUE_COLUMNS`, the first to be looked at first.
    """
    edges = _edges(pairs, entities)
    edges["worth"], edges["pairs_changed"] = _worth(edges, entities, threshold)
    settled = set(pair_keys(standing)) if len(standing) else set()
    unsettled = _reasons_of(contradictions)
    lone = _weak_bridges(edges, threshold, weak_only=False)
    lists = [
        edges[edges["key"].isin(unsettled)].assign(reason=lambda frame: frame["key"].map(unsettled)),
        edges.loc[lone.index].assign(reason=lone["detail"]),
        edges.assign(reason=_doubt(edges)),
    ]
    contested = set(pair_keys(contradictions[contradictions["kind"] == "judgements"]))
    ranked = []
    for turn, part in enumerate(lists):
        asked = part[~part["key"].isin(settled - contested)]
        ordered = asked.sort_values(["worth", "key"], ascending=[False, True]).head(size)
        ranked.append(ordered.assign(place=np.arange(len(ordered)), turn=turn))
    queue = pd.concat(ranked).sort_values(["place", "turn"], kind="stable")
    reasons = queue.groupby("key", sort=False)["reason"].agg(lambda each: "; ".join(dict.fromkeys(each)))
    queue = queue.drop_duplicates("key").head(size)
    queue = queue.assign(reason=queue["key"].map(reasons))
    if drawn is not None and len(drawn):
        queue = _with_drawn(queue, edges, drawn)
    queue = queue.assign(
        rank=np.arange(1, len(queue) + 1),
        pair_id=[pair_id(*row) for row in queue[list(KEYS)].itertuples(index=False)],
    )
    return queue[list(QUEUE_COLUMNS)].reset_index(drop=True)


def _with_drawn(queue: pd.DataFrame, edges: pd.DataFrame, drawn: pd.DataFrame) -> pd.DataFrame:
    keys = pair_keys(drawn)
    both = queue["key"].isin(keys)
    queue = queue.assign(reason=queue["reason"].where(~both, queue["reason"] + "; " + DRAWN))
    new = drawn.assign(key=keys)[~keys.isin(queue["key"]).to_numpy()]
    facts = edges.drop_duplicates("key").set_index("key")[
        ["match_weight", "match_probability", "worth", "pairs_changed"]
    ]
    return pd.concat([queue, new.join(facts, on="key").assign(joined=True, reason=DRAWN)], ignore_index=True)


def _edges(pairs: pd.DataFrame, entities: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs with the row numbers and entities of both records and a key."""
    keys = pd.Index(entities["register"].astype("str") + "\x1f" + entities["record_id"].astype("str"))
    edges = pairs[[*KEYS, "match_weight", "match_probability", "joined"]].copy()
    edges["own_weight"] = own_weight(pairs)
    names = entities["entity_id"].to_numpy()
    for side in "lr":
        rows = keys.get_indexer(pd.Index(edges[f"register_{side}"] + "\x1f" + edges[f"record_{side}"]))
        edges[f"row_{side}"], edges[f"entity_{side}"] = rows, names[rows]
    return edges.assign(key=pair_keys(edges))


def _weak_bridges(edges: pd.DataFrame, threshold: float, *, weak_only: bool = True) -> pd.DataFrame:
    at = np.log2(threshold / (1 - threshold))
    held = edges[edges["joined"] & (edges["own_weight"] > at)]
    found = bridges(held["row_l"], held["row_r"], held["entity_l"])
    rows = edges.loc[found.index].assign(entity_id=lambda frame: frame["entity_l"], kind=WEAK)
    rows["detail"] = [
        f"this pair alone holds {one} and {other} records together"
        for one, other in zip(found["smaller"], found["larger"], strict=True)
    ]
    return rows[rows["own_weight"] - at < WEAK_BITS] if weak_only else rows


def _two_identifiers(
    edges: pd.DataFrame, entities: pd.DataFrame, records: pd.DataFrame, name: str
) -> pd.DataFrame:
    """Find entities with two values of an identifier that are more than one character apart."""
    import duckdb

    known = entities[["register", "record_id", "entity_id"]].merge(
        records[["register", "record_id", name]].dropna(), on=["register", "record_id"]
    )
    several = known[known.groupby("entity_id")[name].transform("nunique") > 1]
    if several.empty:
        return pd.DataFrame(columns=list(CONTRADICTION_COLUMNS))
    with duckdb.connect(":memory:") as connection:
        connection.register(
            "seen", several[["entity_id", name]].drop_duplicates().set_axis(["e", "v"], axis=1)
        )
        rows = connection.execute(
            "select distinct a.e from seen a join seen b on a.e = b.e and a.v < b.v "
            "and damerau_levenshtein(a.v, b.v) > 1"
        ).fetchall()
    apart = {row[0] for row in rows}
    several = several[several["entity_id"].isin(apart)]
    at = pd.MultiIndex.from_frame(known[["register", "record_id"]])
    value_of = pd.Series(known[name].to_numpy(), index=at)
    sides = [
        value_of.reindex(pd.MultiIndex.from_frame(edges[[f"register_{side}", f"record_{side}"]])).to_numpy()
        for side in "lr"
    ]
    inside = edges[edges["joined"] & edges["entity_l"].isin(apart)].assign(
        differs=pd.Series(sides[0] != sides[1], index=edges.index)
        & ~pd.Series(pd.isna(sides[0]) | pd.isna(sides[1]), index=edges.index)
    )
    weakest = inside.sort_values(
        ["differs", "match_weight", "key"], ascending=[False, True, True]
    ).drop_duplicates("entity_l")
    counts = several.groupby("entity_id")[name].nunique()
    found = pd.DataFrame({"entity_id": counts.index, "detail": [f"{n} values of {name}" for n in counts]})
    return found.merge(
        weakest.rename(columns={"entity_l": "entity_id"})[["entity_id", *KEYS]], on="entity_id", how="left"
    ).assign(kind="two identifiers")


def _worth(edges: pd.DataFrame, entities: pd.DataFrame, threshold: float) -> tuple[pd.Series, pd.Series]:
    """Return the expected number of pair decisions that a look mends, and how many pairs it would change."""
    sizes = entities["entity_id"].value_counts()
    one, other = edges["entity_l"].map(sizes).astype(float), edges["entity_r"].map(sizes).astype(float)
    # to part a pair that others hold too takes one record out at least; a bridge takes a whole side along
    changed = (one * other).where(~edges["joined"], one - 1)
    at = np.log2(threshold / (1 - threshold))
    held = edges[edges["joined"] & (edges["own_weight"] > at)]
    lone = bridges(held["row_l"], held["row_r"], held["entity_l"])
    changed.loc[lone.index] = (lone["smaller"] * lone["larger"]).astype(float)
    wrong = edges["match_probability"].where(~edges["joined"], 1 - edges["match_probability"])
    return wrong * changed, changed


def _reasons_of(contradictions: pd.DataFrame) -> dict[str, str]:
    known = contradictions.dropna(subset=list(KEYS))
    if known.empty:
        return {}
    said = known["kind"] + (" (" + known["detail"] + ")").where(known["kind"] != WEAK, "")
    joined = said.groupby(pair_keys(known)).agg("; ".join)
    return dict(zip(joined.index.astype("str"), joined, strict=True))


def _doubt(edges: pd.DataFrame) -> list[str]:
    """Say of each pair what was decided, how sure that is, and what the other answer would change."""
    return [
        f"{'joined' if joined else 'kept apart'} with a match probability of {probability:.3g}; the other answer "
        f"changes {int(changed)} pair{'' if changed == 1 else 's'} of records"
        for joined, probability, changed in zip(
            edges["joined"], edges["match_probability"], edges["pairs_changed"], strict=True
        )
    ]
