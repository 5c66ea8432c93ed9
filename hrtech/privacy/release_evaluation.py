"""Two evaluations of a release, which must never be confused.

``evaluate_against_records`` compares with the records: exact errors, suppressed and fabricated
combinations. Its result is as restricted as the records and belongs to the data's keeper alone; no
privacy was paid for it. ``evaluate_publicly`` reads only what was released and the known noise, so its
result may stand on the public page.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hrtech.counts import MAX_CELLS, count_combinations, encode
from hrtech.privacy.marginals_release import MarginalsRelease

BANDS = ((1, 9), (10, 19), (20, 49), (50, 99), (100, 999), (1000, None))
"""Count bands, both ends included."""

ALL = "all"


def band_names() -> list[str]:
    """Labels of the count bands, in order."""
    return [f"{low}+" if high is None else f"{low}–{high}" for low, high in BANDS]


def _band(counts: pd.Series) -> pd.Series:
    edges = np.array([low for low, _ in BANDS])
    names = np.array(["", *band_names()], dtype=object)
    return pd.Series(names[np.searchsorted(edges, counts.to_numpy(), side="right")], index=counts.index)


@dataclass(frozen=True)
class RestrictedEvaluation:
    """Comparison with the records. Restricted.

    Attributes:
        errors: per ``subject`` (aggregates, synthetic records), ``length`` and ``band`` of the true count:
            ``combinations``, ``mean_absolute_error`` and ``mean_relative_error`` over them (a suppressed one
            counts as 0), ``suppressed``, ``suppressed_share``.
        fabricated: per ``subject`` and ``length``: ``published``, ``fabricated`` (nobody holds it),
            ``fabricated_share``.
    """

    errors: pd.DataFrame
    fabricated: pd.DataFrame


def evaluate_against_records(
    frame: pd.DataFrame,
    release: MarginalsRelease,
    synthetic: pd.DataFrame | None = None,
    *,
    max_length: int = 3,
    max_cells: int = MAX_CELLS,
) -> RestrictedEvaluation:
    """Exact errors of a release against the records it was drawn from.

    Args:
        frame: the records, one row per person, as handed to ``draw``.
        release: what was released.
        synthetic: synthetic records, if there are any.
        max_length: longest combinations compared for the synthetic records; aggregates are compared at
            the lengths they have.
        max_cells: bound handed to the counting engine.
    """
    names = [c.name for c in release.columns]
    aggregated = int(release.parameters["settings"]["reporting_length"])
    longest = max(aggregated, max_length) if synthetic is not None else aggregated
    true = count_combinations(encode(frame, names), longest, max_cells=max_cells).to_frame()
    subjects = {"aggregates": (release.aggregates[["length", "attributes", "count"]], aggregated)}
    if synthetic is not None:
        made = count_combinations(encode(synthetic, names), max_length, max_cells=max_cells)
        subjects["synthetic records"] = (made.to_frame(), max_length)
    errors, fabricated = [], []
    for subject, (estimates, length) in subjects.items():
        both = true[true["length"] <= length].merge(
            estimates, how="outer", on=["length", "attributes"], suffixes=("_true", "")
        )
        both = both.fillna({"count_true": 0, "count": 0})
        errors.append(_errors(both[both["count_true"] > 0]).assign(subject=subject))
        fabricated.append(_fabricated(both[both["count"] > 0]).assign(subject=subject))
    return RestrictedEvaluation(
        errors=_with_subject_first(errors), fabricated=_with_subject_first(fabricated)
    )


def _with_subject_first(parts: list[pd.DataFrame]) -> pd.DataFrame:
    table = pd.concat(parts, ignore_index=True)
    return table[["subject", *(c for c in table.columns if c != "subject")]]


def _errors(both: pd.DataFrame) -> pd.DataFrame:
    error = (both["count"] - both["count_true"]).abs()
    cells = pd.DataFrame(
        {
            "length": both["length"],
            "band": _band(both["count_true"]),
            "error": error,
            "relative": error / both["count_true"],
            "suppressed": both["count"] == 0,
        }
    )
    every = pd.concat([cells, cells.assign(band=ALL)])
    table = every.groupby(["length", "band"], as_index=False).agg(
        combinations=("error", "size"),
        mean_absolute_error=("error", "mean"),
        mean_relative_error=("relative", "mean"),
        suppressed=("suppressed", "sum"),
    )
    table["suppressed_share"] = table["suppressed"] / table["combinations"]
    return _in_band_order(table)


def _in_band_order(table: pd.DataFrame) -> pd.DataFrame:
    place = {name: k for k, name in enumerate([*band_names(), ALL])}
    order = table.assign(place=table["band"].map(place)).sort_values(["length", "place"])
    return order.drop(columns="place").reset_index(drop=True)


def _fabricated(published: pd.DataFrame) -> pd.DataFrame:
    table = (
        published.assign(false=published["count_true"] == 0)
        .groupby("length", as_index=False)
        .agg(published=("false", "size"), fabricated=("false", "sum"))
    )
    table["fabricated_share"] = table["fabricated"] / table["published"]
    return table


def evaluate_publicly(release: MarginalsRelease) -> pd.DataFrame:
    """Expected errors of the published aggregates, from the release and its known noise alone.

    Returns:
        Per ``length`` and ``band`` of the published count: ``combinations`` published,
        ``expected_absolute_error`` (mean of sd * sqrt(2 / pi), the noise's own, before counts were made
        consistent), ``expected_relative_error``. Rows of band "all" also say ``measured`` (cells),
        ``not_published``, and ``false_at_most``: the expected number of published combinations that nobody
        holds, if every cell measured were empty (so an upper bound, before consistency).
    """
    shown = release.aggregates
    expected = shown["sd"] * math.sqrt(2 / math.pi)
    cells = pd.DataFrame(
        {
            "length": shown["length"],
            "band": _band(shown["count"]),
            "error": expected,
            "relative": expected / shown["count"],
        }
    )
    table = (
        pd.concat([cells, cells.assign(band=ALL)])
        .groupby(["length", "band"], as_index=False)
        .agg(
            combinations=("error", "size"),
            expected_absolute_error=("error", "mean"),
            expected_relative_error=("relative", "mean"),
        )
    )
    measured = release.parameters["cells"]
    nothing = [n for n in (1, 2) if measured[str(n)] and not (table["length"] == n).any()]
    rows = pd.DataFrame({"length": nothing, "band": ALL, "combinations": 0}).astype({"length": "int64"})
    table = pd.concat([table, rows], ignore_index=True) if nothing else table
    table = _in_band_order(table)
    of_all = table["band"] == ALL
    cells_measured = table["length"].map(lambda n: measured[str(n)]).where(of_all)
    table["measured"] = cells_measured.astype("Int64")
    table["not_published"] = (cells_measured - table["combinations"]).astype("Int64")
    share = release.parameters["false_share_of_empty_cells"]
    table["false_at_most"] = np.minimum(cells_measured * share, table["combinations"]).astype("Float64")
    return table
