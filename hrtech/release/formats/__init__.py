"""What a release gives out as files, so that others can use it without this project.

Tables as CSV and Parquet with a data dictionary; and the descriptions that data portals, statistics offices and data
archives exchange: a Frictionless Data Package, SDMX-CSV with its structure, and a DDI codebook. All of it is computed
from what was released already, so it costs no privacy; the same release gives the same bytes, with no date of today.

Belongs here: the formats. Does not: what is released, where files go, and who may have them.
"""

from hrtech.release.formats.cells import guarded, joined, split, unguarded
from hrtech.release.formats.files import FILE_COLUMNS, files_table, release_files

__all__ = ["FILE_COLUMNS", "files_table", "guarded", "joined", "release_files", "split", "unguarded"]
