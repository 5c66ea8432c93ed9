"""Lists of sanctioned and exposed persons and firms, as red flags of the entities that were found on them.

Belongs here: what a list says of its entries becomes flags with the list as source. Does not belong here: which
entity an entry is; that is a linkage of the list with the register, by name, date and identifiers.
"""

import pandas as pd

from hrtech.networks.readers.inputs import typed
from hrtech.networks.spec import NetworkError


def flags_from_list(
    entries: pd.DataFrame,
    linked: pd.DataFrame,
    *,
    source: str,
    category: str,
    list_register: str,
    entity_register: str,
    weight: float = 0.0,
    id_column: str = "id",
) -> pd.DataFrame:
    """Raise a flag for every entity that a linkage found on a list.

    Args:
        entries: The list, one row per entry: `id_column`, and where known `program` or `sanctions` (what it is
            listed for), `first_seen` and `last_seen` (dates), as in OpenSanctions' `targets.simple.csv`.
        linked: `register, record_id, entity_id`, and where known `match_probability`, as a linkage makes it.
        source: Name of the list.
        category: Category of the flags, such as `sanctions list` or `exposed person`.
        list_register: Name of the list in the linkage.
        entity_register: Name of the entities' register in the linkage.
        weight: Declared weight of being listed, 0 to 1. It is multiplied by the probability of the match.
        id_column: Column that identifies an entry.

    Returns:
        `red_flags` as `COLUMNS` has them; `entity_id` is the record id of the entities' register.

    Raises:
        NetworkError: A column or a register is missing, or the weight is not between 0 and 1.
    """
    if not 0 <= weight <= 1:
        raise NetworkError("The weight of a list is between 0 and 1 [setting: weight]")
    for name, frame, needed in (
        ("list", entries, (id_column,)),
        ("linked", linked, ("register", "record_id", "entity_id")),
    ):
        if missing := [column for column in needed if column not in frame.columns]:
            raise NetworkError(f"The table '{name}' has no column {', '.join(missing)}. Add or rename it")
    registers = set(linked["register"])
    for register in (list_register, entity_register):
        if register not in registers:
            raise NetworkError(f"The linkage has no register '{register}' [setting: register]")
    sure = (
        linked["match_probability"] if "match_probability" in linked.columns else pd.Series(1.0, linked.index)
    )
    known = linked[["register", "record_id", "entity_id"]].assign(sure=sure.astype("float64").fillna(1.0))
    listed = known.loc[known["register"] == list_register]
    ours = known.loc[known["register"] == entity_register]
    both = ours.merge(listed, on="entity_id", suffixes=("", "_listed"))
    both = both.merge(
        entries.assign(record_id_listed=entries[id_column].astype("str")), on="record_id_listed"
    )
    why = next((both[name] for name in ("program", "sanctions") if name in both.columns), None)
    probability = both[["sure", "sure_listed"]].min(axis=1)
    words = (
        "entry " + both["record_id_listed"] + probability.map(lambda p: f", match {p:.0%}" if p < 1 else "")
    )
    if why is not None:
        words = words.where(why.isna(), words + ": " + why.astype("str"))
    frame = pd.DataFrame(
        {
            "entity_id": both["record_id"],
            "flag": f"on {source}",
            "category": category,
            "weight": weight * probability,
            "evidence": words,
            "source": source,
            "supporting": False,
            "from_date": both.get("first_seen"),
        }
    )
    frame = frame.sort_values(
        ["entity_id", "weight", "evidence"], ascending=[True, False, True], ignore_index=True
    )
    return typed("red_flags", frame)
