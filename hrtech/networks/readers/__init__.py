"""Readers of published standards: statements, releases and entities from files into the tables of a network study.

Belongs here: BODS 0.4, OCDS 1.1, FollowTheMoney, the five long tables of Transparency Engine, and lists of sanctioned
and exposed persons; each record validated, and none dropped without a count or a reason. Does not belong here: what
the tables mean for a network.
"""

from hrtech.networks.readers.bods import read_bods
from hrtech.networks.readers.five_tables import five_tables, read_five_tables
from hrtech.networks.readers.followthemoney import read_followthemoney
from hrtech.networks.readers.inputs import NetworkInputs, together
from hrtech.networks.readers.lists import flags_from_list
from hrtech.networks.readers.ocds import read_ocds

__all__ = [
    "NetworkInputs",
    "five_tables",
    "flags_from_list",
    "read_bods",
    "read_five_tables",
    "read_followthemoney",
    "read_ocds",
    "together",
]
