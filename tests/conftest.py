"""Shared by all tests: a home of its own for each, and no skipped test where CI says so."""

import os

import pytest

# what whoever runs the tests has set says nothing about what they test
for _name in [name for name in os.environ if name.startswith(("HRTECH_", "DAGSTER_"))]:
    if _name not in ("HRTECH_NO_SKIPS", "DAGSTER_DISABLE_TELEMETRY"):
        del os.environ[_name]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A fresh HRTECH_HOME with its Dagster home."""
    from resources.home import prepare_home

    folder = tmp_path / "home"
    monkeypatch.setenv("HRTECH_HOME", str(folder))
    monkeypatch.setenv("DAGSTER_HOME", str(folder / "dagster"))
    return prepare_home(folder, (_package() / "dagster.yaml").read_text(encoding="utf-8"))


def _package():
    from importlib.resources import files

    return files("hrtech_dagster")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    """Fail a run with a skipped test where HRTECH_NO_SKIPS is set: CI installs whatever a test needs."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("HRTECH_NO_SKIPS") and reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line("Skipped tests are failures here (HRTECH_NO_SKIPS).", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
