"""EntityNetwork: entities, shared attributes, ownership and red flags → networks, owners and risk with its paths."""

import dagster as dg
import pandas as pd
from pydantic import Field

from assets.casework import add_casework
from assets.disclosure import Disclosure, add_disclosure
from assets.scaffold_studies import NetworkScaffolder
from assets.settings import Settings
from assets.study import Made, Output, Study, StudyAssets
from hrtech.facts import facts_to_frame
from hrtech.networks import NetworkSpec, build_networks
from hrtech.networks.telling import linked_elsewhere, network_facts, network_report, shared_attributes

TABLES = {
    "nodes": "Firms and owners with their network and risk.",
    "edges": "Links with their probability and evidence.",
    "networks": "Groups of linked firms and the flags in them.",
    "beneficial_owners": "Who owns at least the threshold through every chain.",
    "cycles": "Circles of ownership.",
    "paths": "The paths that each risk is made of; contributions add up to it.",
    "hubs": "Values that too many share to link anyone.",
    "rejects": "Rows of the inputs that could not be used, with the reason.",
}

NO_OWNERSHIP = pd.DataFrame(
    columns=["owner_id", "company_id", "owner_name", "share_minimum", "share_maximum"]
)
NO_FLAGS = pd.DataFrame(columns=["entity_id", "flag", "weight"])


class Entities(Settings):
    """The table of entities and the columns whose shared values may link them."""

    asset: str = Field(description="study/noun with one row per entity.")
    id_column: str = Field(default="entity_id", description="Column that identifies an entity.")
    name_column: str = Field(default="name", description="Column with its name.")
    attributes: list[str] = Field(description="Columns whose shared values may link entities.", min_length=1)


@dg.scaffold_with(NetworkScaffolder)
class EntityNetwork(Study):
    """Finds who shares what with whom, who owns whom, and where red flags reach."""

    entities: Entities = Field(description="The entities.")
    linked: str | None = Field(
        default=None, description="Entities of a linkage study, to tell who is in both registers."
    )
    linked_register: str | None = Field(
        default=None, description="Name of these entities' register in that study."
    )
    ownership: str | None = Field(default=None, description="Asset with owners and shares: study/noun.")
    red_flags: str | None = Field(default=None, description="Asset with red flags: study/noun.")
    max_attribute_degree: int = Field(
        default=20, ge=2, description="A value that more entities share links nobody."
    )
    min_shared: int = Field(default=1, ge=1, description="Fewest pieces of evidence for a link.")
    ownership_threshold: float = Field(
        default=25.0, gt=0, le=100, description="Share in % of a beneficial owner."
    )
    decay: float = Field(default=0.7, ge=0, le=1, description="Factor by which exposure falls with each hop.")
    max_hops: int = Field(default=3, ge=1, le=6, description="Longest path along which exposure counts.")
    disclose: Disclosure | None = Field(
        default=None,
        description="Release the headline counts under disclosure control; by default nothing leaves.",
    )

    def spec(self) -> NetworkSpec:
        """Return the settings as the science knows them."""
        return NetworkSpec(
            max_attribute_degree=self.max_attribute_degree,
            min_shared=self.min_shared,
            ownership_threshold=self.ownership_threshold,
            decay=self.decay,
            max_hops=self.max_hops,
        )

    def definitions(self, study: str, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build networks, ownership, risk, findings and pages."""
        assets = self.assets(study)
        _networks(assets, self)
        _findings(assets, self)
        add_casework(
            assets,
            self.title,
            network_report,
            tables=("nodes", "edges", "networks", "beneficial_owners", "paths"),
        )
        if self.disclose is not None:
            add_disclosure(assets, self.disclose, self.title, network_report)
        return assets.definitions()


def _networks(assets: StudyAssets, study: EntityNetwork) -> None:
    inputs = {"entities": study.entities.asset}
    inputs |= {name: key for name in ("ownership", "red_flags", "linked") if (key := getattr(study, name))}

    @assets.asset(
        *(Output(noun, words, about_entities=noun != "rejects") for noun, words in TABLES.items()),
        zone="restricted",
        inputs=inputs,
        settings=study,
        kinds=("networkx",),
    )
    def networks(context, entities, ownership=None, red_flags=None, linked=None):
        """Link entities by what they share and own, and follow the flags."""
        declared = study.entities
        result = build_networks(
            entities.rename(columns={declared.id_column: "entity_id", declared.name_column: "name"}),
            shared_attributes(entities, declared.id_column, declared.attributes),
            NO_OWNERSHIP if ownership is None else ownership,
            NO_FLAGS if red_flags is None else red_flags,
            study.spec(),
        )
        tables: dict[str, object] = {noun: getattr(result, noun) for noun in TABLES}
        if linked is not None:
            both = linked_elsewhere(linked, study.linked_register or assets.study)
            tables["nodes"] = result.nodes.assign(linked=result.nodes["entity_id"].isin(both))
        return tables | {"rejects": Made(result.rejects, metadata={"rows_not_used": len(result.rejects)})}


def _findings(assets: StudyAssets, study: EntityNetwork) -> None:
    @assets.asset(
        Output("findings", "What the networks hold, in counts."),
        zone="restricted",
        inputs={noun: noun for noun in ("nodes", "networks", "beneficial_owners", "hubs")},
    )
    def findings(context, nodes: pd.DataFrame, networks, beneficial_owners, hubs):
        """State the findings."""
        return facts_to_frame(network_facts(assets.study, nodes, networks, beneficial_owners, hubs))
