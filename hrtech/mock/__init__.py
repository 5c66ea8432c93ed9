"""One coherent, seeded world with known truth: example data for every study, and what tests compare with.

    world = generate_world("tiny", seed=1)
    world.tables["case_records"], world.truth["truth_persons"]

`TABLE_COLUMNS` documents every column; `write_files` writes the tables as the organisations of the world
would deliver them. Nothing in it is about a real person or firm.
"""

from hrtech.mock.files import write_files
from hrtech.mock.schema import TABLE_COLUMNS, TRUTH_TABLES, VOCABULARY, Column
from hrtech.mock.world import ALL_TRUTHS, SIZES, TRUTHS, Size, World, generate_world

__all__ = [
    "ALL_TRUTHS",
    "SIZES",
    "TABLE_COLUMNS",
    "TRUTHS",
    "TRUTH_TABLES",
    "VOCABULARY",
    "Column",
    "Size",
    "World",
    "generate_world",
    "write_files",
]
