"""What can go wrong with the privacy ledger, as types.

Messages name populations, studies, files and quantities of privacy; never a value of the data, a parameter of a
request or a part of a key. All survive pickling, so that they cross process boundaries whole.
"""

from decimal import ROUND_DOWN, Context


class LedgerError(RuntimeError):
    """The ledger refuses; the message says why and how to mend it. Asking again changes nothing."""


class BudgetExhausted(LedgerError):
    """A release asks for more than its population's budget can still grant.

    Attributes:
        population: Whose budget.
        asked: Epsilon of the request, at the population's delta.
        left: Largest epsilon that one further release can still be granted, at the population's delta.
        budget: Epsilon of the whole budget.
        spent: Epsilon of everything spent so far.
        may_raise: Who may raise the budget.
    """

    def __init__(
        self,
        population: str,
        asked: float,
        left: float,
        budget: float,
        spent: float,
        may_raise: tuple[str, ...],
    ):
        super().__init__(population, asked, left, budget, spent, may_raise)
        self.population, self.asked, self.left = population, asked, left
        self.budget, self.spent, self.may_raise = budget, spent, may_raise

    def __str__(self) -> str:
        return (
            f"The privacy budget of {self.population!r} is exhausted: this release asks for epsilon "
            f"{self.asked:.6g}, at most {_rounded_down(self.left)} can still be granted (spent {self.spent:.6g} of "
            f"{self.budget:.6g}). Nothing was charged. Ask for less, or let {' or '.join(self.may_raise)} "
            f"raise epsilon in {self.population}.yaml of the populations."
        )


def _rounded_down(value: float) -> str:
    # an amount that is asked for as it was read here must be granted
    context = Context(prec=6, rounding=ROUND_DOWN)
    return f"{context.create_decimal(value).normalize():f}"


class LedgerRolledBack(LedgerError):
    """The ledger is behind a manifest that it wrote itself: an older copy was put in its place."""


class LedgerTampered(LedgerError):
    """The chain or the kept bytes do not hold together: something was edited, removed, moved or added."""


class KeyMissing(LedgerError):
    """The ledger's key is missing, readable by others, or belongs to another ledger."""


class PopulationUnknown(LedgerError):
    """No reviewed file names this population."""


class ApprovalMissing(LedgerError):
    """The request needs approvers that it does not name."""


class MechanismChanged(LedgerError):
    """A reserved release would now cost more than was charged: its mechanism needs a new version."""


class ReleaseUnknown(LedgerError):
    """The ledger holds no bytes of a release with this key."""


class LedgerUnavailable(LedgerError):
    """The ledger's database cannot be reached or is held by somebody else. Asking again may help."""


class PopulationError(ValueError):
    """A population file, or the register as a whole, is not valid; the message names file and field."""
