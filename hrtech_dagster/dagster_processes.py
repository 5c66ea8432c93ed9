"""Dagster's own processes as `serve` uses them: the webserver as an application in ours, the daemon as a child.

Here: what to load, starting and stopping. Not here: opening a port, or who may ask what.
"""

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

_STOP_SECONDS = 20


@dataclass(frozen=True)
class Target:
    """The code location to load: a workspace file or a module."""

    workspace: Path | None = None
    module: str | None = None

    def arguments(self) -> list[str]:
        """Return it as arguments of Dagster's own commands."""
        return ["-w", str(self.workspace)] if self.workspace else ["-m", str(self.module)]


@contextlib.contextmanager
def dagster_webserver(instance: dg.DagsterInstance, target: Target, read_only: bool) -> Iterator[Any]:
    """Load the code location and yield Dagster's webserver as an ASGI application.

    The only place that reaches into private parts of Dagster: its public way to start a webserver is a command that
    opens a port of its own, with nothing before it. A test pins what is used here.
    """
    from dagster._core.workspace.context import WorkspaceProcessContext  # noqa: TID251
    from dagster._core.workspace.load_target import ModuleTarget, WorkspaceFileTarget  # noqa: TID251
    from dagster_webserver.app import create_app_from_workspace_process_context
    from dagster_webserver.version import __version__

    load = (
        WorkspaceFileTarget(paths=[str(target.workspace)])
        if target.workspace
        else ModuleTarget(
            module_name=str(target.module),
            attribute=None,
            working_directory=str(Path.cwd()),
            location_name=None,
        )
    )
    instance.optimize_for_webserver(statement_timeout=15_000, pool_recycle=3600, max_overflow=20)
    with WorkspaceProcessContext(
        instance,
        workspace_load_target=load,
        version=__version__,
        read_only=read_only,
        code_server_log_level="warning",
    ) as context:
        yield create_app_from_workspace_process_context(context, live_data_poll_rate=2000)


@contextlib.contextmanager
def dagster_daemon(target: Target) -> Iterator[subprocess.Popen]:
    """Run the Dagster daemon as a child for as long as the block runs."""
    command = [sys.executable, "-m", "dagster._daemon", "run", "--log-level", "warning", *target.arguments()]
    # What runs print, and the full text of their errors, may hold values of restricted tables: it is shown on a
    # terminal and never ends up in a log file.
    shown = None if sys.stderr.isatty() else subprocess.DEVNULL
    child = subprocess.Popen(  # noqa: S603
        command,
        stdin=subprocess.DEVNULL,
        stdout=shown,
        stderr=shown,
        # a session of its own: Ctrl-C in the terminal reaches us alone, and we stop it in order
        start_new_session=True,
        preexec_fn=_end_with_parent if sys.platform == "linux" else None,
    )
    stopping = threading.Event()

    def watch() -> None:
        code = child.wait()
        if not stopping.is_set():
            print(
                f"The Dagster daemon ended (exit code {code}): queued runs, schedules and sensors wait. "
                "Stop this server and start it again.",
                file=sys.stderr,
                flush=True,
            )

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield child
    finally:
        stopping.set()
        child.send_signal(signal.SIGINT)
        try:
            child.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()


def _end_with_parent() -> None:
    """Ask Linux to stop this child when its parent is killed, so that no second daemon is left behind."""
    import ctypes

    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGINT)
