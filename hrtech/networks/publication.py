"""Publishing what is known about single entities: what a person declares of each, and what is missing before it holds.

An approval names the hash of everything that the page would show. Whatever changes it (a flag taken back, a score, a
neighbour, a reply) makes the approval void, and the page is withdrawn until somebody has looked again. Nobody else is
named on a page, unless published too, or declared to be named in a public source.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

#: Stands in place of a hash where everything is simulated: the standing approval.
STANDING: Final = "standing"
#: What is wrong, as the public is told where a page was withdrawn; of several the first.
PUBLIC_REASONS: Final[Mapping[str, str]] = {
    "declared": "It was withdrawn by those who published it.",
    "disputed": "A correction was asked for, or made, and is being looked at.",
    "unknown": "What it spoke of is no longer in the records.",
    "reply": "A reply is being waited for, or is not shown yet.",
    "due": "It has not been checked for too long.",
    "others": "It spoke of others who may not be named.",
    "changed": "What it said is no longer what the records say. Somebody will look at it again.",
    "approval": "It is not approved at present.",
}
_REMARKS_OPEN: Final = ("correction", "set flags aside")
_REMARKS_DECIDED: Final = ("looked at and stands", "take back")


@dataclass(frozen=True)
class Told:
    """What may be told of an entity; nothing is by default.

    Attributes:
        flags: Names of its own red flags.
        links: Kinds of its links to others, such as `phone`, `ownership`, `co-bid`.
        owners: Who stands behind it, as kinds and shares.
        score: Its score, and the paths over told kinds of links that it is made of.
        evidence: The words of each flag's evidence, besides its source.
    """

    flags: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    owners: bool = False
    score: bool = False
    evidence: bool = True


@dataclass(frozen=True)
class Publication:
    """What is declared of one entity.

    Attributes:
        entity_id: The entity.
        tell: What may be told.
        ground: The legal or public-interest ground, in words.
        explanations: Flag or kind of link → what else may explain it.
        names: Other entities that the page names.
        evidence: Hash of the page that was approved, `STANDING`, or empty.
        approved_by: Who approved it.
        approved_on: When.
        checked_on: When somebody last checked it; by default when it was approved.
        asked_on: When it was given the chance to reply.
        reply: Its reply in its own words, or empty.
        replied_on: When it replied.
        correction: What it corrected, in its own words, or empty.
        corrected_on: When.
        withdrawn: Why it is withdrawn, or empty.
        notice: Leave a page that says that it was withdrawn, and why.
    """

    entity_id: str
    tell: Told
    ground: str
    explanations: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    evidence: str = ""
    approved_by: tuple[str, ...] = ()
    approved_on: dt.date | None = None
    checked_on: dt.date | None = None
    asked_on: dt.date | None = None
    reply: str = ""
    replied_on: dt.date | None = None
    correction: str = ""
    corrected_on: dt.date | None = None
    withdrawn: str = ""
    notice: bool = False

    @property
    def last_checked(self) -> dt.date | None:
        """When somebody last checked it."""
        return self.checked_on or self.approved_on


@dataclass(frozen=True)
class Rules:
    """What holds for all entities of a study.

    Attributes:
        contact: How anybody asks for a correction.
        public: Entity → the public source in which it is named for what is told of it here.
        days_to_reply: Days that an entity has to reply.
        recheck_after_days: Days after which a page must have been checked again.
    """

    contact: str
    public: Mapping[str, str] = field(default_factory=dict)
    days_to_reply: int = 14
    recheck_after_days: int = 365


@dataclass(frozen=True)
class Missing:
    """Something that stands between a draft and its publication.

    Attributes:
        reason: One of `PUBLIC_REASONS`.
        words: What it is and its mend, for case workers; may name entities.
    """

    reason: str
    words: str


def declared_missing(entry: Publication, evidence: str, rules: Rules, today: dt.date) -> list[Missing]:
    """Find what the declaration itself lacks.

    Args:
        entry: The declaration.
        evidence: Hash of what the page would show.
        rules: What holds for all.
        today: The day.
    """
    found = []
    if entry.withdrawn:
        found.append(Missing("declared", f"It is withdrawn: {entry.withdrawn} [setting: withdrawn]"))
    if not entry.evidence:
        found.append(
            Missing(
                "approval",
                f"Nobody has approved this evidence. Read the draft, then declare evidence: {evidence} "
                "[setting: evidence]",
            )
        )
    elif entry.evidence not in (evidence, STANDING):
        found.append(
            Missing(
                "changed",
                "The evidence is not the one that was approved: something that the page shows has changed since. Read "
                f"the draft again, and declare evidence: {evidence} if it may be told [setting: evidence]",
            )
        )
    if not entry.approved_by or entry.approved_on is None:
        found.append(
            Missing(
                "approval", "Nobody is named who approved it, or no day [setting: approved_by, approved_on]"
            )
        )
    return found + _reply_missing(entry, rules, today) + _check_missing(entry, rules, today)


def _reply_missing(entry: Publication, rules: Rules, today: dt.date) -> list[Missing]:
    if entry.reply:
        return []
    if entry.asked_on is None:
        return [
            Missing(
                "reply",
                "It was not given the chance to reply: ask it, and declare when [setting: asked_on], or its reply "
                "[setting: reply, replied_on]",
            )
        ]
    until = entry.asked_on + dt.timedelta(days=rules.days_to_reply)
    if today < until:
        return [Missing("reply", f"It may still reply until {until} [setting: asked_on, days_to_reply]")]
    return []


def _check_missing(entry: Publication, rules: Rules, today: dt.date) -> list[Missing]:
    days = {
        name: day
        for name in ("approved_on", "checked_on", "asked_on", "replied_on", "corrected_on")
        if (day := getattr(entry, name)) is not None
    }
    found = [
        Missing("approval", f"{day} has not come yet [setting: {name}]")
        for name, day in days.items()
        if day > today
    ]
    checked = entry.last_checked
    if checked is not None and today > checked + dt.timedelta(days=rules.recheck_after_days):
        found.append(
            Missing(
                "due",
                f"It was last checked on {checked}: look at it again, and declare when [setting: checked_on, "
                "recheck_after_days]",
            )
        )
    return found


def disputed(remarks: pd.DataFrame) -> dict[str, str]:
    """Return the entities with something undecided in casework, and what it is.

    Args:
        remarks: As `remark_log` makes it, the oldest first.

    Returns:
        Entity → the remark: a correction after which nobody decided, or flags that are set aside.
    """
    state: dict[str, str] = {}
    for entity, remark in zip(remarks["entity_id"], remarks["remark"], strict=True):
        if remark in _REMARKS_OPEN and state.get(entity) != "set flags aside":
            state[str(entity)] = str(remark)
        elif remark in _REMARKS_DECIDED:
            state.pop(str(entity), None)
    return state


def remarks_missing(entry: Publication, remarks: pd.DataFrame) -> list[Missing]:
    """Find what was said in casework and is not settled, or not on the page."""
    found = []
    if (remark := disputed(remarks).get(entry.entity_id)) is not None:
        words = {
            "correction": "A correction was recorded and nobody has decided about it",
            "set flags aside": "Its flags are set aside",
        }[remark]
        found.append(
            Missing(
                "disputed",
                f"{words}. Decide on its page in casework: it stands, or take it back [table: remarks]",
            )
        )
    replies = remarks.loc[
        (remarks["entity_id"] == entry.entity_id) & (remarks["remark"] == "reply"), "made_at"
    ]
    if len(replies):
        last = pd.Timestamp(replies.max()).date()
        shown = max((day for day in (entry.replied_on, entry.corrected_on) if day), default=None)
        if shown is None or shown < last:
            found.append(
                Missing(
                    "reply",
                    f"A reply was recorded in casework on {last} and is not on the page [setting: reply, replied_on]",
                )
            )
    return found


def settle_names(
    entries: Sequence[Publication],
    missing: Mapping[str, list[Missing]],
    public: Collection[str],
    names: Mapping[str, str],
) -> dict[str, list[Missing]]:
    """Let nobody be named by a page who is not published, or public, themselves.

    Pages that name each other stand or fall together: whoever may not be published takes those along that name it.

    Args:
        entries: All declarations.
        missing: What each lacks besides.
        public: Entities that are named in a declared public source.
        names: Name of each known entity.

    Returns:
        What each lacks, with whom it may not name.
    """
    result = {one: list(found) for one, found in missing.items()}
    while True:
        published = {one for one, found in result.items() if not found}
        changed = False
        for entry in entries:
            if entry.entity_id not in published:
                continue
            bad = [one for one in entry.names if one not in published and one not in public]
            if bad:
                told = ", ".join(names.get(one, one) for one in bad)
                result[entry.entity_id].append(
                    Missing(
                        "others",
                        f"It names {told}, of whom nothing may be published at present: publish them too, declare the "
                        "public source that names them [setting: public], or leave them out [setting: names]",
                    )
                )
                changed = True
        if not changed:
            return result
