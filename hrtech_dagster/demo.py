"""`python -m hrtech_dagster.demo`: run what is out of date through Dagster and say what came of it.

Prints what was made, how long each study took, what privacy was spent, and where the published page is.
"""

import argparse
import importlib
import os
import sys
import time
from collections import defaultdict
from importlib.resources import files

import dagster as dg

from resources.home import HomeError, hrtech_home, prepare_home

DEFAULT_MODULE = "hrtech_dagster.definitions"


def main(arguments: list[str] | None = None) -> int:
    """Run the demo, or any code location, and print the account of it; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m hrtech_dagster.demo", description=__doc__)
    parser.add_argument("-m", "--module", default=DEFAULT_MODULE, help="module of the code location")
    parser.add_argument(
        "--trigger", default="person", help="what asked for this run, such as ci; a tag on the run"
    )
    parser.add_argument("--all", action="store_true", help="run every asset, out of date or not")
    options = parser.parse_args(arguments)

    try:
        home = prepare_home(hrtech_home(), instance_settings())
    except HomeError as error:
        print(error, file=sys.stderr)
        return 2
    os.environ.setdefault("DAGSTER_HOME", str(home / "dagster"))
    started = time.perf_counter()
    defs = importlib.import_module(options.module).defs()
    with dg.DagsterInstance.get() as instance:
        return run(defs, instance, trigger=options.trigger, everything=options.all, started=started)


def instance_settings() -> str:
    """Text of the `dagster.yaml` that a new home gets: telemetry off, no stored output of restricted code."""
    return files("hrtech_dagster").joinpath("dagster.yaml").read_text(encoding="utf-8")


def run(
    defs: dg.Definitions, instance: dg.DagsterInstance, *, trigger: str, everything: bool, started: float
) -> int:
    """Materialise what is out of date in one Dagster run and print the account."""
    from hrtech_dagster.staleness import stale_assets

    graph = defs.resolve_asset_graph()
    stale = (
        dict.fromkeys(graph.materializable_asset_keys, "asked for")
        if everything
        else stale_assets(defs, instance)
    )
    total = len(graph.materializable_asset_keys)
    if not stale:
        print(f"All {total} assets are up to date; nothing was recomputed and nothing spent.")
        _closing(defs)
        print(f"{time.perf_counter() - started:.1f} s")
        return 0
    print(f"{len(stale)} of {total} assets are out of date; running them in one Dagster run.")
    job = defs.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        instance=instance,
        asset_selection=list(stale),
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},  # told below, once
        tags={"hrtech/trigger": trigger},
        raise_on_error=False,
    )
    _account(result)
    if not result.success:
        _failures(result)
        return 1
    _closing(defs)
    print(f"Dagster run {result.run_id} took {time.perf_counter() - started:.1f} s in all.")
    return 0


def _account(result: dg.ExecuteInProcessResult) -> None:
    """Print tables and seconds by study, from the run's own events."""
    seconds: dict[str, float] = defaultdict(float)
    tables: dict[str, list[str]] = defaultdict(list)
    for event in result.all_events:
        if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION and event.asset_key:
            study, *noun = event.asset_key.path
            tables[study].append("/".join(noun))
        if event.event_type == dg.DagsterEventType.STEP_SUCCESS and event.step_key:
            seconds[event.step_key.split("__")[0]] += event.step_success_data.duration_ms / 1000
    evaluations = result.get_asset_check_evaluations()
    for study in tables:
        passed = sum(check.passed for check in evaluations if check.asset_key.path[0] == study)
        checks = sum(check.asset_key.path[0] == study for check in evaluations)
        print(
            f"  {study:<22} {seconds[study]:6.1f} s  {passed}/{checks} checks  {', '.join(sorted(tables[study]))}"
        )
    for check in evaluations:
        if not check.passed:
            print(
                f"  check failed ({check.severity.value}): {check.asset_key.to_user_string()} {check.check_name}"
            )


def _failures(result: dg.ExecuteInProcessResult) -> None:
    for event in result.all_events:
        if event.event_type == dg.DagsterEventType.STEP_FAILURE:
            data = event.step_failure_data
            message = (
                data.user_failure_data and data.user_failure_data.description
            ) or data.error_display_string
            print(f"FAILED {event.step_key}: {message}", file=sys.stderr)


def _closing(defs: dg.Definitions) -> None:
    """Print what privacy was ever spent, and where the page is."""
    ledger = defs.resources["privacy_ledger"] if defs.resources else None
    if ledger is not None:
        print(ledger.statement().rstrip())
    page = hrtech_home() / "site" / "index.html"
    if page.exists():
        print(f"Published page: {page}")
    print("Restricted pages: `make ui`, then /casework/")


if __name__ == "__main__":
    sys.exit(main())
