"""Which pairs are compared at all: blocking rules and their counts, before any pair is made.

Counts are exact per rule; a pair that two rules reach is counted by both, so their sum is an upper bound of the pairs
that are scored.
"""

from collections.abc import Mapping

import pandas as pd

from hrtech.linkage.keys import Rule, count_pairs, key_of, label_of, possible_pairs
from hrtech.linkage.registers import Prepared, prepare
from hrtech.linkage.spec import LinkageError, LinkageSpec
from hrtech.linkage.suggest import suggest_blocking

__all__ = [
    "Rule",
    "blocking_report",
    "check_bound",
    "count_pairs",
    "counted_rules",
    "key_of",
    "label_of",
    "possible_pairs",
    "rules_of",
    "suggest_blocking",
]


def blocking_report(registers: Mapping[str, pd.DataFrame], spec: LinkageSpec) -> pd.DataFrame:
    """Count the pairs that each blocking rule makes, before any pair is scored.

    Returns:
        Columns `rule` (parts joined by " + ") and `pairs`, in the order of the rules.

    Raises:
        LinkageError: Registers do not fit the declaration.
    """
    prepared = prepare(registers, spec)
    return counted_rules(prepared, rules_of(prepared, spec), spec)


def counted_rules(prepared: Prepared, rules: tuple[Rule, ...], spec: LinkageSpec) -> pd.DataFrame:
    """Return `rule, pairs` of given rules."""
    pairs = [count_pairs(prepared.records, rule, spec.mode) for rule in rules]
    return pd.DataFrame({"rule": pd.Series([label_of(rule) for rule in rules], dtype="str"), "pairs": pairs})


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
