"""Record linkage: which records, within or across registers, are about the same person or firm.

Belongs here: normalising names and contact details, choosing and counting blocking rules, the Fellegi-Sunter model
(Splink on DuckDB, in memory), clustering scored pairs into entities, and measuring linkage against a truth.
Does not belong here: what links *different* entities with one another (`hrtech.networks`), and reading files.
"""

from hrtech.linkage.blocking import blocking_report, suggest_blocking
from hrtech.linkage.evaluate import evaluate_linkage
from hrtech.linkage.link import LinkageResult, link_registers
from hrtech.linkage.normalise import normalise
from hrtech.linkage.spec import FieldKind, FieldSpec, LinkageError, LinkageMode, LinkageSpec

__all__ = [
    "FieldKind",
    "FieldSpec",
    "LinkageError",
    "LinkageMode",
    "LinkageResult",
    "LinkageSpec",
    "blocking_report",
    "evaluate_linkage",
    "link_registers",
    "normalise",
    "suggest_blocking",
]
