"""Helpers that lie beside this file: `tests` is no package."""

import importlib.util
import sys
from pathlib import Path


def _helper(name):
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


_helper("release_worlds")
