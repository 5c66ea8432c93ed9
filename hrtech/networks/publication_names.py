"""Who is named in a text? The check that a page about one entity names no other.

It finds names as the study knows them, with or without their legal form, in any case and script, and ids. It does not
find a surname, a nickname or a description: whoever approves a page reads it.
"""

import re
from collections.abc import Collection
from typing import Final

import pandas as pd

from hrtech.linkage.normalise import fold, normalise

_MOST_WORDS: Final = 10
#: Shorter words, and shorter numbers, are too common to be taken for a name or an id.
_LEAST_NAME: Final = 4
_LEAST_ID: Final = 3
_LEAST_NUMBER: Final = 5
_TOKEN: Final = re.compile(r"[\w.-]+")


class Named:
    """Finds entities by name or id.

    Args:
        nodes: `entity_id, name, node_kind` of everybody.
    """

    def __init__(self, nodes: pd.DataFrame) -> None:
        self._by_words: dict[tuple[str, ...], set[str]] = {}
        self._capital: set[tuple[str, ...]] = set()
        ids = [str(one) for one in nodes["entity_id"]]
        names = nodes["name"].astype("str")
        short = normalise(names, "company_name")
        for one, name, bare, kind in zip(ids, names, short, nodes["node_kind"], strict=True):
            words = tuple(_words(str(name)))
            self._add(words, one)
            if kind == "owner" and len(words) == 2:
                self._add(words[::-1], one)
            if isinstance(bare, str) and (form := tuple(bare.split())) != words:
                self._add(form, one, capital=len(form) == 1)
        long = [one for one in ids if len(one) >= _LEAST_ID]
        plain = {one for one in long if _TOKEN.fullmatch(one)}
        self._ids = {one.casefold(): one for one in plain if not (one.isdigit() and len(one) < _LEAST_NUMBER)}
        self._odd = [one for one in long if one not in plain]

    def _add(self, words: tuple[str, ...], one: str, *, capital: bool = False) -> None:
        if not words or (len(words) == 1 and len(words[0]) < _LEAST_NAME):
            return
        key = words[:_MOST_WORDS]
        if capital and key not in self._by_words:
            self._capital.add(key)
        elif not capital:
            self._capital.discard(key)
        self._by_words.setdefault(key, set()).add(one)

    def others(self, text: str, allowed: Collection[str]) -> set[str]:
        """Return the ids of those whom a text names.

        Args:
            text: The text.
            allowed: Ids of those who may be named; a name that one of them has too is theirs.
        """
        may = set(allowed)
        found = {one for one in self._odd if one in text} - may
        for token in _TOKEN.findall(text):
            if (one := self._ids.get(token.strip(".-").casefold())) is not None and one not in may:
                found.add(one)
        return found | self._by_name(text, may)

    def _by_name(self, text: str, may: set[str]) -> set[str]:
        words: list[str] = []
        capital: list[bool] = []
        for chunk in text.replace("&", " and ").split():
            pieces = fold(chunk).split()
            words += pieces
            capital += [any(letter.isupper() for letter in chunk)] * len(pieces)
        found: set[str] = set()
        at = 0
        while at < len(words):
            for size in range(min(_MOST_WORDS, len(words) - at), 0, -1):
                key = tuple(words[at : at + size])
                who = self._by_words.get(key)
                if who is None or (key in self._capital and not capital[at]):
                    continue
                if not who & may:
                    found |= who
                at += size - 1
                break
            at += 1
        return found


def _words(name: str) -> list[str]:
    return fold(name.replace("&", " and ")).split()
