"""MockData: the simulated world with known truth that the demo and the tests stand on."""

from typing import Literal

import dagster as dg
from pydantic import Field

from assets.scaffold_studies import MockScaffolder
from assets.study import Made, Output, Study
from hrtech.mock import ALL_TRUTHS, TABLE_COLUMNS, TRUTH_TABLES, generate_world, write_files
from resources.home import hrtech_home


@dg.scaffold_with(MockScaffolder)
class MockData(Study):
    """Generates simulated records with known truth: nobody in them ever lived."""

    size: Literal["tiny", "demo", "large"] = Field(
        default="demo", description="tiny: 300 people. demo: about 12,000. large: 200,000."
    )
    seed: int = Field(default=20_260, ge=0, description="The same seed makes the same world, byte for byte.")
    without: list[str] = Field(
        default=[],
        description=f"Truths to leave out, for worlds where nothing is to be found: {', '.join(sorted(ALL_TRUTHS))}.",
    )
    deliver: list[str] = Field(
        default=[],
        description="Tables that are also written to $HRTECH_HOME/inbox/<study>/ as files, the way organisations "
        "deliver them.",
    )

    def definitions(self, study: str, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build one asset per table, the truth tables, and the delivered files."""
        assets = self.assets(study)
        planted = frozenset(ALL_TRUTHS) - set(self.without)
        settings = self.model_dump(include={"size", "seed", "without"})

        @assets.asset(
            *(Output(name, f"Simulated {name.replace('_', ' ')}.") for name in TABLE_COLUMNS),
            zone="restricted",
            settings=settings,
            kinds=("simulated",),
            generator=True,
        )
        def tables(context):
            """Generate the records."""
            return generate_world(self.size, self.seed, planted).tables

        @assets.asset(
            *(
                Output(name, f"What is true in the simulated world: {name.removeprefix('truth_')}.")
                for name in TRUTH_TABLES
            ),
            zone="public",
            settings=settings,
            kinds=("simulated",),
            generator=True,
        )
        def truth(context):
            """Generate the truth: it comes from the seed, not from the records."""
            return generate_world(self.size, self.seed, planted).truth

        for table in self.deliver:
            _delivered(assets, study, table)
        return assets.definitions()


def _delivered(assets, study: str, table: str) -> None:
    @assets.asset(
        Output(f"{table}_files", f"Simulated {table.replace('_', ' ')} as files, one for each organisation."),
        zone="restricted",
        inputs={"frame": table},
        settings=table,
        kinds=("csv",),
    )
    def deliver(context, frame):
        """Write the files and list them."""
        listing = write_files({table: frame}, hrtech_home() / "inbox" / study)
        return Made(listing, metadata={"files": len(listing)})
