"""Text in a study's YAML means what is written there; a template is evaluated."""

import pytest

from assets.source import Column, Source
from hrtech.sources import ROLES

WRITTEN = ["0", "1.50", "0x10", "None", "True", "[1]", "1,2", "'q'", '"q"', "{1: 2}", "2019", "a\\b", "plain"]


@pytest.mark.parametrize("text", WRITTEN)
def test_text_stays_as_it_is_written(text):
    settings = {"name": text, "role": "category", "values": [text, "other"], "blank": [text + text]}
    column = Column.resolve_from_dict(settings)
    assert (column.name, column.values, column.blank) == (text, [text, "other"], [text + text])


def test_text_stays_text_and_numbers_numbers_wherever_they_stand():
    declared = {
        "type": "expect_column_values_to_be_in_set",
        "column": "7",
        "arguments": {"value_set": ["0", 0]},
    }
    source = Source.resolve_from_dict(
        {
            "path": "cases.csv",
            "columns": [{"name": "7", "role": "number", "bands": [0, 1.5], "unique": True}],
            "expectations": [declared],
        }
    )
    assert source.expectations == [declared]
    (column,) = source.columns
    assert (column.name, column.bands, column.unique) == ("7", [0, 1.5], True)


def test_templates_are_evaluated(monkeypatch):
    monkeypatch.setenv("OUR_COLUMN", "age")
    column = Column.resolve_from_dict({"name": "{{ env.OUR_COLUMN }}", "role": ROLES[0]})
    assert column.name == "age"
