"""What a CaseRelease costs and draws under either promise: charge, parameters, and the draw for the ledger."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from assets.release import NO_CHARGE
from hrtech.privacy.accounting import Charge
from hrtech.privacy.requests import AlsoCharged
from hrtech.release.declared import ReleaseSchema
from hrtech.release.terms import k_anonymous_terms, private_terms, terms_table
from hrtech.tables import table_to_bytes

if TYPE_CHECKING:
    from assets.case_release import CaseRelease

#: Raised when the distribution of what a release returns changes: of the noise or of the synthetic records.
PRIVATE = "centred-moments/1+population/1"
K_ANONYMOUS = "k-anonymity/1"
#: Added where others are linked: how their rows are bounded.
LINKED = "+linked/1"


def seeded_by(content: bytes) -> np.random.Generator:
    """A generator that follows from what is already released: the same release gives the same records."""
    return np.random.default_rng(list(hashlib.sha256(content).digest()))


#: Charge, charges of others, parameters, and the draw.
Drawn = tuple[Charge, tuple[AlsoCharged, ...], dict[str, Any], Callable[[], dict[str, bytes]]]


def private_draw(study: "CaseRelease", schema: ReleaseSchema, people: pd.DataFrame) -> Drawn:
    """Charge, parameters and draw of a release with differential privacy."""
    from hrtech.release.plan import price

    linked = study.linked
    settings = study.settings() if linked is None else linked.settings(study.settings())
    row = price(settings, schema)
    charge, also = (row, ()) if linked is None else linked.charges(row)

    def drawn() -> dict[str, bytes]:
        from hrtech.release.mechanism import draw
        from hrtech.release.publish import publish

        measured = draw(people if linked is None else linked.bounded(people), settings, schema)
        kept = measured.to_artefacts()
        told = publish(
            measured, settings, seeded_by(kept["measured.parquet"]), records=study.synthetic_records
        )
        terms = private_terms(measured, told, study.settings(), charge, study.who_says())
        tables = {
            "aggregates": told.aggregates,
            "terms": terms_table(terms),
            "synthetic_records": told.records,
        }
        return kept | {noun: table_to_bytes(table) for noun, table in tables.items() if table is not None}

    parameters = {"settings": asdict(settings), "says": study.who_says()}
    if linked is not None:
        parameters |= {"linked": linked.model_dump(exclude={"population"})}
    return charge, also, parameters, drawn


def k_anonymous_draw(study: "CaseRelease", schema: ReleaseSchema, people: pd.DataFrame) -> Drawn:
    """Charge, parameters and draw of a k-anonymous release."""
    from hrtech.release.k_anonymity import KAnonymitySettings, release_k_anonymous

    asked = study.k_anonymity.model_dump() if study.k_anonymity else {}
    settings = KAnonymitySettings(
        **asked, reporting_length=study.reporting_length, records=study.synthetic_records
    )

    def drawn() -> dict[str, bytes]:
        made = release_k_anonymous(people, settings, schema, np.random.default_rng())
        terms = k_anonymous_terms(made, study.who_says())
        tables = {
            "aggregates": made.aggregates,
            "terms": terms_table(terms),
            "synthetic_records": made.records,
        }
        return {noun: table_to_bytes(table) for noun, table in tables.items() if table is not None}

    return NO_CHARGE, (), {"settings": asdict(settings), "says": study.who_says()}, drawn
