"""The one way out of the restricted zone: a release through the privacy ledger.

All three barriers go through `release`: differential privacy, k-anonymity and disclosure control. It reserves and
charges once, draws once, commits the bytes, and returns the same bytes ever after for the same inputs and settings.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pandas as pd

from assets.study import Made, data_version
from hrtech.privacy import AlsoCharged, Charge, ReleaseRequest
from hrtech.tables import table_from_bytes
from hrtech.zones import Barrier

#: Metadata of an asset that releases: whose budget pays; the code location checks that the policy knows them.
POPULATION = "hrtech/population"
#: Whose budget pays too.
ALSO_POPULATION = "hrtech/also_population"

NO_CHARGE = Charge(rho=0.0, delta=0.0)


@dataclass(frozen=True)
class Terms:
    """What a release is, for the ledger.

    Attributes:
        population: Whose privacy budget pays.
        barrier: Disclosure mechanism.
        mechanism: Name and declared version.
        parameters: Everything that decides the distribution of the output.
        charge: What it costs, as OpenDP's map says; nothing where there is no epsilon.
        purpose: Why, in words.
        approvers: Who allowed it.
        reissue: Raised by a person to draw, and pay, again.
        series: Name and part of a series whose parts are about different people, or None.
        also: Further populations that the release tells about, each with its charge.
    """

    population: str
    barrier: Barrier
    mechanism: str
    parameters: Mapping[str, Any]
    charge: Charge
    purpose: str
    approvers: Sequence[str] = ()
    reissue: int = 0
    series: tuple[str, str] | None = None
    also: tuple[AlsoCharged, ...] = ()


@dataclass(frozen=True)
class Released:
    """What came out of the ledger.

    Attributes:
        artefacts: Name → committed bytes.
        key: Release key; data version of every table that holds released content as it is.
        metadata: The ledger's account of it, for the UI and for lineage.
    """

    artefacts: Mapping[str, bytes]
    key: str
    metadata: Mapping[str, Any]

    def table(self, name: str) -> Made:
        """Return an artefact as a table, under the release key."""
        return self.made(table_from_bytes(self.artefacts[name]))

    def made(self, frame: pd.DataFrame) -> Made:
        """Return a table of this release, under the release key."""
        return Made(frame, metadata=self.metadata, data_version=self.key)


def release(
    context: dg.AssetExecutionContext,
    study: str,
    terms: Terms,
    inputs: Mapping[str, pd.DataFrame],
    draw: Callable[[], Mapping[str, bytes]],
) -> Released:
    """Release what `draw` makes, or return what was released before.

    Args:
        context: Context of the run; the ledger is its resource `privacy_ledger`.
        study: Study that releases.
        terms: What is released on which terms.
        inputs: Tables that the release is computed from; their content is part of its identity.
        draw: Makes the bytes of each artefact; nothing is checked between it and the ledger's commit, or noise
            would be drawn again until it looks good.

    Returns:
        The committed bytes, whoever drew them, and what the ledger says of them.
    """
    request = ReleaseRequest(
        population=terms.population,
        study=study,
        asset=min(key.to_user_string() for key in context.selected_asset_keys),
        barrier=terms.barrier,
        mechanism=terms.mechanism,
        parameters=dict(terms.parameters),
        inputs={name: data_version(frame) for name, frame in inputs.items()},
        charge=terms.charge,
        purpose=terms.purpose,
        approvers=tuple(terms.approvers),
        reissue=terms.reissue,
        series=terms.series[0] if terms.series else None,
        part=terms.series[1] if terms.series else None,
        also=terms.also,
    )
    done = context.resources.privacy_ledger.release(request, lambda: dict(draw()))
    metadata = {
        "population": done.population.name,
        "epsilon": done.epsilon,
        "delta": 0.0 if terms.charge.is_zero else done.population.delta,  # epsilon is told at this delta
        "charged_delta": done.charge.delta,
        "rho": done.charge.rho,
        "epsilon_left": done.epsilon_left,
        "release_key": done.key,
        "ledger_sequence": done.sequence,
        "ledger_head": done.head,
        "reused": done.reused,
        "also_charged": [
            {
                "population": a.population.name,
                "epsilon": a.epsilon,
                "rho": a.charge.rho,
                "epsilon_left": a.epsilon_left,
            }
            for a in done.also
        ],
    }
    return Released(done.artefacts, done.key, metadata)
