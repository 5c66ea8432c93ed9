"""Release of case records by k-anonymity, for agreements that are written in terms of k.

What is promised (Sweeney, "k-anonymity: a model for protecting privacy", Int. J. Uncertainty, Fuzziness and
Knowledge-Based Systems 10(5), 2002; over all columns, as in Synthetic Data Showcase, Edge et al., arXiv:2005.08688,
2020): a published combination of attributes, up to the reporting length, is one that at least k people of the table
hold, its count is rounded down to a multiple of k, and synthetic records are made of such combinations alone.

What is not promised, and why differential privacy is the better choice where an agreement leaves it open:

- Homogeneity: if all k people who share a combination also share a secret, whoever knows that somebody is among them
  knows the secret (Machanavajjhala et al., "l-diversity", ICDE 2006).
- Background knowledge: who knows enough of the others in a group learns about the one who is left.
- Differencing: two releases of nearly the same people can differ by one person, and a rounded count that moves tells
  that somebody came or went.
- Composition: nothing adds up the harm of several releases (Ganta, Kasiviswanathan and Smith, KDD 2008); there is no
  budget to exceed.
- Repetition: a synthetic record may be equal to a true one. With ``row_seeded`` this is inherent: each of its records
  starts as a true person's and keeps whatever k people share, often all of it. ``value_seeded`` and ``unseeded`` may
  meet a true record by chance, and then at least k people have its attributes. Records longer than the reporting
  length are not protected as a whole in ``aggregate_seeded``: they may be nobody's, or one person's.

Values that a column does not declare are taken from the data, if at least k people hold them; that such a value is
there at all is then published. Nothing here knows the ledger, files or Dagster.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hrtech.counts import Combinations, TooManyCells, count_combinations
from hrtech.release.declared import LONGEST, ReleaseColumn, ReleaseError, ReleaseSchema
from hrtech.release.k_anonymity_rows import Items, items_of, published_columns, to_frame
from hrtech.release.k_anonymity_sampling import METHODS, Drawing, draw_records
from hrtech.release.people import LIST_DTYPE

#: Raised only when what is released changes for the same people, settings and seed.
MECHANISM = "k-anonymity/1"
SMALLEST_K = 3


@dataclass(frozen=True)
class KAnonymitySettings:
    """What is published, and how synthetic records are made.

    Attributes:
        k: Fewest people behind anything published, and what counts are rounded down to multiples of; 3 or more.
            Called reporting resolution in Synthetic Data Showcase.
        reporting_length: Longest combinations, 1 to 5.
        method: How synthetic records are made: `row_seeded`, `value_seeded`, `aggregate_seeded` or `unseeded`.
        oversampling_ratio: `value_seeded`: how far a combination may be made more often than its rounded count, as a
            share of it; None: without limit.
        oversampling_tries: `value_seeded`: a record ends when so many attributes in turn were refused.
        weight_percentile: `aggregate_seeded`: beyond the reporting length an attribute is weighed by this percentile
            of the counts of all combinations that it would make, 0 to 100.
        use_synthetic_counts: `aggregate_seeded`: whether what was made is subtracted from the counts.
        records: Whether synthetic records are made; otherwise the aggregates alone.
        max_cells: Most combinations counted; more is refused.
    """

    k: int = 10
    reporting_length: int = 3
    method: str = "row_seeded"
    oversampling_ratio: float | None = 0.1
    oversampling_tries: int = 10
    weight_percentile: float = 95.0
    use_synthetic_counts: bool = True
    records: bool = True
    max_cells: int = 2_000_000

    def __post_init__(self) -> None:
        ratio = self.oversampling_ratio
        rules = (
            (self.k >= SMALLEST_K, f"k is {SMALLEST_K} or more: a smaller group protects nobody"),
            (1 <= self.reporting_length <= LONGEST, f"reporting_length is 1 to {LONGEST}"),
            (self.method in METHODS, f"method is one of {', '.join(METHODS)}"),
            (
                ratio is None or 0 <= ratio < math.inf,
                "oversampling_ratio is 0 or more, or null for no limit",
            ),
            (self.oversampling_tries >= 1, "oversampling_tries is at least 1"),
            (0 <= self.weight_percentile <= 100, "weight_percentile is between 0 and 100"),
            (self.max_cells >= 1, "max_cells is at least 1"),
        )
        broken = [rule for holds, rule in rules if not holds]
        if broken:
            raise ReleaseError("settings: " + "; ".join(broken))


@dataclass(frozen=True)
class KAnonymousRelease:
    """What was released, all of it public.

    Attributes:
        aggregates: `length`, `attributes` (canonical text), `count` (rounded down to a multiple of k). A combination
            that is not listed is held by fewer than k people, by nobody, or declared impossible.
        people: Number of people, rounded down to a multiple of k.
        records: Synthetic records typed like the input, or None. Their number is no count of people.
        columns: The columns with their values: as declared, or those that at least k people hold.
        parameters: Mechanism, method and settings; plain JSON types.
        warnings: What a reader should know, in sentences.
    """

    aggregates: pd.DataFrame
    people: int
    records: pd.DataFrame | None
    columns: tuple[ReleaseColumn, ...]
    parameters: Mapping[str, Any]
    warnings: tuple[str, ...] = ()

    def to_artefacts(self) -> dict[str, bytes]:
        """The release as files: `aggregates.parquet`, `release.json` and, if there are records, `records.parquet`."""
        rest = {
            "people": self.people,
            "columns": [asdict(c) | {"parent_values": dict(c.parent_values)} for c in self.columns],
            "parameters": dict(self.parameters),
            "warnings": list(self.warnings),
        }
        files = {
            "aggregates.parquet": _parquet(self.aggregates),
            "release.json": json.dumps(rest, sort_keys=True, indent=1).encode(),
        }
        return files if self.records is None else files | {"records.parquet": _parquet(self.records)}

    @classmethod
    def from_artefacts(cls, artefacts: Mapping[str, bytes]) -> "KAnonymousRelease":
        """Read back what `to_artefacts` wrote."""
        rest = json.loads(artefacts["release.json"])
        records = artefacts.get("records.parquet")
        return cls(
            aggregates=_frame(artefacts["aggregates.parquet"]),
            people=rest["people"],
            records=None if records is None else _frame(records),
            columns=tuple(_column(c) for c in rest["columns"]),
            parameters=rest["parameters"],
            warnings=tuple(rest["warnings"]),
        )


def _parquet(table: pd.DataFrame) -> bytes:
    written = BytesIO()
    pq.write_table(pa.Table.from_pandas(table, preserve_index=False), written)
    return written.getvalue()


def _frame(written: bytes) -> pd.DataFrame:
    # what pandas notes about list columns it cannot read back itself
    table = pq.read_table(BytesIO(written)).replace_schema_metadata(None)
    return table.to_pandas(types_mapper=lambda kind: LIST_DTYPE if pa.types.is_list(kind) else None)


def _column(written: Mapping[str, Any]) -> ReleaseColumn:
    values = written["values"]
    return ReleaseColumn(**{**written, "values": None if values is None else tuple(values)})


def release_k_anonymous(
    frame: pd.DataFrame, settings: KAnonymitySettings, schema: ReleaseSchema, rng: np.random.Generator
) -> KAnonymousRelease:
    """Make protected aggregates and synthetic records of combinations that at least k people hold.

    A value implies the value of the column that it refines, whatever that column's cell says: counts count it, and
    synthetic records hold it. What is declared impossible is in neither, even if people hold it.

    Args:
        frame: One row per person: text columns with missing values, Arrow list columns where several values are held.
        settings: What is published and how.
        schema: The columns and what is public knowledge about them.
        rng: Where synthetic records are drawn from; the same seed gives the same release.

    Raises:
        ReleaseError: a column is missing or of another kind than declared, or there are too many combinations.
        EncodingError: a value is outside its declared list.
    """
    items = items_of(frame, schema, settings.k)
    exact = _possible(items, settings)
    rounded = {length: counts // settings.k * settings.k for length, counts in exact.counts.items()}
    protected = replace(exact, counts=rounded)
    records = None
    if settings.records:
        drawn = draw_records(Drawing(items, exact, protected, settings, rng))
        records = to_frame(drawn, items, schema, frame)
    return KAnonymousRelease(
        aggregates=protected.to_frame(),
        people=len(frame) // settings.k * settings.k,
        records=records,
        columns=published_columns(items, schema),
        parameters={"mechanism": MECHANISM, **asdict(settings)},
        warnings=_warnings(protected, settings),
    )


def _possible(items: Items, settings: KAnonymitySettings) -> Combinations:
    """All combinations that at least k people hold and that are not declared impossible; exact counts."""
    try:
        exact = count_combinations(
            items.encoded, settings.reporting_length, min_count=settings.k, max_cells=settings.max_cells
        )
    except TooManyCells as error:
        raise ReleaseError(f"max_cells: {error}") from None
    cells, counts = {}, {}
    for length, found in exact.cells.items():
        possible = np.ones(len(found), dtype=bool)
        for one in range(length):
            for other in range(one + 1, length):
                possible &= items.together[found[:, one], found[:, other]]
        cells[length], counts[length] = found[possible], exact.counts[length][possible]
    return replace(exact, cells=cells, counts=counts)


def _warnings(protected: Combinations, settings: KAnonymitySettings) -> tuple[str, ...]:
    k = settings.k
    found = [f"Counts are rounded down to multiples of {k}: a sum of them is too small."]
    if not len(protected):
        found.append(f"No attribute is held by {k} people or more: nothing is told.")
    if settings.records and settings.method == "row_seeded":
        found.append(
            f"Each synthetic record starts as a true person's and keeps what at least {k} people share: many are equal "
            f"to the record of somebody real."
        )
    if settings.records and settings.method == "aggregate_seeded":
        found.append(
            f"In synthetic records, combinations of more than {settings.reporting_length} attributes may be nobody's, "
            f"or those of fewer than {k} people."
        )
    return tuple(found)


def explain_k_anonymity() -> tuple[str, ...]:
    """What k-anonymity promises and what it does not, in plain sentences for the page of a release."""
    return (
        "Every published combination of attributes, up to the reporting length, is held by at least k people; "
        "counts are rounded down to multiples of k.",
        "Synthetic records are made of such combinations alone.",
        "This is a weaker promise than differential privacy: it hides how many and who, not what a whole group "
        "has in common. If all k people who share some attributes also share a secret, the secret is told.",
        "Someone who already knows much about a group may still learn about the person whom they do not know.",
        "A combination that is missing says something too: fewer than k people hold it. Where the counts around it "
        "are told, it can be narrowed down further.",
        "Two releases of nearly the same people can be compared: a count that changes tells that somebody came or "
        "went. No budget limits how much several releases tell together.",
        "A synthetic record may be equal to the record of somebody real; where records are seeded by rows, many are.",
        "Values that were not declared in advance are taken from the data itself.",
    )
