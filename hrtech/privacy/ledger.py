"""The rules of the privacy ledger: what a release is, what it costs, and whether it may be made.

Privacy is spent by releases, not by runs. A release is identified by its key: whoever asks again with the same
population, mechanism, parameters, inputs and reissue number asks for the same bytes, at no charge. A reservation
charges once, before anything is drawn; nothing gives a charge back.

Here: pure rules over entries; this is also the public face of the parts (`accounting`, `composition`, `requests`,
`populations`, `chain`). Databases, files and clocks are in `resources.privacy_ledger`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hrtech.privacy.accounting import Charge, epsilon_of, rho_of, total
from hrtech.privacy.chain import Entry, Head, ledger_id, sealed, verify_chain
from hrtech.privacy.composition import Series, Spent, composed, epsilon_left
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
from hrtech.privacy.populations import Population, find_population, load_populations
from hrtech.privacy.requests import (
    AlsoCharged,
    ReleaseRequest,
    asset_key,
    release_key,
    reservation_body,
)

__all__ = [
    "Account",
    "AlsoCharged",
    "ApprovalMissing",
    "BudgetExhausted",
    "Charge",
    "Entry",
    "Head",
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
    "account_of",
    "asset_key",
    "budget_body",
    "budget_of",
    "charges_of",
    "charges_to",
    "check_request",
    "epsilon_of",
    "find_entry",
    "find_population",
    "ledger_id",
    "load_populations",
    "release_key",
    "reservation_body",
    "rho_of",
    "sealed",
    "spent_on",
    "total",
    "verify_chain",
]


def find_entry(entries: Sequence[Entry], kind: str, key: str) -> Entry | None:
    """Return the entry of a kind for a release, if there is one."""
    return next((entry for entry in entries if entry.kind == kind and entry.release_key == key), None)


def charge_of(entry: Entry) -> Charge:
    """Return what a reservation charged."""
    content = entry.content
    return Charge(content["rho"], content["delta"])


def charges_to(entry: Entry, population: Population) -> list[Spent]:
    """List what a reservation charged to a population under any of its names: as its own, or as a further one.

    Populations may be found to be the same people after a release charged both, and become aliases of one file. A
    person then moved the released table in both roles, by both distances together; since rho goes with the square of
    a distance and (a + b)^2 <= 2 (a^2 + b^2), each of n charges counts n times.
    """
    if entry.kind != "reserved":
        return []
    content = entry.content
    found = [Spent(charge_of(entry), series_of(entry), content.get("part") or "")]
    found = found if entry.population in population.names else []
    found += [
        Spent(Charge(one["rho"], one["delta"]))
        for one in content.get("also", ())
        if one["population"] in population.names
    ]
    return found * len(found)


def charges_of(entries: Sequence[Entry], population: Population) -> list[Spent]:
    """List what was ever charged to a population, with the people it concerns."""
    return [spent for entry in entries for spent in charges_to(entry, population)]


def series_of(entry: Entry) -> Series | None:
    """Return the series that a reservation is a part of, if it is."""
    content = entry.content
    return (entry.population, content["study"], content["series"]) if "series" in content else None


def spent_on(entries: Sequence[Entry], population: Population) -> Charge:
    """Compose what was ever charged to a population: sums, and the largest part of each series."""
    return composed(charges_of(entries, population))


@dataclass(frozen=True)
class Account:
    """Where a population stands.

    Attributes:
        population: Whose account.
        spent: Everything charged so far, of each series its largest part.
        epsilon_spent: The same as epsilon, at the population's delta.
        epsilon_left: Largest epsilon that one further release of everybody can be granted, at the population's
            delta; a release of a smaller part of a series can be granted more. Epsilons do not add up (their rho do),
            so spent and left together are more than the budget.
    """

    population: Population
    spent: Charge
    epsilon_spent: float
    epsilon_left: float


def account_of(entries: Sequence[Entry], population: Population) -> Account:
    """Work out where a population stands."""
    charges = charges_of(entries, population)
    spent, delta = composed(charges), population.delta
    return Account(
        population=population,
        spent=spent,
        epsilon_spent=epsilon_of(spent.rho, delta, spent.delta),
        epsilon_left=epsilon_left(charges, population.epsilon, delta),
    )


def check_request(
    entries: Sequence[Entry],
    population: Population,
    request: ReleaseRequest,
    also: Sequence[Population] = (),
) -> None:
    """Judge whether a release may be charged to all its populations.

    Args:
        entries: All entries.
        population: The request's population.
        request: The release.
        also: Its further populations, in the request's order.

    Raises:
        ApprovalMissing: It names fewer approvers than one of the populations needs.
        BudgetExhausted: The budget of one of the populations does not cover it.
    """
    if request.barrier == "disclosure-control" and not _approvers(request):
        raise ApprovalMissing(
            f"{request.shown}: a release under disclosure control names the person who approved "
            "it. Add approvers to the study."
        )
    _check_one(entries, population, request.spent(), request)
    for further, one in zip(also, request.also, strict=True):
        _check_one(entries, further, Spent(one.charge), request)


def _approvers(request: ReleaseRequest) -> set[str]:
    return {" ".join(name.split()).casefold() for name in request.approvers}


def _check_one(
    entries: Sequence[Entry], population: Population, further: Spent, request: ReleaseRequest
) -> None:
    """Judge what one population is asked for."""
    charge, delta = further.charge, population.delta
    if charge.is_zero:
        return
    asked = epsilon_of(charge.rho, delta, charge.delta)
    before = charges_of(entries, population)
    after = composed([*before, further])
    if epsilon_of(after.rho, delta, after.delta) > population.epsilon:
        spent = composed(before)
        raise BudgetExhausted(
            population.name,
            asked,
            epsilon_left(before, population.epsilon, delta, further.series, further.part),
            population.epsilon,
            epsilon_of(spent.rho, delta, spent.delta),
            population.may_raise,
        )
    limit, approvers = population.approve_above, _approvers(request)
    if limit is not None and asked > limit and len(approvers) < 2:
        raise ApprovalMissing(
            f"{request.shown}: epsilon {asked:.6g} is above {limit:.6g}, from where releases of "
            f"{population.name!r} need two different named approvers; the study names {len(approvers)}."
        )


def budget_body(population: Population) -> dict[str, Any]:
    """Return what the chain records of a population's file."""
    return population.model_dump(mode="json")


def budget_of(entries: Sequence[Entry], name: str) -> Entry | None:
    """Return the newest budget that the chain records for a population's name."""
    return next(
        (entry for entry in reversed(entries) if entry.kind == "budget" and entry.population == name), None
    )
