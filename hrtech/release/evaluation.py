"""What the data's keeper sees of a release: exact errors against the records, and what it repeats of single people.

Everything here is computed from the records without noise. It is as restricted as they are, is shown in casework only,
and no privacy was paid for it: never publish a figure of it, and never choose the settings of a release by it.

Belongs here: errors, fabrication, repetition of rare people. Simulated attackers are in `attacks`; what can be told
before a release in `synthesizability`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

from hrtech.counts import MAX_CELLS, Encoded, count_combinations
from hrtech.facts.frames import rows
from hrtech.release.comparison import encode_alike, row_ids, rows_of
from hrtech.release.declared import ReleaseError, ReleaseSchema

#: Bands of true counts, both ends included.
BANDS = ((1, 9), (10, 19), (20, 49), (50, 99), (100, 999), (1000, None))
ALL = "all"

#: Held by fewer people than this is rare.
RARE_BELOW = 10
_KINDS = {"unique": (1, 1), "rare": (1, RARE_BELOW - 1)}

#: Level of the range in which an independent draw would lie.
CHANCE_LEVEL = 0.99

AGGREGATES = "aggregates"
SYNTHETIC = "synthetic records"


def band_names() -> list[str]:
    """Labels of the count bands, in order."""
    return [f"{low}+" if high is None else f"{low}–{high}" for low, high in BANDS]


def percent(share: float | None) -> str:
    """A share as text: `12 %`, `1.2 %`, `0.12 %`; of nothing: `none`."""
    if share is None:
        return "none"
    value = 100 * share
    if 0 < abs(value) < 0.01:
        return "less than 0.01 %"
    decimals = 0 if abs(value) >= 10 or value == 0 else 1 if abs(value) >= 1 else 2
    return f"{value:.{decimals}f} %"


@dataclass(frozen=True)
class RestrictedEvaluation:
    """Comparison with the records. Restricted.

    Attributes:
        people: How many people the records hold.
        synthetic_records: How many synthetic records there are; None without any.
        errors: Per `subject` (aggregates, synthetic records), `length` and `band` of the true count: `combinations`;
            `mean_absolute_error` (people) and `mean_relative_error` (share of the true count) over them, where a
            suppressed one counts as 0; `suppressed`, `suppressed_share`; and for the aggregates `inside_share`, the
            share of true counts that lie inside their published interval, of those that are published.
        fabricated: Per `subject` and `length`: `published`; `fabricated`, those that nobody holds, and
            `fabricated_share`; `fabricated_mass_share`, what they are of the sum of all published counts; and for the
            aggregates `inside_share` over all published, those that nobody holds included.
        rare: Per `subject`, `length` and `kind` (`unique`: one person holds it; `rare`: 1 to 9 people): `combinations`
            of the records, `reproduced` by the release, `reproduced_share`, and `expected_share`, what a draw of as
            many other people from the same population would reproduce.
        memorised: Per `kind`, of whole records: `people` whose record only they have (`unique`), or shared by fewer
            than 10 (`rare`); `records`, the synthetic records that equal one of these, and `record_share` of all
            synthetic records; `reproduced`, the people met by one; `expected_share`, the share of an independent draw
            that would equal one, and the range `expected_low` to `expected_high` of its share in 99 of 100 draws.
            Without synthetic records: no row.
    """

    people: int
    synthetic_records: int | None
    errors: pd.DataFrame
    fabricated: pd.DataFrame
    rare: pd.DataFrame
    memorised: pd.DataFrame

    @property
    def says(self) -> tuple[str, ...]:
        """The headlines, one sentence each."""
        errors = [
            f"{_subject(row)}: off by {row['mean_absolute_error']:.3g} people on average, "
            f"{percent(row['suppressed_share'])} of the combinations suppressed."
            for row in rows(self.errors)
            if row["band"] == ALL
        ]
        fabricated = [
            f"{_subject(row)}: nobody holds {percent(row['fabricated_share'])} of the published combinations "
            f"({percent(row['fabricated_mass_share'])} of the counts)."
            for row in rows(self.fabricated)
            if row["fabricated"]
        ]
        memorised = []
        for row in rows(self.memorised):
            whose = (
                "only one person has" if row["kind"] == "unique" else f"fewer than {RARE_BELOW} people have"
            )
            more = row["record_share"] > row["expected_high"]
            memorised.append(
                f"{percent(row['record_share'])} of the synthetic records equal a record that {whose}; of other people "
                f"from the same population {percent(row['expected_low'])} to {percent(row['expected_high'])} would. "
                + (
                    "That is more than chance: they repeat people."
                    if more
                    else "That is no more than chance."
                )
            )
        return (*errors, *fabricated, *memorised)


def _subject(row: Mapping[str, Any]) -> str:
    several = "s" if row["length"] > 1 else ""
    return f"{str(row['subject']).capitalize()}, {row['length']} attribute{several}"


def evaluate_against_records(
    people: pd.DataFrame,
    aggregates: pd.DataFrame | None,
    synthetic: pd.DataFrame | None,
    schema: ReleaseSchema,
    *,
    reporting_length: int,
    max_cells: int = MAX_CELLS,
) -> RestrictedEvaluation:
    """Exact errors of a release against the people it was drawn from. The result is restricted.

    How repetition is judged without a holdout: a release that knows the population, but nobody in it, repeats rare
    people as often as *other people from the same population* would. What these would do is estimated from the records
    themselves, and is exact when people are independent draws:

    - `memorised`: of an independent draw the share 2 N2 / n equals a record that exactly one person has, where N2 is
      the number of records held by exactly two of the n people (Good, Biometrika 1953; the same as leaving each person
      out and comparing with the others). The range adds the error of this estimate (of the Poisson model) to that of
      drawing the synthetic records.
    - `rare`: the records are thought of as divided at random, in proportion to the number of people and of synthetic
      records: of the combinations rare in the one part, the share held in the other. That is exact for a release of
      a part; how it changes from half of it is carried on to the whole, so take it for a rough figure. To read beside
      `fabricated`: records with independent columns reproduce most rare combinations, by inventing all there could be.

    Where people were recorded in groups with equal records, both expectations are too high, so the comparison errs
    towards not seeing repetition.

    Args:
        people: One row per person; text columns with missing values, Arrow list columns where multi-valued.
        aggregates: `length, attributes (canonical text of hrtech.counts), count, low, high`, or None; without an
            interval no `inside_share`. A published combination whose "0" counts as no attribute is held by nobody, so
            it shows as fabricated.
        synthetic: Synthetic records, typed like `people`, or None.
        schema: The columns. Values need not be among the declared ones.
        reporting_length: Longest combinations compared.
        max_cells: Most combinations counted.

    Raises:
        ReleaseError: A column is missing or of another kind than declared, or there are no people.
        hrtech.counts.TooManyCells: Counting would need more than `max_cells`.
    """
    if not len(people):
        raise ReleaseError("people: nobody to compare a release with")
    tables = [people] if synthetic is None else [people, synthetic]
    encoded = encode_alike(tables, schema)
    true, *made = (count_combinations(e, reporting_length, max_cells=max_cells).to_frame() for e in encoded)
    subjects = (
        {} if aggregates is None else {AGGREGATES: (_comparable(aggregates, reporting_length), len(people))}
    )
    if synthetic is not None:
        subjects[SYNTHETIC] = (made[0], len(synthetic))
    errors, fabricated, rare = [], [], []
    for subject, (estimates, size) in subjects.items():
        both = true.merge(estimates, how="outer", on=["length", "attributes"], suffixes=("_true", ""))
        both = both.fillna({"count_true": 0, "count": 0})
        errors.append(_errors(both.loc[both["count_true"] > 0]).assign(subject=subject))
        fabricated.append(_fabricated(both.loc[both["count"] > 0]).assign(subject=subject))
        rare.append(_rare(both.loc[both["count_true"] > 0], size / len(people)).assign(subject=subject))
    return RestrictedEvaluation(
        people=len(people),
        synthetic_records=None if synthetic is None else len(synthetic),
        errors=_with_subject_first(errors),
        fabricated=_with_subject_first(fabricated),
        rare=_with_subject_first(rare),
        memorised=_memorised(encoded),
    )


# The tables of the evaluation


def _comparable(aggregates: pd.DataFrame, reporting_length: int) -> pd.DataFrame:
    kept = aggregates.loc[aggregates["length"].between(1, reporting_length)]
    return kept.reindex(columns=["length", "attributes", "count", "low", "high"])


def _with_subject_first(parts: list[pd.DataFrame]) -> pd.DataFrame:
    if not parts:
        return pd.DataFrame({"subject": pd.Series(dtype="str")})
    table = pd.concat(parts, ignore_index=True)
    return table[["subject", *(c for c in table.columns if c != "subject")]]


def _inside(both: pd.DataFrame) -> pd.Series:
    """Whether the true count lies in its published interval; missing where there is none."""
    if "low" not in both.columns:
        return pd.Series(np.nan, index=both.index)
    inside = both["count_true"].between(both["low"], both["high"]).astype(float)
    return inside.where((both["count"] > 0) & both["low"].notna() & both["high"].notna())


def _errors(both: pd.DataFrame) -> pd.DataFrame:
    names = np.array(band_names(), dtype=object)
    edges = np.array([low for low, _ in BANDS])
    error = (both["count"] - both["count_true"]).abs()
    cells = pd.DataFrame(
        {
            "length": both["length"],
            "band": names[np.searchsorted(edges, both["count_true"].to_numpy(), side="right") - 1],
            "error": error,
            "relative": error / both["count_true"],
            "suppressed": both["count"] == 0,
            "inside": _inside(both),
        }
    )
    table = (
        pd.concat([cells, cells.assign(band=ALL)])
        .groupby(["length", "band"], as_index=False)
        .agg(
            combinations=("error", "size"),
            mean_absolute_error=("error", "mean"),
            mean_relative_error=("relative", "mean"),
            suppressed=("suppressed", "sum"),
            suppressed_share=("suppressed", "mean"),
            inside_share=("inside", "mean"),
        )
    )
    place = {name: k for k, name in enumerate([*band_names(), ALL])}
    ordered = table.assign(place=table["band"].map(place)).sort_values(["length", "place"])
    return ordered.drop(columns="place").reset_index(drop=True)


def _fabricated(published: pd.DataFrame) -> pd.DataFrame:
    false = published["count_true"] == 0
    table = (
        published.assign(
            false=false, false_mass=published["count"].where(false, 0), inside=_inside(published)
        )
        .groupby("length", as_index=False)
        .agg(
            published=("false", "size"),
            fabricated=("false", "sum"),
            fabricated_share=("false", "mean"),
            false_mass=("false_mass", "sum"),
            mass=("count", "sum"),
            inside_share=("inside", "mean"),
        )
    )
    table.insert(4, "fabricated_mass_share", table["false_mass"] / table["mass"])
    return table.drop(columns=["false_mass", "mass"])


def _rare(held: pd.DataFrame, size: float) -> pd.DataFrame:
    """Rare combinations that are reproduced; `size` is that of the release, in people of the records."""
    found: list[Any] = []
    for length, cells in held.groupby("length"):
        for kind, (low, high) in _KINDS.items():
            chosen = cells.loc[cells["count_true"].between(low, high)]
            reproduced = chosen["count"] > 0
            expected = _reproduced_by_others(cells["count_true"].to_numpy(), low, high, size)
            found.append(
                {
                    "length": length,
                    "kind": kind,
                    "combinations": len(chosen),
                    "reproduced": int(reproduced.sum()),
                    "reproduced_share": reproduced.mean(),
                    "expected_share": expected if len(chosen) else np.nan,
                }
            )
    return pd.DataFrame(found)


def _reproduced_by_others(counts: NDArray[np.float64], low: int, high: int, size: float) -> float:
    """Share of the things held by low to high people that other people, `size` times as many, would hold too.

    Known for a part of the records and another part; carried on from half that part to all of it, on the log-odds.
    """
    values, number = np.unique(counts.astype(np.int64), return_counts=True)
    part = 1 / (1 + size)
    known, before = (_held_by_both_parts(values, number, low, high, size, p) for p in (part, part / 2))
    if not (0 < known < 1 and 0 < before < 1):
        return known
    odds, odds_before = special.logit(known), special.logit(before)
    return float(special.expit(odds + (odds - odds_before) * np.log2(1 + size)))


def _held_by_both_parts(
    values: NDArray[np.int64], number: NDArray[np.int64], low: int, high: int, size: float, part: float
) -> float:
    """Of what is held low to high times in a random part of the records, the share held in a second part.

    Args:
        values: Counts over all records.
        number: How many things have each.
        low: Fewest in the part.
        high: Most in the part.
        size: The second part, in parts.
        part: The part, of all records; the two fill them at most.
    """

    def within(share: float) -> NDArray[np.float64]:
        return stats.binom.cdf(high, values, share) - stats.binom.cdf(low - 1, values, share)

    first_only = within(min(part / (1 - part * size), 1.0)) * (1 - part * size) ** values
    every = float((number * within(part)).sum())
    return float((number * (within(part) - first_only)).sum()) / every if every else float("nan")


def _memorised(encoded: Sequence[Encoded]) -> pd.DataFrame:
    columns = ["kind", "people", "reproduced", "records", "record_share"]
    columns += ["expected_share", "expected_low", "expected_high"]
    if len(encoded) == 1 or not encoded[1].n_records:
        return pd.DataFrame(columns=columns)
    ids = row_ids(np.vstack(rows_of(encoded).tables))
    n, m = encoded[0].n_records, encoded[1].n_records
    number = int(ids.max()) + 1
    true, made = np.bincount(ids[:n], minlength=number), np.bincount(ids[n:], minlength=number)
    held_by = np.bincount(true, minlength=RARE_BELOW + 2).astype(
        float
    )  # held_by[s]: records that s people have
    found: list[Any] = []
    for kind, (low, high) in _KINDS.items():
        chosen = (true >= low) & (true <= high)
        records = int(made[chosen].sum())
        found.append(
            [
                kind,
                int(true[chosen].sum()),
                int(true[chosen & (made > 0)].sum()),
                records,
                records / m,
                *_equal_by_chance(held_by, low, high, n, m),
            ]
        )
    return pd.DataFrame(found, columns=columns)


def _equal_by_chance(
    held_by: NDArray[np.float64], low: int, high: int, n: int, m: int
) -> tuple[float, float, float]:
    """Share of m independent draws that equals a record held by low to high of n people, and its range.

    Good's estimate of a mass of the population is the sum of s N_s / n for s = low + 1 to high + 1. Where each record
    has a Poisson count, it misses the mass by a sum of terms with mean 0, whose squares are estimated the same way.
    """

    def total(first: int, last: int, weight: str) -> float:
        s = np.arange(first, last + 1)
        return float((held_by[s] * (s if weight == "s" else s * s if weight == "ss" else s * (s - 1))).sum())

    share = total(low + 1, high + 1, "s") / n
    error = total(low + 2, high + 2, "s(s-1)") + total(low + 1, high + 1, "ss")
    error -= 2 * total(low + 2, high + 1, "s(s-1)")
    # one more pair than was seen, so that nothing seen is not taken for nothing there
    error = (error + (low + 1) ** 2) / n**2
    drawn = min(share + (low + 1) / n, 1.0)
    width = NormalDist().inv_cdf((1 + CHANCE_LEVEL) / 2) * (error + drawn * (1 - drawn) / m) ** 0.5
    return share, max(share - width, 0.0), min(share + width, 1.0)
