"""Scoring in rounds: a first model, then what it teaches, until the pairs are weighed for good."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pandas as pd

from hrtech.linkage.comparisons import Aliases, Comparison, comparisons_of
from hrtech.linkage.keys import Rule, key_of, possible_pairs
from hrtech.linkage.learn import learn_aliases, loose_groups
from hrtech.linkage.model import Splink, Vectors
from hrtech.linkage.pairs import Pairs, codes_of, make_pairs, only_new
from hrtech.linkage.registers import Prepared
from hrtech.linkage.spec import LinkageError, LinkageSpec
from hrtech.linkage.weigh import (
    Parameters,
    counted,
    parts,
    prior_bits,
    probability,
    rarities,
    share_of_matches,
    smoothed,
)

_ROUNDS: Final = 2
_CATEGORY_ROUNDS: Final = 10
_IN_DOUBT: Final = -10.0
"""Match weight (bits) from which a pair tells how often likely namesakes agree in a category."""
_HOPELESS: Final = -25.0
"""Match weight (bits) below which a pair is not weighed again."""

Grouping = Callable[[Vectors, np.ndarray, list[Comparison]], np.ndarray]
"""From pairs and their weights (and what was compared) to the group of each record."""


@dataclass(frozen=True)
class Weighed:
    """Pairs with their weights.

    Attributes:
        vectors: The pairs and the outcomes of their comparisons.
        parts: Per comparison the weight of each pair in bits, its own model's.
        weight: Match weight of each pair, prior included.
        model: The parameters.
        comparisons: What was compared.
        keys: Per rule the key of each record.
        aliases: Per field the variants that were learned to stand for others.
    """

    vectors: Vectors
    parts: dict[str, np.ndarray]
    weight: np.ndarray
    model: Parameters
    comparisons: list[Comparison]
    keys: list[np.ndarray]
    aliases: Aliases = field(default_factory=dict)


def fitted(
    prepared: Prepared, rules: Sequence[Rule], spec: LinkageSpec, grouping: Grouping
) -> tuple[Weighed, np.ndarray]:
    """Train the model, learn from what it finds, and weigh every pair.

    Returns:
        The weighed pairs, and the group of each record.

    Raises:
        LinkageError: No pair is reached, or there is one comparison only.
    """
    records = prepared.records
    keys = [codes_of(key_of(records, rule)) for rule in rules]
    register = codes_of(records["register"])
    pairs = make_pairs(keys, register, spec.mode)
    if not len(pairs[0]):
        raise LinkageError("The blocking rules reach no pair. Loosen them [setting: blocking]")
    now, drawn = _first(prepared, pairs, keys, spec)
    labels = grouping(now.vectors, now.weight, now.comparisons)
    aliases = learn_aliases(records, prepared.fields, labels)
    now, drawn = _again(prepared, now, drawn, labels, aliases, rules, spec)
    for _ in range(_ROUNDS):
        now = _refitted(prepared, now, drawn, labels, spec)
        labels = grouping(now.vectors, now.weight, now.comparisons)
    return replace(now, aliases=aliases), labels


def _first(
    prepared: Prepared, pairs: Pairs, keys: list[np.ndarray], spec: LinkageSpec
) -> tuple[Weighed, Vectors]:
    """Train by expectation-maximisation and weigh what the rules reach; also return random pairs, compared."""
    comparisons = comparisons_of(prepared.records, prepared.fields)
    if len(comparisons) < 2:
        raise LinkageError(
            "One comparison alone cannot be weighed: agreement on it has nothing to be held against. Declare another "
            "field that is not blank [setting: fields]"
        )
    kinds = {one.name: one.kind for one in prepared.fields}
    with Splink(prepared, comparisons, spec) as splink:
        drawn = splink.vectors(*random_pairs(prepared, spec, spec.seed))
        counts = {one.name: counted(drawn, one) for one in comparisons}
        u = {name: chances(seen) for name, seen in counts.items()}
        among = splink.trained(kinds, u)
        vectors = splink.vectors(*pairs)
    rarity, even = rarities(prepared.records, comparisons)
    m = {name: smoothed(np.zeros(len(values)), values) for name, values in among.items()}
    seen = {name: (number > 0) & np.isfinite(among[name]) for name, number in counts.items()}
    model = Parameters(m, u, seen, 0.0, rarity, even)
    return _weighed(prepared, vectors, comparisons, model, keys, spec), drawn


def _weighed(
    prepared: Prepared,
    vectors: Vectors,
    comparisons: list[Comparison],
    model: Parameters,
    keys: list[np.ndarray],
    spec: LinkageSpec,
) -> Weighed:
    """Weigh pairs, categories among themselves and the share of matches as the pairs imply it."""
    possible = possible_pairs(prepared.records, spec.mode)
    own = parts(vectors, comparisons, model)
    listed = [one.name for one in comparisons if one.conditional]
    fixed = np.asarray(
        np.sum([own[one.name] for one in comparisons if not one.conditional], axis=0), dtype=float
    )
    prior, anew = reweighed(fixed, {name: vectors.outcome[name] for name in listed}, possible)
    m = model.m | {name: np.array([same, 1 - same]) for name, (same, _) in anew.items()}
    u = model.u | {name: np.array([same, 1 - same]) for name, (_, same) in anew.items()}
    model = replace(model, m=m, u=u, prior=prior)
    if listed:
        own |= parts(vectors, [one for one in comparisons if one.conditional], model)
    weight = fixed + np.sum([own[name] for name in listed], axis=0) + prior_bits(prior)
    return Weighed(vectors, own, np.asarray(weight, dtype=float), model, comparisons, keys)


def reweighed(
    fixed: np.ndarray, outcomes: Mapping[str, np.ndarray], possible: int
) -> tuple[float, dict[str, tuple[float, float]]]:
    """Measure how telling categories are among the compared pairs, and the share of matches.

    Records alike in name are often alike in citizenship too, whether or not they are one person: chance agreement
    among random pairs overstates what a category adds. Here each pair in doubt counts as a non-match with its
    probability of being one, in turns with that probability (expectation-maximisation with the other weights held).

    Args:
        fixed: Evidence (bits) of each pair from all but the categories, without prior.
        outcomes: Per category 1 (same), 0 (different) or -1 (unknown) per pair.
        possible: Number of possible pairs.

    Returns:
        The share of matches, and per category the shares of `same` among matches and among the others.
    """
    anew: dict[str, tuple[float, float]] = {}
    evidence = fixed
    prior = share_of_matches(evidence, possible)
    for _ in range(_CATEGORY_ROUNDS if outcomes else 0):
        match = probability(evidence + prior_bits(prior))
        other = np.where(fixed + prior_bits(prior) > _IN_DOUBT, 1 - match, 0.0)
        evidence = fixed
        for name, outcome in outcomes.items():
            rates = []
            for weight in (match, other):
                same, different = weight[outcome == 1].sum() + 0.5, weight[outcome == 0].sum() + 0.5
                rates.append(float(same / (same + different)))
            m, u = rates
            anew[name] = (m, u)
            bits = np.where(outcome == 1, np.log2(m / u), np.log2((1 - m) / (1 - u)))
            evidence = evidence + np.where(outcome < 0, 0.0, bits)
        prior = share_of_matches(evidence, possible)
    return prior, anew


def _again(
    prepared: Prepared,
    before: Weighed,
    drawn: Vectors,
    labels: np.ndarray,
    aliases: Mapping[str, Mapping[str, str]],
    rules: Sequence[Rule],
    spec: LinkageSpec,
) -> tuple[Weighed, Vectors]:
    """Compare again with aliases, and also the pairs that aliases and loose groups (closure) newly reach."""
    comparisons = (
        comparisons_of(prepared.records, prepared.fields, aliases) if aliases else before.comparisons
    )
    left, right = before.vectors.left, before.vectors.right
    size = len(labels)
    group = loose_groups(left, right, before.weight, size)
    derived = {name: series for one in comparisons for name, series in one.derived.items()}
    aliased = prepared.records.assign(**{name: derived[f"{name}__alias"] for name in aliases})
    more = [
        codes_of(key_of(aliased, rule))
        for rule in rules
        if any(part.split(":")[0] in aliases for part in rule)
    ]
    register = codes_of(prepared.records["register"])
    fresh = only_new(make_pairs([*more, group], register, spec.mode), (left, right), size)
    kept = before.weight > _HOPELESS
    with Splink(prepared, comparisons, spec) as splink:
        if aliases:
            chosen = [np.concatenate([old[kept], new]) for old, new in zip((left, right), fresh, strict=True)]
            vectors = splink.vectors(*chosen)
            drawn = splink.vectors(drawn.left, drawn.right)
        else:
            vectors = before.vectors.take(kept).join(splink.vectors(*fresh))
    return replace(before, vectors=vectors, comparisons=comparisons, keys=[*before.keys, *more]), drawn


def random_pairs(prepared: Prepared, spec: LinkageSpec, seed: int) -> Pairs:
    """Draw pairs of records that the mode allows, or return all where they are few."""
    register = codes_of(prepared.records["register"])
    size = len(register)
    if size * (size - 1) // 2 <= spec.training_pairs:
        left, right = np.triu_indices(size, 1)
    else:
        rng = np.random.default_rng(seed)
        sides = rng.integers(0, size, (2, spec.training_pairs))
        left, right = sides.min(axis=0), sides.max(axis=0)
    fit = (left != right) & ((register[left] != register[right]) | (spec.mode != "link"))
    return left[fit].astype(np.int64), right[fit].astype(np.int64)


def chances(counts: np.ndarray) -> np.ndarray:
    """Return shares of counts, at least that of half a pair: a level that was never seen is rare, not impossible."""
    total = max(float(counts.sum()), 1.0)
    return np.fmax(counts, 0.5) / total


def _refitted(
    prepared: Prepared, before: Weighed, drawn: Vectors, labels: np.ndarray, spec: LinkageSpec
) -> Weighed:
    """Measure chance on random pairs that are no matches, and agreement among matches on the groups found.

    Random pairs and value counts hold the duplicates that are looked for, which makes agreement look commoner than
    chance does: pairs within a loose group are left out, and each value counts once per loose group.
    """
    records, comparisons, vectors = prepared.records, before.comparisons, before.vectors
    loose = labels
    if len(before.weight) == len(vectors):
        loose = loose_groups(vectors.left, vectors.right, before.weight, len(labels))
    others = (loose[drawn.left] != loose[drawn.right]).astype(float)
    rarity, even = rarities(records, comparisons, loose)
    u = {one.name: chances(counted(drawn, one, others)) for one in comparisons}
    for one in comparisons:
        if len(one.fields) == 1 and "tf_adjustment_column" in one.levels[1]:
            u[one.name][0] = even[one.exact]
    inside = vectors.take(labels[vectors.left] == labels[vectors.right])
    m, seen = {}, {}
    for one in comparisons:
        counts = counted(inside, one)
        earlier = before.model.m.get(one.name)
        earlier = earlier if earlier is not None and len(earlier) == len(counts) else np.ones(len(counts))
        m[one.name] = smoothed(counts, earlier)
        seen[one.name] = counts > 0
    model = Parameters(m, u, seen, before.model.prior, rarity, even)
    return _weighed(prepared, vectors, comparisons, model, before.keys, spec)


def weighed_again(
    prepared: Prepared,
    rules: Sequence[Rule],
    spec: LinkageSpec,
    table: pd.DataFrame,
    prior: float,
    aliases: Aliases,
    new: np.ndarray,
    kept: Pairs,
) -> Weighed:
    """Weigh pairs with the parameters of an earlier run and the present frequencies of values.

    Args:
        prepared: All records.
        rules: Blocking rules of the earlier run.
        spec: The declaration.
        table: Parameters, as `parameter_table` gives them.
        prior: Probability that two random records match.
        aliases: Aliases learned in the earlier run.
        new: Whether each record is new; pairs that the rules reach are weighed where one of the two is.
        kept: Further pairs to weigh (row numbers, left < right), of records that are not new.
    """
    records = prepared.records
    comparisons = comparisons_of(records, prepared.fields, aliases)
    rows = {name: part for name, part in table.groupby("comparison", sort=False)}
    known = {
        key: {one.name: rows[one.name][key].to_numpy() for one in comparisons}
        for key in ("m", "u", "trained")
    }
    model = Parameters(known["m"], known["u"], known["trained"], prior, *rarities(records, comparisons))
    keys = [codes_of(key_of(records, rule)) for rule in rules]
    left, right = make_pairs(keys, codes_of(records["register"]), spec.mode)
    fresh = new[left] | new[right]
    with Splink(prepared, comparisons, spec) as splink:
        vectors = splink.vectors(
            np.concatenate([left[fresh], kept[0]]), np.concatenate([right[fresh], kept[1]])
        )
    own = parts(vectors, comparisons, model)
    weight = np.asarray(np.sum(list(own.values()), axis=0) + prior_bits(prior), dtype=float)
    return Weighed(vectors, own, weight, model, comparisons, keys, aliases)
