"""Reading what an organisation brings: files or upstream tables, as the study declares them.

What belongs here: finding files, telling encodings and delimiters, typing columns by their declared role, naming
what is wrong by file, row, column, setting and mend. What does not: any statistic of the data, any choice of where
files lie, and any message that repeats what a cell says.

A `ColumnSpec` declares a column; `read_source` reads files and `conform` types an upstream table with it.
`suggest_columns` drafts a declaration, `read_codebook`, `read_hierarchies` and `read_labels` take value lists, their
hierarchies and their meaning from where they are documented, and `fingerprint` tells whether a source changed.
"""

from hrtech.sources.codebook import CodebookLabels, read_codebook, read_hierarchies, read_labels
from hrtech.sources.columns import ROLES, ColumnSpec, Role, band_labels, banded
from hrtech.sources.errors import SourceError
from hrtech.sources.files import fingerprint
from hrtech.sources.read import conform, read_source
from hrtech.sources.suggest import suggest_columns, words_of_name

__all__ = [
    "ROLES",
    "CodebookLabels",
    "ColumnSpec",
    "Role",
    "SourceError",
    "band_labels",
    "banded",
    "conform",
    "fingerprint",
    "read_codebook",
    "read_hierarchies",
    "read_labels",
    "read_source",
    "suggest_columns",
    "words_of_name",
]
