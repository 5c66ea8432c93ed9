"""How well a table lends itself to a private release, before any budget is spent.

Counts of many people survive noise, counts of few do not: what matters is how much of the table lies in rare
combinations, and which columns put it there. Computed from the records without noise: restricted, for the keeper's eyes
alone. Who chooses columns by it has looked at the records, and no budget accounts for that; so leave out or band for
reasons that could be stated in public, and decide before the first release.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from hrtech.counts import MAX_CELLS, Combinations, Encoded, count_combinations, possible_cells
from hrtech.facts.frames import rows
from hrtech.release.comparison import encode_alike, rows_of
from hrtech.release.declared import ReleaseColumn, ReleaseError, ReleaseSchema
from hrtech.release.evaluation import RARE_BELOW, percent
from hrtech.release.people import LIST_DTYPE

#: Above this excess of possible over usual combinations the Intelligence Toolkit warns.
MUCH_EXCESS = 5.0


@dataclass(frozen=True)
class Synthesizability:
    """How well a table lends itself to a release. Restricted: computed from the records, without noise.

    Attributes:
        people: How many there are.
        values_per_person: Mean number of attributes of a person.
        possible_combinations: Different whole records that the values allow (of a multi-valued column each value
            stands alone), and `possible_per_person`, the same per person.
        excess_ratio: `possible_per_person` over 2 to the power of `values_per_person`, the combinations that one record
            with the usual number of attributes holds. Above 5 the Intelligence Toolkit warns. The three are defined as
            there; they ignore how values go together, so judge by `lengths`.
        lengths: Per `length`: `possible` combinations of the values; `held` by somebody, of them `unique` (one person)
            and `rare` (fewer than 10 people), `rare_share` of those held; `rare_mass_share`, what the rare ones are of
            all combinations of all people.
        columns: Per `column`, those that make most combinations rare first: `values`; `blank_share` of people who hold
            nothing there; `entropy` of its cells, in bits; and of the combinations up to the reporting length the
            share that goes if the column is left out (`possible_saved` of those possible, `rare_saved` of the rare
            ones) or if its rare values are made one (`band_values` of them; `possible_saved_by_band`,
            `rare_saved_by_band`).
    """

    people: int
    values_per_person: float
    possible_combinations: float
    possible_per_person: float
    excess_ratio: float
    lengths: pd.DataFrame
    columns: pd.DataFrame

    @property
    def says(self) -> tuple[str, ...]:
        """The headlines, one sentence each."""
        verdict = "more than" if self.excess_ratio > MUCH_EXCESS else "not more than"
        said = [
            f"There are {self.possible_per_person:.3g} possible records per person, {self.excess_ratio:.2g} times the "
            f"combinations in a usual one: {verdict} the {MUCH_EXCESS:g} above which a synthesis is held to be hard."
        ]
        for row in rows(self.lengths):
            said.append(
                f"Of the combinations of length {row['length']} that somebody holds, {percent(row['rare_share'])} are "
                f"held by fewer than {RARE_BELOW} people, {percent(row['rare_mass_share'])} of all that people hold."
            )
        for row in rows(self.columns.head(3)):
            if row["rare_saved"]:
                said.append(_advice(row))
        return tuple(said)


def _advice(row: Mapping[str, Any]) -> str:
    band = (
        f"; making one value of its {row['band_values']} rare ones saves {percent(row['rare_saved_by_band'])}"
        if row["rare_saved_by_band"] > 0
        else ""
    )
    return (
        f"Leaving out {row['column']} saves {percent(row['rare_saved'])} of the rare combinations and "
        f"{percent(row['possible_saved'])} of the possible ones{band}."
    )


def synthesizability(
    people: pd.DataFrame,
    schema: ReleaseSchema,
    *,
    reporting_length: int,
    max_cells: int = MAX_CELLS,
    band_below: float = 0.01,
) -> Synthesizability:
    """Say how well a table lends itself to a release, and which columns stand in the way.

    The ratios are those of Synthetic Data Showcase and of the Intelligence Toolkit (Microsoft).

    Args:
        people: One row per person, typed as the schema says.
        schema: The columns. Declared values that nobody holds count as possible.
        reporting_length: Longest combinations of the release.
        max_cells: Most combinations counted.
        band_below: A value held by a smaller share of the people than this would go into one band with the like.

    Raises:
        ReleaseError: A column is missing or of another kind than declared, or there are no people.
        hrtech.counts.TooManyCells: Counting would need more than `max_cells`.
    """
    if not len(people):
        raise ReleaseError("people: nobody to count")
    encoded = encode_alike([people], schema)[0]
    counted = count_combinations(encoded, reporting_length, max_cells=max_cells)
    shapes = [
        _shape(column, held.values) for column, held in zip(schema.columns, encoded.columns, strict=True)
    ]
    per_person = float(encoded.attributes_per_record().mean())
    singles = [size for size, multi_valued in shapes if not multi_valued and size]
    possible = math.prod(map(float, singles))
    return Synthesizability(
        people=len(people),
        values_per_person=per_person,
        possible_combinations=possible,
        possible_per_person=possible / len(people),
        excess_ratio=possible / len(people) / 2**per_person,
        lengths=_lengths(counted, shapes, reporting_length),
        columns=_columns(people, schema, encoded, counted, shapes, max_cells, band_below),
    )


def _shape(column: ReleaseColumn, held: Sequence[str]) -> tuple[int, bool]:
    return len({*column.attributes, *held}), column.multi_valued


def _lengths(counted: Combinations, shapes: Sequence[tuple[int, bool]], longest: int) -> pd.DataFrame:
    possible = possible_cells(shapes, longest)
    found = []
    for length in range(1, longest + 1):
        counts = counted.counts[length]
        rare = counts < RARE_BELOW
        found.append(
            {
                "length": length,
                "possible": possible[length],
                "held": len(counts),
                "unique": int((counts == 1).sum()),
                "rare": int(rare.sum()),
                "rare_share": rare.mean() if len(counts) else np.nan,
                "rare_mass_share": counts[rare].sum() / counts.sum() if len(counts) else np.nan,
            }
        )
    return pd.DataFrame(found)


def _columns(
    people: pd.DataFrame,
    schema: ReleaseSchema,
    encoded: Encoded,
    counted: Combinations,
    shapes: Sequence[tuple[int, bool]],
    max_cells: int,
    band_below: float,
) -> pd.DataFrame:
    longest = counted.max_length
    possible = sum(possible_cells(shapes, longest)[1:])
    rare, rare_with = _rare_by_column(counted, encoded)
    cells = rows_of([encoded])
    found = []
    for k, column in enumerate(schema.columns):
        others = [*shapes[:k], *shapes[k + 1 :]]
        size, multi_valued = shapes[k]
        few = [
            v
            for v in encoded.columns[k].values
            if counted.count_of([(column.name, v)]) < band_below * len(people)
        ]
        band = few if len(few) > 1 else []
        banded_possible = sum(
            possible_cells([*others, (size - max(len(band) - 1, 0), multi_valued)], longest)[1:]
        )
        banded_rare = _rare_when_banded(people, schema, column, band, longest, max_cells) if band else rare
        codes = cells.tables[0][:, k]
        found.append(
            {
                "column": column.name,
                "values": size,
                "blank_share": float((codes == 0).mean()),
                "entropy": _entropy(codes),
                "possible_saved": 1 - sum(possible_cells(others, longest)[1:]) / possible
                if possible
                else 0.0,
                "rare_saved": rare_with[k] / rare if rare else 0.0,
                "band_values": len(band),
                "possible_saved_by_band": 1 - banded_possible / possible if possible else 0.0,
                "rare_saved_by_band": 1 - banded_rare / rare if rare else 0.0,
            }
        )
    table = pd.DataFrame(found).sort_values(["rare_saved", "possible_saved"], ascending=False, kind="stable")
    return table.reset_index(drop=True)


def _rare_by_column(counted: Combinations, encoded: Encoded) -> tuple[int, NDArray[np.int64]]:
    """Rare combinations, and how many of them hold something of each column."""
    column_of = np.repeat(np.arange(len(encoded.columns)), [len(c.values) for c in encoded.columns])
    total, by_column = 0, np.zeros(len(encoded.columns), dtype=np.int64)
    for length, cells in counted.cells.items():
        columns = column_of[cells[counted.counts[length] < RARE_BELOW]]
        total += len(columns)
        for k in range(length):  # a column counts once in a combination; its attributes are neighbours
            new = columns[:, k] if k == 0 else columns[columns[:, k] != columns[:, k - 1], k]
            by_column += np.bincount(new, minlength=len(by_column))
    return total, by_column


def _rare_when_banded(
    people: pd.DataFrame,
    schema: ReleaseSchema,
    column: ReleaseColumn,
    band: Sequence[str],
    longest: int,
    max_cells: int,
) -> int:
    """Rare combinations that are left when some values of a column are made one, the first of them."""
    to = dict.fromkeys(band, band[0])
    series = people[column.name]
    if column.multi_valued:
        cells = pa.array(series, from_pandas=True).to_pylist()
        banded = pd.Series(
            [None if cell is None else sorted({to.get(v, v) for v in cell}) for cell in cells],
            dtype=LIST_DTYPE,
            index=series.index,
        )
    else:
        banded = series.replace(to)
    encoded = encode_alike([people.assign(**{column.name: banded})], schema)[0]
    counts = count_combinations(encoded, longest, max_cells=max_cells).counts
    return sum(int((c < RARE_BELOW).sum()) for c in counts.values())


def _entropy(codes: NDArray[np.int32]) -> float:
    share = np.bincount(codes) / len(codes)
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum()) + 0.0
