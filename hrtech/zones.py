"""Zones: a type system for privacy over a graph of assets.

Every asset is `restricted` (records about people, or anything computed from them), `released` (came through a
disclosure mechanism) or `public` (published, or open to begin with). The rules are checked on every edge, which
proves them for every path. This module knows nothing of the framework that runs the graph: it judges `Node`s.

The seven rules, by number as the messages name them:

1. Every asset has a zone.
2. A zone never drops below its highest input, unless the asset is a barrier.
3. Only restricted assets and barriers may hold the restricted store.
4. Whatever is published or mailed has no restricted parent; a language model sees public data, unless the
   reviewed policy says that this endpoint may see restricted data, and then what it writes is restricted.
5. A match, a flag or a score about an identifiable person or firm is restricted, unless a barrier releases it one by
   one: each with its evidence, an approver, and a place for reply and correction.
6. From released to public is an act of publishing, with an approval.
7. Simulated data comes from the generator; what stands on anything else may not call itself simulated.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args
from urllib.parse import urlsplit

Zone = Literal["restricted", "released", "public"]
Barrier = Literal["differential-privacy", "k-anonymity", "disclosure-control"]

ZONES: Final[tuple[Zone, ...]] = get_args(Zone)
BARRIERS: Final[tuple[Barrier, ...]] = get_args(Barrier)
#: How much a zone holds back; a child must hold back at least as much as each parent.
HEIGHT: Final[Mapping[str, int]] = {"public": 0, "released": 1, "restricted": 2}

#: Resources that carry data to people outside.
OUTLETS: Final = frozenset({"publisher", "mailer"})
#: Resources that carry data to a language model: the open one, and one that may see restricted data.
PUBLIC_MODEL: Final = "language_model"
RESTRICTED_MODEL: Final = "restricted_language_model"


class ZoneError(ValueError):
    """The graph leaks, or could; every problem is listed, one a line, with its mend."""


@dataclass(frozen=True)
class Node:
    """One asset as the rules see it.

    Attributes:
        key: `study/noun`.
        zone: Declared zone, None when the author forgot it.
        barrier: Declared disclosure mechanism, None for an ordinary asset.
        parents: Keys of the assets that it reads.
        resources: Names of the resources that it holds.
        store: Name of the store that it is written to, None for an external asset.
        about_entities: It holds matches, flags or scores about identifiable persons or firms.
        one_by_one: It releases what is about entities, each by an approval of its own.
        publishes: Making it is an act of publishing.
        simulated: It claims to hold nothing but simulated data.
        generator: It is made by the generator, from a seed.
        code_version: Declared code version.
    """

    key: str
    zone: str | None = None
    barrier: str | None = None
    parents: tuple[str, ...] = ()
    resources: frozenset[str] = field(default_factory=frozenset)
    store: str | None = None
    about_entities: bool = False
    one_by_one: bool = False
    publishes: bool = False
    simulated: bool = False
    generator: bool = False
    code_version: str | None = None


def check_zones(nodes: Iterable[Node]) -> None:
    """Check the seven rules on every node and edge.

    Args:
        nodes: All assets of the graph, external ones included.

    Raises:
        ZoneError: Any rule is broken. Its message lists every breach, sorted by asset.
    """
    graph = {node.key: node for node in nodes}
    problems = [problem for key in sorted(graph) for problem in _problems(graph[key], graph)]
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise ZoneError(
            f"This graph is not loaded, because data could leak ({len(problems)} found):\n{lines}"
        )


def check_model_endpoint(url: str, may_see: Literal["public", "restricted"]) -> None:
    """Check that a language model may see what the policy file says it may.

    A host name is trusted only if it is `localhost`: any other name can be made to point elsewhere.

    Args:
        url: Address of the endpoint.
        may_see: What the policy file grants.

    Raises:
        ZoneError: It may see restricted data but is not on a loopback or private address.
    """
    if may_see == "public":
        return
    host = urlsplit(url).hostname or ""
    try:
        own = host == "localhost" or ipaddress.ip_address(host).is_private
    except ValueError:
        own = False
    if not own:
        raise ZoneError(
            f"rule 4: the language model at host {host!r} has may_see: restricted, but is not on a loopback or "
            "private address. Run the model on a machine of your own and name its address, or set may_see: public."
        )


def _problems(node: Node, graph: Mapping[str, Node]) -> list[str]:
    if node.zone not in HEIGHT:
        return [
            f"{node.key}: rule 1: it has no zone"
            + (f" ({node.zone!r} is none)" if node.zone else "")
            + f". Tag it hrtech/zone with one of {', '.join(ZONES)}; when in doubt, restricted."
        ]
    parents = [graph[key] for key in node.parents if key in graph and graph[key].zone in HEIGHT]
    unknown = [key for key in node.parents if key not in graph]
    found = [
        f"{node.key}: rule 1: its input {key} is not in the graph, so its zone is unknown. Check the key."
        for key in unknown
    ]
    return (
        found
        + _barrier(node)
        + _flow(node, parents)
        + _capabilities(node)
        + _outlets(node, parents)
        + _models(node, parents)
        + _entities(node)
        + _publishing(node, parents)
        + _simulated(node, parents)
    )


def _barrier(node: Node) -> list[str]:
    if node.barrier is None:
        return []
    found = []
    if node.barrier not in BARRIERS:
        found.append(
            f"{node.key}: rule 2: {node.barrier!r} is no disclosure mechanism. Use one of {', '.join(BARRIERS)}."
        )
    if "privacy_ledger" not in node.resources:
        found.append(
            f"{node.key}: rule 2: a barrier must be written in the privacy ledger. Build it with release()."
        )
    if not node.code_version:
        found.append(f"{node.key}: rule 2: a barrier needs a declared mechanism version as its code version.")
    if node.zone == "public":
        found.append(
            f"{node.key}: rule 2: a barrier releases, it does not publish. Give it the zone released and publish "
            "in a step of its own."
        )
    return found


def _flow(node: Node, parents: list[Node]) -> list[str]:
    if node.barrier is not None:
        return []
    return [
        f"{node.key}: rule 2: it is {node.zone} but reads {parent.key}, which is {parent.zone}. Make it "
        f"{parent.zone}, or let it read what came through a release."
        for parent in parents
        if HEIGHT[str(parent.zone)] > HEIGHT[str(node.zone)]
        # from released to public is judged by rule 6
        and not (parent.zone == "released" and node.zone == "public")
    ]


def _capabilities(node: Node) -> list[str]:
    found = []
    if "restricted" in node.resources and node.zone != "restricted" and node.barrier is None:
        found.append(
            f"{node.key}: rule 3: it is {node.zone} but holds the restricted store. Only restricted assets and "
            "barriers may."
        )
    if node.store is not None and node.store != node.zone:
        found.append(
            f"{node.key}: rule 3: it is {node.zone} but is written to the store {node.store!r}. Write it to "
            f"{node.zone!r}."
        )
    return found


def _outlets(node: Node, parents: list[Node]) -> list[str]:
    outlets = sorted(OUTLETS & node.resources)
    if not outlets:
        return []
    return [
        f"{node.key}: rule 4: it holds the {outlet} but reads {parent.key}, which is restricted. Publish what "
        "came through a release."
        for outlet in outlets
        for parent in parents
        if parent.zone == "restricted"
    ] + (
        [f"{node.key}: rule 4: it holds the {outlets[0]} but is restricted."]
        if node.zone == "restricted"
        else []
    )


def _models(node: Node, parents: list[Node]) -> list[str]:
    found = []
    if PUBLIC_MODEL in node.resources:
        found += [
            f"{node.key}: rule 4: it shows {parent.key}, which is {parent.zone}, to a language model that may see "
            "public data only. Use the restricted_language_model, an endpoint on your own machines that the "
            "policy file lists with may_see: restricted."
            for parent in parents
            if parent.zone == "restricted"
        ]
    if RESTRICTED_MODEL in node.resources and node.zone != "restricted":
        found.append(
            f"{node.key}: rule 4: what a model that may see restricted data writes is restricted, not {node.zone}."
        )
    return found


def _entities(node: Node) -> list[str]:
    if not node.about_entities or node.zone == "restricted":
        return []
    if node.one_by_one and node.zone == "released" and node.barrier == "disclosure-control":
        return []
    return [
        f"{node.key}: rule 5: matches, flags and scores about identifiable persons or firms are restricted, not "
        f"{node.zone}. Publish them per entity, with evidence and an approver."
    ]


def _publishing(node: Node, parents: list[Node]) -> list[str]:
    found = []
    if node.publishes and (node.zone != "public" or "publisher" not in node.resources):
        found.append(
            f"{node.key}: rule 6: an act of publishing makes a public asset and holds the publisher."
        )
    if node.publishes:
        return found
    if node.zone == "public" and any(parent.zone == "released" for parent in parents):
        found.append(
            f"{node.key}: rule 6: it is public and reads released data, but publishing is a person's act. Make it "
            "released, or publish it with an approval through the evidence site."
        )
    return found


def _simulated(node: Node, parents: list[Node]) -> list[str]:
    if node.generator and (parents or not node.simulated):
        return [
            f"{node.key}: rule 7: what the generator makes stands on a seed alone and is tagged simulated."
        ]
    if not node.simulated or node.generator:
        return []
    if not node.parents:
        return [
            f"{node.key}: rule 7: it calls itself simulated but was not made by the generator. Remove "
            "`simulated: true` from the study."
        ]
    return [
        f"{node.key}: rule 7: it calls itself simulated but reads {parent.key}, which is not."
        for parent in parents
        if not parent.simulated
    ]
