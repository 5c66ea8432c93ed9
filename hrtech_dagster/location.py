"""Builds a code location from a folder of studies: assets, stores, jobs, schedules and sensors, checked as one graph.

The demo's `definitions.py` and that of an organisation's own workspace are both one call of `code_location`. What
belongs to one study is in its YAML; what belongs to one capability is in its component.
"""

import logging
import os
from pathlib import Path

import dagster as dg

from assets.release import ALSO_POPULATION, POPULATION
from hrtech.privacy import PopulationUnknown
from hrtech.privacy.populations import find_population, load_populations
from hrtech.zones import Node, check_zones
from hrtech_dagster.jobs import jobs
from hrtech_dagster.load_errors import StudyError, load_errors_told
from hrtech_dagster.schedules import schedules
from hrtech_dagster.sensors import sensors
from resources.compute import executor
from resources.lake import lake_resources
from resources.language_model import read_endpoints
from resources.privacy_ledger import PrivacyLedger
from resources.publisher import Publisher

STORE_KEY = "dagster/io_manager_key"


def code_location(definitions_file: str) -> dg.Definitions:
    """Load the studies beside a `definitions.py` and refuse a graph that could leak.

    Args:
        definitions_file: `__file__` of the `definitions.py`; its folder holds `defs/` (one folder a study) and
            `policy/` (populations, approvals, language models).

    Raises:
        StudyError: The settings of a study or a policy file are wrong, or a study breaks a rule of the zones.
    """
    with load_errors_told():
        withhold_error_messages()
        return _load(definitions_file)


def _load(definitions_file: str) -> dg.Definitions:
    folder = Path(definitions_file).resolve().parent
    studies = dg.load_from_defs_folder(path_within_project=Path(definitions_file).resolve())
    policy = folder / "policy"
    defs = dg.Definitions.merge(
        studies,
        dg.Definitions(
            resources={
                **lake_resources(base=os.environ.get("HRTECH_LAKE") or None),
                "privacy_ledger": PrivacyLedger(
                    url=os.environ.get("HRTECH_LEDGER_URL", ""), populations=str(policy / "populations")
                ),
                "publisher": Publisher(approvals=str(policy / "approvals")),
            },
            executor=executor(),
        ),
    )
    check_inputs(defs)
    check_zones(nodes_of(defs))
    check_populations(defs, policy / "populations")
    read_endpoints(policy / "language_models.yaml")  # a policy that grants too much does not load
    groups = sorted({spec.group_name for spec in defs.resolve_all_asset_specs() if spec.group_name})
    return dg.Definitions.merge(
        defs,
        dg.Definitions(jobs=jobs(groups), schedules=schedules(), sensors=sensors(defs)),
    )


def withhold_error_messages() -> None:
    """Keep the text of unexpected errors out of Dagster's event log and off the terminal: it may quote a cell.

    Assets built with `StudyAssets` withhold it themselves; this covers a study's own Python code. To see it while
    working on such code with harmless data, export DAGSTER_REDACT_USER_CODE_ERRORS=0.
    """
    os.environ.setdefault("DAGSTER_REDACT_USER_CODE_ERRORS", "1")
    # Dagster writes here, in full, what it masked in the event log
    masked = logging.getLogger(
        os.environ.get("DAGSTER_REDACTED_ERROR_LOGGER_NAME", "dagster.redacted_errors")
    )
    masked.propagate = False
    if not masked.handlers:
        masked.addHandler(logging.NullHandler())


def check_inputs(defs: dg.Definitions) -> None:
    """Refuse a study that reads a table which no study makes: Dagster's own error does not say who reads it.

    Raises:
        StudyError: With the study, the table, and the tables that there are in the study it names.
    """
    # not the resolved specs: resolving is what raises Dagster's error
    specs = [spec for asset in _assets(defs) for spec in asset.specs]
    external = [asset for asset in defs.assets or [] if isinstance(asset, dg.AssetSpec | dg.SourceAsset)]
    made = {spec.key for spec in (*specs, *external)}
    for spec in sorted(specs, key=lambda spec: spec.key):
        for key in sorted(dep.asset_key for dep in spec.deps if dep.asset_key not in made):
            there = sorted(other.path[-1] for other in made if other.path[:-1] == key.path[:-1])
            raise StudyError(
                f"Study {spec.key.path[0]} reads {key.to_user_string()}, which no study makes. "
                + (f"{key.path[0]} makes {', '.join(there)}" if there else f"There is no study {key.path[0]}")
                + ". Correct the name in its defs.yaml, or add what makes the table"
            )


def check_populations(defs: dg.Definitions, folder: Path) -> None:
    """Refuse a release whose population is in no policy file, and a policy file that cannot be read.

    Raises:
        hrtech.privacy.PopulationError: With the file and field, or with the study and the names that are known.
    """
    paid_by = {
        (spec.key.path[0], str(getattr(name, "value", name)))
        for spec in defs.resolve_all_asset_specs()
        for key in (POPULATION, ALSO_POPULATION)
        if (name := spec.metadata.get(key)) is not None
    }
    if not paid_by:
        return
    populations = load_populations(folder)
    for study, name in sorted(paid_by):
        try:
            find_population(populations, name)
        except PopulationUnknown as error:
            raise PopulationUnknown(f"Study {study}, setting population: {error}") from None


def nodes_of(defs: dg.Definitions) -> list[Node]:
    """Describe every asset of the graph as the zone rules see it."""
    graph = defs.resolve_asset_graph()
    held = {
        key: frozenset(definition.required_resource_keys)
        for definition in _assets(defs)
        for key in definition.keys
    }
    nodes = []
    for key in graph.get_all_asset_keys():
        asset = graph.get(key)
        store = asset.metadata.get(STORE_KEY)
        name = getattr(store, "value", store)
        nodes.append(
            Node(
                key=key.to_user_string(),
                zone=asset.tags.get("hrtech/zone"),
                barrier=asset.tags.get("hrtech/barrier"),
                parents=tuple(sorted(parent.to_user_string() for parent in asset.parent_keys)),
                resources=held.get(key, frozenset()) - {name},
                store=name if asset.is_materializable else None,
                about_entities=asset.tags.get("hrtech/about") == "entities",
                one_by_one=asset.tags.get("hrtech/one-by-one") == "true",
                publishes=asset.tags.get("hrtech/publishes") == "true",
                simulated=asset.tags.get("hrtech/simulated") == "true",
                generator=asset.tags.get("hrtech/generator") == "true",
                code_version=asset.code_version,
            )
        )
    return nodes


def _assets(defs: dg.Definitions) -> list[dg.AssetsDefinition]:
    return [asset for asset in defs.assets or [] if isinstance(asset, dg.AssetsDefinition)]
