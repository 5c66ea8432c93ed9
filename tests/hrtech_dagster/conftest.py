"""The same temporary projects as the tests of `assets/`."""

import importlib.util
import sys
from pathlib import Path

import pytest


def _helper(path):
    name = path.stem
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


_here = Path(__file__).parent
studies = _helper(_here.parent / "assets" / "studies.py")
leaks = _helper(_here / "leaks.py")


@pytest.fixture
def project(home, tmp_path, monkeypatch):
    """An empty project, on a home of its own; what it puts on the path is taken off again."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    return studies.Project(tmp_path / "project")
