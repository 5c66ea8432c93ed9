"""Effect studies with a whole curve, decisions by people and a notebook, run from YAML."""

import json

import numpy as np
import pandas as pd
import pytest

from hrtech_dagster.casework_pages import judgement_frame
from resources.judged import JUDGEMENTS
from resources.lake import read_table, write_table

pytestmark = pytest.mark.slow

COLUMNS = {"t": "number", "y": "number", "nc": "number", "a": "number", "k": "number", "place": "category"}


def records(n=400, hidden=0.0):
    rng = np.random.default_rng(5)
    a, u, place = rng.normal(size=n), rng.normal(size=n), rng.choice(["north", "south"], n)
    t = (rng.random(n) < 1 / (1 + np.exp(-0.6 * a - hidden * u))).astype(int)
    y = t + a + (place == "north") + hidden * u + rng.normal(size=n)
    nc = 0.4 * a + hidden * u + rng.normal(size=n)
    return pd.DataFrame({"t": t, "y": y, "nc": nc, "a": a, "k": t + y, "place": place})


def settings(project, frame, **more):
    path = project.file("records.csv", frame.to_csv(index=False))
    columns = [{"name": name, "role": role} for name, role in COLUMNS.items()]
    return {
        "hypothesis": "The programme helps",
        "direction": "increases",
        "source": {"path": str(path), "columns": columns},
        "treatment": "t",
        "outcome": "y",
        "confounders": ["a", "place"],
        "colliders": ["k"],
        "beliefs": [{"variable": "place", "degree": "possible", "who": "the field team"}],
        "alternatives": [{"element": "population", "name": "northern", "expression": "place == 'north'"}],
        "adjustment_sets": {"with k": ["a", "k"]},
        "negative_control_outcomes": ["nc"],
        "estimators": ["linear_regression"],
        "curve_estimators": ["linear_regression", "ipw"],
        "simulations": 100,
        "permutations": 99,
        **more,
    }


def decide(home, one, decision):
    fields = [
        ("specification", one),
        ("decision", decision),
        ("reason", "the design"),
        ("judged_by", "R. Evans"),
    ]
    frame = judgement_frame("programme", fields)
    write_table(home, "restricted", [JUDGEMENTS, "programme"], frame, str(frame["judgement_id"].iloc[0]))


@pytest.fixture
def read(home):
    return lambda noun: read_table(home, "restricted", ["programme", noun])


def test_a_curve_is_made_judged_by_people_and_repeated_by_its_notebook(project, read, home):
    project.study("programme", "EffectStudy", **settings(project, records()))
    assert project.run().success
    curve = read("specification_curve").set_index("specification")
    refused = curve[curve["adjustment"] == "with k"]
    assert refused["reason"].str.contains("'k' must not be adjusted for").all()
    kept = curve.index[curve["status"] == "estimated"]
    assert len(kept) >= 4
    assert (read("acceptance").set_index("specification").loc[kept, "status"] == "accepted").all()
    assert (
        read("joint_test").set_index(["over", "statistic"]).loc[("all specifications", "joint"), "p"] == 0.01
    )
    decide(home, kept[0], "reject")
    assert project.run().success
    found = read("acceptance").set_index("specification").loc[kept[0]]
    assert found.tolist() == ["rejected", "R. Evans", "the design"]
    accepted = read("joint_test").set_index(["over", "statistic"])["specifications"]
    assert accepted[("accepted ones", "joint")] == accepted[("all specifications", "joint")] - 1
    decide(home, kept[0], "take back")
    assert project.run().success
    assert read("acceptance").set_index("specification").loc[kept[0], "status"] == "accepted"
    files = read("casework").set_index("path")["content"]
    assert f"specifications/{kept[0]}.html" in files.index and "data_dictionary.csv" in files.index
    names: dict = {}
    for cell in json.loads(bytes(files["notebook.ipynb"]))["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), "cell", "exec"), names)  # reads the records from this lake
    assert not names["far"]


def test_a_refuted_specification_is_rejected_by_itself_and_the_check_warns(project, read):
    frame = records(600, hidden=1.5)
    project.study("programme", "EffectStudy", **settings(project, frame, alternatives=[], adjustment_sets={}))
    result = project.run()
    assert result.success
    found = read("acceptance")
    counts = found[found["status"] != "not estimated"]
    assert (counts["status"] == "rejected").all()
    assert counts["reason"].str.startswith("refuted by negative control nc").all()
    checks = {one.check_name: one for one in result.get_asset_check_evaluations()}
    assert not checks["specifications_withstand"].passed
    assert checks["refutations_judge_something"].passed


def test_a_column_that_is_not_read_is_refused_when_the_study_loads(project):
    bad = settings(project, records(), negative_control_outcomes=["height"])
    project.study("programme", "EffectStudy", **bad)
    with pytest.raises(Exception, match="height"):
        project.load()
