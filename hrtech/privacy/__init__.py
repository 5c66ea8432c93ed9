"""Privacy: how loss is counted, who may spend it, and the mechanisms that spend it.

The ledger's rules are in `hrtech.privacy.ledger`, what is asked of it in `requests`, the arithmetic in `accounting` and
`composition`, the register of budgets in `populations`, the readable account in `statements`. Importing this package
loads no numerical library.
"""

from hrtech.privacy.accounting import Charge, epsilon_of, rho_of
from hrtech.privacy.errors import (
    ApprovalMissing,
    BudgetExhausted,
    KeyMissing,
    LedgerError,
    LedgerRolledBack,
    LedgerTampered,
    LedgerUnavailable,
    MechanismChanged,
    PopulationError,
    PopulationUnknown,
    ReleaseUnknown,
)
from hrtech.privacy.ledger import AlsoCharged, ReleaseRequest, release_key, verify_chain
from hrtech.privacy.populations import Population, load_populations
from hrtech.privacy.statements import statement

__all__ = [
    "AlsoCharged",
    "ApprovalMissing",
    "BudgetExhausted",
    "Charge",
    "KeyMissing",
    "LedgerError",
    "LedgerRolledBack",
    "LedgerTampered",
    "LedgerUnavailable",
    "MechanismChanged",
    "Population",
    "PopulationError",
    "PopulationUnknown",
    "ReleaseRequest",
    "ReleaseUnknown",
    "epsilon_of",
    "load_populations",
    "release_key",
    "rho_of",
    "statement",
    "verify_chain",
]
