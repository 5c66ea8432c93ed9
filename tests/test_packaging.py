"""The project's files agree with each other: code location, packages, contracts, pinned versions."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DG = PROJECT["tool"]["dg"]["project"]
FLOORS = ["hrtech", "resources", "assets", "hrtech_dagster"]


def test_both_front_doors_open_the_same_code_location():
    """`dg` reads pyproject.toml, other tools workspace.yaml; where both stand, pyproject.toml wins silently."""
    (entry,) = yaml.safe_load((ROOT / "workspace.yaml").read_text(encoding="utf-8"))["load_from"]
    assert entry["python_module"]["module_name"] == DG.get(
        "code_location_target_module", f"{DG['root_module']}.definitions"
    )
    assert entry["python_module"]["location_name"] == DG.get("code_location_name", DG["root_module"])
    assert "dagster" not in PROJECT["tool"], "[tool.dagster] would name a third code location"


@pytest.mark.parametrize("floor", FLOORS)
def test_the_package_found_on_import_is_ours(floor):
    """`assets` and `resources` are common names; another package of that name must not be loaded instead."""
    found = importlib.util.find_spec(floor)
    assert found is not None
    assert Path(str(found.origin)).resolve() == ROOT / floor / "__init__.py"


@pytest.mark.parametrize("module", DG["registry_modules"])
def test_modules_with_components_are_packaged(module):
    assert module in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


def test_packages_contracts_and_types_name_the_same_floors():
    tool = PROJECT["tool"]
    assert tool["hatch"]["build"]["targets"]["wheel"]["packages"] == FLOORS
    assert tool["importlinter"]["root_packages"] == FLOORS
    layers = [contract for contract in tool["importlinter"]["contracts"] if contract["type"] == "layers"]
    assert [contract["layers"] for contract in layers] == [FLOORS[::-1]]
    assert set(tool["mypy"]["files"]) == {"hrtech", "resources"}
    assert set(FLOORS) <= set(tool["hatch"]["build"]["targets"]["sdist"]["only-include"])


def test_every_folder_of_a_floor_is_a_package():
    for floor in FLOORS:
        for path in (ROOT / floor).rglob("*.py"):
            folders = path.relative_to(ROOT).parents
            missing = [str(f) for f in folders if f.name and not (ROOT / f / "__init__.py").exists()]
            if "defs" not in path.parts:
                assert not missing, f"{path.relative_to(ROOT)} lies in folders without __init__.py: {missing}"


def pins() -> dict[str, list[Requirement]]:
    found: dict[str, list[Requirement]] = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        text = line.split("#")[0].strip()
        if text:
            requirement = Requirement(text)
            found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def direct() -> list[Requirement]:
    own = PROJECT["project"]
    extras = own["optional-dependencies"].values()
    lines = [
        *own["dependencies"],
        *(line for extra in extras for line in extra),
        *PROJECT["build-system"]["requires"],
    ]
    wanted = [Requirement(line) for line in lines]
    # of alternatives per Python version, the one that this Python takes
    return [
        requirement
        for requirement in wanted
        if canonicalize_name(requirement.name) != own["name"]
        and (requirement.marker is None or requirement.marker.evaluate())
    ]


def test_constraints_hold_names_and_versions_only():
    for name, requirements in pins().items():
        for requirement in requirements:
            assert requirement.url is None, f"{name} names an address"
            assert [s.operator for s in requirement.specifier] == ["=="], f"{name} is not pinned"
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert not re.search(r"://|^\s*-|@", text, re.MULTILINE)


def test_every_direct_dependency_is_pinned_within_its_bounds():
    pinned = pins()
    for requirement in direct():
        versions = pinned.get(canonicalize_name(requirement.name))
        assert versions, f"{requirement.name} is not in constraints.txt"
        fitting = [
            pin
            for pin in versions
            if (pin.marker is None or pin.marker.evaluate())
            and requirement.specifier.contains(next(iter(pin.specifier)).version, prereleases=True)
        ]
        assert fitting, f"{requirement.name} is pinned outside of {requirement.specifier}"
