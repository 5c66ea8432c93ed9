"""The lake as Dagster and the rest of the project see it: a store per zone, and plain functions.

`lake_resources()` gives the three stores under the names of the zones, and a default store that refuses, so that an
asset that forgets its zone fails instead of pickling records into the working directory. Outside of a run, tables
are read with `read_table` and asked with `query` (DuckDB, in memory).

A store writes pandas frames and puts row count, column names and types into the metadata: never a sample. How files
lie and who may open them is in `resources.lake_files`, what SQL may do in `resources.lake_sql`.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_origin

import dagster as dg
import pandas as pd
from pydantic import Field

from hrtech.tables import TableError
from hrtech.zones import ZONES
from resources.keys import KeyFileError
from resources.lake_files import LakeError, Partition, ZoneFiles, zone_files
from resources.lake_sql import open_lake_sql, query

__all__ = [
    "LakeError",
    "RefusingIOManager",
    "ZoneStore",
    "lake_resources",
    "list_tables",
    "open_lake_sql",
    "query",
    "read_table",
    "table_exists",
    "write_table",
]

#: Where Dagster looks for the columns of a table.
COLUMN_SCHEMA: Final = "dagster/column_schema"


@contextlib.contextmanager
def _refusals_told() -> Iterator[None]:
    """Turn a refusal into a failure whose words are shown even where Dagster masks the errors of runs.

    They name assets, files and settings, never a value, and trying again changes nothing.
    """
    try:
        yield
    except (LakeError, TableError, KeyFileError, FileNotFoundError) as refusal:
        raise dg.Failure(description=str(refusal), allow_retries=False) from None


class ZoneStore(dg.ConfigurableIOManager):
    """Stores the tables of one zone; one Parquet file per asset and partition."""

    zone: str = Field(description="restricted, released or public; an asset's hrtech/zone tag must agree.")
    home: str | None = Field(
        default=None,
        description="Folder with the keys; $HRTECH_HOME unless given, found when a run needs it.",
    )
    base: str | None = Field(
        default=None,
        description="The lake: a folder or an object store's URL without credentials. By default $HRTECH_LAKE, "
        "else lake/ in the home.",
    )
    encrypt: bool | None = Field(
        default=None, description="Encrypt at rest; by default in the restricted zone only."
    )

    def files(self) -> ZoneFiles:
        """Return this zone's files."""
        return zone_files(self.zone, Path(self.home) if self.home else None, self.base, self.encrypt)

    @_refusals_told()
    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Write one table.

        None means that the asset keeps nothing in the lake: nothing is written.

        Raises:
            dagster.Failure: Not an asset of this zone, not a frame, several partitions at once, or the table cannot be
                stored.
        """
        key = self._key_of_output(context)
        if obj is None:
            return
        if not isinstance(obj, pd.DataFrame):
            raise LakeError(
                f"{'/'.join(key)} returned a {type(obj).__module__}.{type(obj).__qualname__}. The lake stores "
                "pandas data frames: return one, or None for nothing."
            )
        path = self.files().write(key, obj, _partition_of_output(context))
        context.add_output_metadata(
            {
                "lake/path": path,
                "dagster/row_count": len(obj),
                COLUMN_SCHEMA: _schema(obj, context.definition_metadata.get(COLUMN_SCHEMA)),
            }
        )

    def _key_of_output(self, context: dg.OutputContext) -> Sequence[str]:
        if not context.has_asset_key:
            raise LakeError(
                f"The {self.zone} store keeps assets only, not the output {context.name!r} of a step. "
                "Build an asset with StudyAssets."
            )
        key = context.asset_key.path
        zone = context.asset_spec.tags.get("hrtech/zone")
        if zone != self.zone:
            raise LakeError(
                f"{'/'.join(key)} is {zone or 'without a zone'} and would be written to the {self.zone} store. "
                "Its hrtech/zone tag and its store must be the same."
            )
        return key

    @_refusals_told()
    def load_input(self, context: dg.InputContext) -> pd.DataFrame | dict[str, pd.DataFrame]:
        """Read one table; for several partitions, or an input annotated as dict, one table per partition key.

        With `allow_missing_partitions: true` in the input's metadata, partitions that are not there are left out.

        Raises:
            dagster.Failure: A table is not there, or does not open.
        """
        files, key = self.files(), context.asset_key.path
        if not context.has_asset_partitions:
            return files.read(key)
        names = list(context.asset_partition_keys)
        hint = context.dagster_type.typing_type
        if len(names) == 1 and not (hint is dict or get_origin(hint) in (dict, Mapping)):
            return files.read(key, _dimensions(names[0]))
        lenient = bool((context.definition_metadata or {}).get("allow_missing_partitions", False))
        return {
            str(name): files.read(key, _dimensions(name))
            for name in names
            if not lenient or files.exists(key, _dimensions(name))
        }


def _schema(frame: pd.DataFrame, declared: Any) -> dg.TableSchema:
    """Names and types of a frame's columns, with what they mean where the asset declares it."""
    words: dict[str, str | None] = {}
    if declared is not None:
        schema = getattr(declared, "schema", declared)
        words = {column.name: column.description for column in schema.columns}
    return dg.TableSchema(
        columns=[
            dg.TableColumn(str(name), str(frame[name].dtype), words.get(str(name))) for name in frame.columns
        ]
    )


def _partition_of_output(context: dg.OutputContext) -> Partition:
    if not context.has_asset_partitions:
        return None
    names = list(context.asset_partition_keys)
    if len(names) != 1:
        raise LakeError(
            f"{context.asset_key.to_user_string()} made {len(names)} partitions in one run. Launch one run per "
            "partition (dg.BackfillPolicy.multi_run())."
        )
    return _dimensions(names[0])


def _dimensions(name: str) -> Partition:
    if isinstance(name, dg.MultiPartitionKey):
        return [part for _, part in sorted(name.keys_by_dimension.items())]
    return name


class RefusingIOManager(dg.ConfigurableIOManager):
    """The default store: refuses, so that no asset is stored without a zone."""

    @_refusals_told()
    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Refuse to write anything but None, which is nothing."""
        if obj is not None:
            raise LakeError(_refusal(context))

    @_refusals_told()
    def load_input(self, context: dg.InputContext) -> Any:
        """Refuse to read."""
        raise LakeError(_refusal(context))


def _refusal(context: dg.OutputContext | dg.InputContext) -> str:
    what = context.asset_key.to_user_string() if context.has_asset_key else f"the output {context.name!r}"
    return (
        f"Nothing says where {what} may be kept, so it is neither written nor read. Declare its zone: build it "
        f"with StudyAssets.asset(zone=...), or give it the tag hrtech/zone and the io_manager_key of one of "
        f"{', '.join(ZONES)}."
    )


def lake_resources(home: Path | None = None, base: str | None = None) -> dict[str, dg.ConfigurableIOManager]:
    """Return the stores under the names that assets ask for: one per zone, and a default that refuses.

    Nothing is opened or looked up until a run needs it.

    Args:
        home: Folder with the keys; `$HRTECH_HOME` by default.
        base: The lake; by default `$HRTECH_LAKE`, else `lake/` in the home.
    """
    folder = str(home) if home else None
    return {
        **{zone: ZoneStore(zone=zone, home=folder, base=base) for zone in ZONES},
        "io_manager": RefusingIOManager(),
    }


def read_table(home: Path, zone: str, key: Sequence[str], partition: Partition = None) -> pd.DataFrame:
    """Read a table outside of a run.

    Args:
        home: Folder that holds all state.
        zone: Its zone.
        key: `(study, noun)`.
        partition: Partition key; for several dimensions one key each, in the order of the dimensions' names.

    Raises:
        FileNotFoundError: There is no such table.
        LakeError: It does not open.
    """
    return zone_files(zone, home).read(key, partition)


def write_table(
    home: Path, zone: str, key: Sequence[str], frame: pd.DataFrame, partition: Partition = None
) -> None:
    """Write a table outside of a run, replacing an older one in one step.

    Raises:
        LakeError: It cannot be stored.
    """
    zone_files(zone, home).write(key, frame, partition)


def table_exists(home: Path, zone: str, key: Sequence[str], partition: Partition = None) -> bool:
    """Whether the lake holds a table; it is not opened."""
    return zone_files(zone, home).exists(key, partition)


def list_tables(home: Path, zone: str) -> list[tuple[str, ...]]:
    """List the tables of a zone, sorted: `(study, noun)`, and `(study, noun, partition...)` for partitions."""
    return zone_files(zone, home).tables()
