"""What a reader can work out about withheld counts from everything that is published together.

The reader knows every published count, that counts are whole and not below 0, that a count of 0 would have been
published, so that a withheld one is at least 1, and which combinations occur at all. The least and the most that a
sum can then be are two linear programmes (Fischetti and Salazar-González 2000, Management Science 46); where their
solutions are not whole, an integer programme decides. HiGHS solves them, each from where the last one ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_WHOLE = 1e-6
_SECONDS = 10.0
#: A table this near to the farthest is far enough.
_GAP = 0.3


@dataclass(frozen=True)
class Figures:
    """Counts that may be published, and sums that must not be found out, over the same cells.

    Attributes:
        cells: True counts, whole, shape (cells,).
        rows: Counts that may be published, as sums of cells: 0 and 1, shape (counts, cells).
        forbidden: Counts that are never published, such as those of few people, shape (counts,).
        secrets: Further sums that must not be found out, shape (sums, cells).
        worth: How dear each count is to its readers; the cheapest is withheld first, shape (counts,).
        width: How far apart the least and the most that each secret can be have to be, shape (sums,).
    """

    cells: np.ndarray
    rows: csr_array
    forbidden: np.ndarray
    secrets: csr_array
    worth: np.ndarray
    width: np.ndarray

    @property
    def values(self) -> np.ndarray:
        """True value of each row."""
        return np.asarray(self.rows @ self.cells)

    def merged(self) -> Figures:
        """Join cells that no row and no secret tells apart; what can be found out stays the same."""
        from scipy.sparse import csr_array, vstack

        both = vstack([self.rows, self.secrets], format="csc")
        both.sort_indices()
        keys = [tuple(both.indices[a:b]) for a, b in zip(both.indptr[:-1], both.indptr[1:], strict=True)]
        places = {key: at for at, key in enumerate(dict.fromkeys(keys))}
        at = np.array([places[key] for key in keys], dtype=np.int64)
        firsts = np.unique(at, return_index=True)[1]
        cells = np.bincount(at, self.cells, len(places))
        count = self.rows.shape[0]
        kept = csr_array(both[:, firsts])
        return Figures(
            cells, csr_array(kept[:count]), self.forbidden, csr_array(kept[count:]), self.worth, self.width
        )


class Reader:
    """Somebody who has everything that is published, and asks about sums of cells.

    Every table that agrees with what is published is kept as a witness: what two of them say differently, the reader
    cannot know. A table stays possible when more is withheld, so that most sums need no programme of their own.

    Attributes:
        figures: The counts.
        published: Which of them are.
        sums: Rows and secrets, one after the other.
        low: Least value of each sum in a possible table of whole numbers that was found.
        high: Its greatest.
        loose_low: Least value in a possible table of any numbers that was found.
        loose_high: Its greatest.
    """

    def __init__(self, figures: Figures, published: np.ndarray) -> None:
        import highspy
        from scipy.sparse import vstack

        self.figures, self.published = figures, published.copy()
        self.sums = vstack([figures.rows, figures.secrets], format="csr")
        self.low = self.high = self.loose_low = self.loose_high = np.asarray(
            self.sums @ figures.cells, dtype=float
        )
        self.solver = highspy.Highs()
        for option, value in (("output_flag", False), ("threads", 1), ("presolve", "off")):
            self.solver.setOptionValue(option, value)
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = len(figures.cells), figures.rows.shape[0]
        model.col_cost_ = np.zeros(model.num_col_)
        model.col_lower_ = np.zeros(model.num_col_)
        # a reader who had no end for a cell is taken to know that it is not beyond far
        self.far = max(100.0, 10.0 * (1 + figures.cells.max(initial=0)))
        model.col_upper_ = np.full(model.num_col_, self.far)
        model.row_lower_ = np.where(published, figures.values, 1.0)
        model.row_upper_ = np.where(published, figures.values, highspy.kHighsInf)
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_ = figures.rows.indptr
        model.a_matrix_.index_ = figures.rows.indices
        model.a_matrix_.value_ = figures.rows.data.astype(float)
        self.solver.passModel(model)
        self.infinite = highspy.kHighsInf

    def withhold(self, row: int) -> None:
        """Take a row out of what is published."""
        self.published[row] = False
        self.solver.changeRowBounds(row, 1.0, self.infinite)

    def ask(self, at: int) -> np.ndarray:
        """Find the least and the most of a sum in any numbers, and keep them as `loose_low` and `loose_high`.

        Returns:
            Published rows that hold the sum where it is.
        """
        held = np.zeros(len(self.published), bool)
        for sign in (1.0, -1.0):
            cells = self._cells(at)
            found, duals = self._least(cells, np.full(len(cells), sign))
            held |= np.abs(duals) > 1e-9
            self._keep(found)
        return np.flatnonzero(held & self.published)

    def ask_many(self, sums: np.ndarray, rng: np.random.Generator, whole: bool) -> None:
        """Find two tables in which many sums are at once as far from one another as can be, in drawn directions."""
        direction = np.zeros(len(self.low))
        direction[sums] = rng.choice([-1.0, 1.0], len(sums))
        goal = np.asarray(direction @ self.sums)
        cells = np.flatnonzero(goal)
        for sign in (1.0, -1.0):
            cost = sign * goal[cells]
            self._keep(self._least_whole(cells, cost) if whole else self._least(cells, cost)[0])

    def ask_whole(self, at: int, width: float) -> None:
        """Find values of a sum in whole numbers, as `low` and `high`, until they are so far apart or at their ends."""
        upwards = self.loose_high[at] - self.high[at] >= self.low[at] - self.loose_low[at]
        for sign in (-1.0, 1.0) if upwards else (1.0, -1.0):
            if self.high[at] - self.low[at] < width - _WHOLE:
                cells = self._cells(at)
                self._keep(self._least_whole(cells, np.full(len(cells), sign)))

    def _cells(self, at: int) -> np.ndarray:
        return np.asarray(self.sums.indices[self.sums.indptr[at] : self.sums.indptr[at + 1]])

    def _keep(self, cells: np.ndarray) -> None:
        """Keep a possible table as a witness."""
        told = np.asarray(self.sums @ cells)
        self.loose_low, self.loose_high = np.minimum(self.loose_low, told), np.maximum(self.loose_high, told)
        if np.abs(cells - np.round(cells)).max(initial=0) <= _WHOLE:
            told = np.round(told)
            self.low, self.high = np.minimum(self.low, told), np.maximum(self.high, told)

    def _least(self, secret: np.ndarray, cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        import highspy

        at = secret.astype(np.int32)
        self.solver.changeColsCost(len(at), at, cost)
        self.solver.run()
        status = self.solver.getModelStatus()
        solution = self.solver.getSolution()
        self.solver.changeColsCost(len(at), at, np.zeros(len(at)))
        if status != highspy.HighsModelStatus.kOptimal:
            raise ArithmeticError(f"the linear programme of the audit ended as {status.name}")
        return np.asarray(solution.col_value), np.asarray(solution.row_dual)

    def _least_whole(self, secret: np.ndarray, cost: np.ndarray) -> np.ndarray:
        """Whole cells with nearly the least sum; the range is at least as wide as they say."""
        from scipy.optimize import Bounds, LinearConstraint, milp

        goal = np.zeros(len(self.figures.cells))
        goal[secret] = cost
        values = self.figures.values
        bounds = LinearConstraint(
            self.figures.rows, np.where(self.published, values, 1.0), np.where(self.published, values, np.inf)
        )
        found = milp(
            goal,
            integrality=np.ones(len(goal)),
            bounds=Bounds(0, self.far),
            constraints=bounds,
            options={"time_limit": _SECONDS, "mip_rel_gap": _GAP},
        )
        return np.asarray(self.figures.cells if found.x is None else np.round(found.x))
