"""A release as a part of a series: whose records it takes, what the ledger is told, and what changed since."""

from typing import Literal

import pandas as pd
from pydantic import Field

from assets.settings import Settings
from assets.study import Made, Output, StudyAssets
from hrtech.release.series import SeriesPart, people_of_part
from hrtech.release.terms import read_terms
from hrtech.tables import table_from_bytes


class Series(Settings):
    """The part of a growing population that this release is about."""

    name: str = Field(description="Name of the series, the same for all its parts.", min_length=1)
    period: Literal["year", "quarter", "month"] = Field(description="How the population is divided.")
    part: str = Field(description="2024, 2024-q1 or 2024-03. Raise it for the next release.")
    people: Literal["new", "all"] = Field(
        description="new: people first recorded in this part; parts then share one charge, the largest. all: everybody "
        "until its end; charges then add up."
    )
    first_seen: str = Field(description="Column with the date of a record.")

    def science(self) -> SeriesPart:
        """Return it as the science knows it."""
        return SeriesPart(self.name, self.period, self.part, self.people, self.first_seen)


class Compared(Settings):
    """An earlier release to tell changes from."""

    release_key: str = Field(
        pattern="^[0-9a-f]{16,64}$", description="Its release key, from the ledger's statement or the page."
    )
    called: str = Field(description="What readers know it by: 2024.", min_length=1)
    false_discovery_rate: float = Field(
        default=0.05, gt=0, lt=1, description="Expected share of false ones among the changes told, at most."
    )


def records_of_part(records: pd.DataFrame, subject_id: str | None, series: Series) -> Made:
    """Select the records of a part; counts of people left out are for the data's keepers."""
    chosen = people_of_part(records, subject_id, series.first_seen, series.period, series.part, series.people)
    return Made(
        chosen.records,
        metadata={
            "people_without_date": chosen.people_without_date,
            "records_without_date": chosen.records_without_date,
            "people_before": chosen.people_before,
            "people_after": chosen.people_after,
        },
    )


def add_changes(assets: StudyAssets, compared: Compared) -> None:
    """Add the asset `changes`: this release beside the earlier one, byte for byte as the ledger keeps it."""

    @assets.asset(
        Output("changes", "What changed since an earlier release, told from the noise of both."),
        zone="released",
        inputs={"aggregates": "aggregates", "terms": "terms"},
        settings=compared,
        resources=("privacy_ledger",),
    )
    def changes(context, aggregates: pd.DataFrame, terms: pd.DataFrame):
        """Compare the two releases."""
        from hrtech.release.changes import ToldRelease, compare_releases

        kept = context.resources.privacy_ledger.again(compared.release_key)
        earlier, earlier_terms = (table_from_bytes(kept[noun]) for noun in ("aggregates", "terms"))
        before, now = read_terms(earlier_terms), read_terms(terms)
        found = compare_releases(
            ToldRelease(earlier, before["people"], before["people_sd"] or 0.0),
            ToldRelease(aggregates, now["people"], now["people_sd"] or 0.0),
            false_discovery_rate=compared.false_discovery_rate,
        )
        return Made(
            pd.concat([found.people, found.combinations], ignore_index=True),
            metadata={"family": found.family, "tests": found.tests},
        )
