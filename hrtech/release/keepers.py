"""All attacks on a release at once, as one table for the data's keepers. Restricted."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hrtech.facts.frames import rows
from hrtech.release.attacks import attribute_inference, closest_records, singling_out
from hrtech.release.declared import ReleaseSchema

#: People attacked; more sharpens the intervals and takes longer.
ATTACKS = 1000
COLUMNS = ("attack", "subject", "attempts", "share", "excess", "excess_low", "excess_high", "leak")


def run_attacks(
    people: pd.DataFrame,
    synthetic: pd.DataFrame | None,
    schema: ReleaseSchema,
    sensitive: Sequence[str],
    *,
    rng: np.random.Generator,
    attacks: int = ATTACKS,
) -> pd.DataFrame:
    """Attack synthetic records in every way that needs no holdout.

    Args:
        people: One row per person, typed as the schema says.
        synthetic: Synthetic records; without any nothing is attacked.
        schema: The columns.
        sensitive: Columns that an attacker wants to infer; all by default.
        rng: Chooses people and predicates.
        attacks: Most attempts of each kind.

    Returns:
        `attack`, `subject`, `attempts`, `share` (of successful ones), `excess` over the same attack with what cannot
        know the person, its interval, and `leak`: whether the excess cannot be explained by chance.
    """
    if synthetic is None or len(people) < 2 or not len(synthetic):
        return pd.DataFrame(columns=list(COLUMNS))
    names = list(sensitive) or [c.name for c in schema.columns]
    inferred = attribute_inference(people, synthetic, schema, names, rng=rng, attacks=attacks)
    found = [
        ("attribute inference", f"{row['column']} ({row['group']})", row["attacks"], row["right_share"], row)
        for row in rows(inferred.table)
        if row["group"] != "holders"
    ]
    single = singling_out(people, synthetic, schema, rng=rng, attacks=attacks)
    found += [
        ("singling out", f"{row['length']} attributes", row["predicates"], row["share"], row)
        for row in rows(single.table)
        if row["attacker"] == "as many synthetic records"
    ]
    near = closest_records(people, synthetic, schema, rng=rng, attacks=attacks)
    found += [
        # half of the cases that are not equal would be nearer by chance
        (
            "membership by the closest record",
            "whole records",
            row["nearer"] + row["farther"],
            row["nearer_share"],
            {
                "excess": row["nearer_share"] - 0.5,
                "excess_low": row["low"] - 0.5,
                "excess_high": row["high"] - 0.5,
            },
        )
        for row in rows(near.table)
        if row["nearer"] + row["farther"]
    ]
    return pd.DataFrame(
        [
            (
                attack,
                subject,
                int(attempts),
                share,
                row["excess"],
                row["excess_low"],
                row["excess_high"],
                bool(row["excess_low"] > 0),
            )
            for attack, subject, attempts, share, row in found
        ],
        columns=list(COLUMNS),
    )
