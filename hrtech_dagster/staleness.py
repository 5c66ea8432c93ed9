"""Which assets are out of date: never made, other settings, another file, or an input with other content.

The judgement is on content: an asset that was made again with the same data makes nothing stale.
"""

from collections.abc import Mapping

import dagster as dg

from assets.source import source_fingerprint
from hrtech_dagster.sensors import SOURCE
from resources.lineage import INPUT


def stale_assets(defs: dg.Definitions, instance: dg.DagsterInstance) -> dict[dg.AssetKey, str]:
    """Find the assets to run, in the order of the graph.

    Args:
        defs: The code location.
        instance: Instance with what was made before.

    Returns:
        Asset → why. An asset downstream of a stale one is stale too, because its input may change, and so are
        those that one step makes together with it.
    """
    graph = defs.resolve_asset_graph()
    found: dict[dg.AssetKey, str] = {}
    made = {key: _tags(instance, key) for key in graph.get_all_asset_keys()}
    for key in graph.toposorted_asset_keys:
        asset = graph.get(key)
        if not asset.is_materializable:
            continue
        parents = {parent: made[parent] for parent in asset.parent_keys}
        reason = _reason(made[key], asset.code_version, parents)
        path = asset.metadata.get(SOURCE)
        if reason is None and path is not None:
            version = source_fingerprint(str(getattr(path, "value", path)))
            if version is None or not version.startswith((made[key] or {}).get("hrtech/source", "?")):
                reason = "its file changed"
        stale_parent = next((parent for parent in sorted(asset.parent_keys) if parent in found), None)
        if reason is None and stale_parent is not None:
            reason = f"{stale_parent.to_user_string()} is out of date"
        if reason is not None:
            for sibling in sorted(asset.execution_set_asset_keys):
                found.setdefault(sibling, reason)
    return found


def _tags(instance: dg.DagsterInstance, key: dg.AssetKey) -> Mapping[str, str] | None:
    event = instance.get_latest_materialization_event(key)
    made = event.asset_materialization if event is not None else None
    return None if made is None else (made.tags or {})


def _reason(
    tags: Mapping[str, str] | None,
    code_version: str | None,
    parents: Mapping[dg.AssetKey, Mapping[str, str] | None],
) -> str | None:
    if tags is None:
        return "never made"
    if tags.get("dagster/code_version") != code_version:
        return "its settings or the library changed"
    for parent, parent_tags in sorted(parents.items()):
        now = (parent_tags or {}).get("dagster/data_version")
        if parent_tags is not None and tags.get(INPUT + parent.to_user_string()) != now:
            return f"{parent.to_user_string()} changed"
    return None
