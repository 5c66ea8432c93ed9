"""Values that differ by one slip of the pen: a letter left out, doubled, changed, or two swapped.

Two texts at that distance (optimal string alignment 1) share what is left when one letter is taken out of either
(Bocek, Hunt and Stiller 2007), so that candidates are found by sorting and not by comparing all with all. Digits are
never letters: house 12 is not house 21.
"""

from typing import Final

import numpy as np
import pandas as pd

from hrtech.networks.pairs import Ints, pairs_within

#: Shorter texts are near each other by chance.
SHORTEST: Final = 8
LONGEST: Final = 80
#: More spellings than these around one value: nearness means nothing there, and none is joined.
MOST_SPELLINGS: Final = 6
_MOST_ALIKE: Final = 12
_ROWS: Final = 50_000
_BITS: Final = 22


def near_values(texts: pd.Series) -> Ints:
    """Group distinct texts with those one slip away.

    Returns:
        A label per text: the position of the first text of its group.
    """
    label = np.arange(len(texts))
    length = texts.str.len().to_numpy()
    long = np.flatnonzero((length >= SHORTEST) & (length <= LONGEST))
    if len(long) < 2:
        return label
    first, second = _candidates(texts.iloc[long])
    first, second = long[first], long[second]
    values = texts.to_numpy(dtype=object)
    near = _one_slip(values[first], values[second])
    return _groups(len(texts), first[near], second[near])


def _candidates(texts: pd.Series) -> tuple[Ints, Ints]:
    """Return pairs that share a form with one letter less."""
    sums, owners = [], []
    weights = np.random.default_rng(0).integers(1, 2**63, LONGEST + 1).astype(np.uint64) | np.uint64(1)
    order = np.argsort(texts.str.len().to_numpy(), kind="stable")
    for start in range(0, len(order), _ROWS):
        part = order[start : start + _ROWS]
        block = texts.iloc[part].to_numpy().astype("U")
        letters = block.view(np.uint32).reshape(len(part), -1).astype(np.uint64)
        width = letters.shape[1]
        keep = letters * weights[:width]
        shifted = np.zeros_like(keep)
        shifted[:, 1:] = letters[:, 1:] * weights[: width - 1]
        before = np.cumsum(keep, axis=1) - keep
        after = shifted.sum(axis=1, keepdims=True) - np.cumsum(shifted, axis=1)
        digit = (letters >= ord("0")) & (letters <= ord("9"))
        usable = (letters > 0) & ~digit
        # either of two equal neighbours leaves the same form
        usable[:, :-1] &= letters[:, :-1] != letters[:, 1:]
        row, _ = np.nonzero(usable)
        sums += [(before + after)[usable], keep.sum(axis=1)]
        owners += [part[row], part]
    forms, owner = _repeated(np.concatenate(sums), np.concatenate(owners))
    found = pd.DataFrame({"form": forms, "owner": owner}).drop_duplicates()
    found = found.loc[found["form"].duplicated(keep=False)]
    group = found["form"].factorize()[0].astype(np.int64)
    first, second, _ = pairs_within(group, found["owner"].to_numpy(np.int64), _MOST_ALIKE)
    pairs = pd.DataFrame({"first": first, "second": second}).drop_duplicates()
    return pairs["first"].to_numpy(np.int64), pairs["second"].to_numpy(np.int64)


def _repeated(forms: np.ndarray, owners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Drop forms that surely occur once: those alone with their last bits, thrice with other bits."""
    mask = np.uint64((1 << _BITS) - 1)
    for shift in (0, _BITS, 63 - _BITS):
        bucket = ((forms >> np.uint64(shift)) & mask).astype(np.int64)
        several = np.bincount(bucket, minlength=1 << _BITS)[bucket] > 1
        forms, owners = forms[several], owners[several]
    return forms, owners


def _one_slip(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    from rapidfuzz.distance import OSA
    from rapidfuzz.process import cpdist

    if not len(first):
        return np.empty(0, bool)
    distance = cpdist(first, second, scorer=OSA.distance, score_cutoff=1)
    digits = [pd.Series(side, dtype="str").str.replace(r"\D", "", regex=True) for side in (first, second)]
    return np.asarray((distance <= 1) & (digits[0] == digits[1]).to_numpy())


def _groups(count: int, first: Ints, second: Ints) -> Ints:
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    graph = sparse.coo_array((np.ones(len(first)), (first, second)), shape=(count, count))
    _, component = connected_components(graph, directed=False)
    size = np.bincount(component, minlength=1)
    earliest = np.full(len(size), count, dtype=np.int64)
    np.minimum.at(earliest, component, np.arange(count))
    return np.where(size[component] <= MOST_SPELLINGS, earliest[component], np.arange(count))
