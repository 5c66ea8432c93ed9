"""How right the model was on pairs that people judged, apart from its own estimate.

What is measured is what the model would have joined if nobody had judged anything: entities that follow a judgement
agree with it by construction. Pairs of the review queue are the doubtful ones, so that precision on all judged pairs
is below that of the linkage. Pairs drawn at random are not: each joined pair has a lasting random number made from its
ids and the seed (permanent random numbers: Ohlsson 1995), and the sample is the run of lowest numbers that were all
judged. It stays the same sample when records are added or weights change. Intervals: Clopper and Pearson 1934, 95 %.
"""

from typing import Final

import pandas as pd

from hrtech.linkage.constraints import KEYS
from hrtech.linkage.judgements import pair_keys

QUALITY_COLUMNS: Final = ("measure", "estimate", "low", "high", "right", "pairs", "unsure")
ON_JUDGED: Final = "precision on judged pairs"
ON_DRAWN: Final = "precision on pairs drawn at random"
_LARGEST: Final = 2_000


def judged_quality(entities: pd.DataFrame, standing: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Measure precision and recall of the model on judged pairs.

    Args:
        entities: `register, record_id, unjudged_entity_id`.
        standing: Decisions that hold, one a pair: the columns of `KEYS`, and `decision`.
        seed: Seed of the lasting random numbers.

    Returns:
        `QUALITY_COLUMNS`: precision and recall on all judged pairs, and precision on those drawn at random.
        `right` of `pairs` were judged the same (or joined, for recall); `unsure` are left out of both.
    """
    entity = entities.set_index(["register", "record_id"])["unjudged_entity_id"]
    sides = [
        entity.reindex(pd.MultiIndex.from_frame(standing[[f"register_{side}", f"record_{side}"]])).to_numpy()
        for side in "lr"
    ]
    joined = pd.Series(sides[0] == sides[1], index=standing.index) & ~pd.Series(
        pd.isna(sides[0]), index=standing.index
    )
    same, unsure = standing["decision"] == "same", standing["decision"] == "unsure"
    drawn = draw_pairs(entities, seed)
    decided = pair_keys(drawn).map(pd.Series(standing["decision"].to_numpy(), index=pair_keys(standing)))
    run = decided[decided.notna().cummin()]
    return pd.DataFrame(
        [
            (ON_JUDGED, *_share(joined & same, joined & ~unsure), int((joined & unsure).sum())),
            ("recall on judged pairs", *_share(joined & same, same), 0),
            (ON_DRAWN, *_share(run == "same", run != "unsure"), int((run == "unsure").sum())),
        ],
        columns=list(QUALITY_COLUMNS),
    )


def draw_pairs(
    entities: pd.DataFrame, seed: int, size: int | None = None, *, judged: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return pairs that the model joined in the order of their lasting random numbers.

    Args:
        entities: `register, record_id, unjudged_entity_id`.
        seed: Seed of the numbers.
        size: The first so many; all by default.
        judged: Decisions on pairs that are left out, because they were drawn and judged before.

    Returns:
        The columns of `KEYS`. Entities of more than 2,000 records, which no linkage should have, give those of
        their first 2,000 records in the order of the table.
    """
    several = entities[entities["unjudged_entity_id"].duplicated(keep=False)]
    several = several[several.groupby("unjudged_entity_id").cumcount() < _LARGEST]
    several = several.reset_index(drop=True).reset_index(names="row")
    named = several[["row", "register", "record_id", "unjudged_entity_id"]]
    both = named.merge(named, on="unjudged_entity_id", suffixes=("_l", "_r"))
    both = both[both["row_l"] < both["row_r"]].rename(
        columns={"record_id_l": "record_l", "record_id_r": "record_r"}
    )
    drawn = both[list(KEYS)].astype("str")
    number = pd.util.hash_pandas_object(pair_keys(drawn), index=False, hash_key=f"{seed:016d}"[:16])
    ordered = drawn.assign(number=number.to_numpy()).sort_values(["number", *KEYS])
    if judged is not None and len(judged):
        ordered = ordered[~pair_keys(ordered).isin(set(pair_keys(judged)))]
    return ordered[list(KEYS)].head(size if size is not None else len(ordered)).reset_index(drop=True)


def _share(part: pd.Series, whole: pd.Series) -> tuple[float, float, float, int, int]:
    from scipy.stats import binomtest

    right, pairs = int(part.sum()), int(whole.sum())
    if not pairs:
        return float("nan"), float("nan"), float("nan"), 0, 0
    interval = binomtest(right, pairs).proportion_ci(0.95, method="exact")
    return right / pairs, float(interval.low), float(interval.high), right, pairs
