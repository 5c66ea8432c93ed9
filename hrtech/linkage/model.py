"""The Fellegi-Sunter model: trained without labels, and the scored pairs.

Splink 5, on DuckDB in memory or on Spark, does the work: chance agreement (u) from random pairs, agreement among
matches (m) by expectation-maximisation under several training rules, so that each comparison is trained by a rule
that does not fix it. The share of matches among all pairs is then the fixed point of its own expectation over the
scored pairs (no recall has to be assumed). Sources: Fellegi and Sunter 1969; Linacre et al. 2022 (Splink).
"""

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from hrtech.linkage.blocking import Rule, count_pairs, key_of, possible_pairs
from hrtech.linkage.comparisons import Comparison
from hrtech.linkage.engine import Engine, open_engine
from hrtech.linkage.registers import Prepared
from hrtech.linkage.spec import LinkageError, LinkageSpec

_MODES: Final[dict[str, Literal["dedupe_only", "link_only", "link_and_dedupe"]]] = {
    "deduplicate": "dedupe_only",
    "link": "link_only",
    "both": "link_and_dedupe",
}
_TRAINING_RULES: Final = 3
_FEWEST_TRAINING_PAIRS: Final = 30
_TRAINING_PAIRS: Final = 2_000_000
_LOWEST_REPORTED: Final = 0.01
_FLOOR: Final = 1e-10
_ROUNDS: Final = 10

_MAndU = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Scored:
    """Scored pairs and the parameters that scored them.

    Attributes:
        pairs: Pairs with match probability of at least .01: `left`, `right` (row numbers of the prepared records),
            `match_weight`, `match_probability`, and per comparison `level_<name>` and `weight_<name>` (bits).
        parameters: Per level `comparison, level, m, u, weight, trained`.
        prior: Probability that two random records match.
        candidates: Number of pairs scored.
        notes: Comparisons that could not be trained, in words.
        model: Splink settings with the trained parameters.
    """

    pairs: pd.DataFrame
    parameters: pd.DataFrame
    prior: float
    candidates: int
    notes: tuple[str, ...]
    model: dict[str, Any]


def score_pairs(
    prepared: Prepared, comparisons: list[Comparison], rules: tuple[Rule, ...], spec: LinkageSpec
) -> Scored:
    """Train the model and score every pair that a blocking rule reaches.

    Raises:
        LinkageError: No pair is reached, there is one comparison only, or no training rule is to be had.
    """
    from splink import Linker, SettingsCreator, block_on
    from splink.comparison_library import CustomComparison

    if len(comparisons) < 2:
        raise LinkageError(
            "One comparison alone cannot be weighed: agreement on it has nothing to be held against. Declare another "
            "field that is not blank [setting: fields]"
        )
    table = _table(prepared, comparisons, rules)
    kinds = {one.name: one.kind for one in prepared.fields}
    training = _training_rules(table, comparisons, kinds, spec)
    if not training:
        raise LinkageError(
            "No field agrees between any two records, so that nothing can be learned. Check columns and kinds "
            "[setting: fields]"
        )
    engine = open_engine(spec.engine)
    try:
        with _quiet():
            settings = SettingsCreator(
                link_type=_MODES[spec.mode],
                unique_id_column_name="row",
                comparisons=[
                    CustomComparison(
                        output_column_name=one.name, comparison_levels=[dict(x) for x in one.levels]
                    )
                    for one in comparisons
                ],
                blocking_rules_to_generate_predictions=[block_on(f"block__{i}") for i in range(len(rules))],
                retain_matching_columns=True,  # without them Splink drops the outcome of each comparison
                retain_intermediate_calculation_columns=True,
            )
            inputs = [
                engine.register(part.drop(columns="register"), f"r{number:04d}")
                for number, (_, part) in enumerate(table.groupby("register", sort=False))
            ]
            linker = Linker(inputs if spec.mode != "deduplicate" else inputs[0], settings, log_level="ERROR")
            linker.training.estimate_u_using_random_sampling(max_pairs=spec.training_pairs, seed=spec.seed)
            for columns in training:
                linker.training.estimate_parameters_using_expectation_maximisation(
                    block_on(*columns), estimate_without_term_frequencies=True, max_pairs=_TRAINING_PAIRS
                )
            scored = linker.inference.predict(warning_mode="never").physical_name
            model = linker.misc.save_model_to_json()
        return _read(engine, scored, model, comparisons, possible_pairs(prepared.records, spec.mode))
    finally:
        engine.close()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Splink's own log lines (which may quote columns and rules) out of ours."""
    logger = logging.getLogger("splink")
    before = logger.level, logger.propagate
    logger.setLevel(logging.CRITICAL)
    logger.propagate = False
    try:
        yield
    finally:
        logger.setLevel(before[0])
        logger.propagate = before[1]


def _table(prepared: Prepared, comparisons: list[Comparison], rules: tuple[Rule, ...]) -> pd.DataFrame:
    table = prepared.records.drop(columns="record_id").assign(row=np.arange(len(prepared.records)))
    for one in comparisons:
        table = table.assign(**one.derived)
    return table.assign(**{f"block__{i}": key_of(prepared.records, rule) for i, rule in enumerate(rules)})


def _training_rules(
    table: pd.DataFrame, comparisons: list[Comparison], kinds: Mapping[str, str], spec: LinkageSpec
) -> list[tuple[str, ...]]:
    """Choose what records must agree on to be trained with: two selective fields at a time, then one.

    Pairs that agree on two selective fields are nearly all matches, so that agreement among matches cannot be mistaken
    for the likeness of, say, all firms of one trade in one town, which a single field lets in. Rules share no
    comparison, so that every comparison is trained by at least one of them where there are three or more.
    """
    usable = [one for one in comparisons if kinds[one.fields[0]] != "category"] or comparisons
    widths = (2, 1) if len(comparisons) > 2 else (1,)  # a rule must leave something to train
    options = {
        tuple(one.exact for one in chosen): count_pairs(table, tuple(one.exact for one in chosen), spec.mode)
        for width in widths
        for chosen in combinations(usable, width)
    }
    rules: list[tuple[str, ...]] = []
    for width in widths:
        ranked = sorted(
            (option for option in options if len(option) == width),
            key=lambda option: (-options[option] if len(option) == 2 else options[option], option),
        )
        for option in ranked:
            free = not {column for rule in rules for column in rule} & set(option)
            if free and options[option] >= _FEWEST_TRAINING_PAIRS and len(rules) < _TRAINING_RULES:
                rules.append(option)
    return rules or [option for option, pairs in options.items() if pairs > 0][-1:]


def _read(
    engine: Engine, scored: str, model: dict[str, Any], comparisons: list[Comparison], possible: int
) -> Scored:
    """Fetch what Splink scored, with categories weighed anew and the share of matches taken from the scores."""
    assumed = float(model["probability_two_random_records_match"])
    categories = [one.name for one in comparisons if one.conditional]
    fixed = " - ".join(
        ["match_weight", str(math.log2(assumed / (1 - assumed))), *(f"mw_{x}" for x in categories)]
    )
    outcomes = "".join(f", gamma_{name}" for name in categories)
    everything = engine.frame(f"select {fixed} as fixed{outcomes} from {scored}")
    if not len(everything["fixed"]):
        raise LinkageError("The blocking rules reach no pair. Loosen them [setting: blocking]")
    prior, anew = _reweigh(
        np.asarray(everything["fixed"], dtype=float),
        {name: np.asarray(everything[f"gamma_{name}"]) for name in categories},
        possible,
    )
    terms = [fixed, str(math.log2(prior / (1 - prior)))]
    for name, (same, different) in anew.items():
        agree, differ = math.log2(same[0] / same[1]), math.log2(different[0] / different[1])
        terms.append(f"case gamma_{name} when 1 then {agree} when 0 then {differ} else 0 end")
    lowest = math.log2(_LOWEST_REPORTED / (1 - _LOWEST_REPORTED))
    total = " + ".join(terms)
    frame = engine.frame(f"select *, {total} as total from {scored} where {total} >= {lowest}")
    parameters, labels = _parameters(model, comparisons, anew)
    weight_of = parameters.set_index(["comparison", "level"])["weight"]
    weight = frame["total"].to_numpy(float)
    columns: dict[str, object] = {
        "left": frame["row_l"].astype("int64"),
        "right": frame["row_r"].astype("int64"),
        "match_weight": weight,
        "match_probability": _probability(weight),
    }
    for one in comparisons:
        level = frame[f"gamma_{one.name}"].map(labels[one.name]).astype("str")
        rarity = f"mw_tf_adj_{one.name}"
        bits = frame[f"mw_{one.name}"] + frame.get(rarity, 0.0)
        columns[f"weight_{one.name}"] = (
            level.map(weight_of[one.name]).fillna(0.0) if one.conditional else bits
        )
        columns[f"level_{one.name}"] = level
    pairs = pd.DataFrame(columns).sort_values(
        ["match_weight", "left", "right"], ascending=[False, True, True], ignore_index=True
    )
    untrained = parameters.loc[~parameters["trained"], "comparison"].unique()
    notes = tuple(
        f"comparison {name}: some levels were never seen in training and keep defaults" for name in untrained
    )
    return Scored(pairs, parameters, prior, len(everything["fixed"]), notes, model)


def _reweigh(
    fixed: np.ndarray, outcomes: Mapping[str, np.ndarray], possible: int
) -> tuple[float, dict[str, _MAndU]]:
    """Measure how telling categories are among the scored pairs, and the share of matches.

    Records alike in name are often alike in citizenship too, whether or not they are one person: chance agreement
    among random pairs overstates what a category adds. Here each pair counts as a non-match with its probability of
    being one, in turns with that probability (expectation-maximisation with the other weights held).

    Args:
        fixed: Evidence (bits) of each pair from all but the categories, without prior.
        outcomes: Per category 1 (same), 0 (different) or -1 (unknown) per pair.
        possible: Number of possible pairs.

    Returns:
        The share of matches, and per category (m, u) of `same` and of `different`.
    """
    anew: dict[str, _MAndU] = {}
    evidence = fixed
    prior = _share_of_matches(evidence, possible)
    for _ in range(_ROUNDS if outcomes else 0):
        match = _probability(evidence + math.log2(prior / (1 - prior)))
        evidence = fixed
        for name, outcome in outcomes.items():
            rates = []
            for weight in (match, 1 - match):
                same, different = weight[outcome == 1].sum() + 0.5, weight[outcome == 0].sum() + 0.5
                rates.append(float(same / (same + different)))
            m, u = rates
            anew[name] = ((m, u), (1 - m, 1 - u))
            bits = np.where(outcome == 1, math.log2(m / u), math.log2((1 - m) / (1 - u)))
            evidence = evidence + np.where(outcome < 0, 0.0, bits)
        prior = _share_of_matches(evidence, possible)
    return prior, anew


def _probability(weight: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp2(-np.clip(weight, -1000, 1000)))


def _share_of_matches(evidence: np.ndarray, possible: int) -> float:
    """Return the share of matches among all possible pairs that the evidence (bits) of the scored ones implies."""
    share = max(1 / possible, _FLOOR)
    for _ in range(200):
        expected = float(_probability(evidence + math.log2(share / (1 - share))).sum())
        new = min(max(expected / possible, _FLOOR), 0.5)
        if abs(new - share) <= 1e-9 * share:
            break
        share = new
    return share


def _parameters(
    model: dict[str, Any], comparisons: list[Comparison], anew: Mapping[str, _MAndU]
) -> tuple[pd.DataFrame, dict[str, dict[int, str]]]:
    """Return m, u and weight per level, and what each outcome number of a comparison is called."""
    rows, labels = [], {}
    for one, trained in zip(comparisons, model["comparisons"], strict=True):
        levels = trained["comparison_levels"]
        numbers = list(range(len(levels) - 2, -1, -1))
        labels[one.name] = {-1: "unknown"} | {
            number: level["label_for_charts"] for number, level in zip(numbers, levels[1:], strict=True)
        }
        for level in levels[1:]:
            m, u = level.get("m_probability"), level.get("u_probability")
            if one.name in anew:
                m, u = anew[one.name][0 if level is levels[1] else 1]
            rows.append((one.name, level["label_for_charts"], m, u, m is not None and u is not None))
    frame = pd.DataFrame(rows, columns=["comparison", "level", "m", "u", "trained"])
    frame[["m", "u"]] = frame[["m", "u"]].astype("float64")
    with np.errstate(divide="ignore", invalid="ignore"):
        frame["weight"] = np.log2(frame["m"] / frame["u"])
    return frame[["comparison", "level", "m", "u", "weight", "trained"]], labels
