from itertools import pairwise, permutations

import numpy as np
import pandas as pd
import pytest

from hrtech.mock import generate_world
from hrtech.networks import NetworkError
from hrtech.networks.screens import ScreenSpec, procurement_screens
from hrtech.networks.screens_bids import SCREENS, chance_of_turns


def tenders(count, **more):
    days = pd.date_range("2024-01-01", periods=count)
    frame = pd.DataFrame(
        {
            "tender_id": [f"T{i:02d}" for i in range(count)],
            "category": "works",
            "buyer": "B",
            "published_on": days,
        }
    )
    return frame.assign(closes_on=days + pd.Timedelta(days=30), procedure="open", **more)


def bids(*rows):
    """Rows of tender, firm and price; the first of each tender wins."""
    frame = pd.DataFrame(rows, columns=["tender_id", "entity_id", "value"])
    return frame.assign(winner=~frame["tender_id"].duplicated())


def numbers(made, screen, kind="tender"):
    rows = made.numbers.query("screen == @screen and subject_kind == @kind")
    return rows.set_index("subject")["number"].to_dict()


def test_spread_and_distance_are_those_of_the_literature():
    prices = {"T00": [100, 110, 112, 114], "T01": [100, 100, 130], "T02": [50, 60]}
    made = procurement_screens(
        bids(*((name, f"F{i}", price) for name, each in prices.items() for i, price in enumerate(each))),
        tenders(3),
    )
    assert numbers(made, "variance") == {
        name: pytest.approx(np.std(prices[name], ddof=1) / np.mean(prices[name])) for name in ("T00", "T01")
    }
    assert numbers(made, "losing-bid distance") == {
        "T00": pytest.approx(10 / np.std([110, 112, 114], ddof=1))
    }
    assert numbers(made, "identical prices") == {"T00": 0, "T01": 1, "T02": 0}


def test_single_bids_windows_and_amendments():
    held = tenders(4)
    held.loc[0, "closes_on"] = held.loc[0, "published_on"] + pd.Timedelta(days=2)
    held.loc[1, "procedure"] = "direct"
    held.loc[2, "closes_on"] = held.loc[2, "published_on"] - pd.Timedelta(days=1)
    offered = bids(("T00", "A", 1), ("T01", "A", 1), ("T02", "A", 1), ("T02", "B", 2))
    changes = pd.DataFrame({"tender_id": ["T00", "T00", "T03"]})
    made = procurement_screens(offered, held, amendments=changes)
    assert numbers(made, "single bid") == {"T00": 1, "T02": 0}
    assert numbers(made, "short window") == {"T00": 2, "T01": 30, "T03": 30}
    assert numbers(made, "amendments") == {"T00": 2, "T01": 0, "T02": 0, "T03": 1}
    assert made.rejects["reason"].tolist() == [
        "the tender closes before it was published: its dates are not used"
    ]
    assert numbers(procurement_screens(offered, held), "amendments") == {}


def test_a_fixed_distance_to_one_winner_is_cover_bidding():
    rows = []
    for i in range(5):
        rows += [
            (f"T{i:02d}", "W", 100 + i),
            (f"T{i:02d}", "C", 1.05 * (100 + i)),
            (f"T{i:02d}", "H", 110 + 17 * i),
        ]
    made = procurement_screens(bids(*rows), tenders(5))
    found = numbers(made, "cover bidding", "pair")
    assert found["C covers W"] == pytest.approx(0, abs=1e-12)
    ratios = np.log([(110 + 17 * i) / (100 + i) for i in range(5)])
    assert found["H covers W"] == pytest.approx(np.std(ratios, ddof=1))
    ranks = made.numbers.query("screen == 'cover bidding'").set_index("subject")["rank"]
    assert ranks.to_dict() == {"C covers W": 0.75, "H covers W": 0.25}


def test_winning_in_turn_is_rotation_and_a_streak_is_not():
    rows = []
    for i in range(8):
        first, second = ("A", "B") if i % 2 else ("B", "A")
        rows += [(f"T{i:02d}", first, 100), (f"T{i:02d}", second, 110)]
        first, second = ("C", "D") if i < 4 else ("D", "C")
        rows += [(f"T{i + 8:02d}", first, 100), (f"T{i + 8:02d}", second, 110)]
    found = numbers(procurement_screens(bids(*rows), tenders(16)), "rotation", "pair")
    assert found["A and B"] == pytest.approx(2 / 70)
    assert found["C and D"] == 1


@pytest.mark.parametrize(("ones", "others"), [(1, 1), (1, 4), (2, 3), (4, 3)])
def test_the_runs_test_counts_orders(ones, others):
    orders = set(permutations([1] * ones + [0] * others))
    runs = [1 + sum(a != b for a, b in pairwise(order)) for order in orders]
    for least in range(2, ones + others + 1):
        expected = np.mean([count >= least for count in runs])
        assert chance_of_turns(ones, others, least) == pytest.approx(expected)


def test_a_suppliers_share_of_a_buyer_is_by_value_and_needs_enough_tenders():
    offered = bids(("T00", "A", 300), ("T01", "A", 300), ("T02", "B", 400), ("T03", "B", 5))
    held = tenders(4)
    held.loc[3, "buyer"] = "Small"
    found = numbers(procurement_screens(offered, held), "market share by buyer", "supplier of a buyer")
    assert found == {"A for B": 60, "B for B": 40}


def test_ranks_are_within_the_category_where_it_has_peers_enough():
    rng = np.random.default_rng(3)
    rows = [
        (f"T{i:02d}", f"F{k}", price) for i in range(60) for k, price in enumerate(rng.normal(100, 10 + i, 5))
    ]
    offered = bids(*[(one, firm, abs(price) + 1) for one, firm, price in rows])
    held = tenders(
        60,
    )
    held["category"] = ["works"] * 30 + ["goods"] * 25 + ["rare"] * 5
    made = procurement_screens(offered, held, ScreenSpec(min_peers=20)).numbers.query(
        "screen == 'variance' and subject_kind == 'tender'"
    )
    works = made.loc[made["category"] == "works"]
    assert sorted(works["rank"]) == pytest.approx((np.arange(30) + 0.5) / 30)
    assert works.sort_values("rank")["number"].is_monotonic_decreasing
    rare = made.loc[made["category"] == "rare"]
    assert rare["compared_with"].eq("all categories").all() and rare["peers"].eq(60).all()
    assert made["rank"].between(0, 1).all()


def test_flags_carry_definition_source_innocent_cause_and_the_declared_weight():
    world = generate_world("tiny", seed=8)
    spec = ScreenSpec(flagged_share=0.1, weights={"variance": 0.2})
    made = procurement_screens(world.tables["bids"], world.tables["tenders"], spec)
    flags = made.red_flags
    assert set(flags["flag"]) <= {f"screen: {name}" for name in SCREENS}
    assert flags.loc[flags["flag"] == "screen: variance", "weight"].eq(0.2).all()
    assert flags.loc[flags["flag"] != "screen: variance", "weight"].eq(0).all()
    assert flags[["definition", "source", "innocent", "evidence"]].notna().all().all()
    assert not flags.duplicated(["entity_id", "flag"]).any()


def test_members_of_rings_rank_higher_and_honest_worlds_show_no_more_flags():
    world = generate_world("tiny", seed=21)
    made = procurement_screens(world.tables["bids"], world.tables["tenders"], ScreenSpec(min_tenders=3))
    bidders = made.numbers.query("screen == 'variance' and subject_kind == 'bidder'")
    member = bidders["entity_id"].isin(world.truth["truth_rings"]["company_id"])
    assert 5 < member.sum() < len(member) - 5
    others = bidders.loc[~member, "rank"].to_numpy()
    higher = np.mean([np.mean(rank > others) for rank in bidders.loc[member, "rank"]])
    assert higher > 0.8


def test_bids_that_do_not_count_are_rejects_and_the_rest_is_used():
    offered = bids(
        ("T00", "A", 10), ("T00", "B", 12), ("T00", "C", -3), ("T09", "A", 1), (None, "A", 1), ("T00", "D", 11)
    )  # fmt: skip
    offered["status"] = ["valid", None, "valid", "valid", "valid", "withdrawn"]
    made = procurement_screens(offered, tenders(2))
    assert made.rejects["row"].tolist() == [3, 4, 5, 6]
    assert numbers(made, "identical prices") == {"T00": 0}
    mixed = bids(("T00", "A", 10), ("T00", "B", 12)).assign(currency=["EUR", "USD"])
    assert procurement_screens(mixed, tenders(1)).rejects["reason"].tolist() == [
        "the price is in another currency than the tender's first bid"
    ]


def test_tables_without_prices_still_screen_what_they_can():
    offered = bids(("T00", "A", None), ("T00", "B", None), ("T01", "A", None))
    made = procurement_screens(offered, tenders(2))
    assert set(made.numbers["screen"]) == {"single bid", "short window"}
    empty = procurement_screens(offered.iloc[:0], tenders(2).iloc[:0])
    assert empty.numbers.empty and empty.red_flags.empty


def test_what_is_missing_or_makes_no_sense_is_refused():
    with pytest.raises(NetworkError, match="'bids' has no column winner"):
        procurement_screens(bids(("T00", "A", 1)).drop(columns="winner"), tenders(1))
    for given, words in (
        ({"weights": {"turns": 1}}, "no screen 'turns'"),
        ({"weights": {"rotation": 3}}, "between 0 and 1"),
        ({"flagged_share": 0.9}, "flagged_share"),
        ({"min_bids": 2}, "must be at least 3"),
    ):
        with pytest.raises(NetworkError, match=words):
            ScreenSpec(**given)
