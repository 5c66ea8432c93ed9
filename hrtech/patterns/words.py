"""Patterns in words: how their attributes, windows and directions are said to a reader."""

from collections.abc import Sequence
from typing import Final

from hrtech.counts import parse_attributes

_TELLING: Final = 3
_BARE: Final = frozenset({"true", "false", "none", "unknown", "other"})


def in_words(attributes: str) -> str:
    """Say a combination: `channel:Walk-in;gender:Female` is *channel Walk-in and gender Female*."""
    said = [f"{_plain(column)} {_plain(value)}" for column, value in parse_attributes(attributes)]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def short_words(texts: Sequence[str]) -> list[str]:
    """Say combinations briefly, for tables and the labels of charts: *Walk-in + gender F*.

    A value stands alone where it says enough: it is longer than three letters, no yes or no, and the same value of no
    other column occurs beside it.
    """
    parsed = [parse_attributes(text) for text in texts]
    columns: dict[str, set[str]] = {}
    for column, value in (item for items in parsed for item in items):
        columns.setdefault(value, set()).add(column)

    def one(column: str, value: str) -> str:
        alone = len(value) > _TELLING and value.lower() not in _BARE and len(columns[value]) == 1
        return value if alone else f"{column.replace('_', ' ')} {value}"

    return [" + ".join(one(*item) for item in items) for items in parsed]


def key_of(pattern_id: str) -> str:
    """A pattern's id as a part of fact ids and addresses."""
    return pattern_id.lower()


def window_words(first: str, last: str) -> str:
    """Say a window: *in 2024-03*, or *from 2024-03 to 2024-05*."""
    return f"in {_plain(first)}" if first == last else f"from {_plain(first)} to {_plain(last)}"


def _plain(text: str) -> str:
    # braces would be fields of a statement
    return text.replace("_", " ").replace("{", "(").replace("}", ")")
