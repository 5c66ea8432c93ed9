"""Which counts are withheld, so that no small one can be worked out from all that are published together.

Small counts are withheld first. Then, as long as a reader could narrow any withheld count down to fewer values than
the minimum cell, or find out a small sum that stands in no table, one more count is withheld: the cheapest of those
that hold the sum in its place, which are the rows with a multiplier in the linear programme (Cox 1980, JASA 75;
Fischetti and Salazar-González 2000). It ends, at the latest with nothing published.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hrtech.groups.audit import Figures, Reader

#: As many sums are asked about one by one.
_FEW = 8


@dataclass(frozen=True)
class Protected:
    """What may be published.

    Attributes:
        published: Counts that may, shape (counts,).
        audit: A row a withheld count or secret: `kind`, `place` among its kind, and `low` and `high`, two values that
            it has in tables which agree with everything published.
    """

    published: np.ndarray
    audit: pd.DataFrame


def protect(figures: Figures, minimum: int) -> Protected:
    """Choose what to withhold.

    Args:
        figures: Counts that may be published, and secrets.
        minimum: Smallest count that may be published; each withheld one keeps at least as many possible values.
    """
    merged = figures.merged()
    values = merged.values
    reader = Reader(merged, ~(merged.forbidden | ((values > 0) & (values < minimum))))
    needed = np.concatenate([np.full(len(values), minimum - 1.0), merged.width])
    for whole in (False, True):
        _widen(reader, needed, whole)
    return Protected(reader.published, _ranges(reader))


def _ranges(reader: Reader) -> pd.DataFrame:
    """Two values of each withheld count and each secret that a reader cannot exclude."""
    count = len(reader.published)
    asked = np.concatenate([np.flatnonzero(~reader.published), np.arange(count, len(reader.low))])
    return pd.DataFrame(
        {
            "kind": np.where(asked < count, "count", "secret"),
            "place": np.where(asked < count, asked, asked - count),
            "low": reader.low[asked],
            "high": reader.high[asked],
        }
    )


def _is_narrow(reader: Reader, needed: np.ndarray, whole: bool) -> np.ndarray:
    """Withheld counts and secrets whose range, as far as it is known, is not as wide as needed."""
    secret = np.concatenate([~reader.published, np.ones(len(reader.low) - len(reader.published), bool)])
    width = reader.high - reader.low if whole else reader.loose_high - reader.loose_low
    return secret & (width < needed - 1e-6)


def _widen(reader: Reader, needed: np.ndarray, whole: bool) -> None:
    """Withhold counts until no sum is narrow any more, or nothing above 0 is published."""
    rng = np.random.default_rng(0)
    asked = 0
    while True:
        _clear(reader, needed, whole, rng)
        narrow = np.flatnonzero(_is_narrow(reader, needed, whole))
        before = reader.published.sum()
        for at in narrow:
            if not _is_narrow(reader, needed, whole)[at]:
                continue
            holders = reader.ask(int(at))
            if whole:
                reader.ask_whole(int(at), float(needed[at]))
            if _is_narrow(reader, needed, whole)[at]:
                _withhold(reader, int(at), holders)
                asked += 1
                if asked % _FEW == 0:
                    _clear(reader, needed, whole, rng)
        if reader.published.sum() == before:
            return


def _clear(reader: Reader, needed: np.ndarray, whole: bool, rng: np.random.Generator) -> None:
    """Find tables in which many sums are far apart at once, as long as that shows many to be wide."""
    narrow = _is_narrow(reader, needed, whole)
    while (left := int(narrow.sum())) > _FEW:
        reader.ask_many(np.flatnonzero(narrow), rng, whole)
        narrow = _is_narrow(reader, needed, whole)
        if narrow.sum() > 0.95 * left:
            return


def _withhold(reader: Reader, at: int, holders: np.ndarray) -> None:
    """Withhold the cheapest count that holds a sum."""
    values = reader.figures.values
    holders = holders[values[holders] > 0]
    if not len(holders):  # held by whole numbers alone: any row that shares a cell with it, or else any row
        cells = reader.sums.indices[reader.sums.indptr[at] : reader.sums.indptr[at + 1]]
        sharing = np.asarray(reader.figures.rows[:, cells].sum(axis=1)) > 0
        there = reader.published & (values > 0)
        holders = np.flatnonzero(there & sharing)
        holders = holders if len(holders) else np.flatnonzero(there)
    if len(holders):
        worth = reader.figures.worth[holders]
        reader.withhold(int(holders[np.lexsort((holders, values[holders], worth))[0]]))
