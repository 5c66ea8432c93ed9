"""The study in docs/case_release.md loads and runs, word for word."""

import re
from pathlib import Path

import pytest
import yaml
from studies import failures, materialised

from assets.case_release import CaseRelease
from resources.lake import read_table

DOC = Path(__file__).parents[2] / "docs" / "case_release.md"
COUNTRIES = {"Norland": "North", "Sudland": "South", "Mitland": "South"}


def blocks():
    return re.findall(r"```yaml\n(.*?)```", DOC.read_text(encoding="utf-8"), flags=re.DOTALL)


def record(n):
    age = 8 + n % 70
    country = list(COUNTRIES)[n % 3]
    means = ";".join(m for k, m in enumerate(("debt", "threats", "violence")) if (n // (k + 1)) % 2)
    status = "Minor" if age < 18 else "Adult"
    return f"c{n},{age},{status},{country},{COUNTRIES[country]},{n % 2},{means},seen at the border"


@pytest.fixture
def cases(project):
    project.population("our_people")
    header = "client_id,age,status,country,region,kin_involved,means,notes"
    project.file("cases.csv", "\n".join([header, *map(record, range(700))]) + "\n")
    return project


def write(project, text):
    path = project.root / "defs" / "our_cases" / "defs.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_it_names_every_setting_that_it_explains(cases):
    whole, by_k = blocks()
    declared = set(yaml.safe_load(whole)["attributes"]) | set(yaml.safe_load(by_k))
    explained = re.findall(r"^\| `(\w+)`(?:, `(\w+)`)? \|", DOC.read_text(encoding="utf-8"), flags=re.M)
    settings = {name for pair in explained for name in pair if name} & set(CaseRelease.model_fields)
    known = set(CaseRelease.model_fields) - {"truth", "simulated"}
    assert known <= declared | settings
    assert declared <= set(CaseRelease.model_fields)


@pytest.mark.slow
def test_the_study_loads_and_releases(cases, home):
    write(cases, blocks()[0])
    result = cases.run("our_cases")
    assert result.success, failures(result)
    columns = ["length", "attributes", "count", "low", "high", "sd"]
    assert list(read_table(home, "released", ("our_cases", "aggregates"))) == columns
    assert all(f"`{column}`" in DOC.read_text(encoding="utf-8") for column in columns)
    rows = re.findall(
        r"^\| (`.*?) \| (?:restricted|released) \|", DOC.read_text(encoding="utf-8"), flags=re.M
    )
    told = {noun.strip("` ") for row in rows for noun in row.split(",")}
    assert told == {key.split("/")[1] for key in materialised(result)}


def test_the_other_promise_loads_in_its_place(cases):
    study = yaml.safe_load(blocks()[0])
    study["attributes"].pop("epsilon"), study["attributes"].pop("delta")
    study["attributes"] |= yaml.safe_load(blocks()[1])
    write(cases, yaml.safe_dump(study, allow_unicode=True))
    assert cases.load() is not None
