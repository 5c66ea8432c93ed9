"""Projects of the tests' own, and the helpers beside this file."""

import importlib.util
import sys
from pathlib import Path

import pytest


def _helper(name):
    """Load a helper that lies beside this file: `tests` is no package."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


studies = _helper("studies")


@pytest.fixture
def project(home, tmp_path, monkeypatch):
    """An empty project, on a home of its own; what it puts on the path is taken off again."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    return studies.Project(tmp_path / "project")
