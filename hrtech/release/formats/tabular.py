"""The tables themselves, as CSV for people and spreadsheets and as Parquet for programs."""

import pyarrow as pa
import pyarrow.parquet as pq

from hrtech.release.formats.cells import Joined, csv_table, joined
from hrtech.release.formats.content import Content


def aggregates_csv(content: Content) -> bytes:
    """The aggregates; numbers as they are, blank where there is none."""
    table = content.aggregates_table
    return csv_table(table.column_names, zip(*(c.to_pylist() for c in table.columns), strict=True))


def aggregates_parquet(content: Content) -> bytes:
    """The aggregates as one Parquet file."""
    return parquet(content.aggregates_table)


def synthetic_csv(table: pa.Table) -> bytes:
    """The synthetic records; several values of a cell joined with `;`, blank for unknown."""
    columns = [
        [None if cell is None else Joined(joined(cell)) for cell in column.to_pylist()]
        if pa.types.is_list(column.type)
        else column.to_pylist()
        for column in table.columns
    ]
    return csv_table(table.column_names, zip(*columns, strict=True))


def parquet(table: pa.Table) -> bytes:
    """A table as one Parquet file that any reader opens: snappy, no metadata of ours."""
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(None), sink, compression="snappy")
    return sink.getvalue().to_pybytes()
