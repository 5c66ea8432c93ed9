"""Keys on which records must agree to be compared, and how many pairs they make.

A rule is a tuple of parts that must all agree: a field, its first characters (`field:3`) or its rarest word
(`field:rare`). The empty rule compares all pairs. Each rule becomes one key, so that what is counted is what is made.
"""

from collections import Counter

import pandas as pd

from hrtech.linkage.encoded import bit_key
from hrtech.linkage.normalise import words_of
from hrtech.linkage.pairs import codes_of, count_coded
from hrtech.linkage.spec import PART, LinkageError, LinkageMode

Rule = tuple[str, ...]


def label_of(rule: Rule) -> str:
    """Return how a rule is written in tables."""
    return " + ".join(rule) if rule else "all pairs"


def rule_of(label: str) -> Rule:
    """Read a rule as `label_of` writes it."""
    return () if label == label_of(()) else tuple(label.split(" + "))


def key_of(records: pd.DataFrame, rule: Rule) -> pd.Series:
    """Return the value on which records must agree under a rule; missing where any part is."""
    if not rule:
        return pd.Series("", index=records.index)
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
    return count_coded(codes_of(key_of(records, rule)), codes_of(records["register"]), mode)


def possible_pairs(records: pd.DataFrame, mode: LinkageMode) -> int:
    """Count all pairs that the mode allows."""
    sizes = records["register"].value_counts().to_numpy().astype("int64")
    total = int(sizes.sum())
    return total * (total - 1) // 2 if mode != "link" else int((total**2 - (sizes**2).sum()) // 2)
