"""EventStudy through real runs on the small world, and what its settings refuse."""

import json

import pytest
from studies import WORLD, failures

from resources.lake import read_table

DISCLOSE = {"population": "people", "purpose": "Tell what was found", "approvers": ["A reviewer"]}
EVENT = {
    "title": "The intervention",
    "simulated": True,
    "hypothesis": "The intervention raised reports",
    "direction": "increases",
    "source": {
        "asset": "world/panel",
        "columns": [
            {"name": "region", "role": "category"},
            {"name": "month", "role": "date"},
            {"name": "reports", "role": "number"},
            {"name": "population", "role": "number"},
            {"name": "treated", "role": "number"},
        ],
    },
    "unit": "region",
    "period": "month",
    "outcomes": ["reports"],
    "per": "population",
    "scale": 100_000,
    "treated": "treated",
    "simulations": 50,
    "truth": "world/truth_intervention",
    "disclose": DISCLOSE,
}


def test_an_event_is_studied_and_told(project, home):
    project.study("world", "MockData", **WORLD)
    project.study("event", "EventStudy", **EVENT)
    defs = project.load()
    result = project.run("world/panel", "world/truth_intervention", "event", defs=defs)
    assert result.success, failures(result)
    effect = read_table(home, "restricted", ("event", "effect"))
    truth = read_table(home, "public", ("world", "truth_intervention"))["effect"].mean()
    assert effect.loc[0, "low"] < truth < effect.loc[0, "high"]
    facts = read_table(home, "released", ("event", "facts")).set_index("fact_id")
    assert facts.loc["event/effect.reports", "value"] == effect.loc[0, "estimate"]
    assert facts.loc["event/true_effect", "value"] == pytest.approx(truth)
    pages = read_table(home, "restricted", ("event", "casework"))
    page = bytes(pages.set_index("path").loc["index.html", "content"]).decode()
    for words in ("What would change our mind", "Gap from", "Donors and their weights", "Effect by periods"):
        assert words in page
    assert {name for name in project.stale(defs) if name.startswith("event")} == set()
    assert "data_dictionary.csv" in set(pages["path"])
    book = json.loads(bytes(pages.set_index("path").loc["notebook.ipynb", "content"]))
    code = ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code"]
    names: dict = {}
    for cell in code:
        exec(compile(cell, "notebook", "exec"), names)  # the last cell compares with what the study found
    assert names["found"].loc[("reports", "synthetic_did")] == pytest.approx(effect.loc[0, "estimate"])
    broken = code[-1].replace("stated = [", "stated = [['reports', 'synthetic_did', 0.0],", 1)
    with pytest.raises(AssertionError, match="give something else"):
        exec(compile(broken, "notebook", "exec"), names)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"unit": "place"}, "No column that is read is called 'place'"),
        ({"per": "region"}, "'region' is named in two roles|Column 'region' is named in two roles"),
        ({"outcomes": ["month"]}, "Column 'month' is named in two roles"),
        ({"treated_units": ["A"], "event_period": "2022-01-01"}, "Say the event in one way"),
        ({"estimators": ["guess"]}, "estimators"),
    ],
)
def test_settings_that_cannot_be_are_refused_when_loaded(project, settings, words):
    project.study("event", "EventStudy", **(EVENT | settings))
    with pytest.raises(Exception, match=words):
        project.load()


def test_a_panel_that_cannot_be_studied_fails_with_the_mend(project):
    project.study("world", "MockData", **WORLD)
    project.study("event", "EventStudy", **(EVENT | {"missing": "refuse", "min_before": 60}))
    result = project.run(
        "world/panel", "world/truth_intervention", "event/records", "event/effect", defs=project.load()
    )
    assert not result.success
    assert "No unit comes under the event within the panel" in str(failures(result))
