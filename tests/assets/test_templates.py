"""Studies shaped like releases that are known: each template loads and runs end to end on simulated records."""

import json
import random
import re
from importlib.resources import files

import pytest
import yaml
from dagster.components.component_scaffolding import scaffold_object
from studies import failures, materialised

from resources.lake import read_table

TEMPLATES = ("iom_2021", "iom_2022", "iom_2024")
#: For columns whose values a template does not list.
UNLISTED = ["AAA", "BBB", "CCC"]


def text_of(name):
    return (files("assets") / "templates" / f"{name}.yaml").read_text(encoding="utf-8")


def with_majority(text):
    """Take the marks off the lines that a reader is told to take them off."""
    return re.sub(
        r"^( *)# (- \{name: majorityStatus|hierarchies:|  - column:|    )", r"\1\2", text, flags=re.M
    )


def attributes(text):
    return yaml.safe_load(text)["attributes"]


def simulated(columns, people, seed=1):
    """A file with these columns: every value as likely as any other, a tenth left blank, children before adults."""
    draw = random.Random(seed)
    rows = []
    for number in range(people):
        row = {}
        for column in columns:
            values = column.get("values", UNLISTED)
            if column["role"] == "identifier":
                cell = f"{column['name']}-{number}"
            elif draw.random() < 0.1:
                cell = ""
            elif column["role"] == "multi_valued":
                cell = column["separator"].join(draw.sample(values, draw.randint(1, 2)))
            else:
                cell = draw.choice(values)
            row[column["name"]] = cell
        if row.get("ageBroad") in ("0--8", "9--17", "09--17"):
            row |= {name: "Minor" for name in row if name.startswith("majorityStatus")}
        elif "ageBroad" in row and "majorityStatus" in row:
            row["majorityStatus"] = "Adult" if row["ageBroad"] else ""
        rows.append(row)
    header = [column["name"] for column in columns]
    return "\n".join([",".join(header), *(",".join(row[name] for name in header) for row in rows)]) + "\n"


def run(project, text, people=900):
    """Run a study that was written from a template."""
    declared = attributes(text)
    project.population("our_people", epsilon=30.0)
    project.file("cases.csv", simulated(declared["source"]["columns"], people))
    path = project.root / "defs" / "cases" / "defs.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    result = project.run("cases")
    assert result.success, failures(result)
    return materialised(result)


def test_there_is_one_for_each_release():
    assert {file.name for file in (files("assets") / "templates").iterdir()} == {
        f"{t}.yaml" for t in TEMPLATES
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", TEMPLATES)
def test_each_runs_as_it_is(project, home, name):
    made = run(project, text_of(name))
    declared = attributes(text_of(name))
    released = [c["name"] for c in declared["source"]["columns"] if c["role"] != "identifier"]
    records = read_table(home, "released", ("cases", "synthetic_records"))
    assert list(records.columns) == released and len(records) > 300
    assert len(read_table(home, "released", ("cases", "aggregates"))) > len(released)
    assert {"cases/files", "cases/report", "cases/casework"} <= set(made)
    if "impossible" in declared:
        young = records["ageBroad"].isin(["0--8", "09--17"])
        assert young.any() and not (young & (records["majorityStatusAtExploit"] == "Adult")).any()


@pytest.mark.slow
def test_the_hierarchy_that_is_offered_holds(project, home):
    text = with_majority(text_of("iom_2024"))
    assert attributes(text)["hierarchies"][0]["parent"] == "majorityStatus"
    run(project, text)
    records = read_table(home, "released", ("cases", "synthetic_records"))
    known = records[records["ageBroad"].notna()]
    young = known["ageBroad"].isin(["0--8", "9--17"])
    assert (known.loc[young, "majorityStatus"] == "Minor").all()
    assert (known.loc[~young, "majorityStatus"] == "Adult").all()


@pytest.mark.parametrize("name", TEMPLATES)
def test_what_was_not_found_is_not_made_up(name):
    text = text_of(name)
    assert re.search(r"Not found, and so not copied:(.|\n)*ours", text)
    assert "Assumed" in text and "Nothing of" in text


def scaffolded(root, **options):
    folder = root / "defs" / "our_cases"
    scaffold_object(folder, "assets.CaseRelease", json.dumps(options), "yaml", root)
    return (folder / "defs.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", TEMPLATES)
def test_each_is_drafted_and_loads(project, name):
    project.population("our_people")
    assert scaffolded(project.root, template=name) == text_of(name)
    assert project.load() is not None


def test_a_source_and_a_codebook_are_put_in_and_not_read(tmp_path):
    text = scaffolded(
        tmp_path,
        template="iom_2024",
        source=str(tmp_path / "ours.csv"),
        codebook=str(tmp_path / "values.csv"),
    )
    source = attributes(text)["source"]
    assert (source["path"], source["codebook"]) == ("ours.csv", "values.csv")
    assert source["columns"] == attributes(text_of("iom_2024"))["source"]["columns"]


def test_a_template_that_is_not_there_is_refused_in_one_line(tmp_path):
    with pytest.raises(SystemExit, match=r"no template 'iom_1999'.*iom_2021, iom_2022, iom_2024") as refused:
        scaffolded(tmp_path, template="iom_1999")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "defs" / "our_cases").exists()
