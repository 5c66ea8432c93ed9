"""A study: the base of every component, and the one helper through which every asset is built.

A component declares its settings as fields and its assets as small functions; this module gives each asset its
zone, store, group, owners, code version and data version, so that policy lives in one place. No science here, and
nothing about any one capability.
"""

import contextlib
import hashlib
import json
import re
import traceback
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import Field

from assets.settings import Settings
from hrtech.causal import EffectError
from hrtech.counts import EncodingError, TooManyCells
from hrtech.facts import FactError, ReportError
from hrtech.groups.question import GroupError
from hrtech.linkage import LinkageError
from hrtech.networks import NetworkError
from hrtech.pages import PageError
from hrtech.patterns.declared import PatternsError
from hrtech.privacy import LedgerError, PopulationError
from hrtech.quality import QualityError
from hrtech.release.declared import ReleaseError
from hrtech.sources import SourceError
from hrtech.tables import TableError, content_version
from hrtech.zones import Barrier, Zone
from resources.home import HomeError, hrtech_home, require_persistent
from resources.keys import KeyFileError, read_or_create_key
from resources.lake import COLUMN_SCHEMA
from resources.lake_files import LakeError
from resources.publisher import ApprovalMissing


class StudyNameError(ValueError):
    """A study's folder has a name that its tables and facts cannot have; the message says which they can."""


#: Errors whose message is for the user; each module promises that it holds no value of a restricted table.
REFUSALS = (
    StudyNameError,
    SourceError,
    QualityError,
    TableError,
    EncodingError,
    TooManyCells,
    LedgerError,
    PopulationError,
    ReleaseError,
    LinkageError,
    NetworkError,
    EffectError,
    GroupError,
    PatternsError,
    FactError,
    ReportError,
    PageError,
    LakeError,
    HomeError,
    KeyFileError,
    ApprovalMissing,
)

#: Follow the data, not the clock: run again when an input's content changed, never because it was made again.
FOLLOW_DATA = (
    dg.AutomationCondition.any_deps_match(dg.AutomationCondition.data_version_changed()).since_last_handled()
    & ~dg.AutomationCondition.any_deps_missing()
    & ~dg.AutomationCondition.in_progress()
).with_label("input data changed")


class Study(dg.Component, Settings):
    """What every study declares, whatever its capability."""

    title: str = Field(
        description="What this study is, in a few words for the reader of a page.", max_length=200
    )
    owners: list[str] = Field(
        default=["team:data-keepers"],
        description="Who answers for this study: e-mail addresses, or team names as team:NAME.",
        min_length=1,
    )
    simulated: bool = Field(
        default=False,
        description="True only if every input comes from the generator. A standing approval may then publish it.",
    )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build the assets and checks of the study that lies in the folder of this context."""
        study = context.path.name if context.path.is_dir() else context.path.parent.name
        check_study_name(study)
        return self.definitions(study, context)

    @abstractmethod
    def definitions(self, study: str, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build the assets and checks of the study named `study`; every component says how."""

    def assets(self, study: str) -> "StudyAssets":
        """Return the helper that builds this study's assets."""
        return StudyAssets(study=study, owners=self.owners, simulated=self.simulated)


@dataclass(frozen=True)
class Made:
    """What an asset function may return instead of a bare frame.

    Attributes:
        frame: The table.
        metadata: Shown in the UI; counts and column names of restricted assets, never values.
        data_version: A release's key; by default the keyed hash of the content.
        tags: Written on the materialization.
    """

    frame: pd.DataFrame
    metadata: Mapping[str, Any] = field(default_factory=dict)
    data_version: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Output:
    """One table that an asset function makes.

    Attributes:
        name: Noun; the asset key is `<study>/<name>`.
        description: The sentence that a reader sees in the UI.
        about_entities: It holds matches, flags or scores about identifiable persons or firms.
        fresh_within_days: The UI marks it as late when it was not made for this long.
        columns: Column → type and meaning, as readers of the UI see them.
    """

    name: str
    description: str
    about_entities: bool = False
    fresh_within_days: int | None = None
    columns: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def freshness(self) -> dg.FreshnessPolicy | None:
        """The promise to readers as Dagster knows it."""
        days = self.fresh_within_days
        return None if days is None else dg.FreshnessPolicy.time_window(fail_window=timedelta(days=days))

    @property
    def schema(self) -> dict[str, dg.TableSchema]:
        """The columns as Dagster knows them; the store adds the types that it finds."""
        named = [dg.TableColumn(name, kind, words) for name, (kind, words) in self.columns.items()]
        return {COLUMN_SCHEMA: dg.TableSchema(columns=named)} if named else {}


def check_study_name(study: str) -> None:
    """Refuse a name before anything runs: a release would be charged, and then not be told.

    Raises:
        StudyNameError: It is not written in lower-case letters, digits and underscores.
    """
    if not re.fullmatch(r"[a-z0-9_]+", study):
        raise StudyNameError(
            f"'{study}' cannot name a study. Use lower-case letters, digits and underscores for its folder, such as "
            "our_cases"
        )


def key_of(name: str, study: str | None = None) -> dg.AssetKey:
    """Read `study/noun`, or a bare noun of `study`, as an asset key."""
    parts = name.split("/")
    return dg.AssetKey(parts if len(parts) > 1 or study is None else [study, *parts])


def version_of(settings: Any, mechanism: str | None = None) -> str:
    """Code version of an asset: a hash of its settings and of the library version.

    That of a release holds the declared version of its mechanism instead of the library's: a refactor must not
    spend privacy.
    """
    canonical = json.dumps(settings, sort_keys=True, default=_plain)
    digest = hashlib.sha256(f"{mechanism or version('hrtech-dagster')}\n{canonical}".encode()).hexdigest()[
        :16
    ]
    return f"{mechanism}+{digest}" if mechanism else digest


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump()
    if isinstance(value, set | frozenset):
        return sorted(value)
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    return str(value)


@dataclass
class StudyAssets:
    """Builds the assets of one study and collects them.

    Attributes:
        study: Name of the study; first part of each asset key and the group in the UI.
        owners: Who answers for them.
        simulated: Every input comes from the generator.
    """

    study: str
    owners: Sequence[str]
    simulated: bool = False
    made: list[Any] = field(default_factory=list)
    checks: list[Any] = field(default_factory=list)

    def key(self, name: str) -> dg.AssetKey:
        """Asset key of a noun of this study, or of `other_study/noun`."""
        return key_of(name, self.study)

    def asset(
        self,
        *outputs: Output,
        zone: Zone,
        inputs: Mapping[str, str] | None = None,
        after: Sequence[str] = (),
        settings: Any = None,
        kinds: Sequence[str] = ("pandas",),
        barrier: Barrier | None = None,
        mechanism: str | None = None,
        resources: Sequence[str] = (),
        generator: bool = False,
        publishes: bool = False,
        one_by_one: bool = False,
        metadata: Mapping[str, Any] | None = None,
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Build the asset, or the assets, that one function makes.

        The function takes the run's context and its inputs as data frames by name. It returns a frame or a
        `Made` for one output, a mapping from noun to those for several.

        Args:
            outputs: The tables that it makes.
            zone: Their zone, and so their store.
            inputs: Argument name → asset key (`noun` of this study or `study/noun`).
            after: Assets that must exist first but are not handed over as frames.
            settings: What the result depends on besides its inputs; hashed into the code version.
            kinds: Tags for the UI.
            barrier: Disclosure mechanism that lets the zone drop.
            mechanism: Declared version of a release's mechanism, in place of the library's in the code version.
            resources: Names of further resources; the function finds them at `context.resources`.
            generator: Made from a seed by the generator.
            publishes: Making it is an act of publishing.
            one_by_one: A barrier that releases what is about entities, each by an approval of its own.
            metadata: Static metadata of the definition.
        """
        given = dict(inputs or {})
        needs = {*resources, *(("privacy_ledger",) if barrier else ())}
        code_version = version_of([settings, [output.name for output in outputs]], mechanism)
        tags = {
            "hrtech/zone": zone,
            **({"hrtech/barrier": barrier} if barrier else {}),
            **({"hrtech/simulated": "true"} if self.simulated or generator else {}),
            **({"hrtech/generator": "true"} if generator else {}),
            **({"hrtech/publishes": "true"} if publishes else {}),
            **({"hrtech/one-by-one": "true"} if one_by_one else {}),
        }
        deps = [self.key(name) for name in [*given.values(), *after]]
        specs = [
            dg.AssetSpec(
                self.key(output.name),
                deps=deps,
                description=output.description,
                metadata={**(metadata or {}), **output.schema},
                group_name=self.study,
                owners=list(self.owners),
                kinds=set(kinds),
                code_version=code_version,
                freshness_policy=output.freshness,
                tags={**tags, **({"hrtech/about": "entities"} if output.about_entities else {})},
                automation_condition=None if publishes or not deps else FOLLOW_DATA,
            ).with_io_manager_key(zone)
            for output in outputs
        ]
        names = [output.name for output in outputs]

        def build(function: Callable[..., Any]) -> Callable[..., Any]:
            @dg.multi_asset(
                name=f"{self.study}__{'__'.join(names)}"[:200],
                specs=specs,
                ins={argument: dg.AssetIn(self.key(name)) for argument, name in given.items()},
                required_resource_keys=needs,
                pool="privacy_ledger" if barrier else None,
            )
            def compute(context: dg.AssetExecutionContext, **frames):
                with refusals_told():
                    require_persistent(context.instance)
                    result = function(context, **frames)
                    results = {names[0]: result} if len(names) == 1 else result
                    made = [_materialized(self.key(name), results[name], tags) for name in names]
                yield from made

            self.made.append(compute)
            return function

        return build

    def definitions(self) -> dg.Definitions:
        """Return what was built."""
        return dg.Definitions(assets=self.made, asset_checks=self.checks)


@contextlib.contextmanager
def refusals_told() -> Iterator[None]:
    """Turn a refusal of ours into a failure that says why and is not tried again.

    Messages of these types are written for the user and hold no value of any cell. The text of any other error may
    hold one, so only its type and the places that it passed are told.
    """
    try:
        yield
    except REFUSALS as refusal:
        raise dg.Failure(description=str(refusal), allow_retries=False) from None
    except Exception as error:
        places = [
            f"{Path(at.filename).name}:{at.lineno} {at.name}"
            for at in traceback.extract_tb(error.__traceback__)
        ]
        raise dg.Failure(
            description=f"{type(error).__name__} at {' > '.join(places[-6:])}. Its message is withheld, because it may "
            "hold a value of a restricted table. Please report the type and the places."
        ) from None


def _materialized(key: dg.AssetKey, result: Any, tags: Mapping[str, str]) -> dg.MaterializeResult:
    made = result if isinstance(result, Made) else Made(result)
    if not isinstance(made.frame, pd.DataFrame):
        raise TableError(
            f"{key.to_user_string()} returned a {type(made.frame).__qualname__}. Return a pandas data frame."
        )
    return dg.MaterializeResult(
        asset_key=key,
        value=made.frame,
        data_version=dg.DataVersion(made.data_version or data_version(made.frame)),
        metadata=dict(made.metadata),
        tags={**tags, **made.tags},  # kept on the event: lineage is read from the log alone
    )


def version_key(home: Path | None = None) -> bytes:
    """Key of the content hashes: a bare hash of a small restricted table could be guessed."""
    return read_or_create_key((home or hrtech_home()) / "keys" / "version.key")


def data_version(frame: pd.DataFrame) -> str:
    """Keyed hash of a frame's content: the same data is the same version, whenever it was made."""
    return content_version(frame, version_key())
