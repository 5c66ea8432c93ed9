"""What an attacker without the key learns from the filters of one field: the measure behind the warnings of the docs.

The attacker holds the encodings, knows how filters are built but not the key, and has a list of values with how often
each occurs (names of a census, a voter roll). The most frequent filters are taken for the most frequent values; from
these the bits of each bigram are learned; then every filter is read by its bits, what was read teaches further bigrams,
and so on. Source: Christen, Schnell, Vatsalan and Ranbaduge 2017, "Efficient cryptanalysis of Bloom filters for
privacy-preserving record linkage". Graph matching (Vidanage et al. 2020) is stronger and is not done here.
"""

from typing import Final

import numpy as np
import pandas as pd

from hrtech.linkage.encoded import bits_of
from hrtech.linkage.encoding import grams
from hrtech.linkage.normalise import fold

_ANCHORS: Final = 12
_ROUNDS: Final = 8
_SURE: Final = 0.8
_LEARNED: Final = 0.8


def frequency_attack(encodings: pd.Series, public: pd.Series, insider: pd.Series | None = None) -> pd.Series:
    """Guess the value behind each filter.

    Args:
        encodings: Filters of one field, missing where blank.
        public: Values of the population that the attacker knows, one per person of it.
        insider: True values of a few records, by their index, which the attacker found out otherwise; it then starts
            from them and not from the most frequent ones.

    Returns:
        The guess per encoding, missing where the attacker makes none; index of `encodings`.
    """
    seen = encodings.value_counts()
    values = public.map(fold).value_counts()
    filters = bits_of(pd.Series(seen.index)).astype(bool)
    anchors: dict[int, int] = {rank: rank for rank in range(min(_ANCHORS, len(seen), len(values)))}
    if insider is not None:
        rows = seen.index.get_indexer(pd.Index(encodings.reindex(insider.index)))
        numbered = values.index.get_indexer(pd.Index(insider.map(fold)))
        anchors = {
            row: value
            for row, value in zip(rows.tolist(), numbered.tolist(), strict=True)
            if min(row, value) >= 0
        }
    guess = anchors
    pieces = [grams(value, "family_name") for value in values.index]
    numbers = {gram: number for number, gram in enumerate(sorted({gram for each in pieces for gram in each}))}
    holds = np.zeros((len(pieces), len(numbers)), np.float32)
    for value, each in enumerate(pieces):
        holds[value, [numbers[gram] for gram in each]] = 1
    for _ in range(_ROUNDS):
        before = dict(guess)
        guess = _read(filters, holds, guess) | (anchors if insider is not None else {})
        if guess == before:
            break
    found = {seen.index[number]: values.index[value] for number, value in guess.items()}
    return encodings.map(found).astype("str")


def _read(filters: np.ndarray, holds: np.ndarray, guess: dict[int, int]) -> dict[int, int]:
    """Learn the bits of bigrams from guesses, and guess anew from the bits."""
    rows, values = list(guess), list(guess.values())
    times = holds[values].sum(axis=0)
    share = holds[values].T @ filters[rows].astype(np.float32) / np.maximum(times, 1)[:, None]
    sets = (share >= _LEARNED) & (times > 0)[:, None]
    known = np.flatnonzero(holds @ (times == 0).astype(np.float32) == 0)  # values of learned bigrams only
    if not len(known):
        return guess
    expected = holds[known] @ sets.astype(np.float32) > 0
    common = filters.astype(np.float32) @ expected.T.astype(np.float32)
    dice = 2 * common / np.maximum(filters.sum(axis=1)[:, None] + expected.sum(axis=1)[None, :], 1)
    best = dice.argmax(axis=1)
    sure = dice[np.arange(len(filters)), best] >= _SURE
    return {int(row): int(known[best[row]]) for row in np.flatnonzero(sure)} or guess
