import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta

from hrtech.linkage.judged_quality import ON_DRAWN, ON_JUDGED, draw_pairs, judged_quality
from hrtech.linkage.judgements import pair_keys

NAMES = ["register_l", "record_l", "register_r", "record_r", "decision"]


def entities_of(count=400, size=2):
    numbers = np.arange(count * size)
    return pd.DataFrame(
        {
            "register": "r",
            "record_id": numbers.astype(str),
            "unjudged_entity_id": (numbers // size).astype(str),
        }
    )


def judged(rows):
    return pd.DataFrame(rows, columns=NAMES, dtype="str")


def test_the_model_is_measured_and_not_what_was_made_of_the_judgements():
    rows = [("r", str(2 * i), "r", str(2 * i + 1), "same" if i < 7 else "different") for i in range(10)]
    rows += [
        ("r", "0", "r", "5", "same"),
        ("r", "0", "r", "9", "different"),
        ("r", "30", "r", "31", "unsure"),
    ]
    table = judged_quality(entities_of(), judged(rows), 1).set_index("measure")
    precision = table.loc[ON_JUDGED]
    assert precision["estimate"] == 0.7 and precision["right"] == 7 and precision["unsure"] == 1
    # Clopper and Pearson by quantiles of the beta distribution
    assert precision["low"] == pytest.approx(beta.ppf(0.025, 7, 4))
    assert precision["high"] == pytest.approx(beta.ppf(0.975, 8, 3))
    assert table.loc["recall on judged pairs", "estimate"] == 7 / 8


def test_without_judgements_nothing_is_measured():
    table = judged_quality(entities_of(), judged([]), 1)
    assert table["estimate"].isna().all() and not table["pairs"].any()


def test_pairs_drawn_keep_their_order_whatever_else_is_there():
    few, many = entities_of(100, 3), entities_of(130, 3)
    first, second = pair_keys(draw_pairs(few, 5)), pair_keys(draw_pairs(many.iloc[::-1], 5))
    assert len(first) == 300  # three pairs in each of 100 entities
    assert second[second.isin(set(first))].tolist() == first.tolist()
    left = pair_keys(draw_pairs(few, 5, 4, judged=draw_pairs(few, 5, 2))).tolist()
    assert left == first.tolist()[2:6]  # what was judged is not drawn again
    assert pair_keys(draw_pairs(few, 6, 10)).tolist() != first.head(10).tolist()


def test_the_random_sample_measures_what_doubtful_pairs_do_not():
    """A tenth of the joined pairs is wrong; whoever judges the wrong ones first sees half of what is judged wrong."""
    entities = entities_of(2000)
    rng = np.random.default_rng(4)
    wrong = set(rng.choice(2000, 200, replace=False).tolist())
    drawn = draw_pairs(entities, 9)
    answer = {
        key: "different" if int(row) // 2 in wrong else "same"
        for key, row in zip(pair_keys(drawn), drawn["record_l"], strict=True)
    }
    rows = drawn.assign(decision=pair_keys(drawn).map(answer))
    doubtful = rows[rows["decision"] == "different"].head(100)
    both = pd.concat([rows.head(300), doubtful]).drop_duplicates(NAMES)
    table = judged_quality(entities, both, 9).set_index("measure")
    assert table.loc[ON_DRAWN, "pairs"] == 300
    assert table.loc[ON_DRAWN, "low"] < 0.9 < table.loc[ON_DRAWN, "high"]
    assert table.loc[ON_JUDGED, "high"] < 0.9
    # the run ends at the first pair that nobody judged
    gap = both[both.index != 40]
    assert judged_quality(entities, gap, 9).set_index("measure").loc[ON_DRAWN, "pairs"] == 40
