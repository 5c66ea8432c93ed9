"""The page of one entity as it would be published: what is claimed, on what evidence, what speaks against it.

Others are called `entity A`, `owner B` in the order in which the page speaks of them, unless they may be named; ids
never stand on a page. Words that come from the records are collected, so that they can be searched for names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

from hrtech.facts import Heading, Part, Report, Text
from hrtech.facts.frames import frame_table
from hrtech.networks.publication import Publication, Rules
from hrtech.networks.publication_words import Labels, explanation, link_explanation, on_paths, path_sentences
from hrtech.networks.why import chain

#: What a page promises to the one whom it names.
PROMISE: Final = "approved-entity"
#: Noun of the released table that pages come from.
NOUN: Final = "entity_pages"
_SUREST: Final = 0.999
CAUTION: Final = (
    "This page says why somebody should look. It is **no finding of wrongdoing** and no judgement: flags may be wrong, "
    "links have innocent causes, and a record may be about somebody else. It shows what was approved for publication "
    "about this one entity; others are not named, unless that was approved as well."
)


@dataclass(frozen=True)
class Known:
    """What a study knows: tables as `build_networks` and the study's assets give them.

    Attributes:
        nodes: Everybody with score and bounds.
        edges: Links.
        paths: Paths that scores are made of.
        red_flags_used: Flags with evidence, source and weight.
        beneficial_owners: Owners with shares.
        control: Who decides.
        matched: Entity → probability that its record was rightly matched with another register, where it was.
    """

    nodes: pd.DataFrame
    edges: pd.DataFrame
    paths: pd.DataFrame
    red_flags_used: pd.DataFrame
    beneficial_owners: pd.DataFrame
    control: pd.DataFrame
    matched: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Draft:
    """A page that is not approved yet.

    Attributes:
        report: What it shows, without the approval.
        words: Where → the texts from the records and the declaration, to be searched for names.
        absent: What the declaration would tell and the records do not hold: (setting, name).
        unexplained: Flags and kinds of links without an innocent explanation.
        sources: Entities whose flags the told paths start from.
    """

    report: Report
    words: Mapping[str, str]
    absent: tuple[tuple[str, str], ...]
    unexplained: tuple[str, ...]
    sources: frozenset[str]


def draft_page(
    study: str,
    report_name: str,
    entry: Publication,
    known: Known,
    rules: Rules,
    others_told: Mapping[str, Sequence[str]],
) -> Draft:
    """Write the page of one entity.

    Args:
        study: Name of the study.
        report_name: Name of the report, unlike that of any other.
        entry: What may be told.
        known: What the study knows; the entity is among the nodes.
        rules: What holds for all.
        others_told: Published entity → its flags that may be told, for those whom this page names.
    """
    nodes = known.nodes.set_index("entity_id")
    node = nodes.loc[[entry.entity_id]].iloc[0]
    named = {
        one: str(nodes["name"].get(one, "")) for one in (entry.entity_id, *entry.names) if one in nodes.index
    }
    page = _Page(study, entry, known, Labels(nodes, named), node)
    parts: list[Part] = [Text(CAUTION), Heading("What is claimed"), *page.flags()]
    parts += page.links() + page.owners() + page.score(others_told)
    parts += [Heading("What else may explain it"), *page.explanations()]
    parts += [Heading("What is uncertain"), *page.uncertain()]
    parts += [Heading("What it says itself"), *page.reply(rules)]
    parts += [Heading("Why this is published, and how to correct it"), *page.about(rules)]
    name = str(node["name"])
    summary = (
        "What is held against it, on what evidence, what else may explain it, and what it says itself. No finding of "
        "wrongdoing."
    )
    return Draft(
        Report(report_name, name, summary, PROMISE, tuple(parts)),
        page.words,
        tuple(page.absent),
        tuple(page.unexplained),
        frozenset(page.sources),
    )


class _Page:
    """The parts of one page; the order of calls is the order of the letters that others are called by."""

    def __init__(self, study: str, entry: Publication, known: Known, labels: Labels, node: pd.Series) -> None:
        self.study, self.entry, self.known, self.labels, self.node = study, entry, known, labels, node
        self.words: dict[str, str] = {
            "ground": entry.ground,
            "reply": entry.reply,
            "correction": entry.correction,
            **{f"explanations.{what}": words for what, words in entry.explanations.items()},
        }
        self.absent: list[tuple[str, str]] = []
        self.unexplained: list[str] = []
        self.sources: set[str] = set()
        own = known.red_flags_used
        self.own = own.loc[own["entity_id"] == entry.entity_id]
        self.told_flags = self.own.loc[self.own["flag"].isin(entry.tell.flags)]

    def table(self, title: str, frame: pd.DataFrame, description: str = "", **headings: str) -> Part:
        return frame_table(
            title,
            frame,
            headings=headings,
            source_assets=(f"{self.study}/{NOUN}",),
            description=description,
        )

    def flags(self) -> list[Part]:
        """Return its own flags that may be told, each with evidence and source."""
        self.absent += [
            ("tell.flags", name) for name in self.entry.tell.flags if name not in set(self.own["flag"])
        ]
        if not len(self.told_flags):
            return [Text("No red flag of its own is told here.")]
        shown = self.told_flags.reindex(columns=["flag", "category", "evidence", "source", "weight"])
        if not self.entry.tell.evidence:
            shown = shown.drop(columns="evidence")
        shown = shown.sort_values(["weight", *_texts(shown)], ascending=[False] + [True] * len(_texts(shown)))
        for column in _texts(shown):
            for place, text in enumerate(shown[column].dropna()):
                self.words[f"red flags, column {column}, row {place + 1}"] = str(text)
        shown = shown.dropna(axis=1, how="all")
        note = (
            "A flag is a claim by its source. One of weight nought is shown and counts nothing in the score."
        )
        return [self.table("Red flags", shown, note, flag="red flag")]

    def links(self) -> list[Part]:
        """Return its links of told kinds."""
        told = set(self.entry.tell.links)
        if not told:
            return []
        edges, me = self.known.edges, self.entry.entity_id
        mine = edges.loc[(edges["source"] == me) | (edges["target"] == me)]
        kinds = mine["kind"].str.split("+")
        self.absent += [
            ("tell.links", one) for one in sorted(told - {kind for some in kinds for kind in some})
        ]
        mine = mine.loc[[set(some) <= told for some in kinds]]
        other = mine["source"].where(mine["target"] == me, mine["target"]).astype("str")
        mine = mine.assign(other=other, owner=mine["source"].eq(other) & (mine["kind"] == "ownership"))
        mine = mine.sort_values(
            ["probability", "kind", "evidence", "other"], ascending=[False, True, True, True], kind="stable"
        )
        for place, text in enumerate(mine["evidence"]):
            self.words[f"links, column evidence, row {place + 1}"] = str(text)
        if mine.empty:
            return []
        evidence = [
            f"{'the other' if owner else 'this entity'} {text}" if kind == "ownership" else text
            for text, kind, owner in zip(mine["evidence"], mine["kind"], mine["owner"], strict=True)
        ]
        shown = pd.DataFrame(
            {
                "other": [self.labels(one) for one in mine["other"]],
                "kind": [kind.replace("_", " ") for kind in mine["kind"]],
                "evidence": evidence,
                "probability": mine["probability"].to_numpy(),
                "p": [f"{value:.2g}" if pd.notna(value) else "" for value in mine["p"]],
            }
        )
        counted = mine.groupby("kind", as_index=False).agg(others=("other", "nunique"))
        counted["kind"] = counted["kind"].str.replace("_", " ")
        return [
            Heading("What links it to others"),
            self.table("Its links by kind", counted, kind="kind of link", others="others linked"),
            self.table(
                "Each link with its evidence",
                shown,
                "The probability says how sure the tie is, not that anything is wrong with it.",
                other="with",
                p="chance of as much",
            ),
        ]

    def owners(self) -> list[Part]:
        """Return who stands behind it, as kinds and shares."""
        if not self.entry.tell.owners:
            return []
        me = self.entry.entity_id
        owners = self.known.beneficial_owners
        owners = owners.loc[owners["company_id"] == me].sort_values(
            ["share_high", "share_low", "owner"], ascending=[False, False, True]
        )
        held = pd.DataFrame(
            {
                "owner": [self.labels(str(one)) for one in owners["owner"]],
                "kind": owners["owner_kind"].to_numpy(),
                "share_low": owners["share_low"].to_numpy(),
                "share_high": owners["share_high"].to_numpy(),
            }
        )
        control = self.known.control
        control = control.loc[control["company_id"] == me].sort_values(
            ["votes_high", "votes_low", "controller", "basis"], ascending=[False, False, True, True]
        )
        decides = pd.DataFrame(
            {
                "controller": [self.labels(str(one)) for one in control["controller"]],
                "kind": control["controller_kind"].to_numpy(),
                "votes_low": control["votes_low"].to_numpy(),
                "votes_high": control["votes_high"].to_numpy(),
                "basis": control["basis"].to_numpy(),
            }
        )
        if held.empty and decides.empty:
            self.absent.append(("tell.owners", "owners"))
            return []
        parts: list[Part] = [Heading("Who stands behind it")]
        if len(held):
            low, high = "share, least (%)", "share, most (%)"
            parts.append(self.table("Beneficial owners", held, share_low=low, share_high=high))
        if len(decides):
            low, high = "votes, least (%)", "votes, most (%)"
            parts.append(
                self.table(
                    "Who can decide", decides, controller="who decides", votes_low=low, votes_high=high
                )
            )
        return parts

    def score(self, others_told: Mapping[str, Sequence[str]]) -> list[Part]:
        """Return the score with the told paths that it is made of; what is not told is one row, so it adds up."""
        if not self.entry.tell.score:
            return []
        told, me = set(self.entry.tell.links), self.entry.entity_id
        paths = self.known.paths.loc[self.known.paths["entity_id"] == me]
        open_paths = [
            hops == 0 or {kind for some in chain(str(via))[1] for kind in some.split("+")} <= told
            for hops, via in zip(paths["hops"], paths["via"], strict=True)
        ]
        risk, shown = float(self.node["risk"]), paths.loc[open_paths]
        self.sources |= set(shown["source"].astype("str"))
        made = path_sentences(me, shown, *self._named_on(on_paths(me, shown), others_told), self.labels)
        rest = risk - float(made["contribution"].sum())
        rows = [*zip(made["sentence"], made["contribution"], strict=True)]
        if len(shown) < len(paths):
            rows.append(("What may not be told here", rest))
        frame = pd.DataFrame([*rows, ("The score", risk)], columns=["sentence", "contribution"])
        frame = frame.assign(share=frame["contribution"] / risk if risk > 0 else 0.0)
        return [
            Heading("How its score comes about"),
            self.table(
                "What the score is made of",
                frame,
                "The parts add up to the score, which lies between nought and one and says where to look first. It "
                "is not the probability that something is wrong.",
                sentence="what speaks for it",
                contribution="part of the score",
            ),
        ]

    def _named_on(
        self, ids: Sequence[str], others_told: Mapping[str, Sequence[str]]
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the links between some entities, and the flags, that may be told."""
        edges, told = self.known.edges, set(self.entry.tell.links)
        edges = edges.loc[edges["source"].isin(ids) & edges["target"].isin(ids)]
        edges = edges.loc[[set(kind.split("+")) <= told for kind in edges["kind"]]]
        for place, text in enumerate(edges["evidence"]):
            self.words[f"paths, evidence of link {place + 1}"] = str(text)
        flags = self.known.red_flags_used
        may = {one: set(others_told[one]) for one in ids if one in others_told}
        heard = [
            flag in may.get(one, ()) for one, flag in zip(flags["entity_id"], flags["flag"], strict=True)
        ]
        return edges, pd.concat([self.told_flags, flags.loc[heard]], ignore_index=True)

    def explanations(self) -> list[Part]:
        """Return what else may explain each flag and kind of link that is told."""
        rows = []
        for flag in dict.fromkeys(self.told_flags["flag"]):
            words = explanation(str(flag), self.entry)
            if words:
                rows.append((f"red flag: {flag}", words))
            else:
                self.unexplained.append(str(flag))
        rows += [
            (f"link: {kind.replace('_', ' ')}", link_explanation(kind, self.entry))
            for kind in self.entry.tell.links
        ]
        if not rows:
            return [
                Text("Flags may be mistaken, and links are common among those who have done nothing wrong.")
            ]
        return [
            self.table(
                "Innocent explanations", pd.DataFrame(rows, columns=["what", "what else may explain it"])
            )
        ]

    def uncertain(self) -> list[Part]:
        """Return how sure the score is, and whether the record is this entity's."""
        node, rows = self.node, []
        if self.entry.tell.score and pd.notna(node.get("risk_low")):
            rows.append(("The score, over the settings that were tried", node["risk_low"], node["risk_high"]))
        if (sure := self.known.matched.get(self.entry.entity_id)) is not None:
            least = min(sure, _SUREST)  # rounding makes nobody certain
            rows.append(("Probability that two registers' records are both this entity", least, sure))
        parts: list[Part] = [
            Text(
                "Records were matched by computer. A record may belong to somebody else of the same name or address, a "
                "register may be out of date, and a link counts by its probability alone. Nobody can know the settings "
                "of a score exactly; where it is told, so is how far it moves when they are changed."
            )
        ]
        if rows:
            parts.append(self.table("Bounds", pd.DataFrame(rows, columns=["what", "least", "most"])))
        return parts

    def reply(self, rules: Rules) -> list[Part]:
        """Return its reply and correction in its own words, or that it has not replied."""
        entry = self.entry
        rows = [
            (day.isoformat() if day else "", what, words)
            for day, what, words in (
                (entry.replied_on, "reply", entry.reply),
                (entry.corrected_on, "correction", entry.correction),
            )
            if words
        ]
        if rows:
            return [self.table("In its own words", pd.DataFrame(rows, columns=["day", "what", "words"]))]
        return [Text("It was given the chance to reply, and has not replied.")]

    def about(self, rules: Rules) -> list[Part]:
        """Return the ground, where others are named publicly, and how to ask for a correction."""
        entry = self.entry
        rows = [("Ground", entry.ground)]
        if entry.asked_on:
            rows.append(("Given the chance to reply on", entry.asked_on.isoformat()))
        for one in entry.names:
            if one in rules.public:
                rows.append((f"{self.labels(one)} is named in", rules.public[one]))
        rows.append(("To ask for a correction or to reply", rules.contact))
        return [self.table("Why, and whom to write to", pd.DataFrame(rows, columns=["what", "said"]))]


def _texts(frame: pd.DataFrame) -> list[str]:
    return [str(name) for name in frame.columns if name != "weight"]
