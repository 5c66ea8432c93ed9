"""What a network study tells: its inputs put in order, its headline as facts, and the report that shows them.

A fact counts networks, firms and owners; none names one. The report names firms only where it is handed the
tables, which is in restricted casework.
"""

from collections.abc import Sequence

import pandas as pd

from hrtech.facts import Chart, Fact, FactList, Heading, Report, Text
from hrtech.facts.frames import frame_table, rows
from hrtech.facts.parts import Edge, Network, Node
from hrtech.networks.layout import layout
from hrtech.networks.spec import NetworkError
from hrtech.pages import charts

#: Networks that casework draws, the riskiest first, and the largest that is still readable.
DRAWN = 3
READABLE = 60


def shared_attributes(entities: pd.DataFrame, id_column: str, columns: Sequence[str]) -> pd.DataFrame:
    """Turn columns of a register into the long table that links are found in.

    Args:
        entities: One row per entity.
        id_column: Column that identifies it.
        columns: Columns whose shared values may link entities.

    Returns:
        `entity_id, attribute, value`, blanks left out.

    Raises:
        NetworkError: A column is not there.
    """
    if absent := [name for name in (id_column, *columns) if name not in entities.columns]:
        raise NetworkError(
            f"The entities have no column {', '.join(absent)}. There are {', '.join(map(str, entities.columns))} "
            "[setting: entities]"
        )
    long = entities.melt(
        id_vars=[id_column], value_vars=list(columns), var_name="attribute", value_name="value"
    )
    return long.rename(columns={id_column: "entity_id"}).dropna(subset=["value"]).reset_index(drop=True)


def linked_elsewhere(linked: pd.DataFrame, register: str) -> frozenset[str]:
    """Ids of a register's records whose entity also appears in another register.

    Args:
        linked: `register, record_id, entity_id`, as a linkage makes it.
        register: Name of the register.
    """
    several = linked.groupby("entity_id")["register"].transform("nunique") > 1
    return frozenset(linked.loc[several & (linked["register"] == register), "record_id"].astype("str"))


def network_facts(
    study: str,
    nodes: pd.DataFrame,
    networks: pd.DataFrame,
    beneficial_owners: pd.DataFrame,
    hubs: pd.DataFrame,
) -> list[Fact]:
    """State what the networks hold, in counts.

    Args:
        study: Name of the study; first part of each fact id.
        nodes: `entity_id, node_kind, network_id, own_flags`, and `linked` where entities were linked elsewhere.
        networks: `network_id, entities, flagged`.
        beneficial_owners: `company_id, owner`.
        hubs: Values that too many share to link anyone.
    """
    firms = nodes.loc[nodes["node_kind"] == "entity"]
    several = networks.loc[networks["entities"] > 1]
    flagged = several.loc[several["flagged"] > 0]
    near = firms.loc[firms["network_id"].isin(flagged["network_id"]) & (firms["own_flags"] == 0)]
    counted = [
        ("firms", "{value} firms were looked at.", len(firms), "firms", "nodes"),
        ("networks", "{value} networks join two firms or more.", len(several), "networks", "networks"),
        (
            "flagged_networks",
            "{value} of them hold a firm with a red flag.",
            len(flagged),
            "networks",
            "networks",
        ),
        (
            "unflagged_firms_in_flagged_networks",
            "{value} firms without a flag of their own stand in a network that has one.",
            len(near),
            "firms",
            "nodes",
        ),
        (
            "owned_firms",
            "For {value} firms a beneficial owner could be followed through the chain of owners.",
            beneficial_owners["company_id"].nunique(),
            "firms",
            "beneficial_owners",
        ),
        (
            "hubs",
            "{value} addresses, phones and agents are shared by too many firms to link any two of them.",
            len(hubs),
            "values",
            "hubs",
        ),
    ]
    if "linked" in nodes.columns:
        employers = firms.loc[firms["linked"]]
        counted += [
            (
                "employers",
                "{value} of the firms are employers in the other register.",
                len(employers),
                "firms",
                "nodes",
            ),
            (
                "employers_in_flagged_networks",
                "{value} of these employers stand in a network with a red flag.",
                int(employers["network_id"].isin(flagged["network_id"]).sum()),
                "firms",
                "nodes",
            ),
        ]
    return [
        Fact(f"{study}/{name}", words, number, unit, source_asset=f"{study}/{noun}")
        for name, words, number, unit, noun in counted
    ]


def network_report(
    study: str,
    title: str,
    facts: Sequence[Fact],
    *,
    nodes: pd.DataFrame | None = None,
    edges: pd.DataFrame | None = None,
    networks: pd.DataFrame | None = None,
    beneficial_owners: pd.DataFrame | None = None,
    paths: pd.DataFrame | None = None,
) -> Report:
    """Tell a network study; with tables it names firms and is a restricted report.

    Args:
        study: Name of the study.
        title: Title.
        facts: What may be told.
        nodes: Scored entities and owners, for casework.
        edges: Links with evidence, for casework.
        networks: Networks, for casework.
        beneficial_owners: Owners followed through chains, for casework.
        paths: Contributions to risk, for casework.
    """
    parts: list = [
        FactList(tuple(fact.fact_id for fact in facts)),
        Text(
            "Firms that share a telephone, an address or an owner are linked, each link weighing less the more firms "
            "share the same thing. A link is a reason to look, not a proof of wrongdoing: neighbours in an office "
            "building share an address too."
        ),
    ]
    if nodes is None or edges is None or networks is None:
        counts = [fact for fact in facts if fact.unit in ("firms", "networks")]
        if counts:
            parts.insert(1, _counts(counts))
        summary = "Who shares contacts and owners with whom, counted; no firm is named."
        return Report(study, title, summary, "disclosure-control", tuple(parts))
    parts += [Heading("The riskiest networks"), *_drawn(study, nodes, edges, networks)]
    parts += [
        Heading("The riskiest firms"),
        frame_table("Firms by risk", nodes.head(50), source_assets=(f"{study}/nodes",)),
    ]
    if paths is not None:
        top = paths.loc[paths["entity_id"].isin(nodes.head(10)["entity_id"])]
        parts.append(
            frame_table(
                "What their risk is made of",
                top,
                source_assets=(f"{study}/paths",),
                description="The contributions of a firm add up to its risk.",
            )
        )
    if beneficial_owners is not None:
        parts += [
            Heading("Who stands behind them"),
            frame_table(
                "Beneficial owners", beneficial_owners.head(50), source_assets=(f"{study}/beneficial_owners",)
            ),
        ]
    summary = "Who shares contacts and owners with whom, and where red flags reach."
    return Report(study, title, summary, "restricted", tuple(parts))


def _counts(facts: Sequence[Fact]) -> Chart:
    data = [{"what": fact.fact_id.split("/")[1].replace("_", " "), "count": fact.value} for fact in facts]
    return Chart(
        "What was counted",
        charts.bars(data, category="what", value="count", category_title="what", value_title="number"),
        "; ".join(f"{row['what']}: {row['count']:,.0f}" for row in data) + ".",
        fact_ids=tuple(fact.fact_id for fact in facts),
    )


def _drawn(study: str, nodes: pd.DataFrame, edges: pd.DataFrame, networks: pd.DataFrame) -> list[Network]:
    sizes = nodes.groupby("network_id").size()
    fits = networks.loc[networks["network_id"].map(sizes).between(3, READABLE)]
    drawn = []
    for network in fits.nlargest(DRAWN, "max_risk")["network_id"]:
        members = nodes.loc[nodes["network_id"] == network]
        ties = edges.loc[
            edges["source"].isin(members["entity_id"]) & edges["target"].isin(members["entity_id"])
        ]
        places = members.merge(layout(members, ties), on="entity_id")
        drawn.append(
            Network(
                f"Network of {len(members)} firms and owners",
                tuple(
                    Node(
                        str(row["entity_id"]),
                        str(row["name"]),
                        row["x"],
                        row["y"],
                        kind=str(row["node_kind"]),
                        highlighted=row["own_flags"] > 0,
                    )
                    for row in rows(places)
                ),
                tuple(
                    Edge(str(row["source"]), str(row["target"]), str(row["kind"]), row["kind"] == "ownership")
                    for row in rows(ties)
                ),
                f"{len(members)} firms and owners with {len(ties)} links; those with a red flag are drawn stronger.",
                source_assets=(f"{study}/nodes", f"{study}/edges"),
            )
        )
    return drawn
