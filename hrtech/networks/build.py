"""Tables in, scored networks out: the whole of a network study in one call."""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hrtech.networks.links import attribute_links
from hrtech.networks.ownership import Ownership, integrated_ownership, share_text
from hrtech.networks.risk import score
from hrtech.networks.spec import NetworkError, NetworkSpec, Rejects, numbered

_EDGE_COLUMNS = ["source", "target", "kind", "values", "probability", "evidence"]


@dataclass(frozen=True)
class NetworkResult:
    """What a network study found.

    Attributes:
        nodes: `entity_id, name, node_kind` (entity or owner), `network_id, links, own_flags, own_weight, exposure,
            risk`, highest risk first. `own_weight` combines own flags as 1 − ∏(1 − weight).
        edges: `source, target, kind, values, probability, evidence`; an edge of kind `ownership` points from owner
            to owned. `values` counts the shared values.
        networks: `network_id, entities, owners, flagged, flags, flags_per_entity, share_flagged, max_risk`.
        beneficial_owners: `company_id, owner, owner_name, owner_kind, share_low, share_high, path, paths`.
        cycles: `cycle_id, company_id, closed`.
        paths: `entity_id, source, hops, via, strength, contribution`; contributions of an entity add up to its risk.
        hubs: Values that too many share to link anyone: `attribute, value, entities`.
        rejects: Rows not used: `table, row, reason`.
    """

    nodes: pd.DataFrame
    edges: pd.DataFrame
    networks: pd.DataFrame
    beneficial_owners: pd.DataFrame
    cycles: pd.DataFrame
    paths: pd.DataFrame
    hubs: pd.DataFrame
    rejects: pd.DataFrame


def build_networks(
    entities: pd.DataFrame,
    attributes: pd.DataFrame,
    ownership: pd.DataFrame,
    red_flags: pd.DataFrame,
    spec: NetworkSpec | None = None,
) -> NetworkResult:
    """Build networks, follow ownership and score risk.

    Args:
        entities: `entity_id` (or `company_id`), and where known `name`.
        attributes: `entity_id, attribute, value`.
        ownership: See `integrated_ownership`.
        red_flags: `entity_id` (or `company_id`), `flag`, `weight` (0 to 1), and where known `category`, `evidence`,
            `supporting` (such a flag counts only beside one that is not).
        spec: The declaration; defaults where None.

    Raises:
        NetworkError: A column is missing, there are no entities, or an id is blank or used twice.
    """
    spec = spec or NetworkSpec()
    rejects = Rejects()
    known = _entities(entities)
    ids = set(known["entity_id"])
    shared, hubs = attribute_links(attributes, ids, spec, rejects)
    owned = integrated_ownership(ownership, ids, spec.ownership_threshold, rejects)
    flags = _flags(red_flags, ids, rejects)
    edges = pd.concat([shared, _ownership_edges(owned)], ignore_index=True)[_EDGE_COLUMNS]
    nodes = _nodes(known, owned)
    neighbours = _neighbours(nodes["entity_id"], edges, spec)
    scores = score(neighbours, dict(zip(flags["entity_id"], flags["own_weight"], strict=True)), spec)
    nodes = nodes.merge(flags, on="entity_id", how="left").merge(scores.nodes, on="entity_id", how="left")
    nodes = nodes.fillna({"own_flags": 0, "own_weight": 0.0}).astype({"own_flags": "int64"})
    nodes["links"] = [len(neighbours[node]) for node in nodes["entity_id"]]
    nodes["network_id"] = _network_ids(neighbours, nodes["entity_id"])
    nodes = nodes[
        [
            "entity_id",
            "name",
            "node_kind",
            "network_id",
            "links",
            "own_flags",
            "own_weight",
            "exposure",
            "risk",
        ]
    ].sort_values(["risk", "entity_id"], ascending=[False, True], ignore_index=True)
    return NetworkResult(
        nodes=nodes,
        edges=edges.sort_values(["source", "target", "kind"], ignore_index=True),
        networks=_networks(nodes),
        beneficial_owners=owned.beneficial_owners,
        cycles=owned.cycles,
        paths=scores.paths,
        hubs=hubs,
        rejects=rejects.frame(),
    )


def _entities(entities: pd.DataFrame) -> pd.DataFrame:
    frame = numbered(entities, "entities", ("entity_id",))
    if frame.empty:
        raise NetworkError("The table 'entities' is empty: there is nothing to link")
    for bad, what in (
        (frame["entity_id"].isna(), "have no id"),
        (frame["entity_id"].duplicated(keep=False), "share an id with another"),
    ):
        if bad.any():
            first = int(frame.loc[bad, "row"].iloc[0])
            raise NetworkError(
                f"Table 'entities', column 'entity_id': {int(bad.sum())} rows {what}, the first of them row {first}. "
                "Every entity needs an id of its own"
            )
    name = frame["name"] if "name" in frame.columns else frame["entity_id"]
    return pd.DataFrame({"entity_id": frame["entity_id"].astype("str"), "name": name.astype("str")})


def _flags(red_flags: pd.DataFrame, ids: set[str], rejects: Rejects) -> pd.DataFrame:
    """Return `entity_id, own_flags, own_weight` of flagged entities."""
    frame = numbered(red_flags, "red_flags", ("entity_id", "flag", "weight"))
    frame = frame.assign(entity_id=frame["entity_id"].astype("str"), weight=frame["weight"].astype("float64"))
    frame = rejects.split("red_flags", frame, ~frame["entity_id"].isin(ids), "the entity is unknown")
    outside = ~frame["weight"].between(0, 1)
    frame = rejects.split("red_flags", frame, outside, "the weight is blank or not between 0 and 1")
    if "supporting" in frame.columns:
        supporting = frame["supporting"].fillna(False).astype(bool)
        alone = supporting & ~frame["entity_id"].isin(frame.loc[~supporting, "entity_id"])
        frame = rejects.split("red_flags", frame, alone, "a supporting flag without a flag to support")
    # the same flag raised twice is one flag: the heavier
    frame = frame.sort_values("weight").drop_duplicates(["entity_id", "flag"], keep="last")
    grouped = frame.assign(rest=1 - frame["weight"]).groupby("entity_id")
    result = pd.DataFrame({"own_flags": grouped.size(), "own_weight": 1 - grouped["rest"].prod()})
    return result.reset_index().astype({"entity_id": "str"})


def _ownership_edges(owned: Ownership) -> pd.DataFrame:
    held = owned.holdings
    low, high = held["share_low"], held["share_high"]
    evidence = [f"owns {share_text(*ends)}" for ends in zip(low, high, strict=True)]
    return pd.DataFrame(
        {
            "source": held["owner"],
            "target": held["entity_id"],
            "kind": "ownership",
            "values": 1,
            "probability": (low + high) / 200,
            "evidence": pd.Series(evidence, index=held.index, dtype="str"),
        }
    )


def _nodes(known: pd.DataFrame, owned: Ownership) -> pd.DataFrame:
    people = owned.holdings.loc[~owned.holdings["owner"].isin(known["entity_id"])].drop_duplicates("owner")
    owners = pd.DataFrame(
        {"entity_id": people["owner"], "name": people["owner_name"].fillna(people["owner"])}
    )
    return pd.concat(
        [known.assign(node_kind="entity"), owners.assign(node_kind="owner")], ignore_index=True
    ).astype({"entity_id": "str", "name": "str", "node_kind": "str"})


def _neighbours(
    nodes: pd.Series, edges: pd.DataFrame, spec: NetworkSpec
) -> dict[str, dict[str, tuple[float, str]]]:
    """Combine the edges of each pair into one link: 1 − ∏(1 − p) over its pieces of evidence."""
    found: dict[str, dict[str, tuple[float, str]]] = {str(node): {} for node in nodes}
    for source, target, kind, probability in zip(
        edges["source"], edges["target"], edges["kind"], edges["probability"], strict=True
    ):
        before, kinds = found[source].get(target, (0.0, ""))
        both = 1 - (1 - before) * (1 - probability)
        label = kind if not kinds or kind == kinds else f"{kinds}+{kind}"
        found[source][target] = found[target][source] = (both, label)
    return {
        node: {other: link for other, link in near.items() if link[0] >= spec.min_link_probability}
        for node, near in found.items()
    }


def _network_ids(neighbours: dict[str, dict[str, tuple[float, str]]], nodes: pd.Series) -> pd.Series:
    """Name each connected component after its smallest member, so that it keeps its name while that stays."""
    import networkx as nx

    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(neighbours)
    graph.add_edges_from((node, other) for node, near in neighbours.items() for other in near)
    names: dict[str, str] = {}
    for members in nx.connected_components(graph):
        name = "n-" + hashlib.sha256(min(members).encode()).hexdigest()[:12]
        names |= dict.fromkeys(members, name)
    return nodes.map(names).astype("str")


def _networks(nodes: pd.DataFrame) -> pd.DataFrame:
    entity = nodes["node_kind"] == "entity"
    grouped = nodes.assign(is_entity=entity, is_owner=~entity, flagged=nodes["own_flags"] > 0).groupby(
        "network_id"
    )
    frame = pd.DataFrame(
        {
            "entities": grouped["is_entity"].sum(),
            "owners": grouped["is_owner"].sum(),
            "flagged": grouped["flagged"].sum(),
            "flags": grouped["own_flags"].sum(),
            "max_risk": grouped["risk"].max(),
        }
    ).reset_index()
    size = frame["entities"].to_numpy(float)
    frame["flags_per_entity"] = np.divide(
        frame["flags"].to_numpy(float), size, out=np.zeros(len(frame)), where=size > 0
    )
    frame["share_flagged"] = np.divide(
        frame["flagged"].to_numpy(float), size, out=np.zeros(len(frame)), where=size > 0
    )
    ordered = [
        "network_id",
        "entities",
        "owners",
        "flagged",
        "flags",
        "flags_per_entity",
        "share_flagged",
        "max_risk",
    ]
    return frame[ordered].sort_values(
        ["flagged", "entities", "network_id"], ascending=[False, False, True], ignore_index=True
    )
