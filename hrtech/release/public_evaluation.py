"""How true a release is, as far as can be told from what was released and the known noise: it may be published.

What compares with the records is in `evaluation` and stays with the data's keeper.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

BANDS = ((1, 9), (10, 19), (20, 49), (50, 99), (100, 999), (1000, None))
"""Count bands, both ends included."""

ALL = "all"


def band_names() -> list[str]:
    """Labels of the count bands, in order."""
    return [f"{low}+" if high is None else f"{low}–{high}" for low, high in BANDS]


def evaluate_publicly(aggregates: pd.DataFrame, terms: Mapping[str, Any]) -> pd.DataFrame:
    """Errors to expect of the published counts, per length and band of the published count.

    Args:
        aggregates: `length, count, sd` of what was published; without `sd`, as k-anonymous counts are, there is no
            noise and the error is that of rounding down.
        terms: Terms of the release.

    Returns:
        `length`, `band`, `combinations`; `expected_absolute_error` in people (that of the noisy measurement alone, sd
        times sqrt(2 / pi): the published count draws on all measurements and is off by less as a rule);
        `expected_relative_error`. Rows of band "all" also say `measured`, how many combinations people could hold,
        and `not_published`.
    """
    if "sd" in aggregates:
        expected = aggregates["sd"] * math.sqrt(2 / math.pi)
    else:
        # a count rounded down to a multiple of k is short by (k - 1) / 2 on average
        expected = pd.Series((float(terms.get("k") or 1) - 1) / 2, index=aggregates.index)
    cells = pd.DataFrame(
        {
            "length": aggregates["length"],
            "band": _band(aggregates["count"]),
            "error": expected,
            "relative": expected / aggregates["count"].clip(lower=1),
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
    possible = {int(k): n for k, n in terms["measured_combinations"].items()}
    table["measured"] = table["length"].map(possible).where(table["band"] == ALL).astype("Int64")
    table["not_published"] = (table["measured"] - table["combinations"]).astype("Int64")
    place = {name: k for k, name in enumerate([*band_names(), ALL])}
    order = table.assign(place=table["band"].map(place)).sort_values(["length", "place"])
    return order.drop(columns="place").reset_index(drop=True)


def _band(counts: pd.Series) -> pd.Series:
    edges = np.array([low for low, _ in BANDS])
    names = np.array(["", *band_names()], dtype=object)
    return pd.Series(names[np.searchsorted(edges, counts.to_numpy(), side="right")], index=counts.index)
