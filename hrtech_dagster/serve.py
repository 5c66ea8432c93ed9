"""`python -m hrtech_dagster.serve`: the Dagster UI, the casework pages and the published site, on this machine only.

One process holds Dagster's webserver and our pages behind the guard, and runs the Dagster daemon (schedules, sensors,
the run queue) as a child. The first line it prints is a link that opens one browser session. Scripts send
`Authorization: Bearer` with the text of `$HRTECH_HOME/keys/serve-<port>.token`, which exists while the server runs.

Here: the command line, and what is put together. Not here: who may ask what (`guard`), pages (`casework_pages`), how
Dagster's own processes are started (`dagster_processes`).
"""

import argparse
import contextlib
import http.client
import ipaddress
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import dagster as dg

from hrtech_dagster.dagster_processes import Target, dagster_daemon, dagster_webserver
from hrtech_dagster.demo import instance_settings
from hrtech_dagster.guard_tokens import Tokens, bearer_file, written_bearer
from resources.home import HomeError, hrtech_home, prepare_home

DEFAULT_PORT = 3000
DEFAULT_MODULE = "hrtech_dagster.definitions"
_ADDRESSES: Mapping[str, str] = {"127.0.0.1": "127.0.0.1", "localhost": "127.0.0.1", "::1": "::1"}


class ServeError(RuntimeError):
    """The server cannot start; the message says how to mend it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted; return the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        address = loopback_address(options.host)
        home = settle_environment(options.home)
        if options.link:
            print(ask_for_link(home, options.port))
            return 0
        target = find_target(options.workspace, options.module)
        with listen(address, options.port) as listening, ended_by_signals():
            serve(listening, home, target, read_only=options.read_only, daemon=options.daemon)
    except (ServeError, HomeError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped.")
    return 0


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the block as Ctrl-C does, so that the daemon is stopped and the token removed."""

    def end(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), end) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


def loopback_address(host: str) -> str:
    """Return the address to listen on.

    Raises:
        ServeError: It can be reached from other machines, or is not an address of this machine's loopback.
    """
    found = _ADDRESSES.get(host.strip().strip("[]").lower())
    if found is None:
        raise ServeError(
            f"--host {host} is refused: this server shows restricted pages and listens on this machine alone "
            "(127.0.0.1 or ::1). From another machine, use a tunnel: "
            f"ssh -L {DEFAULT_PORT}:127.0.0.1:{DEFAULT_PORT} this-machine"
        )
    return found


def settle_environment(home: Path | None) -> Path:
    """Settle home, Dagster's home and privacy switches for this process and its children; return the home.

    A `.env` file in the working directory counts as dg counts it: for what the environment leaves open.
    """
    from dotenv import dotenv_values

    for name, value in dotenv_values(Path.cwd() / ".env").items():
        if value is not None:
            os.environ.setdefault(name, value)
    if home is not None:
        os.environ["HRTECH_HOME"] = str(home.absolute())
        os.environ["DAGSTER_HOME"] = str(home.absolute() / "dagster")
    found = prepare_home(hrtech_home(), instance_settings())
    os.environ.setdefault("DAGSTER_HOME", str(found / "dagster"))
    # not a default: no setting of the shell may turn them off
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    os.environ["DAGSTER_REDACT_USER_CODE_ERRORS"] = "1"
    return found


def find_target(workspace: Path | None, module: str | None) -> Target:
    """Find what to load: what was named, else `workspace.yaml` here, else the demo.

    Raises:
        ServeError: The file is not there, or both were named.
    """
    if workspace and module:
        raise ServeError("Name a workspace file (-w) or a module (-m), not both.")
    if module:
        return Target(module=module)
    here = workspace or Path("workspace.yaml")
    if here.is_file():
        return Target(workspace=here.absolute())
    if workspace:
        raise ServeError(f"There is no workspace file {workspace}.")
    return Target(module=DEFAULT_MODULE)


def listen(address: str, port: int) -> socket.socket:
    """Take the port, before anything slow is done.

    Raises:
        ServeError: The port is taken or no port.
    """
    version = ipaddress.ip_address(address).version
    taken = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((address, port))
        # bound alone, another server could still bind it too
        taken.listen()
        taken.set_inheritable(False)
    except (OSError, OverflowError) as error:
        taken.close()
        raise ServeError(
            f"Port {port} on {address} cannot be used ({error}). Choose another: --port"
        ) from None
    return taken


def serve(listening: socket.socket, home: Path, target: Target, *, read_only: bool, daemon: bool) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        listening: Bound socket.
        home: Folder that holds all state.
        target: Code location.
        read_only: Nothing may be started or written.
        daemon: Run the Dagster daemon too; a read-only server never does.
    """
    import uvicorn
    from starlette.applications import Starlette
    from starlette.routing import Mount

    from hrtech_dagster.casework_pages import lake_store, routes
    from hrtech_dagster.guard import Guard

    port = listening.getsockname()[1]
    tokens = Tokens()
    with (
        written_bearer(bearer_file(home, port), tokens.bearer),
        # opened before any child: two processes that create its SQLite files at once spoil them
        dg.DagsterInstance.get() as instance,
        dagster_daemon(target) if daemon and not read_only else contextlib.nullcontext(),
        dagster_webserver(instance, target, read_only) as webserver,
    ):
        ours = routes(lake_store(home), home / "site", read_only=read_only)
        guard = Guard(
            Starlette(routes=[*ours, Mount("/", webserver)]), port=port, tokens=tokens, read_only=read_only
        )
        settings = uvicorn.Config(
            guard,
            log_level="warning",
            access_log=False,
            server_header=False,
            # nobody stands before us, so nobody may say who the caller or what the scheme is
            proxy_headers=False,
            lifespan="off",
            timeout_graceful_shutdown=5,
        )
        _greet(guard.link(), home, port, read_only)
        uvicorn.Server(settings).run(sockets=[listening])


def ask_for_link(home: Path, port: int) -> str:
    """Ask the running server for another one-time link.

    Raises:
        ServeError: No server runs on the port for this home.
    """
    try:
        token = bearer_file(home, port).read_text(encoding="ascii")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("POST", "/guard/link", headers={"Authorization": f"Bearer {token}"})
        return str(json.loads(connection.getresponse().read())["link"])
    except (OSError, ValueError, KeyError) as error:
        raise ServeError(
            f"No server of {home} answers on port {port} ({type(error).__name__}). Start it with "
            f"`python -m hrtech_dagster.serve --port {port}`."
        ) from None


def _greet(link: str, home: Path, port: int, read_only: bool) -> None:
    print(f"Open {link}", flush=True)
    print("The link opens one browser session, once, within an hour. Another: add --link to this command.")
    print(f"Asset graph http://127.0.0.1:{port}/  casework /casework/  published site /site/", flush=True)
    if read_only:
        print("Read-only: nothing can be started or written, and no daemon runs.", flush=True)
    print(f"Scripts: Authorization: Bearer, with the text of {bearer_file(home, port)}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hrtech_dagster.serve",
        description="Dagster's UI, casework pages and published site, guarded, on this machine only.",
    )
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="default: %(default)s")
    parser.add_argument(
        "--host", default="127.0.0.1", help="127.0.0.1 (default) or ::1; nothing else is allowed"
    )
    parser.add_argument("--home", type=Path, help="folder that holds all state; default: $HRTECH_HOME")
    parser.add_argument("-w", "--workspace", type=Path, help="default: workspace.yaml in this folder")
    parser.add_argument("-m", "--module", help="module of the code location, instead of a workspace file")
    parser.add_argument(
        "--read-only", action="store_true", help="nothing can be started or written; no daemon"
    )
    parser.add_argument(
        "--no-daemon",
        dest="daemon",
        action="store_false",
        help="no schedules, no sensors; launched runs wait",
    )
    parser.add_argument(
        "--link", action="store_true", help="print another one-time link of the running server"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
