"""What a release of marginals gives out: published cells, the number of people, how they were made."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pandas as pd

from hrtech.privacy.marginals_declared import MarginalColumn


@dataclass(frozen=True)
class MarginalsRelease:
    """What was released, all of it public.

    Attributes:
        aggregates: published cells: ``length``, ``attributes`` (canonical text), ``count`` (consistent),
            ``low``, ``high`` (interval for the true count of the attributes that count), ``sd`` (of the
            noise). A cell that is not listed is suppressed, which is not the same as zero.
        people: noisy number of people, at least 0.
        people_low: lower end of its interval.
        people_high: upper end.
        people_sd: standard deviation of its noise.
        columns: the columns with their values, declared or measured.
        parameters: mechanism, settings, cap, noise scales, charge; plain JSON types.
        warnings: what a reader should know.
    """

    aggregates: pd.DataFrame
    people: int
    people_low: int
    people_high: int
    people_sd: float
    columns: tuple[MarginalColumn, ...]
    parameters: Mapping[str, Any]
    warnings: tuple[str, ...] = ()

    @property
    def vocabulary(self) -> dict[str, tuple[str, ...]]:
        """Values of every column in the release."""
        return {c.name: c.values or () for c in self.columns}

    def to_artefacts(self) -> dict[str, bytes]:
        """The release as files: ``aggregates.parquet`` and ``release.json``."""
        table = BytesIO()
        self.aggregates.to_parquet(table, index=False)
        rest = {
            "people": [self.people, self.people_low, self.people_high, self.people_sd],
            "columns": [[c.name, list(c.values or ()), c.multi_valued] for c in self.columns],
            "parameters": dict(self.parameters),
            "warnings": list(self.warnings),
        }
        return {
            "aggregates.parquet": table.getvalue(),
            "release.json": json.dumps(rest, sort_keys=True, indent=1).encode(),
        }

    @classmethod
    def from_artefacts(cls, artefacts: Mapping[str, bytes]) -> "MarginalsRelease":
        """Read back what ``to_artefacts`` wrote."""
        rest = json.loads(artefacts["release.json"])
        people, low, high, sd = rest["people"]
        return cls(
            aggregates=pd.read_parquet(BytesIO(artefacts["aggregates.parquet"])),
            people=people,
            people_low=low,
            people_high=high,
            people_sd=sd,
            columns=tuple(MarginalColumn(n, tuple(v), m) for n, v, m in rest["columns"]),
            parameters=rest["parameters"],
            warnings=tuple(rest["warnings"]),
        )
