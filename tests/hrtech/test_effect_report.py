import json
import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hrtech.causal import estimate_effect
from hrtech.causal.acceptance import acceptance, decision_log
from hrtech.causal.case_report import SHOWN, case_report, specification_pages
from hrtech.causal.curve_telling import curve_facts
from hrtech.causal.notebook import data_dictionary, notebook, notebook_files
from hrtech.causal.question import Alternative, Belief, EffectQuestion
from hrtech.causal.telling import effect_facts, effect_report
from hrtech.causal.whole_curve import (
    CurveSettings,
    curve_summary,
    joint_answers,
    study_sensitivity,
    whole_curve,
)
from hrtech.facts import facts_to_frame
from hrtech.pages import render_casework
from hrtech.pages.provenance import LINEAGE_COLUMNS

SECRET = "Grevillea Street"
QUESTION = EffectQuestion(
    "It helps",
    "t",
    "y",
    "increases",
    confounders=("a", "place"),
    negative_control_outcomes=("nc",),
    alternatives=(Alternative("outcome", "much", "y > 1"), Alternative("population", "old", "age >= 30")),
    beliefs=(Belief("place", "possible", "the field team", "few offices"),),
    estimators=("linear_regression",),
    simulations=20,
)
SETTINGS = CurveSettings(("linear_regression", "ipw"), None, 20, (0.02, 0.05), 99)


def world(n=400, seed=0, effect=1.0):
    rng = np.random.default_rng(seed)
    a, place = rng.normal(size=n), rng.choice([SECRET, "B", "C"], n)
    t = (rng.random(n) < 1 / (1 + np.exp(-0.6 * a - 0.4 * (place == "B")))).astype(int)
    y = effect * t + a + (place == "B") + rng.normal(size=n)
    nc = 0.5 * a + rng.normal(size=n)
    return pd.DataFrame(
        {
            "t": t,
            "y": y,
            "nc": nc,
            "a": a,
            "place": pd.Series(place, dtype="str"),
            "age": rng.integers(18, 70, n),
        }
    )


def form(place, one, decision, reason="a design flaw", who="A. Reviewer"):
    fields = {"specification": one, "decision": decision, "reason": reason, "judged_by": who}
    when = pd.Timestamp("2026-01-01", tz="UTC") + pd.Timedelta(hours=place)
    return pd.DataFrame(
        [(f"id{place}", when, who, field, value) for field, value in fields.items()],
        columns=["judgement_id", "judged_at", "judged_by", "field", "value"],
    )


@pytest.fixture(scope="module")
def study():
    frame = world()
    made = whole_curve(frame, QUESTION, SETTINGS)
    result = estimate_effect(frame, QUESTION)
    table = made["specification_curve"]
    ids = table.loc[table["status"] == "estimated", "specification"].tolist()
    forms = pd.concat([form(1, ids[0], "reject"), form(2, ids[1], "accept", "sound")])
    log = decision_log(forms, table["specification"])
    accepted = acceptance(table, made["curve_refutations"], log)
    tables = made | {
        name: getattr(result, name) for name in ("balance", "estimates", "overlap", "refutations", "rows")
    }
    tables |= {"variables": result.variables, "groups": result.groups, "effect": result.to_frame()}
    tables |= {"decisions": log, "acceptance": accepted}
    tables |= {"joint_test": joint_answers(made["permuted_effects"], accepted, QUESTION)}
    tables |= study_sensitivity(frame, QUESTION, result.to_frame())
    tables["data_dictionary"] = data_dictionary(frame, QUESTION, {"t": "number"})
    return frame, tables


def test_decisions_hold_are_replaced_and_can_be_taken_back(study):
    _, tables = study
    table, tried = tables["specification_curve"], tables["curve_refutations"]
    one, two = table["specification"].iloc[:2]
    forms = pd.concat(
        [
            form(1, one, "reject"),
            form(2, one, "accept", "after all"),
            form(3, two, "reject"),
            form(4, two, "take back"),
            form(5, "00000000", "reject"),
            form(6, one, "reject", "  "),
            form(7, one, "perhaps"),
        ]
    )
    log = decision_log(forms, table["specification"])
    assert log["status"].tolist() == [
        "replaced by a later one",
        "stands",
        "taken back",
        "takes back",
        "not usable: there is no such specification now",
        "not usable: no reason",
        "not usable: no such decision",
    ]
    found = acceptance(table, tried, log).set_index("specification")
    assert found.loc[one].tolist() == ["accepted", "A. Reviewer", "after all"]
    assert found.loc[two, ["status", "decided_by"]].tolist() == ["accepted", "nobody yet"]
    again = decision_log(form(1, one, "reject"), table["specification"])
    assert acceptance(table, tried, again).set_index("specification").loc[one, "status"] == "rejected"


def test_a_refuted_specification_is_rejected_whatever_anybody_says(study):
    _, tables = study
    table, tried = tables["specification_curve"], tables["curve_refutations"].copy()
    one = table["specification"].iloc[0]
    tried.loc[(tried["specification"] == one) & (tried["refutation"] == "placebo_treatment"), "verdict"] = (
        "failed"
    )
    found = acceptance(table, tried, decision_log(form(1, one, "accept"), table["specification"]))
    row = found.set_index("specification").loc[one]
    assert row["status"] == "rejected"
    assert row["reason"].startswith("refuted by placebo treatment; A. Reviewer would accept it")


def test_facts_say_how_the_curve_lies_and_how_close_it_came(study):
    _, tables = study
    table, accepted = tables["specification_curve"], tables["acceptance"]
    summary = curve_summary(table, accepted, "increases")
    kept = table[table["specification"].isin(accepted.loc[accepted["status"] == "accepted", "specification"])]
    first = kept[kept["outcome"] == "primary"]
    facts = curve_facts(
        "demo",
        summary,
        tables["joint_test"],
        tables["sensitivity"],
        tables["contributions"],
        table,
        accepted,
        1.0,
    )
    told = {fact.fact_id: fact.value for fact in facts}
    assert told["demo/curve.median"] == first["estimate"].median()
    assert told["demo/curve.distance_from_truth"] == pytest.approx(abs(first["estimate"].median() - 1))
    assert told["demo/curve.holding_truth"] == ((first["low"] <= 1) & (first["high"] >= 1)).mean()
    assert told["demo/curve.joint_p_all"] == 0.01
    assert {"demo/robustness_value", "demo/e_value", "demo/rosenbaum_gamma"} <= set(told)


def test_the_pages_read_from_question_to_doubt_and_ask_for_decisions(study):
    _, tables = study
    parts = [tables[name] for name in ("effect", "estimates", "refutations", "overlap")]
    facts = effect_facts("demo", *parts)
    facts += curve_facts(
        "demo",
        curve_summary(tables["specification_curve"], tables["acceptance"], "increases"),
        *(tables[name] for name in ("joint_test", "sensitivity", "contributions", "specification_curve")),
        tables["acceptance"],
    )
    shown = {name: tables[name] for name in SHOWN}
    pages = specification_pages("demo", **shown)
    report = case_report("demo", "A study", facts, question=QUESTION, pages=frozenset(pages), **shown)
    lineage = pd.DataFrame({name: [] for name in LINEAGE_COLUMNS})
    files = render_casework(report, facts_to_frame(facts), lineage, pages=pages).set_index("path")["content"]
    text = bytes(files["index.html"]).decode()
    order = [
        text.index(f">{word}<")
        for word in ("Question", "Estimand", "Assumptions", "Design", "Result", "What would change our mind")
    ]
    assert order == sorted(order)
    assert "the field team" in text and "leaves a path open" in text
    one = tables["decisions"]["specification"].iloc[0]
    page = bytes(files[f"specifications/{one}.html"]).decode()
    assert "a design flaw" in page and 'name="decision"' in page and "rejected" in page
    public = effect_report("demo", "A study", facts, hypothesis="It helps")
    assert public.promise == "disclosure-control"


def test_the_notebook_runs_by_itself_and_holds_no_record(study, tmp_path):
    frame, tables = study
    dictionary = tables["data_dictionary"]
    curve, decisions = tables["specification_curve"], tables["decisions"]
    book = notebook("demo", "A study", QUESTION, SETTINGS, dictionary, curve, decisions)
    files = notebook_files(book, dictionary)
    assert SECRET not in book
    assert all(SECRET not in bytes(content).decode() for content in files["content"])
    assert not any(str(round(value, 4)) in book for value in frame["a"].head(50))
    frame.to_parquet(tmp_path / "records.parquet")
    cells = json.loads(book)["cells"]
    names: dict = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            source = "".join(cell["source"]).replace(
                "TABLE = None", f"TABLE = {os.fspath(tmp_path / 'records.parquet')!r}"
            )
            exec(compile(source, "cell", "exec"), names)
    assert names["question"] == QUESTION
    assert not names["far"]
    pd.testing.assert_frame_equal(names["accepted"], tables["acceptance"])
    pd.testing.assert_frame_equal(names["curve"]["permuted_effects"], tables["permuted_effects"])
    changed = "".join(cells[-1]["source"]).replace(": 0.", ": 7.").replace(": 1.", ": 7.")
    with pytest.raises(AssertionError, match="something else"):
        exec(compile(changed, "cell", "exec"), names)


def test_the_dictionary_says_what_each_column_is(study):
    _, tables = study
    found = tables["data_dictionary"].set_index("column")
    assert found.loc["t", "part"] == "exposure"
    assert found.loc["a", "part"] == "confounder"
    assert found.loc["nc", "part"] == "negative control outcome"
    assert found.loc["age", "part"] == "in the definition 'old'"
    assert found.loc["place", "said_by"] == "the field team: possible (few offices)"


def test_an_exposure_that_is_an_amount_is_not_permuted_and_says_so():
    frame = world(200).assign(t=lambda f: f["t"] + f["a"])
    question = replace(QUESTION, treatment_kind="amount", alternatives=(), negative_control_outcomes=())
    made = whole_curve(frame, question, replace(SETTINGS, estimators=("linear_regression",)))
    assert made["permuted_effects"].empty
    assert (made["specification_curve"]["status"] == "estimated").any()
