"""Places of nodes: apart, by community, the same each time."""

import numpy as np
import pandas as pd
import pytest

from hrtech.networks.layout import layout, separated


def community_network(size: int, each: int, seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    of = np.arange(size) // each
    ties = [
        (int(rng.choice(np.flatnonzero(of[:k] == of[k]))), k) for k in range(size) if k and of[k - 1] == of[k]
    ]
    ties += [(int(rng.integers(0, k)), k) for k in range(each, size, each)]
    nodes = pd.DataFrame({
        "entity_id": [f"n{k:04}" for k in range(size)], "network_id": "x", "community_id": [f"c{k}" for k in of]
    })  # fmt: skip
    edges = pd.DataFrame(
        [(f"n{a:04}", f"n{b:04}", 0.5) for a, b in ties], columns=["source", "target", "probability"]
    )
    return nodes, edges


def test_circles_are_pushed_apart_until_none_overlaps():
    rng = np.random.default_rng(1)
    radii = rng.uniform(0.5, 3, 40)
    places = separated(rng.normal(size=(40, 2)), radii)
    distance = np.sqrt(((places[:, None] - places[None]) ** 2).sum(axis=2))
    np.fill_diagonal(distance, np.inf)
    assert (distance > (radii[:, None] + radii[None]) * 0.98).all()


def test_circles_on_one_point_part():
    places = separated(np.zeros((3, 2)), np.ones(3))
    assert np.hypot(*(places[0] - places[1])) > 1.9


@pytest.mark.parametrize(("size", "each"), [(10, 10), (100, 12), (400, 20)])
def test_nodes_have_room_and_communities_do_not_mingle(size, each):
    nodes, edges = community_network(size, each)
    found = layout(nodes, edges)
    pd.testing.assert_frame_equal(found, layout(nodes, edges))
    places = found[["x", "y"]].to_numpy()
    distance = np.sqrt(((places[:, None] - places[None]) ** 2).sum(axis=2))
    np.fill_diagonal(distance, np.inf)
    assert distance.min() > 0.8
    assert found["group"].tolist() == nodes["community_id"].tolist()
    if size > each:
        nearest = distance.argmin(axis=1)
        groups = found["group"].to_numpy()
        assert (groups[nearest] == groups).mean() > 0.95


def test_whoever_is_alone_in_a_community_is_drawn_with_those_it_is_tied_to():
    nodes, edges = community_network(60, 20)
    nodes = pd.concat([
        nodes,
        pd.DataFrame({"entity_id": ["owner", "hermit"], "network_id": "x", "community_id": ["solo", None]}),
    ])  # fmt: skip
    edges = pd.concat([edges, pd.DataFrame({"source": ["owner"], "target": ["n0003"], "probability": [0.9]})])
    found = layout(nodes.reset_index(drop=True), edges).set_index("entity_id")["group"]
    assert found["owner"] == "c0" and found["hermit"] == "hermit"
