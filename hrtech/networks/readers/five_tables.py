"""Transparency Engine's long tables, as they are: entities, static and dynamic attributes, flags and their meaning.

Column names are those of its schemas (github.com/microsoft/transparency-engine, `pipeline/schemas.py`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pandas as pd

from hrtech.networks.readers.inputs import NetworkInputs, counted, typed
from hrtech.networks.spec import NetworkError
from hrtech.sources import ColumnSpec, read_source
from hrtech.sources.files import find_files, unchanged
from hrtech.sources.read import open_part

#: Table → its columns; those in the second tuple may be missing.
TABLES: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "entity": (("EntityID",), ("EntityWeight",)),
    "static": (("EntityID", "AttributeID", "Value"), ()),
    "dynamic": (("EntityID", "AttributeID", "Value", "TimePeriod"), ()),
    "flags": (("EntityID", "FlagID"), ("Evidence",)),
    "flag_metadata": (("FlagID",), ("Category", "Name", "Description", "IsSupportingFlag", "FlagWeight")),
    "attribute_metadata": (("AttributeID",), ("Name", "Description")),
}
_TRUE: Final = frozenset({"true", "1", "1.0", "yes", "t"})
_FALSE: Final = frozenset({"false", "0", "0.0", "no", "f"})


def read_five_tables(paths: Mapping[str, str | Path], name_attribute: str | None = None) -> NetworkInputs:
    """Read the tables from files (CSV, TSV, Parquet, JSON lines, Excel).

    Args:
        paths: Table name (`TABLES`) → file, folder or glob.
        name_attribute: Static attribute that holds an entity's name.

    Raises:
        NetworkError: A table is unknown or the entities are missing.
        SourceError: A file cannot be read, or a column is missing.
    """
    frames = {}
    for table, path in paths.items():
        if table not in TABLES:
            raise NetworkError(f"There is no table '{table}'. Use {', '.join(TABLES)} [setting: tables]")
        needed, optional = TABLES[table]
        there = _header(path)
        specs = [
            ColumnSpec(name, role="text") for name in (*needed, *(one for one in optional if one in there))
        ]
        frames[table] = read_source(path, columns=specs)
    return five_tables(frames, name_attribute)


def _header(path: str | Path) -> tuple[str, ...]:
    """Return the columns of the first file."""
    file = find_files(path)[0]
    with unchanged(file.path) as data:
        return open_part(file, data, [], None, None, None, {}).names


def five_tables(frames: Mapping[str, pd.DataFrame], name_attribute: str | None = None) -> NetworkInputs:
    """Turn the tables into a study's inputs.

    Flag weights of any scale are divided by the greatest where that is above 1 (Transparency Engine scales them by
    the greatest too); a flag without metadata has weight 0 and is counted.

    Args:
        frames: Table name (`TABLES`) → frame.
        name_attribute: Static attribute that holds an entity's name.

    Raises:
        NetworkError: The entities or a column are missing.
    """
    if "entity" not in frames:
        raise NetworkError("The table 'entity' is missing: it lists the entities [setting: tables]")
    tables = {table: _checked(table, frames[table]) for table in frames}
    rejects: list[pd.DataFrame] = []
    entity = _usable(tables["entity"], "entity", rejects)
    repeated = entity["EntityID"].duplicated()
    entity = _reject(entity, repeated, "entity", "the EntityID is used by an earlier row", rejects)
    ids = set(entity["EntityID"])
    long = {
        name: _usable(tables[name], name, rejects, ids)
        for name in ("static", "dynamic", "flags")
        if name in tables
    }
    static = long.get(
        "static", pd.DataFrame(columns=["EntityID", "AttributeID", "Value", "row"], dtype="str")
    )
    names = _names(static, name_attribute)
    words = _words(tables.get("attribute_metadata"))
    flags, unknown = _flags(long.get("flags"), tables.get("flag_metadata"))
    weight = pd.to_numeric(entity["EntityWeight"], errors="coerce") if "EntityWeight" in entity else None
    numbers = {f"rows of {name}": len(frame) for name, frame in tables.items()}
    return NetworkInputs(
        entities=typed(
            "entities",
            pd.DataFrame(
                {
                    "entity_id": entity["EntityID"],
                    "name": entity["EntityID"].map(names).fillna(entity["EntityID"]),
                    "weight": weight,
                    "source": "five tables",
                }
            ),
        ),
        attributes=_renamed("attributes", static, words),
        activity=_renamed("activity", long.get("dynamic"), words),
        red_flags=flags,
        rejects=typed("rejects", pd.concat(rejects, ignore_index=True) if rejects else pd.DataFrame()),
        counts=counted(numbers | {"flags without metadata": unknown}),
    )


def _checked(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in TABLES[table][0] if name not in frame.columns]
    if missing:
        raise NetworkError(f"The table '{table}' has no column {', '.join(missing)}. Add or rename it")
    known = [name for name in (*TABLES[table][0], *TABLES[table][1]) if name in frame.columns]
    text = frame[known].reset_index(drop=True).astype("str")
    return text.assign(row=range(1, len(text) + 1))


def _usable(
    frame: pd.DataFrame, table: str, rejects: list[pd.DataFrame], ids: set[str] | None = None
) -> pd.DataFrame:
    needed = TABLES[table][0]
    frame = _reject(
        frame, frame[list(needed)].isna().any(axis=1), table, f"{' or '.join(needed)} is blank", rejects
    )
    if ids is not None:
        frame = _reject(
            frame, ~frame["EntityID"].isin(ids), table, "the entity is not in the table entity", rejects
        )
    if table != "entity":
        repeated = frame.drop(columns="row").duplicated()
        frame = _reject(frame, repeated, table, "the row repeats an earlier one", rejects)
    return frame


def _reject(
    frame: pd.DataFrame, bad: pd.Series, table: str, reason: str, rejects: list[pd.DataFrame]
) -> pd.DataFrame:
    if bad.any():
        rejects.append(pd.DataFrame({"file": table, "row": frame.loc[bad, "row"], "reason": reason}))
    return frame.loc[~bad]


def _names(static: pd.DataFrame, name_attribute: str | None) -> pd.Series:
    if name_attribute is None:
        return pd.Series(dtype="str")
    named = static.loc[static["AttributeID"] == name_attribute]
    if named.empty:
        raise NetworkError(
            f"No row of the table 'static' has the AttributeID '{name_attribute}' [setting: name_attribute]"
        )
    return named.drop_duplicates("EntityID").set_index("EntityID")["Value"]


def _words(metadata: pd.DataFrame | None) -> pd.Series:
    if metadata is None or "Name" not in metadata.columns:
        return pd.Series(dtype="str")
    return metadata.dropna(subset=["Name"]).drop_duplicates("AttributeID").set_index("AttributeID")["Name"]


def _renamed(table: str, long: pd.DataFrame | None, words: pd.Series) -> pd.DataFrame:
    if long is None:
        return typed(table, pd.DataFrame())
    kind = "attribute" if table == "attributes" else "activity"
    named = {"EntityID": "entity_id", "AttributeID": kind, "Value": "value", "TimePeriod": "period"}
    long = long.assign(AttributeID=long["AttributeID"].map(words).fillna(long["AttributeID"]))
    return typed(table, long.rename(columns=named))


def _flags(flags: pd.DataFrame | None, metadata: pd.DataFrame | None) -> tuple[pd.DataFrame, int]:
    if flags is None:
        return typed("red_flags", pd.DataFrame()), 0
    known = (
        pd.DataFrame({"FlagID": pd.Series(dtype="str")}) if metadata is None else metadata.drop(columns="row")
    )
    known = known.drop_duplicates("FlagID")
    both = flags.merge(known, on="FlagID", how="left", indicator="found")

    def column(name: str) -> pd.Series:
        return both[name] if name in both.columns else pd.Series(None, both.index, dtype="str")

    weight = pd.to_numeric(column("FlagWeight"), errors="coerce").fillna(0.0)
    if (weight < 0).any():
        raise NetworkError("A FlagWeight in the table 'flag_metadata' is negative. Weights are 0 or more")
    supporting = column("IsSupportingFlag").str.lower()
    if odd := set(supporting.dropna()) - _TRUE - _FALSE:
        raise NetworkError(
            f"{len(odd)} values of IsSupportingFlag are neither true nor false. Write one of these"
        )
    frame = pd.DataFrame(
        {
            "entity_id": both["EntityID"],
            "flag": column("Name").fillna(both["FlagID"]),
            "category": column("Category"),
            "weight": weight / max(1.0, float(weight.max() if len(weight) else 0)),
            "evidence": column("Evidence").fillna(column("Description")),
            "source": "five tables",
            "supporting": supporting.isin(_TRUE),
        }
    )
    return typed("red_flags", frame), int((both["found"] == "left_only").sum())
