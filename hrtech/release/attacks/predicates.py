"""Singling out: attributes that exactly one person has."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtech.counts.encoding import ROWS_PER_WORD, pack_bits
from hrtech.facts.frames import rows
from hrtech.release.attacks.outcome import ATTACKS, CONFIDENCE, Attack, sample, wilson
from hrtech.release.comparison import attribute_matrix, encode_alike
from hrtech.release.declared import ReleaseError, ReleaseSchema
from hrtech.release.evaluation import percent

_AT_ONCE = 128
#: How often a record that is not yet singled out is tried again.
_ROUNDS = 12


def singling_out(
    people: pd.DataFrame,
    synthetic: pd.DataFrame,
    schema: ReleaseSchema,
    *,
    rng: np.random.Generator,
    lengths: Sequence[int] = (2, 3, 4, 6),
    attacks: int = ATTACKS,
    confidence: float = CONFIDENCE,
) -> Attack:
    """Name attributes that exactly one person has, from what exactly one synthetic record has.

    The attacker takes combinations of attributes held by one synthetic record, at most one of each record, and claims
    "there is exactly one such person" (multivariate predicates of Giomi, Boenisch, Wehmeyer and Tasnádi, PoPETs 2023).
    `random attributes` are the baseline: values of different columns drawn uniformly. That alone would blame every good
    release, since who is unlike others in one sample often is in another: with luck and no release at all one
    predicate in three isolates (37 %; Cohen and Nissim, PNAS 2020). So the control is fairer: the people are divided
    in halves at random, and those of the one half are singled out with predicates unique in the other (`other
    people`), and with predicates unique among as many synthetic records (`as many synthetic records`). Of other people
    from the same population both would succeed equally often.

    Args:
        people: One row per person, typed as the schema says.
        synthetic: Synthetic records, typed alike.
        schema: The columns.
        rng: Draws predicates and halves.
        lengths: Numbers of attributes of a predicate.
        attacks: Most predicates per length and attacker.
        confidence: Of the intervals: Wilson for shares, and for `excess` Newcombe (Statistics in Medicine 1998), the
            latter together over all lengths (Bonferroni).

    Returns:
        Table per `length` and `attacker` (the four above): `predicates`, of them `singled_out` exactly one person;
        `share`, `low`, `high`; on rows `as many synthetic records` also `excess`, `excess_low`, `excess_high` over
        `other people`.

    Raises:
        ReleaseError: A column is missing or of another kind, or there are no two people or no synthetic record.
    """
    if len(people) < 2 or not len(synthetic):
        raise ReleaseError("attack: needs two people or more and a synthetic record")
    encoded = encode_alike([people, synthetic], schema)
    every, made = (attribute_matrix(e) for e in encoded)
    column_of = np.repeat(np.arange(len(schema.columns)), [len(c.values) for c in encoded[0].columns])
    if not len(column_of):
        raise ReleaseError("attack: no record holds an attribute")
    shuffled = rng.permutation(len(every))
    half = min(len(every) // 2, len(made))
    one, other = every[shuffled[:half]], every[shuffled[half:]]
    some = made[sample(len(made), half, rng)]
    outcomes = []
    for length in lengths:
        for attacker, source, target in (
            ("synthetic records", made, every),
            ("random attributes", None, every),
            ("as many synthetic records", some, other),
            ("other people", one, other),
        ):
            predicates = (
                _random_predicates(column_of, length, attacks, rng)
                if source is None
                else _unique_predicates(source, length, attacks, rng)
            )
            alone = int((_counts(_packed(target), predicates) == 1).sum())
            low, high = wilson(alone, len(predicates), confidence)
            outcomes.append(
                {
                    "length": length,
                    "attacker": attacker,
                    "predicates": len(predicates),
                    "singled_out": alone,
                    "share": alone / len(predicates) if len(predicates) else float("nan"),
                    "low": low,
                    "high": high,
                }
            )
    table = _with_control(pd.DataFrame(outcomes), 1 - (1 - confidence) / max(len(lengths), 1))
    return Attack(table, bool((table["excess_low"] > 0).any()), _singling_out_says(table))


def _with_control(table: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Differences between as many synthetic records and other people, by Newcombe's hybrid score interval."""
    differences = []
    for _, part in table.groupby("length", sort=False):
        attack, control = (
            part.loc[part["attacker"] == name].iloc[0]
            for name in ("as many synthetic records", "other people")
        )
        if not attack["predicates"] or not control["predicates"]:
            differences.append((attack.name, np.nan, -1.0, 1.0))  # nothing to go by
            continue
        p, q = attack["share"], control["share"]
        p_low, p_high = wilson(attack["singled_out"], attack["predicates"], confidence)
        q_low, q_high = wilson(control["singled_out"], control["predicates"], confidence)
        below, above = np.hypot(p - p_low, q_high - q), np.hypot(p_high - p, q - q_low)
        differences.append((attack.name, p - q, p - q - below, p - q + above))
    columns = ["excess", "excess_low", "excess_high"]
    index = [d[0] for d in differences]
    return table.join(pd.DataFrame([d[1:] for d in differences], index=index, columns=columns))


def _singling_out_says(table: pd.DataFrame) -> tuple[str, ...]:
    said = []
    for length, part in table.groupby("length", sort=False):
        of = {row["attacker"]: row for row in rows(part)}
        main, fair = of["synthetic records"], of["as many synthetic records"]
        if not main["predicates"]:
            said.append(
                f"No synthetic record alone has {length} attributes together: they single out nobody."
            )
            continue
        leak = fair["excess_low"] > 0
        said.append(
            f"{length} attributes that one synthetic record alone has single out a person in {percent(main['share'])} "
            f"of the cases ({percent(main['low'])} to {percent(main['high'])}), random ones in "
            f"{percent(of['random attributes']['share'])}. On equal terms it is {percent(fair['share'])}, and "
            f"{percent(of['other people']['share'])} with what one of the other people alone has: "
            + ("the synthetic records repeat people." if leak else "no more than other people give away.")
        )
    return tuple(said)


def _random_predicates(
    column_of: NDArray[np.int64], length: int, most: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Attributes of different columns, columns and then values drawn uniformly; shape (predicates, length)."""
    columns, first, number = np.unique(column_of, return_index=True, return_counts=True)
    if length > len(columns):
        return np.zeros((0, length), dtype=np.int64)
    chosen = np.argsort(rng.random((most, len(columns))), axis=1)[:, :length]
    return first[chosen] + (rng.random(chosen.shape) * number[chosen]).astype(np.int64)


def _unique_predicates(
    source: NDArray[np.bool_], length: int, most: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Combinations that one record alone has, found by drawing attributes of records; at most one of each record."""
    packed = _packed(source)
    left = rng.permutation(np.flatnonzero(source.sum(axis=1) >= length))
    found = np.zeros((0, length), dtype=np.int64)
    for _ in range(_ROUNDS):
        if len(found) >= most or not len(left):
            break
        drawn = np.where(source[left], rng.random((len(left), source.shape[1])), 2.0)
        cells = np.sort(np.argpartition(drawn, length - 1, axis=1)[:, :length], axis=1)
        alone = _counts(packed, cells) == 1
        found, left = np.vstack([found, cells[alone]]), left[~alone]
    return found[:most]


def _counts(packed: NDArray[np.uint64], cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many records hold each combination (shape (combinations, length)), from packed bit vectors."""
    counts = np.zeros(len(cells), dtype=np.int64)
    for start in range(0, len(cells), _AT_ONCE):
        block = cells[start : start + _AT_ONCE]
        held = packed[block[:, 0]]
        for k in range(1, block.shape[1]):
            held &= packed[block[:, k]]
        counts[start : start + _AT_ONCE] = np.bitwise_count(held).sum(axis=1)
    return counts


def _packed(held: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Bit vectors of attributes, shape (attributes, words), from who holds what, shape (rows, attributes)."""
    return pack_bits(held.T, -(-len(held) // ROWS_PER_WORD))
