"""Rows that are more than memory holds: written to disk as they come, and then queried.

Belongs here: batches of rows as Parquet files in a temporary folder, and a DuckDB connection over them that spills
to the same folder. The folder is readable by its owner alone and is removed at the end.
"""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hrtech.tables import frame_from_arrow

_BATCH: Final = 20_000


class Spool:
    """Tables that grow row by row on disk. Use it as a context manager."""

    def __init__(self, schemas: Mapping[str, pa.Schema], memory: str = "1GB") -> None:
        self._schemas = dict(schemas)
        self._memory = memory
        self._rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in schemas}
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._connection: Any = None

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="hrtech-")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()
        for writer in self._writers.values():
            writer.close()
        self._folder.cleanup()

    def add(self, table: str, row: tuple[Any, ...]) -> None:
        """Add a row: values in the order of the table's schema."""
        rows = self._rows[table]
        rows.append(row)
        if len(rows) >= _BATCH:
            self._flush(table)

    def _flush(self, table: str) -> None:
        schema = self._schemas[table]
        columns = list(zip(*self._rows[table], strict=True)) or [()] * len(schema)
        arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
        if table not in self._writers:
            self._writers[table] = pq.ParquetWriter(self._path(table), schema, compression="zstd")
        self._writers[table].write_table(pa.Table.from_arrays(arrays, schema=schema))
        self._rows[table] = []

    def _path(self, table: str) -> Path:
        return Path(self._folder.name) / f"{table}.parquet"

    def done(self, *tables: str) -> None:
        """Finish writing these tables, or all; each is then a view of its name."""
        import duckdb

        if self._connection is None:
            self._connection = duckdb.connect(
                config={"memory_limit": self._memory, "temp_directory": self._folder.name, "threads": 2}
            )
        for table in tables or [name for name in self._schemas if name in self._rows]:
            self._flush(table)
            self._writers.pop(table).close()
            del self._rows[table]
            self._connection.execute(
                f"CREATE VIEW {table} AS SELECT * FROM read_parquet('{self._path(table)}')"
            )

    def run(self, statement: str) -> None:
        """Run a statement that makes a table or a view."""
        self._connection.execute(statement)

    def frame(self, query: str) -> pd.DataFrame:
        """Return the result of a query in the project's column types."""
        return frame_from_arrow(self._connection.sql(query).to_arrow_table())

    def rows(self, query: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query, some at a time."""
        cursor = self._connection.cursor().execute(query)
        while batch := cursor.fetchmany(1_000):
            yield from batch


def columns(**types: str) -> pa.Schema:
    """Make a schema of `name="text"`, `"int"`, `"float"` or `"bool"`."""
    known = {"text": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
    return pa.schema([(name, known[kind]) for name, kind in types.items()])
