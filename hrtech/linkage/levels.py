"""Levels of agreement between two values: SQL over `<field>_l` and `<field>_r`, that every engine understands alike."""

from typing import Any, Final

Level = dict[str, Any]

ELSE: Final[Level] = {"sql_condition": "ELSE", "label_for_charts": "different"}


def level(sql: str, label: str, rarity_of: str | None = None) -> Level:
    """Return a level; agreement on a rare value of `rarity_of` counts for more than on a common one."""
    plain: Level = {"sql_condition": sql, "label_for_charts": label}
    if rarity_of is None:
        return plain
    rarity = {"tf_adjustment_column": rarity_of, "tf_adjustment_weight": 1.0}
    return plain | rarity | {"disable_tf_exact_match_detection": True}


def null(*alternatives: str) -> Level:
    """Return the level of pairs that say nothing."""
    return {"sql_condition": " or ".join(alternatives), "label_for_charts": "unknown", "is_null_level": True}


def unknown(name: str) -> str:
    """Return SQL that holds where a value is missing on either side."""
    return f"({name}_l is null or {name}_r is null)"


def same(name: str) -> str:
    """Return SQL that holds where both values are equal."""
    return f"{name}_l = {name}_r"


def jaro(left: str, right: str) -> str:
    """Return SQL for the Jaro-Winkler similarity of two columns."""
    return f"alike({left}, {right})"


def similar(name: str, least: float) -> str:
    """Return SQL that holds where two values are alike enough by Jaro-Winkler."""
    return f"{jaro(f'{name}_l', f'{name}_r')} >= {least}"


def edits(name: str, most: int) -> str:
    """Return SQL that holds where few letters are changed, added, lost or transposed."""
    return f"letters_apart({name}_l, {name}_r) <= {most}"


def words_shared(name: str) -> tuple[str, str, str]:
    """Return SQL for the words that two values share: their number, their share of all, the fewer words of the two."""
    both = f"words_in_common({name}__words_l, {name}__words_r)"
    left, right = f"word_count({name}__words_l)", f"word_count({name}__words_r)"
    return both, f"{both} / ({left} + {right} - {both})", f"least({left}, {right})"


def between(name: str, kind: str) -> list[Level]:
    """Return the levels between equality and difference of a single field."""
    return _BETWEEN[kind](name) if kind in _BETWEEN else []


def _name_part(name: str) -> list[Level]:
    return [level(similar(name, 0.92), "very similar"), level(similar(name, 0.85), "similar")]


def _person_name(name: str) -> list[Level]:
    both, share, fewer = words_shared(name)
    return [
        level(f"{share} = 1", "same words, other order"),
        level(similar(name, 0.92), "very similar"),
        level(f"{both} >= 2 and {both} = {fewer}", "one contains the other"),
        level(similar(name, 0.85), "similar"),
        level(f"{both} >= 1", "one word in common"),
    ]


def _company_name(name: str) -> list[Level]:
    both, share, fewer = words_shared(name)
    return [
        level(f"{same(f'{name}__run')} or {share} = 1", "same but for spaces or order"),
        level(similar(name, 0.94), "very similar"),
        level(f"{both} >= 2 and {both} = {fewer}", "one contains the other"),
        level(similar(name, 0.88), "similar"),
        level(f"{both} >= 1", "words in common"),
    ]


def _address(name: str) -> list[Level]:
    both, share, _ = words_shared(name)
    return [
        level(f"{share} >= 0.7 or {similar(name, 0.95)}", "very similar"),
        level(f"{share} >= 0.45 or {similar(name, 0.88)}", "similar"),
        level(f"{both} >= 1", "words in common"),
    ]


def _phone(name: str) -> list[Level]:
    return [
        level(f"right({name}_l, 8) = right({name}_r, 8) and len({name}_l) >= 8", "same but for the prefix"),
        level(edits(name, 1), "one digit apart"),
        level(edits(name, 2), "two digits apart"),
    ]


def _email(name: str) -> list[Level]:
    user = f"{name}__user"
    return [
        level(same(user), "same user, other domain"),
        level(edits(name, 2), "two letters apart"),
        level(f"{edits(user, 2)} and len({user}_l) > 4", "similar user"),
        level(similar(name, 0.88), "similar"),
    ]


def _date(name: str) -> list[Level]:
    """Dates of one life: slips of a digit, day and month changed over, and the year alone known or nearly right."""
    year, day = f"left({name}_{{0}}, 4)", f"right({name}_{{0}}, 5)"
    same_year = f"{year.format('l')} = {year.format('r')}"
    years_apart = f"abs(try_cast({year.format('l')} as int) - try_cast({year.format('r')} as int))"
    first_day = f"({day.format('l')} = '01-01' or {day.format('r')} = '01-01')"
    turned = f"{year.format('l')} || '-' || right({name}_l, 2) || '-' || substr({name}_l, 6, 2) = {name}_r"
    return [
        level(turned, "day and month changed over"),
        level(edits(name, 1), "one digit apart"),
        level(f"{same_year} and {first_day}", "same year, day unknown"),
        level(edits(name, 2), "two digits apart"),
        level(same_year, "same year"),
        level(f"{years_apart} <= 1", "a year apart"),
        level(f"{years_apart} <= 10", "within ten years"),
    ]


def _event(name: str) -> list[Level]:
    days = f"days_apart({name}_l, {name}_r)"
    return [
        level(f"{days} <= {most}", label)
        for most, label in ((7, "within a week"), (31, "within a month"), (366, "within a year"))
    ]


def _identifier(name: str) -> list[Level]:
    return [
        level(f"{edits(name, 1)} and len({name}_l) > 3", "one character apart"),
        level(f"{edits(name, 2)} and len({name}_l) > 5", "two characters apart"),
    ]


def _place(name: str) -> list[Level]:
    return [level(f"{similar(name, 0.9)} or ({edits(name, 2)} and len({name}_l) > 4)", "similar")]


def _postcode(name: str) -> list[Level]:
    return [
        level(edits(name, 1), "one character apart"),
        level(same(f"{name}__district"), "same district"),
        level(same(f"{name}__area"), "same area"),
    ]


_BETWEEN: Final = {
    "given_name": _name_part,
    "family_name": _name_part,
    "person_name": _person_name,
    "company_name": _company_name,
    "address": _address,
    "phone": _phone,
    "email": _email,
    "date": _date,
    "event_date": _event,
    "identifier": _identifier,
    "place": _place,
    "postcode": _postcode,
}
