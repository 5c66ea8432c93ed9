"""Registers in, entities out: the whole of a linkage in one call.

The result names no threshold that nobody stated, says what it could not do (`notes`), and gives for each pair the
reason in words that quote no value.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hrtech.linkage.blocking import Rule, check_bound, counted_rules, rules_of
from hrtech.linkage.calibrate import calibrated, other_readings
from hrtech.linkage.cluster import Linkage, agglomerate, entity_ids
from hrtech.linkage.comparisons import UNLIKE, Aliases, Comparison
from hrtech.linkage.constraints import Constraints, chains, constraints_of
from hrtech.linkage.evaluate import estimated_quality
from hrtech.linkage.fit import Weighed, fitted
from hrtech.linkage.model import Splink, Vectors
from hrtech.linkage.pairs import reached_by
from hrtech.linkage.registers import Prepared, prepare
from hrtech.linkage.spec import LinkageSpec
from hrtech.linkage.weigh import parameter_table, parts, prior_bits, probability, rarity_table, splink_values

Scorer = Callable[[Prepared, tuple[Rule, ...], LinkageSpec], Weighed]

_LOWEST_REPORTED = 0.01
_LEAST_COUNTED = 1e-4


@dataclass(frozen=True)
class LinkageResult:
    """What a linkage found.

    Attributes:
        pairs: Scored pairs with probability of at least .01, strongest first: `register_l, record_l, register_r,
            record_r, match_weight` (bits), `match_probability, joined, reason`, and `weight_prior` and one
            `weight_<comparison>` each, and `weight_calibration`, which add up to the match weight.
        entities: One row per record: `register, record_id, entity_id, match_probability` (of the strongest link
            that holds the record in its entity; missing for a record alone), `unjudged_entity_id` (its entity if
            nobody had judged anything).
        parameters: Per level of each comparison `comparison, level, m, u, weight, trained`.
        quality: Estimated without labels: `measure, estimate, low, high`.
        unlinkables: Records whose fields are too few to reach the threshold even against a perfect copy:
            `register, record_id, best_weight`.
        blocking: `rule, pairs`.
        threshold: Match probability from which pairs speak for joining.
        criterion: How the threshold came about.
        prior: Probability that two random records match.
        candidates: Number of pairs scored.
        notes: What was left out, unreadable or untrained.
        contradictions: Judgements that contradict one another or the declaration: `register_l, record_l,
            register_r, record_r, decision, contradiction`.
        model: Splink settings with the trained parameters, to score further records with.
        records: The records as they were compared: `register, record_id` and the normalised fields.
        rarity: Term frequencies that belong to the model: `column, value, share`.
        aliases: Per field the variants that were learned to stand for others (a level of agreement of their own).
    """

    pairs: pd.DataFrame
    entities: pd.DataFrame
    parameters: pd.DataFrame
    quality: pd.DataFrame
    unlinkables: pd.DataFrame
    blocking: pd.DataFrame
    threshold: float
    criterion: str
    prior: float
    candidates: int
    notes: tuple[str, ...]
    contradictions: pd.DataFrame
    model: dict[str, Any]
    records: pd.DataFrame
    rarity: pd.DataFrame
    aliases: Aliases


def link_registers(
    registers: Mapping[str, pd.DataFrame],
    spec: LinkageSpec,
    judgements: pd.DataFrame | None = None,
    *,
    scorer: Scorer | None = None,
) -> LinkageResult:
    """Find the records that are about the same entity.

    Args:
        registers: Name to table; the id column of each is named in the declaration.
        spec: The declaration.
        judgements: What people decided about pairs, the latest decision of each: `register_l, record_l, register_r,
            record_r, decision` ("same", "different", "unsure"). They hold whatever the weights say.
        scorer: Weighs the pairs; by default a model is trained and weighs all that the rules reach.

    Raises:
        LinkageError: Registers, judgements and declaration do not fit, or the rules make more pairs than the bound.
    """
    prepared = prepare(registers, spec)
    constraints = constraints_of(prepared.records, judgements, spec.duplicate_free)
    rules = rules_of(prepared, spec)
    blocking = counted_rules(prepared, rules, spec)
    check_bound(blocking, spec)
    threshold = 0.5 if spec.threshold is None else spec.threshold
    at = prior_bits(threshold)

    def grouped(vectors: Vectors, weight: np.ndarray, comparisons: list[Comparison]) -> np.ndarray:
        return _groups(prepared, vectors, weight - at, comparisons, spec, constraints).labels

    if scorer is None:
        found, _ = fitted(prepared, rules, spec, grouped)
    else:
        found = scorer(prepared, rules, spec)
    vectors, compared = found.vectors, found.comparisons
    linkage = _groups(prepared, vectors, found.weight - at, compared, spec, constraints)
    labels = linkage.labels
    unjudged = labels
    if len(constraints.together) or len(constraints.apart):
        unjudged = _groups(prepared, vectors, found.weight - at, compared, spec, Constraints()).labels
    weight = calibrated(vectors, found.weight, linkage, at)
    readings = [weight, *other_readings(vectors, found.weight, linkage, at)]
    never = unlike(vectors, compared) & (labels[vectors.left] != labels[vectors.right])
    for reading in readings:
        reading[never] = -np.inf
    ids = entity_ids(prepared.records, labels)
    with Splink(prepared, compared, spec) as splink:
        model = splink.settings(splink_values(compared, found.model), found.model.prior)
        itself = np.arange(len(labels))
        copies = splink.vectors(itself, itself)
    best = np.sum(list(parts(copies, compared, found.model).values()), axis=0) + prior_bits(found.model.prior)
    unlinkable = np.flatnonzero(best < at)
    return LinkageResult(
        pairs=_named_pairs(prepared, found, weight, labels),
        entities=_entities(prepared, vectors, weight, labels, ids).assign(
            unjudged_entity_id=entity_ids(prepared.records, unjudged)
        ),
        parameters=parameter_table(compared, found.model),
        quality=_quality(found, readings, labels, rules, spec),
        unlinkables=prepared.records[["register", "record_id"]]
        .take(unlinkable)
        .assign(best_weight=best[unlinkable])
        .reset_index(drop=True),
        blocking=blocking,
        threshold=threshold,
        criterion=(
            "declared in the study"
            if spec.threshold is not None
            else "one half: a wrong join and a missed one are equally likely there (fewest expected wrong decisions)"
        ),
        prior=found.model.prior,
        candidates=len(vectors),
        notes=(*prepared.notes, *constraints.notes, *_untrained(found)),
        contradictions=constraints.contradictions,
        model=model,
        records=prepared.records,
        rarity=rarity_table(prepared.records, compared, found.model),
        aliases=found.aliases,
    )


def _untrained(found: Weighed) -> list[str]:
    """Name the comparisons that nothing taught, or that were taught on some of their levels only."""
    notes = []
    for name, seen in found.model.trained.items():
        if not seen.any():
            notes.append(f"comparison {name} was not trained: no match was seen that it says anything about")
        elif not seen.all():
            notes.append(
                f"comparison {name}: {int((~seen).sum())} of {len(seen)} levels were seen in no match"
            )
    return notes


def _groups(
    prepared: Prepared,
    vectors: Vectors,
    weight: np.ndarray,
    comparisons: list[Comparison],
    spec: LinkageSpec,
    constraints: Constraints,
) -> Linkage:
    names = prepared.records["register"].tolist()
    single = set(spec.duplicate_free)
    return agglomerate(
        vectors.left,
        vectors.right,
        weight,
        len(names),
        [name if name in single else None for name in names],
        unlike(vectors, comparisons),
        together=constraints.together,
        apart=constraints.apart,
    )


def unlike(vectors: Vectors, comparisons: list[Comparison]) -> np.ndarray:
    """Mark the pairs that are unlike in an essential field: declared no match, whatever the rest says."""
    marked = np.zeros(len(vectors), dtype=bool)
    for one in comparisons:
        if one.essential:
            numbers = [number for number, label in _labels(one).items() if label in UNLIKE]
            marked |= np.isin(vectors.outcome[one.name], numbers)
    return marked


def _labels(one: Comparison) -> dict[int, str]:
    names = [level["label_for_charts"] for level in one.levels]
    return {-1: names[0]} | dict(enumerate(names[:0:-1]))


def _named_pairs(prepared: Prepared, found: Weighed, weight: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    shown = np.flatnonzero(probability(weight) >= _LOWEST_REPORTED)
    order = np.lexsort((found.vectors.right[shown], found.vectors.left[shown], -weight[shown]))
    shown = shown[order]
    records, vectors = prepared.records, found.vectors.take(shown)
    named: dict[str, object] = {}
    for side, rows in (("l", vectors.left), ("r", vectors.right)):
        named[f"register_{side}"] = records["register"].take(rows).to_numpy()
        named[f"record_{side}"] = records["record_id"].take(rows).to_numpy()
    own = {one.name: found.parts[one.name][shown].astype(float) for one in found.comparisons}
    prior = prior_bits(found.model.prior)
    result = pd.DataFrame(named).astype("str")
    result["match_weight"] = weight[shown]
    result["match_probability"] = probability(weight[shown])
    result["joined"] = labels[vectors.left] == labels[vectors.right]
    result["reason"] = _reasons(vectors, own, found.comparisons)
    result["weight_prior"] = prior
    for name, bits in own.items():
        result[f"weight_{name}"] = bits
    result["weight_calibration"] = weight[shown] - prior - np.sum(list(own.values()), axis=0)
    return result


def _reasons(vectors: Vectors, own: Mapping[str, np.ndarray], comparisons: list[Comparison]) -> pd.Series:
    """Say per pair what speaks for and against, strongest first, as `field: level (+bits)`."""
    if not len(vectors):
        return pd.Series(dtype="str")
    names = [one.name for one in comparisons]
    called = [_labels(one) for one in comparisons]
    weights = np.stack([own[name] for name in names], axis=1).round(1)
    outcomes = np.stack([vectors.outcome[name] for name in names], axis=1)
    order = np.argsort(-np.abs(weights), axis=1, kind="stable")
    lines = [
        "; ".join(f"{names[i]}: {called[i][level[i]]} ({bits[i]:+.1f})" for i in row if level[i] >= 0)
        for row, bits, level in zip(order.tolist(), weights.tolist(), outcomes.tolist(), strict=True)
    ]
    return pd.Series(lines, dtype="str")


def _entities(
    prepared: Prepared, vectors: Vectors, weight: np.ndarray, labels: np.ndarray, ids: pd.Series
) -> pd.DataFrame:
    held = labels[vectors.left] == labels[vectors.right]
    best = np.full(len(labels), np.nan)
    for side in (vectors.left, vectors.right):
        np.fmax.at(best, side[held], probability(weight[held]))
    return prepared.records[["register", "record_id"]].assign(entity_id=ids, match_probability=best)


def _quality(
    found: Weighed, readings: list[np.ndarray], labels: np.ndarray, rules: tuple[Rule, ...], spec: LinkageSpec
) -> pd.DataFrame:
    chances = [probability(reading) for reading in readings]
    joined = labels[found.vectors.left] == labels[found.vectors.right]
    kept = np.flatnonzero(joined | (np.max(chances, axis=0) > _LEAST_COUNTED))
    left, right = found.vectors.left[kept], found.vectors.right[kept]
    component = chains(np.stack([left, right], axis=1), len(labels))
    reached = np.full(len(kept), -1) if () in rules else reached_by((left, right), found.keys)
    return estimated_quality(
        [chance[kept] for chance in chances],
        joined[kept],
        np.unique(component[left], return_inverse=True)[1],
        reached,
        np.random.default_rng(spec.seed),
    )
