"""Checks of the records in real runs: errors stop what follows, warnings do not, and both tell counts only."""

import dagster as dg
import pytest
from studies import failures, materialised, plain

COLUMNS = [
    {"name": "id", "role": "identifier"},
    {"name": "gender", "role": "category", "values": ["Female", "Male"]},
]
TERMS = {"population": "people", "purpose": "Show what is done to whom", "epsilon": 2.0, "delta": 1e-6}
#: 40 rows of which the 5 with an even id twice are no valid codes.
TEXT = "id,gender\n" + "".join(f"{'Maria' if n < 5 else 'x'}{n},Female\n" for n in range(40))
CODE = {"type": "expect_column_values_to_match_regex", "column": "id", "arguments": {"regex": "^x[0-9]+$"}}


@pytest.fixture
def cases(project):
    project.file("cases.csv", TEXT)

    def study(*expectations):
        project.study(
            "cases",
            "CaseRelease",
            source={"path": "cases.csv", "columns": COLUMNS, "expectations": list(expectations)},
            **TERMS,
        )
        return project

    return study


def failed(result):
    return [check for check in result.get_asset_check_evaluations() if not check.passed]


def test_a_failed_error_check_stops_what_follows(cases):
    result = cases(CODE | {"severity": "error"}).run("cases")
    assert not result.success
    assert set(materialised(result)) == {"cases/records"}
    (check,) = failed(result)
    assert (check.severity, check.blocking) == (dg.AssetCheckSeverity.ERROR, True)


def test_a_failed_warning_does_not(cases):
    result = cases(CODE | {"severity": "warn"}).run("cases")
    assert result.success, failures(result)
    assert "cases/report" in materialised(result)
    (check,) = failed(result)
    assert (check.severity, check.blocking) == (dg.AssetCheckSeverity.WARN, False)


def test_what_a_failed_check_tells_are_counts(cases):
    result = cases(CODE | {"severity": "warn"}).run("cases/records")
    (check,) = failed(result)
    told = plain(check.metadata)
    assert all(isinstance(value, int | float) for value in told.values()), told
    assert 5 in told.values() and 40 in told.values()
    assert "Maria" not in repr(check)


def test_there_is_one_check_for_each_expectation(cases):
    def names():
        return {key.name for key in cases(*declared).load().resolve_asset_graph().asset_check_keys}

    declared = []
    implied = names()
    declared = [CODE | {"severity": "warn"}]
    assert len(names() - implied) == 1 and implied < names()
    result = cases(*declared).run("cases/records")
    assert {check.check_name for check in result.get_asset_check_evaluations()} == names()


def test_an_expectation_that_nobody_knows_does_not_load(cases):
    with pytest.raises(Exception, match="expect_nothing_at_all"):
        cases({"type": "expect_nothing_at_all", "column": "id"}).load()


def test_a_file_that_is_not_there_is_named(cases, project):
    cases()
    (project.folder / "cases.csv").unlink()
    result = project.run("cases")
    (told,) = failures(result).values()
    assert str(project.folder / "cases.csv") in told
    assert materialised(result) == {}


def test_a_wrong_cell_is_told_by_its_place(cases, project):
    cases()
    project.file("cases.csv", TEXT + "x99,Mariana\n")
    (told,) = failures(project.run("cases")).values()
    assert "row 42" in told and "'gender'" in told and "Mariana" not in told
