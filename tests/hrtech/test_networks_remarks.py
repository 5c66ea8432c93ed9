"""Remarks about entities, and what they do to flags."""

import pandas as pd

from hrtech.networks.remarks import remark_log, set_aside, without_set_aside


def form(number, day, **fields):
    return [
        {
            "judgement_id": f"j{number}", "judged_at": pd.Timestamp(f"2025-03-{day:02d}", tz="UTC"),
            "judged_by": "R. Evans", "field": field, "value": value,
        }
        for field, value in fields.items()
    ]  # fmt: skip


def test_the_latest_decision_about_an_entity_holds():
    rows = [
        *form(1, 1, entity_id="a", remark="set flags aside", words="Namesake"),
        *form(2, 2, entity_id="b", remark="set flags aside", words="Paid since"),
        *form(3, 3, entity_id="a", remark="reply", words="We never bid there"),
        *form(4, 4, entity_id="b", remark="take back", words="Not paid after all"),
    ]
    log = remark_log(pd.DataFrame(rows[::-1]))
    assert log["remark_id"].tolist() == ["j1", "j2", "j3", "j4"]
    assert set_aside(log) == {"a"}
    flags = pd.DataFrame({"entity_id": ["a", "b"], "flag": ["late", "late"], "weight": [0.5, 0.4]})
    assert without_set_aside(flags, set_aside(log))["weight"].tolist() == [0.0, 0.4]


def test_other_forms_are_left_alone():
    rows = [
        *form(1, 1, record_l="x", decision="same", reason="Same scar"),
        *form(2, 2, entity_id="a", remark="no such thing", words="?"),
        *form(3, 3, remark="reply", words="about nobody"),
    ]
    log = remark_log(pd.DataFrame(rows))
    assert log.empty and set_aside(log) == frozenset()
    nothing = pd.DataFrame(
        {name: [] for name in ("judgement_id", "judged_at", "judged_by", "field", "value")}
    )
    assert remark_log(nothing).columns.tolist() == log.columns.tolist()
