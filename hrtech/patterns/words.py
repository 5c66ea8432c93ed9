"""Patterns in words: how their attributes, windows and directions are said to a reader."""

from typing import Final

from hrtech.counts import parse_attributes

#: What is said of a direction: a verb for the share, and a word for the pattern.
RISING: Final = {"emerging": "rose", "fading": "fell", "new": "appeared"}


def in_words(attributes: str) -> str:
    """Say a combination: `channel:Walk-in;gender:Female` is *channel Walk-in and gender Female*."""
    said = [f"{_plain(column)} {_plain(value)}" for column, value in parse_attributes(attributes)]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def short(attributes: str) -> str:
    """Say the values alone, for the labels of charts: *Walk-in + Female*."""
    return " + ".join(value for _, value in parse_attributes(attributes))


def key_of(pattern_id: str) -> str:
    """A pattern's id as a part of fact ids and addresses."""
    return pattern_id.lower()


def window_words(first: str, last: str) -> str:
    """Say a window: *in 2024-03*, or *from 2024-03 to 2024-05*."""
    return f"in {_plain(first)}" if first == last else f"from {_plain(first)} to {_plain(last)}"


def _plain(text: str) -> str:
    # braces would be fields of a statement
    return text.replace("_", " ").replace("{", "(").replace("}", ")")
