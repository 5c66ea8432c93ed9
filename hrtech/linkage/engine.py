"""What scores the pairs: Splink on DuckDB in this process, or on Spark.

Levels of comparison call functions by names of our own where the engines' SQL differs; each engine defines them here,
so that a level means the same on both.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa

from hrtech.linkage.spec import LinkageError

EngineName = Literal["duckdb", "spark"]

_DUCKDB_FUNCTIONS: Final = (
    "bits_in_common(a, b) as cast(bit_count(cast(a as bit) & cast(b as bit)) as int)",
    "words_in_common(a, b) as len(list_intersect(a, b))",
    "word_count(a) as len(a)",
    "days_apart(a, b) as abs(datediff('day', try_cast(a as date), try_cast(b as date)))",
)
_SPARK_FUNCTIONS: Final = (
    "bits_in_common(a array<bigint>, b array<bigint>) returns int "
    "return aggregate(zip_with(a, b, (x, y) -> bit_count(x & y)), 0, (sum, one) -> sum + one)",
    "words_in_common(a array<string>, b array<string>) returns int return size(array_intersect(a, b))",
    "word_count(a array<string>) returns int return size(a)",
    "days_apart(a string, b string) returns int "
    "return abs(datediff(try_cast(a as date), try_cast(b as date)))",
)
SPARK_SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "8",
        "spark.sql.session.timeZone": "UTC",
        # what does not fit into memory is put on disk encrypted
        "spark.io.encryption.enabled": "true",
        "spark.log.level": "OFF",
    }
)


class Engine(Protocol):
    """A database that Splink works on."""

    api: Any

    def register(self, table: pd.DataFrame, name: str) -> Any:
        """Hand a table over, without copying it to any disk."""

    def frame(self, sql: str) -> pd.DataFrame:
        """Return what a query finds."""

    def close(self) -> None:
        """Let go of all tables."""


def open_engine(name: EngineName) -> Engine:
    """Open an engine.

    Raises:
        LinkageError: Spark is wanted and not installed, or finds no Java.
    """
    return _DuckDB() if name == "duckdb" else _Spark()


class _DuckDB:
    def __init__(self) -> None:
        import duckdb
        from splink import DuckDBAPI

        self._connection = duckdb.connect(":memory:")
        self._connection.execute("set enable_progress_bar = false")
        for function in _DUCKDB_FUNCTIONS:
            self._connection.execute(f"create macro {function}")
        self.api = DuckDBAPI(self._connection)

    def register(self, table: pd.DataFrame, name: str) -> Any:
        return self.api.register(pa.Table.from_pandas(table, preserve_index=False), dataset_display_name=name)

    def frame(self, sql: str) -> pd.DataFrame:
        return self._connection.sql(sql).df()

    def close(self) -> None:
        self._connection.close()


class _Spark:
    """The running session if there is one, else a new one as Spark's own configuration says (local if silent)."""

    def __init__(self) -> None:
        try:
            from pyspark.errors import PySparkException
            from pyspark.sql import SparkSession
            from splink import SparkAPI
            from splink.backends.spark import similarity_jar_location
        except ImportError:
            raise LinkageError(
                "Spark is not installed. Install the extra: pip install 'hrtech-dagster[spark]' [setting: engine]"
            ) from None
        running = SparkSession.getActiveSession()
        builder = SparkSession.builder.config("spark.jars", similarity_jar_location())
        for setting, value in SPARK_SETTINGS.items():
            builder = builder.config(setting, value)
        try:
            self._session = running or builder.getOrCreate()
        except (PySparkException, RuntimeError, OSError):
            raise LinkageError(
                "Spark did not start. It needs Java 17 or later: install it, or set JAVA_HOME [setting: engine]"
            ) from None
        self._ours = running is None
        # tables in between are kept in memory: Splink's default writes them to files
        self.api = SparkAPI(spark_session=self._session, break_lineage_method="persist")
        for function in _SPARK_FUNCTIONS:
            self._session.sql(f"create or replace temporary function {function}")
        self._session.udf.registerJavaFunction(
            "jaro_winkler_similarity", "uk.gov.moj.dash.linkage.JaroWinklerSimilarity", "double"
        )

    def register(self, table: pd.DataFrame, name: str) -> Any:
        arrow = pa.Table.from_pandas(table, preserve_index=False)
        for place, column in enumerate(arrow.columns):
            if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
                words = [None if one is None else np.frombuffer(one, "<i8") for one in column.to_pylist()]
                kind = pa.list_(pa.int64())
                arrow = arrow.set_column(place, arrow.column_names[place], pa.array(words, kind))
        return self.api.register(self._session.createDataFrame(arrow), dataset_display_name=name)

    def frame(self, sql: str) -> pd.DataFrame:
        return self._session.sql(sql).toPandas()

    def close(self) -> None:
        self._session.catalog.clearCache()
        if self._ours:
            self._session.stop()
