"""Registers in, entities out: the whole of a linkage in one call.

The result names no threshold that nobody stated, says what it could not do (`notes`), and gives for each pair the
reason in words that quote no value.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hrtech.linkage.blocking import Rule, check_bound, count_pairs, key_of, rules_of
from hrtech.linkage.cluster import average_linkage, entity_ids
from hrtech.linkage.comparisons import UNLIKE, Comparison, comparisons_of
from hrtech.linkage.constraints import Constraints, constraints_of
from hrtech.linkage.evaluate import estimated_quality
from hrtech.linkage.model import Scored, score_pairs
from hrtech.linkage.registers import Prepared, prepare
from hrtech.linkage.spec import LinkageSpec


@dataclass(frozen=True)
class LinkageResult:
    """What a linkage found.

    Attributes:
        pairs: Scored pairs with probability of at least .01, strongest first: `register_l, record_l, register_r,
            record_r, match_weight` (bits), `match_probability, joined, reason`, and `weight_prior` and one
            `weight_<comparison>` each, which add up to the match weight.
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


def link_registers(
    registers: Mapping[str, pd.DataFrame], spec: LinkageSpec, judgements: pd.DataFrame | None = None
) -> LinkageResult:
    """Find the records that are about the same entity.

    Args:
        registers: Name to table; the id column of each is named in the declaration.
        spec: The declaration.
        judgements: What people decided about pairs, the latest decision of each: `register_l, record_l, register_r,
            record_r, decision` ("same", "different", "unsure"). They hold whatever the weights say.

    Raises:
        LinkageError: Registers, judgements and declaration do not fit, or the rules make more pairs than the bound.
    """
    prepared = prepare(registers, spec)
    constraints = constraints_of(prepared.records, judgements, spec.duplicate_free)
    rules = rules_of(prepared, spec)
    blocking = pd.DataFrame(
        {
            "rule": pd.Series([" + ".join(rule) for rule in rules], dtype="str"),
            "pairs": [count_pairs(prepared.records, rule, spec.mode) for rule in rules],
        }
    )
    check_bound(blocking, spec)
    comparisons = comparisons_of(prepared.records, prepared.fields)
    scored = score_pairs(prepared, comparisons, rules, spec)
    threshold = 0.5 if spec.threshold is None else spec.threshold
    at = float(np.log2(threshold / (1 - threshold)))
    labels = _groups(prepared, scored.pairs, comparisons, at, spec, constraints)
    ids = entity_ids(prepared.records, labels)
    unjudged = labels
    if len(constraints.together) or len(constraints.apart):
        unjudged = _groups(prepared, scored.pairs, comparisons, at, spec, Constraints())
    pairs = _named_pairs(prepared, scored, comparisons, labels)
    return LinkageResult(
        pairs=pairs,
        entities=_entities(prepared, scored.pairs, labels, ids).assign(
            unjudged_entity_id=entity_ids(prepared.records, unjudged)
        ),
        parameters=scored.parameters,
        quality=_quality(prepared, scored.pairs, comparisons, labels, rules, spec),
        unlinkables=_unlinkables(prepared, comparisons, scored, at),
        blocking=blocking,
        threshold=threshold,
        criterion=(
            "declared in the study"
            if spec.threshold is not None
            else "one half: a wrong join and a missed one are equally likely there (fewest expected wrong decisions)"
        ),
        prior=scored.prior,
        candidates=scored.candidates,
        notes=(*prepared.notes, *constraints.notes, *scored.notes),
        contradictions=constraints.contradictions,
        model=scored.model,
        records=prepared.records,
    )


def _groups(
    prepared: Prepared,
    pairs: pd.DataFrame,
    comparisons: list[Comparison],
    at: float,
    spec: LinkageSpec,
    constraints: Constraints,
) -> np.ndarray:
    names = prepared.records["register"].tolist()
    single = set(spec.duplicate_free)
    return average_linkage(
        pairs["left"].to_numpy(),
        pairs["right"].to_numpy(),
        pairs["match_weight"].to_numpy(float) - at,
        len(names),
        [name if name in single else None for name in names],
        _forbidden(pairs, comparisons),
        together=constraints.together,
        apart=constraints.apart,
    )


def _forbidden(pairs: pd.DataFrame, comparisons: list[Comparison]) -> np.ndarray:
    """Mark the pairs that are unlike in an essential field."""
    marked = np.zeros(len(pairs), dtype=bool)
    for one in comparisons:
        if one.essential:
            marked |= pairs[f"level_{one.name}"].isin(UNLIKE).to_numpy()
    return marked


def _named_pairs(
    prepared: Prepared, scored: Scored, comparisons: list[Comparison], labels: np.ndarray
) -> pd.DataFrame:
    pairs, records = scored.pairs, prepared.records
    named: dict[str, object] = {}
    for side, column in (("l", "left"), ("r", "right")):
        rows = pairs[column].to_numpy()
        named[f"register_{side}"] = records["register"].take(rows).to_numpy()
        named[f"record_{side}"] = records["record_id"].take(rows).to_numpy()
    weights = {f"weight_{one.name}": pairs[f"weight_{one.name}"] for one in comparisons}
    result = pd.DataFrame(named).astype("str")
    result["match_weight"] = pairs["match_weight"]
    result["match_probability"] = pairs["match_probability"]
    result["joined"] = labels[pairs["left"]] == labels[pairs["right"]]
    result["reason"] = _reasons(pairs, comparisons)
    result["weight_prior"] = float(np.log2(scored.prior / (1 - scored.prior)))
    return result.assign(**weights)


def _reasons(pairs: pd.DataFrame, comparisons: list[Comparison]) -> pd.Series:
    """Say per pair what speaks for and against, strongest first, as `field: level (+bits)`."""
    if pairs.empty:
        return pd.Series(dtype="str")
    names = [one.name for one in comparisons]
    weights = pairs[[f"weight_{name}" for name in names]].round(1).to_numpy()
    levels = pairs[[f"level_{name}" for name in names]].to_numpy()
    order = np.argsort(-np.abs(weights), axis=1, kind="stable")
    lines = [
        "; ".join(f"{names[i]}: {level[i]} ({bits[i]:+.1f})" for i in row if level[i] != "unknown")
        for row, bits, level in zip(order.tolist(), weights.tolist(), levels.tolist(), strict=True)
    ]
    return pd.Series(lines, dtype="str", index=pairs.index)


def _entities(prepared: Prepared, pairs: pd.DataFrame, labels: np.ndarray, ids: pd.Series) -> pd.DataFrame:
    left, right = pairs["left"].to_numpy(), pairs["right"].to_numpy()
    held = labels[left] == labels[right]
    best = np.full(len(labels), np.nan)
    for side in (left, right):
        np.fmax.at(best, side[held], pairs["match_probability"].to_numpy()[held])
    return prepared.records[["register", "record_id"]].assign(entity_id=ids, match_probability=best)


def _quality(
    prepared: Prepared,
    pairs: pd.DataFrame,
    comparisons: list[Comparison],
    labels: np.ndarray,
    rules: tuple[Rule, ...],
    spec: LinkageSpec,
) -> pd.DataFrame:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    left, right = pairs["left"].to_numpy(), pairs["right"].to_numpy()
    size = len(prepared.records)
    _, component = connected_components(
        coo_matrix((np.ones(len(left)), (left, right)), shape=(size, size)), False
    )
    reached = np.zeros(len(pairs), dtype=np.int64)
    for rule in rules:
        codes = pd.factorize(key_of(prepared.records, rule))[0]
        reached += (codes[left] == codes[right]) & (codes[left] >= 0)
    # what is unlike in an essential field is declared no match, whatever the rest says
    probability = np.where(_forbidden(pairs, comparisons), 0.0, pairs["match_probability"])
    return estimated_quality(
        probability,
        labels[left] == labels[right],
        np.unique(component[left], return_inverse=True)[1],
        reached,
        np.random.default_rng(spec.seed),
    )


def _unlinkables(
    prepared: Prepared, comparisons: list[Comparison], scored: Scored, at: float
) -> pd.DataFrame:
    """Weigh each record against a copy of itself; records below the threshold can never be linked."""
    records = prepared.records
    best = pd.Series(float(np.log2(scored.prior / (1 - scored.prior))), index=records.index)
    strongest = scored.parameters.drop_duplicates("comparison").set_index("comparison")
    for one in comparisons:
        m, u = strongest.loc[one.name, ["m", "u"]].to_numpy(float)
        values = one.derived[one.exact] if one.exact in one.derived else records[one.exact]
        share = values.map(values.value_counts(normalize=True)).astype("float64")
        chance = share if "tf_adjustment_column" in one.levels[1] else share.where(share.isna(), u)
        best = best + pd.Series(np.log2(m / chance), index=records.index).fillna(0.0)
    return (
        records.loc[best < at, ["register", "record_id"]]
        .assign(best_weight=best[best < at])
        .reset_index(drop=True)
    )
