"""EventStudy through real runs on the small world, and what its settings refuse."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml
from dagster.components.component_scaffolding import scaffold_object
from studies import WORLD, failures

from hrtech_dagster.load_errors import StudyError
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


def panel_file(folder):
    years = range(2000, 2010)
    rows = [
        (f"r{at}", year, at + 0.1 * year, int(at == 3 and year > 2006)) for at in range(4) for year in years
    ]
    path = folder / "panel.csv"
    pd.DataFrame(rows, columns=["region", "year", "reports", "treated"]).to_csv(path, index=False)
    return path


def test_a_draft_names_the_parts_of_a_panel_and_asks_for_the_outcome(project):
    project.population("our_people")
    folder = project.root / "defs" / "our_event"
    source = {"source": str(panel_file(project.folder))}
    scaffold_object(folder, "assets.EventStudy", json.dumps(source), "yaml", project.root)
    path = folder / "defs.yaml"
    text = path.read_text(encoding="utf-8")
    drafted = yaml.safe_load(text)["attributes"]
    assert (drafted["unit"], drafted["period"], drafted["treated"]) == ("region", "year", "treated")
    roles = {column["name"]: column["role"] for column in drafted["source"]["columns"]}
    assert roles["treated"] == "number" and roles["year"] == "number"
    with pytest.raises(StudyError, match="setting: outcomes"):
        project.load()
    path.write_text(text.replace('["name a column of numbers"]', "[reports]"), encoding="utf-8")
    project.load()


def test_the_examples_of_the_documentation_load(project):
    text = (Path(__file__).parents[2] / "docs" / "event_study.md").read_text(encoding="utf-8")
    blocks = [block for block in re.findall(r"```yaml\n(.*?)```", text, re.S) if block.startswith("type:")]
    assert len(blocks) == 2
    for place, block in enumerate(blocks):
        project.study(f"example_{place}", "EventStudy", **yaml.safe_load(block)["attributes"])
    project.load()
