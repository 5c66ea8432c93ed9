"""A dg project in a temporary folder, the way an organisation has one, run in this process.

Loaded by path (`tests` is no package): see `conftest.py` beside it.
"""

import itertools
import sys
from pathlib import Path

import dagster as dg
import yaml

_numbers = itertools.count(1)

PYPROJECT = """\
[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "{package}"
code_location_name = "{package}"
registry_modules = ["assets"]
"""

DEFINITIONS = """\
import dagster as dg
from hrtech_dagster.location import code_location

@dg.definitions
def defs() -> dg.Definitions:
    return code_location(__file__)
"""

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

WORLD = {"title": "A small world", "size": "tiny", "seed": 7, "simulated": True}


class Project:
    """Writes studies and policy files, loads them through `code_location`, and runs them.

    Attributes:
        folder: Project folder, with pyproject.toml.
        package: Name of its package, unused by any other in this process.
    """

    def __init__(self, folder: Path):
        self.package = f"studies_of_test_{next(_numbers)}"
        self.folder = folder
        self.root = folder / self.package
        for sub in ("defs", "policy/populations", "policy/approvals"):
            (self.root / sub).mkdir(parents=True)
        (folder / "pyproject.toml").write_text(PYPROJECT.format(package=self.package), encoding="utf-8")
        (self.root / "__init__.py").touch()
        (self.root / "definitions.py").write_text(DEFINITIONS, encoding="utf-8")
        self.population("people")

    @property
    def module(self) -> str:
        """Module that `demo -m` and `dg` load."""
        return f"{self.package}.definitions"

    def population(self, name: str, *, epsilon: float = 8.0, people: str = "", **more) -> None:
        """Write a population's file."""
        self._yaml(
            self.root / "policy" / "populations" / f"{name}.yaml",
            {
                "name": name,
                "people": people or f"Everyone in the test called {name}",
                "unit": "person",
                "epsilon": epsilon,
                "delta": 1e-5,
                "may_raise": ["the data officer"],
                "approve_above": 20.0,
                "aliases": [],
                **more,
            },
        )

    def approve(self, study: str, **approval) -> None:
        """Write an approval."""
        self._yaml(
            self.root / "policy" / "approvals" / f"{study}.yaml",
            {"study": study, "approved_by": "A reviewer", "approved_on": "2026-01-05", **approval},
        )

    def study(self, name: str, component: str, **attributes) -> None:
        """Write a study's defs.yaml, or replace it."""
        self._yaml(
            self.root / "defs" / name / "defs.yaml",
            {"type": f"assets.{component}", "attributes": {"title": name.replace("_", " "), **attributes}},
        )

    def code(self, name: str, text: str) -> None:
        """Write a study that is Python code."""
        path = self.root / "defs" / name / "definitions.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def file(self, name: str, text: str, encoding: str = "utf-8") -> Path:
        """Write a data file into the project folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding=encoding)
        return path

    def load(self) -> dg.Definitions:
        """Load the studies as they are now."""
        from hrtech_dagster.location import code_location

        if str(self.folder) not in sys.path:
            sys.path.insert(0, str(self.folder))
        return code_location(str(self.root / "definitions.py"))

    def run(self, *assets: str, defs: dg.Definitions | None = None) -> dg.ExecuteInProcessResult:
        """Materialise assets (`study`, `study/noun`; all by default, and what one
        step makes with them) in one run on the home's lasting instance."""
        defs = defs or self.load()
        graph = defs.resolve_asset_graph()
        wanted = {
            together
            for key in graph.materializable_asset_keys
            if not assets or key.to_user_string() in assets or key.path[0] in assets
            for together in graph.get(key).execution_set_asset_keys
        }
        with dg.DagsterInstance.get() as instance:
            return defs.resolve_implicit_global_asset_job_def().execute_in_process(
                instance=instance, asset_selection=sorted(wanted), run_config=QUIET, raise_on_error=False
            )

    def stale(self, defs: dg.Definitions | None = None) -> dict[str, str]:
        """Name what is out of date, and why."""
        from hrtech_dagster.staleness import stale_assets

        with dg.DagsterInstance.get() as instance:
            found = stale_assets(defs or self.load(), instance)
        return {key.to_user_string(): why for key, why in found.items()}

    @staticmethod
    def _yaml(path: Path, content) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")


def materialised(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetMaterialization]:
    """Map each asset that a run made to its event."""
    return {
        event.asset_key.to_user_string(): event.materialization
        for event in result.all_events
        if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION
    }


def versions(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Map each asset that a run made to its data version."""
    return {name: made.tags["dagster/data_version"] for name, made in materialised(result).items()}


def failures(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Map each step that failed to what its author is told."""
    told = {}
    for event in result.all_events:
        if event.event_type == dg.DagsterEventType.STEP_FAILURE:
            data = event.step_failure_data
            told[event.step_key] = (
                data.user_failure_data and data.user_failure_data.description
            ) or data.error_display_string
    return told


def plain(metadata) -> dict:
    """Return metadata with its wrappers taken off."""
    return {name: getattr(value, "value", value) for name, value in metadata.items()}
