import numpy as np
import pandas as pd
import pytest

from hrtech.linkage.calibrate import calibrated, other_readings
from hrtech.linkage.cluster import agglomerate, entity_ids
from hrtech.linkage.evaluate import estimated_quality, evaluate_linkage
from hrtech.linkage.model import Vectors
from hrtech.linkage.spec import LinkageError


def groups(pairs, size, alone=None, forbidden=()):
    left, right, weight = (np.array(column) for column in zip(*pairs, strict=True))
    marked = np.array([(a, b) in forbidden for a, b, _ in pairs])
    return agglomerate(
        left, right, weight.astype(float), size, alone or [None] * size, marked
    ).labels.tolist()


def test_a_weak_chance_link_does_not_chain_two_entities():
    # 0-1 and 2-3 belong together; 1-2 agree by chance, the other cross pairs disagree
    pairs = [(0, 1, 10), (2, 3, 10), (1, 2, 3), (0, 2, -5), (0, 3, -5), (1, 3, -5)]
    assert groups(pairs, 4) == [0, 0, 2, 2]


def test_unscored_pairs_are_neutral():
    assert groups([(0, 1, 10), (1, 2, 4)], 3) == [0, 0, 0]


def test_a_register_without_duplicates_gives_one_record_to_an_entity():
    pairs = [(0, 1, 9), (0, 2, 8), (1, 2, 7)]
    assert groups(pairs, 3, alone=[None, "b", "b"]) == [0, 0, 2]


def test_forbidden_pairs_never_share_a_group():
    pairs = [(0, 1, 9), (1, 2, 8), (0, 2, 1)]
    assert groups(pairs, 3, forbidden={(0, 2)}) == [0, 0, 2]


def test_groups_do_not_depend_on_the_order_of_pairs():
    rng = np.random.default_rng(3)
    a, b = np.triu_indices(12, 1)
    weight = rng.normal(0, 5, len(a))
    none = np.zeros(len(a), dtype=bool)
    first = agglomerate(a, b, weight, 12, [None] * 12, none).labels
    order = rng.permutation(len(a))
    assert (first == agglomerate(a[order], b[order], weight[order], 12, [None] * 12, none).labels).all()


def test_ids_depend_on_the_members_and_not_on_their_order():
    records = pd.DataFrame({"register": ["a", "a", "b"], "record_id": ["1", "2", "1"]})
    ids = entity_ids(records, np.array([0, 1, 0]))
    turned = entity_ids(records.iloc[::-1].reset_index(drop=True), np.array([5, 1, 5]))
    assert ids[0] == ids[2] != ids[1]
    assert turned.tolist() == ids.tolist()[::-1]


def test_measures_by_hand():
    # truth {1,2,3} {4,5}; found {1,2} {3} {4,5}: 2 of 4 true pairs, both right
    entities = pd.DataFrame({"record_id": list("12345"), "entity_id": list("AABCC")})
    truth = pd.DataFrame({"record_id": list("12345"), "truth_id": list("xxxyy")})
    table = evaluate_linkage(entities, truth).set_index("measure")
    assert table.loc["pairwise", ["precision", "recall", "f1"]].tolist() == pytest.approx([1, 0.5, 2 / 3])
    assert table.loc["pairwise", ["correct", "found", "true"]].tolist() == [2, 2, 4]
    # recall per record: 2/3, 2/3, 1/3, 1, 1
    assert table.loc["b_cubed", "recall"] == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 2) / 5)


def test_ids_that_repeat_over_registers_need_the_register():
    entities = pd.DataFrame({"register": ["a", "b"], "record_id": ["1", "1"], "entity_id": ["x", "x"]})
    with pytest.raises(LinkageError, match="Give the register too"):
        evaluate_linkage(entities, pd.DataFrame({"record_id": ["1"], "truth_id": ["t"]}))
    truth = pd.DataFrame({"register": ["a", "c"], "record_id": ["1", "1"], "truth_id": ["t", "t"]})
    with pytest.raises(LinkageError, match="1 records of the truth"):
        evaluate_linkage(entities, truth)


def test_estimated_quality_covers_what_calibrated_probabilities_imply():
    rng = np.random.default_rng(5)
    probability = np.repeat([0.9, 0.6, 0.2], 400)
    joined = probability > 0.5
    table = estimated_quality([probability], joined, np.arange(1200), np.full(1200, 2), rng).set_index(
        "measure"
    )
    assert table.loc["precision", "estimate"] == pytest.approx(0.75)
    assert table.loc["recall_among_scored", "estimate"] == pytest.approx(600 / 680)
    state = rng.random(1200) < probability
    assert table.loc["precision", "low"] < state[joined].mean() < table.loc["precision", "high"]


def test_matches_found_by_one_rule_only_speak_for_missed_ones():
    rng = np.random.default_rng(5)
    sure, all_ = np.ones(100), np.ones(100, dtype=bool)
    reached = np.array([1] * 50 + [2] * 50)
    table = estimated_quality([sure], all_, np.arange(100), reached, rng).set_index("measure")
    # Chao: missed at least 50 · 49 / (2 · 51)
    assert table.loc["blocking_reach", "estimate"] == pytest.approx(100 / (100 + 50 * 49 / 102))


def test_where_all_pairs_are_compared_none_is_missed():
    rng = np.random.default_rng(5)
    sure, all_ = np.ones(100), np.ones(100, dtype=bool)
    table = estimated_quality([sure], all_, np.arange(100), np.full(100, -1), rng).set_index("measure")
    assert table.loc["blocking_reach"].tolist() == [1, 1, 1]


def test_intervals_span_the_readings_of_the_probabilities():
    rng = np.random.default_rng(5)
    probability, joined = np.full(1000, 0.9), np.ones(1000, dtype=bool)
    readings = [probability, probability - 0.2, probability + 0.05]
    table = estimated_quality(readings, joined, np.arange(1000), np.full(1000, -1), rng).set_index("measure")
    assert table.loc["precision", "estimate"] == pytest.approx(0.9)
    assert table.loc["precision", "low"] < 0.7
    assert table.loc["precision", "high"] > 0.95


def test_the_height_of_a_join_is_the_mean_weight_between_the_groups():
    left, right = np.array([0, 0, 1, 3]), np.array([1, 2, 2, 4])
    weight = np.array([9.0, 5.0, 2.0, 4.0])
    found = agglomerate(left, right, weight, 6, [None] * 6, np.zeros(4, dtype=bool))
    assert found.labels.tolist() == [0, 0, 0, 3, 3, 5]
    assert found.joined_at(left, right).tolist() == [9, 3.5, 3.5, 4]
    assert found.pairs_between(left, right).tolist() == [1, 2, 2, 1]
    assert np.isnan(found.joined_at(np.array([0, 3]), np.array([3, 5]))).all()


def test_a_pair_within_an_entity_reads_as_the_join_that_brought_it_together():
    left, right = np.array([0, 0, 1, 2, 3]), np.array([1, 2, 2, 3, 4])
    weight = np.array([9.0, 5.0, 2.0, -3.0, -1.0])
    pairs = Vectors(left, right, {})
    linkage = agglomerate(left, right, weight, 5, [None] * 5, np.zeros(5, dtype=bool))
    assert calibrated(pairs, weight, linkage, 1.0).tolist() == [10, 4.5, 4.5, -3, -1]
    own, doubted, trusted = other_readings(pairs, weight, linkage, 0.0)
    assert own.tolist() == weight.tolist()
    assert doubted.tolist() == [4.5, 1.75, 1.75, -1.5, -0.5]
    assert trusted.tolist() == [18, 7, 7, -6, -2]
