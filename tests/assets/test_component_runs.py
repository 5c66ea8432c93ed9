"""Every component on the small world, in process, through real runs on a lasting instance."""

import json
from importlib.resources import files

import dagster as dg
import pandas as pd
import pytest
from studies import QUIET, WORLD, failures, materialised, plain, versions

from resources.lake import list_tables, read_table

DISCLOSE = {"population": "people", "purpose": "Tell what was found", "approvers": ["A reviewer"]}
CASE_COLUMNS = [
    {"name": "record_id", "role": "identifier", "unique": True},
    {"name": "gender", "role": "category"},
    {"name": "labour_sector", "role": "category"},
    {"name": "type_of_exploitation", "role": "multi_valued", "separator": ";"},
]
CASES = {
    "simulated": True,
    "population": "people",
    "purpose": "Show who is exploited and how",
    "source": {
        "path": "$HRTECH_HOME/inbox/world/case_records",
        "format": "csv",
        "delivered_by": "world/case_records_files",
        # value lists of the ICS-TIP classification
        "codebook": str(files("hrtech_dagster") / "defs" / "trafficking_cases" / "codebook.csv"),
        "columns": CASE_COLUMNS,
    },
    "epsilon": 2.0,
    "delta": 1e-6,
}
LINKAGE = {
    "simulated": True,
    "registers": {
        "employers": {
            "id_column": "employer_id",
            "source": {
                "asset": "world/employers",
                "columns": [
                    {"name": "employer_id", "role": "identifier", "unique": True},
                    {"name": "name", "role": "text"},
                    {"name": "city", "role": "category"},
                    {"name": "phone", "role": "text"},
                ],
            },
        },
        "companies": {
            "id_column": "company_id",
            "source": {
                "asset": "world/companies",
                "columns": [
                    {"name": "company_id", "role": "identifier", "unique": True},
                    {"name": "name", "role": "text"},
                    {"name": "city", "role": "category"},
                    {"name": "phone", "role": "text"},
                ],
            },
        },
    },
    "mode": "link",
    "duplicate_free": ["employers", "companies"],
    "fields": [
        {"name": "name", "kind": "company_name"},
        {"name": "city", "kind": "category"},
        {"name": "phone", "kind": "phone"},
    ],
    "truth": [
        {
            "asset": "world/truth_companies",
            "record": "employer_id",
            "entity": "entity_id",
            "register_name": "employers",
        },
        {
            "asset": "world/truth_companies",
            "record": "company_id",
            "entity": "entity_id",
            "register_name": "companies",
        },
    ],
    "disclose": DISCLOSE,
}
NETWORK = {
    "simulated": True,
    "entities": {
        "asset": "world/companies",
        "id_column": "company_id",
        "name_column": "name",
        "attributes": ["address", "phone", "email"],
    },
    "ownership": "world/owners",
    "red_flags": "world/red_flags",
    "disclose": DISCLOSE,
}
EFFECT = {
    "simulated": True,
    "hypothesis": "People who know the helpline are more likely to seek help",
    "direction": "increases",
    "source": {
        "asset": "world/questionnaire",
        "columns": [
            {"name": "respondent_id", "role": "identifier", "unique": True},
            {"name": "age", "role": "number"},
            {"name": "debt_before", "role": "number"},
            {"name": "trust", "role": "number"},
            {"name": "helpline_awareness", "role": "number"},
            {"name": "sought_help", "role": "number"},
        ],
    },
    "treatment": "helpline_awareness",
    "outcome": "sought_help",
    "confounders": ["age", "debt_before", "trust"],
    "truth": "world/truth_exposure",
    "disclose": DISCLOSE,
}

NOUNS = {
    "cases": {
        "restricted": "attacks casework evaluation fabricated findings memorised people rare records synthesizability",
        "released": "aggregates expected_errors facts files measured report synthetic_records terms",
        "public": "",
    },
    "linked": {
        "restricted": "blocking casework changes companies compared_records contradictions employers entities "
        "evaluation findings judged_quality judgements linked_records match_weights "
        "parameters quality review settings state unlinkables",
        "released": "facts report",
        "public": "",
    },
    "network": {
        "restricted": "activity answers beneficial_owners casework co_bids communities control cycles discoveries "
        "edges findings hubs networks nodes ownership_paths paths pattern_flags red_flags_used rejects remarks "
        "sensitivity stability watch_history watch_list",
        "released": "facts report",
        "public": "",
    },
    "pages": {"restricted": "", "released": "candidate", "public": "site"},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """One project with every quick component, made once; the tests of this module only read it."""
    import sys

    from studies import Project

    from hrtech_dagster.demo import instance_settings
    from resources.home import prepare_home

    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("whole")
        home = folder / "home"
        patch.setenv("HRTECH_HOME", str(home))
        patch.setenv("DAGSTER_HOME", str(home / "dagster"))
        patch.setattr(sys, "path", list(sys.path))
        prepare_home(home, instance_settings())
        project = Project(folder / "project")
        project.study("world", "MockData", **WORLD, deliver=["case_records"])
        project.study("cases", "CaseRelease", **CASES)
        project.study("linked", "EntityLinkage", **LINKAGE)
        project.study("network", "EntityNetwork", **NETWORK)
        project.study(
            "pages",
            "EvidenceSite",
            simulated=True,
            summary="What was found.",
            studies=["cases", "linked", "network"],
        )
        project.approve("pages", standing="simulated")
        defs = project.load()
        first = project.run(defs=defs)
        yield project, home, defs, first


def test_everything_is_made(whole):
    _, home, defs, first = whole
    assert first.success, failures(first)
    assert set(materialised(first)) == {
        key.to_user_string() for key in defs.resolve_asset_graph().materializable_asset_keys
    }
    for study, zones in NOUNS.items():
        for zone, nouns in zones.items():
            assert [key[1] for key in list_tables(home, zone) if key[0] == study] == nouns.split(), (
                study,
                zone,
            )


def test_a_release_has_the_release_key_as_the_version_of_what_it_released(whole):
    _, _, _, first = whole
    made = materialised(first)
    for names in (
        ["cases/aggregates", "cases/terms", "cases/synthetic_records"],
        ["linked/facts"],
        ["network/facts"],
    ):
        keys = {plain(made[name].metadata)["release_key"] for name in names}
        assert {versions(first)[name] for name in names} == keys and len(keys) == 1
    assert plain(made["cases/aggregates"].metadata)["epsilon"] <= 2.0


def test_other_versions_are_of_the_content(whole):
    from assets.study import data_version

    _, home, _, first = whole
    for zone, key in (
        ("restricted", ("cases", "people")),
        ("restricted", ("linked", "entities")),
        ("released", ("cases", "report")),
        ("public", ("world", "truth_persons")),
    ):
        assert versions(first)["/".join(key)] == data_version(read_table(home, zone, key)), key


def test_no_metadata_holds_a_value_of_a_record(whole):
    """Counts, column names and keys only: no text of several words from any cell of a restricted table."""
    _, home, _, first = whole
    cells = set()
    for key in list_tables(home, "restricted"):
        if key[0] == "world":
            frame = read_table(home, "restricted", key)
            for name in frame.select_dtypes("str"):
                cells |= {cell for cell in frame[name].dropna().unique() if len(cell) >= 10 and " " in cell}
    assert len(cells) > 1000
    told = json.dumps(
        [
            [name, {k: str(v) for k, v in plain(made.metadata).items()}]
            for name, made in materialised(first).items()
        ]
    )
    assert [cell for cell in cells if cell in told] == []


def test_metadata_of_every_table_tell_rows_and_columns(whole):
    _, home, _, first = whole
    for name, made in materialised(first).items():
        told = plain(made.metadata)
        zone = made.tags["hrtech/zone"]
        frame = read_table(home, zone, name.split("/"))
        assert told["dagster/row_count"] == len(frame)
        assert [column.name for column in told["dagster/column_schema"].columns] == list(frame.columns)


def test_metadata_of_checks_are_counts(whole):
    _, _, _, first = whole
    evaluations = first.get_asset_check_evaluations()
    assert len(evaluations) > 10 and all(check.passed for check in evaluations)
    for check in evaluations:
        if check.check_name == "column_schema_change":  # Dagster's own: names and types of columns
            continue
        for name, value in plain(check.metadata).items():
            assert isinstance(value, int | float), f"{check.check_name}: {name} is {type(value)}"


def test_nothing_is_out_of_date_afterwards_and_another_run_spends_nothing(whole):
    project, _, defs, first = whole
    assert project.stale(defs) == {}
    ledger = defs.resources["privacy_ledger"]
    before = [entry.head for entry in ledger.entries()]
    again = project.run(
        "cases/aggregates", "cases/terms", "cases/synthetic_records", "linked/facts", defs=defs
    )
    assert again.success, failures(again)
    assert [entry.head for entry in ledger.entries()] == before
    made = materialised(again)
    assert plain(made["cases/aggregates"].metadata)["reused"] is True
    assert {name: versions(first)[name] for name in made} == versions(again)
    assert project.stale(defs) == {}, "what was made again from the same data makes nothing stale"


def test_the_page_is_published_and_says_whom_it_was_approved_by(whole):
    _, home, _, first = whole
    told = plain(materialised(first)["pages/site"].metadata)
    assert told["approved_by"] == "A reviewer"
    assert told["page"] == str(home / "site" / "index.html")
    assert (home / "site" / "index.html").is_file()
    candidate = plain(materialised(first)["pages/candidate"].metadata)["candidate"]
    assert told["candidate"] == candidate


def test_delivered_files_are_one_for_each_organisation(whole):
    _, home, _, first = whole
    files = sorted(path.name for path in (home / "inbox" / "world" / "case_records").iterdir())
    organisations = read_table(home, "restricted", ("world", "case_records"))["organisation"].unique()
    assert len(files) == len(organisations) > 1
    assert plain(materialised(first)["world/case_records_files"].metadata)["files"] == len(files)


@pytest.mark.slow
def test_an_effect_is_estimated_from_the_questionnaire(project, home):
    project.study("world", "MockData", **WORLD)
    project.study("effect", "EffectStudy", **EFFECT)
    defs = project.load()
    result = project.run("world/questionnaire", "world/truth_exposure", "effect", defs=defs)
    assert result.success, failures(result)
    assert {"effect/effect", "effect/refutations", "effect/facts", "effect/report", "effect/casework"} <= set(
        materialised(result)
    )
    facts = read_table(home, "released", ("effect", "facts"))
    assert len(facts) and not facts["statement"].isna().any()
    assert {name for name in project.stale(defs) if name.startswith("effect")} == set()


def test_frames_are_stored_encrypted_only_where_restricted(whole):
    _, home, _, _ = whole
    for zone in ("restricted", "released", "public"):
        for path in (home / "lake" / zone).rglob("*.parquet"):
            assert path.read_bytes().startswith(b"PAR1") == (zone != "restricted"), path


def test_a_temporary_instance_is_refused(project):
    project.study("world", "MockData", **WORLD)
    defs = project.load()
    truth = defs.resolve_asset_graph().get(dg.AssetKey(["world", "truth_persons"])).execution_set_asset_keys
    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=sorted(truth),
            run_config=QUIET,
            raise_on_error=False,
        )
    assert not result.success
    assert "This Dagster instance is temporary" in "".join(failures(result).values())


def test_the_same_seed_is_the_same_data_and_another_is_not(project, home):
    project.study("world", "MockData", **WORLD)
    first = project.run("world")
    again = project.run("world")
    project.study("world", "MockData", **(WORLD | {"seed": 8}))
    assert set(project.stale().values()) == {"its settings or the library changed"}
    other = project.run("world")
    assert versions(first) == versions(again)
    moved = {name for name, version in versions(other).items() if version != versions(first)[name]}
    assert {"world/case_records", "world/truth_persons"} <= moved
    assert isinstance(read_table(home, "restricted", ("world", "case_records")), pd.DataFrame)
