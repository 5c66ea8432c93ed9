"""Why an entity is flagged: its own flags and the paths that its risk is made of, in words.

An example: "A is flagged: unpaid wages. B shares a phone, seen nowhere else, with A. C owns 60–75 % of B." Each
sentence is one hop, from the flag to the entity that was asked about.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import pandas as pd

from hrtech.networks.spec import NetworkError

_HOP: Final = re.compile(r" –([^–]*)– ")
_SHARED: Final = re.compile(r"the same (.+), which (\d[\d,]*) of (\d[\d,]*) entities have(.*)", re.DOTALL)


class Scored(Protocol):
    """What is asked: the tables of a `NetworkResult` that an answer needs."""

    @property
    def nodes(self) -> pd.DataFrame:
        """Return `entity_id, name, own_weight, exposure, risk`."""

    @property
    def edges(self) -> pd.DataFrame:
        """Return `source, target, kind, probability, evidence`."""

    @property
    def paths(self) -> pd.DataFrame:
        """Return `entity_id, source, hops, via, strength, contribution`."""


@dataclass(frozen=True)
class _Tables:
    nodes: pd.DataFrame
    edges: pd.DataFrame
    paths: pd.DataFrame


def answers(
    nodes: pd.DataFrame,
    edges: pd.DataFrame,
    paths: pd.DataFrame,
    entities: Iterable[str],
    red_flags: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Answer for several entities: `entity_id, number, sentence, contribution, share`; see `why`."""
    wanted = list(entities)
    known = set(nodes["entity_id"])
    mine = paths.loc[paths["entity_id"].isin(wanted)]
    ids = {one for via in mine["via"] for one in chain(str(via))[0]}
    near = edges.loc[edges["source"].isin(ids) & edges["target"].isin(ids)]
    tables = _Tables(nodes, near, mine)
    made = [why(tables, one, red_flags).assign(entity_id=one) for one in wanted if one in known]
    columns = ["entity_id", "number", "sentence", "contribution", "share"]
    filled = [frame for frame in made if len(frame)]
    if not filled:
        return pd.DataFrame(columns=columns).astype(
            {"entity_id": "str", "sentence": "str", "number": "int64"}
        )
    return pd.concat(filled, ignore_index=True)[columns].astype({"entity_id": "str", "sentence": "str"})


def why(
    result: Scored, entity_id: str, red_flags: pd.DataFrame | None = None, most: int = 20
) -> pd.DataFrame:
    """Answer why an entity has the risk that it has.

    Args:
        result: A `NetworkResult`, or its tables.
        entity_id: The entity.
        red_flags: `entity_id, flag`, and where known `evidence, source`, to name the flags.
        most: Most paths told; one further row says what the others add.

    Returns:
        `number, sentence, contribution, share`: one row per path, the greatest contribution first; contributions
        add up to the risk of the entity, shares to 1. No row where nothing is held against it.

    Raises:
        NetworkError: The entity is unknown.
    """
    known = result.nodes.set_index("entity_id")
    if entity_id not in known.index:
        raise NetworkError(
            "No entity has this id in the study: look it up in the table 'nodes' [setting: entity_id]"
        )
    names = {str(one): str(name) for one, name in known["name"].items()}
    mine = result.paths.loc[result.paths["entity_id"] == entity_id]
    mine = mine.sort_values(["contribution", "source"], ascending=[False, True])
    flags = _flags(red_flags)
    links = _links(result.edges, set(mine["via"]))
    rows = [
        (_sentence(str(via), str(source), names, flags, links), contribution)
        for via, source, contribution in zip(
            mine["via"].head(most), mine["source"].head(most), mine["contribution"].head(most), strict=True
        )
    ]
    if len(mine) > most:
        others = mine.iloc[most:]
        rows.append((f"{len(others):,} weaker paths are not told here.", float(others["contribution"].sum())))
    frame = pd.DataFrame(rows, columns=["sentence", "contribution"]).astype(
        {"sentence": "str", "contribution": "float64"}
    )
    total = frame["contribution"].sum()
    frame = frame.assign(share=frame["contribution"] / total if total > 0 else frame["contribution"])
    return frame.assign(number=range(1, len(frame) + 1))[["number", "sentence", "contribution", "share"]]


def chain(via: str) -> tuple[list[str], list[str]]:
    """Take a path apart: the ids from the entity to the flag, and the kinds of link between them."""
    parts = _HOP.split(via)
    return parts[::2], parts[1::2]


def _flags(red_flags: pd.DataFrame | None) -> dict[str, str]:
    if red_flags is None or red_flags.empty:
        return {}
    frame = red_flags.rename(columns={"company_id": "entity_id"})
    if "weight" in frame.columns:
        frame = frame.loc[frame["weight"].astype("float64") > 0]
    words = frame["flag"].astype("str")
    if "source" in frame.columns:
        words = words.where(frame["source"].isna(), words + " (" + frame["source"].astype("str") + ")")
    grouped = words.groupby(frame["entity_id"].astype("str")).agg(lambda each: "; ".join(sorted(set(each))))
    return {str(one): str(text) for one, text in grouped.items()}


def _links(edges: pd.DataFrame, paths: set[str]) -> dict[frozenset[str], list[tuple[str, str, str]]]:
    """Return the edges between neighbours on the paths: pair → (source, kind, evidence), surest first."""
    pairs = {frozenset(pair) for via in paths for pair in zip(chain(via)[0], chain(via)[0][1:], strict=False)}
    on_path = {one for pair in pairs for one in pair}
    near = edges.loc[edges["source"].isin(on_path) & edges["target"].isin(on_path)]
    found: dict[frozenset[str], list[tuple[str, str, str]]] = {}
    near = near.sort_values("probability", ascending=False)
    for source, target, kind, evidence in zip(
        near["source"], near["target"], near["kind"], near["evidence"], strict=True
    ):
        if (pair := frozenset((source, target))) in pairs:
            found.setdefault(pair, []).append((source, kind, evidence))
    return found


def _sentence(
    via: str,
    source: str,
    names: Mapping[str, str],
    flags: Mapping[str, str],
    links: Mapping[frozenset[str], list[tuple[str, str, str]]],
) -> str:
    held = f": {flags[source]}" if source in flags else ""
    said = [f"{_named(source, names)} is flagged{held}."]
    ids, _ = chain(via)
    for near, far in zip(ids[-2::-1], ids[:0:-1], strict=True):
        pieces = links.get(frozenset((near, far)), [])
        said += [_link(near, far, piece, names) for piece in pieces] or [
            f"{_named(near, names)} is linked with {_named(far, names)}."
        ]
    return " ".join(said)


def _link(near: str, far: str, piece: tuple[str, str, str], names: Mapping[str, str]) -> str:
    source, kind, evidence = piece
    one, other = _named(near, names), _named(far, names)
    if kind == "ownership":
        owner, owned = (one, other) if source == near else (other, one)
        return f"{owner} {evidence} of {owned}."
    if found := _SHARED.fullmatch(evidence):
        what, holders, total, more = found.groups()
        where = "seen nowhere else" if holders == "2" else f"which {holders} of {total} entities have"
        return f"{one} shares {_article(what)}, {where}, with {other}{more}."
    return f"{one} and {other}: {evidence}."


def _article(what: str) -> str:
    return what if " and " in what else f"{'an' if what[:1] in 'aeio' else 'a'} {what}"


def _named(one: str, names: Mapping[str, str]) -> str:
    name = names.get(one, one)
    return one if name == one else f"{name} ({one})"
