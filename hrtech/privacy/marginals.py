"""Private release of one- and two-way marginals: counts of attributes and of pairs of attributes.

The promise: (epsilon, delta)-differential privacy for one person, added or removed with the whole row
(``one_row_per_person`` joins records first). What is protected: every cell, and which values of an
undeclared column exist. What is public: the settings, the names and kinds of the columns, declared
values. Nothing else about the records touches a decision without noise.

The mechanism, all noise discrete Gaussian from OpenDP, accounted in zCDP:

1. A person holds at most K attributes: by schema (one value of each single-valued column, all values of
   the multi-valued ones), or by the declared cap, beyond which a uniformly random K of them count. The
   choice is made for each person alone, so it changes no one else's contribution.
2. Number of people: sensitivity 1.
3. Undeclared values: noisy counts above a stability threshold (sensitivity sqrt(min(K, attributes a person
   can hold in undeclared columns)); delta by OpenDP's map).
4. Length 1: one vector over the item list, sensitivity sqrt(K).
5. Length 2: one vector over all valid pairs, zeros included, sensitivity sqrt(K (K - 1) / 2).

The charge is the sum of OpenDP's maps; it follows from settings and schema alone and is known before any
record is read. ``price`` and ``draw`` go through the same plan.

Bound: lengths 1 and 2. Does not belong here: the ledger, files, synthetic records.
"""

import json
import secrets
from dataclasses import asdict
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtech.counts import (
    Encoded,
    count_combinations,
    encode,
    limit_attributes,
    render_cells,
    restrict_values,
)
from hrtech.privacy import discrete_noise
from hrtech.privacy.accounting import Charge
from hrtech.privacy.consistency import NoisyMarginals, consistent_counts
from hrtech.privacy.marginals_declared import (
    BudgetShares,
    MarginalColumn,
    MarginalsError,
    MarginalsSchema,
    MarginalsSettings,
)
from hrtech.privacy.marginals_plan import Plan, plan_release
from hrtech.privacy.marginals_release import MarginalsRelease
from hrtech.release.people import LIST_DTYPE, is_multi_valued, one_row_per_person

MECHANISM = "marginals-discrete-gaussian/1"
"""Raised only when the distribution of what ``draw`` returns changes."""

__all__ = [
    "MECHANISM",
    "BudgetShares",
    "MarginalColumn",
    "MarginalsError",
    "MarginalsRelease",
    "MarginalsSchema",
    "MarginalsSettings",
    "draw",
    "one_row_per_person",
    "price",
]


def price(settings: MarginalsSettings, schema: MarginalsSchema) -> Charge:
    """What ``draw`` will cost: the sum of OpenDP's privacy maps of the steps that run.

    Raises:
        MarginalsError: if no release is possible with these settings.
    """
    return plan_release(settings, schema).charge


def draw(frame: pd.DataFrame, settings: MarginalsSettings, schema: MarginalsSchema) -> MarginalsRelease:
    """Draw the release. Costs ``price(settings, schema)`` each time it is called.

    Args:
        frame: one row per person.
        settings: budget and publication.
        schema: columns.

    Raises:
        MarginalsError: if no release is possible, or a column is missing or of another kind than declared.
        hrtech.counts.EncodingError: if a value is outside its declared values. Both are raised before any
            noise is drawn, and name columns and record numbers only.
    """
    chooser = np.random.Generator(np.random.PCG64(secrets.randbits(128)))
    return _draw(frame, settings, schema, discrete_noise.OpenDPNoise(), chooser)


def _draw(
    frame: pd.DataFrame,
    settings: MarginalsSettings,
    schema: MarginalsSchema,
    noise: discrete_noise.Noise,
    chooser: np.random.Generator,
) -> MarginalsRelease:
    """The mechanism with its two sources of randomness as arguments: the seam for tests.

    No setting, component or resource reaches this function; ``draw`` is the only caller outside tests.
    """
    plan = plan_release(settings, schema)
    encoded = limit_attributes(_encoded(frame, schema), plan.cap, chooser)
    noisy_people = int(noise.vector(np.array([len(frame)]), plan.scales["people"])[0])
    if plan.threshold is not None:
        vocabulary = _private_vocabulary(encoded, settings, schema, plan, noise)
        encoded = restrict_values(encoded, vocabulary)
    else:
        vocabulary = {}
    columns = tuple(
        MarginalColumn(c.name, vocabulary.get(c.name, c.values), c.multi_valued) for c in schema.columns
    )
    measured = _measure(encoded, noisy_people, settings, plan, noise)
    people_width = discrete_noise.half_width(plan.scales["people"], settings.confidence)
    return MarginalsRelease(
        aggregates=_published(measured, encoded, settings),
        people=max(noisy_people, 0),
        people_low=max(noisy_people - people_width, 0),
        people_high=max(noisy_people + people_width, 0),
        people_sd=plan.scales["people"],
        columns=columns,
        parameters=_parameters(settings, plan, measured),
        warnings=_warnings(settings, plan, noisy_people),
    )


def _encoded(frame: pd.DataFrame, schema: MarginalsSchema) -> Encoded:
    names = [c.name for c in schema.columns]
    missing = [n for n in names if n not in frame.columns]
    if missing:
        raise MarginalsError(f"columns: the table has no column {', '.join(missing)}")
    table = frame[names].copy(deep=False)
    for column in schema.columns:
        if column.multi_valued and table[column.name].isna().all():
            table[column.name] = pd.Series([None] * len(table), dtype=LIST_DTYPE, index=table.index)
        if column.multi_valued != is_multi_valued(table[column.name]):
            kinds = ("one value", "a list of values")
            raise MarginalsError(
                f"column {column.name}: declared to hold {kinds[column.multi_valued]} per person, but the table "
                f"holds {kinds[not column.multi_valued]}"
            )
    return encode(table, names, domains={c.name: c.values for c in schema.columns if c.values is not None})


def _private_vocabulary(
    encoded: Encoded,
    settings: MarginalsSettings,
    schema: MarginalsSchema,
    plan: Plan,
    noise: discrete_noise.Noise,
) -> dict[str, tuple[str, ...]]:
    """Values of the undeclared columns whose noisy count reaches the threshold."""
    undeclared = {c.name for c in schema.undeclared}
    singles = count_combinations(encoded, 1, min_count=1, max_cells=len(encoded.items) + 1)
    # ASCII keys: a zero byte or a lone surrogate must not change what OpenDP sees
    held = {
        json.dumps(singles.items[k]): int(n)
        for (k,), n in zip(singles.cells[1].tolist(), singles.counts[1], strict=True)
        if singles.items[k][0] in undeclared
    }
    noisy = noise.above_threshold(held, plan.scales["vocabulary"], plan.threshold or 0)
    kept = sorted(noisy, key=lambda key: (-noisy[key], key))[: settings.max_vocabulary]
    found: dict[str, list[str]] = {name: [] for name in undeclared}
    for column, value in map(json.loads, kept):
        found[column].append(value)
    return {name: tuple(sorted(values)) for name, values in found.items()}


def _measure(
    encoded: Encoded, people: int, settings: MarginalsSettings, plan: Plan, noise: discrete_noise.Noise
) -> NoisyMarginals:
    """Noisy counts of every valid cell."""
    exact = count_combinations(
        encoded, settings.reporting_length, min_count=0, max_cells=settings.max_cells + len(encoded.items)
    )
    items = noise.vector(exact.counts[1], plan.scales["length_1"])
    pairs, pair_counts = np.zeros((0, 2), dtype=np.int32), np.zeros(0, dtype=np.int64)
    if "length_2" in plan.scales:
        pairs, pair_counts = exact.cells[2], noise.vector(exact.counts[2], plan.scales["length_2"])
    return NoisyMarginals(
        people=people,
        column_of=np.repeat(np.arange(len(encoded.columns)), [len(c.values) for c in encoded.columns]),
        single=np.array([not c.multi_valued for c in encoded.columns]),
        items=items,
        items_sd=plan.scales["length_1"],
        pairs=pairs,
        pair_counts=pair_counts,
        pairs_sd=plan.scales.get("length_2", 0.0),
    )


def _published(measured: NoisyMarginals, encoded: Encoded, settings: MarginalsSettings) -> pd.DataFrame:
    """Published cells with intervals from the known noise around what was measured."""
    items, pairs = consistent_counts(measured, settings.publish_above)
    parts = []
    for length, cells, noisy, counts, sd in (
        (1, np.arange(len(items))[:, None], measured.items, items, measured.items_sd),
        (2, measured.pairs, measured.pair_counts, pairs, measured.pairs_sd),
    ):
        width = discrete_noise.half_width(sd, settings.confidence) if len(cells) else 0
        shown = np.flatnonzero(counts > 0)
        parts.append(_rows(length, encoded, cells[shown], counts[shown], noisy[shown], width, sd))
    return pd.concat(parts, ignore_index=True)


def _rows(
    length: int,
    encoded: Encoded,
    cells: NDArray[np.integer],
    counts: NDArray[np.int64],
    noisy: NDArray[np.int64],
    width: int,
    sd: float,
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "length": np.full(len(counts), length, dtype=np.int64),
            "attributes": render_cells(encoded.items, cells),
            "count": counts,
            # consistency may move a count out of its interval: the interval then reaches to it
            "low": np.minimum(np.maximum(noisy - width, 0), counts),
            "high": np.maximum(noisy + width, counts),
            "sd": np.full(len(counts), sd),
        }
    )


def _parameters(settings: MarginalsSettings, plan: Plan, measured: NoisyMarginals) -> dict[str, Any]:
    return {
        "mechanism": MECHANISM,
        "settings": asdict(settings),
        "attributes_per_person": plan.cap,
        "noise_sd": dict(plan.scales),
        "vocabulary_threshold": plan.threshold,
        "rho": plan.charge.rho,
        "delta": plan.charge.delta,
        "cells": {"1": len(measured.items), "2": len(measured.pairs)},
        "false_share_of_empty_cells": 1 - NormalDist().cdf(settings.publish_above),
    }


def _warnings(settings: MarginalsSettings, plan: Plan, people: int) -> tuple[str, ...]:
    found = []
    if settings.delta * max(people, 1) >= 1:
        found.append(
            f"delta = {settings.delta:g} is not below 1 / people (about {max(people, 1)}): somebody's whole row could "
            f"be revealed within the promise"
        )
    if plan.cap_is_declared:
        found.append(
            f"at most {plan.cap} attributes of a person count; where people hold more, counts are too low and the "
            f"intervals do not say so"
        )
    return tuple(found)
