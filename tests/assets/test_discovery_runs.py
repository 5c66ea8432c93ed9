"""A causal graph from YAML: what does not load, what a run makes, and what is told."""

import pandas as pd
import pytest
import yaml
from studies import WORLD, failures, materialised, plain

from assets.causal_discovery import TABLES
from hrtech_dagster.load_errors import StudyError
from resources.lake import read_table

COLUMNS = [
    {"name": "respondent_id", "role": "identifier", "unique": True},
    *({"name": name, "role": "number"} for name in ("age", "distance_km", "trust", "sought_help")),
    *({"name": name, "role": "category"} for name in ("gender", "education")),
]
GRAPH = {
    "simulated": True,
    "source": {"asset": "world/questionnaire", "columns": COLUMNS},
    "tiers": [["age", "gender"], ["education", "distance_km"], ["trust"], ["sought_help"]],
    "what_if": [{"set": "trust", "low": "3", "high": "7", "outcome": "sought_help"}],
    "resamples": 20,
    "calibration_worlds": 2,
    "disclose": {"population": "people", "purpose": "Tell it", "approvers": ["A Person"]},
}


def refusal(project) -> str:
    with pytest.raises(StudyError) as caught:
        project.load()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"required": [["trust", "age"]]}, "'trust' to 'age' is required and at once ruled out by tiers"),
        ({"required": [["trust"]]}, "'trust' is no pair"),
        ({"forbidden": [["trust", "nobody"]]}, "'nobody' is no variable of this study"),
        (
            {"variables": ["trust", "age", "respondent_id"], "tiers": []},
            "'respondent_id' is no category, number or date",
        ),
        (
            {"what_if": [{"set": "nobody", "low": "0", "high": "1", "outcome": "trust"}]},
            "'nobody' is asked about",
        ),
        ({"variables": ["trust", "age"], "tiers": [], "what_if": []}, "2 variables"),
        ({"data_model": "magic"}, "data_model"),
    ],
)
def test_what_contradicts_itself_does_not_load(project, settings, words):
    project.study("world", "MockData", **WORLD)
    project.study("graph", "CausalDiscovery", **(GRAPH | settings))
    assert words in refusal(project)


@pytest.mark.slow
def test_a_graph_is_found_told_and_proposed(project, home):
    project.study("world", "MockData", **WORLD)
    project.study("graph", "CausalDiscovery", **GRAPH)
    project.study("pages", "EvidenceSite", simulated=True, summary="What was found.", studies=["graph"])
    project.approve("pages", standing="simulated")
    defs = project.load()
    result = project.run("world/questionnaire", "graph", "pages", defs=defs)
    assert result.success, failures(result)
    made = materialised(result)
    assert {f"graph/{noun}" for noun in (*TABLES, "findings", "casework", "facts", "report")} <= set(made)
    edges = read_table(home, "restricted", ("graph", "edges"))
    assert plain(made["graph/edges"].metadata)["model"] == "mixed"
    tier = {name: place for place, group in enumerate(GRAPH["tiers"]) for name in group}
    assert len(edges) and all(
        tier[c] <= tier[e] for c, e in zip(edges["cause"], edges["effect"], strict=True)
    )
    assert edges["joined"].between(0, 1).all()
    settings = yaml.safe_load(read_table(home, "restricted", ("graph", "proposals")).loc[0, "settings"])
    assert settings["treatment"] == "trust" and all(len(pair) == 2 for pair in settings["graph"])
    told = read_table(home, "released", ("graph", "facts"))
    assert (told["fact_id"] == "graph/what_if_1").any()
    assert {name for name in project.stale(defs) if name.startswith("graph")} == set()
    assert "<svg" in "".join(path.read_text() for path in (home / "site").rglob("*.html"))
    pages = read_table(home, "restricted", ("graph", "casework"))
    assert "index.html" in set(pages["path"])


@pytest.mark.slow
def test_a_table_that_tells_nothing_fails_with_one_line(project, home):
    rows = pd.DataFrame({"a": range(60), "b": [i % 7 for i in range(60)], "c": [2 * i for i in range(60)]})
    path = project.file("rows.csv", rows.to_csv(index=False))
    columns = [{"name": name, "role": "number"} for name in rows]
    project.study("graph", "CausalDiscovery", source={"path": str(path), "columns": columns})
    result = project.run("graph")
    assert not result.success
    told = "".join(failures(result).values())
    assert (
        "'c' is a copy of 'a': each follows exactly from the other. Leave one out [setting: variables]"
        in told
    )
