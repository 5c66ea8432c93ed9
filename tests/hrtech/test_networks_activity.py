"""Who begins the same things together, or one after another, beyond chance."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import poisson

from hrtech.networks import build_networks
from hrtech.networks.activity import activity_links, chernoff, log_tail
from hrtech.networks.milieux import milieux
from hrtech.networks.spec import NetworkError, Rejects

ENTITIES = 120


def everyday(
    rng: np.random.Generator, entities: int = ENTITIES, uses: int = 20, periods: int = 12
) -> pd.DataFrame:
    """Activity without a plan: popular and rare values, used whenever."""
    n = entities * uses
    popularity = np.arange(1, 4 * entities + 1) ** -0.8
    return pd.DataFrame(
        {
            "entity_id": [f"f{k}" for k in rng.integers(0, entities, n)],
            "attribute": "site",
            "value": rng.choice(4 * entities, n, p=popularity / popularity.sum()),
            "period": rng.integers(0, periods, n),
        }
    )


def acts(entities: list[str], values: list[int], periods: list[list[int]]) -> pd.DataFrame:
    """Uses of each value by each entity, in a period each."""
    return pd.DataFrame(
        [
            {"entity_id": entity, "attribute": "site", "value": value, "period": period}
            for value, when in zip(values, periods, strict=True)
            for entity, period in zip(entities, when, strict=True)
        ]
    )


def linked(activity: pd.DataFrame, entities: int = ENTITIES, **settings) -> pd.DataFrame:
    return activity_links(activity, {f"f{k}" for k in range(entities)}, Rejects(), **settings).links


def test_what_two_begin_together_links_them_as_synchronised():
    rng = np.random.default_rng(1)
    together = acts(["f3", "f7"], list(range(9000, 9008)), [[k, k] for k in range(8)])
    first = linked(pd.concat([everyday(rng), together])).iloc[0]
    assert [first["source"], first["target"], first["relation"]] == ["f3", "f7", "synchronised"]
    assert first["q_value"] < 0.01
    assert first["shared"] >= 8


def test_what_one_begins_after_the_other_links_them_as_asynchronous():
    rng = np.random.default_rng(2)
    later = acts(["f3", "f7"], list(range(9000, 9008)), [[k, k + 3] for k in range(8)])
    first = linked(pd.concat([everyday(rng), later])).iloc[0]
    assert [first["source"], first["target"], first["relation"]] == ["f3", "f7", "asynchronous"]


def test_going_on_is_no_further_event():
    rng = np.random.default_rng(3)
    plain = everyday(rng)
    once = pd.concat([plain, acts(["f3", "f7"], [9000], [[2, 2]])])
    long = pd.concat([plain, *(acts(["f3", "f7"], [9000], [[k, k]]) for k in range(2, 12))])
    pair = [
        all.loc[(all["source"] == "f3") & (all["target"] == "f7") & (all["relation"] == "synchronised")]
        for all in (linked(once, most_p=1.0), linked(long, most_p=1.0))
    ]
    assert pair[0]["shared"].tolist() == pair[1]["shared"].tolist()


def test_a_value_in_fashion_links_nobody():
    rng = np.random.default_rng(4)
    crowd = [f"f{k}" for k in range(60)]
    fashions = acts(crowd, [9000, 9001, 9002], [[4] * 60] * 3)
    found = linked(pd.concat([everyday(rng), fashions]))
    assert not (found["q_value"] <= 0.1).any()


def test_without_a_plan_discoveries_are_as_rare_as_stated():
    worlds = 30
    false = sum(
        bool((linked(everyday(np.random.default_rng(seed), 60, 12), 60)["q_value"] <= 0.1).any())
        for seed in range(100, 100 + worlds)
    )
    # at 10 % in each of two families: 99.9 % of a binomial at 20 %
    assert false <= 13


def test_p_values_are_not_too_small():
    shares = []
    for seed in range(5):
        found = linked(everyday(np.random.default_rng(seed), 100, 20), 100, most_p=0.01)
        shares.append(len(found) / 2 / (100 * 99 / 2))
    assert np.mean(shares) <= 0.012


def test_the_trade_explains_what_is_common_in_it():
    rng = np.random.default_rng(5)
    trades = []
    for trade in range(2):
        one = everyday(rng, 60, 25)
        one["entity_id"] = [f"f{int(name[1:]) + 60 * trade}" for name in one["entity_id"]]
        trades.append(one.assign(value=one["value"] + 100_000 * trade))
    both = activity_links(pd.concat(trades), {f"f{k}" for k in range(120)}, Rejects())
    assert not (both.links["q_value"] <= 0.1).any()
    split = both.milieux.assign(trade=[int(name[1:]) >= 60 for name in both.milieux["entity_id"]])
    assert split.groupby("trade")["milieu"].nunique().max() == 1


def test_small_circles_are_no_milieu():
    entity = np.repeat(np.arange(40), 5)
    value = np.where(entity < 4, 100, 0) + np.tile(np.arange(5), 40)
    assert set(milieux(entity, value, 41, 30, 1)[:4]) == {0}


def test_the_tail_of_one_weight_is_that_of_a_poisson():
    rate = np.array([0.001, 0.02, 0.3, 1.0, 2.0])
    count = np.array([1, 2, 4, 6, 9])
    found = np.exp(log_tail(rate[:, None], np.array([3]), 3 * count))
    assert found == pytest.approx(poisson.sf(count - 1, rate), rel=1e-6)


def test_the_tail_of_several_weights_is_what_simulation_counts():
    rng = np.random.default_rng(6)
    rate, weight = np.array([[0.4, 0.2, 0.05]]), np.array([1, 3, 7])
    sums = rng.poisson(rate[0], (400_000, 3)) @ weight
    found = np.exp(log_tail(rate, weight, np.array([11])))[0]
    share = (sums >= 11).mean()
    assert found == pytest.approx(share, abs=4 * np.sqrt(share / 400_000))
    assert np.exp(chernoff(rate, weight.astype(float), np.array([11.0])))[0] >= found


def test_the_commonest_values_are_left_out_and_told():
    rng = np.random.default_rng(7)
    result = activity_links(everyday(rng), {f"f{k}" for k in range(ENTITIES)}, Rejects(), most_pairs=2000)
    assert result.hubs["entities"].is_monotonic_decreasing
    assert len(result.hubs) and result.hubs["entities"].min() > 2


def test_rows_that_cannot_be_used_are_told():
    rejects = Rejects()
    rows = pd.DataFrame(
        {
            "entity_id": ["f1", "nobody", "f2", "f3"],
            "attribute": ["site", "site", None, "site"],
            "value": [1, 1, 1, 1],
            "period": [1, 1, 1, 1],
        }
    )
    activity_links(rows, {"f1", "f2", "f3"}, rejects)
    told = rejects.frame()
    assert told["row"].tolist() == [2, 3]
    assert "unknown" in told["reason"].iloc[0] and "blank" in told["reason"].iloc[1]


def test_the_same_seed_gives_the_same_links():
    activity = everyday(np.random.default_rng(8))
    pd.testing.assert_frame_equal(linked(activity), linked(activity.sample(frac=1, random_state=1)))


def test_a_missing_column_is_named():
    with pytest.raises(NetworkError, match="period"):
        activity_links(pd.DataFrame({"entity_id": [], "attribute": [], "value": []}), {"f1"}, Rejects())


def test_no_activity_links_nobody():
    empty = pd.DataFrame({"entity_id": [], "attribute": [], "value": [], "period": []})
    assert linked(empty).empty


def test_what_is_discovered_links_a_network():
    rng = np.random.default_rng(1)
    together = acts(["f3", "f7"], list(range(9000, 9008)), [[k, k] for k in range(8)])
    firms = pd.DataFrame({"entity_id": [f"f{k}" for k in range(ENTITIES)]})
    nothing = pd.DataFrame(columns=["entity_id", "attribute", "value"])
    owners = pd.DataFrame(columns=["owner_id", "company_id", "owner_name", "share_minimum", "share_maximum"])
    flags = pd.DataFrame({"entity_id": ["f7"], "flag": ["late"], "weight": [0.6]})
    result = build_networks(firms, nothing, owners, flags, activity=pd.concat([everyday(rng), together]))
    edge = result.edges.iloc[0]
    assert [edge["source"], edge["target"], edge["kind"]] == ["f3", "f7", "synchronised"]
    risk = result.nodes.set_index("entity_id")["risk"]
    # 0.6 of the flag, over one hop of decay and the confidence in the link
    assert risk["f3"] == pytest.approx(0.6 * 0.7 * edge["probability"])
    assert result.discoveries["kind"].tolist() == ["synchronised"]
