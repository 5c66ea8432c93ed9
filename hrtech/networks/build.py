"""Tables in, scored networks out: the whole of a network study in one call."""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from hrtech.networks import priority
from hrtech.networks.activity import activity_edges, activity_links
from hrtech.networks.bidding import read_bids
from hrtech.networks.communities import Communities, communities
from hrtech.networks.evidence import OWNER, Evidence, gather
from hrtech.networks.links import EDGE_COLUMNS
from hrtech.networks.ownership import Ownership, integrated_ownership, share_text
from hrtech.networks.pairs import Floats, Ints
from hrtech.networks.risk import Graph, link_graph, score
from hrtech.networks.sensitivity import sensitivity
from hrtech.networks.spec import NetworkError, NetworkSpec, Rejects, numbered
from hrtech.networks.values import SharedValues, backwards, match_probability, shared_values

_NODE_COLUMNS = [
    "entity_id", "name", "node_kind", "network_id", "community_id", "links", "own_flags", "own_weight",
    "exposure", "risk", "risk_low", "risk_high", "priority", *priority.TERMS,
]  # fmt: skip
#: Partitions with other seeds that the communities are compared with.
RESEEDS = 4
_NO_ACTS = pd.DataFrame(columns=["entity_id", "attribute", "value", "period"])
_NO_BIDS = pd.DataFrame(columns=["tender_id", "entity_id", "category"])


@dataclass(frozen=True)
class NetworkResult:
    """What a network study found.

    Attributes:
        nodes: `entity_id, name, node_kind` (entity or owner), `network_id, community_id, links, own_flags, own_weight,
            exposure, risk, risk_low, risk_high, priority` and its terms `by_flags, by_values, by_co_bids, by_layers`,
            highest priority first. `own_weight` combines own flags as 1 − ∏(1 − weight); low and high risk are the
            bounds over the settings of `sensitivity`.
        edges: `source, target, kind, values, probability, evidence, p, q, family`; an edge of kind `ownership` points
            from owner to owned. `values` counts the shared values, or the tenders of a co-bid. `p` is how rare the
            evidence is by chance; `q` is set where it is a discovery of a family.
        discoveries: `source, target, kind` (`co-bid`: more tenders in common than chance explains; `agreement`: several
            kinds of evidence), `kinds, evidence, p, q, family`. A discovery is dependence, not guilt.
        activity: Pairs that begin the same things together or one after the other with some evidence (p up to 0.01):
            `source, target, relation, shared, expected, p_value, q_value, evidence`.
        co_bids: Co-bids with some evidence (p up to 0.05, or discovered): `source, target, category, together,
            bids_source, bids_target, tenders, spread, p_together, q_together, p_close, p, evidence`.
        networks: `network_id, entities, owners, flagged, flags, flags_per_entity, share_flagged, max_risk`.
        communities: `community_id, entities, flagged, discoveries, persistence, max_risk, max_priority` of groups of
            two entities or more; whoever is alone has a `community_id` in `nodes`.
        beneficial_owners: `company_id, owner, owner_name, owner_kind, share_low, share_high, path, paths`.
        ownership_paths: `company_id, owner, number, share_low, share_high, hops, path` of every listed chain of owners.
        control: `company_id, controller, controller_name, controller_kind, certain, ultimate, votes_low, votes_high,
            weakest_link, basis, via`.
        cycles: `cycle_id, company_id, closed`.
        paths: `entity_id, source, hops, via, strength, contribution`; contributions of an entity add up to its risk.
        hubs: Values that too many share to link anyone by themselves: `attribute, value, entities`.
        sensitivity: `setting, value, rank_correlation, top_kept, largest_change` of the risk.
        stability: `reseeds, adjusted_rand, refined` of the communities, one row.
        rejects: Rows not used: `table, row, reason`.
    """

    nodes: pd.DataFrame
    edges: pd.DataFrame
    discoveries: pd.DataFrame
    co_bids: pd.DataFrame
    activity: pd.DataFrame
    networks: pd.DataFrame
    communities: pd.DataFrame
    beneficial_owners: pd.DataFrame
    ownership_paths: pd.DataFrame
    control: pd.DataFrame
    cycles: pd.DataFrame
    paths: pd.DataFrame
    hubs: pd.DataFrame
    sensitivity: pd.DataFrame
    stability: pd.DataFrame
    rejects: pd.DataFrame


def build_networks(
    entities: pd.DataFrame,
    attributes: pd.DataFrame,
    ownership: pd.DataFrame,
    red_flags: pd.DataFrame,
    spec: NetworkSpec | None = None,
    *,
    bids: pd.DataFrame | None = None,
    activity: pd.DataFrame | None = None,
) -> NetworkResult:
    """Build networks, follow ownership and score risk.

    Args:
        entities: `entity_id` (or `company_id`), and where known `name`.
        attributes: `entity_id, attribute, value`, and where known `match_probability` (that the record it stands in is
            the entity's).
        ownership: See `integrated_ownership`.
        red_flags: `entity_id` (or `company_id`), `flag`, `weight` (0 to 1), and where known `category`, `evidence`,
            `supporting` (such a flag counts only beside one that is not), `match_probability`.
        spec: The declaration; defaults where None.
        bids: `tender_id, entity_id, category`, and where known `date`, `value` (price bid), `winner`.
        activity: `entity_id, attribute, value, period`: what was used when.

    Raises:
        NetworkError: A column is missing, there are no entities, or an id is blank or used twice.
    """
    spec = spec or NetworkSpec()
    rejects = Rejects()
    known = _entities(entities)
    ids = pd.Index(known["entity_id"]).sort_values()
    least = min(spec.ownership_threshold, spec.shared_owner_threshold)
    owned = integrated_ownership(ownership, set(ids), least, rejects)
    shared = shared_values(attributes, ids, spec, rejects, _shared_owners(owned, ids, spec))
    offers = read_bids(_NO_BIDS if bids is None else bids, ids, spec, rejects)
    flags = _flags(red_flags, ids, rejects)
    found = gather(shared, offers, ids, spec)
    acts = activity_links(_NO_ACTS if activity is None else activity, set(ids), rejects, seed=spec.seed).links
    acted = activity_edges(acts, spec)
    edges = pd.concat([found.edges, acted, _ownership_edges(owned, spec)], ignore_index=True)[EDGE_COLUMNS]
    nodes = _nodes(known, owned).merge(flags, on="entity_id", how="left")
    nodes = nodes.fillna({"own_flags": 0, "own_weight": 0.0}).astype({"own_flags": "int64"})
    nodes = nodes.sort_values("entity_id", ignore_index=True)
    graph = link_graph(pd.Index(nodes["entity_id"]), edges, spec.min_link_probability)
    own = nodes["own_weight"].to_numpy(np.float64)
    scores = score(graph, own, spec)
    swings, low, high = sensitivity(graph, own, scores.nodes["risk"].to_numpy(np.float64), spec)
    nodes = nodes.assign(
        exposure=scores.nodes["exposure"],
        risk=scores.nodes["risk"],
        risk_low=low,
        risk_high=high,
        links=np.diff(graph.starts),
        network_id=_network_ids(graph),
    )
    grouped = communities(
        len(ids), *(found.ties[name].to_numpy() for name in ("first", "second", "tie")),
        resolution=spec.community_resolution, most=spec.max_community, seed=spec.seed, reseeds=RESEEDS,
    )  # fmt: skip
    nodes = _prioritised(nodes, ids, shared, found, owned)
    named = _community_ids(grouped, ids)
    nodes = nodes.merge(named, on="entity_id", how="left")
    nodes = nodes[_NODE_COLUMNS].sort_values(
        ["priority", "entity_id"], ascending=[False, True], ignore_index=True
    )
    beneficial = owned.beneficial_owners
    return NetworkResult(
        nodes=nodes,
        edges=_ordered(edges, graph.ids),
        discoveries=_discovered(found.discoveries, acted),
        co_bids=found.co_bids,
        activity=acts,
        networks=_networks(nodes),
        communities=_communities(nodes, named, grouped, found),
        beneficial_owners=beneficial.loc[
            beneficial["share_high"] >= spec.ownership_threshold - 1e-9
        ].reset_index(drop=True),
        ownership_paths=owned.paths,
        control=owned.control,
        cycles=owned.cycles,
        paths=scores.paths,
        hubs=_hubs(shared, spec),
        sensitivity=swings,
        stability=pd.DataFrame(
            {"reseeds": [RESEEDS], "adjusted_rand": [grouped.agreement], "refined": [grouped.refined]}
        ),
        rejects=rejects.frame(),
    )


def _discovered(found: pd.DataFrame, acted: pd.DataFrame) -> pd.DataFrame:
    both = pd.concat([found, acted.assign(kinds=acted["kind"])], ignore_index=True)[list(found.columns)]
    return both.sort_values(["q", "p", "source", "target", "kind"], ignore_index=True)


def _ordered(edges: pd.DataFrame, ids: pd.Index) -> pd.DataFrame:
    """Order edges by source, target, kind and evidence; nodes in the order of `ids`."""
    keys = [pd.factorize(edges[name], sort=True)[0] for name in ("evidence", "kind")]
    keys += [ids.get_indexer(pd.Index(edges[name])) for name in ("target", "source")]
    return edges.iloc[np.lexsort(keys)].reset_index(drop=True)


def _shared_owners(owned: Ownership, ids: pd.Index, spec: NetworkSpec) -> pd.DataFrame:
    """Return the ultimate owners of entities as values: `entity, attribute, text`."""
    held = owned.beneficial_owners
    held = held.loc[held["share_high"] >= spec.shared_owner_threshold]
    return pd.DataFrame(
        {
            "entity": ids.get_indexer(pd.Index(held["company_id"])),
            "attribute": OWNER,
            "text": held["owner"].astype("str"),
        }
    )


def _hubs(shared: SharedValues, spec: NetworkSpec) -> pd.DataFrame:
    values = shared.values
    hubs = values.loc[(values["holders"] > spec.max_attribute_degree) & (values["attribute"] != OWNER)]
    hubs = hubs.rename(columns={"text": "value", "holders": "entities"})[["attribute", "value", "entities"]]
    return hubs.sort_values(
        ["entities", "attribute", "value"], ascending=[False, True, True], ignore_index=True
    )


def _layers(owned: Ownership, nodes: pd.Index) -> Ints:
    """Return how many layers of owners stand above each node, at most twelve."""
    held = owned.holdings
    place = {name: nodes.get_indexer(pd.Index(held[name])) for name in ("owner", "entity_id")}
    layers = np.zeros(len(nodes), dtype=np.int64)
    for _ in range(12):
        before = layers.copy()
        np.maximum.at(layers, place["entity_id"], before[place["owner"]] + 1)
        if (layers == before).all():
            break
    return layers


def _prioritised(
    nodes: pd.DataFrame, ids: pd.Index, shared: SharedValues, found: Evidence, owned: Ownership
) -> pd.DataFrame:
    place = pd.Index(nodes["entity_id"]).get_indexer(ids)
    terms = pd.DataFrame(0.0, index=nodes.index, columns=list(priority.TERMS))
    terms["by_flags"] = priority.flags_term(nodes["risk"].to_numpy(np.float64))
    layers = _layers(owned, pd.Index(nodes["entity_id"]))[place]
    for name, term in (
        ("by_values", priority.values_term(shared, len(ids))),
        ("by_co_bids", priority.co_bids_term(found.met, len(ids))),
        ("by_layers", priority.layers_term(layers)),
    ):
        terms.loc[terms.index[place], name] = term
    return nodes.assign(**{name: terms[name] for name in priority.TERMS}, priority=terms.sum(axis=1))


def _name(prefix: str, first: str) -> str:
    """Name a group after its smallest member, so that it keeps its name while that stays."""
    return prefix + hashlib.sha256(first.encode()).hexdigest()[:12]


def _network_ids(graph: Graph) -> pd.Series:
    size = len(graph.ids)
    links = sparse.csr_array(
        (np.ones(len(graph.neighbours)), graph.neighbours, graph.starts), shape=(size, size)
    )
    _, label = connected_components(links, directed=False)
    _, first, code = np.unique(label, return_index=True, return_inverse=True)
    names = np.array([_name("n-", one) for one in graph.ids[first].tolist()], dtype=object)
    return pd.Series(names[code], dtype="str")


def _community_ids(grouped: Communities, ids: pd.Index) -> pd.DataFrame:
    _, first = np.unique(grouped.label, return_index=True)
    names = np.array([_name("c-", one) for one in ids[first].tolist()], dtype=object)
    return pd.DataFrame({"entity_id": ids, "community_id": names[grouped.label]}).astype("str")


def _communities(
    nodes: pd.DataFrame, named: pd.DataFrame, grouped: Communities, found: Evidence
) -> pd.DataFrame:
    persistence = pd.Series(grouped.persistence[grouped.label], index=named["community_id"])
    persistence = persistence[~persistence.index.duplicated()]
    community = named.set_index("entity_id")["community_id"]
    pairs = found.discoveries[["source", "target"]].drop_duplicates()
    one, other = community.reindex(pairs["source"]).to_numpy(), community.reindex(pairs["target"]).to_numpy()
    discovered = pd.Series(one[one == other], dtype="str").value_counts()
    inside = nodes.loc[nodes["node_kind"] == "entity"]
    grouped_nodes = inside.assign(flagged=inside["own_flags"] > 0).groupby("community_id")
    frame = grouped_nodes.agg(
        entities=("entity_id", "size"),
        flagged=("flagged", "sum"),
        max_risk=("risk", "max"),
        max_priority=("priority", "max"),
    )
    frame = frame.loc[frame["entities"] > 1]
    frame = frame.assign(
        discoveries=discovered.reindex(frame.index).fillna(0).astype("int64"),
        persistence=persistence.reindex(frame.index),
    ).reset_index()
    columns = [
        "community_id", "entities", "flagged", "discoveries", "persistence", "max_risk", "max_priority",
    ]  # fmt: skip
    return frame[columns].sort_values(
        ["discoveries", "max_priority", "community_id"], ascending=[False, False, True], ignore_index=True
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


def _flags(red_flags: pd.DataFrame, ids: pd.Index, rejects: Rejects) -> pd.DataFrame:
    """Return `entity_id, own_flags, own_weight` of flagged entities."""
    frame = numbered(red_flags, "red_flags", ("entity_id", "flag", "weight"))
    frame = frame.assign(entity_id=frame["entity_id"].astype("str"), weight=frame["weight"].astype("float64"))
    frame = frame.assign(certainty=match_probability(frame))
    unknown = pd.Series(ids.get_indexer(pd.Index(frame["entity_id"])) < 0, index=frame.index)
    frame = rejects.split("red_flags", frame, unknown, "the entity is unknown")
    outside = ~frame["weight"].between(0, 1)
    frame = rejects.split("red_flags", frame, outside, "the weight is blank or not between 0 and 1")
    outside = ~frame["certainty"].between(0, 1)
    frame = rejects.split("red_flags", frame, outside, "the match probability is not between 0 and 1")
    frame = rejects.split("red_flags", frame, backwards(frame), "it ends before it begins")
    frame = frame.assign(weight=frame["weight"] * frame["certainty"])
    if "supporting" in frame.columns:
        supporting = frame["supporting"].fillna(False).astype(bool)
        alone = supporting & ~frame["entity_id"].isin(frame.loc[~supporting, "entity_id"])
        frame = rejects.split("red_flags", frame, alone, "a supporting flag without a flag to support")
    # the same flag raised twice is one flag: the heavier
    frame = frame.sort_values("weight").drop_duplicates(["entity_id", "flag"], keep="last")
    grouped = frame.assign(rest=1 - frame["weight"]).groupby("entity_id")
    result = pd.DataFrame({"own_flags": grouped.size(), "own_weight": 1 - grouped["rest"].prod()})
    return result.reset_index().astype({"entity_id": "str"})


def _ownership_edges(owned: Ownership, spec: NetworkSpec) -> pd.DataFrame:
    """Turn holdings into edges; one of very many holdings of an owner carries less."""
    held = owned.holdings
    low, high = held["share_low"], held["share_high"]
    many = held.groupby("owner")["entity_id"].transform("size").to_numpy(np.float64)
    penalty: Floats = np.minimum(1.0, spec.max_attribute_degree / np.maximum(many, 1))
    evidence = [
        f"owns {share_text(a, b)}" + (f", one of {n:.0f} holdings" if n > spec.max_attribute_degree else "")
        for a, b, n in zip(low, high, many, strict=True)
    ]
    return pd.DataFrame(
        {
            "source": held["owner"],
            "target": held["entity_id"],
            "kind": "ownership",
            "values": 1,
            "probability": (low + high) / 200 * penalty,
            "evidence": pd.Series(evidence, index=held.index, dtype="str"),
            "p": np.nan,
            "q": np.nan,
            "family": "",
        }
    )


def _nodes(known: pd.DataFrame, owned: Ownership) -> pd.DataFrame:
    companies = set(known["entity_id"].tolist())
    outside = ~owned.holdings["owner"].astype(object).isin(companies)
    people = owned.holdings.loc[outside].drop_duplicates("owner")
    owners = pd.DataFrame(
        {"entity_id": people["owner"], "name": people["owner_name"].fillna(people["owner"])}
    )
    return pd.concat(
        [known.assign(node_kind="entity"), owners.assign(node_kind="owner")], ignore_index=True
    ).astype({"entity_id": "str", "name": "str", "node_kind": "str"})


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
