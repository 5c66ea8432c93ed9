"""Where a network study's tables come from besides its own register: published standards, lists, screens, patterns."""

from dataclasses import fields
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import Field, model_validator

from assets.settings import Settings
from assets.source import resolve_path
from assets.study import Made, Output, StudyAssets
from hrtech.networks.ownership import integrated_ownership
from hrtech.networks.patterns import PatternSpec, ownership_patterns
from hrtech.networks.readers import (
    NetworkInputs,
    flags_from_list,
    read_bods,
    read_five_tables,
    read_followthemoney,
    read_ocds,
    together,
)
from hrtech.networks.screens import ScreenSpec, procurement_screens
from hrtech.networks.spec import Rejects

#: Noun → table of `NetworkInputs`.
READ = {f"read_{one.name}": one.name for one in fields(NetworkInputs)}
_ABOUT_NOBODY = {"read_rejects", "read_counts", "read_tenders", "read_amendments"}


class Standard(Settings):
    """Files in a published standard."""

    format: Literal["bods", "ocds", "followthemoney", "five_tables"] = Field(
        description="bods: beneficial ownership statements, version 0.4. ocds: open contracting releases, 1.1. "
        "followthemoney: entities. five_tables: the long tables of Transparency Engine."
    )
    path: str | None = Field(
        default=None,
        description="File, folder or glob, also packed as .gz or .zip: absolute, relative to this study's folder, "
        "below $HRTECH_HOME/, or a URL. Not for five_tables.",
    )
    tables: dict[str, str] = Field(
        default={},
        description="five_tables only: entity, static, dynamic, flags, flag_metadata and attribute_metadata, each with "
        "its file.",
    )
    name_attribute: str | None = Field(
        default=None, description="five_tables only: AttributeID of the static attribute that holds names."
    )
    category_length: int = Field(
        default=2,
        ge=1,
        le=20,
        description="ocds only: characters of the classification within which bids are compared; 2 are a CPV division.",
    )
    delivered_by: str | None = Field(
        default=None, description="Asset that writes these files, if this project does: study/noun."
    )

    @model_validator(mode="after")
    def _one_origin(self) -> "Standard":
        if (self.format == "five_tables") != bool(self.tables) or (self.path is None) != bool(self.tables):
            raise ValueError("name the tables for five_tables, and a path for every other format")
        return self

    def read(self, root: Path) -> NetworkInputs:
        """Read the files; relative paths start from `root`."""
        if self.format == "five_tables":
            paths = {name: resolve_path(path, root) for name, path in self.tables.items()}
            return read_five_tables(paths, self.name_attribute)
        path = resolve_path(str(self.path), root)
        if self.format == "ocds":
            return read_ocds(path, self.category_length)
        return read_bods(path) if self.format == "bods" else read_followthemoney(path)


class Listed(Settings):
    """A list of sanctioned or exposed persons and firms that a linkage study compared with the register."""

    asset: str = Field(description="study/noun with one row per entry of the list.")
    linked: str = Field(
        description="Entities of the linkage study that compared the list with the register: study/noun."
    )
    list_register: str = Field(description="Name of the list in that study.")
    entity_register: str = Field(description="Name of these entities' register in that study.")
    source: str = Field(description="Name of the list, as flags cite it.")
    category: str = Field(description="Category of the flags, such as sanctions list or exposed person.")
    id_column: str = Field(default="id", description="Column that identifies an entry.")
    weight: float = Field(
        default=0.0, ge=0, le=1, description="Weight of being listed, times the match's probability."
    )


class Screening(Settings):
    """How procurement screens are computed and weighed."""

    min_bids: int = Field(
        default=3, ge=3, description="Fewest bids in a tender for the spread of its prices."
    )
    min_meetings: int = Field(default=4, ge=3, description="Fewest tenders in which two firms met.")
    min_tenders: int = Field(default=3, ge=1, description="Fewest tenders of a firm or a buyer.")
    min_peers: int = Field(default=20, ge=2, description="Fewest of a category for a rank within it.")
    flagged_share: float = Field(
        default=0.02, gt=0, le=0.5, description="Share of the highest ranks that are flagged."
    )
    weights: dict[str, float] = Field(
        default={},
        description="Weight of each screen as a red flag, 0 to 1; a screen not named is shown and counts 0.",
    )

    def spec(self) -> ScreenSpec:
        """Return the settings as the science knows them."""
        return ScreenSpec(**self.model_dump())


class Patterns(Settings):
    """When shapes of ownership are flagged, and how they weigh."""

    nominee_companies: int = Field(
        default=10, ge=2, description="Companies from which an owner may be a nominee."
    )
    shell_layers: int = Field(
        default=2, ge=1, description="Companies between a shell and its ultimate owner."
    )
    secrecy_jurisdictions: list[str] = Field(
        default=[], description="Jurisdictions that you take to be secret, as the register writes them."
    )
    weights: dict[str, float] = Field(
        default={}, description="Weight of each pattern as a red flag, 0 to 1; a pattern not named counts 0."
    )

    def spec(self) -> PatternSpec:
        """Return the settings as the science knows them."""
        return PatternSpec(**self.model_dump())


def add_standards(assets: StudyAssets, sources: list[Standard], root: Path) -> None:
    """Add `read_entities` and the other tables that files in published standards hold."""

    @assets.asset(
        *(
            Output(
                noun, f"Read from published standards: {table.replace('_', ' ')}.", noun not in _ABOUT_NOBODY
            )
            for noun, table in READ.items()
        ),
        zone="restricted",
        after=sorted({one.delivered_by for one in sources if one.delivered_by}),
        settings=sources,
        kinds=("duckdb",),
    )
    def read_standards(context):
        """Read statements, releases and entities; what cannot be used stands in read_rejects."""
        made = together(one.read(root) for one in sources)
        tables: dict[str, object] = {noun: getattr(made, table) for noun, table in READ.items()}
        return tables | {"read_rejects": Made(made.rejects, metadata={"not_used": len(made.rejects)})}


def add_lists(assets: StudyAssets, lists: list[Listed]) -> None:
    """Add `listed_flags`: who is on a list, with the list as source."""
    inputs = {f"list_{number}": one.asset for number, one in enumerate(lists)}
    inputs |= {f"linked_{number}": one.linked for number, one in enumerate(lists)}

    @assets.asset(
        Output(
            "listed_flags", "Entities that were found on lists, with the list as source.", about_entities=True
        ),
        zone="restricted",
        inputs=inputs,
        settings=lists,
    )
    def listed(context, **frames):
        """Raise a flag for each entity that the linkage found on a list."""
        parts = [
            flags_from_list(
                frames[f"list_{number}"],
                frames[f"linked_{number}"],
                **one.model_dump(exclude={"asset", "linked"}),
            )
            for number, one in enumerate(lists)
        ]
        return pd.concat(parts, ignore_index=True)


def add_screens(
    assets: StudyAssets, settings: Screening, bids: str, tenders: str, amendments: str | None
) -> None:
    """Add `screens`, `screen_flags` and `screen_rejects`."""
    inputs = {"bids": bids, "tenders": tenders, **({"amendments": amendments} if amendments else {})}

    @assets.asset(
        Output("screens", "Procurement screens: each number, ranked in its category.", about_entities=True),
        Output(
            "screen_flags", "The highest ranks as red flags, with their innocent causes.", about_entities=True
        ),
        Output("screen_rejects", "Bids and tenders that the screens could not use."),
        zone="restricted",
        inputs=inputs,
        settings=settings,
    )
    def screens(context, bids, tenders, amendments=None):
        """Compute the screens."""
        found = procurement_screens(bids, tenders, settings.spec(), amendments=amendments)
        return {"screens": found.numbers, "screen_flags": found.red_flags, "screen_rejects": found.rejects}


def add_patterns(
    assets: StudyAssets, settings: Patterns, inputs: dict[str, str], id_column: str, threshold: float
) -> None:
    """Add `pattern_flags`.

    Args:
        assets: The study's assets.
        settings: Thresholds and weights.
        inputs: Asset keys of `entities`, `ownership`, and where there are `relationships, unspecified, bids, activity`.
        id_column: Column that identifies an entity.
        threshold: Share of a beneficial owner in per cent.
    """

    @assets.asset(
        Output(
            "pattern_flags", "Circles, nominees, shells and owners who are not named.", about_entities=True
        ),
        zone="restricted",
        inputs=inputs,
        settings=[settings, id_column, threshold],
    )
    def patterns(
        context, entities, ownership, relationships=None, unspecified=None, bids=None, activity=None
    ):
        """Flag shapes of ownership that call for a look."""
        firms = entities.rename(columns={id_column: "entity_id"})
        found = integrated_ownership(ownership, set(firms["entity_id"]), threshold, Rejects())
        acting = [
            set(frame.rename(columns={"company_id": "entity_id"})["entity_id"].dropna())
            for frame in (bids, activity)
            if frame is not None and len(frame)
        ]
        return ownership_patterns(
            found,
            firms,
            settings.spec(),
            relationships=relationships,
            unspecified=unspecified,
            active=set().union(*acting) if acting else None,
        )
