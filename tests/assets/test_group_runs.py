"""GroupComparison through real runs on the small world, and what its settings refuse."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from dagster.components.component_scaffolding import scaffold_object
from studies import WORLD, failures

from hrtech_dagster.load_errors import StudyError
from resources.lake import read_table

DISCLOSE = {
    "population": "people",
    "purpose": "Tell what was found",
    "approvers": ["A reviewer"],
    "minimum_cell": 5,
}
COLUMNS = [
    {"name": "country_of_exploitation", "role": "category"},
    {"name": "gender", "role": "category"},
    {"name": "type_of_exploitation", "role": "multi_valued"},
    {"name": "reported_on", "role": "date"},
]
GROUPS = {
    "title": "Exploitation by country",
    "simulated": True,
    "source": {"asset": "world/case_records", "columns": COLUMNS},
    "groups": ["country_of_exploitation"],
    "measures": [
        {
            "name": "forced_labour",
            "kind": "share",
            "condition": 'contains(type_of_exploitation, "Forced labour")',
            "words": "share of people in forced labour",
            "truth": "type_of_exploitation:Forced labour",
        }
    ],
    "period": "reported_on",
    "standardise": ["gender"],
    "truth": "world/truth_case_counts",
    "disclose": DISCLOSE,
}


def test_groups_are_compared_and_told(project, home):
    project.study("world", "MockData", **WORLD)
    project.study("groups", "GroupComparison", **GROUPS)
    defs = project.load()
    result = project.run("world/case_records", "world/truth_case_counts", "groups", defs=defs)
    assert result.success, failures(result)

    records = read_table(home, "restricted", ("world", "case_records"))
    own = records[records["country_of_exploitation"] == "UKR"]
    cells = own["type_of_exploitation"].dropna()
    share = np.mean(["Forced labour" in cell for cell in cells])
    estimates = read_table(home, "restricted", ("groups", "estimates"))
    crude = estimates[~estimates["standardised"] & (estimates["window"] == "all")].set_index("group")
    assert crude.loc["UKR", "estimate"] == pytest.approx(share)
    assert crude.loc["UKR", "records"] == len(cells)

    told = read_table(home, "released", ("groups", "told_estimates"))
    protection = read_table(home, "restricted", ("groups", "protection"))
    assert 0 < len(told) < len(estimates) and not protection["told"].all()
    assert told["records"].min() >= 5 and not told["held"].between(1, 4).any()
    left = told["records"] - told["held"]
    assert not left[~told["standardised"]].between(1, 4).any()
    facts = read_table(home, "released", ("groups", "facts")).set_index("fact_id")
    whole = told[~told["standardised"] & (told["window"] == "all")].set_index("group")["estimate"]
    for group in whole.index:
        assert facts.loc[f"groups/estimate.forced_labour.{group.lower()}", "value"] == whole[group]
    made = {
        event.asset_key.path[-1]: event.materialization.metadata["dagster/column_schema"].schema
        for event in result.get_asset_materialization_events()
        if event.asset_key.path[0] == "groups"
    }
    for noun in ("estimates", "told_estimates", "changes", "told_ranks", "protection", "against_truth"):
        assert all(column.description for column in made[noun].columns), noun
    truth = read_table(home, "restricted", ("groups", "against_truth"))
    assert len(truth) and truth["covered"].mean() > 0.5
    pages = read_table(home, "restricted", ("groups", "casework"))
    page = bytes(pages.set_index("path").loc["index.html", "content"]).decode()
    for words in ("Places by", "over time", "Beside the simulated world", "Blanks, and what was left out"):
        assert words in page
    assert {name for name in project.stale(defs) if name.startswith("groups")} == set()
    checks = {check.check_name for check in result.get_asset_check_evaluations()}
    assert {"little_is_unknown", "groups_are_not_small", "every_figure_has_a_denominator"} <= checks
    assert {"every_condition_varies", "windows_are_whole"} <= checks


def test_rates_by_population_follow_the_table(project, home):
    project.file(
        "cases.csv", "region,year\n" + "North,2021\n" * 30 + "South,2021\n" * 40 + "South,2022\n" * 20
    )
    project.file("people.csv", "region,people\nNorth,1000\nSouth,4000\nWest,500\n")
    category = {"role": "category"}
    project.study(
        "rates",
        "GroupComparison",
        title="Rates",
        source={
            "path": "cases.csv",
            "columns": [{"name": "region", **category}, {"name": "year", "role": "number"}],
        },
        groups=["region"],
        period="year",
        measures=[{"name": "cases", "kind": "rate", "denominator": "people", "scale": 1000}],
        denominators={
            "path": "people.csv",
            "columns": [{"name": "region", **category}, {"name": "people", "role": "number"}],
        },
    )
    result = project.run("rates")
    assert result.success, failures(result)
    found = read_table(home, "restricted", ("rates", "estimates")).set_index(["group", "window"])["estimate"]
    assert found[("North", "2021")] == pytest.approx(30) and found[("North", "2022")] == 0
    assert found[("South", "all")] == pytest.approx(1000 * 60 / 8000)
    assert found[("West", "all")] == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"groups": ["place"]}, "No column that is read is called 'place'"),
        ({"groups": ["gender"]}, "Column 'gender' is named in two roles"),
        ({"measures": [{"name": "x", "kind": "share"}]}, "needs condition"),
        ({"measures": [{"name": "x", "kind": "rate", "denominator": "people"}]}, "no table of them"),
        (
            {"measures": [{"name": "x", "kind": "mean", "column": "gender"}], "standardise": []},
            "Give it the role number",
        ),
        ({"measures": [{"name": "x", "kind": "share", "condition": "age >"}]}, "cannot be read"),
        ({"filters": ["wealth > 3"]}, "No column that is read is called 'wealth'"),
        ({"compare": ["friends"]}, "compare"),
        ({"weight": "gender", "standardise": []}, "Weighted figures cannot be disclosed"),
    ],
)
def test_settings_that_cannot_be_are_refused_when_loaded(project, settings, words):
    project.study("groups", "GroupComparison", **(GROUPS | settings))
    with pytest.raises(Exception, match=words):
        project.load()


def test_records_that_cannot_be_compared_fail_with_the_mend_and_no_value(project):
    project.study("world", "MockData", **WORLD)
    project.study("groups", "GroupComparison", **(GROUPS | {"filters": ['country_of_exploitation == "XYZ"']}))
    result = project.run("world/case_records", "world/truth_case_counts", "groups", defs=project.load())
    assert not result.success
    assert "No record is left" in str(failures(result))


def test_a_draft_names_groups_and_period(project):
    project.population("our_people")
    file = project.file("cases.csv", "region,year,kind\nNorth,2021,a\nSouth,2022,b\n")
    folder = project.root / "defs" / "our_groups"
    scaffold_object(folder, "assets.GroupComparison", json.dumps({"source": str(file)}), "yaml", project.root)
    drafted = yaml.safe_load((folder / "defs.yaml").read_text(encoding="utf-8"))["attributes"]
    assert (drafted["groups"], drafted["period"]) == (["region"], "year")
    project.load()
    (folder / "defs.yaml").unlink()
    scaffold_object(folder, "assets.GroupComparison", "{}", "yaml", project.root)
    text = (folder / "defs.yaml").read_text(encoding="utf-8")
    (folder / "defs.yaml").write_text(
        re.sub(r"groups: .*", 'groups: ["name a column"]', text), encoding="utf-8"
    )
    with pytest.raises(StudyError, match="setting: groups"):
        project.load()


def test_the_examples_of_the_documentation_load(project):
    project.population("our_people")
    text = (Path(__file__).parents[2] / "docs" / "group_comparison.md").read_text(encoding="utf-8")
    blocks = [block for block in re.findall(r"```yaml\n(.*?)```", text, re.S) if block.startswith("type:")]
    assert len(blocks) == 2
    for place, block in enumerate(blocks):
        project.study(f"example_{place}", "GroupComparison", **yaml.safe_load(block)["attributes"])
    project.load()


def test_a_table_of_what_is_told_holds_no_group_of_few(project, home):
    rows = ["region,kind"] + ["North,a"] * 40 + ["South,a"] * 30 + ["East,b"] * 25 + ["Tiny,b"] * 2
    project.file("cases.csv", "\n".join(rows) + "\n")
    columns = [{"name": "region", "role": "category"}, {"name": "kind", "role": "category"}]
    project.study(
        "few", "GroupComparison", title="Few", source={"path": "cases.csv", "columns": columns}, groups=["region"],
        measures=[{"name": "records", "kind": "count"}], disclose=DISCLOSE | {"minimum_cell": 10},
    )  # fmt: skip
    result = project.run("few")
    assert result.success, failures(result)
    told = read_table(home, "released", ("few", "told_estimates"))
    assert "Tiny" not in set(told["group"])
    facts = read_table(home, "released", ("few", "facts"))
    assert not facts["statement"].str.contains("Tiny").any()
    for noun in ("told_pairs", "told_ranks", "told_changes", "told_against_others"):
        table = read_table(home, "released", ("few", noun))
        assert isinstance(table, pd.DataFrame) and not (table == "Tiny").any().any()
