"""Schedules: a weekly run of everything. It spends no privacy where nothing changed: a release is its key."""

import dagster as dg

from hrtech_dagster.jobs import EVERYTHING


def schedules() -> list:
    """Return the schedules; they start stopped, for a person to switch on."""
    return [
        dg.ScheduleDefinition(
            name="weekly",
            job_name=EVERYTHING,
            cron_schedule="0 3 * * 1",
            execution_timezone="UTC",
            tags={"hrtech/trigger": "schedule"},
            description="Every Monday at 03:00 UTC. Releases whose inputs did not change return the same bytes.",
            default_status=dg.DefaultScheduleStatus.STOPPED,
        )
    ]
