import numpy as np
import pandas as pd
import pytest

from hrtech.linkage.graph import bridges
from hrtech.linkage.review import DRAWN, find_contradictions, review_queue
from hrtech.linkage.spec import FieldSpec

NONE = pd.DataFrame(columns=["register_l", "record_l", "register_r", "record_r", "decision"], dtype="str")
FIELDS = (FieldSpec("name", "person_name"), FieldSpec("passport", "identifier"))


def pairs_of(*rows):
    frame = pd.DataFrame(rows, columns=["record_l", "record_r", "match_weight", "joined"])
    return pd.DataFrame(
        {
            "register_l": "r",
            "record_l": frame["record_l"].astype("str"),
            "register_r": "r",
            "record_r": frame["record_r"].astype("str"),
            "match_weight": frame["match_weight"].astype(float),
            "match_probability": 1 / (1 + 2.0 ** -frame["match_weight"]),
            "joined": frame["joined"],
        }
    )


def entities_of(**records):
    return pd.DataFrame({"register": "r", "record_id": list(records), "entity_id": list(records.values())})


#: Two triangles held together by c-d, a pair e2, and a stranger.
PAIRS = pairs_of(
    ("a", "b", 9, True),
    ("b", "c", 8, True),
    ("a", "c", 7, True),
    ("c", "d", 1.5, True),
    ("d", "e", 9, True),
    ("e", "f", 9, True),
    ("d", "f", 9, True),
    ("g", "h", 3, True),
    ("g", "i", -1, False),
)
ENTITIES = entities_of(a="e1", b="e1", c="e1", d="e1", e="e1", f="e1", g="e2", h="e2", i="e3")
RECORDS = ENTITIES.assign(
    name="x", passport=["p1", "p1", None, "p1", "p1", None, "axb12", "axb21", None]
).astype("str")


def queue(**more):
    contradictions = find_contradictions(PAIRS, ENTITIES, RECORDS, FIELDS, NONE, 0.5)
    given = {"standing": NONE, **more}
    return review_queue(PAIRS, ENTITIES, contradictions, threshold=0.5, **given)


def removed(edges, place):
    """Sizes of the two parts without one pair, the slow way."""
    groups = {node: {node} for edge in edges for node in edge}
    for other, (a, b) in enumerate(edges):
        if other != place:
            joined = groups[a] | groups[b]
            for node in joined:
                groups[node] = joined
    a, b = edges[place]
    return None if b in groups[a] else tuple(sorted((len(groups[a]), len(groups[b]))))


@pytest.mark.parametrize("seed", range(6))
def test_bridges_are_those_without_which_an_entity_falls_apart(seed):
    rng = np.random.default_rng(seed)
    tree = [(int(rng.integers(0, n)), n) for n in range(1, 14)]
    more = {tuple(sorted(map(int, rng.choice(14, 2, replace=False)))) for _ in range(4)} - set(tree)
    edges = [*tree, *sorted(more)]
    frame = pd.DataFrame(edges, columns=["l", "r"])
    found = bridges(frame["l"], frame["r"], pd.Series("e", index=frame.index))
    slow = {place: parts for place in range(len(edges)) if (parts := removed(edges, place))}
    assert {place: tuple(row) for place, row in zip(found.index, found.to_numpy(), strict=True)} == slow


def test_entities_that_contradict_themselves_are_listed():
    found = find_contradictions(PAIRS, ENTITIES, RECORDS, FIELDS, NONE, 0.5)
    assert found[["entity_id", "kind", "records"]].to_numpy().tolist() == [["e1", "held by one weak pair", 6]]
    assert found.loc[0, ["record_l", "record_r"]].tolist() == ["c", "d"]
    assert found.loc[0, "detail"] == "this pair alone holds 3 and 3 records together"
    # two swapped characters are a slip of the pen, another number is not
    other = RECORDS.assign(passport=RECORDS["passport"].replace("axb21", "axc99"))
    found = find_contradictions(PAIRS, ENTITIES, other, FIELDS, NONE, 0.5)
    assert found[found["kind"] == "two identifiers"][
        ["entity_id", "record_l", "record_r", "detail"]
    ].to_numpy().tolist() == [["e2", "g", "h", "2 values of passport"]]
    assert not found["detail"].str.contains("ax").any()


def test_judgements_that_contradict_are_listed_with_their_entity():
    judged = pd.DataFrame(
        [["r", "g", "r", "h", "same", "called both"]], columns=[*NONE.columns, "contradiction"]
    )
    found = find_contradictions(PAIRS, ENTITIES, RECORDS, FIELDS, judged, 0.5)
    assert found.loc[found["kind"] == "judgements", "entity_id"].tolist() == ["e2"]
    again = review_queue(PAIRS, ENTITIES, found, judged[list(NONE.columns)], 0.5)
    assert again["record_r"].tolist().count("h") == 1  # judged, and still asked: somebody has to settle it


def test_a_bridge_counts_for_all_that_it_holds_and_comes_first():
    table = queue().set_index(["record_l", "record_r"])
    first = table.iloc[0]
    assert table.index[0] == ("c", "d") and first["rank"] == 1
    assert first["pairs_changed"] == 9
    assert first["worth"] == pytest.approx(9 * (1 - 1 / (1 + 2**-1.5)))
    assert "alone holds 3 and 3 records" in first["reason"] and "joined with a match" in first["reason"]
    # apart at p = 1/3, and the answer would join one record to two
    assert table.loc[("g", "i"), "worth"] == pytest.approx(2 / 3)
    assert table.loc[("g", "i"), "worth"] > table.loc[("g", "h"), "worth"]
    assert table["pair_id"].is_unique


def test_the_order_does_not_depend_on_the_order_of_pairs():
    contradictions = find_contradictions(PAIRS, ENTITIES, RECORDS, FIELDS, NONE, 0.5)
    mixed = PAIRS.sample(frac=1, random_state=3).reset_index(drop=True)
    again = review_queue(mixed, ENTITIES.iloc[::-1], contradictions, NONE, 0.5)
    pd.testing.assert_frame_equal(queue(), again)
    assert len(queue(size=3)) == 3


def test_what_was_judged_is_not_asked_again_and_what_was_drawn_comes_last():
    judged = pd.DataFrame([["r", "d", "r", "c", "unsure"]], columns=NONE.columns)
    drawn = pd.DataFrame([["r", "a", "r", "c"], ["r", "a", "r", "f"]], columns=list(NONE.columns[:4]))
    table = queue(standing=judged, drawn=drawn, size=3)
    assert ("c", "d") not in set(zip(table["record_l"], table["record_r"], strict=True))
    assert table.iloc[-1]["reason"] == DRAWN and len(table) >= 4
    assert pd.isna(table.iloc[-1]["match_weight"])  # never compared, joined by way of others


def test_a_pair_that_only_the_others_of_its_entity_speak_for_is_no_bond():
    """Within an entity each pair has the weight of the join; without c-d the two triangles hang by b-e, which is -3."""
    more = pairs_of(("b", "e", 5, True))
    pairs = pd.concat([PAIRS, more], ignore_index=True)
    lent = (pairs["record_l"] == "b") & (pairs["record_r"] == "e")
    pairs["weight_calibration"] = np.where(lent, 8.0, 0.0)
    found = find_contradictions(pairs, ENTITIES, RECORDS, FIELDS, NONE, 0.5)
    assert found[["record_l", "record_r"]].to_numpy().tolist() == [["c", "d"]]
    assert find_contradictions(
        pairs.drop(columns="weight_calibration"), ENTITIES, RECORDS, FIELDS, NONE, 0.5
    ).empty
