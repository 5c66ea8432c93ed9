import pandas as pd
import pytest

from hrtech.linkage.constraints import constraints_of
from hrtech.linkage.judgements import LOG_COLUMNS, judgement_log, pair_id, pair_keys, standing
from hrtech.linkage.spec import LinkageError

NONE = pd.DataFrame({name: [] for name in ("judgement_id", "judged_at", "judged_by", "field", "value")})


def form(number, minute, decision, pair=("a", "1", "b", "7"), who="Ana", reason="same hand"):
    """What a form of the pair page leaves in the lake."""
    fields = dict(zip(("register_l", "record_l", "register_r", "record_r"), pair, strict=True))
    fields |= {"decision": decision, "reason": reason, "judged_by": who}
    return pd.DataFrame(
        {
            "judgement_id": f"id-{number}",
            "judged_at": pd.Timestamp(f"2026-03-01T10:{minute:02d}Z"),
            "judged_by": who,
            "field": list(fields),
            "value": list(fields.values()),
        }
    )


def given(*rows):
    names = ("register_l", "record_l", "register_r", "record_r", "decision", "judged_by", "judged_at")
    return pd.DataFrame(rows, columns=names, dtype="str")


def test_the_latest_decision_of_a_pair_holds_and_nothing_is_removed():
    swapped = ("b", "7", "a", "1")
    forms = pd.concat([form(1, 5, "different"), form(2, 9, "same", swapped), form(3, 7, "unsure")])
    log = judgement_log(forms)
    assert list(log.columns) == list(LOG_COLUMNS)
    assert log["judgement_id"].tolist() == ["id-1", "id-3", "id-2"]
    assert log["status"].tolist() == ["replaced by a later one"] * 2 + ["stands"]
    assert standing(log).to_numpy().tolist() == [["b", "7", "a", "1", "same"]]
    assert log["reason"].tolist() == ["same hand"] * 3


def test_a_decision_taken_back_is_as_if_nobody_had_judged():
    forms = [form(1, 1, "different"), form(2, 2, "take back")]
    log = judgement_log(pd.concat(forms))
    assert log["status"].tolist() == ["taken back", "takes back"]
    assert standing(log).empty
    again = judgement_log(pd.concat([*forms, form(3, 3, "same")]))
    assert standing(again)["decision"].tolist() == ["same"]
    assert judgement_log(pd.concat([form(1, 1, "take back")]))["status"].tolist() == [
        "not usable: nothing stood to be taken back"
    ]


def test_a_file_of_decisions_and_the_forms_make_one_log_in_order_of_time():
    table = given(
        ("a", "1", "b", "7", "different", "Bo", "2026-03-01"),
        ("a", "2", "b", "8", "same", "Bo", "2026-03-01T10:30+01:00"),
    )
    log = judgement_log(form(1, 0, "same"), table)
    assert log["given_by"].tolist() == ["file", "file", "form"]
    held = standing(log).set_index("record_l")["decision"]
    assert held.to_dict() == {"1": "same", "2": "same"}
    assert judgement_log(NONE, table)["judgement_id"].is_unique
    assert standing(judgement_log(NONE)).empty


def test_what_holds_can_be_used_as_constraints():
    records = pd.DataFrame({"register": ["a", "b", "b"], "record_id": ["1", "7", "8"]})
    log = judgement_log(pd.concat([form(1, 1, "same"), form(2, 2, "different", ("a", "1", "b", "8"))]))
    found = constraints_of(records, standing(log))
    assert found.together.tolist() == [[0, 1]]
    assert found.apart.tolist() == [[0, 2]]


def test_a_form_that_cannot_be_used_is_kept_and_says_so():
    other = form(4, 4, "same")
    forms = pd.concat(
        [
            form(1, 1, "maybe"),
            form(2, 2, "same", ("a", "1", "a", "1")),
            form(3, 3, "same").query("field != 'record_r'"),
            other[other["field"] == "reason"].assign(judgement_id="about something else"),
        ]
    )
    log = judgement_log(forms)
    assert log["status"].tolist() == [
        "not usable: no such decision",
        "not usable: a record beside itself",
        "not usable: a record is not named",
    ]
    assert standing(log).empty


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"decision": "yes"}, "row 3, column decision: it is none of same, different, unsure, take back"),
        ({"judged_by": " "}, "row 3, column judged_by: it is blank"),
        ({"judged_at": "yesterday"}, "row 3, column judged_at: it is no time"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_row_and_column(change, match):
    table = given(*[("a", str(i), "b", "7", "same", "Bo", "2026-03-01") for i in range(3)])
    for name, value in change.items():
        table.loc[1, name] = value
    with pytest.raises(LinkageError, match=match) as refused:
        judgement_log(NONE, table)
    assert "yesterday" not in str(refused.value)
    with pytest.raises(LinkageError, match="lacks the column judged_by"):
        judgement_log(NONE, table.drop(columns="judged_by"))


def test_a_pair_is_named_alike_from_both_sides():
    frame = given(
        ("a", "1", "b", "7", "same", "Bo", "2026-03-01"), ("b", "7", "a", "1", "same", "Bo", "2026-03-01")
    )
    assert pair_keys(frame).nunique() == 1
    assert pair_id("a", "1", "b", "7") == pair_id("b", "7", "a", "1") != pair_id("a", "17", "b", "")
