"""SQL over tables of the lake: DuckDB in memory, given the tables as Arrow and shut off from everything else.

Here: questions asked outside of a run or inside of an asset. Not here: a database. DuckDB's files have one writer, so
none is shared; what is kept is a Parquet file in the lake.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from hrtech.tables import frame_from_arrow
from resources.lake_files import LakeError, zone_files


def open_lake_sql(home: Path, tables: Mapping[str, tuple[str, Sequence[str]]]) -> Any:
    """Open DuckDB, in memory, with one view per table.

    The engine reaches nothing else: no files, network, extensions or variables of the caller. It never spills to
    disk, where decrypted rows would stay behind. What it returns is as restricted as the highest table it was given.

    Args:
        home: Folder that holds all state.
        tables: View name → (zone, key).

    Returns:
        A DuckDB connection; close it.

    Raises:
        FileNotFoundError: A table is not there.
        LakeError: A table does not open.
    """
    import duckdb

    found = {view: zone_files(zone, home).read_arrow(key) for view, (zone, key) in tables.items()}
    connection = duckdb.connect(":memory:")
    connection.execute("SET temp_directory = ''")
    connection.execute("SET python_enable_replacements = false")
    for view, table in found.items():
        connection.register(view, table)
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def query(home: Path, sql: str, tables: Mapping[str, tuple[str, Sequence[str]]]) -> pd.DataFrame:
    """Ask one question of some tables of the lake, such as `query(home, "select count(*) from cases", {...})`.

    Args:
        home: Folder that holds all state.
        sql: DuckDB's SQL over the views.
        tables: View name → (zone, key), such as `{"cases": ("restricted", ["trafficking", "records"])}`.

    Returns:
        The answer with nullable types: `str`, `Int64`, `Float64`, `boolean`, `datetime64`, Arrow lists.

    Raises:
        FileNotFoundError: A table is not there.
        LakeError: A table does not open, or DuckDB cannot answer.
    """
    import duckdb

    connection = open_lake_sql(home, tables)
    try:
        answer = connection.sql(sql)
        if answer is None:
            raise LakeError("The statement answers nothing. Ask with SELECT; the lake is written by assets.")
        return frame_from_arrow(_plain_numbers(answer.to_arrow_table()))
    except (
        duckdb.ParserException,
        duckdb.BinderException,
        duckdb.CatalogException,
        duckdb.PermissionException,
    ) as problem:
        # these speak of the statement alone; others may quote a cell
        raise LakeError(f"DuckDB cannot answer: {problem}") from None
    except duckdb.Error as problem:
        raise LakeError(
            f"DuckDB cannot answer: {type(problem).__name__} on some row of {', '.join(tables)}. Its message may "
            "quote a record and is withheld; look at the casts and divisions of the query."
        ) from None
    finally:
        connection.close()


def _plain_numbers(table: Any) -> Any:
    """Sums of whole numbers come as HUGEINT, averages as decimals; nobody expects either in a frame."""
    import pyarrow as pa

    for position, field in enumerate(table.schema):
        if not pa.types.is_decimal(field.type):
            continue
        column = table.column(position)
        try:
            plain = column.cast(pa.int64() if field.type.scale == 0 else pa.float64())
        except pa.ArrowInvalid:  # beyond 64 bits
            plain = column.cast(pa.float64())
        table = table.set_column(position, field.name, plain)
    return table


def _about_the_statement() -> tuple[type[Exception], ...]:
    """DuckDB's errors that speak of the statement alone; others may quote a cell."""
    import duckdb

    return (
        duckdb.ParserException,
        duckdb.BinderException,
        duckdb.CatalogException,
        duckdb.PermissionException,
    )
