"""Red flags and bids of a study brought together: from registers, standards, lists, screens and patterns."""

from collections.abc import Mapping, Sequence

import pandas as pd

from hrtech.networks.spec import NetworkError

_FLAGS = ("entity_id", "flag", "category", "weight", "evidence", "source", "supporting")
_BIDS = {"company_id": "entity_id", "amount": "value", "submitted_on": "date"}
_GONE = ("withdrawn", "disqualified", "invited")


def weighted(flags: pd.DataFrame, weights: Mapping[str, float]) -> pd.DataFrame:
    """Give flags the weights that a study declares, by the flag's own name or else by its category.

    Args:
        flags: `flag, weight`, and where known `category`.
        weights: Weight per flag or category, 0 to 1; other flags keep theirs.

    Raises:
        NetworkError: A weight is not between 0 and 1, or names neither a flag nor a category that is there.
    """
    category = flags["category"] if "category" in flags.columns else pd.Series("", flags.index)
    known = set(flags["flag"].dropna()) | set(category.dropna())
    for name, weight in weights.items():
        if not 0 <= weight <= 1:
            raise NetworkError(f"The weight of '{name}' is between 0 and 1 [setting: flag_weights]")
        if len(flags) and name not in known:
            raise NetworkError(
                f"There is no flag or category '{name}' in the sources [setting: flag_weights]"
            )
    declared = flags["flag"].map(weights).fillna(category.map(weights))
    return flags.assign(weight=declared.astype("float64").fillna(flags["weight"].astype("float64")))


def all_flags(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put tables of red flags end to end: `entity_id, flag, category, weight, evidence, source, supporting`."""
    made = []
    for part in parts:
        frame = part.rename(columns={"company_id": "entity_id"}) if "entity_id" not in part.columns else part
        made.append(frame.reindex(columns=list(_FLAGS)))
    filled = [frame for frame in made if len(frame)]
    frame = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(_FLAGS))
    texts = [name for name in _FLAGS if name not in ("weight", "supporting")]
    frame = frame.assign(
        weight=frame["weight"].astype("float64"),
        supporting=frame["supporting"].astype("boolean").fillna(False),
    )
    return frame.astype(dict.fromkeys(texts, "str"))


def offers(bids: pd.DataFrame, tenders: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the bids that stood, as links and screens take them.

    Args:
        bids: `tender_id`, `entity_id` (or `company_id`), and where known `value` (or `amount`), `winner`, `status`,
            `date` (or `submitted_on`), `category`.
        tenders: `tender_id, category`, where the bids name no category.

    Returns:
        `tender_id, entity_id, category, date, value, winner`; withdrawn, disqualified and merely invited bids are left
        out, which the screens list as rejects.

    Raises:
        NetworkError: A column is missing.
    """
    frame = bids.rename(columns={old: new for old, new in _BIDS.items() if new not in bids.columns})
    if "category" not in frame.columns and tenders is not None and "category" in tenders.columns:
        frame = frame.merge(
            tenders[["tender_id", "category"]].drop_duplicates("tender_id"), on="tender_id", how="left"
        )
    if missing := [name for name in ("tender_id", "entity_id", "category") if name not in frame.columns]:
        raise NetworkError(
            f"The table 'bids' has no column {', '.join(missing)}. Add or rename it [setting: bids]"
        )
    if "status" in frame.columns:
        frame = frame.loc[~frame["status"].isin(_GONE)]
    frame = frame.reindex(columns=["tender_id", "entity_id", "category", "date", "value", "winner"])
    return frame.reset_index(drop=True)
