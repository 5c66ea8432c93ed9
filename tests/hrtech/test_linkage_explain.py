import pandas as pd
import pytest

from hrtech.facts import DataTable, Report, ReportError, Text, facts_to_frame
from hrtech.linkage.explain import OTHERS, PRIOR, holding_pairs, outcomes_of, shown_records, weight_steps
from hrtech.linkage.judgements import judgement_log
from hrtech.linkage.review_pages import review_pages
from hrtech.pages import LINEAGE_COLUMNS, render_casework
from hrtech.pages.waterfall import waterfall

NONE = pd.DataFrame({name: [] for name in ("judgement_id", "judged_at", "judged_by", "field", "value")})


def pair(left, right, weight, joined=True, register="r"):
    return {
        "register_l": register,
        "record_l": left,
        "register_r": register,
        "record_r": right,
        "match_weight": weight,
        "match_probability": 1 / (1 + 2.0**-weight),
        "joined": joined,
        "reason": f"born: same (+9.0); full_name: one similar ({weight - 4.2:+.1f})",
        "weight_prior": -5.0,
        "weight_born": 9.0,
        "weight_full_name": weight - 4.2,
        "weight_phone": 0.0,
        "weight_calibration": 0.2,
    }


PAIRS = pd.DataFrame([pair("a", "b", 4.0), pair("b", "c", 1.0), pair("a", "c", 2.0), pair("c", "d", 0.5)])
LINKED = pd.DataFrame(
    {
        "register": "r",
        "record_id": list("abcde"),
        "entity_id": ["e-1"] * 4 + ["e-2"],
        "given": ["Ana", "Anna", None, "Bo <b>", "Cy"],
        "born": pd.to_datetime(["1990-01-02"] * 5),
    }
)


def test_steps_are_what_the_pair_records_and_add_up_to_its_weight():
    row = PAIRS.iloc[0]
    steps = weight_steps(row)
    assert [words for words, _ in steps] == [
        PRIOR,
        "born: same",
        "full name: one similar",
        "phone: unknown",
        OTHERS,
    ]
    assert sum(bits for _, bits in steps) == pytest.approx(row["match_weight"])
    assert outcomes_of(row["reason"]) == {"born": "same", "full_name": "one similar"}


def test_bars_of_a_waterfall_begin_where_the_one_before_ended():
    rows = waterfall([("one", 3.0), ("two", -5.0)], total="sum")["data"]["values"]
    assert [(row["from"], row["to"]) for row in rows] == [(0, 3), (3, -2), (0, -2)]
    assert [row["kind"] for row in rows] == ["for", "against", "sum"]


def test_the_weakest_pair_of_an_entity_comes_first_and_a_lone_one_is_marked():
    held = holding_pairs(PAIRS, LINKED, ["e-1"])
    assert held["own_weight"].is_monotonic_increasing
    assert held["alone"].tolist() == [True, False, False, False]
    assert (held.loc[0, "record_l"], held.loc[0, "record_r"]) == ("c", "d")
    assert shown_records(held)["record"].tolist()[0] == "c"
    both = shown_records(held.assign(register_r="other"))
    assert both.loc[0].tolist() == ["r c", "other d"]


def test_pages_show_values_escaped_and_lead_to_one_another():
    queue = PAIRS.iloc[[3, 1]].assign(rank=[1, 2], pair_id=["p1", "p2"], pairs_changed=3.0, worth=1.0)
    pages = review_pages("people", queue, PAIRS, LINKED, judgement_log(NONE), {"born": {"r": "born"}})
    assert set(pages) == {"queue", "pairs/p1", "pairs/p2", "entities/e-1"}
    first = Report("people", "People", "Who is who.", "restricted", (Text("[Open](queue.html)"),))
    lineage = pd.DataFrame(columns=list(LINEAGE_COLUMNS))
    files = render_casework(first, facts_to_frame([]), lineage, pages=pages).set_index("path")["content"]
    shown = {path: bytes(files[path]).decode() for path in files.index if path.endswith(".html")}
    assert '<a href="queue.html"' in shown["index.html"]
    assert '<a href="pairs/p1.html">1</a>' in shown["queue.html"]
    one = shown["pairs/p1.html"]
    assert "Bo &lt;b&gt;" in one and "1990-01-02" in one and "Next pair" in one and "not compared" in one
    assert "+0.5 bits" in one and 'action="/casework/people/judgements"' in one
    assert 'src="../data/people_p1_charts.js"' in one and "data/people_p1_charts.js" in files.index
    assert 'href="../pairs/p1.html"' in shown["entities/e-1.html"]
    assert "http://" not in one.replace("http://www.w3.org", "") and "https://" not in one


@pytest.mark.parametrize(
    "link", ["https://x.example/a.html", "//x/a.html", "javascript:a.html", "../../a.html"]
)
def test_a_table_leads_nowhere_but_to_pages_of_its_study(link):
    with pytest.raises(ReportError, match="is no page of the study"):
        DataTable("T", ("a",), (("1",),), links=(link,))
    with pytest.raises(ReportError, match="1 rows and 2 links"):
        DataTable("T", ("a",), (("1",),), links=("a.html", "b.html"))
