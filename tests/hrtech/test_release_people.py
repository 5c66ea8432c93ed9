"""From records to people."""

import pandas as pd
import pyarrow as pa
import pytest

from hrtech.release.people import one_row_per_person

LISTS = pd.ArrowDtype(pa.list_(pa.string()))


def records():
    return pd.DataFrame(
        {
            "person": pd.array(["p2", "p1", "p2", "p3", "p2"], dtype="str"),
            "sex": pd.array([None, "F", "M", None, "F"], dtype="str"),
            "size": pd.array([None, 3, 4, None, 4], dtype="Int64"),
            "means": pd.array([["debt"], None, ["drugs", "debt"], [], None], dtype=LISTS),
            "extra": pd.array([None, None, None, [], None], dtype=LISTS),
        }
    )


def test_records_of_a_person_are_joined():
    people, conflicts = one_row_per_person(records(), "person", ["sex", "size", "means", "extra"])
    assert people["sex"].fillna("").tolist() == ["M", "F", ""]
    assert people["size"].tolist() == [4, 3, pd.NA]
    assert people["size"].dtype == "Int64" and people["sex"].dtype == "str" and people["means"].dtype == LISTS
    assert pa.array(people["means"]).to_pylist() == [["debt", "drugs"], None, []]
    assert pa.array(people["extra"]).to_pylist() == [None, None, []]
    # p2 is M in one record and F in another
    assert conflicts.to_dict("records") == [{"column": "sex", "people": 1}]
    assert "person" not in people


def test_no_records():
    people, conflicts = one_row_per_person(records().iloc[:0], "person", ["sex", "means"])
    assert list(people.columns) == ["sex", "means"] and people.empty and conflicts.empty


def test_people_without_an_id_and_wrong_columns_are_refused():
    frame = records()
    frame.loc[[1, 3], "person"] = None
    with pytest.raises(ValueError, match=r"2 records have no person, the first is record 2"):
        one_row_per_person(frame, "person", ["sex"])
    with pytest.raises(ValueError, match="unknown columns: nope"):
        one_row_per_person(records(), "person", ["nope"])
    with pytest.raises(ValueError, match="cannot be released"):
        one_row_per_person(records(), "person", ["person", "sex"])
