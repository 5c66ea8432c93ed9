"""Where the numbers of a page come from: asset, run, release, ledger row.

Here: reading the table of lineage, the walk from a fact's asset to the releases that it stands on, and the refusal to
publish what is restricted.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from hrtech.pages.errors import PageError
from hrtech.zones import HEIGHT

LINEAGE_COLUMNS: Final = (
    "asset",
    "zone",
    "barrier",
    "promise",
    "run_id",
    "materialized_at",
    "data_version",
    "parents",
    "population",
    "epsilon",
    "delta",
    "release_key",
    "ledger_sequence",
    "ledger_head",
)


@dataclass(frozen=True)
class Origin:
    """One asset as the pages name it: a row of the table of lineage. Texts are empty where nothing is known."""

    asset: str
    zone: str
    barrier: str = ""
    promise: str = ""
    run_id: str = ""
    materialized_at: str = ""
    data_version: str = ""
    parents: tuple[str, ...] = ()
    population: str = ""
    epsilon: float | None = None
    delta: float | None = None
    release_key: str = ""
    ledger_sequence: int | None = None
    ledger_head: str = ""

    @property
    def is_release(self) -> bool:
        """It came through a disclosure mechanism itself."""
        return bool(self.barrier)


@dataclass(frozen=True)
class Spent:
    """Privacy spent on one population by the releases of a page.

    Attributes:
        population: The population.
        epsilon: Sum over its releases, which bounds their joint ε from above (basic composition, Dwork and Roth 2014,
            theorem 3.16); the ledger's own accounting is tighter.
        delta: Sum over its releases.
        releases: The releases, each once.
    """

    population: str
    epsilon: float
    delta: float
    releases: tuple[Origin, ...]


class Lineage:
    """The assets behind a page, by key."""

    def __init__(self, origins: Iterable[Origin]) -> None:
        self._origins: dict[str, Origin] = {}
        for origin in origins:
            if origin.zone not in HEIGHT:
                raise PageError(f"lineage: asset {origin.asset} has no zone")
            if origin.asset in self._origins:
                raise PageError(f"lineage: asset {origin.asset} is given twice")
            self._origins[origin.asset] = origin

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> "Lineage":
        """Read the table of lineage.

        Raises:
            PageError: A column is missing, or an asset has no zone or comes twice.
        """
        missing = [name for name in LINEAGE_COLUMNS if name not in frame.columns]
        if missing:
            raise PageError(f"the table of lineage needs the columns {', '.join(missing)}")
        return cls(
            _origin(dict(zip(LINEAGE_COLUMNS, row, strict=True)))
            for row in frame.loc[:, list(LINEAGE_COLUMNS)].itertuples(index=False, name=None)
        )

    def __getitem__(self, asset: str) -> Origin:
        return self._origins[asset]

    def __contains__(self, asset: object) -> bool:
        return asset in self._origins

    def __iter__(self) -> Iterator[Origin]:
        return iter(self._origins.values())

    def upstream(self, assets: Iterable[str]) -> list[Origin]:
        """The assets and all that they stand on, parents first, in a fixed order."""
        ordered: dict[str, Origin] = {}
        entered: set[str] = set()
        stack = [(asset, False) for asset in sorted(set(assets), reverse=True)]
        while stack:
            asset, done = stack.pop()
            if done:
                ordered[asset] = self._origins[asset]
            elif asset in self._origins and asset not in entered:
                entered.add(asset)
                stack.append((asset, True))
                stack += [(parent, False) for parent in sorted(self._origins[asset].parents, reverse=True)]
        return list(ordered.values())

    def releases(self, assets: Iterable[str]) -> list[Origin]:
        """The releases that assets stand on: the nearest barrier on every path from the records."""
        return [origin for origin in self._open_side(assets) if origin.is_release]

    def spent(self, assets: Iterable[str]) -> list[Spent]:
        """Privacy spent per population by all releases upstream of assets; a reused release counts once."""
        found: dict[str, dict[str, Origin]] = {}
        for origin in self.upstream(assets):
            if origin.is_release and origin.population:
                releases = found.setdefault(origin.population, {})
                releases.setdefault(origin.release_key or origin.asset, origin)
        return [
            Spent(
                population,
                sum(origin.epsilon or 0.0 for origin in releases.values()),
                sum(origin.delta or 0.0 for origin in releases.values()),
                tuple(releases.values()),
            )
            for population, releases in sorted(found.items())
        ]

    def require_public(self, asset: str, who: str) -> None:
        """Check that an asset may be shown to everyone.

        Args:
            asset: Key of the asset.
            who: What shows it, for the message.

        Raises:
            PageError: It is not in the lineage, or it is restricted, or it stands on restricted data without a
                release between.
        """
        if asset not in self:
            raise PageError(f"{who} comes from {asset}, which is not in the lineage, so its zone is unknown")
        for origin in self._open_side([asset]):
            if origin.zone == "restricted":
                between = "" if origin.asset == asset else f" stands on {origin.asset}, which"
                raise PageError(
                    f"{who} comes from {asset}, which{between} is restricted. Public pages show what came through a "
                    "release; tell it from a released asset, or render it as casework."
                )

    def _open_side(self, assets: Iterable[str]) -> list[Origin]:
        """All assets that can be reached upwards without going through a release."""
        found: dict[str, Origin] = {}
        waiting = sorted(set(assets), reverse=True)
        while waiting:
            asset = waiting.pop()
            if asset in found or asset not in self._origins:
                continue
            origin = found[asset] = self._origins[asset]
            if not origin.is_release:
                waiting += sorted(origin.parents, reverse=True)
        return list(found.values())


def _origin(row: dict[str, Any]) -> Origin:
    parents = row.pop("parents")
    given = {name: None if pd.isna(value) else value for name, value in row.items()}
    sequence = given["ledger_sequence"]
    return Origin(
        asset=str(given["asset"] or ""),
        zone=str(given["zone"] or ""),
        barrier=str(given["barrier"] or ""),
        promise=str(given["promise"] or ""),
        run_id=str(given["run_id"] or ""),
        materialized_at=_moment(given["materialized_at"]),
        data_version=str(given["data_version"] or ""),
        parents=tuple(str(parent) for parent in parents) if _is_list(parents) else (),
        population=str(given["population"] or ""),
        epsilon=None if given["epsilon"] is None else float(given["epsilon"]),
        delta=None if given["delta"] is None else float(given["delta"]),
        release_key=str(given["release_key"] or ""),
        ledger_sequence=None if sequence is None else int(sequence),
        ledger_head=str(given["ledger_head"] or ""),
    )


def _is_list(value: object) -> bool:
    return hasattr(value, "__iter__") and not isinstance(value, str)


def _moment(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    moment = pd.Timestamp(value, unit="s") if isinstance(value, int | float) else pd.Timestamp(value)
    moment = moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")
    return moment.strftime("%Y-%m-%d %H:%M UTC")
