"""The records nearest to a person: synthetic ones, and other people's, on equal terms."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtech.release.attacks.outcome import ATTACKS, CONFIDENCE, Attack, sample, wilson
from hrtech.release.comparison import (
    Reference,
    Rows,
    column_distance,
    distance_blocks,
    encode_alike,
    row_ids,
    rows_of,
    without_own,
)
from hrtech.release.declared import ReleaseError, ReleaseSchema
from hrtech.release.evaluation import percent

#: How many people the finding of one speaks for.
_SHARED = 2


@dataclass(frozen=True)
class Pair:
    """People under attack, and equally many synthetic records and other people to look into.

    Attributes:
        rows: Both tables as codes.
        people: Codes of all people, shape (people, columns).
        synthetic: Synthetic records looked into.
        others: People looked into.
        own: Which of `others` each person is; -1 for who is not among them.
    """

    rows: Rows
    people: NDArray[np.int32]
    synthetic: Reference
    others: Reference
    own: NDArray[np.int64]

    @classmethod
    def of(
        cls, people: pd.DataFrame, synthetic: pd.DataFrame, schema: ReleaseSchema, rng: np.random.Generator
    ) -> "Pair":
        """Lay people and synthetic records side by side; of the more numerous, as many as of the others."""
        if len(people) < 2 or not len(synthetic):
            raise ReleaseError("attack: needs two people or more and a synthetic record")
        rows = rows_of(encode_alike([people, synthetic], schema))
        every, made = rows.tables
        size = min(len(every), len(made))
        looked = sample(len(every), size, rng)
        others = Reference.of(every[looked])
        own = np.full(len(every), -1, dtype=np.int64)
        own[looked] = others.of_row
        return cls(rows, every, Reference.of(made[sample(len(made), size, rng)]), others, own)

    def alike(self, targets: NDArray[np.int64], columns: Sequence[int]) -> NDArray[np.int64]:
        """How many other records, of people and synthetic, equal each target in some columns."""
        parts = [self.people[targets], self.others.codes, self.synthetic.codes]
        ids = row_ids(np.vstack(parts)[:, list(columns)])
        weight = np.concatenate([np.zeros(len(targets)), self.others.weight, self.synthetic.weight])
        held = np.bincount(ids, weights=weight)[ids[: len(targets)]]
        return (held - (self.own[targets] >= 0)).astype(np.int64)


def nearest_guesses(
    rows: Rows,
    targets: NDArray[np.int32],
    reference: Reference,
    own: NDArray[np.int64],
    given: Sequence[int],
    sensitive: Sequence[int],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """What most of the nearest records hold, and the share of them that holds the truth.

    Args:
        rows: Tables that the codes come from.
        targets: Codes, shape (targets, columns).
        reference: Records to look into.
        own: Which of them is a target's own and does not count, -1 for none.
        given: Columns known.
        sensitive: Columns to guess; one that is among those known does not count for itself.

    Returns:
        Codes guessed and shares, both of shape (sensitive, targets). Ties go to what is more frequent in all.
    """
    guess = np.zeros((len(sensitive), len(targets)), dtype=np.int64)
    attribution = np.zeros((len(sensitive), len(targets)))
    for block, total in distance_blocks(rows, targets, reference, given):
        who, mine = targets[block], own[block]
        at = np.arange(len(who))
        again = np.flatnonzero((mine >= 0) & (reference.weight[mine] > 1))
        for k, column in enumerate(sensitive):
            distance = (
                total - column_distance(rows, who, reference, column) if column in given else total.copy()
            )
            without_own(distance, reference, mine)
            target, near = np.nonzero(distance == distance.min(axis=1)[:, None])
            codes, size = reference.codes[:, column], rows.size(column)
            votes = np.bincount(
                target * size + codes[near], weights=reference.weight[near], minlength=len(who) * size
            ).reshape(len(who), size)
            votes[again, codes[mine[again]]] -= 1
            overall = np.bincount(codes, weights=reference.weight, minlength=size)
            guess[k, block] = np.argmax(votes + overall / (overall.sum() + 1), axis=1)
            attribution[k, block] = votes[at, who[:, column]] / votes.sum(axis=1)
    return guess, attribution


def closest_records(
    people: pd.DataFrame,
    synthetic: pd.DataFrame,
    schema: ReleaseSchema,
    *,
    rng: np.random.Generator,
    attacks: int = ATTACKS,
    confidence: float = CONFIDENCE,
) -> Attack:
    """Whether synthetic records lie nearer to people than other people do: membership, without a holdout.

    For each person, the distance to the closest synthetic record against that to the closest other person. If the
    synthetic records were other people, either would be the nearer one in half of the cases that are not equal
    (nearest-neighbour adversarial accuracy: Yale et al., Neurocomputing 2020). Synthetic records that are worse than
    other people are farther off, and so can hide some that are copies.

    Args:
        people: One row per person, typed as the schema says.
        synthetic: Synthetic records, typed alike; as many of these as of the people are used.
        schema: The columns.
        rng: Chooses the people.
        attacks: Most people looked at.
        confidence: Of the interval: Wilson, as if of half as many people. Neighbours are mutual and shared, so what is
            found for one is found for another too (the variance of such statistics: Henze, Ann. Statist. 1988).

    Returns:
        Table of one row: `people`, of whom `nearer`, `equal`, `farther` is the closest synthetic record;
        `nearer_share` of those not equal, `low`, `high`; `same_share`, the people with a synthetic record equal to
        theirs, `same_others_share` with another person's.

    Raises:
        ReleaseError: A column is missing or of another kind, or there are no two people or no synthetic record.
    """
    pair = Pair.of(people, synthetic, schema, rng)
    targets = sample(len(people), attacks, rng)
    columns = list(range(len(schema.columns)))
    theirs, ours = (
        np.concatenate(
            [
                without_own(distance, reference, own[block]).min(axis=1)
                for block, distance in distance_blocks(pair.rows, pair.people[targets], reference, columns)
            ]
        )
        for reference, own in (
            (pair.synthetic, np.full(len(targets), -1)),
            (pair.others, pair.own[targets]),
        )
    )
    nearer, farther = int((theirs < ours).sum()), int((theirs > ours).sum())
    low, high = wilson(nearer / _SHARED, (nearer + farther) / _SHARED, confidence)
    share = nearer / (nearer + farther) if nearer + farther else float("nan")
    table = pd.DataFrame(
        {
            "people": [len(targets)],
            "nearer": nearer,
            "equal": len(targets) - nearer - farther,
            "farther": farther,
            "nearer_share": share,
            "low": low,
            "high": high,
            "same_share": (theirs == 0).mean(),
            "same_others_share": (ours == 0).mean(),
        }
    )
    verdict = "more than chance: they follow people" if low > 0.5 else "no more than other people would"
    said = (
        f"Where one is nearer than the other, a synthetic record is nearer to a person than any other person is in "
        f"{percent(share)} of the cases ({percent(low)} to {percent(high)}), {verdict}."
        if nearer + farther
        else "Every person is as near to a synthetic record as to another person."
    )
    return Attack(table, bool(low > 0.5), (said,))
