"""Networks of entities: who shares what with whom, who owns whom, and where red flags reach.

Belongs here: links from shared attributes and ownership, each with a probability and its evidence; integrated
ownership and beneficial owners; networks; risk scores that decompose into the paths that made them; layouts.
Does not belong here: deciding which records are one entity (`hrtech.linkage`), and reading files.
"""

from hrtech.networks.build import NetworkResult, build_networks
from hrtech.networks.layout import layout
from hrtech.networks.ownership import Ownership, integrated_ownership
from hrtech.networks.spec import NetworkError, NetworkSpec

__all__ = [
    "NetworkError",
    "NetworkResult",
    "NetworkSpec",
    "Ownership",
    "build_networks",
    "integrated_ownership",
    "layout",
]
