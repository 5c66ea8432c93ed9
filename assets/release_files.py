"""The files that a release gives out, as a released table of the study: what an evidence site offers for download."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg
import pandas as pd

from assets.study import Made, Output, StudyAssets
from hrtech.pages.downloads import NOUN
from hrtech.release.declared import ReleaseColumn
from hrtech.release.formats import files_table, release_files
from hrtech.sources import CodebookLabels

#: What a release says of itself: its columns with all their values, and its terms as `release_files` takes them.
Stated = tuple[Sequence[ReleaseColumn], Mapping[str, Any]]


def add_release_files(
    assets: StudyAssets,
    *,
    title: str,
    stated: Callable[[pd.DataFrame, pd.DataFrame], Stated],
    synthetic_records: bool,
    description: str = "",
    licence: str = "",
    organisation: str = "",
    labels: CodebookLabels | None = None,
) -> None:
    """Add the asset `files` to a study that has the released tables `aggregates`, `terms` and `synthetic_records`.

    It reads released tables only, so it costs no privacy, and an `EvidenceSite` over the study offers what is in it.

    Args:
        assets: The study's assets.
        title: Title of the study.
        stated: `(aggregates, terms)` as they lie in the lake → columns and terms.
        synthetic_records: The study has synthetic records.
        description: What the data are about.
        licence: Identifier of a licence, or a sentence on the terms of use.
        organisation: Who releases them.
        labels: What columns and values mean, from the codebook.
    """
    nouns = ("aggregates", "terms", *(("synthetic_records",) if synthetic_records else ()))

    @assets.asset(
        Output(
            NOUN, "The release as files: tables, data dictionary, and descriptions for portals and archives."
        ),
        zone="released",
        inputs={noun: noun for noun in nouns},
        settings=[title, description, licence, organisation, labels],
        kinds=("csv", "parquet"),
    )
    def files(context, aggregates, terms, synthetic_records=None):
        """Write the release in every format."""
        columns, promised = stated(aggregates, terms)
        made = release_files(
            name=assets.study,
            title=title,
            description=description,
            licence=licence,
            organisation=organisation,
            columns=columns,
            aggregates=aggregates,
            synthetic_records=synthetic_records,
            terms=promised,
            labels=labels,
        )
        return Made(files_table(made), metadata={"files": list(made), "bytes": sum(map(len, made.values()))})


def gives(study: str, noun: str, context: dg.ComponentLoadContext) -> bool:
    """Whether a study of this project has an asset, such as `files`.

    Args:
        study: The study, which is the name of its folder under `defs/`.
        noun: Noun of the asset.
        context: Context in which another study of the project is built.
    """
    key = dg.AssetKey([study, noun])
    folders = [path for path in context.component_tree.defs_module_path.rglob(study) if path.is_dir()]
    nearest = sorted(folders, key=lambda path: (len(path.parts), path))[:1]
    return any(key in _keys(context.build_defs(folder)) for folder in nearest)


def _keys(defs: dg.Definitions) -> set[dg.AssetKey]:
    return {
        key
        for asset in defs.assets or ()
        for key in (asset.keys if isinstance(asset, dg.AssetsDefinition) else [getattr(asset, "key", None)])
    }
