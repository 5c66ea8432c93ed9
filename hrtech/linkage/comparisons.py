"""What is compared: one comparison per field, or per group of fields whose evidence is dependent.

Each comparison is an ordered list of levels; the first that holds is the outcome. Given, family and full name say the
same thing twice, and so do postcode and place: one of each makes a single comparison. A value learned to stand for
another (an alias) makes a level of its own, weaker than equality.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd

from hrtech.linkage.encoded import encoded_levels
from hrtech.linkage.levels import ELSE, Level, between, edits, jaro, level, null, same, similar, unknown
from hrtech.linkage.normalise import words_of
from hrtech.linkage.spec import FieldSpec

Aliases = Mapping[str, Mapping[str, str]]
"""Per field the variants and what each stands for."""

UNLIKE: Final = frozenset(
    {"different", "words in common", "one word in common", "one similar", "same given name"}
)
"""Outcomes at which an essential field speaks against joining."""

_LONG_TAIL: Final = 50
"""Distinct values from which a category is a vocabulary, whose rare values say more, and no list of codes."""
_PARTICLES: Final = frozenset({
    "of", "the", "and", "de", "la", "le", "du", "van", "von", "der", "den", "di", "da", "dos", "sir", "lord", "lady",
    "dame", "baron", "baroness", "baronet", "earl", "count", "countess", "viscount", "duke", "duchess", "marquess",
    "prince", "princess", "rev", "reverend", "captain", "major", "colonel", "general", "hon", "jr", "sr",
})  # fmt: skip


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


def comparisons_of(
    records: pd.DataFrame, fields: tuple[FieldSpec, ...], aliases: Aliases | None = None
) -> list[Comparison]:
    """Return the comparisons, dependent fields together where there is one of each.

    Args:
        records: Normalised fields.
        fields: The fields that hold values.
        aliases: Variants of names and places that were learned to stand for others.
    """
    known = aliases or {}
    by_kind = {kind: [x for x in fields if x.kind == kind and not x.levels] for kind in _MERGED}
    one_of = {kind: ours[0] for kind, ours in by_kind.items() if len(ours) == 1}
    merged: list[Comparison] = []
    used: set[str] = set()
    if {"given_name", "family_name"} <= set(one_of):
        given, family, full = one_of["given_name"], one_of["family_name"], one_of.get("person_name")
        merged.append(_names(records, given, family, full, known))
        used |= {one.name for one in (given, family, full) if one is not None}
    if {"place", "postcode"} <= set(one_of):
        place, postcode = one_of["place"], one_of["postcode"]
        merged.append(_where(records, place, postcode, known))
        used |= {place.name, postcode.name}
    return [*merged, *(_single(records, one, known) for one in fields if one.name not in used)]


_MERGED: Final = ("given_name", "family_name", "person_name", "place", "postcode")


def _standing_for(values: pd.Series, aliases: Mapping[str, str]) -> pd.Series:
    return values.map(lambda value: aliases.get(value, value), na_action="ignore").astype("str")


def _names(
    records: pd.DataFrame, given: FieldSpec, family: FieldSpec, full: FieldSpec | None, aliases: Aliases
) -> Comparison:
    g, f = given.name, family.name
    both, known = f"{g}__{f}", f"{g}__words"
    rare = given.term_frequency and family.term_frequency
    parts = [records[one.name] for one in (given, family, full) if one is not None]
    joined = parts[0].fillna("")
    for part in parts[1:]:
        joined = joined + " " + part.fillna("")
    derived = {both: records[g] + " " + records[f], known: _telling_words(joined, aliases.get(g, {}))}
    # not by least(): DuckDB's leaves missing values out
    alike = (
        "("
        + " or ".join(
            f"({jaro(f'{g}_l', f'{a}_r')} >= {{0}} and {jaro(f'{f}_l', f'{b}_r')} >= {{0}})"
            for a, b in ((g, f), (f, g))
        )
        + ")"
    )
    shared = f"words_in_common({known}_l, {known}_r)"
    fewer = f"least(word_count({known}_l), word_count({known}_r))"
    learned: list[Level] = []
    if aliases.get(g) or aliases.get(f):
        derived |= {f"{one}__alias": _standing_for(records[one], aliases.get(one, {})) for one in (g, f)}
        learned = [level(f"{same(f'{g}__alias')} and {same(f'{f}__alias')}", "both stand for the same")]
    whole = [] if full is None else [level(same(full.name), "same in full", full.name if rare else None)]
    levels: list[Level] = [
        null(f"{known}_l is null", f"{known}_r is null"),
        *whole,
        level(same(both), "same", both if rare else None),
        level(f"{g}_l = {f}_r and {f}_l = {g}_r", "swapped"),
        *learned,
        level(f"{shared} >= 3 or ({shared} >= 2 and {shared} = {fewer})", "one contains the other"),
        level(alike.format(0.92), "both very similar"),
        level(alike.format(0.85), "both similar"),
        level(f"{shared} >= 2", "two words in common"),
        *_one_name(f, g, "family", "given", rare),
        *_one_name(g, f, "given", "family", rare),
        level(f"{shared} >= 1 or {f}_l = {g}_r or {g}_l = {f}_r", "one word in common"),
        level(f"{similar(f, 0.9)} or {similar(g, 0.9)}", "one similar"),
        ELSE,
    ]
    essential = bool(given.essential or family.essential)
    names = tuple(one.name for one in (given, family, full) if one is not None)
    return Comparison(f"{g}_{f}", names, tuple(levels), both, derived, essential)


def _one_name(name: str, other: str, called: str, other_called: str, rare: bool) -> list[Level]:
    """Return the levels of agreement on one of two names: with the other unknown, and with the other different."""
    rarity = name if rare else None
    return [
        level(f"{same(name)} and {unknown(other)}", f"same {called} name, {other_called} unknown", rarity),
        level(same(name), f"same {called} name", rarity),
        level(f"{similar(name, 0.9)} and {unknown(other)}", f"similar {called} name, {other_called} unknown"),
    ]


def _telling_words(values: pd.Series, aliases: Mapping[str, str]) -> pd.Series:
    """Return the sorted distinct words of names, without particles and initials, None where there are none."""
    forms = {
        text: sorted(
            {aliases.get(word, word) for word in text.split() if len(word) > 1 and word not in _PARTICLES}
        )
        for text in values.dropna().unique()
    }
    return pd.Series([forms.get(text) or None for text in values], index=values.index, dtype=object)


def _where(records: pd.DataFrame, place: FieldSpec, postcode: FieldSpec, aliases: Aliases) -> Comparison:
    p, c = place.name, postcode.name
    rare = [one.term_frequency for one in (place, postcode)]
    derived = _derived(records, postcode)
    district, area = f"{c}__district", f"{c}__area"
    learned: list[Level] = []
    if aliases.get(p):
        derived[f"{p}__alias"] = _standing_for(records[p], aliases[p])
        learned = [level(same(f"{p}__alias"), "place stands for the same")]
    rarity = [name if kept else None for name, kept in zip((p, c), rare, strict=True)]
    levels: list[Level] = [
        null(f"({unknown(p)} and {unknown(c)})"),
        level(same(c), "same postcode", rarity[1]),
        level(f"{edits(c, 1)} and {same(district)}", "postcode one character apart"),
        level(f"{same(district)} and {same(p)}", "same district and place", rarity[0]),
        level(
            f"{edits(c, 1)} and ({same(p)} or {similar(p, 0.9)})",
            "postcode one character apart, similar place",
        ),
        level(same(district), "same district", district if rare[1] else None),
        level(f"{same(p)} and {same(area)}", "same place and area", rarity[0]),
        level(f"{same(p)} and {unknown(c)}", "same place, postcode unknown", rarity[0]),
        level(same(p), "same place", rarity[0]),
        *learned,
        level(similar(p, 0.9), "similar place"),
        level(edits(c, 1), "postcode one character apart, other place"),
        level(same(area), "same area"),
        ELSE,
    ]
    return Comparison(
        f"{p}_{c}", (p, c), tuple(levels), c, derived, bool(place.essential or postcode.essential)
    )


def _single(records: pd.DataFrame, one: FieldSpec, aliases: Aliases) -> Comparison:
    name = one.name
    # how telling a category is depends on the names it goes with, so that it is weighed among candidates instead
    listed = one.kind == "category" and records[name].nunique() < _LONG_TAIL
    counts = one.term_frequency and not listed
    essential = one.kind == "company_name" if one.essential is None else bool(one.essential)
    derived = _derived(records, one)
    middle = [level(sql, label) for sql, label in one.levels] or between(name, one.kind)
    if one.kind == "encoded":
        middle, derived = encoded_levels(name, records[name])
    if aliases.get(name):
        derived[f"{name}__alias"] = _standing_for(records[name], aliases[name])
        middle = [level(same(f"{name}__alias"), "stands for the same"), *middle]
    levels = (null(unknown(name)), level(same(name), "same", name if counts else None), *middle, ELSE)
    return Comparison(name, (name,), levels, name, derived, essential, listed)


def _derived(records: pd.DataFrame, one: FieldSpec) -> dict[str, pd.Series]:
    name, values = one.name, records[one.name]
    if one.kind == "email":
        return {f"{name}__user": values.str.split("@").str[0]}
    if one.kind == "postcode":
        outward = values.str.extract(r"^(\S+) \S+$")[0]
        district = outward.where(outward.notna(), values.str.slice(0, -2)).replace("", None)
        area = values.str.extract(r"^([^\W\d]+)")[0]
        area = area.where(area.notna(), values.str.slice(0, 2))
        return {f"{name}__district": district.astype("str"), f"{name}__area": area.astype("str")}
    if one.kind == "company_name":
        run = values.str.replace(" ", "", regex=False)
        return {f"{name}__words": words_of(values), f"{name}__run": run}
    if one.kind in ("person_name", "address"):
        return {f"{name}__words": words_of(values)}
    return {}
