"""Jobs: everything, and one for each study. What a run makes is decided by the graph, not here."""

from collections.abc import Sequence

import dagster as dg

EVERYTHING = "everything"


def jobs(studies: Sequence[str]) -> list:
    """Return the job over all assets and one per study, named `<study>_study`."""
    return [
        dg.define_asset_job(
            EVERYTHING,
            selection=dg.AssetSelection.all(),
            description="Every study, from the records to the published pages.",
        ),
        *(
            dg.define_asset_job(
                f"{study}_study",
                selection=dg.AssetSelection.groups(study),
                description=f"All assets and checks of the study {study}.",
            )
            for study in studies
        ),
    ]
