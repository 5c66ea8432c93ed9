"""What a release measured: noisy centred moments, with the known size of their noise. All of it is public.

Everything that is published follows from it without touching a record again.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtech.release.declared import ReleaseColumn, ReleaseSchema
from hrtech.release.layout import Layout
from hrtech.release.moments import Scaling


@dataclass(frozen=True)
class Measured:
    """Noisy moments.

    Attributes:
        schema: The columns, each with its values.
        scaling: Centres and weights.
        bound: Bound on a person's norm that was chosen.
        scale: Standard deviation of the noise, in units of the lattice.
        people: Number of people, noisy unless declared.
        people_sd: Its noise; 0 where it was declared.
        lost: Noisy sum of 1 - weight over people: how much of combinations bounding took away, in people.
        noisy: Noisy lattice values of every combination, length after length.
        spent: Rho by OpenDP's maps of the steps that ran.
    """

    schema: ReleaseSchema
    scaling: Scaling
    bound: float
    scale: float
    people: float
    people_sd: float
    lost: float
    noisy: NDArray[np.int64]
    spent: float

    @cached_property
    def layout(self) -> Layout:
        """Where every combination lies."""
        return Layout(self.schema, self.scaling.longest)

    @property
    def lost_sd(self) -> float:
        """Noise of `lost`."""
        return self.scale / self.scaling.people_units

    @cached_property
    def _edges(self) -> NDArray[np.int64]:
        sizes = [self.layout.size(k) for k in range(1, self.scaling.longest + 1)]
        return np.concatenate([[0], np.cumsum(sizes)])

    @cached_property
    def _units(self) -> dict[int, NDArray[np.float64]]:
        return {
            k: self.scaling.steps(self.layout, k) / self.scaling.unit(k)
            for k in range(1, self.scaling.longest + 1)
        }

    def moments(self, length: int) -> NDArray[np.float64]:
        """Noisy centred moments of a length, in people."""
        return self.noisy[self._edges[length - 1] : self._edges[length]] * self._units[length]

    def sd(self, length: int) -> NDArray[np.float64]:
        """Standard deviations of their noise, in people."""
        return self.scale * self._units[length]

    def to_artefacts(self) -> dict[str, bytes]:
        """As files: `measured.parquet` holds the noisy values, `measured.json` the rest."""
        table = BytesIO()
        pd.DataFrame({"noisy": self.noisy}).to_parquet(table, index=False, compression="zstd")
        s = self.scaling
        rest = {
            "columns": [asdict(c) | {"parent_values": dict(c.parent_values)} for c in self.schema.columns],
            "impossible": [list(map(list, pair)) for pair in self.schema.impossible],
            "centres": s.centres.tolist(),
            "bits": s.bits,
            "emphasis": s.emphasis.tolist(),
            "length_weights": list(s.length_weights),
            "people_weight": s.people_weight,
            "lattice": s.lattice,
            **{k: getattr(self, k) for k in ("bound", "scale", "people", "people_sd", "lost", "spent")},
        }
        return {
            "measured.parquet": table.getvalue(),
            "measured.json": json.dumps(rest, sort_keys=True).encode(),
        }

    @classmethod
    def from_table(cls, table: pd.DataFrame) -> "Measured":
        """Read it from the files of a release as `measured_table` gives them."""
        return cls.from_artefacts(dict(zip(table["path"], table["content"], strict=True)))

    @classmethod
    def from_artefacts(cls, artefacts: Mapping[str, bytes]) -> "Measured":
        """Read back what `to_artefacts` wrote."""
        rest: dict[str, Any] = json.loads(artefacts["measured.json"])
        columns = tuple(
            ReleaseColumn(**(c | {"values": tuple(c["values"]) if c["values"] is not None else None}))
            for c in rest["columns"]
        )
        impossible = tuple((tuple(one), tuple(other)) for one, other in rest["impossible"])
        return cls(
            schema=ReleaseSchema(columns, impossible, found=True),
            scaling=Scaling(
                np.array(rest["centres"], dtype=np.int64),
                rest["bits"],
                np.array(rest["emphasis"]),
                tuple(rest["length_weights"]),
                rest["people_weight"],
                rest["lattice"],
            ),
            noisy=pd.read_parquet(BytesIO(artefacts["measured.parquet"]))["noisy"].to_numpy(),
            **{k: rest[k] for k in ("bound", "scale", "people", "people_sd", "lost", "spent")},
        )


def measured_table(artefacts: Mapping[str, bytes]) -> pd.DataFrame:
    """The files of `Measured.to_artefacts` among the artefacts of a release, one row each: `path`, `content`."""
    names = ["measured.json", "measured.parquet"]
    return pd.DataFrame(
        {"path": pd.Series(names, dtype="str"), "content": [artefacts[name] for name in names]}
    )
