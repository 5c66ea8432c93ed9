"""The rules of the privacy ledger: what a release is, what it costs, and whether it may be made.

Privacy is spent by releases, not by runs. A release is identified by its key: whoever asks again with the same
population, mechanism, parameters, inputs and reissue number asks for the same bytes, at no charge. A reservation
charges once, before anything is drawn; nothing gives a charge back.

Here: pure rules over entries; this is also the public face of the parts (`accounting`, `populations`, `chain`,
`statements`). Databases, files and clocks are in `resources.privacy_ledger`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hrtech.privacy.accounting import Charge, epsilon_of, rho_of, total
from hrtech.privacy.canonical_json import canonical_json
from hrtech.privacy.chain import Entry, Head, ledger_id, mac, sealed, verify_chain
from hrtech.privacy.composition import Spent, composed, epsilon_left
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
from hrtech.zones import BARRIERS

__all__ = [
    "Account",
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

#: One way to write a part, or two spellings of one year would pass as two parts with different people.
_PART: Final = re.compile(r"[a-z0-9][a-z0-9_.-]*")


@dataclass(frozen=True)
class ReleaseRequest:
    """One release, as it is asked for.

    Attributes:
        population: Name or alias of the population whose privacy is spent.
        study: Study that asks.
        asset: Asset that is released, as a noun or as `study/noun`.
        barrier: `differential-privacy`, `k-anonymity` or `disclosure-control`.
        mechanism: Name and declared version of the mechanism; raised only when the distribution of its output
            changes.
        parameters: Everything besides the inputs that decides the output. JSON values; stored in the ledger.
        inputs: Keyed content hashes of the inputs, by their role in the mechanism or in a fixed order.
        charge: Loss by OpenDP's map; 0 for the barriers that claim no epsilon.
        purpose: Why, in words.
        approvers: Names of those who approve.
        reissue: Raised by one for a fresh draw of the same release, at a new charge.
        series: Series of releases that this one is a part of, or None. Releases of one population by one study with
            the same series and different parts are about disjoint people, and compose in parallel
            (`hrtech.privacy.composition`). Nobody checks that here: `hrtech.release.series` makes such parts.
        part: Its part: lower case, digits, `_ . -`.
    """

    population: str
    study: str
    asset: str
    barrier: str
    mechanism: str
    parameters: Mapping[str, Any]
    inputs: Mapping[str, str] | Sequence[str]
    charge: Charge
    purpose: str
    approvers: Sequence[str] = ()
    reissue: int = 0
    series: str | None = None
    part: str | None = None

    def __post_init__(self) -> None:
        for name in ("population", "study", "asset", "mechanism", "purpose"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                raise ValueError(f"A release request needs {name}, in words.")
        if self.barrier not in BARRIERS:
            raise ValueError(f"A release request's barrier is one of {', '.join(BARRIERS)}.")
        if isinstance(self.reissue, bool) or not isinstance(self.reissue, int) or self.reissue < 0:
            raise ValueError("A release request's reissue is a whole number from 0.")
        _check_texts("inputs", self.inputs.values() if isinstance(self.inputs, Mapping) else self.inputs)
        if not self.inputs:
            raise ValueError("A release request names the content of at least one input.")
        _check_texts("approvers", self.approvers)
        _check_series(self.series, self.part)
        canonical_json(self.parameters, "parameters")
        if (self.barrier == "differential-privacy") == self.charge.is_zero:
            raise ValueError(
                "A differentially private release has a charge above 0."
                if self.charge.is_zero
                else f"{self.barrier} claims no epsilon: its charge is 0."
            )

    @property
    def shown(self) -> str:
        """The asset as messages name it."""
        return asset_key(self.study, self.asset)

    def spent(self) -> Spent:
        """What it would charge its population."""
        series = None if self.series is None else (self.study, self.series)
        return Spent(self.charge, series, self.part or "")


def _check_series(series: str | None, part: str | None) -> None:
    if series is None and part is None:
        return
    if series is None or part is None:
        raise ValueError("A release request names both series and part, or neither.")
    if not isinstance(series, str) or not series.strip() or series != series.strip():
        raise ValueError("A release request's series is a text without blanks around it.")
    if not isinstance(part, str) or not _PART.fullmatch(part):
        raise ValueError("A release request's part is lower case letters, digits, and _ . - inside: 2024-03.")


def _check_texts(name: str, values: Any) -> None:
    if isinstance(values, str | bytes) or not all(
        isinstance(value, str) and value.strip() for value in values
    ):
        raise ValueError(f"A release request's {name} are a list of texts, none of them blank.")


def release_key(secret: bytes, request: ReleaseRequest, population: str | None = None) -> str:
    """Return the identity of a release: HMAC-SHA256 over everything that decides its bytes.

    Study, asset, purpose and approvers are left out: whoever asks for the same thing gets the same bytes, and a
    renamed asset spends nothing. The key reveals nothing to those without the secret, so it may be published.

    Args:
        secret: The ledger's key.
        request: The release.
        population: The population's own name, where the request gives an alias.

    Returns:
        64 hexadecimal digits.
    """
    identity = {
        "population": population or request.population,
        "barrier": request.barrier,
        "mechanism": request.mechanism,
        "parameters": request.parameters,
        "inputs": request.inputs,
        "reissue": request.reissue,
        **_series_told(request),
    }
    return mac(secret, "release", canonical_json(identity, "request"))


def _series_told(request: ReleaseRequest) -> dict[str, Any]:
    # nothing where there is no series: keys and entries are what they were before there were series
    return {} if request.series is None else {"series": request.series, "part": request.part}


def asset_key(study: str, asset: str) -> str:
    """Return `study/asset`, also where the asset came with its study."""
    return asset if asset.startswith(f"{study}/") else f"{study}/{asset}"


def find_entry(entries: Sequence[Entry], kind: str, key: str) -> Entry | None:
    """Return the entry of a kind for a release, if there is one."""
    return next((entry for entry in entries if entry.kind == kind and entry.release_key == key), None)


def charge_of(entry: Entry) -> Charge:
    """Return what a reservation charged."""
    content = entry.content
    return Charge(content["rho"], content["delta"])


def charges_of(entries: Sequence[Entry], population: Population) -> list[Spent]:
    """List what was ever charged to a population under any of its names, with the people it concerns."""
    return [
        Spent(charge_of(entry), series_of(entry), entry.content.get("part") or "")
        for entry in entries
        if entry.kind == "reserved" and entry.population in population.names
    ]


def series_of(entry: Entry) -> tuple[str, str] | None:
    """Return study and name of the series that a reservation is a part of, if it is."""
    content = entry.content
    return (content["study"], content["series"]) if "series" in content else None


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


def check_request(entries: Sequence[Entry], population: Population, request: ReleaseRequest) -> None:
    """Judge whether a release may be charged.

    Raises:
        ApprovalMissing: It names fewer approvers than it needs.
        BudgetExhausted: The population's budget does not cover it.
    """
    charge, delta = request.charge, population.delta
    asked = epsilon_of(charge.rho, delta, charge.delta)
    approvers = {" ".join(name.split()).casefold() for name in request.approvers}
    if request.barrier == "disclosure-control" and not approvers:
        raise ApprovalMissing(
            f"{request.shown}: a release under disclosure control names the person who approved "
            "it. Add approvers to the study."
        )
    if charge.is_zero:
        return
    before, further = charges_of(entries, population), request.spent()
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
    limit = population.approve_above
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


def reservation_body(request: ReleaseRequest) -> dict[str, Any]:
    """Return what the chain records of a release that is charged."""
    return {
        "study": request.study,
        "asset": request.asset,
        "barrier": request.barrier,
        "mechanism": request.mechanism,
        "parameters": request.parameters,
        "inputs": request.inputs,
        "reissue": request.reissue,
        "purpose": request.purpose,
        "approvers": list(request.approvers),
        "rho": request.charge.rho,
        "delta": request.charge.delta,
        **_series_told(request),
    }
