"""What scores the pairs: Splink on DuckDB in this process, or on Spark.

Levels of comparison call functions by names of our own where the engines' SQL differs; each engine defines them here,
so that a level means the same on both.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol
from uuid import uuid4

import numpy as np
import pandas as pd
import pyarrow as pa

from hrtech.linkage.spec import LinkageError

EngineName = Literal["duckdb", "spark"]

_DUCKDB_FUNCTIONS: Final = (
    # rounded: a similarity of exactly a threshold reaches it, however the engine adds up
    "alike(a, b) as round(jaro_winkler_similarity(a, b), 9)",
    "letters_apart(a, b) as damerau_levenshtein(a, b)",
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
    errors: tuple[type[Exception], ...]

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

        self.errors: tuple[type[Exception], ...] = (duckdb.Error,)
        self._connection = duckdb.connect(":memory:")
        self._connection.execute("set enable_progress_bar = false")
        # levels may be an expert's SQL, which has no business with files or networks
        self._connection.execute("set enable_external_access = false")
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
        except ImportError:
            raise LinkageError(
                "Spark is not installed. Install the extra: pip install 'hrtech-dagster[spark]' [setting: engine]"
            ) from None
        running = SparkSession.getActiveSession()
        builder: Any = SparkSession.builder
        for setting, value in SPARK_SETTINGS.items():
            builder = builder.config(setting, value)
        try:
            self._session = running or builder.getOrCreate()
        except (PySparkException, RuntimeError, OSError):
            raise LinkageError(
                "Spark did not start. It needs Java 17 or later: install it, or set JAVA_HOME [setting: engine]"
            ) from None
        self._ours = running is None
        self.errors: tuple[type[Exception], ...] = (PySparkException,)
        self._views: list[str] = []
        # tables in between are kept in memory: Splink's default writes them to files
        self.api = SparkAPI(
            spark_session=self._session, break_lineage_method="persist", register_udfs_automatically=False
        )
        for function in _SPARK_FUNCTIONS:
            self._session.sql(f"create or replace temporary function {function}")
        for function, python in _similarities().items():
            self._session.udf.register(function, python)

    def register(self, table: pd.DataFrame, name: str) -> Any:
        arrow = pa.Table.from_pandas(table, preserve_index=False)
        for place, column in enumerate(arrow.columns):
            if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
                words = [None if one is None else np.frombuffer(one, "<i8") for one in column.to_pylist()]
                kind = pa.list_(pa.int64())
                arrow = arrow.set_column(place, arrow.column_names[place], pa.array(words, kind))
        # the session may be shared, and hold the tables of another linkage
        view = f"{name}_{uuid4().hex}"
        self._views.append(view)
        frame = self._session.createDataFrame(arrow)
        return self.api.register(frame, dataset_display_name=name, table_name=view)

    def frame(self, sql: str) -> pd.DataFrame:
        return self._session.sql(sql).toPandas()

    def close(self) -> None:
        for view in self._views:
            self._session.catalog.dropTempView(view)
        self._session.catalog.clearCache()
        if self._ours:
            self._session.stop()


def _similarities() -> dict[str, Any]:
    """Return similarities of texts as Spark functions, by the library that DuckDB computes them with.

    Splink's own for Spark count transpositions otherwise, so that a pair of names could fall on another level.
    """
    from pyspark.sql import functions

    make: Any = functions.pandas_udf
    return {
        "alike": make(_of_pairs(_jaro_winkler), "double"),
        "letters_apart": make(_of_pairs(_damerau_levenshtein), "double"),
    }


def _of_pairs(measure: Callable[[str, str], float]) -> Callable[[pd.Series, pd.Series], pd.Series]:
    def measured(left: pd.Series, right: pd.Series) -> pd.Series:
        pairs = zip(left, right, strict=True)
        known = [(isinstance(a, str) and isinstance(b, str), a, b) for a, b in pairs]
        return pd.Series([measure(a, b) if both else None for both, a, b in known], dtype="Float64")

    return measured


def _jaro_winkler(left: str, right: str) -> float:
    from rapidfuzz.distance import JaroWinkler

    return round(float(JaroWinkler.similarity(left, right)), 9)


def _damerau_levenshtein(left: str, right: str) -> float:
    from rapidfuzz.distance import DamerauLevenshtein

    return float(DamerauLevenshtein.distance(left, right))
