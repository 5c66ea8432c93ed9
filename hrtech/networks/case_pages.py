"""The restricted pages of a network study: one an entity on the watch list, with its evidence and a place for reply.

They name entities, and so are for casework only. Address: see `address`.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from hrtech.facts import FormField, Heading, JudgementForm, Part, Report, Text
from hrtech.facts.frames import frame_table, rows
from hrtech.facts.parts import Edge, Network, Node
from hrtech.networks.layout import layout
from hrtech.networks.remarks import MEANINGS, REMARKS

#: Entities drawn around one, its nearest first.
SURROUNDINGS: Final = 60
_FIT: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,80}")
CAUTION: Final = (
    "A score says where to look first. It is no finding against anybody: links have innocent causes, and evidence may "
    "be about somebody else. Before any of this is told outside, somebody approves it for this one entity, with its "
    "evidence and its reply."
)
_HEADINGS: Final = {
    "sentence": "what speaks for it", "contribution": "part of the risk", "share": "share", "made_at": "when",
    "made_by": "who", "words": "what was said", "other": "with", "kind": "link", "probability": "probability",
    "share_low": "share, least (%)", "share_high": "share, most (%)", "owner_name": "owner", "path": "through",
    "controller_name": "who decides", "votes_low": "votes, least (%)", "votes_high": "votes, most (%)",
    "together": "tenders together", "p": "chance of as much", "q": "false discovery rate",
}  # fmt: skip


def address(entity_id: str) -> str:
    """Return the address of an entity's page: its id where that is fit for one, else a digest of it."""
    digest = hashlib.sha256(entity_id.encode()).hexdigest()[:16]
    return f"entities/{entity_id if _FIT.fullmatch(entity_id) else f'x-{digest}'}"


def network_pages(study: str, tables: Mapping[str, pd.DataFrame]) -> dict[str, Report]:
    """Return a page for each entity on the watch list, by address.

    Args:
        study: Name of the study.
        tables: `nodes, edges, answers, watch_list, red_flags_used, beneficial_owners, control, co_bids, remarks`.
    """
    nodes = tables["nodes"].set_index("entity_id")
    listed = [one for one in tables["watch_list"]["entity_id"] if one in nodes.index]
    near = Surroundings(tables["nodes"], tables["edges"])
    return {address(str(one)): _entity_page(study, str(one), nodes.loc[one], near, tables) for one in listed}


class Surroundings:
    """Who is tied to whom, for drawing."""

    def __init__(self, nodes: pd.DataFrame, edges: pd.DataFrame) -> None:
        self.nodes, self.edges = nodes, edges
        ends = pd.concat(
            [
                edges[["source", "target", "probability"]],
                edges[["target", "source", "probability"]].set_axis(
                    ["source", "target", "probability"], axis=1
                ),
            ],
            ignore_index=True,
        ).sort_values("probability", ascending=False, kind="stable")
        self.of = ends.groupby("source", sort=False)["target"].agg(list).to_dict()

    def around(self, entity_id: str, most: int = SURROUNDINGS) -> list[str]:
        """Return the entity and those nearest to it: its neighbours, surest link first, then theirs."""
        found = dict.fromkeys([entity_id])
        queue = [entity_id]
        for one in queue:
            for other in self.of.get(one, []):
                if len(found) >= most:
                    return list(found)
                if other not in found:
                    found[other] = None
                    queue.append(other)
        return list(found)


def drawn(
    study: str, title: str, members: Sequence[str], nodes: pd.DataFrame, edges: pd.DataFrame, first: str = ""
) -> Network:
    """Draw some entities with the links between them.

    Args:
        study: Name of the study.
        title: Title.
        members: Ids of those drawn.
        nodes: As `build_networks` gives them.
        edges: As `build_networks` gives them.
        first: Whoever is labelled before all others.
    """
    inside = nodes.loc[nodes["entity_id"].isin(members)]
    ties = edges.loc[edges["source"].isin(members) & edges["target"].isin(members)]
    places = inside.assign(network_id="drawn").merge(
        layout(inside.assign(network_id="drawn"), ties), on="entity_id"
    )
    places = places.sort_values(
        ["risk", "entity_id"], ascending=[False, True], ignore_index=True, na_position="last"
    )
    return Network(
        title,
        tuple(
            Node(
                str(row["entity_id"]),
                str(row["name"]),
                row["x"],
                row["y"],
                kind=str(row["node_kind"]),
                highlighted=row["own_flags"] > 0,
                rank=-1 if row["entity_id"] == first else place,
                group=str(row["group"]),
                details=_told(row),
            )
            for place, row in enumerate(rows(places))
        ),
        tuple(
            Edge(
                str(row["source"]),
                str(row["target"]),
                str(row["kind"]),
                row["kind"] == "ownership",
                strength=float(row["probability"]),
                details=str(row["evidence"]),
            )
            for row in rows(ties)
        ),
        f"{len(places)} firms and owners with {len(ties)} links; those with a red flag have a ring. Nodes of one "
        "ground are one community.",
        source_assets=(f"{study}/nodes", f"{study}/edges"),
    )


def _told(row: Mapping[str, Any]) -> tuple[str, ...]:
    told = [f"risk {float(row['risk']):.2f}"] if pd.notna(row["risk"]) else []
    if row["own_flags"]:
        flags = int(row["own_flags"])
        told.append(f"{flags} red {'flag' if flags == 1 else 'flags'} of its own")
    return tuple(told)


def _entity_page(
    study: str, entity_id: str, node: pd.Series, near: Surroundings, tables: Mapping[str, pd.DataFrame]
) -> Report:
    mine = {
        "answers": tables["answers"],
        "red_flags_used": tables["red_flags_used"],
        "remarks": tables["remarks"],
        "beneficial_owners": tables["beneficial_owners"].rename(columns={"company_id": "entity_id"}),
        "control": tables["control"].rename(columns={"company_id": "entity_id"}),
    }
    mine = {name: frame.loc[frame["entity_id"] == entity_id] for name, frame in mine.items()}
    parts: list[Part] = [Text(f"[Back to the study](../index.html)\n\n{CAUTION}")]
    said = mine["remarks"]
    if len(said):
        columns = ["made_at", "made_by", "remark", "words"]
        parts.append(_table(study, "What was said about it", "remarks", said, columns))
    parts.append(Heading("Why it is on the list"))
    why = mine["answers"].sort_values("number")
    parts.append(
        _table(study, "What its risk is made of", "answers", why, ["sentence", "contribution", "share"])
        if len(why)
        else Text("No flag reaches it.")
    )
    flags = (
        mine["red_flags_used"]
        .drop(columns=["entity_id", "supporting"], errors="ignore")
        .dropna(axis=1, how="all")
    )
    if len(flags):
        parts.append(_table(study, "Its own red flags", "red_flags_used", flags, list(flags.columns)))
    parts += [
        Heading("Who is near"),
        drawn(study, "Its surroundings", near.around(entity_id), near.nodes, near.edges, entity_id),
    ]
    parts += _links(study, entity_id, tables)
    owners, control = mine["beneficial_owners"], mine["control"]
    if len(owners) or len(control):
        parts.append(Heading("Who stands behind it"))
    if len(owners):
        columns = ["owner_name", "owner_kind", "share_low", "share_high", "path"]
        parts.append(_table(study, "Beneficial owners", "beneficial_owners", owners, columns))
    if len(control):
        columns = ["controller_name", "controller_kind", "votes_low", "votes_high", "basis", "via"]
        parts.append(_table(study, "Who can decide", "control", control, columns))
    parts += [Heading("Reply, correction, decision"), remark_form(study, entity_id)]
    bounds = (
        f" (between {node['risk_low']:.2f} and {node['risk_high']:.2f} over the settings tried)"
        if pd.notna(node.get("risk_low"))
        else ""
    )
    summary = f"Risk {node['risk']:.2f}{bounds}, priority {node['priority']:.2f}."
    name = re.sub(r"[^a-z0-9_]", "_", entity_id.lower())
    return Report(f"{study}_{name}", str(node["name"]), summary, "restricted", tuple(parts))


def _links(study: str, entity_id: str, tables: Mapping[str, pd.DataFrame]) -> list[Part]:
    names = tables["nodes"].set_index("entity_id")["name"]
    parts: list[Part] = []
    for title, noun, columns in (
        ("Its links, the surest first", "edges", ["other", "kind", "probability", "evidence", "q"]),
        (
            "Tenders it shared beyond chance",
            "co_bids",
            ["other", "category", "together", "spread", "p", "evidence"],
        ),
    ):
        frame = tables[noun]
        frame = frame.loc[(frame["source"] == entity_id) | (frame["target"] == entity_id)]
        if frame.empty:
            continue
        other = frame["source"].where(frame["target"] == entity_id, frame["target"])
        frame = frame.assign(other=other.map(names).fillna(other).astype("str"))
        by, rising = ("probability", False) if noun == "edges" else ("p", True)
        frame = frame.sort_values(by, ascending=rising, kind="stable")
        parts.append(_table(study, title, noun, frame, columns))
    if len(parts) > 1:
        parts.append(
            Text(
                "Firms that bid together more than chance explains depend on each other in some way: collusion, but "
                "also a joint venture, a region or a speciality. Look at how far apart their bids lie."
            )
        )
    return parts


def _table(study: str, title: str, noun: str, frame: pd.DataFrame, columns: list[str]) -> Part:
    shown = frame[[name for name in columns if name in frame.columns]].copy()
    for name in ("p", "q"):
        if name in shown.columns:
            shown[name] = [f"{value:.2g}" if pd.notna(value) else "" for value in shown[name]]
    return frame_table(title, shown, headings=_HEADINGS, source_assets=(f"{study}/{noun}",))


def remark_form(study: str, entity_id: str) -> JudgementForm:
    """Return the form by which somebody replies, corrects or decides about an entity."""
    return JudgementForm(
        "What is to be said about it?",
        f"/casework/{study}/judgements",
        (
            FormField("entity_id", "entity_id", "hidden", value=entity_id),
            FormField("remark", "What it is", "choice", REMARKS, required=True, help=MEANINGS),
            FormField(
                "words", "In words", "long_text", required=True, help="Others will read it, with your name."
            ),
            FormField("judged_by", "Who you are", required=True),
        ),
        submit="Record this",
    )
