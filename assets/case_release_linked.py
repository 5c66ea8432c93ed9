"""A release that tells about two kinds of people, victims and perpetrators: both are protected and charged."""

import secrets
from collections.abc import Sequence

import numpy as np
import pandas as pd
from pydantic import Field

from assets.settings import Settings
from assets.study import Made
from hrtech.privacy.accounting import Charge
from hrtech.privacy.requests import AlsoCharged
from hrtech.release.declared import ReleaseError, ReleaseSchema, ReleaseSettings
from hrtech.release.linked import (
    bound_linked,
    charge_of_people,
    join_linked,
    linked_charge,
    linked_said,
    linked_settings,
)


class Linked(Settings):
    """The other people whom the records tell about, such as perpetrators."""

    population: str = Field(
        description="Their population: a file in policy/populations/ that is charged too."
    )
    id: str = Field(description="Column with their identifier, one or several in a cell; never released.")
    columns: list[str] = Field(
        description="All released columns that tell about them; one forgotten protects nobody.", min_length=1
    )
    at_most: int = Field(
        ge=1,
        le=100,
        description="In how many people's records one of them may tell something; beyond it these columns are unknown. "
        "Their privacy loss grows with it.",
    )

    def check(self, schema: ReleaseSchema) -> None:
        """Refuse what cannot be priced, before any record is read.

        Raises:
            ReleaseError: A column has no declared values, or one that tells about them is not released.
        """
        strangers = sorted(set(self.columns) - set(schema.by_name))
        if strangers:
            raise ReleaseError(f"linked.columns: {', '.join(strangers)} is no column that is released")
        if schema.undeclared:
            names = ", ".join(c.name for c in schema.undeclared)
            raise ReleaseError(f"linked: declare the values of all columns; {names} has none")

    def settings(self, settings: ReleaseSettings) -> ReleaseSettings:
        """Settings to draw with, so that a person's loss is at most the declared epsilon."""
        return linked_settings(settings)

    def charges(self, charge: Charge) -> tuple[Charge, tuple[AlsoCharged, ...]]:
        """What a person pays, and what the linked pay, where one row of the table costs `charge`."""
        return charge_of_people(charge), (AlsoCharged(self.population, linked_charge(charge, self.at_most)),)

    def join(self, records: pd.DataFrame, subject_id: str | None, columns: Sequence[str]) -> Made:
        """Join the records of each person, with everybody whom they name."""
        joined, conflicts = join_linked(records, subject_id, columns, self.id, self.columns)
        return Made(joined, metadata={"people": len(joined), "columns_with_conflicts": len(conflicts)})

    def bounded(self, people: pd.DataFrame) -> pd.DataFrame:
        """People in whose rows nobody linked tells too often, chosen anew for each draw; without identifiers."""
        rng = np.random.Generator(np.random.PCG64(secrets.randbits(128)))
        return bound_linked(people, self.id, self.at_most, self.columns, rng).people

    def said(self) -> str:
        """What readers must know of it."""
        return linked_said(self.columns, self.at_most)
