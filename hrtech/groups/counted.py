"""Counts over cells, which of them may be published, and which sums of them nobody may find out.

Belongs here: the counts as a collection. What a comparison counts is `hrtech.groups.cells`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from hrtech.groups.audit import Figures

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: Share of small counts above which the windows of groups are not told at all.
_MOSTLY = 0.6
#: Measure, standardised, group (the number of groups: all together), window.
Place = tuple[str, bool, int, int]


@dataclass
class Counted:
    """Counts of one quantity, records or events, over the finest cells that tell its rows apart.

    Attributes:
        cells: True counts.
        rows: Cells of each count that may be published.
        forbidden: Whether a count is of too few people, whatever its size.
        secrets: Cells of sums that are small and stand in no table.
        width: How far apart the least and the most that each of them can be have to be.
        needs: Figure → counts behind it.
        worth: How dear each count is.
        seen: Cells of a count → its number.
        kept: Cells of a secret → its number.
        fine: Counts of one group in one window.
        coarse: Whether no group is told by window.
    """

    cells: np.ndarray
    rows: list[np.ndarray] = field(default_factory=list)
    forbidden: list[bool] = field(default_factory=list)
    secrets: list[np.ndarray] = field(default_factory=list)
    width: list[float] = field(default_factory=list)
    needs: dict[Place, list[int]] = field(default_factory=dict)
    worth: list[float] = field(default_factory=list)
    seen: dict[bytes, int] = field(default_factory=dict)
    kept: dict[bytes, int] = field(default_factory=dict)
    fine: set[int] = field(default_factory=set)
    coarse: bool = False

    def row(self, cells: np.ndarray, few: bool, worth: float) -> int:
        """Number of a count; the same cells are the same count."""
        key = cells.tobytes()
        if key not in self.seen:
            self.seen[key] = len(self.rows)
            self.rows.append(cells)
            self.forbidden.append(few)
            self.worth.append(worth)
        at = self.seen[key]
        self.forbidden[at] |= few
        self.worth[at] = max(self.worth[at], worth)
        return at

    def secret(self, cells: np.ndarray, width: float) -> None:
        """Keep a sum from being found out; asked for twice, it is kept as open as the more careful one asks."""
        at = self.kept.setdefault(cells.tobytes(), len(self.secrets))
        if at == len(self.secrets):
            self.secrets.append(cells)
            self.width.append(width)
        self.width[at] = max(self.width[at], width)

    def coarsen(self, minimum: int) -> None:
        """Forbid the windows of all groups where most of their counts are small: little could be told of them."""
        values = np.array([self.cells[row].sum() for row in self.rows])
        fine = np.array(sorted(self.fine), dtype=np.int64)
        above = fine[values[fine] > 0]
        if len(above) and (values[above] < minimum).mean() > _MOSTLY:
            self.coarse = True
            for at in above:
                self.forbidden[at] = True

    def figures(self) -> Figures:
        """As the audit takes them."""
        return Figures(
            self.cells, _matrix(self.rows, len(self.cells)), np.array(self.forbidden, bool),
            _matrix(self.secrets, len(self.cells)), np.array(self.worth, float), np.array(self.width, float),
        )  # fmt: skip


def _matrix(rows: list[np.ndarray], columns: int) -> csr_array:
    from scipy.sparse import csr_array

    pointers = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int32)
    indices = np.concatenate(rows).astype(np.int32) if rows else np.zeros(0, np.int32)
    return csr_array((np.ones(len(indices)), indices, pointers), shape=(len(rows), columns))
