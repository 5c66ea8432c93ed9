"""EntityNetwork: entities, shared attributes, ownership and red flags → networks, owners and risk with its paths."""

from datetime import UTC, datetime
from typing import Literal

import dagster as dg
import pandas as pd
from pydantic import Field, model_validator

from assets.casework import add_casework
from assets.disclosure import Disclosure, add_disclosure
from assets.entity_network_inputs import (
    Listed,
    Patterns,
    Screening,
    Standard,
    add_lists,
    add_patterns,
    add_screens,
    add_standards,
)
from assets.entity_publication import EntityPublication, add_publication
from assets.scaffold_studies import NetworkScaffolder
from assets.settings import Settings
from assets.source import JUDGED, Source, add_records
from assets.study import Made, Output, Study, StudyAssets
from hrtech.facts import Report, facts_to_frame
from hrtech.networks import NetworkResult, NetworkSpec, build_networks
from hrtech.networks.case_pages import network_pages
from hrtech.networks.entities import counted_flags, identified, one_row_each
from hrtech.networks.exports import FORMATS, export_network
from hrtech.networks.flags import all_flags, offers, weighted
from hrtech.networks.publication_case import publication_pages
from hrtech.networks.remarks import remark_log, set_aside, without_set_aside
from hrtech.networks.telling import linked_elsewhere, network_facts, network_report, shared_attributes
from hrtech.networks.watch import add_snapshot, watch_list
from hrtech.networks.why import answers
from resources.judged import judged_fingerprint, read_judged

TABLES = {
    "nodes": "Firms and owners with their network and risk.",
    "edges": "Links with their probability and evidence.",
    "discoveries": "Pairs with more in common than chance explains, at a stated false discovery rate.",
    "co_bids": "Pairs that bid together, how far apart their bids lie, and what chance explains.",
    "activity": "Pairs that begin the same things together, or one after the other.",
    "networks": "Groups of linked firms and the flags in them.",
    "communities": "Groups that hold together more than a stated density, and how stable each is.",
    "beneficial_owners": "Who owns at least the threshold through every chain.",
    "ownership_paths": "Every chain from a beneficial owner down to a firm.",
    "control": "Who can decide in a firm by votes or by declared means, apart from shares.",
    "cycles": "Circles of ownership.",
    "paths": "The paths that each risk is made of; contributions add up to it.",
    "hubs": "Values that too many share to link anyone.",
    "sensitivity": "How the risk changes with each setting.",
    "stability": "How far the communities depend on the seed.",
    "red_flags_used": "Every red flag with its source and declared weight; those of weight 0 are shown only.",
    "rejects": "Rows of the inputs that could not be used, with the reason.",
}
SHOWN = (
    "nodes", "edges", "discoveries", "co_bids", "networks", "communities", "beneficial_owners", "control",
    "sensitivity", "hubs", "red_flags_used", "watch_list", "answers", "remarks",
)  # fmt: skip
EXPORTED = ("nodes", "edges", "paths", "beneficial_owners", "ownership_paths", "control")

NO_OWNERSHIP = pd.DataFrame(
    columns=["owner_id", "company_id", "owner_name", "share_minimum", "share_maximum"]
)
NO_FLAGS = pd.DataFrame(columns=["entity_id", "flag", "weight"])


class Entities(Settings):
    """The table of entities and the columns whose shared values may link them."""

    asset: str | None = Field(default=None, description="study/noun with the entities.")
    source: Source | None = Field(default=None, description="A file with the entities, in place of an asset.")
    id_column: str | None = Field(
        default="entity_id",
        description="Column that identifies an entity; empty: each row is one, and is numbered.",
    )
    name_column: str = Field(default="name", description="Column with its name.")
    attributes: list[str] = Field(description="Columns whose shared values may link entities.", min_length=1)
    records: bool = Field(
        default=False, description="The table holds several records of one entity, as a linkage makes it."
    )
    flags: dict[str, float] = Field(
        default={}, description="Columns that count incidents, each a red flag with this weight, 0 to 1."
    )

    @model_validator(mode="after")
    def _one_place(self) -> "Entities":
        if (self.asset is None) == (self.source is None):
            raise ValueError("name either an asset or a source with the entities")
        if bad := [name for name, weight in self.flags.items() if not 0 <= weight <= 1]:
            raise ValueError(f"the weight of {', '.join(bad)} is between 0 and 1")
        return self

    @property
    def key(self) -> str:
        """Asset that holds them: the study's own where a file is named."""
        return self.asset or "register"


@dg.scaffold_with(NetworkScaffolder)
class EntityNetwork(Study):
    """Finds who shares what with whom, who owns whom, and where red flags reach."""

    entities: Entities | None = Field(
        default=None, description="The register of entities; not needed where the sources list them."
    )
    sources: list[Standard] = Field(
        default=[],
        description="Files in published standards: BODS 0.4, OCDS 1.1, FollowTheMoney, Transparency Engine's tables.",
    )
    linked: str | None = Field(
        default=None, description="Entities of a linkage study, to tell who is in both registers."
    )
    linked_register: str | None = Field(
        default=None, description="Name of these entities' register in that study."
    )
    ownership: str | None = Field(default=None, description="Asset with owners and shares: study/noun.")
    red_flags: str | None = Field(default=None, description="Asset with red flags: study/noun.")
    flag_weights: dict[str, float] = Field(
        default={},
        description="Weight of flags that the sources raise, by flag or category, 0 to 1. Others count 0.",
    )
    lists: list[Listed] = Field(
        default=[], description="Lists of sanctioned and exposed persons and firms that a linkage compared."
    )
    tenders: str | None = Field(default=None, description="Asset with tenders: study/noun.")
    bids: str | None = Field(default=None, description="Asset with bids: study/noun.")
    amendments: str | None = Field(
        default=None, description="Asset with amendments of contracts: study/noun."
    )
    screens: Screening = Field(
        default_factory=Screening, description="How procurement screens are computed, where bids are known."
    )
    patterns: Patterns = Field(
        default_factory=Patterns, description="When shapes of ownership are flagged, where owners are known."
    )
    activity: str | None = Field(
        default=None,
        description="Asset with dated activity, entity_id, attribute, value and period: study/noun.",
    )
    watched: int = Field(default=100, ge=1, le=10_000, description="Entities on the watch list.")
    export: list[Literal["graphml", "json", "excel", "followthemoney"]] = Field(
        default=[], description="Write the network as files, kept in the restricted store."
    )
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
    publish_entities: EntityPublication | None = Field(
        default=None,
        description="Publish single entities, each with an approval of exactly what is shown, and its reply.",
    )

    @model_validator(mode="after")
    def _something_to_link(self) -> "EntityNetwork":
        if self.entities is None and not self.sources:
            raise ValueError("name entities (a register), sources (files in a published standard), or both")
        if (self.bids is None) != (self.tenders is None):
            raise ValueError("name tenders and bids together: a bid is compared within its tender's category")
        if (published := self.publish_entities) is not None:
            if self.disclose is None:
                raise ValueError("publish_entities needs disclose: the study is told before its entities are")
            if published.standing and not self.simulated:
                raise ValueError(
                    "publish_entities: evidence: standing holds for simulated studies only; name the hash"
                )
        return self

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
        inputs = _Inputs(self)
        if self.entities is not None and self.entities.source is not None:
            add_records(assets, self.entities.source, context.project_root, name="register")
        if self.sources:
            add_standards(
                assets, self.sources, context.path if context.path.is_dir() else context.path.parent
            )
        if self.lists:
            add_lists(assets, self.lists)
        if (held := inputs.bids) is not None:
            add_screens(assets, self.screens, *held)
        if (owned := inputs.patterns) is not None:
            id_column = (self.entities.id_column if self.entities else None) or "entity_id"
            add_patterns(assets, self.patterns, owned, id_column, self.ownership_threshold)
        _remarks(assets, sorted({key for key in inputs.networks.values() if key != "remarks"}))
        _networks(assets, self, inputs)
        _watch(assets, self)
        _findings(assets, self)
        publishing = self.publish_entities is not None
        add_casework(
            assets,
            self.title,
            network_report,
            tables=(*SHOWN, *(("publication_drafts",) if publishing else ())),
            pages=_pages,
        )
        if self.disclose is not None:
            add_disclosure(assets, self.disclose, self.title, network_report)
        if self.disclose is not None and self.publish_entities is not None:
            add_publication(
                assets,
                self.publish_entities,
                self.disclose.population,
                self.linked,
                self.linked_register or study,
            )
        return assets.definitions()


def _pages(study: str, **tables: pd.DataFrame) -> dict[str, Report]:
    """Return the pages of single entities: of those on the watch list, and drafts for publication."""
    drafts = tables.get("publication_drafts")
    return network_pages(study, tables) | ({} if drafts is None else publication_pages(study, drafts))


class _Inputs:
    """Which assets a study's settings name, by argument."""

    def __init__(self, study: EntityNetwork) -> None:
        self.study = study

    @property
    def bids(self) -> tuple[str, str, str | None] | None:
        """Bids, tenders and amendments; the study's own assets before those of the sources."""
        if self.study.bids and self.study.tenders:
            return self.study.bids, self.study.tenders, self.study.amendments
        if any(one.format == "ocds" for one in self.study.sources):
            return "read_bids", "read_tenders", "read_amendments"
        return None

    @property
    def patterns(self) -> dict[str, str] | None:
        """Where ownership is known: the tables that patterns are found in."""
        study = self.study
        if study.ownership and study.entities:
            found = {"entities": study.entities.key, "ownership": study.ownership}
            return found | ({"bids": study.bids} if study.bids else {})
        if study.sources and not study.ownership:
            names = ("entities", "ownership", "relationships", "unspecified", "bids", "activity")
            return {name: f"read_{name}" for name in names}
        return None

    @property
    def networks(self) -> dict[str, str]:
        """All that a network is built of."""
        study = self.study
        found = {"entities": study.entities.key} if study.entities else {}
        named = ("ownership", "red_flags", "linked", "activity")
        found |= {"remarks": "remarks"} | {name: key for name in named if (key := getattr(study, name))}
        if study.sources:
            names = ("entities", "attributes", "ownership", "red_flags")
            found |= {f"read_{name}": f"read_{name}" for name in names}
            found |= {} if study.activity else {"activity": "read_activity"}
        if study.lists:
            found["listed_flags"] = "listed_flags"
        if (held := self.bids) is not None:
            found |= {"bids": held[0], "tenders": held[1], "screen_flags": "screen_flags"}
        if self.patterns is not None:
            found["pattern_flags"] = "pattern_flags"
        return found


def _remarks(assets: StudyAssets, about: list[str]) -> None:
    @assets.asset(
        Output(
            "remarks",
            "What people said about entities: replies, corrections, decisions.",
            about_entities=True,
        ),
        zone="restricted",
        after=about,
        resources=("restricted",),
        metadata={"hrtech/source_path": JUDGED + assets.study},
    )
    def remarks(context):
        """Read what the forms of the pages recorded; it is only ever added to."""
        files = context.resources.restricted.files()
        log = remark_log(read_judged(files, assets.study))
        version = judged_fingerprint(files, assets.study)
        return Made(log, metadata={"remarks": len(log)}, tags={"hrtech/source": version[:60]})


def _networks(assets: StudyAssets, study: EntityNetwork, inputs: _Inputs) -> None:
    @assets.asset(
        *(Output(noun, words, about_entities=noun != "rejects") for noun, words in TABLES.items()),
        zone="restricted",
        inputs=inputs.networks,
        settings=study.model_dump(exclude={"publish_entities"}),  # an approval makes no network anew
        kinds=("networkx",),
    )
    def networks(context, linked=None, **frames: pd.DataFrame):
        """Link entities by what they share and own, and follow the flags."""
        result, flags = _built(study, frames)
        tables: dict[str, object] = {
            noun: getattr(result, noun) for noun in TABLES if noun != "red_flags_used"
        }
        if linked is not None:
            both = linked_elsewhere(linked, study.linked_register or assets.study)
            tables["nodes"] = result.nodes.assign(linked=result.nodes["entity_id"].isin(both))
        tables["red_flags_used"] = flags
        return tables | {"rejects": Made(result.rejects, metadata={"rows_not_used": len(result.rejects)})}


def _built(study: EntityNetwork, frames: dict[str, pd.DataFrame]) -> tuple[NetworkResult, pd.DataFrame]:
    """Bring the inputs together and build the networks; return them and all flags, of which weight 0 counts nothing."""
    entities, attributes, owners = [], [], []
    flags = [
        frames[name]
        for name in ("red_flags", "listed_flags", "screen_flags", "pattern_flags")
        if name in frames
    ]
    if study.entities is not None:
        declared = study.entities
        table = identified(frames["entities"], declared.id_column, declared.name_column)
        entities.append(one_row_each(table) if declared.records else table)
        attributes.append(shared_attributes(table, "entity_id", declared.attributes).drop_duplicates())
        if declared.flags:
            flags.append(counted_flags(table, declared.flags))
    if study.sources:
        entities.append(frames["read_entities"])
        attributes.append(frames["read_attributes"])
        owners.append(frames["read_ownership"])
        flags.append(weighted(frames["read_red_flags"], study.flag_weights))
    if study.ownership:
        owners.append(frames["ownership"])
    known = pd.concat(entities, ignore_index=True) if len(entities) > 1 else entities[0]
    if len(entities) > 1:
        known = known.drop_duplicates("entity_id", ignore_index=True)
    used = without_set_aside(all_flags(flags), set_aside(frames["remarks"]))
    result = build_networks(
        known,
        pd.concat(attributes, ignore_index=True),
        pd.concat(owners, ignore_index=True) if owners else NO_OWNERSHIP,
        used.loc[used["weight"] != 0],
        study.spec(),
        bids=offers(frames["bids"], frames["tenders"]) if "bids" in frames else None,
        activity=frames["activity"].rename(columns={"activity": "attribute"})
        if "activity" in frames
        else None,
    )
    return result, used


def _watch(assets: StudyAssets, study: EntityNetwork) -> None:
    @assets.asset(
        Output("watch_history", "Every watch list that differed from the one before.", about_entities=True),
        Output(
            "watch_list", "Who is new, has risen, fallen or gone since the last list.", about_entities=True
        ),
        Output(
            "answers",
            "Why each entity on the watch list is flagged, path by path in words.",
            about_entities=True,
        ),
        zone="restricted",
        inputs={noun: noun for noun in ("nodes", "edges", "paths", "red_flags_used")},
        settings=study.watched,
        resources=("restricted",),
    )
    def watch(context, nodes, edges, paths, red_flags_used):
        """Compare the list with the last one that differed, and say why each is on it."""
        files, key = context.resources.restricted.files(), (assets.study, "watch_history")
        before = files.read(key) if files.exists(key) else None
        history = add_snapshot(nodes, before, datetime.now(UTC), most=study.watched)
        listed = watch_list(history)
        return {
            "watch_history": history,
            "watch_list": listed,
            "answers": answers(nodes, edges, paths, listed["entity_id"], red_flags_used),
        }

    if study.export:

        @assets.asset(
            Output("exports", "The network as files for other programs.", about_entities=True),
            zone="restricted",
            inputs={noun: noun for noun in (*EXPORTED, "red_flags_used", "watch_list")},
            settings=study.export,
            kinds=tuple(sorted({FORMATS[name][0].rsplit(".", 1)[-1] for name in study.export})),
        )
        def exports(context, **tables: pd.DataFrame):
            """Write the files; they stay in the restricted store."""
            return export_network(tables, study.export)


def _findings(assets: StudyAssets, study: EntityNetwork) -> None:
    @assets.asset(
        Output("findings", "What the networks hold, in counts."),
        zone="restricted",
        inputs={noun: noun for noun in ("nodes", "networks", "beneficial_owners", "hubs")},
    )
    def findings(context, nodes: pd.DataFrame, networks, beneficial_owners, hubs):
        """State the findings."""
        return facts_to_frame(network_facts(assets.study, nodes, networks, beneficial_owners, hubs))
