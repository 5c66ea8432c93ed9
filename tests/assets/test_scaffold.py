"""A scaffolded defs.yaml loads, or the check says in one line what is missing; no value of a cell is in it."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml
from dagster.components.component_scaffolding import scaffold_object
from hypothesis import given, settings
from hypothesis import strategies as st
from studies import failures, plain

from assets.case_release import CaseRelease
from assets.entity_linkage import EntityLinkage
from assets.scaffold import names_people, release_yaml
from hrtech_dagster.load_errors import StudyError

FRAME = pd.DataFrame(
    {
        "case_id": ["QX-7701", "QX-7702", "QX-7703", "QX-7704"] * 8,
        "first_name": ["Ottoline", "Wendeline", "Crispian", "Thaddeus"] * 8,
        "dob": ["1971-11-21", "1972-12-22", "1973-10-23", "1974-11-24"] * 8,
        "phone": ["0155 9012345", "0155 9012346", "0155 9012347", "0155 9012348"] * 8,
        "kind": ["zebra", "okapi", "zebra", "tapir"] * 8,
        "means": ["rope;fire", "fire", "rope;water", None] * 8,
        "age": [4821, 4822, 4823, 4824] * 8,
        "weight": ["61,25", "72,75", "83,5", "94,125"] * 8,
        "seen_on": ["2019-03-07", "2019-03-08", "2019-04-01", "2019-05-05"] * 8,
        "left_on": ["27/03/2018", "28/03/2018", "29/04/2018", "30/05/2018"] * 8,
    }
)
FROM_FILE = ("CasePatterns", "CaseRelease", "CausalDiscovery", "EntityLinkage", "EffectStudy", "EventStudy")
#: Names that YAML, the names of fields or DuckDB take for something else.
HOSTILE = (
    "yes",
    "1st",
    "a: b",
    'a"b',
    "a b",
    "a_b",
    "A_B",
    "register",
    "record_id",
    "Größe",
    "имя",
    "#",
    "a\\b",
)


def csv(folder: Path, frame: pd.DataFrame, name: str = "cases.csv") -> Path:
    path = folder / name
    frame.to_csv(path, index=False)
    return path


def scaffolded(folder: Path, frame: pd.DataFrame, **more) -> str:
    path = csv(folder, frame)
    return release_yaml("assets.CaseRelease", "our_cases", source=str(path), root=folder, **more)


def attributes(text: str) -> dict:
    return yaml.safe_load(text)["attributes"]


def draft(root: Path, component: str, study: str, *, form: str = "yaml", project_root=None, **options) -> str:
    """Scaffold the way `dg scaffold defs` does, and return the draft."""
    folder = root / "defs" / study
    given = {name: str(value) for name, value in options.items()}
    scaffold_object(
        folder, f"assets.{component}", json.dumps(given) if given else None, form, project_root or root
    )
    return (folder / "defs.yaml").read_text(encoding="utf-8")


def refusal(project) -> str:
    """Return why the studies do not load: one line."""
    with pytest.raises(StudyError) as caught:
        project.load()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def fill_in(project, study: str, **settings: str) -> None:
    """Write settings into a draft by hand, as its author would."""
    path = project.root / "defs" / study / "defs.yaml"
    text = path.read_text(encoding="utf-8")
    for name, value in settings.items():
        text, changed = re.subn(rf"(?m)^(\s*)(# )?{name}:.*$", rf"\1{name}: {value}", text, count=1)
        assert changed, name
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def workspace(project):
    """A project with the population that a draft names."""
    project.population("our_people")
    return project


def test_roles_are_suggested(tmp_path):
    columns = {
        column["name"]: column for column in attributes(scaffolded(tmp_path, FRAME))["source"]["columns"]
    }
    assert columns["kind"]["role"] == "category"
    assert columns["means"] == {"name": "means", "role": "multi_valued", "separator": ";", "learned": True}
    assert columns["age"]["role"] == "number" and "bands" not in columns["age"]
    assert columns["weight"]["decimal"] == ","
    assert columns["seen_on"] == {"name": "seen_on", "role": "date"}
    assert columns["left_on"]["date_format"] == "%d/%m/%Y" and columns["left_on"]["learned"]
    assert {columns[name]["role"] for name in ("case_id", "first_name", "dob", "phone")} == {"leave_out"}


@pytest.mark.parametrize("component", FROM_FILE)
def test_nothing_of_a_cell_is_written(tmp_path, component):
    text = draft(tmp_path, component, "our_study", source=csv(tmp_path, FRAME))
    assert all(name in text for name in FRAME)
    cells = {str(cell) for name in FRAME for cell in FRAME[name].dropna()}
    words = {word for cell in cells for word in re.split(r"[;/, -]", cell) if len(word) > 2}
    assert not [word for word in words if word in text]


WORDS = st.text("bcdfghjkmnpqrstvwxz", min_size=6, max_size=10)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(WORDS, WORDS, st.integers(100_000, 999_999)), min_size=3, max_size=30),
    st.sampled_from(FROM_FILE),
    st.sampled_from(["case_id", "person_id", "name", "kind"]),
)
def test_no_cell_and_no_number_of_any_table_is_written(tmp_path_factory, cells, component, name):
    folder = tmp_path_factory.mktemp("scaffold")
    frame = pd.DataFrame(cells, columns=["sort", name, "amount"])
    text = draft(folder, component, "our_study", source=csv(folder, frame))
    assert not [one for *words, number in cells for one in (*words, str(number)) if one in text]


def test_a_release_loads_as_it_is_drafted(workspace):
    draft(workspace.root, "CaseRelease", "our_cases", source=csv(workspace.folder, FRAME))
    keys = workspace.load().resolve_asset_graph().materializable_asset_keys
    assert {"records", "people", "aggregates"} <= {key.path[1] for key in keys if key.path[0] == "our_cases"}


def test_a_linkage_loads_as_it_is_drafted(workspace):
    text = draft(workspace.root, "EntityLinkage", "our_links", source=csv(workspace.folder, FRAME))
    workspace.load()
    register = attributes(text)["registers"]["cases"]
    assert register["id_column"] == "case_id"
    kinds = {field["name"]: field["kind"] for field in attributes(text)["fields"]}
    assert kinds == {"first_name": "given_name", "dob": "date", "phone": "phone", "kind": "category"}
    roles = {column["name"]: column["role"] for column in register["source"]["columns"]}
    assert (roles["first_name"], roles["dob"], roles["phone"]) == ("text", "date", "text")


def test_a_linkage_asks_for_the_column_that_tells_records_apart(workspace):
    source = csv(workspace.folder, FRAME[["first_name", "kind"]])
    draft(workspace.root, "EntityLinkage", "our_links", source=source)
    assert "register cases reads no column 'record_id'" in refusal(workspace)
    fill_in(workspace, "our_links", id_column="first_name")
    workspace.load()


def test_an_effect_asks_for_exposure_and_outcome(workspace):
    frame = FRAME.assign(warned=[0, 1] * 16, sought_help=[0, 1, 1, 0] * 8)
    text = draft(workspace.root, "EffectStudy", "our_effect", source=csv(workspace.folder, frame))
    assert "One row a person" in text
    assert "'name the column of the exposure'" in refusal(workspace)
    fill_in(workspace, "our_effect", treatment="warned == '1'")
    assert "'name the column of the outcome'" in refusal(workspace)
    fill_in(workspace, "our_effect", outcome="sought_help")
    assert "'sought_help' has the role category" in refusal(workspace)
    fill_in(workspace, "our_effect", outcome="sought_help == '1'")
    workspace.load()
    fill_in(workspace, "our_effect", treatment="case_id == '1'")
    assert "No column that is read is called 'case_id'" in refusal(workspace)


def test_a_network_stands_on_the_register_of_a_linkage(workspace, monkeypatch, capsys):
    firms = pd.DataFrame(
        {
            "company id": ["c1", "c2"],
            "Name of firm": ["Ora", "Pax"],
            "phone no": ["55", "56"],
            "e-mail": ["x", "y"],
        }
    )
    draft(workspace.root, "EntityNetwork", "before")
    monkeypatch.setenv("DAGSTER_REDACT_USER_CODE_ERRORS", "1")
    told = "before reads our_registers/companies, which no study makes. There is no study our_registers"
    assert told in refusal(workspace)
    assert told in capsys.readouterr().err  # Dagster masks the error itself
    (workspace.root / "defs" / "before" / "defs.yaml").unlink()
    links = draft(
        workspace.root, "EntityLinkage", "our_firms", source=csv(workspace.folder, firms, "firms.csv")
    )
    entities = attributes(draft(workspace.root, "EntityNetwork", "our_networks"))["entities"]
    assert entities == {
        "asset": "our_firms/firms",
        "id_column": "company id",
        "name_column": "Name of firm",
        "attributes": ["phone no", "e-mail"],
    }
    assert {
        "name": "Name_of_firm",
        "kind": "company_name",
        "columns": {"firms": "Name of firm"},
    } in attributes(links)["fields"]
    workspace.load()
    fill_in(workspace, "our_networks", asset="our_firms/frims")
    refused = refusal(workspace)
    assert "our_firms makes blocking, casework, " in refused and " firms, " in refused


def test_a_network_asks_for_what_links_where_no_column_is_recognised(workspace):
    draft(
        workspace.root, "EntityLinkage", "our_links", source=csv(workspace.folder, FRAME[["case_id", "kind"]])
    )
    assert attributes(draft(workspace.root, "EntityNetwork", "our_networks"))["entities"]["attributes"] == []
    assert re.search(r"our_networks/defs\.yaml: .*at least 1 item.*entities", refusal(workspace))


def test_a_site_tells_the_studies_that_release(workspace):
    source = csv(workspace.folder, FRAME)
    draft(workspace.root, "EvidenceSite", "before")
    assert "before reads our_cases/facts, which no study makes" in refusal(workspace)
    (workspace.root / "defs" / "before" / "defs.yaml").unlink()
    for study in ("our_links", "their_links"):
        draft(workspace.root, "EntityLinkage", study, source=source)
    draft(workspace.root, "CaseRelease", "our_cases", source=source)
    path = workspace.root / "defs" / "their_links" / "defs.yaml"
    declared = re.sub(
        r"(?m)^  # (disclose:|  population|  purpose|  approvers)", r"  \1", path.read_text("utf-8")
    )
    path.write_text(declared, encoding="utf-8")
    assert attributes(draft(workspace.root, "EvidenceSite", "our_site"))["studies"] == [
        "our_cases",
        "their_links",
    ]
    workspace.load()


def test_drafts_that_read_no_file_load(workspace):
    draft(workspace.root, "MockData", "our_world")
    draft(workspace.root, "CaseRelease", "our_cases")
    draft(workspace.root, "EntityLinkage", "our_links")
    draft(workspace.root, "CausalDiscovery", "our_graph")
    draft(workspace.root, "EffectStudy", "our_effect")
    fill_in(workspace, "our_effect", treatment="exposure == 'yes'", outcome="outcome")
    workspace.load()


def test_a_question_to_a_release_names_the_private_one(workspace):
    draft(workspace.root, "CaseRelease", "their_cases")
    assert attributes(draft(workspace.root, "ReleasedEffect", "our_effect"))["release"] == "their_cases"
    workspace.load()
    assert attributes(draft(workspace.root, "EvidenceSite", "our_site"))["studies"] == [
        "our_effect",
        "their_cases",
    ]


@pytest.mark.parametrize("other", ["type: [", "just words", "attributes: {registers: 7, fields: {}}", "\xff"])
def test_studies_that_cannot_be_read_do_not_hinder_a_draft(tmp_path, other):
    broken = tmp_path / "defs" / "broken" / "defs.yaml"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"type: assets.EntityLinkage\n" + other.encode("latin-1"))
    assert attributes(draft(tmp_path, "EntityNetwork", "our_networks"))["entities"]["attributes"]
    assert attributes(draft(tmp_path, "EvidenceSite", "our_site"))["studies"] == ["our_cases"]


@pytest.mark.parametrize("name", ["2024", "yes", "entities", "context", "findings"])
def test_any_name_of_a_file_column_or_study_makes_a_draft_that_loads(workspace, name):
    frame = pd.DataFrame({column: ["p", "q", "p"] * 10 for column in HOSTILE})
    source = csv(workspace.folder, frame.assign(case_id=range(30)), f"{name}.csv")
    links = draft(workspace.root, "EntityLinkage", "2024", source=source)
    draft(workspace.root, "CaseRelease", "yes", source=source)
    workspace.load()
    declared = attributes(links)
    (register,) = declared["registers"]
    assert declared["registers"][register]["id_column"] in ("case_id", "record_id")
    compared = [field.get("columns", {}).get(register, field["name"]) for field in declared["fields"]]
    names = [field["name"].lower() for field in declared["fields"]]
    assert set(compared) == set(HOSTILE) - {declared["registers"][register]["id_column"]}
    assert len(set(names)) == len(names)
    EntityLinkage.resolve_from_dict(declared).spec()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("client_id", True),
        ("Person ID", True),
        ("survivorRef", True),
        ("case_id", False),
        ("national_id", False),
        ("number_of_victims", False),
        ("victim_gender", False),
        ("perpetrator", False),
        ("clientele", False),
    ],
)
def test_columns_that_say_who_a_person_is_are_recognised_by_name(name, says):
    assert names_people(name) is says


def test_a_recognised_person_is_joined_and_no_record_may_lack_one(workspace):
    frame = FRAME.assign(client_id=["a", "b"] * 16)
    text = draft(workspace.root, "CaseRelease", "our_cases", source=csv(workspace.folder, frame))
    declared = attributes(text)
    assert declared["subject_id"] == "client_id"
    assert {"name": "client_id", "role": "identifier"} in declared["source"]["columns"]
    assert "recognised by its name alone: check it" in text
    (known,) = declared["source"]["expectations"]
    assert known == {"type": "expect_column_values_to_not_be_null", "column": "client_id"}


@pytest.mark.slow
def test_a_drafted_release_joins_people_and_stops_where_one_is_unknown(workspace):
    frame = FRAME.assign(client_id=["a", "b"] * 16)
    draft(workspace.root, "CaseRelease", "our_cases", source=csv(workspace.folder, frame))
    result = workspace.run("our_cases/records", "our_cases/people")
    assert result.success, failures(result)
    (people,) = [
        event.materialization
        for event in result.all_events
        if event.is_step_materialization and event.asset_key.path[1] == "people"
    ]
    assert plain(people.metadata)["people"] == 2
    csv(workspace.folder, frame.assign(client_id=["a", None] * 16))
    stopped = workspace.run("our_cases/records", "our_cases/people")
    assert not stopped.success
    assert any(
        "not_null" in check.check_name for check in stopped.get_asset_check_evaluations() if not check.passed
    )


def test_without_a_known_person_the_draft_says_who_counts_as_one(tmp_path):
    text = scaffolded(tmp_path, FRAME)
    assert "subject_id" not in attributes(text)
    assert "Without it each record counts as a person of its own" in text
    assert "# subject_id: person_id" in text
    assert "expectations" not in attributes(text)["source"]


def test_of_several_that_may_be_the_person_the_author_must_choose(workspace):
    frame = FRAME.assign(victim_id=["a", "b"] * 16, perpetrator_id=["c", "d"] * 16)
    draft(workspace.root, "CaseRelease", "our_cases", source=csv(workspace.folder, frame))
    told = refusal(workspace)
    assert "our_cases/defs.yaml:" in told and "subject_id" in told
    fill_in(workspace, "our_cases", subject_id="victim_id")
    workspace.load()


def test_a_codebook_is_named(tmp_path):
    codebook = tmp_path / "codebook.csv"
    codebook.write_text("column,value\nmeans,rope\nmeans,fire\nmeans,water\n", encoding="utf-8")
    text = scaffolded(tmp_path, FRAME, codebook=str(codebook))
    assert attributes(text)["source"]["codebook"] == "codebook.csv"
    assert "values from the codebook" in text
    assert "rope" not in text
    assert CaseRelease.resolve_from_dict(attributes(text)).population == "our_people"


def test_paths_inside_the_project_are_relative(tmp_path):
    assert attributes(scaffolded(tmp_path, FRAME))["source"]["path"] == "cases.csv"


@pytest.mark.parametrize(
    ("component", "study", "options", "words"),
    [
        ("CaseRelease", "our_cases", {"source": "nowhere.csv"}, "there is no such file"),
        ("EntityLinkage", "our_links", {"source": "nowhere.csv"}, "there is no such file"),
        ("CausalDiscovery", "our_graph", {"source": "nowhere.csv"}, "there is no such file"),
        ("EffectStudy", "our_effect", {"source": "nowhere.csv"}, "there is no such file"),
        ("MockData", "Our_World", {}, "cannot name a study"),
        ("CaseRelease", "our_cases", {"form": "python"}, "declared in YAML"),
    ],
)
def test_a_refusal_is_one_line_and_leaves_nothing_behind(tmp_path, component, study, options, words):
    with pytest.raises(SystemExit) as caught:
        draft(tmp_path, component, study, **options)
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "defs" / study).exists()


def test_a_study_whose_facts_could_not_be_told_does_not_load(workspace):
    workspace.study("Our_World", "MockData", simulated=True)
    assert "'Our_World' cannot name a study" in refusal(workspace)


def test_registers_and_fields_that_cannot_be_linked_are_refused(workspace):
    def study(register: str, field: dict) -> str:
        columns = [{"name": "case_id", "role": "identifier"}, {"name": "kind", "role": "leave_out"}]
        source = {"path": "cases.csv", "columns": columns}
        workspace.study(
            "our_links",
            "EntityLinkage",
            registers={register: {"id_column": "case_id", "source": source}},
            mode="deduplicate",
            fields=[field],
        )
        return refusal(workspace)

    assert "register cases reads no column 'kind'" in study("cases", {"name": "kind", "kind": "category"})
    assert "no register can be called entities" in study(
        "entities", {"name": "case_id", "kind": "identifier"}
    )
