"""What is asked for when something is released, what identifies it, and what the chain records of it.

Here: requests alone. Whether one may be charged is judged in `hrtech.privacy.ledger`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hrtech.privacy.accounting import Charge
from hrtech.privacy.canonical_json import canonical_json
from hrtech.privacy.chain import mac
from hrtech.privacy.composition import Spent
from hrtech.zones import BARRIERS

#: One way to write a part, or two spellings of one year would pass as two parts with different people.
_PART: Final = re.compile(r"[a-z0-9][a-z0-9_.-]*")


@dataclass(frozen=True)
class AlsoCharged:
    """A further population that a release tells about, and what the release costs it.

    Attributes:
        population: Its name or alias.
        charge: Loss of one of its units. It adds up with everything else: a further population is never a part of
            the request's series, whose parts divide the people of the request's own population only.
    """

    population: str
    charge: Charge


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
        also: Further populations that the same release tells about, such as the perpetrators named in victims'
            records. All are charged in one transaction, or none.
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
    also: tuple[AlsoCharged, ...] = ()

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
        _check_texts("further populations", [one.population for one in self.also])
        names = [self.population, *(one.population for one in self.also)]
        if len(set(names)) != len(names):
            raise ValueError("A release request names each population once; what one loses is one charge.")
        canonical_json(self.parameters, "parameters")
        for charge in (self.charge, *(one.charge for one in self.also)):
            _check_charge(self.barrier, charge)

    @property
    def shown(self) -> str:
        """The asset as messages name it."""
        return asset_key(self.study, self.asset)

    def spent(self) -> Spent:
        """What it would charge its population."""
        series = None if self.series is None else (self.population, self.study, self.series)
        return Spent(self.charge, series, self.part or "")


def _check_charge(barrier: str, charge: Charge) -> None:
    if (barrier == "differential-privacy") == charge.is_zero:
        raise ValueError(
            "A differentially private release has a charge above 0."
            if charge.is_zero
            else f"{barrier} claims no epsilon: its charge is 0."
        )


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
        request: The release; further populations under their own names.
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
        **({"also": sorted(one.population for one in request.also)} if request.also else {}),
    }
    return mac(secret, "release", canonical_json(identity, "request"))


def _series_told(request: ReleaseRequest) -> dict[str, Any]:
    # nothing where there is no series: keys and entries are what they were before there were series
    return {} if request.series is None else {"series": request.series, "part": request.part}


def asset_key(study: str, asset: str) -> str:
    """Return `study/asset`, also where the asset came with its study."""
    return asset if asset.startswith(f"{study}/") else f"{study}/{asset}"


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
        **({"also": _also_told(request)} if request.also else {}),
    }


def _also_told(request: ReleaseRequest) -> list[dict[str, Any]]:
    return [
        {"population": one.population, "rho": one.charge.rho, "delta": one.charge.delta}
        for one in sorted(request.also, key=lambda one: one.population)
    ]
