"""The demo's code location as a whole: it loads lightly, every asset says what it is, and nothing moves unseen."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from assets.case_release_draw import PRIVATE
from hrtech.zones import ZoneError, check_zones
from hrtech_dagster.definitions import defs as load
from hrtech_dagster.location import STORE_KEY, nodes_of

ROOT = Path(__file__).parents[2]
HEAVY = (
    "dowhy",
    "great_expectations",
    "splink",
    "opendp",
    "openai",
    "sklearn",
    "altair",
    "vl_convert",
    "statsmodels",
)


@pytest.fixture(scope="module")
def defs(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HRTECH_HOME", str(tmp_path_factory.mktemp("home")))
        yield load()


@pytest.fixture(scope="module")
def specs(defs):
    return sorted(defs.resolve_all_asset_specs(), key=lambda spec: spec.key)


def test_loading_imports_no_heavy_library_and_is_quick():
    script = (
        "import sys, resource; from hrtech_dagster.definitions import defs; defs()\n"
        f"print(sorted(set({HEAVY!r}) & {{name.partition('.')[0] for name in sys.modules}}))\n"
        "used = resource.getrusage(resource.RUSAGE_SELF); print(used.ru_utime + used.ru_stime)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded, seconds = done.stdout.splitlines()[-2:]
    assert loaded == "[]"
    assert float(seconds) < 6


def test_every_asset_says_what_it_is(specs):
    for spec in specs:
        name = spec.key.to_user_string()
        zone = spec.tags.get("hrtech/zone")
        assert zone in ("restricted", "released", "public"), name
        assert spec.metadata[STORE_KEY] == zone, name
        assert spec.group_name == spec.key.path[0] and len(spec.key.path) == 2, name
        assert spec.owners and spec.kinds and spec.description and spec.code_version, name
        assert spec.description.endswith("."), name


def test_the_graph_reads_like_the_mission(specs, defs, snapshot):
    checks = {key.to_user_string() for key in defs.resolve_asset_graph().asset_check_keys}
    told = [
        {
            "key": spec.key.to_user_string(),
            "zone": spec.tags["hrtech/zone"],
            "tags": sorted(
                name for name in spec.tags if name.startswith("hrtech/") and name != "hrtech/zone"
            ),
            "barrier": spec.tags.get("hrtech/barrier"),
            "made of": sorted(dep.asset_key.to_user_string() for dep in spec.deps),
            "follows data": spec.automation_condition is not None,
        }
        for spec in specs
    ]
    assert told == snapshot
    assert sorted(checks) == snapshot
    assert (
        sorted(job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")) == snapshot
    )
    assert sorted(one.name for one in [*defs.schedules, *defs.sensors]) == snapshot


def test_a_release_declares_its_mechanism_and_not_the_library(specs):
    versions = {
        spec.key.path[1]: spec.code_version for spec in specs if spec.key.path[0] == "trafficking_cases"
    }
    assert versions["aggregates"].startswith(f"{PRIVATE}+")
    assert PRIVATE == "centred-moments/1+population/1", (
        "raise this only when the distribution of what a release returns changes: everybody pays again"
    )


def test_the_weekly_run_waits_for_a_person_and_says_what_asked_for_it(defs):
    schedule = next(one for one in defs.schedules if one.name == "weekly")
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    tick = defs.get_schedule_def("weekly").evaluate_tick(
        dg.build_schedule_context(repository_def=defs.get_repository_def())
    )
    assert [request.tags["hrtech/trigger"] for request in tick.run_requests] == ["schedule"]


def test_data_that_changed_is_followed_and_data_made_again_is_not():
    from assets.study import FOLLOW_DATA

    version = {"now": "v1"}

    @dg.asset
    def upstream():
        return dg.MaterializeResult(data_version=dg.DataVersion(version["now"]))

    @dg.asset(deps=[upstream], automation_condition=FOLLOW_DATA)
    def downstream():
        return dg.MaterializeResult(data_version=dg.DataVersion("made"))

    small = dg.Definitions([upstream, downstream])
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([upstream, downstream], instance=instance)
        first = dg.evaluate_automation_conditions(small, instance)
        dg.materialize([upstream], instance=instance)
        again = dg.evaluate_automation_conditions(small, instance, cursor=first.cursor)
        version["now"] = "v2"
        dg.materialize([upstream], instance=instance)
        changed = dg.evaluate_automation_conditions(small, instance, cursor=again.cursor)
    assert again.total_requested == 0
    assert changed.get_num_requested(downstream.key) == 1


def wrong(zone=None, *, deps=(), resources=(), store=None, **tags):
    """A definition that an author might write by hand."""
    made = {"hrtech/zone": zone} if zone else {}

    @dg.multi_asset(
        specs=[
            dg.AssetSpec(
                ["wrong", "asset"],
                deps=list(deps),
                tags={**made, **{f"hrtech/{k}": v for k, v in tags.items()}},
            ).with_io_manager_key(store or zone or "io_manager")
        ],
        required_resource_keys=set(resources),
    )
    def asset():
        yield dg.MaterializeResult()

    return asset


RECORDS = dg.AssetSpec(["cases", "records"], tags={"hrtech/zone": "restricted"})
AGGREGATES = dg.AssetSpec(["cases", "aggregates"], tags={"hrtech/zone": "released"})
RULES = {
    "1 no zone": (wrong(), "rule 1: it has no zone"),
    "2 leak": (wrong("released", deps=[RECORDS]), "rule 2: it is released but reads cases/records"),
    "2 barrier without ledger": (
        wrong("released", deps=[RECORDS], barrier="differential-privacy"),
        "rule 2: a barrier must be written in the privacy ledger",
    ),
    "3 store": (
        wrong("released", resources=["restricted"]),
        "rule 3: it is released but holds the restricted store",
    ),
    "4 mail": (wrong("restricted", deps=[RECORDS], resources=["mailer"]), "rule 4: it holds the mailer"),
    "4 model": (
        wrong("restricted", deps=[RECORDS], resources=["language_model"]),
        "rule 4: it shows cases/records, which is restricted, to a language model",
    ),
    "5 scores": (wrong("public", about="entities"), "rule 5: matches, flags and scores"),
    "6 quiet publishing": (
        wrong("public", deps=[AGGREGATES]),
        "rule 6: it is public and reads released data",
    ),
    "7 simulated": (
        wrong("restricted", deps=[RECORDS], simulated="true"),
        "rule 7: it calls itself simulated",
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_graph_that_breaks_a_rule_does_not_load(rule):
    asset, words = RULES[rule]
    resource = dg.ResourceDefinition.hardcoded_resource(None)
    store = dg.IOManagerDefinition.hardcoded_io_manager(dg.InMemoryIOManager())
    names = ["restricted", "released", "public", "io_manager"]
    graph = dg.Definitions(
        [RECORDS, AGGREGATES, asset],
        resources={**dict.fromkeys(["mailer", "language_model"], resource), **dict.fromkeys(names, store)},
    )
    with pytest.raises(ZoneError, match="wrong/asset: ") as caught:
        check_zones(nodes_of(graph))
    assert words in str(caught.value)


def test_the_demo_keeps_the_rules(defs):
    check_zones(nodes_of(defs))
