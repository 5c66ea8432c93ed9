import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrtech.mock import generate_world
from hrtech.networks import NetworkError, NetworkSpec, build_networks, layout
from hrtech.networks.risk import link_graph, score
from hrtech.networks.telling import shared_attributes

NO_OWNERS = pd.DataFrame({"company_id": pd.Series(dtype="str"), "owner_id": pd.Series(dtype="str")})
NO_FLAGS = pd.DataFrame(
    {"entity_id": pd.Series(dtype="str"), "flag": pd.Series(dtype="str"), "weight": pd.Series(dtype="float")}
)


def firms(names):
    return pd.DataFrame({"entity_id": list(names), "name": [f"Firm {name}" for name in names]})


def shares(*rows):
    return pd.DataFrame(rows, columns=["entity_id", "attribute", "value"])


def flags(*rows):
    return pd.DataFrame(rows, columns=["entity_id", "flag", "weight"])


def scored(near, own, spec):
    """Score nodes linked as a dictionary says, each link with its probability and kind."""
    rows = [
        (a, b, kind, p) for a, others in near.items() for b, (p, kind) in others.items() if a < b and p < 1
    ] + [
        (a, b, kind, 1 - 1e-12)
        for a, others in near.items()
        for b, (p, kind) in others.items()
        if a < b and p == 1
    ]
    edges = pd.DataFrame(rows, columns=["source", "target", "kind", "probability"])
    graph = link_graph(pd.Index(sorted(near), dtype="str"), edges, spec.min_link_probability)
    return score(graph, np.array([own.get(name, 0.0) for name in sorted(near)]), spec)


def test_a_rare_value_links_more_than_a_common_one_and_a_hub_nobody():
    attributes = shares(
        ("A", "phone", "+44 20 1"), ("B", "phone", "44-20-1"),
        *((name, "address", "1 High Street") for name in "CDE"),
        *((name, "email", "agent@x.example") for name in "ABCDEF"),
    )  # fmt: skip
    result = build_networks(
        firms("ABCDEF"), attributes, NO_OWNERS, NO_FLAGS, NetworkSpec(max_attribute_degree=4)
    )
    edges = result.edges.set_index(["source", "target", "kind"])
    assert edges.loc[("A", "B", "phone"), "probability"] == pytest.approx(0.8)
    assert edges.loc[("C", "D", "address"), "probability"] == pytest.approx(0.4)
    assert edges.loc[("A", "B", "phone"), "evidence"] == "the same phone, which 2 of 6 entities have"
    # the agent's email adds its little to pairs that something else links, and links no other
    assert edges.loc[("A", "B", "email"), "probability"] == pytest.approx(0.8 / 5)
    assert len(edges) == 4 + 4
    assert "F" not in set(result.edges["source"]) | set(result.edges["target"])
    assert result.hubs[["attribute", "entities"]].to_numpy().tolist() == [["email", 6]]
    # F is linked to nobody and still there
    assert result.networks["entities"].sum() == 6
    assert result.networks["entities"].tolist() == [3, 2, 1]


def test_values_that_always_travel_together_are_one_piece_of_evidence():
    both = [
        (name, kind, value) for name in "ABC" for kind, value in (("phone", "123"), ("address", "1 High St"))
    ]
    result = build_networks(firms("ABC"), shares(*both), NO_OWNERS, NO_FLAGS)
    assert result.edges["kind"].unique().tolist() == ["address+phone"]
    assert result.edges["probability"].tolist() == pytest.approx([0.4] * 3)
    assert result.edges["values"].tolist() == [2] * 3


def test_exposure_decays_with_each_hop_and_decomposes():
    attributes = shares(
        ("A", "phone", "1"), ("B", "phone", "1"), ("B", "email", "b@x"), ("C", "email", "b@x")
    )
    result = build_networks(
        firms("ABC"), attributes, NO_OWNERS, flags(("A", "fraud", 0.5), ("C", "wages", 0.4))
    )
    nodes = result.nodes.set_index("entity_id")
    hop = 0.8 * 0.7
    assert nodes.loc["B", "risk"] == pytest.approx(1 - (1 - hop * 0.5) * (1 - hop * 0.4))
    # C: own .4, and A's flag two hops away
    assert nodes.loc["C", "exposure"] == pytest.approx(hop**2 * 0.5)
    assert nodes.loc["C", "risk"] == pytest.approx(1 - 0.6 * (1 - hop**2 * 0.5))
    total = result.paths.groupby("entity_id")["contribution"].sum()
    assert np.allclose(total, nodes.loc[total.index, "risk"])
    assert result.paths.query("entity_id == 'C' and source == 'A'")["via"].tolist() == [
        "C –email– B –phone– A"
    ]


def test_flags_behind_one_link_cannot_outweigh_the_link():
    near = {"a": {"b": (0.5, "x")}, "b": {"a": (0.5, "x")}}
    for flagged in "cdefgh":
        near["b"][flagged] = (1.0, "x")
        near[flagged] = {"b": (1.0, "x")}
    scores = scored(near, dict.fromkeys("cdefgh", 1.0), NetworkSpec(decay=1.0))
    assert scores.nodes.set_index("entity_id").loc["a", "risk"] == pytest.approx(0.5)


def test_unflagged_neighbours_add_nothing():
    near = {"a": {name: (0.9, "x") for name in "bcdef"}} | {name: {"a": (0.9, "x")} for name in "bcdef"}
    assert scored(near, {"b": 0.0}, NetworkSpec()).nodes["risk"].tolist() == [0.0] * 6


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 7), st.integers(0, 7), st.floats(0, 1)).filter(
            lambda edge: edge[0] != edge[1]
        ),
        max_size=16,
    ),
    st.dictionaries(st.integers(0, 7), st.floats(0, 1), max_size=8),
)
def test_every_risk_is_a_probability_and_the_sum_of_its_paths(edges, own):
    near = {str(node): {} for node in range(8)}
    for a, b, probability in edges:
        near[str(a)][str(b)] = near[str(b)][str(a)] = (probability, "x")
    weights = {str(node): weight for node, weight in own.items()}
    scores = scored(near, weights, NetworkSpec(min_strength=0.0))
    nodes = scores.nodes.set_index("entity_id")
    total = scores.paths.groupby("entity_id")["contribution"].sum().reindex(nodes.index).fillna(0)
    assert nodes["risk"].between(0, 1).all()
    assert np.allclose(total, nodes["risk"], atol=1e-9)
    assert all(nodes.loc[node, "risk"] >= weight - 1e-9 for node, weight in weights.items())


def test_owners_are_nodes_and_ownership_carries_exposure():
    owners = pd.DataFrame(
        {
            "company_id": ["A", "B"],
            "owner_id": ["P", "P"],
            "share_minimum": [60, 100],
            "share_maximum": [80, 100],
        }
    )
    result = build_networks(firms("AB"), shares(), owners, flags(("B", "fraud", 1.0)))
    nodes = result.nodes.set_index("entity_id")
    assert nodes.loc["P", "node_kind"] == "owner"
    assert nodes.loc["A", "exposure"] == pytest.approx(0.7 * 0.7 * 0.7 * 1.0)
    assert result.edges.set_index("target").loc["A", "evidence"] == "owns 60–80 %"
    assert result.networks.loc[0, ["entities", "owners", "flagged"]].tolist() == [2, 1, 1]


def test_the_same_flag_twice_counts_once_and_a_lone_supporting_flag_not_at_all():
    raised = flags(
        ("A", "fraud", 0.5),
        ("A", "fraud", 0.3),
        ("A", "late", 0.2),
        ("B", "late", 0.9),
        ("Z", "x", 0.1),
        ("A", "y", 7),
    )
    raised["supporting"] = [False, False, True, True, False, False]
    result = build_networks(firms("AB"), shares(), NO_OWNERS, raised)
    nodes = result.nodes.set_index("entity_id")
    assert nodes.loc["A", ["own_flags", "own_weight"]].tolist() == [2, pytest.approx(0.6)]
    assert nodes.loc["B", "risk"] == 0
    assert result.rejects["row"].tolist() == [4, 5, 6]


def test_rows_that_cannot_be_used_are_listed_without_their_value():
    attributes = shares(("A", "phone", "n/a"), ("Z", "phone", "1"), ("A", "email", None))
    result = build_networks(firms("A"), attributes, NO_OWNERS, NO_FLAGS)
    assert result.rejects.to_numpy().tolist() == [
        ["attributes", 1, "nothing comparable is left of the value"],
        ["attributes", 2, "the entity is unknown"],
        ["attributes", 3, "the value is blank"],
    ]


def test_entities_need_an_id_each():
    with pytest.raises(NetworkError, match="2 rows share an id with another, the first of them row 1"):
        build_networks(firms("AA"), shares(), NO_OWNERS, NO_FLAGS)
    with pytest.raises(NetworkError, match="is empty"):
        build_networks(firms(""), shares(), NO_OWNERS, NO_FLAGS)
    with pytest.raises(NetworkError, match="max_attribute_degree must be at least 2"):
        NetworkSpec(max_attribute_degree=1)


@pytest.fixture(scope="module")
def world_result():
    tables = generate_world("tiny", seed=3).tables
    attributes = tables["companies"].melt("company_id", ["address", "phone", "email"], "attribute", "value")
    return tables, build_networks(tables["companies"], attributes, tables["owners"], tables["red_flags"])


def test_a_world_keeps_every_company_and_every_row(world_result):
    tables, result = world_result
    assert set(tables["companies"]["company_id"]) <= set(result.nodes["entity_id"])
    assert result.nodes["entity_id"].is_unique
    total = result.paths.groupby("entity_id")["contribution"].sum()
    risk = result.nodes.set_index("entity_id")["risk"]
    assert np.allclose(total, risk.reindex(total.index))
    assert (risk.drop(total.index) == 0).all()


def test_the_order_of_rows_changes_nothing(world_result):
    tables, result = world_result
    attributes = tables["companies"].melt("company_id", ["address", "phone", "email"], "attribute", "value")
    turned = [
        table.iloc[::-1] for table in (tables["companies"], attributes, tables["owners"], tables["red_flags"])
    ]
    again = build_networks(*turned)
    pd.testing.assert_frame_equal(again.nodes, result.nodes)
    pd.testing.assert_frame_equal(again.networks, result.networks)


def test_a_layout_is_the_same_each_time_and_keeps_networks_apart(world_result):
    _, result = world_result
    places = layout(result.nodes, result.edges, seed=2)
    pd.testing.assert_frame_equal(places, layout(result.nodes, result.edges, seed=2))
    assert places["entity_id"].tolist() == result.nodes["entity_id"].tolist()
    assert np.isfinite(places[["x", "y"]]).all().all()
    boxes = (
        places.assign(network=result.nodes["network_id"]).groupby("network")[["x", "y"]].agg(["min", "max"])
    )
    first, second = boxes.iloc[0], boxes.iloc[1]
    apart = [
        first[axis]["max"] < second[axis]["min"] or second[axis]["max"] < first[axis]["min"] for axis in "xy"
    ]
    assert any(apart)


def test_columns_that_are_to_link_must_be_there():
    firms = pd.DataFrame({"firm": ["a", "b"], "phone": ["1", None], "city": ["x", "x"]})
    long = shared_attributes(firms, "firm", ["phone", "city"])
    assert long.to_numpy().tolist() == [["a", "phone", "1"], ["a", "city", "x"], ["b", "city", "x"]]
    for id_column, columns in (("firm", ["phone", "fax"]), ("fax", ["phone"])):
        with pytest.raises(NetworkError, match=r"no column fax\. There are firm, phone, city"):
            shared_attributes(firms, id_column, columns)
