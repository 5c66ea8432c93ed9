"""EvidenceSite: facts and reports of released studies → a static public site, published by an act of approval."""

import dagster as dg
import pandas as pd
from pydantic import Field

from assets.release_files import gives
from assets.scaffold_studies import EvidenceScaffolder
from assets.study import Made, Output, Study, data_version, key_of
from hrtech.facts import report_from_frame
from hrtech.pages import render_evidence, site_hash
from hrtech.pages.downloads import NOUN as FILES
from hrtech.pages.entities import NOUN as ENTITIES
from resources.lineage import trace


@dg.scaffold_with(EvidenceScaffolder)
class EvidenceSite(Study):
    """Builds the public pages of some studies, with the files that they release, and publishes what was approved."""

    summary: str = Field(description="The paragraph that opens the site.", max_length=2000)
    studies: list[str] = Field(
        description="Studies to tell, in this order; each has released `facts` and a `report`.", min_length=1
    )
    organisation: str = Field(
        default="", description="Who publishes, for the foot of each page.", max_length=200
    )

    def definitions(self, study: str, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build the candidate and the published site."""
        assets = self.assets(study)
        offered, single = (
            {index: name for index, name in enumerate(self.studies) if gives(name, noun, context)}
            for noun in (FILES, ENTITIES)
        )
        inputs = {
            f"{noun}_{index}": f"{name}/{noun}"
            for index, name in enumerate(self.studies)
            for noun in (
                "facts",
                "report",
                *((FILES,) if index in offered else ()),
                *((ENTITIES,) if index in single else ()),
            )
        }

        @assets.asset(
            Output(
                "candidate", "The pages as they would be published; not public before a person approves them."
            ),
            zone="released",
            inputs=inputs,
            settings=self,
            kinds=("html",),
        )
        def candidate(context, **frames):
            """Render facts and reports; every number links to the fact, asset, run and ledger row behind it."""
            lineage = trace(context.instance, [key_of(name) for name in inputs.values()])
            pages = render_evidence(
                [report_from_frame(frames[f"report_{index}"]) for index in range(len(self.studies))],
                pd.concat(
                    [frames[f"facts_{index}"] for index in range(len(self.studies))], ignore_index=True
                ),
                lineage,
                title=self.title,
                summary=self.summary,
                publisher=self.organisation,
                simulated=self.simulated,
                downloads={name: frames[f"{FILES}_{index}"] for index, name in offered.items()},
                entities={name: frames[f"{ENTITIES}_{index}"] for index, name in single.items()},
            )
            return Made(pages, metadata={"pages": len(pages), "candidate": site_hash(pages)})

        @assets.asset(
            Output("site", "The published site; `index.html` opens from disk or any web host."),
            zone="public",
            inputs={"pages": "candidate"},
            settings=self.title,
            kinds=("html",),
            resources=("publisher",),
            publishes=True,
        )
        def site(context, pages):
            """Publish the candidate that a person approved; pages of entities that no longer hold go first."""
            name = site_hash(pages)
            context.resources.publisher.withdraw(pages)
            folder, approval = context.resources.publisher.publish(
                study, name, pages, simulated=self.simulated
            )
            listing = pages[["path", "media_type"]]
            return Made(
                listing,
                metadata={
                    "approved_by": approval.approved_by,
                    "candidate": name,
                    "page": str(folder / "index.html"),
                },
                data_version=data_version(pages),
            )

        return assets.definitions()
