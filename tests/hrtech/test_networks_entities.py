"""Entities and flags out of ordinary tables."""

import pandas as pd
import pytest

from hrtech.networks import NetworkError
from hrtech.networks.entities import counted_flags, identified, one_row_each

TABLE = pd.DataFrame({
    "id": ["a", "b", "a", "a"], "firm": ["Alpha", "Beta", "Alpha Ltd", "Alpha"], "late": [1, 0, 2, None],
    "unsafe": ["0", "3", "0", ""],
})  # fmt: skip


def test_rows_without_an_id_are_numbered():
    assert identified(TABLE, None, "firm")["entity_id"].tolist() == ["row-1", "row-2", "row-3", "row-4"]
    assert identified(TABLE, "id", "firm")["entity_id"].tolist() == TABLE["id"].tolist()


def test_records_of_an_entity_become_one_row_with_its_most_frequent_name():
    made = one_row_each(identified(TABLE, "id", "firm"))
    assert made.to_numpy().tolist() == [["a", "Alpha"], ["b", "Beta"]]


def test_counts_become_flags_added_up_over_records():
    named = identified(TABLE, "id", "firm").replace("", None)
    found = counted_flags(named, {"late": 0.3, "unsafe": 0.5})
    assert found.to_numpy().tolist() == [["a", "late", 0.3, "3 recorded"], ["b", "unsafe", 0.5, "3 recorded"]]


@pytest.mark.parametrize(
    ("change", "settings", "words"),
    [
        ({}, {"late": 0.3, "none": 0.1}, "no column 'none'"),
        ({"late": [1, -1, 0, 0]}, {"late": 0.3}, "'late' of the entities, row 2"),
        ({"late": ["1", "x", "0", "0"]}, {"late": 0.3}, "row 2"),
    ],
)
def test_what_is_no_count_is_refused_by_place_alone(change, settings, words):
    with pytest.raises(NetworkError, match=words):
        counted_flags(identified(TABLE.assign(**change), "id", "firm"), settings)


def test_missing_columns_and_blank_ids_are_named():
    with pytest.raises(NetworkError, match="no column nobody"):
        identified(TABLE, "nobody", "firm")
    with pytest.raises(NetworkError, match="1 rows have no id"):
        identified(TABLE.assign(id=["a", None, "b", "c"]), "id", "firm")
