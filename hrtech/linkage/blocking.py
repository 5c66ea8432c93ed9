"""Which pairs are compared at all: blocking rules, their suggestion from the data, and their counts.

A rule is a tuple of parts that must all agree. Each rule becomes one key column, so that what is counted here is
exactly what is scored later. Counts are exact per rule; a pair that two rules reach is counted by both, so their sum
is an upper bound of the pairs that are scored.
"""

from collections import Counter
from collections.abc import Mapping
from itertools import combinations
from typing import Final

import pandas as pd

from hrtech.linkage.encoded import bit_key, is_filter
from hrtech.linkage.normalise import words_of
from hrtech.linkage.registers import Prepared, prepare
from hrtech.linkage.spec import PART, FieldSpec, LinkageError, LinkageMode, LinkageSpec

Rule = tuple[str, ...]

_WORDY: Final = frozenset({"person_name", "company_name", "address"})
_BEGINNINGS: Final = {
    "person_name": 4, "given_name": 3, "family_name": 4, "company_name": 5, "address": 6, "email": 5, "identifier": 4,
    "date": 7, "phone": 6,
}  # fmt: skip
_PAIRS_PER_RECORD_SINGLE: Final = 30
_PAIRS_PER_RECORD_COMBINED: Final = 15
_MOST_COMBINED: Final = 8
_PAIRS_PER_RECORD_BITS: Final = 5
_BITS: Final = range(12, 100, 4)
_BIT_TABLES: Final = 6


def blocking_report(registers: Mapping[str, pd.DataFrame], spec: LinkageSpec) -> pd.DataFrame:
    """Count the pairs that each blocking rule makes, before any pair is scored.

    Returns:
        Columns `rule` (parts joined by " + ") and `pairs`, in the order of the rules.

    Raises:
        LinkageError: Registers do not fit the declaration.
    """
    prepared = prepare(registers, spec)
    rules = rules_of(prepared, spec)
    pairs = [count_pairs(prepared.records, rule, spec.mode) for rule in rules]
    return pd.DataFrame(
        {"rule": pd.Series([" + ".join(rule) for rule in rules], dtype="str"), "pairs": pairs}
    )


def rules_of(prepared: Prepared, spec: LinkageSpec) -> tuple[Rule, ...]:
    """Return the declared rules without blank fields, or suggested ones where none are declared."""
    usable = {one.name for one in prepared.fields}
    if spec.blocking is None:
        rules = suggest_blocking(prepared, spec)
    else:
        rules = tuple(rule for rule in spec.blocking if {part.split(":")[0] for part in rule} <= usable)
    if not rules:
        raise LinkageError(
            "No blocking rule is left that reaches any pair. Declare rules on filled fields [setting: blocking]"
        )
    return rules


def check_bound(report: pd.DataFrame, spec: LinkageSpec) -> None:
    """Refuse a linkage whose rules make more pairs than the declared bound.

    Raises:
        LinkageError: Names the largest rule.
    """
    total = int(report["pairs"].sum())
    if total > spec.max_pairs:
        largest = report.sort_values("pairs", ascending=False).iloc[0]
        raise LinkageError(
            f"The blocking rules make {total:,} pairs, above the bound of {spec.max_pairs:,}; the largest, "
            f"'{largest['rule']}', makes {int(largest['pairs']):,}. Add a field to it, or raise the bound "
            "[setting: blocking, max_pairs]"
        )


def suggest_blocking(prepared: Prepared, spec: LinkageSpec) -> tuple[Rule, ...]:
    """Suggest rules: selective fields alone, then pairs of parts of fields, within a budget of pairs.

    A field alone is taken when it makes at most 30 pairs a record; then pairs of parts (beginnings of values, rarest
    words, categories), those with fewest pairs first, as long as each makes at most 15 a record. No rule is taken
    that a taken one implies.
    """
    records, size = prepared.records, len(prepared.records)
    budget = spec.max_pairs
    taken: list[Rule] = []
    singles: list[Rule] = [(one.name,) for one in prepared.fields if one.kind != "category"]
    singles += [(f"{one.name}:rare",) for one in prepared.fields if one.kind in _WORDY]
    for rule in singles:
        pairs = count_pairs(records, rule, spec.mode)
        if 0 < pairs <= min(_PAIRS_PER_RECORD_SINGLE * size, budget):
            taken.append(rule)
            budget -= pairs
    parts = [part for one in prepared.fields for part in _parts(one) if (part,) not in taken]
    options: list[tuple[int, Rule]] = []
    for first, second in combinations(parts, 2):
        if first.split(":")[0] == second.split(":")[0]:
            continue
        pairs = count_pairs(records, (first, second), spec.mode)
        if 0 < pairs <= _PAIRS_PER_RECORD_COMBINED * size:
            options.append((pairs, (first, second)))
    for pairs, combined in sorted(options)[:_MOST_COMBINED]:
        if pairs <= budget:
            taken.append(combined)
            budget -= pairs
    return tuple(taken) + _bit_rules(prepared, spec, budget)


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
    return [one.name, *beginning, *year]


def key_of(records: pd.DataFrame, rule: Rule) -> pd.Series:
    """Return the value on which records must agree under a rule; missing where any part is."""
    columns = [_part_values(records, part) for part in rule]
    key = columns[0]
    for other in columns[1:]:
        key = key + "\x1f" + other
    return key


def _part_values(records: pd.DataFrame, part: str) -> pd.Series:
    found = PART.fullmatch(part)
    if found is None:
        raise LinkageError(f"Blocking part '{part}' cannot be read [setting: blocking]")
    values, cut = records[str(found.group(1))], found.group(2)
    if cut is None:
        return values
    if cut == "rare":
        return _rarest_word(values)
    if cut.startswith("bits"):
        bits, table = map(int, cut.removeprefix("bits").split("/"))
        return bit_key(values, bits, table)
    return values.str.slice(0, int(cut))


def _rarest_word(values: pd.Series) -> pd.Series:
    words = words_of(values)
    counts = Counter(word for each in words if each for word in each)

    def rarest(each: list[str] | None) -> str | None:
        shared = [word for word in each or () if counts[word] > 1 and len(word) > 1]
        return min(shared, key=lambda word: (counts[word], word)) if shared else None

    return words.map(rarest).astype("str")


def count_pairs(records: pd.DataFrame, rule: Rule, mode: LinkageMode) -> int:
    """Count the pairs that agree under a rule and that the mode allows (exact, duplicates over rules included)."""
    key = key_of(records, rule)
    known = key.notna()
    per_key = key[known].value_counts().to_numpy().astype("int64")
    if mode != "link":
        return int((per_key * (per_key - 1) // 2).sum())
    per_register = records.loc[known, "register"].groupby([key[known], records.loc[known, "register"]]).size()
    within = per_register.to_numpy().astype("int64")
    return int(((per_key**2).sum() - (within**2).sum()) // 2)


def possible_pairs(records: pd.DataFrame, mode: LinkageMode) -> int:
    """Count all pairs that the mode allows."""
    sizes = records["register"].value_counts().to_numpy().astype("int64")
    total = int(sizes.sum())
    return total * (total - 1) // 2 if mode != "link" else int((total**2 - (sizes**2).sum()) // 2)
