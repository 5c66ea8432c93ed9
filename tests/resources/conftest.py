"""A PostgreSQL server of the tests' own, on loopback, under an unprivileged user."""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
import sqlalchemy as sa


def _server_program(name):
    found = shutil.which(name)
    if found:
        return found
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(installed[-1]) if installed else None


def _unprivileged():
    """Arguments that start a program as somebody else where we are root: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}, None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}, user
    pytest.fail("PostgreSQL needs an unprivileged user, and there is neither postgres nor nobody")
    return None


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def postgres_server():
    """URL of the server's own database; the server lives for the session."""
    initdb, postgres = _server_program("initdb"), _server_program("postgres")
    if initdb is None or postgres is None:
        pytest.skip("PostgreSQL's server programs are not installed")
    as_user, user = _unprivileged()
    # not in pytest's folder: that one is closed to other users
    folder = Path(tempfile.mkdtemp(prefix="hrtech-pg-"))
    try:
        password = folder / "password"
        password.write_text(secrets.token_hex(16))
        if user is not None:
            for path in (folder, password):
                os.chown(path, user.pw_uid, user.pw_gid)
        data = folder / "data"
        subprocess.run(
            [
                *(initdb, "-D", data, "-U", "tester", "-A", "scram-sha-256", "--pwfile", password),
                *("-E", "UTF8", "--locale=C", "--no-sync"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
            **as_user,
        )
        port = _free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": folder,
            "fsync": "off",
            "max_connections": 40,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        log = folder / "log"
        with log.open("wb") as stream:
            server = subprocess.Popen(
                [postgres, "-D", data, *options], stdout=stream, stderr=stream, cwd=folder, **as_user
            )
        url = sa.URL.create(
            "postgresql+psycopg", "tester", password.read_text(), "127.0.0.1", port, "postgres"
        )
        try:
            _wait_for(server, url, log)
            yield url
        finally:
            server.send_signal(signal.SIGINT)  # "fast": does not wait for connections
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(server, url, log):
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    for _ in range(300):
        if server.poll() is not None:
            pytest.fail(f"PostgreSQL did not start: {log.read_text()}")
        try:
            with engine.connect():
                return
        except sa.exc.OperationalError:
            time.sleep(0.1)
    pytest.fail("PostgreSQL did not answer within 30 seconds")


@pytest.fixture
def postgres_database(postgres_server):
    """Makes new places for a ledger: each call returns the URL of an empty schema of its own."""
    engine = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    made = []

    def create():
        name = f"ledger_{secrets.token_hex(6)}"
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA {name}")
        made.append(name)
        url = postgres_server.update_query_dict({"options": f"-csearch_path={name}"})
        return url.render_as_string(hide_password=False)

    yield create
    with engine.connect() as connection:
        for name in made:
            connection.exec_driver_sql(f"DROP SCHEMA {name} CASCADE")


POPULATION = """\
name: people
people: Everyone in the records
epsilon: 4.0
delta: 1.0e-6
may_raise: [the officer]
aliases: [folk]
"""


class LedgerPlace:
    """One ledger's home, register and database; `ledger()` opens it as a resource."""

    def __init__(self, home, url):
        from resources.ledger_database import LedgerDatabase

        self.home, self.url, self.populations = home, url, home / "populations"
        self.populations.mkdir(parents=True)
        self.budget(POPULATION)
        self.database = LedgerDatabase(url)

    def budget(self, text):
        (self.populations / "people.yaml").write_text(text)

    def ledger(self, **changes):
        from resources.privacy_ledger import PrivacyLedger

        return PrivacyLedger(
            **{"url": self.url, "home": str(self.home), "populations": str(self.populations), **changes}
        )

    def raw(self, *statements):
        """Run SQL as an intruder would, without our connection's habits."""
        with sa.create_engine(self.url, poolclass=sa.NullPool).begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def wipe(self):
        """Lose the database."""
        if self.database.path is not None:
            self.database.path.unlink()
        else:
            self.raw("DROP TABLE privacy_ledger_entries", "DROP TABLE privacy_ledger_artefacts")


@pytest.fixture
def ledger_home():
    """Makes ledgers at a given home and URL."""
    return LedgerPlace


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_place(request, tmp_path):
    """Makes ledgers on each database: each call returns a new, empty `LedgerPlace`."""
    number = iter(range(1000))
    database = request.getfixturevalue("postgres_database") if request.param == "postgresql" else None

    def create():
        home = tmp_path / f"home{next(number)}"
        return LedgerPlace(home, database() if database else f"sqlite:///{home / 'ledger' / 'ledger.sqlite'}")

    return create


@pytest.fixture
def place(ledger_place):
    """A new, empty ledger."""
    return ledger_place()


@pytest.fixture
def ask():
    """Makes requests: `ask(epsilon, ...)`."""
    from hrtech.privacy.ledger import Charge, ReleaseRequest, rho_of

    def request(epsilon=1.0, **changes):
        return ReleaseRequest(
            **{
                "population": "people",
                "study": "cases",
                "asset": "aggregates",
                "barrier": "differential-privacy",
                "mechanism": "marginals 1",
                "parameters": {"epsilon": epsilon},
                "inputs": {"records": "ab" * 32},
                "charge": Charge(rho_of(epsilon, 1e-6)),
                "purpose": "to learn",
                **changes,
            }
        )

    return request
