"""Blocking rules suggested from the data.

Where all pairs are few, all are compared. Otherwise rules are chosen one by one, the one that newly reaches most
matches per pair first, until the budget of pairs is spent or nothing is gained. Which matches a rule reaches is judged
on simulated ones: pairs that agree on two telling fields are nearly all matches; how often each part of another field
agrees in them is drawn independently per field, missing values included.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from hrtech.linkage.encoded import is_filter
from hrtech.linkage.keys import Rule, count_pairs, key_of, possible_pairs
from hrtech.linkage.pairs import codes_of, count_coded, make_pairs
from hrtech.linkage.registers import Prepared
from hrtech.linkage.spec import FieldSpec, LinkageSpec

ALL_PAIRS: Final = 2_000_000
"""Number of possible pairs up to which all are compared."""
_BEGINNINGS: Final = {
    "person_name": 4, "given_name": 3, "family_name": 4, "company_name": 5, "address": 6, "email": 5, "identifier": 4,
    "date": 7, "event_date": 7, "phone": 6, "postcode": 3, "place": 4,
}  # fmt: skip
_WORDY: Final = frozenset({"person_name", "company_name", "address"})
_PAIRS_PER_RECORD: Final = 60
_PAIRS_PER_RECORD_ONE_RULE: Final = 25
_SIMULATED: Final = 20_000
_LEAST_GAIN: Final = 0.0005
_MOST_RULES: Final = 24
_EXAMPLES: Final = 200_000
_FEWEST_EXAMPLES: Final = 30
_PAIRS_PER_RECORD_BITS: Final = 5
_BITS: Final = range(12, 100, 4)
_BIT_TABLES: Final = 6


@dataclass(frozen=True)
class _Option:
    rule: Rule
    pairs: int
    reaches: np.ndarray


def suggest_blocking(prepared: Prepared, spec: LinkageSpec) -> tuple[Rule, ...]:
    """Suggest rules whose pairs are within the declared bound; the empty rule stands for all pairs."""
    records = prepared.records
    size, register = len(records), codes_of(records["register"])
    if possible_pairs(records, spec.mode) <= min(ALL_PAIRS, spec.max_pairs):
        return ((),)
    parts = [(one.name, part) for one in prepared.fields for part in _parts(one)]
    codes = {part: codes_of(key_of(records, (part,))) for _, part in parts}
    options = _options(parts, codes, register, spec, size)
    agree = _simulated(prepared, spec, codes, parts)
    judged = [
        _Option(rule, pairs, np.logical_and.reduce([agree[part] for part in rule])) for rule, pairs in options
    ]
    budget = min(spec.max_pairs, _PAIRS_PER_RECORD * size)
    taken = _chosen(judged, budget)
    rest = budget - sum(one.pairs for one in judged if one.rule in taken)
    return taken + _bit_rules(prepared, spec, rest)


def _bit_rules(prepared: Prepared, spec: LinkageSpec, budget: int) -> tuple[Rule, ...]:
    """Suggest tables of sampled bits per encoded field, of as few bits as keep one within 5 pairs a record."""
    records = prepared.records
    taken: list[Rule] = []
    for one in prepared.fields:
        if one.kind != "encoded" or not is_filter(records[one.name]):
            continue
        most = _PAIRS_PER_RECORD_BITS * len(records)
        counts = ((bits, count_pairs(records, (f"{one.name}:bits{bits}/1",), spec.mode)) for bits in _BITS)
        bits = next((bits for bits, pairs in counts if pairs <= most), None)
        for table in range(1, _BIT_TABLES + 1) if bits is not None else ():
            rule = (f"{one.name}:bits{bits}/{table}",)
            pairs = count_pairs(records, rule, spec.mode)
            if 0 < pairs <= min(2 * most, budget):
                taken.append(rule)
                budget -= pairs
    return tuple(taken)


def _parts(one: FieldSpec) -> list[str]:
    beginning = [f"{one.name}:{_BEGINNINGS[one.kind]}"] if one.kind in _BEGINNINGS else []
    year = [f"{one.name}:4"] if one.kind == "date" else []
    first = [f"{one.name}:1"] if one.kind in ("given_name", "family_name") else []
    rare = [f"{one.name}:rare"] if one.kind in _WORDY else []
    return [one.name, *beginning, *year, *first, *rare]


def _combined(codes: list[np.ndarray]) -> np.ndarray:
    key = codes[0]
    for other in codes[1:]:
        key = np.where((key < 0) | (other < 0), -1, key * (int(other.max()) + 1) + other)
        key = np.unique(key, return_inverse=True)[1].astype(np.int64) - int((key < 0).any())
    return key


def _options(
    parts: list[tuple[str, str]],
    codes: dict[str, np.ndarray],
    register: np.ndarray,
    spec: LinkageSpec,
    size: int,
) -> list[tuple[Rule, int]]:
    """Count the rules of one to three parts of different fields; a rule that is affordable is not narrowed further."""
    most = min(_PAIRS_PER_RECORD_ONE_RULE * size, spec.max_pairs)
    field_of = {part: name for name, part in parts}
    options: list[tuple[Rule, int]] = []
    wide: list[Rule] = []
    for _, part in parts:
        pairs = count_coded(codes[part], register, spec.mode)
        if 0 < pairs <= most:
            options.append(((part,), pairs))
        elif pairs:
            wide.append((part,))
    coarse = [rule[0] for rule in wide]
    for width in (2, 3):
        too_wide: list[Rule] = []
        for rule in wide:
            for part in coarse:
                if coarse.index(part) <= coarse.index(rule[-1]) or field_of[part] in map(field_of.get, rule):
                    continue
                longer = (*rule, part)
                if any(set(held) <= set(longer) for held, _ in options):
                    continue
                pairs = count_coded(_combined([codes[x] for x in longer]), register, spec.mode)
                if 0 < pairs <= most:
                    options.append((longer, pairs))
                elif pairs:
                    too_wide.append(longer)
        # three parts are only tried where two are not far from affordable
        wide = too_wide if width == 2 else []
        wide = sorted(wide)[:40]
    return options


def _simulated(
    prepared: Prepared, spec: LinkageSpec, codes: dict[str, np.ndarray], parts: list[tuple[str, str]]
) -> dict[str, np.ndarray]:
    """Return per part whether it agrees in each of the simulated matches."""
    rng = np.random.default_rng(spec.seed)
    agree: dict[str, np.ndarray] = {}
    for one in prepared.fields:
        own = [part for name, part in parts if name == one.name]
        left, right = _examples(prepared, spec, codes, without=one.name)
        if len(left) < _FEWEST_EXAMPLES:
            agree |= {part: rng.random(_SIMULATED) < 0.5 for part in own}
            continue
        drawn = rng.integers(0, len(left), _SIMULATED)
        left, right = left[drawn], right[drawn]
        agree |= {part: (codes[part][left] == codes[part][right]) & (codes[part][left] >= 0) for part in own}
    return agree


def _examples(
    prepared: Prepared, spec: LinkageSpec, codes: dict[str, np.ndarray], without: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs that agree on two telling fields other than one: the pairs of fields with fewest chance pairs."""
    register = codes_of(prepared.records["register"])
    telling = [one.name for one in prepared.fields if one.kind != "category" and one.name != without]
    telling = telling if len(telling) > 1 else [one.name for one in prepared.fields if one.name != without]
    keys = []
    for pair in combinations(telling, 2):
        key = _combined([codes[name] for name in pair])
        if 0 < count_coded(key, register, spec.mode) <= _EXAMPLES * 10:
            keys.append(key)
    if not keys:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    left, right = make_pairs(keys, register, spec.mode)
    chance = _EXAMPLES / max(len(left), 1)
    kept = np.random.default_rng(spec.seed).random(len(left)) < chance
    return left[kept], right[kept]


def _chosen(options: list[_Option], budget: int) -> tuple[Rule, ...]:
    taken: list[_Option] = []
    reached = np.zeros(_SIMULATED, dtype=bool)
    left = list(options)
    while left and len(taken) < _MOST_RULES:
        left = [one for one in left if one.pairs <= budget]
        gains = [float((one.reaches & ~reached).mean()) for one in left]
        worth = [gain / (one.pairs + 1000) for gain, one in zip(gains, left, strict=True)]
        if not left or max(gains) < _LEAST_GAIN:
            break
        # of those that gain something
        best = int(np.argmax([w if g >= _LEAST_GAIN else -1.0 for w, g in zip(worth, gains, strict=True)]))
        one = left.pop(best)
        taken.append(one)
        reached |= one.reaches
        budget -= one.pairs
    return tuple(one.rule for one in taken)
