"""All files of a release at once."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from hrtech.release.declared import ReleaseColumn
from hrtech.release.formats.content import content_of
from hrtech.release.formats.ddi import ddi_codebook
from hrtech.release.formats.dictionary import dictionary_csv, dictionary_html
from hrtech.release.formats.package import data_package
from hrtech.release.formats.readme import readme
from hrtech.release.formats.sdmx import sdmx_csv, sdmx_structure
from hrtech.release.formats.tabular import aggregates_csv, aggregates_parquet, parquet, synthetic_csv
from hrtech.sources import CodebookLabels

#: Columns of the table of files.
FILE_COLUMNS: Final = ("name", "media_type", "about", "content")

_CSV: Final = "text/csv; charset=utf-8"
_PARQUET: Final = "application/vnd.apache.parquet"
#: Every file that a release may have, in the order in which a reader meets them: media type and what it is.
KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "README.txt": (
        "text/plain; charset=utf-8",
        "what these files are, what they promise and how to read them",
    ),
    "aggregates.csv": (_CSV, "released counts, one combination of attributes a row"),
    "aggregates.parquet": (_PARQUET, "the same counts, for programs"),
    "synthetic_records.csv": (
        _CSV,
        "synthetic records, one a row",
    ),
    "synthetic_records.parquet": (_PARQUET, "the same synthetic records, for programs"),
    "data_dictionary.csv": (_CSV, "every column and value with its meaning"),
    "data_dictionary.html": ("text/html; charset=utf-8", "the same, to read"),
    "datapackage.json": (
        "application/json",
        "all files with schema, size and SHA-256 (Frictionless Data Package)",
    ),
    "aggregates_sdmx.csv": (
        "application/vnd.sdmx.data+csv; version=2.0.0",
        "single attributes and pairs for statistics offices (SDMX-CSV 2.0)",
    ),
    "sdmx_structure.json": (
        "application/vnd.sdmx.structure+json; version=2.0.0",
        "dimensions and code lists of the SDMX table (SDMX-JSON 2.0)",
    ),
    "ddi_codebook.xml": ("application/xml", "codebook for data archives (DDI-Codebook 2.5)"),
}


def release_files(
    *,
    name: str,
    title: str,
    columns: Sequence[ReleaseColumn],
    aggregates: pd.DataFrame,
    terms: Mapping[str, Any],
    synthetic_records: pd.DataFrame | None = None,
    description: str = "",
    licence: str = "",
    organisation: str = "",
    labels: CodebookLabels | None = None,
) -> dict[str, bytes]:
    """Write everything that a release gives out.

    Args:
        name: Short name of the release, such as its study, in `[a-z0-9._-]`.
        title: Title.
        columns: The released columns with all their values, those found privately included.
        aggregates: One row a combination: `length`, `attributes` (canonical text, `hrtech.counts`), `count`; where
            noise was added also `low`, `high`, `sd`.
        terms: The promise: `promise` (a barrier); for differential privacy `epsilon`, `delta` and the `confidence` of
            the intervals; for k-anonymity `k`; and, if known, `unit` ("person"), `people` with `people_low`,
            `people_high` and `people_sd`, `expected_false_share`, `released_at` (the ledger's time, RFC 3339), `says`,
            `warnings` and `explained`. Whatever else is there (mechanism, population, release key) must be JSON and is
            passed on; `columns` is not.
        synthetic_records: One row a record, one column a released column, lists where it is multi-valued; None
            where there are none.
        description: What the data are about, in paragraphs.
        licence: Identifier of a licence, or a sentence on the terms of use.
        organisation: Who releases it.
        labels: What columns and values mean (`hrtech.sources.read_labels`).

    Returns:
        Name → content, in reading order. The same input gives the same bytes.

    Raises:
        ReleaseError: Columns without values, aggregates or records that are not of these columns, or terms without a
            promise.
    """
    content = content_of(
        name=name,
        title=title,
        description=description,
        licence=licence,
        organisation=organisation,
        columns=columns,
        aggregates=aggregates,
        synthetic_records=synthetic_records,
        terms=terms,
        labels=labels,
    )
    made = {
        "aggregates.csv": aggregates_csv(content),
        "aggregates.parquet": aggregates_parquet(content),
        "data_dictionary.csv": dictionary_csv(content),
        "data_dictionary.html": dictionary_html(content),
        "aggregates_sdmx.csv": sdmx_csv(content),
        "sdmx_structure.json": sdmx_structure(content),
        "ddi_codebook.xml": ddi_codebook(content),
    }
    if (synthetic := content.synthetic_table) is not None:
        made["synthetic_records.csv"] = synthetic_csv(synthetic)
        made["synthetic_records.parquet"] = parquet(synthetic)
    notes = {file: about for file, (_, about) in KINDS.items()}
    made["README.txt"] = readme(content, _ordered({**made, "datapackage.json": b""}), notes)
    described = {file: (*KINDS[file], data) for file, data in _ordered(made).items()}
    made["datapackage.json"] = data_package(content, described)
    return _ordered(made)


def files_table(files: Mapping[str, bytes]) -> pd.DataFrame:
    """The files as a table, columns as in `FILE_COLUMNS`: what lies in the lake, and what a site offers."""
    return pd.DataFrame(
        {
            "name": pd.array(list(files), dtype="str"),
            "media_type": pd.array([KINDS[name][0] for name in files], dtype="str"),
            "about": pd.array([KINDS[name][1] for name in files], dtype="str"),
            "content": pd.Series(list(files.values()), dtype="object"),
        }
    )


def _ordered(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: files[name] for name in KINDS if name in files}
