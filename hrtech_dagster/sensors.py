"""Sensors: files dropped for a study, data that changed, checks that failed.

A sensor asks for runs or tells people; it computes nothing. No cursor, log line or alert holds a value from a
restricted table: only keyed hashes, names of assets and checks, and counts.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from assets.source import source_fingerprint
from resources.home import hrtech_home

SOURCE = "hrtech/source_path"
ALERTS = "alerts.jsonl"


def sensors(defs: dg.Definitions) -> list:
    """Return the sensors of a code location."""
    watched = {
        spec.key: str(getattr(path, "value", path))
        for spec in defs.resolve_all_asset_specs()
        if (path := spec.metadata.get(SOURCE)) is not None
    }
    return [
        *([dropped_files(watched)] if watched else []),
        dg.AutomationConditionSensorDefinition(
            "follow_data",
            target=dg.AssetSelection.all(),
            description="Runs what stands on data whose content changed; does nothing where it only was made again.",
            run_tags={"hrtech/trigger": "data"},
        ),
        failed_checks(dg.DagsterRunStatus.SUCCESS),
        failed_checks(dg.DagsterRunStatus.FAILURE),
    ]


def dropped_files(watched: Mapping[dg.AssetKey, str]) -> dg.SensorDefinition:
    """Ask for a run of each records asset whose file or folder changed since the last look.

    Args:
        watched: Asset that reads files → the path it reads.
    """

    @dg.sensor(
        name="dropped_files",
        target=dg.AssetSelection.assets(*watched),
        minimum_interval_seconds=60,
        description="A new or changed file in a study's folder starts a run that reads it.",
    )
    def look(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        seen = json.loads(context.cursor or "{}")
        now = {key.to_user_string(): source_fingerprint(path) for key, path in watched.items()}
        changed = [
            key
            for key in watched
            if (name := key.to_user_string()) and now[name] not in (None, seen.get(name))
        ]
        requests = [
            dg.RunRequest(
                run_key=f"{key.to_user_string()}:{now[key.to_user_string()]}",
                asset_selection=[key],
                tags={"hrtech/trigger": "file"},
            )
            for key in changed
        ]
        return dg.SensorResult(run_requests=requests, cursor=json.dumps(now))

    return look


def failed_checks(status: dg.DagsterRunStatus) -> dg.SensorDefinition:
    """Write one line to `$HRTECH_HOME/alerts.jsonl` for each check that failed in a finished run.

    A check that does not block leaves its run a success, so both outcomes are watched.
    """

    @dg.run_status_sensor(
        name=f"failed_checks_of_{status.value.lower()}_runs",
        run_status=status,
        description="Reports every failed check of a finished run in alerts.jsonl.",
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def report(context: dg.RunStatusSensorContext) -> None:
        write_alerts(context.instance, context.dagster_run.run_id, hrtech_home() / ALERTS)

    return report


def write_alerts(instance: dg.DagsterInstance, run_id: str, path: Path) -> int:
    """Append the failed checks of a run to a file of JSON lines and return how many there were."""
    events = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    lines = []
    for event in events:
        result = event.dagster_event.asset_check_evaluation_data if event.dagster_event else None
        if result is None or result.passed:
            continue
        lines.append(
            json.dumps(
                {
                    "at": datetime.fromtimestamp(event.timestamp, UTC).isoformat(timespec="seconds"),
                    "run": run_id,
                    "asset": result.asset_key.to_user_string(),
                    "check": result.check_name,
                    "severity": result.severity.value,
                    "blocking": bool(result.blocking),
                }
            )
        )
    if lines:
        with path.open("a", encoding="utf-8") as stream:
            stream.write("\n".join(lines) + "\n")
    return len(lines)
