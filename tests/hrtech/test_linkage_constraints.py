import numpy as np
import pandas as pd
import pytest

from hrtech.linkage.cluster import agglomerate
from hrtech.linkage.constraints import constraints_of, contradicted
from hrtech.linkage.spec import LinkageError

RECORDS = pd.DataFrame({"register": ["a", "a", "b", "b"], "record_id": ["1", "2", "1", "2"]})


def judged(*rows):
    return pd.DataFrame(rows, columns=["register_l", "record_l", "register_r", "record_r", "decision"])


def groups(pairs, size, alone=None, **judgements):
    left, right, weight = (np.array(column) for column in zip(*pairs, strict=True))
    none = np.zeros(len(pairs), dtype=bool)
    as_pairs = {name: np.array(pairs) for name, pairs in judgements.items()}
    weight = weight.astype(float)
    return agglomerate(left, right, weight, size, alone or [None] * size, none, **as_pairs).labels.tolist()


def test_records_judged_the_same_are_together_whatever_the_weights_say():
    pairs = [(0, 1, -15), (2, 3, 5)]
    assert groups(pairs, 5, together=[(0, 1)]) == [0, 0, 2, 2, 4]
    assert groups(pairs, 5, together=[(0, 4), (4, 1)]) == [0, 0, 2, 2, 0]
    assert groups(pairs, 5, alone=["r"] * 5, together=[(0, 1)]) == [0, 0, 2, 3, 4]


def test_records_judged_different_are_apart_also_by_way_of_others():
    pairs = [(0, 1, 18), (1, 2, 17), (0, 2, 16)]
    assert groups(pairs, 3, apart=[(0, 2)]) == [0, 0, 2]
    assert groups(pairs, 4, apart=[(0, 2)], together=[(2, 3)]) == [0, 0, 2, 2]
    # 3 is the same as 0, so that what is different from 3 is different from 0
    assert groups(pairs, 4, apart=[(3, 1)], together=[(0, 3)]) == [0, 1, 1, 0]


def test_different_holds_against_a_chain_of_same():
    pairs = [(0, 1, 10), (1, 2, -4), (0, 2, -9)]
    assert (
        groups(pairs, 3, together=[(0, 1), (1, 2)], apart=[(0, 2)])[0]
        != (groups(pairs, 3, together=[(0, 1), (1, 2)], apart=[(0, 2)])[2])
    )
    marked = contradicted(np.array([(0, 1), (1, 2), (3, 4)]), np.array([(0, 2)]), 5)
    assert marked.tolist() == [True, True, False]


def test_contradictions_are_listed_with_every_judgement_that_takes_part():
    found = constraints_of(
        RECORDS,
        judged(
            ("a", "1", "b", "1", "same"),
            ("b", "1", "a", "2", "same"),
            ("a", "1", "a", "2", "different"),
            ("a", "1", "b", "2", "unsure"),
        ),
        alone=["a"],
    )
    assert found.together.tolist() == [[0, 2], [2, 1]]
    assert found.apart.tolist() == [[0, 1]]
    table = found.contradictions.groupby("contradiction").size()
    assert sorted(table.tolist()) == [2, 3]
    assert found.contradictions["decision"].tolist() == ["different", "same", "same", "same", "same"]


def test_judgements_without_contradiction_list_none():
    found = constraints_of(RECORDS, judged(("a", "1", "b", "1", "same"), ("a", "2", "b", "1", "different")))
    assert found.contradictions.empty
    assert not found.notes


def test_judgements_that_cannot_be_used_are_refused_or_told():
    gone = constraints_of(RECORDS, judged(("a", "9", "b", "1", "same")))
    assert gone.notes == ("1 judgements are about records that are no longer in the registers",)
    assert not len(gone.together)
    for frame, match in (
        (judged(("a", "1", "b", "1", "maybe")), "one of same, different, unsure"),
        (judged(("a", "1", "a", "1", "same")), "a record with itself"),
        (judged(("a", "1", "b", "1", "same"), ("b", "1", "a", "1", "different")), "two judgements"),
        (judged(("a", None, "b", "1", "same")), "1 judgements lack"),
        (judged(("a", "1", "b", "1", "same")).drop(columns="decision"), "lacks the column decision"),
    ):
        with pytest.raises(LinkageError, match=match):
            constraints_of(RECORDS, frame)
