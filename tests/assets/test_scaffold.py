"""A scaffolded defs.yaml holds names and roles, no value of a cell and no range."""

import re
from pathlib import Path

import pandas as pd
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.case_release import CaseRelease
from assets.scaffold import release_yaml

FRAME = pd.DataFrame(
    {
        "case_number": ["QX-7701", "QX-7702", "QX-7703", "QX-7704"] * 8,
        "kind": ["zebra", "okapi", "zebra", "tapir"] * 8,
        "means": ["rope;fire", "fire", "rope;water", None] * 8,
        "age": [4821, 4822, 4823, 4824] * 8,
        "seen_on": ["2019-03-07", "2019-03-08", "2019-04-01", "2019-05-05"] * 8,
    }
)


def scaffolded(folder: Path, frame: pd.DataFrame, **more) -> str:
    path = folder / "cases.csv"
    frame.to_csv(path, index=False)
    return release_yaml("assets.CaseRelease", "our_cases", source=str(path), root=folder, **more)


def attributes(text: str) -> dict:
    return yaml.safe_load(text)["attributes"]


def test_roles_are_suggested_and_nothing_of_a_cell_is_written(tmp_path):
    text = scaffolded(tmp_path, FRAME)
    columns = {column["name"]: column for column in attributes(text)["source"]["columns"]}
    assert columns["kind"]["role"] == "category"
    assert columns["means"] == {"name": "means", "role": "multi_valued", "separator": ";", "learned": True}
    assert columns["age"]["role"] == "number" and "bands" not in columns["age"]
    assert columns["seen_on"]["role"] == "date"
    cells = {str(cell) for name in FRAME for cell in FRAME[name].dropna()}
    words = {word for cell in cells for word in re.split(r"[;-]", cell) if len(word) > 2}
    assert not [word for word in words if word in text]


def test_what_it_writes_is_a_valid_study(tmp_path):
    study = CaseRelease.resolve_from_dict(attributes(scaffolded(tmp_path, FRAME)))
    assert study.population == "our_people"
    assert [column.role for column in study.source.columns].count("multi_valued") == 1


def test_a_cap_is_written_where_nothing_else_bounds_a_person(tmp_path):
    assert attributes(scaffolded(tmp_path, FRAME))["max_attributes_per_person"] >= 1
    assert "max_attributes_per_person" not in attributes(scaffolded(tmp_path, FRAME[["kind"]]))


def test_a_codebook_is_named_and_bounds_a_person(tmp_path):
    codebook = tmp_path / "codebook.csv"
    codebook.write_text("column,value\nmeans,rope\nmeans,fire\nmeans,water\n", encoding="utf-8")
    text = scaffolded(tmp_path, FRAME, codebook=str(codebook))
    assert attributes(text)["source"]["codebook"] == "codebook.csv"
    assert "max_attributes_per_person" not in attributes(text)
    assert "values from the codebook" in text


def test_paths_inside_the_project_are_relative(tmp_path):
    assert attributes(scaffolded(tmp_path, FRAME))["source"]["path"] == "cases.csv"


WORDS = st.text("bcdfghjkmnpqrstvwxz", min_size=6, max_size=10)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(WORDS, st.integers(100_000, 999_999)), min_size=3, max_size=30))
def test_no_cell_and_no_number_of_any_table_is_written(tmp_path_factory, cells):
    frame = pd.DataFrame(cells, columns=["kind", "amount"])
    text = scaffolded(tmp_path_factory.mktemp("scaffold"), frame)
    assert not [word for word, number in cells if word in text or str(number) in text]
