"""What people said about an entity: replies, corrections, and decisions to set its flags aside.

A flag about somebody is a claim that they may answer. Remarks are only ever added; the latest decision about an entity
holds, and `take back` undoes it. While its flags are set aside they are shown and weigh nothing.
"""

from typing import Final

import pandas as pd

REMARKS: Final = ("reply", "correction", "looked at and stands", "set flags aside", "take back")
#: What it means, in the words of the form.
MEANINGS: Final = (
    "A reply is what the entity says about itself; a correction is what somebody found to be wrong. Flags that are set "
    "aside weigh nothing from the next run on, until this is taken back."
)
_DECISIONS: Final = REMARKS[2:]
_COLUMNS: Final = ("remark_id", "made_at", "made_by", "entity_id", "remark", "words")


def remark_log(forms: pd.DataFrame) -> pd.DataFrame:
    """Return the remarks that forms recorded, the oldest first.

    Args:
        forms: One row a field: `judgement_id, judged_at, judged_by, field, value`. Forms without an entity and one of
            `REMARKS` are left to whoever reads them.

    Returns:
        `remark_id, made_at, made_by, entity_id, remark, words`; times are UTC.
    """
    wanted = forms.loc[forms["field"].isin(["entity_id", "remark", "words"])]
    if wanted.empty:
        times = {"made_at": pd.Series(dtype="datetime64[us, UTC]")}
        return pd.DataFrame({name: pd.Series(dtype="str") for name in _COLUMNS} | times)
    wide = wanted.pivot_table(
        index=["judgement_id", "judged_at", "judged_by"], columns="field", values="value", aggfunc="first"
    ).reset_index()
    wide = wide.rename(columns={"judgement_id": "remark_id", "judged_at": "made_at", "judged_by": "made_by"})
    wide = wide.reindex(columns=list(_COLUMNS)).dropna(subset=["entity_id"])
    wide = wide.loc[wide["remark"].isin(REMARKS)]
    wide = wide.assign(made_at=pd.to_datetime(wide["made_at"], utc=True).astype("datetime64[us, UTC]"))
    texts = [name for name in _COLUMNS if name != "made_at"]
    return wide.sort_values(["made_at", "remark_id"], ignore_index=True).astype(dict.fromkeys(texts, "str"))


def set_aside(log: pd.DataFrame) -> frozenset[str]:
    """Return the entities whose flags are set aside: their latest decision says so."""
    latest = log.loc[log["remark"].isin(_DECISIONS)].drop_duplicates("entity_id", keep="last")
    return frozenset(latest.loc[latest["remark"] == "set flags aside", "entity_id"])


def without_set_aside(flags: pd.DataFrame, entities: frozenset[str]) -> pd.DataFrame:
    """Return the flags, those of the entities at weight 0."""
    return flags.assign(weight=flags["weight"].where(~flags["entity_id"].isin(entities), 0.0))
