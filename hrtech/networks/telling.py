"""What a network study tells: its inputs put in order, its headline as facts, and the report that shows them.

A fact counts networks, firms and owners; none names one. The report names firms only where it is handed the
tables, which is in restricted casework.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd

from hrtech.facts import Chart, Fact, FactList, Heading, Part, Report, Text
from hrtech.facts.frames import frame_table
from hrtech.facts.parts import Network
from hrtech.networks.case_pages import address, drawn
from hrtech.networks.publication_case import publication_section
from hrtech.networks.spec import NetworkError
from hrtech.pages import charts

#: Networks that casework draws, the riskiest first, and the largest that is still readable.
DRAWN = 3
READABLE = 1000
#: Heading, title, table, rows and columns shown in casework.
_SHOWN: Final = (
    (
        "What chance does not explain",
        "Discoveries: dependence, not guilt; a joint venture or a region explains many",
        "discoveries",
        50,
        ("source", "target", "kind", "evidence", "p", "q", "family"),
    ),
    (
        "Groups",
        "Communities: firms tied more closely than the stated density, and how stable each is to reseeding",
        "communities",
        30,
        ("community_id", "entities", "flagged", "discoveries", "persistence", "max_risk"),
    ),
    (
        "Who stands behind them",
        "Beneficial owners",
        "beneficial_owners",
        50,
        ("owner_name", "owner_kind", "company_id", "share_low", "share_high", "path", "paths"),
    ),
    (
        "How far the scores depend on settings",
        "Each setting changed by itself: rank correlation of the risk, share of the top that stays, largest change",
        "sensitivity",
        40,
        ("setting", "value", "rank_correlation", "top_kept", "largest_change"),
    ),
    (
        "Values that too many share",
        "They link nobody by themselves",
        "hubs",
        30,
        ("attribute", "entities"),
    ),
)


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


def match_probabilities(linked: pd.DataFrame, register: str) -> dict[str, float]:
    """Return how sure each record's match is, for the records of a register that were found in another one too.

    Args:
        linked: `register, record_id, entity_id, match_probability`, as a linkage makes it.
        register: Name of the register.

    Returns:
        Record → probability of its strongest link.
    """
    both = linked_elsewhere(linked, register)
    mine = linked.loc[(linked["register"] == register) & linked["record_id"].astype("str").isin(both)]
    found = mine.groupby(mine["record_id"].astype("str"))["match_probability"].min().dropna()
    return {str(one): float(sure) for one, sure in found.items()}


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
    pages: frozenset[str] = frozenset(),
    **tables: pd.DataFrame,
) -> Report:
    """Tell a network study; with tables it names firms and is a restricted report.

    Args:
        study: Name of the study.
        title: Title.
        facts: What may be told.
        pages: Addresses of the pages of single entities, for casework.
        tables: `nodes, edges, networks` and the other tables of `NetworkResult`, `watch_list` and `red_flags_used`,
            for casework; those that are there are shown.
    """
    parts: list[Part] = [
        FactList(tuple(fact.fact_id for fact in facts)),
        Text(
            "Firms that share a telephone, an address or an owner are linked, each link weighing less the more firms "
            "share the same thing. A link is a reason to look, not a proof of wrongdoing: neighbours in an office "
            "building share an address too."
        ),
    ]
    if not tables:
        counts = [fact for fact in facts if fact.unit in ("firms", "networks")]
        if counts:
            parts.insert(1, _counts(counts))
        summary = "Who shares contacts and owners with whom, in counts."
        return Report(study, title, summary, "disclosure-control", tuple(parts))
    if (drafts := tables.get("publication_drafts")) is not None:
        parts += publication_section(study, drafts)
    nodes, edges, networks = (tables[name] for name in ("nodes", "edges", "networks"))
    parts += [Heading("The riskiest networks"), *_drawn(study, nodes, edges, networks)]
    parts += [Heading("Where to look first"), *_listed(study, tables, pages)]
    for heading, words, noun, most, columns in _SHOWN:
        if len(table := tables.get(noun, pd.DataFrame())):
            shown = table[[name for name in columns if name in table.columns]].head(most)
            parts += [
                Heading(heading),
                frame_table(words, _rounded(shown), source_assets=(f"{study}/{noun}",)),
            ]
    summary = "Who shares contacts and owners with whom, and where red flags reach."
    return Report(study, title, summary, "restricted", tuple(parts))


def _listed(study: str, tables: Mapping[str, pd.DataFrame], pages: frozenset[str]) -> list[Part]:
    nodes = tables["nodes"]
    if "watch_list" not in tables:
        return [frame_table("Firms by risk", nodes.head(50), source_assets=(f"{study}/nodes",))]
    listed = tables["watch_list"][
        ["name", "status", "score", "score_before", "rank", "rank_before", "entity_id"]
    ]
    links = [f"{place}.html" if (place := address(str(one))) in pages else "" for one in listed["entity_id"]]
    return [
        frame_table(
            "The watch list, and what changed since the last",
            listed,
            source_assets=(f"{study}/watch_list",),
            headings={"score": "risk", "score_before": "risk before"},
            links=links,
        )
    ]


def _rounded(table: pd.DataFrame) -> pd.DataFrame:
    """Write probabilities of chance in the digits that matter."""
    small = {
        name
        for name in ("p", "q", "p_value", "q_value", "p_together", "q_together", "p_close")
        if name in table
    }
    words = {name: [f"{value:.2g}" if pd.notna(value) else "" for value in table[name]] for name in small}
    return table.assign(**words)


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
    shown = []
    for network in fits.nlargest(DRAWN, "max_risk")["network_id"]:
        members = nodes.loc[nodes["network_id"] == network, "entity_id"].tolist()
        shown.append(drawn(study, f"Network of {len(members)} firms and owners", members, nodes, edges))
    return shown
