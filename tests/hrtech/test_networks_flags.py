import pandas as pd
import pytest

from hrtech.networks import NetworkError
from hrtech.networks.flags import all_flags, offers, weighted


def flags(**more):
    frame = pd.DataFrame({"entity_id": ["a", "b", "c"], "flag": ["x", "y", "z"], "weight": [0.0, 0.0, 0.4]})
    return frame.assign(category=["list", "list", "other"], **more)


def test_a_flags_own_weight_goes_before_its_categorys():
    assert weighted(flags(), {"list": 0.2, "x": 0.9})["weight"].tolist() == [0.9, 0.2, 0.4]
    assert weighted(flags(), {})["weight"].tolist() == [0.0, 0.0, 0.4]
    with pytest.raises(NetworkError, match="no flag or category 'lists'"):
        weighted(flags(), {"lists": 0.2})
    with pytest.raises(NetworkError, match="between 0 and 1"):
        weighted(flags(), {"x": 2})


def test_flags_of_several_origins_are_put_end_to_end():
    register = pd.DataFrame({"company_id": ["d"], "flag": ["w"], "weight": [1.0], "supporting": [True]})
    made = all_flags([flags(), register])
    assert made["entity_id"].tolist() == ["a", "b", "c", "d"]
    assert made["supporting"].tolist() == [False, False, False, True]
    assert made["source"].isna().all()
    assert all_flags([]).empty


def test_only_bids_that_stood_are_offers():
    bids = pd.DataFrame(
        {"tender_id": ["1", "1", "2"], "company_id": ["a", "b", "c"], "amount": [1.0, 2.0, 3.0],
         "status": ["valid", "withdrawn", None], "winner": [True, False, True]}
    )  # fmt: skip
    tenders = pd.DataFrame({"tender_id": ["1", "2", "2"], "category": ["x", "y", "y"]})
    made = offers(bids, tenders)
    assert made.columns.tolist() == ["tender_id", "entity_id", "category", "date", "value", "winner"]
    assert made[["entity_id", "category", "value"]].to_numpy().tolist() == [["a", "x", 1.0], ["c", "y", 3.0]]
    with pytest.raises(NetworkError, match="'bids' has no column category"):
        offers(bids)
