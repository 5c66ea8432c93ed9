"""How a page about one entity speaks: what others are called, each path in a sentence, and what else may explain it."""

import re
from collections.abc import Callable, Mapping
from typing import Final

import pandas as pd

from hrtech.networks.agreement import CO_BID
from hrtech.networks.patterns import PATTERNS
from hrtech.networks.publication import Publication
from hrtech.networks.screens_bids import SCREENS
from hrtech.networks.why import answers, chain

_INNOCENT: Final[Mapping[str, str]] = {
    "ownership": "Owning a share is lawful and usual; an owner need not know what the company does.",
    CO_BID: "A joint venture, a region or a speciality makes firms bid together.",
    "synchronised": "Seasons, deadlines and calls make many act at the same time.",
    "asynchronous": "A trade has customary steps that one takes after the other.",
}
_SHARED: Final = (
    "Neighbours in one building, an accountant, a formation agent, a former owner or an error of a register give the "
    "same {}."
)
_SCREEN: Final = "screen: "
_BEGINS: Final = re.compile(r"^[a-z]|(?<=\. )(?:entity|owner)\b")


class Labels:
    """How entities are called on one page.

    Args:
        nodes: `entity_id, node_kind`, indexed by id.
        named: Id → name of those who may be named.
    """

    def __init__(self, nodes: pd.DataFrame, named: Mapping[str, str]) -> None:
        self._kind = nodes["node_kind"].to_dict()
        self._given = dict(named)
        self._count = 0

    def __call__(self, one: str) -> str:
        """Return the name of an entity, or what it is called instead."""
        if one not in self._given:
            self._given[one] = f"{self._kind.get(one, 'entity')} {_letters(self._count)}"
            self._count += 1
        return self._given[one]


def explanation(what: str, entry: Publication) -> str:
    """Return what else may explain a flag or a kind of link; empty where nothing is known of a flag."""
    if what in entry.explanations:
        return entry.explanations[what]
    if what in PATTERNS:
        return PATTERNS[what].innocent
    if what.startswith(_SCREEN) and (name := what.removeprefix(_SCREEN)) in SCREENS:
        return SCREENS[name].innocent
    return ""


def link_explanation(kind: str, entry: Publication) -> str:
    """Return what else may explain a kind of link."""
    return entry.explanations.get(kind) or _INNOCENT.get(kind) or _SHARED.format(kind.replace("_", " "))


def on_paths(entity_id: str, paths: pd.DataFrame) -> list[str]:
    """Return who stands on the paths of an entity: itself first, then in the order of the paths."""
    far = paths.loc[paths["hops"] > 0, "via"]
    return list(dict.fromkeys([entity_id, *(one for via in far for one in chain(str(via))[0])]))


def path_sentences(
    entity_id: str, paths: pd.DataFrame, edges: pd.DataFrame, flags: pd.DataFrame, label: Callable[[str], str]
) -> pd.DataFrame:
    """Say the paths of an entity: with tokens in place of ids, and then what everybody is called in their place.

    Args:
        entity_id: The entity.
        paths: Its paths that may be told.
        edges: The links between those on them that may be told.
        flags: The flags that may be named.
        label: What somebody is called.

    Returns:
        `number, sentence, contribution, share`, as `answers` gives them.
    """
    token = {one: f"\ue000{place}\ue001" for place, one in enumerate(on_paths(entity_id, paths))}
    made = answers(
        pd.DataFrame({"entity_id": list(token.values()), "name": list(token.values())}),
        edges.assign(source=edges["source"].map(token), target=edges["target"].map(token)),
        paths.assign(
            entity_id=token[entity_id],
            source=paths["source"].map(token),
            via=[_relabelled(str(via), token.__getitem__) for via in paths["via"]],
        ),
        [token[entity_id]],
        flags.assign(entity_id=flags["entity_id"].map(token)),
    )
    said = []
    for sentence in made["sentence"]:
        for one in sorted(token, key=lambda each: sentence.find(token[each])):
            if token[one] in sentence:
                sentence = sentence.replace(token[one], label(one))
        said.append(_BEGINS.sub(lambda begin: begin[0][0].upper() + begin[0][1:], sentence))
    return made.assign(sentence=said)


def _relabelled(via: str, label: Callable[[str], str]) -> str:
    """Put labels in place of the ids of a path."""
    ids, kinds = chain(via)
    if not kinds:
        return via
    return label(ids[0]) + "".join(
        f" –{kind}– {label(one)}" for kind, one in zip(kinds, ids[1:], strict=True)
    )


def _letters(number: int) -> str:
    """Name a number in letters: A to Z, then AA."""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
