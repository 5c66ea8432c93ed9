"""How the charges of one population compose: in sequence, and in parallel over the parts of a series.

Charges add up, except for releases about different people. A *series* divides a population into *parts*: each person
belongs to one part, decided by that person's own data alone, and a release of a part looks at the people of that part
only. Then the population is charged the largest part of the series, not the sum.

Why. Let two data sets differ by one person, added or removed, who belongs to part p. That nobody else's part depends
on them means that every other part is the same in both, so every release of another part has the same distribution in
both, whatever was released before it: it adds 0 to the divergence. What is left are the releases of p, which add up
(zCDP composes by addition for releases chosen by what earlier ones said: Bun and Steinke 2016; also where their costs
are so chosen, as long as the sum stays within a budget fixed beforehand: Feldman and Zrnic 2021). For that person the
loss is (rho of p, delta of p); the person may belong to any part, so each of the two is at most its maximum over the
parts. With several series and releases outside of any, a person is in one part of each, so maxima and the rest add up.
A person replaced by another counts as one removed and one added, as everywhere in this ledger.

What it rests on, and no ledger can see: that the parts are disjoint. A person whose data were corrected between two
releases may be in two parts, and then loses the sum of both (`hrtech.release.series` makes the parts).

Here: arithmetic of charges. Which entries charge whom is read in `hrtech.privacy.ledger`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from hrtech.privacy.accounting import Charge, epsilon_of, rho_of, total

#: Population, study and name. Two studies may divide people by different records, and populations that are found to be
#: the same people and become one may each have divided them otherwise: such series have no parts in common.
Series = tuple[str, str, str]


@dataclass(frozen=True)
class Spent:
    """One charge to a population.

    Attributes:
        charge: The loss.
        series: The series that it is a part of; None: it concerns everybody.
        part: The part of the series.
    """

    charge: Charge
    series: Series | None = None
    part: str = ""


def parts_of(spent: Iterable[Spent]) -> dict[Series, dict[str, Charge]]:
    """Add up the charges of each part of each series; what belongs to no series is left out."""
    found: dict[Series, dict[str, list[Charge]]] = {}
    for one in spent:
        if one.series is not None:
            found.setdefault(one.series, {}).setdefault(one.part, []).append(one.charge)
    return {
        series: {part: total(charges) for part, charges in parts.items()} for series, parts in found.items()
    }


def largest(parts: Iterable[Charge]) -> Charge:
    """Return the loss of whoever is in one of several disjoint parts: the maximum of each of rho and delta."""
    listed = list(parts)
    return Charge(
        max((charge.rho for charge in listed), default=0.0),
        max((charge.delta for charge in listed), default=0.0),
    )


def composed(spent: Iterable[Spent]) -> Charge:
    """Return what charges amount to for anybody: sums, and the largest part of each series; rounded up."""
    listed = list(spent)
    alone = [one.charge for one in listed if one.series is None]
    return total([*alone, *(largest(parts.values()) for parts in parts_of(listed).values())])


def epsilon_left(
    spent: Sequence[Spent],
    budget: float,
    delta: float,
    series: Series | None = None,
    part: str = "",
) -> float:
    """Return the largest epsilon that one further release can be granted.

    Args:
        spent: Everything charged so far.
        budget: Epsilon of the whole budget.
        delta: Delta of the budget.
        series: Series of the further release; None: it concerns everybody.
        part: Its part.

    Returns:
        Epsilon at `delta`; 0 where nothing is left. In a part that is smaller than the largest of its series more is
        left than for everybody.
    """
    now = composed(spent)
    allowed = rho_of(budget, delta, now.delta)
    if now.rho > allowed or now.delta >= delta:
        return 0.0
    own = parts_of(spent).get(series, {}) if series is not None else {}
    # what the part lies below the largest one costs nothing more; rounded down
    head = (
        Fraction(largest(own.values()).rho) - Fraction(own.get(part, Charge(0.0)).rho) if own else Fraction()
    )
    left = float(Fraction(allowed) - Fraction(now.rho) + head)
    return epsilon_of(max(0.0, left), delta)
