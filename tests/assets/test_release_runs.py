"""Releases through real runs: charged once, charged anew when the terms change, refused when the budget is spent."""

import pytest
from studies import failures, materialised, plain, versions

COLUMNS = [
    {"name": "id", "role": "identifier", "unique": True},
    {"name": "gender", "role": "category", "values": ["Female", "Male"]},
    {"name": "form", "role": "category", "values": ["Labour", "Sexual"]},
]
ROWS = [(f"p{n}", ("Female", "Male")[n % 2], ("Labour", "Sexual")[n % 3 == 0]) for n in range(300)]
TERMS = {
    "population": "people",
    "purpose": "Show what is done to whom",
    "source": {"path": "cases.csv", "columns": COLUMNS},
    "epsilon": 2.0,
    "delta": 1e-6,
}
RELEASED = ("cases/aggregates", "cases/terms", "cases/synthetic_records")


def csv(rows):
    return "id,gender,form\n" + "".join(",".join(row) + "\n" for row in rows)


@pytest.fixture
def cases(project):
    project.file("cases.csv", csv(ROWS))
    project.study("cases", "CaseRelease", **TERMS)
    return project


def entries(project):
    """Kinds of the ledger's entries, without those that set a budget."""
    ledger = project.load().resources["privacy_ledger"]
    return [entry.kind for entry in ledger.entries() if entry.release_key]


def made(project):
    result = project.run("cases/records", "cases/people", "cases/aggregates")
    assert result.success, failures(result)
    return result


def release_key(result):
    return plain(materialised(result)["cases/aggregates"].metadata)["release_key"]


def test_the_same_release_is_charged_once_whatever_is_run_again(cases):
    first = made(cases)
    charged = entries(cases)
    again = made(cases)
    assert entries(cases) == charged and len(charged) == 2  # reserved, committed
    assert versions(again) == versions(first)
    assert {versions(first)[name] for name in RELEASED} == {release_key(first)}


def test_rows_in_the_same_file_written_again_cost_nothing(cases):
    first = made(cases)
    cases.file("cases.csv", csv(ROWS))
    assert not {"cases/records", "cases/people", "cases/aggregates"} & set(cases.stale())
    assert release_key(made(cases)) == release_key(first)
    assert len(entries(cases)) == 2


def test_words_about_a_study_cost_nothing(cases):
    first = made(cases)
    cases.study("cases", "CaseRelease", **(TERMS | {"title": "Another title", "owners": ["team:others"]}))
    assert release_key(made(cases)) == release_key(first)
    assert len(entries(cases)) == 2


def test_other_terms_are_another_release_and_another_charge(cases):
    keys = [release_key(made(cases))]
    for change in (
        {"epsilon": 1.5},
        {"reporting_length": 1},
        {"false_share": 0.2},
        {"synthetic_records": False},
        {"reissue": 1},
    ):
        cases.study("cases", "CaseRelease", **(TERMS | change))
        assert "cases/aggregates" in cases.stale(), change
        keys.append(release_key(made(cases)))
        assert len(set(keys)) == len(keys), change
        assert len(entries(cases)) == 2 * len(keys), change


def test_other_records_are_another_release_and_another_charge(cases):
    first = made(cases)
    cases.file("cases.csv", csv([*ROWS, ("p300", "Female", "Labour")]))
    assert cases.stale()["cases/records"] == "its file changed"
    assert release_key(made(cases)) != release_key(first)
    assert len(entries(cases)) == 4


def test_a_spent_budget_stops_the_release_and_is_not_tried_again(cases, home):
    cases.population("people", epsilon=2.5)
    first = made(cases)
    cases.study("cases", "CaseRelease", **(TERMS | {"reissue": 1}))
    result = cases.run("cases/aggregates")
    assert not result.success
    (told,) = failures(result).values()
    assert "people" in told and "the data officer" in told
    assert not [event for event in result.all_events if "RETRY" in event.event_type_value]
    (failed,) = [event for event in result.all_events if event.event_type_value == "STEP_FAILURE"]
    assert failed.step_failure_data.user_failure_data.description == told
    assert len(entries(cases)) == 2, "nothing is charged for what was refused"
    # what was released stays, and can be had again
    cases.study("cases", "CaseRelease", **TERMS)
    assert release_key(made(cases)) == release_key(first)


def test_a_release_above_the_limit_needs_two_names(cases):
    cases.population("people", approve_above=1.0)
    cases.study("cases", "CaseRelease", **(TERMS | {"approvers": ["A reviewer"]}))
    result = cases.run("cases")
    assert not result.success and "approve" in "".join(failures(result).values()).lower()
    assert entries(cases) == []
    cases.study("cases", "CaseRelease", **(TERMS | {"approvers": ["A reviewer", "B reviewer"]}))
    made(cases)


def test_an_unknown_population_does_not_load_and_the_file_to_write_is_named(cases):
    with pytest.raises(Exception, match=r"nobody\.yaml"):
        cases.study("cases", "CaseRelease", **(TERMS | {"population": "nobody"})) or cases.load()
