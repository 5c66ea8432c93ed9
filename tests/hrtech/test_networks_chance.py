"""What chance explains: pairs, hypergeometric tails, false discoveries, near spellings, agreement, communities."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import OSA
from scipy.stats import hypergeom

from hrtech.networks import NetworkError, NetworkSpec, build_networks
from hrtech.networks.agreement import combined, null_tail, rarity
from hrtech.networks.cobids import co_bids
from hrtech.networks.communities import adjusted_rand, communities
from hrtech.networks.evidence import tie_probability
from hrtech.networks.multiple import discrete_false_discovery_rates, false_discovery_rates
from hrtech.networks.near import near_values
from hrtech.networks.pairs import hypergeometric, pairs_within
from hrtech.networks.spec import Rejects
from hrtech.networks.values import shared_values

NO_OWNERS = pd.DataFrame(columns=["company_id", "owner_id"])
NO_FLAGS = pd.DataFrame(columns=["entity_id", "flag", "weight"])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), max_size=25, unique=True), st.integers(2, 6))
def test_pairs_within_groups_are_all_of_them_once(rows, most):
    group, member = (np.array([row[k] for row in rows], dtype=np.int64) for k in (0, 1))
    found = sorted(zip(*(part.tolist() for part in pairs_within(group, member, most)), strict=True))
    wanted = []
    for one in set(group.tolist()):
        members = sorted(m for g, m in rows if g == one)
        if len(members) <= most:
            wanted += [(a, b, one) for a, b in itertools.combinations(members, 2)]
    assert found == sorted(wanted)


def test_hypergeometric_tails_are_those_of_scipy():
    rng = np.random.default_rng(1)
    total = rng.integers(1, 60, 50)
    marked, drawn = rng.integers(0, total + 1), rng.integers(0, total + 1)
    urn, count, chance, tail = hypergeometric(marked, drawn, total)
    wanted = (total[urn], marked[urn], drawn[urn])
    assert np.allclose(chance, hypergeom.pmf(count, *wanted), atol=1e-12)
    assert np.allclose(tail, hypergeom.sf(count - 1, *wanted), atol=1e-12)


def test_discrete_rates_count_only_what_can_be_rejected():
    # two kinds of test, twice 5 and once 3 of them in the family; three were seen
    attainable = np.array([1.0, 0.2, 0.01, 1.0, 0.5, 0.04])
    tests, urn = np.array([10, 10, 10, 3, 3, 3]), np.array([0, 0, 0, 1, 1, 1])
    seen = np.array([0.01, 0.04, 0.2])
    found = discrete_false_discovery_rates(seen, attainable, tests, urn)

    def expected(threshold):
        kinds = ((10, [0.2, 0.01]), (3, [0.5, 0.04]))
        return sum(count * max([p for p in ps if p <= threshold], default=0.0) for count, ps in kinds)

    raw = [expected(p) / (k + 1) for k, p in enumerate(seen)]
    wanted = np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 1)
    assert found == pytest.approx(wanted)
    assert (found <= false_discovery_rates(seen, 13.0)).all()
    assert false_discovery_rates(seen, 13.0) == pytest.approx([0.13, 0.26, 13 * 0.2 / 3])


def bids_of(tenders, amounts=None):
    rows = [(t, e) for t, firms in enumerate(tenders) for e in firms]
    tender, entity = (np.array(part, dtype=np.int64) for part in zip(*rows, strict=True))
    amount = np.full(len(rows), np.nan) if amounts is None else np.concatenate(amounts)
    return tender, entity, np.zeros(len(rows), np.int64), amount


def test_a_co_bid_has_the_hypergeometric_p_value_of_its_category():
    tenders = [[0, 1], [0, 1], [0, 1, 2], [2, 3], [3, 4], [2, 4], [0, 3], [4]]
    found = co_bids(*bids_of(tenders))
    pair = found.pairs.set_index(["first", "second"]).loc[(0, 1)]
    assert pair[["together", "bids_first", "bids_second", "tenders"]].tolist() == [3, 4, 3, 8]
    assert pair["p_together"] == pytest.approx(hypergeom.sf(2, 8, 4, 3))
    assert pair["p"] == pair["p_together"]
    assert np.isnan(pair["p_close"])
    assert found.family == 10


def test_close_prices_are_told_apart_from_ordinary_ones():
    rng = np.random.default_rng(5)
    tenders = [sorted(rng.choice(30, 4, replace=False).tolist()) for _ in range(80)]
    tenders += [[30, 31]] * 4
    amounts = [100 * np.exp(rng.normal(0, 0.1, len(firms))) for firms in tenders[:80]]
    amounts += [np.array([100.0, 100.5])] * 4
    found = co_bids(*bids_of(tenders, amounts)).pairs.set_index(["first", "second"])
    ring = found.loc[(30, 31)]
    assert ring["spread"] == pytest.approx(0.005)
    assert ring["p_close"] < 0.001
    assert ring["p"] < ring["p_together"]
    # where prices are honest, closeness is spread evenly
    assert found["p_close"].drop((30, 31)).mean() == pytest.approx(0.5, abs=0.06)


def test_random_bidding_is_rarely_a_discovery():
    rng = np.random.default_rng(8)
    hits = 0
    for _ in range(30):
        tenders = [sorted(rng.choice(40, rng.integers(2, 6), replace=False).tolist()) for _ in range(30)]
        hits += bool((co_bids(*bids_of(tenders)).pairs["q_together"] <= 0.1).any())
    # 10 % nominal: at most 7 of 30 at 1 %
    assert hits <= 7


def test_one_slip_joins_spellings_and_no_digit_is_a_slip():
    texts = pd.Series(
        ["12 station road", "12 staton road", "12 statoin road", "21 station road", "maria kovac", "mario kovac",
         "short", "shart", "12 sttion raod"]
    )  # fmt: skip
    label = near_values(texts)
    assert label[:4].tolist() == [0, 0, 0, 3]
    assert label[4] == label[5]
    assert label[6] != label[7]
    assert label[8] == 8


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text("abc1", min_size=8, max_size=10), min_size=2, max_size=5, unique=True))
def test_near_spellings_are_found_as_by_comparing_all(texts):
    import networkx as nx

    graph = nx.Graph()
    graph.add_nodes_from(range(len(texts)))
    for a, b in itertools.combinations(range(len(texts)), 2):
        same_digits = [c for c in texts[a] if c == "1"] == [c for c in texts[b] if c == "1"]
        if OSA.distance(texts[a], texts[b]) == 1 and same_digits:
            graph.add_edge(a, b)
    label = near_values(pd.Series(texts))
    for group in nx.connected_components(graph):
        assert len({label[k] for k in group}) == 1
    assert len(set(label.tolist())) == nx.number_connected_components(graph)


def held(*rows):
    frame = pd.DataFrame(rows, columns=["entity_id", "attribute", "value"])
    ids = pd.Index(sorted(set(frame["entity_id"])))
    return shared_values(frame, ids, NetworkSpec(), Rejects()), ids


def test_an_agents_address_and_phone_travel_together_and_those_of_two_firms_do_not():
    agent = [(name, "address", "1 high street") for name in "ABCDE"]
    agent += [(name, "phone", "4471234567") for name in "ABC"]
    agent += [(f"other {k}", "address", f"{k} long lane") for k in range(60)]
    contacts = (("address", "9 mill lane"), ("phone", "55500012"))
    own = [(name, *contact) for name in "FG" for contact in contacts]
    values = held(*agent, *own)[0].values.set_index("text")
    assert values.loc["1 high st", "package"] == values.loc["471234567", "package"]
    assert values.loc["9 mill ln", "package"] != values.loc["55500012", "package"]


def test_a_value_that_nearly_everybody_holds_takes_none_with_it():
    common = [(name, "email", "agent@x.example") for name in "ABCDEF"]
    values = held(*common, *((name, "address", "1 high street") for name in "ABC"))[0].values
    assert values["package"].nunique() == 2


def test_a_phone_is_the_same_with_and_without_its_country():
    values = held(("A", "phone", "+44 1234 567890"), ("B", "phone", "01234567890"))[0].values
    assert values["holders"].tolist() == [2]


def test_agreement_has_the_chance_that_enumeration_gives():
    values = pd.DataFrame({"attribute": ["a", "a", "b", "b"], "holders": [2, 3, 2, 2]})
    rare = rarity(values, 20)
    assert rare == pytest.approx(np.array([1, 4, 2, 2]) / 190)
    tails = {"a": null_tail(rare[:2]), "b": null_tail(rare[2:])}
    evidence = pd.DataFrame(
        {"first": [0, 0, 1], "second": [1, 1, 2], "kind": ["a", "b", "a"], "p": [rare[0], rare[2], rare[1]]}
    )
    found = combined(evidence, tails, 190.0).set_index(["first", "second"])
    # as surprising: the rarest a (1 pair in 190) with any b (2 in 190); a shared by three with b is less so
    assert found.loc[(0, 1), "p"] == pytest.approx(1 / 190 * 2 / 190)
    assert found.loc[(0, 1), "kinds"] == 2
    # one shared value is no discovery, however rare
    assert found.loc[(1, 2), ["p", "q"]].tolist() == [1.0, 1.0]


def test_communities_are_dense_bounded_and_lose_nobody():
    cliques = [list(itertools.combinations(range(k, k + 5), 2)) for k in (0, 5)]
    pairs = np.array([*cliques[0], *cliques[1], (4, 5), (10, 11), (12, 13)])
    tie = np.array([0.9] * 20 + [0.3, 0.9, 0.1])
    found = communities(15, pairs[:, 0], pairs[:, 1], tie, resolution=0.2, most=50, seed=1, reseeds=3)
    assert found.label.tolist() == [0] * 5 + [1] * 5 + [2, 2, 3, 4, 5]
    assert found.agreement == 1
    assert (found.persistence == 1).all()
    assert found.refined == 0
    bounded = communities(15, pairs[:, 0], pairs[:, 1], tie, resolution=0.01, most=5, seed=1, reseeds=0)
    assert np.bincount(bounded.label).max() <= 5
    assert bounded.refined >= 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=30))
def test_the_adjusted_rand_index_is_that_of_scikit_learn(labels):
    from sklearn.metrics import adjusted_rand_score

    one, other = (np.array(part) for part in zip(*labels, strict=True))
    assert adjusted_rand(one, other) == pytest.approx(adjusted_rand_score(one, other))


def test_a_tie_is_likelier_the_more_surprising_and_the_fewer_entities():
    likely = tie_probability(np.array([0.0, 2.0, 10.0, 20.0]), 1000)
    assert (np.diff(likely) >= 0).all()
    assert likely[-1] > 0.99
    assert tie_probability(np.array([10.0]), 10**6)[0] < likely[2]
    # by hand: odds 1 / (−e p log p) over 999 others
    p = np.exp(-10)
    odds = 1 / (-np.e * p * np.log(p)) / 999
    assert likely[2] == pytest.approx(odds / (1 + odds))


def market(seed, ring):
    """Firms, contacts and bids at random; with a ring of four that shares rare contacts and bids closely together."""
    rng = np.random.default_rng(seed)
    names = [f"F{k:03d}" for k in range(160)]
    rows = [(name, "address", f"{rng.integers(1, 70)} office block") for name in names]
    rows += [(name, "phone", f"0300{rng.integers(10**5, 10**6)}") for name in names]
    offers = []
    for tender in range(120):
        category = tender % 4
        firms = rng.choice(np.arange(category, 160, 4), 4, replace=False)
        offers += [(f"T{tender}", names[f], f"c{category}", 100 * np.exp(rng.normal(0, 0.1))) for f in firms]
    if ring:
        members = names[:16:4]
        rows += [(name, "phone", "0800999999") for name in members[:3]]
        rows += [(name, "email", "ring@mail.example") for name in members[1:]]
        for turn in range(5):
            offers += [(f"R{turn}", name, "c0", 100 + k / 2) for k, name in enumerate(members)]
    flags = pd.DataFrame([(names[0], "late", 0.5)], columns=["entity_id", "flag", "weight"])
    bids = pd.DataFrame(offers, columns=["tender_id", "entity_id", "category", "value"])
    return build_networks(
        pd.DataFrame({"entity_id": names}),
        pd.DataFrame(rows, columns=["entity_id", "attribute", "value"]),
        NO_OWNERS,
        flags,
        bids=bids,
    ), names[:16:4]


def test_a_ring_is_discovered_grouped_and_looked_at_first():
    found, members = market(3, ring=True)
    pairs = {tuple(sorted(pair)) for pair in itertools.combinations(members, 2)}
    told = set(zip(found.discoveries["source"], found.discoveries["target"], strict=True))
    assert pairs <= told
    assert set(found.nodes["entity_id"].head(4)) == set(members)
    community = found.nodes.set_index("entity_id")["community_id"]
    assert community[members].nunique() == 1
    top = found.communities.iloc[0]
    assert (top["entities"], top["flagged"]) == (4, 1)
    terms = found.nodes[["by_flags", "by_values", "by_co_bids", "by_layers"]].sum(axis=1)
    assert np.allclose(terms, found.nodes["priority"])
    assert (found.nodes["risk_low"] <= found.nodes["risk"]).all()
    assert (found.nodes["risk"] <= found.nodes["risk_high"]).all()
    evidence = found.discoveries.query("kind == 'agreement'").iloc[0]
    assert "bid together in" in evidence["evidence"]
    assert evidence["family"] == "12,720 pairs of entities"


def test_a_market_without_a_ring_holds_no_discovery():
    assert sum(len(market(seed, ring=False)[0].discoveries) > 0 for seed in range(2)) == 0


def test_bids_that_cannot_be_compared_are_listed():
    bids = pd.DataFrame(
        [
            ("T1", "A", "x", 10.0),
            ("T1", "Z", "x", 10.0),
            (None, "A", "x", 10.0),
            ("T2", "A", None, 10.0),
            ("T1", "B", "y", 10.0),
            ("T1", "A", "x", 9.0),
            ("T3", "B", "x", -1.0),
        ],
        columns=["tender_id", "entity_id", "category", "value"],
    )
    attributes = pd.DataFrame(
        [("A", "phone", "12345", "2024-02-01", "2023-01-01")],
        columns=["entity_id", "attribute", "value", "from_date", "to_date"],
    )
    found = build_networks(
        pd.DataFrame({"entity_id": ["A", "B"]}), attributes, NO_OWNERS, NO_FLAGS, bids=bids
    )
    assert found.rejects.to_numpy().tolist() == [
        ["attributes", 1, "it ends before it begins"],
        ["bids", 1, "a lower or earlier bid of the same firm in the tender counts"],
        ["bids", 2, "the entity is unknown"],
        ["bids", 3, "the tender is blank"],
        ["bids", 4, "the category is blank"],
        ["bids", 5, "an earlier row gives the tender another category"],
        ["bids", 7, "the price is nought or less"],
    ]


def test_a_doubtful_record_carries_less():
    firms = pd.DataFrame({"entity_id": ["A", "B"]})
    rows = pd.DataFrame(
        [("A", "phone", "12345", 0.5), ("B", "phone", "12345", 0.8)],
        columns=["entity_id", "attribute", "value", "match_probability"],
    )
    flags = pd.DataFrame(
        [("A", "late", 0.5, 0.6)], columns=["entity_id", "flag", "weight", "match_probability"]
    )
    found = build_networks(firms, rows, NO_OWNERS, flags)
    assert found.edges["probability"].tolist() == pytest.approx([0.8 * 0.5 * 0.8])
    nodes = found.nodes.set_index("entity_id")
    assert nodes.loc["A", "risk"] == pytest.approx(0.3)
    assert nodes.loc["B", "risk"] == pytest.approx(0.3 * 0.32 * 0.7)


def test_settings_that_cannot_be_are_named():
    for wrong, what in (
        ({"community_resolution": 0.0}, "community_resolution"),
        ({"bid_period": "week"}, "bid_period"),
        ({"false_discovery_rate": 2.0}, "false_discovery_rate"),
    ):
        with pytest.raises(NetworkError, match=what):
            NetworkSpec(**wrong)
