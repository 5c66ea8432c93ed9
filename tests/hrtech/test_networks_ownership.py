import numpy as np
import pandas as pd
import pytest

from hrtech.mock import generate_world
from hrtech.networks import integrated_ownership
from hrtech.networks.spec import NetworkError, Rejects


def held(*rows):
    """Rows of owner, company, lowest and highest share; owners called C… are companies."""
    frame = pd.DataFrame(rows, columns=["owner_id", "company_id", "share_minimum", "share_maximum"])
    return frame.assign(owner_company_id=frame["owner_id"].where(frame["owner_id"].str.startswith("C")))


def follow(*rows, threshold=1.0, entities=("C1", "C2", "C3")):
    rejects = Rejects()
    found = integrated_ownership(held(*rows), set(entities), threshold, rejects)
    shares = {
        (row.owner, row.company_id): (row.share_low, row.share_high)
        for row in found.beneficial_owners.itertuples(index=False)
    }
    return found, shares, rejects.frame()


def test_a_chain_multiplies_and_its_path_can_be_read():
    found, shares, rejects = follow(("P", "C1", 60, 75), ("C1", "C2", 50, 50))
    assert shares["P", "C2"] == pytest.approx((30, 37.5))
    row = found.beneficial_owners.query("company_id == 'C2'").iloc[0]
    assert row["path"] == "P → (60–75 %) C1 → (50 %) C2"
    assert rejects.empty


def test_two_chains_add_up():
    found, shares, _ = follow(("P", "C1", 100, 100), ("C1", "C2", 40, 40), ("P", "C2", 25, 25))
    assert shares["P", "C2"] == pytest.approx((65, 65))
    assert found.beneficial_owners.query("company_id == 'C2'")["paths"].tolist() == [2]


def test_cross_holdings_follow_the_geometric_series():
    # C1 and C2 hold half of each other; P the rest of C1, Q the rest of C2
    found, shares, _ = follow(
        ("C2", "C1", 50, 50), ("C1", "C2", 50, 50), ("P", "C1", 50, 50), ("Q", "C2", 50, 50)
    )
    assert shares["P", "C1"] == pytest.approx((200 / 3,) * 2)
    assert shares["Q", "C1"] == pytest.approx((100 / 3,) * 2)
    assert found.cycles["company_id"].tolist() == ["C1", "C2"]
    assert not found.cycles["closed"].any()


def test_a_circle_of_the_whole_is_set_aside_and_listed():
    found, shares, rejects = follow(("C1", "C2", 100, 100), ("C2", "C1", 100, 100), ("P", "C3", 100, 100))
    assert set(shares) == {("P", "C3")}
    assert found.cycles["closed"].all()
    assert rejects["reason"].unique().tolist() == [
        "the companies own each other wholly, in a circle of 100 per cent"
    ]
    assert rejects["row"].tolist() == [1, 2]


def test_what_others_surely_hold_narrows_a_range():
    _, shares, _ = follow(("P", "C1", 25, 50), ("Q", "C1", 60, 60))
    assert shares["P", "C1"] == pytest.approx((25, 40))


def test_an_unknown_share_is_a_wide_one():
    _, shares, _ = follow(("P", "C1", None, None), ("Q", "C1", 70, 70))
    assert shares["P", "C1"] == pytest.approx((0, 30))


def test_owners_below_the_threshold_are_left_out():
    _, shares, _ = follow(("P", "C1", 10, 30), ("Q", "C1", 5, 20), threshold=25)
    assert set(shares) == {("P", "C1")}


def test_rows_that_cannot_be_true_are_rejects_with_row_and_reason():
    _, shares, rejects = follow(
        ("P", "C9", 50, 50),
        ("C8", "C1", 50, 50),
        ("P", "C1", 120, 130),
        ("P", "C1", 60, 40),
        ("C1", "C1", 10, 10),
        ("P", "C2", 80, 80),
        ("Q", "C2", 80, 80),
        ("Q", "C3", 30, 30),
        ("Q", "C3", 30, 30),
    )
    assert rejects["row"].tolist() == [1, 2, 3, 4, 5, 6, 7, 9]
    reasons = dict(zip(rejects["row"], rejects["reason"], strict=True))
    assert reasons[1] == "the owned company is not among the entities"
    assert reasons[2] == "the owning company is not among the entities"
    assert reasons[6] == "the shares in the company add up to more than 100 per cent"
    assert reasons[9] == "the row repeats an earlier one"
    assert shares == {("Q", "C3"): pytest.approx((30, 30))}


def test_a_missing_column_is_named():
    with pytest.raises(NetworkError, match="'ownership' has no column owner_id"):
        integrated_ownership(pd.DataFrame({"company_id": ["C1"]}), {"C1"}, 25, Rejects())


def test_integrated_shares_of_the_mock_world_are_found_again():
    world = generate_world("tiny", seed=4)
    companies = set(world.tables["companies"]["company_id"])
    found = integrated_ownership(world.tables["owners"], companies, 1.0, Rejects()).beneficial_owners
    truth = world.truth["truth_owners"].rename(columns={"owner_id": "owner"})
    both = truth.merge(found, on=["company_id", "owner"], how="left")
    both = both[both["integrated_maximum"] > 1]
    assert both["share_low"].notna().all()
    assert np.allclose(both["share_low"], both["integrated_minimum"], atol=1e-6)
    # ours may be narrower above, because what others surely hold is taken off, but never misses the truth
    assert (both["share_high"] <= both["integrated_maximum"] + 1e-6).all()
    assert (both["integrated_share"] <= both["share_high"] + 1e-6).all()
