"""`python -m hrtech_dagster.workspace DIR`: a small dg project for an organisation's own studies.

Settings about sensitive data then live with the organisation and are never committed to this repository. The
project loads our components from the installed package; upgrading is a matter of upgrading that.
"""

import argparse
import re
import sys
from pathlib import Path

from hrtech_dagster.demo import instance_settings
from resources.home import prepare_home

PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.27,<2"]
build-backend = "hatchling.build"

[project]
name = "{project}"
version = "0.1.0"
requires-python = ">=3.11,<3.14"
dependencies = ["hrtech-dagster"]

[tool.hatch.build.targets.wheel]
packages = ["{package}"]

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "{package}"
code_location_name = "{project}"
registry_modules = ["assets"]
"""

DEFINITIONS = '''\
"""The studies under defs/, with the policy beside them."""
from hrtech_dagster.location import code_location
defs = code_location(__file__)
'''

WORKSPACE = """\
# The same code location as [tool.dg] in pyproject.toml.
load_from:
  - python_module:
      module_name: {package}.definitions
      location_name: {project}
"""

POPULATION = """\
# People whose privacy is accounted for together. One file a population; the file's name is the population's.
# A change here is a reviewed act: keep this folder under version control and have a second person read it.
name: our_people
people: Everyone who may be in the records of this organisation.   # say who, in words
unit: person          # what one unit of privacy is
epsilon: 4.0          # budget over every release ever made
delta: 1.0e-6         # well below one over the number of people
may_raise: [the data-protection officer]
approve_above: 2.0    # a release above this epsilon needs two named approvers
aliases: []           # other names for the same people, so that nobody is given a second budget
"""

ENVIRONMENT = """\
HRTECH_HOME={home}
DAGSTER_HOME={home}/dagster
DAGSTER_DISABLE_TELEMETRY=1
DAGSTER_REDACT_USER_CODE_ERRORS=1
"""

README = """\
# {project}

Studies on our own data, built on hrtech_dagster. Work in this folder with its environment active:

    source {activate}
    dg scaffold defs assets.CaseRelease our_cases --source cases.csv
    dg check yaml && dg check defs
    dg launch --assets 'group:"our_cases"'
    python -m hrtech_dagster.serve        # the Dagster UI and the restricted pages

`{package}/defs/` holds one folder a study, `{package}/policy/` the populations with their privacy budgets and the
approvals of what is published. All state, the encrypted records and keys included, is in `var/`: back it up, never
commit it.
"""


class WorkspaceError(ValueError):
    """The folder cannot become a workspace; the message says why."""


def create_workspace(folder: Path) -> Path:
    """Write a workspace into a new or empty folder.

    Args:
        folder: Where; its name, in lower case with underscores, becomes the package's.

    Returns:
        The folder.

    Raises:
        WorkspaceError: The folder is not empty, or its name cannot be a Python package's.
    """
    folder = folder.expanduser().resolve()
    package = re.sub(r"[^a-z0-9_]", "_", folder.name.lower())
    if not package.isidentifier() or package in {"assets", "resources", "hrtech", "hrtech_dagster"}:
        raise WorkspaceError(f"{folder.name!r} cannot name a workspace: use letters, digits and underscores.")
    if folder.exists() and any(folder.iterdir()):
        raise WorkspaceError(f"{folder} is not empty. Name a new folder: nothing of yours is overwritten.")
    home = folder / "var"
    texts = {
        "pyproject.toml": PYPROJECT,
        "workspace.yaml": WORKSPACE,
        "README.md": README,
        ".env": ENVIRONMENT,
        ".gitignore": "var/\n.env\n__pycache__/\n",
        f"{package}/__init__.py": "",
        f"{package}/definitions.py": DEFINITIONS,
        f"{package}/defs/.gitkeep": "",
        f"{package}/policy/populations/our_people.yaml": POPULATION,
        f"{package}/policy/approvals/.gitkeep": "",
    }
    words = {
        "project": package,
        "package": package,
        "home": home,
        "activate": Path(sys.prefix) / "bin" / "activate",
    }
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(**words) if text is not POPULATION else text, encoding="utf-8")
    prepare_home(home, instance_settings())
    return folder


def main(arguments: list[str] | None = None) -> int:
    """Create a workspace and say what to do next; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m hrtech_dagster.workspace", description=__doc__)
    parser.add_argument("folder", type=Path, help="a new or empty folder")
    options = parser.parse_args(arguments)
    try:
        folder = create_workspace(options.folder)
    except WorkspaceError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"Made {folder}. Next:")
    print(f"  source {Path(sys.prefix) / 'bin' / 'activate'}")
    print(f"  cd {folder}")
    print("  dg scaffold defs assets.CaseRelease our_cases --source /path/to/cases.csv")
    print("  dg check yaml && dg check defs")
    print("The comments in the defs.yaml that this writes say what to decide; README.md says the rest.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
