"""Publication of single entities as a component's setting: drafts, what they lack, and the pages that hold.

Everything about an entity stays restricted until a declaration names the hash of exactly what its page shows. The page
then leaves through the ledger, charged nothing; what does not hold any more is withdrawn with the next run.
"""

import datetime as dt
from collections.abc import Mapping

import dagster as dg
import pandas as pd
from pydantic import Field, model_validator

from assets.release import NO_CHARGE, POPULATION, Terms, release
from assets.settings import Settings
from assets.study import Made, Output, StudyAssets
from hrtech.networks.publication import STANDING, Publication, Rules, Told
from hrtech.networks.publication_drafts import publication_drafts, released_pages
from hrtech.networks.publication_page import NOUN, Known
from hrtech.networks.telling import match_probabilities
from hrtech.tables import table_to_bytes

#: Raised only when the rule of what is released changes.
MECHANISM = "entity-publication/1"
#: Tables of the study that a page is made of.
READ = ("nodes", "edges", "paths", "red_flags_used", "beneficial_owners", "control")
_DAY = r"^\d{4}-\d{2}-\d{2}$"


def _day(words: str) -> Field:
    return Field(default=None, pattern=_DAY, description=f"{words}: YYYY-MM-DD.")


class Telling(Settings):
    """What may be told of an entity."""

    flags: list[str] = Field(default=[], description="Its own red flags that may be told, by name.")
    links: list[str] = Field(
        default=[], description="Kinds of its links that may be told: an attribute, ownership, co-bid."
    )
    owners: bool = Field(default=False, description="Who stands behind it, as kinds and shares.")
    score: bool = Field(
        default=False, description="Its score, and the paths over told links that it is made of."
    )
    evidence: bool = Field(default=True, description="The words of each flag's evidence, besides its source.")

    @model_validator(mode="after")
    def _something(self) -> "Telling":
        if not (self.flags or self.links or self.owners or self.score):
            raise ValueError("nothing may be told: name flags, links, owners or score under tell")
        return self


class PublishedEntity(Settings):
    """One entity that is to be published."""

    entity: str = Field(description="Its id in the study.", min_length=1)
    tell: Telling = Field(description="What may be told; nothing else is.")
    ground: str = Field(description="The legal or public-interest ground, in words.", min_length=10)
    explanations: dict[str, str] = Field(
        default={},
        description="Flag or kind of link, and what else may explain it. Needed for flags that are the study's own.",
    )
    names: list[str] = Field(
        default=[], description="Other entities that the page may name: published too, or declared public."
    )
    evidence: str = Field(
        default="",
        pattern=f"^([0-9a-f]{{64}}|{STANDING})?$",
        description="Hash of the draft that was approved, from casework; standing: simulated data only.",
    )
    approved_by: list[str] = Field(default=[], description="Who approved it, by name.")
    approved_on: str | None = _day("Day of the approval")
    checked_on: str | None = _day("Day when somebody last checked it, where later than the approval")
    asked_on: str | None = _day("Day when it was given the chance to reply")
    reply: str = Field(default="", description="Its reply, in its own words.")
    replied_on: str | None = _day("Day of the reply")
    correction: str = Field(default="", description="What it corrected, in its own words.")
    corrected_on: str | None = _day("Day of the correction")
    withdrawn: str = Field(default="", description="Why it is withdrawn; its page is no longer told.")
    notice: bool = Field(
        default=False,
        description="Where it was published and is withdrawn: leave a page that says so, and why.",
    )

    @model_validator(mode="after")
    def _days_belong(self) -> "PublishedEntity":
        for words, day in (("reply", "replied_on"), ("correction", "corrected_on")):
            if bool(getattr(self, words)) != bool(getattr(self, day)):
                raise ValueError(f"name {words} and {day} together")
        for name in ("approved_on", "checked_on", "asked_on", "replied_on", "corrected_on"):
            if (day := getattr(self, name)) is not None:
                try:
                    dt.date.fromisoformat(day)
                except ValueError:
                    raise ValueError(f"{name} is no day of the calendar") from None
        return self

    def declared(self) -> Publication:
        """Return it as the science knows it."""
        given = self.model_dump(exclude={"entity", "tell"})
        days = {
            name: value and dt.date.fromisoformat(value)
            for name, value in given.items()
            if name.endswith("_on")
        }
        lists = {name: tuple(given[name]) for name in ("names", "approved_by")}
        tell = self.tell.model_dump()
        told = Told(**(tell | {name: tuple(tell[name]) for name in ("flags", "links")}))
        return Publication(entity_id=self.entity, tell=told, **(given | days | lists))


class EntityPublication(Settings):
    """Which entities are published, one by one."""

    purpose: str = Field(description="Why entities are published, for the ledger.", min_length=3)
    contact: str = Field(description="How anybody asks for a correction, as the pages say it.", min_length=3)
    public: dict[str, str] = Field(
        default={},
        description="Entity that pages may name without being published, and the public source that names it for what "
        "is told here.",
    )
    days_to_reply: int = Field(default=14, ge=1, description="Days that an entity has to reply.")
    recheck_after_days: int = Field(
        default=365, ge=1, description="Days after which a page is withdrawn unless it was checked again."
    )
    entities: list[PublishedEntity] = Field(description="The entities.", min_length=1)

    @model_validator(mode="after")
    def _each_once(self) -> "EntityPublication":
        ids = [one.entity for one in self.entities]
        if twice := sorted({place for place, one in enumerate(ids, start=1) if ids.index(one) != place - 1}):
            raise ValueError(f"entities: entry {twice[0]} is the second of its id; declare each entity once")
        return self

    @property
    def standing(self) -> bool:
        """Whether any of them is published under the standing approval."""
        return any(one.evidence == STANDING for one in self.entities)

    def rules(self) -> Rules:
        """Return what holds for all of them."""
        return Rules(self.contact, dict(self.public), self.days_to_reply, self.recheck_after_days)


def add_publication(
    assets: StudyAssets, settings: EntityPublication, population: str, linked: str | None, register: str
) -> None:
    """Add the drafts, the log of what was published when, and the barrier from them to `entity_pages`.

    Args:
        assets: The study's assets.
        settings: Which entities, and what may be told.
        population: Whom the findings are about, for the ledger.
        linked: Entities of a linkage study, or None.
        register: Name of these entities' register in it.
    """

    @assets.asset(
        Output(
            "publication_drafts",
            "Pages of single entities as they would be published, and what each lacks.",
            about_entities=True,
        ),
        Output("publication_log", "Since when each entity was published or withdrawn.", about_entities=True),
        zone="restricted",
        inputs={noun: noun for noun in (*READ, "remarks")} | ({"linked": linked} if linked else {}),
        settings=[settings, register],
        resources=("restricted",),
    )
    def drafts(context, remarks: pd.DataFrame, linked=None, **tables: pd.DataFrame):
        """Write each draft, and judge whether its approval holds."""
        files, key = context.resources.restricted.files(), (assets.study, "publication_log")
        matched = {} if linked is None else match_probabilities(linked, register)
        made, log = publication_drafts(
            assets.study,
            [one.declared() for one in settings.entities],
            Known(**tables, matched=matched),
            remarks,
            settings.rules(),
            dt.datetime.now(dt.UTC),
            files.read(key) if files.exists(key) else None,
        )
        counts: Mapping[str, int] = made["state"].value_counts().to_dict()
        return {
            "publication_drafts": Made(
                made, metadata={f"entities {state}": n for state, n in counts.items()}
            ),
            "publication_log": log,
        }

    @assets.asset(
        Output(
            NOUN, "Pages of entities that were approved one by one, and notices of those withdrawn.", True
        ),
        zone="released",
        inputs={"drafts": "publication_drafts"},
        settings=[settings.purpose, population],
        barrier="disclosure-control",
        mechanism=MECHANISM,
        one_by_one=True,
        metadata={POPULATION: population},
        kinds=("html",),
    )
    def pages(context: dg.AssetExecutionContext, drafts: pd.DataFrame):
        """Release the pages whose approval holds, and nothing of the others."""
        told = released_pages(drafts)
        if told.empty:  # nothing leaves, so nobody has approved anything that the ledger could name
            return told
        holding = drafts.loc[(drafts["state"] == "published") | (drafts["notice"] != "")]
        terms = Terms(
            population=population,
            barrier="disclosure-control",
            mechanism=MECHANISM,
            parameters={"evidence": sorted(holding.loc[holding["state"] == "published", "evidence"])},
            charge=NO_CHARGE,
            purpose=settings.purpose,
            approvers=sorted(
                {name for names in holding["approved_by"] for name in names.split("\n") if name}
            ),
        )
        released = release(
            context, assets.study, terms, {"pages": told}, lambda: {NOUN: table_to_bytes(told)}
        )
        return released.table(NOUN)
