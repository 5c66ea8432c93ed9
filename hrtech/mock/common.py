"""Building blocks of the mock world: named random streams, column builders, spelling errors.

Belongs here: what two or more tables of the world need. Does not belong here: the content of any table.
Every random draw of the world comes from a stream named after the thing it decides, so that a planted
truth that is switched off leaves every other draw where it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

MULTI_VALUED = pd.ArrowDtype(pa.list_(pa.string()))

FIRST_DAY = np.datetime64("2019-01-01", "D")
LAST_DAY = np.datetime64("2024-12-31", "D")
FIRST_MONTH = np.datetime64("2021-01", "M")
MONTHS = 48


@dataclass(frozen=True)
class Streams:
    """Independent random generators, one for each name, all determined by one seed.

    Args:
        seed: The seed of the world, a non-negative integer.
    """

    seed: int

    def __call__(self, name: str) -> np.random.Generator:
        """Return a fresh generator for `name`; the same name gives the same draws in any process."""
        words = np.frombuffer(hashlib.blake2b(name.encode(), digest_size=16).digest(), dtype="<u4")
        key = tuple(int(word) for word in words)
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=key)))


def text(values: Any, missing: np.ndarray | None = None) -> pd.Series:
    """Build a column of dtype `str`; cells that are None or marked in `missing` are blank."""
    column = pd.Series(np.asarray(values, dtype=object), dtype="str")
    return column if missing is None else column.mask(missing)


def labels(codes: np.ndarray, values: Sequence[str]) -> np.ndarray:
    """Turn integer codes into the values that they stand for; a negative code gives None."""
    table = np.array([*values, None], dtype=object)
    return np.asarray(table[np.where(codes < 0, len(values), codes)])


def multi_valued(member: np.ndarray, values: Sequence[str], missing: np.ndarray | None = None) -> pd.Series:
    """Build a multi-valued column from a matrix of memberships.

    Args:
        member: Booleans, one row per record and one column per value.
        values: The values, in the order of the columns of `member`.
        missing: Rows that are unknown (null), as opposed to known to hold none (an empty list).

    Returns:
        A column of lists of strings, unique and sorted within each cell.
    """
    order = sorted(range(len(values)), key=lambda j: values[j])
    sorted_values = pa.array([values[j] for j in order], pa.string())
    member = member[:, order]
    if missing is not None:
        member = member & ~missing[:, None]
    offsets = np.zeros(len(member) + 1, dtype=np.int32)
    np.cumsum(member.sum(axis=1), out=offsets[1:])
    flat = sorted_values.take(pa.array(np.nonzero(member)[1], pa.int32()))
    mask = None if missing is None else pa.array(missing)
    lists = pa.ListArray.from_arrays(pa.array(offsets), flat, mask=mask)
    return pd.Series(pd.arrays.ArrowExtensionArray(lists))


def dates(values: np.ndarray, missing: np.ndarray | None = None) -> pd.Series:
    """Build a date column (`datetime64[us]`), blank where `missing`."""
    column = values.astype("datetime64[us]")
    if missing is not None:
        column = np.where(missing, np.datetime64("NaT", "us"), column)
    return pd.Series(column)


def ids(prefix: str, count: int, digits: int = 6) -> np.ndarray:
    """Return `count` identifiers such as `C-000001`."""
    return np.array([f"{prefix}-{i + 1:0{digits}d}" for i in range(count)], dtype=object)


def draw(rng: np.random.Generator, scores: np.ndarray) -> np.ndarray:
    """Draw one column per row with probability proportional to exp(score) (Gumbel-max)."""
    return np.asarray(np.argmax(scores + rng.gumbel(size=scores.shape), axis=1))


def zipf_weights(count: int, exponent: float = 0.8) -> np.ndarray:
    """Return decreasing weights that add up to one, as frequencies of names and values do."""
    weights = np.arange(1, count + 1, dtype=float) ** -exponent
    return np.asarray(weights / weights.sum())


def logistic(score: np.ndarray) -> np.ndarray:
    """Return the probability that belongs to a log-odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-score)))


def concentrated(rng: np.random.Generator, pools: Sequence[np.ndarray], which: np.ndarray) -> np.ndarray:
    """Pick one member of pool `which[i]` for each i, early members more often; -1 where a pool is empty."""
    chosen = np.full(len(which), -1, dtype=np.int64)
    for j, pool in enumerate(pools):
        rows = np.flatnonzero(which == j)
        if len(pool) and len(rows):
            chosen[rows] = rng.choice(pool, size=len(rows), p=zipf_weights(len(pool)))
    return chosen


def misspell(word: str, kind: int, place: float, letter: int) -> str:
    """Make one keying error in `word`.

    Args:
        word: The right spelling; words under three letters come back as they are.
        kind: 0 leaves a letter out, 1 swaps two neighbours, 2 doubles a letter, 3 puts a wrong one.
        place: Where, as a share of the length, in [0, 1).
        letter: Which wrong letter, 0 to 25.
    """
    if len(word) < 3:
        return word
    i = 1 + int(place * (len(word) - 2))
    if kind == 0:
        return word[:i] + word[i + 1 :]
    if kind == 1:
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    if kind == 2:
        return word[:i] + word[i] + word[i:]
    return word[:i] + chr(ord("a") + letter) + word[i + 1 :]


def misspell_some(rng: np.random.Generator, words: np.ndarray, rate: float) -> np.ndarray:
    """Return a copy of `words` in which a share `rate` of the non-blank cells has one keying error."""
    hit = np.flatnonzero(rng.random(len(words)) < rate)
    kinds, places = rng.integers(0, 4, len(hit)), rng.random(len(hit))
    letters = rng.integers(0, 26, len(hit))
    out = words.copy()
    for row, kind, place, letter in zip(hit, kinds, places, letters, strict=True):
        if isinstance(out[row], str):
            out[row] = misspell(out[row], int(kind), float(place), int(letter))
    return out


def rewrite_some(
    rng: np.random.Generator, words: np.ndarray, rate: float, rewrite: Callable[[str, int], str]
) -> np.ndarray:
    """Return a copy of `words` in which a share `rate` of the cells is passed through `rewrite(word, dice)`.

    The dice are integers from 0 to 5.
    """
    hit = np.flatnonzero(rng.random(len(words)) < rate)
    dice = rng.integers(0, 6, len(hit))
    out = words.copy()
    for row, die in zip(hit, dice, strict=True):
        if isinstance(out[row], str):
            out[row] = rewrite(out[row], int(die))
    return out
