"""Entities and red flags out of an ordinary table: one row an entity, or several records of each."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from hrtech.networks.spec import NetworkError


def identified(table: pd.DataFrame, id_column: str | None, name_column: str) -> pd.DataFrame:
    """Return the table with `entity_id` and `name`; without an id column, rows are numbered from `row-1`.

    Raises:
        NetworkError: A named column is not there, or an id is blank.
    """
    wanted = [name_column] if id_column is None else [id_column, name_column]
    if absent := [name for name in wanted if name not in table.columns]:
        raise NetworkError(
            f"The entities have no column {', '.join(absent)}. There are {', '.join(map(str, table.columns))} "
            "[setting: entities.id_column, entities.name_column]"
        )
    ids = pd.Series([f"row-{k}" for k in range(1, len(table) + 1)], index=table.index, dtype="str")
    if id_column is not None:
        if blank := int(table[id_column].isna().sum()):
            raise NetworkError(
                f"Column '{id_column}' of the entities: {blank} rows have no id. Give each one, or leave id_column "
                "empty to number the rows [setting: entities.id_column]"
            )
        ids = table[id_column].astype("str")
    return table.assign(entity_id=ids, name=table[name_column].astype("str"))


def one_row_each(table: pd.DataFrame) -> pd.DataFrame:
    """Return `entity_id, name`, one row an entity: the most frequent name of its records, the first of several."""
    counts = table.groupby(["entity_id", "name"], sort=False).size().rename("records").reset_index()
    best = counts.sort_values("records", ascending=False, kind="stable").drop_duplicates("entity_id")
    return best.sort_index()[["entity_id", "name"]].reset_index(drop=True)


def counted_flags(table: pd.DataFrame, weights: Mapping[str, float]) -> pd.DataFrame:
    """Turn columns that count incidents into red flags: one for each entity and column with a number above 0.

    Args:
        table: `entity_id` and the columns; several records of an entity are added up.
        weights: Column → weight of its flag, 0 to 1.

    Returns:
        `entity_id, flag, weight, evidence`.

    Raises:
        NetworkError: A column is not there or holds something else than numbers from 0.
    """
    parts = []
    for column, weight in weights.items():
        if column not in table.columns:
            raise NetworkError(f"The entities have no column '{column}' [setting: entities.flags]")
        counts = pd.to_numeric(table[column], errors="coerce")
        bad = (counts.isna() & table[column].notna()) | (counts < 0)
        if bad.any():
            raise NetworkError(
                f"Column '{column}' of the entities, row {int(np.flatnonzero(bad)[0]) + 1}: a count of incidents is a "
                "number from 0, or blank [setting: entities.flags]"
            )
        total = counts.groupby(table["entity_id"].to_numpy()).sum()
        total = total[total > 0]
        flag = str(column).replace("_", " ")
        parts.append(
            pd.DataFrame(
                {
                    "entity_id": total.index.astype("str"),
                    "flag": flag,
                    "weight": float(weight),
                    "evidence": [f"{value:g} recorded" for value in total],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
