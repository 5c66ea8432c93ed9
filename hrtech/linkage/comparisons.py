"""How two values of a field are compared: the levels of agreement, per kind of field.

Each comparison is an ordered list of levels; the first that holds is the outcome. The evidence of a given and a family
name is dependent, so that one of each makes a single comparison. Levels are SQL over columns `<field>_l` and
`<field>_r`, with functions that `hrtech.linkage.engine` defines alike for every engine.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd

from hrtech.linkage.encoded import encoded_levels
from hrtech.linkage.normalise import words_of
from hrtech.linkage.spec import FieldSpec


@dataclass(frozen=True)
class Comparison:
    """One comparison of the model.

    Attributes:
        name: Column-safe name.
        fields: Fields whose agreement it judges.
        levels: Splink level dictionaries, null level first and else level last.
        exact: Column whose equality is the strongest level.
        derived: Columns it needs beside the fields: name to series.
        essential: Whether records that differ in it are never joined.
        conditional: Whether chance agreement is measured among candidate pairs and not among random ones.
    """

    name: str
    fields: tuple[str, ...]
    levels: tuple[dict[str, Any], ...]
    exact: str
    derived: dict[str, pd.Series] = field(default_factory=dict)
    essential: bool = False
    conditional: bool = False


def comparisons_of(records: pd.DataFrame, fields: tuple[FieldSpec, ...]) -> list[Comparison]:
    """Return one comparison per field, given and family name together where there is one of each."""
    by_kind: dict[str, list[FieldSpec]] = {}
    for one in fields:
        by_kind.setdefault(one.kind, []).append(one)
    given, family = by_kind.get("given_name", []), by_kind.get("family_name", [])
    if len(given) == len(family) == 1:
        rest = [one for one in fields if one.kind not in ("given_name", "family_name")]
        return [_full_name(records, given[0], family[0]), *(_single(records, one) for one in rest)]
    return [_single(records, one) for one in fields]


def _level(sql: str, label: str, rarity_of: str | None = None) -> dict[str, Any]:
    level = {"sql_condition": sql, "label_for_charts": label}
    return (
        level
        if rarity_of is None
        else {**level, "tf_adjustment_column": rarity_of, "tf_adjustment_weight": 1.0}
    )


def _null(*alternatives: str) -> dict[str, Any]:
    return {"sql_condition": " or ".join(alternatives), "label_for_charts": "unknown", "is_null_level": True}


_ELSE: Final = {"sql_condition": "ELSE", "label_for_charts": "different"}
UNLIKE: Final = frozenset(
    {"different", "words in common", "one word in common", "one similar", "same given name"}
)
"""Outcomes at which an essential field speaks against joining."""


def _jaro(left: str, right: str) -> str:
    return f"jaro_winkler_similarity({left}, {right})"


def _edits(column: str) -> str:
    return f"damerau_levenshtein({column}_l, {column}_r)"


def _full_name(records: pd.DataFrame, given: FieldSpec, family: FieldSpec) -> Comparison:
    g, f = given.name, family.name
    full = f"{g}__{f}"
    rare = [one.term_frequency is not False for one in (given, family)]
    straight = f"least({_jaro(f'{g}_l', f'{g}_r')}, {_jaro(f'{f}_l', f'{f}_r')})"
    crossed = f"least({_jaro(f'{g}_l', f'{f}_r')}, {_jaro(f'{f}_l', f'{g}_r')})"
    levels = (
        _null(f"({g}_l is null and {f}_l is null)", f"({g}_r is null and {f}_r is null)"),
        _level(f"{full}_l = {full}_r", "same", full if all(rare) else None),
        _level(f"{g}_l = {f}_r and {f}_l = {g}_r", "swapped"),
        _level(f"{straight} >= 0.88 or {crossed} >= 0.88", "both similar"),
        _level(f"{f}_l = {f}_r", "same family name", f if rare[1] else None),
        _level(f"{g}_l = {g}_r", "same given name", g if rare[0] else None),
        _level(
            f"{f}_l = {g}_r or {g}_l = {f}_r or {_jaro(f'{f}_l', f'{f}_r')} >= 0.9 "
            f"or {_jaro(f'{g}_l', f'{g}_r')} >= 0.9",
            "one similar",
        ),
        _ELSE,
    )
    return Comparison(
        f"{g}_{f}",
        (g, f),
        levels,
        full,
        {full: records[g] + " " + records[f]},
        bool(given.essential or family.essential),
    )


def _single(records: pd.DataFrame, one: FieldSpec) -> Comparison:
    name = one.name
    # how telling a category is depends on the names it goes with, so that it is weighed among candidates instead
    counts = one.term_frequency and one.kind != "category"
    essential = one.kind == "company_name" if one.essential is None else bool(one.essential)
    null = _null(f"{name}_l is null", f"{name}_r is null")
    same = _level(f"{name}_l = {name}_r", "same", name if counts else None)
    derived: dict[str, pd.Series] = {}
    if one.kind in ("person_name", "company_name", "address"):
        derived = {f"{name}__words": words_of(records[name])}
    if one.kind == "company_name":
        derived[f"{name}__run"] = records[name].str.replace(" ", "", regex=False)
    if one.kind == "email":
        derived = {f"{name}__user": records[name].str.split("@").str[0]}
    between = _between(name, one.kind)
    if one.kind == "encoded":
        between, derived = encoded_levels(name, records[name])
    levels = (null, same, *between, _ELSE)
    return Comparison(name, (name,), levels, name, derived, essential, one.kind == "category")


def _shared(name: str) -> tuple[str, str]:
    """Return SQL for the words two values share, as a count and as a share of all their words."""
    both = f"words_in_common({name}__words_l, {name}__words_r)"
    return both, f"{both} / (word_count({name}__words_l) + word_count({name}__words_r) - {both})"


def _between(name: str, kind: str) -> list[dict[str, Any]]:
    """Return the levels between equality and difference."""
    similar = _jaro(f"{name}_l", f"{name}_r")
    both, share = _shared(name)
    fewer = f"least(word_count({name}__words_l), word_count({name}__words_r))"
    if kind in ("given_name", "family_name"):
        return [_level(f"{similar} >= 0.92", "very similar"), _level(f"{similar} >= 0.85", "similar")]
    if kind == "person_name":
        return [
            _level(f"{share} = 1", "same words, other order"),
            _level(f"{similar} >= 0.92", "very similar"),
            _level(f"{both} >= 2 and {both} = {fewer}", "one contains the other"),
            _level(f"{similar} >= 0.85", "similar"),
            _level(f"{both} >= 1", "one word in common"),
        ]
    if kind == "company_name":
        return [
            _level(f"{name}__run_l = {name}__run_r or {share} = 1", "same but for spaces or order"),
            _level(f"{similar} >= 0.94", "very similar"),
            _level(f"{both} >= 2 and {both} = {fewer}", "one contains the other"),
            _level(f"{similar} >= 0.88", "similar"),
            _level(f"{both} >= 1", "words in common"),
        ]
    if kind == "address":
        return [
            _level(f"{share} >= 0.7 or {similar} >= 0.95", "very similar"),
            _level(f"{share} >= 0.45 or {similar} >= 0.88", "similar"),
            _level(f"{both} >= 1", "words in common"),
        ]
    if kind == "phone":
        return [
            _level(
                f"right({name}_l, 8) = right({name}_r, 8) and len({name}_l) >= 8", "same but for the prefix"
            ),
            _level(f"{_edits(name)} <= 1", "one digit apart"),
            _level(f"{_edits(name)} <= 2", "two digits apart"),
        ]
    if kind == "email":
        return [
            _level(f"{name}__user_l = {name}__user_r", "same user, other domain"),
            _level(f"{_edits(name)} <= 2", "two letters apart"),
            _level(f"{_edits(f'{name}__user')} <= 2 and len({name}__user_l) > 4", "similar user"),
            _level(f"{similar} >= 0.88", "similar"),
        ]
    if kind == "date":
        days = f"days_apart({name}_l, {name}_r)"
        return [
            _level(f"{_edits(name)} <= 1", "one digit apart"),
            _level(f"{_edits(name)} <= 2", "two digits apart"),
            _level(f"{days} <= 366", "within a year"),
        ]
    if kind == "identifier":
        return [
            _level(f"{_edits(name)} <= 1 and len({name}_l) > 3", "one character apart"),
            _level(f"{_edits(name)} <= 2 and len({name}_l) > 5", "two characters apart"),
        ]
    return []
